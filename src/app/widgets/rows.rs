//! A table in a card: a header, rows of 24, text columns at the left and numbers at the right.

use egui::{Align2, Color32, Painter, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::{button::focus_ring, paint};
use crate::app::theme::{Text, Theme, radius};

const ROWS_HEAD: f32 = 32.0;
const ROW: f32 = 24.0;
const SIDE: f32 = 12.0;
const BETWEEN: f32 = 12.0;
const SWATCH: f32 = 18.0;
/// No column is cut to less.
const LEAST: f32 = 40.0;

/// A cell of a table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cell {
    pub words: String,
    pub ink: CellInk,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CellInk {
    #[default]
    Value,
    /// Unknown, not yet, or too few.
    Muted,
    Failed,
    /// A goal met.
    Good,
    /// A goal missed.
    Caution,
}

impl Cell {
    pub fn new(words: impl Into<String>, ink: CellInk) -> Self {
        Self {
            words: words.into(),
            ink,
        }
    }
}

impl CellInk {
    pub fn color(self, theme: &Theme, hovered: bool) -> Color32 {
        match self {
            Self::Value => theme.text,
            Self::Muted if hovered => theme.secondary,
            Self::Muted => theme.muted,
            Self::Failed => theme.invalid,
            Self::Good => theme.ok,
            Self::Caution => theme.caution,
        }
    }
}

/// A row: its swatch, if the table has any, and its cells.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TableRow {
    /// Stage `i` of `n`.
    pub stage: Option<(usize, usize)>,
    pub cells: Vec<Cell>,
}

/// A table as words.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Table {
    pub header: Vec<String>,
    /// Columns at the left that hold words, and begin at their left edge.
    pub n_text: usize,
    pub rows: Vec<TableRow>,
}

impl Table {
    pub fn height(&self) -> f32 {
        ROWS_HEAD + ROW * self.rows.len() as f32 + 4.0
    }

    fn has_swatches(&self) -> bool {
        self.rows.iter().any(|r| r.stage.is_some())
    }
}

/// Draws it into `area`, over a card's ground; gives back the row that was clicked, where rows can be.
pub fn rows_ui(ui: &Ui, area: Rect, table: &Table, can_click: bool) -> Option<usize> {
    let theme = Theme::of(ui);
    let widths = widths(ui, table, area.width() - 2.0 * SIDE);
    let columns = columns(table, &widths, area.left() + SIDE);
    let y = area.top() + ROWS_HEAD / 2.0;
    for (words, (x, anchor, width)) in table.header.iter().zip(&columns) {
        let at = pos2(*x, y);
        paint::elided(
            ui.painter(),
            at,
            *anchor,
            words,
            Text::Label,
            theme.muted,
            *width,
        );
    }
    let line = area.top() + ROWS_HEAD - 0.5;
    ui.painter()
        .hline(area.x_range().shrink(1.0), line, theme.hairline());
    let mut clicked = None;
    for (i, row) in table.rows.iter().enumerate() {
        let top = area.top() + ROWS_HEAD + ROW * i as f32;
        let rect = Rect::from_min_size(pos2(area.left(), top), vec2(area.width(), ROW));
        if row_ui(ui, rect, (i, row), table, &columns, can_click) {
            clicked = Some(i);
        }
    }
    clicked
}

type Column = (f32, Align2, f32);

fn row_ui(
    ui: &Ui,
    rect: Rect,
    (i, row): (usize, &TableRow),
    table: &Table,
    columns: &[Column],
    can_click: bool,
) -> bool {
    let theme = Theme::of(ui);
    let sense = if can_click {
        Sense::click()
    } else {
        Sense::hover()
    };
    let response = ui.interact(rect, ui.scope_id().with(("table row", i)), sense);
    let pairs = table.header.iter().zip(&row.cells).skip(1);
    let words: Vec<String> = pairs
        .map(|(name, cell)| format!("{name} {}", cell.words))
        .collect();
    let first = row.cells.first().map_or("", |c| &c.words);
    let words = format!("{first}: {}", words.join(", "));
    response.widget_info(|| WidgetInfo::labeled(Role::Row, true, &words));
    if !ui.is_rect_visible(rect) {
        return response.clicked();
    }
    let painter = ui.painter();
    let ground = rect.shrink2(vec2(1.0, 0.0));
    let lit = response.hovered() && can_click;
    if lit {
        painter.rect_filled(ground, 0.0, theme.hover.gamma_multiply(0.5));
    }
    let y = rect.center().y;
    if let Some((stage, n)) = row.stage {
        let center = pos2(rect.left() + SIDE + 5.0, y);
        let square = Rect::from_center_size(center, vec2(10.0, 10.0));
        painter.rect_filled(square, 2.0, theme.stage(stage, n));
    }
    let is_cut = cells_ui(painter, theme, (row, y), columns, lit);
    if i + 1 < table.rows.len() {
        let edge = Stroke::new(1.0, theme.line_faint);
        painter.hline(rect.x_range().shrink(SIDE), rect.bottom() - 0.5, edge);
    }
    focus_ring(ui, &response, ground.shrink(2.0), radius::CONTROL);
    if is_cut {
        return response.on_hover_text(words).clicked();
    }
    response.clicked()
}

