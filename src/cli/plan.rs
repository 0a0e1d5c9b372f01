//! From flags to a plan: flags override the file, `--set` overrides flags.

use std::num::NonZeroU64;

use super::args::RunArgs;
use crate::domain::{
    ClosedMode, GradioMode, Issue, KeyRef, Load, Plan, Protocol, Stage, StageEnd, TierLength,
    Warmup,
};
use crate::session;

/// The plan that the arguments ask for.
///
/// # Errors
/// Everything that is wrong, each line ready to print.
pub(super) fn plan_from_args(args: &RunArgs) -> Result<Plan, Vec<String>> {
    let mut plan = match &args.plan {
        Some(path) => session::read_plan(path).map_err(|issues| {
            issues
                .into_iter()
                .map(|issue| format!("{}: {issue}", path.display()))
                .collect::<Vec<_>>()
        })?,
        None => Plan::simple(args.url.as_deref().unwrap_or_default()),
    };
    let mut issues = Vec::new();
    override_target(&mut plan, args, &mut issues);
    override_workload(&mut plan, args, &mut issues);
    override_load(&mut plan, args, &mut issues);
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
    if issues.is_empty() {
        issues = plan.check();
    }
    if plan.target.sends_key_in_clear() && !args.key_over_http {
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
        Err(issues
            .into_iter()
            .map(|i| format!("{}: {}", i.field, i.message))
            .collect())
    }
}

fn override_target(plan: &mut Plan, args: &RunArgs, issues: &mut Vec<Issue>) {
    let target = &mut plan.target;
    if let Some(url) = &args.url {
        target.url.clone_from(url);
    }
    if let Some(id) = &args.protocol {
        match Protocol::from_id(id) {
            Some(protocol) => target.protocol = protocol,
            None => issues.push(Issue::new("--protocol", {
                let ids = Protocol::ALL.map(Protocol::id).join(", ");
                format!("“{id}” is none of {ids}")
            })),
        }
    }
    if args.api_name.is_some() {
        target.api_name.clone_from(&args.api_name);
    }
    match args.gradio_mode.as_deref() {
        None => {}
        Some("queue") => target.gradio_mode = GradioMode::Queue,
        Some("call") => target.gradio_mode = GradioMode::Call,
        Some(other) => issues.push(Issue::new(
            "--gradio-mode",
            format!("“{other}” is neither queue nor call"),
        )),
    }
    if args.model.is_some() {
        target.model.clone_from(&args.model);
    }
    for header in &args.headers {
        match header.split_once(':') {
            Some((name, value)) => drop(
                target
                    .headers
                    .insert(name.trim().to_owned(), value.trim().to_owned()),
            ),
            None => issues.push(Issue::new(
                "--header",
                format!("“{header}” has no “:”: write NAME: VALUE"),
            )),
        }
    }
    if let Some(name) = &args.key_env {
        target.key = KeyRef::Env { name: name.clone() };
    }
}

fn override_workload(plan: &mut Plan, args: &RunArgs, issues: &mut Vec<Issue>) {
    let workload = &mut plan.workload;
    if let Some(system) = &args.system {
        workload.system.clone_from(system);
    }
    if !args.users.is_empty() {
        workload.users.clone_from(&args.users);
        workload.prompts_file = None;
    }
    if args.prompts.is_some() {
        workload.prompts_file.clone_from(&args.prompts);
        workload.users.clear();
    }
    if args.max_tokens.is_some() {
        workload.max_tokens = args.max_tokens;
    }
    for input in &args.inputs {
        let Some((name, value)) = input.split_once('=') else {
            issues.push(Issue::new(
                "--input",
                format!("“{input}” has no “=”: write NAME=JSON"),
            ));
            continue;
        };
        let value = serde_json::from_str(value)
            .unwrap_or_else(|_| serde_json::Value::String(value.to_owned()));
        workload.inputs.insert(name.trim().to_owned(), value);
    }
}

fn override_load(plan: &mut Plan, args: &RunArgs, issues: &mut Vec<Issue>) {
    if let Some(seed) = args.seed {
        plan.seed = seed;
    }
    if let Some(label) = &args.label {
        plan.label.clone_from(label);
    }
    plan.tags.extend(args.tags.iter().cloned());
    if let Some(k) = args.cold {
        plan.cold.requests = k;
    }
    match args.warmup.as_deref().map(Warmup::parse) {
        Some(Ok(warmup)) => plan.warmup = warmup,
        Some(Err(message)) => issues.push(Issue::new("--warmup", message)),
        None => {}
    }
    let mode = match args.mode.as_deref() {
        None => None,
        Some("steady") => Some(ClosedMode::Steady),
        Some("burst") => Some(ClosedMode::Burst),
        Some("wave") => Some(ClosedMode::Wave),
        Some(other) => {
            issues.push(Issue::new(
                "--mode",
                format!("“{other}” is none of steady, burst, wave"),
            ));
            None
        }
    };
    match stages(plan, args, mode.unwrap_or_default()) {
        Ok(Some(stages)) => plan.stages = stages,
        Ok(None) => {}
        Err(found) => issues.extend(
            found
                .into_iter()
                .map(|i| Issue::new(flag_of(&i.field), i.message)),
        ),
    }
    if let Some(new) = mode {
        for stage in &mut plan.stages {
            if let Load::Closed { mode, .. } = &mut stage.load {
                *mode = new;
            }
        }
    }
}

/// The flag behind a field of [`Stage::closed_tiers`].
fn flag_of(field: &str) -> String {
    match field {
        "users" => "--tiers".to_owned(),
        "duration_secs" => "--duration".to_owned(),
        other => format!("--{}", other.replace('_', "-")),
    }
}

/// The stages that the flags ask for; `None` leaves the plan's.
fn stages(plan: &Plan, args: &RunArgs, mode: ClosedMode) -> Result<Option<Vec<Stage>>, Vec<Issue>> {
    if let Some(n) = args.iterations {
        let n = NonZeroU64::new(n)
            .ok_or_else(|| vec![Issue::new("iterations", "must be at least 1")])?;
        let mut stages = Stage::closed_tiers("1", mode, TierLength::Requests("1"))?;
        for stage in &mut stages {
            stage.end = StageEnd::Requests(n);
        }
        return Ok(Some(stages));
    }
    let length = match (&args.requests, &args.requests_per_user, &args.duration) {
        (Some(n), _, _) => Some(TierLength::Requests(n)),
        (_, Some(r), _) => Some(TierLength::RequestsPerUser(r)),
        (_, _, Some(time)) => Some(TierLength::Duration(time)),
        _ => None,
    };
    if args.tiers.is_none() && length.is_none() {
        return Ok(None);
    }
    let of_plan = || {
        plan.stages
            .iter()
            .map(|s| s.load.max_in_flight().to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let users = args.tiers.clone().unwrap_or_else(of_plan);
    Stage::closed_tiers(
        &users,
        mode,
        length.unwrap_or(TierLength::RequestsPerUser("10")),
    )
    .map(Some)
}
