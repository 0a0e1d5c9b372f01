//! OpenAI-compatible servers: `/chat/completions` and `/completions`, streamed and one-shot.
//!
//! Formats as read off llama.cpp, vLLM and `transformers serve`: a stream may lack `[DONE]`, usage may come on its own event
//! or on the last, one event may carry several tokens, one read several events, and status 200 may carry an error.

mod address;
mod body;
mod chunk;
mod exchange;
mod learned;
mod prepare;
mod responses;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{Adapter, Exchange, HttpCall, mask};
use crate::domain::{Prompt, Protocol, ServerFacts};

use body::{BodyParts, BodyTemplate};
use exchange::OpenAiExchange;

pub use address::Address;
pub use prepare::{Described, describe, prepare};

/// The two routes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Api {
    Chat,
    Completions,
}

impl Api {
    /// `None` for a protocol that is not OpenAI's.
    pub fn of(protocol: Protocol) -> Option<Self> {
        match protocol {
            Protocol::OpenAiChat => Some(Self::Chat),
            Protocol::OpenAiCompletions => Some(Self::Completions),
            _ => None,
        }
    }

    pub fn protocol(self) -> Protocol {
        match self {
            Self::Chat => Protocol::OpenAiChat,
            Self::Completions => Protocol::OpenAiCompletions,
        }
    }

    /// After the base path.
    pub fn route(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Completions => "/completions",
        }
    }

    fn prompt_field(self) -> &'static str {
        match self {
            Self::Chat => "messages",
            Self::Completions => "prompt",
        }
    }
}

/// What an [`OpenAi`] adapter is made of.
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

/// Speaks to one OpenAI-compatible server.
#[derive(Debug)]
pub struct OpenAi {
    shared: Arc<Shared>,
}

/// What all exchanges of a run have in common.
#[derive(Debug)]
struct Shared {
    stream: bool,
    path_and_query: String,
    headers: HeaderMap,
    template: BodyTemplate,
    /// Names in the extra body: a refusal of one of these is not a refusal of `stream_options`.
    extra_names: Vec<String>,
    usage_refused: AtomicBool,
    /// Taken out of what a server says in a failure.
    secrets: Vec<SecretString>,
    facts: ServerFacts,
}

impl OpenAi {
    pub fn new(config: Config) -> Self {
        let mut headers = config.headers;
        let accept = if config.stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static(accept));
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
        let secrets = mask::secrets_in(&headers);
        let template = BodyTemplate::new(BodyParts {
            api: config.api,
            model: config.model.as_deref(),
            stream: config.stream,
            max_tokens: config.max_tokens,
            extra: &config.extra,
        });
        Self {
            shared: Arc::new(Shared {
                stream: config.stream,
                path_and_query: config.path_and_query,
                headers,
                template,
                extra_names: config.extra.keys().cloned().collect(),
                usage_refused: AtomicBool::new(false),
                secrets,
                facts: config.facts,
            }),
        }
    }
}

impl Adapter for OpenAi {
    fn exchange(&self, prompt: &Prompt, _user: u32, _seq: u64) -> Box<dyn Exchange> {
        let asks_for_usage = self.shared.asks_for_usage();
        let call = HttpCall {
            method: Method::POST,
            path_and_query: self.shared.path_and_query.clone(),
            headers: self.shared.headers.clone(),
            body: self.shared.template.fill(prompt, asks_for_usage),
        };
        Box::new(OpenAiExchange::new(
            Arc::clone(&self.shared),
            call,
            asks_for_usage,
        ))
    }

    fn facts(&self) -> &ServerFacts {
        &self.shared.facts
    }

    fn usage_refused(&self) -> bool {
        self.shared.usage_refused.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn asks_for_usage(&self) -> bool {
        self.template.asks_for_usage() && !self.usage_refused.load(Ordering::Relaxed)
    }

    /// A failure's message without the key, which a server may echo.
    fn masked(&self, message: &str) -> String {
        mask::mask_all(message, &self.secrets)
    }

    /// Whether a 400 or 422 with this message means that the server does not take `stream_options`.
    fn is_refusal_of_usage(&self, message: &str) -> bool {
        let message = message.to_ascii_lowercase();
        if message.contains("stream_options") || message.contains("include_usage") {
            return true;
        }
        let speaks_of_fields = [
            "unexpected field",
            "extra field",
            "extra input",
            "unknown field",
            "unrecognized field",
            "unrecognized request argument",
            "unknown parameter",
        ]
        .iter()
        .any(|words| message.contains(words));
        let names_another = self
            .extra_names
            .iter()
            .any(|name| message.contains(&name.to_ascii_lowercase()));
        speaks_of_fields && !names_another
    }
}
