//! What was asked and answered, as length and hash.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::domain::{Prompt, TextFacts};

/// Prompts whose hash is kept, since most runs repeat theirs.
const MAX_KNOWN_PROMPTS: usize = 1_024;

/// Texts as length and hash; remembers those of prompts that come again.
pub(super) struct Hashes {
    keep_text: bool,
    /// By address: each entry holds its prompt, so that an address is never used twice.
    prompts: HashMap<Key, (Prompt, TextFacts)>,
}

/// Addresses of what a prompt holds.
#[derive(Eq, Hash, PartialEq)]
struct Key {
    system: usize,
    user: usize,
    payload: usize,
}

impl Hashes {
    pub(super) fn new(keep_text: bool) -> Self {
        Self {
            keep_text,
            prompts: HashMap::new(),
        }
    }

    /// System prompt, what was said before, the user's text and a payload as JSON, with a blank line between; pictures are
    /// left out.
    pub(super) fn prompt(&mut self, prompt: &Prompt) -> TextFacts {
        // A turn's history is its own: it does not come again.
        if !prompt.history.is_empty() {
            return self.text(&whole(prompt));
        }
        let address = |text: &Arc<str>| text.as_ptr() as usize;
        let key = Key {
            system: prompt.system.as_ref().map_or(0, address),
            user: address(&prompt.user),
            payload: prompt
                .payload
                .as_ref()
                .map_or(0, |p| Arc::as_ptr(p) as usize),
        };
        if let Some((_, facts)) = self.prompts.get(&key) {
            return facts.clone();
        }
        let facts = self.text(&whole(prompt));
        if self.prompts.len() < MAX_KNOWN_PROMPTS {
            self.prompts.insert(key, (prompt.clone(), facts.clone()));
        }
        facts
    }

    pub(super) fn text(&self, text: &str) -> TextFacts {
        let digest = Sha256::digest(text.as_bytes());
        let first = digest.iter().take(8);
        let hash = first.fold(0, |hash: u64, byte| hash << 8 | u64::from(*byte));
        TextFacts {
            chars: text.chars().count() as u64,
            hash: format!("{hash:016x}"),
            text: self.keep_text.then(|| text.to_owned()),
        }
    }
}

fn whole(prompt: &Prompt) -> String {
    let history = prompt.history.iter().map(|turn| &*turn.text);
    let mut texts: Vec<&str> = prompt
        .system
        .as_deref()
        .into_iter()
        .chain(history)
        .collect();
    let payload = prompt.payload.as_ref().map(|payload| payload.to_string());
    if !prompt.user.is_empty() || payload.is_none() {
        texts.push(&prompt.user);
    }
    texts.extend(payload.as_deref());
    texts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_by_length_and_hash() {
        let mut hashes = Hashes::new(false);
        let facts = hashes.text("abc");
        // FIPS 180-2, appendix B.1.
        assert_eq!((facts.chars, &*facts.hash), (3, "ba7816bf8f01cfea"));
        let prompt = |system: Option<&str>, user: &str| Prompt {
            system: system.map(Arc::from),
            user: Arc::from(user),
            ..Prompt::default()
        };
        let of = prompt(Some("s"), "é");
        assert_eq!(hashes.prompt(&of), hashes.text("s\n\né"));
        assert_eq!(hashes.prompt(&of).chars, 4);
        assert_ne!(
            hashes.prompt(&prompt(None, "u")).hash,
            hashes.prompt(&prompt(None, "v")).hash
        );
        let turn = |text: &str| Prompt {
            history: [crate::domain::Turn {
                role: crate::domain::Role::User,
                text: text.into(),
            }]
            .into(),
            ..of.clone()
        };
        assert_eq!(hashes.prompt(&turn("a")), hashes.text("s\n\na\n\né"));
        assert_eq!(hashes.prompt(&turn("b")), hashes.text("s\n\nb\n\né"));
        let payload = Prompt {
            payload: Some(Arc::new(serde_json::json!([1]))),
            ..Prompt::default()
        };
        assert_eq!(hashes.prompt(&payload), hashes.text("[1]"));
        assert_eq!(Hashes::new(true).text("abc").text.as_deref(), Some("abc"));
    }
}
