use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::super::needs::WantedTrace;
use super::super::tokenizer::tests::small_file;
use super::*;
use crate::domain::{DatasetRef, PromptSharing, Protocol, Role, TokenizerRef};

fn workload() -> Workload {
    Workload {
        users: vec!["a".into(), "b".into(), "c".into()],
        ..Workload::default()
    }
}

fn source(change: impl FnOnce(&mut Workload)) -> PromptSource {
    let mut workload = workload();
    change(&mut workload);
    PromptSource::load(&workload, 7).unwrap()
}

fn users(source: &PromptSource, n: u64, phase: Phase) -> Vec<String> {
    (0..n)
        .map(|seq| source.prompt(seq, phase).user.to_string())
        .collect()
}

fn with_dataset(folder: &Path, name: &str, content: &str) -> Workload {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    Workload {
        dataset: Some(DatasetRef::Path(path)),
        ..Workload::default()
    }
}

#[test]
fn in_turn_goes_round() {
    let source = source(|w| w.system = "be brief".into());
    assert_eq!(users(&source, 7, Phase::Measure).concat(), "abcabca");
    let system = source.prompt(5, Phase::Cold).system;
    assert_eq!(system.as_deref(), Some("be brief"));
    assert_eq!(source.n_prompts(), 3);
    assert_eq!(source.n_turns(0), None);
    assert_eq!(source.turn(0, 0, &[]), None);
}

#[test]
fn random_repeats_itself_by_seed_only_and_is_even() {
    let random = |seed| {
        let workload = Workload {
            order: PromptOrder::Random,
            ..workload()
        };
        let source = PromptSource::load(&workload, seed).unwrap();
        users(&source, 3000, Phase::Measure)
    };
    assert_eq!(random(1), random(1));
    assert_ne!(random(1), random(2));
    for word in ["a", "b", "c"] {
        let n = random(1).iter().filter(|u| *u == word).count();
        assert!((900..1100).contains(&n), "{word}: {n}");
    }
}

#[test]
fn a_nonce_makes_every_prompt_of_every_phase_different() {
    let source = source(|w| {
        w.nonce = true;
        w.users = vec!["same".into()];
    });
    let mut seen = BTreeSet::new();
    for phase in [Phase::Cold, Phase::Warmup, Phase::Measure] {
        for text in users(&source, 2000, phase) {
            assert!(text.ends_with("] same") && text.len() == 23, "{text}");
            assert!(seen.insert(text));
        }
    }
    let again = users(&source.clone(), 5, Phase::Cold);
    assert_eq!(again, users(&source, 5, Phase::Cold));
    let next_run = users(&source.salted(9), 2000, Phase::Measure);
    assert!(next_run.iter().all(|text| !seen.contains(text)));
}

#[test]
fn no_prompts_means_the_built_in_ones() {
    let source = source(|w| w.users.clear());
    assert_eq!(source.n_prompts(), 12);
    assert_eq!(source.prompt(0, Phase::Measure).system, None);
    let all: String = users(&source, 12, Phase::Measure).concat();
    assert!(all.contains('请') && all.contains('ك'));
}

#[test]
fn synthetic_prompts_have_their_lengths_in_every_run() {
    let length: LengthSpec = "normal:60,10,40,80".parse().unwrap();
    let workload = Workload {
        input_tokens: Some(length),
        output_tokens: Some("uniform:5..9".parse().unwrap()),
        ..Workload::default()
    };
    let needs = Needs {
        n_max: Some(20),
        ..Needs::of_workload(&workload, 7)
    };
    let source = PromptSource::make(needs).unwrap();
    assert_eq!(source.facts().tokenizer.as_deref(), Some("o200k_base"));
    assert_eq!(source.facts().notes, Vec::<String>::new());
    assert_eq!((source.n_prompts(), source.is_unique()), (20, true));
    let mut texts = BTreeSet::new();
    let mut lengths = BTreeSet::new();
    for salt in [0, 5] {
        let source = source.clone().salted(salt);
        for seq in 0..40 {
            let prompt = source.prompt(seq, Phase::Measure);
            let asked = prompt.input_tokens.unwrap();
            assert_eq!(
                Tokenizer::O200k.count(&prompt.user).unwrap(),
                asked as usize
            );
            assert!((40..=80).contains(&asked));
            lengths.insert(asked);
            assert!((5..=9).contains(&prompt.output_tokens.unwrap()));
            assert!(texts.insert(prompt.user));
        }
    }
    assert!(lengths.len() > 5, "{lengths:?}");
    let outputs: BTreeSet<Option<u32>> = (0..40)
        .map(|seq| source.prompt(seq, Phase::Measure).output_tokens)
        .collect();
    assert_eq!(outputs.len(), 5);
    // Counted with a default, which is not the model's own: answers are not.
    assert!(source.counter().is_none());
}

