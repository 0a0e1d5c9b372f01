//! Datasets: ShareGPT-like JSON, JSON Lines, CSV, Parquet, plain text, lists of Gradio payloads, folders of media.
//!
//! Everything here is held against limits, and a row that cannot be meant is told with its line: none is passed over but
//! those that say nothing at all, which are counted.

mod csv_file;
mod folder;
mod json;
mod messages;
mod parquet_file;
mod values;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::domain::MAX_PROMPT_BYTES;

use super::bounded;
use super::row::Row;

/// The largest file, and the most rows in it.
const MAX_FILE_BYTES: u64 = 1 << 30;
const MAX_TEXT_BYTES: u64 = 256 << 20;
const MAX_ROWS: usize = 1_000_000;

/// A dataset as it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Dataset {
    pub(super) rows: Vec<Row>,
    /// SHA-256 of the content, in hex.
    pub(super) hash: String,
    /// Rows that say nothing, and were passed over.
    pub(super) n_empty: u64,
}

/// How a file is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Format {
    Json,
    JsonLines,
    Csv(u8),
    Parquet,
    Text,
}

/// Reads a file or a folder.
///
/// # Errors
/// In words, with the line where there is one.
pub(super) fn read(path: &Path) -> Result<Dataset, String> {
    if path.is_dir() {
        return folder::read(path);
    }
    let bytes = bounded::read(path, MAX_FILE_BYTES)?;
    let hash = hash_of(&bytes);
    let (inner, bytes) = unpacked(path, bytes)?;
    let format = format_of(&inner, &bytes)?;
    let rows = rows_of(path, bytes, format)?;
    Ok(Dataset { hash, ..rows })
}

/// Reads a file as plain text, one prompt a line, whatever it is called.
///
/// # Errors
/// As [`read`].
pub(super) fn read_text(path: &Path) -> Result<Dataset, String> {
    let bytes = bounded::read(path, MAX_TEXT_BYTES)?;
    let hash = hash_of(&bytes);
    let rows = rows_of(path, bytes, Format::Text)?;
    Ok(Dataset { hash, ..rows })
}

fn hash_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// What a file packed as a whole holds, and the name that it has without the packer's ending.
fn unpacked(path: &Path, bytes: Vec<u8>) -> Result<(PathBuf, Vec<u8>), String> {
    let name = path.display();
    let cannot = |e: io::Error| format!("cannot be unpacked ({e}): “{name}”");
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    let packed: &mut dyn Read = match extension.as_deref().and_then(|e| e.to_str()) {
        Some("gz") => &mut flate2::read::MultiGzDecoder::new(bytes.as_slice()),
        Some("zst") => &mut zstd::Decoder::with_buffer(bytes.as_slice()).map_err(cannot)?,
        _ => return Ok((path.to_owned(), bytes)),
    };
    let mut plain = Vec::new();
    let limited = &mut packed.take(MAX_FILE_BYTES + 1);
    limited.read_to_end(&mut plain).map_err(cannot)?;
    if plain.len() as u64 > MAX_FILE_BYTES {
        return Err(format!(
            "unpacks to more than {MAX_FILE_BYTES} bytes: “{name}”"
        ));
    }
    Ok((path.with_extension(""), plain))
}

/// Without the hash.
fn rows_of(path: &Path, bytes: Vec<u8>, format: Format) -> Result<Dataset, String> {
    let name = path.display();
    let mut rows = Rows::default();
    let bytes = Bytes::from(bytes);
    let text = || bounded::text(&bytes, path);
    let read = match format {
        Format::Json => json::read_document(text()?, &mut rows),
        Format::JsonLines => json::read_lines(text()?, &mut rows),
        Format::Csv(delimiter) => csv_file::read(text()?, delimiter, &mut rows),
        Format::Parquet => parquet_file::read(bytes.clone(), &mut rows),
        Format::Text => text()?.lines().zip(1_u64..).try_for_each(|(line, number)| {
            let row = Row::of(line.trim());
            rows.push(row).map_err(|e| format!("line {number} {e}"))
        }),
    };
    read.map_err(|message| format!("{message}: “{name}”"))?;
    if rows.kept.is_empty() {
        return Err(match format {
            Format::Text => format!("holds no prompt, write one a line: “{name}”"),
            _ => format!("holds no prompt: “{name}”"),
        });
    }
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    for file in rows.kept.iter_mut().filter_map(|row| row.file.as_mut()) {
        if !file.to_string_lossy().contains("://") {
            *file = folder.join(&*file);
        }
    }
    Ok(Dataset {
        rows: rows.kept,
        hash: String::new(),
        n_empty: rows.n_empty,
    })
}

