//! The words of Inferometer as types: what a person asks for ([`Plan`]), what happened ([`RequestRecord`]), what it
//! amounts to ([`Summary`]) and what is doubtful about it ([`Caution`]).
//!
//! **Architecture invariant:** no I/O, no clock, no runtime and no egui in here. Everything is data and pure functions.

mod accumulate;
mod caution;
mod check;
mod compare;
mod endpoint;
mod judge;
mod live;
mod load;
mod metric;
mod outcome;
mod plan;
mod prompt;
mod record;
mod run;
mod summary;
mod target;
mod template;
mod workload;

pub use accumulate::*;
pub use caution::*;
pub use check::*;
pub use compare::*;
pub use endpoint::*;
pub use judge::*;
pub use live::*;
pub use load::*;
pub use metric::*;
pub use outcome::*;
pub use plan::*;
pub use prompt::*;
pub use record::*;
pub use run::*;
pub use summary::*;
pub use target::*;
pub use template::*;
pub use workload::*;
