//! Several runs: a table with a row for each variation, and their JSON.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::stage::percent;
use super::table::Table;
use crate::cli::print::visible;
use crate::domain::{Issue, MetricId, RunData, StageSummary, Variant, overall};

/// One of several runs.
pub(in crate::cli) enum Entry {
    Run(Arc<RunData>),
    /// A variation that was refused.
    NotStarted {
        index: u32,
        of: u32,
        values: Variant,
        issues: Vec<Issue>,
    },
}

impl Entry {
    pub(in crate::cli) fn run(&self) -> Option<&Arc<RunData>> {
        match self {
            Self::Run(run) => Some(run),
            Self::NotStarted { .. } => None,
        }
    }

    fn values(&self) -> Variant {
        match self {
            Self::Run(run) => {
                let variation = run.head.variation.as_ref();
                variation.map(|v| v.values.clone()).unwrap_or_default()
            }
            Self::NotStarted { values, .. } => values.clone(),
        }
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Self::Run(run) => serde_json::json!({
                "variation": run.head.variation,
                "file": run.file,
                "summary": *run.summary,
            }),
            Self::NotStarted {
                index,
                of,
                values,
                issues,
            } => serde_json::json!({
                "variation": { "index": index, "of": of, "values": values },
                "file": null,
                "summary": null,
                "not_started": issues,
            }),
        }
    }
}

/// One entry for each run: its variation, its file and its summary; of one that did not start why, instead of those two.
pub(in crate::cli) fn json_of_several(entries: &[Entry]) -> String {
    let entries: Vec<serde_json::Value> = entries.iter().map(Entry::json).collect();
    let mut text = serde_json::to_string(&entries).unwrap_or_default();
    text.push('\n');
    text
}

/// Each run's summary; where they are variations, a table of them after it.
pub(in crate::cli) fn text_of_several(runs: &[Arc<RunData>]) -> String {
    let texts: Vec<String> = runs.iter().map(|run| super::text(run)).collect();
    let mut out = texts.join("\n");
    let n_varied = runs.iter().filter(|r| r.head.variation.is_some()).count();
    if n_varied > 1 {
        out.push('\n');
        let entries: Vec<Entry> = runs.iter().cloned().map(Entry::Run).collect();
        out.push_str(&variations(&entries));
    }
    out
}

/// A row for each run, or for each of its stages where runs have several.
pub(in crate::cli) fn variations(entries: &[Entry]) -> String {
    let runs = || entries.iter().filter_map(Entry::run);
    let fields = entries.iter().flat_map(|e| e.values().into_keys());
    let fields: BTreeSet<String> = fields.collect();
    let has_goals = runs().any(|r| !r.head.plan.goals.is_empty());
    let has_stages = runs().any(|r| r.summary.stages.len() > 1);
    let mut heads: Vec<String> = fields.iter().map(|field| visible(field)).collect();
    if has_stages {
        heads.push("load".to_owned());
    }
    let n_left = heads.len();
    heads.extend(FIGURES.map(str::to_owned));
    if has_goals {
        heads.extend(["goodput", "attained", "goals"].map(str::to_owned));
    }
    heads.push("run".to_owned());
    let n_columns = heads.len();
    let mut table = Table::with_left(heads, n_left.max(1));
    for entry in entries {
        let values = entry.values();
        let value = |field: &String| {
            values
                .get(field)
                .map_or_else(|| "–".to_owned(), |v| visible(v))
        };
        let Some(run) = entry.run() else {
            let mut row: Vec<String> = fields.iter().map(value).collect();
            row.resize(n_columns - 1, "–".to_owned());
            row.push("did not start".to_owned());
            table.row(row);
            continue;
        };
        for stage in &run.summary.stages {
            let mut row: Vec<String> = fields.iter().map(value).collect();
            if has_stages {
                row.push(visible(&stage.label));
            }
            row.extend(figures(stage));
            if has_goals {
                row.extend(goal_figures(stage));
            }
            let verdict = if run.summary.verdict.valid {
                "valid"
            } else {
                "not valid"
            };
            row.push(verdict.to_owned());
            table.row(row);
        }
    }
    format!("By value\n{}", table.text())
}

const FIGURES: [&str; 8] = [
    "ok",
    "failed",
    "TTFT p50, s",
    "p95, s",
    "total p50, s",
    "p95, s",
    "req/s",
    "tok/s",
];

fn figures(stage: &StageSummary) -> [String; 8] {
    let metric = |id| stage.metric(id).filter(|d| d.n > 0);
    let secs = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.3}", ms / 1e3));
    let rate = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), |r| format!("{r:.1}"));
    let (ttft, e2e) = (metric(MetricId::Ttft), metric(MetricId::E2e));
    [
        stage.ok.to_string(),
        stage.failed.to_string(),
        secs(ttft.and_then(|d| d.p50)),
        secs(ttft.and_then(|d| d.p95)),
        secs(e2e.and_then(|d| d.p50)),
        secs(e2e.and_then(|d| d.p95)),
        rate(stage.request_rate),
        rate(stage.output_token_rate.filter(|_| stage.ok > 0)),
    ]
}

fn goal_figures(stage: &StageSummary) -> [String; 3] {
    let goodput = stage.goodput.map(|rate| format!("{rate:.1}"));
    [
        goodput.unwrap_or_else(|| "–".to_owned()),
        percent(stage.attainment),
        overall(&stage.goals).label().to_owned(),
    ]
}
