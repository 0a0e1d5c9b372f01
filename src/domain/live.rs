//! What only the newest matters of, while a run goes.

use std::sync::Arc;

use super::RunData;

/// The newest state of the run under way, at most 20 times a second; `None` when nothing runs.
pub type LiveSnapshot = Option<Arc<RunData>>;
