//! One request's text.

use std::sync::Arc;

/// What one request asks; made before the clock starts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Prompt {
    pub system: Option<Arc<str>>,
    pub user: Arc<str>,
}
