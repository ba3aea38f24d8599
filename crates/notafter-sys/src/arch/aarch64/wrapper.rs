//! There is no wrapper yet.

use crate::arch::{NAME, Wrapper};
use crate::vdso::VdsoError;

/// Refuses: without a wrapper every clock that is read in the vDSO would be real.
pub(crate) fn wrapper() -> Result<Wrapper, VdsoError> {
    Err(VdsoError::NotBuilt { architecture: NAME })
}
