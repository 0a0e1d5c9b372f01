//! Prompts: what is sent.

use egui::Ui;

use super::PromptSource;
use super::panel::{Ask, Draw};
use super::parts::{choice_field, note, number, path_field};
use crate::app::dialogs::BrowseFor;
use crate::app::theme::Theme;
use crate::app::widgets::{self, Field};
use crate::domain::{PromptOrder, Protocol};

pub(super) fn prompts_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let is_gradio = draw.form.target.protocol == Protocol::Gradio;
    let prompts = &mut draw.form.prompts;
    Field::new("System prompt", &mut prompts.system)
        .rows(2)
        .hint("none")
        .error(draw.errors.at("workload.system"))
        .show(ui);
    let sources: Vec<(PromptSource, String)> = PromptSource::ALL
        .into_iter()
        .map(|s| (s, s.label().to_owned()))
        .collect();
    choice_field(ui, "User prompts", &mut prompts.source, &sources);
    let error = draw.errors.at("workload.users");
    match prompts.source {
        PromptSource::BuiltIn => {}
        PromptSource::Lines => {
            Field::new("Prompts, one per line", &mut prompts.users)
                .rows(4)
                .error(error)
                .show(ui);
        }
        PromptSource::Blocks => {
            Field::new("Prompts, a line of --- between", &mut prompts.users)
                .rows(6)
                .error(error)
                .show(ui);
        }
        PromptSource::File => {
            let error = draw.errors.at("workload.prompts_file");
            if path_field(
                ui,
                "Prompt file",
                &mut prompts.file,
                "one prompt a line",
                error,
            ) {
                draw.asks.push(Ask::Browse(BrowseFor::Prompts));
            }
        }
    }
    let orders = [
        (PromptOrder::InTurn, "In turn".to_owned()),
        (PromptOrder::Random, "At random, by the seed".to_owned()),
    ];
    choice_field(ui, "Order", &mut prompts.order, &orders);
    widgets::tick(ui, &mut prompts.nonce, "Make each prompt unique")
        .on_hover_text("A marker before each user prompt, so that a prefix cache cannot help");
    if is_gradio {
        if !prompts.max_tokens.is_empty() || !prompts.extra_body.is_empty() {
            note(ui, "Max tokens and extra JSON are not sent to a Gradio app");
        }
        return;
    }
    let error = draw.errors.at("workload.max_tokens");
    number(ui, "Max tokens", &mut prompts.max_tokens, "", error);
    // While it is typed, what is wrong is said at once; the plan's own issue is the same sentence.
    let issue = super::extra_body_issue(&prompts.extra_body);
    let error = issue
        .as_deref()
        .or_else(|| draw.errors.at("workload.extra_body"));
    Field::new("Extra JSON for the body", &mut prompts.extra_body)
        .rows(3)
        .mono()
        .hint("{\"temperature\": 0}")
        .error(error)
        .show(ui);
    let is_fine = issue.is_none() && !prompts.extra_body.trim().is_empty();
    if is_fine {
        let theme = Theme::of(ui);
        let words = crate::app::theme::Text::Label.rich("A JSON object", theme.ok);
        ui.label(words);
    }
}
