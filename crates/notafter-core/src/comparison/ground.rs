//! Whether two runs can be held against each other.

use crate::{EnvValue, Hidden, Scenario, Service, SourceLocation, UnixTime};

/// Why two runs cannot be held against each other: whatever is different may come of that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incomparable {
    /// What is asked of the services is not the same.
    #[error("its checks are not those of this scenario")]
    Checks,
    /// Another service is under release.
    #[error("its candidate is {theirs}, and here it is {ours}")]
    Candidate {
        /// Here.
        ours: String,
        /// There.
        theirs: String,
    },
    /// A credential is declared otherwise.
    #[error("it declares {name} otherwise")]
    Credential {
        /// Its name.
        name: String,
    },
    /// What services see of the times of files is not the same.
    #[error("its services saw times of files otherwise: `file_times` has to be the same")]
    FileTimes,
    /// The support window ends elsewhere.
    #[error("its support window ends at {theirs}, and here at {ours}")]
    Horizon {
        /// Here, on the candidate's clock.
        ours: UnixTime,
        /// There, on the candidate's clock.
        theirs: UnixTime,
    },
    /// It was looked at other instants, or services were restarted otherwise.
    #[error("it was planned otherwise: depth, dwell and restart have to be the same")]
    Planning,
    /// It is judged otherwise.
    #[error("its policy is not that of this scenario")]
    Policy,
    /// Credentials are replaced otherwise.
    #[error("its rotations are not those of this scenario")]
    Rotations,
    /// Another scenario.
    #[error("it is of scenario {theirs}, and this one is {ours}")]
    Scenario {
        /// Here.
        ours: String,
        /// There.
        theirs: String,
    },
    /// A service beside the candidate, or what does not come with its build, is not the same.
    #[error("its service {service} is not that of this scenario")]
    Service {
        /// Its name.
        service: String,
    },
    /// Simulated time begins elsewhere.
    #[error("its simulated time begins at {theirs}, and here at {ours}")]
    Start {
        /// Here, on the candidate's clock.
        ours: UnixTime,
        /// There, on the candidate's clock.
        theirs: UnixTime,
    },
}

/// Whether a run of `theirs` shows what a run of `ours` would with another build of the candidate: all is the same but what
/// comes with a build, and where files lie.
///
/// # Errors
/// [`Incomparable`], for the first thing that is not.
pub fn is_comparable(ours: &Scenario, theirs: &Scenario) -> Result<(), Incomparable> {
    if ours.name != theirs.name {
        let (ours, theirs) = (ours.name.to_string(), theirs.name.to_string());
        return Err(Incomparable::Scenario { ours, theirs });
    }
    let (start, other) = (ours.start.instant(), theirs.start.instant());
    if start != other {
        return Err(Incomparable::Start { ours: start, theirs: other });
    }
    if ours.horizon != theirs.horizon {
        return Err(Incomparable::Horizon { ours: ours.horizon, theirs: theirs.horizon });
    }
    let (candidate, other) = (&ours.candidate.service, &theirs.candidate.service);
    if candidate != other {
        return Err(Incomparable::Candidate { ours: candidate.to_string(), theirs: other.to_string() });
    }
    let (ours, theirs) = (plain(ours), plain(theirs));
    if ours.planning != theirs.planning {
        return Err(Incomparable::Planning);
    }
    if ours.file_times != theirs.file_times {
        return Err(Incomparable::FileTimes);
    }
    // One that only the files of another build hold is not declared for this one.
    let specs = theirs.credentials.iter().filter_map(|spec| Some((spec, ours.credential(&spec.name)?)));
    let specs = specs.filter(|(there, here)| there != here).map(|(there, _)| &there.name);
    let crls = theirs
        .crls
        .iter()
        .filter(|there| ours.crls.iter().any(|here| here.name == there.name && here != *there));
    let tokens = theirs
        .tokens
        .iter()
        .filter(|there| ours.tokens.iter().any(|here| here.name == there.name && here != *there));
    let others = crls.map(|crl| &crl.name).chain(tokens.map(|token| &token.name));
    if let Some(name) = specs.chain(others).next() {
        return Err(Incomparable::Credential { name: name.to_string() });
    }
    let missing = |one: &Scenario, other: &Scenario| {
        one.services.iter().find(|service| !other.services.contains(service)).map(|it| it.name.to_string())
    };
    if let Some(service) = missing(&theirs, &ours).or_else(|| missing(&ours, &theirs)) {
        return Err(Incomparable::Service { service });
    }
    if ours.checks != theirs.checks {
        return Err(Incomparable::Checks);
    }
    if ours.rotations != theirs.rotations {
        return Err(Incomparable::Rotations);
    }
    if ours.policy != theirs.policy {
        return Err(Incomparable::Policy);
    }
    Ok(())
}

/// The scenario without what may differ: lines of its file, what comes with the build of the candidate, and values that no
/// record holds.
fn plain(scenario: &Scenario) -> Scenario {
    let mut plain = scenario.clone();
    let candidate = plain.candidate.service.clone();
    for service in &mut plain.services {
        if service.name == candidate {
            forget_build(service);
        }
        service.env.values_mut().for_each(|value| {
            if let EnvValue::Hidden(hidden) = value {
                *hidden = Hidden::default();
            }
        });
    }
    let services = plain.services.iter_mut().flat_map(|service| {
        service.files.iter_mut().map(|file| &mut file.location).chain([&mut service.location])
    });
    let checks = plain.checks.iter_mut().flat_map(|check| {
        check.expect.iter_mut().map(|span| &mut span.location).chain([&mut check.location])
    });
    let lines = services
        .chain(checks)
        .chain(plain.credentials.iter_mut().map(|spec| &mut spec.location))
        .chain(plain.crls.iter_mut().map(|spec| &mut spec.location))
        .chain(plain.tokens.iter_mut().map(|spec| &mut spec.location))
        .chain(plain.rotations.iter_mut().map(|rotation| &mut rotation.location))
        .chain(plain.policy.waivers.iter_mut().map(|waiver| &mut waiver.location));
    lines.for_each(|line| *line = SourceLocation { file: String::new(), line: 1, column: 1 });
    plain
}

fn forget_build(service: &mut Service) {
    service.image = None;
    service.entrypoint = None;
    service.command = None;
    service.env.clear();
    service.files.clear();
}
