//! The parser from outside: what scenario files mean, what is said about wrong ones, and what hostile ones cost.

mod base;
mod diagnostics;
mod examples;
mod hostile;
mod meaning;
