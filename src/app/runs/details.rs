//! One run of the library in detail: what it was, what a person wrote about it, what can be done with it.

use egui::{Align, Align2, Layout, Rect, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};

use super::model::{Verdict, long_date};
use super::view::verdict_ink;
use crate::app::charts;
use crate::app::dialogs::Dialog;
use crate::app::form::grouped;
use crate::app::icons;
use crate::app::shell::bytes;
use crate::app::state::AppState;
use crate::app::theme::{Text, Theme};
use crate::app::widgets::{self, Button, Field, Level};
use crate::chart::format;
use crate::domain::{MetricId, RunEntry};

const FOOT: f32 = 56.0;
const KEYS: f32 = 76.0;

pub(super) fn details_ui(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let Some(path) = state.library.selected.clone() else {
        return;
    };
    let Some(entry) = state.library.entry(&path).cloned() else {
        return;
    };
    charts::card(ui, rect);
    let inner = rect.shrink(16.0);
    let foot = Rect::from_min_max(
        pos2(inner.left(), rect.bottom() - FOOT),
        pos2(inner.right(), rect.bottom()),
    );
    // The scroll bar stands in the card's margin.
    let body = Rect::from_min_max(inner.min, pos2(inner.right() + 12.0, foot.top()));
    ui.scope_builder(UiBuilder::new().max_rect(body), |ui| {
        ui.spacing_mut().scroll.floating_allocated_width = 0.0;
        ScrollArea::vertical()
            .id_salt("details")
            .auto_shrink(false)
            .show(ui, |ui| {
                ui.set_max_width(inner.width());
                ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
                head_ui(ui, &entry);
                chart_ui(ui, &entry, state);
                for (key, value) in facts(&entry) {
                    fact_ui(ui, key, &value);
                }
                if let Some(variation) = &entry.variation
                    && widgets::link(ui, "Show all runs of the plan by parameter").clicked()
                {
                    state.compare_group(variation.group.clone());
                }
                ui.add_space(12.0);
                words_ui(ui, &entry, state);
            });
    });
    foot_ui(ui, foot, &entry, state);
}

fn head_ui(ui: &mut Ui, entry: &RunEntry) {
    let theme = Theme::of(ui);
    let row = super::model::Row::of(entry, MetricId::Ttft);
    let wanted = vec2(ui.available_width(), 22.0);
    let (rect, _) = ui.allocate_exact_size(wanted, Sense::hover());
    let mut right = rect.right();
    let layout = Layout::right_to_left(Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(rect).layout(layout), |ui| {
        let badge = widgets::badge(ui, level(&row.verdict), &row.verdict.badge());
        right = badge.rect.left();
    });
    widgets::elided(
        ui.painter(),
        rect.left_center(),
        Align2::LEFT_CENTER,
        &row.label,
        Text::Title,
        theme.text,
        right - rect.left() - 8.0,
    );
    let mut words = long_date(&entry.started);
    if let Some(secs) = entry.duration_secs {
        words.push_str(", ");
        words.push_str(&lasted(secs));
    }
    ui.add_space(4.0);
    let wanted = vec2(ui.available_width(), 18.0);
    let (rect, _) = ui.allocate_exact_size(wanted, Sense::hover());
    let at = rect.left_center();
    widgets::text(
        ui.painter(),
        at,
        Align2::LEFT_CENTER,
        words,
        Text::Label,
        theme.secondary,
    );
    if let Verdict::Unreadable(why) = &row.verdict {
        let (ink, _) = verdict_ink(theme, &row.verdict);
        ui.add_space(8.0);
        ui.add(egui::Label::new(Text::Body.rich(why, ink)).wrap());
    }
    ui.add_space(12.0);
}

fn level(verdict: &Verdict) -> Level {
    match verdict {
        Verdict::Valid => Level::Good,
        Verdict::Cautions(_) => Level::Caution,
        Verdict::Invalid | Verdict::Unreadable(_) => Level::Bad,
        Verdict::Interrupted => Level::Plain,
    }
}

/// `4 min 41 s`.
fn lasted(secs: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole seconds of a run"
    )]
    let whole = secs.max(0.0).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, _) => format!("{} s", format::number(secs)),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// The distribution, when the run has been opened; else a way to open it.
fn chart_ui(ui: &mut Ui, entry: &RunEntry, state: &mut AppState) {
    if entry.error.is_some() {
        return;
    }
    if let Some(run) = state.opened_at(&entry.path).cloned() {
        let wanted = vec2(ui.available_width(), 190.0);
        let (rect, _) = ui.allocate_exact_size(wanted, Sense::hover());
        widgets::inside(ui, rect, Layout::top_down(Align::Min), "ecdf", |ui| {
            super::ecdf::ecdf_ui(ui, rect, &run, state);
        });
        ui.add_space(12.0);
        return;
    }
    if widgets::link(ui, "Read the whole file for its distribution").clicked() {
        state.open_details(&entry.path);
    }
    ui.add_space(12.0);
}

