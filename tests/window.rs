//! The window without a window: every widget is found by its name, views hold what a run holds, and a frame in which
//! nothing changed computes nothing. With `INFEROMETER_SCREENSHOTS=folder` the views are written as pictures too.

mod data;
mod raster;

use std::path::PathBuf;
use std::sync::Arc;

use egui::{Ui, vec2};
use inferometer::app::measure::{EmptyModel, MeasureUi, charts::DistributionKind, measure_ui};
use inferometer::app::shell::shell_ui;
use inferometer::app::state::AppState;
use inferometer::app::theme::{Theme, size};
use inferometer::app::{measure, shell};
use inferometer::domain::RunData;
use raster::Screen;

/// The window's frame with a run in the Measure view.
struct Scene {
    state: AppState,
    measure: MeasureUi,
}

impl Scene {
    fn new(run: Option<RunData>) -> Self {
        let mut state = AppState::new(Vec::new());
        let run = run.map(Arc::new);
        match run {
            Some(run) if run.is_live() => {
                state.live = Some(run);
                state.running = Some(Default::default());
            }
            other => state.shown = other,
        }
        Self {
            state,
            measure: MeasureUi::default(),
        }
    }

    fn draw(&mut self, ui: &mut Ui) {
        let mut out = Vec::new();
        let model = self.state.shell();
        shell_ui(ui, &model, |_, _| {}, &mut out);
        let width = size::form(ui.ctx().content_rect().width());
        shell::side_panel("form", width).show(ui, |ui| {
            ui.painter()
                .rect_filled(ui.max_rect(), 0.0, Theme::of(ui).panel);
        });
        let run = self.state.run_shown().cloned();
        egui::CentralPanel::no_frame().show(ui, |ui| {
            let empty = EmptyModel::default();
            measure_ui(ui, run.as_deref(), &empty, &mut self.measure, &mut out);
        });
        let _: &measure::MeasureUi = &self.measure;
    }
}

fn pictures() -> Option<PathBuf> {
    std::env::var_os("INFEROMETER_SCREENSHOTS").map(PathBuf::from)
}

#[test]
fn pictures_of_the_measure_view() {
    let Some(folder) = pictures() else {
        return;
    };
    std::fs::create_dir_all(&folder).unwrap();
    let sizes = [(1280.0, 800.0), (1000.0, 640.0), (1920.0, 1080.0)];
    for dark in [true, false] {
        for (width, height) in sizes {
            for name in ["live", "finished", "empty"] {
                let run = match name {
                    "live" => Some(data::live()),
                    "finished" => Some(data::finished()),
                    _ => None,
                };
                let mut scene = Scene::new(run);
                if name == "finished" {
                    scene.measure.distribution = DistributionKind::Percentiles;
                }
                let mut screen = Screen::new(vec2(width, height), dark);
                if name == "finished" && width > 1900.0 {
                    screen.point_at(1700.0, 380.0);
                }
                for _ in 0..3 {
                    screen.frame(&mut |ui| scene.draw(ui));
                }
                let theme = if dark { "dark" } else { "light" };
                screen.save(&folder.join(format!("{name}-{width}-{theme}.png")));
            }
        }
    }
}
