//! Which stages a plan becomes while it runs: sweeps and searches unfold by what their stages found. Pure.

use std::num::NonZeroU32;

use crate::domain::{GoalResult, Load, MadeBy, Over, Plan, Stage, StageIdx, WhenFull, whole_users};

use super::live::At;
use super::search::{Search, Verdict};
use super::sweep;

/// The next stage to run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Next {
    pub(super) stage: Stage,
    /// What made it, where the plan as asked does not have it.
    pub(super) made: Option<MadeBy>,
    pub(super) at: At,
}

/// What a stage found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    /// Successful requests per second.
    pub(super) rate: Option<f64>,
    pub(super) goals: Vec<GoalResult>,
    pub(super) is_saturated: bool,
}

/// The way through a plan.
#[derive(Debug)]
pub(super) struct Course<'a> {
    plan: &'a Plan,
    /// The stage of the plan as asked that is under way, or comes next.
    asked: usize,
    unfolding: Option<Unfolding>,
}

#[derive(Debug)]
enum Unfolding {
    /// The rest of a sweep's stages, the next one last, of so many in all; before the throughput stage has ended the rates
    /// are not known.
    Sweep {
        rest: Vec<Load>,
        n_done: u32,
        of: u32,
    },
    Search {
        search: Search,
        n_done: u32,
        /// The level under probe.
        level: f64,
    },
}

impl<'a> Course<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            asked: 0,
            unfolding: None,
        }
    }

    /// The next stage; `None` when the plan is done. To be called again only after [`Course::tell`].
    pub(super) fn next(&mut self) -> Option<Next> {
        loop {
            let stage = self.plan.stages.get(self.asked)?;
            if !stage.load.unfolds() {
                return Some(Next {
                    stage: stage.clone(),
                    made: None,
                    at: self.at((0.0, 1.0)),
                });
            }
            let unfolding = self
                .unfolding
                .get_or_insert_with(|| Unfolding::begin(&stage.load));
            if let Some((load, made)) = unfolding.next(&stage.load) {
                let span = unfolding.span();
                let end = stage.end;
                return Some(Next {
                    stage: Stage { load, end },
                    made: Some(made),
                    at: self.at(span),
                });
            }
            self.go_on();
        }
    }

    fn at(&self, span: (f64, f64)) -> At {
        At {
            asked: StageIdx::from_index(self.asked),
            span,
        }
    }

    fn go_on(&mut self) {
        self.asked += 1;
        self.unfolding = None;
    }

    /// What came of the stage that [`Course::next`] gave.
    pub(super) fn tell(&mut self, found: &Found) {
        let load = self.plan.stages.get(self.asked).map(|s| &s.load);
        match (self.unfolding.as_mut(), load) {
            (Some(unfolding), Some(load)) => unfolding.tell(load, found),
            _ => self.go_on(),
        }
    }
}

impl Unfolding {
    fn begin(load: &Load) -> Self {
        match load {
            Load::Search {
                over, from, max, ..
            } => Self::Search {
                search: Search::new(*over == Over::Users, *from, *max),
                n_done: 0,
                level: *from,
            },
            Load::Sweep {
                over: Over::Users,
                steps,
                max_users,
                ..
            } => {
                let users = sweep::users(max_users.get(), steps.get());
                let mut rest: Vec<Load> = users.iter().filter_map(|n| closed(*n)).collect();
                rest.reverse();
                let of = u32::try_from(rest.len()).unwrap_or(u32::MAX);
                Self::Sweep {
                    rest,
                    n_done: 0,
                    of,
                }
            }
            Load::Sweep {
                steps, max_users, ..
            } => Self::Sweep {
                rest: vec![Load::closed(*max_users)],
                n_done: 0,
                of: steps.get() + 1,
            },
            Load::Closed { .. } | Load::Open { .. } | Load::Replay { .. } => Self::Sweep {
                rest: Vec::new(),
                n_done: 0,
                of: 0,
            },
        }
    }

    fn next(&mut self, asked: &Load) -> Option<(Load, MadeBy)> {
        match self {
            Self::Sweep { rest, n_done, .. } => {
                let load = rest.last()?.clone();
                let is_first_of_rates = *n_done == 0 && asked.over() == Some(Over::Rate);
                let made = if is_first_of_rates {
                    MadeBy::Throughput
                } else {
                    MadeBy::Step
                };
                Some((load, made))
            }
            Self::Search { search, level, .. } => {
                *level = search.next()?;
                Some((at_level(asked, *level), MadeBy::Probe))
            }
        }
    }

    /// The part of the whole that the next stage is likely to be.
    fn span(&self) -> (f64, f64) {
        let (done, of) = match self {
            Self::Sweep { n_done, of, .. } => (*n_done, *of),
            Self::Search { search, n_done, .. } => (*n_done, *n_done + search.n_left().max(1)),
        };
        let share = |n: u32| f64::from(n) / f64::from(of.max(1));
        (share(done), share(done + 1).min(1.0))
    }

    fn tell(&mut self, asked: &Load, found: &Found) {
        match self {
            Self::Sweep { rest, n_done, .. } => {
                rest.pop();
                let is_throughput = *n_done == 0 && asked.over() == Some(Over::Rate);
                *n_done += 1;
                if is_throughput && let Load::Sweep { steps, .. } = asked {
                    let rates = sweep::rates(found.rate.unwrap_or(0.0), steps.get());
                    *rest = rates.iter().map(|rate| at_level(asked, *rate)).collect();
                    rest.reverse();
                } else if found.is_saturated {
                    rest.clear();
                }
            }
            Self::Search {
                search,
                n_done,
                level,
            } => {
                *n_done += 1;
                let verdict = if found.is_saturated {
                    Verdict::Missed
                } else {
                    let counts = found.goals.iter();
                    Verdict::of(counts.map(|g| (g.n_within, g.n, g.goal.share)))
                };
                search.tell(*level, verdict);
            }
        }
    }
}

