//! Latency and throughput against users: one point per stage, the knee marked.

use crate::domain::{Distribution, MetricId, RunData, StageSummary};
use crate::stats;

use super::axis::top_above;
use super::distribution::value_axis;
use super::{
    Axis, AxisKind, Chart, ChartTable, Colour, Dot, LabelSide, LegendEntry, Mark, Pane, Rule,
    Shape, Swatch, format,
};

/// Above this share of failed requests a point is hollow: its successes are no fair sample.
const HOLLOW_ERROR_RATE: f64 = 0.01;
const UPPER_SHARE: f32 = 0.62;
/// Beyond the knee, more users bring less than this share more throughput…
const KNEE_GAIN: f64 = 0.1;
/// …and cost more than this share more latency.
const KNEE_COST: f64 = 0.25;
const TITLE: &str = "Latency against load";

struct Curve {
    name: &'static str,
    q: f64,
    colour: Colour,
    width: f32,
    dot: (Dot, Dot),
    of: fn(&Distribution) -> Option<f64>,
}

const CURVES: [Curve; 3] = [
    Curve {
        name: "p99",
        q: 0.99,
        colour: Colour::Muted,
        width: 1.0,
        dot: (Dot::Small, Dot::SmallRing),
        of: |d| d.p99,
    },
    Curve {
        name: "p95",
        q: 0.95,
        colour: Colour::Secondary,
        width: 1.5,
        dot: (Dot::Medium, Dot::MediumRing),
        of: |d| d.p95,
    },
    Curve {
        name: "p50",
        q: 0.5,
        colour: Colour::Primary,
        width: 2.0,
        dot: (Dot::Large, Dot::LargeRing),
        of: |d| d.p50,
    },
];

/// A stage as the curves see it.
struct Level<'a> {
    i: u16,
    summary: &'a StageSummary,
    x: f64,
    is_hollow: bool,
}

/// p50, p95 and p99 of a metric over users, and the throughput below.
pub fn load_curve(run: &RunData, id: MetricId) -> Chart {
    let stages = &run.summary.stages;
    let n = u16::try_from(stages.len()).unwrap_or(u16::MAX);
    let x = users_axis(stages);
    let mut levels: Vec<Level<'_>> = (0..n)
        .zip(stages)
        .filter(|(_, s)| s.metric(id).is_some_and(|d| d.n > 0))
        .map(|(i, summary)| Level {
            i,
            summary,
            x: x.place(f64::from(summary.users)),
            is_hollow: summary.error_rate.is_some_and(|e| e > HOLLOW_ERROR_RATE),
        })
        .collect();
    levels.sort_by(|a, b| a.x.total_cmp(&b.x));
    let values = levels.iter().filter_map(|l| l.summary.metric(id));
    let values = values.flat_map(|d| CURVES.iter().filter_map(|c| (c.of)(d)));
    let caption = format!("{} by users, log scale", id.metric().short);
    let Some(y) = value_axis(id, caption, values) else {
        return Chart::empty(TITLE, "No answer yet");
    };
    let (rate, rate_caption) = rate_of(stages);
    let mut upper = Vec::new();
    let mut lower = Vec::new();
    if let Some(level) = knee(stages, id) {
        upper.push(knee_mark(
            x.place(level),
            format!("knee {}", format::count(level)),
        ));
        lower.push(knee_mark(x.place(level), String::new()));
    }
    for curve in &CURVES {
        upper.extend(curve_marks(curve, &levels, id, &y, n));
    }
    let rates: Vec<f64> = levels.iter().filter_map(|l| l.summary.rate(rate)).collect();
    let top = top_above(rates.iter().copied().fold(0.0, f64::max));
    lower.extend(rate_marks(&levels, rate, n));
    Chart {
        title: TITLE.to_owned(),
        subject: id.metric().short.to_owned(),
        x,
        panes: vec![
            Pane {
                share: UPPER_SHARE,
                ..Pane::whole(y, upper)
            },
            Pane {
                share: 1.0 - UPPER_SHARE,
                ..Pane::whole(
                    Axis::new(
                        rate_caption,
                        AxisKind::Levels(vec![0.0, top]),
                        (-0.06 * top, top * 1.06),
                    ),
                    lower,
                )
            },
        ],
        legend: hollow_legend(&levels),
        table: table(&levels, id, rate),
        empty: None,
    }
}

