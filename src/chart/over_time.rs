//! Rates and latency over time, with the stages as zones, pauses, changes and marks, and the number in flight below.

use crate::domain::{Load, MetricId, OutcomeKind, RunData, StageBorder, StageIdx, TimeSeries};
use crate::stats;

use super::axis::top_above;
use super::distribution::value_axis;
use super::events::{events, moments, zones};
use super::goal::{self, goals_of};
use super::{
    Axis, AxisKind, Chart, ChartTable, Colour, Dot, LabelSide, Mark, Pane, Shape, format, sent,
};

/// What the upper pane shows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Throughput {
    #[default]
    Tokens,
    Requests,
    /// Open loop: requests let go against requests asked.
    Sent,
    /// p50 and p95 of the metric.
    Latency,
    Errors,
}

impl Throughput {
    /// What there is to see of a run, in the order of the card's switch.
    pub fn of(run: &RunData) -> Vec<Self> {
        let mut all = vec![Self::Tokens, Self::Requests];
        if sent::has_open(run) {
            all.push(Self::Sent);
        }
        all.extend([Self::Latency, Self::Errors]);
        all
    }

    /// What a run is looked at first by: whether an open loop keeps its rate, else its output.
    pub fn first_of(run: &RunData) -> Self {
        if sent::has_open(run) {
            Self::Sent
        } else {
            Self::Tokens
        }
    }

    /// On the card's switch.
    pub fn label(self) -> &'static str {
        match self {
            Self::Tokens => "tok/s",
            Self::Requests => "req/s",
            Self::Sent => "sent",
            Self::Latency => "latency",
            Self::Errors => "errors",
        }
    }

    fn caption(self, id: MetricId) -> String {
        match self {
            Self::Tokens => "Output, tok/s".to_owned(),
            Self::Requests => "Requests, req/s".to_owned(),
            Self::Sent => "Sent, req/s".to_owned(),
            Self::Latency => format!("{}, log scale", id.metric().short),
            Self::Errors => "Errors per second".to_owned(),
        }
    }

    fn column(self, series: &TimeSeries) -> &[f32] {
        match self {
            Self::Tokens => &series.tokens,
            Self::Errors => &series.failed,
            Self::Requests | Self::Sent | Self::Latency => &series.ok,
        }
    }
}

/// Points of a line at most: finer is noise, not detail.
const MAX_POINTS: usize = 120;
const UPPER_SHARE: f32 = 0.68;
const TITLE: &str = "Throughput over time";
/// Of the run's time, at the right: lines end there with their names.
const NAMES_ROOM: f64 = 0.12;
/// Of a slot: a point that covers less is left out.
const LEAST_COVERED: f64 = 0.5;
/// Places for a × beside each other on the rail: more would be a bar.
const RAIL_PLACES: f64 = 56.0;

/// The run's time in slots.
struct Clock {
    end_secs: f64,
    slot_secs: f64,
    /// Slots that are one point.
    group: usize,
    n_slots: usize,
    /// Slots that the last point really covers: an ended run fills its last slot in part only.
    last_len: f64,
    /// The middle of each point's slots.
    times: Vec<f64>,
}

impl Clock {
    fn of(run: &RunData) -> Option<Self> {
        let series = &run.series;
        let mut n_slots = series.in_flight.len();
        if run.is_live() {
            // The newest slot is not full yet and would look like a fall.
            n_slots = n_slots.saturating_sub(1);
        }
        if n_slots == 0 || series.slot_ns == 0 {
            return None;
        }
        let slot_secs = series.slot_ns as f64 / 1e9;
        let group = n_slots.div_ceil(MAX_POINTS);
        let last_start = |n: usize| (n - 1) / group * group;
        let end = if run.is_live() {
            f64::INFINITY
        } else {
            last_event_secs(run) / slot_secs
        };
        let covered = |n: usize| end.min(n as f64) - last_start(n) as f64;
        // A point of hardly any time is noise.
        if covered(n_slots) < LEAST_COVERED && last_start(n_slots) > 0 {
            n_slots = last_start(n_slots);
        }
        let middle = |i: usize| {
            let to = ((i + 1) * group).min(n_slots);
            (i * group + to) as f64 / 2.0 * slot_secs
        };
        Some(Self {
            end_secs: (n_slots as f64 * slot_secs).max(last_end_secs(run)),
            slot_secs,
            group,
            n_slots,
            last_len: covered(n_slots).max(LEAST_COVERED),
            times: (0..n_slots.div_ceil(group)).map(middle).collect(),
        })
    }

