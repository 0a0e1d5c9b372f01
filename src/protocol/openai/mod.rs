//! OpenAI-compatible servers: `/chat/completions`, `/completions` and `/responses`, streamed and one-shot.
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

use http::HeaderMap;
use serde_json::{Map, Value};

use super::answer::{Endpoint, OneCall};
use super::{Adapter, Exchange};
use crate::domain::{Framing, Prompt, Protocol, ServerFacts};

use body::{Asks, Bodies, BodyParts};
use exchange::OpenAiWire;

pub use address::Address;
pub use prepare::{describe, prepare};

/// The routes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Api {
    Chat,
    Completions,
    Responses,
}

impl Api {
    /// `None` for a protocol that is not OpenAI's.
    pub fn of(protocol: Protocol) -> Option<Self> {
        match protocol {
            Protocol::OpenAiChat => Some(Self::Chat),
            Protocol::OpenAiCompletions => Some(Self::Completions),
            Protocol::OpenAiResponses => Some(Self::Responses),
            _ => None,
        }
    }

    pub fn protocol(self) -> Protocol {
        match self {
            Self::Chat => Protocol::OpenAiChat,
            Self::Completions => Protocol::OpenAiCompletions,
            Self::Responses => Protocol::OpenAiResponses,
        }
    }

    /// After the base path.
    pub fn route(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Completions => "/completions",
            Self::Responses => "/responses",
        }
    }

    /// What limits the answer's tokens.
    fn limit_field(self) -> &'static str {
        match self {
            Self::Chat | Self::Completions => "max_tokens",
            Self::Responses => "max_output_tokens",
        }
    }

    /// The Responses API tells its usage unasked.
    fn takes_stream_options(self) -> bool {
        self != Self::Responses
    }

    fn prompt_field(self) -> &'static str {
        match self {
            Self::Chat => "messages",
            Self::Completions => "prompt",
            Self::Responses => "input",
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
    /// Ask the server to go on to the limit whatever the model wants, for as long as it takes that.
    pub ignore_eos: bool,
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
    api: Api,
    endpoint: Arc<Endpoint>,
    bodies: Bodies,
    /// Names in the extra body: a refusal of one of these is not a refusal of `stream_options`.
    extra_names: Vec<String>,
    usage_refused: AtomicBool,
    ignore_eos: bool,
    ends_refused: AtomicBool,
    facts: ServerFacts,
}

impl OpenAi {
    pub fn new(config: Config) -> Self {
        let framing = if config.stream {
            Framing::Sse
        } else {
            Framing::OneShot
        };
        let endpoint = Endpoint::new(config.path_and_query, config.headers, framing);
        let bodies = Bodies::new(BodyParts {
            api: config.api,
            model: config.model.as_deref(),
            stream: config.stream,
            max_tokens: config.max_tokens,
            extra: &config.extra,
        });
        Self {
            shared: Arc::new(Shared {
                api: config.api,
                endpoint: Arc::new(endpoint),
                bodies,
                extra_names: config.extra.keys().cloned().collect(),
                usage_refused: AtomicBool::new(false),
                ignore_eos: config.ignore_eos,
                ends_refused: AtomicBool::new(false),
                facts: config.facts,
            }),
        }
    }
}

impl Adapter for OpenAi {
    fn exchange(&self, prompt: &Prompt, _user: u32, _seq: u64) -> Box<dyn Exchange> {
        let asks = Asks {
            usage: self.shared.asks_for_usage(),
            no_end: self.shared.asks_for_no_end(),
        };
        let endpoint = &self.shared.endpoint;
        let call = endpoint.call(self.shared.bodies.fill(prompt, asks));
        let wire = OpenAiWire::new(Arc::clone(&self.shared), asks);
        Box::new(OneCall::new(Arc::clone(endpoint), call, wire))
    }

    fn facts(&self) -> &ServerFacts {
        &self.shared.facts
    }

    fn usage_refused(&self) -> bool {
        self.shared.usage_refused.load(Ordering::Relaxed)
    }

    fn ends_refused(&self) -> bool {
        self.shared.ends_refused.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn asks_for_usage(&self) -> bool {
        self.bodies.asks_for_usage() && !self.usage_refused.load(Ordering::Relaxed)
    }

    fn asks_for_no_end(&self) -> bool {
        self.ignore_eos && !self.ends_refused.load(Ordering::Relaxed)
    }

    /// Whether a 400 or 422 with this message means that the server does not take `ignore_eos` and `min_tokens`.
    fn is_refusal_of_no_end(&self, message: &str) -> bool {
        let message = message.to_ascii_lowercase();
        let names = |field: &str| message.contains(field) && !self.is_extra(field);
        names("ignore_eos") || names("min_tokens")
    }

    fn is_extra(&self, field: &str) -> bool {
        self.extra_names.iter().any(|name| name == field)
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