fn facts(entry: &RunEntry) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(model) = &entry.server.model {
        facts.push(("Model", model.clone()));
    }
    if let Some(name) = &entry.server.api_name {
        facts.push(("Endpoint", name.clone()));
    }
    let version = entry.server.version.as_deref().unwrap_or_default();
    let server = format!("{} {version}", entry.server.name);
    if !server.trim().is_empty() {
        facts.push(("Server", server.trim().to_owned()));
    }
    facts.push(("Target", entry.target.clone()));
    facts.push(("Load", entry.load.clone()));
    if let Some(variation) = &entry.variation {
        let values = crate::app::measure::model::values_of(variation);
        facts.push(("Varied", values));
        let place = format!("{} of {} runs", variation.index + 1, variation.of);
        facts.push(("Place", place));
    }
    if let Some(summary) = &entry.summary {
        let all: u64 = summary.stages.iter().map(|s| s.n_ended()).sum();
        let failed: u64 = summary.stages.iter().map(|s| s.failed).sum();
        let of_them = if failed > 0 {
            format!(", of them {} failed", grouped(failed))
        } else {
            String::new()
        };
        facts.push(("Requests", format!("{}{of_them}", grouped(all))));
        let first = summary.cold.requests.iter().find_map(|c| c.ttft.or(c.e2e));
        if let Some(ms) = first {
            facts.push(("Cold start", format::ms(ms)));
        }
        if let Some(reason) = summary.verdict.reasons.first() {
            facts.push(("Invalid", reason.clone()));
        }
        if let Some(caution) = summary.cautions.first() {
            facts.push(("Caution", caution.finding.clone()));
        }
    }
    facts.push(("File", bytes(entry.bytes)));
    facts
}

fn fact_ui(ui: &mut Ui, key: &str, value: &str) {
    const LINE: f32 = 24.0;
    let theme = Theme::of(ui);
    let wanted = vec2(ui.available_width(), LINE);
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::hover());
    let painter = ui.painter();
    let at = rect.left_center();
    widgets::text(
        painter,
        at,
        Align2::LEFT_CENTER,
        key,
        Text::Label,
        theme.muted,
    );
    let at = pos2(rect.left() + KEYS, rect.center().y);
    let room = rect.width() - KEYS;
    widgets::elided(
        painter,
        at,
        Align2::LEFT_CENTER,
        value,
        Text::Body,
        theme.text,
        room,
    );
    let name = format!("{key}: {value}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &name));
    if widgets::text_width(ui.painter(), value, Text::Body) > room {
        response.on_hover_text(value);
    }
}

/// Label, notes and tags: what a person wrote.
fn words_ui(ui: &mut Ui, entry: &RunEntry, state: &mut AppState) {
    let path = entry.path.clone();
    if entry.error.is_some() {
        return;
    }
    let response = Field::new("Name", &mut state.library.label_edit).show(ui);
    if response.lost_focus() && state.library.label_edit != entry.label {
        let label = state.library.label_edit.clone();
        state.annotate(&path, Some(label), None, None);
    }
    ui.add_space(8.0);
    let response = Field::new("Notes", &mut state.library.notes_edit)
        .rows(3)
        .show(ui);
    if response.lost_focus() && state.library.notes_edit != entry.notes {
        let notes = state.library.notes_edit.clone();
        state.annotate(&path, None, None, Some(notes));
    }
    ui.add_space(10.0);
    let mut tags = entry.tags.clone();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(6.0, 6.0);
        for tag in &entry.tags {
            let response = widgets::tag(ui, tag).interact(Sense::click());
            if response.on_hover_text("Click to take it away").clicked() {
                tags.retain(|t| t != tag);
            }
        }
        if !state.library.adding_tag {
            let add = ui.add(Button::icon_only(icons::ADD, "Add a tag"));
            state.library.adding_tag = add.clicked();
            return;
        }
        let field = Field::new("New tag", &mut state.library.tag_edit)
            .bare()
            .width(110.0);
        let response = field.show(ui);
        if response.lost_focus() {
            let tag = std::mem::take(&mut state.library.tag_edit)
                .trim()
                .to_owned();
            if !tag.is_empty() && !tags.contains(&tag) {
                tags.push(tag);
            }
            state.library.adding_tag = false;
        } else {
            response.request_focus();
        }
    });
    if tags != entry.tags {
        state.annotate(&path, None, Some(tags), None);
    }
}

fn foot_ui(ui: &mut Ui, rect: Rect, entry: &RunEntry, state: &mut AppState) {
    let layout = Layout::left_to_right(Align::Center);
    let is_readable = entry.error.is_none();
    ui.scope_builder(UiBuilder::new().max_rect(rect).layout(layout), |ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let why = "The file cannot be read";
        let open = Button::new("Open")
            .name("Open this run")
            .icon(icons::MEASURE);
        let response = ui.add_enabled(is_readable, open);
        if response.on_disabled_hover_text(why).clicked() {
            state.show_run(&entry.path);
        }
        let why = if is_readable {
            "A run is under way"
        } else {
            why
        };
        let again = Button::new("Run again").icon(icons::AGAIN);
        let response = ui.add_enabled(is_readable && !state.is_locked(), again);
        if response.on_disabled_hover_text(why).clicked() {
            state.run_again_at(&entry.path);
        }
        let delete = ui.add(Button::icon_only(icons::DELETE, "Delete this run"));
        if delete.clicked() {
            state.dialog = Some(Dialog::DeleteRun {
                path: entry.path.clone(),
                label: entry.label.clone(),
            });
        }
    });
}
