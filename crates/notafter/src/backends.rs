//! Which back end runs the services. The one that was asked for, and no other.

use crate::args::{BackendChoice, Isolation};
use crate::error::Error;
use notafter_backend::{Backend, Embedded};

/// Makes the back end.
///
/// # Errors
/// [`Error::Backend`].
pub(crate) fn choose(choice: BackendChoice, isolation: Isolation) -> Result<Box<dyn Backend>, Error> {
    let BackendChoice::Embedded = choice;
    let embedded = Embedded::new(notafter_runner::host_now).map_err(Error::Backend)?;
    Ok(Box::new(match isolation {
        Isolation::Namespaces => embedded,
        Isolation::None => embedded.without_namespaces(),
    }))
}
