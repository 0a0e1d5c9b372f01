//! Pieces that the form's sections share.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use egui::{Response, Ui, vec2};

use crate::app::theme::{Text, Theme, size};
use crate::app::widgets::{self, Field};
use crate::domain::Issue;

/// Issues by field, for the frame being drawn.
#[derive(Default)]
pub(super) struct Errors {
    by_field: BTreeMap<String, String>,
    /// Fields whose issue stands at a widget of this frame.
    shown: RefCell<BTreeSet<String>>,
}

impl Errors {
    pub(super) fn of<'a>(issues: impl Iterator<Item = &'a Issue>) -> Self {
        let mut by_field: BTreeMap<String, String> = BTreeMap::new();
        for issue in issues {
            let text = by_field.entry(form_field(&issue.field)).or_default();
            if text.lines().any(|line| line == issue.message) {
                // Said of several stages, and meant once.
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&issue.message);
        }
        Self {
            by_field,
            shown: RefCell::default(),
        }
    }

    /// What is wrong with that field, or with a part of it that has no field of its own.
    pub(super) fn at(&self, field: &str) -> Option<&str> {
        let inside = |(name, _): &(&String, &String)| is_inside(name, field);
        let mut found = None;
        for (name, text) in self.by_field.iter().filter(inside) {
            self.shown.borrow_mut().insert(name.clone());
            found = found.or(Some(text.as_str()));
        }
        found
    }

    /// Something is wrong with that field, or with a part of it.
    pub(super) fn has(&self, field: &str) -> bool {
        self.by_field.keys().any(|name| is_inside(name, field))
    }

    /// Something is wrong with the field as a whole, not with a part of it.
    pub(super) fn is_of(&self, field: &str) -> bool {
        self.by_field.contains_key(field)
    }

    /// What is wrong with the field as a whole, not with a part of it.
    pub(super) fn exactly(&self, field: &str) -> Option<&str> {
        let text = self.by_field.get(field)?;
        self.shown.borrow_mut().insert(field.to_owned());
        Some(text)
    }

    /// What stands at no widget of the section, which has been drawn: it goes to its end.
    pub(super) fn left_over(&self, section: super::Section) -> Vec<&str> {
        let shown = self.shown.borrow();
        let is_left = |(field, _): &(&String, &String)| {
            super::Section::of(field) == Some(section) && !shown.contains(*field)
        };
        let left = self.by_field.iter().filter(is_left);
        left.map(|(_, text)| text.as_str()).collect()
    }

    pub(super) fn any_in(&self, section: super::Section) -> bool {
        let mut fields = self.by_field.keys();
        fields.any(|f| super::Section::of(f) == Some(section))
    }

    /// Issues of fields that no section shows.
    pub(super) fn homeless(&self) -> impl Iterator<Item = &str> {
        let fields = self.by_field.iter();
        let homeless = fields.filter(|(f, _)| super::Section::of(f).is_none());
        homeless.map(|(_, text)| text.as_str())
    }
}

/// `limits.max_secs` and `goals[2]` are of `limits` and of `goals`.
fn is_inside(name: &str, field: &str) -> bool {
    let rest = name.strip_prefix(field);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// What is wrong with a field beside another, with its name: the sentence stands below both.
pub(super) fn error_of(ui: &mut Ui, errors: &Errors, field: &str, name: &str) {
    let said = errors.at(field).map(|words| {
        let lines = words.lines().map(|line| format!("{name}: {line}"));
        lines.collect::<Vec<_>>().join("\n")
    });
    error_below(ui, said.as_deref());
}

/// The form's field for a plan's: all stages have one set of load fields.
fn form_field(field: &str) -> String {
    let Some(rest) = field.strip_prefix("stages.") else {
        return field.to_owned();
    };
    let inner = rest.split_once('.').map_or("", |(_, inner)| inner);
    let inner = inner.strip_prefix("load.").unwrap_or(inner);
    match inner {
        "" | "load" => "stages".to_owned(),
        inner => inner.to_owned(),
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

/// What is wrong, below a widget that cannot say it itself.
pub(super) fn error_below(ui: &mut Ui, error: Option<&str>) {
    if let Some(error) = error {
        let theme = Theme::of(ui);
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            widgets::error_ui(ui, theme, error, ui.available_width());
        });
    }
}

/// Choices with their words.
pub(super) fn worded<T: Copy, const N: usize>(
    all: [T; N],
    words: fn(T) -> &'static str,
) -> Vec<(T, String)> {
    all.iter().map(|t| (*t, words(*t).to_owned())).collect()
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
                let field = field.wrong(error.is_some());
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
