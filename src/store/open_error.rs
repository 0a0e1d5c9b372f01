//! Why a file does not open as a run, and what it looks like instead.

use std::path::PathBuf;

/// Why a file does not open as a run. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the file cannot be read ({source}): “{}”", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the file is empty, its run never began: “{}”", path.display())]
    Empty { path: PathBuf },
    #[error("{looks_like}, not a run file of Inferometer (line {line}): “{}”", path.display())]
    Foreign {
        path: PathBuf,
        line: u64,
        looks_like: String,
    },
    #[error(
        "the file has schema {found}, this program reads up to {}; open it with a newer Inferometer: “{}”",
        crate::domain::SCHEMA, path.display()
    )]
    Newer { path: PathBuf, found: u64 },
    #[error("the first line is no head of a run ({message}), so nothing can be said of the rest: “{}”", path.display())]
    Head { path: PathBuf, message: String },
    #[error("line {line} cannot be used: {message}: “{}”", path.display())]
    Line {
        path: PathBuf,
        line: u64,
        message: String,
    },
    #[error("line {line} is longer than {} bytes: “{}”", super::run_lines::MAX_LINE_BYTES, path.display())]
    LineTooLong { path: PathBuf, line: u64 },
    #[error("gzip is not read, unpack it first (gunzip): “{}”", path.display())]
    Gzip { path: PathBuf },
    #[error("the file unpacks to far more than a run can be, so it was not read on (line {line}): “{}”", path.display())]
    TooDense { path: PathBuf, line: u64 },
    #[error("the file is damaged, zstd cannot unpack it ({message}, line {line}): “{}”", path.display())]
    Damaged {
        path: PathBuf,
        line: u64,
        message: String,
    },
}

impl OpenError {
    /// The line that it speaks of.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Foreign { line, .. }
            | Self::Line { line, .. }
            | Self::LineTooLong { line, .. }
            | Self::TooDense { line, .. }
            | Self::Damaged { line, .. } => Some(*line),
            Self::Head { .. } => Some(1),
            Self::Read { .. } | Self::Empty { .. } | Self::Newer { .. } | Self::Gzip { .. } => None,
        }
    }
}

/// Words that only one tool's results have in their first kilobytes.
const TOOLS: [(&str, &str); 12] = [
    ("guidellm_version", "This looks like a GuideLLM result"),
    ("aiperf_version", "This looks like an AIPerf result"),
    ("credit_issued_ns", "This looks like an AIPerf record file"),
    (
        "benchmark_kind",
        "This looks like an inference-benchmarker result",
    ),
    ("load_summary", "This looks like an inference-perf result"),
    ("llmeter", "This looks like an LLMeter result"),
    ("response_text", "This looks like an LLMeter response file"),
    ("successRate", "This looks like an oha result"),
    ("num_none_requests", "This looks like a Locust result"),
    ("inter_token_latency_s", "This looks like an LLMPerf result"),
    (
        "median_ttft_ms",
        "This looks like a vLLM or SGLang benchmark result",
    ),
    (
        "request_throughput",
        "This looks like a vLLM or SGLang benchmark result",
    ),
];

/// Beginnings of files that are no text.
const MAGICS: [(&[u8], &str); 9] = [
    (b"PAR1", "This is a Parquet file"),
    (b"SQLite format 3", "This is a SQLite database"),
    (b"PK\x03\x04", "This is a zip archive"),
    (b"%PDF", "This is a PDF"),
    (b"\x89PNG", "This is a picture"),
    (b"\xff\xd8\xff", "This is a picture"),
    (b"\x7fELF", "This is a program"),
    (b"\xff\xfe", "This is UTF-16 text"),
    (b"\xfe\xff", "This is UTF-16 text"),
];

/// What a file that is no run looks like, from its first kilobytes.
pub(super) fn looks_like(prefix: &[u8]) -> String {
    if let Some((_, what)) = MAGICS.iter().find(|(magic, _)| prefix.starts_with(magic)) {
        return (*what).to_owned();
    }
    if prefix.contains(&0) {
        return "This holds zero bytes, as after a power loss or of a binary file".to_owned();
    }
    // The prefix may end within a character.
    let text = match std::str::from_utf8(prefix) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(prefix.get(..e.valid_up_to()).unwrap_or_default())
                .unwrap_or_default()
        }
        Err(_) => return "This is not UTF-8 text".to_owned(),
    };
    text_looks_like(text.trim_start())
}

fn text_looks_like(text: &str) -> String {
    let what = match text.chars().next() {
        None => "This is blank",
        Some('<') => "This looks like HTML or XML",
        Some('{') if text.contains("\"verdict\"") && text.contains("\"stages\"") => {
            "This looks like the summary that `run --json` prints"
        }
        Some('{')
            if ["request", "stage", "sample", "end"]
                .iter()
                .any(|t| begins_with_type(text, t)) =>
        {
            "This looks like a run file that lost its first line"
        }
        Some('{' | '[') if !text.starts_with("[target") && !text.starts_with("[[") => {
            return json_looks_like(text).to_owned();
        }
        _ if text.contains("[target]") || text.contains("[[stages]]") => {
            "This looks like a plan; open it as a plan"
        }
        _ if text
            .lines()
            .next()
            .is_some_and(|l| l.matches(',').count() >= 2) =>
        {
            "This looks like a CSV table"
        }
        _ => "This is some other text",
    };
    what.to_owned()
}

fn begins_with_type(text: &str, kind: &str) -> bool {
    let start: String = text
        .chars()
        .take(40)
        .filter(|c| !c.is_whitespace())
        .collect();
    start.starts_with(&format!("{{\"type\":\"{kind}\""))
}

fn json_looks_like(text: &str) -> &'static str {
    let tool = TOOLS.iter().find(|(word, _)| text.contains(word));
    tool.map_or("This is some other JSON", |(_, what)| what)
}
