//! What the Measure view says of a run, in words: pure functions, computed once for each change of the run or of a choice.

use crate::app::widgets::{Level, Tile};
use crate::chart::format;
use crate::domain::{
    CautionId, Distribution, MAX_TICK_P99_MS, MetricId, OutcomeKind, Phase, Progress, RunData,
    RunState, StageIdx, StageSummary, Taken, TokenSource, Unit,
};
use crate::stats::least_n;

/// Whose numbers the tiles show while a run goes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Scope {
    #[default]
    ThisStage,
    AllStages,
}

/// Which stage the tiles speak of, and why that one.
pub fn focus(run: &RunData, scope: Scope, chosen: Option<StageIdx>) -> Option<StageIdx> {
    let n = run.summary.stages.len();
    if let Some(stage) = chosen.filter(|s| s.index() < n) {
        return Some(stage);
    }
    match (current(run), scope) {
        (Some(stage), Scope::ThisStage) => Some(stage),
        _ => best(run).or_else(|| current(run)),
    }
}

/// The stage under way.
pub fn current(run: &RunData) -> Option<StageIdx> {
    progress(run).map(|p| p.stage)
}

pub fn progress(run: &RunData) -> Option<&Progress> {
    match &run.state {
        RunState::Running(progress) | RunState::Stopping(progress) => Some(progress),
        _ => None,
    }
}

/// Share of failed requests above which a stage is not a good one, and is drawn hollow.
pub const ERRORS_HIGH: f64 = 0.01;

/// The stage with the highest output (tokens, else requests, a second) among those with few errors.
fn best(run: &RunData) -> Option<StageIdx> {
    let stages = &run.summary.stages;
    let with_data = |few_errors: bool| {
        let usable = stages.iter().enumerate().filter(move |(_, s)| {
            s.ok > 0 && (!few_errors || s.error_rate.unwrap_or(0.0) <= ERRORS_HIGH)
        });
        usable.max_by(|(_, a), (_, b)| speed(a).total_cmp(&speed(b)))
    };
    let found = with_data(true).or_else(|| with_data(false));
    found.map(|(i, _)| StageIdx::from_index(i))
}

fn speed(stage: &StageSummary) -> f64 {
    let rate = stage.output_token_rate.or(stage.request_rate);
    rate.unwrap_or(0.0)
}

/// The head's words.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Head {
    pub title: String,
    /// Stage under way and how many there are; its swatch stands before it.
    pub stage: Option<(usize, usize)>,
    pub words: Vec<String>,
    /// A judgement beside the title: interrupted, certificates not checked.
    pub badges: Vec<(Level, String)>,
}

pub fn head(run: &RunData) -> Head {
    let plan = run.plan();
    let title = if run.head.label.is_empty() {
        "Unnamed run".to_owned()
    } else {
        run.head.label.clone()
    };
    let mut head = Head {
        title,
        ..Head::default()
    };
    if plan.target.insecure {
        let words = "Certificates not checked".to_owned();
        head.badges.push((Level::Caution, words));
    }
    match &run.state {
        RunState::Running(progress) | RunState::Paused(progress) | RunState::Stopping(progress) => {
            let n = plan.stages.len();
            let i = progress.stage.index();
            head.stage = Some((i, n));
            head.words.push(format!("Stage {} of {n}", i + 1));
            let label = plan.stage(progress.stage).map(|s| s.load.label());
            head.words
                .push(phase_words(progress, label.unwrap_or_default()));
        }
        RunState::Preparing { .. } => head.words.push("preparing".to_owned()),
        RunState::AwaitingRestart { .. } => head.words.push("waiting for a restart".to_owned()),
        RunState::Interrupted | RunState::Finished => {
            if run.state == RunState::Interrupted {
                head.badges.push((Level::Plain, "Interrupted".to_owned()));
            }
            head.words.push(started(&run.head.started));
            head.words.push(levels(run));
        }
    }
    head
}

