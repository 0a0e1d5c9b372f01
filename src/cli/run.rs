//! `run`, `show` and `demo`: a session, its progress on stderr, the summary on stdout.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use super::args::{DemoArgs, RunArgs, ShowArgs};
use super::restart::Restarts;
use super::{exit, print, summary};
use crate::domain::{Issue, OutcomeKind, Phase, Plan, Progress as Doing, RunData, RunState};
use crate::session::{Command, Event, Session};

/// The session as a terminal uses it: waits for what comes.
pub(super) struct Door {
    session: Session,
    woken: Receiver<()>,
}

impl Door {
    pub(super) fn open() -> Result<Self, String> {
        let (wake, woken) = sync_channel(1);
        let session = Session::start(move || {
            wake.try_send(()).ok();
        })
        .map_err(|e| format!("cannot start: {e:#}"))?;
        Ok(Self { session, woken })
    }

    pub(super) fn send(&self, command: Command) {
        self.session.send(command);
    }

    /// Waits a moment for something new.
    fn wait(&self) {
        self.woken.recv_timeout(Duration::from_millis(200)).ok();
    }

    /// The next event, however long it takes; `None` when the session has ended.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.session.try_event() {
                return Some(event);
            }
            if self.session.has_ended() {
                return self.session.try_event();
            }
            self.wait();
        }
    }
}

pub(super) fn run(args: &RunArgs) -> ExitCode {
    if args.plan.plan.is_none() && args.plan.target.url.is_none() {
        return super::fail("say what to measure: a plan file, or --url URL");
    }
    let plan = match super::plan::plan_from_args(&args.plan) {
        Ok(plan) => plan,
        Err(issues) => {
            for issue in &issues {
                print::err(&format!("inferometer: {issue}"));
            }
            return ExitCode::from(exit::USAGE);
        }
    };
    measure(
        plan,
        args.out.clone(),
        &Show {
            json: args.json,
            quiet: args.quiet,
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
            &Show {
                json: args.json,
                quiet: args.quiet,
            },
        ),
        Err(message) => super::fail(&message),
    }
}

/// What `run` and `demo` share.
struct Show {
    json: bool,
    quiet: bool,
}

fn measure(plan: Plan, out: Option<PathBuf>, show: &Show) -> ExitCode {
    let mut door = match Door::open() {
        Ok(door) => door,
        Err(message) => return super::fail(&message),
    };
    // Before the run, so that no signal meets a run that is not stopped by it.
    if let Err(message) = door.session.stop_on_signals() {
        return super::fail(&message);
    }
    door.send(Command::Start {
        plan: Arc::new(plan),
        out,
    });
    let mut progress = Progress {
        quiet: show.quiet,
        ..Progress::default()
    };
    let mut restarts = Restarts::default();
    let mut looks_without_a_run = 0;
    loop {
        door.wait();
        while let Some(event) = door.session.try_event() {
            match event {
                Event::Refused { issues } => {
                    progress.clear();
                    return refused(&issues, door.session.was_interrupted());
                }
                Event::RunEnded { run } => {
                    progress.clear();
                    let interrupted = door.session.was_interrupted();
                    return match restarts.unanswered().filter(|_| !interrupted) {
                        Some(message) => super::fail(message),
                        None => finish(&run, show, interrupted),
                    };
                }
                Event::Failed { message } => {
                    progress.clear();
                    print::err(&format!("inferometer: {message}"));
                }
                Event::RunStarted { notes, .. } if !show.quiet => {
                    progress.clear();
                    for note in &notes {
                        print::err(&format!("note: {note}"));
                    }
                }
                _ => {}
            }
        }
        if door.session.has_ended() {
            return super::fail("the session ended before the run did");
        }
        match door.session.changed_snapshot() {
            Some(Some(run)) => {
                if let RunState::AwaitingRestart { cycle, of } = run.state {
                    progress.clear();
                    restarts.ask(cycle, of, &door.session);
                } else {
                    progress.show(&run);
                }
            }
            // The run is gone; its last event comes right after, or told what failed already.
            Some(None) => looks_without_a_run = 1,
            None if looks_without_a_run > 0 => looks_without_a_run += 1,
            None => {}
        }
        if looks_without_a_run > LOOKS_MAX {
            return super::fail("the run broke off by a fault of this program");
        }
    }
}

/// Looks at a session whose run is gone before the run counts as broken: five seconds.
const LOOKS_MAX: u32 = 25;

/// The session's word for a target that did not answer.
const UNREACHABLE: &str = "target.unreachable";

fn refused(issues: &[Issue], interrupted: bool) -> ExitCode {
    for issue in issues {
        // What did not answer is no field to mend.
        let field = Some(format!("{}: ", issue.field)).filter(|_| issue.field != UNREACHABLE);
        print::err(&format!(
            "inferometer: {}{}",
            field.unwrap_or_default(),
            issue.message
        ));
    }
    let unreachable = issues.iter().any(|i| i.field == UNREACHABLE);
    ExitCode::from(if interrupted {
        exit::INTERRUPTED
    } else if unreachable {
        exit::UNREACHABLE
    } else {
        exit::USAGE
    })
}

fn finish(run: &RunData, show: &Show, interrupted: bool) -> ExitCode {
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
    match crate::session::open_run(&args.run) {
        Ok(run) if args.json => print::out(&summary::json(&run), exit::OK),
        Ok(run) => print::out(&summary::text(&run), exit::OK),
        Err(message) => super::fail(&format!("{}: {message}", shown(&args.run))),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// One line on stderr that is written over; nothing when stderr is not a terminal, but for the stages.
#[derive(Default)]
struct Progress {
    quiet: bool,
    last: String,
}

impl Progress {
    fn show(&mut self, run: &RunData) {
        if self.quiet {
            return;
        }
        let line = line(run);
        if line.is_empty() || line == self.last {
            return;
        }
        if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            print::err_part(&format!("\r\x1b[2K{line}"));
        } else if stage_of(&line) != stage_of(&self.last) {
            print::err(&line);
        }
        self.last = line;
    }

    fn clear(&self) {
        if !self.quiet
            && !self.last.is_empty()
            && std::io::IsTerminal::is_terminal(&std::io::stderr())
        {
            print::err_part("\r\x1b[2K");
        }
    }
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

/// `stage 2 of 3, warm-up: 4/20 done, 2 in flight, 9 s left`.
fn doing(run: &RunData, p: &Doing) -> String {
    let n_stages = run.plan().stages.len();
    let stage = format!("stage {} of {n_stages}", p.stage.index() + 1);
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
