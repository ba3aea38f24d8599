//! The parser from outside: what scenario files mean, what is said about wrong ones, and what hostile ones cost.

#[cfg(test)]
mod base;
#[cfg(test)]
mod compose;
#[cfg(test)]
mod diagnostics;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod meaning;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod steps;
