//! Varied fields as rows of text.

use super::issues::Issues;
use crate::domain::{Issue, Plan, Vary, without_use};
use crate::session;

/// A field and its values as they are typed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct VaryRow {
    pub field: String,
    pub values: String,
}

/// Values of a row that are tried on the plan while it is typed; the session tries all.
const TRIED: usize = 32;

impl VaryRow {
    pub fn of(vary: &Vary) -> Self {
        let text = vary.to_string();
        let (field, values) = text.split_once('=').unwrap_or_default();
        Self {
            field: field.to_owned(),
            values: values.to_owned(),
        }
    }

    /// The field and values that it says.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn read(&self) -> Result<Vary, String> {
        let (field, values) = (self.field.trim(), self.values.trim());
        if field.is_empty() {
            return Err("Choose the field that takes several values".to_owned());
        }
        if values.is_empty() {
            return Err(format!(
                "Give {field} its values with commas between, as in 16, 64, 256"
            ));
        }
        format!("{field}={values}").parse().map_err(|_of_the_whole: String| {
            format!(
                "“{values}” has an empty value: write values with commas between, as in 16, 64, 256"
            )
        })
    }
}

pub(super) fn rows_of(vary: &[Vary]) -> Vec<VaryRow> {
    vary.iter().map(VaryRow::of).collect()
}

/// The varied fields of these rows; what is wrong stands at `vary.N`.
pub(super) fn vary_of(rows: &[VaryRow], issues: &mut Issues) -> Vec<Vary> {
    let read = |(i, row): (usize, &VaryRow)| issues.read(&format!("vary.{i}"), row.read());
    rows.iter().enumerate().filter_map(read).collect()
}

/// What the plan says of the values: each has to fit its field.
pub(super) fn check_values(plan: &Plan) -> Vec<Issue> {
    let mut bare = plan.clone();
    bare.vary.clear();
    let is_of_users = |vary: &Vary| vary.field.starts_with("workload.users");
    if !plan.vary.iter().any(is_of_users) {
        // Long prompts say nothing of other fields, and would be copied for each value.
        bare.workload.users.clear();
    }
    let mut found = Vec::new();
    for (i, vary) in plan.vary.iter().enumerate() {
        if let Some(why) = without_use(plan, &vary.field) {
            found.push(Issue::new(format!("vary.{i}"), why));
            continue;
        }
        let tried = vary.values.iter().take(TRIED);
        let mut failed = tried.filter_map(|value| {
            let issue = session::set_field(&bare, &vary.field, value).err()?;
            Some(Issue::new(format!("vary.{i}"), issue.message))
        });
        found.extend(failed.next());
    }
    found
}
