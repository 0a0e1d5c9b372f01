//! The run's zero: every mark of a run is an offset from it on one monotonic clock.

use std::time::Duration;

use tokio::time::Instant;

/// The instant that a run counts from.
#[derive(Clone, Copy, Debug)]
pub struct Epoch(Instant);

impl Epoch {
    /// Zero is now.
    pub fn now() -> Self {
        Self(Instant::now())
    }

    /// Zero is that instant.
    pub fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// Nanoseconds since the epoch.
    pub fn now_ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The instant that lies `ns` after the epoch; for a time beyond what the clock can say, a day from now.
    pub fn instant(self, ns: u64) -> Instant {
        self.0
            .checked_add(Duration::from_nanos(ns))
            .unwrap_or_else(|| Instant::now() + Duration::from_hours(24))
    }
}

/// Nanoseconds of a plan's seconds; 0 for what is not a time, the most that fits for what is too long.
pub(super) fn ns_from_secs(secs: f64) -> u64 {
    Duration::try_from_secs_f64(secs.clamp(0.0, 1e9))
        .map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}
