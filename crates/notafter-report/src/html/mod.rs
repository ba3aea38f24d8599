//! The report as one HTML file that a manager and an engineer both read: no script, nothing from the network.

mod graph;
mod page;
mod render;
mod timeline;

pub use render::html;
