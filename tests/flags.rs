//! Flags and plan fields are the same words: each flag gives the plan that its field gives, and what contradicts is said at
//! the flag.

use std::path::Path;
use std::process::Output;

use inferometer::store::{check_text, preset};

use crate::cli::{code, inferometer, run, text};

const URL: &str = "http://127.0.0.1:9/v1";

fn show(home: &Path, args: &[&str]) -> Output {
    let mut all = vec!["plan", "show"];
    all.extend(args);
    inferometer(home, &all).output().unwrap()
}

/// The plan that `plan show` prints, as the file says it.
#[track_caller]
fn shown(home: &Path, args: &[&str]) -> String {
    let output = show(home, args);
    assert_eq!(code(&output), 0, "{args:?}: {}", text(&output.stderr));
    let toml = text(&output.stdout);
    let found = check_text(&toml);
    assert_eq!(found.issues, [], "{args:?}\n{toml}");
    toml
}

#[test]
fn each_flag_is_the_plans_field() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("p.txt");
    std::fs::write(&file, "one\n").unwrap();
    let file = file.to_str().unwrap();
    let stage = |load: &str, end: &str| format!("stages=[{{ load = {{ {load} }}, {end} }}]");
    let trace = home.path().join("t.csv");
    std::fs::write(&trace, crate::cli::TRACE).unwrap();
    let trace = trace.to_str().unwrap();
    let replay = format!("kind = \"replay\", replay = {trace:?}");
    let cases: Vec<(Vec<&str>, Vec<String>)> = vec![
        (
            vec!["--rate", "5, 20.5"],
            vec![
                "stages=[{ load = { kind = \"open\", rate = 5 }, duration_secs = 30 }, { load = { kind = \"open\", rate = 20.5 }, duration_secs = 30 }]"
                    .to_owned(),
            ],
        ),
        (
            vec![
                "--rate", "50", "--arrival", "gamma:0.5", "--ramp", "linear:1..50", "--duration",
                "1.5m", "--max-in-flight", "64", "--when-full", "drop",
            ],
            vec![stage(
                "kind = \"open\", rate = 50, arrival = \"gamma:0.5\", ramp = \"linear:1..50\", max_in_flight = 64, when_full = \"drop\"",
                "duration_secs = 90",
            )],
        ),
        (
            vec!["--rate", "5", "--requests", "40", "--arrival", "constant"],
            vec![stage(
                "kind = \"open\", rate = 5, arrival = \"constant\"",
                "requests = 40",
            )],
        ),
        (
            vec!["--tiers", "20", "--ramp", "exponential:1..20", "--duration", "10s"],
            vec![stage(
                "kind = \"closed\", users = 20, ramp = \"exponential:1..20\"",
                "duration_secs = 10",
            )],
        ),
        (
            vec!["--sweep", "5"],
            vec![stage(
                "kind = \"sweep\", steps = 5, max_users = 128",
                "duration_secs = 30",
            )],
        ),
        (
            vec![
                "--sweep", "4", "--max-users", "16", "--over", "users", "--requests-per-user", "3",
            ],
            vec![stage(
                "kind = \"sweep\", steps = 4, max_users = 16, over = \"users\"",
                "requests_per_user = 3",
            )],
        ),
        (
            vec!["--search", "--goal", "ttft.p95:500ms"],
            vec![
                "goals=[\"ttft.p95:500ms\"]".to_owned(),
                stage("kind = \"search\", from = 1, max = 1000", "duration_secs = 30"),
            ],
        ),
        (
            vec![
                "--search", "--goal", "ttft:0.5s", "--goal", "tpot.p99:40", "--from", "2", "--max",
                "64", "--over", "users", "--arrival", "constant", "--requests", "50",
            ],
            vec![
                "goals=[\"ttft.p95:500ms\", \"tpot.p99:40ms\"]".to_owned(),
                stage(
                    "kind = \"search\", from = 2, max = 64, over = \"users\", arrival = \"constant\"",
                    "requests = 50",
                ),
            ],
        ),
        (
            vec!["--replay", trace, "--time-scale", "2.5", "--max-in-flight", "8"],
            vec![stage(
                &format!("{replay}, time_scale = 2.5, max_in_flight = 8"),
                "whole_trace = true",
            )],
        ),
        (
            vec!["--replay", trace, "--duration", "5s"],
            vec![stage(&replay, "duration_secs = 5")],
        ),
        (
            vec!["--goal", "interactive"],
            vec![
                "goals=[\"decode_rate.p95:10\", \"ttft.p95:500ms\", \"e2e.p50:3s\", \"e2e.p95:10s\"]"
                    .to_owned(),
            ],
        ),
        (
            vec![
                "--vary", "workload.max_tokens=16,64", "--vary", "target.model=a,b", "--vary-mode",
                "one-at-a-time",
            ],
            vec![
                "vary=[\"workload.max_tokens=16,64\", \"target.model=a,b\"]".to_owned(),
                "vary_mode=one-at-a-time".to_owned(),
            ],
        ),
        (
            vec!["--dataset", file],
            vec![format!("workload.dataset={file}")],
        ),
        (
            vec!["--dataset", "hf:owner/name/a/b.jsonl", "--input-tokens", "uniform:100..300"],
            vec![
                "workload.dataset=hf:owner/name/a/b.jsonl".to_owned(),
                "workload.input_tokens=uniform:100..300".to_owned(),
            ],
        ),
        (
            vec![
                "--input-tokens", "normal:200,10,180,220", "--output-tokens", "50", "--sharing",
                "shared:0.5", "--tokenizer", "hf:owner/model", "--ignore-eos",
            ],
            vec![
                "workload.input_tokens=normal:200,10,180,220".to_owned(),
                "workload.output_tokens=50".to_owned(),
                "workload.sharing=shared:0.5".to_owned(),
                "workload.tokenizer=hf:owner/model".to_owned(),
                "workload.ignore_eos=true".to_owned(),
            ],
        ),
        (
            vec!["--turns", "4", "--think", "500ms"],
            vec![
                "workload.turns=4".to_owned(),
                "workload.think_secs=0.5".to_owned(),
            ],
        ),
        (
            vec!["--protocol", "tgi", "--stop-when-saturated"],
            vec![
                "target.protocol=tgi".to_owned(),
                "limits.stop_when_saturated=true".to_owned(),
            ],
        ),
        (
            vec!["--mixed-traffic"],
            vec!["mixed_traffic.page_loads=2".to_owned()],
        ),
    ];
    for (flags, sets) in cases {
        let by_flags: Vec<&str> = [&["--url", URL], flags.as_slice()].concat();
        let mut by_sets = vec!["--url", URL];
        for set in &sets {
            by_sets.extend(["--set", set]);
        }
        assert_eq!(
            shown(home.path(), &by_flags),
            shown(home.path(), &by_sets),
            "{flags:?}"
        );
    }
}