#[test]
fn fixed_and_shared_prompts_are_told_apart_from_unique_ones() {
    let of = |sharing: &str| {
        let workload = Workload {
            input_tokens: Some(LengthSpec::Fixed(50)),
            sharing: sharing.parse::<PromptSharing>().unwrap(),
            nonce: true,
            ..Workload::default()
        };
        let needs = Needs {
            n_max: Some(4),
            ..Needs::of_workload(&workload, 7)
        };
        PromptSource::make(needs).unwrap()
    };
    let fixed = of("fixed");
    assert_eq!(
        users(&fixed, 2, Phase::Measure)[0],
        users(&fixed, 2, Phase::Warmup)[1]
    );
    assert!(!fixed.is_unique());
    assert!(
        fixed.facts().notes[0].contains("sharing = fixed"),
        "{:?}",
        fixed.facts()
    );
    let shared = users(&of("shared:0.5"), 2, Phase::Measure);
    let common = shared[0].bytes().zip(shared[1].bytes());
    let common = common.take_while(|(a, b)| a == b).count();
    assert!(common > 60 && shared[0] != shared[1], "{shared:?}");
}

#[test]
fn a_dataset_is_named_hashed_and_cut_to_length() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[\"one two three four five six seven eight nine ten\", \"short\", \"\"]";
    let workload = Workload {
        input_tokens: Some(LengthSpec::Fixed(4)),
        ..with_dataset(folder.path(), "a.prompts.json", text)
    };
    let source = PromptSource::load(&workload, 1).unwrap();
    assert_eq!(
        users(&source, 2, Phase::Measure),
        ["one two three four", "short"]
    );
    assert_eq!(source.prompt(0, Phase::Measure).input_tokens, Some(4));
    assert_eq!(source.prompt(1, Phase::Measure).input_tokens, None);
    let facts = source.facts();
    assert!(facts.dataset.as_ref().unwrap().ends_with("a.prompts.json"));
    assert_eq!(facts.dataset_hash.as_ref().unwrap().len(), 64);
    assert_eq!(facts.n_rows, Some(2));
    assert!(facts.notes[0].contains("1 row of the dataset"), "{facts:?}");
    let missing = Workload {
        dataset: Some(DatasetRef::Path("/no/such".into())),
        ..Workload::default()
    };
    let issue = PromptSource::load(&missing, 1).unwrap_err();
    assert_eq!(issue.field, "workload.dataset");
    let missing = Workload {
        prompts_file: Some("/no/such".into()),
        ..Workload::default()
    };
    let issue = PromptSource::load(&missing, 1).unwrap_err();
    assert_eq!(issue.field, "workload.prompts_file");
    assert!(issue.message.contains("“/no/such”"));
}

#[test]
fn a_tokenizer_is_the_plan_s_and_a_missing_one_is_stood_in_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = small_file(folder.path());
    let of = |tokenizer| {
        PromptSource::load(
            &Workload {
                tokenizer: Some(tokenizer),
                ..workload()
            },
            1,
        )
    };
    let source = of(TokenizerRef::Path(file.clone())).unwrap();
    assert_eq!(source.facts().tokenizer, Some(file.display().to_string()));
    assert_eq!(source.counter().unwrap().count("x the").unwrap(), 2);
    let issue = of(TokenizerRef::Path("/no/such".into())).unwrap_err();
    assert_eq!(issue.field, "workload.tokenizer");
    let source = of(TokenizerRef::Server).unwrap();
    assert_eq!(source.facts().tokenizer.as_deref(), Some("o200k_base"));
    assert!(
        source.facts().notes[0].contains("/tokenize"),
        "{:?}",
        source.facts()
    );
}

fn said(role: Role, text: &str) -> Turn {
    Turn {
        role,
        text: text.into(),
    }
}

