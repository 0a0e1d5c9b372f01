//! Draws chart models: a card with its title, caption, legend, panes and the same numbers as a table.
//!
//! The model says what and where ([`crate::chart`]); in here stand only places on the screen and strokes. egui_plot draws
//! lines and areas; text, dots and grids are painted over its frame, since it would move or drop them.

mod hover;
mod legend;
mod marks;
mod names;
mod pane;
mod table;
mod units;
mod zones;

use std::collections::BTreeSet;

use egui::{Align2, Color32, Rect, Role, Sense, StrokeKind, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use crate::app::icons;
use crate::app::theme::{Text, Theme, radius};
use crate::app::widgets;
use crate::chart::{AxisKind, Chart, Colour};

/// Height of a card's title row.
pub const HEADER: f32 = 40.0;
/// Width of the column of y ticks, the same in every chart so that plots align.
const Y_COLUMN: f32 = 44.0;
const SIDE: f32 = 12.0;
/// From the card's top to the middle of caption and legend, and to the plot.
const CAPTION_Y: f32 = 46.0;
const PLOT_TOP: f32 = 58.0;
const PLOT_BOTTOM: f32 = 23.0;
const BETWEEN_PANES: f32 = 17.0;
/// Room above a plot for the × of failed requests.
const RAIL: f32 = 16.0;

/// What a person has switched on in one chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChartUi {
    /// Numbers instead of the plot.
    pub table: bool,
    /// Legend entries that are switched off.
    pub hidden: BTreeSet<usize>,
    /// The part of the x axis that is shown, where a person has zoomed.
    pub zoom: Option<(f64, f64)>,
}

/// A card with a chart in it.
#[must_use = "call show"]
pub struct ChartFrame<'a> {
    chart: &'a Chart,
    formula: &'a str,
    subject: bool,
    title: Option<&'a str>,
    bare: bool,
}

impl<'a> ChartFrame<'a> {
    pub fn new(chart: &'a Chart) -> Self {
        Self {
            chart,
            formula: "",
            subject: true,
            title: None,
            bare: false,
        }
    }

    /// What the y values are, in words; the tooltip's last line.
    pub fn formula(mut self, formula: &'a str) -> Self {
        self.formula = formula;
        self
    }

    /// A narrow window has no room for the subject beside the title.
    pub fn without_subject(mut self) -> Self {
        self.subject = false;
        self
    }

    /// Without card and title row, where it is part of another card.
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Another title than the model's, for a narrow window.
    pub fn title(mut self, title: &'a str) -> Self {
        self.title = Some(title);
        self
    }

    /// Draws the card into `rect`. `time` is the place of the pointer on the axis of time, shared by all charts over time.
    pub fn show(
        self,
        ui: &mut Ui,
        rect: Rect,
        state: &mut ChartUi,
        time: &mut Option<f64>,
        switch: impl FnOnce(&mut Ui),
    ) {
        let name = self.title.unwrap_or(&self.chart.title);
        ui.scope_builder(UiBuilder::new().max_rect(rect).id_salt(name), |ui| {
            let rect = if self.bare {
                let top = pos2(rect.left() - SIDE, rect.top() - HEADER + 4.0);
                Rect::from_min_max(top, rect.max + vec2(SIDE, 0.0))
            } else {
                card(ui, rect);
                self.header(ui, rect, name, state, switch);
                rect
            };
            if let Some(why) = &self.chart.empty {
                nothing(ui, rect, why);
            } else if state.table {
                let area = Rect::from_min_max(rect.min + vec2(0.0, HEADER), rect.max);
                table::table_ui(ui, area, &self.chart.table, name);
            } else {
                self.plot(ui, rect, name, state, time);
            }
        });
    }

