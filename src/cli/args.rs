//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Show a run file's summary. Exit code: 0 if it opened, else 2.
    Show(ShowArgs),
    /// Start the embedded demo server and run the demo plan: in the window, or here where there is no display.
    Demo(DemoArgs),
    /// Run the embedded demo server until it gets SIGTERM or Ctrl-C.
    ServeDemo(ServeDemoArgs),
    /// Find out what stands behind a URL, a Space name or a curl command.
    Detect(DetectArgs),
    /// Write a new plan, or check one.
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
    /// Print a plan to start from: a preset's name, or none for the simplest. `--list` names the presets.
    New {
        preset: Option<String>,
        #[arg(long)]
        list: bool,
        /// The target's URL.
        #[arg(long)]
        url: Option<String>,
    },
    /// Report every issue with line and field. Exit code: 0 if there is none, else 2.
    Check { file: PathBuf },
}

/// What to measure and how. Flags override the plan.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A plan (TOML).
    pub plan: Option<PathBuf>,
    /// Base URL, full route or Space (`owner/name`).
    #[arg(long)]
    pub url: Option<String>,
    #[arg(
        long,
        value_name = "gradio|openai-chat|openai-completions|openai-responses|tgi|ollama|http|auto"
    )]
    pub protocol: Option<String>,
    /// Gradio: the named endpoint, as /chat.
    #[arg(long)]
    pub api_name: Option<String>,
    /// Gradio: which of its wires.
    #[arg(long, value_name = "queue|call")]
    pub gradio_mode: Option<String>,
    /// Gradio: an input by name; the value is JSON, or text as it stands. A file is `NAME={"file":"path"}`.
    #[arg(long = "input", value_name = "NAME=JSON")]
    pub inputs: Vec<String>,
    /// The model; none asks the server for its first.
    #[arg(long)]
    pub model: Option<String>,
    /// System prompt.
    #[arg(long)]
    pub system: Option<String>,
    /// User prompt; repeat for several, sent in turn.
    #[arg(long = "user", value_name = "TEXT")]
    pub users: Vec<String>,
    /// File with one user prompt a line.
    #[arg(long, value_name = "FILE")]
    pub prompts: Option<PathBuf>,
    /// One user, N requests.
    #[arg(long, value_name = "N", conflicts_with_all = ["tiers", "requests", "requests_per_user", "duration"])]
    pub iterations: Option<u64>,
    /// Users of each stage: 1,10,100.
    #[arg(long, value_name = "LIST")]
    pub tiers: Option<String>,
    #[arg(long, value_name = "R", conflicts_with_all = ["requests", "duration"])]
    pub requests_per_user: Option<String>,
    /// Requests of each stage: one number, or one for each.
    #[arg(long, value_name = "N[,N…]", conflicts_with = "duration")]
    pub requests: Option<String>,
    /// Time of each stage: 10s, 1.5m.
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// steady: each user goes on at once; burst: rounds released together; wave: rounds with a seeded 0–500 ms jitter.
    #[arg(long, value_name = "steady|burst|wave")]
    pub mode: Option<String>,
    /// Cold requests before all else; never in the figures.
    #[arg(long, value_name = "K")]
    pub cold: Option<u32>,
    /// Warm-up by requests (20) or time (10s); never in the figures.
    #[arg(long, value_name = "N|TIME")]
    pub warmup: Option<String>,
    /// Output tokens at most.
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u32>,
    #[arg(long)]
    pub seed: Option<u64>,
    /// A header of every request.
    #[arg(long = "header", value_name = "K:V")]
    pub headers: Vec<String>,
    /// Environment variable that holds the bearer key.
    #[arg(long, value_name = "VAR")]
    pub key_env: Option<String>,
    /// Let the key go over plain http to another machine.
    #[arg(long)]
    pub key_over_http: bool,
    #[arg(long)]
    pub label: Option<String>,
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Any field of the plan: target.timeouts.idle_secs=30.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub sets: Vec<String>,
    /// The run file; `.zst` compresses it at the end. Otherwise it goes into the data folder.
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print only the summary as JSON.
    #[arg(long)]
    pub json: bool,
    /// No progress on stderr.
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    pub run: PathBuf,
    /// Print the summary as JSON.
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
