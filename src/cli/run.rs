//! `run`, `show` and `demo`: a session, its progress on stderr, the summary on stdout.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::args::{DemoArgs, PlanArgs, RunArgs, ShowArgs};
use super::door::Door;
use super::keys::Keys;
use super::progress::Progress;
use super::restart::Restarts;
use super::summary::Entry;
use super::{exit, print, summary};
use crate::domain::{
    ColdHow, Issue, LiveSnapshot, OutcomeKind, Plan, RunData, RunState, duration_words,
    variant_words,
};
use crate::session::{Command, Event};

pub(super) fn run(args: &RunArgs) -> ExitCode {
    if args.plan.plan.is_none() && args.plan.target.url.is_none() {
        return super::fail("say what to measure: a plan file, or --url URL");
    }
    let plan = match super::plan::plan_from_args(&args.plan) {
        Ok(plan) => plan,
        Err(issues) => return super::plan::refused(&issues),
    };
    measure(
        plan,
        args.out.clone(),
        Show {
            json: args.json,
            quiet: args.quiet,
            flags: Some(&args.plan),
        },
    )
}

pub(super) fn demo(args: &DemoArgs) -> ExitCode {
    let server = match crate::session::start_demo_server(0, None, None) {
        Ok(server) => server,
        Err(message) => return super::fail(&message),
    };
    if !args.quiet {
        print::err(&format!(
            "demo server at {} ({})",
            server.openai_url(),
            server.capacity()
        ));
    }
    match crate::session::demo_plan(&server.openai_url()) {
        Ok(plan) => measure(
            plan,
            args.out.clone(),
            Show {
                json: args.json,
                quiet: args.quiet,
                flags: None,
            },
        ),
        Err(message) => super::fail(&message),
    }
}

/// What `run` and `demo` share.
#[derive(Clone, Copy)]
struct Show<'a> {
    json: bool,
    quiet: bool,
    /// What made the plan: where an issue is told.
    flags: Option<&'a PlanArgs>,
}

fn measure(plan: Plan, out: Option<PathBuf>, show: Show<'_>) -> ExitCode {
    let mut door = match Door::open() {
        Ok(door) => door,
        Err(message) => return super::fail(&message),
    };
    // Before the run, so that no signal meets a run that is not stopped by it.
    if let Err(message) = door.session.stop_on_signals() {
        return super::fail(&message);
    }
    let is_varied = !plan.vary.is_empty();
    // The question of the cold probe is answered by the same input.
    let asks = plan.cold.requests > 0 && plan.cold.how == ColdHow::Restarted;
    let listens = !asks && !show.quiet;
    if is_varied && !show.quiet {
        match crate::session::estimate_with_traces(&plan) {
            Ok(estimate) => print::err(&estimate.to_string()),
            Err(issues) => return ExitCode::from(refused(issues, show, false)),
        }
    }
    door.send(Command::Start {
        plan: Arc::new(plan),
        out,
    });
    let mut following = Following {
        keys: listens.then(Keys::listen).flatten(),
        latest: None,
        is_varied,
        progress: Progress::new(show.quiet),
        show,
        restarts: Restarts::default(),
        looks_without_a_run: 0,
        entries: Vec::new(),
        n_started: 0,
        codes: Vec::new(),
    };
    loop {
        door.wait();
        while let Some(event) = door.session.try_event() {
            if let Some(code) = following.event(event, &door) {
                return code;
            }
        }
        if door.session.has_ended() {
            return super::fail("the session ended before the run did");
        }
        following.look(&mut door);
        if following.looks_without_a_run > LOOKS_MAX {
            return super::fail("the run broke off by a fault of this program");
        }
    }
}

/// A run, or several variations of one, as the terminal follows them.
struct Following<'a> {
    show: Show<'a>,
    keys: Option<Keys>,
    latest: LiveSnapshot,
    is_varied: bool,
    progress: Progress,
    restarts: Restarts,
    looks_without_a_run: u32,
    /// Variations that ended or did not start, how many were tried, and the exit code that each would have by itself.
    entries: Vec<Entry>,
    n_started: usize,
    codes: Vec<u8>,
}

