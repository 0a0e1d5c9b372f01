//! The JSON body of a request: made once for a run, filled with a prompt for each request.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Api;
use crate::domain::{Issue, Prompt};

/// Stands where the prompt goes until a request fills it; no server's model or field is called so.
const SLOT: &str = "\u{0}prompt\u{0}";

/// All of a body but the prompt.
#[derive(Debug)]
pub(super) struct BodyTemplate {
    api: Api,
    full: Halves,
    /// Without the `stream_options` of our own, for a server that refuses them.
    plain: Halves,
}

/// JSON before and after the prompt; only `before` when the extra body brings its own.
#[derive(Debug, Eq, PartialEq)]
struct Halves {
    before: String,
    after: Option<String>,
}

/// What a body is made of besides the prompt.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyParts<'a> {
    pub api: Api,
    pub model: Option<&'a str>,
    pub stream: bool,
    pub max_tokens: Option<u32>,
    pub extra: &'a Map<String, Value>,
}

impl BodyTemplate {
    pub(super) fn new(parts: BodyParts<'_>) -> Self {
        Self {
            api: parts.api,
            full: Halves::of(&body_json(parts, true)),
            plain: Halves::of(&body_json(parts, false)),
        }
    }

    /// A refusal of `stream_options` can be met by leaving them out.
    pub(super) fn asks_for_usage(&self) -> bool {
        self.full != self.plain
    }

    /// The body for one prompt.
    pub(super) fn fill(&self, prompt: &Prompt, with_usage: bool) -> Bytes {
        let halves = if with_usage { &self.full } else { &self.plain };
        let Some(after) = &halves.after else {
            return Bytes::from(halves.before.clone());
        };
        let prompt = match self.api {
            Api::Chat => messages_json(prompt),
            Api::Completions => text_json(prompt),
            Api::Responses => messages_json(prompt),
        };
        Bytes::from([halves.before.as_str(), &prompt.to_string(), after].concat())
    }
}

impl Halves {
    fn of(body: &Value) -> Self {
        let text = body.to_string();
        let slot = Value::from(SLOT).to_string();
        match text.split_once(&slot) {
            Some((before, after)) => Self {
                before: before.to_owned(),
                after: Some(after.to_owned()),
            },
            None => Self {
                before: text,
                after: None,
            },
        }
    }
}

fn body_json(parts: BodyParts<'_>, with_usage: bool) -> Value {
    let mut body = Map::new();
    if let Some(model) = parts.model {
        body.insert("model".to_owned(), model.into());
    }
    body.insert(parts.api.prompt_field().to_owned(), SLOT.into());
    if let Some(max_tokens) = parts.max_tokens {
        body.insert(parts.api.limit_field().to_owned(), max_tokens.into());
    }
    body.insert("stream".to_owned(), parts.stream.into());
    if parts.stream && with_usage && parts.api != Api::Responses {
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    merge(&mut body, parts.extra);
    Value::Object(body)
}

/// JSON Merge Patch (RFC 7396): objects are merged, null removes a field, all else replaces it.
fn merge(body: &mut Map<String, Value>, extra: &Map<String, Value>) {
    for (name, value) in extra {
        match (body.get_mut(name), value) {
            (_, Value::Null) => {
                body.shift_remove(name);
            }
            (Some(Value::Object(inner)), Value::Object(more)) => merge(inner, more),
            _ => {
                body.insert(name.clone(), value.clone());
            }
        }
    }
}

/// The extra body as an object, or what is wrong with it.
pub(super) fn parse_extra(text: &str) -> Result<Map<String, Value>, Issue> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    let issue = |message| Issue::new("workload.extra_body", message);
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(issue(
            "The extra body is not a JSON object; write {\"name\": value}".to_owned(),
        )),
        Err(error) => Err(issue(format!("The extra body is not JSON ({error})"))),
    }
}

fn messages_json(prompt: &Prompt) -> Value {
    let user = json!({"role": "user", "content": &*prompt.user});
    match system_of(prompt) {
        Some(system) => json!([{"role": "system", "content": system}, user]),
        None => json!([user]),
    }
}

fn text_json(prompt: &Prompt) -> Value {
    match system_of(prompt) {
        Some(system) => format!("{system}\n\n{}", prompt.user).into(),
        None => (*prompt.user).into(),
    }
}

fn system_of(prompt: &Prompt) -> Option<&str> {
    prompt.system.as_deref().filter(|system| !system.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn prompt(system: Option<&str>) -> Prompt {
        Prompt {
            system: system.map(Into::into),
            user: "Say “hi”\n".into(),
            ..Prompt::default()
        }
    }

    #[track_caller]
    fn check(api: Api, extra: &str, with_usage: bool, expected: &Value) {
        let extra = parse_extra(extra).unwrap();
        let template = BodyTemplate::new(BodyParts {
            api,
            model: Some("m"),
            stream: true,
            max_tokens: Some(8),
            extra: &extra,
        });
        let body = template.fill(&prompt(Some("Be brief")), with_usage);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(&body, expected);
    }

    #[test]
    fn a_chat_body_asks_for_usage() {
        let messages = json!([
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": "Say “hi”\n"}
        ]);
        check(
            Api::Chat,
            "",
            true,
            &json!({"model": "m", "messages": messages, "max_tokens": 8, "stream": true,
                "stream_options": {"include_usage": true}}),
        );
        check(
            Api::Chat,
            "",
            false,
            &json!({"model": "m", "messages": messages, "max_tokens": 8, "stream": true}),
        );
    }

    #[test]
    fn a_completions_prompt_is_one_text() {
        check(
            Api::Completions,
            r#"{"stream_options":{"continuous_usage_stats":true},"max_tokens":null,"seed":1}"#,
            true,
            &json!({"model": "m", "prompt": "Be brief\n\nSay “hi”\n", "stream": true, "seed": 1,
                "stream_options": {"include_usage": true, "continuous_usage_stats": true}}),
        );
    }

    #[test]
    fn the_extra_body_may_bring_its_own_messages() {
        check(
            Api::Chat,
            r#"{"messages":[{"role":"user","content":"x"}]}"#,
            false,
            &json!({"model": "m", "messages": [{"role": "user", "content": "x"}],
                "max_tokens": 8, "stream": true}),
        );
    }

    #[test]
    fn what_is_no_object_is_an_issue_at_its_field() {
        assert_eq!(parse_extra("[1]").unwrap_err().field, "workload.extra_body");
        assert_eq!(parse_extra("{").unwrap_err().field, "workload.extra_body");
        assert!(parse_extra("  ").unwrap().is_empty());
    }
}
