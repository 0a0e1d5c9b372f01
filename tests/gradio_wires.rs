//! Gradio's wires against captures of 4.44.1, 5.50.0 and 6.31.0: what is asked, what is made of the answers, and that no
//! answer, however it is cut or broken, is taken for a success.

mod app;
mod edits;
mod failures;
mod inputs;
mod prepare;
mod transcript;
mod visits;

use inferometer::domain::{Ended, FailureKind, GradioMode, Prompt, TokenSource, Workload};
use inferometer::protocol::{Exchange, Reply, SharedAdapter, Stamp};
use serde_json::{Value, json};

use app::{App, pages};
use transcript::{Response, feed, load, one};

const SERVERS: [&str; 3] = ["gradio4", "gradio5", "gradio6"];

pub(crate) fn prompt() -> Prompt {
    Prompt {
        system: None,
        user: "one \"two\"".into(),
        ..Prompt::default()
    }
}

/// An adapter for one endpoint of the captured app.
pub(crate) async fn adapter(server: &str, api_name: &str, mode: GradioMode) -> SharedAdapter {
    let app = App::start(pages(server)).await;
    let mut target = app.target(api_name);
    target.gradio_mode = mode;
    app.adapter(target, &Workload::default()).await
}

/// A whole request over captured answers; the POST goes out at 0.
pub(crate) fn play(adapter: &SharedAdapter, posted: &Response, streamed: &Response) -> Reply {
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

pub(crate) fn is_ok(reply: &Reply) -> bool {
    matches!(reply.result, Some(Ok(Ended::OkDone)))
}

#[track_caller]
pub(crate) fn failure(reply: &Reply, kind: FailureKind, status: u16, message: &str) {
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
    let workload = Workload {
        system: "be brief".to_owned(),
        ..Workload::default()
    };
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

/// An exchange whose job `e1` was taken, with its stream open.
pub(crate) fn stream_of(adapter: &SharedAdapter) -> Box<dyn Exchange> {
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
    assert!(exchange.cancel_call().is_none());
    let exchange = stream_of(&adapter("gradio5", "/chat", GradioMode::Call).await);
    let call = exchange.cancel_call().unwrap();
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["session_hash"], "e1");
}
