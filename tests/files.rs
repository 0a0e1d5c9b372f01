//! Run files: written, killed, torn, packed, changed and opened again; hostile and foreign ones refused.

mod findings;
mod hostile;
mod journal;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use inferometer::domain::*;
use inferometer::store::*;
use serde_json::{Value, json};

fn plan() -> Plan {
    let mut plan = Plan::simple("http://127.0.0.1:8000/v1");
    plan.label.push_str("two tiers");
    plan.cold.requests = 1;
    plan.stages =
        Stage::closed_tiers("1, 4", ClosedMode::Steady, TierLength::Requests("8")).unwrap();
    plan
}

fn head() -> RunHead {
    RunHead {
        schema: SCHEMA,
        id: "2026-11-21-1432-two-tiers".to_owned(),
        tool: "inferometer 0.1.0".to_owned(),
        started: "2026-11-21T14:32:07+01:00".to_owned(),
        started_unix_ns: 1_795_267_927_000_000_000,
        label: "two tiers".to_owned(),
        tags: vec!["a".to_owned()],
        notes: String::new(),
        plan: plan(),
        environment: Environment {
            os: "Linux".to_owned(),
            cpu: "two cores".to_owned(),
            cores: 2,
            memory_bytes: 1 << 33,
            max_files: Some(1024),
        },
        server: ServerFacts::default(),
        variation: None,
        workload: Default::default(),
    }
}

/// A request of 20 ms with a token every ms after 10.
fn record(seq: u64, stage: u16, phase: Phase) -> RequestRecord {
    const MS: u64 = 1_000_000;
    let start = seq * 25 * MS;
    RequestRecord {
        stage: StageIdx(stage),
        phase,
        seq,
        user: 0,
        due_ns: None,
        dispatched_ns: start,
        sent_ns: Some(start + 1000),
        connect_ns: None,
        first_byte_ns: Some(start + 9 * MS),
        first_token_ns: Some(start + 10 * MS + seq * 1000),
        first_answer_ns: Some(start + 10 * MS + seq * 1000),
        last_token_ns: Some(start + 20 * MS),
        finish_ns: Some(start + 20 * MS),
        end_ns: start + 20 * MS + 500,
        chunk_ns: vec![MS; 10],
        chunk_tokens: None,
        chunk_shared: None,
        stamps: Stamps::Kernel,
        client_late_ns: Some(20_000),
        tokens_in: Some(7),
        tokens_out: Some(11),
        token_source: Some(TokenSource::Usage),
        outcome: Outcome::Ok,
        ended: Some(Ended::OkDone),
        http_status: Some(200),
        connection: Some(ConnectionFacts {
            kind: ConnectionKind::Reused,
            dns_ns: None,
            tcp_ns: None,
            tls_ns: None,
            address: Some("127.0.0.1:8000".to_owned()),
        }),
        gradio: None,
        server_times: ServerTimes([("eval_duration".to_owned(), 9_000_000)].into()),
        prompt: Some(TextFacts {
            chars: 5,
            hash: format!("{seq:016x}"),
            text: None,
        }),
        answer: None,
        released_ns: None,
        from_due: false,
        conversation: None,
        turn: None,
        cached_tokens: None,
        tokens_in_asked: None,
        tokens_out_asked: None,
    }
}

/// One cold request and two stages of eight, the last of which failed.
fn records() -> Vec<RequestRecord> {
    let mut records = vec![record(0, 0, Phase::Cold)];
    records.extend((1..=8).map(|seq| record(seq, 0, Phase::Measure)));
    records.extend((9..=16).map(|seq| record(seq, 1, Phase::Measure)));
    let last = records.last_mut().unwrap();
    last.outcome = Outcome::Failed(Failure::with_status(FailureKind::HttpStatus, 503, "busy"));
    last.ended = None;
    last.gradio = Some(GradioFacts {
        submit_ns: Some(5),
        ..GradioFacts::default()
    });
    records
}

fn borders() -> Vec<StageBorder> {
    let border = |stage, start_ns, end_ns| StageBorder {
        stage: StageIdx(stage),
        start_ns,
        end_ns,
        stopped: None,
        made: None,
    };
    vec![
        border(0, 0, None),
        border(0, 0, Some(225_000_000)),
        border(1, 225_000_000, Some(425_000_000)),
    ]
}

