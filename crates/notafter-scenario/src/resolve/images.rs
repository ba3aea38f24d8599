//! Where root trees come from: images, builds and the choice among them.

use super::scope::{Scope, Target};
use crate::decode::{Entries, Located, TextOr};
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawImage, RawScenario};
use crate::{CandidateChoice, Code};
use notafter_core::{Build, BuildName, Candidate, ImageRef, Transport};
use std::path::PathBuf;

const FORMS: &str = "supported now: `host`, `rootfs:PATH`, `binary:PATH`, `cargo:PACKAGE/BIN`, `docker-archive:PATH`, \
                     `oci-archive:PATH`, `oci:PATH`, `dir:PATH`";

impl Scope<'_> {
    pub(super) fn image(&self, image: &Located<TextOr<RawImage>>) -> Option<ImageRef> {
        let (image, span) = image.get()?;
        match image {
            TextOr::Text(text) => self.image_text(text, span),
            TextOr::Structure(RawImage::Binary(path)) => {
                let (path, span) = path.get()?;
                self.path(path, span, "program").map(ImageRef::Binary)
            }
            TextOr::Structure(RawImage::Cargo(cargo)) => {
                let ((package, package_span), (bin, bin_span)) = (cargo.package.get()?, cargo.bin.get()?);
                let package = self.cargo_name(package, package_span);
                let bin = self.cargo_name(bin, bin_span);
                Some(ImageRef::Cargo { package: package?, bin: bin? })
            }
            TextOr::Structure(RawImage::Dir(text)) => self.stored_at(Transport::Dir, text),
            TextOr::Structure(RawImage::DockerArchive(text)) => {
                self.stored_at(Transport::DockerArchive, text)
            }
            TextOr::Structure(RawImage::Oci(text)) => self.stored_at(Transport::Oci, text),
            TextOr::Structure(RawImage::OciArchive(text)) => self.stored_at(Transport::OciArchive, text),
            TextOr::Structure(RawImage::Rootfs(path)) => {
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

    fn image_text(&self, text: &str, span: Span) -> Option<ImageRef> {
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

    pub(super) fn builds(&self, builds: Option<&Located<Entries<TextOr<RawImage>>>>) -> Vec<Build> {
        let builds = builds.and_then(|builds| builds.value.as_ref());
        let resolve = |(name, image): &(Located<String>, Located<TextOr<RawImage>>)| {
            let (name, image) = (self.name(name), self.image(image));
            Some(Build { name: name?, image: image? })
        };
        builds.into_iter().flat_map(|builds| &builds.0).filter_map(resolve).collect()
    }

    /// The service under release and what it runs: the build that was chosen, the only build, or its own image.
    pub(super) fn candidate(
        &self,
        raw: &RawScenario,
        whole: Span,
        builds: &[Build],
        choice: Option<&CandidateChoice>,
    ) -> Option<Candidate> {
        let service = self.candidate_service(raw, whole)?;
        let span = raw.candidate.as_ref().map_or(whole, |candidate| candidate.span);
        let own_image = raw
            .services
            .as_ref()
            .and_then(|services| services.value.as_ref())
            .and_then(|services| {
                services.0.iter().find(|(name, _)| name.value.as_deref() == Some(service.as_str()))
            })
            .and_then(|(_, raw)| raw.value.as_ref())
            .and_then(|raw| raw.image.as_ref());
        let declared = !self.declared(Target::Build).list().is_empty();
        if let (Some(image), true, Some(builds)) = (own_image, declared, raw.builds.as_ref()) {
            let message = format!("`{service}` has an image of its own and builds beside it");
            return self.fail(
                Draft::new(Code::ConflictingKeys, image.span, message)
                    .context(builds.span, "the builds")
                    .help("make the image one of the builds"),
            );
        }
        let build = match choice {
            Some(choice) if choice.service != service.as_str() => {
                let message = format!("the command line chooses a build of `{}`", choice.service);
                return self.fail(
                    Draft::new(Code::CandidateMismatch, span, message)
                        .label("the service under release is this one"),
                );
            }
            Some(choice) => Some(self.chosen(&choice.build, span, builds)?),
            None if declared => match builds {
                [only] if self.declared(Target::Build).list().len() == 1 => Some(only.clone()),
                _ => None,
            },
            None if own_image.is_none() => {
                let message = format!("nothing says what `{service}` runs");
                return self.fail(Draft::new(Code::MissingCandidateImage, span, message).help(format!(
                    "give it an `image`, give `builds`, or pass --candidate {service}=IMAGE"
                )));
            }
            None => None,
        };
        Some(Candidate { service, build })
    }

    fn chosen(&self, choice: &str, span: Span, builds: &[Build]) -> Option<Build> {
        if let Some(build) = builds.iter().find(|build| build.name.as_str() == choice) {
            return Some(build.clone());
        }
        if self.declared(Target::Build).contains(choice) {
            return None; // one of the builds, and what is wrong with it has been reported
        }
        let is_image = choice == "host" || choice.contains([':', '/']);
        let declared = self.declared(Target::Build).list();
        if !is_image && !declared.is_empty() {
            let message = format!("the command line chooses build `{choice}`, and there is none");
            let names: Vec<String> = declared.iter().map(|name| format!("`{name}`")).collect();
            return self.fail(
                Draft::new(Code::UndefinedBuild, span, message)
                    .help(format!("the builds are {}; an image would do as well, {FORMS}", names.join(", "))),
            );
        }
        let image = self.image_text(choice, span)?;
        Some(Build { name: build_name(choice), image })
    }
}

/// The image reference as far as a name can show it.
fn build_name(image: &str) -> BuildName {
    let plain: String = image
        .chars()
        .map(|char| if char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-') { char } else { '-' })
        .take(63)
        .collect();
    // Every reference that gets here begins with `host` or the name of a transport.
    BuildName::new(plain).expect("a reference begins with a letter")
}
