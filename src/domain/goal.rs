//! Goals (service-level objectives): what share of requests has to be how fast, and how far a stage met that.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::stats;

use super::text_form::{number, serde_as_text};
use super::{
    Better, MetricId, OutcomeKind, Phase, RequestRecord, Taken, Unit, parse_duration_secs,
};

/// One goal: `METRIC[.pNN]:LIMIT`, as in `ttft.p95:500ms` or `decode_rate.p95:10`. It holds where at least that share of
/// values (NN %, 95 where none is named) is within the limit: at most it for latencies, at least it for rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    pub metric: MetricId,
    /// 0.95 for `p95`.
    pub share: f64,
    /// In the metric's unit.
    pub limit: f64,
}

/// The share of a goal that names none.
pub const DEFAULT_GOAL_SHARE: f64 = 0.95;
/// The most goals of a plan.
pub const MAX_GOALS: usize = 16;

/// What a goal may be set for: everything that one request, or one gap, has by itself.
pub const GOAL_METRICS: [MetricId; 8] = [
    MetricId::Ttft,
    MetricId::Ttfa,
    MetricId::E2e,
    MetricId::Service,
    MetricId::Tpot,
    MetricId::Itl,
    MetricId::DecodeRate,
    MetricId::QueueWait,
];

impl Goal {
    /// Whether a value is within the limit.
    pub fn allows(&self, value: f64) -> bool {
        match self.metric.metric().better {
            Better::Lower => value <= self.limit,
            Better::Higher => value >= self.limit,
        }
    }

    /// Of one request that ended well: whether it is within the limit; `None` where it has no such value. For gaps: whether
    /// the goal's share of its own gaps is.
    pub fn is_met_by(&self, record: &RequestRecord) -> Option<bool> {
        match self.metric.metric().taken {
            Taken::PerRequest(of) => of(record).map(|value| self.allows(value)),
            Taken::PerGap => {
                let (within, n) = self.gaps_within(record);
                (n > 0).then_some(within as f64 >= self.share * n as f64)
            }
            Taken::PerStage => None,
        }
    }

    /// Gaps within the limit, and gaps in all.
    fn gaps_within(&self, record: &RequestRecord) -> (u64, u64) {
        let within = |ns: &&u64| self.allows(**ns as f64 / 1e6);
        let n_within = record.chunk_ns.iter().filter(within).count();
        (n_within as u64, record.chunk_ns.len() as u64)
    }

    /// `p95 TTFT ≤ 500 ms`.
    pub fn label(&self) -> String {
        let metric = self.metric.metric();
        let sign = match metric.better {
            Better::Lower => '≤',
            Better::Higher => '≥',
        };
        let (percent, unit) = (percent(self.share), metric.unit.label());
        format!("p{percent} {} {sign} {} {unit}", metric.short, self.limit)
    }
}

/// 95 for 0.95, without what binary fractions add.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

impl FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let names: Vec<&str> = GOAL_METRICS.iter().map(|m| m.key()).collect();
            format!(
                "“{text}” is no goal: write METRIC.pNN:LIMIT, as in ttft.p95:500ms or decode_rate.p95:10, with a metric of {}",
                names.join(", ")
            )
        };
        let (name, limit) = text.trim().split_once(':').ok_or_else(wrong)?;
        let (key, quantile) = match name.trim().split_once('.') {
            Some((key, quantile)) => (key, Some(quantile)),
            None => (name.trim(), None),
        };
        let metric = MetricId::from_key(key)
            .filter(|id| GOAL_METRICS.contains(id))
            .ok_or_else(wrong)?;
        let share = match quantile {
            None => DEFAULT_GOAL_SHARE,
            Some(p) => p
                .strip_prefix('p')
                .and_then(number)
                .map(|percent| percent / 100.0)
                .filter(|share| *share > 0.0 && *share < 1.0)
                .ok_or_else(wrong)?,
        };
        let limit = match metric.metric().unit {
            Unit::Ms => {
                parse_duration_secs(with_unit(limit.trim()).as_str())
                    .map_err(|_not_a_time| wrong())?
                    * 1e3
            }
            _ => number(limit).ok_or_else(wrong)?,
        };
        if limit <= 0.0 {
            return Err(wrong());
        }
        Ok(Self {
            metric,
            share,
            limit: (limit * 1e6).round() / 1e6,
        })
    }
}

