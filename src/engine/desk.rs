//! What all executors of a run share, and its senders.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use crate::domain::{Goal, Phase, Prompt, Role, StageIdx, Turn};
use crate::transport::Clock;
use crate::workload::PromptSource;

use super::control::Control;
use super::driver::Performed;
use super::guard::Guard;
use super::live::Live;
use super::outbox::Outbox;
use super::pacer::Pacing;

/// Says what requests ask. Pure, but for what the model itself answered before.
pub(super) trait Asks: Send + Sync {
    /// Of the request with that position in the run.
    fn prompt(&self, seq: u64, phase: Phase) -> Prompt;

    /// Turns of that conversation; `None` where requests are no conversations.
    fn n_turns(&self, conversation: u64) -> Option<u32>;

    /// A turn of that conversation after what was said before; `None` where it has no such turn.
    fn turn(&self, conversation: u64, turn: u32, history: &[Turn]) -> Option<Prompt>;

    /// When the requests leave that a stage of the plan as asked replays, in ns from the trace's first.
    fn trace(&self, asked: StageIdx) -> Vec<u64>;

    /// What that row of its trace asks.
    fn trace_prompt(&self, asked: StageIdx, row: usize) -> Option<Prompt>;
}

impl Asks for PromptSource {
    fn prompt(&self, seq: u64, phase: Phase) -> Prompt {
        Self::prompt(self, seq, phase)
    }

    fn n_turns(&self, conversation: u64) -> Option<u32> {
        Self::n_turns(self, conversation)
    }

    fn turn(&self, conversation: u64, turn: u32, history: &[Turn]) -> Option<Prompt> {
        Self::turn(self, conversation, turn, history)
    }

    fn trace(&self, asked: StageIdx) -> Vec<u64> {
        let rows = Self::trace(self, asked).unwrap_or_default();
        rows.iter().map(|row| row.at_ns).collect()
    }

    fn trace_prompt(&self, asked: StageIdx, row: usize) -> Option<Prompt> {
        Self::trace_prompt(self, asked, row)
    }
}

/// What all users of a run share.
pub(super) struct Desk {
    pub(super) clock: Clock,
    pub(super) pacing: Pacing,
    pub(super) seed: u64,
    pub(super) grace_ns: u64,
    /// Between an answer and the next turn of its conversation.
    pub(super) think_ns: u64,
    pub(super) prompts: Box<dyn Asks>,
    pub(super) goals: Vec<Goal>,
    pub(super) stops_saturated: bool,
    pub(super) live: Arc<Live>,
    pub(super) control: Arc<Control>,
    pub(super) guard: Mutex<Guard>,
    pub(super) outbox: Outbox,
    pub(super) next_seq: AtomicU64,
    pub(super) next_conversation: AtomicU64,
}

/// A sender: its driver moves into a task for each round and comes back.
pub(super) struct User<D> {
    pub(super) id: u32,
    pub(super) driver: D,
    /// The conversation that it is in, of a closed load.
    pub(super) talk: Option<Talk>,
}

/// A conversation under way, before its next turn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Talk {
    pub(super) id: u64,
    pub(super) turn: u32,
    pub(super) history: Vec<Turn>,
    /// The next turn is not sent before.
    pub(super) due_ns: Option<u64>,
}

/// What a request is about.
#[derive(Clone, Debug)]
pub(super) enum Topic {
    /// Itself.
    Single,
    Talk(Talk),
    /// A row of the trace that a stage of the plan as asked replays.
    Row(StageIdx, usize),
}

impl Desk {
    /// A new conversation, or a single request where there are none.
    pub(super) fn new_topic(&self) -> Topic {
        if self
            .prompts
            .n_turns(self.next_conversation.load(Relaxed))
            .is_none()
        {
            return Topic::Single;
        }
        Topic::Talk(Talk {
            id: self.next_conversation.fetch_add(1, Relaxed),
            turn: 0,
            history: Vec::new(),
            due_ns: None,
        })
    }

    pub(super) fn prompt(&self, seq: u64, phase: Phase, topic: &Topic) -> Prompt {
        let turn = match topic {
            Topic::Single => None,
            Topic::Talk(talk) => self.prompts.turn(talk.id, talk.turn, &talk.history),
            Topic::Row(asked, row) => self.prompts.trace_prompt(*asked, *row),
        };
        turn.unwrap_or_else(|| self.prompts.prompt(seq, phase))
    }

    /// The conversation after a turn, where it goes on: one that ended badly is over.
    pub(super) fn goes_on(
        &self,
        topic: Topic,
        prompt: &Prompt,
        performed: &Performed,
    ) -> Option<Talk> {
        let Topic::Talk(mut talk) = topic else {
            return None;
        };
        let n_turns = self.prompts.n_turns(talk.id).unwrap_or(0);
        if !performed.record.outcome.is_ok() || talk.turn + 1 >= n_turns {
            return None;
        }
        talk.history.push(Turn {
            role: Role::User,
            text: Arc::clone(&prompt.user),
        });
        talk.history.push(Turn {
            role: Role::Assistant,
            text: performed.answer.as_str().into(),
        });
        talk.turn += 1;
        talk.due_ns = Some(performed.record.end_ns.saturating_add(self.think_ns));
        Some(talk)
    }
}
