//! Decryption under a password: the schemes of PKCS #12 (RFC 7292 §B and §C) and PBES2 (RFC 8018 §6.2).

use super::der::{Reader, tag};
use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use des::TdesEde3;
use des::cipher::{Array, BlockCipherDecrypt, KeyInit, consts::U8};
use rc2::Rc2;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// Iterations that all attempts on one store may take together: some seconds.
const MAX_ITERATIONS: u32 = 6_000_000;

/// A password, in the two forms in which schemes take it.
pub(super) struct Password {
    utf_8: Zeroizing<Vec<u8>>,
    /// BMPString with two octets of zero at its end.
    bmp: Zeroizing<Vec<u8>>,
}

impl Password {
    /// None at all, which OpenSSL tells from an empty one: not even the zero at its end.
    pub(super) fn none() -> Self {
        Self { utf_8: Zeroizing::default(), bmp: Zeroizing::default() }
    }

    pub(super) fn new(text: &str) -> Self {
        let units = text.encode_utf16().chain([0]).flat_map(u16::to_be_bytes);
        Self { utf_8: Zeroizing::new(text.as_bytes().to_vec()), bmp: Zeroizing::new(units.collect()) }
    }
}

/// How many iterations are left.
pub(super) struct Effort(u32);

impl Default for Effort {
    fn default() -> Self {
        Self(MAX_ITERATIONS)
    }
}

impl Effort {
    fn spend(&mut self, iterations: u32) -> Option<()> {
        self.0 = self.0.checked_sub(iterations)?;
        Some(())
    }
}

/// `pkcs-12PbeIds`, without the last arc.
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1];
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
/// `digestAlgorithm` of RSA: HMACs, and the ciphers beside them.
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];
const DES_EDE3_CBC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7];
const AES: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1];

/// What `algorithm`, an AlgorithmIdentifier, makes of `encrypted`. None where the password cannot be right, the
/// scheme is not known, or the effort is spent. The result may still be nonsense: one wrong password in 256 leaves a
/// padding that looks right.
pub(super) fn decrypt(
    mut algorithm: Reader<'_>,
    encrypted: &[u8],
    password: &Password,
    effort: &mut Effort,
) -> Option<Zeroizing<Vec<u8>>> {
    let scheme = algorithm.take(tag::OBJECT_IDENTIFIER)?.contents;
    let mut parameters = algorithm.take(tag::SEQUENCE)?.reader();
    if scheme == PBES2 {
        return pbes2(parameters, encrypted, password, effort);
    }
    let [kind] = scheme.strip_prefix(PKCS12_PBE)? else { return None };
    let salt = parameters.take(tag::OCTET_STRING)?.contents;
    let iterations = count(parameters.take(tag::INTEGER)?.contents)?;
    // Two derivations: the key takes two rounds of SHA-1 where it is longer than a digest.
    effort.spend(iterations.get().checked_mul(3)?)?;
    let derive = |id, len| derive(password, salt, iterations.get(), id, len);
    let iv = derive(2, 8);
    match kind {
        3 => triple_des(&derive(1, 24), &iv, encrypted),
        4 => {
            let two = derive(1, 16);
            triple_des(&[&two[..], &two[..8]].concat(), &iv, encrypted)
        }
        5 => rc2_cbc(&derive(1, 16), &iv, encrypted),
        6 => rc2_cbc(&derive(1, 5), &iv, encrypted),
        _ => None, // RC4
    }
}

fn pbes2(
    mut parameters: Reader<'_>,
    encrypted: &[u8],
    password: &Password,
    effort: &mut Effort,
) -> Option<Zeroizing<Vec<u8>>> {
    let mut function = parameters.take(tag::SEQUENCE)?.reader();
    let mut cipher = parameters.take(tag::SEQUENCE)?.reader();
    function.take(tag::OBJECT_IDENTIFIER).filter(|oid| oid.contents == PBKDF2)?;
    let mut function = function.take(tag::SEQUENCE)?.reader();
    let salt = function.take(tag::OCTET_STRING)?.contents;
    let iterations = count(function.take(tag::INTEGER)?.contents)?;
    function.take(tag::INTEGER); // length of the key, which the cipher tells
    let prf = function.take(tag::SEQUENCE).and_then(|prf| prf.reader().take(tag::OBJECT_IDENTIFIER));
    let prf = match prf.map(|oid| oid.contents.strip_prefix(HMAC)) {
        None | Some(Some([7])) => pbkdf2::PBKDF2_HMAC_SHA1,
        Some(Some([9])) => pbkdf2::PBKDF2_HMAC_SHA256,
        Some(Some([10])) => pbkdf2::PBKDF2_HMAC_SHA384,
        Some(Some([11])) => pbkdf2::PBKDF2_HMAC_SHA512,
        Some(_) => return None,
    };
    effort.spend(iterations.get())?;
    let derive = |len| {
        let mut key = Zeroizing::new(vec![0; len]);
        pbkdf2::derive(prf, iterations, salt, &password.utf_8, &mut key);
        key
    };
    let oid = cipher.take(tag::OBJECT_IDENTIFIER)?.contents;
    let iv = cipher.take(tag::OCTET_STRING)?.contents;
    match oid.strip_prefix(AES) {
        Some([2]) => aes(&AES_128, &derive(16), iv, encrypted),
        Some([22]) => aes(&AES_192, &derive(24), iv, encrypted),
        Some([42]) => aes(&AES_256, &derive(32), iv, encrypted),
        _ if oid == DES_EDE3_CBC => triple_des(&derive(24), iv, encrypted),
        _ => None,
    }
}

