//! The embedded demo server: OpenAI chat, completions and responses, TGI, Ollama, and Gradio's queue and call wires, on one
//! loopback port, over a seeded service model that saturates like a real one.
//!
//! **Architecture invariant:** it shares no code with `protocol/` (nor with anything else here), so that each can prove
//! the other wrong. It writes its own HTTP, byte by byte, because its log is the truth that tests hold us against.

mod generate;
mod gradio;
mod http;
mod log;
mod model;
mod ollama;
mod openai;
mod responses;
mod script;
mod tgi;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

pub use script::{Script, ScriptError};

/// How to start a [`DemoServer`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// 0 takes any free port.
    pub port: u16,
    pub script: Script,
    /// JSON Lines of what was sent and when.
    pub log: Option<PathBuf>,
}

/// Connections that may wait to be accepted. A queue of 128, std's, runs over when a client opens 256 at once, and each that
/// found no room comes again after a whole second.
const BACKLOG: u32 = 4096;

/// A running demo server; it ends when this is dropped.
#[derive(Debug)]
pub struct DemoServer {
    address: SocketAddr,
    capacity: String,
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What every connection shares.
struct Shared {
    model: model::Model,
    log: log::Log,
    gradio: gradio::App,
}

impl DemoServer {
    /// Binds on loopback and serves on a thread and runtime of its own, apart from whoever measures.
    ///
    /// # Errors
    /// When the port is taken, the log cannot be created or the thread cannot be made.
    pub fn start(options: Options) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            listen(options.port)?
        };
        let address = listener.local_addr()?;
        let capacity = options.script.capacity();
        let shared = Arc::new(Shared {
            log: log::Log::create(options.log.as_deref())?,
            model: model::Model::new(options.script),
            gradio: gradio::App::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("demo-server".to_owned())
            .spawn(move || runtime.block_on(accept(listener, &shared, stopped)))?;
        Ok(Self {
            address,
            capacity,
            stop,
            thread: Some(thread),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Base URL of its OpenAI-compatible side.
    pub fn openai_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Root URL of its Gradio, TGI and Ollama sides.
    pub fn gradio_url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What it can do at most, in one sentence.
    pub fn capacity(&self) -> &str {
        &self.capacity
    }
}

impl Drop for DemoServer {
    fn drop(&mut self) {
        self.stop.send(true).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // As std does: on Windows it would mean that two may listen on one port.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, shared: &Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let shared = Arc::clone(shared);
                connections.spawn(async move { serve(stream, &shared).await.ok(); });
            }
        }
    }
}

/// One connection, request after request until the client leaves.
async fn serve(stream: tokio::net::TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut conn = http::Conn::new(stream);
    while let Some(request) = conn.read_request().await? {
        let keep = request.keep_alive;
        if request.path.starts_with("/v1/") {
            openai::route(&mut conn, &request, shared).await?;
        } else if ollama::is_mine(&request.path) {
            ollama::route(&mut conn, &request, shared).await?;
        } else if tgi::is_mine(&request.path) {
            tgi::route(&mut conn, &request, shared).await?;
        } else {
            gradio::route(&mut conn, &request, shared).await?;
        }
        if !keep {
            return Ok(());
        }
    }
    Ok(())
}
