//! What a probe asks of whom: a core [`Probe`], checked and made concrete.

use crate::amqp;
use crate::grpc::HealthCheck;
use crate::http::Request;
use crate::reading::Reader;
use crate::sql::Login;
use crate::tls::TlsSetup;
use crate::{Error, Supplies};
use notafter_core::{Greeting, Probe, ServiceName, StartTls};

/// HTTP/2 over TLS (RFC 9113 §3.2).
pub(crate) const HTTP_2: &[u8] = b"h2";

/// What is asked once the connection stands.
#[derive(Debug)]
pub(crate) enum Question {
    /// A login to a broker.
    Amqp(Box<amqp::Login>),
    /// Nothing: that it stands is the answer.
    Connect,
    /// The first question of a protocol.
    Greet(Greeting),
    /// Whether a gRPC service is healthy.
    Grpc(Box<HealthCheck>),
    /// Whether the handshake comes about.
    Handshake,
    /// One exchange.
    Http(Request),
    /// A login and a query.
    Sql(Box<Login>),
}

impl Question {
    /// The protocol that is asked for within the TLS handshake (RFC 7301).
    fn alpn(&self) -> Option<&'static [u8]> {
        match self {
            Self::Grpc(_) => Some(HTTP_2),
            Self::Http(_) => Some(b"http/1.1"),
            Self::Amqp(_) | Self::Connect | Self::Greet(_) | Self::Handshake | Self::Sql(_) => None,
        }
    }
}

/// Everything that does not change between two looks.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) kind: &'static str,
    pub(crate) from: Option<ServiceName>,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) question: Question,
    /// Reads what assertions are about.
    pub(crate) reader: Reader,
    pub(crate) tls: Option<TlsSetup>,
    /// What is said before TLS begins.
    pub(crate) starttls: Option<StartTls>,
}

impl Target {
    pub(crate) fn new(probe: &Probe, from: Option<&ServiceName>, supplies: Supplies) -> Result<Self, Error> {
        let Supplies { tls: material, password, token, assertions } = supplies;
        let reader = Reader::new(assertions)?;
        let kind = probe.kind();
        let (host, port, question) = match probe {
            Probe::Alive { .. } | Probe::Exec { .. } | Probe::Log { .. } => {
                return Err(Error::NotOverNetwork { kind });
            }
            Probe::Amqp { host, port, terms, .. } => {
                (host, port, Question::Amqp(Box::new(amqp::Login::new(terms, password))))
            }
            Probe::Greet { protocol, host, port, .. } => (host, port, Question::Greet(*protocol)),
            Probe::Grpc { host, port, service, tls, .. } => {
                let scheme = if tls.is_some() { "https" } else { "http" };
                let (authority, service) = (format!("{host}:{port}"), service.as_deref().unwrap_or_default());
                let check = HealthCheck::new(scheme, &authority, service, token.as_deref())?;
                (host, port, Question::Grpc(Box::new(check)))
            }
            Probe::Http { host, port, path, method, content, tls, .. } => {
                let default_port = if tls.is_some() { 443 } else { 80 };
                let authority = if *port == default_port { host.clone() } else { format!("{host}:{port}") };
                let request = Request::new(*method, &authority, path)?.showing(token)?;
                (host, port, Question::Http(request.carrying(content)?))
            }
            Probe::Sql { server, host, port, terms, .. } => {
                let login = Login::new(*server, (host, *port), terms, password)?;
                (host, port, Question::Sql(Box::new(login)))
            }
            Probe::Tcp { host, port } => (host, port, Question::Connect),
            Probe::Tls { host, port, .. } => (host, port, Question::Handshake),
        };
        let tls = match probe.tls() {
            Some(terms) => {
                let setup = TlsSetup::new(terms, host, material)?;
                Some(question.alpn().into_iter().fold(setup, TlsSetup::speaking))
            }
            None => None,
        };
        let starttls = probe.tls().and_then(|terms| terms.starttls);
        let (from, host, port) = (from.cloned(), host.clone(), *port);
        Ok(Self { kind, from, host, port, question, reader, tls, starttls })
    }

    /// `host:port`, for people.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}
