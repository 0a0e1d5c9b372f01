//! A plan from its first request to its last: cold probe, warm-up, stages and the pauses between them.

use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{
    CHANGED, ClosedMode, Cold, ColdHow, Connections, MAX_STAGES_AS_RUN, Made, MadeBy, Outcome,
    PAUSED, Phase, Plan, Stage, StageBorder, StageIdx,
};

use super::arrivals::{Quota, ns_from_secs};
use super::closed::{self, Closed};
use super::control::StopReason;
use super::course::{Course, Found, Next};
use super::crew::{Crew, Left};
use super::desk::Desk;
use super::driver::Driver;
use super::live::{At, Place};
use super::open::{self, Lobby};
use super::running::{Part, Running, Score};
use super::shape::{self, Sent, Shape, Spot};

/// Runs a whole plan with the drivers that `make` gives each user.
///
/// Returns when the last request has ended. What stopped it early stands in the desk's control.
pub(super) async fn conduct<D: Driver>(
    plan: &Plan,
    desk: &Arc<Desk>,
    make: impl FnMut(u32) -> D + Send + 'static,
) {
    let max_ns = plan.limits.max_secs.map(ns_from_secs);
    let mut conductor = Conductor {
        plan,
        desk,
        crew: Crew::new(make),
        latest_ns: max_ns.map(|ns| desk.clock.now_ns().saturating_add(ns)),
        border: None,
        idx: StageIdx(0),
    };
    conductor.run().await;
    conductor.crew.close();
    desk.live.enter(Place::Over);
}

struct Conductor<'a, D> {
    plan: &'a Plan,
    desk: &'a Arc<Desk>,
    crew: Crew<D>,
    /// From the plan's `max_secs`; time spent waiting for the person is added.
    latest_ns: Option<u64>,
    /// Of the stage that has begun.
    border: Option<StageBorder>,
    /// The stage under way, as run.
    idx: StageIdx,
}

/// A stage under way, with what its parts share.
struct Step {
    of: StageIdx,
    stage: Stage,
    at: At,
    lobby: Arc<Lobby>,
    score: Arc<Mutex<Score>>,
    is_saturated: bool,
    /// The person chose its load: what comes of it answers no sweep and no search.
    is_by_hand: bool,
    /// Of a replay.
    sent: Sent,
}

