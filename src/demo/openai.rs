//! The demo server's OpenAI side: `/v1/models`, `/v1/chat/completions`, `/v1/completions`; `/v1/responses` stands beside.

use std::io;
use std::sync::Arc;

use serde_json::{Value, json};

use super::generate::{Begun, begin, conversation_tokens};
use super::http::{Conn, Request};
use super::log::{Entry, now_ns};
use super::model::{Failing, Job, count_tokens, word};
use super::{Shared, responses};

/// What a request asked for.
struct Ask {
    chat: bool,
    stream: bool,
    include_usage: bool,
    continuous_usage: bool,
    max_tokens: u64,
    prompt_tokens: u64,
}

pub(super) async fn route(
    conn: &mut Conn,
    request: &Request,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    let model = &shared.model.script.model;
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/v1/models") => {
            let list = json!({"object": "list", "data": [{"id": model, "object": "model", "owned_by": "inferometer-demo"}]});
            conn.json("200 OK", &list).await
        }
        ("POST", "/v1/chat/completions") => generate(conn, request, shared, true).await,
        ("POST", "/v1/completions") => generate(conn, request, shared, false).await,
        ("POST", "/v1/responses") => responses::generate(conn, request, shared).await,
        (_, "/v1/chat/completions" | "/v1/completions" | "/v1/responses") => {
            refuse(
                conn,
                "405 Method Not Allowed",
                "send a POST with a JSON body",
            )
            .await
        }
        _ => refuse(conn, "404 Not Found", &format!("no route {}", request.path)).await,
    }
}

pub(super) async fn refuse(conn: &mut Conn, status: &str, message: &str) -> io::Result<()> {
    let code: u16 = status
        .get(..3)
        .and_then(|code| code.parse().ok())
        .unwrap_or(500);
    conn.json(
        status,
        &json!({"error": {"message": message, "type": "invalid_request_error", "code": code}}),
    )
    .await
}

fn parse(body: &Value, shared: &Shared, chat: bool) -> Result<Ask, String> {
    let script = &shared.model.script;
    let prompt_tokens = if chat {
        let messages = body["messages"]
            .as_array()
            .filter(|m| !m.is_empty())
            .ok_or("“messages” is missing or empty")?;
        conversation_tokens(messages)
    } else {
        let prompt = body["prompt"]
            .as_str()
            .ok_or("“prompt” is missing or not a text")?;
        count_tokens(prompt)
    };
    let options = &body["stream_options"];
    if !options.is_null() && !script.usage {
        return Err("Unexpected fields in the request: {'stream_options'}".to_owned());
    }
    let asked = ["max_completion_tokens", "max_tokens"]
        .iter()
        .find_map(|key| body.get(key).filter(|v| !v.is_null()));
    let max_tokens = match asked {
        None => script.output_tokens,
        Some(n) => n
            .as_u64()
            .filter(|n| *n > 0)
            .ok_or_else(|| format!("“max_tokens” is {n}; use at least 1"))?,
    };
    Ok(Ask {
        chat,
        stream: body["stream"].as_bool().unwrap_or(false),
        include_usage: options["include_usage"].as_bool().unwrap_or(false),
        continuous_usage: options["continuous_usage_stats"].as_bool().unwrap_or(false),
        max_tokens: max_tokens.min(script.max_output_tokens),
        prompt_tokens,
    })
}

async fn generate(
    conn: &mut Conn,
    request: &Request,
    shared: &Arc<Shared>,
    chat: bool,
) -> io::Result<()> {
    let route = if chat { "chat" } else { "completions" };
    let Some(body) = request.json() else {
        return refuse(conn, "400 Bad Request", "the body is not JSON").await;
    };
    let ask = match parse(&body, shared, chat) {
        Ok(ask) => ask,
        Err(message) => return refuse(conn, "400 Bad Request", &message).await,
    };
    let (mut job, mut entry) = match begin(conn, shared, route, ask.prompt_tokens).await? {
        Begun::Running(running) => *running,
        Begun::Full(n) => {
            let message = format!("the line is full: {n} wait");
            return refuse(conn, "503 Service Unavailable", &message).await;
        }
    };
    let result = answer(conn, shared, &ask, &mut job, &mut entry).await;
    drop(job);
    shared.log.write(&entry);
    result
}

