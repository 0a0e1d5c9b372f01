//! What requests ask: prompts from the plan, from files, from the Hub or made to length, in turn or drawn with the plan's
//! seed; conversations turn by turn; rows of recorded traces.
//!
//! **Architecture invariant:** after [`PromptSource::make`] everything is pure: the same seed, position and phase give the
//! same prompt, whenever and by whichever user it is asked. A turn takes what was said before as an argument.

mod bounded;
mod dataset;
mod hub;
mod needs;
mod replay;
mod row;
mod source;
mod synthetic;
mod tokenizer;
mod trace;

pub use needs::{Carries, Needs, WantedTrace};
pub use source::PromptSource;
pub use tokenizer::{ServerTokenizer, TokenizeRoute, Tokenizer};
pub use trace::TraceRow;

use crate::stats::SplitMix64;

/// Prompts that are sent when a plan names none: short, varied, in several scripts.
const BUILT_IN: &str = include_str!("../../resources/prompts/builtin.txt");

/// The built-in user prompts.
pub fn built_in() -> impl Iterator<Item = &'static str> {
    BUILT_IN.lines().filter(|line| !line.trim().is_empty())
}

/// A value of its own for each `position`, far from its neighbours'.
fn mixed(seed: u64, position: u64) -> u64 {
    SplitMix64::new(seed ^ SplitMix64::new(position).next_u64()).next_u64()
}
