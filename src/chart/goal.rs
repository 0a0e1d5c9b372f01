//! A plan's goals in its charts: a line at the limit, and a tint where the goal is met or missed.
//!
//! In the charts of a distribution the tint is the region that a curve must not enter: left of the goal's share and beyond
//! its limit. A curve that touches it misses the goal, and one that does not meets it.

use crate::domain::{Better, Goal, MetricId, RunData};

use super::{Axis, Colour, LabelSide, Mark, Rule, Shape, format};

/// A limit further than this factor from all values would press them together: it is left to the tables.
const REACH: f64 = 5.0;
const ALL: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// `goal p95 ≤ 500 ms`.
fn label(goal: &Goal) -> String {
    format!("goal {}", goal_words(goal))
}

/// `p95 ≤ 500 ms`.
pub fn goal_words(goal: &Goal) -> String {
    let sign = match goal.metric.metric().better {
        Better::Lower => '≤',
        Better::Higher => '≥',
    };
    let limit = format::value(Some(goal.limit), goal.metric.metric().unit);
    format!("{} {sign} {}", format::quantile(goal.share), short(&limit))
}

/// `1 s` for `1.00 s`: a limit is a number that someone chose.
fn short(limit: &str) -> String {
    match limit.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            let number = number.trim_end_matches('0').trim_end_matches('.');
            format!("{number} {unit}")
        }
        _ => limit.to_owned(),
    }
}

/// The plan's goals for a metric.
pub(super) fn goals_of(run: &RunData, id: MetricId) -> Vec<Goal> {
    let goals = run.plan().goals.iter();
    goals.filter(|g| g.metric == id).copied().collect()
}

/// The limits that an axis of these values should hold too.
pub(super) fn limits_near(goals: &[Goal], values: impl Iterator<Item = f64>) -> Vec<f64> {
    let known = values.filter(|v| v.is_finite() && *v > 0.0);
    let ends = known.fold((f64::INFINITY, 0f64), |(a, b), v| (a.min(v), b.max(v)));
    let is_near = |limit: &f64| *limit >= ends.0 / REACH && *limit <= ends.1 * REACH;
    goals.iter().map(|g| g.limit).filter(is_near).collect()
}

/// What lies on the good side of the limit, or beyond it.
fn side(goal: &Goal, at: f64, is_good: bool) -> (f64, f64) {
    let is_lower = goal.metric.metric().better == Better::Lower;
    if is_lower == is_good {
        (f64::NEG_INFINITY, at)
    } else {
        (at, f64::INFINITY)
    }
}

fn zone(colour: Colour, x: (f64, f64), y: (f64, f64)) -> Mark {
    Mark::new(colour, Shape::Zone { x, y })
}

fn line_across(goal: &Goal, y: &Axis) -> Mark {
    let shape = Shape::HLine {
        at: y.place(goal.limit),
        label: label(goal),
        style: Rule::Dashed,
    };
    Mark::new(Colour::Ok, shape)
}

fn line_up(goal: &Goal, x: &Axis) -> Mark {
    let shape = Shape::VLine {
        at: x.place(goal.limit),
        label: label(goal),
        side: LabelSide::Right,
        style: Rule::Dashed,
    };
    Mark::new(Colour::Ok, shape)
}

fn is_on(axis: &Axis, goal: &Goal) -> bool {
    let at = axis.place(goal.limit);
    (axis.range.0..=axis.range.1).contains(&at)
}

/// Of a chart whose y axis is the metric: a line at each limit, and a tint where the strictest goal is met.
pub(super) fn over_load(goals: &[Goal], y: &Axis) -> Vec<Mark> {
    let shown: Vec<&Goal> = goals.iter().filter(|g| is_on(y, g)).collect();
    let strictest = shown.iter().max_by(|a, b| a.share.total_cmp(&b.share));
    let tint = strictest.map(|g| zone(Colour::Ok, ALL, side(g, y.place(g.limit), true)));
    tint.into_iter()
        .chain(shown.iter().map(|g| line_across(g, y)))
        .collect()
}

/// Lines alone, where the values are single requests.
pub(super) fn lines(goals: &[Goal], y: &Axis) -> Vec<Mark> {
    let shown = goals.iter().filter(|g| is_on(y, g));
    shown.map(|g| line_across(g, y)).collect()
}

/// Of a histogram: everything beyond the limit.
pub(super) fn over_histogram(goals: &[Goal], x: &Axis) -> Vec<Mark> {
    let shown = goals.iter().filter(|g| is_on(x, g));
    shown
        .flat_map(|g| {
            let beyond = side(g, x.place(g.limit), false);
            [zone(Colour::Caution, beyond, ALL), line_up(g, x)]
        })
        .collect()
}

