//! Mixed traffic: what other visitors of a Gradio app do meanwhile.

use egui::Ui;

use super::panel::Draw;
use super::parts::{error_below, note, number};
use crate::app::widgets;

pub(super) fn traffic_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    let traffic = &mut draw.form.traffic;
    widgets::tick(ui, &mut traffic.on, "Other visitors meanwhile").on_hover_text(
        "They load pages, upload and download beside the measured requests, and are measured apart",
    );
    if !traffic.on {
        return;
    }
    for (label, text, unit, field, tip) in [
        (
            "Visitors that load pages",
            &mut traffic.page_loads,
            "",
            "page_loads",
            "Each loads the app's page and what belongs to it, again and again",
        ),
        (
            "Visitors that upload",
            &mut traffic.uploads,
            "",
            "uploads",
            "Each uploads a file, again and again",
        ),
        (
            "Visitors that download",
            &mut traffic.downloads,
            "",
            "downloads",
            "Each downloads a file that it uploaded first",
        ),
        ("Size of a file", &mut traffic.file, "kB", "file_bytes", ""),
        (
            "Pause between two",
            &mut traffic.pause,
            "ms",
            "pause_ms",
            "Of each visitor",
        ),
    ] {
        let field = format!("mixed_traffic.{field}");
        let response = number(ui, label, text, unit, errors.at(&field));
        if !tip.is_empty() {
            response.on_hover_text(tip);
        }
    }
    error_below(ui, errors.exactly("mixed_traffic"));
    note(
        ui,
        "Never part of a stage's figures: they get a table of their own",
    );
}
