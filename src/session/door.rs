//! What a front end may ask without a session: plans, presets, schemas, one run file, the demo server, signals.

use std::path::{Path, PathBuf};

use crate::demo::{DemoServer, Options, Script};
use crate::domain::{Issue, Plan, RunData, Template};
use crate::store;

/// A plan that comes with the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    pub id: &'static str,
    pub title: &'static str,
    /// What it is for, one sentence without its full stop.
    pub about: String,
    pub plan: Plan,
}

/// The plans that come with the program.
pub fn presets() -> Vec<Preset> {
    let known = store::presets().iter();
    known
        .filter_map(|p| {
            Some(Preset {
                id: p.id,
                title: p.title,
                about: p.about(),
                plan: p.plan()?,
            })
        })
        .collect()
}

/// The plan of a preset.
///
/// # Errors
/// A sentence: which presets there are.
pub fn preset_plan(id: &str) -> Result<Plan, String> {
    let known = presets();
    let ids = known.iter().map(|p| p.id).collect::<Vec<_>>().join(", ");
    let found = known.into_iter().find(|p| p.id == id);
    found
        .map(|p| p.plan)
        .ok_or_else(|| format!("there is no preset “{id}”; there are {ids}"))
}

/// A plan as a file holds it.
pub fn plan_text(plan: &Plan) -> String {
    store::to_toml(plan)
}

/// A plan's text to start from: a preset by its id, or the simplest plan.
///
/// # Errors
/// A sentence: which presets there are, or what no plan's address may hold.
pub fn new_plan(preset: Option<&str>, url: Option<&str>) -> Result<String, String> {
    let mut plan = match preset {
        None => Plan::simple("http://127.0.0.1:8000/v1"),
        Some(id) => preset_plan(id)?,
    };
    if let Some(url) = url {
        url.clone_into(&mut plan.target.url);
        if let Some(issue) = plan
            .target
            .check()
            .into_iter()
            .find(|i| i.field == "target.url")
        {
            return Err(format!("--url: {}", issue.message));
        }
    }
    // The address alone: a preset's other fields are sound. Above all, one with a password must not be written.
    let issue = plan.check().into_iter().find(|i| i.field == "target.url");
    match issue {
        Some(issue) => Err(format!("{}: {}", issue.field, issue.message)),
        None => Ok(store::to_toml(&plan)),
    }
}

/// The demo plan against a demo server's URL.
///
/// # Errors
/// A sentence, should the preset be missing.
pub fn demo_plan(url: &str) -> Result<Plan, String> {
    let preset = presets()
        .into_iter()
        .find(|p| p.id == "demo")
        .ok_or("the demo plan is missing")?;
    let mut plan = preset.plan;
    url.clone_into(&mut plan.target.url);
    Ok(plan)
}

/// Reads a plan file; paths in it are seen from its own folder.
///
/// # Errors
/// Every issue, each as `line 3: target.url: …`.
pub fn read_plan(path: &Path) -> Result<Plan, Vec<String>> {
    let check = store::check_file(path).map_err(|e| vec![format!("cannot be read: {e}")])?;
    match check.plan {
        Some(plan) if check.issues.is_empty() => Ok(plan),
        _ => Err(check.issues.iter().map(ToString::to_string).collect()),
    }
}

/// Reads the file of a target's template.
///
/// # Errors
/// Every issue, each as `line 3: target.template.token: …`.
pub fn read_template(path: &Path) -> Result<Template, Vec<String>> {
    store::read_template(path)
}

/// Why a text that was typed or pasted names no address; `None` where it names one.
pub fn names_no_address(text: &str) -> Option<String> {
    let issue = crate::protocol::detect::address_in(text).err()?;
    Some(issue.message)
}

/// The plan with one field changed, as `--set FIELD=VALUE` does.
///
/// # Errors
/// What is wrong with the field or the value.
pub fn set_field(plan: &Plan, field: &str, value: &str) -> Result<Plan, Issue> {
    store::set_field(plan, field, value)
}

/// A field of a plan that may be set by its path, and may be varied.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlanField {
    /// As `--set` and `vary` name it; of the first stage, where it is a stage's.
    pub path: String,
    pub doc: &'static str,
}

/// The fields of a plan that change what is measured, in the order of the file.
pub fn plan_fields() -> Vec<PlanField> {
    let known = store::fields().into_iter();
    let measured = |path: &str| {
        let first = path.split('.').next().unwrap_or_default();
        !matches!(
            first,
            "schema" | "label" | "tags" | "profile" | "keep_text" | "vary" | "vary_mode"
        ) && !path.starts_with("target.key")
    };
    known
        .filter(|(path, _)| measured(path))
        .map(|(path, doc)| PlanField { path, doc })
        .collect()
}

/// The JSON schema of a run file's lines, or of a plan.
pub fn schema(of_run: bool) -> &'static str {
    store::schema(if of_run {
        store::SchemaKind::Run
    } else {
        store::SchemaKind::Plan
    })
}

/// Opens a run file.
///
/// # Errors
/// What is wrong with it, as a sentence.
pub fn open_run(path: &Path) -> Result<RunData, String> {
    store::open_run(path).map_err(|e| e.to_string())
}

/// Starts the embedded server.
///
/// # Errors
/// What is wrong with the script, the log or the port, as a sentence.
pub fn start_demo_server(
    port: u16,
    script: Option<&Path>,
    log: Option<PathBuf>,
) -> Result<DemoServer, String> {
    let script = match script {
        None => Script::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| format!("the script “{}” cannot be read: {e}", path.display()))?;
            Script::parse(&text).map_err(|e| e.to_string())?
        }
    };
    let told = log.clone();
    DemoServer::start(Options { port, script, log }).map_err(|e| match told {
        Some(log) => format!(
            "the demo server cannot start on port {port} with the log “{}”: {e}",
            log.display()
        ),
        None => {
            format!("the demo server cannot start on port {port}: {e}; another --port may be free")
        }
    })
}

/// Calls back with 1, 2, … at each Ctrl-C or SIGTERM, from a thread of its own.
pub(super) fn on_end_signals(mut call: impl FnMut(u32) + Send + 'static) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|e| format!("signals cannot be listened to: {e}"))?;
    let listen = move || {
        runtime.block_on(async {
            let Ok(mut signals) = EndSignals::new() else {
                return;
            };
            let mut n = 0;
            loop {
                signals.next().await;
                n += 1;
                call(n);
            }
        });
    };
    let spawned = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(listen);
    spawned
        .map(drop)
        .map_err(|e| format!("signals cannot be listened to: {e}"))
}

/// Ctrl-C or SIGTERM, listened to from the moment this is made: whoever is told that we are ready may end us at once.
pub struct EndSignal {
    runtime: tokio::runtime::Runtime,
    signals: EndSignals,
}

impl EndSignal {
    /// # Errors
    /// When signals cannot be listened to, as a sentence.
    pub fn listen() -> Result<Self, String> {
        let failed = |e| format!("signals cannot be listened to: {e}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let signals = runtime
            .block_on(async { EndSignals::new() })
            .map_err(failed)?;
        Ok(Self { runtime, signals })
    }

    pub fn wait(mut self) {
        self.runtime.block_on(self.signals.next());
    }
}

#[cfg(unix)]
struct EndSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl EndSignals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct EndSignals;

#[cfg(not(unix))]
impl EndSignals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        tokio::signal::ctrl_c().await.ok();
    }
}
