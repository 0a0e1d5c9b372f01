//! Text Generation Inference's own wire: `/generate_stream`, and `/generate` for one answer in one piece.
//!
//! Formats as its router has them: a stream has no done marker but an end, the event whose `generated_text` is not null;
//! errors inside a stream come with status 200; the server's own times stand in headers of the one-shot answer alone. It
//! knows no chat: a conversation goes as one text.

mod prepare;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::answer::{Endpoint, OneCall, Wire, not_json};
use super::body::{BodyTemplate, fields};
use super::conversation::{data_url, joined};
use super::loose::{Number, Text, parse};
use super::marks::{Counts, Marks};
use super::{Adapter, Exchange, Stamp, said};
use crate::domain::{Ended, Failure, FailureKind, Framing, Prompt, ServerFacts};

pub use prepare::{describe, prepare};

/// Its routes below the base, the streamed one first.
pub(super) const ROUTES: [&str; 2] = ["/generate_stream", "/generate"];

/// What a [`Tgi`] adapter is made of.
#[derive(Clone, Debug)]
pub struct Config {
    /// The measured route with its query.
    pub path_and_query: String,
    /// Key and custom headers.
    pub headers: HeaderMap,
    pub stream: bool,
    pub max_tokens: Option<u32>,
    /// Merged over the body.
    pub extra: Map<String, Value>,
    pub facts: ServerFacts,
}

/// Speaks to one TGI server.
#[derive(Debug)]
pub struct Tgi {
    endpoint: Arc<Endpoint>,
    max_tokens: Option<u32>,
    template: BodyTemplate,
    facts: ServerFacts,
}

impl Tgi {
    pub fn new(config: Config) -> Self {
        let framing = if config.stream {
            Framing::Sse
        } else {
            Framing::OneShot
        };
        // Without the details there are no token counts.
        let fixed = fields([("parameters", json!({"details": true}))]);
        Self {
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
}

impl Adapter for Tgi {
    fn exchange(&self, prompt: &Prompt, _user: u32, _seq: u64) -> Box<dyn Exchange> {
        let mut own = fields([("inputs", inputs(prompt).into())]);
        if let Some(n) = prompt.output_tokens.or(self.max_tokens) {
            own.insert("parameters".to_owned(), json!({"max_new_tokens": n}));
        }
        let call = self.endpoint.call(self.template.fill(own));
        Box::new(OneCall::new(Arc::clone(&self.endpoint), call, TgiWire))
    }

    fn facts(&self) -> &ServerFacts {
        &self.facts
    }
}

/// The whole conversation; pictures stand before it in Markdown, which is how this server takes them.
fn inputs(prompt: &Prompt) -> String {
    let mut text = String::new();
    for image in prompt.images.iter() {
        text.extend(["![](", &data_url(image), ")"]);
    }
    text.push_str(&joined(prompt));
    text
}

/// An event of a stream.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(default, borrow)]
    token: Option<&'a RawValue>,
    /// Null until the last event.
    #[serde(default, borrow)]
    generated_text: Option<&'a RawValue>,
    #[serde(default, borrow)]
    details: Option<&'a RawValue>,
    #[serde(default, borrow)]
    error: Text<'a>,
}

#[derive(Default, Deserialize)]
struct Token<'a> {
    #[serde(default, borrow)]
    text: Text<'a>,
    /// An end-of-sequence mark and its like, which is no text of the answer.
    #[serde(default, borrow)]
    special: Text<'a>,
}

#[derive(Default, Deserialize)]
struct Details {
    #[serde(default)]
    generated_tokens: Number,
    #[serde(default)]
    input_length: Number,
}

/// A one-shot answer.
#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(default, borrow)]
    generated_text: Option<Text<'a>>,
    #[serde(default, borrow)]
    details: Option<&'a RawValue>,
    #[serde(default, borrow)]
    error: Text<'a>,
}

/// What its answers mean.
#[derive(Debug)]
struct TgiWire;

impl Wire for TgiWire {
    /// The server's own times and counts; only a one-shot answer has them.
    fn head(&mut self, headers: &HeaderMap, marks: &mut Marks) {
        let text = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
        for (name, unit_secs) in TIME_HEADERS {
            if let Some(ns) = text(name).and_then(|value| ns_from_secs(value * unit_secs)) {
                marks.server_times.0.insert(name.to_owned(), ns);
            }
        }
        let count = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        marks.counts.tokens_in = count("x-prompt-tokens");
        marks.counts.tokens_out = count("x-generated-tokens");
    }

    fn event(&mut self, name: &str, data: &str, marks: &mut Marks, stamp: Stamp) {
        let data = data.trim_ascii();
        let event = match serde_json::from_str::<Event<'_>>(data) {
            Ok(event) => event,
            // A keep-alive of some kind: no data, or an event of another name.
            Err(_) if data.is_empty() || !matches!(name, "message" | "error") => return,
            Err(_) => {
                let failure = not_json("An event", data);
                return marks.fail(failure.kind, failure.message);
            }
        };
        if event.error.is_filled() || name == "error" {
            let message = said::message_in_body(data.as_bytes());
            return marks.fail(FailureKind::ErrorInStream, message);
        }
        let token: Token<'_> = event.token.and_then(parse).unwrap_or_default();
        if token.text.is_filled() && !token.special.is_filled() {
            marks.token(token.text.as_str(), true, None, stamp);
        }
        take_details(event.details, marks);
        if event.generated_text.is_some() {
            marks.done(stamp);
        }
    }

    fn whole(&mut self, text: &str, marks: &mut Marks, _stamp: Stamp) -> Result<Ended, Failure> {
        // A list of one where it stands behind the Hub's own gateway.
        let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        let Ok(whole) = serde_json::from_str::<Whole<'_>>(inner.unwrap_or(text)) else {
            return Err(not_json("The answer", text));
        };
        if whole.error.is_filled() {
            let message = said::message_in_body(text.as_bytes());
            return Err(Failure::new(FailureKind::ErrorBody, message));
        }
        take_details(whole.details, marks);
        let Some(generated) = whole.generated_text else {
            return Err(Failure::new(
                FailureKind::ErrorEmpty,
                format!(
                    "The answer has no generated_text: “{}”",
                    said::excerpt(text)
                ),
            ));
        };
        marks.push_answer(generated.as_str());
        Ok(Ended::OkDone)
    }
}

fn take_details(raw: Option<&RawValue>, marks: &mut Marks) {
    let Some(details) = raw.and_then(parse::<Details>) else {
        return;
    };
    marks.counts = Counts {
        tokens_in: details.input_length.0.or(marks.counts.tokens_in),
        tokens_out: details.generated_tokens.0.or(marks.counts.tokens_out),
        cached_tokens: None,
    };
}

const MS: f64 = 1e-3;
const SEC: f64 = 1.0;

/// Headers with a time, and their unit in seconds.
const TIME_HEADERS: [(&str, f64); 6] = [
    ("x-compute-time", SEC),
    ("x-total-time", MS),
    ("x-validation-time", MS),
    ("x-queue-time", MS),
    ("x-inference-time", MS),
    ("x-time-per-token", MS),
];

/// `None` for what is no time: negative, not a number, or beyond all measure.
fn ns_from_secs(secs: f64) -> Option<u64> {
    let time = Duration::try_from_secs_f64(secs).ok()?;
    u64::try_from(time.as_nanos()).ok()
}
