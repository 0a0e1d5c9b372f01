//! Words in a plot: names of lines, rules and dots, each on a plate of the card's colour and clear of the others.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use egui::{Align2, Color32, Painter, Pos2, Rect, pos2, vec2};

use super::marks::{rule_ink, rule_x, rule_y, shown};
use super::{ink, pane::Map};
use crate::app::theme::{Text, Theme};
use crate::app::widgets;
use crate::chart::{Colour, Dot, LabelSide, Mark, Pane, Shape};

/// A line's or dot's plate hides what is under the words.
const PLATE: f32 = 2.0;
/// The middle of a name stands this far below the plot's upper edge at least.
const CEILING: f32 = 4.0;
/// The middle of a name stands this far above the plot's floor at least.
const FLOOR: f32 = 6.0;
/// Names at line ends stand at least this far apart.
const APART: f32 = 13.0;

/// Names of the rules, over all lines; one that would touch another stands a line lower.
pub(super) fn rule_names(
    painter: &Painter,
    theme: &Theme,
    map: &Map,
    pane: &Pane,
    hidden: &BTreeSet<usize>,
    mut taken: Vec<Rect>,
) {
    for mark in shown(pane, hidden) {
        let Shape::VLine {
            at, label, side, ..
        } = &mark.shape
        else {
            continue;
        };
        let Some((x, beyond)) = rule_x(map, mark, *at).filter(|_| !label.is_empty()) else {
            continue;
        };
        let label = match beyond {
            Ordering::Less => format!("← {label}"),
            Ordering::Equal => label.clone(),
            Ordering::Greater => format!("{label} →"),
        };
        let label = label.as_str();
        let is_now = label == "now";
        let kind = if is_now {
            Text::Caption
        } else {
            Text::CaptionStrong
        };
        let gap = if is_now { 9.0 } else { 6.0 };
        let width = widgets::text_width(painter, label, kind);
        let wants_left = matches!(side, LabelSide::Left | LabelSide::UpLeft);
        let (at, anchor) = beside_rule(map, (x.round() + 0.5, gap), width, wants_left, &taken);
        taken.push(plate_of(at, anchor, width));
        let of_goal = mark.colour == Colour::Ok;
        let ink = if of_goal { theme.ok } else { theme.text };
        let ink = rule_ink(theme, label, ink);
        plated(painter, theme, at, anchor, label, (kind, ink));
    }
}

fn plate_of(at: Pos2, anchor: Align2, width: f32) -> Rect {
    let plate = anchor.anchor_size(at, vec2(width, 13.0));
    plate.expand2(vec2(4.0, 0.0))
}

/// A free place beside a rule: one of the upper two on the side that is wanted, or on the other, or further down; where
/// none is free the one that covers least.
fn beside_rule(
    map: &Map,
    (x, gap): (f32, f32),
    width: f32,
    wants_left: bool,
    taken: &[Rect],
) -> (Pos2, Align2) {
    const ROW: f32 = 14.0;
    let left = (x - gap, Align2::RIGHT_CENTER);
    let right = (x + gap, Align2::LEFT_CENTER);
    let has_left = x - gap - width >= map.rect.left();
    let has_right = x + gap + width <= map.rect.right() + 8.0;
    let sides = match (wants_left && has_left || !has_right, has_left && has_right) {
        (true, true) => vec![left, right],
        (false, true) => vec![right, left],
        (true, false) => vec![left],
        (false, false) => vec![right],
    };
    let rows = (0u8..8).map(|i| map.rect.top() + 9.0 + ROW * f32::from(i));
    let rows: Vec<f32> = rows.filter(|y| *y <= map.rect.bottom() - FLOOR).collect();
    let (upper, lower) = rows.split_at(rows.len().min(2));
    let mut best = (f32::INFINITY, (pos2(x, map.rect.top() + 9.0), right.1));
    for rows in [upper, lower] {
        for (x, anchor) in &sides {
            for y in rows {
                let at = pos2(*x, *y);
                let plate = plate_of(at, *anchor, width);
                let covered = |t: &Rect| t.intersect(plate);
                let covered = taken.iter().map(covered).filter(|r| r.is_positive());
                let covered: f32 = covered.map(|r| r.area()).sum();
                if covered < best.0 {
                    best = (covered, (at, *anchor));
                }
            }
        }
    }
    best.1
}