    /// Means of each point's slots.
    fn means(&self, column: &[f32], factor: f64) -> Vec<f64> {
        let known = column.get(..self.n_slots).unwrap_or(column);
        let n = self.times.len();
        let mean = |(i, slots): (usize, &[f32])| {
            let sum: f64 = slots.iter().map(|v| f64::from(*v)).sum();
            let len = if i + 1 == n {
                self.last_len
            } else {
                slots.len() as f64
            };
            sum / len * factor
        };
        known.chunks(self.group).enumerate().map(mean).collect()
    }

    fn line(&self, values: &[f64]) -> Vec<[f64; 2]> {
        let pairs = self.times.iter().zip(values);
        pairs.map(|(t, v)| [*t, *v]).collect()
    }
}

/// One of several quantities over the run's time; `id` is the metric of [`Throughput::Latency`].
pub fn over_time(run: &RunData, what: Throughput, id: MetricId) -> Chart {
    let Some(clock) = Clock::of(run) else {
        return Chart::empty(TITLE, "No answer yet");
    };
    let upper = match what {
        Throughput::Latency => latency_pane(run, &clock, id),
        Throughput::Sent => Some(sent_pane(run, &clock)),
        _ => Some(rate_pane(run, &clock, what, id)),
    };
    let Some((y, marks)) = upper else {
        return Chart::empty(TITLE, "Too few answers at a time for percentiles of them");
    };
    let in_flight = clock.means(&run.series.in_flight, 1.0);
    let (lower, lower_marks) = in_flight_pane(run, &clock, &in_flight);
    let mut upper_marks = zones(run, clock.end_secs, true);
    upper_marks.extend(marks);
    upper_marks.extend(moments(run, true));
    let has_rail = upper_marks.iter().any(is_on_rail);
    let room = match what {
        Throughput::Sent | Throughput::Latency => NAMES_ROOM,
        _ => 0.01,
    };
    Chart {
        title: TITLE.to_owned(),
        x: Axis::new(
            "",
            AxisKind::Time,
            (-0.02 * clock.end_secs, clock.end_secs * (1.0 + room)),
        ),
        panes: vec![
            Pane {
                y,
                marks: upper_marks,
                share: UPPER_SHARE,
                has_rail,
            },
            Pane {
                y: lower,
                marks: lower_marks,
                share: 1.0 - UPPER_SHARE,
                has_rail: false,
            },
        ],
        table: table(run, what, id, (&clock, &in_flight)),
        ..Chart::default()
    }
}

fn is_on_rail(mark: &Mark) -> bool {
    matches!(
        mark.shape,
        Shape::Points {
            dot: Dot::Cross,
            ..
        }
    )
}

fn line(points: Vec<[f64; 2]>, width: f32, end_label: &str) -> Shape {
    Shape::Line {
        points,
        width,
        is_dashed: false,
        is_stepped: false,
        end_label: end_label.to_owned(),
    }
}

fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn rate_pane(run: &RunData, clock: &Clock, what: Throughput, id: MetricId) -> (Axis, Vec<Mark>) {
    let rates = clock.means(what.column(&run.series), 1.0 / clock.slot_secs);
    let colour = if what == Throughput::Errors {
        Colour::Failure
    } else {
        Colour::Primary
    };
    let axis = Axis::new(
        what.caption(id),
        AxisKind::Number,
        (0.0, top_above(most(&rates))),
    );
    let shape = line(clock.line(&rates), 1.5, "");
    (axis, vec![Mark::new(colour, shape)])
}

