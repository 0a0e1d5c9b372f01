//! The plan that the form says, what it comes to, and what is wrong with it.

use super::AppState;
use crate::app::form::{Forecast, Form, Section};
use crate::domain::{Issue, Plan};

/// The form's plan, worked out once for each change.
#[derive(Default)]
pub(super) struct PlanCache {
    form: Option<Form>,
    issues: Vec<Issue>,
    pub(super) plan: Option<Plan>,
    forecast: Forecast,
}

impl AppState {
    /// Works out the form's plan and issues anew if the form changed.
    pub fn refresh_plan(&mut self) {
        if self.cache.form.as_ref() == Some(&self.form) {
            return;
        }
        match self.form.to_plan() {
            Ok(plan) => {
                self.cache.forecast = Forecast::of(&plan);
                self.cache.forecast.each_secs = self.tested_secs();
                self.cache.plan = Some(plan);
                self.cache.issues = Vec::new();
            }
            Err(issues) => {
                self.cache.plan = None;
                self.cache.issues = issues;
            }
        }
        self.forget_stale_test();
        self.forget_found();
        self.cache.form = Some(self.form.clone());
    }

    /// How long the request took that was sent last as a test, where it was answered.
    fn tested_secs(&self) -> Option<f64> {
        let report = self.test.value().filter(|report| report.ok)?;
        Some(report.total_ms / 1e3)
    }

    /// A test request has ended, or what it told no longer holds.
    pub(crate) fn refresh_forecast(&mut self) {
        self.cache.forecast.each_secs = self.tested_secs();
    }

    /// The form's plan as of the last [`Self::refresh_plan`]; `None` while there is something to fix.
    pub fn plan(&self) -> Option<&Plan> {
        self.cache.plan.as_ref()
    }

    /// What the plan comes to, as of the same moment.
    pub fn forecast(&self) -> Option<&Forecast> {
        self.plan().map(|_| &self.cache.forecast)
    }

    /// Everything to fix: what the form says itself, then what a server or the session said of it.
    pub fn issues(&self) -> impl Iterator<Item = &Issue> {
        self.cache.issues.iter().chain(self.found.iter())
    }

    /// Issues that keep Start off: the form's own, and what a test request found. What the session refused may have been
    /// mended outside the form, and does not.
    pub fn n_blocking(&self) -> usize {
        let found = if self.found_blocks {
            self.found.len()
        } else {
            0
        };
        self.cache.issues.len() + found
    }

    pub(crate) fn set_found(&mut self, issues: Vec<Issue>, blocks: bool) {
        self.found = issues;
        self.found_blocks = blocks;
        self.found_for = Some(self.form.clone());
    }

    /// What was found of a part of the form no longer holds when that part is changed.
    fn forget_found(&mut self) {
        let Some(was) = &self.found_for else {
            return;
        };
        let (is, mut same) = (&self.form, Vec::new());
        for section in Section::ALL {
            let unchanged = match section {
                Section::Target => was.target == is.target,
                Section::Prompts => was.prompts == is.prompts,
                Section::Load => was.load == is.load,
                Section::Cold => was.cold == is.cold,
                Section::Limits => was.limits == is.limits && was.goals == is.goals,
                Section::Vary => was.vary == is.vary && was.vary_mode == is.vary_mode,
                Section::Traffic => was.traffic == is.traffic,
                Section::Advanced => was.advanced == is.advanced,
            };
            if unchanged {
                same.push(section);
            }
        }
        let holds = |issue: &Issue| Section::of(&issue.field).is_none_or(|s| same.contains(&s));
        self.found.retain(holds);
    }
}
