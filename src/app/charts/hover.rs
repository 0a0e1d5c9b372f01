//! What the pointer is over, exactly, in a tooltip.

use std::collections::BTreeSet;

use egui::{Color32, Pos2, Sense, Ui, vec2};

use super::{ink, pane::Map};
use crate::app::theme::{Text, Theme};
use crate::app::widgets;
use crate::chart::{Axis, AxisKind, Chart, Mark, Shape};

/// How near the pointer has to be to a dot, in points.
const NEAR: f32 = 14.0;
const WIDTH: f32 = 216.0;
const MAX_ROWS: usize = 10;

/// A tooltip's lines.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Hover {
    pub head: String,
    /// The stage whose zone the pointer is in.
    pub zone: Option<(Color32, String)>,
    pub rows: Vec<(String, String)>,
}

/// Everything that stands at the pointer's place.
pub(super) fn at(
    theme: &Theme,
    chart: &Chart,
    maps: &[Map],
    pointer: Pos2,
    hidden: &BTreeSet<usize>,
) -> Hover {
    let mut hover = Hover::default();
    let Some(first) = maps.first() else {
        return hover;
    };
    let place = first.x_place(pointer.x);
    hover.head = chart.x.text(place);
    let is_order = chart.x.kind == AxisKind::Number;
    for pane in &chart.panes {
        for mark in &pane.marks {
            if mark.series.is_some_and(|s| hidden.contains(&s)) {
                continue;
            }
            match &mark.shape {
                Shape::Span { from, to, label }
                    if (*from..*to).contains(&place) && !label.is_empty() =>
                {
                    hover.zone = Some((ink(theme, mark.colour), label.clone()));
                }
                Shape::Line {
                    points, end_label, ..
                } => {
                    let Some(point) = nearest_x(points, place) else {
                        continue;
                    };
                    let name = name_of(chart, mark, end_label, &pane.y.caption);
                    hover.rows.push((name, words(&pane.y, point[1])));
                }
                Shape::Bars { bars, .. } => {
                    let place = if is_order { place.round() } else { place };
                    if let Some(bar) = bars.iter().find(|b| (b.x0..b.x1).contains(&place)) {
                        hover.head = if is_order {
                            format!("Request {}", chart.x.text(place))
                        } else {
                            format!("{} to {}", chart.x.text(bar.x0), chart.x.text(bar.x1))
                        };
                        let name = name_of(chart, mark, "", &pane.y.caption);
                        hover.rows.push((name, words(&pane.y, bar.y1 - bar.y0)));
                    }
                }
                _ => {}
            }
        }
    }
    // Where there are points at certain levels only, the tooltip speaks of the nearest level: its row of the table says more
    // than the lines.
    level_rows(chart, first, pointer, &mut hover);
    dot_rows(theme, chart, maps, pointer, hidden, &mut hover);
    unique(&mut hover.rows);
    hover
}

/// The table's row of the level that is nearest to the pointer.
fn level_rows(chart: &Chart, map: &Map, pointer: Pos2, hover: &mut Hover) {
    let away = |place: &f64| (map.x(*place) - pointer.x).abs();
    let places = chart.table.places.iter().enumerate();
    let nearest = places.min_by(|a, b| away(a.1).total_cmp(&away(b.1)));
    let Some(row) = nearest.and_then(|(i, _)| chart.table.rows.get(i)) else {
        return;
    };
    if let Some((name, cells)) = row.split_first() {
        hover.head.clone_from(name);
        let names = chart.table.header.iter().skip(1).cloned();
        hover.rows = names.zip(cells.iter().cloned()).collect();
    }
}

/// Charts of dots alone: the nearest dot.
fn dot_rows(
    theme: &Theme,
    chart: &Chart,
    maps: &[Map],
    pointer: Pos2,
    hidden: &BTreeSet<usize>,
    hover: &mut Hover,
) {
    if !hover.rows.is_empty() {
        return;
    }
    let mut best: Option<(f32, &Mark, &Axis, [f64; 2])> = None;
    for (pane, map) in chart.panes.iter().zip(maps) {
        for mark in &pane.marks {
            let Shape::Points { points, .. } = &mark.shape else {
                continue;
            };
            if mark.series.is_some_and(|s| hidden.contains(&s)) {
                continue;
            }
            for point in points {
                let away = map.at(*point).distance(pointer);
                if away < NEAR && best.as_ref().is_none_or(|(d, ..)| away < *d) {
                    best = Some((away, mark, &pane.y, *point));
                }
            }
        }
    }
    match best {
        Some((_, mark, y, point)) => {
            let is_order = chart.x.kind == AxisKind::Number;
            let place = chart.x.text(point[0]);
            hover.head = if is_order {
                format!("Request {place}")
            } else {
                place
            };
            let kind = name_of(chart, mark, "", &y.caption);
            hover.zone = Some((ink(theme, mark.colour), kind));
            let value = words(y, point[1]);
            hover.rows.push((caption_name(&y.caption), value));
        }
        None => {
            if let (Some(pane), Some(map)) = (chart.panes.first(), maps.first())
                && chart.x.kind != AxisKind::Number
                && map.rect.contains(pointer)
            {
                let name = caption_name(&pane.y.caption);
                hover
                    .rows
                    .push((name, words(&pane.y, map.y_place(pointer.y))));
            }
        }
    }
}

