//! The window without a window: every widget is found by its name, views hold what a run holds, and a frame in which
//! nothing changed computes nothing. With `INFEROMETER_SCREENSHOTS=folder` the views are written as pictures too.

mod data;
mod raster;

use std::path::PathBuf;
use std::sync::Arc;

use egui::vec2;
use inferometer::app::measure::charts::DistributionKind;
use inferometer::app::settings::ThemeChoice;
use inferometer::app::{Options, Window};
use inferometer::domain::RunData;
use raster::Screen;

/// The window with a run in the Measure view.
fn window_with(ctx: &egui::Context, run: Option<RunData>) -> Window {
    let mut window = Window::new(ctx, Options::default());
    let plan = run.as_ref().map(|run| run.plan().clone());
    if let Some(plan) = plan {
        let home = inferometer::app::state::PlanHome::Nowhere;
        window.state.load_plan(&plan, home);
    }
    match run.map(Arc::new) {
        Some(run) if run.is_live() => {
            window.state.live = Some(run);
            window.state.running = Some(Default::default());
        }
        other => window.state.shown = other,
    }
    window
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
            let only = std::env::var("INFEROMETER_SCREENSHOT_WIDTH").ok();
            if only.is_some_and(|only| only != width.to_string()) {
                continue;
            }
            for name in ["live", "finished", "empty"] {
                let run = match name {
                    "live" => Some(data::live()),
                    "finished" => Some(data::finished()),
                    _ => None,
                };
                let mut screen = Screen::new(vec2(width, height), dark);
                let mut window = window_with(&screen.ctx, run);
                window.state.settings.theme = if dark {
                    ThemeChoice::Dark
                } else {
                    ThemeChoice::Light
                };
                if name == "finished" {
                    window.measure.distribution.0 = DistributionKind::Percentiles;
                }
                if name == "finished" && width > 1900.0 {
                    screen.point_at(1700.0, 380.0);
                }
                for _ in 0..3 {
                    screen.frame(&mut |ui| window.show(ui));
                }
                let theme = if dark { "dark" } else { "light" };
                screen.save(&folder.join(format!("{name}-{width}-{theme}.png")));
            }
        }
    }
}