/// What the plan asked and what was let go, one line for each stage; dropped requests on the rail.
fn sent_pane(run: &RunData, clock: &Clock) -> (Axis, Vec<Mark>) {
    let slot = (clock.slot_secs * clock.group as f64).max(clock.end_secs / MAX_POINTS as f64);
    let asked = sent::asked(run, clock.end_secs, slot);
    let sent = sent::sent(run, clock.end_secs, slot);
    let tops = asked.iter().chain(&sent).flatten().map(|p| p[1]);
    let top = top_above(tops.fold(0.0, f64::max) * 1.05);
    let mut marks = Vec::new();
    for (lines, colour, width, name) in [
        (asked, Colour::Muted, 1.0, "asked"),
        (sent, Colour::Primary, 1.5, "sent"),
    ] {
        let n = lines.len();
        for (i, points) in lines.into_iter().enumerate() {
            let name = if i + 1 == n { name } else { "" };
            marks.push(Mark::new(colour, line(points, width, name)));
        }
    }
    let dropped = sent::dropped(run, clock.end_secs / RAIL_PLACES);
    if !dropped.is_empty() {
        let mut labels = vec![String::new(); dropped.len()];
        if let Some(first) = labels.first_mut() {
            "dropped".clone_into(first);
        }
        let shape = Shape::Points {
            points: dropped.iter().map(|t| [*t, 0.0]).collect(),
            dot: Dot::Cross,
            labels,
            side: LabelSide::Right,
        };
        marks.push(Mark::new(Colour::Caution, shape));
    }
    (
        Axis::new("Sent, req/s", AxisKind::Number, (0.0, top)),
        marks,
    )
}

/// p50 and p95 of the requests that ended in each point's slots; points of fewer than five are left out.
fn latency_pane(run: &RunData, clock: &Clock, id: MetricId) -> Option<(Axis, Vec<Mark>)> {
    const LEAST: usize = 5;
    let secs = clock.slot_secs * clock.group as f64;
    let mut slots: Vec<Vec<f64>> = vec![Vec::new(); clock.times.len()];
    let ok = run.points.iter().filter(|p| p.outcome == OutcomeKind::Ok);
    for point in ok {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "beyond the last slot there is none"
        )]
        let slot = (point.end_ns as f64 / 1e9 / secs).floor().max(0.0) as usize;
        if let (Some(values), Some(value)) = (slots.get_mut(slot), point.value(id)) {
            values.push(value);
        }
    }
    for values in &mut slots {
        values.sort_by(f64::total_cmp);
    }
    let quantile = |q: f64| -> Vec<[f64; 2]> {
        let of = |(at, values): (&f64, &Vec<f64>)| {
            let known = values.len() >= LEAST;
            Some([*at, stats::nearest_rank(values, q).filter(|_| known)?])
        };
        clock.times.iter().zip(&slots).filter_map(of).collect()
    };
    let (p50, p95) = (quantile(0.5), quantile(0.95));
    let goals = goals_of(run, id);
    let values = p50.iter().chain(&p95).map(|p| p[1]);
    let limits = goal::limits_near(&goals, values.clone());
    let caption = Throughput::Latency.caption(id);
    let y = value_axis(id, caption, values.chain(limits))?;
    let mut marks = goal::over_values(&goals, &y);
    for (points, colour, width, name) in [
        (p95, Colour::Secondary, 1.0, "p95"),
        (p50, Colour::Primary, 1.5, "p50"),
    ] {
        let points = points.iter().map(|p| [p[0], y.place(p[1])]).collect();
        marks.push(Mark::new(colour, line(points, width, name)));
    }
    Some((y, marks))
}

