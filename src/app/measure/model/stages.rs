//! The table of stages.

use super::current;
use super::errors::lost_words;
use crate::app::widgets::{Cell, CellInk};
use crate::chart::format;
use crate::domain::{
    Distribution, GoalVerdict, MetricId, OutcomeKind, Phase, RunData, StageIdx, StageSummary, Unit,
    overall,
};
use crate::stats::least_n;

/// A row of the stage table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StageRow {
    /// `None` for the cold requests.
    pub stage: Option<StageIdx>,
    pub name: String,
    pub cells: Vec<Cell>,
    pub is_current: bool,
    /// It has not begun.
    pub is_ahead: bool,
    /// The row in words.
    pub tip: String,
}

/// The stage table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StageTable {
    /// `TTFT in ms, by stage`.
    pub title: String,
    pub header: Vec<&'static str>,
    pub rows: Vec<StageRow>,
    /// A row's tip has columns that the table does not.
    pub has_more: bool,
}

/// A column after the name.
#[derive(Clone, Copy)]
struct Column {
    name: &'static str,
    /// A narrow window drops it; one that is not wide does where there are others beside the usual ones.
    rank: Rank,
    of: fn(&Source<'_>) -> Cell,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Rank {
    Always,
    /// Not in a narrow window.
    Roomy,
    /// Only beside the usual columns, or in a wide window.
    Spare,
}

/// Where a stage's cells come from.
struct Source<'a> {
    run: &'a RunData,
    idx: StageIdx,
    stage: &'a StageSummary,
    d: Option<&'a Distribution>,
    unit: Unit,
    is_current: bool,
    is_ahead: bool,
}

const fn column(name: &'static str, rank: Rank, of: fn(&Source<'_>) -> Cell) -> Column {
    Column { name, rank, of }
}

const USUAL: [Column; 12] = [
    column("n", Rank::Always, n_cell),
    column("Errors", Rank::Always, errors_cell),
    column("Mean", Rank::Always, |s| {
        number(s.d.and_then(|d| d.avg), s.unit)
    }),
    column("Min", Rank::Spare, |s| {
        number(s.d.and_then(|d| d.min), s.unit)
    }),
    column("Max", Rank::Roomy, |s| {
        number(s.d.and_then(|d| d.max), s.unit)
    }),
    column("SD", Rank::Spare, |s| {
        number(s.d.and_then(|d| d.sd), s.unit)
    }),
    column("p50", Rank::Always, |s| percentile(s.d, 0.50, s.unit)),
    column("p90", Rank::Roomy, |s| percentile(s.d, 0.90, s.unit)),
    column("p95", Rank::Always, |s| percentile(s.d, 0.95, s.unit)),
    column("p99", Rank::Always, |s| percentile(s.d, 0.99, s.unit)),
    column("req/s", Rank::Always, |s| rate(s.stage.request_rate)),
    column("tok/s", Rank::Always, |s| rate(s.stage.output_token_rate)),
];
const DROPPED: Column = column("Dropped", Rank::Always, |s| failures(s.stage.dropped));
const SENT: Column = column("sent/s", Rank::Always, |s| rate(s.stage.sent_rate));
const OF_GOALS: [Column; 3] = [
    column("Good/s", Rank::Always, |s| rate(s.stage.goodput)),
    column("Within", Rank::Always, |s| {
        s.stage
            .attainment
            .map_or_else(unknown, |a| plain(format::percent(a)))
    }),
    column("Goal", Rank::Always, goal_cell),
];

fn rate(value: Option<f64>) -> Cell {
    number(value, Unit::RequestsPerSec)
}

fn goal_cell(source: &Source<'_>) -> Cell {
    if source.stage.goals.iter().all(|r| r.n == 0) {
        return unknown();
    }
    let verdict = overall(&source.stage.goals);
    Cell::new(verdict.label(), verdict_ink(verdict))
}

/// How a verdict on a goal is written.
pub(super) fn verdict_ink(verdict: GoalVerdict) -> CellInk {
    match verdict {
        GoalVerdict::Met => CellInk::Good,
        GoalVerdict::Missed => CellInk::Caution,
        GoalVerdict::Unresolved => CellInk::Muted,
    }
}

fn columns(run: &RunData) -> Vec<Column> {
    let mut columns = Vec::new();
    let has_drops = run.summary.stages.iter().any(|s| s.dropped > 0);
    let is_open = run.summary.stages.iter().any(|s| s.sent_rate.is_some());
    for usual in USUAL {
        columns.push(usual);
        match usual.name {
            "Errors" if has_drops => columns.push(DROPPED),
            "p99" if is_open => columns.push(SENT),
            _ => {}
        }
    }
    if !run.plan().goals.is_empty() {
        columns.extend(OF_GOALS);
    }
    columns
}

/// How much room the window has for columns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Room {
    Narrow,
    Usual,
    Wide,
}

impl Room {
    /// Of a window that is narrow, or wide, or neither.
    pub fn of((narrow, wide): (bool, bool)) -> Self {
        match (narrow, wide) {
            (true, _) => Self::Narrow,
            (false, true) => Self::Wide,
            (false, false) => Self::Usual,
        }
    }
}