/// Of an ECDF: beyond the limit and short of the share.
pub(super) fn over_ecdf(goals: &[Goal], x: &Axis) -> Vec<Mark> {
    let shown = goals.iter().filter(|g| is_on(x, g));
    shown
        .flat_map(|g| {
            let beyond = side(g, x.place(g.limit), false);
            let short_of = match g.metric.metric().better {
                Better::Lower => (f64::NEG_INFINITY, g.share),
                Better::Higher => (1.0 - g.share, f64::INFINITY),
            };
            [zone(Colour::Caution, beyond, short_of), line_up(g, x)]
        })
        .collect()
}

/// Of a percentile plot: beyond the limit at quantiles that the goal speaks of.
pub(super) fn over_percentiles(goals: &[Goal], x: &Axis, y: &Axis) -> Vec<Mark> {
    let shown = goals.iter().filter(|g| is_on(y, g));
    shown
        .flat_map(|g| {
            let beyond = side(g, y.place(g.limit), false);
            let asked = match g.metric.metric().better {
                Better::Lower => (f64::NEG_INFINITY, x.place(g.share)),
                Better::Higher => (x.place(1.0 - g.share), f64::INFINITY),
            };
            [zone(Colour::Caution, asked, beyond), line_across(g, y)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::AxisKind;

    fn goal(text: &str) -> Goal {
        text.parse().unwrap()
    }

    fn zones(marks: &[Mark]) -> Vec<((f64, f64), (f64, f64))> {
        let of = |m: &Mark| match m.shape {
            Shape::Zone { x, y } => Some((x, y)),
            _ => None,
        };
        marks.iter().filter_map(of).collect()
    }

    #[test]
    fn a_goal_reads_as_a_person_would_say_it() {
        assert_eq!(label(&goal("ttft.p95:500ms")), "goal p95 ≤ 500 ms");
        assert_eq!(label(&goal("e2e.p99.9:1000")), "goal p99.9 ≤ 1 s");
        assert_eq!(label(&goal("e2e.p50:2.5s")), "goal p50 ≤ 2.5 s");
        assert_eq!(label(&goal("decode_rate.p95:10")), "goal p95 ≥ 10 tok/s");
    }

    #[test]
    fn the_tint_of_an_ecdf_is_what_the_curve_must_not_enter() {
        let x = Axis::new("", AxisKind::LogMs, (1.0, 4.0));
        let marks = over_ecdf(&[goal("ttft.p95:100ms")], &x);
        assert_eq!(
            zones(&marks),
            [((2.0, f64::INFINITY), (f64::NEG_INFINITY, 0.95))]
        );
        // At least 10 tok/s for 95 %: at most 5 % may lie below.
        let x = Axis::new("", AxisKind::LogNumber, (0.0, 2.0));
        let (x_zone, y_zone) = zones(&over_ecdf(&[goal("decode_rate.p95:10")], &x))[0];
        assert_eq!(x_zone, (f64::NEG_INFINITY, 1.0));
        assert!((y_zone.0 - 0.05).abs() < 1e-12);
    }

    #[test]
    fn the_tint_of_a_percentile_plot_ends_at_the_goals_share() {
        let x = Axis::new("", AxisKind::Percentile, (0.0, 3.0));
        let y = Axis::new("", AxisKind::LogMs, (1.0, 4.0));
        let marks = over_percentiles(&[goal("ttft.p99:1000ms")], &x, &y);
        let (x_zone, y_zone) = zones(&marks)[0];
        assert!((x_zone.1 - 2.0).abs() < 1e-9);
        assert_eq!(y_zone, (3.0, f64::INFINITY));
    }

    #[test]
    fn over_load_the_strictest_goal_has_the_zone_and_far_limits_are_left_out() {
        let goals = [goal("e2e.p50:1000ms"), goal("e2e.p95:5000ms")];
        let y = Axis::new("", AxisKind::LogMs, (2.0, 4.0));
        let marks = over_load(&goals, &y);
        assert_eq!(marks.len(), 3);
        let (_, met) = zones(&marks)[0];
        assert!((met.1 - 5000f64.log10()).abs() < 1e-12);
        let values = || [50.0, 200.0].into_iter();
        assert_eq!(limits_near(&goals, values()), [1000.0]);
        assert!(limits_near(&goals, std::iter::empty()).is_empty());
    }
}
