//! Plans as TOML (`*.plan.toml`): read with every issue at its line, written so that reading gives the same plan.
//! The format is TOML 1.0 (<https://toml.io/en/v1.0.0>); the fields stand in `plan_fields.rs`.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::plan_read::{line_at, read};
use crate::domain::{DatasetRef, Issue, Load, Plan, TokenizerRef, input_file};

/// The largest plan file that is read.
pub const MAX_PLAN_BYTES: u64 = 64 * 1024 * 1024;

/// What is wrong in a plan file, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LineIssue {
    /// From 1; `None` where nothing stands that could be pointed at.
    pub line: Option<u32>,
    /// As `--set` names it; empty for what is no field.
    pub field: String,
    pub message: String,
}

impl fmt::Display for LineIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

impl From<LineIssue> for Issue {
    fn from(issue: LineIssue) -> Self {
        let message = match issue.line {
            Some(line) if issue.field.is_empty() => format!("line {line}: {}", issue.message),
            _ => issue.message,
        };
        Self::new(issue.field, message)
    }
}

/// A plan, or everything that is wrong with it.
#[derive(Clone, Debug)]
pub struct PlanCheck {
    /// Only when there is no issue.
    pub plan: Option<Plan>,
    /// In the order of lines.
    pub issues: Vec<LineIssue>,
}

/// Reads a plan; paths in it are seen from the current folder.
pub fn check_text(text: &str) -> PlanCheck {
    check_in(text, None)
}

/// Reads a plan file. Paths in it are seen from its own folder and come back absolute where the file's path is.
///
/// # Errors
/// When the file cannot be read at all.
pub fn check_file(path: &Path) -> std::io::Result<PlanCheck> {
    let mut bytes = Vec::new();
    let mut file = std::fs::File::open(path)?.take(MAX_PLAN_BYTES + 1);
    file.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_PLAN_BYTES {
        let message = format!("is larger than {MAX_PLAN_BYTES} bytes: not a plan");
        return Ok(PlanCheck::only(None, message));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(check_in(&text, path.parent())),
        Err(e) => {
            let good = e.as_bytes().get(..e.utf8_error().valid_up_to());
            let line = line_at(good.unwrap_or_default(), usize::MAX);
            Ok(PlanCheck::only(Some(line), "is not UTF-8 text".to_owned()))
        }
    }
}

fn check_in(text: &str, folder: Option<&Path>) -> PlanCheck {
    let read = read(text);
    let mut issues = read.shape;
    let mut plan = read.plan;
    if let Some(plan) = &mut plan {
        let spans = &read.lines;
        for issue in plan.check().into_iter().chain(resolve_files(plan, folder)) {
            let known = issues.iter().any(|i| overlap(&i.field, &issue.field));
            if !known {
                issues.push(spans.issue(issue));
            }
        }
    }
    issues.sort_by_key(|i| i.line.unwrap_or(u32::MAX));
    let plan = plan.filter(|_| issues.is_empty());
    PlanCheck { plan, issues }
}

impl PlanCheck {
    fn only(line: Option<u32>, message: String) -> Self {
        let issue = LineIssue {
            line,
            field: String::new(),
            message,
        };
        Self {
            plan: None,
            issues: vec![issue],
        }
    }
}

/// Both name the same field, or one holds the other.
pub(super) fn overlap(a: &str, b: &str) -> bool {
    let holds = |outer: &str, inner: &str| {
        !outer.is_empty()
            && inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    holds(a, b) || holds(b, a)
}

/// Files that the plan names and that are not there, each at its field; paths are seen from the current folder.
pub fn missing_files(plan: &Plan) -> Vec<Issue> {
    resolve_files(&mut plan.clone(), None)
}

/// Files that the plan names: made absolute from the plan's folder, and looked for.
fn resolve_files(plan: &mut Plan, folder: Option<&Path>) -> Vec<Issue> {
    let mut issues = Vec::new();
    let resolve = |path: &Path| match folder {
        Some(folder) if path.is_relative() => folder.join(path),
        _ => path.to_owned(),
    };
    let look = |field: String, path: &Path, issues: &mut Vec<Issue>| {
        // A dataset may be a folder.
        let is_there = path.is_file() || (field == "workload.dataset" && path.is_dir());
        if !path.as_os_str().is_empty() && !is_there {
            let message = format!("there is no such file: “{}”", path.display());
            issues.push(Issue::new(field, message));
        }
    };
    let workload = &mut plan.workload;
    let dataset = workload.dataset.as_mut().and_then(DatasetRef::path_mut);
    let tokenizer = workload.tokenizer.as_mut();
    let named: [(&str, Option<&mut PathBuf>); 4] = [
        ("target.ca_file", plan.target.ca_file.as_mut()),
        ("workload.prompts_file", workload.prompts_file.as_mut()),
        ("workload.dataset", dataset),
        (
            "workload.tokenizer",
            tokenizer.and_then(TokenizerRef::path_mut),
        ),
    ];
    let named = named
        .into_iter()
        .filter_map(|(f, p)| Some((f.to_owned(), p?)));
    let replays = plan.stages.iter_mut().enumerate().filter_map(|(i, stage)| {
        let Load::Replay { replay, .. } = &mut stage.load else {
            return None;
        };
        Some((format!("stages.{i}.load.replay"), replay))
    });
    for (field, path) in named.chain(replays) {
        if !path.as_os_str().is_empty() {
            *path = resolve(path);
        }
        look(field, path, &mut issues);
    }
    for (name, value) in &mut plan.workload.inputs {
        let Some(path) = input_file(value).map(|p| resolve(Path::new(p))) else {
            continue;
        };
        look(format!("workload.inputs.{name}"), &path, &mut issues);
        if folder.is_some() {
            *value = serde_json::json!({ "file": path.to_string_lossy() });
        }
    }
    issues
}
