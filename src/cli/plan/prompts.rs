//! The flags of what is sent.

use super::read::{parsed, secs};
use crate::cli::args::PromptArgs;
use crate::domain::{Issue, Workload};

pub(super) fn override_workload(
    workload: &mut Workload,
    args: &PromptArgs,
    issues: &mut Vec<Issue>,
) {
    if let Some(system) = &args.system {
        workload.system.clone_from(system);
    }
    override_source(workload, args, issues);
    let sharing = parsed("--sharing", args.sharing.as_deref(), issues);
    workload.sharing = sharing.unwrap_or(workload.sharing);
    if let Some(tokenizer) = parsed("--tokenizer", args.tokenizer.as_deref(), issues) {
        workload.tokenizer = Some(tokenizer);
    }
    workload.turns = args.turns.unwrap_or(workload.turns);
    let think = secs("--think", args.think.as_deref(), issues);
    workload.think_secs = think.unwrap_or(workload.think_secs);
    // Each says how long answers may be: a flag takes the place of what the plan says by the other.
    if args.max_tokens.is_some() || args.output_tokens.is_some() {
        workload.max_tokens = args.max_tokens;
        workload.output_tokens = parsed("--output-tokens", args.output_tokens.as_deref(), issues);
    }
    workload.ignore_eos |= args.ignore_eos;
}

/// Where prompts come from: what a flag names takes the place of all that the plan names.
fn override_source(workload: &mut Workload, args: &PromptArgs, issues: &mut Vec<Issue>) {
    let (has_users, has_file) = (!args.users.is_empty(), args.prompts.is_some());
    let (has_dataset, has_lengths) = (args.dataset.is_some(), args.input_tokens.is_some());
    if has_users && has_file {
        let message = "goes without --user: prompts come from one of them";
        issues.push(Issue::new("--prompts", message));
    }
    if has_lengths && (has_users || has_file) {
        let message =
            "goes without --user and --prompts: it makes prompts itself, or cuts a dataset's";
        issues.push(Issue::new("--input-tokens", message));
    }
    if has_users || has_file || has_dataset {
        workload.users.clone_from(&args.users);
        workload.prompts_file.clone_from(&args.prompts);
        workload.dataset = parsed("--dataset", args.dataset.as_deref(), issues);
    }
    if has_users || has_file {
        workload.input_tokens = None;
    }
    if has_lengths {
        workload.users.clear();
        workload.prompts_file = None;
        workload.input_tokens = parsed("--input-tokens", args.input_tokens.as_deref(), issues);
    }
}
