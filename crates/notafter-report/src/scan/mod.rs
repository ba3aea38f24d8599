//! What a scan found, for people and for machines: table, JSON, CSV, CycloneDX, iCalendar.

mod calendar;
mod csv;
mod cyclonedx;
mod findings;
mod json;
mod table;
#[cfg(test)]
mod tests;

pub use calendar::calendar;
pub use csv::csv;
pub use cyclonedx::cyclonedx;
pub(crate) use cyclonedx::{About, bill};
pub use findings::Findings;
pub use json::json;
pub use table::table;
