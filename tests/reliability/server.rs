//! A server of raw bytes: each POST gets the steps that the test's script says, each GET the list of models.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does next with a connection.
#[derive(Clone)]
pub(super) enum Step {
    Write(Vec<u8>),
    WaitMs(u64),
    /// Writes these bytes again and again until the client goes.
    Repeat(Vec<u8>, u64),
    /// Closes the connection.
    Close,
    /// Drops it with a reset.
    Reset,
    /// Says nothing until the client goes.
    Hold,
}

/// A request as it came.
#[derive(Clone)]
pub(super) struct Asked {
    /// Of all POSTs, from 0.
    pub(super) n: usize,
    /// Of this connection's POSTs, from 0.
    pub(super) on_connection: usize,
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) posts: AtomicUsize,
    pub(super) connections: AtomicUsize,
    /// Heads and bodies of all requests.
    pub(super) texts: Mutex<Vec<String>>,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) log: Arc<Log>,
    over: Arc<AtomicBool>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        TcpStream::connect(self.address).ok();
    }
}

impl Server {
    pub(super) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(super) fn n_posts(&self) -> usize {
        self.log.posts.load(SeqCst)
    }
}

type Script = dyn Fn(&Asked) -> Vec<Step> + Send + Sync;

/// How the server treats what is no POST.
#[derive(Clone)]
pub(super) struct Manners {
    /// The whole answer to a GET.
    pub(super) get: Vec<u8>,
    /// Idle connections are closed after that long.
    pub(super) idle: Option<Duration>,
    /// The listener is closed after that many connections.
    pub(super) most_connections: usize,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            get: body(200, "", r#"{"object":"list","data":[{"id":"m"}]}"#),
            idle: None,
            most_connections: usize::MAX,
        }
    }
}

pub(super) fn serve(script: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static) -> Server {
    serve_with(Manners::default(), script)
}

pub(super) fn serve_with(
    manners: Manners,
    script: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server {
        address: listener.local_addr().unwrap(),
        log: Arc::default(),
        over: Arc::default(),
    };
    let (log, over) = (Arc::clone(&server.log), Arc::clone(&server.over));
    let script: Arc<Script> = Arc::new(script);
    let accept = move || {
        loop {
            let (stream, _) = listener.accept().unwrap();
            if over.load(SeqCst) {
                return;
            }
            let n = log.connections.fetch_add(1, SeqCst) + 1;
            let (log, script, manners) = (Arc::clone(&log), Arc::clone(&script), manners.clone());
            let is_last = n >= manners.most_connections;
            let talk = move || {
                talk(&stream, &manners, &*script, &log);
            };
            if is_last {
                // The port is closed before this one is answered.
                drop(listener);
                talk();
                return;
            }
            std::thread::Builder::new().spawn(talk).unwrap();
        }
    };
    std::thread::Builder::new().spawn(accept).unwrap();
    server
}

fn talk(stream: &TcpStream, manners: &Manners, script: &Script, log: &Log) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(manners.idle).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut on_connection = 0;
    loop {
        let request = read_request(&mut reader)?;
        let is_get = request.starts_with("GET ");
        log.texts.lock().unwrap().push(request);
        if is_get {
            (&*stream).write_all(&manners.get).ok()?;
            continue;
        }
        let n = log.posts.fetch_add(1, SeqCst);
        for step in script(&Asked { n, on_connection }) {
            play(stream, step)?;
        }
        on_connection += 1;
    }
}

fn play(mut stream: &TcpStream, step: Step) -> Option<()> {
    match step {
        Step::Write(bytes) => stream.write_all(&bytes).ok(),
        Step::WaitMs(ms) => {
            std::thread::sleep(Duration::from_millis(ms));
            Some(())
        }
        Step::Repeat(bytes, ms) => loop {
            stream.write_all(&bytes).ok()?;
            std::thread::sleep(Duration::from_millis(ms));
        },
        Step::Close => {
            stream.shutdown(std::net::Shutdown::Both).ok();
            None
        }
        Step::Reset => {
            socket_linger_zero(stream);
            None
        }
        Step::Hold => {
            stream.read_to_end(&mut Vec::new()).ok();
            None
        }
    }
}

/// The connection's end becomes a reset.
fn socket_linger_zero(stream: &TcpStream) {
    let same = stream.try_clone().unwrap();
    let socket = tokio::net::TcpSocket::from_std_stream(same);
    socket.set_zero_linger().unwrap();
}

/// Head and body of the next request; `None` at the end of the connection or of its idle time.
fn read_request(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = String::new();
    let mut length = 0;
    loop {
        let from = text.len();
        reader.read_line(&mut text).ok().filter(|n| *n > 0)?;
        let line = text[from..].trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    text.push_str(&String::from_utf8_lossy(&body));
    Some(text)
}

pub(super) fn write(bytes: impl AsRef<[u8]>) -> Step {
    Step::Write(bytes.as_ref().to_vec())
}

/// A whole answer that keeps the connection. `headers` are whole lines, each with its end.
pub(super) fn body(status: u16, headers: &str, text: &str) -> Vec<u8> {
    let n = text.len();
    format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {n}\r\n\r\n{text}")
        .into_bytes()
}

pub(super) fn head() -> Step {
    write(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    )
}

/// One HTTP chunk.
pub(super) fn chunk(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    framed
}

pub(super) fn event(data: &str) -> Step {
    Step::Write(chunk(format!("data: {data}\n\n")))
}

pub(super) fn token() -> Step {
    event(r#"{"choices":[{"index":0,"delta":{"content":"hi "}}]}"#)
}

pub(super) fn finish() -> Step {
    event(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#)
}

pub(super) fn done() -> Step {
    event("[DONE]")
}

pub(super) fn end() -> Step {
    write("0\r\n\r\n")
}

/// A stream of that many tokens, as it should be.
pub(super) fn good(n_tokens: usize) -> Vec<Step> {
    let mut steps = vec![head()];
    steps.extend(std::iter::repeat_n(token(), n_tokens));
    steps.extend([finish(), done(), end()]);
    steps
}
