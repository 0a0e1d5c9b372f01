//! What came back from the session, put into the state.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::shell::in_plain_words;
use super::{AppState, BannerKind, Fetch, MeasureShows, OpenFor, PlanHome, Running};
use crate::app::actions::{Action, View};
use crate::app::form::{Form, Section, TemplateForm};
use crate::app::settings::Settings;
use crate::domain::{LiveSnapshot, Plan, Protocol, RunData, TargetInfo, variant_words};
use crate::session::{Command, Event, SecretText};

/// The preset that is run against the embedded demo server.
const DEMO: &str = "demo";

impl AppState {
    /// Takes an event in.
    pub fn apply_event(&mut self, event: Event) {
        match event {
            Event::DemoReady { url, capacity } => self.demo_ready(&url, capacity),
            Event::Refused { issues } => {
                self.starting = false;
                let n = issues.len();
                let first = issues.first().map(|i| i.message.clone());
                self.set_found(issues, false);
                if let Some(first) = first {
                    let more = if n > 1 {
                        format!(" (and {} more)", n - 1)
                    } else {
                        String::new()
                    };
                    self.banner(
                        BannerKind::Failed,
                        format!("The run did not start: {first}{more}"),
                    );
                }
            }
            Event::RunStarted { id, file, notes } => {
                self.keep_notes(&id, notes);
                self.starting = false;
                self.running = Some(Running { id, file, stops: 0 });
                self.view = View::Measure;
                self.measure_shows = MeasureShows::Run;
            }
            Event::RunEnded { run } => self.run_ended(run),
            Event::VariationRefused {
                index,
                of,
                values,
                issues,
            } => {
                let first = issues.first().map(|i| i.message.as_str());
                let message = format!(
                    "Variation {} of {of} ({}) did not start: {}",
                    index + 1,
                    variant_words(&values),
                    first.unwrap_or_default()
                );
                self.banner(BannerKind::Failed, message);
            }
            Event::VariationStarted { index, of, .. } => self.variation_started(index, of),
            Event::VariationsEnded { .. } => self.varied = None,
            Event::Detected { text, info } => self.detected(&text, *info),
            Event::DetectFailed { text, message } => {
                if text == self.info_for {
                    self.info = Fetch::Failed { message };
                }
            }
            Event::Tested(_) if std::mem::take(&mut self.drops_test) => {}
            Event::Tested(report) => {
                self.set_found(report.issues.clone(), true);
                if let Some(info) = &report.info {
                    self.info_for.clone_from(&info.url);
                    self.info = Fetch::Ready(info.clone());
                }
                self.test = Fetch::Ready(*report);
                self.refresh_forecast();
            }
            Event::RunOpened { run, entry } => {
                self.library.add_opened(*entry);
                self.run_opened(run);
            }
            Event::RunNotOpened { path, message } => self.run_not_opened(&path, message),
            Event::Library { folder, entries } => {
                self.library.folder = Some(folder);
                self.library.set_entries(entries);
            }
            Event::PlanOpened { path, plan } => {
                self.settings.add_recent(&path);
                self.load_plan(&plan, PlanHome::File(path));
            }
            Event::TemplateOpened { template, .. } => self.template_opened(&template),
            Event::Saved { path } => self.saved(path),
            Event::KeyKept { where_kept, .. } => self.key_note = Some(where_kept),
            Event::Failed { message } => {
                self.starting = false;
                if self.test.is_pending() {
                    self.test = Fetch::Failed {
                        message: message.clone(),
                    };
                }
                self.banner(BannerKind::Failed, message);
            }
            Event::Restored { plan, settings } => self.restore(plan.as_deref(), &settings),
        }
    }

    /// What already stands below the URL is not said twice.
    fn keep_notes(&mut self, id: &str, mut notes: Vec<String>) {
        if let Some(info) = self.target_info() {
            notes.retain(|note| !info.notes.contains(note));
        }
        let notes = notes.iter().map(|note| in_plain_words(note)).collect();
        self.notes = Some((id.to_owned(), notes));
    }

    /// What the start of the run shown told of it.
    pub fn notes(&self) -> &[String] {
        let run = self.run_shown().map(|run| &run.head.id);
        let notes = self.notes.as_ref().filter(|(id, _)| Some(id) == run);
        notes.map_or(&[], |(_, notes)| notes)
    }

