//! The strip of numbers.

use super::{current, goals_words, progress};
use crate::app::widgets::{Level, Tile};
use crate::chart::format;
use crate::domain::{
    GoalVerdict, Load, MetricId, Over, RunData, RunState, StageIdx, StageSummary, TokenSource,
    overall,
};
use crate::stats::least_n;

/// `184 ms` as value and unit.
fn split(text: &str) -> (String, String) {
    match text.rsplit_once(' ') {
        Some((value, unit)) => (value.to_owned(), unit.to_owned()),
        None => (text.to_owned(), String::new()),
    }
}

/// The six tiles; with goals the requests' one speaks of those that met them, and one more of how many did.
pub fn tiles(run: &RunData, focus: Option<StageIdx>, narrow: bool) -> Vec<Tile> {
    let live = run.is_live();
    let stage = focus.and_then(|f| run.summary.stages.get(f.index()));
    let several = run.plan().stages.len() > 1;
    let at = match stage {
        Some(stage) if several && (!live || focus != current(run)) => stage.label.as_str(),
        _ => "",
    };
    let whose = at;
    // Seven tiles beside each other are as tight as six in a narrow window.
    let has_goals = !run.plan().goals.is_empty();
    let at = match (narrow, has_goals) {
        _ if at.is_empty() => String::new(),
        (true, _) => String::new(),
        (false, true) => tight(run, at),
        (false, false) => format!(" at {at}"),
    };
    let mut tiles = vec![
        latency_tile(MetricId::Ttft, stage, &at, narrow),
        latency_tile(MetricId::E2e, stage, &at, narrow),
        output_tile(stage, narrow || has_goals),
    ];
    if has_goals {
        let mut goodput = goodput_tile(run, stage, focus);
        let goals = goals_tile(stage);
        // Seven would need a second row in a narrow window.
        if narrow {
            goodput.note = format!("{} {} in goals", goals.value, goals.unit);
            goodput.tip = format!("{}\n{}", goodput.tip, goals.tip);
            tiles.push(goodput);
        } else {
            tiles.extend([goodput, goals]);
        }
    } else {
        tiles.push(requests_tile(run, stage, focus));
    }
    // A narrow label has no room for it.
    if !whose.is_empty() {
        for tile in &mut tiles {
            tile.tip = format!("Of {whose}\n{}", tile.tip);
        }
    }
    tiles.push(errors_tile(run, stage));
    tiles.push(verdict_tile(run, narrow, if has_goals { 18 } else { 24 }));
    tiles
}

/// The stage's name where there is little room: `users` goes without saying where every stage has them.
fn tight(run: &RunData, label: &str) -> String {
    let stages = &run.plan().stages;
    let only_users = stages.iter().all(|s| s.load.over() == Some(Over::Users));
    if only_users {
        return format!(" at {}", label.trim_end_matches(" users"));
    }
    let per_second = label.replace(" req/s", "/s");
    format!(", {}", if label.len() > 9 { &per_second } else { label })
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

/// `in flight 10`; of an open loop that has ended the rate that was asked.
fn load_note(run: &RunData, stage: Option<&StageSummary>, focus: Option<StageIdx>) -> String {
    let in_flight = match progress(run) {
        Some(p) if focus == Some(p.stage) => Some(p.in_flight),
        _ => stage.map(|s| s.users),
    };
    let planned = focus.and_then(|f| run.plan().stage(f));
    match planned.filter(|s| s.load.is_open()) {
        Some(stage) if progress(run).is_none_or(|p| focus != Some(p.stage)) => match stage.load {
            Load::Replay { .. } => "as the trace has them".to_owned(),
            _ => format!("asked {}", stage.load.label()),
        },
        _ => in_flight.map_or_else(String::new, |n| {
            format!("in flight {}", format::count(f64::from(n)))
        }),
    }
}

fn rate_or_unknown(rate: Option<f64>) -> (String, String) {
    match rate {
        Some(rate) => (format::rate(rate), "/s".to_owned()),
        None => (format::UNKNOWN.to_owned(), String::new()),
    }
}

fn requests_tile(run: &RunData, stage: Option<&StageSummary>, focus: Option<StageIdx>) -> Tile {
    let (value, unit) = rate_or_unknown(stage.and_then(|s| s.request_rate));
    Tile {
        label: "Requests".to_owned(),
        value,
        unit,
        note: load_note(run, stage, focus),
        tip: MetricId::RequestRate.metric().formula.to_owned(),
        level: None,
    }
}

/// Requests that met every goal, of all that ended well.
fn goodput_tile(run: &RunData, stage: Option<&StageSummary>, focus: Option<StageIdx>) -> Tile {
    let (value, unit) = rate_or_unknown(stage.and_then(|s| s.goodput));
    let rate = stage.and_then(|s| s.request_rate);
    let of = rate.map(|r| format!("of {} req/s", format::rate(r)));
    let load = load_note(run, stage, focus);
    Tile {
        label: "Goodput".to_owned(),
        value,
        unit,
        note: of.unwrap_or_default(),
        tip: format!("{}\n{load}", MetricId::Goodput.metric().formula),
        level: None,
    }
}

fn goals_tile(stage: Option<&StageSummary>) -> Tile {
    let goals = stage.map(|s| s.goals.as_slice()).unwrap_or_default();
    let share = stage.and_then(|s| s.attainment).map(format::percent);
    let (value, unit) = share.map_or_else(
        || (format::UNKNOWN.to_owned(), String::new()),
        |s| split(&s),
    );
    let words = stage.and_then(goals_words).unwrap_or_default();
    let n_of = |verdict| goals.iter().filter(|r| r.verdict == verdict).count();
    let n_open = n_of(GoalVerdict::Unresolved);
    let note = match (overall(goals), goals.len()) {
        (_, 0) => String::new(),
        (GoalVerdict::Met, _) | (_, 1) => words.clone(),
        (GoalVerdict::Missed, n) => format!("misses {} of {n} goals", n_of(GoalVerdict::Missed)),
        (GoalVerdict::Unresolved, n) => format!("{n_open} of {n} unresolved"),
    };
    Tile {
        label: "Within goals".to_owned(),
        value,
        unit,
        note,
        tip: format!("{}\n{words}", MetricId::Attainment.metric().formula),
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
    let dropped: u64 = stages.iter().map(|s| s.dropped).sum();
    if dropped > 0 {
        note = format!("{} dropped", format::count(dropped as f64));
    }
    let tip = format!(
        "{}\nOf all that ended: {} failed, {cut} cancelled or cut off; {dropped} dropped, because as many as the plan allows were in flight",
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

fn verdict_tile(run: &RunData, narrow: bool, room: usize) -> Tile {
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
    // Tiles beside each other have room for this much.
    let checks = if lead.len() + checks.len() > room {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_and_its_unit_come_apart() {
        assert_eq!(split("184 ms"), ("184".to_owned(), "ms".to_owned()));
        assert_eq!(split("–"), ("–".to_owned(), String::new()));
    }
}
