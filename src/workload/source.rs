//! The prompts of a run.

mod make;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::{
    Issue, LengthSpec, Phase, Prompt, PromptOrder, StageIdx, Turn, Workload, WorkloadFacts,
};
use crate::stats::SplitMix64;

use super::mixed;
use super::needs::Needs;
use super::replay::Replay;
use super::synthetic::Pool;
use super::tokenizer::Tokenizer;
use super::trace::TraceRow;

/// Keeps the streams of one seed apart.
const OF_OUTPUT: u64 = 0x6f75_7470_7574_0001;

/// All prompts of a run; made once before the clock starts, cheap to clone.
#[derive(Clone, Debug)]
pub struct PromptSource {
    made: Arc<Made>,
    salt: u64,
}

#[derive(Debug)]
struct Made {
    asks: Asks,
    order: PromptOrder,
    nonce: bool,
    seed: u64,
    /// Turns of a conversation; 1 for single prompts.
    turns: u32,
    /// Rows are conversations of their own; else as many rows as turns make one.
    has_talks: bool,
    outputs: Option<LengthSpec>,
    replays: BTreeMap<usize, Replay>,
    tokenizer: Option<Arc<Tokenizer>>,
    facts: WorkloadFacts,
}

#[derive(Debug)]
enum Asks {
    Rows(Vec<Ask>),
    Synthetic(Option<Arc<str>>, Pool),
}

/// A row, ready to be asked.
#[derive(Clone, Debug, Default)]
struct Ask {
    /// Its first turn.
    first: Prompt,
    turns: Vec<Arc<str>>,
}

/// Which of a run's prompts is asked: all that its text depends on beside the row.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Of the first turn; different for every request, and for the phases apart.
    position: u64,
    turn: u32,
}

impl PromptSource {
    /// The prompts of a workload alone, without the server or a trace.
    ///
    /// # Errors
    /// As [`PromptSource::make`].
    pub fn load(workload: &Workload, seed: u64) -> Result<Self, Issue> {
        Self::make(Needs::of_workload(workload, seed))
    }

    /// Reads what is to be read and makes what is to be made. It waits, for the disk and where the plan says so for the
    /// server, and must not run where others wait for it.
    ///
    /// # Errors
    /// What is wrong, at the plan's field.
    pub fn make(needs: Needs) -> Result<Self, Issue> {
        let made = Arc::new(make::make(needs)?);
        Ok(Self { made, salt: 0 })
    }

    /// The same prompts with other markers. A run gives a value of its own (its start on the wall clock), since the markers
    /// of the last run of the same plan may still be in the server's prefix cache.
    pub fn salted(self, salt: u64) -> Self {
        Self { salt, ..self }
    }

    /// How many different user prompts there are, markers aside.
    pub fn n_prompts(&self) -> usize {
        match &self.made.asks {
            Asks::Rows(rows) => rows.len(),
            Asks::Synthetic(_, pool) => pool.rows.len(),
        }
    }

    /// Whether no two requests of a run send the same text.
    pub fn is_unique(&self) -> bool {
        match &self.made.asks {
            Asks::Rows(_) => self.made.nonce,
            Asks::Synthetic(_, pool) => pool.is_unique(),
        }
    }

    /// What the run file says of where prompts came from.
    pub fn facts(&self) -> &WorkloadFacts {
        &self.made.facts
    }

    /// Counts answers of a server that counts none; `None` where the plan names none that may be asked during a run.
    pub fn counter(&self) -> Option<Arc<Tokenizer>> {
        let named = self.made.tokenizer.as_ref();
        named.filter(|tokenizer| tokenizer.is_local()).cloned()
    }

    /// What rows bring beside their text, for the adapter to take before the run.
    pub fn payloads(&self) -> Vec<Arc<Value>> {
        let Asks::Rows(rows) = &self.made.asks else {
            return Vec::new();
        };
        rows.iter()
            .filter_map(|ask| ask.first.payload.clone())
            .collect()
    }

    /// What the request at this position of the run asks.
    pub fn prompt(&self, seq: u64, phase: Phase) -> Prompt {
        let of_phase = match phase {
            Phase::Cold => 1,
            Phase::Warmup => 2,
            // A request that drains was sent in Measure, with that prompt.
            Phase::Measure | Phase::Drain => 3,
        };
        // Positions stay below 2^56, so this never meets itself within a run, and `mixed` is a bijection of it.
        let place = Place {
            position: (seq << 2) | of_phase,
            turn: 0,
        };
        self.ask(self.index(seq), place)
    }

