//! What a sweep, a search or a curve of several loads found: read off the stages' figures, so that a file says the same as
//! the live run.

use serde::{Deserialize, Serialize};

use super::{GoalVerdict, Over, StageIdx};

/// The bend of a load curve: below it throughput grows with the load, above it hardly. Two lines fitted by least squares.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Knee {
    pub over: Over,
    /// The load at the bend, and the throughput there (requests/s).
    pub level: f64,
    pub request_rate: f64,
    /// Slopes before and after, in requests/s for each unit of load.
    pub slope_before: f64,
    pub slope_after: f64,
    /// Share of the one line's squared error that the second line takes away.
    pub improvement: f64,
    pub n: u32,
}

/// What a sweep found.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SweepFinding {
    pub over: Over,
    /// The stage with the most successful requests a second, and how many.
    pub best: Option<StageIdx>,
    pub max_request_rate: Option<f64>,
    pub max_output_token_rate: Option<f64>,
    /// Steps that were not run, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// What a search found: the largest load whose probe met the goals.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SearchFinding {
    pub over: Over,
    /// None of the probes met the goals where this is `None`.
    pub found: Option<f64>,
    /// The least load known to miss them; `None` where none did.
    pub missed_at: Option<f64>,
    /// The goals' most loaded one: the first to be missed.
    pub binding: Option<super::Goal>,
    /// In the order of running.
    pub probes: Vec<Probe>,
}

impl SearchFinding {
    /// The largest load between what was found and what was missed whose probe does not tell: the search went on from
    /// there by the share seen.
    pub fn unsure(&self) -> Option<f64> {
        let is_between = |level: &f64| {
            self.found.is_none_or(|found| *level > found)
                && self.missed_at.is_none_or(|missed| *level < missed)
        };
        let unsure = self.probes.iter();
        let unsure = unsure.filter(|p| p.verdict == GoalVerdict::Unresolved);
        unsure
            .map(|p| p.level)
            .filter(is_between)
            .max_by(f64::total_cmp)
    }
}

/// One stage of a search.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Probe {
    pub stage: StageIdx,
    pub level: f64,
    pub attainment: Option<f64>,
    pub verdict: GoalVerdict,
}

/// One turn of the conversations of a stage: what grows with the history, and what the prefix cache saves.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TurnSummary {
    /// From 0.
    pub turn: u32,
    pub n: u64,
    pub ttft_p50: Option<f64>,
    pub ttft_p95: Option<f64>,
    pub e2e_p50: Option<f64>,
    /// Means of the prompt's tokens, and of those that the server took from its cache.
    pub tokens_in: Option<f64>,
    pub cached_tokens: Option<f64>,
    /// Cached of all prompt tokens, where the server says both.
    pub cached_share: Option<f64>,
}
