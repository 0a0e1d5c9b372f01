//! The plan's JSON schema (2020-12), made of the table of fields; kept in `resources/schema/plan.schema.json`.

use serde_json::{Map, Value, json};

use super::plan_fields::{Bound, Field, Kind, PLAN};

/// The schema as it must stand in the file.
pub fn plan_schema() -> Value {
    let mut schema = table(PLAN);
    if let Some(map) = schema.as_object_mut() {
        let head = [
            ("$schema", "https://json-schema.org/draft/2020-12/schema"),
            ("title", "Inferometer plan"),
            (
                "description",
                "All that is needed to repeat a run (*.plan.toml)",
            ),
        ];
        for (i, (key, value)) in head.into_iter().enumerate() {
            map.shift_insert(i, key.to_owned(), Value::from(value));
        }
    }
    schema
}

fn table(fields: &[Field]) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let mut schema = of(field.kind);
        if let Some(map) = schema.as_object_mut() {
            map.insert("description".to_owned(), Value::from(field.doc));
        }
        properties.insert(field.name.to_owned(), schema);
    }
    let required: Vec<&str> = fields
        .iter()
        .filter(|f| f.required)
        .map(|f| f.name)
        .collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn of(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::Json | Kind::Path | Kind::Form(_) => json!({ "type": "string" }),
        Kind::Texts | Kind::Forms(_) => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Whole { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Number { from, most } => match from {
            Bound::AtLeast(least) => json!({ "type": "number", "minimum": least, "maximum": most }),
            Bound::Above(least) => {
                json!({ "type": "number", "exclusiveMinimum": least, "maximum": most })
            }
        },
        Kind::Choice(choices) => json!({ "enum": choices }),
        Kind::TextMap => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        Kind::Inputs => json!({ "type": "object" }),
        Kind::Section(fields) | Kind::Inline(fields, _) => table(fields),
        Kind::NoneOr(fields) => {
            let mut table = table(fields);
            let names: Vec<&str> = fields.iter().map(|f| f.name).collect();
            exactly_one(&mut table, &names);
            json!({ "oneOf": [{ "const": "none" }, table] })
        }
        Kind::Sections(fields, one_of) => {
            let mut table = table(fields);
            exactly_one(&mut table, one_of);
            json!({ "type": "array", "minItems": 1, "maxItems": crate::domain::MAX_STAGES, "items": table })
        }
    }
}

fn exactly_one(table: &mut Value, names: &[&str]) {
    let each: Vec<Value> = names.iter().map(|n| json!({ "required": [n] })).collect();
    if let Some(map) = table.as_object_mut() {
        map.insert("oneOf".to_owned(), Value::Array(each));
    }
}
