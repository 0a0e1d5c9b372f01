//! What the I/O thread lets others see while it works: relaxed counters, and where the run stands.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::domain::{Phase, StageIdx};

/// Counters of a run under way. Written by the I/O thread alone, read by anyone.
#[derive(Debug, Default)]
pub struct Live {
    in_flight: AtomicU32,
    peak: AtomicU32,
    tokens: AtomicU64,
    ended: AtomicU64,
    place: Mutex<Place>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Place {
    #[default]
    Connecting,
    /// Silence before a cold cycle, or the pause before a stage.
    Pausing {
        stage: StageIdx,
        until_ns: u64,
    },
    AwaitingRestart {
        cycle: u32,
        of: u32,
    },
    Sending(Sending),
    Over,
}

/// The phase that is being sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Sending {
    pub(super) stage: StageIdx,
    pub(super) phase: Phase,
    pub(super) began_ns: u64,
    /// Requests in all, where the plan says so.
    pub(super) of: Option<u64>,
    /// When the plan stops sending, where it says so.
    pub(super) until_ns: Option<u64>,
}

impl Live {
    pub(super) fn began(&self) {
        let now = self.in_flight.load(Relaxed) + 1;
        self.in_flight.store(now, Relaxed);
        self.peak.fetch_max(now, Relaxed);
    }

    pub(super) fn ended(&self) {
        let now = self.in_flight.load(Relaxed).saturating_sub(1);
        self.in_flight.store(now, Relaxed);
        self.ended.fetch_add(1, Relaxed);
    }

    /// Content events that a request under way received.
    pub fn add_tokens(&self, n: u64) {
        // One writer: a plain load and store is all that is needed.
        self.tokens.store(self.tokens.load(Relaxed) + n, Relaxed);
    }

    pub fn tokens(&self) -> u64 {
        self.tokens.load(Relaxed)
    }

    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// The most in flight at once since the last phase began.
    pub(super) fn peak(&self) -> u32 {
        self.peak.load(Relaxed)
    }

    /// Requests of the phase under way that ended.
    pub(super) fn n_ended(&self) -> u64 {
        self.ended.load(Relaxed)
    }

    pub(super) fn place(&self) -> Place {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, place: Place) {
        if matches!(place, Place::Sending(_)) {
            self.ended.store(0, Relaxed);
            self.peak.store(self.in_flight(), Relaxed);
        }
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}
