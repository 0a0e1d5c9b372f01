//! Ollama's own wire: `/api/chat` and `/api/generate`, one JSON object a line, or one object where no stream is asked.
//!
//! Formats as its source has them: the last line says `"done": true` and holds counts and the server's own times in ns; a
//! field that is missing there means 0 or not known; an error inside a stream is a last line with status 200.

mod prepare;

use std::sync::Arc;

use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::answer::{Endpoint, OneCall, Wire, not_json};
use super::body::{BodyTemplate, fields};
use super::conversation::{joined, messages};
use super::loose::{Number, Text, parse};
use super::marks::{Counts, Marks};
use super::{Adapter, Exchange, Stamp, said};
use crate::domain::{Ended, Failure, FailureKind, Framing, Prompt, ServerFacts};

pub use prepare::{describe, prepare};

/// The port that it listens on unless told otherwise.
pub const PORT: u16 = 11_434;

/// Its two routes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Api {
    Chat,
    Generate,
}

impl Api {
    pub const ALL: [Self; 2] = [Self::Chat, Self::Generate];

    /// After the base path.
    pub fn route(self) -> &'static str {
        match self {
            Self::Chat => "/api/chat",
            Self::Generate => "/api/generate",
        }
    }
}

/// What an [`Ollama`] adapter is made of.
#[derive(Clone, Debug)]
pub struct Config {
    pub api: Api,
    /// The measured route with its query.
    pub path_and_query: String,
    /// Key and custom headers.
    pub headers: HeaderMap,
    pub model: Option<String>,
    pub stream: bool,
    pub max_tokens: Option<u32>,
    /// Merged over the body.
    pub extra: Map<String, Value>,
    pub facts: ServerFacts,
}

/// Speaks to one Ollama server.
#[derive(Debug)]
pub struct Ollama {
    api: Api,
    endpoint: Arc<Endpoint>,
    max_tokens: Option<u32>,
    template: BodyTemplate,
    facts: ServerFacts,
}

impl Ollama {
    pub fn new(config: Config) -> Self {
        let framing = if config.stream {
            Framing::Ndjson
        } else {
            Framing::OneShot
        };
        let mut fixed = Map::new();
        if let Some(model) = config.model {
            fixed.insert("model".to_owned(), model.into());
        }
        // Left out, it would stream.
        fixed.insert("stream".to_owned(), config.stream.into());
        Self {
            api: config.api,
            endpoint: Arc::new(Endpoint::new(
                config.path_and_query,
                config.headers,
                framing,
            )),
            max_tokens: config.max_tokens,
            template: BodyTemplate::new(fixed, config.extra),
            facts: config.facts,
        }
    }

    fn own_fields(&self, prompt: &Prompt) -> Map<String, Value> {
        let images: Vec<Value> = prompt
            .images
            .iter()
            .map(|image| (*image.base64).into())
            .collect();
        let mut own = match self.api {
            Api::Chat => {
                let mut messages = messages(prompt, (*prompt.user).into());
                if let (Some(last), false) = (messages.last_mut(), images.is_empty()) {
                    last["images"] = images.into();
                }
                fields([("messages", messages.into())])
            }
            Api::Generate => {
                let mut own = fields([("prompt", joined(prompt).into())]);
                if !images.is_empty() {
                    own.insert("images".to_owned(), images.into());
                }
                own
            }
        };
        if let Some(n) = prompt.output_tokens.or(self.max_tokens) {
            own.insert("options".to_owned(), json!({"num_predict": n}));
        }
        own
    }
}

impl Adapter for Ollama {
    fn exchange(&self, prompt: &Prompt, _user: u32, _seq: u64) -> Box<dyn Exchange> {
        let body = self.template.fill(self.own_fields(prompt));
        let call = self.endpoint.call(body);
        Box::new(OneCall::new(Arc::clone(&self.endpoint), call, OllamaWire))
    }

    fn facts(&self) -> &ServerFacts {
        &self.facts
    }
}