/// A bare number is milliseconds here, the metrics' unit.
fn with_unit(text: &str) -> String {
    if text.ends_with(|c: char| c.is_ascii_digit() || c == '.') {
        format!("{text}ms")
    } else {
        text.to_owned()
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = self.metric.metric();
        let unit = if metric.unit == Unit::Ms { "ms" } else { "" };
        let (key, percent) = (metric.key, percent(self.share));
        write!(f, "{key}.p{percent}:{}{unit}", self.limit)
    }
}

serde_as_text!(Goal);

/// Sets of goals that people ask for, by name.
pub struct GoalPreset {
    pub id: &'static str,
    pub label: &'static str,
    /// Where the limits come from.
    pub source: &'static str,
    pub goals: &'static [&'static str],
}

/// The presets, as the form and the terminal offer them.
pub const GOAL_PRESETS: [GoalPreset; 5] = [
    GoalPreset {
        id: "interactive",
        label: "Interactive chat",
        source: "faster than reading: above 10 tokens/s, the first token within 500 ms, half of the answers within 3 s, 95 % within 10 s",
        goals: &[
            "decode_rate.p95:10",
            "ttft.p95:500ms",
            "e2e.p50:3000ms",
            "e2e.p95:10000ms",
        ],
    },
    GoalPreset {
        id: "batch",
        label: "Batch",
        source: "throughput first: above 50 tokens/s of each request",
        goals: &["decode_rate.p95:50"],
    },
    GoalPreset {
        id: "mlperf-llama2-70b",
        label: "MLPerf, Llama 2 70B server",
        source: "MLPerf inference rules: TTFT 2,000 ms and TPOT 200 ms at p99",
        goals: &["ttft.p99:2000ms", "tpot.p99:200ms"],
    },
    GoalPreset {
        id: "mlperf-llama2-70b-interactive",
        label: "MLPerf, Llama 2 70B interactive",
        source: "MLPerf inference rules: TTFT 450 ms and TPOT 40 ms at p99",
        goals: &["ttft.p99:450ms", "tpot.p99:40ms"],
    },
    GoalPreset {
        id: "mlperf-llama3.1-405b",
        label: "MLPerf, Llama 3.1 405B server",
        source: "MLPerf inference rules: TTFT 6,000 ms and TPOT 175 ms at p99",
        goals: &["ttft.p99:6000ms", "tpot.p99:175ms"],
    },
];

impl GoalPreset {
    /// Its goals as a plan holds them.
    pub fn goals(&self) -> Vec<Goal> {
        self.goals
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect()
    }

    pub fn find(id: &str) -> Option<&'static Self> {
        GOAL_PRESETS.iter().find(|p| p.id == id)
    }
}

/// How far one goal was met.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct GoalResult {
    pub goal: Goal,
    /// Values that count: of requests that ended well or missed everything by failing; gaps for a goal of gaps.
    pub n: u64,
    /// Values within the limit.
    pub n_within: u64,
    /// `n_within / n`.
    pub attainment: Option<f64>,
    /// 95 % Wilson interval of the attainment.
    pub ci95: Option<[f64; 2]>,
    pub verdict: GoalVerdict,
}

/// Whether a goal holds, as far as n can tell.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalVerdict {
    Met,
    Missed,
    /// The interval holds both: more requests would tell.
    #[default]
    Unresolved,
}

impl GoalVerdict {
    /// `met`, `missed`, `unresolved`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Unresolved => "unresolved",
        }
    }
}

