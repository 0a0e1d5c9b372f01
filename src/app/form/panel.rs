//! The panel itself: head, sections, footer.

use std::collections::BTreeSet;

use egui::{Align, Align2, Layout, Rect, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};

use super::parts::Errors;
use super::{Form, Section, most_load};
use crate::app::actions::Action;
use crate::app::dialogs::BrowseFor;
use crate::app::icons;
use crate::app::state::{AppState, WindowRequest};
use crate::app::theme::{Text, Theme, size};
use crate::app::widgets::{self, Button};

const HEAD: f32 = 44.0;
const FOOTER: f32 = 48.0;

/// What a person asked for in the form, beside changing it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    Do(Action),
    /// The URL field was left.
    UrlEntered,
    /// Something that is no plain URL was pasted into the URL field.
    Pasted(String),
    Browse(BrowseFor),
    KeyEntered,
    ForgetKey,
    Preset(usize),
}

/// What a section reads and changes.
pub(super) struct Draw<'a> {
    pub(super) form: &'a mut Form,
    pub(super) key_text: &'a mut String,
    pub(super) state: &'a AppState,
    pub(super) errors: &'a Errors,
    pub(super) asks: &'a mut Vec<Ask>,
}

impl Draw<'_> {
    /// Mixed traffic is for Gradio; where a plan has it, it can be taken away.
    fn shows(&self, section: Section) -> bool {
        section != Section::Traffic
            || self.form.traffic.on
            || self.protocol() == crate::domain::Protocol::Gradio
    }
}

/// Draws the form into `ui`, as wide as it is, and applies what was typed and asked.
pub fn form_ui(ui: &mut Ui, state: &mut AppState) {
    state.refresh_plan();
    let mut form = state.form.clone();
    let mut key_text = state.key_text.clone();
    let mut asks = Vec::new();
    let errors = Errors::of(state.issues());
    let mut open = state.open_sections.clone();
    let mut draw = Draw {
        form: &mut form,
        key_text: &mut key_text,
        state,
        errors: &errors,
        asks: &mut asks,
    };
    panel_ui(ui, &mut draw, &mut open);
    state.open_sections = open;
    if !state.is_locked() {
        state.form = form;
    }
    state.key_text = key_text;
    for ask in asks {
        state.answer(ask);
    }
    state.refresh_plan();
}

impl AppState {
    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Do(action) => self.perform(action),
            Ask::UrlEntered => self.url_entered(),
            Ask::Pasted(text) => {
                self.form.target.url.clone_from(&text);
                self.detect(&text);
            }
            Ask::Browse(what) => self.request(WindowRequest::Browse(what)),
            Ask::KeyEntered => self.flush_key(),
            Ask::ForgetKey => self.forget_key(),
            Ask::Preset(i) => self.load_preset(i),
        }
    }
}

fn panel_ui(ui: &mut Ui, draw: &mut Draw<'_>, open: &mut BTreeSet<Section>) {
    let theme = Theme::of(ui);
    let rect = ui.max_rect();
    ui.painter().rect_filled(rect, 0.0, theme.panel);
    let width = rect.width() - 1.0;
    let head = Rect::from_min_size(rect.min, vec2(width, HEAD));
    let foot = Rect::from_min_max(
        pos2(rect.left(), rect.bottom() - FOOTER),
        pos2(rect.left() + width, rect.bottom()),
    );
    let middle = Rect::from_min_max(head.left_bottom(), foot.right_top());
    ui.scope_builder(UiBuilder::new().max_rect(head), |ui| head_ui(ui, draw));
    ui.scope_builder(UiBuilder::new().max_rect(middle), |ui| {
        // The bar floats over the margin: hairlines go through to the edge.
        ui.spacing_mut().scroll.floating_allocated_width = 0.0;
        ScrollArea::vertical()
            .id_salt("form")
            .auto_shrink(false)
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
                ui.set_width(width);
                super::profiles::profile_ui(ui, draw);
                for section in Section::ALL {
                    section_ui(ui, section, draw, open);
                }
                let y = ui.cursor().top();
                ui.painter()
                    .hline(middle.x_range(), y + 0.5, theme.hairline());
                ui.add_space(8.0);
            });
    });
    ui.scope_builder(UiBuilder::new().max_rect(foot), |ui| footer_ui(ui, draw));
    // Last, so that the scroll bar does not cut it.
    ui.painter()
        .vline(rect.right() - 0.5, rect.y_range(), theme.hairline());
}

fn head_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let theme = Theme::of(ui);
    let rect = ui.max_rect();
    let y = rect.center().y + 1.0;
    let locked = draw.state.is_locked();
    let mut right = rect.right() - 16.0;
    if locked {
        widgets::icon(
            ui.painter(),
            pos2(right - 7.0, y),
            icons::LOCK,
            16.0,
            theme.muted,
        );
        right -= 22.0;
    } else {
        let area = Rect::from_center_size(pos2(right - 9.0, y), vec2(28.0, 28.0));
        let layout = Layout::centered_and_justified(egui::Direction::TopDown);
        ui.scope_builder(UiBuilder::new().max_rect(area).layout(layout), |ui| {
            let more = ui.add(Button::icon_only(icons::MORE, "Plans"));
            super::profiles::plans_menu_ui(&more, draw);
        });
        right -= 27.0;
    }
    let note = if locked {
        "locked while running"
    } else {
        draw.state.plan_note()
    };
    let drawn = widgets::text(
        ui.painter(),
        pos2(right, y),
        Align2::RIGHT_CENTER,
        note,
        Text::Label,
        theme.muted,
    );
    let title = draw.state.form.title();
    let left = rect.left() + size::FORM_MARGIN;
    widgets::elided(
        ui.painter(),
        pos2(left, y),
        Align2::LEFT_CENTER,
        title,
        Text::Title,
        theme.text,
        drawn.left() - 8.0 - left,
    );
    let name = format!("{title}, {note}");
    let area = Rect::from_min_max(pos2(left, rect.top()), pos2(drawn.right(), rect.bottom()));
    let response = ui.interact(area, ui.scope_id().with("head"), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &name));
}

