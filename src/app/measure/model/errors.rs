//! What did not end well: classes for the errors panel, and what of it counts against the goals.

use crate::chart::format;
use crate::domain::{ErrorClass, Load, OutcomeKind, RunData, StageSummary};

/// A class of failures in the errors panel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ErrorRow {
    pub class: String,
    pub status: String,
    pub count: String,
    /// The first example, or what to do where there is none.
    pub first: String,
    pub seq: String,
}

pub fn errors(run: &RunData) -> Vec<ErrorRow> {
    let row = |e: &ErrorClass| ErrorRow {
        class: match (e.kind, e.outcome) {
            (Some(kind), _) => kind.label().to_owned(),
            (None, OutcomeKind::Cancelled) => "Cancelled".to_owned(),
            (None, OutcomeKind::CutOff) => "Cut off at the stage's end".to_owned(),
            (None, OutcomeKind::Dropped) => "Dropped at the in-flight limit".to_owned(),
            (None, _) => "Failed".to_owned(),
        },
        status: e.status.map_or_else(String::new, |s| s.to_string()),
        count: format::count(e.count as f64),
        first: if e.outcome == OutcomeKind::Dropped {
            dropped_words(run)
        } else {
            let words: Vec<&str> = e.first_message.split_whitespace().collect();
            words.join(" ")
        },
        seq: format!("request {}", format::count(e.first_seq as f64)),
    };
    run.summary.errors.iter().map(row).collect()
}

/// What to do about requests that were not sent.
fn dropped_words(run: &RunData) -> String {
    let limit = |load: &Load| match load {
        Load::Open { max_in_flight, .. } | Load::Replay { max_in_flight, .. } => *max_in_flight,
        _ => None,
    };
    let limits = run.plan().stages.iter().filter_map(|s| limit(&s.load));
    let limit = limits
        .max()
        .map_or_else(String::new, |n| format!(" of {n}"));
    format!("Raise the limit{limit}, lower the rate, or let them wait")
}

/// `22 dropped and 3 failed count as missed`, of a stage with goals.
pub fn lost_words(stage: &StageSummary) -> Option<String> {
    let lost = lost(stage).filter(|_| !stage.goals.is_empty())?;
    Some(format!("{lost} count as missed"))
}

/// `22 dropped and 3 failed`.
pub(super) fn lost(stage: &StageSummary) -> Option<String> {
    let kinds = [(stage.dropped, "dropped"), (stage.failed, "failed")];
    let known = kinds.into_iter().filter(|(n, _)| *n > 0);
    let words = known.map(|(n, what)| format!("{} {what}", format::count(n as f64)));
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join(" and "))
}
