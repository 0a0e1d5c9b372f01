//! The binary against real servers: Gradio 6.31 and 5.50 (`tests/servers/gradio_app.py`) and llama.cpp with a tiny random
//! model. `packaging/check.sh` starts them; each test says which variable it misses. No test asks how fast this machine
//! is: times are only held against each other and against the delays that the app itself sleeps.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::{code, inferometer, lines_of, run, text};

const GRADIO6: &str = "INFEROMETER_TEST_GRADIO6";
const GRADIO5: &str = "INFEROMETER_TEST_GRADIO5";
const LLAMACPP: &str = "INFEROMETER_TEST_LLAMACPP";
const GRADIOS: [&str; 2] = [GRADIO6, GRADIO5];
const MODES: [&str; 2] = ["queue", "call"];

/// The address that a variable holds, without a slash at the end.
#[track_caller]
fn address(variable: &str) -> String {
    let value = std::env::var(variable)
        .unwrap_or_else(|_unset| panic!("{variable} is not set: run packaging/check.sh"));
    value.trim_end_matches('/').to_owned()
}

/// A run that has ended: its exit code, its summary and its file.
struct Measured {
    code: i32,
    stderr: String,
    summary: Value,
    lines: Vec<Value>,
}

impl Measured {
    /// The run file's requests in the order of sending.
    fn requests(&self) -> Vec<&Value> {
        let mut found: Vec<&Value> = self
            .lines
            .iter()
            .filter(|line| line["type"] == "request")
            .collect();
        found.sort_by_key(|line| line["seq"].as_u64());
        found
    }

    fn stage(&self, i: usize) -> &Value {
        &self.summary["stages"][i]
    }

    /// Requests of a stage that ended well and that failed.
    fn counts(&self, i: usize) -> (u64, u64) {
        let stage = self.stage(i);
        (
            stage["ok"].as_u64().unwrap(),
            stage["failed"].as_u64().unwrap(),
        )
    }

    fn has_caution(&self, id: &str) -> bool {
        let cautions = self.summary["cautions"].as_array().unwrap();
        cautions.iter().any(|caution| caution["id"] == id)
    }

    /// The run went to its end. A busy machine may make it invalid, which is not what these tests are about.
    #[track_caller]
    fn expect_done(self) -> Self {
        assert!(
            [0, 3].contains(&self.code),
            "{}: {}",
            self.code,
            self.stderr
        );
        self
    }

    /// Every request failed with these words.
    #[track_caller]
    fn expect_all_failed(self, kind: &str, status: u16, words: &str) -> Self {
        assert_eq!(self.code, 4, "{}", self.stderr);
        for request in self.requests() {
            let failure = &request["failure"];
            assert_eq!(request["outcome"], "failed", "{request}");
            assert_eq!(
                (&failure["kind"], &failure["status"]),
                (&Value::from(kind), &Value::from(status)),
                "{failure}"
            );
            assert!(
                failure["message"].as_str().unwrap().contains(words),
                "“{words}” is not in {failure}"
            );
        }
        assert_eq!(self.counts(0).0, 0);
        self
    }
}

/// Runs with `--json` and texts kept, and reads the file.
#[track_caller]
fn measure(args: &[&str]) -> Measured {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a.run.jsonl");
    let out = file.display().to_string();
    let mut all = vec!["run", "--json", "--set", "keep_text=true", "-o", &out];
    all.extend(args);
    let output = run(home.path(), &all);
    let stderr = text(&output.stderr);
    let summary = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{args:?}: no summary ({e}): {stderr}"));
    Measured {
        code: code(&output),
        stderr,
        summary,
        lines: lines_of(&file),
    }
}

/// A run of the test app's endpoint.
#[track_caller]
fn gradio(variable: &str, mode: &str, api_name: &str, args: &[&str]) -> Measured {
    let url = address(variable);
    let target = [
        "--url",
        &url,
        "--protocol",
        "gradio",
        "--gradio-mode",
        mode,
        "--api-name",
        api_name,
    ];
    let measured = measure(&[&target[..], args].concat());
    assert_eq!(
        measured.has_caution("gradio_polling"),
        variable == GRADIO5,
        "6.11 and later do not poll: {}",
        measured.summary["cautions"]
    );
    measured
}

