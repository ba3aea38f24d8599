//! A draft as the text of a scenario file, for people to grow it from.

use crate::words::count;
use notafter_core::{
    Check, Draft, EnvValue, Expectation, HttpMethod, Probe, ReadyProbe, Service, TlsTerms, Verify, Works,
};
use std::fmt::{self, Write as _};
use std::time::Duration;

/// What stands for the file of a draft that nobody keeps.
pub const UNSAVED: &str = "(drafted)";

/// Where a draft's modeline says that its schema is.
const SCHEMA: &str = "notafter.schema.json";

/// The text of a scenario file that says what `draft` says.
#[must_use]
pub fn scenario_text(draft: &Draft) -> String {
    let mut text = String::new();
    // A String takes everything that is written to it.
    _ = write(&mut text, draft);
    text
}

/// What was drafted and why, for who waits for the verdict.
#[must_use]
pub fn drafted(draft: &Draft) -> String {
    let mut text = format!("drafted {}\n", count(draft.checks.len(), "check"));
    for drafted in &draft.checks {
        let (name, kind) = (&drafted.check.name, drafted.check.probe.kind());
        text.push_str(&format!("  {name} ({kind}): {}\n", one_line(&drafted.why)));
    }
    for remark in &draft.remarks {
        text.push_str(&format!("  note: {}\n", one_line(remark)));
    }
    text
}

fn write(text: &mut String, draft: &Draft) -> fmt::Result {
    let service = draft.service.name.as_str();
    writeln!(
        text,
        "# Drafted by notafter from the program alone. Grow it: checks that do what clients do show most."
    )?;
    writeln!(text, "# Editors complete and check it once `notafter schema >{SCHEMA}` stands beside it.")?;
    writeln!(text, "# yaml-language-server: $schema={SCHEMA}")?;
    for remark in &draft.remarks {
        writeln!(text, "# Note: {}", one_line(remark))?;
    }
    writeln!(text, "notafter: 1")?;
    writeln!(text, "name: {}", draft.name)?;
    if let Some(start) = &draft.start {
        writeln!(text, "start: {}", quoted(start))?;
    }
    writeln!(text, "support: {}    # how long the release must run unattended", quoted(&draft.support))?;
    writeln!(text, "candidate: {}", quoted(service))?;
    if draft.compose.is_empty() {
        writeln!(text, "\nservices:\n  {}:", quoted(service))?;
        service_lines(text, &draft.service)?;
    } else {
        let files: Vec<String> = draft.compose.iter().map(|path| path.display().to_string()).collect();
        writeln!(text, "\n# What runs. `services:` beside it says more of one of them, or takes its place.")?;
        writeln!(text, "compose: {}", list(&files))?;
    }
    writeln!(text, "\nchecks:")?;
    for drafted in &draft.checks {
        writeln!(text, "  {}:    # {}", quoted(drafted.check.name.as_str()), one_line(&drafted.why))?;
        check_lines(text, &drafted.check)?;
    }
    writeln!(text, "\npolicy:")?;
    writeln!(
        text,
        "  # What ends in the files of the release while no check sees it end is doubt: say `warn` once the"
    )?;
    writeln!(text, "  # checks above do what those credentials are for.")?;
    writeln!(text, "  present_but_unused: doubt")
}

fn service_lines(text: &mut String, service: &Service) -> fmt::Result {
    if let Some(image) = &service.image {
        writeln!(text, "    image: {}", quoted(&image.to_string()))?;
    }
    if let Some(command) = &service.command {
        writeln!(text, "    command: {}", list(command))?;
    }
    if !service.env.is_empty() {
        writeln!(text, "    env:")?;
        for (name, value) in &service.env {
            match value {
                // Whoever drafts has none of them; the program that reads it would have nothing there.
                EnvValue::Hidden(_) => writeln!(text, "      {}: \"\"", quoted(name))?,
                EnvValue::Plain(value) => writeln!(text, "      {}: {}", quoted(name), quoted(value))?,
                EnvValue::Secret(variable) => {
                    writeln!(text, "      {}: {{ secret: {} }}", quoted(name), plain(variable))?;
                }
            }
        }
    }
    for (key, value) in [("user", &service.user), ("workdir", &service.workdir)] {
        if let Some(value) = value {
            writeln!(text, "    {key}: {}", quoted(value))?;
        }
    }
    match &service.ready {
        Some(ReadyProbe::Exec(command)) => {
            writeln!(text, "    ready: {{ exec: {{ command: {} }} }}", list(command))?;
        }
        Some(ReadyProbe::Log(line)) => {
            writeln!(text, "    ready: {{ log: {{ contains: {} }} }}", quoted(line))?
        }
        Some(ReadyProbe::Tcp(port)) => writeln!(text, "    ready: {{ tcp: {{ port: {port} }} }}")?,
        None => {}
    }
    Ok(())
}

