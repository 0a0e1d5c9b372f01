//! What the person does to a run under way: pause and resume, another level.

use super::*;
use crate::domain::MadeBy;

/// Runs `plan` while `person` does something to it.
async fn run<P, F>(plan: Plan, ms: u64, person: P) -> Left
where
    P: FnOnce(Arc<Control>) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let bench = Bench::new(plan, move |_| Act::Take(ms));
    let control = Arc::clone(&bench.control);
    tokio::spawn(async move { person(control).await });
    bench.run().await
}

async fn wait(ms: u64) {
    sleep(Duration::from_millis(ms)).await;
}

/// Stage, start and end in ms, why it ended, what made it, and its load where it was made.
type Ran<'a> = (u16, u64, u64, &'a str, Option<MadeBy>, String);

fn stages(left: &Left) -> Vec<Ran<'_>> {
    let ended = left.borders.iter().filter(|b| b.end_ns.is_some());
    ended
        .map(|b| {
            let made = b.made.as_ref();
            (
                b.stage.0,
                b.start_ns / MS,
                b.end_ns.unwrap() / MS,
                b.stopped.as_deref().unwrap_or(""),
                made.map(|m| m.why),
                made.map(|m| m.stage.load.label()).unwrap_or_default(),
            )
        })
        .collect()
}

fn of(left: &Left, stage: u16, phase: Phase) -> usize {
    count(left, |r| r.stage == StageIdx(stage) && r.phase == phase)
}

#[tokio::test(start_paused = true)]
async fn a_pause_makes_the_rest_a_stage_of_its_own() {
    let plan = plan("2", ClosedMode::Steady, TierLength::Requests("20"));
    let left = run(plan, 100, async |control| {
        wait(250).await;
        control.pause();
        wait(750).await;
        control.resume();
    })
    .await;
    assert_eq!(
        stages(&left),
        [
            (0, 0, 250, "Paused by hand", None, String::new()),
            (
                1,
                1_000,
                1_700,
                "",
                Some(MadeBy::Resumed),
                "2 users".to_owned()
            ),
        ]
    );
    // Two were under way when it was paused: they ended, and belong to no figure.
    assert_eq!(
        (of(&left, 0, Phase::Measure), of(&left, 0, Phase::Drain)),
        (4, 2)
    );
    assert_eq!(of(&left, 1, Phase::Measure), 14);
    assert!(left.records.iter().all(|r| r.outcome.is_ok()));
    let means: Vec<f64> = left.in_flight.iter().map(|i| i.mean).collect();
    assert_eq!(means, [2.0, 2.0]);
    assert!(left.in_flight.iter().all(|i| i.held.is_none()));
}

