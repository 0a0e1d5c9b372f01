mod goals;
mod loads;

use std::sync::Arc;

use super::*;
use crate::domain::fixture::{MS, bare, failed, plan, streamed};
use crate::domain::{
    Accumulator, Detail, FailureKind, Health, Knee, MetricId, Over, Phase, Plan, RequestRecord,
    RunData, RunFacts, RunHead, RunState, StageBorder, StageIdx,
};
use crate::stats::SplitMix64;

/// A finished run of those records.
fn run_of(plan: Plan, records: &[RequestRecord]) -> RunData {
    let mut acc = Accumulator::new(&plan);
    let mut borders: Vec<StageBorder> = Vec::new();
    for record in records {
        acc.push(record);
        match borders.iter_mut().find(|b| b.stage == record.stage) {
            Some(border) => border.end_ns = border.end_ns.max(Some(record.end_ns)),
            None => borders.push(StageBorder {
                stage: record.stage,
                start_ns: record.dispatched_ns,
                end_ns: Some(record.end_ns),
                stopped: None,
                made: None,
            }),
        }
    }
    let n_stages = plan.stages.len();
    let summary = acc.summary(Detail::Live, &borders, &RunFacts::default());
    RunData {
        gaps: (0..n_stages)
            .map(|i| acc.gaps(StageIdx::from_index(i)))
            .collect(),
        head: Arc::new(RunHead {
            schema: 1,
            id: "r".to_owned(),
            tool: String::new(),
            started: String::new(),
            started_unix_ns: 0,
            label: String::new(),
            tags: Vec::new(),
            notes: String::new(),
            plan,
            environment: Default::default(),
            server: Default::default(),
            variation: None,
            workload: Default::default(),
        }),
        state: RunState::Finished,
        borders,
        points: acc.points().clone(),
        series: Arc::new(acc.series()),
        summary: Arc::new(summary),
        health: Health::default(),
        file: None,
        file_bytes: 0,
        revision: 1,
        as_run: Arc::new(acc.plan().clone()),
        marks: Vec::new(),
    }
}

/// Stages of 1, 4 and 16 users with 100 ms, 110 ms and 300 ms TTFT; a cold start of 6.8 s and a failure.
fn sample(n_per_stage: u64) -> RunData {
    let mut rng = SplitMix64::new(1);
    let mut records = Vec::new();
    let mut cold = streamed(0, 0.0, 6800.0, &[10.0; 4]);
    cold.phase = Phase::Cold;
    records.push(cold);
    let mut warmup = streamed(1, 7000.0, 150.0, &[10.0; 4]);
    warmup.phase = Phase::Warmup;
    records.push(warmup);
    let mut at_ms = 8000.0;
    for (stage, (users, ttft)) in [(1u64, 100.0), (4, 110.0), (16, 300.0)]
        .into_iter()
        .enumerate()
    {
        for k in 0..n_per_stage {
            let ttft = ttft * (0.8 + 0.4 * rng.unit());
            let seq = records.len() as u64;
            let mut r = streamed(seq, at_ms, ttft, &[10.0 * rng.unit() + 5.0; 4]);
            r.stage = StageIdx::from_index(stage);
            if stage == 2 && k < n_per_stage / 20 {
                r = failed(r, FailureKind::HttpStatus, "busy");
            }
            at_ms += (ttft + 40.0) / users.min(4) as f64;
            records.push(r);
        }
    }
    run_of(plan("1, 4, 16", "100"), &records)
}

#[track_caller]
fn sound(chart: &Chart) {
    assert!(chart.empty.is_none(), "{:?}", chart.empty);
    assert!(!chart.title.is_empty() && !chart.table.rows.is_empty());
    for row in &chart.table.rows {
        assert_eq!(row.len(), chart.table.header.len());
    }
    let n_places = chart.table.places.len();
    assert!(n_places == 0 || n_places == chart.table.rows.len());
    let shares: f32 = chart.panes.iter().map(|p| p.share).sum();
    assert!((shares - 1.0).abs() < 1e-6);
    assert!(chart.x.range.0 < chart.x.range.1);
    for pane in &chart.panes {
        assert!(pane.y.range.0 < pane.y.range.1, "{:?}", pane.y);
        assert!(!pane.y.caption.is_empty());
        for mark in &pane.marks {
            assert!(mark.series.is_none_or(|s| s < chart.legend.len()));
            // A goal may lie beyond.
            if mark.colour != Colour::Ok {
                sound_shape(&mark.shape, chart, pane);
            }
        }
    }
}

