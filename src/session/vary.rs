//! One plan with varied fields becomes several plans, each a run of its own.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::message::Event;
use super::run::Start;
use crate::domain::{
    Estimate, Issue, Plan, RunData, Variant, Variation, Vary, variant_words, variants, without_use,
};
use crate::store;
use crate::workload::Needs;

/// One run of a varied plan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Varied {
    pub(super) values: Variant,
    /// Varies nothing itself.
    pub(super) plan: Plan,
}

/// The runs of a plan, in order; one, with no values, where nothing is varied.
///
/// # Errors
/// Every issue of the plan, or else of every variation, which the message names with its field.
pub(super) fn varied(plan: &Plan) -> Result<Vec<Varied>, Vec<Issue>> {
    let issues = plan.check();
    if !issues.is_empty() {
        return Err(issues);
    }
    let useless: Vec<Issue> = useless_fields(plan);
    if !useless.is_empty() {
        return Err(useless);
    }
    let mut base = plan.clone();
    base.vary = Vec::new();
    base.vary_mode = crate::domain::VaryMode::default();
    let mut told: Vec<Told> = Vec::new();
    let mut all = Vec::new();
    for values in variants(&plan.vary, plan.vary_mode) {
        match with_values(&base, &plan.vary, &values) {
            Ok(plan) => all.push(Varied { values, plan }),
            // In a grid a value meets many others: what is wrong with it, or with its field, is said once.
            Err(issues) => {
                for one in issues {
                    if !told.iter().any(|t| t.of == one.of) {
                        told.push(one);
                    }
                }
            }
        }
    }
    told.sort_by(|a, b| a.issue.field.cmp(&b.issue.field));
    if told.is_empty() {
        Ok(all)
    } else {
        Err(told.into_iter().map(|t| t.issue).collect())
    }
}

/// Varied fields that say nothing of this plan. Another varied field may give them a use: the protocol does.
fn useless_fields(plan: &Plan) -> Vec<Issue> {
    let varies_protocol = plan.vary.iter().any(|v| v.field == "target.protocol");
    let fields = plan.vary.iter().enumerate();
    fields
        .filter(|_| !varies_protocol)
        .filter_map(|(i, vary)| {
            let why = without_use(plan, &vary.field)?;
            Some(Issue::new(format!("vary.{i}"), why))
        })
        .collect()
}

/// An issue, and what it is of: two of the same are one.
struct Told {
    of: (usize, String),
    issue: Issue,
}

/// The plan with the values set in the order in which the fields are varied.
fn with_values(base: &Plan, vary: &[Vary], values: &Variant) -> Result<Plan, Vec<Told>> {
    let mut plan = base.clone();
    let mut issues = Vec::new();
    for (i, vary) in vary.iter().enumerate() {
        let Some(value) = values.get(&vary.field) else {
            continue;
        };
        match store::set_field(&plan, &vary.field, value) {
            Ok(changed) => plan = changed,
            Err(issue) => issues.push(Told {
                issue: Issue::new(
                    format!("vary.{i}"),
                    format!("{}={value}: {}: {}", vary.field, issue.field, issue.message),
                ),
                of: (i, issue.message),
            }),
        }
    }
    if issues.is_empty() {
        let of_variation = |issue: Issue| {
            let message = format!(
                "{}: {}: {}",
                variant_words(values),
                issue.field,
                issue.message
            );
            Told {
                issue: Issue::new("vary", message.clone()),
                of: (usize::MAX, message),
            }
        };
        issues = plan.check().into_iter().map(of_variation).collect();
    }
    if issues.is_empty() {
        Ok(plan)
    } else {
        Err(issues)
    }
}

/// As [`estimate`], with traces read. Blocks.
///
/// # Errors
/// Every issue of the plan and of its variations, and what is wrong with a trace.
pub fn estimate_with_traces(plan: &Plan) -> Result<Estimate, Vec<Issue>> {
    let mut all = Estimate::default();
    for one in varied(plan)? {
        let traces = Needs::traced(&one.plan).map_err(|issue| vec![issue])?;
        all.add(&Estimate::with_traces(&one.plan, &traces));
    }
    Ok(all)
}

/// Runs, requests and time of the plan with all its variations, as far as the plan itself says.
///
/// # Errors
/// Every issue of the plan and of its variations.
pub fn estimate(plan: &Plan) -> Result<Estimate, Vec<Issue>> {
    let mut all = Estimate::default();
    for one in varied(plan)? {
        all.add(&Estimate::of(&one.plan));
    }
    Ok(all)
}

