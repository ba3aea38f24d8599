//! Anonymous memory files: bytes that travel by descriptor and never touch a disk.

use rustix::fs::{MemfdFlags, SealFlags};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;

/// A memory file that holds `bytes` and can never change again; close-on-exec.
///
/// # Errors
/// Those of memfd_create(2), write(2) and fcntl(2).
pub fn sealed(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(fd);
    file.write_all(bytes)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}

/// Everything that a file holds from its beginning.
///
/// # Errors
/// Those of read(2); `InvalidData` where it holds more than `limit_bytes`.
pub fn contents(fd: OwnedFd, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = File::from(fd);
    file.rewind()?;
    let mut bytes = Vec::new();
    (&file).take(limit_bytes).read_to_end(&mut bytes)?;
    if file.read(&mut [0])? > 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {limit_bytes} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_comes_back_and_cannot_change() {
        let fd = sealed("test", b"0123456789").unwrap();
        let writer = fd.try_clone().unwrap();
        assert_eq!(contents(fd.try_clone().unwrap(), 10).unwrap(), b"0123456789");
        assert_eq!(contents(fd, 9).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(File::from(writer).write(b"x").is_err());
    }
}
