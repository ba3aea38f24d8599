//! Credentials among arbitrary bytes.
//!
//! One pass looks for the few bytes with which their encodings begin; only there anything is parsed.

use crate::owners::{BUILD_INFO, go_module};
use aho_corasick::{AhoCorasick, Input, MatchKind};
use notafter_core::{Credential, Origin, Package, PublicKey};
use notafter_pki::read::{
    self, BASE64_SIGNED_DATA, JWT_HEAD, MAX_CERTIFICATE_LEN, MAX_PEM_LEN, PEM_BEGIN, PemBlock,
    SSH_CERTIFICATE_MARK,
};
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// No encoding that counts is longer, in bytes.
pub(crate) const MAX_ENCODING_LEN: usize =
    if MAX_PEM_LEN > MAX_CERTIFICATE_LEN { MAX_PEM_LEN } else { MAX_CERTIFICATE_LEN };

/// How a credential was encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Base64,
    /// What is signed of a certificate.
    Body,
    Der,
    OpenPgp,
    Pem,
    Pkcs12,
    Text,
}

/// One credential and where its encoding lies, in bytes from the beginning of the window.
#[derive(Debug)]
pub(crate) struct Carved {
    pub(crate) credential: Credential,
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) encoding: Encoding,
    /// Whether the encoding holds the private key too.
    pub(crate) with_key: bool,
}

/// Whether bodies of certificates count, without algorithm and signature behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bodies {
    Count,
    Ignored,
}

/// What is found among bytes.
#[derive(Debug)]
pub(crate) enum Found {
    Credential(Carved),
    /// A private key, by the public one that belongs to it.
    PrivateKey(PublicKey),
    /// The program that these bytes are says what it was built from.
    Program(Package),
    /// A PKCS #12 store that is encoded here.
    Store(Store),
}

/// A store, and where its encoding lies.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) der: Vec<u8>,
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// base64 of a SEQUENCE whose length takes two octets, and one.
const BASE64_DER: &[u8] = b"MII";
const BASE64_SHORT_DER: [&[u8]; 2] = [b"MIG", b"MIH"];
/// base64 of `-----BEGIN`.
const BASE64_PEM: &[u8] = b"LS0tLS1CRUdJTi";

/// In the order of [`BEGINNINGS`].
const PEM: usize = 0;
const TOKEN: usize = 1;
const DER_IN_BASE64: usize = 2;
const PEM_IN_BASE64: usize = 3;
const SSH: usize = 4;
const GO: usize = 5;
const SIGNED_DATA_IN_BASE64: usize = 6;
const SHORT_DER_IN_BASE64: std::ops::RangeInclusive<usize> = 7..=8;

/// The last three: a SEQUENCE whose length takes one to three octets, as no certificate is shorter than 128 bytes.
static BEGINNINGS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let patterns = [
        PEM_BEGIN,
        JWT_HEAD,
        BASE64_DER,
        BASE64_PEM,
        SSH_CERTIFICATE_MARK,
        BUILD_INFO,
        BASE64_SIGNED_DATA,
        BASE64_SHORT_DER[0],
        BASE64_SHORT_DER[1],
        b"\x30\x82",
        b"\x30\x81",
        b"\x30\x83",
    ];
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst) // the only kind with a vectorised search: 20 times faster
        .build(patterns)
        .expect("a dozen short patterns fit any automaton")
});

/// Hands every credential whose encoding begins in `from..until` to `emit`, in order. Unless `window` ends where the
/// data ends, it must reach [`MAX_ENCODING_LEN`] bytes beyond `until`. Returns where to go on: `until`, or the end of
/// an encoding that reaches beyond it.
pub(crate) fn carve(window: &[u8], from: usize, until: usize, emit: &mut impl FnMut(Found)) -> usize {
    carve_with(Bodies::Ignored, window, from, until, emit)
}

