//! Gradio's wires against captures of 4.44.1, 5.50.0 and 6.31.0: what is asked, what is made of the answers, and that no
//! answer, however it is cut or broken, is taken for a success.

mod app;
mod prepare;
mod transcript;

use inferometer::domain::{Ended, FailureKind, GradioMode, Prompt, TokenSource, Workload};
use inferometer::protocol::gradio::apply_edits;
use inferometer::protocol::{Exchange, Reply, SharedAdapter, Stamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use app::{App, pages};
use transcript::{Response, feed, load, one};

const SERVERS: [&str; 3] = ["gradio4", "gradio5", "gradio6"];

pub(crate) fn prompt() -> Prompt {
    Prompt {
        system: None,
        user: "one \"two\"".into(),
    }
}

/// An adapter for one endpoint of the captured app.
async fn adapter(server: &str, api_name: &str, mode: GradioMode) -> SharedAdapter {
    let app = App::start(pages(server)).await;
    let mut target = app.target(api_name);
    target.gradio_mode = mode;
    app.adapter(target, &Workload::default()).await
}

/// A whole request over captured answers; the POST goes out at 0.
fn play(adapter: &SharedAdapter, posted: &Response, streamed: &Response) -> Reply {
    let mut exchange = adapter.exchange(&prompt(), 0, 0);
    exchange.next_call(0).unwrap();
    feed(&mut *exchange, posted);
    if exchange
        .next_call(posted.reads.last().unwrap().1.at_ns)
        .is_some()
    {
        feed(&mut *exchange, streamed);
    }
    assert!(exchange.next_call(u64::MAX).is_none(), "two calls are all");
    exchange.reply()
}

fn is_ok(reply: &Reply) -> bool {
    matches!(reply.result, Some(Ok(Ended::OkDone)))
}

#[track_caller]
fn failure(reply: &Reply, kind: FailureKind, status: u16, message: &str) {
    let Some(Err(failure)) = &reply.result else {
        panic!("taken for a success: {reply:?}");
    };
    assert_eq!(
        (failure.kind, failure.status),
        (kind, Some(status)),
        "{failure:?}"
    );
    assert!(failure.message.contains(message), "{failure:?}");
}

#[tokio::test]
async fn queue_streams_are_read_in_every_version() {
    for server in SERVERS {
        let adapter = adapter(server, "/chat", GradioMode::Queue).await;
        let posted = one(server, "queue_chat_1join");
        let streamed = one(server, "queue_chat_2data");
        let reply = play(&adapter, &posted, &streamed);
        assert!(is_ok(&reply), "{server}: {reply:?}");
        assert_eq!(reply.answer, "[sys] d c b a ", "{server}");
        assert_eq!(reply.tokens_out, Some(5), "{server}");
        assert_eq!(reply.token_source, Some(TokenSource::Chunks));
        assert_eq!(reply.chunk_ns.len(), 4);
        let first = reply.first_token_ns.unwrap();
        assert_eq!(reply.first_answer_ns, Some(first));
        assert!(first <= reply.last_token_ns.unwrap());
        assert!(reply.last_token_ns <= reply.finish_ns);
        let facts = reply.gradio.unwrap();
        assert_eq!((facts.rank, facts.queue_size), (Some(0), Some(1)));
        assert_eq!(facts.submit_ns, Some(posted.reads.last().unwrap().1.at_ns));
        assert_eq!(facts.queue_wait_ns, facts.process_starts_ns);
        assert!(facts.process_starts_ns.unwrap() <= first);
        assert!(facts.duration_secs.unwrap() > 0.0);
        assert_eq!(facts.event_id.unwrap().len(), 32);
    }
}

#[tokio::test]
async fn call_streams_are_cumulative_in_every_version() {
    for server in SERVERS {
        let adapter = adapter(server, "chat", GradioMode::Call).await;
        let reply = play(
            &adapter,
            &one(server, "call_chat_1post"),
            &one(server, "call_chat_2get"),
        );
        assert!(is_ok(&reply), "{server}: {reply:?}");
        assert_eq!(reply.answer, "[be brief] four three two one ");
        assert_eq!(reply.tokens_out, Some(6), "{server}");
        let facts = reply.gradio.unwrap();
        assert!(facts.submit_ns.is_some());
        assert_eq!((facts.rank, facts.queue_wait_ns), (None, None));
    }
}

#[tokio::test]
async fn marks_are_the_reads_stamps() {
    let adapter = adapter("gradio6", "/slow", GradioMode::Queue).await;
    let seq = load("gradio6", "seq_queue_wait_3");
    let reply = play(&adapter, &seq[0], &seq[1]);
    assert!(is_ok(&reply), "{reply:?}");
    assert_eq!(reply.finish_ns, Some(3_778_500_000));
    // A function that does not stream has no first token.
    assert_eq!((reply.first_token_ns, reply.last_token_ns), (None, None));
    assert_eq!((reply.tokens_out, reply.token_source), (None, None));
    assert_eq!(reply.answer, "slept 1.0");
    let facts = reply.gradio.unwrap();
    assert_eq!(facts.submit_ns, Some(25_500_000));
    assert_eq!(facts.queue_wait_ns, Some(2_776_900_000));
    assert_eq!((facts.rank, facts.queue_size), (Some(2), Some(3)));
    assert_eq!(facts.rank_eta_secs, Some(4.901670058568318));

    let seq = load("gradio6", "seq_queue_chat");
    let reply = play(&adapter, &seq[0], &seq[1]);
    assert!(is_ok(&reply), "{reply:?}");
    let at: Vec<u64> = seq[1]
        .reads
        .iter()
        .filter(|(b, _)| String::from_utf8_lossy(b).contains("process_generating"))
        .map(|(_, s)| s.at_ns)
        .collect();
    assert_eq!(reply.first_token_ns, at.first().copied());
    assert_eq!(reply.last_token_ns, at.last().copied());
    let gaps: Vec<u64> = at.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(reply.chunk_ns, gaps);
    assert_eq!(reply.chunk_shared, Some(vec![]));
}

#[tokio::test]
async fn events_of_one_read_share_its_stamp() {
    let adapter = adapter("gradio6", "/chat", GradioMode::Call).await;
    let streamed = one("gradio6", "call_chat_2get").at(9_000_000);
    let reply = play(&adapter, &one("gradio6", "call_chat_1post"), &streamed);
    assert_eq!(reply.first_token_ns, Some(9_000_000));
    assert_eq!(reply.chunk_ns, [0; 5]);
    assert_eq!(reply.chunk_shared, Some(vec![1, 2, 3, 4, 5]));
}

#[tokio::test]
async fn state_is_sent_as_null_where_it_belongs() {
    for server in SERVERS {
        for mode in [GradioMode::Queue, GradioMode::Call] {
            let adapter = adapter(server, "/count", mode).await;
            let call = adapter.exchange(&prompt(), 3, 8).next_call(0).unwrap();
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            assert_eq!(body["data"], json!(["one \"two\"", null]), "{server}");
            let prefix = if server == "gradio4" {
                ""
            } else {
                "/gradio_api"
            };
            if mode == GradioMode::Queue {
                assert_eq!(call.path_and_query, format!("{prefix}/queue/join"));
                assert_eq!(body["fn_index"], 2);
                let session = body["session_hash"].as_str().unwrap();
                assert!(session.ends_with("u3n8"), "{session}");
                let other = adapter.exchange(&prompt(), 3, 9).next_call(0).unwrap();
                assert!(!String::from_utf8_lossy(&other.body).contains(session));
            } else {
                assert_eq!(call.path_and_query, format!("{prefix}/call/count"));
                assert_eq!(body.get("session_hash"), None);
            }
            let reply = play(
                &adapter,
                &one(server, "queue_count1_1join"),
                &one(
                    server,
                    if mode == GradioMode::Queue {
                        "queue_count1_2data"
                    } else {
                        "call_count_2get"
                    },
                ),
            );
            assert!(is_ok(&reply), "{server}: {reply:?}");
            assert_eq!(reply.answer, "a:1");
        }
    }
}

#[tokio::test]
async fn progress_logs_and_heartbeats_are_no_tokens() {
    for server in SERVERS {
        let adapter = adapter(server, "/echo", GradioMode::Queue).await;
        for name in ["queue_progress", "queue_warn", "queue_echo"] {
            let posted = one(server, &format!("{name}_1join"));
            let reply = play(&adapter, &posted, &one(server, &format!("{name}_2data")));
            assert!(is_ok(&reply), "{server} {name}: {reply:?}");
            assert_eq!(reply.first_token_ns, None, "{server} {name}");
            assert!(!reply.answer.is_empty());
        }
    }
    let mut exchange = stream_of(&adapter("gradio6", "/echo", GradioMode::Queue).await);
    exchange.data(
        b"data: {\"msg\":\"heartbeat\",\"event_id\":null}\n\n",
        Stamp::default(),
    );
    exchange.data(
        b"data: {\"msg\":\"from a later version\",\"event_id\":\"e1\"}\n\n",
        Stamp::default(),
    );
    assert_eq!((exchange.n_tokens_seen(), exchange.is_done()), (0, false));
}

#[tokio::test]
async fn a_chat_interface_answers_with_text_and_state() {
    let config = json!({"version": "6.31.0", "protocol": "sse_v3", "api_prefix": "/gradio_api", "components": [
        {"id": 1, "type": "textbox", "props": {}}, {"id": 2, "type": "state", "props": {}},
        {"id": 3, "type": "textbox", "props": {"label": "System prompt"}},
        {"id": 4, "type": "slider", "props": {"minimum": 1, "maximum": 64}}, {"id": 5, "type": "json", "props": {}},
    ], "dependencies": [{"id": 3, "api_name": "chat", "inputs": [1, 2, 3, 4], "outputs": [5, 2], "types": {"generator": true}}]});
    let info = app::fixture("gradio6-chatinterface", "info.json");
    let pages = [
        ("/config", (200, "", config.to_string())),
        ("/gradio_api/info", (200, "", info)),
    ];
    let app = App::start(pages.into()).await;
    let mut workload = Workload::default();
    workload.system = "be brief".to_owned();
    let mut target = app.target("");
    target.gradio_mode = GradioMode::Call;
    let adapter = app.adapter(target, &workload).await;
    let asked = Prompt {
        system: Some("be brief".into()),
        ..prompt()
    };
    let call = adapter.exchange(&asked, 0, 0).next_call(0).unwrap();
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["data"], json!(["one \"two\"", null, "be brief", 8]));
    let posted = one("gradio6-chatinterface", "call_1post");
    let reply = play(
        &adapter,
        &posted,
        &one("gradio6-chatinterface", "call_2get"),
    );
    assert!(is_ok(&reply), "{reply:?}");
    assert_eq!(reply.answer, "tok0 tok1 tok2 tok3 tok4 ");
    assert_eq!(reply.tokens_out, Some(5));
}

