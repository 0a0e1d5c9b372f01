//! Stages as the text that says them.

use std::num::NonZeroU32;

use super::super::grouped;
use super::{ArrivalKind, EndKind, LengthKind, LoadForm, LoadKind, RampForm};
use crate::domain::{ArrivalProcess, ClosedMode, Load, Ramp, Stage, StageEnd, WhenFull};

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
