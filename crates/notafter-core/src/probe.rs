//! Probes: one way to look at a service each.

use crate::{Credential, CredentialKind, CredentialName, EnvValue, ServiceName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How strictly a TLS probe looks at what is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// The dates of every served certificate, and that the leaf bears the server name where one is given. Whose word
    /// they rest on is not asked: for who does not hold the anchor.
    Dates,
    /// Not at all; such a probe exercises no credential.
    Off,
    /// The chain as webpki builds it, and the dates of every served certificate and of the anchor.
    #[default]
    Strict,
    /// What rustls alone would say.
    Webpki,
}

/// Which trust anchors a TLS probe starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TlsTrust {
    /// A declared CA.
    Credential(CredentialName),
}

/// A protocol in which TLS begins after some words in plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StartTls {
    /// RFC 9051 §6.2.1.
    Imap,
    /// RFC 4511 §4.14.
    Ldap,
    /// MySQL and MariaDB.
    Mysql,
    /// RFC 2595 §4.
    Pop3,
    /// PostgreSQL.
    Postgres,
    /// RFC 3207.
    Smtp,
}

impl StartTls {
    /// The name under which scenario files know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Ldap => "ldap",
            Self::Mysql => "mysql",
            Self::Pop3 => "pop3",
            Self::Postgres => "postgres",
            Self::Smtp => "smtp",
        }
    }
}

/// The TLS side of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsTerms {
    /// Trust anchors; none only with [`Verify::Dates`] and [`Verify::Off`].
    pub trust: Option<TlsTrust>,
    /// The client certificate that the probe shows.
    pub identity: Option<CredentialName>,
    /// How strictly it looks.
    pub verify: Verify,
    /// Name to verify and to send as SNI, where it is not the host that is connected to.
    pub server_name: Option<String>,
    /// What is said before TLS begins; nothing where TLS comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starttls: Option<StartTls>,
}

/// Method of an HTTP probe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// GET.
    #[default]
    Get,
    /// DELETE.
    Delete,
    /// HEAD.
    Head,
    /// PATCH.
    Patch,
    /// POST.
    Post,
    /// PUT.
    Put,
}

/// What an HTTP request carries beside what each does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpContent {
    /// Header fields by their names (RFC 9110 §5); none that the probe sends itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The content, of at most 64 KiB; none: an empty one where the method has one at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl HttpContent {
    /// Fields, in lower case, that a probe writes itself, and those that say where a message ends (RFC 9112 §6).
    pub const OWN_FIELDS: [&'static str; 7] =
        ["accept", "connection", "content-length", "host", "te", "transfer-encoding", "user-agent"];

    /// Whether the request carries nothing of its own.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.body.is_none()
    }
}

/// A protocol with a short question of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Greeting {
    /// CONNECT of MQTT 3.1.1; PINGREQ over a held connection.
    Mqtt,
    /// PING of Redis.
    Redis,
}

/// A kind of database server, by its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SqlServer {
    /// MySQL's protocol, which MariaDB speaks.
    Mysql,
    /// PostgreSQL's protocol, version 3.
    Postgres,
}

impl SqlServer {
    /// The name under which scenario files know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Postgres => "postgres",
        }
    }
}

/// Who logs in to a database, and what is asked there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SqlTerms {
    /// The role.
    pub user: String,
    /// Its password, where it has one; never [`EnvValue::Plain`].
    pub password: Option<EnvValue>,
    /// The database; empty where none is chosen.
    pub database: String,
    /// One statement.
    pub query: String,
}

/// Who logs in to an AMQP broker, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AmqpTerms {
    /// Who logs in by PLAIN; none: whom the client certificate names, by EXTERNAL.
    pub user: Option<String>,
    /// Its password, where it has one; never [`EnvValue::Plain`].
    pub password: Option<EnvValue>,
    /// The virtual host.
    pub vhost: String,
}