#[test]
fn a_conversation_asks_its_own_turns_after_what_was_really_said() {
    let folder = tempfile::tempdir().unwrap();
    let text = json!([
        {"conversations": [
            {"from": "system", "value": "own"}, {"from": "human", "value": "one"},
            {"from": "gpt", "value": "recorded"}, {"from": "human", "value": "two"},
            {"from": "gpt", "value": "recorded"}, {"from": "human", "value": "three"}]},
        {"conversations": [{"from": "human", "value": "alone"}]},
    ]);
    let workload = Workload {
        turns: 2,
        nonce: true,
        system: "shared".into(),
        ..with_dataset(folder.path(), "a.json", &text.to_string())
    };
    let source = PromptSource::load(&workload, 1).unwrap();
    assert_eq!(
        (source.n_turns(0), source.n_turns(1), source.n_turns(2)),
        (Some(2), Some(1), Some(2))
    );
    let first = source.turn(0, 0, &[]).unwrap();
    assert!(first.user.ends_with("] one") && first.history.is_empty());
    assert_eq!(first.system.as_deref(), Some("own"));
    let history = [
        said(Role::User, &first.user),
        said(Role::Assistant, "said now"),
    ];
    let second = source.turn(0, 1, &history).unwrap();
    assert_eq!((&*second.user, &*second.history), ("two", &history[..]));
    assert_eq!(source.turn(0, 2, &[]), None);
    assert_eq!(
        source.turn(1, 0, &[]).unwrap().system.as_deref(),
        Some("shared")
    );
    // The third conversation is the first row again, with a marker of its own.
    let again = source.turn(2, 0, &[]).unwrap();
    assert!(again.user.ends_with("] one") && again.user != first.user);
    // Single prompts ask the first turn alone.
    let single = PromptSource::load(
        &Workload {
            turns: 1,
            ..workload
        },
        1,
    )
    .unwrap();
    assert!(single.prompt(0, Phase::Measure).user.ends_with("] one"));
}

#[test]
fn plain_prompts_make_conversations_of_as_many_turns() {
    let source = source(|w| w.turns = 2);
    let asked: String = (0..3)
        .flat_map(|c| (0..2).map(move |t| (c, t)))
        .map(|(c, t)| source.turn(c, t, &[]).unwrap().user.to_string())
        .collect();
    assert_eq!(asked, "abcabc");
    assert_eq!(source.n_turns(77), Some(2));
}

#[test]
fn messages_bring_their_history_along() {
    let folder = tempfile::tempdir().unwrap();
    let line = json!({"messages": [
        {"role": "user", "content": "before"}, {"role": "assistant", "content": "answered"},
        {"role": "user", "content": "now"}], "max_tokens": 5});
    let workload = with_dataset(folder.path(), "a.jsonl", &format!("{line}\n"));
    let prompt = PromptSource::load(&workload, 1)
        .unwrap()
        .prompt(0, Phase::Measure);
    let history = [
        said(Role::User, "before"),
        said(Role::Assistant, "answered"),
    ];
    assert_eq!((&*prompt.user, &*prompt.history), ("now", &history[..]));
    assert_eq!(prompt.output_tokens, Some(5));
    let plan_says = Workload {
        max_tokens: Some(9),
        ..workload
    };
    let prompt = PromptSource::load(&plan_says, 1)
        .unwrap()
        .prompt(0, Phase::Measure);
    assert_eq!(prompt.output_tokens, None);
}

#[test]
fn a_picture_goes_into_the_message_or_into_the_input() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.png"), "png").unwrap();
    std::fs::write(folder.path().join("b.wav"), "wav").unwrap();
    let workload = Workload {
        dataset: Some(DatasetRef::Path(folder.path().to_owned())),
        ..Workload::default()
    };
    let of = |protocol| {
        PromptSource::make(Needs {
            protocol,
            ..Needs::of_workload(&workload, 1)
        })
    };
    let gradio = of(Protocol::Gradio).unwrap();
    let file = folder.path().join("a.png").display().to_string();
    let payload = gradio.prompt(0, Phase::Measure).payload;
    assert_eq!(payload.as_deref(), Some(&json!({"": {"file": file}})));
    assert_eq!(gradio.payloads().len(), 2);
    let issue = of(Protocol::OpenAiChat).unwrap_err();
    assert!(issue.message.contains("b.wav"), "{issue:?}");
    std::fs::remove_file(folder.path().join("b.wav")).unwrap();
    let prompt = of(Protocol::OpenAiChat).unwrap().prompt(0, Phase::Measure);
    assert_eq!(
        (&*prompt.images[0].mime, &*prompt.images[0].base64),
        ("image/png", "cG5n")
    );
    assert_eq!(&*prompt.user, "Describe this picture.");
}

#[test]
fn whole_payloads_are_gradio_s_alone() {
    let folder = tempfile::tempdir().unwrap();
    let workload = with_dataset(
        folder.path(),
        "a.prompts.json",
        "[[\"hi\", 3], [\"ho\", 4]]",
    );
    let prompts = PromptSource::load(&workload, 1).unwrap();
    let payload = prompts.prompt(1, Phase::Measure).payload;
    assert_eq!(payload.as_deref(), Some(&json!(["ho", 4])));
    let needs = Needs {
        protocol: Protocol::OpenAiChat,
        ..Needs::of_workload(&workload, 1)
    };
    let issue = PromptSource::make(needs).unwrap_err();
    assert!(issue.message.contains("openai-chat"), "{issue:?}");
}

