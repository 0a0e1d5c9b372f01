//! What both wires share: a POST that answers with an event id, then a GET that streams what becomes of it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;

use super::info::OutputKind;
use super::outputs::{Change, Outputs};
use super::template::{Template, Uploads};
use crate::domain::{Ended, Failure, FailureKind, GradioFacts, Prompt, ServerTimes, TokenSource};
use crate::protocol::headers::retry_after_secs;
use crate::protocol::mask;
use crate::protocol::sse::{SseEvent, SseParser};
use crate::protocol::{Exchange, HttpCall, Reply, Stamp, said};

/// Bytes of a refusal that are kept for its message.
const MAX_REFUSAL: usize = 64 * 1024;

/// What is the same for all requests of a run.
#[derive(Debug)]
pub(super) struct Job {
    /// Path of the app and Gradio's own prefix, without a slash at the end.
    pub(super) root: String,
    /// Without a leading slash, percent-encoded.
    pub(super) api_name: String,
    pub(super) fn_index: u64,
    pub(super) headers: HeaderMap,
    pub(super) data: Template,
    /// Files that prompts name, once they are uploaded.
    pub(super) uploads: OnceLock<Uploads>,
    pub(super) sends_edits: bool,
    /// From 5 on `/cancel` closes a generator. 4.44's only forgets it, where closing the stream closes it as well.
    pub(super) can_cancel: bool,
    /// Below 6 the `/call` wire loses an error's message.
    pub(super) loses_messages: bool,
    pub(super) outputs: Arc<[OutputKind]>,
}

impl Job {
    /// `data` of one request.
    pub(super) fn data(&self, prompt: &Prompt) -> String {
        static NONE: Uploads = Uploads::new();
        self.data
            .render(prompt, self.uploads.get().unwrap_or(&NONE))
    }

    pub(super) fn post(&self, route: &str, body: String) -> HttpCall {
        let mut headers = self.headers.clone();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        HttpCall {
            method: Method::POST,
            path_and_query: format!("{}{route}", self.root),
            headers,
            body: Bytes::from(body),
        }
    }

    pub(super) fn get(&self, route: &str) -> HttpCall {
        let mut headers = self.headers.clone();
        headers.insert(
            header::ACCEPT,
            HeaderValue::from_static("text/event-stream"),
        );
        HttpCall {
            method: Method::GET,
            path_and_query: format!("{}{route}", self.root),
            headers,
            body: Bytes::new(),
        }
    }

    pub(super) fn cancel(&self, event_id: &str, session: &str) -> Option<HttpCall> {
        let body = serde_json::json!({
            "event_id": event_id, "fn_index": self.fn_index, "session_hash": session,
        });
        self.can_cancel
            .then(|| self.post("/cancel", body.to_string()))
    }
}

/// How one of the two wires differs from the other.
pub(super) trait Wire: Send {
    fn job(&self) -> &Job;
    fn submit_call(&mut self) -> HttpCall;
    fn stream_call(&self, event_id: &str) -> HttpCall;
    fn event(&mut self, event: &SseEvent<'_>, tally: &mut Tally, at: Stamp);
    fn cancel_call(&self, event_id: &str) -> Option<HttpCall>;
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Submit,
    Submitting,
    Subscribe,
    Streaming,
    Over,
}

/// The state machine of one request.
pub(super) struct TwoCalls<W> {
    wire: W,
    step: Step,
    tally: Tally,
    sse: SseParser,
    /// The answer is no event stream: its body is kept instead.
    refusal: Option<Vec<u8>>,
    content_type: String,
    location: Option<String>,
}

impl<W: Wire> TwoCalls<W> {
    pub(super) fn new(wire: W) -> Self {
        let tally = Tally::new(Arc::clone(&wire.job().outputs));
        Self {
            wire,
            step: Step::Submit,
            tally,
            sse: SseParser::new(),
            refusal: None,
            content_type: String::new(),
            location: None,
        }
    }

    fn refused(&self, status: u16, body: &[u8]) -> Failure {
        let message = match &self.location {
            Some(to) => format!("redirected to “{to}”, which is not followed"),
            None => message_in(body),
        };
        if (200..300).contains(&status) {
            let is_json = serde_json::from_slice::<Value>(body).is_ok();
            let kind = if is_json {
                FailureKind::ErrorBody
            } else {
                FailureKind::ErrorBadJson
            };
            let what = &self.content_type;
            return Failure::with_status(kind, status, format!("answered “{what}”: {message}"));
        }
        Failure::with_status(FailureKind::HttpStatus, status, message)
    }

