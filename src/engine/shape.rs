//! How a stage of the plan is sent: by how many users, or by which schedule.

use crate::domain::{
    ArrivalProcess, ClosedMode, Load, MAX_REQUESTS, Ramp, Stage, StageEnd, StageIdx, WhenFull,
};
use crate::transport::limits;

use super::arrivals::{Quota, ns_from_secs};
use super::closed::Closed;
use super::desk::Asks;
use super::open::Open;
use super::schedule::{self, Extent, Level};

/// A stage's place, and how far it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spot {
    pub(super) as_run: StageIdx,
    pub(super) asked: StageIdx,
    pub(super) sent: Sent,
}

/// How far into its trace a replay is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sent {
    pub(super) rows: usize,
    /// In the replay's own time.
    pub(super) ns: u64,
}

/// How a stage is sent.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Closed(Closed),
    Open(OpenShape),
}

#[derive(Clone, Debug)]
pub(super) struct OpenShape {
    pub(super) open: Open,
    /// Of a warm-up.
    rate: f64,
    arrival: ArrivalProcess,
    /// The load itself changes: a rise tells nothing of the server.
    is_even: bool,
}

/// Connections that an open stage begins with: as many as are in flight when each request takes that long. Few, since a
/// server that gives each connection a thread of its own (llama.cpp has some eight) has none left for the requests while
/// idle ones hold them.
const SECS_IN_FLIGHT: f64 = 0.1;
/// And that many at most: more are made when they are needed.
const MAX_OPENED: f64 = 256.0;
/// Descriptors that are no connections.
const SPARE_DESCRIPTORS: u64 = 128;

/// How `stage` is sent. The whole schedule of an open one is made here; a replay begins after what it has sent.
pub(super) fn of(stage: &Stage, seed: u64, spot: Spot, prompts: &dyn Asks) -> Shape {
    match &stage.load {
        Load::Closed { users, mode, ramp } => {
            let over_ns = match stage.end {
                StageEnd::DurationSecs(secs) => ns_from_secs(secs),
                _ => 0,
            };
            let level = Level::of(f64::from(users.get()), *ramp);
            let shifts = ramp.map(|_| schedule::shifts(level, users.get(), over_ns));
            Shape::Closed(Closed {
                n_users: users.get(),
                mode: *mode,
                shifts: shifts.unwrap_or_default(),
                hears: true,
            })
        }
        Load::Open {
            rate,
            arrival,
            ramp,
            max_in_flight,
            when_full,
        } => {
            let extent = extent(Quota::of_stage(stage));
            let level = Level::of(*rate, *ramp);
            let seed = schedule::seed_of(seed, spot.as_run.0);
            let due_ns = schedule::arrivals(level, *arrival, extent, seed, MAX_REQUESTS);
            let limit = max_in_flight.map_or(u32::MAX, std::num::NonZeroU32::get);
            Shape::Open(OpenShape {
                open: open(
                    due_ns,
                    None,
                    limit.min(stage.load.max_in_flight()),
                    *when_full,
                ),
                rate: level.max(),
                arrival: *arrival,
                is_even: ramp.is_none(),
            })
        }
        Load::Replay {
            time_scale,
            when_full,
            ..
        } => {
            let at_ns = prompts.trace(spot.asked);
            let rest = at_ns.get(spot.sent.rows..).unwrap_or_default();
            Shape::Open(replayed(stage, rest, spot, *time_scale, *when_full))
        }
        // They unfold before.
        Load::Sweep { .. } | Load::Search { .. } => Shape::Closed(Closed {
            n_users: 1,
            mode: ClosedMode::Steady,
            shifts: Vec::new(),
            hears: true,
        }),
    }
}

