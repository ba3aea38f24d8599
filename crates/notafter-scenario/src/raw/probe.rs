//! Ways to look at a service.

use super::service::RawSecret;
use crate::decode::{Entries, Keyword, Located, TextOr};
use notafter_core::{HttpMethod, StartTls, Verify};
use schemars::JsonSchema;
use serde::Deserialize;

/// One way to look.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "probe", rename_all = "kebab-case")]
pub(crate) enum RawProbe {
    /// The main process of a service runs.
    Alive(RawAlive),
    /// A login to an AMQP 0-9-1 broker.
    Amqp(RawAmqp),
    /// A command inside a service.
    Exec(RawExec),
    /// The health of a gRPC service.
    Grpc(RawGrpc),
    /// An HTTP exchange.
    Http(RawHttp),
    /// An HTTP exchange over TLS.
    Https(RawHttps),
    /// A line in the output of a service.
    Log(RawLog),
    /// CONNECT of MQTT 3.1.1.
    Mqtt(RawGreet),
    /// A login to MariaDB or MySQL and a query there.
    Mysql(RawSql),
    /// A login to PostgreSQL and a query there.
    Postgres(RawSql),
    /// PING of Redis.
    Redis(RawGreet),
    /// A TCP connection.
    Tcp(RawTcp),
    /// A TLS handshake.
    Tls(RawTls),
}

/// The main process of a service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "alive", deny_unknown_fields)]
pub(crate) struct RawAlive {
    /// The service; the check's `from` where none is given.
    pub(crate) service: Option<Located<String>>,
}

/// A command inside a service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "exec probe", deny_unknown_fields)]
pub(crate) struct RawExec {
    /// The service; the check's `from` where none is given.
    pub(crate) service: Option<Located<String>>,
    /// Command and arguments, without a shell.
    pub(crate) command: Located<Vec<Located<String>>>,
}

/// A line in the output of a service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "log probe", deny_unknown_fields)]
pub(crate) struct RawLog {
    /// The service; the check's `from` where none is given.
    pub(crate) service: Option<Located<String>>,
    /// Text that a line written since the previous checkpoint must contain.
    pub(crate) contains: Located<String>,
    /// For what must go on: such a line must come in every stretch of so long, on the service's own clock.
    pub(crate) every: Option<Located<String>>,
}

/// A TCP connection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "tcp probe", deny_unknown_fields)]
pub(crate) struct RawTcp {
    /// `SERVICE:PORT`.
    pub(crate) address: Located<String>,
}

/// A TLS handshake.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "tls probe", deny_unknown_fields)]
pub(crate) struct RawTls {
    /// `SERVICE:PORT`.
    pub(crate) address: Located<String>,
    /// The CA to start from.
    pub(crate) trust: Option<Located<String>>,
    /// The client certificate to show.
    pub(crate) identity: Option<Located<String>>,
    /// How strictly to look; `strict` where nothing is said.
    pub(crate) verify: Option<Located<Keyword<Verify>>>,
    /// Name to verify and to send as SNI, where it is not the host.
    pub(crate) server_name: Option<Located<String>>,
    /// What is said before TLS begins; nothing where TLS comes first.
    pub(crate) starttls: Option<Located<Keyword<StartTls>>>,
}

/// The first question of a protocol; over TLS where `trust`, `identity`, `verify` or `server_name` is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "protocol probe", deny_unknown_fields)]
pub(crate) struct RawGreet {
    /// `SERVICE:PORT`.
    pub(crate) address: Located<String>,
    /// The CA to start from.
    pub(crate) trust: Option<Located<String>>,
    /// The client certificate to show.
    pub(crate) identity: Option<Located<String>>,
    /// How strictly to look; `strict` where nothing is said.
    pub(crate) verify: Option<Located<Keyword<Verify>>>,
    /// Name to verify and to send as SNI, where it is not the host.
    pub(crate) server_name: Option<Located<String>>,
}

/// A login to a virtual host of an AMQP 0-9-1 broker, as RabbitMQ; over TLS where `trust`, `identity`, `verify` or
/// `server_name` is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "amqp probe", deny_unknown_fields)]
pub(crate) struct RawAmqp {
    /// `SERVICE:PORT`.
    pub(crate) address: Located<String>,
    /// Who logs in by PLAIN; where none is given, whom the certificate of `identity` names, by EXTERNAL.
    pub(crate) user: Option<Located<String>>,
    /// Its password, or `{ secret: NAME }` for a variable of the gate's environment; neither is ever recorded.
    pub(crate) password: Option<Located<TextOr<RawSecret>>>,
    /// The virtual host; `/` where none is given.
    pub(crate) vhost: Option<Located<String>>,
    /// The CA to start from.
    pub(crate) trust: Option<Located<String>>,
    /// The client certificate to show.
    pub(crate) identity: Option<Located<String>>,
    /// How strictly to look; `strict` where nothing is said.
    pub(crate) verify: Option<Located<Keyword<Verify>>>,
    /// Name to verify and to send as SNI, where it is not the host.
    pub(crate) server_name: Option<Located<String>>,
}

