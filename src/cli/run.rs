//! `run`, `show` and `demo`: a session, its progress on stderr, the summary on stdout.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use super::args::{DemoArgs, RunArgs, ShowArgs};
use super::{exit, summary};
use crate::domain::{OutcomeKind, Phase, Plan, Progress as Doing, RunData, RunState};
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
    if args.plan.is_none() && args.url.is_none() {
        return super::fail("say what to measure: a plan file, or --url URL");
    }
    let plan = match super::plan::plan_from_args(args) {
        Ok(plan) => plan,
        Err(issues) => {
            for issue in &issues {
                eprintln!("inferometer: {issue}");
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
        eprintln!(
            "demo server at {} ({})",
            server.openai_url(),
            server.capacity()
        );
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
    door.send(Command::Start {
        plan: Arc::new(plan),
        out,
    });
    if let Err(message) = door.session.stop_on_signals() {
        return super::fail(&message);
    }
    let mut progress = Progress {
        quiet: show.quiet,
        ..Progress::default()
    };
    loop {
        door.wait();
        while let Some(event) = door.session.try_event() {
            match event {
                Event::Refused { issues } => {
                    progress.clear();
                    for issue in &issues {
                        eprintln!("inferometer: {}: {}", issue.field, issue.message);
                    }
                    let unreachable = issues.iter().any(|i| i.field == "target.unreachable");
                    return ExitCode::from(if unreachable {
                        exit::UNREACHABLE
                    } else {
                        exit::USAGE
                    });
                }
                Event::RunEnded { run } => {
                    progress.clear();
                    return finish(&door, &run, show.json);
                }
                Event::Failed { message } => {
                    progress.clear();
                    eprintln!("inferometer: {message}");
                }
                Event::RunStarted { notes, .. } if !quiet => {
                    progress.clear();
                    for note in &notes {
                        eprintln!("note: {}", summary::visible(note));
                    }
                }
                _ => {}
            }
        }
        if door.session.has_ended() {
            return super::fail("the session ended before the run did");
        }
        if let Some(Some(run)) = door.session.changed_snapshot() {
            progress.show(&run);
        }
    }
}

fn finish(door: &Door, run: &RunData, json: bool) -> ExitCode {
    if json {
        println!(
            "{}",
            serde_json::to_string(&*run.summary).unwrap_or_default()
        );
    } else {
        print!("{}", summary::text(run));
        if let Some(file) = &run.file {
            println!("\nSaved {}", file.display());
        }
    }
    ExitCode::from(exit_code(run, door.session.was_interrupted()))
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
        Ok(run) if args.json => {
            println!(
                "{}",
                serde_json::to_string(&*run.summary).unwrap_or_default()
            );
            ExitCode::SUCCESS
        }
        Ok(run) => {
            print!("{}", summary::text(&run));
            ExitCode::SUCCESS
        }
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
            eprint!("\r\x1b[2K{line}");
        } else if stage_of(&line) != stage_of(&self.last) {
            eprintln!("{line}");
        }
        self.last = line;
    }

    fn clear(&self) {
        if !self.quiet
            && !self.last.is_empty()
            && std::io::IsTerminal::is_terminal(&std::io::stderr())
        {
            eprint!("\r\x1b[2K");
        }
    }
}

fn stage_of(line: &str) -> &str {
    line.split(':').next().unwrap_or_default()
}

fn line(run: &RunData) -> String {
    match &run.state {
        RunState::Preparing { what } => what.clone(),
        RunState::AwaitingRestart { cycle, of } => {
            format!("cold cycle {cycle} of {of}: restart the server, then press Enter")
        }
        RunState::Running(p) => doing(run, p),
        RunState::Stopping(p) => format!("{} (stopping)", doing(run, p)),
        RunState::Finished | RunState::Interrupted => String::new(),
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
