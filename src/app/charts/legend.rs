//! The row of names above a plot, at its right.

use std::collections::BTreeSet;

use egui::{Align2, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::{CAPTION_Y, SIDE, ink, marks, units};
use crate::app::theme::{Text, Theme, radius};
use crate::app::widgets;
use crate::chart::{LegendEntry, Swatch};

/// Room of a swatch before its name, and of one without a name.
const SWATCH: f32 = 14.0;
const BARE: f32 = 10.0;
const TIGHT: f32 = 7.0;

/// What is written, as there is room.
struct Row {
    names: Vec<String>,
    between: f32,
    /// Only the first and the last are named, at the outer sides of all swatches.
    is_ramp: bool,
}

impl Row {
    fn width(&self, ui: &Ui) -> f32 {
        let words = self.names.iter().map(|name| entry_width(ui, name));
        words.sum::<f32>() + self.between * self.names.len().saturating_sub(1) as f32
    }
}

fn entry_width(ui: &Ui, name: &str) -> f32 {
    if name.is_empty() {
        BARE
    } else {
        SWATCH + widgets::text_width(ui.painter(), name, Text::Caption)
    }
}

pub(super) fn legend_ui(
    ui: &Ui,
    card: Rect,
    caption_end: f32,
    entries: &[LegendEntry],
    hidden: &mut BTreeSet<usize>,
) {
    let room = card.right() - SIDE - caption_end - 10.0;
    let row = row_of(ui, entries, room);
    let squares = entries.iter().filter(|e| e.swatch == Swatch::Square);
    let can_switch = squares.count() > 1;
    let y = card.top() + CAPTION_Y;
    let mut right = card.right() - SIDE;
    for (i, (entry, name)) in entries.iter().zip(&row.names).enumerate().rev() {
        let left = right - entry_width(ui, name);
        let area = Rect::from_min_max(pos2(left, y - 9.0), pos2(right, y + 9.0));
        let is_before = row.is_ramp && i == 0;
        entry_ui(ui, area, (i, entry), (name, is_before), can_switch, hidden);
        right = left - row.between;
    }
}

/// A swatch with its name after it, or before it.
fn entry_ui(
    ui: &Ui,
    area: Rect,
    (i, entry): (usize, &LegendEntry),
    (name, is_before): (&str, bool),
    can_switch: bool,
    hidden: &mut BTreeSet<usize>,
) {
    let theme = Theme::of(ui);
    let off = hidden.contains(&i);
    let sense = if can_switch {
        Sense::click()
    } else {
        Sense::hover()
    };
    let response = ui.interact(area, ui.scope_id().with(("legend", i)), sense);
    if response.clicked() && !hidden.remove(&i) {
        hidden.insert(i);
    }
    let faint = if off { 0.3 } else { 1.0 };
    let color = ink(theme, entry.colour).gamma_multiply(faint);
    let y = area.center().y;
    let (at, words_at) = if is_before {
        (area.right() - 5.5, area.left())
    } else {
        (area.left() + 4.5, area.left() + SWATCH)
    };
    swatch(ui, pos2(at, y), entry.swatch, color);
    let words = if off {
        theme.disabled
    } else if response.hovered() && can_switch {
        theme.text
    } else {
        theme.secondary
    };
    let (at, from) = (pos2(words_at, y), Align2::LEFT_CENTER);
    widgets::text(ui.painter(), at, from, name, Text::Caption, words);
    widgets::focus_ring(ui, &response, area.expand2(vec2(2.0, 0.0)), radius::INNER);
    if can_switch {
        let label = format!("Show {}", entry.name);
        response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, !off, &label));
    } else {
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &entry.name));
    }
    if name != entry.name {
        response.on_hover_text(&entry.name);
    }
}

/// Whole names; closer; with a unit that they share said once; the first and the last of many; at last no names.
fn row_of(ui: &Ui, entries: &[LegendEntry], room: f32) -> Row {
    let names: Vec<&str> = entries.iter().map(|e| e.name.as_str()).collect();
    let whole: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let short = units::short(&names);
    let few = entries.len() <= 4;
    let row = |names: &Vec<String>, between| Row {
        names: names.clone(),
        between,
        is_ramp: false,
    };
    let mut rows = Vec::new();
    if few || whole == short {
        rows.extend([row(&whole, SIDE), row(&whole, TIGHT)]);
    }
    rows.extend([row(&short, SIDE), row(&short, TIGHT)]);
    let shorter = entries.iter().map(|e| e.short.clone()).collect();
    rows.push(row(&shorter, TIGHT));
    rows.extend(ramp(entries, &names));
    let fits = |row: &Row| row.width(ui) <= room;
    let bare = row(&vec![String::new(); entries.len()], 2.0);
    rows.into_iter().find(fits).unwrap_or(bare)
}

fn ramp(entries: &[LegendEntry], names: &[&str]) -> Option<Row> {
    let is_ramp = entries.len() > 2 && entries.iter().all(|e| e.swatch == Swatch::Square);
    let [first, last] = units::ends(names).filter(|_| is_ramp)?;
    let mut named = vec![String::new(); entries.len()];
    *named.first_mut()? = first;
    *named.last_mut()? = last;
    Some(Row {
        names: named,
        between: 1.0,
        is_ramp,
    })
}

fn swatch(ui: &Ui, center: egui::Pos2, swatch: Swatch, color: egui::Color32) {
    let painter = ui.painter();
    match swatch {
        Swatch::Square => {
            let area = Rect::from_center_size(center, vec2(9.0, 8.0));
            painter.rect_filled(area, 2.0, color);
        }
        Swatch::Dot => {
            painter.circle_filled(center, 3.0, color);
        }
        Swatch::Ring => {
            painter.circle_stroke(center, 4.0, egui::Stroke::new(1.5, color));
        }
        Swatch::Cross => marks::cross(painter, center, 3.5, color),
    }
}
