//! Goals (service-level objectives): what share of requests has to be how fast, and how far a stage met that.

mod tally;

use std::fmt;
use std::str::FromStr;

use super::text_form::{number, serde_as_text};
use super::{Better, MetricId, RequestRecord, Taken, Unit, parse_duration_secs};

pub use tally::{GoalResult, GoalTally, GoalVerdict, overall};

/// One goal: `METRIC[.pNN]:LIMIT`, as in `ttft.p95:500ms` or `decode_rate.p95:10`. It holds where at least that share of
/// values (NN %, 95 where none is named) is within the limit: at most it for latencies, at least it for rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    pub metric: MetricId,
    /// 0.95 for `p95`.
    pub share: f64,
    /// In the metric's unit.
    pub limit: f64,
}

/// The share of a goal that names none.
pub const DEFAULT_GOAL_SHARE: f64 = 0.95;
/// The most goals of a plan.
pub const MAX_GOALS: usize = 16;

/// What a goal may be set for: everything that one request, or one gap, has by itself.
pub const GOAL_METRICS: [MetricId; 8] = [
    MetricId::Ttft,
    MetricId::Ttfa,
    MetricId::E2e,
    MetricId::Service,
    MetricId::Tpot,
    MetricId::Itl,
    MetricId::DecodeRate,
    MetricId::QueueWait,
];

impl Goal {
    /// 95 for a share of 0.95, without what binary fractions add.
    pub fn percent(&self) -> f64 {
        (self.share * 1e8).round() / 1e6
    }

    /// Whether a value is within the limit.
    pub fn allows(&self, value: f64) -> bool {
        match self.metric.metric().better {
            Better::Lower => value <= self.limit,
            Better::Higher => value >= self.limit,
        }
    }

    /// Of one request that ended well: whether it is within the limit; `None` where it has no such value. For gaps: whether
    /// the goal's share of its own gaps is.
    pub fn is_met_by(&self, record: &RequestRecord) -> Option<bool> {
        match self.metric.metric().taken {
            Taken::PerRequest(of) => of(record).map(|value| self.allows(value)),
            Taken::PerGap => {
                let (within, n) = self.gaps_within(record);
                (n > 0).then_some(within as f64 >= self.share * n as f64)
            }
            Taken::PerStage => None,
        }
    }

    /// Gaps within the limit, and gaps in all.
    fn gaps_within(&self, record: &RequestRecord) -> (u64, u64) {
        let within = |ns: &&u64| self.allows(**ns as f64 / 1e6);
        let n_within = record.chunk_ns.iter().filter(within).count();
        (n_within as u64, record.chunk_ns.len() as u64)
    }

    /// `p95 TTFT ≤ 500 ms`.
    pub fn label(&self) -> String {
        let metric = self.metric.metric();
        let sign = match metric.better {
            Better::Lower => '≤',
            Better::Higher => '≥',
        };
        let (percent, unit) = (self.percent(), metric.unit.label());
        format!("p{percent} {} {sign} {} {unit}", metric.short, self.limit)
    }
}

impl FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let names: Vec<&str> = GOAL_METRICS.iter().map(|m| m.key()).collect();
            format!(
                "“{text}” is no goal: write METRIC.pNN:LIMIT, as in ttft.p95:500ms or decode_rate.p95:10, with a metric of {}",
                names.join(", ")
            )
        };
        let (name, limit) = text.trim().split_once(':').ok_or_else(wrong)?;
        let (key, quantile) = match name.trim().split_once('.') {
            Some((key, quantile)) => (key, Some(quantile)),
            None => (name.trim(), None),
        };
        let metric = MetricId::from_key(key)
            .filter(|id| GOAL_METRICS.contains(id))
            .ok_or_else(wrong)?;
        let share = match quantile {
            None => DEFAULT_GOAL_SHARE,
            Some(p) => p
                .strip_prefix('p')
                .and_then(number)
                .map(|percent| percent / 100.0)
                .filter(|share| *share > 0.0 && *share < 1.0)
                .ok_or_else(wrong)?,
        };
        let limit = match metric.metric().unit {
            Unit::Ms => {
                parse_duration_secs(with_unit(limit.trim()).as_str())
                    .map_err(|_not_a_time| wrong())?
                    * 1e3
            }
            _ => number(limit).ok_or_else(wrong)?,
        };
        if limit <= 0.0 {
            return Err(wrong());
        }
        Ok(Self {
            metric,
            share,
            limit: (limit * 1e6).round() / 1e6,
        })
    }
}

