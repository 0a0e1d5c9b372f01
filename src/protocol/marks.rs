//! What the pieces of one answer have shown so far: times, counts and text, the same for every wire.

use crate::domain::{Failure, FailureKind, ServerTimes, TokenSource};

use super::{Reply, Stamp};

/// Answer text that is kept for its hash and, when asked, its text.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Grows with every event or line.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Events or lines of any kind.
    pub n_events: u64,
    /// Events with output, and the stamp of the last of them.
    pub n_tokens: u64,
    first_token_ns: Option<u64>,
    first_answer_ns: Option<u64>,
    last_token: Stamp,
    gaps_ns: Vec<u64>,
    /// Tokens of each content event by continuous usage; `None` once an event came without.
    tokens_by_event: Option<Vec<u32>>,
    /// Their sum.
    n_tokens_by_event: u64,
    shared: Vec<u32>,
    /// A finish reason was seen.
    pub is_finished: bool,
    /// The done marker was seen: nothing that follows counts.
    pub is_done: bool,
    pub finish_ns: Option<u64>,
    /// As the server counts; the last word wins.
    pub counts: Counts,
    /// Durations that the server told of its own work.
    pub server_times: ServerTimes,
    pub answer: String,
    answer_is_cut: bool,
    pub failure: Option<Failure>,
}

/// The server's own token counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub tokens_in: Option<u64>,
    pub tokens_out: Option<u64>,
    pub cached_tokens: Option<u64>,
}

impl Marks {
    /// An event with output. `total` is what the server says that it has made so far, where it says so with every event.
    pub(super) fn token(&mut self, text: &str, is_answer: bool, total: Option<u64>, stamp: Stamp) {
        self.count_event_tokens(total);
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
    fn count_event_tokens(&mut self, total: Option<u64>) {
        let by_event = match self.n_tokens {
            0 => Some(Vec::new()),
            _ => self.tokens_by_event.take(),
        };
        let (Some(mut by_event), Some(total)) = (by_event, total) else {
            return;
        };
        let grown = total.checked_sub(self.n_tokens_by_event);
        if let Some(Ok(n)) = grown.map(u32::try_from) {
            by_event.push(n);
            self.tokens_by_event = Some(by_event);
            self.n_tokens_by_event = total;
        }
    }

    pub(super) fn push_answer(&mut self, text: &str) {
        if self.answer_is_cut {
            return;
        }
        if self.answer.len() + text.len() > MAX_ANSWER_BYTES {
            self.answer_is_cut = true;
            return;
        }
        self.answer.push_str(text);
    }

    /// The finish reason; what follows may still count.
    pub(super) fn finished(&mut self, stamp: Stamp) {
        self.is_finished = true;
        self.finish_ns = Some(stamp.at_ns);
    }

    /// The done marker.
    pub(super) fn done(&mut self, stamp: Stamp) {
        self.is_done = true;
        self.finish_ns.get_or_insert(stamp.at_ns);
    }

    /// The first failure stays.
    pub(super) fn fail(&mut self, kind: FailureKind, message: String) {
        self.failure
            .get_or_insert_with(|| Failure::new(kind, message));
    }

    /// The server's count, else content events, else (one-shot) a guess.
    fn tokens_out(&self) -> (Option<u64>, Option<TokenSource>) {
        let chars = self.answer.chars().count() as u64;
        match (self.counts.tokens_out, self.n_tokens, chars) {
            (Some(n), _, _) => (Some(n), Some(TokenSource::Usage)),
            (None, 0, 0) => (None, None),
            (None, 0, chars) => (Some(chars.div_ceil(4)), Some(TokenSource::Estimate)),
            (None, n, _) => (Some(n), Some(TokenSource::Chunks)),
        }
    }

    /// All of it as a reply; what only the call knows is for the caller to add.
    pub(super) fn into_reply(self) -> Reply {
        let (tokens_out, token_source) = self.tokens_out();
        let has_tokens = self.n_tokens > 0;
        Reply {
            first_token_ns: self.first_token_ns,
            first_answer_ns: self.first_answer_ns,
            last_token_ns: has_tokens.then_some(self.last_token.at_ns),
            finish_ns: self.finish_ns,
            tokens_in: self.counts.tokens_in,
            cached_tokens: self.counts.cached_tokens,
            tokens_out,
            token_source,
            chunk_ns: self.gaps_ns,
            chunk_tokens: self.tokens_by_event.filter(|_| has_tokens),
            chunk_shared: has_tokens.then_some(self.shared),
            server_times: self.server_times,
            answer: self.answer,
            ..Reply::default()
        }
    }
}
