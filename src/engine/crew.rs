//! The senders of a run: hired before a stage, sent out as tasks, and taken back.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::control::{Control, Order, StopReason};
use super::desk::{Desk, User};
use super::driver::Driver;
use super::live::Place;
use super::running::{GiveUp, GivingUp, Running};
use super::saturation::LOOK_NS;

/// Connections that are opened at once before a stage: 512 in one go are 30 ms in everyone's p99 (performance.md).
pub const CONNECT_WAVE: usize = 256;

/// A user whose task is done. Which part it worked for is told by the part's stage and phase.
pub(super) struct Back<D> {
    pub(super) user: User<D>,
    /// The part that it has no more to do for.
    pub(super) of: Arc<Running>,
}

/// All users of a run, idle and out.
pub(super) struct Crew<D> {
    make: Box<dyn FnMut(u32) -> D + Send>,
    pub(super) idle: Vec<User<D>>,
    pub(super) out: JoinSet<Back<D>>,
    /// Whether each id is in use.
    ids: Vec<bool>,
    pub(super) give_up: Arc<GivingUp>,
}

/// Why an executor came back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Left {
    /// All was sent, and what had to be waited for has ended.
    Done,
    /// The person wants it otherwise; what is in flight is still out.
    Asked,
    Saturated(String),
}

/// What an executor waits for.
pub(super) enum Event<D> {
    Back(Back<D>),
    /// Nobody is out.
    Alone,
    Asked,
    Saturated(String),
    GaveUp,
}

impl<D: Driver> Crew<D> {
    pub(super) fn new(make: impl FnMut(u32) -> D + Send + 'static) -> Self {
        Self {
            make: Box::new(make),
            idle: Vec::new(),
            out: JoinSet::new(),
            ids: Vec::new(),
            give_up: Arc::new(watch::Sender::new(None)),
        }
    }

    /// For a new stage: nothing of it is given up yet. Nobody may be out.
    pub(super) fn begin(&mut self) {
        self.give_up = Arc::new(watch::Sender::new(None));
    }

    pub(super) fn len(&self) -> usize {
        self.idle.len() + self.out.len()
    }

    /// One more, with the least id that is free.
    pub(super) fn hire(&mut self) -> User<D> {
        let free = self.ids.iter().position(|used| !used);
        let at = free.unwrap_or(self.ids.len());
        match self.ids.get_mut(at) {
            Some(used) => *used = true,
            None => self.ids.push(true),
        }
        let id = u32::try_from(at).unwrap_or(u32::MAX);
        User {
            id,
            driver: (self.make)(id),
            talk: None,
        }
    }

    pub(super) fn dismiss(&mut self, mut user: User<D>) {
        user.driver.close();
        if let Some(used) = self.ids.get_mut(user.id as usize) {
            *used = false;
        }
    }

    /// So many in all, as far as those that are out let it; the others keep their connections.
    pub(super) fn seat(&mut self, n: usize) {
        self.idle.sort_unstable_by_key(|user| user.id);
        while self.len() > n
            && let Some(user) = self.idle.pop()
        {
            self.dismiss(user);
        }
        while self.len() < n {
            let user = self.hire();
            self.idle.push(user);
        }
        self.idle.sort_unstable_by_key(|user| user.id);
    }

    /// Opens the connections of all that are idle. One that fails to open is met again by the user's first request, which
    /// records it.
    pub(super) async fn connect(&mut self, desk: &Desk) {
        desk.live.enter(Place::Connecting);
        for wave in self.idle.chunks_mut(CONNECT_WAVE) {
            let opened = join_all(wave.iter_mut().map(|user| user.driver.connect()));
            tokio::select! {
                _ = opened => {}
                () = desk.control.reached(Order::Stop) => return,
            }
        }
    }

    pub(super) fn close(&mut self) {
        for user in &mut self.idle {
            user.driver.close();
        }
    }

    /// Waits for all that are out, whatever they still have to do.
    pub(super) async fn gather(&mut self, control: &Control) {
        let mut given_up = self.give_up.borrow().is_some();
        loop {
            tokio::select! {
                biased;
                joined = self.out.join_next() => match joined {
                    None => return,
                    Some(joined) => {
                        if let Some(back) = whole(joined, control) {
                            self.idle.push(back.user);
                        }
                    }
                },
                () = control.reached(Order::Abort), if !given_up => {
                    self.give_up.send_replace(Some(GiveUp::Cancelled));
                    given_up = true;
                }
            }
        }
    }
}

/// A task that broke takes its user with it.
pub(super) fn whole<T>(joined: Result<T, tokio::task::JoinError>, control: &Control) -> Option<T> {
    match joined {
        Ok(back) => Some(back),
        Err(error) => {
            control.stop(StopReason::Limit(format!(
                "A user's task broke, which is a fault of this program: {error}"
            )));
            None
        }
    }
}

/// What is waited for besides the users: the end of the grace time, an abort, the person's wishes, saturation.
pub(super) struct Vigil<'a> {
    running: &'a Running,
    given_up: bool,
    /// The person's wishes are heard.
    hears: bool,
    next_look_ns: Option<u64>,
}

impl<'a> Vigil<'a> {
    pub(super) fn new(running: &'a Running, hears: bool) -> Self {
        let next_look_ns = running
            .watches_saturation()
            .then(|| running.began_ns + LOOK_NS);
        Self {
            running,
            given_up: running.give_up.borrow().is_some(),
            hears,
            next_look_ns,
        }
    }

    /// After the part was halted there is nothing to change any more.
    pub(super) fn is_halted(&mut self) {
        self.hears = false;
        self.next_look_ns = None;
    }

    /// The next thing to happen. May be dropped and called again.
    pub(super) async fn next<D: 'static>(&mut self, out: &mut JoinSet<Back<D>>) -> Event<D> {
        let running = self.running;
        let (desk, cut_ns) = (&*running.desk, running.cut_ns());
        loop {
            tokio::select! {
                biased;
                joined = out.join_next() => match joined {
                    None => return Event::Alone,
                    Some(joined) => if let Some(back) = whole(joined, &desk.control) {
                        return Event::Back(back);
                    },
                },
                () = running.aborted(), if !self.given_up => {
                    self.give_up(GiveUp::Cancelled);
                    return Event::GaveUp;
                }
                () = running.sleep_until_cut(cut_ns), if cut_ns.is_some() && !self.given_up => {
                    self.give_up(GiveUp::CutOff);
                    return Event::GaveUp;
                }
                () = desk.control.asked(), if self.hears => {
                    if !running.is_spent() {
                        return Event::Asked;
                    }
                    // Nothing is left to be sent otherwise, and what is out has its grace time.
                    self.hears = false;
                }
                () = sleep_until_look(desk, self.next_look_ns), if self.next_look_ns.is_some() => {
                    self.next_look_ns = self.next_look_ns.map(|ns| ns + LOOK_NS);
                    if let Some(why) = running.look_for_saturation() {
                        return Event::Saturated(why);
                    }
                }
            }
        }
    }

    fn give_up(&mut self, why: GiveUp) {
        self.running.give_up.send_replace(Some(why));
        self.given_up = true;
    }
}

async fn sleep_until_look(desk: &Desk, ns: Option<u64>) {
    let ns = ns.unwrap_or(0);
    tokio::time::sleep_until(desk.clock.instant_from_ns(ns)).await;
}