/// A bare number is milliseconds here, the metrics' unit.
fn with_unit(text: &str) -> String {
    if text.ends_with(|c: char| c.is_ascii_digit() || c == '.') {
        format!("{text}ms")
    } else {
        text.to_owned()
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = self.metric.metric();
        let unit = if metric.unit == Unit::Ms { "ms" } else { "" };
        let (key, percent) = (metric.key, self.percent());
        write!(f, "{key}.p{percent}:{}{unit}", self.limit)
    }
}

serde_as_text!(Goal);

/// Sets of goals that people ask for, by name.
pub struct GoalPreset {
    pub id: &'static str,
    pub label: &'static str,
    /// Where the limits come from.
    pub source: &'static str,
    pub goals: &'static [&'static str],
}

/// The presets, as the form and the terminal offer them.
pub const GOAL_PRESETS: [GoalPreset; 5] = [
    GoalPreset {
        id: "interactive",
        label: "Interactive chat",
        source: "faster than reading: above 10 tokens/s, the first token within 500 ms, half of the answers within 3 s, 95 % within 10 s",
        goals: &[
            "decode_rate.p95:10",
            "ttft.p95:500ms",
            "e2e.p50:3000ms",
            "e2e.p95:10000ms",
        ],
    },
    GoalPreset {
        id: "batch",
        label: "Batch",
        source: "throughput first: above 50 tokens/s of each request",
        goals: &["decode_rate.p95:50"],
    },
    GoalPreset {
        id: "mlperf-llama2-70b",
        label: "MLPerf, Llama 2 70B server",
        source: "MLPerf inference rules: TTFT 2,000 ms and TPOT 200 ms at p99",
        goals: &["ttft.p99:2000ms", "tpot.p99:200ms"],
    },
    GoalPreset {
        id: "mlperf-llama2-70b-interactive",
        label: "MLPerf, Llama 2 70B interactive",
        source: "MLPerf inference rules: TTFT 450 ms and TPOT 40 ms at p99",
        goals: &["ttft.p99:450ms", "tpot.p99:40ms"],
    },
    GoalPreset {
        id: "mlperf-llama3.1-405b",
        label: "MLPerf, Llama 3.1 405B server",
        source: "MLPerf inference rules: TTFT 6,000 ms and TPOT 175 ms at p99",
        goals: &["ttft.p99:6000ms", "tpot.p99:175ms"],
    },
];

impl GoalPreset {
    /// Its goals as a plan holds them.
    pub fn goals(&self) -> Vec<Goal> {
        self.goals
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect()
    }

    pub fn find(id: &str) -> Option<&'static Self> {
        GOAL_PRESETS.iter().find(|p| p.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(text: &str) -> Goal {
        text.parse().unwrap()
    }

    #[test]
    fn goals_go_round() {
        for text in [
            "ttft.p95:500ms",
            "e2e.p99.9:10000ms",
            "decode_rate.p50:10",
            "itl.p99:50ms",
        ] {
            assert_eq!(goal(text).to_string(), text);
        }
        assert_eq!(goal("ttft:0.5s"), goal("ttft.p95:500ms"));
        assert_eq!(goal("tpot.p99:40"), goal("tpot.p99:40ms"));
        assert_eq!(goal("ttft.p95:500ms").label(), "p95 TTFT ≤ 500 ms");
        for text in [
            "",
            "ttft",
            "ttft:x",
            "slip:5ms",
            "ttft.p0:5ms",
            "ttft.p100:5ms",
            "ttft:-1ms",
            "ttft:0",
        ] {
            let error = text.parse::<Goal>().unwrap_err();
            assert!(error.contains(&format!("“{text}”")), "{error}");
        }
        for preset in &GOAL_PRESETS {
            assert_eq!(preset.goals().len(), preset.goals.len(), "{}", preset.id);
        }
    }
}