#[tokio::test(start_paused = true)]
async fn users_come_and_go_while_a_stage_runs() {
    let plan = plan("2", ClosedMode::Steady, TierLength::Duration("3s"));
    let left = run(plan, 100, async |control| {
        wait(950).await;
        control.set_level(4.0);
        wait(970).await;
        control.set_level(1.0);
        control.set_level(f64::NAN);
        control.set_level(-3.0);
    })
    .await;
    assert_eq!(
        stages(&left),
        [
            (0, 0, 950, "Changed by hand to 4 users", None, String::new()),
            (
                1,
                950,
                1_920,
                "Changed by hand to 1 user",
                Some(MadeBy::Changed),
                "4 users".to_owned()
            ),
            (
                2,
                1_920,
                3_000,
                "",
                Some(MadeBy::Changed),
                "1 user".to_owned()
            ),
        ]
    );
    // The two that were there come in when their requests have ended, at 1 s.
    let first = |stage: u16| {
        let mut ms: Vec<u64> = left
            .records
            .iter()
            .filter(|r| r.stage == StageIdx(stage))
            .map(|r| r.dispatched_ns / MS)
            .collect();
        ms.sort_unstable();
        ms.truncate(4);
        ms
    };
    assert_eq!(first(1), [950, 950, 1_000, 1_000]);
    // Of the four one stays, which comes back last, at 2 s.
    assert_eq!(left.peak, 4);
    assert_eq!(count(&left, |r| r.dispatched_ns >= 2_000 * MS), 10);
    assert_eq!(left.end_ns, 3_000 * MS);
    let rest = left.borders[4].made.as_ref().unwrap().stage.end;
    assert_eq!(rest, StageEnd::DurationSecs(1.08));
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_changed_and_paused_too() {
    let plan = open_plan(10.0, ArrivalProcess::Constant, 3.0);
    let left = run(plan, 30, async |control| {
        wait(950).await;
        control.set_level(20.0);
        wait(470).await;
        control.pause();
        wait(1_000).await;
        control.set_level(5.0);
        control.resume();
    })
    .await;
    assert_eq!(
        stages(&left),
        [
            (
                0,
                0,
                950,
                "Changed by hand to 20 req/s",
                None,
                String::new()
            ),
            (
                1,
                950,
                1_420,
                "Paused by hand",
                Some(MadeBy::Changed),
                "20 req/s".to_owned()
            ),
            (
                2,
                2_420,
                3_850,
                "",
                Some(MadeBy::Changed),
                "5 req/s".to_owned()
            ),
        ]
    );
    let sent = |stage: u16| {
        let of_stage = by_seq(&left)
            .into_iter()
            .filter(move |r| r.stage == StageIdx(stage));
        of_stage.map(|r| r.dispatched_ns / MS).collect::<Vec<_>>()
    };
    assert_eq!(sent(0).len(), 10);
    assert_eq!(
        sent(1),
        [
            950, 1_000, 1_050, 1_100, 1_150, 1_200, 1_250, 1_300, 1_350, 1_400
        ]
    );
    assert_eq!(
        sent(2),
        [2_420, 2_620, 2_820, 3_020, 3_220, 3_420, 3_620, 3_820]
    );
}

#[tokio::test(start_paused = true)]
async fn a_burst_changes_when_its_round_is_over() {
    let plan = plan("3", ClosedMode::Burst, TierLength::Requests("9"));
    let left = run(plan, 100, async |control| {
        wait(50).await;
        control.set_level(2.0);
    })
    .await;
    let sent: Vec<(u16, u64)> = by_seq(&left)
        .iter()
        .map(|r| (r.stage.0, r.dispatched_ns / MS))
        .collect();
    let expected = [
        (0, 0),
        (0, 0),
        (0, 0),
        (1, 100),
        (1, 100),
        (1, 200),
        (1, 200),
        (1, 300),
        (1, 300),
    ];
    assert_eq!(sent, expected);
    assert!(left.records.iter().all(|r| r.phase == Phase::Measure));
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_can_be_stopped_and_its_time_stands_still() {
    let long = plan("1", ClosedMode::Steady, TierLength::Requests("100"));
    let left = run(long, 100, async |control| {
        wait(250).await;
        control.pause();
        wait(10_000).await;
        control.stop(StopReason::Person);
    })
    .await;
    assert_eq!(left.records.len(), 3);
    assert_eq!(left.borders.len(), 2);
    assert_eq!(left.borders[1].stopped.as_deref(), Some("Paused by hand"));
    assert_eq!(left.end_ns, 10_250 * MS);

    let mut timed = plan("1", ClosedMode::Steady, TierLength::Requests("8"));
    timed.limits.max_secs = Some(1.0);
    let run = move || {
        paused(run(timed, 100, async |control| {
            wait(250).await;
            control.pause();
            wait(10_000).await;
            control.resume();
        }))
    };
    let left = std::thread::scope(|scope| scope.spawn(run).join().unwrap());
    assert_eq!(left.records.len(), 8);
    assert!(
        left.borders
            .iter()
            .all(|b| b.stopped.as_deref() != Some("Stopped by hand"))
    );
    assert_eq!(
        left.borders.last().unwrap().stopped,
        None,
        "the pause is not the run's time"
    );
}

#[tokio::test(start_paused = true)]
async fn a_replay_goes_on_with_the_row_after_the_pause() {
    let load = Load::Replay {
        replay: "trace.csv".into(),
        time_scale: 1.0,
        max_in_flight: None,
        when_full: WhenFull::Queue,
    };
    let plan = plan_of(load, StageEnd::WholeTrace(true));
    let numbered = Numbered {
        trace: vec![0, 500 * MS, 1_000 * MS, 1_500 * MS],
        ..Numbered::default()
    };
    let bench = Bench::asking(plan, numbered, |_| Act::Take(10));
    let control = Arc::clone(&bench.control);
    tokio::spawn(async move {
        wait(700).await;
        control.pause();
        wait(1_300).await;
        control.resume();
    });
    let left = bench.run().await;
    let sent: Vec<u64> = by_seq(&left).iter().map(|r| r.dispatched_ns / MS).collect();
    assert_eq!(sent, [0, 500, 2_300, 2_800]);
    let texts: Vec<&str> = left.prompts.iter().map(|p| &*p.user).collect();
    assert_eq!(
        texts,
        ["row 0 of 0", "row 1 of 0", "row 2 of 0", "row 3 of 0"]
    );
}

#[test]
fn marks_are_kept_in_their_order_and_bounded() {
    let control = Control::new();
    control.mark(5, "  model swapped ");
    control.mark(9, &"x".repeat(1_000));
    let marks = control.take_marks();
    assert_eq!((marks[0].at_ns, &*marks[0].text), (5, "model swapped"));
    assert_eq!(marks[1].text.len(), 200);
    assert!(control.take_marks().is_empty());
    (0..5_000).for_each(|ns| control.mark(ns, "again"));
    assert_eq!(control.take_marks().len(), 1_000);
}

#[test]
fn a_kept_moment_is_marked_once() {
    let control = Control::new();
    assert_eq!(control.take_moment(), None);
    control.keep_moment(5);
    control.keep_moment(7);
    assert_eq!(
        (control.take_moment(), control.take_moment()),
        (Some(7), None)
    );
}

/// 10 a second of which each takes a second, two at once: what waits grows.
fn backlog_plan() -> Plan {
    let load = Load::Open {
        rate: 10.0,
        arrival: ArrivalProcess::Constant,
        ramp: None,
        max_in_flight: Some(std::num::NonZeroU32::new(2).unwrap()),
        when_full: WhenFull::Queue,
    };
    plan_of(load, StageEnd::DurationSecs(1.0))
}

#[tokio::test(start_paused = true)]
async fn the_persons_pause_is_no_wait_of_those_that_waited() {
    let left = run(backlog_plan(), 200, async |control| {
        wait(550).await;
        control.pause();
        wait(600_000).await;
        control.resume();
    })
    .await;
    // Six until the pause, and five of the rest, whose grid begins anew.
    assert_eq!(left.records.len(), 11);
    let waited = |r: &RequestRecord| (r.dispatched_ns - r.due_ns.unwrap()) / MS;
    assert!(left.records.iter().all(|r| r.outcome.is_ok()));
    let most = left.records.iter().map(waited).max().unwrap();
    assert!(most < 2_000, "{most} ms");
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_recorded_when_a_paused_run_is_stopped() {
    let left = run(backlog_plan(), 1_000, async |control| {
        wait(550).await;
        control.pause();
        wait(5_000).await;
        control.stop(StopReason::Person);
    })
    .await;
    // Six were let go, two of which were sent.
    assert_eq!(left.records.len(), 6);
    assert_eq!(count(&left, |r| r.outcome == Outcome::Cancelled), 4);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_has_nothing_more_to_let_go_is_neither_paused_nor_changed() {
    let mut plan = backlog_plan();
    plan.grace_secs = 3.0;
    plan.stages.push(Stage {
        load: Load::closed(NonZeroU32::new(1).unwrap()),
        end: StageEnd::Requests(std::num::NonZeroU64::new(2).unwrap()),
    });
    let left = run(plan, 1_000, async |control| {
        wait(1_500).await;
        control.set_level(50.0);
        control.pause();
        wait(60_000).await;
        control.resume();
    })
    .await;
    // Two at a time until the grace time is over: the others are told as cut off, none is lost.
    let of_first = |r: &&RequestRecord| r.stage == StageIdx(0);
    let outcomes: Vec<_> = left.records.iter().filter(of_first).collect();
    assert_eq!(outcomes.len(), 10);
    assert!(outcomes.iter().any(|r| r.outcome == Outcome::CutOff));
    assert!(outcomes.iter().all(|r| r.end_ns <= 4_000 * MS));
    // The next one has the users that its plan says, whatever was wished for the first.
    assert_eq!(stages(&left)[1].3, "Paused by hand");
    assert_eq!(left.peak, 2);
    assert_eq!(count(&left, |r| r.stage.0 > 0 && r.outcome.is_ok()), 2);
}

#[tokio::test(start_paused = true)]
async fn a_warm_up_that_outlasts_the_grace_time_gives_up_nothing_of_the_stage() {
    for end in [TierLength::Requests("4"), TierLength::Duration("1s")] {
        let mut plan = plan("1", ClosedMode::Steady, end);
        plan.warmup = Warmup::Secs(0.5);
        plan.grace_secs = 1.0;
        let bench = Bench::new(plan, |job| match job.phase {
            Phase::Warmup => Act::Take(60_000),
            _ => Act::Take(250),
        });
        let left = bench.run().await;
        let measured = |r: &RequestRecord| r.phase == Phase::Measure;
        assert_eq!(count(&left, measured), 4);
        assert!(
            left.records
                .iter()
                .filter(|r| measured(r))
                .all(|r| r.outcome.is_ok())
        );
    }
}
