//! One connection: opened, asked, listened to, closed.

use crate::amqp;
use crate::greet::{self, Heard};
use crate::grpc::{self, HealthCheck};
use crate::http::{self, Exchange, Response};
use crate::look::{absent, answered, closed_by_service, timed_out};
use crate::reading::Whole;
use crate::sql;
use crate::starttls::{self, NoTls};
use crate::target::{HTTP_2, Question, Target};
use crate::timing::{Deadline, Timed};
use crate::tls::{self, TlsClient, Trouble};
use crate::{ConnectFailure, Connector, Error, Handshake, LineState, Look};
use notafter_core::{Answer, Greeting, Reading, Refusal, RefusalLayer, Seen, ServedCertificate, UnixTime};
use rustls::{AlertDescription, ClientConnection};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How much an idle connection is listened to in one look.
const MAX_IDLE_BYTES: usize = 1024 * 1024;

/// How long an idle connection is listened to; longer than Nagle's algorithm and delayed acknowledgements hold back.
const MOMENT: Duration = Duration::from_millis(60);

/// Longest that closing a connection politely may take.
const GOODBYE: Duration = Duration::from_millis(50);

/// Whether a connection shall be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeepOpen {
    No,
    Yes,
}

/// What is heard on a connection on which nothing was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    Alert(AlertDescription),
    Closed,
    Open,
    Spoke,
}

/// A connection that stands, after its TLS handshake where it has one.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TcpStream,
    tls: Option<ClientConnection>,
    /// Whether a protocol's first question was asked over it.
    greeted: bool,
    /// What the service said before TLS began.
    greeting: Option<Vec<u8>>,
    /// HTTP/2 over it, once it has begun and while it has not ended.
    http2: Option<grpc::Session>,
}

/// What came of a question.
pub(crate) struct Asked {
    pub(crate) seen: Seen,
    pub(crate) readings: Vec<Reading>,
    /// Whether nobody is let in yet.
    pub(crate) not_yet: bool,
    /// Who was let in.
    pub(crate) role: Option<ServedCertificate>,
    pub(crate) state: LineState,
}

pub(crate) enum Opened {
    Failed(Look),
    Line { line: Box<Line>, served: Vec<ServedCertificate>, handshake: Option<Handshake> },
}

pub(crate) fn open(
    target: &Target,
    client: Option<&TlsClient>,
    connector: &mut dyn Connector,
    now: UnixTime,
    deadline: Deadline<'_>,
) -> Result<Opened, Error> {
    let within = deadline.remaining().unwrap_or_default();
    let connected = connector
        .connect(target.from.as_ref(), &target.host, target.port, within)
        .map_err(|source| Error::Connector { host: target.host.clone(), port: target.port, source })?;
    let stream = match connected {
        Ok(stream) => stream,
        Err(failure) => {
            let seen = match failure {
                ConnectFailure::Other(_) => absent(format!("no connection to {}: {failure}", target.place())),
                ConnectFailure::Refused => absent(format!("nothing listens on {}", target.place())),
                ConnectFailure::TimedOut => timed_out(&target.place(), &deadline),
                ConnectFailure::UnknownHost(_) => absent(failure.to_string()),
            };
            return Ok(Opened::Failed(Look::plain(seen, LineState::Closed)));
        }
    };
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let Some(client) = client else {
        let line = Box::new(Line { stream, tls: None, greeted: false, greeting: None, http2: None });
        return Ok(Opened::Line { line, served: Vec::new(), handshake: None });
    };
    let negotiated = target
        .starttls
        .map(|protocol| starttls::negotiate(protocol, &mut Timed::new(&stream, deadline)))
        .transpose();
    let greeting = match negotiated {
        Ok(greeting) => greeting,
        Err(trouble) => {
            let seen = match trouble {
                NoTls::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                    timed_out(&target.place(), &deadline)
                }
                NoTls::Io(error) => absent(format!("no TLS with {}: {error}", target.place())),
                NoTls::Unwilling(reason) => absent(format!("no TLS with {}: {reason}", target.place())),
            };
            return Ok(Opened::Failed(Look::plain(seen, LineState::Closed)));
        }
    };
    let mut session = client.begin(now)?;
    let outcome = tls::handshake(&mut session, &mut Timed::new(&stream, deadline));
    let shown = client.shown();
    let seen = match outcome {
        Ok(handshake) => {
            let line = Box::new(Line { stream, tls: Some(session), greeted: false, greeting, http2: None });
            return Ok(Opened::Line { line, served: shown.chain, handshake: Some(handshake) });
        }
        Err(Trouble::Alert(alert)) => tls::alert_refusal(alert, "within the TLS handshake"),
        Err(Trouble::Closed) => {
            closed_by_service("the service closed the connection within the TLS handshake")
        }
        Err(Trouble::Io(error)) => absent(format!("no TLS with {}: {error}", target.place())),
        Err(Trouble::NotTls(reason)) => absent(format!("{} does not speak TLS: {reason}", target.place())),
        Err(Trouble::Probe(error)) => return Err(Error::Tls(error)),
        Err(Trouble::TimedOut) => timed_out(&target.place(), &deadline),
        Err(Trouble::Unacceptable(error)) => tls::verifier_refusal(&error, shown.rejection),
    };
    Ok(Opened::Failed(Look { served: shown.chain, ..Look::plain(seen, LineState::Closed) }))
}