fn check_lines(text: &mut String, check: &Check) -> fmt::Result {
    writeln!(text, "    probe: {{ {} }}", probe(&check.probe))?;
    match check.expect.first().map(|span| &span.expectation) {
        Some(Expectation::Rejected { control }) => {
            writeln!(text, "    expect: {{ rejected: {{ control: {} }} }}", quoted(control.as_str()))?;
        }
        // No draft holds a rotation, and nothing else asks for this.
        Some(Expectation::Serves { .. }) => {}
        Some(Expectation::Works(works)) => {
            writeln!(text, "    expect: {{ works: {{{}}} }}", self::works(works))?
        }
        None => writeln!(text, "    expect: {{ works: {{}} }}")?,
    }
    writeln!(text, "    within: {}\n    settle: {}", span(check.within), span(check.settle))
}

fn works(works: &Works) -> String {
    // No draft asks for more.
    let Works { assertions: _, contains, lacks, exit, status } = works;
    let parts = [
        exit.map(|exit| format!("exit: {exit}")),
        status.map(|status| format!("status: {status}")),
        contains.as_ref().map(|text| format!("contains: {}", quoted(text))),
        lacks.as_ref().map(|text| format!("lacks: {}", quoted(text))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(" {} ", parts.join(", ")) }
}

fn probe(probe: &Probe) -> String {
    let method = |method: HttpMethod| match method {
        HttpMethod::Delete => ", method: DELETE",
        HttpMethod::Get => "",
        HttpMethod::Head => ", method: HEAD",
        HttpMethod::Patch => ", method: PATCH",
        HttpMethod::Post => ", method: POST",
        HttpMethod::Put => ", method: PUT",
    };
    match probe {
        Probe::Alive { service } => format!("alive: {{ service: {} }}", quoted(service.as_str())),
        // No draft holds one: nobody has told it who may log in.
        Probe::Amqp { host, port, terms, tls } => {
            let address = quoted(&format!("{host}:{port}"));
            let user = terms.user.as_ref().map(|user| format!(", user: {}", quoted(user)));
            let (user, tls) = (user.unwrap_or_default(), tls.as_ref().map(self::terms).unwrap_or_default());
            format!("amqp: {{ address: {address}{user}, vhost: {}{tls} }}", quoted(&terms.vhost))
        }
        Probe::Exec { service, command } => {
            format!("exec: {{ service: {}, command: {} }}", quoted(service.as_str()), list(command))
        }
        Probe::Greet { host, port, tls, .. } => {
            let address = quoted(&format!("{host}:{port}"));
            let terms = tls.as_ref().map(terms).unwrap_or_default();
            format!("{}: {{ address: {address}{terms} }}", probe.kind())
        }
        Probe::Grpc { host, port, service, tls, .. } => {
            let address = quoted(&format!("{host}:{port}"));
            let service = service.as_ref().map(|name| format!(", service: {}", quoted(name)));
            let terms = tls.as_ref().map(terms).unwrap_or_default();
            format!("grpc: {{ address: {address}{}{terms} }}", service.unwrap_or_default())
        }
        Probe::Http { host, port, path, method: how, tls, .. } => {
            let (scheme, terms) = match tls {
                Some(tls) => ("https", self::terms(tls)),
                None => ("http", String::new()),
            };
            let url = quoted(&format!("{scheme}://{host}:{port}{path}"));
            format!("{scheme}: {{ url: {url}{}{terms} }}", method(*how))
        }
        Probe::Log { service, contains, every } => {
            let every = every.map(|every| format!(", every: {}", span(every))).unwrap_or_default();
            format!("log: {{ service: {}, contains: {}{every} }}", quoted(service.as_str()), quoted(contains))
        }
        // Likewise.
        Probe::Sql { server, host, port, terms, tls } => {
            let address = quoted(&format!("{host}:{port}"));
            let (user, database) = (quoted(&terms.user), quoted(&terms.database));
            let tls = tls.as_ref().map(self::terms).unwrap_or_default();
            format!(
                "{}: {{ address: {address}, user: {user}, database: {database}, query: {}{tls} }}",
                server.name(),
                quoted(&terms.query)
            )
        }
        Probe::Tcp { host, port } => format!("tcp: {{ address: {} }}", quoted(&format!("{host}:{port}"))),
        Probe::Tls { host, port, terms } => {
            let address = quoted(&format!("{host}:{port}"));
            format!("tls: {{ address: {address}{} }}", self::terms(terms))
        }
    }
}

fn terms(terms: &TlsTerms) -> String {
    let verify = match terms.verify {
        Verify::Dates => "dates",
        Verify::Off => "off",
        Verify::Strict => "strict",
        Verify::Webpki => "webpki",
    };
    let name = terms.server_name.as_ref().map(|name| format!(", server_name: {}", quoted(name)));
    let starttls = terms.starttls.map(|protocol| format!(", starttls: {}", protocol.name()));
    format!(", verify: {verify}{}{}", name.unwrap_or_default(), starttls.unwrap_or_default())
}

fn span(span: Duration) -> String {
    match span.subsec_nanos() {
        0 => format!("{}s", span.as_secs()),
        _ => format!("{}ms", span.as_millis()),
    }
}

fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

/// Text in double quotes, with which a scenario file stands for just this text. What JSON escapes YAML reads, and a
/// dollar sign would begin a variable.
fn quoted(text: &str) -> String {
    plain(&text.replace('$', "$$"))
}

fn plain(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Comments end with their line.
fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}
