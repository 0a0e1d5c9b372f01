//! The tables that stand in place of the one of stages: goals, probes, turns of conversations, visitors beside.

use super::errors::{lost, lost_words};
use super::stages::verdict_ink;
use crate::app::widgets::{Cell, CellInk, Table, TableRow};
use crate::chart::{format, goal_words};
use crate::domain::{Goal, GoalResult, MadeBy, RunData, StageSummary, TurnSummary, overall};

/// Which table stands below the charts.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum TableKind {
    #[default]
    Stages,
    Goals,
    Probes,
    Turns,
    Beside,
}

impl TableKind {
    pub fn label(self) -> &'static str {
        match self {
            Self::Stages => "Stages",
            Self::Goals => "Goals",
            Self::Probes => "Probes",
            Self::Turns => "Turns",
            Self::Beside => "Mixed traffic",
        }
    }

    /// What it is, in the card's head.
    pub fn subject(self) -> &'static str {
        match self {
            Self::Stages => "",
            Self::Goals => "share of requests within each limit, 95 % interval",
            Self::Probes => "the loads that the search tried, in the order of trying",
            Self::Turns => "conversations: what the history costs, what the server's cache saves",
            Self::Beside => "other visitors of the server, never part of the figures above",
        }
    }
}

/// The tables that a run has something for.
pub fn tables(run: &RunData) -> Vec<TableKind> {
    let mut kinds = vec![TableKind::Stages];
    if !run.plan().goals.is_empty() {
        kinds.push(TableKind::Goals);
    }
    let mut made = run.borders.iter().filter_map(|b| b.made.as_ref());
    if made.any(|m| m.why == MadeBy::Probe) {
        kinds.push(TableKind::Probes);
    }
    if run.summary.stages.iter().any(|s| !s.turns.is_empty()) {
        kinds.push(TableKind::Turns);
    }
    if !run.summary.beside.is_empty() {
        kinds.push(TableKind::Beside);
    }
    kinds
}

/// A table other than the one of stages.
pub fn table(run: &RunData, kind: TableKind) -> Table {
    match kind {
        TableKind::Stages => Table::default(),
        TableKind::Goals => goals(run),
        TableKind::Probes => probes(run),
        TableKind::Turns => turns(run),
        TableKind::Beside => beside(run),
    }
}

fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

fn plain(words: String) -> Cell {
    let ink = if words == format::UNKNOWN {
        CellInk::Muted
    } else {
        CellInk::Value
    };
    Cell { words, ink }
}

fn count(n: u64) -> Cell {
    plain(format::count(n as f64))
}

fn or_unknown(value: Option<f64>, words: fn(f64) -> String) -> Cell {
    plain(value.map_or_else(|| format::UNKNOWN.to_owned(), words))
}

fn interval(ci95: Option<[f64; 2]>) -> Cell {
    let words = ci95.map_or_else(
        || format::UNKNOWN.to_owned(),
        |[low, high]| {
            let low = format::percent(low);
            format!(
                "{} to {}",
                low.trim_end_matches(" %"),
                format::percent(high)
            )
        },
    );
    plain(words)
}

/// Within the limit, with its interval and verdict: the columns that goals and probes share.
fn result_cells(result: &GoalResult) -> Vec<Cell> {
    vec![
        count(result.n),
        or_unknown(result.attainment, format::percent),
        interval(result.ci95),
        Cell::new(result.verdict.label(), verdict_ink(result.verdict)),
    ]
}

fn begun(run: &RunData) -> impl Iterator<Item = (usize, &StageSummary)> {
    let stages = run.summary.stages.iter().enumerate();
    stages.filter(|(_, s)| s.goals.iter().any(|r| r.n > 0))
}

/// `TTFT p95 ≤ 500 ms`.
fn goal_name(goal: &Goal) -> String {
    format!("{} {}", goal.metric.metric().short, goal_words(goal))
}

/// A row for each goal of each stage, and one for all of them together.
fn goals(run: &RunData) -> Table {
    let n = run.summary.stages.len();
    let has_lost = begun(run).any(|(_, s)| lost_words(s).is_some());
    let mut rows = Vec::new();
    for (i, stage) in begun(run) {
        let first = rows.len();
        let mut name = stage.label.clone();
        let mut swatch = Some((i, n));
        for result in &stage.goals {
            let mut cells = vec![
                plain(std::mem::take(&mut name)),
                plain(goal_name(&result.goal)),
            ];
            cells.extend(result_cells(result));
            cells.push(plain(String::new()));
            rows.push(TableRow {
                stage: swatch.take(),
                cells,
            });
        }
        if stage.goals.len() > 1 {
            let verdict = overall(&stage.goals);
            rows.push(TableRow {
                stage: None,
                cells: vec![
                    plain(String::new()),
                    Cell::new("all together", CellInk::Muted),
                    plain(String::new()),
                    or_unknown(stage.attainment, format::percent),
                    plain(String::new()),
                    Cell::new(verdict.label(), verdict_ink(verdict)),
                    or_unknown(stage.goodput, format::rate),
                ],
            });
        } else if let Some(cell) = rows
            .last_mut()
            .and_then(|r: &mut TableRow| r.cells.last_mut())
        {
            *cell = or_unknown(stage.goodput, format::rate);
        }
        for row in rows.iter_mut().skip(first).filter(|_| has_lost) {
            row.cells.push(lost_cell(stage, row.stage.is_some()));
        }
    }
    Table {
        header: goals_header(has_lost),
        n_text: 2,
        rows,
    }
}

