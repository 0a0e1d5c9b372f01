//! The tables below the charts: effects with their intervals, cold against warm, what the plans differ in.

use egui::{Align2, Rect, Sense, Stroke, Ui, pos2, vec2};

use crate::app::charts;
use crate::app::icons;
use crate::app::theme::{Text, Theme};
use crate::app::widgets;
use crate::chart::format;
use crate::domain::{
    Better, ColdComparison, Comparison, Effect, Finding, Interval, PlanDifference, StagePair,
};

const HEADER: f32 = 40.0;
const COLUMNS: f32 = 28.0;
const ROW: f32 = 33.0;
const FOOT: f32 = 30.0;
const PADDING: f32 = 12.0;
/// Below this width the forest has no room.
const WITH_FOREST: f32 = 900.0;
/// Changes smaller than this are no real change to most people; drawn as a zone.
const SMALL_CHANGE: f64 = 0.05;

/// Whether B's first metric is better at that stage; what the sentence above speaks of.
pub(super) fn verdict_of(comparison: &Comparison, _level: usize) -> Option<bool> {
    // The sentence is told of the heaviest stage, whichever stage the charts show.
    let pair = comparison.stages.last()?;
    pair.effects.first()?.is_better()
}

/// Where the columns stand; right-aligned ones by their right edge.
struct Columns {
    metric: f32,
    better: f32,
    a: f32,
    b: f32,
    ratio: f32,
    interval: f32,
    forest: Option<(f32, f32)>,
    verdict: f32,
}

impl Columns {
    fn of(rect: Rect) -> Self {
        let left = rect.left() + PADDING;
        let width = rect.width() - 2.0 * PADDING;
        let (part, forest) = if width >= WITH_FOREST {
            (0.5, true)
        } else {
            (0.78, false)
        };
        let w = width * part;
        let at = |share: f32| left + w * share;
        let from = at(1.0) + 32.0;
        let to = left + width * 0.77;
        Self {
            metric: left,
            better: at(0.20),
            a: at(0.46),
            b: at(0.62),
            ratio: at(0.74),
            interval: at(0.95),
            forest: forest.then_some((from, to)),
            verdict: left + width * 0.79,
        }
    }
}

/// Draws the table of one pair of stages.
pub(super) fn effects_ui(ui: &mut Ui, pair: &StagePair) {
    let theme = Theme::of(ui);
    let n = pair.effects.len() as f32;
    let wanted = vec2(ui.available_width(), HEADER + COLUMNS + ROW * n + FOOT);
    let (rect, _) = ui.allocate_exact_size(wanted, Sense::hover());
    charts::card(ui, rect);
    let columns = Columns::of(rect);
    let subject = format!(
        "{}, ratio of B to A with the 95 % interval inside these two runs",
        pair.label
    );
    title_ui(ui, rect, "Differences", &subject);
    let y = rect.top() + HEADER + COLUMNS / 2.0 - 4.0;
    let painter = ui.painter();
    let head = |x: f32, anchor: Align2, words: &str| {
        widgets::text(painter, pos2(x, y), anchor, words, Text::Label, theme.muted);
    };
    head(columns.metric, Align2::LEFT_CENTER, "Metric");
    head(columns.better, Align2::LEFT_CENTER, "Better");
    head(columns.a, Align2::RIGHT_CENTER, "A");
    head(columns.b, Align2::RIGHT_CENTER, "B");
    head(columns.ratio, Align2::RIGHT_CENTER, "B / A");
    head(columns.interval, Align2::RIGHT_CENTER, "95 % interval");
    head(
        columns.verdict,
        Align2::LEFT_CENTER,
        "B, within these two runs",
    );
    let top = rect.top() + HEADER + COLUMNS - 4.0;
    painter.hline(rect.x_range().shrink(1.0), top, theme.hairline());
    let area = Rect::from_min_max(
        pos2(rect.left(), top),
        pos2(rect.right(), top + ROW * n + 2.0),
    );
    let forest = columns
        .forest
        .map(|range| Forest::of(range, area, &pair.effects));
    if let Some(forest) = &forest {
        forest.ground(ui, y);
    }
    for (i, effect) in pair.effects.iter().enumerate() {
        let row = Rect::from_min_size(
            pos2(rect.left(), top + ROW * i as f32),
            vec2(rect.width(), ROW),
        );
        let last = i + 1 == pair.effects.len();
        effect_ui(ui, row, effect, &columns, forest.as_ref(), last);
    }
}

