//! The demo server over bare sockets: what tests trust must itself be tested without our own client.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use inferometer::demo::{DemoServer, Options, Script};

fn quick() -> Script {
    Script {
        prefill_ms: 1.0,
        prefill_ms_per_token: 0.0,
        step_ms: 1.0,
        step_ms_per_running: 0.0,
        cold_ms: 0.0,
        ..Script::default()
    }
}

fn exchange(server: &DemoServer, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let n = body.len();
    write!(
        stream,
        "{head} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\ncontent-length: {n}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_chat_stream_has_as_many_events_as_tokens_and_its_log_says_when() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let server = DemoServer::start(Options {
        script: quick(),
        log: Some(log.clone()),
        port: 0,
    })
    .unwrap();
    let body = r#"{"stream":true,"stream_options":{"include_usage":true},"max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
    let answer = exchange(&server, "POST /v1/chat/completions", body);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(
        answer.matches("\"content\":\"").count(),
        5 + 1,
        "five tokens and the role's empty content"
    );
    assert!(
        answer.contains("\"completion_tokens\":5") && answer.contains("data: [DONE]"),
        "{answer}"
    );
    drop(server);
    let line: serde_json::Value =
        serde_json::from_str(std::fs::read_to_string(log).unwrap().trim()).unwrap();
    let times: Vec<u64> = line["token_ns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_u64().unwrap())
        .collect();
    assert_eq!(times.len(), 5);
    assert!(times.is_sorted() && line["arrived_ns"].as_u64().unwrap() < times[0]);
}

#[test]
fn one_shot_completions_and_models_answer() {
    let server = DemoServer::start(Options {
        script: quick(),
        ..Options::default()
    })
    .unwrap();
    let answer = exchange(
        &server,
        "POST /v1/completions",
        r#"{"prompt":"hi","max_tokens":3}"#,
    );
    assert!(answer.contains("\"text\":\"light falls on \""), "{answer}");
    assert!(exchange(&server, "GET /v1/models", "").contains("demo-small"));
    assert!(exchange(&server, "POST /v1/chat/completions", "{").starts_with("HTTP/1.1 400"));
    assert!(exchange(&server, "GET /v1/nosuch", "").starts_with("HTTP/1.1 404"));
}

fn served() -> DemoServer {
    DemoServer::start(Options {
        script: quick(),
        ..Options::default()
    })
    .unwrap()
}

#[test]
fn the_tgi_side_ends_its_stream_with_the_whole_text() {
    let server = served();
    let body = r#"{"inputs":"hi","parameters":{"max_new_tokens":3,"details":true}}"#;
    let stream = exchange(&server, "POST /generate_stream", body);
    assert!(
        stream.contains("content-type: text/event-stream"),
        "{stream}"
    );
    assert_eq!(stream.matches("data: {\"index\":").count(), 3, "{stream}");
    assert_eq!(stream.matches("\"generated_text\":null").count(), 2);
    assert!(
        stream.contains("\"generated_text\":\"light falls on \""),
        "{stream}"
    );
    assert!(stream.contains("\"generated_tokens\":3") && !stream.contains("[DONE]"));
    let whole = exchange(&server, "POST /generate", body);
    for header in [
        "x-queue-time: ",
        "x-inference-time: ",
        "x-generated-tokens: 3",
    ] {
        assert!(whole.contains(header), "{whole}");
    }
    assert!(exchange(&server, "GET /info", "").contains("\"model_id\":\"demo-small\""));
    assert!(exchange(&server, "GET /health", "").starts_with("HTTP/1.1 200"));
    let refused = exchange(&server, "POST /generate", r#"{"inputs":""}"#);
    assert!(refused.starts_with("HTTP/1.1 422"), "{refused}");
    assert!(
        refused.contains("\"error_type\":\"validation\""),
        "{refused}"
    );
}

#[test]
fn the_ollama_side_writes_lines_and_its_own_times() {
    let server = served();
    let body = r#"{"model":"demo-small","messages":[{"role":"user","content":"hi"}],"options":{"num_predict":3}}"#;
    let stream = exchange(&server, "POST /api/chat", body);
    assert!(
        stream.contains("content-type: application/x-ndjson"),
        "{stream}"
    );
    assert_eq!(stream.matches("\"done\":false}\n").count(), 3, "{stream}");
    assert!(
        stream.contains("\"eval_count\":3,\"eval_duration\":"),
        "{stream}"
    );
    assert!(!stream.contains("load_duration"), "0 is left out");
    let body = r#"{"model":"demo-small","prompt":"hi","stream":false,"options":{"num_predict":2}}"#;
    let whole = exchange(&server, "POST /api/generate", body);
    assert!(whole.contains("\"response\":\"light falls \""), "{whole}");
    let missing = exchange(&server, "POST /api/chat", r#"{"model":"x"}"#);
    assert!(missing.starts_with("HTTP/1.1 404") && missing.contains("model 'x' not found"));
    let loaded = exchange(&server, "POST /api/chat", r#"{"model":"demo-small"}"#);
    assert!(loaded.contains("\"done_reason\":\"load\""), "{loaded}");
    assert!(exchange(&server, "GET /api/tags", "").contains("\"name\":\"demo-small\""));
    assert!(exchange(&server, "GET /api/version", "").contains("\"version\":"));
}

#[test]
fn the_responses_route_numbers_its_events() {
    let server = served();
    let body = r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]}],"max_output_tokens":2,"stream":true}"#;
    let stream = exchange(&server, "POST /v1/responses", body);
    let order = [
        "event: response.created",
        "\"sequence_number\":0}",
        "event: response.output_text.delta",
        "\"delta\":\"falls \"",
        "event: response.completed",
        "\"output_tokens\":2",
    ];
    let mut from = 0;
    for what in order {
        from += stream[from..]
            .find(what)
            .unwrap_or_else(|| panic!("{what} is missing or out of order in {stream}"));
    }
    let whole = exchange(
        &server,
        "POST /v1/responses",
        r#"{"input":"hi","max_output_tokens":2}"#,
    );
    assert!(whole.contains("\"text\":\"light falls \""), "{whole}");
    assert!(exchange(&server, "POST /v1/responses", "{}").starts_with("HTTP/1.1 400"));
}

