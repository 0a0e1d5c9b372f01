//! Records in, numbers out: everything that a run amounts to, kept up to date with every record, live or read from a file.
//!
//! Only successful Measure requests enter distributions and rates; failed ones are counted beside; cold, warm-up and
//! drain requests never enter. A request that was cut off or cancelled is counted, whether it carries Measure or Drain.

mod beside;
mod findings;
#[cfg(test)]
pub(crate) mod fixture;
mod gaps;
mod pace;
mod series;
mod stage;
mod tally;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::HashSet;
use std::sync::Arc;

use beside::Beside;
use findings::Stages;
use series::SeriesBuilder;
use stage::StageData;
use tally::Tally;

use crate::stats;

use super::{
    BesideRecord, ColdRequest, ColdSummary, ErrorClass, Made, MetricId, OutcomeKind, Penalty,
    Phase, Plan, Point, Points, RecordFacts, RequestRecord, RunFacts, SCHEMA, Stage, StageBorder,
    StageFacts, StageIdx, StageSummary, Summary, Taken, TimeSeries,
};

/// How much work a summary may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detail {
    /// A few times a second while the run goes: no bootstrap, so the mean has no interval.
    Live,
    /// Once, at the end or when a file was opened.
    Full,
}

/// Takes records one by one and says at any time what they amount to.
#[derive(Clone, Debug)]
pub struct Accumulator {
    /// As the plan asked for them: what a sweep or a search came from.
    asked: Vec<Stage>,
    /// As it is run: stages that come to be are put in.
    plan: Plan,
    /// Stages whose border was told.
    seen: HashSet<StageIdx>,
    stages: Vec<StageData>,
    points: Points,
    series: SeriesBuilder,
    cold: Vec<ColdRow>,
    errors: Vec<ErrorClass>,
    tally: Tally,
    beside: Beside,
}

#[derive(Clone, Debug)]
struct ColdRow {
    seq: u64,
    ttft: Option<f64>,
    e2e: Option<f64>,
    connect: Option<f64>,
}

/// Gaps of a stage that a chart is given at most.
const CHART_GAPS: usize = 50_000;
/// Above this many warm values the warm median's own doubt is nothing beside that of a few cold requests.
const PENALTY_BOOTSTRAP_MAX_N: usize = 5000;
/// Seeds of the penalty's bootstrap; fixed, so that a file opens with the figures it was saved with.
const PENALTY_SEEDS: (u64, u64) = (1001, 1002);

impl Accumulator {
    pub fn new(plan: &Plan) -> Self {
        let asked = plan.stages.clone();
        let plan = plan.begin_as_run();
        let named = plan.stages.iter().zip(plan.stage_names());
        let stages = named.map(|(stage, name)| StageData::new(stage, name, &plan.goals));
        let stages = stages.collect();
        Self {
            asked,
            plan,
            seen: HashSet::new(),
            stages,
            points: Points::default(),
            series: SeriesBuilder::default(),
            cold: Vec::new(),
            errors: Vec::new(),
            tally: Tally::default(),
            beside: Beside::default(),
        }
    }

    /// Takes a stage's border: one that the plan does not have is put in at its place. Borders come before the records of
    /// their stage; a stage that is told again changes nothing.
    pub fn border(&mut self, border: &StageBorder) {
        let is_new = self.seen.insert(border.stage);
        if let Some(Made { stage, .. }) = border.made.as_ref().filter(|_| is_new) {
            let at = border.stage.index().min(self.stages.len());
            let data = StageData::new(stage, String::new(), &self.plan.goals);
            self.stages.insert(at, data);
        }
        self.plan.insert_made(border, is_new);
        // What follows the new one may be the second of its kind now.
        for (stage, name) in self.stages.iter_mut().zip(self.plan.stage_names()) {
            stage.rename(name);
        }
        if let Some(stage) = self.stages.get_mut(border.stage.index()) {
            stage.bordered(border);
        }
    }

    /// Takes what a visitor did beside the measured requests.
    pub fn beside(&mut self, record: &BesideRecord) {
        self.beside.push(record);
    }

