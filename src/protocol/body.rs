//! A request's JSON body: made once for a run, filled with a prompt for each request, the person's extra body over it.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::domain::Issue;

/// All of a body but what each request brings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct BodyTemplate {
    fixed: Map<String, Value>,
    /// Merged over everything else.
    extra: Map<String, Value>,
}

impl BodyTemplate {
    pub(super) fn new(fixed: Map<String, Value>, extra: Map<String, Value>) -> Self {
        Self { fixed, extra }
    }

    /// The body of one request.
    pub(super) fn fill(&self, own: Map<String, Value>) -> Bytes {
        Bytes::from(Value::Object(self.merged(own)).to_string())
    }

    fn merged(&self, own: Map<String, Value>) -> Map<String, Value> {
        let mut body = self.fixed.clone();
        merge(&mut body, own);
        merge(&mut body, self.extra.clone());
        body
    }

    /// The two make the same bodies.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.merged(Map::new()) == other.merged(Map::new())
    }
}

/// The fields of a JSON object.
pub(super) fn fields<const N: usize>(list: [(&str, Value); N]) -> Map<String, Value> {
    list.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// JSON Merge Patch (RFC 7396): objects are merged, null removes a field, all else replaces it.
pub(super) fn merge(body: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match (body.get_mut(&name), value) {
            (_, Value::Null) => {
                body.shift_remove(&name);
            }
            (Some(Value::Object(inner)), Value::Object(more)) => merge(inner, more),
            (_, value) => {
                body.insert(name, value);
            }
        }
    }
}

/// The extra body as an object, or what is wrong with it.
pub(super) fn parse_extra(text: &str) -> Result<Map<String, Value>, Issue> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    let issue = |message| Issue::new("workload.extra_body", message);
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(issue(
            "The extra body is not a JSON object; write {\"name\": value}".to_owned(),
        )),
        Err(error) => Err(issue(format!("The extra body is not JSON ({error})"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_extra_body_wins_over_what_a_request_brings() {
        let extra = parse_extra(r#"{"a": 3, "o": {"y": null, "z": 1}, "gone": null}"#).unwrap();
        let template = BodyTemplate::new(fields([("gone", json!(1)), ("k", json!("k"))]), extra);
        let own = fields([("a", json!(1)), ("o", json!({"x": 1, "y": 2}))]);
        let body: Value = serde_json::from_slice(&template.fill(own)).unwrap();
        assert_eq!(body, json!({"k": "k", "a": 3, "o": {"x": 1, "z": 1}}));
    }

    #[test]
    fn what_is_no_object_is_an_issue_at_its_field() {
        assert_eq!(parse_extra("[1]").unwrap_err().field, "workload.extra_body");
        assert_eq!(parse_extra("{").unwrap_err().field, "workload.extra_body");
        assert!(parse_extra("  ").unwrap().is_empty());
    }
}
