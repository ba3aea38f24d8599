//! What was seen, on whose clock, and what proves that the clock was shifted.

use crate::{
    Assertion, CheckName, ClockReading, Connection, Credential, CredentialName, Fingerprint, Reading,
    ServiceName, Test, UnixTime, Works,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A TLS alert (RFC 8446 §6), received or sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Who sent it.
    pub from_service: bool,
    /// Its name in RFC 8446, as `certificate_expired`.
    pub name: String,
}

/// The layer at which a service or a probe refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalLayer {
    /// The service answered, and the answer says no (nginx: TLS completes, then 400).
    Application,
    /// The service closed or reset the connection within the handshake, or sent an alert.
    Service,
    /// The probe did not accept what the service showed.
    Verifier,
}

/// A connection that came about and was then refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// At which layer.
    pub layer: RefusalLayer,
    /// The TLS alert, where one was seen.
    pub alert: Option<Alert>,
    /// What was wrong, as a lower-case fragment; with both instants where it is about time.
    pub reason: String,
    /// The served or trusted certificate that was refused, where the refusal names one.
    pub culprit: Option<Fingerprint>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Whether the main process runs.
    Alive,
    /// The connection came about.
    Connected,
    /// A command ended.
    Exited {
        /// Exit code; 128 + the signal's number where a signal ended it.
        code: i32,
        /// The end of its output, at most 4 KiB.
        output: String,
    },
    /// The first question of a protocol was answered as it should be.
    Greeted {
        /// What the service said.
        said: String,
    },
    /// The TLS handshake came about.
    Handshake,
    /// An HTTP response.
    Http {
        /// Status code.
        status: u16,
        /// The beginning of its body, at most 1 KiB.
        body: String,
    },
    /// A query was answered.
    Queried {
        /// The rows, one a line, their fields joined by `|`: at most 1 KiB.
        rows: String,
    },
    /// A line with the text was written.
    Logged {
        /// The first such line.
        line: String,
    },
}

impl Answer {
    /// Whether the answer is what `works` asks for; `readings` is what was read of it while it was whole.
    #[must_use]
    pub fn satisfies(&self, works: &Works, readings: &[Reading]) -> bool {
        if !works.to_read().iter().all(|assertion| self.bears_out(assertion, readings)) {
            return false;
        }
        match self {
            Self::Alive
            | Self::Connected
            | Self::Greeted { .. }
            | Self::Handshake
            | Self::Logged { .. }
            | Self::Queried { .. } => true,
            Self::Exited { code, .. } => *code == works.exit.unwrap_or(0),
            Self::Http { status, .. } => {
                works.status.map_or((200..300).contains(status), |expected| *status == expected)
            }
        }
    }

    /// Whether `assertion` is true of the answer. What nobody has read is not, but for a text in what is recorded.
    fn bears_out(&self, assertion: &Assertion, readings: &[Reading]) -> bool {
        if let Some(reading) = readings.iter().find(|reading| reading.assertion == *assertion) {
            return reading.holds();
        }
        // Records of earlier versions have no readings.
        let is_held = |wanted: &str| self.text().is_some_and(|text| text.contains(wanted));
        match &assertion.test {
            Test::Contains(text) => is_held(text),
            Test::Lacks(text) => !is_held(text),
            Test::Captured { .. }
            | Test::Equals(_)
            | Test::Matches(_)
            | Test::Rises { .. }
            | Test::SameAsControl { .. } => false,
        }
    }