/// Counts how many requests meet a plan's goals. Only Measure requests that ended well, failed or were dropped count: the
/// last two miss every goal. A request that has no value for a goal counts on neither side of it.
#[derive(Clone, Debug, Default)]
pub struct GoalTally {
    goals: Vec<Goal>,
    counts: Vec<Count>,
    /// Requests that meet all goals, and requests that could be told.
    good: Count,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    within: u64,
    n: u64,
}

impl GoalTally {
    pub fn new(goals: &[Goal]) -> Self {
        Self {
            goals: goals.to_vec(),
            counts: vec![Count::default(); goals.len()],
            good: Count::default(),
        }
    }

    pub fn push(&mut self, record: &RequestRecord) {
        if self.goals.is_empty() || record.phase != Phase::Measure {
            return;
        }
        match record.outcome.kind() {
            OutcomeKind::Ok => self.push_ok(record),
            OutcomeKind::Failed | OutcomeKind::Dropped => self.push_lost(),
            OutcomeKind::Cancelled | OutcomeKind::CutOff => {}
        }
    }

    fn push_ok(&mut self, record: &RequestRecord) {
        let (mut is_good, mut is_told) = (true, false);
        for (i, goal) in self.goals.iter().enumerate() {
            let met = goal.is_met_by(record);
            if let Some(count) = self.counts.get_mut(i) {
                let (within, n) = match goal.metric.metric().taken {
                    Taken::PerGap => goal.gaps_within(record),
                    _ => (u64::from(met == Some(true)), u64::from(met.is_some())),
                };
                count.within += within;
                count.n += n;
            }
            // A request's own limit is the one that nearly all have to keep.
            if let Some(met) = met.filter(|_| self.is_strictest_share(goal)) {
                is_told = true;
                is_good &= met;
            }
        }
        if is_told {
            self.good.within += u64::from(is_good);
            self.good.n += 1;
        }
    }

    /// Of several goals for one metric, the one with the largest share speaks for a single request.
    fn is_strictest_share(&self, goal: &Goal) -> bool {
        let of_metric = self.goals.iter().filter(|g| g.metric == goal.metric);
        of_metric.map(|g| g.share).fold(0.0, f64::max) <= goal.share
    }

    fn push_lost(&mut self) {
        for count in &mut self.counts {
            count.n += 1;
        }
        self.good.n += 1;
    }

    pub fn results(&self) -> Vec<GoalResult> {
        let pairs = self.goals.iter().zip(&self.counts);
        pairs.map(|(goal, count)| count.result(*goal)).collect()
    }

    /// Share of requests that meet every goal; `None` before there is one.
    pub fn attainment(&self) -> Option<f64> {
        self.good.share()
    }

    /// Requests that meet every goal.
    pub fn n_good(&self) -> u64 {
        self.good.within
    }

    /// All goals together: missed when one is, met when all are, else unresolved.
    pub fn verdict(&self) -> GoalVerdict {
        overall(&self.results())
    }
}

/// Missed when one goal is, met when there are goals and all are met, else unresolved.
pub fn overall(results: &[GoalResult]) -> GoalVerdict {
    let is = |verdict| move |r: &GoalResult| r.verdict == verdict;
    if results.iter().any(is(GoalVerdict::Missed)) {
        GoalVerdict::Missed
    } else if !results.is_empty() && results.iter().all(is(GoalVerdict::Met)) {
        GoalVerdict::Met
    } else {
        GoalVerdict::Unresolved
    }
}

impl Count {
    fn share(self) -> Option<f64> {
        (self.n > 0).then(|| self.within as f64 / self.n as f64)
    }

