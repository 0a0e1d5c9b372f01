//! One phase of one stage under way: what its users' tasks share, and how each request is sent.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::time::sleep_until;

use crate::domain::{
    Failure, FailureKind, GoalResult, GoalTally, Outcome, OutcomeKind, Phase, Prompt,
    RequestRecord, StageIdx,
};

use super::arrivals::{Gate, Quota};
use super::control::{Order, StopReason};
use super::desk::{Desk, Talk, Topic, User};
use super::driver::{Driver, Job, Performed};
use super::held::Held;
use super::live::{At, Place, Sending};
use super::saturation::Saturation;

/// One phase of one stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// As run.
    pub(super) stage: StageIdx,
    pub(super) phase: Phase,
    pub(super) quota: Quota,
    /// The run's own end: nothing is sent from here on.
    pub(super) latest_ns: Option<u64>,
    /// Requests of the phase that were sent before, in earlier cycles of a cold probe, and those still to come after.
    pub(super) around: (u64, u64),
    pub(super) at: At,
}

/// Why a request is not waited for any longer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum GiveUp {
    /// The grace time is over.
    CutOff,
    /// The person aborted.
    Cancelled,
}

impl GiveUp {
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::CutOff => Outcome::CutOff,
            Self::Cancelled => Outcome::Cancelled,
        }
    }
}

/// Tells all requests of a stage, those of its earlier parts too, that they are not waited for.
pub(super) type GivingUp = watch::Sender<Option<GiveUp>>;

/// When a request was planned for, and when it was let go.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct When {
    pub(super) due_ns: Option<u64>,
    pub(super) released_ns: Option<u64>,
    pub(super) from_due: bool,
}

/// A part under way, shared by its users' tasks.
pub(super) struct Running {
    pub(super) part: Part,
    n_users: u32,
    pub(super) began_ns: u64,
    pub(super) gate: Gate,
    pub(super) desk: Arc<Desk>,
    pub(super) give_up: Arc<GivingUp>,
    /// The gate was closed before its time: nobody waits for it any more.
    halted: watch::Sender<bool>,
    held: Held,
    score: Arc<Mutex<Score>>,
    saturation: Option<Mutex<Saturation>>,
}

/// What a sweep or a search asks of a stage's Measure.
#[derive(Debug)]
pub(super) struct Score {
    goals: GoalTally,
    n_ok: u64,
    window: Option<(u64, u64)>,
}

impl Score {
    pub(super) fn new(desk: &Desk) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            goals: GoalTally::new(&desk.goals),
            n_ok: 0,
            window: None,
        }))
    }

    fn push(&mut self, record: &RequestRecord) {
        self.goals.push(record);
        let kind = record.outcome.kind();
        if record.phase != Phase::Measure || !matches!(kind, OutcomeKind::Ok | OutcomeKind::Failed)
        {
            return;
        }
        self.n_ok += u64::from(kind == OutcomeKind::Ok);
        let (from, to) = (record.start_ns(), record.end_ns);
        let window = self
            .window
            .map_or((from, to), |(a, b)| (a.min(from), b.max(to)));
        self.window = Some(window);
    }

    /// Successful requests per second.
    pub(super) fn rate(&self) -> Option<f64> {
        let (from, to) = self.window.filter(|(from, to)| to > from)?;
        Some(self.n_ok as f64 / ((to - from) as f64 / 1e9))
    }

    pub(super) fn goals(&self) -> Vec<GoalResult> {
        self.goals.results()
    }
}

