//! All that is needed to repeat a run.

use serde::{Deserialize, Serialize};

use super::{ClosedMode, Cold, Limits, Stage, Target, Warmup, Workload};

/// The version of the plan and run formats that this program writes.
pub const SCHEMA: u32 = 1;

/// All that is needed to repeat a run; a `*.plan.toml` file. The form edits exactly this.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// What the person calls it; the run's label too.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Of everything random: prompt order, nonces, wave jitter.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Pause between two stages, in seconds.
    #[serde(default)]
    pub pause_secs: f64,
    /// Time that requests in flight get at the end of a stage that ends by time; then they are cut off.
    #[serde(default = "default_grace")]
    pub grace_secs: f64,
    /// Store prompts and answers as text in the run file; otherwise only their length and hash.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_text: bool,
    pub target: Target,
    #[serde(default)]
    pub workload: Workload,
    #[serde(default)]
    pub cold: Cold,
    #[serde(default)]
    pub warmup: Warmup,
    #[serde(default)]
    pub limits: Limits,
    /// At least one; run in order.
    pub stages: Vec<Stage>,
}

fn default_seed() -> u64 {
    1
}

fn default_grace() -> f64 {
    30.0
}

impl Plan {
    /// A plan of one stage, one user and ten requests against `url`: the simplest form.
    pub fn simple(url: &str) -> Self {
        Self {
            schema: SCHEMA,
            label: String::new(),
            tags: Vec::new(),
            seed: default_seed(),
            pause_secs: 0.0,
            grace_secs: default_grace(),
            keep_text: false,
            target: Target::at(url),
            workload: Workload::default(),
            cold: Cold::default(),
            warmup: Warmup::default(),
            limits: Limits::default(),
            stages: Stage::closed_tiers("1", ClosedMode::Steady, super::TierLength::Requests("10"))
                .unwrap_or_default(),
        }
    }

    /// The stage with that index, if the plan has it.
    pub fn stage(&self, idx: super::StageIdx) -> Option<&Stage> {
        self.stages.get(idx.index())
    }

    /// Requests that the whole plan sends, cold and warm-up ones included; `None` when a stage or the warm-up ends by time.
    pub fn n_requests(&self) -> Option<u64> {
        let mut n = u64::from(self.cold.requests) * u64::from(self.cold.cycles.max(1))
            + self.warmup.n_requests()?;
        for stage in &self.stages {
            n += stage.n_requests()?;
        }
        Some(n)
    }
}
