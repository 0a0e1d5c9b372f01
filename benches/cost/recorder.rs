//! What looking at a run costs: the recorder's thread at 5,000 requests/s with a window that takes every snapshot, and the
//! memory that a request leaves behind. No sockets: the driver only sleeps.

use std::sync::Arc;
use std::time::Duration;

use inferometer::domain::{
    ClosedMode, Environment, Failure, Health, Mark, Outcome, Plan, RequestRecord, RunHead,
    RunState, SCHEMA, ServerFacts, Stage, StageBorder, Stamps, TierLength, TokenSource,
};
use inferometer::engine::{self, Driver, Job, Live, Outlets, Performed, Setup, Sink};
use inferometer::transport::Clock;
use inferometer::workload::PromptSource;
use tokio::sync::watch;

const USERS: &str = "1000";
const REQUEST: Duration = Duration::from_millis(200);
const SECS: &str = "15";
const TOKENS: u32 = 32;

struct Sleeper(Clock);

impl Driver for Sleeper {
    async fn connect(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    async fn perform(&mut self, job: &Job, live: &Live) -> Performed {
        tokio::time::sleep(REQUEST).await;
        live.add_tokens(u64::from(TOKENS));
        let end_ns = self.0.now_ns();
        let gap_ns = (end_ns - job.dispatched_ns) / u64::from(TOKENS);
        let gap = |i: u32| gap_ns + job.seq.wrapping_mul(7919).wrapping_add(u64::from(i)) % 65_536;
        Performed {
            answer: "light falls on two slits ".to_owned(),
            ..Performed::from(RequestRecord {
                first_token_ns: Some(job.dispatched_ns + gap_ns),
                first_answer_ns: Some(job.dispatched_ns + gap_ns),
                last_token_ns: Some(end_ns),
                finish_ns: Some(end_ns),
                chunk_ns: (1..TOKENS).map(gap).collect(),
                stamps: Stamps::Kernel,
                client_late_ns: Some(job.seq % 65_536),
                tokens_out: Some(u64::from(TOKENS)),
                token_source: Some(TokenSource::Usage),
                ..job.record(Outcome::Ok, end_ns)
            })
        }
    }

    async fn give_up(&mut self, job: &Job, outcome: Outcome) -> Performed {
        job.record(outcome, self.0.now_ns()).into()
    }

    fn close(&mut self) {}
}

/// The journal has a thread of its own; here only the recorder's is looked at.
struct Nowhere;

impl Sink for Nowhere {
    fn request(&mut self, _record: &RequestRecord) {}
    fn border(&mut self, _border: &StageBorder) {}
    fn mark(&mut self, _mark: &Mark) {}
    fn sample(&mut self, _at_ns: u64, _health: &Health) {}
    fn lost(&self) -> u64 {
        0
    }
}

pub(super) fn measure() {
    let mut plan = Plan::simple("http://127.0.0.1:1");
    plan.stages =
        Stage::closed_tiers(USERS, ClosedMode::Steady, TierLength::Duration(SECS)).unwrap();
    let clock = Clock::new();
    let setup = Setup {
        prompts: PromptSource::load(&plan.workload, plan.seed).unwrap(),
        head: head(plan, &clock),
        clock: clock.clone(),
        adapter: None,
        file: None,
    };
    let (sender, mut snapshots) = watch::channel(None);
    let outlets = Outlets {
        sink: Box::new(Nowhere),
        snapshots: sender,
        wake: Arc::new(|| ()),
    };
    let handle = engine::start_with(setup, move |_| Sleeper(clock.clone()), outlets).unwrap();

    let (mut n_snapshots, mut n_summaries, mut last) = (0_u32, 0_u32, std::ptr::null());
    let (mut first, mut now) = (None, Look::default());
    // The sender goes with the recorder, when all is over.
    while let Ok(changed) = snapshots.has_changed() {
        if changed
            && let Some(run) = snapshots.borrow_and_update().clone()
            && matches!(run.state, RunState::Running(_))
        {
            n_snapshots += 1;
            let summary = Arc::as_ptr(&run.summary);
            n_summaries += u32::from(summary != last);
            last = summary;
            now = Look {
                cpu_ns: thread_ns("recorder").unwrap_or(now.cpu_ns),
                n_requests: run.points.len() as u64,
                memory_kb: memory_kb(),
            };
            first.get_or_insert(now);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(handle);
    let first = first.unwrap_or_default();
    let n_requests = now.n_requests - first.n_requests;
    let secs: f64 = SECS.parse().unwrap();
    println!(
        "recorder at {:.0} requests/s of {TOKENS} tokens: {:.1} % of a core, {:.0} snapshots and {:.1} summaries a second, {} bytes a request",
        n_requests as f64 / secs,
        (now.cpu_ns - first.cpu_ns) as f64 / secs / 1e7,
        f64::from(n_snapshots) / secs,
        f64::from(n_summaries) / secs,
        now.memory_kb.saturating_sub(first.memory_kb) * 1024 / n_requests.max(1),
    );
}

#[derive(Clone, Copy, Default)]
struct Look {
    cpu_ns: u64,
    n_requests: u64,
    memory_kb: u64,
}

fn head(plan: Plan, clock: &Clock) -> Arc<RunHead> {
    Arc::new(RunHead {
        schema: SCHEMA,
        id: "bench".to_owned(),
        tool: "inferometer".to_owned(),
        started: String::new(),
        started_unix_ns: clock.epoch_unix_ns(),
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
    })
}

/// CPU time of this process's thread of that name.
fn thread_ns(name: &str) -> Option<u64> {
    std::fs::read_dir("/proc/self/task").ok()?.find_map(|task| {
        let task = task.ok()?.path();
        let comm = std::fs::read_to_string(task.join("comm")).ok()?;
        let stat = (comm.trim() == name).then(|| std::fs::read_to_string(task.join("schedstat")));
        stat?.ok()?.split(' ').next()?.parse().ok()
    })
}

fn memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|kb| kb.split_whitespace().next()?.parse().ok())
        .unwrap()
}
