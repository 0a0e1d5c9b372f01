//! How runs end: limits, signals, kills.

use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::server::{Step, body, good, head, serve, token, write};
use super::{Seen, measure, prepared};
use crate::cli::{run, signal, text, wait_for_requests};

fn steady(_: &super::server::Asked) -> Vec<Step> {
    let mut steps = good(3);
    steps.insert(1, Step::WaitMs(5));
    steps
}

#[test]
fn the_plans_limits_end_a_run_that_says_so() {
    let refusal = body(500, "", r#"{"error":"no"}"#);
    let server = serve(move |asked| {
        if asked.n % 2 == 1 {
            vec![write(&refusal)]
        } else {
            good(2)
        }
    });
    let stopped = |more: &[&str]| {
        let mut all = vec!["--iterations", "400"];
        all.extend(more);
        let seen = measure(&server.url(), &all);
        seen.assert_fine();
        let finding = seen.caution("stopped_early").unwrap().to_string();
        (seen.requests().len(), finding)
    };
    let (n, said) = stopped(&["--set", "limits.max_errors=3"]);
    assert!(n == 6 && said.contains("limit of 3"), "{n} {said}");
    let (n, said) = stopped(&["--set", "limits.max_error_percent=30"]);
    assert!(n == 20 && said.contains("30 %"), "{n} {said}");

    let server = serve(steady);
    let seen = measure(
        &server.url(),
        &["--iterations", "100000", "--set", "limits.max_secs=1"],
    );
    seen.assert_fine();
    let said = seen.caution("stopped_early").unwrap().to_string();
    assert!(said.contains("limit of 1 s"), "{said}");
}

#[test]
fn what_outlives_the_grace_time_is_cut_off_and_counted_apart() {
    let server = serve(|asked| {
        if asked.on_connection == 0 {
            good(2)
        } else {
            vec![head(), token(), Step::Hold]
        }
    });
    let seen = measure(
        &server.url(),
        &[
            "--tiers",
            "3",
            "--duration",
            "500ms",
            "--set",
            "grace_secs=0.5",
        ],
    );
    seen.assert_fine();
    let stage = seen.stage();
    assert_eq!(
        (&stage["ok"], &stage["failed"], &stage["cut_off"]),
        (&3.into(), &0.into(), &3.into())
    );
    let cut: Vec<&Value> = seen
        .requests()
        .into_iter()
        .filter(|r| r["outcome"] == "cut_off")
        .collect();
    assert_eq!(cut.len(), 3);
    assert!(
        cut.iter().all(|r| r["first_token_ns"].is_u64()),
        "its token times are kept"
    );
}

struct Under {
    child: Child,
    home: tempfile::TempDir,
    file: std::path::PathBuf,
}

fn begin(url: &str, more: &[&str]) -> Under {
    let (mut command, home, file) = prepared(url, more);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Under { child, home, file }
}

impl Under {
    fn end(self) -> Seen {
        let output = self.child.wait_with_output().unwrap();
        Seen::of(&self.file, output)
    }
}

/// Each user's second request takes two seconds.
fn slow_second(asked: &super::server::Asked) -> Vec<Step> {
    let mut steps = good(2);
    if asked.on_connection > 0 {
        steps.insert(2, Step::WaitMs(2_000));
    }
    steps
}

#[test]
fn one_signal_lets_requests_end_and_two_give_them_up() {
    let server = serve(slow_second);
    let under = begin(&server.url(), &["--tiers", "4", "--requests", "400"]);
    wait_for_requests(&under.file, 4);
    std::thread::sleep(Duration::from_millis(300));
    signal(&under.child, "INT");
    let seen = under.end();
    seen.assert_code(130);
    let stage = seen.stage();
    assert_eq!(
        (&stage["ok"], &stage["cancelled"]),
        (&8.into(), &0.into()),
        "{stage}"
    );
    assert!(seen.reasons().contains("interrupted"));

    let server = serve(slow_second);
    let under = begin(&server.url(), &["--tiers", "4", "--requests", "400"]);
    wait_for_requests(&under.file, 4);
    std::thread::sleep(Duration::from_millis(300));
    signal(&under.child, "INT");
    std::thread::sleep(Duration::from_millis(200));
    signal(&under.child, "INT");
    let seen = under.end();
    seen.assert_code(130);
    let stage = seen.stage();
    assert_eq!(
        (&stage["ok"], &stage["failed"], &stage["cancelled"]),
        (&4.into(), &0.into(), &4.into()),
        "{stage}"
    );
    assert_eq!(seen.lines.last().unwrap()["type"], "end");
}

#[test]
fn a_signal_before_anything_was_sent_is_130_too() {
    // Nobody answers the question for the models.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let under = begin(
        &format!("http://{}/v1", listener.local_addr().unwrap()),
        &["--iterations", "1"],
    );
    let (_stream, _) = listener.accept().unwrap();
    signal(&under.child, "INT");
    let seen = under.end();
    seen.assert_code(130);
    assert!(
        seen.stderr.contains("stopped before anything was sent"),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_kill_at_any_moment_leaves_an_unbroken_beginning() {
    let server = serve(steady);
    let url = server.url();
    let mut rng = inferometer::stats::SplitMix64::new(20);
    let mut n_opened = 0;
    for round in 0..20 {
        let mut under = begin(&url, &["--tiers", "4", "--duration", "30s"]);
        for _ in 0..15_000 {
            if under.file.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(rng.next_u64() % 700));
        signal(&under.child, "KILL");
        under.child.wait().unwrap();
        let bytes = std::fs::read(&under.file).unwrap();
        let held = text(&bytes);
        let (whole, torn) = held.rsplit_once('\n').unwrap_or(("", &held));
        let lines: Vec<Value> = whole
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert!(torn.len() < 1 << 16);
        let shown = run(
            under.home.path(),
            &["show", &under.file.display().to_string(), "--json"],
        );
        if lines.is_empty() {
            // Killed between the file and its first line.
            assert_eq!(crate::cli::code(&shown), 2, "{}", text(&shown.stderr));
            continue;
        }
        n_opened += 1;
        assert_eq!(
            crate::cli::code(&shown),
            0,
            "round {round}: {}",
            text(&shown.stderr)
        );
        let summary: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert!(
            summary["verdict"]["reasons"]
                .to_string()
                .contains("interrupted")
        );
        let requests: Vec<&Value> = lines.iter().filter(|l| l["type"] == "request").collect();
        let n_ok = summary["stages"][0]["ok"].as_u64().unwrap();
        assert!(n_ok >= requests.len() as u64 && n_ok <= requests.len() as u64 + 1);
        // Written in the order of ending: with 4 users nothing is missing but what was still under way or waiting.
        let mut ends: Vec<u64> = requests
            .iter()
            .map(|r| r["seq"].as_u64().unwrap())
            .collect();
        ends.sort_unstable();
        let gaps = ends.last().map_or(0, |last| last + 1 - ends.len() as u64);
        assert!(
            gaps <= 3,
            "round {round}: {gaps} of {} are missing",
            ends.len()
        );
    }
    assert!(n_opened >= 15, "{n_opened} of 20 had begun");
}
