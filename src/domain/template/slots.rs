//! A text with `{{slots}}`, found once and filled for every request.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What a slot stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Slot {
    Prompt,
    System,
    Model,
    MaxTokens,
    /// The whole conversation as a list of `{"role", "content"}`.
    Messages,
}

impl Slot {
    pub const ALL: [Self; 5] = [
        Self::Prompt,
        Self::System,
        Self::Model,
        Self::MaxTokens,
        Self::Messages,
    ];

    /// As it stands between the braces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::System => "system",
            Self::Model => "model",
            Self::MaxTokens => "max_tokens",
            Self::Messages => "messages",
        }
    }
}

/// How what fills a slot is escaped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    Json,
    /// As in a path, a query or a form.
    Percent,
    Plain,
}

/// All but these stand as `%XX`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What one request puts into the slots.
#[derive(Clone, Copy, Debug)]
pub struct SlotValues<'a> {
    pub prompt: &'a str,
    pub system: Option<&'a str>,
    pub model: Option<&'a str>,
    pub max_tokens: Option<u32>,
    /// A JSON array; only looked at where the text has that slot.
    pub messages: &'a str,
}

impl SlotValues<'_> {
    /// Values that show whether a text is well formed with its slots filled.
    pub fn sample() -> Self {
        Self {
            prompt: "a \"quoted\"\nprompt",
            system: Some("system"),
            model: Some("model"),
            max_tokens: Some(1),
            messages: r#"[{"role":"user","content":"a prompt"}]"#,
        }
    }
}

/// A text whose slots were found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SlotText {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    Text(String),
    Slot(Slot, Place),
}

/// Where a slot stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    JsonString,
    JsonValue,
    Percent,
    Plain,
}

impl SlotText {
    /// Finds the slots; spaces inside the braces do not matter, and braces around anything but a name are text.
    ///
    /// # Errors
    /// A name that is no slot's, or a list inside a JSON string.
    pub fn parse(text: &str, encoding: Encoding) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut quotes = Quotes::default();
        let (mut rest, mut literal) = (text, String::new());
        while let Some(at) = rest.find("{{") {
            let (before, open) = rest.split_at(at);
            let inner = open.get(2..).unwrap_or_default();
            literal.push_str(before);
            quotes.pass(before);
            let Some((name, after)) = inner.split_once("}}").filter(|(name, _)| is_name(name))
            else {
                // One brace only: the next may open a slot.
                literal.push('{');
                rest = open.get(1..).unwrap_or_default();
                continue;
            };
            let slot = slot_of(name)?;
            let place = match encoding {
                Encoding::Json if quotes.is_open && slot == Slot::Messages => {
                    return Err(
                        "“{{messages}}” is a list, not text: write it without quotes".to_owned(),
                    );
                }
                Encoding::Json if quotes.is_open => Place::JsonString,
                Encoding::Json => Place::JsonValue,
                Encoding::Percent => Place::Percent,
                Encoding::Plain => Place::Plain,
            };
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Slot(slot, place));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self { pieces })
    }

    pub fn has(&self, slot: Slot) -> bool {
        let is_it = |piece: &Piece| matches!(piece, Piece::Slot(s, _) if *s == slot);
        self.pieces.iter().any(is_it)
    }

    /// The text with every slot filled.
    pub fn fill(&self, values: &SlotValues<'_>) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Slot(slot, place) => fill_one(*slot, *place, values, &mut text),
            }
        }
        text
    }
}

fn fill_one(slot: Slot, place: Place, values: &SlotValues<'_>, text: &mut String) {
    let number = values.max_tokens.map(|n| n.to_string());
    let (value, is_json) = match slot {
        Slot::Prompt => (Some(values.prompt), false),
        Slot::System => (values.system, false),
        Slot::Model => (values.model, false),
        Slot::MaxTokens => (number.as_deref(), true),
        Slot::Messages => (Some(values.messages), true),
    };
    match (place, value) {
        (Place::JsonValue, None) => text.push_str("null"),
        (_, None) => {}
        (Place::JsonValue, Some(json)) if is_json => text.push_str(json),
        (Place::JsonValue, Some(value)) => text.push_str(&Value::from(value).to_string()),
        (Place::JsonString, Some(value)) => {
            let quoted = Value::from(value).to_string();
            text.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
        }
        (Place::Percent, Some(value)) => text.extend(utf8_percent_encode(value, RESERVED)),
        (Place::Plain, Some(value)) => text.push_str(value),
    }
}

