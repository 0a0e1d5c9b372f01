//! What a JSON value means as a row.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::messages;
use crate::workload::row::Row;

/// Fields that hold a conversation, and fields that hold a prompt, best first.
const CONVERSATIONS: [&str; 2] = ["conversations", "conversation"];
const PROMPTS: [&str; 9] = [
    "prompt",
    "question",
    "instruction",
    "text",
    "query",
    "input",
    "user",
    "content",
    "message",
];
const FILES: [&str; 3] = ["path", "file", "url"];

/// The name of a prompt's column, best first.
pub(super) fn prompt_column(names: &[String]) -> Option<usize> {
    let lower: Vec<String> = names.iter().map(|n| n.trim().to_lowercase()).collect();
    PROMPTS
        .iter()
        .find_map(|known| lower.iter().position(|name| name == known))
}

/// # Errors
/// In words that follow “line 3”.
pub(super) fn row_of(value: Value) -> Result<Row, String> {
    match value {
        Value::String(text) => Ok(Row::of(&text)),
        Value::Array(list) if messages::are_messages(&list) => messages::conversation(&list),
        Value::Array(_) => Ok(Row {
            payload: Some(Arc::new(value)),
            ..Row::default()
        }),
        Value::Object(fields) => row_of_fields(&fields),
        Value::Null | Value::Bool(_) | Value::Number(_) => Err(format!(
            "is “{value}”, and a row is a text, a list of inputs or an object"
        )),
    }
}

fn row_of_fields(fields: &Map<String, Value>) -> Result<Row, String> {
    // The dataset viewer of the Hub wraps rows like this.
    if let Some(Value::Object(inner)) = fields.get("row") {
        return row_of_fields(inner);
    }
    let mut row = said(fields)?;
    let system = ["system", "system_prompt"];
    let system = system.iter().find_map(|name| fields.get(*name)?.as_str());
    if let Some(system) = system.filter(|text| !text.is_empty()) {
        row.system = Some(Arc::from(system));
    }
    let length = ["output_tokens", "max_tokens"];
    let length = length.iter().find_map(|name| fields.get(*name)?.as_u64());
    row.output_tokens = length
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| *n > 0);
    Ok(row)
}

fn said(fields: &Map<String, Value>) -> Result<Row, String> {
    for name in CONVERSATIONS {
        if let Some(Value::Array(list)) = fields.get(name) {
            return messages::conversation(list);
        }
    }
    if let Some(Value::Array(list)) = fields.get("messages") {
        return messages::messages(list);
    }
    if let Some(Value::Array(list)) = fields.get("data") {
        return row_of(Value::Array(list.clone()));
    }
    if let Some(name) = PROMPTS.iter().find(|name| fields.contains_key(**name)) {
        return prompt_field(name, fields);
    }
    let file = FILES.iter().find_map(|name| fields.get(*name)?.as_str());
    if let Some(file) = file {
        return Ok(Row {
            file: Some(PathBuf::from(file)),
            ..Row::default()
        });
    }
    let names: Vec<String> = fields.keys().take(8).map(|n| format!("“{n}”")).collect();
    Err(format!(
        "has no prompt: it has {}, and one of {} is looked for, or conversations or messages",
        if names.is_empty() {
            "no field".to_owned()
        } else {
            names.join(", ")
        },
        PROMPTS.join(", ")
    ))
}

fn prompt_field(name: &str, fields: &Map<String, Value>) -> Result<Row, String> {
    match fields.get(name) {
        Some(Value::String(text)) => {
            let more = fields.get("input").and_then(Value::as_str);
            match more.filter(|more| name == "instruction" && !more.trim().is_empty()) {
                Some(more) => Ok(Row::of(&format!("{text}\n\n{more}"))),
                None => Ok(Row::of(text)),
            }
        }
        Some(Value::Array(list)) if messages::are_messages(list) => messages::messages(list),
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => Ok(Row {
            turns: list
                .iter()
                .filter_map(Value::as_str)
                .map(Arc::from)
                .collect(),
            ..Row::default()
        }),
        Some(Value::Null) | None => Ok(Row::default()),
        Some(_) => Err(format!("has a “{name}” that is no text")),
    }
}
