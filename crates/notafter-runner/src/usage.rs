//! What the runner can tell before anything runs.

use crate::Error;
use notafter_core::{Connection, Probe, Scenario};

/// Refuses a scenario that asks for what no probe can honestly do.
///
/// # Errors
/// [`Error::ConnectionUnsupported`] for the first such check, [`Error::NoImage`] for a service with nothing to run.
pub(crate) fn check(scenario: &Scenario) -> Result<(), Error> {
    for check in &scenario.checks {
        if let Some(connection) = check.connections.iter().find(|kind| !has(&check.probe, **kind)) {
            return Err(Error::ConnectionUnsupported {
                check: check.name.clone(),
                connection: *connection,
                kind: check.probe.kind(),
                location: check.location.clone(),
            });
        }
    }
    match scenario.services.iter().find(|service| scenario.image_of(service).is_none()) {
        None => Ok(()),
        Some(service) => {
            Err(Error::NoImage { service: service.name.clone(), location: service.location.clone() })
        }
    }
}

/// A command, a log or a process has no connection that could be held open, and only TLS has sessions to resume.
fn has(probe: &Probe, connection: Connection) -> bool {
    match connection {
        Connection::Fresh => true,
        Connection::Held => match probe {
            Probe::Amqp { .. }
            | Probe::Greet { .. }
            | Probe::Grpc { .. }
            | Probe::Http { .. }
            | Probe::Sql { .. }
            | Probe::Tcp { .. }
            | Probe::Tls { .. } => true,
            Probe::Alive { .. } | Probe::Exec { .. } | Probe::Log { .. } => false,
        },
        Connection::Resumed => probe.tls().is_some(),
    }
}
