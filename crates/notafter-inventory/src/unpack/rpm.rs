//! RPM packages (RPM package format, version 4): a lead, two headers, and a compressed cpio archive.

use super::leaf;
use super::look::{Input, Metered, enter};
use crate::buffer::Buffer;
use crate::collect::Collector;
use crate::rpm_header::{Header, MAX_LEN, ROW_LEN, be32};
use std::io::{self, Cursor, Read};
use std::rc::Rc;

const LEAD_LEN: u64 = 96;
const MAGIC: &[u8] = b"\x8e\xad\xe8\x01";

pub(super) fn look(
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    io::copy(&mut (&mut *reader).take(LEAD_LEN), &mut io::sink())?;
    let signature = Held::read(reader)?;
    let filling = signature.store.len().next_multiple_of(8) - signature.store.len();
    io::copy(&mut (&mut *reader).take(filling as u64), &mut io::sink())?;
    let header = Held::read(reader)?;
    if let Some(package) = (Header { index: &header.index, store: &header.store }).package() {
        collector.add_label(collector.inside.clone(), package);
    }
    for store in [signature.store, header.store] {
        leaf::stream(&mut Cursor::new(store), 0, collector, buffer)?;
    }
    let mut payload = Metered { reader, left: Rc::clone(&collector.budget) };
    enter("(payload)", Input::Stream(&mut payload), collector, buffer);
    Ok(())
}

struct Held {
    index: Vec<u8>,
    store: Vec<u8>,
}

impl Held {
    fn read(reader: &mut dyn Read) -> io::Result<Self> {
        let mut head = [0; ROW_LEN];
        reader.read_exact(&mut head)?;
        let len = |at| be32(&head, at).map_or(0, u64::from);
        let (index_len, store_len) = (len(8) * ROW_LEN as u64, len(12));
        if !head.starts_with(MAGIC) || index_len + store_len > MAX_LEN {
            return Err(damaged());
        }
        let mut part = |len: u64| {
            let mut bytes = Vec::new();
            (&mut *reader).take(len).read_to_end(&mut bytes)?;
            if bytes.len() as u64 == len { Ok(bytes) } else { Err(damaged()) }
        };
        Ok(Self { index: part(index_len)?, store: part(store_len)? })
    }
}

fn damaged() -> io::Error {
    io::Error::other("the RPM package is damaged")
}
