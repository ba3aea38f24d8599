//! Whether an executable needs a dynamic loader (elf(5)). The file is hostile input: every offset is checked.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// More program headers than any real executable has.
const MAX_HEADERS: u16 = 4096;
const PT_INTERP: u32 = 3;

/// How an executable is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linkage {
    /// It names a dynamic loader, which must be there at run time.
    Dynamic,
    /// It runs by itself; so does, for what we can tell, a file that is no 64-bit little-endian ELF.
    Static,
}

/// Reads the linkage of the executable at `path`.
pub(crate) fn linkage(path: &Path) -> io::Result<Linkage> {
    let mut file = File::open(path)?;
    let mut head = [0; 64];
    match file.read_exact(&mut head) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Linkage::Static),
        Err(error) => return Err(error),
    }
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return Ok(Linkage::Static);
    }
    let offset = u64_at(&head, 32);
    let size = u64::from(u16_at(&head, 54));
    let count = u16_at(&head, 56).min(MAX_HEADERS);
    for index in 0..u64::from(count) {
        let Some(at) = index.checked_mul(size).and_then(|skip| offset.checked_add(skip)) else { break };
        file.seek(SeekFrom::Start(at))?;
        let mut kind = [0; 4];
        if file.read_exact(&mut kind).is_err() {
            break;
        }
        if u32::from_le_bytes(kind) == PT_INTERP {
            return Ok(Linkage::Dynamic);
        }
    }
    Ok(Linkage::Static)
}

fn u16_at(bytes: &[u8; 64], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u64_at(bytes: &[u8; 64], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_and_dynamic_executables_are_told_apart() {
        assert_eq!(linkage(Path::new("/bin/sh")).unwrap(), Linkage::Dynamic);
        // Everything in this workspace is linked statically, tests too.
        assert_eq!(linkage(&std::env::current_exe().unwrap()).unwrap(), Linkage::Static);
    }

    #[test]
    fn a_mangled_header_is_survived() {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(64, 0xff);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        // The offset of the headers is too great to seek to, or the headers are not there.
        assert!(linkage(file.path()).map_or(true, |linkage| linkage == Linkage::Static));
    }
}
