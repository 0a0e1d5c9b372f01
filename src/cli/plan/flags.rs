//! An issue of a plan is told at the flag that made it, where one did.

use crate::cli::args::PlanArgs;
use crate::domain::Issue;

/// The issues, each at its flag or else at its field. Of the same one for several stages the first.
pub(super) fn named(issues: Vec<Issue>, args: &PlanArgs) -> Vec<Issue> {
    let given = given(args);
    let mut named: Vec<Issue> = Vec::new();
    for issue in issues {
        let flag = given.iter().find(|(path, ..)| holds(path, &issue.field));
        let Some((_, flag)) = flag else {
            named.push(issue);
            continue;
        };
        let is_again = issue.field.starts_with("stages.") && named.iter().any(|n| n.field == *flag);
        if !is_again {
            named.push(Issue::new(*flag, issue.message));
        }
    }
    named
}

/// Whether the field is that of the path, or one below it. A `*` of the path is any position.
fn holds(path: &str, field: &str) -> bool {
    let mut field = field.split('.');
    path.split('.').all(|part| match field.next() {
        Some(at) => part == "*" && at.parse::<usize>().is_ok() || part == at,
        None => false,
    })
}

/// Fields that flags have set, the more exact ones first.
fn given(args: &PlanArgs) -> Vec<(&'static str, &'static str)> {
    let (target, prompts, load) = (&args.target, &args.prompts, &args.load);
    [
        ("target.url", "--url", target.url.is_some()),
        (
            "target.template",
            "--template",
            target.template.is_some() || target.protocol.is_some(),
        ),
        ("target.api_name", "--api-name", target.api_name.is_some()),
        ("target.model", "--model", target.model.is_some()),
        ("target.headers", "--header", !target.headers.is_empty()),
        ("target.key.name", "--key-env", target.key_env.is_some()),
        ("workload.inputs", "--input", !target.inputs.is_empty()),
        ("workload.system", "--system", prompts.system.is_some()),
        ("workload.users", "--user", !prompts.users.is_empty()),
        (
            "workload.prompts_file",
            "--prompts",
            prompts.prompts.is_some(),
        ),
        ("workload.dataset", "--dataset", prompts.dataset.is_some()),
        (
            "workload.input_tokens",
            "--input-tokens",
            prompts.input_tokens.is_some(),
        ),
        (
            "workload.output_tokens",
            "--output-tokens",
            prompts.output_tokens.is_some(),
        ),
        (
            "workload.tokenizer",
            "--tokenizer",
            prompts.tokenizer.is_some(),
        ),
        ("workload.sharing", "--sharing", prompts.sharing.is_some()),
        ("workload.turns", "--turns", prompts.turns.is_some()),
        ("workload.think_secs", "--think", prompts.think.is_some()),
        (
            "workload.max_tokens",
            "--max-tokens",
            prompts.max_tokens.is_some(),
        ),
        ("stages.*.load.users", "--tiers", load.tiers.is_some()),
        ("stages.*.load.rate", "--rate", load.rate.is_some()),
        ("stages.*.load.steps", "--sweep", load.sweep.is_some()),
        ("stages.*.load.replay", "--replay", load.replay.is_some()),
        ("stages.*.load.ramp", "--ramp", load.ramp.is_some()),
        (
            "stages.*.load.max_in_flight",
            "--max-in-flight",
            load.max_in_flight.is_some(),
        ),
        (
            "stages.*.load.max_users",
            "--max-users",
            load.max_users.is_some(),
        ),
        ("stages.*.load.from", "--from", load.from.is_some()),
        ("stages.*.load.max", "--max", load.max.is_some()),
        ("stages.*.load.max", "--from", load.from.is_some()),
        (
            "stages.*.load.time_scale",
            "--time-scale",
            load.time_scale.is_some(),
        ),
        (
            "stages.*.requests",
            "--iterations",
            load.iterations.is_some(),
        ),
        ("stages.*.requests", "--requests", load.requests.is_some()),
        (
            "stages.*.requests_per_user",
            "--requests-per-user",
            load.requests_per_user.is_some(),
        ),
        (
            "stages.*.duration_secs",
            "--duration",
            load.duration.is_some(),
        ),
        ("stages", "--tiers", load.tiers.is_some()),
        ("stages", "--rate", load.rate.is_some()),
        ("cold", "--cold", load.cold.is_some()),
        ("warmup", "--warmup", load.warmup.is_some()),
        ("mixed_traffic", "--mixed-traffic", load.mixed_traffic),
        ("goals", "--goal", !args.goals.is_empty()),
        ("goals", "--search", load.search),
        ("vary", "--vary", !args.vary.is_empty()),
        ("seed", "--seed", args.seed.is_some()),
    ]
    .into_iter()
    .filter_map(|(field, flag, is_given)| is_given.then_some((field, flag)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_its_field_and_what_is_below() {
        for (path, field, expected) in [
            ("seed", "seed", true),
            ("goals", "goals.3", true),
            ("stages.*.load.max", "stages.12.load.max", true),
            ("stages.*.load.max", "stages.x.load.max", false),
            ("stages.*.load.max", "stages.1.load.max_users", false),
            ("stages", "stages.0.load.rate", true),
            ("cold", "coldness", false),
            ("target.key.name", "target.key", false),
        ] {
            assert_eq!(holds(path, field), expected, "{path} {field}");
        }
    }
}
