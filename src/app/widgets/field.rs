//! A text field with its label above or beside it.

use egui::{
    Align2, Frame, Rect, Response, Sense, Shape, Stroke, StrokeKind, TextEdit, Ui, pos2, vec2,
};

use super::paint;
use crate::app::icons;
use crate::app::theme::{Text, Theme, radius, size};

const LABEL: f32 = 18.0;

/// A text field. `Field::new("URL", &mut text).mono().error(issue).show(ui)`.
#[must_use = "call show"]
pub struct Field<'a> {
    label: &'a str,
    name: &'a str,
    text: &'a mut String,
    hint: &'a str,
    unit: &'a str,
    error: Option<&'a str>,
    wrong: bool,
    mono: bool,
    locked: bool,
    inline: bool,
    bare: bool,
    password: bool,
    rows: usize,
    width: Option<f32>,
    id: Option<egui::Id>,
}

impl<'a> Field<'a> {
    /// The label is the accessible name too.
    pub fn new(label: &'a str, text: &'a mut String) -> Self {
        Self {
            label,
            name: label,
            text,
            hint: "",
            unit: "",
            error: None,
            wrong: false,
            mono: false,
            locked: false,
            inline: false,
            bare: false,
            password: false,
            rows: 1,
            width: None,
            id: None,
        }
    }

    /// The accessible name, where the label is said of several fields.
    pub fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    pub fn hint(mut self, hint: &'a str) -> Self {
        self.hint = hint;
        self
    }

    /// Stands muted at the right inside the field.
    pub fn unit(mut self, unit: &'a str) -> Self {
        self.unit = unit;
        self
    }

    /// What is wrong with the value, below the field.
    pub fn error(mut self, error: Option<&'a str>) -> Self {
        self.error = error;
        self
    }

    /// Something is wrong with the value, and what is said elsewhere.
    pub fn wrong(mut self, wrong: bool) -> Self {
        self.wrong = wrong;
        self
    }

    pub fn mono(mut self) -> Self {
        self.mono = true;
        self
    }

    /// Shown but not to be changed.
    pub fn locked(mut self, locked: bool) -> Self {
        self.locked = locked;
        self
    }

    /// Label at the left, a short field at the right.
    pub fn inline(mut self) -> Self {
        self.inline = true;
        self
    }

    /// Without a visible label; it is still the name.
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Shows dots.
    pub fn password(mut self) -> Self {
        self.password = true;
        self
    }

    /// Several lines.
    pub fn rows(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }

    pub fn width(mut self, width: f32) -> Self {
        self.width = Some(width);
        self
    }

    /// An id of its own, so that the focus can be put into it.
    pub fn id(mut self, id: egui::Id) -> Self {
        self.id = Some(id);
        self
    }