fn title_ui(ui: &Ui, rect: Rect, title: &str, subject: &str) {
    let theme = Theme::of(ui);
    let painter = ui.painter();
    let y = rect.top() + HEADER / 2.0;
    let at = pos2(rect.left() + PADDING, y);
    let drawn = widgets::text(
        painter,
        at,
        Align2::LEFT_CENTER,
        title,
        Text::Heading,
        theme.text,
    );
    let at = pos2(drawn.right() + 8.0, y + 0.5);
    let room = rect.right() - PADDING - at.x;
    widgets::elided(
        painter,
        at,
        Align2::LEFT_CENTER,
        subject,
        Text::Label,
        theme.muted,
        room,
    );
}

fn effect_ui(
    ui: &Ui,
    row: Rect,
    effect: &Effect,
    columns: &Columns,
    forest: Option<&Forest>,
    last: bool,
) {
    let theme = Theme::of(ui);
    let painter = ui.painter();
    let y = row.center().y;
    let metric = effect.metric.metric();
    let label = effect.label();
    let left = Align2::LEFT_CENTER;
    let right = Align2::RIGHT_CENTER;
    widgets::text(
        painter,
        pos2(columns.metric, y),
        left,
        &label,
        Text::Strong,
        theme.text,
    );
    let (icon, word) = match effect.better() {
        Better::Lower => (icons::DOWN, "lower"),
        Better::Higher => (icons::UP, "higher"),
    };
    let at = pos2(columns.better + 6.0, y);
    widgets::icon(painter, at, icon, 14.0, theme.secondary);
    let at = pos2(columns.better + 18.0, y);
    widgets::text(painter, at, left, word, Text::Label, theme.secondary);
    let value = |v: Option<f64>| format::value(v, metric.unit);
    let (a, b) = (value(effect.a), value(effect.b));
    widgets::text(
        painter,
        pos2(columns.a, y),
        right,
        &a,
        Text::Body,
        theme.text,
    );
    widgets::text(
        painter,
        pos2(columns.b, y),
        right,
        &b,
        Text::Body,
        theme.text,
    );
    let ratio = effect
        .ratio
        .map_or_else(|| format::UNKNOWN.to_owned(), |r| format!("{r:.2}"));
    widgets::text(
        painter,
        pos2(columns.ratio, y),
        right,
        &ratio,
        Text::Strong,
        theme.text,
    );
    let interval = interval_words(effect.ratio_ci95);
    widgets::text(
        painter,
        pos2(columns.interval, y),
        right,
        &interval,
        Text::Body,
        theme.text,
    );
    let (ink, kind) = verdict_ink(theme, effect);
    let words = verdict_words(effect);
    let room = row.right() - PADDING - columns.verdict;
    let at = pos2(columns.verdict, y);
    widgets::elided(painter, at, left, &words, kind, ink, room);
    if let Some(forest) = forest {
        forest.row(ui, y, effect, ink);
    }
    if !last {
        let line = Stroke::new(1.0, theme.line_faint);
        let to = forest.map_or_else(|| row.right() - PADDING, |f| f.from - 24.0);
        let y = row.bottom() - 0.5;
        ui.painter().hline(columns.metric..=to, y, line);
        if forest.is_some() {
            ui.painter()
                .hline(columns.verdict..=row.right() - PADDING, y, line);
        }
    }
    let response = ui.interact(row, ui.scope_id().with(("effect", &label)), Sense::hover());
    let name = format!("{label}: A {a}, B {b}, B / A {ratio}, 95 % interval {interval}, {words}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Row, true, &name));
    response.on_hover_text(format!(
        "{}\nn {} and {}",
        metric.formula, effect.n_a, effect.n_b
    ));
}

fn interval_words(interval: Interval) -> String {
    match interval {
        [Some(low), Some(high)] => format!("{low:.2} to {high:.2}"),
        [Some(low), None] => format!("from {low:.2}"),
        [None, Some(high)] => format!("to {high:.2}"),
        [None, None] => format::UNKNOWN.to_owned(),
    }
}

/// What the finding means for a person who wants the better of the two.
fn verdict_words(effect: &Effect) -> String {
    let is_time = effect.metric.metric().unit == crate::domain::Unit::Ms;
    match (effect.is_better(), is_time) {
        (Some(true), true) => "Faster".to_owned(),
        (Some(false), true) => "Slower".to_owned(),
        (Some(true), false) => "Better".to_owned(),
        (Some(false), false) => "Worse".to_owned(),
        (None, _) => effect.finding.words(),
    }
}

fn verdict_ink(theme: &Theme, effect: &Effect) -> (egui::Color32, Text) {
    match (effect.is_better(), effect.finding) {
        (Some(true), _) => (theme.ok, Text::Strong),
        (Some(false), _) => (theme.invalid, Text::Strong),
        (None, Finding::NoClearDifference) => (theme.secondary, Text::Body),
        (None, _) => (theme.muted, Text::Body),
    }
}

/// Improvement of B on a log axis: right is always better for B.
struct Forest {
    from: f32,
    to: f32,
    area: Rect,
    /// ln of the improvement at either end.
    reach: f64,
}

impl Forest {
    fn of((from, to): (f32, f32), area: Rect, effects: &[Effect]) -> Self {
        let mut reach: f64 = 0.1;
        for (value, [low, high]) in effects.iter().filter_map(Effect::improvement) {
            for v in [Some(value), low, high].into_iter().flatten() {
                if v > 0.0 {
                    reach = reach.max(v.ln().abs());
                }
            }
        }
        Self {
            from,
            to,
            area,
            // One very wide interval must not press all the others into a point.
            reach: (reach * 1.1).min(1.4),
        }
    }

    fn x(&self, improvement: f64) -> f32 {
        let place = (improvement.max(1e-9).ln() / self.reach).clamp(-1.0, 1.0);
        #[expect(clippy::cast_possible_truncation, reason = "a place on the screen")]
        let place = place as f32;
        f32::midpoint(self.from, self.to) + (self.to - self.from) / 2.0 * place
    }

    fn ground(&self, ui: &Ui, head_y: f32) {
        let theme = Theme::of(ui);
        let painter = ui.painter();
        let zone = Rect::from_min_max(
            pos2(self.x(1.0 - SMALL_CHANGE), self.area.top()),
            pos2(self.x(1.0 + SMALL_CHANGE), self.area.bottom()),
        );
        painter.rect_filled(zone, 0.0, theme.raised);
        let step = if self.reach > 0.7 {
            0.5
        } else if self.reach > 0.25 {
            0.2
        } else {
            0.1
        };
        for i in -2..=2 {
            let change = f64::from(i) * step;
            // 50 % less time is twice as fast; the axis speaks of the ratio that the person reads.
            let at = 1.0 + change;
            if at <= 0.0 || at.ln().abs() > self.reach {
                continue;
            }
            let x = self.x(at).round() + 0.5;
            let ink = if i == 0 {
                theme.line_strong
            } else {
                theme.line_faint
            };
            painter.vline(x, self.area.y_range(), Stroke::new(1.0, ink));
            let words = match i {
                0 => "0".to_owned(),
                _ if change > 0.0 => format!("+{:.0} %", change * 100.0),
                _ => format!("−{:.0} %", -change * 100.0),
            };
            let at = pos2(x, head_y);
            widgets::text(
                painter,
                at,
                Align2::CENTER_CENTER,
                words,
                Text::Caption,
                theme.muted,
            );
        }
        let y = self.area.bottom() + 12.0;
        let caption = |x: f32, anchor: Align2, words: &str| {
            widgets::text(
                painter,
                pos2(x, y),
                anchor,
                words,
                Text::Caption,
                theme.muted,
            );
        };
        caption(self.from - 24.0, Align2::LEFT_CENTER, "← B worse");
        let middle = f32::midpoint(self.from, self.to);
        caption(middle, Align2::CENTER_CENTER, "no real change, ±5 %");
        caption(self.to, Align2::RIGHT_CENTER, "B better →");
    }

    fn row(&self, ui: &Ui, y: f32, effect: &Effect, ink: egui::Color32) {
        let Some((value, [low, high])) = effect.improvement() else {
            return;
        };
        let theme = Theme::of(ui);
        let painter = ui.painter();
        let y = y.round() + 0.5;
        if let (Some(low), Some(high)) = (low, high) {
            let (x0, x1) = (self.x(low), self.x(high));
            let line = Stroke::new(1.5, ink);
            painter.hline(x0..=x1, y, line);
            for x in [x0, x1] {
                painter.vline(x, y - 4.0..=y + 4.0, line);
            }
        }
        let center = pos2(self.x(value), y);
        if effect.is_better().is_some() {
            let square = Rect::from_center_size(center, vec2(9.0, 9.0));
            painter.rect_filled(square, 0.0, ink);
        } else {
            painter.circle(center, 4.5, theme.surface, Stroke::new(1.5, ink));
        }
    }
}

/// Cold against warm: each cold request is a value, the warm ones a distribution.
pub(super) fn cold_ui(ui: &mut Ui, comparison: &ColdComparison) {
    let theme = Theme::of(ui);
    let n = comparison.rows.len() as f32;
    let wanted = vec2(ui.available_width(), HEADER + COLUMNS + ROW * n + 8.0);
    let (rect, _) = ui.allocate_exact_size(wanted, Sense::hover());
    charts::card(ui, rect);
    let subject = format!(
        "the first request of each cycle, warm at {}",
        comparison.warm_label
    );
    title_ui(ui, rect, "Cold against warm", &subject);
    let left = rect.left() + PADDING;
    let width = rect.width() - 2.0 * PADDING;
    let at = |share: f32| left + width * share;
    let heads = [
        (at(0.0), Align2::LEFT_CENTER, "Metric"),
        (at(0.30), Align2::RIGHT_CENTER, "Cold"),
        (at(0.42), Align2::RIGHT_CENTER, "Warm p50"),
        (at(0.54), Align2::RIGHT_CENTER, "Warm p95"),
        (at(0.62), Align2::RIGHT_CENTER, "n"),
        (at(0.74), Align2::RIGHT_CENTER, "Penalty"),
        (at(0.78), Align2::LEFT_CENTER, "Cold, within this run"),
    ];
    let y = rect.top() + HEADER + COLUMNS / 2.0 - 4.0;
    for (x, anchor, words) in heads {
        widgets::text(
            ui.painter(),
            pos2(x, y),
            anchor,
            words,
            Text::Label,
            theme.muted,
        );
    }
    let top = rect.top() + HEADER + COLUMNS - 4.0;
    ui.painter()
        .hline(rect.x_range().shrink(1.0), top, theme.hairline());
    for (i, row) in comparison.rows.iter().enumerate() {
        let unit = row.metric.metric().unit;
        let y = top + ROW * (i as f32 + 0.5);
        let cold: Vec<String> = row
            .cold
            .iter()
            .map(|v| format::value(Some(*v), unit))
            .collect();
        let more = cold.len().saturating_sub(3);
        let mut cold_words = cold.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        if more > 0 {
            cold_words = format!("{cold_words} and {more} more");
        }
        let texts = [
            (
                Text::Strong,
                theme.text,
                row.metric.metric().short.to_owned(),
            ),
            (Text::Strong, theme.text, cold_words),
            (Text::Body, theme.text, format::value(row.warm_p50, unit)),
            (Text::Body, theme.text, format::value(row.warm_p95, unit)),
            (
                Text::Body,
                theme.secondary,
                format::count(row.warm_n as f64),
            ),
            (Text::Strong, theme.text, format::value(row.penalty, unit)),
            (Text::Body, theme.secondary, row.words.clone()),
        ];
        let mut spoken = Vec::new();
        for ((x, anchor, head), (kind, ink, words)) in heads.into_iter().zip(texts) {
            spoken.push(format!("{head} {words}"));
            widgets::text(ui.painter(), pos2(x, y), anchor, words, kind, ink);
        }
        let area = Rect::from_min_size(
            pos2(rect.left(), top + ROW * i as f32),
            vec2(rect.width(), ROW),
        );
        let response = ui.interact(
            area,
            ui.scope_id().with(("cold", row.metric)),
            Sense::hover(),
        );
        let name = spoken.join(", ");
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Row, true, &name));
    }
}

