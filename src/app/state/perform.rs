//! What each action does to the state.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::has_ending;
use super::reach::{host_of, is_big, sends_key_in_the_clear};
use super::{AppState, MeasureShows, OpenFor, PlanHome, Reach, UseAs, WindowRequest};
use crate::app::actions::{Action, View};
use crate::app::dialogs::{BrowseFor, Dialog};
use crate::app::form::{Form, Section, most_load};
use crate::app::palette::Palette;
use crate::domain::{RunData, Target};
use crate::session::{Command, SaveWhat, SecretText};

impl AppState {
    /// Does what was asked, if it can be done now; a disabled action changes nothing.
    pub fn perform(&mut self, action: Action) {
        self.refresh_plan();
        if action.why_not(self).is_some() {
            if matches!(action, Action::Start | Action::SendOne) {
                self.open_sections_with_issues();
            }
            return;
        }
        match action {
            Action::NewPlan => self.new_plan(),
            Action::Open => self.dialog = Some(Dialog::open_files()),
            Action::Save => match self.plan_home.clone() {
                PlanHome::File(path) => self.save_plan(path),
                _ => self.dialog = Some(Dialog::save_plan(self.suggested_name("plan.toml"))),
            },
            Action::SaveAs => {
                self.dialog = Some(Dialog::save_plan(self.suggested_name("plan.toml")));
            }
            Action::SaveRun => {
                if let Some(from) = self.shown.as_ref().and_then(|r| r.file.clone()) {
                    self.dialog = Some(Dialog::save_run(from));
                }
            }
            Action::Quit => self.request(WindowRequest::Close),
            Action::Undo => {
                if let Some(form) = self.undo.undo(&self.form).cloned() {
                    self.form = form;
                }
            }
            Action::Redo => {
                if let Some(form) = self.undo.redo(&self.form).cloned() {
                    self.form = form;
                }
            }
            Action::Filter => {
                self.view = View::Runs;
                self.request(WindowRequest::FocusFilter);
            }
            Action::Start => self.start(),
            Action::Stop => self.stop(),
            Action::SendOne => self.send_one(),
            Action::PauseResume => self.pause_or_resume(),
            Action::LevelDown => self.step_level(-1.0),
            Action::LevelUp => self.step_level(1.0),
            Action::Mark => {
                // The moment is the key press, however long the words take.
                self.command(Command::KeepMoment);
                self.dialog = Some(Dialog::mark(self.next_mark()));
            }
            Action::RunAgain => self.run_again(),
            Action::ServerRestarted => self.command(Command::ServerRestarted),
            Action::UseMyEndpoint => self.use_my_endpoint(),
            Action::ShowView(view) => self.view = view,
            Action::ShowTest => {
                self.view = View::Measure;
                self.measure_shows = MeasureShows::Test;
            }
            Action::ShowRun => {
                self.view = View::Measure;
                self.measure_shows = MeasureShows::Run;
            }
            Action::CompareThis => self.compare_this(),
            Action::CompareTicked => self.compare_ticked(),
            Action::CompareParameter => self.compare_group_at_hand(),
            Action::ShowGoals => {
                self.view = View::Measure;
                self.measure_shows = MeasureShows::Run;
                self.toggles_goals = true;
            }
            Action::ShowPalette => self.palette = Some(Palette::default()),
            Action::ShowSettings => self.dialog = Some(Dialog::Settings),
            Action::ShowKeys => self.dialog = Some(Dialog::Keys),
            Action::ZoomIn => self.settings.zoom_by(1),
            Action::ZoomOut => self.settings.zoom_by(-1),
            Action::ZoomReset => self.settings.zoom = 1.0,
            Action::Theme(choice) => self.settings.theme = choice,
        }
        self.refresh_plan();
    }

    fn new_plan(&mut self) {
        self.form = Form::simple("");
        self.saved_form = self.form.clone();
        self.plan_home = PlanHome::Nowhere;
        self.measure_shows = MeasureShows::Run;
        self.use_my_endpoint();
    }

    fn use_my_endpoint(&mut self) {
        self.view = View::Measure;
        self.open_sections.insert(Section::Target);
        self.request(WindowRequest::FocusUrl);
    }

    fn open_sections_with_issues(&mut self) {
        let sections: Vec<Section> = self
            .issues()
            .filter_map(|i| Section::of(&i.field))
            .collect();
        self.open_sections.extend(sections);
    }

