//! The closed executor: a fixed number of users, each with one request in flight at most.
//!
//! Everything runs on one current-thread runtime, so that a request's path takes no lock that anyone waits for.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::domain::{ClosedMode, Failure, FailureKind, Outcome, Phase, Prompt, StageIdx};

use super::arrivals::{Gate, Quota, wave_jitter_ms};
use super::control::{Control, Order, StopReason};
use super::driver::{Driver, Job, Performed};
use super::guard::Guard;
use super::held::Held;
use super::live::{Live, Place, Sending};
use super::outbox::Outbox;
use crate::transport::Clock;

/// Makes the prompt of the request with that position in the run.
pub(super) type Prompts = Box<dyn Fn(u64, Phase) -> Prompt + Send + Sync>;

/// What all users of a run share.
pub(super) struct Desk {
    pub(super) clock: Clock,
    pub(super) seed: u64,
    pub(super) grace_ns: u64,
    pub(super) prompts: Prompts,
    pub(super) live: Arc<Live>,
    pub(super) control: Arc<Control>,
    pub(super) guard: Mutex<Guard>,
    pub(super) outbox: Outbox,
    pub(super) next_seq: AtomicU64,
}

/// A sender: its driver moves into a task for each round and comes back.
pub(super) struct User<D> {
    pub(super) id: u32,
    pub(super) driver: D,
}

/// One phase of one stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) stage: StageIdx,
    pub(super) phase: Phase,
    pub(super) mode: ClosedMode,
    pub(super) quota: Quota,
    /// The run's own end: nothing is sent from here on.
    pub(super) latest_ns: Option<u64>,
    /// Requests of the phase that were sent before, in earlier cycles of a cold probe, and those still to come after.
    pub(super) around: (u64, u64),
}

/// Why a request is not waited for any longer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum GiveUp {
    /// The grace time is over.
    CutOff,
    /// The person aborted.
    Cancelled,
}

/// A part under way, shared by its users' tasks.
struct Running {
    part: Part,
    gate: Gate,
    desk: Arc<Desk>,
    give_up: watch::Sender<Option<GiveUp>>,
    held: Held,
}

/// Sends one phase with these users and gives them back, in their order, when its last request has ended. The flag says
/// that the run's own end came before the phase had sent all of it.
pub(super) async fn send_part<D: Driver>(
    mut users: Vec<User<D>>,
    part: Part,
    desk: &Arc<Desk>,
) -> (Vec<User<D>>, bool) {
    let began_ns = desk.clock.now_ns();
    let running = Arc::new(Running {
        part,
        gate: Gate::new(part.quota, began_ns, part.latest_ns),
        desk: Arc::clone(desk),
        give_up: watch::Sender::new(None),
        held: Held::new(users.len()),
    });
    desk.live.enter(Place::Sending(Sending {
        stage: part.stage,
        phase: part.phase,
        began_ns,
        before: part.around.0,
        of: part
            .quota
            .n_requests(users.len())
            .map(|n| n + part.around.0 + part.around.1),
        until_ns: running.gate.until_ns(),
    }));
    if part.mode == ClosedMode::Steady {
        let mut tasks = JoinSet::new();
        for user in users.drain(..) {
            tasks.spawn(go_on(user, Arc::clone(&running)));
        }
        users = running.join(tasks).await;
    } else {
        users = running.rounds(users).await;
    }
    if part.phase == Phase::Measure {
        let is_steady = part.mode == ClosedMode::Steady;
        let in_flight = running.held.in_flight(part.stage, is_steady, &desk.live);
        desk.outbox.in_flight(in_flight);
    }
    (users, running.gate.is_cut_short())
}

/// A steady user: the next request as soon as the last one has ended.
async fn go_on<D: Driver>(mut user: User<D>, running: Arc<Running>) -> User<D> {
    let mut give_up = running.give_up.subscribe();
    let mut sent = 0;
    while running.may_send(sent) {
        running.send(&mut user, None, &mut give_up).await;
        sent += 1;
        // A request that never had to wait must not keep the other users from their turn.
        tokio::task::coop::consume_budget().await;
    }
    user
}

/// One user's request of a burst's or wave's round.
async fn take_turn<D: Driver>(
    mut user: User<D>,
    round: u64,
    due_ns: u64,
    running: Arc<Running>,
) -> User<D> {
    let mut give_up = running.give_up.subscribe();
    let desk = &running.desk;
    if due_ns > desk.clock.now_ns() {
        desk.control
            .sleep_until(desk.clock.instant_from_ns(due_ns))
            .await;
    }
    if running.may_send(round) {
        running.send(&mut user, Some(due_ns), &mut give_up).await;
    }
    user
}

impl Running {
    /// Burst and wave: round after round.
    async fn rounds<D: Driver>(self: &Arc<Self>, mut users: Vec<User<D>>) -> Vec<User<D>> {
        for round in 0.. {
            let release_ns = self.desk.clock.now_ns();
            let n = self.gate.round(users.len(), round, release_ns);
            if n == 0 || self.desk.control.is_stopping() {
                break;
            }
            let idle = users.split_off(n);
            let mut tasks = JoinSet::new();
            for user in users.drain(..) {
                let due_ns = release_ns + self.jitter_ns(round, user.id);
                tasks.spawn(take_turn(user, round, due_ns, Arc::clone(self)));
            }
            users = self.join(tasks).await;
            users.extend(idle);
        }
        users
    }

