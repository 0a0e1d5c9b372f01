//! The flags that make a plan: each is a field of the plan, by the same grammar.

use std::path::PathBuf;

use clap::Args;

/// What to measure and how. Flags override the plan, --set overrides flags.
#[derive(Clone, Debug, Default, Args)]
pub struct PlanArgs {
    /// A plan (TOML).
    pub plan: Option<PathBuf>,
    /// Begin with a preset instead of a plan file; `inferometer plan list` names them.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub prompts: PromptArgs,
    #[command(flatten)]
    pub load: LoadArgs,
    /// What requests should keep to, as ttft.p95:500ms, itl.p99:50ms or decode_rate.p95:10 (tokens/s), or a preset:
    /// interactive, batch, mlperf-llama2-70b, … Repeat for several. Goodput counts the requests that meet all.
    #[arg(long = "goal", value_name = "METRIC.pNN:LIMIT|PRESET", help_heading = PLAN)]
    pub goals: Vec<String>,
    /// Run once with each value of a field, as workload.max_tokens=16,64,256 or target.model=a,b. Repeat for a grid. A field
    /// of the request's own body: workload.extra_body.temperature=0,1; a Gradio input: workload.inputs.NAME=a,b.
    #[arg(long, value_name = "FIELD=V1,V2,…", help_heading = PLAN)]
    pub vary: Vec<String>,
    /// Every value with every other (grid), or each field by itself.
    #[arg(long, value_name = "grid|one-at-a-time", help_heading = PLAN)]
    pub vary_mode: Option<String>,
    /// Of everything random: arrivals, lengths, prompt order.
    #[arg(long, value_name = "N", help_heading = PLAN, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    #[arg(long, help_heading = PLAN)]
    pub label: Option<String>,
    #[arg(long = "tag", value_name = "TAG", help_heading = PLAN)]
    pub tags: Vec<String>,
    /// Any field of the plan: target.timeouts.idle_secs=30.
    #[arg(long = "set", value_name = "FIELD=VALUE", help_heading = PLAN)]
    pub sets: Vec<String>,
}

const PLAN: &str = "Goals, variations and the rest of the plan";

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Target")]
pub struct TargetArgs {
    /// Base URL, full route or Space (`owner/name`).
    #[arg(long)]
    pub url: Option<String>,
    #[arg(
        long,
        value_name = "gradio|openai-chat|openai-completions|openai-responses|tgi|ollama|http|auto"
    )]
    pub protocol: Option<String>,
    /// How any other HTTP endpoint is asked: a TOML file with the fields of target.template (protocol http).
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
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
    /// A header of every request.
    #[arg(long = "header", value_name = "K:V")]
    pub headers: Vec<String>,
    /// Environment variable that holds the bearer key.
    #[arg(long, value_name = "VAR")]
    pub key_env: Option<String>,
    /// Let the key go over plain http to another machine.
    #[arg(long)]
    pub key_over_http: bool,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Prompts")]
pub struct PromptArgs {
    /// System prompt.
    #[arg(long)]
    pub system: Option<String>,
    /// User prompt; repeat for several, sent in turn.
    #[arg(long = "user", value_name = "TEXT")]
    pub users: Vec<String>,
    /// File with one user prompt a line.
    #[arg(long, value_name = "FILE")]
    pub prompts: Option<PathBuf>,
    /// Prompts from a file (JSON, JSONL, CSV, Parquet, text), a folder, or a dataset's file on the Hugging Face Hub.
    #[arg(long, value_name = "FILE|hf:OWNER/NAME/FILE")]
    pub dataset: Option<String>,
    /// Synthetic prompts of so many tokens: 200, normal:200,10,180,220 (mean, deviation, least, most) or uniform:100..300.
    /// With a dataset, its prompts are cut to that length.
    #[arg(long, value_name = "LENGTH", allow_hyphen_values = true)]
    pub input_tokens: Option<String>,
    /// Output tokens at most, drawn for each request: as --input-tokens.
    #[arg(long, value_name = "LENGTH", allow_hyphen_values = true)]
    pub output_tokens: Option<String>,
    /// How much synthetic prompts have in common: nothing, all, or that share of each from its start, as shared:0.5.
    #[arg(long, value_name = "unique|fixed|shared:SHARE")]
    pub sharing: Option<String>,
    /// Who counts tokens on our side: the embedded vocabulary, the server's /tokenize, or a tokenizer.json.
    #[arg(long, value_name = "o200k|server|hf:OWNER/NAME|FILE")]
    pub tokenizer: Option<String>,
    /// Turns of each conversation; the model's own answers are sent with the next turn.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub turns: Option<u32>,
    /// Between an answer's end and the conversation's next turn: 2s, 500ms.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub think: Option<String>,
    /// Output tokens at most.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub max_tokens: Option<u32>,
    /// Ask the server to go on to the most tokens, whatever the model wants; sent where the server takes it.
    #[arg(long)]
    pub ignore_eos: bool,
}

