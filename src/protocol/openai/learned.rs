//! A short cut past the JSON parser. Events of one stream differ in nothing but their text, so once one was parsed, another
//! that has the same bytes before and after its text means the same: the text holds no quote, escape or control character,
//! hence it is the same JSON string value at the same place. Anything else is parsed.

use std::borrow::Cow;

use super::chunk::Chunk;
use crate::protocol::loose::Text;

/// A stream whose events never repeat their frame (an id of their own, say) is not learnt from for ever.
const MAX_LESSONS: u32 = 32;

/// The bytes around the text of the last event that was parsed.
#[derive(Debug, Default)]
pub(super) struct Learned {
    before: String,
    after: String,
    n_lessons: u32,
}

impl Learned {
    /// The text of an event that is like the one learnt.
    pub(super) fn text_of<'a>(&self, data: &'a str) -> Option<&'a str> {
        if self.before.is_empty() {
            return None;
        }
        let text = data.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        (!text.is_empty() && text.bytes().all(is_plain)).then_some(text)
    }

    /// Learns from a parsed event that is a piece of text and nothing else.
    pub(super) fn learn(&mut self, data: &str, chunk: &Chunk<'_>) {
        let Some(choices) = &chunk.choices else {
            return;
        };
        let is_more = choices.is_finished || chunk.usage.is_some() || chunk.timings.is_some();
        let Text::Str(Cow::Borrowed(text)) = choices.text else {
            return;
        };
        if is_more || self.n_lessons >= MAX_LESSONS {
            return;
        }
        // Where in the event the borrowed text stands.
        let Some(at) = text.as_ptr().addr().checked_sub(data.as_ptr().addr()) else {
            return;
        };
        if let (Some(before), Some(after)) = (data.get(..at), data.get(at + text.len()..)) {
            before.clone_into(&mut self.before);
            after.clone_into(&mut self.after);
            self.n_lessons += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn learned(data: &str) -> Learned {
        let mut learned = Learned::default();
        learned.learn(data, &serde_json::from_str(data).unwrap());
        learned
    }

    #[test]
    fn only_a_piece_of_text_is_learnt_from() {
        let event = |delta: &str, more: &str| {
            format!(r#"{{"choices":[{{"delta":{delta},"finish_reason":null}}]{more}}}"#)
        };
        let plain = event(r#"{"content":"a"}"#, "");
        let learned_plain = learned(&plain);
        let text = |data: &str| learned_plain.text_of(data).map(str::to_owned);
        assert_eq!(
            text(&event(r#"{"content":"ü b"}"#, "")).as_deref(),
            Some("ü b")
        );
        assert_eq!(text(&event(r#"{"content":""}"#, "")), None);
        assert_eq!(text(&event(r#"{"content":"a\n"}"#, "")), None);
        assert_eq!(text(&event(r#"{"content":"a","x":"b"}"#, "")), None);
        assert_eq!(text(&event(r#"{"content":"a"}"#, r#","usage":{}"#)), None);
        assert_eq!(text(&plain.replace("null", "\"stop\"")), None);
        for other in [
            event(r#"{"reasoning":"a"}"#, ""),
            event(r#"{"content":"a"}"#, r#","usage":{"completion_tokens":1}"#),
            event(r#"{"content":"\u00e9"}"#, ""),
        ] {
            assert!(learned(&other).before.is_empty(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn the_short_cut_agrees_with_the_parser(first in "[a-z]+", text in any::<String>(), raw in any::<String>()) {
            let event = |text: &str| json!({"id": "x", "choices": [{"delta": {"content": text}}], "model": "m"}).to_string();
            let learned = learned(&event(&first));
            let other = event(&text);
            if let Some(got) = learned.text_of(&other) {
                prop_assert_eq!(got, &text);
            }
            // Whatever stands between the frames: what is taken is what a parser finds.
            let forged = format!("{}{raw}{}", learned.before, learned.after);
            if let Some(got) = learned.text_of(&forged) {
                let chunk: Chunk<'_> = serde_json::from_str(&forged).unwrap();
                let choices = chunk.choices.unwrap();
                prop_assert_eq!(choices.text.as_str(), got);
                prop_assert!(choices.has_token && !choices.is_finished);
            }
        }
    }
}
