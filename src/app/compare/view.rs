//! The view: sides, result, two charts, the table of differences.

use egui::{
    Align, Align2, Layout, Popup, Rect, ScrollArea, Sense, Stroke, StrokeKind, Ui, pos2, vec2,
};

use super::{CompareMode, Side, WorkedOut, table};
use crate::app::actions::{Action, View};
use crate::app::charts::{self, ChartFrame};
use crate::app::icons;
use crate::app::runs::{name_words, short_date};
use crate::app::state::AppState;
use crate::app::theme::{Text, Theme, radius};
use crate::app::widgets::{self, Button, Switch};
use crate::chart::{Chart, Look};
use crate::domain::{Comparison, MetricId, RunData};

const MARGIN: f32 = 16.0;
const GAP: f32 = 12.0;
const CHARTS: f32 = 236.0;

/// Draws the view into what is left of `ui`.
pub fn compare_ui(ui: &mut Ui, state: &mut AppState) {
    let theme = Theme::of(ui);
    egui::CentralPanel::default()
        .frame(egui::Frame::NONE.fill(theme.canvas))
        .show(ui, |ui| {
            crate::app::banners::banners_ui(ui, state);
            let area = ui.available_rect_before_wrap();
            let area =
                Rect::from_min_max(area.min + vec2(MARGIN, GAP), area.max - vec2(MARGIN, 0.0));
            let head = Rect::from_min_size(area.min, vec2(area.width(), 28.0));
            let worked_out = state.compare.work_out();
            head_ui(ui, head, state, &worked_out);
            // The scroll bar stands in the margin.
            let below = Rect::from_min_max(
                pos2(area.left(), head.bottom() + GAP),
                area.max + vec2(MARGIN - 2.0, 0.0),
            );
            widgets::inside(ui, below, Layout::top_down(Align::Min), "compared", |ui| {
                ui.spacing_mut().scroll.floating_allocated_width = 0.0;
                ScrollArea::vertical()
                    .id_salt("compare")
                    .auto_shrink(false)
                    .show(ui, |ui| {
                        ui.set_max_width(area.width());
                        ui.spacing_mut().item_spacing = vec2(GAP, GAP);
                        body_ui(ui, state, &worked_out, below.height());
                    });
            });
        });
}

fn body_ui(ui: &mut Ui, state: &mut AppState, worked_out: &WorkedOut, height: f32) {
    match worked_out {
        WorkedOut::Parameter => super::parameter_view::parameter_ui(ui, state, height),
        WorkedOut::Nothing(headline, advice) => nothing_ui(ui, headline, advice, height, state),
        WorkedOut::Versus {
            comparison,
            level,
            left,
            right,
        } => {
            let better = table::verdict_of(comparison, *level);
            result_ui(ui, &comparison.headline, &comparison.detail, better);
            for note in &comparison.notes {
                note_ui(ui, note);
            }
            charts_ui(ui, state, left, right, Some((comparison, *level)));
            if let Some(pair) = comparison.stages.get(*level) {
                table::effects_ui(ui, pair);
            }
            if !comparison.differences.is_empty() {
                table::differences_ui(ui, &comparison.differences);
            }
        }
        WorkedOut::Cold {
            comparison,
            left,
            right,
        } => {
            result_ui(ui, &comparison.headline, &comparison.detail, None);
            charts_ui(ui, state, left, right, None);
            table::cold_ui(ui, comparison);
        }
    }
    ui.add_space(GAP);
}

pub(super) fn nothing_ui(
    ui: &mut Ui,
    headline: &str,
    advice: &str,
    height: f32,
    state: &mut AppState,
) {
    let theme = Theme::of(ui);
    let wanted = vec2(ui.available_width(), (height - GAP).max(160.0));
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::hover());
    charts::card(ui, rect);
    let center = rect.center();
    let painter = ui.painter();
    let at = center - vec2(0.0, 34.0);
    widgets::text(
        painter,
        at,
        Align2::CENTER_CENTER,
        headline,
        Text::Title,
        theme.text,
    );
    let at = center - vec2(0.0, 10.0);
    widgets::text(
        painter,
        at,
        Align2::CENTER_CENTER,
        advice,
        Text::Body,
        theme.secondary,
    );
    let name = format!("{headline}. {advice}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &name));
    let area = Rect::from_center_size(center + vec2(0.0, 26.0), vec2(220.0, 28.0));
    let layout = Layout::left_to_right(Align::Center).with_main_align(Align::Center);
    let clicked = widgets::inside(ui, area, layout, "to runs", |ui| {
        let button = Button::new("Go to Runs").icon(icons::RUNS).width(120.0);
        ui.add_space(50.0);
        ui.add(button).clicked()
    });
    if clicked {
        state.perform(Action::ShowView(View::Runs));
    }
}