fn hollow_legend(levels: &[Level<'_>]) -> Vec<LegendEntry> {
    if levels.iter().any(|l| l.is_hollow) {
        vec![LegendEntry::new(
            "errors above 1 %",
            Colour::Secondary,
            Swatch::Ring,
        )]
    } else {
        Vec::new()
    }
}

/// Output tokens where any stage knows them, else requests.
fn rate_of(stages: &[StageSummary]) -> (MetricId, &'static str) {
    if stages.iter().any(|s| s.output_token_rate.is_some()) {
        (MetricId::OutputTokenRate, "Output, tok/s")
    } else {
        (MetricId::RequestRate, "Requests, req/s")
    }
}

fn users_axis(stages: &[StageSummary]) -> Axis {
    let mut users: Vec<f64> = stages.iter().map(|s| f64::from(s.users)).collect();
    users.sort_by(f64::total_cmp);
    users.dedup();
    let mut axis = Axis::new("Users", AxisKind::Users(users.clone()), (0.0, 1.0));
    if let (Some(low), Some(high)) = (users.first(), users.last()) {
        let (low, high) = (axis.place(*low), axis.place(*high));
        // Room at the right for the lines' names.
        let room = ((high - low) * 0.04).max(0.15);
        axis.range = (low - room, high + room * 4.0);
    }
    axis
}

fn curve_marks(curve: &Curve, levels: &[Level<'_>], id: MetricId, y: &Axis, n: u16) -> Vec<Mark> {
    let at = |level: &Level<'_>| {
        let d = level.summary.metric(id)?;
        let place = y.place((curve.of)(d)?.max(1e-3));
        Some(([level.x, place], d.n >= stats::least_n(curve.q)))
    };
    let points: Vec<([f64; 2], bool, &Level<'_>)> = levels
        .iter()
        .filter_map(|l| at(l).map(|(p, ok)| (p, ok, l)))
        .collect();
    let mut marks = Vec::new();
    let n_segments = points.len().saturating_sub(1);
    for (i, pair) in points.windows(2).enumerate() {
        let [(a, a_ok, _), (b, b_ok, _)] = pair else {
            continue;
        };
        let is_supported = *a_ok && *b_ok;
        let is_last = i + 1 == n_segments;
        let shape = Shape::Line {
            points: vec![*a, *b],
            width: curve.width,
            is_dashed: !is_supported,
            is_stepped: false,
            end_label: if is_last { curve.name } else { "" }.to_owned(),
        };
        let colour = if is_supported {
            curve.colour
        } else {
            Colour::Disabled
        };
        marks.push(Mark::new(colour, shape));
    }
    for (point, is_supported, level) in &points {
        // One stage has no line that could carry the name.
        let labels = if n_segments == 0 {
            vec![curve.name.to_owned()]
        } else {
            Vec::new()
        };
        if !is_supported && n_segments > 0 {
            continue;
        }
        let (dot, ring) = curve.dot;
        let shape = Shape::Points {
            points: vec![*point],
            dot: if level.is_hollow { ring } else { dot },
            labels,
            side: LabelSide::Right,
        };
        let colour = if *is_supported {
            Colour::Stage { i: level.i, n }
        } else {
            Colour::Disabled
        };
        marks.push(Mark::new(colour, shape));
    }
    marks
}

fn rate_marks(levels: &[Level<'_>], rate: MetricId, n: u16) -> Vec<Mark> {
    let at = |l: &Level<'_>| Some([l.x, l.summary.rate(rate)?]);
    let line = Shape::Line {
        points: levels.iter().filter_map(at).collect(),
        width: 1.5,
        is_dashed: false,
        is_stepped: false,
        end_label: String::new(),
    };
    let mut marks = vec![Mark::new(Colour::Primary, line)];
    for level in levels {
        if let Some(point) = at(level) {
            let shape = Shape::Points {
                points: vec![point],
                dot: if level.is_hollow {
                    Dot::MediumRing
                } else {
                    Dot::Medium
                },
                labels: Vec::new(),
                side: LabelSide::Right,
            };
            marks.push(Mark::new(Colour::Stage { i: level.i, n }, shape));
        }
    }
    marks
}

fn knee_mark(at: f64, label: String) -> Mark {
    let shape = Shape::VLine {
        at,
        label,
        side: LabelSide::Left,
        style: Rule::Knee,
    };
    Mark::new(Colour::Rule, shape)
}

/// The level after which more users bring almost no throughput and cost latency: users of the first stage whose
/// successor gains less than 10 % throughput and pays more than 25 % median latency. None without a successor.
pub fn knee(stages: &[StageSummary], id: MetricId) -> Option<f64> {
    let (rate, _) = rate_of(stages);
    let known = |s: &StageSummary| Some((s.rate(rate)?, s.metric(id)?.p50?));
    let mut by_users: Vec<&StageSummary> = stages.iter().collect();
    by_users.sort_by_key(|s| s.users);
    by_users.windows(2).find_map(|pair| {
        let [here, next] = pair else {
            return None;
        };
        let ((rate, cost), (next_rate, next_cost)) = (known(here)?, known(next)?);
        let is_knee = next.users > here.users
            && next_rate < rate * (1.0 + KNEE_GAIN)
            && next_cost > cost * (1.0 + KNEE_COST);
        is_knee.then(|| f64::from(here.users))
    })
}

fn table(levels: &[Level<'_>], id: MetricId, rate: MetricId) -> ChartTable {
    let rate_header = rate.metric().short;
    let mut table = ChartTable::new(&["Users", "n", "p50", "p95", "p99", rate_header, "Errors"]);
    let unit = id.metric().unit;
    for level in levels {
        let Some(d) = level.summary.metric(id) else {
            continue;
        };
        let q = |q: f64, value: Option<f64>| {
            let text = format::value(value, unit);
            if d.n < stats::least_n(q) {
                format!("≥ {text}")
            } else {
                text
            }
        };
        let rate = level.summary.rate(rate);
        table.rows.push(vec![
            format::count(f64::from(level.summary.users)),
            format::count(d.n as f64),
            q(0.5, d.p50),
            q(0.95, d.p95),
            q(0.99, d.p99),
            rate.map_or_else(|| format::UNKNOWN.to_owned(), format::rate),
            level
                .summary
                .error_rate
                .map_or_else(|| format::UNKNOWN.to_owned(), format::percent),
        ]);
    }
    table
}
