//! The terminal: what goes where, and what it asks of the person.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use inferometer::demo::Script;
use serde_json::Value;

use super::server::{Step, good, serve};
use super::{Seen, measure, measure_with, prepared};
use crate::cli::{code, inferometer, lines_of, quick, run, signal, text};

const RESTARTS: [&str; 8] = [
    "--iterations",
    "2",
    "--cold",
    "1",
    "--set",
    "cold.how=restarted",
    "--set",
    "cold.cycles=2",
];

#[test]
fn the_cold_probe_waits_for_the_person() {
    let server = serve(|_| good(2));
    let (mut command, home, file) = prepared(&server.url(), &RESTARTS);
    // Also where no progress is shown: the run waits for the answer.
    command.arg("--quiet");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut stdin = child.stdin.take().unwrap();
    for cycle in 1..=2 {
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(
            line.contains(&format!("cold cycle {cycle} of 2")) && line.contains("press Enter"),
            "{line}"
        );
        assert_eq!(
            server.n_posts(),
            cycle - 1,
            "nothing is sent before the answer"
        );
        stdin.write_all(b"\n").unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    let seen = Seen::of(&file, output);
    drop(home);
    seen.assert_fine();
    let cold = seen.summary["cold"]["requests"].as_array().unwrap();
    assert_eq!(cold.len(), 2);
    assert!(
        cold.iter()
            .all(|r| r["first"] == true && r["connect"].is_f64()),
        "{cold:?}"
    );
}

#[test]
fn a_cold_probe_that_nobody_can_answer_fails_and_says_so() {
    let server = serve(|_| good(2));
    // The helper closes the input.
    let seen = measure(&server.url(), &RESTARTS);
    seen.assert_code(2);
    assert!(
        seen.stderr.contains("standard input is closed"),
        "{}",
        seen.stderr
    );
    assert_eq!((seen.stdout.as_str(), server.n_posts()), ("", 0));
}

#[test]
fn the_wait_for_a_restart_can_be_interrupted() {
    let server = serve(|_| good(2));
    let (mut command, _home, _file) = prepared(&server.url(), &RESTARTS);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("press Enter") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "it never asked");
    }
    // Waiting closes what the child still reads from.
    let stdin = child.stdin.take();
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(stdin);
    assert_eq!(server.n_posts(), 0);
}

#[test]
fn a_run_may_be_packed() {
    let server = serve(|_| good(2));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("p.run.jsonl.zst");
    let flags = super::flags(&server.url(), &file, &["--iterations", "12"]);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let output = run(home.path(), &flags);
    assert!([0, 3].contains(&code(&output)), "{}", text(&output.stderr));
    assert!(
        !text(&output.stderr).contains("inferometer:"),
        "{}",
        text(&output.stderr)
    );
    assert!(
        std::fs::read(&file)
            .unwrap()
            .starts_with(&[0x28, 0xb5, 0x2f, 0xfd]),
        "zstd's magic number"
    );
    assert!(!file.with_extension("").exists(), "the plain one is gone");
    let shown = run(
        home.path(),
        &["show", &file.display().to_string(), "--json"],
    );
    assert_eq!(code(&shown), 0, "{}", text(&shown.stderr));
    assert_eq!(shown.stdout, output.stdout);
    let shown = run(home.path(), &["show", &file.display().to_string()]);
    assert!(text(&shown.stdout).contains("Time to first token"));
}

#[test]
fn json_is_alone_on_stdout_and_progress_on_stderr() {
    // Long enough that a snapshot sees each stage.
    let server = serve(|_| [vec![Step::WaitMs(60)], good(2)].concat());
    let stages = ["--tiers", "1,2", "--requests", "5"];
    let seen = measure(&server.url(), &stages);
    seen.assert_fine();
    assert_eq!(seen.stdout.lines().count(), 1);
    assert!(seen.summary.is_object());
    assert!(seen.stderr.contains("stage "), "{}", seen.stderr);
    assert!(
        !seen.stderr.contains('\x1b'),
        "no escapes where there is no terminal"
    );
    let quiet = measure_with(&server.url(), &stages, |command| {
        command.arg("--quiet");
    });
    assert_eq!(
        (quiet.stderr.as_str(), quiet.stdout.lines().count()),
        ("", 1)
    );
}

