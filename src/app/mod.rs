//! The window. A thin shell over the session: it draws what [`state::AppState`] holds and turns clicks into actions.
//!
//! **Architecture invariant:** nothing in here waits, reads a file or speaks to a server. State is changed by
//! [`actions::Action`]s and session events only; views take data and give actions back.

pub mod actions;
pub mod banners;
pub mod charts;
pub mod compare;
pub mod dialogs;
pub mod form;
pub mod glue;
pub mod icons;
pub mod measure;
pub mod menu;
pub mod palette;
pub mod runs;
pub mod settings;
pub mod shell;
pub mod state;
pub mod test_view;

pub mod theme;
pub mod widgets;

use std::path::PathBuf;

use anyhow::Context as _;

use crate::session::{Command, Session};
use actions::{Action, View};
use state::AppState;
use theme::{Theme, size};

/// What the window starts with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Runs and plans to open.
    pub open: Vec<PathBuf>,
    /// Start the demo plan at once.
    pub demo: bool,
}

/// Opens the window and stays until it is closed.
///
/// # Errors
/// When there is no display, or the window cannot be made.
pub fn run(options: Options) -> anyhow::Result<()> {
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Inferometer")
            .with_app_id("inferometer")
            .with_icon(icon())
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([800.0, 560.0]),
        renderer: eframe::Renderer::Glow,
        ..Default::default()
    };
    let create: eframe::AppCreator<'_> = Box::new(move |cc| {
        let wake = cc.egui_ctx.clone();
        let session = Session::start(move || wake.request_repaint_after(FRAME))?;
        Ok(Box::new(InferometerApp::new(
            &cc.egui_ctx,
            session,
            options,
        )))
    });
    eframe::run_native("inferometer", native, create)
        .map_err(|e| anyhow::anyhow!("{e}"))
        .context(
            "the window could not be opened; is there a display? Without one, use “inferometer run” in the terminal",
        )
}

/// News is drawn at most ten times a second; what a person does is drawn at once.
const FRAME: std::time::Duration = std::time::Duration::from_millis(100);

fn icon() -> egui::IconData {
    let png = include_bytes!("../../assets/icon-256.png");
    eframe::icon_data::from_png_bytes(png).unwrap_or_default()
}

/// What is drawn, without what waits: a test drives it as the window does.
pub struct Window {
    pub state: AppState,
    pub measure: measure::MeasureUi,
    /// Whether the form is open in a window too narrow for both; `None` until a person said so.
    form_open: Option<bool>,
    glue: glue::Glue,
}

impl Window {
    pub fn new(ctx: &egui::Context, options: Options) -> Self {
        let presets = crate::session::presets().into_iter();
        let presets = presets.map(|p| state::PresetEntry {
            id: p.id,
            title: p.title,
            about: p.about,
            plan: p.plan,
        });
        Self::with_presets(ctx, options, presets.collect())
    }

    /// As [`Self::new`], with other presets; the first is the plan that the form starts with.
    pub fn with_presets(
        ctx: &egui::Context,
        options: Options,
        presets: Vec<state::PresetEntry>,
    ) -> Self {
        theme::install(ctx);
        let mut state = AppState::new(presets);
        state.open_paths(options.open);
        if options.demo {
            state.start_with_demo();
        }
        Self {
            state,
            measure: measure::MeasureUi::default(),
            form_open: None,
            glue: glue::Glue::default(),
        }
    }

    /// Everything in the window, in one egui pass.
    pub fn show(&mut self, ui: &mut egui::Ui) {
        let ctx = ui.ctx().clone();
        self.glue.before(&ctx, &mut self.state);
        let mut out = Vec::new();
        let mut open = Vec::new();
        let model = self.state.shell();
        let state = &self.state;
        let menus = |ui: &mut egui::Ui, out: &mut Vec<Action>| {
            menu::menu_ui(ui, state, out, &mut open);
        };
        shell::shell_ui(ui, &model, menus, &mut out);
        match model.view {
            View::Measure => self.measure_view(ui, &mut out),
            View::Runs => runs::runs_ui(ui, &mut self.state),
            View::Compare => compare::compare_ui(ui, &mut self.state),
        }
        palette::palette_ui(&ctx, &mut self.state);
        dialogs::dialogs_ui(&ctx, &mut self.state);
        self.state.open_paths(open);
        for action in out {
            self.state.perform(action);
        }
        self.glue.after(&ctx, &mut self.state);
    }

    fn measure_view(&mut self, ui: &mut egui::Ui, out: &mut Vec<Action>) {
        let theme = Theme::of(ui);
        let window = ui.ctx().content_rect().width();
        let mut open = true;
        if window < size::FOLDED {
            open = self
                .form_open
                .unwrap_or_else(|| self.state.run_shown().is_none());
            if shell::fold_strip(ui, open) {
                self.form_open = Some(!open);
            }
        }
        if open {
            let width = size::form(window);
            shell::side_panel("form", width).show(ui, |ui| form::form_ui(ui, &mut self.state));
        }
        egui::CentralPanel::default()
            .frame(egui::Frame::NONE.fill(theme.canvas))
            .show(ui, |ui| {
                banners::banners_ui(ui, &mut self.state);
                if self.state.measure_shows == state::MeasureShows::Test && !self.state.is_running()
                {
                    test_view::test_view_ui(ui, &mut self.state);
                    return;
                }
                let (empty, controls) = (self.state.empty(), self.state.controls());
                if std::mem::take(&mut self.state.toggles_goals) {
                    self.measure.toggle_goals();
                }
                let mut level = std::mem::take(&mut self.state.level);
                let given = measure::Given {
                    run: self.state.run_shown().map(|r| r.as_ref()),
                    empty: &empty,
                    notes: self.state.notes(),
                    controls: &controls,
                    level: &mut level,
                };
                measure::measure_ui(ui, given, &mut self.measure, out);
                self.state.level = level;
            });
    }
}

/// The window's program: the window, and the session behind it.
pub struct InferometerApp {
    pub window: Window,
    session: Session,
}

impl InferometerApp {
    pub fn new(ctx: &egui::Context, session: Session, options: Options) -> Self {
        session.send(Command::Restore);
        Self {
            window: Window::new(ctx, options),
            session,
        }
    }

    fn drain(&mut self) {
        while let Some(event) = self.session.try_event() {
            self.window.state.apply_event(event);
        }
        if let Some(snapshot) = self.session.changed_snapshot() {
            self.window.state.apply_snapshot(snapshot);
        }
        self.send();
    }

    fn send(&mut self) {
        for command in self.window.state.take_commands() {
            self.session.send(command);
        }
    }
}

impl eframe::App for InferometerApp {
    fn logic(&mut self, _ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.drain();
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.window.show(ui);
        self.send();
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.session.send(Command::Shutdown);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        Theme::for_dark(visuals.dark_mode)
            .canvas
            .to_normalized_gamma_f32()
    }
}
