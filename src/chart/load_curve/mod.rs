//! Latency and throughput against the load: one point per stage, the knee, a sweep's maximum and a search's find marked.

mod levels;
mod probes;
mod rules;

use crate::domain::{Distribution, GoalVerdict, MetricId, RunData, StageSummary};
use crate::stats;

use self::levels::{By, Level, Line, dropped_share, levels, x_axis};
pub use self::levels::{folds_back, has_rate_axis};
use super::axis::top_above;
use super::distribution::value_axis;
use super::goal::{self, goals_of};
use super::{
    Axis, AxisKind, Chart, ChartTable, Colour, Dot, LabelSide, LegendEntry, Mark, Pane, Rule,
    Shape, Swatch, format,
};

const UPPER_SHARE: f32 = 0.62;
const TITLE: &str = "Latency against load";

struct Curve {
    name: &'static str,
    q: f64,
    colour: Colour,
    width: f32,
    /// Of the three sizes of dots: 0 is the largest.
    size: usize,
    of: fn(&Distribution) -> Option<f64>,
}

const CURVES: [Curve; 3] = [
    Curve {
        name: "p99",
        q: 0.99,
        colour: Colour::Muted,
        width: 1.0,
        size: 2,
        of: |d| d.p99,
    },
    Curve {
        name: "p95",
        q: 0.95,
        colour: Colour::Secondary,
        width: 1.5,
        size: 1,
        of: |d| d.p95,
    },
    Curve {
        name: "p50",
        q: 0.5,
        colour: Colour::Primary,
        width: 2.0,
        size: 0,
        of: |d| d.p50,
    },
];

/// p50, p95 and p99 of a metric over users or requests per second, and the throughput below; of a search the share of
/// requests within the goals. `asked`: where the load is a rate, the x axis is the one asked for instead of the one
/// achieved.
pub fn load_curve(run: &RunData, id: MetricId, asked: bool) -> Chart {
    let stages = &run.summary.stages;
    let n = u16::try_from(stages.len()).unwrap_or(u16::MAX);
    let by = By::of(run, asked);
    let mut levels = levels(run, id, by);
    let rules = rules::rules(run, by);
    let at: Vec<f64> = rules.iter().map(|(level, ..)| *level).collect();
    let x = x_axis(&mut levels, by, &at);
    let goals = goals_of(run, id);
    let values = levels.iter().filter_map(|l| l.summary.metric(id));
    let values = values.flat_map(|d| CURVES.iter().filter_map(|c| (c.of)(d)));
    let limits = goal::limits_near(&goals, values.clone());
    let caption = format!("{} by {}, log scale", id.metric().short, by.words());
    let Some(y) = value_axis(id, caption, values.chain(limits)) else {
        return Chart::empty(TITLE, "No answer yet");
    };
    let mut upper = goal::over_load(&goals, &y);
    let named = rules.into_iter();
    let named = named.map(|(level, label, colour)| (x.place(level), label, colour));
    let named: Vec<(f64, String, Colour)> = named.collect();
    upper.extend(named.iter().map(|(at, label, c)| rule(*at, label, *c)));
    for curve in &CURVES {
        upper.extend(curve_marks(curve, &levels, id, &y, n));
    }
    let is_search = levels.iter().any(|l| l.verdict.is_some());
    let rate = rate_of(stages, by);
    let (lower_axis, marks) = if is_search {
        probes::pane(&levels, n)
    } else {
        rate_pane(&levels, rate, n)
    };
    let mut lower: Vec<Mark> = named.iter().map(|(at, _, c)| rule(*at, "", *c)).collect();
    lower.extend(marks);
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
                ..Pane::whole(lower_axis, lower)
            },
        ],
        legend: if is_search {
            probes::legend(&levels)
        } else {
            hollow_legend(&levels)
        },
        table: if is_search {
            probes::table(&levels, id)
        } else {
            table(&levels, id, rate.0)
        },
        empty: None,
    }
}

