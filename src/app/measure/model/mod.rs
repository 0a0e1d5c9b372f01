//! What the Measure view says of a run, in words: pure functions, computed once for each change of the run or of a choice.

mod errors;
mod progress;
mod stages;
mod tables;
mod tiles;

use crate::app::widgets::Level;
use crate::chart::format::{self, capital};
use crate::domain::{
    CautionId, GoalVerdict, MAX_TICK_P99_MS, MetricId, Phase, Progress, RunData, RunState,
    StageIdx, StageSummary, Taken, overall,
};

pub use errors::{ErrorRow, errors, lost_words};
pub(crate) use progress::values_of;
pub use progress::{load_words, stage_words, variation_words};
pub use stages::{Room, StageRow, StageTable, stage_table};
pub use tables::{TableKind, table, tables};
pub use tiles::tiles;

/// Whose numbers the tiles show while a run goes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Scope {
    #[default]
    ThisStage,
    AllStages,
}

/// Which stage the tiles speak of, and why that one.
pub fn focus(run: &RunData, scope: Scope, chosen: Option<StageIdx>) -> Option<StageIdx> {
    let n = run.summary.stages.len();
    if let Some(stage) = chosen.filter(|s| s.index() < n) {
        return Some(stage);
    }
    match (current(run), scope) {
        (Some(stage), Scope::ThisStage) => Some(stage),
        _ => run.summary.spoken_of().or_else(|| current(run)),
    }
}

/// The stage under way.
pub fn current(run: &RunData) -> Option<StageIdx> {
    progress(run).map(|p| p.stage)
}

pub fn progress(run: &RunData) -> Option<&Progress> {
    match &run.state {
        RunState::Running(progress) | RunState::Paused(progress) | RunState::Stopping(progress) => {
            Some(progress)
        }
        _ => None,
    }
}

/// The head's words.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Head {
    pub title: String,
    /// Stage under way and how many there are; its swatch stands before it.
    pub stage: Option<(usize, usize)>,
    pub words: Vec<String>,
    /// Which run of a varied plan it is, in a line of its own.
    pub variation: Option<String>,
    /// A judgement beside the title: interrupted, certificates not checked.
    pub badges: Vec<(Level, String)>,
}

pub fn head(run: &RunData) -> Head {
    let plan = run.plan();
    let title = if run.head.label.is_empty() {
        match &run.head.variation {
            // Its values stand below.
            Some(_) => "Varied plan".to_owned(),
            None => "Unnamed run".to_owned(),
        }
    } else {
        run.head.label.clone()
    };
    let mut head = Head {
        title,
        variation: variation_words(run),
        ..Head::default()
    };
    if plan.target.insecure {
        let words = "Certificates not checked".to_owned();
        head.badges.push((Level::Caution, words));
    }
    match &run.state {
        RunState::Running(progress) | RunState::Paused(progress) | RunState::Stopping(progress) => {
            let i = progress.stage.index();
            head.stage = Some((i, plan.stages.len()));
            let (place, level) = stage_words(run, progress.stage);
            head.words.push(place);
            head.words.push(phase_words(progress, level));
            if matches!(run.state, RunState::Paused(_)) {
                head.badges.push((Level::Caution, "Paused".to_owned()));
            }
        }
        RunState::Preparing { .. } => head.words.push("preparing".to_owned()),
        RunState::AwaitingRestart { .. } => head.words.push("waiting for a restart".to_owned()),
        RunState::Interrupted | RunState::Finished => {
            if run.state == RunState::Interrupted {
                head.badges.push((Level::Plain, "Interrupted".to_owned()));
            }
            head.words.push(started(&run.head.started));
            head.words.push(load_words(run));
            head.badges.extend(goals_badge(run));
        }
    }
    head
}

fn phase_words(progress: &Progress, label: String) -> String {
    match progress.phase {
        Some(Phase::Cold) => "cold requests".to_owned(),
        Some(Phase::Warmup) => format!("{label}, warm-up"),
        Some(Phase::Drain) => format!("{label}, last requests"),
        Some(Phase::Measure) => label,
        None => "pause".to_owned(),
    }
}

/// `21 Nov 2026, 14:18` in the clock of the machine that measured.
pub fn started(rfc3339: &str) -> String {
    let clock = rfc3339.get(..19).unwrap_or(rfc3339);
    match clock.parse::<jiff::civil::DateTime>() {
        Ok(time) => time.strftime("%-d %b %Y, %H:%M").to_string(),
        Err(_) => rfc3339.to_owned(),
    }
}

/// Whether the stage that the run is spoken of by keeps to its goals, in words.
fn goals_badge(run: &RunData) -> Option<(Level, String)> {
    let stage = run.summary.stages.get(run.summary.spoken_of()?.index())?;
    let words = goals_words(stage)?.replacen("meets", "Meets", 1);
    let level = match overall(&stage.goals) {
        GoalVerdict::Met => Level::Good,
        GoalVerdict::Missed => Level::Caution,
        GoalVerdict::Unresolved => Level::Plain,
    };
    Some((level, words))
}

