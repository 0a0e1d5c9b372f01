//! The session's loop: takes commands in order, lets what waits wait beside it, and tells what came of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::keys::Keys;
use super::message::{Command, Event};
use super::run::{Ended, Running, Start};
use super::vary::Group;
use super::{door, files, probe};
use crate::demo::DemoServer;
use crate::domain::{Issue, LiveSnapshot, Plan};
use crate::engine::RunSwitch;

/// What the window's repaint is behind.
pub(super) type Wake = Arc<dyn Fn() + Send + Sync>;

/// Where events go; cheap to clone into a task.
#[derive(Clone)]
pub(super) struct Outbox {
    events: mpsc::Sender<Event>,
    wake: Wake,
}

impl Outbox {
    pub(super) async fn tell(&self, event: Event) {
        // Nobody listens any more when the front end has closed its end: then there is nobody to tell.
        self.events.send(event).await.ok();
        (self.wake)();
    }

    /// As [`Outbox::tell`], from a thread that may not wait; lost only when a thousand events wait already.
    pub(super) fn tell_now(&self, event: Event) {
        self.events.try_send(event).ok();
        (self.wake)();
    }

    pub(super) fn wake(&self) -> Wake {
        Arc::clone(&self.wake)
    }
}

pub(super) struct Core {
    out: Outbox,
    snapshots: watch::Sender<LiveSnapshot>,
    keys: Keys,
    demo: Option<DemoServer>,
    run: Option<Running>,
    /// The variations that the run under way is one of.
    group: Option<Group>,
    tasks: JoinSet<()>,
}

impl Core {
    pub(super) fn new(
        events: mpsc::Sender<Event>,
        snapshots: watch::Sender<LiveSnapshot>,
        wake: Wake,
    ) -> Self {
        Self {
            out: Outbox { events, wake },
            snapshots,
            keys: Keys::default(),
            demo: None,
            run: None,
            group: None,
            tasks: JoinSet::new(),
        }
    }

