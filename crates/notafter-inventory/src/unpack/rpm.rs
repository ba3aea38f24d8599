//! RPM packages (RPM package format, version 4): a lead, two headers, and a compressed cpio archive.

use super::leaf;
use super::look::{Input, Metered, enter};
use crate::buffer::Buffer;
use crate::collect::Collector;
use notafter_core::{Package, PackageSystem};
use std::io::{self, Cursor, Read};
use std::rc::Rc;

const LEAD_LEN: u64 = 96;
const MAGIC: &[u8] = b"\x8e\xad\xe8\x01";
/// Header, 16 bytes; each row of its index, 16 bytes too.
const ROW_LEN: usize = 16;
/// Headers are no longer, in bytes: rpm itself stops at 256 MiB, and a package of 100,000 files needs 20.
const MAX_HEADER: u64 = 32 * 1024 * 1024;
const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;

pub(super) fn look(
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    io::copy(&mut (&mut *reader).take(LEAD_LEN), &mut io::sink())?;
    let signature = Header::read(reader)?;
    let filling = signature.store.len().next_multiple_of(8) - signature.store.len();
    io::copy(&mut (&mut *reader).take(filling as u64), &mut io::sink())?;
    let header = Header::read(reader)?;
    if let Some(package) = header.package() {
        collector.add_label(collector.inside.clone(), package);
    }
    for store in [signature.store, header.store] {
        leaf::stream(&mut Cursor::new(store), 0, collector, buffer)?;
    }
    let mut payload = Metered { reader, left: Rc::clone(&collector.budget) };
    enter("(payload)", Input::Stream(&mut payload), collector, buffer);
    Ok(())
}

struct Header {
    index: Vec<u8>,
    store: Vec<u8>,
}

impl Header {
    fn read(reader: &mut dyn Read) -> io::Result<Self> {
        let mut head = [0; ROW_LEN];
        reader.read_exact(&mut head)?;
        let (rows, store_len) = (u64::from(be32(&head, 8)), u64::from(be32(&head, 12)));
        let index_len = rows * ROW_LEN as u64;
        if !head.starts_with(MAGIC) || index_len + store_len > MAX_HEADER {
            return Err(damaged());
        }
        let mut part = |len: u64| {
            let mut bytes = Vec::new();
            (&mut *reader).take(len).read_to_end(&mut bytes)?;
            if bytes.len() as u64 == len { Ok(bytes) } else { Err(damaged()) }
        };
        Ok(Self { index: part(index_len)?, store: part(store_len)? })
    }

    fn package(&self) -> Option<Package> {
        let version = [self.text(VERSION)?, self.text(RELEASE)?].join("-");
        Some(Package { system: PackageSystem::Rpm, name: self.text(NAME)?, version })
    }

    /// The text under `wanted`.
    fn text(&self, wanted: u32) -> Option<String> {
        let row = self.index.chunks_exact(ROW_LEN).find(|row| be32(row, 0) == wanted)?;
        let bytes = self.store.get(usize::try_from(be32(row, 8)).ok()?..)?;
        let text = std::str::from_utf8(bytes.split(|byte| *byte == 0).next()?).ok()?;
        Some(text.chars().filter(|character| !character.is_control()).take(200).collect())
    }
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn damaged() -> io::Error {
    io::Error::other("the RPM package is damaged")
}
