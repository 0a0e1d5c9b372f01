//! How stages, runs and requests end: by plan, by time, by limit, by hand and by fault.

use super::*;

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
    let last = measure.iter().map(|r| r.end_ns).max().unwrap();
    // All requests count as far as they reach into the window, the drained one too: 0.4 s of its 0.8.
    let within = |r: &&RequestRecord| r.end_ns.min(last) - r.dispatched_ns;
    let residence: u64 = left.records.iter().map(|r| within(&r)).sum();
    let mean = residence as f64 / last as f64;
    assert_eq!(count(&left, |r| r.phase == Phase::Drain), 1);
    assert!(
        (left.in_flight[0].mean - mean).abs() < 1e-9,
        "{:?} {mean}",
        left.in_flight
    );
    assert!((mean - 3.0).abs() < 1e-9, "{mean}");

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
