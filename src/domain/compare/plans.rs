//! In which fields two plans differ.

use serde_json::{Map, Value};

use super::super::{Load, Plan, Stage};
use super::PlanDifference;

/// What a plan is called, and where it came from: no part of what was done.
const NAMES: [&str; 4] = ["label", "tags", "profile", "schema"];

/// Fields in which two plans differ, those of the target last; their names are no part of what was done.
pub fn plan_differences(a: &Plan, b: &Plan) -> Vec<PlanDifference> {
    let value = |plan: &Plan| serde_json::to_value(plan).unwrap_or_default();
    let mut found = Vec::new();
    differ("", &value(a), &value(b), &mut found);
    found.retain(|d| !NAMES.contains(&d.field.as_str()));
    found.sort_by_key(|d| d.is_target);
    found
}

fn differ(field: &str, a: &Value, b: &Value, found: &mut Vec<PlanDifference>) {
    if a == b {
        return;
    }
    let none = Map::new();
    let table = |value: &Value| match value {
        Value::Object(map) => Some(map.clone()),
        // A table that the other plan has not.
        Value::Null => Some(none.clone()),
        _ => None,
    };
    // Of another kind of load every field is another: it is told as a whole.
    let is_other_kind = a.get("kind") != b.get("kind");
    if let (Some(of_a), Some(of_b)) = (table(a), table(b))
        && !is_other_kind
    {
        let mut keys: Vec<&String> = of_a.keys().collect();
        keys.extend(of_b.keys().filter(|k| !of_a.contains_key(*k)));
        for key in keys {
            let path = if field.is_empty() {
                key.clone()
            } else {
                format!("{field}.{key}")
            };
            let of = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
            differ(&path, &of(&of_a), &of(&of_b), found);
        }
        return;
    }
    if let (Value::Array(of_a), Value::Array(of_b)) = (a, b)
        && of_a.len() == of_b.len()
        && field != "tags"
    {
        for (i, (a, b)) in of_a.iter().zip(of_b).enumerate() {
            differ(&format!("{field}[{i}]"), a, b, found);
        }
        return;
    }
    found.push(PlanDifference {
        is_target: field.split('.').next() == Some("target"),
        field: field.to_owned(),
        a: shown(a),
        b: shown(b),
    });
}

/// A value for a table cell: short, and a missing one as `–`.
fn shown(value: &Value) -> String {
    const MAX_CHARS: usize = 60;
    let text = words(value);
    if text.chars().count() > MAX_CHARS {
        let cut: String = text.chars().take(MAX_CHARS - 1).collect();
        format!("{cut}…")
    } else {
        text
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "–".to_owned(),
        Value::Array(list) => {
            let words: Vec<String> = list.iter().map(words).collect();
            words.join(", ")
        }
        Value::Object(_) => load_label(value).unwrap_or_else(|| value.to_string()),
        other => other.to_string(),
    }
}

/// A stage, or a load, by its name.
fn load_label(value: &Value) -> Option<String> {
    let load = serde_json::from_value::<Load>(value.clone()).ok();
    let stage = || serde_json::from_value::<Stage>(value.clone()).ok();
    Some(load.or_else(|| stage().map(|s| s.load))?.label())
}
