//! The demo server's TGI side: `/generate_stream`, `/generate`, `/info`, `/health`.

use std::io;

use serde_json::{Value, json};

use super::Shared;
use super::generate::{Begun, begin};
use super::http::{Conn, Request};
use super::log::{Entry, now_ns};
use super::model::{Failing, Job, count_tokens, word};

/// What a request asked for.
struct Ask {
    details: bool,
    max_new_tokens: u64,
    prompt: String,
}

/// Whether a path is this side's.
pub(super) fn is_mine(path: &str) -> bool {
    matches!(path, "/generate_stream" | "/generate" | "/info" | "/health")
}

pub(super) async fn route(conn: &mut Conn, request: &Request, shared: &Shared) -> io::Result<()> {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/health") => conn.body("200 OK", "text/plain", b"").await,
        ("GET", "/info") => conn.json("200 OK", &info(shared)).await,
        ("POST", "/generate_stream") => generate(conn, request, shared, true).await,
        ("POST", "/generate") => generate(conn, request, shared, false).await,
        _ => conn.body("405 Method Not Allowed", "text/plain", b"").await,
    }
}

fn info(shared: &Shared) -> Value {
    let script = &shared.model.script;
    json!({
        "model_id": script.model, "model_sha": null, "model_pipeline_tag": "text-generation",
        "max_concurrent_requests": script.max_waiting + script.slots, "max_best_of": 1, "max_stop_sequences": 4,
        "max_input_tokens": 1_000_000, "max_total_tokens": 1_000_000 + script.max_output_tokens,
        "validation_workers": 2, "max_client_batch_size": 4, "router": "text-generation-router",
        "version": env!("CARGO_PKG_VERSION"), "sha": null, "docker_label": null,
    })
}

async fn refuse(conn: &mut Conn, status: &str, message: &str, kind: &str) -> io::Result<()> {
    conn.json(status, &json!({"error": message, "error_type": kind}))
        .await
}

fn parse(body: &Value, shared: &Shared) -> Result<Ask, String> {
    let script = &shared.model.script;
    let Some(prompt) = body["inputs"].as_str().filter(|text| !text.is_empty()) else {
        return Err("Input validation error: `inputs` cannot be empty".to_owned());
    };
    let parameters = &body["parameters"];
    let max_new_tokens = match &parameters["max_new_tokens"] {
        Value::Null => script.output_tokens,
        n => n.as_u64().filter(|n| *n > 0).ok_or_else(|| {
            "Input validation error: `max_new_tokens` must be strictly positive".to_owned()
        })?,
    };
    Ok(Ask {
        details: parameters["details"].as_bool().unwrap_or(false),
        max_new_tokens: max_new_tokens.min(script.max_output_tokens),
        prompt: prompt.to_owned(),
    })
}

async fn generate(
    conn: &mut Conn,
    request: &Request,
    shared: &Shared,
    is_stream: bool,
) -> io::Result<()> {
    const INVALID: &str = "422 Unprocessable Entity";
    let Some(body) = request.json() else {
        let message = "Failed to parse the request body as JSON";
        return conn.body(INVALID, "text/plain", message.as_bytes()).await;
    };
    let ask = match parse(&body, shared) {
        Ok(ask) => ask,
        Err(message) => return refuse(conn, INVALID, &message, "validation").await,
    };
    let route = if is_stream {
        "generate_stream"
    } else {
        "generate"
    };
    let (mut job, mut entry) = match begin(conn, shared, route, count_tokens(&ask.prompt)).await? {
        Begun::Running(running) => *running,
        Begun::Full(_) => {
            let status = "429 Too Many Requests";
            return refuse(conn, status, "Model is overloaded", "overloaded").await;
        }
    };
    let result = if is_stream {
        stream(conn, &ask, &mut job, &mut entry).await
    } else {
        whole(conn, &ask, &mut job, &mut entry).await
    };
    drop(job);
    shared.log.write(&entry);
    result
}

