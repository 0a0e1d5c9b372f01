//! What is sent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{DatasetRef, LengthSpec, PromptSharing, TokenizerRef};

/// What each request carries.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
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
    /// Prompts from a file, a folder or the Hub, instead of `users`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetRef>,
    /// Synthetic prompts of that many tokens, instead of `users`; with a dataset, its prompts are cut to that length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<LengthSpec>,
    /// How much synthetic prompts have in common.
    #[serde(skip_serializing_if = "is_unique")]
    pub sharing: PromptSharing,
    /// Counts tokens on our side, where lengths are asked or the server counts none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerRef>,
    /// Turns of a conversation: each sends the model's own answers of the turns before; 1 sends single prompts.
    #[serde(skip_serializing_if = "is_one")]
    pub turns: u32,
    /// Between an answer's end and the same conversation's next turn.
    #[serde(skip_serializing_if = "is_zero")]
    pub think_secs: f64,
    pub order: PromptOrder,
    /// Put a unique marker before each user prompt, so that a prefix cache cannot help.
    pub nonce: bool,
    /// `max_tokens` of the request; none leaves it to the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// `max_tokens` drawn for each request, instead of one for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<LengthSpec>,
    /// Ask the server to go on to `max_tokens` whatever the model wants; sent where the server takes it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_eos: bool,
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

/// The most turns of a conversation.
pub const MAX_TURNS: u32 = 1_000;

fn is_unique(sharing: &PromptSharing) -> bool {
    *sharing == PromptSharing::Unique
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(turns: &u32) -> bool {
    *turns == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(secs: &f64) -> bool {
    *secs == 0.0
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            system: String::new(),
            users: Vec::new(),
            prompts_file: None,
            dataset: None,
            input_tokens: None,
            sharing: PromptSharing::default(),
            tokenizer: None,
            turns: 1,
            think_secs: 0.0,
            order: PromptOrder::default(),
            nonce: false,
            max_tokens: None,
            output_tokens: None,
            ignore_eos: false,
            extra_body: String::new(),
            inputs: BTreeMap::new(),
            system_input: None,
            user_input: None,
        }
    }
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
