//! Conversations: `{role, content}` as chat APIs write them, `{from, value}` as ShareGPT does.

use std::sync::Arc;

use serde_json::Value;

use crate::domain::{ImageData, Role, Turn};
use crate::workload::row::Row;

/// What a message is.
enum Who {
    System,
    Said(Role),
    /// What a tool gave; nobody said it.
    Tool,
}

struct Message {
    who: Who,
    text: String,
    images: Vec<ImageData>,
}

/// Whether all of a list look like messages.
pub(super) fn are_messages(list: &[Value]) -> bool {
    let names = |value: &Value| value.get("role").or_else(|| value.get("from")).is_some();
    !list.is_empty() && list.iter().all(names)
}

/// A recorded conversation: what the person said is asked again, turn by turn; what was answered then is left out, since
/// the model answers itself. System messages stay system.
pub(super) fn conversation(list: &[Value]) -> Result<Row, String> {
    let mut row = Row::default();
    for message in parse(list)? {
        match message.who {
            Who::System => add_system(&mut row, &message.text),
            Who::Said(Role::User) => {
                if row.turns.is_empty() {
                    row.images = message.images;
                }
                if !message.text.trim().is_empty() {
                    row.turns.push(Arc::from(message.text));
                }
            }
            Who::Said(Role::Assistant) | Who::Tool => {}
        }
    }
    Ok(row)
}

/// Messages that end with the person's are one request with what was said before as its history; others are a recorded
/// conversation.
pub(super) fn messages(list: &[Value]) -> Result<Row, String> {
    let mut all = parse(list)?;
    let answers = |m: &Message| matches!(m.who, Who::Said(Role::Assistant));
    let is_request = matches!(all.last().map(|m| &m.who), Some(Who::Said(Role::User)));
    if !is_request || !all.iter().any(answers) {
        return conversation(list);
    }
    let mut row = Row::default();
    let last = all.pop();
    for message in all {
        match message.who {
            Who::System => add_system(&mut row, &message.text),
            Who::Said(role) => row.history.push(Turn {
                role,
                text: Arc::from(message.text),
            }),
            Who::Tool => {}
        }
    }
    if let Some(last) = last {
        row.images = last.images;
        row.turns.push(Arc::from(last.text));
    }
    Ok(row)
}

fn add_system(row: &mut Row, text: &str) {
    if text.trim().is_empty() {
        return;
    }
    row.system = Some(match &row.system {
        Some(before) => Arc::from(format!("{before}\n\n{text}")),
        None => Arc::from(text),
    });
}

fn parse(list: &[Value]) -> Result<Vec<Message>, String> {
    list.iter().map(message).collect()
}

fn message(value: &Value) -> Result<Message, String> {
    let word = |names: [&str; 2]| names.iter().find_map(|name| value.get(*name));
    let role = word(["role", "from"]).and_then(Value::as_str);
    let role = role.ok_or("has a message without a role")?;
    let who = match role.to_lowercase().as_str() {
        "system" | "developer" => Who::System,
        "user" | "human" | "prompter" => Who::Said(Role::User),
        "assistant" | "gpt" | "chatgpt" | "bard" | "bing" | "model" | "ai" | "bot" => {
            Who::Said(Role::Assistant)
        }
        "tool" | "function" | "observation" | "function_call" => Who::Tool,
        _ => return Err(format!("has a message of the unknown role “{role}”")),
    };
    let (text, images) = match word(["content", "value"]) {
        Some(Value::String(text)) => (text.clone(), Vec::new()),
        Some(Value::Array(parts)) => content_parts(parts)?,
        Some(Value::Null) | None => Default::default(),
        Some(_) => {
            return Err(format!(
                "has a message of “{role}” whose content is no text"
            ));
        }
    };
    Ok(Message { who, text, images })
}

