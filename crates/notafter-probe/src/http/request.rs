//! What is sent.

use crate::Error;
use crate::line::KeepOpen;
use notafter_core::{HttpContent, HttpMethod};
use std::fmt;

/// One request, ready to be written.
pub(crate) struct Request {
    pub(super) method: HttpMethod,
    authority: String,
    path: String,
    /// The field that shows a token; empty where there is none.
    authorization: String,
    /// Further fields, each with the end of its line.
    fields: String,
    body: Option<String>,
}

/// Without the token, and without what it carries.
impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, authority, path, .. } = self;
        let mut shown = formatter.debug_struct("Request");
        shown
            .field("method", method)
            .field("authority", authority)
            .field("path", path)
            .finish_non_exhaustive()
    }
}

impl Request {
    pub(crate) fn new(method: HttpMethod, authority: &str, path: &str) -> Result<Self, Error> {
        for text in [authority, path] {
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Error::Request { text: text.to_owned() });
            }
        }
        let (authority, path) = (authority.to_owned(), path.to_owned());
        Ok(Self { method, authority, path, authorization: String::new(), fields: String::new(), body: None })
    }

    /// The same with `token` as a bearer token (RFC 6750 §2.1).
    pub(crate) fn showing(mut self, token: Option<String>) -> Result<Self, Error> {
        if let Some(token) = token {
            if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Error::Request { text: "the token".to_owned() });
            }
            self.authorization = format!("Authorization: Bearer {token}\r\n");
        }
        Ok(self)
    }

    /// The same with fields and a body of its own.
    pub(crate) fn carrying(mut self, content: &HttpContent) -> Result<Self, Error> {
        for (name, value) in &content.headers {
            let is_token = !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
            let lower = name.to_ascii_lowercase();
            let is_token_shown = lower == "authorization" && !self.authorization.is_empty();
            let is_taken = HttpContent::OWN_FIELDS.contains(&lower.as_str()) || is_token_shown;
            let is_line = value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
            if !is_token || is_taken || !is_line {
                return Err(Error::Request { text: name.clone() });
            }
            self.fields += &format!("{name}: {value}\r\n");
        }
        self.body.clone_from(&content.body);
        Ok(self)
    }

    pub(super) fn to_bytes(&self, keep: KeepOpen) -> Vec<u8> {
        let (method, has_body) = match self.method {
            HttpMethod::Delete => ("DELETE", false),
            HttpMethod::Get => ("GET", false),
            HttpMethod::Head => ("HEAD", false),
            HttpMethod::Patch => ("PATCH", true),
            HttpMethod::Post => ("POST", true),
            HttpMethod::Put => ("PUT", true),
        };
        let body = self.body.as_deref().unwrap_or_default();
        let length = match has_body || self.body.is_some() {
            true => format!("Content-Length: {}\r\n", body.len()),
            false => String::new(),
        };
        let connection = match keep {
            KeepOpen::No => "close",
            KeepOpen::Yes => "keep-alive",
        };
        format!(
            "{method} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: notafter/{}\r\nAccept: */*\r\n{}{}{length}Connection: {connection}\r\n\r\n{body}",
            self.path,
            self.authority,
            env!("CARGO_PKG_VERSION"),
            self.authorization,
            self.fields,
        )
        .into_bytes()
    }
}
