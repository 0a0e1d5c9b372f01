//! Bytes in, marks and outcomes out.

use http::{HeaderMap, HeaderValue, header};
use inferometer::domain::{Ended, Failure, FailureKind, Prompt, ServerFacts, TokenSource};
use inferometer::protocol::openai::{Api, Config, OpenAi};
use inferometer::protocol::sse::SseParser;
use inferometer::protocol::{Adapter as _, Exchange, Reply, Stamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::transcript::Transcript;
use super::{bytes_of, corpus, data_file, ns_from_secs};

fn adapter(api: Api, stream: bool, extra: Value) -> OpenAi {
    OpenAi::new(Config {
        api,
        path_and_query: format!("/v1{}", api.route()),
        headers: HeaderMap::new(),
        model: Some("m".to_owned()),
        stream,
        max_tokens: None,
        ignore_eos: false,
        extra: serde_json::from_value(extra).unwrap(),
        facts: ServerFacts::default(),
    })
}

fn exchange(stream: bool) -> Box<dyn Exchange> {
    adapter(Api::Chat, stream, json!({})).exchange(&prompt(), 0, 0)
}

fn prompt() -> Prompt {
    Prompt {
        system: Some("You are brief.".into()),
        user: "Say hello and count to five.".into(),
        ..Prompt::default()
    }
}

fn event_stream() -> HeaderMap {
    let value = HeaderValue::from_static("text/event-stream; charset=utf-8");
    HeaderMap::from_iter([(header::CONTENT_TYPE, value)])
}

/// Feeds a clean 200 answer; read `i` comes at `i` milliseconds.
fn play(headers: &HeaderMap, reads: &[&[u8]]) -> Reply {
    let mut exchange = exchange(true);
    exchange.next_call(0).unwrap();
    exchange.head(200, headers, Stamp::default());
    let stamp = |i: usize| Stamp {
        at_ns: i as u64 * 1_000_000,
        read_no: i as u64,
    };
    for (i, bytes) in reads.iter().enumerate() {
        exchange.data(bytes, stamp(i));
    }
    exchange.end(Ok(()), stamp(reads.len()));
    exchange.reply()
}

pub(crate) fn outcome(reply: &Reply) -> &'static str {
    match reply.result.as_ref().unwrap() {
        Ok(Ended::OkDone) => "ok_done",
        Ok(Ended::OkNoDone) => "ok_no_done",
        Err(failure) => failure.kind.id(),
    }
}

pub(crate) fn failure(reply: &Reply) -> &Failure {
    reply.result.as_ref().unwrap().as_ref().unwrap_err()
}

#[test]
fn the_corpus_outcomes_and_first_tokens() {
    let mut n_cases = 0;
    for case in corpus("sse") {
        let Some(expected) = case["expected"].get("openai") else {
            continue;
        };
        n_cases += 1;
        let name = case["name"].as_str().unwrap();
        let mut headers = event_stream();
        if let Some(kind) = case["content_type"].as_str() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        }
        let reply = play_by_event_index(&bytes_of(&case).concat(), &headers);
        assert_eq!(outcome(&reply), expected["outcome"], "{name}");
        assert_eq!(
            reply.first_token_ns,
            expected["first_token_event_index"].as_u64(),
            "{name}"
        );
        if let Some(index) = expected.get("first_answer_event_index") {
            assert_eq!(reply.first_answer_ns, index.as_u64(), "{name}");
        }
        assert_eq!(
            reply.answer,
            expected["content"].as_str().unwrap(),
            "{name}"
        );
        if let Some(usage) = expected["usage"].as_object() {
            let n = usage
                .get("completion_tokens")
                .or_else(|| usage.get("output_tokens"));
            assert_eq!(reply.tokens_out, n.unwrap().as_u64(), "{name}");
            assert_eq!(reply.token_source, Some(TokenSource::Usage), "{name}");
        }
        if let Some(message) = expected["error"].as_str() {
            assert_eq!(failure(&reply).message, message, "{name}");
        }
    }
    assert_eq!(n_cases, 18);
}