pub fn stage_table(run: &RunData, metric: MetricId, room: Room) -> StageTable {
    let m = metric.metric();
    let columns = columns(run);
    let is_full = columns.len() > USUAL.len();
    let mut rows = Vec::new();
    rows.extend(cold_row(run, metric, &columns));
    for (i, stage) in run.summary.stages.iter().enumerate() {
        rows.push(stage_row(
            run,
            StageIdx::from_index(i),
            (stage, metric),
            &columns,
        ));
    }
    let is_kept = |column: &Column| match column.rank {
        Rank::Always => true,
        Rank::Roomy => room != Room::Narrow,
        Rank::Spare => room == Room::Wide || (room == Room::Usual && !is_full),
    };
    let kept: Vec<bool> = columns.iter().map(is_kept).collect();
    for row in &mut rows {
        let words: Vec<String> = columns
            .iter()
            .zip(&row.cells)
            .map(|(column, cell)| format!("{} {}", column.name, cell.words))
            .collect();
        let stage = row.stage.and_then(|s| run.summary.stages.get(s.index()));
        let lost = stage.and_then(lost_words);
        let lost = lost.map_or_else(String::new, |lost| format!("; {lost}"));
        row.tip = format!("{}: {}{lost}", row.name, words.join(", "));
        let mut keep = kept.iter();
        row.cells.retain(|_| keep.next().copied().unwrap_or(true));
    }
    let shown = columns.iter().filter(|c| is_kept(c));
    StageTable {
        title: format!("{} in {}, by stage", m.short, m.unit.label()),
        header: shown.map(|c| c.name).collect(),
        rows,
        has_more: kept.contains(&false),
    }
}

fn number(value: Option<f64>, unit: Unit) -> Cell {
    match value.filter(|v| v.is_finite()) {
        None => unknown(),
        Some(v) if unit == Unit::Ms => plain(format::ms_cell(Some(v))),
        Some(v) => plain(format::rate(v)),
    }
}

fn plain(words: String) -> Cell {
    Cell {
        words,
        ink: CellInk::Value,
    }
}

fn muted(words: String) -> Cell {
    Cell {
        words,
        ink: CellInk::Muted,
    }
}

fn unknown() -> Cell {
    muted(format::UNKNOWN.to_owned())
}

fn failures(n: u64) -> Cell {
    Cell {
        words: format::count(n as f64),
        ink: if n > 0 {
            CellInk::Failed
        } else {
            CellInk::Value
        },
    }
}

/// A percentile, or how many values it needs.
fn percentile(distribution: Option<&Distribution>, q: f64, unit: Unit) -> Cell {
    let Some(d) = distribution.filter(|d| d.n > 0) else {
        return unknown();
    };
    let least = least_n(q);
    if d.n < least {
        return muted(format!("n < {}", format::count(least as f64)));
    }
    let value = match q {
        q if q < 0.6 => d.p50,
        q if q < 0.93 => d.p90,
        q if q < 0.97 => d.p95,
        _ => d.p99,
    };
    number(value, unit)
}

fn n_cell(source: &Source<'_>) -> Cell {
    let planned = source.run.plan().stage(source.idx);
    let ended = format::count(source.stage.n_ended() as f64);
    let words = match planned.and_then(|s| s.n_requests()) {
        Some(of) if source.is_current || source.is_ahead => {
            format!("{ended} / {}", format::count(of as f64))
        }
        _ => ended,
    };
    if source.is_ahead {
        muted(words)
    } else {
        plain(words)
    }
}

fn errors_cell(source: &Source<'_>) -> Cell {
    if source.is_ahead {
        unknown()
    } else {
        failures(source.stage.failed)
    }
}

fn stage_row(
    run: &RunData,
    idx: StageIdx,
    (stage, metric): (&StageSummary, MetricId),
    columns: &[Column],
) -> StageRow {
    let is_current = current(run) == Some(idx);
    let source = Source {
        run,
        idx,
        stage,
        d: stage.metric(metric).filter(|d| d.n > 0),
        unit: metric.metric().unit,
        is_current,
        is_ahead: run.is_live() && !is_current && stage.n_ended() == 0,
    };
    StageRow {
        stage: Some(idx),
        name: stage.label.clone(),
        cells: columns.iter().map(|c| (c.of)(&source)).collect(),
        is_current,
        is_ahead: source.is_ahead,
        tip: String::new(),
    }
}

/// The cold requests: no percentiles, and with a single one only its value.
fn cold_row(run: &RunData, metric: MetricId, columns: &[Column]) -> Option<StageRow> {
    let cold: Vec<_> = run
        .points
        .iter()
        .filter(|p| p.phase == Phase::Cold)
        .collect();
    if cold.is_empty() {
        return None;
    }
    let unit = metric.metric().unit;
    let is_ok = |p: &&&crate::domain::Point| p.outcome == OutcomeKind::Ok;
    let values: Vec<f64> = cold
        .iter()
        .filter(is_ok)
        .filter_map(|p| p.value(metric))
        .collect();
    let failed = cold
        .iter()
        .filter(|p| p.outcome == OutcomeKind::Failed)
        .count() as u64;
    let max = values.iter().copied().reduce(f64::max);
    let several = values.len() > 1;
    let mean = several.then(|| values.iter().sum::<f64>() / values.len() as f64);
    let min = values.iter().copied().reduce(f64::min).filter(|_| several);
    let cell = |column: &Column| match column.name {
        "n" => plain(format::count(cold.len() as f64)),
        "Errors" => failures(failed),
        "Mean" => number(mean, unit),
        "Min" => number(min, unit),
        "Max" => number(max, unit),
        _ => unknown(),
    };
    let cells = columns.iter().map(cell).collect();
    Some(StageRow {
        stage: None,
        name: "Cold start".to_owned(),
        cells,
        is_current: false,
        is_ahead: false,
        tip: String::new(),
    })
}
