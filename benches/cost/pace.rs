//! How punctual an open load is: 1,000 requests a second against the demo server, constant and Poisson.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const RATE: u32 = 1_000;
const SECS: u32 = 10;

pub(super) fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.toml");
    let quick = "slots = 512\nmax_waiting = 4096\nprefill_ms = 5\nprefill_ms_per_token = 0\nstep_ms = 1\nstep_ms_per_running = 0\njitter = 0\ncold_ms = 0\n";
    std::fs::write(&script, quick).unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_inferometer"))
        .args(["serve-demo", "--script"])
        .arg(&script)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = server.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let url = line.split_whitespace().find(|w| w.starts_with("http://"));
    let url = url.unwrap().to_owned();
    println!("{RATE} requests/s for {SECS} s, one token each");
    for arrival in ["constant", "poisson"] {
        let out = folder.path().join(format!("{arrival}.run.jsonl"));
        let plan = folder.path().join(format!("{arrival}.plan.toml"));
        let text = format!(
            "schema = 1\n[target]\nurl = \"{url}\"\nprotocol = \"openai-chat\"\n[workload]\nmax_tokens = 1\n[[stages]]\nload = {{ kind = \"open\", rate = {RATE}.0, arrival = \"{arrival}\" }}\nduration_secs = {SECS}.0\n"
        );
        std::fs::write(&plan, text).unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_inferometer"))
            .arg("run")
            .arg(&plan)
            .args(["--quiet", "--json", "-o"])
            .arg(&out)
            .env("INFEROMETER_HOME", folder.path())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        println!("{arrival}: {}; {status}", punctuality(&out));
    }
    server.kill().ok();
    server.wait().ok();
}

fn punctuality(out: &Path) -> String {
    let text = std::fs::read_to_string(out).unwrap();
    let (mut released, mut sent, mut due, mut verdict) =
        (Vec::new(), Vec::new(), Vec::new(), String::new());
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let ns = |name: &str| line[name].as_u64();
        if line["type"] == "request" {
            let at = ns("due_ns").unwrap();
            let late = |ns: u64| (ns - at) as f64 / 1e6;
            due.push(ns("released_ns").unwrap());
            released.extend(ns("released_ns").map(late));
            sent.extend(ns("sent_ns").map(late));
        } else if line["type"] == "end" {
            verdict = match &line["summary"]["verdict"] {
                v if v["valid"] == true => "valid".to_owned(),
                v => format!("invalid: {}", v["reasons"]),
            };
        }
    }
    due.sort_unstable();
    let span = due.first().zip(due.last()).map_or(0, |(a, b)| b - a) as f64 / 1e9;
    let rate = (due.len() - 1) as f64 / span;
    let of = |late: &mut Vec<f64>| {
        late.sort_by(f64::total_cmp);
        let at = |q| inferometer::stats::nearest_rank(late, q).unwrap_or(f64::NAN);
        format!(
            "p50 {:.3}, p99 {:.3}, max {:.3} ms",
            at(0.5),
            at(0.99),
            at(1.0)
        )
    };
    format!(
        "{} requests, {rate:.2} a second; let go late by {}; first byte written late by {}; {verdict}",
        released.len(),
        of(&mut released),
        of(&mut sent),
    )
}
