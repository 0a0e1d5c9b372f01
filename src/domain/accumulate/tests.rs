use super::fixture::{MS, bare, failed, ns, plan, streamed};
use super::*;
use crate::domain::{
    Ended, FailureKind, GradioFacts, Load, MadeBy, Outcome, StageEnd, TextFacts, TokenSource,
};

#[track_caller]
fn near(got: Option<f64>, expected: f64) {
    let got = got.expect("a value");
    assert!(
        (got - expected).abs() <= 1e-9 * expected.abs().max(1e-9),
        "got {got}, expected {expected}"
    );
}

fn accumulated(users: &str, records: &[RequestRecord]) -> Accumulator {
    let mut acc = Accumulator::new(&plan(users, "10"));
    for record in records {
        acc.push(record);
    }
    acc
}

#[test]
fn metrics_of_one_known_stream() {
    // `llm_metrics.json`: role chunk at 41, tokens at 120 (1), 140 (3), 200 (2), finish at 230, end at 232.
    let path = format!(
        "{}/tests/data/vectors/llm_metrics.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let v: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut record = streamed(0, 2.0, 118.0, &[20.0, 60.0]);
    record.finish_ns = Some(ns(230.0));
    record.end_ns = ns(232.0);
    record.tokens_out = Some(6);
    record.chunk_tokens = Some(vec![1, 3, 2]);
    let mut acc = accumulated("1", &[record]);
    let stage = &acc.summaries(Detail::Full)[0];
    let value = |id: MetricId| stage.metric(id).unwrap().p50;
    near(
        value(MetricId::Ttft),
        v["ttft_from_send_ms"].as_f64().unwrap(),
    );
    near(value(MetricId::Streaming), 80.0);
    near(value(MetricId::E2e), 228.0);
    near(
        value(MetricId::Tpot),
        v["tpot_(e2e_last_token - ttft)/(n-1)"].as_f64().unwrap(),
    );
    near(
        value(MetricId::DecodeRate),
        v["decode_tps"].as_f64().unwrap(),
    );
    let gaps = stage.metric(MetricId::Itl).unwrap();
    assert_eq!((gaps.n, gaps.min, gaps.max), (2, Some(20.0), Some(60.0)));
    near(stage.tokens_per_chunk, 2.0);
    near(stage.duration_s, 0.230);
    near(stage.output_token_rate, 6.0 / 0.230);
    near(stage.request_rate, 1.0 / 0.230);
}

#[test]
fn one_token_and_one_shot_answers_have_nulls() {
    let one_token = streamed(0, 0.0, 50.0, &[]);
    let mut whole = bare(1, 60 * MS, 160 * MS);
    whole.tokens_out = Some(40);
    let mut acc = accumulated("1", &[one_token, whole]);
    let stage = &acc.summaries(Detail::Full)[0];
    assert_eq!(stage.metric(MetricId::Ttft).unwrap().n, 1);
    assert_eq!(stage.metric(MetricId::E2e).unwrap().n, 2);
    for id in [MetricId::Tpot, MetricId::Itl, MetricId::DecodeRate] {
        let d = stage.metric(id).unwrap();
        assert_eq!((d.n, d.p50, d.avg), (0, None, None), "{id:?}");
    }
    // The whole answer's tokens count at its end.
    near(stage.output_token_rate, 41.0 / 0.160);
    // Every metric with a distribution is in the map, and no other.
    assert_eq!(stage.metrics.len(), crate::domain::N_DISTRIBUTED);
}

#[test]
fn only_successful_measure_requests_enter() {
    let mut cold = streamed(0, 0.0, 6000.0, &[10.0]);
    cold.phase = Phase::Cold;
    let mut warmup = streamed(1, 6100.0, 900.0, &[10.0]);
    warmup.phase = Phase::Warmup;
    let good = streamed(2, 8000.0, 100.0, &[10.0]);
    let bad = failed(
        streamed(3, 8000.0, 5.0, &[10.0]),
        FailureKind::ErrorInStream,
        "boom",
    );
    let mut drain = streamed(4, 8050.0, 700.0, &[10.0]);
    drain.phase = Phase::Drain;
    let mut cut = bare(5, 8000 * MS, 9000 * MS);
    cut.phase = Phase::Drain;
    cut.outcome = Outcome::CutOff;
    let mut cancelled = bare(6, 8000 * MS, 9000 * MS);
    cancelled.outcome = Outcome::Cancelled;
    let mut acc = accumulated("1", &[cold, warmup, good, bad, drain, cut, cancelled]);
    let stage = &acc.summaries(Detail::Full)[0];
    assert_eq!(
        (stage.ok, stage.failed, stage.cut_off, stage.cancelled),
        (1, 1, 1, 1)
    );
    let ttft = stage.metric(MetricId::Ttft).unwrap();
    assert_eq!((ttft.n, ttft.p50), (1, Some(100.0)));
    near(stage.error_rate, 0.5);
    assert!(stage.error_rate_ci95.unwrap()[0] > 0.05);
    // From 8000 to 8110; the drain request's tokens come after it, the failed one's two are inside.
    near(stage.duration_s, 0.110);
    near(stage.output_token_rate, 4.0 / 0.110);
    assert_eq!(acc.points().len(), 7);
}

#[test]
fn drain_tokens_inside_the_window_count_by_their_own_time() {
    let first = streamed(0, 0.0, 100.0, &[100.0; 9]);
    let mut drain = streamed(1, 500.0, 100.0, &[100.0; 9]);
    drain.phase = Phase::Drain;
    let mut acc = accumulated("2", &[first, drain]);
    let stage = &acc.summaries(Detail::Live)[0];
    // Window 0 to 1000 ms: ten tokens of the first, those at 600, 700, 800, 900, 1000 of the second.
    near(stage.output_token_rate, 15.0);
    near(stage.request_rate, 1.0);
}

#[test]
fn percentiles_carry_intervals_only_where_n_supports_them() {
    let records: Vec<_> = (0..40u32)
        .map(|i| {
            streamed(
                u64::from(i),
                f64::from(i) * 1000.0,
                f64::from(i) + 1.0,
                &[1.0],
            )
        })
        .collect();
    let mut acc = accumulated("1", &records);
    let live = acc.summaries(Detail::Live)[0]
        .metric(MetricId::Ttft)
        .cloned()
        .unwrap();
    assert_eq!(live.ci95.avg, [None, None]);
    let full = acc.summaries(Detail::Full)[0]
        .metric(MetricId::Ttft)
        .cloned()
        .unwrap();
    assert_eq!(
        (full.p50, full.p95, full.p99),
        (Some(20.0), Some(38.0), Some(40.0))
    );
    assert!(full.ci95.p50[1].is_some() && full.ci95.p90[1].is_some());
    assert_eq!((full.ci95.p95[1], full.ci95.p99[1]), (None, None));
    let [low, high] = full.ci95.avg.map(Option::unwrap);
    assert!(low < 20.5 && 20.5 < high);
    near(full.sd, 11.690_451_944_500_12);
    // A full summary is not thrown away for a live one, and a new record is seen.
    let kept = acc.summaries(Detail::Live)[0]
        .metric(MetricId::Ttft)
        .cloned()
        .unwrap();
    assert_eq!(kept, full);
    acc.push(&streamed(40, 50_000.0, 41.0, &[]));
    assert_eq!(acc.summaries(Detail::Live)[0].ok, 41);
}

#[test]
fn live_looks_at_a_growing_run_agree_with_one_at_the_end() {
    let mut rng = crate::stats::SplitMix64::new(3);
    let records: Vec<_> = (0..300)
        .map(|i| {
            let ttft = 50.0 + rng.unit() * 100.0;
            let mut r = streamed(i, i as f64 * 10.0, ttft, &[rng.unit() * 10.0; 5]);
            r.stage = StageIdx(u16::try_from(i % 3).unwrap());
            r
        })
        .collect();
    let mut looked = Accumulator::new(&plan("1, 2, 4", "100"));
    for record in &records {
        looked.push(record);
        looked.summaries(Detail::Live);
    }
    let mut once = accumulated("1, 2, 4", &records);
    assert_eq!(looked.summaries(Detail::Full), once.summaries(Detail::Full));
    assert_eq!(looked.series(), once.series());
    assert_eq!(looked.gaps(StageIdx(1)), once.gaps(StageIdx(1)));
    assert_eq!(looked.gaps(StageIdx(1)).len(), 500);
    assert_eq!(looked.gaps(StageIdx(9)).len(), 0);
}

#[test]
fn cold_requests_stand_alone_and_cost_what_they_cost() {
    let mut plan = plan("1", "10");
    plan.cold.requests = 2;
    plan.cold.cycles = 2;
    let mut acc = Accumulator::new(&plan);
    for (seq, ttft) in [(0, 6000.0), (1, 300.0), (2, 5000.0), (3, 310.0)] {
        let mut r = streamed(seq, seq as f64 * 10_000.0, ttft, &[10.0]);
        r.phase = Phase::Cold;
        acc.push(&r);
    }
    for i in 0..9 {
        acc.push(&streamed(
            4 + i,
            50_000.0 + i as f64 * 500.0,
            100.0 + i as f64,
            &[10.0],
        ));
    }
    let cold = acc.cold(Detail::Full);
    let firsts: Vec<bool> = cold.requests.iter().map(|r| r.first).collect();
    assert_eq!(firsts, [true, false, true, false]);
    assert_eq!(cold.requests[1].ttft, Some(300.0));
    let penalty = &cold.penalty[&MetricId::Ttft];
    near(penalty.value, 5500.0 - 104.0);
    let [low, high] = penalty.ci95.map(Option::unwrap);
    assert!(
        (4880.0..5396.0).contains(&low) && high > 5396.0 && high <= 5910.0,
        "{low} {high}"
    );
    assert_eq!(
        acc.cold(Detail::Live).penalty[&MetricId::Ttft].ci95,
        [None, None]
    );
}

#[test]
fn one_cold_cycle_has_a_penalty_without_an_interval() {
    let mut plan = plan("1", "10");
    plan.cold.requests = 1;
    let mut acc = Accumulator::new(&plan);
    let mut cold = streamed(0, 0.0, 6000.0, &[10.0]);
    cold.phase = Phase::Cold;
    acc.push(&cold);
    assert_eq!(acc.cold(Detail::Full).penalty[&MetricId::Ttft].value, None);
    acc.push(&streamed(1, 7000.0, 200.0, &[10.0]));
    let penalty = acc
        .cold(Detail::Full)
        .penalty
        .remove(&MetricId::Ttft)
        .unwrap();
    near(penalty.value, 5800.0);
    assert_eq!(penalty.ci95, [None, None]);
    // No cold phase: nothing is claimed.
    assert_eq!(
        accumulated("1", &[]).cold(Detail::Full),
        ColdSummary::default()
    );
}

#[test]
fn errors_by_class_most_frequent_first() {
    let of = |seq, kind, message| failed(bare(seq, 0, MS), kind, message);
    let mut refused = of(0, FailureKind::Connect, "refused");
    refused.phase = Phase::Warmup;
    let mut cancelled = bare(3, 0, MS);
    cancelled.outcome = Outcome::Cancelled;
    let acc = accumulated(
        "1",
        &[
            refused,
            of(1, FailureKind::HttpStatus, "queue full"),
            of(2, FailureKind::HttpStatus, "queue full again"),
            cancelled,
        ],
    );
    let errors = acc.errors();
    assert_eq!(errors.len(), 3);
    assert_eq!(
        (
            errors[0].count,
            errors[0].first_seq,
            errors[0].first_message.as_str()
        ),
        (2, 1, "queue full")
    );
    assert_eq!(errors[1].kind, Some(FailureKind::Connect));
    assert_eq!(
        (errors[2].kind, errors[2].outcome),
        (None, OutcomeKind::Cancelled)
    );
}

#[test]
fn series_count_tokens_by_time_and_requests_in_flight() {
    // Tokens at 100, 400, 700 and 1000 ms: one per slot of 250 ms but the second has one too.
    let mut acc = accumulated("1", &[streamed(0, 0.0, 100.0, &[300.0; 3])]);
    let series = acc.series();
    assert_eq!(series.slot_ns, 250 * MS);
    assert_eq!(series.tokens, [1.0, 1.0, 1.0, 0.0, 1.0]);
    assert_eq!(series.ok, [0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(series.in_flight, [1.0, 1.0, 1.0, 1.0, 0.0]);
    let live = acc.series_live(&[750 * MS], 1125 * MS);
    assert_eq!(live.in_flight, [1.0, 1.0, 1.0, 2.0, 0.5]);
    // An hour doubles the slots and loses nothing.
    let mut late = streamed(1, 3_600_000.0, 100.0, &[300.0; 3]);
    late.tokens_out = Some(8);
    acc.push(&late);
    let series = acc.series();
    assert_eq!(series.slot_ns, 2000 * MS);
    assert!(series.tokens.len() <= TimeSeries::MAX_SLOTS);
    assert!((series.tokens.iter().sum::<f32>() - 12.0).abs() < 1e-4);
    assert!((series.in_flight[0] - 0.5).abs() < 1e-6);
    assert_eq!(series.tokens.len(), series.in_flight.len());
}

#[test]
fn nonsense_times_neither_hang_nor_panic() {
    let mut strange = streamed(0, 0.0, 1.0, &[1.0]);
    strange.end_ns = u64::MAX;
    strange.chunk_ns = vec![u64::MAX; 3];
    strange.finish_ns = Some(0);
    strange.dispatched_ns = u64::MAX - 1;
    strange.chunk_tokens = Some(vec![0; 9]);
    strange.stage = StageIdx(77);
    let mut in_stage = strange.clone();
    in_stage.stage = StageIdx(0);
    let mut backwards = bare(2, 100, 50);
    backwards.outcome = Outcome::Dropped;
    let mut acc = accumulated("1", &[strange, in_stage, backwards]);
    acc.summaries(Detail::Full);
    assert!(acc.series().tokens.len() <= TimeSeries::MAX_SLOTS);
    acc.facts(Detail::Full);
}

#[test]
fn facts_count_what_the_judge_asks() {
    let mut records = Vec::new();
    for i in 0..4 {
        let mut r = streamed(i, 0.0, 10.0, &[0.2, 5.0]);
        r.user = u32::try_from(i).unwrap();
        r.client_late_ns = Some(MS * (i + 1));
        r.prompt = Some(TextFacts {
            chars: 3,
            hash: format!("{:016x}", i / 2),
            text: None,
        });
        records.push(r);
    }
    records[0].ended = Some(Ended::OkNoDone);
    let acc = accumulated("4", &records);
    let facts = acc.facts(Detail::Full);
    assert_eq!((facts.n_prompts, facts.n_distinct_prompts), (4, 2));
    assert_eq!(
        (facts.n_gaps, facts.n_short_gaps, facts.n_no_done),
        (8, 4, 1)
    );
    assert!((facts.client_late_p99_ms.unwrap() - 4.0).abs() < 0.01);
    assert_eq!((facts.stages[0].n_users, facts.stages[0].n), (4, 4));
    assert!((facts.stages[0].residence_secs - 4.0 * 0.0152).abs() < 1e-9);
    assert!(acc.facts(Detail::Live).stages.is_empty());
}

#[test]
fn gradio_metrics_and_the_worst_token_source() {
    let mut one = streamed(0, 0.0, 100.0, &[10.0]);
    one.gradio = Some(GradioFacts {
        submit_ns: Some(12 * MS),
        queue_wait_ns: Some(40 * MS),
        ..GradioFacts::default()
    });
    let mut other = streamed(1, 200.0, 100.0, &[10.0]);
    other.token_source = Some(TokenSource::Chunks);
    let mut acc = accumulated("1", &[one, other]);
    let stage = &acc.summaries(Detail::Live)[0];
    near(stage.metric(MetricId::QueueSubmit).unwrap().p50, 12.0);
    near(stage.metric(MetricId::QueueWait).unwrap().avg, 40.0);
    assert_eq!(stage.token_source, Some(TokenSource::Chunks));
    near(stage.tokens_per_chunk, 1.0);
}

/// A person went from 2 users to 4 and back: the names tell the stages apart, also after one was put in between.
#[test]
fn stages_of_the_same_load_are_told_apart() {
    let mut acc = Accumulator::new(&plan("2,1", "10"));
    let names = |acc: &mut Accumulator| -> Vec<String> {
        let stages = acc.summaries(Detail::Live).into_iter();
        stages.map(|s| s.label).collect()
    };
    assert_eq!(names(&mut acc), ["2 users", "1 user"]);
    for (stage, users) in [(1, "4"), (2, "2")] {
        acc.border(&StageBorder {
            stage: StageIdx(stage),
            start_ns: 0,
            end_ns: None,
            stopped: None,
            made: Some(Made {
                of: StageIdx(0),
                why: MadeBy::Changed,
                stage: plan(users, "10").stages.remove(0),
            }),
        });
    }
    let expected = ["2 users", "4 users", "2 users (2)", "1 user"];
    assert_eq!(names(&mut acc), expected);
    assert_eq!(acc.plan().stage_names(), expected);
}

/// An open loop of 5 requests a second for 3 s, against a server that stalls: three of the fifteen end after the stage.
#[test]
fn an_open_loop_counts_each_request_that_was_due_and_rates_by_the_stage_s_time() {
    let mut plan = plan("1", "10");
    plan.stages[0] = Stage {
        load: Load::open(5.0),
        end: StageEnd::DurationSecs(3.0),
    };
    let mut acc = Accumulator::new(&plan);
    let border = |end_ns: Option<u64>| StageBorder {
        stage: StageIdx(0),
        start_ns: 0,
        end_ns,
        stopped: None,
        made: None,
    };
    acc.border(&border(None));
    for i in 0..15_u64 {
        let start = 200.0 * i as f64;
        let late = i >= 12;
        let mut r = streamed(i, start, if late { 1000.0 } else { 50.0 }, &[5.0]);
        r.due_ns = Some(r.dispatched_ns);
        r.from_due = true;
        if late {
            r.phase = Phase::Drain;
        }
        acc.push(&r);
    }
    acc.border(&border(Some(3_805 * MS)));
    let stage = acc.summaries(Detail::Full).remove(0);
    assert_eq!(stage.ok, 15);
    assert_eq!(stage.duration_s, Some(3.0));
    near(stage.request_rate, 4.0);
    near(stage.sent_rate, 5.0);
    // Two tokens each; those of the last three come after the time.
    near(stage.output_token_rate, 8.0);
    let ttft = stage.metric(MetricId::Ttft).unwrap();
    assert_eq!(ttft.n, 15);
    near(ttft.max, 1000.0);
    // Ended by hand: what the stage's time is, only its requests tell.
    let mut stopped = border(Some(3_805 * MS));
    stopped.stopped = Some("Paused by hand".to_owned());
    acc.border(&stopped);
    let stage = acc.summaries(Detail::Full).remove(0);
    assert!(stage.duration_s.unwrap() < 3.0, "{:?}", stage.duration_s);
}

/// 60 s at 1 req/s that were ended by hand after 5: what came later is no part of the 5.
#[test]
fn tokens_that_come_after_an_open_stage_that_ended_early_are_not_its() {
    let mut plan = plan("1", "10");
    plan.stages = vec![Stage {
        load: Load::open(1.0),
        end: StageEnd::DurationSecs(60.0),
    }];
    let mut acc = Accumulator::new(&plan);
    for i in 0..6_u64 {
        let mut r = streamed(i, 1000.0 * i as f64, 100.0, &[100.0; 4]);
        if i == 5 {
            r = streamed(i, 4500.0, 400.0, &[1000.0; 9]);
            r.phase = Phase::Drain;
        }
        r.due_ns = Some(r.dispatched_ns);
        r.from_due = true;
        acc.push(&r);
    }
    let ended = |stopped: Option<&str>, end_ns| StageBorder {
        stage: StageIdx(0),
        start_ns: 0,
        end_ns: Some(end_ns),
        stopped: stopped.map(str::to_owned),
        made: None,
    };
    acc.border(&ended(Some("Paused by hand"), 5_000 * MS));
    let stage = acc.summaries(Detail::Full).remove(0);
    near(stage.duration_s, 4.5);
    near(stage.output_token_rate, 25.0 / 4.5);
    near(stage.sent_rate, 1.0);
    // Had it gone on to its end, they would be.
    acc.border(&ended(None, 60_000 * MS));
    let stage = acc.summaries(Detail::Full).remove(0);
    near(stage.output_token_rate, 35.0 / 60.0);
}

/// A trace of 10 s in a stage of 600: its rates are those of the trace.
#[test]
fn a_replay_whose_trace_ends_first_is_not_diluted() {
    let mut plan = plan("1", "10");
    plan.stages = vec![Stage {
        load: Load::Replay {
            replay: "t.csv".into(),
            time_scale: 1.0,
            max_in_flight: None,
            when_full: Default::default(),
        },
        end: StageEnd::DurationSecs(600.0),
    }];
    let mut acc = Accumulator::new(&plan);
    for i in 0..=10_u64 {
        acc.push(&streamed(i, 1000.0 * i as f64, 100.0, &[]));
    }
    acc.border(&StageBorder {
        stage: StageIdx(0),
        start_ns: 0,
        end_ns: Some(10_200 * MS),
        stopped: None,
        made: None,
    });
    let stage = acc.summaries(Detail::Full).remove(0);
    near(stage.duration_s, 10.1);
    near(stage.request_rate, 11.0 / 10.1);
}

/// One user whose answers take 2.1 s each, for 10 s: its rate is that of its requests, not that of the time left over.
#[test]
fn a_closed_loop_s_rate_is_over_the_time_that_it_was_busy() {
    let mut plan = plan("1", "10");
    plan.stages[0].end = StageEnd::DurationSecs(10.0);
    let mut acc = Accumulator::new(&plan);
    for i in 0..5_u64 {
        let mut r = streamed(i, 2100.0 * i as f64, 2095.0, &[5.0]);
        if i == 4 {
            r.phase = Phase::Drain;
        }
        acc.push(&r);
    }
    acc.border(&StageBorder {
        stage: StageIdx(0),
        start_ns: 0,
        end_ns: Some(10_500 * MS),
        stopped: None,
        made: None,
    });
    let stage = acc.summaries(Detail::Full).remove(0);
    assert_eq!(stage.ok, 4);
    near(stage.request_rate, 1.0 / 2.1);
}