    pub fn show(self, ui: &mut Ui) -> Response {
        let width = self.width.unwrap_or_else(|| ui.available_width());
        let error = self.error;
        let theme = Theme::of(ui);
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let response = if self.inline {
                self.inline_ui(ui, width)
            } else {
                if !self.bare {
                    label_ui(ui, self.label, width, LABEL);
                }
                self.edit_ui(ui, width)
            };
            if let Some(error) = error {
                error_ui(ui, theme, error, width);
            }
            response
        })
        .inner
    }

    fn inline_ui(self, ui: &mut Ui, width: f32) -> Response {
        const FIELD: f32 = 96.0;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            label_ui(ui, self.label, width - FIELD, size::CONTROL);
            self.edit_ui(ui, FIELD)
        })
        .inner
    }

    fn edit_ui(self, ui: &mut Ui, width: f32) -> Response {
        let theme = Theme::of(ui);
        let locked = self.locked || !ui.is_enabled();
        let kind = if self.mono { Text::Mono } else { Text::Body };
        let row = ui.fonts_mut(|f| f.row_height(&kind.font()));
        let height = if self.rows > 1 {
            (row * self.rows as f32 + 10.0).round()
        } else {
            size::CONTROL
        };
        let ground = ui.painter().add(Shape::Noop);
        let unit = if self.unit.is_empty() {
            0.0
        } else {
            paint::text_width(ui.painter(), self.unit, Text::Label) + 8.0
        };
        let pad_y = if self.rows > 1 {
            5
        } else {
            whole(((height - row) / 2.0).floor())
        };
        let margin = egui::Margin {
            left: 8,
            right: whole(8.0 + unit),
            top: pad_y,
            bottom: pad_y,
        };
        let ink = if locked { theme.secondary } else { theme.text };
        let edit = if self.rows > 1 {
            TextEdit::multiline(self.text).desired_rows(self.rows)
        } else {
            TextEdit::singleline(self.text)
        };
        let mut edit = edit
            .frame(Frame::NONE.inner_margin(margin))
            .font(kind.font())
            .text_color(ink)
            .desired_width(width)
            .min_size(vec2(width, height))
            .password(self.password)
            .interactive(!locked)
            .hint_text(kind.rich(self.hint, theme.muted));
        if self.rows == 1 {
            edit = edit.align(Align2::LEFT_CENTER);
        }
        // By its name, not by its place: what appears above it must not take the focus away.
        let id = self
            .id
            .unwrap_or_else(|| ui.scope_id().with(("field", self.name)));
        edit = edit.id(id);
        let response = ui.add(edit).accessible_name(self.name);
        let rect = response.rect;
        let (fill, edge) = if locked {
            (theme.raised.gamma_multiply(0.5), theme.hairline())
        } else if response.has_focus() {
            (theme.field, Stroke::new(1.5, theme.accent))
        } else if self.wrong || self.error.is_some() {
            (theme.field, Stroke::new(1.0, theme.invalid))
        } else if response.hovered() {
            (theme.field, Stroke::new(1.0, theme.muted))
        } else {
            (theme.field, Stroke::new(1.0, theme.line_strong))
        };
        let shape =
            egui::epaint::RectShape::new(rect, radius::CONTROL, fill, edge, StrokeKind::Inside);
        ui.painter().set(ground, shape);
        if !self.unit.is_empty() {
            let at = pos2(rect.right() - 8.0, rect.center().y);
            paint::text(
                ui.painter(),
                at,
                Align2::RIGHT_CENTER,
                self.unit,
                Text::Label,
                theme.muted,
            );
        }
        response
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a margin of a few points")]
fn whole(x: f32) -> i8 {
    x.round().clamp(0.0, 120.0) as i8
}

/// A field's label, as it stands above fields and choices.
pub fn label_ui(ui: &mut Ui, words: &str, width: f32, height: f32) {
    let theme = Theme::of(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    let (at, anchor, kind) = if height > LABEL {
        (rect.left_center(), Align2::LEFT_CENTER, Text::Body)
    } else {
        (rect.left_top(), Align2::LEFT_TOP, Text::Label)
    };
    paint::elided(
        ui.painter(),
        at,
        anchor,
        words,
        kind,
        theme.secondary,
        width,
    );
}

/// An error's sentence with its icon, below a field.
pub fn error_ui(ui: &mut Ui, theme: &Theme, words: &str, width: f32) {
    ui.add_space(4.0);
    let galley = ui.painter().layout(
        words.to_owned(),
        Text::Label.font(),
        theme.invalid,
        width - 20.0,
    );
    let wanted = vec2(width, galley.size().y.max(16.0));
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::hover());
    let icon_at = rect.left_top() + vec2(7.0, 8.0);
    paint::icon(ui.painter(), icon_at, icons::ERROR, 14.0, theme.invalid);
    let at = Rect::from_min_max(rect.left_top() + vec2(20.0, 0.0), rect.max).min;
    ui.painter().galley(at.round(), galley, theme.invalid);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, words));
}
