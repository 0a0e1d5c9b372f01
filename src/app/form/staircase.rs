//! The stages of a load as a staircase: one bar a stage, in the stage's colour; the higher, the more load.

use egui::{Align2, Rect, Sense, Ui, pos2, vec2};

use crate::app::theme::{Text, Theme};
use crate::app::widgets;
use crate::domain::{Load, Over, RunState, SWEEP_TOP, Stage};

/// One bar.
struct Step {
    level: f64,
    name: String,
    /// Where the name has no room.
    short: String,
}

/// Bars above which a staircase is a smear.
const MAX_STEPS: usize = 64;

/// The bars of these stages; none for what cannot be told before the run.
fn steps_of(stages: &[Stage]) -> Vec<Step> {
    if let [stage] = stages
        && let Load::Sweep {
            over,
            steps,
            max_users,
            ..
        } = stage.load
    {
        return match over {
            Over::Rate => sweep_of_rates(steps.get()),
            Over::Users => sweep_of_users(steps.get(), max_users.get()),
        };
    }
    let is_known = |s: &Stage| matches!(s.load, Load::Closed { .. } | Load::Open { .. });
    if !stages.iter().all(is_known) {
        return Vec::new();
    }
    let step = |s: &Stage| Step {
        level: s.load.level(),
        name: s.load.label(),
        short: s.load.level().to_string(),
    };
    stages.iter().map(step).collect()
}

/// The most, then each rate as a share of it.
fn sweep_of_rates(n: u32) -> Vec<Step> {
    let n = n.min(63);
    let most = Step {
        level: 1.0,
        name: "most".to_owned(),
        short: String::new(),
    };
    let rate = |i: u32| {
        let share = f64::from(i) * SWEEP_TOP / f64::from(n);
        let percent = format!("{:.0}", share * 100.0);
        Step {
            level: share,
            name: format!("{percent} %"),
            short: percent,
        }
    };
    std::iter::once(most).chain((1..=n).map(rate)).collect()
}

/// By the same factor each, up to the most users.
fn sweep_of_users(n: u32, most: u32) -> Vec<Step> {
    let n = n.min(63);
    let users = |i: u32| {
        let share = if n > 1 {
            f64::from(i) / f64::from(n - 1)
        } else {
            1.0
        };
        let users = f64::from(most).powf(share).round();
        Step {
            level: users,
            name: users.to_string(),
            short: users.to_string(),
        }
    };
    let mut steps: Vec<Step> = (0..n).map(users).collect();
    steps.dedup_by(|a, b| a.name == b.name);
    steps
}

pub(super) fn staircase_ui(ui: &mut Ui, stages: &[Stage], run: Option<&RunState>) {
    const HEIGHT: f32 = 40.0;
    const NAMES: f32 = 16.0;
    let steps = steps_of(stages);
    if steps.is_empty() || steps.len() > MAX_STEPS {
        return;
    }
    let theme = Theme::of(ui);
    let wanted = vec2(ui.available_width(), HEIGHT + NAMES);
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::hover());
    let painter = ui.painter();
    let n = steps.len();
    let pitch = (rect.width() + 1.0) / n as f32;
    let reached = match run {
        Some(RunState::Running(p) | RunState::Stopping(p)) => Some(p.stage.index()),
        Some(_) => Some(0),
        None => None,
    };
    let has_room = |words: &str| {
        !words.is_empty() && widgets::text_width(painter, words, Text::Caption) < pitch - 2.0
    };
    let in_full = steps.iter().all(|s| has_room(&s.name));
    for (i, (step, rise)) in steps.iter().zip(rises(&steps)).enumerate() {
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
        let words = if in_full { &step.name } else { &step.short };
        if in_full || has_room(words) {
            let at = pos2(area.center().x, base + 10.0);
            let (kind, ink) = (Text::Caption, theme.secondary);
            widgets::text(painter, at, Align2::CENTER_CENTER, words, kind, ink);
        }
    }
    let names: Vec<&str> = steps.iter().map(|s| s.name.as_str()).collect();
    let words = format!("Stages: {}", names.join(", "));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &words));
}

/// How high each stands between the least and the most, by the logarithm.
fn rises(steps: &[Step]) -> Vec<f64> {
    let level = |s: &Step| s.level.max(1e-3).ln();
    let levels: Vec<f64> = steps.iter().map(level).collect();
    let least = levels.iter().copied().fold(f64::INFINITY, f64::min);
    let most = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let rise = |level: &f64| {
        if most > least {
            (level - least) / (most - least)
        } else {
            0.5
        }
    };
    levels.iter().map(rise).collect()
}
