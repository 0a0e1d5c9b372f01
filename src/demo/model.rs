//! The service model: slots, a line in front of them, prefill, decode steps that slow down with the batch.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Script;

/// The one "GPU" that all requests share.
pub(super) struct Model {
    pub(super) script: Script,
    state: Mutex<State>,
    changed: Notify,
    next_ticket: AtomicU64,
    next_event: AtomicU64,
}

struct State {
    waiting: VecDeque<u64>,
    running: usize,
    random: u64,
    /// When the last request ended; `None` before the first.
    last_end: Option<Instant>,
    served: bool,
}

/// A place in line, and then a slot; both are given back when it is dropped.
pub(super) struct Job<'a> {
    model: &'a Model,
    pub(super) ticket: u64,
    holds_slot: bool,
    pub(super) cold: bool,
    pub(super) fails: Option<Failing>,
    due: Instant,
}

/// How a request of the script's error share ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failing {
    Status500,
    InStream,
}

impl Model {
    pub(super) fn new(script: Script) -> Self {
        let random = script.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let state = State {
            waiting: VecDeque::new(),
            running: 0,
            random,
            last_end: None,
            served: false,
        };
        Self {
            script,
            state: Mutex::new(state),
            changed: Notify::new(),
            next_ticket: AtomicU64::new(1),
            next_event: AtomicU64::new(1),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Stands in line; `Err(n)` when `n` wait already.
    pub(super) fn enqueue(&self) -> Result<Job<'_>, usize> {
        let mut state = self.state();
        if state.waiting.len() >= self.script.max_waiting && state.running >= self.script.slots {
            return Err(state.waiting.len());
        }
        let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        state.waiting.push_back(ticket);
        let fails = match state.unit() {
            u if u >= self.script.error_share => None,
            u if u < self.script.error_share / 2.0 => Some(Failing::Status500),
            _ => Some(Failing::InStream),
        };
        drop(state);
        Ok(Job {
            model: self,
            ticket,
            holds_slot: false,
            cold: false,
            fails,
            due: Instant::now(),
        })
    }

    /// Whether the line is full, and its greatest length.
    pub(super) fn line(&self) -> (bool, usize) {
        let state = self.state();
        (
            state.waiting.len() >= self.script.max_waiting && state.running >= self.script.slots,
            self.script.max_waiting,
        )
    }

    /// A number no other event has.
    pub(super) fn next_event(&self) -> u64 {
        self.next_event.fetch_add(1, Ordering::Relaxed)
    }

    /// Resolves at the next change of the line or the slots.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl State {
    /// xorshift64*, 0 to 1.
    fn unit(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// 1 ± `spread`, triangular.
    fn around_one(&mut self, spread: f64) -> f64 {
        1.0 + spread * (self.unit() + self.unit() - 1.0)
    }
}

impl Job<'_> {
    /// Place in line from 0, and the line's length; `None` once it runs.
    pub(super) fn rank(&self) -> Option<(usize, usize)> {
        let state = self.model.state();
        let place = state.waiting.iter().position(|t| *t == self.ticket)?;
        Some((place, state.waiting.len()))
    }

    /// Takes a slot if it is this job's turn.
    pub(super) fn try_start(&mut self) -> bool {
        let script = &self.model.script;
        let mut state = self.model.state();
        if state.running >= script.slots || state.waiting.front() != Some(&self.ticket) {
            return false;
        }
        state.waiting.pop_front();
        state.running += 1;
        let idle = state
            .last_end
            .filter(|_| state.running == 1)
            .map(|end| end.elapsed().as_secs_f64());
        let cooled =
            script.cold_after_secs > 0.0 && idle.is_some_and(|secs| secs >= script.cold_after_secs);
        self.cold = !state.served || cooled;
        state.served = true;
        self.holds_slot = true;
        drop(state);
        self.due = Instant::now();
        self.model.changed.notify_waiters();
        true
    }

    /// Waits for a slot.
    pub(super) async fn start(&mut self) {
        loop {
            let changed = self.model.changed.notified();
            if self.try_start() {
                return;
            }
            changed.await;
        }
    }

    /// Reads the prompt.
    pub(super) async fn prefill(&mut self, prompt_tokens: u64) {
        let script = &self.model.script;
        let mut ms = script.prefill_ms + script.prefill_ms_per_token * prompt_tokens as f64;
        if self.cold {
            ms += script.cold_ms;
        }
        ms *= self.model.state().around_one(script.jitter);
        self.wait(ms).await;
    }

    /// Makes the next token. Steps follow each other on an absolute schedule, so that the timer's grain does not add up.
    pub(super) async fn step(&mut self) {
        let script = &self.model.script;
        let ms = {
            let mut state = self.model.state();
            let stall = if state.unit() < script.stall_share {
                script.stall_ms
            } else {
                0.0
            };
            script.step_ms(state.running) * state.around_one(script.jitter) + stall
        };
        self.wait(ms).await;
    }

    async fn wait(&mut self, ms: f64) {
        self.due += Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default();
        tokio::time::sleep_until(self.due).await;
    }
}

impl Drop for Job<'_> {
    fn drop(&mut self) {
        let mut state = self.model.state();
        if self.holds_slot {
            state.running -= 1;
            state.last_end = Some(Instant::now());
        } else {
            state.waiting.retain(|t| *t != self.ticket);
        }
        drop(state);
        self.model.changed.notify_waiters();
    }
}

