//! One event (or one-shot answer) of an OpenAI-compatible server, read without allocating in the common case.
//!
//! Servers differ in what they leave out, set to null or send beside the standard, so every field is taken as it comes:
//! a field of an unexpected type is passed over, and only what is no JSON object at all is an error.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::protocol::loose::{Number, Text, parse};

/// A chat or completions event, or a whole one-shot answer.
#[derive(Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(default, borrow)]
    pub choices: Option<Choices<'a>>,
    #[serde(default, borrow)]
    pub usage: Option<&'a RawValue>,
    /// llama.cpp's own counts.
    #[serde(default, borrow)]
    pub timings: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub error: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub detail: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub object: Text<'a>,
    /// The Responses API's events.
    #[serde(default, borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(default, borrow)]
    pub delta: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub response: Option<&'a RawValue>,
    /// Of its `error` event.
    #[serde(default, borrow)]
    pub message: Text<'a>,
    /// Of its one-shot answer.
    #[serde(default, borrow)]
    pub output: Option<&'a RawValue>,
}

impl Chunk<'_> {
    /// Holds an error instead of an answer.
    pub(super) fn is_error(&self) -> bool {
        let is_said = |raw: &RawValue| !matches!(raw.get(), "false" | "\"\"" | "{}" | "[]");
        self.error.is_some_and(is_said)
            || self.choices.is_none()
                && (self.detail.is_some_and(is_said) || self.object.is("error"))
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        parse(self.usage?)
    }

    pub(super) fn timings(&self) -> Option<Timings> {
        parse(self.timings?)
    }
}

/// All choices of one event, folded as they are read.
#[derive(Default)]
pub(super) struct Choices<'a> {
    pub n_choices: usize,
    /// Some choice carries output of any kind: text, reasoning or a tool call.
    pub has_token: bool,
    /// Some choice carries output that is not reasoning.
    pub has_answer: bool,
    pub is_finished: bool,
    /// The text of choice 0.
    pub text: Text<'a>,
}

#[derive(Default, Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: Number,
    #[serde(default, borrow)]
    delta: Option<Delta<'a>>,
    /// Of a one-shot answer.
    #[serde(default, borrow)]
    message: Option<Delta<'a>>,
    /// Of `/completions`.
    #[serde(default, borrow)]
    text: Text<'a>,
    #[serde(default, borrow)]
    finish_reason: Text<'a>,
}

#[derive(Default, Deserialize)]
struct Delta<'a> {
    #[serde(default, borrow)]
    content: Text<'a>,
    #[serde(default, borrow)]
    reasoning_content: Text<'a>,
    #[serde(default, borrow)]
    reasoning: Text<'a>,
    #[serde(default, borrow)]
    refusal: Text<'a>,
    #[serde(default, borrow)]
    tool_calls: Text<'a>,
    #[serde(default, borrow)]
    function_call: Text<'a>,
}

impl<'a> Choices<'a> {
    fn add(&mut self, choice: Choice<'a>) {
        self.n_choices += 1;
        self.is_finished |= choice.finish_reason.is_filled();
        let is_first = choice.index.0.unwrap_or(0) == 0;
        for delta in [choice.delta, choice.message].into_iter().flatten() {
            let is_answer = [
                &delta.content,
                &delta.refusal,
                &delta.tool_calls,
                &delta.function_call,
            ]
            .iter()
            .any(|text| text.is_filled());
            self.has_answer |= is_answer;
            self.has_token |=
                is_answer || delta.reasoning_content.is_filled() || delta.reasoning.is_filled();
            if is_first && delta.content.is_filled() {
                self.text = delta.content;
            }
        }
        if choice.text.is_filled() {
            self.has_answer = true;
            self.has_token = true;
            if is_first {
                self.text = choice.text;
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Choices<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fold;
        impl<'de> Visitor<'de> for Fold {
            type Value = Choices<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut choices = Choices::default();
                while let Some(choice) = seq.next_element()? {
                    choices.add(choice);
                }
                Ok(choices)
            }
        }
        deserializer.deserialize_seq(Fold)
    }
}

/// Token counts of a whole answer so far; the last one wins.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Usage {
    #[serde(default, alias = "input_tokens")]
    pub prompt_tokens: Number,
    #[serde(default, alias = "output_tokens")]
    pub completion_tokens: Number,
    #[serde(default, alias = "input_tokens_details")]
    pub prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct PromptDetails {
    #[serde(default)]
    pub cached_tokens: Number,
}

/// llama.cpp's `timings`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Timings {
    /// Prompt tokens taken from the cache.
    #[serde(default)]
    pub cache_n: Number,
    /// Prompt tokens that had to be processed.
    #[serde(default)]
    pub prompt_n: Number,
    #[serde(default)]
    pub predicted_n: Number,
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn choices(text: &str) -> Choices<'_> {
        serde_json::from_str::<Chunk<'_>>(text)
            .unwrap()
            .choices
            .unwrap()
    }

    #[test]
    fn plain_content_is_borrowed() {
        let c =
            choices(r#"{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#);
        assert!(matches!(c.text, Text::Str(Cow::Borrowed("Hi"))));
        assert!(c.has_token && c.has_answer && !c.is_finished);
    }

    #[test]
    fn what_is_a_token_and_what_is_not() {
        let is_token = |delta: &str| {
            let text = format!(r#"{{"choices":[{{"delta":{delta}}}]}}"#);
            let c = choices(&text);
            (c.has_token, c.has_answer)
        };
        assert_eq!(
            is_token(r#"{"role":"assistant","content":""}"#),
            (false, false)
        );
        assert_eq!(
            is_token(r#"{"role":"assistant","content":null}"#),
            (false, false)
        );
        assert_eq!(is_token(r#"{"tool_calls":[]}"#), (false, false));
        assert_eq!(is_token(r#"{"tool_calls":[{"index":0}]}"#), (true, true));
        assert_eq!(
            is_token(r#"{"reasoning":"x","content":null}"#),
            (true, false)
        );
        assert_eq!(is_token(r#"{"reasoning_content":"x"}"#), (true, false));
        assert_eq!(is_token(r#"{"refusal":"no"}"#), (true, true));
        assert_eq!(
            is_token(r#"{"content":[{"type":"text","text":"x"}]}"#),
            (true, true)
        );
        assert_eq!(is_token("null"), (false, false));
    }

    #[test]
    fn odd_types_are_passed_over() {
        let text = r#"{"choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":2.5,"prompt_tokens_details":null},"timings":7}"#;
        let chunk: Chunk<'_> = serde_json::from_str(text).unwrap();
        let usage = chunk.usage().unwrap();
        assert_eq!(usage.prompt_tokens, Number(None));
        assert_eq!(usage.completion_tokens, Number(None));
        assert!(chunk.timings().is_none());
        assert_eq!(chunk.choices.unwrap().n_choices, 0);
    }

    #[test]
    fn an_error_is_told_from_an_answer() {
        let is_error = |text: &str| serde_json::from_str::<Chunk<'_>>(text).unwrap().is_error();
        assert!(is_error(r#"{"error":{"message":"x"}}"#));
        assert!(is_error(r#"{"error":"x","error_type":"y"}"#));
        assert!(is_error(r#"{"detail":"x"}"#));
        assert!(is_error(r#"{"object":"error","message":"x"}"#));
        assert!(!is_error(r#"{"choices":[],"error":null}"#));
        assert!(!is_error(r#"{"choices":[],"error":""}"#));
    }
}