async fn answer(
    conn: &mut Conn,
    shared: &Shared,
    ask: &Ask,
    job: &mut Job<'_>,
    entry: &mut Entry,
) -> io::Result<()> {
    if job.fails == Some(Failing::Status500) {
        job.prefill(ask.prompt_tokens).await;
        entry.ended = "status_500";
        return refuse(
            conn,
            "500 Internal Server Error",
            "the demo script wants this request to fail",
        )
        .await;
    }
    if ask.stream {
        stream(conn, shared, ask, job, entry).await
    } else {
        job.prefill(ask.prompt_tokens).await;
        let mut text = String::new();
        for i in 0..ask.max_tokens {
            job.step().await;
            text.push_str(word(i));
        }
        entry.n_tokens = ask.max_tokens;
        entry.finish_ns = Some(now_ns());
        entry.ended = "done";
        let choice = if ask.chat {
            json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"})
        } else {
            json!({"index": 0, "text": text, "finish_reason": "length"})
        };
        let mut body = envelope(shared, ask, job.ticket, &json!([choice]));
        body["object"] = json!(if ask.chat {
            "chat.completion"
        } else {
            "text_completion"
        });
        body["usage"] = usage(ask, ask.max_tokens);
        conn.json("200 OK", &body).await
    }
}

async fn stream(
    conn: &mut Conn,
    shared: &Shared,
    ask: &Ask,
    job: &mut Job<'_>,
    entry: &mut Entry,
) -> io::Result<()> {
    let script = &shared.model.script;
    conn.start_stream("text/event-stream; charset=utf-8")
        .await?;
    if ask.chat {
        let role = json!([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}]);
        conn.chunk(&event(&envelope(shared, ask, job.ticket, &role)))
            .await?;
    }
    job.prefill(ask.prompt_tokens).await;
    let fails_at = (job.fails == Some(Failing::InStream)).then_some(ask.max_tokens / 2);
    let mut i = 0;
    while i < ask.max_tokens {
        let reasoning = ask.chat && i < script.reasoning_tokens;
        let n = script.tokens_per_chunk.min(ask.max_tokens - i);
        let mut text = String::new();
        for k in 0..n {
            job.step().await;
            text.push_str(word(i + k));
        }
        if fails_at.is_some_and(|at| i >= at) {
            entry.ended = "error_in_stream";
            let error = json!({"error": {"message": "the demo script wants this stream to fail", "type": "server_error"}});
            conn.chunk(&event(&error)).await?;
            return conn.end_stream().await;
        }
        i += n;
        let mut body = envelope(shared, ask, job.ticket, &delta(ask, &text, reasoning));
        if ask.continuous_usage {
            body["usage"] = usage(ask, i);
        }
        let bytes = event(&body);
        entry.token_ns.push(now_ns());
        entry.n_tokens = i;
        conn.chunk(&bytes).await?;
    }
    let last = if ask.chat {
        json!([{"index": 0, "delta": {}, "finish_reason": "length"}])
    } else {
        json!([{"index": 0, "text": "", "finish_reason": "length"}])
    };
    let mut tail = event(&envelope(shared, ask, job.ticket, &last));
    if ask.include_usage {
        let mut body = envelope(shared, ask, job.ticket, &json!([]));
        body["usage"] = usage(ask, i);
        tail.extend(event(&body));
    }
    if script.done {
        tail.extend_from_slice(b"data: [DONE]\n\n");
    }
    entry.finish_ns = Some(now_ns());
    entry.ended = "done";
    conn.chunk(&tail).await?;
    conn.end_stream().await
}

fn delta(ask: &Ask, text: &str, reasoning: bool) -> Value {
    if !ask.chat {
        json!([{"index": 0, "text": text, "finish_reason": null}])
    } else if reasoning {
        json!([{"index": 0, "delta": {"reasoning_content": text}, "finish_reason": null}])
    } else {
        json!([{"index": 0, "delta": {"content": text}, "finish_reason": null}])
    }
}

fn envelope(shared: &Shared, ask: &Ask, id: u64, choices: &Value) -> Value {
    let (id, object) = if ask.chat {
        (format!("chatcmpl-demo-{id}"), "chat.completion.chunk")
    } else {
        (format!("cmpl-demo-{id}"), "text_completion")
    };
    json!({"id": id, "object": object, "model": shared.model.script.model, "choices": choices})
}

fn usage(ask: &Ask, n: u64) -> Value {
    json!({"prompt_tokens": ask.prompt_tokens, "completion_tokens": n, "total_tokens": ask.prompt_tokens + n,
           "prompt_tokens_details": {"cached_tokens": 0}})
}

fn event(body: &Value) -> Vec<u8> {
    format!("data: {body}\n\n").into_bytes()
}
