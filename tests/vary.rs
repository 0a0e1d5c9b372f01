//! A plan with varied fields, end to end on the demo server: a run and a file for each variation.

use inferometer::session::{Command, Event, Session};
use serde_json::Value;

use crate::cli::{code, inferometer, lines_of, quick, run, serve, text};

const FLAGS: [&str; 7] = [
    "--protocol",
    "openai-chat",
    "--requests",
    "12",
    "--tiers",
    "2",
    "--json",
];

#[test]
fn each_variation_is_a_run_with_its_own_file() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    let (url, out) = (server.openai_url(), home.path().join("v.run.jsonl"));
    let out = out.to_str().unwrap();
    let mut args = vec!["run", "--url", &url, "-o", out];
    args.extend(FLAGS);
    args.extend(["--vary", "workload.max_tokens=2,4", "--vary", "seed=7,8"]);
    args.extend(["--goal", "ttft.p50:10s"]);
    let output = run(home.path(), &args);
    assert!([0, 3].contains(&code(&output)), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("4 runs, 48 requests, as long as the server takes\nvariation 1 of 4: seed=7, workload.max_tokens=2\n"),
        "{said}"
    );
    let entries: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(entries.len(), 4);
    let mut groups = std::collections::BTreeSet::new();
    for (i, entry) in entries.iter().enumerate() {
        let file = home.path().join(format!("v-{}.run.jsonl", i + 1));
        assert_eq!(entry["file"].as_str(), file.to_str());
        let head = &lines_of(&file)[0];
        assert_eq!(head["variation"], entry["variation"]);
        let variation = &head["variation"];
        assert_eq!(
            (&variation["index"], &variation["of"]),
            (&i.into(), &4.into())
        );
        let tokens = [2, 2, 4, 4][i];
        assert_eq!(
            variation["values"]["workload.max_tokens"],
            tokens.to_string()
        );
        assert_eq!(head["plan"]["workload"]["max_tokens"], tokens);
        assert_eq!(
            head["plan"].get("vary"),
            None,
            "its own plan varies nothing"
        );
        groups.insert(variation["group"].as_str().unwrap().to_owned());
        let stage = &entry["summary"]["stages"][0];
        assert_eq!(stage["ok"], 12);
        assert_eq!(stage["metrics"]["ttft"]["n"], 12);
    }
    let first = lines_of(&home.path().join("v-1.run.jsonl"));
    assert_eq!(
        groups.into_iter().collect::<Vec<_>>(),
        [first[0]["id"].as_str().unwrap()]
    );

    let files: Vec<String> = (1..=4)
        .map(|i| {
            home.path()
                .join(format!("v-{i}.run.jsonl"))
                .display()
                .to_string()
        })
        .collect();
    let mut args = vec!["show"];
    args.extend(files.iter().map(String::as_str));
    let shown = text(&run(home.path(), &args).stdout);
    let table: Vec<&str> = shown.lines().skip_while(|l| *l != "By value").collect();
    assert_eq!(table.len(), 6, "{shown}");
    assert!(
        table[1]
            .trim_start()
            .starts_with("seed  workload.max_tokens"),
        "{shown}"
    );
    assert!(table[5].trim_start().starts_with("8     4"), "{shown}");
    assert!(
        shown.contains("Variation 2 of 4: seed=8, workload.max_tokens=2"),
        "{shown}"
    );

    let again = run(home.path(), &{
        let mut args = vec!["run", "--url", &url, "-o", out];
        args.extend(FLAGS);
        args.extend(["--vary", "seed=1,2,3,4"]);
        args
    });
    assert_eq!(code(&again), 2, "nothing is run when a file is in the way");
    assert!(
        text(&again.stderr).contains("v-1.run.jsonl"),
        "{}",
        text(&again.stderr)
    );
}

