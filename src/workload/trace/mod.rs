//! Traces: when requests came and how long they were, of a service that was recorded.
//!
//! Azure's LLM inference traces, Mooncake's, BurstGPT's and our own run files are told apart by their content.

mod formats;

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::bounded;
use super::dataset::hex;

/// The largest trace, unpacked, and the most rows in it.
const MAX_BYTES: u64 = 1 << 30;
const MAX_ROWS: usize = 1_000_000;
/// The magic number of a Zstandard frame.
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Tokens of one block that `hash_ids` of a Mooncake trace name.
pub(super) const BLOCK_TOKENS: u32 = 512;

/// One request of a trace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TraceRow {
    /// After the trace's first request.
    pub at_ns: u64,
    pub tokens_in: Option<u32>,
    pub tokens_out: Option<u32>,
    /// What was asked, where the trace keeps it.
    pub(super) text: Option<Arc<str>>,
    /// Names of the blocks of 512 tokens that the prompt begins with; the same name is the same text.
    pub(super) blocks: Box<[u64]>,
}

/// A trace in the order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    pub(super) rows: Vec<TraceRow>,
    /// `Azure`, `Mooncake`, …
    pub(super) kind: &'static str,
    /// SHA-256 of the file, in hex.
    pub(super) hash: String,
    /// Rows that came before the row above them, and were sorted.
    pub(super) n_unsorted: usize,
}

/// # Errors
/// In words, with the line where there is one.
pub(super) fn read(path: &Path) -> Result<Trace, String> {
    let name = path.display();
    let bytes = bounded::read(path, MAX_BYTES)?;
    let hash = hex(&Sha256::digest(&bytes));
    let bytes = if bytes.starts_with(&ZSTD) {
        unpacked(&bytes).map_err(|why| format!("{why}: “{name}”"))?
    } else {
        bytes
    };
    let text = bounded::text(&bytes, path)?;
    let (kind, timed) = formats::parse(text).map_err(|why| format!("{why}: “{name}”"))?;
    let mut trace = in_order(timed);
    if trace.rows.is_empty() {
        return Err(format!("holds no request: “{name}”"));
    }
    trace.kind = kind;
    trace.hash = hash;
    Ok(trace)
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    let reader = zstd::stream::read::Decoder::new(bytes).map_err(|e| e.to_string())?;
    let read = reader.take(MAX_BYTES + 1).read_to_end(&mut all);
    read.map_err(|e| format!("cannot be unpacked ({e})"))?;
    if all.len() as u64 > MAX_BYTES {
        return Err(format!("is larger than {MAX_BYTES} bytes when unpacked"));
    }
    Ok(all)
}

