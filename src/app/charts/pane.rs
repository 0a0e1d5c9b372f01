//! Where things stand inside a card: panes, grids, ticks, captions.

use std::collections::BTreeSet;

use egui::{Align2, Pos2, Rect, Stroke, Ui, UiBuilder, Vec2, pos2};
use egui_plot::Plot;

use super::{BETWEEN_PANES, CAPTION_Y, RAIL, SIDE, marks};
use crate::app::theme::{Text, Theme};
use crate::app::widgets;
use crate::chart::{Axis, Chart, Pane, Shape};

/// A pane's place on the screen and on its axes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    pub(super) rect: Rect,
    x: (f64, f64),
    y: (f64, f64),
}

impl Map {
    #[expect(clippy::cast_possible_truncation, reason = "a place on the screen")]
    pub(super) fn x(&self, place: f64) -> f32 {
        let share = (place - self.x.0) / (self.x.1 - self.x.0).max(1e-300);
        (f64::from(self.rect.left()) + share * f64::from(self.rect.width())) as f32
    }

    #[expect(clippy::cast_possible_truncation, reason = "a place on the screen")]
    pub(super) fn y(&self, place: f64) -> f32 {
        let share = (place - self.y.0) / (self.y.1 - self.y.0).max(1e-300);
        (f64::from(self.rect.bottom()) - share * f64::from(self.rect.height())) as f32
    }

    pub(super) fn at(&self, point: [f64; 2]) -> Pos2 {
        pos2(self.x(point[0]), self.y(point[1]))
    }

    pub(super) fn x_place(&self, x: f32) -> f64 {
        let share = f64::from((x - self.rect.left()) / self.rect.width().max(1.0));
        self.x.0 + share * (self.x.1 - self.x.0)
    }

    pub(super) fn y_place(&self, y: f32) -> f64 {
        let share = f64::from((self.rect.bottom() - y) / self.rect.height().max(1.0));
        self.y.0 + share * (self.y.1 - self.y.0)
    }

    pub(super) fn shows_x(&self, place: f64) -> bool {
        place >= self.x.0 && place <= self.x.1
    }
}

/// Places the panes above each other in `area`.
pub(super) fn layout(chart: &Chart, area: Rect, x: (f64, f64)) -> Vec<Map> {
    let n = chart.panes.len();
    let gaps = BETWEEN_PANES * n.saturating_sub(1) as f32;
    let total: f32 = chart.panes.iter().map(|p| p.share.max(0.01)).sum();
    let room = (area.height() - gaps).max(1.0);
    let mut top = area.top();
    let mut maps = Vec::with_capacity(n);
    for pane in &chart.panes {
        let height = (room * pane.share.max(0.01) / total.max(0.01)).round();
        let rail = if pane.has_rail { RAIL } else { 0.0 };
        let rect = Rect::from_min_max(
            pos2(area.left(), (top + rail).round()),
            pos2(area.right(), (top + height).round().min(area.bottom())),
        );
        maps.push(Map {
            rect,
            x,
            y: pane.y.range,
        });
        top += height + BETWEEN_PANES;
    }
    maps
}

/// The first pane names its zones in the row of the caption.
pub(super) fn has_zone_names(chart: &Chart) -> bool {
    let named = |shape: &Shape| matches!(shape, Shape::Span { label, .. } if !label.is_empty());
    let first = chart.panes.first();
    first.is_some_and(|p| p.marks.iter().any(|m| named(&m.shape)))
}

/// The upper pane's caption, aligned with the card's title; gives back where it ends.
pub(super) fn caption(ui: &Ui, card: Rect, chart: &Chart) -> f32 {
    let theme = Theme::of(ui);
    let Some(pane) = chart.panes.first() else {
        return card.left();
    };
    let at = pos2(card.left() + SIDE, card.top() + CAPTION_Y);
    let words = &pane.y.caption;
    let kind = Text::Caption;
    widgets::text(
        ui.painter(),
        at,
        Align2::LEFT_CENTER,
        words,
        kind,
        theme.muted,
    )
    .right()
}

/// Draws all panes.
pub(super) fn draw(
    ui: &mut Ui,
    chart: &Chart,
    maps: &[Map],
    hidden: &BTreeSet<usize>,
    (name, caption_end): (&str, f32),
) {
    let theme = Theme::of(ui);
    let last = maps.len().saturating_sub(1);
    for (i, (pane, map)) in chart.panes.iter().zip(maps).enumerate() {
        y_axis(ui, pane, map);
        if i > 0 {
            let at = pos2(map.rect.left() + 2.0, map.rect.top() - 9.0);
            let words = &pane.y.caption;
            let kind = Text::Caption;
            widgets::text(
                ui.painter(),
                at,
                Align2::LEFT_CENTER,
                words,
                kind,
                theme.muted,
            );
        }
        let names_from = (i == 0).then_some(caption_end);
        marks::under(ui, pane, map, hidden, names_from);
        plot(ui, pane, map, hidden, (name, i));
        let base = Stroke::new(1.0, theme.line_strong);
        ui.painter()
            .hline(map.rect.x_range(), map.rect.bottom() + 0.5, base);
        marks::over(ui, pane, map, hidden);
    }
    if let Some(map) = maps.get(last) {
        x_axis(ui, &chart.x, map);
    }
}

