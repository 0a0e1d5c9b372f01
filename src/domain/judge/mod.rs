//! Whether a run's numbers may be trusted, and what is doubtful about them.
//!
//! After the MLPerf inference rules and reliability practice; thresholds are named constants with their source.

mod cautions;
mod checks;
mod loads;
mod sent;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{
    BesideSummary, Caution, ErrorClass, Health, Plan, ServerFacts, StageBorder, StageIdx,
    StageSummary, Verdict,
};

/// All that a verdict rests on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub plan: &'a Plan,
    pub stages: &'a [StageSummary],
    pub records: &'a RecordFacts,
    pub borders: &'a [StageBorder],
    /// Traffic beside the measured requests.
    pub beside: &'a [BesideSummary],
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
    /// Measure requests whose prompt's hash is known, and how many different ones there were; of conversations only their
    /// first turns.
    pub n_prompts: u64,
    pub n_distinct_prompts: u64,
    /// `None` where no stamp was the kernel's.
    pub client_late_p99_ms: Option<f64>,
    /// Lengths of prompts (of conversations their first turns) and of answers, where the plan asks for one.
    pub input: Lengths,
    pub output: Lengths,
    /// Answers that are as long as they were allowed to be.
    pub n_at_limit: u64,
    /// Prompt tokens that the server took from its cache, and all of the same requests.
    pub cached_tokens: u64,
    pub cached_of: u64,
    pub errors: Vec<ErrorClass>,
    /// One per stage of the plan; empty while live.
    pub stages: Vec<StageFacts>,
}

/// Tokens asked for and tokens that there were, summed over requests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lengths {
    pub n: u64,
    pub asked: u64,
    pub got: u64,
}

impl Lengths {
    pub(super) fn push(&mut self, asked: u32, got: u64) {
        self.n += 1;
        self.asked = self.asked.saturating_add(u64::from(asked));
        self.got = self.got.saturating_add(got);
    }

    /// Means of a request.
    pub fn means(&self) -> Option<(f64, f64)> {
        let n = self.n as f64;
        (self.n > 0).then(|| (self.asked as f64 / n, self.got as f64 / n))
    }
}

/// What the Measure records of one stage tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StageFacts {
    /// Requests that ended well or failed.
    pub n: u64,
    /// Users that sent at least one.
    pub n_users: u32,
    pub window_secs: f64,
    /// Sum of the times that requests were in flight inside the window, those of Drain as far as they reach into it.
    pub residence_secs: f64,
    pub trend: Option<Trend>,
    /// Open loads: planned sends per second.
    pub due_rate: Option<f64>,
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

