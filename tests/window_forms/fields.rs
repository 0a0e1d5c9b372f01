//! Every part of the form is found by its label, and every issue stands at its field.

use egui_kittest::kittest::Queryable as _;
use inferometer::app::form::{KeySource, LoadKind};
use inferometer::domain::{
    ClosedMode, ColdHow, Connections, GradioEndpoint, HttpVersion, InputField, InputKind, Issue,
    KeyRef, Media, Plan, PromptOrder, Protocol, StageEnd, TargetInfo, Warmup,
};
use inferometer::session::Event;

use super::Bench;

/// Equal but for rounding.
fn is(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

/// A text field, what is typed, and whether the plan then holds it.
type TextCase = (&'static str, &'static str, fn(&Plan) -> bool);

#[test]
fn each_text_field_reaches_the_plan() {
    let cases: [TextCase; 22] = [
        ("URL", "http://127.0.0.1:9000/v1", |p| {
            p.target.url == "http://127.0.0.1:9000/v1"
        }),
        ("Model", "tiny", |p| {
            p.target.model.as_deref() == Some("tiny")
        }),
        ("System prompt", "Be brief", |p| {
            p.workload.system == "Be brief"
        }),
        ("Max tokens", "128", |p| p.workload.max_tokens == Some(128)),
        ("Extra JSON for the body", "{\"top_k\": 1}", |p| {
            p.workload.extra_body == "{\"top_k\": 1}"
        }),
        ("Users per stage", "2, 8", |p| {
            p.stages.len() == 2 && p.stages[1].load.max_in_flight() == 8
        }),
        ("Requests per stage", "70", |p| {
            p.stages[0].n_requests() == Some(70)
        }),
        ("Cold requests", "3", |p| p.cold.requests == 3),
        ("Cycles", "2", |p| p.cold.cycles == 2),
        ("Warm-up", "10s", |p| p.warmup == Warmup::Secs(10.0)),
        ("Stop after", "90", |p| p.limits.max_secs == Some(90.0)),
        ("Errors above", "5", |p| {
            p.limits.max_error_percent == Some(5.0)
        }),
        ("Errors at most", "7", |p| p.limits.max_errors == Some(7)),
        ("Label", "mine", |p| p.label == "mine"),
        ("Tags", "a, b", |p| p.tags == ["a", "b"]),
        ("Seed", "42", |p| p.seed == 42),
        ("Pause between stages", "1.5", |p| is(p.pause_secs, 1.5)),
        ("Grace at a timed end", "2", |p| is(p.grace_secs, 2.0)),
        ("Connect within", "3", |p| {
            is(p.target.timeouts.connect_secs, 3.0)
        }),
        ("Whole request within", "4m", |p| {
            is(p.target.timeouts.total_secs, 240.0)
        }),
        ("Headers, one Name: value per line", "x-a: 1", |p| {
            p.target.headers["x-a"] == "1"
        }),
        ("Proxy", "http://127.0.0.1:3128", |p| {
            p.target.proxy.as_deref() == Some("http://127.0.0.1:3128")
        }),
    ];
    let mut bench = Bench::open();
    for (label, text, holds) in cases {
        bench.type_into(label, text);
        let plan = bench.plan();
        assert!(holds(&plan), "“{label}” did not reach the plan: {plan:?}");
    }
}

#[test]
fn each_switch_and_tick_reaches_the_plan() {
    let mut bench = Bench::open();
    for label in [
        "Make each prompt unique",
        "Stream the answer",
        "Keep prompts and answers in the file",
        "Accept any certificate",
    ] {
        bench.click(label);
    }
    bench.choose("Protocol", "OpenAI completions");
    bench.choose("Order", "At random, by the seed");
    bench.choose("Users go on", "Wave");
    bench.choose("How it is made cold", "I restart the server");
    bench.choose("HTTP", "HTTP/2");
    bench.choose("Connections", "New each time");
    let plan = bench.plan();
    assert!(plan.workload.nonce && plan.keep_text && plan.target.insecure && !plan.target.stream);
    assert_eq!(plan.target.protocol, Protocol::OpenAiCompletions);
    assert_eq!(plan.workload.order, PromptOrder::Random);
    let inferometer::domain::Load::Closed { mode, .. } = plan.stages[0].load else {
        panic!("{:?}", plan.stages[0].load);
    };
    assert_eq!(mode, ClosedMode::Wave);
    assert_eq!(plan.cold.how, ColdHow::Restarted);
    assert_eq!(plan.target.http, HttpVersion::Http2);
    assert_eq!(plan.target.connections, Connections::New);
}

#[test]
fn the_three_lengths_of_a_stage_and_the_simple_form() {
    let mut bench = Bench::open();
    bench.choose("A stage ends after", "Requests per user");
    bench.type_into("Requests per user", "6");
    assert!(matches!(bench.plan().stages[0].end, StageEnd::RequestsPerUser(n) if n.get() == 6));
    bench.choose("A stage ends after", "A time");
    bench.type_into("Time per stage", "1.5m");
    assert_eq!(bench.plan().stages[0].end, StageEnd::DurationSecs(90.0));
    assert!(bench.says("Until the time is up"));
    bench.click("Iterations");
    bench.0.run_steps(1);
    assert_eq!(bench.state().form.load.kind, LoadKind::Iterations);
    let plan = bench.plan();
    assert_eq!((plan.stages.len(), plan.n_requests()), (1, Some(10)));
}

#[test]
fn prompts_are_typed_one_per_line_or_in_blocks_or_come_from_a_file() {
    let mut bench = Bench::open();
    bench.choose("User prompts", "One per line");
    assert!(bench.says("Write at least one prompt"));
    bench.type_into("Prompts, one per line", "Grüße\nÇa va\n\nHi");
    assert_eq!(bench.plan().workload.users, ["Grüße", "Ça va", "Hi"]);
    bench.choose("User prompts", "Several lines each");
    bench.type_into("Prompts, a line of --- between", "a\nb\n---\nc");
    assert_eq!(bench.plan().workload.users, ["a\nb", "c"]);
    bench.choose("User prompts", "From a file");
    assert!(bench.says("Choose a text file"));
    bench.type_into("Prompt file", "/tmp/p.txt");
    let plan = bench.plan();
    assert_eq!(plan.workload.prompts_file, Some("/tmp/p.txt".into()));
    assert!(plan.workload.users.is_empty());
}

#[test]
fn a_key_never_enters_the_form() {
    let mut bench = Bench::open();
    bench.type_into("URL", "https://api.example.com/v1");
    bench.choose("Key", "From the environment");
    bench.type_into("Variable that holds the key", "EXAMPLE_API_KEY");
    let name = "EXAMPLE_API_KEY".to_owned();
    assert_eq!(bench.plan().target.key, KeyRef::Env { name });
    bench.choose("Key", "This session only");
    bench.commands();
    bench.type_into("Key for this session", "sk-canary-1234");
    bench.0.key_press(egui::Key::Tab);
    bench.run();
    let sent = format!("{:?}", bench.commands());
    assert!(
        sent.contains("SetKey") && !sent.contains("canary"),
        "{sent}"
    );
    assert!(bench.state().key_text.is_empty());
    assert!(!format!("{:?}", bench.state().form).contains("canary"));
    assert_eq!(bench.state().form.target.key, KeySource::Session);
}

#[test]
fn a_key_typed_as_a_variable_name_is_not_repeated_in_the_message() {
    let mut bench = Bench::open();
    bench.type_into("URL", "https://api.example.com/v1");
    bench.choose("Key", "From the environment");
    bench.type_into("Variable that holds the key", "sk-canary-1234");
    let issues: Vec<Issue> = bench.state().issues().cloned().collect();
    let about_key: Vec<_> = issues
        .iter()
        .filter(|i| i.field.starts_with("target.key"))
        .collect();
    assert_eq!(about_key.len(), 1, "{issues:?}");
    assert!(!about_key[0].message.contains("canary"));
}

/// Field, text, and words of the sentence that then stands below it.
const ISSUES: [(&str, &str, &str); 14] = [
    ("URL", "", "Enter a URL"),
    (
        "Users per stage",
        "1, 10, 1oo",
        "Third value “1oo” is not a whole number. Did you mean 100?",
    ),
    ("Requests per stage", "4, 5", "2 values for 3 stages"),
    ("Max tokens", "many", "“many” is not a whole number"),
    ("Extra JSON for the body", "{\"a\": ", "Not JSON: line 1"),
    ("Extra JSON for the body", "[1]", "Must be a JSON object"),
    ("Cold requests", "-1", "“-1” is not a whole number"),
    ("Cycles", "0", "“0” must be at least 1"),
    ("Warm-up", "soon", "“soon” is not a duration"),
    (
        "Stop after",
        "0",
        "“0” must be at least 1 s, or empty for no limit",
    ),
    ("Errors above", "120", "must be 0 to 100"),
    ("Seed", "x", "“x” is not a whole number"),
    ("Connect within", "0", "“0” must be more than 0 s"),
    (
        "Headers, one Name: value per line",
        "nothing",
        "A line has no colon",
    ),
];

#[test]
fn each_issue_stands_at_its_field_and_start_says_how_many() {
    for (label, text, words) in ISSUES {
        let mut bench = Bench::open();
        bench.type_into(label, text);
        assert!(
            bench.says(words),
            "“{text}” in “{label}” did not say “{words}”"
        );
        assert!(bench.is_disabled("Start"), "{label}");
        assert!(bench.shows("Fix 1 thing to start"), "{label}");
        let field = bench.0.get_by_label(label).rect();
        let sentence = bench.0.get_by_label_contains(words).rect();
        let below = sentence.top() - field.bottom();
        assert!(
            (0.0..40.0).contains(&below),
            "{label}: {below} below its field"
        );
    }
}

#[test]
fn all_issues_are_said_at_once() {
    let mut bench = Bench::open();
    bench.type_into("Users per stage", "1, x");
    bench.type_into("Seed", "y");
    bench.type_into("Stop after", "0");
    assert!(bench.shows("Fix 3 things to start"));
    assert!(bench.shows("Not ready, 3 things to fix"));
    assert!(bench.says("“x” is not a whole number") && bench.says("“y” is not a whole number"));
}

#[test]
fn what_the_session_refuses_stands_at_its_field_until_that_part_changes() {
    let mut bench = Bench::open();
    let issue = Issue::new("workload.prompts_file", "“/tmp/none.txt” does not exist");
    bench.choose("User prompts", "From a file");
    bench.type_into("Prompt file", "/tmp/none.txt");
    bench.apply(Event::Refused {
        issues: vec![issue],
    });
    bench.state().banners.clear();
    bench.run();
    assert!(bench.says("does not exist"));
    assert!(
        !bench.is_disabled("Start"),
        "the file may be made outside the form"
    );
    bench.type_into("Seed", "5");
    assert!(bench.says("does not exist"), "another part was changed");
    bench.type_into("Prompt file", "/tmp/other.txt");
    assert!(!bench.says("does not exist"));
}

fn gradio() -> TargetInfo {
    let input =
        |name: &str, label: &str, kind: InputKind, default: Option<serde_json::Value>| InputField {
            name: name.to_owned(),
            label: label.to_owned(),
            kind,
            has_default: default.is_some(),
            default,
        };
    let slider = InputKind::Slider {
        min: 0.0,
        max: 2.0,
        step: Some(0.1),
    };
    let dropdown = InputKind::Dropdown {
        choices: vec!["short".into(), "long".into()],
        multiple: false,
    };
    let file = InputKind::File {
        media: Media::Image,
    };
    let chat = GradioEndpoint {
        api_name: "/chat".to_owned(),
        fn_index: 0,
        generator: true,
        queue: true,
        inputs: vec![
            input("message", "Message", InputKind::Text, None),
            input("topic", "Topic", InputKind::Text, Some("cats".into())),
            input("temperature", "Temperature", slider, Some(0.7.into())),
            input("length", "Length", InputKind::Number, Some(64.into())),
            input("style", "Style", dropdown, Some("short".into())),
            input("sample", "Sample", InputKind::Checkbox, Some(true.into())),
            input("image", "Image", file, None),
            input(
                "history",
                "History",
                InputKind::Json,
                Some(serde_json::json!([])),
            ),
        ],
        outputs: Vec::new(),
        system_input: None,
        user_input: Some("message".to_owned()),
    };
    let other = GradioEndpoint {
        api_name: "/other".to_owned(),
        inputs: Vec::new(),
        user_input: None,
        ..chat.clone()
    };
    TargetInfo {
        url: "http://127.0.0.1:7860".to_owned(),
        protocol: Protocol::Gradio,
        endpoints: vec![chat, other],
        ..TargetInfo::default()
    }
}

fn gradio_bench() -> Bench {
    let mut bench = Bench::open();
    bench.type_into("URL", "http://127.0.0.1:7860");
    bench.state().url_entered();
    bench.apply(Event::Detected {
        text: "http://127.0.0.1:7860".to_owned(),
        info: Box::new(gradio()),
    });
    bench
}

#[test]
fn a_gradio_apps_inputs_become_typed_fields() {
    let mut bench = gradio_bench();
    assert!(!bench.shows("Message"), "the prompt goes there");
    bench.type_into("Topic", "dogs");
    bench.type_into("Temperature", "1.2");
    bench.type_into("Length", "128");
    bench.choose("Style", "long");
    bench.click("Sample");
    bench.type_into("Image", "/tmp/cat.png");
    bench.type_into("History", "[[1]]");
    let inputs = bench.plan().workload.inputs;
    let expected = serde_json::json!({
        "topic": "dogs", "temperature": 1.2, "length": 128, "style": "long", "sample": false,
        "image": {"file": "/tmp/cat.png"}, "history": [[1]]
    });
    assert_eq!(serde_json::to_value(inputs).unwrap(), expected);
    bench.click("Set Topic back");
    assert!(!bench.plan().workload.inputs.contains_key("topic"));
    bench.type_into("Length", "many");
    assert!(bench.says("“many” is not a value of this input"));
}

#[test]
fn endpoint_mode_and_mapping_can_be_changed() {
    let mut bench = gradio_bench();
    assert_eq!(bench.plan().target.api_name.as_deref(), Some("/chat"));
    bench.click("Call");
    bench.choose("User prompt into", "topic");
    let plan = bench.plan();
    assert_eq!(
        plan.target.gradio_mode,
        inferometer::domain::GradioMode::Call
    );
    assert_eq!(plan.workload.user_input.as_deref(), Some("topic"));
    assert!(bench.shows("Message") && !bench.shows("Topic"));
    bench.choose("Endpoint", "/other");
    assert_eq!(bench.plan().target.api_name.as_deref(), Some("/other"));
}

#[test]
fn a_dropped_picture_fills_the_first_open_file_input() {
    let mut bench = gradio_bench();
    bench.state().open_paths(vec!["/tmp/dog.png".into()]);
    bench.run();
    let inputs = bench.plan().workload.inputs;
    assert_eq!(inputs["image"], serde_json::json!({"file": "/tmp/dog.png"}));
    bench.state().open_paths(vec!["/tmp/second.png".into()]);
    bench.run();
    assert!(bench.says("“/tmp/second.png” is neither a run"));
}