/// What the two plans differ in.
pub(super) fn differences_ui(ui: &mut Ui, differences: &[PlanDifference]) {
    const LINE: f32 = 24.0;
    let theme = Theme::of(ui);
    let n = differences.len() as f32;
    let wanted = vec2(ui.available_width(), HEADER + LINE * n + 8.0);
    let (rect, _) = ui.allocate_exact_size(wanted, Sense::hover());
    charts::card(ui, rect);
    title_ui(
        ui,
        rect,
        "What the plans differ in",
        "the target may differ: it is what is compared",
    );
    let left = rect.left() + PADDING;
    let width = rect.width() - 2.0 * PADDING;
    for (i, d) in differences.iter().enumerate() {
        let y = rect.top() + HEADER + LINE * (i as f32 + 0.5);
        let ink = if d.is_target {
            theme.secondary
        } else {
            theme.caution
        };
        let cell = |share: f32, words: &str, kind: Text, ink| {
            let at = pos2(left + width * share, y);
            let room = width * 0.35;
            widgets::elided(
                ui.painter(),
                at,
                Align2::LEFT_CENTER,
                words,
                kind,
                ink,
                room,
            );
        };
        cell(0.0, &d.field, Text::Mono, ink);
        cell(0.28, &d.a, Text::Body, theme.text);
        cell(0.64, &d.b, Text::Body, theme.text);
        let area = Rect::from_min_size(pos2(rect.left(), y - LINE / 2.0), vec2(rect.width(), LINE));
        let response = ui.interact(
            area,
            ui.scope_id().with(("field", &d.field)),
            Sense::hover(),
        );
        let name = format!("{}: A {}, B {}", d.field, d.a, d.b);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Row, true, &name));
    }
}
