//! The wires of TGI, Ollama and any HTTP endpoint by template: what bytes mean, the questions asked before a run, and whole
//! runs against the demo server, which shares no code with them.

mod any_http;
mod demo;
mod ndjson;
mod ollama;
mod prepare;
mod tgi;

use http::{HeaderMap, HeaderValue, header};
use inferometer::domain::{Failure, FailureKind, Prompt, Role, TokenSource, Turn};
use inferometer::protocol::{Adapter, Exchange, Reply, Stamp};
use serde_json::Value;

use crate::openai_wires::exchange::{failure, outcome};

fn typed(content_type: &'static str) -> HeaderMap {
    let value = HeaderValue::from_static(content_type);
    HeaderMap::from_iter([(header::CONTENT_TYPE, value)])
}

fn prompt() -> Prompt {
    let turn = |role, text: &str| Turn {
        role,
        text: text.into(),
    };
    Prompt {
        system: Some("Be brief".into()),
        history: [turn(Role::User, "One?"), turn(Role::Assistant, "Two.")].into(),
        ..Prompt::of("Say \"hi\"")
    }
}

/// The body of the first call, which must be JSON.
fn body_of(adapter: &dyn Adapter, prompt: &Prompt) -> Value {
    let call = adapter.exchange(prompt, 0, 0).next_call(0).unwrap();
    serde_json::from_slice(&call.body).unwrap()
}

/// Feeds a whole answer in pieces of at most `piece` bytes, all of one time.
fn play(
    mut exchange: Box<dyn Exchange>,
    (status, headers): (u16, &HeaderMap),
    body: &[u8],
    piece: usize,
) -> Reply {
    assert!(exchange.next_call(0).is_some());
    exchange.head(status, headers, Stamp::default());
    for part in body.chunks(piece) {
        exchange.data(part, Stamp::default());
    }
    exchange.end(Ok(()), Stamp::default());
    assert!(exchange.next_call(0).is_none());
    exchange.reply()
}

/// What an answer comes to.
struct Expected {
    outcome: &'static str,
    /// Content events, text, and tokens by the server.
    n_chunks: usize,
    answer: &'static str,
    tokens_out: Option<u64>,
    /// Words of the failure's message.
    words: &'static str,
}

const GOOD: Expected = Expected {
    outcome: "ok_done",
    n_chunks: 0,
    answer: "",
    tokens_out: None,
    words: "",
};

/// Holds an answer against what it should come to, however it is cut.
#[track_caller]
fn check(adapter: &dyn Adapter, headers: &HeaderMap, body: impl AsRef<[u8]>, expected: &Expected) {
    let body = body.as_ref();
    let shown = String::from_utf8_lossy(body);
    for piece in [usize::MAX, 1, 2, 7] {
        let exchange = adapter.exchange(&prompt(), 0, 0);
        let reply = play(exchange, (200, headers), body, piece);
        assert_eq!(outcome(&reply), expected.outcome, "{shown}");
        let n_chunks = reply.first_token_ns.map_or(0, |_| reply.chunk_ns.len() + 1);
        assert_eq!(n_chunks, expected.n_chunks, "{shown}");
        assert_eq!(reply.answer, expected.answer, "{shown}");
        if let Some(n) = expected.tokens_out {
            assert_eq!(reply.tokens_out, Some(n), "{shown}");
            assert_eq!(reply.token_source, Some(TokenSource::Usage), "{shown}");
        }
        if let Some(Err(failure)) = &reply.result {
            assert!(
                failure.message.contains(expected.words),
                "{}",
                failure.message
            );
            assert_eq!(failure.status, Some(200), "{shown}");
        }
    }
}

/// A refusal with that status and body, as a failure.
fn refusal(adapter: &dyn Adapter, status: u16, body: &str) -> Failure {
    let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static("3"))]);
    let exchange = adapter.exchange(&prompt(), 0, 0);
    let reply = play(exchange, (status, &headers), body.as_bytes(), 5);
    assert_eq!(reply.retry_after_secs, Some(3.0));
    assert_eq!(failure(&reply).kind, FailureKind::HttpStatus);
    assert_eq!(failure(&reply).status, Some(status));
    failure(&reply).clone()
}

/// The parts of `tests/data/transcripts/NAME/from_source.txt` that begin with `>>>`.
fn from_source(name: &str) -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/transcripts")
        .join(name)
        .join("from_source.txt");
    let text = std::fs::read_to_string(path).unwrap();
    text.split(">>> ").map(str::to_owned).collect()
}
