//! Any HTTP endpoint, as the target's template says: a request from a method, a path and a body with slots; an answer cut
//! into events, lines or nothing, in which JSON pointers find the text, the end, an error and the counts.

mod prepare;

use std::sync::Arc;

use http::HeaderMap;
use http::Method;
use serde_json::{Map, Value};

use super::answer::{Endpoint, OneCall, Wire, not_json};
use super::body::merge;
use super::conversation::{data_url, messages, system_of};
use super::marks::Marks;
use super::{Adapter, Exchange, Stamp, said};
use crate::domain::{
    Ended, Failure, FailureKind, Prompt, ServerFacts, Slot, SlotText, SlotValues, Template,
    TemplateMethod,
};

pub use prepare::{describe, prepare};

/// What an [`AnyHttp`] adapter is made of.
#[derive(Clone, Debug)]
pub struct Config {
    pub template: Template,
    /// The template's path, rooted.
    pub path: SlotText,
    pub body: SlotText,
    /// All of them: nothing is added.
    pub headers: HeaderMap,
    pub model: Option<String>,
    pub max_tokens: Option<u32>,
    /// Merged over a JSON body.
    pub extra: Map<String, Value>,
    pub facts: ServerFacts,
}

/// Speaks to one endpoint.
#[derive(Debug)]
pub struct AnyHttp {
    endpoint: Arc<Endpoint>,
    finds: Arc<Template>,
    path: SlotText,
    body: SlotText,
    model: Option<String>,
    max_tokens: Option<u32>,
    extra: Map<String, Value>,
    facts: ServerFacts,
}

impl AnyHttp {
    pub fn new(config: Config) -> Self {
        let method = match config.template.method {
            TemplateMethod::Post => Method::POST,
            TemplateMethod::Get => Method::GET,
            TemplateMethod::Put => Method::PUT,
            TemplateMethod::Patch => Method::PATCH,
        };
        let framing = config.template.framing;
        Self {
            endpoint: Arc::new(Endpoint::fixed(method, config.headers, framing)),
            finds: Arc::new(config.template),
            path: config.path,
            body: config.body,
            model: config.model,
            max_tokens: config.max_tokens,
            extra: config.extra,
            facts: config.facts,
        }
    }

    /// The body with the extra one over it; one that is no JSON object stays as it is.
    fn with_extra(&self, body: String) -> String {
        if self.extra.is_empty() {
            return body;
        }
        match serde_json::from_str::<Value>(&body) {
            Ok(Value::Object(mut map)) => {
                merge(&mut map, self.extra.clone());
                Value::Object(map).to_string()
            }
            _ => body,
        }
    }
}

impl Adapter for AnyHttp {
    fn exchange(&self, prompt: &Prompt, _user: u32, _seq: u64) -> Box<dyn Exchange> {
        let has_messages = self.body.has(Slot::Messages) || self.path.has(Slot::Messages);
        let messages = if has_messages {
            Value::from(messages(prompt, user_content(prompt))).to_string()
        } else {
            String::new()
        };
        let values = SlotValues {
            prompt: &prompt.user,
            system: system_of(prompt),
            model: self.model.as_deref(),
            max_tokens: prompt.output_tokens.or(self.max_tokens),
            messages: &messages,
        };
        let body = self.with_extra(self.body.fill(&values));
        let call = self.endpoint.call_at(self.path.fill(&values), body.into());
        let wire = HttpWire(Arc::clone(&self.finds));
        Box::new(OneCall::new(Arc::clone(&self.endpoint), call, wire))
    }

    fn facts(&self) -> &ServerFacts {
        &self.facts
    }
}

/// As chat protocols have it: a text, or parts where pictures go with it.
fn user_content(prompt: &Prompt) -> Value {
    if prompt.images.is_empty() {
        return (*prompt.user).into();
    }
    let text = serde_json::json!({"type": "text", "text": &*prompt.user});
    let images = prompt.images.iter().map(
        |image| serde_json::json!({"type": "image_url", "image_url": {"url": data_url(image)}}),
    );
    std::iter::once(text).chain(images).collect()
}