/// Names of the lines across, over all dots.
pub(super) fn hline_names(
    painter: &Painter,
    theme: &Theme,
    map: &Map,
    pane: &Pane,
    hidden: &BTreeSet<usize>,
    taken: &[Rect],
) -> Vec<Rect> {
    let mut named: Vec<Rect> = Vec::new();
    for mark in shown(pane, hidden) {
        let Shape::HLine { at, label, .. } = &mark.shape else {
            continue;
        };
        let Some((y, beyond)) = rule_y(map, mark, *at).filter(|_| !label.is_empty()) else {
            continue;
        };
        let label = match beyond {
            Ordering::Less => format!("{label} ↑"),
            Ordering::Equal => label.clone(),
            Ordering::Greater => format!("{label} ↓"),
        };
        let label = label.as_str();
        // Above its line, or below where the plot ends above it.
        let above = y - 8.0 >= map.rect.top() + 4.0;
        let mut y = if above { y - 8.0 } else { y + 9.0 };
        let ink = ink(theme, mark.colour);
        let width = widgets::text_width(painter, label, Text::Caption);
        // Several that lie beyond one edge stand over one another.
        let step = if above { -14.0 } else { 14.0 };
        let is_taken = |y: f32| named.iter().any(|t| (t.center().y - y).abs() < 13.0);
        while beyond.is_ne() && is_taken(y) && map.rect.y_range().contains(y) {
            y += step;
        }
        // At the end where it covers less.
        let [left, right] = [
            (pos2(map.rect.left() + 4.0, y), Align2::LEFT_CENTER),
            (pos2(map.rect.right() - 4.0, y), Align2::RIGHT_CENTER),
        ];
        let covered = |(at, anchor): (Pos2, Align2)| {
            let plate = anchor.anchor_size(at, vec2(width, 13.0)).expand(4.0);
            // Words over words are worse than words over dots.
            let n_names = taken.iter().filter(|t| t.intersects(plate)).count();
            (n_names, n_inside(pane, map, hidden, plate))
        };
        let (at, anchor) = if covered(right) < covered(left) {
            right
        } else {
            left
        };
        named.push(anchor.anchor_size(at, vec2(width, 13.0)).expand(4.0));
        plated(painter, theme, at, anchor, label, (Text::Caption, ink));
    }
    named
}

/// Dots and corners of lines in that place; none where there are so many that every place has some.
fn n_inside(pane: &Pane, map: &Map, hidden: &BTreeSet<usize>, place: Rect) -> usize {
    const FEW: usize = 200;
    let mut n = 0;
    for mark in shown(pane, hidden) {
        if let Shape::Points { points, .. } | Shape::Line { points, .. } = &mark.shape
            && points.len() > FEW
        {
            return 0;
        }
        if let Shape::Points { points, dot, .. } = &mark.shape
            && *dot != Dot::Cross
        {
            n += points
                .iter()
                .filter(|p| place.contains(map.at(**p)))
                .count();
        }
        if let Shape::Line { points, .. } = &mark.shape {
            n += points
                .iter()
                .filter(|p| place.contains(map.at(**p)))
                .count();
        }
    }
    n
}

/// Words on a plate of the card's colour.
fn plated(
    painter: &Painter,
    theme: &Theme,
    at: Pos2,
    anchor: Align2,
    words: &str,
    (kind, ink): (Text, Color32),
) -> Rect {
    let width = widgets::text_width(painter, words, kind);
    let plate = anchor
        .anchor_size(at, vec2(width, 13.0))
        .expand2(vec2(PLATE, 0.0));
    painter.rect_filled(plate, 2.0, theme.surface.gamma_multiply(0.85));
    widgets::text(painter, at, anchor, words, kind, ink)
}