fn format_of(path: &Path, bytes: &[u8]) -> Result<Format, String> {
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    let extension = extension.as_deref().and_then(|e| e.to_str()).unwrap_or("");
    match extension {
        "jsonl" | "ndjson" => return Ok(Format::JsonLines),
        "csv" => return Ok(Format::Csv(b',')),
        "tsv" => return Ok(Format::Csv(b'\t')),
        "parquet" => return Ok(Format::Parquet),
        "arrow" | "feather" | "bz2" | "xz" | "zip" | "tar" => {
            return Err(format!(
                "“.{extension}” files are not read, write the rows as Parquet, JSON Lines or CSV: “{}”",
                path.display()
            ));
        }
        _ => {}
    }
    let content = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let content = content.trim_ascii_start();
    let looks_json = matches!(content.first(), Some(b'[' | b'{')) && extension != "txt";
    Ok(match (extension, looks_json) {
        (_, true) if is_lines(content) => Format::JsonLines,
        ("json", _) | (_, true) => Format::Json,
        (_, false) => Format::Text,
    })
}

/// The first line is a whole JSON value and another begins after it.
fn is_lines(content: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'\n', content) else {
        return false;
    };
    let (first, rest) = content.split_at(end);
    let is_whole = serde_json::from_slice::<serde::de::IgnoredAny>(first).is_ok();
    is_whole && matches!(rest.trim_ascii_start().first(), Some(b'[' | b'{' | b'"'))
}

/// Rows as they are read.
#[derive(Debug, Default)]
struct Rows {
    kept: Vec<Row>,
    n_empty: u64,
}

impl Rows {
    /// Keeps the row, unless it says nothing.
    fn push(&mut self, row: Row) -> Result<(), String> {
        if row.is_empty() {
            self.n_empty += 1;
            return Ok(());
        }
        if self.kept.len() == MAX_ROWS {
            return Err(format!("is one row too many; at most {MAX_ROWS} are read"));
        }
        if row.turns.iter().any(|text| text.len() > MAX_PROMPT_BYTES) {
            return Err(format!(
                "holds a text of more than {MAX_PROMPT_BYTES} bytes"
            ));
        }
        self.kept.push(row);
        Ok(())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(name: &str, content: &[u8]) -> Result<Dataset, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        read(&path)
    }

    #[track_caller]
    fn firsts(name: &str, content: &str) -> Vec<String> {
        let rows = read_as(name, content.as_bytes()).unwrap().rows;
        rows.iter().map(|r| r.turns[0].to_string()).collect()
    }