impl<D: Driver> Conductor<'_, D> {
    async fn run(&mut self) {
        let mut course = Course::new(self.plan);
        let mut next = course.next();
        if let Some(first) = &next {
            self.cold(&self.plan.cold, first).await;
        }
        while let Some(stage) = next {
            let Some(found) = self.stage(stage).await else {
                break;
            };
            course.tell(&found);
            next = course
                .next()
                .filter(|_| self.idx.index() + 1 < MAX_STAGES_AS_RUN);
            self.idx = StageIdx::from_index(self.idx.index() + 1);
        }
        self.crew.gather(&self.desk.control).await;
    }

    /// Cold requests one after another, each cycle on a connection of its own. They belong to the first stage.
    async fn cold(&mut self, cold: &Cold, first: &Next) {
        if cold.requests == 0 {
            return;
        }
        self.crew.seat(1);
        for cycle in 1..=cold.cycles.max(1) {
            self.make_cold(cold, cycle).await;
            if self.is_over() {
                break;
            }
            self.crew.close();
            self.begin(made(first, &first.stage));
            let n = u64::from(cold.requests);
            let part = Part {
                stage: self.idx,
                phase: Phase::Cold,
                quota: Quota::Requests(n),
                latest_ns: self.latest_ns,
                around: (
                    n * u64::from(cycle - 1),
                    n * u64::from(cold.cycles.max(1) - cycle),
                ),
                at: first.at,
            };
            let score = Score::new(self.desk);
            let running = Running::begin(part, 1, false, self.desk, &self.crew.give_up, &score);
            closed::send_part(&mut self.crew, &running, &Closed::steady(1)).await;
            self.look_at_time(&running);
        }
        self.crew.close();
        if self.desk.control.is_stopping() {
            self.end(None);
        }
    }

    async fn make_cold(&mut self, cold: &Cold, cycle: u32) {
        let desk = self.desk;
        match cold.how {
            ColdHow::Nothing => {}
            ColdHow::Silence => self.pause(cold.silence_secs).await,
            ColdHow::Restarted => {
                let asked_ns = desk.clock.now_ns();
                // Before anybody sees the question: an answer may come at once.
                let restarts = desk.control.restarts();
                desk.live.enter(Place::AwaitingRestart {
                    cycle,
                    of: cold.cycles.max(1),
                });
                desk.control.await_restart(restarts).await;
                self.add_time(asked_ns);
            }
        }
    }

    /// Time since `from_ns` was the person's: the run's own does not count it.
    fn add_time(&mut self, from_ns: u64) {
        let waited_ns = self.desk.clock.now_ns().saturating_sub(from_ns);
        self.latest_ns = self.latest_ns.map(|ns| ns.saturating_add(waited_ns));
    }

    /// Runs a stage with all that the person makes of it; `None` when the run is over.
    async fn stage(&mut self, next: Next) -> Option<Found> {
        if self.is_over() {
            return None;
        }
        if self.idx.index() > 0 {
            self.pause(self.plan.pause_secs).await;
        }
        let is_first = self.idx.index() == 0;
        let mut shape = self.shape(&next.stage, next.at.asked, Sent::default());
        self.crew.gather(&self.desk.control).await;
        self.crew.begin();
        self.crew.seat(shape.n_seats(self.crew.idle.len()));
        if self.plan.target.connections == Connections::Keep {
            self.crew.connect(self.desk).await;
        }
        if self.is_over() {
            self.end(None);
            return None;
        }
        // A level that was asked for while the last stage's requests ended was meant for that one.
        self.desk.control.take_level();
        self.begin(made(&next, &next.stage));
        let mut step = Step {
            of: next.at.asked,
            stage: next.stage,
            at: next.at,
            lobby: Arc::default(),
            score: Score::new(self.desk),
            is_saturated: false,
            is_by_hand: false,
            sent: Sent::default(),
        };
        if is_first && let Some(quota) = Quota::of_warmup(self.plan.warmup) {
            self.warm_up(&step, &shape, quota).await;
        }
        let found = Arc::clone(&step.score);
        while !self.is_over() {
            let Some(rest) = self.measure(&mut step, &shape).await else {
                break;
            };
            if !self.change(&mut step, rest).await {
                break;
            }
            shape = self.shape(&step.stage, step.of, step.sent);
            self.crew.seat(shape.n_seats(self.crew.len()));
        }
        // What still waits for a sender is recorded, whatever ended the stage.
        step.lobby.send_home(&Outcome::Cancelled);
        self.end(None);
        let found = found.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Found {
            rate: found.rate(),
            goals: found.goals(),
            is_saturated: step.is_saturated,
        })
    }

    async fn warm_up(&mut self, step: &Step, shape: &Shape, quota: Quota) {
        let score = Score::new(self.desk);
        let part = self.part(Phase::Warmup, quota, step.at);
        let n_users = shape.n_users();
        let running = Running::begin(part, n_users, false, self.desk, &self.crew.give_up, &score);
        match shape {
            Shape::Closed(closed) => {
                let closed = Closed {
                    hears: false,
                    shifts: Vec::new(),
                    ..closed.clone()
                };
                closed::send_part(&mut self.crew, &running, &closed).await;
            }
            Shape::Open(of) => {
                let prelude = of.prelude(quota, shape::prelude_seed(self.plan.seed));
                open::send_part(&mut self.crew, &running, &prelude, &step.lobby).await;
            }
        }
        self.look_at_time(&running);
        // What was given up was the warm-up. An open one's requests are still out, and Measure's grace is theirs, too.
        if self.crew.out.is_empty() {
            self.crew.begin();
        }
    }

    fn part(&self, phase: Phase, quota: Quota, at: At) -> Part {
        Part {
            stage: self.idx,
            phase,
            quota,
            latest_ns: self.latest_ns,
            around: (0, 0),
            at,
        }
    }

    /// Sends a stage's Measure; what is left of it, when the person wants it otherwise.
    async fn measure(&mut self, step: &mut Step, shape: &Shape) -> Option<Quota> {
        let quota = shape.quota(&step.stage);
        let part = self.part(Phase::Measure, quota, step.at);
        let watches = self.desk.stops_saturated && shape.may_saturate();
        let n_users = shape.n_users();
        let give_up = &self.crew.give_up;
        let running = Running::begin(part, n_users, watches, self.desk, give_up, &step.score);
        let left = match shape {
            Shape::Closed(closed) => closed::send_part(&mut self.crew, &running, closed).await,
            Shape::Open(of) => {
                open::send_part(&mut self.crew, &running, &of.open, &step.lobby).await
            }
        };
        self.look_at_time(&running);
        match left {
            Left::Done => None,
            Left::Saturated(why) => {
                step.is_saturated = !step.is_by_hand;
                self.end(Some(why));
                None
            }
            Left::Asked => {
                let now_ns = self.desk.clock.now_ns();
                let n_users = u32::try_from(n_users).unwrap_or(u32::MAX);
                let rest = running.gate.rest(n_users, running.began_ns, now_ns);
                let share = share_done(&running, n_users, now_ns);
                step.stage.load = {
                    let of_requests = !matches!(running.part.quota, Quota::ForNs(_));
                    shape::resumed(&step.stage.load, share, of_requests)
                };
                step.sent.rows += usize::try_from(running.gate.n_taken()).unwrap_or(usize::MAX);
                step.sent.ns += now_ns - running.began_ns;
                let (from, to) = step.at.span;
                step.at.span = (from + (to - from) * share, to);
                rest
            }
        }
    }

    /// Does what the person asks of a stage under way and begins its rest as a stage of its own; whether there is one.
    async fn change(&mut self, step: &mut Step, rest: Quota) -> bool {
        let control = &self.desk.control;
        let mut why = MadeBy::Changed;
        if control.is_paused() {
            why = MadeBy::Resumed;
            let paused_ns = self.desk.clock.now_ns();
            self.end(Some(PAUSED.to_owned()));
            self.desk.live.enter(Place::Paused {
                stage: self.idx,
                at: step.at,
            });
            control.resumed().await;
            self.add_time(paused_ns);
            let paused_ns = self.desk.clock.now_ns().saturating_sub(paused_ns);
            step.lobby.was_paused(paused_ns);
        }
        if let Some(level) = control.take_level() {
            why = MadeBy::Changed;
            step.stage.load = step.stage.load.at_level(level);
            let label = step.stage.load.label();
            self.end(Some(format!("{CHANGED} to {label}")));
            // What a search asks of one load is not to be answered by another.
            step.score = Score::new(self.desk);
            step.is_by_hand = true;
        }
        if self.is_over() {
            return false;
        }
        step.stage.end = rest.as_end();
        self.idx = StageIdx::from_index(self.idx.index() + 1);
        self.begin(Some(Made {
            why,
            of: step.of,
            stage: step.stage.clone(),
        }));
        true
    }

    fn shape(&self, stage: &Stage, asked: StageIdx, sent: Sent) -> Shape {
        let spot = Spot {
            as_run: self.idx,
            asked,
            sent,
        };
        let shape = shape::of(stage, self.plan.seed, spot, &*self.desk.prompts);
        if self.idx.index() + 1 < MAX_STAGES_AS_RUN {
            shape
        } else {
            shape.deaf()
        }
    }

    async fn pause(&self, secs: f64) {
        let desk = self.desk;
        let now_ns = desk.clock.now_ns();
        let until_ns = now_ns.saturating_add(ns_from_secs(secs));
        let until_ns = self.latest_ns.map_or(until_ns, |ns| until_ns.min(ns));
        if until_ns > now_ns {
            let stage = self.idx;
            desk.live.enter(Place::Pausing { stage, until_ns });
            let deadline = desk.clock.instant_from_ns(until_ns);
            desk.control.sleep_until(deadline).await;
        }
    }

    /// Whether nothing more is to be sent; notices when the run's own time is up.
    fn is_over(&self) -> bool {
        let desk = self.desk;
        if self.latest_ns.is_some_and(|ns| desk.clock.now_ns() >= ns) {
            self.time_is_up();
        }
        desk.control.is_stopping()
    }

    fn look_at_time(&self, running: &Running) {
        if running.gate.is_cut_short() {
            self.time_is_up();
        }
    }

    fn time_is_up(&self) {
        let secs = self.plan.limits.max_secs.unwrap_or_default();
        let why = format!("The limit of {secs} s for the whole run was reached");
        self.desk.control.stop(StopReason::Limit(why));
    }

    fn begin(&mut self, made: Option<Made>) {
        if self.border.is_none() {
            let border = StageBorder {
                stage: self.idx,
                start_ns: self.desk.clock.now_ns(),
                end_ns: None,
                stopped: None,
                made,
            };
            self.desk.outbox.border(border.clone());
            self.border = Some(border);
        }
    }

    /// Closes the stage that has begun, if one has. `why` it ended early, unless the run as a whole was stopped.
    fn end(&mut self, why: Option<String>) {
        if let Some(mut border) = self.border.take() {
            border.end_ns = Some(self.desk.clock.now_ns());
            let reason = self.desk.control.reason();
            border.stopped = reason.map(|r| r.text().to_owned()).or(why);
            self.desk.outbox.border(border);
        }
    }
}

/// What the border of a stage says of where it came from.
fn made(next: &Next, stage: &Stage) -> Option<Made> {
    let made = |why| Made {
        why,
        of: next.at.asked,
        stage: stage.clone(),
    };
    next.made.map(made)
}

/// The share of a part that is done, by time or by count.
fn share_done(running: &Running, n_users: u32, now_ns: u64) -> f64 {
    let quota = running.part.quota;
    let left = running.gate.rest(n_users, running.began_ns, now_ns);
    let share = match (quota, left) {
        (Quota::ForNs(all), Some(Quota::ForNs(left))) => 1.0 - left as f64 / all.max(1) as f64,
        (_, Some(Quota::Requests(left))) => {
            let all = quota.n_requests(n_users as usize).unwrap_or(left);
            1.0 - left as f64 / all.max(1) as f64
        }
        _ => 1.0,
    };
    share.clamp(0.0, 1.0)
}

impl Closed {
    /// That many users, each of which goes on at once.
    fn steady(n_users: u32) -> Self {
        Self {
            n_users,
            mode: ClosedMode::Steady,
            shifts: Vec::new(),
            hears: false,
        }
    }
}
