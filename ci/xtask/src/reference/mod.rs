//! The reference of scenario files: `docs/reference.md`, made from the JSON Schema that `notafter schema` prints.
//!
//! What must never happen here: a key of the schema that the page does not have.

mod chore;
mod page;

pub use chore::chore;
pub use page::page;
