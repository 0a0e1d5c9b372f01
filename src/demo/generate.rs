//! What the text wires share: a place in line, a slot, and the line of the log.

use std::io;

use serde_json::Value;

use super::Shared;
use super::http::Conn;
use super::log::{Entry, now_ns};
use super::model::{Job, count_tokens};

/// What every picture counts, whatever its size.
const TOKENS_PER_IMAGE: u64 = 256;

/// How a request's wait ended.
pub(super) enum Begun<'a> {
    Running(Box<(Job<'a>, Entry)>),
    /// That many wait already.
    Full(usize),
}

/// Waits in line for a slot; an error when the client left meanwhile.
pub(super) async fn begin<'a>(
    conn: &Conn,
    shared: &'a Shared,
    route: &'static str,
    prompt_tokens: u64,
) -> io::Result<Begun<'a>> {
    let mut entry = Entry {
        route,
        arrived_ns: now_ns(),
        ended: "left",
        prompt_tokens,
        ..Entry::default()
    };
    let mut job = match shared.model.enqueue() {
        Ok(job) => job,
        Err(n) => return Ok(Begun::Full(n)),
    };
    entry.id = job.ticket;
    tokio::select! {
        () = job.start() => {}
        () = conn.gone() => {
            shared.log.write(&entry);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
    }
    entry.started_ns = Some(now_ns());
    entry.cold = job.cold;
    Ok(Begun::Running(Box::new((job, entry))))
}

/// Tokens of a whole conversation: every message's text, in a string or in parts, and its pictures.
pub(super) fn conversation_tokens(messages: &[Value]) -> u64 {
    let (mut texts, mut n_images) = (Vec::new(), 0);
    for message in messages {
        match &message["content"] {
            Value::String(text) => texts.push(text.as_str()),
            Value::Array(parts) => {
                texts.extend(parts.iter().filter_map(|part| part["text"].as_str()));
                n_images += parts.iter().filter(|part| is_image(part)).count() as u64;
            }
            _ => {}
        }
        n_images += message["images"].as_array().map_or(0, Vec::len) as u64;
    }
    count_tokens(&texts.join("\n")) + n_images * TOKENS_PER_IMAGE
}

fn is_image(part: &Value) -> bool {
    matches!(
        part["type"].as_str(),
        Some("image_url" | "input_image" | "image")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn history_and_pictures_count() {
        let short = [json!({"role": "user", "content": "12345678"})];
        assert_eq!(conversation_tokens(&short), 2);
        let long = [
            json!({"role": "user", "content": "1234567"}),
            json!({"role": "assistant", "content": "1234567"}),
            json!({"role": "user", "content": [
                {"type": "text", "text": "12345678"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
            ]}),
            json!({"role": "user", "content": "", "images": ["aGk="]}),
        ];
        assert_eq!(conversation_tokens(&long), 7 + 2 * TOKENS_PER_IMAGE);
    }
}
