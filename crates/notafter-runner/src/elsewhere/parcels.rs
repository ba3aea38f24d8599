//! What is carried to a deputy: trees, executables and files, each once.

use super::frames::{Sending, send};
use super::messages::{Content, Request, SentImage};
use crate::images::ServiceImage;
use notafter_backend::{DEPUTY_ROOM, RootTree};
use notafter_core::ImageRef;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The most that one deputy is sent.
const MAX_GIB: u64 = 8;

/// Where the deputy has what was sent under this number.
pub(super) fn place(number: u32) -> PathBuf {
    Path::new(DEPUTY_ROOM).join(format!("sent-{number}"))
}

/// What one deputy was sent.
#[derive(Debug)]
pub(super) struct Parcels {
    known: Vec<(PathBuf, u32)>,
    next: u32,
    left: u64,
}

impl Parcels {
    pub(super) fn none() -> Self {
        Self { known: Vec::new(), next: 0, left: MAX_GIB << 30 }
    }

    /// Sends what of an image was not sent before; what it is there. A tree of the machine's own files has no name there.
    pub(super) fn image(
        &mut self,
        to: &mut impl Write,
        reference: &ImageRef,
        image: &ServiceImage,
    ) -> io::Result<SentImage> {
        let tree = match &image.root {
            RootTree::Empty => None,
            RootTree::Tree(tree) => Some(self.path(to, tree, Content::Tree)?),
            RootTree::Host => {
                let words = "services cannot run on this machine's own files there: give them images";
                return Err(io::Error::new(io::ErrorKind::Unsupported, words));
            }
        };
        let mut files = Vec::new();
        for bind in &image.binds {
            files.push((self.path(to, &bind.source, Content::File)?, bind.target.clone()));
        }
        Ok(SentImage {
            reference: reference.clone(),
            tree,
            files,
            config: image.config.clone(),
            identity: image.identity.clone(),
            remarks: image.remarks.clone(),
        })
    }

    fn path(&mut self, to: &mut impl Write, path: &Path, content: Content) -> io::Result<u32> {
        if let Some((_, number)) = self.known.iter().find(|(known, _)| known == path) {
            return Ok(*number);
        }
        let number = self.carry(to, content, |sending| match content {
            Content::File => io::copy(&mut File::open(path)?, sending).map(|_| ()),
            Content::Tree => notafter_image::pack(path, sending),
        });
        let number = number
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {}", path.display(), said(&error))))?;
        self.known.push((path.to_owned(), number));
        Ok(number)
    }

    /// Sends a file with these bytes.
    pub(super) fn bytes(&mut self, to: &mut impl Write, bytes: &[u8]) -> io::Result<u32> {
        self.carry(to, Content::File, |sending| sending.write_all(bytes))
    }

    fn carry<W: Write>(
        &mut self,
        to: &mut W,
        content: Content,
        write: impl FnOnce(&mut Sending<'_, W>) -> io::Result<()>,
    ) -> io::Result<u32> {
        let number = self.next;
        self.next += 1;
        send(to, &Request::Carry { number, content })?;
        let mut sending = Sending::new(to, &mut self.left);
        write(&mut sending)?;
        sending.finish()?;
        Ok(number)
    }
}

fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::FileTooLarge => format!("what the run needs is more than {MAX_GIB} GiB"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_not_sent_again_and_too_much_is_refused_by_name() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("program");
        std::fs::write(&file, "bytes").unwrap();
        let (mut parcels, mut stream) = (Parcels::none(), Vec::new());
        let first = parcels.path(&mut stream, &file, Content::File).unwrap();
        let length = stream.len();
        assert_eq!(parcels.path(&mut stream, &file, Content::File).unwrap(), first);
        assert_eq!(stream.len(), length);
        parcels.left = 4;
        parcels.known.clear();
        let error = parcels.path(&mut stream, &file, Content::File).unwrap_err().to_string();
        assert!(error.contains("program: what the run needs is more than 8 GiB"), "{error}");
    }
}
