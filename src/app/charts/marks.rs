//! How each mark of a chart is drawn.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use egui::{Color32, Painter, Pos2, Rect, Shape as Paint, Stroke, Ui, pos2, vec2};
use egui_plot::{FilledArea, Line, PlotPoints, PlotUi, Polygon};

use super::names::{columns_spread, dot_label, end_labels, hline_names, rail_name, rule_names};
use super::zones::zone_names;
use super::{CAPTION_Y, PLOT_TOP, RAIL, ink, pane::Map};
use crate::app::theme::Theme;
use crate::chart::{Colour, Dot, Mark, Pane, Rule, Shape};

fn fill(theme: &Theme, colour: Colour) -> f32 {
    match colour {
        Colour::Ok | Colour::Caution => theme.fill_goal,
        Colour::Stage { .. } | Colour::SideA | Colour::SideB => theme.fill_histogram,
        _ => 0.18,
    }
}

/// What egui_plot draws of a mark.
pub(super) fn items(plot: &mut PlotUi<'_>, theme: &Theme, mark: &Mark) {
    let color = ink(theme, mark.colour);
    match &mark.shape {
        Shape::Line {
            points,
            width,
            is_dashed: false,
            is_stepped,
            ..
        } => {
            let line = Line::new("", PlotPoints::from(points.clone()))
                .color(color)
                .width(*width)
                .allow_hover(false)
                .allow_band(!is_stepped && points.len() > 600);
            plot.line(line);
        }
        Shape::Area { points, base } => {
            let xs: Vec<f64> = points.iter().map(|p| p[0]).collect();
            let low = vec![*base; points.len()];
            let high: Vec<f64> = points.iter().map(|p| p[1]).collect();
            let area = FilledArea::new("", &xs, &low, &high)
                .fill_color(color.gamma_multiply(fill(theme, mark.colour)))
                .allow_hover(false);
            plot.add(area);
        }
        Shape::Band { points } => {
            let xs: Vec<f64> = points.iter().map(|p| p[0]).collect();
            let low: Vec<f64> = points.iter().map(|p| p[1]).collect();
            let high: Vec<f64> = points.iter().map(|p| p[2]).collect();
            let band = FilledArea::new("", &xs, &low, &high)
                .fill_color(color.gamma_multiply(0.18))
                .allow_hover(false);
            plot.add(band);
        }
        Shape::Bars { bars, is_solid } => {
            let color = if *is_solid {
                color
            } else {
                color.gamma_multiply(fill(theme, mark.colour))
            };
            for bar in bars {
                let corners = vec![
                    [bar.x0, bar.y0],
                    [bar.x1, bar.y0],
                    [bar.x1, bar.y1],
                    [bar.x0, bar.y1],
                ];
                let polygon = Polygon::new("", PlotPoints::from(corners))
                    .fill_color(color)
                    .stroke(Stroke::NONE)
                    .allow_hover(false);
                plot.polygon(polygon);
            }
        }
        // Dashed lines are thinned first: see `dashes`.
        Shape::Line { .. }
        | Shape::Points { .. }
        | Shape::VLine { .. }
        | Shape::HLine { .. }
        | Shape::Span { .. }
        | Shape::Zone { .. } => {}
    }
}

/// What lies under the lines: zones of stages, a goal's zone. `names_from`: where their names may begin, if they have any.
pub(super) fn under(
    ui: &Ui,
    pane: &Pane,
    map: &Map,
    hidden: &BTreeSet<usize>,
    names_from: Option<f32>,
) {
    let theme = Theme::of(ui);
    for mark in shown(pane, hidden) {
        if let Shape::Zone { x, y } = &mark.shape {
            goal_zone(ui, map, ink(theme, mark.colour), (*x, *y));
        }
    }
    let mut zones = Vec::new();
    for mark in shown(pane, hidden) {
        let Shape::Span { from, to, label } = &mark.shape else {
            continue;
        };
        let color = ink(theme, mark.colour);
        let (left, right) = (
            map.x(*from).max(map.rect.left()),
            map.x(*to).min(map.rect.right()),
        );
        if right <= left {
            continue;
        }
        let zone = Rect::from_min_max(pos2(left, map.rect.top()), pos2(right, map.rect.bottom()));
        ui.painter()
            .rect_filled(zone, 0.0, color.gamma_multiply(theme.fill_zone));
        if names_from.is_none() || label.is_empty() {
            continue;
        }
        let edge = Rect::from_min_max(zone.min - vec2(0.0, 1.0), pos2(right, zone.top() + 1.0));
        ui.painter().rect_filled(edge, 0.0, color);
        zones.push(((left, right), label.as_str()));
    }
    if let Some(from) = names_from {
        let rail = if pane.has_rail { RAIL } else { 0.0 };
        let y = map.rect.top() - rail - PLOT_TOP + CAPTION_Y;
        zone_names(ui.painter(), theme, zones, (from, y));
    }
}

