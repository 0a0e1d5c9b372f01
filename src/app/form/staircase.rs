//! The stages of a load as a staircase: one bar a stage, in the stage's colour; the higher, the more load.

use egui::{Align2, Sense, Shape, Stroke, Ui, pos2, vec2};

use crate::app::theme::{Text, Theme};
use crate::app::widgets;
use crate::domain::{Load, Over, RunState, SWEEP_TOP, Stage};

/// One bar.
struct Step {
    level: f64,
    /// Where it grows from, of a ramp.
    from: Option<f64>,
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
    let from = |load: &Load| match load {
        Load::Closed { ramp, .. } | Load::Open { ramp, .. } => ramp.map(|r| r.from),
        _ => None,
    };
    let step = |s: &Stage| Step {
        level: s.load.level(),
        from: from(&s.load),
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
        from: None,
        name: "most".to_owned(),
        short: "max".to_owned(),
    };
    let rate = |i: u32| {
        let share = f64::from(i) * SWEEP_TOP / f64::from(n);
        let percent = format!("{:.0}", share * 100.0);
        Step {
            level: share,
            from: None,
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
            from: None,
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
    let all_of_sweep = steps.first().is_some_and(|s| s.name == "most");
    for (i, (step, (begins, ends))) in steps.iter().zip(rises(&steps)).enumerate() {
        #[expect(clippy::cast_possible_truncation, reason = "a share for a bar")]
        let height = |rise: f64| (8.0 + 25.0 * rise as f32).round();
        let left = rect.left() + i as f32 * pitch;
        let base = rect.top() + HEIGHT - 1.0;
        let (left, right) = (left.round(), (left + pitch - 1.0).round());
        let (low, high) = (base - height(begins), base - height(ends));
        let color = theme.stage(i, n);
        let waits = reached.is_some_and(|r| i > r);
        let fill = color.gamma_multiply(if waits { 0.1 } else { 0.2 });
        let corners = vec![
            pos2(left, low),
            pos2(right, high),
            pos2(right, base),
            pos2(left, base),
        ];
        painter.add(Shape::convex_polygon(corners, fill, Stroke::NONE));
        let top = vec![
            pos2(left, low),
            pos2(right, high),
            pos2(right, high + 2.0),
            pos2(left, low + 2.0),
        ];
        painter.add(Shape::convex_polygon(top, color, Stroke::NONE));
        let (kind, ink) = (Text::Caption, theme.secondary);
        let is_last = i + 1 == n;
        if all_of_sweep && is_last && !in_full {
            // The last has the others' unit beside it.
            let at = pos2(rect.right(), base + 10.0);
            widgets::text(painter, at, Align2::RIGHT_CENTER, &step.name, kind, ink);
            continue;
        }
        let words = if in_full { &step.name } else { &step.short };
        // Beside the last one's unit there is no room.
        let is_beside = all_of_sweep && i + 2 == n;
        if in_full || has_room(words) && !is_beside {
            let at = pos2(f32::midpoint(left, right), base + 10.0);
            widgets::text(painter, at, Align2::CENTER_CENTER, words, kind, ink);
        }
    }
    let names: Vec<&str> = steps.iter().map(|s| s.name.as_str()).collect();
    let words = format!("Stages: {}", names.join(", "));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &words));
}

/// How high each begins and ends between the least and the most, by the logarithm.
fn rises(steps: &[Step]) -> Vec<(f64, f64)> {
    let height = |level: f64| level.max(1e-3).ln();
    let ends = |s: &Step| (height(s.from.unwrap_or(s.level)), height(s.level));
    let levels: Vec<(f64, f64)> = steps.iter().map(ends).collect();
    let all = || levels.iter().flat_map(|(from, to)| [*from, *to]);
    let least = all().fold(f64::INFINITY, f64::min);
    let most = all().fold(f64::NEG_INFINITY, f64::max);
    let rise = |level: f64| {
        if most > least {
            (level - least) / (most - least)
        } else {
            0.5
        }
    };
    levels
        .iter()
        .map(|(from, to)| (rise(*from), rise(*to)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_rises_over_its_stage_and_a_sweep_is_named() {
        let ramped = |from: f64, to: f64| {
            let mut load = Load::open(to);
            if let Load::Open { ramp, .. } = &mut load {
                *ramp = Some(format!("linear:{from}..{to}").parse().unwrap());
            }
            Stage {
                load,
                end: crate::domain::StageEnd::DurationSecs(1.0),
            }
        };
        assert_eq!(rises(&steps_of(&[ramped(1.0, 20.0)])), [(0.0, 1.0)]);
        assert_eq!(rises(&steps_of(&[ramped(20.0, 1.0)])), [(1.0, 0.0)]);
        let sweep = sweep_of_rates(8);
        let names: Vec<&str> = sweep.iter().map(|s| s.short.as_str()).collect();
        assert_eq!(
            names,
            ["max", "15", "30", "45", "60", "75", "90", "105", "120"]
        );
        assert_eq!(sweep[8].name, "120 %");
    }
}