const FAILED: &str = "Request failed during generation: the demo script wants it";

/// Errors of a stream come with 200 too.
async fn stream(
    conn: &mut Conn,
    ask: &Ask,
    job: &mut Job<'_>,
    entry: &mut Entry,
) -> io::Result<()> {
    conn.start_stream("text/event-stream").await?;
    job.prefill(entry.prompt_tokens).await;
    let n = ask.max_new_tokens;
    let fails_at = match job.fails {
        Some(Failing::Status500) => Some(0),
        Some(Failing::InStream) => Some(n / 2),
        None => None,
    };
    let mut text = String::new();
    for i in 0..n {
        job.step().await;
        if fails_at.is_some_and(|at| i >= at) {
            entry.ended = "error_in_stream";
            let error = json!({"error": FAILED, "error_type": "generation"});
            conn.chunk(&event(&error)).await?;
            return conn.end_stream().await;
        }
        text.push_str(word(i));
        let is_last = i + 1 == n;
        let token = json!({"id": 100 + i, "text": word(i), "logprob": -0.25, "special": false});
        let bytes = event(&json!({
            "index": i + 1,
            "token": token,
            "generated_text": is_last.then_some(&text),
            "details": (is_last && ask.details).then(|| details(n, entry)),
        }));
        entry.token_ns.push(now_ns());
        entry.n_tokens = i + 1;
        if is_last {
            entry.finish_ns = Some(now_ns());
            entry.ended = "done";
        }
        conn.chunk(&bytes).await?;
    }
    conn.end_stream().await
}

async fn whole(conn: &mut Conn, ask: &Ask, job: &mut Job<'_>, entry: &mut Entry) -> io::Result<()> {
    job.prefill(entry.prompt_tokens).await;
    if job.fails.is_some() {
        entry.ended = "status_424";
        return refuse(conn, "424 Failed Dependency", FAILED, "generation").await;
    }
    let n = ask.max_new_tokens;
    let mut text = String::new();
    for i in 0..n {
        job.step().await;
        text.push_str(word(i));
    }
    entry.n_tokens = n;
    entry.finish_ns = Some(now_ns());
    entry.ended = "done";
    let mut body = json!({"generated_text": text});
    if ask.details {
        body["details"] = details(n, entry);
    }
    let headers = phase_headers(ask, entry);
    conn.json_with("200 OK", &headers, &body).await
}

fn details(n: u64, entry: &Entry) -> Value {
    json!({"finish_reason": "length", "generated_tokens": n, "seed": null, "input_length": entry.prompt_tokens})
}

/// Whole milliseconds, but for the compute time's seconds.
fn phase_headers(ask: &Ask, entry: &Entry) -> Vec<(&'static str, String)> {
    let ended = entry.finish_ns.unwrap_or(entry.arrived_ns);
    let started = entry.started_ns.unwrap_or(entry.arrived_ns);
    let ms = |ns: u64| (ns / 1_000_000).to_string();
    let total = ended.saturating_sub(entry.arrived_ns);
    let inference = ended.saturating_sub(started);
    vec![
        ("x-compute-type", "cpu".to_owned()),
        ("x-compute-time", (total as f64 / 1e9).to_string()),
        (
            "x-compute-characters",
            ask.prompt.chars().count().to_string(),
        ),
        ("x-total-time", ms(total)),
        ("x-validation-time", "0".to_owned()),
        ("x-queue-time", ms(started.saturating_sub(entry.arrived_ns))),
        ("x-inference-time", ms(inference)),
        ("x-time-per-token", ms(inference / entry.n_tokens.max(1))),
        ("x-prompt-tokens", entry.prompt_tokens.to_string()),
        ("x-generated-tokens", entry.n_tokens.to_string()),
    ]
}

fn event(body: &Value) -> Vec<u8> {
    format!("data: {body}\n\n").into_bytes()
}
