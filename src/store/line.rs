//! The lines of a run file (`*.run.jsonl`), each one JSON object with a `type`. Their schema: `resources/schema/`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::domain::{
    BesideRecord, Health, Mark, RequestRecord, RunFacts, RunHead, StageBorder, Summary,
};

/// One line of a run file.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// The first: what was run, by what, where and when.
    Run(Box<RunHead>),
    /// As each request ends.
    Request(Box<RequestRecord>),
    Sample(Box<SampleLine>),
    /// When a stage begins, and again when it has ended.
    Stage(Box<StageBorder>),
    /// A moment that was marked.
    Mark(Mark),
    /// What a visitor did beside the measured requests.
    Beside(Box<BesideRecord>),
    /// The last; a file without it is of an interrupted run.
    End(Box<EndLine>),
}

/// Health of this program at one moment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SampleLine {
    /// Offset from the run's epoch.
    pub at_ns: u64,
    pub kind: SampleKind,
    #[serde(flatten)]
    pub health: Health,
}

/// What a sample is of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleKind {
    /// This program.
    Client,
    /// Of a later version.
    #[serde(other)]
    Other,
}

/// What the run amounts to, and what it takes to judge it again.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EndLine {
    /// Wall clock, RFC 3339 with offset.
    pub ended: String,
    pub state: EndState,
    pub summary: Summary,
    #[serde(default)]
    pub facts: RunFacts,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndState {
    Finished,
    /// The person stopped it.
    Interrupted,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

impl Line {
    /// Reads a line; `None` for a type that a later version may have added.
    ///
    /// # Errors
    /// When it is not JSON or not such a line.
    pub fn parse(line: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        let tag: Tag<'_> = serde_json::from_slice(line)?;
        Ok(Some(match tag.kind.as_ref() {
            "run" => Self::Run(serde_json::from_slice(line)?),
            "request" => Self::Request(serde_json::from_slice(line)?),
            "sample" => Self::Sample(serde_json::from_slice(line)?),
            "stage" => Self::Stage(serde_json::from_slice(line)?),
            "mark" => Self::Mark(serde_json::from_slice(line)?),
            "beside" => Self::Beside(serde_json::from_slice(line)?),
            "end" => Self::End(serde_json::from_slice(line)?),
            _ => return Ok(None),
        }))
    }

    /// Appends the line with its break.
    ///
    /// # Errors
    /// None that a line of ours can have.
    pub fn write_to(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        serde_json::to_writer(&mut *out, self)?;
        out.push(b'\n');
        Ok(())
    }
}