#[test]
fn set_reaches_every_kind_of_load_field_by_field() {
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("t.csv");
    std::fs::write(&trace, crate::cli::TRACE).unwrap();
    let trace = trace.to_str().unwrap();
    for (flags, sets) in [
        (
            "--rate 7.5 --arrival constant --max-in-flight 3 --when-full drop",
            "stages.0.rate=7.5 stages.0.load.arrival=constant stages.0.max_in_flight=3 stages.0.when_full=drop stages.0.duration_secs=30",
        ),
        (
            "--sweep 10",
            "stages.0.load.kind=sweep stages.0.duration_secs=30",
        ),
        (
            "--sweep 6 --max-users 9 --over users",
            "stages.0.steps=6 stages.0.max_users=9 stages.0.over=users stages.0.duration_secs=30",
        ),
        (
            "--search --goal ttft:1s --max 50",
            "goals.0=ttft:1s stages.0.max=50 stages.0.duration_secs=30",
        ),
        (
            "--replay TRACE --time-scale 3",
            "stages.0.replay=TRACE stages.0.time_scale=3 stages.0.whole_trace=true",
        ),
        (
            "--tiers 4 --requests 9",
            "stages.0.rate=2 stages.0.users=4 stages.0.requests=9",
        ),
    ] {
        let (flags, sets) = (flags.replace("TRACE", trace), sets.replace("TRACE", trace));
        let mut by_flags = vec!["--url", URL];
        by_flags.extend(flags.split(' '));
        let mut by_sets = vec!["--url", URL];
        by_sets.extend(sets.split(' ').flat_map(|set| ["--set", set]));
        assert_eq!(
            shown(home.path(), &by_flags),
            shown(home.path(), &by_sets),
            "{flags}"
        );
    }
}