/// `meets 2 of 3 goals, TTFT p95 missed`; nothing where there are no goals.
pub fn goals_words(stage: &StageSummary) -> Option<String> {
    let n = stage.goals.len();
    let of = |verdict: GoalVerdict| {
        let these = stage.goals.iter().filter(move |r| r.verdict == verdict);
        these.map(|r| {
            let short = r.goal.metric.metric().short;
            format!("{short} {}", format::quantile(r.goal.share))
        })
    };
    let n_met = of(GoalVerdict::Met).count();
    let missed: Vec<String> = of(GoalVerdict::Missed).collect();
    let open: Vec<String> = of(GoalVerdict::Unresolved).collect();
    let mut words = match (n, n_met) {
        (0, _) => return None,
        (1, 1) => "meets its goal".to_owned(),
        (n, met) if n == met => format!("meets all {n} goals"),
        (1, _) => String::new(),
        (n, met) => format!("meets {met} of {n} goals"),
    };
    for (names, what) in [(missed, "missed"), (open, "not told yet")] {
        if names.is_empty() {
            continue;
        }
        if !words.is_empty() {
            words.push_str(", ");
        }
        words.push_str(&names.join(" and "));
        words.push(' ');
        words.push_str(what);
    }
    Some(words)
}

/// One doubt as a banner shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    pub level: Level,
    pub finding: String,
    pub why: String,
    pub advice: String,
}

/// What a run that has ended was made to find out.
fn answer_found(run: &RunData) -> Option<Finding> {
    if run.is_live() {
        return None;
    }
    let told = |level: Level, sentence: &str, why: String| Finding {
        level,
        finding: capital(sentence),
        why: capital(&why),
        advice: String::new(),
    };
    if let Some(search) = &run.summary.search {
        let level = match (search.found, search.missed_at) {
            (Some(_), _) => Level::Good,
            (None, _) => Level::Caution,
        };
        return Some(told(level, &search.sentence(), search.details().join("; ")));
    }
    let sweep = run.summary.sweep.as_ref()?;
    let sentence = sweep.sentence(&run.summary.stages, run.plan())?;
    let why = sweep.stopped.clone().unwrap_or_default();
    Some(told(Level::Good, &sentence, why))
}

/// Why the run is not valid first, then what it found out, then the cautions, then what its start told of it.
pub fn findings(run: &RunData, notes: &[String]) -> Vec<Finding> {
    let verdict = &run.summary.verdict;
    let reasons = verdict.reasons.iter().filter(|_| !verdict.valid);
    let mut found: Vec<Finding> = reasons
        .map(|reason| Finding {
            level: Level::Bad,
            finding: "Not valid".to_owned(),
            why: reason.clone(),
            advice: String::new(),
        })
        .collect();
    found.extend(answer_found(run));
    // That a stage is past saturation says most about what its figures mean.
    let mut cautions: Vec<_> = run.summary.cautions.iter().collect();
    cautions.sort_by_key(|c| c.id != CautionId::Saturated);
    found.extend(cautions.into_iter().map(|c| Finding {
        level: Level::Caution,
        finding: c.finding.clone(),
        why: c.cause.clone(),
        advice: c.advice.clone(),
    }));
    found.extend(notes.iter().map(|note| {
        let (finding, why) = note.split_once(": ").unwrap_or((note, ""));
        Finding {
            level: Level::Plain,
            finding: capital(finding),
            why: capital(why),
            advice: String::new(),
        }
    }));
    found
}

/// Why a metric has no values in this run; `None` where it has some.
pub fn why_none(run: &RunData, metric: MetricId) -> Option<String> {
    let has = |s: &StageSummary| s.metric(metric).is_some_and(|d| d.n > 0);
    if run.summary.stages.iter().any(has) {
        return None;
    }
    let plan = run.plan();
    if matches!(metric.metric().taken, Taken::PerGap) && run.is_live() && plan.target.stream {
        return Some("Gaps are shown when the run has ended".to_owned());
    }
    if run.summary.stages.iter().all(|s| s.ok == 0) {
        let none = run.summary.stages.iter().all(|s| s.n_ended() == 0);
        let words = if none {
            "No measured request has ended yet"
        } else {
            "No measured request ended well"
        };
        return Some(words.to_owned());
    }
    let words = match metric {
        MetricId::QueueSubmit | MetricId::QueueWait => {
            "Only a Gradio server has a queue that tells how long a request waits in it"
        }
        MetricId::Slip => {
            "A closed loop sends as soon as it can: no send is planned, so none slips"
        }
        MetricId::Connect => "Connections were kept; they were made before the stage began",
        MetricId::ClientLate => {
            "Needs the kernel's receive stamps, which this system does not give"
        }
        _ if !plan.target.stream => "Needs a stream; this plan asks for the answer in one piece",
        MetricId::Tpot | MetricId::DecodeRate | MetricId::Streaming | MetricId::Itl => {
            "Needs answers of at least two tokens that come apart"
        }
        _ => "The server gave nothing that this could be taken from",
    };
    Some(words.to_owned())
}

/// This program could not keep up; its numbers are in doubt. What makes a run invalid is not called healthy either.
pub fn is_client_doubted(run: &RunData) -> bool {
    let is_client = |id| {
        matches!(
            id,
            CautionId::LateTick | CautionId::ClientLate | CautionId::LateSends
        )
    };
    let ticks = run.health.tick_p99_ms;
    run.summary.cautions.iter().any(|c| is_client(c.id))
        || ticks.is_some_and(|ms| ms > MAX_TICK_P99_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_told_in_the_clock_of_its_machine() {
        assert_eq!(started("2026-11-21T14:18:09+01:00"), "21 Nov 2026, 14:18");
        assert_eq!(started("yesterday"), "yesterday");
    }
}
