//! Two runs against each other, or cold against warm of one: what is chosen, and what was worked out for it.
//!
//! One run a side says nothing about other runs: every verdict is worded “within these two runs”, and there are no p-values.

mod parameter;
mod parameter_view;
mod table;
mod view;

use std::path::Path;
use std::sync::Arc;

pub use parameter::ParameterChoice;
pub use view::compare_ui;

use super::actions::View;
use super::charts::ChartUi;
use super::state::{AppState, OpenFor};
use crate::chart::{Chart, Look, cold_over_warm, overlay};
use crate::domain::{ColdComparison, Comparison, MetricId, RunData, compare, compare_cold};

/// What is compared.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CompareMode {
    #[default]
    Versus,
    ColdWarm,
    /// The runs of a varied plan.
    Parameter,
}

/// Which side of the comparison.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    A,
    B,
}

impl Side {
    pub fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }
}

/// The compare view's state.
#[derive(Default)]
pub struct CompareChoice {
    pub mode: CompareMode,
    pub a: Option<Arc<RunData>>,
    pub b: Option<Arc<RunData>>,
    /// Position in the stages that both have; the last when it is beyond them.
    pub level: usize,
    pub metric: Option<MetricId>,
    pub look: Look,
    pub left_ui: ChartUi,
    pub right_ui: ChartUi,
    pub parameter: ParameterChoice,
    /// The next run that is opened becomes A.
    pub(crate) waits_for_a: bool,
    worked_out: Option<(Key, Arc<WorkedOut>)>,
}

/// All that a comparison depends on.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    mode: CompareMode,
    a: (String, u64),
    b: Option<(String, u64)>,
    level: usize,
    metric: MetricId,
    look: Look,
}

/// What the view shows.
#[derive(Clone, Debug)]
pub(super) enum WorkedOut {
    Versus {
        comparison: Comparison,
        level: usize,
        left: Chart,
        right: Chart,
    },
    Cold {
        comparison: ColdComparison,
        left: Chart,
        right: Chart,
    },
    /// Worked out of the library: see [`parameter`].
    Parameter,
    /// There is nothing to compare; why, and what to do.
    Nothing(&'static str, &'static str),
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

    pub fn metric(&self) -> MetricId {
        self.metric.unwrap_or(MetricId::Ttft)
    }

    /// Works the comparison out, once for each change of what it depends on.
    pub(super) fn work_out(&mut self) -> Arc<WorkedOut> {
        if self.mode == CompareMode::Parameter {
            return Arc::new(WorkedOut::Parameter);
        }
        let Some(a) = self.a.clone() else {
            return Arc::new(nothing(self.mode));
        };
        // The left chart is the cumulative one already.
        if self.look == Look::Ecdf {
            self.look = Look::Histogram;
        }
        let of = |run: &Arc<RunData>| (run.head.id.clone(), run.revision);
        let key = Key {
            mode: self.mode,
            a: of(&a),
            b: self.b.as_ref().map(of),
            level: self.level,
            metric: self.metric(),
            look: self.look,
        };
        if let Some((held, worked_out)) = &self.worked_out
            && *held == key
        {
            return Arc::clone(worked_out);
        }
        let worked_out = Arc::new(match self.mode {
            CompareMode::ColdWarm => cold(&a, key.metric),
            CompareMode::Versus => match &self.b {
                Some(b) => versus(&a, b, &key),
                None => nothing(CompareMode::Versus),
            },
            CompareMode::Parameter => WorkedOut::Parameter,
        });
        self.worked_out = Some((key, Arc::clone(&worked_out)));
        worked_out
    }
}

fn nothing(mode: CompareMode) -> WorkedOut {
    match mode {
        CompareMode::Parameter => WorkedOut::Parameter,
        CompareMode::Versus => WorkedOut::Nothing(
            "Two runs are compared here",
            "Choose A and B above, tick two in Runs, or drop two run files",
        ),
        CompareMode::ColdWarm => WorkedOut::Nothing(
            "The cold requests of one run beside its warm ones",
            "Choose a run above that has cold requests",
        ),
    }
}

fn versus(a: &RunData, b: &RunData, key: &Key) -> WorkedOut {
    let comparison = compare(a.into(), b.into());
    let Some(last) = comparison.stages.len().checked_sub(1) else {
        return WorkedOut::Nothing(
            "No stage of equal load",
            "Compare runs that have a stage with the same number of users",
        );
    };
    let level = key.level.min(last);
    let (left, right) = match comparison.stages.get(level) {
        Some(pair) => (
            overlay((a, pair.a), (b, pair.b), key.metric, Look::Ecdf),
            overlay((a, pair.a), (b, pair.b), key.metric, key.look),
        ),
        None => (Chart::default(), Chart::default()),
    };
    WorkedOut::Versus {
        comparison,
        level,
        left,
        right,
    }
}

fn cold(run: &RunData, metric: MetricId) -> WorkedOut {
    match compare_cold(&run.summary) {
        Some(comparison) => WorkedOut::Cold {
            comparison,
            left: cold_over_warm(run, metric, Look::Ecdf),
            right: cold_over_warm(run, metric, Look::Histogram),
        },
        None => WorkedOut::Nothing(
            "This run has no cold request",
            "Ask for cold requests under “Cold and warm-up” and run it again",
        ),
    }
}

impl AppState {
    /// Shows the runs of a varied plan by parameter.
    pub fn compare_group(&mut self, group: String) {
        self.compare.parameter.choose(group);
        self.compare.mode = CompareMode::Parameter;
        self.view = View::Compare;
    }

    /// The varied plan of the run shown, else the newest in the library.
    pub(crate) fn group_at_hand(&self) -> Option<String> {
        let shown = self.shown.as_ref().and_then(|r| r.head.variation.as_ref());
        let newest = || Some(self.library.groups().into_iter().next()?.0);
        shown.map(|v| v.group.clone()).or_else(newest)
    }

    pub(crate) fn compare_group_at_hand(&mut self) {
        if let Some(group) = self.group_at_hand() {
            self.compare_group(group);
        }
    }

    /// Puts a run file on one side, opening it first if need be.
    pub fn choose_side(&mut self, side: Side, path: &Path) {
        match (self.opened_at(path).cloned(), side) {
            (Some(run), Side::A) => self.compare.set_a(run),
            (Some(run), Side::B) => self.compare.set_b(run),
            (None, side) => {
                self.compare.waits_for_a = side == Side::A;
                self.open(OpenFor::Compare, vec![path.to_owned()]);
            }
        }
    }
}