/// One byte at a time, stamped with the number of the event that it completes.
fn play_by_event_index(bytes: &[u8], headers: &HeaderMap) -> Reply {
    let mut exchange = exchange(true);
    exchange.head(200, headers, Stamp::default());
    let mut parser = SseParser::new();
    let mut n_events = 0_u64;
    for byte in bytes.chunks(1) {
        parser.feed(byte, &mut |_| n_events += 1).unwrap();
        let index = n_events.saturating_sub(1);
        exchange.data(
            byte,
            Stamp {
                at_ns: index,
                read_no: index,
            },
        );
    }
    exchange.end(Ok(()), Stamp::default());
    exchange.reply()
}

/// What a transcript's stream holds, found the slow way: lines and `Value`s.
struct Slow {
    first_token: Option<Stamp>,
    n_tokens: u64,
    n_shared: usize,
    completion_tokens: Option<u64>,
    text: String,
}

fn read_slowly(transcript: &Transcript) -> Slow {
    let mut slow = Slow {
        first_token: None,
        n_tokens: 0,
        n_shared: 0,
        completion_tokens: None,
        text: String::new(),
    };
    let mut last_read = None;
    let mut line = Vec::new();
    for (stamp, bytes) in &transcript.reads {
        for &byte in bytes {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
            let Some(data) = text.strip_prefix("data: ").filter(|d| *d != "[DONE]") else {
                continue;
            };
            let event: Value = serde_json::from_str(data).unwrap();
            if let Some(n) = event["usage"]["completion_tokens"].as_u64() {
                slow.completion_tokens = Some(n);
            }
            let choice = &event["choices"][0];
            let content = choice["delta"]["content"]
                .as_str()
                .or_else(|| choice["text"].as_str());
            let Some(content) = content.filter(|c| !c.is_empty()) else {
                continue;
            };
            slow.first_token.get_or_insert(*stamp);
            slow.n_tokens += 1;
            slow.n_shared += usize::from(last_read == Some(stamp.read_no));
            last_read = Some(stamp.read_no);
            if choice["index"].as_u64().unwrap_or(0) == 0 {
                slow.text.push_str(content);
            }
        }
    }
    slow
}

#[test]
fn streams_of_real_servers() {
    let done = Ended::OkDone;
    for (name, api, ended, usage) in [
        ("llamacpp/chat_stream", Api::Chat, done, true),
        ("llamacpp/chat_stream_usage", Api::Chat, done, true),
        ("llamacpp/chat_n2", Api::Chat, done, true),
        ("llamacpp/chat_stop", Api::Chat, done, true),
        ("llamacpp/chat_stream_ignore_eos", Api::Chat, done, true),
        ("llamacpp/compl_stream_usage", Api::Completions, done, true),
        ("vllm/chat_stream", Api::Chat, done, false),
        ("vllm/chat_stream_usage", Api::Chat, done, true),
        ("vllm/chat_stream_contusage", Api::Chat, done, true),
        ("vllm/chat_n2", Api::Chat, done, true),
        ("vllm/load_2", Api::Chat, done, true),
        ("vllm/compl_stream_usage", Api::Completions, done, true),
        ("tfserve/chat_stream", Api::Chat, Ended::OkNoDone, true),
        (
            "tfserve/chat_stream_usage",
            Api::Chat,
            Ended::OkNoDone,
            true,
        ),
        (
            "tfserve/compl_stream_usage",
            Api::Completions,
            Ended::OkNoDone,
            true,
        ),
    ] {
        let transcript = Transcript::load(name);
        let slow = read_slowly(&transcript);
        assert!(slow.n_tokens > 1, "{name}: {}", slow.n_tokens);
        for piece in [usize::MAX, 1, 7] {
            let one = adapter(api, true, json!({})).exchange(&prompt(), 0, 0);
            let reply = transcript.play(one, piece);
            assert_eq!(reply.result, Some(Ok(ended)), "{name}");
            assert_eq!(
                reply.first_token_ns,
                slow.first_token.map(|s| s.at_ns),
                "{name}"
            );
            assert_eq!(reply.first_answer_ns, reply.first_token_ns, "{name}");
            assert_eq!(reply.chunk_ns.len() as u64 + 1, slow.n_tokens, "{name}");
            assert_eq!(
                reply.first_token_ns.unwrap() + reply.chunk_ns.iter().sum::<u64>(),
                reply.last_token_ns.unwrap(),
                "{name}: gaps add up"
            );
            assert_eq!(reply.chunk_shared.unwrap().len(), slow.n_shared, "{name}");
            assert_eq!(reply.answer, slow.text, "{name}");
            assert!(reply.finish_ns >= reply.last_token_ns, "{name}");
            let source = if usage {
                TokenSource::Usage
            } else {
                TokenSource::Chunks
            };
            assert_eq!(reply.token_source, Some(source), "{name}");
            if slow.completion_tokens.is_some() {
                assert_eq!(reply.tokens_out, slow.completion_tokens, "{name}");
            }
        }
    }
}

