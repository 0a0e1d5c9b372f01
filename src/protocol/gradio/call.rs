//! The wire that curl users speak: POST and GET of `/call/NAME`. Values are cumulative, waiting is only silence, and
//! neither rank nor the start of processing is told.

use std::sync::Arc;

use serde_json::Value;

use super::exchange::{Job, Tally, Wire};
use crate::domain::{FailureKind, Prompt};
use crate::protocol::sse::SseEvent;
use crate::protocol::{HttpCall, Stamp};

pub(super) struct CallWire {
    job: Arc<Job>,
    prompt: Prompt,
}

impl CallWire {
    pub(super) fn new(job: Arc<Job>, prompt: &Prompt) -> Self {
        Self {
            job,
            prompt: prompt.clone(),
        }
    }

    fn error_of(&self, data: Value) -> String {
        match data {
            Value::String(text) => text,
            Value::Object(mut fields) => match fields.remove("error") {
                Some(Value::String(text)) => text,
                None | Some(Value::Null) => super::NO_MESSAGE.to_owned(),
                Some(other) => other.to_string(),
            },
            Value::Null if self.job.loses_messages => {
                "the app raised an error without a message (Gradio below 6 keeps it)".to_owned()
            }
            Value::Null => super::NO_MESSAGE.to_owned(),
            other => other.to_string(),
        }
    }
}

impl Wire for CallWire {
    fn job(&self) -> &Job {
        &self.job
    }

    fn submit_call(&mut self) -> HttpCall {
        // No `session_hash`: up to 5.49 the GET would then look for the event under the wrong name.
        let body = format!("{{\"data\":{}}}", self.job.data(&self.prompt));
        self.job.post(&format!("/call/{}", self.job.api_name), body)
    }

    fn stream_call(&self, event_id: &str) -> HttpCall {
        self.job
            .get(&format!("/call/{}/{event_id}", self.job.api_name))
    }

    fn event(&mut self, event: &SseEvent<'_>, tally: &mut Tally, at: Stamp) {
        if tally.is_settled() || !matches!(event.event, "generating" | "complete" | "error") {
            return;
        }
        let data: Value = match serde_json::from_str(&event.data) {
            Ok(data) => data,
            // An error is an error however it is written.
            Err(_) if event.event == "error" => Value::String(event.data.clone().into_owned()),
            Err(error) => {
                let message = format!("an event is not JSON ({error}): {}", event.data);
                return tally.fail(FailureKind::ErrorBadJson, message);
            }
        };
        match (event.event, data) {
            ("error", data) => tally.fail(FailureKind::ErrorInStream, self.error_of(data)),
            ("complete", Value::Array(data)) => tally.complete(Some(data), at),
            ("complete", _) => tally.complete(None, at),
            (_, Value::Array(data)) => {
                let change = tally.outputs.replace(data);
                tally.changed(change, at);
            }
            _ => {}
        }
    }

    fn cancel_call(&self, event_id: &str) -> Option<HttpCall> {
        // Without a session of its own, a request's session is its event id.
        self.job.cancel(event_id, event_id)
    }
}
