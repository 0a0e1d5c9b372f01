//! The cold requests of a run beside its warm ones.

use super::super::{ColdRequest, Distribution, Interval, MetricId, StageSummary, Summary};
use super::ratio;

/// Cold requests beside the warm distribution of the first stage. Cold has no percentile: each request is a point.
#[derive(Clone, Debug, PartialEq)]
pub struct ColdComparison {
    pub warm_label: String,
    pub rows: Vec<ColdEffect>,
    pub headline: String,
    pub detail: String,
}

/// One metric, cold against warm, in its unit.
#[derive(Clone, Debug, PartialEq)]
pub struct ColdEffect {
    pub metric: MetricId,
    /// The first request of each cycle, in the order sent.
    pub cold: Vec<f64>,
    pub warm_n: u64,
    pub warm_p50: Option<f64>,
    pub warm_p95: Option<f64>,
    pub warm_max: Option<f64>,
    pub penalty: Option<f64>,
    pub penalty_ci95: Interval,
    /// Smallest cold over warm median.
    pub ratio: Option<f64>,
    pub words: String,
}

/// Cold against warm of one run; `None` where it has no cold request.
pub fn compare_cold(summary: &Summary) -> Option<ColdComparison> {
    let warm = summary.stages.first()?;
    if summary.cold.requests.is_empty() {
        return None;
    }
    let rows: Vec<ColdEffect> = [MetricId::Ttft, MetricId::E2e, MetricId::Connect]
        .into_iter()
        .filter_map(|id| cold_effect(id, summary, warm))
        .collect();
    let (headline, detail) = cold_result(&rows, &warm.label);
    Some(ColdComparison {
        warm_label: warm.label.clone(),
        rows,
        headline,
        detail,
    })
}

fn cold_effect(id: MetricId, summary: &Summary, warm: &StageSummary) -> Option<ColdEffect> {
    let of = |r: &ColdRequest| match id {
        MetricId::Ttft => r.ttft,
        MetricId::E2e => r.e2e,
        _ => r.connect,
    };
    let firsts = summary.cold.requests.iter().filter(|r| r.first);
    let cold: Vec<f64> = firsts.filter_map(of).collect();
    if cold.is_empty() {
        return None;
    }
    let empty = Distribution::empty(id);
    let d = warm.metric(id).unwrap_or(&empty);
    let penalty = summary.cold.penalty.get(&id);
    let least = cold.iter().copied().fold(f64::INFINITY, f64::min);
    let words = match (d.p95, d.max) {
        (_, Some(max)) if least > max => "Above every warm request",
        (Some(p95), _) if least > p95 => "Above 95 % of warm requests",
        (Some(_), _) => "Inside the warm spread",
        (None, _) => "No warm request to compare with",
    };
    Some(ColdEffect {
        metric: id,
        warm_n: d.n,
        warm_p50: d.p50,
        warm_p95: d.p95,
        warm_max: d.max,
        penalty: penalty.and_then(|p| p.value),
        penalty_ci95: penalty.map_or([None, None], |p| p.ci95),
        ratio: ratio(d.p50, Some(least)),
        words: words.to_owned(),
        cold,
    })
}

fn cold_result(rows: &[ColdEffect], warm_label: &str) -> (String, String) {
    let with_penalty = rows.iter().find(|r| r.penalty.is_some());
    let Some((row, penalty)) = with_penalty.and_then(|r| Some((r, r.penalty?))) else {
        return (
            "Cold and warm cannot be compared".to_owned(),
            "No cold and warm request ended well in this run".to_owned(),
        );
    };
    let secs = |ms: f64| {
        if ms.abs() < 1000.0 {
            format!("{ms:.0} ms")
        } else {
            format!("{:.2} s", ms / 1e3)
        }
    };
    let short = row.metric.metric().short;
    let headline = if penalty > 0.0 {
        format!("Being cold cost {} of {short}", secs(penalty))
    } else {
        format!("Being cold cost nothing of {short}")
    };
    let n = row.cold.len();
    let requests = if n == 1 {
        "cold request"
    } else {
        "cold requests"
    };
    let median = row.warm_p50.map(secs).unwrap_or_default();
    let detail = format!(
        "{n} {requests} against a warm median of {median} at {warm_label} (n {}); so few have no percentile",
        row.warm_n
    );
    (headline, detail)
}
