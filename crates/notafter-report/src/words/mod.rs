//! How things are said: the same words in every renderer.

mod describe;
mod plural;
mod search;
mod stops;
mod unseen;

pub(crate) use describe::{
    boundaries, candidate, case_error, connections, credential, distance, duration, edge_word,
    edges_changing, end_of, ended, last_line, looked, path_chain, place, place_short, purpose, seen,
    stands_for, subject, survivor,
};
pub(crate) use plural::{count, list};
pub(crate) use search::{Search, is_point};
pub(crate) use stops::{Stop, checked_instants, motion, stops};
pub(crate) use unseen::{Unseen, coverage_sum, reservation};
