//! What an image says about how it runs.

use crate::documents::{Execution, Health};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a service runs where its scenario says nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// What runs, before the command.
    pub entrypoint: Vec<String>,
    /// The command: arguments of the entrypoint, or what runs where there is none.
    pub command: Vec<String>,
    /// Environment variables, in order.
    pub env: Vec<(String, String)>,
    /// `user` or `user:group`; none is root.
    pub user: Option<String>,
    /// Working directory, absolute; none is `/`.
    pub workdir: Option<String>,
    /// Number of the signal that asks the main process to end; none is SIGTERM.
    pub stop_signal: Option<i32>,
    /// Directories whose content outlives the container, absolute.
    pub volumes: Vec<String>,
    /// TCP ports that it says it listens on, in ascending order.
    pub ports: Vec<u16>,
    /// Its HEALTHCHECK.
    pub health: Option<HealthCheck>,
}

/// A command that tells whether a service is healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Command and arguments, the shell included where it was given in shell form.
    pub command: Vec<String>,
    /// Between two looks.
    pub interval: Duration,
    /// Longest time for one look.
    pub timeout: Duration,
    /// How long failures do not count after a start.
    pub start_period: Duration,
    /// Failures in a row after which the service is unhealthy.
    pub retries: u32,
}

impl HealthCheck {
    /// How long a service may take until it is healthy, or counts as unhealthy.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let failures = self.interval.saturating_add(self.timeout).saturating_mul(self.retries);
        self.start_period.saturating_add(failures).min(LONGEST)
    }
}

/// What Docker takes where the image says nothing.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const RETRIES: u32 = 3;
const LONGEST: Duration = Duration::from_secs(86_400);

impl ImageConfig {
    /// What `execution` says; the error is a fragment that follows "its configuration".
    pub(crate) fn read(execution: Execution) -> Result<Self, String> {
        let Execution {
            user,
            exposed_ports,
            env,
            entrypoint,
            cmd,
            volumes,
            working_dir,
            stop_signal,
            healthcheck,
            shell,
        } = execution;
        let texts = [&user, &working_dir, &stop_signal].into_iter();
        let lists = [&env, &entrypoint, &cmd, &shell].into_iter().flatten();
        if texts.chain(lists).any(|text| text.contains('\0')) {
            return Err("holds a zero byte".to_owned());
        }
        let mut ports: Vec<u16> = exposed_ports.keys().filter_map(|port| tcp_port(port)).collect();
        ports.sort_unstable();
        Ok(Self {
            entrypoint,
            command: cmd,
            env: env.iter().map(|pair| variable(pair)).collect::<Result<_, _>>()?,
            user: Some(user).filter(|user| !user.is_empty()),
            workdir: match working_dir.as_str() {
                "" => None,
                path => Some(absolute(path)?),
            },
            stop_signal: match stop_signal.as_str() {
                "" => None,
                name => Some(signal(name).ok_or_else(|| format!("names no signal by `{name}`"))?),
            },
            volumes: volumes.keys().map(|path| absolute(path)).collect::<Result<_, _>>()?,
            ports,
            health: healthcheck.map(|health| look(health, &shell)).transpose()?.flatten(),
        })
    }
}

fn tcp_port(text: &str) -> Option<u16> {
    match text.split_once('/') {
        None | Some((_, "tcp")) => text.split('/').next()?.parse().ok().filter(|port| *port > 0),
        Some(_) => None,
    }
}

fn variable(pair: &str) -> Result<(String, String), String> {
    match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("has `{pair}` among its variables")),
    }
}

/// An engine takes a relative path from the root.
fn absolute(path: &str) -> Result<String, String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    match parts.contains(&"..") {
        true => Err(format!("has the path `{path}`, which is not plain")),
        false => Ok(format!("/{}", parts.join("/"))),
    }
}

/// `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`, by the numbers of Linux on x86_64 and aarch64 (signal(7)).
fn signal(text: &str) -> Option<i32> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
        "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
        "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    let (first_real_time, last_real_time) = (34, 64);
    if let Ok(number) = text.parse::<i32>() {
        return (1..=last_real_time).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(at) = NAMES.iter().position(|known| *known == name) {
        return i32::try_from(at + 1).ok();
    }
    let offset = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i32>().ok() };
    let number = if let Some(rest) = name.strip_prefix("RTMIN") {
        first_real_time + offset(rest.trim_start_matches('+'))?
    } else {
        last_real_time - offset(name.strip_prefix("RTMAX")?.trim_start_matches('-'))?
    };
    (first_real_time..=last_real_time).contains(&number).then_some(number)
}

