//! Every request in the order sent: one dot each, or for a few the parts of each as a bar.

use std::collections::BTreeSet;

use crate::domain::{Goal, MetricId, OutcomeKind, Phase, Point, RunData, Unit};

use super::axis::top_above;
use super::distribution::{log_caption, value_axis};
use super::goal::{self, goals_of};
use super::{
    Axis, AxisKind, Bar, Chart, ChartTable, Colour, Dot, LabelSide, LegendEntry, Mark, Pane, Shape,
    Swatch, format,
};

/// Up to this many requests each is a bar of its parts.
const MAX_BARS: usize = 200;
/// Above this many dots of a series, those that fall into one cell are one (gui.md: a scatter of 10k costs 1.4 ms).
const MAX_DOTS: usize = 10_000;
const CELLS: (f64, f64) = (480.0, 90.0);
/// Rows of the table: the slowest ones.
const TABLE_ROWS: usize = 20;
const TITLE: &str = "Requests";

/// A metric of every request; for up to 200 with [`MetricId::E2e`] or [`MetricId::Ttft`] as stacked bars of queue, wait
/// and stream.
pub fn requests(run: &RunData, id: MetricId) -> Chart {
    let mut points: Vec<&Point> = run.points.iter().collect();
    if points.is_empty() {
        return Chart::empty(TITLE, "No answer yet");
    }
    points.sort_by_key(|p| p.seq);
    let is_stackable = matches!(id, MetricId::E2e | MetricId::Ttft);
    let chart = if points.len() <= MAX_BARS && is_stackable {
        stacked(run, &points, id)
    } else {
        dots(run, &points, id)
    };
    Chart {
        title: TITLE.to_owned(),
        subject: "in the order sent".to_owned(),
        table: table(run, &points, id),
        x: order_axis(&points),
        ..chart
    }
}

const FEWEST: f64 = 9.0;

/// The order of sending, with room for ten: the first few of a run are no wider than they will be.
fn order_axis(points: &[&Point]) -> Axis {
    let first = points.first().map_or(0.0, |p| p.seq as f64);
    let last = points.last().map_or(1.0, |p| p.seq as f64);
    let room = ((last - first) * 0.025).max(0.7);
    Axis::new(
        "",
        AxisKind::Number,
        (first - room, last.max(first + FEWEST) + room),
    )
}

fn is_ok(point: &Point) -> bool {
    point.outcome == OutcomeKind::Ok
}

fn stage_colour(run: &RunData, point: &Point) -> Colour {
    Colour::Stage {
        i: point.stage.0,
        n: u16::try_from(run.plan().stages.len()).unwrap_or(u16::MAX),
    }
}

/// Failed ones, those that were never sent, and those that were ended before they could end: they have no latency and stand on the rail.
fn rail(points: &[&Point], legend: &mut Vec<LegendEntry>) -> Vec<Mark> {
    type Belongs = fn(&Point) -> bool;
    let kinds: [(&str, Colour, Belongs); 3] = [
        ("failed", Colour::Failure, |p| {
            p.outcome == OutcomeKind::Failed
        }),
        ("dropped", Colour::Caution, |p| {
            p.outcome == OutcomeKind::Dropped
        }),
        ("ended early", Colour::Muted, |p| {
            matches!(p.outcome, OutcomeKind::Cancelled | OutcomeKind::CutOff)
        }),
    ];
    let mut marks = Vec::new();
    for (name, colour, belongs) in kinds {
        let at: Vec<[f64; 2]> = points
            .iter()
            .filter(|p| belongs(p))
            .map(|p| [p.seq as f64, 0.0])
            .collect();
        if !at.is_empty() {
            let series = legend.len();
            legend.push(LegendEntry::new(name, colour, Swatch::Cross));
            // Dropped ones come in crowds: they show where, their number stands in the table of stages.
            let at = if name == "dropped" {
                apart(at, points.len() as f64 / 56.0)
            } else {
                thinned_row(at)
            };
            marks.push(Mark::of(series, colour, scatter(at, Dot::Cross)));
        }
    }
    marks
}

fn scatter(points: Vec<[f64; 2]>, dot: Dot) -> Shape {
    Shape::Points {
        points,
        dot,
        labels: Vec::new(),
        side: LabelSide::Right,
    }
}

fn thinned_row(points: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    let step = points.len().div_ceil(2000).max(1);
    points.into_iter().step_by(step).collect()
}

fn apart(mut points: Vec<[f64; 2]>, gap: f64) -> Vec<[f64; 2]> {
    let mut last = f64::NEG_INFINITY;
    points.retain(|p| {
        let is_apart = p[0] >= last + gap;
        if is_apart {
            last = p[0];
        }
        is_apart
    });
    points
}

