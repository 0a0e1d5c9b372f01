//! The summary on stdout: a line per request, a block per stage, what was found, cautions and the verdict.

mod findings;
mod stage;
mod table;
mod variations;

use std::fmt::Write as _;

use super::print::visible;
use crate::domain::{
    Caution, ErrorClass, MetricId, OutcomeKind, Phase, Point, RunData, variant_words,
};

pub(super) use stage::goals_line;
pub(super) use variations::{Entry, json_of_several, text_of_several, variations};

/// Requests that are listed one by one; the file has all of them.
const LISTED: usize = 40;
/// Cautions that are told with their cause.
const TOLD_IN_FULL: usize = 3;

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
    if let Some(variation) = &run.head.variation {
        let (n, of) = (variation.index + 1, variation.of);
        let values = visible(&variant_words(&variation.values));
        writeln!(out, "Variation {n} of {of}: {values}").ok();
    }
    requests(run, &mut out);
    for (i, summary) in run.summary.stages.iter().enumerate() {
        stage::block(i, summary, run, &mut out);
    }
    cold(run, &mut out);
    findings::all(run, &mut out);
    // What was dropped stands at its stage already.
    let ended = |e: &&ErrorClass| e.outcome != OutcomeKind::Dropped;
    for error in run.summary.errors.iter().filter(ended) {
        let kind = error
            .kind
            .map_or_else(|| unfinished(error.outcome), |k| k.label());
        let status = error.status.map(|s| format!(" {s}")).unwrap_or_default();
        let message = match error.first_message.as_str() {
            "" => String::new(),
            message => format!(": {}", visible(message)),
        };
        writeln!(out, "\n{} × {kind}{status}{message}", error.count).ok();
    }
    cautions(&run.summary.cautions, &mut out);
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

/// What became of requests that neither ended well nor failed.
fn unfinished(outcome: OutcomeKind) -> &'static str {
    match outcome {
        OutcomeKind::CutOff => "cut off at the end of the grace time",
        OutcomeKind::Cancelled => "cancelled",
        _ => "not finished",
    }
}

/// The gravest in full; of many the others in a line each, since a wall of them is read by nobody.
fn cautions(cautions: &[Caution], out: &mut String) {
    let (full, others) = cautions.split_at(cautions.len().min(TOLD_IN_FULL));
    for caution in full {
        writeln!(
            out,
            "\nCaution  {}\n         {}\n         What to try: {}",
            visible(&caution.finding),
            visible(&caution.cause),
            visible(&caution.advice)
        )
        .ok();
    }
    if !others.is_empty() {
        writeln!(out, "\nMore cautions").ok();
    }
    for caution in others {
        let (finding, advice) = (visible(&caution.finding), visible(&caution.advice));
        writeln!(out, "  {finding}. What to try: {advice}").ok();
    }
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
            "  {}, cold minus warm median: {}{interval}",
            id.metric().label,
            secs(penalty.value)
        )
        .ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CautionId;

    #[test]
    fn of_many_cautions_the_gravest_have_room_and_none_is_left_out() {
        let many: Vec<Caution> = (1..=5)
            .map(|n| Caution {
                id: CautionId::FewSamples,
                stage: None,
                finding: format!("finding {n}"),
                cause: format!("cause {n}"),
                advice: format!("advice {n}"),
            })
            .collect();
        let mut out = String::new();
        cautions(&many, &mut out);
        for n in 1..=5 {
            assert!(out.contains(&format!("finding {n}")), "{out}");
            assert!(out.contains(&format!("What to try: advice {n}")), "{out}");
            assert_eq!(out.contains(&format!("cause {n}")), n <= 3, "{out}");
        }
        let mut out = String::new();
        cautions(&many[..3], &mut out);
        assert!(!out.contains("More cautions"), "{out}");
    }
}
