//! The library: head, table, details.

use egui::{
    Align, Align2, Layout, Rect, ScrollArea, Sense, Stroke, StrokeKind, Ui, UiBuilder, pos2, vec2,
};

use super::model::{Row, SortBy, Verdict};
use crate::app::actions::Action;
use crate::app::charts;
use crate::app::glue::filter_field_id;
use crate::app::icons;
use crate::app::state::AppState;
use crate::app::theme::{Text, Theme};
use crate::app::widgets::{self, Button, Field, Switch};
use crate::chart::format;
use crate::domain::MetricId;
use crate::stats::least_n;

const MARGIN: f32 = 16.0;
const GAP: f32 = 12.0;
const DETAILS: f32 = 288.0;
const HEADER: f32 = 32.0;
const ROW: f32 = 40.0;

/// Draws the library into what is left of `ui`.
pub fn runs_ui(ui: &mut Ui, state: &mut AppState) {
    let theme = Theme::of(ui);
    egui::CentralPanel::default()
        .frame(egui::Frame::NONE.fill(theme.canvas))
        .show(ui, |ui| {
            crate::app::banners::banners_ui(ui, state);
            let area = ui.available_rect_before_wrap();
            let area =
                Rect::from_min_max(area.min + vec2(MARGIN, GAP), area.max - vec2(MARGIN, GAP));
            let head = Rect::from_min_size(area.min, vec2(area.width(), 28.0));
            let below = Rect::from_min_max(pos2(area.left(), head.bottom() + GAP), area.max);
            head_ui(ui, head, state);
            let has_details = state.library.selected.is_some() && below.width() > 640.0;
            let mut table = below;
            if has_details {
                table.max.x -= DETAILS + GAP;
            }
            table_ui(ui, table, state);
            if has_details {
                let details = Rect::from_min_max(pos2(table.right() + GAP, below.top()), below.max);
                super::details::details_ui(ui, details, state);
            }
        });
}

fn head_ui(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    let theme = Theme::of(ui);
    let layout = Layout::right_to_left(Align::Center);
    let mut left_of_buttons = rect.right();
    let mut action = None;
    ui.scope_builder(UiBuilder::new().max_rect(rect).layout(layout), |ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        let why_not = Action::CompareTicked.why_not(state);
        let words = format!("Compare {}", state.library.n_ticked());
        let words = if state.library.n_ticked() > 0 {
            words.as_str()
        } else {
            "Compare"
        };
        let button = Button::primary(words).icon(icons::COMPARE);
        let response = ui.add_enabled(why_not.is_none(), button);
        if response.clicked() {
            action = Some(Action::CompareTicked);
        }
        response.on_disabled_hover_text(why_not.unwrap_or_default());
        if ui.add(Button::new("Open").icon(icons::OPEN)).clicked() {
            action = Some(Action::Open);
        }
        ui.add_space(8.0);
        let metrics = [
            (MetricId::Ttft, "TTFT"),
            (MetricId::E2e, "E2E"),
            (MetricId::Tpot, "TPOT"),
        ];
        let switch = Switch::new("Metric", &mut state.library.metric, &metrics).show(ui);
        left_of_buttons = switch.rect.left() - 12.0;
    });
    let left = Rect::from_min_max(rect.min, pos2(left_of_buttons, rect.bottom()));
    let layout = Layout::left_to_right(Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(left).layout(layout), |ui| {
        ui.spacing_mut().item_spacing.x = 16.0;
        ui.label(Text::Title.rich("Runs", theme.text));
        search_ui(ui, state);
        ui.spacing_mut().item_spacing.x = 7.0;
        ui.add_space(-4.0);
        chips_ui(ui, state);
    });
    if let Some(action) = action {
        state.perform(action);
    }
}

fn search_ui(ui: &mut Ui, state: &mut AppState) {
    let theme = Theme::of(ui);
    let width = (ui.available_width() * 0.5).clamp(140.0, 260.0);
    let field = Field::new("Search runs", &mut state.library.query)
        .bare()
        .hint("      Search label, model, target, tag")
        .id(filter_field_id())
        .width(width);
    let response = field.show(ui);
    if state.library.query.is_empty() {
        let at = pos2(response.rect.left() + 14.0, response.rect.center().y);
        widgets::icon(ui.painter(), at, icons::SEARCH, 16.0, theme.muted);
    }
}

