//! The summary on stdout: a line per request, a block per stage, cautions and the verdict.

use std::fmt::Write as _;

use super::print::visible;
use crate::domain::{
    Distribution, MetricId, OutcomeKind, Phase, Point, RunData, StageSummary, Unit,
};

/// Requests that are listed one by one; the file has all of them.
const LISTED: usize = 40;
/// The blocks of a stage, in the words of the small scripts that people come from.
const BLOCKS: [(MetricId, &str); 10] = [
    (MetricId::QueueSubmit, "Queue submit latency"),
    (MetricId::QueueWait, "Queue wait"),
    (MetricId::Ttft, "Time to first token"),
    (MetricId::Ttfa, "Time to first answer"),
    (MetricId::Streaming, "Streaming duration"),
    (MetricId::E2e, "Total time"),
    (MetricId::Tpot, "Time per output token"),
    (MetricId::Itl, "Chunk gap"),
    (MetricId::DecodeRate, "Decode rate"),
    (MetricId::Connect, "Connect"),
];

/// The summary as one line of JSON.
pub(super) fn json(run: &RunData) -> String {
    let mut text = serde_json::to_string(&*run.summary).unwrap_or_default();
    text.push('\n');
    text
}

/// Everything a person wants to read at the end.
pub(super) fn text(run: &RunData) -> String {
    let mut out = String::new();
    let facts = &run.head.server;
    let label = if run.head.label.is_empty() {
        "run"
    } else {
        &run.head.label
    };
    let asked = facts.model.as_deref().or(facts.api_name.as_deref());
    let said = [
        label,
        &run.head.plan.target.url,
        facts.protocol.label(),
        asked.unwrap_or_default(),
        &facts.name,
    ];
    let said: Vec<String> = said
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(visible)
        .collect();
    writeln!(out, "{}", said.join("  ")).ok();
    requests(run, &mut out);
    for (i, stage) in run.summary.stages.iter().enumerate() {
        stage_block(i, run.summary.stages.len(), stage, &mut out);
    }
    cold(run, &mut out);
    for error in &run.summary.errors {
        let kind = error.kind.map_or("not finished", |k| k.label());
        let status = error.status.map(|s| format!(" {s}")).unwrap_or_default();
        writeln!(
            out,
            "\n{} × {kind}{status}: {}",
            error.count,
            visible(&error.first_message)
        )
        .ok();
    }
    for caution in &run.summary.cautions {
        writeln!(
            out,
            "\nCaution  {}\n         {}\n         What to try: {}",
            visible(&caution.finding),
            visible(&caution.cause),
            visible(&caution.advice)
        )
        .ok();
    }
    let verdict = &run.summary.verdict;
    writeln!(
        out,
        "\n{}",
        if verdict.valid { "Valid" } else { "Not valid" }
    )
    .ok();
    for reason in &verdict.reasons {
        writeln!(out, "  {}", visible(reason)).ok();
    }
    out
}

fn requests(run: &RunData, out: &mut String) {
    let mut points: Vec<&Point> = run.points.iter().collect();
    points.sort_by_key(|p| p.seq);
    for (n, point) in points.iter().take(LISTED).enumerate() {
        let phase = match point.phase {
            Phase::Cold => " cold",
            Phase::Warmup => " warm-up",
            Phase::Measure | Phase::Drain => "",
        };
        write!(out, "Run {}{phase}:", n + 1).ok();
        match point.outcome {
            OutcomeKind::Ok => {
                let parts = [
                    (MetricId::QueueSubmit, "queue submit"),
                    (MetricId::Ttft, "first token"),
                    (MetricId::Streaming, "streaming"),
                    (MetricId::E2e, "total"),
                ];
                let shown = parts.iter().filter_map(|(id, name)| {
                    point
                        .value(*id)
                        .map(|ms| format!(" {name} {:.3} s", ms / 1e3))
                });
                writeln!(out, "{}", shown.collect::<Vec<_>>().join(",")).ok();
            }
            other => {
                let word = match other {
                    OutcomeKind::Failed => "failed",
                    OutcomeKind::Cancelled => "cancelled",
                    OutcomeKind::CutOff => "cut off",
                    _ => "dropped",
                };
                writeln!(out, " {word}").ok();
            }
        }
    }
    if points.len() > LISTED {
        writeln!(out, "… and {} more in the file", points.len() - LISTED).ok();
    }
}

