//! The time limits of one request. One sleep for all of them: an event only notes its time, and the sleep looks again
//! when it is over, so that a stream of many events moves no timer.

use std::pin::Pin;

use tokio::time::Sleep;

use crate::domain::{Failure, FailureKind, Timeouts};
use crate::transport::Clock;

use super::arrivals::ns_from_secs;

/// A target's limits, in ns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    first_byte_ns: u64,
    idle_ns: u64,
    token_stall_ns: u64,
    total_ns: u64,
}

impl From<&Timeouts> for Limits {
    fn from(timeouts: &Timeouts) -> Self {
        Self {
            first_byte_ns: ns_from_secs(timeouts.first_byte_secs),
            idle_ns: ns_from_secs(timeouts.idle_secs),
            token_stall_ns: ns_from_secs(timeouts.token_stall_secs),
            total_ns: ns_from_secs(timeouts.total_secs),
        }
    }
}

/// Watches one request.
pub(super) struct Watchdog {
    limits: Limits,
    clock: Clock,
    sleep: Pin<Box<Sleep>>,
    started_ns: u64,
    /// When the call under way was begun.
    called_ns: u64,
    /// When the last piece of its body came.
    last_byte_ns: Option<u64>,
    /// When the last token came; before the first, when the stream began.
    last_token_ns: Option<u64>,
    /// How long the rest of a body is waited for whose outcome is known.
    done_until_ns: Option<u64>,
}

impl Watchdog {
    pub(super) fn new(limits: Limits, clock: &Clock, started_ns: u64) -> Self {
        Self {
            limits,
            clock: clock.clone(),
            sleep: Box::pin(tokio::time::sleep_until(
                clock.instant_from_ns(started_ns.saturating_add(limits.total_ns)),
            )),
            started_ns,
            called_ns: started_ns,
            last_byte_ns: None,
            last_token_ns: None,
            done_until_ns: None,
        }
    }

    /// A call is begun: its answer has the first-byte limit.
    pub(super) fn called(&mut self, now_ns: u64) {
        self.called_ns = now_ns;
        self.last_byte_ns = None;
        self.last_token_ns = None;
        self.done_until_ns = None;
        self.rearm();
    }

    /// The outcome is known: from now on only the rest of the body is waited for, and not for long.
    pub(super) fn done(&mut self, until_ns: u64) {
        self.done_until_ns = Some(until_ns);
        self.rearm();
    }

    pub(super) fn is_done(&self) -> bool {
        self.done_until_ns.is_some()
    }

    /// A piece of the body came. True for the first, after which other limits hold.
    pub(super) fn byte(&mut self, at_ns: u64) {
        let is_first = self.last_byte_ns.replace(at_ns).is_none();
        if is_first {
            self.last_token_ns = Some(at_ns);
            self.rearm();
        }
    }

    pub(super) fn token(&mut self, at_ns: u64) {
        self.last_token_ns = Some(at_ns);
    }

    /// The limit that is reached first as things stand, and when.
    fn next(&self) -> (u64, Limit) {
        if let Some(until_ns) = self.done_until_ns {
            return (until_ns, Limit::Done);
        }
        let total = (
            self.started_ns.saturating_add(self.limits.total_ns),
            Limit::Total,
        );
        let Some(last_byte_ns) = self.last_byte_ns else {
            let first = self.called_ns.saturating_add(self.limits.first_byte_ns);
            return total.min((first, Limit::FirstByte));
        };
        let idle = last_byte_ns.saturating_add(self.limits.idle_ns);
        let last_token_ns = self.last_token_ns.unwrap_or(last_byte_ns);
        let stall = last_token_ns.saturating_add(self.limits.token_stall_ns);
        total.min((idle, Limit::Idle)).min((stall, Limit::Stall))
    }

    fn rearm(&mut self) {
        let deadline = self.clock.instant_from_ns(self.next().0);
        self.sleep.as_mut().reset(deadline);
    }

