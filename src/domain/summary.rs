//! What a run amounts to. This is the JSON of `--json` and of a run file's `end` line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    BesideSummary, Caution, GoalResult, Knee, MetricId, OutcomeKind, SearchFinding, StageIdx,
    SweepFinding, TokenSource, TurnSummary,
};

/// A run in numbers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Summary {
    pub schema: u32,
    pub verdict: Verdict,
    /// One entry per stage of the plan, Measure phase only.
    pub stages: Vec<StageSummary>,
    pub cold: ColdSummary,
    pub cautions: Vec<Caution>,
    /// Failures of all phases by class, most frequent first.
    #[serde(default)]
    pub errors: Vec<ErrorClass>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knee: Option<Knee>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepFinding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchFinding>,
    /// Traffic beside the measured requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<BesideSummary>,
}

/// Whether the numbers may be trusted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Verdict {
    pub valid: bool,
    /// Why not, each with what to change; empty when valid.
    pub reasons: Vec<String>,
    /// Checks made and checks passed.
    #[serde(default)]
    pub n_checks: u32,
    #[serde(default)]
    pub n_passed: u32,
}

/// Share of failed requests above which a stage is not a good one.
pub const ERRORS_HIGH: f64 = 0.01;

impl Summary {
    /// The stage that the run is spoken of by: the one that a search found; the one that a sweep's server keeps up with;
    /// else the one with the highest output (tokens, else requests, a second) among those with few errors.
    pub fn spoken_of(&self) -> Option<StageIdx> {
        let search = self.search.as_ref().and_then(SearchFinding::answer);
        let sweep = || self.sweep.as_ref()?.sustained;
        search.or_else(sweep).or_else(|| self.most_output())
    }

    fn most_output(&self) -> Option<StageIdx> {
        let with_data = |few_errors: bool| {
            let usable = self.stages.iter().enumerate().filter(move |(_, s)| {
                s.ok > 0 && (!few_errors || s.error_rate.unwrap_or(0.0) <= ERRORS_HIGH)
            });
            let output = |s: &StageSummary| s.output_token_rate.or(s.request_rate).unwrap_or(0.0);
            usable.max_by(|(_, a), (_, b)| output(a).total_cmp(&output(b)))
        };
        let found = with_data(true).or_else(|| with_data(false));
        found.map(|(i, _)| StageIdx::from_index(i))
    }
}

/// What the reason of a run begins with that did not go to its end.
pub const INTERRUPTED: &str = "The run was interrupted";

impl Verdict {
    pub fn is_interrupted(&self) -> bool {
        self.reasons.iter().any(|r| r.starts_with(INTERRUPTED))
    }
}

/// One stage in numbers. Rates are null where no time passed or nothing is known.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StageSummary {
    pub label: String,
    /// Of a closed stage its users; of any other as many as were busy at once.
    pub users: u32,
    pub ok: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub cut_off: u64,
    /// Not sent, because the in-flight limit was reached.
    #[serde(default)]
    pub dropped: u64,
    /// Of an open stage that ended by its time, that time; of any other from the first Measure start to the last Measure end.
    /// Rates count what ended within it; latencies, of an open loop, each request that was due in it.
    pub duration_s: Option<f64>,
    pub request_rate: Option<f64>,
    pub output_token_rate: Option<f64>,
    pub error_rate: Option<f64>,
    /// 95 % Wilson interval of the error rate.
    #[serde(default)]
    pub error_rate_ci95: Option<[f64; 2]>,
    /// Open loop: requests let go per second, to hold against the rate asked.
    #[serde(default)]
    pub sent_rate: Option<f64>,
    /// One for each goal of the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<GoalResult>,
    /// Share of requests that meet every goal, and how many of them there were a second.
    #[serde(default)]
    pub attainment: Option<f64>,
    #[serde(default)]
    pub goodput: Option<f64>,
    /// Of conversations, one for each turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<TurnSummary>,
    /// The worst source among the stage's token counts.
    pub token_source: Option<TokenSource>,
    /// Tokens per content event; above 1.2 the gaps are chunk gaps, not token gaps.
    #[serde(default)]
    pub tokens_per_chunk: Option<f64>,
    pub metrics: BTreeMap<MetricId, Distribution>,
}

impl StageSummary {
    pub fn metric(&self, id: MetricId) -> Option<&Distribution> {
        self.metrics.get(&id)
    }

    /// Value of a per-stage metric.
    pub fn rate(&self, id: MetricId) -> Option<f64> {
        match id {
            MetricId::RequestRate => self.request_rate,
            MetricId::OutputTokenRate => self.output_token_rate,
            MetricId::ErrorRate => self.error_rate,
            MetricId::SentRate => self.sent_rate,
            MetricId::Goodput => self.goodput,
            MetricId::Attainment => self.attainment,
            _ => None,
        }
    }

    /// Measure requests that ended, however they did.
    pub fn n_ended(&self) -> u64 {
        self.ok + self.failed + self.cancelled + self.cut_off
    }
}

/// A metric's values over the successful Measure requests of a stage. Percentiles are nearest rank.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Distribution {
    pub unit: String,
    pub n: u64,
    pub avg: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// With n − 1; null below two values.
    pub sd: Option<f64>,
    pub p50: Option<f64>,
    pub p90: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub ci95: Intervals,
}

impl Distribution {
    pub fn empty(id: MetricId) -> Self {
        Self {
            unit: id.metric().unit.label().to_owned(),
            n: 0,
            avg: None,
            min: None,
            max: None,
            sd: None,
            p50: None,
            p90: None,
            p95: None,
            p99: None,
            ci95: Intervals::default(),
        }
    }
}

/// An end of an interval is null where n does not support one.
pub type Interval = [Option<f64>; 2];

/// 95 % intervals.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Intervals {
    pub avg: Interval,
    pub p50: Interval,
    pub p90: Interval,
    pub p95: Interval,
    pub p99: Interval,
}

/// The cold requests, each by itself, and what being cold costs.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ColdSummary {
    pub requests: Vec<ColdRequest>,
    pub penalty: BTreeMap<MetricId, Penalty>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ColdRequest {
    pub seq: u64,
    /// First of its cycle: the one that meets a cold server.
    #[serde(default)]
    pub first: bool,
    pub ttft: Option<f64>,
    pub e2e: Option<f64>,
    pub connect: Option<f64>,
}

/// Cold first request − median of the first stage's Measure requests, in the metric's unit.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Penalty {
    pub value: Option<f64>,
    pub ci95: Interval,
}

/// Failures of one class.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ErrorClass {
    /// `None` for cancelled and cut off.
    pub kind: Option<super::FailureKind>,
    pub outcome: OutcomeKind,
    pub status: Option<u16>,
    pub count: u64,
    pub first_seq: u64,
    /// The first example, as the server said it.
    pub first_message: String,
}
