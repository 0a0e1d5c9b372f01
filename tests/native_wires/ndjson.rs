//! The corpus of line framings, cut at every place, and lines without an end.

use inferometer::protocol::ndjson::LineSplitter;
use inferometer::protocol::sse::MAX_LINE_BYTES;
use serde_json::Value;

use crate::openai_wires::{bytes_of, corpus};

/// The records and the number of lines that are none.
fn records(chunks: &[&[u8]]) -> (Vec<Value>, u64) {
    let (mut records, mut n_bad) = (Vec::new(), 0);
    let mut take = |line: std::borrow::Cow<'_, str>| match serde_json::from_str(&line) {
        Ok(record) => records.push(record),
        Err(_) => n_bad += 1,
    };
    let mut splitter = LineSplitter::new();
    for chunk in chunks {
        splitter.feed(chunk, &mut take).unwrap();
    }
    splitter.finish(&mut take);
    (records, n_bad)
}

#[test]
fn the_corpus_wherever_it_is_cut() {
    let cases = corpus("ndjson");
    assert_eq!(cases.len(), 8);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let expected = &case["expected"];
        let chunks = bytes_of(case);
        let as_given: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        let whole = chunks.concat();
        let mut cuts = vec![as_given, whole.chunks(1).collect()];
        for at in 0..whole.len() {
            let (a, b) = whole.split_at(at);
            cuts.push(vec![a, b]);
        }
        for cut in &cuts {
            let (records, n_bad) = records(cut);
            assert_eq!(Value::from(records), expected["records"], "{name}");
            assert_eq!(Some(n_bad), expected["bad_lines"].as_u64(), "{name}");
        }
    }
}

#[test]
fn a_line_that_never_ends_takes_no_more_than_its_limit() {
    let block = vec![b'x'; 1 << 20];
    let mut splitter = LineSplitter::new();
    let mut taken = 0;
    while splitter.feed(&block, &mut |_| panic!("no line")).is_ok() {
        taken += block.len();
        assert!(taken <= MAX_LINE_BYTES, "{taken}");
    }
    assert_eq!(taken, MAX_LINE_BYTES);
}
