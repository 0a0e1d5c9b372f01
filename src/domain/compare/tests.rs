use super::super::fixture::{bare, failed, plan, streamed};
use super::super::{
    Accumulator, ClosedMode, Detail, FailureKind, Phase, RunFacts, Stage, TierLength,
};
use super::*;
use crate::stats::SplitMix64;

fn summary(plan: &Plan, n: u64, ttft_ms: f64, seed: u64) -> Summary {
    let mut rng = SplitMix64::new(seed);
    let mut acc = Accumulator::new(plan);
    for stage in 0..plan.stages.len() {
        for i in 0..n {
            let ttft = ttft_ms * (0.9 + 0.2 * rng.unit());
            let mut r = streamed(i, i as f64 * 1000.0, ttft, &[10.0; 5]);
            r.stage = StageIdx::from_index(stage);
            acc.push(&r);
        }
    }
    acc.summary(Detail::Live, &[], &RunFacts::default())
}

#[track_caller]
fn effect(comparison: &Comparison, stage: usize, label: &str) -> Effect {
    let effects = &comparison.stages[stage].effects;
    effects.iter().find(|e| e.label() == label).unwrap().clone()
}

#[test]
fn a_faster_side_is_lower_within_these_two_runs() {
    let (pa, pb) = (plan("1, 4", "100"), plan("4, 1, 9", "100"));
    let (a, b) = (summary(&pa, 100, 250.0, 1), summary(&pb, 100, 217.5, 2));
    let side = |plan, summary| Side {
        asked: plan,
        plan,
        summary,
    };
    let got = compare(side(&pa, &a), side(&pb, &b));
    let labels: Vec<_> = got
        .stages
        .iter()
        .map(|s| (s.label.as_str(), s.a.0, s.b.0))
        .collect();
    assert_eq!(labels, [("1 user", 0, 1), ("4 users", 1, 0)]);
    assert_eq!(got.unmatched, ["B: 9 users"]);
    let e = effect(&got, 1, "TTFT p50");
    assert_eq!((e.finding, e.is_better()), (Finding::Lower, Some(true)));
    let (ratio, [low, high]) = (e.ratio.unwrap(), e.ratio_ci95.map(Option::unwrap));
    assert!(low < ratio && ratio < high && high < 1.0);
    assert!((ratio - 0.87).abs() < 0.03, "{ratio}");
    let (better, interval) = e.improvement().unwrap();
    assert!((better - 1.0 / ratio).abs() < 1e-12);
    assert!(interval[0].unwrap() < better && better < interval[1].unwrap());
    assert_eq!(effect(&got, 0, "tok/s").finding, Finding::OneValue);
    assert_eq!(
        effect(&got, 0, "Gap p50").finding,
        Finding::NoClearDifference
    );
    assert!(
        got.headline
            .contains("Within these two runs, B's first token came sooner")
    );
    assert!(
        got.detail.contains("TTFT p50 at 4 users is 1"),
        "{}",
        got.detail
    );
    let whole = format!("{} {}", got.headline, got.detail);
    assert!(!whole.contains("regression"));
}

#[test]
fn equal_sides_and_few_requests_are_not_told_apart() {
    let p = plan("1", "100");
    let (a, b) = (summary(&p, 100, 200.0, 1), summary(&p, 100, 200.0, 9));
    let side = |summary| Side {
        asked: &p,
        plan: &p,
        summary,
    };
    let got = compare(side(&a), side(&b));
    assert_eq!(
        effect(&got, 0, "TTFT p50").finding,
        Finding::NoClearDifference
    );
    assert!(got.headline.contains("no clear difference"));
    assert!(got.differences.is_empty() && got.notes.is_empty());
    let few = summary(&p, 5, 100.0, 3);
    let got = compare(side(&a), side(&few));
    assert_eq!(effect(&got, 0, "TTFT p50").finding, Finding::TooFew(6));
    assert!(got.headline.contains("Too few"));
}

#[test]
fn error_shares_and_missing_figures() {
    let p = plan("1", "100");
    let a = summary(&p, 100, 200.0, 1);
    let mut acc = Accumulator::new(&p);
    for i in 0..100 {
        let r = bare(i, i * 1_000_000_000, i * 1_000_000_000 + 200_000_000);
        if i % 2 == 0 {
            acc.push(&failed(r, FailureKind::HttpStatus, "busy"));
        } else {
            acc.push(&r);
        }
    }
    let b = acc.summary(Detail::Live, &[], &RunFacts::default());
    let side = |summary| Side {
        asked: &p,
        plan: &p,
        summary,
    };
    let got = compare(side(&a), side(&b));
    let errors = effect(&got, 0, "Errors");
    assert_eq!((errors.finding, errors.ratio), (Finding::Higher, None));
    assert_eq!(errors.is_better(), Some(false));
    assert_eq!(effect(&got, 0, "TTFT p50").finding, Finding::Unknown);
    assert!(got.detail.contains("E2E p50"), "{}", got.detail);
}

