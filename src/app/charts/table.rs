//! A chart's numbers as a table: what a screen reader reads and a person copies.

use egui::{Align2, Rect, Role, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use crate::app::theme::{Text, Theme};
use crate::app::widgets;
use crate::chart::ChartTable;

const ROW: f32 = 22.0;
const SIDE: f32 = 12.0;

/// Draws the table into `area`; it scrolls both ways.
pub(super) fn table_ui(ui: &mut Ui, area: Rect, table: &ChartTable, name: &str) {
    let theme = Theme::of(ui);
    if table.rows.is_empty() {
        super::nothing(ui, area.translate(vec2(0.0, -20.0)), "No numbers yet");
        return;
    }
    let widths = widths(ui, table, area.width() - 2.0 * SIDE);
    let total: f32 = widths.iter().sum();
    ui.scope_builder(
        UiBuilder::new().max_rect(area.shrink2(vec2(1.0, 4.0))),
        |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            ScrollArea::both()
                .id_salt("chart table")
                .auto_shrink(false)
                .show(ui, |ui| {
                    ui.set_width(total + 2.0 * SIDE - 2.0);
                    row(ui, theme, &table.header, &widths, true);
                    for cells in &table.rows {
                        row(ui, theme, cells, &widths, false);
                    }
                });
        },
    );
    let response = ui.interact(area, ui.scope_id().with("chart table"), Sense::hover());
    let words = format!("{name}: {} rows", table.rows.len());
    response.widget_info(|| WidgetInfo::labeled(Role::Table, true, &words));
}

fn widths(ui: &Ui, table: &ChartTable, room: f32) -> Vec<f32> {
    let measure = |words: &String| widgets::text_width(ui.painter(), words, Text::Label) + 16.0;
    let mut widths: Vec<f32> = table.header.iter().map(measure).collect();
    for cells in table.rows.iter().take(200) {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = width.max(measure(cell));
        }
    }
    let total: f32 = widths.iter().sum();
    if total < room {
        let extra = (room - total) / widths.len().max(1) as f32;
        for width in &mut widths {
            *width += extra;
        }
    }
    widths
}

fn row(ui: &mut Ui, theme: &Theme, cells: &[String], widths: &[f32], head: bool) {
    let wanted = vec2(ui.available_width(), ROW);
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::hover());
    if !ui.is_rect_visible(rect) {
        return;
    }
    let painter = ui.painter();
    let line = egui::Stroke::new(1.0, theme.line_faint);
    painter.hline(rect.x_range(), rect.bottom() - 0.5, line);
    let mut x = rect.left() + SIDE - 1.0;
    for (i, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let (kind, ink) = match (head, i) {
            (true, _) => (Text::Label, theme.muted),
            (false, 0) => (Text::LabelStrong, theme.text),
            (false, _) => (Text::Label, theme.text),
        };
        let y = rect.center().y;
        let (at, anchor) = if i == 0 {
            (pos2(x, y), Align2::LEFT_CENTER)
        } else {
            (pos2(x + width, y), Align2::RIGHT_CENTER)
        };
        widgets::text(painter, at, anchor, cell, kind, ink);
        x += width;
    }
    let words = cells.join(", ");
    response.widget_info(|| WidgetInfo::labeled(Role::Row, true, &words));
}
