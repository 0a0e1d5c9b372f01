//! The window's state: pure data, changed by actions and events only.

use std::sync::Arc;

use super::actions::{Action, View};
use super::shell::ShellModel;
use crate::domain::{LiveSnapshot, RunData};
use crate::session::{Command, Event};

/// Everything the window shows.
#[derive(Default)]
pub struct AppState {
    pub view: View,
    /// The run in the Measure view, live or opened.
    pub run: Option<Arc<RunData>>,
}

impl AppState {
    pub fn apply_event(&mut self, event: Event) {
        match event {
            Event::RunOpened { run } | Event::RunEnded { run } => self.run = Some(run),
            _ => {}
        }
    }

    pub fn apply_snapshot(&mut self, snapshot: LiveSnapshot) {
        if let Some(run) = snapshot {
            self.run = Some(run);
        }
    }

    pub fn perform(&mut self, action: Action) {
        if let Action::ShowView(view) = action {
            self.view = view;
        }
    }

    pub fn take_commands(&mut self) -> Vec<Command> {
        Vec::new()
    }

    pub fn shell(&self) -> ShellModel {
        ShellModel {
            view: self.view,
            ..ShellModel::default()
        }
    }
}
