//! What a person may do to a run while it goes, and what the window shows of every kind of load.

use egui::{Key, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use inferometer::app::Window;
use inferometer::app::actions::Action;
use inferometer::app::dialogs::Dialog;
use inferometer::app::theme;
use inferometer::domain::RunData;
use inferometer::session::Command;

use super::{data, loads, window_with};

fn harness(run: RunData) -> Harness<'static, Window> {
    let window = window_with(&egui::Context::default(), Some(run));
    let mut harness = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .with_context_setup(theme::install)
        .build_ui_state(|ui, window: &mut Window| window.show(ui), window);
    harness.run_steps(4);
    harness.state_mut().state.take_commands();
    harness
}

fn has(harness: &Harness<'_, Window>, words: &str) -> bool {
    harness.query_all_by_label_contains(words).next().is_some()
        || harness.query_all_by_value(words).next().is_some()
}

/// The commands that steer a run, of all that were sent since.
fn steered(harness: &mut Harness<'_, Window>) -> Vec<String> {
    let commands = harness.state_mut().state.take_commands();
    let steers = |c: &&Command| {
        matches!(
            c,
            Command::Pause
                | Command::Resume
                | Command::SetLevel(_)
                | Command::KeepMoment
                | Command::MarkKept(_)
        )
    };
    commands
        .iter()
        .filter(steers)
        .map(|c| format!("{c:?}"))
        .collect()
}

#[test]
fn a_run_is_paused_by_button_and_resumed_by_key() {
    let mut harness = harness(loads::steered());
    harness.get_by_label("Pause").click();
    harness.run_steps(2);
    assert_eq!(steered(&mut harness), ["Pause"]);
    super::show(harness.state_mut(), loads::paused());
    harness.run_steps(2);
    assert!(has(&harness, "Paused"));
    harness.key_press(Key::P);
    harness.run_steps(2);
    assert_eq!(steered(&mut harness), ["Resume"]);
}

#[test]
fn a_stepped_level_is_sent_once_when_the_stepping_ends() {
    let mut harness = harness(loads::steered());
    for _ in 0..3 {
        harness.get_by_label("More load").click();
        harness.run_steps(1);
    }
    assert!(steered(&mut harness).is_empty());
    // 20 users: steps of 2 up to 26.
    harness.run_steps(120);
    assert_eq!(steered(&mut harness), ["SetLevel(26.0)"]);
    harness.get_by_label("Level").focus();
    harness.run_steps(1);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, Key::A);
    harness.get_by_label("Level").type_text("40");
    harness.run_steps(1);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    assert_eq!(steered(&mut harness), ["SetLevel(40.0)"]);
}

#[test]
fn a_letter_that_is_typed_into_a_field_steers_nothing() {
    let mut harness = harness(loads::steered());
    harness.get_by_label("Level").focus();
    harness.run_steps(1);
    harness.key_press(Key::P);
    harness.run_steps(2);
    assert!(steered(&mut harness).is_empty());
    assert!(harness.state().state.dialog.is_none());
}

#[test]
fn a_mark_has_the_persons_words_or_its_number() {
    let mut harness = harness(loads::steered());
    harness.key_press(Key::M);
    harness.run_steps(2);
    assert!(matches!(
        harness.state().state.dialog,
        Some(Dialog::Mark { .. })
    ));
    assert_eq!(
        steered(&mut harness),
        ["KeepMoment"],
        "the key press counts"
    );
    harness
        .get_by_label("What happens")
        .type_text("weights swapped");
    harness.run_steps(2);
    harness.get_all_by_label("Mark").last().unwrap().click();
    harness.run_steps(2);
    assert_eq!(steered(&mut harness), ["MarkKept(\"weights swapped\")"]);
    assert!(harness.state().state.dialog.is_none());
    harness.state_mut().state.mark("  ", "mark 3");
    assert_eq!(steered(&mut harness), ["MarkKept(\"mark 3\")"]);
}

