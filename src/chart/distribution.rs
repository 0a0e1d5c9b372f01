//! How a metric is spread: histogram, percentiles, ECDF, of any number of series.

use crate::domain::{Goal, METRICS, MetricId, Phase, RunData, StageIdx, Unit};
use crate::stats;

use super::goal::{self, goals_of};
use super::{
    Axis, AxisKind, Bar, Chart, ChartTable, Colour, Dot, LabelSide, LegendEntry, Mark, Pane, Rule,
    Shape, Swatch, format,
};

/// Bins of a histogram, shared by all series (look/tokens.md section 6).
const N_BINS: usize = 34;
/// Points of a line at most: more than a chart has pixels.
const LINE_POINTS: usize = 400;
/// The least that a log axis shows, in the metric's unit: a microsecond of a duration.
const LEAST: f64 = 1e-3;
/// Wider confidence bands of more series than this cover each other.
const MAX_BANDS: usize = 2;

/// Sorted values with a name.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) colour: Colour,
    pub(super) sorted: Vec<f64>,
}

impl Series {
    pub(super) fn new(name: impl Into<String>, colour: Colour, mut values: Vec<f64>) -> Self {
        values.retain(|v| v.is_finite());
        values.sort_by(f64::total_cmp);
        Self {
            name: name.into(),
            colour,
            sorted: values,
        }
    }

    fn n(&self) -> usize {
        self.sorted.len()
    }
}

/// What a distribution is drawn with, besides its series.
pub(super) struct Beside<'a> {
    pub(super) id: MetricId,
    /// Single values that the axis has to hold too.
    pub(super) more: &'a [f64],
    pub(super) goals: Vec<Goal>,
    pub(super) why_empty: &'a str,
}

impl Beside<'_> {
    fn of_run(run: &RunData, id: MetricId) -> Self {
        Self {
            id,
            more: &[],
            goals: goals_of(run, id),
            why_empty: why_empty(run, id),
        }
    }

    /// The axis of the series, single values and near goals; none without a series.
    fn axis(&self, series: &[Series]) -> Option<Axis> {
        let limits = goal::limits_near(&self.goals, all_values(series, self.more));
        let values = all_values(series, self.more).chain(limits);
        value_axis(self.id, log_caption(self.id), values)
    }
}

/// Log-binned share of requests, one outline per stage, with p50 and p95.
pub fn histogram(run: &RunData, id: MetricId) -> Chart {
    histogram_of(&stage_series(run, id), &Beside::of_run(run, id))
}

/// Value against log10(1/(1 − p)); dashed beyond what n supports.
pub fn percentiles(run: &RunData, id: MetricId) -> Chart {
    percentiles_of(&stage_series(run, id), &Beside::of_run(run, id))
}

/// Share of requests at or below a value.
pub fn ecdf(run: &RunData, id: MetricId) -> Chart {
    ecdf_of(&stage_series(run, id), &Beside::of_run(run, id))
}

/// One series per stage that has values.
pub(super) fn stage_series(run: &RunData, id: MetricId) -> Vec<Series> {
    let names = run.plan().stage_names();
    let n = u16::try_from(names.len()).unwrap_or(u16::MAX);
    let of = |(i, name): (usize, String)| {
        let idx = StageIdx::from_index(i);
        let values = run.values(idx, Phase::Measure, id);
        let colour = Colour::Stage { i: idx.0, n };
        Series::new(name, colour, values)
    };
    let all = names.into_iter().enumerate().map(of);
    all.filter(|s| !s.sorted.is_empty()).collect()
}

fn why_empty(run: &RunData, id: MetricId) -> &'static str {
    match id {
        MetricId::Itl if run.is_live() => "Gaps are drawn when the run has ended",
        _ if run.is_live() => "No answer yet",
        _ => "No request has this figure",
    }
}

pub(super) fn value_kind(id: MetricId) -> AxisKind {
    match METRICS.get(id as usize).map(|m| m.unit) {
        Some(Unit::Ms) => AxisKind::LogMs,
        _ => AxisKind::LogNumber,
    }
}

