//! What servers and networks do wrong.

use std::io::Write as _;
use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::server::{
    Manners, Step, body, chunk, done, end, event, finish, good, head, serve, serve_with, token,
    write,
};
use super::{measure, measure_with};
use crate::cli::{code, run, text};

fn kinds(requests: &[&Value]) -> Vec<String> {
    let kind = |r: &&Value| match r["outcome"].as_str().unwrap() {
        "failed" => r["failure"]["kind"].as_str().unwrap().to_owned(),
        outcome => outcome.to_owned(),
    };
    requests.iter().map(kind).collect()
}

#[test]
fn nothing_listens_and_no_such_name() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (url, named, kind) in [
        (format!("http://{closed}/v1"), closed.to_string(), "connect"),
        (
            "http://x.invalid/v1".to_owned(),
            "x.invalid".to_owned(),
            "dns",
        ),
    ] {
        let seen = measure(&url, &["--iterations", "3"]);
        seen.assert_code(4);
        let error = &seen.summary["errors"][0];
        assert_eq!((&error["kind"], &error["count"]), (&kind.into(), &3.into()));
        assert!(
            error["first_message"].to_string().contains(&named),
            "{error}"
        );
        assert!(
            seen.stderr.contains("Models cannot be listed"),
            "{}",
            seen.stderr
        );

        // Who names no model asks the server first: nothing was sent then, so there is no run.
        let home = tempfile::tempdir().unwrap();
        let asked = run(home.path(), &["run", "--url", &url, "--json"]);
        let said = text(&asked.stderr);
        assert_eq!(code(&asked), 4, "{said}");
        assert!(said.contains(&url) && said.contains("; check th"), "{said}");
        let kept = std::fs::read_dir(home.path().join("runs")).map_or(0, Iterator::count);
        assert_eq!((asked.stdout.len(), kept), (0, 0));
    }
}

#[test]
fn ten_first_failures_alike_end_a_run_that_says_why() {
    // The port is closed as soon as the server has said what it is.
    let manners = Manners {
        most_connections: 1,
        ..Manners::default()
    };
    let server = serve_with(manners, |_| good(1));
    let seen = measure(&server.url(), &["--iterations", "500"]);
    seen.assert_code(4);
    assert_eq!(seen.summary["errors"][0]["kind"], "connect");
    assert_eq!(seen.summary["errors"][0]["count"], 10);
    let why = seen.caution("stopped_early").unwrap().to_string();
    assert!(
        why.contains("first 10 requests that ended all failed alike"),
        "{why}"
    );
    assert!(seen.reasons().contains("Every request failed"));
    let border = seen.lines.iter().rfind(|l| l["type"] == "stage").unwrap();
    assert!(border["stopped"].as_str().unwrap().contains("alike"));
}

#[test]
fn a_reset_keeps_the_token_times_so_far() {
    let server = serve(|asked| match asked.n {
        1 => vec![
            head(),
            token(),
            token(),
            token(),
            Step::WaitMs(50),
            Step::Reset,
        ],
        2 => vec![head(), token(), token(), Step::WaitMs(50), Step::Close],
        _ => good(3),
    });
    let seen = measure(&server.url(), &["--iterations", "4"]);
    seen.assert_fine();
    let requests = seen.requests();
    assert_eq!(kinds(&requests), ["ok", "reset", "error_truncated", "ok"]);
    for (n, n_tokens) in [(1, 3), (2, 2)] {
        let cut = requests[n];
        assert!(
            cut["first_token_ns"].is_u64() && cut["last_token_ns"].is_u64(),
            "{cut}"
        );
        assert_eq!(cut["chunk_ns"].as_array().unwrap().len(), n_tokens - 1);
        assert!(cut["finish_ns"].is_null());
    }
    assert_eq!(
        (seen.stage()["ok"].as_u64(), seen.stage()["failed"].as_u64()),
        (Some(2), Some(2))
    );
    assert_eq!(
        seen.stage()["metrics"]["ttft"]["n"],
        2,
        "failures enter no latency figure"
    );
    assert_eq!(server.n_posts(), 4, "nothing is sent twice");
}

