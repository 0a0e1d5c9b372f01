//! Plans to the form and back: nothing of a plan is lost by opening it.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use inferometer::app::form::{Form, InputEntry};
use inferometer::domain::{
    ClosedMode, Cold, ColdHow, Connections, GradioMode, HttpVersion, InputKind, KeyRef, Limits,
    Load, Plan, PromptOrder, Protocol, Stage, StageEnd, Target, Template, Timeouts, Warmup,
    Workload,
};
use proptest::prelude::*;

fn secs() -> impl Strategy<Value = f64> {
    (1_u32..100_000).prop_map(|n| f64::from(n) / 16.0)
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,8}"
}

fn maybe<T: std::fmt::Debug + Clone>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::of(value)
}

fn ends() -> impl Strategy<Value = StageEnd> {
    prop_oneof![
        (1_u64..5000).prop_map(|n| StageEnd::Requests(NonZeroU64::new(n).unwrap())),
        (1_u32..500).prop_map(|n| StageEnd::RequestsPerUser(NonZeroU32::new(n).unwrap())),
        secs().prop_map(StageEnd::DurationSecs),
    ]
}

fn modes() -> impl Strategy<Value = ClosedMode> {
    prop_oneof![
        Just(ClosedMode::Steady),
        Just(ClosedMode::Burst),
        Just(ClosedMode::Wave)
    ]
}

/// Some lists that the form can say in one line, and some that it can only keep.
fn stages() -> impl Strategy<Value = Vec<Stage>> {
    let stage = (1_u32..2000, modes(), ends()).prop_map(|(n, mode, end)| Stage {
        load: Load::Closed {
            users: NonZeroU32::new(n).unwrap(),
            mode,
            ramp: None,
        },
        end,
    });
    let same = (prop::collection::vec(1_u32..2000, 1..6), modes(), ends()).prop_map(
        |(users, mode, end)| {
            let of = |n: u32| Stage {
                load: Load::Closed {
                    users: NonZeroU32::new(n).unwrap(),
                    mode,
                    ramp: None,
                },
                end,
            };
            users.into_iter().map(of).collect()
        },
    );
    prop_oneof![prop::collection::vec(stage, 1..5), same]
}

fn target() -> impl Strategy<Value = Target> {
    let key = prop_oneof![
        Just(KeyRef::None),
        "[A-Z][A-Z_]{0,8}".prop_map(|name| KeyRef::Env { name }),
        Just(KeyRef::Keyring),
        Just(KeyRef::Session),
    ];
    let names = (
        maybe(word()),
        maybe(word()),
        prop::sample::select(Protocol::ALL.to_vec()),
    );
    let switches = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    let headers = prop::collection::btree_map("x-[a-z]{1,5}", "[a-z0-9]{1,8}", 0..3);
    let times = (secs(), secs(), secs(), secs(), secs());
    (key, names, switches, headers, times, maybe(word())).prop_map(
        |(key, (model, api, protocol), s, headers, t, file)| Target {
            protocol,
            model,
            api_name: api.map(|name| format!("/{name}")),
            gradio_mode: if s.0 {
                GradioMode::Call
            } else {
                GradioMode::Queue
            },
            stream: s.1,
            headers,
            key,
            http: if s.2 {
                HttpVersion::Http2
            } else {
                HttpVersion::Http1
            },
            connections: if s.3 {
                Connections::New
            } else {
                Connections::Keep
            },
            proxy: file.as_ref().map(|_| "http://127.0.0.1:3128".to_owned()),
            ca_file: file.map(|name| format!("/tmp/{name}.pem").into()),
            insecure: s.4,
            timeouts: Timeouts {
                connect_secs: t.0,
                first_byte_secs: t.1,
                idle_secs: t.2,
                token_stall_secs: t.3,
                total_secs: t.4,
            },
            template: (protocol == Protocol::Http).then(Template::default),
            ..Target::at("http://127.0.0.1:8000/v1")
        },
    )
}