impl Line {
    /// Asks the target's question over this connection for the first time, or an HTTP one once more.
    pub(crate) fn ask(
        &mut self,
        target: &Target,
        keep: KeepOpen,
        now: UnixTime,
        deadline: Deadline<'_>,
    ) -> Result<Asked, Error> {
        let (mut readings, mut role, mut not_yet) = (Vec::new(), None, false);
        let (seen, state) = match &target.question {
            Question::Amqp(login) => {
                let heard = self.log_in(login, keep, deadline);
                (readings, not_yet) = (read_of(&heard, target), matches!(heard, Heard::NotYet(_)));
                self.told(target, heard, deadline)?
            }
            Question::Connect => (answered(Answer::Connected), LineState::Open),
            Question::Greet(protocol) => {
                let heard = self.greet(*protocol, deadline);
                (readings, not_yet) = (read_of(&heard, target), matches!(heard, Heard::NotYet(_)));
                self.told(target, heard, deadline)?
            }
            Question::Grpc(check) => {
                let heard = self.check_health(check, deadline);
                (readings, not_yet) = (read_of(&heard, target), matches!(heard, Heard::NotYet(_)));
                self.told(target, heard, deadline)?
            }
            Question::Handshake => self.confirm(target, deadline)?,
            Question::Sql(login) => {
                let again = std::mem::replace(&mut self.greeted, true);
                let greeting = self.greeting.take();
                let opening = sql::Opening { greeting: greeting.as_deref() };
                match login.ask(&mut self.wire(deadline), again, keep, &opening) {
                    sql::Heard::Answered(told) => {
                        let whole = Whole { headers: &[], text: &told.rows, is_cut: told.is_cut };
                        readings = target.reader.read(&whole);
                        role = login.let_in(told.valid_until);
                        (answered(Answer::Queried { rows: sql::kept(&told.rows) }), LineState::Open)
                    }
                    sql::Heard::Refused { reason, password } => {
                        let ended = login.ended_by(now).filter(|_| password);
                        (sql::refused(reason, ended.as_ref(), now), LineState::Closed)
                    }
                    sql::Heard::Closed => self.closed_instead(target),
                    sql::Heard::NotYet(reason) => {
                        not_yet = true;
                        (absent(format!("no answer from {}: {reason}", target.place())), LineState::Closed)
                    }
                    sql::Heard::Nonsense(reason) => {
                        let reason = format!("no answer from {}: {reason}", target.place());
                        (absent(reason), LineState::Closed)
                    }
                    sql::Heard::Failed(error) => self.trouble(target, &error, deadline)?,
                }
            }
            Question::Http(request) => match http::exchange(&mut self.wire(deadline), request, keep) {
                Exchange::Answered(response) => {
                    let Response { status, headers, body, whole, is_cut, reusable } = *response;
                    readings = target.reader.read(&Whole { headers: &headers, text: &whole, is_cut });
                    let state = if reusable { LineState::Open } else { LineState::ClosedByService };
                    (answered(Answer::Http { status, body }), state)
                }
                Exchange::Closed if target.tls.is_some() => {
                    let reason = "the service closed the connection instead of answering the request";
                    (closed_by_service(reason), LineState::ClosedByService)
                }
                Exchange::Closed => {
                    let reason = "the service closed the connection without an answer";
                    (absent(reason), LineState::ClosedByService)
                }
                Exchange::Nonsense(reason) => {
                    let reason = format!("no HTTP answer from {}: {reason}", target.place());
                    (absent(reason), LineState::Closed)
                }
                Exchange::Failed(error) => self.trouble(target, &error, deadline)?,
            },
        };
        let state = match keep {
            KeepOpen::No if state == LineState::Open || matches!(seen, Seen::Answered(_)) => {
                LineState::Closed
            }
            KeepOpen::No | KeepOpen::Yes => state,
        };
        if state != LineState::Open {
            self.say_goodbye(deadline);
        }
        Ok(Asked { seen, readings, not_yet, role, state })
    }

    fn greet(&mut self, protocol: Greeting, deadline: Deadline<'_>) -> Heard {
        let again = std::mem::replace(&mut self.greeted, true);
        greet::greet(protocol, &mut self.wire(deadline), again)
    }