/// A run of llama.cpp.
#[track_caller]
fn llamacpp(protocol: &str, args: &[&str]) -> Measured {
    let url = address(LLAMACPP);
    measure(&[&["--url", &url, "--protocol", protocol][..], args].concat())
}

fn detected(address: &str) -> Value {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &["detect", address, "--json"]);
    assert_eq!(code(&output), 0, "{address}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The run is refused with exit 2 and these words.
#[track_caller]
fn refused(args: &[&str], words: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &[&["run", "--json"][..], args].concat());
    let said = text(&output.stderr);
    assert_eq!(code(&output), 2, "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "“{word}” is not in: {said}");
    }
}

fn ns(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("“{value}” is no time"))
}

/// Milliseconds from a request's start to one of its marks.
fn ms_to(request: &Value, mark: &str) -> f64 {
    (ns(&request[mark]) - ns(&request["dispatched_ns"])) as f64 / 1e6
}

fn n_chunks(request: &Value) -> usize {
    request["chunk_ns"].as_array().unwrap().len() + 1
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn gradio_echo_answers_at_once() {
    for (variable, mode) in GRADIOS
        .into_iter()
        .flat_map(|v| MODES.map(|mode| (v, mode)))
    {
        let args = [
            "--user",
            "hello there",
            "--tiers",
            "1,2",
            "--requests",
            "3,4",
        ];
        let measured = gradio(variable, mode, "/echo", &args).expect_done();
        assert_eq!((measured.counts(0), measured.counts(1)), ((3, 0), (4, 0)));
        for request in measured.requests() {
            assert_eq!(
                request["answer"]["text"], "hello there",
                "{variable} {mode}"
            );
            assert_eq!(
                request["first_token_ns"],
                Value::Null,
                "an answer in one piece has no first token: {request}"
            );
            let wait = &request["gradio"]["queue_wait_ns"];
            assert_eq!(
                wait.is_null(),
                mode == "call",
                "only the queue tells: {request}"
            );
        }
        let metrics = &measured.stage(1)["metrics"];
        assert_eq!(metrics["queue_submit"]["n"], 4);
        assert_eq!(metrics["ttft"]["n"], 0);
        assert!(metrics["e2e"]["p50"].as_f64() > metrics["queue_submit"]["p50"].as_f64());
    }
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn gradio_chat_streams_token_by_token() {
    const DELAY_MS: f64 = 50.0;
    for (variable, mode) in GRADIOS
        .into_iter()
        .flat_map(|v| MODES.map(|mode| (v, mode)))
    {
        let args = [
            "--system",
            "sys",
            "--user",
            "one two three four",
            "--input",
            "delay=0.05",
            "--tiers",
            "1,2",
            "--requests",
            "2,4",
        ];
        let measured = gradio(variable, mode, "/chat", &args).expect_done();
        assert_eq!((measured.counts(0), measured.counts(1)), ((2, 0), (4, 0)));
        for request in measured.requests() {
            let what = format!("{variable} {mode}: {request}");
            assert_eq!(
                request["answer"]["text"], "[sys] four three two one ",
                "{what}"
            );
            let (ttft, total) = (ms_to(request, "first_token_ns"), ms_to(request, "end_ns"));
            let submit = ns(&request["gradio"]["submit_ns"]) as f64 / 1e6;
            assert!(ttft >= DELAY_MS && ttft > submit, "{what}");
            assert!(total >= 5.0 * DELAY_MS, "five words, a delay each: {what}");
            assert!(
                ttft < total - 2.0 * DELAY_MS,
                "the first word came well before the last: {what}"
            );
            // 5.50 polls, so that two words may come in one event.
            assert!((4..=5).contains(&n_chunks(request)), "{what}");
            assert_eq!(
                request["tokens_out"].as_u64(),
                Some(n_chunks(request) as u64),
                "{what}"
            );
            assert_eq!(request["token_source"], "chunks", "{what}");
        }
        let metrics = &measured.stage(1)["metrics"];
        assert!(
            metrics["ttft"]["p50"].as_f64() > metrics["queue_submit"]["p50"].as_f64(),
            "the clock of TTFT starts with the first POST: {metrics}"
        );
    }
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn gradio_state_is_never_shared_between_requests() {
    for mode in MODES {
        let measured = gradio(
            GRADIO6,
            mode,
            "/count",
            &["--user", "hi", "--iterations", "3"],
        );
        for request in measured.expect_done().requests() {
            assert_eq!(request["answer"]["text"], "hi:1", "{mode}");
        }
    }
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn gradio_takes_an_uploaded_image() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/7x5.png");
    let input = format!("image={}", serde_json::json!({"file": path}));
    for (variable, mode) in GRADIOS
        .into_iter()
        .flat_map(|v| MODES.map(|mode| (v, mode)))
    {
        let args = ["--input", &input, "--iterations", "2"];
        let measured = gradio(variable, mode, "/image_size", &args).expect_done();
        assert_eq!(measured.counts(0), (2, 0));
        for request in measured.requests() {
            assert_eq!(request["answer"]["text"], "7x5", "{variable} {mode}");
        }
        assert!(
            measured.stderr.contains("“7x5.png” was uploaded once"),
            "{}",
            measured.stderr
        );
    }
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn gradio_apps_that_raise_are_failures_with_the_apps_words() {
    for (variable, mode) in GRADIOS
        .into_iter()
        .flat_map(|v| MODES.map(|mode| (v, mode)))
    {
        // Below 6 the /call wire does not tell an error's message, and that is said.
        let told = |words: &'static str| match (variable, mode) {
            (GRADIO5, "call") => "without a message",
            _ => words,
        };
        gradio(
            variable,
            mode,
            "/fail",
            &["--user", "hi", "--iterations", "2"],
        )
        .expect_all_failed("error_in_stream", 200, told("bad thing: hi"));
        let args = ["--input", "n=3", "--iterations", "2"];
        let midstream = gradio(variable, mode, "/fail_midstream", &args).expect_all_failed(
            "error_in_stream",
            200,
            told("died mid stream"),
        );
        for request in midstream.requests() {
            let what = format!("{variable} {mode}: {request}");
            assert!(
                ms_to(request, "first_token_ns") >= 20.0,
                "partial times are kept: {what}"
            );
            assert!((2..=3).contains(&n_chunks(request)), "{what}");
            assert_eq!(request["finish_ns"], Value::Null, "{what}");
        }
        assert_eq!(
            midstream.stage(0)["metrics"]["ttft"]["n"],
            0,
            "no failure enters a figure"
        );
    }
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn a_full_gradio_queue_refuses_some_and_the_others_wait_in_turn() {
    for mode in MODES {
        // One runs at a time and four may wait; eight come at once.
        let args = ["--input", "secs=0.4", "--tiers", "8", "--requests", "8"];
        let measured = gradio(GRADIO6, mode, "/slow", &args).expect_done();
        let (n_ok, n_failed) = measured.counts(0);
        assert_eq!(n_ok + n_failed, 8, "{mode}");
        assert!(
            n_ok >= 4 && n_failed >= 2,
            "{mode}: {n_ok} ok, {n_failed} failed"
        );
        let requests = measured.requests();
        for failure in requests
            .iter()
            .map(|r| &r["failure"])
            .filter(|f| !f.is_null())
        {
            assert_eq!(failure["kind"], "http_status", "{failure}");
            assert_eq!(failure["status"], 503, "{failure}");
            assert!(
                failure["message"]
                    .as_str()
                    .unwrap()
                    .contains("Queue is full"),
                "{failure}"
            );
        }
        if mode == "call" {
            continue;
        }
        let mut waits: Vec<u64> = requests
            .iter()
            .filter(|r| r["outcome"] == "ok")
            .map(|r| ns(&r["gradio"]["queue_wait_ns"]))
            .collect();
        waits.sort_unstable();
        for pair in waits.windows(2) {
            assert!(
                pair[1] - pair[0] >= 300_000_000,
                "each waits for the one before: {waits:?}"
            );
        }
        let ranks: Vec<u64> = requests
            .iter()
            .filter_map(|r| r["gradio"]["rank"].as_u64())
            .collect();
        assert!(ranks.iter().any(|rank| *rank >= 1), "{ranks:?}");
    }
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn gradio_is_detected_with_its_typed_inputs() {
    for (variable, version) in [(GRADIO6, "gradio 6.31"), (GRADIO5, "gradio 5.50")] {
        let info = detected(&address(variable));
        assert_eq!(info["protocol"], "gradio");
        let name = info["facts"]["name"].as_str().unwrap();
        assert!(name.starts_with(version), "{name}");
        let endpoints = info["endpoints"].as_array().unwrap();
        let names: Vec<&str> = endpoints
            .iter()
            .map(|e| e["api_name"].as_str().unwrap())
            .collect();
        let all = [
            "/echo",
            "/chat",
            "/count",
            "/image_size",
            "/fail",
            "/fail_midstream",
            "/slow",
        ];
        assert_eq!(names, all, "{variable}");
        let of = |name: &str| endpoints.iter().find(|e| e["api_name"] == name).unwrap();
        let inputs = |name: &str| -> Vec<(String, String)> {
            let inputs = of(name)["inputs"].as_array().unwrap();
            let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            inputs
                .iter()
                .map(|i| (text(&i["name"]), text(&i["kind"]["kind"])))
                .collect()
        };
        let pair = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
        assert_eq!(
            inputs("/chat"),
            [
                pair("system", "text"),
                pair("message", "text"),
                pair("delay", "slider")
            ]
        );
        assert_eq!(inputs("/image_size"), [pair("image", "file")]);
        assert_eq!(inputs("/fail_midstream"), [pair("n", "number")]);
        assert_eq!(
            inputs("/count"),
            [pair("text", "text")],
            "state is not asked for"
        );
        assert_eq!(of("/chat")["generator"], true);
        assert_eq!(of("/echo")["generator"], false);
        assert_eq!(of("/chat")["user_input"], "message");
        assert_eq!(of("/chat")["system_input"], "system");
    }
    let info = detected(&format!("{}/gradio_api/call/chat", address(GRADIO6)));
    assert_eq!(info["url"], address(GRADIO6));
    assert_eq!(info["facts"]["api_name"], "/chat");
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn a_full_gradio_route_names_app_and_endpoint() {
    let url = format!("{}/gradio_api/call/chat", address(GRADIO6));
    let measured = measure(&[
        "--url",
        &url,
        "--user",
        "one two",
        "--input",
        "delay=0.01",
        "--iterations",
        "2",
    ])
    .expect_done();
    assert_eq!(measured.counts(0), (2, 0));
    assert_eq!(measured.lines[0]["server"]["api_name"], "/chat");
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn a_plan_that_does_not_fit_the_gradio_app_is_refused_with_what_fits() {
    let url = address(GRADIO6);
    let with = |more: &[&'static str]| [&["--url", &url, "--iterations", "1"][..], more].concat();
    refused(
        &with(&["--api-name", "/nope"]),
        &["/nope", "/echo", "/chat", "/slow"],
    );
    refused(
        &with(&["--api-name", "/chat", "--input", "temperature=1"]),
        &["temperature", "system, message, delay"],
    );
    refused(
        &with(&["--api-name", "/chat", "--input", "delay=fast"]),
        &["--input", "“delay”", "“fast”", "number from 0 to 1"],
    );
    refused(
        &with(&[
            "--api-name",
            "/image_size",
            "--input",
            r#"image={"file":"/nonexistent.png"}"#,
        ]),
        &["--input", "“image”", "nonexistent.png"],
    );
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn llamacpp_streams_chat_completions_and_responses() {
    for protocol in ["openai-chat", "openai-completions", "openai-responses"] {
        let args = [
            "--user",
            "the quick brown fox",
            "--max-tokens",
            "40",
            "--tiers",
            "1,3",
            "--requests",
            "6,9",
        ];
        let measured = llamacpp(protocol, &args).expect_done();
        for (i, n) in [(0, 6), (1, 9)] {
            let (n_ok, n_failed) = measured.counts(i);
            assert_eq!(n_ok + n_failed, n);
            let metrics = &measured.stage(i)["metrics"];
            assert_eq!(metrics["ttft"]["n"].as_u64(), Some(n_ok), "{protocol}");
            assert_eq!(metrics["e2e"]["n"].as_u64(), Some(n_ok), "{protocol}");
            assert_eq!(measured.stage(i)["token_source"], "usage");
        }
        let requests = measured.requests();
        for request in &requests {
            if request["outcome"] == "failed" {
                // It closes a connection after a stream though it says keep-alive: a send can meet that.
                assert_eq!(request["failure"]["kind"], "stale_connection", "{request}");
                continue;
            }
            assert_eq!(request["ended"], "ok_done", "{request}");
            assert_eq!(request["tokens_out"], 40, "max_tokens is kept: {request}");
            assert!(request["tokens_in"].as_u64().unwrap() > 3, "{request}");
            assert!(n_chunks(request) > 10, "{request}");
            assert!(ms_to(request, "first_token_ns") <= ms_to(request, "last_token_ns"));
            assert!(!request["answer"]["text"].as_str().unwrap().is_empty());
        }
        let n_stale = requests.iter().filter(|r| r["outcome"] == "failed").count();
        assert!(
            n_stale <= 4,
            "learnt at the first, {n_stale} of 15 met a closed connection"
        );
    }
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn llamacpp_in_one_piece_has_no_first_token() {
    for protocol in ["openai-chat", "openai-completions", "openai-responses"] {
        let args = [
            "--set",
            "target.stream=false",
            "--max-tokens",
            "7",
            "--tiers",
            "2",
            "--requests",
            "4",
        ];
        let measured = llamacpp(protocol, &args).expect_done();
        assert_eq!(measured.counts(0), (4, 0), "{protocol}");
        assert_eq!(measured.stage(0)["metrics"]["ttft"]["n"], 0);
        assert_eq!(measured.stage(0)["metrics"]["e2e"]["n"], 4);
        for request in measured.requests() {
            assert_eq!(request["first_token_ns"], Value::Null);
            assert_eq!(
                (&request["tokens_out"], &request["token_source"]),
                (&7.into(), &"usage".into())
            );
            assert!(request["answer"]["chars"].as_u64() > Some(0), "{request}");
        }
    }
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn llamacpps_own_route_is_measured_by_a_template() {
    let base = address(LLAMACPP);
    let root = base.trim_end_matches("/v1");
    let template = r#"target.template={ path = "/completion", body = '{"prompt": {{prompt}}, "n_predict": {{max_tokens}}, "stream": true}', framing = "sse", token = "/content", done = "/stop", error = "/error", tokens_in = "/tokens_evaluated", tokens_out = "/tokens_predicted" }"#;
    let args = [
        "--url",
        root,
        "--protocol",
        "http",
        "--set",
        template,
        "--user",
        "the quick brown fox",
        "--max-tokens",
        "12",
        "--iterations",
        "4",
    ];
    let measured = measure(&args).expect_done();
    assert_eq!(measured.counts(0).0 + measured.counts(0).1, 4);
    for request in measured.requests() {
        if request["outcome"] == "failed" {
            // As above: it closes connections after a stream.
            assert_eq!(request["failure"]["kind"], "stale_connection", "{request}");
            continue;
        }
        assert_eq!(request["ended"], "ok_done", "{request}");
        assert_eq!(
            (&request["tokens_out"], &request["token_source"]),
            (&12.into(), &"usage".into())
        );
        assert!(request["tokens_in"].as_u64() > Some(3), "{request}");
        assert_eq!(n_chunks(request), 12, "{request}");
    }
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn llamacpp_is_found_at_any_of_its_addresses() {
    let base = address(LLAMACPP);
    let root = base.trim_end_matches("/v1");
    let host = root.trim_start_matches("http://");
    let chat = format!("{base}/chat/completions");
    let completions = format!("{base}/completions");
    let responses = format!("{base}/responses");
    for (url, protocol) in [
        (base.as_str(), "openai-chat"),
        (root, "openai-chat"),
        (host, "openai-chat"),
        (&chat, "openai-chat"),
        (&completions, "openai-completions"),
        (&responses, "openai-responses"),
    ] {
        let info = detected(url);
        assert_eq!(info["protocol"], protocol, "{url}");
        assert_eq!(info["models"], serde_json::json!(["tiny"]), "{url}");
        assert_eq!(info["url"], base.as_str(), "{url}");
        assert!(
            info["facts"]["name"]
                .as_str()
                .unwrap()
                .starts_with("llama.cpp"),
            "{url}"
        );
        let measured =
            measure(&["--url", url, "--max-tokens", "3", "--iterations", "1"]).expect_done();
        assert_eq!(measured.counts(0), (1, 0), "{url}");
        assert_eq!(measured.lines[0]["server"]["protocol"], protocol, "{url}");
        assert_eq!(
            measured.lines[0]["server"]["model"], "tiny",
            "the first of the list"
        );
    }
}

/// What llama.cpp itself counts in a text.
fn n_tokens_by_llamacpp(text: &str) -> u64 {
    let base = address(LLAMACPP);
    let host = base.trim_start_matches("http://").trim_end_matches("/v1");
    let body = serde_json::json!({ "content": text }).to_string();
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST /tokenize HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (from, to) = (answer.find('{').unwrap(), answer.rfind('}').unwrap());
    let answer: Value = serde_json::from_str(&answer[from..=to]).unwrap();
    answer["tokens"].as_array().unwrap().len() as u64
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn llamacpp_counts_in_synthetic_prompts_what_was_asked() {
    for sharing in ["unique", "shared:0.5", "fixed"] {
        let sharing = format!("workload.sharing={sharing}");
        let args = [
            "--iterations",
            "8",
            "--set",
            "keep_text=true",
            "--set",
            &sharing,
            "--set",
            "workload.tokenizer=server",
            "--set",
            "workload.input_tokens=normal:120,30,60,200",
            "--set",
            "workload.output_tokens=uniform:3..8",
            "--set",
            "workload.ignore_eos=true",
        ];
        let measured = llamacpp("openai-chat", &args).expect_done();
        let facts = &measured.lines[0]["workload"];
        assert!(
            facts["tokenizer"].as_str().unwrap().ends_with("/tokenize"),
            "{facts}"
        );
        assert_eq!(facts["notes"], Value::Null, "{facts}");
        let requests = measured.requests();
        assert_eq!(requests.len(), 8);
        for request in requests {
            let text = request["prompt"]["text"].as_str().unwrap();
            assert_eq!(
                request["tokens_in_asked"],
                n_tokens_by_llamacpp(text),
                "{text}"
            );
            if request["outcome"] == "ok" {
                assert_eq!(request["tokens_out"], request["tokens_out_asked"]);
                // The chat's own frame comes on top.
                assert!(request["tokens_in"].as_u64() > request["tokens_in_asked"].as_u64());
            }
        }
    }
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn llamacpp_is_asked_the_rows_of_a_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talks.json");
    let rows = serde_json::json!([
        {"id": "a", "conversations": [
            {"from": "system", "value": "Be brief"}, {"from": "human", "value": "One?"},
            {"from": "gpt", "value": "recorded"}, {"from": "human", "value": "Two?"}]},
        {"conversations": [{"role": "user", "content": "Alone?"}]},
    ]);
    std::fs::write(&path, rows.to_string()).unwrap();
    let dataset = format!("workload.dataset={}", path.display());
    let args = [
        "--iterations",
        "2",
        "--max-tokens",
        "3",
        "--set",
        "keep_text=true",
        "--set",
        &dataset,
    ];
    let measured = llamacpp("openai-chat", &args).expect_done();
    let texts: Vec<&Value> = measured
        .requests()
        .iter()
        .map(|r| &r["prompt"]["text"])
        .collect();
    assert_eq!(texts, ["Be brief\n\nOne?", "Alone?"]);
    let facts = &measured.lines[0]["workload"];
    assert_eq!(
        (
            &facts["n_rows"],
            facts["dataset_hash"].as_str().unwrap().len()
        ),
        (&2.into(), 64)
    );
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn gradio_is_sent_a_folder_s_pictures_and_whole_rows() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("a.png");
    std::fs::copy("tests/data/7x5.png", &picture).unwrap();
    let pictures = format!("workload.dataset={}", folder.path().display());
    let rows_folder = tempfile::tempdir().unwrap();
    let path = rows_folder.path().join("app.prompts.json");
    std::fs::write(&path, r#"[["sys", "first", 0], ["sys", "second", 0]]"#).unwrap();
    let rows = format!("workload.dataset={}", path.display());
    for (variable, mode) in GRADIOS
        .into_iter()
        .flat_map(|v| MODES.map(|mode| (v, mode)))
    {
        let answers = |api_name: &str, dataset: &str| -> Vec<String> {
            let args = [
                "--iterations",
                "2",
                "--set",
                "keep_text=true",
                "--set",
                dataset,
            ];
            let measured = gradio(variable, mode, api_name, &args).expect_done();
            let requests = measured.requests();
            let text = |r: &&Value| r["answer"]["text"].as_str().unwrap().to_owned();
            requests.iter().map(text).collect()
        };
        assert_eq!(answers("/image_size", &pictures), ["7x5", "7x5"]);
        let said = answers("/chat", &rows);
        assert!(
            said[0].contains("[sys] first") && said[1].contains("[sys] second"),
            "{said:?}"
        );
    }
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn llamacpp_turns_carry_its_own_answers_and_meet_its_cache() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talks.json");
    let rows = serde_json::json!([{"conversations": [
        {"from": "system", "value": "Be brief"}, {"from": "human", "value": "One?"},
        {"from": "gpt", "value": "recorded"}, {"from": "human", "value": "Two?"},
        {"from": "human", "value": "Three?"}]}]);
    std::fs::write(&path, rows.to_string()).unwrap();
    let dataset = format!("workload.dataset={}", path.display());
    let args = [
        "--iterations",
        "3",
        // A random model may end at once, and nearly half of its tokens are no text: a few would now and then say nothing.
        "--ignore-eos",
        "--max-tokens",
        "32",
        "--set",
        "keep_text=true",
        "--set",
        "workload.turns=3",
        "--set",
        &dataset,
    ];
    let measured = llamacpp("openai-chat", &args).expect_done();
    let mut said = "Be brief".to_owned();
    let mut cached = 0;
    for (request, (turn, asked)) in measured
        .requests()
        .iter()
        .zip(["One?", "Two?", "Three?"].iter().enumerate())
    {
        assert_eq!(
            (&request["conversation"], &request["turn"]),
            (&0.into(), &turn.into())
        );
        said = format!("{said}\n\n{asked}");
        assert_eq!(request["prompt"]["text"], said.as_str());
        said = format!("{said}\n\n{}", request["answer"]["text"].as_str().unwrap());
        if turn > 0 {
            let now = request["cached_tokens"].as_u64().unwrap();
            assert!(now > cached, "turn {turn}: {now} after {cached}");
            cached = now;
        }
    }
    assert_eq!(measured.requests().len(), 3);
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn llamacpp_is_replayed_a_trace_with_its_lengths_and_shared_beginnings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let line = |ms: u32, n: u32, ids: &str| {
        format!(
            "{{\"timestamp\": {ms}, \"input_length\": {n}, \"output_length\": 4, \"hash_ids\": {ids}}}\n"
        )
    };
    let rows = [
        line(0, 600, "[1, 2]"),
        line(400, 700, "[1, 3]"),
        line(800, 90, "[7]"),
    ];
    std::fs::write(&path, rows.concat()).unwrap();
    let trace = path.display().to_string();
    let args = [
        "--replay",
        &trace,
        "--tokenizer",
        "server",
        "--set",
        "keep_text=true",
        "--ignore-eos",
    ];
    let measured = llamacpp("openai-chat", &args).expect_done();
    let requests = measured.requests();
    assert_eq!(requests.len(), 3);
    for (request, n) in requests.iter().zip([600, 700, 90]) {
        assert_eq!(request["tokens_in_asked"], n);
        let text = request["prompt"]["text"].as_str().unwrap();
        assert_eq!(n_tokens_by_llamacpp(text), n);
        assert_eq!(request["tokens_out"], 4, "{request}");
    }
    // The second request's first block is the first one's.
    assert!(
        requests[1]["cached_tokens"].as_u64().unwrap() >= 500,
        "{}",
        requests[1]
    );
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn llamacpp_refusals_are_failures_with_its_words() {
    let long = "quick brown fox ".repeat(2000);
    llamacpp("openai-chat", &["--user", &long, "--iterations", "2"]).expect_all_failed(
        "http_status",
        400,
        "exceeds the available context size",
    );
    let wrong = r#"workload.extra_body={"messages":5}"#;
    llamacpp("openai-chat", &["--set", wrong, "--iterations", "2"]).expect_all_failed(
        "http_status",
        400,
        "'messages' to be an array",
    );
    let base = address(LLAMACPP);
    let home = tempfile::tempdir().unwrap();
    let nowhere = format!("{base}/nowhere/v1");
    let args = [
        "run",
        "--url",
        &nowhere,
        "--protocol",
        "openai-chat",
        "--iterations",
        "1",
    ];
    let output = run(home.path(), &args);
    assert_ne!(code(&output), 0, "{}", text(&output.stdout));
}

/// What cannot be sent by us: its answer is still the shape that we explain.
#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn llamacpp_says_of_a_broken_body_what_is_wrong() {
    let base = address(LLAMACPP);
    let host = base.trim_start_matches("http://").trim_end_matches("/v1");
    let mut stream = TcpStream::connect(host).unwrap();
    let body = "{\"messages\": [";
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
    assert!((400..=500).contains(&status), "{head}");
    let said = inferometer::protocol::said::message_in_body(body.as_bytes());
    assert!(said.contains("parse error"), "{said}");
    assert!(
        !said.starts_with('{'),
        "the message alone, not its JSON: {said}"
    );
}

#[cfg(unix)]
#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn a_run_aborted_in_mid_stream_leaves_llamacpp_free() {
    let home = tempfile::tempdir().unwrap();
    let file: PathBuf = home.path().join("a.run.jsonl");
    let (url, out) = (address(LLAMACPP), file.display().to_string());
    let args = [
        "run",
        "--url",
        &url,
        "--protocol",
        "openai-chat",
        "--max-tokens",
        "1900",
        "--set",
        r#"workload.extra_body={"ignore_eos":true}"#,
        "--tiers",
        "4",
        "--duration",
        "60s",
        "-o",
        &out,
        "--json",
    ];
    let child = inferometer(home.path(), &args)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    crate::cli::wait_for_requests(&file, 1);
    crate::cli::signal(&child, "INT");
    std::thread::sleep(std::time::Duration::from_millis(30));
    crate::cli::signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 130, "{}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        summary["stages"][0]["cancelled"].as_u64() >= Some(1),
        "{}",
        summary["stages"][0]
    );
    let again = llamacpp("openai-chat", &["--max-tokens", "5", "--iterations", "2"]).expect_done();
    let first = again.requests()[0].clone();
    assert_eq!(first["outcome"], "ok", "{first}");
    assert!(
        ms_to(&first, "end_ns") < 20_000.0,
        "it does not wait for the aborted streams: {first}"
    );
}
