//! Traffic beside the measured requests: visitors that load the app's pages, upload and download, on a thread and a runtime
//! of their own. They come when the first stage is warmed up or measured (a cold probe wants a server that nobody visits)
//! and leave with the run. What they do enters no stage's figures.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::domain::{BesideKind, BesideRecord, MixedTraffic, Phase, StageIdx};
use crate::protocol::gradio::{Visitor, Visits};
use crate::stats::SplitMix64;
use crate::transport::Clock;

use super::control::{Control, Order};
use super::live::{Live, Place};
use super::outbox::Outbox;

/// How often it is looked whether the first stage has begun.
const LOOK: Duration = Duration::from_millis(10);
/// A visitor that met an error waits at least this long: a server that refuses at once is not to be flooded.
const AFTER_ERROR: Duration = Duration::from_millis(250);

/// What visitors are given.
pub(super) struct Visiting {
    pub(super) visits: Visits,
    pub(super) traffic: MixedTraffic,
    /// Of the files' bytes.
    pub(super) seed: u64,
    pub(super) clock: Clock,
    pub(super) live: Arc<Live>,
    pub(super) control: Arc<Control>,
    pub(super) outbox: Outbox,
}

/// Visitors under way; they leave when this is dropped.
#[derive(Debug)]
pub(super) struct Visitors {
    _stay: oneshot::Sender<()>,
}

/// Starts the visitors' thread.
///
/// # Errors
/// When the thread or its runtime cannot be made.
pub(super) fn start(visiting: Visiting) -> io::Result<Visitors> {
    let (stay, gone) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let work = move || {
        runtime.block_on(async {
            tokio::select! {
                () = visiting.visit() => {}
                // Dropped with the run: what is under way is given up, and is no figure.
                _ = gone => {}
                () = visiting.control.reached(Order::Stop) => {}
            }
        });
        // A name lookup cannot be given up; nobody waits for it.
        runtime.shutdown_background();
    };
    thread::Builder::new()
        .name("visitors".to_owned())
        .spawn(work)?;
    Ok(Visitors { _stay: stay })
}

impl Visiting {
    async fn visit(&self) {
        while self.stage().is_none() {
            sleep(LOOK).await;
        }
        let file = self.file();
        let kinds = BesideKind::ALL.into_iter().flat_map(|kind| {
            let n = match kind {
                BesideKind::PageLoad => self.traffic.page_loads,
                BesideKind::Upload => self.traffic.uploads,
                BesideKind::Download => self.traffic.downloads,
            };
            (0..n).map(move |i| (kind, i, n))
        });
        let visitors = (0..).zip(kinds).map(|(number, (kind, i, n))| {
            // Those of a kind come one after another, or they would keep step for the whole run.
            let wait = self.pause().mul_f64(f64::from(i) / f64::from(n));
            self.come(kind, number, wait, file.clone())
        });
        join_all(visitors).await;
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(u64::from(self.traffic.pause_ms))
    }

    /// The stage that is being run, once the cold probe is over.
    fn stage(&self) -> Option<StageIdx> {
        match self.live.place() {
            Place::Sending(sending) if sending.phase != Phase::Cold => Some(sending.stage),
            _ => None,
        }
    }

    /// What is uploaded: bytes that do not compress, the same for all. Each visitor has a name of its own for it and uploads
    /// it again and again, so that the app's disk does not fill.
    fn file(&self) -> Bytes {
        let mut rng = SplitMix64::new(self.seed);
        let n = usize::try_from(self.traffic.file_bytes).unwrap_or(usize::MAX);
        let words = std::iter::repeat_with(|| rng.next_u64().to_le_bytes());
        words.take(n.div_ceil(8)).flatten().take(n).collect()
    }

    /// One visitor, as long as the run lasts.
    #[expect(
        clippy::infinite_loop,
        reason = "it ends where the task is dropped, with the run"
    )]
    async fn come(&self, kind: BesideKind, number: u32, wait: Duration, file: Bytes) {
        sleep(wait).await;
        let visitor = self.visits.arrive();
        let name = format!("inferometer-visitor-{number}.bin");
        let mut uploaded = None;
        let mut stage = self.stage().unwrap_or_default();
        loop {
            // When the person pauses the run, its visitors rest too.
            self.control.resumed().await;
            // Between two stages it is still the one before.
            stage = self.stage().unwrap_or(stage);
            let done = match &visitor {
                Ok(visitor) => self.act(kind, visitor, &name, &file, &mut uploaded).await,
                Err(words) => Done::failed(self.clock.now_ns(), words.clone()),
            };
            let is_failed = done.result.is_err();
            self.outbox.beside(BesideRecord {
                kind,
                stage,
                visitor: number,
                start_ns: done.start_ns,
                end_ns: self.clock.now_ns(),
                bytes: *done.result.as_ref().unwrap_or(&0),
                error: done.result.err(),
            });
            let pause = self.pause();
            sleep(if is_failed {
                pause.max(AFTER_ERROR)
            } else {
                pause
            })
            .await;
        }
    }

    async fn act(
        &self,
        kind: BesideKind,
        visitor: &Visitor,
        name: &str,
        file: &Bytes,
        uploaded: &mut Option<String>,
    ) -> Done {
        if kind == BesideKind::Download && uploaded.is_none() {
            let start_ns = self.clock.now_ns();
            match visitor.upload(name, file.clone()).await {
                Ok(path) => *uploaded = Some(path),
                Err(words) => {
                    let words = format!("The file to download could not be uploaded: {words}");
                    return Done::failed(start_ns, words);
                }
            }
        }
        let start_ns = self.clock.now_ns();
        let result = match kind {
            BesideKind::PageLoad => visitor.load_page().await,
            BesideKind::Upload => {
                let sent = visitor.upload(name, file.clone()).await;
                sent.map(|_path| file.len() as u64)
            }
            BesideKind::Download => {
                visitor
                    .download(uploaded.as_deref().unwrap_or_default())
                    .await
            }
        };
        Done { start_ns, result }
    }
}

/// What came of one thing that a visitor did: the bytes, or what went wrong.
struct Done {
    start_ns: u64,
    result: Result<u64, String>,
}

impl Done {
    fn failed(start_ns: u64, words: String) -> Self {
        Self {
            start_ns,
            result: Err(words),
        }
    }
}
