//! One run from `Start` to its file: prepares, glues the engine to the journal, and says how it ended.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::ExposeSecret as _;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::core::Outbox;
use super::keys::Keys;
use super::message::Event;
use super::target;
use crate::domain::{
    Accumulator, Detail, Environment, Health, Issue, LiveSnapshot, Mark, Plan, RequestRecord,
    RunData, RunFacts, RunHead, RunState, SCHEMA, ServerFacts, StageBorder, TargetInfo,
};
use crate::engine::{self, Outlets, RunRequest, RunSwitch, Sink};
use crate::protocol::{self, PrepareError, SharedAdapter};
use crate::store::{EndLine, EndState, Journal, JournalNews, Places, Redactor};
use crate::transport::Clock;
use crate::workload::PromptSource;

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

impl Running {
    pub(super) fn start(
        plan: Arc<Plan>,
        out: Option<PathBuf>,
        keys: Keys,
        outbox: Outbox,
        snapshots: watch::Sender<LiveSnapshot>,
    ) -> Self {
        let switch = Arc::new(Mutex::new(Switch::default()));
        let file = Arc::new(Mutex::new(None));
        let (cancel, cancelled) = oneshot::channel();
        let run = Run {
            plan,
            out,
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

    pub(super) fn server_restarted(&mut self) {
        self.with_switch(RunSwitch::server_restarted);
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
    async fn run(self, cancelled: oneshot::Receiver<()>) -> Ended {
        self.show_preparing("asking the server what it is");
        let prepared = tokio::select! {
            prepared = self.prepare() => prepared,
            _ = cancelled => Err(vec![Issue::new("run", "stopped before anything was sent")]),
        };
        match prepared {
            Err(issues) => Ended::Refused(issues),
            Ok(prepared) => self.measure(prepared).await,
        }
    }

    async fn prepare(&self) -> Result<Prepared, Vec<Issue>> {
        let issues = self.plan.check();
        if !issues.is_empty() {
            return Err(issues);
        }
        engine::preflight(&self.plan)?;
        let (plan, one) = (&self.plan, |issue| vec![issue]);
        let key = self.keys.of(&plan.target).await.map_err(one)?;
        let (workload, seed) = (plan.workload.clone(), plan.seed);
        let prompts =
            tokio::task::spawn_blocking(move || PromptSource::load(&workload, seed)).await;
        let prompts = prompts.map_err(|e| {
            vec![Issue::new(
                "workload",
                format!("the prompts could not be read: {e}"),
            )]
        })?;
        let prompts = prompts.map_err(one)?;
        let (adapter, info) = protocol::prepare(&plan.target, &plan.workload, key.as_ref())
            .await
            .map_err(|error| match error {
                PrepareError::Refused(issues) => issues,
                PrepareError::Unreachable(failure) => {
                    vec![Issue::new("target.unreachable", failure.message)]
                }
            })?;
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

    async fn measure(self, prepared: Prepared) -> Ended {
        let clock = Clock::new();
        let head = Arc::new(head(&self.plan, prepared.info.facts.clone(), &clock));
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
        let Some(end) = handle.finished().await else {
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
                    if path.exists() {
                        return Err(format!(
                            "there is a file already, choose another name: “{}”",
                            path.display()
                        ));
                    }
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

    fn show_preparing(&self, what: &str) {
        let head = Arc::new(head(&self.plan, ServerFacts::default(), &Clock::new()));
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

/// How a run's file was closed.
#[derive(Default)]
struct Closed {
    file: Option<(PathBuf, u64)>,
    /// What a person should know of it.
    message: Option<String>,
}

impl Closed {
    fn lost(message: &str) -> Self {
        let message = format!("the run file is not whole: {message}");
        Self {
            file: None,
            message: Some(message),
        }
    }

    /// Writes the end and, where the disk does not take it, everything to another place: the memory that holds the rest
    /// of the run goes with the process. Blocks.
    fn close(journal: Arc<Journal>, line: EndLine, zst: bool, name: &str) -> Self {
        let meant_for = journal.path();
        let (moved, bytes) = match journal.finish(line) {
            Ok(bytes) => (None, bytes),
            Err(error) => match move_away(&journal, name) {
                Some(bytes) => (Some(error), bytes),
                None => return Self::lost(&error.to_string()),
            },
        };
        let path = journal.path();
        // It is marked as being written until the journal is gone.
        drop(journal);
        let message = moved.map(|_error| {
            format!(
                "“{}” could not be written, so the whole run was saved in another place: “{}”",
                meant_for.display(),
                path.display()
            )
        });
        if !zst {
            return Self {
                file: Some((path, bytes)),
                message,
            };
        }
        match crate::store::compress(&path) {
            Ok(packed) => {
                let bytes = std::fs::metadata(&packed).map_or(bytes, |m| m.len());
                Self {
                    file: Some((packed, bytes)),
                    message,
                }
            }
            Err(error) => Self {
                message: Some(format!(
                    "the run file was not compressed: {error}; it stands plain as “{}”",
                    path.display()
                )),
                file: Some((path, bytes)),
            },
        }
    }
}

/// Moves a journal that cannot be written to the data folder, or else to the temporary one; the file's size.
#[expect(
    clippy::disallowed_methods,
    reason = "the file is to stay where the person finds it"
)]
fn move_away(journal: &Journal, name: &str) -> Option<u64> {
    let data = Places::find().ok().map(|places| places.runs());
    let folders = data.into_iter().chain([std::env::temp_dir()]);
    folders
        .map(|folder| folder.join(name))
        .find_map(|path| journal.move_to(&path).ok())
}

/// The name of a run's file in another place than it was meant for.
fn run_name(head: &RunHead) -> String {
    format!("rescued-{}.run.jsonl", head.id)
}

fn is_zst(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "zst")
}

/// The run's first line.
fn head(plan: &Arc<Plan>, server: ServerFacts, clock: &Clock) -> RunHead {
    let started_unix_ns = clock.epoch_unix_ns();
    let started = jiff::Timestamp::from_nanosecond(i128::from(started_unix_ns)).unwrap_or_default();
    RunHead {
        schema: SCHEMA,
        id: format!("{started_unix_ns:x}-{:x}", std::process::id()),
        tool: concat!("inferometer ", env!("CARGO_PKG_VERSION")).to_owned(),
        started: started
            .to_zoned(jiff::tz::TimeZone::system())
            .to_string_rfc3339(),
        started_unix_ns,
        label: plan.label.clone(),
        tags: plan.tags.clone(),
        notes: String::new(),
        plan: (**plan).clone(),
        environment: environment(),
        server,
        variation: None,
        workload: crate::domain::WorkloadFacts::default(),
    }
}

fn environment() -> Environment {
    let system = sysinfo::System::new_with_specifics(
        sysinfo::RefreshKind::nothing()
            .with_cpu(sysinfo::CpuRefreshKind::nothing())
            .with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram()),
    )
    .ok();
    let cpus = system.as_ref().map_or(&[][..], sysinfo::System::cpus);
    Environment {
        os: sysinfo::System::long_os_version()
            .unwrap_or_else(|_unknown| std::env::consts::OS.to_owned()),
        cpu: cpus
            .first()
            .map(|cpu| cpu.brand().to_owned())
            .unwrap_or_default(),
        cores: u32::try_from(cpus.len()).unwrap_or(0),
        memory_bytes: system.as_ref().map_or(0, sysinfo::System::total_memory),
        max_files: crate::transport::limits::descriptor_limit(),
    }
}

/// RFC 3339, without the zone's name that other tools do not read.
trait Rfc3339 {
    fn to_string_rfc3339(&self) -> String;
}

impl Rfc3339 for jiff::Zoned {
    fn to_string_rfc3339(&self) -> String {
        self.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
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