#[tokio::test]
async fn images_are_answers_without_tokens() {
    for server in SERVERS {
        let adapter = adapter(server, "/image_out", GradioMode::Call).await;
        let posted = one(server, "call_chat_1post");
        let reply = play(&adapter, &posted, &one(server, "call_image_out_2get"));
        assert!(is_ok(&reply), "{server}: {reply:?}");
        assert_eq!((reply.answer.as_str(), reply.tokens_out), ("", None));
        let reply = play(&adapter, &posted, &one(server, "call_image_2get"));
        assert!(is_ok(&reply), "{server}: {reply:?}");
    }
}

/// The error table of the wires' description, row by row.
#[tokio::test]
async fn every_error_is_a_failure_with_its_message() {
    use FailureKind::{ErrorInStream, HttpStatus};
    let lost = "Gradio below 6 keeps it";
    for server in SERVERS {
        let is_6 = server == "gradio6";
        let queue = adapter(server, "/chat", GradioMode::Queue).await;
        let call = adapter(server, "/chat", GradioMode::Call).await;
        let streams = [
            ("queue_fail", "bad thing: x"),
            ("queue_fail_plain", "plain python error: x"),
            ("queue_fail_midstream", "died mid stream"),
        ];
        for (name, message) in streams {
            let posted = one(server, &format!("{name}_1join"));
            let reply = play(&queue, &posted, &one(server, &format!("{name}_2data")));
            failure(&reply, ErrorInStream, 200, message);
        }
        let posted = one(server, "call_chat_1post");
        let calls = [
            ("call_fail_2get", "bad thing: x"),
            ("call_fail_plain_2get", "plain python error: x"),
            ("call_fail_midstream_2get", "died mid stream"),
            ("call_few_args_2get", "didn't receive enough input values"),
            ("call_wrong_type_2get", "could not convert string to float"),
            ("call_image_forbidden_2get", "was not uploaded by a user"),
        ];
        for (name, message) in calls {
            let reply = play(&call, &posted, &one(server, name));
            failure(
                &reply,
                ErrorInStream,
                200,
                if is_6 { message } else { lost },
            );
        }
        let reply = play(&call, &posted, &one(server, "call_bad_event_get"));
        failure(&reply, ErrorInStream, 200, "404: ");
        let reply = play(
            &queue,
            &one(server, "queue_chat_1join"),
            &one(server, "queue_data_no_join"),
        );
        failure(&reply, ErrorInStream, 200, "404: ");
        let refusals = [
            ("call_queue_full_post", 503, "Queue is full."),
            (
                "queue_full_join3",
                503,
                "Queue is full. Max size is 1 and size is 1.",
            ),
            ("call_bad_json_1post", 422, "JSON decode error"),
            ("call_no_data_1post", 422, "data: Field required"),
            ("queue_no_session_1join", 400, "Session hash not found."),
            (
                "call_bad_api_1post",
                500,
                if server == "gradio5" {
                    "Error"
                } else {
                    "Internal Server Error"
                },
            ),
            (
                "queue_bad_fn_1join",
                500,
                if server == "gradio5" {
                    "Error"
                } else {
                    "Internal Server Error"
                },
            ),
        ];
        for (name, status, message) in refusals {
            for adapter in [&queue, &call] {
                let mut exchange = adapter.exchange(&prompt(), 0, 0);
                exchange.next_call(5).unwrap();
                feed(&mut *exchange, &one(server, name));
                assert!(
                    exchange.next_call(9).is_none(),
                    "a refused job is not waited for"
                );
                assert!(exchange.cancel_call().is_none());
                let reply = exchange.reply();
                failure(&reply, HttpStatus, status, message);
                assert!(reply.gradio.unwrap().submit_ns.is_some());
            }
        }
    }
    let call = adapter("gradio6", "/chat", GradioMode::Call).await;
    let mut exchange = call.exchange(&prompt(), 0, 0);
    exchange.next_call(0).unwrap();
    feed(
        &mut *exchange,
        &one("gradio6-chatinterface", "auth_call_noauth"),
    );
    failure(&exchange.reply(), HttpStatus, 401, "Not authenticated");
}