    /// Serves until the front end says so or is gone; a run under way is then aborted and its file closed.
    pub(super) async fn serve(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            tokio::select! {
                command = inbox.recv() => match command {
                    None | Some(Command::Shutdown) => break,
                    Some(command) => self.take(command).await,
                },
                ended = async { self.run.as_mut().map(Running::ended).expect_some().await } => self.run_ended(ended).await,
                Some(_) = self.tasks.join_next() => {}
            }
        }
        if let Some(mut run) = self.run.take() {
            run.abort();
            run.ended().await;
        }
        self.tasks.abort_all();
    }

    async fn take(&mut self, command: Command) {
        match command {
            Command::StartDemo => self.start_demo().await,
            Command::Start { plan, out } => self.start(plan, out).await,
            Command::Stop => {
                self.group.iter_mut().for_each(Group::stop);
                self.run.iter_mut().for_each(Running::stop);
            }
            Command::Abort => {
                self.group.iter_mut().for_each(Group::stop);
                self.run.iter_mut().for_each(Running::abort);
            }
            Command::ServerRestarted => self.steer(RunSwitch::server_restarted),
            Command::Pause => self.steer(RunSwitch::pause),
            Command::Resume => self.steer(RunSwitch::resume),
            Command::SetLevel(level) => self.steer(|switch| switch.set_level(level)),
            Command::Mark(text) => self.steer(|switch| switch.mark(&text)),
            Command::KeepMoment => self.steer(RunSwitch::keep_moment),
            Command::MarkKept(text) => self.steer(|switch| switch.mark_kept(&text)),
            Command::Detect { text, target } => {
                let (out, keys) = (self.out.clone(), self.keys.clone());
                self.tasks.spawn(async move {
                    out.tell(probe::detect(text, *target, &keys).await).await;
                });
            }
            Command::Test { target, workload } => {
                let (out, keys) = (self.out.clone(), self.keys.clone());
                self.tasks.spawn(async move {
                    out.tell(probe::test(&target, &workload, &keys).await).await;
                });
            }
            Command::SetKey { url, key, keep } => {
                let event = self.keys.set(&url, key, keep).await;
                self.out.tell(event).await;
            }
            Command::ForgetKey { url } => {
                let event = self.keys.forget(&url).await;
                self.out.tell(event).await;
            }
            Command::Shutdown => {}
            other => {
                let busy = self.run.as_ref().and_then(Running::file);
                let out = self.out.clone();
                self.tasks.spawn(async move {
                    for event in files::take(other, busy).await {
                        out.tell(event).await;
                    }
                });
            }
        }
    }

    /// Tells the run under way, if it has begun to send.
    fn steer(&self, tell: impl FnOnce(&RunSwitch)) {
        if let Some(run) = &self.run {
            run.steer(tell);
        }
    }

    async fn start_demo(&mut self) {
        if self.demo.is_none() {
            match tokio::task::spawn_blocking(|| door::start_demo_server(0, None, None)).await {
                Ok(Ok(server)) => self.demo = Some(server),
                Ok(Err(message)) => return self.out.tell(Event::Failed { message }).await,
                Err(error) => {
                    return self
                        .out
                        .tell(Event::Failed {
                            message: format!("the demo server did not start: {error}"),
                        })
                        .await;
                }
            }
        }
        if let Some(demo) = &self.demo {
            let (url, capacity) = (demo.openai_url(), demo.capacity().to_owned());
            self.out.tell(Event::DemoReady { url, capacity }).await;
        }
    }

    async fn start(&mut self, plan: Arc<Plan>, file: Option<PathBuf>) {
        if self.run.is_some() {
            let issues = vec![Issue::new("run", "a run is under way; stop it first")];
            return self.out.tell(Event::Refused { issues }).await;
        }
        if let Some(message) = file.as_deref().and_then(no_place) {
            let issues = vec![Issue::new("--out", message)];
            return self.out.tell(Event::Refused { issues }).await;
        }
        if plan.vary.is_empty() {
            return self.start_run(Start {
                plan,
                out: file,
                variation: None,
            });
        }
        let group = tokio::task::spawn_blocking(move || Group::of(&plan, file)).await;
        match group {
            Ok(Ok(group)) => {
                self.group = Some(group);
                self.start_next().await;
            }
            Ok(Err(issues)) => self.out.tell(Event::Refused { issues }).await,
            Err(error) => {
                let message = format!("the variations could not be made: {error}");
                self.out.tell(Event::Failed { message }).await;
            }
        }
    }

    fn start_run(&mut self, start: Start) {
        self.run = Some(Running::start(
            start,
            self.keys.clone(),
            self.out.clone(),
            self.snapshots.clone(),
        ));
    }

    /// Starts the next variation, if there is one, or says that there is none.
    async fn start_next(&mut self) {
        let Some(group) = &mut self.group else { return };
        let (event, start) = group.next();
        self.out.tell(event).await;
        match start {
            Some(start) => self.start_run(start),
            None => self.group = None,
        }
    }

    async fn run_ended(&mut self, ended: Ended) {
        self.run = None;
        let event = match (ended, &mut self.group) {
            (Ended::Refused(issues), Some(group)) if !group.is_stopped() => group.refused(issues),
            (Ended::Refused(issues), _) => Event::Refused { issues },
            (Ended::Failed(message), _) => Event::Failed { message },
            (Ended::Run(run), group) => {
                if let Some(group) = group {
                    group.ran(&run);
                }
                Event::RunEnded { run }
            }
        };
        self.snapshots.send_replace(None);
        self.out.tell(event).await;
        self.start_next().await;
    }
}

/// Why no run file can stand there, as far as can be seen before anything is asked.
fn no_place(file: &Path) -> Option<String> {
    let name = file.display();
    if file.is_dir() {
        let inside = file.join("a.run.jsonl");
        return Some(format!(
            "“{name}” is a folder: name a file in it, as {}",
            inside.display()
        ));
    }
    let folder = file.parent().filter(|f| !f.as_os_str().is_empty())?;
    (!folder.is_dir()).then(|| {
        format!(
            "there is no folder “{}” for the run file: make it, or choose another place",
            folder.display()
        )
    })
}

/// A future that may not be there: waits for ever then.
trait ExpectSome {
    type Output;
    async fn expect_some(self) -> Self::Output;
}

impl<F: Future> ExpectSome for Option<F> {
    type Output = F::Output;

    async fn expect_some(self) -> F::Output {
        match self {
            Some(future) => future.await,
            None => std::future::pending().await,
        }
    }
}
