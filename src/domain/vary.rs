//! One plan, run several times with other values of its fields.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text_form::serde_as_text;

/// A plan's field and the values that it takes in turn: `workload.max_tokens=16,64,256`. A value that holds a comma stands in
/// single or double quotes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Vary {
    /// As `--set` names it.
    pub field: String,
    /// At least one.
    pub values: Vec<String>,
}

/// How several varied fields go together.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaryMode {
    /// Every value of each field with every value of the others.
    #[default]
    Grid,
    /// Each field by itself, the others as the plan has them.
    OneAtATime,
}

/// The most runs that varied fields may make.
pub const MAX_VARIATIONS: usize = 256;

impl FromStr for Vary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "“{text}” varies nothing: write FIELD=VALUE,VALUE, as in workload.max_tokens=16,64,256"
            )
        };
        let (field, values) = text.split_once('=').ok_or_else(wrong)?;
        let (field, values) = (field.trim(), split_values(values));
        if field.is_empty() || values.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Self {
            field: field.to_owned(),
            values,
        })
    }
}

/// Splits at commas outside quotes and brackets; a value wholly in quotes loses them.
fn split_values(text: &str) -> Vec<String> {
    let (mut values, mut value) = (Vec::new(), String::new());
    let (mut quote, mut depth) = (None, 0_u32);
    for c in text.chars() {
        match (quote, c) {
            (None, ',') if depth == 0 => {
                values.push(std::mem::take(&mut value));
                continue;
            }
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        value.push(c);
    }
    values.push(value);
    values.iter().map(|v| unquoted(v.trim())).collect()
}

fn unquoted(text: &str) -> String {
    let inner = ['"', '\''].iter().find_map(|q| {
        let inner = text.strip_prefix(*q)?.strip_suffix(*q)?;
        (!inner.contains(*q)).then_some(inner)
    });
    inner.unwrap_or(text).to_owned()
}

impl fmt::Display for Vary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &String| {
            if !value.contains(',') || split_values(value).len() == 1 {
                value.clone()
            } else if value.contains('"') {
                format!("'{value}'")
            } else {
                format!("\"{value}\"")
            }
        };
        let values: Vec<String> = self.values.iter().map(shown).collect();
        write!(f, "{}={}", self.field, values.join(","))
    }
}

serde_as_text!(Vary);

/// What one run of a varied plan sets: fields and their values.
pub type Variant = BTreeMap<String, String>;

/// The runs that the varied fields ask for, in order; one empty variant where nothing is varied. Cut at
/// [`MAX_VARIATIONS`] + 1, which the plan's check refuses.
pub fn variants(vary: &[Vary], mode: VaryMode) -> Vec<Variant> {
    let one = |field: &str, value: &String| BTreeMap::from([(field.to_owned(), value.clone())]);
    match mode {
        _ if vary.is_empty() => vec![Variant::new()],
        VaryMode::OneAtATime => vary
            .iter()
            .flat_map(|v| v.values.iter().map(|value| one(&v.field, value)))
            .take(MAX_VARIATIONS + 1)
            .collect(),
        VaryMode::Grid => vary.iter().fold(vec![Variant::new()], |so_far, v| {
            let with_each = so_far.iter().flat_map(|variant| {
                v.values.iter().map(|value| {
                    let mut variant = variant.clone();
                    variant.insert(v.field.clone(), value.clone());
                    variant
                })
            });
            with_each.take(MAX_VARIATIONS + 1).collect()
        }),
    }
}

/// `target.model=a, workload.max_tokens=16`.
pub fn variant_words(values: &Variant) -> String {
    let words: Vec<String> = values.iter().map(|(f, v)| format!("{f}={v}")).collect();
    words.join(", ")
}

/// Which run of a varied plan a run is; in its file's first line.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Variation {
    /// The same for all runs of the varied plan: the id of the first.
    pub group: String,
    /// From 0.
    pub index: u32,
    pub of: u32,
    pub values: Variant,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vary(text: &str) -> Vary {
        text.parse().unwrap()
    }

    #[test]
    fn values_are_split_at_commas_outside_quotes() {
        assert_eq!(vary("a.b=1, 2,3").values, ["1", "2", "3"]);
        assert_eq!(vary("a='x,y',z").values, ["x,y", "z"]);
        assert_eq!(vary(r#"a={"t": 0, "u": 1},{"t": 1}"#).values.len(), 2);
        for text in ["a=1,2", "a=\"x,y\",z", r#"e={"a":1,"b":2},{}"#] {
            assert_eq!(vary(&vary(text).to_string()), vary(text), "{text}");
        }
        for text in ["", "a", "=1", "a=", "a=1,,2"] {
            text.parse::<Vary>().unwrap_err();
        }
    }

    #[test]
    fn a_grid_multiplies_and_one_at_a_time_adds() {
        let both = [vary("a=1,2"), vary("b=x,y,z")];
        let grid = variants(&both, VaryMode::Grid);
        assert_eq!(grid.len(), 6);
        assert_eq!(grid[1]["b"], "y");
        assert_eq!(grid[3]["a"], "2");
        assert_eq!(variants(&both, VaryMode::OneAtATime).len(), 5);
        assert_eq!(variants(&[], VaryMode::Grid), [Variant::new()]);
    }
}