/// `All` and the tags, as many as there is room for.
fn chips_ui(ui: &mut Ui, state: &mut AppState) {
    let tags = state.library.tags();
    if tags.is_empty() {
        return;
    }
    if chip(ui, "All", state.library.tag.is_none()).clicked() {
        state.library.tag = None;
    }
    for tag in tags {
        let chosen = state.library.tag.as_deref() == Some(tag.as_str());
        let width = widgets::text_width(ui.painter(), &tag, Text::Label) + 24.0;
        if width > ui.available_width() && !chosen {
            break;
        }
        if chip(ui, &tag, chosen).clicked() {
            state.library.tag = if chosen { None } else { Some(tag) };
        }
    }
}

fn chip(ui: &mut Ui, words: &str, chosen: bool) -> egui::Response {
    let theme = Theme::of(ui);
    let kind = if chosen {
        Text::LabelStrong
    } else {
        Text::Label
    };
    let width = (widgets::text_width(ui.painter(), words, kind) + 20.0).round();
    let (rect, response) = ui.allocate_exact_size(vec2(width, 24.0), Sense::click());
    let (fill, edge, ink) = if chosen {
        (theme.accent_soft, theme.accent, theme.text)
    } else if response.hovered() {
        (theme.hover, theme.line_strong, theme.text)
    } else {
        (theme.panel, theme.line, theme.secondary)
    };
    let edge = Stroke::new(1.0, edge);
    ui.painter()
        .rect(rect, 12.0, fill, edge, StrokeKind::Inside);
    widgets::text(
        ui.painter(),
        rect.center(),
        Align2::CENTER_CENTER,
        words,
        kind,
        ink,
    );
    response.widget_info(|| {
        egui::WidgetInfo::selected(
            egui::Role::RadioButton,
            true,
            chosen,
            format!("Tag {words}"),
        )
    });
    response
}

/// Where each column begins, as shares of the table's width; the last value is the right edge.
struct Columns {
    tick: f32,
    date: f32,
    label: f32,
    target: f32,
    load: f32,
    p50: f32,
    p95: f32,
    rate: f32,
    spark: f32,
    tags: f32,
    verdict: f32,
    right: f32,
}

impl Columns {
    fn of(rect: Rect) -> Self {
        let left = rect.left() + 12.0;
        let width = rect.width() - 24.0;
        // Widths of picture 04; what is more goes to label and target. A narrow table drops tags, then the target, then the
        // sparkline.
        let (mut target, mut spark, mut tags) = (106.0, 96.0, 66.0);
        let gap = |spark: f32| if spark > 0.0 { 0.0 } else { 16.0 };
        let fixed = |target: f32, spark: f32, tags: f32| 593.0 + target + spark + tags + gap(spark);
        let too_narrow =
            |target: f32, spark: f32, tags: f32| width < fixed(target, spark, tags) - 30.0;
        if too_narrow(target, spark, tags) {
            tags = 0.0;
        }
        if too_narrow(target, spark, tags) {
            target = 0.0;
        }
        if too_narrow(target, spark, tags) {
            spark = 0.0;
        }
        let more = width - fixed(target, spark, tags);
        let (for_target, for_load) = match (target > 0.0, more > 0.0) {
            (true, true) => (more * 0.3, more * 0.3),
            (false, true) => (0.0, more * 0.4),
            (_, false) => (0.0, 0.0),
        };
        let mut x = left;
        let mut next = |w: f32| {
            let at = x;
            x += w;
            at
        };
        let tick = next(26.0);
        let date = next(93.0);
        let label = next(145.0 + more - for_target - for_load);
        let target_at = next(target + for_target);
        let load = next(81.0 + for_load);
        let p50 = next(52.0) + 52.0;
        let p95 = next(55.0) + 55.0;
        let rate = next(53.0) + 53.0;
        let spark_at = next(spark) + 21.0;
        let tags_at = next(tags);
        Self {
            tick,
            date,
            label,
            target: target_at,
            load,
            p50,
            p95,
            rate,
            spark: spark_at,
            tags: tags_at,
            verdict: rect.right() - 12.0 - 88.0,
            right: rect.right() - 12.0,
        }
    }

