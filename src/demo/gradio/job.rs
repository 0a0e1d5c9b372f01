//! One job of the demo app, from the line to its last event.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Wire;
use super::app::Endpoint;
use crate::demo::Shared;
use crate::demo::log::{Entry, now_ns};
use crate::demo::model::{Job, count_tokens, word};

pub(super) struct JobTask {
    pub(super) wire: Wire,
    pub(super) endpoint: Endpoint,
    pub(super) data: Vec<Value>,
    pub(super) event_id: String,
    pub(super) events: mpsc::Sender<Vec<u8>>,
    pub(super) arrived_ns: u64,
}

/// The reader has gone.
struct Gone;

impl JobTask {
    pub(super) async fn run(self, shared: &Arc<Shared>) {
        let route = if self.wire == Wire::Queue {
            "queue"
        } else {
            "call"
        };
        let mut entry = Entry {
            route,
            arrived_ns: self.arrived_ns,
            ended: "left",
            ..Entry::default()
        };
        let Ok(mut job) = shared.model.enqueue() else {
            return;
        };
        entry.id = job.ticket;
        if self.wait_in_line(&mut job, shared).await.is_ok() {
            entry.started_ns = Some(now_ns());
            entry.cold = job.cold;
            self.produce(&mut job, shared, &mut entry).await.ok();
        }
        drop(job);
        shared.log.write(&entry);
    }

    async fn wait_in_line(&self, job: &mut Job<'_>, shared: &Shared) -> Result<(), Gone> {
        let mut told = None;
        loop {
            if let Some(rank) = job.rank().filter(|rank| told != Some(*rank)) {
                told = Some(rank);
                let eta = rank.0 as f64
                    * shared.model.script.step_ms(1)
                    * shared.model.script.output_tokens as f64
                    / 1e3;
                self.queue(&json!({"msg": "estimation", "event_id": self.event_id, "rank": rank.0, "queue_size": rank.1, "rank_eta": eta}))?;
            }
            if job.try_start() {
                return self.queue(
                    &json!({"msg": "process_starts", "event_id": self.event_id, "eta": null}),
                );
            }
            tokio::select! {
                () = shared.model.changed() => {}
                () = self.events.closed() => return Err(Gone),
            }
        }
    }

    async fn produce(
        &self,
        job: &mut Job<'_>,
        shared: &Shared,
        entry: &mut Entry,
    ) -> Result<(), Gone> {
        let text = self
            .data
            .first()
            .and_then(Value::as_str)
            .unwrap_or_default();
        entry.prompt_tokens = count_tokens(text);
        match self.endpoint {
            Endpoint::Chat => {
                job.prefill(entry.prompt_tokens).await;
                self.chat(job, shared, entry).await
            }
            Endpoint::Echo => {
                job.prefill(entry.prompt_tokens).await;
                self.complete(&json!([text]), entry)
            }
            Endpoint::ImageSize => {
                let path = self.data.first().and_then(|v| v["path"].as_str());
                let uploads = shared.gradio.uploads.lock().ok();
                let size = path.and_then(|p| uploads.as_ref()?.get(p).copied());
                drop(uploads);
                match (path, size) {
                    (None, _) => self.complete(&json!(["none"]), entry),
                    (_, Some(size)) => self.complete(&json!([format!("{size} bytes")]), entry),
                    (Some(path), None) => {
                        self.raise(&format!("Cannot move {path} to the gradio cache dir because it was not uploaded by a user."), entry)
                    }
                }
            }
            Endpoint::Fail => self.raise(&format!("bad thing: {text}"), entry),
        }
    }

    async fn chat(
        &self,
        job: &mut Job<'_>,
        shared: &Shared,
        entry: &mut Entry,
    ) -> Result<(), Gone> {
        let script = &shared.model.script;
        let asked = self
            .data
            .get(2)
            .and_then(Value::as_f64)
            .unwrap_or(script.output_tokens as f64);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a small range before"
        )]
        let n_tokens = asked.clamp(1.0, script.max_output_tokens.min(1 << 20) as f64) as u64;
        let state = &self.data.get(5).and_then(Value::as_u64).unwrap_or(0) + 1;
        let mut answer = String::new();
        for i in 0..n_tokens {
            job.step().await;
            let token = word(i);
            answer.push_str(token);
            entry.token_ns.push(now_ns());
            entry.n_tokens = i + 1;
            match self.wire {
                Wire::Call => self.call("generating", &json!([answer, null]))?,
                Wire::Queue if i == 0 => self.generating(&json!([answer, state]))?,
                Wire::Queue => self.generating(&json!([[["append", [], token]], []]))?,
            }
            if job.fails.is_some() && i >= n_tokens / 2 {
                return self.raise("the demo script wants this stream to fail", entry);
            }
        }
        self.complete(
            &json!([
                answer,
                if self.wire == Wire::Queue {
                    json!(state)
                } else {
                    Value::Null
                }
            ]),
            entry,
        )
    }

    fn generating(&self, data: &Value) -> Result<(), Gone> {
        let output = json!({"data": data, "is_generating": true, "duration": 0.005, "average_duration": 0.005});
        self.queue(&json!({"msg": "process_generating", "event_id": self.event_id, "output": output, "success": true, "time_limit": null}))
    }

    fn complete(&self, data: &Value, entry: &mut Entry) -> Result<(), Gone> {
        entry.finish_ns = Some(now_ns());
        entry.ended = "done";
        if self.wire == Wire::Call {
            return self.call("complete", data);
        }
        let output = json!({"data": data, "is_generating": false, "duration": 0.005, "average_duration": 0.005});
        self.queue(&json!({"msg": "process_completed", "event_id": self.event_id, "output": output, "success": true, "title": null}))?;
        self.queue(&json!({"msg": "close_stream", "event_id": null}))
    }

    fn raise(&self, message: &str, entry: &mut Entry) -> Result<(), Gone> {
        entry.ended = "raised";
        let output = json!({"error": message, "duration": 10, "visible": true, "title": "Error"});
        if self.wire == Wire::Call {
            return self.call("error", &output);
        }
        self.queue(&json!({"msg": "process_completed", "event_id": self.event_id, "output": output, "success": false, "title": "Error"}))?;
        self.queue(&json!({"msg": "close_stream", "event_id": null}))
    }

    /// An event of the queue wire; the call wire has none of these.
    fn queue(&self, message: &Value) -> Result<(), Gone> {
        match self.wire {
            Wire::Queue => self.send(format!("data: {message}\n\n")),
            Wire::Call => Ok(()),
        }
    }

    fn call(&self, event: &str, data: &Value) -> Result<(), Gone> {
        self.send(format!("event: {event}\ndata: {data}\n\n"))
    }

    fn send(&self, text: String) -> Result<(), Gone> {
        self.events.try_send(text.into_bytes()).ok().ok_or(Gone)
    }
}