/// Where a goal is met or missed.
fn goal_zone(ui: &Ui, map: &Map, color: Color32, (x, y): ((f64, f64), (f64, f64))) {
    let edge = |at: f32, low: f32, high: f32| {
        if at.is_nan() {
            low
        } else {
            at.clamp(low, high)
        }
    };
    let (rect, theme) = (map.rect, Theme::of(ui));
    let zone = Rect::from_min_max(
        pos2(
            edge(map.x(x.0), rect.left(), rect.right()),
            edge(map.y(y.1), rect.top(), rect.bottom()),
        ),
        pos2(
            edge(map.x(x.1), rect.left(), rect.right()),
            edge(map.y(y.0), rect.top(), rect.bottom()),
        ),
    );
    if zone.is_positive() {
        let fill = color.gamma_multiply(theme.fill_goal);
        ui.painter().rect_filled(zone, 0.0, fill);
    }
}

/// What lies over the lines: dots, rules, labels.
pub(super) fn over(ui: &Ui, pane: &Pane, map: &Map, hidden: &BTreeSet<usize>) {
    let theme = Theme::of(ui);
    let inside = ui.painter().with_clip_rect(map.rect.expand(6.0));
    let painter = ui.painter();
    for mark in shown(pane, hidden) {
        let color = ink(theme, mark.colour);
        match &mark.shape {
            Shape::VLine {
                at, label, style, ..
            } => {
                if let Some((x, _)) = rule_x(map, mark, *at) {
                    vline(painter, theme, map, (x, color), label, *style);
                }
            }
            Shape::Line {
                points,
                width,
                is_dashed: true,
                ..
            } => dashes(&inside, map, points, Stroke::new(*width, color)),
            Shape::HLine { at, style, .. } => {
                if let Some((y, _)) = rule_y(map, mark, *at) {
                    hline(painter, map, (y, color), *style);
                }
            }
            _ => {}
        }
    }
    let mut labelled = Vec::new();
    for mark in shown(pane, hidden) {
        let color = ink(theme, mark.colour);
        if let Shape::Points {
            points,
            dot,
            labels,
            side,
        } = &mark.shape
        {
            let on = if *dot == Dot::Cross { painter } else { &inside };
            dots(on, theme, map, points, (*dot, color));
            if *dot == Dot::Cross {
                rail_name(painter, theme, map, labels);
                continue;
            }
            for (point, label) in points.iter().zip(labels) {
                if map.shows_x(point[0]) && !label.is_empty() {
                    labelled.push((map.at(*point), label.as_str(), *side));
                }
            }
        }
    }
    let mut taken = Vec::new();
    for label in columns_spread(map, labelled) {
        dot_label(painter, theme, map, label, &mut taken);
    }
    let mut named = hline_names(painter, theme, map, pane, hidden, &taken);
    named.extend(end_labels(painter, theme, map, pane, hidden));
    rule_names(painter, theme, map, pane, hidden, named);
}

pub(super) fn shown<'a>(
    pane: &'a Pane,
    hidden: &'a BTreeSet<usize>,
) -> impl Iterator<Item = &'a Mark> {
    let visible = |mark: &&Mark| mark.series.is_none_or(|s| !hidden.contains(&s));
    pane.marks.iter().filter(visible)
}

/// A dashed line through every few points: dashes along small steps would be dots.
fn dashes(painter: &Painter, map: &Map, points: &[[f64; 2]], stroke: Stroke) {
    const APART: f32 = 7.0;
    let mut path: Vec<Pos2> = Vec::new();
    for (i, point) in points.iter().enumerate() {
        let at = map.at(*point);
        let is_end = i == 0 || i + 1 == points.len();
        if is_end
            || path
                .last()
                .is_none_or(|last| (at.x - last.x).abs() >= APART)
        {
            path.push(at);
        }
    }
    painter.extend(Paint::dashed_line(&path, stroke, 4.0, 4.0));
}

fn dashed(painter: &Painter, ends: [Pos2; 2], stroke: Stroke, dash: f32) {
    painter.extend(Paint::dashed_line(&ends, stroke, dash, dash));
}

/// Where a rule stands, and whether it lies beyond: a goal outside the plot stands at the edge nearest to it.
pub(super) fn rule_x(map: &Map, mark: &Mark, at: f64) -> Option<(f32, Ordering)> {
    at_edge(mark, map.x(at), (map.rect.left(), map.rect.right()))
}

