//! How far a run is, from its plan and where it stands.

use crate::domain::{Load, Phase, Plan, Progress, RunState, StageIdx};

use super::arrivals::Quota;
use super::control::Order;
use super::live::{Live, Place, Sending};

/// One phase of the plan, and how much of the run it is likely to be.
#[derive(Clone, Copy, Debug)]
struct Share {
    stage: StageIdx,
    phase: Phase,
    weight: f64,
}

/// The plan's phases in order; made once.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    shares: Vec<Share>,
    whole: f64,
}

/// Below this share of a run, what is left of it is not worth guessing.
const MIN_SHARE: f64 = 0.02;

impl Shares {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut shares = Vec::new();
        let mut push = |stage, phase, weight: f64| {
            if weight > 0.0 {
                shares.push(Share {
                    stage,
                    phase,
                    weight,
                });
            }
        };
        let cold = f64::from(plan.cold.requests) * f64::from(plan.cold.cycles.max(1));
        push(StageIdx(0), Phase::Cold, cold);
        for (i, stage) in plan.stages.iter().enumerate() {
            let idx = StageIdx::from_index(i);
            if i == 0
                && let Some(quota) = Quota::of_warmup(plan.warmup)
            {
                push(idx, Phase::Warmup, weight(quota, &stage.load));
            }
            let one = weight(Quota::of_stage(stage), &stage.load);
            push(idx, Phase::Measure, n_parts(&stage.load) * one);
        }
        let whole = shares.iter().map(|s| s.weight).sum();
        Self { shares, whole }
    }

    /// Share of the whole run that is done when `part` of that phase is.
    fn done(&self, stage: StageIdx, phase: Phase, part: f64) -> f64 {
        let mut done = 0.0;
        for share in &self.shares {
            if (share.stage, share.phase) == (stage, phase) {
                done += share.weight * part.clamp(0.0, 1.0);
                break;
            }
            done += share.weight;
        }
        if self.whole > 0.0 {
            done / self.whole
        } else {
            0.0
        }
    }

    /// Where the run stands, for a person.
    pub(super) fn state(&self, live: &Live, order: Order, now_ns: u64) -> RunState {
        let progress = match live.place() {
            Place::Connecting if order == Order::Go => {
                return RunState::Preparing {
                    what: "Opening connections".to_owned(),
                };
            }
            Place::AwaitingRestart { cycle, of } => return RunState::AwaitingRestart { cycle, of },
            Place::Connecting => Progress {
                in_flight: live.in_flight(),
                ..Progress::default()
            },
            Place::Over => Progress {
                stage: self.shares.last().map(|s| s.stage).unwrap_or_default(),
                share: 1.0,
                in_flight: live.in_flight(),
                ..Progress::default()
            },
            Place::Pausing { stage, until_ns } => {
                self.pausing(stage, until_ns.saturating_sub(now_ns))
            }
            Place::Paused { stage, at } => {
                let progress = Progress {
                    stage,
                    share: self.done(at.asked, Phase::Measure, at.span.0),
                    in_flight: live.in_flight(),
                    ..Progress::default()
                };
                if order == Order::Go {
                    return RunState::Paused(progress);
                }
                progress
            }
            Place::Sending(sending) => self.sending(sending, live, now_ns),
        };
        match order {
            Order::Go => RunState::Running(progress),
            Order::Stop | Order::Abort => RunState::Stopping(progress),
        }
    }

    fn pausing(&self, stage: StageIdx, left_ns: u64) -> Progress {
        let first = self.shares.iter().find(|s| s.stage == stage);
        Progress {
            stage,
            share: first.map_or(0.0, |s| self.done(stage, s.phase, 0.0)),
            left_secs: (self.shares.len() == 1).then_some(left_ns as f64 / 1e9),
            ..Progress::default()
        }
    }

    fn sending(&self, sending: Sending, live: &Live, now_ns: u64) -> Progress {
        let done = sending.before + live.n_ended();
        let elapsed_ns = now_ns.saturating_sub(sending.began_ns);
        let part = match (sending.of, sending.until_ns) {
            (Some(of), _) => done as f64 / of.max(1) as f64,
            (None, Some(until_ns)) => {
                let all_ns = until_ns.saturating_sub(sending.began_ns).max(1);
                elapsed_ns as f64 / all_ns as f64
            }
            (None, None) => 0.0,
        };
        let part = part.clamp(0.0, 1.0);
        let (from, to) = match sending.phase {
            Phase::Measure | Phase::Drain => sending.at.span,
            Phase::Cold | Phase::Warmup => (0.0, 1.0),
        };
        let share = self.done(sending.at.asked, sending.phase, from + (to - from) * part);
        Progress {
            stage: sending.stage,
            phase: Some(sending.phase),
            done,
            of: sending.of,
            share,
            left_secs: (share >= MIN_SHARE).then(|| now_ns as f64 / 1e9 * (1.0 - share) / share),
            in_flight: live.in_flight(),
        }
    }
}

