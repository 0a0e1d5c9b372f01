//! The formats, each told by its first line.

use std::sync::Arc;

use serde::Deserialize;

use super::{MAX_ROWS, TraceRow};
use crate::domain::MAX_TOKENS;

type Timed = Vec<(i128, TraceRow)>;

/// The kind's name, and rows with the times of their trace in ns, in the order of the file.
pub(super) fn parse(text: &str) -> Result<(&'static str, Timed), String> {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("");
    if first.trim_start().starts_with('{') {
        return parse_lines(first, text);
    }
    let names: Vec<String> = first.split(',').map(|n| n.trim().to_lowercase()).collect();
    let at = |name: &str| names.iter().position(|n| n == name);
    let columns = |time: &str, input: &str, output: &str| {
        Some(Columns {
            time: at(time)?,
            input: at(input)?,
            output: at(output)?,
        })
    };
    if let Some(columns) = columns("timestamp", "contexttokens", "generatedtokens") {
        return Ok(("Azure", parse_csv(text, &columns, wall_ns)?));
    }
    if let Some(columns) = columns("timestamp", "request tokens", "response tokens") {
        return Ok(("BurstGPT", parse_csv(text, &columns, |t| of_secs(t, 1e9))?));
    }
    Err(no_trace())
}

fn no_trace() -> String {
    "is no trace that is known: an Azure CSV (TIMESTAMP,ContextTokens,GeneratedTokens), a BurstGPT CSV, a Mooncake JSONL or a run file".to_owned()
}

struct Columns {
    time: usize,
    input: usize,
    output: usize,
}

fn parse_csv(
    text: &str,
    columns: &Columns,
    ns: impl Fn(&str) -> Option<i128>,
) -> Result<Timed, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| {
            let line = e.position().map_or(0, csv::Position::line);
            format!("line {line} is no row of this CSV ({e})")
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let field = |at: usize| record.get(at).unwrap_or_default().trim();
        let time = field(columns.time);
        let at_ns =
            ns(time).ok_or_else(|| format!("line {line} has no time that is known: “{time}”"))?;
        let row = TraceRow {
            tokens_in: Some(length(field(columns.input), line)?),
            tokens_out: Some(length(field(columns.output), line)?.max(1)),
            ..TraceRow::default()
        };
        push(&mut rows, (at_ns, row), line)?;
    }
    Ok(rows)
}

fn push(rows: &mut Timed, row: (i128, TraceRow), line: u64) -> Result<(), String> {
    if rows.len() == MAX_ROWS {
        return Err(format!(
            "line {line} is one request too many; at most {MAX_ROWS} are replayed"
        ));
    }
    rows.push(row);
    Ok(())
}

fn length(text: &str, line: u64) -> Result<u32, String> {
    let length = text.parse().ok().filter(|n: &u32| *n <= MAX_TOKENS);
    length
        .ok_or_else(|| format!("line {line} has no number of tokens up to {MAX_TOKENS}: “{text}”"))
}

/// `2023-11-16 18:15:46.6805900`, with or without an offset from UTC.
fn wall_ns(text: &str) -> Option<i128> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant.as_nanosecond());
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let instant = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(instant.timestamp().as_nanosecond())
}

/// A number of units of that many ns.
fn of_secs(text: &str, unit_ns: f64) -> Option<i128> {
    of_number(text.parse().ok()?, unit_ns)
}

fn of_number(value: f64, unit_ns: f64) -> Option<i128> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a trace's time is below 2^53 of its units, as is checked"
    )]
    let ns = (value * unit_ns).round() as i128;
    (value.is_finite() && value.abs() < 1e12).then_some(ns)
}

/// A line of a Mooncake trace.
#[derive(Deserialize)]
struct Mooncake {
    /// Milliseconds.
    timestamp: f64,
    input_length: u32,
    output_length: u32,
    #[serde(default)]
    hash_ids: Vec<u64>,
}

/// What a replay needs of a line of a run file.
#[derive(Deserialize)]
struct RunLine<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    phase: std::borrow::Cow<'a, str>,
    #[serde(default)]
    due_ns: Option<u64>,
    #[serde(default)]
    dispatched_ns: u64,
    #[serde(default)]
    tokens_in: Option<u32>,
    #[serde(default)]
    tokens_out: Option<u32>,
    #[serde(default)]
    prompt: Option<KeptText>,
}

#[derive(Deserialize)]
struct KeptText {
    #[serde(default)]
    chars: u64,
    #[serde(default)]
    text: Option<Arc<str>>,
}

fn parse_lines(first: &str, text: &str) -> Result<(&'static str, Timed), String> {
    if serde_json::from_str::<RunLine<'_>>(first).is_ok_and(|line| line.kind == "run") {
        return Ok(("Inferometer", each_line(text, of_run)?));
    }
    let field = |name: &str| first.contains(&format!("\"{name}\""));
    if field("timestamp") && field("input_length") {
        return Ok(("Mooncake", each_line(text, of_mooncake)?));
    }
    Err(no_trace())
}

fn each_line(
    text: &str,
    row: impl Fn(&str) -> Result<Option<(i128, TraceRow)>, String>,
) -> Result<Timed, String> {
    let mut rows = Vec::new();
    for (line, number) in text.lines().zip(1_u64..) {
        if line.trim().is_empty() {
            continue;
        }
        match row(line) {
            Ok(Some(row)) => push(&mut rows, row, number)?,
            Ok(None) => {}
            Err(why) => return Err(format!("line {number} {why}")),
        }
    }
    Ok(rows)
}

fn of_mooncake(line: &str) -> Result<Option<(i128, TraceRow)>, String> {
    let read: Mooncake =
        serde_json::from_str(line).map_err(|e| format!("is no request of a trace ({e})"))?;
    let (input, output) = (read.input_length, read.output_length);
    if input > MAX_TOKENS || output > MAX_TOKENS {
        return Err(format!("has more than {MAX_TOKENS} tokens"));
    }
    let at_ns = of_number(read.timestamp, 1e6).ok_or("has no time that is known")?;
    let row = TraceRow {
        tokens_in: Some(input.max(1)),
        tokens_out: Some(output.max(1)),
        blocks: read.hash_ids.into(),
        ..TraceRow::default()
    };
    Ok(Some((at_ns, row)))
}

fn of_run(line: &str) -> Result<Option<(i128, TraceRow)>, String> {
    let read: RunLine<'_> =
        serde_json::from_str(line).map_err(|e| format!("is no line of a run file ({e})"))?;
    if read.kind != "request" || !matches!(&*read.phase, "measure" | "drain") {
        return Ok(None);
    }
    // Where the server counted nothing, a token is about four characters.
    let by_chars = read.prompt.as_ref().map(|p| p.chars.div_ceil(4).max(1));
    let by_chars = by_chars.and_then(|n| u32::try_from(n).ok());
    let row = TraceRow {
        tokens_in: read.tokens_in.or(by_chars).map(|n| n.clamp(1, MAX_TOKENS)),
        tokens_out: read
            .tokens_out
            .filter(|n| *n > 0)
            .map(|n| n.min(MAX_TOKENS)),
        text: read.prompt.and_then(|p| p.text),
        ..TraceRow::default()
    };
    Ok(Some((
        read.due_ns.unwrap_or(read.dispatched_ns).into(),
        row,
    )))
}
