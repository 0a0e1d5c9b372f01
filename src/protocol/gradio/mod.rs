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
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

pub use address::{Address, resolve};
pub use edits::{EditError, apply as apply_edits};
pub use prepare::{describe, prepare};
pub use visits::{Visitor, Visits};

use crate::domain::{GradioMode, Prompt, ServerFacts};
use crate::protocol::{Adapter, Bringing, Exchange, PrepareError};
use call::CallWire;
use exchange::{Job, TwoCalls};
use prepare::Uploader;
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
    uploader: Uploader,
    /// Makes session names of two runs differ.
    run: u64,
    visits: Visits,
}

impl Gradio {
    fn new(
        job: Job,
        mode: GradioMode,
        facts: ServerFacts,
        uploader: Uploader,
        visits: Visits,
    ) -> Self {
        Self {
            job: Arc::new(job),
            mode,
            facts,
            uploader,
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

    /// Holds payloads against the endpoint, and uploads the files that they name.
    fn bring(&self, payloads: Vec<Arc<Value>>) -> Bringing<'_> {
        Box::pin(async move {
            let mut files = Vec::new();
            for (payload, number) in payloads.iter().zip(1_u64..) {
                if let Some(why) = self.job.data.misfit(payload) {
                    let message = format!("row {number} {why}");
                    return Err(PrepareError::refused("workload.dataset", message));
                }
                inputs::collect_files(payload, &mut files);
            }
            let files = files.into_iter().map(PathBuf::from).collect();
            let (uploads, notes) = self.uploader.upload_all(files).await?;
            // Brought once for a run; a second time nothing new is named.
            self.job.uploads.set(uploads).ok();
            Ok(notes)
        })
    }
}
