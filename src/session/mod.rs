//! The one door between front ends and everything that waits: a [`Command`] in, an [`Event`] out.
//!
//! [`Session::start`] owns the runtime and takes the wake call as a closure, so nothing below the window knows egui.

mod closing;
mod core;
mod door;
mod files;
mod head;
mod keys;
mod message;
mod probe;
mod prompts;
mod run;
mod target;
mod vary;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};

use crate::domain::LiveSnapshot;

pub use door::{
    EndSignal, PlanField, Preset, demo_plan, names_no_address, new_plan, open_run, plan_fields,
    plan_text, preset_plan, presets, read_plan, read_template, schema, set_field,
    start_demo_server,
};
pub use message::{Command, Event, RunRef, SaveWhat, SecretText};
pub use vary::{estimate, estimate_with_traces, missing_files};

/// Commands that may wait; a front end sends a handful a second.
const COMMANDS_MAX: usize = 256;
/// Events that may wait; a front end drains them every frame.
const EVENTS_MAX: usize = 1024;

/// A front end's handle: send commands, drain events, look at the newest snapshot. Never blocks.
#[derive(Debug)]
pub struct Session {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
    live: watch::Receiver<LiveSnapshot>,
    interrupted: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Session {
    /// Starts the runtime's thread; `wake` is called whenever there is something new to look at.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be made.
    pub fn start(wake: impl Fn() + Send + Sync + 'static) -> anyhow::Result<Self> {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let (outbox, events) = mpsc::channel(EVENTS_MAX);
        let (snapshots, live) = watch::channel(None);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the session's runtime cannot be made")?;
        let thread = std::thread::Builder::new()
            .name("session".to_owned())
            .spawn(move || {
                runtime.block_on(core::Core::new(outbox, snapshots, Arc::new(wake)).serve(inbox));
            })
            .context("the session's thread cannot be made")?;
        Ok(Self {
            commands,
            events,
            live,
            interrupted: Arc::new(AtomicBool::new(false)),
            thread: Some(thread),
        })
    }

    /// Queues a command; says `false` when the session has ended or its queue is full.
    pub fn send(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// Sends commands from another thread.
    pub fn commands(&self) -> mpsc::Sender<Command> {
        self.commands.clone()
    }

    /// The next event, if there is one.
    pub fn try_event(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// The newest state of the run under way, if it changed since the last look.
    pub fn changed_snapshot(&mut self) -> Option<LiveSnapshot> {
        if self.live.has_changed().unwrap_or(false) {
            Some(self.live.borrow_and_update().clone())
        } else {
            None
        }
    }

    /// The session's thread is gone.
    pub fn has_ended(&self) -> bool {
        self.thread
            .as_ref()
            .is_none_or(std::thread::JoinHandle::is_finished)
    }

    /// From now on Ctrl-C or SIGTERM stops the run, and a second one aborts it.
    ///
    /// # Errors
    /// When signals cannot be listened to, as a sentence.
    pub fn stop_on_signals(&self) -> Result<(), String> {
        let (commands, interrupted) = (self.commands.clone(), Arc::clone(&self.interrupted));
        door::on_end_signals(move |n| {
            interrupted.store(true, Ordering::SeqCst);
            commands
                .try_send(if n == 1 {
                    Command::Stop
                } else {
                    Command::Abort
                })
                .ok();
        })
    }

    /// A signal came.
    pub fn was_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The files must be whole before the process ends; the core aborts what runs and closes them.
        let asked = self.commands.try_send(Command::Shutdown).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| asked) {
            // An event nobody reads must not hold the core back.
            self.events.close();
            thread.join().ok();
        }
    }
}
