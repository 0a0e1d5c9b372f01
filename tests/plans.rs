//! Plans: read with every issue at its line, written and read again, changed by `--set`, held against their schema.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use inferometer::domain::*;
use inferometer::store::{self, SchemaKind, check_file, check_text, schema, set, to_toml};
use proptest::prelude::*;

const GOOD: &str = r#"
schema = 1
[target]
url = "http://127.0.0.1:8000/v1"
[[stages]]
load = { kind = "closed", users = 2 }
requests = 4
"#;

/// Asserts the issues as `line field`, in order.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found = check_text(text);
    let told: Vec<String> = found
        .issues
        .iter()
        .map(|i| format!("{} {}", i.line.unwrap_or(0), i.field))
        .collect();
    assert_eq!(told, expected, "{:#?}", found.issues);
    assert_eq!(found.plan.is_some(), expected.is_empty());
    for issue in &found.issues {
        assert!(!issue.message.ends_with('.'), "{issue}");
    }
}

#[track_caller]
fn message(text: &str) -> String {
    check_text(text).issues.first().unwrap().to_string()
}

#[test]
fn a_short_plan_takes_the_defaults() {
    check(GOOD, &[]);
    let plan = check_text(GOOD).plan.unwrap();
    assert_eq!(plan.seed, 1);
    assert_eq!(plan.target.timeouts, Timeouts::default());
    check(&format!("\u{feff}{}", GOOD.replace('\n', "\r\n")), &[]);
}

#[test]
fn every_issue_has_its_line_and_field() {
    let text = r#"
schema = 2
lable = "x"
pause_secs = -1
tags = ["a", 3]
warmup = { requests = 1, secs = 2.0 }

[target]
url = "local host:8000"
protocol = "open-ai-chat"
proxy = "nowhere"
stream = "yes"
key = { source = "env", name = "" }
ca_file = "no/such.pem"

[target.headers]
Authorization = "Bearer abc"
"bad name" = "x"

[target.timeouts]
connect_secs = 0

[workload]
extra_body = "[1]"
max_tokens = 0
order = "rnadom"

[workload.inputs]
when = 2026-11-21
state = { json = "nul" }

[[stages]]
load = { kind = "closed", users = 0 }
requests = 4

[[stages]]
load = { kind = "closed", users = 1 }

[[stages]]
load = { kind = "closed", users = 1 }
requests = 4
duration_secs = 1.0
"#;
    check(
        text,
        &[
            "2 schema",
            "3 lable",
            "4 pause_secs",
            "5 tags.1",
            "6 warmup",
            "9 target.url",
            "10 target.protocol",
            "11 target.proxy",
            "12 target.stream",
            "13 target.key.name",
            "14 target.ca_file",
            "17 target.headers.Authorization",
            "18 target.headers.bad name",
            "21 target.timeouts.connect_secs",
            "24 workload.extra_body",
            "25 workload.max_tokens",
            "26 workload.order",
            "29 workload.inputs.when",
            "30 workload.inputs.state",
            "33 stages.0.load.users",
            "36 stages.1",
            "39 stages.2",
        ],
    );
    let issues = check_text(text).issues;
    let all: Vec<String> = issues.iter().map(ToString::to_string).collect();
    let all = all.join("\n");
    for words in [
        "did you mean “label”?",
        "did you mean “openai-chat”?",
        "did you mean “random”?",
        "write http://host:port",
        "target.key",
        "“yes” is not what belongs here: write true or false",
        "there is no such file: “no/such.pem”",
        "give one of “requests”, “requests_per_user”, “duration_secs” or “whole_trace”",
    ] {
        assert!(all.contains(words), "{words}\nin\n{all}");
    }
    assert!(!all.contains("Bearer abc"));
}

#[test]
fn what_is_missing_is_named() {
    check("", &["0 schema", "0 target", "0 stages"]);
    check(
        "schema = 1\n[target]\n[[stages]]\n",
        &["2 target.url", "3 stages.0.load", "3 stages.0"],
    );
    check(
        "schema = 1\nstages = []\n[target]\nurl = \"a/b\"\n",
        &["2 stages"],
    );
}

