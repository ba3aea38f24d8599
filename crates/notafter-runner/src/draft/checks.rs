//! From what was seen of a program to checks.
//!
//! What must never happen here: a check that could pass though nothing was looked at, in place of one that was wanted.

use super::survey::{Speaks, Survey, Surveyor, terms};
use crate::images::Images;
use crate::interrupt::Interrupt;
use crate::secrets::Secrets;
use crate::stage::Stage;
use crate::{Error, Options};
use notafter_backend::{Backend, Sandbox, SandboxSpec};
use notafter_core::{
    Check, CheckName, Connection, Draft, DraftedCheck, Expectation, ExpectedSpan, HttpContent, HttpMethod,
    ImageRef, Probe, ReadyProbe, Restart, Restrictions, Scenario, ScenarioName, Service, ServiceName,
    SourceLocation, Verify, Works,
};
use notafter_image::ImageConfig;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a look may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a failure may last before it counts.
const SETTLE: Duration = Duration::from_secs(1);
/// How long a program may take to get ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A draft that says no more of `image` than that it runs.
#[must_use]
pub fn starting_point(name: ServiceName, scenario: ScenarioName, image: ImageRef, support: &str) -> Draft {
    let service = Service {
        name: name.clone(),
        aliases: Vec::new(),
        image: Some(image),
        entrypoint: None,
        command: None,
        env: BTreeMap::new(),
        user: None,
        workdir: None,
        files: Vec::new(),
        scan: Vec::new(),
        volumes: Vec::new(),
        ready: None,
        restrictions: Restrictions::default(),
        ready_within: READY_WITHIN,
        needs: Vec::new(),
        after: Vec::new(),
        restart: Restart::Never,
        stands_for: Vec::new(),
        location: nowhere(),
    };
    let alive = drafted("alive", Probe::Alive { service: name }, works(None), "it goes on running");
    let checks = alive.into_iter().collect();
    Draft {
        name: scenario,
        start: None,
        support: support.to_owned(),
        compose: Vec::new(),
        service,
        checks,
        remarks: Vec::new(),
    }
}

/// Runs the one service of `scenario`, which was read from `draft`, where the window begins, and adds to the draft what
/// can be asked of it. `ports` are wanted beside those that the image names.
///
/// # Errors
/// Where the service cannot be looked at: see [`Error`]. One that does not work is no error.
pub fn complete(
    mut draft: Draft,
    scenario: &Scenario,
    images: &Images,
    backend: &dyn Backend,
    ports: &[u16],
    options: &Options,
) -> Result<Draft, Error> {
    let name = draft.service.name.clone();
    let service = scenario.service(&name).unwrap_or(&draft.service);
    let config = images.of(scenario, service)?.config.clone();
    let mut wanted: Vec<u16> = config.ports.iter().chain(ports).copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let failed = |source| Error::Draft { service: name.clone(), source: Box::new(source) };
    let start = scenario.start.instant();
    let survey = {
        let secrets = Secrets::collect(scenario, |variable| options.variables.value(variable))?;
        let pki = notafter_pki::Pki::generate(&scenario.name, &scenario.credentials).map_err(Error::Pki)?;
        let stage = Stage::build(scenario, images, pki, secrets, options)?;
        let hosts = vec![name.clone()];
        let mut sandbox = backend
            .open(&SandboxSpec { hosts, aliases: Vec::new(), clock: Some(start.into()), scratch: None })
            .map_err(failed)?;
        let looked = looked(&stage, sandbox.as_mut(), service, &wanted, &options.interrupt);
        let closed = sandbox.close().map_err(failed);
        let survey = looked?;
        closed?;
        survey
    };
    add(&mut draft, survey, &config, ports);
    Ok(draft)
}

fn looked(
    stage: &Stage<'_>,
    sandbox: &mut dyn Sandbox,
    service: &Service,
    wanted: &[u16],
    interrupt: &Interrupt,
) -> Result<Survey, Error> {
    let Some(spec) = stage.material.launches.get(&service.name) else { return Ok(Survey::default()) };
    sandbox
        .launch(spec)
        .map_err(|source| Error::Draft { service: service.name.clone(), source: Box::new(source) })?;
    let now = sandbox.now().second;
    Surveyor { service: &service.name, sandbox, now, interrupt }.survey(wanted)
}

