//! Nights for people and machines: each build as it is judged, the summary, and what the history holds.

mod history;
mod json;
mod line;
mod summary;
#[cfg(test)]
mod tests;

pub use history::{entries, nights};
pub use json::json;
pub use line::line;
pub use summary::{delta, interrupted, summary};