fn phase_words(progress: &Progress, label: String) -> String {
    match progress.phase {
        Some(Phase::Cold) => "cold requests".to_owned(),
        Some(Phase::Warmup) => format!("{label}, warm-up"),
        Some(Phase::Drain) => format!("{label}, last requests"),
        Some(Phase::Measure) => label,
        None => "pause".to_owned(),
    }
}

/// `21 Nov 2026, 14:18` in the clock of the machine that measured.
pub fn started(rfc3339: &str) -> String {
    let clock = rfc3339.get(..19).unwrap_or(rfc3339);
    match clock.parse::<jiff::civil::DateTime>() {
        Ok(time) => time.strftime("%-d %b %Y, %H:%M").to_string(),
        Err(_) => rfc3339.to_owned(),
    }
}

/// `1 to 64 users`, `10 users`.
fn levels(run: &RunData) -> String {
    let plan = run.plan();
    let users = plan.stages.iter().map(|s| s.load.level());
    let (low, high) = users.fold((f64::INFINITY, 0f64), |(a, b), u| (a.min(u), b.max(u)));
    if low < high {
        format!("{} to {}", format::count(low), format::users(high))
    } else if high > 0.0 {
        format::users(high)
    } else {
        String::new()
    }
}

/// One doubt as a banner shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    pub level: Level,
    pub finding: String,
    pub why: String,
    pub advice: String,
}

/// Why the run is not valid first, then the cautions in the order in which they were found.
pub fn findings(run: &RunData) -> Vec<Finding> {
    let verdict = &run.summary.verdict;
    let reasons = verdict.reasons.iter().filter(|_| !verdict.valid);
    let mut found: Vec<Finding> = reasons
        .map(|reason| Finding {
            level: Level::Bad,
            finding: "Not valid".to_owned(),
            why: reason.clone(),
            advice: String::new(),
        })
        .collect();
    found.extend(run.summary.cautions.iter().map(|c| Finding {
        level: Level::Caution,
        finding: c.finding.clone(),
        why: c.cause.clone(),
        advice: c.advice.clone(),
    }));
    found
}

/// `184 ms` as value and unit.
fn split(text: &str) -> (String, String) {
    match text.rsplit_once(' ') {
        Some((value, unit)) => (value.to_owned(), unit.to_owned()),
        None => (text.to_owned(), String::new()),
    }
}

/// The six tiles.
pub fn tiles(run: &RunData, focus: Option<StageIdx>, narrow: bool) -> Vec<Tile> {
    let live = run.is_live();
    let stage = focus.and_then(|f| run.summary.stages.get(f.index()));
    let at = match stage {
        Some(stage) if !live || focus != current(run) => format!(" at {}", stage.label),
        _ => String::new(),
    };
    let at = if narrow { String::new() } else { at };
    vec![
        latency_tile(MetricId::Ttft, stage, &at, narrow),
        latency_tile(MetricId::E2e, stage, &at, narrow),
        output_tile(stage, narrow),
        requests_tile(run, stage, focus),
        errors_tile(run, stage),
        verdict_tile(run, narrow),
    ]
}

fn latency_tile(id: MetricId, stage: Option<&StageSummary>, at: &str, narrow: bool) -> Tile {
    let metric = id.metric();
    let distribution = stage.and_then(|s| s.metric(id)).filter(|d| d.n > 0);
    let (value, unit) = match distribution.and_then(|d| d.p50) {
        Some(p50) => split(&format::ms(p50)),
        None => (format::UNKNOWN.to_owned(), String::new()),
    };
    let note = distribution.map_or_else(String::new, |d| {
        let n = format::count(d.n as f64);
        let p95 = match d.p95 {
            Some(p95) if d.n >= least_n(0.95) => format!("p95 {}", format::ms(p95)),
            Some(_) => format!("p95: n < {}", least_n(0.95)),
            None => String::new(),
        };
        if narrow {
            p95
        } else {
            format!("{p95}\u{2002}n {n}")
        }
    });
    let interval = distribution.map_or_else(String::new, |d| interval_words("p50", d.ci95.p50));
    let label = format!("{} p50{at}", metric.short);
    Tile {
        tip: format!("{}: {}{interval}", metric.label, metric.formula),
        label,
        value,
        unit,
        note,
        level: None,
    }
}

