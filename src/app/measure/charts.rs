//! Which charts the Measure view shows; each is built once for each change of the run or of what it depends on. While a
//! run goes, scales change at steps only and never shrink.

use super::{Cached, RunKey, model};
use crate::chart::{
    self, Axis, AxisKind, Chart, Colour, LabelSide, Mark, Rule, Shape, Throughput, format,
};
use crate::domain::{MetricId, RunData, StageIdx, Unit};
use crate::stats::least_n;

/// How the distribution is drawn.
pub use crate::chart::Look as DistributionKind;

/// Everything that the charts depend on besides the run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ChartChoice {
    pub metric: MetricId,
    pub distribution: DistributionKind,
    pub rate: Throughput,
    pub focus: Option<StageIdx>,
    /// The load curve by the rate asked for instead of the one achieved.
    pub asked: bool,
}

/// The charts of one frame.
pub(super) struct Charts<'a> {
    pub distribution: &'a Chart,
    pub over_time: &'a Chart,
    pub load: &'a Chart,
    pub requests: &'a Chart,
}

type DistributionKey = (RunKey, MetricId, DistributionKind, Option<StageIdx>);

#[derive(Default)]
pub(super) struct ChartCache {
    distribution: Cached<DistributionKey, Chart>,
    over_time: Cached<(RunKey, Throughput, MetricId), Chart>,
    load: Cached<(RunKey, MetricId, bool), Chart>,
    requests: Cached<(RunKey, MetricId), Chart>,
    turns: Cached<(RunKey, StageIdx), Chart>,
}

impl ChartCache {
    pub(super) fn n_computed(&self) -> u64 {
        self.distribution.n_computed
            + self.over_time.n_computed
            + self.load.n_computed
            + self.requests.n_computed
            + self.turns.n_computed
    }

    pub(super) fn ranges(&self) -> Vec<(f64, f64)> {
        let charts = [
            self.distribution.held.as_ref().map(|h| &h.1),
            self.over_time.held.as_ref().map(|h| &h.1),
            self.load.held.as_ref().map(|h| &h.1),
            self.requests.held.as_ref().map(|h| &h.1),
        ];
        let axes = |chart: &Chart| {
            let ys: Vec<_> = chart.panes.iter().map(|p| p.y.range).collect();
            std::iter::once(chart.x.range).chain(ys)
        };
        charts.into_iter().flatten().flat_map(axes).collect()
    }

    /// Conversations by turn, of the stage in focus or of the first that has any.
    pub(super) fn turns(&mut self, run: &RunData, focus: Option<StageIdx>) -> &Chart {
        let has = |idx: &StageIdx| {
            let stage = run.summary.stages.get(idx.index());
            stage.is_some_and(|s| !s.turns.is_empty())
        };
        let all = (0..run.summary.stages.len()).map(StageIdx::from_index);
        let stage = focus.filter(has).or_else(|| all.into_iter().find(has));
        let key = (RunKey::of(run), stage.unwrap_or_default());
        self.turns.get_steady(
            run,
            key,
            |a, b| a.0.id == b.0.id && a.1 == b.1,
            |run, key| chart::turns(run, key.1),
        )
    }

    pub(super) fn get(&mut self, run: &RunData, choice: &ChartChoice) -> Charts<'_> {
        let run_key = RunKey::of(run);
        let (metric, rate) = (choice.metric, choice.rate);
        // Only the histogram marks the stage in focus.
        let focus = choice
            .focus
            .filter(|_| choice.distribution == DistributionKind::Histogram);
        let key = (run_key.clone(), metric, choice.distribution, focus);
        let distribution = self.distribution.get_steady(
            run,
            key,
            |a, b| a.0.id == b.0.id && (a.1, a.2) == (b.1, b.2),
            |run, key| distribution(run, key.1, key.2, key.3),
        );
        // A rate over time is the same for every metric.
        let over_time_of = match rate {
            Throughput::Latency => metric,
            _ => MetricId::Ttft,
        };
        let over_time = self.over_time.get_steady(
            run,
            (run_key.clone(), rate, over_time_of),
            |a, b| a.0.id == b.0.id && (a.1, a.2) == (b.1, b.2),
            |run, key| over_time(run, key.1, key.2),
        );
        let same = |a: &(RunKey, MetricId), b: &(RunKey, MetricId)| a.0.id == b.0.id && a.1 == b.1;
        let load = self.load.get_steady(
            run,
            (run_key.clone(), metric, choice.asked),
            |a, b| a.0.id == b.0.id && (a.1, a.2) == (b.1, b.2),
            |run, key| explained(run, key.1, chart::load_curve(run, key.1, key.2)),
        );
        let requests = self
            .requests
            .get_steady(run, (run_key, metric), same, |run, key| {
                explained(run, key.1, chart::requests(run, key.1))
            });
        Charts {
            distribution,
            over_time,
            load,
            requests,
        }
    }
}

