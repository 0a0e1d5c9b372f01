//! How fast an open load's requests left.

use super::super::{OutcomeKind, Phase, RequestRecord};

/// How an open load's requests left, beside how they were planned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    all: Sends,
    /// Without those that ended after the stage: of a stage that was paused they may have left long after it.
    in_time: Sends,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sends {
    n_due: u64,
    n_sent: u64,
    /// First and last planned send.
    due: Option<(u64, u64)>,
    /// First and last that was let go.
    sent: Option<(u64, u64)>,
}

impl Pace {
    pub(super) fn push(&mut self, record: &RequestRecord) {
        // The plan asks for conversations; their later turns come when they can.
        let is_asked = record.from_due && record.turn.unwrap_or(0) == 0;
        let Some(due_ns) = record.due_ns.filter(|_| is_asked) else {
            return;
        };
        self.all.push(record, due_ns);
        if record.phase == Phase::Measure {
            self.in_time.push(record, due_ns);
        }
    }

    /// Planned sends per second, over the stage's time where it had all of it.
    pub(super) fn due_rate(&self, full_secs: Option<f64>) -> Option<f64> {
        match full_secs {
            Some(secs) => self.all.due.map(|_| self.all.n_due as f64 / secs),
            None => self.in_time.due_rate(),
        }
    }

    /// Requests let go per second: what was dropped is missing from them, and what left late stretches them.
    pub(super) fn sent_rate(&self, full_secs: Option<f64>) -> Option<f64> {
        match full_secs {
            Some(secs) => self.all.sent_rate_over(secs),
            None => self.in_time.sent_rate(),
        }
    }
}

impl Sends {
    fn push(&mut self, record: &RequestRecord, due_ns: u64) {
        let widened = |span: Option<(u64, u64)>, at: u64| {
            span.map_or((at, at), |(from, to)| (from.min(at), to.max(at)))
        };
        self.n_due += 1;
        self.due = Some(widened(self.due, due_ns));
        if record.outcome.kind() != OutcomeKind::Dropped {
            let sent_ns = record.released_ns.unwrap_or(record.dispatched_ns);
            self.n_sent += 1;
            self.sent = Some(widened(self.sent, sent_ns));
        }
    }

    fn due_rate(&self) -> Option<f64> {
        let (from, to) = self.due?;
        rate(self.n_due, to - from)
    }

    /// How long the planned sends lasted, and the real ones.
    fn spans_ns(&self) -> Option<(u64, u64)> {
        let ((due_from, due_to), (sent_from, sent_to)) = self.due.zip(self.sent)?;
        Some((due_to - due_from, sent_to - sent_from))
    }

    fn sent_rate_over(&self, secs: f64) -> Option<f64> {
        let (due_ns, sent_ns) = self.spans_ns()?;
        let late_secs = sent_ns.saturating_sub(due_ns) as f64 / 1e9;
        Some(self.n_sent as f64 / (secs + late_secs))
    }

    fn sent_rate(&self) -> Option<f64> {
        let (due_ns, sent_ns) = self.spans_ns()?;
        let share = self.n_sent as f64 / self.n_due as f64;
        Some(rate(self.n_due, due_ns.max(sent_ns))? * share)
    }
}

/// Of `n` events, the first and the last of which are `span_ns` apart.
fn rate(n: u64, span_ns: u64) -> Option<f64> {
    (span_ns > 0).then(|| n.saturating_sub(1) as f64 / (span_ns as f64 / 1e9))
}
