//! The runs of a varied plan while they go: which is under way, and how long all that are still to come will take.

use std::sync::Arc;

use super::AppState;
use crate::chart::format;
use crate::domain::{RunData, RunState};

/// How far a varied plan has come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct VariedCourse {
    /// The run under way, from 0, of how many.
    index: u32,
    of: u32,
    /// Runs that ended, and how long they were together, in seconds.
    n_ended: u32,
    ended_secs: f64,
    /// Seconds of one run as the plan tells them.
    told_secs: Option<f64>,
}

impl VariedCourse {
    /// Seconds of the run under way and of those after it; `None` until anything tells how long one is.
    fn left_secs(&self, so_far: f64, of_now: Option<f64>) -> Option<f64> {
        let this_one = of_now.map(|left| so_far + left);
        let mean = (self.n_ended > 0).then(|| self.ended_secs / f64::from(self.n_ended));
        let each = mean.or(self.told_secs).or(this_one)?;
        let now = of_now.unwrap_or_else(|| (each - so_far).max(0.0));
        let to_come = self.of.saturating_sub(self.index + 1);
        Some(now + each * f64::from(to_come))
    }
}

impl AppState {
    pub(super) fn variation_started(&mut self, index: u32, of: u32) {
        let told = self.forecast().and_then(|f| f.secs);
        let before = self.varied.filter(|v| index > 0 && v.of == of);
        self.varied = Some(VariedCourse {
            index,
            of,
            told_secs: told.map(|secs| secs / f64::from(of.max(1))),
            ..before.unwrap_or_default()
        });
    }

    pub(super) fn variation_ended(&mut self, run: &RunData) {
        if let Some(varied) = &mut self.varied
            && run.head.variation.is_some()
        {
            varied.n_ended += 1;
            varied.ended_secs += run.secs();
        }
    }

    /// `3:10 left for all`, while runs of a varied plan are to come.
    pub(super) fn left_for_all(&self, run: &Arc<RunData>) -> Option<String> {
        let (RunState::Running(progress) | RunState::Paused(progress)) = &run.state else {
            return None;
        };
        let varied = self.varied.filter(|v| v.index + 1 < v.of)?;
        let left = varied.left_secs(run.secs(), progress.left_secs)?;
        Some(format!("{} left for all", format::clock(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_by_the_runs_that_ended_else_by_the_one_under_way() {
        let mut course = VariedCourse {
            of: 4,
            ..VariedCourse::default()
        };
        assert_eq!(course.left_secs(2.0, None), None);
        assert_eq!(course.left_secs(2.0, Some(8.0)), Some(38.0));
        course.told_secs = Some(20.0);
        assert_eq!(course.left_secs(2.0, Some(8.0)), Some(68.0));
        (course.index, course.n_ended, course.ended_secs) = (2, 2, 60.0);
        assert_eq!(course.left_secs(10.0, None), Some(50.0));
    }
}
