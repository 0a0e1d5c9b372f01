//! Charts of open loops, searches, steered runs, conversations and varied plans.

use std::sync::Arc;

use super::super::*;
use super::{run_of, sample, shapes, sound};
use crate::domain::fixture::{MS, plan, streamed};
use crate::domain::{
    GoalResult, GoalVerdict, Load, Made, MadeBy, Mark as DomainMark, MetricId, OpenShape, Outcome,
    Over, Probe, RunData, SearchFinding, Stage, StageEnd, StageIdx, SweepFinding, TierLength,
    TurnSummary, Variant,
};

/// Rates of 5, 10 and 20 requests per second; at the last one only 12 are achieved and a tenth is dropped.
fn open_run(goals: &[&str]) -> RunData {
    let mut asked = plan("1", "1");
    let shape = OpenShape::default();
    let length = TierLength::Duration("10s");
    asked.stages = Stage::open_rates("5, 10, 20", shape, length).unwrap();
    asked.goals = goals.iter().map(|g| g.parse().unwrap()).collect();
    let mut records = Vec::new();
    for (stage, (due_every_ms, takes_ms)) in [(200.0, 100.0), (100.0, 110.0), (50.0, 800.0)]
        .into_iter()
        .enumerate()
    {
        let from = 10_000.0 * stage as f64;
        let n = [50u32, 100, 200][stage];
        for k in 0..n {
            let due = from + f64::from(k) * due_every_ms;
            let mut r = streamed(records.len() as u64, due, takes_ms, &[5.0; 4]);
            r.stage = StageIdx::from_index(stage);
            r.due_ns = Some(r.dispatched_ns);
            r.released_ns = Some(r.dispatched_ns + 100_000);
            r.dispatched_ns += 100_000;
            r.from_due = true;
            if stage == 2 && k % 10 == 0 {
                r.outcome = Outcome::Dropped;
                r.first_token_ns = None;
                r.last_token_ns = None;
                r.chunk_ns = Vec::new();
                r.end_ns = r.dispatched_ns;
            }
            records.push(r);
        }
    }
    let mut run = run_of(asked, &records);
    for (i, border) in run.borders.iter_mut().enumerate() {
        border.start_ns = i as u64 * 10_000 * MS;
        border.end_ns = Some((i as u64 + 1) * 10_000 * MS);
    }
    run
}

fn lines_named<'a>(chart: &'a Chart, name: &str) -> Vec<&'a Vec<[f64; 2]>> {
    shapes(chart, 0)
        .filter_map(|(_, s)| match s {
            Shape::Line {
                points, end_label, ..
            } if end_label == name => Some(points),
            _ => None,
        })
        .collect()
}

#[test]
fn an_open_loop_is_drawn_as_asked_and_as_sent() {
    let run = open_run(&["ttft.p95:500ms"]);
    assert_eq!(Throughput::first_of(&run), Throughput::Sent);
    let chart = over_time(&run, Throughput::Sent, MetricId::Ttft);
    sound(&chart);
    // The last stage asks 20 a second; nine in ten were sent.
    let asked = lines_named(&chart, "asked");
    assert_eq!(asked, [&vec![[20.0, 20.0], [30.0, 20.0]]]);
    let sent = lines_named(&chart, "sent")[0];
    let mean = sent.iter().map(|p| p[1]).sum::<f64>() / sent.len() as f64;
    assert!((mean - 18.0).abs() < 0.5, "{mean}");
    let on_rail = shapes(&chart, 0).any(|(m, s)| {
        m.colour == Colour::Caution
            && matches!(
                s,
                Shape::Points {
                    dot: Dot::Cross,
                    ..
                }
            )
    });
    assert!(on_rail && chart.panes[0].has_rail);
    let strip = requests(&run, MetricId::Ttft);
    sound(&strip);
    assert!(strip.legend.iter().any(|l| l.name == "dropped"));
    // A closed loop plans no sends.
    assert_eq!(Throughput::first_of(&sample(3)), Throughput::Tokens);
}