#[test]
fn what_contradicts_is_said_once_at_its_flag() {
    let home = tempfile::tempdir().unwrap();
    for (flags, issues) in [
        (
            "--rate 5 --tiers 3 --search",
            vec![
                ("--rate", "goes without --tiers"),
                ("--search", "goes without --tiers"),
                ("--search", "the load that meets them"),
            ],
        ),
        (
            "--iterations 3 --duration 5s",
            vec![("--duration", "goes without --iterations")],
        ),
        (
            "--requests 3 --duration 5s",
            vec![("--duration", "goes without --requests")],
        ),
        ("--rate 0", vec![("--rate", "“0”")]),
        ("--rate 5,x", vec![("--rate", "“x”")]),
        ("--rate 1e9", vec![("--rate", "“1e9”")]),
        (
            "--rate 5 --arrival gamma:0",
            vec![("--arrival", "“gamma:0”")],
        ),
        (
            "--tiers 5 --arrival constant",
            vec![("--arrival", "--rate, --sweep or --search only")],
        ),
        (
            "--rate 5,6,7 --ramp linear:1..50",
            vec![("--ramp", "“linear:1..50” ends at 50 but rate is 5")],
        ),
        (
            "--tiers 5 --ramp linear:1..5",
            vec![("--ramp", "needs a stage with duration_secs")],
        ),
        ("--rate 5 --when-full wait", vec![("--when-full", "“wait”")]),
        (
            "--rate 5 --max-in-flight 0",
            vec![("--max-in-flight", "“0”")],
        ),
        (
            "--rate 5 --requests-per-user 3",
            vec![("--requests-per-user", "users only")],
        ),
        (
            "--rate 5,10 --requests 1,2,3",
            vec![("--requests", "3 values for 2 stages")],
        ),
        ("--max-users 3", vec![("--max-users", "--sweep only")]),
        ("--sweep 0", vec![("--sweep", "“0”")]),
        ("--sweep 64", vec![("--sweep", "“64”")]),
        (
            "--sweep 3 --max-users 20001",
            vec![("--max-users", "“20001”")],
        ),
        (
            "--search --goal ttft:1s --from 9 --max 3",
            vec![("--max", "“9” to “3”")],
        ),
        ("--search --goal slip:5ms", vec![("--goal", "“slip:5ms”")]),
        ("--time-scale 2", vec![("--time-scale", "--replay only")]),
        (
            "--replay Cargo.toml --time-scale 0",
            vec![("--time-scale", "“0”")],
        ),
        ("--turns 0", vec![("--turns", "“0”")]),
        ("--think soon", vec![("--think", "“soon”")]),
        (
            "--user a --prompts p --input-tokens 5",
            vec![
                ("--prompts", "goes without --user"),
                ("--input-tokens", "goes without --user"),
            ],
        ),
        (
            "--user a --dataset b",
            vec![("--dataset", "goes without workload.users")],
        ),
        (
            "--max-tokens 5 --output-tokens 6",
            vec![("--output-tokens", "goes without workload.max_tokens")],
        ),
        ("--input-tokens 0", vec![("--input-tokens", "“0”")]),
        ("--sharing some", vec![("--sharing", "“some”")]),
        ("--tokenizer hf:x", vec![("--tokenizer", "“hf:x”")]),
        ("--vary x", vec![("--vary", "“x”")]),
        ("--vary sede=1,2", vec![("--vary", "did you mean “seed”?")]),
        (
            "--vary seed=1,x --vary workload.max_tokens=0,5",
            vec![
                ("--vary", "seed=x"),
                ("--vary", "workload.max_tokens=0: workload.max_tokens: “0”"),
            ],
        ),
        ("--vary-mode grid", vec![("--vary-mode", "--vary only")]),
        (
            "--think 2s",
            vec![("--think", "--turns of at least 2 only")],
        ),
        (
            "--sharing fixed",
            vec![("--sharing", "--input-tokens or --replay only")],
        ),
        (
            "--rate 5 --when-full drop",
            vec![("--when-full", "add --max-in-flight")],
        ),
        ("--protocol smtp", vec![("--protocol", "“smtp”")]),
        (
            "--template none.toml --protocol tgi",
            vec![
                ("--template", "goes with --protocol http, not with tgi"),
                ("--template", "cannot be read"),
            ],
        ),
        ("--profile nosuch", vec![("--profile", "single-request")]),
    ] {
        let mut args = vec!["--url", URL];
        args.extend(flags.split(' '));
        let output = show(home.path(), &args);
        assert_eq!(code(&output), 2, "{flags}: {}", text(&output.stdout));
        let said = text(&output.stderr);
        let lines: Vec<&str> = said.lines().collect();
        assert!(
            lines.len() <= issues.len() && !lines.is_empty(),
            "{flags}: {said}"
        );
        for (line, (flag, words)) in lines.iter().zip(&issues) {
            assert!(
                line.starts_with(&format!("inferometer: {flag}: ")) && line.contains(words),
                "{flags}: {flag} {words}\n{said}"
            );
        }
    }
}