#[test]
fn continuous_usage_gives_tokens_by_event_and_cached_tokens_are_seen() {
    let reply = Transcript::load("vllm/chat_stream_contusage").play(exchange(true), usize::MAX);
    assert_eq!(reply.chunk_tokens, Some(vec![1; 6]));
    let reply = Transcript::load("vllm/chat_stream_usage").play(exchange(true), usize::MAX);
    assert_eq!(reply.chunk_tokens, None, "usage on the last event alone");
    assert_eq!(reply.tokens_in, Some(25));
    let reply = Transcript::load("llamacpp/chat_stream_usage").play(exchange(true), usize::MAX);
    assert_eq!((reply.tokens_in, reply.cached_tokens), (Some(25), Some(24)));
    let reply = Transcript::load("llamacpp/chat_stream").play(exchange(true), usize::MAX);
    assert_eq!(reply.tokens_in, Some(25), "from the server's own timings");
}

#[test]
fn one_shot_answers_have_no_first_token() {
    for (name, api) in [
        ("llamacpp/chat_nonstream", Api::Chat),
        ("llamacpp/compl_nonstream", Api::Completions),
        ("vllm/chat_nonstream", Api::Chat),
        ("vllm/compl_nonstream", Api::Completions),
        ("tfserve/chat_nonstream", Api::Chat),
        ("tfserve/compl_nonstream", Api::Completions),
    ] {
        let transcript = Transcript::load(name);
        let body: Value = serde_json::from_slice(&transcript.body()).unwrap();
        // Also when a stream was asked and the server does not stream.
        for stream in [false, true] {
            let one = adapter(api, stream, json!({})).exchange(&prompt(), 0, 0);
            let reply = transcript.play(one, 5);
            assert_eq!(reply.result, Some(Ok(Ended::OkDone)), "{name}");
            assert_eq!(reply.first_token_ns, None, "{name}");
            assert_eq!(reply.finish_ns, Some(transcript.end.at_ns), "{name}");
            assert_eq!(
                reply.tokens_out,
                body["usage"]["completion_tokens"].as_u64(),
                "{name}"
            );
            let choice = &body["choices"][0];
            let text = choice["message"]["content"]
                .as_str()
                .or_else(|| choice["text"].as_str());
            assert_eq!(reply.answer, text.unwrap(), "{name}");
        }
    }
}

