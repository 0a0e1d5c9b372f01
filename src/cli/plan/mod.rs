//! From flags to a plan: flags override the file or the preset, `--set` overrides flags.

mod flags;
mod load;
mod prompts;
mod read;
mod target;

use std::process::ExitCode;

use super::args::PlanArgs;
use super::{exit, print};
use crate::domain::{GOAL_PRESETS, Goal, GoalPreset, Issue, Load, Plan, Stage, Vary, VaryMode};
use crate::session;

/// The plan that the arguments ask for.
///
/// # Errors
/// Everything that is wrong, each line ready to print.
pub(super) fn plan_from_args(args: &PlanArgs) -> Result<Plan, Vec<String>> {
    let mut plan = begin(args)?;
    let mut issues = Vec::new();
    target::override_target(&mut plan.target, &args.target, &mut issues);
    prompts::override_workload(&mut plan.workload, &args.prompts, &mut issues);
    inputs(&mut plan, args, &mut issues);
    load::override_load(&mut plan, &args.load, &mut issues);
    override_rest(&mut plan, args, &mut issues);
    for set in &args.sets {
        match set.split_once('=') {
            Some((field, value)) => match session::set_field(&plan, field.trim(), value) {
                Ok(changed) => plan = changed,
                Err(issue) => issues.push(issue),
            },
            None => issues.push(Issue::new(
                "--set",
                format!("“{set}” has no “=”: write FIELD=VALUE"),
            )),
        }
    }
    if issues.is_empty() && plan.vary.is_empty() {
        idle(&plan, args, &mut issues);
    }
    if issues.is_empty() {
        issues = at_flags(plan.check(), args);
    }
    if plan.target.sends_key_in_clear() && !args.target.key_over_http {
        let host = &plan.target.url;
        issues.push(Issue::new(
            "target.key",
            format!(
                "the key would go over plain http to “{host}”: use https, or say --key-over-http"
            ),
        ));
    }
    if issues.is_empty() {
        Ok(plan)
    } else {
        Err(issues.iter().map(line).collect())
    }
}

/// Issues at the flags that made what is wrong, else at the fields.
pub(super) fn at_flags(issues: Vec<Issue>, args: &PlanArgs) -> Vec<Issue> {
    flags::named(issues, args)
}

/// Flags that would change nothing of what is sent, whatever else is varied.
fn idle(plan: &Plan, args: &PlanArgs, issues: &mut Vec<Issue>) {
    let (workload, prompts) = (&plan.workload, &args.prompts);
    if prompts.think.is_some() && workload.turns == 1 {
        issues.push(Issue::new(
            "--think",
            "goes with --turns of at least 2 only",
        ));
    }
    let is_replay = |s: &Stage| matches!(s.load, Load::Replay { .. });
    let is_synthetic = workload.input_tokens.is_some() || plan.stages.iter().any(is_replay);
    if prompts.sharing.is_some() && !is_synthetic {
        let message = "goes with --input-tokens or --replay only";
        issues.push(Issue::new("--sharing", message));
    }
    let has_no_limit = |s: &Stage| {
        matches!(
            s.load,
            Load::Open {
                max_in_flight: None,
                ..
            } | Load::Replay {
                max_in_flight: None,
                ..
            }
        )
    };
    let drops = args.load.when_full.as_deref() == Some("drop");
    if drops && plan.stages.iter().any(has_no_limit) {
        let message = "“drop” needs a limit to drop at: add --max-in-flight N";
        issues.push(Issue::new("--when-full", message));
    }
}

/// `--rate: “x” is no rate …`.
pub(super) fn line(issue: &Issue) -> String {
    format!("{}: {}", issue.field, issue.message)
}