/// Finds in answers what the template says stands there.
#[derive(Debug)]
struct HttpWire(Arc<Template>);

/// What one event, line or answer holds.
struct Found {
    /// Of the answer; empty for output that is no text.
    text: Option<String>,
    is_reasoning: bool,
    is_done: bool,
}

impl HttpWire {
    /// `Err` when it says that it is an error.
    fn find(&self, data: &str, value: &Value, marks: &mut Marks) -> Result<Found, String> {
        let template = &*self.0;
        let at = |pointer: &Option<String>| value.pointer(pointer.as_deref()?);
        if let Some(error) = at(&template.error).filter(|value| is_said(value)) {
            let message = said::message_in_json(error);
            return Err(message.unwrap_or_else(|| said::excerpt(data)));
        }
        let count = |pointer: &Option<String>| at(pointer)?.as_u64();
        marks.counts.tokens_in = count(&template.tokens_in).or(marks.counts.tokens_in);
        marks.counts.tokens_out = count(&template.tokens_out).or(marks.counts.tokens_out);
        let text = if template.token.is_empty() {
            (!data.is_empty()).then(|| data.to_owned())
        } else {
            value.pointer(&template.token).and_then(text_of)
        };
        let reasons = at(&template.reasoning).is_some_and(is_said);
        let done = template.done.as_ref().filter(|done| done.starts_with('/'));
        Ok(Found {
            is_reasoning: text.is_none() && reasons,
            text,
            is_done: done.is_some_and(|done| value.pointer(done).is_some_and(is_said)),
        })
    }

    /// The data as JSON. Where the whole of it is the text it need not be.
    fn parse(&self, what: &str, data: &str) -> Result<Value, Failure> {
        match serde_json::from_str(data) {
            Ok(value) => Ok(value),
            Err(_) if self.0.token.is_empty() => Ok(Value::Null),
            Err(_) => Err(not_json(what, data)),
        }
    }
}

impl Wire for HttpWire {
    fn is_done_marker(&self, data: &str) -> bool {
        self.0.done.as_deref() == Some(data)
    }

    fn event(&mut self, name: &str, data: &str, marks: &mut Marks, stamp: Stamp) {
        if name == "error" {
            let message = said::message_in_body(data.as_bytes());
            return marks.fail(FailureKind::ErrorInStream, message);
        }
        let value = match self.parse("An event", data) {
            Ok(value) => value,
            // A keep-alive of some kind: no data, or an event of another name.
            Err(_) if data.trim().is_empty() || name != "message" => return,
            Err(failure) => return marks.fail(failure.kind, failure.message),
        };
        let found = match self.find(data, &value, marks) {
            Ok(found) => found,
            Err(message) => return marks.fail(FailureKind::ErrorInStream, message),
        };
        if found.text.is_some() || found.is_reasoning {
            let pointer = self.0.tokens_out.as_deref();
            let total = pointer.and_then(|p| value.pointer(p)?.as_u64());
            let text = found.text.as_deref().unwrap_or_default();
            marks.token(text, !found.is_reasoning, total, stamp);
        }
        if found.is_done {
            marks.done(stamp);
        }
    }

    fn whole(&mut self, text: &str, marks: &mut Marks, _stamp: Stamp) -> Result<Ended, Failure> {
        let value = self.parse("The answer", text)?;
        let found = self
            .find(text, &value, marks)
            .map_err(|message| Failure::new(FailureKind::ErrorBody, message))?;
        let Some(answer) = found.text else {
            let (token, said) = (&self.0.token, said::excerpt(text));
            return Err(Failure::new(
                FailureKind::ErrorEmpty,
                format!("The answer holds nothing at “{token}”: “{said}”"),
            ));
        };
        marks.push_answer(&answer);
        Ok(Ended::OkDone)
    }

    fn ends_with_body(&self) -> bool {
        self.0.done.is_none()
    }
}

/// Neither null, false nor empty.
fn is_said(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// Output of any kind; only a text or a number has a text.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(_) | Value::Object(_) if is_said(value) => Some(String::new()),
        _ => None,
    }
}
