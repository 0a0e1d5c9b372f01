//! The event parser against the corpus (web-platform-tests and own cases), cut everywhere, and against another parser.

use futures_util::StreamExt as _;
use inferometer::protocol::sse::SseParser;
use proptest::prelude::*;
use serde_json::Value;

use super::{bytes_of, corpus};

#[derive(Clone, Debug, Default, PartialEq)]
struct Parsed {
    events: Vec<(String, String, String)>,
    retry_ms: Option<u64>,
    n_comments: u64,
    discarded: bool,
}

fn parse<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Parsed {
    let mut parser = SseParser::new();
    let mut events = Vec::new();
    for chunk in chunks {
        parser
            .feed(chunk, &mut |e| {
                events.push((e.event.to_owned(), e.data.into_owned(), e.id.to_owned()));
            })
            .unwrap();
    }
    Parsed {
        events,
        retry_ms: parser.retry_ms(),
        n_comments: parser.n_comments(),
        discarded: parser.finish(),
    }
}

fn expected(case: &Value) -> Parsed {
    let expected = &case["expected"];
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    Parsed {
        events: expected["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| (text(e, "event"), text(e, "data"), text(e, "id")))
            .collect(),
        retry_ms: expected["retry_ms"].as_u64(),
        n_comments: expected["comments"].as_u64().unwrap(),
        discarded: expected["incomplete_tail_discarded"].as_bool().unwrap(),
    }
}

#[test]
fn the_corpus_at_every_cut() {
    let cases = corpus("sse");
    assert!(cases.len() > 40, "the corpus is there: {}", cases.len());
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let want = expected(&case);
        let chunks = bytes_of(&case);
        assert_eq!(
            parse(chunks.iter().map(Vec::as_slice)),
            want,
            "{name}, as it came"
        );
        let whole = chunks.concat();
        assert_eq!(parse([whole.as_slice()]), want, "{name}, whole");
        for size in 1..=3 {
            assert_eq!(parse(whole.chunks(size)), want, "{name}, by {size} bytes");
        }
        for cut in 0..whole.len() {
            let (a, b) = whole.split_at(cut);
            assert_eq!(parse([a, b]), want, "{name}, cut at {cut}");
        }
        // An empty read changes nothing.
        let with_empty = whole.chunks(1).flat_map(|c| [c, &[][..]]);
        assert_eq!(parse(with_empty), want, "{name}, with empty reads");
    }
}

/// Lines that matter, joined by any line end.
fn stream_text() -> impl Strategy<Value = String> {
    let field = prop::sample::select(vec!["data", "event", "id", "retry", "x", "Data", ""]);
    let value = prop::sample::select(vec!["", " ", "a", " b", "  c", "7", "ü€😀", ":", "[DONE]"]);
    let line = prop_oneof![
        3 => (field, value).prop_map(|(f, v)| format!("{f}:{v}")),
        1 => Just("data".to_owned()),
        3 => Just(String::new()),
    ];
    let end = prop::sample::select(vec!["\n", "\r\n", "\r"]);
    prop::collection::vec((line, end), 0..40).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|(l, e)| [l, e.to_owned()])
            .collect()
    })
}

/// Events of `sse-stream`, which hands out blocks without data and leaves defaults to its caller.
fn oracle(text: &str) -> Vec<(String, String)> {
    let bytes = bytes::Bytes::from(text.to_owned());
    let body = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    let stream = sse_stream::SseStream::from_bytes_stream(body);
    let blocks: Vec<_> = futures_util::FutureExt::now_or_never(stream.collect::<Vec<_>>()).unwrap();
    blocks
        .into_iter()
        .map(Result::unwrap)
        .filter_map(|block| {
            let event = block.event.filter(|e| !e.is_empty());
            Some((event.unwrap_or_else(|| "message".to_owned()), block.data?))
        })
        .collect()
}

proptest! {
    #[test]
    fn agrees_with_another_parser(text in stream_text(), cuts in prop::collection::vec(1_usize..9, 1..30)) {
        let mut rest = text.as_bytes();
        let mut chunks = Vec::new();
        for size in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*size).min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        let ours: Vec<_> = parse(chunks).events.into_iter().map(|(e, d, _)| (e, d)).collect();
        prop_assert_eq!(ours, oracle(&text));
    }

    #[test]
    fn any_bytes_give_the_same_events_however_they_are_cut(
        bytes in prop::collection::vec(prop_oneof![
            prop::sample::select(b"data:\r\n \xEF\xBB\xBF\xF0\x9F".to_vec()),
            any::<u8>(),
        ], 0..200),
        size in 1_usize..7,
    ) {
        prop_assert_eq!(parse(bytes.chunks(size)), parse([bytes.as_slice()]));
    }
}
