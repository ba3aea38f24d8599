//! How much a text tells.

/// How much to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detail {
    /// What a reader asks first: beginnings, ends, what is not as expected; searches in one line.
    #[default]
    Brief,
    /// Every case, every look, every motion of the clock and every service that gets ready as well.
    Full,
}