#[tokio::test]
async fn tokens_before_a_failure_are_kept() {
    let adapter = adapter("gradio6", "/fail_midstream", GradioMode::Queue).await;
    let posted = one("gradio6", "queue_fail_midstream_1join");
    let reply = play(
        &adapter,
        &posted,
        &one("gradio6", "queue_fail_midstream_2data"),
    );
    assert_eq!((reply.tokens_out, reply.answer.as_str()), (Some(3), "tok2"));
    assert!(reply.first_token_ns.is_some());
    assert_eq!(reply.finish_ns, None);
}

/// However the body is cut into reads, the reply is the same.
#[tokio::test]
async fn every_byte_split_gives_the_same_reply() {
    let cases = [
        (GradioMode::Queue, "queue_chat_1join", "queue_chat_2data"),
        (
            GradioMode::Queue,
            "queue_fail_midstream_1join",
            "queue_fail_midstream_2data",
        ),
        (GradioMode::Call, "call_chat_1post", "call_chat_2get"),
        (GradioMode::Call, "call_chat_1post", "call_bad_event_get"),
    ];
    for (mode, posted, streamed) in cases {
        let adapter = adapter("gradio6", "/chat", mode).await;
        let posted = one("gradio6", posted).at(1);
        let streamed = one("gradio6", streamed).at(7);
        let body = streamed.body();
        let stamp = streamed.reads[0].1;
        let whole = format!("{:?}", play(&adapter, &posted, &streamed));
        for at in 0..=body.len() {
            let (a, b) = body.split_at(at);
            let split = streamed.with_reads(vec![(a.to_vec(), stamp), (b.to_vec(), stamp)]);
            assert_eq!(
                format!("{:?}", play(&adapter, &posted, &split)),
                whole,
                "at {at}"
            );
        }
        let bytes = body.iter().map(|b| (vec![*b], stamp)).collect();
        let reply = play(&adapter, &posted, &streamed.with_reads(bytes));
        assert_eq!(format!("{reply:?}"), whole);
        let posted_bytes = posted
            .body()
            .iter()
            .map(|b| (vec![*b], posted.reads[0].1))
            .collect();
        let reply = play(&adapter, &posted.with_reads(posted_bytes), &streamed);
        assert_eq!(format!("{reply:?}"), whole);
    }
}