fn head_ui(ui: &mut Ui, rect: Rect, state: &mut AppState, worked_out: &WorkedOut) {
    let mut right_edge = rect.right();
    let layout = Layout::right_to_left(Align::Center);
    widgets::inside(ui, rect, layout, "head right", |ui| {
        ui.spacing_mut().item_spacing.x = 12.0;
        let modes = [
            (CompareMode::Versus, "A against B"),
            (CompareMode::ColdWarm, "Cold against warm"),
            (CompareMode::Parameter, "By parameter"),
        ];
        let switch = Switch::new("What is compared", &mut state.compare.mode, &modes).show(ui);
        right_edge = switch.rect.left() - 12.0;
        if state.compare.mode == CompareMode::Parameter {
            return;
        }
        let metrics = match state.compare.mode {
            CompareMode::Versus => vec![
                (MetricId::Ttft, "TTFT"),
                (MetricId::E2e, "E2E"),
                (MetricId::Tpot, "TPOT"),
            ],
            CompareMode::ColdWarm | CompareMode::Parameter => {
                vec![(MetricId::Ttft, "TTFT"), (MetricId::E2e, "E2E")]
            }
        };
        let mut metric = state.compare.metric();
        if !metrics.iter().any(|(id, _)| *id == metric) {
            metric = MetricId::Ttft;
        }
        let switch = Switch::new("Metric", &mut metric, &metrics).show(ui);
        state.compare.metric = Some(metric);
        right_edge = switch.rect.left() - 12.0;
    });
    let left = Rect::from_min_max(rect.min, pos2(right_edge, rect.bottom()));
    let layout = Layout::left_to_right(Align::Center);
    widgets::inside(ui, left, layout, "head left", |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        if state.compare.mode == CompareMode::Parameter {
            super::parameter_view::head_ui(ui, state);
            return;
        }
        // Two of them, and what the plans differ in.
        let chip_width = ((left.width() - 220.0) / 2.0).clamp(96.0, 232.0);
        side_ui(ui, Side::A, chip_width, state);
        if state.compare.mode == CompareMode::ColdWarm {
            return;
        }
        if ui
            .add(Button::icon_only(icons::SWAP, "Swap A and B"))
            .clicked()
        {
            state.compare.swap();
        }
        side_ui(ui, Side::B, chip_width, state);
        if let WorkedOut::Versus { comparison, .. } = worked_out {
            ui.add_space(12.0);
            match_ui(ui, comparison);
        }
    });
}