/// What the × on the rail are, in the column of ticks, where no legend says so.
pub(super) fn rail_name(painter: &Painter, theme: &Theme, map: &Map, labels: &[String]) {
    if let Some(words) = labels.first().filter(|w| !w.is_empty()) {
        let at = pos2(map.rect.left() - 5.0, map.rect.top() - 10.0);
        let (kind, ink) = (Text::Caption, theme.muted);
        widgets::text(painter, at, Align2::RIGHT_CENTER, words, kind, ink);
    }
}

/// Names at the right of dots that stand over one another, as percentiles of one stage do, spread around their dots.
pub(super) fn columns_spread<'a>(
    map: &Map,
    mut labels: Vec<(Pos2, &'a str, LabelSide)>,
) -> Vec<(Pos2, &'a str, LabelSide)> {
    labels.sort_by(|a, b| a.0.x.total_cmp(&b.0.x).then(a.0.y.total_cmp(&b.0.y)));
    let is_one_column = |a: &(Pos2, &str, LabelSide), b: &(Pos2, &str, LabelSide)| {
        (b.0.x - a.0.x).abs() < 1.0 && a.2 == LabelSide::Right && b.2 == LabelSide::Right
    };
    for column in labels.chunk_by_mut(is_one_column) {
        let wanted: Vec<f32> = column.iter().map(|(at, ..)| at.y).collect();
        let placed = spread(&wanted);
        let moved = if column.len() > 1 {
            inward(&placed, map, CEILING)
        } else {
            0.0
        };
        for ((at, ..), y) in column.iter_mut().zip(placed) {
            at.y = y + moved;
        }
    }
    labels
}

pub(super) fn dot_label(
    painter: &Painter,
    theme: &Theme,
    map: &Map,
    (at, label, side): (Pos2, &str, LabelSide),
    taken: &mut Vec<Rect>,
) {
    let kind = Text::CaptionStrong;
    let width = widgets::text_width(painter, label, kind);
    let (offset, anchor) = match side {
        LabelSide::Left => (vec2(-8.0, 0.0), Align2::RIGHT_CENTER),
        LabelSide::Right => (vec2(8.0, 0.0), Align2::LEFT_CENTER),
        LabelSide::UpLeft => (vec2(-8.0, -10.0), Align2::RIGHT_CENTER),
        LabelSide::DownRight => (vec2(8.0, 10.0), Align2::LEFT_CENTER),
    };
    let mut at = at + offset;
    let mut anchor = anchor;
    if anchor == Align2::LEFT_CENTER && at.x + width > map.rect.right() + 8.0 {
        at.x -= 2.0 * offset.x;
        anchor = Align2::RIGHT_CENTER;
    } else if anchor == Align2::RIGHT_CENTER && at.x - width < map.rect.left() {
        at.x -= 2.0 * offset.x;
        anchor = Align2::LEFT_CENTER;
    }
    // One that would touch another stands beside it, away from the plot's floor.
    let place = |at: Pos2| anchor.anchor_size(at, vec2(width, 12.0));
    while taken.iter().any(|t: &Rect| t.intersects(place(at))) && at.y < map.rect.bottom() {
        at.y += APART;
    }
    taken.push(place(at));
    plated(painter, theme, at, anchor, label, (kind, theme.text));
}

