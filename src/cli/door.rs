//! The session as a terminal uses it: waits for what comes.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use crate::session::{Command, Event, Session};

pub(super) struct Door {
    pub(super) session: Session,
    woken: Receiver<()>,
}

impl Door {
    pub(super) fn open() -> Result<Self, String> {
        let (wake, woken) = sync_channel(1);
        let session = Session::start(move || {
            wake.try_send(()).ok();
        })
        .map_err(|e| format!("cannot start: {e:#}"))?;
        Ok(Self { session, woken })
    }

    pub(super) fn send(&self, command: Command) {
        self.session.send(command);
    }

    /// Waits a moment for something new.
    pub(super) fn wait(&self) {
        self.woken.recv_timeout(Duration::from_millis(200)).ok();
    }

    /// The next event, however long it takes; `None` when the session has ended.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.session.try_event() {
                return Some(event);
            }
            if self.session.has_ended() {
                return self.session.try_event();
            }
            self.wait();
        }
    }
}