fn section_ui(ui: &mut Ui, section: Section, draw: &mut Draw<'_>, open: &mut BTreeSet<Section>) {
    if !draw.shows(section) {
        return;
    }
    let summary = draw.form.summary(section);
    let part = widgets::Section::new(section.title())
        .summary(&summary)
        .error(draw.errors.any_in(section));
    let mut is_open = open.contains(&section);
    let was_open = is_open;
    let locked = draw.state.is_locked();
    part.show_open(ui, &mut is_open, |ui| {
        ui.add_enabled_ui(!locked, |ui| {
            ui.spacing_mut().item_spacing = vec2(8.0, 10.0);
            match section {
                Section::Target => super::target_ui::target_ui(ui, draw),
                Section::Prompts => super::prompts_ui::prompts_ui(ui, draw),
                Section::Load => super::load_ui::load_ui(ui, draw),
                Section::Limits => super::goals_ui::limits_ui(ui, draw),
                Section::Cold => super::rest_ui::cold_ui(ui, draw),
                Section::Vary => super::vary_ui::vary_ui(ui, draw),
                Section::Traffic => super::traffic_ui::traffic_ui(ui, draw),
                Section::Advanced => super::rest_ui::advanced_ui(ui, draw),
            }
            for words in draw.errors.left_over(section) {
                super::parts::error_below(ui, Some(words));
            }
        });
    });
    if is_open && !was_open {
        open.insert(section);
    } else if !is_open {
        open.remove(&section);
    }
}

fn footer_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let theme = Theme::of(ui);
    let rect = ui.max_rect();
    ui.painter()
        .hline(rect.x_range(), rect.top() + 0.5, theme.hairline());
    let (first, parts) = footer_words(draw.state);
    let left = rect.left() + size::FORM_MARGIN;
    let y = rect.center().y;
    let room = rect.width() - 32.0 - 108.0;
    let second = fitting(ui, &parts, room);
    for (words, kind, ink, y) in [
        (&first, Text::LabelStrong, theme.text, y - 7.5),
        (&second, Text::Caption, theme.muted, y + 8.5),
    ] {
        let at = pos2(left, y);
        widgets::elided(
            ui.painter(),
            at,
            Align2::LEFT_CENTER,
            words,
            kind,
            ink,
            room,
        );
    }
    let name = format!("{first}, {}", parts.join(", "));
    let area = Rect::from_min_size(pos2(left, rect.top()), vec2(room, rect.height()));
    let response = ui.interact(area, ui.scope_id().with("footer"), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &name));
    let homeless: Vec<&str> = draw.errors.homeless().collect();
    if homeless.is_empty() {
        response.on_hover_text(&name);
    } else {
        response.on_hover_text(homeless.join("\n"));
    }
    let area = Rect::from_min_max(rect.min, pos2(rect.right() - 16.0, rect.bottom()));
    let layout = Layout::right_to_left(Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(area).layout(layout), |ui| {
        let why_not = Action::SendOne.why_not(draw.state);
        let button = Button::new(Action::SendOne.text()).icon(icons::SEND_ONE);
        let response = ui.add_enabled(why_not.is_none(), button);
        if response.clicked() {
            draw.asks.push(Ask::Do(Action::SendOne));
        }
        match why_not {
            Some(why) => response.on_disabled_hover_text(why),
            None => response.on_hover_text(Action::SendOne.info().tooltip),
        };
    });
}

/// As many of the parts as there is room for: a part that is cut tells nothing, and all of them stand in the tooltip.
fn fitting(ui: &Ui, parts: &[String], room: f32) -> String {
    let fits = |words: &String| widgets::text_width(ui.painter(), words, Text::Caption) <= room;
    let shown = (1..=parts.len()).rev().map(|n| {
        parts
            .iter()
            .take(n)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    });
    let whole = shown.into_iter().find(fits);
    whole.or_else(|| parts.first().cloned()).unwrap_or_default()
}

/// What is sent, and in parts how long it takes; the most telling part first.
fn footer_words(state: &AppState) -> (String, Vec<String>) {
    let n = state.n_blocking();
    let (Some(plan), Some(forecast)) = (state.plan(), state.forecast()) else {
        let things = if n == 1 {
            "1 thing to fix".to_owned()
        } else {
            format!("{n} things to fix")
        };
        return ("Not ready".to_owned(), vec![things]);
    };
    let stages = match forecast.stages {
        0 | 1 => None,
        n if forecast.at_most => Some(format!("up to {n} stages")),
        n => Some(format!("{n} stages")),
    };
    let parts = [forecast.time(), stages, Some(most_load(plan))];
    (forecast.what(), parts.into_iter().flatten().collect())
}