/// An axis for values of a metric, with a little room at both ends.
pub(super) fn value_axis(
    id: MetricId,
    caption: String,
    values: impl Iterator<Item = f64>,
) -> Option<Axis> {
    let mut ends: Option<(f64, f64)> = None;
    for v in values.filter(|v| v.is_finite()) {
        let v = v.max(LEAST);
        ends = Some(ends.map_or((v, v), |(a, b)| (a.min(v), b.max(v))));
    }
    let (low, high) = ends?;
    let mut axis = Axis::new(caption, value_kind(id), (0.0, 0.0));
    let (low, high) = (axis.place(low), axis.place(high));
    // One value only: a third of a decade around it.
    let room = ((high - low) * 0.03).max(0.01);
    let room = if high - low < 1e-9 { 0.15 } else { room };
    axis.range = (low - room, high + room);
    Some(axis)
}

/// `TTFT, log scale`.
pub(super) fn log_caption(id: MetricId) -> String {
    format!("{}, log scale", id.metric().short)
}

fn counted(id: MetricId) -> &'static str {
    if id == MetricId::Itl {
        "gaps"
    } else {
        "requests"
    }
}

fn legend(series: &[Series]) -> Vec<LegendEntry> {
    series
        .iter()
        .map(|s| LegendEntry::new(s.name.clone(), s.colour, Swatch::Square))
        .collect()
}

fn text(id: MetricId, value: Option<f64>) -> String {
    format::value(value, id.metric().unit)
}

/// The value with the mark of too few: `≥ 548 ms`.
fn text_with_support(id: MetricId, series: &Series, q: f64) -> String {
    let value = text(id, stats::nearest_rank(&series.sorted, q));
    if (series.n() as u64) < stats::least_n(q) {
        format!("≥ {value}")
    } else {
        value
    }
}

pub(super) fn table(series: &[Series], id: MetricId) -> ChartTable {
    let mut table = ChartTable::new(&["Series", "n", "p50", "p90", "p95", "p99", "Largest"]);
    for s in series {
        let mut row = vec![s.name.clone(), format::count(s.n() as f64)];
        row.extend([0.5, 0.9, 0.95, 0.99].map(|q| text_with_support(id, s, q)));
        row.push(text(id, s.sorted.last().copied()));
        table.rows.push(row);
    }
    table
}

fn start(series: &[Series], id: MetricId, title: &str) -> Chart {
    Chart {
        title: title.to_owned(),
        subject: id.metric().short.to_owned(),
        legend: legend(series),
        table: table(series, id),
        ..Chart::default()
    }
}

/// What a value axis has to hold: the series and single values beside them; none without a series.
fn all_values(series: &[Series], more: &[f64]) -> impl Iterator<Item = f64> {
    let ends = series.iter().flat_map(|s| {
        let ends = [s.sorted.first(), s.sorted.last()];
        ends.into_iter().flatten().copied()
    });
    let more = if series.is_empty() { &[] } else { more };
    ends.chain(more.iter().copied())
}

const TITLE: &str = "Latency distribution";

pub(super) fn histogram_of(series: &[Series], beside: &Beside<'_>) -> Chart {
    let id = beside.id;
    let Some(x) = beside.axis(series) else {
        return Chart::empty(TITLE, beside.why_empty);
    };
    let mut chart = start(series, id, TITLE);
    let mut marks = goal::over_histogram(&beside.goals, &x);
    let mut most = 0.0f64;
    let mut rules = Vec::new();
    for (i, s) in series.iter().enumerate() {
        let shares = bin_shares(s, &x);
        most = shares.iter().copied().fold(most, f64::max);
        marks.extend(histogram_marks(i, s.colour, &shares, &x));
        rules.extend(quantile_rules(i, s, &x, id, series.len()));
    }
    marks.append(&mut rules);
    let caption = format!("Share of {}", counted(id));
    let y = Axis::new(
        caption,
        AxisKind::Share,
        (0.0, super::axis::top_above(most * 1.05).min(1.0)),
    );
    chart.x = x;
    chart.panes = vec![Pane::whole(y, marks)];
    chart
}

