//! All that the window knows, without a window: what was typed, what came back, what is asked next. No I/O and no clock
//! of its own, so that a test can drive the whole program through it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::util::undoer::{Settings as UndoSettings, Undoer};

use super::actions::{Action, View};
use super::compare::CompareChoice;
use super::dialogs::{BrowseFor, Dialog};
use super::form::{Form, Section, TargetForm};
use super::palette::Palette;
use super::runs::{DetailsChart, Library};
use super::settings::Settings;
use crate::domain::{Issue, LiveSnapshot, Plan, Protocol, RunData, Target, TargetInfo, TestReport};
use crate::session::Command;

mod events;
mod files;
mod live;
mod perform;
mod plan;
mod reach;
mod shell;
mod tested;
mod varied;

pub use files::UseAs;
pub use live::{Controls, LevelField};
pub use reach::{Reach, host_of, is_loopback, sends_key_in_the_clear};
pub(crate) use shell::{address_of, tilde};

/// A built-in plan that the form can be filled with.
#[derive(Clone, Debug)]
pub struct PresetEntry {
    pub id: &'static str,
    pub title: &'static str,
    /// What it is for, in a sentence.
    pub about: String,
    pub plan: Plan,
}

/// What stands right of the form.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MeasureShows {
    /// The run, or the empty view.
    #[default]
    Run,
    /// What the test request showed.
    Test,
}

/// A value that is asked for elsewhere; the old one stays visible while a new one comes.
#[derive(Clone, Debug, Default)]
pub enum Fetch<T> {
    #[default]
    Idle,
    Pending {
        last: Option<T>,
    },
    Ready(T),
    Failed {
        message: String,
    },
}

impl<T> Fetch<T> {
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Ready(value) | Self::Pending { last: Some(value) } => Some(value),
            _ => None,
        }
    }

    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Pending { .. })
    }

    /// Begins to wait, and keeps what there is.
    pub fn ask(&mut self) {
        let last = match std::mem::take(self) {
            Self::Ready(value) | Self::Pending { last: Some(value) } => Some(value),
            _ => None,
        };
        *self = Self::Pending { last };
    }
}

/// The run under way.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Running {
    pub id: String,
    pub file: Option<PathBuf>,
    /// Times that the person asked to stop.
    pub stops: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BannerKind {
    Info,
    Failed,
}

/// A sentence above the view, until it is dismissed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Banner {
    pub kind: BannerKind,
    pub text: String,
    /// What its button does.
    pub action: Option<Action>,
}

/// What only a window can do; taken by the shell after each frame.
#[derive(Clone, Debug, PartialEq)]
pub enum WindowRequest {
    Close,
    Copy(String),
    FocusUrl,
    FocusFilter,
    Browse(BrowseFor),
}

/// Where the form's plan lives.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum PlanHome {
    /// A preset, as it came.
    BuiltIn(&'static str),
    File(PathBuf),
    #[default]
    Nowhere,
}

/// Why runs were asked to be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OpenFor {
    Show,
    Compare,
    Details,
    /// One of three or more: runs of one varied plan are shown by parameter, others stand ticked in the library.
    Several,
}

/// Seconds without a change after which the form is saved.
pub const AUTOSAVE_SECS: f64 = 1.0;
/// Opened runs that are kept in memory.
const MAX_OPENED: usize = 8;

/// The window's state.
pub struct AppState {
    pub view: View,
    pub measure_shows: MeasureShows,
    pub form: Form,
    /// Sections of the form that are open.
    pub open_sections: BTreeSet<Section>,
    pub plan_home: PlanHome,
    /// The form as it was saved or loaded last.
    pub saved_form: Form,
    pub presets: Vec<PresetEntry>,
    /// What detection found behind the URL that `info_for` holds.
    pub info: Fetch<TargetInfo>,
    pub info_for: String,
    pub test: Fetch<TestReport>,
    /// The target that it is of, and whether an answer on its way is of an older one.
    tested: Option<TargetForm>,
    drops_test: bool,
    /// A key on its way to the keyring or the session; never in the form.
    pub key_text: String,
    pub key_note: Option<String>,
    /// Where the demo server listens.
    pub demo: Option<(String, String)>,
    /// The run opened or finished last.
    pub shown: Option<Arc<RunData>>,
    pub live: LiveSnapshot,
    pub running: Option<Running>,
    /// What the start of a run told of it, by the run's id.
    notes: Option<(String, Vec<String>)>,
    /// How far a varied plan has come.
    varied: Option<varied::VariedCourse>,
    /// The level of the stage under way, as the person types it.
    pub level: LevelField,
    /// The table of the Measure view is to show goals, or stages again.
    pub(crate) toggles_goals: bool,
    /// A start was asked and not yet answered.
    pub starting: bool,
    /// Start as soon as the demo server is up.
    pub start_when_ready: bool,
    /// The window closes when the run has ended.
    pub closing: bool,
    pub library: Library,
    pub details_chart: DetailsChart,
    pub compare: CompareChoice,
    /// Runs opened so far, newest first.
    pub opened: Vec<Arc<RunData>>,
    pub banners: Vec<Banner>,
    pub dialog: Option<Dialog>,
    pub palette: Option<Palette>,
    pub settings: Settings,
    undo: Undoer<Form>,
    /// Issues that the session or a test request found, for the form as it then was.
    found: Vec<Issue>,
    found_for: Option<Form>,
    found_blocks: bool,
    pub(crate) open_for: Vec<(OpenFor, PathBuf)>,
    /// Three or more files that were asked to be opened together.
    several: Vec<PathBuf>,
    /// Hosts that the person let a key go to over plain http.
    plain_key_hosts: BTreeSet<String>,
    /// What was last autosaved, and when the form changed since.
    autosaved: Option<(Form, Settings)>,
    changed_at: Option<(f64, Form, Settings)>,
    restored: bool,
    commands: Vec<Command>,
    requests: Vec<WindowRequest>,
    cache: plan::PlanCache,
}