/// What is told by the session, which looks at files, and not by the plan alone.
#[test]
fn what_is_found_when_a_run_is_to_start_is_said_at_its_flag() {
    let home = tempfile::tempdir().unwrap();
    for (flags, said) in [
        ("--replay none.csv", "--replay: there is no such file"),
        (
            "--vary nosuch=1",
            "--vary: nosuch=1: nosuch: there is no such field",
        ),
    ] {
        let mut args = vec!["run", "--quiet", "--url", URL];
        args.extend(flags.split(' '));
        let output = run(home.path(), &args);
        let stderr = text(&output.stderr);
        assert_eq!(code(&output), 2, "{flags}: {stderr}");
        assert!(
            stderr.starts_with(&format!("inferometer: {said}")),
            "{flags}: {stderr}"
        );
    }
}

#[test]
fn flags_change_what_a_plan_or_a_preset_says() {
    let home = tempfile::tempdir().unwrap();
    let plan = home.path().join("a.plan.toml");
    std::fs::write(&plan, preset("constant-rate").unwrap().text).unwrap();
    let plan = plan.to_str().unwrap();
    let toml = shown(
        home.path(),
        &[
            plan,
            "--arrival",
            "constant",
            "--duration",
            "5s",
            "--max-in-flight",
            "7",
        ],
    );
    for line in [
        "load = { kind = \"open\", rate = 10.0, arrival = \"constant\", max_in_flight = 7",
        "duration_secs = 5.0",
        "profile = \"constant-rate\"",
    ] {
        assert!(toml.contains(line), "{line}\n{toml}");
    }
    let by_profile = shown(home.path(), &["--profile", "chat", "--url", URL]);
    assert!(by_profile.contains("turns = 4") && by_profile.contains(URL));
    // What a flag says takes the place of the other way to say it.
    let toml = shown(
        home.path(),
        &["--profile", "chat", "--max-tokens", "9", "--user", "hi"],
    );
    assert!(
        !toml.contains("output_tokens") && !toml.contains("input_tokens"),
        "{toml}"
    );
    let both = show(home.path(), &[plan, "--profile", "chat"]);
    assert!(text(&both.stderr).contains("--profile: goes without a plan file"));
}

