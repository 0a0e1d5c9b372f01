//! What is kept: plans, run files, settings and keys.
//!
//! **Architecture invariant:** files are the truth; there is no index that could go stale. Nothing a file holds can panic
//! this module, and opening a file changes nothing.

mod plan_fields;
mod plan_file;
mod plan_schema;
mod plan_set;
mod plan_write;
mod presets;

pub use plan_file::{LineIssue, MAX_PLAN_BYTES, PlanCheck, check_file, check_text};
pub use plan_schema::plan_schema;
pub use plan_set::{set, set_field};
pub use plan_write::to_toml;
pub use presets::{Preset, preset, presets};

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
