//! The library, Compare and the test view.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use inferometer::app::actions::{Action, View};
use inferometer::app::compare::CompareMode;
use inferometer::app::dialogs::Dialog;
use inferometer::app::runs::{SortBy, Verdict};
use inferometer::app::state::WindowRequest;
use inferometer::domain::{
    INTERRUPTED, Issue, MetricId, RunData, RunEntry, ServerFacts, TestReport, Variation,
    WaterfallPart,
};
use inferometer::session::{Command, Event};

use super::{Bench, sample};

fn entry(name: &str, day: u32, tags: &[&str], run: Option<&RunData>) -> RunEntry {
    RunEntry {
        path: PathBuf::from(format!("/tmp/runs/{name}.run.jsonl")),
        bytes: 1000,
        started: format!("2026-11-{day:02}T14:18:00+01:00"),
        started_unix_ns: i64::from(day),
        label: name.to_owned(),
        tags: tags.iter().map(|t| (*t).to_owned()).collect(),
        notes: String::new(),
        target: format!("server of {name}"),
        server: ServerFacts {
            model: Some("llama".to_owned()),
            ..ServerFacts::default()
        },
        load: "1, 10".to_owned(),
        summary: run.map(|r| Arc::clone(&r.summary)),
        duration_secs: Some(61.0),
        variation: None,
        error: None,
    }
}

/// As the session tells of a file that it opened.
fn opened_event(run: RunData) -> Event {
    let path = run.file.clone().unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let entry = RunEntry {
        path,
        label: run.head.label.clone(),
        variation: run.head.variation.clone(),
        ..entry(&name, 5, &[], Some(&run))
    };
    Event::RunOpened {
        run: Arc::new(run),
        entry: Box::new(entry),
    }
}

/// Runs of one varied plan, from another folder than the library's.
fn varied_runs(n: u32) -> Vec<RunData> {
    let of = |index: u32| {
        let mut run = sample::finished();
        let mut head = (*run.head).clone();
        head.id = format!("v{index}");
        head.label.clear();
        head.variation = Some(Variation {
            group: "v0".to_owned(),
            index,
            of: n,
            values: [("workload.max_tokens".to_owned(), (8 << index).to_string())].into(),
        });
        run.head = Arc::new(head);
        run.file = Some(format!("/elsewhere/v{index}.run.jsonl").into());
        run
    };
    (0..n).map(of).collect()
}

#[test]
fn three_files_of_a_varied_plan_are_shown_by_parameter_and_stand_in_the_library() {
    let (mut bench, _) = library();
    let runs = varied_runs(3);
    let paths: Vec<PathBuf> = runs.iter().filter_map(|r| r.file.clone()).collect();
    bench.state().open_paths(paths.clone());
    assert!(matches!(&bench.commands()[..], [Command::OpenRuns(p)] if *p == paths));
    for run in runs {
        assert_eq!(
            bench.state().view,
            View::Runs,
            "not before the last is open"
        );
        bench.apply(opened_event(run));
    }
    assert_eq!(bench.state().view, View::Compare);
    assert_eq!(bench.state().compare.mode, CompareMode::Parameter);
    assert!(bench.says("3 runs of a varied plan"));
    let groups = bench.state().library.groups();
    assert!(
        groups[0].1.starts_with("max_tokens varied, 05 Nov"),
        "{groups:?}"
    );
    bench.state().view = View::Runs;
    bench.run();
    assert!(bench.says("max_tokens 16 of") && bench.says("run 2 of 3"));
    // What the folder holds is read again; what was opened stays.
    bench.apply(Event::Library {
        folder: "/tmp/runs".into(),
        entries: Vec::new(),
    });
    assert_eq!(bench.state().library.entries().len(), 3);
}