fn rule(at: f64, label: &str, colour: Colour) -> Mark {
    let shape = Shape::VLine {
        at,
        label: label.to_owned(),
        side: LabelSide::Left,
        style: Rule::Knee,
    };
    Mark::new(colour, shape)
}

fn hollow_legend(levels: &[Level<'_>]) -> Vec<LegendEntry> {
    if !levels.iter().any(|l| l.is_hollow) {
        return Vec::new();
    }
    let has_drops = levels.iter().any(|l| l.summary.dropped > 0);
    let (words, short) = if has_drops {
        ("errors or drops above 1 %", "over 1 % lost")
    } else {
        ("errors above 1 %", "errors > 1 %")
    };
    vec![LegendEntry::new(words, Colour::Secondary, Swatch::Ring).short(short)]
}

/// What the lower pane shows: output tokens where any stage knows them, else requests; where the x axis is the requests
/// already, those that met the goals.
fn rate_of(stages: &[StageSummary], by: By) -> (MetricId, &'static str) {
    if by == By::Asked {
        return (MetricId::RequestRate, "Achieved, req/s");
    }
    if stages.iter().any(|s| s.output_token_rate.is_some()) {
        (MetricId::OutputTokenRate, "Output, tok/s")
    } else if by == By::Achieved && stages.iter().any(|s| s.goodput.is_some()) {
        (MetricId::Goodput, "Goodput, req/s")
    } else {
        (MetricId::RequestRate, "Requests, req/s")
    }
}

/// Pairs of neighbours of one line, with whether the second ends it.
fn segments<'a, 'b>(levels: &'b [Level<'a>]) -> Vec<(&'b Level<'a>, &'b Level<'a>, bool)> {
    let pairs = levels.windows(2).enumerate();
    let of_one = pairs.filter_map(|(i, pair)| match pair {
        [a, b] if a.line == b.line => {
            let next = levels.get(i + 2);
            Some((a, b, next.is_none_or(|next| next.line != b.line)))
        }
        _ => None,
    });
    of_one.collect()
}

fn curve_marks(curve: &Curve, levels: &[Level<'_>], id: MetricId, y: &Axis, n: u16) -> Vec<Mark> {
    let at = |level: &Level<'_>| {
        let d = level.summary.metric(id)?;
        let place = y.place((curve.of)(d)?.max(1e-3));
        Some(([level.x, place], d.n >= stats::least_n(curve.q)))
    };
    let segments = segments(levels);
    let is_mixed = [Line::Users, Line::Rate]
        .iter()
        .all(|line| segments.iter().any(|(a, ..)| a.line == *line));
    let mut marks = Vec::new();
    for (a, b, is_last) in &segments {
        let (Some((from, a_ok)), Some((to, b_ok))) = (at(a), at(b)) else {
            continue;
        };
        let is_supported = a_ok && b_ok;
        let end_label = match (is_last, is_mixed, a.line) {
            (false, ..) => String::new(),
            (true, true, Line::Users) => format!("{} users", curve.name),
            (true, true, _) => format!("{} rate", curve.name),
            (true, false, _) => curve.name.to_owned(),
        };
        let shape = Shape::Line {
            points: vec![from, to],
            width: curve.width,
            is_dashed: !is_supported,
            is_stepped: false,
            end_label,
        };
        let colour = if is_supported {
            curve.colour
        } else {
            Colour::Disabled
        };
        marks.push(Mark::new(colour, shape));
    }
    for level in levels {
        let Some((point, is_supported)) = at(level) else {
            continue;
        };
        // A point without a line has nothing that could carry the name.
        let is_lone = !segments
            .iter()
            .any(|(a, b, _)| a.i == level.i || b.i == level.i);
        if !is_supported && !is_lone {
            continue;
        }
        let labels = if segments.is_empty() {
            vec![curve.name.to_owned()]
        } else {
            Vec::new()
        };
        let shape = Shape::Points {
            points: vec![point],
            dot: dot_of(level, curve.size),
            labels,
            side: LabelSide::Right,
        };
        let colour = if is_supported {
            Colour::Stage { i: level.i, n }
        } else {
            Colour::Disabled
        };
        marks.push(Mark::new(colour, shape));
    }
    marks
}