/// One way to look at a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// The main process of a service runs.
    Alive {
        /// The service.
        service: ServiceName,
    },
    /// A login to a virtual host of an AMQP 0-9-1 broker, over TLS where `tls` is given.
    Amqp {
        /// Host name inside the scenario's network.
        host: String,
        /// Port.
        port: u16,
        /// Who logs in where.
        terms: AmqpTerms,
        /// The TLS side.
        tls: Option<TlsTerms>,
    },
    /// A command inside a service.
    Exec {
        /// The service.
        service: ServiceName,
        /// Command and arguments, without a shell.
        command: Vec<String>,
    },
    /// The first question of a protocol, over TLS where `tls` is given.
    Greet {
        /// Which protocol.
        protocol: Greeting,
        /// Host name inside the scenario's network.
        host: String,
        /// Port.
        port: u16,
        /// The TLS side.
        tls: Option<TlsTerms>,
    },
    /// The health of a gRPC service (`grpc.health.v1.Health/Check`) over HTTP/2, over TLS where `tls` is given.
    Grpc {
        /// Host name inside the scenario's network.
        host: String,
        /// Port.
        port: u16,
        /// Which of the services there; none: the whole server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// The TLS side.
        tls: Option<TlsTerms>,
        /// The token that it shows as a bearer (RFC 6750).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<CredentialName>,
    },
    /// One HTTP/1.1 exchange, over TLS where `tls` is given.
    Http {
        /// Host name inside the scenario's network.
        host: String,
        /// Port.
        port: u16,
        /// Path and query.
        path: String,
        /// Method.
        method: HttpMethod,
        /// What it carries beside what each request does.
        #[serde(default, skip_serializing_if = "HttpContent::is_empty")]
        content: HttpContent,
        /// The TLS side, for `https`.
        tls: Option<TlsTerms>,
        /// The token that it shows as a bearer (RFC 6750).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<CredentialName>,
    },
    /// A line in the output of a service.
    Log {
        /// The service.
        service: ServiceName,
        /// Text that a line written since the previous checkpoint must contain.
        contains: String,
        /// For what must go on: such a line must come in every stretch of so long, on the candidate's clock; a checkpoint
        /// at which it is not due looks at nothing ([`crate::Observation::tries`] is 0) and stands for the one before it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        every: Option<Duration>,
    },
    /// A login to a database and a query there, over TLS where `tls` is given.
    Sql {
        /// Which protocol.
        server: SqlServer,
        /// Host name inside the scenario's network.
        host: String,
        /// Port.
        port: u16,
        /// Who asks what.
        terms: SqlTerms,
        /// The TLS side.
        tls: Option<TlsTerms>,
    },
    /// A TCP connection.
    Tcp {
        /// Host name inside the scenario's network.
        host: String,
        /// Port.
        port: u16,
    },
    /// A TLS handshake.
    Tls {
        /// Host name inside the scenario's network.
        host: String,
        /// Port.
        port: u16,
        /// The TLS side.
        terms: TlsTerms,
    },
}

impl Probe {
    /// Whether what it sees can depend on a credential. That a process runs or a port is open shows nothing of who would
    /// be let in or believed there, and a handshake in which nothing is verified neither.
    #[must_use]
    pub fn exercises(&self) -> bool {
        match self {
            Self::Alive { .. }
            | Self::Amqp { tls: None, .. }
            | Self::Greet { tls: None, .. }
            | Self::Grpc { tls: None, token: None, .. }
            | Self::Sql { tls: None, .. }
            | Self::Tcp { .. } => false,
            Self::Amqp { tls: Some(terms), .. }
            | Self::Greet { tls: Some(terms), .. }
            | Self::Grpc { tls: Some(terms), .. }
            | Self::Http { tls: Some(terms), .. }
            | Self::Sql { tls: Some(terms), .. }
            | Self::Tls { terms, .. } => terms.verify != Verify::Off,
            Self::Exec { .. }
            | Self::Grpc { tls: None, token: Some(_), .. }
            | Self::Http { tls: None, .. }
            | Self::Log { .. } => true,
        }
    }

