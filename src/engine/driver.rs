//! The seam between the executor, which knows when, and the wire, which knows how.

use crate::domain::{
    Failure, Outcome, Phase, Prompt, RequestRecord, ServerTimes, StageIdx, Stamps,
};

use super::live::Live;

/// One request to perform.
#[derive(Clone, Debug)]
pub struct Job {
    pub stage: StageIdx,
    pub phase: Phase,
    /// Position in the run, in the order of sending.
    pub seq: u64,
    pub user: u32,
    /// When it was planned for: the release of a burst or wave, an open load's arrival, the end of a pause for thought.
    pub due_ns: Option<u64>,
    /// Open loads: when the pacer let it go.
    pub released_ns: Option<u64>,
    /// Latencies count from `due_ns`.
    pub from_due: bool,
    pub dispatched_ns: u64,
    /// Which conversation it belongs to, and which turn of it this is, from 0.
    pub conversation: Option<(u64, u32)>,
    pub prompt: Prompt,
}

impl Job {
    /// A record that holds what was asked and how it ended, and nothing of what came back.
    pub fn record(&self, outcome: Outcome, end_ns: u64) -> RequestRecord {
        RequestRecord {
            stage: self.stage,
            phase: self.phase,
            seq: self.seq,
            user: self.user,
            due_ns: self.due_ns,
            released_ns: self.released_ns,
            from_due: self.from_due,
            dispatched_ns: self.dispatched_ns,
            sent_ns: None,
            connect_ns: None,
            first_byte_ns: None,
            first_token_ns: None,
            first_answer_ns: None,
            last_token_ns: None,
            finish_ns: None,
            end_ns,
            chunk_ns: Vec::new(),
            chunk_tokens: None,
            chunk_shared: None,
            stamps: Stamps::User,
            client_late_ns: None,
            tokens_in: None,
            tokens_out: None,
            token_source: None,
            outcome,
            ended: None,
            http_status: None,
            connection: None,
            gradio: None,
            conversation: self.conversation.map(|(conversation, _)| conversation),
            turn: self.conversation.map(|(_, turn)| turn),
            cached_tokens: None,
            tokens_in_asked: self.prompt.input_tokens,
            tokens_out_asked: self.prompt.output_tokens,
            server_times: ServerTimes::default(),
            prompt: None,
            answer: None,
        }
    }
}

/// A request that ended, with what the recorder still has to work on.
#[derive(Clone, Debug, PartialEq)]
pub struct Performed {
    /// `prompt` and `answer` are still empty: hashing is not the I/O thread's work.
    pub record: RequestRecord,
    pub answer: String,
    pub hints: Hints,
}

impl From<RequestRecord> for Performed {
    fn from(record: RequestRecord) -> Self {
        Self {
            record,
            answer: String::new(),
            hints: Hints::default(),
        }
    }
}

/// What a server let slip beside its answer; only cautions need it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    pub cached_tokens: Option<u64>,
    pub retry_after_secs: Option<f64>,
    /// The server compressed though identity was asked.
    pub content_encoding: Option<String>,
}

/// Performs requests for one user, one at a time. The real one drives an exchange over a connection; tests script it.
pub trait Driver: Send + 'static {
    /// Opens the user's connection, if it is not open. An error is no request's: the next request will meet it itself.
    fn connect(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Performs one request to its end, however it ends. When this future is dropped, the driver still holds what came
    /// so far, for [`Driver::give_up`].
    fn perform(&mut self, job: &Job, live: &Live) -> impl Future<Output = Performed> + Send;

    /// Closes what a dropped `perform` left open, tells the server where the wire has a way to, and says what is known.
    fn give_up(&mut self, job: &Job, outcome: Outcome) -> impl Future<Output = Performed> + Send;

    /// Closes the user's connection.
    fn close(&mut self);
}
