//! Failures by class, below the tables.

use egui::{Align2, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::model::ErrorRow;
use super::parts::{TABLE_HEAD, TABLE_ROW};
use crate::app::icons;
use crate::app::theme::{Text, Theme};
use crate::app::widgets;

/// Rows of the errors panel before it says how many more there are.
const MAX_ERRORS: usize = 8;

pub(super) fn errors_height(errors: &[ErrorRow]) -> f32 {
    if errors.is_empty() {
        return 0.0;
    }
    let more = usize::from(errors.len() > MAX_ERRORS);
    TABLE_HEAD + TABLE_ROW * (errors.len().min(MAX_ERRORS) + more) as f32 + 4.0
}

/// Failures by class: how many, and the first one's words.
pub(super) fn errors_ui(ui: &Ui, area: Rect, errors: &[ErrorRow]) {
    let theme = Theme::of(ui);
    crate::app::charts::card(ui, area);
    let left = area.left() + 12.0;
    let painter = ui.painter();
    let head = area.top() + TABLE_HEAD / 2.0;
    let from = Align2::LEFT_CENTER;
    let columns = [left, left + 260.0, left + 280.0];
    let word = |x: f32, words: &str, anchor: Align2| {
        widgets::text(
            painter,
            pos2(x, head),
            anchor,
            words,
            Text::Label,
            theme.muted,
        );
    };
    word(columns[0], "Errors by class, all phases", from);
    word(columns[1], "Count", Align2::RIGHT_CENTER);
    word(columns[2], "First example, or what to do", from);
    painter.hline(
        area.x_range().shrink(1.0),
        area.top() + TABLE_HEAD - 0.5,
        theme.hairline(),
    );
    for (i, row) in errors.iter().take(MAX_ERRORS).enumerate() {
        let top = area.top() + TABLE_HEAD + TABLE_ROW * i as f32;
        let rect = Rect::from_min_size(pos2(area.left(), top), vec2(area.width(), TABLE_ROW));
        error_row_ui(ui, rect, row, columns, i);
    }
    if errors.len() > MAX_ERRORS {
        let y = area.top() + TABLE_HEAD + TABLE_ROW * (MAX_ERRORS as f32 + 0.5);
        let words = format!(
            "{} more classes stand in the run's file",
            errors.len() - MAX_ERRORS
        );
        widgets::text(
            ui.painter(),
            pos2(left, y),
            from,
            words,
            Text::Label,
            theme.muted,
        );
    }
}

fn error_row_ui(ui: &Ui, rect: Rect, row: &ErrorRow, columns: [f32; 3], i: usize) {
    let theme = Theme::of(ui);
    let response = ui.interact(rect, ui.scope_id().with(("error row", i)), Sense::hover());
    let painter = ui.painter();
    if response.hovered() {
        let ground = rect.shrink2(vec2(1.0, 0.0));
        painter.rect_filled(ground, 0.0, theme.hover.gamma_multiply(0.5));
    }
    let y = rect.center().y;
    let from = Align2::LEFT_CENTER;
    let class = match row.status.as_str() {
        "" => row.class.clone(),
        status => format!("{} {status}", row.class),
    };
    let cross = pos2(columns[0] + 5.0, y);
    widgets::icon(painter, cross, icons::INVALID, 14.0, theme.invalid);
    let at = pos2(columns[0] + 18.0, y);
    let count_width = widgets::text_width(painter, &row.count, Text::Body);
    let room = columns[1] - count_width - 8.0 - at.x;
    widgets::elided(painter, at, from, &class, Text::Strong, theme.text, room);
    let count = pos2(columns[1], y);
    widgets::text(
        painter,
        count,
        Align2::RIGHT_CENTER,
        &row.count,
        Text::Body,
        theme.invalid,
    );
    let seq_width = widgets::text_width(painter, &row.seq, Text::Caption);
    let room = rect.right() - 24.0 - seq_width - columns[2];
    let at = pos2(columns[2], y);
    let cut = widgets::text_width(painter, &row.first, Text::Mono) > room;
    widgets::elided(
        painter,
        at,
        from,
        &row.first,
        Text::Mono,
        theme.secondary,
        room,
    );
    let at = pos2(rect.right() - 12.0, y);
    widgets::text(
        painter,
        at,
        Align2::RIGHT_CENTER,
        &row.seq,
        Text::Caption,
        theme.muted,
    );
    let words = format!("{class}: {} times, first: {}", row.count, row.first);
    response.widget_info(|| WidgetInfo::labeled(Role::Row, true, &words));
    if cut {
        response.on_hover_text(&row.first);
    }
}
