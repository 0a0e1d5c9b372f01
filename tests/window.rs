//! The window without a window: every widget is found by its name, views hold what a run holds, and a frame in which
//! nothing changed computes nothing. With `INFEROMETER_SCREENSHOTS=folder` the views are written as pictures too.

mod data;
mod forms;
mod gallery;
mod loads;
mod measure;
mod pictures;
mod raster;
mod steering;
mod varied;

use std::sync::Arc;

use inferometer::app::state::PlanHome;
use inferometer::app::{Options, Window};
use inferometer::domain::RunData;

/// Five stages with a cold start and some failures, finished.
pub(super) fn finished() -> inferometer::domain::RunData {
    data::finished()
}

/// The window with a run in the Measure view.
fn window_with(ctx: &egui::Context, run: Option<RunData>) -> Window {
    let mut window = Window::new(ctx, Options::default());
    if let Some(run) = run {
        window.state.load_plan(&run.head.plan, PlanHome::Nowhere);
        show(&mut window, run);
    }
    window
}

/// The run's newest state reaches the window.
fn show(window: &mut Window, run: RunData) {
    let run = Arc::new(run);
    if run.is_live() {
        window.state.live = Some(run);
        window.state.running.get_or_insert_default();
    } else {
        window.state.shown = Some(run);
    }
}