fn replayed(
    stage: &Stage,
    at_ns: &[u64],
    spot: Spot,
    time_scale: f64,
    when_full: WhenFull,
) -> OpenShape {
    let until_ns = match stage.end {
        StageEnd::DurationSecs(secs) => ns_from_secs(secs),
        _ => u64::MAX,
    };
    let due = at_ns
        .iter()
        .map(|ns| scale(*ns, time_scale).saturating_sub(spot.sent.ns));
    let due_ns: Vec<u64> = due.take_while(|ns| *ns < until_ns).collect();
    // Of a trace within a second, or of one row, no rate can be read; it is no flood.
    let secs = due_ns.last().map_or(1.0, |ns| *ns as f64 / 1e9).max(1.0);
    let first_row = Some((spot.asked, spot.sent.rows));
    OpenShape {
        rate: due_ns.len() as f64 / secs,
        arrival: ArrivalProcess::Poisson,
        is_even: false,
        open: open(due_ns, first_row, stage.load.max_in_flight(), when_full),
    }
}

/// To the nanosecond.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time divided by a number above 0; what is too long saturates"
)]
fn scale(ns: u64, time_scale: f64) -> u64 {
    (ns as f64 / time_scale).round() as u64
}

fn open(
    due_ns: Vec<u64>,
    first_row: Option<(StageIdx, usize)>,
    limit: u32,
    when_full: WhenFull,
) -> Open {
    let held = limits::descriptor_limit().map(|n| n.saturating_sub(SPARE_DESCRIPTORS).max(1));
    let limit = u64::from(limit).min(held.unwrap_or(u64::MAX));
    Open {
        due_ns: due_ns.into(),
        first_row,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        when_full,
        is_prelude: false,
        hears: true,
    }
}

fn extent(quota: Quota) -> Extent {
    match quota {
        Quota::Requests(n) | Quota::PerUser(n) => Extent::Count(n),
        Quota::ForNs(ns) => Extent::Ns(ns),
    }
}

impl Shape {
    /// Users that the stage asks for; of an open one, none in particular.
    pub(super) fn n_users(&self) -> usize {
        match self {
            Self::Closed(closed) => closed.n_users as usize,
            Self::Open(_) => 1,
        }
    }

    /// Users to have before the stage begins, where there are so many already.
    pub(super) fn n_seats(&self, n_now: usize) -> usize {
        match self {
            Self::Closed(closed) => closed.n_users as usize,
            Self::Open(of) => of.n_senders().max(n_now).min(of.open.limit),
        }
    }

    /// How much Measure sends.
    pub(super) fn quota(&self, stage: &Stage) -> Quota {
        match (Quota::of_stage(stage), self) {
            // A trace has an end, whatever its stage says.
            (Quota::Requests(u64::MAX), Self::Open(of)) => {
                Quota::Requests(of.open.due_ns.len() as u64)
            }
            (quota, _) => quota,
        }
    }

    /// The person's wishes are not heard: a run has no room for another stage.
    pub(super) fn deaf(mut self) -> Self {
        match &mut self {
            Self::Closed(closed) => closed.hears = false,
            Self::Open(of) => of.open.hears = false,
        }
        self
    }

    /// A rise of what is in flight would tell that the server does not keep up.
    pub(super) fn may_saturate(&self) -> bool {
        matches!(self, Self::Open(of) if of.is_even)
    }
}

impl OpenShape {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 256"
    )]
    fn n_senders(&self) -> usize {
        let n = (self.rate * SECS_IN_FLIGHT).ceil().clamp(1.0, MAX_OPENED) as usize;
        n.min(self.open.due_ns.len().max(1))
    }

    /// The warm-up before it: the same rate, and no ramp.
    pub(super) fn prelude(&self, quota: Quota, seed: u64) -> Open {
        let level = Level::Flat(self.rate);
        let extent = extent(quota);
        let due_ns = schedule::arrivals(level, self.arrival, extent, seed, MAX_REQUESTS);
        Open {
            due_ns: due_ns.into(),
            first_row: None,
            is_prelude: true,
            hears: false,
            ..self.open.clone()
        }
    }
}

/// The warm-up's arrivals are not those of Measure.
pub(super) fn prelude_seed(seed: u64) -> u64 {
    schedule::seed_of(seed, u16::MAX)
}

