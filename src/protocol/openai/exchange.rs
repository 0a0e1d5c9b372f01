//! One measured request: bytes in, marks and an outcome out.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};

use super::Shared;
use super::chunk::{Chunk, Text, Timings, Usage};
use super::learned::Learned;
use super::responses::{self, Meaning};
use crate::domain::{Ended, Failure, FailureKind, TokenSource};
use crate::protocol::sse::{SseEvent, SseParser};
use crate::protocol::{Exchange, HttpCall, Reply, Stamp, headers, said};

/// Answer text that is kept for its hash and, when asked, its text.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// A one-shot answer that is longer than this is broken or hostile.
const MAX_BODY_BYTES: usize = 16 << 20;
/// Of an error's body.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// A chat or completions request.
#[derive(Debug)]
pub(super) struct OpenAiExchange {
    shared: Arc<Shared>,
    call: Option<HttpCall>,
    asks_for_usage: bool,
    status: Option<u16>,
    reading: Reading,
    /// The answer's content type is something else than an event stream.
    says_no_events: bool,
    /// The redirect's target, where there is one.
    location: Option<String>,
    parser: SseParser,
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
    Events,
    OneShot,
    /// The status is not 2xx.
    Error,
}

/// What a stream's events have shown so far.
#[derive(Debug, Default)]
struct Marks {
    n_events: u64,
    /// Events with output, and the stamp of the last of them.
    n_tokens: u64,
    first_token_ns: Option<u64>,
    first_answer_ns: Option<u64>,
    last_token: Stamp,
    gaps_ns: Vec<u64>,
    /// Tokens of each content event by continuous usage; `None` once an event came without.
    tokens_by_event: Option<Vec<u32>>,
    /// Their sum.
    n_tokens_by_event: u64,
    shared: Vec<u32>,
    is_finished: bool,
    is_done: bool,
    finish_ns: Option<u64>,
    usage: Option<Usage>,
    timings: Option<Timings>,
    answer: String,
    answer_is_cut: bool,
    failure: Option<Failure>,
    learned: Learned,
}