#[test]
fn several_files_that_are_no_varied_plan_stand_ticked_and_one_that_fails_holds_none_up() {
    let (mut bench, run) = library();
    let paths: Vec<PathBuf> = ["/e/a.run.jsonl", "/e/b.run.jsonl", "/e/c.run.jsonl"]
        .map(PathBuf::from)
        .into();
    bench.state().open_paths(paths.clone());
    for (path, id) in paths.iter().zip(["a", "b"]) {
        let mut opened = run.clone();
        let mut head = (*opened.head).clone();
        id.clone_into(&mut head.id);
        opened.head = Arc::new(head);
        opened.file = Some(path.clone());
        bench.apply(opened_event(opened));
    }
    bench.apply(Event::RunNotOpened {
        path: paths[2].clone(),
        message: "“/e/c.run.jsonl” was not opened: line 1 is not JSON".to_owned(),
    });
    assert_eq!(bench.state().view, View::Runs);
    assert_eq!(bench.state().library.n_ticked(), 2);
    assert!(bench.says("line 1 is not JSON"));
}

#[test]
fn a_form_of_nobodys_follows_the_run_that_is_opened_and_a_changed_one_does_not() {
    let mut runs = varied_runs(2);
    for run in &mut runs {
        let mut head = (*run.head).clone();
        head.plan.target.url = format!("http://{}/v1", head.id);
        run.head = Arc::new(head);
    }
    let mut bench = Bench::sized(1280.0, 800.0);
    bench.apply(opened_event(runs[0].clone()));
    assert_eq!(bench.state().form.target.url, "http://v0/v1");
    assert!(!bench.state().is_unsaved());
    "http://mine".clone_into(&mut bench.state().form.target.url);
    bench.apply(opened_event(runs[1].clone()));
    assert_eq!(bench.state().form.target.url, "http://mine");
}

/// Four runs: one quick, one slow, one interrupted, one unreadable.
fn library() -> (Bench, RunData) {
    let run = sample::finished();
    let mut slow = run.clone();
    let mut summary = (*slow.summary).clone();
    for stage in &mut summary.stages {
        for d in stage.metrics.values_mut() {
            d.p50 = d.p50.map(|v| v * 9.0);
        }
    }
    summary.cautions.clear();
    slow.summary = Arc::new(summary);
    let entries = vec![
        entry("quick", 3, &["vllm"], Some(&run)),
        entry("slow", 4, &["vllm", "nightly"], Some(&slow)),
        entry("broken off", 2, &[], None),
        RunEntry {
            error: Some("line 1 is not JSON".to_owned()),
            ..entry("foreign", 1, &[], None)
        },
    ];
    let mut bench = Bench::sized(1280.0, 800.0);
    bench.apply(Event::Library {
        folder: "/tmp/runs".into(),
        entries,
    });
    bench.state().view = View::Runs;
    bench.run();
    bench.commands();
    (bench, run)
}

