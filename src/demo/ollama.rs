//! The demo server's Ollama side: `/api/chat`, `/api/generate`, `/api/tags`, `/api/version`.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use super::Shared;
use super::generate::{Begun, begin, conversation_tokens};
use super::http::{Conn, Request};
use super::log::{Entry, now_ns};
use super::model::{Failing, Job, count_tokens, word};

/// What a request asked for.
struct Ask {
    chat: bool,
    stream: bool,
    num_predict: u64,
    prompt_tokens: u64,
    /// An empty prompt only loads the model.
    is_empty: bool,
}

/// Whether a path is this side's.
pub(super) fn is_mine(path: &str) -> bool {
    matches!(
        path,
        "/api/chat" | "/api/generate" | "/api/tags" | "/api/version"
    )
}

pub(super) async fn route(conn: &mut Conn, request: &Request, shared: &Shared) -> io::Result<()> {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/api/version") => {
            let version = json!({"version": env!("CARGO_PKG_VERSION")});
            conn.json("200 OK", &version).await
        }
        ("GET", "/api/tags") => {
            let name = &shared.model.script.model;
            let model = json!({"name": name, "model": name, "modified_at": now(), "size": 1, "digest": "demo", "details": {"format": "demo"}});
            conn.json("200 OK", &json!({"models": [model]})).await
        }
        ("POST", "/api/chat") => generate(conn, request, shared, true).await,
        ("POST", "/api/generate") => generate(conn, request, shared, false).await,
        _ => refuse(conn, "405 Method Not Allowed", "method not allowed").await,
    }
}

async fn refuse(conn: &mut Conn, status: &str, message: &str) -> io::Result<()> {
    conn.json(status, &json!({"error": message})).await
}

/// The answer's status and message where it is refused.
fn parse(body: &Value, shared: &Shared, chat: bool) -> Result<Ask, (&'static str, String)> {
    let script = &shared.model.script;
    match body["model"].as_str() {
        None => return Err(("400 Bad Request", "model is required".to_owned())),
        Some(name) if name.trim_end_matches(":latest") != script.model => {
            return Err(("404 Not Found", format!("model '{name}' not found")));
        }
        Some(_) => {}
    }
    let (prompt_tokens, is_empty) = if chat {
        let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        (conversation_tokens(messages), messages.is_empty())
    } else {
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let prompt = [text("system"), text("prompt")].join("\n");
        (count_tokens(prompt.trim()), text("prompt").is_empty())
    };
    // -1 and its like mean: until it ends.
    let asked = body["options"]["num_predict"].as_u64();
    Ok(Ask {
        chat,
        stream: body["stream"].as_bool().unwrap_or(true),
        num_predict: asked
            .filter(|n| *n > 0)
            .unwrap_or(script.output_tokens)
            .min(script.max_output_tokens),
        prompt_tokens,
        is_empty,
    })
}

async fn generate(
    conn: &mut Conn,
    request: &Request,
    shared: &Shared,
    chat: bool,
) -> io::Result<()> {
    let Some(body) = request.json() else {
        return refuse(conn, "400 Bad Request", "invalid character in the body").await;
    };
    let ask = match parse(&body, shared, chat) {
        Ok(ask) => ask,
        Err((status, message)) => return refuse(conn, status, &message).await,
    };
    if ask.is_empty {
        let mut line = line(shared, &ask, "", false);
        line["done"] = true.into();
        line["done_reason"] = "load".into();
        return conn.json("200 OK", &line).await;
    }
    let route = if chat { "api_chat" } else { "api_generate" };
    let (mut job, mut entry) = match begin(conn, shared, route, ask.prompt_tokens).await? {
        Begun::Running(running) => *running,
        Begun::Full(_) => {
            let message = "server busy, please try again.  maximum pending requests exceeded";
            return refuse(conn, "503 Service Unavailable", message).await;
        }
    };
    let result = answer(conn, shared, &ask, &mut job, &mut entry).await;
    drop(job);
    shared.log.write(&entry);
    result
}

