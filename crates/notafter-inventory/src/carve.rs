//! Credentials among arbitrary bytes.
//!
//! One pass looks for the few bytes with which their encodings begin; only there anything is parsed.

use crate::owners::{BUILD_INFO, go_module};
use aho_corasick::{AhoCorasick, Input, MatchKind};
use notafter_core::{Credential, Origin, Package, PublicKey};
use notafter_pki::read::{
    self, JWT_HEAD, MAX_CERTIFICATE_LEN, MAX_PEM_LEN, PEM_BEGIN, PemBlock, SSH_CERTIFICATE_MARK,
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
}

/// base64 of a SEQUENCE whose length takes two octets.
const BASE64_DER: &[u8] = b"MII";
/// base64 of `-----BEGIN`.
const BASE64_PEM: &[u8] = b"LS0tLS1CRUdJTi";

/// In the order of [`BEGINNINGS`].
const PEM: usize = 0;
const TOKEN: usize = 1;
const DER_IN_BASE64: usize = 2;
const PEM_IN_BASE64: usize = 3;
const SSH: usize = 4;
const GO: usize = 5;

/// The last three: a SEQUENCE whose length takes one to three octets, as no certificate is shorter than 128 bytes.
static BEGINNINGS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let patterns = [
        PEM_BEGIN,
        JWT_HEAD,
        BASE64_DER,
        BASE64_PEM,
        SSH_CERTIFICATE_MARK,
        BUILD_INFO,
        b"\x30\x82",
        b"\x30\x81",
        b"\x30\x83",
    ];
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst) // the only kind with a vectorised search: 20 times faster
        .build(patterns)
        .expect("nine short patterns fit any automaton")
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
        match hit.pattern().as_usize() {
            PEM => {
                let Some(block) = read::pem_block_at(bytes) else { continue };
                at = offset + block.len;
                look_at_block(&block, &bytes[..block.len], &mut |inner| {
                    emit(inner.at(offset, block.len, Encoding::Pem));
                });
            }
            TOKEN if !before.last().is_some_and(|byte| is_base64_url(*byte)) => {
                if let Some(found) = read::jwt_at(bytes) {
                    at = one(found, offset, Encoding::Text);
                }
            }
            DER_IN_BASE64 if stands_alone(before) => {
                let Some((der, len)) = read::base64_der_at(bytes) else { continue };
                if let Some((credential, _)) = der_at(&der) {
                    at = one((credential, len), offset, Encoding::Base64);
                }
            }
            PEM_IN_BASE64 if stands_alone(before) => {
                let run = read::base64_run(&bytes[..bytes.len().min(MAX_ENCODING_LEN)]);
                let whole = &run[..run.len() / 4 * 4];
                let Some(text) = read::base64_bytes(whole) else { continue };
                for block in read::pem_blocks(&text) {
                    let inner = &text[block.offset..][..block.len];
                    look_at_block(&block, inner, &mut |inner| {
                        emit(inner.at(offset, run.len(), Encoding::Base64));
                    });
                }
                at = offset + run.len();
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
            TOKEN | DER_IN_BASE64 | PEM_IN_BASE64 => {}
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

/// Whether base64 may begin behind `before`: in the middle of other base64 it does not, and behind a line of PEM
/// armour it belongs to a block, which counts as a whole or not at all.
fn stands_alone(before: &[u8]) -> bool {
    let joint = before.iter().rev().take(64).take_while(|byte| b" \t\r\n\"'`,.+".contains(byte)).count();
    let behind = &before[..before.len() - joint];
    let behind = behind.strip_suffix(b"\\n").unwrap_or(behind);
    !before.last().is_some_and(|byte| is_base64_url(*byte)) && !behind.ends_with(b"-----")
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
        "CMS" | "PKCS #7 SIGNED DATA" | "PKCS7" => {
            let decoded = decode();
            carve(&decoded, 0, decoded.len(), &mut |found| match found {
                Found::Credential(inner) if inner.encoding == Encoding::Der => {
                    emit(Inner::Credential(inner.credential));
                }
                Found::Credential(_) | Found::PrivateKey(_) | Found::Program(_) => {}
            });
        }
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
