//! What a plan will take before it is run, as far as the plan itself says.

use std::fmt;

use super::{Curve, Goal, Load, Over, Plan, Ramp, Stage, StageEnd, StageIdx, Taken, Warmup};
use crate::stats;

/// Runs, requests and time, told before a run starts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    pub runs: u32,
    /// Requests that the plan names or its rates make.
    pub requests: f64,
    /// Stages that end by time send as many more as the server answers.
    pub has_more_requests: bool,
    /// Time that the plan names.
    pub secs: f64,
    /// Stages that end by requests take as much more as the server needs.
    pub has_more_secs: bool,
    /// Requests of these that follow one another: times what one takes, it is about the time that is missing in `secs`.
    pub in_turn: f64,
}

impl Estimate {
    /// Of one run; what the plan varies is left aside.
    pub fn of(plan: &Plan) -> Self {
        Self::with_traces(plan, &[])
    }

    /// As [`Estimate::of`], where the traces of its stages were read.
    pub fn with_traces(plan: &Plan, traces: &[(StageIdx, Traced)]) -> Self {
        let cycles = f64::from(plan.cold.cycles.max(1));
        let mut all = Self {
            runs: 1,
            requests: f64::from(plan.cold.requests) * cycles,
            in_turn: f64::from(plan.cold.requests) * cycles,
            secs: plan.cold.silence_secs * cycles,
            ..Self::default()
        };
        match plan.warmup {
            Warmup::None => {}
            Warmup::Requests(n) => all.requests += f64::from(n.get()),
            Warmup::Secs(secs) => {
                all.secs += secs;
                all.has_more_requests = true;
            }
        }
        for (i, stage) in plan.stages.iter().enumerate() {
            let traced = traces.iter().find(|(stage, _)| stage.index() == i);
            let pause_secs = if i == 0 { 0.0 } else { plan.pause_secs };
            let turns = f64::from(plan.workload.turns.max(1));
            all.add_stage(stage, traced.map(|(_, traced)| *traced), turns);
            all.secs += pause_secs;
        }
        if let Some(most) = plan.limits.max_secs.filter(|most| *most < all.secs) {
            all.secs = most;
        }
        all
    }

    fn add_stage(&mut self, stage: &Stage, traced: Option<Traced>, turns: f64) {
        let n = f64::from(n_stages(&stage.load));
        // Over time an open loop begins conversations, each of which is so many requests.
        let turns = match (&stage.load, stage.end) {
            (Load::Open { .. }, StageEnd::DurationSecs(_)) => turns,
            _ => 1.0,
        };
        let (requests, secs) = match traced {
            Some(traced) => (Some(traced.requests), Some(traced.secs)),
            None => (requests_of(stage).map(|n| n * turns), stage.secs()),
        };
        self.requests += n * requests.unwrap_or(0.0);
        self.has_more_requests |= requests.is_none();
        self.secs += n * secs.unwrap_or(0.0);
        self.has_more_secs |= secs.is_none();
        if secs.is_none() {
            let at_once = match &stage.load {
                Load::Closed { users, .. } => f64::from(users.get()),
                _ => 1.0,
            };
            self.in_turn += n * (requests.unwrap_or(0.0) / at_once).ceil();
        }
    }

    /// One after the other.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.requests += other.requests;
        self.has_more_requests |= other.has_more_requests;
        self.secs += other.secs;
        self.has_more_secs |= other.has_more_secs;
        self.in_turn += other.in_turn;
    }

    /// Seconds in all where one request takes so long; `None` where the plan does not say how many there are.
    pub fn secs_at(&self, each: f64) -> Option<f64> {
        let is_told = self.in_turn > 0.0 && !self.has_more_requests;
        is_told.then_some(self.secs + self.in_turn * each)
    }
}

/// What a stage sends of its trace, and how long that takes at the stage's time scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traced {
    pub requests: f64,
    pub secs: f64,
}

/// Stages that a load is or becomes; of a search the most that it may take to double up to the largest load and to halve
/// back.
pub fn n_stages(load: &Load) -> u32 {
    const HALVINGS: f64 = 4.0;
    /// As many as a search tries at most.
    const PROBES: f64 = 15.0;
    match load {
        Load::Sweep {
            over: Over::Rate,
            steps,
            ..
        } => steps.get().saturating_add(1),
        Load::Sweep { steps, .. } => steps.get(),
        Load::Search { from, max, .. } => {
            let probes = (max / from).log2().ceil().max(0.0) + 1.0 + HALVINGS;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "1 to PROBES"
            )]
            let probes = probes.min(PROBES) as u32;
            probes
        }
        _ => 1,
    }
}

