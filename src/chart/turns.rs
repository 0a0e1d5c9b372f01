//! Conversations by turn: what a longer history costs, and what the server's prefix cache saves of it.

use crate::domain::{MetricId, RunData, StageIdx, TurnSummary};

use super::axis::top_above;
use super::distribution::value_axis;
use super::goal::{self, goals_of};
use super::{Axis, AxisKind, Chart, ChartTable, Colour, Dot, LabelSide, Mark, Pane, Shape, format};

const UPPER_SHARE: f32 = 0.62;
const TITLE: &str = "By turn";

/// TTFT p50 and p95 by turn of a stage's conversations; below it the prompt's tokens and those of them that were cached.
pub fn turns(run: &RunData, stage: StageIdx) -> Chart {
    let summary = run.summary.stages.get(stage.index());
    let turns: &[TurnSummary] = summary.map_or(&[], |s| &s.turns);
    let known = turns.iter().filter(|t| t.ttft_p50.is_some());
    let values = known.flat_map(|t| [t.ttft_p50, t.ttft_p95]).flatten();
    let goals = goals_of(run, MetricId::Ttft);
    let limits = goal::limits_near(&goals, values.clone());
    let caption = "TTFT by turn, log scale".to_owned();
    let Some(y) = value_axis(MetricId::Ttft, caption, values.chain(limits)) else {
        return Chart::empty(TITLE, "No turn of a conversation has ended yet");
    };
    let n = u16::try_from(run.summary.stages.len()).unwrap_or(u16::MAX);
    let colour = Colour::Stage { i: stage.0, n };
    let numbers: Vec<f64> = turns.iter().map(|t| f64::from(t.turn) + 1.0).collect();
    let last = numbers.last().copied().unwrap_or(1.0);
    let room = (last * 0.04).max(0.15);
    let kind = AxisKind::Marked {
        values: numbers,
        is_log: false,
        unit: String::new(),
    };
    let x = Axis::new("Turn", kind, (1.0 - room, last + room * 4.0));
    let mut upper = goal::over_load(&goals, &y);
    let place = |v: Option<f64>| v.map(|v| y.place(v.max(1e-3)));
    upper.extend(series(turns, colour, ("p95", Colour::Secondary, 1), |t| {
        place(t.ttft_p95)
    }));
    upper.extend(series(turns, colour, ("p50", Colour::Primary, 0), |t| {
        place(t.ttft_p50)
    }));
    let tokens = turns.iter().filter_map(|t| t.tokens_in);
    let top = top_above(tokens.fold(0.0, f64::max));
    let mut lower = Vec::new();
    lower.extend(series(turns, colour, ("prompt", Colour::Primary, 1), |t| {
        t.tokens_in
    }));
    lower.extend(series(
        turns,
        colour,
        ("cached", Colour::Secondary, 2),
        |t| t.cached_tokens.map(|v| v.min(top)),
    ));
    let lower_axis = Axis::new(
        "Prompt and cached tokens",
        AxisKind::Levels(vec![0.0, top]),
        (-0.06 * top, top * 1.08),
    );
    Chart {
        title: TITLE.to_owned(),
        subject: summary.map(|s| s.label.clone()).unwrap_or_default(),
        table: table(turns, &x),
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
        ..Chart::default()
    }
}

/// A line through all turns that have the value, and a dot at each.
fn series(
    turns: &[TurnSummary],
    dots: Colour,
    (name, ink, size): (&str, Colour, usize),
    of: impl Fn(&TurnSummary) -> Option<f64>,
) -> Vec<Mark> {
    let at = |t: &TurnSummary| Some([f64::from(t.turn) + 1.0, of(t)?]);
    let points: Vec<[f64; 2]> = turns.iter().filter_map(at).collect();
    if points.is_empty() {
        return Vec::new();
    }
    let labels = if points.len() == 1 {
        vec![name.to_owned()]
    } else {
        Vec::new()
    };
    let line = Shape::Line {
        points: points.clone(),
        width: if size == 0 { 2.0 } else { 1.5 },
        is_dashed: false,
        is_stepped: false,
        end_label: if labels.is_empty() { name } else { "" }.to_owned(),
    };
    let dot = match size {
        0 => Dot::Large,
        1 => Dot::Medium,
        _ => Dot::Small,
    };
    let dot = Shape::Points {
        points,
        dot,
        labels,
        side: LabelSide::Right,
    };
    vec![Mark::new(ink, line), Mark::new(dots, dot)]
}

fn table(turns: &[TurnSummary], x: &Axis) -> ChartTable {
    let mut table = ChartTable::new(&[
        "Turn",
        "n",
        "TTFT p50",
        "TTFT p95",
        "E2E p50",
        "Prompt tokens",
        "Cached tokens",
        "Cached",
    ]);
    let ms = |v: Option<f64>| v.map_or_else(|| format::UNKNOWN.to_owned(), format::ms);
    let tokens = |v: Option<f64>| v.map_or_else(|| format::UNKNOWN.to_owned(), format::count);
    for turn in turns {
        let number = f64::from(turn.turn) + 1.0;
        let row = vec![
            format!("Turn {}", format::count(number)),
            format::count(turn.n as f64),
            ms(turn.ttft_p50),
            ms(turn.ttft_p95),
            ms(turn.e2e_p50),
            tokens(turn.tokens_in),
            tokens(turn.cached_tokens),
            turn.cached_share
                .map_or_else(|| format::UNKNOWN.to_owned(), format::percent),
        ];
        table.push_at(x.place(number), row);
    }
    table
}