    /// Takes the permission to send, if there is one.
    fn may_send(&self, sent: u64) -> bool {
        !self.desk.control.is_stopping() && self.gate.pass(sent, self.desk.clock.now_ns())
    }

    fn jitter_ns(&self, round: u64, user: u32) -> u64 {
        match self.part.mode {
            ClosedMode::Wave => {
                wave_jitter_ms(self.desk.seed, self.part.stage.0, round, user) * 1_000_000
            }
            ClosedMode::Steady | ClosedMode::Burst => 0,
        }
    }

    async fn send<D: Driver>(
        &self,
        user: &mut User<D>,
        due_ns: Option<u64>,
        give_up: &mut watch::Receiver<Option<GiveUp>>,
    ) {
        let desk = &*self.desk;
        let seq = desk.next_seq.fetch_add(1, Relaxed);
        let prompt = (desk.prompts)(seq, self.part.phase);
        let job = Job {
            stage: self.part.stage,
            phase: self.part.phase,
            seq,
            user: user.id,
            due_ns,
            dispatched_ns: desk.clock.now_ns(),
            prompt,
        };
        desk.live.began(user.id, job.dispatched_ns);
        let mut performed = perform(&mut user.driver, &job, desk, give_up).await;
        let now_ns = desk.clock.now_ns();
        desk.live.ended(user.id, now_ns);
        performed.record.phase = self.phase_of(&performed);
        self.held.ended(&performed.record, now_ns);
        let why = desk
            .guard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ended(&performed.record);
        if let Some(why) = why {
            desk.control.stop(StopReason::Limit(why));
        }
        desk.outbox.ended(performed, job.prompt);
    }

    /// A Measure request that ended after the time of a phase that ends by time belongs to Drain. One that was cut off
    /// did not end: it stays in Measure, where it is counted.
    fn phase_of(&self, performed: &Performed) -> Phase {
        let record = &performed.record;
        let late = self.gate.until_ns().is_some_and(|t| record.end_ns > t);
        if late && self.part.phase == Phase::Measure && record.outcome != Outcome::CutOff {
            Phase::Drain
        } else {
            self.part.phase
        }
    }

    /// Waits for the users of a round. Cuts them off when their grace time is over, gives them up when the run is aborted.
    async fn join<D: Driver>(&self, mut tasks: JoinSet<User<D>>) -> Vec<User<D>> {
        let desk = &*self.desk;
        let mut users = Vec::with_capacity(tasks.len());
        let cut_ns = self
            .gate
            .until_ns()
            .map(|t| t.saturating_add(desk.grace_ns));
        let cut_at = desk.clock.instant_from_ns(cut_ns.unwrap_or(0));
        let mut given_up = false;
        loop {
            tokio::select! {
                biased;
                joined = tasks.join_next() => match joined {
                    None => break,
                    Some(Ok(user)) => users.push(user),
                    Some(Err(error)) => desk.control.stop(StopReason::Limit(format!(
                        "A user's task broke, which is a fault of this program: {error}"
                    ))),
                },
                () = desk.control.reached(Order::Abort), if !given_up => {
                    self.give_up.send_replace(Some(GiveUp::Cancelled));
                    given_up = true;
                }
                () = sleep_until(cut_at), if cut_ns.is_some() && !given_up => {
                    self.give_up.send_replace(Some(GiveUp::CutOff));
                    given_up = true;
                }
            }
        }
        users.sort_unstable_by_key(|user| user.id);
        users
    }
}

/// Performs one request. Whatever happens in it, a panic included, it ends with a record.
async fn perform<D: Driver>(
    driver: &mut D,
    job: &Job,
    desk: &Desk,
    give_up: &mut watch::Receiver<Option<GiveUp>>,
) -> Performed {
    let outcome = {
        let work = AssertUnwindSafe(driver.perform(job, &desk.live)).catch_unwind();
        tokio::select! {
            biased;
            done = work => match done {
                Ok(performed) => return performed,
                Err(panic) => {
                    driver.close();
                    return broke(job, desk, &*panic);
                }
            },
            why = give_up.wait_for(Option::is_some) => match why.as_deref() {
                Ok(Some(GiveUp::CutOff)) => Outcome::CutOff,
                _ => Outcome::Cancelled,
            },
        }
    };
    let known = AssertUnwindSafe(driver.give_up(job, outcome)).catch_unwind();
    match known.await {
        Ok(performed) => performed,
        Err(panic) => broke(job, desk, &*panic),
    }
}

/// The record of a request whose task panicked.
fn broke(job: &Job, desk: &Desk, panic: &(dyn Any + Send)) -> Performed {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let failure = Failure::new(
        FailureKind::Client,
        format!("A fault of this program ended the request: {said}"),
    );
    job.record(Outcome::Failed(failure), desk.clock.now_ns())
        .into()
}