fn is_name(text: &str) -> bool {
    let name = text.trim();
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn slot_of(name: &str) -> Result<Slot, String> {
    let name = name.trim();
    let known = Slot::ALL.into_iter().find(|slot| slot.name() == name);
    known.ok_or_else(|| {
        let names: Vec<String> = Slot::ALL
            .iter()
            .map(|slot| format!("{{{{{}}}}}", slot.name()))
            .collect();
        format!(
            "“{{{{{name}}}}}” is no slot: there are {}",
            names.join(", ")
        )
    })
}

/// Whether a place in JSON is inside a string.
#[derive(Default)]
struct Quotes {
    is_open: bool,
    is_escaped: bool,
}

impl Quotes {
    fn pass(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                _ if self.is_escaped => self.is_escaped = false,
                '\\' if self.is_open => self.is_escaped = true,
                '"' => self.is_open = !self.is_open,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, encoding: Encoding, expected: &str) {
        let values = SlotValues {
            prompt: "a \"b\"\n&ü",
            system: None,
            model: Some("m/1"),
            max_tokens: Some(8),
            messages: "[1]",
        };
        let slots = SlotText::parse(text, encoding).unwrap();
        assert_eq!(slots.fill(&values), expected);
    }

    #[test]
    fn a_slot_is_filled_as_its_place_asks() {
        check(
            r#"{"a":"x {{prompt}}","b":{{prompt}},"c":{{ max_tokens }},"d":"{{max_tokens}}","e":{{messages}},"f":{{system}},"g":"{{system}}"}"#,
            Encoding::Json,
            r#"{"a":"x a \"b\"\n&ü","b":"a \"b\"\n&ü","c":8,"d":"8","e":[1],"f":null,"g":""}"#,
        );
        check(r#"{"a\"{{model}}":1}"#, Encoding::Json, r#"{"a\"m/1":1}"#);
        check(
            "/m/{{model}}?q={{prompt}}",
            Encoding::Percent,
            "/m/m%2F1?q=a%20%22b%22%0A%26%C3%BC",
        );
        check("{{prompt}}{{{model}}}", Encoding::Plain, "a \"b\"\n&ü{m/1}");
        check("{{ a b }} {{}} {{", Encoding::Plain, "{{ a b }} {{}} {{");
    }

    #[test]
    fn what_is_no_slot_is_named() {
        let error = SlotText::parse("{{promt}}", Encoding::Plain).unwrap_err();
        assert!(
            error.contains("“{{promt}}”") && error.contains("{{prompt}}"),
            "{error}"
        );
        let error = SlotText::parse(r#""{{messages}}""#, Encoding::Json).unwrap_err();
        assert!(error.contains("without quotes"), "{error}");
    }

    proptest! {
        #[test]
        fn any_prompt_keeps_json_whole(prompt in any::<String>()) {
            let text = r#"{"a":"{{prompt}}","b":{{prompt}}}"#;
            let slots = SlotText::parse(text, Encoding::Json).unwrap();
            let filled = slots.fill(&SlotValues { prompt: &prompt, ..SlotValues::sample() });
            let value: Value = serde_json::from_str(&filled).unwrap();
            prop_assert_eq!(&value["a"], &prompt);
            prop_assert_eq!(&value["b"], &prompt);
        }

        #[test]
        fn any_text_is_taken_or_refused(text in any::<String>()) {
            for encoding in [Encoding::Json, Encoding::Percent, Encoding::Plain] {
                if let Ok(slots) = SlotText::parse(&text, encoding) {
                    let has_slot = Slot::ALL.into_iter().any(|slot| slots.has(slot));
                    prop_assert!(has_slot || slots.fill(&SlotValues::sample()) == text);
                }
            }
        }
    }
}