    fn submitted(&mut self, at: Stamp) {
        let body = self.refusal.take().unwrap_or_default();
        let status = self.tally.http_status.unwrap_or(0);
        if let Some(sent) = self.tally.posted_ns {
            self.tally.facts.submit_ns = Some(at.at_ns.saturating_sub(sent));
        }
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        let event_id = answer.as_ref().and_then(|a| a.get("event_id")?.as_str());
        let event_id = event_id.filter(|id| (200..300).contains(&status) && is_plain(id));
        if let Some(id) = event_id {
            self.tally.facts.event_id = Some(id.to_owned());
            self.step = Step::Subscribe;
        } else {
            let failure = self.refused(status, &body);
            self.tally.settle(Err(failure));
            self.step = Step::Over;
        }
    }
}

/// An event id goes into a path: nothing else may ride along.
fn is_plain(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl<W: Wire> Exchange for TwoCalls<W> {
    fn next_call(&mut self, now_ns: u64) -> Option<HttpCall> {
        match self.step {
            Step::Submit => {
                self.step = Step::Submitting;
                self.tally.posted_ns = Some(now_ns);
                Some(self.wire.submit_call())
            }
            Step::Subscribe => {
                self.step = Step::Streaming;
                let event_id = self.tally.facts.event_id.as_deref().unwrap_or_default();
                Some(self.wire.stream_call(event_id))
            }
            Step::Submitting | Step::Streaming | Step::Over => None,
        }
    }

    fn head(&mut self, status: u16, headers: &HeaderMap, _stamp: Stamp) {
        let text = |name| {
            headers
                .get(name)
                .and_then(|v: &HeaderValue| v.to_str().ok())
        };
        self.tally.http_status = Some(status);
        self.tally.retry_after_secs = retry_after_secs(headers);
        if let Some(encoding) = text(header::CONTENT_ENCODING).filter(|e| *e != "identity") {
            self.tally.content_encoding = Some(encoding.to_owned());
        }
        text(header::CONTENT_TYPE)
            .unwrap_or("no content type")
            .clone_into(&mut self.content_type);
        self.location = text(header::LOCATION)
            .filter(|_| (300..400).contains(&status))
            .map(ToOwned::to_owned);
        let streams = self.step == Step::Streaming
            && (200..300).contains(&status)
            && (self.content_type.contains("event-stream")
                || !headers.contains_key(header::CONTENT_TYPE));
        self.refusal = (!streams).then(Vec::new);
    }

    fn data(&mut self, bytes: &[u8], stamp: Stamp) {
        if let Some(body) = &mut self.refusal {
            let room = MAX_REFUSAL.saturating_sub(body.len());
            body.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            return;
        }
        if self.step != Step::Streaming {
            return;
        }
        let Self {
            wire, tally, sse, ..
        } = self;
        let fed = sse.feed(bytes, &mut |event| wire.event(&event, tally, stamp));
        if let Err(error) = fed {
            self.tally.fail(FailureKind::Protocol, error.to_string());
        }
    }

    fn end(&mut self, result: Result<(), Failure>, stamp: Stamp) {
        match (result, self.step) {
            (Err(failure), _) => {
                // A body that is cut after its last event has said all the same what became of the request.
                self.tally.settle(Err(failure));
                self.step = Step::Over;
            }
            (Ok(()), Step::Submitting) => self.submitted(stamp),
            (Ok(()), Step::Streaming) => {
                let status = self.tally.http_status.unwrap_or(0);
                let failure = match self.refusal.take() {
                    Some(body) => self.refused(status, &body),
                    None => Failure::with_status(
                        FailureKind::ErrorTruncated,
                        status,
                        "the event stream ended before the app had completed the request",
                    ),
                };
                self.tally.settle(Err(failure));
                self.step = Step::Over;
            }
            (Ok(()), Step::Submit | Step::Subscribe | Step::Over) => {}
        }
    }

    fn n_tokens_seen(&self) -> u64 {
        self.tally.n_content
    }

    fn is_done(&self) -> bool {
        self.tally.settled.is_some()
    }

    fn cancel_call(&self) -> Option<HttpCall> {
        let event_id = self.tally.facts.event_id.as_deref()?;
        if self.tally.settled.is_some() {
            return None;
        }
        self.wire.cancel_call(event_id)
    }

    fn reply(self: Box<Self>) -> Reply {
        let secrets = mask::secrets_in(&self.wire.job().headers);
        let mut reply = self.tally.reply();
        if let Some(Err(failure)) = &mut reply.result {
            failure.message = mask::mask_all(&failure.message, &secrets);
        }
        reply
    }
}

/// What was seen so far.
pub(super) struct Tally {
    pub(super) outputs: Outputs,
    pub(super) facts: GradioFacts,
    pub(super) posted_ns: Option<u64>,
    http_status: Option<u16>,
    retry_after_secs: Option<f64>,
    content_encoding: Option<String>,
    n_content: u64,
    has_text: bool,
    first_ns: Option<u64>,
    last: Stamp,
    chunk_ns: Vec<u64>,
    shared: Vec<u32>,
    finish_ns: Option<u64>,
    settled: Option<Result<Ended, Failure>>,
}

impl Tally {
    fn new(kinds: Arc<[OutputKind]>) -> Self {
        Self {
            outputs: Outputs::new(kinds),
            facts: GradioFacts::default(),
            posted_ns: None,
            http_status: None,
            retry_after_secs: None,
            content_encoding: None,
            n_content: 0,
            has_text: false,
            first_ns: None,
            last: Stamp::default(),
            chunk_ns: Vec::new(),
            shared: Vec::new(),
            finish_ns: None,
            settled: None,
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled.is_some()
    }

    /// The first word holds.
    fn settle(&mut self, result: Result<Ended, Failure>) {
        self.settled.get_or_insert(result);
    }

    pub(super) fn fail(&mut self, kind: FailureKind, message: impl Into<String>) {
        let failure = Failure {
            kind,
            status: self.http_status,
            message: said::excerpt(&message.into()),
        };
        self.settle(Err(failure));
    }

    /// A message of the stream brought these changes.
    pub(super) fn changed(&mut self, change: Change, at: Stamp) {
        if !change.content {
            return;
        }
        if self.first_ns.is_none() {
            self.first_ns = Some(at.at_ns);
        } else {
            self.chunk_ns.push(at.at_ns.saturating_sub(self.last.at_ns));
            if at.read_no == self.last.read_no {
                self.shared.extend(u32::try_from(self.n_content));
            }
        }
        self.last = at;
        self.n_content += 1;
        self.has_text |= change.text;
    }

    /// The app says that it is done, with these final values.
    pub(super) fn complete(&mut self, data: Option<Vec<Value>>, at: Stamp) {
        self.finish_ns = Some(at.at_ns);
        let Some(data) = data else {
            // What `/cancel` makes of a request that someone else ended.
            let message =
                "the app completed the request without any output: it was cancelled on the server";
            return self.fail(FailureKind::ErrorEmpty, message);
        };
        self.outputs.replace(data);
        if self.n_content == 0 && self.outputs.are_empty() {
            let message = "the app completed the request, but every output is empty";
            return self.fail(FailureKind::ErrorEmpty, message);
        }
        self.settle(Ok(Ended::OkDone));
    }

    fn reply(self) -> Reply {
        let has_content = self.first_ns.is_some();
        let counts = has_content && self.has_text;
        Reply {
            first_token_ns: self.first_ns,
            first_answer_ns: self.first_ns,
            last_token_ns: has_content.then_some(self.last.at_ns),
            finish_ns: self.finish_ns,
            chunk_ns: self.chunk_ns,
            chunk_tokens: None,
            chunk_shared: has_content.then_some(self.shared),
            tokens_in: None,
            tokens_out: counts.then_some(self.n_content),
            cached_tokens: None,
            token_source: counts.then_some(TokenSource::Chunks),
            result: self.settled,
            http_status: self.http_status,
            retry_after_secs: self.retry_after_secs,
            content_encoding: self.content_encoding,
            gradio: Some(self.facts),
            server_times: ServerTimes::default(),
            answer: self.outputs.answer(),
        }
    }
}

/// What a refusal says; of a traceback, its last line.
pub(super) fn message_in(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let message = if text.trim_start().starts_with("Traceback") {
        said::excerpt(
            text.trim_end()
                .lines()
                .next_back()
                .unwrap_or_default()
                .trim(),
        )
    } else {
        said::message_in_body(body)
    };
    if message.is_empty() {
        "no message".to_owned()
    } else {
        message
    }
}
