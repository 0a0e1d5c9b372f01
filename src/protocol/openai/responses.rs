//! Events of the Responses API (`response.output_text.delta`, `response.completed`), which some servers send on chat routes
//! and which have neither choices nor `[DONE]`.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::chunk::{Chunk, Text, Usage, parse};
use crate::protocol::said;

/// What such an event means.
pub(super) enum Meaning<'a> {
    Token { text: Text<'a>, is_answer: bool },
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
        _ if kind.strip_suffix(".delta").is_some() => {
            let text: Text<'a> = chunk.delta.and_then(parse).unwrap_or_default();
            if !text.is_filled() {
                return Some(Meaning::Nothing);
            }
            Meaning::Token {
                is_answer: !kind.starts_with("reasoning"),
                text,
            }
        }
        _ => Meaning::Nothing,
    })
}