    fn start(&mut self) {
        self.leave_new_url_open();
        let Some(plan) = self.plan().cloned() else {
            return;
        };
        if self.asks_about_key(&plan.target, Action::Start) {
            return;
        }
        let forecast = self.forecast().cloned().unwrap_or_default();
        if Reach::of(&plan.target.url) == Reach::Elsewhere && is_big(&forecast) {
            self.dialog = Some(Dialog::ConfirmBig {
                host: host_of(&plan.target.url),
                forecast,
                load: most_load(&plan),
            });
            return;
        }
        self.start_confirmed();
    }

    /// Starts without a further question; the big-run dialog calls this.
    pub fn start_confirmed(&mut self) {
        self.dialog = None;
        let Some(plan) = self.plan().cloned() else {
            return;
        };
        self.flush_key();
        self.starting = true;
        self.view = View::Measure;
        self.measure_shows = MeasureShows::Run;
        self.command(Command::Start {
            plan: Arc::new(plan),
            out: None,
        });
    }

    /// Asks before a key leaves this machine in the clear; says whether it asked.
    fn asks_about_key(&mut self, target: &Target, then: Action) -> bool {
        let host = host_of(&target.url);
        if !sends_key_in_the_clear(target) || self.plain_key_hosts.contains(&host) {
            return false;
        }
        self.dialog = Some(Dialog::ConfirmPlainKey { host, then });
        true
    }

    /// The person lets the key go to that host over plain http; what was asked then goes on.
    pub fn allow_plain_key(&mut self, host: String, then: Action) {
        self.plain_key_hosts.insert(host);
        self.dialog = None;
        self.perform(then);
    }

    fn send_one(&mut self) {
        self.leave_new_url_open();
        let Ok((target, workload)) = self.form.one_request() else {
            return;
        };
        if self.asks_about_key(&target, Action::SendOne) {
            return;
        }
        self.flush_key();
        self.test_sent();
        self.view = View::Measure;
        self.measure_shows = MeasureShows::Test;
        self.command(Command::Test {
            target: Box::new(target),
            workload: Box::new(workload),
        });
    }

    /// Hands a typed key to the session, to the keyring when the form says so. Nothing of it stays here.
    pub fn flush_key(&mut self) {
        use crate::app::form::KeySource;
        let keep = match self.form.target.key {
            KeySource::Keyring => true,
            KeySource::Session => false,
            KeySource::None | KeySource::Env => return,
        };
        let key = std::mem::take(&mut self.key_text);
        if !key.trim().is_empty() {
            self.found.retain(|i| !i.field.starts_with("target.key"));
            let url = self.form.target.url.trim().to_owned();
            self.command(Command::SetKey {
                url,
                key: SecretText(key.trim().to_owned()),
                keep,
            });
        }
    }

    /// Takes the key of the form's target out of the keyring and the session.
    pub fn forget_key(&mut self) {
        self.key_text.clear();
        self.key_note = None;
        let url = self.form.target.url.trim().to_owned();
        self.command(Command::ForgetKey { url });
    }

    fn stop(&mut self) {
        let stops = self.running.as_ref().map_or(0, |r| r.stops);
        self.command(if stops == 0 {
            Command::Stop
        } else {
            Command::Abort
        });
        if let Some(running) = &mut self.running {
            running.stops += 1;
        }
    }

    /// The window is about to close; says whether it may. A run under way is asked about first.
    pub fn may_close(&mut self) -> bool {
        if self.is_running() {
            self.dialog = Some(Dialog::CloseWhileRunning);
            return false;
        }
        if self.changed_at.is_some() {
            self.autosave();
        }
        true
    }

    /// Ends the run, keeps its file and closes the window after that.
    pub fn stop_and_close(&mut self) {
        self.closing = true;
        self.stop();
    }

    fn run_again(&mut self) {
        if let Some(run) = self.shown.clone() {
            self.load_plan(&run.head.plan, PlanHome::Nowhere);
        }
    }

    /// Loads the plan of an entry's run: from memory, or by opening its file first.
    pub fn run_again_at(&mut self, path: &Path) {
        if let Some(run) = self.opened_at(path).cloned() {
            self.load_plan(&run.head.plan, PlanHome::Nowhere);
        } else {
            self.library.load_plan_of = Some(path.to_owned());
            self.open(OpenFor::Details, vec![path.to_owned()]);
        }
    }

    /// Shows a run file in the Measure view.
    pub fn show_run(&mut self, path: &Path) {
        if let Some(run) = self.opened_at(path).cloned() {
            self.shown = Some(run);
            self.view = View::Measure;
            self.measure_shows = MeasureShows::Run;
        } else {
            self.open(OpenFor::Show, vec![path.to_owned()]);
        }
    }

