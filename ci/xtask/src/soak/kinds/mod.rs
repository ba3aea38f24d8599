//! The kinds of case.

pub(super) mod deadline;
pub(super) mod held;
pub(super) mod link;
pub(super) mod own;
