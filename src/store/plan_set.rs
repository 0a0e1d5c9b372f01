//! `--set FIELD=VALUE`: any field of a plan by its path, as `target.timeouts.connect_secs=5` or `stages.0.requests=40`.

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::plan_fields::{Field, Kind, PLAN, Rule};
use super::plan_file::overlap;
use super::plan_load_fields::LOADS;
use super::plan_names::{find, guess, join, listed};
use super::plan_read::{json_from_toml, read};
use super::plan_write::toml_from_json;
use crate::domain::{Issue, Plan, SEARCH, SWEEP};

/// The plan with one field changed, from `FIELD=VALUE`.
///
/// # Errors
/// The field that does not exist, or what is wrong with the value.
pub fn set(plan: &Plan, assignment: &str) -> Result<Plan, Issue> {
    match assignment.split_once('=') {
        Some((path, value)) => set_field(plan, path.trim(), value.trim()),
        None => Err(Issue::new(
            "--set",
            format!("“{assignment}” has no “=”: write FIELD=VALUE, as in seed=7"),
        )),
    }
}

/// The plan with one field changed. The value is read as TOML where the field takes more than text, else as it stands; an
/// empty value takes an optional field away.
///
/// # Errors
/// The field that does not exist, or what is wrong with the value.
pub fn set_field(plan: &Plan, path: &str, value: &str) -> Result<Plan, Issue> {
    let Ok(mut json) = serde_json::to_value(plan) else {
        return Err(Issue::new(path, "the plan has a number that is not finite"));
    };
    let segments: Vec<&str> = path.split('.').collect();
    Step {
        so_far: String::new(),
        value,
    }
    .table(&mut json, PLAN, &segments)?;
    let changed = json.as_object().map(toml_from_json).unwrap_or_default();
    let read = read(&changed);
    let by_field = |issues: Vec<Issue>| issues.into_iter().find(|i| overlap(&i.field, path));
    let shape: Vec<Issue> = read.shape.into_iter().map(Issue::from).collect();
    if let Some(first) = shape.first().cloned() {
        return Err(by_field(shape).unwrap_or(first));
    }
    let plan = read
        .plan
        .ok_or_else(|| Issue::new(path, format!("“{value}” does not belong here")))?;
    match by_field(plan.check()) {
        Some(issue) => Err(issue),
        None => Ok(plan),
    }
}

/// One way down the plan.
struct Step<'v> {
    so_far: String,
    value: &'v str,
}

