//! Gradio apps and Spaces, 4.44 to 6.x, over both of their wires: the queue that browsers use and `/call` that curl users
//! see. Routes and messages: `gradio/routes.py`, `gradio/server_messages.py` and `gradio_client/utils.py` of 4.44.1,
//! 5.50.0 and 6.31.0, and transcripts of live servers in `tests/data/transcripts/`.

mod address;
mod call;
mod config;
mod edits;
mod exchange;
mod info;
mod inputs;
mod mapping;
mod outputs;
mod prepare;
mod queue;
mod template;
mod visits;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

pub use address::{Address, resolve};
pub use edits::{EditError, apply as apply_edits};
pub use prepare::{describe, prepare};
pub use visits::{Visitor, Visits};

use crate::domain::{GradioMode, Prompt, ServerFacts};
use crate::protocol::{Adapter, Exchange};
use call::CallWire;
use exchange::{Job, TwoCalls};
use queue::QueueWire;

/// What stands where an app raised an error and hides why.
const NO_MESSAGE: &str =
    "the app raised an error without a message; start it with show_error=True to see it";

/// Speaks to one endpoint of one app.
#[derive(Debug)]
pub(crate) struct Gradio {
    job: Arc<Job>,
    mode: GradioMode,
    facts: ServerFacts,
    /// Makes session names of two runs differ.
    run: u64,
    visits: Visits,
}

impl Gradio {
    fn new(job: Job, mode: GradioMode, facts: ServerFacts, visits: Visits) -> Self {
        Self {
            job: Arc::new(job),
            mode,
            facts,
            run: RandomState::new().hash_one(0),
            visits,
        }
    }
}

impl Adapter for Gradio {
    fn exchange(&self, prompt: &Prompt, user: u32, seq: u64) -> Box<dyn Exchange> {
        let job = Arc::clone(&self.job);
        match self.mode {
            GradioMode::Queue => {
                let session = format!("{:016x}u{user}n{seq}", self.run);
                Box::new(TwoCalls::new(QueueWire::new(job, prompt, session)))
            }
            GradioMode::Call => Box::new(TwoCalls::new(CallWire::new(job, prompt))),
        }
    }

    fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    fn visits(&self) -> Option<&Visits> {
        Some(&self.visits)
    }
}