    fn has_target(&self) -> bool {
        self.load - self.target > 1.0
    }

    fn has_spark(&self) -> bool {
        self.tags - self.spark > 40.0
    }

    fn has_tags(&self) -> bool {
        self.verdict - self.tags > 40.0
    }
}

fn table_ui(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    charts::card(ui, rect);
    let columns = Columns::of(rect);
    header_ui(ui, rect, &columns, state);
    let body = Rect::from_min_max(pos2(rect.left(), rect.top() + HEADER), rect.max);
    let rows: Vec<Row> = state.library.rows().into_iter().cloned().collect();
    if rows.is_empty() {
        empty_ui(ui, body, state);
        return;
    }
    ui.scope_builder(UiBuilder::new().max_rect(body), |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ScrollArea::vertical()
            .id_salt("runs")
            .auto_shrink(false)
            .show_rows(ui, ROW, rows.len(), |ui, range| {
                for row in rows.get(range).unwrap_or_default() {
                    row_ui(ui, row, &columns, state);
                }
            });
    });
}

fn empty_ui(ui: &Ui, rect: Rect, state: &AppState) {
    let theme = Theme::of(ui);
    let (first, second) = if state.library.entries().is_empty() {
        (
            "No runs yet",
            "Start one in Measure, drop run files here, or open them",
        )
    } else {
        ("No run matches", "Clear the search or choose another tag")
    };
    let painter = ui.painter();
    let at = rect.center() - vec2(0.0, 10.0);
    widgets::text(
        painter,
        at,
        Align2::CENTER_CENTER,
        first,
        Text::Title,
        theme.text,
    );
    let at = rect.center() + vec2(0.0, 12.0);
    widgets::text(
        painter,
        at,
        Align2::CENTER_CENTER,
        second,
        Text::Body,
        theme.secondary,
    );
}

fn header_ui(ui: &mut Ui, rect: Rect, columns: &Columns, state: &mut AppState) {
    let theme = Theme::of(ui);
    let y = rect.top() + HEADER / 2.0;
    ui.painter().hline(
        rect.x_range().shrink(1.0),
        rect.top() + HEADER - 0.5,
        theme.hairline(),
    );
    let mut chosen = None;
    let mut head = |ui: &mut Ui, x: f32, anchor: Align2, words: &str, sort: Option<SortBy>| {
        let is_sorted = sort == Some(state.library.sort);
        let ink = if is_sorted { theme.text } else { theme.muted };
        let kind = if is_sorted {
            Text::LabelStrong
        } else {
            Text::Label
        };
        let drawn = widgets::text(ui.painter(), pos2(x, y), anchor, words, kind, ink);
        let Some(sort) = sort else { return };
        if is_sorted {
            let icon = if state.library.descending {
                icons::DOWN
            } else {
                icons::UP
            };
            let at = if anchor == Align2::RIGHT_CENTER {
                drawn.left() - 8.0
            } else {
                drawn.right() + 10.0
            };
            widgets::icon(ui.painter(), pos2(at, y), icon, 14.0, theme.text);
        }
        let area = Rect::from_center_size(drawn.center(), drawn.size() + vec2(12.0, 10.0));
        let response = ui.interact(area, ui.scope_id().with(("sort", words)), Sense::click());
        let name = format!("Sort by {words}");
        response.widget_info(|| {
            egui::WidgetInfo::selected(egui::Role::ColumnHeader, true, is_sorted, &name)
        });
        if response.clicked() {
            chosen = Some(sort);
        }
    };
    let left = Align2::LEFT_CENTER;
    let right = Align2::RIGHT_CENTER;
    let unit = state.library.metric.metric().unit.label();
    head(ui, columns.date, left, "Date", Some(SortBy::Date));
    head(ui, columns.label, left, "Label", Some(SortBy::Label));
    if columns.has_target() {
        head(ui, columns.target, left, "Target", Some(SortBy::Target));
    }
    head(ui, columns.load, left, "Load", None);
    head(
        ui,
        columns.p50,
        right,
        &format!("p50 {unit}"),
        Some(SortBy::P50),
    );
    head(
        ui,
        columns.p95,
        right,
        &format!("p95 {unit}"),
        Some(SortBy::P95),
    );
    head(ui, columns.rate, right, "tok/s", Some(SortBy::OutputRate));
    if columns.has_spark() {
        head(ui, columns.spark, left, "By stage", None);
    }
    if columns.has_tags() {
        head(ui, columns.tags, left, "Tags", None);
    }
    head(ui, columns.verdict, left, "Verdict", Some(SortBy::Verdict));
    if let Some(sort) = chosen {
        state.library.sort_by(sort);
    }
}

