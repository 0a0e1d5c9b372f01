//! A run file while the run goes: a bounded queue to a writer thread that does one `write(2)` for whatever waits.
//!
//! A kill loses the torn line and at most the last [`GATHER`]. A full queue is counted, never waited for. A full disk keeps
//! the lines in memory until it has room again or the person names another place.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::file_lock::create_locked;
use super::line::{EndLine, Line, SampleKind, SampleLine};
use super::places::run_name;
use super::redact::Redactor;
use crate::domain::{
    BesideRecord, Caution, CautionId, Health, Mark, RequestRecord, RunHead, StageBorder,
};

/// Lines that may wait for the writer.
pub const QUEUE_LINES: usize = 8192;
/// How long the writer lets lines gather before it writes them; a kill loses no more than twice this.
pub const GATHER: Duration = Duration::from_millis(50);
/// Bytes that are kept when they cannot be written.
pub const MAX_KEPT_BYTES: usize = 64 * 1024 * 1024;
/// How soon writing is tried again after it failed.
const RETRY: Duration = Duration::from_secs(1);
/// Files of one minute and label.
const MAX_SAME_NAMES: u32 = 1000;
/// Bytes after which the writer writes although more lines wait.
const WRITE_BYTES: usize = 1024 * 1024;

/// What went wrong with a journal's file.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("a run file cannot be made there ({source}), choose another place: “{}”", path.display())]
    Create {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "the run file cannot be written ({message}), {n_bytes} bytes wait in memory; free some space or choose another place: “{}”",
        path.display()
    )]
    Write {
        path: PathBuf,
        message: String,
        n_bytes: usize,
    },
    #[error("the writer of the run file has ended: “{}”", path.display())]
    Gone { path: PathBuf },
}

/// Told once when writing begins to fail, and once when it goes well again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum JournalNews {
    Failing { path: PathBuf, message: String },
    Recovered { path: PathBuf },
}

/// A run file that grows. Every method may be called from any thread; those for lines never wait.
#[derive(Debug)]
pub struct Journal {
    /// `None` only while it is dropped.
    queue: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    n_lost: AtomicU64,
    n_bytes: AtomicU64,
    path: Mutex<PathBuf>,
    trouble: Mutex<Option<String>>,
}

impl Shared {
    fn path(&self) -> PathBuf {
        lock(&self.path).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Answer = SyncSender<Result<u64, JournalError>>;

enum Message {
    Line(Line),
    /// Write everything to the disk.
    Flush(Answer),
    MoveTo(PathBuf, Answer),
}

impl Journal {
    /// Makes the file, which must not be there yet (a device may), and writes the first line. `news` is called on the
    /// writer's thread.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(
        path: &Path,
        head: &RunHead,
        redactor: Redactor,
        news: impl Fn(JournalNews) + Send + 'static,
    ) -> Result<Self, JournalError> {
        let cannot = |source| JournalError::Create {
            path: path.to_owned(),
            source,
        };
        let file = create_locked(path).map_err(cannot)?;
        Self::start(path, file, head, redactor, news).map_err(cannot)
    }

    /// Makes a file of its own in the folder, named by the run's start and label: `2026-11-21-1432-label.run.jsonl`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn create_in(
        folder: &Path,
        head: &RunHead,
        redactor: Redactor,
        news: impl Fn(JournalNews) + Send + 'static,
    ) -> Result<Self, JournalError> {
        let label = redactor.text(&head.label);
        let mut attempt = 0;
        let (path, file) = loop {
            let path = folder.join(run_name(&head.started, &label, attempt));
            match create_locked(&path) {
                Ok(file) => break (path, file),
                Err(e) if e.kind() == ErrorKind::AlreadyExists && attempt < MAX_SAME_NAMES => {
                    attempt += 1;
                }
                Err(source) => return Err(JournalError::Create { path, source }),
            }
        };
        let started = Self::start(&path, file, head, redactor, news);
        started.map_err(|source| JournalError::Create { path, source })
    }

