//! What is asked in between: files, confirmations, settings and the list of keys.

pub mod files;
mod ui;

pub use ui::dialogs_ui;
pub(crate) use ui::frame;

use std::path::PathBuf;

use super::actions::Action;
use super::form::Forecast;
use crate::domain::InputKind;

/// The dialog that is open.
#[derive(Clone, Debug, PartialEq)]
pub enum Dialog {
    /// A path, typed or browsed for.
    Path {
        what: BrowseFor,
        text: String,
    },
    ConfirmBig {
        host: String,
        forecast: Forecast,
        /// `up to 100 users`.
        load: String,
    },
    ConfirmPlainKey {
        host: String,
        then: Action,
    },
    /// A dropped file that may be several things.
    UseFile {
        path: PathBuf,
    },
    CloseWhileRunning,
    /// A mark on the axis of time; `name` is what it is called when nothing is typed.
    Mark {
        text: String,
        name: String,
    },
    DeleteRun {
        path: PathBuf,
        label: String,
    },
    Settings,
    Keys,
}

/// What a path is wanted for.
#[derive(Clone, Debug, PartialEq)]
pub enum BrowseFor {
    Open,
    SavePlan,
    SaveRun { from: PathBuf },
    Prompts,
    Dataset,
    Trace,
    Tokenizer,
    Template,
    CaFile,
    Input { name: String, kind: InputKind },
}

impl BrowseFor {
    /// Writes a file instead of reading one.
    pub fn is_save(&self) -> bool {
        matches!(self, Self::SavePlan | Self::SaveRun { .. })
    }
}

impl Dialog {
    pub fn open_files() -> Self {
        Self::Path {
            what: BrowseFor::Open,
            text: String::new(),
        }
    }

    pub fn mark(name: String) -> Self {
        Self::Mark {
            text: String::new(),
            name,
        }
    }

    pub fn save_plan(name: String) -> Self {
        Self::Path {
            what: BrowseFor::SavePlan,
            text: name,
        }
    }

    pub fn save_run(from: PathBuf) -> Self {
        let name = from.file_name().map(|n| n.to_string_lossy().into_owned());
        Self::Path {
            text: name.unwrap_or_default(),
            what: BrowseFor::SaveRun { from },
        }
    }
}