/// The health of a gRPC service (`grpc.health.v1.Health/Check`), which must be SERVING; over TLS where `trust`, `identity`,
/// `verify` or `server_name` is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "grpc probe", deny_unknown_fields)]
pub(crate) struct RawGrpc {
    /// `SERVICE:PORT`.
    pub(crate) address: Located<String>,
    /// The token to show in `authorization`, as a bearer.
    pub(crate) token: Option<Located<String>>,
    /// The full name of the gRPC service, as in `shop.v1.Orders`; where none is given the whole server is asked about.
    pub(crate) service: Option<Located<String>>,
    /// The CA to start from.
    pub(crate) trust: Option<Located<String>>,
    /// The client certificate to show.
    pub(crate) identity: Option<Located<String>>,
    /// How strictly to look; `strict` where nothing is said.
    pub(crate) verify: Option<Located<Keyword<Verify>>>,
    /// Name to verify and to send as SNI, where it is not the host.
    pub(crate) server_name: Option<Located<String>>,
}

/// A login to a database and a query there; over TLS where `trust`, `identity`, `verify` or `server_name` is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "sql probe", deny_unknown_fields)]
pub(crate) struct RawSql {
    /// `SERVICE:PORT`.
    pub(crate) address: Located<String>,
    /// The role that logs in.
    pub(crate) user: Located<String>,
    /// Its password, or `{ secret: NAME }` for a variable of the gate's environment; neither is ever recorded.
    pub(crate) password: Option<Located<TextOr<RawSecret>>>,
    /// The database; where none is given that with the role's name in PostgreSQL, and none in MariaDB.
    pub(crate) database: Option<Located<String>>,
    /// One statement; `select 1` where none is given.
    pub(crate) query: Option<Located<String>>,
    /// The CA to start from: sslrootcert, with sslmode verify-full.
    pub(crate) trust: Option<Located<String>>,
    /// The client certificate to show: sslcert and sslkey.
    pub(crate) identity: Option<Located<String>>,
    /// How strictly to look; `strict` where nothing is said. `off` is sslmode require.
    pub(crate) verify: Option<Located<Keyword<Verify>>>,
    /// Name to verify and to send as SNI, where it is not the host.
    pub(crate) server_name: Option<Located<String>>,
}

/// An HTTP exchange.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "http probe", deny_unknown_fields)]
pub(crate) struct RawHttp {
    /// `http://SERVICE:PORT/PATH`.
    pub(crate) url: Located<String>,
    /// The token to show in `Authorization`, as a bearer.
    pub(crate) token: Option<Located<String>>,
    /// `GET` where none is given.
    pub(crate) method: Option<Located<Keyword<HttpMethod>>>,
    /// Further header fields. They stand in records as they stand here.
    pub(crate) headers: Option<Located<Entries<String>>>,
    /// What is sent, for `PATCH`, `POST` and `PUT`. It stands in records as it stands here.
    pub(crate) body: Option<Located<String>>,
}

/// An HTTP exchange over TLS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "https probe", deny_unknown_fields)]
pub(crate) struct RawHttps {
    /// `https://SERVICE:PORT/PATH`.
    pub(crate) url: Located<String>,
    /// The token to show in `Authorization`, as a bearer.
    pub(crate) token: Option<Located<String>>,
    /// `GET` where none is given.
    pub(crate) method: Option<Located<Keyword<HttpMethod>>>,
    /// Further header fields. They stand in records as they stand here.
    pub(crate) headers: Option<Located<Entries<String>>>,
    /// What is sent, for `PATCH`, `POST` and `PUT`. It stands in records as it stands here.
    pub(crate) body: Option<Located<String>>,
    /// The CA to start from.
    pub(crate) trust: Option<Located<String>>,
    /// The client certificate to show.
    pub(crate) identity: Option<Located<String>>,
    /// How strictly to look; `strict` where nothing is said.
    pub(crate) verify: Option<Located<Keyword<Verify>>>,
    /// Name to verify and to send as SNI, where it is not the host.
    pub(crate) server_name: Option<Located<String>>,
}
