//! Lists of stages as a person types them: tiers of users, rates and how long each is.

use std::num::{NonZeroU32, NonZeroU64};

use super::super::{ArrivalProcess, Issue, WhenFull};
use super::{ClosedMode, Load, MAX_RATE, MAX_REQUESTS, MAX_STAGES, MAX_USERS, Stage, StageEnd};

/// How long each tier of a list is, as a person types it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TierLength<'a> {
    /// Requests in the stage: one number for all tiers, or one for each.
    Requests(&'a str),
    RequestsPerUser(&'a str),
    /// Seconds, or with a unit: `10s`, `1.5m`, `200ms`.
    Duration(&'a str),
}

impl Stage {
    /// Parses `"1, 10, 100"` with a length for each tier into closed stages. The form, the flags and importers all call this.
    ///
    /// # Errors
    /// One [`Issue`] for each value that cannot be used (fields `users`, `requests`, `requests_per_user`, `duration_secs`).
    pub fn closed_tiers(
        users: &str,
        mode: ClosedMode,
        length: TierLength<'_>,
    ) -> Result<Vec<Self>, Vec<Issue>> {
        let mut issues = Vec::new();
        let users = numbers("users", users, &mut issues);
        let ends = stage_ends(length, users.len(), &mut issues);
        if !issues.is_empty() {
            return Err(issues);
        }
        let stage_for = |(n, end): (u64, StageEnd)| {
            let users = NonZeroU32::new(u32::try_from(n).ok()?)?;
            Some(Self {
                load: Load::Closed {
                    users,
                    mode,
                    ramp: None,
                },
                end,
            })
        };
        Ok(users.into_iter().zip(ends).filter_map(stage_for).collect())
    }
}

/// What all stages of a list of rates have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OpenShape {
    pub arrival: ArrivalProcess,
    pub max_in_flight: Option<NonZeroU32>,
    pub when_full: WhenFull,
}

impl Stage {
    /// Parses `"5, 10, 20.5"` requests per second with a length for each into open stages. The form, the flags and
    /// importers all call this.
    ///
    /// # Errors
    /// One [`Issue`] for each value that cannot be used (fields `rate`, `requests`, `duration_secs`).
    pub fn open_rates(
        rates: &str,
        shape: OpenShape,
        length: TierLength<'_>,
    ) -> Result<Vec<Self>, Vec<Issue>> {
        let mut issues = Vec::new();
        let rates = parse_rates(rates, &mut issues);
        if let TierLength::RequestsPerUser(_) = length {
            issues.push(Issue::new(
                "requests_per_user",
                "an open load has no users: give requests in all, or a duration",
            ));
        }
        let ends = if issues.is_empty() {
            stage_ends(length, rates.len(), &mut issues)
        } else {
            Vec::new()
        };
        if !issues.is_empty() {
            return Err(issues);
        }
        let stage_for = |(rate, end)| Self {
            load: Load::Open {
                rate,
                arrival: shape.arrival,
                ramp: None,
                max_in_flight: shape.max_in_flight,
                when_full: shape.when_full,
            },
            end,
        };
        Ok(rates.into_iter().zip(ends).map(stage_for).collect())
    }
}

fn parse_rates(text: &str, issues: &mut Vec<Issue>) -> Vec<f64> {
    let parts: Vec<&str> = text.split([',', ';']).map(str::trim).collect();
    if parts.len() > MAX_STAGES {
        let message = format!("{} values; at most {MAX_STAGES} stages", parts.len());
        issues.push(Issue::new("rate", message));
        return Vec::new();
    }
    let mut rates = Vec::new();
    for part in parts {
        let digits: String = part
            .chars()
            .filter(|c| !matches!(c, ' ' | '_' | '\u{202f}' | '\u{a0}'))
            .collect();
        match digits.parse::<f64>() {
            Ok(rate) if rate > 0.0 && rate <= MAX_RATE => rates.push(rate),
            _ => issues.push(Issue::new(
                "rate",
                format!("“{part}” is no rate: write requests per second above 0 and up to {MAX_RATE}, as in 5, 10, 20.5"),
            )),
        }
    }
    rates
}

pub(super) fn stage_ends(
    length: TierLength<'_>,
    n_tiers: usize,
    issues: &mut Vec<Issue>,
) -> Vec<StageEnd> {
    let (field, ends) = match length {
        TierLength::Requests(text) => {
            let values = numbers("requests", text, issues);
            (
                "requests",
                values
                    .into_iter()
                    .filter_map(NonZeroU64::new)
                    .map(StageEnd::Requests)
                    .collect::<Vec<_>>(),
            )
        }
        TierLength::RequestsPerUser(text) => {
            let values = numbers("requests_per_user", text, issues);
            let per_user = |n| {
                u32::try_from(n)
                    .ok()
                    .and_then(NonZeroU32::new)
                    .map(StageEnd::RequestsPerUser)
            };
            (
                "requests_per_user",
                values.into_iter().filter_map(per_user).collect(),
            )
        }
        TierLength::Duration(text) => match parse_duration_secs(text) {
            Ok(secs) if secs > 0.0 => ("duration_secs", vec![StageEnd::DurationSecs(secs)]),
            Ok(_) => {
                issues.push(Issue::new("duration_secs", "must be more than 0 s"));
                return Vec::new();
            }
            Err(message) => {
                issues.push(Issue::new("duration_secs", message));
                return Vec::new();
            }
        },
    };
    match ends.len() {
        1 => vec![ends[0]; n_tiers],
        n if n == n_tiers => ends,
        n => {
            if issues.is_empty() {
                let fix = match n_tiers {
                    1 => format!("{n} values for 1 stage: give one number"),
                    _ => format!(
                        "{n} values for {n_tiers} stages: give one number for all, or one for each"
                    ),
                };
                issues.push(Issue::new(field, fix));
            }
            Vec::new()
        }
    }
}

const ORDINALS: [&str; 8] = [
    "First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth",
];
fn numbers(field: &'static str, text: &str, issues: &mut Vec<Issue>) -> Vec<u64> {
    let most = if field == "users" {
        MAX_USERS
    } else {
        MAX_REQUESTS
    };
    let parts: Vec<&str> = text.split([',', ';']).map(str::trim).collect();
    if parts.len() > MAX_STAGES {
        issues.push(Issue::new(
            field,
            format!("{} values; at most {MAX_STAGES} stages", parts.len()),
        ));
        return Vec::new();
    }
    let mut values = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let place = ORDINALS
            .get(i)
            .map_or_else(|| format!("Value {}", i + 1), |o| format!("{o} value"));
        let digits: String = part
            .chars()
            .filter(|c| !matches!(c, ' ' | '_' | '\u{202f}' | '\u{a0}'))
            .collect();
        match digits.parse::<u64>() {
            Ok(0) => issues.push(Issue::new(
                field,
                format!("{place} “{part}” must be at least 1"),
            )),
            Ok(n) if n > most => issues.push(Issue::new(
                field,
                format!("{place} “{part}” is above {most}"),
            )),
            Ok(n) => values.push(n),
            Err(_) if part.is_empty() => {
                issues.push(Issue::new(
                    field,
                    format!(
                        "{place} is empty: whole numbers with commas between, as in 1, 10, 100"
                    ),
                ));
            }
            Err(_) => issues.push(Issue::new(
                field,
                format!("{place} “{part}” is not a whole number.{}", guess(&digits)),
            )),
        }
    }
    values
}

