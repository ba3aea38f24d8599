//! Just enough of gRPC to ask a service for its health (`grpc.health.v1.Health/Check`) over HTTP/2, and to ask again.

mod check;
mod message;
mod session;
mod status;

pub(crate) use check::HealthCheck;
pub(crate) use session::{Session, Trouble};