    fn start(
        path: &Path,
        file: File,
        head: &RunHead,
        redactor: Redactor,
        news: impl Fn(JournalNews) + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            n_lost: AtomicU64::new(0),
            n_bytes: AtomicU64::new(0),
            path: Mutex::new(path.to_owned()),
            trouble: Mutex::new(None),
        });
        let (queue, messages) = sync_channel(QUEUE_LINES);
        let writer = Writer {
            file,
            n_written: 0,
            pending: Vec::new(),
            redactor,
            shared: Arc::clone(&shared),
            news: Box::new(news),
        };
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&messages))?;
        let journal = Self {
            queue: Some(queue),
            thread: Some(thread),
            shared,
        };
        journal.put(Line::Run(Box::new(head.clone())));
        Ok(journal)
    }

    /// A request that ended.
    pub fn request(&self, record: RequestRecord) {
        self.put(Line::Request(Box::new(record)));
    }

    /// A stage's border, when it begins and when it has ended.
    pub fn border(&self, border: StageBorder) {
        self.put(Line::Stage(Box::new(border)));
    }

    /// A moment that was marked.
    pub fn mark(&self, mark: Mark) {
        self.put(Line::Mark(mark));
    }

    /// What a visitor did beside the measured requests.
    pub fn beside(&self, record: BesideRecord) {
        self.put(Line::Beside(Box::new(record)));
    }

    /// Health of this program at a moment of the run.
    pub fn sample(&self, at_ns: u64, health: Health) {
        self.put(Line::Sample(Box::new(SampleLine {
            at_ns,
            kind: SampleKind::Client,
            health,
        })));
    }

    fn put(&self, line: Line) {
        let Some(queue) = &self.queue else {
            return;
        };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            queue.try_send(Message::Line(line))
        {
            self.shared.n_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes the last line and waits until the disk has everything; the file's size. After an error the lines are still
    /// kept: [`Journal::move_to`] writes them elsewhere. Blocks.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn finish(&self, end: EndLine) -> Result<u64, JournalError> {
        self.send(Message::Line(Line::End(Box::new(end))))?;
        self.flush()
    }

    /// Waits until the disk has everything so far; the file's size. Blocks.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn flush(&self) -> Result<u64, JournalError> {
        self.ask(Message::Flush)
    }

    /// Goes on in another file, which gets everything from the first line on; the old one is removed when that stands. The
    /// new file's size. Blocks.
    ///
    /// # Errors
    /// When the new file cannot be made, or not be written on: what is in the old place stays there.
    pub fn move_to(&self, path: &Path) -> Result<u64, JournalError> {
        let path = path.to_owned();
        self.ask(|answer| Message::MoveTo(path, answer))
    }

    fn ask(&self, message: impl FnOnce(Answer) -> Message) -> Result<u64, JournalError> {
        let (answer, answers) = sync_channel(1);
        self.send(message(answer))?;
        answers.recv().map_err(|_ended| self.gone())?
    }

    /// Waits for a place in the queue.
    fn send(&self, message: Message) -> Result<(), JournalError> {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        let queue = self.queue.as_ref().ok_or_else(|| self.gone())?;
        queue.send(message).map_err(|_ended| self.gone())?;
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        Ok(())
    }

    fn gone(&self) -> JournalError {
        JournalError::Gone { path: self.path() }
    }

    /// Where the file is now.
    pub fn path(&self) -> PathBuf {
        self.shared.path()
    }

    /// Bytes written so far.
    pub fn n_bytes(&self) -> u64 {
        self.shared.n_bytes.load(Ordering::Relaxed)
    }

    /// Lines that found the queue or the memory full; for `RunFacts::journal_lost`.
    pub fn n_lost(&self) -> u64 {
        self.shared.n_lost.load(Ordering::Relaxed)
    }

    /// What the disk says while it does not take what is written; for `RunFacts::journal_error`.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.shared.trouble).clone()
    }

    /// The doubt that lost lines cast on a run.
    pub fn caution(&self) -> Option<Caution> {
        let n_lost = self.n_lost();
        (n_lost > 0).then(|| Caution {
            id: CautionId::Journal,
            stage: None,
            finding: format!("{n_lost} lines of the run file were not written"),
            cause: "They came faster than the disk took them, or it was full".to_owned(),
            advice: "Save runs on a faster disk or one with more room".to_owned(),
        })
    }
}

impl Drop for Journal {
    /// Writes what waits.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            thread.join().ok();
        }
    }
}

/// The thread's side.
struct Writer {
    file: File,
    /// Bytes of the file that are ours.
    n_written: u64,
    /// Whole lines that the file does not have yet, the first perhaps torn.
    pending: Vec<u8>,
    redactor: Redactor,
    shared: Arc<Shared>,
    news: Box<dyn Fn(JournalNews) + Send>,
}

impl Drop for Writer {
    /// Closing would do, but for a program that another thread is just starting: between its fork and its exec it holds
    /// what we close, lock and all.
    fn drop(&mut self) {
        self.file.unlock().ok();
    }
}

