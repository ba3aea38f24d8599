//! Proxies of the environment: which server is asked by way of which, and the tunnel through it.
//!
//! What must never happen here: a word to a server that is not inside TLS of that server; a login shown to another server
//! than its proxy.

use super::failure::Failure;
use super::secret::Secret;
use super::url::{Scheme, Url, is_loopback};
use super::wire::Wire;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::io;
use std::net::IpAddr;

/// Longest head of a proxy's answer.
const MAX_HEAD_BYTES: usize = 64 << 10;
const MAX_FIELDS: usize = 256;
/// Registries are asked by TLS; those that are not lie on this machine, for which no proxy is asked.
const VARIABLES: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const EXEMPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// What the environment says of proxies.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies {
    /// The variable that names it, and its value as read.
    proxy: Option<(&'static str, Result<Proxy, String>)>,
    exemptions: Vec<Exemption>,
}

/// A server that carries bytes to others.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub(super) url: Url,
    /// As it is shown: `Basic …`.
    login: Option<Secret>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the proxy {}", self.url)
    }
}

impl Proxies {
    /// By the variables that most programs heed.
    pub(super) fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&'static str| {
            let value = variable(name).filter(|value| !value.trim().is_empty());
            value.map(|value| (*name, value.trim().to_owned()))
        };
        let proxy = VARIABLES.iter().find_map(set).map(|(name, value)| (name, Proxy::parse(&value)));
        let exempt = EXEMPTIONS.iter().find_map(set).map(|(_, value)| value).unwrap_or_default();
        Self { proxy, exemptions: exempt.split(',').filter_map(Exemption::parse).collect() }
    }

    /// The one by way of which the server of `url` is asked; none where it is asked itself.
    pub(super) fn of(&self, url: &Url) -> Result<Option<&Proxy>, Failure> {
        let Some((variable, proxy)) = &self.proxy else { return Ok(None) };
        if url.scheme == Scheme::Http
            || is_loopback(&url.host)
            || self.exemptions.iter().any(|exemption| exemption.holds_for(&url.host, url.port))
        {
            return Ok(None);
        }
        match proxy {
            Ok(proxy) => Ok(Some(proxy)),
            Err(reason) => {
                Err(Failure::Proxy { proxy: (*variable).to_owned(), reason: format!("names none: {reason}") })
            }
        }
    }
}

impl Proxy {
    /// `[SCHEME://][USER[:PASSWORD]@]HOST[:PORT][/]`. The reason holds nothing of the text, which may be a password.
    fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err("it is not of HTTP or HTTPS".to_owned());
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, server) = match authority.rsplit_once('@') {
            Some((login, server)) => (Some(login), server),
            None => (None, authority),
        };
        let url = Url::parse(&format!("{scheme}://{server}"))
            .ok_or_else(|| "it does not read http://HOST:PORT".to_owned())?;
        let login = login.map(|login| {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            let both = [decoded(user), b":".to_vec(), decoded(password)].concat();
            Secret::new(format!("Basic {}", STANDARD.encode(both)))
        });
        Ok(Self { url, login })
    }

    /// Asks for a tunnel to `url` over `wire`, which leads to this proxy.
    pub(super) fn open(&self, wire: &mut dyn Wire, url: &Url) -> Result<(), Failure> {
        let failed = |source| Failure::Io { action: format!("talk to {self}"), source };
        let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
        let target = format!("{host}:{}", url.port);
        let mut request = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: notafter/{}\r\n",
            env!("CARGO_PKG_VERSION")
        );
        if let Some(login) = &self.login {
            request.push_str(&format!("Proxy-Authorization: {}\r\n", login.reveal()));
        }
        request.push_str("\r\n");
        let request = Secret::new(request);
        wire.write_all(request.reveal().as_bytes()).and_then(|()| wire.flush()).map_err(failed)?;
        match status(wire).map_err(failed)? {
            200..300 => Ok(()),
            407 => Err(self.refuses(match self.login {
                Some(_) => "does not take the login that the environment has for it (407)".to_owned(),
                None => "wants a login, and the environment has none for it (407)".to_owned(),
            })),
            status => Err(self.refuses(format!("does not lead to {target}: it answers {status}"))),
        }
    }

    fn refuses(&self, reason: String) -> Failure {
        Failure::Proxy { proxy: self.to_string(), reason }
    }
}

/// The status of an answer, of which nothing beyond its head is taken from `wire`.
fn status(wire: &mut dyn Wire) -> io::Result<u16> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a head that does not end"));
        }
        wire.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    match (response.parse(&head), response.code) {
        (Ok(httparse::Status::Complete(_)), Some(code)) => Ok(code),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "no head of HTTP/1.1")),
    }
}

/// The bytes that `%XX` in `text` stand for; what is no such sequence stands for itself.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = match (first, after) {
            (b'%', [high, low, ..]) => std::str::from_utf8(&[*high, *low])
                .ok()
                .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        bytes.push(hex.unwrap_or(*first));
        rest = if hex.is_some() { &after[2..] } else { after };
    }
    bytes
}

