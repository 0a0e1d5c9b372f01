//! Doubts about what a load shows: requests that failed or were cut off, arrivals that were dropped, goals that too few requests tell of,
//! visitors that were not served.

use crate::stats;

use super::super::{
    BesideSummary, Caution, CautionId, GoalResult, GoalVerdict, Load, StageEnd, Taken, WhenFull,
};
use super::cautions::caution;
use super::{Facts, Ledger, MAX_FAILED_SHARE, MAX_MORE_REQUESTS};

/// Arrivals that an in-flight limit kept out are in no latency.
pub(super) fn dropped(facts: &Facts<'_>, ledger: &mut Ledger) {
    let may_drop = |load: &Load| match load {
        Load::Open { when_full, .. } | Load::Replay { when_full, .. } => {
            *when_full == WhenFull::Drop
        }
        _ => false,
    };
    let n_dropped = facts.stages.iter().map(|s| s.dropped).sum::<u64>();
    if n_dropped == 0 && !facts.plan.stages.iter().any(|s| may_drop(&s.load)) {
        return;
    }
    let shares = facts.stages.iter().enumerate().map(|(i, stage)| {
        let n = stage.n_ended() + stage.dropped;
        (i, stage.dropped, n, stage.dropped as f64 / n.max(1) as f64)
    });
    let worst = shares
        .filter(|s| s.1 > 0)
        .max_by(|a, b| a.3.total_cmp(&b.3));
    ledger.doubt(worst.map(|(i, n_dropped, n, share)| {
        caution(
            CautionId::Dropped,
            Some(i),
            format!(
                "{n_dropped} of {n} arrivals of “{}” were dropped ({:.1} %)",
                facts.label(i),
                share * 100.0
            ),
            "As many requests were in flight as the plan allows, so those arrivals were not sent: latencies are those of the requests that found room, and the server met a lower rate than asked",
            "Raise max_in_flight, let arrivals queue, or ask for a lower rate",
        )
    }));
}

/// Requests that failed have no latency: what is left tells of the others only. Where all failed the run is invalid.
pub(super) fn failed(facts: &Facts<'_>, ledger: &mut Ledger) {
    let n_ok = facts.stages.iter().map(|s| s.ok).sum::<u64>();
    if n_ok == 0 {
        return;
    }
    let shares = facts.stages.iter().enumerate().map(|(i, stage)| {
        let n = stage.ok + stage.failed;
        (i, stage.failed, n, stage.failed as f64 / n.max(1) as f64)
    });
    let worst = shares
        .filter(|s| s.3 > MAX_FAILED_SHARE)
        .max_by(|a, b| a.3.total_cmp(&b.3));
    ledger.doubt(worst.map(|(i, n_failed, n, share)| {
        caution(
            CautionId::Failed,
            Some(i),
            format!(
                "{n_failed} of {n} requests of “{}” failed ({:.1} %)",
                facts.label(i),
                share * 100.0
            ),
            "A request that failed has no latency, so the figures are those of the requests that ended well, and the server had less to do than asked",
            "Look at what the errors say, then ask for fewer users, or for what the server takes",
        )
    }));
}

/// The slowest requests of a stage, given up when its grace time was over: no latency holds them.
pub(super) fn cut_off(facts: &Facts<'_>, ledger: &mut Ledger) {
    let shares = facts.stages.iter().enumerate().map(|(i, stage)| {
        let n = stage.ok + stage.failed + stage.cut_off;
        (i, stage.cut_off, n, stage.cut_off as f64 / n.max(1) as f64)
    });
    let worst = shares
        .filter(|s| s.3 > MAX_FAILED_SHARE && s.1 < s.2)
        .max_by(|a, b| a.3.total_cmp(&b.3));
    ledger.doubt(worst.map(|(i, n_cut, n, share)| {
        caution(
            CautionId::CutOff,
            Some(i),
            format!(
                "{n_cut} of {n} requests of “{}” were cut off ({:.1} %)",
                facts.label(i),
                share * 100.0
            ),
            "They had not ended when the grace time after the stage was over, and they were the slowest: the latencies shown are those of the others",
            "Ask for less load, or raise grace_secs until all of them end",
        )
    }));
}