fn goals_header(has_lost: bool) -> Vec<String> {
    let mut names = vec![
        "Stage",
        "Goal",
        "n",
        "Within",
        "95 % interval",
        "Verdict",
        "Goodput, req/s",
    ];
    if has_lost {
        names.push("Counted as missed");
    }
    header(&names)
}

/// What no latency was measured of and misses every goal, on a stage's first row.
fn lost_cell(stage: &StageSummary, is_first: bool) -> Cell {
    match lost(stage).filter(|_| is_first) {
        Some(words) => Cell::new(words, CellInk::Caution),
        None if is_first => plain(format::UNKNOWN.to_owned()),
        None => plain(String::new()),
    }
}

/// A row for each probe, in the order of trying; the goal that decides it is the one with the least room.
fn probes(run: &RunData) -> Table {
    let n = run.summary.stages.len();
    let is_probe = |i: usize| {
        let of_stage = run.borders.iter().filter(|b| b.stage.index() == i);
        let mut made = of_stage.filter_map(|b| b.made.as_ref());
        made.any(|m| m.why == MadeBy::Probe)
    };
    let stages = run.summary.stages.iter().enumerate();
    let room = |r: &GoalResult| r.attainment.map_or(f64::INFINITY, |a| a - r.goal.share);
    let row = |(i, stage): (usize, &StageSummary)| {
        let deciding = stage
            .goals
            .iter()
            .min_by(|a, b| room(a).total_cmp(&room(b)));
        let mut cells = vec![
            plain(stage.label.clone()),
            plain(deciding.map_or_else(|| format::UNKNOWN.to_owned(), |r| goal_name(&r.goal))),
        ];
        match deciding {
            Some(result) => cells.extend(result_cells(result)),
            None => cells.resize_with(6, || plain(format::UNKNOWN.to_owned())),
        }
        cells.push(or_unknown(stage.request_rate, format::rate));
        TableRow {
            stage: Some((i, n)),
            cells,
        }
    };
    Table {
        header: header(&[
            "Load",
            "Goal that decides",
            "n",
            "Within",
            "95 % interval",
            "Verdict",
            "req/s",
        ]),
        n_text: 2,
        rows: stages.filter(|(i, _)| is_probe(*i)).map(row).collect(),
    }
}

/// A row for each turn of each stage; where several stages have turns it names the stage too.
fn turns(run: &RunData) -> Table {
    let n = run.summary.stages.len();
    let with_turns = run.summary.stages.iter().filter(|s| !s.turns.is_empty());
    let is_only = with_turns.count() < 2;
    let name = |i: usize, turn: &TurnSummary| match run.summary.stages.get(i) {
        Some(stage) if !is_only => format!("{}, turn {}", stage.label, turn.turn + 1),
        _ => format!("Turn {}", turn.turn + 1),
    };
    let row = |i: usize, turn: &TurnSummary| TableRow {
        stage: Some((i, n)),
        cells: vec![
            plain(name(i, turn)),
            count(turn.n),
            or_unknown(turn.ttft_p50, format::ms),
            or_unknown(turn.ttft_p95, format::ms),
            or_unknown(turn.e2e_p50, format::ms),
            or_unknown(turn.tokens_in, format::count),
            or_unknown(turn.cached_share, format::percent),
        ],
    };
    let stages = run.summary.stages.iter().enumerate();
    let rows = stages.flat_map(|(i, s)| s.turns.iter().map(move |t| row(i, t)));
    Table {
        header: header(&[
            "Turn",
            "n",
            "TTFT p50",
            "TTFT p95",
            "E2E p50",
            "Prompt tokens",
            "Cached",
        ]),
        n_text: 1,
        rows: rows.collect(),
    }
}

fn beside(run: &RunData) -> Table {
    let row = |b: &crate::domain::BesideSummary| TableRow {
        stage: None,
        cells: vec![
            plain(b.kind.label().to_owned()),
            count(b.n),
            Cell::new(
                format::count(b.failed as f64),
                if b.failed > 0 {
                    CellInk::Failed
                } else {
                    CellInk::Value
                },
            ),
            or_unknown(b.p50, format::ms),
            or_unknown(b.p90, format::ms),
            or_unknown(b.p99, format::ms),
            plain(
                b.first_error
                    .clone()
                    .unwrap_or_else(|| format::UNKNOWN.to_owned()),
            ),
        ],
    };
    Table {
        header: header(&[
            "Visitors",
            "n",
            "Failed",
            "p50",
            "p90",
            "p99",
            "First failure",
        ]),
        n_text: 1,
        rows: run.summary.beside.iter().map(row).collect(),
    }
}
