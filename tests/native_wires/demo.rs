//! Whole runs of the binary against the demo server, one for each wire, held against the server's own log.

use std::path::Path;

use inferometer::demo::{DemoServer, Options, Script};
use serde_json::Value;

use crate::cli::{assert_measured, lines_of, run};

fn script() -> Script {
    Script {
        prefill_ms: 5.0,
        prefill_ms_per_token: 0.0,
        step_ms: 3.0,
        step_ms_per_running: 0.0,
        cold_ms: 0.0,
        jitter: 0.0,
        ..Script::default()
    }
}

/// The request lines of a run, and the lines of the server's log.
fn measure(home: &Path, script: Script, args: &dyn Fn(&DemoServer) -> Vec<String>) -> Measured {
    let log = home.join("demo.log");
    let server = DemoServer::start(Options {
        script,
        log: Some(log.clone()),
        port: 0,
    })
    .unwrap();
    let out = home.join("a.run.jsonl");
    let mut all: Vec<String> = ["run", "--json", "--user", "What falls on two slits?"]
        .map(str::to_owned)
        .to_vec();
    all.extend(
        [
            "--tiers",
            "2",
            "--requests",
            "6",
            "--max-tokens",
            "9",
            "--out",
        ]
        .map(str::to_owned),
    );
    all.push(out.display().to_string());
    all.extend(args(&server));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let output = run(home, &all);
    drop(server);
    let log = std::fs::read_to_string(log).unwrap();
    Measured {
        requests: requests_of(&out),
        log: log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        output,
    }
}

fn requests_of(path: &Path) -> Vec<Value> {
    let mut lines = lines_of(path);
    lines.retain(|line| line["type"] == "request");
    lines
}

struct Measured {
    output: std::process::Output,
    requests: Vec<Value>,
    log: Vec<Value>,
}

fn protocol(protocol: &str, route: &str, more: &[&str]) -> impl Fn(&DemoServer) -> Vec<String> {
    let (protocol, route) = (protocol.to_owned(), route.to_owned());
    let more: Vec<String> = more.iter().map(|arg| (*arg).to_owned()).collect();
    move |server| {
        let url = format!("http://{}{route}", server.address());
        let mut args = vec![
            "--url".to_owned(),
            url,
            "--protocol".to_owned(),
            protocol.clone(),
        ];
        args.extend(more.clone());
        args
    }
}

const ANSWER: &str = "light falls on two slits and the screen shows ";