fn requests_of(stage: &Stage) -> Option<f64> {
    match (&stage.load, stage.end) {
        (_, StageEnd::Requests(n)) => Some(n.get() as f64),
        (Load::Closed { users, .. }, StageEnd::RequestsPerUser(n)) => {
            Some(f64::from(users.get()) * f64::from(n.get()))
        }
        (Load::Open { rate, ramp, .. }, StageEnd::DurationSecs(secs)) => {
            Some(ramp.map_or(*rate, mean) * secs)
        }
        _ => None,
    }
}

/// Over the stage's time.
fn mean(ramp: Ramp) -> f64 {
    match ramp.curve {
        Curve::Exponential if (ramp.to - ramp.from).abs() > f64::EPSILON => {
            (ramp.to - ramp.from) / (ramp.to / ramp.from).ln()
        }
        _ => f64::midpoint(ramp.from, ramp.to),
    }
}

/// What a search cannot tell because its probes are too short: not even a probe of which all requests are within a goal's
/// limit shows that the goal is met. `None` where there is nothing to say, or the plan does not tell how many there are.
pub fn short_probe(plan: &Plan) -> Option<String> {
    let per_request = |g: &&Goal| !matches!(g.metric.metric().taken, Taken::PerGap);
    let of_all = plan.goals.iter().filter(per_request);
    let strictest = of_all.max_by(|a, b| a.share.total_cmp(&b.share))?;
    let needed = stats::wilson_least_n(strictest.share);
    plan.stages.iter().find_map(|stage| {
        let Load::Search { over, from, .. } = stage.load else {
            return None;
        };
        let (n, probe, repair) = match (stage.end, over) {
            (StageEnd::Requests(n), _) => {
                let repair = format!("give each probe {needed} requests");
                (n.get() as f64, "A probe", repair)
            }
            (StageEnd::DurationSecs(secs), Over::Rate) => {
                let rate = (needed as f64 / secs * 10.0).ceil() / 10.0;
                let longer = duration_words((needed as f64 / from).ceil());
                let repair = format!("give each probe {longer}, or begin at {rate} req/s");
                (from * secs, "The first probe", repair)
            }
            _ => return None,
        };
        (n.round() < needed as f64).then(|| {
            format!(
                "{probe} has {} request{}, and fewer than {needed} cannot tell whether {} is met: {repair}",
                n.round(),
                if n.round() > 1.0 { "s" } else { "" },
                strictest.label(),
            )
        })
    })
}

/// Seconds of a stage before which nothing tells that it is saturated: a slot of a second each, and seen three times.
pub const SATURATION_MIN_SECS: f64 = 15.0;

/// Stages of a plan that stops when saturated which are over before that can be seen.
pub fn short_watch(plan: &Plan) -> Option<String> {
    let is_watched = |load: &Load| match load {
        Load::Open { ramp, .. } => ramp.is_none(),
        Load::Sweep { over, .. } | Load::Search { over, .. } => *over == Over::Rate,
        Load::Closed { .. } | Load::Replay { .. } => false,
    };
    let short = plan.stages.iter().filter(|s| is_watched(&s.load));
    let shortest = short.filter_map(Stage::secs).min_by(f64::total_cmp)?;
    (plan.limits.stop_when_saturated && shortest < SATURATION_MIN_SECS).then(|| {
        format!(
            "A stage is seen to be saturated after {SATURATION_MIN_SECS} s at the earliest, and here one ends after {}: it will not be stopped",
            duration_words(shortest)
        )
    })
}

impl fmt::Display for Estimate {
    /// `6 runs, about 360 requests, at least 1 min 30 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = if self.runs == 1 { "run" } else { "runs" };
        write!(f, "{} {runs}", self.runs)?;
        if self.requests >= 0.5 {
            let least = if self.has_more_requests {
                "at least "
            } else {
                ""
            };
            let plural = if self.requests.round() > 1.0 { "s" } else { "" };
            write!(f, ", {least}{:.0} request{plural}", self.requests)?;
        } else if self.has_more_requests {
            f.write_str(", as many requests as the server answers")?;
        }
        if self.secs > 0.0 {
            let about = if self.has_more_secs {
                "at least"
            } else {
                "about"
            };
            write!(f, ", {about} {}", duration_words(self.secs))
        } else {
            f.write_str(", as long as the server takes")
        }
    }
}

