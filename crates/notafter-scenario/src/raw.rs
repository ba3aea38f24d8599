//! The file format: what may stand where. Comments on fields are the descriptions that editors show.
//!
//! Nothing here is checked beyond its shape; see `resolve`.

use crate::decode::{Entries, Keyword, Located, OneOrMany, TextOr};
use notafter_core::{
    Connection, Decision, FindingCode, HttpMethod, KeyAlgorithm, KeyUsage, PresentButUnused, Restart, Verify,
    VolumeState,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Keys that the design of the format has and this version has not. They are refused by a message of their own.
const PLANNED: [(&str, &[&str]); 9] = [
    ("scenario", &["rotations", "compose"]),
    ("credential", &["crl", "env", "file", "jks", "jwt", "jwks", "ocsp", "pkcs12", "served_by", "ssh"]),
    ("x509", &["cross_signs"]),
    ("service", &["clock", "health", "job", "resources", "skew"]),
    ("file", &["crl", "jwks", "store"]),
    ("image", &["dir", "docker-archive", "docker-daemon", "oci", "oci-archive"]),
    ("probe", &["grpc", "postgres", "redis"]),
    ("expectation", &["served", "warns"]),
    ("trust", &["system", "file"]),
];

/// Whether `key` of `owner` is part of the design and not built yet.
pub(crate) fn is_planned(owner: &str, key: &str) -> bool {
    PLANNED.iter().any(|(name, keys)| *name == owner && keys.contains(&key))
}

/// A release-gate scenario: services, credentials, checks and the time that a release must live.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "scenario", deny_unknown_fields)]
pub(crate) struct RawScenario {
    /// Version of the format: 1.
    #[schemars(required, range(min = 1, max = 1))]
    pub(crate) notafter: Option<Located<i64>>,
    /// Name of the scenario.
    #[schemars(required)]
    pub(crate) name: Option<Located<String>>,
    /// Where simulated time begins: an instant; `now` where none is given.
    pub(crate) start: Option<Located<String>>,
    /// How long the release must run unattended, such as `2y`, or the instant until which it must.
    #[schemars(required)]
    pub(crate) support: Option<Located<String>>,
    /// The service whose build is under release.
    #[schemars(required)]
    pub(crate) candidate: Option<Located<String>>,
    /// Limit for the whole run in real time, such as `60s`; beyond it the verdict is inconclusive.
    pub(crate) budget: Option<Located<String>>,
    /// Named images of the candidate.
    pub(crate) builds: Option<Located<Entries<TextOr<RawImage>>>>,
    /// Credentials to make for this scenario.
    pub(crate) credentials: Option<Located<Entries<RawCredential>>>,
    /// What runs.
    #[schemars(required)]
    pub(crate) services: Option<Located<Entries<RawService>>>,
    /// What is asked of it at every planned instant.
    #[schemars(required)]
    pub(crate) checks: Option<Located<Entries<RawCheck>>>,
    /// How strictly to judge.
    pub(crate) policy: Option<Located<RawPolicy>>,
    /// For scenarios that retell an incident: what each build must come to. `gate` ignores it.
    pub(crate) replay: Option<Located<Vec<Located<RawReplay>>>>,
}

/// Where the root tree of a service comes from; as a text: `host`, `rootfs:PATH`, `cargo:PACKAGE/BIN`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "image", rename_all = "kebab-case")]
pub(crate) enum RawImage {
    /// A binary target of the Cargo workspace around the scenario.
    Cargo(RawCargo),
    /// An unpacked tree, or a tar of one; relative paths start at the scenario's directory.
    Rootfs(Located<String>),
}

/// A binary target.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "cargo", deny_unknown_fields)]
pub(crate) struct RawCargo {
    /// Package name.
    pub(crate) package: Located<String>,
    /// Binary target.
    pub(crate) bin: Located<String>,
}

/// A credential to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "credential", rename_all = "kebab-case")]
pub(crate) enum RawCredential {
    /// An X.509 certificate with its key.
    X509(RawX509),
}

/// An X.509 certificate: a CA, or a leaf that names its issuer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "x509", deny_unknown_fields)]
pub(crate) struct RawX509 {
    /// Makes it a CA.
    pub(crate) ca: Option<Located<RawCa>>,
    /// The credential that signs it.
    pub(crate) issuer: Option<Located<String>>,
    /// Makes it a leaf that signs itself.
    pub(crate) self_signed: Option<Located<bool>>,
    /// Its subject, as in `CN=hss,O=Example`.
    pub(crate) subject: Located<String>,
    /// DNS names of its subjectAltName.
    pub(crate) dns: Option<Located<Vec<Located<String>>>>,
    /// IP addresses of its subjectAltName.
    pub(crate) ip: Option<Located<Vec<Located<String>>>>,
    /// What a leaf is for.
    pub(crate) usage: Option<Located<Vec<Located<Keyword<KeyUsage>>>>>,
    /// Its key; `p256` where none is given.
    pub(crate) key: Option<Located<Keyword<KeyAlgorithm>>>,
    /// When it holds.
    pub(crate) validity: Located<RawValidity>,
}

/// Which kind of CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename = "CA", rename_all = "kebab-case")]
pub(crate) enum RawCa {
    /// Signed by another CA.
    Intermediate,
    /// Signs itself.
    Root,
}

/// The first and the last second of a validity.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "validity", deny_unknown_fields)]
pub(crate) struct RawValidity {
    /// Its first second; `issued` is when it is made.
    pub(crate) from: Located<String>,
    /// Its last second.
    pub(crate) until: Option<Located<String>>,
    /// In place of `until`: how long after `from` its last second is.
    #[serde(rename = "for")]
    pub(crate) span: Option<Located<String>>,
}

/// Something that runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "service", deny_unknown_fields)]
pub(crate) struct RawService {
    /// Its root tree; none for the candidate of a scenario with builds.
    pub(crate) image: Option<Located<TextOr<RawImage>>>,
    /// Command and arguments, without a shell.
    pub(crate) command: Option<Located<Vec<Located<String>>>>,
    /// Environment variables: a text, or `{ secret: NAME }` for one that is never recorded.
    pub(crate) env: Option<Located<Entries<TextOr<RawSecret>>>>,
    /// `user` or `user:group`, as names of the image or numbers.
    pub(crate) user: Option<Located<String>>,
    /// Working directory; `/` where none is given.
    pub(crate) workdir: Option<Located<String>>,
    /// Files laid into its root tree, by absolute path; a path that ends in `/` is a folder that rotates as one.
    pub(crate) files: Option<Located<RawFiles>>,
    /// Globs to scan in a `host` image, beside what the command opens.
    pub(crate) scan: Option<Located<Vec<Located<String>>>>,
    /// Writable directories that outlive the process.
    pub(crate) volumes: Option<Located<Entries<RawVolume>>>,
    /// When it counts as ready.
    pub(crate) ready: Option<Located<RawReady>>,
    /// Services that it depends on: start order and blast radius.
    pub(crate) needs: Option<Located<Vec<Located<String>>>>,
    /// Services that start before it, without depending on them.
    pub(crate) after: Option<Located<Vec<Located<String>>>>,
    /// What happens when it ends; `never` where nothing is said.
    pub(crate) restart: Option<Located<Keyword<Restart>>>,
    /// The parties of the real world that it stands for.
    pub(crate) stands_for: Option<Located<Vec<Located<String>>>>,
}

/// A value that is never recorded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "variable", deny_unknown_fields)]
pub(crate) struct RawSecret {
    /// The variable of the gate's own environment that holds it.
    pub(crate) secret: Located<String>,
}

/// Files by path. What a path stands for depends on whether it ends in `/`.
#[derive(Debug)]
pub(crate) struct RawFiles(pub(crate) Vec<(Located<String>, RawMount)>);

/// What is laid in at one path.
#[derive(Debug)]
pub(crate) enum RawMount {
    File(Located<RawFile>),
    Folder(Located<Entries<RawFile>>),
}

impl<'de> Deserialize<'de> for RawFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FilesVisitor;

        impl<'de> Visitor<'de> for FilesVisitor {
            type Value = RawFiles;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("files by path")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<RawFiles, A::Error> {
                let mut files = Vec::new();
                while let Some(path) = access.next_key::<Located<String>>()? {
                    let mount = if path.value.as_ref().is_some_and(|path| path.ends_with('/')) {
                        RawMount::Folder(access.next_value()?)
                    } else {
                        RawMount::File(access.next_value()?)
                    };
                    files.push((path, mount));
                }
                Ok(RawFiles(files))
            }
        }

        deserializer.deserialize_map(FilesVisitor)
    }
}

