//! Target: address, protocol, model or endpoint with its inputs, key, test.

use egui::{Align2, Sense, Ui, pos2, vec2};

use super::panel::{Ask, Draw};
use super::parts::{choice_field, error_below, label_above, note, pair};
use super::{InputEntry, KeySource};
use crate::app::actions::Action;
use crate::app::dialogs::BrowseFor;
use crate::app::glue::url_field_id;
use crate::app::icons;
use crate::app::state::{Fetch, is_loopback};
use crate::app::theme::{Text, Theme, size};
use crate::app::widgets::{self, Button, Field, Switch};
use crate::domain::{GradioMode, InputField, InputKind, Protocol, TestReport};

pub(super) fn target_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    url_ui(ui, draw);
    let protocol = draw.protocol();
    let protocols: Vec<(Protocol, String)> = Protocol::ALL
        .into_iter()
        .map(|p| (p, p.label().to_owned()))
        .collect();
    if protocol == Protocol::Gradio {
        let modes = [(GradioMode::Queue, "Queue"), (GradioMode::Call, "Call")];
        let target = &mut draw.form.target;
        pair(
            ui,
            |ui| {
                choice_field(ui, "Protocol", &mut target.protocol, &protocols);
            },
            |ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                label_above(ui, "Wire");
                let switch = Switch::new("Wire", &mut target.gradio_mode, &modes).full_width();
                switch.show(ui).on_hover_text(
                    "Queue joins and listens as the browser does; Call posts and gets as curl users do",
                );
            },
        );
        endpoint_ui(ui, draw);
        inputs_ui(ui, draw);
    } else {
        let models = draw.state.target_info().map_or(&[][..], |i| &i.models);
        let error = draw.errors.at("target.model");
        let target = &mut draw.form.target;
        pair(
            ui,
            |ui| {
                choice_field(ui, "Protocol", &mut target.protocol, &protocols);
            },
            |ui| model_ui(ui, &mut target.model, models, error),
        );
        if protocol == Protocol::Http {
            super::template_ui::template_ui(ui, draw);
        }
    }
    if draw.wants_key() {
        key_ui(ui, draw);
    }
    test_ui(ui, draw);
}

impl Draw<'_> {
    /// The key's fields stand in the form: one is set, or the server is on another machine.
    fn wants_key(&self) -> bool {
        let target = &self.form.target;
        target.key != KeySource::None
            || self.errors.at("target.key").is_some()
            || !target.url.trim().is_empty() && !is_loopback(&target.url)
    }

    /// The protocol chosen, or the one detected.
    pub(super) fn protocol(&self) -> Protocol {
        match self.form.target.protocol {
            Protocol::Auto => self
                .state
                .target_info()
                .map_or(Protocol::Auto, |i| i.protocol),
            chosen => chosen,
        }
    }
}

fn url_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let id = url_field_id();
    let focused = ui.memory(|m| m.has_focus(id));
    // A pasted curl command has several lines, which the field would fold into one: taken as it came.
    if focused && !draw.state.is_locked() {
        let taken = ui.input_mut(|input| {
            let is_curl = |e: &egui::Event| match e {
                egui::Event::Paste(text) => text.trim_start().starts_with("curl"),
                _ => false,
            };
            let at = input.events.iter().position(is_curl)?;
            match input.events.remove(at) {
                egui::Event::Paste(text) => Some(text),
                _ => None,
            }
        });
        if let Some(text) = taken {
            draw.asks.push(Ask::Pasted(text.trim().to_owned()));
        }
    }
    url_corner_ui(ui, draw);
    let error = draw.errors.at("target.url");
    let is_told = error.is_some();
    let is_unknown = matches!(&draw.state.info, Fetch::Failed { .. })
        && draw.state.info_for == draw.form.target.url.trim();
    let response = Field::new("URL", &mut draw.form.target.url)
        .mono()
        .id(id)
        .hint("URL, owner/name or curl …")
        .error(error)
        .wrong(is_unknown)
        .show(ui);
    if response.lost_focus() {
        draw.asks.push(Ask::UrlEntered);
    }
    let url = draw.form.target.url.trim();
    match &draw.state.info {
        Fetch::Failed { message } if draw.state.info_for == url && !is_told => {
            // The URL stands right above.
            let why = message.split_once(" answered: ").map(|(_, why)| why);
            error_below(ui, Some(why.unwrap_or(message)));
        }
        Fetch::Ready(info) if draw.state.target_info().is_some() && !is_told => {
            for text in &info.notes {
                note(ui, text);
            }
        }
        _ => {}
    }
}

