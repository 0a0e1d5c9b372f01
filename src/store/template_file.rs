//! A template in a file of its own: the fields of a plan's `[target.template]`, with or without that line above them.

use std::io::Read as _;
use std::path::Path;

use super::plan_file::{LineIssue, MAX_PLAN_BYTES, check_text};
use crate::domain::Template;

/// The table's head, as it may stand in the file.
const HEAD: &str = "[target.template]";
/// A plan that a template makes whole: one line each, so that lines can be counted back.
const BEFORE: [&str; 3] = [
    "schema = 1",
    "stages = [{ load = { kind = \"closed\", users = 1 }, requests = 1 }]",
    "target.url = \"http://127.0.0.1\"\ntarget.protocol = \"http\"\ntarget.model = \"m\"",
];

/// Reads a template's file.
///
/// # Errors
/// Every issue with its line and field, or that the file cannot be read.
pub fn read_template(path: &Path) -> Result<Template, Vec<String>> {
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(MAX_PLAN_BYTES).read_to_string(&mut text));
    if let Err(e) = read {
        return Err(vec![format!("cannot be read: {e}")]);
    }
    template_of(&text).map_err(|issues| issues.iter().map(ToString::to_string).collect())
}

fn template_of(text: &str) -> Result<Template, Vec<LineIssue>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let has_head = text.lines().any(|line| line.trim() == HEAD);
    let mut before = BEFORE.join("\n");
    before.push('\n');
    if !has_head {
        before.push_str(HEAD);
        before.push('\n');
    }
    let n_before = before.lines().count();
    let check = check_text(&format!("{before}{text}"));
    let template = check.plan.and_then(|plan| plan.target.template);
    let counted_back = |mut issue: LineIssue| {
        let line = issue
            .line
            .and_then(|line| line.checked_sub(n_before.try_into().ok()?));
        issue.line = line.filter(|line| *line > 0);
        issue
    };
    let mut issues: Vec<LineIssue> = check.issues.into_iter().map(counted_back).collect();
    // Of a text that is no TOML, what is missing says nothing.
    if issues.iter().any(|issue| issue.field.is_empty()) {
        issues.retain(|issue| issue.field.is_empty());
    }
    match template {
        Some(template) if issues.is_empty() => Ok(template),
        _ if issues.is_empty() => Err(vec![LineIssue {
            line: None,
            field: String::new(),
            message: "holds no field of a template".to_owned(),
        }]),
        _ => Err(issues),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str =
        "path = \"/gen\"\nbody = '{\"p\": {{prompt}}}'\ntoken = \"/text\"\nframing = \"ndjson\"\n";

    #[test]
    fn a_template_is_read_with_and_without_its_head() {
        let bare = template_of(FIELDS).unwrap();
        assert_eq!(bare.token, "/text");
        assert_eq!(
            template_of(&format!("# mine\n{HEAD}\n{FIELDS}")).unwrap(),
            bare
        );
    }

    #[test]
    fn issues_have_their_line_in_the_file() {
        let text = FIELDS.replace("token", "tokne");
        let issues = template_of(&text).unwrap_err();
        assert_eq!(issues[0].line, Some(3), "{issues:?}");
        assert!(
            issues[0].message.contains("did you mean “token”?"),
            "{issues:?}"
        );
        let issues = template_of(&FIELDS.replace("prompt", "promt")).unwrap_err();
        assert_eq!(
            (issues[0].line, issues[0].field.as_str()),
            (Some(2), "target.template.body")
        );
        let issues = template_of("[[[").unwrap_err();
        assert_eq!(issues[0].line, Some(1), "{issues:?}");
    }
}
