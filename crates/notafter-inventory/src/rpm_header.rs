//! Headers of RPM (RPM package format, version 4): an index of tags, and a store that holds their values. Packages have
//! them behind a magic number, databases without.

use notafter_core::{Package, PackageSystem};

/// Each row of an index: tag, type, offset in the store, count, 32 bits each, the highest byte first.
pub(crate) const ROW_LEN: usize = 16;
/// Headers are no longer, in bytes: rpm itself stops at 256 MiB, and a package of 100,000 files needs 20.
pub(crate) const MAX_LEN: u64 = 32 * 1024 * 1024;
const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
/// For each file its directory, by number, and its name in it; and the directories, which end with a slash.
const DIRECTORY_NUMBERS: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIRECTORIES: u32 = 1118;

pub(crate) struct Header<'a> {
    pub(crate) index: &'a [u8],
    pub(crate) store: &'a [u8],
}

impl<'a> Header<'a> {
    /// One as databases have it: two lengths, the index, the store.
    pub(crate) fn of_database(blob: &'a [u8]) -> Option<Self> {
        let rows = usize::try_from(be32(blob, 0)?).ok()?;
        let store_len = usize::try_from(be32(blob, 4)?).ok()?;
        let (index, rest) = blob.get(8..)?.split_at_checked(rows.checked_mul(ROW_LEN)?)?;
        Some(Self { index, store: rest.get(..store_len)? })
    }

    /// The package that it describes.
    pub(crate) fn package(&self) -> Option<Package> {
        let text = |tag| self.texts(tag)?.next().map(clean);
        let version = [text(VERSION)?, text(RELEASE)?].join("-");
        Some(Package { system: PackageSystem::Rpm, name: text(NAME)?, version })
    }

    /// Absolute paths of the files of the package.
    pub(crate) fn files(&self) -> impl Iterator<Item = String> {
        let directories: Vec<&[u8]> =
            self.texts(DIRECTORIES).map(|texts| texts.collect()).unwrap_or_default();
        let numbers = self.value(DIRECTORY_NUMBERS).map(|(bytes, _)| bytes).unwrap_or_default();
        let names = self.texts(BASE_NAMES).into_iter().flatten();
        numbers.chunks_exact(4).zip(names).filter_map(move |(number, name)| {
            let directory = directories.get(usize::try_from(be32(number, 0)?).ok()?)?;
            Some(String::from_utf8_lossy(&[directory, name].concat()).into_owned())
        })
    }

    /// The texts under a tag, each of which ends with a zero.
    fn texts(&self, tag: u32) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        let (bytes, count) = self.value(tag)?;
        Some(bytes.split(|byte| *byte == 0).take(count))
    }

    /// The store from the value under a tag on, and how many there are of it.
    fn value(&self, tag: u32) -> Option<(&'a [u8], usize)> {
        let row = self.index.chunks_exact(ROW_LEN).find(|row| be32(row, 0) == Some(tag))?;
        let bytes = self.store.get(usize::try_from(be32(row, 8)?).ok()?..)?;
        let count = usize::try_from(be32(row, 12)?).ok()?;
        let len = if tag == DIRECTORY_NUMBERS { bytes.len().min(count.checked_mul(4)?) } else { bytes.len() };
        Some((&bytes[..len], count))
    }
}

fn clean(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().filter(|character| !character.is_control()).take(200).collect()
}

/// A number of 32 bits at `at`, the highest byte first.
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_lies_yields_less_and_nothing_else() {
        let row =
            |tag: u32, kind: u32, at: u32, count: u32| [tag, kind, at, count].map(u32::to_be_bytes).concat();
        let store = b"app\x001.2\x003\x00/etc/\x00/usr/\x00ca\x00x\x00\0\0\0\0\0\0\0\x01";
        let numbers = u32::try_from(store.len() - 8).unwrap();
        let index = [
            row(NAME, 6, 0, 1),
            row(VERSION, 6, 4, 1),
            row(RELEASE, 6, 8, 1),
            row(DIRECTORIES, 8, 10, 2),
            row(BASE_NAMES, 8, 22, 2),
            row(DIRECTORY_NUMBERS, 4, numbers, 2),
        ]
        .concat();
        let lens = [6, u32::try_from(store.len()).unwrap()].map(u32::to_be_bytes).concat();
        let blob = [&lens[..], &index, store].concat();
        let header = Header::of_database(&blob).unwrap();
        assert_eq!(header.package().unwrap().to_string(), "rpm package app 1.2-3");
        assert_eq!(header.files().collect::<Vec<_>>(), ["/etc/ca", "/usr/x"]);
        for len in 0..blob.len() {
            assert!(Header::of_database(&blob[..len]).is_none(), "{len}");
        }
        for at in 0..blob.len() {
            let mut broken = blob.clone();
            broken[at] = 0xff;
            if let Some(header) = Header::of_database(&broken) {
                assert!(header.files().count() <= 2, "{at}");
                header.package();
            }
        }
    }
}
