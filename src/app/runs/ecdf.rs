//! The distribution of the run in the details.

use std::sync::Arc;

use egui::{Rect, Ui};

use crate::app::charts::{ChartFrame, ChartUi};
use crate::app::state::AppState;
use crate::chart::{self, Chart};
use crate::domain::{MetricId, RunData};

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
        keep_three(&mut chart);
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

/// First, middle and last stage: more would not be told apart in a card this small.
fn keep_three(chart: &mut Chart) {
    let n = chart.legend.len();
    let mut shown: Vec<usize> = (0..n).collect();
    if n > 3 {
        shown = vec![0, n / 2, n - 1];
    }
    for pane in &mut chart.panes {
        pane.marks
            .retain(|m| m.series.is_none_or(|s| shown.contains(&s)));
        for mark in &mut pane.marks {
            mark.series = mark.series.and_then(|s| shown.iter().position(|k| *k == s));
        }
    }
    chart.legend = shown
        .iter()
        .filter_map(|i| chart.legend.get(*i).cloned())
        .collect();
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