#[track_caller]
fn sound_shape(shape: &Shape, chart: &Chart, pane: &Pane) {
    let inside = |v: f64, range: (f64, f64)| {
        let slack = (range.1 - range.0) * 1e-6;
        v.is_finite() && v >= range.0 - slack && v <= range.1 + slack
    };
    let point = |p: &[f64; 2], is_rail: bool| {
        assert!(inside(p[0], chart.x.range), "x {p:?} outside {:?}", chart.x);
        assert!(
            is_rail || inside(p[1], pane.y.range),
            "y {p:?} outside {:?}",
            pane.y
        );
    };
    match shape {
        Shape::Line { points, .. } | Shape::Area { points, .. } => {
            assert!(points.len() <= 2000);
            for p in points {
                point(p, false);
            }
        }
        Shape::Points {
            points,
            dot,
            labels,
            ..
        } => {
            assert!(labels.is_empty() || labels.len() == points.len());
            for p in points {
                point(p, *dot == Dot::Cross);
            }
        }
        Shape::Bars { bars, .. } => {
            for b in bars {
                assert!(b.x0 < b.x1 && b.y0 <= b.y1, "{b:?}");
                point(&[b.x0, b.y0], false);
                point(&[b.x1, b.y1], false);
            }
        }
        Shape::Band { points } => {
            for p in points {
                point(&[p[0], p[1]], false);
                point(&[p[0], p[2]], false);
            }
        }
        Shape::VLine { at, .. } => assert!(inside(*at, chart.x.range)),
        Shape::HLine { at, .. } => assert!(inside(*at, pane.y.range)),
        Shape::Span { from, to, .. } => assert!(from <= to),
        Shape::Zone { x, y } => assert!(x.0 < x.1 && y.0 < y.1),
    }
}

fn shapes(chart: &Chart, pane: usize) -> impl Iterator<Item = (&Mark, &Shape)> {
    chart.panes[pane].marks.iter().map(|m| (m, &m.shape))
}

#[test]
fn every_chart_of_a_run_is_sound() {
    for n in [1, 3, 60, 500] {
        let run = sample(n);
        for id in [
            MetricId::Ttft,
            MetricId::E2e,
            MetricId::Itl,
            MetricId::DecodeRate,
        ] {
            for build in [histogram, percentiles, ecdf] {
                sound(&build(&run, id));
            }
            sound(&load_curve(&run, id, false));
            if id != MetricId::Itl {
                sound(&requests(&run, id));
            }
        }
        for what in Throughput::of(&run) {
            let chart = over_time(&run, what, MetricId::Ttft);
            // Percentiles of a moment need a few answers in it.
            if what == Throughput::Latency && n < 60 {
                assert!(chart.empty.is_some_and(|why| why.contains("Too few")));
            } else {
                sound(&chart);
            }
        }
        for look in [Look::Histogram, Look::Percentiles, Look::Ecdf] {
            let sides = ((&run, StageIdx(0)), (&run, StageIdx(2)));
            sound(&overlay(sides.0, sides.1, MetricId::Ttft, look));
            sound(&cold_over_warm(&run, MetricId::Ttft, look));
        }
    }
}

#[test]
fn charts_of_nothing_say_so() {
    let run = run_of(plan("1, 10", "5"), &[]);
    for chart in [
        histogram(&run, MetricId::Ttft),
        percentiles(&run, MetricId::Ttft),
        ecdf(&run, MetricId::Ttft),
        over_time(&run, Throughput::Tokens, MetricId::Ttft),
        load_curve(&run, MetricId::Ttft, false),
        requests(&run, MetricId::Ttft),
        cold_over_warm(&run, MetricId::Ttft, Look::Ecdf),
        overlay(
            (&run, StageIdx(0)),
            (&run, StageIdx(9)),
            MetricId::E2e,
            Look::Histogram,
        ),
    ] {
        assert!(chart.empty.is_some_and(|why| !why.is_empty()));
        assert!(!chart.title.is_empty());
    }
    // Only failures: no latency anywhere, and still a strip with its rail.
    let lost = failed(bare(0, 0, MS), FailureKind::Connect, "refused");
    let run = run_of(plan("1", "5"), &[lost]);
    assert!(ecdf(&run, MetricId::Ttft).empty.is_some());
    let strip = requests(&run, MetricId::Ttft);
    sound(&strip);
    assert!(strip.legend.iter().any(|l| l.name == "failed"));
}

