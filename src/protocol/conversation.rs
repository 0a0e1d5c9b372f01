//! A prompt with its system text, history and pictures, as the wires' bodies hold it.

use serde_json::{Value, json};

use crate::domain::{ImageData, Prompt};

/// The system prompt, where there is one.
pub(super) fn system_of(prompt: &Prompt) -> Option<&str> {
    prompt.system.as_deref().filter(|system| !system.is_empty())
}

/// `{"role", "content"}` of the system prompt and the history, then the last user's with the content given.
pub(super) fn messages(prompt: &Prompt, user: Value) -> Vec<Value> {
    let message = |role: &str, content: Value| json!({"role": role, "content": content});
    let mut messages = Vec::with_capacity(prompt.history.len() + 2);
    if let Some(system) = system_of(prompt) {
        messages.push(message("system", system.into()));
    }
    for turn in prompt.history.iter() {
        messages.push(message(turn.role.id(), (*turn.text).into()));
    }
    messages.push(message("user", user));
    messages
}

/// For a wire that takes no more than a text: system prompt, history and user's text, with an empty line between.
pub(super) fn joined(prompt: &Prompt) -> String {
    let history = prompt.history.iter().map(|turn| &*turn.text);
    let parts: Vec<&str> = system_of(prompt)
        .into_iter()
        .chain(history)
        .chain([&*prompt.user])
        .collect();
    parts.join("\n\n")
}

/// A picture as an address that holds it (RFC 2397).
pub(super) fn data_url(image: &ImageData) -> String {
    format!("data:{};base64,{}", image.mime, image.base64)
}

#[cfg(test)]
mod tests {
    use crate::domain::{Role, Turn};

    use super::*;

    #[test]
    fn a_conversation_keeps_its_order() {
        let turn = |role, text: &str| Turn {
            role,
            text: text.into(),
        };
        let prompt = Prompt {
            system: Some("s".into()),
            history: [turn(Role::User, "a"), turn(Role::Assistant, "b")].into(),
            ..Prompt::of("c")
        };
        assert_eq!(joined(&prompt), "s\n\na\n\nb\n\nc");
        assert_eq!(
            Value::from(messages(&prompt, "c".into())),
            json!([
                {"role": "system", "content": "s"},
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b"},
                {"role": "user", "content": "c"}
            ])
        );
        let bare = Prompt {
            system: Some("".into()),
            ..Prompt::of("c")
        };
        assert_eq!(joined(&bare), "c", "an empty system prompt is none");
        assert_eq!(messages(&bare, "c".into()).len(), 1);
    }
}