#[test]
fn a_trace_asks_its_lengths_and_its_shared_beginnings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let line = |at: u32, n: u32, ids: &str| {
        format!(
            "{{\"timestamp\": {at}, \"input_length\": {n}, \"output_length\": 7, \"hash_ids\": {ids}}}\n"
        )
    };
    let text = [
        line(0, 600, "[1, 2]"),
        line(500, 700, "[1, 3]"),
        line(900, 40, "[]"),
        line(5000, 9, "[9]"),
    ];
    std::fs::write(&path, text.concat()).unwrap();
    let needs = Needs {
        traces: vec![WantedTrace {
            stage: StageIdx::from_index(1),
            path,
            n_max: None,
            until_secs: Some(1.0),
        }],
        ..Needs::of_workload(&workload(), 3)
    };
    let source = PromptSource::make(needs).unwrap();
    assert!(source.trace(StageIdx::from_index(0)).is_none());
    let idx = StageIdx::from_index(1);
    let times: Vec<u64> = source.trace(idx).unwrap().iter().map(|r| r.at_ns).collect();
    assert_eq!(times, [0, 500_000_000, 900_000_000]);
    let prompt = |source: &PromptSource, row| source.trace_prompt(idx, row).unwrap();
    for (row, n) in [600, 700, 40].into_iter().enumerate() {
        let prompt = prompt(&source, row);
        assert_eq!(Tokenizer::O200k.count(&prompt.user).unwrap(), n as usize);
        assert_eq!(
            (prompt.input_tokens, prompt.output_tokens),
            (Some(n), Some(7))
        );
    }
    let n_common = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let (one, two) = (prompt(&source, 0).user, prompt(&source, 1).user);
    assert!(n_common(&one, &two) > 2_000, "{}", n_common(&one, &two));
    // Another run of the trace shares nothing with this one.
    let next = prompt(&source.clone().salted(1), 0).user;
    assert!(n_common(&one, &next) < 20);
    assert!(source.facts().notes[0].contains("3 of 4 requests of the Mooncake trace"));
    assert!(source.trace_prompt(idx, 3).is_none());
}

#[test]
fn what_a_template_has_no_slot_for_is_told_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = crate::domain::Plan::simple("http://h");
    plan.target.protocol = Protocol::Http;
    let trace = folder.path().join("t.csv");
    let rows = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.0,3,2\n";
    std::fs::write(&trace, rows).unwrap();
    let mut replay = plan.clone();
    replay.stages = crate::domain::Stage::closed_tiers(
        "1",
        crate::domain::ClosedMode::Steady,
        crate::domain::TierLength::Requests("1"),
    )
    .unwrap();
    replay.stages[0].load = crate::domain::Load::Replay {
        replay: trace,
        time_scale: 1.0,
        max_in_flight: None,
        when_full: crate::domain::WhenFull::Queue,
    };
    replay.target.template = Some(crate::domain::Template {
        body: "{\"q\": {{prompt}}}".to_owned(),
        ..Default::default()
    });
    let notes = PromptSource::make(Needs::of(&replay)).unwrap();
    let notes = &notes.facts().notes;
    assert!(notes[0].contains("{{max_tokens}}"), "{notes:?}");
    let mut make = |workload: &Workload, body: &str| {
        plan.workload = workload.clone();
        plan.target.template = Some(crate::domain::Template {
            body: body.to_owned(),
            ..Default::default()
        });
        PromptSource::make(Needs {
            protocol: Protocol::Http,
            ..Needs::of(&plan)
        })
    };
    let (prompt, messages) = ("{\"q\": {{prompt}}}", "{\"q\": {{messages}}}");
    let pictures = folder.path().join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    std::fs::write(pictures.join("a.png"), "png").unwrap();
    let workload = Workload {
        dataset: Some(DatasetRef::Path(pictures)),
        ..Workload::default()
    };
    let issue = make(&workload, prompt).unwrap_err();
    assert_eq!(issue.field, "workload.dataset");
    assert!(issue.message.contains("pictures"), "{issue:?}");
    assert_eq!(make(&workload, messages).unwrap().facts().notes, [""; 0]);
    let text = json!([{"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "q"}]}]);
    let workload = with_dataset(folder.path(), "a.json", &text.to_string());
    let notes = &make(&workload, prompt).unwrap().facts().notes.clone();
    assert!(notes[0].contains("{{system}}"), "{notes:?}");
    assert_eq!(make(&workload, messages).unwrap().facts().notes, [""; 0]);
}
