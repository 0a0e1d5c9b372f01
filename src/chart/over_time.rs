//! Throughput over time, with the stages as zones and the number in flight below.

use crate::domain::{RunData, StageBorder, TimeSeries};

use super::axis::top_above;
use super::{Axis, AxisKind, Chart, ChartTable, Colour, Mark, Pane, Shape, format};

/// What the upper pane counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Throughput {
    #[default]
    Tokens,
    Requests,
    Errors,
}

impl Throughput {
    pub const ALL: [Self; 3] = [Self::Tokens, Self::Requests, Self::Errors];

    /// On the card's switch.
    pub fn label(self) -> &'static str {
        match self {
            Self::Tokens => "tok/s",
            Self::Requests => "req/s",
            Self::Errors => "errors",
        }
    }

    fn caption(self) -> &'static str {
        match self {
            Self::Tokens => "Output, tok/s",
            Self::Requests => "Requests, req/s",
            Self::Errors => "Errors per second",
        }
    }

    fn column(self, series: &TimeSeries) -> &[f32] {
        match self {
            Self::Tokens => &series.tokens,
            Self::Requests => &series.ok,
            Self::Errors => &series.failed,
        }
    }
}

/// Points of a line at most: finer is noise, not detail.
const MAX_POINTS: usize = 120;
const UPPER_SHARE: f32 = 0.68;
const TITLE: &str = "Throughput over time";

/// One of three rates over the run's time.
pub fn over_time(run: &RunData, what: Throughput) -> Chart {
    let series = &run.series;
    let mut n_slots = series.in_flight.len();
    if run.is_live() {
        // The newest slot is not full yet and would look like a fall.
        n_slots = n_slots.saturating_sub(1);
    }
    if n_slots == 0 || series.slot_ns == 0 {
        return Chart::empty(TITLE, "No answer yet");
    }
    let slot_secs = series.slot_ns as f64 / 1e9;
    let group = n_slots.div_ceil(MAX_POINTS);
    let rates = means(what.column(series), n_slots, group, 1.0 / slot_secs);
    let in_flight = means(&series.in_flight, n_slots, group, 1.0);
    let end_secs = (n_slots as f64 * slot_secs).max(last_end_secs(run));
    let times: Vec<f64> = (0..rates.len())
        .map(|i| {
            let to = ((i + 1) * group).min(n_slots);
            (i * group + to) as f64 / 2.0 * slot_secs
        })
        .collect();
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let upper = Axis::new(
        what.caption(),
        AxisKind::Number,
        (0.0, top_above(most(&rates))),
    );
    let users = most(&in_flight).max(max_users(run));
    let lower = Axis::new(
        "In flight, requests",
        AxisKind::Levels(vec![0.0, users]),
        (0.0, users * 1.05),
    );
    let colour = if what == Throughput::Errors {
        Colour::Failure
    } else {
        Colour::Primary
    };
    let mut upper_marks = zones(run, end_secs, true);
    upper_marks.push(Mark::new(colour, line(points(&times, &rates))));
    let mut lower_marks = zones(run, end_secs, false);
    let shape = Shape::Area {
        points: points(&times, &in_flight),
        base: 0.0,
    };
    lower_marks.push(Mark::new(Colour::Muted, shape));
    lower_marks.push(Mark::new(Colour::Muted, line(points(&times, &in_flight))));
    Chart {
        title: TITLE.to_owned(),
        x: Axis::new("", AxisKind::Time, (-0.02 * end_secs, end_secs * 1.01)),
        panes: vec![
            pane(upper, upper_marks, UPPER_SHARE),
            pane(lower, lower_marks, 1.0 - UPPER_SHARE),
        ],
        table: table(run, what, &times, &rates, &in_flight),
        ..Chart::default()
    }
}

fn pane(y: Axis, marks: Vec<Mark>, share: f32) -> Pane {
    Pane {
        y,
        marks,
        share,
        has_rail: false,
    }
}

/// Means of groups of slots.
fn means(column: &[f32], n_slots: usize, group: usize, factor: f64) -> Vec<f64> {
    let known = column.get(..n_slots).unwrap_or(column);
    let mean = |slots: &[f32]| {
        let sum: f64 = slots.iter().map(|v| f64::from(*v)).sum();
        sum / slots.len() as f64 * factor
    };
    known.chunks(group).map(mean).collect()
}

fn points(times: &[f64], values: &[f64]) -> Vec<[f64; 2]> {
    times.iter().zip(values).map(|(t, v)| [*t, *v]).collect()
}

fn line(points: Vec<[f64; 2]>) -> Shape {
    Shape::Line {
        points,
        width: 1.5,
        is_dashed: false,
        is_stepped: false,
        end_label: String::new(),
    }
}

fn last_end_secs(run: &RunData) -> f64 {
    let ends = run.borders.iter().filter_map(|b| b.end_ns);
    ends.max().map_or(0.0, |ns| ns as f64 / 1e9)
}

fn max_users(run: &RunData) -> f64 {
    let begun = run.borders.iter().filter_map(|b| run.plan().stage(b.stage));
    begun.map(|s| s.load.level()).fold(1.0, f64::max)
}

fn zones(run: &RunData, end_secs: f64, is_named: bool) -> Vec<Mark> {
    let n = u16::try_from(run.plan().stages.len()).unwrap_or(u16::MAX);
    let zone = |border: &StageBorder| {
        let label = run.plan().stage(border.stage).map(|s| s.load.label());
        let shape = Shape::Span {
            from: border.start_ns as f64 / 1e9,
            to: border.end_ns.map_or(end_secs, |ns| ns as f64 / 1e9),
            label: label.filter(|_| is_named).unwrap_or_default(),
        };
        Mark::new(
            Colour::Stage {
                i: border.stage.0,
                n,
            },
            shape,
        )
    };
    run.borders.iter().map(zone).collect()
}

/// At most two dozen rows: enough to read the course.
fn table(
    run: &RunData,
    what: Throughput,
    times: &[f64],
    rates: &[f64],
    in_flight: &[f64],
) -> ChartTable {
    let mut table = ChartTable::new(&["Time", "Stage", what.caption(), "In flight"]);
    let step = times.len().div_ceil(24).max(1);
    for ((time, rate), flight) in times.iter().zip(rates).zip(in_flight).step_by(step) {
        let holds = |b: &&StageBorder| {
            let end = b.end_ns.map_or(f64::INFINITY, |ns| ns as f64 / 1e9);
            b.start_ns as f64 / 1e9 <= *time && *time < end
        };
        let stage = run.borders.iter().find(holds);
        let stage = stage.and_then(|b| run.plan().stage(b.stage));
        table.rows.push(vec![
            format::clock(*time),
            stage.map_or_else(|| format::UNKNOWN.to_owned(), |s| s.load.label()),
            format::rate(*rate),
            format::rate(*flight),
        ]);
    }
    table
}