    fn header(
        &self,
        ui: &mut Ui,
        rect: Rect,
        name: &str,
        state: &mut ChartUi,
        switch: impl FnOnce(&mut Ui),
    ) {
        let theme = Theme::of(ui);
        let y = rect.top() + HEADER / 2.0;
        let right = Rect::from_min_max(
            pos2(rect.left(), rect.top()),
            pos2(rect.right() - 8.0, rect.top() + HEADER),
        );
        let layout = egui::Layout::right_to_left(egui::Align::Center);
        let builder = UiBuilder::new().max_rect(right).layout(layout);
        let switch_left = ui.scope_builder(builder, |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            switch(ui);
            ui.min_rect().left()
        });
        let toggle = pos2(switch_left.inner - 16.0, y);
        let left = pos2(rect.left() + SIDE, y);
        let room = toggle.x - 14.0 - left.x;
        let title = widgets::elided(
            ui.painter(),
            left,
            Align2::LEFT_CENTER,
            name,
            Text::Heading,
            theme.text,
            room,
        );
        if self.subject && !self.chart.subject.is_empty() {
            let at = pos2(title.right() + 8.0, y + 0.5);
            let room = toggle.x - 14.0 - at.x;
            let subject = &self.chart.subject;
            if widgets::text_width(ui.painter(), subject, Text::Label) <= room {
                let kind = Text::Label;
                widgets::text(
                    ui.painter(),
                    at,
                    Align2::LEFT_CENTER,
                    subject,
                    kind,
                    theme.muted,
                );
            }
        }
        table_toggle(ui, rect, toggle, name, state);
    }

    fn plot(
        &self,
        ui: &mut Ui,
        rect: Rect,
        name: &str,
        state: &mut ChartUi,
        time: &mut Option<f64>,
    ) {
        let area = Rect::from_min_max(
            pos2(rect.left() + SIDE + Y_COLUMN, rect.top() + PLOT_TOP),
            pos2(rect.right() - SIDE, rect.bottom() - PLOT_BOTTOM),
        );
        let has_zones = pane::has_zone_names(self.chart);
        let caption_end = pane::caption(ui, rect, self.chart);
        if !has_zones {
            legend::legend_ui(ui, rect, caption_end, &self.chart.legend, &mut state.hidden);
        }
        let response = ui.interact(area, ui.scope_id().with("plot"), Sense::hover());
        let words = format!(
            "{name} chart: {}",
            self.chart.panes.first().map_or("", |p| &p.y.caption)
        );
        response.widget_info(|| WidgetInfo::labeled(Role::Figure, true, &words));
        zoom(ui, &response, area, self.chart, state);
        let x = state.zoom.unwrap_or(self.chart.x.range);
        let maps = pane::layout(self.chart, area, x);
        pane::draw(ui, self.chart, &maps, &state.hidden, (name, caption_end));
        let is_time = self.chart.x.kind == AxisKind::Time;
        if let Some(pointer) = response.hover_pos()
            && let Some(map) = maps.first()
        {
            let place = map.x_place(pointer.x);
            if is_time {
                *time = Some(place);
            }
            pane::cursor(ui, &maps, pointer.x);
            hover::tooltip(ui, self.chart, &maps, pointer, &state.hidden, self.formula);
        } else if is_time
            && let Some(place) = *time
            && let Some(map) = maps.first()
            && (x.0..=x.1).contains(&place)
        {
            pane::cursor(ui, &maps, map.x(place));
        }
    }
}

/// The ground of a card.
pub fn card(ui: &Ui, rect: Rect) {
    let theme = Theme::of(ui);
    ui.painter().rect(
        rect,
        radius::CARD,
        theme.surface,
        theme.hairline(),
        StrokeKind::Inside,
    );
}

/// Said in the middle of a card that has nothing to draw.
fn nothing(ui: &Ui, rect: Rect, why: &str) {
    let theme = Theme::of(ui);
    let area = Rect::from_min_max(rect.min + vec2(SIDE, HEADER), rect.max - vec2(SIDE, 8.0));
    let galley = ui.painter().layout(
        why.to_owned(),
        Text::Body.font(),
        theme.muted,
        area.width().min(420.0),
    );
    let place = Align2::CENTER_CENTER.anchor_size(area.center(), galley.size());
    ui.painter().galley(place.min.round(), galley, theme.muted);
    let response = ui.interact(area, ui.scope_id().with("nothing"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, why));
}