impl Writer {
    fn run(mut self, messages: &Receiver<Message>) {
        loop {
            match messages.recv_timeout(RETRY) {
                Ok(message) => {
                    let is_line = matches!(message, Message::Line(_));
                    self.take(message);
                    if is_line {
                        // More lines gather; a caller that waits for an answer ends this early.
                        thread::park_timeout(GATHER);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Ok(message) = messages.try_recv() {
                self.take(message);
            }
            self.write_pending().ok();
        }
        self.write_pending().ok();
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Line(line) => self.line(line),
            Message::Flush(answer) => {
                answer.send(self.sync()).ok();
            }
            Message::MoveTo(path, answer) => {
                answer.send(self.move_to(&path)).ok();
            }
        }
    }

    fn line(&mut self, mut line: Line) {
        let start = self.pending.len();
        let written = self.redactor.write_line(&mut line, &mut self.pending);
        if written.is_err() || self.pending.len() > MAX_KEPT_BYTES {
            self.pending.truncate(start);
            self.shared.n_lost.fetch_add(1, Ordering::Relaxed);
        }
        if self.pending.len() >= WRITE_BYTES && lock(&self.shared.trouble).is_none() {
            self.write_pending().ok();
        }
    }

    fn sync(&mut self) -> Result<u64, JournalError> {
        self.write_pending()?;
        match sync_all(&self.file) {
            Ok(()) => Ok(self.n_written),
            Err(e) => Err(self.failed(&e)),
        }
    }

    fn write_pending(&mut self) -> Result<(), JournalError> {
        let mut n_done = 0;
        let mut result = Ok(());
        while let Some(rest) = self.pending.get(n_done..).filter(|r| !r.is_empty()) {
            match self.file.write(rest) {
                Ok(0) => {
                    result = Err(std::io::Error::from(ErrorKind::WriteZero));
                    break;
                }
                Ok(n) => n_done += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => {
                    result = Err(e);
                    break;
                }
            }
        }
        self.pending.drain(..n_done);
        self.n_written += n_done as u64;
        self.shared.n_bytes.store(self.n_written, Ordering::Relaxed);
        match result {
            Ok(()) => {
                self.went_well();
                Ok(())
            }
            Err(e) => Err(self.failed(&e)),
        }
    }

    fn went_well(&self) {
        if lock(&self.shared.trouble).take().is_some() {
            let path = self.shared.path();
            (self.news)(JournalNews::Recovered { path });
        }
    }

    fn failed(&self, e: &std::io::Error) -> JournalError {
        let (path, message) = (self.shared.path(), e.to_string());
        let before = lock(&self.shared.trouble).replace(message.clone());
        if before.is_none() {
            (self.news)(JournalNews::Failing {
                path: path.clone(),
                message: message.clone(),
            });
        }
        JournalError::Write {
            path,
            message,
            n_bytes: self.pending.len(),
        }
    }

    fn move_to(&mut self, path: &Path) -> Result<u64, JournalError> {
        let cannot = |source| JournalError::Create {
            path: path.to_owned(),
            source,
        };
        let mut file = create_locked(path).map_err(cannot)?;
        if let Err(source) = self.copy_to(&mut file) {
            // Memory and the old file still have everything between them.
            drop(file);
            std::fs::remove_file(path).ok();
            return Err(cannot(source));
        }
        let old = std::mem::replace(&mut self.file, file);
        let is_file = old.metadata().is_ok_and(|m| m.is_file());
        drop(old);
        let old_path = std::mem::replace(&mut *lock(&self.shared.path), path.to_owned());
        self.n_written += self.pending.len() as u64;
        self.pending.clear();
        self.shared.n_bytes.store(self.n_written, Ordering::Relaxed);
        self.went_well();
        if is_file {
            std::fs::remove_file(old_path).ok();
        }
        Ok(self.n_written)
    }

    /// What the old file has of the run, and what waits in memory.
    fn copy_to(&self, new: &mut File) -> std::io::Result<()> {
        if self.n_written > 0 {
            let mut old = File::open(self.shared.path())?;
            old.seek(SeekFrom::Start(0))?;
            let n = std::io::copy(&mut old.take(self.n_written), new)?;
            if n != self.n_written {
                return Err(std::io::Error::other(
                    "what was written before cannot be read back",
                ));
            }
        }
        new.write_all(&self.pending)?;
        sync_all(new)
    }
}

/// Waits for the disk. A pipe or a device has none.
fn sync_all(file: &File) -> std::io::Result<()> {
    match file.sync_all() {
        Err(e) if e.kind() == ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}
