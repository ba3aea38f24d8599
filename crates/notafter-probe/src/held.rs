//! Looks over one connection that stays open.

use crate::line::{self, Asked, Idle, KeepOpen, Line, Opened};
use crate::look::{absent, answered};
use crate::target::{Question, Target};
use crate::tls::{Sessions, TlsClient, alert_refusal};
use crate::{Connector, Error, LineState, Look, Timing};
use notafter_core::{Answer, Seen, UnixTime};
use std::sync::Arc;

#[derive(Debug)]
enum State {
    /// Nothing is held yet.
    New,
    Open(Box<Line>),
    /// It was held once; why it is not any more.
    Over(String),
}

/// One connection across many looks.
///
/// `http`, `https` and `grpc` probes send one more request over it. For `tcp` and `tls` probes, which have no question to ask,
/// a later look tells whether the service has closed it or sent an alert.
#[derive(Debug)]
pub struct Held {
    target: Arc<Target>,
    client: Option<TlsClient>,
    state: State,
    opened: Option<UnixTime>,
}

impl Held {
    pub(crate) fn new(target: Arc<Target>) -> Result<Self, Error> {
        let client = target.tls.as_ref().map(|setup| setup.client(Sessions::Forgotten)).transpose()?;
        Ok(Self { target, client, state: State::New, opened: None })
    }

    /// Whether a connection is open, as far as the last look could tell.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// When the connection was opened, on the candidate's clock.
    #[must_use]
    pub fn opened(&self) -> Option<UnixTime> {
        self.opened
    }

    /// Opens the connection where none was ever held, and looks over it. It is never opened a second time: once it is
    /// over, every look is [`Seen::Absent`] with the reason.
    ///
    /// # Errors
    /// [`Error::Connector`], [`Error::Stream`] or [`Error::Tls`]: the probe could not look.
    pub fn look(&mut self, connector: &mut dyn Connector, timing: &Timing<'_>) -> Result<Look, Error> {
        match std::mem::replace(&mut self.state, State::New) {
            State::New => self.open(connector, timing),
            State::Open(line) => self.look_again(line, timing),
            State::Over(reason) => {
                let look = Look::plain(absent(&reason), LineState::ClosedByService);
                self.state = State::Over(reason);
                Ok(look)
            }
        }
    }

    fn open(&mut self, connector: &mut dyn Connector, timing: &Timing<'_>) -> Result<Look, Error> {
        let deadline = timing.deadline();
        match line::open(&self.target, self.client.as_ref(), connector, timing.now, deadline)? {
            Opened::Failed(look) => Ok(look),
            Opened::Line { mut line, served, handshake } => {
                let asked = line.ask(&self.target, KeepOpen::Yes, timing.now, deadline)?;
                let Asked { seen, readings, not_yet, role, state } = asked;
                let served = served.into_iter().chain(role).collect();
                if matches!(seen, Seen::Answered(_)) {
                    self.opened = Some(timing.now);
                    self.keep(line, state, &seen);
                }
                Ok(Look { seen, readings, not_yet, served, handshake, line: state })
            }
        }
    }

    fn look_again(&mut self, mut line: Box<Line>, timing: &Timing<'_>) -> Result<Look, Error> {
        let deadline = timing.deadline();
        // What counts as the answer where nothing is asked.
        let (idle, unasked) = match &self.target.question {
            Question::Connect => (line.idle_for_a_moment(deadline), Some(Answer::Connected)),
            Question::Handshake => (line.idle_for_a_moment(deadline), Some(Answer::Handshake)),
            Question::Amqp(_)
            | Question::Greet(_)
            | Question::Grpc(_)
            | Question::Http(_)
            | Question::Sql(_) => (line.idle_now()?, None),
        };
        let plain = |(seen, state)| Asked { seen, readings: Vec::new(), not_yet: false, role: None, state };
        let Asked { seen, readings, not_yet, role, state } = match (idle, unasked) {
            (Idle::Alert(alert), _) => {
                plain((alert_refusal(alert, "on the held connection"), LineState::ClosedByService))
            }
            (Idle::Closed, _) => {
                plain((absent("the service has closed the held connection"), LineState::ClosedByService))
            }
            (Idle::Open | Idle::Spoke, Some(answer)) => plain((answered(answer), LineState::Open)),
            (Idle::Open, None) => line.ask(&self.target, KeepOpen::Yes, timing.now, deadline)?,
            (Idle::Spoke, None) => {
                let reason = "the service wrote to the idle held connection, as one does that gives it up";
                plain((absent(reason), LineState::ClosedByService))
            }
        };
        self.keep(line, state, &seen);
        let served = role.into_iter().collect();
        Ok(Look { readings, not_yet, served, ..Look::plain(seen, state) })
    }

    fn keep(&mut self, line: Box<Line>, state: LineState, seen: &Seen) {
        self.state = match state {
            LineState::Open => State::Open(line),
            LineState::Closed | LineState::ClosedByService => State::Over(over(seen)),
        };
    }
}

/// What later looks over a connection say that ended with `seen`.
fn over(seen: &Seen) -> String {
    match seen {
        Seen::Absent { reason } => format!("the held connection is over: {reason}"),
        Seen::Answered(_) => "the held connection is over: the service closed it after its answer".to_owned(),
        Seen::Refused(refusal) => format!("the held connection is over: {}", refusal.reason),
    }
}