    /// The plan as it has been run so far: what the stages of records mean.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes a record; they come in the order of ending.
    pub fn push(&mut self, record: &RequestRecord) {
        self.points.push(Point::of(record));
        self.series.push(record);
        self.count_error(record);
        self.tally.push(record, self.plan.workload.max_tokens);
        if record.phase == Phase::Cold {
            self.cold.push(ColdRow::of(record));
        }
        // A file may name a stage that its plan does not have: its requests stay visible as points.
        if let Some(stage) = self.stages.get_mut(record.stage.index()) {
            stage.push(record);
        }
    }

    fn count_error(&mut self, record: &RequestRecord) {
        let outcome = record.outcome.kind();
        if outcome == OutcomeKind::Ok {
            return;
        }
        let failure = record.outcome.failure();
        let (kind, status) = (failure.map(|f| f.kind), failure.and_then(|f| f.status));
        let known = self
            .errors
            .iter_mut()
            .find(|e| e.kind == kind && e.outcome == outcome && e.status == status);
        if let Some(class) = known {
            class.count += 1;
            return;
        }
        self.errors.push(ErrorClass {
            kind,
            outcome,
            status,
            count: 1,
            first_seq: record.seq,
            first_message: failure.map(|f| f.message.clone()).unwrap_or_default(),
        });
    }

    /// One entry per stage of the plan, Measure only. A stage that got no record since the last call costs nothing.
    pub fn summaries(&mut self, detail: Detail) -> Vec<StageSummary> {
        self.stages
            .iter_mut()
            .map(|s| s.summary(detail).clone())
            .collect()
    }

    /// The cold requests in the order of sending, and what being cold costs: mean of the cycles' first requests −
    /// median of the first stage's Measure. Its interval (BCa) needs two cycles.
    pub fn cold(&mut self, detail: Detail) -> ColdSummary {
        self.cold.sort_by_key(|row| row.seq);
        let per_cycle = usize::try_from(self.plan.cold.requests.max(1)).unwrap_or(1);
        let is_first = |i: usize| i.is_multiple_of(per_cycle);
        let requests = self.cold.iter().enumerate().map(|(i, row)| ColdRequest {
            seq: row.seq,
            first: is_first(i),
            ttft: row.ttft,
            e2e: row.e2e,
            connect: row.connect,
        });
        let mut summary = ColdSummary {
            requests: requests.collect(),
            ..ColdSummary::default()
        };
        if summary.requests.is_empty() {
            return summary;
        }
        type Of = fn(&ColdRequest) -> Option<f64>;
        let metrics: [(MetricId, Of); 2] =
            [(MetricId::Ttft, |r| r.ttft), (MetricId::E2e, |r| r.e2e)];
        for (id, of) in metrics {
            let firsts: Vec<f64> = summary
                .requests
                .iter()
                .filter(|r| r.first)
                .filter_map(of)
                .collect();
            let warm = self.stages.first_mut().map(|s| s.sorted(id));
            let penalty = penalty(&firsts, warm.unwrap_or_default(), detail);
            summary.penalty.insert(id, penalty);
        }
        summary
    }

    /// Failures of all phases by class, most frequent first.
    pub fn errors(&self) -> Vec<ErrorClass> {
        let mut errors = self.errors.clone();
        errors.sort_by_key(|e| (std::cmp::Reverse(e.count), e.first_seq));
        errors
    }

    pub fn points(&self) -> &Points {
        &self.points
    }

    /// Counts over time of what has ended.
    pub fn series(&self) -> TimeSeries {
        self.series.series()
    }

    /// As [`Accumulator::series`], with requests that still run counted as in flight since their start.
    pub fn series_live(&self, running_since_ns: &[u64], now_ns: u64) -> TimeSeries {
        let mut series = self.series.clone();
        for start_ns in running_since_ns {
            series.add_in_flight(*start_ns, now_ns);
        }
        series.series()
    }

    /// Chunk gaps of the stage's successful Measure requests in ms, sorted: all, or an even sample of very many.
    pub fn gaps(&mut self, stage: StageIdx) -> Arc<Vec<f32>> {
        let stage = self.stages.get_mut(stage.index());
        Arc::new(stage.map(|s| s.gaps.sample(CHART_GAPS)).unwrap_or_default())
    }