/// Labels of the rows, from top to bottom.
fn rows(bench: &Bench) -> Vec<String> {
    let names = bench.names_of(Role::Row);
    names
        .into_iter()
        .map(|n| n.split(" of ").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_library_sorts_by_its_columns_and_unknown_values_come_last() {
    let (mut bench, _) = library();
    assert_eq!(rows(&bench), ["slow", "quick", "broken off", "foreign"]);
    bench.click("Sort by Date");
    assert_eq!(rows(&bench), ["foreign", "broken off", "quick", "slow"]);
    bench.click("Sort by Label");
    assert_eq!(rows(&bench), ["broken off", "foreign", "quick", "slow"]);
    bench.click("Sort by p50 ms");
    assert_eq!(rows(&bench)[..2], ["quick", "slow"]);
    bench.click("Sort by p50 ms");
    assert_eq!(
        rows(&bench)[..2],
        ["slow", "quick"],
        "unknown values stay last"
    );
    assert_eq!(bench.state().library.sort, SortBy::P50);
    bench.click("E2E");
    assert_eq!(bench.state().library.metric, MetricId::E2e);
}

#[test]
fn search_and_tags_narrow_the_library() {
    let (mut bench, _) = library();
    bench.press(egui::Modifiers::COMMAND, egui::Key::F);
    bench
        .0
        .get_by_label("Search runs")
        .type_text("SERVER quick");
    bench.run();
    assert_eq!(rows(&bench), ["quick"]);
    bench.type_into("Search runs", "nothing like it");
    assert!(rows(&bench).is_empty());
    bench.type_into("Search runs", "");
    bench.click("Tag nightly");
    assert_eq!(rows(&bench), ["slow"]);
    bench.click("Tag All");
    assert_eq!(rows(&bench).len(), 4);
}

#[test]
fn interrupted_and_unreadable_files_say_so() {
    let (mut bench, run) = library();
    // One that was stopped by hand has its last line, and a verdict that says so.
    let mut stopped = run.clone();
    let mut summary = (*stopped.summary).clone();
    summary.verdict.valid = false;
    summary.verdict.reasons = vec![format!("{INTERRUPTED}: its last stages are missing")];
    stopped.summary = Arc::new(summary);
    let of_it = entry("stopped", 6, &[], Some(&stopped));
    assert_eq!(Verdict::of(&of_it), Verdict::Interrupted);
    assert!(bench.says("broken off of 2 Nov") || bench.says("broken off of 02 Nov"));
    assert!(bench.says("Interrupted") && bench.says("Unreadable"));
    bench
        .state()
        .library
        .select(Path::new("/tmp/runs/foreign.run.jsonl"));
    bench.run();
    assert!(bench.shows("line 1 is not JSON"));
    assert!(bench.is_disabled("Open this run") && bench.is_disabled("Run again"));
}

#[test]
fn details_open_run_again_annotate_and_delete() {
    let (mut bench, run) = library();
    let path = PathBuf::from("/tmp/runs/quick.run.jsonl");
    bench.state().library.select(&path);
    bench.run();
    bench.click("Read the whole file for its distribution");
    assert!(matches!(&bench.commands()[..], [Command::OpenRuns(p)] if *p == [path.clone()]));
    let mut opened = run.clone();
    opened.file = Some(path.clone());
    bench.apply(opened_event(opened));
    assert_eq!(
        bench.state().view,
        View::Runs,
        "details stay where they are"
    );
    assert!(!bench.shows("Read the whole file for its distribution"));
    bench.type_into("Notes", "H100");
    bench.0.key_press(egui::Key::Tab);
    bench.run();
    bench.click("Add a tag");
    bench.0.get_by_label("New tag").type_text("baseline");
    bench.run();
    bench.press(egui::Modifiers::NONE, egui::Key::Enter);
    let words = format!("{:?}", bench.commands());
    assert!(words.contains("notes: Some(\"H100\")"), "{words}");
    assert!(
        words.contains("tags: Some([\"vllm\", \"baseline\"])"),
        "{words}"
    );
    bench.click("Delete this run");
    assert!(matches!(
        bench.state().dialog,
        Some(Dialog::DeleteRun { .. })
    ));
    bench.click("Delete");
    assert!(matches!(&bench.commands()[0], Command::DeleteRun { path: p } if *p == path));
    bench.click("Run again");
    assert_eq!(bench.plan(), *run.plan());
    assert_eq!(bench.state().view, View::Measure);
}

#[test]
fn two_ticked_runs_are_compared_the_older_as_a() {
    let (mut bench, run) = library();
    assert_eq!(
        Action::CompareTicked.why_not(bench.state()).as_deref(),
        Some("Tick two runs to compare; 0 ticked")
    );
    for name in ["slow", "quick"] {
        let label = format!("Choose {name} of");
        bench.0.get_by_label_contains(&label).click();
        bench.run();
    }
    bench.click("Compare 2");
    let asked = bench.commands();
    let Some(Command::OpenRuns(paths)) = asked.first() else {
        panic!("{asked:?}");
    };
    assert!(paths[0].ends_with("quick.run.jsonl") && paths[1].ends_with("slow.run.jsonl"));
    for (name, id) in [("quick", "a"), ("slow", "b")] {
        let mut opened = run.clone();
        let mut head = (*opened.head).clone();
        id.clone_into(&mut head.id);
        opened.head = Arc::new(head);
        opened.file = Some(format!("/tmp/runs/{name}.run.jsonl").into());
        bench.apply(opened_event(opened));
    }
    let compare = &bench.state().compare;
    assert_eq!(compare.a.as_ref().unwrap().head.id, "a");
    assert_eq!(compare.b.as_ref().unwrap().head.id, "b");
    assert_eq!(bench.state().view, View::Compare);
}

fn comparing() -> Bench {
    let a = sample::finished();
    let mut b = a.clone();
    let mut head = (*b.head).clone();
    "b".clone_into(&mut head.id);
    head.plan.workload.max_tokens = Some(64);
    b.as_run = Arc::new(head.plan.clone());
    b.head = Arc::new(head);
    let mut summary = (*b.summary).clone();
    for stage in &mut summary.stages {
        let Some(d) = stage.metrics.get_mut(&MetricId::Ttft) else {
            continue;
        };
        d.p50 = d.p50.map(|x| x * 0.5);
        d.ci95.p50 = d.ci95.p50.map(|end| end.map(|x| x * 0.5));
    }
    b.summary = Arc::new(summary);
    let mut bench = Bench::sized(1280.0, 1200.0);
    bench.state().compare.set_a(Arc::new(a));
    bench.state().compare.set_b(Arc::new(b));
    bench.state().view = View::Compare;
    bench.run();
    bench
}

#[test]
fn two_runs_are_compared_in_words_and_rows_without_p_values() {
    let bench = comparing();
    assert!(bench.says("Within these two runs, B's first token came sooner"));
    assert!(bench.shows("1 plan field differs"));
    assert!(bench.says("workload.max_tokens: A –, B 64"));
    let rows = bench.names_of(Role::Row);
    let ttft = rows.iter().find(|r| r.starts_with("TTFT p50")).unwrap();
    assert!(
        ttft.contains("B / A 0.50") && ttft.ends_with("Faster"),
        "{ttft}"
    );
    let e2e = rows.iter().find(|r| r.starts_with("E2E p50")).unwrap();
    assert!(
        e2e.contains("B / A 1.00") && e2e.ends_with("No clear difference"),
        "{e2e}"
    );
    assert!(!rows.iter().any(|r| r.contains("p =")));
}

#[test]
fn the_stage_and_the_sides_can_be_changed() {
    let mut bench = comparing();
    bench.click("1");
    assert_eq!(bench.state().compare.level, 0);
    bench.click("Swap A and B");
    assert!(bench.says("B's first token came later"));
    bench.click("E2E");
    assert_eq!(bench.state().compare.metric, Some(MetricId::E2e));
}

#[test]
fn cold_against_warm_of_one_run_is_the_same_view() {
    let mut bench = Bench::sized(1280.0, 900.0);
    bench.state().show(Arc::new(sample::finished()));
    bench.state().perform(Action::CompareThis);
    bench.run();
    assert_eq!(bench.state().compare.mode, CompareMode::ColdWarm);
    assert!(bench.says("Being cold cost"));
    let rows = bench.names_of(Role::Row);
    assert!(rows.iter().any(|r| r.contains("Cold 6.80 s")), "{rows:?}");
}

#[test]
fn compare_without_runs_says_what_to_do() {
    let mut bench = Bench::sized(1280.0, 800.0);
    bench.state().view = View::Compare;
    bench.run();
    assert!(bench.says("Two runs are compared here"));
    bench.click("Go to Runs");
    assert_eq!(bench.state().view, View::Runs);
}

fn report(ok: bool) -> TestReport {
    let part = |name: &str, ms: f64| WaterfallPart {
        name: name.to_owned(),
        ms,
    };
    TestReport {
        sent_at: "14:32:07".to_owned(),
        ok,
        headline: if ok {
            "The server answered"
        } else {
            "The server refused the key"
        }
        .to_owned(),
        lines: vec!["The address, the network and TLS work".to_owned()],
        what_to_try: (!ok).then(|| "Check that EXAMPLE_API_KEY holds a key".to_owned()),
        status: Some(if ok { "200 OK" } else { "401 Unauthorized" }.to_owned()),
        http: "HTTP/1.1".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: "{\"error\": \"bad key\"}".to_owned(),
        body_cut: false,
        waterfall: vec![part("DNS", 2.1), part("TCP", 11.4), part("Wait", 8.4)],
        total_ms: 41.0,
        ttft_ms: ok.then_some(30.0),
        curl: "curl -sS -i https://api.example.com/v1/chat/completions".to_owned(),
        issues: if ok {
            Vec::new()
        } else {
            vec![Issue::new("target.key", "The server refused this key: 401")]
        },
        info: None,
    }
}

#[test]
fn a_failed_test_shows_everything_and_points_at_the_field() {
    let mut bench = Bench::sized(1280.0, 1000.0);
    bench.commands();
    bench.click("Test connection");
    assert!(matches!(&bench.commands()[..], [Command::Test { .. }]));
    assert!(bench.shows("asking") || bench.says("asking"));
    bench.apply(Event::Tested(Box::new(report(false))));
    for words in [
        "The server refused the key",
        "Check that EXAMPLE_API_KEY",
        "Where the time went: DNS 2.1 ms, TCP 11.4 ms, Wait 8.4 ms",
        "{\"error\": \"bad key\"}",
        "content-type: application/json",
        "The server refused this key: 401",
    ] {
        assert!(bench.says(words), "“{words}” is not shown");
    }
    assert!(bench.shows("Fix 1 thing to start") && bench.is_disabled("Start"));
    bench.click("Test again");
    assert!(
        bench.says("The server refused the key"),
        "the old answer stays while a new one comes"
    );
    bench.apply(Event::Tested(Box::new(report(true))));
    assert!(bench.says("The server answered"));
    assert!(bench.says("Test: 200, 41 ms"));
    assert!(!bench.is_disabled("Start"));
}

#[test]
fn a_test_of_another_target_tells_nothing_any_more() {
    let mut bench = Bench::sized(1280.0, 1000.0);
    bench.click("Test connection");
    bench.apply(Event::Tested(Box::new(report(true))));
    assert!(bench.says("Test: 200, 41 ms"));
    bench.type_into("URL", "http://127.0.0.1:4444/v1");
    assert!(!bench.says("Test: 200, 41 ms") && !bench.says("The server answered"));
    // The answer of a test that was on its way comes too late.
    bench.click("Test connection");
    bench.choose("Protocol", "TGI");
    bench.apply(Event::Tested(Box::new(report(true))));
    assert!(!bench.says("Test: 200, 41 ms"));
    bench.click("Test connection");
    bench.apply(Event::Tested(Box::new(report(true))));
    assert!(bench.says("Test: 200, 41 ms"));
}

#[test]
fn a_target_that_is_not_there_is_told_once_below_its_field() {
    let mut bench = Bench::sized(1280.0, 1000.0);
    let url = "http://nosuch.invalid/v1";
    bench.type_into("URL", url);
    bench.state().detect(url);
    bench.apply(Event::DetectFailed {
        text: url.to_owned(),
        message: format!(
            "Nothing at “{url}” answered: The name “nosuch.invalid” was not found: Name or service not known; check the name's spelling"
        ),
    });
    let words = "The name “nosuch.invalid” was not found";
    assert_eq!(bench.0.query_all_by_label_contains(words).count(), 1);
    assert!(!bench.says("Nothing at “http"), "the URL stands above");
    assert!(
        bench.says("Target not found, nosuch.invalid"),
        "the status bar"
    );
}

#[test]
fn the_curl_line_can_be_copied() {
    let mut bench = Bench::sized(1280.0, 1000.0);
    bench.click("Test connection");
    bench.apply(Event::Tested(Box::new(report(true))));
    bench.0.get_by_label("Copy: Try it by hand").click();
    bench.0.run_steps(1);
    let copied = |bench: &Bench| {
        let commands = &bench.0.output().platform_output.commands;
        commands
            .iter()
            .any(|c| matches!(c, egui::OutputCommand::CopyText(t) if t.starts_with("curl -sS")))
    };
    let mut seen = copied(&bench);
    for _ in 0..3 {
        bench.0.run_steps(1);
        seen |= copied(&bench);
    }
    assert!(seen);
    assert!(
        !bench
            .state()
            .take_requests()
            .contains(&WindowRequest::FocusUrl)
    );
}