/// A load that goes on when that share of it is done, of its time or else of its requests: a ramp goes on from where it is.
pub(super) fn resumed(load: &Load, share: f64, is_of_requests: bool) -> Load {
    let mut load = load.clone();
    let is_open = load.is_open();
    if let Load::Closed { ramp, .. } | Load::Open { ramp, .. } = &mut load {
        *ramp = ramp.map(|ramp| {
            let of_time = if is_open && is_of_requests {
                Level::of(ramp.to, Some(ramp)).time_share(share)
            } else {
                share
            };
            Ramp {
                from: ramp.at(of_time),
                ..ramp
            }
        });
    }
    load
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::Numbered;

    #[test]
    fn a_trace_is_replayed_to_the_nanosecond() {
        let due = |time_scale, end, sent| {
            let load = Load::Replay {
                replay: "t.csv".into(),
                time_scale,
                max_in_flight: None,
                when_full: WhenFull::Queue,
            };
            let stage = Stage { load, end };
            let spot = Spot {
                sent,
                ..Spot::default()
            };
            let traced = Numbered {
                trace: vec![0, 1_000_000_001, 3_000_000_000],
                ..Numbered::default()
            };
            let shape = of(&stage, 1, spot, &traced);
            let quota = shape.quota(&stage);
            let Shape::Open(shape) = shape else {
                panic!("a replay is open")
            };
            assert_eq!(shape.open.first_row, Some((StageIdx(0), sent.rows)));
            (shape.open.due_ns.to_vec(), quota)
        };
        let (whole, start) = (StageEnd::WholeTrace(true), Sent::default());
        assert_eq!(
            due(1.0, whole, start),
            (vec![0, 1_000_000_001, 3_000_000_000], Quota::Requests(3))
        );
        assert_eq!(due(2.0, whole, start).0, [0, 500_000_001, 1_500_000_000]);
        assert_eq!(due(0.5, whole, start).0, [0, 2_000_000_002, 6_000_000_000]);
        let short = StageEnd::DurationSecs(3.0);
        assert_eq!(due(1.0, short, start).0, [0, 1_000_000_001]);
        // Paused after its first second, it goes on with what is left.
        let paused = Sent {
            rows: 1,
            ns: 1_000_000_000,
        };
        assert_eq!(
            due(1.0, whole, paused),
            (vec![1, 2_000_000_000], Quota::Requests(2))
        );
    }

    #[test]
    fn a_warm_up_before_a_trace_within_a_second_is_no_flood() {
        let load = Load::Replay {
            replay: "t.csv".into(),
            time_scale: 1.0,
            max_in_flight: None,
            when_full: WhenFull::Queue,
        };
        let stage = Stage {
            load,
            end: StageEnd::WholeTrace(true),
        };
        let traced = Numbered {
            trace: vec![0; 20],
            ..Numbered::default()
        };
        let Shape::Open(shape) = of(&stage, 1, Spot::default(), &traced) else {
            panic!("a replay is open")
        };
        let warm_up = shape.prelude(Quota::ForNs(10_000_000_000), 1);
        assert!(warm_up.due_ns.len() < 300, "{}", warm_up.due_ns.len());
    }

    #[test]
    fn a_ramp_goes_on_from_where_it_is() {
        let load = Load::Open {
            rate: 50.0,
            arrival: ArrivalProcess::Constant,
            ramp: Some("linear:10..50".parse().unwrap()),
            max_in_flight: None,
            when_full: WhenFull::Queue,
        };
        let Load::Open { ramp, .. } = resumed(&load, 0.5, false) else {
            panic!("it stays open")
        };
        assert_eq!(ramp, Some("linear:30..50".parse().unwrap()));
        assert_eq!(resumed(&Load::open(5.0), 0.5, true), Load::open(5.0));
        // From 0 to 100 the first half of the requests takes 0.707 of the time.
        let mut steep = load;
        let Load::Open { ramp, .. } = &mut steep else {
            panic!("it is open")
        };
        *ramp = Some("linear:0..100".parse().unwrap());
        let Load::Open { ramp, .. } = resumed(&steep, 0.5, true) else {
            panic!("it stays open")
        };
        assert!((ramp.unwrap().from - 70.71).abs() < 0.01, "{ramp:?}");
    }
}
