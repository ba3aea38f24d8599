//! Memory of another process as a reader (proc_pid_mem(5)).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

const PAGE: u64 = 4_096;

/// Reads from one address up to another. Pages that cannot be read, or that are gone by now, read as zeros.
pub(super) struct Memory<'a> {
    pub(super) file: &'a File,
    pub(super) at: u64,
    pub(super) end: u64,
}

impl Read for Memory<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        if wanted == 0 {
            return Ok(0);
        }
        let read = match self.file.read_at(&mut buffer[..wanted], self.at) {
            Ok(read) if read > 0 => read,
            // Nothing is mapped there any more, or the page lies behind the end of its file.
            Ok(_) | Err(_) => {
                let page_left = usize::try_from(PAGE - self.at % PAGE).unwrap_or(wanted);
                let hole = wanted.min(page_left);
                buffer[..hole].fill(0);
                hole
            }
        };
        self.at += read as u64;
        Ok(read)
    }
}
