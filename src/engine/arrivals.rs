//! Who may send how much: quotas and the gates that hold them.
//!
//! A closed load has no schedule beyond its rounds (Schroeder et al., "Open versus closed", NSDI '06); that of an open one
//! is made in [`super::schedule`].

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::domain::{Stage, StageEnd, WAVE_JITTER_MS, Warmup};
use crate::stats::SplitMix64;

/// How much a phase sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Quota {
    /// That many in all.
    Requests(u64),
    /// That many by each user.
    PerUser(u64),
    /// As many as it gets done in that time.
    ForNs(u64),
}

impl Quota {
    pub(super) fn of_stage(stage: &Stage) -> Self {
        match stage.end {
            StageEnd::Requests(n) => Self::Requests(n.get()),
            StageEnd::RequestsPerUser(n) => Self::PerUser(u64::from(n.get())),
            StageEnd::DurationSecs(secs) => Self::ForNs(ns_from_secs(secs)),
            StageEnd::WholeTrace(_) => Self::Requests(u64::MAX),
        }
    }

    pub(super) fn of_warmup(warmup: Warmup) -> Option<Self> {
        match warmup {
            Warmup::None => None,
            Warmup::Requests(n) => Some(Self::Requests(u64::from(n.get()))),
            Warmup::Secs(secs) => Some(Self::ForNs(ns_from_secs(secs))),
        }
    }

    /// As the end of a stage that is made of it.
    pub(super) fn as_end(self) -> StageEnd {
        let count = |n: u64| NonZeroU64::new(n).unwrap_or(NonZeroU64::MIN);
        match self {
            Self::Requests(u64::MAX) => StageEnd::WholeTrace(true),
            Self::Requests(n) | Self::PerUser(n) => StageEnd::Requests(count(n)),
            Self::ForNs(ns) => StageEnd::DurationSecs(ns as f64 / 1e9),
        }
    }

    /// Requests of that many users in all; `None` when it ends by time.
    pub(super) fn n_requests(self, n_users: usize) -> Option<u64> {
        match self {
            Self::Requests(n) => Some(n).filter(|n| *n != u64::MAX),
            Self::PerUser(n) => Some(n.saturating_mul(n_users as u64)),
            Self::ForNs(_) => None,
        }
    }
}

/// Hands out the permissions to send of one phase.
#[derive(Debug)]
pub(super) struct Gate {
    left: AtomicU64,
    taken: AtomicU64,
    quota: Quota,
    per_user: u64,
    /// No request is sent at or after this.
    until_ns: AtomicU64,
    /// `until_ns` is the run's own end, not the phase's.
    is_cut: bool,
    /// Somebody had more to send at the run's own end.
    cut_short: AtomicBool,
}

impl Gate {
    /// A gate that opens at `now_ns` and, whatever the quota says, lets nothing through from `latest_ns` on.
    pub(super) fn new(quota: Quota, now_ns: u64, latest_ns: Option<u64>) -> Self {
        let latest_ns = latest_ns.unwrap_or(u64::MAX);
        let (left, per_user, until_ns) = match quota {
            Quota::Requests(n) => (n, u64::MAX, u64::MAX),
            Quota::PerUser(n) => (u64::MAX, n, u64::MAX),
            Quota::ForNs(ns) => (u64::MAX, u64::MAX, now_ns.saturating_add(ns)),
        };
        Self {
            left: AtomicU64::new(left),
            taken: AtomicU64::new(0),
            quota,
            per_user,
            until_ns: AtomicU64::new(until_ns.min(latest_ns)),
            is_cut: latest_ns < until_ns,
            cut_short: AtomicBool::new(false),
        }
    }

    /// When sending ends, where time ends it.
    pub(super) fn until_ns(&self) -> Option<u64> {
        Some(self.until_ns.load(Relaxed)).filter(|ns| *ns != u64::MAX)
    }

    /// Lets nothing through any more.
    pub(super) fn close(&self, now_ns: u64) {
        self.until_ns.fetch_min(now_ns, Relaxed);
    }

    /// What is left of the quota of a phase of `n_users` that began at `began_ns` and is left at `now_ns`; `None` when
    /// that is nothing.
    pub(super) fn rest(&self, n_users: u32, began_ns: u64, now_ns: u64) -> Option<Quota> {
        match self.quota {
            Quota::ForNs(ns) => {
                let left = began_ns.saturating_add(ns).saturating_sub(now_ns);
                (left > 0).then_some(Quota::ForNs(left))
            }
            Quota::Requests(_) | Quota::PerUser(_) => {
                let n = self.quota.n_requests(n_users as usize)?;
                let left = n.saturating_sub(self.taken.load(Relaxed));
                (left > 0).then_some(Quota::Requests(left))
            }
        }
    }

    /// Whether a user that has sent `sent` requests of the phase may send another now; takes the permission.
    pub(super) fn pass(&self, sent: u64, now_ns: u64) -> bool {
        if sent >= self.per_user || self.is_late(now_ns) {
            return false;
        }
        let taken = self
            .left
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        self.taken.fetch_add(u64::from(taken.is_ok()), Relaxed);
        taken.is_ok()
    }

    /// Permissions taken.
    pub(super) fn n_taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    /// Whether a request that is due then may be sent, as far as time and count say; takes nothing.
    pub(super) fn is_open_at(&self, due_ns: u64) -> bool {
        !self.is_late(due_ns) && self.left.load(Relaxed) > 0
    }

