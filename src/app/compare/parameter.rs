//! The runs of a varied plan: a row for each, and one figure by one of the varied fields. Read off the library's entries;
//! no file is opened for it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::app::charts::ChartUi;
use crate::app::runs::{Library, Verdict};
use crate::app::widgets::{Cell, CellInk, Table, TableRow};
use crate::chart::{ByParameter, Chart, ParameterRun, by_parameter, format};
use crate::domain::{Distribution, GoalVerdict, MetricId, RunEntry, StageSummary, Taken, overall};
use crate::stats::least_n;

/// What the view is asked for.
#[derive(Default)]
pub struct ParameterChoice {
    /// The varied plan; the newest of the library until a person chooses.
    pub group: Option<String>,
    /// The field of the x axis; the first varied one until a person chooses.
    pub field: Option<String>,
    pub metric: Option<MetricId>,
    /// p95 instead of p50.
    pub is_p95: bool,
    /// The stage that is looked at, by its label; each run's best until a person chooses.
    pub stage: Option<String>,
    pub chart_ui: ChartUi,
    worked_out: Option<(Key, Arc<Work>)>,
    n_computed: u64,
}

/// All that the view depends on.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    library: u64,
    group: String,
    field: Option<String>,
    metric: MetricId,
    is_p95: bool,
    stage: Option<String>,
}

/// What the view shows.
#[derive(Clone, Debug)]
pub(super) struct Work {
    /// The varied fields, in full, and the one of the x axis.
    pub fields: Vec<String>,
    pub field: String,
    /// Labels of the stages that all runs have.
    pub stages: Vec<String>,
    pub table: Table,
    /// The file of each row.
    pub paths: Vec<PathBuf>,
    pub chart: Chart,
    /// Runs found and runs that the plan has.
    pub n: (usize, usize),
}

/// What the chart can show, in the order of its list.
pub(super) const METRICS: [MetricId; 8] = [
    MetricId::Ttft,
    MetricId::E2e,
    MetricId::Tpot,
    MetricId::DecodeRate,
    MetricId::RequestRate,
    MetricId::OutputTokenRate,
    MetricId::Goodput,
    MetricId::ErrorRate,
];

impl ParameterChoice {
    /// Takes another varied plan; what was chosen for the last says nothing of it.
    pub fn choose(&mut self, group: String) {
        if self.group.as_ref() != Some(&group) {
            self.field = None;
            self.stage = None;
            self.chart_ui = ChartUi::default();
        }
        self.group = Some(group);
    }

    pub fn metric(&self) -> MetricId {
        self.metric.unwrap_or(MetricId::Ttft)
    }

    /// The group that is shown: the one chosen, while the library has a run of it, else the newest.
    pub(super) fn group_in(&self, library: &Library) -> Option<String> {
        let groups = library.groups();
        let chosen = self.group.as_ref();
        let known = groups.iter().find(|(id, _)| Some(id) == chosen);
        known.or_else(|| groups.first()).map(|(id, _)| id.clone())
    }

    /// Runs of the group that is shown.
    pub fn n_runs(&self, library: &Library) -> usize {
        let group = self.group_in(library);
        group.map_or(0, |g| library.runs_of(&g).len())
    }

    /// How often anything was computed; stands still while nothing changes.
    pub fn n_computed(&self) -> u64 {
        self.n_computed
    }

    /// Works the view out, once for each change of what it depends on; `None` where the library has no varied plan.
    pub(super) fn work_out(&mut self, library: &Library) -> Option<Arc<Work>> {
        let key = Key {
            library: library.version(),
            group: self.group_in(library)?,
            field: self.field.clone(),
            metric: self.metric(),
            is_p95: self.is_p95,
            stage: self.stage.clone(),
        };
        if let Some((held, work)) = &self.worked_out
            && *held == key
        {
            return Some(Arc::clone(work));
        }
        self.n_computed += 1;
        let work = Arc::new(work(&library.runs_of(&key.group), &key));
        self.worked_out = Some((key, Arc::clone(&work)));
        Some(work)
    }
}

