//! Credentials among arbitrary bytes.
//!
//! One pass looks for the few bytes with which their encodings begin; only there anything is parsed.

use aho_corasick::{AhoCorasick, Input, MatchKind};
use notafter_core::{Credential, Origin};
use notafter_pki::read::{
    self, JWT_HEAD, MAX_CERTIFICATE_LEN, MAX_PEM_LEN, PEM_BEGIN, PemBlock, SSH_CERTIFICATE_MARK,
};
use std::sync::LazyLock;

/// No encoding that counts is longer, in bytes.
pub(crate) const MAX_ENCODING_LEN: usize =
    if MAX_PEM_LEN > MAX_CERTIFICATE_LEN { MAX_PEM_LEN } else { MAX_CERTIFICATE_LEN };

/// How a credential was encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Base64,
    Der,
    OpenPgp,
    Pem,
    Text,
}

/// One credential and where its encoding lies, in bytes from the beginning of the window.
#[derive(Debug)]
pub(crate) struct Carved {
    pub(crate) credential: Credential,
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) encoding: Encoding,
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

/// The last three: a SEQUENCE whose length takes one to three octets, as no certificate is shorter than 128 bytes.
static BEGINNINGS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let patterns = [
        PEM_BEGIN,
        JWT_HEAD,
        BASE64_DER,
        BASE64_PEM,
        SSH_CERTIFICATE_MARK,
        b"\x30\x82",
        b"\x30\x81",
        b"\x30\x83",
    ];
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst) // the only kind with a vectorised search: 20 times faster
        .build(patterns)
        .expect("eight short patterns fit any automaton")
});

/// Hands every credential whose encoding begins in `from..until` to `emit`, in order. Unless `window` ends where the
/// data ends, it must reach [`MAX_ENCODING_LEN`] bytes beyond `until`. Returns where to go on: `until`, or the end of
/// an encoding that reaches beyond it.
pub(crate) fn carve(window: &[u8], from: usize, until: usize, emit: &mut impl FnMut(Carved)) -> usize {
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
            emit(Carved { credential, offset, len, encoding });
            offset + len
        };
        match hit.pattern().as_usize() {
            PEM => {
                let Some(block) = read::pem_block_at(bytes) else { continue };
                at = offset + block.len;
                for credential in credentials_of(&block, &bytes[..block.len]) {
                    one((credential, block.len), offset, Encoding::Pem);
                }
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
                    for credential in credentials_of(&block, inner) {
                        one((credential, run.len()), offset, Encoding::Base64);
                    }
                }
                at = offset + run.len();
            }
            SSH => {
                if let Some(found) = read::ssh_certificate_after(&window[at..]) {
                    at = one(found, at, Encoding::Text);
                }
            }
            TOKEN | DER_IN_BASE64 | PEM_IN_BASE64 => {}
            _ => {
                if let Some(found) = der_at(bytes) {
                    at = one(found, offset, Encoding::Der);
                } else if let Some(found) = read::ocsp_at(bytes) {
                    one(found, offset, Encoding::Der); // certificates inside it come next
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

/// What a block of this label may hold (RFC 7468 §5 to §9; `TRUSTED` is OpenSSL's: a certificate, then its trust).
/// Other blocks, private keys of X.509 above all, are never decoded.
fn credentials_of(block: &PemBlock<'_>, text: &[u8]) -> Vec<Credential> {
    let decode = || block.decode().unwrap_or_default();
    let embedded = |found: read::ParsedCertificate| found.into_credential(Origin::Embedded, Vec::new());
    match block.label {
        "CERTIFICATE" | "X509 CERTIFICATE" => {
            read::certificate(&decode()).into_iter().map(embedded).collect()
        }
        "TRUSTED CERTIFICATE" => {
            read::certificate_at(&decode()).map(|(found, _)| embedded(found)).into_iter().collect()
        }
        "X509 CRL" => read::crl(&decode()).into_iter().collect(),
        "CMS" | "PKCS #7 SIGNED DATA" | "PKCS7" => {
            let decoded = decode();
            let mut found = vec![];
            carve(&decoded, 0, decoded.len(), &mut |inner| {
                if inner.encoding == Encoding::Der {
                    found.push(inner.credential);
                }
            });
            found
        }
        "PGP PUBLIC KEY BLOCK" | "PGP PRIVATE KEY BLOCK" => {
            read::openpgp_armoured(text).into_iter().map(|(key, _, _)| key).collect()
        }
        _ => vec![],
    }
}
