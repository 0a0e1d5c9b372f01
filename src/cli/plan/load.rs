//! The flags of the load: which kind it is, what shapes it, and how long it is.

use std::num::NonZeroU32;
use std::path::Path;

use super::read::{chosen, number, parsed};
use crate::cli::args::LoadArgs;
use crate::domain::{
    ArrivalProcess, ClosedMode, Issue, Load, OpenShape, Over, Plan, Ramp, SEARCH, SWEEP, Stage,
    StageEnd, TierLength, Warmup, WhenFull,
};

/// What the flags' help names where nothing is said.
const REQUESTS_PER_USER: &str = "10";
const DURATION_SECS: f64 = 30.0;

pub(super) fn override_load(plan: &mut Plan, args: &LoadArgs, issues: &mut Vec<Issue>) {
    if let Some(k) = args.cold {
        plan.cold.requests = k;
    }
    match args.warmup.as_deref().map(Warmup::parse) {
        Some(Ok(warmup)) => plan.warmup = warmup,
        Some(Err(message)) => issues.push(Issue::new("--warmup", message)),
        None => {}
    }
    plan.limits.stop_when_saturated |= args.stop_when_saturated;
    if args.mixed_traffic {
        plan.mixed_traffic.get_or_insert_default();
    }
    let length = length(args, issues);
    let mut stages = plan.stages.clone();
    match kind(args, issues).map(Kind::stages) {
        Some(Ok(named)) => stages = named,
        Some(Err(found)) => issues.extend(found.into_iter().map(|i| at_flag(i, args))),
        None => {}
    }
    shape(&mut stages, args, issues);
    // After the shape, which says whether there are users to count by.
    if let Some(Err(found)) = length.map(|length| Stage::give_lengths(&mut stages, length)) {
        issues.extend(found.into_iter().map(|i| at_flag(i, args)));
    }
    plan.stages = stages;
}

/// The kinds of load, one of which a plan's stages are when flags say so.
enum Kind<'a> {
    Iterations(u64),
    Tiers(&'a str),
    Rate(&'a str),
    Sweep(&'a str),
    Search,
    Replay(&'a Path),
}

/// The one that the flags name; more than one is an issue at each further flag.
fn kind<'a>(args: &'a LoadArgs, issues: &mut Vec<Issue>) -> Option<Kind<'a>> {
    let named = [
        ("--iterations", args.iterations.map(Kind::Iterations)),
        ("--tiers", args.tiers.as_deref().map(Kind::Tiers)),
        ("--rate", args.rate.as_deref().map(Kind::Rate)),
        ("--sweep", args.sweep.as_deref().map(Kind::Sweep)),
        ("--search", args.search.then_some(Kind::Search)),
        ("--replay", args.replay.as_deref().map(Kind::Replay)),
    ];
    let mut named = named
        .into_iter()
        .filter_map(|(flag, kind)| Some((flag, kind?)));
    let (first, kind) = named.next()?;
    for (flag, _) in named {
        let message = format!("goes without {first}: a run has one load");
        issues.push(Issue::new(flag, message));
    }
    Some(kind)
}

/// The length that the flags name; more than one, or one beside `--iterations`, is an issue at each further flag.
fn length<'a>(args: &'a LoadArgs, issues: &mut Vec<Issue>) -> Option<TierLength<'a>> {
    let (requests, per_user) = (args.requests.as_deref(), args.requests_per_user.as_deref());
    let named = [
        ("--requests", requests.map(TierLength::Requests)),
        (
            "--requests-per-user",
            per_user.map(TierLength::RequestsPerUser),
        ),
        (
            "--duration",
            args.duration.as_deref().map(TierLength::Duration),
        ),
    ];
    let mut first = args.iterations.map(|_n| "--iterations");
    let mut length = None;
    for (flag, named) in named {
        let Some(named) = named else { continue };
        if let Some(first) = first {
            let message = format!("goes without {first}: a stage has one length");
            issues.push(Issue::new(flag, message));
        } else {
            (first, length) = (Some(flag), Some(named));
        }
    }
    length
}

impl Kind<'_> {
    /// With the length that the flags' help names.
    fn stages(self) -> Result<Vec<Stage>, Vec<Issue>> {
        let timed = |load| {
            let end = StageEnd::DurationSecs(DURATION_SECS);
            Ok(vec![Stage { load, end }])
        };
        match self {
            Self::Iterations(n) => Stage::closed_tiers(
                "1",
                ClosedMode::Steady,
                TierLength::Requests(&n.to_string()),
            ),
            Self::Tiers(users) => {
                let length = TierLength::RequestsPerUser(REQUESTS_PER_USER);
                Stage::closed_tiers(users, ClosedMode::Steady, length)
            }
            Self::Rate(rates) => {
                let mut stages =
                    Stage::open_rates(rates, OpenShape::default(), TierLength::Duration("1s"))?;
                for stage in &mut stages {
                    stage.end = StageEnd::DurationSecs(DURATION_SECS);
                }
                Ok(stages)
            }
            Self::Sweep(steps) => timed(Load::Sweep {
                over: Over::Rate,
                steps: steps_of(steps)?,
                max_users: NonZeroU32::new(SWEEP.1).unwrap_or(NonZeroU32::MIN),
                arrival: ArrivalProcess::default(),
            }),
            Self::Search => timed(Load::Search {
                over: Over::Rate,
                from: SEARCH.0,
                max: SEARCH.1,
                arrival: ArrivalProcess::default(),
            }),
            Self::Replay(path) => Ok(vec![Stage {
                load: Load::Replay {
                    replay: path.to_owned(),
                    time_scale: 1.0,
                    max_in_flight: None,
                    when_full: WhenFull::default(),
                },
                end: StageEnd::WholeTrace(true),
            }]),
        }
    }
}

