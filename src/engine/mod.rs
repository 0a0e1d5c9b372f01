//! Runs a plan against an adapter: when requests are sent, what became of each, and whether this machine kept up.
//!
//! Knows no files and no window. Measured I/O has a thread of its own with a current-thread runtime; records leave it
//! through a bounded queue to the recorder's thread, which hashes, counts and publishes.
//!
//! **Phases.** In a stage that ends by time, and when the run's own time is up, a request that was sent in Measure and ended
//! after that time carries [`Phase::Drain`](crate::domain::Phase::Drain): it enters no rate, and a closed loop's no latency
//! either. An open loop's does, since it was due in the stage: without it the slow ones of an overloaded server would be
//! missing. One that was cut off stays in Measure, where it is counted.
//!
//! **Stages as run.** Sweeps and searches become stages while the run goes (`course`), and a pause or another level makes the
//! rest of a stage one of its own: its border carries it, before any of its records. What is in flight then goes on, and
//! belongs to Drain of the stage that it was sent in.
//!
//! **Time of an open load.** The whole schedule is made before its stage (`schedule`); a kernel timer that the I/O thread polls
//! beside its sockets lets requests go (`pacer`), and a pool of senders with open connections takes them (`open`).

mod arrivals;
mod closed;
mod conduct;
mod control;
mod course;
mod crew;
mod desk;
mod driver;
mod guard;
mod health;
mod held;
mod live;
mod open;
mod outbox;
mod pacer;
mod progress;
mod recorder;
mod running;
mod saturation;
mod schedule;
mod search;
mod shape;
mod sweep;
#[cfg(test)]
mod tests;
mod visitors;
mod watchdog;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tokio::sync::{oneshot, watch};

use crate::domain::{Issue, LiveSnapshot, Load, Over, Plan, RunData, RunFacts, RunHead, RunState};
use crate::protocol::SharedAdapter;
use crate::transport::{Clock, Connector, limits};
use crate::workload::PromptSource;

use control::Control;
use desk::Desk;
use guard::Guard;
use outbox::outbox;
use pacer::Pacing;
use recorder::Recording;

pub use control::{Order, StopReason};
pub use crew::CONNECT_WAVE;
pub use driver::{Driver, Hints, Job, Performed};
pub use guard::ALIKE_MAX;
pub use health::{CPU_SPAN_NS, SAMPLE_NS, SLEPT_NS, TICK_NS, TickLog, Ticks};
pub use live::Live;
pub use outbox::OUTBOX_MAX;
pub use recorder::{PUBLISH_NS, SUMMARY_NS, SUMMARY_REST, Sink};

/// What every run needs, whatever performs its requests.
pub struct Setup {
    /// Holds the plan.
    pub head: Arc<RunHead>,
    /// Its epoch is the instant whose wall time the head names.
    pub clock: Clock,
    pub prompts: PromptSource,
    /// Tells during the run what it learnt of the server; none where requests are scripted.
    pub adapter: Option<SharedAdapter>,
    /// Where the sink writes to; only shown.
    pub file: Option<PathBuf>,
}

/// A run's way out: records, snapshots, and the call that says there is something new to look at.
pub struct Outlets {
    pub sink: Box<dyn Sink>,
    pub snapshots: watch::Sender<LiveSnapshot>,
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// With its full statistics.
    pub run: RunData,
    /// What the verdict rests on besides the records: stored with the run, it is judged alike when it is opened.
    pub facts: RunFacts,
    /// What ended it before its plan did.
    pub stopped: Option<StopReason>,
}

impl RunEnd {
    /// The person stopped or aborted it.
    pub fn is_interrupted(&self) -> bool {
        self.stopped == Some(StopReason::Person) || self.run.state == RunState::Interrupted
    }
}

/// A run under way.
pub struct RunHandle {
    switch: RunSwitch,
    end: oneshot::Receiver<RunEnd>,
}

/// Stops, pauses and changes a run; may be cloned to wherever somebody may want to.
#[derive(Clone, Debug)]
pub struct RunSwitch {
    control: Arc<Control>,
    clock: Clock,
}

impl RunSwitch {
    /// Sends no more; what is in flight ends.
    pub fn stop(&self) {
        self.control.stop(StopReason::Person);
    }

    /// Gives up what is in flight, too: connections are closed, and the server is told where its wire has a way to.
    pub fn abort(&self) {
        self.control.abort();
    }

