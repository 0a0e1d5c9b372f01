//! Draws the dialog that is open and does what was answered.

use std::path::PathBuf;

use egui::{Align, Context, Frame, Id, Key, Layout, Margin, Modal, Ui, vec2};

use super::{BrowseFor, Dialog};
use crate::app::actions::{ACTIONS, key_text};
use crate::app::form::Forecast;
use crate::app::settings::ThemeChoice;
use crate::app::state::{AppState, UseAs, WindowRequest, tilde};
use crate::app::theme::{Text, Theme, radius};
use crate::app::widgets::{self, Button, Field, Switch};
use crate::domain::RunState;
use crate::session::Command;

const WIDTH: f32 = 440.0;
const PADDING: i8 = 24;

/// What a dialog's buttons said.
enum Answer {
    None,
    Cancel,
    Yes,
}

/// Draws the open dialog, if one is.
pub fn dialogs_ui(ctx: &Context, state: &mut AppState) {
    let Some(mut dialog) = state.dialog.clone() else {
        return;
    };
    let before = dialog.clone();
    let mut answer = Answer::None;
    let modal = Modal::new(Id::unique("dialog")).frame(frame(ctx));
    let response = modal.show(ctx, |ui| {
        ui.set_width(WIDTH - 2.0 * f32::from(PADDING));
        ui.spacing_mut().item_spacing = vec2(8.0, 12.0);
        answer = dialog_ui(ui, &mut dialog, state);
    });
    if matches!(answer, Answer::None) && response.should_close() {
        answer = Answer::Cancel;
    }
    match answer {
        Answer::Yes => state.confirm(dialog),
        Answer::Cancel => state.dialog = None,
        Answer::None => {
            // The dialog may have been changed or closed from within; what was typed is kept otherwise.
            if state.dialog.as_ref() == Some(&before) {
                state.dialog = Some(dialog);
            }
        }
    }
}

pub(crate) fn frame(ctx: &Context) -> Frame {
    let theme = Theme::of_ctx(ctx);
    let style = ctx.style_of(ctx.theme());
    Frame::NONE
        .fill(if theme.dark {
            theme.raised
        } else {
            theme.surface
        })
        .stroke(theme.hairline())
        .corner_radius(radius::CARD)
        .shadow(style.visuals.window_shadow)
        .inner_margin(Margin::same(PADDING))
}

fn dialog_ui(ui: &mut Ui, dialog: &mut Dialog, state: &mut AppState) -> Answer {
    match dialog {
        Dialog::Path { what, text } => path_ui(ui, what, text, state),
        Dialog::ConfirmBig {
            host,
            forecast,
            load,
        } => {
            title(ui, &format!("Send to {host}?"));
            sentence(ui, &big_words(forecast, load));
            sentence(
                ui,
                "The server is not on this machine: someone may pay for them or wait behind them.",
            );
            buttons(ui, "Start", "Do not start")
        }
        Dialog::UseFile { path } => use_file_ui(ui, path, state),
        Dialog::ConfirmPlainKey { host, .. } => {
            title(ui, &format!("Send the key to {host} unprotected?"));
            sentence(
                ui,
                "The address begins with http, so anyone between this machine and the server can read the key. Use https if the server has it.",
            );
            buttons(ui, "Send the key", "Do not send")
        }
        Dialog::CloseWhileRunning => close_ui(ui, state),
        Dialog::Mark { text, name } => mark_ui(ui, text, name),
        Dialog::DeleteRun { path, label } => {
            title(ui, &format!("Delete “{label}”?"));
            sentence(ui, &format!("{} is removed for good.", path.display()));
            buttons(ui, "Delete", "Keep")
        }
        Dialog::Settings => settings_ui(ui, state),
        Dialog::Keys => keys_ui(ui),
    }
}

/// What a big run comes to, in one sentence.
fn big_words(forecast: &Forecast, load: &str) -> String {
    let what = match forecast.what() {
        timed if forecast.requests.is_none() => format!("Requests {}", timed.to_lowercase()),
        what => what,
    };
    let time = forecast.time().map(|time| format!(", {time}"));
    format!("{what}, {load}{}.", time.unwrap_or_default())
}

