//! When requests are sent: stages, their load and when they stop.

#[cfg(test)]
mod tests;

use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

use super::Issue;

/// The position of a stage in [`super::Plan::stages`]; everything that belongs to a stage holds this.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct StageIdx(pub u16);

impl StageIdx {
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The index of the stage at `position`; the last representable one above 65,535.
    pub fn from_index(position: usize) -> Self {
        Self(u16::try_from(position).unwrap_or(u16::MAX))
    }
}

/// One level of load.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Stage {
    pub load: Load,
    #[serde(flatten)]
    pub end: StageEnd,
}

/// How requests are let go.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Load {
    /// A fixed number of users, each of which sends its next request when its last one has ended.
    Closed {
        users: NonZeroU32,
        #[serde(default)]
        mode: ClosedMode,
    },
}

impl Load {
    /// The level that charts draw on their x axis: users.
    pub fn level(&self) -> f64 {
        match self {
            Self::Closed { users, .. } => f64::from(users.get()),
        }
    }

    /// `1 user`, `10 users`.
    pub fn label(&self) -> String {
        match self {
            Self::Closed { users, .. } if users.get() == 1 => "1 user".to_owned(),
            Self::Closed { users, .. } => format!("{users} users"),
        }
    }

    /// The most requests that can be in flight at once.
    pub fn max_in_flight(&self) -> u32 {
        match self {
            Self::Closed { users, .. } => users.get(),
        }
    }
}

/// How the users of a closed stage keep step.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClosedMode {
    /// Each user goes on at once.
    #[default]
    Steady,
    /// All requests of a round are released together, when the last of the round before has ended.
    Burst,
    /// As burst, with a seeded 0–500 ms before each request of a round.
    Wave,
}

/// The most that a wave delays a request after its round's release, in milliseconds.
pub const WAVE_JITTER_MS: u64 = 500;

/// When a stage has sent enough.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StageEnd {
    /// That many Measure requests in all.
    Requests(NonZeroU64),
    /// That many by each user.
    RequestsPerUser(NonZeroU32),
    /// No new request after that many seconds.
    DurationSecs(f64),
}

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
    /// Requests of the Measure phase; `None` when the stage ends by time.
    pub fn n_requests(&self) -> Option<u64> {
        match self.end {
            StageEnd::Requests(n) => Some(n.get()),
            StageEnd::RequestsPerUser(n) => {
                Some(u64::from(n.get()) * u64::from(self.load.max_in_flight()))
            }
            StageEnd::DurationSecs(_) => None,
        }
    }

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
                load: Load::Closed { users, mode },
                end,
            })
        };
        Ok(users.into_iter().zip(ends).filter_map(stage_for).collect())
    }
}

fn stage_ends(length: TierLength<'_>, n_tiers: usize, issues: &mut Vec<Issue>) -> Vec<StageEnd> {
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
                let fix = format!(
                    "{n} values for {n_tiers} stages: give one number for all, or one for each"
                );
                issues.push(Issue::new(field, fix));
            }
            Vec::new()
        }
    }
}

const ORDINALS: [&str; 8] = [
    "First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth",
];
/// The most stages, users of a stage and requests of a stage that a plan may ask for.
pub const MAX_STAGES: usize = 64;
pub const MAX_USERS: u64 = 20_000;
pub const MAX_REQUESTS: u64 = 100_000_000;

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

/// ` Did you mean 100?` for `1oo`: letters that are taken for digits.
fn guess(text: &str) -> String {
    let swapped: String = text
        .chars()
        .map(|c| match c {
            'o' | 'O' => '0',
            'l' | 'I' | 'i' => '1',
            other => other,
        })
        .collect();
    match swapped.parse::<u64>() {
        Ok(n) if swapped != text && n > 0 => format!(" Did you mean {n}?"),
        _ => " Use digits, as in 1, 10, 100".to_owned(),
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

/// Requests that meet a cold server; never part of a Measure distribution.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cold {
    /// Requests in each cycle, one after another; 0 sends none.
    #[serde(default)]
    pub requests: u32,
    #[serde(default)]
    pub how: ColdHow,
    /// Silence before each cycle when `how` is `silence`.
    #[serde(default)]
    pub silence_secs: f64,
    /// How often the probe is repeated.
    #[serde(default = "one")]
    pub cycles: u32,
}

impl Default for Cold {
    fn default() -> Self {
        Self {
            requests: 0,
            how: ColdHow::default(),
            silence_secs: 0.0,
            cycles: one(),
        }
    }
}

fn one() -> u32 {
    1
}

/// How the server was made cold; the file says which is claimed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColdHow {
    /// Nothing was done: cold only if it was so already.
    #[default]
    Nothing,
    /// A time of silence before each cycle.
    Silence,
    /// The person restarts the server before each cycle and says so.
    Restarted,
}

/// Requests sent before Measure by the first stage's users; kept, drawn pale, never counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Warmup {
    #[default]
    None,
    Requests(NonZeroU32),
    Secs(f64),
}

impl Warmup {
    /// Parses the flag's text: `20` is requests, `10s` is seconds, empty or `0` is none.
    ///
    /// # Errors
    /// A sentence that quotes the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::None);
        }
        if let Ok(n) = text.parse::<u32>() {
            return Ok(NonZeroU32::new(n).map_or(Self::None, Self::Requests));
        }
        match parse_duration_secs(text)? {
            secs if secs > 0.0 => Ok(Self::Secs(secs)),
            _ => Ok(Self::None),
        }
    }

    /// Requests it sends; `None` when it ends by time.
    pub fn n_requests(&self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::Requests(n) => Some(u64::from(n.get())),
            Self::Secs(_) => None,
        }
    }
}

/// When the whole run stops early.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Failed requests after which no more are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_errors: Option<u64>,
    /// Share of failed requests in a stage, in percent, above which the run stops (looked at from 20 requests on).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_error_percent: Option<f64>,
    /// Seconds after which no more requests are sent, whatever the stages say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_secs: Option<f64>,
}

/// The share limit is looked at from this many requests of a stage on.
pub const ERROR_SHARE_MIN_REQUESTS: u64 = 20;
