//! Which back end runs the services. The one that was asked for, and no other.

use crate::args::BackendChoice;
use crate::error::Error;
use notafter_backend::{Backend, Embedded};

/// Makes the back end.
///
/// # Errors
/// [`Error::Backend`].
pub(crate) fn choose(choice: BackendChoice) -> Result<Box<dyn Backend>, Error> {
    match choice {
        BackendChoice::Embedded => {
            Ok(Box::new(Embedded::new(notafter_runner::host_now).map_err(Error::Backend)?))
        }
    }
}
