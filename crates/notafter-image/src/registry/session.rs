//! A conversation with one registry: requests, who we are, and where it sends us.

use super::challenge::Challenge;
use super::credentials::{self, Kind, Login};
use super::failure::Failure;
use super::place::Place;
use super::response::{Method, Response};
use super::roots;
use super::secret::Secret;
use super::settings::Registries;
use super::url::{Scheme, Url, escaped, is_loopback};
use super::wire::{Deadline, Route, Wire, connect};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ClientConfig;
use serde::Deserialize;
use std::cell::{OnceCell, RefCell};
use std::io::{Read, Write};
use std::sync::Arc;

/// How often a server may send us elsewhere, for one request.
const MOST_REDIRECTS: usize = 5;
/// Longest answer of a server that gives tokens.
const MAX_TOKEN_BYTES: u64 = 1 << 20;
/// How much of an error's body is looked at.
const MAX_ERROR_BYTES: u64 = 64 << 10;
/// How long it may take to get a token.
const TOKEN_SECS: i64 = 60;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) method: Method,
    /// Below `/v2/REPOSITORY/`.
    pub(super) path: &'a str,
    pub(super) accept: &'a str,
    /// For messages, such as `manifest latest`.
    pub(super) what: &'a str,
    /// How long all of the answer may take.
    pub(super) secs: i64,
}

/// A conversation with the registry of one image.
pub(super) struct Session<'a> {
    registries: &'a Registries,
    place: &'a Place,
    base: Url,
    /// With the roots that this machine has for the registry alone.
    tls: Arc<ClientConfig>,
    /// For every other server.
    elsewhere: OnceCell<Arc<ClientConfig>>,
    login: OnceCell<Login>,
    /// What the registry took last.
    authorization: RefCell<Option<Secret>>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<ErrorCode>,
}

#[derive(Deserialize)]
struct ErrorCode {
    code: String,
}

impl<'a> Session<'a> {
    pub(super) fn new(registries: &'a Registries, place: &'a Place) -> Result<Self, Failure> {
        let server = place.server();
        let nonsense =
            || Failure::Nonsense { server: server.to_owned(), reason: "a name that is none".into() };
        let https = Url::parse(&format!("https://{server}")).ok_or_else(nonsense)?;
        let base = match is_loopback(&https.host) && !roots::has_own(registries, &place.host) {
            true => Url::parse(&format!("http://{server}")).ok_or_else(nonsense)?,
            false => https,
        };
        Ok(Self {
            registries,
            place,
            base,
            tls: roots::tls(registries, Some(&place.host))?,
            elsewhere: OnceCell::new(),
            login: OnceCell::new(),
            authorization: RefCell::default(),
        })
    }

    /// The answer to `question`, with a status of 200.
    pub(super) fn ask(&self, question: Question<'_>) -> Result<Response<Box<dyn Wire>>, Failure> {
        let deadline = Deadline::after(self.registries.clock, question.secs);
        let path = format!("/v2/{}/{}", self.place.repository, question.path);
        let mut url = self.follow(&self.base, &path)?;
        let (mut redirects, mut is_known) = (0, false);
        loop {
            let is_home = url.is_same_server(&self.base);
            let authorization = self.authorization.borrow().clone().filter(|_| is_home);
            let request =
                Request { method: question.method, accept: question.accept, authorization, form: None };
            let response = self.exchange(&url, &request, deadline)?;
            match response.status {
                200 => return Ok(response),
                301 | 302 | 303 | 307 | 308 => {
                    redirects += 1;
                    if redirects > MOST_REDIRECTS {
                        return Err(Failure::Redirects { most: MOST_REDIRECTS });
                    }
                    let location = response.values("location").next().unwrap_or_default();
                    url = self.follow(&url, location)?;
                }
                401 if is_home && !is_known => {
                    is_known = true;
                    let authorization = self.authorized(response)?;
                    *self.authorization.borrow_mut() = Some(authorization);
                }
                _ => return Err(self.refused(&url, response, question.what)),
            }
        }
    }

    /// Where `location` leads; never out of TLS.
    fn follow(&self, from: &Url, location: &str) -> Result<Url, Failure> {
        let next = from.join(location).ok_or_else(|| Failure::Nonsense {
            server: from.to_string(),
            reason: "a place to go that is no URL of HTTP".to_owned(),
        })?;
        match (from.scheme, next.scheme) {
            (Scheme::Https, Scheme::Http) => Err(Failure::Plain { server: next.to_string() }),
            _ => Ok(next),
        }
    }

    fn login(&self) -> Result<&Login, Failure> {
        if let Some(login) = self.login.get() {
            return Ok(login);
        }
        let login = credentials::find(&self.registries.credentials, self.place)?;
        Ok(self.login.get_or_init(|| login))
    }

    /// What to show the registry, by what it asks for in `response`.
    fn authorized(&self, mut response: Response<Box<dyn Wire>>) -> Result<Secret, Failure> {
        let challenge = response.values("www-authenticate").find_map(Challenge::parse);
        let login = self.login()?;
        match (challenge, &login.kind) {
            (Some(Challenge::Basic), Kind::Password { user, password }) => Ok(basic(user, password)),
            (Some(Challenge::Bearer { realm, service }), _) => self.token(&realm, service.as_deref(), login),
            (Some(Challenge::Basic) | None, _) => Err(denied(401, login, code_of(&mut response))),
        }
    }

