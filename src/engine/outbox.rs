//! The way off the I/O thread: a bounded queue to the recorder that nobody on the I/O thread waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::domain::{BesideRecord, InFlight, Prompt, StageBorder};

use super::driver::Performed;

/// Records that may wait for the recorder: 13 s at 5,000 requests per second.
pub const OUTBOX_MAX: usize = 65_536;

/// What the I/O thread tells the recorder. All boxed: the queue's places are made, and touched, beforehand, and take
/// 1.6 MB like this instead of 6.
#[derive(Debug)]
pub(super) enum Note {
    Ended(Box<(Performed, Prompt)>),
    Border(Box<StageBorder>),
    InFlight(Box<InFlight>),
    Beside(Box<BesideRecord>),
}

/// The I/O thread's end.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    notes: SyncSender<Note>,
    lost: Arc<AtomicU64>,
}

/// A queue of at most `n_max` notes.
pub(super) fn outbox(n_max: usize) -> (Outbox, Receiver<Note>) {
    let (notes, receiver) = sync_channel(n_max);
    let outbox = Outbox {
        notes,
        lost: Arc::default(),
    };
    (outbox, receiver)
}

impl Outbox {
    pub(super) fn ended(&self, performed: Performed, prompt: Prompt) {
        self.put(Note::Ended(Box::new((performed, prompt))));
    }

    pub(super) fn border(&self, border: StageBorder) {
        self.put(Note::Border(Box::new(border)));
    }

    pub(super) fn in_flight(&self, in_flight: InFlight) {
        self.put(Note::InFlight(Box::new(in_flight)));
    }

    pub(super) fn beside(&self, record: BesideRecord) {
        self.put(Note::Beside(Box::new(record)));
    }

    fn put(&self, note: Note) {
        match self.notes.try_send(note) {
            Ok(()) => {}
            // Waiting here would bend the measurement: what is lost is counted, and makes a caution.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Relaxed);
            }
        }
    }

    /// The count of notes that found no room.
    pub(super) fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }
}
