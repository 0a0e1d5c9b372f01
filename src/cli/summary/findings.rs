//! What a run found beside its stages' figures: the knee, a sweep's most, a search's load, other traffic, marks.

use std::fmt::Write as _;

use super::stage::percent;
use super::table::Table;
use crate::cli::print::visible;
use crate::domain::{Over, RunData, SearchFinding, SweepFinding, level_words};

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
            level_words(knee.level, knee.over),
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

fn sweep_found(sweep: &SweepFinding, run: &RunData, out: &mut String) {
    let Some(found) = sweep.sentence(&run.summary.stages, run.plan()) else {
        writeln!(out, "\nSweep: no request ended well, so there is no most").ok();
        return;
    };
    writeln!(out, "\nSweep: {}", visible(&found)).ok();
    if let Some(why) = &sweep.stopped {
        writeln!(out, "  {}", visible(why)).ok();
    }
}

fn search_found(search: &SearchFinding, out: &mut String) {
    writeln!(out, "\nSearch: {}", search.sentence()).ok();
    for detail in search.details() {
        writeln!(out, "  {detail}").ok();
    }
    let mut table = Table::new(&["Probe", "attained", "verdict"]);
    for probe in &search.probes {
        table.row(vec![
            level_words(probe.level, search.over),
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
