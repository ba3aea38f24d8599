//! What is sent.

use crate::Error;
use crate::line::KeepOpen;
use notafter_core::HttpMethod;

/// One request, ready to be written.
#[derive(Debug)]
pub(crate) struct Request {
    pub(super) method: HttpMethod,
    authority: String,
    path: String,
}

impl Request {
    pub(crate) fn new(method: HttpMethod, authority: &str, path: &str) -> Result<Self, Error> {
        for text in [authority, path] {
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Error::Request { text: text.to_owned() });
            }
        }
        Ok(Self { method, authority: authority.to_owned(), path: path.to_owned() })
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
            "{method} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: notafter/{}\r\nAccept: */*\r\n{body}Connection: {connection}\r\n\r\n",
            self.path,
            self.authority,
            env!("CARGO_PKG_VERSION"),
        )
        .into_bytes()
    }
}