/// Servers that are asked themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exemption {
    All,
    Addresses {
        network: IpAddr,
        bits: u32,
    },
    /// A name and those below it, or those below it alone; on every port where none is given.
    Names {
        name: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl Exemption {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Some(Self::All);
        }
        if let Some((network, bits)) = text.split_once('/') {
            let network: IpAddr = network.parse().ok()?;
            return Some(Self::Addresses { network, bits: bits.parse().ok()? });
        }
        let bare = text.trim_start_matches('[').replace(']', "");
        if let Ok(network) = bare.parse::<IpAddr>() {
            return Some(Self::Addresses { network, bits: 128 });
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (text.as_str(), None),
        };
        let name = name.strip_prefix('*').unwrap_or(name);
        let (name, itself) = match name.strip_prefix('.') {
            Some(below) => (below, false),
            None => (name, true),
        };
        (!name.is_empty()).then(|| Self::Names { name: name.to_owned(), itself, port })
    }

    fn holds_for(&self, host: &str, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Addresses { network, bits } => {
                host.parse().is_ok_and(|address| is_within(address, *network, *bits))
            }
            Self::Names { name, itself, port: wanted } => {
                let host = host.to_ascii_lowercase();
                let host = host.trim_end_matches('.');
                let is_below = host.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.'));
                (is_below || *itself && host == name) && wanted.is_none_or(|wanted| wanted == port)
            }
        }
    }
}

/// Whether the first `bits` of both are equal; more than there are count as all.
fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let apart = (address.to_bits() ^ network.to_bits()).leading_zeros();
            apart >= bits.min(32)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let apart = (address.to_bits() ^ network.to_bits()).leading_zeros();
            apart >= bits.min(128)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::from_variables(|name| {
            let known = variables.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| (*value).to_owned())
        })
    }

    fn of(variables: &[(&str, &str)], url: &str) -> String {
        match proxies(variables).of(&Url::parse(url).unwrap()) {
            Ok(None) => "none".to_owned(),
            Ok(Some(proxy)) => {
                let login = proxy.login.as_ref().map_or("", Secret::reveal);
                format!("{:?} {} {} {login}", proxy.url.scheme, proxy.url.host, proxy.url.port)
                    .trim()
                    .to_owned()
            }
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn a_proxy_is_read_as_most_programs_read_it() {
        let url = "https://registry.example/v2/";
        for (value, expected) in [
            ("http://proxy:3128", "Http proxy 3128"),
            ("proxy:3128", "Http proxy 3128"),
            ("https://proxy/", "Https proxy 443"),
            ("http://[::1]:8", "Http ::1 8"),
            ("http://user:p%40ss%zz@proxy:1", "Http proxy 1 Basic dXNlcjpwQHNzJXp6"),
            ("http://user@proxy:1", "Http proxy 1 Basic dXNlcjo="),
            (" ", "none"),
            ("socks5://secret@proxy:1", "HTTPS_PROXY names none: it is not of HTTP or HTTPS"),
            ("http://secret@pro xy", "HTTPS_PROXY names none: it does not read http://HOST:PORT"),
        ] {
            assert_eq!(of(&[("HTTPS_PROXY", value)], url), expected, "{value}");
        }
        assert_eq!(of(&[("https_proxy", "low:1"), ("HTTPS_PROXY", "high:1")], url), "Http high 1");
        assert_eq!(of(&[("https_proxy", "low:1"), ("HTTPS_PROXY", "")], url), "Http low 1");
        assert_eq!(of(&[("HTTP_PROXY", "p:1"), ("ALL_PROXY", "p:1")], url), "none");
    }

    #[test]
    fn what_is_exempt_is_asked_itself() {
        let url = "https://a.registry.example:5000/";
        for (exempt, url, is_exempt) in [
            ("registry.example", url, true),
            (".registry.example", url, true),
            ("*.registry.example", url, true),
            ("other.example, REGISTRY.example ", url, true),
            ("registry.example:5000", url, true),
            ("registry.example:443", url, false),
            ("gistry.example", url, false),
            (".a.registry.example", url, false),
            ("a.registry.example.", url, false),
            ("*", url, true),
            ("", url, false),
            ("10.0.0.0/8", "https://10.9.8.7/", true),
            ("10.0.0.0/8", "https://11.0.0.1/", false),
            ("10.1.2.3", "https://10.1.2.3/", true),
            ("10.1.2.3", "https://10.1.2.4/", false),
            ("fd00::/8", "https://[fd12::1]/", true),
            ("[fd12::1]", "https://[fd12::1]/", true),
            ("", "https://localhost:5000/", true),
            ("", "https://127.0.0.9:5000/", true),
            ("", "http://registry.example/", true),
        ] {
            let variables = [("HTTPS_PROXY", "p:1"), ("NO_PROXY", exempt)];
            let expected = if is_exempt { "none" } else { "Http p 1" };
            assert_eq!(of(&variables, url), expected, "{exempt} {url}");
        }
        // What cannot be used disturbs nobody who does not need it.
        assert_eq!(of(&[("HTTPS_PROXY", "socks5://p"), ("NO_PROXY", "*")], url), "none");
    }
}
