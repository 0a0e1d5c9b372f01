//! Two sides over each other: A against B, and cold against warm.

use crate::domain::{MetricId, OutcomeKind, Phase, RunData, StageIdx};

use super::distribution::{Beside, Series, ecdf_of, histogram_of, percentiles_of};
use super::goal::goals_of;
use super::{Chart, Colour, Dot, LabelSide, LegendEntry, Mark, Shape, Swatch, format};

/// Which of the three charts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Look {
    Histogram,
    Percentiles,
    #[default]
    Ecdf,
}

/// One stage of A over one of B.
pub fn overlay(
    a: (&RunData, StageIdx),
    b: (&RunData, StageIdx),
    id: MetricId,
    look: Look,
) -> Chart {
    let side = |name: &str, colour, (run, stage): (&RunData, StageIdx)| {
        Series::new(name, colour, run.values(stage, Phase::Measure, id))
    };
    let sides = [side("A", Colour::SideA, a), side("B", Colour::SideB, b)];
    let sides: Vec<Series> = sides.into_iter().filter(|s| !s.sorted.is_empty()).collect();
    // Only what both were asked for is a goal of the comparison.
    let of_b = goals_of(b.0, id);
    let mut goals = goals_of(a.0, id);
    goals.retain(|g| of_b.contains(g));
    let beside = Beside {
        id,
        more: &[],
        goals,
        why_empty: "Neither side has this figure",
    };
    let mut chart = match look {
        Look::Histogram => histogram_of(&sides, &beside),
        Look::Percentiles => percentiles_of(&sides, &beside),
        Look::Ecdf => ecdf_of(&sides, &beside),
    };
    chart.title = match look {
        Look::Histogram => format!("{}, histogram", id.metric().short),
        Look::Percentiles => format!("{}, percentiles", id.metric().short),
        Look::Ecdf => format!("{}, cumulative", id.metric().short),
    };
    let label = |(run, stage): (&RunData, StageIdx)| {
        let stage = run.plan().stage(stage);
        stage.map_or_else(|| format::UNKNOWN.to_owned(), |s| s.load.label())
    };
    let (of_a, of_b) = (label(a), label(b));
    chart.subject = if of_a == of_b {
        of_a
    } else {
        format!("{of_a} against {of_b}")
    };
    chart
}

/// The first stage's warm distribution as A, and every cold request as a ring on it as B: never a curve.
pub fn cold_over_warm(run: &RunData, id: MetricId, look: Look) -> Chart {
    let stage = StageIdx(0);
    let values = run.values(stage, Phase::Measure, id);
    let mut warm = vec![Series::new("warm", Colour::SideA, values)];
    warm.retain(|s| !s.sorted.is_empty());
    let cold: Vec<f64> = run
        .points
        .iter()
        .filter(|p| p.phase == Phase::Cold && p.outcome == OutcomeKind::Ok)
        .filter_map(|p| p.value(id))
        .collect();
    let title = format!("{}, cold over warm", id.metric().short);
    if cold.is_empty() {
        return Chart::empty(&title, "This run has no cold request");
    }
    let sorted = warm.first().map(|s| s.sorted.clone()).unwrap_or_default();
    let beside = Beside {
        id,
        more: &cold,
        goals: goals_of(run, id),
        why_empty: "",
    };
    let mut chart = match look {
        Look::Histogram => histogram_of(&warm, &beside),
        // Cold requests have no percentile: both other looks are the ECDF.
        Look::Percentiles | Look::Ecdf => ecdf_of(&warm, &beside),
    };
    if chart.panes.is_empty() {
        return Chart::empty(&title, "No warm request ended well");
    }
    let rings: Vec<[f64; 2]> = cold
        .iter()
        .map(|v| {
            let below = sorted.partition_point(|w| w <= v) as f64;
            let share = below / sorted.len().max(1) as f64;
            let y = if look == Look::Histogram { 0.0 } else { share };
            [chart.x.place(v.max(1e-3)), y]
        })
        .collect();
    let unit = id.metric().unit;
    let labels = cold.iter().map(|v| format::value(Some(*v), unit));
    let shape = Shape::Points {
        points: rings,
        dot: Dot::Cold,
        labels: labels.collect(),
        side: LabelSide::DownRight,
    };
    let series = chart.legend.len();
    chart
        .legend
        .push(LegendEntry::new("cold", Colour::SideB, Swatch::Ring));
    if let Some(pane) = chart.panes.first_mut() {
        pane.marks.push(Mark::of(series, Colour::SideB, shape));
    }
    for (i, value) in cold.iter().enumerate() {
        let n = format::count(1.0);
        let mut row = vec![format!("cold {}", i + 1), n];
        row.resize(chart.table.header.len() - 1, format::UNKNOWN.to_owned());
        row.push(format::value(Some(*value), unit));
        chart.table.rows.push(row);
    }
    chart.title = title;
    chart.subject = run
        .plan()
        .stage(stage)
        .map(|s| s.load.label())
        .unwrap_or_default();
    chart
}
