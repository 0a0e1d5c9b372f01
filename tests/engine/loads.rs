//! Open loads, sweeps, searches and live controls end to end, over sockets. Figures are printed; only orders of magnitude
//! are asserted, since the machine may be busy.
#![expect(clippy::print_stdout, reason = "the figures are to be looked at")]

use std::num::NonZeroU32;

use inferometer::demo::{DemoServer, Options, Script};
use inferometer::domain::{ArrivalProcess, Load, MadeBy, MetricId, Over, StageEnd, WhenFull};

use super::*;

fn open(address: SocketAddr, rate: f64, limit: Option<u32>, secs: f64) -> Plan {
    let load = Load::Open {
        rate,
        arrival: ArrivalProcess::Constant,
        ramp: None,
        max_in_flight: limit.and_then(NonZeroU32::new),
        when_full: WhenFull::Queue,
    };
    of_load(&format!("http://{address}"), load, secs)
}

fn of_load(url: &str, load: Load, secs: f64) -> Plan {
    let mut plan = Plan::simple(url);
    plan.workload.max_tokens = Some(4);
    plan.stages = vec![Stage {
        load,
        end: StageEnd::DurationSecs(secs),
    }];
    plan
}

fn quantile(mut ms: Vec<f64>, q: f64) -> f64 {
    ms.sort_by(f64::total_cmp);
    inferometer::stats::nearest_rank(&ms, q).unwrap()
}

#[test]
fn a_frozen_server_is_seen_from_the_schedule_and_hidden_from_the_send() {
    // Answers at once, but for the 150th request: it takes a second, and all others wait behind it.
    let server = serve(|n| Answer::Stream {
        first_ms: if n == 150 { 1_000 } else { 0 },
        gap_ms: 0,
        n: 2,
    });
    let (end, records) = run(open(server.address, 100.0, Some(1), 6.0), openai());
    assert_eq!(records.len(), 600);
    let ms = |from: fn(&RequestRecord) -> u64, q| {
        let took = |r: &RequestRecord| (r.end_ns - from(r)) as f64 / 1e6;
        quantile(records.iter().map(took).collect(), q)
    };
    let (due, sent) = (ms(|r| r.start_ns(), 0.9), ms(|r| r.dispatched_ns, 0.9));
    println!(
        "one connection, frozen for 1 s of 6 s: p90 {due:.1} ms from the schedule, {sent:.1} ms from the send; p99 {:.1} and {:.1} ms",
        ms(|r| r.start_ns(), 0.99),
        ms(|r| r.dispatched_ns, 0.99),
    );
    // A hundred of 600 waited for half a second in the mean, and one of them was slow itself.
    assert!(due > 200.0, "{due}");
    assert!(sent < due / 2.0, "{sent} {due}");
    assert!(
        records
            .iter()
            .all(|r| r.from_due && r.released_ns.is_some())
    );
    let waits = end.run.values(
        inferometer::domain::StageIdx(0),
        Phase::Measure,
        MetricId::LimitWait,
    );
    assert!(quantile(waits, 0.99) > 200.0);
    let kinds = records
        .iter()
        .filter(|r| kind_of(r) != ConnectionKind::Reused)
        .count();
    assert_eq!(kinds, 0, "the one connection was opened before");
}

#[test]
fn senders_beyond_those_opened_make_connections_and_say_so() {
    let server = serve(|_| Answer::Stream {
        first_ms: 1_500,
        gap_ms: 0,
        n: 2,
    });
    let (_, records) = run(open(server.address, 4.0, None, 2.0), openai());
    let n_new = records
        .iter()
        .filter(|r| kind_of(r) == ConnectionKind::New)
        .count();
    // Four are opened beforehand; six are in flight at once.
    assert!((1..=6).contains(&n_new), "{n_new}");
    assert_eq!(records.len(), 8);
}

/// Four at once, 60 ms and 10 ms for each of 32 tokens: some ten answers a second.
fn demo() -> DemoServer {
    let script = Script {
        slots: 4,
        prefill_ms: 60.0,
        prefill_ms_per_token: 0.0,
        step_ms: 10.0,
        step_ms_per_running: 0.0,
        jitter: 0.0,
        cold_ms: 0.0,
        max_waiting: 100_000,
        ..Script::default()
    };
    DemoServer::start(Options {
        script,
        ..Options::default()
    })
    .unwrap()
}

