//! What starting a service in the embedded back end costs over plain exec.

use super::figure::{Bound, Figure, median};
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, ensure};
use notafter_backend::{Backend, Bind, Embedded, LaunchSpec, RootTree, SandboxSpec, ServiceState};
use notafter_core::{ServiceName, UnixTime};
use std::process::Command;
use std::time::Duration;

const STARTS: usize = 60;

pub(super) fn measure() -> Result<Figure> {
    let own = std::env::current_exe().context("failed to find this program")?;
    let service = ServiceName::new("guest")?;
    let hosts = vec![service.clone()];
    let clock = Some(UnixTime::parse("2030-01-01T00:00:00Z")?);
    let mut sandbox = Embedded::new(notafter_runner::host_now)?.open(&SandboxSpec {
        hosts,
        aliases: Vec::new(),
        clock: clock.map(Into::into),
        scratch: None,
    })?;
    let spec = LaunchSpec {
        binds: vec![Bind { source: own.clone(), target: "/guest".to_owned() }],
        command: Some(vec!["/guest".to_owned(), "guest-nothing".to_owned()]),
        ..LaunchSpec::idle(service.clone(), RootTree::Empty)
    };
    let (mut plain, mut embedded) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let watch = Stopwatch::start();
        let status = Command::new(&own).arg("guest-nothing").status().context("failed to start a guest")?;
        plain.push(watch.elapsed());
        ensure!(status.success(), "a guest failed");
        let watch = Stopwatch::start();
        sandbox.launch(&spec)?;
        // To its end, as on the other side.
        while sandbox.state(&service)? == ServiceState::Running {
            std::thread::sleep(Duration::from_micros(100));
        }
        embedded.push(watch.elapsed());
    }
    sandbox.close()?;
    let millis = |durations| median(durations).as_secs_f64() * 1e3;
    let (plain, embedded) = (millis(plain), millis(embedded));
    Ok(Figure {
        what: "starting an embedded service, over plain exec",
        measured: embedded - plain,
        bound: Bound::Millis(15.0),
        from: format!("{embedded:.1} ms against {plain:.1} ms, start to end, medians of {STARTS}"),
    })
}
