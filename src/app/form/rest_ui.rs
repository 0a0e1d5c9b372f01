//! Cold and warm-up, Limits, Advanced.

use egui::Ui;

use super::panel::{Ask, Draw};
use super::parts::{choice_field, note, number, pair, path_field};
use crate::app::dialogs::BrowseFor;
use crate::app::widgets::{self, Field};
use crate::domain::{ColdHow, Connections, HttpVersion};

pub(super) fn cold_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    let cold = &mut draw.form.cold;
    let error = errors.at("cold.requests");
    number(ui, "Cold requests", &mut cold.requests, "", error);
    let ways = [
        (ColdHow::Nothing, "Nothing is done".to_owned()),
        (ColdHow::Silence, "A time of silence before".to_owned()),
        (ColdHow::Restarted, "I restart the server".to_owned()),
    ];
    choice_field(ui, "How it is made cold", &mut cold.how, &ways);
    match cold.how {
        ColdHow::Nothing => note(ui, "Cold only if the server was so already"),
        ColdHow::Silence => {
            let error = errors.at("cold.silence_secs");
            number(ui, "Silence", &mut cold.silence, "s", error);
        }
        ColdHow::Restarted => note(ui, "The run waits until you say that it is restarted"),
    }
    number(ui, "Cycles", &mut cold.cycles, "", errors.at("cold.cycles"));
    Field::new("Warm-up", &mut cold.warmup)
        .hint("none; 20 requests, or 10s")
        .error(errors.at("warmup"))
        .show(ui)
        .on_hover_text("A number of requests, or a time as 10s; sent before and never counted");
}

pub(super) fn advanced_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    label_ui(ui, draw);
    pace_ui(ui, draw);
    let form = &mut *draw.form;
    widgets::tick(ui, &mut form.target.stream, "Stream the answer");
    widgets::tick(
        ui,
        &mut form.advanced.keep_text,
        "Keep prompts and answers in the file",
    );
    timeouts_ui(ui, draw);
    connection_ui(ui, draw);
}

fn label_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let form = &mut *draw.form;
    Field::new("Label", &mut form.label)
        .hint("what you call this plan")
        .error(draw.errors.at("label"))
        .show(ui);
    Field::new("Tags", &mut form.tags)
        .hint("baseline, nightly")
        .error(draw.errors.at("tags"))
        .show(ui);
}

fn pace_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    let advanced = &mut draw.form.advanced;
    number(ui, "Seed", &mut advanced.seed, "", errors.at("seed"));
    let error = errors.at("pause_secs");
    number(ui, "Pause between stages", &mut advanced.pause, "s", error);
    let error = errors.at("grace_secs");
    number(ui, "Grace at a timed end", &mut advanced.grace, "s", error);
}

fn timeouts_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    let a = &mut draw.form.advanced;
    for (label, text, field) in [
        ("Connect within", &mut a.connect, "connect_secs"),
        ("First byte within", &mut a.first_byte, "first_byte_secs"),
        ("Silence at most", &mut a.idle, "idle_secs"),
        (
            "No token for at most",
            &mut a.token_stall,
            "token_stall_secs",
        ),
        ("Whole request within", &mut a.total, "total_secs"),
    ] {
        let field = format!("target.timeouts.{field}");
        number(ui, label, text, "s", errors.at(&field));
    }
}

fn connection_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    let a = &mut draw.form.advanced;
    Field::new("Headers, one Name: value per line", &mut a.headers)
        .rows(3)
        .mono()
        .error(errors.at("target.headers"))
        .show(ui);
    let versions = [
        (HttpVersion::Http1, "HTTP/1.1".to_owned()),
        (HttpVersion::Http2, "HTTP/2".to_owned()),
    ];
    let keeping = [
        (Connections::Keep, "One per user".to_owned()),
        (Connections::New, "New each time".to_owned()),
    ];
    pair(
        ui,
        |ui| {
            choice_field(ui, "HTTP", &mut a.http, &versions);
        },
        |ui| {
            choice_field(ui, "Connections", &mut a.connections, &keeping);
        },
    );
    Field::new("Proxy", &mut a.proxy)
        .mono()
        .hint("none; http://host:port")
        .error(errors.at("target.proxy"))
        .show(ui);
    let error = errors.at("target.ca_file");
    if path_field(
        ui,
        "Certificate authority",
        &mut a.ca_file,
        "the system's",
        error,
    ) {
        draw.asks.push(Ask::Browse(BrowseFor::CaFile));
    }
    widgets::tick(ui, &mut a.insecure, "Accept any certificate");
    if a.insecure {
        note(ui, "The run will say that certificates were not checked");
    }
}