    fn log_in(&mut self, login: &amqp::Login, keep: KeepOpen, deadline: Deadline<'_>) -> Heard {
        let again = std::mem::replace(&mut self.greeted, true);
        login.ask(&mut self.wire(deadline), again, keep)
    }

    fn check_health(&mut self, check: &HealthCheck, deadline: Deadline<'_>) -> Heard {
        if self.tls.as_ref().is_some_and(|session| session.alpn_protocol() != Some(HTTP_2)) {
            return Heard::Nonsense("it does not agree on HTTP/2 within the TLS handshake (ALPN)".to_owned());
        }
        let mut session = self.http2.take();
        let heard = check.ask(&mut session, &mut self.wire(deadline));
        self.http2 = session;
        heard
    }

    /// What was heard, as it is seen, and what becomes of the connection.
    fn told(
        &mut self,
        target: &Target,
        heard: Heard,
        deadline: Deadline<'_>,
    ) -> Result<(Seen, LineState), Error> {
        // Over HTTP/2 an answer that says no ends nothing but its stream.
        let after_no = if self.http2.is_some() { LineState::Open } else { LineState::Closed };
        Ok(match heard {
            Heard::Answered(said) => (answered(Answer::Greeted { said }), LineState::Open),
            Heard::Refused(reason) => {
                let layer = RefusalLayer::Application;
                let refusal = Refusal { layer, alert: None, reason, culprit: None };
                (Seen::Refused(refusal), after_no)
            }
            Heard::Closed => self.closed_instead(target),
            Heard::Nonsense(reason) | Heard::NotYet(reason) => {
                let reason = format!("no {} from {}: {reason}", target.kind, target.place());
                (absent(reason), after_no)
            }
            Heard::Failed(error) => self.trouble(target, &error, deadline)?,
        })
    }

    /// The connection was closed where an answer belongs: over TLS, where the client is known, that is a refusal.
    fn closed_instead(&self, target: &Target) -> (Seen, LineState) {
        let seen = match target.tls.is_some() {
            true => closed_by_service("the service closed the connection instead of answering"),
            false => absent("the service closed the connection without an answer"),
        };
        (seen, LineState::ClosedByService)
    }

    /// In TLS 1.3 the client is done before the service has looked at its certificate: waits for a sign.
    fn confirm(&mut self, target: &Target, deadline: Deadline<'_>) -> Result<(Seen, LineState), Error> {
        let Some(session) = &mut self.tls else { return Ok((answered(Answer::Handshake), LineState::Open)) };
        match tls::confirm(session, &self.stream, deadline) {
            Ok(()) => Ok((answered(Answer::Handshake), LineState::Open)),
            Err(Trouble::Closed) => {
                let reason = "the service closed the connection right after the TLS handshake";
                Ok((closed_by_service(reason), LineState::ClosedByService))
            }
            Err(trouble) => trouble_after_handshake(target, trouble, deadline),
        }
    }

    fn trouble(
        &mut self,
        target: &Target,
        error: &io::Error,
        deadline: Deadline<'_>,
    ) -> Result<(Seen, LineState), Error> {
        let trouble = match &mut self.tls {
            Some(session) => tls::trouble(error, session, &mut Timed::new(&self.stream, deadline)),
            None => Trouble::from_io(error),
        };
        match trouble {
            Trouble::Closed if self.tls.is_none() => {
                let reason = "the service closed the connection without an answer";
                Ok((absent(reason), LineState::ClosedByService))
            }
            trouble => trouble_after_handshake(target, trouble, deadline),
        }
    }

    fn wire<'a>(&'a mut self, deadline: Deadline<'a>) -> Wire<'a> {
        let timed = Timed::new(&self.stream, deadline);
        match &mut self.tls {
            Some(session) => Wire::Tls(session, timed),
            None => Wire::Plain(timed),
        }
    }

    /// Listens without waiting.
    pub(crate) fn idle_now(&mut self) -> Result<Idle, Error> {
        self.stream.set_nonblocking(true)?;
        let idle = match (&mut self.http2, &mut self.tls) {
            (None, tls) => listen(tls.as_mut(), &mut &self.stream),
            (Some(session), None) => overhear(session, &mut &self.stream),
            (Some(session), Some(tls)) => overhear(session, &mut rustls::Stream::new(tls, &mut &self.stream)),
        };
        self.stream.set_nonblocking(false)?;
        Ok(idle)
    }

    /// Listens for a moment: what the service has just sent may still be on its way.
    pub(crate) fn idle_for_a_moment(&mut self, deadline: Deadline<'_>) -> Idle {
        let mut wire = Timed::new(&self.stream, deadline.no_longer_than(MOMENT));
        listen(self.tls.as_mut(), &mut wire)
    }

