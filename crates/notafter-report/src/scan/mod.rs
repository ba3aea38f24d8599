//! What a scan found, for people and for machines: table, JSON, CSV, iCalendar.

mod calendar;
mod csv;
mod findings;
mod json;
mod table;
#[cfg(test)]
mod tests;

pub use calendar::calendar;
pub use csv::csv;
pub use findings::Findings;
pub use json::json;
pub use table::table;
