//! What the I/O thread lets others see while it works: relaxed counters, and where the run stands.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::domain::{Phase, StageIdx};

/// Counters of a run under way. Written by the I/O thread alone, read by anyone.
#[derive(Debug)]
pub struct Live {
    in_flight: AtomicU32,
    tokens: AtomicU64,
    ended: AtomicU64,
    /// When each user's request under way was sent; [`IDLE`] where there is none.
    starts_ns: Box<[AtomicU64]>,
    place: Mutex<Place>,
}

const IDLE: u64 = u64::MAX;

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
    /// By the person, in that stage, before what is left of it.
    Paused {
        stage: StageIdx,
        at: At,
    },
    Sending(Sending),
    Over,
}

/// The phase that is being sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sending {
    /// As run.
    pub(super) stage: StageIdx,
    pub(super) at: At,
    pub(super) phase: Phase,
    pub(super) began_ns: u64,
    /// Requests of the phase that ended before, in earlier cycles of a cold probe.
    pub(super) before: u64,
    /// Requests of the phase in all, where the plan says so.
    pub(super) of: Option<u64>,
    /// When the plan stops sending, where it says so.
    pub(super) until_ns: Option<u64>,
}

/// Where in the plan as asked a phase is: the stage, and from where to where in its Measure, from 0 to 1: one that
/// unfolds is a part for each that it becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct At {
    pub(super) asked: StageIdx,
    pub(super) span: (f64, f64),
}

impl Live {
    /// For at most that many users.
    pub fn new(n_users: u32) -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            tokens: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            starts_ns: (0..n_users).map(|_| AtomicU64::new(IDLE)).collect(),
            place: Mutex::default(),
        }
    }

    pub(super) fn began(&self, user: u32, now_ns: u64) {
        self.mark(user, now_ns);
        let n = self.in_flight.load(Relaxed);
        self.in_flight.store(n + 1, Relaxed);
    }

    pub(super) fn ended(&self, user: u32) {
        self.mark(user, IDLE);
        let n = self.in_flight.load(Relaxed);
        self.in_flight.store(n.saturating_sub(1), Relaxed);
        self.ended.store(self.ended.load(Relaxed) + 1, Relaxed);
    }

    fn mark(&self, user: u32, ns: u64) {
        if let Some(start) = self.starts_ns.get(user as usize) {
            start.store(ns, Relaxed);
        }
    }

    /// When each of the requests under way was sent.
    pub(super) fn running_since_ns(&self) -> Vec<u64> {
        let starts = self.starts_ns.iter().map(|ns| ns.load(Relaxed));
        starts.filter(|ns| *ns != IDLE).collect()
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
        }
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}