impl JsonSchema for RawFiles {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "files".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": false,
            "patternProperties": {
                "^/.*[^/]$": generator.subschema_for::<RawFile>(),
                "^/.*/$": generator.subschema_for::<Entries<RawFile>>(),
            },
        })
    }
}

/// What a file holds, as one of five.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "file", deny_unknown_fields)]
pub(crate) struct RawFile {
    /// The certificate of this credential alone, as PEM.
    pub(crate) certificate: Option<Located<String>>,
    /// The certificate of this credential followed by its intermediates, as PEM.
    pub(crate) chain: Option<Located<String>>,
    /// This text.
    pub(crate) content: Option<Located<String>>,
    /// The private key of this credential, as PKCS#8 PEM.
    pub(crate) key: Option<Located<String>>,
    /// A file beside the scenario.
    pub(crate) source: Option<Located<String>>,
    /// Permission bits as octal digits in quotes; `"0644"`, and `"0600"` for keys, where none are given.
    pub(crate) mode: Option<Located<String>>,
}

/// A writable directory that outlives the process.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "volume", deny_unknown_fields)]
pub(crate) struct RawVolume {
    /// Absolute path inside.
    pub(crate) path: Located<String>,
    /// What a restart within a case does to it; `carried` where nothing is said.
    pub(crate) state: Option<Located<Keyword<VolumeState>>>,
}

