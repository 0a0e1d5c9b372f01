mod loads;
mod sent;

use super::*;
use crate::domain::accumulate::fixture::{MS, bare, failed, plan, streamed};
use crate::domain::{
    Accumulator, CautionId, ConnectionFacts, ConnectionKind, Detail, Ended, FailureKind, Protocol,
    RequestRecord, TextFacts,
};
use crate::stats::SplitMix64;

/// A clean run of one stage with 10 users and 400 requests, each fact of it still to be spoilt.
struct Case {
    plan: Plan,
    records: Vec<RequestRecord>,
    borders: Vec<StageBorder>,
    beside: Vec<BesideSummary>,
    run: RunFacts,
}

fn clean() -> Case {
    let mut rng = SplitMix64::new(11);
    let mut free_ms = [0.0; 10];
    let mut records = Vec::new();
    for seq in 0..400u64 {
        let user = usize::try_from(seq % 10).unwrap();
        let start = free_ms[user];
        let mut r = streamed(
            seq,
            start,
            80.0 + 20.0 * rng.unit(),
            &[5.0 + rng.unit(); 10],
        );
        r.user = u32::try_from(user).unwrap();
        r.due_ns = Some(r.dispatched_ns);
        r.client_late_ns = Some(20_000);
        r.prompt = Some(TextFacts {
            chars: 5,
            hash: format!("{seq:016x}"),
            text: None,
        });
        free_ms[user] = r.end_ns as f64 / 1e6;
        records.push(r);
    }
    records.sort_by_key(|r| r.end_ns);
    let run = RunFacts {
        health: Health {
            cpu_max_percent_of_cores: Some(12.0),
            tick_p99_ms: Some(0.3),
            tick_max_ms: Some(4.0),
            open_files: Some(30),
            max_files: Some(1024),
            ..Health::default()
        },
        ..RunFacts::default()
    };
    Case {
        plan: plan("10", "400"),
        borders: vec![StageBorder {
            stage: StageIdx(0),
            start_ns: 0,
            end_ns: Some(10_000 * MS),
            stopped: None,
            made: None,
        }],
        beside: Vec::new(),
        records,
        run,
    }
}

impl Case {
    fn judge(&self) -> (Verdict, Vec<Caution>) {
        let mut acc = Accumulator::new(&self.plan);
        for record in &self.records {
            acc.push(record);
        }
        judge(&Facts {
            plan: &self.plan,
            // No bootstrap: no check asks for the interval of a mean.
            stages: &acc.summaries(Detail::Live),
            records: &acc.facts(Detail::Full),
            borders: &self.borders,
            beside: &self.beside,
            run: &self.run,
        })
    }
}

/// The spoilt run is invalid, for this one reason only.
#[track_caller]
fn invalid(case: &Case, reason: &str) {
    let (verdict, _) = case.judge();
    assert!(!verdict.valid);
    assert_eq!(verdict.reasons.len(), 1, "{:?}", verdict.reasons);
    assert!(verdict.reasons[0].contains(reason), "{:?}", verdict.reasons);
    assert!(!verdict.reasons[0].ends_with('.'));
    assert!(verdict.n_passed < verdict.n_checks);
}

/// The spoilt run stays valid and has this one caution only.
#[track_caller]
fn cautioned(case: &Case, id: CautionId, finding: &str) -> Caution {
    let (verdict, cautions) = case.judge();
    assert!(verdict.valid, "{:?}", verdict.reasons);
    assert_eq!(cautions.len(), 1, "{cautions:#?}");
    let caution = cautions[0].clone();
    assert_eq!(caution.id, id);
    assert!(caution.finding.contains(finding), "{}", caution.finding);
    assert!(!caution.cause.is_empty() && !caution.advice.is_empty());
    assert_eq!(verdict.n_passed + 1, verdict.n_checks);
    caution
}

#[test]
fn a_clean_run_is_valid_and_passes_every_check() {
    let (verdict, cautions) = clean().judge();
    assert_eq!(verdict.reasons, Vec::<String>::new());
    assert_eq!(cautions, []);
    assert!(verdict.valid);
    assert_eq!(verdict.n_checks, verdict.n_passed);
    assert!(verdict.n_checks >= 20, "{}", verdict.n_checks);
}

/// As [`clean`], of an open load: 40 requests a second, each of which left when it was due.
fn clean_open() -> Case {
    let mut case = clean();
    case.plan.stages[0].load = crate::domain::Load::open(40.0);
    let mut rng = SplitMix64::new(12);
    for (seq, kept) in (0u64..).zip(&mut case.records) {
        let start = 25.0 * seq as f64;
        let mut r = streamed(
            seq,
            start,
            80.0 + 20.0 * rng.unit(),
            &[5.0 + rng.unit(); 10],
        );
        r.due_ns = Some(r.dispatched_ns);
        r.released_ns = r.due_ns;
        r.from_due = true;
        r.client_late_ns = Some(20_000);
        r.prompt = kept.prompt.take();
        *kept = r;
    }
    case.records.sort_by_key(|r| r.end_ns);
    case
}

