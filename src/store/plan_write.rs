//! Plans written as TOML: sections in the order of the table of fields, one-line tables where they read better.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::plan_fields::{Field, Kind, PLAN};
use super::plan_names::{find, join};
use crate::domain::Plan;

/// The plan as a `*.plan.toml` file, every field with its value. Reading it gives the same plan.
pub fn to_toml(plan: &Plan) -> String {
    match serde_json::to_value(plan) {
        Ok(Value::Object(map)) => toml_from_json(&map),
        _ => String::new(),
    }
}

/// TOML of a plan's JSON, whatever its values are.
pub(super) fn toml_from_json(plan: &Map<String, Value>) -> String {
    let mut text = String::new();
    section("", PLAN, plan, &mut text);
    text
}

/// The fields of one section, then the sections below it.
fn section(path: &str, fields: &[Field], map: &Map<String, Value>, text: &mut String) {
    let names = |own: bool| {
        let known = fields.iter().map(|f| f.name);
        known.filter(move |name| has_section(fields, name, map.get(*name)) != own)
    };
    let unknown = map.keys().map(String::as_str);
    let unknown = unknown.filter(|k| find(fields, k).is_none());
    for name in names(true).chain(unknown) {
        if let Some(value) = map.get(name).filter(|v| !v.is_null()) {
            line(name, &inline(value), text);
        }
    }
    for name in names(false) {
        let (Some(value), Some(field)) = (map.get(name), find(fields, name)) else {
            continue;
        };
        let inner = join(path, name);
        match (field.kind, value) {
            (Kind::Section(fields), Value::Object(map)) => {
                head(&format!("[{inner}]"), text);
                section(&inner, fields, map, text);
            }
            (Kind::TextMap, Value::Object(map)) => {
                head(&format!("[{inner}]"), text);
                map.iter().for_each(|(k, v)| line(k, &inline(v), text));
            }
            (Kind::Inputs, Value::Object(map)) => {
                head(&format!("[{inner}]"), text);
                map.iter().for_each(|(k, v)| line(k, &input(v), text));
            }
            (Kind::Sections(fields, _), Value::Array(list)) => {
                for one in list.iter().filter_map(Value::as_object) {
                    head(&format!("[[{inner}]]"), text);
                    section(&inner, fields, one, text);
                }
            }
            _ => {}
        }
    }
}

/// Whether the value gets a `[section]` of its own rather than a line.
fn has_section(fields: &[Field], name: &str, value: Option<&Value>) -> bool {
    let Some(field) = find(fields, name) else {
        return false;
    };
    match (field.kind, value) {
        (Kind::Section(_) | Kind::TextMap | Kind::Inputs, Some(Value::Object(_))) => true,
        (Kind::Sections(..), Some(Value::Array(list))) => {
            !list.is_empty() && list.iter().all(Value::is_object)
        }
        _ => false,
    }
}

fn head(text: &str, out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(text);
    out.push('\n');
}

fn line(name: &str, value: &str, out: &mut String) {
    out.push_str(&key(name));
    out.push_str(" = ");
    out.push_str(value);
    out.push('\n');
}

/// An input; what TOML cannot say goes as JSON in a text.
fn input(value: &Value) -> String {
    let is_escape = value
        .as_object()
        .is_some_and(|o| o.len() == 1 && o.get("json").is_some_and(Value::is_string));
    if is_escape || !toml_can_say(value) {
        return format!("{{ json = {} }}", string(&value.to_string()));
    }
    inline(value)
}

fn toml_can_say(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Number(n) => n.is_f64() || n.is_i64(),
        Value::Array(list) => list.iter().all(toml_can_say),
        Value::Object(map) => map.values().all(toml_can_say),
        Value::Bool(_) | Value::String(_) => true,
    }
}

/// The value in one line, but for texts that have several.
fn inline(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => match n.as_f64().filter(|_| n.is_f64()) {
            Some(x) => format!("{x:?}"),
            None => n.to_string(),
        },
        Value::String(text) => string(text),
        Value::Array(list) if list.len() > 1 && list.iter().any(is_long) => {
            let lines: Vec<String> = list.iter().map(|v| format!("  {},\n", inline(v))).collect();
            format!("[\n{}]", lines.concat())
        }
        Value::Array(list) => {
            let values: Vec<String> = list.iter().map(inline).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(map) => {
            let is_there = |(_, v): &(&String, &Value)| !v.is_null();
            let fields: Vec<String> = map
                .iter()
                .filter(is_there)
                .map(|(k, v)| format!("{} = {}", key(k), inline(v)))
                .collect();
            if fields.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", fields.join(", "))
            }
        }
    }
}

fn is_long(value: &Value) -> bool {
    value.as_str().is_some_and(|t| t.len() > 24)
}

fn string(text: &str) -> String {
    if text.contains('\n') {
        toml::Value::from(text).to_string()
    } else {
        quoted(text)
    }
}

fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                write!(out, "\\u{:04X}", u32::from(c)).ok();
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
