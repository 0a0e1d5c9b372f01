//! What the engine itself counts of a Measure phase, apart from the records: the L of Little's law, and how many streams
//! this machine really held.

use std::sync::{Mutex, PoisonError};

use crate::domain::{FailureKind, InFlight, OutcomeKind, Phase, RequestRecord, StageIdx};

/// Counts one phase. Written by the I/O thread alone.
#[derive(Debug, Default)]
pub(super) struct Held {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The number in flight now, and integrated over time until `since_ns`.
    in_flight: u32,
    user_ns: u128,
    since_ns: u64,
    peak: u32,
    /// The window: first start to last end of requests that enter the figures.
    window: Option<(u64, u64)>,
    /// From when to when requests were in flight that enter no figure: drained, cut off, cancelled.
    left_out: Vec<(u64, u64)>,
    n_sent: u64,
    seats: Vec<Seat>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seat {
    has_sent: bool,
    /// At least one of its requests did not fail for want of a port, a descriptor or memory.
    is_held: bool,
    /// Its request under way was sent then.
    since_ns: Option<u64>,
}

impl Held {
    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A user's request was sent; how many are under way with it.
    pub(super) fn began(&self, user: u32, now_ns: u64) -> u32 {
        self.with(|inner| {
            inner.pass_time(now_ns);
            inner.in_flight += 1;
            inner.peak = inner.peak.max(inner.in_flight);
            inner.seat(user).since_ns = Some(now_ns);
            inner.in_flight
        })
    }

    /// A request ended, and was taken out of flight then.
    pub(super) fn ended(&self, record: &RequestRecord, now_ns: u64) {
        self.with(|inner| inner.ended(record, now_ns));
    }

    /// What is known when the phase is over, or goes on as another stage. `n_asked` users should be held at once, where
    /// the load asks for any; a steady load holds all of them in flight.
    pub(super) fn in_flight(
        &self,
        stage: StageIdx,
        n_asked: Option<u32>,
        is_steady: bool,
        now_ns: u64,
    ) -> InFlight {
        self.with(|inner| {
            inner.pass_time(now_ns);
            InFlight {
                stage,
                mean: inner.mean(now_ns),
                held: n_asked.and_then(|asked| inner.held(asked, is_steady)),
            }
        })
    }
}

impl Inner {
    fn seat(&mut self, user: u32) -> &mut Seat {
        let at = user as usize;
        if at >= self.seats.len() {
            self.seats.resize(at + 1, Seat::default());
        }
        &mut self.seats[at]
    }

    /// Sums users times nanoseconds in flight.
    fn pass_time(&mut self, now_ns: u64) {
        let passed = now_ns.saturating_sub(self.since_ns);
        self.user_ns += u128::from(self.in_flight) * u128::from(passed);
        self.since_ns = now_ns;
    }

    fn ended(&mut self, record: &RequestRecord, now_ns: u64) {
        self.pass_time(now_ns);
        self.in_flight = self.in_flight.saturating_sub(1);
        let kind = record.outcome.kind();
        if record.phase == Phase::Measure && matches!(kind, OutcomeKind::Ok | OutcomeKind::Failed) {
            let (from, to) = (record.dispatched_ns, record.end_ns);
            let window = self
                .window
                .map_or((from, to), |(a, b)| (a.min(from), b.max(to)));
            self.window = Some(window);
        } else {
            self.left_out.push((record.dispatched_ns, now_ns));
        }
        self.n_sent += 1;
        let failure = record.outcome.failure();
        let is_held = failure.is_none_or(|f| f.kind != FailureKind::Client);
        let seat = self.seat(record.user);
        seat.since_ns = None;
        seat.has_sent = true;
        seat.is_held |= is_held;
    }

    /// Mean number in flight over the window: of those that enter the figures, and of the others as far as they were under
    /// way within it.
    fn mean(&self, now_ns: u64) -> f64 {
        let Some((from, to)) = self.window.filter(|(from, to)| to > from) else {
            return 0.0;
        };
        let running = self.seats.iter().filter_map(|s| s.since_ns);
        let running = running.map(|since_ns| (since_ns, now_ns));
        let outside = |(start, end): (u64, u64)| {
            let within = end.min(to).saturating_sub(start.max(from));
            u128::from(end.saturating_sub(start).saturating_sub(within))
        };
        let left_out = self.left_out.iter().copied().chain(running).map(outside);
        let user_ns = self.user_ns.saturating_sub(left_out.sum());
        user_ns as f64 / (to - from) as f64
    }

    /// Fewer than asked, if it is so.
    fn held(&self, asked: u32, is_steady: bool) -> Option<u32> {
        let is_lost = |s: &&Seat| s.has_sent && !s.is_held;
        let n_lost = self.seats.iter().filter(is_lost).count();
        let mut held = asked.saturating_sub(u32::try_from(n_lost).unwrap_or(u32::MAX));
        // Steady users go on at once: all of them are in flight together as soon as each has begun, which they have
        // when there was enough to send for every one of them to go on.
        if is_steady && self.n_sent >= 2 * u64::from(asked) {
            held = held.min(self.peak);
        }
        (held < asked).then_some(held)
    }
}