/// At the right of the URL's label, so that nothing moves: that the server is asked, or the way to a key.
fn url_corner_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let theme = Theme::of(ui);
    let right = ui.cursor().left() + ui.available_width();
    let top = ui.cursor().top();
    if draw.state.info.is_pending() {
        let at = pos2(right, top + 8.0);
        let words = "asking the server";
        widgets::text(
            ui.painter(),
            at,
            Align2::RIGHT_CENTER,
            words,
            Text::Label,
            theme.muted,
        );
    } else if !draw.wants_key() {
        // A server on this machine seldom wants one.
        let wanted = widgets::text_width(ui.painter(), "Use a key", Text::Label);
        let area = egui::Rect::from_min_size(pos2(right - wanted, top - 1.0), vec2(wanted, 18.0));
        let layout = egui::Layout::left_to_right(egui::Align::Min);
        let link = |ui: &mut Ui| widgets::link(ui, "Use a key").clicked();
        if widgets::inside(ui, area, layout, "use a key", link) {
            draw.form.target.key = KeySource::Session;
        }
    }
}

fn model_ui(ui: &mut Ui, model: &mut String, models: &[String], error: Option<&str>) {
    if models.is_empty() {
        let field = Field::new("Model", model).hint("the first listed");
        field.error(error).show(ui);
        return;
    }
    let mut options = vec![(String::new(), "the first listed".to_owned())];
    options.extend(models.iter().map(|m| (m.clone(), m.clone())));
    if !model.is_empty() && !models.contains(model) {
        options.push((model.clone(), model.clone()));
    }
    choice_field(ui, "Model", model, &options);
    if let Some(error) = error {
        let theme = Theme::of(ui);
        widgets::error_ui(ui, theme, error, ui.available_width());
    }
}

fn endpoint_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let endpoints = draw.state.target_info().map_or(&[][..], |i| &i.endpoints);
    let api_name = &mut draw.form.target.api_name;
    if endpoints.is_empty() {
        let field = Field::new("Endpoint", api_name)
            .mono()
            .hint("the first that is public");
        field.error(draw.errors.at("target.api_name")).show(ui);
        return;
    }
    let mut options: Vec<(String, String)> = endpoints
        .iter()
        .map(|e| (e.api_name.clone(), e.api_name.clone()))
        .collect();
    if !options.iter().any(|(name, _)| name == api_name) {
        let words = if api_name.is_empty() {
            "the first that is public"
        } else {
            api_name.as_str()
        };
        options.insert(0, (api_name.clone(), words.to_owned()));
    }
    choice_field(ui, "Endpoint", api_name, &options);
    let Some(endpoint) = draw.state.endpoint() else {
        return;
    };
    let options = |suggested: &Option<String>| {
        // Nothing chosen is the suggested one.
        let none = suggested.clone().unwrap_or_else(|| "none".to_owned());
        let mut options = vec![(String::new(), none)];
        let names = endpoint.inputs.iter().map(|i| &i.name);
        let others = names.filter(|name| Some(*name) != suggested.as_ref());
        options.extend(others.map(|name| (name.clone(), name.clone())));
        options
    };
    let target = &mut draw.form.target;
    pair(
        ui,
        |ui| {
            let options = options(&endpoint.user_input);
            choice_field(ui, "User prompt into", &mut target.user_input, &options);
        },
        |ui| {
            let options = options(&endpoint.system_input);
            choice_field(ui, "System prompt into", &mut target.system_input, &options);
        },
    );
}

fn inputs_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let fields: Vec<InputField> = if let Some(endpoint) = draw.state.endpoint() {
        let target = &draw.form.target;
        let mapped = |chosen: &str, suggested: &Option<String>| {
            if chosen.is_empty() {
                suggested.clone()
            } else {
                Some(chosen.to_owned())
            }
        };
        let user = mapped(&target.user_input, &endpoint.user_input);
        let system = mapped(&target.system_input, &endpoint.system_input);
        let is_free =
            |i: &&InputField| Some(&i.name) != user.as_ref() && Some(&i.name) != system.as_ref();
        endpoint.inputs.iter().filter(is_free).cloned().collect()
    } else {
        // Before the app has described itself, what the plan sets is shown as JSON.
        let names = draw.form.target.inputs.keys();
        names
            .map(|name| InputField {
                name: name.clone(),
                label: name.clone(),
                kind: InputKind::Json,
                default: None,
                has_default: false,
            })
            .collect()
    };
    for field in fields {
        input_ui(ui, &field, draw);
    }
}

