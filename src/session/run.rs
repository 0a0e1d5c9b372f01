//! One run from `Start` to its file: prepares, glues the engine to the journal, and says how it ended.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::ExposeSecret as _;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::closing::{Closed, is_zst, run_name};
use super::core::Outbox;
use super::head::{Rfc3339 as _, head};
use super::keys::Keys;
use super::message::Event;
use super::{prompts, target};
use crate::domain::{
    Accumulator, BesideRecord, Detail, Health, Issue, LiveSnapshot, Mark, Plan, RequestRecord,
    RunData, RunFacts, RunHead, RunState, ServerFacts, StageBorder, TargetInfo, Variation,
    short_probe, short_watch, without_effect,
};
use crate::engine::{self, Outlets, RunRequest, RunSwitch, Sink};
use crate::protocol::{self, SharedAdapter};
use crate::store::{EndLine, EndState, Journal, JournalNews, Places, Redactor};
use crate::transport::Clock;
use crate::workload::{Needs, PromptSource};

/// How a run came to its end.
pub(super) enum Ended {
    /// It never started.
    Refused(Vec<Issue>),
    /// A fault of this program or of the disk.
    Failed(String),
    Run(Arc<RunData>),
}

/// A run that is prepared or under way.
pub(super) struct Running {
    switch: Arc<Mutex<Switch>>,
    file: Arc<Mutex<Option<PathBuf>>>,
    cancel: Option<oneshot::Sender<()>>,
    task: JoinHandle<Ended>,
}

#[derive(Default)]
struct Switch(Option<RunSwitch>);

/// What is run, and where to.
pub(super) struct Start {
    /// Varies nothing.
    pub(super) plan: Arc<Plan>,
    /// None: the data folder.
    pub(super) out: Option<PathBuf>,
    /// Which of several runs it is; an empty group becomes the run's own id.
    pub(super) variation: Option<Variation>,
}

impl Running {
    pub(super) fn start(
        start: Start,
        keys: Keys,
        outbox: Outbox,
        snapshots: watch::Sender<LiveSnapshot>,
    ) -> Self {
        let switch = Arc::new(Mutex::new(Switch::default()));
        let file = Arc::new(Mutex::new(None));
        let (cancel, cancelled) = oneshot::channel();
        let run = Run {
            plan: start.plan,
            out: start.out,
            variation: start.variation,
            keys,
            outbox,
            snapshots,
            switch: Arc::clone(&switch),
            file: Arc::clone(&file),
        };
        let task = tokio::spawn(run.run(cancelled));
        Self {
            switch,
            file,
            cancel: Some(cancel),
            task,
        }
    }

    fn with_switch(&self, act: impl FnOnce(&RunSwitch)) -> bool {
        let switch = self.switch.lock().unwrap_or_else(PoisonError::into_inner);
        switch.0.as_ref().map(act).is_some()
    }

    /// Lets what is in flight end; a second time it aborts. Before the engine has started, the preparation is given up.
    pub(super) fn stop(&mut self) {
        let stop_or_abort = |switch: &RunSwitch| {
            if switch.order() == engine::Order::Go {
                switch.stop();
            } else {
                switch.abort();
            }
        };
        if !self.with_switch(stop_or_abort) {
            self.cancel.take().map(|cancel| cancel.send(()));
        }
    }

    pub(super) fn abort(&mut self) {
        if !self.with_switch(RunSwitch::abort) {
            self.cancel.take().map(|cancel| cancel.send(()));
        }
    }

    /// Tells the engine; nothing where it has not begun.
    pub(super) fn steer(&self, tell: impl FnOnce(&RunSwitch)) {
        self.with_switch(tell);
    }

    /// The file that is being written.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits for the end; may be dropped and called again.
    pub(super) async fn ended(&mut self) -> Ended {
        match (&mut self.task).await {
            Ok(ended) => ended,
            Err(error) => Ended::Failed(format!(
                "the run broke off by a fault of this program: {error}"
            )),
        }
    }
}

struct Run {
    plan: Arc<Plan>,
    out: Option<PathBuf>,
    variation: Option<Variation>,
    keys: Keys,
    outbox: Outbox,
    snapshots: watch::Sender<LiveSnapshot>,
    switch: Arc<Mutex<Switch>>,
    file: Arc<Mutex<Option<PathBuf>>>,
}

/// What stands when nothing has been sent yet.
struct Prepared {
    adapter: SharedAdapter,
    info: TargetInfo,
    prompts: PromptSource,
    connector: crate::transport::Connector,
    redactor: Redactor,
}

