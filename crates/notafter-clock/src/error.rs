//! Why the clock engine cannot do what was asked.

use notafter_sys::bpf::BpfError;
use notafter_sys::vdso::VdsoError;
use std::io;

/// Why the clock engine cannot do what was asked. A program that misbehaves is no error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The seccomp filter could not be assembled.
    #[error("the seccomp filter cannot be assembled")]
    Filter(#[from] BpfError),
    /// The instant lies outside what the clock can show.
    #[error("the clock cannot go back to an earlier time")]
    Backwards,
    /// A system call of the engine failed.
    #[error("{call} failed")]
    System {
        /// The call, or what it was for.
        call: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A new process could not be prepared for its program.
    #[error("{reason}")]
    Unprepared {
        /// What failed, as a lower-case fragment.
        reason: String,
    },
    /// The vDSO of this kernel cannot be patched.
    #[error("the vDSO cannot be patched")]
    Vdso(#[from] VdsoError),
}

/// Names the failing call in an error.
pub(crate) trait During<T> {
    fn during(self, call: &'static str) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, call: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::System { call, source: source.into() })
    }
}