fn interval_words(name: &str, interval: [Option<f64>; 2]) -> String {
    match interval {
        [Some(low), Some(high)] => format!(
            "\n{name} lies between {} and {} (95 %)",
            format::ms(low),
            format::ms(high)
        ),
        _ => String::new(),
    }
}

fn output_tile(stage: Option<&StageSummary>, narrow: bool) -> Tile {
    let rate = stage.and_then(|s| s.output_token_rate);
    let source = stage.and_then(|s| s.token_source);
    let note = match (source, narrow) {
        (None, _) => String::new(),
        (Some(source), false) => source.badge().to_owned(),
        (Some(TokenSource::Usage), true) => "server usage".to_owned(),
        (Some(TokenSource::Tokenizer), true) => "tokenizer".to_owned(),
        (Some(TokenSource::Chunks), true) => "chunks counted".to_owned(),
        (Some(TokenSource::Estimate), true) => "estimated".to_owned(),
    };
    let tip = source.map_or("", |s| s.badge());
    Tile {
        label: "Output".to_owned(),
        value: rate.map_or_else(|| format::UNKNOWN.to_owned(), format::rate),
        unit: rate.map_or_else(String::new, |_| "tok/s".to_owned()),
        note,
        tip: format!("{}\n{tip}", MetricId::OutputTokenRate.metric().formula),
        level: None,
    }
}

fn requests_tile(run: &RunData, stage: Option<&StageSummary>, focus: Option<StageIdx>) -> Tile {
    let rate = stage.and_then(|s| s.request_rate);
    let in_flight = match progress(run) {
        Some(p) if focus == Some(p.stage) => Some(p.in_flight),
        _ => stage.map(|s| s.users),
    };
    Tile {
        label: "Requests".to_owned(),
        value: rate.map_or_else(|| format::UNKNOWN.to_owned(), format::rate),
        unit: rate.map_or_else(String::new, |_| "/s".to_owned()),
        note: in_flight.map_or_else(String::new, |n| {
            format!("in flight {}", format::count(f64::from(n)))
        }),
        tip: MetricId::RequestRate.metric().formula.to_owned(),
        level: None,
    }
}

fn errors_tile(run: &RunData, stage: Option<&StageSummary>) -> Tile {
    // Live, of the stage under way; of an ended run, of all of it.
    let stages: Vec<&StageSummary> = if run.is_live() {
        stage.into_iter().collect()
    } else {
        run.summary.stages.iter().collect()
    };
    let failed: u64 = stages.iter().map(|s| s.failed).sum();
    let ended: u64 = stages.iter().map(|s| s.n_ended()).sum();
    let share = failed as f64 / ended.max(1) as f64;
    let mut note = format!("of {}", format::count(ended as f64));
    if failed > 0 {
        let share = if share < 0.001 {
            "< 0.1 %".to_owned()
        } else {
            format::percent(share)
        };
        note = format!("{note}\u{2002}{share}");
    }
    let cut: u64 = stages.iter().map(|s| s.cut_off + s.cancelled).sum();
    let tip = format!(
        "{}\nOf all that ended: {} failed, {cut} cancelled or cut off",
        MetricId::ErrorRate.metric().formula,
        format::count(failed as f64)
    );
    Tile {
        label: "Errors".to_owned(),
        value: format::count(failed as f64),
        unit: String::new(),
        note,
        tip,
        level: None,
    }
}

