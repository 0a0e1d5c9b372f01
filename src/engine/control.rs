//! What a person, a limit or a fault may ask of a run under way: stop, abort, pause, another load, a mark, and to go on
//! after a restart.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::domain::{Mark, STOPPED};

/// How far a run is to be let go on. Only ever grows.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Order {
    #[default]
    Go,
    /// Send no more; what is in flight ends.
    Stop,
    /// Give up what is in flight too.
    Abort,
}

/// Shared by the run's handle and everything that runs.
#[derive(Debug)]
pub(super) struct Control {
    order: watch::Sender<Order>,
    /// Why it stopped before its plan was done; the first reason stays.
    reason: Mutex<Option<StopReason>>,
    restarts: watch::Sender<u64>,
    wish: watch::Sender<Wish>,
    marks: Mutex<Vec<Mark>>,
    /// A moment that is to be marked when the person has said what it is.
    moment: Mutex<Option<u64>>,
}

/// How the person wants a stage under way to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wish {
    pub(super) is_paused: bool,
    /// Another number of users, or rate, that the stage has not come to yet.
    pub(super) level: Option<f64>,
}

impl Wish {
    fn changes(&self) -> bool {
        self.is_paused || self.level.is_some()
    }
}

/// Marks that may wait for the recorder, and the characters of one.
const MAX_MARKS: usize = 1_000;
const MAX_MARK_CHARS: usize = 200;

/// Who ended a run early.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StopReason {
    /// The person, by Stop or Abort.
    Person,
    /// A limit of the plan, or a fault that would only repeat.
    Limit(String),
}

impl StopReason {
    /// For the stage's border.
    pub fn text(&self) -> &str {
        match self {
            Self::Person => STOPPED,
            Self::Limit(why) => why,
        }
    }
}

impl Control {
    pub(super) fn new() -> Self {
        Self {
            order: watch::Sender::new(Order::Go),
            reason: Mutex::new(None),
            restarts: watch::Sender::new(0),
            wish: watch::Sender::default(),
            marks: Mutex::default(),
            moment: Mutex::default(),
        }
    }

    pub(super) fn stop(&self, reason: StopReason) {
        self.give(Order::Stop, reason);
    }

    pub(super) fn abort(&self) {
        self.give(Order::Abort, StopReason::Person);
    }

    fn give(&self, order: Order, reason: StopReason) {
        self.reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(reason);
        self.order.send_if_modified(|now| {
            let grows = order > *now;
            *now = order.max(*now);
            grows
        });
    }

    pub(super) fn order(&self) -> Order {
        *self.order.borrow()
    }

    /// No more requests are to be sent.
    pub(super) fn is_stopping(&self) -> bool {
        self.order() >= Order::Stop
    }

    pub(super) fn reason(&self) -> Option<StopReason> {
        self.reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns when the order is at least `order`.
    pub(super) async fn reached(&self, order: Order) {
        let mut orders = self.order.subscribe();
        if orders.wait_for(|now| *now >= order).await.is_err() {
            // The sender is `self`: this cannot be reached while it is borrowed.
            std::future::pending::<()>().await;
        }
    }

    /// Sleeps until then, or until the run stops, whichever comes first.
    pub(super) async fn sleep_until(&self, deadline: Instant) {
        tokio::select! {
            () = sleep_until(deadline) => {}
            () = self.reached(Order::Stop) => {}
        }
    }

    /// Sends nothing until [`Control::resume`]; what is in flight goes on.
    pub(super) fn pause(&self) {
        self.wish.send_modify(|wish| wish.is_paused = true);
    }

    pub(super) fn resume(&self) {
        self.wish.send_modify(|wish| wish.is_paused = false);
    }

    /// What is no level is not heard.
    pub(super) fn set_level(&self, level: f64) {
        if level.is_finite() && level > 0.0 {
            self.wish.send_modify(|wish| wish.level = Some(level));
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.wish.borrow().is_paused
    }

    /// The level that is wished for; it is wished for no longer.
    pub(super) fn take_level(&self) -> Option<f64> {
        let mut level = None;
        self.wish.send_if_modified(|wish| {
            level = wish.level.take();
            level.is_some()
        });
        level
    }

    /// The stage under way is to change.
    pub(super) fn is_asked(&self) -> bool {
        self.wish.borrow().changes()
    }

    /// Returns when the stage under way is to change.
    pub(super) async fn asked(&self) {
        self.wished(Wish::changes).await;
    }

    /// Returns when the pause is over, or the run stops.
    pub(super) async fn resumed(&self) {
        tokio::select! {
            () = self.wished(|wish| !wish.is_paused) => {}
            () = self.reached(Order::Stop) => {}
        }
    }

    async fn wished(&self, is_so: impl Fn(&Wish) -> bool) {
        let mut wishes = self.wish.subscribe();
        if wishes.wait_for(is_so).await.is_err() {
            // As in `reached`.
            std::future::pending::<()>().await;
        }
    }

    /// Notes a moment for the recorder to take; very many at once are not noted.
    pub(super) fn mark(&self, at_ns: u64, text: &str) {
        let text = text.trim().chars().take(MAX_MARK_CHARS).collect();
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.len() < MAX_MARKS {
            marks.push(Mark { at_ns, text });
        }
    }

    pub(super) fn keep_moment(&self, at_ns: u64) {
        *self.moment.lock().unwrap_or_else(PoisonError::into_inner) = Some(at_ns);
    }

    pub(super) fn take_moment(&self) -> Option<u64> {
        let mut moment = self.moment.lock().unwrap_or_else(PoisonError::into_inner);
        moment.take()
    }

    pub(super) fn take_marks(&self) -> Vec<Mark> {
        std::mem::take(&mut *self.marks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The person says that the server was restarted.
    pub(super) fn server_restarted(&self) {
        self.restarts.send_modify(|n| *n += 1);
    }

    /// From now on the word of a restart counts.
    pub(super) fn restarts(&self) -> watch::Receiver<u64> {
        self.restarts.subscribe()
    }

    /// Waits for a word of a restart that was said since `restarts` was taken, or until the run stops.
    pub(super) async fn await_restart(&self, mut restarts: watch::Receiver<u64>) {
        tokio::select! {
            _ = restarts.changed() => {}
            () = self.reached(Order::Stop) => {}
        }
    }
}
