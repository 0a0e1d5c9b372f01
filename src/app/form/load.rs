//! The load as text: six kinds of load that a person can name, and stages that none of them says, kept as they are.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::from_plan::grouped;
use super::issues::Issues;
use crate::domain::{
    ArrivalProcess, ClosedMode, Curve, Issue, Load, OpenShape, Over, Ramp, Stage, StageEnd,
    TierLength, WhenFull,
};

/// How the load is given.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LoadKind {
    /// One user, N requests.
    #[default]
    Iterations,
    Users,
    /// Requests per second, whatever becomes of those before.
    Rate,
    Replay,
    Sweep,
    Search,
    /// Stages that no other kind can say; kept as the plan had them.
    Kept,
}

impl LoadKind {
    /// What can be chosen: the kinds that know users first, then those that the run unfolds or reads.
    pub const ALL: [Self; 6] = [
        Self::Iterations,
        Self::Users,
        Self::Rate,
        Self::Replay,
        Self::Sweep,
        Self::Search,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Self::Iterations => "Iterations",
            Self::Users => "Users",
            Self::Rate => "Rate",
            Self::Replay => "Replay",
            Self::Sweep => "Sweep",
            Self::Search => "Search",
            Self::Kept => "As in the file",
        }
    }
}

/// How long each stage of users is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LengthKind {
    #[default]
    Requests,
    PerUser,
    Duration,
}

impl LengthKind {
    pub const ALL: [Self; 3] = [Self::Requests, Self::PerUser, Self::Duration];

    pub fn label(self) -> &'static str {
        match self {
            Self::Requests => "Its requests",
            Self::PerUser => "Requests per user",
            Self::Duration => "A time",
        }
    }
}

/// How long each stage of a load without users of its own is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum EndKind {
    #[default]
    Duration,
    Requests,
    /// A replay's.
    WholeTrace,
}

impl EndKind {
    pub fn label(self) -> &'static str {
        match self {
            Self::Duration => "A time",
            Self::Requests => "Its requests",
            Self::WholeTrace => "The whole trace",
        }
    }
}

/// How gaps are drawn.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ArrivalKind {
    Constant,
    #[default]
    Poisson,
    Gamma,
}

impl ArrivalKind {
    pub const ALL: [Self; 3] = [Self::Poisson, Self::Constant, Self::Gamma];

    pub fn label(self) -> &'static str {
        match self {
            Self::Constant => "Evenly spaced",
            Self::Poisson => "Poisson",
            Self::Gamma => "Gamma",
        }
    }
}

/// How a load grows over its stage, up to the stage's level.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RampForm {
    pub curve: Option<Curve>,
    pub from: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LoadForm {
    pub kind: LoadKind,
    pub iterations: String,
    pub users: String,
    pub length: LengthKind,
    pub requests: String,
    pub per_user: String,
    pub duration: String,
    pub mode: ClosedMode,
    pub users_ramp: RampForm,
    pub rates: String,
    pub arrival: ArrivalKind,
    /// Of gamma gaps.
    pub shape: String,
    pub rate_ramp: RampForm,
    pub max_in_flight: String,
    pub when_full: WhenFull,
    /// Of a rate, a sweep's step and a search's probe.
    pub ends: EndKind,
    pub trace: String,
    pub time_scale: String,
    pub trace_ends: EndKind,
    pub over: Over,
    pub steps: String,
    pub max_users: String,
    pub from: String,
    pub max: String,
    pub kept: Vec<Stage>,
}

