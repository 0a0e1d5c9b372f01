//! What a person does in several steps: start, stop, undo, palette, confirmations, files, autosave.

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use inferometer::app::actions::{Action, View};
use inferometer::app::dialogs::Dialog;
use inferometer::app::form::Form;
use inferometer::app::state::{PlanHome, WindowRequest};
use inferometer::domain::{Pasted, Plan, Protocol, TargetInfo};
use inferometer::session::{Command, Event};

use super::{Bench, demo_plan, sample};

fn started(bench: &mut Bench) -> bool {
    bench
        .commands()
        .iter()
        .any(|c| matches!(c, Command::Start { .. }))
}

#[test]
fn start_sends_the_plan_of_the_form_and_locks_it() {
    let mut bench = Bench::open();
    bench.type_into("Seed", "7");
    bench.commands();
    bench.click("Start");
    let commands = bench.commands();
    let plan = commands.iter().find_map(|c| match c {
        Command::Start { plan, .. } => Some(plan.clone()),
        _ => None,
    });
    assert_eq!(plan.unwrap().seed, 7);
    bench.apply(Event::RunStarted {
        notes: Vec::new(),
        id: "r1".to_owned(),
        file: None,
    });
    assert!(bench.says("locked while running"));
    bench.type_into("Seed", "9");
    assert_eq!(bench.plan().seed, 7, "the form is a record of what runs");
    bench.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(bench.plan().seed, 7);
    bench.click("Stop");
    bench.click("Abort");
    let commands = bench.commands();
    assert!(
        matches!(commands[..], [Command::Stop, Command::Abort]),
        "{commands:?}"
    );
}

#[test]
fn keys_do_what_the_table_says() {
    let mut bench = Bench::new();
    bench.press(Modifiers::COMMAND, Key::Num2);
    assert_eq!(bench.state().view, View::Runs);
    bench.press(Modifiers::COMMAND, Key::Num3);
    assert_eq!(bench.state().view, View::Compare);
    bench.press(Modifiers::COMMAND, Key::Num1);
    assert_eq!(bench.state().view, View::Measure);
    bench.press(Modifiers::NONE, Key::F1);
    assert_eq!(bench.state().dialog, Some(Dialog::Keys));
    assert!(bench.shows("Command palette"));
    bench.press(Modifiers::NONE, Key::Escape);
    assert_eq!(
        bench.state().dialog,
        None,
        "Esc closes what is open, and stops nothing"
    );
    bench.press(Modifiers::COMMAND, Key::Equals);
    assert!(bench.state().settings.zoom > 1.05);
    bench.press(Modifiers::COMMAND, Key::Num0);
    assert!((bench.state().settings.zoom - 1.0).abs() < 1e-6);
    bench.commands();
    bench.press(Modifiers::COMMAND, Key::Enter);
    assert!(started(&mut bench));
}

#[test]
fn the_palette_finds_an_action_and_does_it() {
    let mut bench = Bench::new();
    bench.press(Modifiers::COMMAND, Key::K);
    bench.0.get_by_label("Find an action").type_text("keys");
    bench.run();
    bench.press(Modifiers::NONE, Key::Enter);
    assert_eq!(bench.state().dialog, Some(Dialog::Keys));
    assert!(bench.state().palette.is_none());
}

#[test]
fn the_palette_says_why_not_and_loads_presets() {
    let mut bench = Bench::new();
    bench.press(Modifiers::COMMAND, Key::K);
    bench.0.get_by_label("Find an action").type_text("stop");
    bench.run();
    bench.press(Modifiers::NONE, Key::Enter);
    assert!(
        bench.state().palette.is_some(),
        "nothing runs: it stays open"
    );
    bench.press(Modifiers::NONE, Key::Escape);
    assert!(bench.state().palette.is_none());
    bench.press(Modifiers::COMMAND, Key::K);
    bench.0.get_by_label("Find an action").type_text("chat, sh");
    bench.run();
    bench.press(Modifiers::NONE, Key::Enter);
    let plan = bench.plan();
    assert_eq!(plan.stages, Plan::simple("").stages);
    assert_eq!(
        plan.target.url, "http://127.0.0.1:53121/v1",
        "the address stays"
    );
    assert_eq!(bench.state().plan_home, PlanHome::BuiltIn("chat"));
    assert!(bench.says("built in"));
}

