//! Captures of live servers (`tests/data/transcripts/`) as responses that an exchange can be fed with.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use inferometer::domain::{Failure, FailureKind};
use inferometer::protocol::{Exchange, Stamp};

/// One HTTP answer as it came.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The body without its chunking, by socket read.
    pub(crate) reads: Vec<(Vec<u8>, Stamp)>,
    /// The body ended as HTTP asks.
    pub(crate) whole: bool,
}

impl Response {
    pub(crate) fn body(&self) -> Vec<u8> {
        self.reads.iter().flat_map(|(b, _)| b.clone()).collect()
    }

    /// The same answer with its body in one-byte pieces, or cut elsewhere.
    pub(crate) fn with_reads(&self, reads: Vec<(Vec<u8>, Stamp)>) -> Self {
        Self {
            reads,
            ..self.clone()
        }
    }

    /// The same answer, read in one piece `at_ns`.
    pub(crate) fn at(&self, at_ns: u64) -> Self {
        self.with_reads(vec![(self.body(), Stamp { at_ns, read_no: 1 })])
    }
}

/// The responses of a capture, in order.
pub(crate) fn load(server: &str, name: &str) -> Vec<Response> {
    let path = format!(
        "{}/tests/data/transcripts/{server}/{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut responses = Vec::new();
    for part in text.split("<<<").skip(1) {
        let part = part.split_once('\n').map_or("", |(_, rest)| rest);
        let part = part.split("\n>>>").next().unwrap();
        responses.push(response(part));
    }
    responses
}

pub(crate) fn one(server: &str, name: &str) -> Response {
    load(server, name).into_iter().next().unwrap()
}

/// `[+0.0402 recv 172]`: microseconds and bytes.
fn mark(line: &str) -> Option<(u64, usize)> {
    let (at, n) = line
        .strip_prefix("[+")?
        .strip_suffix(']')?
        .split_once(" recv ")?;
    let (secs, fraction) = at.split_once('.')?;
    let micros = format!("{secs}{fraction:0<6}");
    Some((micros.parse().ok()?, n.parse().ok()?))
}

fn response(text: &str) -> Response {
    let mut bytes: Vec<(u8, Stamp)> = Vec::new();
    let mut rest = text;
    let mut read_no = 0;
    while let Some((line, after)) = rest.split_once('\n') {
        rest = after;
        let Some((micros, n)) = mark(line) else {
            continue;
        };
        read_no += 1;
        let at_ns = Duration::from_micros(micros).as_nanos();
        let at_ns = u64::try_from(at_ns).unwrap();
        // Paths in one traceback were shortened, so that the count alone would run into the next mark.
        let content = rest.split("\n[+").next().unwrap_or_default();
        let content = format!("{}\n", content.replace('␍', "\r"));
        let stamp = Stamp { at_ns, read_no };
        bytes.extend(content.bytes().take(n).map(|b| (b, stamp)));
    }
    let raw: Vec<u8> = bytes.iter().map(|(b, _)| *b).collect();
    let head_end = raw.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8(raw[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut headers = HeaderMap::new();
    for line in lines.filter(|l| !l.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        headers.insert(
            HeaderName::try_from(name).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    let body = &bytes[head_end..];
    let (body, whole) = if headers.contains_key("transfer-encoding") {
        unchunked(body)
    } else {
        (body.to_vec(), true)
    };
    let mut reads: Vec<(Vec<u8>, Stamp)> = Vec::new();
    for (byte, stamp) in body {
        match reads.last_mut() {
            Some((bytes, last)) if *last == stamp => bytes.push(byte),
            _ => reads.push((vec![byte], stamp)),
        }
    }
    Response {
        status: status.parse().unwrap(),
        headers,
        reads,
        whole,
    }
}

fn unchunked(mut raw: &[(u8, Stamp)]) -> (Vec<(u8, Stamp)>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = raw.iter().position(|(b, _)| *b == b'\n') else {
            return (body, false);
        };
        let size: Vec<u8> = raw[..end].iter().map(|(b, _)| *b).collect();
        let size = String::from_utf8(size).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        raw = &raw[end + 1..];
        body.extend_from_slice(&raw[..size]);
        raw = &raw[size + 2..];
    }
}

/// Feeds one answer to an exchange whose call was just made.
pub(crate) fn feed(exchange: &mut dyn Exchange, response: &Response) {
    let first = response.reads.first().map_or_else(Stamp::default, |r| r.1);
    exchange.head(response.status, &response.headers, first);
    let mut last = first;
    for (bytes, stamp) in &response.reads {
        exchange.data(bytes, *stamp);
        last = *stamp;
    }
    let end = if response.whole {
        Ok(())
    } else {
        Err(Failure::new(
            FailureKind::ErrorTruncated,
            "the connection was closed before the answer was whole",
        ))
    };
    exchange.end(end, last);
}
