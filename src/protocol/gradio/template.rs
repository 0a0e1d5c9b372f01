//! The `data` of every request as text, so that only the prompts are written anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::domain::{Prompt, input_file};

/// `data` of every request, written once except for what prompts bring.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    /// In the order of `data`.
    pub(super) slots: Vec<SlotText>,
}

/// One place of `data`.
#[derive(Clone, Debug, Default)]
pub(super) struct SlotText {
    /// Of the input; `None` for the session's own state, which is sent as null.
    pub(super) name: Option<String>,
    pub(super) takes_file: bool,
    pub(super) pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(String),
    System {
        otherwise: String,
    },
    /// The user's text; `otherwise` where a prompt brings a payload and no text.
    User {
        otherwise: String,
    },
}

/// Uploaded files by their path on this disk.
pub(super) type Uploads = BTreeMap<PathBuf, Value>;

impl Template {
    /// A payload that is a list is the whole of `data`, or of its inputs without the state; one that is an object sets
    /// inputs by name, and what has no name goes to the first that takes a file.
    pub(super) fn render(&self, prompt: &Prompt, uploads: &Uploads) -> String {
        let mut data = String::from("[");
        let payload = prompt.payload.as_deref();
        let file_slot = self.slots.iter().position(|slot| slot.takes_file);
        let mut n_inputs = 0;
        for (i, slot) in self.slots.iter().enumerate() {
            if i > 0 {
                data.push(',');
            }
            let given = match payload {
                Some(Value::Array(list)) if list.len() == self.slots.len() => list.get(i),
                Some(Value::Array(list)) => {
                    let given = slot.name.as_ref().and_then(|_| list.get(n_inputs));
                    n_inputs += usize::from(slot.name.is_some());
                    given
                }
                Some(Value::Object(fields)) => {
                    let named = slot.name.as_ref().and_then(|name| fields.get(name));
                    named.or_else(|| fields.get("").filter(|_| file_slot == Some(i)))
                }
                _ => None,
            };
            match given {
                Some(value) => data.push_str(&sent(value, slot.takes_file, uploads).to_string()),
                None => slot.render(prompt, &mut data),
            }
        }
        data.push(']');
        data
    }

    /// Why a payload cannot be meant, in words that follow its name.
    pub(super) fn misfit(&self, payload: &Value) -> Option<String> {
        let inputs = || self.slots.iter().filter_map(|slot| slot.name.as_deref());
        match payload {
            Value::Array(list) => {
                let (all, named) = (self.slots.len(), inputs().count());
                (list.len() != all && list.len() != named).then(|| {
                    format!(
                        "has {} values, and the endpoint takes {named} inputs",
                        list.len()
                    )
                })
            }
            Value::Object(fields) => fields.keys().find_map(|name| {
                if name.is_empty() {
                    let takes_file = self.slots.iter().any(|slot| slot.takes_file);
                    return (!takes_file)
                        .then(|| "is a file, and the endpoint takes none".to_owned());
                }
                let is_known = inputs().any(|input| input == name);
                (!is_known).then(|| format!("sets “{name}”, which the endpoint has not"))
            }),
            _ => Some("is neither a list of inputs nor an object".to_owned()),
        }
    }
}

impl SlotText {
    fn render(&self, prompt: &Prompt, data: &mut String) {
        if self.pieces.is_empty() {
            data.push_str("null");
        }
        for piece in &self.pieces {
            match (piece, &prompt.system) {
                (Piece::Text(text), _) => data.push_str(text),
                (Piece::System { .. }, Some(system)) => push_json(data, system),
                (Piece::System { otherwise }, None) => data.push_str(otherwise),
                (Piece::User { otherwise }, _)
                    if prompt.payload.is_some() && prompt.user.is_empty() =>
                {
                    data.push_str(otherwise);
                }
                (Piece::User { .. }, _) => push_json(data, &prompt.user),
            }
        }
    }
}

/// A payload's value as it is sent: an address in a file's place, local files as they were uploaded.
fn sent(value: &Value, takes_file: bool, uploads: &Uploads) -> Value {
    let mut value = match value.as_str() {
        Some(text) if takes_file => super::inputs::file_of(text),
        _ => value.clone(),
    };
    with_uploads(&mut value, uploads);
    value
}

/// Puts uploaded files in the place of local ones.
pub(super) fn with_uploads(value: &mut Value, uploads: &Uploads) {
    if let Some(path) = input_file(value) {
        if let Some(uploaded) = uploads.get(Path::new(path)) {
            *value = uploaded.clone();
        }
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|v| with_uploads(v, uploads)),
        Value::Object(fields) => fields.values_mut().for_each(|v| with_uploads(v, uploads)),
        _ => {}
    }
}

fn push_json(data: &mut String, text: &str) {
    data.push_str(&Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn template() -> Template {
        let slot = |name: &str, takes_file, pieces| SlotText {
            name: Some(name.to_owned()),
            takes_file,
            pieces,
        };
        let user = Piece::User {
            otherwise: "\"default\"".to_owned(),
        };
        Template {
            slots: vec![
                slot("message", false, vec![user]),
                SlotText::default(),
                slot("image", true, vec![Piece::Text("null".to_owned())]),
                slot("n", false, vec![Piece::Text("3".to_owned())]),
            ],
        }
    }

    #[track_caller]
    fn check(user: &str, payload: Option<Value>, expected: &Value) {
        let mut uploads = Uploads::new();
        uploads.insert("a.png".into(), json!({"path": "/tmp/a.png"}));
        let prompt = Prompt {
            payload: payload.map(Arc::new),
            ..Prompt::of(user)
        };
        let data = template().render(&prompt, &uploads);
        assert_eq!(&serde_json::from_str::<Value>(&data).unwrap(), expected);
    }

    #[test]
    fn prompts_bring_texts_files_values_or_all_of_it() {
        check("hi", None, &json!(["hi", null, null, 3]));
        let file = json!({"path": "/tmp/a.png"});
        let local = json!({"file": "a.png"});
        check(
            "",
            Some(json!({"": local})),
            &json!(["default", null, file, 3]),
        );
        check("hi", Some(json!({"n": 9})), &json!(["hi", null, null, 9]));
        check(
            "",
            Some(json!(["x", local, 4])),
            &json!(["x", null, file, 4]),
        );
        check(
            "",
            Some(json!(["x", 1, null, 4])),
            &json!(["x", 1, null, 4]),
        );
        let url = "https://h/a.png";
        let remote = json!({"path": url, "url": url, "meta": {"_type": "gradio.FileData"}});
        check(
            "",
            Some(json!({"": url})),
            &json!(["default", null, remote, 3]),
        );
    }

    #[test]
    fn payloads_that_do_not_fit_are_told() {
        let misfit = |payload: Value| template().misfit(&payload);
        assert_eq!(misfit(json!(["a", null, 3])), None);
        assert_eq!(misfit(json!({"n": 1, "": "x"})), None);
        assert!(misfit(json!(["a"])).unwrap().contains("1 values"));
        assert!(misfit(json!({"m": 1})).unwrap().contains("“m”"));
        assert!(misfit(json!(7)).is_some());
        assert!(
            Template::default()
                .misfit(&json!({"": "x"}))
                .unwrap()
                .contains("takes none")
        );
    }
}