#[test]
fn an_open_loops_curve_stands_over_what_was_achieved_or_asked() {
    let run = open_run(&["ttft.p95:500ms"]);
    assert!(has_rate_axis(&run) && !has_rate_axis(&sample(3)));
    let achieved = load_curve(&run, MetricId::Ttft, false);
    sound(&achieved);
    assert_eq!(achieved.x.kind, AxisKind::Rate);
    assert_eq!(achieved.table.rows[0][0], "5 req/s");
    let rate = run.summary.stages[0].request_rate.unwrap();
    assert!((achieved.table.places[0] - rate).abs() < 1e-9);
    assert_eq!(achieved.legend[0].name, "errors or drops above 1 %");
    let asked = load_curve(&run, MetricId::Ttft, true);
    sound(&asked);
    // Doubled rates stand on a log axis.
    let at: Vec<f64> = asked
        .table
        .places
        .iter()
        .map(|p| asked.x.value(*p).round())
        .collect();
    assert_eq!(at, [5.0, 10.0, 20.0]);
    assert_eq!(asked.panes[1].y.caption, "Achieved, req/s");
    // The goal's line and zone, in every chart that has the metric's axis.
    for chart in [
        achieved,
        asked,
        histogram(&run, MetricId::Ttft),
        percentiles(&run, MetricId::Ttft),
        ecdf(&run, MetricId::Ttft),
    ] {
        let of_goal = |m: &&Mark| matches!(m.colour, Colour::Ok | Colour::Caution);
        let marks: Vec<&Mark> = chart.panes[0].marks.iter().filter(of_goal).collect();
        assert!(
            marks.iter().any(|m| matches!(m.shape, Shape::Zone { .. })),
            "{}",
            chart.title
        );
        assert!(marks.len() >= 2, "{}", chart.title);
    }
    // Another metric has no goal.
    let other = ecdf(&run, MetricId::E2e);
    assert!(shapes(&other, 0).all(|(_, s)| !matches!(s, Shape::Zone { .. })));
}

/// A search over users whose probes of 4, 16 and 8 users were met, missed and not told.
fn search_run() -> RunData {
    let mut run = sample(60);
    let mut asked = (*run.head).clone();
    asked.plan.goals = vec!["ttft.p95:200ms".parse().unwrap()];
    asked.plan.stages = vec![Stage {
        load: Load::Search {
            over: Over::Users,
            from: 1.0,
            max: 64.0,
            arrival: Default::default(),
        },
        end: StageEnd::DurationSecs(10.0),
    }];
    run.head = Arc::new(asked);
    let mut as_run = (*run.as_run).clone();
    as_run.goals.clone_from(&run.head.plan.goals);
    run.as_run = Arc::new(as_run);
    let verdicts = [
        GoalVerdict::Met,
        GoalVerdict::Unresolved,
        GoalVerdict::Missed,
    ];
    let mut summary = (*run.summary).clone();
    for (stage, verdict) in summary.stages.iter_mut().zip(verdicts) {
        let attainment = match verdict {
            GoalVerdict::Met => 1.0,
            GoalVerdict::Unresolved => 0.95,
            GoalVerdict::Missed => 0.1,
        };
        stage.goals = vec![GoalResult {
            goal: run.head.plan.goals[0],
            n: 60,
            n_within: 57,
            attainment: Some(attainment),
            ci95: Some([attainment - 0.05, attainment]),
            verdict,
        }];
    }
    summary.search = Some(SearchFinding {
        over: Over::Users,
        found: Some(1.0),
        missed_at: Some(16.0),
        binding: None,
        probes: verdicts
            .iter()
            .enumerate()
            .map(|(i, verdict)| Probe {
                stage: StageIdx::from_index(i),
                level: [1.0, 4.0, 16.0][i],
                attainment: None,
                verdict: *verdict,
            })
            .collect(),
    });
    run.summary = Arc::new(summary);
    run
}

#[test]
fn probes_are_filled_hollow_or_crossed_and_the_find_is_marked() {
    let chart = load_curve(&search_run(), MetricId::Ttft, false);
    sound(&chart);
    let names: Vec<&str> = chart.legend.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["met", "unresolved", "missed"]);
    let dots: Vec<Dot> = shapes(&chart, 1)
        .filter_map(|(_, s)| match s {
            Shape::Points { dot, .. } => Some(*dot),
            _ => None,
        })
        .collect();
    assert_eq!(dots, [Dot::Medium, Dot::MediumRing, Dot::MediumCross]);
    let found = shapes(&chart, 0).any(
        |(_, s)| matches!(s, Shape::VLine { at, label, .. } if *at == 0.0 && label == "found 1"),
    );
    assert!(found);
    assert_eq!(chart.panes[1].y.caption, "Within the goal, 95 % asked");
    let row = &chart.table.rows[2];
    assert_eq!((row[0].as_str(), row[6].as_str()), ("16 users", "missed"));
    assert_eq!(row[5], "10 % (5 to 10 %)");
}

fn rule_names(chart: &Chart) -> Vec<String> {
    let rules = shapes(chart, 0).filter_map(|(_, s)| match s {
        Shape::VLine { label, .. } => Some(label.clone()),
        _ => None,
    });
    rules.collect()
}

#[test]
fn what_a_sweep_or_a_search_found_is_marked_in_its_curve() {
    let mut run = open_run(&[]);
    let achieved = run.summary.stages[1].request_rate.unwrap();
    let mut summary = (*run.summary).clone();
    summary.sweep = Some(SweepFinding {
        over: Over::Rate,
        best: Some(StageIdx(2)),
        max_request_rate: Some(18.0),
        sustained: Some(StageIdx(1)),
        max_output_token_rate: None,
        stopped: None,
    });
    run.summary = Arc::new(summary);
    let asked = load_curve(&run, MetricId::Ttft, true);
    assert_eq!(rule_names(&asked), ["keeps up 10", "most 18"]);
    // Over what was achieved it stands there, and says what was asked.
    let chart = load_curve(&run, MetricId::Ttft, false);
    assert_eq!(rule_names(&chart), ["keeps up, 10 asked", "most 18"]);
    let is_there = |s: &Shape| matches!(s, Shape::VLine { at, .. } if (at - achieved).abs() < 1e-9);
    assert!(shapes(&chart, 0).any(|(_, s)| is_there(s)));
    let chart = load_curve(&search_run(), MetricId::Ttft, false);
    assert_eq!(rule_names(&chart), ["found 1", "missed 16"]);
}

