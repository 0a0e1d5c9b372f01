//! The words of Inferometer as types: what a person asks for ([`Plan`]), what happened ([`RequestRecord`]), what it
//! amounts to ([`Summary`]) and what is doubtful about it ([`Caution`]).
//!
//! **Architecture invariant:** no I/O, no clock, no runtime and no egui in here. Everything is data and pure functions.

mod accumulate;
mod arrival;
mod beside;
mod caution;
mod check;
mod compare;
mod endpoint;
mod estimate;
mod findings;
mod goal;
mod judge;
mod length;
mod live;
mod load;
mod metric;
mod outcome;
mod plan;
mod prompt;
mod record;
mod run;
mod source;
mod summary;
mod target;
mod template;
mod text_form;
mod unused;
mod vary;
mod vary_fit;
mod workload;

pub use accumulate::*;
pub use arrival::*;
pub use beside::*;
pub use caution::*;
pub use check::*;
pub use compare::*;
pub use endpoint::*;
pub use estimate::*;
pub use findings::*;
pub use goal::*;
pub use judge::*;
pub use length::*;
pub use live::*;
pub use load::*;
pub use metric::*;
pub use outcome::*;
pub use plan::*;
pub use prompt::*;
pub use record::*;
pub use run::*;
pub use source::*;
pub use summary::*;
pub use target::*;
pub use template::*;
pub use unused::*;
pub use vary::*;
pub use vary_fit::*;
pub use workload::*;
