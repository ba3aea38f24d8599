//! Where services run: on the back end that the command line asks for, else the scenario, and on no other.

use crate::args::{BackendChoice, Isolation};
use crate::error::Error;
use notafter_backend::{Backend, Embedded};
use notafter_core::BackendKind;
use notafter_runner::Venue;

/// Makes the place for runs.
///
/// # Errors
/// [`Error::Backend`].
pub(crate) fn choose(
    choice: Option<BackendChoice>,
    scenario: Option<BackendKind>,
    isolation: Isolation,
) -> Result<Venue, Error> {
    let wanted = match choice {
        Some(BackendChoice::Docker) => BackendKind::Docker,
        Some(BackendChoice::Embedded) => BackendKind::Embedded,
        None => scenario.unwrap_or(BackendKind::Embedded),
    };
    match wanted {
        BackendKind::Docker => docker(isolation),
        BackendKind::Embedded => embedded(isolation).map(Venue::Here),
    }
}

fn docker(isolation: Isolation) -> Result<Venue, Error> {
    match isolation {
        Isolation::Namespaces => Venue::engine().map_err(Error::Backend),
        Isolation::None => Err(Error::Backend(notafter_backend::Error::Unsupported {
            backend: "docker",
            what: "do without isolation: containers always have some".to_owned(),
        })),
    }
}

/// Makes the embedded back end.
///
/// # Errors
/// [`Error::Backend`].
pub(crate) fn embedded(isolation: Isolation) -> Result<Box<dyn Backend>, Error> {
    let embedded = Embedded::new(notafter_runner::host_now).map_err(Error::Backend)?;
    Ok(Box::new(match isolation {
        Isolation::Namespaces => embedded,
        Isolation::None => embedded.without_namespaces(),
    }))
}
