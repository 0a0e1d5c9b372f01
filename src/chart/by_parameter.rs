//! The runs of a varied plan by one of the varied fields: a line for each combination of the others.

use crate::domain::{Distribution, Goal, MetricId, StageSummary, Taken, Unit, Variant};
use crate::stats;

use super::axis::top_above;
use super::distribution::value_axis;
use super::goal;
use super::{
    Axis, AxisKind, Chart, ChartTable, Colour, Dot, LabelSide, LegendEntry, Mark, Pane, Shape,
    Swatch, format,
};

/// Numbers that span more than this factor stand on a log axis.
const LOG_FROM: f64 = 8.0;
const TITLE: &str = "By parameter";

/// One run of a varied plan, by the stage that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct ParameterRun<'a> {
    pub values: &'a Variant,
    pub stage: &'a StageSummary,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct ByParameter {
    /// The varied field of the x axis, in full: `workload.max_tokens`.
    pub field: String,
    pub metric: MetricId,
    /// 0.5, 0.9, 0.95 or 0.99; of no meaning for a rate.
    pub quantile: f64,
}

/// `max_tokens` of `workload.max_tokens`.
fn short(field: &str) -> &str {
    field.rsplit('.').next().unwrap_or(field)
}

fn quantile(d: &Distribution, q: f64) -> (Option<f64>, [Option<f64>; 2]) {
    match q {
        q if q < 0.6 => (d.p50, d.ci95.p50),
        q if q < 0.93 => (d.p90, d.ci95.p90),
        q if q < 0.97 => (d.p95, d.ci95.p95),
        _ => (d.p99, d.ci95.p99),
    }
}

/// A run's point: its value with the interval, and whether n supports it.
struct Spot {
    x: f64,
    series: usize,
    value: f64,
    interval: [Option<f64>; 2],
    is_supported: bool,
}

impl ByParameter {
    fn is_rate(&self) -> bool {
        matches!(self.metric.metric().taken, Taken::PerStage)
    }

    fn value(&self, stage: &StageSummary) -> Option<(f64, [Option<f64>; 2], bool)> {
        if self.is_rate() {
            return Some((stage.rate(self.metric)?, [None, None], true));
        }
        let d = stage.metric(self.metric).filter(|d| d.n > 0)?;
        let (value, interval) = quantile(d, self.quantile);
        Some((value?, interval, d.n >= stats::least_n(self.quantile)))
    }

    /// `TTFT p50`, `tok/s`.
    fn what(&self) -> String {
        let metric = self.metric.metric();
        if self.is_rate() {
            metric.label.to_owned()
        } else {
            format!("{} {}", metric.short, format::quantile(self.quantile))
        }
    }
}

