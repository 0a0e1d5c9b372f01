//! Wakes the open executor when a request is due, to within what the system's best timer gives.
//!
//! tokio's own timers have a grain of 1 ms, which would be most of a request's slip. On Linux a `timerfd` with absolute
//! deadlines on `CLOCK_MONOTONIC` is polled by the runtime beside its sockets: no second thread, no timer slack, and
//! the wake-up is the one that a socket's event has. Measured at 1,000 a second beside a pacer thread with
//! `clock_nanosleep` and a slack of 1 ns: half of all wake-ups within 0.04 and 0.06 ms. Elsewhere the last moments are
//! yielded away.

use std::time::Duration;

use tokio::time::sleep_until;

use crate::transport::Clock;

/// Beyond the grain of tokio's timers, which wake up to that much late.
const GRAIN: Duration = Duration::from_millis(2);

/// How deadlines are waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pacing {
    /// By the best timer there is.
    Real,
    /// In the paused time of a test, to the nanosecond.
    #[cfg(test)]
    Virtual,
}

pub(super) struct Pacer {
    clock: Clock,
    pacing: Pacing,
    #[cfg(target_os = "linux")]
    timer: Option<timer::Timer>,
}

impl Pacer {
    /// To be made within the runtime that waits.
    pub(super) fn new(clock: &Clock, pacing: Pacing) -> Self {
        Self {
            clock: clock.clone(),
            pacing,
            #[cfg(target_os = "linux")]
            timer: (pacing == Pacing::Real)
                .then(|| timer::Timer::new(clock).ok())
                .flatten(),
        }
    }

    /// Returns at that time, or at once when it has passed. May be dropped and called again.
    pub(super) async fn until(&mut self, due_ns: u64) {
        if self.clock.now_ns() >= due_ns {
            return;
        }
        match self.pacing {
            Pacing::Real => self.until_real(due_ns).await,
            #[cfg(test)]
            Pacing::Virtual => self.until_virtual(due_ns).await,
        }
    }

    async fn until_real(&mut self, due_ns: u64) {
        #[cfg(target_os = "linux")]
        if let Some(timer) = &mut self.timer
            && timer.until(&self.clock, due_ns).await.is_ok()
        {
            return;
        }
        until_nearly(&self.clock, due_ns).await;
    }

    /// tokio's paused time moves by whole milliseconds; what is between is stepped over by hand, when all others have
    /// done what they do at that time.
    #[cfg(test)]
    async fn until_virtual(&self, due_ns: u64) {
        const MS: u64 = 1_000_000;
        loop {
            let now_ns = self.clock.now_ns();
            let left_ns = due_ns.saturating_sub(now_ns);
            if left_ns == 0 {
                return;
            }
            let to_whole_ns = MS - now_ns % MS;
            if to_whole_ns == MS && left_ns >= MS {
                let whole = self.clock.instant_from_ns(due_ns / MS * MS);
                sleep_until(whole).await;
            } else {
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
                tokio::time::advance(Duration::from_nanos(left_ns.min(to_whole_ns))).await;
            }
        }
    }
}

/// Sleeps until shortly before, then lets others run until it is time.
async fn until_nearly(clock: &Clock, due_ns: u64) {
    let due = clock.instant_from_ns(due_ns);
    if let Some(before) = due.checked_sub(GRAIN) {
        sleep_until(before).await;
    }
    while clock.now_ns() < due_ns {
        tokio::task::yield_now().await;
    }
}

#[cfg(target_os = "linux")]
mod timer {
    use std::io;
    use std::os::fd::{AsFd as _, AsRawFd, RawFd};

    use nix::sys::time::{TimeSpec, TimeValLike as _};
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::unix::AsyncFd;

    use crate::transport::Clock;

    struct Fd(TimerFd);

    impl AsRawFd for Fd {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    /// A timer of the kernel that a runtime polls.
    pub(super) struct Timer {
        fd: AsyncFd<Fd>,
        /// The run's epoch on `CLOCK_MONOTONIC`.
        epoch_ns: i64,
        armed_ns: Option<u64>,
    }

    impl Timer {
        pub(super) fn new(clock: &Clock) -> io::Result<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let fd = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
            #[expect(
                deprecated,
                reason = "its successor is unsafe for descriptors that change under it; this one is owned to the end"
            )]
            let fd = AsyncFd::new(Fd(fd))?;
            Ok(Self {
                fd,
                epoch_ns: epoch_ns(clock)?,
                armed_ns: None,
            })
        }

        pub(super) async fn until(&mut self, clock: &Clock, due_ns: u64) -> io::Result<()> {
            while clock.now_ns() < due_ns {
                if self.armed_ns != Some(due_ns) {
                    self.arm(due_ns)?;
                }
                let mut ready = self.fd.readable().await?;
                // Nothing to read: the readiness was that of an earlier deadline.
                self.fd.get_ref().0.wait().ok();
                ready.clear_ready();
                self.armed_ns = None;
            }
            Ok(())
        }

        fn arm(&mut self, due_ns: u64) -> io::Result<()> {
            let at_ns = self.epoch_ns.saturating_add_unsigned(due_ns);
            let at = Expiration::OneShot(TimeSpec::nanoseconds(at_ns));
            let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
            self.fd.get_ref().0.set(at, flags)?;
            self.armed_ns = Some(due_ns);
            Ok(())
        }
    }

    /// Never too early: the clock is looked at again after waking.
    fn epoch_ns(clock: &Clock) -> io::Result<i64> {
        let wide = i64::MAX;
        let mut best = (wide, 0);
        for _ in 0..9 {
            let before = clock.now_ns();
            let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
            let width = i64::try_from(clock.now_ns() - before).unwrap_or(wide);
            if width < best.0 {
                let epoch = now.num_nanoseconds().saturating_sub_unsigned(before);
                best = (width, epoch - width / 2);
            }
        }
        Ok(best.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn virtual_time_is_met_to_the_nanosecond() {
        let clock = Clock::new();
        let mut pacer = Pacer::new(&clock, Pacing::Virtual);
        for due_ns in [0, 1, 999_999, 1_000_000, 1_000_001, 5_432_100, 5_432_100, 3] {
            let before = clock.now_ns();
            pacer.until(due_ns).await;
            assert_eq!(clock.now_ns(), due_ns.max(before));
        }
    }

    #[tokio::test]
    async fn no_deadline_is_met_too_early_however_it_is_waited_for() {
        let clock = Clock::new();
        let mut pacer = Pacer::new(&clock, Pacing::Real);
        let first_ns = clock.now_ns() + 3_000_000;
        for i in 0..20 {
            let due_ns = first_ns + i * 700_000;
            pacer.until(due_ns).await;
            assert!(clock.now_ns() >= due_ns);
        }
        // One that was given up leaves nothing behind.
        let soon_ns = clock.now_ns() + 1_000_000;
        let short = Duration::from_millis(1);
        tokio::time::timeout(short, pacer.until(soon_ns + 3_600_000_000_000))
            .await
            .unwrap_err();
        pacer.until(soon_ns + 1_000_000).await;
        let now_ns = clock.now_ns();
        assert!(now_ns >= soon_ns + 1_000_000 && now_ns < soon_ns + 60_000_000_000);
        let due_ns = clock.now_ns() + 3_000_000;
        until_nearly(&clock, due_ns).await;
        assert!(clock.now_ns() >= due_ns);
    }
}