#[test]
fn an_open_load_has_to_leave_on_time() {
    let (verdict, cautions) = clean_open().judge();
    assert_eq!((verdict.reasons, cautions), (Vec::new(), Vec::new()));

    // 8 ms late at p99: no doubt, as in a closed load, but a reason.
    let mut case = clean_open();
    for r in case.records.iter_mut().skip(200).take(6) {
        r.released_ns = r.due_ns.map(|ns| ns + 8 * MS);
    }
    invalid(&case, "left 8.0 ms after their time at p99");
    // 2 % of a median TTFT of 1 s allow it.
    for r in &mut case.records {
        r.first_token_ns = r.first_token_ns.map(|t| t + 1_000 * MS);
        r.last_token_ns = r.last_token_ns.map(|t| t + 1_000 * MS);
        r.end_ns += 1_000 * MS;
    }
    assert!(case.judge().0.valid);
    // Waiting for the in-flight limit is the plan's doing.
    let mut case = clean_open();
    for r in case.records.iter_mut().skip(200).take(6) {
        r.due_ns = r.due_ns.map(|ns| ns - 8 * MS);
        r.released_ns = r.due_ns;
    }
    assert!(case.judge().0.valid);
}

#[test]
fn an_open_load_has_to_reach_its_rate() {
    let mut case = clean_open();
    for r in case.records.iter_mut().step_by(40) {
        r.outcome = crate::domain::Outcome::Dropped;
        r.end_ns = r.dispatched_ns;
    }
    case.records.sort_by_key(|r| r.end_ns);
    invalid(&case, "10 were dropped at the in-flight limit");
    // Half a percent is allowed.
    let mut case = clean_open();
    case.records[7].outcome = crate::domain::Outcome::Dropped;
    assert!(case.judge().0.valid);
    // A stage that was stopped says so itself.
    let mut case = clean_open();
    for r in case.records.iter_mut().step_by(40) {
        r.outcome = crate::domain::Outcome::Dropped;
    }
    case.borders[0].stopped = Some("Paused by hand".to_owned());
    assert!(case.judge().0.valid);
}

#[test]
fn a_stage_that_a_person_ended_did_not_end_early() {
    let mut case = clean();
    case.borders[0].stopped = Some("20 requests failed".to_owned());
    cautioned(&case, CautionId::StoppedEarly, "ended before its plan did");
    for why in [
        "Paused by hand",
        "Changed by hand to 4 users",
        "Stopped by hand",
    ] {
        case.borders[0].stopped = Some(why.to_owned());
        let (_, cautions) = case.judge();
        let early = |c: &Caution| c.id == CautionId::StoppedEarly;
        assert!(!cautions.iter().any(early), "{why}: {cautions:#?}");
    }
}

#[test]
fn late_sends() {
    let mut case = clean();
    for r in case.records.iter_mut().skip(200).take(6) {
        r.due_ns = Some(r.dispatched_ns - 8 * MS);
    }
    let caution = cautioned(
        &case,
        CautionId::LateSends,
        "8.0 ms late at p99 (at most 5.0 ms)",
    );
    assert_eq!(caution.stage, Some(StageIdx(0)));
    // 2 % of a median TTFT of 1 s allow it.
    for r in &mut case.records {
        let shift = 1000 * MS;
        r.first_token_ns = r.first_token_ns.map(|t| t + shift);
        r.last_token_ns = r.last_token_ns.map(|t| t + shift);
    }
    assert_eq!(case.judge().1, []);
}

#[test]
fn starved_runtime() {
    let mut case = clean();
    case.run.health.tick_p99_ms = Some(6.5);
    invalid(&case, "6.5 ms late at p99");
}

#[test]
fn own_cpu() {
    let mut case = clean();
    case.run.health.cpu_max_percent_of_cores = Some(93.0);
    invalid(&case, "93 % of the machine's cores");
}

#[test]
fn descriptors_near_the_limit() {
    let mut case = clean();
    case.run.health.open_files = Some(950);
    invalid(&case, "950 of 1024 file descriptors");
}

#[test]
fn no_descriptor_left() {
    let mut case = clean();
    let lost = bare(400, 0, MS);
    case.records.push(failed(
        lost,
        FailureKind::Client,
        "Too many open files (os error 24)",
    ));
    invalid(&case, "Too many open files");
}

