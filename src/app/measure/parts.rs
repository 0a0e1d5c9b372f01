//! The parts between the charts: head, findings, stage table, errors, and what is said while a run is prepared.

use egui::{Align2, Rect, Response, Role, Sense, Stroke, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use super::columns::{self, Shown};
use super::controls::controls_ui;
use super::model::{self, Finding, Head, Scope, StageRow, StageTable};
use crate::app::actions::Action;
use crate::app::icons;
use crate::app::state::{Controls, LevelField};
use crate::app::theme::{Text, Theme, radius};
use crate::app::widgets::{self, Banner, Button, Level, Switch};
use crate::domain::{RunData, RunState, StageIdx};

pub(super) const HEAD: f32 = 28.0;
/// The line below it, of a run that is one of a varied plan.
pub(super) const VARIATION: f32 = 22.0;
pub(super) const TABLE_HEAD: f32 = 32.0;
pub(super) const TABLE_ROW: f32 = 24.0;

/// Title, stage or date, and at the right a switch or what can be done with the run.
pub(super) fn head_ui(
    ui: &mut Ui,
    area: Rect,
    head: &Head,
    run: &RunData,
    scope: &mut Scope,
    (controls, level): (&Controls, &mut LevelField),
    out: &mut Vec<Action>,
) {
    let layout = egui::Layout::right_to_left(egui::Align::Center);
    let right = ui
        .scope_builder(UiBuilder::new().max_rect(area).layout(layout), |ui| {
            ui.spacing_mut().item_spacing.x = 8.0;
            if run.is_live() {
                let narrow = area.width() < 760.0;
                // The controls stay in their place when a second stage brings the switch.
                if model::progress(run).is_some() {
                    controls_ui(ui, controls, level, narrow, out);
                }
                if !narrow && head.stage.is_some_and(|(_, n)| n > 1) {
                    let options = [
                        (Scope::ThisStage, "This stage"),
                        (Scope::AllStages, "All stages"),
                    ];
                    Switch::new("Numbers of", scope, &options).show(ui);
                }
            } else {
                ended_buttons(ui, run, area.width() < 760.0, out);
            }
            ui.min_rect().left()
        })
        .inner;
    let theme = Theme::of(ui);
    let painter = ui.painter();
    let y = area.center().y;
    let from = Align2::LEFT_CENTER;
    let room = (right - area.left() - 24.0).max(40.0);
    let title = widgets::elided(
        painter,
        area.left_center(),
        from,
        &head.title,
        Text::Title,
        theme.text,
        room,
    );
    let mut x = title.right() + 12.0;
    if let Some((i, n)) = head.stage {
        let swatch = Rect::from_center_size(pos2(x + 5.0, y), vec2(10.0, 10.0));
        painter.rect_filled(swatch, 2.0, theme.stage(i, n));
        x += 16.0;
    }
    for words in head.words.iter().filter(|w| !w.is_empty()) {
        let width = widgets::text_width(painter, words, Text::Body);
        if x + width > right - 8.0 {
            break;
        }
        widgets::text(
            painter,
            pos2(x, y + 0.5),
            from,
            words,
            Text::Body,
            theme.secondary,
        );
        x += width + 10.0;
    }
    let words = format!("{}, {}", head.title, head.words.join(", "));
    let label = Rect::from_min_max(area.min, pos2(x.min(right), area.bottom()));
    let response = ui.interact(label, ui.scope_id().with("head"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, &words));
    for (level, words) in &head.badges {
        let place = Rect::from_min_max(pos2(x + 2.0, y - 11.0), pos2(right, y + 11.0));
        // Icon, words and their padding.
        let wanted = widgets::text_width(ui.painter(), words, Text::LabelStrong) + 44.0;
        if place.width() < wanted {
            continue;
        }
        let drawn = ui.scope_builder(UiBuilder::new().max_rect(place), |ui| {
            widgets::badge(ui, *level, words).rect
        });
        x = drawn.inner.right() + 8.0;
    }
}

fn ended_buttons(ui: &mut Ui, run: &RunData, narrow: bool, out: &mut Vec<Action>) {
    let is_varied = run.head.variation.is_some();
    let mut button = |words: &str, icon, tip: &str, action: Action| {
        // With four of them a narrow head has room for their icons only.
        let button = if narrow && is_varied {
            Button::icon_only(icon, words)
        } else {
            Button::new(words).icon(icon)
        };
        let response = ui.add(button).on_hover_text(tip);
        if response.clicked() {
            out.push(action);
        }
    };
    button(
        "Run again",
        icons::AGAIN,
        "Load the plan of this run into the form",
        Action::RunAgain,
    );
    button(
        "Compare",
        icons::COMPARE,
        "Its cold requests against its warm ones, or against another run",
        Action::CompareThis,
    );
    button(
        "Save a copy",
        icons::EXPORT,
        "Save a copy of the run's file",
        Action::SaveRun,
    );
    if is_varied {
        button(
            "By parameter",
            icons::BY_PARAMETER,
            "All runs of this varied plan in one table and chart",
            Action::CompareParameter,
        );
    }
}

/// Which run of a varied plan it is, with its values.
pub(super) fn variation_ui(ui: &Ui, area: Rect, words: &str) {
    let theme = Theme::of(ui);
    let from = Align2::LEFT_CENTER;
    let at = area.left_center();
    let (kind, ink) = (Text::Strong, theme.text);
    widgets::elided(ui.painter(), at, from, words, kind, ink, area.width());
    let response = ui.interact(area, ui.scope_id().with("variation"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    response.on_hover_text(words);
}

/// The first finding, and the others when they are asked for.
pub(super) fn findings_ui(ui: &mut Ui, findings: &[Finding], all: &mut bool) {
    ui.spacing_mut().item_spacing.y = 8.0;
    let shown = if *all { findings.len() } else { 1 };
    let more = findings.len().saturating_sub(1);
    let words = if *all {
        "Show one".to_owned()
    } else {
        format!("{more} more")
    };
    for (i, finding) in findings.iter().take(shown).enumerate() {
        let mut banner = Banner::new(finding.level, &finding.finding)
            .why(&finding.why)
            .advice(&finding.advice);
        if i == 0 && more > 0 {
            banner = banner.button(&words);
        }
        if banner.show(ui).clicked {
            *all = !*all;
        }
    }
}

/// The person is asked to restart the server.
pub(super) fn restart_ui(ui: &mut Ui, (cycle, of): (u32, u32), out: &mut Vec<Action>) {
    let finding = if of > 1 {
        format!("Restart the server now ({cycle} of {of})")
    } else {
        "Restart the server now".to_owned()
    };
    let banner = Banner::new(Level::Caution, &finding)
        .why("The cold requests are sent when you say that it is up again.")
        .button("I have restarted it")
        .primary();
    if banner.show(ui).clicked {
        out.push(Action::ServerRestarted);
    }
}

/// What is done before the first request.
pub(super) fn preparing_ui(ui: &Ui, area: Rect, (headline, what): (&str, &str)) {
    let theme = Theme::of(ui);
    crate::app::charts::card(ui, area);
    let center = area.center();
    let at = |y: f32| pos2(center.x, center.y + y);
    let painter = ui.painter();
    let middle = Align2::CENTER_CENTER;
    widgets::text(painter, at(-14.0), middle, headline, Text::Stat, theme.text);
    widgets::elided(
        painter,
        at(18.0),
        middle,
        what,
        Text::Lead,
        theme.secondary,
        area.width() - 48.0,
    );
    let words = format!("{headline}: {what}");
    let response = ui.interact(area, ui.scope_id().with("preparing"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Status, true, &words));
}

/// What a run in preparation is doing, where nothing can be drawn yet.
pub(super) fn preparing_words(run: &RunData) -> Option<(&'static str, String)> {
    match &run.state {
        RunState::Preparing { what } if run.points.is_empty() => Some(("Preparing", what.clone())),
        RunState::AwaitingRestart { .. } if run.points.is_empty() => {
            let what = "The run goes on when the server was restarted".to_owned();
            Some(("Waiting for you", what))
        }
        _ => None,
    }
}

pub(super) fn table_height(table: &StageTable) -> f32 {
    TABLE_HEAD + TABLE_ROW * table.rows.len() as f32 + 4.0
}

/// Draws the table, the stage that the tiles speak of tinted; a click on a stage puts it into focus, another takes it out.
pub(super) fn table_ui(
    ui: &Ui,
    area: Rect,
    table: &StageTable,
    (n_stages, told): (usize, Option<StageIdx>),
    focus: &mut Option<StageIdx>,
) {
    let theme = Theme::of(ui);
    let columns = columns::shown(ui, area, table);
    let painter = ui.painter();
    let y = area.top() + TABLE_HEAD / 2.0;
    let at = pos2(area.left() + 12.0, y);
    widgets::text(
        painter,
        at,
        Align2::LEFT_CENTER,
        &table.title,
        Text::Label,
        theme.muted,
    );
    for (header, x) in columns
        .iter()
        .filter_map(|(k, x)| Some((*table.header.get(*k)?, *x)))
    {
        let to = Align2::RIGHT_CENTER;
        widgets::text(painter, pos2(x, y), to, header, Text::Label, theme.muted);
    }
    let line = area.top() + TABLE_HEAD - 0.5;
    painter.hline(area.x_range().shrink(1.0), line, theme.hairline());
    for (i, row) in table.rows.iter().enumerate() {
        let top = area.top() + TABLE_HEAD + TABLE_ROW * i as f32;
        let rect = Rect::from_min_size(pos2(area.left(), top), vec2(area.width(), TABLE_ROW));
        let is_told = row.stage.is_some() && row.stage == told;
        let response = row_ui(ui, rect, row, (&columns, n_stages, is_told), focus);
        if table.has_more || columns.len() < table.header.len() {
            response.on_hover_text(&row.tip);
        }
        if i + 1 < table.rows.len() {
            let edge = Stroke::new(1.0, theme.line_faint);
            ui.painter()
                .hline(rect.x_range().shrink(12.0), rect.bottom() - 0.5, edge);
        }
    }
}

fn row_ui(
    ui: &Ui,
    rect: Rect,
    row: &StageRow,
    (columns, n_stages, is_told): (&[Shown], usize, bool),
    focus: &mut Option<StageIdx>,
) -> Response {
    let theme = Theme::of(ui);
    let sense = if row.stage.is_some() && !row.is_ahead {
        Sense::click()
    } else {
        Sense::hover()
    };
    let response = ui.interact(rect, ui.scope_id().with(("stage row", row.stage)), sense);
    if response.clicked() {
        *focus = if *focus == row.stage { None } else { row.stage };
    }
    let in_focus = row.stage.is_some() && *focus == row.stage;
    response.widget_info(|| WidgetInfo::selected(Role::Row, true, in_focus, &row.tip));
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let painter = ui.painter();
    let ground = rect.shrink2(vec2(1.0, 0.0));
    if in_focus {
        painter.rect_filled(ground, 0.0, theme.accent_row_focus);
    } else if is_told {
        painter.rect_filled(ground, 0.0, theme.accent_row);
    } else if response.hovered() && row.stage.is_some() {
        painter.rect_filled(ground, 0.0, theme.hover.gamma_multiply(0.5));
    }
    let y = rect.center().y;
    swatch_ui(ui, rect, row, n_stages);
    let at = pos2(rect.left() + 30.0, y);
    widgets::text(
        painter,
        at,
        Align2::LEFT_CENTER,
        &row.name,
        Text::Strong,
        theme.text,
    );
    for (cell, x) in columns
        .iter()
        .filter_map(|(k, x)| Some((row.cells.get(*k)?, *x)))
    {
        let ink = cell.ink.color(theme, response.hovered());
        let to = Align2::RIGHT_CENTER;
        widgets::text(painter, pos2(x, y), to, &cell.words, Text::Body, ink);
    }
    widgets::focus_ring(ui, &response, ground.shrink(2.0), radius::CONTROL);
    response
}

/// A stage's square, or the ring of the cold requests.
fn swatch_ui(ui: &Ui, rect: Rect, row: &StageRow, n_stages: usize) {
    let theme = Theme::of(ui);
    let painter = ui.painter();
    let swatch = pos2(rect.left() + 17.0, rect.center().y);
    match row.stage {
        Some(stage) => {
            let faint = if row.is_ahead { 0.5 } else { 1.0 };
            let color = theme.stage(stage.index(), n_stages).gamma_multiply(faint);
            let square = Rect::from_center_size(swatch, vec2(10.0, 10.0));
            painter.rect_filled(square, 2.0, color);
        }
        None => {
            painter.circle_stroke(swatch, 4.0, Stroke::new(1.5, theme.text));
        }
    }
}
