//! One question and its answer.

use super::request::Request;
use super::response::{Failure, Response, read_response};
use crate::line::KeepOpen;
use std::io::{self, Read, Write};

/// What one exchange comes to.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// A response.
    Answered(Box<Response>),
    /// The service closed the connection before the first byte of a response.
    Closed,
    /// Reading or writing failed.
    Failed(io::Error),
    /// What came is no HTTP/1.x, or breaks off, or is beyond bounds.
    Nonsense(String),
}

/// Sends `request` and reads its response.
pub(crate) fn exchange(wire: &mut (impl Read + Write), request: &Request, keep: KeepOpen) -> Exchange {
    let sent = wire.write_all(&request.to_bytes(keep)).and_then(|()| wire.flush());
    match read_response(wire, request.method) {
        Ok(response) => Exchange::Answered(Box::new(response)),
        // A service may answer and close before it has read the request; only without an answer does it matter that
        // the request could not be sent.
        Err(Failure::Closed) => sent.map_or_else(Exchange::Failed, |()| Exchange::Closed),
        Err(Failure::Io(error)) => Exchange::Failed(error),
        Err(Failure::Nonsense(reason)) => Exchange::Nonsense(reason),
    }
}