    /// Takes the newest state of the run under way.
    pub fn apply_snapshot(&mut self, snapshot: LiveSnapshot) {
        self.live = snapshot.filter(|run| run.is_live());
    }

    fn demo_ready(&mut self, url: &str, capacity: String) {
        // Only the demo plan as it came, or as it was restored: its port is another one each time.
        let is_demo = self.plan_home == PlanHome::BuiltIn(DEMO) && !self.is_unsaved();
        if is_demo {
            url.clone_into(&mut self.form.target.url);
            self.saved_form = self.form.clone();
        }
        for preset in self.presets.iter_mut().filter(|p| p.id == DEMO) {
            url.clone_into(&mut preset.plan.target.url);
        }
        self.settings.demo_url = Some(url.to_owned());
        self.demo = Some((url.to_owned(), capacity));
        self.refresh_plan();
        if self.form.target.url == url {
            self.url_entered();
        }
        if std::mem::take(&mut self.start_when_ready) {
            self.perform(Action::Start);
        }
    }

    fn run_ended(&mut self, run: Arc<RunData>) {
        self.running = None;
        self.starting = false;
        self.live = None;
        self.keep_opened(Arc::clone(&run));
        if let Some(path) = &run.file {
            self.settings.add_recent(path);
        }
        self.variation_ended(&run);
        self.tell_of_group(&run);
        self.shown = Some(run);
        self.command(Command::ListRuns);
        if self.closing {
            self.request(super::WindowRequest::Close);
        } else if matches!(
            self.dialog,
            Some(crate::app::dialogs::Dialog::CloseWhileRunning)
        ) {
            self.dialog = None;
        }
    }

    /// After the last run of a varied plan: all of them by parameter.
    fn tell_of_group(&mut self, run: &RunData) {
        if let Some(variation) = &run.head.variation
            && variation.of > 1
            && variation.index + 1 == variation.of
        {
            let text = format!("All {} runs of the varied plan have ended.", variation.of);
            self.banner_with(BannerKind::Info, text, Some(Action::CompareParameter));
        }
    }

    fn detected(&mut self, text: &str, info: TargetInfo) {
        if text != self.info_for {
            return;
        }
        let key = info.pasted.as_ref().and_then(|p| p.key.clone());
        if !self.is_locked() && self.form.target.url.trim() == text {
            let elsewhere = self.info.value().filter(|old| old.url != info.url);
            if elsewhere.is_some_and(|old| old.models.contains(&self.form.target.model)) {
                // It was picked from another server's list.
                self.form.target.model.clear();
            }
            let untouched = !self.is_unsaved();
            self.form.take_detected(&info);
            if untouched && info.pasted.is_none() {
                // What the server says of itself is no edit of the person's.
                self.saved_form = self.form.clone();
            }
        }
        if let Some(key) = key {
            self.command(Command::SetKey {
                url: info.url.clone(),
                key: SecretText(key),
                keep: false,
            });
        }
        self.info = Fetch::Ready(info);
        self.refresh_plan();
    }

    fn run_opened(&mut self, run: Arc<RunData>) {
        if let Some(path) = &run.file {
            self.settings.add_recent(path);
        }
        self.keep_opened(Arc::clone(&run));
        if run.file.is_some() && self.library.load_plan_of == run.file {
            self.library.load_plan_of = None;
            if !self.is_locked() {
                self.load_plan(&run.head.plan, PlanHome::Nowhere);
            }
        }
        let is_this = |p: &PathBuf| run.file.as_ref() == Some(p);
        let asked = self.open_for.iter().position(|(_, p)| is_this(p));
        let what = asked.map_or(OpenFor::Show, |i| self.open_for.remove(i).0);
        match what {
            OpenFor::Details => {}
            OpenFor::Several => self.several_opened(),
            OpenFor::Show => {
                self.fill_idle_form(&run.head.plan);
                self.shown = Some(run);
                self.view = View::Measure;
                self.measure_shows = MeasureShows::Run;
            }
            OpenFor::Compare => {
                if self.compare.waits_for_a {
                    self.compare.set_a(run);
                    self.compare.waits_for_a = false;
                } else {
                    self.compare.set_b(run);
                }
                self.view = View::Compare;
            }
        }
    }

