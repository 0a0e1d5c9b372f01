//! When requests are sent: stages, their load and when they stop.

mod around;
mod lengths;
mod parse;
#[cfg(test)]
mod tests;

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ArrivalProcess, Over, Ramp, WhenFull};

pub use around::*;
pub use parse::{OpenShape, TierLength, number_meant, parse_duration_secs};

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
/// What a sweep and a search are where a flag or `--set` says no more: stages and users of the one, the least and the most
/// load of the other.
pub const SWEEP: (u32, u32) = (10, 128);
pub const SEARCH: (f64, f64) = (1.0, 1000.0);
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
    if n >= 1000.0 || n.fract().abs() < 1e-9 {
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
}

/// The most stages, users of a stage and requests of a stage that a plan may ask for.
pub const MAX_STAGES: usize = 64;
/// The most stages that a run may come to have by sweeps, searches and changes while it goes.
pub const MAX_STAGES_AS_RUN: usize = 1_024;
pub const MAX_USERS: u64 = 20_000;
pub const MAX_REQUESTS: u64 = 100_000_000;