#[test]
fn histogram_shares_sum_to_one_for_each_stage() {
    let run = sample(60);
    let chart = histogram(&run, MetricId::Ttft);
    let names: Vec<&str> = chart.legend.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["1 user", "4 users", "16 users"]);
    for series in 0..3 {
        let sum: f64 = shapes(&chart, 0)
            .filter(|(m, _)| m.series == Some(series))
            .filter_map(|(_, s)| match s {
                Shape::Bars { bars, .. } => Some(bars.iter().map(|b| b.y1).sum::<f64>()),
                _ => None,
            })
            .sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }
    assert_eq!(chart.x.caption, "TTFT, log scale");
    assert_eq!(
        histogram(&run, MetricId::Itl).panes[0].y.caption,
        "Share of gaps"
    );
}

#[test]
fn a_lone_stage_names_p50_and_p95_and_their_support() {
    let records: Vec<_> = (0..40u32)
        .map(|i| {
            streamed(
                u64::from(i),
                f64::from(i) * 200.0,
                100.0 + f64::from(i),
                &[1.0],
            )
        })
        .collect();
    let run = run_of(plan("1", "40"), &records);
    let chart = histogram(&run, MetricId::Ttft);
    let labels: Vec<(String, LabelSide)> = shapes(&chart, 0)
        .filter_map(|(_, s)| match s {
            Shape::VLine { label, side, .. } => Some((label.clone(), *side)),
            _ => None,
        })
        .collect();
    assert_eq!(
        labels,
        [
            ("p50 119 ms".to_owned(), LabelSide::Left),
            ("p95 ≥ 137 ms".to_owned(), LabelSide::Right)
        ]
    );
    assert_eq!(
        chart.table.rows[0],
        [
            "1 user",
            "40",
            "119 ms",
            "135 ms",
            "≥ 137 ms",
            "≥ 139 ms",
            "139 ms"
        ]
    );
}

#[test]
fn percentiles_turn_dashed_where_n_ends() {
    let chart = percentiles(&sample(60), MetricId::Ttft);
    let of_first: Vec<_> = shapes(&chart, 0)
        .filter(|(m, _)| m.series == Some(0))
        .filter_map(|(m, s)| match s {
            Shape::Line {
                points, is_dashed, ..
            } => Some((m.colour, *is_dashed, points)),
            _ => None,
        })
        .collect();
    assert_eq!(of_first.len(), 2);
    let (colour, is_dashed, solid) = &of_first[0];
    assert_eq!((*colour, *is_dashed), (Colour::Stage { i: 0, n: 3 }, false));
    // With 60 values p90 has an interval and p95 has none.
    let end = chart.x.value(solid.last().unwrap()[0]);
    assert!(end > 0.9 && end < 0.95, "{end}");
    let (colour, is_dashed, dashed) = &of_first[1];
    assert_eq!((*colour, *is_dashed), (Colour::Disabled, true));
    assert!((dashed[0][0] - solid.last().unwrap()[0]).abs() < 1e-9);
    assert!(solid.is_sorted_by(|a, b| a[0] <= b[0] && a[1] <= b[1]));
}

#[test]
fn ecdf_ends_at_one_and_marks_the_medians() {
    let run = sample(500);
    let chart = overlay(
        (&run, StageIdx(0)),
        (&run, StageIdx(1)),
        MetricId::Ttft,
        Look::Ecdf,
    );
    assert_eq!(chart.subject, "1 user against 4 users");
    let (mut n_lines, mut sides) = (0, Vec::new());
    for (mark, shape) in shapes(&chart, 0) {
        match shape {
            Shape::Line { points, .. } => {
                n_lines += 1;
                assert!((points.last().unwrap()[1] - 1.0).abs() < 1e-12);
                assert!(points.is_sorted_by(|a, b| a[0] <= b[0] && a[1] <= b[1]));
            }
            Shape::Points { labels, side, .. } => {
                assert!(labels[0].starts_with("p50 "));
                sides.push((mark.colour, *side));
            }
            _ => {}
        }
    }
    assert_eq!(n_lines, 2);
    assert_eq!(
        sides,
        [
            (Colour::SideA, LabelSide::UpLeft),
            (Colour::SideB, LabelSide::DownRight)
        ]
    );
}

