//! What a run does while it goes, on stderr: one line that is written over, and a line that stays for each stage that ended.

use std::io::IsTerminal as _;
use std::sync::Arc;

use super::print;
use super::summary::goals_line;
use crate::domain::{
    Distribution, Load, MadeBy, MetricId, Phase, Progress as Doing, RunData, RunState, StageBorder,
    StageIdx, Summary,
};

/// Nothing where it is quiet; where stderr is no terminal, the line only when the stage changes.
pub(super) struct Progress {
    is_quiet: bool,
    last: String,
    /// Stages whose end was told.
    n_told: usize,
    /// The figures when the next stage to be told was seen to have ended: newer ones hold its last requests.
    ended: Option<Arc<Summary>>,
}

impl Progress {
    pub(super) fn new(is_quiet: bool) -> Self {
        Self {
            is_quiet,
            last: String::new(),
            n_told: 0,
            ended: None,
        }
    }

    /// Another run begins, under a line that names it.
    pub(super) fn begin(&mut self, line: &str) {
        self.say(line);
        *self = Self::new(self.is_quiet);
    }

    /// What preparation found that a person should know.
    pub(super) fn notes(&self, notes: &[String]) {
        for note in notes {
            self.say(&format!("note: {note}"));
        }
    }

    pub(super) fn show(&mut self, run: &RunData) {
        if self.is_quiet {
            return;
        }
        self.stages(run);
        let line = line(run);
        if line.is_empty() || line == self.last {
            return;
        }
        if std::io::stderr().is_terminal() {
            print::err_part(&format!("\r\x1b[2K{}", print::visible(&line)));
        } else if stage_of(&line) != stage_of(&self.last) {
            print::err(&line);
        }
        self.last = line;
    }

    /// Tells the stages that are still to be told.
    pub(super) fn end(&mut self, run: &RunData) {
        self.clear();
        while !self.is_quiet && has_ended(run, self.n_told) {
            self.tell_stage(run);
        }
    }

    pub(super) fn clear(&self) {
        if !self.is_quiet && !self.last.is_empty() && std::io::stderr().is_terminal() {
            print::err_part("\r\x1b[2K");
        }
    }

    fn say(&self, line: &str) {
        if !self.is_quiet {
            self.clear();
            print::err(line);
        }
    }

    /// Tells a stage that has ended, once its figures are whole.
    fn stages(&mut self, run: &RunData) {
        if !has_ended(run, self.n_told) {
            return;
        }
        let then = self.ended.get_or_insert_with(|| Arc::clone(&run.summary));
        if !Arc::ptr_eq(then, &run.summary) {
            self.tell_stage(run);
        }
    }

    fn tell_stage(&mut self, run: &RunData) {
        if let Some(line) = stage_line(run, self.n_told) {
            self.say(&line);
        }
        // It was written over.
        self.last.push(' ');
        self.n_told += 1;
        self.ended = None;
    }
}

fn has_ended(run: &RunData, stage: usize) -> bool {
    let is_it = |stage_idx: StageIdx| stage_idx.index() == stage;
    run.borders
        .iter()
        .any(|b| is_it(b.stage) && b.end_ns.is_some())
}