/// As [`rule_x`]: [`Ordering::Less`] is above.
pub(super) fn rule_y(map: &Map, mark: &Mark, at: f64) -> Option<(f32, Ordering)> {
    at_edge(mark, map.y(at), (map.rect.top(), map.rect.bottom()))
}

fn at_edge(mark: &Mark, at: f32, (low, high): (f32, f32)) -> Option<(f32, Ordering)> {
    // A hair beyond the edge is rounding.
    const HAIR: f32 = 0.01;
    let beyond = match at {
        at if at < low - HAIR => Ordering::Less,
        at if at > high + HAIR => Ordering::Greater,
        _ => Ordering::Equal,
    };
    let is_shown = beyond.is_eq() || mark.colour == Colour::Ok;
    (is_shown && !at.is_nan()).then(|| (at.clamp(low, high), beyond))
}

/// The colour of a rule; now is where a person is.
pub(super) fn rule_ink(theme: &Theme, label: &str, color: Color32) -> Color32 {
    if label == "now" { theme.accent } else { color }
}

fn vline(
    painter: &Painter,
    theme: &Theme,
    map: &Map,
    (x, color): (f32, Color32),
    label: &str,
    style: Rule,
) {
    let x = x.round() + 0.5;
    let ends = [pos2(x, map.rect.top()), pos2(x, map.rect.bottom())];
    let stroke = Stroke::new(1.0, rule_ink(theme, label, color));
    match style {
        Rule::Solid => {
            painter.vline(x, map.rect.y_range(), stroke);
        }
        Rule::Dashed => dashed(painter, ends, stroke, 4.0),
        Rule::Knee => dashed(painter, ends, stroke, 3.0),
    }
    if label == "now" {
        painter.circle_filled(ends[0], 2.5, stroke.color);
    }
}

fn hline(painter: &Painter, map: &Map, (y, color): (f32, Color32), style: Rule) {
    let y = y.round() + 0.5;
    let stroke = Stroke::new(1.0, color);
    let ends = [pos2(map.rect.left(), y), pos2(map.rect.right(), y)];
    match style {
        Rule::Solid => {
            painter.hline(map.rect.x_range(), y, stroke);
        }
        Rule::Dashed => dashed(painter, ends, stroke, 4.0),
        Rule::Knee => dashed(painter, ends, stroke, 3.0),
    }
}

fn dots(
    painter: &Painter,
    theme: &Theme,
    map: &Map,
    points: &[[f64; 2]],
    (dot, color): (Dot, Color32),
) {
    let visible = points.iter().filter(|p| map.shows_x(p[0]));
    let (radius, ring) = match dot {
        Dot::Request | Dot::Binned => {
            painter.extend(visible.map(|p| Paint::circle_filled(map.at(*p), 1.75, color)));
            return;
        }
        Dot::Pale => {
            let pale = color.gamma_multiply(0.4);
            painter.extend(visible.map(|p| Paint::circle_filled(map.at(*p), 1.75, pale)));
            return;
        }
        Dot::Cold => {
            let ring = Stroke::new(1.5, theme.text);
            painter.extend(visible.map(|p| Paint::circle_stroke(map.at(*p), 4.0, ring)));
            return;
        }
        Dot::Cross => {
            for point in visible {
                let center = pos2(map.x(point[0]), map.rect.top() - 10.0);
                cross(painter, center, 3.0, color);
            }
            return;
        }
        Dot::LargeCross | Dot::MediumCross | Dot::SmallCross => {
            let half = match dot {
                Dot::LargeCross => 4.0,
                Dot::MediumCross => 3.5,
                _ => 3.0,
            };
            for point in visible {
                let center = map.at(*point);
                painter.circle_filled(center, half + 1.0, theme.surface);
                cross(painter, center, half, color);
            }
            return;
        }
        Dot::Large => (4.0, false),
        Dot::Medium => (3.0, false),
        Dot::Small => (2.5, false),
        Dot::LargeRing => (4.0, true),
        Dot::MediumRing => (3.0, true),
        Dot::SmallRing => (2.5, true),
    };
    for point in visible {
        let center = map.at(*point);
        painter.circle_filled(center, radius + 1.5, theme.surface);
        if ring {
            painter.circle_stroke(center, radius, Stroke::new(1.5, color));
        } else {
            painter.circle_filled(center, radius, color);
        }
    }
}

/// The × of a failed request.
pub(super) fn cross(painter: &Painter, center: Pos2, half: f32, color: Color32) {
    let stroke = Stroke::new(1.5, color);
    let (a, b) = (vec2(half, half), vec2(half, -half));
    painter.line_segment([center - a, center + a], stroke);
    painter.line_segment([center - b, center + b], stroke);
}
