//! The windowless front end: the same plan, engine and files, in a terminal or a job.

pub mod args;
mod detect;
mod door;
mod keys;
mod plan;
mod print;
mod progress;
mod restart;
mod run;
mod serve;
mod summary;

use std::process::ExitCode;

use args::{Command, PlanCommand, SchemaKind};

use crate::session;

/// Exit codes, as `run` documents them.
mod exit {
    pub(super) const OK: u8 = 0;
    pub(super) const USAGE: u8 = 2;
    pub(super) const INVALID: u8 = 3;
    pub(super) const UNREACHABLE: u8 = 4;
    pub(super) const INTERRUPTED: u8 = 130;
}

/// Runs one command to its end.
pub fn main(command: Command) -> ExitCode {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Show(args) => run::show(&args),
        Command::Demo(args) => run::demo(&args),
        Command::ServeDemo(args) => serve::serve_demo(&args),
        Command::Detect(args) => detect::detect(&args),
        Command::Plan { command } => plan_command(command),
        Command::Schema { kind } => {
            let schema = session::schema(matches!(kind, SchemaKind::Run));
            print::out(&format!("{schema}\n"), exit::OK)
        }
    }
}

fn plan_command(command: PlanCommand) -> ExitCode {
    match command {
        PlanCommand::New { list: true, .. } | PlanCommand::List => {
            let presets = session::presets();
            let lines = presets.iter().map(|p| format!("{:<20}{}\n", p.id, p.about));
            print::out(&lines.collect::<String>(), exit::OK)
        }
        PlanCommand::Show(args) => plan::show(&args),
        PlanCommand::New { preset, url, .. } => {
            match session::new_plan(preset.as_deref(), url.as_deref()) {
                Ok(text) => print::out(&text, exit::OK),
                Err(message) => fail(&message),
            }
        }
        PlanCommand::Check { file } => match session::read_plan(&file) {
            Ok(_) => print::out(&format!("{}: no issues\n", file.display()), exit::OK),
            Err(issues) => {
                let lines = issues
                    .iter()
                    .map(|issue| format!("{}: {issue}\n", file.display()));
                print::out(&lines.collect::<String>(), exit::USAGE)
            }
        },
    }
}

/// Says why on stderr; exit code 2.
fn fail(message: &str) -> ExitCode {
    print::err(&format!("inferometer: {message}"));
    ExitCode::from(exit::USAGE)
}

/// What `inferometer` alone says in a build without the window.
pub fn without_window(files: &[std::path::PathBuf]) -> ExitCode {
    if let Some(message) = no_command(files) {
        return fail(&message);
    }
    fail(
        "this build has no window (feature `gui`); try `inferometer run --help` or `inferometer show FILE`",
    )
}

/// A word that is no command is taken for a file, which is not there either.
fn no_command(files: &[std::path::PathBuf]) -> Option<String> {
    let word = files.iter().find(|file| !file.exists())?;
    let commands = "run, show, demo, serve-demo, detect, plan and schema";
    Some(format!(
        "“{}” is no command, and no file that is there: commands are {commands}; see `inferometer --help`",
        print::visible(&word.to_string_lossy())
    ))
}

/// What is said when the window cannot open, with the files that it was to show.
pub fn without_display(why: &dyn std::fmt::Display, files: &[std::path::PathBuf]) -> ExitCode {
    if let Some(message) = no_command(files) {
        return fail(&message);
    }
    fail(&format!(
        "the window cannot open: {why}; `inferometer run` and `inferometer demo --no-window` work without a display"
    ))
}