    /// The text that came back.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Alive | Self::Connected | Self::Handshake => None,
            Self::Exited { output: text, .. }
            | Self::Greeted { said: text }
            | Self::Http { body: text, .. }
            | Self::Logged { line: text }
            | Self::Queried { rows: text } => Some(text),
        }
    }

    /// What of a text that came back says most: the title of a page; of what a failing command printed the last line that
    /// tells of an end or an error, as curl prints advice behind it; else the last line that is not empty.
    #[must_use]
    pub fn telling_line(&self) -> Option<&str> {
        let text = self.text()?;
        let may_be_page = matches!(self, Self::Http { .. });
        let title = text.split_once("<title>").filter(|_| may_be_page);
        let title = title.and_then(|(_, rest)| rest.split_once("</title>")).map(|(title, _)| title.trim());
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let fails = matches!(self, Self::Exited { code, .. } if *code != 0);
        // Of equal ones the last.
        let line = || lines.max_by_key(|line| if fails { telling(line) } else { 0 });
        title.filter(|title| !title.is_empty() && !title.contains('\n')).or_else(line)
    }

    /// Whether the answer itself is a refusal: an HTTP status of 400 to 499, a failing command.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Exited { code, .. } => *code != 0,
            Self::Http { status, .. } => (400..500).contains(status),
            Self::Alive
            | Self::Connected
            | Self::Greeted { .. }
            | Self::Handshake
            | Self::Logged { .. }
            | Self::Queried { .. } => false,
        }
    }
}

/// What was answered, as a fragment, with the line that says most.
impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut with = |head: String| match self.telling_line() {
            Some(line) => write!(formatter, "{head}: {line}"),
            None => formatter.write_str(&head),
        };
        match self {
            Self::Exited { code, .. } => with(format!("exit code {code}")),
            Self::Http { status, .. } => with(format!("HTTP status {status}")),
            Self::Queried { .. } => with("the query is answered".to_owned()),
            Self::Alive => formatter.write_str("it runs"),
            Self::Connected => formatter.write_str("the connection came about"),
            Self::Greeted { said } => write!(formatter, "it answered {said:?}"),
            Self::Handshake => formatter.write_str("the TLS handshake came about"),
            Self::Logged { line } => write!(formatter, "log line {line:?}"),
        }
    }
}

/// How much a line of a failing command tells of why it fails.
fn telling(line: &str) -> u8 {
    const ENDS: [&str; 3] = ["expired", "not yet valid", "not valid"];
    const ERRORS: [&str; 6] = ["denied", "error", "exception", "fatal", "problem", "refused"];
    let line = line.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| line.contains(word));
    match (says(&ENDS), says(&ERRORS)) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}

/// The outcome of one look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// Nothing was there: no listener, no process, no answer in time.
    Absent {
        /// What was missing, as a lower-case fragment.
        reason: String,
    },
    /// The service answered.
    Answered(Answer),
    /// The service or the probe refused.
    Refused(Refusal),
}

/// One certificate of a served chain, or the role that was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServedCertificate {
    /// What it is.
    pub credential: Credential,
    /// Its DER, as base64 without line breaks; empty for a role.
    pub der_base64: String,
    /// The credential of the scenario that it is, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<CredentialName>,
}

/// One look at a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// The check that asked.
    pub check: CheckName,
    /// Over which connection.
    pub connection: Connection,
    /// Index of the [`crate::Step`] of the case that asked.
    pub step: usize,
    /// The planned instant, on the candidate's clock.
    pub planned: UnixTime,
    /// When the look began, on the candidate's clock.
    pub begin: ClockReading,
    /// When it ended, on the candidate's clock.
    pub end: ClockReading,
    /// When the held connection was opened, on the candidate's clock.
    pub opened: Option<ClockReading>,
    /// How many looks were needed until it settled; 1 where the first one counted, 0 where none was due and an earlier
    /// one stands for it.
    pub tries: u32,
    /// What was seen.
    pub seen: Seen,
    /// What was read of the answer for the assertions of the check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// The chain that the service showed, leaf first; behind it the role that a database let in, where it ends.
    pub served: Vec<ServedCertificate>,
    /// The steps that were taken before, where the check has any; the last of them is the one that was not met, where the
    /// probe of the check itself was not reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepTaken>,
}

