//! The demo server's Gradio side, as a 6.31 app speaks: `/config`, `/info`, queue and call wires, uploads.

mod app;
mod job;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Shared;
use super::http::{Conn, Request};

pub(super) const PREFIX: &str = "/gradio_api";
/// Events that a job may be ahead of its reader.
const EVENTS_AHEAD: usize = 8192;

/// Event streams that wait for their reader: by session hash for the queue, by event id for `/call`.
#[derive(Default)]
pub(super) struct App {
    streams: Mutex<HashMap<String, mpsc::Receiver<Vec<u8>>>>,
    uploads: Mutex<HashMap<String, usize>>,
}

impl App {
    fn open(&self, name: &str) -> mpsc::Sender<Vec<u8>> {
        let (events, stream) = mpsc::channel(EVENTS_AHEAD);
        if let Ok(mut streams) = self.streams.lock() {
            streams.insert(name.to_owned(), stream);
        }
        events
    }

    /// Bytes of an uploaded file.
    fn size_of(&self, path: &str) -> Option<usize> {
        self.uploads.lock().ok()?.get(path).copied()
    }

    fn take(&self, name: &str) -> Option<mpsc::Receiver<Vec<u8>>> {
        self.streams.lock().ok()?.remove(name)
    }
}

/// Which of the two wires a job answers on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wire {
    Queue,
    Call,
}

pub(super) async fn route(
    conn: &mut Conn,
    request: &Request,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    let path = request.path.strip_prefix(PREFIX).unwrap_or(&request.path);
    match (request.method.as_str(), path) {
        ("GET", "/config") => conn.json("200 OK", &app::config()).await,
        ("GET", "/info") => conn.json("200 OK", &app::info()).await,
        ("GET", "/") => {
            conn.body(
                "200 OK",
                "text/html",
                b"<!doctype html><title>Inferometer demo</title>demo",
            )
            .await
        }
        ("GET", "/theme.css") => conn.body("200 OK", "text/css", app::THEME).await,
        ("POST", "/queue/join") => join(conn, request, shared).await,
        ("GET", "/queue/data") => match request.query_value("session_hash") {
            Some(session) => relay(conn, shared.gradio.take(session), Wire::Queue).await,
            None => {
                conn.json(
                    "422 Unprocessable Entity",
                    &json!({"detail": "session_hash is missing"}),
                )
                .await
            }
        },
        ("POST", "/upload") => upload(conn, request, shared).await,
        ("POST", "/cancel") => conn.json("200 OK", &json!({"success": true})).await,
        ("GET", path) if path.starts_with("/file=") => {
            let name = path.trim_start_matches("/file=");
            download(conn, shared.gradio.size_of(name)).await
        }
        (method, path) => match (
            method,
            path.strip_prefix("/call/")
                .map(|rest| rest.split_once('/').unwrap_or((rest, ""))),
        ) {
            ("POST", Some((name, ""))) => call(conn, request, shared, name).await,
            ("GET", Some((_, event_id))) => {
                relay(conn, shared.gradio.take(event_id), Wire::Call).await
            }
            _ => {
                conn.json("404 Not Found", &json!({"detail": "Not Found"}))
                    .await
            }
        },
    }
}

async fn join(conn: &mut Conn, request: &Request, shared: &Arc<Shared>) -> io::Result<()> {
    let Some(body) = request.json() else {
        return unprocessable(conn, "json_invalid").await;
    };
    let Some(session) = body["session_hash"].as_str() else {
        return conn
            .json(
                "400 Bad Request",
                &json!({"detail": "Session hash not found."}),
            )
            .await;
    };
    let Some(data) = body["data"].as_array() else {
        return unprocessable(conn, "missing").await;
    };
    let Some(endpoint) = body["fn_index"].as_u64().and_then(app::by_index) else {
        return conn
            .body(
                "500 Internal Server Error",
                "text/plain",
                b"Internal Server Error",
            )
            .await;
    };
    submit(conn, shared, endpoint, data, Some(session)).await
}

