//! The four cards: each chart with its switch.

use egui::{Popup, Rect, Ui};

use super::charts::{Charts, DistributionKind};
use super::{Distribution, MeasureUi, Metric, model};
use crate::app::charts::ChartFrame;
use crate::app::widgets::{self, Switch, choice};
use crate::chart::{self, Throughput};
use crate::domain::{MetricId, RunData};

pub(super) type Card =
    fn(&mut Ui, Rect, &RunData, &Charts<'_>, (bool, &mut MeasureUi), &mut Option<f64>);

/// Left to right, top to bottom.
pub(super) const CARDS: [Card; 4] = [distribution, over_time, load, requests];

const KINDS: [(DistributionKind, &str); 3] = [
    (DistributionKind::Histogram, "Histogram"),
    (DistributionKind::Percentiles, "Percentiles"),
    (DistributionKind::Ecdf, "ECDF"),
];
/// Width of the distribution's choice in a narrow window.
const CHOICE: f32 = 108.0;

fn distribution(
    ui: &mut Ui,
    rect: Rect,
    _run: &RunData,
    charts: &Charts<'_>,
    (narrow, state): (bool, &mut MeasureUi),
    _time: &mut Option<f64>,
) {
    let mut kind = state.distribution.0;
    let mut frame = ChartFrame::new(charts.distribution).formula(state.metric.0.metric().formula);
    if narrow {
        frame = frame.without_subject();
    }
    frame.show(ui, rect, &mut state.distribution_ui, &mut None, |ui| {
        if narrow {
            let options = KINDS.map(|(kind, words)| (kind, words.to_owned()));
            choice(ui, "Distribution as", &mut kind, &options, CHOICE);
        } else {
            Switch::new("Distribution as", &mut kind, &KINDS).show(ui);
        }
    });
    if kind != state.distribution.0 {
        state.distribution = Distribution(kind);
        state.distribution_ui.zoom = None;
        ui.ctx().request_repaint();
    }
}

fn over_time(
    ui: &mut Ui,
    rect: Rect,
    run: &RunData,
    charts: &Charts<'_>,
    (narrow, state): (bool, &mut MeasureUi),
    time: &mut Option<f64>,
) {
    let shown = state.rate_of(run);
    let mut rate = shown;
    let rates = Throughput::of(run);
    let rates: Vec<_> = rates.into_iter().map(|rate| (rate, rate.label())).collect();
    let formula = match rate {
        Throughput::Tokens => MetricId::OutputTokenRate,
        Throughput::Requests => MetricId::RequestRate,
        Throughput::Sent => MetricId::SentRate,
        Throughput::Latency => state.metric.0,
        Throughput::Errors => MetricId::ErrorRate,
    };
    let mut frame = ChartFrame::new(charts.over_time).formula(formula.metric().formula);
    if narrow {
        frame = frame.title("Over time").without_subject();
    } else if rate == Throughput::Latency {
        frame = frame.title("Latency over time");
    }
    let mut shared = state.time;
    let before = shared;
    frame.show(ui, rect, &mut state.over_time_ui, &mut shared, |ui| {
        if narrow {
            let options: Vec<_> = rates.iter().map(|(r, w)| (*r, (*w).to_owned())).collect();
            choice(ui, "Over time", &mut rate, &options, CHOICE);
        } else {
            Switch::new("Over time", &mut rate, &rates).show(ui);
        }
    });
    if shared != before {
        *time = shared;
    }
    if rate != shown {
        state.rate = Some(rate);
        ui.ctx().request_repaint();
    }
}

fn load(
    ui: &mut Ui,
    rect: Rect,
    run: &RunData,
    charts: &Charts<'_>,
    (narrow, state): (bool, &mut MeasureUi),
    _time: &mut Option<f64>,
) {
    let mut metric = state.metric;
    let shown = state.asked_of(run);
    let mut asked = shown;
    let frame = ChartFrame::new(charts.load)
        .formula(metric.0.metric().formula)
        .without_subject();
    frame.show(ui, rect, &mut state.load_ui, &mut None, |ui| {
        metric_switch(ui, run, &mut metric);
        if !narrow && chart::has_rate_axis(run) {
            let options = [(false, "achieved"), (true, "asked")];
            Switch::new("Rate", &mut asked, &options).show(ui);
        }
    });
    if asked != shown {
        state.by_asked = Some(asked);
        state.load_ui.zoom = None;
        ui.ctx().request_repaint();
    }
    change_metric(ui, state, metric);
}

fn requests(
    ui: &mut Ui,
    rect: Rect,
    run: &RunData,
    charts: &Charts<'_>,
    (narrow, state): (bool, &mut MeasureUi),
    _time: &mut Option<f64>,
) {
    let mut metric = state.metric;
    let mut frame = ChartFrame::new(charts.requests).formula(metric.0.metric().formula);
    if narrow {
        frame = frame.without_subject();
    }
    frame.show(ui, rect, &mut state.requests_ui, &mut None, |ui| {
        metric_switch(ui, run, &mut metric);
    });
    change_metric(ui, state, metric);
}

/// One metric for the distribution, the load curve, the strip and the table.
fn change_metric(ui: &Ui, state: &mut MeasureUi, metric: Metric) {
    if metric != state.metric {
        state.metric = metric;
        state.distribution_ui.zoom = None;
        ui.ctx().request_repaint();
    }
}

/// TTFT, E2E, and a third part that opens all metrics, named by the one that was taken there.
fn parts(metric: Metric) -> [(Option<MetricId>, &'static str); 3] {
    let other = match metric.0 {
        MetricId::Ttft | MetricId::E2e => (None, "…"),
        id => (Some(id), id.metric().short),
    };
    [
        (Some(MetricId::Ttft), MetricId::Ttft.metric().short),
        (Some(MetricId::E2e), MetricId::E2e.metric().short),
        other,
    ]
}

fn metric_switch(ui: &mut Ui, run: &RunData, metric: &mut Metric) {
    let parts = parts(*metric);
    let mut value = Some(metric.0);
    let (response, clicked) = Switch::new("Metric", &mut value, &parts).show_parts(ui);
    let list = Popup::menu(&response).open_memory(None);
    let id = list.get_id();
    if clicked == Some(2) {
        Popup::toggle_id(ui.ctx(), id);
    } else if let Some(id) = value
        && clicked.is_some()
    {
        *metric = Metric(id);
    }
    list.gap(2.0).width(220.0).show(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for id in MetricId::distributed() {
            let why = model::why_none(run, id);
            let row = widgets::item(ui, id.metric().label, id == metric.0);
            if row.clicked() {
                *metric = Metric(id);
            }
            row.on_hover_text(why.as_deref().unwrap_or_else(|| id.metric().formula));
        }
    });
}