fn count(contents: &[u8]) -> Option<NonZeroU32> {
    let count =
        contents.iter().try_fold(0_u32, |count, byte| count.checked_mul(256)?.checked_add(u32::from(*byte)));
    NonZeroU32::new(count?)
}

/// The derivation of RFC 7292 §B.2 with SHA-1. `id`: 1 makes a key, 2 an initialisation vector.
fn derive(password: &Password, salt: &[u8], iterations: u32, id: u8, len: usize) -> Zeroizing<Vec<u8>> {
    const BLOCK: usize = 64;
    let fill = |bytes: &[u8]| -> Vec<u8> {
        let len = bytes.len().div_ceil(BLOCK) * BLOCK;
        bytes.iter().copied().cycle().take(len).collect()
    };
    let mut input = Zeroizing::new([fill(salt), fill(&password.bmp)].concat());
    let mut derived = Zeroizing::new(Vec::with_capacity(len + 20));
    while derived.len() < len {
        let begin = Zeroizing::new([&[id; BLOCK][..], &input].concat());
        let mut hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &begin);
        for _ in 1..iterations {
            hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, hash.as_ref());
        }
        derived.extend_from_slice(hash.as_ref());
        let added: Vec<u8> = hash.as_ref().iter().copied().cycle().take(BLOCK).collect();
        for block in input.chunks_exact_mut(BLOCK) {
            let mut carry = 1_u16;
            for (byte, more) in block.iter_mut().zip(&added).rev() {
                carry += u16::from(*byte) + u16::from(*more);
                [_, *byte] = carry.to_be_bytes();
                carry >>= 8;
            }
        }
    }
    derived.truncate(len);
    derived
}

fn aes(algorithm: &'static Algorithm, key: &[u8], iv: &[u8], encrypted: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let context = DecryptionContext::Iv128(FixedLength::try_from(iv).ok()?);
    let mut bytes = Zeroizing::new(encrypted.to_vec());
    let len = key.decrypt(&mut bytes, context).ok()?.len();
    bytes.truncate(len);
    Some(bytes)
}

fn triple_des(key: &[u8], iv: &[u8], encrypted: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = TdesEde3::new_from_slice(key).ok()?;
    cbc(iv, encrypted, |block| cipher.decrypt_block(block))
}

fn rc2_cbc(key: &[u8], iv: &[u8], encrypted: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = Rc2::new_with_eff_key_len(key, key.len() * 8);
    cbc(iv, encrypted, |block| cipher.decrypt_block(block))
}

/// Cipher block chaining over blocks of eight bytes, and the padding of PKCS #7 taken off.
fn cbc(iv: &[u8], encrypted: &[u8], decrypt: impl Fn(&mut Array<u8, U8>)) -> Option<Zeroizing<Vec<u8>>> {
    let mut before: [u8; 8] = iv.try_into().ok()?;
    let mut plain = Zeroizing::new(encrypted.to_vec());
    let (blocks, rest) = plain.as_chunks_mut::<8>();
    if !rest.is_empty() {
        return None;
    }
    for bytes in blocks {
        let mut block = Array::from(*bytes);
        decrypt(&mut block);
        let next = *bytes;
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = block[index] ^ before[index];
        }
        before = next;
    }
    let padding = usize::from(*plain.last()?);
    let len = plain.len().checked_sub(padding).filter(|_| (1..=8).contains(&padding))?;
    if !plain[len..].iter().all(|byte| usize::from(*byte) == padding) {
        return None;
    }
    plain.truncate(len);
    Some(plain)
}