#[test]
fn every_preset_can_be_written_and_checked() {
    let home = tempfile::tempdir().unwrap();
    let list = text(&run(home.path(), &["plan", "new", "--list"]).stdout);
    let ids: Vec<&str> = list
        .lines()
        .map(|l| l.split_whitespace().next().unwrap())
        .collect();
    assert!(ids.len() >= 5 && ids.contains(&"tiers"), "{list}");
    for id in ids {
        let new = run(
            home.path(),
            &["plan", "new", id, "--url", "http://127.0.0.1:9/v1"],
        );
        let file = home.path().join("p.plan.toml");
        std::fs::write(&file, &new.stdout).unwrap();
        let check = run(home.path(), &["plan", "check", &file.display().to_string()]);
        assert_eq!(code(&check), 0, "{id}: {}", text(&check.stdout));
    }
    let unknown = run(home.path(), &["plan", "new", "nosuch"]);
    assert!(code(&unknown) == 2 && text(&unknown.stderr).contains("tiers"));
}

#[test]
fn every_line_of_real_runs_is_what_the_schema_says() {
    let home = tempfile::tempdir().unwrap();
    let schema: Value =
        serde_json::from_slice(&run(home.path(), &["schema", "run"]).stdout).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let server = crate::cli::serve(Script {
        error_share: 0.3,
        reasoning_tokens: 2,
        ..quick()
    });
    let (openai, gradio) = (server.openai_url(), server.gradio_url());
    let runs: [&[&str]; 4] = [
        &[
            "--url",
            &openai,
            "--protocol",
            "openai-chat",
            "--mode",
            "burst",
            "--set",
            "keep_text=true",
        ],
        &[
            "--url",
            &openai,
            "--protocol",
            "openai-completions",
            "--set",
            "target.stream=false",
        ],
        &[
            "--url",
            &gradio,
            "--protocol",
            "gradio",
            "--api-name",
            "/chat",
            "--gradio-mode",
            "queue",
        ],
        &[
            "--url",
            &gradio,
            "--protocol",
            "gradio",
            "--api-name",
            "/chat",
            "--gradio-mode",
            "call",
            "--set",
            "target.connections=new",
        ],
    ];
    for (n, target) in runs.iter().enumerate() {
        let file = home.path().join(format!("{n}.run.jsonl"));
        let out = file.display().to_string();
        let mut args = vec!["run"];
        args.extend(*target);
        args.extend([
            "--cold",
            "2",
            "--warmup",
            "3",
            "--tiers",
            "1,4",
            "--requests",
            "8,16",
            "-o",
            &out,
            "--tag",
            "a",
        ]);
        let output = inferometer(home.path(), &args).output().unwrap();
        assert!(
            [0, 3].contains(&code(&output)),
            "{target:?}: {}",
            text(&output.stderr)
        );
        let lines = lines_of(&file);
        for line in &lines {
            let wrong: Vec<String> = schema
                .iter_errors(line)
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert!(wrong.is_empty(), "{target:?}: {wrong:?}\n{line}");
        }
        let has = |name: &str, word: &str| lines.iter().any(|l| l[name] == word);
        for (name, word) in [
            ("type", "run"),
            ("type", "stage"),
            ("type", "sample"),
            ("type", "end"),
            ("phase", "cold"),
            ("phase", "warmup"),
            ("phase", "measure"),
            ("outcome", "failed"),
            ("outcome", "ok"),
        ] {
            assert!(has(name, word), "{target:?}: no {name} is {word}");
        }
    }
}
