//! Which back end runs the services. The one that was asked for, and no other.

use crate::args::{BackendChoice, Isolation};
use crate::error::Error;
use notafter_backend::{Backend, Docker, Embedded};

/// Makes the back end.
///
/// # Errors
/// [`Error::Backend`].
pub(crate) fn choose(choice: BackendChoice, isolation: Isolation) -> Result<Box<dyn Backend>, Error> {
    match choice {
        BackendChoice::Docker => docker(isolation),
        BackendChoice::Embedded => embedded(isolation),
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
