//! What a server says of an error, in any of the forms that the servers we know use: `{"error":{"message":…}}`
//! (OpenAI, vLLM, llama.cpp), `{"error":"…"}` (vLLM's 401, TGI), `{"detail":…}` (FastAPI), `{"message":…}`, plain text, HTML.

use serde_json::Value;

/// Longest message that is kept, in characters.
pub const MAX_MESSAGE_CHARS: usize = 500;

/// The server's own words in an error's body; empty when it said nothing.
pub fn message_in_body(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    match serde_json::from_str::<Value>(text) {
        Ok(value) => message_in_json(&value).unwrap_or_else(|| excerpt(text)),
        Err(_) if is_html(text) => html_title(text).map_or_else(
            || "a web page".to_owned(),
            |title| format!("a web page, “{title}”"),
        ),
        Err(_) => excerpt(text),
    }
}

/// The message of a JSON value that is, or holds, an error.
pub fn message_in_json(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(excerpt(text.trim())),
        Value::Array(items) => join(items.iter().filter_map(message_of_item)),
        Value::Object(map) => ["error", "detail", "message", "msg", "title"]
            .iter()
            .find_map(|name| message_in_json(map.get(*name)?)),
        _ => None,
    }
}

/// FastAPI's `{"loc":["body","max_tokens"],"msg":"…","input":…}`; the input is our own body and is left out.
fn message_of_item(item: &Value) -> Option<String> {
    let message = message_in_json(item)?;
    let Some(Value::Array(loc)) = item.get("loc") else {
        return Some(message);
    };
    let place: Vec<String> = loc
        .iter()
        .filter(|part| *part != "body")
        .map(|part| {
            part.as_str()
                .map_or_else(|| part.to_string(), str::to_owned)
        })
        .collect();
    if place.is_empty() {
        return Some(message);
    }
    Some(format!("{}: {message}", place.join(".")))
}

fn join(messages: impl Iterator<Item = String>) -> Option<String> {
    let messages: Vec<String> = messages.collect();
    (!messages.is_empty()).then(|| excerpt(&messages.join("; ")))
}

/// At most [`MAX_MESSAGE_CHARS`] characters of a text.
pub fn excerpt(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The text is a web page, which an API never is.
pub fn is_html(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(64).collect();
    let start = start.to_ascii_lowercase();
    start.starts_with("<!doctype") || start.starts_with("<html") || start.starts_with("<head")
}

fn html_title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let from = lower.find("<title>")? + "<title>".len();
    let to = from + lower.get(from..)?.find("</title>")?;
    let title = text.get(from..to)?.trim();
    (!title.is_empty()).then(|| excerpt(title))
}

#[cfg(test)]
mod tests {
    use super::{MAX_MESSAGE_CHARS, message_in_body};

    #[track_caller]
    fn check(body: &str, expected: &str) {
        assert_eq!(message_in_body(body.as_bytes()), expected, "{body}");
    }

    #[test]
    fn every_form_of_error_is_understood() {
        check(r#"{"error":{"message":"no","type":"t","code":1}}"#, "no");
        check(r#"{"error":"Unauthorized"}"#, "Unauthorized");
        check(r#"{"detail":"Not Found"}"#, "Not Found");
        check(
            r#"{"detail":[{"type":"extra","loc":["body","stream_options"],"msg":"Extra inputs","input":{"a":"secret"}}]}"#,
            "stream_options: Extra inputs",
        );
        check(r#"{"message":"boom"}"#, "boom");
        check(r#"{"object":"error","message":"m","code":4}"#, "m");
        check(r#"{"error":null,"title":"Error"}"#, "Error");
        check("Internal Server Error", "Internal Server Error");
        check("", "");
        check(
            "<!DOCTYPE html><html><title>Login</title>",
            "a web page, “Login”",
        );
        check("<html>", "a web page");
        check(r#"{"x":1}"#, r#"{"x":1}"#);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = "é".repeat(2 * MAX_MESSAGE_CHARS);
        assert_eq!(
            message_in_body(long.as_bytes()).chars().count(),
            MAX_MESSAGE_CHARS + 1
        );
    }
}
