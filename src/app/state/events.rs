//! What came back from the session, put into the state.

use std::path::PathBuf;
use std::sync::Arc;

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
                for note in notes {
                    self.banner(super::BannerKind::Info, note);
                }
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
            // The head of the run under way says which variation it is.
            Event::VariationStarted { .. } | Event::VariationsEnded { .. } => {}
            Event::Detected { text, info } => self.detected(&text, *info),
            Event::DetectFailed { text, message } => {
                if text == self.info_for {
                    self.info = Fetch::Failed { message };
                }
            }
            Event::Tested(report) => {
                self.set_found(report.issues.clone(), true);
                if let Some(info) = &report.info {
                    self.info_for.clone_from(&info.url);
                    self.info = Fetch::Ready(info.clone());
                }
                self.test = Fetch::Ready(*report);
            }
            Event::RunOpened { run } => self.run_opened(run),
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
                self.open_for.clear();
                self.banner(BannerKind::Failed, message);
            }
            Event::Restored { plan, settings } => self.restore(plan.as_deref(), &settings),
        }
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
            OpenFor::Show => {
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
