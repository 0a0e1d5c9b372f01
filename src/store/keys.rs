//! Keys: in the system's keyring, in an environment variable, or in memory for this session; never in a file. A key belongs
//! to one origin (scheme, host and port) and is given to no other.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::domain::KeyRef;

/// How long the keyring may take; a person may have to unlock it first.
pub const KEYRING_TIMEOUT: Duration = Duration::from_secs(30);
/// The name under which the keyring files our keys.
const SERVICE: &str = "inferometer";
const INSTEAD: &str = "name an environment variable, or keep the key for this session";

/// Why there is no key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    #[error("no keyring answered: {message}; {INSTEAD}")]
    NoKeyring { message: String },
    #[error("the keyring holds no key for {origin}: enter it again")]
    NotInKeyring { origin: String },
    #[error("no key was entered for {origin} in this session: enter it again")]
    NotInSession { origin: String },
    #[error(
        "the environment variable “{name}” is not set: set it before the start, or keep the key otherwise"
    )]
    NotInEnvironment { name: String },
    #[error(
        "the key in {place} cannot be sent: it is empty or holds line breaks or other than ASCII characters"
    )]
    NotSendable { place: String },
    #[error("“{url}” is no address that a key could belong to")]
    NoOrigin { url: String },
}

/// A keyring of the system; calls may block for as long as a person takes.
pub trait Keyring: Send + Sync {
    /// `Ok(None)` where it has none under that name.
    ///
    /// # Errors
    /// What the keyring says.
    fn get(&self, origin: &str) -> Result<Option<String>, String>;
    /// # Errors
    /// What the keyring says.
    fn set(&self, origin: &str, key: &str) -> Result<(), String>;
    /// # Errors
    /// What the keyring says.
    fn remove(&self, origin: &str) -> Result<(), String>;
}

struct SystemKeyring;

impl SystemKeyring {
    fn entry(origin: &str) -> Result<keyring::Entry, String> {
        if let Err(e) = keyring::Entry::store_status() {
            return Err(e.to_string());
        }
        keyring::Entry::new(SERVICE, origin).map_err(|e| e.to_string())
    }
}

impl Keyring for SystemKeyring {
    fn get(&self, origin: &str) -> Result<Option<String>, String> {
        match Self::entry(origin)?.get_password() {
            Ok(key) => Ok(Some(key)),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(e) => Err(e.to_string()),
        }
    }

    fn set(&self, origin: &str, key: &str) -> Result<(), String> {
        let entry = Self::entry(origin)?;
        entry.set_password(key).map_err(|e| e.to_string())
    }

    fn remove(&self, origin: &str) -> Result<(), String> {
        match Self::entry(origin)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(e) => Err(e.to_string()),
        }
    }
}

/// The keys of this session, and the way to those of the keyring. Its methods block; call them off the window's thread.
pub struct Keys {
    session: Mutex<BTreeMap<String, SecretString>>,
    keyring: Arc<dyn Keyring>,
    timeout: Duration,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Default for Keys {
    /// With the system's keyring.
    fn default() -> Self {
        Self::with_keyring(Arc::new(SystemKeyring), KEYRING_TIMEOUT)
    }
}

impl Keys {
    pub fn with_keyring(keyring: Arc<dyn Keyring>, timeout: Duration) -> Self {
        Self {
            session: Mutex::new(BTreeMap::new()),
            keyring,
            timeout,
        }
    }

