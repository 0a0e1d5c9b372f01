//! The text as stages.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::super::issues::{Issues, Zero};
use super::{ArrivalKind, EndKind, LengthKind, LoadForm, LoadKind, RampForm};
use crate::domain::{
    ArrivalProcess, ClosedMode, Curve, Issue, Load, OpenShape, Ramp, Stage, StageEnd, TierLength,
};

impl LoadForm {
    /// The stages that the load fields say.
    ///
    /// # Errors
    /// One issue for each value that cannot be used.
    pub fn stages(&self) -> Result<Vec<Stage>, Vec<Issue>> {
        match self.kind {
            LoadKind::Kept => Ok(self.kept.clone()),
            LoadKind::Iterations => {
                let length = TierLength::Requests(&self.iterations);
                Stage::closed_tiers("1", ClosedMode::Steady, length).map_err(|found| {
                    let at_iterations = |i: Issue| Issue::new("iterations", one_value(&i.message));
                    found.into_iter().map(at_iterations).collect()
                })
            }
            LoadKind::Users => self.tiers(),
            LoadKind::Rate => self.rates(),
            LoadKind::Replay | LoadKind::Sweep | LoadKind::Search => {
                let mut issues = Issues::default();
                let load = self.single(&mut issues);
                let ends = match self.kind {
                    LoadKind::Replay => self.trace_ends,
                    _ => self.ends,
                };
                let end = self.end(ends, &mut issues);
                match (load, end) {
                    (Some(load), Some(end)) if issues.0.is_empty() => Ok(vec![Stage { load, end }]),
                    _ => Err(issues.0),
                }
            }
        }
    }

    fn tiers(&self) -> Result<Vec<Stage>, Vec<Issue>> {
        let length = match self.length {
            LengthKind::Requests => TierLength::Requests(&self.requests),
            LengthKind::PerUser => TierLength::RequestsPerUser(&self.per_user),
            LengthKind::Duration => TierLength::Duration(&self.duration),
        };
        let stages = Stage::closed_tiers(&self.users, self.mode, length);
        let mut issues = Issues::default();
        let from = self.users_ramp.from(&mut issues);
        with_ramp(stages, self.users_ramp.curve, from, issues)
    }

    fn rates(&self) -> Result<Vec<Stage>, Vec<Issue>> {
        let mut issues = Issues::default();
        let shape = OpenShape {
            arrival: self.arrival(&mut issues),
            max_in_flight: self.limit(&mut issues),
            when_full: self.when_full,
        };
        let length = match self.ends {
            EndKind::Requests => TierLength::Requests(&self.requests),
            EndKind::Duration | EndKind::WholeTrace => TierLength::Duration(&self.duration),
        };
        let stages = Stage::open_rates(&self.rates, shape, length);
        let from = self.rate_ramp.from(&mut issues);
        with_ramp(stages, self.rate_ramp.curve, from, issues)
    }

    fn single(&self, issues: &mut Issues) -> Option<Load> {
        const FROM_1: &str = "a whole number from 1 on";
        Some(match self.kind {
            LoadKind::Replay => Load::Replay {
                replay: self.trace_path(issues)?,
                time_scale: issues.number("time_scale", &self.time_scale, "a number, as in 2"),
                max_in_flight: self.limit(issues),
                when_full: self.when_full,
            },
            LoadKind::Sweep => {
                let steps = issues.must("steps", &self.steps, FROM_1);
                let max_users = issues.must("max_users", &self.max_users, FROM_1);
                Load::Sweep {
                    over: self.over,
                    arrival: self.arrival(issues),
                    steps: steps?,
                    max_users: max_users?,
                }
            }
            _ => Load::Search {
                over: self.over,
                from: issues.number("from", &self.from, "a number, as in 1"),
                max: issues.number("max", &self.max, "a number, as in 100"),
                arrival: self.arrival(issues),
            },
        })
    }

    fn trace_path(&self, issues: &mut Issues) -> Option<PathBuf> {
        let text = self.trace.trim();
        if text.is_empty() {
            issues.add(
                "replay",
                "Choose a trace (Azure CSV, Mooncake JSONL or BurstGPT CSV) or one of your run files",
            );
            return None;
        }
        Some(PathBuf::from(text))
    }

    fn end(&self, ends: EndKind, issues: &mut Issues) -> Option<StageEnd> {
        match ends {
            EndKind::WholeTrace if self.kind == LoadKind::Replay => {
                Some(StageEnd::WholeTrace(true))
            }
            EndKind::Requests => {
                let wants = "a whole number from 1 on";
                let n = issues.must("requests", &self.requests, wants)?;
                Some(StageEnd::Requests(n))
            }
            EndKind::Duration | EndKind::WholeTrace => {
                let secs = issues.secs("duration_secs", &self.duration, Zero::Refused);
                Some(StageEnd::DurationSecs(secs))
            }
        }
    }

    fn arrival(&self, issues: &mut Issues) -> ArrivalProcess {
        let text = match self.arrival {
            ArrivalKind::Constant => return ArrivalProcess::Constant,
            ArrivalKind::Poisson => return ArrivalProcess::Poisson,
            ArrivalKind::Gamma => format!("gamma:{}", self.shape.trim()),
        };
        issues.read("arrival", text.parse()).unwrap_or_default()
    }

    fn limit(&self, issues: &mut Issues) -> Option<NonZeroU32> {
        let wants = "a whole number from 1 on, or empty for no limit";
        issues.optional("max_in_flight", &self.max_in_flight, wants)
    }
}

impl RampForm {
    /// Where it starts; `None` where there is no ramp, or no level to read.
    fn from(&self, issues: &mut Issues) -> Option<f64> {
        let curve = self.curve?;
        let wants = "a level to start from, as in 1";
        if self.from.trim().is_empty() {
            issues.add("ramp", format!("Empty: {wants}"));
            return None;
        }
        let from: f64 = issues.optional("ramp", &self.from, wants)?;
        let least = match curve {
            Curve::Linear => from >= 0.0,
            Curve::Exponential => from > 0.0,
        };
        if !(least && from.is_finite()) {
            let message = match curve {
                Curve::Linear => format!("“{}” must be 0 or more", self.from.trim()),
                Curve::Exponential => format!(
                    "“{}” must be above 0: an exponential ramp never leaves 0",
                    self.from.trim()
                ),
            };
            issues.add("ramp", message);
        }
        Some(from)
    }
}

/// The stages, each with a ramp up to its own level.
fn with_ramp(
    stages: Result<Vec<Stage>, Vec<Issue>>,
    curve: Option<Curve>,
    from: Option<f64>,
    mut issues: Issues,
) -> Result<Vec<Stage>, Vec<Issue>> {
    let mut stages = stages.unwrap_or_else(|found| {
        issues.0.extend(found);
        Vec::new()
    });
    if !issues.0.is_empty() {
        return Err(issues.0);
    }
    if let (Some(curve), Some(from)) = (curve, from) {
        for stage in &mut stages {
            let to = stage.load.level();
            if let Load::Closed { ramp, .. } | Load::Open { ramp, .. } = &mut stage.load {
                *ramp = Some(Ramp { curve, from, to });
            }
        }
    }
    Ok(stages)
}

/// “First value …” of a list said of a field that holds one value.
fn one_value(message: &str) -> String {
    match message.strip_prefix("First value ") {
        Some(rest) if rest.starts_with('“') => rest.to_owned(),
        Some(_) => "Enter how many requests, as in 10".to_owned(),
        None => "Give one whole number, as in 10".to_owned(),
    }
}
