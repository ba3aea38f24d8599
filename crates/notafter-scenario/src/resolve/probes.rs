//! Probes: how a check looks.

use super::scope::{Scope, Target};
use crate::Code;
use crate::decode::{Keyword, Located, TextOr};
use crate::diagnostic::{Draft, Span};
use crate::raw::{RawAmqp, RawGreet, RawGrpc, RawHttps, RawProbe, RawSecret, RawSql, RawTls};
use notafter_core::{
    AmqpTerms, CredentialName, EnvValue, Greeting, Hidden, HttpMethod, Probe, ServiceName, SqlServer,
    SqlTerms, StartTls, TlsTerms, TlsTrust, Verify,
};

/// The keys of the TLS side, which several kinds of probe share.
struct RawTerms<'r> {
    trust: Option<&'r Located<String>>,
    identity: Option<&'r Located<String>>,
    verify: Option<&'r Located<Keyword<Verify>>>,
    server_name: Option<&'r Located<String>>,
    starttls: Option<&'r Located<Keyword<StartTls>>>,
}

impl<'r> From<&'r RawTls> for RawTerms<'r> {
    fn from(raw: &'r RawTls) -> Self {
        Self {
            trust: raw.trust.as_ref(),
            identity: raw.identity.as_ref(),
            verify: raw.verify.as_ref(),
            server_name: raw.server_name.as_ref(),
            starttls: raw.starttls.as_ref(),
        }
    }
}

/// Kinds of probe that begin with TLS, where they have it.
macro_rules! begin_with_tls {
    ($($raw:ty),+) => {
        $(impl<'r> From<&'r $raw> for RawTerms<'r> {
            fn from(raw: &'r $raw) -> Self {
                Self {
                    trust: raw.trust.as_ref(),
                    identity: raw.identity.as_ref(),
                    verify: raw.verify.as_ref(),
                    server_name: raw.server_name.as_ref(),
                    starttls: None,
                }
            }
        })+
    };
}

begin_with_tls!(RawAmqp, RawGreet, RawGrpc, RawHttps, RawSql);

impl RawTerms<'_> {
    fn is_given(&self) -> bool {
        self.trust.or(self.identity).or(self.server_name).is_some() || self.verify.is_some()
    }
}