async fn call(
    conn: &mut Conn,
    request: &Request,
    shared: &Arc<Shared>,
    name: &str,
) -> io::Result<()> {
    let Some(body) = request.json() else {
        return unprocessable(conn, "json_invalid").await;
    };
    let Some(data) = body["data"].as_array() else {
        return unprocessable(conn, "missing").await;
    };
    let Some(endpoint) = app::by_name(name) else {
        return conn
            .body(
                "500 Internal Server Error",
                "text/plain",
                b"Internal Server Error",
            )
            .await;
    };
    submit(conn, shared, endpoint, data, None).await
}

async fn unprocessable(conn: &mut Conn, kind: &str) -> io::Result<()> {
    conn.json(
        "422 Unprocessable Entity",
        &json!({"detail": [{"type": kind, "loc": ["body"]}]}),
    )
    .await
}

/// Puts a job in line and answers with its event id; the job's task writes events whether or not anybody reads yet.
async fn submit(
    conn: &mut Conn,
    shared: &Arc<Shared>,
    endpoint: app::Endpoint,
    data: &[Value],
    session: Option<&str>,
) -> io::Result<()> {
    let arrived_ns = super::log::now_ns();
    let (line, size) = shared.model.line();
    if line {
        let detail = format!("Queue is full. Max size is {size} and size is {size}.");
        return conn
            .json("503 Service Unavailable", &json!({"detail": detail}))
            .await;
    }
    let event_id = format!("{:032x}", shared.model.next_event());
    let wire = if session.is_some() {
        Wire::Queue
    } else {
        Wire::Call
    };
    let events = shared.gradio.open(session.unwrap_or(&event_id));
    let job = job::JobTask {
        wire,
        endpoint,
        data: data.to_vec(),
        event_id: event_id.clone(),
        events,
        arrived_ns,
    };
    let shared = Arc::clone(shared);
    tokio::spawn(async move { job.run(&shared).await });
    conn.json("200 OK", &json!({"event_id": event_id})).await
}

/// Writes what a job says, one write per event, until it says no more.
async fn relay(
    conn: &mut Conn,
    events: Option<mpsc::Receiver<Vec<u8>>>,
    wire: Wire,
) -> io::Result<()> {
    conn.start_stream("text/event-stream; charset=utf-8")
        .await?;
    let Some(mut events) = events else {
        let lost = match wire {
            Wire::Queue => {
                let body = json!({"msg": "unexpected_error", "message": "404: Not Found", "session_not_found": true, "success": false});
                format!("data: {body}\n\n")
            }
            Wire::Call => "event: error\ndata: \"404: Not Found\"\n\n".to_owned(),
        };
        conn.chunk(lost.as_bytes()).await?;
        return Err(io::ErrorKind::NotFound.into());
    };
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(bytes) => conn.chunk(&bytes).await?,
                None => return conn.end_stream().await,
            },
            () = conn.gone() => return Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

/// Takes the first file of a multipart body (RFC 7578) and remembers its size.
async fn upload(conn: &mut Conn, request: &Request, shared: &Shared) -> io::Result<()> {
    let boundary = request
        .content_type
        .split("boundary=")
        .nth(1)
        .map(|b| format!("--{}", b.trim_matches('"')));
    let size = boundary.and_then(|b| part_size(&request.body, b.as_bytes()));
    let Some(size) = size else {
        return unprocessable(conn, "missing").await;
    };
    let path = format!(
        "/tmp/gradio/demo/{:x}/upload.bin",
        shared.model.next_event()
    );
    if let Ok(mut uploads) = shared.gradio.uploads.lock() {
        uploads.insert(path.clone(), size);
    }
    conn.json("200 OK", &json!([path])).await
}

/// A file of the size that was uploaded; of its content only the size was kept.
async fn download(conn: &mut Conn, size: Option<usize>) -> io::Result<()> {
    if let Some(size) = size {
        let filler = vec![0; size];
        conn.body("200 OK", "application/octet-stream", &filler)
            .await
    } else {
        let detail = json!({"detail": "File not allowed"});
        conn.json("403 Forbidden", &detail).await
    }
}

fn part_size(body: &[u8], boundary: &[u8]) -> Option<usize> {
    let find = |from: usize, what: &[u8]| {
        body.get(from..)?
            .windows(what.len())
            .position(|w| w == what)
            .map(|at| from + at)
    };
    let start = find(0, boundary)?;
    let content = find(start, b"\r\n\r\n")? + 4;
    let end = find(content, boundary)?;
    Some(end.saturating_sub(content + 2))
}
