//! What a sweep, a search or a curve of several loads found: read off the stages' figures, so that a file says the same as
//! the live run.

use serde::{Deserialize, Serialize};

use super::{GoalVerdict, Over, Plan, StageIdx, StageSummary};

/// The bend of a load curve: below it throughput grows with the load, above it hardly. Two lines fitted by least squares.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Knee {
    pub over: Over,
    /// The load at the bend, and the throughput there (requests/s).
    pub level: f64,
    pub request_rate: f64,
    /// Slopes before and after, in requests/s for each unit of load.
    pub slope_before: f64,
    pub slope_after: f64,
    /// Share of the one line's squared error that the second line takes away.
    pub improvement: f64,
    pub n: u32,
}

/// What a sweep found.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SweepFinding {
    pub over: Over,
    /// The stage with the most successful requests a second, and how many.
    pub best: Option<StageIdx>,
    pub max_request_rate: Option<f64>,
    /// The highest step of a sweep over rates at which requests did not pile up: below the first that was past saturation,
    /// had many failures, or asked for more than the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sustained: Option<StageIdx>,
    pub max_output_token_rate: Option<f64>,
    /// Steps that were not run, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// What a search found: the largest load whose probe met the goals.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SearchFinding {
    pub over: Over,
    /// None of the probes met the goals where this is `None`.
    pub found: Option<f64>,
    /// The least load known to miss them; `None` where none did.
    pub missed_at: Option<f64>,
    /// The goals' most loaded one: the first to be missed.
    pub binding: Option<super::Goal>,
    /// In the order of running.
    pub probes: Vec<Probe>,
}

impl SweepFinding {
    /// `keeps up with 29.8 req/s; the most is 37.3 req/s, 608 tok/s, with 128 users`, of a run's stages and their plan.
    pub fn sentence(&self, stages: &[StageSummary], plan: &Plan) -> Option<String> {
        let name = |at: StageIdx| plan.stage_names().get(at.index()).cloned();
        let kept = self.sustained.and_then(name);
        let kept = kept.map_or_else(String::new, |name| format!("keeps up with {name}; "));
        let (at, rate) = (self.best?, self.max_request_rate?);
        // Of the same stage: another may have sent more tokens with fewer requests.
        let tokens = stages.get(at.index())?.output_token_rate;
        let tokens = tokens.map_or_else(String::new, |rate| format!(", {rate:.0} tok/s"));
        Some(format!(
            "{kept}the most is {rate:.1} req/s{tokens}, with {}",
            name(at)?
        ))
    }
}

/// `12.5 req/s`, `8 users`, `1 user`.
pub fn level_words(level: f64, over: Over) -> String {
    let number = (level * 100.0).round() / 100.0;
    match format!("{number} {}", over.unit()).as_str() {
        "1 users" => "1 user".to_owned(),
        words => words.to_owned(),
    }
}

impl SearchFinding {
    /// What came of it: `16 users meet the goals, 20 users do not`.
    pub fn sentence(&self) -> String {
        let words = |level: f64| level_words(level, self.over);
        let is_plural = |level: f64| self.over == Over::Users && level > 1.0;
        let meets = |level: f64| {
            let meet = if is_plural(level) { "meet" } else { "meets" };
            format!("{} {meet} the goals", words(level))
        };
        match (self.found, self.missed_at) {
            (Some(found), Some(missed)) => {
                let does = if is_plural(missed) { "do" } else { "does" };
                format!("{}, {} {does} not", meets(found), words(missed))
            }
            (Some(found), None) if self.unsure().is_some() => meets(found),
            (Some(found), None) => format!("{}, and no more was tried", meets(found)),
            (None, Some(missed)) if self.unsure().is_some() => {
                let does = if is_plural(missed) { "do" } else { "does" };
                format!("{} {does} not meet the goals", words(missed))
            }
            (None, Some(missed)) => format!("not even {}", meets(missed)),
            (None, None) => {
                "too few requests tell whether a load meets the goals: give each probe more"
                    .to_owned()
            }
        }
    }

    /// The highest load that meets the goals; where none is sure to, the highest that may.
    pub fn answer(&self) -> Option<StageIdx> {
        let is_sure = |p: &&Probe| p.verdict == GoalVerdict::Met && Some(p.level) == self.found;
        let below = |p: &&Probe| self.missed_at.is_none_or(|missed| p.level < missed);
        let may = |p: &&Probe| p.verdict == GoalVerdict::Unresolved && below(p);
        let highest = |a: &&Probe, b: &&Probe| a.level.total_cmp(&b.level);
        let sure = self.probes.iter().rev().find(is_sure);
        let probe = sure.or_else(|| self.probes.iter().filter(may).max_by(highest))?;
        Some(probe.stage)
    }

    /// What else there is to say, a sentence each.
    pub fn details(&self) -> Vec<String> {
        // Where nothing is told, the sentence says so already.
        let is_bounded = self.found.is_some() || self.missed_at.is_some();
        let unsure = self.unsure().filter(|_| is_bounded).map(|level| {
            let level = level_words(level, self.over);
            format!("up to {level} it may: too few requests tell")
        });
        let binding = self.binding.as_ref();
        let binding = binding.filter(|_| self.missed_at.is_some());
        let binding = binding.map(|goal| format!("first to be missed: {}", goal.label()));
        unsure.into_iter().chain(binding).collect()
    }

    /// The largest load between what was found and what was missed whose probe does not tell: the search went on from
    /// there by the share seen.
    pub fn unsure(&self) -> Option<f64> {
        let is_between = |level: &f64| {
            self.found.is_none_or(|found| *level > found)
                && self.missed_at.is_none_or(|missed| *level < missed)
        };
        let unsure = self.probes.iter();
        let unsure = unsure.filter(|p| p.verdict == GoalVerdict::Unresolved);
        unsure
            .map(|p| p.level)
            .filter(is_between)
            .max_by(f64::total_cmp)
    }
}

/// One stage of a search.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Probe {
    pub stage: StageIdx,
    pub level: f64,
    pub attainment: Option<f64>,
    pub verdict: GoalVerdict,
}

/// One turn of the conversations of a stage: what grows with the history, and what the prefix cache saves.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TurnSummary {
    /// From 0.
    pub turn: u32,
    pub n: u64,
    pub ttft_p50: Option<f64>,
    pub ttft_p95: Option<f64>,
    pub e2e_p50: Option<f64>,
    /// Means of the prompt's tokens, and of those that the server took from its cache.
    pub tokens_in: Option<f64>,
    pub cached_tokens: Option<f64>,
    /// Cached of all prompt tokens, where the server says both.
    pub cached_share: Option<f64>,
}
