//! Prompts: what is sent.

use egui::Ui;

use super::panel::{Ask, Draw};
use super::parts::{
    Errors, choice_field, error_below, error_of, note, number, pair, path_field, worded,
};
use super::{
    LengthForm, LengthShape, OutputKind, PromptSource, PromptsForm, SharingKind, TokenizerKind,
};
use crate::app::dialogs::BrowseFor;
use crate::app::theme::Theme;
use crate::app::widgets::{self, Field, Switch};
use crate::domain::{PromptOrder, Protocol};

const INPUT: &str = "Input tokens";
const OUTPUT: &str = "Output tokens";

pub(super) fn prompts_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let is_gradio = draw.form.target.protocol == Protocol::Gradio;
    Field::new("System prompt", &mut draw.form.prompts.system)
        .rows(2)
        .hint("none")
        .error(draw.errors.at("workload.system"))
        .show(ui);
    let sources = worded(PromptSource::ALL, PromptSource::label);
    choice_field(ui, "User prompts", &mut draw.form.prompts.source, &sources);
    source_ui(ui, draw);
    let prompts = &mut draw.form.prompts;
    let orders = [
        (PromptOrder::InTurn, "In turn".to_owned()),
        (PromptOrder::Random, "At random, by the seed".to_owned()),
    ];
    if prompts.source != PromptSource::Synthetic {
        choice_field(ui, "Order", &mut prompts.order, &orders);
        widgets::tick(ui, &mut prompts.nonce, "Make each prompt unique")
            .on_hover_text("A marker before each user prompt, so that a prefix cache cannot help");
    }
    turns_ui(ui, draw);
    if is_gradio {
        let prompts = &draw.form.prompts;
        if !prompts.max_tokens.is_empty()
            || !prompts.extra_body.is_empty()
            || prompts.output == OutputKind::Drawn
        {
            note(ui, "Max tokens and extra JSON are not sent to a Gradio app");
        }
        return;
    }
    output_ui(ui, draw);
    tokenizer_ui(ui, draw);
    extra_ui(ui, draw);
}

/// The fields of the source chosen.
fn source_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let prompts = &mut draw.form.prompts;
    let errors = draw.errors;
    match prompts.source {
        PromptSource::BuiltIn => {}
        PromptSource::Lines => {
            Field::new("Prompts, one per line", &mut prompts.users)
                .rows(4)
                .error(errors.at("workload.users"))
                .show(ui);
            cut_ui(ui, draw);
        }
        PromptSource::Blocks => {
            Field::new("Prompts, a line of --- between", &mut prompts.users)
                .rows(6)
                .error(errors.at("workload.users"))
                .show(ui);
            cut_ui(ui, draw);
        }
        PromptSource::File => {
            let error = errors.at("workload.prompts_file");
            let text = &mut prompts.file;
            if path_field(ui, "Prompt file", text, "one prompt a line", error) {
                draw.asks.push(Ask::Browse(BrowseFor::Prompts));
            }
            cut_ui(ui, draw);
        }
        PromptSource::Dataset => {
            let error = errors.at("workload.dataset");
            let text = &mut prompts.dataset;
            if path_field(ui, "Dataset", text, "path or hf:OWNER/NAME/FILE", error) {
                draw.asks.push(Ask::Browse(BrowseFor::Dataset));
            }
            note(
                ui,
                "Conversations as JSON (ShareGPT), JSONL, CSV, Parquet, lists of strings, text, or a folder of files",
            );
            cut_ui(ui, draw);
        }
        PromptSource::Synthetic => synthetic_ui(ui, draw),
    }
}

fn cut_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let at = (draw.errors, "workload.input_tokens");
    let prompts = &mut draw.form.prompts;
    widgets::tick(ui, &mut prompts.cut, "Cut prompts to a length")
        .on_hover_text("In tokens; shorter prompts stay as they are");
    if prompts.cut {
        length_ui(ui, INPUT, &mut prompts.input, at);
    }
}

fn synthetic_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    let prompts = &mut draw.form.prompts;
    let at = (errors, "workload.input_tokens");
    length_ui(ui, INPUT, &mut prompts.input, at);
    let sharings = worded(SharingKind::ALL, SharingKind::label);
    let tip = "What a prefix cache lives on: nothing is common, or the beginning of each prompt, or all of it";
    let PromptsForm { sharing, share, .. } = prompts;
    if *sharing == SharingKind::Shared {
        pair(
            ui,
            |ui| {
                choice_field(ui, "Prompts share", sharing, &sharings).on_hover_text(tip);
            },
            |ui| {
                let field = Field::new("Of each", share).hint("50").unit("%");
                field.wrong(errors.has("workload.sharing")).show(ui);
            },
        );
    } else {
        choice_field(ui, "Prompts share", sharing, &sharings).on_hover_text(tip);
    }
    error_below(ui, errors.at("workload.sharing"));
}

