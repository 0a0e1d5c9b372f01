//! One call and its answer, for the wires that need no more: status and content type decide how the body is read, a
//! [`Wire`] says what each event or line means, and the end decides the outcome.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{HeaderMap, Method};
use secrecy::SecretString;
use serde::de::IgnoredAny;

use super::marks::Marks;
use super::ndjson::LineSplitter;
use super::sse::SseParser;
use super::{Exchange, HttpCall, Reply, Stamp, headers, mask, said};
use crate::domain::{Ended, Failure, FailureKind, Framing};

/// A one-shot answer that is longer than this is broken or hostile.
const MAX_BODY_BYTES: usize = 16 << 20;
/// Of an error's body.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// What one wire makes of an answer.
pub(super) trait Wire: fmt::Debug + Send + 'static {
    /// The head of an answer that is no refusal.
    fn head(&mut self, _headers: &HeaderMap, _marks: &mut Marks) {}

    /// Data that is nothing but the mark of a stream's end, as `[DONE]`.
    fn is_done_marker(&self, _data: &str) -> bool {
        false
    }

    /// One event's name (`message` where it has none) and data, or one line.
    fn event(&mut self, name: &str, data: &str, marks: &mut Marks, stamp: Stamp);

    /// A whole answer in one piece; `text` is not empty.
    ///
    /// # Errors
    /// When it is no answer.
    fn whole(&mut self, text: &str, marks: &mut Marks, stamp: Stamp) -> Result<Ended, Failure>;

    /// A refusal's message as it will be told; the wire may learn from it and add to it.
    fn refused(&mut self, _status: u16, _message: &mut String) {}

    /// Whether a clean end of the body is all that ends a stream.
    fn ends_with_body(&self) -> bool {
        false
    }
}

/// What all calls of a run have in common.
#[derive(Debug)]
pub(super) struct Endpoint {
    method: Method,
    path_and_query: String,
    headers: HeaderMap,
    framing: Framing,
    /// An answer of another content type than was asked is read as what it says it is.
    follows_type: bool,
    /// Taken out of what a server says in a failure.
    secrets: Vec<SecretString>,
}

impl Endpoint {
    /// A POST of JSON; `Accept` and `Content-Type` are set where the person's headers do not.
    pub(super) fn new(path_and_query: String, mut headers: HeaderMap, framing: Framing) -> Self {
        let accept = match framing {
            Framing::Sse => "text/event-stream",
            Framing::Ndjson => "application/x-ndjson",
            Framing::OneShot => "application/json",
        };
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static(accept));
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
        Self {
            method: Method::POST,
            path_and_query,
            secrets: mask::secrets_in(&headers),
            headers,
            framing,
            follows_type: true,
        }
    }

    /// Any method, with exactly these headers, its answer read as `framing` whatever its type says.
    pub(super) fn fixed(method: Method, headers: HeaderMap, framing: Framing) -> Self {
        Self {
            method,
            path_and_query: String::new(),
            secrets: mask::secrets_in(&headers),
            headers,
            framing,
            follows_type: false,
        }
    }

    pub(super) fn call(&self, body: Bytes) -> HttpCall {
        self.call_at(self.path_and_query.clone(), body)
    }

    pub(super) fn call_at(&self, path_and_query: String, body: Bytes) -> HttpCall {
        HttpCall {
            method: self.method.clone(),
            path_and_query,
            headers: self.headers.clone(),
            body,
        }
    }
}

/// One call under way.
#[derive(Debug)]
pub(super) struct OneCall<W> {
    endpoint: Arc<Endpoint>,
    wire: W,
    call: Option<HttpCall>,
    status: Option<u16>,
    reading: Reading,
    /// The answer's content type is something else than what was asked.
    is_other_type: bool,
    /// The redirect's target, where there is one.
    location: Option<String>,
    sse: SseParser,
    lines: LineSplitter,
    last_read: Stamp,
    marks: Marks,
    /// The body as far as no event was in it: a one-shot answer or an error.
    body: Vec<u8>,
    body_is_cut: bool,
    result: Option<Result<Ended, Failure>>,
    retry_after_secs: Option<f64>,
    content_encoding: Option<String>,
}

/// How the body is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reading {
    As(Framing),
    /// The status is not 2xx.
    Error,
}

impl<W: Wire> OneCall<W> {
    pub(super) fn new(endpoint: Arc<Endpoint>, call: HttpCall, wire: W) -> Self {
        Self {
            reading: Reading::As(endpoint.framing),
            endpoint,
            wire,
            call: Some(call),
            status: None,
            is_other_type: false,
            location: None,
            sse: SseParser::new(),
            lines: LineSplitter::new(),
            last_read: Stamp::default(),
            marks: Marks::default(),
            body: Vec::new(),
            body_is_cut: false,
            result: None,
            retry_after_secs: None,
            content_encoding: None,
        }
    }

