//! The cold probe's question to the person: restart the server, then press Enter.
//!
//! A line from a pipe answers as well, so that a script which restarts the server can drive the run. Where the input is
//! at its end nobody can ever answer: the run is given up and says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::print;
use crate::session::{Command, Session};

/// What was asked so far.
#[derive(Default)]
pub(super) struct Restarts {
    asked: Option<u32>,
    is_closed: Arc<AtomicBool>,
}

impl Restarts {
    /// Asks once a cycle; the answer goes to the session from a thread of its own. Shown even when progress is not: the
    /// run waits for it.
    pub(super) fn ask(&mut self, cycle: u32, of: u32, session: &Session) {
        if self.asked.replace(cycle) == Some(cycle) {
            return;
        }
        print::err(&format!(
            "cold cycle {cycle} of {of}: restart the server, then press Enter"
        ));
        let (commands, is_closed) = (session.commands(), Arc::clone(&self.is_closed));
        let read = move || {
            let mut line = String::new();
            // Bytes that are no text are an answer, too: somebody pressed something.
            let answer = match std::io::stdin().read_line(&mut line) {
                Ok(0) => None,
                Err(e) if e.kind() != std::io::ErrorKind::InvalidData => None,
                Ok(_) | Err(_) => Some(Command::ServerRestarted),
            };
            is_closed.store(answer.is_none(), Ordering::SeqCst);
            commands.try_send(answer.unwrap_or(Command::Abort)).ok();
        };
        let spawned = std::thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(read);
        if spawned.is_err() {
            self.is_closed.store(true, Ordering::SeqCst);
            session.send(Command::Abort);
        }
    }

    /// Why the run was given up, if nobody could answer.
    pub(super) fn unanswered(&self) -> Option<&'static str> {
        self.is_closed.load(Ordering::SeqCst).then_some(
            "nobody can say that the server was restarted, for standard input is closed; run it in a terminal, pipe a line to it for each cold cycle, or set cold.how to “silence”",
        )
    }
}
