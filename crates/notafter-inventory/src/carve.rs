//! Certificates among arbitrary bytes.
//!
//! One pass looks for the few bytes with which PEM and DER certificates begin; only there anything is parsed.

use aho_corasick::{AhoCorasick, Input, MatchKind};
use notafter_pki::read::{self, MAX_CERTIFICATE_LEN, MAX_PEM_LEN, PEM_BEGIN, ParsedCertificate, PemBlock};
use std::sync::LazyLock;

/// No encoding that counts is longer, in bytes.
pub(crate) const MAX_ENCODING_LEN: usize =
    if MAX_PEM_LEN > MAX_CERTIFICATE_LEN { MAX_PEM_LEN } else { MAX_CERTIFICATE_LEN };

/// How a certificate was encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Der,
    Pem,
}

/// One certificate and where its encoding lies, in bytes from the beginning of the window.
#[derive(Debug)]
pub(crate) struct Carved {
    pub(crate) certificate: ParsedCertificate,
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) encoding: Encoding,
}

/// A PEM block, or a SEQUENCE whose length takes one to three octets: no certificate is shorter than 128 bytes.
static BEGINNINGS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let patterns = [PEM_BEGIN, b"\x30\x82", b"\x30\x81", b"\x30\x83"];
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst) // the only kind with a vectorised search: 20 times faster
        .build(patterns)
        .expect("four short patterns fit any automaton")
});

/// Hands every certificate that begins in `from..until` to `emit`, in order. Unless `window` ends where the data ends,
/// it must reach [`MAX_ENCODING_LEN`] bytes beyond `until`. Returns where to go on: `until`, or the end of a
/// certificate that reaches beyond it.
pub(crate) fn carve(window: &[u8], from: usize, until: usize, emit: &mut impl FnMut(Carved)) -> usize {
    let search_end = window.len().min(until + PEM_BEGIN.len() - 1);
    let mut at = from;
    while at < until {
        let Some(hit) = BEGINNINGS.find(Input::new(window).span(at..search_end)) else { break };
        let offset = hit.start();
        if offset >= until {
            break;
        }
        let bytes = &window[offset..];
        at = hit.end();
        if bytes[0] == PEM_BEGIN[0] {
            let Some(block) = read::pem_block_at(bytes) else { continue };
            at = offset + block.len;
            for certificate in certificates_of(&block) {
                emit(Carved { certificate, offset, len: block.len, encoding: Encoding::Pem });
            }
        } else if let Some((certificate, len)) = read::certificate_at(bytes) {
            at = offset + len;
            emit(Carved { certificate, offset, len, encoding: Encoding::Der });
        }
    }
    at.max(until)
}

/// What a block of this label may hold (RFC 7468 §5, §8, §9; `TRUSTED` is OpenSSL's: a certificate, then its trust).
/// Other blocks, private keys above all, are never decoded.
fn certificates_of(block: &PemBlock<'_>) -> Vec<ParsedCertificate> {
    let decode = || block.decode().unwrap_or_default();
    match block.label {
        "CERTIFICATE" | "X509 CERTIFICATE" => read::certificate(&decode()).into_iter().collect(),
        "TRUSTED CERTIFICATE" => {
            read::certificate_at(&decode()).map(|(certificate, _)| certificate).into_iter().collect()
        }
        "CMS" | "PKCS #7 SIGNED DATA" | "PKCS7" => {
            let decoded = decode();
            let mut found = vec![];
            carve(&decoded, 0, decoded.len(), &mut |inner| {
                if inner.encoding == Encoding::Der {
                    found.push(inner.certificate);
                }
            });
            found
        }
        _ => vec![],
    }
}
