//! The end of a run's file: written, moved where the disk does not take it, packed where its name asks for that.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::RunHead;
use crate::store::{EndLine, Journal, Places};

/// How a run's file was closed.
#[derive(Default)]
pub(super) struct Closed {
    pub(super) file: Option<(PathBuf, u64)>,
    /// What a person should know of it.
    pub(super) message: Option<String>,
}

impl Closed {
    pub(super) fn lost(message: &str) -> Self {
        let message = format!("the run file is not whole: {message}");
        Self {
            file: None,
            message: Some(message),
        }
    }

    /// Writes the end and, where the disk does not take it, everything to another place: the memory that holds the rest
    /// of the run goes with the process. Blocks.
    pub(super) fn close(journal: Arc<Journal>, line: EndLine, zst: bool, name: &str) -> Self {
        let meant_for = journal.path();
        let (moved, bytes) = match journal.finish(line) {
            Ok(bytes) => (None, bytes),
            Err(error) => match move_away(&journal, name) {
                Some(bytes) => (Some(error), bytes),
                None => return Self::lost(&error.to_string()),
            },
        };
        let path = journal.path();
        // It is marked as being written until the journal is gone.
        drop(journal);
        let message = moved.map(|_error| {
            format!(
                "“{}” could not be written, so the whole run was saved in another place: “{}”",
                meant_for.display(),
                path.display()
            )
        });
        if !zst {
            return Self {
                file: Some((path, bytes)),
                message,
            };
        }
        match crate::store::compress(&path) {
            Ok(packed) => {
                let bytes = std::fs::metadata(&packed).map_or(bytes, |m| m.len());
                Self {
                    file: Some((packed, bytes)),
                    message,
                }
            }
            Err(error) => Self {
                message: Some(format!(
                    "the run file was not compressed: {error}; it stands plain as “{}”",
                    path.display()
                )),
                file: Some((path, bytes)),
            },
        }
    }
}

/// Moves a journal that cannot be written to the data folder, or else to the temporary one; the file's size.
#[expect(
    clippy::disallowed_methods,
    reason = "the file is to stay where the person finds it"
)]
fn move_away(journal: &Journal, name: &str) -> Option<u64> {
    let data = Places::find().ok().map(|places| places.runs());
    let folders = data.into_iter().chain([std::env::temp_dir()]);
    folders
        .map(|folder| folder.join(name))
        .find_map(|path| journal.move_to(&path).ok())
}

/// The name of a run's file in another place than it was meant for.
pub(super) fn run_name(head: &RunHead) -> String {
    format!("rescued-{}.run.jsonl", head.id)
}

pub(super) fn is_zst(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "zst")
}
