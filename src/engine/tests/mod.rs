//! The executor under a paused clock, with scripted drivers: virtual nanoseconds, exact.

mod endings;
mod levels;
mod live_controls;
mod open;
mod talks;
mod timing;

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::time::sleep;

use super::desk::Asks;
use super::outbox::Note;
use super::*;
use crate::domain::{
    ArrivalProcess, ClosedMode, Cold, ColdHow, Connections, Failure, FailureKind, InFlight,
    Outcome, Phase, Prompt, RequestRecord, Stage, StageBorder, StageEnd, StageIdx, TierLength,
    Turn, Warmup, WhenFull,
};

const MS: u64 = 1_000_000;

/// What a scripted request does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Take(u64),
    Fail(u64, FailureKind, Option<u16>),
    Panic,
    Hang,
    /// Blocks the whole thread, for real.
    Block(u64),
}

/// Acts of each request, by its job.
type Script = Arc<dyn Fn(&Job) -> Act + Send + Sync>;

#[derive(Default)]
struct Seen {
    connects: AtomicU32,
    closes: AtomicU32,
    most_connecting: AtomicU32,
    connecting: AtomicU32,
    /// Drivers.
    made: AtomicU32,
    performing: AtomicU32,
    most_performing: AtomicU32,
}

struct Scripted {
    clock: Clock,
    script: Script,
    seen: Arc<Seen>,
}

/// A request that is over, however it ended.
struct Gone(Arc<Seen>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.performing.fetch_sub(1, Relaxed);
    }
}

impl Driver for Scripted {
    async fn connect(&mut self) -> Result<(), Failure> {
        self.seen.connects.fetch_add(1, Relaxed);
        let now = self.seen.connecting.fetch_add(1, Relaxed) + 1;
        self.seen.most_connecting.fetch_max(now, Relaxed);
        sleep(Duration::from_millis(5)).await;
        self.seen.connecting.fetch_sub(1, Relaxed);
        Ok(())
    }

    async fn perform(&mut self, job: &Job, live: &Live) -> Performed {
        let now = self.seen.performing.fetch_add(1, Relaxed) + 1;
        self.seen.most_performing.fetch_max(now, Relaxed);
        let _gone = Gone(Arc::clone(&self.seen));
        let outcome = match (self.script)(job) {
            Act::Take(ms) => {
                sleep(Duration::from_millis(ms)).await;
                Outcome::Ok
            }
            Act::Fail(ms, kind, status) => {
                sleep(Duration::from_millis(ms)).await;
                Outcome::Failed(Failure {
                    kind,
                    status,
                    message: "scripted".to_owned(),
                })
            }
            Act::Panic => panic!("scripted panic"),
            Act::Hang => std::future::pending().await,
            Act::Block(ms) => {
                std::thread::sleep(Duration::from_millis(ms));
                Outcome::Ok
            }
        };
        live.add_tokens(1);
        let mut record = job.record(outcome, self.clock.now_ns());
        record.tokens_out = Some(1);
        let mut performed = Performed::from(record);
        performed.answer = format!("answer {}", job.seq);
        performed
    }

    async fn give_up(&mut self, job: &Job, outcome: Outcome) -> Performed {
        let mut record = job.record(outcome, self.clock.now_ns());
        record.first_token_ns = Some(job.dispatched_ns);
        record.into()
    }

    fn close(&mut self) {
        self.seen.closes.fetch_add(1, Relaxed);
    }
}

/// Prompts that name their place.
#[derive(Default)]
pub(super) struct Numbered {
    /// Of each conversation, where there are any.
    pub(super) turns: Option<u32>,
    /// Of every stage that replays one.
    pub(super) trace: Vec<u64>,
}

impl Asks for Numbered {
    fn prompt(&self, seq: u64, _phase: Phase) -> Prompt {
        Prompt::of(format!("prompt {seq}"))
    }

    fn n_turns(&self, _conversation: u64) -> Option<u32> {
        self.turns
    }

    fn turn(&self, conversation: u64, turn: u32, history: &[Turn]) -> Option<Prompt> {
        let is_one = self.turns.is_some_and(|n| turn < n);
        is_one.then(|| Prompt {
            history: history.into(),
            ..Prompt::of(format!("turn {turn} of {conversation}"))
        })
    }

    fn trace(&self, _asked: StageIdx) -> Vec<u64> {
        self.trace.clone()
    }

    fn trace_prompt(&self, asked: StageIdx, row: usize) -> Option<Prompt> {
        let is_one = row < self.trace.len();
        is_one.then(|| Prompt::of(format!("row {row} of {}", asked.0)))
    }
}

struct Bench {
    plan: Plan,
    clock: Clock,
    control: Arc<Control>,
    desk: Arc<Desk>,
    notes: Receiver<Note>,
    seen: Arc<Seen>,
    script: Script,
}

/// What a run left behind.
struct Left {
    /// In the order of ending.
    records: Vec<RequestRecord>,
    /// What each of them asked.
    prompts: Vec<Prompt>,
    borders: Vec<StageBorder>,
    in_flight: Vec<InFlight>,
    seen: Arc<Seen>,
    end_ns: u64,
    peak: u32,
}

impl Bench {
    fn new(plan: Plan, script: impl Fn(&Job) -> Act + Send + Sync + 'static) -> Self {
        Self::asking(plan, Numbered::default(), script)
    }