impl Scope<'_> {
    fn greet(&self, raw: &RawGreet, protocol: Greeting, span: Span) -> Option<Probe> {
        let tls = self.terms_if_given(&raw.into(), span)?;
        let (host, port) = self.address(&raw.address)?;
        Some(Probe::Greet { protocol, host, port, tls })
    }

    fn grpc(&self, raw: &RawGrpc, span: Span) -> Option<Probe> {
        let tls = self.terms_if_given(&raw.into(), span)?;
        let (host, port) = self.address(&raw.address)?;
        let service = match &raw.service {
            Some(service) => Some(self.said(service)?),
            None => None,
        };
        let token = self.bearer(raw.token.as_ref())?;
        Some(Probe::Grpc { host, port, service, tls, token })
    }

    fn amqp(&self, raw: &RawAmqp, span: Span) -> Option<Probe> {
        if raw.user.is_none() && (raw.password.is_some() || raw.identity.is_none()) {
            let message = "nothing says who logs in";
            let help = "give `user` and `password` for PLAIN, or an `identity` alone for EXTERNAL";
            return self.fail(Draft::new(Code::MissingKey, span, message).help(help));
        }
        let tls = self.terms_if_given(&raw.into(), span)?;
        let (host, port) = self.address(&raw.address)?;
        let user = match &raw.user {
            Some(user) => Some(self.said(user)?),
            None => None,
        };
        let password = self.password(raw.password.as_ref())?;
        let vhost = match &raw.vhost {
            Some(vhost) => self.vhost(vhost)?,
            None => "/".to_owned(),
        };
        Some(Probe::Amqp { host, port, terms: AmqpTerms { user, password, vhost }, tls })
    }

    /// The protocol has one byte for its length.
    fn vhost(&self, vhost: &Located<String>) -> Option<String> {
        let text = self.said(vhost)?;
        if text.len() > usize::from(u8::MAX) {
            let message = "no virtual host has a name of more than 255 bytes";
            return self.fail(Draft::new(Code::BadText, vhost.span, message));
        }
        Some(text)
    }

    /// In the file it is no secret, and in a record it would be nearer to becoming one.
    fn password(&self, password: Option<&Located<TextOr<RawSecret>>>) -> Option<Option<EnvValue>> {
        let Some(password) = password else { return Some(None) };
        Some(Some(match self.value_or_secret(password)? {
            EnvValue::Plain(text) => EnvValue::Hidden(Hidden::new(text)),
            value @ (EnvValue::Hidden(_) | EnvValue::Secret(_)) => value,
        }))
    }

    fn sql(&self, raw: &RawSql, (server, starttls): (SqlServer, StartTls), span: Span) -> Option<Probe> {
        let tls = self.terms_if_given(&raw.into(), span)?;
        let tls = tls.map(|terms| TlsTerms { starttls: Some(starttls), ..terms });
        let (host, port) = self.address(&raw.address)?;
        let user = self.said(&raw.user)?;
        let password = self.password(raw.password.as_ref())?;
        let database = match &raw.database {
            Some(database) => self.said(database)?,
            None if server == SqlServer::Postgres => user.clone(),
            None => String::new(),
        };
        let query = match &raw.query {
            Some(query) => self.said(query)?,
            None => "select 1".to_owned(),
        };
        let terms = SqlTerms { user, password, database, query };
        Some(Probe::Sql { server, host, port, terms, tls })
    }

    /// The token that a probe shows, where it shows one.
    fn bearer(&self, token: Option<&Located<String>>) -> Option<Option<CredentialName>> {
        match token {
            Some(token) => self.reference(Target::Token, token).map(Some),
            None => Some(None),
        }
    }

    /// A text that a protocol sends as one that ends with a zero byte.
    fn said(&self, text: &Located<String>) -> Option<String> {
        let (text, span) = text.get()?;
        if text.trim().is_empty() || text.contains('\0') {
            return self.fail(Draft::new(Code::BadText, span, "this says nothing, or holds a zero byte"));
        }
        Some(text.clone())
    }

    pub(super) fn probe(&self, probe: &Located<RawProbe>, from: Option<&ServiceName>) -> Option<Probe> {
        let (raw, span) = probe.get()?;
        let inside = |service: &Option<Located<String>>| self.inside(service.as_ref(), from, span);
        Some(match raw {
            RawProbe::Alive(raw) => Probe::Alive { service: inside(&raw.service)? },
            RawProbe::Amqp(raw) => self.amqp(raw, span)?,
            RawProbe::Exec(raw) => {
                let (service, command) = (inside(&raw.service), self.command(&raw.command));
                Probe::Exec { service: service?, command: command? }
            }
            RawProbe::Grpc(raw) => self.grpc(raw, span)?,
            RawProbe::Http(raw) => {
                let (host, port, path) = self.url(&raw.url, "http", 80)?;
                let token = self.bearer(raw.token.as_ref())?;
                let method = method(raw.method.as_ref());
                let token_given = raw.token.as_ref();
                let content = self.content(method, token_given, raw.headers.as_ref(), raw.body.as_ref())?;
                Probe::Http { host, port, path, method, content, tls: None, token }
            }
            RawProbe::Https(raw) => {
                let (url, terms) = (self.url(&raw.url, "https", 443), self.terms(&raw.into(), span));
                let ((host, port, path), tls) = (url?, Some(terms?));
                let token = self.bearer(raw.token.as_ref())?;
                let method = method(raw.method.as_ref());
                let token_given = raw.token.as_ref();
                let content = self.content(method, token_given, raw.headers.as_ref(), raw.body.as_ref())?;
                Probe::Http { host, port, path, method, content, tls, token }
            }
            RawProbe::Log(raw) => {
                let (service, contains) = (inside(&raw.service), self.needle(&raw.contains));
                let every = match &raw.every {
                    None => None,
                    Some(every) => Some(self.positive_duration(every, Code::DurationNotPositive)?),
                };
                Probe::Log { service: service?, contains: contains?, every }
            }
            RawProbe::Mqtt(raw) => self.greet(raw, Greeting::Mqtt, span)?,
            RawProbe::Mysql(raw) => self.sql(raw, (SqlServer::Mysql, StartTls::Mysql), span)?,
            RawProbe::Postgres(raw) => self.sql(raw, (SqlServer::Postgres, StartTls::Postgres), span)?,
            RawProbe::Redis(raw) => self.greet(raw, Greeting::Redis, span)?,
            RawProbe::Tcp(raw) => {
                let (text, span) = raw.address.get()?;
                let (host, port) = self.authority(text, span, None)?;
                Probe::Tcp { host, port }
            }
            RawProbe::Tls(raw) => {
                let (text, at) = raw.address.get()?;
                let (address, terms) = (self.authority(text, at, None), self.terms(&raw.into(), span));
                let (host, port) = address?;
                Probe::Tls { host, port, terms: terms? }
            }
        })
    }

    /// The service that a probe looks into.
    fn inside(
        &self,
        service: Option<&Located<String>>,
        from: Option<&ServiceName>,
        probe: Span,
    ) -> Option<ServiceName> {
        match (service, from) {
            (Some(service), _) => self.reference(Target::Service, service),
            (None, Some(from)) => Some(from.clone()),
            (None, None) => self.fail(
                Draft::new(Code::MissingKey, probe, "nothing says which service to look into")
                    .help("give the check a `from`, or the probe a `service`"),
            ),
        }
    }

    /// The TLS side of what speaks TLS only where one of its keys is there.
    fn terms_if_given(&self, raw: &RawTerms<'_>, probe: Span) -> Option<Option<TlsTerms>> {
        match raw.is_given() {
            true => self.terms(raw, probe).map(Some),
            false => Some(None),
        }
    }

    fn terms(&self, raw: &RawTerms<'_>, probe: Span) -> Option<TlsTerms> {
        let verify = match raw.verify {
            Some(verify) => verify.value?.0,
            None => Verify::default(),
        };
        let trust = match raw.trust {
            Some(trust) => Some(TlsTrust::Credential(self.trust_anchor(trust)?)),
            None => None,
        };
        match (raw.trust, verify) {
            (Some(trust), Verify::Dates | Verify::Off) => {
                let at = raw.verify.map_or(probe, |verify| verify.span);
                let message = match verify {
                    Verify::Dates => "with `verify: dates` nothing is trusted, so `trust` says nothing",
                    _ => "with `verify: off` nothing is trusted, so `trust` says nothing",
                };
                return self.fail(
                    Draft::new(Code::VerifyOffWithTrust, at, message)
                        .context(trust.span, "this would be ignored"),
                );
            }
            (None, Verify::Strict | Verify::Webpki) => {
                return self.fail(
                    Draft::new(Code::MissingTrust, probe, "nothing says which CA this probe trusts")
                        .help("give `trust: NAME`; `verify: dates` asks for dates alone, `off` for nothing"),
                );
            }
            (Some(_), Verify::Strict | Verify::Webpki) | (None, Verify::Dates | Verify::Off) => {}
        }
        let identity = match raw.identity {
            Some(identity) => Some(self.reference(Target::Credential, identity)?),
            None => None,
        };
        let server_name = match raw.server_name {
            Some(name) => Some(self.dns_name(name)?),
            None => None,
        };
        let starttls = raw.starttls.and_then(|starttls| starttls.value).map(|keyword| keyword.0);
        Some(TlsTerms { trust, identity, verify, server_name, starttls })
    }

    fn trust_anchor(&self, trust: &Located<String>) -> Option<CredentialName> {
        let name: CredentialName = self.reference(Target::Credential, trust)?;
        if self.is_leaf(name.as_str()) {
            let message = format!("`{name}` is no CA, so nothing can be trusted because of it");
            return self.fail(Draft::new(Code::NotACa, trust.span, message));
        }
        Some(name)
    }

    /// Host, port and path of `SCHEME://HOST[:PORT][/PATH]`.
    fn url(&self, url: &Located<String>, scheme: &str, default_port: u16) -> Option<(String, u16, String)> {
        let (text, span) = url.get()?;
        let bad = |why: &str| {
            self.fail(
                Draft::new(Code::BadUrl, span, format!("`{text}` {why}"))
                    .help(format!("write `{scheme}://SERVICE:PORT/PATH`")),
            )
        };
        let Some(rest) = text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")) else {
            return bad(&format!("does not begin with `{scheme}://`"));
        };
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return bad("holds blanks or characters beyond ASCII");
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        // What a step captures may be the whole path.
        let end = rest.find("{{").map_or(end, |name| end.min(name));
        let (authority, path) = rest.split_at(end);
        if path.contains('#') {
            return bad("has a fragment, which no server ever sees");
        }
        if authority.contains('@') {
            return bad("carries a user, which would end up in reports");
        }
        let (host, port) = self.authority(authority, span, Some((default_port, scheme)))?;
        let slash = if path.starts_with(['/', '{']) { "" } else { "/" };
        Some((host, port, format!("{slash}{path}")))
    }

    /// Host and port of `SERVICE:PORT`.
    pub(super) fn address(&self, address: &Located<String>) -> Option<(String, u16)> {
        let (text, span) = address.get()?;
        self.authority(text, span, None)
    }

    /// Host and port of `HOST:PORT`, the host a service; a URL brings its default port.
    fn authority(&self, text: &str, span: Span, url: Option<(u16, &str)>) -> Option<(String, u16)> {
        let (code, form) = match url {
            Some((_, scheme)) => (Code::BadUrl, format!("{scheme}://SERVICE:PORT/PATH")),
            None => (Code::BadAddress, "SERVICE:PORT".to_owned()),
        };
        let bad = |why: &str| {
            self.fail(Draft::new(code, span, format!("`{text}` {why}")).help(format!("write `{form}`")))
        };
        let (host, port) = match (text.rsplit_once(':'), url) {
            (Some((host, port)), _) => (host, Some(port)),
            (None, Some(_)) => (text, None),
            (None, None) => return bad("names no port"),
        };
        if host.is_empty() {
            return bad("names no host");
        }
        let port = match (port, url) {
            (Some(port), _) => match port.parse::<u16>() {
                Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => number,
                _ => return bad("has no port from 1 to 65535"),
            },
            (None, Some((default, _))) => default,
            (None, None) => return bad("names no port"),
        };
        if !self.declared(Target::Service).contains(host) {
            let draft = Draft::new(Code::UnknownHost, span, format!("`{host}` is no host of this scenario"));
            return self.fail(
                draft.help(
                    self.suggestion(Target::Service, host)
                        .unwrap_or_else(|| "hosts are the names of services".to_owned()),
                ),
            );
        }
        Some((host.to_owned(), port))
    }
}

fn method(raw: Option<&Located<Keyword<HttpMethod>>>) -> HttpMethod {
    raw.and_then(|method| method.value).map_or(HttpMethod::default(), |method| method.0)
}
