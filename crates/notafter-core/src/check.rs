//! Checks: what is asked of the services at every planned instant, and what must come back.

use crate::{
    Assertion, CheckName, Credential, CredentialKind, CredentialName, EnvValue, Observation, Reading, Seen,
    ServiceName, SourceLocation, Test, UnixTime,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a probe reaches its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// A new TCP connection without any resumed session.
    Fresh,
    /// One connection that is opened at the first checkpoint of a case and used at every later one.
    Held,
    /// A new TCP connection that resumes the TLS session of the previous checkpoint.
    Resumed,
}

impl std::fmt::Display for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Fresh => "fresh",
            Self::Held => "held",
            Self::Resumed => "resumed",
        })
    }
}

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
    /// HEAD.
    Head,
    /// POST with an empty body.
    Post,
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

/// One way to look at a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// The main process of a service runs.
    Alive {
        /// The service.
        service: ServiceName,
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
        /// The TLS side, for `https`.
        tls: Option<TlsTerms>,
    },
    /// A line in the output of a service.
    Log {
        /// The service.
        service: ServiceName,
        /// Text that a line written since the previous checkpoint must contain.
        contains: String,
        /// For what must go on: such a line must come in every stretch of so long, on the candidate's clock; a checkpoint
        /// at which it is not due looks at nothing ([`Observation::tries`] is 0) and stands for the one before it.
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
            | Self::Greet { tls: None, .. }
            | Self::Sql { tls: None, .. }
            | Self::Tcp { .. } => false,
            Self::Greet { tls: Some(terms), .. }
            | Self::Http { tls: Some(terms), .. }
            | Self::Sql { tls: Some(terms), .. }
            | Self::Tls { terms, .. } => terms.verify != Verify::Off,
            Self::Exec { .. } | Self::Http { tls: None, .. } | Self::Log { .. } => true,
        }
    }

    /// The name under which scenario files know this kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Alive { .. } => "alive",
            Self::Exec { .. } => "exec",
            Self::Greet { protocol: Greeting::Mqtt, .. } => "mqtt",
            Self::Greet { protocol: Greeting::Redis, .. } => "redis",
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
            Self::Greet { host, .. }
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
            Self::Greet { tls: Some(terms), .. }
            | Self::Http { tls: Some(terms), .. }
            | Self::Sql { tls: Some(terms), .. }
            | Self::Tls { terms, .. } => terms.identity = Some(identity),
            Self::Alive { .. }
            | Self::Exec { .. }
            | Self::Greet { tls: None, .. }
            | Self::Http { tls: None, .. }
            | Self::Log { .. }
            | Self::Sql { tls: None, .. }
            | Self::Tcp { .. } => {}
        }
        self
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
            | Self::Exec { .. }
            | Self::Greet { .. }
            | Self::Http { .. }
            | Self::Log { .. }
            | Self::Tcp { .. }
            | Self::Tls { .. } => false,
        }
    }

    /// The TLS side, where there is one.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsTerms> {
        match self {
            Self::Greet { tls, .. } | Self::Http { tls, .. } | Self::Sql { tls, .. } => tls.as_ref(),
            Self::Tls { terms, .. } => Some(terms),
            Self::Alive { .. } | Self::Exec { .. } | Self::Log { .. } | Self::Tcp { .. } => None,
        }
    }
}

/// What "works" means for a check, beside that the probe got its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Works {
    /// What else must be true of the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assertions: Vec<Assertion>,
    /// Text that the answer must contain: the body of a response, the output of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Text that it must not contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
    /// Exit code of an `exec` probe; 0 where none is given.
    pub exit: Option<i32>,
    /// Status of an HTTP probe; any of 200 to 299 where none is given.
    pub status: Option<u16>,
}

impl Works {
    /// All that has to be read of an answer while it is whole.
    #[must_use]
    pub fn to_read(&self) -> Vec<Assertion> {
        let contains = self.contains.iter().map(|text| Assertion::of_text(Test::Contains(text.clone())));
        let lacks = self.lacks.iter().map(|text| Assertion::of_text(Test::Lacks(text.clone())));
        contains.chain(lacks).chain(self.assertions.iter().cloned()).collect()
    }