impl Running {
    /// A part that begins now, with `n_users` where its quota is one for each.
    pub(super) fn begin(
        part: Part,
        n_users: usize,
        watches_saturation: bool,
        desk: &Arc<Desk>,
        give_up: &Arc<GivingUp>,
        score: &Arc<Mutex<Score>>,
    ) -> Arc<Self> {
        let began_ns = desk.clock.now_ns();
        let gate = Gate::new(part.quota, began_ns, part.latest_ns);
        desk.live.enter(Place::Sending(Sending {
            stage: part.stage,
            at: part.at,
            phase: part.phase,
            began_ns,
            before: part.around.0,
            of: part
                .quota
                .n_requests(n_users)
                .map(|n| n + part.around.0 + part.around.1),
            until_ns: gate.until_ns(),
        }));
        Arc::new(Self {
            part,
            n_users: u32::try_from(n_users).unwrap_or(u32::MAX),
            began_ns,
            gate,
            desk: Arc::clone(desk),
            give_up: Arc::clone(give_up),
            halted: watch::Sender::new(false),
            held: Held::default(),
            score: Arc::clone(score),
            saturation: watches_saturation.then(|| Mutex::new(Saturation::new(began_ns))),
        })
    }

    /// Conversations are for Measure: what comes before it asks single prompts.
    pub(super) fn new_topic(&self) -> Topic {
        match self.part.phase {
            Phase::Measure | Phase::Drain => self.desk.new_topic(),
            Phase::Cold | Phase::Warmup => Topic::Single,
        }
    }

    /// Takes the permission to send, if there is one.
    pub(super) fn may_send(&self, sent: u64) -> bool {
        !self.desk.control.is_stopping() && self.gate.pass(sent, self.desk.clock.now_ns())
    }

    /// Its time is over, or all that it may send has been let go: what is left of it is to wait. One that was halted is
    /// not: it goes on as another part.
    pub(super) fn is_spent(&self) -> bool {
        let now_ns = self.desk.clock.now_ns();
        let rest = self.gate.rest(self.n_users, self.began_ns, now_ns);
        rest.is_none() && !*self.halted.borrow()
    }

    /// Lets no more through; users that wait for their time wait no longer.
    pub(super) fn halt(&self) {
        self.gate.close(self.desk.clock.now_ns());
        self.halted.send_replace(true);
    }

    /// Sleeps until then, or until the part's time is over, it is halted, or the run stops.
    pub(super) async fn sleep_until(&self, ns: u64) {
        let desk = &self.desk;
        let ns = self.gate.until_ns().map_or(ns, |until_ns| ns.min(until_ns));
        if ns <= desk.clock.now_ns() {
            return;
        }
        let mut halted = self.halted.subscribe();
        tokio::select! {
            () = desk.control.sleep_until(desk.clock.instant_from_ns(ns)) => {}
            _ = halted.wait_for(|is_so| *is_so) => {}
        }
    }

    /// What to say when the stage is saturated; to be asked about once a second.
    pub(super) fn look_for_saturation(&self) -> Option<String> {
        let saturation = self.saturation.as_ref()?;
        saturation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .look()
    }

    pub(super) fn watches_saturation(&self) -> bool {
        self.saturation.is_some()
    }

    /// Tells the recorder what the engine itself counted. `n_asked` as [`Held::in_flight`] has it.
    pub(super) fn tell_in_flight(&self, n_asked: Option<u32>, is_steady: bool) {
        if self.part.phase == Phase::Measure {
            let now_ns = self.desk.clock.now_ns();
            let stage = self.part.stage;
            let seen = self.held.in_flight(stage, n_asked, is_steady, now_ns);
            self.desk.outbox.in_flight(seen);
        }
    }