fn verdict_tile(run: &RunData, narrow: bool) -> Tile {
    let verdict = &run.summary.verdict;
    let checks = if verdict.n_checks > 0 {
        format!("{} of {} checks", verdict.n_passed, verdict.n_checks)
    } else {
        String::new()
    };
    let (value, level) = if run.state == RunState::Interrupted {
        ("Interrupted", Level::Bad)
    } else if verdict.valid {
        ("Valid", Level::Good)
    } else {
        ("Invalid", Level::Bad)
    };
    let lead = match (run.summary.cautions.len(), run.is_live()) {
        _ if narrow => String::new(),
        (0, true) => "so far".to_owned(),
        (0, false) => String::new(),
        (1, _) => "1 caution".to_owned(),
        (n, _) => format!("{n} cautions"),
    };
    let passed = checks.clone();
    // Six tiles beside each other have room for this much.
    let checks = if lead.len() + checks.len() > 24 {
        checks.replace(" checks", "")
    } else {
        checks
    };
    let parts: Vec<_> = [lead, checks]
        .into_iter()
        .filter(|w| !w.is_empty())
        .collect();
    Tile {
        label: "Verdict".to_owned(),
        value: value.to_owned(),
        unit: String::new(),
        note: parts.join(", "),
        tip: std::iter::once(&passed)
            .filter(|words| !words.is_empty())
            .chain(&verdict.reasons)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n"),
        level: Some(level),
    }
}

/// A cell of the stage table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cell {
    pub words: String,
    pub ink: CellInk,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CellInk {
    #[default]
    Value,
    /// Unknown, not yet, or too few.
    Muted,
    Failed,
}

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
}

/// The columns after the name. A narrow window drops four.
const COLUMNS: [(&str, bool); 12] = [
    ("n", true),
    ("Errors", true),
    ("Mean", true),
    ("Min", false),
    ("Max", false),
    ("SD", false),
    ("p50", true),
    ("p90", false),
    ("p95", true),
    ("p99", true),
    ("req/s", true),
    ("tok/s", true),
];