    /// The person has restarted the server, as the cold probe asked.
    pub fn server_restarted(&self) {
        self.control.server_restarted();
    }

    /// Sends nothing until [`RunSwitch::resume`]; what is in flight ends. The stage ends here, and its rest becomes a stage
    /// of its own. Heard in a stage's Measure; bursts and waves end their round first.
    pub fn pause(&self) {
        self.control.pause();
    }

    pub fn resume(&self) {
        self.control.resume();
    }

    pub fn is_paused(&self) -> bool {
        self.control.is_paused()
    }

    /// Goes on with so many users, or requests per second where the stage is an open one; as with [`RunSwitch::pause`] the
    /// rest becomes a stage of its own. What is no number above 0 is not heard.
    pub fn set_level(&self, level: f64) {
        self.control.set_level(level);
    }

    /// Marks this moment on the time axis, with at most 200 characters.
    pub fn mark(&self, text: &str) {
        self.control.mark(self.clock.now_ns(), text);
    }

    /// Keeps this moment for [`Self::mark_kept`].
    pub fn keep_moment(&self) {
        self.control.keep_moment(self.clock.now_ns());
    }

    /// Marks the moment that was kept last, else this one.
    pub fn mark_kept(&self, text: &str) {
        let kept = self.control.take_moment();
        let at_ns = kept.unwrap_or_else(|| self.clock.now_ns());
        self.control.mark(at_ns, text);
    }

    pub fn order(&self) -> Order {
        self.control.order()
    }
}

impl RunHandle {
    pub fn switch(&self) -> RunSwitch {
        self.switch.clone()
    }

    pub fn stop(&self) {
        self.switch.stop();
    }

    pub fn abort(&self) {
        self.switch.abort();
    }

    pub fn server_restarted(&self) {
        self.switch.server_restarted();
    }

    /// Waits until the run has ended and everything was recorded; `None` when the recorder broke, which is a fault of
    /// this program, or the end was taken already. May be dropped and called again. Dropping the handle stops nothing.
    pub async fn finished(&mut self) -> Option<RunEnd> {
        if self.end.is_terminated() {
            return None;
        }
        (&mut self.end).await.ok()
    }

    /// As [`RunHandle::finished`], for a thread without a runtime.
    pub fn join(self) -> Option<RunEnd> {
        self.end.blocking_recv().ok()
    }
}

/// A run against a server.
pub struct RunRequest {
    /// Holds the plan.
    pub head: Arc<RunHead>,
    /// Its epoch is the instant whose wall time the head names.
    pub clock: Clock,
    pub adapter: SharedAdapter,
    pub connector: Connector,
    pub prompts: PromptSource,
    /// Where the sink writes to; only shown.
    pub file: Option<PathBuf>,
}

/// Starts a run.
///
/// # Errors
/// When this machine cannot hold what the plan asks, with what to change.
pub fn start(request: RunRequest, outlets: Outlets) -> Result<RunHandle, Vec<Issue>> {
    preflight(&request.head.plan)?;
    let wires = Arc::new(wire::Wires::new(
        &request.head.plan.target,
        Arc::clone(&request.adapter),
        request.connector,
        request.clock.clone(),
    ));
    let setup = Setup {
        head: request.head,
        clock: request.clock,
        prompts: request.prompts,
        adapter: Some(request.adapter),
        file: request.file,
    };
    let make = move |_user| wire::WireDriver::new(Arc::clone(&wires));
    start_with(setup, make, outlets).map_err(|error| {
        vec![Issue::new(
            "stages",
            format!("The measuring thread could not be started: {error}"),
        )]
    })
}

/// Raises this process's limit of open descriptors, and checks that the plan's largest stage fits into it.
///
/// # Errors
/// What is needed, what there is, and what to do.
pub fn preflight(plan: &Plan) -> Result<(), Vec<Issue>> {
    limits::raise_descriptor_limit();
    let most = plan.stages.iter().map(|s| needed(&s.load)).max();
    let visitors = plan.mixed_traffic.map_or(0, |t| t.visitors());
    let preflight = limits::preflight(u64::from(most.unwrap_or(0)) + u64::from(visitors));
    if preflight.fits() {
        Ok(())
    } else {
        Err(vec![Issue::new("stages", preflight.to_string())])
    }
}

/// Connections that have to fit: an open load without a limit of its own keeps to this process's.
fn needed(load: &Load) -> u32 {
    match load {
        Load::Sweep { max_users, .. } => max_users.get(),
        Load::Open {
            max_in_flight: None,
            ..
        }
        | Load::Replay {
            max_in_flight: None,
            ..
        }
        | Load::Search {
            over: Over::Rate, ..
        } => 1,
        load => load.max_in_flight(),
    }
}