impl Run {
    async fn run(self, mut cancelled: oneshot::Receiver<()>) -> Ended {
        self.show_preparing("asking the server what it is");
        let prepared = tokio::select! {
            prepared = self.prepare() => prepared,
            _ = &mut cancelled => Err(vec![Issue::new("run", "stopped before anything was sent")]),
        };
        match prepared {
            Err(issues) => Ended::Refused(issues),
            Ok(prepared) => self.measure(prepared, cancelled).await,
        }
    }

    async fn prepare(&self) -> Result<Prepared, Vec<Issue>> {
        let issues = self.plan.check();
        if !issues.is_empty() {
            return Err(issues);
        }
        engine::preflight(&self.plan)?;
        self.look_for_out().await?;
        let (plan, one) = (&self.plan, |issue| vec![issue]);
        let key = self.keys.of(&plan.target).await.map_err(one)?;
        let needs = prompts::gather(Needs::of(plan)).await?;
        let (adapter, mut info) = protocol::prepare(&plan.target, &plan.workload, key.as_ref())
            .await
            .map_err(prompts::issues_of)?;
        engine::check_visitors(plan, &adapter).map_err(one)?;
        self.show_preparing("reading and making the prompts");
        let (prompts, notes) =
            prompts::make(needs, &plan.target, key.as_ref(), &adapter, &info).await?;
        info.notes.extend(notes);
        info.notes.extend(short_probe(plan));
        info.notes.extend(short_watch(plan));
        info.notes.extend(without_effect(plan, info.facts.protocol));
        let connector = target::connector(&plan.target, &info).map_err(one)?;
        let redactor = Redactor::new(key.iter().map(|key| key.expose_secret()));
        Ok(Prepared {
            adapter,
            info,
            prompts,
            connector,
            redactor,
        })
    }

    /// A file that stands in the way is told before the server is asked for anything.
    async fn look_for_out(&self) -> Result<(), Vec<Issue>> {
        let Some(out) = self.out.clone() else {
            return Ok(());
        };
        let is_there = move || (out.is_file() || out.is_dir()).then_some(out);
        let there = tokio::task::spawn_blocking(is_there).await.ok().flatten();
        there.map_or(Ok(()), |out| {
            let name = out.display();
            let message = format!("there is a file already, choose another name: “{name}”");
            Err(vec![Issue::new("--out", message)])
        })
    }

