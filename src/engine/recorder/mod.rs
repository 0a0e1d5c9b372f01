//! The recorder's thread: hashes texts, hands each record to the sink, counts, and publishes what the window sees.

mod counting;
mod hashes;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::{
    Accumulator, BesideRecord, Detail, Health, LiveSnapshot, Mark, OutcomeKind, Phase, Plan,
    Prompt, RequestRecord, RunData, RunFacts, RunHead, RunState, StageBorder, StageIdx, Summary,
    TimeSeries,
};
use crate::protocol::SharedAdapter;
use crate::stats::Histogram;
use crate::transport::Clock;
use crate::workload::Tokenizer;

use counting::count_answer;
use hashes::Hashes;

use super::control::{Control, Order, StopReason};
use super::driver::{Hints, Performed};
use super::health::{Sampler, Ticks};
use super::live::{Live, Place};
use super::outbox::Note;
use super::progress::Shares;

/// Takes what must outlive the run; the session gives one that writes the run file. Called on the recorder's thread.
pub trait Sink: Send {
    /// A request ended. They come in the order of ending.
    fn request(&mut self, record: &RequestRecord);
    /// A stage began (`end_ns` is `None`), and later the same stage ended.
    fn border(&mut self, border: &StageBorder);
    /// The person marked a moment.
    fn mark(&mut self, mark: &Mark);
    /// A visitor beside the measured requests has done something.
    fn beside(&mut self, _record: &BesideRecord) {}
    /// Once a second, and at the end.
    fn sample(&mut self, at_ns: u64, health: &Health);
    /// Lines that could not be kept: the queue to the disk was full, or the disk was.
    fn lost(&self) -> u64;
    /// What the disk said, if it refused.
    fn error(&self) -> Option<String> {
        None
    }
    /// How large the run file is.
    fn bytes(&self) -> u64 {
        0
    }
}

/// Snapshots are published at most this often: 20 Hz.
pub const PUBLISH_NS: u64 = 50_000_000;
/// Summaries are made at most this often, 10 Hz, which is as fast as figures can be read: at 20 Hz they were 5 % of all
/// that 512 streams cost.
pub const SUMMARY_NS: u64 = 100_000_000;
/// And the next is not made before this many times the time that the last one took.
pub const SUMMARY_REST: u64 = 20;
/// How long the recorder rests after it has emptied its queue, so that not every record wakes it.
const REST: Duration = Duration::from_millis(5);

/// What the recorder's thread is given.
pub(super) struct Recording {
    pub(super) head: Arc<RunHead>,
    pub(super) file: Option<PathBuf>,
    pub(super) clock: Clock,
    /// Tells during the run what it learnt of the server; none where requests are scripted.
    pub(super) adapter: Option<SharedAdapter>,
    /// Counts answers of a server that counts none.
    pub(super) counter: Option<Arc<Tokenizer>>,
    pub(super) live: Arc<Live>,
    pub(super) control: Arc<Control>,
    pub(super) ticks: Arc<Ticks>,
    pub(super) lost: Arc<AtomicU64>,
    pub(super) sink: Box<dyn Sink>,
    pub(super) snapshots: watch::Sender<LiveSnapshot>,
    pub(super) wake: Arc<dyn Fn() + Send + Sync>,
}

/// Works until the I/O thread has hung up; returns the whole run and what its verdict rests on.
pub(super) fn record(recording: Recording, notes: &Receiver<Note>) -> (RunData, RunFacts) {
    let clock = recording.clock.clone();
    let mut recorder = Recorder::new(recording);
    loop {
        recorder.look(clock.now_ns());
        match notes.recv_timeout(Duration::from_nanos(PUBLISH_NS)) {
            Ok(note) => recorder.take(note),
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        }
        for note in notes.try_iter() {
            recorder.take(note);
        }
        std::thread::sleep(REST);
    }
    recorder.finish(clock.now_ns())
}

pub(super) struct Recorder {
    of: Recording,
    shares: Shares,
    hashes: Hashes,
    sampler: Sampler,
    accumulator: Accumulator,
    borders: Vec<StageBorder>,
    marks: Vec<Mark>,
    as_run: Arc<Plan>,
    facts: RunFacts,
    /// Of Measure requests, in microseconds.
    slip: Histogram,
    client_late: Histogram,
    summary: Arc<Summary>,
    series: Arc<TimeSeries>,
    /// The measuring thread ended before its run did.
    broke: bool,
    revision: u64,
    next_publish_ns: u64,
    next_summary_ns: u64,
}

impl Recorder {
    pub(super) fn new(of: Recording) -> Self {
        let plan = &of.head.plan;
        let mut accumulator = Accumulator::new(plan);
        let facts = RunFacts {
            server: of.head.server.clone(),
            ..RunFacts::default()
        };
        let summary = accumulator.summary(Detail::Live, &[], &facts);
        Self {
            shares: Shares::of(plan),
            hashes: Hashes::new(plan.keep_text),
            sampler: Sampler::new(of.head.environment.cores),
            as_run: Arc::new(accumulator.plan().clone()),
            accumulator,
            borders: Vec::new(),
            marks: Vec::new(),
            facts,
            slip: Histogram::default(),
            client_late: Histogram::default(),
            summary: Arc::new(summary),
            series: Arc::default(),
            broke: false,
            revision: 0,
            next_publish_ns: 0,
            next_summary_ns: 0,
            of,
        }
    }

