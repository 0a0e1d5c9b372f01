//! The run's one clock: nanoseconds from its epoch, and what turns the kernel's receive stamps into them.
//!
//! `SO_TIMESTAMPNS` stamps are `CLOCK_REALTIME`. Both clocks run at the same rate (the kernel disciplines them together),
//! so one offset serves until somebody steps the wall clock or the machine sleeps; it is taken again each second.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Tries for one offset; the tightest wins.
const N_OFFSET_SAMPLES: u32 = 9;
/// A converted stamp this far outside what is possible means that the wall clock was stepped.
const STEP_NS: i64 = 1_000_000;

/// Clones share one epoch.
#[derive(Clone, Debug)]
pub struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    epoch: Instant,
    /// The epoch in wall time, in ns since 1970: what is subtracted from a kernel stamp.
    offset_ns: AtomicI64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// The epoch is now.
    pub fn new() -> Self {
        let clock = Self {
            inner: Arc::new(Inner {
                epoch: Instant::now(),
                offset_ns: AtomicI64::new(0),
            }),
        };
        clock.resample();
        clock
    }

    pub fn epoch(&self) -> Instant {
        self.inner.epoch
    }

    /// Nanoseconds since the epoch, on the monotonic clock (which a test can pause).
    pub fn now_ns(&self) -> u64 {
        self.ns_from_instant(Instant::now())
    }

    /// 0 before the epoch.
    pub fn ns_from_instant(&self, instant: Instant) -> u64 {
        u64_from_duration(instant.saturating_duration_since(self.inner.epoch))
    }

    pub fn instant_from_ns(&self, ns: u64) -> Instant {
        self.inner.epoch + Duration::from_nanos(ns)
    }

    /// The epoch in wall time, as last sampled: nanoseconds since 1970.
    pub fn epoch_unix_ns(&self) -> i64 {
        self.inner.offset_ns.load(Ordering::Relaxed)
    }

    /// Takes the offset of the wall clock again, and returns by how many nanoseconds it moved against ours. To be called
    /// each second; a large answer means that the wall clock was stepped or the machine slept.
    pub fn resample(&self) -> i64 {
        let mut best: Option<(u64, i64)> = None;
        for _ in 0..N_OFFSET_SAMPLES {
            let before = self.now_ns();
            let wall = unix_ns();
            let after = self.now_ns();
            let width = after - before;
            if best.is_none_or(|(narrowest, _)| width < narrowest) {
                best = Some((width, wall - i64_from_ns(before + width / 2)));
            }
        }
        let offset = best.map_or(0, |(_, offset)| offset);
        offset - self.inner.offset_ns.swap(offset, Ordering::Relaxed)
    }

    /// A kernel stamp (ns since 1970) as an offset from the epoch. Never after `now_ns`, never before `floor_ns` (the
    /// connection's previous stamp); a stamp far outside of that makes the offset be taken again first.
    pub(super) fn mark_from_unix(&self, unix_ns: i64, now_ns: u64, floor_ns: u64) -> u64 {
        let mut at = unix_ns.saturating_sub(self.epoch_unix_ns());
        let latest = i64_from_ns(now_ns).saturating_add(STEP_NS);
        let earliest = i64_from_ns(floor_ns).saturating_sub(STEP_NS);
        if at > latest || at < earliest {
            self.resample();
            at = unix_ns.saturating_sub(self.epoch_unix_ns());
        }
        u64::try_from(at).unwrap_or(0).min(now_ns).max(floor_ns)
    }
}

/// The wall clock.
fn unix_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64_from_ns(u64_from_duration(since)))
}

pub(super) fn u64_from_duration(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn i64_from_ns(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_is_counted_from_the_epoch() {
        let clock = Clock::new();
        assert_eq!(clock.now_ns(), 0);
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(clock.now_ns(), 1_500_000_000);
        assert_eq!(
            clock.ns_from_instant(clock.instant_from_ns(42)),
            42,
            "there and back"
        );
    }

    #[test]
    fn a_wall_stamp_lands_between_two_looks_at_the_clock() {
        let clock = Clock::new();
        for _ in 0..100 {
            let before = clock.now_ns();
            let wall = unix_ns();
            let after = clock.now_ns();
            let at = clock.mark_from_unix(wall, after, 0);
            // Half of the narrowest sample is the most that an offset can be wrong by; a µs is generous.
            assert!(at + 1_000 >= before && at <= after, "{before} {at} {after}");
        }
    }

    #[test]
    fn a_stamp_is_never_in_the_future_nor_before_the_last() {
        let clock = Clock::new();
        let offset = clock.epoch_unix_ns();
        assert_eq!(clock.mark_from_unix(offset + 500, 400, 100), 400);
        assert_eq!(clock.mark_from_unix(offset + 50, 400, 100), 100);
        assert_eq!(clock.mark_from_unix(offset + 300, 400, 100), 300);
        assert_eq!(clock.mark_from_unix(i64::MIN, 400, 100), 100);
        assert_eq!(clock.mark_from_unix(i64::MAX, 400, 100), 400);
    }

    #[test]
    fn a_stepped_wall_clock_is_noticed_by_the_next_stamp() {
        let clock = Clock::new();
        let hour_ns = 3_600_000_000_000;
        // As if the wall clock had been set an hour forward, then back, after the offset was taken.
        for wrong in [-hour_ns, hour_ns] {
            clock.inner.offset_ns.fetch_add(wrong, Ordering::Relaxed);
            let floor = clock.now_ns();
            let wall = unix_ns();
            let now = clock.now_ns();
            let at = clock.mark_from_unix(wall, now, floor);
            assert!(at >= floor && at <= now, "{floor} {at} {now}");
        }
        clock.inner.offset_ns.fetch_add(-hour_ns, Ordering::Relaxed);
        let moved = clock.resample();
        assert!((moved - hour_ns).abs() < STEP_NS, "{moved}");
    }
}
