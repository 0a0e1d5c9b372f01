//! Two runs beside each other, and the cold requests of one run beside its warm ones.
//!
//! One run a side says nothing about other days and other servers: every verdict is worded "within these two runs", and
//! the intervals are those of requests inside a run. The ratio of two quantiles takes its interval from both order-statistic
//! intervals (`stats::ratio_interval`).

mod cold;
mod pairs;
mod plans;
#[cfg(test)]
mod tests;

use crate::stats;

pub use cold::{ColdComparison, ColdEffect, compare_cold};
use pairs::pairs;
pub use plans::plan_differences;

use super::{
    Better, CautionId, Distribution, Interval, MetricId, Plan, RunData, StageIdx, StageSummary,
    Summary,
};

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// As the person asked for it: what is held against the other side's.
    pub asked: &'a Plan,
    /// As it was run: its stages are those of the summary.
    pub plan: &'a Plan,
    pub summary: &'a Summary,
}

impl<'a> From<&'a RunData> for Side<'a> {
    fn from(run: &'a RunData) -> Self {
        Self {
            asked: &run.head.plan,
            plan: run.plan(),
            summary: &run.summary,
        }
    }
}

/// What differs between A and B.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Fields of the plans that differ, those of the target last.
    pub differences: Vec<PlanDifference>,
    /// Stages of equal or nearly equal load, in the order of A.
    pub stages: Vec<StagePair>,
    /// Loads that only one side has, as `B: 100 users`.
    pub unmatched: Vec<String>,
    /// What to keep in mind: an invalid side, plans that do not match.
    pub notes: Vec<String>,
    /// One sentence of result, and what it rests on.
    pub headline: String,
    pub detail: String,
}

/// A field with two values.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlanDifference {
    /// As `--set` names it: `workload.max_tokens`.
    pub field: String,
    pub a: String,
    pub b: String,
    /// The target may differ: it is what is compared.
    pub is_target: bool,
}

/// Two stages of equal load, or of rates so near that they are worth holding against each other.
#[derive(Clone, Debug, PartialEq)]
pub struct StagePair {
    /// `10 users`; of rates that are not quite the same `50 req/s (B: 51.2)`.
    pub label: String,
    pub a: StageIdx,
    pub b: StageIdx,
    pub effects: Vec<Effect>,
}

/// What of a metric is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    P50,
    P95,
    /// A rate or share of the whole stage.
    Whole,
}

/// One row of the table of differences; values are in the metric's unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    pub metric: MetricId,
    pub part: Part,
    pub a: Option<f64>,
    pub b: Option<f64>,
    pub n_a: u64,
    pub n_b: u64,
    /// B / A.
    pub ratio: Option<f64>,
    pub ratio_ci95: Interval,
    pub finding: Finding,
}

/// What can be said of B, within these two runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finding {
    Lower,
    Higher,
    /// The interval holds 1.
    NoClearDifference,
    /// Too few requests for an interval: it takes that many a side.
    TooFew(u64),
    /// One value a run: it has no interval.
    OneValue,
    /// One side does not have the figure.
    Unknown,
}

/// Metrics with a distribution that are compared, in the order of the table.
const COMPARED: [MetricId; 8] = [
    MetricId::Ttft,
    MetricId::E2e,
    MetricId::Tpot,
    MetricId::Itl,
    MetricId::Streaming,
    MetricId::Ttfa,
    MetricId::QueueSubmit,
    MetricId::QueueWait,
];
const RATES: [MetricId; 5] = [
    MetricId::OutputTokenRate,
    MetricId::RequestRate,
    MetricId::Goodput,
    MetricId::Attainment,
    MetricId::ErrorRate,
];

/// Compares two runs stage by stage.
pub fn compare(a: Side<'_>, b: Side<'_>) -> Comparison {
    let differences = plan_differences(a.asked, b.asked);
    let (stages, unmatched) = pairs(a, b);
    let (headline, detail) = result(a, b, &stages);
    Comparison {
        notes: notes(a, b, &differences),
        differences,
        stages,
        unmatched,
        headline,
        detail,
    }
}

