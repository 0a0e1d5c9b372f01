//! What a person, a limit or a fault may ask of a run under way: stop, abort, go on after a restart.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

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
}

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
            Self::Person => "Stopped by hand",
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
