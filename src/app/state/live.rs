//! What a person may do to a run while it goes: pause it, change its load, mark a moment.

use super::AppState;
use crate::domain::{
    Load, MAX_RATE, MAX_USERS, MadeBy, Over, Progress, RunState, StageIdx, whole_users,
};
use crate::session::Command;

/// Seconds without another press after which a new level is sent: each change is a stage of its own.
const SETTLE_SECS: f64 = 0.7;

/// The level of the stage under way: typed, or stepped and not yet taken by the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LevelField {
    /// What stands in the field.
    pub text: String,
    /// The field has the focus: the run's own level is not written over it.
    pub is_typed: bool,
    /// The field was left with what stands in it.
    pub is_entered: bool,
    /// The level asked for, for the stage it was asked in, until the run has it.
    wanted: Option<(StageIdx, f64)>,
    pending: Pending,
}

/// Whether a level that was stepped to is still to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Pending {
    #[default]
    Nothing,
    /// The next tick knows the time.
    Stepped,
    /// Nobody has stepped since then, in seconds.
    Since(f64),
}

/// What the head of a live run offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Controls {
    pub is_paused: bool,
    /// Why it cannot be paused or resumed; why nothing can be marked; why the load cannot be changed.
    pub why_not_pause: Option<String>,
    pub why_not_mark: Option<String>,
    pub why_not_level: Option<String>,
    /// The level, where the load has one, and what it counts.
    pub level: Option<(f64, Over)>,
}

impl AppState {
    /// The stage under way and whether it is paused, where a run goes.
    fn steered(&self) -> Option<(&Progress, bool)> {
        match &self.live.as_ref()?.state {
            RunState::Running(progress) => Some((progress, false)),
            RunState::Paused(progress) => Some((progress, true)),
            _ => None,
        }
    }

    fn live_load(&self) -> Option<&Load> {
        let (progress, _) = self.steered()?;
        let stage = self.live.as_ref()?.plan().stage(progress.stage)?;
        Some(&stage.load)
    }

    /// Why a run cannot be paused or resumed now.
    pub fn why_not_steer(&self) -> Option<String> {
        let state = self.live.as_ref().map(|r| &r.state);
        let why = match state {
            None => "Nothing runs",
            Some(RunState::Running(_) | RunState::Paused(_)) => return None,
            Some(RunState::Stopping(_)) => "The run is stopping",
            Some(_) => "The run has not begun to send",
        };
        Some(why.to_owned())
    }

    pub fn why_not_mark(&self) -> Option<String> {
        match self.live.as_ref().map(|r| &r.state) {
            Some(RunState::Stopping(_)) => None,
            _ => self.why_not_steer(),
        }
    }

    /// Why the load of the stage under way cannot be changed.
    pub fn why_not_level(&self) -> Option<String> {
        if let Some(why) = self.why_not_steer() {
            return Some(why);
        }
        let why = match self.live_load() {
            None => "Between two stages",
            Some(Load::Replay { .. }) => {
                "A replay has no level: its trace says when requests leave"
            }
            Some(_) if self.is_unfolded() => "The sweep or search sets the load itself",
            Some(_) => return None,
        };
        Some(why.to_owned())
    }

    /// A sweep or a search chose the load of the stage under way.
    fn is_unfolded(&self) -> bool {
        let (Some(run), Some((progress, _))) = (&self.live, self.steered()) else {
            return false;
        };
        let of_stage = run.borders.iter().filter(|b| b.stage == progress.stage);
        let mut made = of_stage.filter_map(|b| b.made.as_ref());
        made.any(|m| matches!(m.why, MadeBy::Throughput | MadeBy::Step | MadeBy::Probe))
    }

    /// What the head of the run offers.
    pub fn controls(&self) -> Controls {
        let over = self.live_load().and_then(Load::over);
        Controls {
            is_paused: self.steered().is_some_and(|(_, is_paused)| is_paused),
            why_not_pause: self.why_not_steer(),
            why_not_mark: self.why_not_mark(),
            why_not_level: self.why_not_level(),
            level: over.and_then(|over| Some((self.level_now()?, over))),
        }
    }

    pub(super) fn pause_or_resume(&mut self) {
        let is_paused = self.steered().is_some_and(|(_, is_paused)| is_paused);
        self.command(if is_paused {
            Command::Resume
        } else {
            Command::Pause
        });
    }

