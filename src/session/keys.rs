//! Keys on their way from where they are kept to the request; never further.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};

use super::message::{Event, SecretText};
use crate::domain::{Issue, KeyRef, Target};
use crate::store;

/// Keys of this session, by origin; others are asked for where they are kept.
#[derive(Clone, Default)]
pub(super) struct Keys(Arc<Mutex<BTreeMap<String, SecretString>>>);

impl Keys {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, SecretString>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that the target refers to; `None` when it needs none.
    ///
    /// # Errors
    /// An issue at `target.key` that says where the key was looked for.
    pub(super) async fn of(&self, target: &Target) -> Result<Option<SecretString>, Issue> {
        let origin = store::origin(&target.url);
        let issue = |message: String| Issue::new("target.key", message);
        let key = match &target.key {
            KeyRef::None => return Ok(None),
            KeyRef::Env { name } => match std::env::var(name) {
                Ok(value) if !value.trim().is_empty() => SecretString::from(value),
                Ok(_) => return Err(issue(format!("the environment variable “{name}” is empty"))),
                Err(_) => {
                    return Err(issue(format!("there is no environment variable “{name}”: set it and start Inferometer again")));
                }
            },
            KeyRef::Session => {
                let kept = self.lock().get(&origin).cloned();
                kept.ok_or_else(|| issue(format!("no key was given for “{origin}” in this session")))?
            }
            KeyRef::Keyring => {
                let asked = origin.clone();
                let found = tokio::task::spawn_blocking(move || store::keyring_get(&asked)).await;
                match found {
                    Ok(Ok(Some(key))) => key,
                    Ok(Ok(None)) => return Err(issue(format!("the keyring has no key for “{origin}”: type it once"))),
                    Ok(Err(error)) => return Err(issue(error.to_string())),
                    Err(error) => return Err(issue(format!("the keyring could not be asked: {error}"))),
                }
            }
        };
        check_header(&key).map_err(issue)?;
        Ok(Some(key))
    }

    pub(super) async fn set(&self, url: &str, key: SecretText, keep: bool) -> Event {
        let origin = store::origin(url);
        let key = SecretString::from(key.0);
        if keep {
            let (asked, secret) = (origin.clone(), key.clone());
            let kept = tokio::task::spawn_blocking(move || store::keyring_set(&asked, &secret)).await;
            let problem = match kept {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(message) = problem {
                return Event::Failed { message };
            }
        }
        self.lock().insert(origin, key);
        let where_kept = if keep { "in the system's keyring" } else { "in memory, for this session" };
        Event::KeyKept { url: url.to_owned(), where_kept: where_kept.to_owned() }
    }

    pub(super) async fn forget(&self, url: &str) -> Event {
        let origin = store::origin(url);
        self.lock().remove(&origin);
        let asked = origin.clone();
        match tokio::task::spawn_blocking(move || store::keyring_delete(&asked)).await {
            Ok(Err(error)) => Event::Failed { message: error.to_string() },
            _ => Event::KeyKept { url: url.to_owned(), where_kept: "nowhere".to_owned() },
        }
    }
}

/// A key goes into a header: what cannot stand there is said before a request is made, without the key.
fn check_header(key: &SecretString) -> Result<(), String> {
    let text = key.expose_secret();
    let trimmed = text.trim();
    if trimmed.len() != text.len() {
        return Err(format!("the key is {} characters long and begins or ends in white space: remove it", text.chars().count()));
    }
    if trimmed.chars().any(|c| !c.is_ascii_graphic()) {
        return Err("the key holds characters that cannot stand in a header: copy it again, without quotes".to_owned());
    }
    Ok(())
}