impl Step<'_> {
    fn below(&self, name: &str) -> Self {
        Self {
            so_far: join(&self.so_far, name),
            value: self.value,
        }
    }

    /// Goes on in the table in the slot, which is made if there is none.
    fn table(&self, slot: &mut Value, fields: &[Field], path: &[&str]) -> Result<(), Issue> {
        if !slot.is_object() {
            *slot = Value::Object(Map::new());
        }
        let (Some((name, rest)), Some(map)) = (path.split_first(), slot.as_object_mut()) else {
            return Ok(());
        };
        let Some(field) = find(fields, name) else {
            return Err(Issue::new(
                join(&self.so_far, name),
                format!("there is no such field: {}", guess(name, fields)),
            ));
        };
        let step = self.below(name);
        if rest.is_empty() {
            step.leaf(map, field);
            return Ok(());
        }
        let slot = map.entry(*name).or_insert(Value::Null);
        match field.kind {
            Kind::Section(inner) => step.table(slot, inner, rest),
            Kind::Inline(inner, Rule::Load) => {
                step.table(slot, inner, rest)?;
                keep_load_whole(slot, rest);
                Ok(())
            }
            Kind::Inline(inner, Rule::Key) => {
                step.table(slot, inner, rest)?;
                keep_key_whole(slot, rest);
                Ok(())
            }
            Kind::NoneOr(inner) => {
                *slot = Value::Null;
                step.table(slot, inner, rest)
            }
            Kind::TextMap => {
                insert(slot, rest, Value::from(self.value));
                Ok(())
            }
            Kind::Inputs => {
                insert(slot, rest, input(self.value));
                Ok(())
            }
            Kind::Json => step.json_at(slot, rest),
            Kind::Sections(inner, one_of) => step.sections(slot, inner, one_of, rest),
            Kind::Texts | Kind::Forms(_) => step.text_at(slot, rest),
            _ => Err(Issue::new(
                step.so_far.clone(),
                format!("has nothing inside: set {} itself", step.so_far),
            )),
        }
    }

    /// The element at a position; the one after the last adds another.
    fn sections(
        &self,
        slot: &mut Value,
        fields: &[Field],
        one_of: &[&str],
        path: &[&str],
    ) -> Result<(), Issue> {
        let Some((position, rest)) = path.split_first() else {
            return Ok(());
        };
        let Some(list) = slot.as_array_mut() else {
            return Err(Issue::new(self.so_far.clone(), "is not a list"));
        };
        let n = list.len();
        let one = position.parse::<usize>().ok().and_then(|i| list.get_mut(i));
        let Some(one) = one else {
            let message = format!(
                "there is no “{position}”: positions are 0 to {}",
                n.max(1) - 1
            );
            return Err(Issue::new(join(&self.so_far, position), message));
        };
        let step = self.below(position);
        match rest {
            [] => Err(Issue::new(
                step.so_far.clone(),
                format!("set one of {}", listed(fields.iter().map(|f| f.name))),
            )),
            // The load's fields may be named without `load`, which says nothing more.
            [name] if find(fields, name).is_none() && find_in_load(fields, name) => {
                step.table(one, fields, &["load", name])
            }
            [name, ..] => {
                if let Some(map) = one.as_object_mut().filter(|_| one_of.contains(name)) {
                    map.retain(|key, _| !one_of.contains(&key.as_str()));
                }
                step.table(one, fields, rest)
            }
        }
    }

    fn text_at(&self, slot: &mut Value, path: &[&str]) -> Result<(), Issue> {
        let list = slot.as_array_mut();
        let n = list.as_ref().map_or(0, |l| l.len());
        let position = match path {
            [one] => one.parse::<usize>().ok().filter(|i| *i <= n),
            _ => None,
        };
        let Some(position) = position else {
            let inner = join(&self.so_far, &path.join("."));
            let message = format!("there is no such position: 0 to {n}");
            return Err(Issue::new(inner, message));
        };
        match list {
            Some(list) if position < n => {
                if let Some(one) = list.get_mut(position) {
                    *one = Value::from(self.value);
                }
            }
            Some(list) => list.push(Value::from(self.value)),
            None => *slot = Value::Array(vec![Value::from(self.value)]),
        }
        Ok(())
    }

    /// A field inside a JSON object that is kept as text; an empty value takes it away.
    fn json_at(&self, slot: &mut Value, path: &[&str]) -> Result<(), Issue> {
        let text = slot.as_str().map(str::trim).unwrap_or_default();
        let mut whole = match serde_json::from_str(text) {
            Ok(Value::Object(map)) => map,
            _ if text.is_empty() => Map::new(),
            _ => {
                let message = format!("“{text}” is no JSON object, so nothing in it can be set");
                return Err(Issue::new(self.so_far.clone(), message));
            }
        };
        let (Some((name, outer)), mut map) = (path.split_last(), &mut whole) else {
            return Ok(());
        };
        for (i, part) in outer.iter().enumerate() {
            let inner = map
                .entry(*part)
                .or_insert_with(|| Value::Object(Map::new()));
            let Some(inner) = inner.as_object_mut() else {
                let at = outer.get(..=i).unwrap_or_default().join(".");
                let message = "has nothing inside: set it itself";
                return Err(Issue::new(join(&self.so_far, &at), message));
            };
            map = inner;
        }
        if self.value.is_empty() {
            map.remove(*name);
        } else {
            map.insert((*name).to_owned(), input(self.value));
        }
        *slot = if whole.is_empty() {
            Value::from("")
        } else {
            Value::from(Value::Object(whole).to_string())
        };
        Ok(())
    }

    fn leaf(&self, map: &mut Map<String, Value>, field: &Field) {
        let name = field.name.to_owned();
        if self.value.is_empty() && !field.required {
            map.remove(&name);
            return;
        }
        let value = match field.kind {
            Kind::Text | Kind::Json | Kind::Path | Kind::Form(_) | Kind::Choice(_) => {
                text(self.value)
            }
            Kind::Texts | Kind::Forms(_) => match toml_value(self.value) {
                Some(list @ Value::Array(_)) => list,
                _ => Value::Array(vec![Value::from(self.value)]),
            },
            _ => toml_value(self.value).unwrap_or_else(|| Value::from(self.value)),
        };
        map.insert(name, value);
    }
}