    fn follow_type(&mut self, content_type: &str) {
        let said = framing_of(content_type);
        self.is_other_type = said != Some(self.endpoint.framing);
        let asked = self.endpoint.framing;
        match said {
            // An event stream that turns out to be JSON is met at its end, as servers mislabel both.
            Some(Framing::OneShot) if asked == Framing::Sse => {}
            Some(said) => self.reading = Reading::As(said),
            None => {}
        }
    }

    fn keep_body(&mut self, bytes: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.body.len());
        match bytes.get(..room) {
            Some(head) => {
                self.body.extend_from_slice(head);
                self.body_is_cut |= bytes.len() > room;
            }
            None => self.body.extend_from_slice(bytes),
        }
    }

    fn read_pieces(&mut self, framing: Framing, bytes: &[u8], stamp: Stamp) {
        if self.marks.n_events == 0 {
            self.keep_body(bytes, MAX_BODY_BYTES);
        }
        let (marks, wire) = (&mut self.marks, &mut self.wire);
        let error = match framing {
            Framing::Ndjson => {
                let mut take = |line: std::borrow::Cow<'_, str>| {
                    take_piece(wire, marks, "message", &line, stamp);
                };
                self.lines
                    .feed(bytes, &mut take)
                    .err()
                    .map(|e| e.to_string())
            }
            Framing::Sse | Framing::OneShot => {
                let result = self.sse.feed(bytes, &mut |event| {
                    take_piece(wire, marks, event.event, &event.data, stamp);
                });
                result.err().map(|e| e.to_string())
            }
        };
        if let Some(message) = error {
            self.marks.fail(FailureKind::Protocol, message);
        }
        if self.marks.n_events > 0 && !self.body.is_empty() {
            self.body = Vec::new();
        }
    }

    fn outcome(&mut self, ended: Result<(), Failure>, stamp: Stamp) -> Result<Ended, Failure> {
        match self.reading {
            Reading::Error => Err(self.status_failure()),
            Reading::As(Framing::OneShot) => {
                ended?;
                self.one_shot(stamp)
            }
            Reading::As(framing) => {
                if framing == Framing::Ndjson && ended.is_ok() {
                    // The last line needs no line end; its bytes came with the last read.
                    let (marks, wire, at) = (&mut self.marks, &mut self.wire, self.last_read);
                    self.lines.finish(&mut |line| {
                        if !is_cut_json(&line) {
                            take_piece(wire, marks, "message", &line, at);
                        }
                    });
                }
                if let Some(failure) = self.marks.failure.take() {
                    return Err(failure);
                }
                match (self.marks.is_done, self.marks.n_events) {
                    (true, 0) => Err(empty_stream()),
                    (true, _) => Ok(Ended::OkDone),
                    (false, _) => {
                        ended?;
                        self.stream_without_done(stamp)
                    }
                }
            }
        }
    }

    /// The body ended cleanly, and no done marker was in it.
    fn stream_without_done(&mut self, stamp: Stamp) -> Result<Ended, Failure> {
        if self.marks.is_finished {
            return Ok(Ended::OkNoDone);
        }
        if self.marks.n_events == 0 {
            // Not one event: perhaps an answer in one piece, or an error, though a stream was asked.
            let start = self.body.trim_ascii_start().first();
            if matches!(start, Some(b'{' | b'[' | b'<')) || self.is_other_type {
                return self.one_shot(stamp);
            }
            if !self.sse.finish() {
                return Err(empty_stream());
            }
        }
        if self.wire.ends_with_body() && self.marks.n_tokens > 0 {
            return Ok(Ended::OkNoDone);
        }
        Err(Failure::new(
            FailureKind::ErrorTruncated,
            format!(
                "The stream ended after {} content events without a finish reason or done marker",
                self.marks.n_tokens
            ),
        ))
    }

    fn one_shot(&mut self, stamp: Stamp) -> Result<Ended, Failure> {
        if self.body_is_cut {
            return Err(Failure::new(
                FailureKind::Protocol,
                format!("The answer is longer than {MAX_BODY_BYTES} bytes"),
            ));
        }
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim_start_matches('\u{FEFF}').trim();
        if text.is_empty() {
            return Err(Failure::new(FailureKind::ErrorEmpty, "The answer is empty"));
        }
        let ended = self.wire.whole(text, &mut self.marks, stamp)?;
        self.marks.finish_ns = Some(stamp.at_ns);
        Ok(ended)
    }

    /// The server's own message.
    fn status_failure(&mut self) -> Failure {
        let mut message = said::message_in_body(&self.body);
        if let Some(location) = &self.location {
            message = format!("The server redirects to “{location}”; measure that address");
        }
        if let Some(status) = self.status {
            self.wire.refused(status, &mut message);
        }
        if message.is_empty() {
            let status = self.status.and_then(|s| http::StatusCode::from_u16(s).ok());
            let reason = status.and_then(|s| s.canonical_reason());
            message.push_str(reason.unwrap_or("The server gave no reason"));
        }
        Failure::new(FailureKind::HttpStatus, message)
    }
}

