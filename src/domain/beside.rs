//! What other visitors of the same server do while the measured requests run (Gradio), and how long that takes them.

use serde::{Deserialize, Serialize};

/// Traffic beside the measured requests: each kind is done over and over by as many visitors, one at a time each.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixedTraffic {
    /// Visitors that load the app's page and its `/config`, `/info` and theme.
    pub page_loads: u32,
    /// Visitors that upload a file of `file_bytes`.
    pub uploads: u32,
    /// Visitors that download a file that they uploaded first.
    pub downloads: u32,
    pub file_bytes: u32,
    /// Pause of each visitor between two, in milliseconds.
    pub pause_ms: u32,
}

impl Default for MixedTraffic {
    fn default() -> Self {
        Self {
            page_loads: 2,
            uploads: 1,
            downloads: 1,
            file_bytes: 100_000,
            pause_ms: 500,
        }
    }
}

impl MixedTraffic {
    /// Of all kinds.
    pub fn visitors(&self) -> u32 {
        [self.page_loads, self.uploads, self.downloads]
            .into_iter()
            .fold(0, u32::saturating_add)
    }
}

/// What a visitor does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BesideKind {
    PageLoad,
    Upload,
    Download,
}

impl BesideKind {
    pub const ALL: [Self; 3] = [Self::PageLoad, Self::Upload, Self::Download];

    /// For a person.
    pub fn label(self) -> &'static str {
        match self {
            Self::PageLoad => "Page loads",
            Self::Upload => "Uploads",
            Self::Download => "Downloads",
        }
    }
}

/// One thing that a visitor did; a `beside` line of a run file. Never part of a stage's figures.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BesideRecord {
    pub kind: BesideKind,
    pub stage: super::StageIdx,
    pub visitor: u32,
    /// Offsets from the run's epoch.
    pub start_ns: u64,
    pub end_ns: u64,
    /// Bytes sent (uploads) or received.
    pub bytes: u64,
    /// What went wrong, where something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One kind over the whole run; times in ms, of those that succeeded, by nearest rank.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BesideSummary {
    pub kind: BesideKind,
    pub n: u64,
    pub failed: u64,
    pub p50: Option<f64>,
    pub p90: Option<f64>,
    pub p99: Option<f64>,
    /// The first failure's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
}