fn row_ui(ui: &mut Ui, row: &Row, columns: &Columns, state: &mut AppState) {
    let theme = Theme::of(ui);
    let wanted = vec2(ui.available_width(), ROW);
    let (rect, _) = ui.allocate_exact_size(wanted, Sense::hover());
    let response = ui.interact(rect, ui.scope_id().with(("row", &row.path)), Sense::click());
    let mut ticked = state.library.is_ticked(&row.path);
    let selected = state.library.selected.as_ref() == Some(&row.path);
    let painter = ui.painter();
    let ground = match (selected, ticked, response.hovered()) {
        (true, ..) => Some(theme.accent_row_focus),
        (false, true, _) => Some(theme.accent_row),
        (false, false, true) => Some(theme.hover.gamma_multiply(0.5)),
        _ => None,
    };
    if let Some(fill) = ground {
        painter.rect_filled(rect, 0.0, fill);
    }
    let line = Stroke::new(1.0, theme.line_faint);
    painter.hline(columns.tick..=columns.right, rect.bottom() - 0.5, line);
    cells_ui(ui, rect, row, columns);
    if columns.has_spark() {
        sparkline(ui, rect, columns.spark, &row.by_stage);
    }
    if columns.has_tags() {
        tags_ui(ui, rect, row, columns);
    }
    verdict_ui(ui, rect, row, columns);
    let tick_area =
        Rect::from_center_size(pos2(columns.tick + 8.0, rect.center().y), vec2(16.0, 24.0));
    widgets::inside(
        ui,
        tick_area,
        Layout::left_to_right(Align::Center),
        &row.path,
        |ui| {
            let response = widgets::tick(ui, &mut ticked, "");
            let name = format!("Choose {} of {}", row.label, row.date);
            response.widget_info(|| {
                egui::WidgetInfo::selected(egui::Role::CheckBox, true, ticked, &name)
            });
            if response.changed() {
                state.library.tick(&row.path, ticked);
            }
        },
    );
    let mut name = format!("{} of {}, {}", row.label, row.date, row.verdict.word());
    if !row.variation.is_empty() {
        name = format!("{name}, {}", row.variation);
    }
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Row, true, selected, &name));
    if response.double_clicked() {
        state.show_run(&row.path);
    } else if response.clicked() {
        state.library.select(&row.path);
    }
}

fn cells_ui(ui: &Ui, rect: Rect, row: &Row, columns: &Columns) {
    let theme = Theme::of(ui);
    let painter = ui.painter();
    let y = rect.center().y;
    let left = |x: f32, to: f32, words: &str, kind: Text, ink| {
        widgets::elided(
            painter,
            pos2(x, y),
            Align2::LEFT_CENTER,
            words,
            kind,
            ink,
            to - x - 8.0,
        );
    };
    left(
        columns.date,
        columns.label,
        &row.date,
        Text::Body,
        theme.secondary,
    );
    let room = columns.target - columns.label - 8.0;
    let at = pos2(columns.label, y);
    let from = Align2::LEFT_CENTER;
    let (kind, ink) = (Text::Strong, theme.text);
    if row.variation.is_empty() {
        widgets::elided(painter, at, from, &row.label, kind, ink, room);
    } else {
        // Below the name stands which of the varied plan's runs it is.
        let name = at - vec2(0.0, 7.5);
        widgets::elided(painter, name, from, &row.label, kind, ink, room);
        let which = at + vec2(0.0, 8.5);
        let kind = Text::Caption;
        widgets::elided(
            painter,
            which,
            from,
            &row.variation,
            kind,
            theme.muted,
            room,
        );
    }
    if columns.has_target() {
        left(
            columns.target,
            columns.load,
            &row.target,
            Text::Body,
            theme.secondary,
        );
    }
    left(
        columns.load,
        columns.p50 - 44.0,
        &row.load,
        Text::Body,
        theme.secondary,
    );
    let right = |x: f32, words: String, kind: Text| {
        widgets::text(
            painter,
            pos2(x, y),
            Align2::RIGHT_CENTER,
            words,
            kind,
            theme.text,
        );
    };
    right(columns.p50, format::ms_cell(row.p50), Text::Strong);
    if row.p95.is_none() && row.p50.is_some() {
        let at = pos2(columns.p95, y);
        let words = format!("n < {}", least_n(0.95));
        let to = Align2::RIGHT_CENTER;
        widgets::text(painter, at, to, words, Text::Body, theme.muted);
    } else {
        right(columns.p95, format::ms_cell(row.p95), Text::Body);
    }
    let rate = row
        .output_rate
        .map_or_else(|| format::UNKNOWN.to_owned(), format::rate);
    right(columns.rate, rate, Text::Body);
}

