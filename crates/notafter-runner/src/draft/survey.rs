//! One look at a program where its window begins: which ports it opens, and what answers there.

use crate::Error;
use crate::host_clock::{Patience, Stopwatch};
use crate::interrupt::Interrupt;
use crate::network::Network;
use notafter_backend::{Awaited, Sandbox, ServiceState};
use notafter_core::{
    Answer, HttpContent, HttpMethod, Probe, Seen, ServedCertificate, ServiceName, TlsTerms, UnixTime, Verify,
};
use notafter_pki::read::{base64_bytes, dns_names};
use notafter_probe::{Look, Prober, Timing, TlsMaterial};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a program may take until the ports that are wanted answer, as long as none does.
const LONGEST: Duration = Duration::from_secs(30);
/// How long a program of which no port is known may take to open one.
const OPENING: Duration = Duration::from_secs(4);
/// How long no further port must open before all are taken to be open.
const QUIET: Duration = Duration::from_millis(700);
/// The same where ports are wanted that are not open yet.
const QUIET_WANTED: Duration = Duration::from_secs(5);
/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(2);
/// Ports from here on are given out by chance (ip(7), `ip_local_port_range`).
const FIRST_BY_CHANCE: u16 = 32_768;

/// What answers on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Speaks {
    /// HTTP, with this status.
    Http(u16),
    /// HTTP over TLS, with this status.
    Https(u16, Option<String>),
    /// TLS that lets nobody in without a certificate.
    MutualTls,
    /// It takes connections; what it speaks is not known.
    Something,
    /// TLS; the name that it goes by, where one is known.
    Tls(Option<String>),
}

/// What was seen of a program.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// What answers, by port.
    pub(super) ports: Vec<(u16, Speaks)>,
    /// How it ended, where it did.
    pub(super) ended: Option<String>,
    /// What was seen and cannot be asked for.
    pub(super) remarks: Vec<String>,
}

/// A look at one service that has been launched.
pub(super) struct Surveyor<'a> {
    pub(super) service: &'a ServiceName,
    pub(super) sandbox: &'a mut dyn Sandbox,
    /// What the verifier takes as now.
    pub(super) now: UnixTime,
    pub(super) interrupt: &'a Interrupt,
}

