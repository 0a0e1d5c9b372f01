//! The binary as scripts and CI jobs use it: exit codes, JSON on stdout, files that are kept.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use inferometer::demo::{DemoServer, Options, Script};
use serde_json::Value;

pub(crate) fn quick() -> Script {
    Script {
        slots: 16,
        prefill_ms: 2.0,
        prefill_ms_per_token: 0.0,
        step_ms: 1.0,
        step_ms_per_running: 0.0,
        cold_ms: 20.0,
        output_tokens: 8,
        ..Script::default()
    }
}

pub(crate) fn serve(script: Script) -> DemoServer {
    DemoServer::start(Options {
        script,
        ..Options::default()
    })
    .unwrap()
}

/// The binary with a home of its own, so that tests never meet.
pub(crate) fn inferometer(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inferometer"));
    command
        .args(args)
        .env("INFEROMETER_HOME", home)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null());
    command
}

pub(crate) fn run(home: &Path, args: &[&str]) -> Output {
    let _quiet = crate::MACHINE.read();
    inferometer(home, args).output().unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit 0, or 3 for nothing but that this machine was busy with other tests meanwhile.
#[track_caller]
pub(crate) fn assert_measured(output: &Output) {
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let reasons = summary["verdict"]["reasons"].as_array();
    let is_busy = |reason: &Value| {
        let reason = reason.as_str().unwrap();
        reason.starts_with("A 10 ms ticker") || reason.starts_with("This program used")
    };
    let is_all_busy = reasons.is_some_and(|r| !r.is_empty() && r.iter().all(is_busy));
    assert!(
        code(output) == 0 || (code(output) == 3 && is_all_busy),
        "{}: {}\n{}",
        code(output),
        text(&output.stderr),
        text(&output.stdout)
    );
}

pub(crate) fn lines_of(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn tiers_give_one_entry_each_and_the_file_says_the_same() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    let file = home.path().join("a.run.jsonl");
    let (url, out) = (server.openai_url(), file.display().to_string());
    let args = [
        "run",
        "--url",
        &url,
        "--protocol",
        "openai-chat",
        "--tiers",
        "1,4",
        "--requests",
        "6,12",
        "--cold",
        "2",
        "--warmup",
        "3",
        "--seed",
        "5",
        "--json",
        "-o",
        &out,
    ];
    let output = run(home.path(), &args);
    assert_measured(&output);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stages = summary["stages"].as_array().unwrap();
    assert_eq!(
        stages
            .iter()
            .map(|s| s["ok"].as_u64().unwrap())
            .collect::<Vec<_>>(),
        [6, 12]
    );
    assert_eq!(summary["cold"]["requests"].as_array().unwrap().len(), 2);
    for stage in stages {
        let ttft = &stage["metrics"]["ttft"];
        assert_eq!(ttft["n"], stage["ok"]);
        assert_eq!(ttft["unit"], "ms");
        assert!(
            ttft["min"].as_f64().unwrap() <= ttft["p50"].as_f64().unwrap(),
            "{ttft}"
        );
        assert!(
            ttft["ci95"]["p99"][1].is_null(),
            "12 requests cannot bound p99: {ttft}"
        );
        assert!(stage["metrics"]["queue_wait"]["p50"].is_null());
    }
    let lines = lines_of(&file);
    assert_eq!(
        (
            lines[0]["type"].as_str(),
            lines.last().unwrap()["type"].as_str()
        ),
        (Some("run"), Some("end"))
    );
    let phases: Vec<&str> = lines
        .iter()
        .filter(|l| l["type"] == "request")
        .map(|l| l["phase"].as_str().unwrap())
        .collect();
    let count = |phase| phases.iter().filter(|p| **p == phase).count();
    assert_eq!(
        (count("cold"), count("warmup"), count("measure")),
        (2, 3, 18)
    );
    let shown = run(home.path(), &["show", &out, "--json"]);
    assert_eq!(code(&shown), 0);
    assert_eq!(
        serde_json::from_slice::<Value>(&shown.stdout).unwrap(),
        summary
    );
}

#[test]
fn the_figures_follow_from_the_file() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    let file = home.path().join("b.run.jsonl");
    let (url, out) = (server.openai_url(), file.display().to_string());
    let output = run(
        home.path(),
        &[
            "run",
            "--url",
            &url,
            "--protocol",
            "openai-chat",
            "--tiers",
            "3",
            "--requests",
            "30",
            "--json",
            "-o",
            &out,
        ],
    );
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut ttft: Vec<f64> = lines_of(&file)
        .iter()
        .filter(|l| l["type"] == "request" && l["phase"] == "measure")
        .map(|l| {
            (l["first_token_ns"].as_u64().unwrap() - l["dispatched_ns"].as_u64().unwrap()) as f64
                / 1e6
        })
        .collect();
    ttft.sort_by(f64::total_cmp);
    let shown = &summary["stages"][0]["metrics"]["ttft"];
    for (key, rank) in [("p50", 15), ("p90", 27), ("p95", 29), ("p99", 30)] {
        assert!(
            (shown[key].as_f64().unwrap() - ttft[rank - 1]).abs() < 1e-9,
            "{key}: {shown} against {ttft:?}"
        );
    }
}