fn work(runs: &[&RunEntry], key: &Key) -> Work {
    let fields = fields(runs);
    let stages = common_stages(runs);
    let stage = key.stage.as_ref().filter(|s| stages.contains(s));
    let field = key.field.clone().filter(|f| fields.contains(f));
    let what = ByParameter {
        field: field.unwrap_or_else(|| first_field(runs, &fields)),
        metric: key.metric,
        quantile: if key.is_p95 { 0.95 } else { 0.5 },
    };
    let found: Vec<(&&RunEntry, Option<&StageSummary>)> = runs
        .iter()
        .map(|run| (run, stage_of(run, stage.map(String::as_str))))
        .collect();
    let drawn: Vec<ParameterRun<'_>> = found
        .iter()
        .filter_map(|(run, stage)| {
            Some(ParameterRun {
                values: &run.variation.as_ref()?.values,
                stage: (*stage)?,
            })
        })
        .collect();
    let of = runs.iter().filter_map(|r| r.variation.as_ref());
    let of = of.map(|v| v.of as usize).max().unwrap_or(runs.len());
    Work {
        chart: by_parameter(&drawn, &what),
        field: what.field,
        table: table(&found, &fields),
        paths: runs.iter().map(|r| r.path.clone()).collect(),
        n: (runs.len(), of),
        fields,
        stages,
    }
}

/// A field of numbers makes the better x axis.
fn first_field(runs: &[&RunEntry], fields: &[String]) -> String {
    let varied = || runs.iter().filter_map(|r| r.variation.as_ref());
    let is_numeric = |field: &&String| {
        let mut values = varied().filter_map(|v| v.values.get(*field));
        values.all(|v| v.trim().parse::<f64>().is_ok())
    };
    let numeric = fields.iter().find(is_numeric);
    numeric
        .or_else(|| fields.first())
        .cloned()
        .unwrap_or_default()
}

/// Every field that any of the runs sets, in the order of the first run that does.
fn fields(runs: &[&RunEntry]) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    let varied = runs.iter().filter_map(|r| r.variation.as_ref());
    for field in varied.flat_map(|v| v.values.keys()) {
        if !fields.contains(field) {
            fields.push(field.clone());
        }
    }
    fields
}

fn common_stages(runs: &[&RunEntry]) -> Vec<String> {
    let labels = |run: &RunEntry| -> Vec<String> {
        let stages = run.summary.as_deref().map_or(&[][..], |s| &s.stages);
        stages.iter().map(|s| s.label.clone()).collect()
    };
    let mut with_summary = runs.iter().filter(|r| r.summary.is_some());
    let mut common = with_summary.next().map(|r| labels(r)).unwrap_or_default();
    for run in with_summary {
        let of = labels(run);
        common.retain(|label| of.contains(label));
    }
    common.dedup();
    common
}

/// The stage of that label, or the one that the run is spoken of by.
fn stage_of<'a>(run: &'a RunEntry, label: Option<&str>) -> Option<&'a StageSummary> {
    let summary = run.summary.as_deref()?;
    match label {
        Some(label) => summary.stages.iter().find(|s| s.label == label),
        None => summary.stages.get(summary.spoken_of()?.index()),
    }
}

fn plain(words: String) -> Cell {
    let ink = if words == format::UNKNOWN {
        CellInk::Muted
    } else {
        CellInk::Value
    };
    Cell { words, ink }
}

fn percentile(stage: Option<&StageSummary>, id: MetricId, q: f64) -> Cell {
    let Some(d) = stage.and_then(|s| s.metric(id)).filter(|d| d.n > 0) else {
        return plain(format::UNKNOWN.to_owned());
    };
    if d.n < least_n(q) {
        return Cell::new(format!("n < {}", least_n(q)), CellInk::Muted);
    }
    let of = |d: &Distribution| if q < 0.6 { d.p50 } else { d.p95 };
    plain(format::value(of(d), id.metric().unit))
}

