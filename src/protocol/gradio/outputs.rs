//! The outputs of a function while they grow: whether a message brought content, and the answer's text.

use std::sync::Arc;

use serde_json::Value;

use super::edits::{self, EditError};
use super::info::OutputKind;

/// What one message changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Change {
    /// Some output became something else that is not empty.
    pub(super) content: bool,
    /// One of those is text.
    pub(super) text: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Outputs {
    kinds: Arc<[OutputKind]>,
    values: Vec<Value>,
    /// Of chatbots: messages, and length of the answer under way.
    chats: Vec<(usize, usize)>,
}

impl Outputs {
    pub(super) fn new(kinds: Arc<[OutputKind]>) -> Self {
        Self {
            kinds,
            values: Vec::new(),
            chats: Vec::new(),
        }
    }

    /// Full values, as the first message of a stream and every message of `/call` carry them.
    pub(super) fn replace(&mut self, data: Vec<Value>) -> Change {
        let mut change = Change::default();
        for (i, value) in data.into_iter().enumerate() {
            let is_new = self
                .values
                .get(i)
                .is_none_or(|old| shown(old) != shown(&value));
            match self.values.get_mut(i) {
                Some(place) => *place = value,
                None => self.values.push(value),
            }
            self.note(i, is_new, &mut change);
        }
        change
    }

    /// One edit list for each output. An output that was not there before starts from null, as in the Python client.
    pub(super) fn edit(&mut self, data: &[Value]) -> Result<Change, EditError> {
        let mut change = Change::default();
        for (i, edits) in data.iter().enumerate() {
            if i >= self.values.len() {
                self.values.push(Value::Null);
            }
            let Some(value) = self.values.get_mut(i) else {
                continue;
            };
            let touches_value = !is_update(value) || touches_value(edits);
            let changed = edits::apply(value, edits)?;
            self.note(i, changed && touches_value, &mut change);
        }
        Ok(change)
    }

    fn note(&mut self, i: usize, changed: bool, change: &mut Change) {
        let kind = self.kind(i);
        let value = self.values.get(i).and_then(shown).unwrap_or(&Value::Null);
        let (content, text) = match kind {
            OutputKind::State => return,
            OutputKind::Chatbot => {
                let mark = (value.as_array().map_or(0, Vec::len), chat_text(value).len());
                if self.chats.len() <= i {
                    self.chats.resize(i + 1, (0, 0));
                }
                let before = self.chats.get_mut(i).map(|m| std::mem::replace(m, mark));
                (mark.1 > 0 && before != Some(mark), true)
            }
            OutputKind::Media => (changed && !is_empty(value), false),
            OutputKind::Other => (changed && !is_empty(value), value.is_string()),
        };
        change.content |= content;
        change.text |= content && text;
    }

    fn kind(&self, i: usize) -> OutputKind {
        self.kinds.get(i).copied().unwrap_or(OutputKind::Other)
    }

    /// Every output that a person sees is empty, though there are some.
    pub(super) fn are_empty(&self) -> bool {
        let mut seen = self
            .values
            .iter()
            .enumerate()
            .filter(|(i, _)| self.kind(*i) != OutputKind::State)
            .map(|(_, value)| shown(value))
            .peekable();
        seen.peek().is_some() && seen.all(|value| value.is_some_and(is_empty))
    }

    /// The first text output, as far as it came.
    pub(super) fn answer(&self) -> String {
        let text = |(i, value): (usize, &Value)| {
            let value = shown(value)?;
            match self.kind(i) {
                OutputKind::Chatbot => Some(chat_text(value)).filter(|t| !t.is_empty()),
                OutputKind::Other => value.as_str().map(ToOwned::to_owned),
                OutputKind::State | OutputKind::Media => None,
            }
        };
        self.values
            .iter()
            .enumerate()
            .find_map(text)
            .unwrap_or_default()
    }
}

fn is_update(value: &Value) -> bool {
    value.get("__type__").is_some()
}

/// The value behind `gr.update(…)`; `None` when the update changes only how the component looks.
fn shown(value: &Value) -> Option<&Value> {
    if is_update(value) {
        value.get("value")
    } else {
        Some(value)
    }
}