#[test]
fn what_cannot_be_steered_says_why() {
    let mut window = window_with(&egui::Context::default(), Some(data::finished()));
    let why = |window: &Window, action: Action| action.why_not(&window.state).unwrap();
    assert_eq!(why(&window, Action::PauseResume), "Nothing runs");
    assert_eq!(why(&window, Action::Mark), "Nothing runs");
    super::show(&mut window, loads::sweep_live());
    assert_eq!(
        why(&window, Action::LevelUp),
        "The sweep or search sets the load itself"
    );
    assert!(Action::PauseResume.why_not(&window.state).is_none());
}

#[test]
fn sweeps_searches_and_changes_say_where_they_are() {
    for (run, words) in [
        (loads::sweep_live(), "Step 3 of 8: 6.6 req/s"),
        (loads::search_live(), "Probe 4: 32 users"),
        (loads::steered(), "Stage 1 of 1"),
    ] {
        let harness = harness(run);
        assert!(has(&harness, words), "{words}");
    }
}

#[test]
fn goals_have_tiles_columns_a_badge_and_a_table_of_their_own() {
    let mut harness = harness(loads::with_goals());
    for words in [
        "Within goals: 96 %",
        "Goodput",
        "64 users: n 360",
        "Good/s",
        "Goal missed",
        "TTFT p95 not told yet",
    ] {
        assert!(has(&harness, words), "{words}");
    }
    harness.key_press(Key::G);
    harness.run_steps(2);
    assert!(has(
        &harness,
        "64 users: Goal TTFT p95 ≤ 500 ms, n 360, Within 0 %"
    ));
    assert!(has(&harness, "Goal all together"));
    harness.key_press(Key::G);
    harness.run_steps(2);
    assert!(!has(&harness, "Goal all together"));
}

#[test]
fn probes_turns_and_visitors_stand_in_tables() {
    let harness_of_search = harness(loads::search());
    assert!(has(
        &harness_of_search,
        "48 users: Goal that decides TTFT p95 ≤ 500 ms"
    ));
    assert!(has(&harness_of_search, "Verdict missed"));
    let mut harness = harness(loads::conversations());
    harness.get_by_label("Turns").click();
    harness.run_steps(2);
    assert!(has(&harness, "By turn chart: TTFT by turn, log scale"));
    assert!(has(&harness, "Turn 6: n 49, TTFT p50 215 ms"));
    harness.get_by_label("Mixed traffic").click();
    harness.run_steps(2);
    assert!(has(&harness, "Uploads: n 96, Failed 2, p50 61 ms"));
}

#[test]
fn an_open_loop_shows_what_was_sent_against_what_was_asked() {
    let mut harness = harness(loads::open_with_drops());
    for words in [
        "Throughput over time chart: Sent, req/s",
        "TTFT by req/s achieved, log scale",
        "24 req/s: n ",
        "Dropped",
    ] {
        assert!(has(&harness, words), "{words}");
    }
    for words in [
        "dropped count as missed",
        "Goal missed; ",
        "Dropped at the in-flight limit: ",
        "Raise the limit of 30, lower the rate",
    ] {
        assert!(has(&harness, words), "{words}");
    }
    harness.get_by_label("Goals").click();
    harness.run_steps(2);
    assert!(has(&harness, "Counted as missed "));
    harness.get_by_label("asked").click();
    harness.run_steps(2);
    assert!(has(&harness, "TTFT by req/s asked, log scale"));
    harness.get_by_label("latency").click();
    harness.run_steps(2);
    assert!(has(&harness, "Latency over time chart: TTFT, log scale"));
}

#[test]
fn running_again_loads_the_plan_that_was_asked() {
    let mut harness = harness(loads::search());
    harness.state_mut().state.perform(Action::RunAgain);
    let plan = harness.state_mut().state.plan().cloned();
    // The form may not know every load yet; what it holds is one stage, never the search's eight.
    assert!(plan.is_none_or(|p| p.stages.len() == 1));
}
