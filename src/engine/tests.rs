//! The executor under a paused clock, with scripted drivers: virtual nanoseconds, exact.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::time::sleep;

use super::outbox::Note;
use super::*;
use crate::domain::{
    ClosedMode, Cold, ColdHow, Connections, Failure, FailureKind, InFlight, Outcome, Phase, Plan,
    Prompt, RequestRecord, Stage, StageBorder, StageIdx, TierLength, Warmup,
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
}

struct Scripted {
    clock: Clock,
    script: Script,
    seen: Arc<Seen>,
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
        record.into()
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
    borders: Vec<StageBorder>,
    in_flight: Vec<InFlight>,
    seen: Arc<Seen>,
    end_ns: u64,
    peak: u32,
}

impl Bench {
    fn new(plan: Plan, script: impl Fn(&Job) -> Act + Send + Sync + 'static) -> Self {
        let clock = Clock::new();
        let control = Arc::new(Control::new());
        let (outbox, notes) = outbox(10_000);
        let desk = Arc::new(Desk {
            clock: clock.clone(),
            seed: plan.seed,
            grace_ns: arrivals::ns_from_secs(plan.grace_secs),
            prompts: Box::new(|seq, _| Prompt {
                system: None,
                user: format!("prompt {seq}").into(),
            }),
            live: Arc::new(Live::new(1_000)),
            control: Arc::clone(&control),
            guard: Mutex::new(Guard::new(plan.limits.clone())),
            outbox,
            next_seq: AtomicU64::new(0),
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
        conduct::conduct(&self.plan, &self.desk, |_user| Scripted {
            clock: clock.clone(),
            script: Arc::clone(&self.script),
            seen: Arc::clone(&seen),
        })
        .await;
        let (mut records, mut borders, mut in_flight) = (Vec::new(), Vec::new(), Vec::new());
        for note in self.notes.try_iter() {
            match note {
                Note::Ended(ended) => records.push(ended.0.record),
                Note::Border(border) => borders.push(border),
                Note::InFlight(seen) => in_flight.push(seen),
            }
        }
        assert_eq!(self.desk.live.in_flight(), 0, "every start has its end");
        Left {
            records,
            borders,
            in_flight,
            seen: self.seen,
            end_ns: clock.now_ns(),
            peak: self.desk.live.peak(),
        }
    }
}

fn plan(users: &str, mode: ClosedMode, length: TierLength<'_>) -> Plan {
    let mut plan = Plan::simple("http://127.0.0.1:1");
    plan.target.connections = Connections::New;
    plan.stages = Stage::closed_tiers(users, mode, length).unwrap();
    plan
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

#[tokio::test(start_paused = true)]
async fn one_user_goes_on_at_once() {
    let plan = plan("1", ClosedMode::Steady, TierLength::Requests("10"));
    let left = Bench::new(plan, |_| Act::Take(100)).run().await;
    let expected: Vec<_> = (0..10).map(|i| (i * 100, i * 100 + 100)).collect();
    assert_eq!(times(&left), expected);
    assert_eq!(left.end_ns, 1_000_000_000);
    assert!(left.records.iter().all(|r| r.due_ns.is_none()));
    assert_eq!(left.in_flight, [held(0, 1.0, None)]);
    assert_eq!(
        left.borders,
        [
            StageBorder {
                stage: StageIdx(0),
                start_ns: 0,
                end_ns: None,
                stopped: None
            },
            StageBorder {
                stage: StageIdx(0),
                start_ns: 0,
                end_ns: Some(1_000_000_000),
                stopped: None
            },
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn steady_users_do_not_wait_for_each_other() {
    let plan = plan("2", ClosedMode::Steady, TierLength::Requests("7"));
    // User 0 takes 100 ms, user 1 takes 250 ms.
    let left = Bench::new(plan, |job| Act::Take(if job.user == 0 { 100 } else { 250 }))
        .run()
        .await;
    let of_user = |user| {
        let mut starts: Vec<u64> = left
            .records
            .iter()
            .filter(|r| r.user == user)
            .map(|r| r.dispatched_ns / MS)
            .collect();
        starts.sort_unstable();
        starts
    };
    assert_eq!(of_user(0), [0, 100, 200, 300, 400]);
    assert_eq!(of_user(1), [0, 250]);
    let mut by_seq: Vec<_> = left
        .records
        .iter()
        .map(|r| (r.seq, r.dispatched_ns))
        .collect();
    by_seq.sort_unstable();
    assert!(
        by_seq.windows(2).all(|w| w[0].1 <= w[1].1),
        "seq is the order of sending"
    );
    assert_eq!(
        by_seq.iter().map(|s| s.0).collect::<Vec<_>>(),
        (0..7).collect::<Vec<_>>()
    );
}

#[tokio::test(start_paused = true)]
async fn each_user_sends_its_own_share() {
    let plan = plan("3", ClosedMode::Steady, TierLength::RequestsPerUser("4"));
    let left = Bench::new(plan, |job| Act::Take(10 * (u64::from(job.user) + 1)))
        .run()
        .await;
    for user in 0..3 {
        assert_eq!(count(&left, |r| r.user == user), 4);
    }
    assert_eq!(left.end_ns, 120 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_released_when_the_last_of_the_round_before_has_ended() {
    let plan = plan("3", ClosedMode::Burst, TierLength::Requests("8"));
    let left = Bench::new(plan, |job| Act::Take(100 + 50 * u64::from(job.user)))
        .run()
        .await;
    let expected = [
        (0, 100),
        (0, 150),
        (0, 200),
        (200, 300),
        (200, 350),
        (200, 400),
        (400, 500),
        (400, 550),
    ];
    assert_eq!(times(&left), expected);
    assert!(
        left.records
            .iter()
            .all(|r| r.due_ns == Some(r.dispatched_ns))
    );
    assert_eq!(left.end_ns, 550 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_wave_delays_each_request_of_a_round_by_its_seed() {
    let plan = plan("5", ClosedMode::Wave, TierLength::RequestsPerUser("3"));
    let seed = plan.seed;
    let run = |plan: Plan| Bench::new(plan, |_| Act::Take(10)).run();
    let left = run(plan.clone()).await;
    assert_eq!(left.records.len(), 15);
    let mut release = 0;
    for round in 0..3 {
        let jitter = |user| arrivals::wave_jitter_ms(seed, 0, round, user);
        for user in 0..5 {
            let due = (release + jitter(user)) * MS;
            assert_eq!(count(&left, |r| r.user == user && r.due_ns == Some(due)), 1);
        }
        release += (0..5).map(jitter).max().unwrap() + 10;
    }
    assert_eq!(left.end_ns, release * MS);
    assert!(
        left.records
            .iter()
            .all(|r| r.due_ns == Some(r.dispatched_ns)),
        "no slip"
    );
    let mut other = plan;
    other.seed += 1;
    assert_ne!(times(&left), times(&run(other).await));
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_ends_by_time_drains_and_cuts_off() {
    let mut plan = plan("2", ClosedMode::Steady, TierLength::Duration("1s"));
    plan.grace_secs = 0.5;
    // User 0: 300 ms each, so 4 are sent and the last ends at 1.2 s. User 1 hangs after its second.
    let left = Bench::new(plan, |job| match job.user {
        0 => Act::Take(300),
        _ if job.dispatched_ns >= 400 * MS => Act::Hang,
        _ => Act::Take(400),
    })
    .run()
    .await;
    assert_eq!(
        count(&left, |r| r.user == 0 && r.phase == Phase::Measure),
        3
    );
    assert_eq!(
        count(&left, |r| r.phase == Phase::Drain && r.outcome.is_ok()),
        1
    );
    let cut: Vec<_> = left
        .records
        .iter()
        .filter(|r| r.outcome == Outcome::CutOff)
        .collect();
    assert_eq!(cut.len(), 1);
    assert_eq!(
        (cut[0].phase, cut[0].dispatched_ns, cut[0].end_ns),
        (Phase::Measure, 400 * MS, 1_500 * MS)
    );
    assert_eq!(
        cut[0].first_token_ns,
        Some(400 * MS),
        "partial token times are kept"
    );
    assert_eq!(left.end_ns, 1_500 * MS);
    assert_eq!(
        left.borders[1].stopped, None,
        "a stage's own end is no early stop"
    );
}

#[tokio::test(start_paused = true)]
async fn bursts_and_waves_end_by_time_too() {
    for mode in [ClosedMode::Burst, ClosedMode::Wave] {
        let plan = plan("4", mode, TierLength::Duration("2s"));
        let left = Bench::new(plan, |_| Act::Take(300)).run().await;
        assert!(left.records.iter().all(|r| r.dispatched_ns < 2_000 * MS));
        assert!(left.records.len() >= 12, "{mode:?}: {}", left.records.len());
        assert!(left.end_ns < 2_300 * MS);
    }
}

#[tokio::test(start_paused = true)]
async fn stop_lets_what_is_in_flight_end() {
    let plan = plan("3", ClosedMode::Steady, TierLength::Requests("100"));
    let bench = Bench::new(plan, |_| Act::Take(100));
    let control = Arc::clone(&bench.control);
    let stopper = tokio::spawn(async move {
        sleep(Duration::from_millis(250)).await;
        control.stop(StopReason::Person);
    });
    let left = bench.run().await;
    stopper.await.unwrap();
    assert_eq!(left.records.len(), 9);
    assert!(left.records.iter().all(|r| r.outcome.is_ok()));
    assert_eq!(left.end_ns, 300 * MS);
    assert_eq!(left.borders[1].stopped.as_deref(), Some("Stopped by hand"));
}

#[tokio::test(start_paused = true)]
async fn abort_gives_up_what_is_in_flight() {
    let plan = plan("3, 5", ClosedMode::Steady, TierLength::Requests("100"));
    let bench = Bench::new(plan, |job| {
        if job.seq < 3 {
            Act::Take(100)
        } else {
            Act::Hang
        }
    });
    let control = Arc::clone(&bench.control);
    tokio::spawn(async move {
        sleep(Duration::from_millis(250)).await;
        control.stop(StopReason::Person);
        sleep(Duration::from_millis(50)).await;
        control.abort();
    });
    let left = bench.run().await;
    assert_eq!(count(&left, |r| r.outcome.is_ok()), 3);
    let cancelled: Vec<_> = left
        .records
        .iter()
        .filter(|r| r.outcome == Outcome::Cancelled)
        .collect();
    assert_eq!(cancelled.len(), 3);
    assert!(
        cancelled
            .iter()
            .all(|r| r.end_ns == 300 * MS && r.first_token_ns.is_some())
    );
    assert_eq!(left.end_ns, 300 * MS);
    assert_eq!(left.borders.len(), 2, "the second stage never began");
}

#[tokio::test(start_paused = true)]
async fn cold_and_warm_up_come_on_top_and_belong_to_the_first_stage() {
    let mut plan = plan("2, 4", ClosedMode::Steady, TierLength::Requests("6"));
    plan.target.connections = Connections::Keep;
    plan.pause_secs = 1.0;
    plan.cold = Cold {
        requests: 2,
        how: ColdHow::Silence,
        silence_secs: 3.0,
        cycles: 2,
    };
    plan.warmup = Warmup::Requests(std::num::NonZeroU32::new(5).unwrap());
    let left = Bench::new(plan, |_| Act::Take(100)).run().await;

    let of = |stage, phase| count(&left, |r| (r.stage, r.phase) == (StageIdx(stage), phase));
    assert_eq!(of(0, Phase::Cold), 4);
    assert_eq!(of(0, Phase::Warmup), 5);
    assert_eq!((of(0, Phase::Measure), of(1, Phase::Measure)), (6, 6));
    assert_eq!(left.records.len(), 21);
    let mut records = left.records.clone();
    records.sort_by_key(|r| r.seq);
    let phases: Vec<Phase> = records.iter().map(|r| r.phase).collect();
    assert!(phases[..4].iter().all(|p| *p == Phase::Cold));
    assert!(phases[4..9].iter().all(|p| *p == Phase::Warmup));

    let cold: Vec<u64> = records[..4].iter().map(|r| r.dispatched_ns / MS).collect();
    assert_eq!(
        cold,
        [3_000, 3_100, 6_200, 6_300],
        "3 s of silence before each cycle"
    );
    // 6,400 connections open for 5 ms; 5 warm-up requests by 2 users take 3 rounds; Measure follows.
    assert_eq!(records[4].dispatched_ns, 6_405 * MS);
    assert_eq!(records[9].dispatched_ns, 6_705 * MS);
    assert_eq!(left.borders[0].start_ns, 3_000 * MS);
    assert_eq!(left.borders[1].end_ns, Some(7_005 * MS));
    // The pause, then the connections, then the second stage.
    assert_eq!(left.borders[2].start_ns, 8_010 * MS);
    assert_eq!(left.peak, 4);
}

#[tokio::test(start_paused = true)]
async fn a_cold_probe_waits_for_the_person() {
    let mut plan = plan("1", ClosedMode::Steady, TierLength::Requests("1"));
    plan.limits.max_secs = Some(1.0);
    plan.cold = Cold {
        requests: 1,
        how: ColdHow::Restarted,
        silence_secs: 0.0,
        cycles: 2,
    };
    let bench = Bench::new(plan, |_| Act::Take(100));
    let (control, desk) = (Arc::clone(&bench.control), Arc::clone(&bench.desk));
    let person = tokio::spawn(async move {
        let mut asked = Vec::new();
        for _ in 0..2 {
            sleep(Duration::from_secs(20)).await;
            asked.push(desk.live.place());
            control.server_restarted();
        }
        asked
    });
    let left = bench.run().await;
    let of = 2;
    assert_eq!(
        person.await.unwrap(),
        [1, 2].map(|cycle| live::Place::AwaitingRestart { cycle, of })
    );
    assert_eq!(
        times(&left),
        [(20_000, 20_100), (40_000, 40_100), (40_100, 40_200)]
    );
    assert_eq!(
        left.borders[1].stopped, None,
        "waiting for the person is not the run's time"
    );
}

#[tokio::test(start_paused = true)]
async fn limits_stop_a_run_and_say_why() {
    let fail = |_: &Job| Act::Fail(10, FailureKind::HttpStatus, Some(401));
    let left = Bench::new(
        plan("1, 2", ClosedMode::Steady, TierLength::Requests("100")),
        fail,
    )
    .run()
    .await;
    assert_eq!(left.records.len(), 10);
    assert_eq!(left.borders.len(), 2);
    assert!(left.borders[1].stopped.as_deref().unwrap().contains("401"));

    let mut limited = plan("2", ClosedMode::Steady, TierLength::Requests("100"));
    limited.limits.max_errors = Some(3);
    let left = Bench::new(limited, |job| match job.seq % 4 {
        0 => Act::Fail(10, FailureKind::Reset, None),
        _ => Act::Take(10),
    })
    .run()
    .await;
    assert_eq!(count(&left, |r| !r.outcome.is_ok()), 3);
    assert!(
        left.borders[1]
            .stopped
            .as_deref()
            .unwrap()
            .contains("limit of 3")
    );

    let mut timed = plan("1, 1", ClosedMode::Steady, TierLength::Requests("100"));
    timed.limits.max_secs = Some(0.45);
    let left = Bench::new(timed, |_| Act::Take(100)).run().await;
    assert_eq!(left.records.len(), 5);
    assert_eq!(count(&left, |r| r.phase == Phase::Drain), 1);
    assert!(
        left.borders[1]
            .stopped
            .as_deref()
            .unwrap()
            .contains("0.45 s")
    );
    assert_eq!(left.borders.len(), 2);

    let mut enough = plan("1", ClosedMode::Steady, TierLength::Requests("5"));
    enough.limits.max_secs = Some(0.5);
    let left = Bench::new(enough, |_| Act::Take(100)).run().await;
    assert_eq!(
        (left.records.len(), left.borders[1].stopped.clone()),
        (5, None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_request_and_nothing_else() {
    let plan = plan("2", ClosedMode::Steady, TierLength::Requests("6"));
    let left = Bench::new(plan, |job| {
        if job.seq == 2 {
            Act::Panic
        } else {
            Act::Take(100)
        }
    })
    .run()
    .await;
    assert_eq!(left.records.len(), 6);
    let broken: Vec<_> = left.records.iter().filter(|r| !r.outcome.is_ok()).collect();
    assert_eq!(broken.len(), 1);
    let failure = broken[0].outcome.failure().unwrap();
    assert_eq!(failure.kind, FailureKind::Client);
    assert!(
        failure.message.contains("scripted panic"),
        "{}",
        failure.message
    );
    assert_eq!(left.borders[1].stopped, None);
}

#[tokio::test(start_paused = true)]
async fn connections_open_before_the_stage_in_waves() {
    let mut plan = plan("600", ClosedMode::Burst, TierLength::RequestsPerUser("1"));
    plan.target.connections = Connections::Keep;
    let left = Bench::new(plan, |_| Act::Take(100)).run().await;
    assert_eq!(left.seen.connects.load(Relaxed), 600);
    assert_eq!(left.seen.most_connecting.load(Relaxed), 256);
    // Three waves of 5 ms, then all at one instant.
    assert!(left.records.iter().all(|r| r.dispatched_ns == 15 * MS));
    assert_eq!(left.peak, 600);
    assert_eq!(left.seen.closes.load(Relaxed), 600);
}

#[tokio::test(start_paused = true)]
async fn a_tier_with_fewer_users_closes_the_others() {
    let mut plan = plan("3, 1", ClosedMode::Steady, TierLength::RequestsPerUser("1"));
    plan.target.connections = Connections::Keep;
    let left = Bench::new(plan, |_| Act::Take(10)).run().await;
    assert_eq!(left.records.len(), 4);
    assert_eq!(
        left.seen.connects.load(Relaxed),
        4,
        "an open one is asked again"
    );
    assert_eq!(left.seen.closes.load(Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn what_was_in_flight_is_counted_apart_from_the_records() {
    // Three users, of which one sends 400 ms requests: 2.5 s, then what drains is left out.
    let timed = plan("3", ClosedMode::Steady, TierLength::Duration("2s"));
    let left = Bench::new(timed, |job| {
        Act::Take(if job.user == 2 { 800 } else { 250 })
    })
    .run()
    .await;
    let measure: Vec<_> = left
        .records
        .iter()
        .filter(|r| r.phase == Phase::Measure)
        .collect();
    let residence: u64 = measure.iter().map(|r| r.end_ns - r.dispatched_ns).sum();
    let last = measure.iter().map(|r| r.end_ns).max().unwrap();
    let mean = residence as f64 / last as f64;
    assert_eq!(count(&left, |r| r.phase == Phase::Drain), 1);
    assert!(
        (left.in_flight[0].mean - mean).abs() < 1e-9,
        "{:?} {mean}",
        left.in_flight
    );
    assert!(mean < 3.0 && mean > 2.7, "{mean}");

    // A machine without the descriptors for two of four users.
    let starved = plan("4", ClosedMode::Steady, TierLength::RequestsPerUser("3"));
    let left = Bench::new(starved, |job| match job.user {
        0 | 1 => Act::Take(10),
        _ => Act::Fail(10, FailureKind::Client, None),
    })
    .run()
    .await;
    assert_eq!(left.in_flight, [held(0, 4.0, Some(2))]);
}

#[tokio::test]
async fn a_blocked_runtime_shows_in_the_ticks() {
    let run = async |blocks: bool| {
        let plan = plan("1", ClosedMode::Steady, TierLength::Requests("20"));
        let act = move |_: &Job| {
            if blocks {
                Act::Block(25)
            } else {
                Act::Take(25)
            }
        };
        let bench = Bench::new(plan, act);
        let (ticks, clock) = (Ticks::default(), bench.clock.clone());
        ticks.begin(&clock);
        tokio::select! {
            _left = bench.run() => {}
            () = ticks.run(&clock) => {}
        }
        ticks.end(&clock);
        ticks.with(|log| log.clone())
    };
    let blocked = run(true).await;
    assert!(blocked.p99_ms().unwrap() > 5.0, "{:?}", blocked.p99_ms());
    let clean = run(false).await;
    assert!(clean.p99_ms() < blocked.p99_ms(), "{:?}", clean.p99_ms());
    assert!(!clean.has_slept());
}
