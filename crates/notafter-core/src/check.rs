//! Checks: what is asked of the services at every planned instant, and what must come back.

use crate::{
    Assertion, CheckName, CheckStep, Credential, CredentialName, Observation, Probe, Reading, Seen,
    ServiceName, SourceLocation, Test, UnixTime,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a probe reaches its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// A new TCP connection without any resumed session.
    Fresh,
    /// One connection that is opened at the first checkpoint of a case and used at every later one.
    Held,
    /// A new TCP connection that resumes the TLS session of the previous checkpoint.
    Resumed,
}

impl std::fmt::Display for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Fresh => "fresh",
            Self::Held => "held",
            Self::Resumed => "resumed",
        })
    }
}

/// What "works" means for a check, beside that the probe got its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Works {
    /// What else must be true of the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assertions: Vec<Assertion>,
    /// Text that the answer must contain: the body of a response, the output of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Text that it must not contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
    /// Exit code of an `exec` probe; 0 where none is given.
    pub exit: Option<i32>,
    /// Status of an HTTP probe; any of 200 to 299 where none is given.
    pub status: Option<u16>,
}

impl Works {
    /// All that has to be read of an answer while it is whole.
    #[must_use]
    pub fn to_read(&self) -> Vec<Assertion> {
        let contains = self.contains.iter().map(|text| Assertion::of_text(Test::Contains(text.clone())));
        let lacks = self.lacks.iter().map(|text| Assertion::of_text(Test::Lacks(text.clone())));
        contains.chain(lacks).chain(self.assertions.iter().cloned()).collect()
    }

    /// The first reading among `readings` that is not as it must be.
    #[must_use]
    pub fn unmet<'a>(&self, readings: &'a [Reading]) -> Option<&'a Reading> {
        let asked = self.to_read();
        readings.iter().find(|reading| !reading.holds() && asked.contains(&reading.assertion))
    }
}

/// What must be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// The service refuses, at whichever layer, while the control check works.
    Rejected {
        /// The check that shows that the service does not simply refuse everybody.
        control: CheckName,
    },
    /// The service shows the certificate of one of these, whatever it answers.
    Serves {
        /// Credentials of the scenario.
        any_of: Vec<CredentialName>,
    },
    /// The service answers as told.
    Works(Works),
}

impl Expectation {
    /// Whether what was seen is what is expected.
    #[must_use]
    pub fn accepts(&self, observation: &Observation) -> bool {
        match (self, &observation.seen) {
            (Self::Serves { any_of }, _) => {
                let shown = observation.served.first().and_then(|leaf| leaf.declared.as_ref());
                shown.is_some_and(|shown| any_of.contains(shown))
            }
            (Self::Rejected { .. }, Seen::Refused(_)) => true,
            (Self::Works(works), Seen::Answered(answer)) => answer.satisfies(works, &observation.readings),
            (Self::Rejected { .. }, Seen::Answered(answer)) => answer.is_refusal(),
            (Self::Works(_), Seen::Refused(_)) | (_, Seen::Absent { .. }) => false,
        }
    }
}

/// One expectation and the span of time in which it holds, on the candidate's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedSpan {
    /// The last second before the span; none: from the beginning.
    pub after: Option<UnixTime>,
    /// The last second of the span; none: to the end.
    pub through: Option<UnixTime>,
    /// What must be seen.
    pub expectation: Expectation,
    /// Where the scenario says so.
    pub location: SourceLocation,
}

/// One check of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Its name.
    pub name: CheckName,
    /// The service in whose place in the network the probe stands; none: beside the services.
    pub from: Option<ServiceName>,
    /// What is asked first, in this order, and at most [`crate::MOST_STEPS`] times: at each look over a fresh connection,
    /// and where a connection or session is begun that is then held or resumed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<CheckStep>,
    /// How to look.
    pub probe: Probe,
    /// The kinds of connection to look over, each once; never empty.
    pub connections: Vec<Connection>,
    /// How long one look, and each step before it, may take, on the host's clock.
    pub within: Duration,
    /// How long a failure may last before it counts, on the host's clock.
    pub settle: Duration,
    /// Declared revocation lists that have ended where it is asked: in a case of its own, and in no other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<CredentialName>,
    /// What must be seen when: without gaps or overlaps, in time order.
    pub expect: Vec<ExpectedSpan>,
    /// Where the scenario declares it.
    pub location: SourceLocation,
}