/// p50 by stage on a log scale, with a dot at its end.
fn sparkline(ui: &Ui, rect: Rect, left: f32, values: &[f64]) {
    let theme = Theme::of(ui);
    let logs: Vec<f64> = values
        .iter()
        .filter(|v| **v > 0.0)
        .map(|v| v.log10())
        .collect();
    if logs.len() < 2 {
        return;
    }
    let least = logs.iter().copied().fold(f64::INFINITY, f64::min);
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let area = Rect::from_center_size(pos2(left + 28.0, rect.center().y), vec2(56.0, 18.0));
    let n = logs.len() - 1;
    let at = |(i, v): (usize, &f64)| {
        let rise = if most > least {
            (v - least) / (most - least)
        } else {
            0.5
        };
        #[expect(clippy::cast_possible_truncation, reason = "a place on the screen")]
        let rise = rise as f32;
        pos2(
            area.left() + area.width() * i as f32 / n as f32,
            area.bottom() - area.height() * rise,
        )
    };
    let points: Vec<_> = logs.iter().enumerate().map(at).collect();
    let painter = ui.painter();
    if let Some(last) = points.last() {
        painter.circle_filled(*last, 2.5, theme.secondary);
    }
    painter.line(points, Stroke::new(1.5, theme.secondary));
}

fn tags_ui(ui: &mut Ui, rect: Rect, row: &Row, columns: &Columns) {
    let area = Rect::from_min_max(
        pos2(columns.tags, rect.top()),
        pos2(columns.verdict - 6.0, rect.bottom()),
    );
    let layout = Layout::left_to_right(Align::Center);
    widgets::inside(ui, area, layout, ("tags", &row.path), |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for tag in &row.tags {
            let width = widgets::text_width(ui.painter(), tag, Text::Caption) + 14.0;
            if width > ui.available_width() {
                break;
            }
            widgets::tag(ui, tag);
        }
    });
}

pub(super) fn verdict_ink(
    theme: &Theme,
    verdict: &Verdict,
) -> (egui::Color32, icons::MaterialIcon) {
    match verdict {
        Verdict::Valid => (theme.ok, icons::VALID),
        Verdict::Cautions(_) => (theme.caution, icons::CAUTION),
        Verdict::Invalid => (theme.invalid, icons::INVALID),
        Verdict::Interrupted => (theme.muted, icons::INTERRUPTED),
        Verdict::Unreadable(_) => (theme.invalid, icons::ERROR),
    }
}

fn verdict_ui(ui: &Ui, rect: Rect, row: &Row, columns: &Columns) {
    let theme = Theme::of(ui);
    let (ink, icon) = verdict_ink(theme, &row.verdict);
    let at = pos2(columns.verdict + 8.0, rect.center().y);
    widgets::icon(ui.painter(), at, icon, 15.0, ink);
    let word_ink = match row.verdict {
        Verdict::Valid => theme.secondary,
        _ => ink,
    };
    let at = pos2(columns.verdict + 20.0, rect.center().y);
    let words = row.verdict.word();
    widgets::text(
        ui.painter(),
        at,
        Align2::LEFT_CENTER,
        words,
        Text::Body,
        word_ink,
    );
}