/// A chip with the side's colour, letter and run; opens a list of runs.
fn side_ui(ui: &mut Ui, side: Side, width: f32, state: &mut AppState) {
    let theme = Theme::of(ui);
    let run = match side {
        Side::A => state.compare.a.as_ref(),
        Side::B => state.compare.b.as_ref(),
    };
    let words = run.map_or_else(|| "choose a run".to_owned(), |r| name_of(r));
    let (rect, response) = ui.allocate_exact_size(vec2(width, 28.0), Sense::click());
    let painter = ui.painter();
    let edge = if response.hovered() {
        theme.line_strong
    } else {
        theme.line
    };
    let edge = Stroke::new(1.0, edge);
    painter.rect(rect, radius::CONTROL, theme.panel, edge, StrokeKind::Inside);
    let color = theme.side(match side {
        Side::A => 0,
        Side::B => 1,
    });
    let square =
        Rect::from_center_size(pos2(rect.left() + 14.0, rect.center().y), vec2(20.0, 20.0));
    painter.rect_filled(square, radius::INNER, color);
    let ink = theme.canvas;
    let center = square.center();
    widgets::text(
        painter,
        center,
        Align2::CENTER_CENTER,
        side.letter(),
        Text::Heading,
        ink,
    );
    let at = pos2(rect.left() + 32.0, rect.center().y);
    let ink = if run.is_some() {
        theme.text
    } else {
        theme.muted
    };
    let drawn = widgets::elided(
        painter,
        at,
        Align2::LEFT_CENTER,
        &words,
        Text::Strong,
        ink,
        width - 60.0,
    );
    if let Some(run) = run {
        let room = rect.right() - 28.0 - drawn.right() - 8.0;
        let date = short_date(&run.head.started);
        if widgets::text_width(painter, &date, Text::Label) <= room {
            let at = pos2(drawn.right() + 8.0, rect.center().y + 0.5);
            widgets::text(
                painter,
                at,
                Align2::LEFT_CENTER,
                date,
                Text::Label,
                theme.muted,
            );
        }
    }
    let at = pos2(rect.right() - 14.0, rect.center().y);
    widgets::icon(painter, at, icons::OPENED, 16.0, theme.muted);
    let name = format!("Side {}", side.letter());
    response.widget_info(|| {
        let mut info = egui::WidgetInfo::labeled(egui::Role::ComboBox, true, &name);
        info.current_text_value = Some(words.clone());
        info
    });
    let mut chosen = None;
    Popup::menu(&response).width(320.0).gap(4.0).show(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.set_width(320.0);
        let readable = state.library.entries().iter().filter(|e| e.error.is_none());
        let mut entries: Vec<_> = readable.collect();
        entries.sort_by_key(|e| std::cmp::Reverse(e.started_unix_ns));
        if entries.is_empty() {
            ui.label(Text::Body.rich("  No runs in the library yet", theme.muted));
        }
        ScrollArea::vertical().max_height(340.0).show(ui, |ui| {
            for entry in entries.into_iter().take(100) {
                let label = name_words(&entry.label, entry.variation.as_ref());
                let date = short_date(&entry.started);
                if crate::app::menu::row_ui(ui, &label, &date, true).clicked() {
                    chosen = Some(entry.path.clone());
                }
            }
        });
    });
    if let Some(path) = chosen {
        state.choose_side(side, &path);
    }
}

fn name_of(run: &RunData) -> String {
    name_words(&run.head.label, run.head.variation.as_ref())
}

/// Whether the two runs did the same.
fn match_ui(ui: &mut Ui, comparison: &Comparison) {
    let theme = Theme::of(ui);
    let n = comparison
        .differences
        .iter()
        .filter(|d| !d.is_target)
        .count();
    let n_target = comparison.differences.len() - n;
    let (icon, ink, words) = match (n, n_target) {
        (0, 0) => (icons::VALID, theme.ok, "Plans match".to_owned()),
        (0, _) => (
            icons::VALID,
            theme.ok,
            "Plans match, targets differ".to_owned(),
        ),
        (1, _) => (
            icons::CAUTION,
            theme.caution,
            "1 plan field differs".to_owned(),
        ),
        (n, _) => (
            icons::CAUTION,
            theme.caution,
            format!("{n} plan fields differ"),
        ),
    };
    let width = 22.0 + widgets::text_width(ui.painter(), &words, Text::Body);
    if width > ui.available_width() {
        return;
    }
    let (rect, response) = ui.allocate_exact_size(vec2(width, 28.0), Sense::hover());
    let at = pos2(rect.left() + 8.0, rect.center().y);
    widgets::icon(ui.painter(), at, icon, 15.0, ink);
    let at = pos2(rect.left() + 22.0, rect.center().y);
    widgets::text(
        ui.painter(),
        at,
        Align2::LEFT_CENTER,
        &words,
        Text::Body,
        theme.secondary,
    );
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &words));
    if !comparison.differences.is_empty() {
        let lines = comparison.differences.iter();
        let lines: Vec<String> = lines
            .map(|d| format!("{}: {} → {}", d.field, d.a, d.b))
            .collect();
        response.on_hover_text(lines.join("\n"));
    }
}