pub fn stage_table(run: &RunData, metric: MetricId, narrow: bool) -> StageTable {
    let m = metric.metric();
    let mut rows = Vec::new();
    rows.extend(cold_row(run, metric));
    for (i, stage) in run.summary.stages.iter().enumerate() {
        rows.push(stage_row(run, StageIdx::from_index(i), stage, metric));
    }
    let kept: Vec<bool> = COLUMNS
        .iter()
        .map(|(_, in_narrow)| *in_narrow || !narrow)
        .collect();
    for row in &mut rows {
        let names = COLUMNS.iter().map(|(name, _)| *name);
        let words: Vec<String> = names
            .zip(&row.cells)
            .map(|(name, cell)| format!("{name} {}", cell.words))
            .collect();
        row.tip = format!("{}: {}", row.name, words.join(", "));
        let mut keep = kept.iter();
        row.cells.retain(|_| keep.next().copied().unwrap_or(true));
    }
    let shown = COLUMNS.iter().zip(&kept).filter(|(_, kept)| **kept);
    StageTable {
        title: format!("{} in {}, by stage", m.short, m.unit.label()),
        header: shown.map(|((name, _), _)| *name).collect(),
        rows,
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

fn stage_row(run: &RunData, idx: StageIdx, stage: &StageSummary, metric: MetricId) -> StageRow {
    let unit = metric.metric().unit;
    let d = stage.metric(metric).filter(|d| d.n > 0);
    let is_current = current(run) == Some(idx);
    let planned = run.plan().stage(idx).and_then(|s| s.n_requests());
    let ended = stage.n_ended();
    let is_ahead = run.is_live() && !is_current && ended == 0;
    let n = match planned {
        Some(of) if is_current || is_ahead => {
            format!(
                "{} / {}",
                format::count(ended as f64),
                format::count(of as f64)
            )
        }
        _ => format::count(ended as f64),
    };
    let n = if is_ahead { muted(n) } else { plain(n) };
    let errors = if is_ahead {
        unknown()
    } else {
        failures(stage.failed)
    };
    let rate = |value: Option<f64>| number(value, Unit::RequestsPerSec);
    let cells = vec![
        n,
        errors,
        number(d.and_then(|d| d.avg), unit),
        number(d.and_then(|d| d.min), unit),
        number(d.and_then(|d| d.max), unit),
        number(d.and_then(|d| d.sd), unit),
        percentile(d, 0.50, unit),
        percentile(d, 0.90, unit),
        percentile(d, 0.95, unit),
        percentile(d, 0.99, unit),
        rate(stage.request_rate),
        rate(stage.output_token_rate),
    ];
    StageRow {
        stage: Some(idx),
        name: stage.label.clone(),
        cells,
        is_current,
        is_ahead,
        tip: String::new(),
    }
}

/// The cold requests: no percentiles, and with a single one only its value.
fn cold_row(run: &RunData, metric: MetricId) -> Option<StageRow> {
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
    let mut cells = vec![
        plain(format::count(cold.len() as f64)),
        failures(failed),
        number(mean, unit),
        number(min, unit),
        number(max, unit),
    ];
    cells.resize_with(COLUMNS.len(), unknown);
    Some(StageRow {
        stage: None,
        name: "Cold start".to_owned(),
        cells,
        is_current: false,
        is_ahead: false,
        tip: String::new(),
    })
}

/// A class of failures in the errors panel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ErrorRow {
    pub class: String,
    pub status: String,
    pub count: String,
    pub first: String,
    pub seq: String,
}

pub fn errors(run: &RunData) -> Vec<ErrorRow> {
    let row = |e: &crate::domain::ErrorClass| ErrorRow {
        class: match (e.kind, e.outcome) {
            (Some(kind), _) => kind.label().to_owned(),
            (None, OutcomeKind::Cancelled) => "Cancelled".to_owned(),
            (None, OutcomeKind::CutOff) => "Cut off at the stage's end".to_owned(),
            (None, _) => "Failed".to_owned(),
        },
        status: e.status.map_or_else(String::new, |s| s.to_string()),
        count: format::count(e.count as f64),
        first: e
            .first_message
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        seq: format!("request {}", format::count(e.first_seq as f64)),
    };
    run.summary.errors.iter().map(row).collect()
}

/// Why a metric has no values in this run; `None` where it has some.
pub fn why_none(run: &RunData, metric: MetricId) -> Option<String> {
    let has = |s: &StageSummary| s.metric(metric).is_some_and(|d| d.n > 0);
    if run.summary.stages.iter().any(has) {
        return None;
    }
    let plan = run.plan();
    if matches!(metric.metric().taken, Taken::PerGap) && run.is_live() && plan.target.stream {
        return Some("Gaps are shown when the run has ended".to_owned());
    }
    if run.summary.stages.iter().all(|s| s.ok == 0) {
        let none = run.summary.stages.iter().all(|s| s.n_ended() == 0);
        let words = if none {
            "No measured request has ended yet"
        } else {
            "No measured request ended well"
        };
        return Some(words.to_owned());
    }
    let words = match metric {
        MetricId::QueueSubmit | MetricId::QueueWait => {
            "Only a Gradio server has a queue that tells how long a request waits in it"
        }
        MetricId::Slip => {
            "A closed loop sends as soon as it can: no send is planned, so none slips"
        }
        MetricId::Connect => "Connections were kept; they were made before the stage began",
        MetricId::ClientLate => {
            "Needs the kernel's receive stamps, which this system does not give"
        }
        _ if !plan.target.stream => "Needs a stream; this plan asks for the answer in one piece",
        MetricId::Tpot | MetricId::DecodeRate | MetricId::Streaming | MetricId::Itl => {
            "Needs answers of at least two tokens that come apart"
        }
        _ => "The server gave nothing that this could be taken from",
    };
    Some(words.to_owned())
}

/// This program could not keep up; its numbers are in doubt. What makes a run invalid is not called healthy either.
pub fn is_client_doubted(run: &RunData) -> bool {
    let is_client = |id| {
        matches!(
            id,
            CautionId::LateTick | CautionId::ClientLate | CautionId::LateSends
        )
    };
    let ticks = run.health.tick_p99_ms;
    run.summary.cautions.iter().any(|c| is_client(c.id))
        || ticks.is_some_and(|ms| ms > MAX_TICK_P99_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_and_its_unit_come_apart() {
        assert_eq!(split("184 ms"), ("184".to_owned(), "ms".to_owned()));
        assert_eq!(split("–"), ("–".to_owned(), String::new()));
    }

    #[test]
    fn the_start_is_told_in_the_clock_of_its_machine() {
        assert_eq!(started("2026-11-21T14:18:09+01:00"), "21 Nov 2026, 14:18");
        assert_eq!(started("yesterday"), "yesterday");
    }
}
