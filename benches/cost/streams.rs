//! 512 paced streams: the whole program and the bare reader take turns against one server, whose log is the truth.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;

const STREAMS: u32 = 512;
const REQUESTS_EACH: u32 = 4;
const TOKENS: u32 = 128;
const ROUNDS: usize = 3;

pub(super) fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    println!("{STREAMS} streams, {REQUESTS_EACH} requests each, {TOKENS} tokens at 10 ms");
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let bare = Cost::of(bare_reader(&server.url));
        let bare_truth = server.truth();
        let out = folder.path().join(format!("{round}.run.jsonl"));
        let began_ns = now_ns();
        let engine = Cost::of(engine(&server.url, folder.path(), &out));
        let truth = server.truth();
        let ours = Figures::of_run(&out);
        ratios.push(engine.cpu_secs / bare.cpu_secs);
        let bare_ttft: f64 = bare.said.trim().parse().unwrap();
        println!(
            "round {round}: bare reader {bare}; engine {engine}; ratio {:.2}",
            engine.cpu_secs / bare.cpu_secs
        );
        println!(
            "  TTFT p50 truth → reported: bare {:.1} → {bare_ttft:.1} ms ({:+.1} %), engine {:.1} → {:.1} ms ({:+.1} %)",
            bare_truth.ttft_p50,
            (bare_ttft / bare_truth.ttft_p50 - 1.0) * 100.0,
            truth.ttft_p50,
            ours.ttft_p50,
            (ours.ttft_p50 / truth.ttft_p50 - 1.0) * 100.0,
        );
        println!(
            "  gaps truth → reported: p50 {:.3} → {:.3} ms, p99 {:.3} → {:.3} ms; read late by p99 {:.3} ms; start to first request {:.3} s; {}",
            truth.gap_p50,
            ours.gap_p50,
            truth.gap_p99,
            ours.gap_p99,
            ours.late_p99,
            (truth.first_ns.saturating_sub(began_ns)) as f64 / 1e9,
            ours.verdict,
        );
    }
    let median = quantile(&mut ratios, 0.5);
    println!("median ratio {median:.2} (goal 1.35, never above 2)");
    server.process.kill().ok();
    server.process.wait().ok();
}

struct Server {
    process: Child,
    url: String,
    log: PathBuf,
    /// Lines of the log that were read.
    n_read: usize,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let (script, log) = (folder.join("script.toml"), folder.join("server.log"));
        let text = format!(
            "slots = {STREAMS}\nmax_waiting = 4096\nprefill_ms = 50\nprefill_ms_per_token = 0\nstep_ms = 10\n\
             step_ms_per_running = 0\njitter = 0\ncold_ms = 0\n"
        );
        std::fs::write(&script, text).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_inferometer"))
            .args(["serve-demo", "--script"])
            .arg(&script)
            .arg("--log")
            .arg(&log)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|w| w.starts_with("http://"));
        Self {
            url: url.unwrap().to_owned(),
            process,
            log,
            n_read: 0,
        }
    }

    /// What it sent since the last look.
    fn truth(&mut self) -> Figures {
        let text = std::fs::read_to_string(&self.log).unwrap();
        let lines = text.lines().skip(self.n_read).map(json);
        let (mut ttft, mut gaps, mut first_ns) = (Vec::new(), Vec::new(), u64::MAX);
        let mut n = 0;
        for entry in lines {
            let arrived_ns = ns(&entry["arrived_ns"]);
            let times: Vec<u64> = entry["token_ns"]
                .as_array()
                .unwrap()
                .iter()
                .map(ns)
                .collect();
            ttft.push((times[0] - arrived_ns) as f64 / 1e6);
            gaps.extend(times.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e6));
            first_ns = first_ns.min(arrived_ns);
            n += 1;
        }
        self.n_read += n;
        assert_eq!(u32::try_from(n), Ok(STREAMS * REQUESTS_EACH));
        Figures {
            first_ns,
            ..Figures::of(ttft, gaps)
        }
    }
}

