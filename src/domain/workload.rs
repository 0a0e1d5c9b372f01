//! What is sent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What each request carries.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workload {
    /// The system prompt; empty sends none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// User prompts; empty sends the built-in ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// A text file with one prompt a line; read once before the run, instead of `users`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompts_file: Option<PathBuf>,
    pub order: PromptOrder,
    /// Put a unique marker before each user prompt, so that a prefix cache cannot help.
    pub nonce: bool,
    /// `max_tokens` of the request; none leaves it to the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// A JSON object merged over the request's body (OpenAI); empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub extra_body: String,
    /// Gradio inputs by parameter name. A value is what JSON says, as text: `0.7`, `"hi"`, `null`; a file is
    /// `{"file": "path"}` and is uploaded once before the first measured request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, serde_json::Value>,
    /// Gradio: the input that takes the system prompt; none means the suggested one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_input: Option<String>,
    /// Gradio: the input that takes the user prompt; none means the suggested one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_input: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromptOrder {
    /// First to last, and again.
    #[default]
    InTurn,
    /// Drawn with the plan's seed.
    Random,
}