fn in_flight_pane(run: &RunData, clock: &Clock, in_flight: &[f64]) -> (Axis, Vec<Mark>) {
    let (measured, planned) = (most(in_flight), max_in_flight(run));
    let top = if measured > planned {
        top_above(measured)
    } else {
        planned
    };
    let axis = Axis::new(
        "In flight, requests",
        AxisKind::Levels(vec![0.0, top]),
        (0.0, top * 1.05),
    );
    let mut marks = zones(run, clock.end_secs, false);
    let area = Shape::Area {
        points: clock.line(in_flight),
        base: 0.0,
    };
    marks.push(Mark::new(Colour::Muted, area));
    marks.push(Mark::new(
        Colour::Muted,
        line(clock.line(in_flight), 1.5, ""),
    ));
    marks.extend(moments(run, false));
    (axis, marks)
}

/// The last request's end, or the last stage's.
fn last_event_secs(run: &RunData) -> f64 {
    let ends = run.points.iter().map(|p| p.end_ns);
    let last = ends.max().map_or(0.0, |ns| ns as f64 / 1e9);
    last.max(last_end_secs(run))
}

fn last_end_secs(run: &RunData) -> f64 {
    let ends = run.borders.iter().filter_map(|b| b.end_ns);
    ends.max().map_or(0.0, |ns| ns as f64 / 1e9)
}

/// Of the stages begun: users, or the in-flight limit where an open loop has one.
fn max_in_flight(run: &RunData) -> f64 {
    let begun = run.borders.iter().filter_map(|b| run.plan().stage(b.stage));
    let of = |load: &Load| match load {
        Load::Closed { users, .. } => f64::from(users.get()),
        Load::Open { max_in_flight, .. } | Load::Replay { max_in_flight, .. } => {
            max_in_flight.map_or(0.0, |n| f64::from(n.get()))
        }
        Load::Sweep { .. } | Load::Search { .. } => 0.0,
    };
    begun.map(|s| of(&s.load)).fold(1.0, f64::max)
}

/// At most two dozen rows: enough to read the course; and everything that happened.
fn table(
    run: &RunData,
    what: Throughput,
    id: MetricId,
    (clock, in_flight): (&Clock, &[f64]),
) -> ChartTable {
    let rate = match what {
        Throughput::Sent | Throughput::Latency => Throughput::Requests,
        what => what,
    };
    let rates = clock.means(rate.column(&run.series), 1.0 / clock.slot_secs);
    let caption = rate.caption(id);
    let mut table = ChartTable::new(&["Time", "Stage", &caption, "In flight"]);
    let mut rows: Vec<(f64, Vec<String>)> = Vec::new();
    let step = clock.times.len().div_ceil(24).max(1);
    let names = run.plan().stage_names();
    let points = clock.times.iter().zip(&rates).zip(in_flight);
    for ((time, rate), flight) in points.step_by(step) {
        let row = vec![
            format::clock(*time),
            stage_name(run, &names, *time),
            format::rate(*rate),
            format::rate(*flight),
        ];
        rows.push((*time, row));
    }
    for (at, words, _) in events(run) {
        let mut row = vec![format::clock(at), words];
        row.resize(4, String::new());
        rows.push((at, row));
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    table.rows = rows.into_iter().map(|(_, row)| row).collect();
    table
}

fn stage_name(run: &RunData, names: &[String], time: f64) -> String {
    let holds = |b: &&StageBorder| {
        let end = b.end_ns.map_or(f64::INFINITY, |ns| ns as f64 / 1e9);
        b.start_ns as f64 / 1e9 <= time && time < end
    };
    let idx: Option<StageIdx> = run.borders.iter().find(holds).map(|b| b.stage);
    let name = idx.and_then(|idx| names.get(idx.index()));
    name.map_or_else(|| format::UNKNOWN.to_owned(), String::clone)
}
