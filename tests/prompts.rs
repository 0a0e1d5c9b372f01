//! Prompts from outside the plan, through the binary: datasets of the Hub, lengths, and what the run file says of them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::cli::{assert_measured, code, inferometer, lines_of, quick, serve, text};

/// Gives `body` for the one path that it has, and 404 for all else.
fn hub(path: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::Builder::new()
        .spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut first = String::new();
                reader.read_line(&mut first).unwrap();
                let mut line = first.clone();
                while !line.trim().is_empty() {
                    line.clear();
                    reader.read_line(&mut line).unwrap();
                }
                let asked = first.split(' ').nth(1).unwrap_or_default();
                let (status, body) = if asked == path { (200, body) } else { (404, "no") };
                let head = format!(
                    "HTTP/1.1 {status} x\r\nconnection: close\r\nx-repo-commit: {}\r\ncontent-length: {}\r\n\r\n",
                    "a".repeat(40),
                    body.len()
                );
                // Who asked may have gone.
                (&stream).write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).ok();
            }
        })
        .unwrap();
    endpoint
}

/// A run of the demo server with these fields set, and a Hub at that address.
fn run_with(home: &Path, hub: &[(&str, &str)], fields: &[&str]) -> (Output, Vec<Value>) {
    let _quiet = crate::MACHINE.read();
    let server = serve(quick());
    let out = home.join("a.run.jsonl");
    std::fs::remove_file(&out).ok();
    let (url, out) = (server.openai_url(), out.display().to_string());
    let mut args = vec![
        "run",
        "--url",
        &url,
        "--protocol",
        "openai-chat",
        "--json",
        "-o",
        &out,
        "--set",
        "keep_text=true",
        "--iterations",
        "3",
    ];
    for field in fields {
        args.extend(["--set", field]);
    }
    let mut command = inferometer(home, &args);
    command
        .env("HF_HOME", home.join("hf"))
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_TOKEN");
    let output = command.envs(hub.iter().copied()).output().unwrap();
    let lines = if Path::new(&out).exists() {
        lines_of(Path::new(&out))
    } else {
        Vec::new()
    };
    (output, lines)
}

fn asked(lines: &[Value]) -> Vec<&Value> {
    let requests = lines.iter().filter(|line| line["type"] == "request");
    requests.map(|line| &line["prompt"]["text"]).collect()
}

#[test]
fn a_dataset_of_the_hub_is_fetched_once_and_named_in_the_file() {
    let home = tempfile::tempdir().unwrap();
    let body = "{\"prompt\": \"one\"}\n{\"question\": \"two\"}\n";
    let endpoint = hub("/datasets/owner/name/resolve/main/data/a.jsonl", body);
    let field = "workload.dataset=hf:owner/name/data/a.jsonl";
    let (output, lines) = run_with(home.path(), &[("HF_ENDPOINT", &endpoint)], &[field]);
    assert_measured(&output);
    assert_eq!(asked(&lines), ["one", "two", "one"]);
    let facts = &lines[0]["workload"];
    assert_eq!(facts["dataset"], "hf:owner/name/data/a.jsonl");
    assert_eq!(facts["n_rows"], 2);
    assert_eq!(facts["dataset_hash"].as_str().unwrap().len(), 64);
    // Offline it is the cache's.
    let (output, again) = run_with(home.path(), &[("HF_HUB_OFFLINE", "1")], &[field]);
    assert_measured(&output);
    assert_eq!(again[0]["workload"], *facts);
}

#[test]
fn a_dataset_that_cannot_be_had_says_what_was_asked_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let endpoint = hub("/nothing", "");
    let field = "workload.dataset=hf:owner/name/a.jsonl";
    for (hub, words) in [
        (("HF_ENDPOINT", endpoint.as_str()), ["404", "owner/name"]),
        (
            ("HF_ENDPOINT", "http://127.0.0.1:1"),
            ["127.0.0.1:1", "HF_ENDPOINT"],
        ),
        (
            ("HF_HUB_OFFLINE", "1"),
            ["HF_HUB_OFFLINE", "hf:owner/name/a.jsonl"],
        ),
    ] {
        let (output, lines) = run_with(home.path(), &[hub], &[field]);
        let said = text(&output.stderr);
        assert_eq!(code(&output), 2, "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert!(lines.is_empty());
    }
}

#[test]
fn a_bad_row_is_told_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("rows.jsonl");
    std::fs::write(&path, "{\"prompt\": \"fine\"}\n{\"prompt\": 7}\n").unwrap();
    let field = format!("workload.dataset={}", path.display());
    let (output, _) = run_with(home.path(), &[], &[&field]);
    let said = text(&output.stderr);
    assert_eq!(code(&output), 2, "{said}");
    assert!(
        said.contains("line 2") && said.contains("rows.jsonl"),
        "{said}"
    );
}

#[test]
fn synthetic_lengths_stand_beside_what_the_server_counted() {
    let home = tempfile::tempdir().unwrap();
    let fields = [
        "workload.input_tokens=uniform:40..60",
        "workload.output_tokens=uniform:2..4",
    ];
    let (output, lines) = run_with(home.path(), &[], &fields);
    assert_measured(&output);
    assert_eq!(lines[0]["workload"]["tokenizer"], "o200k_base");
    let requests = lines.iter().filter(|line| line["type"] == "request");
    let mut texts = std::collections::BTreeSet::new();
    for request in requests {
        let input = request["tokens_in_asked"].as_u64().unwrap();
        let output = request["tokens_out_asked"].as_u64().unwrap();
        assert!(
            (40..=60).contains(&input) && (2..=4).contains(&output),
            "{request}"
        );
        assert_eq!(request["tokens_out"], json!(output));
        assert!(texts.insert(request["prompt"]["text"].as_str().unwrap()));
    }
    assert_eq!(texts.len(), 3);
    // A tokenizer that cannot be had is stood in for, and the file says so.
    let fields = [
        "workload.input_tokens=40",
        "workload.tokenizer=hf:owner/model",
    ];
    let (output, lines) = run_with(home.path(), &[("HF_HUB_OFFLINE", "1")], &fields);
    assert_measured(&output);
    let facts = &lines[0]["workload"];
    assert_eq!(facts["tokenizer"], "o200k_base");
    assert!(
        facts["notes"].to_string().contains("HF_HUB_OFFLINE"),
        "{facts}"
    );
}