    /// The name under which scenario files know this kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Alive { .. } => "alive",
            Self::Amqp { .. } => "amqp",
            Self::Exec { .. } => "exec",
            Self::Greet { protocol: Greeting::Mqtt, .. } => "mqtt",
            Self::Greet { protocol: Greeting::Redis, .. } => "redis",
            Self::Grpc { .. } => "grpc",
            Self::Http { tls: None, .. } => "http",
            Self::Http { tls: Some(_), .. } => "https",
            Self::Log { .. } => "log",
            Self::Sql { server, .. } => server.name(),
            Self::Tcp { .. } => "tcp",
            Self::Tls { .. } => "tls",
        }
    }

    /// The service or host that it looks at.
    #[must_use]
    pub fn target(&self) -> &str {
        match self {
            Self::Alive { service } | Self::Exec { service, .. } | Self::Log { service, .. } => {
                service.as_str()
            }
            Self::Amqp { host, .. }
            | Self::Greet { host, .. }
            | Self::Grpc { host, .. }
            | Self::Http { host, .. }
            | Self::Sql { host, .. }
            | Self::Tcp { host, .. }
            | Self::Tls { host, .. } => host,
        }
    }

    /// In every stretch of how many seconds what it waits for must come, on the candidate's clock; none where it need not go on.
    #[must_use]
    pub fn stretch(&self) -> Option<i64> {
        match self {
            Self::Log { every: Some(every), .. } => Some(i64::try_from(every.as_secs()).unwrap_or(i64::MAX)),
            _ => None,
        }
    }

    /// The same look by somebody who shows the certificate of `identity`; as it is where there is no TLS.
    #[must_use]
    pub fn with_identity(mut self, identity: CredentialName) -> Self {
        match &mut self {
            Self::Amqp { tls: Some(terms), .. }
            | Self::Greet { tls: Some(terms), .. }
            | Self::Grpc { tls: Some(terms), .. }
            | Self::Http { tls: Some(terms), .. }
            | Self::Sql { tls: Some(terms), .. }
            | Self::Tls { terms, .. } => terms.identity = Some(identity),
            Self::Alive { .. }
            | Self::Amqp { tls: None, .. }
            | Self::Exec { .. }
            | Self::Greet { tls: None, .. }
            | Self::Grpc { tls: None, .. }
            | Self::Http { tls: None, .. }
            | Self::Log { .. }
            | Self::Sql { tls: None, .. }
            | Self::Tcp { .. } => {}
        }
        self
    }

    /// The token that it shows, where it does.
    #[must_use]
    pub fn token(&self) -> Option<&CredentialName> {
        match self {
            Self::Grpc { token, .. } | Self::Http { token, .. } => token.as_ref(),
            Self::Alive { .. }
            | Self::Amqp { .. }
            | Self::Exec { .. }
            | Self::Greet { .. }
            | Self::Log { .. }
            | Self::Sql { .. }
            | Self::Tcp { .. }
            | Self::Tls { .. } => None,
        }
    }

    /// The same look by somebody who shows `shown`; as it is where no token can be shown.
    #[must_use]
    pub fn with_token(mut self, shown: CredentialName) -> Self {
        if let Self::Grpc { token, .. } | Self::Http { token, .. } = &mut self {
            *token = Some(shown);
        }
        self
    }

    /// What it shows of itself: its certificate and its token.
    pub fn shown(&self) -> impl Iterator<Item = &CredentialName> {
        self.tls().and_then(|terms| terms.identity.as_ref()).into_iter().chain(self.token())
    }

    /// The credential from which it starts trusting, where there is one.
    #[must_use]
    pub fn trusted(&self) -> Option<&CredentialName> {
        self.tls().and_then(|terms| terms.trust.as_ref()).map(|TlsTrust::Credential(name)| name)
    }

    /// Whether it logs in as the SQL role that `credential` is.
    #[must_use]
    pub fn is_role(&self, credential: &Credential) -> bool {
        match self {
            Self::Sql { host, port, terms, .. } => {
                credential.kind == CredentialKind::SqlRole
                    && credential.subject == Credential::role_subject(&terms.user, host, *port)
            }
            Self::Alive { .. }
            | Self::Amqp { .. }
            | Self::Exec { .. }
            | Self::Greet { .. }
            | Self::Grpc { .. }
            | Self::Http { .. }
            | Self::Log { .. }
            | Self::Tcp { .. }
            | Self::Tls { .. } => false,
        }
    }

    /// The password that it logs in with, where it does.
    #[must_use]
    pub fn password(&self) -> Option<&EnvValue> {
        match self {
            Self::Amqp { terms, .. } => terms.password.as_ref(),
            Self::Sql { terms, .. } => terms.password.as_ref(),
            Self::Alive { .. }
            | Self::Exec { .. }
            | Self::Greet { .. }
            | Self::Grpc { .. }
            | Self::Http { .. }
            | Self::Log { .. }
            | Self::Tcp { .. }
            | Self::Tls { .. } => None,
        }
    }

    /// The same, to be put in its place.
    pub fn password_mut(&mut self) -> Option<&mut EnvValue> {
        match self {
            Self::Amqp { terms, .. } => terms.password.as_mut(),
            Self::Sql { terms, .. } => terms.password.as_mut(),
            Self::Alive { .. }
            | Self::Exec { .. }
            | Self::Greet { .. }
            | Self::Grpc { .. }
            | Self::Http { .. }
            | Self::Log { .. }
            | Self::Tcp { .. }
            | Self::Tls { .. } => None,
        }
    }

    /// The TLS side, where there is one.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsTerms> {
        match self {
            Self::Amqp { tls, .. }
            | Self::Greet { tls, .. }
            | Self::Grpc { tls, .. }
            | Self::Http { tls, .. }
            | Self::Sql { tls, .. } => tls.as_ref(),
            Self::Tls { terms, .. } => Some(terms),
            Self::Alive { .. } | Self::Exec { .. } | Self::Log { .. } | Self::Tcp { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: &str, tls: Option<Verify>) -> Probe {
        let terms = SqlTerms {
            user: user.to_owned(),
            password: None,
            database: "shop".to_owned(),
            query: "select 1".to_owned(),
        };
        let tls = tls.map(|verify| TlsTerms {
            trust: None,
            identity: None,
            verify,
            server_name: None,
            starttls: Some(StartTls::Postgres),
        });
        Probe::Sql { server: SqlServer::Postgres, host: "db".to_owned(), port: 5432, terms, tls }
    }

    /// A login in plain sees nothing of the certificate that the server shows others.
    #[test]
    fn a_login_sees_its_own_role_and_certificates_only_where_it_verifies_them() {
        for (tls, exercises) in [(None, false), (Some(Verify::Off), false), (Some(Verify::Dates), true)] {
            assert_eq!(login("app", tls).exercises(), exercises, "{tls:?}");
        }
        let role = Credential {
            subject: Credential::role_subject("app", "db", 5432),
            ..Credential::found(CredentialKind::SqlRole, crate::Fingerprint::from_bytes([1; 32]))
        };
        assert!(login("app", None).is_role(&role));
        assert!(!login("reports", None).is_role(&role));
        let namesake = Credential { kind: CredentialKind::X509, ..role };
        assert!(!login("app", None).is_role(&namesake));
    }
}