#[test]
fn gradio_is_measured_over_both_wires() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    let url = server.gradio_url();
    for (mode, has_wait) in [("queue", true), ("call", false)] {
        let args = [
            "run",
            "--url",
            &url,
            "--protocol",
            "gradio",
            "--api-name",
            "/chat",
            "--gradio-mode",
            mode,
            "--input",
            "max_tokens=5",
            "--tiers",
            "2",
            "--requests",
            "6",
            "--json",
        ];
        let output = run(home.path(), &args);
        assert_measured(&output);
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        let metrics = &summary["stages"][0]["metrics"];
        assert_eq!(metrics["queue_submit"]["n"], 6, "{mode}");
        assert_eq!(
            metrics["queue_wait"]["n"].as_u64().unwrap() > 0,
            has_wait,
            "{mode}"
        );
        assert_eq!(metrics["ttft"]["n"], 6, "{mode}");
        assert!(
            metrics["ttft"]["p50"].as_f64() > metrics["queue_submit"]["p50"].as_f64(),
            "{mode}: ttft counts from the first POST"
        );
    }
}

#[test]
fn usage_errors_are_2_and_name_the_field() {
    let home = tempfile::tempdir().unwrap();
    for (args, named) in [
        (vec!["run"], "--url"),
        (
            vec!["run", "--url", "http://127.0.0.1:9/v1", "--tiers", "1, 1oo"],
            "Did you mean 100?",
        ),
        (
            vec![
                "run",
                "--url",
                "http://127.0.0.1:9/v1",
                "--set",
                "target.nosuch=1",
            ],
            "target.nosuch",
        ),
        (
            vec![
                "run",
                "--url",
                "http://127.0.0.1:9/v1",
                "--protocol",
                "smtp",
            ],
            "smtp",
        ),
        (
            vec!["run", "--url", "http://10.1.2.3/v1", "--key-env", "HOME"],
            "--key-over-http",
        ),
        (
            vec![
                "run",
                "--url",
                "http://127.0.0.1:9/v1",
                "--protocol",
                "http",
            ],
            "--template: is missing",
        ),
        (
            vec!["run", "--url", "http://127.0.0.1:9/v1", "--rate", "-1"],
            "--rate: “-1” is no rate",
        ),
        (
            vec![
                "run",
                "--url",
                "http://127.0.0.1:9/v1",
                "--turns",
                "2",
                "--think",
                "-1s",
            ],
            "--think: “-1s”",
        ),
        (
            vec!["run", "--url", "http://127.0.0.1:9/v1", "-o", "."],
            "--out: “.” is a folder",
        ),
        (
            vec![
                "run",
                "--url",
                "http://127.0.0.1:9/v1",
                "-o",
                "none/a.jsonl",
            ],
            "--out: there is no folder “none”",
        ),
        (vec!["rum"], "“rum” is no command"),
        (vec!["detect", ""], "address"),
        (vec!["detect", "curl -X"], "names no address"),
        (
            vec!["show", "/nonexistent.run.jsonl"],
            "inferometer: the file cannot be read",
        ),
    ] {
        let output = run(home.path(), &args);
        assert_eq!(code(&output), 2, "{args:?}: {}", text(&output.stderr));
        assert!(
            text(&output.stderr).contains(named),
            "{args:?}: {}",
            text(&output.stderr)
        );
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn unreachable_and_all_failed_are_4() {
    let home = tempfile::tempdir().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{closed}/v1");
    let output = run(
        home.path(),
        &[
            "run",
            "--url",
            &url,
            "--protocol",
            "openai-chat",
            "--model",
            "m",
            "--iterations",
            "2",
            "--json",
        ],
    );
    assert_eq!(code(&output), 4, "{}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        summary["stages"][0]["failed"], 2,
        "a plan that names all it needs is run"
    );
    assert_eq!(summary["errors"][0]["kind"], "connect");
    let output = run(home.path(), &["run", "--url", &url, "--json"]);
    assert_eq!(code(&output), 4, "nobody to ask for a model");
    assert!(text(&output.stderr).contains("check that the server runs"));
    assert!(output.stdout.is_empty());
    let server = serve(Script {
        error_share: 1.0,
        ..quick()
    });
    let url = server.openai_url();
    let output = run(
        home.path(),
        &[
            "run",
            "--url",
            &url,
            "--protocol",
            "openai-chat",
            "--iterations",
            "3",
            "--json",
        ],
    );
    assert_eq!(code(&output), 4, "{}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["stages"][0]["failed"], 3);
    assert_eq!(summary["stages"][0]["metrics"]["ttft"]["n"], 0);
    assert_eq!(summary["verdict"]["valid"], false);
}

#[test]
fn a_plan_file_is_checked_whole_and_flags_override_it() {
    let home = tempfile::tempdir().unwrap();
    let plan = home.path().join("x.plan.toml");
    let server = serve(quick());
    let new = run(home.path(), &["plan", "new", "--url", &server.openai_url()]);
    assert_eq!(code(&new), 0);
    std::fs::write(&plan, &new.stdout).unwrap();
    let path = plan.display().to_string();
    assert_eq!(code(&run(home.path(), &["plan", "check", &path])), 0);
    let output = run(
        home.path(),
        &[
            "run",
            &path,
            "--iterations",
            "2",
            "--set",
            "workload.max_tokens=3",
            "--label",
            "mine",
            "--json",
        ],
    );
    assert_measured(&output);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["stages"][0]["ok"], 2);
    let kept: Vec<_> = std::fs::read_dir(home.path().join("runs"))
        .unwrap()
        .collect();
    assert_eq!(kept.len(), 1, "runs land in the data folder");

    std::fs::write(
        &plan,
        "schema = 1\nseed = \"x\"\n[target]\nurl = \"\"\nnosuch = 1\n",
    )
    .unwrap();
    let check = run(home.path(), &["plan", "check", &path]);
    assert_eq!(code(&check), 2);
    let said = text(&check.stdout);
    for needed in ["line 2", "seed", "line 5", "nosuch", "stages"] {
        assert!(said.contains(needed), "“{needed}” is missing in\n{said}");
    }
}

#[test]
fn schemas_and_detection_print() {
    let home = tempfile::tempdir().unwrap();
    for kind in ["run", "plan"] {
        let output = run(home.path(), &["schema", kind]);
        assert!(
            serde_json::from_slice::<Value>(&output.stdout)
                .unwrap()
                .is_object(),
            "{kind}"
        );
    }
    let server = serve(quick());
    for (url, protocol) in [
        (server.openai_url(), "openai-chat"),
        (server.gradio_url(), "gradio"),
    ] {
        let output = run(home.path(), &["detect", &url, "--json"]);
        assert_eq!(code(&output), 0, "{url}: {}", text(&output.stderr));
        let info: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(info["protocol"], protocol, "{url}");
    }
}

/// Sends a signal by the system's own tool.
pub(crate) fn signal(child: &Child, name: &str) {
    Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .status()
        .unwrap();
}

/// Waits until the file holds that many request lines.
pub(crate) fn wait_for_requests(path: &Path, n: usize) {
    for _ in 0..600 {
        let held = std::fs::read_to_string(path).unwrap_or_default();
        if held.matches("\"type\":\"request\"").count() >= n {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{} never held {n} requests", path.display());
}

fn long_run(home: &Path, url: &str, out: &Path) -> Child {
    let out = out.display().to_string();
    inferometer(
        home,
        &[
            "run",
            "--url",
            url,
            "--protocol",
            "openai-chat",
            "--tiers",
            "4",
            "--duration",
            "60s",
            "-o",
            &out,
            "--json",
        ],
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::null())
    .spawn()
    .unwrap()
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_is_130_and_keeps_its_file() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    let file = home.path().join("c.run.jsonl");
    let child = long_run(home.path(), &server.openai_url(), &file);
    wait_for_requests(&file, 5);
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 130);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(summary["stages"][0]["ok"].as_u64().unwrap() >= 5);
    assert_eq!(
        code(&run(home.path(), &["show", &file.display().to_string()])),
        0
    );
}

#[cfg(unix)]
#[test]
fn a_killed_run_opens_as_interrupted() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    for n in [1, 7, 23] {
        let file = home.path().join(format!("kill{n}.run.jsonl"));
        let mut child = long_run(home.path(), &server.openai_url(), &file);
        wait_for_requests(&file, n);
        signal(&child, "KILL");
        child.wait().unwrap();
        let shown = run(
            home.path(),
            &["show", &file.display().to_string(), "--json"],
        );
        assert_eq!(code(&shown), 0, "{}", text(&shown.stderr));
        let summary: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(summary["verdict"]["valid"], false);
        assert!(
            summary["verdict"]["reasons"]
                .to_string()
                .contains("interrupted"),
            "{}",
            summary["verdict"]
        );
        assert!(summary["stages"][0]["ok"].as_u64().unwrap() >= n as u64);
    }
}

#[cfg(unix)]
#[test]
fn serve_demo_prints_one_line_and_ends_on_sigterm() {
    use std::io::{BufRead as _, BufReader, Read as _};
    let home = tempfile::tempdir().unwrap();
    let mut child = inferometer(home.path(), &["serve-demo"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(
        line.contains("http://127.0.0.1:") && line.contains("tokens/s"),
        "{line}"
    );
    signal(&child, "TERM");
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn a_canary_key_is_left_nowhere() {
    const CANARY: &str = "sk-canary-7f3a91c2e5d84b60";
    let home = tempfile::tempdir().unwrap();
    let server = serve(Script {
        error_share: 0.3,
        ..quick()
    });
    let file = home.path().join("d.run.jsonl");
    let out = file.display().to_string();
    let url = server.openai_url();
    let args = [
        "run",
        "--url",
        &url,
        "--protocol",
        "openai-chat",
        "--iterations",
        "12",
        "--key-env",
        "CANARY_KEY",
        "--user",
        "hello",
        "-o",
        &out,
    ];
    let output = inferometer(home.path(), &args)
        .env("CANARY_KEY", CANARY)
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();
    assert!([0, 3].contains(&code(&output)), "{}", text(&output.stderr));
    let mut left = vec![
        text(&output.stdout),
        text(&output.stderr),
        std::fs::read_to_string(&file).unwrap(),
    ];
    let mut folders = vec![home.path().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                left.push(text(&std::fs::read(path).unwrap()));
            }
        }
    }
    assert!(left.iter().all(|held| !held.contains(CANARY)));
}

#[test]
fn the_demo_runs_in_the_terminal_where_there_is_no_display() {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &["demo"]);
    let said = text(&output.stdout);
    assert!(
        [0, 3].contains(&code(&output)),
        "{said}\n{}",
        text(&output.stderr)
    );
    // On a machine that is free the first run that a person sees has nothing to doubt.
    for doubt in ["that ended well", "max_tokens", "prompt"] {
        assert!(!said.contains(doubt), "“{doubt}” is in\n{said}");
    }
    for needed in ["Time to first token", "Stage 3 of 3", "Cold", "Saved "] {
        assert!(said.contains(needed), "“{needed}” is missing in\n{said}");
    }
}

#[test]
fn a_terminal_reads_what_a_person_needs_and_no_more() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    // Without a scheme, as people type it.
    let address = server.openai_url().replace("http://", "");
    let args = [
        "run",
        "--url",
        &address,
        "--tiers",
        "1,2",
        "--requests",
        "4",
        "--warmup",
        "1s",
    ];
    let output = run(home.path(), &args);
    assert!([0, 3].contains(&code(&output)), "{}", text(&output.stderr));
    let (said, progress) = (text(&output.stdout), text(&output.stderr));
    assert!(
        said.starts_with(&format!("run  {address}  OpenAI chat")),
        "{said}"
    );
    for needed in [
        "Run 1 warm-up: ",
        "Stage 2 of 2",
        "Time to first token, s",
        "Chunk gap, ms",
        "≥",
    ] {
        assert!(said.contains(needed), "“{needed}” is missing in\n{said}");
    }
    assert!(
        !said.contains("Time to first answer"),
        "it is the first token: {said}"
    );
    for row in said
        .lines()
        .filter(|l| l.contains(", s ") || l.contains(", ms ") || l.contains("tok/s  "))
    {
        let numbers = row.split_whitespace().rev().take(9).collect::<Vec<_>>();
        assert!(
            numbers
                .iter()
                .all(|n| n.trim_start_matches('≥').parse::<f64>().is_ok() || *n == "–"),
            "nine columns apart: {row}"
        );
    }
    assert!(progress.contains("stage 1 of 2, warm-up: "), "{progress}");
    assert!(progress.lines().all(|line| !line.is_empty()), "{progress}");
    let stages: Vec<&str> = progress
        .lines()
        .filter(|l| l.starts_with("stage"))
        .collect();
    assert!(stages.is_sorted(), "no step back at the end: {progress}");
}

#[test]
fn what_a_plan_asks_in_vain_is_said_at_the_start() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    let url = server.gradio_url();
    let args = [
        "run",
        "--url",
        &url,
        "--max-tokens",
        "5",
        "--iterations",
        "1",
    ];
    let noted = run(home.path(), &args);
    assert!(text(&noted.stderr).contains("note: `workload.max_tokens` is not sent"));
    let quiet = run(home.path(), &[&args[..], &["--quiet"]].concat());
    assert_eq!(text(&quiet.stderr), "");
    let trace = home.path().join("t.csv");
    std::fs::write(&trace, TRACE).unwrap();
    let url = server.openai_url();
    let noted = run(
        home.path(),
        &[
            "run",
            "--url",
            &url,
            "--replay",
            trace.to_str().unwrap(),
            "--turns",
            "2",
            "--api-name",
            "/chat",
            "--input",
            "a=1",
        ],
    );
    let said = text(&noted.stderr);
    for note in [
        "note: `workload.turns` is without effect: a replay asks",
        "note: `target.api_name` and `workload.inputs` are of Gradio apps alone",
    ] {
        assert!(said.contains(note), "{said}");
    }
}

