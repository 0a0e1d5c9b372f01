//! Issues as they are found while the form's text is read, and readers that find them.

use std::str::FromStr;

use crate::domain::{Issue, number_meant, parse_duration_secs};

/// The fields of the form's load, where they are not those of a plan's stages.
pub(super) const LOAD_FIELDS: [&str; 17] = [
    "users",
    "requests",
    "requests_per_user",
    "duration_secs",
    "iterations",
    "rate",
    "arrival",
    "ramp",
    "max_in_flight",
    "when_full",
    "replay",
    "time_scale",
    "steps",
    "max_users",
    "over",
    "from",
    "max",
];

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Zero {
    Allowed,
    Refused,
}

#[derive(Default)]
pub(super) struct Issues(pub(super) Vec<Issue>);

impl Issues {
    pub(super) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Issue::new(field, message));
    }

    /// What the plan says of itself, but for fields whose text could not be read: those hold a stand-in.
    pub(super) fn add_checked(&mut self, checked: Vec<Issue>) {
        let known: Vec<String> = self.0.iter().map(|i| i.field.clone()).collect();
        let has_no_stages = known.iter().any(|k| LOAD_FIELDS.contains(&k.as_str()));
        let is_known = |field: &str| {
            let touches = |k: &String| field.starts_with(k.as_str()) || k.starts_with(field);
            known.iter().any(touches) || has_no_stages && field.starts_with("stages")
        };
        self.0
            .extend(checked.into_iter().filter(|i| !is_known(&i.field)));
    }

    /// The value, or what is wrong with it at that field.
    pub(super) fn read<T>(&mut self, field: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|message| self.add(field, message)).ok()
    }

    pub(super) fn number<T: Default + FromStr>(
        &mut self,
        field: &str,
        text: &str,
        wants: &str,
    ) -> T {
        if text.trim().is_empty() {
            self.add(field, format!("Empty: {wants}"));
            return T::default();
        }
        self.optional(field, text, wants).unwrap_or_default()
    }

    /// The number in `text`, with thousands in groups or not; `None` when it is empty or not one.
    pub(super) fn optional<T: FromStr>(
        &mut self,
        field: &str,
        text: &str,
        wants: &str,
    ) -> Option<T> {
        let is_gap = |c: &char| !matches!(c, ' ' | '_' | '\u{202f}' | '\u{a0}');
        let digits: String = text.trim().chars().filter(is_gap).collect();
        if digits.is_empty() {
            return None;
        }
        let value = digits.parse().ok();
        if value.is_none() {
            let meant = number_meant(&digits);
            let meant = meant.map_or_else(String::new, |n| format!(". Did you mean {n}?"));
            self.add(field, format!("“{}” is not {wants}{meant}", text.trim()));
        }
        value
    }

    /// As [`Self::number`], for a value that has no stand-in.
    pub(super) fn must<T: FromStr>(&mut self, field: &str, text: &str, wants: &str) -> Option<T> {
        if text.trim().is_empty() {
            self.add(field, format!("Empty: {wants}"));
        }
        self.optional(field, text, wants)
    }

    pub(super) fn secs(&mut self, field: &str, text: &str, zero: Zero) -> f64 {
        match parse_duration_secs(text) {
            Ok(secs) if zero == Zero::Refused && secs <= 0.0 => {
                self.add(field, format!("“{}” must be more than 0 s", text.trim()));
                secs
            }
            Ok(secs) => secs,
            Err(_) if text.trim().is_empty() => {
                self.add(field, "Empty: a time, as in 10s, 1.5m or 200ms");
                0.0
            }
            Err(message) => {
                self.add(field, message);
                0.0
            }
        }
    }
}

pub(super) fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) fn words(text: &str) -> Vec<String> {
    text.split(',').filter_map(filled).collect()
}

pub(super) fn shortened(text: &str) -> String {
    let mut cut: String = text.chars().take(40).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
