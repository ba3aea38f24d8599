//! Probes: one look at a service over a given connection, at the simulated time, as plain data of `notafter-core`.
//!
//! A [`Prober`] is made once for each check that looks over the network. It asks over a fresh connection every time;
//! [`Held`] asks again and again over one connection, [`Resumed`] over new connections that resume one TLS session.
//! Three clocks are apart: certificates are judged at [`Timing::now`], deadlines run on [`Timing::host`], and what the
//! service thinks is its own affair.
//!
//! What must never happen here: judging. A refusal is data. Neither does a probe follow redirects, try again, or do
//! less than it was asked: where it cannot look, it returns an [`Error`].
#![forbid(unsafe_code)]

mod amqp;
mod connector;
mod error;
mod greet;
mod grpc;
mod held;
mod http;
mod line;
mod look;
mod password;
mod prober;
mod reading;
mod sql;
mod starttls;
mod target;
mod timing;
mod tls;

pub use connector::{ConnectFailure, Connector};
pub use error::Error;
pub use held::Held;
pub use look::{Handshake, LineState, Look};
pub use prober::{Prober, Resumed, Supplies};
pub use reading::{Reader, Whole, compile};
pub use timing::Timing;
pub use tls::{Identity, TlsMaterial};
