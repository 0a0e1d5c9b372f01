//! Loads that change: ramps, sweeps, searches, replays, and stages that end because they are saturated; against a server
//! of known capacity.

use super::*;
use crate::domain::{Goal, MadeBy, Over};

const S: u64 = 1_000 * MS;
/// Ten at once, 100 ms each.
const CAPACITY: f64 = 100.0;

fn server() -> impl Fn(&Job) -> Act + Send + Sync + 'static {
    slots(10, 100)
}

fn sweep(over: Over, steps: u32, max_users: u32, arrival: ArrivalProcess, secs: f64) -> Plan {
    let load = Load::Sweep {
        over,
        steps: NonZeroU32::new(steps).unwrap(),
        max_users: NonZeroU32::new(max_users).unwrap(),
        arrival,
    };
    plan_of(load, StageEnd::DurationSecs(secs))
}

/// The levels of the stages that were run, with what made them.
fn levels(left: &Left) -> Vec<(MadeBy, f64)> {
    let begun = left.borders.iter().filter(|b| b.end_ns.is_none());
    let made = begun.filter_map(|b| b.made.as_ref());
    made.map(|m| (m.why, m.stage.load.level())).collect()
}

#[tokio::test(start_paused = true)]
async fn users_of_a_ramp_come_one_by_one() {
    let mut plan = plan("4", ClosedMode::Steady, TierLength::Duration("8s"));
    if let Load::Closed { ramp, .. } = &mut plan.stages[0].load {
        *ramp = Some("linear:0..4".parse().unwrap());
    }
    let left = Bench::new(plan.clone(), |_| Act::Take(100)).run().await;
    let first = |user| {
        let of_user = left.records.iter().filter(|r| r.user == user);
        of_user.map(|r| r.dispatched_ns / MS).min().unwrap()
    };
    assert_eq!([0, 1, 2, 3].map(first), [1_000, 3_000, 5_000, 7_000]);
    if let Load::Closed { ramp, .. } = &mut plan.stages[0].load {
        *ramp = Some("linear:4..2".parse().unwrap());
    }
    let left = paused_run(plan, |_| Act::Take(100));
    let last = |user| {
        let of_user = left.records.iter().filter(|r| r.user == user);
        of_user.map(|r| r.end_ns / MS).max().unwrap()
    };
    // From 4 to 2 in 8 s: below 3.5 after 2 s, below 2.5 after 6 s.
    assert_eq!([3, 2, 1, 0].map(last), [2_000, 6_000, 8_000, 8_000]);
}