#[test]
fn every_wire_streams_what_the_server_sent() {
    for (id, url, route) in [
        ("tgi", "", "generate_stream"),
        ("ollama", "", "api_chat"),
        ("ollama", "/api/generate", "api_generate"),
        ("openai-responses", "/v1", "responses"),
        ("openai-responses", "/v1/responses", "responses"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let args = protocol(id, url, &["--set", "keep_text=true"]);
        let measured = measure(home.path(), script(), &args);
        assert_measured(&measured.output);
        assert_eq!(measured.log.len(), 6, "{id}");
        assert!(
            measured.log.iter().all(|entry| entry["route"] == route),
            "{id}"
        );
        for request in &measured.requests {
            assert_eq!(request["ended"], "ok_done", "{id}: {request}");
            assert_eq!(request["tokens_out"], 9, "{id}");
            assert_eq!(request["token_source"], "usage", "{id}");
            assert_eq!(
                request["tokens_in"], measured.log[0]["prompt_tokens"],
                "{id}"
            );
            assert_eq!(request["chunk_ns"].as_array().unwrap().len(), 8, "{id}");
            assert_eq!(request["answer"]["text"], ANSWER, "{id}");
            assert!(request["first_token_ns"].as_u64() < request["finish_ns"].as_u64());
            assert_eq!(
                request.get("server_times").is_some(),
                id == "ollama",
                "{id}"
            );
        }
    }
}

#[test]
fn the_servers_own_times_are_kept_beside_ours() {
    let home = tempfile::tempdir().unwrap();
    let measured = measure(home.path(), script(), &protocol("ollama", "", &[]));
    for request in &measured.requests {
        let ns = |name: &str| request["server_times"][name].as_u64().unwrap();
        let ours = request["end_ns"].as_u64().unwrap() - request["dispatched_ns"].as_u64().unwrap();
        let parts = ns("prompt_eval_duration") + ns("eval_duration");
        assert!(parts <= ns("total_duration"), "{request}");
        assert!(ns("total_duration") <= ours, "{request}");
    }
    let home = tempfile::tempdir().unwrap();
    let one_shot = protocol("tgi", "", &["--set", "target.stream=false"]);
    let measured = measure(home.path(), script(), &one_shot);
    assert_measured(&measured.output);
    for request in &measured.requests {
        assert_eq!(request["first_token_ns"], Value::Null);
        assert_eq!(request["tokens_out"], 9);
        let ns = |name: &str| request["server_times"][name].as_u64().unwrap();
        assert!(ns("x-inference-time") <= ns("x-total-time"), "{request}");
    }
}

#[test]
fn a_template_measures_what_it_describes() {
    let chat = r#"target.template={ path = "/v1/chat/completions", body = '{"messages": {{messages}}, "max_tokens": {{max_tokens}}, "stream": true}', framing = "sse", token = "/choices/0/delta/content", done = "[DONE]" }"#;
    let lines = r#"target.template={ path = "/api/generate", body = '{"model": "demo-small", "prompt": {{prompt}}, "options": {"num_predict": {{max_tokens}}}}', framing = "ndjson", token = "/response", done = "/done", tokens_out = "/eval_count" }"#;
    let whole = r#"target.template={ path = "/generate", body = '{"inputs": {{prompt}}, "parameters": {"max_new_tokens": {{max_tokens}}, "details": true}}', framing = "one-shot", token = "/generated_text", tokens_out = "/details/generated_tokens" }"#;
    for (template, route, n_chunks, source) in [
        (chat, "chat", 9, "chunks"),
        (lines, "api_generate", 9, "usage"),
        (whole, "generate", 0, "usage"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let more = ["--set", template, "--set", "keep_text=true"];
        let measured = measure(home.path(), script(), &protocol("http", "", &more));
        assert_measured(&measured.output);
        assert!(
            measured.log.iter().all(|entry| entry["route"] == route),
            "{route}"
        );
        assert_eq!(measured.requests.len(), 6, "{route}");
        for request in &measured.requests {
            assert_eq!(request["ended"], "ok_done", "{route}: {request}");
            assert_eq!(request["answer"]["text"], ANSWER, "{route}");
            assert_eq!(request["tokens_out"], 9, "{route}");
            assert_eq!(request["token_source"], source, "{route}");
            let n = request["chunk_ns"].as_array().unwrap().len();
            assert_eq!(n + usize::from(n_chunks > 0), n_chunks, "{route}");
        }
    }
}

#[test]
fn failures_are_told_as_each_wire_tells_them() {
    for (id, url) in [("tgi", ""), ("ollama", ""), ("openai-responses", "/v1")] {
        let home = tempfile::tempdir().unwrap();
        let failing = Script {
            error_share: 1.0,
            ..script()
        };
        let measured = measure(home.path(), failing, &protocol(id, url, &[]));
        assert_eq!(measured.requests.len(), 6, "{id}");
        let mut n_in_stream = 0;
        for request in &measured.requests {
            assert_eq!(request["outcome"], "failed", "{id}: {request}");
            let failure = &request["failure"];
            let message = failure["message"].as_str().unwrap();
            assert!(message.contains("the demo script wants"), "{id}: {message}");
            match failure["kind"].as_str().unwrap() {
                "error_in_stream" => n_in_stream += 1,
                kind => assert_eq!(
                    (kind, &failure["status"]),
                    ("http_status", &500.into()),
                    "{id}"
                ),
            }
        }
        assert!(n_in_stream > 0, "{id}");
    }
}

#[test]
fn reasoning_is_a_token_and_no_answer() {
    for (id, url) in [
        ("ollama", ""),
        ("ollama", "/api/generate"),
        ("openai-responses", "/v1"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let thinking = Script {
            reasoning_tokens: 4,
            ..script()
        };
        let measured = measure(
            home.path(),
            thinking,
            &protocol(id, url, &["--set", "keep_text=true"]),
        );
        assert_measured(&measured.output);
        for request in &measured.requests {
            let ns = |name: &str| request[name].as_u64().unwrap();
            assert!(
                ns("first_token_ns") < ns("first_answer_ns"),
                "{id}{url}: {request}"
            );
            assert_eq!(
                request["answer"]["text"], "slits and the screen shows ",
                "{id}{url}"
            );
        }
    }
}
