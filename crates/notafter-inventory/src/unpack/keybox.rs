//! GnuPG's keybox (`doc/keybox-format.txt` of libksba and GnuPG): blobs, each with the key ring of one key or with one
//! certificate.

use crate::carve::{Carved, Encoding, Found, carve};
use crate::collect::Collector;
use notafter_pki::read;

const OPENPGP: u8 = 2;
/// Length, type, version, flags, and where the key lies.
const HEAD_LEN: usize = 16;

pub(super) fn look(bytes: &[u8], collector: &mut Collector<'_>) {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let blob = be32(rest, 0).filter(|len| *len >= HEAD_LEN).and_then(|len| rest.get(..len));
        let Some(blob) = blob else {
            collector.opaque("the keybox is damaged".to_owned());
            carve(rest, 0, rest.len(), &mut |found| collector.add(at as u64, None, found));
            return;
        };
        look_at_blob(at, blob, collector);
        at += blob.len();
    }
}

fn look_at_blob(at: usize, blob: &[u8], collector: &mut Collector<'_>) {
    if blob[4] != OPENPGP {
        carve(blob, 0, blob.len(), &mut |found| collector.add(at as u64, None, found));
        return;
    }
    let (begin, len) = (be32(blob, 8).unwrap_or_default(), be32(blob, 12).unwrap_or_default());
    let ring = blob.get(begin..).and_then(|rest| rest.get(..len)).unwrap_or_default();
    for key in read::openpgp_keys(ring) {
        let found = Carved {
            credential: key.credential,
            offset: begin + key.offset,
            len: key.len,
            encoding: Encoding::OpenPgp,
            with_key: key.is_secret,
        };
        collector.add(at as u64, None, Found::Credential(found));
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(four)).ok()
}