/// What the flags change: a plan file, a preset, or the simplest plan.
fn begin(args: &PlanArgs) -> Result<Plan, Vec<String>> {
    match (&args.plan, &args.profile) {
        (Some(path), None) => session::read_plan(path).map_err(|issues| {
            let line = |issue| format!("{}: {issue}", path.display());
            issues.into_iter().map(line).collect()
        }),
        (None, Some(id)) => session::preset_plan(id).map_err(|m| vec![format!("--profile: {m}")]),
        (None, None) => Ok(Plan::simple(args.target.url.as_deref().unwrap_or_default())),
        (Some(path), Some(_)) => Err(vec![format!(
            "--profile: goes without a plan file: “{}” says all that a preset would",
            path.display()
        )]),
    }
}

fn inputs(plan: &mut Plan, args: &PlanArgs, issues: &mut Vec<Issue>) {
    for input in &args.target.inputs {
        let Some((name, value)) = input.split_once('=') else {
            issues.push(Issue::new(
                "--input",
                format!("“{input}” has no “=”: write NAME=JSON"),
            ));
            continue;
        };
        let value = serde_json::from_str(value)
            .unwrap_or_else(|_| serde_json::Value::String(value.to_owned()));
        plan.workload.inputs.insert(name.trim().to_owned(), value);
    }
}

fn override_rest(plan: &mut Plan, args: &PlanArgs, issues: &mut Vec<Issue>) {
    if let Some(seed) = args.seed {
        plan.seed = seed;
    }
    if let Some(label) = &args.label {
        plan.label.clone_from(label);
    }
    plan.tags.extend(args.tags.iter().cloned());
    if !args.goals.is_empty() {
        plan.goals = goals(&args.goals, issues);
    }
    if !args.vary.is_empty() {
        let parse = |text: &String| read::parsed::<Vary>("--vary", Some(text), issues);
        plan.vary = args.vary.iter().filter_map(parse).collect();
    }
    let modes = [
        ("grid", VaryMode::Grid),
        ("one-at-a-time", VaryMode::OneAtATime),
    ];
    if let Some(mode) = read::chosen("--vary-mode", args.vary_mode.as_deref(), &modes, issues) {
        plan.vary_mode = mode;
        if plan.vary.is_empty() {
            issues.push(Issue::new("--vary-mode", "goes with --vary only"));
        }
    }
}

/// Goals and presets of goals, in the order given; one that is there already is not taken twice.
fn goals(texts: &[String], issues: &mut Vec<Issue>) -> Vec<Goal> {
    let mut goals = Vec::new();
    for text in texts {
        let asked = match GoalPreset::find(text.trim()) {
            Some(preset) => preset.goals(),
            None => match text.parse() {
                Ok(goal) => vec![goal],
                Err(message) => {
                    let ids: Vec<&str> = GOAL_PRESETS.iter().map(|p| p.id).collect();
                    let message = format!("{message}; or a preset: {}", ids.join(", "));
                    issues.push(Issue::new("--goal", message));
                    continue;
                }
            },
        };
        for goal in asked {
            if !goals.contains(&goal) {
                goals.push(goal);
            }
        }
    }
    goals
}

/// `plan show`: the plan as TOML, with what it would take as a comment before it.
pub(super) fn show(args: &PlanArgs) -> ExitCode {
    let plan = match plan_from_args(args) {
        Ok(plan) => plan,
        Err(issues) => return refused(&issues),
    };
    let missing = session::missing_files(&plan).unwrap_or_else(|issues| issues);
    if !missing.is_empty() {
        let issues = at_flags(missing, args);
        return refused(&issues.iter().map(line).collect::<Vec<_>>());
    }
    match session::estimate_with_traces(&plan) {
        Ok(estimate) => {
            let text = format!("# {estimate}\n{}", session::plan_text(&plan));
            print::out(&text, exit::OK)
        }
        Err(issues) => {
            let issues = at_flags(issues, args);
            refused(&issues.iter().map(line).collect::<Vec<_>>())
        }
    }
}

/// Says every issue; exit code 2.
pub(super) fn refused(issues: &[String]) -> ExitCode {
    for issue in issues {
        print::err(&format!("inferometer: {issue}"));
    }
    ExitCode::from(exit::USAGE)
}