/// The metric against the field's value: a numeric axis where all values are numbers, else one place for each.
pub fn by_parameter(runs: &[ParameterRun<'_>], what: &ByParameter) -> Chart {
    let with_field = runs.iter().filter(|r| r.values.contains_key(&what.field));
    let runs: Vec<&ParameterRun<'_>> = with_field.collect();
    let mut x = x_axis(&runs, &what.field);
    let mut names: Vec<String> = Vec::new();
    let mut spots = Vec::new();
    let mut table = ChartTable::new(&["Value", "n", &what.what(), "95 % interval"]);
    for run in &runs {
        let name = others(run.values, &what.field);
        let series = names.iter().position(|n| *n == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        let Some(text) = run.values.get(&what.field) else {
            continue;
        };
        let at = place(&x, text);
        table.push_at(at, row(run, what));
        if let Some((value, interval, is_supported)) = what.value(run.stage) {
            spots.push(Spot {
                x: at,
                series,
                value,
                interval,
                is_supported,
            });
        }
    }
    let goals = goals(&runs, what);
    let Some(y) = y_axis(what, &spots, &goals) else {
        return Chart {
            table,
            ..Chart::empty(TITLE, "No run of this plan has the figure")
        };
    };
    let is_lone = names.len() < 2;
    let marks = marks(&spots, &names, &y, (&goals, what));
    x.range = padded(x.range);
    Chart {
        title: TITLE.to_owned(),
        subject: format!("{} by {}", what.what(), short(&what.field)),
        x,
        panes: vec![Pane::whole(y, marks)],
        legend: if is_lone {
            Vec::new()
        } else {
            let n = names.len();
            let entry = |(i, name)| LegendEntry::new(name, colour(i, n), Swatch::Square);
            names.into_iter().enumerate().map(entry).collect()
        },
        table,
        empty: None,
    }
}

fn colour(i: usize, n: usize) -> Colour {
    let small = |v: usize| u16::try_from(v).unwrap_or(u16::MAX);
    Colour::Stage {
        i: small(i),
        n: small(n),
    }
}

/// The values of the other varied fields: `model b, temperature 0.5`.
fn others(values: &Variant, field: &str) -> String {
    let others = values.iter().filter(|(name, _)| *name != field);
    let words = others.map(|(name, value)| format!("{} {value}", short(name)));
    words.collect::<Vec<_>>().join(", ")
}

fn x_axis(runs: &[&ParameterRun<'_>], field: &str) -> Axis {
    let mut texts: Vec<&String> = Vec::new();
    for text in runs.iter().filter_map(|r| r.values.get(field)) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let number = |t: &&String| t.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let numbers: Option<Vec<f64>> = texts.iter().map(number).collect();
    let kind = match numbers.filter(|n| !n.is_empty()) {
        Some(mut values) => {
            values.sort_by(f64::total_cmp);
            let (low, high) = (values[0], values[values.len() - 1]);
            AxisKind::Marked {
                values,
                is_log: low > 0.0 && high / low >= LOG_FROM,
                unit: String::new(),
            }
        }
        None => AxisKind::Words(texts.into_iter().cloned().collect()),
    };
    let mut axis = Axis::new(short(field), kind, (0.0, 1.0));
    let places: Vec<f64> = match &axis.kind {
        AxisKind::Marked { values, .. } => values.iter().map(|v| axis.place(*v)).collect(),
        AxisKind::Words(words) => (0..words.len()).map(|i| i as f64).collect(),
        _ => Vec::new(),
    };
    if let (Some(low), Some(high)) = (places.first(), places.last()) {
        axis.range = (*low, *high);
    }
    axis
}

fn place(x: &Axis, text: &str) -> f64 {
    match &x.kind {
        AxisKind::Words(words) => words.iter().position(|w| w == text).unwrap_or(0) as f64,
        _ => x.place(text.trim().parse().unwrap_or(0.0)),
    }
}

/// Room at both ends; one value stands in the middle.
fn padded((low, high): (f64, f64)) -> (f64, f64) {
    let room = if high > low { (high - low) * 0.08 } else { 0.5 };
    (low - room, high + room)
}

/// The runs' goals for what is drawn, once each.
fn goals(runs: &[&ParameterRun<'_>], what: &ByParameter) -> Vec<Goal> {
    let mut goals: Vec<Goal> = Vec::new();
    for result in runs.iter().flat_map(|r| &r.stage.goals) {
        if result.goal.metric == what.metric && !goals.contains(&result.goal) {
            goals.push(result.goal);
        }
    }
    goals
}

fn y_axis(what: &ByParameter, spots: &[Spot], goals: &[Goal]) -> Option<Axis> {
    if spots.is_empty() {
        return None;
    }
    let metric = what.metric.metric();
    let ends = spots
        .iter()
        .flat_map(|s| s.interval.into_iter().flatten().chain([s.value]));
    if !what.is_rate() {
        let limits = goal::limits_near(goals, spots.iter().map(|s| s.value));
        let caption = format!("{}, log scale", what.what());
        return value_axis(what.metric, caption, ends.chain(limits));
    }
    let top = top_above(ends.fold(0.0, f64::max) * 1.02);
    let (kind, caption) = match metric.unit {
        Unit::Share => (AxisKind::Share, metric.label.to_owned()),
        unit => (
            AxisKind::Number,
            format!("{}, {}", metric.label, unit.label()),
        ),
    };
    Some(Axis::new(caption, kind, (0.0, top)))
}

fn marks(
    spots: &[Spot],
    names: &[String],
    y: &Axis,
    (goals, what): (&[Goal], &ByParameter),
) -> Vec<Mark> {
    // A percentile that no goal speaks of lies in nobody's zone.
    let is_meant = |g: &Goal| (g.share - what.quantile).abs() < 1e-9;
    let (meant, others): (Vec<Goal>, Vec<Goal>) = goals.iter().partition(|g| is_meant(g));
    let mut marks = goal::over_load(&meant, y);
    marks.extend(goal::lines(&others, y));
    let n = names.len();
    let of = |series: usize, colour, shape| Mark {
        series: (n > 1).then_some(series),
        colour,
        shape,
    };
    for series in 0..n {
        let mut of_series: Vec<&Spot> = spots.iter().filter(|s| s.series == series).collect();
        of_series.sort_by(|a, b| a.x.total_cmp(&b.x));
        let colour = colour(series, n);
        let at = |s: &&Spot| [s.x, y.place(s.value)];
        let line = Shape::Line {
            points: of_series.iter().map(at).collect(),
            width: 2.0,
            is_dashed: false,
            is_stepped: false,
            end_label: String::new(),
        };
        marks.push(of(series, colour, line));
        for spot in &of_series {
            if let [Some(low), Some(high)] = spot.interval {
                let whisker = Shape::Line {
                    points: vec![[spot.x, y.place(low)], [spot.x, y.place(high)]],
                    width: 1.0,
                    is_dashed: false,
                    is_stepped: true,
                    end_label: String::new(),
                };
                marks.push(of(series, colour, whisker));
            }
        }
        for is_supported in [true, false] {
            let points: Vec<[f64; 2]> = of_series
                .iter()
                .filter(|s| s.is_supported == is_supported)
                .map(at)
                .collect();
            if points.is_empty() {
                continue;
            }
            let dots = Shape::Points {
                points,
                dot: if is_supported {
                    Dot::Large
                } else {
                    Dot::MediumRing
                },
                labels: Vec::new(),
                side: LabelSide::Right,
            };
            marks.push(of(series, colour, dots));
        }
    }
    marks
}

fn row(run: &ParameterRun<'_>, what: &ByParameter) -> Vec<String> {
    let name = |(name, value): (&String, &String)| format!("{} {value}", short(name));
    let name = run.values.iter().map(name).collect::<Vec<_>>().join(", ");
    let unit = what.metric.metric().unit;
    let n = if what.is_rate() {
        run.stage.n_ended()
    } else {
        run.stage.metric(what.metric).map_or(0, |d| d.n)
    };
    let (value, interval) = match what.value(run.stage) {
        None => (format::UNKNOWN.to_owned(), [None, None]),
        Some((value, interval, true)) => (format::value(Some(value), unit), interval),
        Some((value, interval, false)) => {
            let words = format::value(Some(value), unit);
            (format!("≥ {words}"), interval)
        }
    };
    let interval = match interval {
        [Some(low), Some(high)] => format!(
            "{} to {}",
            format::value(Some(low), unit),
            format::value(Some(high), unit)
        ),
        _ => format::UNKNOWN.to_owned(),
    };
    vec![name, format::count(n as f64), value, interval]
}