/// `same_goals`: goodput counts the same on both sides.
fn effects(a: &StageSummary, b: &StageSummary, same_goals: bool) -> Vec<Effect> {
    let mut effects = Vec::new();
    for id in COMPARED {
        let empty = Distribution::empty(id);
        let (da, db) = (
            a.metric(id).unwrap_or(&empty),
            b.metric(id).unwrap_or(&empty),
        );
        if da.n > 0 || db.n > 0 {
            effects.push(quantile_effect(id, Part::P50, da, db));
            effects.push(quantile_effect(id, Part::P95, da, db));
        }
    }
    for id in RATES {
        if !same_goals && matches!(id, MetricId::Goodput | MetricId::Attainment) {
            continue;
        }
        if a.rate(id).is_some() || b.rate(id).is_some() {
            effects.push(rate_effect(id, a, b));
        }
    }
    effects
}

fn quantile_effect(id: MetricId, part: Part, a: &Distribution, b: &Distribution) -> Effect {
    let of = |d: &Distribution| match part {
        Part::P95 => (d.p95, d.ci95.p95),
        _ => (d.p50, d.ci95.p50),
    };
    let ((va, ia), (vb, ib)) = (of(a), of(b));
    let ratio_ci95 = match (va, vb) {
        (Some(va), Some(vb)) => stats::ratio_interval(va, ia, vb, ib),
        _ => [None, None],
    };
    let q = if part == Part::P95 { 0.95 } else { 0.5 };
    let finding = match (va.zip(vb), ratio_ci95) {
        (None, _) => Finding::Unknown,
        (_, [_, Some(high)]) if high < 1.0 => Finding::Lower,
        (_, [Some(low), _]) if low > 1.0 => Finding::Higher,
        (_, [Some(_), Some(_)]) => Finding::NoClearDifference,
        _ => Finding::TooFew(stats::least_n(q)),
    };
    Effect {
        metric: id,
        part,
        a: va,
        b: vb,
        n_a: a.n,
        n_b: b.n,
        ratio: ratio(va, vb),
        ratio_ci95,
        finding,
    }
}

fn rate_effect(id: MetricId, a: &StageSummary, b: &StageSummary) -> Effect {
    let (va, vb) = (a.rate(id), b.rate(id));
    let finding = match (va.zip(vb), id) {
        (None, _) => Finding::Unknown,
        // A share has an interval of its own: clear where the two do not touch.
        (Some(_), MetricId::ErrorRate) => match (a.error_rate_ci95, b.error_rate_ci95) {
            (Some(ia), Some(ib)) if ib[1] < ia[0] => Finding::Lower,
            (Some(ia), Some(ib)) if ib[0] > ia[1] => Finding::Higher,
            _ => Finding::NoClearDifference,
        },
        (Some(_), _) => Finding::OneValue,
    };
    Effect {
        metric: id,
        part: Part::Whole,
        a: va,
        b: vb,
        n_a: a.ok + a.failed,
        n_b: b.ok + b.failed,
        ratio: ratio(va, vb),
        ratio_ci95: [None, None],
        finding,
    }
}

fn ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    let (a, b) = a.zip(b)?;
    (a > 0.0).then_some(b / a)
}

impl Effect {
    /// `TTFT p50`, `tok/s`.
    pub fn label(&self) -> String {
        let short = self.metric.metric().short;
        match self.part {
            Part::P50 => format!("{short} p50"),
            Part::P95 => format!("{short} p95"),
            Part::Whole => short.to_owned(),
        }
    }

    pub fn better(&self) -> Better {
        self.metric.metric().better
    }

    /// How much better B is, with its interval: above 1 is better for B, whichever way the metric goes.
    pub fn improvement(&self) -> Option<(f64, Interval)> {
        let ratio = self.ratio.filter(|r| *r > 0.0)?;
        let [low, high] = self.ratio_ci95;
        Some(match self.better() {
            Better::Higher => (ratio, [low, high]),
            Better::Lower => (1.0 / ratio, [high.map(f64::recip), low.map(f64::recip)]),
        })
    }

    /// Whether B is better, worse, or neither for certain.
    pub fn is_better(&self) -> Option<bool> {
        match (self.finding, self.better()) {
            (Finding::Lower, Better::Lower) | (Finding::Higher, Better::Higher) => Some(true),
            (Finding::Lower, Better::Higher) | (Finding::Higher, Better::Lower) => Some(false),
            _ => None,
        }
    }
}