impl<K: PartialEq> Cached<K, Chart> {
    /// As [`Cached::get`]; a live chart keeps the room that the last one for the same choices had.
    fn get_steady(
        &mut self,
        run: &RunData,
        key: K,
        same: impl Fn(&K, &K) -> bool,
        build: impl FnOnce(&RunData, &K) -> Chart,
    ) -> &Chart {
        let is_same = self.held.as_ref().is_some_and(|(held, _)| *held == key);
        if !is_same {
            let mut chart = build(run, &key);
            let before = self.held.take();
            let before = before.filter(|(held, _)| run.is_live() && same(held, &key));
            steady(&mut chart, before.as_ref().map(|(_, chart)| chart));
            self.n_computed += 1;
            self.held = Some((key, chart));
        }
        match &self.held {
            Some((_, chart)) => chart,
            None => no_chart(),
        }
    }
}

fn no_chart() -> &'static Chart {
    static NONE: std::sync::LazyLock<Chart> = std::sync::LazyLock::new(Chart::default);
    &NONE
}

/// Says why there is nothing, in the words of the metric.
fn explained(run: &RunData, metric: MetricId, mut chart: Chart) -> Chart {
    if chart.empty.is_some() {
        chart.empty = model::why_none(run, metric).or(chart.empty);
    }
    chart
}

fn distribution(
    run: &RunData,
    metric: MetricId,
    kind: DistributionKind,
    focus: Option<StageIdx>,
) -> Chart {
    let chart = match kind {
        DistributionKind::Histogram => chart::histogram(run, metric),
        DistributionKind::Percentiles => chart::percentiles(run, metric),
        DistributionKind::Ecdf => chart::ecdf(run, metric),
    };
    let mut chart = explained(run, metric, chart);
    if let Some(stage) = focus
        && chart.empty.is_none()
    {
        mark_focus(&mut chart, run, metric, stage);
    }
    chart
}

/// p50 and p95 of the stage in focus in place of every stage's own: the lower left of its line, the higher right.
fn mark_focus(chart: &mut Chart, run: &RunData, metric: MetricId, stage: StageIdx) {
    let stages = &run.summary.stages;
    let Some(d) = stages.get(stage.index()).and_then(|s| s.metric(metric)) else {
        return;
    };
    let x = chart.x.clone();
    let Some(pane) = chart.panes.first_mut() else {
        return;
    };
    pane.marks
        .retain(|m| !matches!(m.shape, Shape::VLine { .. }) || m.colour == Colour::Ok);
    let named = [
        ("p50", 0.5, d.p50, LabelSide::Left),
        ("p95", 0.95, d.p95, LabelSide::Right),
    ];
    for (name, q, value, side) in named {
        let Some(value) = value.filter(|_| d.n >= least_n(q)) else {
            continue;
        };
        let words = match metric.metric().unit {
            Unit::Ms => format::ms(value),
            unit => format::value(Some(value), unit),
        };
        let shape = Shape::VLine {
            at: x.place(value),
            label: format!("{name}  {words}"),
            side,
            style: Rule::Dashed,
        };
        pane.marks.push(Mark {
            series: None,
            colour: Colour::Primary,
            shape,
        });
    }
}

fn over_time(run: &RunData, rate: Throughput, metric: MetricId) -> Chart {
    let mut chart = chart::over_time(run, rate, metric);
    if rate == Throughput::Latency {
        chart = explained(run, metric, chart);
    }
    let Some(progress) = model::progress(run) else {
        return chart;
    };
    // While it goes the axis reaches to the end that is expected, and the line of now moves through it.
    let now = run.series.in_flight.len() as f64 * run.series.slot_ns as f64 / 1e9;
    let expected = now + progress.left_secs.unwrap_or(0.0);
    let end = time_step(expected);
    chart.x.range = (-0.02 * end, end);
    if let Some(pane) = chart.panes.first_mut() {
        let shape = Shape::VLine {
            at: now,
            label: "now".to_owned(),
            side: LabelSide::Right,
            style: Rule::Solid,
        };
        pane.marks.push(Mark {
            series: None,
            colour: Colour::Primary,
            shape,
        });
    }
    for pane in chart.panes.iter_mut().skip(1) {
        let shape = Shape::VLine {
            at: now,
            label: String::new(),
            side: LabelSide::Right,
            style: Rule::Solid,
        };
        pane.marks.push(Mark {
            series: None,
            colour: Colour::Rule,
            shape,
        });
    }
    chart
}