fn look(health: Health, shell: &[String]) -> Result<Option<HealthCheck>, String> {
    let span = |nanos: i64, usual: Duration| match u64::try_from(nanos) {
        Ok(0) | Err(_) => usual,
        Ok(nanos) => Duration::from_nanos(nanos).min(LONGEST),
    };
    let command = match health.test.split_first() {
        None => return Ok(None),
        Some((kind, _)) if kind == "NONE" => return Ok(None),
        Some((kind, words)) if kind == "CMD" && !words.is_empty() => words.to_vec(),
        Some((kind, [line])) if kind == "CMD-SHELL" => {
            let usual = ["/bin/sh".to_owned(), "-c".to_owned()];
            let mut words = if shell.is_empty() { usual.to_vec() } else { shell.to_vec() };
            words.push(line.clone());
            words
        }
        Some(_) => return Err(format!("has a HEALTHCHECK of no known form: {:?}", health.test)),
    };
    if command.iter().any(|word| word.contains('\0')) {
        return Err("holds a zero byte".to_owned());
    }
    Ok(Some(HealthCheck {
        command,
        interval: span(health.interval, INTERVAL),
        timeout: span(health.timeout, TIMEOUT),
        start_period: span(health.start_period, Duration::ZERO),
        retries: u32::try_from(health.retries).ok().filter(|retries| *retries > 0).unwrap_or(RETRIES),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ImageConfig, String> {
        ImageConfig::read(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn everything_that_an_image_says_is_read() {
        let config = read(
            r#"{ "User": "www", "Env": ["A=b=c", "EMPTY="], "Entrypoint": ["/run"], "Cmd": ["-x"],
                 "WorkingDir": "srv/www", "StopSignal": "SIGQUIT", "Volumes": { "/data/": {} },
                 "ExposedPorts": { "443/tcp": {}, "53/udp": {}, "80": {} }, "Shell": ["/bin/bash", "-ec"],
                 "Healthcheck": { "Test": ["CMD-SHELL", "true && true"], "Interval": 1000000000,
                                  "Timeout": 2000000000, "StartPeriod": 5000000000, "Retries": 4 } }"#,
        )
        .unwrap();
        let text = str::to_owned;
        let expected = ImageConfig {
            entrypoint: vec![text("/run")],
            command: vec![text("-x")],
            env: vec![(text("A"), text("b=c")), (text("EMPTY"), text(""))],
            user: Some(text("www")),
            workdir: Some(text("/srv/www")),
            stop_signal: Some(3),
            volumes: vec![text("/data")],
            ports: vec![80, 443],
            health: Some(HealthCheck {
                command: vec![text("/bin/bash"), text("-ec"), text("true && true")],
                interval: Duration::from_secs(1),
                timeout: Duration::from_secs(2),
                start_period: Duration::from_secs(5),
                retries: 4,
            }),
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn null_and_nothing_are_the_same() {
        let nothing = read("{}").unwrap();
        assert_eq!(nothing, ImageConfig::default());
        let nulls = r#"{ "User": null, "Env": null, "Entrypoint": null, "Cmd": null, "Volumes": null,
                         "WorkingDir": null, "Healthcheck": null, "ExposedPorts": null, "Shell": null }"#;
        assert_eq!(read(nulls).unwrap(), nothing);
        assert_eq!(read(r#"{ "Healthcheck": { "Test": ["NONE"] } }"#).unwrap(), nothing);
    }

    #[test]
    fn a_health_check_in_shell_form_runs_in_the_usual_shell_with_the_usual_patience() {
        let config = read(r#"{ "Healthcheck": { "Test": ["CMD-SHELL", "true"] } }"#).unwrap();
        let health = config.health.unwrap();
        assert_eq!(health.command, ["/bin/sh", "-c", "true"]);
        assert_eq!((health.timeout.as_secs(), health.patience().as_secs()), (30, 180));
    }

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, number) in [
            ("SIGTERM", Some(15)),
            ("term", Some(15)),
            ("9", Some(9)),
            ("SIGWINCH", Some(28)),
            ("SIGRTMIN+3", Some(37)),
            ("RTMAX-1", Some(63)),
            ("0", None),
            ("65", None),
            ("SIGNONE", None),
            ("RTMIN+99", None),
        ] {
            assert_eq!(signal(text), number, "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for json in [
            r#"{ "Env": ["=x"] }"#,
            r#"{ "Env": ["x"] }"#,
            r#"{ "StopSignal": "SIGNAL" }"#,
            r#"{ "WorkingDir": "/a/../b" }"#,
            r#"{ "Cmd": ["a\u0000b"] }"#,
            r#"{ "Healthcheck": { "Test": ["SHELL", "x"] } }"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
