//! What is kept: plans, run files, settings and keys.
//!
//! **Architecture invariant:** files are the truth; there is no index that could go stale. Nothing a file holds can panic
//! this module, and opening a file changes nothing.

mod atomic;
mod file_lock;
mod journal;
mod keys;
mod library;
mod line;
mod load_words;
mod open_error;
mod places;
mod plan_fields;
mod plan_file;
mod plan_load_fields;
mod plan_names;
mod plan_read;
mod plan_schema;
mod plan_set;
mod plan_write;
mod presets;
mod redact;
mod run_file;
mod run_lines;
mod template_file;

pub use journal::{GATHER, Journal, JournalError, JournalNews, MAX_KEPT_BYTES, QUEUE_LINES};
pub use keys::{KEYRING_TIMEOUT, KeyError, Keyring, Keys, origin};
pub use library::{ChangeError, annotate, compress, is_run_name, list_runs, read_entry, save_run};
pub use line::{EndLine, EndState, Line, SampleKind, SampleLine};
pub use open_error::OpenError;
pub use places::{HOME_VARIABLE, Places, PlacesError, write_plan};
pub use plan_file::{LineIssue, MAX_PLAN_BYTES, PlanCheck, check_file, check_text, missing_files};
pub use plan_names::fields;
pub use plan_schema::plan_schema;
pub use plan_set::{set, set_field};
pub use plan_write::to_toml;
pub use presets::{Preset, preset, presets};
pub use redact::Redactor;
pub use run_file::open_run;
pub use template_file::read_template;

/// The formats that have a JSON schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SchemaKind {
    /// One line of a run file.
    Run,
    Plan,
}

/// The JSON schema (2020-12) as text.
pub fn schema(kind: SchemaKind) -> &'static str {
    match kind {
        SchemaKind::Run => include_str!("../../resources/schema/run.schema.json"),
        SchemaKind::Plan => include_str!("../../resources/schema/plan.schema.json"),
    }
}