impl Check {
    /// All that it asks, in this order: the probes of its steps, and its own.
    pub fn probes(&self) -> impl Iterator<Item = &Probe> {
        self.before.iter().map(|step| &step.probe).chain([&self.probe])
    }

    /// The same, to be changed.
    pub fn probes_mut(&mut self) -> impl Iterator<Item = &mut Probe> {
        self.before.iter_mut().map(|step| &mut step.probe).chain([&mut self.probe])
    }

    /// Whether what it sees can depend on a credential; see [`Probe::exercises`].
    #[must_use]
    pub fn exercises(&self) -> bool {
        self.probes().any(Probe::exercises)
    }

    /// Whether it logs in as the SQL role that `credential` is.
    #[must_use]
    pub fn is_role(&self, credential: &Credential) -> bool {
        self.probes().any(|probe| probe.is_role(credential))
    }

    /// What it shows of itself, and what it trusts.
    pub fn uses(&self) -> impl Iterator<Item = &CredentialName> {
        self.probes().flat_map(|probe| probe.shown().chain(probe.trusted()))
    }

    /// All that has to be read of an answer while it is whole, whenever it comes.
    #[must_use]
    pub fn to_read(&self) -> Vec<Assertion> {
        let mut found: Vec<Assertion> = Vec::new();
        for span in &self.expect {
            let Expectation::Works(works) = &span.expectation else { continue };
            found.extend(works.to_read());
        }
        let mut distinct: Vec<Assertion> = Vec::new();
        for assertion in found {
            if !distinct.contains(&assertion) {
                distinct.push(assertion);
            }
        }
        distinct
    }

    /// In every stretch of how many seconds what it waits for must come, on the candidate's clock; none where it need not go on.
    #[must_use]
    pub fn stretch(&self) -> Option<i64> {
        let rises = self.to_read().into_iter().filter_map(|assertion| match assertion.test {
            Test::Rises { every, .. } => Some(i64::try_from(every.as_secs()).unwrap_or(i64::MAX)),
            _ => None,
        });
        rises.chain(self.probe.stretch()).max()
    }

    /// Whether `look` compared what must go on with what was there before. One that was refused has counted nothing.
    #[must_use]
    pub fn was_due_in(&self, look: &Observation) -> bool {
        let is_count = |assertion: &Assertion| matches!(assertion.test, Test::Rises { .. });
        let counts = self.to_read().iter().any(is_count);
        look.is_due() && (!counts || look.readings.iter().any(|reading| is_count(&reading.assertion)))
    }

    /// What must be seen at `at`.
    #[must_use]
    pub fn expectation_at(&self, at: UnixTime) -> Option<&ExpectedSpan> {
        self.expect.iter().find(|span| {
            span.after.is_none_or(|after| at > after) && span.through.is_none_or(|through| at <= through)
        })
    }

    /// Whether `observation` shows what the scenario expects at its instant; none where it straddles a change of
    /// expectation and so decides nothing.
    ///
    /// OpenSSL refuses a certificate in its last second already, RFC 5280 code one second later. In the last second
    /// of a span both answers are therefore right.
    #[must_use]
    pub fn is_met_by(&self, observation: &Observation) -> Option<bool> {
        let begin = observation.begin.second;
        let span = self.expectation_at(begin)?;
        if self.expectation_at(observation.end.second)? != span {
            return None;
        }
        let last_second = span.through == Some(begin);
        let next = self.expectation_at(begin.plus_secs(1)).filter(|_| last_second);
        let accepts = |span: &ExpectedSpan| span.expectation.accepts(observation);
        Some(accepts(span) || next.is_some_and(accepts))
    }
}
