//! The database of rpm(8), in the three forms that it has had: each holds headers, one for every package.

mod berkeley;
mod ndb;
mod sqlite;

use super::files::Files;
use super::lookup::Wanted;
use crate::rpm_header::Header;
use notafter_core::Package;

/// Reads a database and hands each header to the function, as it is stored; of one that is damaged what can be read.
type Read = fn(Vec<u8>, &mut dyn FnMut(&[u8]));

/// Where distributions keep it, and how it is read there.
const FORMS: [(&str, Read); 6] = [
    ("/var/lib/rpm/rpmdb.sqlite", sqlite::read),
    ("/usr/lib/sysimage/rpm/rpmdb.sqlite", sqlite::read),
    ("/var/lib/rpm/Packages.db", ndb::read),
    ("/usr/lib/sysimage/rpm/Packages.db", ndb::read),
    ("/var/lib/rpm/Packages", berkeley::read),
    ("/usr/lib/sysimage/rpm/Packages", berkeley::read),
];

pub(super) fn is_database(path: &str) -> bool {
    FORMS.iter().any(|(database, _)| *database == path)
}

/// Adds paths that are asked for, each with the package that claims it.
pub(super) fn claims(files: &dyn Files, wanted: &Wanted<'_>, claims: &mut Vec<(String, Package)>) {
    for (path, read) in FORMS {
        let Some(database) = files.read(path) else { continue };
        read(database, &mut |blob| {
            let Some(header) = Header::of_database(blob) else { return };
            let Some(package) = header.package() else { return };
            for file in header.files() {
                let named = wanted.named(&file).iter();
                claims.extend(named.map(|path| ((*path).to_owned(), package.clone())));
            }
        });
    }
}

/// A number of 32 bits at `at`, the lowest byte first.
fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four))
}

/// What `read` hands on of `whole`, of its beginnings and of it with bytes overwritten, must end and be bounded.
#[cfg(test)]
fn survives_damage(read: Read, whole: &[u8], most_bytes: usize) {
    let count = |database: &[u8]| {
        let mut bytes = 0;
        read(database.to_vec(), &mut |blob| bytes += blob.len());
        bytes
    };
    for at in 0..whole.len() {
        for fill in [0, 1, 0xff] {
            let mut broken = whole.to_vec();
            broken[at..(at + 4).min(whole.len())].fill(fill);
            assert!(count(&broken) <= most_bytes, "{at} {fill}");
        }
        assert!(count(&whole[..at]) <= most_bytes, "{at}");
    }
}