fn steps_of(text: &str) -> Result<NonZeroU32, Vec<Issue>> {
    let mut issues = Vec::new();
    let what = "a number of stages, 1 or more: write it as in --sweep 10";
    number("steps", Some(text), what, &mut issues).ok_or(issues)
}

/// The flag behind a field of [`Stage::closed_tiers`] and its like.
fn at_flag(issue: Issue, args: &LoadArgs) -> Issue {
    let flag = match issue.field.as_str() {
        "users" => "--tiers".to_owned(),
        "steps" => "--sweep".to_owned(),
        "duration_secs" => "--duration".to_owned(),
        "requests" if args.iterations.is_some() => "--iterations".to_owned(),
        other => format!("--{}", other.replace('_', "-")),
    };
    Issue::new(flag, issue.message)
}

/// What a flag changes in the loads that have it.
struct Put<'s> {
    stages: &'s mut [Stage],
    issues: &'s mut Vec<Issue>,
}

impl Put<'_> {
    /// `set` says whether the load takes the value; where none does, that is an issue.
    fn each<T: Copy>(
        &mut self,
        flag: &str,
        value: Option<T>,
        goes_with: &str,
        set: impl Fn(&mut Load, T) -> bool,
    ) {
        let Some(value) = value else { return };
        let mut is_taken = false;
        for stage in &mut *self.stages {
            is_taken |= set(&mut stage.load, value);
        }
        if !is_taken {
            let message = format!("goes with {goes_with} only");
            self.issues.push(Issue::new(flag, message));
        }
    }
}

fn shape(stages: &mut [Stage], args: &LoadArgs, issues: &mut Vec<Issue>) {
    let modes = [
        ("steady", ClosedMode::Steady),
        ("burst", ClosedMode::Burst),
        ("wave", ClosedMode::Wave),
    ];
    let fulls = [("queue", WhenFull::Queue), ("drop", WhenFull::Drop)];
    let overs = [("rate", Over::Rate), ("users", Over::Users)];
    let users = "a number of 1 or more";
    let new_mode = chosen("--mode", args.mode.as_deref(), &modes, issues);
    let new_arrival = parsed("--arrival", args.arrival.as_deref(), issues);
    let new_ramp: Option<Ramp> = parsed("--ramp", args.ramp.as_deref(), issues);
    let limit: Option<NonZeroU32> = number(
        "--max-in-flight",
        args.max_in_flight.as_deref(),
        users,
        issues,
    );
    let full = chosen("--when-full", args.when_full.as_deref(), &fulls, issues);
    let most: Option<NonZeroU32> = number("--max-users", args.max_users.as_deref(), users, issues);
    let new_over = chosen("--over", args.over.as_deref(), &overs, issues);
    let load = "a number of requests/s or users";
    let first: Option<f64> = number("--from", args.from.as_deref(), load, issues);
    let last: Option<f64> = number("--max", args.max.as_deref(), load, issues);
    let what = "a number, as in 2 for twice as fast";
    let scale: Option<f64> = number("--time-scale", args.time_scale.as_deref(), what, issues);

    let mut put = Put { stages, issues };
    put.each("--mode", new_mode, "--tiers", |load, new| match load {
        Load::Closed { mode, .. } => is_set(mode, new),
        _ => false,
    });
    let with = "--rate, --sweep or --search";
    put.each("--arrival", new_arrival, with, |load, new| match load {
        Load::Open { arrival, .. } | Load::Sweep { arrival, .. } | Load::Search { arrival, .. } => {
            is_set(arrival, new)
        }
        _ => false,
    });
    put.each(
        "--ramp",
        new_ramp,
        "--rate or --tiers",
        |load, new| match load {
            Load::Open { ramp, .. } | Load::Closed { ramp, .. } => is_set(ramp, Some(new)),
            _ => false,
        },
    );
    let with = "--rate or --replay";
    put.each("--max-in-flight", limit, with, |load, new| match load {
        Load::Open { max_in_flight, .. } | Load::Replay { max_in_flight, .. } => {
            is_set(max_in_flight, Some(new))
        }
        _ => false,
    });
    put.each("--when-full", full, with, |load, new| match load {
        Load::Open { when_full, .. } | Load::Replay { when_full, .. } => is_set(when_full, new),
        _ => false,
    });
    put.each("--max-users", most, "--sweep", |load, new| match load {
        Load::Sweep { max_users, .. } => is_set(max_users, new),
        _ => false,
    });
    let with = "--sweep or --search";
    put.each("--over", new_over, with, |load, new| match load {
        Load::Sweep { over, .. } | Load::Search { over, .. } => is_set(over, new),
        _ => false,
    });
    put.each("--from", first, "--search", |load, new| match load {
        Load::Search { from, .. } => is_set(from, new),
        _ => false,
    });
    put.each("--max", last, "--search", |load, new| match load {
        Load::Search { max, .. } => is_set(max, new),
        _ => false,
    });
    put.each("--time-scale", scale, "--replay", |load, new| match load {
        Load::Replay { time_scale, .. } => is_set(time_scale, new),
        _ => false,
    });
}

fn is_set<T>(slot: &mut T, value: T) -> bool {
    *slot = value;
    true
}
