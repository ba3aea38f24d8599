//! Which back end runs the services: the one that the command line asks for, else the scenario, and no other.

use crate::args::{BackendChoice, Isolation};
use crate::error::Error;
use notafter_backend::{Backend, Docker, Embedded};
use notafter_core::BackendKind;

/// Makes the back end.
///
/// # Errors
/// [`Error::Backend`].
pub(crate) fn choose(
    choice: Option<BackendChoice>,
    scenario: Option<BackendKind>,
    isolation: Isolation,
) -> Result<Box<dyn Backend>, Error> {
    let wanted = match choice {
        Some(BackendChoice::Docker) => BackendKind::Docker,
        Some(BackendChoice::Embedded) => BackendKind::Embedded,
        None => scenario.unwrap_or(BackendKind::Embedded),
    };
    match wanted {
        BackendKind::Docker => docker(isolation),
        BackendKind::Embedded => embedded(isolation),
    }
}

fn docker(isolation: Isolation) -> Result<Box<dyn Backend>, Error> {
    match isolation {
        Isolation::Namespaces => {
            Ok(Box::new(Docker::new(notafter_runner::host_now).map_err(Error::Backend)?))
        }
        Isolation::None => Err(Error::Backend(notafter_backend::Error::Unsupported {
            backend: "docker",
            what: "do without isolation: containers always have some".to_owned(),
        })),
    }
}

fn embedded(isolation: Isolation) -> Result<Box<dyn Backend>, Error> {
    let embedded = Embedded::new(notafter_runner::host_now).map_err(Error::Backend)?;
    Ok(Box::new(match isolation {
        Isolation::Namespaces => embedded,
        Isolation::None => embedded.without_namespaces(),
    }))
}