/// Files that the plan or one of its variations names and that are not there. Blocks.
///
/// # Errors
/// Every issue of the plan and of its variations.
pub fn missing_files(plan: &Plan) -> Result<Vec<Issue>, Vec<Issue>> {
    Ok(missing_of(plan, &varied(plan)?))
}

/// A file that a value names is told at the value, once for all the runs that have it.
fn missing_of(plan: &Plan, all: &[Varied]) -> Vec<Issue> {
    let mut found: Vec<Issue> = Vec::new();
    for one in all {
        for issue in store::missing_files(&one.plan) {
            let names_it = |vary: &Vary| issue.field.starts_with(&vary.field);
            let issue = match plan.vary.iter().position(names_it) {
                Some(i) => Issue::new(
                    format!("vary.{i}"),
                    format!("{}: {}", issue.field, issue.message),
                ),
                None => issue,
            };
            if !found.contains(&issue) {
                found.push(issue);
            }
        }
    }
    found
}

/// The runs of a varied plan, those done and those still to come.
pub(super) struct Group {
    rest: VecDeque<Varied>,
    out: Option<PathBuf>,
    /// The first run's id; empty until there is one.
    id: String,
    of: u32,
    /// The variation under way, or the last one.
    now: Option<(u32, Variant)>,
    n_run: u32,
    is_stopped: bool,
}

impl Group {
    /// Looks for the files, so that none of them is found in the way in the middle. Blocks.
    ///
    /// # Errors
    /// Every issue of the plan, of its variations and of their files.
    pub(super) fn of(plan: &Plan, out: Option<PathBuf>) -> Result<Self, Vec<Issue>> {
        let all = varied(plan)?;
        let missing = missing_of(plan, &all);
        if !missing.is_empty() {
            return Err(missing);
        }
        let rest = VecDeque::from(all);
        let n = rest.len();
        let files = out
            .iter()
            .flat_map(|out| (0..n).map(|i| numbered(out, i, n)));
        let in_the_way = |path: &PathBuf| path.exists() || path.with_extension("").exists();
        let issues: Vec<Issue> = files
            .filter(in_the_way)
            .map(|path| {
                let name = path.display();
                let message = format!("there is a file already, choose another name: “{name}”");
                Issue::new("--out", message)
            })
            .collect();
        if !issues.is_empty() {
            return Err(issues);
        }
        Ok(Self {
            rest,
            out,
            id: String::new(),
            of: u32::try_from(n).unwrap_or(u32::MAX),
            now: None,
            n_run: 0,
            is_stopped: false,
        })
    }

    /// What to tell, and what to start, if anything.
    pub(super) fn next(&mut self) -> (Event, Option<Start>) {
        let of = self.of;
        let next = self.rest.pop_front().filter(|_| !self.is_stopped);
        let Some(Varied { values, plan }) = next else {
            let n_run = self.n_run;
            return (Event::VariationsEnded { n_run, of }, None);
        };
        let index = self.now.as_ref().map_or(0, |(index, _)| index + 1);
        self.now = Some((index, values.clone()));
        let out = self.out.as_deref();
        let start = Start {
            plan: Arc::new(plan),
            out: out.map(|out| numbered(out, index as usize, of as usize)),
            variation: Some(Variation {
                group: self.id.clone(),
                index,
                of,
                values: values.clone(),
            }),
        };
        (Event::VariationStarted { index, of, values }, Some(start))
    }

    /// No further one is to be run.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    pub(super) fn ran(&mut self, run: &RunData) {
        self.n_run += 1;
        if let Some(variation) = run.head.variation.as_ref().filter(|_| self.id.is_empty()) {
            self.id.clone_from(&variation.group);
        }
    }

    /// The one under way did not start.
    pub(super) fn refused(&self, issues: Vec<Issue>) -> Event {
        let (index, values) = self.now.clone().unwrap_or_default();
        Event::VariationRefused {
            index,
            of: self.of,
            values,
            issues,
        }
    }
}

