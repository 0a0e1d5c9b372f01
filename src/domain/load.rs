//! When requests are sent: stages, their load and when they stop.

mod lengths;
#[cfg(test)]
mod tests;

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ArrivalProcess, Issue, Over, Ramp, WhenFull};

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
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Load {
    /// A fixed number of users, each of which sends its next request when its last one has ended.
    Closed {
        users: NonZeroU32,
        #[serde(default)]
        mode: ClosedMode,
        /// Users start one after another along this curve, which ends at `users`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ramp: Option<Ramp>,
    },
    /// Requests leave at planned times, whatever becomes of those before.
    Open {
        /// Requests per second; where there is a ramp, at its end.
        rate: f64,
        #[serde(default)]
        arrival: ArrivalProcess,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ramp: Option<Ramp>,
        /// Requests in flight at once at most; none means [`MAX_USERS`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_in_flight: Option<NonZeroU32>,
        #[serde(default)]
        when_full: WhenFull,
    },
    /// Requests leave when those of a recorded trace did, with its lengths.
    Replay {
        /// A trace (Azure LLM CSV, Mooncake JSONL, BurstGPT CSV) or one of our run files.
        replay: PathBuf,
        /// The trace's times are divided by this: 2 replays twice as fast.
        #[serde(default = "one_f64")]
        time_scale: f64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_in_flight: Option<NonZeroU32>,
        #[serde(default)]
        when_full: WhenFull,
    },
    /// Unfolds while the run goes: a closed stage that finds the most that the server does, then that many stages up to
    /// [`SWEEP_TOP`] times it; over users, that many closed stages up to `max_users`.
    Sweep {
        #[serde(default)]
        over: Over,
        steps: NonZeroU32,
        max_users: NonZeroU32,
        #[serde(default)]
        arrival: ArrivalProcess,
    },
    /// Unfolds while the run goes: the largest load that meets the plan's goals, by doubling and then bisection.
    Search {
        #[serde(default)]
        over: Over,
        /// The first load that is tried.
        from: f64,
        /// No load above this is tried.
        max: f64,
        #[serde(default)]
        arrival: ArrivalProcess,
    },
}

/// A sweep's last rate, as a multiple of the most that the server does (inference-benchmarker's 120 %).
pub const SWEEP_TOP: f64 = 1.2;
/// The largest rate that a plan may ask for, in requests per second.
pub const MAX_RATE: f64 = 100_000.0;

impl Load {
    /// That many steady users.
    pub fn closed(users: NonZeroU32) -> Self {
        Self::Closed {
            users,
            mode: ClosedMode::Steady,
            ramp: None,
        }
    }

    /// That rate of Poisson arrivals, without a limit.
    pub fn open(rate: f64) -> Self {
        Self::Open {
            rate,
            arrival: ArrivalProcess::Poisson,
            ramp: None,
            max_in_flight: None,
            when_full: WhenFull::Queue,
        }
    }

    /// The level that charts draw on their x axis: users, or requests per second; 0 for a replay, whose rate is its
    /// trace's.
    pub fn level(&self) -> f64 {
        match self {
            Self::Closed { users, .. } => f64::from(users.get()),
            Self::Open { rate, .. } => *rate,
            Self::Replay { .. } => 0.0,
            Self::Sweep { max_users, .. } => f64::from(max_users.get()),
            Self::Search { max, .. } => *max,
        }
    }

    /// The same load at another level; a replay has none, and is returned as it is.
    pub fn at_level(&self, level: f64) -> Self {
        let mut load = self.clone();
        match &mut load {
            Self::Closed { users, ramp, .. } => {
                *users = whole_users(level);
                *ramp = None;
            }
            Self::Open { rate, ramp, .. } => {
                *rate = level.clamp(f64::MIN_POSITIVE, MAX_RATE);
                *ramp = None;
            }
            Self::Replay { .. } | Self::Sweep { .. } | Self::Search { .. } => {}
        }
        load
    }

