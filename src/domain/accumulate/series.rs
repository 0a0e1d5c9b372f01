//! Counts over time, in slots that double when a run gets long.

use super::super::{OutcomeKind, RequestRecord, TimeSeries};

#[derive(Clone, Debug)]
pub(super) struct SeriesBuilder {
    slot_ns: u64,
    tokens: Vec<f64>,
    ok: Vec<f64>,
    failed: Vec<f64>,
    /// Sum over requests of the ns that they were in flight in the slot.
    in_flight_ns: Vec<f64>,
}

impl Default for SeriesBuilder {
    fn default() -> Self {
        Self {
            slot_ns: TimeSeries::FIRST_SLOT_NS,
            tokens: Vec::new(),
            ok: Vec::new(),
            failed: Vec::new(),
            in_flight_ns: Vec::new(),
        }
    }
}

/// Each content event of a record with its time and the tokens it carried. Without counts by event the request's tokens
/// are spread evenly over its events; an answer in one piece has them all at its finish. Empty where no count is known.
pub(super) fn tokens_by_time(record: &RequestRecord) -> impl Iterator<Item = (u64, f64)> + '_ {
    let n = record.tokens_out;
    let events = record.n_chunks();
    let by_event = record
        .chunk_tokens
        .as_deref()
        .filter(|t| t.len() == events && t.iter().any(|n| *n > 0));
    let counted: u64 = by_event.map_or(0, |t| t.iter().map(|n| u64::from(*n)).sum());
    // The request's own count rules: the events' counts are scaled to it.
    let scale = match (n, by_event) {
        (Some(n), Some(_)) => n as f64 / counted as f64,
        (Some(n), None) if events > 0 => n as f64 / events as f64,
        (None, Some(_)) => 1.0,
        _ => 0.0,
    };
    let first = record.first_token_ns;
    let mut at = first.unwrap_or(0);
    let streamed = (0..events).map(move |i| {
        if i > 0 {
            at = at.saturating_add(record.chunk_ns.get(i - 1).copied().unwrap_or(0));
        }
        let weight = by_event
            .and_then(|t| t.get(i))
            .map_or(1.0, |n| f64::from(*n));
        (at, weight * scale)
    });
    let whole = n
        .filter(|_| first.is_none())
        .map(|n| (record.finish_ns.unwrap_or(record.end_ns), n as f64));
    streamed.chain(whole).filter(|(_, tokens)| *tokens > 0.0)
}

impl SeriesBuilder {
    pub(super) fn push(&mut self, record: &RequestRecord) {
        for (at_ns, tokens) in tokens_by_time(record) {
            let slot = self.slot(at_ns);
            add(&mut self.tokens, slot, tokens);
        }
        let slot = self.slot(record.end_ns);
        match record.outcome.kind() {
            OutcomeKind::Ok => add(&mut self.ok, slot, 1.0),
            OutcomeKind::Failed => add(&mut self.failed, slot, 1.0),
            _ => {}
        }
        if record.outcome.kind() != OutcomeKind::Dropped {
            self.add_in_flight(record.dispatched_ns, record.end_ns);
        }
    }

    /// A request in flight from one time to the other.
    pub(super) fn add_in_flight(&mut self, start_ns: u64, end_ns: u64) {
        if end_ns <= start_ns {
            return;
        }
        let last = self.slot(end_ns);
        for slot in self.slot(start_ns)..=last {
            let from = (slot as u64).saturating_mul(self.slot_ns);
            let to = from.saturating_add(self.slot_ns);
            let overlap = end_ns.min(to).saturating_sub(start_ns.max(from));
            add(&mut self.in_flight_ns, slot, overlap as f64);
        }
    }

    /// The slot of a time, after making slots so long that there is one.
    fn slot(&mut self, at_ns: u64) -> usize {
        loop {
            match usize::try_from(at_ns / self.slot_ns) {
                Ok(slot) if slot < TimeSeries::MAX_SLOTS => return slot,
                // 2^62 ns are 146 years: a file's nonsense ends in the last slot.
                _ if self.slot_ns >= 1 << 62 => return TimeSeries::MAX_SLOTS - 1,
                _ => self.double(),
            }
        }
    }

    fn double(&mut self) {
        self.slot_ns *= 2;
        for column in [
            &mut self.tokens,
            &mut self.ok,
            &mut self.failed,
            &mut self.in_flight_ns,
        ] {
            *column = column.chunks(2).map(|pair| pair.iter().sum()).collect();
        }
    }

    pub(super) fn series(&self) -> TimeSeries {
        let n_slots = [&self.tokens, &self.ok, &self.failed, &self.in_flight_ns]
            .into_iter()
            .map(Vec::len)
            .max()
            .unwrap_or(0);
        let column = |values: &[f64], per: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a chart needs seven digits"
            )]
            let mut column: Vec<f32> = values.iter().map(|v| (v / per) as f32).collect();
            column.resize(n_slots, 0.0);
            column
        };
        TimeSeries {
            slot_ns: self.slot_ns,
            tokens: column(&self.tokens, 1.0),
            ok: column(&self.ok, 1.0),
            failed: column(&self.failed, 1.0),
            in_flight: column(&self.in_flight_ns, self.slot_ns as f64),
        }
    }
}

fn add(column: &mut Vec<f64>, slot: usize, value: f64) {
    if slot >= column.len() {
        column.resize(slot + 1, 0.0);
    }
    if let Some(sum) = column.get_mut(slot) {
        *sum += value;
    }
}
