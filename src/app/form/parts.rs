//! Pieces that the form's sections share.

use std::collections::BTreeMap;

use egui::{Response, Ui, vec2};

use crate::app::theme::{Text, Theme, size};
use crate::app::widgets::{self, Field};
use crate::domain::Issue;

/// Issues by field, for the frame being drawn.
#[derive(Default)]
pub(super) struct Errors(BTreeMap<String, String>);

impl Errors {
    pub(super) fn of<'a>(issues: impl Iterator<Item = &'a Issue>) -> Self {
        let mut map = BTreeMap::new();
        for issue in issues {
            map.entry(issue.field.clone())
                .and_modify(|text: &mut String| {
                    text.push('\n');
                    text.push_str(&issue.message);
                })
                .or_insert_with(|| issue.message.clone());
        }
        Self(map)
    }

    /// What is wrong with that field, or with a part of it that has no field of its own.
    pub(super) fn at(&self, field: &str) -> Option<&str> {
        if let Some(text) = self.0.get(field) {
            return Some(text);
        }
        let inside = |(name, _): &(&String, &String)| {
            name.strip_prefix(field)
                .is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        self.0.iter().find(inside).map(|(_, text)| text.as_str())
    }

    pub(super) fn any_in(&self, section: super::Section) -> bool {
        self.0
            .keys()
            .any(|f| super::Section::of(f) == Some(section))
    }

    /// Issues of fields that no section shows.
    pub(super) fn homeless(&self) -> impl Iterator<Item = &str> {
        let homeless = self
            .0
            .iter()
            .filter(|(f, _)| super::Section::of(f).is_none());
        homeless.map(|(_, text)| text.as_str())
    }
}

/// A choice with its label above.
pub(super) fn choice_field<T: Clone + PartialEq>(
    ui: &mut Ui,
    label: &str,
    value: &mut T,
    options: &[(T, String)],
) -> Response {
    let width = ui.available_width();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        label_above(ui, label);
        widgets::choice(ui, label, value, options, width)
    })
    .inner
}

/// A field's label, 18 high.
pub(super) fn label_above(ui: &mut Ui, words: &str) {
    let width = ui.available_width();
    widgets::label_ui(ui, words, width, 18.0);
}

/// Two fields that share the width.
pub(super) fn pair(ui: &mut Ui, left: impl FnOnce(&mut Ui), right: impl FnOnce(&mut Ui)) {
    let width = ((ui.available_width() - 8.0) / 2.0).floor();
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        for draw in [Some(Half::Left(left)), Some(Half::Right(right))] {
            ui.allocate_ui_with_layout(
                vec2(width, size::CONTROL),
                egui::Layout::top_down(egui::Align::Min),
                |ui| {
                    ui.set_width(width);
                    match draw {
                        Some(Half::Left(left)) => left(ui),
                        Some(Half::Right(right)) => right(ui),
                        None => {}
                    }
                },
            );
        }
    });
}

enum Half<L, R> {
    Left(L),
    Right(R),
}

/// A short number: label at the left, field with its unit at the right.
pub(super) fn number(
    ui: &mut Ui,
    label: &str,
    text: &mut String,
    unit: &str,
    error: Option<&str>,
) -> Response {
    let field = Field::new(label, text).unit(unit).error(error).inline();
    field.show(ui)
}

/// A sentence in muted ink, wrapped.
pub(super) fn note(ui: &mut Ui, words: &str) {
    let theme = Theme::of(ui);
    let words = Text::Label.rich(words, theme.muted);
    ui.add(egui::Label::new(words).wrap());
}

/// A path field with a button that opens the file dialog; says whether the button was pressed.
pub(super) fn path_field(
    ui: &mut Ui,
    label: &str,
    text: &mut String,
    hint: &str,
    error: Option<&str>,
) -> bool {
    const BUTTON: f32 = 82.0;
    let width = ui.available_width();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        label_above(ui, label);
        let clicked = ui
            .horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = 8.0;
                let field = Field::new(label, text).bare().mono().hint(hint);
                field.width(width - BUTTON - 8.0).show(ui);
                let name = format!("Choose a file for {label}");
                let button = widgets::Button::new("Choose…").name(&name).width(BUTTON);
                ui.add(button).clicked()
            })
            .inner;
        if let Some(error) = error {
            let theme = Theme::of(ui);
            widgets::error_ui(ui, theme, error, width);
        }
        clicked
    })
    .inner
}
