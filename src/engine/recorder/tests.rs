//! The recorder by itself, on a clock that the test gives it.

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
    marks: Vec<Mark>,
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
    fn mark(&mut self, mark: &Mark) {
        self.0.lock().unwrap().marks.push(mark.clone());
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
        variation: None,
        workload: Default::default(),
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
        counter: None,
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
        released_ns: None,
        from_due: false,
        dispatched_ns: start_ns,
        conversation: None,
        prompt: Prompt {
            system: None,
            user: format!("prompt {seq}").into(),
            ..Prompt::default()
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
        made: None,
    };
    desk.recorder.take(Note::Border(Box::new(border.clone())));
    border.end_ns = Some(9);
    desk.recorder.take(Note::Border(Box::new(border.clone())));
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