    /// What the judge asks of the records; with [`Detail::Live`] without what has to be worked out over all points.
    pub fn facts(&self, detail: Detail) -> RecordFacts {
        RecordFacts {
            errors: self.errors(),
            stages: match detail {
                Detail::Live => Vec::new(),
                Detail::Full => self.stage_facts(),
            },
            ..self.tally.facts()
        }
    }

    fn stage_facts(&self) -> Vec<StageFacts> {
        let mut measured: Vec<Vec<&Point>> = vec![Vec::new(); self.stages.len()];
        for point in self.points.iter() {
            let at = point.stage.index();
            let is_measured = |stage: &StageData| stage.measures(point.phase);
            if self.stages.get(at).is_some_and(is_measured)
                && let Some(of_stage) = measured.get_mut(at)
            {
                of_stage.push(point);
            }
        }
        let pairs = self.stages.iter().zip(measured);
        pairs.map(|(stage, points)| stage.facts(&points)).collect()
    }

    /// Everything at once: numbers, verdict and cautions. The one way from records to a summary, for a run that goes
    /// (Live: the verdict is as of now), has ended, or was read from a file.
    pub fn summary(&mut self, detail: Detail, borders: &[StageBorder], run: &RunFacts) -> Summary {
        let stages = self.summaries(detail);
        let cold = self.cold(detail);
        let records = self.facts(detail);
        let beside = self.beside.summaries();
        let (verdict, cautions) = super::judge(&super::Facts {
            plan: &self.plan,
            stages: &stages,
            records: &records,
            borders,
            beside: &beside,
            run,
        });
        let found = Stages {
            asked: &self.asked,
            plan: &self.plan,
            summaries: &stages,
            borders,
            facts: &records.stages,
        };
        let (knee, sweep, search) = (found.knee(), found.sweep(), found.search());
        Summary {
            schema: SCHEMA,
            verdict,
            stages,
            cold,
            cautions,
            errors: records.errors,
            knee,
            sweep,
            search,
            beside,
        }
    }
}

impl ColdRow {
    fn of(record: &RequestRecord) -> Self {
        let is_ok = record.outcome.is_ok();
        let value = |id: MetricId| match id.metric().taken {
            Taken::PerRequest(of) if is_ok => of(record),
            _ => None,
        };
        Self {
            seq: record.seq,
            ttft: value(MetricId::Ttft),
            e2e: value(MetricId::E2e),
            connect: value(MetricId::Connect),
        }
    }
}

/// Median by nearest rank, as every table has it.
fn sorted_median(values: &[f64]) -> Option<f64> {
    stats::nearest_rank(values, 0.5)
}

/// `firsts` of the cycles against `warm`, which is sorted.
fn penalty(firsts: &[f64], warm: &[f64], detail: Detail) -> Penalty {
    let mut penalty = Penalty {
        value: None,
        ci95: [None, None],
    };
    let (Some(cold), Some(median)) = (stats::mean(firsts), sorted_median(warm)) else {
        return penalty;
    };
    penalty.value = Some(cold - median);
    if detail == Detail::Live || firsts.len() < 2 {
        return penalty;
    }
    let rounds = stats::BOOTSTRAP_ROUNDS;
    let mean = |d: &[f64]| stats::mean(d).unwrap_or(f64::NAN);
    let estimate = if warm.len() > PENALTY_BOOTSTRAP_MAX_N {
        stats::bca(firsts, |d| mean(d) - median, rounds, PENALTY_SEEDS.0)
    } else {
        let difference = |cold: &[f64], warm: &[f64]| mean(cold) - unsorted_median(warm);
        stats::bca_two(firsts, warm, difference, rounds, PENALTY_SEEDS)
    };
    if let Some(e) = estimate {
        penalty.ci95 = [Some(e.low), Some(e.high)];
    }
    penalty
}

fn unsorted_median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    let Some(middle) = values.len().checked_sub(1).map(|last| last / 2) else {
        return f64::NAN;
    };
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