/// A step of a check that was taken before its probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepTaken {
    /// The service or host that it looked at.
    pub target: String,
    /// Whether it came out as it must.
    pub is_met: bool,
    /// What was shown in it, as in [`Observation::served`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub served: Vec<ServedCertificate>,
}

impl Observation {
    /// All that was shown, by whichever service.
    pub fn shown(&self) -> impl Iterator<Item = &ServedCertificate> {
        self.served.iter().chain(self.steps.iter().flat_map(|step| &step.served))
    }

    /// Whether it was compared with what came before, where its check asks for something that must go on.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let rises = |reading: &&Reading| matches!(reading.assertion.test, Test::Rises { .. });
        self.tries > 0 && self.readings.iter().filter(rises).all(|reading| reading.control.is_some())
    }

    /// The number of the step, from 1 on, beyond which it did not come.
    #[must_use]
    pub fn stopped_in(&self) -> Option<usize> {
        self.steps.last().filter(|step| !step.is_met).map(|_| self.steps.len())
    }

    /// The service or host at which `check` ended: its own, or that of the step beyond which it did not come.
    #[must_use]
    pub fn target<'a>(&'a self, check: &'a crate::Check) -> &'a str {
        let stopped = self.steps.last().filter(|step| !step.is_met);
        stopped.map_or_else(|| check.probe.target(), |step| &step.target)
    }
}

/// What proves that a process saw the shifted clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WitnessBasis {
    /// A canary through the same entry read the expected time, by the vDSO and by raw system calls.
    Canary,
    /// The exec was stopped, its vDSO patched, and the process itself asked for the clock page.
    Exec,
    /// The sweep from the host found the patched vDSO, the mapped page and the seccomp filter in a live process.
    Sweep,
}

/// One process that is proven to have seen the shifted clock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ClockWitness {
    /// The service to which the process belongs.
    pub service: ServiceName,
    /// Process id inside the service's pid namespace.
    pub pid: u32,
    /// The executable, as the process sees it.
    pub exe: String,
    /// What proves it.
    pub basis: WitnessBasis,
}

/// A process for which a motion of the clock did not wait, because it never slept. What it would have done before
/// time went on, such as waiting for the next timer, it may not have done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Restless {
    /// The service to which the process belongs.
    pub service: ServiceName,
    /// Process id inside the service's pid namespace.
    pub pid: u32,
    /// The name of the thread that was seen running, as proc_pid_comm(5) tells it.
    pub process: String,
    /// Where wall time stood when the motion gave up waiting, on the candidate's clock.
    pub at: ClockReading,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_page_the_title_says_most_and_of_other_text_the_last_line() {
        let page = "<html>\n<head><title>400 The SSL certificate error</title></head>\n</html>\n";
        let table = [
            (page, Some("400 The SSL certificate error")),
            ("trying\nno quote: certificate has expired\n\n", Some("no quote: certificate has expired")),
            ("<title></title>\nend", Some("end")),
            ("<title>cut off", Some("<title>cut off")),
            (" \n", None),
        ];
        for (text, expected) in table {
            let answer = Answer::Http { status: 400, body: text.to_owned() };
            assert_eq!(answer.telling_line(), expected, "{text:?}");
        }
        let output = Answer::Exited { code: 0, output: page.to_owned() };
        assert_eq!(output.telling_line(), Some("</html>"), "a command writes no page");
        assert_eq!(Answer::Alive.telling_line(), None);
    }

    #[test]
    fn of_a_failing_command_the_line_that_tells_why_says_most() {
        let advice = "more is to be read elsewhere\n";
        let table = [
            ("SSL problem: certificate has expired\nerror 60\n", "SSL problem: certificate has expired"),
            ("first error\nsecond error\n", "second error"),
            ("nothing\n", "more is to be read elsewhere"),
        ];
        for (text, expected) in table {
            let answer = Answer::Exited { code: 60, output: format!("{text}{advice}") };
            assert_eq!(answer.telling_line(), Some(expected), "{text:?}");
        }
    }
}