/// As `Bench::run`, from a test that has a runtime of its own already.
fn paused_run(plan: Plan, script: impl Fn(&Job) -> Act + Send + Sync + 'static) -> Left {
    let run = move || paused(async move { Bench::new(plan, script).run().await });
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

#[test]
fn a_sweep_finds_the_most_that_the_server_does() {
    for arrival in [ArrivalProcess::Constant, ArrivalProcess::Poisson] {
        let left = paused_run(sweep(Over::Rate, 4, 20, arrival, 10.0), server());
        let levels = levels(&left);
        assert_eq!(levels[0], (MadeBy::Throughput, 20.0));
        let rates: Vec<f64> = levels[1..].iter().map(|l| l.1).collect();
        assert_eq!(rates.len(), 4);
        // The last is 120 % of what was found.
        let found = rates[3] / 1.2;
        assert!((found / CAPACITY - 1.0).abs() < 0.05, "{found}");
        assert!((rates[0] * 4.0 - rates[3]).abs() < rates[3] * 0.01);
        assert_eq!(left.borders.len(), 10);
        assert_eq!(left.records.iter().map(|r| r.stage.0).max(), Some(4));
        // Below capacity nearly nothing waits; above it all does.
        let slowest = |stage| {
            let of_stage = left.records.iter().filter(|r| r.stage == StageIdx(stage));
            of_stage.map(|r| r.end_ns - r.start_ns()).max().unwrap() / MS
        };
        if arrival == ArrivalProcess::Constant {
            // The paused clock's timers have a grain of 1 ms.
            assert!(slowest(1) <= 101, "{}", slowest(1));
        }
        assert!(slowest(4) > 1_000, "{}", slowest(4));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_over_users_is_made_of_closed_stages() {
    let plan = sweep(Over::Users, 5, 16, ArrivalProcess::Constant, 2.0);
    let left = Bench::new(plan, server()).run().await;
    let steps = [1.0, 2.0, 4.0, 8.0, 16.0].map(|n| (MadeBy::Step, n));
    assert_eq!(levels(&left), steps);
    assert_eq!(count(&left, |r| r.stage == StageIdx(0)), 20);
}

#[tokio::test(start_paused = true)]
async fn the_cold_requests_of_a_sweep_belong_to_its_first_stage() {
    let mut plan = sweep(Over::Rate, 2, 4, ArrivalProcess::Constant, 1.0);
    plan.cold.requests = 2;
    plan.warmup = Warmup::Requests(NonZeroU32::new(3).unwrap());
    let left = Bench::new(plan, server()).run().await;
    assert_eq!(
        count(&left, |r| r.phase == Phase::Cold && r.stage == StageIdx(0)),
        2
    );
    assert_eq!(
        count(&left, |r| r.phase == Phase::Warmup
            && r.stage == StageIdx(0)),
        3
    );
    let first = left.borders[0].made.as_ref().unwrap();
    assert_eq!(
        (first.why, left.borders[0].start_ns),
        (MadeBy::Throughput, 0)
    );
}

fn search(over: Over, from: f64, max: f64, goals: &[&str], secs: f64) -> Plan {
    let load = Load::Search {
        over,
        from,
        max,
        arrival: ArrivalProcess::Constant,
    };
    let mut plan = plan_of(load, StageEnd::DurationSecs(secs));
    plan.goals = goals.iter().map(|g| g.parse::<Goal>().unwrap()).collect();
    plan
}

#[test]
fn a_search_finds_the_largest_load_that_meets_its_goals() {
    // The levels next to what is known to be the largest good one, and all that were probed.
    let around = |plan: Plan, good: f64| {
        let left = paused_run(plan, server());
        assert!(levels(&left).iter().all(|l| l.0 == MadeBy::Probe));
        let probes: Vec<f64> = levels(&left).iter().map(|l| l.1).collect();
        let below = probes.iter().copied().filter(|l| *l <= good);
        let above = probes.iter().copied().filter(|l| *l > good);
        (
            below.fold(0.0, f64::max),
            above.fold(f64::MAX, f64::min),
            probes,
        )
    };
    // A steady stream waits for nothing up to the capacity, and ever longer above it.
    let plan = search(Over::Rate, 5.0, 1_000.0, &["e2e.p95:150ms"], 30.0);
    let (below, above, probes) = around(plan, CAPACITY);
    assert!(above - below <= 0.1 * below + 1e-9, "{probes:?}");
    assert!(probes.len() <= 10, "{probes:?}");
    // Twenty users on ten slots need 200 ms each; of twenty-one every tenth answer takes 300 ms.
    let plan = search(Over::Users, 1.0, 256.0, &["e2e.p95:250ms"], 20.0);
    let (below, above, probes) = around(plan, 20.0);
    assert!(above - below <= 0.1 * below + 1e-9, "{probes:?}");
    // A goal that nothing meets ends at one user.
    let plan = search(Over::Users, 4.0, 256.0, &["e2e.p95:50ms"], 5.0);
    assert_eq!(around(plan, 0.0).2, [4.0, 2.0, 1.0]);
}

#[tokio::test(start_paused = true)]
async fn a_saturated_stage_ends_where_the_plan_says_so() {
    let mut over = open_plan(150.0, ArrivalProcess::Constant, 300.0);
    over.limits.stop_when_saturated = true;
    over.grace_secs = 1.0;
    let left = Bench::new(over, server()).run().await;
    let why = left.borders[1].stopped.clone().unwrap();
    assert!(why.starts_with("Saturated: "), "{why}");
    assert!(left.end_ns < 60 * S, "{}", left.end_ns);

    let mut under = open_plan(80.0, ArrivalProcess::Poisson, 120.0);
    under.limits.stop_when_saturated = true;
    let left = paused_run(under, server());
    assert_eq!(left.borders[1].stopped, None);
}

#[test]
fn a_sweeps_climb_ends_at_saturation() {
    let mut plan = sweep(Over::Rate, 12, 30, ArrivalProcess::Constant, 60.0);
    plan.limits.stop_when_saturated = true;
    plan.grace_secs = 1.0;
    // The first stage runs into a server that is not warm yet, so that the sweep goes far beyond what it does.
    let server = server();
    let left = paused_run(plan, move |job| match job.stage {
        StageIdx(0) => Act::Take(150),
        _ => server(job),
    });
    let levels = levels(&left);
    // 200/s were found, so steps are 20/s apart; the first above 100/s is the last.
    assert_eq!(levels.last().unwrap().1, 120.0, "{levels:?}");
    let stopped: Vec<_> = left
        .borders
        .iter()
        .filter_map(|b| b.stopped.clone())
        .collect();
    assert!(
        matches!(&stopped[..], [why] if why.starts_with("Saturated")),
        "{stopped:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_trace_is_replayed_row_by_row() {
    let load = |time_scale| Load::Replay {
        replay: "trace.csv".into(),
        time_scale,
        max_in_flight: None,
        when_full: WhenFull::Queue,
    };
    let numbered = || Numbered {
        trace: vec![0, 40_000_001, 40_000_001, 2_000_000_000],
        ..Numbered::default()
    };
    for (scale, last) in [(1.0, 2_000_000_000), (4.0, 500_000_000)] {
        let plan = plan_of(load(scale), StageEnd::WholeTrace(true));
        let left = paused_asking(plan, numbered(), |_| Act::Take(300));
        let sent: Vec<u64> = by_seq(&left).iter().map(|r| r.dispatched_ns).collect();
        let second = if scale > 1.0 { 10_000_000 } else { 40_000_001 };
        assert_eq!(sent, [0, second, second, last]);
        let mut asked: Vec<_> = left
            .records
            .iter()
            .map(|r| r.seq)
            .zip(&left.prompts)
            .collect();
        asked.sort_by_key(|a| a.0);
        let texts: Vec<&str> = asked.iter().map(|a| &*a.1.user).collect();
        assert_eq!(
            texts,
            ["row 0 of 0", "row 1 of 0", "row 2 of 0", "row 3 of 0"]
        );
        assert!(
            left.records
                .iter()
                .all(|r| r.from_due && r.due_ns == r.released_ns)
        );
    }
}

fn paused_asking(
    plan: Plan,
    prompts: Numbered,
    script: impl Fn(&Job) -> Act + Send + Sync + 'static,
) -> Left {
    let run = move || paused(async move { Bench::asking(plan, prompts, script).run().await });
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}