impl AppState {
    /// The state of a fresh window: the first preset in the form, the demo server and the library asked for.
    pub fn new(presets: Vec<PresetEntry>) -> Self {
        let (form, plan_home) = presets.first().map_or_else(
            || (Form::simple(""), PlanHome::Nowhere),
            |p| (Form::from_plan(&p.plan), PlanHome::BuiltIn(p.id)),
        );
        let undo = UndoSettings {
            stable_time: 0.5,
            ..UndoSettings::default()
        };
        let mut state = Self {
            view: View::Measure,
            measure_shows: MeasureShows::Run,
            saved_form: form.clone(),
            form,
            open_sections: BTreeSet::from([Section::Target, Section::Load]),
            plan_home,
            presets,
            info: Fetch::Idle,
            info_for: String::new(),
            test: Fetch::Idle,
            tested: None,
            drops_test: false,
            key_text: String::new(),
            key_note: None,
            demo: None,
            shown: None,
            live: None,
            running: None,
            notes: None,
            varied: None,
            level: LevelField::default(),
            toggles_goals: false,
            starting: false,
            start_when_ready: false,
            closing: false,
            library: Library::default(),
            details_chart: DetailsChart::default(),
            compare: CompareChoice::default(),
            opened: Vec::new(),
            banners: Vec::new(),
            dialog: None,
            palette: None,
            settings: Settings::default(),
            undo: Undoer::with_settings(undo),
            found: Vec::new(),
            found_for: None,
            found_blocks: false,
            open_for: Vec::new(),
            several: Vec::new(),
            plain_key_hosts: BTreeSet::new(),
            autosaved: None,
            changed_at: None,
            restored: false,
            commands: vec![Command::StartDemo, Command::ListRuns],
            requests: Vec::new(),
            cache: plan::PlanCache::default(),
        };
        state.undo.feed_state(0.0, &state.form);
        state
    }

    /// What the session is asked for; the shell sends it.
    pub fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// What the window is asked for; the shell does it.
    pub fn take_requests(&mut self) -> Vec<WindowRequest> {
        std::mem::take(&mut self.requests)
    }

    pub fn request(&mut self, request: WindowRequest) {
        self.requests.push(request);
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// Once a frame, with the window's clock: undo points and the autosave. Says after how many seconds it wants to be
    /// called again, if nothing else happens.
    pub fn tick(&mut self, now_secs: f64) -> Option<f64> {
        self.refresh_plan();
        self.undo.feed_state(now_secs, &self.form);
        let autosave = self.tick_autosave(now_secs);
        let undo = self.undo.is_in_flux().then_some(0.6);
        let level = self.tick_level(now_secs);
        [autosave, undo, level]
            .into_iter()
            .flatten()
            .reduce(f64::min)
    }

    fn tick_autosave(&mut self, now_secs: f64) -> Option<f64> {
        let is_saved = |saved: &Option<(Form, Settings)>, form: &Form, settings: &Settings| {
            saved
                .as_ref()
                .is_none_or(|(f, s)| f == form && s == settings)
        };
        if self.autosaved.is_none() {
            self.autosaved = Some((self.form.clone(), self.settings.clone()));
        }
        if is_saved(&self.autosaved, &self.form, &self.settings) {
            self.changed_at = None;
            return None;
        }
        let since = match &self.changed_at {
            Some((at, form, settings)) if *form == self.form && *settings == self.settings => *at,
            _ => {
                self.changed_at = Some((now_secs, self.form.clone(), self.settings.clone()));
                now_secs
            }
        };
        let left = AUTOSAVE_SECS - (now_secs - since);
        if left > 0.0 {
            return Some(left);
        }
        self.autosave();
        None
    }

    /// Saves the form and the settings at once. A form with something to fix cannot be a plan yet: the last good one stays.
    pub fn autosave(&mut self) {
        self.refresh_plan();
        let plan = self.cache.plan.clone();
        let plan = plan.or_else(|| self.saved_form.to_plan().ok());
        if let Some(plan) = plan {
            self.commands.push(Command::Autosave {
                plan: Box::new(plan),
                settings: self.settings.to_json(),
            });
        }
        self.autosaved = Some((self.form.clone(), self.settings.clone()));
        self.changed_at = None;
    }

    /// The run that charts and tables show: the one under way, else the one opened or finished last.
    pub fn run_shown(&self) -> Option<&Arc<RunData>> {
        self.live.as_ref().or(self.shown.as_ref())
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some() || self.starting
    }

    /// The form is a record of what runs and cannot be changed now.
    pub fn is_locked(&self) -> bool {
        self.is_running()
    }

    /// The form differs from what was saved or loaded.
    pub fn is_unsaved(&self) -> bool {
        self.form != self.saved_form
    }

    /// `saved`, `not saved` or `built in`, for the form's head.
    pub fn plan_note(&self) -> &'static str {
        match &self.plan_home {
            PlanHome::BuiltIn(_) if !self.is_unsaved() => "built in",
            PlanHome::File(_) if !self.is_unsaved() => "saved",
            _ => "not saved",
        }
    }