/// A length in tokens: how it is drawn, and its numbers.
fn length_ui(ui: &mut Ui, label: &str, length: &mut LengthForm, (errors, field): (&Errors, &str)) {
    let shapes = [
        (LengthShape::Fixed, "Fixed"),
        (LengthShape::Normal, "Normal"),
        (LengthShape::Uniform, "Uniform"),
    ];
    let lower = label.to_lowercase();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        // The answers' length has a label and a switch above this one.
        if label == INPUT {
            super::parts::label_above(ui, label);
        }
        let name = format!("How {lower} are drawn");
        Switch::new(&name, &mut length.shape, &shapes)
            .full_width()
            .show(ui)
            .on_hover_text("One for each request, by the seed");
    });
    // What is wrong with the numbers together is said of none of them.
    let is_wrong =
        |part: &str| errors.has(&format!("{field}.{}", part.to_lowercase())) || errors.is_of(field);
    let two = |ui: &mut Ui, fields: [(&str, &mut String); 2]| {
        let [(left, left_text), (right, right_text)] = fields;
        let names = [left, right].map(|part| format!("{part} {lower}"));
        pair(
            ui,
            |ui| {
                let field = Field::new(left, left_text).name(&names[0]);
                field.unit("tokens").wrong(is_wrong(left)).show(ui);
            },
            |ui| {
                let field = Field::new(right, right_text).name(&names[1]);
                field.unit("tokens").wrong(is_wrong(right)).show(ui);
            },
        );
    };
    let LengthForm {
        shape,
        fixed,
        mean,
        sd,
        min,
        max,
    } = length;
    match shape {
        LengthShape::Fixed => {
            let name = format!("Number of {lower}");
            Field::new(&name, fixed)
                .bare()
                .hint("200, or normal:200,10,180,220")
                .wrong(errors.has(field))
                .show(ui);
        }
        LengthShape::Normal => {
            two(ui, [("Mean", mean), ("Deviation", sd)]);
            two(ui, [("Least", min), ("Most", max)]);
        }
        LengthShape::Uniform => two(ui, [("Least", min), ("Most", max)]),
    }
    length.take_text_form();
    error_below(ui, errors.at(field));
}

fn turns_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    let PromptsForm { turns, think, .. } = &mut draw.form.prompts;
    let tip = "Each turn sends the model's own answers of the turns before; 1 sends single prompts";
    pair(
        ui,
        |ui| {
            Field::new("Turns", turns)
                .hint("1")
                .wrong(errors.has("workload.turns"))
                .show(ui)
                .on_hover_text(tip);
        },
        |ui| {
            Field::new("Think time", think)
                .hint("0")
                .wrong(errors.has("workload.think_secs"))
                .unit("s")
                .show(ui)
                .on_hover_text("Between an answer's end and the same conversation's next turn");
        },
    );
    error_of(ui, errors, "workload.turns", "Turns");
    error_of(ui, errors, "workload.think_secs", "Think time");
}

fn output_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    let prompts = &mut draw.form.prompts;
    let kinds = [
        (OutputKind::Limit, "One limit"),
        (OutputKind::Drawn, "Drawn for each"),
    ];
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        super::parts::label_above(ui, "Length of the answers");
        Switch::new("Length of the answers", &mut prompts.output, &kinds)
            .full_width()
            .show(ui);
    });
    match prompts.output {
        OutputKind::Limit => {
            let error = errors.at("workload.max_tokens");
            number(ui, "Max tokens", &mut prompts.max_tokens, "", error)
                .on_hover_text("Empty leaves it to the server");
        }
        OutputKind::Drawn => {
            let at = (errors, "workload.output_tokens");
            length_ui(ui, OUTPUT, &mut prompts.output_length, at);
        }
    }
    widgets::tick(ui, &mut prompts.ignore_eos, "Answer up to the limit").on_hover_text(
        "Asks the server to go on whatever the model wants (ignore_eos); sent where the server takes it",
    );
}

fn tokenizer_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let error = draw.errors.at("workload.tokenizer");
    let kinds = worded(TokenizerKind::ALL, TokenizerKind::label);
    let prompts = &mut draw.form.prompts;
    choice_field(ui, "Tokens are counted by", &mut prompts.tokenizer, &kinds).on_hover_text(
        "On our side: where lengths are asked, or the server counts none. o200k is built in; the others are the model's own",
    );
    match prompts.tokenizer {
        TokenizerKind::Hub => {
            Field::new("Model on the Hub", &mut prompts.tokenizer_name)
                .mono()
                .hint("owner/model")
                .error(error)
                .show(ui);
        }
        TokenizerKind::File => {
            let text = &mut prompts.tokenizer_file;
            if path_field(ui, "Tokenizer", text, "tokenizer.json", error) {
                draw.asks.push(Ask::Browse(BrowseFor::Tokenizer));
            }
        }
        TokenizerKind::None | TokenizerKind::O200k | TokenizerKind::Server => {
            error_below(ui, error);
        }
    }
}

fn extra_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let prompts = &mut draw.form.prompts;
    // While it is typed, what is wrong is said at once; the plan's own issue is the same sentence.
    let of_plan = draw.errors.at("workload.extra_body");
    let issue = super::extra_body_issue(&prompts.extra_body);
    let error = issue.as_deref().or(of_plan);
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