/// One sentence of result, and what it rests on.
fn result_ui(ui: &mut Ui, headline: &str, detail: &str, better: Option<bool>) {
    let theme = Theme::of(ui);
    let (icon, ink) = match better {
        Some(true) => (icons::VALID, theme.ok),
        Some(false) => (icons::CAUTION, theme.caution),
        None => (icons::COMPARE, theme.muted),
    };
    let width = ui.available_width();
    let head = widgets::text_width(ui.painter(), headline, Text::Heading);
    let body = ui.painter().layout(
        detail.to_owned(),
        Text::Body.font(),
        theme.secondary,
        (width - 40.0 - head - 24.0).max(200.0),
    );
    let below = width - 40.0 - head - 24.0 < 200.0;
    let tall = body.size().y + if below { 22.0 } else { 0.0 };
    let wanted = vec2(width, (tall + 24.0).max(44.0).round());
    let (rect, response) = ui.allocate_exact_size(wanted, Sense::hover());
    charts::card(ui, rect);
    let painter = ui.painter();
    let first_y = if below || tall > 24.0 {
        rect.top() + 21.0
    } else {
        rect.center().y
    };
    widgets::icon(painter, pos2(rect.left() + 22.0, first_y), icon, 18.0, ink);
    let at = pos2(rect.left() + 40.0, first_y);
    let drawn = widgets::text(
        painter,
        at,
        Align2::LEFT_CENTER,
        headline,
        Text::Heading,
        theme.text,
    );
    let row = body.rows.first().map_or(17.0, |r| r.height());
    let at = if below {
        pos2(rect.left() + 40.0, first_y + 14.0)
    } else {
        pos2(drawn.right() + 12.0, first_y - row / 2.0)
    };
    painter.galley(at.round(), body, theme.secondary);
    let name = format!("{headline}. {detail}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &name));
}

fn note_ui(ui: &mut Ui, words: &str) {
    widgets::Banner::new(widgets::Level::Caution, words).show(ui);
}

fn charts_ui(
    ui: &mut Ui,
    state: &mut AppState,
    left: &Chart,
    right: &Chart,
    versus: Option<(&Comparison, usize)>,
) {
    let wanted = vec2(ui.available_width(), CHARTS);
    let (rect, _) = ui.allocate_exact_size(wanted, Sense::hover());
    widgets::inside(ui, rect, Layout::top_down(Align::Min), "charts", |ui| {
        both_ui(ui, rect, state, left, right, versus);
    });
}

fn both_ui(
    ui: &mut Ui,
    rect: Rect,
    state: &mut AppState,
    left: &Chart,
    right: &Chart,
    versus: Option<(&Comparison, usize)>,
) {
    let half = ((rect.width() - GAP) / 2.0).floor();
    let left_rect = Rect::from_min_size(rect.min, vec2(half, CHARTS));
    let right_rect = Rect::from_min_max(pos2(left_rect.right() + GAP, rect.top()), rect.max);
    let choice = &mut state.compare;
    let mut time = None;
    let levels: Vec<(usize, String)> = versus
        .map(|(c, _)| {
            let users = |label: &str| label.split(' ').next().unwrap_or(label).to_owned();
            c.stages
                .iter()
                .enumerate()
                .map(|(i, p)| (i, users(&p.label)))
                .collect()
        })
        .unwrap_or_default();
    let options: Vec<(usize, &str)> = levels.iter().map(|(i, l)| (*i, l.as_str())).collect();
    let mut level = versus.map_or(0, |(_, level)| level);
    let is_many = options.len() > 6;
    let width = match options.len() {
        0 | 1 => 0.0,
        _ if is_many => 72.0,
        _ => Switch::natural_width(ui, &options),
    };
    ChartFrame::new(left).show(ui, left_rect, &mut choice.left_ui, &mut time, |ui| {
        if is_many {
            let owned: Vec<(usize, String)> = levels.clone();
            widgets::choice(ui, "Stage", &mut level, &owned, width);
        } else if options.len() > 1 {
            Switch::new("Stage", &mut level, &options).show(ui);
        }
    });
    if let Some((_, shown)) = versus
        && level != shown
    {
        choice.level = level;
    }
    if versus.is_none() {
        let name = format!("{}, histogram", choice.metric().metric().short);
        ChartFrame::new(right).title(&name).show(
            ui,
            right_rect,
            &mut choice.right_ui,
            &mut time,
            |_| {},
        );
        return;
    }
    let looks = [
        (Look::Histogram, "Histogram"),
        (Look::Percentiles, "Percentiles"),
    ];
    let mut look = choice.look;
    ChartFrame::new(right).show(ui, right_rect, &mut choice.right_ui, &mut time, |ui| {
        Switch::new("Chart", &mut look, &looks).show(ui);
    });
    choice.look = look;
}
