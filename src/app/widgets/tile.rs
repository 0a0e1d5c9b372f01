//! The strip of the numbers that matter most.

use egui::{Align2, Rect, Role, Sense, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::{Level, paint};
use crate::app::theme::{Text, Theme, radius};

const HEIGHT: f32 = 76.0;
/// A tile that would be narrower stands in a second row.
const LEAST_WIDTH: f32 = 104.0;
const PADDING: f32 = 14.0;

/// One number: what it is, how much, and what it rests on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tile {
    pub label: String,
    pub value: String,
    pub unit: String,
    pub note: String,
    /// The whole story, where the note is short.
    pub tip: String,
    /// A word that judges instead of a number.
    pub level: Option<Level>,
}

/// Draws the tiles as one card, all equally wide.
pub fn tiles(ui: &mut Ui, tiles: &[Tile]) {
    let theme = Theme::of(ui);
    let room = ui.available_width();
    let n_rows = rows(room, tiles.len());
    let wanted = vec2(room, tiles_height(room, tiles.len()));
    let (rect, _) = ui.allocate_exact_size(wanted, Sense::hover());
    ui.painter().rect(
        rect,
        radius::CARD,
        theme.surface,
        theme.hairline(),
        StrokeKind::Inside,
    );
    let n_columns = tiles.len().div_ceil(n_rows).max(1);
    let width = rect.width() / n_columns as f32;
    for (i, tile) in tiles.iter().enumerate() {
        let (row, column) = (i / n_columns, i % n_columns);
        let left = (rect.left() + width * column as f32).round();
        let top = rect.top() + HEIGHT * row as f32;
        let area = Rect::from_min_size(pos2(left, top), vec2(width, HEIGHT));
        if column == 0 && row > 0 {
            let line = rect.x_range().shrink(12.0);
            ui.painter().hline(line, top + 0.5, theme.hairline());
        }
        if column > 0 {
            let line = area.y_range().shrink(12.0);
            ui.painter().vline(left + 0.5, line, theme.hairline());
        }
        tile_ui(ui, area, tile, i);
    }
}

fn rows(width: f32, n: usize) -> usize {
    let is_tight = n > 3 && width / (n as f32) < LEAST_WIDTH;
    if is_tight { 2 } else { 1 }
}

/// How high the strip of `n` tiles is.
pub fn tiles_height(width: f32, n: usize) -> f32 {
    HEIGHT * rows(width, n) as f32
}

fn tile_ui(ui: &Ui, area: Rect, tile: &Tile, i: usize) {
    let theme = Theme::of(ui);
    let painter = ui.painter();
    let left = area.left() + PADDING;
    let room = area.width() - PADDING - 3.0;
    let from = Align2::LEFT_CENTER;
    let at = |y: f32| pos2(left, area.top() + y);
    let label = Text::Label;
    paint::elided(
        painter,
        at(16.5),
        from,
        &tile.label,
        label,
        theme.secondary,
        room,
    );
    if let Some(level) = tile.level {
        let color = level.color(theme);
        paint::icon(
            painter,
            at(38.5) + vec2(9.0, 0.0),
            level.icon(),
            20.0,
            color,
        );
        let words = at(38.0) + vec2(23.0, 0.0);
        paint::elided(
            painter,
            words,
            from,
            &tile.value,
            Text::Verdict,
            color,
            room - 23.0,
        );
    } else {
        let value = paint::text(painter, at(38.0), from, &tile.value, Text::Stat, theme.text);
        let unit = pos2(value.right() + 4.0, area.top() + 41.0);
        let room = area.right() - 4.0 - unit.x;
        paint::elided(
            painter,
            unit,
            from,
            &tile.unit,
            Text::Body,
            theme.secondary,
            room,
        );
    }
    paint::elided(
        painter,
        at(60.0),
        from,
        &tile.note,
        Text::Caption,
        theme.muted,
        room,
    );
    let words = format!(
        "{}: {} {}. {}",
        tile.label, tile.value, tile.unit, tile.note
    );
    let response = ui.interact(area, ui.scope_id().with(("tile", i)), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words.replace(" .", ".")));
    if !tile.tip.is_empty() {
        response.on_hover_text(&tile.tip);
    }
}
