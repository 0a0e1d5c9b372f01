//! What only a window can do for the state: keys, dropped files, the clipboard, theme and zoom, the file dialog, closing.

use egui::{Context, ThemePreference, ViewportCommand};

use super::actions;
use super::dialogs::files::FileDialogs;
use super::settings::{Settings, ThemeChoice};
use super::state::{AppState, WindowRequest};

/// The focus goes into these by a key or a button.
pub fn url_field_id() -> egui::Id {
    egui::Id::unique("target url")
}

pub fn filter_field_id() -> egui::Id {
    egui::Id::unique("library filter")
}

/// What the window keeps between frames for the state.
#[derive(Default)]
pub struct Glue {
    files: FileDialogs,
    applied: Option<(ThemeChoice, f32)>,
    may_close: bool,
}

impl Glue {
    /// Before a frame is drawn: keys, dropped files, answers of the file dialog, the close button.
    pub fn before(&mut self, ctx: &Context, state: &mut AppState) {
        ctx.options_mut(|o| o.zoom_with_keyboard = false);
        for action in actions::pressed(ctx, state) {
            state.perform(action);
        }
        let dropped: Vec<std::path::PathBuf> = ctx.input(|i| {
            let paths = i.raw.dropped_files.iter();
            paths.map(|f| f.path().to_owned()).collect()
        });
        if !dropped.is_empty() {
            state.open_paths(dropped);
        }
        if let Some((what, paths)) = self.files.answer() {
            state.take_path(&what, paths);
        }
        let asked = ctx.input(|i| i.viewport().close_requested());
        if asked && !self.may_close && !state.may_close() {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
        }
        let now = ctx.input(|i| i.time);
        if let Some(secs) = state.tick(now) {
            let wait = std::time::Duration::try_from_secs_f64(secs.max(0.02));
            ctx.request_repaint_after(wait.unwrap_or_default());
        }
        self.apply_settings(ctx, &state.settings);
    }

    /// After a frame was drawn: what was asked of the window.
    pub fn after(&mut self, ctx: &Context, state: &mut AppState) {
        for request in state.take_requests() {
            match request {
                WindowRequest::Close => {
                    if state.closing || state.may_close() {
                        self.may_close = true;
                        ctx.send_viewport_cmd(ViewportCommand::Close);
                    }
                }
                WindowRequest::Copy(text) => ctx.copy_text(text),
                WindowRequest::FocusUrl => ctx.memory_mut(|m| m.request_focus(url_field_id())),
                WindowRequest::FocusFilter => {
                    ctx.memory_mut(|m| m.request_focus(filter_field_id()));
                }
                WindowRequest::Browse(what) => {
                    let wake = ctx.clone();
                    let name = match &state.dialog {
                        Some(super::dialogs::Dialog::Path { text, .. }) => text.clone(),
                        _ => String::new(),
                    };
                    self.files.ask(what, &name, move || wake.request_repaint());
                }
            }
        }
        self.apply_settings(ctx, &state.settings);
    }

    fn apply_settings(&mut self, ctx: &Context, settings: &Settings) {
        let wanted = (settings.theme, settings.zoom);
        if self.applied == Some(wanted) {
            return;
        }
        ctx.set_theme(match settings.theme {
            ThemeChoice::System => ThemePreference::System,
            ThemeChoice::Light => ThemePreference::Light,
            ThemeChoice::Dark => ThemePreference::Dark,
        });
        if self.applied.is_some() || (settings.zoom - 1.0).abs() > 0.001 {
            ctx.set_zoom_factor(settings.zoom);
        }
        self.applied = Some(wanted);
    }
}