    /// The level asked for, else the one of the stage under way.
    fn level_now(&self) -> Option<f64> {
        let (progress, _) = self.steered()?;
        let asked = self.level.wanted.filter(|(of, _)| *of == progress.stage);
        let of_stage = self.live_load().map(Load::level);
        asked.map(|(_, level)| level).or(of_stage)
    }

    /// One step up or down: a tenth of the level, rounded to 1, 2 or 5 of its decade.
    pub(super) fn step_level(&mut self, way: f64) {
        let (Some(level), Some(over)) = (self.level_now(), self.live_load().and_then(Load::over))
        else {
            return;
        };
        let step = step_of(level, over);
        // On whole steps, so that up and down come back to the same levels.
        let next = ((level / step + way * 0.999_999).round() * step).max(step);
        self.want_level(next);
    }

    /// What was typed into the field becomes the level; what is no number is forgotten.
    pub fn enter_level(&mut self) {
        let text = self.level.text.trim().replace(',', ".");
        self.level.is_typed = false;
        if let Ok(level) = text.parse::<f64>()
            && level.is_finite()
            && level > 0.0
            && self.why_not_level().is_none()
            && self.level_now() != Some(level)
        {
            self.want_level(level);
            self.send_level();
        }
    }

    fn want_level(&mut self, level: f64) {
        let (Some((progress, _)), Some(over)) =
            (self.steered(), self.live_load().and_then(Load::over))
        else {
            return;
        };
        let level = match over {
            Over::Users => f64::from(whole_users(level.min(MAX_USERS as f64)).get()),
            Over::Rate => level.clamp(0.01, MAX_RATE),
        };
        self.level.wanted = Some((progress.stage, level));
        self.level.pending = Pending::Stepped;
    }

    fn send_level(&mut self) {
        self.level.pending = Pending::Nothing;
        if let Some((_, level)) = self.level.wanted {
            self.command(Command::SetLevel(level));
        }
    }

    /// Sends a stepped level when the person has stopped stepping; says when it wants to be called again.
    pub(super) fn tick_level(&mut self, now_secs: f64) -> Option<f64> {
        if std::mem::take(&mut self.level.is_entered) {
            self.enter_level();
        }
        if self.level.wanted.is_some() && self.why_not_level().is_some() {
            self.level.wanted = None;
            self.level.pending = Pending::Nothing;
        }
        match self.level.pending {
            Pending::Nothing => None,
            Pending::Stepped => {
                self.level.pending = Pending::Since(now_secs);
                Some(SETTLE_SECS)
            }
            Pending::Since(since) if now_secs - since < SETTLE_SECS => {
                Some(SETTLE_SECS - (now_secs - since))
            }
            Pending::Since(_) => {
                self.send_level();
                None
            }
        }
    }

    /// `mark 1` for the first.
    pub(super) fn next_mark(&self) -> String {
        let n = self.live.as_ref().map_or(0, |run| run.marks.len());
        format!("mark {}", n + 1)
    }

    /// Marks this moment with the person's words, or with its number.
    pub fn mark(&mut self, text: &str, name: &str) {
        self.dialog = None;
        if self.why_not_mark().is_some() {
            return;
        }
        let words = match text.trim() {
            "" => name,
            words => words,
        };
        self.command(Command::MarkKept(words.to_owned()));
    }
}

fn step_of(level: f64, over: Over) -> f64 {
    let tenth = level / 10.0;
    let power = 10f64.powf(tenth.max(1e-9).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|s| s * power);
    let step = step.rev().find(|s| *s <= tenth * 1.000_001);
    let step = step.unwrap_or(power);
    match over {
        Over::Users => step.max(1.0),
        Over::Rate => step.max(0.01),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_about_a_tenth_and_a_round_number() {
        for (level, step) in [
            (1.0, 1.0),
            (9.0, 1.0),
            (10.0, 1.0),
            (32.0, 2.0),
            (64.0, 5.0),
            (100.0, 10.0),
        ] {
            assert!((step_of(level, Over::Users) - step).abs() < 1e-9, "{level}");
        }
        for (level, step) in [(0.5, 0.05), (4.8, 0.2), (50.0, 5.0)] {
            assert!((step_of(level, Over::Rate) - step).abs() < 1e-9, "{level}");
        }
    }
}
