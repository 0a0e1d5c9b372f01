//! Runs a plan against an adapter: when requests are sent, what became of each, and whether this machine kept up.
//!
//! Knows no files and no window. Measured I/O has a thread of its own with a current-thread runtime; records leave it
//! through a bounded queue to the recorder's thread, which hashes, counts and publishes.
//!
//! **Phases.** The window of a stage's figures is the first Measure start to the last Measure end. In a stage that ends
//! by time, and when the run's own time is up, a request that was sent in Measure and ended after that time carries
//! [`Phase::Drain`](crate::domain::Phase::Drain) and enters no figure; one that was cut off stays in Measure, where it is
//! counted.

mod arrivals;
mod closed;
mod conduct;
mod control;
mod driver;
mod epoch;
mod guard;
mod health;
mod live;
mod outbox;
mod progress;
mod recorder;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tokio::sync::{oneshot, watch};

use crate::domain::{LiveSnapshot, Phase, Prompt, RunData, RunHead, RunState};

use closed::Desk;
use control::Control;
use guard::Guard;
use outbox::outbox;
use recorder::Recording;

pub use conduct::CONNECT_WAVE;
pub use control::{Order, StopReason};
pub use driver::{Driver, Hints, Job, Performed};
pub use epoch::Epoch;
pub use guard::ALIKE_MAX;
pub use health::{CPU_SPAN_NS, SAMPLE_NS, SLEPT_NS, TICK_NS, TickLog, Ticks};
pub use live::Live;
pub use outbox::OUTBOX_MAX;
pub use recorder::{PUBLISH_NS, SUMMARY_REST, Sink};

/// What every run needs, whatever performs its requests.
pub struct Setup {
    /// Holds the plan.
    pub head: Arc<RunHead>,
    /// The instant whose wall time the head names.
    pub epoch: Epoch,
    /// The prompt of the request with that position in the run.
    pub prompts: Box<dyn Fn(u64, Phase) -> Prompt + Send + Sync>,
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

/// Stops a run; may be cloned to wherever somebody may want to.
#[derive(Clone, Debug)]
pub struct RunSwitch {
    control: Arc<Control>,
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
    /// this program. May be dropped and called again.
    pub async fn finished(&mut self) -> Option<RunEnd> {
        (&mut self.end).await.ok()
    }

    /// As [`RunHandle::finished`], for a thread without a runtime.
    pub fn join(self) -> Option<RunEnd> {
        self.end.blocking_recv().ok()
    }
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
    let recording = Recording {
        head: Arc::clone(&setup.head),
        file: setup.file,
        epoch: setup.epoch,
        live: Arc::clone(&live),
        control: Arc::clone(&control),
        ticks: Arc::clone(&ticks),
        lost: outbox.lost(),
        sink: outlets.sink,
        snapshots: outlets.snapshots,
        wake: outlets.wake,
    };
    let desk = Arc::new(Desk {
        epoch: setup.epoch,
        seed: plan.seed,
        grace_ns: epoch::ns_from_secs(plan.grace_secs),
        prompts: setup.prompts,
        live,
        control: Arc::clone(&control),
        guard: Mutex::new(Guard::new(plan.limits.clone())),
        outbox,
        next_seq: AtomicU64::new(0),
    });

    let (told, end) = oneshot::channel();
    let stopped = Arc::clone(&control);
    thread::Builder::new()
        .name("recorder".to_owned())
        .spawn(move || {
            let run = recorder::record(recording, &notes);
            let stopped = stopped.reason();
            // Nobody waits any more: the run is in its file all the same.
            told.send(RunEnd { run, stopped }).ok();
        })?;
    let head = setup.head;
    io_thread(move || async move {
        tokio::select! {
            () = conduct::conduct(&head.plan, &desk, make) => {}
            () = ticks.run(desk.epoch) => {}
        }
    })?;
    Ok(RunHandle {
        switch: RunSwitch { control },
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