fn bin_shares(series: &Series, x: &Axis) -> Vec<f64> {
    let (low, high) = x.range;
    let mut shares = vec![0.0; N_BINS];
    let one = 1.0 / series.n().max(1) as f64;
    for value in &series.sorted {
        let at = (x.place(value.max(LEAST)) - low) / (high - low) * N_BINS as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the bins"
        )]
        let bin = at.floor().clamp(0.0, (N_BINS - 1) as f64) as usize;
        if let Some(share) = shares.get_mut(bin) {
            *share += one;
        }
    }
    shares
}

fn histogram_marks(i: usize, colour: Colour, shares: &[f64], x: &Axis) -> [Mark; 2] {
    let (low, high) = x.range;
    let edge = |bin: usize| low + (high - low) * bin as f64 / N_BINS as f64;
    let bars = shares.iter().enumerate().filter(|(_, s)| **s > 0.0);
    let bars = bars.map(|(bin, share)| Bar {
        x0: edge(bin),
        x1: edge(bin + 1),
        y0: 0.0,
        y1: *share,
    });
    let fill = Shape::Bars {
        bars: bars.collect(),
        is_solid: false,
    };
    let mut points = vec![[low, 0.0]];
    for (bin, share) in shares.iter().enumerate() {
        points.push([edge(bin), *share]);
        points.push([edge(bin + 1), *share]);
    }
    points.push([high, 0.0]);
    let outline = Shape::Line {
        points,
        width: 1.5,
        is_dashed: false,
        is_stepped: true,
        end_label: String::new(),
    };
    [Mark::of(i, colour, fill), Mark::of(i, colour, outline)]
}

/// p50 and p95 of a lone series with their labels apart; of several only the medians, named by the legend's colour.
fn quantile_rules(i: usize, s: &Series, x: &Axis, id: MetricId, n_series: usize) -> Vec<Mark> {
    let quantiles: &[(f64, LabelSide)] = if n_series == 1 {
        &[(0.5, LabelSide::Left), (0.95, LabelSide::Right)]
    } else {
        &[(0.5, LabelSide::Left)]
    };
    let rule = |(q, side): &(f64, LabelSide)| {
        let value = stats::nearest_rank(&s.sorted, *q)?;
        let label = if n_series == 1 {
            format!("{} {}", format::quantile(*q), text_with_support(id, s, *q))
        } else {
            String::new()
        };
        let shape = Shape::VLine {
            at: x.place(value.max(LEAST)),
            label,
            side: *side,
            style: Rule::Dashed,
        };
        Some(Mark::of(i, s.colour, shape))
    };
    quantiles.iter().filter_map(rule).collect()
}

pub(super) fn percentiles_of(series: &[Series], beside: &Beside<'_>) -> Chart {
    let id = beside.id;
    let Some(y) = beside.axis(series) else {
        return Chart::empty(TITLE, beside.why_empty);
    };
    let mut chart = start(series, id, TITLE);
    let mut x = Axis::new("", AxisKind::Percentile, (0.0, 3.0));
    let mut marks = Vec::new();
    for (i, s) in series.iter().enumerate() {
        let end = x.place(1.0 - 0.5 / s.n() as f64).clamp(0.3, 4.0);
        x.range.1 = x.range.1.max(end.min(4.0));
        // The largest q that has an upper end: qⁿ = 0.025 (stats::least_n).
        let supported = x.place(0.025f64.powf(1.0 / s.n() as f64)).min(end);
        marks.extend(percentile_lines(i, s, &x, &y, supported, end));
    }
    x.range.0 = -0.02 * x.range.1;
    let mut goals = goal::over_percentiles(&beside.goals, &x, &y);
    goals.append(&mut marks);
    let marks = goals;
    chart.x = x;
    chart.panes = vec![Pane::whole(y, marks)];
    chart
}

