//! Just enough of an HTTP/1.1 server (RFC 9112): one write per event, so that the log's times are the wire's.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 32 * 1024 * 1024;

/// A connection and what was read of it beyond the last request.
pub(super) struct Conn {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A request with its whole body.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
    pub(super) keep_alive: bool,
}

impl Request {
    /// The body as JSON.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// A value of the query string, as it stands there.
    pub(super) fn query_value(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, v)| v)
    }
}

impl Conn {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next request; `None` when the client closed or sent what is not HTTP.
    pub(super) async fn read_request(&mut self) -> io::Result<Option<Request>> {
        let head_end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            if self.buffer.len() > MAX_HEAD || self.fill().await? == 0 {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).into_owned();
        self.buffer.drain(..head_end + 4);
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some(version)) =
            (first.next(), first.next(), first.next())
        else {
            return Ok(None);
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            content_type: String::new(),
            body: Vec::new(),
            keep_alive: version == "HTTP/1.1",
        };
        let mut n_body = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => n_body = value.trim().parse().unwrap_or(0),
                "content-type" => value.trim().clone_into(&mut request.content_type),
                "connection" if value.trim().eq_ignore_ascii_case("close") => {
                    request.keep_alive = false;
                }
                "expect" => {
                    self.stream
                        .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                        .await?;
                }
                _ => {}
            }
        }
        if n_body > MAX_BODY {
            return Ok(None);
        }
        while self.buffer.len() < n_body {
            if self.fill().await? == 0 {
                return Ok(None);
            }
        }
        request.body = self.buffer.drain(..n_body).collect();
        Ok(Some(request))
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.buffer).await
    }

    /// A whole answer with a JSON body.
    pub(super) async fn json(&mut self, status: &str, body: &Value) -> io::Result<()> {
        self.json_with(status, &[], body).await
    }

    /// As [`json`](Self::json), with more headers.
    pub(super) async fn json_with(
        &mut self,
        status: &str,
        headers: &[(&str, String)],
        body: &Value,
    ) -> io::Result<()> {
        let mut lines = String::new();
        for (name, value) in headers {
            lines.extend([name, ": ", value.as_str(), "\r\n"]);
        }
        let body = body.to_string();
        self.answer(status, "application/json", &lines, body.as_bytes())
            .await
    }

    pub(super) async fn body(
        &mut self,
        status: &str,
        content_type: &str,
        body: &[u8],
    ) -> io::Result<()> {
        self.answer(status, content_type, "", body).await
    }

    async fn answer(
        &mut self,
        status: &str,
        content_type: &str,
        more_lines: &str,
        body: &[u8],
    ) -> io::Result<()> {
        let n = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nserver: inferometer-demo\r\ncontent-type: {content_type}\r\ncontent-length: {n}\r\n{more_lines}\r\n"
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.stream.write_all(&bytes).await
    }

    /// The head of a stream.
    pub(super) async fn start_stream(&mut self, content_type: &str) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 200 OK\r\nserver: inferometer-demo\r\ncontent-type: {content_type}\r\n\
             cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        self.stream.write_all(head.as_bytes()).await
    }

    /// One chunk, in one write.
    pub(super) async fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        self.stream.write_all(&framed).await
    }

    pub(super) async fn end_stream(&mut self) -> io::Result<()> {
        self.stream.write_all(b"0\r\n\r\n").await
    }

    /// Resolves when the client has gone; never, while it stays.
    pub(super) async fn gone(&self) {
        let mut byte = [0];
        if matches!(self.stream.peek(&mut byte).await, Ok(1..)) {
            std::future::pending::<()>().await;
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}
