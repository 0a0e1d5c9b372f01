//! Draws the runs of a varied plan: which plan, a chart by parameter, a row for each run.

use egui::{Align, Align2, Layout, Rect, Sense, Ui, pos2, vec2};

use super::parameter::{METRICS, Work, has_quantiles, varied_words};
use super::view::nothing_ui;
use crate::app::charts::{self, ChartFrame, HEADER};
use crate::app::state::AppState;
use crate::app::theme::{Text, Theme};
use crate::app::widgets::{self, Switch, choice};
use crate::domain::MetricId;

/// The least and the largest height of the chart.
const CHART: (f32, f32) = (236.0, 440.0);
const GAP: f32 = 12.0;
const GROUP: f32 = 300.0;
const BEST: &str = "Best stage";

/// Which varied plan, at the left of the view's head.
pub(super) fn head_ui(ui: &mut Ui, state: &mut AppState) {
    let Some(mut group) = state.compare.parameter.group_in(&state.library) else {
        return;
    };
    let groups = state.library.groups();
    let width = GROUP.min(ui.available_width());
    let before = group.clone();
    choice(ui, "Varied plan", &mut group, &groups, width);
    if group != before {
        state.compare.parameter.choose(group);
    }
    let Some(work) = state.compare.parameter.work_out(&state.library) else {
        return;
    };
    let theme = Theme::of(ui);
    let words = varied_words(&work);
    ui.add_space(8.0);
    if widgets::text_width(ui.painter(), &words, Text::Body) <= ui.available_width() {
        ui.label(Text::Body.rich(words, theme.secondary));
    }
}

/// The chart and the table.
pub(super) fn parameter_ui(ui: &mut Ui, state: &mut AppState, height: f32) {
    let Some(work) = state.compare.parameter.work_out(&state.library) else {
        nothing_ui(
            ui,
            "The runs of a varied plan are compared here",
            "Vary a field of the plan, as in workload.max_tokens=16,64,256, and start it",
            height,
            state,
        );
        return;
    };
    let below = HEADER + work.table.height() + 3.0 * GAP;
    let tall = (height - below).clamp(CHART.0, CHART.1);
    let wanted = vec2(ui.available_width(), tall.round());
    let (rect, _) = ui.allocate_exact_size(wanted, Sense::hover());
    widgets::inside(ui, rect, Layout::top_down(Align::Min), "chart", |ui| {
        chart_ui(ui, rect, state, &work);
    });
    table_ui(ui, state, &work);
}

fn chart_ui(ui: &mut Ui, rect: Rect, state: &mut AppState, work: &Work) {
    let chosen = &mut state.compare.parameter;
    let mut metric = chosen.metric();
    let mut is_p95 = chosen.is_p95;
    let mut field = chosen.field.clone().filter(|f| work.fields.contains(f));
    let mut stage = chosen.stage.clone().filter(|s| work.stages.contains(s));
    let formula = metric.metric().formula;
    let frame = ChartFrame::new(&work.chart).formula(formula);
    frame.show(ui, rect, &mut chosen.chart_ui, &mut None, |ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let metrics: Vec<(MetricId, String)> = METRICS
            .iter()
            .map(|id| (*id, id.metric().label.to_owned()))
            .collect();
        if has_quantiles(metric) {
            let options = [(false, "p50"), (true, "p95")];
            Switch::new("Percentile", &mut is_p95, &options).show(ui);
        }
        choice(ui, "Metric", &mut metric, &metrics, 190.0);
        if work.fields.len() > 1 {
            let name = |f: &String| f.rsplit('.').next().unwrap_or(f).to_owned();
            let fields: Vec<_> = work.fields.iter().map(|f| (f.clone(), name(f))).collect();
            let mut shown = work.field.clone();
            choice(ui, "By", &mut shown, &fields, 130.0);
            if shown != work.field {
                field = Some(shown);
            }
        }
        if work.stages.len() > 1 {
            let mut stages = vec![(None, BEST.to_owned())];
            stages.extend(work.stages.iter().map(|s| (Some(s.clone()), s.clone())));
            choice(ui, "Stage", &mut stage, &stages, 120.0);
        }
    });
    chosen.metric = Some(metric);
    chosen.is_p95 = is_p95;
    chosen.field = field;
    chosen.stage = stage;
}

fn table_ui(ui: &mut Ui, state: &mut AppState, work: &Work) {
    let theme = Theme::of(ui);
    let wanted = vec2(ui.available_width(), HEADER + work.table.height());
    let (rect, _) = ui.allocate_exact_size(wanted, Sense::hover());
    charts::card(ui, rect);
    let at = pos2(rect.left() + 12.0, rect.top() + HEADER / 2.0);
    let from = Align2::LEFT_CENTER;
    let title = widgets::text(ui.painter(), at, from, "Runs", Text::Heading, theme.text);
    let at = pos2(title.right() + 8.0, at.y + 0.5);
    let room = rect.right() - 12.0 - at.x;
    let words = if work.stages.len() > 1 && state.compare.parameter.stage.is_none() {
        "each by its stage with the most output; click one to open it"
    } else {
        "click one to open it"
    };
    widgets::elided(
        ui.painter(),
        at,
        from,
        words,
        Text::Label,
        theme.muted,
        room,
    );
    let body = Rect::from_min_max(pos2(rect.left(), rect.top() + HEADER), rect.max);
    if let Some(i) = widgets::rows_ui(ui, body, &work.table, true)
        && let Some(path) = work.paths.get(i)
    {
        state.show_run(path);
    }
}
