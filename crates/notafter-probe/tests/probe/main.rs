//! Probes against real servers on loopback threads, at times of the test's choosing.
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod amqp;
mod garbage;
mod grpc;
mod held;
mod http;
mod pki;
mod server;
mod support;
mod tls;