    /// A form that holds nothing of the person's follows the run that is opened.
    fn fill_idle_form(&mut self, plan: &Plan) {
        let is_idle = matches!(self.plan_home, PlanHome::BuiltIn(_) | PlanHome::Nowhere);
        if is_idle && !self.is_unsaved() && !self.is_locked() {
            self.form = Form::from_plan(plan);
            self.saved_form = self.form.clone();
            self.plan_home = PlanHome::Nowhere;
            self.refresh_plan();
        }
    }

    fn run_not_opened(&mut self, path: &Path, message: String) {
        self.banner(BannerKind::Failed, message);
        let asked = self.open_for.iter().position(|(_, p)| p == path);
        let what = asked.map(|i| self.open_for.remove(i).0);
        if self.library.load_plan_of.as_deref() == Some(path) {
            self.library.load_plan_of = None;
        }
        match what {
            Some(OpenFor::Compare) => self.compare.waits_for_a = false,
            Some(OpenFor::Several) => self.several_opened(),
            Some(OpenFor::Show | OpenFor::Details) | None => {}
        }
    }

    /// When the last of several files is open, or cannot be.
    pub(super) fn several_opened(&mut self) {
        let waits = |(what, _): &(OpenFor, PathBuf)| *what == OpenFor::Several;
        if self.open_for.iter().any(waits) {
            return;
        }
        let paths = std::mem::take(&mut self.several);
        let entries = paths.iter().filter_map(|path| self.library.entry(path));
        let groups: Vec<Option<String>> = entries
            .map(|e| e.variation.as_ref().map(|v| v.group.clone()))
            .collect();
        match groups.first() {
            Some(Some(group)) if groups.iter().all(|g| g.as_ref() == Some(group)) => {
                self.compare_group(group.clone());
            }
            Some(_) => {
                for path in &paths {
                    if self.library.entry(path).is_some() {
                        self.library.tick(path, true);
                    }
                }
                self.view = View::Runs;
            }
            None => {}
        }
    }

    fn template_opened(&mut self, template: &crate::domain::Template) {
        if !self.is_locked() {
            self.form.target.template = TemplateForm::of(Some(template));
            self.form.target.protocol = Protocol::Http;
            self.open_sections.insert(Section::Target);
            self.view = View::Measure;
            self.refresh_plan();
        }
    }

    fn saved(&mut self, path: PathBuf) {
        let is_plan = path.extension().is_some_and(|e| e == "toml");
        if is_plan {
            self.settings.add_recent(&path);
            self.saved_form = self.form.clone();
            self.plan_home = PlanHome::File(path);
        } else {
            let text = format!("Saved “{}”", path.display());
            self.banner(BannerKind::Info, text);
        }
    }

    /// Who asks for the demo gets the demo plan, whatever form was left.
    pub fn start_with_demo(&mut self) {
        self.start_when_ready = true;
        self.restored = true;
    }

    fn restore(&mut self, plan: Option<&Plan>, settings: &serde_json::Value) {
        self.settings = Settings::from_json(settings);
        if let Some(plan) = plan
            && !self.restored
            && !self.is_unsaved()
        {
            let home = self.home_of(plan);
            self.load_plan(plan, home);
        }
        self.restored = true;
        self.autosaved = Some((self.form.clone(), self.settings.clone()));
        if let Some((url, capacity)) = self.demo.clone() {
            self.demo_ready(&url, capacity);
        }
    }

    /// The preset that this plan is; the demo's, when its address was the demo server's.
    fn home_of(&self, plan: &Plan) -> PlanHome {
        let same = |preset: &&super::PresetEntry| {
            let mut form = Form::from_plan(&preset.plan);
            let mine = Form::from_plan(plan);
            form.target = mine.target.clone();
            let is_demo_url = self.settings.demo_url.as_ref() == Some(&plan.target.url);
            form == mine && (preset.id != DEMO || is_demo_url)
        };
        self.presets
            .iter()
            .find(same)
            .map_or(PlanHome::Nowhere, |p| PlanHome::BuiltIn(p.id))
    }
}