/// `45 s`, `1 min 30 s`, `2 h 5 min`.
pub fn duration_words(secs: f64) -> String {
    let whole = secs.round();
    if whole < 60.0 {
        return format!("{} s", (secs * 10.0).round() / 10.0);
    }
    let (minutes, rest) = ((whole / 60.0).floor(), whole % 60.0);
    if minutes < 60.0 {
        return match rest {
            0.0 => format!("{minutes} min"),
            rest => format!("{minutes} min {rest} s"),
        };
    }
    let (hours, minutes) = ((minutes / 60.0).floor(), minutes % 60.0);
    match minutes {
        0.0 => format!("{hours} h"),
        minutes => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ClosedMode, OpenShape, TierLength};
    use super::*;

    fn plan(stages: Vec<Stage>) -> Plan {
        let mut plan = Plan::simple("http://h");
        plan.stages = stages;
        plan
    }

    #[test]
    fn what_the_plan_says_is_summed() {
        let tiers = |length| Stage::closed_tiers("1,10", ClosedMode::Steady, length).unwrap();
        let by_count = Estimate::of(&plan(tiers(TierLength::RequestsPerUser("3"))));
        assert_eq!(
            by_count.to_string(),
            "1 run, 33 requests, as long as the server takes"
        );
        // Three of one user, then three of each of ten.
        assert_eq!(
            Estimate::of(&plan(tiers(TierLength::RequestsPerUser("3")))).secs_at(0.5),
            Some(3.0)
        );
        let mut by_time = plan(tiers(TierLength::Duration("45s")));
        by_time.pause_secs = 5.0;
        assert_eq!(
            Estimate::of(&by_time).to_string(),
            "1 run, as many requests as the server answers, about 1 min 35 s"
        );
        by_time.limits.max_secs = Some(20.0);
        let cut = Estimate::of(&by_time).to_string();
        assert!(cut.ends_with("about 20 s"), "{cut}");
        let rates = Stage::open_rates("5,10", OpenShape::default(), TierLength::Duration("10s"));
        let mut twice = Estimate::of(&plan(rates.unwrap()));
        twice.add(&twice.clone());
        assert_eq!(twice.to_string(), "2 runs, 300 requests, about 40 s");
        let rates = Stage::open_rates("5", OpenShape::default(), TierLength::Duration("10s"));
        let mut talks = plan(rates.unwrap());
        talks.workload.turns = 3;
        let talks = Estimate::of(&talks).to_string();
        assert!(talks.starts_with("1 run, 150 requests"), "{talks}");
    }

    #[test]
    fn a_ramp_sends_the_mean_of_its_rates() {
        let mut stages =
            Stage::open_rates("100", OpenShape::default(), TierLength::Duration("10s")).unwrap();
        let Load::Open { ramp, .. } = &mut stages[0].load else {
            panic!()
        };
        *ramp = Some("exponential:1..100".parse().unwrap());
        let n = Estimate::of(&plan(stages)).requests;
        assert!((n - 10.0 * 99.0 / 100_f64.ln()).abs() < 1e-9, "{n}");
    }

    #[test]
    fn a_probe_that_can_tell_nothing_is_named() {
        let said = |goals: &[&str], end: StageEnd, from: f64| {
            let load = Load::Search {
                over: Over::Rate,
                from,
                max: 100.0,
                arrival: Default::default(),
            };
            let mut plan = plan(vec![Stage { load, end }]);
            plan.goals = goals.iter().map(|g| g.parse().unwrap()).collect();
            short_probe(&plan)
        };
        let p95 = ["e2e.p50:3s", "ttft.p95:500ms"];
        let seconds = StageEnd::DurationSecs(30.0);
        assert_eq!(
            said(&p95, seconds, 1.0).unwrap(),
            "The first probe has 30 requests, and fewer than 73 cannot tell whether p95 TTFT ≤ 500 ms is met: give each probe 1 min 13 s, or begin at 2.5 req/s"
        );
        assert_eq!(said(&p95, seconds, 2.5), None);
        let requests = |n: u64| StageEnd::Requests(std::num::NonZeroU64::new(n).unwrap());
        assert_eq!(
            said(&p95, requests(40), 8.0).unwrap(),
            "A probe has 40 requests, and fewer than 73 cannot tell whether p95 TTFT ≤ 500 ms is met: give each probe 73 requests"
        );
        assert_eq!(said(&p95, requests(73), 8.0), None);
        // Of gaps there are many more than requests.
        assert_eq!(said(&["itl.p99:50ms"], requests(2), 1.0), None);
        assert_eq!(said(&[], requests(2), 1.0), None);
    }

    #[test]
    fn stages_too_short_to_be_watched_are_named() {
        let said = |secs: &'static str, stops: bool| {
            let length = TierLength::Duration(secs);
            let mut plan = plan(Stage::open_rates("5", OpenShape::default(), length).unwrap());
            plan.limits.stop_when_saturated = stops;
            short_watch(&plan)
        };
        assert!(said("10s", true).unwrap().contains("ends after 10 s"));
        assert_eq!(said("10s", false), None);
        assert_eq!(said("15s", true), None);
        assert_eq!(short_watch(&Plan::simple("http://h")), None);
    }

    #[test]
    fn durations_in_words() {
        for (secs, words) in [
            (0.25, "0.3 s"),
            (59.0, "59 s"),
            (60.0, "1 min"),
            (90.0, "1 min 30 s"),
            (7500.0, "2 h 5 min"),
        ] {
            assert_eq!(duration_words(secs), words);
        }
    }
}
