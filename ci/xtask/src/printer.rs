//! The only place of this crate that prints. Everything goes to standard error except [`text`], so that nothing of
//! it mixes with what a step prints for other programs.

use std::io::Write as _;

/// A result that another program may read.
pub fn text(text: &str) {
    // Nobody reads any more where writing fails, and there is nowhere left to say so.
    let _ = write!(std::io::stdout().lock(), "{text}");
}

/// One line of progress.
pub fn progress(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Why the chore failed.
pub fn error(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "error: {message}");
}