/// A stream that ends early is cut short, and never a success, until the app has said that it is done.
#[tokio::test]
async fn a_stream_cut_anywhere_is_truncated() {
    let cases = [
        (
            GradioMode::Queue,
            "queue_chat_1join",
            "queue_chat_2data",
            "process_completed",
        ),
        (
            GradioMode::Call,
            "call_chat_1post",
            "call_chat_2get",
            "event: complete",
        ),
    ];
    for (mode, posted, streamed, done) in cases {
        let adapter = adapter("gradio6", "/chat", mode).await;
        let posted = one("gradio6", posted);
        let streamed = one("gradio6", streamed);
        let body = String::from_utf8(streamed.body()).unwrap();
        // One LF ends the event's line, the second one the event.
        let done_at = body.find(done).unwrap();
        let done_at = done_at + body[done_at..].find("\n\n").unwrap() + 2;
        let mut n_tokens = 0;
        for at in 0..=body.len() {
            let cut = streamed.with_reads(vec![(body.as_bytes()[..at].to_vec(), Stamp::default())]);
            for whole in [true, false] {
                let cut = Response {
                    whole,
                    ..cut.clone()
                };
                let reply = play(&adapter, &posted, &cut);
                if at >= done_at {
                    assert!(is_ok(&reply), "at {at}: {reply:?}");
                } else {
                    let Some(Err(failure)) = &reply.result else {
                        panic!("at {at}: taken for a success");
                    };
                    assert_eq!(failure.kind, FailureKind::ErrorTruncated, "at {at}");
                }
                let n = reply.chunk_ns.len() + usize::from(reply.first_token_ns.is_some());
                assert!(n >= n_tokens, "partial tokens are kept");
                n_tokens = n;
            }
        }
        assert!(n_tokens >= 5);
    }
}