/// The same, with or without bodies of certificates.
pub(crate) fn carve_with(
    bodies: Bodies,
    window: &[u8],
    from: usize,
    until: usize,
    emit: &mut impl FnMut(Found),
) -> usize {
    let search_end = window.len().min(until + SSH_CERTIFICATE_MARK.len() - 1);
    let mut at = from;
    while at < until {
        let Some(hit) = BEGINNINGS.find(Input::new(window).span(at..search_end)) else { break };
        let offset = hit.start();
        if offset >= until {
            break;
        }
        let bytes = &window[offset..];
        let before = &window[..offset];
        at = hit.end();
        let mut one = |(credential, len): (Credential, usize), offset: usize, encoding| {
            emit(Found::Credential(Carved { credential, offset, len, encoding, with_key: false }));
            offset + len
        };
        let kind = match hit.pattern().as_usize() {
            kind if SHORT_DER_IN_BASE64.contains(&kind) => DER_IN_BASE64,
            kind => kind,
        };
        match kind {
            PEM => {
                let Some(block) = read::pem_block_at(bytes) else { continue };
                at = offset + block.len;
                look_at_block(&block, &bytes[..block.len], &mut |inner| {
                    emit(inner.at(offset, block.len, Encoding::Pem));
                });
            }
            TOKEN if !before.last().is_some_and(|byte| is_base64_url(*byte)) || is_behind_escape(before) => {
                if let Some(found) = read::jwt_at(bytes) {
                    at = one(found, offset, Encoding::Text);
                }
            }
            DER_IN_BASE64 if stands_alone(before) => {
                let Some((der, len)) = read::base64_der_at(bytes) else { continue };
                if let Some((credential, _)) = der_at(&der) {
                    at = one((credential, len), offset, Encoding::Base64);
                } else if read::is_signed_data(&der) {
                    at = offset + len;
                    look_at_signed(&der, &mut |inner| emit(inner.at(offset, len, Encoding::Base64)));
                } else if read::is_pkcs12(&der) {
                    at = offset + len;
                    // Certificates may stand there as they are.
                    look_at_signed(&der, &mut |inner| emit(inner.at(offset, len, Encoding::Base64)));
                    emit(Found::Store(Store { der, offset, len }));
                }
            }
            PEM_IN_BASE64 if stands_alone(before) => {
                let bytes = &bytes[..bytes.len().min(MAX_ENCODING_LEN)];
                let (text, run) = read::base64_text(bytes);
                // What stands on the next line may have been taken for more of it.
                let end = read::pem_blocks(&text).last().map(|block| block.offset + block.len);
                let len = end.map_or(run, |end| read::base64_text_len(bytes, end));
                for block in read::pem_blocks(&text) {
                    let inner = &text[block.offset..][..block.len];
                    look_at_block(&block, inner, &mut |inner| {
                        emit(inner.at(offset, len, Encoding::Base64));
                    });
                }
                at = offset + len;
            }
            SIGNED_DATA_IN_BASE64 if stands_alone(before) => {
                let (der, len) = read::base64_text(&bytes[..bytes.len().min(MAX_ENCODING_LEN)]);
                at = offset + len;
                look_at_signed(&der, &mut |inner| emit(inner.at(offset, len, Encoding::Base64)));
            }
            SSH => {
                if let Some(found) = read::ssh_certificate_after(&window[at..]) {
                    at = one(found, at, Encoding::Text);
                }
            }
            GO => {
                if let Some(package) = go_module(bytes) {
                    emit(Found::Program(package));
                }
            }
            TOKEN | DER_IN_BASE64 | PEM_IN_BASE64 | SIGNED_DATA_IN_BASE64 => {}
            _ => {
                if let Some(found) = der_at(bytes) {
                    at = one(found, offset, Encoding::Der);
                } else if let Some(found) = read::ocsp_at(bytes) {
                    one(found, offset, Encoding::Der); // certificates inside it come next
                } else if bodies == Bodies::Count
                    && let Some((body, len)) = read::certificate_body_at(bytes)
                {
                    let body = body.into_credential(Origin::Embedded, Vec::new());
                    at = one((body, len), offset, Encoding::Body);
                }
            }
        }
    }
    at.max(until)
}

/// The certificate or revocation list that begins at the first byte.
fn der_at(bytes: &[u8]) -> Option<(Credential, usize)> {
    let certificate = read::certificate_at(bytes)
        .map(|(certificate, len)| (certificate.into_credential(Origin::Embedded, Vec::new()), len));
    certificate.or_else(|| read::crl_at(bytes))
}

