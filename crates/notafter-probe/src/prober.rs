//! Looks over new connections: fresh ones, and ones that resume a TLS session.

use crate::held::Held;
use crate::line::{self, Asked, KeepOpen, Opened};
use crate::look::absent;
use crate::target::Target;
use crate::tls::{Sessions, TlsClient, TlsMaterial};
use crate::{Connector, Error, Handshake, Look, Timing};
use notafter_core::{Assertion, Probe, Seen, ServiceName};
use std::sync::Arc;

/// What a probe needs beside what its scenario says.
#[derive(Debug, Default)]
pub struct Supplies {
    /// What the names in its TLS terms stand for.
    pub tls: TlsMaterial,
    /// The password of who logs in.
    pub password: Option<String>,
    /// The token that it shows as a bearer, in compact form.
    pub token: Option<String>,
    /// What is read of every answer.
    pub assertions: Vec<Assertion>,
}

/// One check's way to look at a service over the network.
#[derive(Debug)]
pub struct Prober {
    target: Arc<Target>,
    client: Option<TlsClient>,
}

impl Prober {
    /// Checks `probe` and makes it concrete. It looks from the place of `from` in the network; `material` is what the
    /// names in its TLS terms stand for.
    ///
    /// # Errors
    /// Any variant but [`Error::Connector`], [`Error::NoSession`] and [`Error::Stream`]: the scenario or its
    /// credentials do not make a probe.
    pub fn new(probe: &Probe, from: Option<&ServiceName>, material: TlsMaterial) -> Result<Self, Error> {
        Self::supplied(probe, from, Supplies { tls: material, ..Supplies::default() })
    }

    /// The same with everything that a probe may need.
    ///
    /// # Errors
    /// As [`Prober::new`]; [`Error::Pattern`].
    pub fn supplied(probe: &Probe, from: Option<&ServiceName>, supplies: Supplies) -> Result<Self, Error> {
        let target = Arc::new(Target::new(probe, from, supplies)?);
        let client = target.tls.as_ref().map(|setup| setup.client(Sessions::Forgotten)).transpose()?;
        Ok(Self { target, client })
    }

    /// Looks over a new TCP connection, without any TLS session from before.
    ///
    /// # Errors
    /// [`Error::Connector`], [`Error::Stream`] or [`Error::Tls`]: the probe could not look.
    pub fn fresh(&mut self, connector: &mut dyn Connector, timing: &Timing<'_>) -> Result<Look, Error> {
        look_once(&self.target, self.client.as_ref(), connector, timing)
    }

    /// A connection to hold: opened at its first look, used again at every later one.
    ///
    /// # Errors
    /// [`Error::Tls`].
    pub fn held(&self) -> Result<Held, Error> {
        Held::new(Arc::clone(&self.target))
    }

    /// A TLS session to resume: begun at its first look, resumed at every later one.
    ///
    /// # Errors
    /// [`Error::NoSession`] for a probe without TLS; [`Error::Tls`].
    pub fn resumed(&self) -> Result<Resumed, Error> {
        let setup = self.target.tls.as_ref().ok_or(Error::NoSession { kind: self.target.kind })?;
        let client = setup.client(Sessions::Kept)?;
        Ok(Resumed { target: Arc::clone(&self.target), client, begun: false })
    }
}

/// Looks that resume one TLS session.
#[derive(Debug)]
pub struct Resumed {
    target: Arc<Target>,
    client: TlsClient,
    begun: bool,
}

impl Resumed {
    /// Whether a session was begun, as far as the looks could tell.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.begun
    }

    /// Looks over a new TCP connection. The first look that gets through begins the session, with a full handshake;
    /// every later one resumes it, or the one that it begins anew where that has lapsed. A look that had to make full
    /// handshakes alone has seen [`Seen::Absent`], whatever came back over them ([`Look::handshake`] says so, too).
    ///
    /// # Errors
    /// As [`Prober::fresh`].
    pub fn look(&mut self, connector: &mut dyn Connector, timing: &Timing<'_>) -> Result<Look, Error> {
        let mut look = look_once(&self.target, Some(&self.client), connector, timing)?;
        // Tickets live for days, and walks go on for years: the handshake has begun a new session.
        if self.begun && is_full(&look) {
            look = look_once(&self.target, Some(&self.client), connector, timing)?;
        }
        let answered = matches!(look.seen, Seen::Answered(_));
        if self.begun && is_full(&look) {
            look.seen = absent(
                "the TLS session was not resumed: a full handshake took its place, as without a ticket or with one \
                 that has lapsed or was declined",
            );
        }
        self.begun |= answered;
        Ok(look)
    }
}

fn is_full(look: &Look) -> bool {
    matches!(look.seen, Seen::Answered(_)) && look.handshake == Some(Handshake::Full)
}

fn look_once(
    target: &Target,
    client: Option<&TlsClient>,
    connector: &mut dyn Connector,
    timing: &Timing<'_>,
) -> Result<Look, Error> {
    let deadline = timing.deadline();
    match line::open(target, client, connector, timing.now, deadline)? {
        Opened::Failed(look) => Ok(look),
        Opened::Line { mut line, served, handshake } => {
            let asked = line.ask(target, KeepOpen::No, timing.now, deadline)?;
            let Asked { seen, readings, not_yet, role, state } = asked;
            let served = served.into_iter().chain(role).collect();
            Ok(Look { seen, readings, not_yet, served, handshake, line: state })
        }
    }
}