impl Surveyor<'_> {
    /// Waits until the ports are open, those of `wanted` first of all, and asks each what it speaks.
    pub(super) fn survey(mut self, wanted: &[u16]) -> Result<Survey, Error> {
        let mut survey = Survey::default();
        let open = self.open_ports(wanted, &mut survey)?;
        if survey.ended.is_some() {
            return Ok(survey);
        }
        for port in open {
            let is_wanted = wanted.contains(&port);
            if port >= FIRST_BY_CHANCE && !is_wanted {
                survey.remarks.push(format!(
                    "port {port} is open and not asked: numbers that high are given out by chance; --port {port} asks it"
                ));
                continue;
            }
            match self.speaks(port)? {
                Some(speaks) => survey.ports.push((port, speaks)),
                None => survey
                    .remarks
                    .push(format!("port {port} is open and not asked: it takes no connections from outside")),
            }
        }
        for port in wanted.iter().filter(|port| !survey.ports.iter().any(|(open, _)| open == *port)) {
            survey.remarks.push(format!("nothing listened on port {port}"));
        }
        survey.ended = self.ended()?;
        Ok(survey)
    }

    fn failed(&self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::Draft { service: self.service.clone(), source: Box::new(source) }
    }

    fn ended(&mut self) -> Result<Option<String>, Error> {
        let state = self.sandbox.state(self.service);
        Ok(match state.map_err(|error| self.failed(error))? {
            ServiceState::Idle | ServiceState::Running => None,
            ServiceState::Ended { code, .. } => Some(format!("it ended with exit code {code}")),
            ServiceState::Unstartable { reason } => Some(reason),
        })
    }

    fn open_ports(&mut self, wanted: &[u16], survey: &mut Survey) -> Result<BTreeSet<u16>, Error> {
        let longest = if wanted.is_empty() { OPENING } else { LONGEST };
        let mut patience = Patience::new(longest, Duration::from_millis(20), Duration::from_millis(100));
        let (mut open, mut quiet) = (BTreeSet::new(), Stopwatch::start());
        loop {
            if self.interrupt.is_raised() {
                return Err(Error::Stopped);
            }
            survey.ended = self.ended()?;
            if survey.ended.is_some() {
                return Ok(open);
            }
            let listening = self.sandbox.listening().map_err(|error| self.failed(error))?;
            let now = match listening {
                Some(ports) => ports,
                None => self.answering(wanted)?,
            };
            if now != open {
                (open, quiet) = (now, Stopwatch::start());
            }
            let enough = if wanted.iter().all(|port| open.contains(port)) { QUIET } else { QUIET_WANTED };
            if !open.is_empty() && quiet.elapsed() >= enough || !patience.wait() {
                return Ok(open);
            }
            self.sandbox
                .catch_up(Awaited::Readiness, patience.elapsed())
                .map_err(|error| self.failed(error))?;
        }
    }

    /// Those of `ports` that take connections, for back ends that cannot tell who listens.
    fn answering(&mut self, ports: &[u16]) -> Result<BTreeSet<u16>, Error> {
        let mut open = BTreeSet::new();
        for port in ports {
            let answer = self.sandbox.connect(None, self.service.as_str(), *port, QUESTION);
            if answer.map_err(|error| self.failed(error))?.is_ok() {
                open.insert(*port);
            }
        }
        Ok(open)
    }

    /// What `port` speaks: TLS is asked for first, since what speaks it answers everything else with nonsense.
    fn speaks(&mut self, port: u16) -> Result<Option<Speaks>, Error> {
        let host = self.service.to_string();
        let look = self.look(&Probe::Tls { host: host.clone(), port, terms: terms(Verify::Off, None) })?;
        match (&look.seen, look.served.is_empty()) {
            (Seen::Answered(_), false) => {
                let name = self.name(port, &look.served)?;
                let tls = Some(terms(Verify::Off, name.clone()));
                return Ok(Some(match self.http(port, tls)? {
                    Some(status) => Speaks::Https(status, name),
                    None => Speaks::Tls(name),
                }));
            }
            (Seen::Refused(_), false) => return Ok(Some(Speaks::MutualTls)),
            _ => {}
        }
        if let Some(status) = self.http(port, None)? {
            return Ok(Some(Speaks::Http(status)));
        }
        let answer = self.sandbox.connect(None, &host, port, QUESTION);
        let takes = answer.map_err(|error| self.failed(error))?.is_ok();
        Ok(takes.then_some(Speaks::Something))
    }

    /// The name that a client would know the service by: the first of its certificate, if it is shown for that name.
    fn name(&mut self, port: u16, served: &[ServedCertificate]) -> Result<Option<String>, Error> {
        let der = served.first().and_then(|leaf| base64_bytes(leaf.der_base64.as_bytes()));
        let Some(first) = der.and_then(|der| dns_names(&der).into_iter().next()) else { return Ok(None) };
        let name = first.strip_prefix("*.").map(|rest| format!("any.{rest}")).unwrap_or(first);
        // Names with other characters are none that scenarios can write.
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)) {
            return Ok(None);
        }
        let host = self.service.to_string();
        let probe = Probe::Tls { host, port, terms: terms(Verify::Dates, Some(name.clone())) };
        let accepted = matches!(self.look(&probe)?.seen, Seen::Answered(_));
        Ok(accepted.then_some(name))
    }

    fn http(&mut self, port: u16, tls: Option<TlsTerms>) -> Result<Option<u16>, Error> {
        let (host, path) = (self.service.to_string(), "/".to_owned());
        let probe = Probe::Http {
            host,
            port,
            path,
            method: HttpMethod::Get,
            content: HttpContent::default(),
            tls,
            token: None,
        };
        Ok(match self.look(&probe)?.seen {
            Seen::Answered(Answer::Http { status, .. }) => Some(status),
            _ => None,
        })
    }

    fn look(&mut self, probe: &Probe) -> Result<Look, Error> {
        if self.interrupt.is_raised() {
            return Err(Error::Stopped);
        }
        let watch = Stopwatch::start();
        let network = Network::of(self.sandbox);
        let timing = Timing {
            now: self.now,
            host: &|| watch.elapsed(),
            within: QUESTION,
            waiting: &|| network.catch_up(watch.elapsed()),
        };
        let prober = Prober::new(probe, None, TlsMaterial::default());
        let look = prober.and_then(|mut prober| prober.fresh(&mut &network, &timing));
        network.close().map_err(|error| self.failed(error))?;
        look.map_err(|error| self.failed(error))
    }
}

pub(super) fn terms(verify: Verify, server_name: Option<String>) -> TlsTerms {
    TlsTerms { trust: None, identity: None, verify, server_name, starttls: None }
}