/// Draws a row's cells; gives back whether any of them is cut.
fn cells_ui(
    painter: &Painter,
    theme: &Theme,
    (row, y): (&TableRow, f32),
    columns: &[Column],
    lit: bool,
) -> bool {
    let mut is_cut = false;
    for (k, (cell, (x, anchor, width))) in row.cells.iter().zip(columns).enumerate() {
        let kind = if k == 0 { Text::Strong } else { Text::Body };
        is_cut |= paint::text_width(painter, &cell.words, kind) > *width + 1.0;
        let ink = cell.ink.color(theme, lit);
        paint::elided(
            painter,
            pos2(*x, y),
            *anchor,
            &cell.words,
            kind,
            ink,
            *width,
        );
    }
    is_cut
}

/// As wide as their words, and what is left shared by all; where they have no room the widest are cut.
fn widths(ui: &Ui, table: &Table, room: f32) -> Vec<f32> {
    let measure = |words: &str, kind| paint::text_width(ui.painter(), words, kind);
    let mut widths: Vec<f32> = table
        .header
        .iter()
        .map(|h| measure(h, Text::Label))
        .collect();
    for row in table.rows.iter().take(200) {
        for (k, (width, cell)) in widths.iter_mut().zip(&row.cells).enumerate() {
            let kind = if k == 0 { Text::Strong } else { Text::Body };
            *width = width.max(measure(&cell.words, kind).ceil());
        }
    }
    let swatch = if table.has_swatches() { SWATCH } else { 0.0 };
    let between = BETWEEN * widths.len().saturating_sub(1) as f32;
    share_out(&mut widths, room - swatch - between);
    widths
}

fn share_out(widths: &mut [f32], room: f32) {
    let sum = |widths: &[f32], most: f32| widths.iter().map(|w| w.min(most)).sum::<f32>();
    let left = room - sum(widths, f32::INFINITY);
    if left >= 0.0 {
        let n = widths.len().max(1) as f32;
        for width in widths {
            *width += left / n;
        }
        return;
    }
    // Numbers are narrow: those that are cut are words, which a tooltip has in full.
    let mut most = widths.iter().copied().fold(LEAST, f32::max);
    while most > LEAST && sum(widths, most) > room {
        most -= 1.0;
    }
    for width in widths {
        *width = width.min(most);
    }
}

fn columns(table: &Table, widths: &[f32], left: f32) -> Vec<Column> {
    let mut x = left + if table.has_swatches() { SWATCH } else { 0.0 };
    let column = |(i, width): (usize, &f32)| {
        let from = x;
        x += width + BETWEEN;
        if i < table.n_text {
            (from.round(), Align2::LEFT_CENTER, *width)
        } else {
            ((from + width).round(), Align2::RIGHT_CENTER, *width)
        }
    };
    widths.iter().enumerate().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_room_the_widest_column_is_cut_and_numbers_stay_whole() {
        let shared = |widths: &[f32], room: f32| -> Vec<String> {
            let mut widths = widths.to_vec();
            share_out(&mut widths, room);
            widths.iter().map(|w| format!("{w:.0}")).collect()
        };
        assert_eq!(
            shared(&[80.0, 300.0, 30.0, 90.0], 400.0),
            ["80", "200", "30", "90"]
        );
        assert_eq!(shared(&[80.0, 20.0], 140.0), ["100", "40"]);
        assert_eq!(shared(&[80.0, 90.0], 10.0), ["40", "40"]);
    }
}