/// A server that closes in the middle, as it was captured.
#[tokio::test]
async fn a_closed_connection_keeps_what_came() {
    for server in SERVERS {
        let adapter = adapter(server, "/slow_stream", GradioMode::Queue).await;
        let seq = load(server, "seq_queue_disconnect");
        assert!(!seq[1].whole);
        let reply = play(&adapter, &seq[0], &seq[1]);
        let Some(Err(failure)) = &reply.result else {
            panic!("taken for a success: {reply:?}");
        };
        assert_eq!(failure.kind, FailureKind::ErrorTruncated);
        assert!(reply.tokens_out.unwrap() >= 8, "{server}: {reply:?}");
        assert_eq!(reply.finish_ns, None);
    }
}

/// An exchange whose job `e1` was taken, with its stream open.
fn stream_of(adapter: &SharedAdapter) -> Box<dyn Exchange> {
    let mut exchange = adapter.exchange(&prompt(), 0, 0);
    exchange.next_call(0).unwrap();
    let headers = one("gradio6", "queue_chat_1join").headers;
    exchange.head(200, &headers, Stamp::default());
    exchange.data(b"{\"event_id\":\"e1\"}", Stamp::default());
    exchange.end(Ok(()), Stamp::default());
    exchange.next_call(0).unwrap();
    let headers = one("gradio6", "queue_chat_2data").headers;
    exchange.head(200, &headers, Stamp::default());
    exchange
}