/// The names at the ends of lines, at least [`APART`].
pub(super) fn end_labels(
    painter: &Painter,
    theme: &Theme,
    map: &Map,
    pane: &Pane,
    hidden: &BTreeSet<usize>,
) -> Vec<Rect> {
    let mut labels: Vec<(Pos2, &str, Color32)> = Vec::new();
    for mark in shown(pane, hidden) {
        if let Shape::Line {
            points, end_label, ..
        } = &mark.shape
            && let Some(last) = points.last().filter(|p| map.shows_x(p[0]))
            && !end_label.is_empty()
        {
            labels.push((map.at(*last), end_label, ink(theme, mark.colour)));
        }
    }
    labels.sort_by(|a, b| a.0.y.total_cmp(&b.0.y));
    let wanted: Vec<f32> = labels.iter().map(|(at, ..)| at.y).collect();
    let placed = spread(&wanted);
    // Where they would leave the plot, all of them come down.
    let is_now = |m: &Mark| matches!(&m.shape, Shape::VLine { label, .. } if label == "now");
    // “now” stands at the top, where the lines of a run under way end.
    let top = if shown(pane, hidden).any(is_now) {
        20.0
    } else {
        CEILING
    };
    let down = inward(&placed, map, top);
    let rules = rules_of(map, pane, hidden);
    let mut named = Vec::new();
    for ((at, words, ink), y) in labels.into_iter().zip(placed) {
        let y = y + down;
        let strong = ink == theme.text;
        let kind = if strong {
            Text::CaptionStrong
        } else {
            Text::Caption
        };
        let width = widgets::text_width(painter, words, kind);
        // Not across a rule, beside which its name stands.
        let mut x = at.x + 9.0;
        for rule in &rules {
            if x - PLATE <= *rule && *rule <= x + width + PLATE {
                x = rule + 6.0;
            }
        }
        let x = x.min(map.rect.right() + 8.0 - width);
        let plate = plated(
            painter,
            theme,
            pos2(x, y),
            Align2::LEFT_CENTER,
            words,
            (kind, ink),
        );
        named.push(plate.expand2(vec2(PLATE, 0.0)));
    }
    named
}

/// Where rules stand that names must not cross.
fn rules_of(map: &Map, pane: &Pane, hidden: &BTreeSet<usize>) -> Vec<f32> {
    let of = |m: &Mark| match &m.shape {
        Shape::VLine { at, label, .. } if label != "now" && map.shows_x(*at) => Some(map.x(*at)),
        _ => None,
    };
    shown(pane, hidden).filter_map(of).collect()
}

/// How far names at these places, which grow, move to stay in the plot: above and below it stand captions.
fn inward(placed: &[f32], map: &Map, top: f32) -> f32 {
    let (Some(first), Some(last)) = (placed.first(), placed.last()) else {
        return 0.0;
    };
    let down = (map.rect.top() + top - first).max(0.0);
    let up = (last + down - (map.rect.bottom() - FLOOR)).max(0.0);
    down - up
}

/// Places that are [`APART`] and as near to the wanted ones, which grow, as that allows: those that are too close share
/// their middle.
fn spread(wanted: &[f32]) -> Vec<f32> {
    // Groups of names that touch: how many, and where the first stands.
    let mut groups: Vec<(usize, f32)> = Vec::new();
    for at in wanted {
        let (mut n, mut first) = (1, *at);
        while let Some((before, start)) = groups.last().copied() {
            if start + before as f32 * APART <= first {
                break;
            }
            groups.pop();
            // The mean of where each would have the first one.
            let moved = first - before as f32 * APART;
            first = (start * before as f32 + moved * n as f32) / (before + n) as f32;
            n += before;
        }
        groups.push((n, first));
    }
    let of = |(n, first): (usize, f32)| (0..n).map(move |i| first + i as f32 * APART);
    groups.into_iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_touch_share_their_middle() {
        assert_eq!(spread(&[]), Vec::<f32>::new());
        assert_eq!(spread(&[10.0, 50.0]), [10.0, 50.0]);
        // All at one place: the middle one stays.
        assert_eq!(spread(&[40.0, 40.0, 40.0]), [27.0, 40.0, 53.0]);
        // The third pushes the pair that was pushed apart already.
        assert_eq!(spread(&[40.0, 40.0, 49.0, 90.0]), [30.0, 43.0, 56.0, 90.0]);
    }
}
