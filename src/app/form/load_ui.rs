//! Load: how many users, how long, and the staircase that shows it.

use egui::{Align2, Rect, Sense, Ui, pos2, vec2};

use super::panel::Draw;
use super::parts::{choice_field, note, pair};
use super::{LengthKind, LoadForm, LoadKind};
use crate::app::theme::{Text, Theme};
use crate::app::widgets::{self, Field, Switch};
use crate::domain::{ClosedMode, RunState, Stage};

pub(super) fn load_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    let load = &mut draw.form.load;
    if load.kind == LoadKind::Kept {
        kept_ui(ui, load);
    } else {
        let kinds = [
            (LoadKind::Iterations, "Iterations"),
            (LoadKind::Users, "Users"),
        ];
        Switch::new("Kind of load", &mut load.kind, &kinds)
            .full_width()
            .show(ui);
    }
    match load.kind {
        LoadKind::Iterations => {
            Field::new("Iterations", &mut load.iterations)
                .error(errors.at("iterations"))
                .show(ui)
                .on_hover_text("One user sends that many requests, one after another");
        }
        LoadKind::Users => {
            let error = errors.at("users").or_else(|| errors.at("stages"));
            Field::new("Users per stage", &mut load.users)
                .hint("1, 10, 100")
                .error(error)
                .show(ui);
            let (label, text, field, hint) = match load.length {
                LengthKind::Requests => (
                    "Requests per stage",
                    &mut load.requests,
                    "requests",
                    "one number, or one for each",
                ),
                LengthKind::PerUser => (
                    "Requests per user",
                    &mut load.per_user,
                    "requests_per_user",
                    "one number, or one for each",
                ),
                LengthKind::Duration => (
                    "Time per stage",
                    &mut load.duration,
                    "duration_secs",
                    "10s, 1.5m or 200ms",
                ),
            };
            Field::new(label, text)
                .hint(hint)
                .error(errors.at(field))
                .show(ui);
            ends_ui(ui, load);
        }
        LoadKind::Kept => {}
    }
    let stages = draw.form.stages();
    let progress = draw.state.live.as_ref().map(|run| &run.state);
    staircase_ui(ui, &stages, progress);
}

/// When a stage ends, and how its users keep step.
fn ends_ui(ui: &mut Ui, load: &mut LoadForm) {
    let lengths = LengthKind::ALL.map(|l| (l, l.label().to_owned()));
    let modes = [
        (ClosedMode::Steady, "Steady".to_owned()),
        (ClosedMode::Burst, "Burst".to_owned()),
        (ClosedMode::Wave, "Wave".to_owned()),
    ];
    let (length, mode) = (&mut load.length, &mut load.mode);
    pair(
        ui,
        |ui| {
            choice_field(ui, "A stage ends after", length, &lengths);
        },
        |ui| {
            choice_field(ui, "Users go on", mode, &modes).on_hover_text(
                "Steady: each at once. Burst: all of a round together. Wave: as burst, with 0 to 500 ms before each",
            );
        },
    );
}

fn kept_ui(ui: &mut Ui, load: &mut LoadForm) {
    let words = format!(
        "{} stages of different kinds, as the plan file has them",
        load.kept.len()
    );
    note(ui, &words);
    if widgets::link(ui, "Replace them by a list of users").clicked() {
        load.kind = LoadKind::Users;
    }
}

/// One bar a stage, in the stage's colour; the higher, the more users.
fn staircase_ui(ui: &mut Ui, stages: &[Stage], run: Option<&RunState>) {
    const HEIGHT: f32 = 40.0;
    const NAMES: f32 = 16.0;
    if stages.is_empty() {
        return;
    }
    let theme = Theme::of(ui);
    let wanted = vec2(ui.available_width(), HEIGHT + NAMES);
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::hover());
    let painter = ui.painter();
    let n = stages.len();
    let pitch = (rect.width() + 1.0) / n as f32;
    let levels: Vec<f64> = stages
        .iter()
        .map(|s| s.load.level().max(1.0).ln())
        .collect();
    let least = levels.iter().copied().fold(f64::INFINITY, f64::min);
    let most = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let reached = match run {
        Some(RunState::Running(p) | RunState::Stopping(p)) => Some(p.stage.index()),
        Some(_) => Some(0),
        None => None,
    };
    let has_room = |words: &str| widgets::text_width(painter, words, Text::Caption) < pitch - 2.0;
    let in_full = stages.iter().all(|s| has_room(&s.load.label()));
    for (i, stage) in stages.iter().enumerate() {
        let rise = if most > least {
            (levels[i] - least) / (most - least)
        } else {
            0.5
        };
        #[expect(clippy::cast_possible_truncation, reason = "a share for a bar")]
        let height = (8.0 + 25.0 * rise as f32).round();
        let left = rect.left() + i as f32 * pitch;
        let base = rect.top() + HEIGHT - 1.0;
        let area = Rect::from_min_max(
            pos2(left.round(), base - height),
            pos2((left + pitch - 1.0).round(), base),
        );
        let color = theme.stage(i, n);
        let waits = reached.is_some_and(|r| i > r);
        let fill = color.gamma_multiply(if waits { 0.1 } else { 0.2 });
        painter.rect_filled(area, 0.0, fill);
        let edge = Rect::from_min_size(area.min, vec2(area.width(), 2.0));
        painter.rect_filled(edge, 0.0, color);
        let label = stage.load.label();
        let words = if in_full {
            label
        } else {
            stage.load.max_in_flight().to_string()
        };
        if in_full || has_room(&words) {
            let at = pos2(area.center().x, base + 10.0);
            widgets::text(
                painter,
                at,
                Align2::CENTER_CENTER,
                words,
                Text::Caption,
                theme.secondary,
            );
        }
    }
    let names: Vec<String> = stages.iter().map(|s| s.load.label()).collect();
    let words = format!("Stages: {}", names.join(", "));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &words));
}