/// Text parts joined, and pictures that are in the file itself.
fn content_parts(parts: &[Value]) -> Result<(String, Vec<ImageData>), String> {
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for part in parts {
        if let Some(text) = part.get("text").and_then(Value::as_str) {
            texts.push(text);
        } else if let Some(image) = part.get("image_url") {
            let url = image.get("url").unwrap_or(image);
            let data = url.as_str().and_then(data_url);
            images.push(
                data.ok_or("has a picture that is no data URL in base64; others are not fetched")?,
            );
        }
    }
    Ok((texts.join("\n"), images))
}

/// `data:image/png;base64,…`.
fn data_url(url: &str) -> Option<ImageData> {
    let (mime, base64) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some(ImageData {
        mime: Arc::from(mime),
        base64: Arc::from(base64),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::values::row_of;
    use super::*;

    fn turns(row: &Row) -> Vec<&str> {
        row.turns.iter().map(|t| &**t).collect()
    }

    #[test]
    fn a_sharegpt_row_keeps_its_system_message_apart() {
        let row = row_of(json!({"conversations": [
            {"from": "system", "value": "be brief"},
            {"from": "gpt", "value": "Hello!"},
            {"from": "human", "value": "one"},
            {"from": "gpt", "value": "said"},
            {"from": "human", "value": "two"},
            {"from": "gpt", "value": "again"}]}))
        .unwrap();
        assert_eq!(row.system.as_deref(), Some("be brief"));
        assert_eq!(turns(&row), ["one", "two"]);
        assert!(row.history.is_empty());
        let with_id = row_of(json!({"id": "x_0", "conversations": [
            {"role": "user", "content": "one"}, {"role": "assistant", "content": "a"}]}));
        assert_eq!(turns(&with_id.unwrap()), ["one"]);
    }

    #[test]
    fn messages_that_end_with_the_person_carry_their_history() {
        let row = row_of(json!({"messages": [
            {"role": "system", "content": "s"}, {"role": "developer", "content": "t"},
            {"role": "user", "content": "one"}, {"role": "assistant", "content": "answer"},
            {"role": "user", "content": [{"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]}))
        .unwrap();
        assert_eq!(row.system.as_deref(), Some("s\n\nt"));
        assert_eq!(turns(&row), ["look"]);
        let history: Vec<(&str, &str)> = row
            .history
            .iter()
            .map(|t| (t.role.id(), &*t.text))
            .collect();
        assert_eq!(history, [("user", "one"), ("assistant", "answer")]);
        assert_eq!(&*row.images[0].mime, "image/png");
        assert_eq!(&*row.images[0].base64, "AAAA");
    }

    #[test]
    fn what_is_no_message_is_told() {
        for (value, words) in [
            (
                json!({"messages": [{"role": "wizard", "content": "x"}]}),
                "“wizard”",
            ),
            (
                json!({"messages": [{"role": "user", "content": 7}]}),
                "is no text",
            ),
            (json!({"messages": [{"content": "x"}]}), "without a role"),
            (
                json!({"messages": [{"role": "user", "content": [
                {"image_url": {"url": "https://h/cat.png"}}]}]}),
                "data URL",
            ),
            (json!({"prompt": 7}), "is no text"),
            (json!({}), "no field"),
            (json!(7), "“7”"),
        ] {
            let message = row_of(value).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn other_rows_are_what_they_look_like() {
        let whole = row_of(json!(["hi", 3, null])).unwrap();
        assert_eq!(whole.payload.as_deref(), Some(&json!(["hi", 3, null])));
        let alpaca = row_of(json!({"instruction": "Sum", "input": "1 2", "output": "3"}));
        assert_eq!(turns(&alpaca.unwrap()), ["Sum\n\n1 2"]);
        let listed = row_of(json!({"prompt": ["a", "b"], "output_tokens": 9})).unwrap();
        assert_eq!(
            (turns(&listed), listed.output_tokens),
            (vec!["a", "b"], Some(9))
        );
        let wrapped = row_of(json!({"row_idx": 0, "row": {"question": "q"}})).unwrap();
        assert_eq!(turns(&wrapped), ["q"]);
    }
}
