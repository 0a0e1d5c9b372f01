//! What the engine itself counts of a Measure phase, apart from the records: the L of Little's law, and how many streams
//! this machine really held.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::domain::{FailureKind, InFlight, OutcomeKind, Phase, RequestRecord, StageIdx};

use super::live::Live;

/// Counts one phase. Written by the I/O thread alone.
#[derive(Debug)]
pub(super) struct Held {
    /// Time in flight of requests that enter no figure: drained, cut off, cancelled.
    left_out_ns: AtomicU64,
    /// The window: first start to last end of requests that enter the figures.
    first_ns: AtomicU64,
    last_ns: AtomicU64,
    n_sent: AtomicU64,
    users: Box<[Seat]>,
}

#[derive(Debug, Default)]
struct Seat {
    has_sent: AtomicBool,
    /// At least one of its requests did not fail for want of a port, a descriptor or memory.
    is_held: AtomicBool,
}

impl Held {
    pub(super) fn new(n_users: usize) -> Self {
        Self {
            left_out_ns: AtomicU64::new(0),
            first_ns: AtomicU64::new(u64::MAX),
            last_ns: AtomicU64::new(0),
            n_sent: AtomicU64::new(0),
            users: (0..n_users).map(|_| Seat::default()).collect(),
        }
    }

    /// A request ended, and was taken out of flight then.
    pub(super) fn ended(&self, record: &RequestRecord, now_ns: u64) {
        let kind = record.outcome.kind();
        if record.phase == Phase::Measure && matches!(kind, OutcomeKind::Ok | OutcomeKind::Failed) {
            self.first_ns.fetch_min(record.dispatched_ns, Relaxed);
            self.last_ns.fetch_max(record.end_ns, Relaxed);
        } else {
            let ns = now_ns.saturating_sub(record.dispatched_ns);
            self.left_out_ns.fetch_add(ns, Relaxed);
        }
        self.n_sent.fetch_add(1, Relaxed);
        if let Some(seat) = self.users.get(record.user as usize) {
            seat.has_sent.store(true, Relaxed);
            let failure = record.outcome.failure();
            if failure.is_none_or(|f| f.kind != FailureKind::Client) {
                seat.is_held.store(true, Relaxed);
            }
        }
    }

    /// What is known when the phase is over.
    pub(super) fn in_flight(&self, stage: StageIdx, is_steady: bool, live: &Live) -> InFlight {
        let (from, to) = (self.first_ns.load(Relaxed), self.last_ns.load(Relaxed));
        let user_ns = live
            .user_ns()
            .saturating_sub(self.left_out_ns.load(Relaxed));
        let mean = if to > from {
            user_ns as f64 / (to - from) as f64
        } else {
            0.0
        };
        let asked = self.users.len();
        let is_lost = |s: &&Seat| s.has_sent.load(Relaxed) && !s.is_held.load(Relaxed);
        let mut held = asked - self.users.iter().filter(is_lost).count();
        // Steady users go on at once: all of them are in flight together as soon as each has begun, which they have
        // when there was enough to send for every one of them to go on.
        if is_steady && self.n_sent.load(Relaxed) >= 2 * asked as u64 {
            held = held.min(live.peak() as usize);
        }
        InFlight {
            stage,
            mean,
            held: (held < asked).then(|| u32::try_from(held).unwrap_or(u32::MAX)),
        }
    }
}
