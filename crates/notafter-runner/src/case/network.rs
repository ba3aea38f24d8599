//! Looks over the network: what is kept of connections between the checkpoints of a case.

use super::looks::Look;
use super::run::{CaseRun, harness};
use crate::host_clock::{Patience, Stopwatch};
use crate::network::Network;
use crate::stage::Stage;
use notafter_backend::Awaited;
use notafter_core::{
    Assertion, Captured, CaseError, Check, CheckName, ClockReading, Connection, CredentialName, EnvValue,
    Probe, Rotation, Scenario, ServiceName, TlsTerms, TlsTrust, UnixTime,
};
use notafter_pki::Pki;
use notafter_probe::{Held, Identity, Prober, Resumed, Supplies, Timing, TlsMaterial};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long is waited before a service is asked again that lets nobody in yet: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Everything that outlives one look, by check.
#[derive(Default)]
pub(super) struct Sessions(BTreeMap<CheckName, Session>);

struct Session {
    /// Where its connections begin and end: a restart there ends them.
    ends: Vec<String>,
    prober: Prober,
    held: Option<Held>,
    resumed: Option<Resumed>,
    /// Whether its prober has material from before a rotation.
    is_outdated: bool,
    /// What the steps before it have captured, where the check has any.
    captured: Captured,
}

/// One question over the network.
pub(super) struct Asked<'a> {
    pub(super) probe: &'a Probe,
    pub(super) from: Option<&'a ServiceName>,
    /// What is read of the answer.
    pub(super) assertions: Vec<Assertion>,
    pub(super) within: Duration,
}

impl Sessions {
    /// Forgets the connections and sessions to and from a service that is started anew: an operator's restart, not
    /// the service, ended them.
    pub(super) fn forget(&mut self, service: &ServiceName) {
        for session in self.0.values_mut() {
            if session.ends.iter().any(|end| end == service.as_str()) {
                session.held = None;
                session.resumed = None;
            }
        }
    }

    /// Forgets the held connection of a check once it is over, so that a new one can be held; says whether it was.
    pub(super) fn let_go(&mut self, check: &CheckName) -> bool {
        let over = self.0.get_mut(check).filter(|session| session.held.as_ref().is_some_and(is_over));
        over.is_some_and(|session| session.held.take().is_some())
    }

    /// Lets the checks begin anew in whose hands `rotation` has put other material. Connections that they hold stay.
    pub(super) fn renew(&mut self, scenario: &Scenario, rotation: &Rotation) {
        if !rotation.reaches(None) {
            return;
        }
        let concerned = scenario.checks.iter().filter(|check| {
            let identity = check.probe.tls().and_then(|terms| terms.identity.as_ref());
            identity.into_iter().chain(check.probe.trusted()).any(|name| *name == rotation.credential)
        });
        for check in concerned {
            if let Some(session) = self.0.get_mut(&check.name) {
                session.is_outdated = true;
            }
        }
    }

    /// Whether the connection that `check` holds is over, so that another look over it cannot end otherwise.
    pub(super) fn is_over(&self, check: &CheckName) -> bool {
        self.0.get(check).and_then(|session| session.held.as_ref()).is_some_and(is_over)
    }
}

fn is_over(held: &Held) -> bool {
    held.opened().is_some() && !held.is_open()
}

impl Sessions {
    /// What the steps of `check` have captured for the connection or the session that goes on; none where one is yet to be
    /// begun, and over fresh connections.
    pub(super) fn captured(&self, check: &CheckName, connection: Connection) -> Option<&Captured> {
        let session = self.0.get(check)?;
        let goes_on = match connection {
            Connection::Fresh => false,
            Connection::Held => session.held.as_ref().is_some_and(|held| held.opened().is_some()),
            Connection::Resumed => {
                !session.is_outdated && session.resumed.as_ref().is_some_and(Resumed::is_begun)
            }
        };
        goes_on.then_some(&session.captured)
    }
}

