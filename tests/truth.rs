//! Our figures against the demo server's own log, beside a bare socket reader in the same run.
//!
//! The machine may be busy with other work, and these builds are not optimised. So nothing here is an absolute time: both
//! readers take turns against a server of the same script, medians of the rounds are compared, and below
//! [`NOISE_FLOOR`] nothing is told apart.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "the figures behind a failure")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use inferometer::demo::{DemoServer, Options, Script};
use serde_json::Value;
use tokio::time::Instant;

use super::cli::{code, inferometer};

const STREAMS: usize = 64;
const REQUESTS_EACH: usize = 3;
const TOKENS: usize = 8;
const ROUNDS: usize = 3;
/// Share of the true median below which a TTFT error is no reader's: 64 requests sent at one instant wait for the server's
/// one thread to read them, which its log cannot see, and that alone is 2 to 3 ms of 150 ms in a build for tests.
const NOISE_FLOOR: f64 = 0.03;
/// Processes that keep both cores busy, so that the client gets a core's fifth at best.
const BUSY: usize = 8;

/// Slow enough that a server and a client built for tests keep up with 64 streams on what is left of two cores.
fn script() -> Script {
    Script {
        slots: STREAMS,
        prefill_ms: 150.0,
        prefill_ms_per_token: 0.0,
        step_ms: 40.0,
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

fn signed(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}

fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * 99).div_ceil(100) - 1]
}

/// Median TTFT in ms as the server saw it: from the request read to the first token's write.
fn true_ttft(log: &[Value]) -> f64 {
    assert_eq!(log.len(), STREAMS * REQUESTS_EACH);
    let ttft = |e: &Value| (ns(&e["token_ns"][0]) - ns(&e["arrived_ns"])) as f64 / 1e6;
    median(log.iter().map(ttft).collect())
}

fn serve(log: &Path) -> DemoServer {
    DemoServer::start(Options {
        script: script(),
        log: Some(log.to_owned()),
        port: 0,
    })
    .unwrap()
}

