//! All that is needed to repeat a run.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{
    ClosedMode, Cold, Goal, Limits, Made, MixedTraffic, Stage, StageBorder, Target, Vary, VaryMode,
    Warmup, Workload,
};

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
    /// The preset that it began as; only a word, every value stands in the plan itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub profile: String,
    /// Of everything random: arrivals, lengths, prompt order, wave jitter; the markers of unique prompts are new in each run.
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
    /// What requests should keep to; goodput counts those that do, and a search looks for the load at which they still do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<Goal>,
    /// Fields that take several values, one run for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vary: Vec<Vary>,
    #[serde(default, skip_serializing_if = "is_grid")]
    pub vary_mode: VaryMode,
    pub target: Target,
    #[serde(default)]
    pub workload: Workload,
    #[serde(default)]
    pub cold: Cold,
    #[serde(default)]
    pub warmup: Warmup,
    #[serde(default)]
    pub limits: Limits,
    /// Gradio: what other visitors do meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed_traffic: Option<MixedTraffic>,
    /// At least one; run in order.
    pub stages: Vec<Stage>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_grid(mode: &VaryMode) -> bool {
    *mode == VaryMode::Grid
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
            profile: String::new(),
            seed: default_seed(),
            pause_secs: 0.0,
            grace_secs: default_grace(),
            keep_text: false,
            goals: Vec::new(),
            vary: Vec::new(),
            vary_mode: VaryMode::Grid,
            target: Target::at(url),
            workload: Workload::default(),
            cold: Cold::default(),
            warmup: Warmup::default(),
            limits: Limits::default(),
            mixed_traffic: None,
            stages: Stage::closed_tiers("1", ClosedMode::Steady, super::TierLength::Requests("10"))
                .unwrap_or_default(),
        }
    }

    /// The stage with that index, if the plan has it.
    pub fn stage(&self, idx: super::StageIdx) -> Option<&Stage> {
        self.stages.get(idx.index())
    }

    /// What each stage is called: its load in words, and of stages with the same load the later ones counted, as `4 users (2)`.
    pub fn stage_names(&self) -> Vec<String> {
        let mut seen: HashMap<String, u32> = HashMap::new();
        let name = |stage: &Stage| {
            let label = stage.load.label();
            let n = seen.entry(label.clone()).or_default();
            *n += 1;
            if *n == 1 {
                label
            } else {
                format!("{label} ({n})")
            }
        };
        self.stages.iter().map(name).collect()
    }

    /// The stages that are known before the run: all but those that unfold.
    pub fn begin_as_run(&self) -> Self {
        let mut plan = self.clone();
        plan.stages.retain(|s| !s.load.unfolds());
        plan
    }

    /// Takes in the stage that a border brings, if it brings one and it is new: from its place on, later stages move up.
    /// `is_new`: no border of that stage came before.
    pub fn insert_made(&mut self, border: &StageBorder, is_new: bool) {
        if let Some(Made { stage, .. }) = &border.made
            && is_new
        {
            let at = border.stage.index().min(self.stages.len());
            self.stages.insert(at, stage.clone());
        }
    }

    /// The plan with the stages that really happened, and those still to come: sweeps and searches unfolded, stages split
    /// where the person paused or changed the load. Records and summaries index these.
    pub fn as_run(&self, borders: &[StageBorder]) -> Self {
        let mut plan = self.begin_as_run();
        for (i, border) in borders.iter().enumerate() {
            let is_new = borders.iter().take(i).all(|b| b.stage != border.stage);
            plan.insert_made(border, is_new);
        }
        plan
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
