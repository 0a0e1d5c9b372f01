//! Visitors beside the measured requests: what they do is kept apart, and starts and ends with what is measured.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use super::cli::{assert_measured, code, lines_of, quick, run, serve, text};

const TRAFFIC: [&str; 10] = [
    "--set",
    "mixed_traffic.page_loads=2",
    "--set",
    "mixed_traffic.uploads=1",
    "--set",
    "mixed_traffic.downloads=1",
    "--set",
    "mixed_traffic.file_bytes=20000",
    "--set",
    "mixed_traffic.pause_ms=20",
];

fn visited(home: &Path, url: &str, out: &Path, more: &[&str]) -> Output {
    let out = out.display().to_string();
    let args = ["run", "--url", url, "--json", "-o", &out];
    run(home, &[&args[..], &TRAFFIC[..], more].concat())
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|l| l["type"] == kind).collect()
}

fn ns(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn visitors_come_with_the_first_stage_and_leave_with_the_run() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a.run.jsonl");
    let server = serve(quick());
    let more = [
        "--protocol",
        "gradio",
        "--api-name",
        "/chat",
        "--tiers",
        "1,2",
        "--duration",
        "1s",
        "--set",
        "cold.requests=3",
    ];
    let output = visited(home.path(), &server.gradio_url(), &file, &more);
    assert_measured(&output);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let lines = lines_of(&file);
    let (beside, requests) = (of_type(&lines, "beside"), of_type(&lines, "request"));

    let cold_end = requests.iter().filter(|r| r["phase"] == "cold");
    let cold_end = cold_end.map(|r| ns(&r["end_ns"])).max().unwrap();
    let first = beside.iter().map(|b| ns(&b["start_ns"])).min().unwrap();
    assert!(
        first >= cold_end,
        "{first} is before the cold probe's end {cold_end}"
    );
    let stages: std::collections::BTreeSet<u64> = beside.iter().map(|b| ns(&b["stage"])).collect();
    assert_eq!(stages, [0, 1].into());

    for (kind, bytes) in [
        ("upload", 20_000),
        ("download", 20_000),
        ("page_load", 3_000),
    ] {
        let of: Vec<_> = beside.iter().filter(|b| b["kind"] == kind).collect();
        assert!(of.len() > 3, "{kind}: {}", of.len());
        for b in &of {
            assert_eq!(b["error"], Value::Null, "{b}");
            assert!(ns(&b["end_ns"]) >= ns(&b["start_ns"]));
            let n = ns(&b["bytes"]);
            assert!(n == bytes || (kind == "page_load" && n > bytes), "{b}");
        }
        let told = summary["beside"].as_array().unwrap();
        let told = told.iter().find(|s| s["kind"] == kind).unwrap();
        assert_eq!((ns(&told["n"]), ns(&told["failed"])), (of.len() as u64, 0));
        assert!(told["p50"].as_f64() <= told["p99"].as_f64());
    }
    // Visitors have numbers of their own, and none is a user.
    let visitors: std::collections::BTreeSet<u64> =
        beside.iter().map(|b| ns(&b["visitor"])).collect();
    assert_eq!(visitors, [0, 1, 2, 3].into());
    let measured = requests.iter().filter(|r| r["phase"] == "measure").count() as u64;
    let in_stages = summary["stages"].as_array().unwrap().iter();
    let in_stages: u64 = in_stages.map(|s| ns(&s["ok"]) + ns(&s["failed"])).sum();
    assert_eq!(in_stages, measured);
}

#[test]
fn a_target_without_pages_is_refused_before_anything_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a.run.jsonl");
    let server = serve(quick());
    let output = visited(home.path(), &server.openai_url(), &file, &[]);
    let said = text(&output.stderr);
    assert_eq!(code(&output), 2, "{said}");
    assert!(
        said.contains("mixed_traffic") && said.contains("Gradio"),
        "{said}"
    );
    assert!(!file.exists());
}

#[test]
#[ignore = "needs real servers: packaging/check.sh starts them"]
fn a_real_app_is_visited_while_it_answers() {
    let url = std::env::var("INFEROMETER_TEST_GRADIO6").unwrap();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a.run.jsonl");
    let more = [
        "--protocol",
        "gradio",
        "--api-name",
        "/echo",
        "--tiers",
        "1",
        "--duration",
        "3s",
    ];
    let output = visited(home.path(), &url, &file, &more);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let kinds = summary["beside"].as_array().unwrap();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    for kind in kinds {
        assert!(ns(&kind["n"]) > 3 && kind["failed"] == 0, "{kind}");
    }
    for b in of_type(&lines_of(&file), "beside") {
        // What was uploaded came down again, whole.
        assert!(b["kind"] == "page_load" || b["bytes"] == 20_000, "{b}");
    }
}