/// What egui_plot draws: lines, areas, bars.
fn plot(ui: &mut Ui, pane: &Pane, map: &Map, hidden: &BTreeSet<usize>, id: (&str, usize)) {
    let theme = Theme::of(ui);
    let (x, y) = (map.x, map.y);
    if !(x.1 > x.0 && y.1 > y.0) {
        return;
    }
    ui.scope_builder(UiBuilder::new().max_rect(map.rect).id_salt(id), |ui| {
        Plot::new("pane")
            .width(map.rect.width())
            .height(map.rect.height())
            .min_size(Vec2::splat(1.0))
            .show_axes(false)
            .show_grid(false)
            .show_background(false)
            .show_x(false)
            .show_y(false)
            .show_crosshair(false)
            .set_margin_fraction(Vec2::ZERO)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_drag(false)
            .allow_boxed_zoom(false)
            .allow_double_click_reset(false)
            .allow_axis_zoom_drag(false)
            .sense(egui::Sense::hover())
            .show(ui, |plot| {
                plot.set_plot_bounds_x(x.0..=x.1);
                plot.set_plot_bounds_y(y.0..=y.1);
                for mark in &pane.marks {
                    if mark.series.is_none_or(|s| !hidden.contains(&s)) {
                        marks::items(plot, theme, mark);
                    }
                }
            });
    });
}

fn y_axis(ui: &Ui, pane: &Pane, map: &Map) {
    let theme = Theme::of(ui);
    let painter = ui.painter();
    let mut free = f32::INFINITY;
    for tick in pane.y.ticks(y_room(&pane.y, map.rect.height())) {
        let y = map.y(tick.place).round();
        if y < map.rect.top() - 1.0 || y > map.rect.bottom() + 1.0 {
            continue;
        }
        if (y - map.rect.bottom()).abs() > 1.0 {
            painter.hline(map.rect.x_range(), y + 0.5, theme.hairline());
        }
        // Ticks come from below; a label that would touch the one before stays away.
        if y + 6.0 > free {
            continue;
        }
        free = y - 6.0;
        let at = pos2(map.rect.left() - 5.0, y);
        let kind = Text::Caption;
        widgets::text(
            painter,
            at,
            Align2::RIGHT_CENTER,
            &tick.label,
            kind,
            theme.muted,
        );
    }
}

/// The room that the ticks of a y axis are chosen for: words stand closer above each other than beside each other.
fn y_room(axis: &Axis, height: f32) -> f32 {
    /// Room per decade from which a log axis has ticks at 1, 2, 5, and at 1, 3; see [`Axis::ticks`].
    const ROOM_125: f32 = 151.0;
    const ROOM_13: f32 = 85.0;
    /// What two labels need.
    const LINE: f32 = 13.0;
    if !axis.is_log() {
        return height * 1.6;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a few decades")]
    let decades = (axis.range.1 - axis.range.0) as f32;
    if decades >= 2.0 {
        return height * 2.0;
    }
    // Under two decades there may be a single power of ten: take what the height allows.
    let tightest = 2f32.log10() * height / decades.max(0.1);
    let room = if tightest >= LINE { ROOM_125 } else { ROOM_13 };
    (height * 2.0).max(room * decades)
}

fn x_axis(ui: &Ui, axis: &Axis, map: &Map) {
    let theme = Theme::of(ui);
    let painter = ui.painter();
    let shown = Axis {
        range: map.x,
        ..axis.clone()
    };
    let mut free = f32::NEG_INFINITY;
    for tick in shown.ticks(map.rect.width()) {
        let half = widgets::text_width(painter, &tick.label, Text::Caption) / 2.0;
        let x = map.x(tick.place).clamp(
            map.rect.left() - 4.0,
            (map.rect.right() + SIDE - 4.0 - half).max(map.rect.left()),
        );
        if x - half < free + 6.0 {
            continue;
        }
        free = x + half;
        let at = pos2(x, map.rect.bottom() + 8.0);
        let kind = Text::Caption;
        widgets::text(
            painter,
            at,
            Align2::CENTER_CENTER,
            &tick.label,
            kind,
            theme.muted,
        );
    }
}

/// The line under the pointer, through all panes.
pub(super) fn cursor(ui: &Ui, maps: &[Map], x: f32) {
    let theme = Theme::of(ui);
    for map in maps {
        ui.painter().vline(
            x.round() + 0.5,
            map.rect.y_range(),
            Stroke::new(1.0, theme.line_strong),
        );
    }
}