    async fn measure(self, prepared: Prepared, cancelled: oneshot::Receiver<()>) -> Ended {
        let clock = Clock::new();
        let mut head = self.head(prepared.info.facts.clone(), &clock);
        head.workload = prepared.prompts.facts().clone();
        let head = Arc::new(head);
        let (path, begun) = match self.begin_file(&head, prepared.redactor).await {
            Ok(begun) => begun,
            Err(message) => return Ended::Refused(vec![Issue::new("--out", message)]),
        };
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.clone());
        let journal = Arc::new(begun);
        let request = RunRequest {
            head: Arc::clone(&head),
            clock,
            adapter: prepared.adapter,
            connector: prepared.connector,
            // Run again, a plan asks the same of the server; its unique markers are new, or a prefix cache would help.
            prompts: prepared.prompts.salted(head.started_unix_ns.unsigned_abs()),
            file: Some(path.clone()),
        };
        let outlets = Outlets {
            sink: Box::new(JournalSink(Arc::clone(&journal))),
            snapshots: self.snapshots.clone(),
            wake: self.outbox.wake(),
        };
        let mut handle = match engine::start(request, outlets) {
            Ok(handle) => handle,
            Err(issues) => return Ended::Refused(issues),
        };
        self.switch.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(handle.switch());
        self.outbox
            .tell(Event::RunStarted {
                id: head.id.clone(),
                file: Some(path),
                notes: prepared.info.notes,
            })
            .await;
        // A stop that came before there was anything to stop still counts.
        let switch = handle.switch();
        let end = {
            let finished = handle.finished();
            tokio::pin!(finished);
            tokio::select! {
                end = &mut finished => end,
                Ok(()) = cancelled => {
                    switch.abort();
                    finished.await
                }
            }
        };
        let Some(end) = end else {
            return Ended::Failed(
                "the recorder broke off; the run file holds what was written until then".to_owned(),
            );
        };
        self.close_file(end, journal).await
    }

    /// Makes the run file, in the data folder unless told otherwise.
    async fn begin_file(
        &self,
        head: &Arc<RunHead>,
        redactor: Redactor,
    ) -> Result<(PathBuf, Journal), String> {
        let (out, head, outbox) = (self.out.clone(), Arc::clone(head), self.outbox.clone());
        let begin = move || {
            let news = move |news| {
                match news {
                JournalNews::Failing { path, message } => outbox.tell_now(Event::Failed {
                    message: format!(
                        "“{}” cannot be written: {message}; measuring goes on in memory, and the run is saved in another place at its end if that does not change",
                        path.display()
                    ),
                }),
                JournalNews::Recovered { path } => outbox.tell_now(Event::Saved { path }),
            }
            };
            let journal = match out {
                // The journal itself is never compressed; a `.zst` is made of it at the end.
                Some(path) if is_zst(&path) => {
                    Journal::create(&path.with_extension(""), &head, redactor, news)
                }
                Some(path) => Journal::create(&path, &head, redactor, news),
                None => {
                    let places = Places::find().map_err(|e| e.to_string())?;
                    Journal::create_in(&places.runs(), &head, redactor, news)
                }
            };
            let journal = journal.map_err(|e| e.to_string())?;
            Ok((journal.path(), journal))
        };
        tokio::task::spawn_blocking(begin)
            .await
            .map_err(|e| e.to_string())?
    }

    async fn close_file(&self, end: engine::RunEnd, journal: Arc<Journal>) -> Ended {
        let mut run = end.run;
        let state = if end.facts.interrupted {
            // As the file is read, however gently it was stopped.
            run.state = RunState::Interrupted;
            EndState::Interrupted
        } else {
            EndState::Finished
        };
        let line = EndLine {
            ended: jiff::Zoned::now().to_string_rfc3339(),
            state,
            summary: (*run.summary).clone(),
            facts: end.facts,
        };
        let zst = self.out.as_deref().is_some_and(is_zst);
        let name = run_name(&run.head);
        let closed =
            tokio::task::spawn_blocking(move || Closed::close(journal, line, zst, &name)).await;
        let closed = closed.unwrap_or_else(|e| Closed::lost(&e.to_string()));
        if let Some((path, bytes)) = closed.file {
            run.file = Some(path);
            run.file_bytes = bytes;
        }
        if let Some(message) = closed.message {
            self.outbox.tell(Event::Failed { message }).await;
        }
        run.revision += 1;
        Ended::Run(Arc::new(run))
    }

    /// The run's first line.
    fn head(&self, server: ServerFacts, clock: &Clock) -> RunHead {
        let mut head = head(&self.plan, server, clock);
        head.variation.clone_from(&self.variation);
        if let Some(variation) = head.variation.as_mut().filter(|v| v.group.is_empty()) {
            variation.group.clone_from(&head.id);
        }
        head
    }

    fn show_preparing(&self, what: &str) {
        let head = Arc::new(self.head(ServerFacts::default(), &Clock::new()));
        let mut empty = Accumulator::new(&self.plan);
        let summary = Arc::new(empty.summary(Detail::Live, &[], &RunFacts::default()));
        let run = RunData {
            head,
            as_run: Arc::new(empty.plan().clone()),
            state: RunState::Preparing {
                what: what.to_owned(),
            },
            borders: Vec::new(),
            marks: Vec::new(),
            points: empty.points().clone(),
            gaps: Vec::new(),
            series: Arc::new(empty.series()),
            summary,
            health: Health::default(),
            file: None,
            file_bytes: 0,
            revision: 0,
        };
        self.snapshots.send_replace(Some(Arc::new(run)));
        (self.outbox.wake())();
    }
}

/// Writes what the recorder records.
struct JournalSink(Arc<Journal>);

impl Sink for JournalSink {
    fn request(&mut self, record: &RequestRecord) {
        self.0.request(record.clone());
    }

    fn border(&mut self, border: &StageBorder) {
        self.0.border(border.clone());
    }

    fn mark(&mut self, mark: &Mark) {
        self.0.mark(mark.clone());
    }

    fn beside(&mut self, record: &BesideRecord) {
        self.0.beside(record.clone());
    }

    fn sample(&mut self, at_ns: u64, health: &Health) {
        self.0.sample(at_ns, health.clone());
    }

    fn lost(&self) -> u64 {
        self.0.n_lost()
    }

    fn error(&self) -> Option<String> {
        self.0.trouble()
    }

    fn bytes(&self) -> u64 {
        self.0.n_bytes()
    }
}
