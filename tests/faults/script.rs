//! The fault server: plays a script of raw bytes to each connection, in order, and writes down when it wrote.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use inferometer::transport::{Chunk, Clock, Connection, Connector, Route, TransportError};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use url::Url;

/// What the server does next with a connection.
#[derive(Clone)]
pub(super) enum Step {
    /// Reads until a request is whole.
    Request,
    Write(Vec<u8>),
    /// Waits until the test adds a permit.
    When(Arc<Semaphore>),
    /// Drops the connection with a reset instead of an end.
    Reset,
    /// Waits for the client's end.
    Hold,
}

/// What the server saw and did.
#[derive(Default)]
pub(super) struct Log {
    pub(super) requests: Vec<String>,
    /// Before and after each write, on the test's clock.
    pub(super) writes: Vec<(u64, u64)>,
    pub(super) n_connections: usize,
    /// Connections whose client's end a `Hold` saw.
    pub(super) n_held: usize,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) log: Arc<Mutex<Log>>,
    pub(super) clock: Clock,
}

impl Server {
    pub(super) fn url(&self) -> Url {
        Url::parse(&format!("http://{}/", self.address)).unwrap()
    }

    pub(super) fn route(&self) -> Route {
        Route::from_url(&self.url(), Duration::from_secs(30)).unwrap()
    }

    pub(super) async fn connect(&self) -> Connection {
        let connector = Connector::new(self.route()).unwrap();
        connector.connect(&self.clock).await.unwrap()
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.log.lock().unwrap().requests.clone()
    }
}

/// Serves one script a connection, in the order they come.
pub(super) async fn serve(scripts: Vec<Vec<Step>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let log = Arc::new(Mutex::new(Log::default()));
    let clock = Clock::new();
    let server = Server {
        address,
        log: Arc::clone(&log),
        clock: clock.clone(),
    };
    tokio::spawn(async move {
        for script in scripts {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            log.lock().unwrap().n_connections += 1;
            tokio::spawn(play(stream, script, Arc::clone(&log), clock.clone()));
        }
        // The port stays taken, so that nobody else answers on it.
        std::future::pending::<()>().await;
    });
    server
}

async fn play(mut stream: TcpStream, script: Vec<Step>, log: Arc<Mutex<Log>>, clock: Clock) {
    for step in script {
        if matches!(step, Step::Reset) {
            stream.set_zero_linger().unwrap();
            return;
        }
        play_step(&mut stream, step, &log, &clock).await;
    }
}

/// A step that plain TCP and TLS have in common.
pub(super) async fn play_step(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    step: Step,
    log: &Mutex<Log>,
    clock: &Clock,
) {
    match step {
        Step::Request => {
            let request = read_request(stream).await;
            log.lock().unwrap().requests.push(request);
        }
        Step::Write(bytes) => {
            let before = clock.now_ns();
            // The client may be gone already; the test sees that on its own side.
            stream.write_all(&bytes).await.ok();
            stream.flush().await.ok();
            log.lock().unwrap().writes.push((before, clock.now_ns()));
        }
        Step::When(permits) => permits.acquire().await.unwrap().forget(),
        Step::Hold => {
            stream.read_to_end(&mut Vec::new()).await.ok();
            log.lock().unwrap().n_held += 1;
        }
        Step::Reset => panic!("only on plain TCP"),
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |n| n.parse::<usize>().unwrap());
            if body.len() >= length {
                return text.into_owned();
            }
        }
        match stream.read_buf(&mut request).await {
            Ok(n) if n > 0 => {}
            _ => return String::from_utf8_lossy(&request).into_owned(),
        }
    }
}

pub(super) fn write(text: impl AsRef<[u8]>) -> Step {
    Step::Write(text.as_ref().to_vec())
}

/// A semaphore that holds a step until the test lets it go.
pub(super) fn gate() -> (Arc<Semaphore>, Step) {
    let permits = Arc::new(Semaphore::new(0));
    (Arc::clone(&permits), Step::When(permits))
}

/// The head of an event stream.
pub(super) const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
pub(super) const STREAM_END: &str = "0\r\n\r\n";
/// A whole short answer that keeps the connection.
pub(super) const SHORT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// One HTTP chunk.
pub(super) fn chunk(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    framed
}

pub(super) fn event(n: usize) -> String {
    format!("data: {n}\n\n")
}

pub(super) fn get() -> Request<Bytes> {
    Request::get("/v1/stream").body(Bytes::new()).unwrap()
}

pub(super) fn post() -> Request<Bytes> {
    Request::post("/v1/stream")
        .body(Bytes::from_static(b"{\"stream\":true}"))
        .unwrap()
}

/// All chunks up to the clean end or the failure.
pub(super) async fn read_all(
    connection: &mut Connection,
) -> (Vec<Chunk>, Result<(), TransportError>) {
    let mut chunks = Vec::new();
    loop {
        match connection.chunk().await {
            Ok(Some(chunk)) => chunks.push(chunk),
            Ok(None) => return (chunks, Ok(())),
            Err(error) => return (chunks, Err(error)),
        }
    }
}

pub(super) fn text(chunks: &[Chunk]) -> String {
    let bytes: Vec<u8> = chunks.iter().flat_map(|c| c.bytes.to_vec()).collect();
    String::from_utf8(bytes).unwrap()
}
