//! The wires: one per file, the only place that knows JSON bodies.
//!
//! **Sans-I/O:** an [`Exchange`] is fed slices with their stamps by whoever drives the connection, and says which call to
//! make next. It never waits, reads a clock or opens a socket. Preparation ([`prepare`]: `/config`, `/info`,
//! `/v1/models`, uploads) and detection ([`detect()`]) go over `transport::control`, apart from what is measured.

mod answer;
pub mod any_http;
mod asked;
mod body;
mod conversation;
pub mod curl;
pub mod detect;
pub mod explain;
pub mod gradio;
pub mod headers;
mod loose;
mod marks;
pub mod mask;
pub mod ndjson;
pub mod ollama;
pub mod openai;
pub mod said;
mod shell;
pub mod sse;
pub mod target_url;
pub mod test_request;
pub mod tgi;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::domain::{Ended, Failure, GradioFacts, Issue, Prompt, ServerTimes, TokenSource};

pub use asked::Described;
pub use detect::{connect, detect, prepare};

/// One HTTP call of a measured request. Its route is relative to the target's origin.
#[derive(Clone, Debug)]
pub struct HttpCall {
    pub method: Method,
    pub path_and_query: String,
    /// Without `host` and `content-length`, which the transport adds. Secrets are marked sensitive.
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl HttpCall {
    /// As the transport takes it; `None` for a route that no request line can hold.
    pub fn to_request(&self) -> Option<http::Request<Bytes>> {
        let mut request = http::Request::builder()
            .method(self.method.clone())
            .uri(&self.path_and_query)
            .body(self.body.clone())
            .ok()?;
        *request.headers_mut() = self.headers.clone();
        Some(request)
    }
}

/// When bytes arrived, and with which socket read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stamp {
    /// Offset from the run's epoch.
    pub at_ns: u64,
    /// Grows by one with every socket read: events with the same number shared a read.
    pub read_no: u64,
}

/// One measured request from its first call to its reply: a state machine. Gradio makes two calls, the others one.
///
/// The driver loops: [`next_call`](Exchange::next_call) → write it → [`head`](Exchange::head) → [`data`](Exchange::data)
/// for every slice → [`end`](Exchange::end); then `next_call` again until it is `None`; then [`reply`](Exchange::reply).
pub trait Exchange: Send {
    /// The next call to make, or `None` when the exchange is over.
    fn next_call(&mut self, now_ns: u64) -> Option<HttpCall>;
    fn head(&mut self, status: u16, headers: &HeaderMap, stamp: Stamp);
    fn data(&mut self, bytes: &[u8], stamp: Stamp);
    /// The body ended cleanly, or was cut short with the transport's failure.
    fn end(&mut self, result: Result<(), Failure>, stamp: Stamp);
    /// Content events so far; the driver watches it for the token-stall timeout and live counters.
    fn n_tokens_seen(&self) -> u64;
    /// The outcome is known, though the body has not ended: the driver may give up reading, after a short wait that lets
    /// the server end it and keeps the connection usable.
    fn is_done(&self) -> bool {
        false
    }
    /// What tells the server to stop, for a request that is given up (Gradio's `/cancel`).
    fn cancel_call(&self) -> Option<HttpCall>;
    fn reply(self: Box<Self>) -> Reply;
}

/// What an exchange learnt.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub first_token_ns: Option<u64>,
    pub first_answer_ns: Option<u64>,
    pub last_token_ns: Option<u64>,
    pub finish_ns: Option<u64>,
    pub chunk_ns: Vec<u64>,
    pub chunk_tokens: Option<Vec<u32>>,
    pub chunk_shared: Option<Vec<u32>>,
    pub tokens_in: Option<u64>,
    pub tokens_out: Option<u64>,
    pub cached_tokens: Option<u64>,
    pub token_source: Option<TokenSource>,
    /// `Err`: failed. Partial token times above are kept.
    pub result: Option<Result<Ended, Failure>>,
    pub http_status: Option<u16>,
    /// Seconds of a `Retry-After`, where the server sent one.
    pub retry_after_secs: Option<f64>,
    /// `content-encoding` when the server compressed all the same.
    pub content_encoding: Option<String>,
    pub gradio: Option<GradioFacts>,
    /// What the server itself measured.
    pub server_times: ServerTimes,
    /// The answer's text as far as it came.
    pub answer: String,
}

/// Speaks one wire for one target; made once before the run, shared by all users.
pub trait Adapter: Send + Sync {
    /// A new exchange for this prompt. `user` and `seq` make session names unique.
    fn exchange(&self, prompt: &Prompt, user: u32, seq: u64) -> Box<dyn Exchange>;
    fn facts(&self) -> &crate::domain::ServerFacts;
    /// Where visitors of the target go beside the measured requests; `None` where it has no pages and files.
    fn visits(&self) -> Option<&gradio::Visits> {
        None
    }
    /// Takes the payloads that prompts bring, before the first request: holds them against the target and uploads what
    /// files they name. Gives notes.
    fn bring(&self, payloads: Vec<Arc<Value>>) -> Bringing<'_> {
        let issue = (!payloads.is_empty()).then(|| {
            let message = "holds Gradio payloads or files, and the target takes texts and pictures";
            PrepareError::refused("workload.dataset", message)
        });
        Box::pin(async move { issue.map_or_else(|| Ok(Vec::new()), Err) })
    }
    /// The server refused to be asked for token counts during the run, so requests go without.
    fn usage_refused(&self) -> bool {
        false
    }
    /// The server refused during the run to go on to a given length, so requests go without.
    fn ends_refused(&self) -> bool {
        false
    }
}

/// Notes, when what prompts bring was taken.
pub type Bringing<'a> =
    Pin<Box<dyn Future<Output = Result<Vec<String>, PrepareError>> + Send + 'a>>;

/// An adapter behind a pointer.
pub type SharedAdapter = Arc<dyn Adapter>;

/// The note of a plan's `ignore_eos` that the target has no word for.
fn no_ignore_eos(target: &str) -> String {
    let who = if target.is_empty() {
        "The target"
    } else {
        target
    };
    format!(
        "`workload.ignore_eos` is not sent: {who} does not take it, so answers end where the model ends them"
    )
}

/// Why a target could not be prepared or told apart.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PrepareError {
    /// No answer came, or one that ends the matter (401, a server still loading).
    #[error("{}", .0.message)]
    Unreachable(Failure),
    /// The plan asks what this target does not have: every issue at its field.
    #[error("{}", join_issues(.0))]
    Refused(Vec<Issue>),
}

impl PrepareError {
    /// One issue at `field`.
    pub fn refused(field: &str, message: impl Into<String>) -> Self {
        Self::Refused(vec![Issue::new(field, message)])
    }
}

fn join_issues(issues: &[Issue]) -> String {
    let lines: Vec<&str> = issues.iter().map(|i| i.message.as_str()).collect();
    lines.join("; ")
}
