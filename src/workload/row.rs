//! One row of a dataset, whatever file it came from.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::{ImageData, Turn};

/// What one request asks, or all turns of a conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    /// Instead of the workload's.
    pub(super) system: Option<Arc<str>>,
    /// What had been said before the first turn.
    pub(super) history: Vec<Turn>,
    /// What the person says, turn by turn.
    pub(super) turns: Vec<Arc<str>>,
    pub(super) images: Vec<ImageData>,
    /// A file that is the input.
    pub(super) file: Option<PathBuf>,
    /// A whole Gradio payload.
    pub(super) payload: Option<Arc<Value>>,
    /// Lengths that go with the row.
    pub(super) input_tokens: Option<u32>,
    pub(super) output_tokens: Option<u32>,
}

impl Row {
    pub(super) fn of(text: &str) -> Self {
        Self {
            turns: vec![Arc::from(text)],
            ..Self::default()
        }
    }

    /// It asks nothing, as a conversation without a word of the person's does.
    pub(super) fn is_empty(&self) -> bool {
        let says = self.turns.iter().any(|text| !text.trim().is_empty());
        !says && self.payload.is_none() && self.file.is_none() && self.images.is_empty()
    }
}