#[test]
fn a_template_is_a_file_of_its_own() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("t.toml");
    let fields =
        "path = \"/gen\"\nbody = '{\"p\": {{prompt}}}'\nframing = \"ndjson\"\ntoken = \"/t\"\n";
    std::fs::write(&file, fields).unwrap();
    let file = file.to_str().unwrap();
    let toml = shown(home.path(), &["--url", URL, "--template", file]);
    for line in [
        "protocol = \"http\"",
        "[target.template]",
        "framing = \"ndjson\"",
    ] {
        assert!(toml.contains(line), "{toml}");
    }
    let twice = show(
        home.path(),
        &["--url", URL, "--template", file, "--turns", "2"],
    );
    let said = text(&twice.stderr);
    assert!(
        said.contains("--turns: “2” would send each turn without"),
        "{said}"
    );
    std::fs::write(file, "").unwrap();
    let empty = show(home.path(), &["--url", URL, "--template", file]);
    let said = text(&empty.stderr);
    assert!(
        said.contains("target.template.body: is empty, so that every request"),
        "{said}"
    );
    std::fs::write(file, fields.replace("ndjson", "nd")).unwrap();
    let output = show(home.path(), &["--url", URL, "--template", file]);
    let said = text(&output.stderr);
    assert!(said.contains("line 3: target.template.framing"), "{said}");
}

#[test]
fn presets_are_listed_and_shown_with_what_they_take() {
    let home = tempfile::tempdir().unwrap();
    let list = inferometer(home.path(), &["plan", "list"])
        .output()
        .unwrap();
    let said = text(&list.stdout);
    assert_eq!(said.lines().count(), inferometer::store::presets().len());
    for preset in inferometer::store::presets() {
        let line = said
            .lines()
            .find(|l| l.split_whitespace().next() == Some(preset.id));
        assert!(line.is_some_and(|l| l.len() > 40), "{}: {said}", preset.id);
        let toml = shown(home.path(), &["--profile", preset.id, "--url", URL]);
        assert!(toml.starts_with("# 1 run"), "{toml}");
        assert!(
            toml.contains(&format!("profile = \"{}\"", preset.id)),
            "{toml}"
        );
    }
    let toml = shown(
        home.path(),
        &[
            "--url",
            URL,
            "--rate",
            "2,4",
            "--duration",
            "30s",
            "--vary",
            "seed=1,2,3",
        ],
    );
    assert!(
        toml.starts_with("# 3 runs, 540 requests, about 3 min\n"),
        "{toml}"
    );
}

#[test]
fn help_explains_each_flag() {
    let home = tempfile::tempdir().unwrap();
    let help = inferometer(home.path(), &["run", "--help"])
        .output()
        .unwrap();
    let said = text(&help.stdout);
    for flag in [
        "--rate",
        "--arrival",
        "--duration",
        "--ramp",
        "--max-in-flight",
        "--when-full",
        "--sweep",
        "--max-users",
        "--over",
        "--search",
        "--from",
        "--max",
        "--goal",
        "--replay",
        "--time-scale",
        "--vary",
        "--vary-mode",
        "--profile",
        "--dataset",
        "--turns",
        "--think",
        "--input-tokens",
        "--output-tokens",
        "--sharing",
        "--tokenizer",
        "--ignore-eos",
        "--mixed-traffic",
        "--stop-when-saturated",
        "--template",
    ] {
        assert!(said.contains(flag), "{flag} is missing in\n{said}");
    }
}

#[test]
fn a_replay_is_told_as_long_as_its_trace() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("t.csv");
    std::fs::write(&file, crate::cli::TRACE).unwrap();
    let file = file.to_str().unwrap();
    for (flags, expected) in [
        (
            &["--time-scale", "2"][..],
            "# 1 run, 4 requests, about 1.5 s\n",
        ),
        (&["--duration", "1s"], "# 1 run, 3 requests, about 1 s\n"),
        (&["--requests", "2"], "# 1 run, 2 requests, about 0.5 s\n"),
    ] {
        let shown = shown(
            home.path(),
            &[&["--url", URL, "--replay", file], flags].concat(),
        );
        assert!(shown.starts_with(expected), "{shown}");
    }
    std::fs::write(file, "one\n").unwrap();
    let output = show(home.path(), &["--url", URL, "--replay", file]);
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("--replay: "));
}
