//! Open loads: requests leave when they are due, to the nanosecond, whatever becomes of those before.

use super::*;
use crate::engine::schedule::{Extent, Level, arrivals, seed_of};
use crate::stats::nearest_rank;

const S: u64 = 1_000 * MS;

#[tokio::test(start_paused = true)]
async fn constant_arrivals_leave_on_their_grid() {
    let plan = open_plan(10.0, ArrivalProcess::Constant, 1.0);
    let left = Bench::new(plan, |_| Act::Take(250)).run().await;
    let expected: Vec<_> = (0..10).map(|i| (i * 100, i * 100 + 250)).collect();
    assert_eq!(times(&left), expected);
    for record in &left.records {
        assert!(record.from_due);
        assert_eq!(record.due_ns, Some(record.dispatched_ns));
        assert_eq!(record.released_ns, Some(record.dispatched_ns));
    }
    assert_eq!(left.peak, 3);
    // The last that ended within the second ends at 950 ms: 8 of 250 ms, and 150 ms of the next two.
    assert_eq!(count(&left, |r| r.phase == Phase::Drain), 2);
    assert_eq!(left.end_ns, 1_150 * MS);
    let mean = (8.0 * 0.25 + 0.15 + 0.05) / 0.95;
    assert!(
        (left.in_flight[0].mean - mean).abs() < 1e-9,
        "{:?}",
        left.in_flight
    );
    assert_eq!(left.in_flight[0].held, None);
    assert_eq!(left.borders[1].stopped, None);
}