/// In ms, but for what says otherwise.
#[derive(Default)]
struct Figures {
    ttft_p50: f64,
    gap_p50: f64,
    gap_p99: f64,
    late_p99: f64,
    first_ns: u64,
    verdict: String,
}

impl Figures {
    fn of(mut ttft: Vec<f64>, mut gaps: Vec<f64>) -> Self {
        Self {
            ttft_p50: quantile(&mut ttft, 0.5),
            gap_p50: quantile(&mut gaps, 0.5),
            gap_p99: quantile(&mut gaps, 0.99),
            ..Self::default()
        }
    }

    fn of_run(out: &Path) -> Self {
        let (mut ttft, mut gaps, mut late, mut verdict) =
            (Vec::new(), Vec::new(), Vec::new(), String::new());
        for line in std::fs::read_to_string(out).unwrap().lines().map(json) {
            if line["type"] == "request" {
                let ms = |from: &Value, to: &Value| (ns(to) - ns(from)) as f64 / 1e6;
                ttft.push(ms(&line["dispatched_ns"], &line["first_token_ns"]));
                let of_request = line["chunk_ns"].as_array().unwrap();
                gaps.extend(of_request.iter().map(|gap| ns(gap) as f64 / 1e6));
                late.push(ns(&line["client_late_ns"]) as f64 / 1e6);
            } else if line["type"] == "end" {
                verdict = match &line["summary"]["verdict"] {
                    v if v["valid"] == true => "valid".to_owned(),
                    v => format!("invalid: {}", v["reasons"]),
                };
            }
        }
        Self {
            late_p99: quantile(&mut late, 0.99),
            verdict,
            ..Self::of(ttft, gaps)
        }
    }
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

fn ns(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_nanos()).unwrap()
}

/// By nearest rank.
fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    inferometer::stats::nearest_rank(values, q).unwrap()
}

fn bare_reader(url: &str) -> Child {
    let address = url.trim_start_matches("http://").trim_end_matches("/v1");
    Command::new(std::env::current_exe().unwrap())
        .args(["--bare", address])
        .args([STREAMS.to_string(), REQUESTS_EACH.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn engine(url: &str, folder: &Path, out: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_inferometer"))
        .args(["run", "--url", url, "--protocol", "openai-chat"])
        .args(["--tiers", &STREAMS.to_string()])
        .args(["--requests-per-user", &REQUESTS_EACH.to_string()])
        .args(["--max-tokens", &TOKENS.to_string()])
        .args(["--quiet", "--json", "-o"])
        .arg(out)
        .env("INFEROMETER_HOME", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a child used until it ended.
struct Cost {
    cpu_secs: f64,
    user_secs: f64,
    peak_kb: u64,
    said: String,
}

impl Cost {
    fn of(mut child: Child) -> Self {
        let before = children_cpu();
        let status = format!("/proc/{}/status", child.id());
        let mut peak_kb = 0;
        while child.try_wait().unwrap().is_none() {
            let held = std::fs::read_to_string(&status).unwrap_or_default();
            let line = held.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            peak_kb = line
                .and_then(|kb| kb.split_whitespace().next()?.parse().ok())
                .unwrap_or(peak_kb);
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut said = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        stdout.read_to_string(&mut said).unwrap();
        let after = children_cpu();
        Self {
            cpu_secs: after.0 - before.0 + after.1 - before.1,
            user_secs: after.0 - before.0,
            peak_kb,
            said,
        }
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let events = f64::from(STREAMS * REQUESTS_EACH * TOKENS) / 1e6;
        let (secs, user, mb) = (
            self.cpu_secs / events,
            self.user_secs / events,
            self.peak_kb / 1024,
        );
        write!(f, "{secs:.2} s CPU per 1M events ({user:.2} user), {mb} MB")
    }
}

/// User and system time of all children that have ended.
fn children_cpu() -> (f64, f64) {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let of = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    (of(usage.user_time()), of(usage.system_time()))
}