#[test]
fn plans_are_held_against_each_other() {
    let a = plan("1, 10", "100");
    let mut b = plan("1, 10", "100, 50");
    b.label = "other name".to_owned();
    b.tags = vec!["x".to_owned()];
    b.workload.max_tokens = Some(64);
    b.target.url = "http://other".to_owned();
    let fields: Vec<_> = plan_differences(&a, &b)
        .into_iter()
        .map(|d| (d.field, d.a, d.b, d.is_target))
        .collect();
    let row = |f: &str, a: &str, b: &str, t| (f.to_owned(), a.to_owned(), b.to_owned(), t);
    assert_eq!(
        fields,
        [
            row("workload.max_tokens", "–", "64", false),
            row("stages[1].requests", "100", "50", false),
            row("target.url", "http://127.0.0.1:1", "http://other", true),
        ]
    );
    let mut s = summary(&a, 10, 100.0, 1);
    s.verdict.valid = false;
    s.verdict.reasons = vec!["the run was interrupted".to_owned()];
    let other = summary(&b, 10, 100.0, 1);
    let got = compare(
        Side {
            asked: &a,
            plan: &a,
            summary: &s,
        },
        Side {
            asked: &b,
            plan: &b,
            summary: &other,
        },
    );
    assert_eq!(
        got.notes,
        [
            "A is invalid: the run was interrupted",
            "The plans differ in workload.max_tokens, stages[1].requests"
        ]
    );
    assert_eq!(plan_differences(&a, &a), []);
}

#[test]
fn no_common_load() {
    let (pa, pb) = (plan("1", "10"), plan("2", "10"));
    let (a, b) = (summary(&pa, 10, 1.0, 1), summary(&pb, 10, 1.0, 1));
    let got = compare(
        Side {
            asked: &pa,
            plan: &pa,
            summary: &a,
        },
        Side {
            asked: &pb,
            plan: &pb,
            summary: &b,
        },
    );
    assert_eq!(got.headline, "No stage of equal load");
    assert_eq!(got.unmatched, ["A: 1 user", "B: 2 users"]);
}

#[test]
fn cold_is_points_beside_warm() {
    let mut p = plan("1", "100");
    p.cold.requests = 1;
    let mut acc = Accumulator::new(&p);
    let mut cold = streamed(0, 0.0, 6800.0, &[10.0]);
    cold.phase = Phase::Cold;
    acc.push(&cold);
    for i in 1..80 {
        acc.push(&streamed(i, i as f64 * 10_000.0, 100.0 + i as f64, &[10.0]));
    }
    let s = acc.summary(Detail::Full, &[], &RunFacts::default());
    let got = compare_cold(&s).unwrap();
    let row = &got.rows[0];
    assert_eq!(
        (row.metric, row.cold.as_slice()),
        (MetricId::Ttft, &[6800.0][..])
    );
    assert_eq!(row.words, "Above every warm request");
    assert_eq!(row.penalty, Some(6800.0 - 140.0));
    assert_eq!(row.penalty_ci95, [None, None]);
    assert!(got.headline.contains("6.66 s of TTFT"), "{}", got.headline);
    assert!(got.detail.starts_with("1 cold request against"));
    assert_eq!(compare_cold(&summary(&p, 5, 1.0, 1)), None);
}

/// A plan of open stages at those rates.
fn rates(rates: &[f64]) -> Plan {
    let mut p = plan("1", "100");
    let stage = p.stages[0].clone();
    let at = |rate: &f64| Stage {
        load: crate::domain::Load::open(*rate),
        ..stage.clone()
    };
    p.stages = rates.iter().map(at).collect();
    p
}

#[test]
fn stages_are_paired_by_load_wherever_they_stand() {
    let (pa, pb) = (
        rates(&[10.0, 50.0, 20.0, 80.0]),
        rates(&[51.0, 20.0, 10.0, 49.5]),
    );
    let (a, b) = (summary(&pa, 20, 100.0, 1), summary(&pb, 20, 100.0, 2));
    let side = |plan, summary| Side {
        asked: plan,
        plan,
        summary,
    };
    let got = compare(side(&pa, &a), side(&pb, &b));
    let found: Vec<_> = got
        .stages
        .iter()
        .map(|s| (s.label.as_str(), s.a.0, s.b.0))
        .collect();
    assert_eq!(
        found,
        [
            ("10 req/s", 0, 2),
            ("50 req/s (B: 49.5)", 1, 3),
            ("20 req/s", 2, 1)
        ]
    );
    assert_eq!(got.unmatched, ["A: 80 req/s", "B: 51 req/s"]);
    assert!(
        got.detail.contains("at 50 req/s (B: 49.5)"),
        "{}",
        got.detail
    );
}