#[test]
fn the_machine_slept() {
    let mut case = clean();
    case.run.health.tick_max_ms = Some(3100.0);
    invalid(&case, "stood still for 3.1 s");
}

#[test]
fn littles_law_by_the_engines_count() {
    let mut case = clean();
    let count = |mean| {
        vec![InFlight {
            stage: StageIdx(0),
            mean,
            held: None,
        }]
    };
    // Ten users without a pause, apart from the ends of the stage.
    case.run.in_flight = count(9.9);
    assert_eq!(case.judge().0.reasons, Vec::<String>::new());
    case.run.in_flight = count(11.0);
    invalid(&case, "Little's law");
    // On an overloaded machine the two differ by how late answers were read.
    case.run.health.tick_p99_ms = Some(18.0);
    invalid(&case, "A 10 ms ticker");
}

#[test]
fn answers_as_short_as_reading_may_be_late_are_no_fault_of_the_books() {
    let mut case = clean();
    case.plan = plan("1", "400");
    for (seq, r) in (0..400_u32).zip(&mut case.records) {
        *r = streamed(u64::from(seq), 5.0 * f64::from(seq), 3.0, &[0.5; 2]);
        r.due_ns = Some(r.dispatched_ns);
    }
    case.run.in_flight = vec![InFlight {
        stage: StageIdx(0),
        mean: 0.95,
        held: None,
    }];
    assert_eq!(case.judge().0.reasons, Vec::<String>::new());
}

#[test]
fn more_in_flight_than_users() {
    let mut case = clean();
    case.plan = plan("9", "400");
    invalid(&case, "more than there are users");
}

#[test]
fn fewer_users_than_asked() {
    let mut case = clean();
    for r in &mut case.records {
        r.user = r.user.min(7);
    }
    invalid(&case, "Only 8 of 10 users");
    let mut case = clean();
    case.run.in_flight = vec![InFlight {
        stage: StageIdx(0),
        mean: 0.0,
        held: Some(6),
    }];
    invalid(&case, "Only 6 of 10 users");
    // Of conversations with pauses to think few need be in flight together; all ten sent.
    case.plan.workload.turns = 5;
    case.plan.workload.think_secs = 10.0;
    let (verdict, _) = case.judge();
    assert_eq!(verdict.reasons, Vec::<String>::new());
}

#[test]
fn interrupted_run() {
    let mut case = clean();
    case.run.interrupted = true;
    invalid(&case, "interrupted");
}

#[test]
fn every_request_failed() {
    let mut case = clean();
    case.records = (0..400)
        .map(|i| {
            let mut r = failed(
                bare(i, i * MS, (i + 1) * MS),
                FailureKind::Connect,
                "refused",
            );
            r.user = u32::try_from(i % 10).unwrap();
            r
        })
        .collect();
    let (verdict, _) = case.judge();
    assert_eq!(verdict.reasons.len(), 1);
    assert!(
        verdict.reasons[0].contains("400 of 400 (No connection: “refused”)"),
        "{:?}",
        verdict.reasons
    );
}

#[test]
fn nothing_ended_well() {
    let mut case = clean();
    case.records.clear();
    invalid(&case, "No request ended well");
    // Not yet a fault while it runs.
    case.borders[0].end_ns = None;
    assert!(case.judge().0.valid);
}

#[test]
fn past_saturation() {
    let mut case = clean();
    case.plan = plan("1, 10", "400");
    case.borders[0].stage = StageIdx(1);
    // Arrivals every 20 ms into a server that gets 1 ms slower with each: the queue grows.
    case.records = (0..400u64)
        .map(|i| {
            let mut r = streamed(i, i as f64 * 20.0, 20.0 + i as f64, &[]);
            r.stage = StageIdx(1);
            r.user = u32::try_from(i % 10).unwrap();
            r
        })
        .collect();
    case.plan.stages[1] = plan("40", "400").stages[0].clone();
    for (i, r) in case.records.iter_mut().enumerate() {
        r.user = u32::try_from(i % 40).unwrap();
    }
    let caution = cautioned(&case, CautionId::Saturated, "40 users is past saturation");
    assert_eq!(caution.stage, Some(StageIdx(1)));
    assert!(
        caution.advice.contains("End at 1 user"),
        "{}",
        caution.advice
    );
}

#[test]
fn repeated_prompts_unless_marked() {
    let mut case = clean();
    for r in &mut case.records {
        r.prompt = Some(TextFacts {
            chars: 5,
            hash: format!("{:016x}", r.seq % 7),
            text: None,
        });
    }
    cautioned(
        &case,
        CautionId::RepeatedPrompts,
        "400 requests shared 7 different prompts",
    );
    case.plan.workload.nonce = true;
    assert_eq!(case.judge().1, []);
}