#[test]
fn broken_toml_is_told_by_line_and_does_not_hide_the_rest() {
    let text = GOOD.replace("schema = 1", "schema = 1\nseed = = 3\nlabel = 5");
    check(&text, &["3 ", "4 label"]);
    assert!(message(&text).starts_with("line 3: is not TOML"));
    check("schema = 1\nschema = 1\n", &["2 "]);
    let unclosed = GOOD.replace("8000/v1\"", "8000/v1");
    assert_eq!(check_text(&unclosed).issues[0].line, Some(4));
}

#[test]
fn a_field_at_the_wrong_place_is_led_home() {
    let text = GOOD.replace("schema = 1", "schema = 1\nmax_tokens = 5");
    assert!(message(&text).contains("did you mean “workload.max_tokens”?"));
}

#[test]
fn hostile_plans_give_issues_and_no_panic() {
    let deep = format!("x = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    for text in [
        "\0",
        "[[[[",
        "a.b.c.d.e = 1",
        "stages = 1\ntarget = 1\nschema = 1e400",
        "schema = 99999999999999999999999999999999999999999999",
        "[[target]]\n[[stages]]\n[[workload]]",
        deep.as_str(),
    ] {
        let found = check_text(text);
        assert!(found.plan.is_none() && !found.issues.is_empty());
    }
    for found in GOOD.char_indices().map(|(i, _)| check_text(&GOOD[..i])) {
        assert!(found.plan.is_some() == found.issues.is_empty());
    }
}

#[test]
fn hostile_values_of_loads_and_goals_are_issues_at_their_field() {
    let stage = |load: &str, end: &str| {
        let head = GOOD.split("[[stages]]").next().unwrap();
        format!("{head}[[stages]]\nload = {{ {load} }}\n{end}\n")
    };
    for (load, end, field) in [
        ("kind = \"open\", rate = 0", "duration_secs = 1", "rate"),
        ("kind = \"open\", rate = -1", "duration_secs = 1", "rate"),
        ("kind = \"open\", rate = inf", "duration_secs = 1", "rate"),
        ("kind = \"open\", rate = nan", "duration_secs = 1", "rate"),
        ("kind = \"open\", rate = 1e300", "duration_secs = 1", "rate"),
        ("kind = \"open\"", "duration_secs = 1", "rate"),
        (
            "kind = \"open\", rate = 5, users = 3",
            "duration_secs = 1",
            "users",
        ),
        (
            "kind = \"open\", rate = 5, arrival = \"gamma:1e400\"",
            "duration_secs = 1",
            "arrival",
        ),
        (
            "kind = \"open\", rate = 5, ramp = \"linear:-1..5\"",
            "duration_secs = 1",
            "ramp",
        ),
        (
            "kind = \"open\", rate = 5, max_in_flight = 99999999999",
            "duration_secs = 1",
            "max_in_flight",
        ),
        (
            "kind = \"sweep\", steps = 64, max_users = 5",
            "duration_secs = 1",
            "steps",
        ),
        (
            "kind = \"sweep\", steps = 5",
            "duration_secs = 1",
            "max_users",
        ),
        (
            "kind = \"replay\", replay = \"nosuch.csv\"",
            "whole_trace = true",
            "replay",
        ),
        (
            "kind = \"replay\", replay = \"Cargo.toml\", time_scale = 0",
            "whole_trace = true",
            "time_scale",
        ),
    ] {
        let issues = check_text(&stage(load, end)).issues;
        let expected = format!("stages.0.load.{field}");
        assert!(
            issues.len() == 1 && issues[0].field == expected && issues[0].line.is_some(),
            "{load}: {issues:?}"
        );
    }
    for (line, field) in [
        ("goals = [\"ttft.p95:500ms\", \"ttft.p200:1s\"]", "goals.1"),
        ("goals = \"ttft:1s\"", "goals"),
        ("vary = [\"a\"]", "vary.0"),
        ("vary = [\"seed=1,2\", \"seed=3\"]", "vary.1"),
        ("vary = [\"vary=1\"]", "vary.0"),
        ("vary_mode = \"all\"", "vary_mode"),
    ] {
        let text = GOOD.replacen("schema = 1", &format!("schema = 1\n{line}"), 1);
        let issues = check_text(&text).issues;
        assert!(
            issues.len() == 1 && issues[0].field == field && issues[0].line == Some(3),
            "{line}: {issues:?}"
        );
    }
    let many: Vec<String> = (0..400).map(|n| n.to_string()).collect();
    let vary = format!("schema = 1\nvary = [\"seed={}\"]", many.join(","));
    let issues = check_text(&GOOD.replacen("schema = 1", &vary, 1)).issues;
    assert_eq!(issues[0].field, "vary", "{issues:?}");
}

