//! How a request ended.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a request ended. Written to a run file as the two fields `outcome` and `failure`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    Ok,
    Failed(Failure),
    /// Ended by the person.
    Cancelled,
    /// Still running when the stage's grace time was over.
    CutOff,
    /// Not sent, because the plan's in-flight limit said so (open loop only).
    Dropped,
}

/// An [`Outcome`] without its details.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    Ok,
    Failed,
    Cancelled,
    CutOff,
    Dropped,
}

impl Outcome {
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Ok => OutcomeKind::Ok,
            Self::Failed(_) => OutcomeKind::Failed,
            Self::Cancelled => OutcomeKind::Cancelled,
            Self::CutOff => OutcomeKind::CutOff,
            Self::Dropped => OutcomeKind::Dropped,
        }
    }

    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok)
    }

    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

/// Why a request failed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// The HTTP status, where an answer had one.
    pub status: Option<u16>,
    /// What the server or the system said, as it said it.
    pub message: String,
}

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: None,
            message: message.into(),
        }
    }

    pub fn with_status(kind: FailureKind, status: u16, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: Some(status),
            message: message.into(),
        }
    }
}

/// The classes of failure; the same words in files, tables and messages.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// An error event in a stream that had begun well, or Gradio's `success: false`.
    ErrorInStream,
    /// Status 200 with an error as the body.
    ErrorBody,
    /// Status 200 and nothing that could be output.
    ErrorEmpty,
    /// The stream ended without a finish reason or done marker.
    ErrorTruncated,
    ErrorBadJson,
    /// A kept connection that the server closed after the request was written and before a byte of answer.
    StaleConnection,
    HttpStatus,
    Connect,
    Dns,
    Tls,
    TimeoutConnect,
    TimeoutFirstByte,
    TimeoutIdle,
    TimeoutTotal,
    Reset,
    /// Bytes that are not HTTP, or HTTP that breaks its own rules.
    Protocol,
    /// This machine ran out of ports, descriptors or memory.
    Client,
}

impl FailureKind {
    /// As in files.
    pub fn id(self) -> &'static str {
        match self {
            Self::ErrorInStream => "error_in_stream",
            Self::ErrorBody => "error_body",
            Self::ErrorEmpty => "error_empty",
            Self::ErrorTruncated => "error_truncated",
            Self::ErrorBadJson => "error_bad_json",
            Self::StaleConnection => "stale_connection",
            Self::HttpStatus => "http_status",
            Self::Connect => "connect",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::TimeoutConnect => "timeout_connect",
            Self::TimeoutFirstByte => "timeout_first_byte",
            Self::TimeoutIdle => "timeout_idle",
            Self::TimeoutTotal => "timeout_total",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::Client => "client",
        }
    }

    /// For a person.
    pub fn label(self) -> &'static str {
        match self {
            Self::ErrorInStream => "Error in the stream",
            Self::ErrorBody => "Error as the answer",
            Self::ErrorEmpty => "Empty answer",
            Self::ErrorTruncated => "Cut short",
            Self::ErrorBadJson => "Not JSON",
            Self::StaleConnection => "Kept connection was closed",
            Self::HttpStatus => "HTTP status",
            Self::Connect => "No connection",
            Self::Dns => "Name not found",
            Self::Tls => "TLS",
            Self::TimeoutConnect => "Connecting took too long",
            Self::TimeoutFirstByte => "No answer in time",
            Self::TimeoutIdle => "Stream fell silent",
            Self::TimeoutTotal => "Took too long in all",
            Self::Reset => "Connection reset",
            Self::Protocol => "Not valid HTTP",
            Self::Client => "This machine's limit",
        }
    }

    /// The server was never reached.
    pub fn is_unreachable(self) -> bool {
        matches!(
            self,
            Self::Connect | Self::Dns | Self::Tls | Self::TimeoutConnect
        )
    }
}

#[derive(Deserialize, Serialize)]
struct OutcomeFields {
    outcome: OutcomeKind,
    failure: Option<Failure>,
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        OutcomeFields {
            outcome: self.kind(),
            failure: self.failure().cloned(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = OutcomeFields::deserialize(deserializer)?;
        Ok(match (fields.outcome, fields.failure) {
            (OutcomeKind::Ok, _) => Self::Ok,
            (OutcomeKind::Failed, Some(failure)) => Self::Failed(failure),
            (OutcomeKind::Failed, None) => {
                return Err(serde::de::Error::custom(
                    "outcome is “failed” but failure is null",
                ));
            }
            (OutcomeKind::Cancelled, _) => Self::Cancelled,
            (OutcomeKind::CutOff, _) => Self::CutOff,
            (OutcomeKind::Dropped, _) => Self::Dropped,
        })
    }
}