/// A closed stage in which not every user can have sent a request.
pub(super) fn idle_users(facts: &Facts<'_>, ledger: &mut Ledger) {
    let counted = facts.plan.stages.iter().enumerate();
    let counted: Vec<(usize, u64, u64)> = counted
        .filter_map(|(i, stage)| match (&stage.load, stage.end) {
            (Load::Closed { users, .. }, StageEnd::Requests(n)) => {
                Some((i, u64::from(users.get()), n.get()))
            }
            _ => None,
        })
        .collect();
    if counted.is_empty() {
        return;
    }
    let idle = counted.into_iter().find(|(_, users, n)| n < users);
    ledger.doubt(idle.map(|(i, users, n)| {
        let requests = if n == 1 { "request" } else { "requests" };
        caution(
            CautionId::IdleUsers,
            Some(i),
            format!("“{}” has {n} {requests} for {users} users", facts.label(i)),
            "A user that never sends is no load: the stage met the server with as many users as it has requests",
            format!("Ask for at least {users} requests, or for fewer users"),
        )
    }));
}

/// Goals of stages that have ended, where the interval of the share still holds the share asked.
pub(super) fn unresolved(facts: &Facts<'_>, ledger: &mut Ledger) {
    if facts.plan.goals.is_empty() {
        return;
    }
    let has_ended = |i: usize| {
        let border = facts.borders.iter().find(|b| b.stage.index() == i);
        border.is_none_or(|b| b.end_ns.is_some())
    };
    let stages = facts.stages.iter().enumerate();
    let open: Vec<(usize, &GoalResult)> = stages
        .filter(|(i, _)| has_ended(*i))
        .filter_map(|(i, stage)| {
            let of = stage.goals.iter().filter(|r| r.n > 0);
            let mut of = of.filter(|r| r.verdict == GoalVerdict::Unresolved);
            Some((i, of.next()?))
        })
        .collect();
    ledger.doubt(open.first().map(|(i, result)| {
        let (goal, what) = (result.goal, counted(result));
        let others = match open.len() {
            1 => String::new(),
            2 => ", and 1 more stage is no clearer".to_owned(),
            n => format!(", and {} more stages are no clearer", n - 1),
        };
        let finding = format!(
            "Whether “{}” meets {} is not known: {} of {} {what} do, and the goal asks for {} %{others}",
            facts.label(*i),
            goal.label(),
            result.n_within,
            result.n,
            goal.percent(),
        );
        caution(
            CautionId::GoalsUnresolved,
            Some(*i),
            finding,
            "The 95 % interval of the share holds both a goal that is met and one that is missed",
            advice(result, what),
        )
    }));
}

fn counted(result: &GoalResult) -> &'static str {
    match result.goal.metric.metric().taken {
        Taken::PerGap => "gaps",
        _ => "requests",
    }
}

fn advice(result: &GoalResult, what: &str) -> String {
    match more_needed(result) {
        Some(more) => format!("Ask for about {more} more {what} a stage: with the share seen so far they would tell"),
        None => "It is so near to the goal that no number of requests would tell: look at how far the values are from the limit, or set another limit".to_owned(),
    }
}

/// How many more values would tell with the share seen so far. Wilson's interval is what the score test does not refuse,
/// so it leaves the share asked out from n = z² s (1 − s) / (p − s)² on.
fn more_needed(result: &GoalResult) -> Option<u64> {
    let (asked, seen) = (result.goal.share, result.attainment?);
    let z = stats::normal_quantile(0.5 + stats::CONFIDENCE / 2.0);
    let n = (z * z * asked * (1.0 - asked) / (seen - asked).powi(2)).ceil();
    let more = (n - result.n as f64).max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and MAX_MORE_REQUESTS"
    )]
    (more <= MAX_MORE_REQUESTS).then_some(more as u64)
}

/// Visitors that were not served were no load.
pub(super) fn visitors(facts: &Facts<'_>, ledger: &mut Ledger) {
    if facts.beside.is_empty() {
        return;
    }
    ledger.doubt(failed_visits(facts.beside));
}

fn failed_visits(beside: &[BesideSummary]) -> Option<Caution> {
    let worst = beside.iter().filter(|b| b.failed > 0);
    let worst = worst.max_by_key(|b| b.failed)?;
    let said = worst.first_error.as_deref().unwrap_or("no word");
    Some(caution(
        CautionId::Beside,
        None,
        format!(
            "{} of {} {} beside the measured requests failed: {said}",
            worst.failed,
            worst.n,
            worst.kind.label().to_lowercase()
        ),
        "The app did not serve its visitors, so the measured requests shared it with less traffic than the plan asks",
        "Look at what the app says, then visit less, or with a smaller file",
    ))
}
