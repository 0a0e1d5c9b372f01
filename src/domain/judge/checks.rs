//! What makes a run invalid.

use super::super::{FailureKind, INTERRUPTED, Load, MetricId, StageEnd, StageIdx, StageSummary};
use super::{
    Facts, LITTLE_MIN_REQUESTS, LITTLE_MIN_SECS, Ledger, MAX_CLIENT_LATE_P99_MS, MAX_CPU_PERCENT,
    MAX_FILES_SHARE, MAX_LITTLE_SHARE, MAX_SLIP_P99_MS, MAX_SLIP_SHARE_OF_TTFT, MAX_TICK_P99_MS,
    MIN_RATE_SHARE, SLEPT_TICK_MS, StageFacts,
};

pub(super) fn all(facts: &Facts<'_>, ledger: &mut Ledger) {
    interrupted(facts, ledger);
    every_request_failed(facts, ledger);
    ticker(facts, ledger);
    cpu(facts, ledger);
    descriptors(facts, ledger);
    little(facts, ledger);
    held(facts, ledger);
    open_sends(facts, ledger);
}

fn interrupted(facts: &Facts<'_>, ledger: &mut Ledger) {
    ledger.check(facts.run.interrupted.then(|| {
        format!("{INTERRUPTED}: its last stages are short or missing; run it again to the end")
    }));
}

fn every_request_failed(facts: &Facts<'_>, ledger: &mut Ledger) {
    let n_ok: u64 = facts.stages.iter().map(|s| s.ok).sum();
    let n_failed: u64 = facts.stages.iter().map(|s| s.failed).sum();
    if n_ok > 0 || facts.records.n_failed == 0 {
        let has_ended =
            !facts.borders.is_empty() && facts.borders.iter().all(|b| b.end_ns.is_some());
        let is_empty = n_ok == 0 && has_ended && !facts.run.interrupted;
        ledger.check(is_empty.then(|| {
            "No request ended well in time: give the stages more requests or more seconds"
                .to_owned()
        }));
        return;
    }
    let worst = facts.records.errors.iter().find(|e| e.kind.is_some());
    let what = worst.map_or_else(String::new, |e| {
        let kind = e.kind.map_or("", FailureKind::label);
        let status = e.status.map(|s| format!(" {s}")).unwrap_or_default();
        format!(" ({kind}{status}: “{}”)", e.first_message)
    });
    let n = n_failed.max(facts.records.n_failed);
    ledger.check(Some(format!(
        "Every request failed, {n} of {n}{what}: test the connection, then run again"
    )));
}

fn ticker(facts: &Facts<'_>, ledger: &mut Ledger) {
    let health = &facts.run.health;
    if let Some(late) = health.tick_p99_ms {
        ledger.check((late > MAX_TICK_P99_MS).then(|| {
            format!("A 10 ms ticker beside the requests came {late:.1} ms late at p99 (at most {MAX_TICK_P99_MS} ms): this machine was overloaded; close other programs, ask for fewer users or measure from another machine")
        }));
    }
    if let Some(gap) = health.tick_max_ms {
        ledger.check((gap > SLEPT_TICK_MS).then(|| {
            format!("This machine stood still for {:.1} s (sleep, a stopped process or swapping): keep it awake and run again", gap / 1e3)
        }));
    }
}

fn cpu(facts: &Facts<'_>, ledger: &mut Ledger) {
    if let Some(cpu) = facts.run.health.cpu_max_percent_of_cores {
        ledger.check((cpu > MAX_CPU_PERCENT).then(|| {
            format!("This program used {cpu:.0} % of the machine's cores over 5 s (at most {MAX_CPU_PERCENT:.0} %): it measured itself; ask for fewer users or measure from a larger machine")
        }));
    }
}

fn descriptors(facts: &Facts<'_>, ledger: &mut Ledger) {
    let of_client = facts
        .records
        .errors
        .iter()
        .find(|e| e.kind == Some(FailureKind::Client));
    ledger.check(of_client.map(|e| {
        format!(
            "This machine ran out of ports, descriptors or memory in {} requests (“{}”): raise the limit (ulimit -n), keep connections, or ask for fewer users",
            e.count, e.first_message
        )
    }));
    let health = &facts.run.health;
    if let (Some(open), Some(most)) = (health.open_files, health.max_files) {
        let is_near = open as f64 > most as f64 * MAX_FILES_SHARE;
        ledger.check(is_near.then(|| {
            format!("{open} of {most} file descriptors were open: raise the limit (ulimit -n) or ask for fewer users")
        }));
    }
}

/// L = λW holds for any system (Little 1961), so where it does not, our own books are wrong. λW is taken from the records;
/// L from the engine's own counter where it kept one, and in a closed loop it is never above the users.
fn little(facts: &Facts<'_>, ledger: &mut Ledger) {
    // Where this machine was overloaded, an answer ends later by our count than by the kernel's stamp: that is its fault and
    // told as such, and no error in our books.
    let is_late = |late: f64| late > MAX_TICK_P99_MS;
    if facts.run.health.tick_p99_ms.is_some_and(is_late) {
        return;
    }
    let long_enough = |s: &&(usize, &StageFacts)| {
        s.1.n >= LITTLE_MIN_REQUESTS && s.1.window_secs >= LITTLE_MIN_SECS
    };
    let stages: Vec<_> = facts.records.stages.iter().enumerate().collect();
    let mut stages = stages.iter().filter(long_enough).peekable();
    if stages.peek().is_none() {
        return;
    }
    let reason = stages.find_map(|(i, stage)| little_of(facts, *i, stage));
    ledger.check(reason);
}