/// The `i`-th token of any answer, with its space.
pub(super) fn word(i: u64) -> &'static str {
    const SPACED: [&str; 24] = [
        "light ", "falls ", "on ", "two ", "slits ", "and ", "the ", "screen ", "shows ",
        "bright ", "bands ", "between ", "dark ", "ones ", "so ", "each ", "path ", "adds ",
        "its ", "phase ", "to ", "every ", "other ", "path. ",
    ];
    SPACED[usize::try_from(i % SPACED.len() as u64).unwrap_or(0)]
}

/// Tokens of a text, as this server counts them: one for every four characters, at least one.
pub(super) fn count_tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_third_request_waits_for_one_of_two_slots() {
        let model = Model::new(Script {
            slots: 2,
            ..Script::default()
        });
        let mut jobs: Vec<_> = (0..3).map(|_| model.enqueue().unwrap()).collect();
        assert!(jobs[0].try_start() && jobs[1].try_start() && !jobs[2].try_start());
        assert_eq!(jobs[2].rank(), Some((0, 1)));
        jobs.remove(0);
        assert!(jobs[1].try_start());
    }

    #[tokio::test(start_paused = true)]
    async fn steps_slow_down_with_the_batch_and_only_the_first_is_cold() {
        let script = Script {
            jitter: 0.0,
            prefill_ms: 10.0,
            prefill_ms_per_token: 1.0,
            cold_ms: 100.0,
            ..Script::default()
        };
        let model = Model::new(script);
        let began = Instant::now();
        let mut first = model.enqueue().unwrap();
        first.start().await;
        first.prefill(5).await;
        assert_eq!(began.elapsed().as_millis(), 115);
        let alone = Instant::now();
        first.step().await;
        let alone = alone.elapsed();
        let mut second = model.enqueue().unwrap();
        second.start().await;
        assert!(!second.cold);
        let shared = Instant::now();
        first.step().await;
        assert!(shared.elapsed() >= alone);
    }

    #[test]
    fn a_full_line_says_so() {
        let model = Model::new(Script {
            slots: 1,
            max_waiting: 1,
            ..Script::default()
        });
        let mut running = model.enqueue().unwrap();
        assert!(running.try_start());
        let _waiting = model.enqueue().unwrap();
        assert_eq!(model.enqueue().map(|_| ()).unwrap_err(), 1);
    }
}
