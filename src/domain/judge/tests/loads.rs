//! Dropped arrivals, goals that are not told, visitors that were not served.

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
