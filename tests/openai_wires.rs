//! OpenAI-compatible wires: the corpus of streams, captured conversations of real servers, and the questions asked before a
//! run.

pub(crate) mod exchange;
pub(crate) mod prepare;
mod responses;
mod sse;
mod transcript;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

fn data_file(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let text = std::fs::read_to_string(path.join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The corpus' cases of one framing.
pub(crate) fn corpus(proto: &str) -> Vec<Value> {
    let cases = data_file("sse-corpus.json")["cases"].take();
    let Value::Array(mut cases) = cases else {
        panic!("the corpus holds no cases");
    };
    cases.retain(|case| case["proto"] == proto);
    cases
}

fn ns_from_secs(secs: f64) -> u64 {
    let duration = Duration::try_from_secs_f64(secs).unwrap();
    u64::try_from(duration.as_nanos()).unwrap()
}

/// A case's chunks.
pub(crate) fn bytes_of(case: &Value) -> Vec<Vec<u8>> {
    let chunks = case["chunks_b64"].as_array().unwrap();
    chunks
        .iter()
        .map(|chunk| from_base64(chunk.as_str().unwrap()))
        .collect()
}

fn from_base64(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .bytes()
        .filter(|&b| b != b'=')
        .map(|b| match b {
            b'A'..=b'Z' => u32::from(b - b'A'),
            b'a'..=b'z' => u32::from(b - b'a') + 26,
            b'0'..=b'9' => u32::from(b - b'0') + 52,
            b'+' => 62,
            b'/' => 63,
            _ => panic!("not base64: {b}"),
        })
        .collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0, |bits, d| bits << 6 | d) << (6 * (4 - group.len()));
        bytes.extend_from_slice(&u32::to_be_bytes(bits)[1..group.len()]);
    }
    bytes
}