#[test]
fn changes_pauses_and_marks_stand_on_the_axis_of_time() {
    let mut run = sample(60);
    let stage = run.plan().stages[1].clone();
    let made = |why| {
        let stage = stage.clone();
        Some(Made {
            why,
            of: StageIdx(0),
            stage,
        })
    };
    run.borders[1].made = made(MadeBy::Changed);
    run.borders[2].made = made(MadeBy::Resumed);
    run.borders[2].start_ns += 2_000 * MS;
    run.marks = vec![DomainMark {
        at_ns: 9_000 * MS,
        text: "the weights were swapped for smaller ones".to_owned(),
    }];
    let chart = over_time(&run, Throughput::Tokens, MetricId::Ttft);
    sound(&chart);
    let labels: Vec<&str> = shapes(&chart, 0)
        .filter_map(|(_, s)| match s {
            Shape::VLine { label, .. } => Some(label.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        labels,
        ["the weights were swapped for…", "changed", "resumed"]
    );
    let paused: Vec<f64> = shapes(&chart, 0)
        .filter_map(|(_, s)| match s {
            Shape::Span { from, to, label } if label == "paused" => Some(to - from),
            _ => None,
        })
        .collect();
    assert_eq!(paused.len(), 1);
    assert!((1.5..3.0).contains(&paused[0]), "{paused:?}");
    let told = |row: &Vec<String>| row[1] == "the weights were swapped for smaller ones";
    assert!(chart.table.rows.iter().any(told));
    let changed = |row: &Vec<String>| row[1] == "changed to 4 users";
    assert!(chart.table.rows.iter().any(changed));
}

#[test]
fn turns_show_what_the_history_costs_and_what_is_cached() {
    let mut run = sample(60);
    assert!(turns(&run, StageIdx(0)).empty.is_some());
    let turn = |i: u32| TurnSummary {
        turn: i,
        n: 30,
        ttft_p50: Some(100.0 + f64::from(i)),
        ttft_p95: Some(200.0),
        e2e_p50: Some(900.0),
        tokens_in: Some(1_000.0 * f64::from(i + 1)),
        cached_tokens: Some(500.0),
        cached_share: Some(0.25),
    };
    let mut summary = (*run.summary).clone();
    summary.stages[1].turns = (0..4).map(turn).collect();
    run.summary = Arc::new(summary);
    let chart = turns(&run, StageIdx(1));
    sound(&chart);
    assert_eq!(chart.subject, "4 users");
    assert_eq!(chart.table.places, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(
        chart.table.rows[3],
        [
            "Turn 4",
            "30",
            "103 ms",
            "200 ms",
            "900 ms",
            "4\u{202f}000",
            "500",
            "25 %"
        ]
    );
}

#[test]
fn varied_runs_stand_on_a_numeric_axis_with_a_line_for_each_other_value() {
    let stages = sample(60).summary.stages.clone();
    let values = |tokens: &str, model: &str| -> Variant {
        let pairs = [("workload.max_tokens", tokens), ("target.model", model)];
        pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    };
    let varied: Vec<Variant> = [("16", "a"), ("64", "a"), ("256", "a"), ("16", "b")]
        .map(|(tokens, model)| values(tokens, model))
        .into();
    let runs: Vec<ParameterRun<'_>> = varied
        .iter()
        .enumerate()
        .map(|(i, values)| ParameterRun {
            values,
            stage: &stages[i % 3],
        })
        .collect();
    let what = |field: &str, metric| ByParameter {
        field: field.to_owned(),
        metric,
        quantile: 0.5,
    };
    let chart = by_parameter(&runs, &what("workload.max_tokens", MetricId::Ttft));
    sound(&chart);
    assert_eq!(chart.table.places, [4.0, 6.0, 8.0, 4.0]);
    let names: Vec<&str> = chart.legend.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["model a", "model b"]);
    assert_eq!(chart.subject, "TTFT p50 by max_tokens");
    let chart = by_parameter(&runs, &what("target.model", MetricId::OutputTokenRate));
    sound(&chart);
    assert_eq!(
        chart.x.kind,
        AxisKind::Words(vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(chart.legend.len(), 3);
    // A field that none of them varies.
    assert!(
        by_parameter(&runs, &what("seed", MetricId::Ttft))
            .empty
            .is_some()
    );
}