    /// The key that a plan's reference points at; `None` where the plan says that there is none.
    ///
    /// # Errors
    /// Why it is not there, and what to do.
    pub fn find(&self, key: &KeyRef, url: &str) -> Result<Option<SecretString>, KeyError> {
        let (found, place) = match key {
            KeyRef::None => return Ok(None),
            KeyRef::Env { name } => {
                let value = std::env::var(name);
                let name = name.clone();
                let place = format!("the environment variable “{name}”");
                (
                    value.map_err(|_unset| KeyError::NotInEnvironment { name })?,
                    place,
                )
            }
            KeyRef::Keyring => {
                let origin = origin(url)?;
                let ask = origin.clone();
                let key = self.ask(move |ring| ring.get(&ask))?;
                let key = key.ok_or(KeyError::NotInKeyring { origin })?;
                (key, "the keyring".to_owned())
            }
            KeyRef::Session => {
                let origin = origin(url)?;
                let key = self.lock().get(&origin).cloned();
                let key = key.ok_or(KeyError::NotInSession { origin })?;
                (key.expose_secret().to_owned(), "this session".to_owned())
            }
        };
        sendable(&found, &place).map(Some)
    }

    /// Keeps a key in memory until the program ends.
    ///
    /// # Errors
    /// When the key cannot be sent, or the address has no origin.
    pub fn keep_for_session(&self, url: &str, key: &str) -> Result<(), KeyError> {
        let key = sendable(key, "the form")?;
        self.lock().insert(origin(url)?, key);
        Ok(())
    }

    /// Keeps a key in the system's keyring.
    ///
    /// # Errors
    /// When no keyring answers in time or it refuses.
    pub fn keep_in_keyring(&self, url: &str, key: &str) -> Result<(), KeyError> {
        let key = sendable(key, "the form")?;
        let origin = origin(url)?;
        self.ask(move |ring| ring.set(&origin, key.expose_secret()))
    }

    /// Forgets the key of that address, in memory and in the keyring.
    ///
    /// # Errors
    /// When the keyring refuses or does not answer; the one in memory is forgotten all the same.
    pub fn forget(&self, url: &str) -> Result<(), KeyError> {
        let origin = origin(url)?;
        self.lock().remove(&origin);
        self.ask(move |ring| ring.remove(&origin))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, SecretString>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks on a thread of its own, which is left behind when it does not come back in time.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Keyring) -> Result<T, String> + Send + 'static,
    ) -> Result<T, KeyError> {
        let keyring = Arc::clone(&self.keyring);
        let (answer, answers) = sync_channel(1);
        let asked = thread::Builder::new()
            .name("keyring".to_owned())
            .spawn(move || answer.send(question(keyring.as_ref())).ok());
        let message = match asked {
            Err(e) => e.to_string(),
            Ok(_) => match answers.recv_timeout(self.timeout) {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(message)) => message,
                Err(RecvTimeoutError::Timeout) => {
                    format!("it did not answer within {} s", self.timeout.as_secs_f64())
                }
                Err(RecvTimeoutError::Disconnected) => "it broke off".to_owned(),
            },
        };
        Err(KeyError::NoKeyring { message })
    }
}

/// `scheme://host:port` of an address, or of the Space that `owner/name` means.
///
/// # Errors
/// When the text is neither.
pub fn origin(url: &str) -> Result<String, KeyError> {
    let text = url.trim();
    let no_origin = || KeyError::NoOrigin {
        url: url.to_owned(),
    };
    if !text.contains("://") {
        let (owner, name) = text.split_once('/').ok_or_else(no_origin)?;
        let host: String = format!("{owner}-{name}")
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        return Ok(format!("https://{host}.hf.space:443"));
    }
    let url = url::Url::parse(text).map_err(|_unreadable| no_origin())?;
    let host = url.host_str().ok_or_else(no_origin)?;
    let port = url.port_or_known_default().ok_or_else(no_origin)?;
    Ok(format!("{}://{host}:{port}", url.scheme()))
}