/// The next end of an axis of time: a whole number of the steps that it would have ticks at.
fn time_step(secs: f64) -> f64 {
    let steps = [5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3600.0];
    let step = steps
        .into_iter()
        .find(|s| secs <= s * 6.0)
        .unwrap_or(3600.0);
    (secs / step).ceil().max(1.0) * step
}

/// Widens scales to the next step, and a live chart's to what they were before.
fn steady(chart: &mut Chart, before: Option<&Chart>) {
    if chart.empty.is_some() {
        return;
    }
    let before = before.filter(|b| b.empty.is_none());
    widen(&mut chart.x);
    if chart.x.is_log() {
        // The first label stands clear of the y axis.
        let span = chart.x.range.1 - chart.x.range.0;
        chart.x.range.0 -= span * 0.02;
    }
    // Last, so that what was kept is not widened anew at every look.
    if let Some(before) = before {
        union(&mut chart.x, &before.x);
    }
    let panes = before.map(|b| b.panes.as_slice()).unwrap_or_default();
    for (i, pane) in chart.panes.iter_mut().enumerate() {
        widen(&mut pane.y);
        // A share falls as the run grows: what one of two requests was is no scale for a thousand. And bars are cut where
        // the warm ones end, so their scale is the builder's to say.
        let keeps = !matches!(pane.y.kind, AxisKind::Share | AxisKind::Ms);
        if let Some(before) = panes.get(i).filter(|_| keeps) {
            union(&mut pane.y, &before.y);
        }
    }
}

fn widen(axis: &mut Axis) {
    if matches!(axis.kind, AxisKind::LogMs | AxisKind::LogNumber) {
        // The builder leaves 3 % of room at both ends; the step stands at the data itself.
        let (low, high) = axis.range;
        let room = (high - low) * 0.03 / 1.06;
        axis.range = (
            log_step(low + room, f64::floor),
            log_step(high - room, f64::ceil),
        );
    }
}

fn union(axis: &mut Axis, before: &Axis) {
    if before.kind != axis.kind {
        return;
    }
    axis.range.0 = axis.range.0.min(before.range.0);
    axis.range.1 = axis.range.1.max(before.range.1);
}

/// Room beyond the outermost tick of a log axis, in decades.
const ROOM: f64 = 0.03;

/// A place on a log axis moved outward to 1, 2 or 5 of its decade, with a little room beyond.
fn log_step(place: f64, round: fn(f64) -> f64) -> f64 {
    let thirds = [0.0, 2f64.log10(), 5f64.log10(), 1.0];
    let decade = place.floor();
    let inside = place - decade;
    let outward = round(0.5) > 0.5;
    let found = if outward {
        thirds.into_iter().find(|t| *t >= inside - ROOM)
    } else {
        thirds.into_iter().rev().find(|t| *t <= inside + ROOM)
    };
    let room = if outward { ROOM } else { -ROOM };
    decade + found.unwrap_or(inside) + room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_ends_move_outward_to_steps() {
        let low = 10f64.powf(log_step(63f64.log10(), f64::floor));
        let high = 10f64.powf(log_step(463f64.log10(), f64::ceil));
        assert!((46.0..50.0).contains(&low), "{low}");
        assert!((500.0..540.0).contains(&high), "{high}");
    }

    #[test]
    fn the_same_values_keep_the_same_scale_however_often_they_are_looked_at() {
        let made = || {
            let mut chart = Chart::empty("t", "");
            chart.empty = None;
            chart.x = Axis::new(String::new(), AxisKind::LogMs, (1.5, 2.5));
            chart
        };
        let mut first = made();
        steady(&mut first, None);
        let mut last = first.clone();
        for _ in 0..300 {
            let mut next = made();
            steady(&mut next, Some(&last));
            last = next;
        }
        assert_eq!(last.x.range, first.x.range);
    }

    #[test]
    fn time_ends_at_whole_steps() {
        assert!((time_step(3.0) - 5.0).abs() < 1e-9);
        assert!((time_step(21.0) - 25.0).abs() < 1e-9);
        assert!((time_step(236.0) - 240.0).abs() < 1e-9);
        assert!((time_step(20_000.0) - 21_600.0).abs() < 1e-9);
    }
}
