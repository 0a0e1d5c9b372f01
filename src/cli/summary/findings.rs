//! What a run found beside its stages' figures: the knee, a sweep's most, a search's load, other traffic, marks.

use std::fmt::Write as _;

use super::stage::percent;
use super::table::Table;
use crate::cli::print::visible;
use crate::domain::{Over, RunData, SearchFinding, SweepFinding};

pub(super) fn all(run: &RunData, out: &mut String) {
    if let Some(sweep) = &run.summary.sweep {
        sweep_found(sweep, run, out);
    }
    if let Some(search) = &run.summary.search {
        search_found(search, out);
    }
    if let Some(knee) = &run.summary.knee {
        writeln!(
            out,
            "\nKnee at {} with {:.1} req/s: from {:.3} to {:.3} req/s for each further {} (n = {})",
            level(knee.level, knee.over),
            knee.request_rate,
            knee.slope_before,
            knee.slope_after,
            match knee.over {
                Over::Rate => "req/s asked",
                Over::Users => "user",
            },
            knee.n
        )
        .ok();
    }
    beside(run, out);
    marks(run, out);
}

/// `12.5 req/s`, `8 users`.
fn level(level: f64, over: Over) -> String {
    let number = (level * 100.0).round() / 100.0;
    match format!("{number} {}", over.unit()).as_str() {
        "1 users" => "1 user".to_owned(),
        words => words.to_owned(),
    }
}

/// `8 users meet the goals`, `1 user meets the goals`.
fn meets(level: f64, over: Over) -> &'static str {
    match over {
        Over::Users if level > 1.0 => "meet the goals",
        _ => "meets the goals",
    }
}

fn sweep_found(sweep: &SweepFinding, run: &RunData, out: &mut String) {
    let best = sweep.best.and_then(|at| run.plan().stage(at));
    let (Some(stage), Some(rate)) = (best, sweep.max_request_rate) else {
        writeln!(out, "\nSweep: no request ended well, so there is no most").ok();
        return;
    };
    let tokens = sweep
        .max_output_token_rate
        .map(|rate| format!(", {rate:.1} tok/s"));
    writeln!(
        out,
        "\nSweep: the most is {rate:.1} req/s{} with {}",
        tokens.unwrap_or_default(),
        visible(&stage.load.label())
    )
    .ok();
    if let Some(why) = &sweep.stopped {
        writeln!(out, "  {}", visible(why)).ok();
    }
}

fn search_found(search: &SearchFinding, out: &mut String) {
    let unsure = search.unsure();
    let found = match (search.found, search.missed_at) {
        (Some(found), Some(missed)) => format!(
            "{} {}, {} does not",
            level(found, search.over),
            meets(found, search.over),
            level(missed, search.over)
        ),
        (Some(found), None) => format!(
            "{} {}{}",
            level(found, search.over),
            meets(found, search.over),
            match unsure {
                Some(_) => "",
                None => ", and no more was tried",
            }
        ),
        (None, Some(missed)) if unsure.is_some() => {
            format!("{} does not meet the goals", level(missed, search.over))
        }
        (None, Some(missed)) => format!("not even {} meets the goals", level(missed, search.over)),
        (None, None) => {
            "too few requests tell whether a load meets the goals: give each probe more".to_owned()
        }
    };
    writeln!(out, "\nSearch: {found}").ok();
    // Where nothing is told, the line above says so already.
    let is_bounded = search.found.is_some() || search.missed_at.is_some();
    if let Some(unsure) = unsure.filter(|_| is_bounded) {
        writeln!(
            out,
            "  up to {} it may: too few requests tell",
            level(unsure, search.over)
        )
        .ok();
    }
    if let Some(goal) = search
        .binding
        .as_ref()
        .filter(|_| search.missed_at.is_some())
    {
        writeln!(out, "  first to be missed: {}", goal.label()).ok();
    }
    let mut table = Table::new(&["Probe", "attained", "verdict"]);
    for probe in &search.probes {
        table.row(vec![
            level(probe.level, search.over),
            percent(probe.attainment),
            probe.verdict.label().to_owned(),
        ]);
    }
    out.push_str(&table.text());
}

fn beside(run: &RunData, out: &mut String) {
    let rows = &run.summary.beside;
    if rows.is_empty() {
        return;
    }
    writeln!(out, "\nBeside the measured requests").ok();
    let secs = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.3}", ms / 1e3));
    let mut table = Table::new(&["", "n", "failed", "p50, s", "p90, s", "p99, s"]);
    for row in rows {
        table.row(vec![
            row.kind.label().to_owned(),
            row.n.to_string(),
            row.failed.to_string(),
            secs(row.p50),
            secs(row.p90),
            secs(row.p99),
        ]);
    }
    out.push_str(&table.text());
    for error in rows.iter().filter_map(|row| row.first_error.as_deref()) {
        writeln!(out, "  {}", visible(error)).ok();
    }
}

fn marks(run: &RunData, out: &mut String) {
    for (i, mark) in run.marks.iter().enumerate() {
        let blank = if i == 0 { "\n" } else { "" };
        let secs = mark.at_ns as f64 / 1e9;
        writeln!(out, "{blank}Mark at {secs:.3} s: {}", visible(&mark.text)).ok();
    }
}
