//! Whether this machine kept up: how late a ticker on the I/O runtime was, our own CPU, memory and descriptors.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::time::sleep_until;

use crate::domain::Health;
use crate::stats::Histogram;
use crate::transport::{Clock, limits};

/// The ticker's period (measurement.md: a 10 ms ticker on the runtime).
pub const TICK_NS: u64 = 10_000_000;
/// A gap between two ticks above this is no lateness: the machine slept, or this process was stopped.
pub const SLEPT_NS: u64 = 2_000_000_000;
/// Ticks of one stall that are counted one by one at most.
const MAX_MISSED: u64 = 1_000;
/// How often CPU, memory and descriptors are looked at.
pub const SAMPLE_NS: u64 = 1_000_000_000;
/// The span over which CPU use is a mean (measurement.md).
pub const CPU_SPAN_NS: u64 = 5_000_000_000;

/// How late the ticks came; written by the I/O thread, read by the recorder.
#[derive(Debug, Default)]
pub struct Ticks {
    log: Mutex<TickLog>,
    due_ns: AtomicU64,
}

/// What the ticks showed so far.
#[derive(Clone, Debug, Default)]
pub struct TickLog {
    /// In microseconds.
    late: Histogram,
}

impl TickLog {
    /// A tick that was due then came now. Ticks that a blocked runtime missed count too, each with its own lateness: one
    /// long stall is not one late tick. Returns when the next is due.
    pub fn tick(&mut self, due_ns: u64, now_ns: u64) -> u64 {
        let late_ns = now_ns.saturating_sub(due_ns);
        // A stop of hours must not be counted tick by tick.
        let n_missed = (late_ns / TICK_NS).min(MAX_MISSED);
        for missed in 0..=n_missed {
            self.late.record((late_ns - missed * TICK_NS) / 1_000);
        }
        due_ns + (late_ns / TICK_NS + 1) * TICK_NS
    }

    /// The wall clock went ahead of ours by that much. A machine that sleeps stops our clock on some systems, so this is
    /// a late tick when it is more than clocks are ever trimmed by.
    pub fn wall_moved(&mut self, by_ns: i64) {
        if let Ok(ns) = u64::try_from(by_ns)
            && ns > SLEPT_NS
        {
            self.late.record(ns / 1_000);
        }
    }

    /// The machine slept, this process was stopped, or its clock was set.
    pub fn has_slept(&self) -> bool {
        self.late
            .ends()
            .is_some_and(|(_, us)| us > SLEPT_NS / 1_000)
    }

    /// Never of one late tick alone: in a run of less than a second, p99 would be the worst of them all, and one late tick
    /// casts a doubt at most (measurement.md).
    pub fn p99_ms(&self) -> Option<f64> {
        let n = self.late.n();
        let rank = (n * 99).div_ceil(100).min(n.saturating_sub(1)).max(1);
        self.late.value_at_rank(rank).map(|us| us as f64 / 1e3)
    }

    pub fn max_ms(&self) -> Option<f64> {
        self.late.ends().map(|(_, us)| us as f64 / 1e3)
    }
}

impl Ticks {
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut TickLog) -> T) -> T {
        f(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first tick is due one period from now.
    pub(super) fn begin(&self, clock: &Clock) {
        self.due_ns.store(clock.now_ns() + TICK_NS, Relaxed);
    }

    /// Ticks until it is dropped; looks at the wall clock once a second.
    #[expect(
        clippy::infinite_loop,
        reason = "whoever runs it drops it at the run's end"
    )]
    pub(super) async fn run(&self, clock: &Clock) {
        let mut next_look_ns = clock.now_ns() + SAMPLE_NS;
        loop {
            sleep_until(clock.instant_from_ns(self.due_ns.load(Relaxed))).await;
            let now_ns = clock.now_ns();
            self.tick(now_ns);
            if now_ns >= next_look_ns {
                next_look_ns = now_ns + SAMPLE_NS;
                let moved_ns = clock.resample();
                self.with(|log| log.wall_moved(moved_ns));
            }
        }
    }

    /// Counts the tick that a blocked thread owed at the end.
    pub(super) fn end(&self, clock: &Clock) {
        let now_ns = clock.now_ns();
        if now_ns > self.due_ns.load(Relaxed) {
            self.tick(now_ns);
        }
    }

    fn tick(&self, now_ns: u64) {
        let due_ns = self.due_ns.load(Relaxed);
        let next_ns = self.with(|log| log.tick(due_ns, now_ns));
        self.due_ns.store(next_ns, Relaxed);
    }
}

/// Looks at this process once a second; lives on the recorder's thread.
pub(super) struct Sampler {
    /// `None` on a system that does not let itself be looked at.
    system: Option<System>,
    pid: Option<Pid>,
    cores: f64,
    next_ns: u64,
    /// When, and the CPU time used until then.
    cpu: VecDeque<(u64, Duration)>,
    cpu_percent: Option<f64>,
    cpu_max_percent_of_cores: Option<f64>,
    memory_bytes: Option<u64>,
    open_files: Option<u64>,
    open_files_max: Option<u64>,
    memory_max: Option<u64>,
}

impl Sampler {
    pub(super) fn new(cores: u32) -> Self {
        Self {
            system: System::new().ok(),
            pid: sysinfo::get_current_pid().ok(),
            cores: f64::from(cores.max(1)),
            next_ns: 0,
            cpu: VecDeque::new(),
            cpu_percent: None,
            cpu_max_percent_of_cores: None,
            memory_bytes: None,
            open_files: None,
            open_files_max: None,
            memory_max: None,
        }
    }