/// A line, or a whole one-shot answer, of either route.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default, borrow)]
    message: Option<&'a RawValue>,
    #[serde(default, borrow)]
    response: Text<'a>,
    #[serde(default, borrow)]
    thinking: Text<'a>,
    #[serde(default, borrow)]
    done: Text<'a>,
    #[serde(default, borrow)]
    done_reason: Text<'a>,
    #[serde(default, borrow)]
    error: Text<'a>,
    #[serde(default)]
    prompt_eval_count: Number,
    #[serde(default)]
    eval_count: Number,
    #[serde(default)]
    total_duration: Number,
    #[serde(default)]
    load_duration: Number,
    #[serde(default)]
    prompt_eval_duration: Number,
    #[serde(default)]
    eval_duration: Number,
}

#[derive(Default, Deserialize)]
struct Message<'a> {
    #[serde(default, borrow)]
    content: Text<'a>,
    #[serde(default, borrow)]
    thinking: Text<'a>,
    #[serde(default, borrow)]
    tool_calls: Text<'a>,
}

/// What a line's output is.
struct Output<'a> {
    text: Text<'a>,
    is_answer: bool,
    is_any: bool,
}

impl<'a> Line<'a> {
    fn output(&self) -> Output<'a> {
        let message: Message<'a> = self.message.and_then(parse).unwrap_or_default();
        let text = if message.content.is_filled() {
            message.content
        } else {
            self.response.clone()
        };
        let is_answer = text.is_filled() || message.tool_calls.is_filled();
        let is_thinking = message.thinking.is_filled() || self.thinking.is_filled();
        Output {
            text,
            is_answer,
            is_any: is_answer || is_thinking,
        }
    }

    /// Counts and times of the last line.
    fn take_facts(&self, marks: &mut Marks) {
        marks.counts = Counts {
            tokens_in: self.prompt_eval_count.0.or(marks.counts.tokens_in),
            tokens_out: self.eval_count.0.or(marks.counts.tokens_out),
            cached_tokens: None,
        };
        for (name, ns) in [
            ("total_duration", self.total_duration),
            ("load_duration", self.load_duration),
            ("prompt_eval_duration", self.prompt_eval_duration),
            ("eval_duration", self.eval_duration),
        ] {
            if let Some(ns) = ns.0 {
                marks.server_times.0.insert(name.to_owned(), ns);
            }
        }
    }

    /// An answer to an empty prompt, which generates nothing.
    fn only_loaded(&self) -> Option<Failure> {
        let reason = self.done_reason.as_str();
        matches!(reason, "load" | "unload").then(|| {
            Failure::new(
                FailureKind::ErrorEmpty,
                format!("The server generated nothing: done_reason is “{reason}”, as for an empty prompt"),
            )
        })
    }
}

/// What its answers mean.
#[derive(Debug)]
struct OllamaWire;

impl Wire for OllamaWire {
    fn event(&mut self, _name: &str, data: &str, marks: &mut Marks, stamp: Stamp) {
        let Ok(line) = serde_json::from_str::<Line<'_>>(data) else {
            let failure = not_json("A line", data);
            return marks.fail(failure.kind, failure.message);
        };
        if line.error.is_filled() {
            let message = said::message_in_body(data.as_bytes());
            return marks.fail(FailureKind::ErrorInStream, message);
        }
        let output = line.output();
        if output.is_any {
            marks.token(output.text.as_str(), output.is_answer, None, stamp);
        }
        if line.done.is_filled() {
            line.take_facts(marks);
            if let Some(failure) = line.only_loaded() {
                return marks.fail(failure.kind, failure.message);
            }
            marks.done(stamp);
        }
    }

    fn whole(&mut self, text: &str, marks: &mut Marks, _stamp: Stamp) -> Result<Ended, Failure> {
        let Ok(line) = serde_json::from_str::<Line<'_>>(text) else {
            return Err(not_json("The answer", text));
        };
        if line.error.is_filled() {
            let message = said::message_in_body(text.as_bytes());
            return Err(Failure::new(FailureKind::ErrorBody, message));
        }
        line.take_facts(marks);
        if let Some(failure) = line.only_loaded() {
            return Err(failure);
        }
        let output = line.output();
        if !line.done.is_filled() && !output.is_any {
            return Err(Failure::new(
                FailureKind::ErrorEmpty,
                format!(
                    "The answer has no message or response: “{}”",
                    said::excerpt(text)
                ),
            ));
        }
        marks.push_answer(output.text.as_str());
        Ok(Ended::OkDone)
    }
}
