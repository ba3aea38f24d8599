//! The guest matrix: one program for each runtime, run natively and under the clock, where only the shifted clocks may
//! differ.

mod guest;
mod jump;
mod matrix;
mod said;