fn stage_block(i: usize, n_stages: usize, stage: &StageSummary, out: &mut String) {
    let rate = |value: Option<f64>, unit| {
        value.map_or_else(|| "–".to_owned(), |v| format!("{v:.1} {unit}"))
    };
    writeln!(
        out,
        "\nStage {} of {n_stages}, {}: {} ok, {} failed, {} cancelled, {} cut off, {}, {}",
        i + 1,
        stage.label,
        stage.ok,
        stage.failed,
        stage.cancelled,
        stage.cut_off,
        rate(stage.request_rate, "req/s"),
        rate(stage.output_token_rate, "tok/s"),
    )
    .ok();
    if let Some(source) = stage.token_source {
        writeln!(out, "  {}", source.badge()).ok();
    }
    // Without reasoning the first answer is the first token, which need not be said twice.
    let is_said = |id| id == MetricId::Ttfa && stage.metric(id) == stage.metric(MetricId::Ttft);
    let rows: Vec<_> = BLOCKS
        .iter()
        .filter_map(|(id, name)| Some((*id, *name, stage.metric(*id)?)))
        .filter(|(id, _, d)| d.n > 0 && !is_said(*id))
        .collect();
    if rows.is_empty() {
        return;
    }
    let head = ["avg", "min", "max", "sd", "p50", "p90", "p95", "p99"].map(|h| format!("{h:>10}"));
    writeln!(out, "  {:<25}{:>6}{}", "", "n", head.concat()).ok();
    for (id, name, d) in rows {
        let shown = Shown::of(id);
        let name = format!("{name}, {}", shown.unit);
        writeln!(out, "  {name:<25}{:>6}{}", d.n, row(shown, d)).ok();
    }
}

/// How a metric's values are written.
#[derive(Clone, Copy)]
struct Shown {
    unit: &'static str,
    scale: f64,
    decimals: usize,
}

impl Shown {
    /// Waits of a person in seconds, steps of a machine in milliseconds.
    fn of(id: MetricId) -> Self {
        let unit = id.metric().unit;
        let (unit, scale, decimals) = match id {
            MetricId::Tpot | MetricId::Itl | MetricId::Connect => (unit.label(), 1.0, 2),
            _ if unit == Unit::Ms => ("s", 1e-3, 3),
            _ => (unit.label(), 1.0, 1),
        };
        Self {
            unit,
            scale,
            decimals,
        }
    }
}

fn row(shown: Shown, d: &Distribution) -> String {
    let plain = [d.avg, d.min, d.max, d.sd, d.p50].map(|v| (v, true));
    // A percentile whose interval has no upper end stands with ≥: n does not support it yet.
    let tail = [
        (d.p90, d.ci95.p90),
        (d.p95, d.ci95.p95),
        (d.p99, d.ci95.p99),
    ]
    .map(|(v, ci)| (v, ci[1].is_some()));
    plain
        .into_iter()
        .chain(tail)
        .map(|(value, supported)| {
            let text = value.map_or_else(
                || "–".to_owned(),
                |v| format!("{:.*}", shown.decimals, v * shown.scale),
            );
            let least = if supported || value.is_none() {
                ""
            } else {
                "≥"
            };
            let text = format!("{least}{text}");
            format!("{text:>10}")
        })
        .collect::<Vec<_>>()
        .concat()
}

fn cold(run: &RunData, out: &mut String) {
    let cold = &run.summary.cold;
    if cold.requests.is_empty() {
        return;
    }
    let secs = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), |ms| format!("{:.3} s", ms / 1e3));
    writeln!(out, "\nCold").ok();
    for (i, r) in cold.requests.iter().enumerate() {
        writeln!(
            out,
            "  {}: connect {}, first token {}, total {}",
            i + 1,
            secs(r.connect),
            secs(r.ttft),
            secs(r.e2e)
        )
        .ok();
    }
    for (id, penalty) in &cold.penalty {
        let interval = match penalty.ci95 {
            [Some(lo), Some(hi)] => {
                format!(" (95 % interval {} to {})", secs(Some(lo)), secs(Some(hi)))
            }
            _ => String::new(),
        };
        writeln!(
            out,
            "  {} when cold costs {} more than the warm median{interval}",
            id.metric().label,
            secs(penalty.value)
        )
        .ok();
    }
}
