//! Where an engine answers.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where an engine on this machine answers, where nothing else is said.
const USUAL_SOCKET: &str = "/var/run/docker.sock";

/// The place at which an engine answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Address {
    /// Host and port, in the clear.
    Tcp(String),
    /// A socket of this machine.
    Unix(PathBuf),
}

impl Address {
    /// The one that DOCKER_HOST names, or the usual one.
    ///
    /// # Errors
    /// `Unsupported` for what cannot be talked to.
    pub(crate) fn from_environment() -> io::Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::named(variable("DOCKER_HOST").as_deref(), variable("DOCKER_TLS_VERIFY").is_some())
    }

    fn named(host: Option<&str>, with_tls: bool) -> io::Result<Self> {
        let unsupported = |words: String| Err(io::Error::new(io::ErrorKind::Unsupported, words));
        let Some(host) = host else { return Ok(Self::Unix(USUAL_SOCKET.into())) };
        if let Some(path) = host.strip_prefix("unix://") {
            return Ok(Self::Unix(path.into()));
        }
        let Some(rest) = host.strip_prefix("tcp://").or_else(|| host.strip_prefix("http://")) else {
            return unsupported(format!(
                "DOCKER_HOST is {host}: unix:// and tcp:// can be used; for ssh, forward the engine's socket with \
                 `ssh -L` and name that"
            ));
        };
        if with_tls {
            return unsupported(format!(
                "DOCKER_TLS_VERIFY is set for {host}: engines behind TLS cannot be used; forward the engine's socket \
                 with `ssh -L` and name that"
            ));
        }
        let rest = rest.trim_end_matches('/');
        let port = rest.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        match port {
            Some(_) if !rest.contains('/') => Ok(Self::Tcp(rest.to_owned())),
            _ => unsupported(format!("DOCKER_HOST is {host}, which does not read tcp://HOST:PORT")),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host) => write!(formatter, "tcp://{host}"),
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_host_names_is_read_or_refused_with_the_way_out() {
        let named = |host: &str, tls: bool| Address::named(Some(host), tls);
        assert_eq!(Address::named(None, true).unwrap(), Address::Unix(USUAL_SOCKET.into()));
        assert_eq!(named("unix:///run/e.sock", true).unwrap(), Address::Unix("/run/e.sock".into()));
        for host in ["tcp://docker:2375", "tcp://127.0.0.1:2375/", "http://[::1]:2375"] {
            assert!(named(host, false).unwrap().to_string().starts_with("tcp://"), "{host}");
        }
        for (host, tls, why) in [
            ("ssh://build@host", false, "ssh -L"),
            ("tcp://docker:2376", true, "TLS"),
            ("tcp://docker", false, "HOST:PORT"),
            ("tcp://docker:2375/below", false, "HOST:PORT"),
            ("docker", false, "unix://"),
        ] {
            let error = named(host, tls).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
