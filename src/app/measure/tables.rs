//! The card below the charts: the table of stages, or in its place goals, probes, turns and visitors beside.

use egui::{Align2, Rect, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use super::model::TableKind;
use super::{MeasureUi, Words, parts};
use crate::app::charts::{self, ChartFrame, HEADER};
use crate::app::theme::{Text, Theme};
use crate::app::widgets::{self, Switch};
use crate::chart::Chart;
use crate::domain::MetricId;

/// The chart of turns beside its table.
const TURNS: f32 = 236.0;
/// Below this width the chart stands above its table.
const BESIDE: f32 = 760.0;

/// How high the card is.
pub(super) fn height(words: &Words, width: f32) -> f32 {
    let head = if words.kinds.len() > 1 { HEADER } else { 0.0 };
    let table = match words.kind {
        TableKind::Stages => parts::table_height(&words.table),
        TableKind::Turns if width < BESIDE => words.other.height() + TURNS,
        TableKind::Turns => words.other.height().max(TURNS),
        _ => words.other.height(),
    };
    head + table
}

/// Draws the card; a switch in its head chooses the table where there are several.
pub(super) fn card_ui(
    ui: &mut Ui,
    rect: Rect,
    words: &Words,
    turns: Option<&Chart>,
    n_stages: usize,
    state: &mut MeasureUi,
) {
    charts::card(ui, rect);
    let mut body = rect;
    if words.kinds.len() > 1 {
        body.min.y += HEADER;
        head_ui(
            ui,
            Rect::from_min_max(rect.min, pos2(rect.right(), body.top())),
            words,
            state,
        );
    }
    match words.kind {
        TableKind::Stages => {
            let told = (n_stages, words.focus);
            parts::table_ui(ui, body, &words.table, told, &mut state.focus);
        }
        TableKind::Turns => turns_ui(ui, body, words, turns, state),
        _ => {
            widgets::rows_ui(ui, body, &words.other, false);
        }
    }
}

fn head_ui(ui: &mut Ui, rect: Rect, words: &Words, state: &mut MeasureUi) {
    let theme = Theme::of(ui);
    let options: Vec<(TableKind, &str)> = words.kinds.iter().map(|k| (*k, k.label())).collect();
    let width = Switch::natural_width(ui, &options);
    let place = Rect::from_min_size(rect.min + vec2(10.0, 8.0), vec2(width, 24.0));
    let mut kind = words.kind;
    ui.scope_builder(UiBuilder::new().max_rect(place), |ui| {
        Switch::new("Table of", &mut kind, &options).show(ui);
    });
    if kind != words.kind {
        state.table = Some(kind);
        ui.ctx().request_repaint();
    }
    let at = pos2(place.right() + 12.0, rect.center().y + 0.5);
    let room = rect.right() - 12.0 - at.x;
    let subject = match words.kind {
        TableKind::Stages => words.goals.as_deref().unwrap_or_default(),
        kind => kind.subject(),
    };
    let from = Align2::LEFT_CENTER;
    let drawn = widgets::elided(
        ui.painter(),
        at,
        from,
        subject,
        Text::Label,
        theme.muted,
        room,
    );
    let response = ui.interact(drawn, ui.scope_id().with("subject"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, subject));
}

fn turns_ui(ui: &mut Ui, body: Rect, words: &Words, turns: Option<&Chart>, state: &mut MeasureUi) {
    let Some(chart) = turns else {
        return;
    };
    let is_beside = body.width() >= BESIDE;
    let (plot, table) = if is_beside {
        let middle = body.left() + (body.width() * 0.48).round();
        (
            Rect::from_min_max(body.min, pos2(middle, body.bottom())),
            Rect::from_min_max(pos2(middle, body.top()), body.max),
        )
    } else {
        let middle = body.top() + TURNS;
        (
            Rect::from_min_max(body.min, pos2(body.right(), middle)),
            Rect::from_min_max(pos2(body.left(), middle), body.max),
        )
    };
    let formula = MetricId::Ttft.metric().formula;
    let inner = Rect::from_min_max(plot.min + vec2(12.0, 0.0), plot.max - vec2(12.0, 4.0));
    ChartFrame::new(chart).bare().formula(formula).show(
        ui,
        inner,
        &mut state.turns_ui,
        &mut None,
        |_| {},
    );
    widgets::rows_ui(ui, table, &words.other, false);
}