    fn asking(
        plan: Plan,
        prompts: Numbered,
        script: impl Fn(&Job) -> Act + Send + Sync + 'static,
    ) -> Self {
        let clock = Clock::new();
        let control = Arc::new(Control::new());
        let (outbox, notes) = outbox(200_000);
        let desk = Arc::new(Desk {
            clock: clock.clone(),
            pacing: Pacing::Virtual,
            seed: plan.seed,
            grace_ns: arrivals::ns_from_secs(plan.grace_secs),
            think_ns: arrivals::ns_from_secs(plan.workload.think_secs),
            prompts: Box::new(prompts),
            goals: plan.goals.clone(),
            stops_saturated: plan.limits.stop_when_saturated,
            live: Arc::new(Live::new(1_000)),
            control: Arc::clone(&control),
            guard: Mutex::new(Guard::new(plan.limits.clone(), &plan.target.key)),
            outbox,
            next_seq: AtomicU64::new(0),
            next_conversation: AtomicU64::new(0),
        });
        Self {
            plan,
            clock,
            control,
            desk,
            notes,
            seen: Arc::default(),
            script: Arc::new(script),
        }
    }

    async fn run(self) -> Left {
        let (clock, seen) = (self.clock, Arc::clone(&self.seen));
        let (made_clock, script) = (clock.clone(), Arc::clone(&self.script));
        let made_seen = Arc::clone(&seen);
        let make = move |_user| {
            made_seen.made.fetch_add(1, Relaxed);
            Scripted {
                clock: made_clock.clone(),
                script: Arc::clone(&script),
                seen: Arc::clone(&made_seen),
            }
        };
        conduct::conduct(&self.plan, &self.desk, make).await;
        let (mut records, mut borders, mut in_flight) = (Vec::new(), Vec::new(), Vec::new());
        let mut prompts = Vec::new();
        for note in self.notes.try_iter() {
            match note {
                Note::Ended(ended) => {
                    records.push(ended.0.record);
                    prompts.push(ended.1);
                }
                Note::Border(border) => borders.push(*border),
                Note::InFlight(seen) => in_flight.push(*seen),
                Note::Beside(record) => panic!("nobody visits: {record:?}"),
            }
        }
        assert_eq!(self.desk.live.in_flight(), 0, "every start has its end");
        Left {
            records,
            prompts,
            borders,
            in_flight,
            peak: self.seen.most_performing.load(Relaxed),
            seen: self.seen,
            end_ns: clock.now_ns(),
        }
    }
}

/// A server that answers `n` requests at once, each in `ms`; the others wait for their turn.
fn slots(n: usize, ms: u64) -> impl Fn(&Job) -> Act + Send + Sync + 'static {
    let free_ns = Mutex::new(vec![0; n]);
    move |job| {
        let mut free_ns = free_ns.lock().unwrap();
        let first = free_ns.iter_mut().min().unwrap();
        *first = job.dispatched_ns.max(*first) + ms * MS;
        Act::Take((*first - job.dispatched_ns).div_ceil(MS))
    }
}

fn plan(users: &str, mode: ClosedMode, length: TierLength<'_>) -> Plan {
    let mut plan = Plan::simple("http://127.0.0.1:1");
    plan.target.connections = Connections::New;
    plan.stages = Stage::closed_tiers(users, mode, length).unwrap();
    plan
}

/// Runs in a runtime of its own, whose time stands still and begins at 0.
fn paused<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(work)
}

/// A plan of one open stage, for so many seconds.
fn open_plan(rate: f64, arrival: ArrivalProcess, secs: f64) -> Plan {
    let mut load = Load::open(rate);
    if let Load::Open { arrival: of, .. } = &mut load {
        *of = arrival;
    }
    plan_of(load, StageEnd::DurationSecs(secs))
}

fn plan_of(load: Load, end: StageEnd) -> Plan {
    let mut plan = Plan::simple("http://127.0.0.1:1");
    plan.target.connections = Connections::New;
    plan.stages = vec![Stage { load, end }];
    plan
}

/// With an in-flight limit.
fn limited(mut plan: Plan, n: u32, policy: WhenFull) -> Plan {
    if let Load::Open {
        max_in_flight,
        when_full,
        ..
    } = &mut plan.stages[0].load
    {
        (*max_in_flight, *when_full) = (NonZeroU32::new(n), policy);
    }
    plan
}

/// In the order of sending.
fn by_seq(left: &Left) -> Vec<&RequestRecord> {
    let mut records: Vec<&RequestRecord> = left.records.iter().collect();
    records.sort_by_key(|r| r.seq);
    records
}

/// `(dispatched, end)` in ms of each record, in the order of sending.
fn times(left: &Left) -> Vec<(u64, u64)> {
    let mut records: Vec<&RequestRecord> = left.records.iter().collect();
    records.sort_by_key(|r| r.seq);
    let exact = |ns: u64| {
        assert_eq!(ns % MS, 0, "{ns} is no whole millisecond");
        ns / MS
    };
    records
        .iter()
        .map(|r| (exact(r.dispatched_ns), exact(r.end_ns)))
        .collect()
}

fn held(stage: u16, mean: f64, held: Option<u32>) -> InFlight {
    InFlight {
        stage: StageIdx(stage),
        mean,
        held,
    }
}

fn count(left: &Left, what: impl Fn(&RequestRecord) -> bool) -> usize {
    left.records.iter().filter(|r| what(r)).count()
}