fn workload() -> impl Strategy<Value = Workload> {
    // Prompts of one line, of several, with what looks like our own border inside a line.
    let prompt = "[a-z你ﺍ ]{0,6}[a-z](\n[a-z ]{1,6}[a-z])?";
    let value = prop_oneof![
        word().prop_map(serde_json::Value::String),
        (-1000_i64..1000).prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        word().prop_map(|p| serde_json::json!({ "file": p })),
        Just(serde_json::json!({"a": [1, null]})),
        Just(serde_json::Value::Null),
    ];
    (
        "[a-z\n ]{0,20}",
        prop::collection::vec(prompt, 0..4),
        (any::<bool>(), any::<bool>(), any::<bool>()),
        maybe(1_u32..9999),
        prop::collection::btree_map(word(), value, 0..4),
        (maybe(word()), maybe(word())),
    )
        .prop_map(|(system, users, s, max_tokens, inputs, mapped)| Workload {
            system,
            users,
            prompts_file: None,
            order: if s.0 {
                PromptOrder::Random
            } else {
                PromptOrder::InTurn
            },
            nonce: s.1,
            max_tokens,
            extra_body: if s.2 {
                "{\"a\":1}".to_owned()
            } else {
                String::new()
            },
            inputs,
            system_input: mapped.0,
            user_input: mapped.1,
            ..Workload::default()
        })
}

fn plans() -> impl Strategy<Value = Plan> {
    let cold =
        (0_u32..9, 0_u8..3, secs(), 1_u32..4).prop_map(|(requests, how, silence, cycles)| Cold {
            requests,
            how: match how {
                0 => ColdHow::Nothing,
                1 => ColdHow::Silence,
                _ => ColdHow::Restarted,
            },
            silence_secs: silence,
            cycles,
        });
    let warmup = prop_oneof![
        Just(Warmup::None),
        (1_u32..99).prop_map(|n| Warmup::Requests(NonZeroU32::new(n).unwrap())),
        secs().prop_map(Warmup::Secs),
    ];
    let limits =
        (maybe(1_u64..99), maybe(1_u32..100), maybe(1_u32..999)).prop_map(|(n, p, s)| Limits {
            max_errors: n,
            max_error_percent: p.map(f64::from),
            max_secs: s.map(f64::from),
            stop_when_saturated: false,
        });
    let rest = (
        0_u64..1 << 40,
        secs(),
        secs(),
        any::<bool>(),
        prop::collection::vec(word(), 0..3),
    );
    (target(), workload(), cold, warmup, limits, stages(), rest).prop_map(
        |(
            target,
            workload,
            cold,
            warmup,
            limits,
            stages,
            (seed, pause, grace, keep_text, tags),
        )| Plan {
            label: "a label".to_owned(),
            tags,
            seed,
            pause_secs: pause,
            grace_secs: grace,
            keep_text,
            target,
            workload,
            cold,
            warmup,
            limits,
            stages,
            ..Plan::simple("")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_plan_comes_back_from_the_form_as_it_was(plan in plans()) {
        let form = Form::from_plan(&plan);
        // A plan may say what no plan should; the form keeps it and names it.
        prop_assume!(plan.check().is_empty());
        let back = form.to_plan().map_err(|issues| TestCaseError::fail(format!("{issues:?}")))?;
        prop_assert_eq!(&back, &plan);
        prop_assert_eq!(Form::from_plan(&back), form);
    }
}

#[test]
fn a_file_of_prompts_comes_back() {
    let mut plan = Plan::simple("http://127.0.0.1");
    plan.workload.prompts_file = Some("/tmp/prompts.txt".into());
    assert_eq!(Form::from_plan(&plan).to_plan().unwrap(), plan);
}

#[test]
fn what_is_typed_for_an_input_is_a_value_of_its_kind() {
    let typed = |kind: InputKind, text: &str| InputEntry::typed(&kind, text.to_owned()).value;
    use serde_json::json;
    assert_eq!(typed(InputKind::Text, "1"), Some(json!("1")));
    assert_eq!(typed(InputKind::Number, " 1.50 "), Some(json!(1.5)));
    assert_eq!(typed(InputKind::Number, "1,5"), None);
    assert_eq!(typed(InputKind::Checkbox, "true"), Some(json!(true)));
    assert_eq!(typed(InputKind::Json, "[1"), None);
    let file = InputKind::File {
        media: inferometer::domain::Media::Image,
    };
    assert_eq!(
        typed(file, "a.png"),
        Some(serde_json::json!({"file": "a.png"}))
    );
    let kept = BTreeMap::from([(
        "n".to_owned(),
        InputEntry::typed(&InputKind::Number, "1.0".to_owned()),
    )]);
    assert_eq!(
        kept["n"].text, "1.0",
        "what was typed stays as it was typed"
    );
}
