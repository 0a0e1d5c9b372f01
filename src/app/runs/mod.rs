//! The library of run files: what it shows and how it is sorted. The drawing stands beside it.

mod details;
mod ecdf;
mod model;
mod view;

pub use ecdf::DetailsChart;
pub use view::runs_ui;

pub(crate) use model::{name_words, short_date};

pub use model::{Library, Row, SortBy, Verdict};
