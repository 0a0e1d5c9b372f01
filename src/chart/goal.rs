//! A plan's goals in its charts: a line at the limit, and a tint where the goal is met or missed.
//!
//! In the charts of a distribution the tint is the region that a curve must not enter: left of the goal's share and beyond
//! its limit. A curve that touches it misses the goal, and one that does not meets it.
//!
//! A limit far from all values has its true place too, beyond the axis: whoever draws names it at the plot's edge, and the
//! tint is the whole plot or none of it.

use crate::domain::{Better, Goal, MetricId, RunData};

use super::{Axis, Colour, LabelSide, Mark, Rule, Shape, format};

/// A limit further than this factor from all values would press them together: the axis does not reach to it.
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

/// Of a chart whose y axis is the metric: a line at each limit, and a tint where the strictest goal is met. Where that
/// is nowhere on the axis the whole plot has the tint of a goal missed.
pub(super) fn over_load(goals: &[Goal], y: &Axis) -> Vec<Mark> {
    let strictest = goals.iter().max_by(|a, b| a.share.total_cmp(&b.share));
    let tint = strictest.map(|g| {
        let at = y.place(g.limit);
        if is_all_missed(g, at, y) {
            zone(Colour::Caution, ALL, side(g, at, false))
        } else {
            zone(Colour::Ok, ALL, side(g, at, true))
        }
    });
    tint.into_iter()
        .chain(goals.iter().map(|g| line_across(g, y)))
        .collect()
}

fn is_all_missed(goal: &Goal, at: f64, axis: &Axis) -> bool {
    match goal.metric.metric().better {
        Better::Lower => at < axis.range.0,
        Better::Higher => at > axis.range.1,
    }
}

/// Lines alone, where what is drawn is not what the goal speaks of.
pub(super) fn lines(goals: &[Goal], y: &Axis) -> Vec<Mark> {
    goals.iter().map(|g| line_across(g, y)).collect()
}

/// Of single requests, or of their course over time: everything beyond the limit.
pub(super) fn over_values(goals: &[Goal], y: &Axis) -> Vec<Mark> {
    let of = |g: &Goal| {
        let beyond = side(g, y.place(g.limit), false);
        [zone(Colour::Caution, ALL, beyond), line_across(g, y)]
    };
    goals.iter().flat_map(of).collect()
}

/// Of a histogram: everything beyond the limit.
pub(super) fn over_histogram(goals: &[Goal], x: &Axis) -> Vec<Mark> {
    let of = |g: &Goal| {
        let beyond = side(g, x.place(g.limit), false);
        [zone(Colour::Caution, beyond, ALL), line_up(g, x)]
    };
    goals.iter().flat_map(of).collect()
}

/// Of an ECDF: beyond the limit and short of the share.
pub(super) fn over_ecdf(goals: &[Goal], x: &Axis) -> Vec<Mark> {
    let of = |g: &Goal| {
        let beyond = side(g, x.place(g.limit), false);
        let short_of = match g.metric.metric().better {
            Better::Lower => (f64::NEG_INFINITY, g.share),
            Better::Higher => (1.0 - g.share, f64::INFINITY),
        };
        [zone(Colour::Caution, beyond, short_of), line_up(g, x)]
    };
    goals.iter().flat_map(of).collect()
}

/// Of a percentile plot: beyond the limit at quantiles that the goal speaks of.
pub(super) fn over_percentiles(goals: &[Goal], x: &Axis, y: &Axis) -> Vec<Mark> {
    let of = |g: &Goal| {
        let beyond = side(g, y.place(g.limit), false);
        let asked = match g.metric.metric().better {
            Better::Lower => (f64::NEG_INFINITY, x.place(g.share)),
            Better::Higher => (x.place(1.0 - g.share), f64::INFINITY),
        };
        [zone(Colour::Caution, asked, beyond), line_across(g, y)]
    };
    goals.iter().flat_map(of).collect()
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
    fn over_load_the_strictest_goal_has_the_zone_and_an_axis_reaches_to_near_limits_only() {
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

    #[test]
    fn a_limit_beyond_the_axis_keeps_its_line_and_tints_all_or_nothing() {
        let axis = Axis::new("", AxisKind::LogMs, (2.0, 3.0));
        let far = |text: &str| [goal(text)];
        let covers = |z: (f64, f64)| z.0 <= 2.0 && z.1 >= 3.0;
        let is_outside = |z: (f64, f64)| z.1 <= 2.0 || z.0 >= 3.0;
        let (missed, met) = (far("e2e.p95:5ms"), far("e2e.p95:600s"));
        for (marks, is_x) in [
            (over_histogram(&missed, &axis), true),
            (over_ecdf(&missed, &axis), true),
            (over_values(&missed, &axis), false),
            (over_load(&missed, &axis), false),
        ] {
            let (x, y) = zones(&marks)[0];
            assert_eq!(marks[0].colour, Colour::Caution);
            assert!(covers(if is_x { x } else { y }), "{marks:?}");
            assert_eq!(marks.len(), 2);
        }
        for (marks, is_x) in [
            (over_histogram(&met, &axis), true),
            (over_ecdf(&met, &axis), true),
            (over_values(&met, &axis), false),
        ] {
            let (x, y) = zones(&marks)[0];
            assert!(is_outside(if is_x { x } else { y }), "{marks:?}");
            assert_eq!(marks.len(), 2);
        }
        let marks = over_load(&met, &axis);
        assert!(marks[0].colour == Colour::Ok && covers(zones(&marks)[0].1));
    }
}
