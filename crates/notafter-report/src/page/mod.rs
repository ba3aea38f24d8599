//! Laying text out: escaping, wrapping, fields and tables. Everything that people read leaves through a [`Page`].

mod escape;
mod layout;
mod table;

pub(crate) use escape::{clip, escape, is_hostile, log_line};
pub(crate) use layout::Page;
pub(crate) use table::{Align, Column, Row, Table};