impl Following<'_> {
    /// Takes an event; the exit code where it is the last.
    fn event(&mut self, event: Event, door: &Door) -> Option<ExitCode> {
        match event {
            Event::Refused { issues } => {
                self.progress.clear();
                let code = refused(issues, self.show, door.session.was_interrupted());
                if !self.is_varied || self.n_started == 0 {
                    return Some(ExitCode::from(code));
                }
                self.codes.push(code);
            }
            Event::RunEnded { run } => return self.ended(run, door),
            Event::VariationStarted { index, of, values } => {
                self.looks_without_a_run = 0;
                self.n_started += 1;
                let left = self.left_words(of.saturating_sub(index));
                self.progress.begin(&format!(
                    "variation {} of {of}: {}{left}",
                    index + 1,
                    variant_words(&values)
                ));
            }
            Event::VariationRefused {
                index,
                of,
                values,
                issues,
            } => {
                self.progress.clear();
                print::err(&format!("{} did not start:", variant_words(&values)));
                self.codes.push(refused(issues.clone(), self.show, false));
                self.entries.push(Entry::NotStarted {
                    index,
                    of,
                    values,
                    issues,
                });
            }
            Event::VariationsEnded { .. } => return Some(self.finish_variations(door)),
            Event::Failed { message } => {
                self.progress.clear();
                print::err(&format!("inferometer: {message}"));
            }
            Event::RunStarted { notes, .. } => self.progress.notes(&notes),
            _ => {}
        }
        None
    }

    /// How long so many runs will take by those that ended; nothing before the first has.
    fn left_words(&self, n: u32) -> String {
        let ended = self.entries.iter().filter_map(Entry::run);
        let secs: Vec<f64> = ended.map(|run| run.secs()).collect();
        if secs.is_empty() {
            return String::new();
        }
        let each = secs.iter().sum::<f64>() / secs.len() as f64;
        format!(
            " (about {} left for all)",
            duration_words(each * f64::from(n))
        )
    }

    fn ended(&mut self, run: Arc<RunData>, door: &Door) -> Option<ExitCode> {
        self.progress.end(&run);
        let interrupted = door.session.was_interrupted();
        if let Some(message) = self.restarts.unanswered().filter(|_| !interrupted) {
            return Some(super::fail(message));
        }
        if !self.is_varied {
            return Some(finish(&run, self.show, interrupted));
        }
        self.codes.push(exit_code(&run, interrupted));
        self.entries.push(Entry::Run(run));
        None
    }

    /// All variations on stdout; the worst of their codes.
    fn finish_variations(&mut self, door: &Door) -> ExitCode {
        self.progress.clear();
        // One that neither ended nor was refused broke off; why was said.
        if self.codes.len() < self.n_started {
            self.codes.push(exit::USAGE);
        }
        if door.session.was_interrupted() {
            self.codes.push(exit::INTERRUPTED);
        }
        let severity = |code: &u8| WORST.iter().position(|worst| worst == code);
        let code = self.codes.iter().copied().min_by_key(severity);
        let mut text = if self.show.json {
            summary::json_of_several(&self.entries)
        } else {
            summary::variations(&self.entries)
        };
        let runs = self.entries.iter().filter_map(Entry::run);
        for file in runs.filter_map(|run| run.file.as_ref()) {
            if !self.show.json {
                writeln!(text, "Saved {}", file.display()).ok();
            }
        }
        print::out(&text, code.unwrap_or(exit::OK))
    }

    /// Shows the newest state of the run, if there is one.
    fn look(&mut self, door: &mut Door) {
        match door.session.changed_snapshot() {
            Some(Some(run)) => {
                self.looks_without_a_run = 0;
                if let RunState::AwaitingRestart { cycle, of } = run.state {
                    self.progress.clear();
                    self.restarts.ask(cycle, of, &door.session);
                } else {
                    self.progress.show(&run);
                }
                self.latest = Some(run);
            }
            // The run is gone; its last event comes right after, or told what failed already.
            Some(None) => self.looks_without_a_run = 1,
            None if self.looks_without_a_run > 0 => self.looks_without_a_run += 1,
            None => {}
        }
        if let (Some(keys), Some(run)) = (&mut self.keys, &self.latest) {
            for command in keys.commands(run) {
                door.send(command);
            }
        }
    }
}

/// Exit codes of several runs, the one that counts first.
const WORST: [u8; 5] = [
    exit::INTERRUPTED,
    exit::UNREACHABLE,
    exit::USAGE,
    exit::INVALID,
    exit::OK,
];

/// Looks at a session whose run is gone before the run counts as broken: five seconds.
const LOOKS_MAX: u32 = 25;

/// The session's word for a target that did not answer.
const UNREACHABLE: &str = "target.unreachable";

/// Says every issue, at its flag where one made it; the exit code.
fn refused(issues: Vec<Issue>, show: Show<'_>, interrupted: bool) -> u8 {
    let issues = match show.flags {
        Some(flags) => super::plan::at_flags(issues, flags),
        None => issues,
    };
    for issue in &issues {
        // What did not answer is no field to mend.
        let field = Some(format!("{}: ", issue.field)).filter(|_| issue.field != UNREACHABLE);
        print::err(&format!(
            "inferometer: {}{}",
            field.unwrap_or_default(),
            issue.message
        ));
    }
    let unreachable = issues.iter().any(|i| i.field == UNREACHABLE);
    if interrupted {
        exit::INTERRUPTED
    } else if unreachable {
        exit::UNREACHABLE
    } else {
        exit::USAGE
    }
}

fn finish(run: &RunData, show: Show<'_>, interrupted: bool) -> ExitCode {
    let mut text = if show.json {
        summary::json(run)
    } else {
        summary::text(run)
    };
    if let Some(file) = run.file.as_ref().filter(|_| !show.json) {
        writeln!(text, "\nSaved {}", file.display()).ok();
    }
    print::out(&text, exit_code(run, interrupted))
}

/// 130 before 4 before 3.
fn exit_code(run: &RunData, interrupted: bool) -> u8 {
    let n_ok = run
        .points
        .iter()
        .filter(|p| p.outcome == OutcomeKind::Ok)
        .count();
    let n_failed = run
        .points
        .iter()
        .filter(|p| p.outcome == OutcomeKind::Failed)
        .count();
    if interrupted || run.state == RunState::Interrupted {
        exit::INTERRUPTED
    } else if n_ok == 0 && n_failed > 0 {
        exit::UNREACHABLE
    } else if run.summary.verdict.valid {
        0
    } else {
        exit::INVALID
    }
}

pub(super) fn show(args: &ShowArgs) -> ExitCode {
    let mut runs = Vec::new();
    for path in &args.runs {
        match crate::session::open_run(path) {
            Ok(run) => runs.push(Arc::new(run)),
            Err(message) => return super::fail(&message),
        }
    }
    let text = match (runs.as_slice(), args.json) {
        ([run], true) => summary::json(run),
        (runs, true) => {
            let entries: Vec<Entry> = runs.iter().cloned().map(Entry::Run).collect();
            summary::json_of_several(&entries)
        }
        (runs, false) => summary::text_of_several(runs),
    };
    print::out(&text, exit::OK)
}
