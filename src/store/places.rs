//! Where things are kept: the data folder with its `runs/`, the settings and the form as it was left.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::atomic;
use super::file_lock::lock_exclusive;
use super::plan_read::read;
use super::plan_write::to_toml;
use crate::domain::Plan;

/// Names another data folder, for tests and for sticks that are carried about.
pub const HOME_VARIABLE: &str = "INFEROMETER_HOME";

/// The largest settings file or autosaved form that is read.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Characters of a label that a file's name takes.
const MAX_SLUG: usize = 40;

/// The data folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Places {
    home: PathBuf,
}

/// There is no place to keep anything.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    #[error(
        "this account has no home folder: set the environment variable {HOME_VARIABLE} to a folder"
    )]
    NoHome,
    #[error("the data folder cannot be made ({source}), set {HOME_VARIABLE} to another: “{}”", path.display())]
    Make { path: PathBuf, source: io::Error },
}

impl Places {
    /// The data folder of this account, or the one that `INFEROMETER_HOME` names; made if it is not there.
    ///
    /// # Errors
    /// When there is no home folder or the folder cannot be made.
    pub fn find() -> Result<Self, PlacesError> {
        let named = std::env::var_os(HOME_VARIABLE).filter(|v| !v.is_empty());
        let home = match named {
            Some(named) => PathBuf::from(named),
            None => directories::ProjectDirs::from("", "", "inferometer")
                .map(|dirs| dirs.data_dir().to_owned())
                .ok_or(PlacesError::NoHome)?,
        };
        Self::at(&home)
    }

    /// That folder; made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn at(home: &Path) -> Result<Self, PlacesError> {
        let places = Self {
            home: home.to_owned(),
        };
        let runs = places.runs();
        match std::fs::create_dir_all(&runs) {
            Ok(()) => Ok(places),
            Err(source) => Err(PlacesError::Make { path: runs, source }),
        }
    }

    /// Where runs land unless the person says otherwise.
    pub fn runs(&self) -> PathBuf {
        self.home.join("runs")
    }

    pub fn settings_file(&self) -> PathBuf {
        self.home.join("settings.json")
    }

    pub fn autosave_file(&self) -> PathBuf {
        self.home.join("autosave.plan.toml")
    }

    /// The settings; an empty object when there are none or the file is broken, which is then put aside.
    pub fn read_settings(&self) -> Map<String, Value> {
        let path = self.settings_file();
        let Ok(text) = read_capped(&path) else {
            return Map::new();
        };
        if let Ok(settings) = serde_json::from_slice(&text) {
            return settings;
        }
        std::fs::rename(&path, path.with_extension("json.broken")).ok();
        Map::new()
    }

    /// Writes settings over those in the file; what is there and not named stays, so that another window's or a later
    /// version's settings are kept. `null` takes one away.
    ///
    /// # Errors
    /// When the disk does not take it; the old file stands then.
    pub fn write_settings(&self, changed: &Map<String, Value>) -> io::Result<()> {
        // Held until the new file stands.
        let lock = lock_exclusive(&self.home.join("settings.lock"))?;
        let mut settings = self.read_settings();
        for (name, value) in changed {
            settings.insert(name.clone(), value.clone());
        }
        settings.retain(|_, value| !value.is_null());
        let text = serde_json::to_vec_pretty(&settings)?;
        let written = atomic::replace(&self.settings_file(), |file| file.write_all(&text));
        drop(lock);
        written
    }

    /// The form as it was left, if it still is a plan; it need not be one that could run.
    pub fn read_autosave(&self) -> Option<Plan> {
        let bytes = read_capped(&self.autosave_file()).ok()?;
        let read = read(std::str::from_utf8(&bytes).ok()?);
        read.plan.filter(|_| read.shape.is_empty())
    }

    /// Keeps the form as it stands.
    ///
    /// # Errors
    /// When the disk does not take it; the old file stands then.
    pub fn write_autosave(&self, plan: &Plan) -> io::Result<()> {
        write_plan(&self.autosave_file(), plan)
    }
}

/// Writes a plan file whole or not at all.
///
/// # Errors
/// When the disk does not take it; the old file stands then.
pub fn write_plan(path: &Path, plan: &Plan) -> io::Result<()> {
    atomic::replace(path, |file| file.write_all(to_toml(plan).as_bytes()))
}

fn read_capped(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// `2026-11-21-1432-label.run.jsonl`; `attempt` 1 and above add a number.
pub(super) fn run_name(started: &str, label: &str, attempt: u32) -> String {
    let digits = |range| started.get(range).filter(|t: &&str| is_date_part(t));
    let date = match (digits(0..10), digits(11..13), digits(14..16)) {
        (Some(day), Some(hour), Some(minute)) => format!("{day}-{hour}{minute}"),
        _ => "run".to_owned(),
    };
    let slug = slug(label);
    let between = if slug.is_empty() { "" } else { "-" };
    let number = match attempt {
        0 => String::new(),
        n => format!("-{}", n + 1),
    };
    format!("{date}{between}{slug}{number}.run.jsonl")
}

fn is_date_part(text: &&str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || c == '-')
}

/// A label as part of a file's name: letters and digits, hyphens for all else.
fn slug(label: &str) -> String {
    let mut slug = String::new();
    for c in label.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let short: String = slug.chars().take(MAX_SLUG).collect();
    short.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name = |label, attempt| run_name("2026-11-21T14:32:07+01:00", label, attempt);
        assert_eq!(name("My Label", 0), "2026-11-21-1432-my-label.run.jsonl");
        assert_eq!(name("", 0), "2026-11-21-1432.run.jsonl");
        assert_eq!(name("a", 1), "2026-11-21-1432-a-2.run.jsonl");
        assert_eq!(
            name("../../etc/passwd\0", 0),
            "2026-11-21-1432-etc-passwd.run.jsonl"
        );
        assert_eq!(name("模型 één", 0), "2026-11-21-1432-模型-één.run.jsonl");
        assert!(name(&"x".repeat(500), 0).len() < 80);
        assert_eq!(run_name("../..", "a", 0), "run-a.run.jsonl");
    }
}
