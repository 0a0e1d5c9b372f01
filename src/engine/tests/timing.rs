//! When requests leave: steady, burst, wave, and what comes before the first stage.

use super::*;

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
                stopped: None,
                made: None,
            },
            StageBorder {
                stage: StageIdx(0),
                start_ns: 0,
                end_ns: Some(1_000_000_000),
                stopped: None,
                made: None,
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