    pub(super) fn take(&mut self, note: Note) {
        match note {
            Note::Ended(ended) => {
                let (performed, prompt) = *ended;
                self.ended(performed, &prompt);
            }
            Note::Border(border) => {
                self.of.sink.border(&border);
                self.accumulator.border(&border);
                self.as_run = Arc::new(self.accumulator.plan().clone());
                self.borders.retain(|b| b.stage != border.stage);
                self.borders.push(*border);
            }
            Note::InFlight(in_flight) => self.facts.in_flight.push(*in_flight),
            Note::Beside(record) => {
                self.of.sink.beside(&record);
                self.accumulator.beside(&record);
            }
        }
    }

    fn ended(&mut self, performed: Performed, prompt: &Prompt) {
        let Performed {
            mut record,
            answer,
            hints,
        } = performed;
        // What was not sent asked nothing.
        if record.outcome.kind() != OutcomeKind::Dropped {
            record.prompt = Some(self.hashes.prompt(prompt));
        }
        record.answer = (!answer.is_empty()).then(|| self.hashes.text(&answer));
        record.cached_tokens = record.cached_tokens.or(hints.cached_tokens);
        count_answer(&mut record, &answer, self.of.counter.as_deref());
        self.of.sink.request(&record);
        self.accumulator.push(&record);
        self.note(&hints);
        if record.phase == Phase::Measure {
            if let Some(due_ns) = record.due_ns {
                let let_go_ns = record.released_ns.unwrap_or(record.dispatched_ns);
                let slip_ns = let_go_ns.saturating_sub(due_ns);
                self.slip.record(slip_ns / 1_000);
            }
            if let Some(late_ns) = record.client_late_ns {
                self.client_late.record(late_ns / 1_000);
            }
        }
    }

    fn note(&mut self, hints: &Hints) {
        let facts = &mut self.facts;
        facts.cached_tokens += hints.cached_tokens.unwrap_or(0);
        if let Some(encoding) = &hints.content_encoding {
            facts.n_compressed += 1;
            facts
                .content_encoding
                .get_or_insert_with(|| encoding.clone());
        }
        if let Some(secs) = hints.retry_after_secs {
            facts.n_retry_after += 1;
            let longest = facts.retry_after_secs.map_or(secs, |max| max.max(secs));
            facts.retry_after_secs = Some(longest);
        }
    }

    fn take_marks(&mut self) {
        for mark in self.of.control.take_marks() {
            self.of.sink.mark(&mark);
            self.marks.push(mark);
        }
    }

    /// Samples and publishes, if it is time to.
    pub(super) fn look(&mut self, now_ns: u64) {
        self.take_marks();
        if self.sampler.look(now_ns) {
            let health = self.health();
            self.of.sink.sample(now_ns, &health);
        }
        if now_ns < self.next_publish_ns {
            return;
        }
        self.next_publish_ns = now_ns + PUBLISH_NS;
        if now_ns >= self.next_summary_ns {
            self.summarize(Detail::Live, now_ns);
            let took_ns = self.of.clock.now_ns().saturating_sub(now_ns);
            self.next_summary_ns = now_ns + took_ns.saturating_mul(SUMMARY_REST).max(SUMMARY_NS);
        }
        let order = self.of.control.order();
        let state = self.shares.state(&self.of.live, order, now_ns);
        self.publish(state, Vec::new());
    }

    fn summarize(&mut self, detail: Detail, now_ns: u64) {
        self.update_facts();
        let running = self.of.live.running_since_ns();
        self.series = Arc::new(self.accumulator.series_live(&running, now_ns));
        let summary = self.accumulator.summary(detail, &self.borders, &self.facts);
        self.summary = Arc::new(summary);
    }

    fn update_facts(&mut self) {
        let health = self.health();
        self.facts.health = self.sampler.maxima(&health);
        self.facts.journal_lost = self.of.lost.load(Relaxed) + self.of.sink.lost();
        self.facts.journal_error = self.of.sink.error();
        let by_person = self.of.control.reason() == Some(StopReason::Person);
        self.facts.interrupted = by_person || self.broke;
        if let Some(adapter) = &self.of.adapter {
            self.facts.usage_refused = adapter.usage_refused();
            self.facts.ends_refused = adapter.ends_refused();
        }
    }

    fn publish(&mut self, state: RunState, gaps: Vec<Arc<Vec<f32>>>) -> RunData {
        self.revision += 1;
        let run = RunData {
            head: Arc::clone(&self.of.head),
            as_run: Arc::clone(&self.as_run),
            state,
            borders: self.borders.clone(),
            marks: self.marks.clone(),
            points: self.accumulator.points().clone(),
            gaps,
            series: Arc::clone(&self.series),
            summary: Arc::clone(&self.summary),
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
        let p99_ms = |h: &Histogram| h.quantile(0.99).map(|us| us as f64 / 1e3);
        Health {
            slip_p99_ms: p99_ms(&self.slip),
            client_late_p99_ms: p99_ms(&self.client_late),
            ..self.sampler.health(&ticks)
        }
    }

    pub(super) fn finish(mut self, now_ns: u64) -> (RunData, RunFacts) {
        self.take_marks();
        let health = self.health();
        self.of.sink.sample(now_ns, &health);
        // A run that did not get to its end was broken by a fault of ours: its file must not claim to be whole.
        self.broke = self.of.live.place() != Place::Over;
        if self.broke {
            self.of.control.stop(StopReason::Limit(
                "The measuring thread broke, which is a fault of this program".to_owned(),
            ));
        }
        self.summarize(Detail::Full, now_ns);
        let n_stages = self.as_run.stages.len();
        let gaps = (0..n_stages).map(|i| self.accumulator.gaps(StageIdx::from_index(i)));
        let gaps = gaps.collect();
        let state = match self.of.control.order() {
            Order::Go | Order::Stop if !self.broke => RunState::Finished,
            _ => RunState::Interrupted,
        };
        let run = self.publish(state, gaps);
        (run, self.facts)
    }
}