#[test]
fn refusals_carry_the_servers_own_words() {
    for (name, status, words) in [
        (
            "llamacpp/err_too_long_stream",
            400,
            "exceeds the available context size",
        ),
        ("llamacpp/err_bad_json", 400, "parse error"),
        ("llamacpp/err_404", 404, "File Not Found"),
        ("vllm/err_no_auth", 401, "Unauthorized"),
        ("vllm/err_bad_model", 404, "does not exist"),
        ("vllm/err_too_long_stream", 400, "maximum context length"),
        ("vllm/err_405", 405, "Method Not Allowed"),
        ("tfserve/err_bad_model", 400, "Server is pinned to"),
        ("tfserve/err_no_messages", 500, "Internal Server Error"),
        (
            "tfserve/chat_stream_ignore_eos",
            422,
            "Unexpected fields in the request: {'ignore_eos'",
        ),
    ] {
        let transcript = Transcript::load(name);
        let reply = transcript.play(exchange(true), 3);
        let failure = failure(&reply);
        assert_eq!(failure.kind, FailureKind::HttpStatus, "{name}");
        assert_eq!(failure.status, Some(transcript.status), "{name}");
        assert!(
            failure.message.contains(words),
            "{name} {status}: {}",
            failure.message
        );
        assert_eq!(reply.http_status, Some(status), "{name}");
    }
}

#[test]
fn a_cut_connection_keeps_the_tokens_that_came() {
    for name in ["llamacpp/disconnect", "vllm/disconnect"] {
        let transcript = Transcript::load(name);
        let slow = read_slowly(&transcript);
        let reply = transcript.play(exchange(true), usize::MAX);
        assert_eq!(failure(&reply).kind, FailureKind::Reset, "{name}");
        assert_eq!(reply.chunk_ns.len() as u64 + 1, slow.n_tokens, "{name}");
        assert_eq!(reply.token_source, Some(TokenSource::Chunks), "{name}");
    }
}

#[test]
fn the_metrics_vector() {
    let vector = data_file("vectors/llm_metrics.json");
    let ns = |ms: &Value| ns_from_secs(ms.as_f64().unwrap() / 1e3);
    let trace = &vector["trace"];
    let mut exchange = exchange(true);
    exchange.head(200, &event_stream(), Stamp::default());
    let mut total = 0;
    for (i, event) in trace["events"].as_array().unwrap().iter().enumerate() {
        total += event["tokens"].as_u64().unwrap();
        let choices = match event["kind"].as_str().unwrap() {
            "role-only" => json!([{"delta": {"role": "assistant", "content": ""}}]),
            "content" => json!([{"delta": {"content": "x"}}]),
            "finish" => json!([{"delta": {}, "finish_reason": "stop"}]),
            _ => json!([]),
        };
        let usage = json!({"prompt_tokens": 1, "completion_tokens": total});
        let data = json!({"choices": choices, "usage": usage});
        let stamp = Stamp {
            at_ns: ns(&event["t"]),
            read_no: i as u64,
        };
        exchange.data(format!("data: {data}\n\n").as_bytes(), stamp);
    }
    exchange.end(
        Ok(()),
        Stamp {
            at_ns: ns(&trace["end_ms"]),
            read_no: 99,
        },
    );
    let reply = exchange.reply();
    let send = ns(&trace["t_send_ms"]);
    let ttft = reply.first_token_ns.unwrap() - send;
    assert_eq!(ttft, ns(&vector["ttft_from_send_ms"]));
    let decode = reply.last_token_ns.unwrap() - reply.first_token_ns.unwrap();
    let n = reply.tokens_out.unwrap();
    assert_eq!(n, vector["n_tokens"].as_u64().unwrap());
    assert_eq!(
        decode / (n - 1),
        ns(&vector["tpot_(e2e_last_token - ttft)/(n-1)"])
    );
    let gaps: Vec<u64> = vector["itl_chunk_gaps_ms"]
        .as_array()
        .unwrap()
        .iter()
        .map(ns)
        .collect();
    assert_eq!(reply.chunk_ns, gaps);
    assert_eq!(reply.chunk_tokens, Some(vec![1, 3, 2]));
    assert_eq!(reply.result, Some(Ok(Ended::OkNoDone)));
}

