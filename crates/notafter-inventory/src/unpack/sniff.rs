//! What the first bytes of a file say that it is.

use super::{cpio, firmware};

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Ar,
    Bzip2,
    Cpio,
    /// Firmware, or a kernel that unpacks itself: something is packed inside.
    Firmware,
    Gzip,
    /// GnuPG's keybox.
    Keybox,
    Lz4,
    Lzip,
    /// The form of LZMA before xz.
    Lzma,
    /// Not packed.
    Plain,
    Rpm,
    Tar,
    /// Of a known form that is not read here; its name.
    Unread(&'static str),
    Xz,
    Zip,
    Zstd,
}

/// Bytes that [`packing`] wants to see: up to the magic of a kernel.
pub(super) const HEAD_LEN: usize = 1024;

const MAGICS: &[(&[u8], Packing)] = &[
    (b"!<arch>\n", Packing::Ar),
    (b"\x1f\x8b\x08", Packing::Gzip),
    (b"\x04\x22\x4d\x18", Packing::Lz4),
    (b"\x02\x21\x4c\x18", Packing::Lz4),
    (b"LZIP\x01", Packing::Lzip),
    (b"\xed\xab\xee\xdb", Packing::Rpm),
    (b"\xfd7zXZ\0", Packing::Xz),
    (b"PK\x03\x04", Packing::Zip),
    (b"\x28\xb5\x2f\xfd", Packing::Zstd),
    (b"7z\xbc\xaf\x27\x1c", Packing::Unread("a 7z archive")),
    (b"MSCF\0\0\0\0", Packing::Unread("a cabinet of Windows")),
    (b"QFI\xfb\0\0\0", Packing::Unread("a disk image of QEMU")),
    (b"Rar!\x1a\x07", Packing::Unread("a RAR archive")),
    (b"\x1f\x9d\x90", Packing::Unread("compressed by compress(1)")),
    (b"\x89LZO\0\r\n\x1a\n", Packing::Unread("compressed by lzop")),
    (b"hsqs", Packing::Unread("a SquashFS file system")),
    (b"xar!\0\x1c", Packing::Unread("a xar archive")),
];

pub(super) fn packing(head: &[u8]) -> Packing {
    if let Some((_, packing)) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return *packing;
    }
    match head {
        [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y', ..] => Packing::Bzip2,
        _ if cpio::MAGICS.iter().any(|magic| head.starts_with(magic)) => Packing::Cpio,
        _ if is_lzma(head) => Packing::Lzma,
        _ if head.get(257..262) == Some(b"ustar") => Packing::Tar,
        _ if head.get(8..12) == Some(b"KBXf") => Packing::Keybox,
        _ if firmware::is_kernel(head) || firmware::is_firmware(head) => Packing::Firmware,
        _ => Packing::Plain,
    }
}

/// The usual properties, a dictionary of 2^n or 2^n + 2^(n-1) bytes, a length that is unknown or below 256 GiB, and the
/// zero with which every stream begins: what `xz --format=lzma` goes by too, for the form has no magic.
fn is_lzma(head: &[u8]) -> bool {
    let Some((&[0x5d, d0, d1, d2, d3], rest)) = head.split_first_chunk() else { return false };
    let Some((len, [0, ..])) = rest.split_first_chunk() else { return false };
    let (dictionary, len) = (u32::from_le_bytes([d0, d1, d2, d3]), u64::from_le_bytes(*len));
    let lowest = 1_u32.checked_shl(dictionary.trailing_zeros()).unwrap_or_default();
    let fits = dictionary == lowest || u64::from(dictionary) == u64::from(lowest) * 3;
    dictionary >= 4096 && fits && (len == u64::MAX || (1..1 << 38).contains(&len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lzma_is_told_by_its_fields() {
        let head = |dictionary: u32, len: u64, first: u8| {
            [&[0x5d][..], &dictionary.to_le_bytes(), &len.to_le_bytes(), &[first, 0]].concat()
        };
        for (head, expected) in [
            (head(1 << 23, u64::MAX, 0), Packing::Lzma),
            (head(3 << 20, 1, 0), Packing::Lzma),
            (head(1 << 23, 0, 0), Packing::Plain),
            (head(1 << 23, 1 << 40, 0), Packing::Plain),
            (head(1 << 23, 1, 1), Packing::Plain),
            (head(5 << 20, 1, 0), Packing::Plain),
            (head(0, 1, 0), Packing::Plain),
            (vec![0x5d], Packing::Plain),
        ] {
            assert_eq!(packing(&head), expected, "{head:02x?}");
        }
    }
}
