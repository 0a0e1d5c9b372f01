//! The form, the menus, the library, Compare, the test view and the dialogs, driven without a display: every widget is
//! found by its name and typed into, and what it does is read from the state and from the commands it sends.

mod fields;
mod flows;
mod loads;
mod parts;
mod plans;
mod views;

use super::window as sample;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use inferometer::app::form::Section;
use inferometer::app::state::{AppState, PresetEntry};
use inferometer::app::{Options, Window};
use inferometer::domain::{ClosedMode, Plan, Protocol, Stage, TierLength};
use inferometer::session::{Command, Event};

/// The window as eframe drives it, without a session behind it.
pub(super) struct Driven(Window);

impl eframe::App for Driven {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.0.show(ui);
    }
}

/// A window in a harness.
pub(super) struct Bench(Harness<'static, Driven>);

/// The plan that the window starts with.
pub(super) fn demo_plan() -> Plan {
    let mut plan = Plan::simple("http://127.0.0.1:53121/v1");
    "Demo plan".clone_into(&mut plan.label);
    plan.target.protocol = Protocol::OpenAiChat;
    let length = TierLength::Requests("40");
    plan.stages = Stage::closed_tiers("1, 4, 16", ClosedMode::Steady, length).unwrap();
    plan
}

fn presets() -> Vec<PresetEntry> {
    vec![
        PresetEntry {
            id: "demo",
            title: "Demo plan",
            about: "Demo: the embedded server".to_owned(),
            plan: demo_plan(),
        },
        PresetEntry {
            id: "chat",
            title: "Chat, short",
            about: "Chat: a short one".to_owned(),
            plan: Plan::simple("http://127.0.0.1:8080"),
        },
    ]
}

impl Bench {
    /// Tall enough that no section needs scrolling.
    pub(super) fn new() -> Self {
        Self::sized(1280.0, 5200.0)
    }

    pub(super) fn sized(width: f32, height: f32) -> Self {
        let mut harness = Harness::builder()
            .with_size(egui::vec2(width, height))
            .with_max_steps(40)
            .build_eframe(|cc| {
                Driven(Window::with_presets(
                    &cc.egui_ctx,
                    Options::default(),
                    presets(),
                ))
            });
        harness.state_mut().0.state.take_commands();
        let mut bench = Self(harness);
        bench.run();
        bench
    }

    /// With every section of the form open.
    pub(super) fn open() -> Self {
        let mut bench = Self::new();
        bench.state().open_sections = Section::ALL.into_iter().collect();
        bench.run();
        bench
    }

    pub(super) fn state(&mut self) -> &mut AppState {
        &mut self.0.state_mut().0.state
    }

    pub(super) fn run(&mut self) {
        self.0.run_steps(3);
    }

    pub(super) fn apply(&mut self, event: Event) {
        self.state().apply_event(event);
        self.run();
    }

    pub(super) fn click(&mut self, label: &str) {
        self.0.get_by_label(label).click();
        self.run();
    }

    /// Replaces a field's text as a person does: focus, select all, type.
    pub(super) fn type_into(&mut self, label: &str, text: &str) {
        self.0.get_by_label(label).focus();
        self.run();
        self.0
            .key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
        self.run();
        if text.is_empty() {
            self.0.key_press(egui::Key::Backspace);
        } else {
            self.0.get_by_label(label).type_text(text);
        }
        self.run();
    }

    /// Opens a choice and takes the entry with those words.
    pub(super) fn choose(&mut self, label: &str, words: &str) {
        self.click(label);
        let role = egui::accesskit::Role::MenuItemRadio;
        self.0.get_by_role_and_label(role, words).click();
        self.run();
    }

    pub(super) fn press(&mut self, modifiers: egui::Modifiers, key: egui::Key) {
        self.0.key_press_modifiers(modifiers, key);
        self.run();
    }

    pub(super) fn shows(&self, label: &str) -> bool {
        self.0.query_all_by_label(label).next().is_some()
    }

    /// A label anywhere that holds these words.
    pub(super) fn says(&self, words: &str) -> bool {
        self.0.query_all_by_label_contains(words).next().is_some()
    }

    pub(super) fn is_disabled(&self, label: &str) -> bool {
        self.0.get_by_label(label).accesskit_node().is_disabled()
    }

    /// Accessible names of one role, from top to bottom.
    pub(super) fn names_of(&self, role: egui::accesskit::Role) -> Vec<String> {
        let nodes = self.0.query_all_by_role(role);
        let mut found: Vec<(f32, String)> = nodes
            .filter_map(|n| Some((n.rect().top(), n.accesskit_node().label()?)))
            .collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.into_iter().map(|(_, name)| name).collect()
    }

    pub(super) fn plan(&mut self) -> Plan {
        self.state().form.to_plan().unwrap()
    }

    pub(super) fn commands(&mut self) -> Vec<Command> {
        self.state().take_commands()
    }
}