#[test]
fn undo_and_redo_walk_the_form() {
    let mut bench = Bench::open();
    bench.type_into("Seed", "42");
    bench.0.run_steps(8);
    bench.type_into("Label", "mine");
    bench.0.run_steps(8);
    bench.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(
        (bench.plan().seed, bench.plan().label.as_str()),
        (42, "Demo plan")
    );
    bench.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(bench.plan().seed, 1);
    bench.press(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    bench.press(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    assert_eq!(
        (bench.plan().seed, bench.plan().label.as_str()),
        (42, "mine")
    );
    bench.state().perform(Action::NewPlan);
    bench.0.run_steps(8);
    bench.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(bench.plan().label, "mine", "a new plan can be taken back");
}

#[test]
fn many_requests_to_another_machine_are_asked_about() {
    let mut bench = Bench::open();
    bench.type_into("URL", "https://api.example.com/v1");
    bench.type_into("Requests per stage", "40, 400, 600");
    bench.commands();
    bench.click("Start");
    assert!(!started(&mut bench));
    assert!(bench.shows("Send to api.example.com?"));
    assert!(
        bench.says("1\u{202f}040 requests"),
        "1000 warm, and none cold"
    );
    bench.click("Do not start");
    assert!(!started(&mut bench) && bench.state().dialog.is_none());
    bench.click("Start");
    let role = egui::accesskit::Role::Button;
    let all: Vec<_> = bench.0.query_all_by_role(role).collect();
    assert!(!all.is_empty());
    let dialog = bench.state().dialog.clone().unwrap();
    bench.state().confirm(dialog);
    assert!(started(&mut bench));
}

#[test]
fn this_machine_and_small_runs_are_not_asked_about() {
    for (url, requests) in [
        ("http://localhost:8000", "9000"),
        ("http://[::1]:8000", "9000"),
        ("https://api.example.com/v1", "300"),
    ] {
        let mut bench = Bench::open();
        bench.type_into("URL", url);
        bench.type_into("Requests per stage", requests);
        bench.commands();
        bench.click("Start");
        assert!(started(&mut bench), "{url}");
    }
}

#[test]
fn a_host_is_found_in_what_a_person_types() {
    use inferometer::app::state::{host_of, is_loopback};
    for (text, host, loopback) in [
        ("http://127.0.0.1:8000/v1", "127.0.0.1", true),
        ("127.0.0.9:8000", "127.0.0.9", true),
        ("localhost:8000", "localhost", true),
        ("http://[::1]:1", "::1", true),
        ("https://api.example.com/v1", "api.example.com", false),
        ("owner/name", "huggingface.co", false),
        (
            "http://127.0.0.1.example.com",
            "127.0.0.1.example.com",
            false,
        ),
        ("", "", false),
    ] {
        assert_eq!(host_of(text), host, "{text}");
        assert_eq!(is_loopback(text), loopback, "{text}");
    }
}

#[test]
fn a_timed_run_that_may_send_many_is_asked_about() {
    let mut bench = Bench::open();
    bench.type_into("URL", "https://api.example.com/v1");
    bench.choose("A stage ends after", "A time");
    bench.type_into("Time per stage", "10m");
    bench.commands();
    bench.click("Start");
    assert!(!started(&mut bench) && bench.says("Requests until the time is up"));
}

#[test]
fn a_key_over_plain_http_is_asked_about_once_a_host() {
    let mut bench = Bench::open();
    bench.type_into("URL", "http://10.0.4.21:8000/v1");
    bench.choose("Key", "From the environment");
    bench.type_into("Variable that holds the key", "EXAMPLE_API_KEY");
    bench.commands();
    bench.click("Send one");
    let sent = bench.commands();
    assert!(
        !sent.iter().any(|c| matches!(c, Command::Test { .. })),
        "{sent:?}"
    );
    assert!(bench.shows("Send the key to 10.0.4.21 unprotected?"));
    bench.click("Send the key");
    let sent = bench.commands();
    assert!(
        sent.iter().any(|c| matches!(c, Command::Test { .. })),
        "{sent:?}"
    );
    bench.state().test = Default::default();
    bench.click("Start");
    assert!(started(&mut bench), "asked once is enough");
}

#[test]
fn closing_while_a_run_goes_asks_and_keeps_the_file() {
    let mut bench = Bench::new();
    assert!(bench.state().may_close());
    bench.apply(Event::RunStarted {
        notes: Vec::new(),
        id: "r1".to_owned(),
        file: None,
    });
    assert!(!bench.state().may_close());
    bench.run();
    bench.click("Go on measuring");
    assert!(bench.state().dialog.is_none());
    assert!(!bench.state().may_close());
    bench.run();
    bench.commands();
    bench.click("Stop and keep the file");
    assert!(matches!(bench.commands()[..], [Command::Stop]));
    assert!(bench.shows("Stopping the run"));
    bench.click("Abort now");
    assert!(matches!(bench.commands()[..], [Command::Abort]));
    bench.state().apply_event(Event::RunEnded {
        run: std::sync::Arc::new(sample::finished()),
    });
    assert!(
        bench
            .state()
            .take_requests()
            .contains(&WindowRequest::Close)
    );
}

#[test]
fn changes_are_autosaved_after_a_quiet_second() {
    let mut bench = Bench::open();
    bench.commands();
    bench.type_into("Seed", "42");
    let saved = |bench: &mut Bench| {
        bench.commands().into_iter().find_map(|c| match c {
            Command::Autosave { plan, .. } => Some(plan.seed),
            _ => None,
        })
    };
    assert_eq!(saved(&mut bench), None);
    let now = bench.0.ctx.input(|i| i.time);
    bench.state().tick(now + 0.5);
    assert_eq!(saved(&mut bench), None);
    bench.state().tick(now + 1.6);
    assert_eq!(saved(&mut bench), Some(42));
    bench.state().tick(now + 9.0);
    assert_eq!(saved(&mut bench), None, "nothing changed since");
}

#[test]
fn what_was_restored_is_neither_a_change_nor_an_edit() {
    let mut bench = Bench::new();
    let mut plan = demo_plan();
    plan.seed = 99;
    bench.commands();
    bench.apply(Event::Restored {
        plan: Some(Box::new(plan)),
        settings: serde_json::json!({"theme": "light"}),
    });
    assert_eq!(bench.plan().seed, 99);
    bench.0.run_steps(12);
    let saves = bench
        .commands()
        .into_iter()
        .filter(|c| matches!(c, Command::Autosave { .. }));
    assert_eq!(saves.count(), 0);
}

#[test]
fn a_form_left_with_a_server_of_ones_own_keeps_its_address() {
    let restored = |demo_url: &str| {
        let mut bench = Bench::new();
        let mut left = bench.state().presets[0].plan.clone();
        "http://127.0.0.1:8000/v1".clone_into(&mut left.target.url);
        bench.apply(Event::Restored {
            plan: Some(Box::new(left)),
            settings: serde_json::json!({"demo_url": demo_url}),
        });
        bench.apply(Event::DemoReady {
            url: "http://127.0.0.1:53122/v1".to_owned(),
            capacity: String::new(),
        });
        bench.plan().target.url
    };
    assert_eq!(
        restored("http://127.0.0.1:41111/v1"),
        "http://127.0.0.1:8000/v1"
    );
    assert_eq!(
        restored("http://127.0.0.1:8000/v1"),
        "http://127.0.0.1:53122/v1"
    );
}

#[test]
fn who_asks_for_the_demo_gets_it_whatever_form_was_left() {
    let mut bench = Bench::new();
    bench.state().start_with_demo();
    bench.commands();
    let mut left = demo_plan();
    left.seed = 99;
    "http://127.0.0.1:9/v1".clone_into(&mut left.target.url);
    bench.apply(Event::Restored {
        plan: Some(Box::new(left)),
        settings: serde_json::json!({}),
    });
    bench.apply(Event::DemoReady {
        url: "http://127.0.0.1:53122/v1".to_owned(),
        capacity: String::new(),
    });
    let commands = bench.commands();
    let plan = commands.iter().find_map(|c| match c {
        Command::Start { plan, .. } => Some(plan.clone()),
        _ => None,
    });
    let plan = plan.unwrap_or_else(|| panic!("nothing was started: {commands:?}"));
    assert_eq!(plan.target.url, "http://127.0.0.1:53122/v1");
    assert_ne!(plan.seed, 99);
}

#[test]
fn a_new_url_is_asked_anew_and_may_be_started_before_it_answered() {
    let mut bench = Bench::open();
    bench.commands();
    let url = "http://127.0.0.1:7860/gradio_api/call/chat";
    bench.type_into("URL", url);
    bench.state().url_entered();
    let asked = bench.commands();
    let target = asked.iter().find_map(|c| match c {
        Command::Detect { target, .. } => Some(target.clone()),
        _ => None,
    });
    assert_eq!(
        target.unwrap().protocol,
        Protocol::Auto,
        "the demo's protocol says nothing of it"
    );

    bench.type_into("URL", "http://127.0.0.1:7861/");
    bench.state().perform(Action::Start);
    let plan = bench.commands().into_iter().find_map(|c| match c {
        Command::Start { plan, .. } => Some(plan),
        _ => None,
    });
    let target = plan.unwrap().target.clone();
    assert_eq!((target.protocol, target.model), (Protocol::Auto, None));
}

#[test]
fn files_are_opened_by_what_they_are() {
    let mut bench = Bench::new();
    bench.commands();
    bench.state().open_paths(vec!["a.run.jsonl".into()]);
    bench
        .state()
        .open_paths(vec!["b.plan.toml".into(), "c.txt".into()]);
    bench
        .state()
        .open_paths(vec!["d.run.jsonl".into(), "e.run.jsonl.zst".into()]);
    let commands = bench.commands();
    let words = format!("{commands:?}");
    assert!(
        matches!(&commands[0], Command::OpenRuns(p) if p.len() == 1),
        "{words}"
    );
    assert!(matches!(&commands[1], Command::OpenPlan(_)), "{words}");
    assert!(
        matches!(&commands[2], Command::OpenRuns(p) if p.len() == 2),
        "{words}"
    );
    assert_eq!(bench.plan().workload.prompts_file, Some("c.txt".into()));
}

#[test]
fn open_and_save_take_a_typed_path() {
    let mut bench = Bench::new();
    bench.press(Modifiers::COMMAND, Key::O);
    assert!(bench.is_disabled("Open"), "no path yet");
    bench.type_into("Path", "/tmp/x.run.jsonl");
    bench.commands();
    bench.click("Open");
    assert!(
        matches!(&bench.commands()[..], [Command::OpenRuns(p)] if p[0].ends_with("x.run.jsonl"))
    );
    bench.press(Modifiers::COMMAND, Key::S);
    bench.type_into("Path", "/tmp/mine");
    bench.click("Save");
    let commands = bench.commands();
    let path = commands.iter().find_map(|c| match c {
        Command::Save { path, .. } => Some(path.clone()),
        _ => None,
    });
    assert_eq!(path, Some("/tmp/mine.plan.toml".into()));
    bench.apply(Event::Saved {
        path: "/tmp/mine.plan.toml".into(),
    });
    assert!(bench.says("Demo plan, saved"));
    bench.type_into("URL", "http://127.0.0.1:1/v1");
    assert!(bench.says("Demo plan, not saved"));
    bench.press(Modifiers::COMMAND, Key::S);
    assert!(bench.state().dialog.is_none(), "it knows its file now");
}

#[test]
fn what_failed_stands_in_a_banner_and_changes_nothing() {
    let mut bench = Bench::new();
    let before = bench.state().form.clone();
    bench.apply(Event::Failed {
        message: "“x.jsonl” is not a run file: choose one that ends in .run.jsonl".to_owned(),
    });
    assert!(bench.says("“x.jsonl” is not a run file"));
    assert_eq!(bench.state().form, before);
    bench.click("Dismiss");
    assert!(!bench.says("“x.jsonl” is not a run file"));
}

#[test]
fn a_pasted_curl_command_fills_the_form() {
    let mut bench = Bench::open();
    let curl = "curl https://api.example.com/v1/chat/completions \\\n  -H 'Authorization: Bearer $EXAMPLE_API_KEY' -d '{}'";
    bench.0.get_by_label("URL").focus();
    bench.run();
    bench.commands();
    bench.0.event(egui::Event::Paste(curl.to_owned()));
    bench.run();
    let asked = bench.commands();
    let text = asked.iter().find_map(|c| match c {
        Command::Detect { text, .. } => Some(text.clone()),
        _ => None,
    });
    assert_eq!(text.as_deref(), Some(curl), "with its line breaks");
    let pasted = Pasted {
        headers: vec![("x-a".to_owned(), "1".to_owned())],
        key_env: Some("$EXAMPLE_API_KEY".to_owned()),
        model: Some("mistral-7b".to_owned()),
        system: Some("Be brief".to_owned()),
        user: Some("Hi".to_owned()),
        max_tokens: Some(8),
        stream: Some(false),
        insecure: true,
        ..Pasted::default()
    };
    bench.apply(Event::Detected {
        text: curl.to_owned(),
        info: Box::new(TargetInfo {
            url: "https://api.example.com/v1".to_owned(),
            protocol: Protocol::OpenAiChat,
            pasted: Some(pasted),
            ..TargetInfo::default()
        }),
    });
    let plan = bench.plan();
    assert_eq!(plan.target.url, "https://api.example.com/v1");
    assert_eq!(plan.target.model.as_deref(), Some("mistral-7b"));
    assert_eq!(plan.target.headers["x-a"], "1");
    assert_eq!(plan.workload.users, ["Hi"]);
    assert_eq!(
        (
            plan.workload.max_tokens,
            plan.target.stream,
            plan.target.insecure
        ),
        (Some(8), false, true)
    );
    assert_eq!(bench.state().form.target.key_env, "EXAMPLE_API_KEY");
}

#[test]
fn an_answer_for_an_older_url_is_not_taken() {
    let mut bench = Bench::open();
    bench.type_into("URL", "http://127.0.0.1:1/v1");
    bench.state().url_entered();
    bench.type_into("URL", "http://127.0.0.1:2/v1");
    bench.state().url_entered();
    let form: Form = bench.state().form.clone();
    bench.apply(Event::Detected {
        text: "http://127.0.0.1:1/v1".to_owned(),
        info: Box::new(TargetInfo {
            url: "http://127.0.0.1:1/v1".to_owned(),
            protocol: Protocol::Gradio,
            ..TargetInfo::default()
        }),
    });
    assert_eq!(bench.state().form, form);
}

#[test]
fn menus_hold_the_table_and_say_why_an_entry_is_off() {
    let mut bench = Bench::sized(1280.0, 800.0);
    bench.click("Run");
    let role = egui::accesskit::Role::MenuItem;
    let names = bench.names_of(role);
    for wanted in ["Start", "Stop", "Send one", "Run again"] {
        assert!(
            names.iter().any(|n| n == wanted),
            "{wanted} is not in {names:?}"
        );
    }
    bench.press(Modifiers::NONE, Key::Escape);
    bench.click("File");
    let names = bench.names_of(role);
    assert!(names.iter().any(|n| n == "Save plan as…"), "{names:?}");
}