fn input_ui(ui: &mut Ui, field: &InputField, draw: &mut Draw<'_>) {
    let issue = format!("workload.inputs.{}", field.name);
    let error = draw.errors.at(&issue);
    let entry = draw.form.target.inputs.get(&field.name).cloned();
    let default = field.default.as_ref().map(InputEntry::of);
    let label = if field.label.is_empty() {
        &field.name
    } else {
        &field.label
    };
    let mut text = entry.as_ref().map(|e| e.text.clone()).unwrap_or_default();
    let before = text.clone();
    let hint = default.as_ref().map_or_else(
        || "must be set".to_owned(),
        |d| {
            format!(
                "{} ({})",
                d.text,
                if field.has_default {
                    "the app's own"
                } else {
                    "its example"
                }
            )
        },
    );
    let mut browse = false;
    match &field.kind {
        InputKind::Checkbox => {
            let shown = entry
                .as_ref()
                .or(default.as_ref())
                .and_then(|e| e.value.as_ref());
            let mut on = shown.and_then(serde_json::Value::as_bool).unwrap_or(false);
            if widgets::tick(ui, &mut on, label).changed() {
                text = on.to_string();
            }
        }
        InputKind::Dropdown {
            choices,
            multiple: false,
        } => {
            let unset = default.as_ref().map_or_else(
                || "not set".to_owned(),
                |d| format!("{} (the app's own)", d.text),
            );
            let mut options = vec![(String::new(), unset)];
            options.extend(
                choices
                    .iter()
                    .map(|c| (c.to_string(), InputEntry::of(c).text)),
            );
            let mut chosen = entry
                .as_ref()
                .and_then(|e| e.value.as_ref())
                .map(ToString::to_string)
                .unwrap_or_default();
            if choice_field(ui, label, &mut chosen, &options).changed() {
                text = chosen;
            }
            if error.is_some() {
                let theme = Theme::of(ui);
                widgets::error_ui(ui, theme, error.unwrap_or_default(), ui.available_width());
            }
        }
        InputKind::Slider { min, max, step } => {
            let rest = default.as_ref().map(|d| d.text.clone()).unwrap_or_default();
            slider_ui(ui, label, &mut text, (*min, *max, *step), &rest, error);
        }
        InputKind::File { .. } => {
            browse = super::parts::path_field(ui, label, &mut text, "drop a file here", error);
        }
        InputKind::Text | InputKind::Number => {
            Field::new(label, &mut text)
                .hint(&hint)
                .error(error)
                .show(ui);
        }
        InputKind::Json | InputKind::Dropdown { .. } => {
            let field = Field::new(label, &mut text).mono().hint(&hint).error(error);
            field.show(ui);
        }
    }
    if browse {
        draw.asks.push(Ask::Browse(BrowseFor::Input {
            name: field.name.clone(),
            kind: field.kind.clone(),
        }));
    }
    if text != before {
        if text.is_empty() {
            draw.form.target.inputs.remove(&field.name);
        } else {
            draw.form.set_input(&field.name, &field.kind, text);
        }
    } else if entry.is_some() && field.default.is_some() {
        let words = format!("Set {label} back");
        if widgets::link(ui, &words).clicked() {
            draw.form.target.inputs.remove(&field.name);
        }
    }
}

/// A track with a handle, and the number beside it.
fn slider_ui(
    ui: &mut Ui,
    label: &str,
    text: &mut String,
    (min, max, step): (f64, f64, Option<f64>),
    hint: &str,
    error: Option<&str>,
) {
    const FIELD: f32 = 96.0;
    let width = ui.available_width();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        label_above(ui, &format!("{label}, {min} to {max}"));
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 8.0;
            let number = |text: &str| text.trim().parse::<f64>().ok();
            let shown = number(text).or_else(|| number(hint)).unwrap_or(min);
            let mut value = shown.max(min).min(max);
            let track = width - FIELD - 8.0;
            ui.spacing_mut().slider_width = track;
            let mut slider = egui::Slider::new(&mut value, min..=max)
                .show_value(false)
                .trailing_fill(true);
            if let Some(step) = step {
                slider = slider.step_by(step);
            }
            let response = ui.add_sized(vec2(track, size::CONTROL), slider);
            if response
                .accessible_name(format!("{label} slider"))
                .changed()
            {
                *text = short_number(value);
            }
            Field::new(label, text)
                .bare()
                .hint(hint)
                .width(FIELD)
                .show(ui);
        });
        if let Some(error) = error {
            let theme = Theme::of(ui);
            widgets::error_ui(ui, theme, error, width);
        }
    });
}

