//! The stages of a run as points of a load curve: where each stands on the x axis, and which belong to one line.

use crate::domain::{
    GoalVerdict, Load, MadeBy, MetricId, Over, RunData, StageIdx, StageSummary, overall,
};

use super::super::axis::top_above;
use super::super::{Axis, AxisKind, format};

/// Above this share of failed or dropped requests a point is hollow: its successes are no fair sample.
const HOLLOW_SHARE: f64 = 0.01;

/// Less than this share of what a lower rate achieved folds the curve back.
const FOLD: f64 = 0.95;

/// What the x axis counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum By {
    Users,
    /// Requests per second that ended well: what the server did, whatever it was asked.
    Achieved,
    /// Requests per second asked: a search's probes are levels that were tried.
    Asked,
}

/// Which line a point belongs to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Line {
    Users,
    Rate,
    /// None: a replay, or the stage that finds a sweep's maximum.
    Alone(u16),
}

/// A stage as the curves see it.
pub(super) struct Level<'a> {
    pub i: u16,
    pub summary: &'a StageSummary,
    /// Users or requests per second asked; what orders the points of a line.
    pub asked: f64,
    pub x: f64,
    pub line: Line,
    /// `32 users`, `48 req/s`.
    pub name: String,
    pub is_hollow: bool,
    /// Of a search's probe.
    pub verdict: Option<GoalVerdict>,
}

impl By {
    /// `asked`: of requests per second those that were asked for, rather than those that ended well.
    pub(super) fn of(run: &RunData, asked: bool) -> Self {
        let planned = &run.head.plan.stages;
        let is_search = !planned.is_empty() && planned.iter().all(|s| is_search(&s.load));
        let all = planned.iter().chain(&run.plan().stages);
        let over_users = |load: &Load| load.over() == Some(Over::Users);
        if all.map(|s| &s.load).all(over_users) {
            Self::Users
        } else if is_search || asked {
            Self::Asked
        } else {
            Self::Achieved
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Achieved => "req/s achieved",
            Self::Asked => "req/s asked",
        }
    }

    /// A level of the plan as the axis writes it, whose caption has the unit.
    pub(super) fn level_text(self, level: f64) -> String {
        match self {
            Self::Users => format::count(level),
            Self::Achieved | Self::Asked => format::number(level),
        }
    }
}

/// Whether the load is requests per second, achieved or asked as the person likes.
pub fn has_rate_axis(run: &RunData) -> bool {
    By::of(run, true) != By::Users && By::of(run, false) == By::Achieved
}

/// A higher rate asked brought clearly less: over the rate achieved the curve would run back through itself.
pub fn folds_back(run: &RunData) -> bool {
    let stages = run.plan().stages.iter().zip(&run.summary.stages);
    let open = stages.filter(|(s, _)| s.load.over() == Some(Over::Rate));
    let mut rates: Vec<(f64, f64)> = open
        .filter_map(|(s, summary)| Some((s.load.level(), summary.request_rate?)))
        .collect();
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut most = 0.0f64;
    rates.into_iter().any(|(_, achieved)| {
        most = most.max(achieved);
        achieved < most * FOLD
    })
}

fn is_search(load: &Load) -> bool {
    matches!(load, Load::Search { .. })
}

/// The stages that have the metric, each line in the order of its load.
pub(super) fn levels(run: &RunData, id: MetricId, by: By) -> Vec<Level<'_>> {
    let n = u16::try_from(run.summary.stages.len()).unwrap_or(u16::MAX);
    let mut levels: Vec<Level<'_>> = (0..n)
        .zip(&run.summary.stages)
        .filter(|(_, s)| s.metric(id).is_some_and(|d| d.n > 0))
        .filter_map(|(i, summary)| level(run, i, summary, by))
        .collect();
    levels.sort_by(|a, b| a.line.cmp(&b.line).then(a.asked.total_cmp(&b.asked)));
    levels
}

fn level<'a>(run: &RunData, i: u16, summary: &'a StageSummary, by: By) -> Option<Level<'a>> {
    let idx = StageIdx(i);
    let stage = run.plan().stage(idx);
    let made = run
        .borders
        .iter()
        .find_map(|b| b.made.as_ref().filter(|_| b.stage == idx));
    let over = stage.map_or(Some(Over::Users), |s| s.load.over());
    let asked = match stage {
        Some(stage) if over.is_some() => stage.load.level(),
        _ => f64::from(summary.users),
    };
    let is_throughput = made.is_some_and(|m| m.why == MadeBy::Throughput);
    let line = match over {
        Some(Over::Users) if !is_throughput => Line::Users,
        Some(Over::Rate) => Line::Rate,
        _ => Line::Alone(i),
    };
    let value = match by {
        By::Asked if over != Some(Over::Rate) => return None,
        By::Users | By::Asked => asked,
        By::Achieved => summary.request_rate?,
    };
    let found = run.summary.search.as_ref();
    let probe = found.and_then(|f| f.probes.iter().find(|p| p.stage == idx));
    let verdict = probe.map(|p| p.verdict).or_else(|| {
        let is_probe = made.is_some_and(|m| m.why == MadeBy::Probe);
        is_probe.then(|| overall(&summary.goals))
    });
    Some(Level {
        i,
        summary,
        asked,
        x: value,
        line,
        name: summary.label.clone(),
        is_hollow: is_hollow(summary),
        verdict,
    })
}

fn is_hollow(summary: &StageSummary) -> bool {
    summary.error_rate.is_some_and(|e| e > HOLLOW_SHARE) || dropped_share(summary) > HOLLOW_SHARE
}

/// Dropped of all that were due.
pub(super) fn dropped_share(summary: &StageSummary) -> f64 {
    summary.dropped as f64 / (summary.n_ended() + summary.dropped).max(1) as f64
}

/// A sweep's even steps stand on a linear axis, a search's doubled ones on a log axis.
fn is_wide(values: &[f64]) -> bool {
    let (Some(low), Some(high)) = (values.first(), values.last()) else {
        return false;
    };
    let n = values.len().min(12) as f64;
    *low > 0.0 && high / low >= (n - 2.0).exp2()
}

/// The x axis of these levels, and the levels' places on it.
pub(super) fn x_axis(levels: &mut [Level<'_>], by: By, more: &[f64]) -> Axis {
    let mut values: Vec<f64> = levels.iter().map(|l| l.x).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let kind = match by {
        By::Users => AxisKind::Users(values.clone()),
        By::Achieved => AxisKind::Rate,
        By::Asked => AxisKind::Marked {
            values: values.clone(),
            is_log: is_wide(&values),
            unit: "req/s".to_owned(),
        },
    };
    let mut axis = Axis::new(by.words(), kind, (0.0, 1.0));
    let most = more
        .iter()
        .chain(values.last())
        .copied()
        .fold(0.0, f64::max);
    if by == By::Achieved {
        // Room at the right for the lines' names.
        axis.range = (-0.02 * most, top_above(most * 1.12));
    } else if let Some(low) = values.first() {
        let (low, high) = (axis.place(*low), axis.place(most));
        let room = ((high - low) * 0.04).max(0.15);
        axis.range = (low - room, high + room * 4.0);
    }
    for level in levels {
        level.x = axis.place(level.x);
    }
    axis
}
