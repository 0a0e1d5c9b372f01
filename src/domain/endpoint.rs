//! What a target says of itself before anything is measured, and what one test request showed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ErrorClass, Protocol, ServerFacts};

/// What detection and the server's own description found; fills the form.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct TargetInfo {
    /// The address as it should stand in the form.
    pub url: String,
    pub protocol: Protocol,
    pub facts: ServerFacts,
    /// OpenAI-compatible: model ids; empty when the server lists none and the person types one.
    pub models: Vec<String>,
    /// Gradio: the public named endpoints.
    pub endpoints: Vec<GradioEndpoint>,
    /// How sure this is and why, one sentence each: `GET /v1/models answered 200`.
    pub evidence: Vec<String>,
    /// What a person should know, as `Gradio 4.44 polls every 50 ms`.
    pub notes: Vec<String>,
    /// Parts of a pasted curl command that the form can take over. Never a key's value in a log: it is a session key.
    #[serde(default)]
    pub pasted: Option<Pasted>,
}

/// What a pasted curl command held besides the address.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pasted {
    pub headers: Vec<(String, String)>,
    /// Name of the shell variable of the bearer key: `$OPENAI_API_KEY`.
    pub key_env: Option<String>,
    /// A literal bearer key; kept in memory only.
    #[serde(skip)]
    pub key: Option<String>,
    pub model: Option<String>,
    pub system: Option<String>,
    pub user: Option<String>,
    pub max_tokens: Option<u32>,
    pub stream: Option<bool>,
    /// The rest of the JSON body.
    pub extra_body: Option<String>,
    /// Gradio's `data` array.
    pub gradio_data: Option<Vec<serde_json::Value>>,
    pub insecure: bool,
}

/// One named endpoint of a Gradio app.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct GradioEndpoint {
    /// `/chat`.
    pub api_name: String,
    pub fn_index: u64,
    /// It streams.
    pub generator: bool,
    /// It goes through the queue.
    pub queue: bool,
    pub inputs: Vec<InputField>,
    /// Labels of the outputs.
    pub outputs: Vec<String>,
    /// The suggested inputs for the prompts.
    pub system_input: Option<String>,
    pub user_input: Option<String>,
}

/// One input of a Gradio endpoint, as the form draws it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct InputField {
    /// `parameter_name`.
    pub name: String,
    pub label: String,
    pub kind: InputKind,
    /// What an input that is not set takes: `parameter_default`, else `example_input`; `None` means it must be set.
    pub default: Option<serde_json::Value>,
    /// `default` is the app's own, not an example.
    pub has_default: bool,
}

/// Which widget an input gets.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum InputKind {
    Text,
    Number,
    Slider {
        min: f64,
        max: f64,
        step: Option<f64>,
    },
    Dropdown {
        choices: Vec<serde_json::Value>,
        multiple: bool,
    },
    Checkbox,
    File {
        media: Media,
    },
    /// Anything else: typed as JSON.
    Json,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Media {
    Any,
    Image,
    Audio,
    Video,
}

/// What one test request showed; nothing of it enters a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TestReport {
    /// Wall clock when it was sent: `14:32:07`.
    pub sent_at: String,
    pub ok: bool,
    /// `The server refused the key`.
    pub headline: String,
    /// Three sentences: what still works, what to try, what was found.
    pub lines: Vec<String>,
    pub what_to_try: Option<String>,
    /// `401 Unauthorized`; `None` when no answer came.
    pub status: Option<String>,
    /// `HTTP/1.1` or `HTTP/2`.
    pub http: String,
    pub headers: Vec<(String, String)>,
    /// The body as it came, cut at 64 KiB, keys masked.
    pub body: String,
    pub body_cut: bool,
    pub waterfall: Vec<WaterfallPart>,
    pub total_ms: f64,
    pub ttft_ms: Option<f64>,
    /// The equal curl command; the key is a shell variable.
    pub curl: String,
    /// Fields that the failure points at.
    pub issues: Vec<super::Issue>,
    pub info: Option<TargetInfo>,
}

/// `DNS`, `TCP`, `TLS`, `Send`, `Wait`, `Read` (Gradio: `Submit`, `Queue`), in order.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct WaterfallPart {
    pub name: String,
    pub ms: f64,
}

/// A run file in the library: what its first and last lines say.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEntry {
    pub path: PathBuf,
    pub bytes: u64,
    /// RFC 3339, from the file.
    pub started: String,
    pub started_unix_ns: i64,
    pub label: String,
    pub tags: Vec<String>,
    pub notes: String,
    pub target: String,
    pub server: ServerFacts,
    /// `1, 10, 100`, `1 user, 20`, `5, 10 req/s` or `sweep to 128 users`.
    pub load: String,
    /// `None`: interrupted, or the file has no `end` line.
    pub summary: Option<std::sync::Arc<super::Summary>>,
    pub duration_secs: Option<f64>,
    /// Which run of a varied plan it is.
    pub variation: Option<super::Variation>,
    /// Why it cannot be read, if so; the other fields are then what was read.
    pub error: Option<String>,
}

impl RunEntry {
    pub fn errors(&self) -> &[ErrorClass] {
        self.summary.as_deref().map_or(&[], |s| &s.errors)
    }
}
