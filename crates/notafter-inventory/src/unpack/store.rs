//! Key stores that are a whole file: PKCS #12 is opened where a password fits, in JKS the keys are matched to their
//! certificates.

use crate::carve::{Carved, Encoding, Found, Store, carve};
use crate::collect::Collector;
use notafter_core::Fingerprint;
use notafter_pki::read;
use std::collections::BTreeSet;

/// The beginning of a PKCS #12 store with indefinite lengths (X.690 §8.1.3.6), which some browsers write: the version,
/// then a ContentInfo of the type *data*.
const BER_STORE: &[u8] = b"\x30\x80\x02\x01\x03\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";

/// Looks into `bytes`, which were carved already, where they are a store.
pub(super) fn look(bytes: &[u8], collector: &mut Collector<'_>) {
    if bytes.starts_with(BER_STORE) {
        collector.opaque("a PKCS #12 store with indefinite lengths, which is not read".to_owned());
    }
    if let Some(store) = read::open_pkcs12(bytes, collector.options.passwords.as_slice()) {
        look_at_pkcs12(&store, (0, 0, bytes.len()), collector);
    }
    let with_keys: BTreeSet<usize> = read::jks_certificates_with_keys(bytes).into_iter().collect();
    for begin in with_keys {
        let certificate = bytes.get(begin..).and_then(read::certificate_at);
        if let Some((certificate, _)) = certificate {
            collector.add_key(certificate.key.fingerprint);
        }
    }
}

/// Looks into a PKCS #12 store in base64; `base` is where the window begins in which that stands.
pub(crate) fn look_at_encoded(store: &Store, base: u64, collector: &mut Collector<'_>) {
    let opened = read::open_pkcs12(&store.der, collector.options.passwords.as_slice());
    if let Some(opened) = opened {
        look_at_pkcs12(&opened, (base, store.offset, store.len), collector);
    }
}

/// Offsets inside what was decrypted mean nothing to a reader: the place is the whole store, which lies at `base` and an
/// offset, and has a length.
fn look_at_pkcs12(
    store: &read::Pkcs12Contents,
    (base, offset, len): (u64, usize, usize),
    collector: &mut Collector<'_>,
) {
    let mut seen: BTreeSet<Fingerprint> = BTreeSet::new();
    for plain in &store.decrypted {
        carve(plain, 0, plain.len(), &mut |found| {
            if let Found::Credential(carved) = found
                && seen.insert(carved.credential.fingerprint)
            {
                let carved = Carved { offset, len, encoding: Encoding::Pkcs12, ..carved };
                collector.add(base, None, Found::Credential(carved));
            }
        });
    }
    for key in &store.keys {
        collector.add_key(key.fingerprint);
    }
    if store.is_locked {
        collector.opaque("a PKCS #12 store under a password that is not known".to_owned());
    } else if store.locked_keys > 0 {
        collector.opaque("a PKCS #12 store with private keys under a password that is not known".to_owned());
    }
}
