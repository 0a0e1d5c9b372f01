//! The library of run files: what it shows and how it is sorted. The drawing stands beside it.

mod model;

pub use model::{Library, Row, SortBy, Verdict};
