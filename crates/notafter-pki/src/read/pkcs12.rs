//! PKCS #12 stores (RFC 7292), opened with passwords that are known or usual.
//!
//! The integrity of a store is not verified: a password fits where what it decrypts is DER from end to end.

use super::der::{Element, Reader, element_len, tag};
use super::key::public_key_of;
use super::pbe::{Effort, Password, decrypt};
use notafter_core::PublicKey;
use zeroize::Zeroizing;

const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7];
const DATA: u8 = 1;
const ENCRYPTED_DATA: u8 = 6;
/// `bagtypes` of RFC 7292 §4.2, without the last arc.
const BAGS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];
const KEY_BAG: u8 = 1;
const SHROUDED_KEY_BAG: u8 = 2;
const SAFE_CONTENTS_BAG: u8 = 6;
/// `[0] IMPLICIT OCTET STRING`.
const ENCRYPTED_CONTENT: u8 = 0x80;
/// Bags in bags; nobody nests them.
const MAX_DEPTH: u32 = 4;

/// Passwords that tools suggest, and that stores of nothing but public certificates are given.
const USUAL: [&str; 10] =
    ["", "changeit", "changeme", "password", "notasecret", "secret", "keystore", "test", "123456", "1234"];

/// What a store holds, as far as its passwords are known.
#[derive(Default)]
pub struct Pkcs12Contents {
    /// Decrypted contents, DER, to be looked through for certificates. What lies in the clear is not repeated here.
    pub decrypted: Vec<Zeroizing<Vec<u8>>>,
    /// Public parts of the private keys.
    pub keys: Vec<PublicKey>,
    /// Private keys that could not be opened.
    pub locked_keys: usize,
    /// Whether contents other than keys could not be opened: certificates, as a rule.
    pub is_locked: bool,
}

/// Without what was decrypted.
impl std::fmt::Debug for Pkcs12Contents {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (opened, keys) = (self.decrypted.len(), &self.keys);
        write!(formatter, "Pkcs12Contents({opened} opened, {keys:?}, locked: {})", self.is_locked)
    }
}

/// Opens a store that is the whole of `store`, with one of `passwords` or a usual one. None where it is no such store.
/// Stores that ask for an excessive number of iterations stay locked.
#[must_use]
pub fn open_pkcs12(store: &[u8], passwords: &[Zeroizing<String>]) -> Option<Pkcs12Contents> {
    if element_len(store) != Some(store.len()) {
        return None;
    }
    let mut fields = Reader::new(store).take(tag::SEQUENCE)?.reader();
    fields.take(tag::INTEGER).filter(|version| version.contents == [3])?;
    let (DATA, safe) = content_info(&fields.take(tag::SEQUENCE)?)? else { return None };
    let mut parts = Reader::new(safe.take_octets()?).take(tag::SEQUENCE)?.reader();
    let given = passwords.iter().map(|password| password.as_str());
    let passwords: Vec<Password> = given.chain(USUAL).map(Password::new).chain([Password::none()]).collect();
    let mut opening =
        Opening { passwords: &passwords, effort: Effort::default(), found: Pkcs12Contents::default() };
    while let Some(part) = parts.take(tag::SEQUENCE) {
        match content_info(&part) {
            Some((DATA, contents)) => {
                opening.look_at_bags(contents.take_octets().unwrap_or_default(), MAX_DEPTH);
            }
            Some((ENCRYPTED_DATA, contents)) => match opening.open_part(contents) {
                Some(plain) => {
                    opening.look_at_bags(&plain, MAX_DEPTH);
                    opening.found.decrypted.push(plain);
                }
                None => opening.found.is_locked = true,
            },
            _ => opening.found.is_locked = true, // enveloped for the holder of a key
        }
    }
    Some(opening.found)
}

/// The type of a ContentInfo, by its last arc, and what it holds.
fn content_info<'a>(info: &Element<'a>) -> Option<(u8, Reader<'a>)> {
    let mut fields = info.reader();
    let [last] = fields.take(tag::OBJECT_IDENTIFIER)?.contents.strip_prefix(PKCS7)? else { return None };
    Some((*last, fields.take(tag::CONTEXT_0)?.reader()))
}

impl<'a> Reader<'a> {
    fn take_octets(mut self) -> Option<&'a [u8]> {
        self.take(tag::OCTET_STRING).map(|octets| octets.contents)
    }
}

struct Opening<'a> {
    passwords: &'a [Password],
    effort: Effort,
    found: Pkcs12Contents,
}

impl Opening<'_> {
    /// EncryptedData (RFC 5652 §8).
    fn open_part(&mut self, mut contents: Reader<'_>) -> Option<Zeroizing<Vec<u8>>> {
        let mut data = contents.take(tag::SEQUENCE)?.reader();
        data.take(tag::INTEGER)?;
        let mut info = data.take(tag::SEQUENCE)?.reader();
        info.take(tag::OBJECT_IDENTIFIER)?;
        let algorithm = info.take(tag::SEQUENCE)?;
        let encrypted = info.take(ENCRYPTED_CONTENT)?;
        self.try_all(&algorithm, encrypted.contents)
    }

    fn try_all(&mut self, algorithm: &Element<'_>, encrypted: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let fits = |plain: &Zeroizing<Vec<u8>>| {
            plain.first() == Some(&tag::SEQUENCE) && element_len(plain) == Some(plain.len())
        };
        let effort = &mut self.effort;
        let mut tries = self.passwords.iter();
        tries.find_map(|password| decrypt(algorithm.reader(), encrypted, password, effort).filter(fits))
    }

    /// Looks for keys in SafeContents.
    fn look_at_bags(&mut self, contents: &[u8], depth: u32) {
        let Some(bags) = Reader::new(contents).take(tag::SEQUENCE) else { return };
        let mut bags = bags.reader();
        while let Some(bag) = bags.take(tag::SEQUENCE) {
            let mut fields = bag.reader();
            let kind = fields.take(tag::OBJECT_IDENTIFIER);
            let (Some(kind), Some(value)) = (kind, fields.take(tag::CONTEXT_0)) else { continue };
            match kind.contents.strip_prefix(BAGS) {
                Some([KEY_BAG]) => self.found.keys.extend(public_key_of(value.contents)),
                Some([SHROUDED_KEY_BAG]) => match self.open_key(value.reader()) {
                    Some(plain) => self.found.keys.extend(public_key_of(&plain)),
                    None => self.found.locked_keys += 1,
                },
                Some([SAFE_CONTENTS_BAG]) if depth > 0 => self.look_at_bags(value.contents, depth - 1),
                _ => {}
            }
        }
    }

    /// EncryptedPrivateKeyInfo (RFC 5958 §3).
    fn open_key(&mut self, mut value: Reader<'_>) -> Option<Zeroizing<Vec<u8>>> {
        let mut fields = value.take(tag::SEQUENCE)?.reader();
        let algorithm = fields.take(tag::SEQUENCE)?;
        let encrypted = fields.take(tag::OCTET_STRING)?;
        self.try_all(&algorithm, encrypted.contents)
    }
}