impl Default for LoadForm {
    fn default() -> Self {
        Self {
            kind: LoadKind::Iterations,
            iterations: "10".to_owned(),
            users: "1, 10, 100".to_owned(),
            length: LengthKind::Requests,
            requests: "40".to_owned(),
            per_user: "10".to_owned(),
            duration: "10s".to_owned(),
            mode: ClosedMode::Steady,
            users_ramp: RampForm::default(),
            rates: "5, 10, 20".to_owned(),
            arrival: ArrivalKind::Poisson,
            shape: "0.5".to_owned(),
            rate_ramp: RampForm::default(),
            max_in_flight: String::new(),
            when_full: WhenFull::Queue,
            ends: EndKind::Duration,
            trace: String::new(),
            time_scale: "1".to_owned(),
            trace_ends: EndKind::WholeTrace,
            over: Over::Rate,
            steps: "8".to_owned(),
            max_users: "128".to_owned(),
            from: "1".to_owned(),
            max: "100".to_owned(),
            kept: Vec::new(),
        }
    }
}

// From a plan.

impl LoadForm {
    pub(crate) fn from_stages(stages: &[Stage]) -> Self {
        let mut form = Self::default();
        if form.read_iterations(stages)
            || form.read_tiers(stages).is_some()
            || form.read_rates(stages).is_some()
            || form.read_single(stages).is_some()
        {
            return form;
        }
        Self {
            kind: LoadKind::Kept,
            kept: stages.to_vec(),
            ..Self::default()
        }
    }

    fn read_iterations(&mut self, stages: &[Stage]) -> bool {
        if let [stage] = stages
            && let StageEnd::Requests(n) = stage.end
            && stage.load == Load::closed(NonZeroU32::MIN)
        {
            self.iterations = grouped(n.get());
            return true;
        }
        false
    }

    /// Reads stages as one list of users with one kind of length; `None` when they are not such a list.
    fn read_tiers(&mut self, stages: &[Stage]) -> Option<()> {
        let of = |s: &Stage| match s.load {
            Load::Closed { users, mode, ramp } => Some((users, mode, ramp)),
            _ => None,
        };
        let loads: Vec<_> = stages.iter().map(of).collect::<Option<_>>()?;
        let (_, mode, _) = *loads.first()?;
        let same = |(_, other, _): &(NonZeroU32, ClosedMode, Option<Ramp>)| *other == mode;
        if !loads.iter().all(same) {
            return None;
        }
        let ramps = loads.iter().map(|(n, _, ramp)| (f64::from(n.get()), *ramp));
        let ramp = RampForm::of(ramps)?;
        let length = self.read_length(stages)?;
        let users = loads.iter().map(|(n, ..)| grouped(u64::from(n.get())));
        self.users = users.collect::<Vec<_>>().join(", ");
        (self.mode, self.users_ramp, self.length) = (mode, ramp, length);
        self.kind = LoadKind::Users;
        Some(())
    }

    /// Reads stages as one list of rates that have all else in common.
    fn read_rates(&mut self, stages: &[Stage]) -> Option<()> {
        let of = |s: &Stage| match s.load {
            Load::Open {
                rate,
                arrival,
                ramp,
                max_in_flight,
                when_full,
            } => Some(((arrival, max_in_flight, when_full), rate, ramp)),
            _ => None,
        };
        let loads: Vec<_> = stages.iter().map(of).collect::<Option<_>>()?;
        let (shape, ..) = *loads.first()?;
        if loads.iter().any(|(other, ..)| *other != shape) {
            return None;
        }
        let ramp = RampForm::of(loads.iter().map(|(_, rate, ramp)| (*rate, *ramp)))?;
        self.ends = match self.read_length(stages)? {
            LengthKind::Requests => EndKind::Requests,
            LengthKind::Duration => EndKind::Duration,
            LengthKind::PerUser => return None,
        };
        let rates: Vec<String> = loads.iter().map(|(_, rate, _)| rate.to_string()).collect();
        self.rates = rates.join(", ");
        self.rate_ramp = ramp;
        self.set_arrival(shape.0);
        self.set_limit(shape.1, shape.2);
        self.kind = LoadKind::Rate;
        Some(())
    }