/// When a service counts as ready, as one of three.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "ready", deny_unknown_fields)]
pub(crate) struct RawReady {
    /// A connection to this port succeeds.
    pub(crate) tcp: Option<Located<RawPort>>,
    /// A command inside exits with 0.
    pub(crate) exec: Option<Located<RawCommand>>,
    /// A line of its output contains this text.
    pub(crate) log: Option<Located<RawLine>>,
    /// How long it may take; `30s` where nothing is said.
    pub(crate) within: Option<Located<String>>,
}

/// A port.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "tcp", deny_unknown_fields)]
pub(crate) struct RawPort {
    /// 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub(crate) port: Located<i64>,
}

/// A command.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "exec", deny_unknown_fields)]
pub(crate) struct RawCommand {
    /// Command and arguments, without a shell.
    pub(crate) command: Located<Vec<Located<String>>>,
}

/// A line of output.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "log", deny_unknown_fields)]
pub(crate) struct RawLine {
    /// The text that it must contain.
    pub(crate) contains: Located<String>,
}

/// One question to the services.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "check", deny_unknown_fields)]
pub(crate) struct RawCheck {
    /// The service in whose place in the network the probe stands.
    pub(crate) from: Option<Located<String>>,
    /// How to look.
    pub(crate) probe: Located<RawProbe>,
    /// The kinds of connection to look over; `[fresh]` where nothing is said.
    pub(crate) connections: Option<Located<Vec<Located<Keyword<Connection>>>>>,
    /// How long one look may take; `10s` where nothing is said.
    pub(crate) within: Option<Located<String>>,
    /// How long a failure may last before it counts; `0s` where nothing is said.
    pub(crate) settle: Option<Located<String>>,
    /// What must be seen: once, or one entry per span of time.
    pub(crate) expect: Located<OneOrMany<RawExpectation>>,
}

/// One way to look.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "probe", rename_all = "kebab-case")]
pub(crate) enum RawProbe {
    /// The main process of a service runs.
    Alive(RawAlive),
    /// A command inside a service.
    Exec(RawExec),
    /// An HTTP exchange.
    Http(RawHttp),
    /// An HTTP exchange over TLS.
    Https(RawHttps),
    /// A line in the output of a service.
    Log(RawLog),
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
}

/// An HTTP exchange.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "http probe", deny_unknown_fields)]
pub(crate) struct RawHttp {
    /// `http://SERVICE:PORT/PATH`.
    pub(crate) url: Located<String>,
    /// `GET` where none is given.
    pub(crate) method: Option<Located<Keyword<HttpMethod>>>,
}