fn is_base64_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.+/".contains(&byte)
}

/// Whether `before` ends with a character behind a percent sign (RFC 3986 §2.1), as in `Bearer%20`.
fn is_behind_escape(before: &[u8]) -> bool {
    matches!(before, [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// Whether base64 may begin behind `before`: in the middle of other base64 it does not, and behind a line of PEM
/// armour it belongs to a block, which counts as a whole or not at all.
fn stands_alone(before: &[u8]) -> bool {
    let joint = before.iter().rev().take(64).take_while(|byte| b" \t\r\n\"'`,.+".contains(byte)).count();
    let behind = &before[..before.len() - joint];
    let behind = behind.strip_suffix(b"\\n").unwrap_or(behind);
    let line = behind.iter().rev().take(64).take_while(|byte| !b"\r\n".contains(byte)).count();
    let line = &behind[behind.len() - line..];
    let is_armour = |mark: &[u8]| memchr::memmem::find(line, mark).is_some();
    let is_behind_armour = is_armour(b"-----") && !is_armour(b"-----END ");
    !before.last().is_some_and(|byte| is_base64_url(*byte)) && !is_behind_armour
}

/// Hands on the certificates and revocation lists in signed data (RFC 5652 §5.1), whatever the forms of its lengths.
fn look_at_signed(der: &[u8], emit: &mut dyn FnMut(Inner)) {
    carve(der, 0, der.len(), &mut |found| match found {
        Found::Credential(inner) if inner.encoding == Encoding::Der => {
            emit(Inner::Credential(inner.credential));
        }
        Found::Credential(_) | Found::PrivateKey(_) | Found::Program(_) | Found::Store(_) => {}
    });
}

/// What one block holds.
enum Inner {
    Credential(Credential),
    PrivateKey(PublicKey),
    /// Of an OpenPGP key, its private part beside it.
    Secret(Credential),
}

impl Inner {
    fn at(self, offset: usize, len: usize, encoding: Encoding) -> Found {
        let (credential, with_key) = match self {
            Self::Credential(credential) => (credential, false),
            Self::PrivateKey(key) => return Found::PrivateKey(key),
            Self::Secret(credential) => (credential, true),
        };
        Found::Credential(Carved { credential, offset, len, encoding, with_key })
    }
}

/// Hands on what a block of this label may hold (RFC 7468 §5 to §11; `TRUSTED` is OpenSSL's: a certificate, then its
/// trust). Of a private key nothing is kept but the public one that belongs to it.
fn look_at_block(block: &PemBlock<'_>, text: &[u8], emit: &mut dyn FnMut(Inner)) {
    let decode = || block.decode().unwrap_or_default();
    let embedded = |found: read::ParsedCertificate| {
        Inner::Credential(found.into_credential(Origin::Embedded, Vec::new()))
    };
    match block.label {
        "CERTIFICATE" | "X509 CERTIFICATE" => {
            read::certificate(&decode()).into_iter().map(embedded).for_each(emit);
        }
        "TRUSTED CERTIFICATE" => {
            read::certificate_at(&decode()).map(|(found, _)| embedded(found)).into_iter().for_each(emit);
        }
        "X509 CRL" => read::crl(&decode()).map(Inner::Credential).into_iter().for_each(emit),
        "CMS" | "PKCS #7 SIGNED DATA" | "PKCS7" => look_at_signed(&decode(), emit),
        "PGP PUBLIC KEY BLOCK" | "PGP PRIVATE KEY BLOCK" => {
            for key in read::openpgp_armoured(text) {
                let kind = if key.is_secret { Inner::Secret } else { Inner::Credential };
                emit(kind(key.credential));
            }
        }
        "EC PRIVATE KEY" | "PRIVATE KEY" | "RSA PRIVATE KEY" => {
            let key = Zeroizing::new(decode());
            read::public_key_of(&key).map(Inner::PrivateKey).into_iter().for_each(emit);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ED25519};

    fn pem(name: &str) -> String {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.self_signed(&KeyPair::generate_for(&PKCS_ED25519).unwrap()).unwrap().pem()
    }

    fn digits(pem: &str) -> String {
        pem.lines().filter(|line| !line.starts_with('-')).collect()
    }

    /// base64 (RFC 4648 §4).
    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |group: u32, shift: u32| char::from(DIGITS[(group >> shift & 63) as usize]);
        let of_three = |three: &[u8]| -> String {
            let group = three.iter().fold(0, |group, byte| group << 8 | u32::from(*byte));
            let group = group << (8 * (3 - three.len()));
            let digits: String = [18, 12, 6, 0].map(|shift| digit(group, shift)).iter().collect();
            format!("{}{}", &digits[..=three.len()], &"=="[..3 - three.len()])
        };
        bytes.chunks(3).map(of_three).collect()
    }

    fn lines(text: &str, width: usize) -> String {
        text.as_bytes().chunks(width).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect()
    }

    /// Subject, offset, length and encoding of what is found.
    fn found(text: &str) -> Vec<(String, usize, usize, Encoding)> {
        let mut found = Vec::new();
        carve(text.as_bytes(), 0, text.len(), &mut |one| {
            if let Found::Credential(one) = one {
                found.push((one.credential.subject, one.offset, one.len, one.encoding));
            }
        });
        found
    }

    #[test]
    fn der_without_armour_is_found_in_both_alphabets_padded_or_not() {
        // Made anew until both alphabets and both paddings have been there.
        let (mut special, mut padded) = (0, 0);
        while special == 0 || padded == 0 {
            let digits = digits(&pem("x5c"));
            let url = digits.replace('+', "-").replace('/', "_");
            let bare = url.trim_end_matches('=').to_owned();
            special += usize::from(url != digits);
            padded += usize::from(bare != url);
            for text in [&digits, &url, &bare] {
                let json = format!("{{\"x5c\":[\"{text}\",\"\"]}}");
                assert_eq!(found(&json), [("CN=x5c".to_owned(), 9, text.len(), Encoding::Base64)], "{json}");
            }
            let cut = format!("{}\n-----END CERTIFICATE-----", &bare[..bare.len() - 4]);
            assert_eq!(found(&cut), []);
        }
    }

    #[test]
    fn pem_in_base64_is_found_in_every_layout() {
        let [first, second] = ["first", "second"].map(pem);
        for text in [&first, first.trim_end(), &format!("{first}{second}")] {
            let plain = base64(text.as_bytes());
            let names: Vec<String> = (0..text.matches("BEGIN").count())
                .map(|number| format!("CN={}", ["first", "second"][number]))
                .collect();
            for layout in [
                plain.clone(),
                plain.trim_end_matches('=').to_owned(),
                lines(&plain, 76),
                lines(&plain, 64).replace('\n', "\r\n    "),
                lines(&plain, 76).replace('\n', "\\n"),
            ] {
                let all = found(&format!("ca: {layout}\nother: x"));
                let subjects: Vec<&String> = all.iter().map(|(subject, ..)| subject).collect();
                assert_eq!(subjects, names.iter().collect::<Vec<_>>(), "{layout}");
                assert!(all.iter().all(|(_, offset, ..)| *offset == 4));
            }
        }
    }

    #[test]
    fn what_follows_pem_in_base64_on_the_next_line_is_no_part_of_it() {
        // {"alg":"HS256"}, {"iss":"a"}, and what has the length of a signature.
        let token = format!("eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIn0.{}", "a".repeat(43));
        let packed = base64(pem("ca").trim_end().as_bytes());
        let packed = packed.trim_end_matches('=');
        let subjects: Vec<String> =
            found(&format!("{packed}\n{token}")).into_iter().map(|(subject, ..)| subject).collect();
        assert_eq!(subjects, ["CN=ca", "JWT iss=a"]);
        for before in ["Bearer%20", "?token=", "\""] {
            assert_eq!(found(&format!("{before}{token}")).len(), 1, "{before}");
        }
        for before in ["a", "_", "20"] {
            assert_eq!(found(&format!("{before}{token}")), [], "{before}");
        }
    }
}
