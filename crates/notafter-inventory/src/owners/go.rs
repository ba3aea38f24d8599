//! The module that a Go program was built from, as `go version -m` reads it (debug/buildinfo).

use notafter_core::{Package, PackageSystem};

/// How the build information begins. Its strings stand inline since Go 1.18.
pub(crate) const BUILD_INFO: &[u8] = b"\xff Go buildinf:";

const INLINE: u8 = 2;
const STRINGS_AT: usize = 32;
/// Sentinels around the list of modules.
const SENTINEL_LEN: usize = 16;

/// The main module of the program whose build information begins at the first byte.
pub(crate) fn go_module(bytes: &[u8]) -> Option<Package> {
    if !bytes.starts_with(BUILD_INFO) || bytes.get(15)? & INLINE == 0 {
        return None;
    }
    let (_, rest) = string(bytes.get(STRINGS_AT..)?)?;
    let (modules, _) = string(rest)?;
    let modules = modules.get(SENTINEL_LEN..modules.len().checked_sub(SENTINEL_LEN)?)?;
    let text = String::from_utf8_lossy(modules);
    let mut fields = text.lines().find_map(|line| line.strip_prefix("mod\t"))?.split('\t');
    let (name, version) = (fields.next()?.to_owned(), fields.next().unwrap_or_default().to_owned());
    Some(Package { system: PackageSystem::Go, name, version })
}

/// A string behind its length, seven bits to a byte.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut len, mut shift) = (0_usize, 0_u32);
    for (index, byte) in bytes.iter().enumerate().take(5) {
        len |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return bytes.get(index + 1..)?.split_at_checked(len);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_module_is_read_and_lies_are_not() {
        let sentinel = [0x30; SENTINEL_LEN];
        let modules =
            [&sentinel[..], b"path\tx\nmod\texample.org/x\tv1.2.3\t\ndep\ty\tv2\n", &sentinel].concat();
        let mut info = [BUILD_INFO, &[8, 2], &[0; 16]].concat();
        info.extend([&[6][..], b"go1.24", &[u8::try_from(modules.len()).unwrap()], &modules].concat());
        assert_eq!(go_module(&info).unwrap().to_string(), "go package example.org/x v1.2.3");
        for len in 0..info.len() {
            assert_eq!(go_module(&info[..len]), None);
        }
    }
}
