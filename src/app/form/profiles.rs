//! Profiles: plans to begin with. Choosing one fills the form and keeps the address; its name stands in the head for as
//! long as the plan goes by it.

use egui::{Popup, Response, Ui};

use super::panel::{Ask, Draw};
use super::{AdvancedForm, Form, TargetForm};
use crate::app::actions::Action;
use crate::app::menu;
use crate::app::state::{AppState, PlanHome, PresetEntry};
use crate::app::theme::{Text, Theme};

/// The preset that brings its own address: the embedded server's.
const DEMO: &str = "demo";

impl PresetEntry {
    /// The word that a plan made of it goes by; the demo's goes by none.
    pub fn profile(&self) -> &str {
        match self.plan.profile.as_str() {
            "" if self.id == DEMO => "",
            "" => self.id,
            profile => profile,
        }
    }
}

impl Form {
    /// The form that a profile makes of this one: all of the profile's, but the server and how it is reached.
    pub fn with_profile(&self, preset: &PresetEntry) -> Self {
        let mut form = Self::from_plan(&preset.plan);
        preset.profile().clone_into(&mut form.profile);
        form.keep_server_of(self);
        form
    }

    /// Takes over the address, the key and what belongs to the connection.
    fn keep_server_of(&mut self, other: &Self) {
        let (mine, theirs) = (&mut self.advanced, &other.advanced);
        self.target = TargetForm {
            stream: self.target.stream,
            ..other.target.clone()
        };
        *mine = AdvancedForm {
            headers: theirs.headers.clone(),
            http: theirs.http,
            connections: theirs.connections,
            ca_file: theirs.ca_file.clone(),
            insecure: theirs.insecure,
            proxy: theirs.proxy.clone(),
            ..mine.clone()
        };
    }

    /// The same plan but for the server, and for what a person calls it.
    fn says_what(&self, other: &Self) -> bool {
        let mut same = other.clone();
        same.keep_server_of(self);
        (same.label, same.tags) = (self.label.clone(), self.tags.clone());
        same == *self
    }
}

impl AppState {
    /// Fills the form with a preset; undo brings the old form back.
    pub fn load_preset(&mut self, index: usize) {
        if self.is_locked() {
            return;
        }
        let Some(preset) = self.presets.get(index).cloned() else {
            return;
        };
        let has_server = !self.form.target.url.trim().is_empty();
        if preset.id == DEMO || !has_server {
            self.load_plan(&preset.plan, PlanHome::BuiltIn(preset.id));
            preset.profile().clone_into(&mut self.form.profile);
            self.saved_form = self.form.clone();
        } else {
            let label = self.form.label.clone();
            let was_own = label != self.saved_form.label;
            let mut form = self.form.with_profile(&preset);
            if was_own && !label.trim().is_empty() {
                form.label = label;
            }
            self.load_form(form, PlanHome::BuiltIn(preset.id));
        }
        self.refresh_plan();
    }

    /// The profile that the form goes by: its title, and whether values were changed since.
    pub fn profile(&self) -> Option<(&str, bool)> {
        let word = self.form.profile.trim();
        if word.is_empty() || word == DEMO {
            return None;
        }
        let preset = self.presets.iter().find(|p| p.profile() == word);
        Some(preset.map_or((word, false), |preset| {
            let mut as_made = Form::from_plan(&preset.plan);
            word.clone_into(&mut as_made.profile);
            (preset.title, !self.form.says_what(&as_made))
        }))
    }
}

/// `Profile Chat, changed`, for the second line of the head.
pub(super) fn profile_words(state: &AppState) -> Option<String> {
    let (title, changed) = state.profile()?;
    let changed = if changed { ", changed" } else { "" };
    Some(format!("Profile {title}{changed}"))
}

/// What opens from the head: plan files, then profiles.
pub(super) fn plans_menu_ui(more: &Response, draw: &mut Draw<'_>) {
    Popup::menu(more).width(240.0).gap(4.0).show(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.set_width(240.0);
        for action in [Action::NewPlan, Action::Open, Action::Save, Action::SaveAs] {
            let why_not = action.why_not(draw.state);
            let row = menu::row_ui(ui, action.text(), &action.key_hint(), why_not.is_none());
            let row = row.on_disabled_hover_text(why_not.unwrap_or_default());
            if row.clicked() {
                draw.asks.push(Ask::Do(action));
            }
        }
        profiles_ui(ui, draw);
    });
}

fn profiles_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    if draw.state.presets.is_empty() {
        return;
    }
    menu::line_ui(ui);
    let theme = Theme::of(ui);
    ui.horizontal(|ui| {
        ui.add_space(10.0);
        let words = "Profiles fill the form and keep the address";
        ui.label(Text::Caption.rich(words, theme.muted));
    });
    let word = draw.state.form.profile.trim();
    egui::ScrollArea::vertical()
        .max_height(360.0)
        .show(ui, |ui| {
            for (i, preset) in draw.state.presets.iter().enumerate() {
                let chosen = !word.is_empty() && preset.profile() == word;
                let row = menu::chosen_row_ui(ui, preset.title, chosen);
                let words = super::forecast::preview(&preset.plan.stages);
                if row.on_hover_text(words).clicked() {
                    draw.asks.push(Ask::Preset(i));
                }
            }
        });
}
