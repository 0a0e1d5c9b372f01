//! How any HTTP endpoint is asked: method, path and body with slots, and where the answer holds what.

use egui::{Popup, Ui};

use super::TemplateForm;
use super::panel::{Ask, Draw};
use super::parts::{Errors, choice_field, error_below, pair};
use super::template::EXAMPLES;
use crate::app::dialogs::BrowseFor;
use crate::app::menu;
use crate::app::widgets::{self, Button, Field};
use crate::domain::{Framing, Slot, TemplateMethod};

pub(super) fn template_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    error_below(ui, errors.exactly("target.template"));
    begin_ui(ui, draw);
    let template = &mut draw.form.target.template;
    asked_ui(ui, template, errors);
    answer_ui(ui, template, errors);
    rest_ui(ui, template, errors);
}

/// Examples and files to begin with.
fn begin_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let button = ui.add(Button::new("Examples"));
        Popup::menu(&button).width(200.0).gap(4.0).show(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.set_width(200.0);
            for example in &EXAMPLES {
                let row = menu::row_ui(ui, example.title, "", true);
                if row.on_hover_text(example.words).clicked() {
                    draw.form.target.template = TemplateForm::of(Some(&example.template()));
                }
            }
        });
        let file = ui.add(Button::new("From a file…"));
        if file
            .on_hover_text("A TOML file of this table, as --template reads it")
            .clicked()
        {
            draw.asks.push(Ask::Browse(BrowseFor::Template));
        }
    });
}

fn asked_ui(ui: &mut Ui, template: &mut TemplateForm, errors: &Errors) {
    let methods: Vec<_> = TemplateMethod::ALL
        .iter()
        .map(|m| (*m, m.id().to_owned()))
        .collect();
    let framings: Vec<_> = Framing::ALL
        .iter()
        .map(|f| (*f, f.label().to_owned()))
        .collect();
    let (method, framing) = (&mut template.method, &mut template.framing);
    pair(
        ui,
        |ui| {
            choice_field(ui, "Method", method, &methods);
        },
        |ui| {
            choice_field(ui, "The answer comes as", framing, &framings);
        },
    );
    Field::new("Path", &mut template.path)
        .mono()
        .hint("the URL as it stands")
        .error(errors.at("target.template.path"))
        .show(ui)
        .on_hover_text(
            "From the URL's host where it begins with /, else below the URL; may hold slots",
        );
    Field::new("Body", &mut template.body)
        .rows(6)
        .mono()
        .hint("none")
        .error(errors.at("target.template.body"))
        .show(ui)
        .on_hover_text(slots_words());
}

/// Which slots there are, and how they are filled.
fn slots_words() -> String {
    let names: Vec<String> = Slot::ALL
        .iter()
        .map(|s| format!("{{{{{}}}}}", s.name()))
        .collect();
    format!(
        "Slots: {}. Inside quotes a slot is text; a bare one is a whole JSON value",
        names.join(", ")
    )
}

fn answer_ui(ui: &mut Ui, template: &mut TemplateForm, errors: &Errors) {
    Field::new("Text of the answer at", &mut template.token)
        .mono()
        .hint("all of it; /choices/0/text")
        .error(errors.at("target.template.token"))
        .show(ui)
        .on_hover_text(
            "A JSON pointer in each event, line or the one answer; empty takes all of it",
        );
    if template.framing != Framing::OneShot || !template.done.is_empty() {
        Field::new("The stream ends with", &mut template.done)
            .mono()
            .hint("its end; [DONE] or /done")
            .error(errors.at("target.template.done"))
            .show(ui)
            .on_hover_text("A JSON pointer to something that is set at the end, or an event's data as it stands");
    }
}

/// What most endpoints do without: folded until it is asked for, or set.
fn rest_ui(ui: &mut Ui, template: &mut TemplateForm, errors: &Errors) {
    let id = ui.scope_id().with("more of the template");
    let parts = [
        ("Reasoning at", "reasoning", "none"),
        ("Error at", "error", "/error"),
        ("Prompt tokens at", "tokens_in", "/usage/prompt_tokens"),
        ("Answer tokens at", "tokens_out", "/usage/completion_tokens"),
        ("Header for the key", "key_header", "Authorization"),
        ("Type of the body", "content_type", "application/json"),
    ];
    let has_issue = parts
        .iter()
        .any(|(_, field, _)| errors.has(&format!("target.template.{field}")));
    let mut is_open = ui.data_mut(|d| d.get_temp(id).unwrap_or(false));
    let words = if is_open {
        "Less of the template"
    } else {
        "More of the template"
    };
    if widgets::link(ui, words)
        .on_hover_text("Reasoning, errors, token counts, the key's header, the body's type")
        .clicked()
    {
        is_open = !is_open;
        ui.data_mut(|d| d.insert_temp(id, is_open));
    }
    if !is_open && !has_issue {
        return;
    }
    for (label, field, hint) in parts {
        let text = match field {
            "reasoning" => &mut template.reasoning,
            "error" => &mut template.error,
            "tokens_in" => &mut template.tokens_in,
            "tokens_out" => &mut template.tokens_out,
            "key_header" => &mut template.key_header,
            _ => &mut template.content_type,
        };
        Field::new(label, text)
            .mono()
            .hint(hint)
            .error(errors.at(&format!("target.template.{field}")))
            .show(ui);
    }
}
