//! One stage of the summary.

use std::fmt::Write as _;

use super::table::Table;
use crate::cli::print::visible;
use crate::domain::{
    Distribution, GoalResult, Load, MetricId, OutcomeKind, Phase, Point, RunData, StageIdx,
    StageSummary, Unit, overall,
};

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

/// Tokens of requests that did not end count too, and are told for what they are where none did.
fn token_rate(stage: &StageSummary) -> String {
    let said = rate(stage.output_token_rate, "tok/s");
    match stage.output_token_rate {
        Some(n) if stage.ok == 0 && n > 0.0 => format!("{said} of unfinished answers"),
        _ => said,
    }
}

/// One stage: counts and rates, how long things took, how far goals were met, and the turns of conversations.
pub(super) fn block(i: usize, stage: &StageSummary, run: &RunData, out: &mut String) {
    let n_stages = run.summary.stages.len();
    let dropped = match stage.dropped {
        0 => String::new(),
        n => format!(", {n} dropped"),
    };
    writeln!(
        out,
        "\nStage {} of {n_stages}, {}: {} ok, {} failed, {} cancelled, {} cut off{dropped}, {}, {}",
        i + 1,
        visible(&stage.label),
        stage.ok,
        stage.failed,
        stage.cancelled,
        stage.cut_off,
        rate(stage.request_rate, "req/s"),
        token_rate(stage),
    )
    .ok();
    sent(i, stage, run, out);
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
    if !rows.is_empty() {
        metrics(&rows, out);
    }
    goals(stage, out);
    turns(stage, out);
}

fn rate(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "–".to_owned(), |v| format!("{v:.1} {unit}"))
}

fn metrics(rows: &[(MetricId, &str, &Distribution)], out: &mut String) {
    let head = ["avg", "min", "max", "sd", "p50", "p90", "p95", "p99"].map(|h| format!("{h:>10}"));
    writeln!(out, "  {:<25}{:>6}{}", "", "n", head.concat()).ok();
    for (id, name, d) in rows.iter().copied() {
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

/// Open loop: what was sent of what was asked, and why a stage ended early.
fn sent(i: usize, stage: &StageSummary, run: &RunData, out: &mut String) {
    let idx = StageIdx::from_index(i);
    let asked = run.plan().stage(idx).map(|s| &s.load);
    if let (Some(sent), Some(Load::Open { rate, ramp, .. })) = (stage.sent_rate, asked) {
        // The rate is where a ramp ends: what it asked for on the mean is less.
        let what = match run.plan().workload.turns {
            0 | 1 => "req/s",
            _ => "conversations/s",
        };
        match ramp {
            Some(ramp) => writeln!(out, "  sent {sent:.2} {what} over the ramp {ramp}").ok(),
            None => writeln!(out, "  sent {sent:.2} of {rate} {what} asked").ok(),
        };
    }
    let is_after = |p: &&Point| {
        let has_ended = matches!(p.outcome, OutcomeKind::Ok | OutcomeKind::Failed);
        p.stage == idx && p.phase == Phase::Drain && has_ended
    };
    match run.points.iter().filter(is_after).count() {
        0 => {}
        n if asked.is_some_and(Load::is_open) => {
            writeln!(
                out,
                "  {n} of them ended after the stage's time: in no rate, and in all other figures"
            )
            .ok();
        }
        n => {
            writeln!(
                out,
                "  {n} more ended after the stage's time: in the goals, and in no other figure"
            )
            .ok();
        }
    }
    let border = run.borders.iter().find(|b| b.stage == idx);
    if let Some(why) = border.and_then(|b| b.stopped.as_deref()) {
        writeln!(out, "  ended early: {}", visible(why)).ok();
    }
}

/// A row for each goal, and all of them together.
fn goals(stage: &StageSummary, out: &mut String) {
    if stage.goals.is_empty() {
        return;
    }
    let mut table = Table::new(&["Goal", "n", "attained", "95 % interval", "verdict"]);
    for result in &stage.goals {
        table.row(vec![
            result.goal.label(),
            result.n.to_string(),
            percent(result.attainment),
            interval(result.ci95),
            result.verdict.label().to_owned(),
        ]);
    }
    out.push_str(&table.text());
    writeln!(
        out,
        "  Goodput {}, {} of requests meet all: {}",
        rate(stage.goodput, "req/s"),
        percent(stage.attainment),
        overall(&stage.goals).label()
    )
    .ok();
}

/// `98.2 %`.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |s| format!("{:.1} %", s * 100.0))
}

fn interval(ci95: Option<[f64; 2]>) -> String {
    ci95.map_or_else(
        || "–".to_owned(),
        |[low, high]| format!("{:.1} to {:.1} %", low * 100.0, high * 100.0),
    )
}

/// `met: p95 TTFT ≤ 500 ms by 98.2 % (93.1 to 99.8 %)`, for the progress; `None` without goals.
pub(crate) fn goals_line(stage: &StageSummary) -> Option<String> {
    // The goal that is furthest from being met says most.
    let spare = |r: &GoalResult| r.attainment.unwrap_or(1.0) - r.goal.share;
    let results = stage.goals.iter();
    let hardest = results.min_by(|a, b| spare(a).total_cmp(&spare(b)))?;
    Some(format!(
        "{}: {} by {} ({})",
        overall(&stage.goals).label(),
        hardest.goal.label(),
        percent(hardest.attainment),
        interval(hardest.ci95)
    ))
}

/// A row for each turn of a conversation.
fn turns(stage: &StageSummary, out: &mut String) {
    if stage.turns.is_empty() {
        return;
    }
    let heads = [
        "Turn",
        "n",
        "TTFT p50, s",
        "p95, s",
        "total p50, s",
        "tokens in",
        "cached",
        "share",
    ];
    let secs = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.3}", ms / 1e3));
    let tokens = |n: Option<f64>| n.map_or_else(|| "–".to_owned(), |n| format!("{n:.1}"));
    let mut table = Table::new(&heads);
    for turn in &stage.turns {
        table.row(vec![
            (turn.turn + 1).to_string(),
            turn.n.to_string(),
            secs(turn.ttft_p50),
            secs(turn.ttft_p95),
            secs(turn.e2e_p50),
            tokens(turn.tokens_in),
            tokens(turn.cached_tokens),
            percent(turn.cached_share),
        ]);
    }
    out.push_str(&table.text());
}