    /// Sends `close_notify`, so that the service need not take the end for an attack. It may have gone by then.
    fn say_goodbye(&mut self, deadline: Deadline<'_>) {
        if let Some(session) = &mut self.tls {
            session.send_close_notify();
            let mut timed = Timed::new(&self.stream, deadline.no_longer_than(GOODBYE));
            while session.wants_write() && session.write_tls(&mut timed).is_ok_and(|written| written > 0) {}
        }
    }
}

fn trouble_after_handshake(
    target: &Target,
    trouble: Trouble,
    deadline: Deadline<'_>,
) -> Result<(Seen, LineState), Error> {
    match trouble {
        Trouble::Alert(alert) => {
            Ok((tls::alert_refusal(alert, "after the TLS handshake"), LineState::ClosedByService))
        }
        Trouble::Closed => {
            let reason = "the service closed the connection instead of answering the request";
            Ok((closed_by_service(reason), LineState::ClosedByService))
        }
        Trouble::Io(error) => {
            Ok((absent(format!("no answer from {}: {error}", target.place())), LineState::Closed))
        }
        Trouble::NotTls(reason) => {
            Ok((absent(format!("{} speaks broken TLS: {reason}", target.place())), LineState::Closed))
        }
        Trouble::Probe(error) => Err(Error::Tls(error)),
        Trouble::TimedOut => Ok((timed_out(&target.place(), &deadline), LineState::Closed)),
        Trouble::Unacceptable(error) => Ok((tls::verifier_refusal(&error, None), LineState::Closed)),
    }
}

fn listen(session: Option<&mut ClientConnection>, wire: &mut dyn Read) -> Idle {
    match session {
        Some(session) => listen_tls(session, wire),
        None => listen_plain(wire),
    }
}

/// The service may say on an idle HTTP/2 connection what it likes, as long as it takes further requests.
fn overhear(session: &mut grpc::Session, wire: &mut impl Read) -> Idle {
    match session.overhear(wire) {
        Ok(true) => Idle::Open,
        Ok(false) | Err(grpc::Trouble::Closed | grpc::Trouble::Protocol(_)) => Idle::Closed,
        Err(grpc::Trouble::Io(error)) => match Trouble::from_io(&error) {
            Trouble::Alert(alert) => Idle::Alert(alert),
            _ => Idle::Closed,
        },
    }
}

/// What the assertions of `target` are about in what was heard.
fn read_of(heard: &Heard, target: &Target) -> Vec<Reading> {
    match heard {
        Heard::Answered(said) => target.reader.read(&Whole::of_text(said)),
        Heard::Closed | Heard::Failed(_) | Heard::Nonsense(_) | Heard::NotYet(_) | Heard::Refused(_) => {
            Vec::new()
        }
    }
}

/// Whether reading ended because there is nothing more for now.
fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

fn listen_plain(wire: &mut dyn Read) -> Idle {
    let mut buffer = [0; 4096];
    let mut heard = 0;
    while heard < MAX_IDLE_BYTES {
        match wire.read(&mut buffer) {
            Ok(0) => return Idle::Closed,
            Ok(read) => heard += read,
            Err(error) if is_silence(&error) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Idle::Closed,
        }
    }
    if heard > 0 { Idle::Spoke } else { Idle::Open }
}

fn listen_tls(session: &mut ClientConnection, mut wire: &mut dyn Read) -> Idle {
    let mut spoke = false;
    let mut buffer = [0; 4096];
    let mut heard = 0;
    while heard < MAX_IDLE_BYTES {
        while session.reader().read(&mut buffer).is_ok_and(|read| read > 0) {
            spoke = true;
        }
        match session.read_tls(&mut wire) {
            Ok(0) => return Idle::Closed,
            Ok(read) => heard += read,
            Err(error) if is_silence(&error) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Idle::Closed,
        }
        match session.process_new_packets() {
            Ok(state) if state.peer_has_closed() => return Idle::Closed,
            Ok(_) => {}
            Err(rustls::Error::AlertReceived(alert)) => return Idle::Alert(alert),
            Err(_) => return Idle::Closed, // what follows a broken record is no TLS any more
        }
    }
    if spoke { Idle::Spoke } else { Idle::Open }
}

/// The bytes of HTTP, with TLS underneath or not.
enum Wire<'a> {
    Plain(Timed<'a>),
    Tls(&'a mut ClientConnection, Timed<'a>),
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.read(buffer),
            Self::Tls(session, timed) => rustls::Stream::new(*session, timed).read(buffer),
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.write(buffer),
            Self::Tls(session, timed) => rustls::Stream::new(*session, timed).write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(timed) => timed.flush(),
            Self::Tls(session, timed) => rustls::Stream::new(*session, timed).flush(),
        }
    }
}
