//! Doubts about a number.

use serde::{Deserialize, Serialize};

use super::StageIdx;

/// A doubt about a number: what was found, what likely caused it, what to try.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Caution {
    pub id: CautionId,
    /// The stage it speaks of, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageIdx>,
    pub finding: String,
    pub cause: String,
    #[serde(rename = "try")]
    pub advice: String,
}

/// The doubts that there can be; stable words in files.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CautionId {
    /// p99 of the slip of a closed round is above 5 ms and 2 % of the median TTFT.
    LateSends,
    /// One tick of the runtime came more than 50 ms late.
    LateTick,
    /// p99 of reading later than the kernel received is above 1 ms.
    ClientLate,
    /// In flight and TTFT both rise through the stage.
    Saturated,
    /// The same prompt was sent more than once (as a conversation's first), without a nonce.
    RepeatedPrompts,
    /// The server says that prompt tokens came from its cache.
    PrefixCache,
    /// More than 30 % of gaps are under 1 ms.
    Buffering,
    /// More tokens than content events: a gap is not a token's time.
    TokensPerChunk,
    /// Too few requests for the percentiles shown.
    FewSamples,
    /// Gradio before 6.11 polls every 50 ms.
    GradioPolling,
    /// The server or the plan changed during the run.
    Changed,
    /// Streams that ended without a done marker.
    NoDone,
    /// The journal's queue was full, or the disk was.
    Journal,
    /// Certificates were not checked.
    Insecure,
    /// The answer was compressed though identity was asked.
    Compressed,
    /// The server asked to wait (429 or 503 with Retry-After).
    RetryAfter,
    /// Stage or run ended early by a limit.
    StoppedEarly,
    /// The server refused `stream_options`; tokens were not counted by it.
    NoUsage,
    /// The server refused `ignore_eos`; answers ended where the model ended them.
    EndsRefused,
    /// Kept connections had to be made again.
    Reconnected,
    /// More than 1 % of a stage's requests failed, and not all of them.
    Failed,
    /// More than 1 % of a stage's requests were cut off when its grace time was over.
    CutOff,
    /// A stage has fewer requests than users, so not all of them were there.
    IdleUsers,
    /// Arrivals were not sent, because as many requests were in flight as the plan allows.
    Dropped,
    /// Too few requests to tell whether a goal is met.
    GoalsUnresolved,
    /// Prompts are more than 5 % longer or shorter than asked, by the server's count.
    InputLength,
    /// Answers are, though the server was told to go on to the length asked.
    OutputLength,
    /// More than half of the answers ended at `max_tokens`.
    CutAnswers,
    /// Visitors beside the measured requests were not served.
    Beside,
}
