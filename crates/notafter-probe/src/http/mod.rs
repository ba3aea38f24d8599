//! Just enough of an HTTP/1.1 client (RFC 9112) to ask one question and keep the connection.

mod exchange;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub(crate) use exchange::{Exchange, exchange};
pub(crate) use request::Request;
pub(crate) use response::Response;
