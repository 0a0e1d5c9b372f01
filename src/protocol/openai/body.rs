//! The JSON body of a request to an OpenAI-compatible server.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Api;
use crate::domain::Prompt;
use crate::protocol::body::{BodyTemplate, fields};
use crate::protocol::conversation::{data_url, joined, messages};

/// All of a body but the prompt.
#[derive(Debug)]
pub(super) struct Bodies {
    api: Api,
    max_tokens: Option<u32>,
    full: BodyTemplate,
    /// Without the `stream_options` of our own, for a server that refuses them.
    plain: BodyTemplate,
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

/// What a request asks for that not every server takes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Asks {
    /// Token counts in a stream.
    pub usage: bool,
    /// To go on to the limit whatever the model wants: `ignore_eos`, and `min_tokens` where there is a limit.
    pub no_end: bool,
}

impl Bodies {
    pub(super) fn new(parts: BodyParts<'_>) -> Self {
        let mut fixed = Map::new();
        if let Some(model) = parts.model {
            fixed.insert("model".to_owned(), model.into());
        }
        fixed.insert("stream".to_owned(), parts.stream.into());
        let plain = BodyTemplate::new(fixed.clone(), parts.extra.clone());
        if parts.stream && parts.api.takes_stream_options() {
            fixed.insert("stream_options".to_owned(), json!({"include_usage": true}));
        }
        Self {
            api: parts.api,
            max_tokens: parts.max_tokens,
            full: BodyTemplate::new(fixed, parts.extra.clone()),
            plain,
        }
    }

    /// A refusal of `stream_options` can be met by leaving them out.
    pub(super) fn asks_for_usage(&self) -> bool {
        !self.full.is_like(&self.plain)
    }

    /// The body for one prompt.
    pub(super) fn fill(&self, prompt: &Prompt, asks: Asks) -> Bytes {
        let input: Value = match self.api {
            Api::Chat => messages(prompt, self.user_content(prompt)).into(),
            Api::Responses => items(messages(prompt, self.user_content(prompt))),
            Api::Completions => joined(prompt).into(),
        };
        let mut own = fields([(self.api.prompt_field(), input)]);
        if let Some(max_tokens) = prompt.output_tokens.or(self.max_tokens) {
            own.insert(self.api.limit_field().to_owned(), max_tokens.into());
            if asks.no_end {
                own.insert("min_tokens".to_owned(), max_tokens.into());
            }
        }
        if asks.no_end {
            own.insert("ignore_eos".to_owned(), true.into());
        }
        if asks.usage {
            self.full.fill(own)
        } else {
            self.plain.fill(own)
        }
    }

    /// A text, or a list of parts where pictures go with it.
    fn user_content(&self, prompt: &Prompt) -> Value {
        if prompt.images.is_empty() {
            return (*prompt.user).into();
        }
        let is_chat = self.api == Api::Chat;
        let text = if is_chat { "text" } else { "input_text" };
        let mut parts = vec![json!({"type": text, "text": &*prompt.user})];
        parts.extend(prompt.images.iter().map(|image| {
            let url = data_url(image);
            if is_chat {
                json!({"type": "image_url", "image_url": {"url": url}})
            } else {
                json!({"type": "input_image", "image_url": url})
            }
        }));
        parts.into()
    }
}

/// Messages as the Responses API's items. llama.cpp knows an assistant's by its type alone.
fn items(mut messages: Vec<Value>) -> Value {
    for message in &mut messages {
        message["type"] = "message".into();
    }
    messages.into()
}

#[cfg(test)]
mod tests {
    use crate::domain::{ImageData, Role, Turn};
    use crate::protocol::body::parse_extra;

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
        let template = Bodies::new(BodyParts {
            api,
            model: Some("m"),
            stream: true,
            max_tokens: Some(8),
            extra: &extra,
        });
        let asks = Asks {
            usage: with_usage,
            no_end: false,
        };
        let body = template.fill(&prompt(Some("Be brief")), asks);
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
    fn a_given_length_is_asked_for_where_it_is_wanted() {
        let body = |max_tokens, asked| -> Value {
            let bodies = Bodies::new(BodyParts {
                api: Api::Chat,
                model: None,
                stream: false,
                max_tokens,
                extra: &Map::new(),
            });
            let prompt = Prompt {
                output_tokens: asked,
                ..prompt(None)
            };
            let asks = Asks {
                usage: true,
                no_end: true,
            };
            serde_json::from_slice(&bodies.fill(&prompt, asks)).unwrap()
        };
        let of = |body: &Value| {
            let field = |name| body.get(name).cloned();
            (
                field("max_tokens"),
                field("min_tokens"),
                field("ignore_eos"),
            )
        };
        let (five, yes) = (Some(json!(5)), Some(json!(true)));
        assert_eq!(
            of(&body(Some(8), Some(5))),
            (five.clone(), five.clone(), yes.clone())
        );
        assert_eq!(of(&body(Some(5), None)), (five.clone(), five, yes.clone()));
        assert_eq!(of(&body(None, None)), (None, None, yes));
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
    fn a_responses_body_has_its_own_names() {
        let input = json!([
            {"type": "message", "role": "system", "content": "Be brief"},
            {"type": "message", "role": "user", "content": "Say “hi”\n"}
        ]);
        check(
            Api::Responses,
            "",
            true,
            &json!({"model": "m", "input": input, "max_output_tokens": 8, "stream": true}),
        );
    }

    #[test]
    fn pictures_history_and_a_prompts_own_limit_are_sent() {
        let image = ImageData {
            mime: "image/png".into(),
            base64: "aGk=".into(),
        };
        let turn = Turn {
            role: Role::Assistant,
            text: "Yes".into(),
        };
        let prompt = Prompt {
            history: [turn].into(),
            images: [image].into(),
            output_tokens: Some(3),
            ..prompt(None)
        };
        let body = |api| -> Value {
            let bodies = Bodies::new(BodyParts {
                api,
                model: None,
                stream: false,
                max_tokens: Some(8),
                extra: &Map::new(),
            });
            serde_json::from_slice(&bodies.fill(&prompt, Asks::default())).unwrap()
        };
        let url = "data:image/png;base64,aGk=";
        let chat = body(Api::Chat);
        assert_eq!(chat["max_tokens"], 3);
        assert_eq!(
            chat["messages"],
            json!([
                {"role": "assistant", "content": "Yes"},
                {"role": "user", "content": [
                    {"type": "text", "text": "Say “hi”\n"},
                    {"type": "image_url", "image_url": {"url": url}}
                ]}
            ])
        );
        let responses = body(Api::Responses);
        assert_eq!(responses["max_output_tokens"], 3);
        assert_eq!(
            responses["input"][1]["content"],
            json!([
                {"type": "input_text", "text": "Say “hi”\n"},
                {"type": "input_image", "image_url": url}
            ])
        );
    }
}