/// One of iterations, tiers, rate, sweep, search and replay; what shapes it; and how long it is.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Load: one of iterations, tiers, rate, sweep, search, replay")]
pub struct LoadArgs {
    /// One user, N requests.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub iterations: Option<u64>,
    /// Users of each stage: 1,10,100. Each waits for its answer before it sends again.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub tiers: Option<String>,
    /// Requests per second of each stage: 5,10,20.5. They leave at their times, whatever becomes of those before.
    #[arg(long, value_name = "R[,R…]", allow_hyphen_values = true)]
    pub rate: Option<String>,
    /// Find the most that the server does, then N stages up to 120 % of it (with --over users: up to --max-users).
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub sweep: Option<String>,
    /// Find the largest load that meets the goals, by doubling and then bisection.
    #[arg(long)]
    pub search: bool,
    /// Send when the requests of a trace were sent, with its lengths: Azure or BurstGPT CSV, Mooncake JSONL, a run file.
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
    /// Requests of each stage: one number, or one for each.
    #[arg(long, value_name = "N[,N…]", allow_hyphen_values = true)]
    pub requests: Option<String>,
    /// Of tiers: requests of each user (10 where no length is given).
    #[arg(long, value_name = "R[,R…]", allow_hyphen_values = true)]
    pub requests_per_user: Option<String>,
    /// Time of each stage: 10s, 1.5m (30s for rates, sweep and search where no length is given).
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub duration: Option<String>,
    /// Of tiers. steady: each user goes on at once; burst: rounds released together; wave: rounds with a seeded 0–500 ms
    /// jitter.
    #[arg(long, value_name = "steady|burst|wave")]
    pub mode: Option<String>,
    /// Of rates, sweep and search: even gaps, those of many independent people (Poisson), or gamma gaps, burstier below
    /// shape 1 (default: poisson).
    #[arg(long, value_name = "constant|poisson|gamma:SHAPE")]
    pub arrival: Option<String>,
    /// Of rates and tiers: grow over the stage's time; TO is the stage's own rate or users, as linear:1..50.
    #[arg(
        long,
        value_name = "linear|exponential:FROM..TO",
        allow_hyphen_values = true
    )]
    pub ramp: Option<String>,
    /// Of rates and replay: requests in flight at once at most.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub max_in_flight: Option<String>,
    /// Of rates and replay: at that limit wait, or do not send and count as dropped (default: queue).
    #[arg(long, value_name = "queue|drop")]
    pub when_full: Option<String>,
    /// Of a sweep: users at once that find the most the server does (default: 128).
    #[arg(long, value_name = "U", allow_hyphen_values = true)]
    pub max_users: Option<String>,
    /// Of sweep and search: what changes, requests per second or users (default: rate).
    #[arg(long, value_name = "rate|users")]
    pub over: Option<String>,
    /// Of a search: the first load that is tried, in requests/s or users (default: 1).
    #[arg(long, value_name = "LOAD", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// Of a search: no load above this is tried, in requests/s or users (default: 1000).
    #[arg(long, value_name = "LOAD", allow_hyphen_values = true)]
    pub max: Option<String>,
    /// Of a replay: 2 sends twice as fast (default: 1).
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub time_scale: Option<String>,
    /// Cold requests before all else; never in the figures.
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    pub cold: Option<u32>,
    /// Warm-up by requests (20) or time (10s); never in the figures.
    #[arg(long, value_name = "N|TIME", allow_hyphen_values = true)]
    pub warmup: Option<String>,
    /// End a stage, and a sweep's climb, once requests in flight and time to first token both rise.
    #[arg(long)]
    pub stop_when_saturated: bool,
    /// Gradio: other visitors load the page, upload and download meanwhile; measured apart. Set the numbers by
    /// mixed_traffic.uploads=2 and the like.
    #[arg(long)]
    pub mixed_traffic: bool,
}