fn little_of(facts: &Facts<'_>, i: usize, stage: &StageFacts) -> Option<String> {
    let by_records = stage.residence_secs / stage.window_secs;
    let counted = facts.run.in_flight.iter().find(|f| f.stage.index() == i);
    let says = "this is a fault of this program: please report it with the run file";
    if let Some(counted) = counted.filter(|c| c.mean > 0.0) {
        let off = (counted.mean - by_records).abs();
        // The counter ends when an answer was read, the records at the kernel's stamp: of answers that take a few
        // milliseconds, what reading may be late is a large share.
        let late_ms = off * stage.window_secs * 1e3 / stage.n as f64;
        if off > counted.mean * MAX_LITTLE_SHARE && late_ms > MAX_CLIENT_LATE_P99_MS {
            return Some(format!(
                "In “{}” {:.2} requests were in flight by count and {by_records:.2} by their times (Little's law): {says}",
                facts.label(i),
                counted.mean
            ));
        }
    }
    let users = f64::from(facts.plan.stages.get(i)?.load.max_in_flight());
    (by_records > users * (1.0 + MAX_LITTLE_SHARE)).then(|| {
        format!(
            "In “{}” {by_records:.2} requests were in flight at once, more than there are users (Little's law): {says}",
            facts.label(i)
        )
    })
}

fn held(facts: &Facts<'_>, ledger: &mut Ledger) {
    if facts.run.interrupted || facts.records.stages.is_empty() {
        return;
    }
    let reason = facts
        .records
        .stages
        .iter()
        .enumerate()
        .find_map(|(i, stage)| held_of(facts, i, stage));
    ledger.check(reason);
}

fn held_of(facts: &Facts<'_>, i: usize, stage: &StageFacts) -> Option<String> {
    let idx = StageIdx::from_index(i);
    let planned = facts.plan.stage(idx)?;
    let Load::Closed { users, .. } = &planned.load else {
        return None;
    };
    let users = users.get();
    // Users that rest between their turns need not be in flight together.
    let workload = &facts.plan.workload;
    let rests = workload.turns > 1 && workload.think_secs > 0.0;
    let by_engine = facts.run.in_flight.iter().find(|f| f.stage == idx);
    let held = match by_engine.filter(|_| !rests).and_then(|f| f.held) {
        Some(held) => held,
        // Said already, by its own caution.
        None if facts.stopped(idx).is_some() || stage.n == 0 => return None,
        None => stage.n_users,
    };
    // With few requests a user, the fast ones may take the last before the others have begun.
    let asked = match planned.end {
        StageEnd::Requests(n) => users.min(u32::try_from(n.get() / 2).unwrap_or(u32::MAX)),
        StageEnd::RequestsPerUser(_) | StageEnd::DurationSecs(_) | StageEnd::WholeTrace(_) => users,
    };
    (held < asked).then(|| {
        format!(
            "Only {held} of {users} users of “{}” sent a request: ask for more requests, raise this machine's limits (ulimit -n) or ask for fewer users",
            facts.label(i)
        )
    })
}

/// Latencies of an open load count from the planned time, so they hold what this machine was late by; and a rate that was
/// not reached is not the load that its figures are said to be of.
fn open_sends(facts: &Facts<'_>, ledger: &mut Ledger) {
    let open = |(i, _): &(usize, &StageSummary)| {
        let planned = facts.plan.stage(StageIdx::from_index(*i));
        planned.is_some_and(|stage| stage.load.is_open())
    };
    let stages: Vec<_> = facts.stages.iter().enumerate().filter(open).collect();
    if stages.is_empty() {
        return;
    }
    ledger.check(stages.iter().find_map(|(_, stage)| open_slip(stage)));
    let rates = stages.iter().filter_map(|(i, stage)| {
        let of_records = facts.records.stages.get(*i)?;
        let sent = stage.sent_rate?;
        let due = of_records.due_rate?;
        let tells = of_records.n >= LITTLE_MIN_REQUESTS
            && of_records.window_secs >= LITTLE_MIN_SECS
            && facts.stopped(StageIdx::from_index(*i)).is_none();
        tells.then_some((*stage, sent, due))
    });
    let rates: Vec<_> = rates.collect();
    if !rates.is_empty() {
        let reason = rates
            .iter()
            .find_map(|(s, sent, due)| open_rate(s, *sent, *due));
        ledger.check(reason);
    }
}

fn open_slip(stage: &StageSummary) -> Option<String> {
    let slip = stage.metric(MetricId::Slip)?.p99?;
    let ttft = stage.metric(MetricId::Ttft).and_then(|d| d.p50);
    let most = MAX_SLIP_P99_MS.max(ttft.unwrap_or(0.0) * MAX_SLIP_SHARE_OF_TTFT);
    (slip > most).then(|| {
        format!(
            "Requests of “{}” left {slip:.1} ms after their time at p99 (at most {most:.1} ms), and their latencies hold that: close other programs, ask for a lower rate or measure from another machine",
            stage.label
        )
    })
}

fn open_rate(stage: &StageSummary, sent: f64, due: f64) -> Option<String> {
    if sent >= due * MIN_RATE_SHARE {
        return None;
    }
    let label = &stage.label;
    Some(if stage.dropped > 0 {
        format!(
            "Only {sent:.2} of {due:.2} requests a second of “{label}” were sent, {} were dropped at the in-flight limit: raise max_in_flight or ask for a lower rate",
            stage.dropped
        )
    } else {
        format!(
            "Only {sent:.2} of {due:.2} requests a second of “{label}” were sent: this machine did not keep up; ask for a lower rate or measure from another machine"
        )
    })
}
