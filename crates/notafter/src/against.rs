//! The build that is in production, beside which a candidate is gated.

use crate::args::{RunArgs, Volume};
use crate::error::{Error, why};
use crate::kept;
use crate::live::Live;
use crate::loading;
use crate::printer::Printer;
use crate::records::Judged;
use notafter_core::{Comparison, Gated, Scenario, UnixTime, Unjudged, compare, is_comparable};
use notafter_runner::{Images, Interrupt, Options, Venue};
use notafter_scenario::{CandidateChoice, Source};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where `--keep` keeps what it keeps of the build in production.
const KEPT: &str = "against";

/// What a candidate is held against, as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Against {
    /// One of the scenario's builds, or an image.
    Build(String),
    /// A saved record.
    Record(PathBuf),
}

impl FromStr for Against {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("it names no build, no image and no record".to_owned()),
            _ if text.ends_with(".json") => Ok(Self::Record(PathBuf::from(text))),
            _ => Ok(Self::Build(text.to_owned())),
        }
    }
}

/// The build that is in production, ready to be looked at.
#[derive(Debug)]
pub(crate) enum Production {
    /// It was gated before.
    Judged(Box<Judged>),
    /// It is gated after the candidate: the scenario with its build.
    ToRun(Box<Scenario>),
}

impl Production {
    /// What `against` means beside `candidate`, which was read from `source` at `now`.
    ///
    /// # Errors
    /// [`Error::Scenario`]; [`Error::Record`] and [`Error::RecordUnreadable`]; [`Error::Incomparable`] for a record that says
    /// nothing about this scenario.
    pub(crate) fn prepare(
        against: &Against,
        source: &Source,
        candidate: &Scenario,
        now: UnixTime,
        printer: &mut Printer,
    ) -> Result<Self, Error> {
        match against {
            Against::Build(build) => {
                let service = candidate.candidate.service.to_string();
                let choice = CandidateChoice { service, build: build.clone() };
                let mut scenario = loading::scenario_at(source, Some(choice), now)?;
                scenario.planning = candidate.planning.clone();
                Ok(Self::ToRun(Box::new(scenario)))
            }
            Against::Record(path) => {
                let judged = Judged::saved(path, printer)?;
                is_comparable(candidate, &judged.record.scenario)
                    .map_err(|source| Error::Incomparable { path: path.clone(), source })?;
                Ok(Self::Judged(Box::new(judged)))
            }
        }
    }

    /// The scenario that is still to be gated.
    pub(crate) fn scenario(&self) -> Option<&Scenario> {
        match self {
            Self::Judged(_) => None,
            Self::ToRun(scenario) => Some(scenario),
        }
    }

    /// Gates the build where that is still to be done, and holds `candidate` against it. Nothing that fails here touches the
    /// verdict of the candidate: it is told instead of the comparison.
    pub(crate) fn beside(
        self,
        candidate: Gated<'_>,
        (venue, images, interrupt): (&Venue, &Images, &Interrupt),
        args: &RunArgs,
        printer: &mut Printer,
    ) -> Beside {
        let (judged, is_new) = match self {
            Self::Judged(judged) => (*judged, false),
            Self::ToRun(scenario) => match gate(&scenario, (venue, images, interrupt), args, printer) {
                Ok(judged) => (judged, true),
                Err(why) => {
                    let unjudged = Unjudged { scenario: &scenario, why: &why };
                    return Beside { comparison: unjudged.beside(candidate), run: None };
                }
            },
        };
        let comparison = compare(candidate, judged.gated()).unwrap_or_else(|error| {
            let why = format!("it cannot be compared: {error}");
            Unjudged { scenario: &judged.record.scenario, why: &why }.beside(candidate)
        });
        Beside { comparison, run: is_new.then_some(judged) }
    }
}

/// Gates the build in production; an error says why that was not possible.
fn gate(
    scenario: &Scenario,
    (venue, images, interrupt): (&Venue, &Images, &Interrupt),
    args: &RunArgs,
    printer: &mut Printer,
) -> Result<Judged, String> {
    if interrupt.is_raised() {
        return Err("the gate was told to stop before its turn came".to_owned());
    }
    let Volume { quiet, .. } = args.volume;
    if !quiet {
        let build = scenario.candidate.build.as_ref().map_or("", |build| build.name.as_str());
        printer.note(&format!("\nin production: {} {build}\n", scenario.candidate.service));
    }
    let options = Options {
        keep: args.keep.as_ref().map(|directory| directory.join(KEPT)),
        interrupt: interrupt.clone(),
        ..Options::default()
    };
    let mut live = Live::new(printer, scenario, args.volume);
    let record = venue.run(scenario, images, &options, &mut |event| live.tell(event));
    live.finish();
    Ok(Judged::of(record.map_err(|error| why(&Error::Run(error)))?))
}

/// What came of it.
pub(crate) struct Beside {
    pub(crate) comparison: Comparison,
    /// The run of the build in production, where there was one.
    run: Option<Judged>,
}

impl Beside {
    /// Writes what `--keep` keeps of the build in production.
    ///
    /// # Errors
    /// As for [`kept::write`].
    pub(crate) fn keep(&self, directory: &Path) -> Result<(), Error> {
        match &self.run {
            Some(run) => kept::write(&directory.join(KEPT), run.gated(), None),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_in_json_is_a_record_and_all_else_a_build() {
        let record = |path: &str| Ok(Against::Record(PathBuf::from(path)));
        let build = |text: &str| Ok(Against::Build(text.to_owned()));
        for (text, expected) in [
            ("kept/record.json", record("kept/record.json")),
            ("1.14", build("1.14")),
            ("docker://registry.example/shop:2.0", build("docker://registry.example/shop:2.0")),
        ] {
            assert_eq!(text.parse::<Against>(), expected);
        }
        assert!("".parse::<Against>().is_err());
    }
}
