//! What can be asked and what comes back.

use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::{
    Issue, Plan, RunData, RunEntry, Target, TargetInfo, Template, TestReport, Variant, Workload,
};

/// Asked by a front end; never blocks it.
#[derive(Clone, Debug)]
pub enum Command {
    /// Read the last form and the settings; answered by [`Event::Restored`].
    Restore,
    /// Start the embedded demo server, if it is not up; answered by [`Event::DemoReady`].
    StartDemo,
    /// A plan that varies fields is run once for each variation, one after the other, each into a file of its own.
    Start {
        plan: Arc<Plan>,
        out: Option<PathBuf>,
    },
    /// Let what is in flight end, and run no further variation; a second one aborts.
    Stop,
    Abort,
    /// The person has restarted the server, as the cold probe asked.
    ServerRestarted,
    /// Send nothing until [`Command::Resume`]; what is in flight ends.
    Pause,
    Resume,
    /// Go on with so many users, or requests per second where the stage is an open one.
    SetLevel(f64),
    /// Mark this moment on the time axis.
    Mark(String),
    /// Remember this moment: the person will say what it is.
    KeepMoment,
    /// Mark the moment that was kept.
    MarkKept(String),
    /// Find out what stands behind a URL, a Space name or a curl command.
    Detect {
        text: String,
        target: Box<Target>,
    },
    /// Send one request and show everything.
    Test {
        target: Box<Target>,
        workload: Box<Workload>,
    },
    /// Keep a key for the target's origin: in the keyring, or for this session only.
    SetKey {
        url: String,
        key: SecretText,
        keep: bool,
    },
    ForgetKey {
        url: String,
    },
    OpenRuns(Vec<PathBuf>),
    /// Read the library folder again.
    ListRuns,
    /// Change label, tags or notes of a run file.
    Annotate {
        path: PathBuf,
        label: Option<String>,
        tags: Option<Vec<String>>,
        notes: Option<String>,
    },
    DeleteRun {
        path: PathBuf,
    },
    OpenPlan(PathBuf),
    /// Read the file of a target's template; answered by [`Event::TemplateOpened`].
    OpenTemplate(PathBuf),
    /// Copy a run file elsewhere (`.zst` by its name), or write a plan.
    Save {
        what: SaveWhat,
        path: PathBuf,
    },
    /// Write the form as it stands and the settings; atomic, replaces the last.
    Autosave {
        plan: Box<Plan>,
        settings: serde_json::Value,
    },
    Shutdown,
}

/// A secret on its way to the keyring; never printed.
#[derive(Clone)]
pub struct SecretText(pub String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(…)")
    }
}

#[derive(Clone, Debug)]
pub enum SaveWhat {
    Run { from: PathBuf },
    Plan(Box<Plan>),
}

/// Which run an event speaks of.
pub type RunRef = String;

/// Told to a front end; none of these may be lost. The newest state of a run comes apart, as `LiveSnapshot`.
#[derive(Clone, Debug)]
pub enum Event {
    DemoReady {
        url: String,
        capacity: String,
    },
    /// The plan could not start; every issue at its field.
    Refused {
        issues: Vec<Issue>,
    },
    RunStarted {
        id: RunRef,
        file: Option<PathBuf>,
        /// What preparation found that a person should know: a field that has no effect, a file that was uploaded.
        notes: Vec<String>,
    },
    /// Ended, finished or interrupted; the file is complete.
    RunEnded {
        run: Arc<RunData>,
    },
    /// The run of the next variation of a plan begins to prepare.
    VariationStarted {
        /// From 0.
        index: u32,
        of: u32,
        values: Variant,
    },
    /// The run of a variation could not start; the next one follows.
    VariationRefused {
        index: u32,
        of: u32,
        values: Variant,
        issues: Vec<Issue>,
    },
    /// No further variation is run: `n_run` of them were.
    VariationsEnded {
        n_run: u32,
        of: u32,
    },
    Detected {
        text: String,
        info: Box<TargetInfo>,
    },
    DetectFailed {
        text: String,
        message: String,
    },
    Tested(Box<TestReport>),
    RunOpened {
        run: Arc<RunData>,
        /// As the library lists it, wherever the file is.
        entry: Box<RunEntry>,
    },
    RunNotOpened {
        path: PathBuf,
        message: String,
    },
    Library {
        folder: PathBuf,
        entries: Vec<RunEntry>,
    },
    PlanOpened {
        path: PathBuf,
        plan: Box<Plan>,
    },
    TemplateOpened {
        path: PathBuf,
        template: Box<Template>,
    },
    Saved {
        path: PathBuf,
    },
    KeyKept {
        url: String,
        where_kept: String,
    },
    /// What failed, the value in quotes and what to do, for a banner. Nothing was changed by it.
    Failed {
        message: String,
    },
    /// The last form, if there is one, and the settings.
    Restored {
        plan: Option<Box<Plan>>,
        settings: serde_json::Value,
    },
}
