//! Every field of a plan, once: the reader checks against this table, the writer keeps its order, `--set` finds its way by
//! it, and the JSON schema is made of it.

use std::str::FromStr;

use super::plan_load_fields::{STAGE, STAGE_ENDS};
use crate::domain::{
    DatasetRef, Goal, LengthSpec, MAX_BESIDE_BYTES, MAX_COLD, MAX_SECS, MAX_SEED, MAX_TOKENS,
    MAX_TURNS, MAX_VISITORS, PromptSharing, TokenizerRef, Vary,
};

/// One field of a table.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) doc: &'static str,
    pub(super) required: bool,
}

/// What may stand in a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Texts,
    /// A JSON object as text; its own fields may be set one by one.
    Json,
    Path,
    /// A text with a grammar of its own: what is wrong with it, if anything.
    Form(Grammar),
    /// A list of such texts.
    Forms(Grammar),
    Bool,
    Whole {
        least: u64,
        most: u64,
    },
    /// The range is held by `Plan::check`; here it is for the schema.
    Number {
        /// The least, itself allowed or not.
        from: Bound,
        most: f64,
    },
    Choice(&'static [&'static str]),
    /// Header names and their values.
    TextMap,
    /// Gradio inputs: any value, `{ json = "…" }` for what TOML cannot say.
    Inputs,
    /// `[section]` of its own.
    Section(&'static [Field]),
    /// A table in one line, one of [`Rule`]'s.
    Inline(&'static [Field], Rule),
    /// `"none"`, or a table in one line with exactly one of the fields.
    NoneOr(&'static [Field]),
    /// `[[section]]`, any number of times, with exactly one of the fields of that list in each.
    Sections(&'static [Field], &'static [&'static str]),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    AtLeast(f64),
    Above(f64),
}

/// What the fields of a table in one line owe each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rule {
    /// `name` goes with `source = "env"` and with nothing else.
    Key,
    /// Each kind of load has fields of its own.
    Load,
}

/// Says what is wrong with a text.
pub(super) type Grammar = fn(&str) -> Result<(), String>;

/// The grammar of a type that is read from text.
pub(super) fn of<T: FromStr<Err = String>>(text: &str) -> Result<(), String> {
    text.parse::<T>().map(|_value| ())
}

pub(super) const fn must(name: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field {
        name,
        kind,
        doc,
        required: true,
    }
}

pub(super) const fn may(name: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field {
        name,
        kind,
        doc,
        required: false,
    }
}

pub(super) const fn whole(least: u64, most: u64) -> Kind {
    Kind::Whole { least, most }
}

const SECS: Kind = Kind::Number {
    from: Bound::AtLeast(0.0),
    most: MAX_SECS,
};
pub(super) const SECS_ABOVE_0: Kind = Kind::Number {
    from: Bound::Above(0.0),
    most: MAX_SECS,
};

/// The largest count that a `u32` holds.
pub(super) const MAX_U32: u64 = u32::MAX as u64;

/// The fields of a plan file, in the order in which they are written.
pub(super) const PLAN: &[Field] = &[
    must("schema", whole(1, 1), "Version of this format"),
    may("label", Kind::Text, "What you call it; the run's label too"),
    may("tags", Kind::Texts, "Words to find its runs by"),
    may(
        "profile",
        Kind::Text,
        "The preset that it began as; only a word",
    ),
    may(
        "seed",
        whole(0, MAX_SEED),
        "Of everything random: arrivals, lengths, prompt order, wave jitter; the markers of unique prompts are new in each run",
    ),
    may("pause_secs", SECS, "Pause between two stages"),
    may(
        "grace_secs",
        SECS,
        "Time that requests in flight get at the end of a stage that ends by time",
    ),
    may(
        "keep_text",
        Kind::Bool,
        "Store prompts and answers as text in the run file",
    ),
    may(
        "goals",
        Kind::Forms(of::<Goal>),
        "What requests should keep to, as ttft.p95:500ms or decode_rate.p95:10",
    ),
    may(
        "vary",
        Kind::Forms(of::<Vary>),
        "Fields that take several values, one run for each, as workload.max_tokens=16,64",
    ),
    may(
        "vary_mode",
        Kind::Choice(&["grid", "one-at-a-time"]),
        "Every value with every other, or each field by itself",
    ),
    must("target", Kind::Section(TARGET), "What is measured"),
    may("workload", Kind::Section(WORKLOAD), "What is sent"),
    may(
        "cold",
        Kind::Section(COLD),
        "Requests that meet a cold server",
    ),
    may(
        "warmup",
        Kind::NoneOr(WARMUP),
        "Requests before Measure; kept, never counted",
    ),
    may(
        "limits",
        Kind::Section(LIMITS),
        "When the whole run stops early",
    ),
    may(
        "mixed_traffic",
        Kind::Section(MIXED_TRAFFIC),
        "Gradio: what other visitors do meanwhile",
    ),
    must(
        "stages",
        Kind::Sections(STAGE, STAGE_ENDS),
        "Levels of load, run in order",
    ),
];

pub(super) const TARGET: &[Field] = &[
    must(
        "url",
        Kind::Text,
        "A base URL with or without /v1, a full route, or owner/name of a Space",
    ),
    may(
        "protocol",
        Kind::Choice(&[
            "auto",
            "gradio",
            "openai-chat",
            "openai-completions",
            "openai-responses",
            "tgi",
            "ollama",
            "http",
        ]),
        "The wire that is spoken",
    ),
    may(
        "model",
        Kind::Text,
        "None means the first that the server lists; for http there is then none",
    ),
    may(
        "api_name",
        Kind::Text,
        "Gradio: the named endpoint, as /chat; none means the first that is public",
    ),
    may(
        "gradio_mode",
        Kind::Choice(&["queue", "call"]),
        "Gradio: as the browser does, or as curl users do",
    ),
    may("stream", Kind::Bool, "Ask for a stream"),
    may(
        "key",
        Kind::Inline(KEY, Rule::Key),
        "Where the key is; never the key itself",
    ),
    may("http", Kind::Choice(&["1.1", "2"]), "HTTP version"),
    may(
        "connections",
        Kind::Choice(&["keep", "new"]),
        "One kept by each user, or a new one for each request",
    ),
    may(
        "ca_file",
        Kind::Path,
        "PEM file with the authority to trust besides the system's",
    ),
    may("insecure", Kind::Bool, "Accept any certificate"),
    may("proxy", Kind::Text, "http://host:port"),
    may(
        "headers",
        Kind::TextMap,
        "Sent with every call; a secret belongs into key",
    ),
    may(
        "timeouts",
        Kind::Section(TIMEOUTS),
        "Seconds after which a request fails",
    ),
    may(
        "template",
        Kind::Section(TEMPLATE),
        "http: how the endpoint is asked, and where its answer holds the text",
    ),
];

const TEMPLATE: &[Field] = &[
    may(
        "method",
        Kind::Choice(&["POST", "GET", "PUT", "PATCH"]),
        "The request's method",
    ),
    may(
        "path",
        Kind::Text,
        "From the origin with a leading slash, else below the URL; may hold slots, as {{model}}",
    ),
    may("content_type", Kind::Text, "Of the body"),
    may(
        "body",
        Kind::Text,
        "With slots: {{prompt}}, {{system}}, {{model}}, {{max_tokens}}, {{messages}}",
    ),
    may(
        "key_header",
        Kind::Text,
        "Header that carries the key as it is; none sends Authorization: Bearer",
    ),
    may(
        "framing",
        Kind::Choice(&["sse", "ndjson", "one-shot"]),
        "What the answer is cut into: events, lines, or nothing",
    ),
    may(
        "token",
        Kind::Text,
        "JSON pointer of the text in an event, a line or the one answer; empty takes all of it",
    ),
    may(
        "reasoning",
        Kind::Text,
        "JSON pointer of text that is reasoning",
    ),
    may(
        "done",
        Kind::Text,
        "What ends a stream: a JSON pointer, or an event's data as [DONE]",
    ),
    may(
        "error",
        Kind::Text,
        "JSON pointer to what an answer holds when it is an error",
    ),
    may(
        "tokens_in",
        Kind::Text,
        "JSON pointer to the count of prompt tokens",
    ),
    may(
        "tokens_out",
        Kind::Text,
        "JSON pointer to the count of generated tokens",
    ),
];

pub(super) const KEY: &[Field] = &[
    must(
        "source",
        Kind::Choice(&["none", "env", "keyring", "session"]),
        "Nowhere, an environment variable, the system's keyring, or this session's memory",
    ),
    may("name", Kind::Text, "Name of the environment variable"),
];

const TIMEOUTS: &[Field] = &[
    may("connect_secs", SECS_ABOVE_0, "Name lookup, TCP and TLS"),
    may(
        "first_byte_secs",
        SECS_ABOVE_0,
        "From the request's last byte to the answer's first",
    ),
    may("idle_secs", SECS_ABOVE_0, "Without any byte in a stream"),
    may(
        "token_stall_secs",
        SECS_ABOVE_0,
        "Without a token in a stream that has begun",
    ),
    may("total_secs", SECS_ABOVE_0, "The whole request"),
];

pub(super) const WORKLOAD: &[Field] = &[
    may("system", Kind::Text, "System prompt; empty sends none"),
    may(
        "users",
        Kind::Texts,
        "User prompts; none sends the built-in ones",
    ),
    may(
        "prompts_file",
        Kind::Path,
        "Text file with one prompt a line, instead of users",
    ),
    may(
        "dataset",
        Kind::Form(of::<DatasetRef>),
        "Prompts from a file, a folder or hf:OWNER/NAME/FILE, instead of users",
    ),
    may(
        "input_tokens",
        Kind::Form(of::<LengthSpec>),
        "Synthetic prompts of that many tokens: 200, normal:MEAN,SD,MIN,MAX or uniform:A..B",
    ),
    may(
        "sharing",
        Kind::Form(of::<PromptSharing>),
        "How much synthetic prompts have in common: unique, fixed or shared:SHARE",
    ),
    may(
        "tokenizer",
        Kind::Form(of::<TokenizerRef>),
        "Counts tokens on our side: o200k, server, hf:OWNER/NAME or a tokenizer.json",
    ),
    may(
        "turns",
        whole(1, MAX_TURNS as u64),
        "Turns of a conversation, with the model's own answers between",
    ),
    may(
        "think_secs",
        SECS,
        "Between an answer's end and the conversation's next turn",
    ),
    may(
        "order",
        Kind::Choice(&["in-turn", "random"]),
        "First to last and again, or drawn with the seed",
    ),
    may(
        "nonce",
        Kind::Bool,
        "A unique marker before each prompt, against prefix caches",
    ),
    may(
        "max_tokens",
        whole(1, MAX_TOKENS as u64),
        "Most tokens of an answer; none leaves it to the server",
    ),
    may(
        "output_tokens",
        Kind::Form(of::<LengthSpec>),
        "max_tokens drawn for each request, as input_tokens is",
    ),
    may(
        "ignore_eos",
        Kind::Bool,
        "Go on to max_tokens whatever the model wants, where the server takes it",
    ),
    may(
        "extra_body",
        Kind::Json,
        "A JSON object merged over the request's body",
    ),
    may(
        "system_input",
        Kind::Text,
        "Gradio: the input that takes the system prompt",
    ),
    may(
        "user_input",
        Kind::Text,
        "Gradio: the input that takes the user prompt",
    ),
    may(
        "inputs",
        Kind::Inputs,
        "Gradio inputs by name; { file = \"path\" } is uploaded, { json = \"null\" } is what TOML cannot say",
    ),
];

const COLD: &[Field] = &[
    may(
        "requests",
        whole(0, MAX_COLD as u64),
        "Requests in each cycle; 0 sends none",
    ),
    may(
        "how",
        Kind::Choice(&["nothing", "silence", "restarted"]),
        "How the server was made cold",
    ),
    may("silence_secs", SECS, "Silence before each cycle"),
    may(
        "cycles",
        whole(1, MAX_COLD as u64),
        "How often the probe is repeated",
    ),
];

const WARMUP: &[Field] = &[
    may("requests", whole(1, MAX_U32), "That many requests"),
    may("secs", SECS_ABOVE_0, "For that many seconds"),
];

const LIMITS: &[Field] = &[
    may(
        "max_errors",
        whole(1, MAX_SEED),
        "Failed requests after which no more are sent",
    ),
    may(
        "max_error_percent",
        Kind::Number {
            from: Bound::Above(0.0),
            most: 100.0,
        },
        "Share of failed requests in a stage above which the run stops",
    ),
    may(
        "max_secs",
        SECS_ABOVE_0,
        "Seconds after which no more requests are sent",
    ),
    may(
        "stop_when_saturated",
        Kind::Bool,
        "End a stage once requests in flight and TTFT both rise",
    ),
];

const MIXED_TRAFFIC: &[Field] = &[
    may(
        "page_loads",
        whole(0, MAX_VISITORS as u64),
        "Visitors that load the page",
    ),
    may(
        "uploads",
        whole(0, MAX_VISITORS as u64),
        "Visitors that upload a file",
    ),
    may(
        "downloads",
        whole(0, MAX_VISITORS as u64),
        "Visitors that download a file",
    ),
    may(
        "file_bytes",
        whole(1, MAX_BESIDE_BYTES as u64),
        "Size of the file",
    ),
    may(
        "pause_ms",
        whole(0, 3_600_000),
        "Pause of each visitor between two",
    ),
];
