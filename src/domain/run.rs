//! A run as the window sees it, live or opened: shared blocks of points, a summary, series over time.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    MetricId, N_DISTRIBUTED, OutcomeKind, Phase, Plan, Stage, StageIdx, Summary, Variation,
};

/// First line of a run file: what was run, by what, where and when.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RunHead {
    pub schema: u32,
    /// Unique name of the run.
    pub id: String,
    /// `inferometer 0.1.0`.
    pub tool: String,
    /// Wall clock at the run's epoch, RFC 3339 with offset.
    pub started: String,
    /// The same instant in ns since 1970.
    pub started_unix_ns: i64,
    pub label: String,
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    pub plan: Plan,
    pub environment: Environment,
    /// What the server said of itself before the run.
    #[serde(default)]
    pub server: ServerFacts,
    /// Which run of a varied plan this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variation: Option<Variation>,
    /// What was sent, as far as it was read or made before the run.
    #[serde(default)]
    pub workload: WorkloadFacts,
}

/// Where prompts came from; enough to see whether two runs sent the same.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct WorkloadFacts {
    /// The dataset's name, the SHA-256 of its content, and its rows.
    pub dataset: Option<String>,
    pub dataset_hash: Option<String>,
    pub n_rows: Option<u64>,
    /// Who counted tokens on our side: `o200k`, a file's name and hash.
    pub tokenizer: Option<String>,
    /// What else should be known, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The machine that measured.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Environment {
    pub os: String,
    pub cpu: String,
    pub cores: u32,
    pub memory_bytes: u64,
    /// Soft limit of open files; `None` where there is none.
    pub max_files: Option<u64>,
}

/// What a server said of itself, in preparation.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServerFacts {
    /// The protocol that was found or chosen.
    #[serde(default)]
    pub protocol: super::Protocol,
    /// `gradio 6.31.0`, `llama.cpp`, `vLLM 0.32.0`; empty when it does not say.
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub version: Option<String>,
    /// The model asked, after “first of the list”.
    #[serde(default)]
    pub model: Option<String>,
    #[serde(default)]
    pub api_name: Option<String>,
    /// The measured route, without any key.
    #[serde(default)]
    pub route: String,
}

/// A stage's borders, as offsets from the epoch.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StageBorder {
    pub stage: StageIdx,
    pub start_ns: u64,
    pub end_ns: Option<u64>,
    /// Why it ended before its plan did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// The stage itself, where the plan as asked does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
}

/// What [`StageBorder::stopped`] begins with where the stage was more than the server gives.
pub const SATURATED: &str = "Saturated";

/// What [`StageBorder::stopped`] says of a stage that a person ended, by a pause or by Stop; and what it begins with where
/// the load was changed. None of these is a fault.
pub const BY_HAND: [&str; 3] = [PAUSED, STOPPED, CHANGED];
pub const PAUSED: &str = "Paused by hand";
pub const STOPPED: &str = "Stopped by hand";
pub const CHANGED: &str = "Changed by hand";

impl StageBorder {
    /// A person ended the stage before its plan did.
    pub fn is_ended_by_hand(&self) -> bool {
        let why = self.stopped.as_deref().unwrap_or_default();
        BY_HAND.iter().any(|words| why.starts_with(words))
    }
}

/// A stage that came to be while the run went.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Made {
    pub why: MadeBy,
    /// The stage of the plan as asked that it came from.
    pub of: StageIdx,
    pub stage: Stage,
}

/// What made a stage.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MadeBy {
    /// A sweep's first: as much as the server does.
    Throughput,
    /// A sweep's step.
    Step,
    /// A search's probe.
    Probe,
    /// The person changed the load.
    Changed,
    /// The person went on after a pause.
    Resumed,
}

/// A moment that the person, or the run itself, marked; a `mark` line of a run file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mark {
    /// Offset from the run's epoch.
    pub at_ns: u64,
    pub text: String,
}

/// One request in a chart: about 100 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub seq: u64,
    pub stage: StageIdx,
    pub phase: Phase,
    pub outcome: OutcomeKind,
    pub start_ns: u64,
    pub end_ns: u64,
    values: [f32; N_DISTRIBUTED],
}

impl Point {
    /// The chart's view of a record.
    pub fn of(record: &super::RequestRecord) -> Self {
        let mut values = [f32::NAN; N_DISTRIBUTED];
        for (slot, metric) in values.iter_mut().zip(&super::METRICS) {
            if let super::Taken::PerRequest(of) = metric.taken
                && let Some(value) = of(record)
            {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a chart needs seven digits"
                )]
                let value = value as f32;
                *slot = value;
            }
        }
        Self {
            seq: record.seq,
            stage: record.stage,
            phase: record.phase,
            outcome: record.outcome.kind(),
            start_ns: record.start_ns(),
            end_ns: record.end_ns,
            values,
        }
    }

    /// The metric's value in its unit; `None` where this request has none.
    pub fn value(&self, id: MetricId) -> Option<f64> {
        self.values
            .get(id as usize)
            .filter(|v| !v.is_nan())
            .map(|v| f64::from(*v))
    }
}

/// Points in the order of ending, in shared blocks: a snapshot of a growing run copies no point twice.
#[derive(Clone, Debug, Default)]
pub struct Points {
    blocks: Vec<Arc<Vec<Point>>>,
    n: usize,
    end_ns: u64,
}