impl Finding {
    /// Said of B, within these two runs.
    pub fn words(self) -> String {
        match self {
            Self::Lower => "Lower".to_owned(),
            Self::Higher => "Higher".to_owned(),
            Self::NoClearDifference => "No clear difference".to_owned(),
            Self::TooFew(n) => format!("Too few, it takes {n} a side"),
            Self::OneValue => "One value a run".to_owned(),
            Self::Unknown => "Not known on both sides".to_owned(),
        }
    }
}

fn notes(a: Side<'_>, b: Side<'_>, differences: &[PlanDifference]) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, side) in [("A", a), ("B", b)] {
        if !side.summary.verdict.valid {
            let why = side.summary.verdict.reasons.first();
            let why = why.map_or_else(String::new, |r| format!(": {r}"));
            notes.push(format!("{name} is invalid{why}"));
        }
    }
    let fields: Vec<&str> = differences
        .iter()
        .filter(|d| !d.is_target)
        .map(|d| d.field.as_str())
        .collect();
    if !fields.is_empty() {
        notes.push(format!("The plans differ in {}", fields.join(", ")));
    }
    notes
}

/// Told of the heaviest load that both have and neither was overwhelmed by: first token where there is one, else the whole
/// answer.
fn result(a: Side<'_>, b: Side<'_>, stages: &[StagePair]) -> (String, String) {
    let Some(pair) = heaviest(a, b, stages) else {
        let detail = "Compare runs that have a stage with the same load".to_owned();
        return ("No stage of equal load".to_owned(), detail);
    };
    let find = |id| {
        let is_it = |e: &&Effect| e.metric == id && e.part == Part::P50 && e.ratio.is_some();
        pair.effects.iter().find(is_it)
    };
    let Some(effect) = find(MetricId::Ttft).or_else(|| find(MetricId::E2e)) else {
        let detail = format!("At {} neither time is known on both sides", pair.label);
        return ("Nothing to compare".to_owned(), detail);
    };
    let what = if effect.metric == MetricId::Ttft {
        "first token"
    } else {
        "whole answer"
    };
    let headline = match effect.finding {
        Finding::Lower => format!("Within these two runs, B's {what} came sooner"),
        Finding::Higher => format!("Within these two runs, B's {what} came later"),
        Finding::TooFew(_) => "Too few requests to tell A from B".to_owned(),
        _ => format!("Within these two runs, no clear difference in the {what}"),
    };
    (headline, detail(effect, &pair.label))
}

/// Of the kind of load that comes last, the highest level; one that was past saturation only where there is no other.
fn heaviest<'p>(a: Side<'_>, b: Side<'_>, stages: &'p [StagePair]) -> Option<&'p StagePair> {
    let is_saturated = |side: Side<'_>, stage: StageIdx| {
        let of_stage = |c: &super::Caution| c.id == CautionId::Saturated && c.stage == Some(stage);
        side.summary.cautions.iter().any(of_stage)
    };
    let load = |pair: &StagePair| a.plan.stage(pair.a).map(|s| &s.load);
    let over = |pair: &StagePair| load(pair).and_then(super::Load::over);
    let level = |pair: &StagePair| load(pair).map_or(0.0, super::Load::level);
    let last = over(stages.last()?);
    let of_kind: Vec<&StagePair> = stages.iter().filter(|p| over(p) == last).collect();
    let calm = of_kind
        .iter()
        .copied()
        .filter(|p| !is_saturated(a, p.a) && !is_saturated(b, p.b));
    let highest = |x: &&StagePair, y: &&StagePair| level(x).total_cmp(&level(y));
    calm.max_by(highest)
        .or_else(|| of_kind.iter().copied().max_by(highest))
}

fn detail(effect: &Effect, stage: &str) -> String {
    let change = |ratio: f64| {
        let percent = (ratio - 1.0) * 100.0;
        let word = if percent < 0.0 { "lower" } else { "higher" };
        format!("{:.0} % {word}", percent.abs())
    };
    let ratio = effect.ratio.map_or_else(String::new, change);
    let interval = match effect.ratio_ci95 {
        [Some(low), Some(high)] => format!(" (B / A {low:.2} to {high:.2}, 95 % interval)"),
        _ => String::new(),
    };
    let n = effect.n_a.min(effect.n_b);
    format!(
        "{} at {stage} is {ratio} in B{interval}, n {n} a side or more; one run a side says nothing about other runs",
        effect.label()
    )
}