#[test]
fn gaps_tell_of_buffering() {
    let mut case = clean();
    for r in &mut case.records {
        let sum: u64 = r.chunk_ns.iter().sum();
        r.chunk_ns = vec![MS / 10; 10];
        r.chunk_ns[0] = sum - 9 * MS / 10;
    }
    cautioned(&case, CautionId::Buffering, "90 % of the gaps");
}

#[test]
fn several_tokens_a_chunk() {
    let mut case = clean();
    for r in &mut case.records {
        r.tokens_out = Some(33);
    }
    cautioned(&case, CautionId::TokensPerChunk, "3.0 tokens");
}

#[test]
fn few_requests() {
    let mut case = clean();
    case.records.truncate(71);
    let caution = cautioned(&case, CautionId::FewSamples, "“10 users” has 71 requests");
    assert!(caution.advice.contains("72") && caution.advice.contains("368"));
    assert_eq!(caution.stage, Some(StageIdx(0)));
    case.borders[0].end_ns = None;
    assert_eq!(case.judge().1, [], "it still runs");
}

#[test]
fn old_gradio_polls() {
    let mut case = clean();
    let server = |name: &str, version: Option<&str>| ServerFacts {
        protocol: Protocol::Gradio,
        name: name.to_owned(),
        version: version.map(str::to_owned),
        ..ServerFacts::default()
    };
    case.run.server = server("gradio", Some("5.50.0"));
    cautioned(&case, CautionId::GradioPolling, "Gradio 5.50");
    case.run.server = server("gradio 6.2.0", None);
    cautioned(&case, CautionId::GradioPolling, "Gradio 6.2");
    for fine in ["6.11.0", "6.31.0", "10.0", "unknown", "7"] {
        case.run.server = server("", Some(fine));
        assert_eq!(case.judge().1, [], "{fine}");
    }
}

#[test]
fn streams_and_connections() {
    let mut case = clean();
    case.records[3].ended = Some(Ended::OkNoDone);
    cautioned(&case, CautionId::NoDone, "1 streams ended without");
    let mut case = clean();
    case.records[3].connection = Some(ConnectionFacts {
        kind: ConnectionKind::Reconnected,
        dns_ns: None,
        tcp_ns: Some(MS),
        tls_ns: None,
        address: None,
    });
    cautioned(&case, CautionId::Reconnected, "1 kept connections");
}

#[test]
fn what_the_engine_saw() {
    type Spoil = fn(&mut Case);
    let cases: [(CautionId, &str, Spoil); 11] = [
        (CautionId::Journal, "12 lines", |c| {
            c.run.journal_lost = 12;
        }),
        (CautionId::Journal, "No space left", |c| {
            c.run.journal_error = Some("No space left on device".to_owned());
        }),
        (CautionId::Insecure, "not checked", |c| {
            c.plan.target.insecure = true;
        }),
        (CautionId::Compressed, "gzip", |c| {
            c.run.n_compressed = 3;
            c.run.content_encoding = Some("gzip".to_owned());
        }),
        (CautionId::RetryAfter, "4 times to wait, up to 30 s", |c| {
            c.run.n_retry_after = 4;
            c.run.retry_after_secs = Some(30.0);
        }),
        (
            CautionId::StoppedEarly,
            "“10 users” ended before",
            |c| {
                c.borders[0].stopped = Some("20 requests failed".to_owned());
            },
        ),
        (CautionId::NoUsage, "does not count", |c| {
            c.run.usage_refused = true;
        }),
        (CautionId::EndsRefused, "ignore_eos", |c| {
            c.run.ends_refused = true;
        }),
        (CautionId::PrefixCache, "512 prompt tokens", |c| {
            c.run.cached_tokens = 512;
        }),
        (CautionId::Changed, "model", |c| {
            c.run.changed = vec!["the model is another one".to_owned()];
        }),
        (CautionId::LateTick, "81 ms", |c| {
            c.run.health.tick_max_ms = Some(81.0);
        }),
    ];
    for (id, finding, spoil) in cases {
        let mut case = clean();
        spoil(&mut case);
        cautioned(&case, id, finding);
    }
}

#[test]
fn reading_late() {
    let mut case = clean();
    for r in &mut case.records {
        r.client_late_ns = Some(8 * MS);
    }
    cautioned(&case, CautionId::ClientLate, "8.0 ms late at p99");
}

#[test]
fn a_live_verdict_does_not_ask_what_only_the_end_knows() {
    let case = clean();
    let mut acc = Accumulator::new(&case.plan);
    for record in case.records.iter().take(3) {
        acc.push(record);
    }
    let summary = acc.summary(Detail::Live, &[], &RunFacts::default());
    assert!(summary.verdict.valid);
    assert_eq!(summary.stages[0].ok, 3);
}