const BLOCK: usize = 1024;

impl Points {
    pub fn push(&mut self, point: Point) {
        if self.n.is_multiple_of(BLOCK) {
            self.blocks.push(Arc::new(Vec::with_capacity(BLOCK)));
        }
        if let Some(last) = self.blocks.last_mut() {
            Arc::make_mut(last).push(point);
        }
        self.n += 1;
        self.end_ns = self.end_ns.max(point.end_ns);
    }

    pub fn len(&self) -> usize {
        self.n
    }

    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// When the last request ended, as an offset from the epoch.
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }

    pub fn iter(&self) -> impl Iterator<Item = &Point> {
        self.blocks.iter().flat_map(|b| b.iter())
    }
}

/// Counts per slot of time since the epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeSeries {
    /// Length of a slot; doubles when the run gets long, so that there are never more than [`TimeSeries::MAX_SLOTS`].
    pub slot_ns: u64,
    /// Output tokens by their own time.
    pub tokens: Vec<f32>,
    /// Requests that ended well.
    pub ok: Vec<f32>,
    pub failed: Vec<f32>,
    /// Mean number in flight.
    pub in_flight: Vec<f32>,
}

impl TimeSeries {
    pub const MAX_SLOTS: usize = 2400;
    /// Slot of a young run: 250 ms.
    pub const FIRST_SLOT_NS: u64 = 250_000_000;
}

/// Health of this program while it measured.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Health {
    /// Own CPU in percent of one core, the latest sample.
    pub cpu_percent: Option<f64>,
    /// Largest mean over 5 s, as a share of all cores, in percent.
    pub cpu_max_percent_of_cores: Option<f64>,
    pub slip_p99_ms: Option<f64>,
    pub client_late_p99_ms: Option<f64>,
    /// Lateness of a 10 ms ticker on the I/O runtime.
    pub tick_p99_ms: Option<f64>,
    pub tick_max_ms: Option<f64>,
    pub open_files: Option<u64>,
    pub max_files: Option<u64>,
    pub memory_bytes: Option<u64>,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// Checking the target, uploading, opening connections.
    Preparing {
        what: String,
    },
    /// The person is asked to restart the server; go on with `Command::ServerRestarted`.
    AwaitingRestart {
        cycle: u32,
        of: u32,
    },
    Running(Progress),
    /// The person paused it: nothing is sent, what is in flight ends.
    Paused(Progress),
    /// No more is sent; what is in flight ends.
    Stopping(Progress),
    Finished,
    /// The file has no `end` line, or the person aborted.
    Interrupted,
}

/// How far a running stage is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    pub stage: StageIdx,
    /// `None` between stages.
    pub phase: Option<Phase>,
    /// Requests of the phase that ended.
    pub done: u64,
    /// Requests of the phase in all, where the plan says so.
    pub of: Option<u64>,
    /// Share of the whole run, 0 to 1.
    pub share: f64,
    pub left_secs: Option<f64>,
    pub in_flight: u32,
}

/// A run, live or opened; cheap to clone and to send.
#[derive(Clone, Debug)]
pub struct RunData {
    pub head: Arc<RunHead>,
    /// The plan with the stages that really happened: what every [`StageIdx`] of the run means.
    pub as_run: Arc<Plan>,
    pub state: RunState,
    pub borders: Vec<StageBorder>,
    pub marks: Vec<Mark>,
    pub points: Points,
    /// Gaps of each stage's successful Measure requests in ms, a sample where there are very many; empty while live.
    pub gaps: Vec<Arc<Vec<f32>>>,
    pub series: Arc<TimeSeries>,
    pub summary: Arc<Summary>,
    pub health: Health,
    /// Where it is kept, and how large it is.
    pub file: Option<PathBuf>,
    pub file_bytes: u64,
    /// Grows with every change; a view that was computed for this number is still right.
    pub revision: u64,
}

impl RunData {
    /// As it was run; what was asked stands in `head.plan`.
    pub fn plan(&self) -> &Plan {
        &self.as_run
    }

    /// Seconds from the first preparation to the end of the last request.
    pub fn secs(&self) -> f64 {
        self.points.end_ns() as f64 / 1e9
    }

    pub fn is_live(&self) -> bool {
        !matches!(self.state, RunState::Finished | RunState::Interrupted)
    }

    /// Values of successful requests of one stage and phase, unsorted; of [`MetricId::Itl`] the sampled gaps.
    pub fn values(&self, stage: StageIdx, phase: Phase, id: MetricId) -> Vec<f64> {
        if id == MetricId::Itl {
            let gaps = self
                .gaps
                .get(stage.index())
                .filter(|_| phase == Phase::Measure);
            return gaps
                .map(|g| g.iter().map(|v| f64::from(*v)).collect())
                .unwrap_or_default();
        }
        let is_open = self.plan().stage(stage).is_some_and(|s| s.load.is_open());
        // As the stage's figures have it: in an open loop those that ended after its time too.
        let is_of =
            |of: Phase| of == phase || is_open && phase == Phase::Measure && of == Phase::Drain;
        let belongs =
            |p: &&Point| p.stage == stage && is_of(p.phase) && p.outcome == OutcomeKind::Ok;
        self.points
            .iter()
            .filter(belongs)
            .filter_map(|p| p.value(id))
            .collect()
    }
}