/// `  10 req/s: 98 ok, 2 failed, TTFT p50 0.123 s p95 0.201 s, 9.8 req/s; met: p95 TTFT ≤ 500 ms by 98.0 % (93 to 99 %)`.
fn stage_line(run: &RunData, stage: usize) -> Option<String> {
    let idx = StageIdx::from_index(stage);
    let (summary, border) = (
        run.summary.stages.get(stage)?,
        run.borders.iter().find(|b| b.stage == idx)?,
    );
    let what = match border.made.as_ref().map(|made| made.why) {
        Some(MadeBy::Throughput) => "the most, ",
        Some(MadeBy::Probe) => "probe, ",
        Some(MadeBy::Changed) => "changed, ",
        Some(MadeBy::Resumed) => "resumed, ",
        Some(MadeBy::Step) | None => "",
    };
    let mut parts = vec![format!("{} ok", summary.ok)];
    for (n, word) in [(summary.failed, "failed"), (summary.dropped, "dropped")] {
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    let ttft = summary.metric(MetricId::Ttft).filter(|d| d.n > 0);
    parts.extend(ttft.and_then(latencies));
    parts.extend(summary.request_rate.map(|rate| format!("{rate:.1} req/s")));
    let asked = run.plan().stage(idx).map(|s| &s.load);
    if let (Some(sent), Some(Load::Open { .. })) = (summary.sent_rate, asked) {
        parts.push(format!("{sent:.1} req/s sent"));
    }
    let goals = goals_line(summary).map(|line| format!("; {line}"));
    let stopped = border.stopped.as_ref().map(|why| format!("; {why}"));
    Some(format!(
        "  {what}{}: {}{}{}",
        summary.label,
        parts.join(", "),
        goals.unwrap_or_default(),
        stopped.unwrap_or_default()
    ))
}

fn latencies(ttft: &Distribution) -> Option<String> {
    let (p50, p95) = (ttft.p50? / 1e3, ttft.p95? / 1e3);
    Some(format!("TTFT p50 {p50:.3} s p95 {p95:.3} s"))
}

fn stage_of(line: &str) -> &str {
    line.split(':').next().unwrap_or_default()
}

fn line(run: &RunData) -> String {
    match &run.state {
        RunState::Preparing { what } => what.clone(),
        RunState::Running(p) => doing(run, p),
        RunState::Paused(p) => format!("{} (paused)", doing(run, p)),
        RunState::Stopping(p) => format!("{} (stopping)", doing(run, p)),
        RunState::AwaitingRestart { .. } | RunState::Finished | RunState::Interrupted => {
            String::new()
        }
    }
}

/// `stage 2 of 3`; where stages come to be while the run goes `probe 3, 8 req/s` or `step 2 of 5, 8 req/s`.
fn place(run: &RunData, at: StageIdx) -> String {
    let (n, plan) = (at.index() + 1, run.plan());
    let why = |b: &StageBorder| b.made.as_ref().map(|made| made.why);
    let made = run.borders.iter().find(|b| b.stage == at).and_then(why);
    let rank = |of: MadeBy| {
        let so_far = run.borders.iter().filter(|b| b.stage.index() <= at.index());
        so_far.filter(|b| why(b) == Some(of)).count()
    };
    let mut asked = run.head.plan.stages.iter().map(|s| &s.load);
    let words = match made {
        Some(MadeBy::Throughput) => "the most".to_owned(),
        Some(MadeBy::Probe) => format!("probe {}", rank(MadeBy::Probe)),
        Some(MadeBy::Step) => match asked.clone().find_map(steps) {
            Some(of) if rank(MadeBy::Step) <= of => {
                format!("step {} of {of}", rank(MadeBy::Step))
            }
            _ => format!("step {}", rank(MadeBy::Step)),
        },
        // How many there will be is not known where the load unfolds while it goes.
        _ if asked.any(Load::unfolds) || n > plan.stages.len() => format!("stage {n}"),
        _ => return format!("stage {n} of {}", plan.stages.len()),
    };
    match plan.stage(at) {
        Some(stage) => format!("{words}, {}", stage.load.label()),
        None => words,
    }
}

/// Of a sweep, where it is the only one.
fn steps(load: &Load) -> Option<usize> {
    match load {
        Load::Sweep { steps, .. } => usize::try_from(steps.get()).ok(),
        _ => None,
    }
}

/// `stage 2 of 3, warm-up: 4/20 done, 2 in flight, 9 s left`.
fn doing(run: &RunData, p: &Doing) -> String {
    let stage = place(run, p.stage);
    let left = match p.left_secs {
        Some(secs) if secs >= 1.0 => format!(", {secs:.0} s left"),
        _ => String::new(),
    };
    let phase = match p.phase {
        None if p.share >= 1.0 => return "all sent: closing the run file".to_owned(),
        None => return format!("{stage}: waiting before it{left}"),
        Some(Phase::Cold) => ", cold",
        Some(Phase::Warmup) => ", warm-up",
        Some(Phase::Measure | Phase::Drain) => "",
    };
    let of = p.of.map(|n| format!("/{n}")).unwrap_or_default();
    format!(
        "{stage}{phase}: {}{of} done, {} in flight{left}",
        p.done, p.in_flight
    )
}
