//! Refusals, error events, strange and cut streams: each a failure with its message.

use inferometer::domain::{Failure, FailureKind, GradioMode};
use inferometer::protocol::Stamp;
use serde_json::{Value, json};

use super::transcript::{Response, feed, load, one};
use super::{SERVERS, adapter, failure, is_ok, play, prompt, stream_of};

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
    let bad_edit = [
        generating(json!(["a"])),
        generating(json!([[["append", [3], "x"]]])),
    ]
    .concat();
    let not_edit = [generating(json!(["a"])), generating(json!(["b"]))].concat();
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
        Err(Failure::new(FailureKind::Reset, "reset")),
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