    /// Sends one request; the conversation it belongs to, where that goes on.
    pub(super) async fn send<D: Driver>(
        &self,
        user: &mut User<D>,
        when: When,
        topic: Topic,
        give_up: &mut watch::Receiver<Option<GiveUp>>,
    ) -> Option<Talk> {
        let desk = &*self.desk;
        let job = self.job(user.id, when, &topic);
        desk.live.began(user.id, job.dispatched_ns);
        let in_flight = self.held.began(user.id, job.dispatched_ns);
        if let Some(saturation) = &self.saturation {
            let mut saturation = saturation.lock().unwrap_or_else(PoisonError::into_inner);
            saturation.sent(job.dispatched_ns, in_flight);
        }
        let mut performed = perform(&mut user.driver, &job, desk, give_up).await;
        let now_ns = desk.clock.now_ns();
        desk.live.ended(user.id);
        performed.record.phase = self.phase_of(&performed);
        performed.record.cached_tokens = performed.hints.cached_tokens;
        self.held.ended(&performed.record, now_ns);
        self.note(&performed.record);
        let talk = desk.goes_on(topic, &job.prompt, &performed);
        desk.outbox.ended(performed, job.prompt);
        talk
    }

    /// Records a request that was not sent: dropped, or not waited for any longer before its turn came.
    pub(super) fn skip(&self, when: When, topic: &Topic, outcome: Outcome) {
        // What is not sent is not written.
        let job = self.job_of(0, when, topic, Prompt::default());
        let record = job.record(outcome, job.dispatched_ns);
        self.note(&record);
        self.desk.outbox.ended(record.into(), job.prompt);
    }

    fn job(&self, user: u32, when: When, topic: &Topic) -> Job {
        let seq = self.desk.next_seq.load(Relaxed);
        let prompt = self.desk.prompt(seq, self.part.phase, topic);
        self.job_of(user, when, topic, prompt)
    }

    fn job_of(&self, user: u32, when: When, topic: &Topic, prompt: Prompt) -> Job {
        let conversation = match topic {
            Topic::Talk(talk) => Some((talk.id, talk.turn)),
            Topic::Single | Topic::Row(..) => None,
        };
        Job {
            stage: self.part.stage,
            phase: self.part.phase,
            seq: self.desk.next_seq.fetch_add(1, Relaxed),
            user,
            due_ns: when.due_ns,
            released_ns: when.released_ns,
            from_due: when.from_due,
            dispatched_ns: self.desk.clock.now_ns(),
            conversation,
            prompt,
        }
    }

    /// Counts what became of a request.
    fn note(&self, record: &RequestRecord) {
        if let Some(saturation) = &self.saturation
            && record.outcome.is_ok()
        {
            let mut saturation = saturation.lock().unwrap_or_else(PoisonError::into_inner);
            saturation.ended(record.start_ns(), record.first_token_ns, record.end_ns);
        }
        let mut score = self.score.lock().unwrap_or_else(PoisonError::into_inner);
        score.push(record);
        drop(score);
        let mut guard = self
            .desk
            .guard
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = guard.ended(record) {
            self.desk.control.stop(StopReason::Limit(why));
        }
    }

    /// A Measure request that ended after the time of a phase that ends by time belongs to Drain, and so does one that
    /// went on when its stage was changed. One that was cut off did not end: it stays in Measure, where it is counted.
    fn phase_of(&self, performed: &Performed) -> Phase {
        let record = &performed.record;
        let late = self.gate.until_ns().is_some_and(|t| record.end_ns > t);
        if late && self.part.phase == Phase::Measure && record.outcome != Outcome::CutOff {
            Phase::Drain
        } else {
            self.part.phase
        }
    }

    /// When requests that still run are cut off.
    pub(super) fn cut_ns(&self) -> Option<u64> {
        let until_ns = self.gate.until_ns()?;
        Some(until_ns.saturating_add(self.desk.grace_ns))
    }

    /// Returns when the person aborts.
    pub(super) async fn aborted(&self) {
        self.desk.control.reached(Order::Abort).await;
    }

    pub(super) async fn sleep_until_cut(&self, cut_ns: Option<u64>) {
        sleep_until(self.desk.clock.instant_from_ns(cut_ns.unwrap_or(0))).await;
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
            why = give_up.wait_for(Option::is_some) => {
                let why = why.ok().and_then(|why| *why);
                why.unwrap_or(GiveUp::Cancelled).outcome()
            }
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