#[test]
fn the_gradio_queue_tells_rank_start_edits_and_end() {
    let server = DemoServer::start(Options {
        script: quick(),
        ..Options::default()
    })
    .unwrap();
    let body = r#"{"data":["hi","",3,"plain",false,null],"fn_index":0,"session_hash":"s1","event_data":null}"#;
    assert!(exchange(&server, "POST /gradio_api/queue/join", body).contains("event_id"));
    let stream = exchange(&server, "GET /gradio_api/queue/data?session_hash=s1", "");
    let order = [
        "estimation",
        "process_starts",
        "process_generating",
        "[\"append\",[],\"falls \"]",
        "process_completed",
        "close_stream",
    ];
    let mut from = 0;
    for what in order {
        from += stream[from..]
            .find(what)
            .unwrap_or_else(|| panic!("{what} is missing or out of order in {stream}"));
    }
}

#[test]
fn the_call_wire_is_cumulative_and_a_full_line_answers_503() {
    let script = Script {
        slots: 1,
        max_waiting: 0,
        step_ms: 400.0,
        ..quick()
    };
    let server = DemoServer::start(Options {
        script,
        ..Options::default()
    })
    .unwrap();
    let post = || {
        exchange(
            &server,
            "POST /gradio_api/call/chat",
            r#"{"data":["hi","",2]}"#,
        )
    };
    let first = post();
    assert!(post().starts_with("HTTP/1.1 503"));
    let id = first
        .split("\"event_id\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap()
        .to_owned();
    let stream = exchange(&server, &format!("GET /gradio_api/call/chat/{id}"), "");
    assert!(
        stream.contains("event: generating\ndata: [\"light \",null]"),
        "{stream}"
    );
    assert!(
        stream.contains("event: complete\ndata: [\"light falls \",null]"),
        "{stream}"
    );
    assert!(exchange(&server, "GET /gradio_api/call/chat/nosuch", "").contains("404: Not Found"));
}

#[test]
fn scripts_say_what_is_wrong_with_them() {
    assert!(
        Script::parse("slots = 0")
            .unwrap_err()
            .to_string()
            .contains("`slots` is 0")
    );
    assert!(
        Script::parse("slotz = 1")
            .unwrap_err()
            .to_string()
            .contains("slotz")
    );
    for shipped in [
        include_str!("../resources/demo/default.toml"),
        include_str!("../resources/demo/rough.toml"),
    ] {
        Script::parse(shipped).unwrap();
    }
    assert!(Script::default().capacity().contains("8 slots"));
}
