//! Plans to the form and back: nothing of a plan is lost by opening it.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use inferometer::app::form::{Form, InputEntry};
use inferometer::domain::{
    ArrivalProcess, ClosedMode, Cold, ColdHow, Connections, Curve, DatasetRef, Framing,
    GOAL_METRICS, Goal, GradioMode, HttpVersion, InputKind, KeyRef, LengthSpec, Limits, Load,
    MixedTraffic, Over, Plan, PromptOrder, PromptSharing, Protocol, Ramp, SCHEMA, Stage, StageEnd,
    Target, Template, TemplateMethod, Timeouts, TokenizerRef, Vary, VaryMode, Warmup, WhenFull,
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

/// Users, some with a ramp that ends where the stage's level is.
fn closed() -> impl Strategy<Value = (Load, bool)> {
    (1_u32..2000, modes(), maybe(curves())).prop_map(|(n, mode, curve)| {
        let ramp = curve.map(|(curve, from)| Ramp {
            curve,
            from,
            to: f64::from(n),
        });
        let users = NonZeroU32::new(n).unwrap();
        (Load::Closed { users, mode, ramp }, curve.is_some())
    })
}

fn curves() -> impl Strategy<Value = (Curve, f64)> {
    let curve = prop_oneof![Just(Curve::Linear), Just(Curve::Exponential)];
    (curve, (1_u32..999).prop_map(|n| f64::from(n) / 8.0))
}

fn arrivals() -> impl Strategy<Value = ArrivalProcess> {
    prop_oneof![
        Just(ArrivalProcess::Constant),
        Just(ArrivalProcess::Poisson),
        (1_u32..999).prop_map(|n| ArrivalProcess::Gamma(f64::from(n) / 100.0)),
    ]
}

fn rate() -> impl Strategy<Value = f64> {
    (1_u32..99_999).prop_map(|n| f64::from(n) / 7.0)
}

fn limits_in_flight() -> impl Strategy<Value = (Option<NonZeroU32>, WhenFull)> {
    let limit = maybe((1_u32..9999).prop_map(|n| NonZeroU32::new(n).unwrap()));
    let when_full = prop_oneof![Just(WhenFull::Queue), Just(WhenFull::Drop)];
    (limit, when_full)
}

fn over() -> impl Strategy<Value = Over> {
    prop_oneof![Just(Over::Rate), Just(Over::Users)]
}

/// Every kind of stage that a plan may hold, with an end that belongs to it.
fn any_stage() -> impl Strategy<Value = Stage> {
    let closed = (closed(), ends(), secs()).prop_map(|((load, ramps), end, secs)| Stage {
        load,
        end: if ramps {
            StageEnd::DurationSecs(secs)
        } else {
            end
        },
    });
    let open = open_stages(1..2).prop_map(|stages| stages[0].clone());
    let replay = (word(), rate(), limits_in_flight(), trace_ends()).prop_map(
        |(file, time_scale, (max_in_flight, when_full), end)| Stage {
            load: Load::Replay {
                replay: format!("/tmp/{file}.csv").into(),
                time_scale,
                max_in_flight,
                when_full,
            },
            end,
        },
    );
    let sweep = (over(), 1_u32..60, 1_u32..9999, arrivals(), open_ends()).prop_map(
        |(over, steps, users, arrival, end)| Stage {
            load: Load::Sweep {
                over,
                steps: NonZeroU32::new(steps).unwrap(),
                max_users: NonZeroU32::new(users).unwrap(),
                arrival,
            },
            end,
        },
    );
    let search = (over(), 1_u32..99, 1_u32..99, arrivals(), open_ends()).prop_map(
        |(over, from, more, arrival, end)| Stage {
            load: Load::Search {
                over,
                from: f64::from(from),
                max: f64::from(from * more),
                arrival,
            },
            end,
        },
    );
    prop_oneof![closed, open, replay, sweep, search]
}

fn open_ends() -> impl Strategy<Value = StageEnd> {
    prop_oneof![
        (1_u64..5000).prop_map(|n| StageEnd::Requests(NonZeroU64::new(n).unwrap())),
        secs().prop_map(StageEnd::DurationSecs),
    ]
}

fn trace_ends() -> impl Strategy<Value = StageEnd> {
    prop_oneof![open_ends(), Just(StageEnd::WholeTrace(true))]
}

/// Rates that have all else in common.
fn open_stages(n: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Stage>> {
    let rates = prop::collection::vec(rate(), n);
    (
        rates,
        arrivals(),
        maybe(curves()),
        limits_in_flight(),
        open_ends(),
    )
        .prop_map(|(rates, arrival, curve, (max_in_flight, when_full), end)| {
            let stage = |rate: f64| Stage {
                load: Load::Open {
                    rate,
                    arrival,
                    ramp: curve.map(|(curve, from)| Ramp {
                        curve,
                        from,
                        to: rate,
                    }),
                    max_in_flight,
                    when_full,
                },
                end,
            };
            rates.into_iter().map(stage).collect()
        })
}

/// Lists that the form can say in one line, and some that it can only keep.
fn stages() -> impl Strategy<Value = Vec<Stage>> {
    let users = prop::collection::vec(1_u32..2000, 1..6);
    let same = (users, modes(), ends(), maybe(curves()), secs()).prop_map(
        |(users, mode, end, curve, secs)| {
            let of = |n: u32| Stage {
                load: Load::Closed {
                    users: NonZeroU32::new(n).unwrap(),
                    mode,
                    ramp: curve.map(|(curve, from)| Ramp {
                        curve,
                        from,
                        to: f64::from(n),
                    }),
                },
                end: match curve {
                    Some(_) => StageEnd::DurationSecs(secs),
                    None => end,
                },
            };
            users.into_iter().map(of).collect()
        },
    );
    prop_oneof![
        prop::collection::vec(any_stage(), 1..4),
        same,
        open_stages(1..6),
        any_stage().prop_map(|stage| vec![stage]),
    ]
}

fn lengths() -> impl Strategy<Value = LengthSpec> {
    prop_oneof![
        (1_u32..9999).prop_map(LengthSpec::Fixed),
        (1_u32..999, 0_u32..99, 0_u32..999, 0_u32..999).prop_map(|(min, sd, a, b)| {
            LengthSpec::Normal {
                mean: min + a,
                sd,
                min,
                max: min + a + b,
            }
        }),
        (1_u32..999, 0_u32..999).prop_map(|(min, more)| LengthSpec::Uniform {
            min,
            max: min + more
        }),
    ]
}

fn goals() -> impl Strategy<Value = Vec<Goal>> {
    let goal = (
        prop::sample::select(GOAL_METRICS.to_vec()),
        1_u32..1000,
        1_u32..99_999,
    )
        .prop_map(|(metric, permille, limit)| {
            let (percent, limit) = (f64::from(permille) / 10.0, f64::from(limit) / 8.0);
            let text = format!("{}.p{percent}:{limit}", metric.key());
            text.parse::<Goal>().unwrap()
        });
    // A search looks for the load that meets them.
    prop::collection::vec(goal, 1..5)
}

fn varied() -> impl Strategy<Value = (Vec<Vary>, VaryMode)> {
    let known = [
        "workload.max_tokens=16,64,256",
        "target.model='a,b',c",
        "workload.extra_body={\"top_k\": 1, \"min_p\": 0},{}",
        "seed=1,2",
        "workload.input_tokens=100,\"normal:200,10,180,220\"",
    ];
    let vary = prop::sample::subsequence(known.to_vec(), 0..3).prop_map(|texts| {
        let read = |text: &&str| text.parse::<Vary>().unwrap();
        texts.iter().map(read).collect()
    });
    (
        vary,
        prop_oneof![Just(VaryMode::Grid), Just(VaryMode::OneAtATime)],
    )
}

fn traffic() -> impl Strategy<Value = Option<MixedTraffic>> {
    maybe(
        (
            1_u32..99,
            0_u32..99,
            0_u32..99,
            1_u32..99_999_999,
            0_u32..9999,
        )
            .prop_map(|t| MixedTraffic {
                page_loads: t.0,
                uploads: t.1,
                downloads: t.2,
                file_bytes: t.3,
                pause_ms: t.4,
            }),
    )
}

fn templates() -> impl Strategy<Value = Template> {
    let pointer = || "/[a-z]{1,4}(/[0-9])?";
    let parts = (
        maybe(pointer()),
        maybe(pointer()),
        maybe(pointer()),
        maybe(pointer()),
    );
    let how = (
        prop::sample::select(TemplateMethod::ALL.to_vec()),
        prop::sample::select(Framing::ALL.to_vec()),
        maybe(word()),
        any::<bool>(),
    );
    ("/[a-z/]{0,8}", pointer(), parts, how).prop_map(|(path, token, parts, how)| Template {
        method: how.0,
        path,
        content_type: if how.3 {
            "text/plain; charset=utf-8".to_owned()
        } else {
            "application/json".to_owned()
        },
        body: "{\"q\": {{prompt}},\n \"n\": {{max_tokens}}}".to_owned(),
        key_header: how.2,
        framing: how.1,
        token,
        reasoning: parts.0,
        done: (how.1 != Framing::OneShot).then(|| "[DONE]".to_owned()),
        error: parts.1,
        tokens_in: parts.2,
        tokens_out: parts.3,
    })
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
    (
        key,
        names,
        switches,
        headers,
        times,
        maybe(word()),
        maybe(templates()),
    )
        .prop_map(
            |(key, (model, api, protocol), s, headers, t, file, template)| Target {
                template: template.or_else(|| (protocol == Protocol::Http).then(Template::default)),
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
        (sources(), maybe(lengths()), maybe(lengths()), any::<bool>()),
        (sharings(), maybe(tokenizers()), 1_u32..99, secs()),
    )
        .prop_map(
            |(system, users, s, max_tokens, inputs, mapped, from, how)| Workload {
                system,
                // Prompts come from one place.
                users: match &from.0 {
                    (None, None) => users,
                    _ => Vec::new(),
                },
                prompts_file: from.0.0,
                dataset: from.0.1,
                input_tokens: from.1,
                output_tokens: from.2.filter(|_| max_tokens.is_none()),
                ignore_eos: from.3,
                sharing: how.0,
                tokenizer: how.1,
                turns: how.2,
                think_secs: how.3,
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
            },
        )
}

/// A prompt file, a dataset, or neither.
fn sources() -> impl Strategy<Value = (Option<std::path::PathBuf>, Option<DatasetRef>)> {
    let dataset = prop_oneof![
        word().prop_map(|f| DatasetRef::Path(format!("/tmp/{f}.jsonl").into())),
        word().prop_map(|f| DatasetRef::Hub {
            repo: "owner/name".to_owned(),
            file: format!("data/{f}.csv"),
        }),
    ];
    prop_oneof![
        Just((None, None)),
        word().prop_map(|f| (Some(format!("/tmp/{f}.txt").into()), None)),
        dataset.prop_map(|d| (None, Some(d))),
    ]
}

fn sharings() -> impl Strategy<Value = PromptSharing> {
    prop_oneof![
        Just(PromptSharing::Unique),
        Just(PromptSharing::Fixed),
        (1_u32..997).prop_map(|n| PromptSharing::Shared(f64::from(n) / 1000.0)),
        (1_u32..997).prop_map(|n| PromptSharing::Shared(f64::from(n) / 997.0)),
    ]
}

fn tokenizers() -> impl Strategy<Value = TokenizerRef> {
    prop_oneof![
        Just(TokenizerRef::O200k),
        Just(TokenizerRef::Server),
        word().prop_map(|name| TokenizerRef::Hub(format!("owner/{name}"))),
        word().prop_map(|f| TokenizerRef::Path(format!("/tmp/{f}/tokenizer.json").into())),
    ]
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
    let limits = (
        maybe(1_u64..99),
        maybe(1_u32..100),
        maybe(1_u32..999),
        any::<bool>(),
    )
        .prop_map(|(n, p, s, stop_when_saturated)| Limits {
            max_errors: n,
            max_error_percent: p.map(f64::from),
            max_secs: s.map(f64::from),
            stop_when_saturated,
        });
    let more = (goals(), varied(), traffic(), "([a-z]{1,9})?");
    let rest = (
        0_u64..1 << 40,
        secs(),
        secs(),
        any::<bool>(),
        prop::collection::vec(word(), 0..3),
    );
    (
        target(),
        workload(),
        cold,
        warmup,
        limits,
        stages(),
        rest,
        more,
    )
        .prop_map(
            |(
                target,
                workload,
                cold,
                warmup,
                limits,
                stages,
                (seed, pause, grace, keep_text, tags),
                (goals, (vary, vary_mode), mixed_traffic, profile),
            )| Plan {
                schema: SCHEMA,
                label: "a label".to_owned(),
                profile,
                goals,
                vary,
                vary_mode,
                mixed_traffic,
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
            },
        )
}

/// Each value of the varied fields fits this plan.
fn varies_as_it_may(plan: &Plan) -> bool {
    let fits = |v: &Vary| {
        let set = |value: &String| inferometer::session::set_field(plan, &v.field, value).is_ok();
        v.values.iter().all(set) && inferometer::domain::without_use(plan, &v.field).is_none()
    };
    plan.vary.iter().all(fits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_plan_comes_back_from_the_form_as_it_was(plan in plans()) {
        let form = Form::from_plan(&plan);
        // A plan may say what no plan should; the form names it.
        prop_assume!(plan.check().is_empty());
        prop_assume!(varies_as_it_may(&plan));
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
