//! ar archives (ar(5) of System V and GNU): Debian packages, static libraries.

use super::look::{Input, enter};
use crate::buffer::Buffer;
use crate::collect::Collector;
use std::io::{self, Read};

const HEADER_LEN: usize = 60;

pub(super) fn look(
    reader: &mut dyn Read,
    collector: &mut Collector<'_>,
    buffer: &mut Buffer,
) -> io::Result<()> {
    reader.read_exact(&mut [0; 8])?; // the magic
    loop {
        let mut header = Vec::with_capacity(HEADER_LEN);
        (&mut *reader).take(HEADER_LEN as u64).read_to_end(&mut header)?;
        if header.is_empty() {
            return Ok(());
        }
        let damaged = || io::Error::other("the ar archive is damaged");
        let field = |range| header.get(range).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let name = field(0..16).ok_or_else(damaged)?.trim_end().trim_end_matches('/').to_owned();
        let len: u64 = field(48..58).and_then(|text| text.trim().parse().ok()).ok_or_else(damaged)?;
        if header.get(58..60) != Some(b"`\n") {
            return Err(damaged());
        }
        let mut entry = (&mut *reader).take(len);
        enter(&name, Input::Stream(&mut entry), collector, buffer);
        io::copy(&mut entry, &mut io::sink())?;
        if entry.limit() > 0 {
            return Err(damaged());
        }
        if len % 2 == 1 {
            (&mut *reader).take(1).read_to_end(&mut Vec::new())?;
        }
    }
}
