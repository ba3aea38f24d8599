//! What is sent.

use crate::Error;
use crate::line::KeepOpen;
use notafter_core::HttpMethod;
use std::fmt;

/// One request, ready to be written.
pub(crate) struct Request {
    pub(super) method: HttpMethod,
    authority: String,
    path: String,
    /// The field that shows a token; empty where there is none.
    authorization: String,
}

/// Without the token.
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
        Ok(Self { method, authority, path, authorization: String::new() })
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

    pub(super) fn to_bytes(&self, keep: KeepOpen) -> Vec<u8> {
        let (method, body) = match self.method {
            HttpMethod::Get => ("GET", ""),
            HttpMethod::Head => ("HEAD", ""),
            HttpMethod::Post => ("POST", "Content-Length: 0\r\n"),
        };
        let connection = match keep {
            KeepOpen::No => "close",
            KeepOpen::Yes => "keep-alive",
        };
        format!(
            "{method} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: notafter/{}\r\nAccept: */*\r\n{}{body}Connection: {connection}\r\n\r\n",
            self.path,
            self.authority,
            env!("CARGO_PKG_VERSION"),
            self.authorization,
        )
        .into_bytes()
    }
}