    /// What detection found, while it still speaks of the URL in the form.
    pub fn target_info(&self) -> Option<&TargetInfo> {
        let info = self.info.value()?;
        let url = self.form.target.url.trim();
        (url == info.url || url == self.info_for).then_some(info)
    }

    pub fn banner(&mut self, kind: BannerKind, text: impl Into<String>) {
        self.banner_with(kind, text, None);
    }

    /// A sentence with something to do about it.
    pub(crate) fn banner_with(
        &mut self,
        kind: BannerKind,
        text: impl Into<String>,
        action: Option<Action>,
    ) {
        let banner = Banner {
            kind,
            text: text.into(),
            action,
        };
        if !self.banners.contains(&banner) {
            self.banners.push(banner);
        }
        let n = self.banners.len();
        if n > 3 {
            self.banners.drain(..n - 3);
        }
    }

    /// Loads a plan into the form; undo brings the old form back.
    pub fn load_plan(&mut self, plan: &Plan, home: PlanHome) {
        self.load_form(Form::from_plan(plan), home);
    }

    pub(crate) fn load_form(&mut self, form: Form, home: PlanHome) {
        self.form = form;
        self.saved_form = self.form.clone();
        self.plan_home = home;
        self.view = View::Measure;
        self.measure_shows = MeasureShows::Run;
        self.refresh_plan();
        self.detect_if_known();
    }

    /// Asks what stands behind a text, unless it was asked already.
    pub fn detect(&mut self, text: &str) {
        // What was chosen for another address says nothing of this one; the person may choose again afterwards.
        let anew = Target {
            protocol: Protocol::Auto,
            ..self.form.target_alone()
        };
        self.ask_of(text, anew);
    }

    fn ask_of(&mut self, text: &str, target: Target) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        text.clone_into(&mut self.info_for);
        self.info.ask();
        self.command(Command::Detect {
            text: text.to_owned(),
            target: Box::new(target),
        });
    }

    /// After the URL field was left: asks, if the URL is a new one.
    pub fn url_entered(&mut self) {
        if !self.knows_url() {
            let url = self.form.target.url.clone();
            self.detect(&url);
        }
    }

    fn knows_url(&self) -> bool {
        let url = self.form.target.url.trim();
        self.info.value().is_some_and(|i| i.url == url) || self.info_for == url
    }

    /// Start and Send one may be pressed while a new URL has not been asked yet: the session then finds out its protocol.
    pub(super) fn leave_new_url_open(&mut self) {
        let is_typed = self.form.target.url.trim() != self.saved_form.target.url.trim();
        if is_typed && !self.knows_url() {
            self.form.target.protocol = Protocol::Auto;
            self.form.target.model.clear();
            self.refresh_plan();
        }
    }

    fn detect_if_known(&mut self) {
        // A loaded plan shows its endpoints and models without a key press; the demo's own address needs no question.
        if reach::is_loopback(&self.form.target.url) && !self.knows_url() {
            let url = self.form.target.url.clone();
            self.ask_of(&url, self.form.target_alone());
        }
    }

    /// Puts an opened run first among those kept in memory.
    pub(crate) fn keep_opened(&mut self, run: Arc<RunData>) {
        self.opened.retain(|r| r.head.id != run.head.id);
        self.opened.insert(0, run);
        self.opened.truncate(MAX_OPENED);
    }

    /// The opened run of that file.
    pub fn opened_at(&self, path: &Path) -> Option<&Arc<RunData>> {
        self.opened.iter().find(|r| r.file.as_deref() == Some(path))
    }

    /// What a person may be told when `Start` is off; `None` when it is on.
    pub fn start_block(&self) -> Option<String> {
        Action::Start.why_not(self)
    }

    /// Something open above the window takes Esc first.
    pub fn has_overlay(&self) -> bool {
        self.dialog.is_some() || self.palette.is_some()
    }

    /// The cold probe waits for the person to restart the server.
    pub fn awaits_restart(&self) -> bool {
        let state = self.live.as_ref().map(|run| &run.state);
        matches!(state, Some(crate::domain::RunState::AwaitingRestart { .. }))
    }

    pub fn has_undo(&self) -> bool {
        self.undo.has_undo(&self.form)
    }

    pub fn has_redo(&self) -> bool {
        self.undo.has_redo(&self.form)
    }
}
