//! Limits and goals: what requests should keep to, and when the run stops early.

use egui::{Popup, Role, Sense, Ui, WidgetInfo, vec2};

use super::GoalRow;
use super::goals::{preset_said, preset_words};
use super::panel::Draw;
use super::parts::{Errors, error_below, note, number, pair};
use crate::app::icons;
use crate::app::menu;
use crate::app::theme::{Text, Theme, radius, size};
use crate::app::widgets::{self, Button, Field};
use crate::domain::{Better, GOAL_METRICS, GOAL_PRESETS, MAX_GOALS, short_watch};

/// Width of the button that takes a row away.
pub(super) const REMOVE: f32 = 20.0;
const SHARE: f32 = 64.0;
const GAP: f32 = 4.0;

pub(super) fn limits_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    goals_ui(ui, &mut draw.form.goals, draw.errors);
    let errors = draw.errors;
    let limits = &mut draw.form.limits;
    pair(
        ui,
        |ui| {
            Field::new("Stop after", &mut limits.max_secs)
                .unit("s")
                .error(errors.at("limits.max_secs"))
                .show(ui);
        },
        |ui| {
            Field::new("Errors above", &mut limits.max_error_percent)
                .unit("%")
                .error(errors.at("limits.max_error_percent"))
                .show(ui);
        },
    );
    let error = errors.at("limits.max_errors");
    number(ui, "Errors at most", &mut limits.max_errors, "", error);
    note(
        ui,
        "Empty is no limit. The share is looked at from 20 requests of a stage on",
    );
    widgets::tick(ui, &mut limits.stop_when_saturated, "Stop when saturated").on_hover_text(
        "Ends a stage, and a sweep's climb, once requests in flight and TTFT both rise: from there on figures depend on how long one waits",
    );
    if let Some(words) = draw.state.plan().and_then(short_watch) {
        note(ui, &words);
    }
}

fn goals_ui(ui: &mut Ui, goals: &mut Vec<GoalRow>, errors: &Errors) {
    let mut remove = None;
    for (i, row) in goals.iter_mut().enumerate() {
        if row_ui(ui, i, row) {
            remove = Some(i);
        }
        error_below(ui, errors.at(&format!("goals.{i}")));
    }
    if let Some(i) = remove {
        goals.remove(i);
    }
    error_below(ui, errors.exactly("goals"));
    ui.horizontal(|ui| {
        // In a narrow form the two just fit.
        ui.spacing_mut().item_spacing.x = 4.0;
        let is_full = goals.len() >= MAX_GOALS;
        let add = ui.add_enabled(!is_full, Button::new("Add a goal").icon(icons::ADD));
        let add = add.on_disabled_hover_text(format!("A plan has at most {MAX_GOALS}"));
        if add
            .on_hover_text(
                "What share of requests has to be how fast; charts shade it, goodput counts it",
            )
            .clicked()
        {
            goals.push(GoalRow::default());
        }
        presets_ui(ui, goals);
    });
}

/// One goal in two lines, what it is for and what it asks; says whether it is to go.
fn row_ui(ui: &mut Ui, i: usize, row: &mut GoalRow) -> bool {
    let n = i + 1;
    let width = ui.available_width();
    let metrics: Vec<_> = GOAL_METRICS
        .iter()
        .map(|m| (*m, m.metric().label.to_owned()))
        .collect();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = vec2(GAP, 4.0);
        let gone = ui
            .horizontal(|ui| {
                let name = format!("Metric of goal {n}");
                let tip = row.metric.metric().formula;
                let room = width - REMOVE - GAP;
                widgets::choice(ui, &name, &mut row.metric, &metrics, room).on_hover_text(tip);
                remove_ui(ui, &format!("Remove goal {n}"))
            })
            .inner;
        ui.horizontal(|ui| limit_ui(ui, n, row, width - REMOVE - GAP));
        gone
    })
    .inner
}

/// `95 % at most 500 ms`.
fn limit_ui(ui: &mut Ui, n: usize, row: &mut GoalRow, width: f32) {
    let side = match row.metric.metric().better {
        Better::Lower => "at most",
        Better::Higher => "at least",
    };
    let name = format!("Share of goal {n}");
    Field::new(&name, &mut row.percent)
        .bare()
        .hint("95")
        .unit("%")
        .width(SHARE)
        .show(ui)
        .on_hover_text("So many of the values have to be within the limit: 95 is the p95");
    let side_width = widgets::text_width(ui.painter(), side, Text::Body) + 8.0;
    let theme = Theme::of(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(side_width, size::CONTROL), Sense::hover());
    let middle = egui::Align2::CENTER_CENTER;
    widgets::text(
        ui.painter(),
        rect.center(),
        middle,
        side,
        Text::Body,
        theme.secondary,
    );
    let name = format!("Limit of goal {n}");
    let (unit, said) = (row.unit().label(), row.said());
    Field::new(&name, &mut row.limit)
        .bare()
        .unit(unit)
        .width(width - SHARE - side_width - 2.0 * GAP)
        .show(ui)
        .on_hover_text(said);
}

/// A small button that takes a row away.
pub(super) fn remove_ui(ui: &mut Ui, name: &str) -> bool {
    let theme = Theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(REMOVE, size::CONTROL), Sense::click());
    let lit = response.hovered() || response.has_focus();
    let ink = if lit { theme.text } else { theme.muted };
    widgets::icon(ui.painter(), rect.center(), icons::CLOSE, 16.0, ink);
    widgets::focus_ring(ui, &response, rect.shrink(1.0), radius::INNER);
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
    response.on_hover_text(name).clicked()
}

fn presets_ui(ui: &mut Ui, goals: &mut Vec<GoalRow>) {
    let said = preset_said(goals);
    let button = ui.add(Button::new("Common goals"));
    Popup::menu(&button).width(256.0).gap(4.0).show(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.set_width(256.0);
        for preset in &GOAL_PRESETS {
            let chosen = said.is_some_and(|p| p.id == preset.id);
            let tip = format!("{}\n{}", preset_words(preset), preset.source);
            if menu::chosen_row_ui(ui, preset.label, chosen)
                .on_hover_text(tip)
                .clicked()
            {
                *goals = preset.goals().iter().map(GoalRow::of).collect();
            }
        }
    });
}
