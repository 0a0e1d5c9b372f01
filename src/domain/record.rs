//! One request's facts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Outcome, StageIdx};

/// The parts of a stage.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Cold,
    Warmup,
    Measure,
    /// Sent in Measure, ended in the grace time after it.
    Drain,
}

/// One request's facts; a `request` line of a run file. Every `…_ns` is an offset from the run's epoch on one monotonic
/// clock unless it says "duration" or "gap"; `None` where there is none.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RequestRecord {
    pub stage: StageIdx,
    pub phase: Phase,
    /// Position in the run, in the order of sending.
    pub seq: u64,
    pub user: u32,
    /// Planned send, where the load plans one (open loop; the release of a burst or wave).
    pub due_ns: Option<u64>,
    /// Open loop: the pacer let it go. It may still have waited for the in-flight limit before it was dispatched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_ns: Option<u64>,
    /// Latencies start at `due_ns` (open loop, replay) rather than at `dispatched_ns`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_due: bool,
    /// The request's task ran.
    pub dispatched_ns: u64,
    /// The first byte of the request was written.
    pub sent_ns: Option<u64>,
    /// The connection made for this request stood; `None` when a kept one was used.
    pub connect_ns: Option<u64>,
    pub first_byte_ns: Option<u64>,
    /// First non-empty content, reasoning or tool-call delta.
    pub first_token_ns: Option<u64>,
    /// First non-empty content that is not reasoning.
    pub first_answer_ns: Option<u64>,
    pub last_token_ns: Option<u64>,
    /// Finish reason, done marker, `process_completed` or `complete`.
    pub finish_ns: Option<u64>,
    /// The body ended, or the request was given up.
    pub end_ns: u64,
    /// Gaps between content events, in ns: one fewer than there were content events.
    pub chunk_ns: Vec<u64>,
    /// Tokens that each content event carried, where the server said so.
    pub chunk_tokens: Option<Vec<u32>>,
    /// Positions of content events that came in the same socket read as the one before.
    pub chunk_shared: Option<Vec<u32>>,
    pub stamps: Stamps,
    /// The largest delay between the kernel's receive stamp and our reading of it; `None` with user stamps.
    pub client_late_ns: Option<u64>,
    pub tokens_in: Option<u64>,
    pub tokens_out: Option<u64>,
    pub token_source: Option<TokenSource>,
    /// Fields `outcome` and `failure`.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How the stream closed, for a request that did not fail.
    pub ended: Option<Ended>,
    pub http_status: Option<u16>,
    pub connection: Option<ConnectionFacts>,
    pub gradio: Option<GradioFacts>,
    /// Which conversation of its stage it belongs to, and which turn of it, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// Prompt tokens that the server took from its cache, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Lengths that the plan asked for, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_in_asked: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_out_asked: Option<u32>,
    /// What the server itself measured, beside our own times; never taken into a figure of ours.
    #[serde(default, skip_serializing_if = "ServerTimes::is_empty")]
    pub server_times: ServerTimes,
    /// What was asked, as length and hash.
    pub prompt: Option<TextFacts>,
    /// What came back, as length and hash.
    pub answer: Option<TextFacts>,
}

impl RequestRecord {
    /// Where the clock of latencies starts: the planned send in an open loop, `dispatched` in a closed one.
    pub fn start_ns(&self) -> u64 {
        self.due_ns
            .filter(|_| self.from_due)
            .unwrap_or(self.dispatched_ns)
    }

    /// Content events.
    pub fn n_chunks(&self) -> usize {
        if self.first_token_ns.is_some() {
            self.chunk_ns.len() + 1
        } else {
            0
        }
    }
}

/// Who took the receive stamps.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamps {
    Kernel,
    User,
}

/// Where a token count comes from, best first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenSource {
    /// The server's `usage`.
    Usage,
    Tokenizer,
    /// Content events were counted; one may carry several tokens.
    Chunks,
    /// Characters / 4.
    Estimate,
}

impl TokenSource {
    /// `tokens by server usage`: the badge beside a token figure.
    pub fn badge(self) -> &'static str {
        match self {
            Self::Usage => "tokens by server usage",
            Self::Tokenizer => "tokens by tokenizer",
            Self::Chunks => "chunks counted, not tokens",
            Self::Estimate => "tokens estimated (characters / 4)",
        }
    }
}

