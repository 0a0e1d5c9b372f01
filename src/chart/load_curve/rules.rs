//! The loads that a run found, each a rule through both panes: the knee, what a server keeps up with and the most that it
//! does, what met the goals and what no longer did.

use crate::domain::{Over, RunData, StageIdx};

use super::super::{Colour, format};
use super::levels::By;

/// Value on the x axis, words, colour.
pub(super) type Rule = (f64, String, Colour);

pub(super) fn rules(run: &RunData, by: By) -> Vec<Rule> {
    let mut rules = Vec::new();
    rules.extend(knee(run, by));
    rules.extend(sustained(run, by));
    rules.extend(most(run, by));
    rules.extend(searched(run, by));
    rules.retain(|(at, ..)| *at > 0.0 && at.is_finite());
    rules
}

fn over(by: By) -> Over {
    match by {
        By::Users => Over::Users,
        By::Achieved | By::Asked => Over::Rate,
    }
}

fn knee(run: &RunData, by: By) -> Option<Rule> {
    let knee = run.summary.knee.as_ref().filter(|k| k.over == over(by))?;
    let at = match by {
        By::Achieved => knee.request_rate,
        By::Users | By::Asked => knee.level,
    };
    let words = format!("knee {}", by.level_text(knee.level));
    Some((at, words, Colour::Rule))
}

/// A stage's level on the axis, if it is a level of the axis.
fn place(run: &RunData, stage: StageIdx, by: By) -> Option<f64> {
    let load = &run.plan().stage(stage)?.load;
    if load.over() != Some(over(by)) {
        return None;
    }
    match by {
        By::Achieved => run.summary.stages.get(stage.index())?.request_rate,
        By::Users | By::Asked => Some(load.level()),
    }
}

/// The last stage before a sweep's server fell behind.
fn sustained(run: &RunData, by: By) -> Option<Rule> {
    let stage = run.summary.sweep.as_ref()?.sustained?;
    let level = run.plan().stage(stage)?.load.level();
    let words = match by {
        // It stands where it achieved what it did.
        By::Achieved => format!("keeps up, {} asked", format::number(level)),
        By::Users | By::Asked => format!("keeps up {}", by.level_text(level)),
    };
    Some((place(run, stage, by)?, words, Colour::Ok))
}

fn most(run: &RunData, by: By) -> Option<Rule> {
    let sweep = run.summary.sweep.as_ref()?;
    let most = sweep.max_request_rate?;
    let at = match by {
        By::Achieved | By::Asked => most,
        By::Users => place(run, sweep.best?, by)?,
    };
    let unit = if by == By::Users { " req/s" } else { "" };
    let words = format!("most {}{unit}", format::number(most));
    Some((at, words, Colour::Secondary))
}

/// The largest load that met a search's goals, and the least that did not.
fn searched(run: &RunData, by: By) -> Vec<Rule> {
    let search = run.summary.search.as_ref();
    let Some(search) = search.filter(|s| s.over == over(by) && by != By::Achieved) else {
        return Vec::new();
    };
    let rule = |what: &str, level: f64, colour| {
        let words = format!("{what} {}", by.level_text(level));
        (level, words, colour)
    };
    let found = search.found.map(|at| rule("found", at, Colour::Ok));
    let missed = search.missed_at;
    let missed = missed.map(|at| rule("missed", at, Colour::Caution));
    found.into_iter().chain(missed).collect()
}