    /// Returns when a limit is reached, with the failure; `None` when the outcome is known and the rest was waited for
    /// long enough. May be dropped and called again.
    pub(super) async fn bite(&mut self) -> Option<Failure> {
        loop {
            self.sleep.as_mut().await;
            let (at_ns, limit) = self.next();
            if at_ns <= self.clock.now_ns() {
                return self.failure(limit);
            }
            self.rearm();
        }
    }

    fn failure(&self, limit: Limit) -> Option<Failure> {
        let secs = |ns: u64| ns as f64 / 1e9;
        let Limits {
            first_byte_ns,
            idle_ns,
            token_stall_ns,
            total_ns,
        } = self.limits;
        let failure = match limit {
            Limit::Done => return None,
            Limit::FirstByte => Failure::new(
                FailureKind::TimeoutFirstByte,
                format!(
                    "No answer within {} s (first-byte timeout)",
                    secs(first_byte_ns)
                ),
            ),
            Limit::Idle => Failure::new(
                FailureKind::TimeoutIdle,
                format!("No byte for {} s (idle timeout)", secs(idle_ns)),
            ),
            Limit::Stall => Failure::new(
                FailureKind::TimeoutIdle,
                format!(
                    "No token for {} s, though the stream was alive (token-stall timeout)",
                    secs(token_stall_ns)
                ),
            ),
            Limit::Total => Failure::new(
                FailureKind::TimeoutTotal,
                format!("Not done within {} s (total timeout)", secs(total_ns)),
            ),
        };
        Some(failure)
    }
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Limit {
    Done,
    FirstByte,
    Idle,
    Stall,
    Total,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    const S: u64 = 1_000_000_000;

    fn watchdog(clock: &Clock) -> Watchdog {
        let limits = Limits::from(&Timeouts {
            connect_secs: 1.0,
            first_byte_secs: 5.0,
            idle_secs: 2.0,
            token_stall_secs: 3.0,
            total_secs: 20.0,
        });
        Watchdog::new(limits, clock, 0)
    }

    #[tokio::test(start_paused = true)]
    async fn each_limit_bites_at_its_own_instant() {
        let clock = Clock::new();
        let mut dog = watchdog(&clock);
        dog.called(0);
        assert_eq!(
            dog.bite().await.unwrap().kind,
            FailureKind::TimeoutFirstByte
        );
        assert_eq!(clock.now_ns(), 5 * S);

        dog.byte(5 * S);
        assert_eq!(dog.bite().await.unwrap().kind, FailureKind::TimeoutIdle);
        assert_eq!(clock.now_ns(), 7 * S);

        // Heartbeats each second feed idle, but no token comes.
        loop {
            dog.byte(clock.now_ns());
            if let Ok(failure) = timeout(Duration::from_secs(1), dog.bite()).await {
                let message = failure.unwrap().message;
                assert!(message.contains("token-stall"), "{message}");
                break;
            }
        }
        assert_eq!(clock.now_ns(), 8 * S);

        // Tokens come, but the whole takes too long.
        loop {
            dog.byte(clock.now_ns());
            dog.token(clock.now_ns());
            if let Ok(failure) = timeout(Duration::from_secs(1), dog.bite()).await {
                assert_eq!(failure.unwrap().kind, FailureKind::TimeoutTotal);
                break;
            }
        }
        assert_eq!(clock.now_ns(), 20 * S);

        dog.done(25 * S);
        assert_eq!(
            dog.bite().await,
            None,
            "nothing fails that is known to be over"
        );
        assert_eq!(clock.now_ns(), 25 * S);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_call_has_its_own_first_byte() {
        let clock = Clock::new();
        let mut dog = watchdog(&clock);
        dog.called(0);
        dog.byte(0);
        sleep(Duration::from_secs(1)).await;
        dog.called(clock.now_ns());
        assert_eq!(
            dog.bite().await.unwrap().kind,
            FailureKind::TimeoutFirstByte
        );
        assert_eq!(clock.now_ns(), 6 * S);
    }
}
