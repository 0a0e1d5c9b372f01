//! The recorder's thread: hashes texts, hands each record to the sink, counts, and publishes what the window sees.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::domain::{
    Health, LiveSnapshot, Points, Prompt, RequestRecord, RunData, RunHead, RunState, StageBorder,
    TextFacts, TimeSeries,
};

use super::control::{Control, Order};
use super::driver::Performed;
use super::epoch::Epoch;
use super::health::{Sampler, Ticks};
use super::live::Live;
use super::outbox::Note;
use super::progress::Shares;

/// Takes what must outlive the run; the session gives one that writes the run file. Called on the recorder's thread.
pub trait Sink: Send {
    /// A request ended. They come in the order of ending.
    fn request(&mut self, record: &RequestRecord);
    /// A stage began (`end_ns` is `None`), and later the same stage ended.
    fn border(&mut self, border: &StageBorder);
    /// Once a second, and at the end.
    fn sample(&mut self, at_ns: u64, health: &Health);
    /// Lines that could not be kept: the queue to the disk was full, or the disk was.
    fn lost(&self) -> u64;
    /// How large the run file is.
    fn bytes(&self) -> u64 {
        0
    }
}

/// Snapshots are published at most this often: 20 Hz.
pub const PUBLISH_NS: u64 = 50_000_000;
/// The next summary is not made before this many times the time that the last one took.
pub const SUMMARY_REST: u64 = 10;
/// How long the recorder rests after it has emptied its queue, so that not every record wakes it.
const REST: Duration = Duration::from_millis(5);
/// Prompts whose hash is kept, since most runs repeat theirs.
const MAX_KNOWN_PROMPTS: usize = 1_024;

/// What the recorder's thread is given.
pub(super) struct Recording {
    pub(super) head: Arc<RunHead>,
    pub(super) file: Option<PathBuf>,
    pub(super) epoch: Epoch,
    pub(super) live: Arc<Live>,
    pub(super) control: Arc<Control>,
    pub(super) ticks: Arc<Ticks>,
    pub(super) lost: Arc<AtomicU64>,
    pub(super) sink: Box<dyn Sink>,
    pub(super) snapshots: watch::Sender<LiveSnapshot>,
    pub(super) wake: Arc<dyn Fn() + Send + Sync>,
}

/// Works until the I/O thread has hung up; returns the whole run.
pub(super) fn record(recording: Recording, notes: &Receiver<Note>) -> RunData {
    let mut recorder = Recorder::new(recording);
    let epoch = recorder.of.epoch;
    loop {
        recorder.publish_if_due(epoch.now_ns());
        match notes.recv_timeout(Duration::from_nanos(PUBLISH_NS)) {
            Ok(note) => recorder.take(note),
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        }
        notes.try_iter().for_each(|note| recorder.take(note));
        std::thread::sleep(REST);
    }
    recorder.finish(epoch.now_ns())
}

struct Recorder {
    of: Recording,
    shares: Shares,
    hashes: Hashes,
    sampler: Sampler,
    borders: Vec<StageBorder>,
    points: Points,
    revision: u64,
    next_publish_ns: u64,
}

impl Recorder {
    fn new(of: Recording) -> Self {
        let plan = &of.head.plan;
        Self {
            shares: Shares::of(plan),
            hashes: Hashes::new(plan.keep_text),
            sampler: Sampler::new(of.head.environment.cores),
            borders: Vec::new(),
            points: Points::default(),
            revision: 0,
            next_publish_ns: 0,
            of,
        }
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Ended(ended) => {
                let (performed, prompt) = *ended;
                self.ended(performed, &prompt);
            }
            Note::Border(border) => {
                self.of.sink.border(&border);
                self.borders.retain(|b| b.stage != border.stage);
                self.borders.push(border);
            }
        }
    }

    fn ended(&mut self, performed: Performed, prompt: &Prompt) {
        let mut record = performed.record;
        record.prompt = Some(self.hashes.prompt(prompt));
        record.answer = (!performed.answer.is_empty()).then(|| self.hashes.text(&performed.answer));
        self.of.sink.request(&record);
        self.points.push(crate::domain::Point::of(&record));
    }

    fn publish_if_due(&mut self, now_ns: u64) {
        if self.sampler.look(now_ns) {
            let health = self.health();
            self.of.sink.sample(now_ns, &health);
        }
        if now_ns < self.next_publish_ns {
            return;
        }
        self.next_publish_ns = now_ns + PUBLISH_NS;
        let order = self.of.control.order();
        let state = self.shares.state(&self.of.live, order, now_ns);
        self.publish(state);
    }

    fn publish(&mut self, state: RunState) -> RunData {
        self.revision += 1;
        let run = RunData {
            head: Arc::clone(&self.of.head),
            state,
            borders: self.borders.clone(),
            points: self.points.clone(),
            gaps: Vec::new(),
            series: Arc::new(TimeSeries::default()),
            summary: Arc::new(empty_summary()),
            health: self.health(),
            file: self.of.file.clone(),
            file_bytes: self.of.sink.bytes(),
            revision: self.revision,
        };
        self.of.snapshots.send_replace(Some(Arc::new(run.clone())));
        (self.of.wake)();
        run
    }

    fn health(&self) -> Health {
        let ticks = self.of.ticks.with(|log| log.clone());
        self.sampler
            .health(&ticks, self.of.head.environment.max_files)
    }

    fn finish(mut self, now_ns: u64) -> RunData {
        let health = self.health();
        self.of.sink.sample(now_ns, &health);
        let _lost = self.of.lost.load(Relaxed) + self.of.sink.lost();
        let state = match self.of.control.order() {
            Order::Abort => RunState::Interrupted,
            Order::Go | Order::Stop => RunState::Finished,
        };
        self.publish(state)
    }
}

fn empty_summary() -> crate::domain::Summary {
    crate::domain::Summary {
        schema: crate::domain::SCHEMA,
        verdict: crate::domain::Verdict {
            valid: true,
            reasons: Vec::new(),
            n_checks: 0,
            n_passed: 0,
        },
        stages: Vec::new(),
        cold: Default::default(),
        cautions: Vec::new(),
        errors: Vec::new(),
    }
}

/// Texts as length and hash; remembers those of prompts that come again.
struct Hashes {
    keep_text: bool,
    /// By address: each entry holds its prompt, so that an address is never used twice.
    prompts: HashMap<(usize, usize), (Prompt, TextFacts)>,
}

impl Hashes {
    fn new(keep_text: bool) -> Self {
        Self {
            keep_text,
            prompts: HashMap::new(),
        }
    }

    /// The system prompt, a blank line, the user prompt; only the latter where there is no system prompt.
    fn prompt(&mut self, prompt: &Prompt) -> TextFacts {
        let address = |text: &Arc<str>| text.as_ptr() as usize;
        let key = (
            prompt.system.as_ref().map_or(0, address),
            address(&prompt.user),
        );
        if let Some((_, facts)) = self.prompts.get(&key) {
            return facts.clone();
        }
        let facts = match &prompt.system {
            Some(system) => self.text(&format!("{system}\n\n{}", prompt.user)),
            None => self.text(&prompt.user),
        };
        if self.prompts.len() < MAX_KNOWN_PROMPTS {
            self.prompts.insert(key, (prompt.clone(), facts.clone()));
        }
        facts
    }

    fn text(&self, text: &str) -> TextFacts {
        let digest = Sha256::digest(text.as_bytes());
        let hash = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        TextFacts {
            chars: text.chars().count() as u64,
            hash,
            text: self.keep_text.then(|| text.to_owned()),
        }
    }
}
