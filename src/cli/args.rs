//! What can be typed.

mod plan_args;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use plan_args::{LoadArgs, PlanArgs, PromptArgs, TargetArgs};

/// Measure how fast an inference endpoint really is.
///
/// Without a command the window opens; FILES are run files or plans to open in it.
#[derive(Debug, Parser)]
#[command(
    name = "inferometer",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 110
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Run files (`*.run.jsonl`, `.zst`) or plans (`*.plan.toml`) to open in the window.
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure: a plan file, or everything by flags. Progress on stderr, the summary on stdout.
    ///
    /// Exit code: 0 valid, 2 usage or plan error, 3 done but not valid, 4 unreachable or every request failed, 130 interrupted.
    Run(Box<RunArgs>),
    /// Show run files' summaries. Exit code: 0 if all opened, else 2.
    Show(ShowArgs),
    /// Start the embedded demo server and run the demo plan: in the window, or here where there is no display.
    Demo(DemoArgs),
    /// Run the embedded demo server until it gets SIGTERM or Ctrl-C.
    ServeDemo(ServeDemoArgs),
    /// Find out what stands behind a URL, a Space name or a curl command.
    Detect(DetectArgs),
    /// Write a new plan, check one, or show what a run would be.
    Plan {
        #[command(subcommand)]
        command: PlanCommand,
    },
    /// Print a JSON schema.
    Schema {
        /// Of one line of a run file, or of a plan.
        kind: SchemaKind,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SchemaKind {
    Run,
    Plan,
}

#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Print a plan to start from: a preset's name, or none for the simplest.
    New {
        preset: Option<String>,
        /// Name the presets, as `plan list` does.
        #[arg(long)]
        list: bool,
        /// The target's URL.
        #[arg(long)]
        url: Option<String>,
    },
    /// Name the presets, one line each.
    List,
    /// Report every issue with line and field. Exit code: 0 if there is none, else 2.
    Check { file: PathBuf },
    /// Print the plan that `run` would run with the same arguments, and how long it would take. Sends nothing.
    Show(Box<PlanArgs>),
}

/// A plan, and what becomes of its run.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub plan: PlanArgs,
    /// The run file; `.zst` compresses it at the end. Otherwise it goes into the data folder. Of several runs (--vary) each
    /// gets its number before the ending.
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub out: Option<PathBuf>,
    /// Print only the summary as JSON; with --vary a list with one entry for each run, and
    /// why for one that did not start.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// No progress on stderr.
    #[arg(long, help_heading = OUTPUT)]
    pub quiet: bool,
}

const OUTPUT: &str = "Output";

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Run files; several runs of one varied plan also as a table by its values.
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Print the summary as JSON; of several files a list.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stay in the terminal.
    #[arg(long)]
    pub no_window: bool,
    /// The run file.
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[arg(long)]
    pub json: bool,
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct ServeDemoArgs {
    /// 0 takes any free port.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// How it behaves (TOML); see resources/demo/.
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// JSON Lines of what it sent and when.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DetectArgs {
    /// URL, host:port, `owner/name`, or a whole curl command in quotes.
    pub text: String,
    #[arg(long)]
    pub json: bool,
    /// Environment variable that holds the bearer key.
    #[arg(long, value_name = "VAR")]
    pub key_env: Option<String>,
    #[arg(long)]
    pub insecure: bool,
}
