//! What stands around the stages: cold requests, warm-up, and when the whole run stops early.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::parse_duration_secs;

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
