//! What one look comes to.

use crate::timing::Deadline;
use notafter_core::{Answer, Reading, Refusal, RefusalLayer, Seen, ServedCertificate};
use std::time::Duration;

/// How much of what a service says is told.
const MOST_SAID_CHARS: usize = 200;

/// How a TLS connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// The service showed its certificates.
    Full,
    /// An earlier session was resumed; no certificate was shown, none was verified.
    Resumed,
}

/// How the connection stands after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// It never came about, or the probe has closed it.
    Closed,
    /// The service has closed it, or said that it will.
    ClosedByService,
    /// It is open and can be used again.
    Open,
}

/// One look at a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What was seen.
    pub seen: Seen,
    /// What was read of the answer; see [`crate::Reader`].
    pub readings: Vec<Reading>,
    /// Whether the service said that it lets nobody in yet, so that another look may soon see more.
    pub not_yet: bool,
    /// The chain that the service showed during this look, leaf first: also when it was refused, empty when the look
    /// went over a connection or session from before.
    pub served: Vec<ServedCertificate>,
    /// How the TLS connection came about, where one came about during this look.
    pub handshake: Option<Handshake>,
    /// How the connection stands afterwards.
    pub line: LineState,
}

impl Look {
    /// A look that has seen nothing of TLS.
    pub(crate) fn plain(seen: Seen, line: LineState) -> Self {
        Self { seen, readings: Vec::new(), not_yet: false, served: Vec::new(), handshake: None, line }
    }
}

pub(crate) fn absent(reason: impl Into<String>) -> Seen {
    Seen::Absent { reason: reason.into() }
}

pub(crate) fn answered(answer: Answer) -> Seen {
    Seen::Answered(answer)
}

pub(crate) fn closed_by_service(reason: impl Into<String>) -> Seen {
    let layer = RefusalLayer::Service;
    Seen::Refused(Refusal { layer, alert: None, reason: reason.into(), culprit: None })
}

pub(crate) fn timed_out(place: &str, deadline: &Deadline<'_>) -> Seen {
    absent(format!("no answer from {place} within {}", in_words(deadline.within())))
}

/// What a service says, on one line, not too long.
pub(crate) fn said(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let visible = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    visible.take(MOST_SAID_CHARS).collect::<String>().trim().to_owned()
}

fn in_words(span: Duration) -> String {
    match span.as_millis() {
        millis if millis % 1_000 == 0 => format!("{} s", millis / 1_000),
        millis => format!("{millis} ms"),
    }
}