    /// A token to pull with, by the token specification of the distribution project. The scope is never the server's
    /// choice: a token for more could be used elsewhere.
    fn token(&self, realm: &str, service: Option<&str>, login: &Login) -> Result<Secret, Failure> {
        let deadline = Deadline::after(self.registries.clock, TOKEN_SECS);
        let scope = format!("repository:{}:pull", self.place.repository);
        let mut query = format!("scope={}", escaped(&scope));
        if let Some(service) = service {
            query.push_str(&format!("&service={}", escaped(service)));
        }
        let (method, authorization, form) = match &login.kind {
            Kind::Refresh(token) => {
                let token = escaped(token.reveal());
                let form =
                    format!("grant_type=refresh_token&client_id=notafter&{query}&refresh_token={token}");
                (Method::Post, None, Some(Secret::new(form)))
            }
            Kind::Password { user, password } => (Method::Get, Some(basic(user, password)), None),
            Kind::None => (Method::Get, None, None),
        };
        let url = match method {
            Method::Post => self.follow(&self.base, realm)?,
            Method::Get | Method::Head => {
                let joint = if realm.contains('?') { '&' } else { '?' };
                self.follow(&self.base, &format!("{realm}{joint}{query}"))?
            }
        };
        let request = Request { method, accept: "application/json", authorization, form };
        let mut response = self.exchange(&url, &request, deadline)?;
        let nonsense =
            || Failure::Nonsense { server: url.to_string(), reason: "no token that can be used".to_owned() };
        match response.status {
            200 => {}
            status @ (400 | 401 | 403) => return Err(denied(status, login, code_of(&mut response))),
            _ => return Err(self.refused(&url, response, "a token")),
        }
        let failed = |source| Failure::Io { action: format!("read a token of {url}"), source };
        let bytes = response.body.whole(MAX_TOKEN_BYTES).map_err(failed)?.ok_or_else(nonsense)?;
        let token: Token = serde_json::from_slice(&bytes).map_err(|_| nonsense())?;
        let token = token.token.or(token.access_token).ok_or_else(nonsense)?;
        // It becomes a field of requests.
        match !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Secret::new(format!("Bearer {token}"))),
            false => Err(nonsense()),
        }
    }

    fn tls_elsewhere(&self) -> Result<Arc<ClientConfig>, Failure> {
        if let Some(tls) = self.elsewhere.get() {
            return Ok(Arc::clone(tls));
        }
        let tls = roots::tls(self.registries, None)?;
        Ok(Arc::clone(self.elsewhere.get_or_init(|| tls)))
    }

    fn exchange(
        &self,
        url: &Url,
        request: &Request<'_>,
        deadline: Deadline,
    ) -> Result<Response<Box<dyn Wire>>, Failure> {
        let tls = match url.is_same_server(&self.base) {
            true => Arc::clone(&self.tls),
            false => self.tls_elsewhere()?,
        };
        let proxy = self.registries.proxies.of(url)?;
        let proxy = proxy.map(|proxy| self.tls_elsewhere().map(|tls| (proxy, tls))).transpose()?;
        let mut wire = connect(url, &Route { tls, proxy, deadline })?;
        let failed = |source| Failure::Io { action: format!("talk to {url}"), source };
        let bytes = request.to_bytes(url);
        wire.write_all(bytes.reveal().as_bytes()).and_then(|()| wire.flush()).map_err(failed)?;
        Response::read(wire, request.method).map_err(failed)
    }

    fn refused(&self, url: &Url, mut response: Response<Box<dyn Wire>>, what: &str) -> Failure {
        let code = code_of(&mut response);
        match (response.status, self.login()) {
            (404, _) => Failure::NotFound { what: what.to_owned(), code },
            (status @ (401 | 403), Ok(login)) => denied(status, login, code),
            (_, Err(failure)) => failure,
            (status, Ok(_)) => {
                Failure::Status { server: url.to_string(), status, what: what.to_owned(), code }
            }
        }
    }
}

/// One request.
struct Request<'a> {
    method: Method,
    accept: &'a str,
    authorization: Option<Secret>,
    /// What is posted.
    form: Option<Secret>,
}

impl Request<'_> {
    fn to_bytes(&self, url: &Url) -> Secret {
        let method = match self.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
        };
        let mut text = format!(
            "{method} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: notafter/{}\r\nAccept: {}\r\nAccept-Encoding: identity\r\n\
             Connection: close\r\n",
            url.target,
            url.authority,
            env!("CARGO_PKG_VERSION"),
            self.accept,
        );
        if let Some(authorization) = &self.authorization {
            text.push_str(&format!("Authorization: {}\r\n", authorization.reveal()));
        }
        let form = self.form.as_ref().map_or("", Secret::reveal);
        if self.method == Method::Post {
            let kind = "application/x-www-form-urlencoded";
            text.push_str(&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", form.len()));
        }
        text.push_str("\r\n");
        text.push_str(form);
        Secret::new(text)
    }
}

fn basic(user: &str, password: &Secret) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal()))))
}

fn denied(status: u16, login: &Login, code: Option<String>) -> Failure {
    Failure::Denied { status, login: login.source.clone(), code }
}

/// What the registry calls the error. Nothing else of its words is shown: they could hold what we sent.
fn code_of(response: &mut Response<Box<dyn Wire>>) -> Option<String> {
    let mut bytes = Vec::new();
    response.body.by_ref().take(MAX_ERROR_BYTES).read_to_end(&mut bytes).ok()?;
    let errors: Errors = serde_json::from_slice(&bytes).ok()?;
    let code = errors.errors.into_iter().next()?.code;
    let is_word = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    (code.len() <= 40 && code.bytes().all(is_word)).then_some(code)
}