/// One blocking request on a fresh connection; TTFT in ms from just before the write to the read that holds a token.
fn bare_request(address: std::net::SocketAddr) -> f64 {
    let body = format!(r#"{{"stream":true,"max_tokens":{TOKENS},"prompt":"hello"}}"#);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!(
        "POST /v1/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let sent = Instant::now();
    stream.write_all(request.as_bytes()).unwrap();
    let (mut held, mut buffer, mut first) = (Vec::new(), [0; 8192], None);
    loop {
        let n = stream.read(&mut buffer).unwrap();
        if n == 0 {
            return first.unwrap();
        }
        let after = sent.elapsed().as_secs_f64() * 1e3;
        held.extend_from_slice(&buffer[..n]);
        if first.is_none() && String::from_utf8_lossy(&held).contains("\"text\":\"light") {
            first = Some(after);
        }
    }
}

/// Median TTFT of the bare reader and the true one.
fn measure_bare(home: &Path) -> (f64, f64) {
    let log = home.join("bare.log");
    let server = serve(&log);
    let address = server.address();
    let ttft: Vec<f64> = std::thread::scope(|scope| {
        let one_user = || (0..REQUESTS_EACH).map(|_| bare_request(address)).collect();
        let users: Vec<_> = (0..STREAMS).map(|_| scope.spawn(one_user)).collect();
        let join = |user: std::thread::ScopedJoinHandle<'_, Vec<f64>>| user.join().unwrap();
        users.into_iter().flat_map(join).collect()
    });
    drop(server);
    (median(ttft), true_ttft(&lines(&log)))
}

struct Measured {
    started_unix_ns: i64,
    requests: Vec<Value>,
    log: Vec<Value>,
}

impl Measured {
    /// Median TTFT by our marks and the true one.
    fn ttft(&self) -> (f64, f64) {
        let ttft = |r: &Value| (ns(&r["first_token_ns"]) - ns(&r["dispatched_ns"])) as f64 / 1e6;
        (
            median(self.requests.iter().map(ttft).collect()),
            true_ttft(&self.log),
        )
    }

    /// p99 of the true gaps between reads, and p99 of how far ours are off, in ms.
    fn gap_p99_and_error(&self) -> (f64, f64) {
        let (mut gaps, mut errors) = (Vec::new(), Vec::new());
        for request in &self.requests {
            let (ours, theirs) = self.paired(request);
            for (a, b) in ours.windows(2).zip(theirs.windows(2)) {
                gaps.push((b[1] - b[0]) as f64 / 1e6);
                errors.push(((a[1] - a[0]) - (b[1] - b[0])).abs() as f64 / 1e6);
            }
        }
        (p99(gaps), p99(errors))
    }

    /// Wall times of a request's tokens, by our marks and by the log entry that fits them best. When this process gets no
    /// core for longer than a gap, one read brings several tokens and carries the kernel's stamp of the last: only that
    /// one's time is claimed.
    fn paired(&self, request: &Value) -> (Vec<i64>, Vec<i64>) {
        let shared = request["chunk_shared"].as_array().unwrap();
        let is_last_of_read = |i: &usize| !shared.contains(&Value::from(i + 1));
        let mut at = self.started_unix_ns + signed(&request["first_token_ns"]);
        let mut ours = vec![at];
        for gap in request["chunk_ns"].as_array().unwrap() {
            at += signed(gap);
            ours.push(at);
        }
        let last_of_reads: Vec<usize> = (0..ours.len()).filter(is_last_of_read).collect();
        let ours: Vec<i64> = last_of_reads.iter().map(|i| ours[*i]).collect();
        let candidates = self.log.iter().map(|entry| {
            let times = &entry["token_ns"];
            let times = last_of_reads.iter().map(|i| signed(&times[*i]));
            times.collect::<Vec<i64>>()
        });
        let misfit = |theirs: &Vec<i64>| {
            let pairs = ours.iter().zip(theirs);
            pairs.map(|(a, b)| (a - b).abs()).sum::<i64>()
        };
        let theirs = candidates.min_by_key(misfit).unwrap();
        (ours, theirs)
    }

    /// Median over the requests of how late this process read their bytes at worst.
    fn client_late(&self) -> f64 {
        let late = |r: &Value| ns(&r["client_late_ns"]) as f64 / 1e6;
        median(self.requests.iter().map(late).collect())
    }
}

/// A run of 64 users against a server with a log.
fn measure(home: &Path) -> Measured {
    let (log, out) = (home.join("ours.log"), home.join("ours.run.jsonl"));
    std::fs::remove_file(&out).ok();
    let server = serve(&log);
    let (tiers, each) = (STREAMS.to_string(), REQUESTS_EACH.to_string());
    let (url, path) = (server.openai_url(), out.display().to_string());
    let tokens = TOKENS.to_string();
    #[rustfmt::skip]
    let args = [
        "run", "--url", &url, "--protocol", "openai-chat", "--tiers", &tiers, "--requests-per-user", &each,
        "--max-tokens", &tokens, "--json", "-o", &path,
    ];
    let output = inferometer(home, &args).output().unwrap();
    // A starved run is invalid, and says so with 3.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!([0, 3].contains(&code(&output)), "{said}");
    drop(server);
    let (head, requests) = (&lines(&out)[0], lines(&out).into_iter());
    let is_request = |line: &Value| line["type"] == "request";
    Measured {
        started_unix_ns: signed(&head["started_unix_ns"]),
        requests: requests.filter(is_request).collect(),
        log: lines(&log),
    }
}

/// Keeps the cores busy until it is dropped.
struct Busy(Vec<Child>);

impl Busy {
    fn start() -> Self {
        let spin = || {
            Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .stdin(Stdio::null())
                .spawn()
                .unwrap()
        };
        Self((0..BUSY).map(|_| spin()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for process in &mut self.0 {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

#[test]
fn ttft_is_as_true_as_a_bare_reader_at_64_streams() {
    let _alone = crate::MACHINE.write();
    let home = tempfile::tempdir().unwrap();
    let (mut ours, mut bare, mut truths) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (bare_ms, bare_truth_ms) = measure_bare(home.path());
        let (ours_ms, truth_ms) = measure(home.path()).ttft();
        println!(
            "round {round}: TTFT p50 ours {ours_ms:.3} ms, truth {truth_ms:.3}; bare {bare_ms:.3} ms, truth {bare_truth_ms:.3}"
        );
        ours.push((ours_ms - truth_ms).abs() / truth_ms);
        bare.push((bare_ms - bare_truth_ms).abs() / bare_truth_ms);
        truths.push(truth_ms);
    }
    let (our_error, bare_error) = (median(ours), median(bare));
    assert!(median(truths) >= 120.0, "the script asks for 150 ms ± 20 %");
    assert!(our_error < 0.1, "off by {:.1} %", our_error * 100.0);
    assert!(
        our_error <= 3.0 * bare_error.max(NOISE_FLOOR / 3.0),
        "off by {:.1} %, the bare reader by {:.1} %",
        our_error * 100.0,
        bare_error * 100.0
    );
}

#[test]
fn gaps_stay_true_while_both_cores_are_busy_and_the_starvation_shows() {
    let _alone = crate::MACHINE.write();
    let home = tempfile::tempdir().unwrap();
    let (mut errors, mut quiet, mut starved) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        quiet.push(measure(home.path()).client_late());
        let busy = Busy::start();
        let run = measure(home.path());
        drop(busy);
        assert!(run.requests.iter().all(|r| r["stamps"] == "kernel"));
        let (gap_ms, error_ms) = run.gap_p99_and_error();
        starved.push(run.client_late());
        errors.push(error_ms / gap_ms);
        println!(
            "round {round}: gap p99 {gap_ms:.3} ms, off by {error_ms:.3} ms at p99; client late, median request: quiet {:.3} ms, starved {:.3} ms",
            quiet[round], starved[round]
        );
    }
    let error = median(errors);
    assert!(
        error < 0.2,
        "gaps are off by {:.1} % of their p99",
        error * 100.0
    );
    let (quiet_ms, starved_ms) = (median(quiet), median(starved));
    assert!(
        starved_ms > quiet_ms,
        "starving the client must show as client_late: {quiet_ms} ms, starved {starved_ms} ms"
    );
}
