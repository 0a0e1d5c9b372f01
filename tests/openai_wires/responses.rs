//! The Responses API: captured streams of three servers, and every way that an answer can end.

use http::{HeaderMap, HeaderValue, header};
use inferometer::domain::{Ended, FailureKind, Prompt, ServerFacts, TokenSource};
use inferometer::protocol::openai::{Api, Config, OpenAi};
use inferometer::protocol::{Adapter as _, Exchange, Reply, Stamp};
use serde_json::{Value, json};

use super::exchange::failure;
use super::transcript::Transcript;

fn exchange(stream: bool) -> Box<dyn Exchange> {
    let adapter = OpenAi::new(Config {
        api: Api::Responses,
        path_and_query: "/v1/responses".to_owned(),
        headers: HeaderMap::new(),
        model: Some("m".to_owned()),
        stream,
        max_tokens: Some(8),
        ignore_eos: false,
        extra: serde_json::Map::new(),
        facts: ServerFacts::default(),
    });
    adapter.exchange(&Prompt::of("Say hi"), 0, 0)
}

#[test]
fn streams_of_real_servers() {
    for (name, n_out) in [
        ("llamacpp/responses_stream", 8),
        ("vllm/responses_stream", 8),
        ("tfserve/responses_stream", 8),
    ] {
        let transcript = Transcript::load(name);
        let body = String::from_utf8(transcript.body()).unwrap();
        let events: Vec<Value> = body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect();
        let of = |kind: &'static str| events.iter().filter(move |event| event["type"] == kind);
        let n_deltas = of("response.output_text.delta").count();
        let text = of("response.output_text.done").next().unwrap()["text"].clone();
        assert!(n_deltas > 3, "{name}");
        for piece in [usize::MAX, 1, 7] {
            let reply = transcript.play(exchange(true), piece);
            assert_eq!(reply.result, Some(Ok(Ended::OkDone)), "{name}");
            assert_eq!(reply.answer, text, "{name}");
            assert_eq!(reply.chunk_ns.len() + 1, n_deltas, "{name}");
            assert_eq!(reply.tokens_out, Some(n_out), "{name}");
            assert_eq!(reply.token_source, Some(TokenSource::Usage), "{name}");
            assert_eq!(reply.first_answer_ns, reply.first_token_ns, "{name}");
            assert!(reply.finish_ns >= reply.last_token_ns, "{name}");
        }
    }
    let reply = Transcript::load("llamacpp/responses_stream").play(exchange(true), usize::MAX);
    assert_eq!((reply.tokens_in, reply.cached_tokens), (Some(32), Some(22)));
}

#[test]
fn the_captured_requests_are_what_we_send() {
    let captured = Transcript::load("llamacpp/responses_stream").request;
    let captured: Value = serde_json::from_str(&captured).unwrap();
    let call = exchange(true).next_call(0).unwrap();
    let ours: Value = serde_json::from_slice(&call.body).unwrap();
    for name in ["max_output_tokens", "stream"] {
        assert_eq!(ours[name], captured[name], "{name}");
    }
    assert_eq!(ours["input"][0]["content"], captured["input"]);
    assert_eq!(ours.as_object().unwrap().len(), 4, "{ours}");
}

/// Plays events, and a clean end.
fn play(events: &[(&str, Value)]) -> Reply {
    let mut exchange = exchange(true);
    let kind = HeaderValue::from_static("text/event-stream");
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
    exchange.head(200, &headers, Stamp::default());
    for (i, (name, body)) in events.iter().enumerate() {
        let mut body = body.clone();
        body["type"] = (*name).into();
        let stamp = Stamp {
            at_ns: i as u64,
            read_no: i as u64,
        };
        // Unnamed, as `transformers serve` sends them.
        exchange.data(format!("data: {body}\n\n").as_bytes(), stamp);
    }
    exchange.end(Ok(()), Stamp::default());
    exchange.reply()
}

const DELTA: &str = "response.output_text.delta";

