//! Failures, dropped arrivals, goals that are not told, visitors that were not served.

use super::*;
use crate::domain::{BesideKind, Load, Outcome, WhenFull};

fn open(case: &mut Case, when_full: WhenFull) {
    case.plan.stages[0].load = Load::Open {
        rate: 80.0,
        arrival: Default::default(),
        ramp: None,
        max_in_flight: None,
        when_full,
    };
}

fn drop_every(case: &mut Case, nth: usize) {
    for r in case.records.iter_mut().step_by(nth) {
        r.outcome = Outcome::Dropped;
        r.end_ns = r.dispatched_ns;
    }
}

#[test]
fn failures_that_the_figures_leave_out() {
    let fail_every = |nth: usize| {
        let mut case = clean();
        for r in case.records.iter_mut().step_by(nth) {
            *r = failed(r.clone(), FailureKind::HttpStatus, "queue is full");
        }
        case
    };
    assert_eq!(fail_every(100).judge().1, [], "1 % is not above it");
    cautioned(
        &fail_every(50),
        CautionId::Failed,
        "8 of 400 requests of “10 users” failed (2.0 %)",
    );
}

#[test]
fn requests_that_were_given_up_are_in_no_latency() {
    let mut case = clean();
    for r in case.records.iter_mut().step_by(20) {
        r.outcome = Outcome::CutOff;
    }
    let finding = "20 of 400 requests of “10 users” were cut off (5.0 %)";
    cautioned(&case, CautionId::CutOff, finding);
}

#[test]
fn users_without_a_request_are_no_load() {
    let mut case = clean();
    case.plan.stages[0].load = Load::Closed {
        users: std::num::NonZeroU32::new(500).unwrap(),
        mode: Default::default(),
        ramp: None,
    };
    let (_, cautions) = case.judge();
    let said = cautions.iter().find(|c| c.id == CautionId::IdleUsers);
    let said = said.expect("a caution");
    assert!(
        said.finding.contains("has 400 requests for 500 users"),
        "{}",
        said.finding
    );
}

#[test]
fn dropped_arrivals() {
    let mut case = clean();
    open(&mut case, WhenFull::Drop);
    assert_eq!(case.judge().1, []);
    drop_every(&mut case, 200);
    cautioned(
        &case,
        CautionId::Dropped,
        "2 of 400 arrivals of “80 req/s” were dropped (0.5 %)",
    );
}

fn with_goal(goal: &str) -> Case {
    let mut case = clean();
    case.plan.goals = vec![goal.parse().unwrap()];
    case
}

#[test]
fn goals_that_too_few_requests_tell_of() {
    // TTFT is even between 80 and 100 ms: 95 % of 400 are below 99 ms.
    let case = with_goal("ttft.p95:99ms");
    let caution = cautioned(&case, CautionId::GoalsUnresolved, "meets p95 TTFT ≤ 99 ms");
    assert!(
        caution.finding.contains("of 400 requests do"),
        "{}",
        caution.finding
    );
    assert!(
        caution.finding.contains("asks for 95 %"),
        "{}",
        caution.finding
    );
    for told in ["ttft.p95:120ms", "ttft.p95:85ms"] {
        assert_eq!(with_goal(told).judge().1, [], "{told}");
    }
    // The stage that still runs may get them yet.
    let mut case = with_goal("ttft.p95:99ms");
    case.borders[0].end_ns = None;
    assert_eq!(case.judge().1, []);
}

#[test]
fn how_many_more_requests_would_tell() {
    let mut case = with_goal("ttft.p95:120ms");
    case.records.truncate(60);
    let (_, cautions) = case.judge();
    let caution = cautions.iter().find(|c| c.id == CautionId::GoalsUnresolved);
    // Wilson's lower end of 73 of 73 is the first above 0.95.
    assert!(
        caution.unwrap().advice.contains("about 13 more requests"),
        "{}",
        caution.unwrap().advice
    );
    let low = |n| crate::stats::wilson(n, n).unwrap()[0];
    assert!(low(72) < 0.95 && low(73) >= 0.95);
    // Exactly on the goal: nothing would tell.
    let mut case = with_goal("ttft.p50:85ms");
    for (i, r) in case.records.iter_mut().enumerate() {
        let ttft = if i % 2 == 0 { 80 } else { 90 };
        r.first_token_ns = Some(r.dispatched_ns + ttft * MS);
    }
    let caution = cautioned(&case, CautionId::GoalsUnresolved, "200 of 400");
    assert!(
        caution.advice.contains("no number of requests"),
        "{}",
        caution.advice
    );
}

#[test]
fn visitors_that_were_not_served() {
    let mut case = clean();
    let of = |kind, failed| BesideSummary {
        kind,
        n: 40,
        failed,
        p50: Some(5.0),
        p90: Some(6.0),
        p99: Some(7.0),
        first_error: (failed > 0).then(|| "POST /upload answered 413: too large".to_owned()),
    };
    case.beside = vec![of(BesideKind::PageLoad, 0), of(BesideKind::Upload, 0)];
    assert_eq!(case.judge().1, []);
    case.beside[1] = of(BesideKind::Upload, 12);
    cautioned(
        &case,
        CautionId::Beside,
        "12 of 40 uploads beside the measured requests failed: POST /upload answered 413",
    );
}

/// An open stage of 60 s before one server: Poisson arrivals, exponential service.
fn queue(rate: f64, capacity: f64, seed: u64) -> Case {
    let mut case = clean();
    open(&mut case, WhenFull::Queue);
    let mut rng = SplitMix64::new(seed);
    let (mut at, mut free) = (0.0_f64, 0.0_f64);
    case.records.clear();
    while at < 60.0 {
        at += rng.exp(rate);
        let begin = at.max(free);
        free = begin + rng.exp(capacity);
        let seq = case.records.len() as u64;
        let ttft_ms = (begin - at) * 1e3 + 1.0;
        let mut r = streamed(seq, at * 1e3, ttft_ms, &[(free - begin) * 1e3]);
        r.due_ns = Some(r.dispatched_ns);
        r.from_due = true;
        case.records.push(r);
    }
    case.records.sort_by_key(|r| r.end_ns);
    case
}

fn is_saturated(case: &Case) -> bool {
    let (_, cautions) = case.judge();
    cautions.iter().any(|c| c.id == CautionId::Saturated)
}

#[test]
fn an_open_load_above_what_the_server_gives_is_named() {
    for seed in 0..10 {
        assert!(is_saturated(&queue(26.0, 20.0, seed)), "seed {seed}");
        assert!(is_saturated(&queue(60.0, 20.0, seed)), "seed {seed}");
    }
}

#[test]
fn a_queue_that_comes_and_goes_is_not_saturated() {
    let n = |rate| {
        (0..30)
            .filter(|s| is_saturated(&queue(rate, 20.0, *s)))
            .count()
    };
    assert!(n(10.0) <= 1, "{}", n(10.0));
    assert!(n(16.0) <= 3, "{}", n(16.0));
}