/// The dashed end of a line repeats its name; the first value stands.
fn unique(rows: &mut Vec<(String, String)>) {
    let mut seen = BTreeSet::new();
    rows.retain(|(name, _)| seen.insert(name.clone()));
    rows.truncate(MAX_ROWS);
}

fn name_of(chart: &Chart, mark: &Mark, end_label: &str, caption: &str) -> String {
    if !end_label.is_empty() {
        return end_label.to_owned();
    }
    let entry = mark.series.and_then(|s| chart.legend.get(s));
    entry.map_or_else(|| caption_name(caption), |e| e.name.clone())
}

/// A value with its unit; the caption names one that the axis itself does not.
fn words(axis: &Axis, place: f64) -> String {
    let text = axis.text(place);
    match axis.caption.split_once(", ") {
        Some((_, unit @ ("tok/s" | "req/s"))) => format!("{text} {unit}"),
        _ => text,
    }
}

fn caption_name(caption: &str) -> String {
    caption.split(',').next().unwrap_or(caption).to_owned()
}

fn nearest_x(points: &[[f64; 2]], x: f64) -> Option<[f64; 2]> {
    let after = points.partition_point(|p| p[0] < x);
    let next = points.get(after);
    let before = after.checked_sub(1).and_then(|i| points.get(i));
    match (before, next) {
        (Some(a), Some(b)) => Some(if (x - a[0]).abs() <= (b[0] - x).abs() {
            *a
        } else {
            *b
        }),
        // Beyond a line's ends there is nothing to say, except at its very end.
        (Some(a), None) | (None, Some(a)) => {
            let span = points.last()?[0] - points.first()?[0];
            ((x - a[0]).abs() <= span * 0.03 + 1e-9 || points.len() == 1).then_some(*a)
        }
        (None, None) => None,
    }
}

/// Shows the tooltip beside the pointer.
pub(super) fn tooltip(
    ui: &Ui,
    chart: &Chart,
    maps: &[Map],
    pointer: Pos2,
    hidden: &BTreeSet<usize>,
    formula: &str,
) {
    let theme = Theme::of(ui);
    let hover = at(theme, chart, maps, pointer, hidden);
    if hover.rows.is_empty() {
        return;
    }
    let id = ui.scope_id().with("tooltip");
    egui::Tooltip::always_open(
        ui.ctx().clone(),
        ui.layer_id(),
        id,
        egui::PopupAnchor::Pointer,
    )
    .gap(14.0)
    .width(WIDTH)
    .show(|ui| lines(ui, theme, &hover, formula));
}

fn lines(ui: &mut Ui, theme: &Theme, hover: &Hover, formula: &str) {
    ui.spacing_mut().item_spacing.y = 0.0;
    ui.set_width(WIDTH);
    egui::Frame::NONE
        .inner_margin(egui::Margin::symmetric(6, 4))
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 8.0;
                ui.label(Text::LabelStrong.rich(&hover.head, theme.text));
                if let Some((color, name)) = &hover.zone {
                    let (area, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
                    ui.painter().rect_filled(area, 2.0, *color);
                    ui.label(Text::Label.rich(name, theme.secondary));
                }
            });
            ui.add_space(2.0);
            for (name, value) in &hover.rows {
                let wanted = vec2(ui.available_width(), 18.0);
                let (row, _) = ui.allocate_exact_size(wanted, Sense::hover());
                let painter = ui.painter();
                let (left, right) = (row.left_center(), row.right_center());
                let (from, to) = (egui::Align2::LEFT_CENTER, egui::Align2::RIGHT_CENTER);
                let value = widgets::text(painter, right, to, value, Text::LabelStrong, theme.text);
                let room = value.left() - 8.0 - left.x;
                widgets::elided(painter, left, from, name, Text::Label, theme.muted, room);
            }
            if !formula.is_empty() {
                ui.add_space(4.0);
                ui.add(egui::Label::new(Text::Caption.rich(formula, theme.muted)).wrap());
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_point_is_taken_and_nothing_beyond_the_ends() {
        let points = [[0.0, 1.0], [10.0, 2.0], [20.0, 3.0]];
        assert_eq!(nearest_x(&points, 4.0), Some([0.0, 1.0]));
        assert_eq!(nearest_x(&points, 6.0), Some([10.0, 2.0]));
        assert_eq!(nearest_x(&points, 20.2), Some([20.0, 3.0]));
        assert_eq!(nearest_x(&points, 40.0), None);
        assert_eq!(nearest_x(&[], 1.0), None);
    }
}
