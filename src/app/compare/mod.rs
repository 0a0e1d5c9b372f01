//! Two runs against each other, or cold against warm of one.

use std::sync::Arc;

use crate::domain::{MetricId, RunData};

/// What is compared.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CompareMode {
    #[default]
    Versus,
    ColdWarm,
}

/// The compare view's state.
#[derive(Clone, Debug, Default)]
pub struct CompareChoice {
    pub mode: CompareMode,
    pub a: Option<Arc<RunData>>,
    pub b: Option<Arc<RunData>>,
    /// Position of the level in the list that both runs have.
    pub level: usize,
    pub metric: Option<MetricId>,
    /// The next run that is opened becomes A.
    pub(crate) waits_for_a: bool,
}

impl CompareChoice {
    pub fn set_a(&mut self, run: Arc<RunData>) {
        self.a = Some(run);
        self.level = usize::MAX;
    }

    pub fn set_b(&mut self, run: Arc<RunData>) {
        self.b = Some(run);
        self.level = usize::MAX;
    }

    pub fn versus(&mut self) {
        self.mode = CompareMode::Versus;
    }

    /// The cold requests of a run against its warm ones.
    pub fn cold_against_warm(&mut self, run: Arc<RunData>) {
        self.set_a(run);
        self.mode = CompareMode::ColdWarm;
    }

    pub fn swap(&mut self) {
        std::mem::swap(&mut self.a, &mut self.b);
    }
}

/// Draws the view.
pub fn compare_ui(_ui: &mut egui::Ui, _state: &mut super::state::AppState) {}
