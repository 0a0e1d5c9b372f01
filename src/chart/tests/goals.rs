//! Goals in every chart of their metric, near the values and far from them.

use std::sync::Arc;

use super::super::*;
use super::{sample, sound};
use crate::domain::{MetricId, RunData, StageIdx, TurnSummary, Variant};

/// Answers after some tenths of a second, against one goal for the first token.
fn run_against(goal: &str) -> RunData {
    let mut run = sample(100);
    let goal = goal.parse().unwrap();
    let mut head = (*run.head).clone();
    head.plan.goals = vec![goal];
    run.head = Arc::new(head);
    let mut plan = run.plan().clone();
    plan.goals = vec![goal];
    run.as_run = Arc::new(plan);
    let turn = |i: u32| TurnSummary {
        turn: i,
        n: 30,
        ttft_p50: Some(100.0),
        ttft_p95: Some(200.0),
        e2e_p50: None,
        tokens_in: None,
        cached_tokens: None,
        cached_share: None,
    };
    let mut summary = (*run.summary).clone();
    summary.stages[1].turns = (0..4).map(turn).collect();
    run.summary = Arc::new(summary);
    run
}

fn charts(run: &RunData) -> Vec<Chart> {
    let id = MetricId::Ttft;
    let side = (run, StageIdx(1));
    vec![
        histogram(run, id),
        ecdf(run, id),
        percentiles(run, id),
        load_curve(run, id, false),
        over_time(run, Throughput::Latency, id),
        requests(run, id),
        turns(run, StageIdx(1)),
        overlay(side, side, id, Look::Ecdf),
        overlay(side, side, id, Look::Histogram),
        overlay(side, side, id, Look::Percentiles),
    ]
}

fn has_line(chart: &Chart) -> bool {
    let named = |m: &Mark| match &m.shape {
        Shape::VLine { label, .. } | Shape::HLine { label, .. } => label.starts_with("goal p95"),
        _ => false,
    };
    chart.panes[0].marks.iter().any(named)
}

/// How much of the plot has the tint of a goal missed.
fn missed_share(chart: &Chart) -> f64 {
    let within = |(from, to): (f64, f64), (low, high): (f64, f64)| {
        (to.min(high) - from.max(low)).max(0.0) / (high - low)
    };
    let pane = &chart.panes[0];
    let tinted = |m: &Mark| match m.shape {
        Shape::Zone { x, y } if m.colour == Colour::Caution => {
            within(x, chart.x.range) * within(y, pane.y.range)
        }
        _ => 0.0,
    };
    pane.marks.iter().map(tinted).sum()
}

#[test]
fn a_goal_stands_in_every_chart_of_its_metric_however_far_it_is() {
    for (goal, is_met) in [("ttft.p95:1ms", false), ("ttft.p95:10min", true)] {
        let run = run_against(goal);
        let without = run_against("e2e.p95:1s");
        for (chart, bare) in charts(&run).iter().zip(charts(&without)) {
            sound(chart);
            assert!(has_line(chart), "{goal} in {}", chart.title);
            assert!(!has_line(&bare), "{}", bare.title);
            // The axes stay as wide as the values.
            assert_eq!(chart.x.range, bare.x.range, "{}", chart.title);
            assert_eq!(chart.panes[0].y.range, bare.panes[0].y.range);
            let share = missed_share(chart);
            if is_met {
                assert!(share < 1e-9, "{goal} in {}: {share}", chart.title);
            } else {
                // Of percentiles those that the goal speaks of only.
                assert!(share > 0.3, "{goal} in {}: {share}", chart.title);
            }
        }
    }
}

#[test]
fn varied_runs_show_a_far_goal_too() {
    let run = run_against("ttft.p95:1ms");
    let mut stage = run.summary.stages[1].clone();
    stage.goals = vec![crate::domain::GoalResult {
        goal: "ttft.p95:1ms".parse().unwrap(),
        n: 10,
        n_within: 0,
        attainment: Some(0.0),
        ci95: None,
        verdict: crate::domain::GoalVerdict::Missed,
    }];
    let values: Variant = [("load.rate".to_owned(), "4".to_owned())].into();
    let runs = [ParameterRun {
        values: &values,
        stage: &stage,
    }];
    let what = ByParameter {
        field: "load.rate".to_owned(),
        metric: MetricId::Ttft,
        quantile: 0.95,
    };
    let chart = by_parameter(&runs, &what);
    sound(&chart);
    assert!(has_line(&chart) && missed_share(&chart) > 0.99);
}