    /// Whether latencies count from the planned send.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Replay { .. })
    }

    /// Whether it becomes other stages while the run goes.
    pub fn unfolds(&self) -> bool {
        matches!(self, Self::Sweep { .. } | Self::Search { .. })
    }

    /// What its level counts; `None` for a replay.
    pub fn over(&self) -> Option<Over> {
        match self {
            Self::Closed { .. } => Some(Over::Users),
            Self::Open { .. } => Some(Over::Rate),
            Self::Replay { .. } => None,
            Self::Sweep { over, .. } | Self::Search { over, .. } => Some(*over),
        }
    }

    /// `1 user`, `10 users`, `50 req/s`, `replay of azure.csv`, `sweep`, `search`.
    pub fn label(&self) -> String {
        match self {
            Self::Closed { users, .. } if users.get() == 1 => "1 user".to_owned(),
            Self::Closed { users, .. } => format!("{users} users"),
            Self::Open { rate, .. } => format!("{} req/s", short_number(*rate)),
            Self::Replay { replay, .. } => {
                let name = replay.file_name().map(|n| n.to_string_lossy());
                format!("replay of {}", name.unwrap_or_default())
            }
            Self::Sweep { over, .. } => format!("sweep over {}", over_word(*over)),
            Self::Search { over, .. } => format!("search over {}", over_word(*over)),
        }
    }

    /// The most requests that can be in flight at once, as far as the plan says: an open load without a limit may reach
    /// [`MAX_USERS`].
    pub fn max_in_flight(&self) -> u32 {
        let limit = |n: &Option<NonZeroU32>| {
            n.map_or(
                u32::try_from(MAX_USERS).unwrap_or(u32::MAX),
                NonZeroU32::get,
            )
        };
        match self {
            Self::Closed { users, .. } => users.get(),
            Self::Open { max_in_flight, .. } | Self::Replay { max_in_flight, .. } => {
                limit(max_in_flight)
            }
            Self::Sweep {
                over: Over::Users,
                max_users,
                ..
            } => max_users.get(),
            Self::Search {
                over: Over::Users,
                max,
                ..
            } => whole_users(*max).get(),
            Self::Sweep { .. } | Self::Search { .. } => limit(&None),
        }
    }
}

fn over_word(over: Over) -> &'static str {
    match over {
        Over::Rate => "rates",
        Over::Users => "users",
    }
}

/// At least one user, at most [`MAX_USERS`].
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "kept within 1 and MAX_USERS before"
)]
pub fn whole_users(level: f64) -> NonZeroU32 {
    let users = level.round().clamp(1.0, MAX_USERS as f64) as u32;
    NonZeroU32::new(users).unwrap_or(NonZeroU32::MIN)
}

/// Four significant digits at most: `12.35`, `1000`, `0.25`.
fn short_number(n: f64) -> String {
    if n >= 1000.0 || n == n.trunc() {
        return format!("{n:.0}");
    }
    let digits = if n >= 100.0 { 1 } else { 2 };
    let text = format!("{n:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn one_f64() -> f64 {
    1.0
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
    /// A replay's last request; always `true`.
    WholeTrace(bool),
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
    /// Requests of the Measure phase; `None` when the stage ends by time or unfolds.
    pub fn n_requests(&self) -> Option<u64> {
        if self.load.unfolds() {
            return None;
        }
        match self.end {
            StageEnd::Requests(n) => Some(n.get()),
            StageEnd::RequestsPerUser(n) => {
                Some(u64::from(n.get()) * u64::from(self.load.max_in_flight()))
            }
            StageEnd::DurationSecs(_) | StageEnd::WholeTrace(_) => None,
        }
    }

    /// How long it sends, where its plan says so: its duration, or its requests at its rate; of a stage that unfolds, of
    /// each that it becomes.
    pub fn secs(&self) -> Option<f64> {
        match (self.end, &self.load) {
            (StageEnd::DurationSecs(secs), _) => Some(secs),
            (StageEnd::Requests(n), Load::Open { rate, ramp, .. }) => {
                let mean = ramp.map_or(*rate, |r| f64::midpoint(r.from, r.to));
                Some(n.get() as f64 / mean)
            }
            _ => None,
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
/// The most stages that a run may come to have by sweeps, searches and changes while it goes.
pub const MAX_STAGES_AS_RUN: usize = 1_024;
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
    /// End a stage, and a sweep's climb, once requests in flight and TTFT both rise: from there on figures depend on how
    /// long one waits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop_when_saturated: bool,
}

/// The share limit is looked at from this many requests of a stage on.
pub const ERROR_SHARE_MIN_REQUESTS: u64 = 20;