fn dot_of(level: &Level<'_>, size: usize) -> Dot {
    let as_verdict = if level.is_hollow {
        GoalVerdict::Unresolved
    } else {
        GoalVerdict::Met
    };
    probes::dot(level.verdict.unwrap_or(as_verdict), size)
}

fn rate_pane(levels: &[Level<'_>], (rate, caption): (MetricId, &str), n: u16) -> (Axis, Vec<Mark>) {
    let at = |l: &Level<'_>| Some([l.x, l.summary.rate(rate)?]);
    let mut marks = Vec::new();
    for (a, b, _) in segments(levels) {
        let line = Shape::Line {
            points: [a, b].into_iter().filter_map(at).collect(),
            width: 1.5,
            is_dashed: false,
            is_stepped: false,
            end_label: String::new(),
        };
        marks.push(Mark::new(Colour::Primary, line));
    }
    for level in levels {
        if let Some(point) = at(level) {
            let shape = Shape::Points {
                points: vec![point],
                dot: dot_of(level, 1),
                labels: Vec::new(),
                side: LabelSide::Right,
            };
            marks.push(Mark::new(Colour::Stage { i: level.i, n }, shape));
        }
    }
    let rates = levels.iter().filter_map(|l| l.summary.rate(rate));
    let top = top_above(rates.fold(0.0, f64::max));
    let axis = Axis::new(
        caption,
        AxisKind::Levels(vec![0.0, top]),
        (-0.06 * top, top * 1.06),
    );
    (axis, marks)
}

fn table(levels: &[Level<'_>], id: MetricId, rate: MetricId) -> ChartTable {
    let has_asked = levels.iter().any(|l| l.line == Line::Rate);
    let has_drops = levels.iter().any(|l| l.summary.dropped > 0);
    let mut header = vec!["Load", "n", "p50", "p95", "p99"];
    if has_asked {
        header.push(MetricId::SentRate.metric().short);
    }
    if rate != MetricId::RequestRate {
        header.push(MetricId::RequestRate.metric().short);
    }
    header.extend([rate.metric().short, "Errors"]);
    if has_drops {
        header.push("Dropped");
    }
    let mut table = ChartTable::new(&header);
    for level in levels {
        if let Some(d) = level.summary.metric(id) {
            let row = header.iter().map(|name| cell(name, level, d, id, rate));
            table.push_at(level.x, row.collect());
        }
    }
    table
}

fn cell(name: &str, level: &Level<'_>, d: &Distribution, id: MetricId, rate: MetricId) -> String {
    let q = |q: f64, value: Option<f64>| {
        let text = format::value(value, id.metric().unit);
        if d.n < stats::least_n(q) {
            format!("≥ {text}")
        } else {
            text
        }
    };
    let or_unknown = |v: Option<f64>, words: fn(f64) -> String| {
        v.map_or_else(|| format::UNKNOWN.to_owned(), words)
    };
    let of = |id: MetricId| or_unknown(level.summary.rate(id), format::rate);
    match name {
        "Load" => level.name.clone(),
        "n" => format::count(d.n as f64),
        "p50" => q(0.5, d.p50),
        "p95" => q(0.95, d.p95),
        "p99" => q(0.99, d.p99),
        "Errors" => or_unknown(level.summary.error_rate, format::percent),
        "Dropped" => format::percent(dropped_share(level.summary)),
        "sent/s" => of(MetricId::SentRate),
        name if name == rate.metric().short => of(rate),
        _ => of(MetricId::RequestRate),
    }
}
