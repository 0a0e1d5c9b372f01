//! Runs of every load: an open loop that drops, a sweep, a search, conversations, and one that the person steered.

use std::num::NonZeroU32;
use std::sync::Arc;

use inferometer::domain::{
    ArrivalProcess, BesideKind, BesideSummary, Goal, Knee, Load, Made, MadeBy, Mark, Outcome, Over,
    Phase, Plan, Probe, Progress, RequestRecord, RunData, RunState, SearchFinding, Stage,
    StageBorder, StageEnd, StageIdx, SweepFinding, TurnSummary, WhenFull, overall,
};

use super::data::{self, MS, Noise, ns, plan, record, run_of, service};

fn users(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn goals(texts: &[&str]) -> Vec<Goal> {
    texts.iter().map(|t| t.parse().unwrap()).collect()
}

fn open(rate: f64, secs: f64, limit: Option<(u32, WhenFull)>) -> Stage {
    Stage {
        load: Load::Open {
            rate,
            arrival: ArrivalProcess::Poisson,
            ramp: None,
            max_in_flight: limit.map(|(n, _)| users(n)),
            when_full: limit.map(|(_, when)| when).unwrap_or_default(),
        },
        end: StageEnd::DurationSecs(secs),
    }
}

fn closed(n: u32, secs: f64) -> Stage {
    Stage {
        load: Load::closed(users(n)),
        end: StageEnd::DurationSecs(secs),
    }
}

/// What is simulated: its records, the borders of its stages, and the time.
struct Sim {
    noise: Noise,
    records: Vec<RequestRecord>,
    borders: Vec<StageBorder>,
    now_ms: f64,
}

impl Sim {
    fn new(seed: u64) -> Self {
        Self {
            noise: Noise::new(seed),
            records: Vec::new(),
            borders: Vec::new(),
            now_ms: 400.0,
        }
    }

    /// A stage for that many seconds, whatever the plan says of its end.
    fn stage(&mut self, stage: &Stage, secs: f64, why: Option<MadeBy>) {
        let idx = self.borders.len();
        let start = self.now_ms;
        match &stage.load {
            Load::Open {
                rate,
                max_in_flight,
                when_full,
                ..
            } => {
                let limit = max_in_flight.map_or(usize::MAX, |n| n.get() as usize);
                self.open(idx, (*rate, secs), (limit, *when_full));
            }
            load => self.closed(idx, load.max_in_flight(), secs),
        }
        self.now_ms = start + secs * 1e3;
        self.borders.push(StageBorder {
            stage: StageIdx::from_index(idx),
            start_ns: ns(start),
            end_ns: Some(ns(self.now_ms)),
            stopped: None,
            made: why.map(|why| Made {
                why,
                of: StageIdx(0),
                stage: stage.clone(),
            }),
        });
    }

    fn closed(&mut self, idx: usize, n: u32, secs: f64) {
        let until = self.now_ms + secs * 1e3;
        for user in 0..n {
            let mut at = self.now_ms + f64::from(user) * 3.0;
            while at < until {
                let seq = self.records.len() as u64;
                let of = (idx, Phase::Measure, seq, user);
                let one = record(of, at, service(f64::from(n)), &mut self.noise);
                at = one.end_ns as f64 / MS;
                self.records.push(one);
            }
        }
    }

    fn open(&mut self, idx: usize, (rate, secs): (f64, f64), (limit, full): (usize, WhenFull)) {
        let mut ends: Vec<f64> = Vec::new();
        let mut due = self.now_ms;
        let until = self.now_ms + secs * 1e3;
        loop {
            due += -self.noise.unit().max(1e-9).ln() / rate * 1e3;
            if due >= until {
                return;
            }
            ends.retain(|e| *e > due);
            let seq = self.records.len() as u64;
            let of = (idx, Phase::Measure, seq, 0);
            let mut start = due;
            if ends.len() >= limit && full == WhenFull::Queue {
                ends.sort_by(f64::total_cmp);
                start = ends[ends.len() - limit];
            }
            let load = ends.iter().filter(|e| **e > start).count() + 1;
            let mut one = record(of, start, service(load.min(90) as f64), &mut self.noise);
            one.due_ns = Some(ns(due));
            one.released_ns = Some(ns(due + 0.1));
            one.from_due = true;
            if ends.len() >= limit && full == WhenFull::Drop {
                one.outcome = Outcome::Dropped;
                one.first_token_ns = None;
                one.last_token_ns = None;
                one.chunk_ns = Vec::new();
                one.tokens_out = None;
                one.end_ns = one.dispatched_ns;
            } else {
                ends.push(one.end_ns as f64 / MS);
            }
            self.records.push(one);
        }
    }

    /// What ends after its stage is no part of its figures.
    fn drain(&mut self) {
        for one in &mut self.records {
            let border = &self.borders[one.stage.index()];
            if border.end_ns.is_some_and(|end| one.end_ns > end) {
                one.phase = Phase::Drain;
            }
        }
    }

    fn finish(mut self, plan: &Plan) -> RunData {
        self.drain();
        self.records.sort_by_key(|r| r.end_ns);
        run_of(plan, &self.records, self.borders, RunState::Finished)
    }

    /// As it stands now: later ends are not known, and the last stage is under way.
    fn live(mut self, plan: &Plan, state: fn(Progress) -> RunState) -> RunData {
        self.records.sort_by_key(|r| r.end_ns);
        let now = ns(self.now_ms);
        self.records.retain(|r| r.end_ns <= now);
        self.drain();
        let last = self.borders.len() - 1;
        let is_paused = matches!(state(Progress::default()), RunState::Paused(_));
        if !is_paused {
            self.borders[last].end_ns = None;
        }
        let stage = StageIdx::from_index(last);
        let of_last = |r: &&RequestRecord| r.stage == stage;
        let progress = Progress {
            stage,
            phase: Some(Phase::Measure),
            done: self.records.iter().filter(of_last).count() as u64,
            of: None,
            share: 0.6,
            left_secs: Some(24.0),
            in_flight: if is_paused { 3 } else { 17 },
        };
        run_of(plan, &self.records, self.borders, state(progress))
    }
}

fn plan_of(label: &str, stages: Vec<Stage>, of: &[&str]) -> Plan {
    Plan {
        stages,
        goals: goals(of),
        cold: Default::default(),
        warmup: Default::default(),
        ..plan(label, "1", "10")
    }
}

fn change(run: &mut RunData, with: impl FnOnce(&mut inferometer::domain::Summary)) {
    let mut summary = (*run.summary).clone();
    with(&mut summary);
    run.summary = Arc::new(summary);
}

/// Five stages against three goals, one of which is missed.
pub(crate) fn with_goals() -> RunData {
    let mut plan = data::finished().plan().clone();
    plan.goals = goals(&["ttft.p95:500ms", "e2e.p95:4s", "decode_rate.p95:10"]);
    let (records, borders) = data::simulate(&plan, 5);
    let mut run = run_of(&plan, &records, borders, RunState::Finished);
    change(&mut run, |summary| {
        summary.knee = Some(Knee {
            over: Over::Users,
            level: 32.0,
            request_rate: 15.9,
            slope_before: 0.5,
            slope_after: 0.01,
            improvement: 0.93,
            n: 5,
        });
    });
    run
}

/// Rates of 4, 8, 16 and 24 requests per second, at most 30 in flight: the last ones drop.
pub(crate) fn open_with_drops() -> RunData {
    let limit = Some((30, WhenFull::Drop));
    let stages: Vec<Stage> = [4.0, 8.0, 16.0, 24.0].map(|r| open(r, 30.0, limit)).into();
    let plan = plan_of("open loop", stages.clone(), &["ttft.p95:500ms"]);
    let mut sim = Sim::new(7);
    for stage in &stages {
        sim.stage(stage, 30.0, None);
    }
    sim.finish(&plan)
}

/// The same, in its third stage.
pub(crate) fn open_live() -> RunData {
    let stages: Vec<Stage> = [4.0, 8.0, 16.0, 24.0].map(|r| open(r, 30.0, None)).into();
    let plan = plan_of("open loop", stages.clone(), &["ttft.p95:500ms"]);
    let mut sim = Sim::new(7);
    sim.stage(&stages[0], 30.0, None);
    sim.stage(&stages[1], 30.0, None);
    sim.stage(&stages[2], 18.0, None);
    sim.live(&plan, RunState::Running)
}

/// The most that the server does, then eight rates up to 120 % of it.
fn sweep_sim(n: u32) -> (Plan, Sim) {
    let sweep = Stage {
        load: Load::Sweep {
            over: Over::Rate,
            steps: users(8),
            max_users: users(40),
            arrival: ArrivalProcess::Poisson,
        },
        end: StageEnd::DurationSecs(20.0),
    };
    let plan = plan_of("sweep", vec![sweep], &["ttft.p95:500ms"]);
    let mut sim = Sim::new(3);
    sim.stage(&closed(40, 20.0), 20.0, Some(MadeBy::Throughput));
    for i in 1..=n {
        let rate = 2.2 * f64::from(i);
        sim.stage(&open(rate, 20.0, None), 20.0, Some(MadeBy::Step));
    }
    (plan, sim)
}

pub(crate) fn sweep_live() -> RunData {
    let (plan, sim) = sweep_sim(3);
    sim.live(&plan, RunState::Running)
}

pub(crate) fn sweep() -> RunData {
    let (plan, sim) = sweep_sim(8);
    let mut run = sim.finish(&plan);
    change(&mut run, |summary| {
        let rate = |s: &inferometer::domain::StageSummary| s.request_rate.unwrap_or(0.0);
        let best = (0..summary.stages.len())
            .max_by(|a, b| rate(&summary.stages[*a]).total_cmp(&rate(&summary.stages[*b])))
            .unwrap();
        summary.sweep = Some(SweepFinding {
            over: Over::Rate,
            best: Some(StageIdx::from_index(best)),
            max_request_rate: summary.stages[best].request_rate,
            sustained: None,
            max_output_token_rate: summary.stages[best].output_token_rate,
            stopped: None,
        });
        summary.knee = Some(Knee {
            over: Over::Rate,
            level: 12.0,
            request_rate: summary.stages[5].request_rate.unwrap(),
            slope_before: 1.0,
            slope_after: 0.2,
            improvement: 0.9,
            n: 8,
        });
    });
    run
}

/// Doubling from 4 users, then bisection.
fn search_sim(levels: &[u32]) -> (Plan, Sim) {
    let search = Stage {
        load: Load::Search {
            over: Over::Users,
            from: 4.0,
            max: 256.0,
            arrival: ArrivalProcess::Poisson,
        },
        end: StageEnd::DurationSecs(25.0),
    };
    let plan = plan_of("search", vec![search], &["ttft.p95:500ms"]);
    let mut sim = Sim::new(9);
    for n in levels {
        sim.stage(&closed(*n, 25.0), 25.0, Some(MadeBy::Probe));
    }
    (plan, sim)
}

fn probes(run: &RunData) -> Vec<Probe> {
    let of = |b: &StageBorder| {
        let stage = &run.summary.stages[b.stage.index()];
        Probe {
            stage: b.stage,
            level: b.made.as_ref().unwrap().stage.load.level(),
            attainment: stage.attainment,
            verdict: overall(&stage.goals),
        }
    };
    run.borders.iter().map(of).collect()
}

pub(crate) fn search_live() -> RunData {
    let (plan, sim) = search_sim(&[4, 8, 16, 32]);
    sim.live(&plan, RunState::Running)
}

pub(crate) fn search() -> RunData {
    let (plan, sim) = search_sim(&[4, 8, 16, 32, 64, 48, 40, 36]);
    let mut run = sim.finish(&plan);
    let probes = probes(&run);
    change(&mut run, |summary| {
        summary.search = Some(SearchFinding {
            over: Over::Users,
            found: Some(32.0),
            missed_at: Some(36.0),
            binding: Some(goals(&["ttft.p95:500ms"])[0]),
            probes,
        });
    });
    run
}

/// 10 users, changed to 20, paused, resumed; with two marks.
fn steered_sim() -> (Plan, Sim) {
    let plan = plan_of("steered", vec![closed(10, 120.0)], &["ttft.p95:500ms"]);
    let mut sim = Sim::new(21);
    sim.stage(&closed(10, 120.0), 30.0, None);
    sim.stage(&closed(20, 90.0), 25.0, Some(MadeBy::Changed));
    sim.now_ms += 12_000.0;
    sim.stage(&closed(20, 65.0), 20.0, Some(MadeBy::Resumed));
    (plan, sim)
}

fn with_marks(mut run: RunData) -> RunData {
    let mark = |secs: f64, text: &str| Mark {
        at_ns: ns(secs * 1e3),
        text: text.to_owned(),
    };
    run.marks = vec![mark(18.0, "cache cleared"), mark(74.0, "mark 2")];
    run
}

pub(crate) fn steered() -> RunData {
    let (plan, sim) = steered_sim();
    with_marks(sim.live(&plan, RunState::Running))
}

pub(crate) fn paused() -> RunData {
    let (plan, mut sim) = steered_sim();
    sim.borders.truncate(2);
    sim.records.retain(|r| r.stage.0 < 2);
    sim.now_ms = 62_000.0;
    let mut run = with_marks(sim.live(&plan, RunState::Paused));
    run.marks.truncate(1);
    run
}

/// Conversations of six turns whose history is mostly in the server's cache; with visitors beside them.
pub(crate) fn conversations() -> RunData {
    let mut plan = plan_of("chat", vec![closed(8, 60.0)], &["ttft.p95:500ms"]);
    plan.workload.turns = 6;
    let mut sim = Sim::new(13);
    sim.stage(&closed(8, 60.0), 60.0, None);
    let mut run = sim.finish(&plan);
    change(&mut run, |summary| {
        let turn = |i: u32| {
            let tokens = 220.0 + 310.0 * f64::from(i);
            let cached = if i == 0 { 64.0 } else { tokens - 90.0 };
            TurnSummary {
                turn: i,
                n: 54 - u64::from(i),
                ttft_p50: Some(170.0 + 9.0 * f64::from(i)),
                ttft_p95: Some(340.0 + 22.0 * f64::from(i)),
                e2e_p50: Some(1_580.0 + 30.0 * f64::from(i)),
                tokens_in: Some(tokens),
                cached_tokens: Some(cached),
                cached_share: Some(cached / tokens),
            }
        };
        summary.stages[0].turns = (0..6).map(turn).collect();
        let beside = |kind, n, failed, p50: f64| BesideSummary {
            kind,
            n,
            failed,
            p50: Some(p50),
            p90: Some(p50 * 1.9),
            p99: Some(p50 * 3.4),
            first_error: (failed > 0).then(|| "HTTP 503: queue is full".to_owned()),
        };
        summary.beside = vec![
            beside(BesideKind::PageLoad, 240, 0, 38.0),
            beside(BesideKind::Upload, 96, 2, 61.0),
            beside(BesideKind::Download, 97, 0, 22.0),
        ];
    });
    run
}