/// A stage of a sweep or search at that level.
fn at_level(asked: &Load, level: f64) -> Load {
    match asked {
        Load::Sweep {
            over: Over::Rate,
            arrival,
            ..
        }
        | Load::Search {
            over: Over::Rate,
            arrival,
            ..
        } => Load::Open {
            rate: level,
            arrival: *arrival,
            ramp: None,
            max_in_flight: None,
            when_full: WhenFull::Queue,
        },
        _ => Load::closed(whole_users(level)),
    }
}

fn closed(users: u32) -> Option<Load> {
    NonZeroU32::new(users).map(Load::closed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ArrivalProcess, Goal, GoalTally, StageEnd};

    fn plan(load: Load) -> Plan {
        let mut plan = Plan::simple("http://127.0.0.1:1");
        let stage = Stage {
            load,
            end: StageEnd::DurationSecs(10.0),
        };
        plan.stages.insert(0, stage);
        plan
    }

    fn users(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    /// The levels that are run when each finds what `find` says of it.
    fn run(plan: &Plan, find: impl Fn(&Load) -> Found) -> Vec<(Option<MadeBy>, f64)> {
        let mut course = Course::new(plan);
        let mut ran = Vec::new();
        let mut at = 0.0;
        while let Some(next) = course.next() {
            assert_eq!(course.next(), Some(next.clone()), "asking changes nothing");
            let begins = f64::from(next.at.asked.0) + next.at.span.0;
            assert!(
                begins >= at - 0.5 && next.at.span.0 < next.at.span.1,
                "{next:?}"
            );
            at = begins;
            ran.push((next.made, next.stage.load.level()));
            course.tell(&find(&next.stage.load));
            assert!(ran.len() < 100);
        }
        ran
    }

    #[test]
    fn a_sweep_climbs_to_120_percent_of_what_the_server_does() {
        let sweep = Load::Sweep {
            over: Over::Rate,
            steps: users(4),
            max_users: users(64),
            arrival: ArrivalProcess::Constant,
        };
        let plan = plan(sweep);
        let found = |is_saturated| Found {
            rate: Some(50.0),
            is_saturated,
            ..Found::default()
        };
        let step = Some(MadeBy::Step);
        let ran = run(&plan, |_| found(false));
        assert_eq!(
            ran,
            [
                (Some(MadeBy::Throughput), 64.0),
                (step, 15.0),
                (step, 30.0),
                (step, 45.0),
                (step, 60.0),
                (None, 1.0)
            ]
        );
        let ran = run(&plan, |load| found((20.0..40.0).contains(&load.level())));
        assert_eq!(
            ran.last(),
            Some(&(None, 1.0)),
            "the plan's next stage is run"
        );
        assert_eq!(ran.len(), 4, "saturated at 30 the climb ends: {ran:?}");
        let dead = run(&plan, |_| Found::default());
        assert_eq!(dead, [(Some(MadeBy::Throughput), 64.0), (None, 1.0)]);
        let first = Course::new(&plan).next().unwrap();
        assert_eq!(first.stage.end, StageEnd::DurationSecs(10.0));
    }

    #[test]
    fn a_sweep_over_users_has_no_first_stage_of_its_own() {
        let sweep = Load::Sweep {
            over: Over::Users,
            steps: users(4),
            max_users: users(8),
            arrival: ArrivalProcess::Poisson,
        };
        let levels: Vec<f64> = run(&plan(sweep), |_| Found::default())
            .iter()
            .map(|r| r.1)
            .collect();
        assert_eq!(levels, [1.0, 2.0, 4.0, 8.0, 1.0]);
    }

    #[test]
    fn a_search_goes_by_its_goals() {
        let goal: Goal = "ttft.p95:100ms".parse().unwrap();
        let search = |over| Load::Search {
            over,
            from: 2.0,
            max: 64.0,
            arrival: ArrivalProcess::Poisson,
        };
        let find = |capacity: f64| {
            move |load: &Load| {
                let is_good = load.level() <= capacity;
                let mut result = GoalTally::new(&[goal]).results().remove(0);
                (result.n, result.n_within) = (200, if is_good { 200 } else { 100 });
                Found {
                    goals: vec![result],
                    ..Found::default()
                }
            }
        };
        let ran = run(&plan(search(Over::Rate)), find(20.0));
        let levels: Vec<f64> = ran.iter().map(|r| r.1).collect();
        assert_eq!(levels, [2.0, 4.0, 8.0, 16.0, 32.0, 24.0, 20.0, 22.0, 1.0]);
        assert!(ran[..8].iter().all(|r| r.0 == Some(MadeBy::Probe)));
        let ran = run(&plan(search(Over::Users)), find(5.0));
        let levels: Vec<f64> = ran.iter().map(|r| r.1).collect();
        assert_eq!(levels, [2.0, 4.0, 8.0, 6.0, 5.0, 1.0]);
        // A saturated probe is missed, whatever its first requests say.
        let ran = run(&plan(search(Over::Users)), |load| Found {
            is_saturated: load.level() > 4.0,
            ..find(1e9)(load)
        });
        let levels: Vec<f64> = ran.iter().map(|r| r.1).collect();
        assert_eq!(levels, [2.0, 4.0, 8.0, 6.0, 5.0, 1.0]);
    }
}
