//! What the events and answers of an OpenAI-compatible server mean.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::body::Asks;
use super::chunk::{Chunk, Timings, Usage};
use super::learned::Learned;
use super::responses::{self, Meaning};
use super::{Api, Shared};
use crate::domain::{Ended, Failure, FailureKind};
use crate::protocol::answer::{Wire, not_json};
use crate::protocol::loose::Text;
use crate::protocol::marks::{Counts, Marks};
use crate::protocol::{Stamp, said};

/// A chat, completions or responses request.
#[derive(Debug)]
pub(super) struct OpenAiWire {
    shared: Arc<Shared>,
    asks: Asks,
    usage: Option<Usage>,
    timings: Option<Timings>,
    learned: Learned,
}

impl OpenAiWire {
    pub(super) fn new(shared: Arc<Shared>, asks: Asks) -> Self {
        Self {
            shared,
            asks,
            usage: None,
            timings: None,
            learned: Learned::default(),
        }
    }

    fn take_chunk(&mut self, chunk: &Chunk<'_>, data: &str, marks: &mut Marks, stamp: Stamp) {
        if chunk.is_error() {
            let message = said::message_in_body(data.as_bytes());
            return marks.fail(FailureKind::ErrorInStream, message);
        }
        let usage = chunk.usage();
        self.take_counts(usage, chunk, marks);
        match (&chunk.choices, responses::meaning(chunk)) {
            (Some(choices), _) => {
                if choices.has_token {
                    let total = usage.and_then(|usage| usage.completion_tokens.0);
                    marks.token(choices.text.as_str(), choices.has_answer, total, stamp);
                }
                if choices.is_finished {
                    marks.finished(stamp);
                }
            }
            (None, Some(Meaning::Token { text, is_answer })) => {
                marks.token(text.as_str(), is_answer, None, stamp);
            }
            (None, Some(Meaning::Finished(usage))) => {
                self.take_counts(usage, chunk, marks);
                marks.finished(stamp);
                if self.shared.api == Api::Responses {
                    marks.done(stamp);
                }
            }
            (None, Some(Meaning::Failed(message))) => {
                marks.fail(FailureKind::ErrorInStream, message);
            }
            (None, Some(Meaning::Nothing) | None) => {}
        }
    }

    /// The server's usage, else llama.cpp's own counts.
    fn take_counts(&mut self, usage: Option<Usage>, chunk: &Chunk<'_>, marks: &mut Marks) {
        self.usage = usage.or(self.usage);
        self.timings = chunk.timings().or(self.timings);
        let usage = self.usage.unwrap_or_default();
        let timings = self.timings.unwrap_or_default();
        let prompt_n = timings.prompt_n.0;
        let by_timings = prompt_n.map(|n| n.saturating_add(timings.cache_n.0.unwrap_or(0)));
        let details = usage.prompt_tokens_details.unwrap_or_default();
        marks.counts = Counts {
            tokens_in: usage.prompt_tokens.0.or(by_timings),
            tokens_out: usage.completion_tokens.0.or(timings.predicted_n.0),
            cached_tokens: details.cached_tokens.0.or(timings.cache_n.0),
        };
    }
}

impl Wire for OpenAiWire {
    fn is_done_marker(&self, data: &str) -> bool {
        data == "[DONE]"
    }

    fn event(&mut self, name: &str, data: &str, marks: &mut Marks, stamp: Stamp) {
        let data = data.trim_ascii();
        if name == "error" {
            let message = said::message_in_body(data.as_bytes());
            return marks.fail(FailureKind::ErrorInStream, message);
        }
        if let Some(text) = self.learned.text_of(data) {
            return marks.token(text, true, None, stamp);
        }
        match serde_json::from_str::<Chunk<'_>>(data) {
            Ok(chunk) => {
                self.learned.learn(data, &chunk);
                self.take_chunk(&chunk, data, marks, stamp);
            }
            // A keep-alive of some kind: no data, or an event of another name.
            Err(_) if data.is_empty() || data == "null" || is_unknown(name) => {}
            Err(_) => {
                let failure = not_json("An event", data);
                marks.fail(failure.kind, failure.message);
            }
        }
    }

    fn whole(&mut self, text: &str, marks: &mut Marks, _stamp: Stamp) -> Result<Ended, Failure> {
        let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(text) else {
            return Err(not_json("The answer", text));
        };
        if chunk.is_error() {
            let message = said::message_in_body(text.as_bytes());
            return Err(Failure::new(FailureKind::ErrorBody, message));
        }
        self.take_counts(chunk.usage(), &chunk, marks);
        if let Some(choices) = chunk.choices.as_ref().filter(|c| c.n_choices > 0) {
            marks.push_answer(choices.text.as_str());
            return Ok(Ended::OkDone);
        }
        let what = match responses::output_text(&chunk) {
            Some(Text::Str(answer)) => {
                marks.push_answer(&answer);
                return Ok(Ended::OkDone);
            }
            Some(Text::Other) => return Ok(Ended::OkDone),
            Some(Text::Empty) => "output",
            None => "choices",
        };
        Err(Failure::new(
            FailureKind::ErrorEmpty,
            format!("The answer has no {what}: “{}”", said::excerpt(text)),
        ))
    }

    /// Learns whether the server refuses what only some take: a given length, or `stream_options`.
    fn refused(&mut self, status: u16, message: &mut String) {
        if !matches!(status, 400 | 422) {
            return;
        }
        if self.asks.no_end && self.shared.is_refusal_of_no_end(message) {
            self.shared.ends_refused.store(true, Ordering::Relaxed);
            message.push_str(" (the next requests leave ignore_eos and min_tokens out)");
        } else if self.asks.usage && self.shared.is_refusal_of_usage(message) {
            self.shared.usage_refused.store(true, Ordering::Relaxed);
            message.push_str(" (the next requests leave stream_options out)");
        }
    }
}

/// The name of an event that neither API has.
fn is_unknown(name: &str) -> bool {
    name != "message" && !name.starts_with("response.")
}
