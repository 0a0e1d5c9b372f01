//! The one door between front ends and everything that waits: a [`Command`] in, an [`Event`] out.
//!
//! [`Session::start`] owns the runtime and takes the wake call as a closure, so nothing below the window knows egui.

mod message;

pub use message::{Command, Event, RunRef, SaveWhat, SecretText};

use crate::domain::LiveSnapshot;

/// A front end's handle: send commands, drain events, look at the newest snapshot. Never blocks.
pub struct Session {}

impl Session {
    /// Starts the runtime's thread; `wake` is called whenever there is something new to look at.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be made.
    pub fn start(_wake: impl Fn() + Send + Sync + 'static) -> anyhow::Result<Self> {
        Ok(Self {})
    }

    /// Queues a command; says `false` when the session has ended.
    pub fn send(&self, _command: Command) -> bool {
        false
    }

    /// The next event, if there is one.
    pub fn try_event(&mut self) -> Option<Event> {
        None
    }

    /// The newest state of the run under way, if it changed since the last look.
    pub fn changed_snapshot(&mut self) -> Option<LiveSnapshot> {
        None
    }
}
