//! Which charts the Measure view shows; each is built once for each change of the run or of what it depends on.

use super::{Cached, RunKey};
use crate::chart::Chart;
use crate::domain::{MetricId, RunData, StageIdx};

/// How the distribution is drawn.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum DistributionKind {
    #[default]
    Histogram,
    Percentiles,
    Ecdf,
}

/// What is counted over time.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum RateKind {
    #[default]
    Tokens,
    Requests,
    Errors,
}

/// Everything that the charts depend on besides the run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ChartChoice {
    pub metric: MetricId,
    pub distribution: DistributionKind,
    pub rate: RateKind,
    pub focus: Option<StageIdx>,
}

/// The charts of one frame.
pub(super) struct Charts<'a> {
    pub distribution: &'a Chart,
    pub over_time: &'a Chart,
    pub load: &'a Chart,
    pub requests: &'a Chart,
}

#[derive(Default)]
pub(super) struct ChartCache {
    distribution: Cached<(RunKey, MetricId, DistributionKind, Option<StageIdx>), Chart>,
    over_time: Cached<(RunKey, RateKind), Chart>,
    load: Cached<(RunKey, MetricId), Chart>,
    requests: Cached<(RunKey, MetricId), Chart>,
}

impl ChartCache {
    pub fn n_computed(&self) -> u64 {
        self.distribution.n_computed
            + self.over_time.n_computed
            + self.load.n_computed
            + self.requests.n_computed
    }

    pub fn get(&mut self, run: &RunData, choice: &ChartChoice) -> Charts<'_> {
        let key = RunKey::of(run);
        let metric = choice.metric;
        let kind = choice.distribution;
        let focus = choice.focus;
        Charts {
            distribution: self
                .distribution
                .get((key.clone(), metric, kind, focus), || {
                    distribution(run, metric, kind, focus)
                }),
            over_time: self
                .over_time
                .get((key.clone(), choice.rate), || over_time(run, choice.rate)),
            load: self.load.get((key.clone(), metric), || load(run, metric)),
            requests: self.requests.get((key, metric), || requests(run, metric)),
        }
    }
}

fn distribution(
    run: &RunData,
    metric: MetricId,
    _kind: DistributionKind,
    _focus: Option<StageIdx>,
) -> Chart {
    let why = super::model::why_none(run, metric).unwrap_or_default();
    Chart::empty("Latency distribution", &why)
}

fn over_time(_run: &RunData, _rate: RateKind) -> Chart {
    Chart::empty("Throughput over time", "")
}

fn load(_run: &RunData, _metric: MetricId) -> Chart {
    Chart::empty("Latency against load", "")
}

fn requests(_run: &RunData, _metric: MetricId) -> Chart {
    Chart::empty("Requests", "")
}