impl OpenAiExchange {
    pub(super) fn new(shared: Arc<Shared>, call: HttpCall, asks_for_usage: bool) -> Self {
        let reading = if shared.stream {
            Reading::Events
        } else {
            Reading::OneShot
        };
        Self {
            shared,
            call: Some(call),
            asks_for_usage,
            status: None,
            reading,
            says_no_events: false,
            location: None,
            parser: SseParser::new(),
            marks: Marks::default(),
            body: Vec::new(),
            body_is_cut: false,
            result: None,
            retry_after_secs: None,
            content_encoding: None,
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

    fn read_events(&mut self, bytes: &[u8], stamp: Stamp) {
        if self.marks.n_events == 0 {
            self.keep_body(bytes, MAX_BODY_BYTES);
        }
        let marks = &mut self.marks;
        let result = self
            .parser
            .feed(bytes, &mut |event| marks.take_event(&event, stamp));
        if let Err(error) = result {
            self.marks.fail(FailureKind::Protocol, error.to_string());
        }
        if self.marks.n_events > 0 && !self.body.is_empty() {
            self.body = Vec::new();
        }
    }

    fn outcome(&mut self, ended: Result<(), Failure>, stamp: Stamp) -> Result<Ended, Failure> {
        match self.reading {
            Reading::Error => Err(self.status_failure()),
            Reading::OneShot => {
                ended?;
                self.one_shot(stamp)
            }
            Reading::Events => {
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
            if matches!(start, Some(b'{' | b'[' | b'<')) || self.says_no_events {
                return self.one_shot(stamp);
            }
            if !self.parser.finish() {
                return Err(empty_stream());
            }
        }
        Err(Failure::new(
            FailureKind::ErrorTruncated,
            format!(
                "The stream ended after {} content events without a finish reason or [DONE]",
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
        let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(text) else {
            return Err(not_json("The answer", text));
        };
        if chunk.is_error() {
            let message = said::message_in_body(text.as_bytes());
            return Err(Failure::new(FailureKind::ErrorBody, message));
        }
        self.marks.take_counts(&chunk);
        match chunk.choices {
            Some(choices) if choices.n_choices > 0 => {
                self.marks.push_answer(choices.text.as_str());
                self.marks.finish_ns = Some(stamp.at_ns);
                Ok(Ended::OkDone)
            }
            _ => Err(Failure::new(
                FailureKind::ErrorEmpty,
                format!("The answer has no choices: “{}”", said::excerpt(text)),
            )),
        }
    }

    /// The server's own message; learns whether it refuses `stream_options`.
    fn status_failure(&self) -> Failure {
        let mut message = said::message_in_body(&self.body);
        if let Some(location) = &self.location {
            message = format!("The server redirects to “{location}”; measure that address");
        }
        let can_be_refusal = matches!(self.status, Some(400 | 422)) && self.asks_for_usage;
        if can_be_refusal && self.shared.is_refusal_of_usage(&message) {
            self.shared.usage_refused.store(true, Ordering::Relaxed);
            message.push_str(" (the next requests leave stream_options out)");
        }
        if message.is_empty() {
            let status = self.status.and_then(|s| http::StatusCode::from_u16(s).ok());
            let reason = status.and_then(|s| s.canonical_reason());
            message.push_str(reason.unwrap_or("The server gave no reason"));
        }
        Failure::new(FailureKind::HttpStatus, message)
    }
}

impl Exchange for OpenAiExchange {
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
        } else if let Some(kind) = text(CONTENT_TYPE) {
            self.says_no_events = !is_event_stream(&kind);
            if !self.says_no_events {
                self.reading = Reading::Events;
            }
        }
    }

    fn data(&mut self, bytes: &[u8], stamp: Stamp) {
        match self.reading {
            Reading::Events => self.read_events(bytes, stamp),
            Reading::OneShot => self.keep_body(bytes, MAX_BODY_BYTES),
            Reading::Error => self.keep_body(bytes, MAX_ERROR_BYTES),
        }
    }

    fn end(&mut self, result: Result<(), Failure>, stamp: Stamp) {
        let outcome = self.outcome(result, stamp).map_err(|failure| Failure {
            status: failure.status.or(self.status),
            message: self.shared.masked(&failure.message),
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

    /// After `[DONE]` or an error event nothing can follow that counts: a server that keeps the body open holds no user.
    fn is_done(&self) -> bool {
        self.reading == Reading::Events && (self.marks.is_done || self.marks.failure.is_some())
    }

    /// Closing the connection is what stops these servers.
    fn cancel_call(&self) -> Option<HttpCall> {
        None
    }

    fn reply(self: Box<Self>) -> Reply {
        let marks = self.marks;
        let (tokens_out, token_source) = marks.tokens_out();
        let has_tokens = marks.n_tokens > 0;
        Reply {
            first_token_ns: marks.first_token_ns,
            first_answer_ns: marks.first_answer_ns,
            last_token_ns: has_tokens.then_some(marks.last_token.at_ns),
            finish_ns: marks.finish_ns,
            tokens_in: marks.tokens_in(),
            cached_tokens: marks.cached_tokens(),
            tokens_out,
            token_source,
            chunk_ns: marks.gaps_ns,
            chunk_tokens: marks.tokens_by_event.filter(|_| has_tokens),
            chunk_shared: has_tokens.then_some(marks.shared),
            result: self.result,
            http_status: self.status,
            retry_after_secs: self.retry_after_secs,
            content_encoding: self.content_encoding,
            gradio: None,
            answer: marks.answer,
        }
    }
}

impl Marks {
    fn take_event(&mut self, event: &SseEvent<'_>, stamp: Stamp) {
        if self.is_done || self.failure.is_some() {
            return;
        }
        let data = event.data.trim_ascii();
        if data == "[DONE]" {
            self.is_done = true;
            self.finish_ns.get_or_insert(stamp.at_ns);
            return;
        }
        self.n_events += 1;
        if event.event == "error" {
            let message = said::message_in_body(data.as_bytes());
            return self.fail(FailureKind::ErrorInStream, message);
        }
        if let Some(text) = self.learned.text_of(data) {
            self.count_event_tokens(false);
            return self.take_token(text, true, stamp);
        }
        match serde_json::from_str::<Chunk<'_>>(data) {
            Ok(chunk) => {
                self.learned.learn(data, &chunk);
                self.take_chunk(&chunk, data, stamp);
            }
            // A keep-alive of some kind: no data, or an event of another name.
            Err(_) if data.is_empty() || data == "null" || event.event != "message" => {}
            Err(_) => {
                let failure = not_json("An event", data);
                self.fail(failure.kind, failure.message);
            }
        }
    }

    fn take_chunk(&mut self, chunk: &Chunk<'_>, data: &str, stamp: Stamp) {
        if chunk.is_error() {
            let message = said::message_in_body(data.as_bytes());
            return self.fail(FailureKind::ErrorInStream, message);
        }
        self.take_counts(chunk);
        match (&chunk.choices, responses::meaning(chunk)) {
            (Some(choices), _) => {
                if choices.has_token {
                    self.count_event_tokens(chunk.usage.is_some());
                    self.take_token(choices.text.as_str(), choices.has_answer, stamp);
                }
                if choices.is_finished {
                    self.is_finished = true;
                    self.finish_ns = Some(stamp.at_ns);
                }
            }
            (None, Some(Meaning::Token { text, is_answer })) => {
                let text = if is_answer { text } else { Text::Empty };
                self.count_event_tokens(false);
                self.take_token(text.as_str(), is_answer, stamp);
            }
            (None, Some(Meaning::Finished(usage))) => {
                self.usage = usage.or(self.usage);
                self.is_finished = true;
                self.finish_ns = Some(stamp.at_ns);
            }
            (None, Some(Meaning::Failed(message))) => {
                self.fail(FailureKind::ErrorInStream, message);
            }
            (None, Some(Meaning::Nothing) | None) => {}
        }
    }

    fn take_counts(&mut self, chunk: &Chunk<'_>) {
        self.usage = chunk.usage().or(self.usage);
        self.timings = chunk.timings().or(self.timings);
    }

    fn take_token(&mut self, text: &str, is_answer: bool, stamp: Stamp) {
        if self.n_tokens == 0 {
            self.first_token_ns = Some(stamp.at_ns);
        } else {
            self.gaps_ns
                .push(stamp.at_ns.saturating_sub(self.last_token.at_ns));
            if self.last_token.read_no == stamp.read_no {
                self.shared
                    .push(u32::try_from(self.n_tokens).unwrap_or(u32::MAX));
            }
        }
        if is_answer {
            self.first_answer_ns.get_or_insert(stamp.at_ns);
        }
        self.n_tokens += 1;
        self.last_token = stamp;
        self.push_answer(text);
    }

    /// Continuous usage: this event's tokens are what the total grew by.
    fn count_event_tokens(&mut self, has_usage: bool) {
        let total = self.usage.and_then(|usage| usage.completion_tokens.0);
        let by_event = match self.n_tokens {
            0 => Some(Vec::new()),
            _ => self.tokens_by_event.take(),
        };
        let (Some(mut by_event), Some(total), true) = (by_event, total, has_usage) else {
            return;
        };
        let grown = total.checked_sub(self.n_tokens_by_event);
        if let Some(Ok(n)) = grown.map(u32::try_from) {
            by_event.push(n);
            self.tokens_by_event = Some(by_event);
            self.n_tokens_by_event = total;
        }
    }

    fn push_answer(&mut self, text: &str) {
        if self.answer_is_cut {
            return;
        }
        if self.answer.len() + text.len() > MAX_ANSWER_BYTES {
            self.answer_is_cut = true;
            return;
        }
        self.answer.push_str(text);
    }

    fn fail(&mut self, kind: FailureKind, message: String) {
        self.failure
            .get_or_insert_with(|| Failure::new(kind, message));
    }

    /// Usage, else llama.cpp's own count, else content events, else (one-shot) a guess.
    fn tokens_out(&self) -> (Option<u64>, Option<TokenSource>) {
        let by_server = self
            .usage
            .and_then(|usage| usage.completion_tokens.0)
            .or_else(|| self.timings?.predicted_n.0);
        let chars = self.answer.chars().count() as u64;
        match (by_server, self.n_tokens, chars) {
            (Some(n), _, _) => (Some(n), Some(TokenSource::Usage)),
            (None, 0, 0) => (None, None),
            (None, 0, chars) => (Some(chars.div_ceil(4)), Some(TokenSource::Estimate)),
            (None, n, _) => (Some(n), Some(TokenSource::Chunks)),
        }
    }

    fn tokens_in(&self) -> Option<u64> {
        let by_timings = || {
            let timings = self.timings?;
            Some(timings.prompt_n.0? + timings.cache_n.0.unwrap_or(0))
        };
        self.usage
            .and_then(|usage| usage.prompt_tokens.0)
            .or_else(by_timings)
    }

    fn cached_tokens(&self) -> Option<u64> {
        let by_usage = self.usage.and_then(|usage| usage.prompt_tokens_details);
        by_usage
            .and_then(|details| details.cached_tokens.0)
            .or_else(|| self.timings?.cache_n.0)
    }
}

fn empty_stream() -> Failure {
    Failure::new(
        FailureKind::ErrorEmpty,
        "The server answered with an empty stream",
    )
}

fn is_event_stream(content_type: &str) -> bool {
    content_type
        .trim_start()
        .get(.."text/event-stream".len())
        .is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
}

fn not_json(what: &str, text: &str) -> Failure {
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