    /// Opens a run in the background, for the library's details.
    pub fn open_details(&mut self, path: &Path) {
        if self.opened_at(path).is_none() && !self.open_for.iter().any(|(_, p)| p == path) {
            self.open(OpenFor::Details, vec![path.to_owned()]);
        }
    }

    pub(crate) fn open(&mut self, what: OpenFor, paths: Vec<PathBuf>) {
        self.open_for
            .extend(paths.iter().map(|p| (what, p.clone())));
        self.command(Command::OpenRuns(paths));
    }

    fn save_plan(&mut self, path: PathBuf) {
        if let Some(plan) = self.plan().cloned() {
            self.command(Command::Save {
                what: SaveWhat::Plan(Box::new(plan)),
                path,
            });
        }
    }

    /// What a file dialog or a path field gave.
    pub fn take_path(&mut self, what: &BrowseFor, paths: Vec<PathBuf>) {
        let Some(first) = paths.first().cloned() else {
            return;
        };
        match what {
            BrowseFor::Open => {
                self.dialog = None;
                self.open_paths(paths);
            }
            BrowseFor::SavePlan => {
                self.dialog = None;
                self.save_plan(with_ending(first, ".plan.toml", ".toml"));
            }
            BrowseFor::SaveRun { from } => {
                self.dialog = None;
                self.command(Command::Save {
                    what: SaveWhat::Run { from: from.clone() },
                    path: with_ending(first, ".run.jsonl", ".jsonl"),
                });
            }
            BrowseFor::Prompts => self.take_prompt_file(&first),
            BrowseFor::Dataset => self.use_file(first, UseAs::Dataset),
            BrowseFor::Trace => self.use_file(first, UseAs::Trace),
            BrowseFor::Tokenizer => self.take_tokenizer(&first),
            BrowseFor::Template => self.command(Command::OpenTemplate(first)),
            BrowseFor::CaFile => self.form.advanced.ca_file = first.display().to_string(),
            BrowseFor::Input { name, kind } => {
                let text = first.display().to_string();
                self.form.set_input(name, kind, text);
            }
        }
    }

    fn suggested_name(&self, ending: &str) -> String {
        let label = self.form.title().to_lowercase();
        let word: String = label
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '-' })
            .collect();
        format!("{}.{ending}", word.trim_matches('-'))
    }

    fn compare_this(&mut self) {
        if let Some(run) = self.shown.clone() {
            self.compare.cold_against_warm(run);
            self.view = View::Compare;
        }
    }

    fn compare_ticked(&mut self) {
        let paths = self.library.ticked_oldest_first();
        if let [a, b] = paths.as_slice() {
            self.compare_paths(a, b);
        } else if let Some(group) = self.library.ticked_group() {
            self.compare_group(group);
        }
    }

    /// Opens two runs, A then B, and shows them against each other.
    pub fn compare_paths(&mut self, a: &Path, b: &Path) {
        self.compare.versus();
        self.compare.waits_for_a = false;
        let mut wanted = Vec::new();
        if let Some(run) = self.opened_at(a).cloned() {
            self.compare.set_a(run);
        } else {
            self.compare.waits_for_a = true;
            wanted.push(a.to_owned());
        }
        match self.opened_at(b).cloned() {
            Some(run) => self.compare.set_b(run),
            None => wanted.push(b.to_owned()),
        }
        if !wanted.is_empty() {
            self.open(OpenFor::Compare, wanted);
        }
        self.view = View::Compare;
    }

    /// Changes what a person wrote about a run; the file follows.
    pub fn annotate(
        &mut self,
        path: &Path,
        label: Option<String>,
        tags: Option<Vec<String>>,
        notes: Option<String>,
    ) {
        self.library
            .annotate(path, label.as_deref(), tags.as_deref(), notes.as_deref());
        self.command(Command::Annotate {
            path: path.to_owned(),
            label,
            tags,
            notes,
        });
    }

    /// Shows a finished run; a test and the shell call it for runs that come from elsewhere.
    pub fn show(&mut self, run: Arc<RunData>) {
        self.keep_opened(Arc::clone(&run));
        self.shown = Some(run);
    }
}

/// `path` with `ending`, unless it has one of ours already.
fn with_ending(path: PathBuf, ending: &str, has: &str) -> PathBuf {
    if has_ending(&path, &[has, ".zst"]) {
        return path;
    }
    let mut text = path.into_os_string();
    text.push(ending);
    PathBuf::from(text)
}
