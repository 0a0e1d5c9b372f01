//! What a plan will do, told before it does: requests, time, runs, and one line of words.

use super::grouped;
use crate::chart::format::{self, clock};
use crate::domain::{Estimate, Load, Over, Plan, SWEEP_TOP, Stage, StageEnd, n_stages, variants};
use crate::session;

/// What a plan comes to, as far as it says itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    /// Runs that varied fields make; 1 without any.
    pub runs: usize,
    /// Stages of one run, those included that unfold.
    pub stages: u64,
    /// A search may need fewer.
    pub at_most: bool,
    /// A replay goes on to its trace's end.
    pub ends_with_trace: bool,
    /// Requests of all runs; `None` where they depend on the server.
    pub requests: Option<u64>,
    /// The number is a mean of what is drawn.
    pub about: bool,
    /// Seconds of all runs; `None` where they depend on the server.
    pub secs: Option<f64>,
    /// How long the request took that was sent as a test, and what all runs would take at that.
    pub each_secs: Option<f64>,
    estimate: Estimate,
    /// The most requests of all runs, at one a second and user where nothing else is known.
    pub bound: f64,
}

/// Runs up to which each is looked at by itself: the values may change how long it is.
const LOOKED_AT: usize = 32;

impl Forecast {
    pub fn of(plan: &Plan) -> Self {
        let runs = variants(&plan.vary, plan.vary_mode).len();
        let one = Estimate::of(plan);
        let times = runs as f64;
        let all = match runs {
            1 => one,
            2..=LOOKED_AT => session::estimate(plan).unwrap_or(one),
            _ => Estimate {
                requests: one.requests * times,
                secs: one.secs * times,
                in_turn: one.in_turn * times,
                ..one
            },
        };
        Self {
            runs,
            requests: (!all.has_more_requests).then(|| whole(all.requests)),
            secs: (!all.has_more_secs).then_some(all.secs),
            estimate: all,
            bound: all.requests + plan.stages.iter().map(more_requests).sum::<f64>() * times,
            ..Self::shape_of(&plan.stages)
        }
    }

    /// Of the stages alone, without what is sent before and between them.
    pub fn of_stages(stages: &[Stage]) -> Self {
        Self::of(&Plan {
            stages: stages.to_vec(),
            ..Plan::simple("")
        })
    }

    fn shape_of(stages: &[Stage]) -> Self {
        let is_drawn = |s: &Stage| {
            matches!(s.load, Load::Open { .. }) && matches!(s.end, StageEnd::DurationSecs(_))
        };
        Self {
            stages: stages.iter().map(|s| u64::from(n_stages(&s.load))).sum(),
            at_most: stages.iter().any(|s| matches!(s.load, Load::Search { .. })),
            about: stages.iter().any(is_drawn),
            ends_with_trace: stages.iter().any(|s| s.end == StageEnd::WholeTrace(true)),
            ..Self::default()
        }
    }

    /// The bold words at the foot of the form: what is sent.
    pub fn what(&self) -> String {
        let about = if self.about { "About " } else { "" };
        let one = match self.requests {
            Some(1) => "1 request".to_owned(),
            Some(n) => format!("{about}{} requests", grouped(n)),
            None if self.at_most => "Until it is found".to_owned(),
            None if self.ends_with_trace => "Until the trace ends".to_owned(),
            None => "Until the time is up".to_owned(),
        };
        match self.runs {
            0 | 1 => one,
            runs if self.requests.is_some() => format!("{runs} runs, {}", lower_first(&one)),
            runs => format!("{runs} runs"),
        }
    }

    /// How long it takes, if that can be told: `about 1:30`, `about 0:36 at 148 ms a request`.
    pub fn time(&self) -> Option<String> {
        if let (None, Some(each)) = (self.secs, self.each_secs) {
            let all = self.estimate.secs_at(each)?;
            let each = format::ms(each * 1e3);
            return Some(format!("about {} at {each} a request", clock(all)));
        }
        let secs = self.secs.filter(|secs| *secs > 0.0)?;
        let word = if self.at_most { "at most" } else { "about" };
        Some(format!("{word} {}", clock(secs)))
    }
}

fn lower_first(words: &str) -> String {
    words.replacen("About", "about", 1)
}

