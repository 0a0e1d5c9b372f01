//! Whether a run's numbers may be trusted, and what is doubtful about them.
//!
//! After the MLPerf inference rules and reliability practice; thresholds are named constants with their source.

use serde::{Deserialize, Serialize};

use super::{
    Caution, ErrorClass, Health, Plan, ServerFacts, StageBorder, StageIdx, StageSummary, Verdict,
};

/// All that a verdict rests on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub plan: &'a Plan,
    pub stages: &'a [StageSummary],
    pub records: &'a RecordFacts,
    pub borders: &'a [StageBorder],
    pub run: &'a RunFacts,
}

/// What the records tell; from [`super::Accumulator::facts`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordFacts {
    /// Of all phases.
    pub n_ok: u64,
    pub n_failed: u64,
    pub n_no_done: u64,
    pub n_reconnected: u64,
    /// Of successful Measure requests.
    pub n_gaps: u64,
    pub n_short_gaps: u64,
    /// Measure requests whose prompt's hash is known, and how many different ones there were.
    pub n_prompts: u64,
    pub n_distinct_prompts: u64,
    /// `None` where no stamp was the kernel's.
    pub client_late_p99_ms: Option<f64>,
    pub errors: Vec<ErrorClass>,
    /// One per stage of the plan; empty while live.
    pub stages: Vec<StageFacts>,
}

/// What the Measure records of one stage tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StageFacts {
    /// Requests that ended well or failed.
    pub n: u64,
    /// Users that sent at least one.
    pub n_users: u32,
    pub window_secs: f64,
    /// Sum of the times that they were in flight.
    pub residence_secs: f64,
    pub trend: Option<Trend>,
}

/// Change from the start to the end of a stage as a share of the mean, with Student's t of the slope.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Trend {
    pub n: u64,
    pub in_flight_rise: f64,
    pub in_flight_t: f64,
    pub ttft_rise: f64,
    pub ttft_t: f64,
}

/// What only the engine and the session know; stored with a run so that it is judged alike when it is opened.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct RunFacts {
    /// Maxima over the run.
    pub health: Health,
    /// The person stopped it, or the file has no end.
    pub interrupted: bool,
    /// What the engine itself counted in flight.
    pub in_flight: Vec<InFlight>,
    pub server: ServerFacts,
    /// Journal lines that were not written.
    pub journal_lost: u64,
    /// What the disk said.
    pub journal_error: Option<String>,
    /// Prompt tokens that the server took from its cache.
    pub cached_tokens: u64,
    /// Answers that were compressed though identity was asked, and with what.
    pub n_compressed: u64,
    pub content_encoding: Option<String>,
    /// Answers with a Retry-After, and the longest wait asked.
    pub n_retry_after: u64,
    pub retry_after_secs: Option<f64>,
    /// The server refused `stream_options`.
    pub usage_refused: bool,
    /// What changed at the server or in the plan during the run.
    pub changed: Vec<String>,
}

/// A stage as the engine's own counter saw it, over the Measure window.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct InFlight {
    pub stage: StageIdx,
    /// Time average.
    pub mean: f64,
    /// Users that could be held, where fewer than asked.
    pub held: Option<u32>,
}

/// The verdict and the cautions.
pub fn judge(_facts: &Facts<'_>) -> (Verdict, Vec<Caution>) {
    (
        Verdict {
            valid: true,
            reasons: Vec::new(),
            n_checks: 0,
            n_passed: 0,
        },
        Vec::new(),
    )
}
