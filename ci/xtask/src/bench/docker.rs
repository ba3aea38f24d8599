//! What a case of one service in containers costs over what the engine itself needs for the same containers.

use super::figure::{Bound, Figure, median};
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Result, bail, ensure};
use notafter_backend::{Backend, Bind, Docker, LaunchSpec, RootTree, SandboxSpec, ServiceState};
use notafter_core::{ServiceName, UnixTime};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const ROUNDS: usize = 9;
const SOCKET: &str = "/var/run/docker.sock";
/// The program that a container by hand runs.
const GUEST: &str = "/guest";
/// The argument with which this program stays until it is killed.
const STAY: &str = "guest-stay";

/// Both sides make a container for the network and one for the service, and take both away, in turns.
pub(super) fn measure() -> Result<Figure> {
    let own = std::env::current_exe().context("failed to find this program")?;
    let docker = Docker::new(notafter_runner::host_now)?;
    // Images are loaded once, and belong to neither side.
    through_the_tool(&docker, &own)?;
    let image = images_in_use(&docker, &own)?;
    let (mut by_hand, mut by_tool) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let watch = Stopwatch::start();
        through_the_api(&image, &own)?;
        by_hand.push(watch.elapsed());
        let watch = Stopwatch::start();
        through_the_tool(&docker, &own)?;
        by_tool.push(watch.elapsed());
    }
    let millis = |durations| median(durations).as_secs_f64() * 1e3;
    let (by_hand, by_tool) = (millis(by_hand), millis(by_tool));
    Ok(Figure {
        what: "a case of one service in containers, over the engine alone",
        measured: by_tool / by_hand,
        bound: Bound::Ratio(1.10),
        from: format!(
            "{by_tool:.0} ms against {by_hand:.0} ms, two containers made and removed, medians of {ROUNDS}"
        ),
    })
}

fn open(docker: &Docker, own: &Path) -> Result<Box<dyn notafter_backend::Sandbox>> {
    let service = ServiceName::new("guest")?;
    let clock = Some(UnixTime::parse("2030-01-01T00:00:00Z")?);
    let hosts = vec![service.clone()];
    let mut sandbox = docker.open(&SandboxSpec {
        hosts,
        aliases: Vec::new(),
        clock: clock.map(Into::into),
        scratch: None,
    })?;
    sandbox.launch(&LaunchSpec {
        binds: vec![Bind { source: own.to_owned(), target: GUEST.to_owned() }],
        command: Some(vec![GUEST.to_owned(), STAY.to_owned()]),
        ..LaunchSpec::idle(service.clone(), RootTree::Empty)
    })?;
    ensure!(sandbox.state(&service)? == ServiceState::Running, "the service does not run");
    Ok(sandbox)
}

fn through_the_tool(docker: &Docker, own: &Path) -> Result<()> {
    open(docker, own)?.close()?;
    Ok(())
}

/// The image that the tool made of the service.
fn images_in_use(docker: &Docker, own: &Path) -> Result<String> {
    let sandbox = open(docker, own)?;
    let listed = ask("GET", "/containers/json?filters=%7B%22label%22%3A%5B%22notafter.owner%22%5D%7D", "")?;
    // The service was made last, and is listed first.
    let image = value(&listed, "ImageID").context("the engine lists no container")?;
    sandbox.close()?;
    Ok(image)
}

fn through_the_api(image: &str, own: &Path) -> Result<()> {
    let network = create(image, own, "none")?;
    ask("POST", &format!("/containers/{network}/start"), "")?;
    let service = create(image, own, &format!("container:{network}"))?;
    ask("POST", &format!("/containers/{service}/start"), "")?;
    std::thread::scope(|scope| {
        let removals = [&network, &service]
            .map(|id| scope.spawn(move || ask("DELETE", &format!("/containers/{id}?force=true&v=true"), "")));
        for removal in removals {
            match removal.join() {
                Ok(removed) => _ = removed?,
                Err(_) => bail!("a removal failed"),
            }
        }
        Ok(())
    })
}

fn create(image: &str, own: &Path, network: &str) -> Result<String> {
    let own = own.display();
    let body = format!(
        "{{\"Image\":\"{image}\",\"Entrypoint\":[\"{GUEST}\",\"{STAY}\"],\"HostConfig\":{{\"NetworkMode\":\"{network}\",\
         \"LogConfig\":{{\"Type\":\"none\"}},\"Tmpfs\":{{\"/.notafter\":\"mode=0711\"}},\"Binds\":[\"{own}:{GUEST}:ro\"]}}}}"
    );
    let made = ask("POST", "/containers/create", &body)?;
    value(&made, "Id").with_context(|| format!("the engine made no container: {made}"))
}

/// The body of the answer to one request.
fn ask(method: &str, path: &str, body: &str) -> Result<String> {
    let mut stream = UnixStream::connect(SOCKET).context("no engine answers")?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    // An answer to HTTP/1.0 ends with its connection.
    write!(
        stream,
        "{method} /v1.41{path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the engine answers something else")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(status.starts_with('2'), "{method} {path}: {status} {body}");
    Ok(body.to_owned())
}

/// The first text that is given for `key`.
fn value(json: &str, key: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{key}\":\""))?;
    rest.split_once('"').map(|(text, _)| text.to_owned())
}