#[tokio::test]
async fn strange_streams_fail_and_never_succeed() {
    use FailureKind::{ErrorBadJson, ErrorEmpty, ErrorInStream, ErrorTruncated};
    let queue = adapter("gradio6", "/chat", GradioMode::Queue).await;
    let call = adapter("gradio6", "/chat", GradioMode::Call).await;
    let generating = |data: Value| {
        format!(
            "data: {}\n\n",
            json!({"msg": "process_generating", "event_id": "e1", "success": true, "output": {"data": data}})
        )
    };
    let completed = |output: Value| {
        format!(
            "data: {}\n\n",
            json!({"msg": "process_completed", "event_id": "e1", "success": true, "output": output})
        )
    };
    let bad_edit = generating(json!(["a"])) + &generating(json!([[["append", [3], "x"]]]));
    let not_edit = generating(json!(["a"])) + &generating(json!(["b"]));
    let others = completed(json!({"data": ["x"]})).replace("e1", "e2");
    let deep = format!("data: {}1{}\n\n", "[".repeat(5000), "]".repeat(5000));
    let cases = [
        (&queue, "data: {oops\n\n".to_owned(), ErrorBadJson, "{oops"),
        (&queue, "data: [1]\n\n".to_owned(), ErrorBadJson, "[1]"),
        (&queue, deep.clone(), ErrorBadJson, "[[["),
        (
            &call,
            format!("event: complete\n{deep}"),
            ErrorBadJson,
            "[[[",
        ),
        (&queue, bad_edit, ErrorBadJson, "leads nowhere"),
        (&queue, not_edit, ErrorBadJson, "not an array"),
        (
            &queue,
            completed(json!({})),
            ErrorEmpty,
            "cancelled on the server",
        ),
        (
            &queue,
            completed(json!({"data": [""]})),
            ErrorEmpty,
            "every output is empty",
        ),
        (
            &queue,
            completed(json!({"error": "no"})),
            ErrorInStream,
            "no",
        ),
        (
            &queue,
            completed(json!(null)).replace("true", "false"),
            ErrorInStream,
            "show_error",
        ),
        (&queue, others, ErrorTruncated, "ended before"),
        (&queue, String::new(), ErrorTruncated, "ended before"),
        (
            &queue,
            "data: {\"msg\":\"close_stream\",\"event_id\":null}\n\n".to_owned(),
            ErrorTruncated,
            "ended before",
        ),
        (
            &call,
            "event: complete\ndata: null\n\n".to_owned(),
            ErrorEmpty,
            "without any output",
        ),
        (
            &call,
            "event: generating\ndata: nope\n\n".to_owned(),
            ErrorBadJson,
            "nope",
        ),
        (
            &call,
            "event: error\ndata: nope\n\n".to_owned(),
            ErrorInStream,
            "nope",
        ),
        (
            &call,
            "event: error\ndata: {\"error\":null}\n\n".to_owned(),
            ErrorInStream,
            "show_error",
        ),
        (
            &call,
            "event: heartbeat\ndata: null\n\n".to_owned(),
            ErrorTruncated,
            "ended before",
        ),
    ];
    for (adapter, text, kind, message) in cases {
        let mut exchange = stream_of(adapter);
        exchange.data(text.as_bytes(), Stamp::default());
        exchange.end(Ok(()), Stamp::default());
        failure(&exchange.reply(), kind, 200, message);
    }
    // After the first word nothing changes what became of the request.
    let mut exchange = stream_of(&queue);
    exchange.data(
        completed(json!({"data": ["x"]})).as_bytes(),
        Stamp::default(),
    );
    assert!(exchange.is_done());
    exchange.data(b"data: {oops\n\n", Stamp::default());
    exchange.end(
        Err(inferometer::domain::Failure::new(
            FailureKind::Reset,
            "reset",
        )),
        Stamp::default(),
    );
    assert!(is_ok(&exchange.reply()));
}

