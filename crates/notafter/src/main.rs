//! The notafter command line, and the init inside every sandbox.

fn main() {}