fn rate(stage: Option<&StageSummary>, id: MetricId) -> Cell {
    let value = stage.and_then(|s| s.rate(id));
    plain(value.map_or_else(|| format::UNKNOWN.to_owned(), format::rate))
}

fn table(runs: &[(&&RunEntry, Option<&StageSummary>)], fields: &[String]) -> Table {
    let short = |f: &String| f.rsplit('.').next().unwrap_or(f).to_owned();
    let has_goals = runs
        .iter()
        .any(|(_, s)| s.is_some_and(|s| !s.goals.is_empty()));
    let mut header: Vec<String> = fields.iter().map(short).collect();
    let figures = [
        "At", "n", "TTFT p50", "TTFT p95", "E2E p50", "E2E p95", "TPOT p50", "req/s", "tok/s",
    ];
    header.extend(figures.map(str::to_owned));
    if has_goals {
        header.extend(["Goodput", "Goal"].map(str::to_owned));
    }
    header.push("Verdict".to_owned());
    let row = |(run, stage): &(&&RunEntry, Option<&StageSummary>)| {
        let value = |field: &String| {
            let value = run.variation.as_ref().and_then(|v| v.values.get(field));
            plain(value.cloned().unwrap_or_else(|| format::UNKNOWN.to_owned()))
        };
        let mut cells: Vec<Cell> = fields.iter().map(value).collect();
        cells.extend(figures_of(*stage));
        if has_goals {
            cells.push(rate(*stage, MetricId::Goodput));
            cells.push(goal_cell(*stage));
        }
        cells.push(verdict_cell(run));
        TableRow { stage: None, cells }
    };
    Table {
        n_text: fields.len() + 1,
        rows: runs.iter().map(row).collect(),
        header,
    }
}

fn figures_of(stage: Option<&StageSummary>) -> [Cell; 9] {
    let unknown = || format::UNKNOWN.to_owned();
    [
        plain(stage.map_or_else(unknown, |s| s.label.clone())),
        plain(stage.map_or_else(unknown, |s| format::count(s.n_ended() as f64))),
        percentile(stage, MetricId::Ttft, 0.5),
        percentile(stage, MetricId::Ttft, 0.95),
        percentile(stage, MetricId::E2e, 0.5),
        percentile(stage, MetricId::E2e, 0.95),
        percentile(stage, MetricId::Tpot, 0.5),
        rate(stage, MetricId::RequestRate),
        rate(stage, MetricId::OutputTokenRate),
    ]
}

fn goal_cell(stage: Option<&StageSummary>) -> Cell {
    let goals = stage.map(|s| s.goals.as_slice()).unwrap_or_default();
    if goals.is_empty() {
        return plain(format::UNKNOWN.to_owned());
    }
    let verdict = overall(goals);
    let ink = match verdict {
        GoalVerdict::Met => CellInk::Good,
        GoalVerdict::Missed => CellInk::Caution,
        GoalVerdict::Unresolved => CellInk::Muted,
    };
    Cell::new(verdict.label(), ink)
}

fn verdict_cell(run: &RunEntry) -> Cell {
    let verdict = Verdict::of(run);
    let ink = match verdict {
        Verdict::Valid => CellInk::Value,
        Verdict::Cautions(_) => CellInk::Caution,
        Verdict::Invalid | Verdict::Unreadable(_) => CellInk::Failed,
        Verdict::Interrupted => CellInk::Muted,
    };
    Cell::new(verdict.word(), ink)
}

/// Whether the metric has percentiles to choose from.
pub(super) fn has_quantiles(metric: MetricId) -> bool {
    !matches!(metric.metric().taken, Taken::PerStage)
}

/// `max_tokens=16 to 256` is too much for a line: the fields' names alone.
pub(super) fn varied_words(work: &Work) -> String {
    let short = work
        .fields
        .iter()
        .map(|f| f.rsplit('.').next().unwrap_or(f));
    let names: Vec<&str> = short.collect();
    let (found, of) = work.n;
    let runs = if found < of {
        format!("{found} of {of} runs")
    } else {
        format!("{of} runs")
    };
    format!("{runs}, varied: {}", names.join(", "))
}
