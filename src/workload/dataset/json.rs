//! JSON documents that are lists of rows, and JSON Lines. Rows are taken one by one, so that a large file is in memory
//! once.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::Rows;
use super::values::row_of;

/// Where a document that is an object keeps its rows.
const LISTS: [&str; 3] = ["data", "rows", "prompts"];

pub(super) fn read_lines(text: &str, rows: &mut Rows) -> Result<(), String> {
    for (line, number) in text.lines().zip(1_u64..) {
        if line.trim().is_empty() {
            continue;
        }
        let value: Value =
            serde_json::from_str(line).map_err(|e| format!("line {number} is not JSON ({e})"))?;
        let row = row_of(value).map_err(|e| format!("line {number} {e}"))?;
        rows.push(row).map_err(|e| format!("line {number} {e}"))?;
    }
    Ok(())
}

pub(super) fn read_document(text: &str, rows: &mut Rows) -> Result<(), String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = reader.deserialize_any(Document(rows)).and_then(|has_list| {
        reader.end()?;
        Ok(has_list)
    });
    match read {
        Ok(true) => Ok(()),
        Ok(false) => Err("is no list of rows".to_owned()),
        Err(error) => Err(told(&error)),
    }
}

/// serde_json puts the place last: “… at line 3 column 7”.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    format!("line {} {message}", error.line())
}

/// The whole document; gives whether it held a list.
struct Document<'a>(&'a mut Rows);

impl<'de> Visitor<'de> for Document<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        while list.next_element_seed(Element(self.0))?.is_some() {}
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut has_list = false;
        while let Some(name) = map.next_key::<String>()? {
            if LISTS.contains(&name.as_str()) && !has_list {
                has_list = map.next_value_seed(List(self.0))?;
            } else {
                map.next_value::<serde::de::IgnoredAny>()?;
            }
        }
        Ok(has_list)
    }
}

struct List<'a>(&'a mut Rows);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_seq(Document(self.0))
    }
}

struct Element<'a>(&'a mut Rows);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        let value = <Value as serde::Deserialize>::deserialize(reader)?;
        let row = row_of(value).map_err(D::Error::custom)?;
        self.0.push(row).map_err(D::Error::custom)
    }
}