/// An edit of an update dict that reaches its value.
fn touches_value(edits: &Value) -> bool {
    let reaches = |edit: &Value| match edit.get(1).and_then(Value::as_array) {
        Some(path) => path.first().is_none_or(|first| first == "value"),
        None => true,
    };
    edits
        .as_array()
        .is_none_or(|edits| edits.iter().any(reaches))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What the assistant says last: the last message when it is not the user's, or the second of the last pair.
fn chat_text(value: &Value) -> String {
    let Some(last) = value.as_array().and_then(|messages| messages.last()) else {
        return String::new();
    };
    let mut text = String::new();
    match last {
        Value::Array(pair) => collect_text(pair.get(1).unwrap_or(&Value::Null), &mut text),
        Value::Object(message) if message.get("role").and_then(Value::as_str) != Some("user") => {
            collect_text(message.get("content").unwrap_or(&Value::Null), &mut text);
        }
        _ => {}
    }
    text
}

/// A string, or the `text` of content parts.
fn collect_text(content: &Value, text: &mut String) {
    match content {
        Value::String(part) => text.push_str(part),
        Value::Array(parts) => {
            for part in parts {
                match part.get("text") {
                    Some(Value::String(part)) => text.push_str(part),
                    _ => text.push_str(part.as_str().unwrap_or_default()),
                }
            }
        }
        Value::Object(part) => {
            text.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: Change = Change {
        content: true,
        text: true,
    };
    const NONE: Change = Change {
        content: false,
        text: false,
    };

    fn outputs(kinds: &[OutputKind]) -> Outputs {
        Outputs::new(kinds.into())
    }

    #[expect(clippy::needless_pass_by_value, reason = "json! makes values")]
    fn list(value: Value) -> Vec<Value> {
        value.as_array().cloned().unwrap()
    }

    #[test]
    fn text_grows_by_edits_and_by_full_values() {
        let mut o = outputs(&[OutputKind::Other, OutputKind::State]);
        assert_eq!(o.replace(list(json!(["", null]))), NONE);
        assert_eq!(o.edit(&list(json!([[["append", [], "a"]], []]))), Ok(TEXT));
        assert_eq!(o.edit(&list(json!([[], []]))), Ok(NONE));
        assert_eq!(o.replace(list(json!(["ab", null]))), TEXT);
        assert_eq!(o.replace(list(json!(["ab", 7]))), NONE);
        assert_eq!(o.answer(), "ab");
        assert!(o.edit(&list(json!([[["append", [0], "a"]]]))).is_err());
    }

    #[test]
    fn the_users_own_message_in_a_chatbot_is_no_token() {
        let mut o = outputs(&[OutputKind::Other, OutputKind::Chatbot]);
        let asked = json!(["", [{"role": "assistant", "content": "old"}, {"role": "user", "content": "hi"}]]);
        assert_eq!(o.replace(list(asked)), NONE);
        let begun = json!([[], [["add", [2], {"role": "assistant", "content": ""}]]]);
        assert_eq!(o.edit(&list(begun)), Ok(NONE));
        assert_eq!(
            o.edit(&list(json!([[], [["append", [2, "content"], "yo"]]]))),
            Ok(TEXT)
        );
        assert_eq!(o.answer(), "");
        let mut pairs = outputs(&[OutputKind::Chatbot]);
        assert_eq!(pairs.replace(list(json!([[["hi", null]]]))), NONE);
        assert_eq!(
            pairs.edit(&list(json!([[["replace", [0, 1], "y"]]]))),
            Ok(TEXT)
        );
        assert_eq!(
            pairs.replace(list(json!([[["hi", [{"type": "text", "text": "yo"}]]]]))),
            TEXT
        );
        assert_eq!(pairs.answer(), "yo");
    }

    #[test]
    fn an_update_counts_by_its_value() {
        let mut o = outputs(&[OutputKind::Other, OutputKind::Other]);
        let first = json!([{"__type__": "update", "interactive": false}, {"__type__": "update", "value": "a"}]);
        assert_eq!(o.replace(list(first)), TEXT);
        let looks = json!([
            [["replace", ["interactive"], true]],
            [["add", ["visible"], true]]
        ]);
        assert_eq!(o.edit(&list(looks)), Ok(NONE));
        assert_eq!(
            o.edit(&list(json!([[], [["append", ["value"], "b"]]]))),
            Ok(TEXT)
        );
        assert_eq!(o.answer(), "ab");
        assert!(!o.are_empty());
    }

    #[test]
    fn media_is_content_without_text() {
        let mut o = outputs(&[OutputKind::Media]);
        assert_eq!(o.replace(list(json!([null]))), NONE);
        assert!(o.are_empty());
        assert_eq!(
            o.replace(list(json!([{"path": "/a.png"}]))),
            Change {
                content: true,
                text: false
            }
        );
        assert_eq!(o.answer(), "");
        assert!(!outputs(&[]).are_empty());
    }
}
