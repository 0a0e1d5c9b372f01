//! Our figures against the demo server's own log, beside a bare socket reader in the same run.
#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use inferometer::demo::{DemoServer, Options, Script};
use serde_json::Value;

use super::cli::{code, inferometer};

const STREAMS: usize = 64;

fn script() -> Script {
    Script {
        slots: STREAMS,
        prefill_ms: 60.0,
        prefill_ms_per_token: 0.0,
        step_ms: 10.0,
        step_ms_per_running: 0.0,
        jitter: 0.2,
        cold_ms: 0.0,
        ..Script::default()
    }
}

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn ns(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}

fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * 99).div_ceil(100) - 1]
}

/// TTFT in ms as the server saw it: from the request read to the first token's write.
fn true_ttft(log: &[Value]) -> Vec<f64> {
    log.iter()
        .map(|e| (ns(&e["token_ns"][0]) - ns(&e["arrived_ns"])) as f64 / 1e6)
        .collect()
}

fn gaps_ms(times: &[u64]) -> impl Iterator<Item = f64> {
    times.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e6)
}

/// One blocking request on a fresh connection; TTFT in ms from just before the write to the read that holds a token.
fn bare_request(address: std::net::SocketAddr) -> f64 {
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos()
    };
    let body = r#"{"stream":true,"max_tokens":16,"prompt":"hello"}"#;
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!(
        "POST /v1/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let sent = now();
    stream.write_all(request.as_bytes()).unwrap();
    let (mut held, mut buffer, mut first) = (Vec::new(), [0; 8192], None);
    loop {
        let n = stream.read(&mut buffer).unwrap();
        if n == 0 {
            return first.unwrap();
        }
        let at = now();
        held.extend_from_slice(&buffer[..n]);
        if first.is_none() && String::from_utf8_lossy(&held).contains("\"text\":\"light") {
            first = Some(u32::try_from((at - sent) / 1000).unwrap().into());
            first = first.map(|us: f64| us / 1e3);
        }
    }
}

struct Measured {
    requests: Vec<Value>,
    log: Vec<Value>,
}

/// A run of 64 users against a server with a log.
fn measure(home: &Path, name: &str) -> Measured {
    let log = home.join(format!("{name}.log"));
    let server = DemoServer::start(Options {
        script: script(),
        log: Some(log.clone()),
        port: 0,
    })
    .unwrap();
    let out = home.join(format!("{name}.run.jsonl"));
    let (url, path) = (server.openai_url(), out.display().to_string());
    let tiers = STREAMS.to_string();
    let args = [
        "run",
        "--url",
        &url,
        "--protocol",
        "openai-chat",
        "--tiers",
        &tiers,
        "--requests-per-user",
        "3",
        "--max-tokens",
        "24",
        "--json",
        "-o",
        &path,
    ];
    let output = inferometer(home, &args).output().unwrap();
    assert!(
        [0, 3].contains(&code(&output)),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    drop(server);
    let requests = lines(&out)
        .into_iter()
        .filter(|l| l["type"] == "request")
        .collect();
    Measured {
        requests,
        log: lines(&log),
    }
}

#[test]
fn ttft_is_as_true_as_a_bare_reader_at_64_streams() {
    let home = tempfile::tempdir().unwrap();
    let ours = measure(home.path(), "ttft");
    let ttft = ours
        .requests
        .iter()
        .map(|r| (ns(&r["first_token_ns"]) - ns(&r["dispatched_ns"])) as f64 / 1e6)
        .collect();
    let (ours_ms, truth_ms) = (median(ttft), median(true_ttft(&ours.log)));

    let log = home.path().join("bare.log");
    let server = DemoServer::start(Options {
        script: script(),
        log: Some(log.clone()),
        port: 0,
    })
    .unwrap();
    let address = server.address();
    let bare: Vec<f64> = std::thread::scope(|scope| {
        let users: Vec<_> = (0..STREAMS)
            .map(|_| scope.spawn(move || (0..3).map(|_| bare_request(address)).collect::<Vec<_>>()))
            .collect();
        users
            .into_iter()
            .flat_map(|user| user.join().unwrap())
            .collect()
    });
    drop(server);
    let (bare_ms, bare_truth_ms) = (median(bare), median(true_ttft(&lines(&log))));

    let (our_error, bare_error) = ((ours_ms - truth_ms).abs(), (bare_ms - bare_truth_ms).abs());
    println!(
        "TTFT p50: ours {ours_ms:.3} ms, truth {truth_ms:.3}; bare {bare_ms:.3} ms, truth {bare_truth_ms:.3}"
    );
    assert!(
        our_error < 0.1 * truth_ms,
        "off by {our_error} ms of {truth_ms} ms"
    );
    // Below half a millisecond both errors are the scheduler's, not a reader's.
    assert!(
        our_error <= (3.0 * bare_error).max(0.5),
        "off by {our_error} ms, the bare reader by {bare_error} ms"
    );
}

#[test]
fn gaps_stay_true_while_both_cores_are_busy_and_the_starvation_shows() {
    let home = tempfile::tempdir().unwrap();
    let quiet = measure(home.path(), "quiet");
    let mut busy: Vec<_> = (0..4)
        .map(|_| {
            Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .stdin(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let starved = measure(home.path(), "starved");
    for process in &mut busy {
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let ours: Vec<f64> = starved
        .requests
        .iter()
        .flat_map(|r| {
            r["chunk_ns"]
                .as_array()
                .unwrap()
                .iter()
                .map(|g| ns(g) as f64 / 1e6)
                .collect::<Vec<_>>()
        })
        .collect();
    let truth: Vec<f64> = starved
        .log
        .iter()
        .flat_map(|e| {
            gaps_ms(
                &e["token_ns"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(ns)
                    .collect::<Vec<_>>(),
            )
            .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(ours.len(), truth.len());
    assert!(starved.requests.iter().all(|r| r["stamps"] == "kernel"));
    let (ours_ms, truth_ms) = (p99(ours), p99(truth));
    let late = |m: &Measured| {
        p99(m
            .requests
            .iter()
            .map(|r| ns(&r["client_late_ns"]) as f64 / 1e6)
            .collect())
    };
    println!(
        "gap p99: ours {ours_ms:.3} ms, truth {truth_ms:.3} ms; client late p99: quiet {:.3} ms, starved {:.3} ms",
        late(&quiet),
        late(&starved)
    );
    assert!(
        (ours_ms / truth_ms - 1.0).abs() < 0.2,
        "p99 gap {ours_ms} ms, the server's own {truth_ms} ms"
    );
    assert!(
        late(&starved) > late(&quiet),
        "starving the client must show as client_late"
    );
}
