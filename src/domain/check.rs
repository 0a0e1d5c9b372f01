//! What is wrong with a plan: every issue at once, each at its field.

use serde::{Deserialize, Serialize};

/// One thing to fix before a plan can run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Issue {
    /// The plan's field as `--set` names it: `target.url`, `stages`, `users`.
    pub field: String,
    /// What is wrong, with the value in quotes, and the repair. No full stop.
    pub message: String,
}

impl Issue {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}
