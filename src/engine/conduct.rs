//! A plan from its first request to its last: cold probe, warm-up, stages and the pauses between them.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::domain::{
    ClosedMode, Cold, ColdHow, Connections, Load, Phase, Plan, Stage, StageBorder, StageIdx,
};

use super::arrivals::Quota;
use super::arrivals::ns_from_secs;
use super::closed::{Desk, Part, User, send_part};
use super::control::{Order, StopReason};
use super::driver::Driver;
use super::live::Place;

/// Connections that are opened at once before a stage: 512 in one go are 30 ms in everyone's p99 (performance.md).
pub const CONNECT_WAVE: usize = 256;

/// Runs a whole plan with the drivers that `make` gives each user.
///
/// Returns when the last request has ended. What stopped it early stands in the desk's control.
pub(super) async fn conduct<D: Driver>(
    plan: &Plan,
    desk: &Arc<Desk>,
    make: impl FnMut(u32) -> D + Send,
) {
    let max_ns = plan.limits.max_secs.map(ns_from_secs);
    let mut conductor = Conductor {
        plan,
        desk,
        make,
        users: Vec::new(),
        latest_ns: max_ns.map(|ns| desk.clock.now_ns().saturating_add(ns)),
        border: None,
    };
    conductor.cold(&plan.cold).await;
    for (i, stage) in plan.stages.iter().enumerate() {
        conductor.stage(StageIdx::from_index(i), stage).await;
    }
    for user in &mut conductor.users {
        user.driver.close();
    }
    desk.live.enter(Place::Over);
}

struct Conductor<'a, D, F> {
    plan: &'a Plan,
    desk: &'a Arc<Desk>,
    make: F,
    /// Of the stages; the cold probe has its own.
    users: Vec<User<D>>,
    /// From the plan's `max_secs`; time spent waiting for the person is added.
    latest_ns: Option<u64>,
    /// Of the stage that has begun.
    border: Option<StageBorder>,
}

impl<D: Driver, F: FnMut(u32) -> D + Send> Conductor<'_, D, F> {
    /// Cold requests one after another, each cycle on a connection of its own. They belong to the first stage.
    async fn cold(&mut self, cold: &Cold) {
        if cold.requests == 0 {
            return;
        }
        let stage = StageIdx(0);
        let mut users = vec![User {
            id: 0,
            driver: (self.make)(0),
        }];
        for cycle in 1..=cold.cycles.max(1) {
            self.make_cold(cold, cycle).await;
            if self.is_over() {
                break;
            }
            for user in &mut users {
                user.driver.close();
            }
            self.begin(stage);
            let n = u64::from(cold.requests);
            let part = Part {
                stage,
                phase: Phase::Cold,
                mode: ClosedMode::Steady,
                quota: Quota::Requests(n),
                latest_ns: self.latest_ns,
                around: (
                    n * u64::from(cycle - 1),
                    n * u64::from(cold.cycles.max(1) - cycle),
                ),
            };
            users = self.send(users, part).await;
        }
        for user in &mut users {
            user.driver.close();
        }
        if self.desk.control.is_stopping() {
            self.end();
        }
    }

    async fn make_cold(&mut self, cold: &Cold, cycle: u32) {
        let desk = self.desk;
        match cold.how {
            ColdHow::Nothing => {}
            ColdHow::Silence => self.pause(StageIdx(0), cold.silence_secs).await,
            ColdHow::Restarted => {
                let asked_ns = desk.clock.now_ns();
                // Before anybody sees the question: an answer may come at once.
                let restarts = desk.control.restarts();
                desk.live.enter(Place::AwaitingRestart {
                    cycle,
                    of: cold.cycles.max(1),
                });
                desk.control.await_restart(restarts).await;
                let waited_ns = desk.clock.now_ns() - asked_ns;
                self.latest_ns = self.latest_ns.map(|ns| ns.saturating_add(waited_ns));
            }
        }
    }

    async fn stage(&mut self, idx: StageIdx, stage: &Stage) {
        if self.is_over() {
            return;
        }
        if idx.index() > 0 {
            self.pause(idx, self.plan.pause_secs).await;
        }
        let Load::Closed { users, mode, .. } = stage.load else {
            return;
        };
        self.seat(users.get());
        if self.plan.target.connections == Connections::Keep {
            self.connect().await;
        }
        if self.is_over() {
            self.end();
            return;
        }
        self.begin(idx);
        if idx.index() == 0
            && let Some(quota) = Quota::of_warmup(self.plan.warmup)
        {
            self.send_users(idx, Phase::Warmup, mode, quota).await;
        }
        if !self.is_over() {
            let quota = Quota::of_stage(stage);
            self.send_users(idx, Phase::Measure, mode, quota).await;
        }
        self.end();
    }

    async fn send_users(&mut self, stage: StageIdx, phase: Phase, mode: ClosedMode, quota: Quota) {
        let part = Part {
            stage,
            phase,
            mode,
            quota,
            latest_ns: self.latest_ns,
            around: (0, 0),
        };
        let users = std::mem::take(&mut self.users);
        self.users = self.send(users, part).await;
    }

    async fn send(&self, users: Vec<User<D>>, part: Part) -> Vec<User<D>> {
        let (users, is_cut_short) = send_part(users, part, self.desk).await;
        if is_cut_short {
            self.time_is_up();
        }
        users
    }

    /// As many users as the stage has; those of the stage before keep their connections.
    fn seat(&mut self, n: u32) {
        for mut user in self.users.drain((n as usize).min(self.users.len())..) {
            user.driver.close();
        }
        for id in u32::try_from(self.users.len()).unwrap_or(n)..n {
            let driver = (self.make)(id);
            self.users.push(User { id, driver });
        }
    }

    /// Opens every user's connection. One that fails to open is met again by the user's first request, which records it.
    async fn connect(&mut self) {
        self.desk.live.enter(Place::Connecting);
        for wave in self.users.chunks_mut(CONNECT_WAVE) {
            let opened = join_all(wave.iter_mut().map(|user| user.driver.connect()));
            tokio::select! {
                _ = opened => {}
                () = self.desk.control.reached(Order::Stop) => return,
            }
        }
    }

    async fn pause(&self, stage: StageIdx, secs: f64) {
        let desk = self.desk;
        let now_ns = desk.clock.now_ns();
        let until_ns = now_ns.saturating_add(ns_from_secs(secs));
        let until_ns = self.latest_ns.map_or(until_ns, |ns| until_ns.min(ns));
        if until_ns > now_ns {
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

    fn time_is_up(&self) {
        let secs = self.plan.limits.max_secs.unwrap_or_default();
        let why = format!("The limit of {secs} s for the whole run was reached");
        self.desk.control.stop(StopReason::Limit(why));
    }

    fn begin(&mut self, stage: StageIdx) {
        if self.border.is_none() {
            let border = StageBorder {
                stage,
                start_ns: self.desk.clock.now_ns(),
                end_ns: None,
                stopped: None,
                made: None,
            };
            self.desk.outbox.border(border.clone());
            self.border = Some(border);
        }
    }

    /// Closes the stage that has begun, if one has.
    fn end(&mut self) {
        if let Some(mut border) = self.border.take() {
            border.end_ns = Some(self.desk.clock.now_ns());
            let reason = self.desk.control.reason();
            border.stopped = reason.map(|r| r.text().to_owned());
            self.desk.outbox.border(border);
        }
    }
}