fn add(draft: &mut Draft, survey: Survey, config: &ImageConfig, asked_for: &[u16]) {
    let Survey { ports, ended, remarks } = survey;
    let name = draft.service.name.clone();
    draft.remarks.extend(remarks);
    if let Some(how) = &ended {
        draft.remarks.push(format!("where the window begins it does not stay up: {how}"));
    }
    // One that is not there can only be asked whether it comes.
    let promised = asked_for.iter().chain(config.ports.iter().filter(|_| ended.is_some()));
    let mut missing: Vec<u16> =
        promised.filter(|port| !ports.iter().any(|(open, _)| open == *port)).copied().collect();
    missing.sort_unstable();
    missing.dedup();
    if config.health.is_none() {
        let first = config.ports.iter().find(|port| ports.iter().any(|(open, _)| open == *port));
        let first = first.or(ports.first().map(|(port, _)| port)).or(missing.first());
        draft.service.ready = first.map(|port| ReadyProbe::Tcp(*port));
    }
    if let Some(health) = &config.health {
        let (service, command) = (name.clone(), health.command.clone());
        let probe = Probe::Exec { service, command };
        let mut check = drafted("health", probe, works(None), "the image's own HEALTHCHECK");
        check.iter_mut().for_each(|check| check.check.within = health.timeout);
        draft.checks.extend(check);
    }
    for (port, speaks) in ports {
        draft.checks.extend(ask(&name, port, speaks, &mut draft.remarks));
    }
    for port in missing {
        let probe = Probe::Tcp { host: name.to_string(), port };
        let why = "nothing listened there when it was drafted";
        draft.checks.extend(drafted(&format!("port-{port}"), probe, works(None), why));
    }
}

fn ask(name: &ServiceName, port: u16, speaks: Speaks, remarks: &mut Vec<String>) -> Option<DraftedCheck> {
    let host = name.to_string();
    let http = |host: String, tls| {
        let (path, method) = ("/".to_owned(), HttpMethod::Get);
        Probe::Http { host, port, path, method, content: HttpContent::default(), tls, token: None }
    };
    let called = format!("port-{port}");
    match speaks {
        Speaks::Http(status) => {
            drafted(&called, http(host, None), works(Some(status)), &format!("it answered {status}"))
        }
        Speaks::Https(status, server_name) => {
            let why = format!("it answered {status} over TLS; its certificates must be in force");
            let tls = terms(Verify::Dates, server_name);
            drafted(&called, http(host, Some(tls)), works(Some(status)), &why)
        }
        Speaks::MutualTls => {
            remarks.push(format!(
                "port {port} lets nobody in without a certificate: whether it lets its clients in is not looked at"
            ));
            let control = CheckName::new("alive").ok()?;
            let terms = terms(Verify::Off, None);
            let probe = Probe::Tls { host, port, terms };
            let expectation = Expectation::Rejected { control };
            drafted(
                &called,
                probe,
                expectation,
                "it asks clients for a certificate, and turned away one without",
            )
        }
        Speaks::Something => drafted(&called, Probe::Tcp { host, port }, works(None), "it takes connections"),
        Speaks::Tls(server_name) => {
            let terms = terms(Verify::Dates, server_name);
            let why = "it speaks TLS; its certificates must be in force";
            drafted(&called, Probe::Tls { host, port, terms }, works(None), why)
        }
    }
}

fn works(status: Option<u16>) -> Expectation {
    let status = status.filter(|status| !(200..300).contains(status));
    Expectation::Works(Works { status, ..Works::default() })
}

/// None where the name is none, which those given here are not.
fn drafted(name: &str, probe: Probe, expectation: Expectation, why: &str) -> Option<DraftedCheck> {
    let check = Check {
        name: CheckName::new(name).ok()?,
        from: None,
        probe,
        connections: vec![Connection::Fresh],
        within: WITHIN,
        settle: SETTLE,
        before: Vec::new(),
        stale: Vec::new(),
        expect: vec![ExpectedSpan { after: None, through: None, expectation, location: nowhere() }],
        location: nowhere(),
    };
    Some(DraftedCheck { check, why: why.to_owned() })
}

fn nowhere() -> SourceLocation {
    SourceLocation { file: "draft".to_owned(), line: 1, column: 1 }
}
