//! A row of parts of which one is chosen.

use egui::{Align2, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::{button::focus_ring, paint};
use crate::app::theme::{Text, Theme, radius};

const PADDING: f32 = 8.0;
const INSET: f32 = 2.0;

/// A segmented switch: `Switch::new("View", &mut value, &[(A, "Histogram"), …]).show(ui)`.
#[must_use = "call show"]
pub struct Switch<'a, T> {
    name: &'a str,
    value: &'a mut T,
    options: &'a [(T, &'a str)],
    full_width: bool,
    rows: usize,
}

impl<'a, T: Copy + PartialEq> Switch<'a, T> {
    /// `name` says what is switched; a part is found by its own words.
    pub fn new(name: &'a str, value: &'a mut T, options: &'a [(T, &'a str)]) -> Self {
        Self {
            name,
            value,
            options,
            full_width: false,
            rows: 1,
        }
    }

    /// As wide as its place, 28 high; as in the form.
    pub fn full_width(mut self) -> Self {
        self.full_width = true;
        self
    }

    /// Its parts in so many lines, for more of them than one line holds.
    pub fn rows(mut self, rows: usize) -> Self {
        self.rows = rows.max(1);
        self
    }

    /// How wide it is when it is not told.
    pub fn natural_width(ui: &Ui, options: &[(T, &str)]) -> f32 {
        let part = |(_, words): &(T, &str)| part_width(ui, words);
        options.iter().map(part).sum::<f32>() + 2.0 * INSET
    }

    pub fn show(self, ui: &mut Ui) -> Response {
        self.show_parts(ui).0
    }

    /// As [`Self::show`]; says which part was clicked too, though it was chosen already.
    pub fn show_parts(self, ui: &mut Ui) -> (Response, Option<usize>) {
        let mut clicked = None;
        let theme = Theme::of(ui);
        let line = if self.full_width { 28.0 } else { 24.0 } - 2.0 * INSET;
        let height = line * self.rows as f32 + 2.0 * INSET;
        let natural = Self::natural_width(ui, self.options);
        let width = if self.full_width {
            ui.available_width()
        } else {
            natural
        };
        let (rect, mut response) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
        ui.painter().rect(
            rect,
            radius::CONTROL,
            theme.field,
            theme.hairline(),
            StrokeKind::Inside,
        );
        let enabled = ui.is_enabled();
        let id = response.id;
        let name = self.name;
        response.widget_info(|| WidgetInfo::labeled(Role::RadioGroup, enabled, name));
        let in_a_line = self.options.len().div_ceil(self.rows).max(1);
        let share = (width - 2.0 * INSET) / in_a_line as f32;
        let mut corner = rect.min + vec2(INSET, INSET);
        for (i, (option, words)) in self.options.iter().enumerate() {
            let w = if self.full_width {
                share
            } else {
                part_width(ui, words)
            };
            if i > 0 && i.is_multiple_of(in_a_line) {
                corner = pos2(rect.left() + INSET, corner.y + line);
            }
            let area = Rect::from_min_size(corner, vec2(w, line));
            corner.x += w;
            let part = ui.interact(area, id.with(i), Sense::click());
            if part.clicked() {
                clicked = Some(i);
                if *self.value != *option {
                    *self.value = *option;
                    response.mark_changed();
                }
            }
            let chosen = *self.value == *option;
            part.widget_info(|| WidgetInfo::selected(Role::RadioButton, enabled, chosen, *words));
            part_ui(ui, &part, area, words, chosen);
        }
        (response, clicked)
    }
}

fn part_width(ui: &Ui, words: &str) -> f32 {
    // Measured in the wider of the two weights, so that nothing moves when another part is chosen.
    (paint::text_width(ui.painter(), words, Text::LabelStrong) + 2.0 * PADDING).round()
}

fn part_ui(ui: &Ui, part: &Response, area: Rect, words: &str, chosen: bool) {
    let theme = Theme::of(ui);
    let enabled = ui.is_enabled();
    let painter = ui.painter();
    if chosen {
        let edge = Stroke::new(1.0, theme.line);
        painter.rect(area, radius::INNER, theme.raised, edge, StrokeKind::Inside);
    } else if part.hovered() && enabled {
        painter.rect_filled(area, radius::INNER, theme.raised.gamma_multiply(0.6));
    }
    focus_ring(ui, part, area.shrink(1.0), radius::INNER);
    let (kind, ink) = match (chosen, enabled) {
        (true, true) => (Text::LabelStrong, theme.text),
        (true, false) => (Text::LabelStrong, theme.secondary),
        (false, true) => (Text::Label, theme.secondary),
        (false, false) => (Text::Label, theme.muted),
    };
    paint::text(
        painter,
        area.center(),
        Align2::CENTER_CENTER,
        words,
        kind,
        ink,
    );
}