#[test]
fn paths_are_seen_from_the_plans_own_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.txt"), "one\n").unwrap();
    std::fs::write(folder.path().join("cat.png"), "x").unwrap();
    let text = format!(
        "{GOOD}[workload]\nprompts_file = \"p.txt\"\n[workload.inputs]\nimage = {{ file = \"cat.png\" }}\n"
    );
    let path = folder.path().join("a.plan.toml");
    std::fs::write(&path, &text).unwrap();
    let found = check_file(&path).unwrap();
    assert_eq!(found.issues, []);
    let workload = found.plan.unwrap().workload;
    assert_eq!(workload.prompts_file, Some(folder.path().join("p.txt")));
    let image = folder.path().join("cat.png");
    let image = serde_json::json!({ "file": image.to_str().unwrap() });
    assert_eq!(workload.inputs["image"], image);
    check(
        &text,
        &["9 workload.prompts_file", "11 workload.inputs.image"],
    );

    std::fs::write(&path, b"schema = 1\nlabel = \"\xff\"").unwrap();
    assert_eq!(check_file(&path).unwrap().issues[0].line, Some(2));
    assert!(check_file(&folder.path().join("none.toml")).is_err());
}

#[test]
fn presets_are_good_plans_and_say_what_they_are_for() {
    let mut ids = Vec::new();
    for preset in store::presets() {
        assert_eq!(check_text(preset.text).issues, [], "{}", preset.id);
        assert!(preset.text.starts_with("# "), "{}", preset.id);
        let plan = preset.plan().unwrap();
        assert_eq!(plan.profile, preset.id);
        assert!(
            plan.workload.dataset.is_none() && plan.workload.tokenizer.is_none(),
            "{}: a preset needs nothing but its server",
            preset.id
        );
        let about = preset.about();
        assert!(
            about.len() > 20 && !about.ends_with('.') && !about.contains('\n'),
            "{about}"
        );
        ids.push(preset.id);
    }
    assert_eq!(
        ids,
        [
            "demo",
            "iterations",
            "tiers",
            "burst",
            "space",
            "long-streams",
            "duration",
            "single-request",
            "constant-rate",
            "sweep",
            "search",
            "chat",
            "code-generation",
            "classification",
            "fixed-length",
            "long-context-rag",
            "space-check",
            "gradio-tiers"
        ]
    );
    let demo = store::preset("demo").unwrap().plan().unwrap();
    let levels: Vec<f64> = demo.stages.iter().map(|s| s.load.level()).collect();
    assert_eq!(levels, [1.0, 4.0, 16.0]);
    assert_eq!(demo.n_requests(), Some(241));
}

#[track_caller]
fn changed(assignments: &[&str]) -> Plan {
    let mut plan = Plan::simple("http://127.0.0.1:8000");
    for one in assignments {
        plan = set(&plan, one).unwrap_or_else(|i| panic!("{one}: {i:?}"));
    }
    plan
}