    /// Reads one stage that is a replay, a sweep or a search.
    fn read_single(&mut self, stages: &[Stage]) -> Option<()> {
        let [stage] = stages else {
            return None;
        };
        let end = self.read_end(stage.end)?;
        match &stage.load {
            Load::Replay {
                replay,
                time_scale,
                max_in_flight,
                when_full,
            } => {
                self.trace = replay.display().to_string();
                self.time_scale = time_scale.to_string();
                self.trace_ends = end;
                self.set_limit(*max_in_flight, *when_full);
                self.kind = LoadKind::Replay;
            }
            Load::Sweep {
                over,
                steps,
                max_users,
                arrival,
            } => {
                self.over = *over;
                self.steps = steps.to_string();
                self.max_users = grouped(u64::from(max_users.get()));
                self.set_arrival(*arrival);
                self.ends = end;
                self.kind = LoadKind::Sweep;
            }
            Load::Search {
                over,
                from,
                max,
                arrival,
            } => {
                self.over = *over;
                (self.from, self.max) = (from.to_string(), max.to_string());
                self.set_arrival(*arrival);
                self.ends = end;
                self.kind = LoadKind::Search;
            }
            Load::Closed { .. } | Load::Open { .. } => return None,
        }
        let fits = stage.end != StageEnd::WholeTrace(false)
            && (end != EndKind::WholeTrace || self.kind == LoadKind::Replay);
        fits.then_some(())
    }

    fn read_length(&mut self, stages: &[Stage]) -> Option<LengthKind> {
        let first = stages.first()?;
        match first.end {
            StageEnd::Requests(_) => {
                let of = |s: &Stage| match s.end {
                    StageEnd::Requests(n) => Some(n.get()),
                    _ => None,
                };
                self.requests = list(&stages.iter().map(of).collect::<Option<Vec<_>>>()?);
                Some(LengthKind::Requests)
            }
            StageEnd::RequestsPerUser(_) => {
                let of = |s: &Stage| match s.end {
                    StageEnd::RequestsPerUser(n) => Some(u64::from(n.get())),
                    _ => None,
                };
                self.per_user = list(&stages.iter().map(of).collect::<Option<Vec<_>>>()?);
                Some(LengthKind::PerUser)
            }
            StageEnd::DurationSecs(secs) => {
                self.duration = format!("{secs}s");
                let same = stages.iter().all(|s| s.end == first.end);
                same.then_some(LengthKind::Duration)
            }
            StageEnd::WholeTrace(_) => None,
        }
    }

    fn read_end(&mut self, end: StageEnd) -> Option<EndKind> {
        match end {
            StageEnd::DurationSecs(secs) => {
                self.duration = format!("{secs}s");
                Some(EndKind::Duration)
            }
            StageEnd::Requests(n) => {
                self.requests = grouped(n.get());
                Some(EndKind::Requests)
            }
            StageEnd::WholeTrace(_) => Some(EndKind::WholeTrace),
            StageEnd::RequestsPerUser(_) => None,
        }
    }

    fn set_arrival(&mut self, arrival: ArrivalProcess) {
        self.arrival = match arrival {
            ArrivalProcess::Constant => ArrivalKind::Constant,
            ArrivalProcess::Poisson => ArrivalKind::Poisson,
            ArrivalProcess::Gamma(shape) => {
                self.shape = shape.to_string();
                ArrivalKind::Gamma
            }
        };
    }

    fn set_limit(&mut self, limit: Option<NonZeroU32>, when_full: WhenFull) {
        self.max_in_flight = limit
            .map(|n| grouped(u64::from(n.get())))
            .unwrap_or_default();
        self.when_full = when_full;
    }
}

impl RampForm {
    /// The ramp that all these stages have in common, each to its own level; `None` when they have none.
    fn of(mut stages: impl Iterator<Item = (f64, Option<Ramp>)>) -> Option<Self> {
        let part = |(level, ramp): (f64, Option<Ramp>)| match ramp {
            None => Some(None),
            #[expect(clippy::float_cmp, reason = "another level could not be said")]
            Some(ramp) => (ramp.to == level).then_some(Some((ramp.curve, ramp.from))),
        };
        let first = part(stages.next()?)?;
        if !stages.all(|stage| part(stage) == Some(first)) {
            return None;
        }
        Some(first.map_or_else(Self::default, |(curve, from)| Self {
            curve: Some(curve),
            from: from.to_string(),
        }))
    }
}