    #[test]
    fn every_format_gives_its_prompts() {
        let two = ["one", "two"];
        assert_eq!(firsts("a.txt", "\u{feff}one\r\n\r\n two \n"), two);
        assert_eq!(firsts("a.json", r#"["one", "two"]"#), two);
        assert_eq!(firsts("a.prompts.json", "[\"one\",\n\"two\"]"), two);
        assert_eq!(
            firsts(
                "a.jsonl",
                "{\"prompt\":\"one\"}\n\n{\"question\":\"two\"}\n"
            ),
            two
        );
        assert_eq!(
            firsts("a.json", "{\"text\":\"one\"}\n{\"text\":\"two\"}"),
            two
        );
        assert_eq!(firsts("a", "{\"instruction\":\"one\"}\n\"x\"\n").len(), 2);
        assert_eq!(firsts("a.csv", "id,Prompt\n1,one\n2,two\n"), two);
        assert_eq!(firsts("a.tsv", "question\tid\none\t1\ntwo\t2\n"), two);
        assert_eq!(firsts("a.csv", "anything\none\ntwo\n"), two);
    }

    #[track_caller]
    fn of_file(name: &str) -> Vec<Row> {
        let path = Path::new("tests/data/datasets").join(name);
        read(&path).unwrap().rows
    }

    #[test]
    fn parquet_gives_what_its_rows_would_give_as_json() {
        let rows = of_file("questions.snappy.parquet");
        let firsts: Vec<&str> = rows.iter().map(|r| &*r.turns[0]).collect();
        assert_eq!(firsts, ["one", "zwei äöü", "三"]);
        let rows = of_file("chats.zstd.parquet");
        assert_eq!(rows[0].system.as_deref(), Some("Be brief."));
        let turns: Vec<&str> = rows[0].turns.iter().map(|t| &**t).collect();
        // As of messages: what comes before the last question is its history.
        assert_eq!(turns, ["two"]);
        assert_eq!(&*rows[1].turns[0], "three");
    }

    /// Wherever a byte is wrong or the file ends, there is an answer.
    #[test]
    fn damaged_parquet_is_an_error_or_rows_and_never_a_panic() {
        let whole = std::fs::read("tests/data/datasets/chats.zstd.parquet").unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            read_as("a.parquet", &bytes).ok();
            read_as("a.parquet", &whole[..at]).unwrap_err();
        }
    }

    #[test]
    fn what_is_packed_as_a_whole_is_read_by_its_inner_name() {
        use std::io::Write as _;

        let lines = b"{\"prompt\":\"one\"}\n{\"prompt\":\"two\"}\n";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(lines).unwrap();
        let packed = gzip.finish().unwrap();
        let dataset = read_as("a.jsonl.gz", &packed).unwrap();
        assert_eq!(dataset.rows.len(), 2);
        assert_eq!(
            dataset.hash,
            hash_of(&packed),
            "the file's, as it was given"
        );
        let packed = zstd::encode_all(&b"Prompt,n\none,1\ntwo,2\n"[..], 1).unwrap();
        assert_eq!(read_as("a.csv.zst", &packed).unwrap().rows.len(), 2);
    }

    #[test]
    fn the_hash_is_that_of_the_bytes() {
        let dataset = read_as("a.txt", b"abc").unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            dataset.hash,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[track_caller]
    fn refused(name: &str, content: &[u8], words: &str) {
        let message = read_as(name, content).unwrap_err();
        assert!(message.contains(words), "{message}");
        assert!(message.contains(name), "{message}");
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        refused("a.txt", b"", "holds no prompt");
        refused("a.txt", b"fine\n\xff", "line 2 is not UTF-8");
        refused("a.jsonl", b"{\"prompt\":\"x\"}\n{\"prompt\":", "line 2");
        refused("a.jsonl", b"{\"prompt\":\"x\"}\n{\"id\":3}", "line 2");
        refused("a.json", b"[\"x\",\n {\"id\":1}]", "line 2");
        refused("a.json", b"[\"x\",", "line 1");
        refused("a.json", b"7", "list of rows");
        refused("a.json", b"{\"schema\":1}", "list of rows");
        refused("a.csv", b"a,b\n1,2\n", "“a”, “b”");
        refused("a.csv", b"prompt,b\nx\n", "line 2");
        refused("a.arrow", b"ARROW1", "Parquet, JSON Lines or CSV");
        refused("a.parquet", b"PAR1", "is no Parquet that can be read");
        refused("a.jsonl.gz", b"{\"prompt\":\"x\"}", "cannot be unpacked");
        refused("a.csv.zst", b"prompt\nx\n", "cannot be unpacked");
        let deep = "[".repeat(100_000);
        refused("a.json", deep.as_bytes(), "line 1");
        refused("a.jsonl", deep.as_bytes(), "line 1");
    }

    #[test]
    fn hostile_files_give_an_error_or_rows_and_never_a_panic() {
        for entry in std::fs::read_dir("tests/data/hostile").unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            for name in [
                "a.json",
                "a.jsonl",
                "a.csv",
                "a.tsv",
                "a.txt",
                "a.prompts.json",
                "a",
            ] {
                match read_as(name, &bytes) {
                    Ok(dataset) => assert!(!dataset.rows.is_empty()),
                    Err(message) => assert!(message.contains('“'), "{message}"),
                }
            }
        }
    }

    #[test]
    fn rows_that_say_nothing_are_counted() {
        let text = r#"[{"conversations":[]}, {"prompt":"x"}, {"prompt":" "}]"#;
        let dataset = read_as("a.json", text.as_bytes()).unwrap();
        assert_eq!((dataset.rows.len(), dataset.n_empty), (1, 2));
    }

    #[test]
    fn a_file_object_is_found_beside_its_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.prompts.json");
        std::fs::write(&path, r#"[{"path":"cat.png"},{"path":"https://x/y.png"}]"#).unwrap();
        let rows = read(&path).unwrap().rows;
        assert_eq!(rows[0].file, Some(folder.path().join("cat.png")));
        assert_eq!(rows[1].file.as_deref(), Some(Path::new("https://x/y.png")));
    }
}