fn take_piece(wire: &mut impl Wire, marks: &mut Marks, name: &str, data: &str, stamp: Stamp) {
    if marks.is_done || marks.failure.is_some() {
        return;
    }
    if wire.is_done_marker(data.trim_ascii()) {
        return marks.done(stamp);
    }
    marks.n_events += 1;
    wire.event(name, data, marks, stamp);
}

impl<W: Wire> Exchange for OneCall<W> {
    fn next_call(&mut self, _now_ns: u64) -> Option<HttpCall> {
        self.call.take()
    }

    fn head(&mut self, status: u16, headers: &HeaderMap, _stamp: Stamp) {
        let text = |name| headers.get(name)?.to_str().ok().map(str::to_owned);
        self.status = Some(status);
        self.retry_after_secs = headers::retry_after_secs(headers);
        self.content_encoding =
            text(CONTENT_ENCODING).filter(|coding| !coding.eq_ignore_ascii_case("identity"));
        if !(200..300).contains(&status) {
            self.reading = Reading::Error;
            self.location = text(LOCATION).filter(|_| (300..400).contains(&status));
            return;
        }
        if let Some(kind) = text(CONTENT_TYPE).filter(|_| self.endpoint.follows_type) {
            self.follow_type(&kind);
        }
        self.wire.head(headers, &mut self.marks);
    }

    fn data(&mut self, bytes: &[u8], stamp: Stamp) {
        self.last_read = stamp;
        match self.reading {
            Reading::As(Framing::OneShot) => self.keep_body(bytes, MAX_BODY_BYTES),
            Reading::As(framing) => self.read_pieces(framing, bytes, stamp),
            Reading::Error => self.keep_body(bytes, MAX_ERROR_BYTES),
        }
    }

    fn end(&mut self, result: Result<(), Failure>, stamp: Stamp) {
        let outcome = self.outcome(result, stamp).map_err(|failure| Failure {
            status: failure.status.or(self.status),
            message: mask::mask_all(&failure.message, &self.endpoint.secrets),
            ..failure
        });
        if outcome.is_ok() {
            self.marks.finish_ns.get_or_insert(stamp.at_ns);
        }
        self.result = Some(outcome);
    }

    fn n_tokens_seen(&self) -> u64 {
        self.marks.n_tokens
    }

    /// After the done marker or an error nothing can follow that counts: a server that keeps the body open holds no user.
    fn is_done(&self) -> bool {
        let is_stream = matches!(self.reading, Reading::As(Framing::Sse | Framing::Ndjson));
        is_stream && (self.marks.is_done || self.marks.failure.is_some())
    }

    /// Closing the connection is what stops these servers.
    fn cancel_call(&self) -> Option<HttpCall> {
        None
    }

    fn reply(self: Box<Self>) -> Reply {
        Reply {
            result: self.result,
            http_status: self.status,
            retry_after_secs: self.retry_after_secs,
            content_encoding: self.content_encoding,
            ..self.marks.into_reply()
        }
    }
}

/// What a content type says that the body is cut into.
fn framing_of(content_type: &str) -> Option<Framing> {
    let kind = content_type.split(';').next().unwrap_or_default();
    match kind.trim().to_ascii_lowercase().as_str() {
        "text/event-stream" => Some(Framing::Sse),
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines"
        | "application/json-lines" => Some(Framing::Ndjson),
        "application/json" => Some(Framing::OneShot),
        _ => None,
    }
}

/// The beginning of a JSON value: a line that was cut is no line, as an event that was cut is no event.
fn is_cut_json(line: &str) -> bool {
    line.starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(line).is_err()
}

fn empty_stream() -> Failure {
    Failure::new(
        FailureKind::ErrorEmpty,
        "The server answered with an empty stream",
    )
}

/// What stands where JSON should.
pub(super) fn not_json(what: &str, text: &str) -> Failure {
    let message = if said::is_html(text) {
        format!(
            "{what} is {}; is this the API's address?",
            said::message_in_body(text.as_bytes())
        )
    } else {
        format!("{what} is not JSON: “{}”", said::excerpt(text))
    };
    Failure::new(FailureKind::ErrorBadJson, message)
}