#[test]
fn set_reaches_every_field() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.pem").display().to_string();
    let values: BTreeMap<&str, &str> = BTreeMap::from([
        ("schema", "1"),
        ("tags", "[\"a\", \"b\"]"),
        ("target.url", "https://h/v1"),
        ("target.key.source", "keyring"),
        ("target.proxy", "http://h:1"),
        ("target.headers", "{ X-A = \"b\" }"),
        ("target.ca_file", &file),
        ("workload.users", "[\"hi\"]"),
        ("workload.inputs", "{ a = 1 }"),
        ("workload.extra_body", "{\"a\": 1}"),
        ("stages.0.load.kind", "closed"),
        ("goals", "[\"ttft.p95:500ms\"]"),
        ("vary", "[\"seed=1,2\"]"),
        ("workload.input_tokens", "normal:200,10,180,220"),
        ("workload.output_tokens", "uniform:5..9"),
        ("workload.sharing", "shared:0.5"),
        ("stages.0.load.arrival", "gamma:0.5"),
        ("stages.0.load.ramp", "linear:1..20"),
    ]);
    // Every path of the schema, so that a new field cannot be forgotten.
    let schema: serde_json::Value = serde_json::from_str(schema(SchemaKind::Plan)).unwrap();
    let mut paths = Vec::new();
    leaves("", &schema, &mut paths);
    assert!(paths.len() > 45, "{}", paths.len());
    for (path, kind) in &paths {
        let value = values.get(path.as_str()).copied();
        let value = value.unwrap_or_else(|| example(kind));
        let before = plan_for(path);
        let after = set(&before, &format!("{path}={value}"));
        let after = after.unwrap_or_else(|i| panic!("{path}={value}: {i:?}"));
        let is_default = ["schema", "stages.0.load.kind"].contains(&path.as_str());
        assert!(after != before || is_default, "{path}={value}");
    }
}