#[test]
fn every_way_that_a_stream_ends() {
    let delta = || (DELTA, json!({"delta": "a"}));
    let usage = json!({"response": {"usage": {"input_tokens": 5, "output_tokens": 2}}});
    for end in ["response.completed", "response.incomplete"] {
        let reply = play(&[delta(), (end, usage.clone())]);
        assert_eq!(reply.result, Some(Ok(Ended::OkDone)), "{end}");
        assert_eq!((reply.tokens_in, reply.tokens_out), (Some(5), Some(2)));
    }
    let said = json!({"response": {"error": {"code": "server_error", "message": "no slot"}}});
    let reply = play(&[delta(), ("response.failed", said)]);
    assert_eq!(failure(&reply).kind, FailureKind::ErrorInStream);
    assert_eq!(failure(&reply).message, "no slot");
    assert_eq!(reply.first_token_ns, Some(0), "what came is kept");

    let reply = play(&[("error", json!({"code": "x", "message": "too many"}))]);
    assert_eq!(failure(&reply).kind, FailureKind::ErrorInStream);
    assert_eq!(failure(&reply).message, "too many");

    let reply = play(&[delta(), delta()]);
    assert_eq!(failure(&reply).kind, FailureKind::ErrorTruncated);
    let reply = play(&[]);
    assert_eq!(failure(&reply).kind, FailureKind::ErrorEmpty);
}

#[test]
fn reasoning_and_calls_are_tokens_but_no_answer_text() {
    let reply = play(&[
        (
            "response.created",
            json!({"response": {"status": "in_progress"}}),
        ),
        (
            "response.reasoning_summary_text.delta",
            json!({"delta": "hm"}),
        ),
        (
            "response.function_call_arguments.delta",
            json!({"delta": "{\"a\""}),
        ),
        (DELTA, json!({"delta": ""})),
        (DELTA, json!({"delta": "yes"})),
        ("response.completed", json!({"response": {}})),
    ]);
    assert_eq!(reply.first_token_ns, Some(1));
    assert_eq!(reply.first_answer_ns, Some(2));
    assert_eq!(reply.chunk_ns, [1, 2]);
    assert_eq!(reply.answer, "yes");
    assert_eq!(reply.token_source, Some(TokenSource::Chunks));
}

#[test]
fn an_event_that_is_no_json_is_a_failure_of_its_own() {
    let mut exchange = exchange(true);
    exchange.head(200, &HeaderMap::new(), Stamp::default());
    let broken = b"event: response.output_text.delta\ndata: {\"type\":\"resp\n\n";
    exchange.data(broken, Stamp::default());
    assert!(exchange.is_done(), "nothing more is waited for");
    exchange.end(Ok(()), Stamp::default());
    assert_eq!(failure(&exchange.reply()).kind, FailureKind::ErrorBadJson);
}

#[test]
fn answers_in_one_piece() {
    let play = |body: Value| {
        let mut exchange = exchange(false);
        let kind = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
        exchange.head(200, &headers, Stamp::default());
        for byte in body.to_string().as_bytes().chunks(1) {
            exchange.data(byte, Stamp::default());
        }
        exchange.end(Ok(()), Stamp::default());
        exchange.reply()
    };
    let text = json!([{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]);
    let usage = json!({"input_tokens": 3, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 2}});
    let reply = play(json!({"object": "response", "error": null, "output": text, "usage": usage}));
    assert_eq!(reply.result, Some(Ok(Ended::OkDone)));
    assert_eq!((reply.answer.as_str(), reply.first_token_ns), ("Hi", None));
    assert_eq!((reply.tokens_out, reply.cached_tokens), (Some(1), Some(2)));
    let reply = play(json!({"object": "response", "output": [], "error": {"message": "boom"}}));
    assert_eq!(failure(&reply).kind, FailureKind::ErrorBody);
    let reply = play(json!({"object": "response", "output": []}));
    assert_eq!(failure(&reply).kind, FailureKind::ErrorEmpty);
}