/// Azure's columns; four requests in 3 s.
pub(crate) const TRACE: &str = "TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.0000000,3,2
2023-11-16 18:15:46.5000000,3,2
2023-11-16 18:15:47.0000000,3,2
2023-11-16 18:15:49.0000000,3,2
";

#[test]
fn stages_that_unfold_are_told_by_what_they_are() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    let url = server.openai_url();
    let args = [
        "run",
        "--url",
        &url,
        "--sweep",
        "2",
        "--over",
        "users",
        "--max-users",
        "4",
        "--requests",
        "20",
    ];
    let output = run(home.path(), &args);
    let said = text(&output.stderr);
    assert!(said.contains("step 2 of 2, 4 users: "), "{said}");
    assert!(!said.contains("of 0"), "{said}");
}

#[test]
fn tokens_of_unfinished_answers_are_told_as_such() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(Script {
        error_share: 1.0,
        output_tokens: 40,
        ..quick()
    });
    let url = server.openai_url();
    let args = [
        "run",
        "--url",
        &url,
        "--tiers",
        "1",
        "--duration",
        "1s",
        "--set",
        "grace_secs=0",
    ];
    let said = text(&run(home.path(), &args).stdout);
    assert!(said.contains(" tok/s of unfinished answers"), "{said}");
}
