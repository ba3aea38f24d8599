//! What the first bytes of a file say that it is.

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Ar,
    Gzip,
    /// Not packed.
    Plain,
    Tar,
    /// Of a known form that is not read here; its name.
    Unread(&'static str),
    Xz,
    Zip,
    Zstd,
}

/// Bytes that [`packing`] wants to see: up to the magic of tar.
pub(super) const HEAD_LEN: usize = 512;

const MAGICS: &[(&[u8], Packing)] = &[
    (b"!<arch>\n", Packing::Ar),
    (b"\x1f\x8b\x08", Packing::Gzip),
    (b"7z\xbc\xaf\x27\x1c", Packing::Unread("a 7z archive")),
    (b"\xed\xab\xee\xdb", Packing::Unread("an RPM package")),
    (b"\xfd7zXZ\0", Packing::Xz),
    (b"PK\x03\x04", Packing::Zip),
    (b"\x28\xb5\x2f\xfd", Packing::Zstd),
];

pub(super) fn packing(head: &[u8]) -> Packing {
    if let Some((_, packing)) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return *packing;
    }
    if head.starts_with(b"BZh") && head.get(4..10) == Some(b"1AY&SY") {
        return Packing::Unread("compressed with bzip2");
    }
    if head.get(257..262) == Some(b"ustar") { Packing::Tar } else { Packing::Plain }
}
