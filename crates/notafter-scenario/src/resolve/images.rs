//! Where root trees come from.

use super::scope::Scope;
use crate::Code;
use crate::decode::{Located, TextOr};
use crate::diagnostic::{Draft, Span};
use crate::raw::RawImage;
use notafter_core::{ImageName, ImageRef, Transport};
use std::path::PathBuf;

pub(super) const FORMS: &str = "supported now: `host`, `rootfs:PATH`, `binary:PATH`, `cargo:PACKAGE/BIN`, `docker-archive:PATH`, \
                     `oci-archive:PATH`, `oci:PATH`, `dir:PATH`, `docker-daemon:NAME:TAG`, `docker://NAME:TAG`, `NAME:TAG`";
/// What stands before the colon and is no name of an image: forms that are not supported, or not complete.
const NO_NAMES: [&str; 6] = ["cargo", "containers-storage", "docker", "ostree", "sif", "tarball"];

impl Scope<'_> {
    pub(super) fn image(&self, image: &Located<TextOr<RawImage>>) -> Option<ImageRef> {
        let (image, span) = image.get()?;
        match image {
            TextOr::Text(text) => self.image_text(text, span),
            TextOr::Structure(image) => self.image_structure(image),
        }
    }

    pub(super) fn image_structure(&self, image: &RawImage) -> Option<ImageRef> {
        match image {
            RawImage::Binary(path) => {
                let (path, span) = path.get()?;
                self.path(path, span, "program").map(ImageRef::Binary)
            }
            RawImage::Cargo(cargo) => {
                let ((package, package_span), (bin, bin_span)) = (cargo.package.get()?, cargo.bin.get()?);
                let package = self.cargo_name(package, package_span);
                let bin = self.cargo_name(bin, bin_span);
                Some(ImageRef::Cargo { package: package?, bin: bin? })
            }
            RawImage::Dir(text) => self.stored_at(Transport::Dir, text),
            RawImage::Docker(text) => {
                let (text, span) = text.get()?;
                self.in_registry(text.strip_prefix("//").unwrap_or(text), span)
            }
            RawImage::DockerArchive(text) => self.stored_at(Transport::DockerArchive, text),
            RawImage::DockerDaemon(text) => {
                let (text, span) = text.get()?;
                self.in_engine(text, span)
            }
            RawImage::Oci(text) => self.stored_at(Transport::Oci, text),
            RawImage::OciArchive(text) => self.stored_at(Transport::OciArchive, text),
            RawImage::Rootfs(path) => {
                let (path, span) = path.get()?;
                self.path(path, span, "tree").map(ImageRef::Rootfs)
            }
        }
    }

    fn stored_at(&self, transport: Transport, text: &Located<String>) -> Option<ImageRef> {
        let (text, span) = text.get()?;
        self.stored(transport, text, span)
    }

    /// `PATH[:IMAGE]` as in containers-transports(5): the path ends at the first colon.
    fn stored(&self, transport: Transport, text: &str, span: Span) -> Option<ImageRef> {
        let (path, selector) = match (transport, text.split_once(':')) {
            (Transport::Dir, _) | (_, None) => (text, None),
            (_, Some((path, selector))) => (path, Some(selector)),
        };
        if path.is_empty() || text.contains('\0') || selector == Some("") {
            let message = "this names no image: a path or a reference is empty, or holds a zero byte";
            let draft = Draft::new(Code::BadText, span, message);
            return self.fail(draft.help(format!("write `{}:PATH`", transport.name())));
        }
        let (path, selector) = (PathBuf::from(path), selector.map(str::to_owned));
        Some(ImageRef::Stored { transport, path, selector })
    }

    fn in_engine(&self, text: &str, span: Span) -> Option<ImageRef> {
        match ImageName::new(text) {
            Ok(name) => Some(ImageRef::DockerDaemon(name)),
            Err(error) => self.fail(Draft::new(Code::UnsupportedImage, span, error.to_string())),
        }
    }

    fn in_registry(&self, text: &str, span: Span) -> Option<ImageRef> {
        match ImageName::new(text) {
            Ok(name) => Some(ImageRef::Docker(name)),
            Err(error) => self.fail(Draft::new(Code::UnsupportedImage, span, error.to_string())),
        }
    }

    pub(super) fn image_text(&self, text: &str, span: Span) -> Option<ImageRef> {
        if text == "host" {
            return Some(ImageRef::Host);
        }
        if let Some(path) = text.strip_prefix("rootfs:") {
            return self.path(path, span, "tree").map(ImageRef::Rootfs);
        }
        if let Some(path) = text.strip_prefix("binary:") {
            return self.path(path, span, "program").map(ImageRef::Binary);
        }
        for transport in Transport::ALL {
            let rest = text.strip_prefix(transport.name()).and_then(|rest| rest.strip_prefix(':'));
            if let Some(rest) = rest {
                return self.stored(transport, rest, span);
            }
        }
        if let Some((package, bin)) = text.strip_prefix("cargo:").and_then(|rest| rest.split_once('/')) {
            let package = self.cargo_name(package, span)?;
            return Some(ImageRef::Cargo { package, bin: self.cargo_name(bin, span)? });
        }
        if let Some(name) = text.strip_prefix("docker://") {
            return self.in_registry(name, span);
        }
        if let Some(name) = text.strip_prefix("docker-daemon:") {
            return self.in_engine(name, span);
        }
        let is_form = text.split_once(':').is_some_and(|(form, _)| NO_NAMES.contains(&form));
        if let (Ok(name), false) = (ImageName::new(text), is_form) {
            return Some(ImageRef::Reference(name));
        }
        self.fail(Draft::new(Code::UnsupportedImage, span, format!("cannot use image `{text}`")).help(FORMS))
    }

    fn path(&self, path: &str, span: Span, what: &str) -> Option<PathBuf> {
        if path.is_empty() || path.contains('\0') {
            let message = format!("this names no {what}: the path is empty or holds a zero byte");
            return self.fail(Draft::new(Code::BadText, span, message));
        }
        Some(PathBuf::from(path))
    }

    /// Cargo's own rule for names, which also keeps options and paths out of its command line.
    fn cargo_name(&self, text: &str, span: Span) -> Option<String> {
        let plain = text.chars().all(|char| char.is_alphanumeric() || matches!(char, '-' | '_'));
        if text.is_empty() || text.starts_with('-') || !plain {
            return self.fail(Draft::new(
                Code::BadName,
                span,
                format!("`{text}` is no name that Cargo allows"),
            ));
        }
        Some(text.to_owned())
    }
}
