//! Keys on their way from where they are kept to the request. A keyring may take its time: it is asked on a worker.

use std::sync::Arc;

use secrecy::SecretString;

use super::message::{Event, SecretText};
use crate::domain::{Issue, Target};
use crate::store;

/// The session's keys; cheap to clone into a task.
#[derive(Clone, Default)]
pub(super) struct Keys(Arc<store::Keys>);

impl Keys {
    /// The key that the target refers to; `None` when it needs none.
    ///
    /// # Errors
    /// An issue at `target.key` that says where the key was looked for.
    pub(super) async fn of(&self, target: &Target) -> Result<Option<SecretString>, Issue> {
        let (keys, target) = (Arc::clone(&self.0), target.clone());
        on_worker(move || keys.find(&target.key, &target.url))
            .await
            .map_err(|message| Issue::new("target.key", message))
    }

    pub(super) async fn set(&self, url: &str, key: SecretText, keep: bool) -> Event {
        let (keys, at) = (Arc::clone(&self.0), url.to_owned());
        let kept = on_worker(move || {
            if keep {
                keys.keep_in_keyring(&at, &key.0)
            } else {
                keys.keep_for_session(&at, &key.0)
            }
        });
        let where_kept = if keep {
            "in the system's keyring"
        } else {
            "in memory, for this session"
        };
        told(url, kept.await, where_kept)
    }

    pub(super) async fn forget(&self, url: &str) -> Event {
        let (keys, at) = (Arc::clone(&self.0), url.to_owned());
        told(url, on_worker(move || keys.forget(&at)).await, "nowhere")
    }
}

fn told(url: &str, done: Result<(), String>, where_kept: &str) -> Event {
    match done {
        Ok(()) => Event::KeyKept {
            url: url.to_owned(),
            where_kept: where_kept.to_owned(),
        },
        Err(message) => Event::Failed { message },
    }
}

async fn on_worker<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, store::KeyError> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(ask).await {
        Ok(answer) => answer.map_err(|e| e.to_string()),
        Err(error) => Err(format!("the key could not be looked for: {error}")),
    }
}