    fn is_late(&self, now_ns: u64) -> bool {
        let late = now_ns >= self.until_ns.load(Relaxed);
        if late && self.is_cut && self.left.load(Relaxed) > 0 {
            self.cut_short.store(true, Relaxed);
        }
        late
    }

    /// The run's own end came before the phase had sent what it should.
    pub(super) fn is_cut_short(&self) -> bool {
        self.cut_short.load(Relaxed)
    }

    /// Users that a new round has work for; 0 when the phase is over.
    pub(super) fn round(&self, n_users: usize, rounds_done: u64, now_ns: u64) -> usize {
        if rounds_done >= self.per_user || self.is_late(now_ns) {
            return 0;
        }
        usize::try_from(self.left.load(Relaxed)).map_or(n_users, |left| left.min(n_users))
    }
}

/// How long a wave delays one request after its round's release, in whole milliseconds from 0 to [`WAVE_JITTER_MS`]:
/// the same for the same seed, stage, round and user on every machine.
pub(super) fn wave_jitter_ms(seed: u64, stage: u16, round: u64, user: u32) -> u64 {
    let key = mix(mix(mix(seed) ^ u64::from(stage)) ^ round) ^ u64::from(user);
    mix(key) % (WAVE_JITTER_MS + 1)
}

fn mix(state: u64) -> u64 {
    SplitMix64::new(state).next_u64()
}

/// Nanoseconds of a plan's seconds; 0 for what is not a time, a lifetime for what is longer.
pub(super) fn ns_from_secs(secs: f64) -> u64 {
    Duration::try_from_secs_f64(secs.clamp(0.0, MAX_SECS))
        .map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}

/// 31 years: sums of a few such times still fit into what a clock can say.
const MAX_SECS: f64 = 1e9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_lets_exactly_its_quota_through() {
        let gate = Gate::new(Quota::Requests(3), 0, None);
        let passed = (0..10).filter(|n| gate.pass(*n, 5)).count();
        assert_eq!(passed, 3);
        assert_eq!(gate.round(8, 1, 5), 0);

        let gate = Gate::new(Quota::PerUser(2), 0, None);
        assert!(gate.pass(0, 5) && gate.pass(1, 5) && !gate.pass(2, 5));
        assert_eq!(gate.round(8, 1, 5), 8);
        assert_eq!(gate.round(8, 2, 5), 0);

        let gate = Gate::new(Quota::ForNs(100), 1_000, None);
        assert!(gate.pass(7, 1_099) && !gate.pass(7, 1_100));
        let gate = Gate::new(Quota::ForNs(100), 1_000, Some(1_050));
        assert_eq!(gate.until_ns(), Some(1_050));
        assert!(!gate.is_cut_short());
        assert!(!gate.pass(0, 1_050) && gate.is_cut_short());
    }

    #[test]
    fn a_gate_that_is_closed_knows_what_is_left() {
        let gate = Gate::new(Quota::Requests(5), 100, None);
        assert!(gate.pass(0, 110) && gate.pass(1, 120));
        gate.close(130);
        assert!(!gate.pass(2, 130));
        assert_eq!(gate.until_ns(), Some(130));
        assert_eq!(gate.rest(1, 100, 130), Some(Quota::Requests(3)));
        assert_eq!(
            Quota::Requests(3).as_end(),
            StageEnd::Requests(NonZeroU64::new(3).unwrap())
        );

        let gate = Gate::new(Quota::PerUser(2), 0, None);
        assert!(gate.pass(0, 1) && gate.pass(1, 2) && gate.pass(0, 3));
        assert_eq!(gate.rest(2, 0, 5), Some(Quota::Requests(1)));
        assert!(gate.pass(1, 4));
        assert_eq!(gate.rest(2, 0, 5), None);

        let gate = Gate::new(Quota::ForNs(2_000_000_000), 100, None);
        let rest = gate.rest(1, 100, 500_000_100);
        assert_eq!(rest, Some(Quota::ForNs(1_500_000_000)));
        assert_eq!(rest.unwrap().as_end(), StageEnd::DurationSecs(1.5));
        assert_eq!(gate.rest(1, 100, 2_000_000_100), None);
    }

    #[test]
    fn a_last_round_is_as_small_as_what_is_left() {
        let gate = Gate::new(Quota::Requests(10), 0, None);
        let mut rounds = Vec::new();
        loop {
            let n = gate.round(4, rounds.len() as u64, 0);
            if n == 0 {
                break;
            }
            assert!((0..n).all(|_| gate.pass(rounds.len() as u64, 0)));
            rounds.push(n);
        }
        assert_eq!(rounds, [4, 4, 2]);
    }

    #[test]
    fn jitter_stays_in_its_range_and_fills_it() {
        let drawn: Vec<u64> = (0..4_000).map(|u| wave_jitter_ms(1, 0, 0, u)).collect();
        assert!(drawn.iter().all(|ms| *ms <= WAVE_JITTER_MS));
        let mean = drawn.iter().sum::<u64>() as f64 / 4_000.0;
        // The mean of 0..=500 is 250 with a standard error of 2.3.
        assert!((mean - 250.0).abs() < 12.0, "{mean}");
        assert_ne!(wave_jitter_ms(1, 0, 0, 0), wave_jitter_ms(1, 0, 1, 0));
        assert_eq!(wave_jitter_ms(7, 2, 3, 4), wave_jitter_ms(7, 2, 3, 4));
    }
}