#[test]
fn nothing_that_could_be_output_is_no_success() {
    let none: &[&[u8]] = &[];
    assert_eq!(outcome(&play(&event_stream(), none)), "error_empty");
    assert_eq!(outcome(&play(&HeaderMap::new(), none)), "error_empty");
    assert_eq!(
        outcome(&play(&event_stream(), &[b": ping\n\n"])),
        "error_empty"
    );
    assert_eq!(
        outcome(&play(&event_stream(), &[b"data: [DONE]\n\n"])),
        "error_empty"
    );
    assert_eq!(
        outcome(&play(&event_stream(), &[b"data: {\"choi"])),
        "error_truncated"
    );
    let html =
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/html"))]);
    let reply = play(&html, &[b"<!DOCTYPE html><title>Hi</title>"]);
    assert_eq!(outcome(&reply), "error_bad_json");
    assert!(failure(&reply).message.contains("web page, “Hi”"));
}

#[test]
fn an_error_inside_a_stream_is_kept_though_the_connection_is_cut_after_it() {
    let mut exchange = exchange(true);
    exchange.head(200, &event_stream(), Stamp::default());
    exchange.data(
        b"data: {\"error\":{\"message\":\"CUDA OOM\"}}\n\n",
        Stamp::default(),
    );
    exchange.end(
        Err(Failure::new(FailureKind::Reset, "reset")),
        Stamp::default(),
    );
    let reply = exchange.reply();
    assert_eq!(failure(&reply).kind, FailureKind::ErrorInStream);
    assert_eq!(failure(&reply).message, "CUDA OOM");
    assert_eq!(failure(&reply).status, Some(200));
}

/// A 422 with that message.
fn refuse(adapter: &OpenAi, message: &str) {
    let mut exchange = adapter.exchange(&prompt(), 0, 0);
    exchange.next_call(0).unwrap();
    exchange.head(422, &HeaderMap::new(), Stamp::default());
    exchange.data(
        json!({"detail": message}).to_string().as_bytes(),
        Stamp::default(),
    );
    exchange.end(Ok(()), Stamp::default());
    let reply = exchange.reply();
    assert_eq!(failure(&reply).kind, FailureKind::HttpStatus);
}

fn sends(adapter: &OpenAi, field: &str) -> bool {
    let call = adapter.exchange(&prompt(), 0, 1).next_call(0).unwrap();
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    body.get(field).is_some()
}

#[test]
fn a_refusal_of_ignore_eos_is_met_once_and_costs_no_usage() {
    let of = |extra| {
        OpenAi::new(Config {
            api: Api::Chat,
            path_and_query: "/v1/chat/completions".to_owned(),
            headers: HeaderMap::new(),
            model: None,
            stream: true,
            max_tokens: Some(9),
            ignore_eos: true,
            extra: serde_json::from_value(extra).unwrap(),
            facts: ServerFacts::default(),
        })
    };
    let adapter = of(json!({}));
    assert!(sends(&adapter, "ignore_eos") && sends(&adapter, "min_tokens"));
    refuse(&adapter, "the prompt is too long");
    assert!(!adapter.ends_refused());
    // As `transformers serve` says it.
    refuse(
        &adapter,
        "Unexpected fields in the request: {'ignore_eos', 'min_tokens'}",
    );
    assert!(adapter.ends_refused() && !adapter.usage_refused());
    assert!(!sends(&adapter, "ignore_eos") && !sends(&adapter, "min_tokens"));
    assert!(sends(&adapter, "stream_options") && sends(&adapter, "max_tokens"));
}

#[test]
fn a_refusal_of_stream_options_is_met_once() {
    let asks = |adapter: &OpenAi| sends(adapter, "stream_options");
    let plain = adapter(Api::Chat, true, json!({}));
    refuse(&plain, "max_tokens is too large");
    assert!(asks(&plain) && !plain.usage_refused());
    refuse(
        &plain,
        "Unexpected fields in the request: {'stream_options'}",
    );
    assert!(!asks(&plain) && plain.usage_refused());

    let with_extra = adapter(Api::Chat, true, json!({"ignore_eos": true}));
    refuse(
        &with_extra,
        "Unexpected fields in the request: {'ignore_eos'}",
    );
    assert!(asks(&with_extra), "another field was meant");
}

