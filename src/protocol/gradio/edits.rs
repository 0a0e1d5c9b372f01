//! The edit lists of Gradio's queue from `sse_v2` on: `[action, path, value]` with `replace`, `append`, `add` and
//! `delete`, as `apply_diff` of `gradio_client/utils.py` does them. A server's mistake is an error here, never a panic.

use serde_json::Value;

/// Longest path that is followed. Real ones have two or three parts; deeper nesting would overflow the stack on drop.
const MAX_PATH: usize = 64;

/// An edit that does not fit the value it is for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct EditError(String);

/// Applies one output's edit list in order and tells whether anything changed. `target` is left half edited on an error.
pub fn apply(target: &mut Value, edits: &Value) -> Result<bool, EditError> {
    let Some(edits) = edits.as_array() else {
        return Err(error("an edit list is not an array", edits));
    };
    let mut changed = false;
    for edit in edits {
        changed |= apply_one(target, edit)?;
    }
    Ok(changed)
}

fn apply_one(target: &mut Value, edit: &Value) -> Result<bool, EditError> {
    let parts = edit.as_array().map(Vec::as_slice).unwrap_or_default();
    let [Value::String(action), Value::Array(path), rest @ ..] = parts else {
        return Err(error("an edit is not [action, path, value]", edit));
    };
    let value = rest.first().unwrap_or(&Value::Null);
    if path.len() > MAX_PATH {
        return Err(EditError(format!(
            "an edit's path has {} parts, more than {MAX_PATH}",
            path.len()
        )));
    }
    let no_place = || error("an edit's path leads nowhere", edit);
    let Some((last, parents)) = path.split_last() else {
        return match action.as_str() {
            "replace" => Ok(replace(target, value)),
            "append" => append(target, value).ok_or_else(no_place),
            _ => Err(error("an edit's action is not known", edit)),
        };
    };
    let mut parent = target;
    for key in parents {
        parent = child(parent, key).ok_or_else(no_place)?;
    }
    match action.as_str() {
        "replace" => set(parent, last, value).ok_or_else(no_place),
        "append" => child(parent, last)
            .and_then(|place| append(place, value))
            .ok_or_else(no_place),
        "add" => add(parent, last, value).ok_or_else(no_place),
        "delete" => delete(parent, last).ok_or_else(no_place),
        _ => Err(error("an edit's action is not known", edit)),
    }
}

/// A position as a number, or as its digits.
fn index(key: &Value) -> Option<usize> {
    match key {
        Value::Number(n) => usize::try_from(n.as_u64()?).ok(),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    }
}

fn child<'a>(parent: &'a mut Value, key: &Value) -> Option<&'a mut Value> {
    match parent {
        Value::Array(items) => items.get_mut(index(key)?),
        Value::Object(fields) => fields.get_mut(key.as_str()?),
        _ => None,
    }
}

fn replace(place: &mut Value, value: &Value) -> bool {
    if place == value {
        return false;
    }
    place.clone_from(value);
    true
}

fn set(parent: &mut Value, key: &Value, value: &Value) -> Option<bool> {
    match parent {
        Value::Object(fields) => {
            let key = key.as_str()?;
            match fields.get_mut(key) {
                Some(place) => Some(replace(place, value)),
                None => Some(fields.insert(key.to_owned(), value.clone()).is_none()),
            }
        }
        Value::Array(_) => Some(replace(child(parent, key)?, value)),
        _ => None,
    }
}

fn append(place: &mut Value, value: &Value) -> Option<bool> {
    match (place, value) {
        (Value::String(text), Value::String(more)) => {
            text.push_str(more);
            Some(!more.is_empty())
        }
        (Value::Array(items), Value::Array(more)) => {
            items.extend(more.iter().cloned());
            Some(!more.is_empty())
        }
        _ => None,
    }
}

fn add(parent: &mut Value, key: &Value, value: &Value) -> Option<bool> {
    match parent {
        Value::Array(items) => {
            // Python's insert takes a position past the end as the end.
            let at = index(key)?.min(items.len());
            items.insert(at, value.clone());
            Some(true)
        }
        Value::Object(_) => set(parent, key, value),
        _ => None,
    }
}

fn delete(parent: &mut Value, key: &Value) -> Option<bool> {
    match parent {
        Value::Array(items) => {
            let at = index(key).filter(|at| *at < items.len())?;
            items.remove(at);
            Some(true)
        }
        // `shift_remove` keeps the order of the other fields.
        Value::Object(fields) => fields.shift_remove(key.as_str()?).map(|_| true),
        _ => None,
    }
}

fn error(what: &str, edit: &Value) -> EditError {
    let mut shown = edit.to_string();
    if shown.chars().count() > 120 {
        shown = shown.chars().take(120).chain(['…']).collect();
    }
    EditError(format!("{what}: {shown}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "json! makes values")]
    fn check(before: Value, edits: Value, after: Value, changed: bool) {
        let mut value = before;
        assert_eq!(apply(&mut value, &edits), Ok(changed));
        assert_eq!(value, after);
    }

    #[test]
    fn edits_do_what_the_python_client_does() {
        check(json!("a"), json!([["append", [], "b"]]), json!("ab"), true);
        check(json!("a"), json!([["append", [], ""]]), json!("a"), false);
        check(json!("a"), json!([["replace", [], "b"]]), json!("b"), true);
        check(json!("a"), json!([["replace", [], "a"]]), json!("a"), false);
        check(
            json!([1]),
            json!([["append", [], [2]]]),
            json!([1, 2]),
            true,
        );
        check(
            json!({"v": [{"t": "x"}]}),
            json!([["append", ["v", 0, "t"], "y"]]),
            json!({"v": [{"t": "xy"}]}),
            true,
        );
        check(
            json!([1, 3]),
            json!([["add", [1], 2]]),
            json!([1, 2, 3]),
            true,
        );
        check(json!([1]), json!([["add", [9], 2]]), json!([1, 2]), true);
        check(json!({}), json!([["add", ["k"], 1]]), json!({"k": 1}), true);
        check(
            json!({}),
            json!([["replace", ["k"], 1]]),
            json!({"k": 1}),
            true,
        );
        check(
            json!([1, 2]),
            json!([["delete", [0], null]]),
            json!([2]),
            true,
        );
        check(json!([1, 2]), json!([["delete", ["1"]]]), json!([1]), true);
        check(
            json!({"a": 1, "b": 2, "c": 3}),
            json!([["delete", ["a"], null]]),
            json!({"b": 2, "c": 3}),
            true,
        );
        check(json!(null), json!([]), json!(null), false);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        for edits in [
            json!("x"),
            json!([["append", [0], "x"]]),
            json!([["append", [], 1]]),
            json!([["replace", ["a", "b"], 1]]),
            json!([["delete", [], null]]),
            json!([["delete", [7], null]]),
            json!([["add", [-1], null]]),
            json!([["explode", [], 1]]),
            json!([["replace"]]),
            json!([[]]),
            json!([[1, [], 2]]),
            json!([["add", vec![0; 65], 1]]),
        ] {
            let mut value = json!("text");
            assert!(apply(&mut value, &edits).is_err(), "{edits}");
            let mut value = json!([1]);
            apply(&mut value, &edits).ok();
        }
    }
}