#[test]
fn each_silence_ends_by_its_own_timer() {
    let slow_head: Vec<Step> = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        .bytes()
        .flat_map(|b| [write([b]), Step::WaitMs(100)])
        .collect();
    let server = serve(move |asked| match asked.n {
        1 => vec![head(), token(), token(), Step::Hold],
        2 => vec![head(), token(), Step::Repeat(chunk(": ping\n\n"), 100)],
        3 => vec![Step::Hold],
        4 => slow_head.clone(),
        5 => vec![
            head(),
            token(),
            Step::Repeat(
                chunk("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"),
                100,
            ),
        ],
        _ => good(2),
    });
    let timeouts = [
        "--iterations",
        "7",
        "--set",
        "target.timeouts.first_byte_secs=0.5",
        "--set",
        "target.timeouts.idle_secs=0.6",
        "--set",
        "target.timeouts.token_stall_secs=1",
        "--set",
        "target.timeouts.total_secs=2",
    ];
    let seen = measure(&server.url(), &timeouts);
    seen.assert_fine();
    let requests = seen.requests();
    assert_eq!(
        kinds(&requests),
        [
            "ok",
            "timeout_idle",
            "timeout_idle",
            "timeout_first_byte",
            "timeout_first_byte",
            "timeout_total",
            "ok"
        ]
    );
    let said = |n: usize| requests[n]["failure"]["message"].as_str().unwrap();
    assert!(said(1).contains("0.6 s (idle timeout)"), "{}", said(1));
    assert!(
        said(2).contains("token-stall"),
        "heartbeats feed the other timer: {}",
        said(2)
    );
    assert!(requests[2]["first_token_ns"].is_u64());
    assert!(requests[3]["first_token_ns"].is_null());
}

#[test]
fn a_connection_closed_while_idle_is_made_again_and_told() {
    let manners = Manners {
        idle: Some(Duration::from_millis(400)),
        ..Manners::default()
    };
    let server = serve_with(manners, |_| good(2));
    let stages = [
        "--tiers",
        "2,2",
        "--requests",
        "4",
        "--set",
        "pause_secs=1.2",
    ];
    let seen = measure(&server.url(), &stages);
    seen.assert_fine();
    let requests = seen.requests();
    assert!(requests.iter().all(|r| r["outcome"] == "ok"));
    let n = requests
        .iter()
        .filter(|r| r["connection"]["kind"] == "reconnected")
        .count();
    assert_eq!(n, 2, "one for each user: {requests:#?}");
    assert!(seen.has_caution("reconnected"));
    assert_eq!(server.n_posts(), 8);
}

#[test]
fn a_connection_closed_after_the_request_was_written_is_stale() {
    let server = serve(|asked| match asked.n {
        1 => vec![Step::Close],
        _ => good(2),
    });
    let seen = measure(&server.url(), &["--iterations", "3"]);
    seen.assert_fine();
    assert_eq!(kinds(&seen.requests()), ["ok", "stale_connection", "ok"]);
    assert_eq!(server.n_posts(), 3, "it is not sent again");
}