#[test]
fn retry_after_and_compression_are_told() {
    let mut exchange = exchange(true);
    let mut headers = HeaderMap::new();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("3"));
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    exchange.head(429, &headers, Stamp::default());
    exchange.end(Ok(()), Stamp::default());
    let reply = exchange.reply();
    assert_eq!(reply.retry_after_secs, Some(3.0));
    assert_eq!(reply.content_encoding.as_deref(), Some("gzip"));
    assert_eq!(failure(&reply).message, "Too Many Requests");
}

#[test]
fn a_key_that_a_server_echoes_is_not_kept() {
    let mut key = HeaderValue::from_static("Bearer sk-canary");
    key.set_sensitive(true);
    let adapter = OpenAi::new(Config {
        api: Api::Chat,
        path_and_query: "/v1/chat/completions".to_owned(),
        headers: HeaderMap::from_iter([(header::AUTHORIZATION, key)]),
        model: None,
        stream: true,
        max_tokens: None,
        ignore_eos: false,
        extra: serde_json::Map::new(),
        facts: ServerFacts::default(),
    });
    let mut exchange = adapter.exchange(&prompt(), 0, 0);
    let call = exchange.next_call(0).unwrap();
    assert!(!format!("{adapter:?}{call:?}").contains("canary"));
    exchange.head(401, &HeaderMap::new(), Stamp::default());
    let said = br#"{"error":{"message":"Incorrect API key provided: sk-canary"}}"#;
    exchange.data(said, Stamp::default());
    exchange.end(Ok(()), Stamp::default());
    let reply = exchange.reply();
    assert_eq!(
        failure(&reply).message,
        "Incorrect API key provided: [REDACTED]"
    );
}

#[test]
fn the_captured_requests_are_what_we_send() {
    let captured = Transcript::load("llamacpp/chat_stream_usage").request;
    let captured: Value = serde_json::from_str(&captured).unwrap();
    let extra = json!({"model": "smollm2", "max_tokens": 24, "temperature": 0, "seed": 1});
    let call = adapter(Api::Chat, true, extra)
        .exchange(&prompt(), 0, 0)
        .next_call(0)
        .unwrap();
    let ours: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(ours, captured);
    assert_eq!(call.path_and_query, "/v1/chat/completions");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        status in 100_u16..600,
        stream in any::<bool>(),
        parts in prop::collection::vec(prop_oneof![
            any::<Vec<u8>>(),
            prop::sample::select(vec![
                &b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":{\"completion_tokens\":1}}\n\n"[..],
                b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
                b"data: [DONE]\n\n",
                b"data: {\"usage\":{\"completion_tokens\":18446744073709551615}}\n\n",
                b"{\"choices\":[]}",
            ]).prop_map(<[u8]>::to_vec),
        ], 0..20),
    ) {
        let mut exchange = exchange(stream);
        exchange.head(status, &HeaderMap::new(), Stamp::default());
        for (i, part) in parts.iter().enumerate() {
            exchange.data(part, Stamp { at_ns: i as u64, read_no: i as u64 });
        }
        exchange.end(Ok(()), Stamp::default());
        let reply = exchange.reply();
        prop_assert!(reply.result.is_some());
        let n_events = reply.first_token_ns.map_or(0, |_| reply.chunk_ns.len() + 1);
        if let Some(tokens) = reply.chunk_tokens {
            prop_assert_eq!(tokens.len(), n_events);
        }
    }
}

#[test]
fn after_the_done_marker_nothing_is_waited_for() {
    let check = |reads: &[&str], done: bool| {
        let mut exchange = exchange(true);
        exchange.next_call(0).unwrap();
        exchange.head(200, &event_stream(), Stamp::default());
        for read in reads {
            exchange.data(read.as_bytes(), Stamp::default());
        }
        assert_eq!(exchange.is_done(), done, "{reads:?}");
    };
    let token = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    let finish = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    check(&[token], false);
    // The usage may still come.
    check(&[token, finish], false);
    check(&[token, finish, "data: [DONE]\n\n"], true);
    check(&[token, "data: {\"error\":{\"message\":\"no\"}}\n\n"], true);
}