#[test]
fn a_sweep_and_a_search_find_what_the_demo_server_does() {
    let _quiet = crate::MACHINE.read().unwrap();
    let server = demo();
    let url = server.openai_url();
    let users = |n| NonZeroU32::new(n).unwrap();
    let sweep = Load::Sweep {
        over: Over::Rate,
        steps: users(4),
        max_users: users(16),
        arrival: ArrivalProcess::Constant,
    };
    let mut plan = of_load(&url, sweep, 3.0);
    plan.grace_secs = 5.0;
    let (end, _) = run(plan, openai());
    let most = end.run.summary.stages[0].request_rate.unwrap();
    for stage in &end.run.summary.stages {
        let p95 = stage.metric(MetricId::E2e).and_then(|d| d.p95);
        println!(
            "sweep, {}: {:.1} answers/s, E2E p95 {:.0} ms",
            stage.label,
            stage.request_rate.unwrap_or(0.0),
            p95.unwrap_or(f64::NAN)
        );
    }
    assert_eq!(end.run.summary.stages.len(), 5);
    assert_eq!(end.run.plan().stages.len(), 5, "as it was run");
    let top = end.run.plan().stages[4].load.level();
    assert!((top / most / 1.2 - 1.0).abs() < 0.2, "{top} {most}");

    let search = Load::Search {
        over: Over::Users,
        from: 1.0,
        max: 64.0,
        arrival: ArrivalProcess::Constant,
    };
    let mut plan = of_load(&url, search, 2.0);
    // An answer takes some 380 ms; twice as many users as slots wait as long again.
    plan.goals = vec!["e2e.p90:900ms".parse().unwrap()];
    let (end, _) = run(plan, openai());
    let probes = end.run.plan().stages.iter().zip(&end.run.summary.stages);
    for (stage, summary) in probes {
        println!(
            "search, {}: goals met by {:.2}",
            stage.load.label(),
            summary.attainment.unwrap_or(f64::NAN)
        );
    }
    let levels: Vec<f64> = end
        .run
        .plan()
        .stages
        .iter()
        .map(|s| s.load.level())
        .collect();
    assert!(levels.len() >= 3 && levels.len() <= 15, "{levels:?}");
    assert!(
        end.run
            .borders
            .iter()
            .all(|b| b.made.as_ref().is_some_and(|m| m.why == MadeBy::Probe))
    );
}

#[test]
fn a_run_is_paused_changed_and_marked_while_it_goes() {
    let server = serve(|_| Answer::Stream {
        first_ms: 20,
        gap_ms: 0,
        n: 2,
    });
    let started = start(
        plan(server.address, "2", TierLength::Requests("200")),
        openai(),
    );
    let switch = started.handle.switch();
    let wait = |ms| std::thread::sleep(Duration::from_millis(ms));
    wait(300);
    switch.mark("cache cleared");
    switch.pause();
    wait(300);
    assert!(switch.is_paused());
    let paused = started.snapshots.borrow().clone().unwrap();
    assert!(
        matches!(paused.state, RunState::Paused(_)),
        "{:?}",
        paused.state
    );
    switch.set_level(6.0);
    switch.resume();
    let end = started.handle.join().unwrap();
    assert_eq!(end.run.state, RunState::Finished);
    assert_eq!(end.run.points.len(), 200);
    let labels: Vec<String> = end
        .run
        .plan()
        .stages
        .iter()
        .map(|s| s.load.label())
        .collect();
    assert_eq!(labels, ["2 users", "6 users"]);
    assert_eq!(end.run.head.plan.stages.len(), 1, "as it was asked");
    assert_eq!(end.run.marks.len(), 1);
    assert_eq!(started.kept.lock().unwrap().marks, end.run.marks);
    assert_eq!(
        end.run.borders[0].stopped.as_deref(),
        Some("Paused by hand")
    );
}