/// One number for all when all are the same, else one for each.
fn list(values: &[u64]) -> String {
    match values {
        [first, rest @ ..] if rest.iter().all(|v| v == first) => grouped(*first),
        _ => {
            let words: Vec<String> = values.iter().map(|v| grouped(*v)).collect();
            words.join(", ")
        }
    }
}

// To a plan.

impl LoadForm {
    /// The stages that the load fields say.
    ///
    /// # Errors
    /// One issue for each value that cannot be used.
    pub fn stages(&self) -> Result<Vec<Stage>, Vec<Issue>> {
        match self.kind {
            LoadKind::Kept => Ok(self.kept.clone()),
            LoadKind::Iterations => {
                let length = TierLength::Requests(&self.iterations);
                Stage::closed_tiers("1", ClosedMode::Steady, length).map_err(|found| {
                    let at_iterations = |i: Issue| Issue::new("iterations", one_value(&i.message));
                    found.into_iter().map(at_iterations).collect()
                })
            }
            LoadKind::Users => self.tiers(),
            LoadKind::Rate => self.rates(),
            LoadKind::Replay | LoadKind::Sweep | LoadKind::Search => {
                let mut issues = Issues::default();
                let load = self.single(&mut issues);
                let ends = match self.kind {
                    LoadKind::Replay => self.trace_ends,
                    _ => self.ends,
                };
                let end = self.end(ends, &mut issues);
                match (load, end) {
                    (Some(load), Some(end)) if issues.0.is_empty() => Ok(vec![Stage { load, end }]),
                    _ => Err(issues.0),
                }
            }
        }
    }

    fn tiers(&self) -> Result<Vec<Stage>, Vec<Issue>> {
        let length = match self.length {
            LengthKind::Requests => TierLength::Requests(&self.requests),
            LengthKind::PerUser => TierLength::RequestsPerUser(&self.per_user),
            LengthKind::Duration => TierLength::Duration(&self.duration),
        };
        let stages = Stage::closed_tiers(&self.users, self.mode, length);
        let mut issues = Issues::default();
        let from = self.users_ramp.from(&mut issues);
        with_ramp(stages, self.users_ramp.curve, from, issues)
    }

    fn rates(&self) -> Result<Vec<Stage>, Vec<Issue>> {
        let mut issues = Issues::default();
        let shape = OpenShape {
            arrival: self.arrival(&mut issues),
            max_in_flight: self.limit(&mut issues),
            when_full: self.when_full,
        };
        let length = match self.ends {
            EndKind::Requests => TierLength::Requests(&self.requests),
            EndKind::Duration | EndKind::WholeTrace => TierLength::Duration(&self.duration),
        };
        let stages = Stage::open_rates(&self.rates, shape, length);
        let from = self.rate_ramp.from(&mut issues);
        with_ramp(stages, self.rate_ramp.curve, from, issues)
    }

    fn single(&self, issues: &mut Issues) -> Option<Load> {
        const FROM_1: &str = "a whole number from 1 on";
        Some(match self.kind {
            LoadKind::Replay => Load::Replay {
                replay: self.trace_path(issues)?,
                time_scale: issues.number("time_scale", &self.time_scale, "a number, as in 2"),
                max_in_flight: self.limit(issues),
                when_full: self.when_full,
            },
            LoadKind::Sweep => {
                let steps = issues.must("steps", &self.steps, FROM_1);
                let max_users = issues.must("max_users", &self.max_users, FROM_1);
                Load::Sweep {
                    over: self.over,
                    arrival: self.arrival(issues),
                    steps: steps?,
                    max_users: max_users?,
                }
            }
            _ => Load::Search {
                over: self.over,
                from: issues.number("from", &self.from, "a number, as in 1"),
                max: issues.number("max", &self.max, "a number, as in 100"),
                arrival: self.arrival(issues),
            },
        })
    }

