//! The archive: one directory, packed with gzip.

use super::shipment::{Content, Files};
use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;
use tar::{EntryType, Header};

/// The sums of its files, for `sha256sum -c`.
const SUMS: &str = "SHA256SUMS";

/// A line of `SHA256SUMS`.
pub(super) fn sum(name: &str, bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        // A String takes everything that is written to it.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("{digest}  {name}\n")
}

/// The bytes of the archive, in which everything lies below `top`.
pub(super) fn archive(top: &str, files: &Files, epoch: u32) -> Result<Vec<u8>> {
    let sums: String = files.iter().map(|(path, content)| sum(path, &content.bytes)).collect();
    let mut files = files.clone();
    files.insert(SUMS.to_owned(), Content::text(sums));

    let mut builder = tar::Builder::new(GzBuilder::new().mtime(epoch).write(Vec::new(), Compression::best()));
    let mut directories = Vec::new();
    for (path, content) in &files {
        let path = format!("{top}/{path}");
        for (end, _) in path.match_indices('/') {
            let directory = path[..=end].to_owned();
            if !directories.contains(&directory) {
                let mut header = header(EntryType::Directory, 0o755, epoch);
                builder
                    .append_data(&mut header, &directory, std::io::empty())
                    .context("failed to pack a directory")?;
                directories.push(directory);
            }
        }
        let mut header = header(EntryType::Regular, content.mode, epoch);
        header.set_size(u64::try_from(content.bytes.len()).context("a file too large to pack")?);
        builder
            .append_data(&mut header, &path, content.bytes.as_slice())
            .with_context(|| format!("failed to pack {path}"))?;
    }
    let packed = builder.into_inner().context("failed to pack the archive")?;
    packed.finish().context("failed to pack the archive")
}

/// What `gzip -9n` makes of a document.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut packer = GzBuilder::new().write(Vec::new(), Compression::best());
    packer.write_all(bytes).and_then(|()| packer.finish()).context("failed to pack a document")
}

fn header(kind: EntryType, mode: u32, epoch: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(epoch.into());
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}