fn table_toggle(ui: &Ui, card: Rect, center: egui::Pos2, name: &str, state: &mut ChartUi) {
    let theme = Theme::of(ui);
    let area = Rect::from_center_size(center, vec2(24.0, 24.0));
    let response = ui.interact(area, ui.scope_id().with("table toggle"), Sense::click());
    let over_card = ui.rect_contains_pointer(card);
    let key = over_card
        && !ui.ctx().egui_wants_keyboard_input()
        && ui.input(|i| i.key_pressed(egui::Key::T) && i.modifiers.is_none());
    if response.clicked() || key {
        state.table = !state.table;
    }
    let on = state.table;
    if response.hovered() || on {
        let fill = if on { theme.accent_soft } else { theme.raised };
        ui.painter().rect_filled(area, radius::CONTROL, fill);
    }
    let ink = if on {
        theme.accent
    } else if response.hovered() || response.has_focus() {
        theme.text
    } else if over_card {
        theme.muted
    } else {
        theme.line_strong.gamma_multiply(0.7)
    };
    widgets::icon(ui.painter(), center, icons::TABLE, 16.0, ink);
    widgets::focus_ring(ui, &response, area, radius::CONTROL);
    let words = format!("{name} as a table");
    response.widget_info(|| WidgetInfo::selected(Role::Switch, true, on, &words));
    let hint = if on {
        "Show the plot (T)"
    } else {
        "Show as a table (T)"
    };
    response.on_hover_text(hint);
}

/// Ctrl and the wheel zoom the x axis around the pointer; a double click shows all of it again.
fn zoom(ui: &Ui, response: &egui::Response, area: Rect, chart: &Chart, state: &mut ChartUi) {
    if let Some((low, high)) = state.zoom
        && (high <= chart.x.range.0 || low >= chart.x.range.1)
    {
        state.zoom = None;
    }
    let Some(pointer) = response.hover_pos() else {
        return;
    };
    let (factor, reset) = ui.input(|i| {
        let double = i
            .pointer
            .button_double_clicked(egui::PointerButton::Primary);
        (f64::from(i.zoom_delta()), double)
    });
    if reset {
        state.zoom = None;
    }
    if (factor - 1.0).abs() < 1e-3 || chart.panes.is_empty() {
        return;
    }
    let full = chart.x.range;
    let (low, high) = state.zoom.unwrap_or(full);
    let share = f64::from((pointer.x - area.left()) / area.width().max(1.0));
    let at = low + (high - low) * share;
    let wide = ((high - low) / factor).min(full.1 - full.0);
    let low = (at - wide * share).clamp(full.0, full.1 - wide);
    let is_all = wide >= (full.1 - full.0) * 0.999;
    state.zoom = (!is_all && wide > (full.1 - full.0) * 1e-4).then_some((low, low + wide));
}

/// The ink that a colour of the model means in this theme.
pub fn ink(theme: &Theme, colour: Colour) -> Color32 {
    match colour {
        Colour::Stage { i, n } => theme.stage(usize::from(i), usize::from(n)),
        Colour::SideA => theme.side(0),
        Colour::SideB => theme.side(1),
        Colour::Primary => theme.text,
        Colour::Secondary | Colour::PartStream => theme.secondary,
        Colour::Muted => theme.muted,
        Colour::Disabled => theme.disabled,
        Colour::Failure => theme.invalid,
        Colour::Rule | Colour::PartWait => theme.line_strong,
        Colour::PartQueue => theme.line_strong.gamma_multiply(0.4),
        Colour::Ok => theme.ok,
        Colour::Caution => theme.caution,
    }
}