#[test]
fn the_worst_variation_decides_the_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let vary = format!("target.url={},http://{closed}/v1", server.openai_url());
    let url = server.openai_url();
    let mut args = vec!["run", "--url", &url, "--model", "m", "--vary", &vary];
    args.extend(FLAGS);
    let output = run(home.path(), &args);
    assert_eq!(code(&output), 4, "{}", text(&output.stderr));
    let entries: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let of = |i: usize, key| entries[i]["summary"]["stages"][0][key].as_u64().unwrap();
    assert_eq!((of(0, "ok"), of(1, "ok")), (12, 0));
    assert!(of(1, "failed") > 0);
}

#[test]
fn one_that_cannot_start_does_not_hold_the_others_up() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    let url = server.openai_url();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    // Without a model the server is asked, and nobody answers.
    let vary = format!("target.url=http://{closed}/v1,{url}");
    let mut args = vec!["run", "--url", &url, "--vary", &vary];
    args.extend(FLAGS);
    let output = run(home.path(), &args);
    assert_eq!(code(&output), 4, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("did not start:"));
    let entries: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["variation"]["index"], 0);
    assert_eq!(entries[0]["summary"], Value::Null);
    let why = &entries[0]["not_started"][0]["message"];
    assert!(!why.as_str().unwrap().is_empty());
    assert_eq!(entries[1]["summary"]["stages"][0]["ok"], 12);
    assert_eq!(entries[1]["variation"]["index"], 1);
    args.retain(|arg| *arg != "--json");
    let output = run(home.path(), &args);
    let said = text(&output.stdout);
    let row = said.lines().find(|l| l.contains(&closed.to_string()));
    assert!(row.unwrap().ends_with("did not start"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_stop_ends_the_one_under_way_and_the_rest() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    let out = home.path().join("s.run.jsonl");
    let url = server.openai_url();
    let args = [
        "run",
        "--url",
        &url,
        "--protocol",
        "openai-chat",
        "--tiers",
        "2",
        "--duration",
        "60s",
        "--vary",
        "seed=1,2,3",
        "--json",
        "-o",
        out.to_str().unwrap(),
    ];
    let child = inferometer(home.path(), &args)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    crate::cli::wait_for_requests(&home.path().join("s-1.run.jsonl"), 5);
    crate::cli::signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 130);
    let entries: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(entries.len(), 1);
    assert!(!home.path().join("s-2.run.jsonl").exists());
}

#[test]
fn the_session_tells_which_variation_runs() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    let mut session = Session::start(|| {}).unwrap();
    let mut plan = inferometer::domain::Plan::simple(&server.openai_url());
    plan.vary = vec!["workload.max_tokens=2,3".parse().unwrap()];
    session.send(Command::Start {
        plan: std::sync::Arc::new(plan.clone()),
        out: Some(home.path().join("e.run.jsonl")),
    });
    let mut told = Vec::new();
    for _ in 0..3000 {
        match session.try_event() {
            Some(Event::VariationStarted { index, of, values }) => {
                told.push(format!("{index}/{of} {}", values["workload.max_tokens"]));
            }
            Some(Event::RunStarted { .. }) => told.push("started".to_owned()),
            Some(Event::RunEnded { run }) => {
                let index = run.head.variation.as_ref().unwrap().index;
                told.push(format!("ended {index}"));
            }
            Some(Event::VariationsEnded { n_run, of }) => {
                told.push(format!("{n_run} of {of}"));
                break;
            }
            Some(Event::Failed { message }) => panic!("{message}"),
            Some(Event::Refused { issues }) => panic!("{issues:?}"),
            _ => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    }
    assert_eq!(
        told,
        [
            "0/2 2", "started", "ended 0", "1/2 3", "started", "ended 1", "2 of 2"
        ]
    );

    plan.vary = vec!["workload.max_tokens=2,x,0".parse().unwrap()];
    session.send(Command::Start {
        plan: std::sync::Arc::new(plan),
        out: None,
    });
    for _ in 0..3000 {
        match session.try_event() {
            Some(Event::Refused { issues }) => {
                assert_eq!(
                    issues.len(),
                    2,
                    "all are told before one is run: {issues:?}"
                );
                return;
            }
            Some(other) => panic!("{other:?}"),
            None => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    }
    panic!("it was not refused");
}
