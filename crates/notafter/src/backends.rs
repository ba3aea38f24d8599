//! Which back end runs the services. The one that was asked for, and no other.

use crate::args::{BackendChoice, Isolation};
use crate::error::Error;
use notafter_backend::{Backend, Embedded};

/// Makes the back end.
///
/// # Errors
/// [`Error::Backend`], or [`Error::IsolationNeeded`].
pub(crate) fn choose(choice: BackendChoice, isolation: Isolation) -> Result<Box<dyn Backend>, Error> {
    match (choice, isolation) {
        (BackendChoice::Embedded, Isolation::None) => Err(Error::IsolationNeeded),
        (BackendChoice::Embedded, Isolation::Namespaces) => {
            Ok(Box::new(Embedded::new(notafter_runner::host_now).map_err(Error::Backend)?))
        }
    }
}
