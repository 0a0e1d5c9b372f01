//! Pictures of the views, to be held beside the reference: only where `INFEROMETER_SCREENSHOTS` names a folder.
//! `INFEROMETER_SCREENSHOT_ONLY` keeps those whose name holds it.

use std::path::Path;
use std::sync::Arc;

use egui::vec2;
use inferometer::app::Window;
use inferometer::app::actions::{Action, View};
use inferometer::app::measure::charts::DistributionKind;
use inferometer::app::measure::model::TableKind;
use inferometer::app::settings::ThemeChoice;
use inferometer::chart::Throughput;
use inferometer::domain::{RunData, RunState};

use super::{data, gallery::Gallery, loads, raster::Screen, varied, window_with};

/// Where the picture goes, if it is wanted.
pub(super) fn wanted(name: &str) -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("INFEROMETER_SCREENSHOTS")?;
    let only = std::env::var("INFEROMETER_SCREENSHOT_ONLY").unwrap_or_default();
    if !name.contains(&only) {
        return None;
    }
    std::fs::create_dir_all(&folder).unwrap();
    Some(Path::new(&folder).join(format!("{name}.png")))
}

/// One picture: the window with that run, changed by `setup`.
fn picture(
    name: &str,
    (width, height, dark): (f32, f32, bool),
    run: Option<fn() -> RunData>,
    setup: fn(&mut Window, &mut Screen),
) {
    let theme = if dark { "dark" } else { "light" };
    let Some(path) = wanted(&format!("{name}-{width}-{theme}")) else {
        return;
    };
    let mut screen = Screen::new(vec2(width, height), dark);
    let mut window = window_with(&screen.ctx, run.map(|run| run()));
    window.state.settings.theme = if dark {
        ThemeChoice::Dark
    } else {
        ThemeChoice::Light
    };
    screen.frame(&mut |ui| window.show(ui));
    setup(&mut window, &mut screen);
    for _ in 0..3 {
        screen.frame(&mut |ui| window.show(ui));
    }
    screen.save(&path);
}

fn invalid() -> RunData {
    let mut run = data::finished();
    let mut summary = (*run.summary).clone();
    summary.verdict.valid = false;
    summary.verdict.n_passed = 7;
    summary.verdict.reasons = vec![
        "The run was interrupted after 3 of 5 stages; start it again and let it end".to_owned(),
    ];
    run.summary = Arc::new(summary);
    run.state = RunState::Interrupted;
    run
}

fn restart() -> RunData {
    let mut run = data::live();
    run.state = RunState::AwaitingRestart { cycle: 1, of: 2 };
    run.points = Default::default();
    run
}

fn percentiles(window: &mut Window, _: &mut Screen) {
    window.measure.distribution.0 = DistributionKind::Percentiles;
}

#[test]
fn the_measure_view() {
    let nothing = |_: &mut Window, _: &mut Screen| {};
    for dark in [true, false] {
        for (width, height) in [(1280.0, 800.0), (1000.0, 640.0), (1920.0, 1080.0)] {
            let size = (width, height, dark);
            picture("live", size, Some(data::live), nothing);
            picture("finished", size, Some(data::finished), percentiles);
            picture("empty", size, None, nothing);
        }
        let size = (1280.0, 800.0, dark);
        picture(
            "hover-time",
            size,
            Some(data::finished),
            |window, screen| {
                window.measure.distribution.0 = DistributionKind::Ecdf;
                screen.point_at(1180.0, 350.0);
            },
        );
        picture("hover-load", size, Some(data::finished), |_, screen| {
            screen.point_at(645.0, 540.0);
        });
        picture("hover-requests", size, Some(data::finished), |_, screen| {
            screen.point_at(1180.0, 546.0);
        });
        picture("tables", size, Some(data::finished), |window, _| {
            window.measure.distribution_ui.table = true;
            window.measure.over_time_ui.table = true;
            window.measure.load_ui.table = true;
            window.measure.requests_ui.table = true;
        });
        picture("metrics", size, Some(data::finished), |_, screen| {
            screen.click_at(790.0, 469.0);
        });
        picture("invalid", size, Some(invalid), |window, _| {
            window.measure.all_findings = true;
        });
        picture("restart", size, Some(restart), nothing);
        picture("scrolled", size, Some(data::finished), |window, screen| {
            screen.point_at(820.0, 700.0);
            screen.scroll(-2000.0);
            screen.frame(&mut |ui| window.show(ui));
        });
        picture("few", size, Some(data::few), nothing);
        picture("smallest", (800.0, 560.0, dark), Some(data::live), nothing);
    }
}

/// Runs of every load.
type Made = fn() -> RunData;

const LOADS: [(&str, Made); 10] = [
    ("goals", loads::with_goals),
    ("open-live", loads::open_live),
    ("open-drops", loads::open_with_drops),
    ("sweep-live", loads::sweep_live),
    ("sweep", loads::sweep),
    ("search-live", loads::search_live),
    ("search", loads::search),
    ("steered", loads::steered),
    ("paused", loads::paused),
    ("turns", loads::conversations),
];

#[test]
fn every_load() {
    let nothing = |_: &mut Window, _: &mut Screen| {};
    for (name, run) in LOADS {
        for size in [
            (1280.0, 800.0, true),
            (1280.0, 800.0, false),
            (1000.0, 640.0, true),
        ] {
            picture(name, size, Some(run), nothing);
        }
        let size = (1280.0, 800.0, true);
        picture(&format!("{name}-ecdf"), size, Some(run), |window, _| {
            window.measure.distribution.0 = DistributionKind::Ecdf;
            window.measure.by_asked = Some(true);
            window.measure.rate = Some(Throughput::Latency);
        });
        let scrolled = format!("{name}-scrolled");
        picture(&scrolled, size, Some(run), |window, screen| {
            percentiles(window, screen);
            window.measure.table = Some(TableKind::Goals);
            screen.point_at(820.0, 700.0);
            screen.scroll(-2000.0);
            screen.frame(&mut |ui| window.show(ui));
        });
    }
    let turns = |window: &mut Window, screen: &mut Screen| {
        window.measure.table = Some(TableKind::Turns);
        screen.point_at(820.0, 700.0);
        screen.scroll(-2000.0);
        screen.frame(&mut |ui| window.show(ui));
    };
    let size = (1280.0, 800.0, true);
    picture("by-turn", size, Some(loads::conversations), turns);
    picture("mark", size, Some(loads::steered), |window, _| {
        window.state.perform(Action::Mark);
    });
}

#[test]
fn varied_plans() {
    for size in [
        (1280.0, 800.0, true),
        (1280.0, 800.0, false),
        (1000.0, 640.0, true),
    ] {
        picture("by-parameter", size, None, varied::by_parameter);
        picture("varied-library", size, None, |window, _| {
            varied::library(window);
            window.state.view = View::Runs;
            let path = varied::entries()[2].path.clone();
            window.state.library.select(&path);
        });
    }
}

#[test]
fn the_sheet_of_widgets() {
    for dark in [true, false] {
        let theme = if dark { "dark" } else { "light" };
        let Some(path) = wanted(&format!("gallery-{theme}")) else {
            continue;
        };
        let mut screen = Screen::new(vec2(860.0, 660.0), dark);
        let mut gallery = Gallery::new();
        for _ in 0..3 {
            screen.frame(&mut |ui| gallery.show(ui));
        }
        screen.save(&path);
    }
}
