//! What the server sent and when: one JSON line per request, stamped just before each write.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// The log; writes nothing where there is no file.
pub(super) struct Log(Option<Mutex<BufWriter<File>>>);

/// One request as the server saw it. Times are ns since 1970.
#[derive(Debug, Default, Serialize)]
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) route: &'static str,
    /// The request had been read.
    pub(super) arrived_ns: u64,
    /// A slot was free.
    pub(super) started_ns: Option<u64>,
    /// Just before the write of each content event.
    pub(super) token_ns: Vec<u64>,
    pub(super) finish_ns: Option<u64>,
    pub(super) n_tokens: u64,
    pub(super) prompt_tokens: u64,
    pub(super) cold: bool,
    pub(super) ended: &'static str,
}

pub(super) fn now_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}

impl Log {
    pub(super) fn create(path: Option<&Path>) -> std::io::Result<Self> {
        Ok(Self(
            path.map(File::create)
                .transpose()?
                .map(|file| Mutex::new(BufWriter::new(file))),
        ))
    }

    /// Appends one line; a log that cannot be written is given up in silence, since the answers matter more.
    pub(super) fn write(&self, entry: &Entry) {
        let Some(Ok(mut file)) = self.0.as_ref().map(Mutex::lock) else {
            return;
        };
        if let Ok(line) = serde_json::to_string(entry) {
            writeln!(file, "{line}").and_then(|()| file.flush()).ok();
        }
    }
}
