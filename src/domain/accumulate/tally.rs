//! Counts over all stages that only the judge asks for.

use std::collections::HashSet;

use super::super::{
    ConnectionKind, Ended, Lengths, OutcomeKind, Phase, RecordFacts, RequestRecord, TokenSource,
};
use crate::stats::Histogram;

/// A gap shorter than this tells of buffering on the way: no decoder in use makes 1,000 tokens a second for one stream.
pub(super) const SHORT_GAP_NS: u64 = 1_000_000;

/// What only the judge asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    n_ok: u64,
    n_failed: u64,
    n_no_done: u64,
    n_reconnected: u64,
    n_gaps: u64,
    n_short_gaps: u64,
    n_prompts: u64,
    prompts: HashSet<u64>,
    client_late: Histogram,
    input: Lengths,
    output: Lengths,
    n_at_limit: u64,
    cached: u64,
    cached_of: u64,
}

impl Tally {
    pub(super) fn facts(&self) -> RecordFacts {
        let client_late = self.client_late.quantile(0.99);
        RecordFacts {
            n_ok: self.n_ok,
            n_failed: self.n_failed,
            n_no_done: self.n_no_done,
            n_reconnected: self.n_reconnected,
            n_gaps: self.n_gaps,
            n_short_gaps: self.n_short_gaps,
            n_prompts: self.n_prompts,
            n_distinct_prompts: self.prompts.len() as u64,
            client_late_p99_ms: client_late.map(|ns| ns as f64 / 1e6),
            input: self.input,
            output: self.output,
            n_at_limit: self.n_at_limit,
            cached_tokens: self.cached,
            cached_of: self.cached_of,
            ..RecordFacts::default()
        }
    }

    /// `max_tokens` of the plan counts where the request had no limit of its own.
    pub(super) fn push(&mut self, record: &RequestRecord, max_tokens: Option<u32>) {
        match record.outcome.kind() {
            OutcomeKind::Ok => self.n_ok += 1,
            OutcomeKind::Failed => self.n_failed += 1,
            _ => {}
        }
        if record.ended == Some(Ended::OkNoDone) {
            self.n_no_done += 1;
        }
        let connection = record.connection.as_ref().map(|c| c.kind);
        if connection == Some(ConnectionKind::Reconnected) {
            self.n_reconnected += 1;
        }
        if record.phase != Phase::Measure {
            return;
        }
        if let Some(late_ns) = record.client_late_ns {
            self.client_late.record(late_ns);
        }
        // Later turns repeat the history by nature; what a conversation begins with is what may come again.
        let is_first_turn = record.turn.unwrap_or(0) == 0;
        if let Some(prompt) = record.prompt.as_ref().filter(|_| is_first_turn) {
            self.n_prompts += 1;
            // The hash is 16 hex digits; in a foreign file it may be anything, and then only its text tells it apart.
            self.prompts.insert(hash_of(&prompt.hash));
        }
        if record.outcome.is_ok() {
            self.n_gaps += record.chunk_ns.len() as u64;
            let short = record.chunk_ns.iter().filter(|gap| **gap < SHORT_GAP_NS);
            self.n_short_gaps += short.count() as u64;
            self.push_lengths(record, is_first_turn, max_tokens);
        }
    }

    fn push_lengths(
        &mut self,
        record: &RequestRecord,
        is_first_turn: bool,
        max_tokens: Option<u32>,
    ) {
        if let (Some(all), Some(cached)) = (record.tokens_in, record.cached_tokens) {
            self.cached_of = self.cached_of.saturating_add(all);
            self.cached = self.cached.saturating_add(cached.min(all));
        }
        // Later turns carry the history, which no plan has a length for.
        if let (Some(asked), Some(got)) = (record.tokens_in_asked, record.tokens_in)
            && is_first_turn
        {
            self.input.push(asked, got);
        }
        let is_counted = matches!(
            record.token_source,
            Some(TokenSource::Usage | TokenSource::Tokenizer)
        );
        let limit = record.tokens_out_asked.or(max_tokens);
        if let (Some(asked), Some(got)) = (limit, record.tokens_out)
            && is_counted
        {
            self.output.push(asked, got);
            self.n_at_limit += u64::from(got >= u64::from(asked));
        }
    }
}

fn hash_of(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap_or_else(|_| {
        // FNV-1a.
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
    })
}