#[test]
fn random_arrivals_leave_at_the_nanosecond_of_their_seed() {
    for arrival in [ArrivalProcess::Poisson, ArrivalProcess::Gamma(0.5)] {
        // Each in a runtime of its own, whose time begins at 0.
        let run = |seed| {
            let mut plan = open_plan(40.0, arrival, 5.0);
            plan.seed = seed;
            paused(async move { Bench::new(plan, |_| Act::Take(20)).run().await })
        };
        let left = run(11);
        let extent = Extent::Ns(5 * S);
        let due = arrivals(Level::Flat(40.0), arrival, extent, seed_of(11, 0), 10_000);
        assert!(due.len() > 100 && due.iter().any(|ns| ns % MS != 0));
        let sent = |left: &Left| {
            let records = by_seq(left);
            records.iter().map(|r| r.dispatched_ns).collect::<Vec<_>>()
        };
        assert_eq!(sent(&left), due, "{arrival}");
        let is_exact =
            |r: &RequestRecord| r.due_ns == Some(r.dispatched_ns) && r.due_ns == r.released_ns;
        assert!(left.records.iter().all(is_exact));
        assert_eq!(sent(&left), sent(&run(11)));
        assert_ne!(sent(&left), sent(&run(12)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_ends_a_stage_too() {
    let mut plan = open_plan(10.0, ArrivalProcess::Constant, 1.0);
    plan.stages[0].end = StageEnd::Requests(7.try_into().unwrap());
    let left = Bench::new(plan, |_| Act::Take(1_000)).run().await;
    assert_eq!(left.records.len(), 7);
    assert_eq!(left.end_ns, 1_600 * MS);
    assert_eq!(count(&left, |r| r.phase == Phase::Measure), 7);
}

#[tokio::test(start_paused = true)]
async fn ramps_of_the_rate_follow_their_integral() {
    let mut plan = open_plan(10.0, ArrivalProcess::Constant, 10.0);
    if let Load::Open { ramp, .. } = &mut plan.stages[0].load {
        *ramp = Some("linear:0..10".parse().unwrap());
    }
    let left = Bench::new(plan, |_| Act::Take(5)).run().await;
    let sent: Vec<u64> = by_seq(&left).iter().map(|r| r.dispatched_ns).collect();
    assert_eq!(sent.len(), 50);
    for (i, ns) in (0..).zip(sent) {
        let exact = f64::from(2 * i).sqrt() * 1e9;
        assert!((ns as f64 - exact).abs() <= 0.5, "{i}: {ns} {exact}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_requests_wait_and_counts_it() {
    let plan = open_plan(10.0, ArrivalProcess::Constant, 0.5);
    let plan = limited(plan, 1, WhenFull::Queue);
    let left = Bench::new(plan, |_| Act::Take(150)).run().await;
    let records = by_seq(&left);
    for (i, record) in (0..).zip(&records) {
        assert_eq!(record.due_ns, Some(i * 100 * MS));
        assert_eq!(record.released_ns, record.due_ns);
        assert_eq!(record.dispatched_ns, i * 150 * MS);
        assert_eq!(
            record.start_ns(),
            i * 100 * MS,
            "the wait is in its latency"
        );
    }
    assert_eq!(records.len(), 5);
    assert_eq!(left.peak, 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_load_drops_where_the_plan_says_so() {
    let plan = open_plan(10.0, ArrivalProcess::Constant, 1.0);
    let plan = limited(plan, 2, WhenFull::Drop);
    let left = Bench::new(plan, |_| Act::Take(320)).run().await;
    let dropped: Vec<u64> = by_seq(&left)
        .iter()
        .filter(|r| r.outcome == Outcome::Dropped)
        .map(|r| r.dispatched_ns / MS)
        .collect();
    // 0 and 100 are sent, and 400, 500, 800, 900 after their ends at 320 and 420 and so on.
    assert_eq!(dropped, [200, 300, 600, 700]);
    assert_eq!(left.records.len(), 10);
    assert_eq!(left.peak, 2);
    let one = left
        .records
        .iter()
        .find(|r| r.outcome == Outcome::Dropped)
        .unwrap();
    assert_eq!(
        (one.sent_ns, one.end_ns, one.phase),
        (None, one.dispatched_ns, Phase::Measure)
    );
}

#[tokio::test(start_paused = true)]
async fn what_coordinated_omission_hides_is_seen_from_the_schedule() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/vectors");
    let text = std::fs::read_to_string(format!("{folder}/coordinated_omission.json")).unwrap();
    let known: serde_json::Value = serde_json::from_str(&text).unwrap();

    let plan = open_plan(100.0, ArrivalProcess::Constant, 60.0);
    let plan = limited(plan, 1, WhenFull::Queue);
    let bench = Bench::new(plan, |job| {
        // Frozen for the thirtieth second.
        let frozen = (30 * S..31 * S).contains(&job.dispatched_ns);
        let left = if frozen {
            (31 * S - job.dispatched_ns) / MS
        } else {
            0
        };
        Act::Take(left + 1)
    });
    let left = bench.run().await;
    assert_eq!(left.records.len() as u64, known["n"].as_u64().unwrap());
    let sorted = |from: fn(&RequestRecord) -> u64| {
        let ms = |r: &RequestRecord| (r.end_ns - from(r)) as f64 / 1e6;
        let mut ms: Vec<f64> = left.records.iter().map(ms).collect();
        ms.sort_by(f64::total_cmp);
        ms
    };
    let latencies = [
        ("from_schedule", sorted(|r| r.start_ns())),
        ("from_send", sorted(|r| r.dispatched_ns)),
    ];
    for (name, ms) in latencies {
        for (q, expected) in known[&format!("{name}_ms")].as_object().unwrap() {
            let got = nearest_rank(&ms, q.parse().unwrap()).unwrap();
            assert!(
                (got - expected.as_f64().unwrap()).abs() < 1e-6,
                "{name} {q}: {got}"
            );
        }
        let mean = ms.iter().sum::<f64>() / ms.len() as f64;
        assert!(
            (mean - known["mean_ms"][name].as_f64().unwrap()).abs() < 1e-6,
            "{mean}"
        );
        let over = ms.iter().filter(|ms| **ms > 100.0).count() as u64;
        assert_eq!(over, known["count_over_100ms"][name].as_u64().unwrap());
    }
    let waited = left
        .records
        .iter()
        .map(|r| r.dispatched_ns - r.due_ns.unwrap());
    let longest = waited.max().unwrap() as f64 / 1e6;
    assert!((longest - known["max_schedule_slip_ms"].as_f64().unwrap()).abs() < 1e-6);
    assert!(
        left.records.iter().all(|r| r.released_ns == r.due_ns),
        "the pacer was never late"
    );
}

#[tokio::test(start_paused = true)]
async fn the_grace_time_cuts_off_what_is_left() {
    let mut plan = open_plan(10.0, ArrivalProcess::Constant, 1.0);
    plan.grace_secs = 0.5;
    let left = Bench::new(plan.clone(), |job| {
        if job.dispatched_ns >= 700 * MS {
            Act::Hang
        } else {
            Act::Take(50)
        }
    })
    .run()
    .await;
    let cut: Vec<_> = left
        .records
        .iter()
        .filter(|r| r.outcome == Outcome::CutOff)
        .collect();
    assert_eq!(cut.len(), 3);
    assert!(
        cut.iter()
            .all(|r| r.end_ns == 1_500 * MS && r.phase == Phase::Measure)
    );
    assert_eq!(left.end_ns, 1_500 * MS);
    // With a limit, those whose turn never came are cut off too, unsent.
    let left = Bench::new(limited(plan, 1, WhenFull::Queue), |_| Act::Hang)
        .run()
        .await;
    assert_eq!(count(&left, |r| r.outcome == Outcome::CutOff), 10);
    assert_eq!(left.peak, 1);
}

#[tokio::test(start_paused = true)]
async fn stop_and_abort_end_an_open_load() {
    let stopped = async |aborts: bool| {
        let plan = open_plan(10.0, ArrivalProcess::Constant, 10.0);
        let bench = Bench::new(limited(plan, 2, WhenFull::Queue), |_| Act::Take(1_000));
        let control = Arc::clone(&bench.control);
        tokio::spawn(async move {
            sleep(Duration::from_millis(550)).await;
            control.stop(StopReason::Person);
            if aborts {
                control.abort();
            }
        });
        bench.run().await
    };
    let left = stopped(false).await;
    assert_eq!(count(&left, |r| r.outcome.is_ok()), 2);
    // 200 to 500 were let go and waited for their turn.
    assert_eq!(count(&left, |r| r.outcome == Outcome::Cancelled), 4);
    assert_eq!(left.end_ns, 1_100 * MS);
    assert_eq!(left.borders[1].stopped.as_deref(), Some("Stopped by hand"));
    let left = stopped(true).await;
    assert_eq!(count(&left, |r| r.outcome == Outcome::Cancelled), 6);
    assert_eq!(left.end_ns, 550 * MS);
}

#[tokio::test(start_paused = true)]
async fn the_runs_own_time_ends_an_open_load() {
    let mut plan = open_plan(10.0, ArrivalProcess::Constant, 10.0);
    plan.limits.max_secs = Some(0.55);
    let left = Bench::new(plan, |_| Act::Take(20)).run().await;
    assert_eq!(left.records.len(), 6);
    let stopped = left.borders[1].stopped.as_deref().unwrap();
    assert!(stopped.contains("0.55 s"), "{stopped}");
}

#[tokio::test(start_paused = true)]
async fn an_open_stage_is_warmed_up_at_its_rate_without_a_gap() {
    let mut plan = open_plan(10.0, ArrivalProcess::Constant, 1.0);
    plan.warmup = Warmup::Secs(0.55);
    let left = Bench::new(plan, |_| Act::Take(300)).run().await;
    let warm = |r: &&&RequestRecord| r.phase == Phase::Warmup;
    let records = by_seq(&left);
    let sent: Vec<u64> = records
        .iter()
        .filter(warm)
        .map(|r| r.dispatched_ns / MS)
        .collect();
    assert_eq!(sent, [0, 100, 200, 300, 400, 500]);
    let first = records.iter().find(|r| !warm(r)).unwrap();
    assert_eq!(
        first.dispatched_ns,
        550 * MS,
        "Measure begins while the last warm-ups are under way"
    );
    assert_eq!(records.len(), 16);
    assert_eq!(left.in_flight.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn connections_are_opened_before_an_open_stage_and_more_when_needed() {
    let mut plan = open_plan(40.0, ArrivalProcess::Constant, 2.0);
    plan.target.connections = Connections::Keep;
    let bench = Bench::new(plan.clone(), |_| Act::Take(10));
    let left = bench.run().await;
    assert_eq!(
        left.seen.connects.load(Relaxed),
        4,
        "as many as leave in a tenth of a second"
    );
    assert_eq!(by_seq(&left)[0].dispatched_ns, 5 * MS, "after they stand");
    assert_eq!(left.seen.made.load(Relaxed), 4);
    // Answers of two seconds need eighty at once.
    let left = Bench::new(plan, |_| Act::Take(2_000)).run().await;
    assert_eq!(left.seen.made.load(Relaxed), 80);
    assert_eq!(left.seen.closes.load(Relaxed), 80);
    // Two requests need no more than two connections.
    let mut plan = open_plan(40.0, ArrivalProcess::Constant, 0.05);
    plan.target.connections = Connections::Keep;
    let left = Bench::new(plan, |_| Act::Take(10)).run().await;
    assert_eq!(left.seen.connects.load(Relaxed), 2);
}