fn dots(run: &RunData, points: &[&Point], id: MetricId) -> Chart {
    let values = points
        .iter()
        .filter(|p| is_ok(p))
        .filter_map(|p| p.value(id));
    let goals = goals_of(run, id);
    let limits = goal::limits_near(&goals, values.clone());
    let axis = value_axis(id, log_caption(id), values.chain(limits));
    let y = axis.unwrap_or_else(|| Axis::new(log_caption(id), AxisKind::LogMs, (0.0, 3.0)));
    let mut legend = Vec::new();
    let mut marks = goal::over_values(&goals, &y);
    let n_goals = marks.len();
    let place = |p: &Point| Some([p.seq as f64, y.place(p.value(id)?.max(1e-3))]);
    let of_phase = |phase: Phase| {
        points
            .iter()
            .copied()
            .filter(move |p| is_ok(p) && p.phase == phase)
    };
    let x_range = order_axis(points).range;
    let warm: Vec<&Point> = of_phase(Phase::Measure)
        .chain(of_phase(Phase::Drain))
        .collect();
    let stages: BTreeSet<_> = warm.iter().map(|p| p.stage).collect();
    for stage in stages {
        let of_stage = warm.iter().filter(|p| p.stage == stage);
        let at: Vec<[f64; 2]> = of_stage.filter_map(|p| place(p)).collect();
        let colour = Colour::Stage {
            i: stage.0,
            n: u16::try_from(run.plan().stages.len()).unwrap_or(u16::MAX),
        };
        marks.push(warm_mark(colour, at, x_range, y.range));
    }
    if marks.len() > n_goals {
        let colour = Colour::Secondary;
        legend.push(LegendEntry::new("warm", colour, Swatch::Dot));
    }
    let warmup: Vec<[f64; 2]> = of_phase(Phase::Warmup).filter_map(place).collect();
    if !warmup.is_empty() {
        let series = legend.len();
        legend.push(LegendEntry::new("warm-up", Colour::Muted, Swatch::Dot));
        let colour = Colour::Stage {
            i: 0,
            n: u16::try_from(run.plan().stages.len()).unwrap_or(u16::MAX),
        };
        marks.push(Mark::of(
            series,
            colour,
            scatter(thinned_row(warmup), Dot::Pale),
        ));
    }
    let cold: Vec<&Point> = of_phase(Phase::Cold).collect();
    marks.extend(cold_marks(&cold, id, &mut legend, |p| place(p)));
    marks.extend(rail(points, &mut legend));
    Chart {
        panes: vec![Pane {
            has_rail: true,
            ..Pane::whole(y, marks)
        }],
        legend,
        ..Chart::default()
    }
}

fn warm_mark(colour: Colour, at: Vec<[f64; 2]>, x: (f64, f64), y: (f64, f64)) -> Mark {
    if at.len() > MAX_DOTS {
        Mark::of(0, colour, scatter(binned(&at, x, y), Dot::Binned))
    } else {
        Mark::of(0, colour, scatter(at, Dot::Request))
    }
}

/// One point for every cell that has any.
fn binned(points: &[[f64; 2]], x: (f64, f64), y: (f64, f64)) -> Vec<[f64; 2]> {
    let cell = |value: f64, range: (f64, f64), n: f64| {
        let at = (value - range.0) / (range.1 - range.0) * n;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the cells"
        )]
        let at = at.floor().clamp(0.0, n - 1.0) as u32;
        at
    };
    let cells: BTreeSet<(u32, u32)> = points
        .iter()
        .map(|p| (cell(p[0], x, CELLS.0), cell(p[1], y, CELLS.1)))
        .collect();
    let middle = |i: u32, range: (f64, f64), n: f64| {
        range.0 + (range.1 - range.0) * (f64::from(i) + 0.5) / n
    };
    cells
        .into_iter()
        .map(|(i, j)| [middle(i, x, CELLS.0), middle(j, y, CELLS.1)])
        .collect()
}

/// Rings, the first with its value.
fn cold_marks(
    cold: &[&Point],
    id: MetricId,
    legend: &mut Vec<LegendEntry>,
    place: impl Fn(&Point) -> Option<[f64; 2]>,
) -> Option<Mark> {
    let unit = id.metric().unit;
    let mut points = Vec::new();
    let mut labels = Vec::new();
    for point in cold {
        if let Some(at) = place(point) {
            let is_first = points.is_empty();
            points.push(at);
            labels.push(if is_first {
                format!("cold {}", format::value(point.value(id), unit))
            } else {
                String::new()
            });
        }
    }
    if points.is_empty() {
        return None;
    }
    let series = legend.len();
    legend.push(LegendEntry::new("cold", Colour::Primary, Swatch::Ring));
    let shape = Shape::Points {
        points,
        dot: Dot::Cold,
        labels,
        side: LabelSide::Right,
    };
    Some(Mark::of(series, Colour::Primary, shape))
}

/// The parts of a request in ms, up to the metric's end: queue, wait for the first token, stream.
fn parts(point: &Point, id: MetricId) -> Option<[f64; 3]> {
    let whole = point.value(id)?;
    let first_token = point.value(MetricId::Ttft).unwrap_or(whole).min(whole);
    let queue = point
        .value(MetricId::QueueWait)
        .unwrap_or(0.0)
        .min(first_token);
    Some([queue, first_token - queue, whole - first_token])
}

