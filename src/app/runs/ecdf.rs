//! The distribution of the run in the details.

use std::sync::Arc;

use egui::{Rect, Ui};

use crate::app::charts::{ChartFrame, ChartUi};
use crate::app::state::AppState;
use crate::chart::{self, Chart};
use crate::domain::{MetricId, RunData, StageIdx};

/// The chart of the details, kept until another run or metric is shown.
#[derive(Default)]
pub struct DetailsChart {
    held: Option<(String, u64, MetricId, Arc<Chart>)>,
    ui: ChartUi,
}

impl DetailsChart {
    fn get(&mut self, run: &RunData, metric: MetricId) -> Arc<Chart> {
        if let Some((id, revision, of, chart)) = &self.held
            && *id == run.head.id
            && *revision == run.revision
            && *of == metric
        {
            return Arc::clone(chart);
        }
        let mut chart = chart::ecdf(run, metric);
        // First, middle and last stage: more would not be told apart in a card this small.
        let n = chart.legend.len();
        if n > 3 {
            let shown = [0, StageIdx::from_index(n / 2).index(), n - 1];
            self.ui.hidden = (0..n).filter(|i| !shown.contains(i)).collect();
        }
        chart.title = String::new();
        let chart = Arc::new(chart);
        self.held = Some((
            run.head.id.clone(),
            run.revision,
            metric,
            Arc::clone(&chart),
        ));
        chart
    }
}

pub(super) fn ecdf_ui(ui: &mut Ui, rect: Rect, run: &RunData, state: &mut AppState) {
    let metric = state.library.metric;
    let chart = state.details_chart.get(run, metric);
    ChartFrame::new(&chart).bare().title("Distribution").show(
        ui,
        rect,
        &mut state.details_chart.ui,
        &mut None,
        |_| {},
    );
}
