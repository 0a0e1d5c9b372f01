//! The runs of a varied plan, as the library lists them and as Compare shows them by parameter.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::vec2;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use inferometer::app::Window;
use inferometer::app::actions::{Action, View};
use inferometer::app::compare::CompareMode;
use inferometer::app::theme;
use inferometer::domain::{MetricId, RunData, RunEntry, RunHead, ServerFacts, Variation};
use inferometer::session::Event;

use super::{data, loads, raster::Screen, window_with};

fn variation(index: u32, of: u32, tokens: u32, model: &str) -> Variation {
    let values = [
        ("workload.max_tokens".to_owned(), tokens.to_string()),
        ("target.model".to_owned(), model.to_owned()),
    ];
    Variation {
        group: "first".to_owned(),
        index,
        of,
        values: BTreeMap::from(values),
    }
}

fn entry(variation: Option<Variation>, run: &RunData) -> RunEntry {
    let i = variation.as_ref().map_or(99, |v| v.index);
    RunEntry {
        path: format!("/tmp/runs/{i}.run.jsonl").into(),
        bytes: 1_000,
        started: format!("2026-11-21T14:{:02}:00+01:00", 10 + i.min(40)),
        started_unix_ns: i64::from(i),
        label: "lengths and models".to_owned(),
        tags: Vec::new(),
        notes: String::new(),
        target: "http://10.0.4.21:8000/v1".to_owned(),
        server: ServerFacts {
            name: "vLLM".to_owned(),
            ..ServerFacts::default()
        },
        load: "10 users, 60 s".to_owned(),
        summary: Some(Arc::clone(&run.summary)),
        duration_secs: Some(61.0),
        variation,
        error: None,
    }
}

/// Six runs: three lengths with each of two models; the longer the slower, and the second model by half.
pub(super) fn entries() -> Vec<RunEntry> {
    let run = loads::conversations();
    let mut entries = vec![entry(None, &data::few())];
    let mut index = 0;
    for (model, slower) in [("llama-8b", 1.0), ("llama-8b-q4", 1.5)] {
        for (tokens, longer) in [(16, 0.7), (64, 1.0), (256, 1.9)] {
            let mut run = run.clone();
            let mut summary = (*run.summary).clone();
            for d in summary.stages[0].metrics.values_mut() {
                let scaled = |v: &mut Option<f64>| *v = v.map(|v| v * slower * longer);
                let all = [&mut d.p50, &mut d.p90, &mut d.p95, &mut d.p99];
                all.into_iter().for_each(scaled);
                d.ci95
                    .p50
                    .iter_mut()
                    .chain(&mut d.ci95.p95)
                    .for_each(scaled);
            }
            let stage = &mut summary.stages[0];
            stage.output_token_rate = stage.output_token_rate.map(|r| r / slower / longer);
            run.summary = Arc::new(summary);
            entries.push(entry(Some(variation(index, 6, tokens, model)), &run));
            index += 1;
        }
    }
    entries
}

pub(super) fn library(window: &mut Window) {
    window.state.apply_event(Event::Library {
        folder: "/tmp/runs".into(),
        entries: entries(),
    });
}

/// Compare shows the group.
pub(super) fn by_parameter(window: &mut Window, _: &mut Screen) {
    library(window);
    window.state.perform(Action::CompareParameter);
}

fn harness() -> Harness<'static, Window> {
    let mut window = window_with(&egui::Context::default(), None);
    library(&mut window);
    let mut harness = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .with_context_setup(theme::install)
        .build_ui_state(|ui, window: &mut Window| window.show(ui), window);
    harness.run_steps(3);
    harness
}

fn has(harness: &Harness<'_, Window>, words: &str) -> bool {
    harness.query_all_by_label_contains(words).next().is_some()
        || harness.query_all_by_value(words).next().is_some()
}