    /// Turns of that conversation of the run; `None` where requests are no conversations.
    pub fn n_turns(&self, conversation: u64) -> Option<u32> {
        let most = Some(self.made.turns).filter(|n| *n > 1)?;
        match &self.made.asks {
            Asks::Rows(rows) if self.made.has_talks => {
                let ask = rows.get(self.index(conversation));
                let own = ask.map_or(1, |ask| ask.turns.len().max(1));
                Some(u32::try_from(own).map_or(most, |own| own.min(most)))
            }
            Asks::Rows(_) | Asks::Synthetic(..) => Some(most),
        }
    }

    /// A turn of that conversation after `history`, what was really said before; `None` where it has no such turn.
    /// Conversations are numbered through the run: each number has markers of its own.
    pub fn turn(&self, conversation: u64, turn: u32, history: &[Turn]) -> Option<Prompt> {
        if turn >= self.n_turns(conversation)? {
            return None;
        }
        let place = Place {
            position: conversation << 2,
            turn,
        };
        let mut prompt = if self.made.has_talks {
            self.ask(self.index(conversation), place)
        } else {
            let row = conversation
                .wrapping_mul(u64::from(self.made.turns))
                .wrapping_add(turn.into());
            self.ask(self.index(row), place)
        };
        if !history.is_empty() {
            prompt.history = prompt.history.iter().chain(history).cloned().collect();
        }
        Some(prompt)
    }

    /// The rows of the trace that a stage replays, in the order of time.
    pub fn trace(&self, stage: StageIdx) -> Option<&[TraceRow]> {
        let replay = self.made.replays.get(&stage.index())?;
        Some(replay.rows())
    }

    /// What that row of a stage's trace asks.
    pub fn trace_prompt(&self, stage: StageIdx, row: usize) -> Option<Prompt> {
        let replay = self.made.replays.get(&stage.index())?;
        replay.prompt(row, mixed(self.made.seed, self.salt))
    }

    fn index(&self, number: u64) -> usize {
        let n = self.n_prompts().max(1) as u64;
        let at = match self.made.order {
            PromptOrder::InTurn => number % n,
            PromptOrder::Random => SplitMix64::new(mixed(self.made.seed, number)).below(n),
        };
        usize::try_from(at).unwrap_or(0)
    }

    fn ask(&self, row: usize, place: Place) -> Prompt {
        let bits = mixed(mixed(self.made.seed, self.salt), place.position);
        let mut prompt = match &self.made.asks {
            Asks::Rows(rows) => match rows.get(row) {
                Some(ask) => self.of_row(ask, place, bits),
                None => Prompt::default(),
            },
            Asks::Synthetic(system, pool) => {
                let row = pool.rows.get(row);
                let bits = mixed(bits, place.turn.into());
                Prompt {
                    system: system.clone(),
                    user: row.map_or_else(|| Arc::from(""), |row| pool.text(row, bits)),
                    input_tokens: row.map(|row| row.asked),
                    ..Prompt::default()
                }
            }
        };
        if let Some(length) = self.made.outputs {
            let seed = mixed(
                mixed(self.made.seed ^ OF_OUTPUT, place.position),
                place.turn.into(),
            );
            prompt.output_tokens = Some(length.draw(&mut SplitMix64::new(seed)));
        }
        prompt
    }

    fn of_row(&self, ask: &Ask, place: Place, bits: u64) -> Prompt {
        let mut prompt = ask.first.clone();
        if self.made.has_talks && place.turn > 0 {
            let turn = usize::try_from(place.turn).ok();
            let text = turn.and_then(|turn| ask.turns.get(turn));
            prompt.user = text.cloned().unwrap_or_else(|| Arc::from(""));
            prompt.images = Arc::default();
        }
        // A later turn differs from its first message on already.
        if self.made.nonce && place.turn == 0 {
            prompt.user = Arc::from(format!("[{bits:016x}] {}", prompt.user));
        }
        prompt
    }
}

#[cfg(test)]
mod tests;