/// An HTTP exchange over TLS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "https probe", deny_unknown_fields)]
pub(crate) struct RawHttps {
    /// `https://SERVICE:PORT/PATH`.
    pub(crate) url: Located<String>,
    /// `GET` where none is given.
    pub(crate) method: Option<Located<Keyword<HttpMethod>>>,
    /// The CA to start from.
    pub(crate) trust: Option<Located<String>>,
    /// The client certificate to show.
    pub(crate) identity: Option<Located<String>>,
    /// How strictly to look; `strict` where nothing is said.
    pub(crate) verify: Option<Located<Keyword<Verify>>>,
    /// Name to verify and to send as SNI, where it is not the host.
    pub(crate) server_name: Option<Located<String>>,
}

/// What must be seen, as one of two, and when.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "expectation", deny_unknown_fields)]
pub(crate) struct RawExpectation {
    /// The last second before the span; from the beginning where none is given.
    pub(crate) after: Option<Located<String>>,
    /// The last second of the span; to the end where none is given.
    pub(crate) through: Option<Located<String>>,
    /// The service answers.
    pub(crate) works: Option<Located<RawWorks>>,
    /// The service refuses.
    pub(crate) rejected: Option<Located<RawRejected>>,
}

/// What an answer looks like.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "works", deny_unknown_fields)]
pub(crate) struct RawWorks {
    /// Exit code of an `exec` probe; 0 where none is given.
    pub(crate) exit: Option<Located<i64>>,
    /// Status of an HTTP probe; any of 200 to 299 where none is given.
    pub(crate) status: Option<Located<i64>>,
}

/// A refusal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "rejected", deny_unknown_fields)]
pub(crate) struct RawRejected {
    /// The check that must work meanwhile, so that refusing everybody does not pass.
    pub(crate) control: Located<String>,
}

/// How strictly to judge.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "policy", deny_unknown_fields)]
pub(crate) struct RawPolicy {
    /// Share of the expiring credentials that checks must exercise, as in `100%`.
    pub(crate) require_coverage: Option<Located<String>>,
    /// What a credential means that ends inside the window though nothing breaks; `warn` where nothing is said.
    pub(crate) present_but_unused: Option<Located<Keyword<PresentButUnused>>>,
    /// Findings that may pass.
    pub(crate) waivers: Option<Located<Vec<Located<RawWaiver>>>>,
}

/// A finding that somebody answers for; either `code` or `fingerprint` says which.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "waiver", deny_unknown_fields)]
pub(crate) struct RawWaiver {
    /// Every finding with this code.
    pub(crate) code: Option<Located<Keyword<FindingCode>>>,
    /// Every finding about the certificate with this SHA-256 fingerprint.
    pub(crate) fingerprint: Option<Located<String>>,
    /// Who answers for it.
    #[schemars(required)]
    pub(crate) owner: Option<Located<String>>,
    /// Why it is acceptable.
    pub(crate) reason: Located<String>,
    /// Its last second in real time; afterwards it blocks.
    pub(crate) until: Located<String>,
}

/// What one build of a retold incident must come to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "replay entry", deny_unknown_fields)]
pub(crate) struct RawReplay {
    /// The build.
    pub(crate) build: Located<String>,
    /// Its verdict.
    pub(crate) verdict: Located<Keyword<Decision>>,
    /// The first failing second.
    pub(crate) breaks_at: Option<Located<String>>,
    /// The culprit.
    pub(crate) cause: Option<Located<RawCause>>,
    /// The checks that fall with it, all of them.
    pub(crate) falls: Option<Located<Vec<Located<String>>>>,
    /// Codes of findings that must stand in the report.
    pub(crate) notes: Option<Located<Vec<Located<Keyword<FindingCode>>>>>,
}

/// A culprit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "cause", rename_all = "kebab-case")]
pub(crate) enum RawCause {
    /// A credential that the scenario declares.
    Declared(Located<String>),
    /// A credential inside the files of a service.
    Embedded(RawEmbedded),
}

/// A credential inside the files of a service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename = "embedded credential", deny_unknown_fields)]
pub(crate) struct RawEmbedded {
    /// The service whose files hold it.
    pub(crate) service: Located<String>,
    /// Its subject.
    pub(crate) subject: Located<String>,
    /// The last second of its validity.
    pub(crate) not_after: Located<String>,
}