/// Stages that one of the plan is likely to become.
fn n_parts(load: &Load) -> f64 {
    match load {
        Load::Closed { .. } | Load::Open { .. } | Load::Replay { .. } => 1.0,
        Load::Sweep { steps, .. } => f64::from(steps.get()) + 1.0,
        Load::Search { .. } => LIKELY_PROBES,
    }
}

/// Four doublings and four halvings.
const LIKELY_PROBES: f64 = 8.0;
/// Of a trace, whose length the plan does not say.
const LIKELY_SECS: f64 = 60.0;

/// Seconds, or rounds where the phase ends by requests: users answer side by side.
fn weight(quota: Quota, load: &Load) -> f64 {
    match quota {
        Quota::ForNs(ns) => ns as f64 / 1e9,
        Quota::Requests(u64::MAX) => LIKELY_SECS,
        Quota::PerUser(n) => n as f64,
        Quota::Requests(n) => {
            let at_once = match load {
                Load::Open { rate, .. } => *rate,
                Load::Replay { .. } => 1.0,
                Load::Closed { users, .. } => f64::from(users.get()),
                Load::Sweep { max_users, .. } => f64::from(max_users.get()),
                Load::Search { from, max, .. } => (from * max).sqrt(),
            };
            (n as f64 / at_once.max(f64::MIN_POSITIVE)).max(1.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ClosedMode, Stage, TierLength};
    use crate::engine::live::At;

    #[test]
    fn a_run_is_done_phase_by_phase() {
        let mut plan = Plan::simple("http://127.0.0.1:1");
        plan.cold.requests = 2;
        plan.stages =
            Stage::closed_tiers("1, 10", ClosedMode::Steady, TierLength::Requests("6, 20"))
                .unwrap();
        let shares = Shares::of(&plan);
        // 2 cold one after another, 6 by one user, 20 by ten users: 2 + 6 + 2 rounds.
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(shares.done(StageIdx(0), Phase::Cold, 0.5), 0.1);
        close(shares.done(StageIdx(0), Phase::Measure, 0.5), 0.5);
        close(shares.done(StageIdx(1), Phase::Measure, 0.5), 0.9);

        let live = Live::new(1);
        live.enter(Place::Sending(Sending {
            stage: StageIdx(0),
            at: At {
                asked: StageIdx(0),
                span: (0.0, 1.0),
            },
            phase: Phase::Measure,
            began_ns: 2_000_000_000,
            before: 0,
            of: Some(6),
            until_ns: None,
        }));
        for i in 0..3 {
            live.began(0, 2_000_000_000 + i);
            live.ended(0);
        }
        let RunState::Running(progress) = shares.state(&live, Order::Go, 5_000_000_000) else {
            panic!("it runs");
        };
        assert_eq!((progress.done, progress.of), (3, Some(6)));
        close(progress.share, 0.5);
        close(progress.left_secs.unwrap(), 5.0);
        live.enter(Place::Over);
        let RunState::Running(progress) = shares.state(&live, Order::Go, 9_000_000_000) else {
            panic!("it is not closed yet");
        };
        assert_eq!((progress.stage, progress.share), (StageIdx(1), 1.0));
    }
}