    /// The first reading among `readings` that is not as it must be.
    #[must_use]
    pub fn unmet<'a>(&self, readings: &'a [Reading]) -> Option<&'a Reading> {
        let asked = self.to_read();
        readings.iter().find(|reading| !reading.holds() && asked.contains(&reading.assertion))
    }
}

/// What must be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// The service refuses, at whichever layer, while the control check works.
    Rejected {
        /// The check that shows that the service does not simply refuse everybody.
        control: CheckName,
    },
    /// The service shows the certificate of one of these, whatever it answers.
    Serves {
        /// Credentials of the scenario.
        any_of: Vec<CredentialName>,
    },
    /// The service answers as told.
    Works(Works),
}

impl Expectation {
    /// Whether what was seen is what is expected.
    #[must_use]
    pub fn accepts(&self, observation: &Observation) -> bool {
        match (self, &observation.seen) {
            (Self::Serves { any_of }, _) => {
                let shown = observation.served.first().and_then(|leaf| leaf.declared.as_ref());
                shown.is_some_and(|shown| any_of.contains(shown))
            }
            (Self::Rejected { .. }, Seen::Refused(_)) => true,
            (Self::Works(works), Seen::Answered(answer)) => answer.satisfies(works, &observation.readings),
            (Self::Rejected { .. }, Seen::Answered(answer)) => answer.is_refusal(),
            (Self::Works(_), Seen::Refused(_)) | (_, Seen::Absent { .. }) => false,
        }
    }
}

/// One expectation and the span of time in which it holds, on the candidate's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedSpan {
    /// The last second before the span; none: from the beginning.
    pub after: Option<UnixTime>,
    /// The last second of the span; none: to the end.
    pub through: Option<UnixTime>,
    /// What must be seen.
    pub expectation: Expectation,
    /// Where the scenario says so.
    pub location: SourceLocation,
}

/// One check of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Its name.
    pub name: CheckName,
    /// The service in whose place in the network the probe stands; none: beside the services.
    pub from: Option<ServiceName>,
    /// How to look.
    pub probe: Probe,
    /// The kinds of connection to look over, each once; never empty.
    pub connections: Vec<Connection>,
    /// How long one look may take, on the host's clock.
    pub within: Duration,
    /// How long a failure may last before it counts, on the host's clock.
    pub settle: Duration,
    /// What must be seen when: without gaps or overlaps, in time order.
    pub expect: Vec<ExpectedSpan>,
    /// Where the scenario declares it.
    pub location: SourceLocation,
}

impl Check {
    /// All that has to be read of an answer while it is whole, whenever it comes.
    #[must_use]
    pub fn to_read(&self) -> Vec<Assertion> {
        let mut found: Vec<Assertion> = Vec::new();
        for span in &self.expect {
            let Expectation::Works(works) = &span.expectation else { continue };
            found.extend(works.to_read());
        }
        let mut distinct: Vec<Assertion> = Vec::new();
        for assertion in found {
            if !distinct.contains(&assertion) {
                distinct.push(assertion);
            }
        }
        distinct
    }

    /// What must be seen at `at`.
    #[must_use]
    pub fn expectation_at(&self, at: UnixTime) -> Option<&ExpectedSpan> {
        self.expect.iter().find(|span| {
            span.after.is_none_or(|after| at > after) && span.through.is_none_or(|through| at <= through)
        })
    }

    /// Whether `observation` shows what the scenario expects at its instant; none where it straddles a change of
    /// expectation and so decides nothing.
    ///
    /// OpenSSL refuses a certificate in its last second already, RFC 5280 code one second later. In the last second
    /// of a span both answers are therefore right.
    #[must_use]
    pub fn is_met_by(&self, observation: &Observation) -> Option<bool> {
        let begin = observation.begin.second;
        let span = self.expectation_at(begin)?;
        if self.expectation_at(observation.end.second)? != span {
            return None;
        }
        let last_second = span.through == Some(begin);
        let next = self.expectation_at(begin.plus_secs(1)).filter(|_| last_second);
        let accepts = |span: &ExpectedSpan| span.expectation.accepts(observation);
        Some(accepts(span) || next.is_some_and(accepts))
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
