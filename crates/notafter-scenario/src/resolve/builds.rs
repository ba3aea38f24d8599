//! Builds of the candidate: what each runs, which one is chosen, and what becomes of the candidate then.

use super::images::FORMS;
use super::scope::{Scope, Target};
use crate::decode::{Entries, Located, TextOr};
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawBuild, RawScenario, RawService};
use crate::{CandidateChoice, Code};
use notafter_core::{
    Build, BuildName, Candidate, Check, CredentialName, CredentialSpec, CrlSpec, ImageRef, MountedFile,
    Rotation, Service, TokenSpec, X509Issuer,
};
use std::collections::{BTreeMap, BTreeSet};

/// The image that the candidate's service names.
enum OwnImage {
    None,
    Some(ImageRef),
    /// What is wrong has been reported.
    Wrong,
}

type RawEntry = (Located<String>, Located<TextOr<RawBuild>>);

impl Scope<'_> {
    /// The builds that read well, in the order of the file. `services` are none where something is wrong with them.
    pub(super) fn builds(&self, raw: &RawScenario, services: Option<&[Service]>) -> Vec<Build> {
        let named = raw.candidate.as_ref().and_then(|candidate| candidate.value.as_deref());
        let service = services.into_iter().flatten().find(|service| Some(service.name.as_str()) == named);
        let own_image = match candidate_service(raw).and_then(|service| service.image.as_ref()) {
            // A Compose file may say it.
            None => service.and_then(|service| service.image.clone()).map_or(OwnImage::None, OwnImage::Some),
            Some(_) => {
                service.and_then(|service| service.image.clone()).map_or(OwnImage::Wrong, OwnImage::Some)
            }
        };
        let builds = raw.builds.as_ref().and_then(|builds| builds.value.as_ref());
        builds
            .into_iter()
            .flat_map(|builds| &builds.0)
            .filter_map(|entry| self.build(entry, &own_image))
            .collect()
    }

    fn build(&self, (name, build): &RawEntry, own_image: &OwnImage) -> Option<Build> {
        let build_name = self.name(name);
        let (raw, span) = build.get()?;
        let plain = |image: Option<ImageRef>| {
            Some(Build {
                name: build_name.clone()?,
                image: image?,
                entrypoint: None,
                command: None,
                env: BTreeMap::new(),
                files: Vec::new(),
            })
        };
        let changed = match raw {
            TextOr::Text(text) => return plain(self.image_text(text, span)),
            TextOr::Structure(RawBuild::Image(image)) => return plain(self.image_structure(image)),
            TextOr::Structure(RawBuild::Changed(changed)) => changed,
        };
        let image = match (&changed.image, own_image) {
            (Some(image), _) => self.image(image),
            (None, OwnImage::Some(image)) => Some(image.clone()),
            (None, OwnImage::Wrong) => None,
            (None, OwnImage::None) => self.fail(
                Draft::new(Code::MissingCandidateImage, name.span, "nothing says what this build runs")
                    .help("give the build an `image`, or the candidate, for every build that has none"),
            ),
        };
        let entrypoint = changed.entrypoint.as_ref().map(|command| self.command(command));
        let command = changed.command.as_ref().map(|command| self.command(command));
        let (env, files) = (self.env(changed.env.as_ref()), self.files(changed.files.as_ref()));
        Some(Build {
            entrypoint: entrypoint.map_or(Some(None), |command| command.map(Some))?,
            command: command.map_or(Some(None), |command| command.map(Some))?,
            env,
            files,
            ..plain(image)?
        })
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
        let own_image = candidate_service(raw).and_then(|service| service.image.as_ref());
        let declared = !self.declared(Target::Build).list().is_empty();
        if let (Some(image), Some(entries)) = (own_image, raw.builds.as_ref())
            && declared
            && entries.value.as_ref().is_some_and(all_have_images)
        {
            let message = format!("`{service}` has an image of its own, and each of its builds has another");
            return self.fail(
                Draft::new(Code::ConflictingKeys, image.span, message)
                    .context(entries.span, "the builds")
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
            None if own_image.is_none() && !self.compose_gives_image(service.as_str()) => {
                let message = format!("nothing says what `{service}` runs");
                return self.fail(Draft::new(Code::MissingCandidateImage, span, message).help(format!(
                    "give it an `image`, give `builds`, or pass --candidate {service}=IMAGE"
                )));
            }
            None => None,
        };
        Some(Candidate { service, build })
    }

    /// Whether a Compose file says what `service` runs.
    fn compose_gives_image(&self, service: &str) -> bool {
        let service = self.compose.and_then(|project| project.service(service));
        service.is_some_and(|service| service.service.as_ref().is_none_or(|service| service.image.is_some()))
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
        let (name, env, files) = (build_name(choice), BTreeMap::new(), Vec::new());
        Some(Build { name, image, entrypoint: None, command: None, env, files })
    }
}

