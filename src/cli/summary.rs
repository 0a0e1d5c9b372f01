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
    writeln!(
        out,
        "{}  {}  {} {}",
        visible(label),
        visible(&run.head.plan.target.url),
        facts.protocol.label(),
        visible(facts.model.as_deref().unwrap_or_default())
    )
    .ok();
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
    writeln!(
        out,
        "  {:<24}{:>6}{}",
        "",
        "n",
        ["avg", "min", "max", "sd", "p50", "p90", "p95", "p99"]
            .map(|h| format!("{h:>9}"))
            .concat()
    )
    .ok();
    for (id, name) in BLOCKS {
        if let Some(d) = stage.metric(id).filter(|d| d.n > 0) {
            writeln!(
                out,
                "  {:<24}{:>6}{}",
                format!("{name}, {}", unit(id)),
                d.n,
                row(id, d)
            )
            .ok();
        }
    }
}

fn unit(id: MetricId) -> &'static str {
    match id.metric().unit {
        Unit::Ms => "s",
        other => other.label(),
    }
}

fn row(id: MetricId, d: &Distribution) -> String {
    let scale = if id.metric().unit == Unit::Ms {
        1e-3
    } else {
        1.0
    };
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
        .map(|(value, supported)| match value {
            None => format!("{:>9}", "–"),
            Some(v) if supported => format!("{:>9.3}", v * scale),
            Some(v) => format!("{:>9}", format!("≥{:.3}", v * scale)),
        })
        .collect()
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