/// The end of the axis: it holds the warm requests and the goals that are near.
fn top_of(ok: &[&Point], id: MetricId, goals: &[Goal]) -> f64 {
    let most = |is_cold: bool| {
        ok.iter()
            .filter(|p| (p.phase == Phase::Cold) == is_cold)
            .filter_map(|p| p.value(id))
            .fold(0.0, f64::max)
    };
    // Near the warm ones: a cold start's limit would press those together.
    let warm = ok.iter().filter(|p| p.phase != Phase::Cold);
    let limits = goal::limits_near(goals, warm.filter_map(|p| p.value(id)));
    let limit = limits.into_iter().fold(0.0, f64::max);
    // A cold start may be a hundred times a warm one: it is cut at the top and carries its value.
    match (most(false).max(limit), most(true)) {
        (warm, cold) if warm > 0.0 && cold > 3.0 * warm => top_above(warm * 1.3),
        (warm, cold) => top_above(warm.max(cold)),
    }
}

fn stacked(run: &RunData, points: &[&Point], id: MetricId) -> Chart {
    let ok: Vec<&Point> = points.iter().copied().filter(|p| is_ok(p)).collect();
    let goals = goals_of(run, id);
    let top = top_of(&ok, id, &goals);
    let kinds = [
        ("queue", Colour::PartQueue),
        ("wait", Colour::PartWait),
        ("stream", Colour::PartStream),
    ];
    let (mut legend, mut marks) = (Vec::new(), Vec::new());
    for (k, (name, colour)) in kinds.into_iter().enumerate() {
        let bars: Vec<Bar> = ok.iter().filter_map(|p| bar(p, id, k, top)).collect();
        if !bars.is_empty() {
            let series = legend.len();
            legend.push(LegendEntry::new(name, colour, Swatch::Square));
            let shape = Shape::Bars {
                bars,
                is_solid: true,
            };
            marks.push(Mark::of(series, colour, shape));
        }
    }
    let head = |p: &Point| Some([p.seq as f64, p.value(id)?.min(top)]);
    let warmup: Vec<&Point> = ok
        .iter()
        .copied()
        .filter(|p| p.phase == Phase::Warmup)
        .collect();
    if let Some(first) = warmup.first() {
        let series = legend.len();
        legend.push(LegendEntry::new("warm-up", Colour::Muted, Swatch::Dot));
        let at = warmup.iter().filter_map(|p| head(p)).collect();
        let colour = stage_colour(run, first);
        marks.push(Mark::of(series, colour, scatter(at, Dot::Pale)));
    }
    let cold: Vec<&Point> = ok
        .iter()
        .copied()
        .filter(|p| p.phase == Phase::Cold)
        .collect();
    marks.extend(cold_marks(&cold, id, &mut legend, head));
    marks.extend(rail(points, &mut legend));
    let y = Axis::new(
        format!("{}, from the send on", id.metric().short),
        AxisKind::Ms,
        (0.0, top * 1.02),
    );
    marks.extend(goal::over_values(&goals, &y));
    Chart {
        panes: vec![Pane {
            has_rail: true,
            ..Pane::whole(y, marks)
        }],
        legend,
        ..Chart::default()
    }
}

fn bar(point: &Point, id: MetricId, part: usize, top: f64) -> Option<Bar> {
    let parts = parts(point, id)?;
    let y0: f64 = parts.iter().take(part).sum();
    let y1 = (y0 + parts.get(part)?).min(top);
    let x = point.seq as f64;
    (y1 > y0).then_some(Bar {
        x0: x - 0.4,
        x1: x + 0.4,
        y0,
        y1,
    })
}

fn table(run: &RunData, points: &[&Point], id: MetricId) -> ChartTable {
    let unit: Unit = id.metric().unit;
    let mut table = ChartTable::new(&["Request", "Stage", "Phase", "Outcome", id.metric().short]);
    let mut slowest: Vec<&Point> = points.to_vec();
    let key = |p: &Point| p.value(id).unwrap_or(f64::INFINITY);
    slowest.sort_by(|a, b| key(b).total_cmp(&key(a)));
    let names = run.plan().stage_names();
    for point in slowest.into_iter().take(TABLE_ROWS) {
        let stage = names.get(point.stage.index());
        let phase = match point.phase {
            Phase::Cold => "cold",
            Phase::Warmup => "warm-up",
            Phase::Measure => "measure",
            Phase::Drain => "drain",
        };
        let outcome = match point.outcome {
            OutcomeKind::Ok => "ok",
            OutcomeKind::Failed => "failed",
            OutcomeKind::Cancelled => "cancelled",
            OutcomeKind::CutOff => "cut off",
            OutcomeKind::Dropped => "dropped",
        };
        table.rows.push(vec![
            format::count(point.seq as f64),
            stage.map_or_else(|| format::UNKNOWN.to_owned(), String::clone),
            phase.to_owned(),
            outcome.to_owned(),
            format::value(point.value(id).filter(|_| is_ok(point)), unit),
        ]);
    }
    table
}