/// A plan in which the field has a place.
fn plan_for(path: &str) -> Plan {
    let mut plan = Plan::simple("http://127.0.0.1:8000");
    let load = |text: &str| serde_json::from_str(text).unwrap();
    let stage = &mut plan.stages[0];
    match path.strip_prefix("stages.0.") {
        Some(
            "load.rate" | "load.arrival" | "load.ramp" | "load.max_in_flight" | "load.when_full",
        ) => {
            stage.load = Load::open(20.0);
        }
        Some("load.replay" | "load.time_scale" | "whole_trace") => {
            stage.load = load(r#"{"kind":"replay","replay":"a.csv"}"#);
        }
        Some("load.over" | "load.steps" | "load.max_users") => {
            stage.load = load(r#"{"kind":"sweep","steps":3,"max_users":9}"#);
        }
        Some("load.from" | "load.max") => {
            plan.goals = vec!["ttft:1s".parse().unwrap()];
            stage.load = load(r#"{"kind":"search","from":1.0,"max":60.0}"#);
        }
        _ => {}
    }
    plan
}

/// Paths and schemas of the fields that hold values.
fn leaves(prefix: &str, schema: &serde_json::Value, out: &mut Vec<(String, serde_json::Value)>) {
    for (name, inner) in schema["properties"].as_object().unwrap() {
        let path = format!("{prefix}{name}");
        let table = inner["oneOf"].get(1).unwrap_or(inner);
        if table["properties"].is_object() {
            leaves(&format!("{path}."), table, out);
        } else if inner["items"]["properties"].is_object() {
            leaves(&format!("{path}.0."), &inner["items"], out);
        } else {
            out.push((path, inner.clone()));
        }
    }
}

/// A value that the schema allows and that is no default.
fn example(schema: &serde_json::Value) -> &'static str {
    if let Some(choices) = schema["enum"].as_array() {
        let last = choices.last().unwrap().as_str().unwrap().to_owned();
        return String::leak(last);
    }
    match schema["type"].as_str() {
        Some("string") => "some_words",
        Some("integer") => "7",
        Some("number") => "7.5",
        // `stream` is true by default, the others are not.
        Some("boolean") if schema["description"] == "Ask for a stream" => "false",
        Some("boolean") => "true",
        other => panic!("{other:?}"),
    }
}

#[test]
fn set_changes_what_it_says() {
    let plan = changed(&[
        "target.timeouts.connect_secs=5",
        "stages.0.duration_secs=2.5",
        "stages.0.users=8",
        "warmup.requests=3",
        "target.key.name=HF_TOKEN",
        "target.headers.X-A=1.5",
        "target.model=5",
        "target.http=2",
        "workload.inputs.t=0.7",
        "workload.inputs.state=null",
        "workload.inputs.who=me",
        "workload.users.0=first = one",
        "workload.users.1=second",
        "limits.max_errors=4",
        "tags=[\"x\"]",
        "label=\"in quotes\"",
    ]);
    assert!((plan.target.timeouts.connect_secs - 5.0).abs() < 1e-9);
    assert_eq!(plan.stages[0].end, StageEnd::DurationSecs(2.5));
    assert_eq!(plan.stages[0].load.max_in_flight(), 8);
    assert_eq!(plan.warmup, Warmup::Requests(NonZeroU32::new(3).unwrap()));
    let name = "HF_TOKEN".to_owned();
    assert_eq!(plan.target.key, KeyRef::Env { name });
    assert_eq!(plan.target.headers["X-A"], "1.5");
    assert_eq!(plan.target.model.as_deref(), Some("5"));
    assert_eq!(plan.target.http, HttpVersion::Http2);
    assert_eq!(plan.workload.inputs["t"], serde_json::json!(0.7));
    assert_eq!(plan.workload.inputs["state"], serde_json::Value::Null);
    assert_eq!(plan.workload.inputs["who"], serde_json::json!("me"));
    assert_eq!(plan.workload.users, ["first = one", "second"]);
    assert_eq!(plan.limits.max_errors, Some(4));
    assert_eq!((plan.label.as_str(), plan.tags.len()), ("in quotes", 1));

    let plan = set(&plan, "target.model=").unwrap();
    assert_eq!(plan.target.model, None);
    let plan = set(&plan, "target.key.source=none").unwrap();
    assert_eq!(plan.target.key, KeyRef::None);
    let plan = set(&plan, "warmup=none").unwrap();
    assert_eq!(plan.warmup, Warmup::None);
    let stages = "stages=[{ load = { kind = \"closed\", users = 3 }, requests = 9 }]";
    assert_eq!(set(&plan, stages).unwrap().n_requests(), Some(9));
}

#[test]
fn set_refuses_what_makes_no_plan() {
    let plan = Plan::simple("http://127.0.0.1:8000");
    for (assignment, field, words) in [
        ("seed", "--set", "write FIELD=VALUE"),
        ("sede=1", "sede", "did you mean “seed”?"),
        ("seed=x", "seed", "“x”"),
        ("seed=-1", "seed", "“-1”"),
        (
            "target.timeouts.conect_secs=1",
            "target.timeouts.conect_secs",
            "connect_secs",
        ),
        (
            "target.timeouts.connect_secs=0",
            "target.timeouts.connect_secs",
            "more than 0",
        ),
        ("target.http=3", "target.http", "1.1"),
        ("stages.1.requests=1", "stages.1", "0 to 0"),
        ("stages.x.requests=1", "stages.x", "0 to 0"),
        ("stages.0=1", "stages.0", "set one of"),
        ("stages.0.load.users=0", "stages.0.load.users", "“0”"),
        ("seed.deeper=1", "seed", "has nothing inside"),
        (
            "target.headers.Authorization=x",
            "target.headers.Authorization",
            "target.key",
        ),
        ("target.url=", "target.url", "is empty"),
        ("=1", "", "there is no such field"),
    ] {
        let issue = set(&plan, assignment).unwrap_err();
        assert_eq!(issue.field, field, "{assignment}: {issue:?}");
        assert!(issue.message.contains(words), "{assignment}: {issue:?}");
    }
}

#[test]
fn the_schema_stands_in_its_file_and_is_right() {
    let kept: serde_json::Value = serde_json::from_str(schema(SchemaKind::Plan)).unwrap();
    let made = store::plan_schema();
    if kept != made {
        let text = serde_json::to_string_pretty(&made).unwrap();
        let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/plan.schema.json");
        std::fs::write(path, format!("{text}\n")).unwrap();
        panic!("the table of fields has changed: move {path} to resources/schema/");
    }
    let validator = jsonschema::draft202012::new(&made).unwrap();
    for preset in store::presets() {
        let plan = preset.plan().unwrap();
        validator
            .validate(&serde_json::to_value(plan).unwrap())
            .unwrap();
    }
    let mut bad = serde_json::to_value(Plan::simple("http://h")).unwrap();
    bad["stages"][0]["duration_secs"] = 1.0.into();
    assert!(!validator.is_valid(&bad));
    bad["stages"] = serde_json::json!([]);
    assert!(!validator.is_valid(&bad));
}

fn some<T: std::fmt::Debug + Clone + 'static>(
    of: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(of)
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_filter_map("finite", |x| x.is_finite().then(|| x.into())),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof![any::<String>(), Just("json".to_owned())];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::btree_map(key, inner, 0..3)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

/// What plans have beside the simplest: drawn as texts of the grammars.
#[derive(Clone, Debug)]
struct More {
    shape: f64,
    length: (u32, u32),
    share: f64,
    is: [bool; 6],
    word: String,
    values: Vec<String>,
}

fn of_every_load() -> impl Strategy<Value = More> {
    let values = proptest::collection::vec("[ -~“你]{1,12}x", 1..4);
    (
        0.01..1e6_f64,
        (1..5000_u32, 1..5000_u32),
        0.001..0.999_f64,
        any::<[bool; 6]>(),
        "[a-z][a-z0-9]{0,6}",
        values,
    )
        .prop_map(|(shape, length, share, is, word, values)| More {
            shape,
            length,
            share,
            is,
            word,
            values,
        })
}

fn load(users: u32, kind: usize, more: &More) -> Load {
    let users = NonZeroU32::new(users).unwrap();
    let arrival = match users.get() % 3 {
        0 => ArrivalProcess::Constant,
        1 => ArrivalProcess::Poisson,
        _ => ArrivalProcess::Gamma(more.shape),
    };
    let over = if more.is[0] { Over::Users } else { Over::Rate };
    let (max_in_flight, when_full) = (
        more.is[1].then_some(users),
        [WhenFull::Queue, WhenFull::Drop],
    );
    let when_full = when_full[usize::from(more.is[2])];
    let rate = more.share * 100.0;
    match kind {
        0..3 => Load::Closed {
            users,
            mode: [ClosedMode::Steady, ClosedMode::Burst, ClosedMode::Wave][kind],
            ramp: None,
        },
        3 => Load::Open {
            rate,
            arrival,
            ramp: more.is[3].then(|| format!("exponential:0.5..{rate}").parse().unwrap()),
            max_in_flight,
            when_full,
        },
        4 => Load::Sweep {
            over,
            steps: NonZeroU32::new(1 + users.get() % 63).unwrap(),
            max_users: users,
            arrival,
        },
        5 => Load::Search {
            over,
            from: 1.0,
            max: 1.0 + f64::from(users.get()),
            arrival,
        },
        _ => Load::Replay {
            replay: PathBuf::from("Cargo.toml"),
            time_scale: more.share,
            max_in_flight,
            when_full,
        },
    }
}

impl More {
    fn put(self, mut plan: Plan) -> Plan {
        let (a, b) = (
            self.length.0.min(self.length.1),
            self.length.0.max(self.length.1),
        );
        plan.goals = vec![
            Goal {
                metric: MetricId::Ttft,
                share: 0.95,
                limit: f64::from(a),
            },
            format!("tpot.p99.9:{b}ms").parse().unwrap(),
        ];
        plan.profile.clone_from(&self.word);
        plan.limits.stop_when_saturated = self.is[4];
        plan.mixed_traffic = self.is[5].then(|| MixedTraffic {
            file_bytes: a,
            ..MixedTraffic::default()
        });
        let workload = &mut plan.workload;
        if self.is[0] {
            workload.users.clear();
            workload.dataset = Some(format!("hf:{0}/{0}/{0}.jsonl", self.word).parse().unwrap());
        }
        workload.input_tokens = Some(LengthSpec::Uniform { min: a, max: b });
        workload.output_tokens = self.is[1].then_some(LengthSpec::Normal {
            mean: a,
            sd: 3,
            min: a,
            max: b,
        });
        workload.sharing =
            [PromptSharing::Fixed, PromptSharing::Shared(self.share)][usize::from(self.is[2])];
        workload.tokenizer = self.is[3].then_some(TokenizerRef::Server);
        workload.turns = a % 1000 + 1;
        workload.think_secs = self.share;
        workload.ignore_eos = self.is[4];
        let mut values: Vec<String> = self.values.iter().map(|v| v.trim().to_owned()).collect();
        values.sort();
        values.dedup();
        // A text in which both quotes stand cannot be quoted, and one with brackets is not split.
        let is_plain = |v: &String| !v.is_empty() && !v.contains(['"', '\'', '[', ']', '{', '}']);
        if values.iter().all(is_plain) {
            plan.vary = vec![Vary {
                field: "target.model".to_owned(),
                values,
            }];
            plan.vary_mode = [VaryMode::Grid, VaryMode::OneAtATime][usize::from(self.is[5])];
        }
        plan
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let texts = (
        any::<String>(),
        proptest::collection::vec(any::<String>(), 0..3),
        any::<String>(),
        proptest::collection::vec("[ -~\n\r\t“你]{1,30}x", 0..4),
    );
    let numbers = (
        0..=MAX_SEED,
        0.0..1e7_f64,
        1e-9..1e7_f64,
        some(1e-9..1e7_f64),
    );
    let inputs = proptest::collection::btree_map("\\PC{0,8}[a-z.]", json(), 0..4);
    let headers = proptest::collection::btree_map("X-[a-z]{1,4}", "[ -~]{0,9}", 0..3);
    let stages = proptest::collection::vec((1..100_u32, 0..7_usize, 1..9_u64), 1..4);
    let plain = (texts, numbers, inputs, headers, stages);
    (plain, of_every_load()).prop_map(|((t, n, inputs, headers, stages), more)| {
        let mut plan = Plan::simple("http://127.0.0.1:8000");
        (
            plan.label,
            plan.tags,
            plan.workload.system,
            plan.workload.users,
        ) = t;
        (
            plan.seed,
            plan.pause_secs,
            plan.target.timeouts.idle_secs,
            plan.limits.max_secs,
        ) = n;
        plan.warmup = plan.limits.max_secs.map_or(Warmup::None, Warmup::Secs);
        plan.workload.inputs = inputs;
        plan.target.headers = headers;
        plan.target.key = match plan.seed % 3 {
            0 => KeyRef::None,
            1 => KeyRef::Session,
            _ => KeyRef::Env {
                name: "A_KEY".to_owned(),
            },
        };
        plan.stages = stages
            .into_iter()
            .map(|(users, kind, n)| Stage {
                load: load(users, kind, &more),
                end: match kind {
                    0 => StageEnd::Requests(NonZeroU64::new(n).unwrap()),
                    1 => StageEnd::RequestsPerUser(NonZeroU32::new(7).unwrap()),
                    6 => StageEnd::WholeTrace(true),
                    _ => StageEnd::DurationSecs(n as f64 / 3.0),
                },
            })
            .collect();
        more.put(plan)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn what_is_written_is_read_again(plan in plans()) {
        let text = to_toml(&plan);
        let found = check_text(&text);
        prop_assert_eq!(&found.issues, &[], "{}", text);
        prop_assert_eq!(found.plan, Some(plan));
    }

    #[test]
    fn no_text_panics(text in "[a-z\\[\\]{}=\"'. \n#0-9]{0,80}") {
        check_text(&text);
    }
}

#[test]
fn every_field_is_written() {
    let mut plan = Plan::simple("owner/name");
    plan.keep_text = true;
    plan.target.ca_file = Some(PathBuf::from("x.pem"));
    plan.target.insecure = true;
    plan.target.template = Some(Template {
        body: "{\n  \"prompt\": {{prompt}}\n}".to_owned(),
        done: Some("[DONE]".to_owned()),
        ..Template::default()
    });
    plan.workload.prompts_file = Some(PathBuf::from("x.txt"));
    let text = to_toml(&plan);
    for line in [
        "keep_text = true",
        "ca_file = \"x.pem\"",
        "insecure = true",
        "[target.template]",
        "done = \"[DONE]\"",
        "framing = \"sse\"",
        "[[stages]]",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let issues = check_text(&text).issues;
    let fields: Vec<&str> = issues.iter().map(|i| i.field.as_str()).collect();
    assert_eq!(fields, ["target.ca_file", "workload.prompts_file"]);
    plan.target.ca_file = None;
    plan.workload.prompts_file = None;
    assert_eq!(check_text(&to_toml(&plan)).plan, Some(plan));
}
