//! Conversations: turn by turn with what was really answered, and time to think.

use super::*;

fn talking(
    mut plan: Plan,
    turns: u32,
    think_secs: f64,
    script: impl Fn(&Job) -> Act + Send + Sync + 'static,
) -> Bench {
    plan.workload.think_secs = think_secs;
    let numbered = Numbered {
        turns: Some(turns),
        ..Numbered::default()
    };
    Bench::asking(plan, numbered, script)
}

/// `(user, conversation, turn, dispatched in ms)` in the order of sending.
fn turns(left: &Left) -> Vec<(u32, u64, u32, u64)> {
    by_seq(left)
        .iter()
        .map(|r| {
            (
                r.user,
                r.conversation.unwrap(),
                r.turn.unwrap(),
                r.dispatched_ns / MS,
            )
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn each_user_speaks_through_one_conversation_after_another() {
    let plan = plan("2", ClosedMode::Steady, TierLength::RequestsPerUser("5"));
    let left = talking(plan, 3, 0.2, |_| Act::Take(100)).run().await;
    let of_user = |user| {
        let all = turns(&left).into_iter().filter(move |t| t.0 == user);
        all.map(|t| (t.1, t.2, t.3)).collect::<Vec<_>>()
    };
    // 100 ms for the answer, 200 ms to think; a new conversation begins at once.
    assert_eq!(
        of_user(0),
        [
            (0, 0, 0),
            (0, 1, 300),
            (0, 2, 600),
            (2, 0, 700),
            (2, 1, 1_000)
        ]
    );
    assert_eq!(
        of_user(1),
        [
            (1, 0, 0),
            (1, 1, 300),
            (1, 2, 600),
            (3, 0, 700),
            (3, 1, 1_000)
        ]
    );
    let second = left.records.iter().find(|r| r.turn == Some(1)).unwrap();
    assert_eq!(second.due_ns, Some(300 * MS));
    assert!(
        !second.from_due,
        "a closed load's latency counts from the send"
    );
}

#[tokio::test(start_paused = true)]
async fn the_history_holds_what_was_really_answered() {
    let plan = plan("1", ClosedMode::Steady, TierLength::Requests("4"));
    let left = talking(plan, 3, 0.0, |_| Act::Take(10)).run().await;
    let history = |i: usize| {
        let turns = left.prompts[i].history.iter();
        turns
            .map(|t| format!("{}: {}", t.role.id(), t.text))
            .collect::<Vec<_>>()
    };
    assert!(history(0).is_empty());
    assert_eq!(history(1), ["user: turn 0 of 0", "assistant: answer 0"]);
    assert_eq!(
        history(2)[2..],
        ["user: turn 1 of 0", "assistant: answer 1"]
    );
    assert!(history(3).is_empty(), "another conversation");
    assert_eq!(&*left.prompts[3].user, "turn 0 of 1");
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_fails_ends_its_conversation() {
    let plan = plan("1", ClosedMode::Steady, TierLength::Requests("4"));
    let left = talking(plan, 3, 0.1, |job| match job.seq {
        1 => Act::Fail(50, FailureKind::Reset, None),
        _ => Act::Take(50),
    })
    .run()
    .await;
    let all: Vec<_> = turns(&left).iter().map(|t| (t.1, t.2, t.3)).collect();
    assert_eq!(all, [(0, 0, 0), (0, 1, 150), (1, 0, 200), (1, 1, 350)]);
}

#[tokio::test(start_paused = true)]
async fn thinking_ends_with_the_stage() {
    let plan = plan("1", ClosedMode::Steady, TierLength::Duration("1s"));
    let left = talking(plan, 5, 30.0, |_| Act::Take(50)).run().await;
    assert_eq!(left.records.len(), 1);
    assert_eq!(left.end_ns, 1_000 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_came_due_between_two_stages_is_due_when_the_second_begins() {
    let mut plan = plan("1, 1", ClosedMode::Steady, TierLength::RequestsPerUser("2"));
    plan.pause_secs = 1.0;
    let left = talking(plan, 3, 0.1, |_| Act::Take(100)).run().await;
    let all: Vec<_> = turns(&left).iter().map(|t| (t.1, t.2, t.3)).collect();
    assert_eq!(all, [(0, 0, 0), (0, 1, 200), (0, 2, 1_400), (1, 0, 1_500)]);
    let third = &by_seq(&left)[2];
    assert_eq!(third.due_ns, Some(third.dispatched_ns));
}

#[tokio::test(start_paused = true)]
async fn an_arrival_begins_a_conversation_whose_turns_follow() {
    let plan = open_plan(2.0, ArrivalProcess::Constant, 2.0);
    let left = talking(plan, 3, 0.3, |_| Act::Take(100)).run().await;
    let all: Vec<_> = turns(&left).iter().map(|t| (t.1, t.2, t.3)).collect();
    // Arrivals every 500 ms, turns 400 ms after their predecessor; none is sent after 2 s.
    let expected = [
        (0, 0, 0),
        (0, 1, 400),
        (1, 0, 500),
        (0, 2, 800),
        (1, 1, 900),
        (2, 0, 1_000),
        (1, 2, 1_300),
        (2, 1, 1_400),
        (3, 0, 1_500),
        (2, 2, 1_800),
        (3, 1, 1_900),
    ];
    assert_eq!(all, expected);
    for record in &left.records {
        assert!(record.from_due && record.due_ns == Some(record.dispatched_ns));
        assert_eq!(record.released_ns, record.due_ns);
    }
    assert_eq!(left.end_ns, 2_000 * MS);
}

#[tokio::test(start_paused = true)]
async fn turns_of_an_open_load_keep_to_its_limits() {
    // One at once: turns wait for their turn, too, and count among the requests.
    let mut plan = open_plan(10.0, ArrivalProcess::Constant, 1.0);
    plan.stages[0].end = StageEnd::Requests(6.try_into().unwrap());
    let plan = limited(plan, 1, WhenFull::Queue);
    let left = talking(plan, 2, 0.0, |_| Act::Take(150)).run().await;
    assert_eq!(left.records.len(), 6);
    assert_eq!(left.peak, 1);
    assert!(count(&left, |r| r.turn == Some(1)) >= 1);
    // A second turn waits behind the arrivals that were let go before it.
    let all: Vec<_> = turns(&left).iter().map(|t| (t.1, t.2)).collect();
    assert_eq!(all, [(0, 0), (1, 0), (0, 1), (2, 0), (3, 0), (1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn cold_and_warm_up_requests_are_single() {
    let mut plan = plan("1", ClosedMode::Steady, TierLength::Requests("3"));
    plan.cold.requests = 1;
    plan.warmup = Warmup::Requests(NonZeroU32::new(2).unwrap());
    let left = talking(plan, 2, 0.0, |_| Act::Take(10)).run().await;
    let before: Vec<_> = by_seq(&left)[..3].iter().map(|r| r.conversation).collect();
    assert_eq!(before, [None; 3]);
    assert_eq!(count(&left, |r| r.conversation.is_some()), 3);
}
