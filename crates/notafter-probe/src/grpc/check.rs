//! The question and what its answer means.
//!
//! What must never happen here: an answer that does not say SERVING counting as one that does.

use super::message::{self, Health};
use super::session::{Session, Trouble};
use super::status;
use crate::Error;
use crate::greet::Heard;
use crate::look::said;
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use notafter_core::Answer;
use std::io::{Read, Write};

/// How much of a body is read; a health message takes seven bytes.
const MOST_BODY_BYTES: usize = 4096;

/// One question, ready to be sent.
#[derive(Debug)]
pub(crate) struct HealthCheck {
    request: Request<()>,
    message: Bytes,
}

/// A response as far as it was read.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    is_cut: bool,
    trailers: HeaderMap,
}

impl HealthCheck {
    /// A question to `authority` about `service`, or about the whole server where it is empty.
    ///
    /// # Errors
    /// [`Error::Request`].
    pub(crate) fn new(
        scheme: &str,
        authority: &str,
        service: &str,
        token: Option<&str>,
    ) -> Result<Self, Error> {
        let bad = || Error::Request { text: authority.to_owned() };
        let uri: Uri =
            format!("{scheme}://{authority}/grpc.health.v1.Health/Check").parse().map_err(|_| bad())?;
        let request = Request::builder()
            .method(Method::POST)
            .version(Version::HTTP_2)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .header(header::USER_AGENT, concat!("notafter/", env!("CARGO_PKG_VERSION")));
        let mut request = request.body(()).map_err(|_| bad())?;
        if let Some(token) = token {
            let mut shown = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| bad())?;
            shown.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, shown);
        }
        Ok(Self { request, message: message::request(service).into() })
    }

    /// Asks over `wire`, on the HTTP/2 connection that `session` is or becomes; none is left where it has ended.
    pub(crate) fn ask(&self, session: &mut Option<Session>, wire: &mut (impl Read + Write)) -> Heard {
        let taken = session.take().map_or_else(Session::begin, Ok);
        let asked = taken.and_then(|mut open| {
            let answer = exchange(open.requests(), self.request.clone(), self.message.clone());
            let reply = open.turn_until(answer, wire)??;
            *session = Some(open);
            Ok(reply)
        });
        match asked {
            Ok(reply) => heard(&reply),
            Err(Trouble::Closed) => Heard::Closed,
            Err(Trouble::Io(error)) => Heard::Failed(error),
            Err(Trouble::Protocol(reason)) => Heard::Nonsense(reason),
        }
    }
}

async fn exchange(
    requests: SendRequest<Bytes>,
    request: Request<()>,
    message: Bytes,
) -> Result<Reply, h2::Error> {
    let mut requests = requests.ready().await?;
    let (response, mut sent) = requests.send_request(request, false)?;
    sent.send_data(message, true)?;
    let (head, mut stream) = response.await?.into_parts();
    let mut reply = Reply {
        status: head.status,
        headers: head.headers,
        body: Vec::new(),
        is_cut: false,
        trailers: HeaderMap::new(),
    };
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        let room = MOST_BODY_BYTES - reply.body.len();
        reply.body.extend(piece.iter().take(room));
        if piece.len() > room {
            reply.is_cut = true;
            return Ok(reply);
        }
        stream.flow_control().release_capacity(piece.len())?;
    }
    reply.trailers = stream.trailers().await?.unwrap_or_default();
    Ok(reply)
}

fn heard(reply: &Reply) -> Heard {
    if reply.status != StatusCode::OK {
        return http_status(reply);
    }
    let kind = reply.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    if !kind.starts_with(b"application/grpc") {
        return Heard::Nonsense(format!("content type {:?} is not gRPC's", said(kind)));
    }
    // Where there is nothing but a status it stands in the first and only fields.
    let field = |name| reply.trailers.get(name).or_else(|| reply.headers.get(name)).map(|it| it.as_bytes());
    let code = field("grpc-status").and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
    match code {
        Some(0) => health(reply),
        Some(code) => {
            let message = field("grpc-message").map(|message| said(&percent_decoded(message)));
            let message = message.filter(|message| !message.is_empty());
            let name = status::name(code);
            let told = message.map_or_else(String::new, |message| format!(": {message}"));
            let reason = format!("gRPC status {name}{told}");
            match code {
                status::PERMISSION_DENIED | status::UNAUTHENTICATED => Heard::Refused(reason),
                status::UNAVAILABLE => Heard::NotYet(reason),
                _ => Heard::Nonsense(reason),
            }
        }
        None if reply.is_cut => Heard::Nonsense(format!("a message of more than {MOST_BODY_BYTES} bytes")),
        None => Heard::Nonsense("an answer without a gRPC status".to_owned()),
    }
}

fn health(reply: &Reply) -> Heard {
    match message::response(&reply.body) {
        Some(health @ Health::Serving) => Heard::Answered(health.to_string()),
        Some(other) => Heard::NotYet(format!("its health is {other}")),
        None => Heard::Nonsense("no health message".to_owned()),
    }
}

/// A status that no gRPC server gives: whatever stands before it has answered.
fn http_status(reply: &Reply) -> Heard {
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    let page = Answer::Http { status: reply.status.as_u16(), body };
    let line = page.telling_line().map_or_else(String::new, |line| format!(": {}", said(line.as_bytes())));
    let reason = format!("HTTP status {}{line}", reply.status.as_u16());
    match reply.status {
        // nginx answers so to clients whose certificate it does not take.
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Heard::Refused(reason),
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE => {
            Heard::NotYet(reason)
        }
        _ => Heard::Nonsense(reason),
    }
}

/// `grpc-message` without the percent signs in which it is sent; what is badly encoded stays.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(hidden) => {
                decoded.push(hidden);
                rest = &after[2..];
            }
            None => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    decoded
}