/// Without the noise of binary fractions: `0.7`, not `0.7000000000000001`.
fn short_number(value: f64) -> String {
    let rounded = format!("{value:.6}");
    let rounded = rounded.trim_end_matches('0').trim_end_matches('.');
    if rounded.is_empty() || rounded == "-0" {
        "0".to_owned()
    } else {
        rounded.to_owned()
    }
}

fn key_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let sources: Vec<(KeySource, String)> = KeySource::ALL
        .into_iter()
        .map(|k| (k, k.label().to_owned()))
        .collect();
    let error = draw.errors.at("target.key");
    let target = &mut draw.form.target;
    match target.key {
        KeySource::None => {
            choice_field(ui, "Key", &mut target.key, &sources);
            if let Some(error) = error {
                let theme = Theme::of(ui);
                widgets::error_ui(ui, theme, error, ui.available_width());
            }
        }
        KeySource::Env => {
            choice_field(ui, "Key", &mut target.key, &sources);
            Field::new("Variable that holds the key", &mut target.key_env)
                .mono()
                .hint("OPENAI_API_KEY")
                .error(error)
                .show(ui);
        }
        KeySource::Keyring | KeySource::Session => {
            choice_field(ui, "Key", &mut target.key, &sources);
            let (label, hint) = match target.key {
                KeySource::Keyring => ("Key for the keyring", "kept; paste to replace it"),
                _ => ("Key for this session", "paste it here"),
            };
            let response = Field::new(label, draw.key_text)
                .password()
                .hint(hint)
                .error(error)
                .show(ui);
            if response.lost_focus() && !draw.key_text.trim().is_empty() {
                draw.asks.push(Ask::KeyEntered);
            }
            if let Some(words) = &draw.state.key_note {
                note(ui, words);
            }
            if widgets::link(ui, "Forget this key").clicked() {
                draw.asks.push(Ask::ForgetKey);
            }
        }
    }
}

fn test_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 10.0;
        let why_not = Action::SendOne.why_not(draw.state);
        let button = Button::new("Test connection").icon(icons::TEST);
        let response = ui.add_enabled(why_not.is_none(), button);
        if response.clicked() {
            draw.asks.push(Ask::Do(Action::SendOne));
        }
        if let Some(why) = why_not {
            response.on_disabled_hover_text(why);
        }
        test_result_ui(ui, &draw.state.test, draw.asks);
    });
}

fn test_result_ui(ui: &mut Ui, test: &Fetch<TestReport>, asks: &mut Vec<Ask>) {
    let theme = Theme::of(ui);
    let (icon, words, ink) = match test {
        Fetch::Idle => return,
        Fetch::Pending { .. } => (None, "asking".to_owned(), theme.muted),
        Fetch::Failed { .. } => (None, "failed".to_owned(), theme.invalid),
        Fetch::Ready(report) if !report.ok => (None, "failed".to_owned(), theme.invalid),
        Fetch::Ready(report) => {
            let status = report.status.as_deref().unwrap_or("answered");
            let status = status.split(' ').next().unwrap_or(status);
            let words = format!("{status}, {}", crate::chart::format::ms(report.total_ms));
            (Some(icons::VALID), words, theme.secondary)
        }
    };
    let kind = if icon.is_some() {
        Text::Label
    } else {
        Text::LabelStrong
    };
    let inset = if icon.is_some() { 20.0 } else { 0.0 };
    let width = inset + widgets::text_width(ui.painter(), &words, kind);
    let (rect, response) = ui.allocate_exact_size(vec2(width, size::CONTROL), Sense::click());
    if let Some(icon) = icon {
        let at = pos2(rect.left() + 8.0, rect.center().y);
        widgets::icon(ui.painter(), at, icon, 14.0, theme.ok);
    }
    let at = pos2(rect.left() + inset, rect.center().y);
    widgets::text(ui.painter(), at, Align2::LEFT_CENTER, &words, kind, ink);
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Link, true, format!("Test: {words}"))
    });
    if response.on_hover_text("Show what came back").clicked() {
        asks.push(Ask::Do(Action::ShowTest));
    }
}