    fn trace_path(&self, issues: &mut Issues) -> Option<PathBuf> {
        let text = self.trace.trim();
        if text.is_empty() {
            issues.add(
                "replay",
                "Choose a trace (Azure CSV, Mooncake JSONL or BurstGPT CSV) or one of your run files",
            );
            return None;
        }
        Some(PathBuf::from(text))
    }

    fn end(&self, ends: EndKind, issues: &mut Issues) -> Option<StageEnd> {
        match ends {
            EndKind::WholeTrace if self.kind == LoadKind::Replay => {
                Some(StageEnd::WholeTrace(true))
            }
            EndKind::Requests => {
                let wants = "a whole number from 1 on";
                let n = issues.must("requests", &self.requests, wants)?;
                Some(StageEnd::Requests(n))
            }
            EndKind::Duration | EndKind::WholeTrace => {
                let secs = issues.secs(
                    "duration_secs",
                    &self.duration,
                    super::issues::Zero::Refused,
                );
                Some(StageEnd::DurationSecs(secs))
            }
        }
    }

    fn arrival(&self, issues: &mut Issues) -> ArrivalProcess {
        let text = match self.arrival {
            ArrivalKind::Constant => return ArrivalProcess::Constant,
            ArrivalKind::Poisson => return ArrivalProcess::Poisson,
            ArrivalKind::Gamma => format!("gamma:{}", self.shape.trim()),
        };
        issues.read("arrival", text.parse()).unwrap_or_default()
    }

    fn limit(&self, issues: &mut Issues) -> Option<NonZeroU32> {
        let wants = "a whole number from 1 on, or empty for no limit";
        issues.optional("max_in_flight", &self.max_in_flight, wants)
    }
}

impl RampForm {
    /// Where it starts; `None` where there is no ramp, or no level to read.
    fn from(&self, issues: &mut Issues) -> Option<f64> {
        let curve = self.curve?;
        let wants = "a level to start from, as in 1";
        if self.from.trim().is_empty() {
            issues.add("ramp", format!("Empty: {wants}"));
            return None;
        }
        let from: f64 = issues.optional("ramp", &self.from, wants)?;
        let least = match curve {
            Curve::Linear => from >= 0.0,
            Curve::Exponential => from > 0.0,
        };
        if !(least && from.is_finite()) {
            let message = match curve {
                Curve::Linear => format!("“{}” must be 0 or more", self.from.trim()),
                Curve::Exponential => format!(
                    "“{}” must be above 0: an exponential ramp never leaves 0",
                    self.from.trim()
                ),
            };
            issues.add("ramp", message);
        }
        Some(from)
    }
}

/// The stages, each with a ramp up to its own level.
fn with_ramp(
    stages: Result<Vec<Stage>, Vec<Issue>>,
    curve: Option<Curve>,
    from: Option<f64>,
    mut issues: Issues,
) -> Result<Vec<Stage>, Vec<Issue>> {
    let mut stages = stages.unwrap_or_else(|found| {
        issues.0.extend(found);
        Vec::new()
    });
    if !issues.0.is_empty() {
        return Err(issues.0);
    }
    if let (Some(curve), Some(from)) = (curve, from) {
        for stage in &mut stages {
            let to = stage.load.level();
            if let Load::Closed { ramp, .. } | Load::Open { ramp, .. } = &mut stage.load {
                *ramp = Some(Ramp { curve, from, to });
            }
        }
    }
    Ok(stages)
}

/// “First value …” of a list said of a field that holds one value.
fn one_value(message: &str) -> String {
    match message.strip_prefix("First value ") {
        Some(rest) if rest.starts_with('“') => rest.to_owned(),
        Some(_) => "Enter how many requests, as in 10".to_owned(),
        None => "Give one whole number, as in 10".to_owned(),
    }
}
