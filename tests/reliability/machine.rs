//! What this machine runs out of: descriptors, time, disk.
#![expect(
    clippy::print_stdout,
    reason = "how the disk was filled, and what a burst showed"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::server::{Server, Step, good, serve};
use super::{Seen, flags, measure, prepared};
use crate::cli::{code, inferometer, lines_of, signal, text, wait_for_requests};

fn server() -> Server {
    serve(|_| {
        let mut steps = good(4);
        steps.insert(1, Step::WaitMs(2));
        steps
    })
}

/// The binary under a shell's limits.
fn limited(limits: &str, home: &Path, flags: &[String]) -> Output {
    Command::new("sh")
        .args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_inferometer"))
        .args(flags)
        .env("INFEROMETER_HOME", home)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_load_beyond_the_descriptors_is_refused_with_what_to_do() {
    let server = server();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("x.run.jsonl");
    let all = flags(
        &server.url(),
        &file,
        &["--tiers", "1,100", "--requests", "100"],
    );
    let output = limited("ulimit -Sn 64 && ulimit -Hn 64", home.path(), &all);
    let said = text(&output.stderr);
    assert_eq!(code(&output), 2, "{said}");
    assert!(said.contains("ulimit -n") && said.contains("64"), "{said}");
    assert!(!file.exists() && server.n_posts() == 0);
    // A soft limit alone is raised.
    let all = flags(&server.url(), &file, &["--tiers", "8", "--requests", "16"]);
    let output = limited("ulimit -Sn 64 && ulimit -Hn 512", home.path(), &all);
    assert!([0, 3].contains(&code(&output)), "{}", text(&output.stderr));
    assert_eq!(lines_of(&file)[0]["environment"]["max_files"], 512);
}

#[test]
fn a_process_that_was_stopped_is_not_valid() {
    let server = server();
    let (mut command, home, file) = prepared(&server.url(), &["--tiers", "2", "--duration", "6s"]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_requests(&file, 3);
    signal(&child, "STOP");
    std::thread::sleep(Duration::from_secs(3));
    signal(&child, "CONT");
    let output = child.wait_with_output().unwrap();
    let seen = Seen::of(&file, output);
    drop(home);
    seen.assert_code(3);
    assert!(
        seen.reasons().contains("stood still for"),
        "{}",
        seen.reasons()
    );
}

/// A run file that was saved elsewhere than it was meant for, from the message.
fn rescued(stderr: &str) -> Option<PathBuf> {
    let line = stderr
        .lines()
        .find(|l| l.contains("was saved in another place"))?;
    let (_, rest) = line.rsplit_once('“')?;
    Some(PathBuf::from(rest.trim_end_matches('”')))
}

#[track_caller]
fn assert_whole_run(output: &Output, n: u64) {
    let said = text(&output.stderr);
    assert!([0, 3].contains(&code(output)), "{said}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["stages"][0]["ok"], n, "{summary}");
    assert_eq!(
        code(output) == 0,
        summary["verdict"]["valid"].as_bool().unwrap()
    );
    assert!(
        said.contains("cannot be written") && said.contains("in memory"),
        "{said}"
    );
}

#[test]
fn a_full_device_costs_no_run() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let server = server();
    let home = tempfile::tempdir().unwrap();
    let all = flags(
        &server.url(),
        Path::new("/dev/full"),
        &["--iterations", "20"],
    );
    let output = limited(":", home.path(), &all);
    assert_whole_run(&output, 20);
    let file = rescued(&text(&output.stderr)).unwrap();
    assert!(
        file.starts_with(home.path().join("runs")),
        "{}",
        file.display()
    );
    let lines = lines_of(&file);
    assert_eq!(lines.iter().filter(|l| l["type"] == "request").count(), 20);
    assert_eq!(lines.last().unwrap()["type"], "end");
}

/// Takes the mount away, whatever became of the test.
struct Mount(PathBuf);

impl Mount {
    fn tmpfs(at: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(at);
        let done = mount.stderr(Stdio::null()).status().ok()?;
        done.success().then(|| Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().ok();
    }
}

#[test]
fn a_disk_that_fills_up_costs_no_run() {
    const N: u64 = 700;
    let server = server();
    let home = tempfile::tempdir().unwrap();
    let small = home.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = Mount::tmpfs(&small);
    let file = small.join("x.run.jsonl");
    let n = N.to_string();
    let all = flags(&server.url(), &file, &["--tiers", "4", "--requests", &n]);
    if mount.is_none() {
        println!("no tmpfs can be mounted here");
        return;
    }
    println!("disk full by a tmpfs of 256 KiB");
    let output = limited(":", home.path(), &all);
    assert_whole_run(&output, N);
    let saved = rescued(&text(&output.stderr)).unwrap();
    let lines = lines_of(&saved);
    let n_requests = lines.iter().filter(|l| l["type"] == "request").count();
    assert_eq!(n_requests as u64, N);
    assert_eq!(lines.last().unwrap()["type"], "end");
    assert!(!file.exists(), "what was written is in the new place");
}

#[test]
fn a_quota_that_holds_everywhere_costs_the_file_and_not_the_figures() {
    let server = server();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("x.run.jsonl");
    let all = flags(&server.url(), &file, &["--tiers", "4", "--requests", "200"]);
    // 128 blocks of 512 bytes (or of 1 KiB, in some shells): no file of this process may be larger, in no place.
    let output = limited("trap '' XFSZ; ulimit -f 128", home.path(), &all);
    assert_whole_run(&output, 200);
    let said = text(&output.stderr);
    assert!(
        said.contains("not whole") && said.contains("choose another place"),
        "{said}"
    );
    let shown = crate::cli::run(home.path(), &["show", &file.display().to_string()]);
    assert_eq!(
        code(&shown),
        0,
        "what was written opens: {}",
        text(&shown.stderr)
    );
    let left = std::fs::read_dir(home.path().join("runs")).unwrap().count();
    assert_eq!(left, 0, "nothing half is left in another place");
}

#[test]
fn full_or_closed_outputs_end_no_run() {
    let server = server();
    let (mut command, _home, file) = prepared(&server.url(), &["--iterations", "5"]);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(to) = full() else { return };
    // Nobody sees the progress; the summary is printed all the same.
    let output = command.stderr(to).output().unwrap();
    assert!([0, 3].contains(&code(&output)));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["stages"][0]["ok"], 5);

    let shown = file.display().to_string();
    let home = tempfile::tempdir().unwrap();
    for args in [
        &["show", &shown, "--json"][..],
        &["schema", "run"],
        &["plan", "new", "--list"],
    ] {
        let output = inferometer(home.path(), args)
            .stdout(full().unwrap())
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert!(
            code(&output) == 2 && said.contains("cannot be printed"),
            "{args:?}: {said}"
        );
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = inferometer(home.path(), args)
            .stdout(writer)
            .output()
            .unwrap();
        assert!(
            code(&output) == 0 && output.stderr.is_empty(),
            "{args:?}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let server = server();
    let home = tempfile::tempdir().unwrap();
    for name in ["x.run.jsonl", "x.run.jsonl.zst"] {
        let file = home.path().join(name);
        std::fs::write(&file, "mine").unwrap();
        let output = limited(
            ":",
            home.path(),
            &flags(&server.url(), &file, &["--iterations", "1"]),
        );
        assert_eq!(code(&output), 2, "{name}");
        assert!(
            text(&output.stderr).contains(name),
            "{}",
            text(&output.stderr)
        );
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
        std::fs::remove_file(&file).unwrap();
    }
    assert_eq!(server.n_posts(), 0);
}

#[test]
fn two_runs_at_once_get_a_file_each() {
    let server = server();
    let home = tempfile::tempdir().unwrap();
    let url = server.url();
    let args = [
        "run",
        "--url",
        &url,
        "--protocol",
        "openai-chat",
        "--model",
        "m",
        "--tiers",
        "2",
        "--requests",
        "40",
        "--label",
        "same",
        "--json",
    ];
    let begin = || {
        inferometer(home.path(), &args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children = [begin(), begin(), begin()];
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!([0, 3].contains(&code(&output)), "{}", text(&output.stderr));
    }
    let files: Vec<PathBuf> = std::fs::read_dir(home.path().join("runs"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        let lines = lines_of(&file);
        let of = |kind: &str| lines.iter().filter(|l| l["type"] == kind).count();
        assert_eq!(
            (of("run"), of("request"), of("end")),
            (1, 40, 1),
            "{}",
            file.display()
        );
    }
}

#[test]
fn a_burst_of_many_users_is_judged_by_what_it_measured() {
    let server = serve(|_| good(2));
    let seen = measure(
        &server.url(),
        &[
            "--tiers",
            "60",
            "--requests-per-user",
            "3",
            "--mode",
            "burst",
        ],
    );
    assert_eq!(seen.stage()["ok"], 180, "{}", seen.stderr);
    assert!(!seen.reasons().contains("left"), "{}", seen.reasons());
    let slip = seen.stage()["metrics"]["slip"]["p99"].as_f64().unwrap();
    let ttft = seen.stage()["metrics"]["ttft"]["p50"].as_f64().unwrap();
    println!("60 users at once: slip p99 {slip:.1} ms, TTFT p50 {ttft:.1} ms");
    assert_eq!(
        seen.has_caution("late_sends"),
        slip > 5.0_f64.max(0.02 * ttft)
    );
}