/// IMF-fixdate, as a server writes it.
fn http_date(at: SystemTime) -> String {
    let at = jiff::Timestamp::try_from(at).unwrap();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[test]
fn a_wait_that_is_asked_for_is_told_and_nothing_is_sent_again() {
    for status in [429, 503] {
        let in_two_minutes = SystemTime::now() + Duration::from_mins(2);
        for (value, range) in [
            ("7".to_owned(), 7..=7),
            (http_date(in_two_minutes), 90..=120),
        ] {
            let refusal = body(
                status,
                &format!(
                    "date: {}\r\nretry-after: {value}\r\n",
                    http_date(SystemTime::now())
                ),
                r#"{"error":"slow down"}"#,
            );
            let server = serve(move |asked| {
                if asked.n % 2 == 1 {
                    vec![write(&refusal)]
                } else {
                    good(2)
                }
            });
            let seen = measure(&server.url(), &["--iterations", "8"]);
            seen.assert_fine();
            assert_eq!(server.n_posts(), 8, "{status}");
            assert_eq!(seen.stage()["failed"], 4);
            let failed = &seen.requests()[1]["failure"];
            assert_eq!(
                (&failed["kind"], &failed["status"]),
                (&"http_status".into(), &status.into())
            );
            let said = seen.caution("retry_after").unwrap()["finding"]
                .as_str()
                .unwrap()
                .to_owned();
            let secs = said
                .split_whitespace()
                .filter_map(|w| w.parse::<i64>().ok());
            assert!(
                secs.max().is_some_and(|s| range.contains(&s)),
                "{value}: {said}"
            );
        }
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn broken_answers_are_told_apart() {
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let packed = gzip(stream);
    let mut gzipped = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    gzipped.extend(chunk(packed));
    gzipped.extend(b"0\r\n\r\n");
    let answers: Vec<(Vec<Step>, &str)> = vec![
        (good(2), "ok"),
        (vec![head(), token(), token(), end()], "error_truncated"),
        (vec![head(), token(), finish(), end()], "ok"),
        (
            vec![write(body(
                200,
                "",
                r#"{"error":{"message":"out of memory"}}"#,
            ))],
            "error_body",
        ),
        (
            vec![
                head(),
                token(),
                event(r#"{"error":{"message":"boom"}}"#),
                done(),
                end(),
            ],
            "error_in_stream",
        ),
        (vec![head(), end()], "error_empty"),
        (vec![head(), done(), end()], "error_empty"),
        (
            vec![head(), event(r#"{"choices":[{"delta":{"content":"#), end()],
            "error_bad_json",
        ),
        (
            vec![head(), token(), write("zz\r\nnot a chunk\r\n"), Step::Close],
            "protocol",
        ),
        (
            vec![write("hello, this is HTTP/0.9\n"), Step::Close],
            "protocol",
        ),
        (
            vec![
                write([0xff, 0xfe, 0x00, 0x80, 0x0d, 0x0a, 0x0d, 0x0a]),
                Step::Close,
            ],
            "protocol",
        ),
        (
            vec![
                head(),
                token(),
                Step::Write(chunk(b"data: \xff\xfe\xc3(\n\n")),
                finish(),
                done(),
                end(),
            ],
            "error_bad_json",
        ),
        (vec![write(gzipped)], "ok"),
        (
            vec![write(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ncontent-length: 27\r\n\r\nnot gzip, and not short too",
            )],
            "protocol",
        ),
        (
            vec![
                write(format!(
                    "HTTP/1.1 200 OK\r\nx: {}\r\n\r\n",
                    "y".repeat(1 << 20)
                )),
                Step::Close,
            ],
            "protocol",
        ),
        (good(2), "ok"),
    ];
    let expected: Vec<&str> = answers.iter().map(|(_, kind)| *kind).collect();
    let n = answers.len().to_string();
    let scripts: Vec<Vec<Step>> = answers.iter().map(|(steps, _)| steps.clone()).collect();
    let server = serve(move |asked| scripts[asked.n].clone());
    let seen = measure(&server.url(), &["--iterations", &n]);
    seen.assert_fine();
    let requests = seen.requests();
    assert_eq!(
        kinds(&requests),
        expected,
        "{:#?}",
        requests.iter().map(|r| &r["failure"]).collect::<Vec<_>>()
    );
    assert_eq!(requests[2]["ended"], "ok_no_done");
    let compressed = seen.caution("compressed").unwrap().to_string();
    assert!(compressed.contains("gzip"), "{compressed}");
    assert!(seen.has_caution("no_done"));
    assert_eq!(
        seen.stage()["failed"],
        expected.iter().filter(|k| **k != "ok").count()
    );
}

#[test]
fn the_environments_proxies_are_not_used() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let at = format!("http://{}", proxy.local_addr().unwrap());
    let server = serve(|_| good(2));
    let seen = measure_with(&server.url(), &["--iterations", "2"], |command| {
        for name in [
            "HTTP_PROXY",
            "http_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
        ] {
            command.env(name, &at);
        }
        command.env_remove("NO_PROXY").env_remove("no_proxy");
    });
    seen.assert_fine();
    assert_eq!(
        proxy.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
}

#[test]
fn a_new_connection_for_every_request_is_in_its_times() {
    let server = serve(|_| good(2));
    let seen = measure(
        &server.url(),
        &[
            "--tiers",
            "2",
            "--requests",
            "8",
            "--set",
            "target.connections=new",
        ],
    );
    seen.assert_fine();
    for request in seen.requests() {
        assert_eq!(request["connection"]["kind"], "new");
        assert!(request["connect_ns"].as_u64() >= request["dispatched_ns"].as_u64());
        assert!(request["connection"]["tcp_ns"].is_u64());
    }
    assert_eq!(seen.stage()["metrics"]["connect"]["n"], 8);
}
