//! Records and plans for tests.

use super::super::{
    ClosedMode, Ended, Failure, FailureKind, Outcome, Phase, Plan, RequestRecord, ServerTimes,
    Stage, StageIdx, Stamps, TierLength, TokenSource,
};

/// One millisecond in ns.
pub(crate) const MS: u64 = 1_000_000;

/// A plan of steady stages with those users and that many requests each.
pub(crate) fn plan(users: &str, requests: &str) -> Plan {
    let stages =
        Stage::closed_tiers(users, ClosedMode::Steady, TierLength::Requests(requests)).unwrap();
    Plan {
        stages,
        ..Plan::simple("http://127.0.0.1:1")
    }
}

/// A successful streamed Measure request: starts at `start_ms`, first token after `ttft_ms`, then one token per gap.
pub(crate) fn streamed(seq: u64, start_ms: f64, ttft_ms: f64, gaps_ms: &[f64]) -> RequestRecord {
    let start = ns(start_ms);
    let first = start + ns(ttft_ms);
    let chunk_ns: Vec<u64> = gaps_ms.iter().map(|g| ns(*g)).collect();
    let last = first + chunk_ns.iter().sum::<u64>();
    RequestRecord {
        sent_ns: Some(start),
        first_byte_ns: Some(first),
        first_token_ns: Some(first),
        first_answer_ns: Some(first),
        last_token_ns: Some(last),
        finish_ns: Some(last),
        tokens_out: Some(chunk_ns.len() as u64 + 1),
        token_source: Some(TokenSource::Usage),
        chunk_ns,
        ..bare(seq, start, last)
    }
}

/// A successful Measure request about which nothing but its ends is known.
pub(crate) fn bare(seq: u64, start_ns: u64, end_ns: u64) -> RequestRecord {
    RequestRecord {
        stage: StageIdx(0),
        phase: Phase::Measure,
        seq,
        user: 0,
        due_ns: None,
        released_ns: None,
        from_due: false,
        dispatched_ns: start_ns,
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
        stamps: Stamps::Kernel,
        client_late_ns: None,
        tokens_in: None,
        tokens_out: None,
        token_source: None,
        outcome: Outcome::Ok,
        ended: Some(Ended::OkDone),
        http_status: Some(200),
        connection: None,
        gradio: None,
        conversation: None,
        turn: None,
        cached_tokens: None,
        tokens_in_asked: None,
        tokens_out_asked: None,
        server_times: ServerTimes::default(),
        prompt: None,
        answer: None,
    }
}

/// The same, failed.
pub(crate) fn failed(mut record: RequestRecord, kind: FailureKind, message: &str) -> RequestRecord {
    record.outcome = Outcome::Failed(Failure::new(kind, message));
    record.ended = None;
    record.finish_ns = None;
    record
}

pub(crate) fn ns(ms: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a test's own small number"
    )]
    let ns = (ms * 1e6).round() as u64;
    ns
}