impl CaseRun<'_> {
    /// Asks over the connection or the session of `check`, or begins it with `asked`.
    pub(super) fn look_network(
        &mut self,
        check: &Check,
        asked: Asked<'_>,
        captured: &Captured,
        connection: Connection,
    ) -> Result<Look, CaseError> {
        let within = asked.within;
        let goes_on = self.sessions.captured(&check.name, connection).is_some();
        let mut session = match self.sessions.0.remove(&check.name) {
            // Steps have captured other values for it.
            Some(session) if !session.is_outdated && (check.before.is_empty() || goes_on) => session,
            Some(session) => {
                let anew = Session::new(asked, captured, self.stage, self.planned)?;
                let resumed =
                    session.resumed.filter(|_| !session.is_outdated && connection != Connection::Resumed);
                let held = session.held.filter(|held| held.opened().is_some());
                Session { held, resumed, ..anew }
            }
            None => Session::new(asked, captured, self.stage, self.planned)?,
        };
        let look = self.ask(&mut session, connection, within);
        self.sessions.0.insert(check.name.clone(), session);
        look
    }

    /// Asks once, over a new connection of which nothing is kept.
    pub(super) fn look_in_passing(&mut self, asked: Asked<'_>) -> Result<Look, CaseError> {
        let within = asked.within;
        let mut session = Session::new(asked, &Captured::default(), self.stage, self.planned)?;
        self.ask(&mut session, Connection::Fresh, within)
    }

    fn ask(
        &mut self,
        session: &mut Session,
        connection: Connection,
        within: Duration,
    ) -> Result<Look, CaseError> {
        // What lets nobody in yet is waited for: a port that is open is no more than that.
        let mut patience = Patience::new(within, FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let watch = Stopwatch::start();
            let now = self.sandbox.now().second;
            let network = Network::of(self.sandbox.as_mut());
            let timing = Timing {
                now,
                host: &|| watch.elapsed(),
                within: self.stage.allowance.at_most(within),
                waiting: &|| network.catch_up(patience.elapsed()),
            };
            let (look, not_yet) = session.look(connection, &mut &network, &timing)?;
            network.close().map_err(|error| harness(&error))?;
            self.stage.allowance.ask()?; // the budget may have cut the look short
            if !not_yet || !patience.wait() {
                return Ok(look);
            }
            self.sandbox.catch_up(Awaited::Answer, patience.elapsed()).map_err(|error| harness(&error))?;
        }
    }
}

impl Session {
    fn new(
        asked: Asked<'_>,
        captured: &Captured,
        stage: &Stage<'_>,
        at: UnixTime,
    ) -> Result<Self, CaseError> {
        let Asked { probe, from, assertions, .. } = asked;
        let material = match probe.tls() {
            Some(terms) => material(terms, stage, at).map_err(|error| harness(&error))?,
            None => TlsMaterial::default(),
        };
        let token = probe.token().map(|name| stage.material.pki.token(name)).transpose();
        let token = token.map_err(|error| harness(&error))?.map(|token| token.compact().to_owned());
        let supplies = Supplies { tls: material, password: password(probe, stage), token, assertions };
        let prober = Prober::supplied(probe, from, supplies).map_err(|error| harness(&error))?;
        let ends = from.map(ToString::to_string).into_iter().chain([probe.target().to_owned()]).collect();
        let captured = captured.clone();
        Ok(Self { ends, prober, held: None, resumed: None, is_outdated: false, captured })
    }

    fn look(
        &mut self,
        connection: Connection,
        network: &mut &Network<'_>,
        timing: &Timing<'_>,
    ) -> Result<(Look, bool), CaseError> {
        let look = match connection {
            Connection::Fresh => self.prober.fresh(network, timing),
            Connection::Held => match &mut self.held {
                Some(held) => held.look(network, timing),
                None => self.prober.held().and_then(|held| self.held.insert(held).look(network, timing)),
            },
            Connection::Resumed => match &mut self.resumed {
                Some(resumed) => resumed.look(network, timing),
                None => self
                    .prober
                    .resumed()
                    .and_then(|resumed| self.resumed.insert(resumed).look(network, timing)),
            },
        };
        let look = look.map_err(|error| harness(&error))?;
        let opened = match connection {
            Connection::Held => self.held.as_ref().and_then(Held::opened).map(ClockReading::at),
            Connection::Fresh | Connection::Resumed => None,
        };
        let not_yet = look.not_yet;
        let found = Look { opened, ..Look::of(look.seen, look.readings, look.served) };
        Ok((found, not_yet))
    }
}

/// The password of a probe that logs in.
fn password(probe: &Probe, stage: &Stage<'_>) -> Option<String> {
    match probe.password()? {
        EnvValue::Hidden(text) => Some(text.reveal().to_owned()),
        EnvValue::Plain(text) => Some(text.clone()),
        EnvValue::Secret(variable) => stage.secrets.value(variable).map(str::to_owned),
    }
}

fn material(terms: &TlsTerms, stage: &Stage<'_>, at: UnixTime) -> Result<TlsMaterial, notafter_pki::Error> {
    let standing = |name| stage.scenario.standing_for(name, None, at);
    let trust_anchors = match &terms.trust {
        Some(TlsTrust::Credential(name)) => {
            vec![stage.material.pki.issued(standing(name))?.certificate_der().clone()]
        }
        None => Vec::new(),
    };
    let identity =
        terms.identity.as_ref().map(|name| identity(standing(name), &stage.material.pki)).transpose()?;
    Ok(TlsMaterial { trust_anchors, identity })
}

fn identity(name: &CredentialName, pki: &Pki) -> Result<Identity, notafter_pki::Error> {
    let issued = pki.issued(name)?;
    Ok(Identity { chain: issued.chain_der().to_vec(), key: issued.key().to_der() })
}
