//! The rules of the house that neither the compiler nor clippy checks.
//!
//! What must never happen here: a rule with an exemption that its own documentation does not name.

mod mask;
mod metadata;
mod rules;
mod run;
mod text_file;
mod workspace;

pub use rules::{RULES, Rule, Violation};
pub use run::{check, run};
pub use text_file::{SourceLine, TextFile};
pub use workspace::{Dependency, DependencyKind, Member, Source, Workspace};