/// Requests of a stage that its plan does not count, at one a second and user.
fn more_requests(stage: &Stage) -> f64 {
    let timed = stage.secs().unwrap_or(0.0) * f64::from(n_stages(&stage.load));
    match (&stage.load, stage.end) {
        (_, StageEnd::Requests(_)) => 0.0,
        (Load::Closed { users, .. }, StageEnd::DurationSecs(_)) => timed * f64::from(users.get()),
        (Load::Sweep { max_users, .. }, _) => timed * f64::from(max_users.get()),
        (Load::Search { max, .. }, _) => timed * max,
        // What a trace holds is not known here: it is asked about.
        (Load::Replay { .. }, _) => f64::INFINITY,
        (Load::Closed { .. } | Load::Open { .. }, _) => 0.0,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count for a person, kept within what it can hold"
)]
fn whole(n: f64) -> u64 {
    n.round().clamp(0.0, 1e15) as u64
}

/// `10 s`, `1:30` from two minutes on.
pub(super) fn span(secs: f64) -> String {
    if secs < 120.0 {
        let text = format!("{secs:.3}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        format!("{text} s")
    } else {
        clock(secs)
    }
}

/// What these stages will do, in one sentence; empty for none.
pub(super) fn preview(stages: &[Stage]) -> String {
    let forecast = Forecast::of_stages(stages);
    let (first, last) = match stages {
        [] => return String::new(),
        [one] => (one, one),
        [first, .., last] => (first, last),
    };
    let all = |is: fn(&Load) -> bool| stages.iter().all(|s| is(&s.load));
    if all(|l| matches!(l, Load::Closed { .. })) {
        let what = levels(stages.len(), first, last);
        return format!("{what}, {}", closed_ends(first, &forecast));
    }
    if all(|l| matches!(l, Load::Open { .. })) {
        let what = levels(stages.len(), first, last);
        let requests = forecast.requests.map_or_else(String::new, |n| {
            let about = if forecast.about { "about " } else { "" };
            format!(": {about}{} requests", grouped(n))
        });
        let time = forecast.secs.map(clock).unwrap_or_default();
        return format!("{what}{requests} in {time}");
    }
    match (&first.load, stages.len()) {
        (Load::Replay { time_scale, .. }, 1) => replay_words(*time_scale, first.end),
        (Load::Sweep { .. }, 1) => sweep_words(first, &forecast),
        (Load::Search { .. }, 1) => search_words(first, &forecast),
        _ => format!("{} stages of different kinds", stages.len()),
    }
}

fn levels(n: usize, first: &Stage, last: &Stage) -> String {
    let ramp = match &first.load {
        Load::Closed { ramp, .. } | Load::Open { ramp, .. } => *ramp,
        _ => None,
    };
    let grows = ramp.map_or_else(String::new, |r| format!(", each growing from {}", r.from));
    match n {
        1 => format!("{}{}", last.load.label(), grows.replace("each ", "")),
        _ => format!(
            "{n} stages of {} to {}{grows}",
            first.load.level(),
            last.load.label()
        ),
    }
}

fn closed_ends(first: &Stage, forecast: &Forecast) -> String {
    match (first.end, forecast.requests) {
        (StageEnd::DurationSecs(each), _) if forecast.stages > 1 => {
            let all = forecast.secs.map(clock).unwrap_or_default();
            format!("{} each, {all} in all", span(each))
        }
        (StageEnd::DurationSecs(each), _) => format!("for {}", span(each)),
        (_, Some(1)) => "1 request".to_owned(),
        (_, Some(n)) if forecast.stages > 1 => format!("{} requests in all", grouped(n)),
        (_, Some(n)) => format!("{} requests", grouped(n)),
        (_, None) => "as long as it takes".to_owned(),
    }
}

fn replay_words(time_scale: f64, end: StageEnd) -> String {
    let pace = match time_scale {
        x if (x - 1.0).abs() < 1e-9 => "at its own time".to_owned(),
        x if x > 1.0 => format!("{x} times as fast"),
        x => format!("{} times as slow", (100.0 / x).round() / 100.0),
    };
    let what = match end {
        StageEnd::Requests(n) => format!("The first {} requests of the trace", grouped(n.get())),
        StageEnd::DurationSecs(secs) => format!("{} of the trace", span(secs)),
        _ => "Each request of the trace".to_owned(),
    };
    format!("{what}, {pace}")
}

/// `, 10 s each, about 1:30` or `, 40 requests each`.
fn each_words(stage: &Stage, forecast: &Forecast) -> String {
    match (stage.end, forecast.time()) {
        (StageEnd::DurationSecs(secs), Some(time)) => format!(", {} each, {time}", span(secs)),
        (StageEnd::Requests(n), _) => format!(", {} requests each", grouped(n.get())),
        _ => String::new(),
    }
}

fn sweep_words(stage: &Stage, forecast: &Forecast) -> String {
    let Load::Sweep {
        over,
        steps,
        max_users,
        ..
    } = &stage.load
    else {
        return String::new();
    };
    let each = each_words(stage, forecast);
    let users = match max_users.get() {
        1 => "1 user".to_owned(),
        n => format!("{} users", grouped(u64::from(n))),
    };
    match over {
        Over::Rate => {
            let rates = if steps.get() == 1 { "rate" } else { "rates" };
            let top = SWEEP_TOP * 100.0;
            format!(
                "1 stage of {users}, then {steps} {rates} up to {top:.0} % of its maximum{each}"
            )
        }
        Over::Users => format!("{steps} stages up to {users}, evenly spaced by factor{each}"),
    }
}

fn search_words(stage: &Stage, forecast: &Forecast) -> String {
    let Load::Search { over, from, .. } = &stage.load else {
        return String::new();
    };
    let unit = match (over, *from) {
        (Over::Users, n) if (n - 1.0).abs() < 1e-9 => "user",
        (Over::Users, _) => "users",
        (Over::Rate, _) => "req/s",
    };
    let each = each_words(stage, forecast);
    format!(
        "Doubles from {from} {unit} while the goals are met, then closes in: at most {} probes{each}",
        forecast.stages
    )
}

#[cfg(test)]
mod tests {
    use super::super::{EndKind, LengthKind, LoadForm, LoadKind};
    use super::*;
    use crate::domain::Curve;

    fn said(change: fn(&mut LoadForm)) -> String {
        let mut load = LoadForm::default();
        change(&mut load);
        preview(&load.stages().unwrap())
    }

    #[test]
    fn each_kind_of_load_is_told_in_a_line() {
        assert_eq!(said(|_| {}), "1 user, 10 requests");
        assert_eq!(
            said(|l| l.kind = LoadKind::Users),
            "3 stages of 1 to 100 users, 120 requests in all"
        );
        let timed = said(|l| {
            l.kind = LoadKind::Users;
            l.length = LengthKind::Duration;
        });
        assert_eq!(timed, "3 stages of 1 to 100 users, 10 s each, 0:30 in all");
        assert_eq!(
            said(|l| l.kind = LoadKind::Rate),
            "3 stages of 5 to 20 req/s: about 350 requests in 0:30"
        );
        assert_eq!(
            said(|l| l.kind = LoadKind::Sweep),
            "1 stage of 128 users, then 8 rates up to 120 % of its maximum, 10 s each, about 1:30"
        );
        let over_users = said(|l| {
            l.kind = LoadKind::Sweep;
            l.over = Over::Users;
            l.ends = EndKind::Requests;
        });
        assert_eq!(
            over_users,
            "8 stages up to 128 users, evenly spaced by factor, 40 requests each"
        );
        assert_eq!(
            said(|l| l.kind = LoadKind::Search),
            "Doubles from 1 req/s while the goals are met, then closes in: at most 12 probes, 10 s each, at most 2:00"
        );
        let replay = said(|l| {
            l.kind = LoadKind::Replay;
            "a.csv".clone_into(&mut l.trace);
            "2".clone_into(&mut l.time_scale);
        });
        assert_eq!(replay, "Each request of the trace, 2 times as fast");
    }

    #[test]
    fn a_varied_plan_is_as_long_as_its_runs() {
        let mut plan = Plan::simple("http://127.0.0.1");
        plan.vary = vec!["workload.max_tokens=1,2,3".parse().unwrap()];
        let forecast = Forecast::of(&plan);
        assert_eq!(forecast.what(), "3 runs, 30 requests");
        assert_eq!(forecast.time(), None, "the server decides");
        let tested = Forecast {
            each_secs: Some(0.25),
            ..forecast
        };
        let told = "about 0:07 at 250 ms a request";
        assert_eq!(tested.time().as_deref(), Some(told));
        let load = LoadForm {
            kind: LoadKind::Rate,
            ..LoadForm::default()
        };
        plan.stages = load.stages().unwrap();
        plan.pause_secs = 5.0;
        let forecast = Forecast::of(&plan);
        assert_eq!(forecast.what(), "3 runs, about 1\u{202f}050 requests");
        assert_eq!(forecast.time().as_deref(), Some("about 2:00"));
    }

    #[test]
    fn a_ramp_counts_with_its_mean() {
        let mut load = LoadForm {
            kind: LoadKind::Rate,
            ..LoadForm::default()
        };
        "20".clone_into(&mut load.rates);
        load.rate_ramp.curve = Some(Curve::Linear);
        "0".clone_into(&mut load.rate_ramp.from);
        let stages = load.stages().unwrap();
        assert_eq!(Forecast::of_stages(&stages).requests, Some(100));
    }
}