fn percentile_lines(
    i: usize,
    s: &Series,
    x: &Axis,
    y: &Axis,
    supported: f64,
    end: f64,
) -> Vec<Mark> {
    let at = |place: f64| {
        let value = stats::nearest_rank(&s.sorted, x.value(place).clamp(0.0, 1.0))?;
        Some([place, y.place(value.max(LEAST))])
    };
    let between = |from: f64, to: f64, n: usize| -> Vec<[f64; 2]> {
        let step = (to - from) / n as f64;
        (0..=n).filter_map(|k| at(from + step * k as f64)).collect()
    };
    let line = |colour, points, width, is_dashed| {
        let shape = Shape::Line {
            points,
            width,
            is_dashed,
            is_stepped: true,
            end_label: String::new(),
        };
        Mark::of(i, colour, shape)
    };
    let mut marks = vec![line(
        s.colour,
        between(0.0, supported, LINE_POINTS),
        2.0,
        false,
    )];
    if end > supported + 1e-9 {
        // Dashes are never merged by the plotting library: few points.
        let points = between(supported, end, LINE_POINTS / 4);
        marks.push(line(Colour::Disabled, points, 1.5, true));
    }
    marks
}

pub(super) fn ecdf_of(series: &[Series], beside: &Beside<'_>) -> Chart {
    let id = beside.id;
    let Some(x) = beside.axis(series) else {
        return Chart::empty(TITLE, beside.why_empty);
    };
    let mut chart = start(series, id, TITLE);
    let mut marks = goal::over_ecdf(&beside.goals, &x);
    for (i, s) in series.iter().enumerate() {
        let steps = ecdf_steps(s, &x);
        if series.len() <= MAX_BANDS {
            marks.push(Mark::of(i, s.colour, band(s.n(), &steps)));
        }
        let shape = Shape::Line {
            points: steps,
            width: 2.0,
            is_dashed: false,
            is_stepped: true,
            end_label: String::new(),
        };
        marks.push(Mark::of(i, s.colour, shape));
    }
    marks.extend(medians(series, &x, id));
    let caption = match counted(id) {
        "gaps" => "Gaps at or below",
        _ => "Requests at or below",
    };
    chart.x = x;
    chart.panes = vec![Pane::whole(
        Axis::new(caption, AxisKind::Share, (0.0, 1.0)),
        marks,
    )];
    chart
}

fn ecdf_steps(s: &Series, x: &Axis) -> Vec<[f64; 2]> {
    let n = s.n();
    let n_steps = n.min(LINE_POINTS);
    let mut points = vec![[x.range.0, 0.0]];
    let mut share = 0.0;
    for k in 1..=n_steps {
        let rank = (k * n).div_ceil(n_steps);
        let Some(value) = s.sorted.get(rank - 1) else {
            continue;
        };
        let place = x.place(value.max(LEAST));
        points.push([place, share]);
        share = rank as f64 / n as f64;
        points.push([place, share]);
    }
    points.push([x.range.1, share]);
    points
}

/// The 95 % band of Dvoretzky, Kiefer and Wolfowitz, with Massart's constant (Annals of Probability 18, 1990).
fn band(n: usize, steps: &[[f64; 2]]) -> Shape {
    let half = ((2.0f64 / (1.0 - stats::CONFIDENCE)).ln() / (2.0 * n.max(1) as f64)).sqrt();
    let around = |p: &[f64; 2]| [p[0], (p[1] - half).max(0.0), (p[1] + half).min(1.0)];
    Shape::Band {
        points: steps.iter().map(around).collect(),
    }
}

/// A dot on each curve; with up to two its value too, up-left of the smaller and down-right of the larger.
fn medians(series: &[Series], x: &Axis, id: MetricId) -> Vec<Mark> {
    let of = |s: &Series| stats::nearest_rank(&s.sorted, 0.5);
    let smallest = series.iter().filter_map(of).fold(f64::INFINITY, f64::min);
    let mut has_left = false;
    let mut marks = Vec::new();
    for (i, s) in series.iter().enumerate() {
        let Some(value) = of(s) else {
            continue;
        };
        let is_left = !has_left && value <= smallest;
        has_left |= is_left;
        let labels = if series.len() <= 2 {
            vec![format!("p50 {}", text(id, Some(value)))]
        } else {
            Vec::new()
        };
        let shape = Shape::Points {
            points: vec![[x.place(value.max(LEAST)), 0.5]],
            dot: Dot::Large,
            labels,
            side: if is_left {
                LabelSide::UpLeft
            } else {
                LabelSide::DownRight
            },
        };
        marks.push(Mark::of(i, s.colour, shape));
    }
    marks
}
