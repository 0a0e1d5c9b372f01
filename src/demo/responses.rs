//! The demo server's `/v1/responses`: events with a name, a type and a sequence number, as vLLM and llama.cpp send them.

use std::io;

use serde_json::{Value, json};

use super::Shared;
use super::generate::{Begun, begin, conversation_tokens};
use super::http::{Conn, Request};
use super::log::{Entry, now_ns};
use super::model::{Failing, Job, word};
use super::openai::refuse;

/// What a request asked for.
struct Ask {
    stream: bool,
    max_output_tokens: u64,
    prompt_tokens: u64,
}

fn parse(body: &Value, shared: &Shared) -> Result<Ask, String> {
    let script = &shared.model.script;
    let as_message = |text: &Value| json!({"content": text});
    let mut messages = match &body["input"] {
        text @ Value::String(_) => vec![as_message(text)],
        Value::Array(items) if !items.is_empty() => items.clone(),
        _ => return Err("“input” is missing or empty".to_owned()),
    };
    messages.push(as_message(&body["instructions"]));
    let max_output_tokens = match &body["max_output_tokens"] {
        Value::Null => script.output_tokens,
        n => n
            .as_u64()
            .filter(|n| *n > 0)
            .ok_or_else(|| format!("“max_output_tokens” is {n}; use at least 1"))?,
    };
    Ok(Ask {
        stream: body["stream"].as_bool().unwrap_or(false),
        max_output_tokens: max_output_tokens.min(script.max_output_tokens),
        prompt_tokens: conversation_tokens(&messages),
    })
}

pub(super) async fn generate(
    conn: &mut Conn,
    request: &Request,
    shared: &Shared,
) -> io::Result<()> {
    let Some(body) = request.json() else {
        return refuse(conn, "400 Bad Request", "the body is not JSON").await;
    };
    let ask = match parse(&body, shared) {
        Ok(ask) => ask,
        Err(message) => return refuse(conn, "400 Bad Request", &message).await,
    };
    let (mut job, mut entry) = match begin(conn, shared, "responses", ask.prompt_tokens).await? {
        Begun::Running(running) => *running,
        Begun::Full(n) => {
            let message = format!("the line is full: {n} wait");
            return refuse(conn, "503 Service Unavailable", &message).await;
        }
    };
    let result = if ask.stream {
        stream(conn, shared, &ask, &mut job, &mut entry).await
    } else {
        whole(conn, shared, &ask, &mut job, &mut entry).await
    };
    drop(job);
    shared.log.write(&entry);
    result
}

const FAILED: &str = "the demo script wants this request to fail";

/// Writes events, each with the next number.
#[derive(Default)]
struct Events {
    n: u64,
    bytes: Vec<u8>,
}

impl Events {
    fn add(&mut self, kind: &str, mut body: Value) {
        body["type"] = kind.into();
        body["sequence_number"] = self.n.into();
        self.n += 1;
        self.bytes
            .extend(format!("event: {kind}\ndata: {body}\n\n").into_bytes());
    }

    async fn send(&mut self, conn: &mut Conn) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.bytes);
        conn.chunk(&bytes).await
    }
}

async fn stream(
    conn: &mut Conn,
    shared: &Shared,
    ask: &Ask,
    job: &mut Job<'_>,
    entry: &mut Entry,
) -> io::Result<()> {
    if job.fails == Some(Failing::Status500) {
        return fail(conn, ask, job, entry).await;
    }
    conn.start_stream("text/event-stream; charset=utf-8")
        .await?;
    let item_id = format!("msg_demo_{}", job.ticket);
    let mut events = Events::default();
    let begun = response(shared, job, "in_progress", &json!([]));
    events.add("response.created", json!({"response": begun}));
    events.add("response.in_progress", json!({"response": begun}));
    events.send(conn).await?;
    job.prefill(ask.prompt_tokens).await;
    let fails_at = (job.fails == Some(Failing::InStream)).then_some(ask.max_output_tokens / 2);
    let message = json!({"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []});
    events.add(
        "response.output_item.added",
        json!({"output_index": 0, "item": message}),
    );
    let mut text = String::new();
    for i in 0..ask.max_output_tokens {
        job.step().await;
        if fails_at.is_some_and(|at| i >= at) {
            entry.ended = "error_in_stream";
            let mut failed = response(shared, job, "failed", &json!([]));
            failed["error"] = json!({"code": "server_error", "message": FAILED});
            events.add("response.failed", json!({"response": failed}));
            events.send(conn).await?;
            return conn.end_stream().await;
        }
        let thinks = i < shared.model.script.reasoning_tokens;
        let kind = if thinks {
            "response.reasoning_text.delta"
        } else {
            text.push_str(word(i));
            "response.output_text.delta"
        };
        let delta =
            json!({"item_id": item_id, "output_index": 0, "content_index": 0, "delta": word(i)});
        events.add(kind, delta);
        entry.token_ns.push(now_ns());
        entry.n_tokens = i + 1;
        events.send(conn).await?;
    }
    let done = json!({"item_id": item_id, "output_index": 0, "content_index": 0, "text": text});
    events.add("response.output_text.done", done);
    events.add(
        "response.completed",
        json!({"response": completed(shared, ask, job, &text)}),
    );
    entry.finish_ns = Some(now_ns());
    entry.ended = "done";
    events.send(conn).await?;
    conn.end_stream().await
}

async fn whole(
    conn: &mut Conn,
    shared: &Shared,
    ask: &Ask,
    job: &mut Job<'_>,
    entry: &mut Entry,
) -> io::Result<()> {
    if job.fails.is_some() {
        return fail(conn, ask, job, entry).await;
    }
    job.prefill(ask.prompt_tokens).await;
    let mut text = String::new();
    for i in 0..ask.max_output_tokens {
        job.step().await;
        if i >= shared.model.script.reasoning_tokens {
            text.push_str(word(i));
        }
    }
    entry.n_tokens = ask.max_output_tokens;
    entry.finish_ns = Some(now_ns());
    entry.ended = "done";
    let body = completed(shared, ask, job, &text);
    conn.json("200 OK", &body).await
}

async fn fail(conn: &mut Conn, ask: &Ask, job: &mut Job<'_>, entry: &mut Entry) -> io::Result<()> {
    job.prefill(ask.prompt_tokens).await;
    entry.ended = "status_500";
    refuse(conn, "500 Internal Server Error", FAILED).await
}

fn response(shared: &Shared, job: &Job<'_>, status: &str, output: &Value) -> Value {
    json!({
        "id": format!("resp_demo_{}", job.ticket), "object": "response", "status": status, "error": null,
        "incomplete_details": null, "model": shared.model.script.model, "output": output, "usage": null,
    })
}

fn completed(shared: &Shared, ask: &Ask, job: &Job<'_>, text: &str) -> Value {
    let (n_in, n_out) = (ask.prompt_tokens, ask.max_output_tokens);
    let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
    let message =
        json!({"type": "message", "role": "assistant", "status": "completed", "content": content});
    let mut body = response(shared, job, "completed", &json!([message]));
    body["usage"] = json!({
        "input_tokens": n_in, "output_tokens": n_out, "total_tokens": n_in + n_out,
        "input_tokens_details": {"cached_tokens": 0},
    });
    body
}
