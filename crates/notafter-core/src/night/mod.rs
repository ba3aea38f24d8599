//! Nights: what a night remembers of each verdict, and what is new, healed or closer since the one before.

mod change;
mod distil;
mod entry;
mod identity;
#[cfg(test)]
mod tests;

pub(crate) use distil::headline;
pub(crate) use identity::cause;

pub use change::{Change, Earlier, Forecast, Movement, Told, Turn, changes};
pub use entry::{End, Judged, NightEntry, NightFinding, NightHead, Outlook, Standing};
