//! The Responses API: events that say by their `type` what they are (`response.output_text.delta`, `response.completed`),
//! without choices or `[DONE]`. Some servers send them on chat routes too.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::chunk::{Chunk, Usage};
use crate::protocol::loose::{Text, parse};
use crate::protocol::said;

/// What such an event means.
pub(super) enum Meaning<'a> {
    /// `text` is that of the answer; reasoning and arguments of a call have none.
    Token {
        text: Text<'a>,
        is_answer: bool,
    },
    Finished(Option<Usage>),
    Failed(String),
    Nothing,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

/// `None` when it is not an event of that API.
pub(super) fn meaning<'a>(chunk: &Chunk<'a>) -> Option<Meaning<'a>> {
    if chunk.kind.is("error") {
        let message = said::excerpt(chunk.message.as_str());
        return Some(Meaning::Failed(message));
    }
    let kind = chunk.kind.as_str().strip_prefix("response.")?;
    let response: Option<Response<'a>> = chunk.response.and_then(parse);
    Some(match kind {
        "completed" | "incomplete" => Meaning::Finished(response.and_then(|r| r.usage)),
        "failed" => Meaning::Failed(
            response
                .and_then(|r| r.error)
                .map(|raw| said::message_in_body(raw.get().as_bytes()))
                .unwrap_or_default(),
        ),
        _ => match kind.strip_suffix(".delta") {
            Some(what) => delta(what, chunk.delta.and_then(parse).unwrap_or_default()),
            None => Meaning::Nothing,
        },
    })
}

/// A piece of text, a refusal, reasoning or a call's arguments; all of them were generated.
fn delta<'a>(what: &str, text: Text<'a>) -> Meaning<'a> {
    if !text.is_filled() {
        return Meaning::Nothing;
    }
    let is_text = matches!(what, "output_text" | "refusal");
    Meaning::Token {
        is_answer: !what.starts_with("reasoning"),
        text: if is_text { text } else { Text::Empty },
    }
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(default, borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(default, borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(default, borrow)]
    text: Text<'a>,
    #[serde(default, borrow)]
    refusal: Text<'a>,
}

/// The text of a one-shot answer's `output`; [`Text::Other`] where it holds a call or reasoning and no text,
/// [`Text::Empty`] where it holds nothing, `None` where it has no such list.
pub(super) fn output_text<'a>(chunk: &Chunk<'a>) -> Option<Text<'a>> {
    let items: Vec<Item<'a>> = parse(chunk.output?)?;
    let n_items = items.len();
    let contents = items.into_iter().filter_map(|item| item.content);
    let mut text = String::new();
    for part in contents.flat_map(|raw| parse::<Vec<Part<'a>>>(raw).unwrap_or_default()) {
        if part.kind.is("output_text") || part.kind.is("refusal") {
            text.push_str(part.text.as_str());
            text.push_str(part.refusal.as_str());
        }
    }
    Some(match (text.is_empty(), n_items) {
        (false, _) => Text::Str(text.into()),
        (true, 0) => Text::Empty,
        (true, _) => Text::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(output: &str) -> Option<Text<'static>> {
        let text = String::leak(format!(r#"{{"object":"response","error":null{output}}}"#));
        output_text(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_one_shot_answer_is_the_text_of_its_messages() {
        let reasoning = r#"{"type":"reasoning","content":[{"type":"reasoning_text","text":"hm"}]}"#;
        let call = r#"{"type":"function_call","name":"f","arguments":"{}"}"#;
        let message = r#"{"type":"message","content":[{"type":"output_text","text":"a"},{"type":"output_text","text":"b"}]}"#;
        let output = |items: &[&str]| text_of(&format!(r#","output":[{}]"#, items.join(",")));
        assert_eq!(output(&[reasoning, message]), Some(Text::Str("ab".into())));
        assert_eq!(output(&[call]), Some(Text::Other));
        assert_eq!(output(&[]), Some(Text::Empty));
        assert_eq!(text_of(""), None);
    }

    #[test]
    fn every_delta_is_a_token_and_only_text_is_told() {
        let meaning = |kind: &str| {
            let text = format!(r#"{{"type":"{kind}","delta":"x"}}"#);
            match meaning(&serde_json::from_str(&text).unwrap()) {
                Some(Meaning::Token { text, is_answer }) => (text.as_str().to_owned(), is_answer),
                _ => panic!("{kind} is no token"),
            }
        };
        assert_eq!(
            meaning("response.output_text.delta"),
            ("x".to_owned(), true)
        );
        assert_eq!(meaning("response.refusal.delta"), ("x".to_owned(), true));
        for kind in ["reasoning_text", "reasoning_summary_text"] {
            let kind = format!("response.{kind}.delta");
            assert_eq!(meaning(&kind), (String::new(), false), "{kind}");
        }
        let call = "response.function_call_arguments.delta";
        assert_eq!(meaning(call), (String::new(), true));
    }
}
