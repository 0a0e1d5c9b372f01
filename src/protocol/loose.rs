//! Parts of JSON taken as they come: servers leave fields out, set them to null, or to something of another type, and none
//! of that is an error.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Reads a part, or passes over it when it is not what it should be.
pub(super) fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// A text that may be missing, null or something else. Borrowed where it holds no escapes, which serde's own `Cow` never is
/// inside an `Option`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Text<'a> {
    #[default]
    Empty,
    Str(Cow<'a, str>),
    /// A filled list or object, as tool calls and content parts are.
    Other,
}

impl Text<'_> {
    pub(super) fn is_filled(&self) -> bool {
        *self != Self::Empty
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Str(text) => text,
            Self::Empty | Self::Other => "",
        }
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.as_str() == text
    }

    fn filled_if(is_filled: bool) -> Self {
        if is_filled { Self::Other } else { Self::Empty }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        if text.is_empty() {
            return Ok(Text::Empty);
        }
        Ok(Text::Str(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        if text.is_empty() {
            return Ok(Text::Empty);
        }
        Ok(Text::Str(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Text::Empty)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Text::filled_if(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Text::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Text::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Text::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut is_filled = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            is_filled = true;
        }
        Ok(Text::filled_if(is_filled))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut is_filled = false;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            is_filled = true;
        }
        Ok(Text::filled_if(is_filled))
    }
}

/// A count that may be missing, null or nonsense.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Number(pub Option<u64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(raw.get().parse().ok()))
    }
}