/// A dropped file that may be several things: the person says which.
fn use_file_ui(ui: &mut Ui, path: &std::path::Path, state: &mut AppState) -> Answer {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
    title(ui, &format!("What is “{}”?", name.unwrap_or_default()));
    for (words, use_as) in [
        ("Prompts: send what it holds", UseAs::Dataset),
        ("A trace: replay its times and lengths", UseAs::Trace),
        ("A run: show what was measured", UseAs::Run),
    ] {
        if use_as == UseAs::Run && !is_jsonl(path) {
            continue;
        }
        if ui.add(Button::new(words).width(WIDTH - 48.0)).clicked() {
            state.use_file(path.to_owned(), use_as);
        }
    }
    row(ui, |ui| {
        if ui.add(Button::new("Cancel")).clicked() {
            Answer::Cancel
        } else {
            Answer::None
        }
    })
}

fn is_jsonl(path: &std::path::Path) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("jsonl"))
}

pub(crate) fn title(ui: &mut Ui, words: &str) {
    let theme = Theme::of(ui);
    ui.add(egui::Label::new(Text::Title.rich(words, theme.text)).wrap());
}

fn sentence(ui: &mut Ui, words: &str) {
    let theme = Theme::of(ui);
    let text = Text::Body
        .rich(words, theme.secondary)
        .line_height(Some(20.0));
    ui.add(egui::Label::new(text).wrap());
}

/// Buttons at the lower right, the primary one last.
fn buttons(ui: &mut Ui, yes: &str, no: &str) -> Answer {
    row(ui, |ui| {
        if ui.add(Button::primary(yes)).clicked() {
            return Answer::Yes;
        }
        if ui.add(Button::new(no)).clicked() {
            return Answer::Cancel;
        }
        Answer::None
    })
}

fn row<T>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> T) -> T {
    ui.add_space(4.0);
    ui.with_layout(Layout::right_to_left(Align::Center), contents)
        .inner
}

fn path_ui(ui: &mut Ui, what: &BrowseFor, text: &mut String, state: &mut AppState) -> Answer {
    let (headline, label, hint, yes) = match what {
        BrowseFor::Open => (
            "Open runs or a plan",
            "Path",
            "/path/to/file.run.jsonl or .plan.toml",
            "Open",
        ),
        BrowseFor::SavePlan => ("Save the plan", "Path", "name.plan.toml", "Save"),
        BrowseFor::SaveRun { .. } => ("Save a copy of the run", "Path", "name.run.jsonl", "Save"),
        _ => ("Choose a file", "Path", "", "Choose"),
    };
    title(ui, headline);
    let response = Field::new(label, text).mono().hint(hint).show(ui);
    let why = match what {
        BrowseFor::Open => {
            "Several run files with ; between are compared. Files can be dropped onto the window too."
        }
        _ => "A name alone is put into the folder that Inferometer was started in.",
    };
    sentence(ui, why);
    let entered = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    if !entered && ui.memory(|memory| memory.focused().is_none()) {
        response.request_focus();
    }
    let is_empty = text.trim().is_empty();
    row(ui, |ui| {
        let open = ui.add_enabled(!is_empty, Button::primary(yes));
        if open.on_disabled_hover_text("Type a path first").clicked() || entered && !is_empty {
            return Answer::Yes;
        }
        if ui.add(Button::new("Cancel")).clicked() {
            return Answer::Cancel;
        }
        if ui.add(Button::new("Browse…")).clicked() {
            state.request(WindowRequest::Browse(what.clone()));
        }
        Answer::None
    })
}

fn mark_ui(ui: &mut Ui, text: &mut String, name: &str) -> Answer {
    title(ui, "Mark a moment");
    let response = Field::new("What happens", text).hint(name).show(ui);
    sentence(
        ui,
        "A line with these words stands on the axis of time, where the run was when you asked for it.",
    );
    let entered = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    if !entered && ui.memory(|memory| memory.focused().is_none()) {
        response.request_focus();
    }
    if entered {
        return Answer::Yes;
    }
    buttons(ui, "Mark", "Cancel")
}