    fn result(self, goal: Goal) -> GoalResult {
        let ci95 = stats::wilson(self.within, self.n);
        let verdict = match ci95 {
            Some([low, _]) if low >= goal.share => GoalVerdict::Met,
            Some([_, high]) if high < goal.share => GoalVerdict::Missed,
            _ => GoalVerdict::Unresolved,
        };
        GoalResult {
            goal,
            n: self.n,
            n_within: self.within,
            attainment: self.share(),
            ci95,
            verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::FailureKind;
    use super::super::fixture::{bare, failed, streamed};
    use super::*;

    fn goal(text: &str) -> Goal {
        text.parse().unwrap()
    }

    #[test]
    fn goals_go_round() {
        for text in [
            "ttft.p95:500ms",
            "e2e.p99.9:10000ms",
            "decode_rate.p50:10",
            "itl.p99:50ms",
        ] {
            assert_eq!(goal(text).to_string(), text);
        }
        assert_eq!(goal("ttft:0.5s"), goal("ttft.p95:500ms"));
        assert_eq!(goal("tpot.p99:40"), goal("tpot.p99:40ms"));
        assert_eq!(goal("ttft.p95:500ms").label(), "p95 TTFT ≤ 500 ms");
        for text in [
            "",
            "ttft",
            "ttft:x",
            "slip:5ms",
            "ttft.p0:5ms",
            "ttft.p100:5ms",
            "ttft:-1ms",
            "ttft:0",
        ] {
            let error = text.parse::<Goal>().unwrap_err();
            assert!(error.contains(&format!("“{text}”")), "{error}");
        }
        for preset in &GOAL_PRESETS {
            assert_eq!(preset.goals().len(), preset.goals.len(), "{}", preset.id);
        }
    }

    #[test]
    fn failed_requests_miss_and_unknown_values_count_on_neither_side() {
        let mut tally = GoalTally::new(&[goal("ttft.p50:100ms"), goal("tpot.p50:10ms")]);
        tally.push(&streamed(0, 0.0, 50.0, &[5.0, 5.0]));
        tally.push(&streamed(1, 0.0, 150.0, &[5.0, 5.0]));
        // One token: no TPOT.
        tally.push(&streamed(2, 0.0, 50.0, &[]));
        tally.push(&failed(bare(3, 0, 1), FailureKind::Reset, "gone"));
        let results = tally.results();
        assert_eq!((results[0].n_within, results[0].n), (2, 4));
        assert_eq!((results[1].n_within, results[1].n), (2, 3));
        assert_eq!((tally.n_good(), tally.attainment()), (2, Some(0.5)));
    }

    #[test]
    fn gaps_are_pooled_for_the_goal_and_counted_by_request_for_goodput() {
        let mut tally = GoalTally::new(&[goal("itl.p50:10ms")]);
        tally.push(&streamed(0, 0.0, 50.0, &[5.0, 5.0, 50.0]));
        tally.push(&streamed(1, 0.0, 50.0, &[50.0, 50.0, 50.0]));
        let result = &tally.results()[0];
        assert_eq!((result.n_within, result.n), (2, 6));
        assert_eq!(tally.attainment(), Some(0.5));
    }

    #[test]
    fn a_verdict_waits_for_enough_requests() {
        let mut tally = GoalTally::new(&[goal("ttft.p90:100ms")]);
        assert_eq!(tally.verdict(), GoalVerdict::Unresolved);
        for seq in 0..10 {
            tally.push(&streamed(seq, 0.0, 50.0, &[]));
        }
        // 10 of 10: Wilson's lower end is 0.72.
        assert_eq!(tally.verdict(), GoalVerdict::Unresolved);
        for seq in 10..60 {
            tally.push(&streamed(seq, 0.0, 50.0, &[]));
        }
        assert_eq!(tally.verdict(), GoalVerdict::Met);
        let mut tally = GoalTally::new(&[goal("ttft.p90:100ms")]);
        (0..10).for_each(|seq| tally.push(&streamed(seq, 0.0, 150.0, &[])));
        assert_eq!(tally.verdict(), GoalVerdict::Missed);
    }

    #[test]
    fn a_median_goal_does_not_make_single_requests_bad() {
        let goals = [goal("e2e.p50:100ms"), goal("e2e.p95:300ms")];
        let mut tally = GoalTally::new(&goals);
        tally.push(&streamed(0, 0.0, 200.0, &[]));
        assert_eq!(tally.attainment(), Some(1.0));
        tally.push(&streamed(1, 0.0, 400.0, &[]));
        assert_eq!(tally.attainment(), Some(0.5));
    }
}