/// 100 for `1oo`: letters that are taken for digits.
pub fn number_meant(text: &str) -> Option<u64> {
    let swapped: String = text
        .chars()
        .map(|c| match c {
            'o' | 'O' => '0',
            'l' | 'I' | 'i' => '1',
            other => other,
        })
        .collect();
    let n = swapped.parse().ok()?;
    (swapped != text && n > 0).then_some(n)
}

fn guess(text: &str) -> String {
    match number_meant(text) {
        Some(n) => format!(" Did you mean {n}?"),
        None => " Use digits, as in 1, 10, 100".to_owned(),
    }
}

/// Seconds from `10`, `10s`, `1.5m`, `2h` or `200ms`.
///
/// # Errors
/// A sentence that quotes the text and shows the forms that work.
pub fn parse_duration_secs(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.trim() {
        "" | "s" | "sec" | "secs" => 1.0,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => {
            return Err(format!(
                "“{text}” is not a duration: write 10s, 1.5m or 200ms"
            ));
        }
    };
    match number.trim().parse::<f64>() {
        Ok(n) if n.is_finite() && n >= 0.0 && n * factor <= 31_536_000.0 => Ok(n * factor),
        _ => Err(format!(
            "“{text}” is not a duration: write 10s, 1.5m or 200ms"
        )),
    }
}