#[test]
fn the_runs_of_a_varied_plan_stand_in_one_table_and_chart() {
    let mut harness = harness();
    harness.state_mut().state.perform(Action::CompareParameter);
    harness.run_steps(3);
    for words in [
        "By parameter chart: TTFT p50, log scale",
        "llama-8b: max_tokens 16, At 8 users",
        "llama-8b-q4: max_tokens 256",
        "By parameter, 6 runs of a varied plan",
    ] {
        assert!(has(&harness, words), "{words}");
    }
    let computed = harness.state().state.compare.parameter.n_computed();
    harness.run_steps(5);
    assert_eq!(
        harness.state().state.compare.parameter.n_computed(),
        computed
    );
    harness.get_by_label("p95").click();
    harness.run_steps(2);
    assert!(has(&harness, "By parameter chart: TTFT p95, log scale"));
    harness.state_mut().state.compare.parameter.metric = Some(MetricId::OutputTokenRate);
    harness.run_steps(2);
    assert!(has(
        &harness,
        "By parameter chart: Output tokens per second, tok/s"
    ));
}

#[test]
fn a_row_of_the_group_opens_its_run() {
    let mut harness = harness();
    harness.state_mut().state.perform(Action::CompareParameter);
    harness.run_steps(3);
    harness.state_mut().state.take_commands();
    harness
        .get_by_label_contains("llama-8b-q4: max_tokens 64")
        .click();
    harness.run_steps(2);
    let commands = harness.state_mut().state.take_commands();
    let text = format!("{commands:?}");
    assert!(text.contains("/tmp/runs/4.run.jsonl"), "{text}");
}

#[test]
fn the_library_says_which_run_of_a_varied_plan_each_is() {
    let mut harness = harness();
    harness.state_mut().state.view = View::Runs;
    harness.run_steps(2);
    assert!(has(&harness, "2/6 model llama-8b, max_tokens 64"));
    let paths: Vec<_> = entries().into_iter().skip(1).map(|e| e.path).collect();
    for path in &paths[..3] {
        harness.state_mut().state.library.tick(path, true);
    }
    harness.state_mut().state.perform(Action::CompareTicked);
    assert_eq!(harness.state().state.compare.mode, CompareMode::Parameter);
    harness.state_mut().state.view = View::Runs;
    harness.state_mut().state.library.select(&paths[0]);
    harness.run_steps(2);
    harness
        .get_by_label("Show all runs of the plan by parameter")
        .click();
    harness.run_steps(2);
    assert_eq!(harness.state().state.view, View::Compare);
}

#[test]
fn a_run_under_way_says_which_of_how_many_it_is_and_how_long_all_will_take() {
    let mut harness = harness();
    for (index, of) in [(0, 3), (1, 3)] {
        let state = &mut harness.state_mut().state;
        state.apply_event(Event::VariationStarted {
            index,
            of,
            values: variation(index, of, 64, "b").values,
        });
        let mut live = loads::steered();
        let mut head = (*live.head).clone();
        head.id = format!("run {index}");
        head.variation = Some(variation(index, of, 64, "b"));
        live.head = Arc::new(head);
        state.apply_snapshot(Some(Arc::new(live.clone())));
        state.view = View::Measure;
        harness.run_steps(3);
        let place = format!("Run {} of 3", index + 1);
        assert!(has(&harness, &format!("{place}: model b, max_tokens 64")));
        assert!(has(&harness, &format!("{place}: stage ")), "the status bar");
        assert!(has(&harness, "left for all"));
        if index == 0 {
            live.state = inferometer::domain::RunState::Finished;
            let state = &mut harness.state_mut().state;
            state.apply_event(Event::RunEnded {
                run: Arc::new(live),
            });
        }
    }
}

#[test]
fn the_last_run_of_a_varied_plan_offers_all_of_them() {
    let mut harness = harness();
    let mut run = data::few();
    let end = |run: &mut RunData, index| {
        let head = RunHead {
            variation: Some(variation(index, 6, 256, "b")),
            ..(*run.head).clone()
        };
        run.head = Arc::new(head);
        Event::RunEnded {
            run: Arc::new(run.clone()),
        }
    };
    let event = end(&mut run, 4);
    harness.state_mut().state.apply_event(event);
    assert!(harness.state().state.banners.is_empty());
    let event = end(&mut run, 5);
    harness.state_mut().state.apply_event(event);
    harness.run_steps(2);
    assert!(has(&harness, "All 6 runs of the varied plan have ended."));
    assert!(has(&harness, "Run 6 of 6: model b, max_tokens 256"));
    harness
        .get_all_by_label("By parameter")
        .next()
        .unwrap()
        .click();
    harness.run_steps(2);
    assert_eq!(harness.state().state.compare.mode, CompareMode::Parameter);
}