impl Trend {
    /// In flight and TTFT both rise: the stage is past saturation.
    pub fn is_rising(&self) -> bool {
        self.n >= TREND_MIN_REQUESTS
            && self.in_flight_t > TREND_MIN_T
            && self.ttft_t > TREND_MIN_T
            && self.in_flight_rise > TREND_MIN_RISE
            && self.ttft_rise > TREND_MIN_RISE
    }
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
    /// The server refused `ignore_eos` or `min_tokens`.
    pub ends_refused: bool,
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

/// p99 of a request's slip: the larger of 5 ms and 2 % of the median TTFT (measurement.md, after MLPerf LoadGen). A
/// caution in a closed loop; an open loop's latencies hold the slip, and there it is a reason.
pub const MAX_SLIP_P99_MS: f64 = 5.0;
pub const MAX_SLIP_SHARE_OF_TTFT: f64 = 0.02;
/// Requests sent of those planned, in an open loop (measurement.md).
pub const MIN_RATE_SHARE: f64 = 0.99;
/// p99 lateness of a 10 ms ticker on the I/O runtime.
pub const MAX_TICK_P99_MS: f64 = 5.0;
/// A longer lateness of one tick is a caution; above [`SLEPT_TICK_MS`] the machine slept.
pub const MAX_TICK_MS: f64 = 50.0;
pub const SLEPT_TICK_MS: f64 = 2000.0;
/// Own CPU over 5 s, in percent of all cores.
pub const MAX_CPU_PERCENT: f64 = 80.0;
/// Open descriptors as a share of the limit.
pub const MAX_FILES_SHARE: f64 = 0.9;
/// |L − λW| / L (Little 1961), on stages of at least that many requests and seconds.
pub const MAX_LITTLE_SHARE: f64 = 0.05;
pub const LITTLE_MIN_REQUESTS: u64 = 30;
pub const LITTLE_MIN_SECS: f64 = 1.0;
/// p99 of our read after the kernel's stamp. measurement.md doubts above 1 ms where user stamps are all there is; there the
/// ticker is what shows it. A kernel's stamp stays true until chunks wait so long that they are read together, so the limit
/// is the ticker's.
pub const MAX_CLIENT_LATE_P99_MS: f64 = 5.0;
/// Share of gaps under 1 ms that tells of buffering, and the fewest gaps that tell anything.
pub const MAX_SHORT_GAP_SHARE: f64 = 0.3;
pub const BUFFERING_MIN_GAPS: u64 = 20;
/// Tokens per content event above which a gap is no token's time.
pub const MAX_TOKENS_PER_CHUNK: f64 = 1.2;
/// How far the mean length of prompts or answers may be from the one asked, as a share of it.
pub const MAX_LENGTH_SHARE: f64 = 0.05;
/// Share of answers that end at `max_tokens` above which their whole times are those of the limit.
pub const MAX_CUT_SHARE: f64 = 0.5;
/// Share of a stage's requests that failed, or were cut off, above which its figures tell of too few of them: p99 is one in a hundred.
pub const MAX_FAILED_SHARE: f64 = 0.01;
/// More requests than this to tell whether a goal is met are none that a person would wait for.
pub const MAX_MORE_REQUESTS: f64 = 1e6;
/// The percentile whose interval a stage should have: p95, which the tiles show.
pub const NEEDED_QUANTILE: f64 = 0.95;
/// Saturation: both slopes positive beyond chance (Student's t), and a rise over the stage that matters.
pub const TREND_MIN_REQUESTS: u64 = 20;
pub const TREND_MIN_T: f64 = 3.0;
pub const TREND_MIN_RISE: f64 = 0.1;
/// Gradio's server looks for new events every 50 ms before this version.
pub const GRADIO_WITHOUT_POLLING: (u64, u64) = (6, 11);

/// The verdict and the cautions. A check counts as made where what it needs is known.
pub fn judge(facts: &Facts<'_>) -> (Verdict, Vec<Caution>) {
    let mut ledger = Ledger::default();
    checks::all(facts, &mut ledger);
    let valid = ledger.reasons.is_empty();
    cautions::all(facts, &mut ledger);
    let verdict = Verdict {
        valid,
        reasons: ledger.reasons,
        n_checks: ledger.n_checks,
        n_passed: ledger.n_passed,
    };
    (verdict, ledger.cautions)
}

#[derive(Debug, Default)]
struct Ledger {
    n_checks: u32,
    n_passed: u32,
    reasons: Vec<String>,
    cautions: Vec<Caution>,
}

impl Ledger {
    fn count(&mut self, has_passed: bool) {
        self.n_checks += 1;
        self.n_passed += u32::from(has_passed);
    }

    /// A check of validity that was made.
    fn check(&mut self, reason: Option<String>) {
        self.count(reason.is_none());
        self.reasons.extend(reason);
    }

    /// A look for a doubt that was made.
    fn doubt(&mut self, caution: Option<Caution>) {
        self.count(caution.is_none());
        self.cautions.extend(caution);
    }
}

impl Facts<'_> {
    fn label(&self, stage: usize) -> &str {
        self.stages.get(stage).map_or("?", |s| s.label.as_str())
    }

    /// Why the stage ended before its plan did.
    fn stopped(&self, stage: StageIdx) -> Option<&str> {
        let border = self.borders.iter().find(|b| b.stage == stage)?;
        border.stopped.as_deref()
    }
}