/// A key that a header can carry, without the line break that a file or a copy leaves behind.
fn sendable(key: &str, place: &str) -> Result<SecretString, KeyError> {
    let key = key.trim();
    if key.is_empty() || !key.chars().all(|c| c.is_ascii_graphic()) {
        let place = place.to_owned();
        return Err(KeyError::NotSendable { place });
    }
    Ok(SecretString::from(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Drawer(Mutex<BTreeMap<String, String>>);

    impl Keyring for Drawer {
        fn get(&self, origin: &str) -> Result<Option<String>, String> {
            Ok(self.0.lock().unwrap().get(origin).cloned())
        }
        fn set(&self, origin: &str, key: &str) -> Result<(), String> {
            let mut drawer = self.0.lock().unwrap();
            drawer.insert(origin.to_owned(), key.to_owned());
            Ok(())
        }
        fn remove(&self, origin: &str) -> Result<(), String> {
            self.0.lock().unwrap().remove(origin);
            Ok(())
        }
    }

    struct Hanging;

    impl Keyring for Hanging {
        fn get(&self, _: &str) -> Result<Option<String>, String> {
            thread::sleep(Duration::from_mins(1));
            Ok(None)
        }
        fn set(&self, _: &str, _: &str) -> Result<(), String> {
            Err("the door is locked".to_owned())
        }
        fn remove(&self, _: &str) -> Result<(), String> {
            panic!("broken")
        }
    }

    fn shown(key: Result<Option<SecretString>, KeyError>) -> String {
        key.unwrap().unwrap().expose_secret().to_owned()
    }

    #[test]
    fn a_key_belongs_to_one_origin() {
        let keys = Keys::with_keyring(Arc::new(Drawer::default()), KEYRING_TIMEOUT);
        keys.keep_in_keyring("https://h/v1", " ring\n").unwrap();
        keys.keep_for_session("http://h/v1", "memory").unwrap();
        assert_eq!(
            shown(keys.find(&KeyRef::Keyring, "https://H:443/other")),
            "ring"
        );
        assert_eq!(shown(keys.find(&KeyRef::Session, "http://h:80")), "memory");
        for elsewhere in [
            "http://h:8000",
            "https://h",
            "http://h.evil",
            "http://127.0.0.1",
        ] {
            let error = keys.find(&KeyRef::Session, elsewhere).unwrap_err();
            assert!(
                matches!(error, KeyError::NotInSession { .. }),
                "{elsewhere}"
            );
        }
        assert!(keys.find(&KeyRef::None, "https://h").unwrap().is_none());
        keys.forget("https://h").unwrap();
        let error = keys.find(&KeyRef::Keyring, "https://h").unwrap_err();
        let origin = "https://h:443".to_owned();
        assert_eq!(error, KeyError::NotInKeyring { origin });
        assert_eq!(
            origin_of("Some_Owner/my.app"),
            "https://some-owner-my-app.hf.space:443"
        );
        assert!(!format!("{keys:?}").contains("memory"));
    }

    fn origin_of(url: &str) -> String {
        origin(url).unwrap()
    }

    #[test]
    fn a_keyring_that_hangs_or_breaks_says_what_to_do() {
        let keys = Keys::with_keyring(Arc::new(Hanging), Duration::from_millis(20));
        let url = "https://h";
        for error in [
            keys.find(&KeyRef::Keyring, url).unwrap_err(),
            keys.keep_in_keyring(url, "k").unwrap_err(),
            keys.forget(url).unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(text.starts_with("no keyring answered: "), "{text}");
            assert!(text.contains("name an environment variable"), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let keys = Keys::with_keyring(Arc::new(Drawer::default()), KEYRING_TIMEOUT);
        for key in ["", "  ", "a\nb", "schlüssel"] {
            let error = keys.keep_for_session("https://h", key).unwrap_err();
            assert!(!error.to_string().contains("schl"), "{error}");
        }
        let name = "INFEROMETER_NO_SUCH_VARIABLE".to_owned();
        let error = keys
            .find(&KeyRef::Env { name: name.clone() }, "x")
            .unwrap_err();
        assert_eq!(error, KeyError::NotInEnvironment { name });
        assert!(origin("not an address").is_err());
    }
}