const FAILED: &str = "the demo script wants this request to fail";

async fn answer(
    conn: &mut Conn,
    shared: &Shared,
    ask: &Ask,
    job: &mut Job<'_>,
    entry: &mut Entry,
) -> io::Result<()> {
    job.prefill(ask.prompt_tokens).await;
    let prefilled_ns = now_ns();
    let fails_at = match job.fails {
        Some(Failing::InStream) if ask.stream => Some(ask.num_predict / 2),
        None => None,
        Some(_) => {
            entry.ended = "status_500";
            return refuse(conn, "500 Internal Server Error", FAILED).await;
        }
    };
    if ask.stream {
        conn.start_stream("application/x-ndjson").await?;
    }
    let n_thinking = shared.model.script.reasoning_tokens;
    let (mut text, mut thinking) = (String::new(), String::new());
    for i in 0..ask.num_predict {
        job.step().await;
        if fails_at.is_some_and(|at| i >= at) {
            entry.ended = "error_in_stream";
            conn.chunk(&ndjson(&json!({"error": FAILED}))).await?;
            return conn.end_stream().await;
        }
        let thinks = i < n_thinking;
        let so_far = if thinks { &mut thinking } else { &mut text };
        so_far.push_str(word(i));
        entry.n_tokens = i + 1;
        if ask.stream {
            let bytes = ndjson(&line(shared, ask, word(i), thinks));
            entry.token_ns.push(now_ns());
            conn.chunk(&bytes).await?;
        }
    }
    entry.finish_ns = Some(now_ns());
    entry.ended = "done";
    let mut last = line(shared, ask, if ask.stream { "" } else { &text }, false);
    if !ask.stream && !thinking.is_empty() {
        let holder = if ask.chat {
            &mut last["message"]
        } else {
            &mut last
        };
        holder["thinking"] = thinking.into();
    }
    let load = Duration::try_from_secs_f64(shared.model.script.cold_ms / 1e3);
    let load_ns = load.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    let load_ns = if entry.cold { load_ns } else { 0 };
    finish(&mut last, ask, entry, (load_ns, prefilled_ns));
    if ask.stream {
        conn.chunk(&ndjson(&last)).await?;
        conn.end_stream().await
    } else {
        conn.json("200 OK", &last).await
    }
}

/// What only the last line holds. Fields that would be 0 are left out, as Ollama does.
fn finish(last: &mut Value, ask: &Ask, entry: &Entry, (load_ns, prefilled_ns): (u64, u64)) {
    let started = entry.started_ns.unwrap_or(entry.arrived_ns);
    let ended = entry.finish_ns.unwrap_or(started);
    last["done"] = true.into();
    last["done_reason"] = "length".into();
    let prefill = prefilled_ns.saturating_sub(started);
    let counts = [
        ("total_duration", ended.saturating_sub(entry.arrived_ns)),
        ("load_duration", load_ns),
        ("prompt_eval_count", ask.prompt_tokens),
        ("prompt_eval_duration", prefill.saturating_sub(load_ns)),
        ("eval_count", entry.n_tokens),
        ("eval_duration", ended.saturating_sub(prefilled_ns)),
    ];
    for (name, n) in counts.into_iter().filter(|(_, n)| *n > 0) {
        last[name] = n.into();
    }
}

fn line(shared: &Shared, ask: &Ask, text: &str, thinks: bool) -> Value {
    let mut line = json!({"model": shared.model.script.model, "created_at": now()});
    let (text, thinking) = if thinks { ("", text) } else { (text, "") };
    if ask.chat {
        line["message"] = json!({"role": "assistant", "content": text});
        if thinks {
            line["message"]["thinking"] = thinking.into();
        }
    } else {
        line["response"] = text.into();
        if thinks {
            line["thinking"] = thinking.into();
        }
    }
    line["done"] = false.into();
    line
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

fn ndjson(body: &Value) -> Vec<u8> {
    format!("{body}\n").into_bytes()
}