/// Lays the chosen build into its service, and returns the files of which it takes the place.
pub(super) fn apply(candidate: &Candidate, services: &mut [Service]) -> Vec<MountedFile> {
    let service = services.iter_mut().find(|service| service.name == candidate.service);
    let (Some(build), Some(service)) = (&candidate.build, service) else { return Vec::new() };
    let replaced = |file: &MountedFile| {
        build
            .files
            .iter()
            .any(|new| new.path == file.path || (new.folder.is_some() && new.folder == file.folder))
    };
    let (displaced, mut files): (Vec<_>, Vec<_>) =
        std::mem::take(&mut service.files).into_iter().partition(replaced);
    files.extend(build.files.iter().cloned());
    service.files = files;
    service.env.extend(build.env.clone());
    for (own, new) in [(&mut service.entrypoint, &build.entrypoint), (&mut service.command, &build.command)] {
        if new.is_some() {
            own.clone_from(new);
        }
    }
    displaced
}

/// Takes out what only builds that are not chosen hold, and files of which the chosen one takes the place: such a
/// credential is no part of what runs, and nothing can be asked of its end. What is declared and used nowhere stays, and
/// is missed by the gate.
pub(super) fn keep_own(
    (credentials, crls, tokens): (&mut Vec<CredentialSpec>, &mut Vec<CrlSpec>, &mut Vec<TokenSpec>),
    candidate: &Candidate,
    (builds, displaced): (&[Build], &[MountedFile]),
    services: &[Service],
    (checks, rotations): (&[Check], &[Rotation]),
) {
    let Some(chosen) = &candidate.build else { return };
    let others = builds.iter().filter(|build| build.name != chosen.name);
    let foreign = with_issuers(
        (credentials, crls),
        others.flat_map(|build| &build.files).chain(displaced).filter_map(held),
    );
    let mounted = services.iter().flat_map(|service| &service.files).filter_map(held);
    let asked = checks.iter().flat_map(Check::uses);
    let brought = rotations.iter().map(|rotation| &rotation.brings);
    let own = with_issuers((credentials, crls), mounted.chain(asked).chain(brought));
    let is_kept = |name: &CredentialName| own.contains(name) || !foreign.contains(name);
    credentials.retain(|credential| is_kept(&credential.name));
    crls.retain(|crl| is_kept(&crl.name));
    tokens.retain(|token| is_kept(&token.name));
}

fn held(file: &MountedFile) -> Option<&CredentialName> {
    file.source.credential()
}

/// Them, and whatever is needed to make them.
fn with_issuers<'a>(
    (credentials, crls): (&[CredentialSpec], &[CrlSpec]),
    names: impl Iterator<Item = &'a CredentialName>,
) -> BTreeSet<CredentialName> {
    let mut open: Vec<CredentialName> = names.cloned().collect();
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !found.insert(name.clone()) {
            continue;
        }
        if let Some(spec) = credentials.iter().find(|spec| spec.name == name) {
            match &spec.x509.issuer {
                X509Issuer::Intermediate(issuer) | X509Issuer::IssuedBy(issuer) => open.push(issuer.clone()),
                X509Issuer::Root | X509Issuer::SelfSigned => {}
            }
            open.extend(spec.x509.cross_signs.clone());
        }
        if let Some(crl) = crls.iter().find(|crl| crl.name == name) {
            open.push(crl.issuer.clone());
            open.extend(crl.revokes.iter().cloned());
        }
    }
    found
}

fn all_have_images(builds: &Entries<TextOr<RawBuild>>) -> bool {
    builds.0.iter().all(|(_, build)| match &build.value {
        Some(TextOr::Structure(RawBuild::Changed(changed))) => changed.image.is_some(),
        Some(TextOr::Structure(RawBuild::Image(_)) | TextOr::Text(_)) => true,
        None => false,
    })
}

fn candidate_service(raw: &RawScenario) -> Option<&RawService> {
    let named = raw.candidate.as_ref().and_then(|candidate| candidate.value.as_deref())?;
    let services = raw.services.as_ref().and_then(|services| services.value.as_ref())?;
    let (_, service) = services.0.iter().find(|(name, _)| name.value.as_deref() == Some(named))?;
    service.value.as_ref()
}

/// The image reference as far as a name can show it.
fn build_name(image: &str) -> BuildName {
    let plain: String = image
        .chars()
        .map(|char| if char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-') { char } else { '-' })
        .take(63)
        .collect();
    // Every reference that gets here begins with the name of an image or of a transport.
    BuildName::new(plain).expect("a reference begins with a letter")
}