#[test]
fn cold_is_rings_on_the_warm_curve() {
    let chart = cold_over_warm(&sample(60), MetricId::Ttft, Look::Ecdf);
    let rings: Vec<_> = shapes(&chart, 0)
        .filter_map(|(m, s)| match s {
            Shape::Points {
                points,
                dot: Dot::Cold,
                labels,
                ..
            } => Some((m.colour, points.clone(), labels.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(rings.len(), 1);
    assert_eq!(rings[0].0, Colour::SideB);
    assert_eq!(rings[0].2, ["6.80 s"]);
    assert!((rings[0].1[0][1] - 1.0).abs() < 1e-12);
    // Warm has percentiles, cold has only its value.
    assert_eq!(
        chart.table.rows[1],
        ["cold 1", "1", "–", "–", "–", "–", "6.80 s"]
    );
}

#[test]
fn over_time_has_zones_and_two_panes() {
    let run = sample(60);
    let chart = over_time(&run, Throughput::Tokens, MetricId::Ttft);
    assert_eq!(chart.panes.len(), 2);
    let zones: Vec<&str> = shapes(&chart, 0)
        .filter_map(|(_, s)| match s {
            Shape::Span { label, .. } => Some(label.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(zones, ["1 user", "4 users", "16 users"]);
    // The area below the line is the number of tokens: 5 for each of the 180 requests and of cold and warm-up.
    let slot = run.series.slot_ns as f64 / 1e9;
    let n_slots = run.series.tokens.len();
    let group = n_slots.div_ceil(120) as f64;
    let sum: f64 = shapes(&chart, 0)
        .filter_map(|(_, s)| match s {
            Shape::Line { points, .. } => Some(points.iter().map(|p| p[1]).sum::<f64>()),
            _ => None,
        })
        .sum();
    let tokens = sum * slot * group;
    assert!((tokens - 910.0).abs() < 910.0 * 0.03, "{tokens}");
    // Live, the slot that is being filled is not drawn.
    let mut live = run.clone();
    live.state = RunState::Preparing {
        what: String::new(),
    };
    assert!(
        over_time(&live, Throughput::Tokens, MetricId::Ttft)
            .empty
            .is_none()
    );
}

#[test]
fn load_curve_marks_the_knee_and_hollow_stages() {
    let mut run = sample(100);
    let mut summary = (*run.summary).clone();
    summary.knee = Some(Knee {
        over: Over::Users,
        level: 4.0,
        request_rate: 20.0,
        slope_before: 5.0,
        slope_after: 0.1,
        improvement: 0.9,
        n: 3,
    });
    run.summary = Arc::new(summary);
    let chart = load_curve(&run, MetricId::Ttft, false);
    let knees: Vec<&str> = shapes(&chart, 0)
        .filter_map(|(_, s)| match s {
            Shape::VLine { label, .. } => Some(label.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(knees, ["knee 4"]);
    assert_eq!(chart.legend.len(), 1);
    let rings = shapes(&chart, 0)
        .filter(|(m, s)| {
            matches!(
                s,
                Shape::Points {
                    dot: Dot::LargeRing | Dot::MediumRing,
                    ..
                }
            ) && m.colour == Colour::Stage { i: 2, n: 3 }
        })
        .count();
    assert_eq!(rings, 2);
    // p99 of 100 requests is not supported: dashed, and without a stage dot.
    let p99: Vec<_> = shapes(&chart, 0)
        .filter(|(_, s)| matches!(s, Shape::Line { width, .. } if *width < 1.2))
        .collect();
    assert_eq!(p99.len(), 2);
    for (mark, shape) in p99 {
        assert_eq!(mark.colour, Colour::Disabled);
        assert!(matches!(
            shape,
            Shape::Line {
                is_dashed: true,
                ..
            }
        ));
    }
    assert_eq!(chart.x.ticks(300.0).len(), 3);
}

#[test]
fn few_requests_are_stacked_bars_and_many_are_dots() {
    let run = sample(20);
    let chart = requests(&run, MetricId::E2e);
    sound(&chart);
    let names: Vec<&str> = chart.legend.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["wait", "stream", "warm-up", "cold", "failed"]);
    // The cold bar is cut at the top, and its ring says how long it was.
    let top = chart.panes[0].y.range.1;
    assert!(top < 2000.0, "{top}");
    let label = shapes(&chart, 0).find_map(|(_, s)| match s {
        Shape::Points {
            dot: Dot::Cold,
            labels,
            ..
        } => labels.first().cloned(),
        _ => None,
    });
    assert_eq!(label.as_deref(), Some("cold 6.84 s"));
    let many = requests(&sample(500), MetricId::E2e);
    assert!(many.panes[0].y.is_log() && many.panes[0].has_rail);
    assert!(shapes(&many, 0).all(|(_, s)| !matches!(s, Shape::Bars { .. })));
}

#[test]
fn a_large_scatter_is_binned() {
    let run = sample(10_500);
    let chart = requests(&run, MetricId::Ttft);
    sound(&chart);
    let mut n = 0;
    for (_, shape) in shapes(&chart, 0) {
        if let Shape::Points { points, dot, .. } = shape {
            assert_ne!((*dot, points.len() > 10_000), (Dot::Request, true));
            n += points.len();
        }
    }
    assert!(n < 25_000, "{n}");
}