fn find_in_load(fields: &[Field], name: &str) -> bool {
    match find(fields, "load").map(|f| f.kind) {
        Some(Kind::Inline(load, _)) => find(load, name).is_some(),
        _ => false,
    }
}

/// `key.name=X` means `source = "env"`, and another source has no name.
fn keep_key_whole(key: &mut Value, path: &[&str]) {
    let Some(key) = key.as_object_mut() else {
        return;
    };
    match path {
        ["name"] => {
            key.insert("source".to_owned(), Value::from("env"));
        }
        ["source"] if key.get("source").and_then(Value::as_str) != Some("env") => {
            key.remove("name");
        }
        _ => {}
    }
}

/// What only one kind of load must have means that kind, which leaves behind what it has no use for.
fn keep_load_whole(load: &mut Value, path: &[&str]) {
    let (Some(name), Some(load)) = (path.first(), load.as_object_mut()) else {
        return;
    };
    if *name != "kind" {
        let mut having = LOADS.iter().filter(|(_, must, _)| must.contains(name));
        let (Some((kind, ..)), None) = (having.next(), having.next()) else {
            return;
        };
        load.insert("kind".to_owned(), Value::from(*kind));
    }
    let kind = load.get("kind").and_then(Value::as_str).map(str::to_owned);
    let Some((kind, must, may)) = LOADS.iter().find(|(k, ..)| kind.as_deref() == Some(*k)) else {
        return;
    };
    let belongs = |name: &str| name == "kind" || must.contains(&name) || may.contains(&name);
    load.retain(|name, _| belongs(name));
    for (name, value) in needed(kind) {
        load.entry(name).or_insert(value);
    }
}

/// What a kind of load must have more than one of, so that it can be set one by one.
fn needed(kind: &str) -> Vec<(&'static str, Value)> {
    match kind {
        "sweep" => vec![("steps", SWEEP.0.into()), ("max_users", SWEEP.1.into())],
        "search" => vec![("from", SEARCH.0.into()), ("max", SEARCH.1.into())],
        _ => Vec::new(),
    }
}

/// Puts the value under the rest of the path, which is one name although it may have dots.
fn insert(slot: &mut Value, path: &[&str], value: Value) {
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    if let Some(map) = slot.as_object_mut() {
        map.insert(path.join("."), value);
    }
}

/// A text, without the quotes that it may wear.
fn text(value: &str) -> Value {
    match toml_value(value) {
        Some(text @ Value::String(_)) => text,
        _ => Value::from(value),
    }
}

fn toml_value(value: &str) -> Option<Value> {
    let parsed = DeValue::parse(value).ok()?;
    json_from_toml(parsed.get_ref()).ok()
}

/// A Gradio input, or a field of a body: JSON, else TOML, else text.
fn input(value: &str) -> Value {
    serde_json::from_str(value)
        .ok()
        .or_else(|| toml_value(value))
        .unwrap_or_else(|| Value::from(value))
}
