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
    Accumulator, Detail, Health, InFlight, LiveSnapshot, Phase, Prompt, RequestRecord, RunData,
    RunFacts, RunHead, RunState, StageBorder, StageIdx, Summary, TextFacts, TimeSeries,
};
use crate::protocol::SharedAdapter;
use crate::stats::Histogram;
use crate::transport::Clock;

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
    pub(super) clock: Clock,
    /// Tells during the run what it learnt of the server; none where requests are scripted.
    pub(super) adapter: Option<SharedAdapter>,
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
        notes.try_iter().for_each(|note| recorder.take(note));
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
            accumulator,
            borders: Vec::new(),
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
                self.borders.retain(|b| b.stage != border.stage);
                self.borders.push(border);
            }
            Note::InFlight(in_flight) => self.in_flight(in_flight),
        }
    }

    fn ended(&mut self, performed: Performed, prompt: &Prompt) {
        let Performed {
            mut record,
            answer,
            hints,
        } = performed;
        record.prompt = Some(self.hashes.prompt(prompt));
        record.answer = (!answer.is_empty()).then(|| self.hashes.text(&answer));
        self.of.sink.request(&record);
        self.accumulator.push(&record);
        self.note(&hints);
        if record.phase == Phase::Measure {
            if let Some(due_ns) = record.due_ns {
                let slip_ns = record.dispatched_ns.saturating_sub(due_ns);
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

    fn in_flight(&mut self, in_flight: InFlight) {
        self.facts.in_flight.push(in_flight);
    }

    /// Samples and publishes, if it is time to.
    pub(super) fn look(&mut self, now_ns: u64) {
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
            self.next_summary_ns = now_ns + took_ns.saturating_mul(SUMMARY_REST);
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
        }
    }

    fn publish(&mut self, state: RunState, gaps: Vec<Arc<Vec<f32>>>) -> RunData {
        self.revision += 1;
        let run = RunData {
            head: Arc::clone(&self.of.head),
            state,
            borders: self.borders.clone(),
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
        let n_stages = self.of.head.plan.stages.len();
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::domain::{
        Environment, Failure, FailureKind, Outcome, Plan, Prompt, SCHEMA, ServerFacts,
    };
    use crate::engine::Job;
    use crate::engine::health::TICK_NS;

    const MS: u64 = 1_000_000;

    #[derive(Default)]
    struct Kept {
        requests: Vec<RequestRecord>,
        borders: Vec<StageBorder>,
        n_samples: usize,
    }

    struct MemorySink(Arc<Mutex<Kept>>);

    impl Sink for MemorySink {
        fn request(&mut self, record: &RequestRecord) {
            self.0.lock().unwrap().requests.push(record.clone());
        }
        fn border(&mut self, border: &StageBorder) {
            self.0.lock().unwrap().borders.push(border.clone());
        }
        fn sample(&mut self, _at_ns: u64, _health: &Health) {
            self.0.lock().unwrap().n_samples += 1;
        }
        fn lost(&self) -> u64 {
            0
        }
    }

    struct Desk {
        recorder: Recorder,
        kept: Arc<Mutex<Kept>>,
        snapshots: watch::Receiver<LiveSnapshot>,
        wakes: Arc<AtomicUsize>,
        live: Arc<Live>,
        ticks: Arc<Ticks>,
        lost: Arc<AtomicU64>,
        control: Arc<Control>,
    }

    fn desk() -> Desk {
        let plan = Plan::simple("http://127.0.0.1:1");
        let head = RunHead {
            schema: SCHEMA,
            id: "r".to_owned(),
            tool: "t".to_owned(),
            started: String::new(),
            started_unix_ns: 0,
            label: String::new(),
            tags: Vec::new(),
            notes: String::new(),
            plan,
            environment: Environment {
                cores: 2,
                ..Environment::default()
            },
            server: ServerFacts::default(),
        };
        let kept = Arc::new(Mutex::new(Kept::default()));
        let (sender, snapshots) = watch::channel(None);
        let wakes = Arc::new(AtomicUsize::new(0));
        let (live, ticks) = (Arc::new(Live::new(1)), Arc::new(Ticks::default()));
        let (lost, control) = (Arc::new(AtomicU64::new(0)), Arc::new(Control::new()));
        let waken = Arc::clone(&wakes);
        let recorder = Recorder::new(Recording {
            head: Arc::new(head),
            file: None,
            clock: Clock::new(),
            adapter: None,
            live: Arc::clone(&live),
            control: Arc::clone(&control),
            ticks: Arc::clone(&ticks),
            lost: Arc::clone(&lost),
            sink: Box::new(MemorySink(Arc::clone(&kept))),
            snapshots: sender,
            wake: Arc::new(move || {
                waken.fetch_add(1, Relaxed);
            }),
        });
        Desk {
            recorder,
            kept,
            snapshots,
            wakes,
            live,
            ticks,
            lost,
            control,
        }
    }

    fn ended(seq: u64, outcome: Outcome) -> Note {
        let start_ns = seq * 100 * MS;
        let job = Job {
            stage: StageIdx(0),
            phase: Phase::Measure,
            seq,
            user: 0,
            due_ns: None,
            dispatched_ns: start_ns,
            prompt: Prompt {
                system: None,
                user: format!("prompt {seq}").into(),
            },
        };
        let mut record = job.record(outcome, start_ns + 90 * MS);
        record.first_token_ns = Some(start_ns + 40 * MS);
        record.last_token_ns = Some(start_ns + 80 * MS);
        record.chunk_ns = vec![40 * MS];
        let mut performed = Performed::from(record);
        performed.answer = "hello".to_owned();
        performed.hints.cached_tokens = Some(2);
        Note::Ended(Box::new((performed, job.prompt)))
    }

    /// A run of ten requests whose ticker behaved as `tick` makes it.
    fn run_with(tick: impl FnOnce(&Ticks)) -> (RunData, RunFacts) {
        let mut desk = desk();
        (0..10).for_each(|seq| desk.recorder.take(ended(seq, Outcome::Ok)));
        tick(&desk.ticks);
        desk.live.enter(Place::Over);
        desk.recorder.finish(1_000 * MS)
    }

    fn clean(ticks: &Ticks) {
        ticks.with(|log| {
            let mut due = TICK_NS;
            for _ in 0..1_000 {
                due = log.tick(due, due + 300_000);
            }
        });
    }

    #[test]
    fn a_clean_run_is_valid_and_whole() {
        let (run, facts) = run_with(clean);
        assert!(run.summary.verdict.valid, "{:?}", run.summary.verdict);
        assert_eq!(run.state, RunState::Finished);
        assert_eq!((run.points.len(), run.summary.stages[0].ok), (10, 10));
        assert_eq!(run.gaps[0].len(), 10);
        assert_eq!(facts.cached_tokens, 20);
    }

    #[test]
    fn a_blocked_thread_and_a_stopped_process_each_flip_the_verdict() {
        let reasons = |(run, _): (RunData, RunFacts)| {
            assert!(!run.summary.verdict.valid);
            run.summary.verdict.reasons.join("\n")
        };
        let blocked = reasons(run_with(|ticks| {
            clean(ticks);
            ticks.with(|log| log.tick(0, 600 * MS));
        }));
        assert!(blocked.contains("ticker"), "{blocked}");
        let stopped = reasons(run_with(|ticks| {
            clean(ticks);
            ticks.with(|log| log.tick(0, 3_000 * MS));
        }));
        assert!(stopped.contains("stood still"), "{stopped}");
    }

    #[test]
    fn snapshots_come_at_most_twenty_times_a_second() {
        let mut desk = desk();
        let mut summaries = Vec::new();
        for ms in 0..1_000 {
            desk.recorder.take(ended(ms, Outcome::Ok));
            desk.recorder.look(ms * MS);
            let run = desk.snapshots.borrow_and_update().clone().unwrap();
            summaries.push(run.points.len());
        }
        assert!(desk.wakes.load(Relaxed) <= 20, "{:?}", desk.wakes);
        assert!(desk.wakes.load(Relaxed) >= 10, "{:?}", desk.wakes);
        summaries.dedup();
        assert_eq!(
            summaries.len(),
            desk.wakes.load(Relaxed),
            "each shows something new"
        );
        assert_eq!(
            desk.kept.lock().unwrap().requests.len(),
            1_000,
            "the sink waits for no snapshot"
        );
        assert_eq!(
            desk.kept.lock().unwrap().n_samples,
            1,
            "health is sampled once a second"
        );
    }

    #[test]
    fn a_slow_summary_is_not_made_again_at_once() {
        let mut desk = desk();
        desk.recorder.next_summary_ns = u64::MAX;
        let before = Arc::clone(&desk.recorder.summary);
        desk.recorder.take(ended(0, Outcome::Ok));
        desk.recorder.look(0);
        assert!(Arc::ptr_eq(&before, &desk.recorder.summary));
        let run = desk.snapshots.borrow().clone().unwrap();
        assert_eq!(run.points.len(), 1, "points are shown all the same");
    }

    #[test]
    fn what_was_lost_or_broke_is_said() {
        let mut desk = desk();
        desk.recorder.take(ended(0, Outcome::Ok));
        desk.lost.store(3, Relaxed);
        // The measuring thread hung up without having come to the run's end.
        let (run, facts) = desk.recorder.finish(MS);
        assert_eq!(facts.journal_lost, 3);
        assert!(facts.interrupted);
        assert_eq!(run.state, RunState::Interrupted);
        assert!(!run.summary.verdict.valid);
        assert!(desk.control.reason().unwrap().text().contains("broke"));
    }

    #[test]
    fn failures_and_borders_reach_the_sink() {
        let mut desk = desk();
        let failure = Failure::new(FailureKind::Reset, "gone");
        desk.recorder.take(ended(0, Outcome::Failed(failure)));
        let mut border = StageBorder {
            stage: StageIdx(0),
            start_ns: 5,
            end_ns: None,
            stopped: None,
        };
        desk.recorder.take(Note::Border(border.clone()));
        border.end_ns = Some(9);
        desk.recorder.take(Note::Border(border.clone()));
        desk.live.enter(Place::Over);
        let (run, _) = desk.recorder.finish(1_000 * MS);
        assert_eq!(run.borders, [border]);
        let kept = desk.kept.lock().unwrap();
        assert_eq!(kept.borders.len(), 2);
        assert_eq!(run.summary.errors[0].first_message, "gone");
        let prompt = kept.requests[0].prompt.as_ref().unwrap();
        assert_eq!(
            (prompt.chars, prompt.hash.len(), prompt.text.as_ref()),
            (8, 16, None)
        );
        assert_eq!(kept.requests[0].answer.as_ref().unwrap().chars, 5);
    }

    #[test]
    fn texts_are_told_by_length_and_hash() {
        let mut hashes = Hashes::new(false);
        let facts = hashes.text("abc");
        // FIPS 180-2, appendix B.1.
        assert_eq!((facts.chars, &*facts.hash), (3, "ba7816bf8f01cfea"));
        let prompt = |system: Option<&str>, user: &str| Prompt {
            system: system.map(Arc::from),
            user: Arc::from(user),
        };
        let of = prompt(Some("s"), "é");
        assert_eq!(hashes.prompt(&of), hashes.text("s\n\né"));
        assert_eq!(hashes.prompt(&of).chars, 4);
        assert_ne!(
            hashes.prompt(&prompt(None, "u")).hash,
            hashes.prompt(&prompt(None, "v")).hash
        );
        assert_eq!(Hashes::new(true).text("abc").text.as_deref(), Some("abc"));
    }
}
