//! A search's probes: which share of the requests met the goals at each load, and what that decides.

use crate::domain::{Distribution, GoalResult, GoalVerdict, MetricId};
use crate::stats;

use super::super::goal::goal_words;
use super::super::{
    Axis, AxisKind, ChartTable, Colour, Dot, LabelSide, LegendEntry, Mark, Rule, Shape, Swatch,
    format,
};
use super::levels::Level;

/// The goal that decides a probe: the one with the least room above its share.
pub(super) fn deciding(results: &[GoalResult]) -> Option<&GoalResult> {
    let room = |r: &GoalResult| r.attainment.map_or(f64::INFINITY, |a| a - r.goal.share);
    results.iter().min_by(|a, b| room(a).total_cmp(&room(b)))
}

/// Filled, ring or × for met, not told and missed.
pub(super) fn dot(verdict: GoalVerdict, size: usize) -> Dot {
    let dots = match verdict {
        GoalVerdict::Met => [Dot::Large, Dot::Medium, Dot::Small],
        GoalVerdict::Unresolved => [Dot::LargeRing, Dot::MediumRing, Dot::SmallRing],
        GoalVerdict::Missed => [Dot::LargeCross, Dot::MediumCross, Dot::SmallCross],
    };
    dots.get(size).copied().unwrap_or(Dot::Medium)
}

pub(super) fn legend(levels: &[Level<'_>]) -> Vec<LegendEntry> {
    let kinds = [
        (GoalVerdict::Met, Swatch::Dot),
        (GoalVerdict::Unresolved, Swatch::Ring),
        (GoalVerdict::Missed, Swatch::Cross),
    ];
    let has = |v: GoalVerdict| levels.iter().any(|l| l.verdict == Some(v));
    let shown = kinds.into_iter().filter(|(v, _)| has(*v));
    shown
        .map(|(v, swatch)| LegendEntry::new(v.label(), Colour::Secondary, swatch))
        .collect()
}

/// Attainment of the deciding goal at each load with its interval, and the share that is asked.
pub(super) fn pane(levels: &[Level<'_>], n: u16) -> (Axis, Vec<Mark>) {
    let known = |l: &Level<'_>| {
        let result = deciding(&l.summary.goals)?;
        Some((l.x, result.attainment?, result.ci95?, result.goal.share))
    };
    let mut least: f64 = 0.9;
    let mut shares: Vec<f64> = Vec::new();
    let mut whiskers = Vec::new();
    let mut dots = Vec::new();
    for level in levels {
        let Some((x, attainment, [low, high], share)) = known(level) else {
            continue;
        };
        least = least.min(low);
        if !shares.contains(&share) {
            shares.push(share);
        }
        let colour = Colour::Stage { i: level.i, n };
        let whisker = Shape::Line {
            points: vec![[x, low], [x, high]],
            width: 1.5,
            is_dashed: false,
            is_stepped: true,
            end_label: String::new(),
        };
        whiskers.push(Mark::new(colour, whisker));
        let shape = Shape::Points {
            points: vec![[x, attainment]],
            dot: dot(level.verdict.unwrap_or_default(), 1),
            labels: Vec::new(),
            side: LabelSide::Right,
        };
        dots.push(Mark::new(colour, shape));
    }
    let bottom = (least * 10.0).floor() / 10.0;
    let asked = |share: &f64| {
        let shape = Shape::HLine {
            at: *share,
            label: String::new(),
            style: Rule::Dashed,
        };
        Mark::new(Colour::Ok, shape)
    };
    let mut marks: Vec<Mark> = shares.iter().map(asked).collect();
    marks.append(&mut whiskers);
    marks.append(&mut dots);
    let asked = match shares.as_slice() {
        [share] => format!(", {} asked", format::percent(*share)),
        _ => String::new(),
    };
    let room = (1.0 - bottom) * 0.08;
    let axis = Axis::new(
        format!("Within the goal{asked}"),
        AxisKind::Share,
        (bottom - room, 1.0 + room),
    );
    (axis, marks)
}

/// `93 % (88 to 96 %)`.
pub(super) fn interval_text(result: Option<&GoalResult>) -> String {
    let Some(attainment) = result.and_then(|r| r.attainment) else {
        return format::UNKNOWN.to_owned();
    };
    let share = format::percent(attainment);
    match result.and_then(|r| r.ci95) {
        Some([low, high]) => {
            let low = format::percent(low);
            let low = low.trim_end_matches(" %");
            format!("{share} ({low} to {})", format::percent(high))
        }
        None => share,
    }
}

/// A row for each probe: the load, its attainment with the interval, the verdict.
pub(super) fn table(levels: &[Level<'_>], id: MetricId) -> ChartTable {
    let p95 = format!("{} p95", id.metric().short);
    let mut table = ChartTable::new(&["Load", "n", &p95, "req/s", "Goal", "Within it", "Verdict"]);
    for level in levels {
        let result = deciding(&level.summary.goals);
        let of = |d: &Distribution| {
            let text = format::value(d.p95, id.metric().unit);
            if d.n < stats::least_n(0.95) {
                format!("≥ {text}")
            } else {
                text
            }
        };
        let rate = level.summary.request_rate;
        let row = vec![
            level.name.clone(),
            format::count(level.summary.n_ended() as f64),
            level.summary.metric(id).map_or_else(String::new, of),
            rate.map_or_else(|| format::UNKNOWN.to_owned(), format::rate),
            result.map_or_else(|| format::UNKNOWN.to_owned(), |r| goal_words(&r.goal)),
            interval_text(result),
            level.verdict.unwrap_or_default().label().to_owned(),
        ];
        table.push_at(level.x, row);
    }
    table
}