/// Whether the target has what the plan's visitors want.
///
/// # Errors
/// At the plan's field, with what to do.
pub fn check_visitors(plan: &Plan, adapter: &SharedAdapter) -> Result<(), Issue> {
    if plan.mixed_traffic.is_none() || adapter.visits().is_some() {
        return Ok(());
    }
    let protocol = adapter.facts().protocol;
    Err(Issue::new(
        "mixed_traffic",
        format!(
            "visits a Gradio app's pages and files, and this target speaks {}: leave it out",
            protocol.label()
        ),
    ))
}

/// Starts a run whose users perform their requests with what `make` gives them.
///
/// # Errors
/// When a thread or its runtime cannot be made.
pub fn start_with<D: Driver>(
    setup: Setup,
    make: impl FnMut(u32) -> D + Send + 'static,
    outlets: Outlets,
) -> io::Result<RunHandle> {
    let plan = &setup.head.plan;
    let n_users = plan.stages.iter().map(|s| s.load.max_in_flight()).max();
    let control = Arc::new(Control::new());
    let live = Arc::new(Live::new(n_users.unwrap_or(1)));
    let ticks = Arc::new(Ticks::default());
    let (outbox, notes) = outbox(OUTBOX_MAX);
    let clock = setup.clock.clone();
    let visits = setup.adapter.as_ref().and_then(|a| a.visits().cloned());
    let visiting = plan.mixed_traffic.zip(visits);
    let recording = Recording {
        head: Arc::clone(&setup.head),
        file: setup.file,
        clock: setup.clock.clone(),
        adapter: setup.adapter,
        counter: setup.prompts.counter(),
        live: Arc::clone(&live),
        control: Arc::clone(&control),
        ticks: Arc::clone(&ticks),
        lost: outbox.lost(),
        sink: outlets.sink,
        snapshots: outlets.snapshots,
        wake: outlets.wake,
    };
    let desk = Arc::new(Desk {
        clock: setup.clock,
        pacing: Pacing::Real,
        seed: plan.seed,
        grace_ns: arrivals::ns_from_secs(plan.grace_secs),
        think_ns: arrivals::ns_from_secs(plan.workload.think_secs),
        prompts: Box::new(setup.prompts),
        goals: plan.goals.clone(),
        stops_saturated: plan.limits.stop_when_saturated,
        live,
        control: Arc::clone(&control),
        guard: Mutex::new(Guard::new(plan.limits.clone(), &plan.target.key)),
        outbox,
        next_seq: AtomicU64::new(0),
        next_conversation: AtomicU64::new(0),
    });

    let visitors = visiting.map(|(traffic, visits)| {
        visitors::start(visitors::Visiting {
            visits,
            traffic,
            seed: plan.seed,
            clock: desk.clock.clone(),
            live: Arc::clone(&desk.live),
            control: Arc::clone(&control),
            outbox: desk.outbox.clone(),
        })
    });
    let visitors = visitors.transpose()?;

    let (told, end) = oneshot::channel();
    let stopped = Arc::clone(&control);
    thread::Builder::new()
        .name("recorder".to_owned())
        .spawn(move || {
            let (run, facts) = recorder::record(recording, &notes);
            let stopped = stopped.reason();
            // Nobody waits any more: the run is in its file all the same.
            told.send(RunEnd {
                run,
                facts,
                stopped,
            })
            .ok();
        })?;
    let head = setup.head;
    io_thread(move || async move {
        // They leave when this ends.
        let _visitors = visitors;
        ticks.begin(&desk.clock);
        tokio::select! {
            () = conduct::conduct(&head.plan, &desk, make) => {}
            () = ticks.run(&desk.clock) => {}
        }
        ticks.end(&desk.clock);
    })?;
    Ok(RunHandle {
        switch: RunSwitch { control, clock },
        end,
    })
}

/// Runs measured work on a thread of its own, with a current-thread runtime: the only place where one is made.
///
/// # Errors
/// When the thread or its runtime cannot be made.
pub fn io_thread<W, F>(work: W) -> io::Result<JoinHandle<()>>
where
    W: FnOnce() -> F + Send + 'static,
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::Builder::new()
        .name("measured-io".to_owned())
        .spawn(move || runtime.block_on(work()))
}