/// Rows with the times of their trace, sorted and counted from the first.
fn in_order(mut timed: Vec<(i128, TraceRow)>) -> Trace {
    let before = timed.iter().zip(timed.iter().skip(1));
    let n_unsorted = before.filter(|(a, b)| b.0 < a.0).count();
    timed.sort_by_key(|(at_ns, _)| *at_ns);
    let first_ns = timed.first().map_or(0, |(at_ns, _)| *at_ns);
    let row = |(at_ns, row): (i128, TraceRow)| TraceRow {
        at_ns: u64::try_from(at_ns - first_ns).unwrap_or(u64::MAX),
        ..row
    };
    Trace {
        rows: timed.into_iter().map(row).collect(),
        n_unsorted,
        ..Trace::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<Trace, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace");
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    }

    #[track_caller]
    fn rows(text: &str, kind: &str, expected: &[(u64, u32, u32)]) {
        let trace = read_bytes(text.as_bytes()).unwrap();
        assert_eq!(trace.kind, kind);
        let of = |r: &TraceRow| (r.at_ns, r.tokens_in.unwrap(), r.tokens_out.unwrap());
        assert_eq!(trace.rows.iter().map(of).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn azure_s_two_kinds_of_timestamps_are_read() {
        rows(
            "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n",
            "Azure",
            &[(0, 374, 44), (4_314_579_000, 396, 109)],
        );
        rows(
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 23:59:59.5+00:00,1,2\n2024-05-11 00:00:00.009930+00:00,3,4\n",
            "Azure",
            &[(0, 1, 2), (509_930_000, 3, 4)],
        );
    }

    #[test]
    fn mooncake_rows_name_their_blocks() {
        let text = "{\"timestamp\": 27482, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [46, 47]}\n\n{\"timestamp\": 30535, \"input_length\": 6472, \"output_length\": 26, \"hash_ids\": [46, 2366]}\n";
        rows(
            text,
            "Mooncake",
            &[(0, 6955, 52), (3_053_000_000, 6472, 26)],
        );
        let trace = read_bytes(text.as_bytes()).unwrap();
        assert_eq!(*trace.rows[1].blocks, [46, 2366]);
    }

    #[test]
    fn burstgpt_counts_seconds() {
        rows(
            "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n45.5,GPT-4,1087,230,1317,API log\n",
            "BurstGPT",
            &[(0, 472, 18), (40_500_000_000, 1087, 230)],
        );
    }

    #[test]
    fn a_run_file_of_ours_is_a_trace_of_its_measured_requests() {
        let text = r#"{"type":"run","schema":1}
{"type":"stage","stage":0}
{"type":"request","phase":"warmup","dispatched_ns":1,"tokens_in":1,"tokens_out":1}
{"type":"request","phase":"measure","dispatched_ns":7000,"due_ns":5000,"tokens_in":9,"tokens_out":3,"prompt":{"chars":2,"hash":"x","text":"hi"}}
{"type":"request","phase":"drain","dispatched_ns":6000,"due_ns":null,"tokens_in":8,"tokens_out":2,"prompt":null}
{"type":"end"}
"#;
        rows(text, "Inferometer", &[(0, 9, 3), (1000, 8, 2)]);
        let trace = read_bytes(text.as_bytes()).unwrap();
        assert_eq!(trace.rows[0].text.as_deref(), Some("hi"));
        let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
        assert_eq!(read_bytes(&packed).unwrap().rows, trace.rows);
    }

    #[test]
    fn rows_out_of_order_are_sorted_and_counted() {
        let text = "Timestamp,Request tokens,Response tokens\n9,1,1\n3,2,2\n5,3,3\n";
        let trace = read_bytes(text.as_bytes()).unwrap();
        assert_eq!(trace.n_unsorted, 1);
        let lengths: Vec<u32> = trace.rows.iter().filter_map(|r| r.tokens_in).collect();
        assert_eq!(lengths, [2, 3, 1]);
        assert_eq!(trace.rows[2].at_ns, 6_000_000_000);
    }

    #[test]
    fn what_is_no_trace_is_told_with_its_line() {
        let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,1\n";
        for (text, words) in [
            (String::new(), "is no trace"),
            ("hello\nworld\n".to_owned(), "is no trace"),
            ("{\"x\":1}\n".to_owned(), "is no trace"),
            (
                "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned(),
                "holds no request",
            ),
            (format!("{azure}yesterday,1,1\n"), "line 3"),
            (format!("{azure}2023-11-16 18:15:46,-1,1\n"), "line 3"),
            (
                format!("{azure}2023-11-16 18:15:46,99999999999,1\n"),
                "line 3",
            ),
            (format!("{azure}2023-11-16 18:15:46,1\n"), "line 3"),
            (
                "{\"timestamp\":1,\"input_length\":5,\"output_length\":1}\n{\"timestamp\":"
                    .to_owned(),
                "line 2",
            ),
            (
                "{\"timestamp\":1e400,\"input_length\":5,\"output_length\":1}\n".to_owned(),
                "line 1",
            ),
        ] {
            let message = read_bytes(text.as_bytes()).unwrap_err();
            assert!(message.contains(words), "{text:?}: {message}");
        }
        for entry in std::fs::read_dir("tests/data/hostile").unwrap() {
            assert!(read(&entry.unwrap().path()).is_err());
        }
    }
}