/// How a stream that did not fail closed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    OkDone,
    /// A finish reason was seen and the body ended cleanly, without a done marker.
    OkNoDone,
}

/// The connection a request used.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConnectionFacts {
    pub kind: ConnectionKind,
    /// Durations of the phases of making it.
    pub dns_ns: Option<u64>,
    pub tcp_ns: Option<u64>,
    pub tls_ns: Option<u64>,
    /// `127.0.0.1:8000`: the address used, of all that the name resolved to.
    pub address: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    New,
    Reused,
    /// The kept one was found closed before a byte was written, or the server is known to close it after each answer, and
    /// another was made.
    Reconnected,
}

/// What only Gradio tells.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct GradioFacts {
    /// Duration of the POST's round trip.
    pub submit_ns: Option<u64>,
    /// Place in the queue when first told.
    pub rank: Option<u64>,
    pub queue_size: Option<u64>,
    /// The server's own guess of the wait when first told, in seconds.
    pub rank_eta_secs: Option<f64>,
    /// Duration from the POST to `process_starts` (queue mode only).
    pub queue_wait_ns: Option<u64>,
    /// Mark of `process_starts`.
    pub process_starts_ns: Option<u64>,
    /// The server's own duration of the last step, in seconds.
    pub duration_secs: Option<f64>,
    pub event_id: Option<String>,
}

/// Durations that a server told of its own work on one request, by the server's name for them, in ns: Ollama's
/// `eval_duration`, TGI's `x-queue-time`. Only what it said.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ServerTimes(pub BTreeMap<String, u64>);

impl ServerTimes {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A text without the text.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TextFacts {
    pub chars: u64,
    /// First 16 hex digits of its SHA-256.
    pub hash: String,
    /// Only when the plan says `keep_text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{bare, failed, streamed};
    use super::super::{Failure, FailureKind};
    use super::*;

    #[track_caller]
    fn round_trip(record: &RequestRecord) -> serde_json::Value {
        let text = serde_json::to_string(record).unwrap();
        assert_eq!(
            &serde_json::from_str::<RequestRecord>(&text).unwrap(),
            record
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn outcome_and_failure_are_two_fields_of_the_line() {
        let line = round_trip(&streamed(7, 1.0, 2.0, &[3.0]));
        assert_eq!(
            (&line["outcome"], &line["failure"]),
            (&"ok".into(), &().into())
        );
        assert_eq!(
            (&line["phase"], &line["seq"]),
            (&"measure".into(), &7.into())
        );
        assert_eq!(line["chunk_ns"], serde_json::json!([3_000_000]));
        assert_eq!(line["due_ns"], serde_json::Value::Null);
        let mut bad = failed(bare(1, 0, 5), FailureKind::ErrorInStream, "boom");
        bad.outcome = Outcome::Failed(Failure::with_status(FailureKind::HttpStatus, 503, "full"));
        let line = round_trip(&bad);
        assert_eq!(line["outcome"], "failed");
        assert_eq!(
            line["failure"],
            serde_json::json!({"kind": "http_status", "status": 503, "message": "full"})
        );
        bad.outcome = Outcome::CutOff;
        assert_eq!(round_trip(&bad)["outcome"], "cut_off");
    }

    #[test]
    fn a_failure_without_its_reason_is_refused() {
        let mut line = round_trip(&bare(0, 0, 1));
        line["outcome"] = "failed".into();
        let error = serde_json::from_value::<RequestRecord>(line).unwrap_err();
        assert!(error.to_string().contains("failure is null"), "{error}");
    }

    #[test]
    fn failure_words_are_the_same_everywhere() {
        for kind in [
            FailureKind::ErrorInStream,
            FailureKind::TimeoutFirstByte,
            FailureKind::Client,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.id());
        }
    }

    #[test]
    fn content_events_are_one_more_than_gaps() {
        assert_eq!(streamed(0, 0.0, 1.0, &[1.0, 1.0]).n_chunks(), 3);
        assert_eq!(bare(0, 0, 1).n_chunks(), 0);
    }
}