fn end_of(records: &[RequestRecord], borders: &[StageBorder]) -> EndLine {
    let mut accumulator = Accumulator::new(&plan());
    for record in records {
        accumulator.push(record);
    }
    let facts = RunFacts::default();
    EndLine {
        ended: "2026-11-21T14:32:17.5+01:00".to_owned(),
        state: EndState::Finished,
        summary: accumulator.summary(Detail::Full, borders, &facts),
        facts,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a callback")]
fn no_news(news: JournalNews) {
    panic!("{news:?}");
}

/// Writes the whole run through a journal.
fn write_run(path: &Path) -> EndLine {
    let journal = Journal::create(path, &head(), Redactor::default(), no_news).unwrap();
    let borders = borders();
    journal.border(borders[0].clone());
    for record in records() {
        journal.request(record);
    }
    journal.sample(400_000_000, health());
    borders[1..].iter().for_each(|b| journal.border(b.clone()));
    let end = end_of(&records(), &borders[1..]);
    let n_bytes = journal.finish(end.clone()).unwrap();
    assert_eq!(n_bytes, path.metadata().unwrap().len());
    assert_eq!((journal.n_lost(), journal.caution()), (0, None));
    end
}

fn health() -> Health {
    Health {
        cpu_percent: Some(12.5),
        ..Health::default()
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_is_written_is_read_again() {
    let folder = folder();
    let path = folder.path().join("a.run.jsonl");
    let end = write_run(&path);
    let run = open_run(&path).unwrap();
    assert_eq!(*run.head, head());
    assert_eq!(run.state, RunState::Finished);
    assert_eq!(*run.summary, end.summary);
    assert_eq!(run.borders, borders()[1..]);
    assert_eq!((run.points.len(), run.gaps.len()), (17, 2));
    let ttft = run.values(StageIdx(0), Phase::Measure, MetricId::Ttft);
    assert_eq!(ttft.len(), 8);
    assert!((ttft[0] - 10.001).abs() < 1e-3, "{ttft:?}");
    assert_eq!(run.file_bytes, path.metadata().unwrap().len());
    assert_eq!(run.summary.stages[1].failed, 1);
}

#[test]
fn every_line_is_what_the_schema_says() {
    let folder = folder();
    let path = folder.path().join("a.run.jsonl");
    write_run(&path);
    let schema: Value = serde_json::from_str(schema(SchemaKind::Run)).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for line in lines(&path) {
        let line: Value = serde_json::from_str(&line).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&line)
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}\n{line}");
        kinds.insert(line["type"].as_str().unwrap().to_owned());
        // Without any one of its fields that are not optional it is no such line, nor with one more.
        let optional = [
            "notes",
            "text",
            "stopped",
            "made",
            "released_ns",
            "from_due",
            "server_times",
        ];
        let sample = line["type"] == "sample";
        for name in line
            .as_object()
            .unwrap()
            .keys()
            .filter(|n| !optional.contains(&n.as_str()))
        {
            let mut broken = line.clone();
            broken.as_object_mut().unwrap().shift_remove(name);
            let is_free = sample && !["type", "at_ns", "kind"].contains(&name.as_str());
            assert_eq!(
                validator.is_valid(&broken),
                is_free,
                "without {name}: {broken}"
            );
        }
        let mut more = line.clone();
        more["more"] = json!(1);
        assert!(!validator.is_valid(&more));
    }
    assert_eq!(kinds.len(), 5);
    let mut bad = serde_json::to_value(record(1, 0, Phase::Measure)).unwrap();
    bad["type"] = json!("request");
    assert!(validator.is_valid(&bad));
    for (field, value) in [
        ("end_ns", json!(-1)),
        ("outcome", json!("failed")),
        ("outcome", json!("fine")),
        ("phase", json!("Measure")),
        ("chunk_ns", json!(["1"])),
        (
            "failure",
            json!({ "kind": "odd", "status": null, "message": "" }),
        ),
    ] {
        let mut broken = bad.clone();
        broken[field] = value;
        assert!(!validator.is_valid(&broken), "{field}");
    }
}

#[test]
fn the_schema_knows_every_word() {
    let schema = schema(SchemaKind::Run);
    for metric in MetricId::distributed() {
        assert!(schema.contains(&format!("\"{}\"", metric.key())));
    }
    let kinds = [
        FailureKind::ErrorInStream,
        FailureKind::ErrorBody,
        FailureKind::ErrorEmpty,
        FailureKind::ErrorTruncated,
        FailureKind::ErrorBadJson,
        FailureKind::StaleConnection,
        FailureKind::HttpStatus,
        FailureKind::Connect,
        FailureKind::Dns,
        FailureKind::Tls,
        FailureKind::TimeoutConnect,
        FailureKind::TimeoutFirstByte,
        FailureKind::TimeoutIdle,
        FailureKind::TimeoutTotal,
        FailureKind::Reset,
        FailureKind::Protocol,
        FailureKind::Client,
    ];
    for kind in kinds {
        assert!(schema.contains(&format!("\"{}\"", kind.id())));
    }
}

#[test]
fn packing_keeps_everything_and_the_end_is_found_from_behind() {
    let folder = folder();
    let plain = folder.path().join("a.run.jsonl");
    let end = write_run(&plain);
    let bytes = std::fs::read(&plain).unwrap();
    let packed = compress(&plain).unwrap();
    assert_eq!(packed, folder.path().join("a.run.jsonl.zst"));
    assert!(!plain.exists());
    let frames =
        memchr::memmem::find_iter(&std::fs::read(&packed).unwrap(), b"\x28\xb5\x2f\xfd").count();
    assert_eq!(frames, 2);
    let entry = read_entry(&packed);
    assert_eq!(entry.summary.as_deref(), Some(&end.summary));
    assert_eq!(entry.duration_secs, Some(10.5));
    assert_eq!(entry.load, "1, 4");
    assert_eq!(open_run(&packed).unwrap().points.len(), 17);

    annotate(&packed, None, None, Some("cold disk")).unwrap();
    assert_eq!(read_entry(&packed).notes, "cold disk");
    annotate(&packed, None, None, Some("")).unwrap();
    save_run(&packed, &plain).unwrap();
    assert_eq!(std::fs::read(&plain).unwrap(), bytes);

    // Packed by another program, in one frame: found by reading it all.
    let other = folder.path().join("b.run.jsonl.zst");
    std::fs::write(&other, zstd::encode_all(&bytes[..], 3).unwrap()).unwrap();
    assert!(read_entry(&other).summary.is_some());
    // Cut short: interrupted.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.write_all(first).unwrap();
    encoder.flush().unwrap();
    encoder.write_all(second).unwrap();
    std::fs::write(&other, encoder.finish().unwrap()).unwrap();
    let cut = std::fs::read(&other).unwrap();
    std::fs::write(&other, &cut[..cut.len() - 20]).unwrap();
    assert_eq!(open_run(&other).unwrap().state, RunState::Interrupted);
}

#[test]
fn the_library_lists_newest_first_and_names_what_it_cannot_read() {
    let folder = folder();
    for (name, at) in [("old", 1), ("new", 3), ("mid", 2)] {
        let path = folder.path().join(format!("{name}.run.jsonl"));
        let head = RunHead {
            started_unix_ns: at,
            ..head()
        };
        Journal::create(&path, &head, Redactor::default(), no_news).unwrap();
    }
    std::fs::write(folder.path().join("bad.run.jsonl"), "{}").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no run").unwrap();
    let names: Vec<(String, bool)> = list_runs(folder.path())
        .unwrap()
        .into_iter()
        .map(|e| {
            (
                e.path.file_stem().unwrap().to_string_lossy().into_owned(),
                e.error.is_some(),
            )
        })
        .collect();
    let expected = [
        ("new.run", false),
        ("mid.run", false),
        ("old.run", false),
        ("bad.run", true),
    ];
    assert_eq!(names, expected.map(|(n, e)| (n.to_owned(), e)));
}

#[test]
fn settings_and_the_form_are_kept() {
    let folder = folder();
    let places = Places::at(&folder.path().join("home")).unwrap();
    assert!(places.runs().is_dir());
    assert!(places.read_settings().is_empty());
    assert_eq!(places.read_autosave(), None);
    let settings = |value: Value| value.as_object().unwrap().clone();
    std::fs::write(
        places.settings_file(),
        r#"{"of_a_later_version": [1], "zoom": 1.5}"#,
    )
    .unwrap();
    places
        .write_settings(&settings(json!({ "theme": "dark", "zoom": null })))
        .unwrap();
    let expected = json!({ "of_a_later_version": [1], "theme": "dark" });
    assert_eq!(Value::Object(places.read_settings()), expected);

    std::fs::write(places.settings_file(), "{ broken").unwrap();
    assert!(places.read_settings().is_empty());
    places
        .write_settings(&settings(json!({ "zoom": 2 })))
        .unwrap();
    assert_eq!(Value::Object(places.read_settings()), json!({ "zoom": 2 }));

    let mut plan = plan();
    plan.target.url = String::new();
    places.write_autosave(&plan).unwrap();
    assert_eq!(
        places.read_autosave(),
        Some(plan),
        "a form need not be ready"
    );
    std::fs::write(places.autosave_file(), "\0 = [").unwrap();
    assert_eq!(places.read_autosave(), None);
}

#[test]
fn settings_of_two_windows_are_both_kept() {
    let folder = folder();
    let places = Arc::new(Places::at(folder.path()).unwrap());
    let threads: Vec<_> = (0..4)
        .map(|window| {
            let places = Arc::clone(&places);
            let work = move || {
                for i in 0..10 {
                    let changed = json!({ format!("{window}.{i}"): i });
                    places.write_settings(changed.as_object().unwrap()).unwrap();
                }
            };
            std::thread::Builder::new().spawn(work).unwrap()
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(places.read_settings().len(), 40);
}
