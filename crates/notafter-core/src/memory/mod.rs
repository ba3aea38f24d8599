//! What processes hold in their memory while a case runs.

mod learn;
mod lives;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use learn::{learn, settle_served};
pub(crate) use lives::{given_up, holds, is_of_one_launch, kept_by, lived, predicted};
pub use read::{MemoryRead, ProcessRead};
