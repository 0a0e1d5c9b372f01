//! Names of a plan's fields: their paths, and which one was likely meant.

use super::plan_fields::{Field, Kind, PLAN};

/// Fields of a request's body that many servers know; there may be any other.
const IN_BODY: [&str; 7] = [
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
];
const OF_BODY: &str = "A field of the request's own body, where the server knows it; any other name may stand in its place";

/// The field with that name.
pub(super) fn find<'f>(fields: &'f [Field], name: &str) -> Option<&'f Field> {
    fields.iter().find(|f| f.name == name)
}

/// Every path of the plan with what it means, as `paths` has them.
pub fn fields() -> Vec<(String, &'static str)> {
    let mut fields = Vec::new();
    fields_into("", PLAN, &mut fields);
    fields
}

fn fields_into(prefix: &str, of: &[Field], fields: &mut Vec<(String, &'static str)>) {
    for field in of {
        let path = join(prefix, field.name);
        match field.kind {
            Kind::Section(inner) | Kind::Inline(inner, _) | Kind::NoneOr(inner) => {
                fields_into(&path, inner, fields);
            }
            Kind::Sections(inner, _) => fields_into(&join(&path, "0"), inner, fields),
            Kind::Json => {
                let inside = IN_BODY.map(|name| (join(&path, name), OF_BODY));
                fields.push((path, field.doc));
                fields.extend(inside);
            }
            _ => fields.push((path, field.doc)),
        }
    }
}

/// Every path of the plan, as `--set` names it; `0` stands for a position.
pub(super) fn paths() -> Vec<String> {
    fields().into_iter().map(|(path, _)| path).collect()
}

pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// ` Did you mean “users”?`, or where such a field stands, or which fields there are.
pub(super) fn guess(unknown: &str, fields: &[Field]) -> String {
    let close = fields
        .iter()
        // Of two that are as near, the one that begins alike was meant.
        .map(|f| {
            (
                distance(unknown, f.name),
                f.name.get(..1) != unknown.get(..1),
                f.name,
            )
        })
        .min();
    if let Some((d, _, name)) = close
        && d <= 2.max(name.len() / 3)
        && d < name.len()
    {
        return format!("did you mean “{name}”?");
    }
    let elsewhere = paths()
        .into_iter()
        .find(|p| p.rsplit('.').next() == Some(unknown));
    if let Some(path) = elsewhere {
        return format!("did you mean “{path}”?");
    }
    format!("there are {}", listed(fields.iter().map(|f| f.name)))
}

/// The choice that was likely meant.
pub(super) fn closest<'c>(text: &str, choices: &[&'c str]) -> Option<&'c str> {
    let text = text.to_lowercase().replace('_', "-");
    choices
        .iter()
        .map(|c| (distance(&text, c), *c))
        .min()
        .filter(|(d, c)| *d <= 2 && *d < c.len())
        .map(|(_, c)| c)
}

/// `“a”, “b” or “c”`.
pub(super) fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let quoted: Vec<String> = names.map(|n| format!("“{n}”")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// Edits between two words (Levenshtein); words above 64 characters are never close.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    if a.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cb, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            let here = (diagonal + usize::from(ca != *cb))
                .min(above + 1)
                .min(left + 1);
            diagonal = above;
            *cell = here;
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::plan_fields::{KEY, TARGET, WORKLOAD};
    use super::*;

    #[test]
    fn distances() {
        for (a, b, d) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("user", "users", 1),
            ("x", "x", 0),
        ] {
            assert_eq!(distance(a, b), d, "{a} {b}");
        }
    }

    #[test]
    fn guesses() {
        assert_eq!(guess("ulr", TARGET), "did you mean “url”?");
        assert_eq!(guess("max_token", WORKLOAD), "did you mean “max_tokens”?");
        assert_eq!(
            guess("max_tokens", PLAN),
            "did you mean “workload.max_tokens”?"
        );
        assert_eq!(
            guess("temperature", WORKLOAD),
            "did you mean “workload.extra_body.temperature”?"
        );
        assert!(guess("zzzzzzzz", KEY).contains("“source” or “name”"));
    }
}
