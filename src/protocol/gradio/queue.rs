//! The wire that browsers speak: `queue/join`, then every message of the session on one stream. It alone tells rank,
//! ETA and when processing starts. Messages: `gradio_client/utils.py` (`ServerMessage`) and `gradio/server_messages.py`.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::exchange::{Job, Tally, Wire};
use crate::domain::{FailureKind, Prompt};
use crate::protocol::sse::SseEvent;
use crate::protocol::{HttpCall, Stamp};

pub(super) struct QueueWire {
    job: Arc<Job>,
    prompt: Prompt,
    session: String,
    /// Full values came: what follows are edits.
    has_first: bool,
}

impl QueueWire {
    pub(super) fn new(job: Arc<Job>, prompt: &Prompt, session: String) -> Self {
        Self {
            job,
            prompt: prompt.clone(),
            session,
            has_first: false,
        }
    }

    fn generating(&mut self, message: Message<'_>, tally: &mut Tally, at: Stamp) {
        if message.success == Some(false) {
            return tally.fail(
                FailureKind::ErrorInStream,
                error_of(message.output.as_ref()),
            );
        }
        let mut output = message.output.unwrap_or_default();
        note_duration(&output, tally);
        let Some(Value::Array(data)) = output.get_mut("data").map(Value::take) else {
            return;
        };
        let change = if self.has_first && self.job.sends_edits {
            match tally.outputs.edit(&data) {
                Ok(change) => change,
                Err(error) => return tally.fail(FailureKind::ErrorBadJson, error.to_string()),
            }
        } else {
            tally.outputs.replace(data)
        };
        self.has_first = true;
        tally.changed(change, at);
    }
}

/// One message of the stream, with the fields that matter. Numbers stay JSON: a strange one spoils only itself.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    msg: Cow<'a, str>,
    #[serde(default)]
    event_id: Value,
    #[serde(default)]
    rank: Value,
    #[serde(default)]
    queue_size: Value,
    #[serde(default)]
    rank_eta: Value,
    #[serde(default)]
    success: Option<bool>,
    #[serde(default)]
    output: Option<Value>,
    #[serde(default)]
    message: Value,
}

impl Wire for QueueWire {
    fn job(&self) -> &Job {
        &self.job
    }

    fn submit_call(&mut self) -> HttpCall {
        let data = self.job.data(&self.prompt);
        let body = format!(
            "{{\"data\":{data},\"fn_index\":{},\"session_hash\":\"{}\",\"event_data\":null,\"trigger_id\":null}}",
            self.job.fn_index, self.session
        );
        self.job.post("/queue/join", body)
    }

    fn stream_call(&self, _event_id: &str) -> HttpCall {
        self.job
            .get(&format!("/queue/data?session_hash={}", self.session))
    }

    fn event(&mut self, event: &SseEvent<'_>, tally: &mut Tally, at: Stamp) {
        if tally.is_settled() {
            return;
        }
        let message: Message<'_> = match serde_json::from_str(&event.data) {
            Ok(message) => message,
            Err(error) => {
                let message = format!("a message is not JSON ({error}): {}", event.data);
                return tally.fail(FailureKind::ErrorBadJson, message);
            }
        };
        // A message without an id speaks to the whole session.
        let is_ours = match &message.event_id {
            Value::String(id) => tally.facts.event_id.as_ref() == Some(id),
            _ => true,
        };
        if !is_ours {
            return;
        }
        match &*message.msg {
            "estimation" => estimation(&message, tally),
            "process_starts" => {
                let wait = tally.posted_ns.map(|sent| at.at_ns.saturating_sub(sent));
                tally.facts.queue_wait_ns = wait;
                tally.facts.process_starts_ns = Some(at.at_ns);
            }
            "process_generating" | "process_streaming" => self.generating(message, tally, at),
            "process_completed" => completed(message, tally, at),
            "unexpected_error" | "server_stopped" | "broken_connection" => {
                let what = message.message.as_str().unwrap_or("the server stopped");
                tally.fail(FailureKind::ErrorInStream, what);
            }
            // heartbeat, progress, log, close_stream, and what a later version adds.
            _ => {}
        }
    }

    fn cancel_call(&self, event_id: &str) -> Option<HttpCall> {
        self.job.cancel(event_id, &self.session)
    }
}

/// The first estimate is the one that counts; later ones only count down.
fn estimation(message: &Message<'_>, tally: &mut Tally) {
    if tally.facts.rank.is_none() {
        tally.facts.rank = message.rank.as_u64();
        tally.facts.queue_size = message.queue_size.as_u64();
        tally.facts.rank_eta_secs = message.rank_eta.as_f64();
    }
}

fn completed(message: Message<'_>, tally: &mut Tally, at: Stamp) {
    let mut output = message.output.unwrap_or_default();
    if message.success == Some(false) || output.get("error").is_some_and(|e| !e.is_null()) {
        return tally.fail(FailureKind::ErrorInStream, error_of(Some(&output)));
    }
    note_duration(&output, tally);
    let data = match output.get_mut("data").map(Value::take) {
        Some(Value::Array(data)) => Some(data),
        _ => None,
    };
    tally.complete(data, at);
}

fn note_duration(output: &Value, tally: &mut Tally) {
    let secs = output.get("duration").and_then(Value::as_f64);
    if let Some(secs) = secs.filter(|s| s.is_finite() && *s >= 0.0) {
        tally.facts.duration_secs = Some(secs);
    }
}

fn error_of(output: Option<&Value>) -> String {
    match output.and_then(|o| o.get("error")) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => super::NO_MESSAGE.to_owned(),
        Some(other) => other.to_string(),
    }
}