#[tokio::test]
async fn an_answer_that_is_no_stream_fails() {
    let adapter = adapter("gradio6", "/chat", GradioMode::Queue).await;
    let mut page = one("gradio6", "queue_chat_1join");
    page.headers
        .insert("content-type", "text/html".parse().unwrap());
    let joined = one("gradio6", "queue_chat_1join");
    let with_body =
        |body: &str| page.with_reads(vec![(body.as_bytes().to_vec(), Stamp::default())]);
    let reply = play(&adapter, &joined, &with_body("<html><title>Log in</title>"));
    failure(&reply, FailureKind::ErrorBadJson, 200, "Log in");
    let reply = play(&adapter, &joined, &with_body("{\"error\":\"nope\"}"));
    failure(&reply, FailureKind::ErrorBody, 200, "nope");
    let reply = play(&adapter, &with_body("{\"error\":\"nope\"}"), &joined);
    failure(&reply, FailureKind::ErrorBody, 200, "nope");
    let reply = play(
        &adapter,
        &with_body("{\"event_id\":\"../../x?y\"}"),
        &joined,
    );
    failure(&reply, FailureKind::ErrorBody, 200, "event_id");
    let mut redirect = with_body("");
    redirect.status = 302;
    redirect
        .headers
        .insert("location", "https://elsewhere/".parse().unwrap());
    let reply = play(&adapter, &redirect, &joined);
    failure(&reply, FailureKind::HttpStatus, 302, "“https://elsewhere/”");
}

#[tokio::test]
async fn a_request_that_is_given_up_is_cancelled_by_name() {
    let queue = adapter("gradio6", "/chat", GradioMode::Queue).await;
    assert!(queue.exchange(&prompt(), 0, 0).cancel_call().is_none());
    let exchange = stream_of(&queue);
    let call = exchange.cancel_call().unwrap();
    assert_eq!(call.path_and_query, "/gradio_api/cancel");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(
        (&body["event_id"], &body["fn_index"]),
        (&json!("e1"), &json!(1))
    );
    assert!(body["session_hash"].as_str().unwrap().ends_with("u0n0"));
    let exchange = stream_of(&adapter("gradio4", "/chat", GradioMode::Call).await);
    let call = exchange.cancel_call().unwrap();
    assert_eq!(call.path_and_query, "/cancel");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["session_hash"], "e1");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..12).prop_map(Value::from),
        "[a-cü]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_edit() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        (-1i64..5).prop_map(Value::from),
        "[a-c0-3]".prop_map(Value::from)
    ];
    let action = prop_oneof![
        Just("replace"),
        Just("append"),
        Just("add"),
        Just("delete"),
        Just("?")
    ];
    (action, prop::collection::vec(key, 0..4), any_json())
        .prop_map(|(action, path, value)| json!([action, path, value]))
}

proptest! {
    #[test]
    fn no_edit_panics_and_an_untold_change_is_none(
        before in any_json(),
        edits in prop::collection::vec(prop_oneof![4 => any_edit(), 1 => any_json()], 0..5),
    ) {
        let mut value = before.clone();
        if apply_edits(&mut value, &Value::from(edits)) == Ok(false) {
            prop_assert_eq!(value, before);
        }
    }

    #[test]
    fn appended_parts_add_up(parts in prop::collection::vec("\\PC{0,6}", 0..20)) {
        let mut value = json!({"v": [""]});
        for part in &parts {
            let told = apply_edits(&mut value, &json!([["append", ["v", 0], part]]));
            prop_assert_eq!(told, Ok(!part.is_empty()));
        }
        prop_assert_eq!(&value["v"][0], &json!(parts.concat()));
    }
}