    /// Looks, if it is time to. Says whether it did.
    pub(super) fn look(&mut self, now_ns: u64) -> bool {
        if now_ns < self.next_ns {
            return false;
        }
        self.next_ns = now_ns + SAMPLE_NS;
        if let Some((pid, system)) = self.pid.zip(self.system.as_mut()) {
            system.refresh_processes_specifics(
                ProcessesToUpdate::Some(&[pid]),
                false,
                ProcessRefreshKind::nothing().with_cpu().with_memory(),
            );
            if let Some(process) = system.process(pid) {
                self.memory_bytes = Some(process.memory());
                let used = Duration::from_millis(process.accumulated_cpu_time());
                self.note_cpu(now_ns, used);
            }
        }
        self.open_files = limits::open_descriptors();
        self.open_files_max = self.open_files_max.max(self.open_files);
        self.memory_max = self.memory_max.max(self.memory_bytes);
        true
    }

    fn note_cpu(&mut self, now_ns: u64, used: Duration) {
        let share = |from: &(u64, Duration)| {
            let wall = now_ns.saturating_sub(from.0) as f64 / 1e9;
            (wall > 0.0).then(|| used.saturating_sub(from.1).as_secs_f64() / wall * 100.0)
        };
        self.cpu_percent = self.cpu.back().and_then(share).or(self.cpu_percent);
        while self
            .cpu
            .get(1)
            .is_some_and(|(at, _)| at + CPU_SPAN_NS <= now_ns)
        {
            self.cpu.pop_front();
        }
        if let Some(first) = self.cpu.front()
            && first.0 + CPU_SPAN_NS <= now_ns
            && let Some(percent) = share(first)
        {
            let of_cores = percent / self.cores;
            self.cpu_max_percent_of_cores = Some(
                self.cpu_max_percent_of_cores
                    .map_or(of_cores, |max| max.max(of_cores)),
            );
        }
        self.cpu.push_back((now_ns, used));
    }

    /// The latest sample, without what the records tell.
    pub(super) fn health(&self, ticks: &TickLog) -> Health {
        Health {
            cpu_percent: self.cpu_percent,
            cpu_max_percent_of_cores: self.cpu_max_percent_of_cores,
            tick_p99_ms: ticks.p99_ms(),
            tick_max_ms: ticks.max_ms(),
            open_files: self.open_files,
            max_files: limits::descriptor_limit(),
            memory_bytes: self.memory_bytes,
            ..Health::default()
        }
    }

    /// As `health`, with the most of what grows and shrinks.
    pub(super) fn maxima(&self, health: &Health) -> Health {
        Health {
            open_files: self.open_files_max,
            memory_bytes: self.memory_max,
            ..health.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_ticker_is_on_time() {
        let mut log = TickLog::default();
        let mut due = TICK_NS;
        for _ in 0..1_000 {
            due = log.tick(due, due + 400_000);
        }
        assert!(log.p99_ms().unwrap() < 1.0);
        assert!(!log.has_slept());
        assert_eq!(due, 1_001 * TICK_NS);
    }

    #[test]
    fn one_late_tick_of_few_is_not_their_p99() {
        let mut log = TickLog::default();
        assert_eq!(log.p99_ms(), None);
        let mut due = TICK_NS;
        for late_ns in [0, 0, 9_000_000, 0] {
            due = log.tick(due, due + late_ns);
        }
        assert!(log.p99_ms().unwrap() < 1.0);
        log.tick(due, due + 9_000_000);
        assert!(log.p99_ms().unwrap() > 8.0, "two of five are no accident");
    }

    #[test]
    fn a_stall_counts_every_tick_it_swallowed() {
        let mut log = TickLog::default();
        let mut due = TICK_NS;
        for _ in 0..100 {
            due = log.tick(due, due);
        }
        // A stall of 300 ms swallows 30 ticks: 30 of 131 are late, and p99 must see it.
        due = log.tick(due, due + 300_000_000);
        assert_eq!(due, (101 + 31) * TICK_NS);
        assert!(log.p99_ms().unwrap() > 250.0, "{:?}", log.p99_ms());
        assert!((log.max_ms().unwrap() - 300.0).abs() < 1e-9);
        assert!(!log.has_slept());
    }

    #[test]
    fn three_seconds_without_a_tick_is_sleep() {
        let mut log = TickLog::default();
        log.tick(TICK_NS, TICK_NS + 3_000_000_000);
        assert!(log.has_slept());
        let mut log = TickLog::default();
        log.wall_moved(1_000_000);
        log.wall_moved(-3_600_000_000_000);
        assert!(!log.has_slept());
        log.wall_moved(3_600_000_000_000);
        assert!(log.has_slept());
        assert_eq!(log.max_ms(), Some(3_600_000.0));
    }

    #[test]
    fn cpu_is_a_mean_over_five_seconds() {
        let mut sampler = Sampler::new(2);
        for second in 0..=4_u64 {
            sampler.note_cpu(second * SAMPLE_NS, Duration::from_secs(second * 2));
        }
        assert_eq!(sampler.cpu_percent, Some(200.0));
        assert_eq!(sampler.cpu_max_percent_of_cores, None, "4 s are too short");
        sampler.note_cpu(5 * SAMPLE_NS, Duration::from_secs(10));
        assert_eq!(sampler.cpu_max_percent_of_cores, Some(100.0));
        for second in 6..=20_u64 {
            sampler.note_cpu(second * SAMPLE_NS, Duration::from_secs(10));
        }
        assert_eq!(sampler.cpu_percent, Some(0.0));
        assert_eq!(sampler.cpu_max_percent_of_cores, Some(100.0));
    }
}
