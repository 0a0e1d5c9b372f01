//! Reads one flag's text; what is wrong becomes an issue at the flag.

use std::str::FromStr;

use crate::domain::{Issue, parse_duration_secs};

/// By the type's own grammar.
pub(super) fn parsed<T: FromStr<Err = String>>(
    flag: &str,
    text: Option<&str>,
    issues: &mut Vec<Issue>,
) -> Option<T> {
    told(flag, text.map(str::parse)?, issues)
}

/// One of a few words.
pub(super) fn chosen<T: Copy>(
    flag: &str,
    text: Option<&str>,
    words: &[(&str, T)],
    issues: &mut Vec<Issue>,
) -> Option<T> {
    let text = text?;
    let found = words.iter().find(|(word, _)| *word == text);
    let list = || {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("“{text}” is none of {}", words.join(", "))
    };
    told(
        flag,
        found.map(|(_, value)| *value).ok_or_else(list),
        issues,
    )
}

/// A number with a type that holds what it may be; `what` names it with its unit.
pub(super) fn number<T: FromStr>(
    flag: &str,
    text: Option<&str>,
    what: &str,
    issues: &mut Vec<Issue>,
) -> Option<T> {
    let text = text?;
    let wrong = |_| format!("“{text}” is not {what}");
    told(flag, text.trim().parse().map_err(wrong), issues)
}

/// Seconds from `2s`, `500ms` or `1.5m`.
pub(super) fn secs(flag: &str, text: Option<&str>, issues: &mut Vec<Issue>) -> Option<f64> {
    told(flag, parse_duration_secs(text?), issues)
}

fn told<T>(flag: &str, value: Result<T, String>, issues: &mut Vec<Issue>) -> Option<T> {
    value
        .map_err(|message| issues.push(Issue::new(flag, message)))
        .ok()
}