/// The file of one of several runs: its number, from 1, before the ending of the name asked for.
pub(super) fn numbered(out: &Path, index: usize, of: usize) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let ends = [".run.jsonl.zst", ".run.jsonl", ".jsonl.zst", ".jsonl"];
    let end = ends.into_iter().find(|end| name.ends_with(end));
    let (stem, end) = match (end, name.rsplit_once('.')) {
        (Some(end), _) => (name.strip_suffix(end).unwrap_or(&name), end.to_owned()),
        (None, Some((stem, end))) if !stem.is_empty() => (stem, format!(".{end}")),
        _ => (&*name, String::new()),
    };
    let digits = of.to_string().len();
    out.with_file_name(format!("{stem}-{:0digits$}{end}", index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(vary: &[&str]) -> Plan {
        let mut plan = Plan::simple("http://127.0.0.1:8000/v1");
        plan.vary = vary.iter().map(|text| text.parse().unwrap()).collect();
        plan
    }

    #[test]
    fn values_are_set_and_nothing_is_varied_any_more() {
        let all = varied(&plan(&["workload.max_tokens=16,64", "target.model=a,b"])).unwrap();
        let set: Vec<_> = all
            .iter()
            .map(|v| (v.plan.workload.max_tokens, v.plan.target.model.clone()))
            .collect();
        let model = |name: &str| Some(name.to_owned());
        assert_eq!(
            set,
            [
                (Some(16), model("a")),
                (Some(16), model("b")),
                (Some(64), model("a")),
                (Some(64), model("b"))
            ]
        );
        assert!(all.iter().all(|v| v.plan.vary.is_empty()));
        assert_eq!(varied(&plan(&[])).unwrap().len(), 1);
    }

    #[test]
    fn every_variation_is_checked_before_one_is_run() {
        let issues =
            varied(&plan(&["workload.max_tokens=16,x,0", "stages.0.users=1,2"])).unwrap_err();
        assert_eq!(issues.len(), 2, "{issues:?}");
        for (issue, value) in issues.iter().zip(["x", "0"]) {
            assert_eq!(issue.field, "vary.0");
            let named = format!("workload.max_tokens={value}: workload.max_tokens: ");
            assert!(issue.message.starts_with(&named), "{issue:?}");
        }
        let issues = varied(&plan(&["target.modle=a"])).unwrap_err();
        assert!(
            issues[0].message.contains("did you mean “model”?"),
            "{issues:?}"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_found_before_the_first_run() {
        let plan = plan(&["workload.dataset=none-1.jsonl,Cargo.toml", "seed=1,2"]);
        let issues = Group::of(&plan, None).err().unwrap();
        let expected = Issue::new(
            "vary.0",
            "workload.dataset: there is no such file: “none-1.jsonl”",
        );
        assert_eq!(issues, [expected]);
        assert_eq!(missing_files(&plan), Ok(issues));
    }

    #[test]
    fn fields_of_the_request_s_own_body_are_varied_as_a_grid() {
        let mut plan = plan(&[
            "workload.extra_body.temperature=0,1",
            "workload.extra_body.options.top_k=1,2",
            "workload.inputs.name=a,b",
        ]);
        plan.workload.extra_body = r#"{"temperature": 0.5, "stop": ["x"]}"#.to_owned();
        let all = varied(&plan).unwrap();
        assert_eq!(all.len(), 8);
        let body = |i: usize| -> serde_json::Value {
            serde_json::from_str(&all[i].plan.workload.extra_body).unwrap()
        };
        let of = |temperature: u8, top_k: u8| {
            serde_json::json!({
                "temperature": temperature, "stop": ["x"], "options": {"top_k": top_k}
            })
        };
        assert_eq!((body(0), body(7)), (of(0, 1), of(1, 2)));
        assert_eq!(all[1].plan.workload.inputs["name"], "b");
        plan.vary = vec!["workload.temperature=0,1".parse().unwrap()];
        let told = varied(&plan).unwrap_err();
        let message = &told[0].message;
        assert!(
            message.contains("“workload.extra_body.temperature”"),
            "{message}"
        );
        plan.vary = vec!["workload.turns=4,4".parse().unwrap()];
        let told = varied(&plan).unwrap_err();
        assert!(told[0].message.contains("“4” stands twice"), "{told:?}");
    }

    #[test]
    fn the_estimate_is_of_all_runs() {
        let estimate = estimate(&plan(&["stages.0.requests=10,20", "seed=1,2,3"])).unwrap();
        assert_eq!((estimate.runs, estimate.requests), (6, 90.0));
    }

    #[test]
    fn files_are_numbered_before_their_ending() {
        for (out, first) in [
            ("a/b.run.jsonl", "a/b-01.run.jsonl"),
            ("b.run.jsonl.zst", "b-01.run.jsonl.zst"),
            ("x.y.txt", "x.y-01.txt"),
            ("plain", "plain-01"),
        ] {
            assert_eq!(numbered(Path::new(out), 0, 12), Path::new(first));
        }
    }
}
