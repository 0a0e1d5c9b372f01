//! The Measure view with live, finished and empty runs.

use egui::vec2;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use inferometer::app::Window;
use inferometer::app::actions::View;
use inferometer::app::theme;
use inferometer::domain::{MetricId, RunData, RunState, StageIdx};
use inferometer::session::Command;

use super::{data, loads, raster::Screen, show, window_with};

fn harness(run: Option<RunData>) -> Harness<'static, Window> {
    let window = window_with(&egui::Context::default(), run);
    let mut harness = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .with_context_setup(theme::install)
        .build_ui_state(|ui, window: &mut Window| window.show(ui), window);
    harness.run_steps(4);
    harness
}

fn has(harness: &Harness<'_, Window>, words: &str) -> bool {
    harness.query_all_by_label_contains(words).next().is_some()
        || harness.query_all_by_value(words).next().is_some()
}

#[test]
fn a_live_run_shows_its_stage_its_numbers_and_a_way_to_stop() {
    let harness = harness(Some(data::live()));
    harness.get_by_label("Stop");
    for words in [
        "llama tiers, Stage 2 of 3, 10 users",
        "Latency distribution chart",
        "Throughput over time chart",
        "Latency against load chart",
        "Requests chart",
        "1 user: n 80, Errors 0",
        "100 users: n 0 / 1\u{202f}000",
        "Cold start: n 1",
        "Stage 2 of 3, 177 of 400, 1:34 left",
    ] {
        assert!(has(&harness, words), "{words}");
    }
}

#[test]
fn a_finished_run_names_the_stage_that_its_tiles_speak_of() {
    let mut harness = harness(Some(data::finished()));
    let tile = |harness: &Harness<'_, Window>, stage: &str| {
        let label = format!("TTFT p50 at {stage}");
        harness
            .query_all_by_role(egui::accesskit::Role::Label)
            .any(|n| n.value().is_some_and(|v| v.starts_with(&label)))
    };
    assert!(tile(&harness, "32 users"));
    harness.get_by_label_contains("4 users: n 160").click();
    harness.run_steps(2);
    assert_eq!(harness.state().measure.focus, Some(StageIdx(1)));
    assert!(tile(&harness, "4 users"));
}

#[test]
fn one_metric_is_chosen_for_charts_and_table() {
    let mut harness = harness(Some(data::finished()));
    harness.get_all_by_label("E2E").next().unwrap().click();
    harness.run_steps(2);
    assert_eq!(harness.state().measure.metric.0, MetricId::E2e);
    harness.get_all_by_label("…").next().unwrap().click();
    harness.run_steps(2);
    harness.get_by_label("Queue wait").click();
    harness.run_steps(3);
    assert_eq!(harness.state().measure.metric.0, MetricId::QueueWait);
    assert!(has(
        &harness,
        "Only a Gradio server has a queue that tells how long a request waits in it"
    ));
}

#[test]
fn doubts_stand_above_the_numbers_and_failures_below() {
    let mut harness = harness(Some(data::finished()));
    assert!(has(&harness, "64 users is past saturation"));
    assert!(!has(&harness, "Chunks carry 1.4 tokens"));
    harness.get_by_label("1 more").click();
    harness.run_steps(2);
    assert!(has(&harness, "Chunks carry 1.4 tokens"));
    assert!(
        harness
            .query_all_by_label_contains("1 times, first:")
            .next()
            .is_some()
    );
}

#[test]
fn what_was_searched_for_stands_first_once_it_is_found() {
    let answer = "32 users meet the goals, 36 users do not";
    let ended = harness(Some(loads::search()));
    assert!(has(&ended, answer));
    assert!(has(&ended, "First to be missed: p95 TTFT ≤ 500 ms"));
    assert!(!has(&harness(Some(loads::search_live())), answer));
    let sweep = harness(Some(loads::sweep()));
    assert!(has(&sweep, "The most is "));
}

#[test]
fn nothing_measured_says_what_to_do() {
    let mut harness = harness(None);
    assert!(has(&harness, "Use my endpoint"));
    harness.get_by_label("Runs").click();
    harness.run_steps(2);
    assert_eq!(harness.state().state.view, View::Runs);
}

#[test]
fn the_person_who_restarted_the_server_says_so() {
    let mut run = data::live();
    run.state = RunState::AwaitingRestart { cycle: 1, of: 2 };
    run.points = Default::default();
    let mut harness = harness(Some(run));
    assert!(has(&harness, "Restart the server now (1 of 2)"));
    harness.state_mut().state.take_commands();
    harness.get_by_label("I have restarted it").click();
    harness.run_steps(2);
    let commands = harness.state_mut().state.take_commands();
    let said = |c: &Command| matches!(c, Command::ServerRestarted);
    assert!(commands.iter().any(said), "{commands:?}");
}

#[test]
fn a_run_being_prepared_says_what_is_done() {
    let mut run = data::live();
    let what = "opening 100 connections".to_owned();
    run.state = RunState::Preparing { what };
    run.points = Default::default();
    let harness = harness(Some(run));
    assert!(has(&harness, "Preparing: opening 100 connections"));
}

#[test]
fn frames_without_news_compute_nothing_and_ask_for_no_frame() {
    let mut screen = Screen::new(vec2(1280.0, 800.0), true);
    let mut window = window_with(&screen.ctx, Some(data::finished()));
    for _ in 0..6 {
        screen.frame(&mut |ui| window.show(ui));
    }
    let computed = window.measure.n_computed();
    assert!(computed > 0);
    let mut delay = std::time::Duration::ZERO;
    for _ in 0..100 {
        delay = screen.frame(&mut |ui| window.show(ui));
    }
    assert_eq!(window.measure.n_computed(), computed);
    assert!(delay > std::time::Duration::from_mins(1), "{delay:?}");
}

#[test]
fn a_stream_of_snapshots_is_computed_once_for_each() {
    const SNAPSHOTS: u64 = 20;
    const PARTS: u64 = 5;
    let mut screen = Screen::new(vec2(1280.0, 800.0), true);
    let first = data::hundred_users(0.0);
    let mut window = window_with(&screen.ctx, Some(first));
    screen.frame(&mut |ui| window.show(ui));
    let before = window.measure.n_computed();
    for i in 1..=SNAPSHOTS {
        show(
            &mut window,
            data::hundred_users(i as f64 / SNAPSHOTS as f64),
        );
        for _ in 0..3 {
            screen.frame(&mut |ui| window.show(ui));
        }
    }
    let computed = window.measure.n_computed() - before;
    assert_eq!(computed, SNAPSHOTS * PARTS);
}

#[test]
fn live_scales_never_shrink() {
    let mut screen = Screen::new(vec2(1280.0, 800.0), true);
    let mut window = window_with(&screen.ctx, Some(data::hundred_users(0.6)));
    screen.frame(&mut |ui| window.show(ui));
    let mut before = window.measure.shown_ranges();
    for i in 7..=10 {
        show(&mut window, data::hundred_users(f64::from(i) / 10.0));
        screen.frame(&mut |ui| window.show(ui));
        let ranges = window.measure.shown_ranges();
        for (was, is) in before.iter().zip(&ranges) {
            assert!(is.0 <= was.0 && is.1 >= was.1, "{was:?} {is:?}");
        }
        before = ranges;
    }
}