fn close_ui(ui: &mut Ui, state: &AppState) -> Answer {
    if state.closing {
        let in_flight = match state.live.as_ref().map(|r| &r.state) {
            Some(RunState::Running(p) | RunState::Paused(p) | RunState::Stopping(p)) => p.in_flight,
            _ => 0,
        };
        title(ui, "Stopping the run");
        sentence(
            ui,
            &format!(
                "{in_flight} in flight are let end; then the window closes. The file is kept."
            ),
        );
        return row(ui, |ui| {
            if ui.add(Button::primary("Abort now")).clicked() {
                Answer::Yes
            } else {
                Answer::None
            }
        });
    }
    title(ui, "A run is under way");
    sentence(
        ui,
        "Closing the window ends it. What was measured so far stays in the run file.",
    );
    buttons(ui, "Stop and keep the file", "Go on measuring")
}

fn settings_ui(ui: &mut Ui, state: &mut AppState) -> Answer {
    title(ui, "Settings");
    let theme = Theme::of(ui);
    let line = |ui: &mut Ui, words: &str, contents: &mut dyn FnMut(&mut Ui)| {
        ui.horizontal(|ui| {
            let width = 120.0;
            widgets::label_ui(ui, words, width, 28.0);
            contents(ui);
        });
    };
    line(ui, "Theme", &mut |ui| {
        let themes = ThemeChoice::ALL.map(|t| (t, t.label()));
        Switch::new("Theme", &mut state.settings.theme, &themes).show(ui);
    });
    line(ui, "Zoom", &mut |ui| {
        if ui.add(Button::new("−").name("Smaller")).clicked() {
            state.settings.zoom_by(-1);
        }
        let percent = format!("{:.0} %", state.settings.zoom * 100.0);
        ui.label(Text::Body.rich(percent, theme.text));
        if ui.add(Button::new("+").name("Larger")).clicked() {
            state.settings.zoom_by(1);
        }
    });
    line(ui, "Runs are kept in", &mut |ui| {
        let folder = state.library.folder.as_deref().map(tilde);
        let words = folder.unwrap_or_else(|| "not read yet".to_owned());
        let label = egui::Label::new(Text::Mono.rich(words, theme.secondary)).wrap();
        ui.add(label);
    });
    row(ui, |ui| {
        if ui.add(Button::primary("Close")).clicked() {
            return Answer::Cancel;
        }
        let forget = Button::new("Forget recent files");
        let has_recent = !state.settings.recent.is_empty();
        let response = ui.add_enabled(has_recent, forget);
        if response.on_disabled_hover_text("There are none").clicked() {
            state.settings.recent.clear();
        }
        Answer::None
    })
}

fn keys_ui(ui: &mut Ui) -> Answer {
    title(ui, "Keys");
    let theme = Theme::of(ui);
    egui::ScrollArea::vertical()
        .max_height(420.0)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            egui::Grid::new("keys")
                .num_columns(2)
                .spacing(vec2(24.0, 4.0))
                .show(ui, |ui| {
                    for info in ACTIONS.iter().filter(|a| !a.keys.is_empty()) {
                        let keys: Vec<String> = info.keys.iter().copied().map(key_text).collect();
                        ui.label(Text::Body.rich(info.text.trim_end_matches('…'), theme.text));
                        ui.label(Text::Label.rich(keys.join("  or  "), theme.muted));
                        ui.end_row();
                    }
                });
        });
    row(ui, |ui| {
        if ui.add(Button::primary("Close")).clicked() {
            Answer::Cancel
        } else {
            Answer::None
        }
    })
}

impl AppState {
    /// Does what the open dialog asked about.
    pub fn confirm(&mut self, dialog: Dialog) {
        match dialog {
            Dialog::Path { what, text } => {
                let paths = text.split(';').map(str::trim).filter(|t| !t.is_empty());
                let paths: Vec<PathBuf> = if what.is_save() {
                    vec![PathBuf::from(text.trim())]
                } else {
                    paths.map(PathBuf::from).collect()
                };
                self.take_path(&what, paths);
            }
            Dialog::ConfirmBig { .. } => self.start_confirmed(),
            Dialog::ConfirmPlainKey { host, then } => self.allow_plain_key(host, then),
            Dialog::CloseWhileRunning => self.stop_and_close(),
            Dialog::Mark { text, name } => self.mark(&text, &name),
            Dialog::DeleteRun { path, .. } => {
                self.dialog = None;
                self.library.forget(&path);
                self.command(Command::DeleteRun { path });
                self.command(Command::ListRuns);
            }
            Dialog::Settings | Dialog::Keys | Dialog::UseFile { .. } => self.dialog = None,
        }
    }
}
