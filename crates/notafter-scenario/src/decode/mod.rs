//! Text → nodes → raw structs, with the place of everything and without stopping at the first error.

mod decoder;
mod failure;
mod node;
mod toml;
mod values;

pub(crate) use decoder::Decoder;
pub(crate) use node::{Key, Kind, Node, read, read_with};
pub(crate) use toml::read_toml;
pub(crate) use values::{BUILD, Entries, Keyword, LiteralOr, Located, OneOrMany, Quantity, TextOr};