#[test]
fn the_same_load_in_everything_goes_before_one_of_the_same_level() {
    let mut pa = plan("4, 4", "100");
    let burst = Stage::closed_tiers("4", ClosedMode::Burst, TierLength::Requests("100")).unwrap();
    pa.stages[0] = burst[0].clone();
    let mut pb = pa.clone();
    pb.stages.reverse();
    let (a, b) = (summary(&pa, 20, 100.0, 1), summary(&pb, 20, 100.0, 2));
    let got = compare(
        Side {
            asked: &pa,
            plan: &pa,
            summary: &a,
        },
        Side {
            asked: &pb,
            plan: &pb,
            summary: &b,
        },
    );
    let found: Vec<_> = got.stages.iter().map(|s| (s.a.0, s.b.0)).collect();
    assert_eq!(found, [(0, 1), (1, 0)]);
}

#[test]
fn the_result_is_told_of_the_heaviest_load_that_was_not_too_much() {
    let p = rates(&[40.0, 10.0, 20.0]);
    let (mut a, b) = (summary(&p, 20, 100.0, 1), summary(&p, 20, 100.0, 2));
    let told = |a: &Summary| {
        let side = |summary| Side {
            asked: &p,
            plan: &p,
            summary,
        };
        compare(side(a), side(&b)).detail
    };
    assert!(told(&a).contains("at 40 req/s"), "{}", told(&a));
    a.cautions.push(crate::domain::Caution {
        id: CautionId::Saturated,
        stage: Some(StageIdx(0)),
        finding: String::new(),
        cause: String::new(),
        advice: String::new(),
    });
    assert!(told(&a).contains("at 20 req/s"), "{}", told(&a));
}

#[test]
fn plans_differ_in_what_was_asked_and_in_words() {
    let mut a = rates(&[10.0]);
    a.goals = vec!["ttft.p95:500ms".parse().unwrap()];
    let mut b = plan("10", "100");
    b.profile = "chat".to_owned();
    b.workload.turns = 4;
    b.workload.input_tokens = Some("normal:200,10,180,220".parse().unwrap());
    b.mixed_traffic = Some(crate::domain::MixedTraffic::default());
    let found = plan_differences(&a, &b);
    let row = |field: &str| {
        let d = found.iter().find(|d| d.field == field);
        let d = d.unwrap_or_else(|| panic!("{field}: {found:#?}"));
        (d.a.as_str(), d.b.as_str())
    };
    assert_eq!(row("goals"), ("ttft.p95:500ms", "–"));
    assert_eq!(row("workload.turns"), ("–", "4"));
    assert_eq!(row("workload.input_tokens"), ("–", "normal:200,10,180,220"));
    assert_eq!(row("mixed_traffic.uploads"), ("–", "1"));
    assert_eq!(row("stages[0].load"), ("10 req/s", "10 users"));
    assert!(
        !found
            .iter()
            .any(|d| d.field == "profile" || d.field.starts_with("stages[0].load."))
    );
    b.stages = plan("1, 10", "100").stages;
    let found = plan_differences(&a, &b);
    let stages = found.iter().find(|d| d.field == "stages").unwrap();
    assert_eq!(
        (stages.a.as_str(), stages.b.as_str()),
        ("10 req/s", "1 user, 10 users")
    );
}

#[test]
fn goodput_is_held_against_goodput_of_the_same_goals_only() {
    let mut pa = plan("1", "100");
    pa.goals = vec!["ttft.p95:500ms".parse().unwrap()];
    let (a, mut pb) = (summary(&pa, 20, 100.0, 1), pa.clone());
    let has_goodput = |pb: &Plan| {
        let b = summary(pb, 20, 100.0, 2);
        let got = compare(
            Side {
                asked: &pa,
                plan: &pa,
                summary: &a,
            },
            Side {
                asked: pb,
                plan: pb,
                summary: &b,
            },
        );
        got.stages[0]
            .effects
            .iter()
            .any(|e| e.metric == MetricId::Goodput)
    };
    assert!(has_goodput(&pb));
    pb.goals = vec!["ttft.p95:400ms".parse().unwrap()];
    assert!(!has_goodput(&pb));
}
