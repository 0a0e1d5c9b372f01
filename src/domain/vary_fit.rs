//! Whether a field says anything of a plan: what no request of it looks at makes runs that are all the same.

use super::{Load, Plan, Protocol};

/// Why it tells nothing to vary that field of the plan, as a sentence; `None` where it may.
pub fn without_use(plan: &Plan, field: &str) -> Option<String> {
    let protocol = plan.target.protocol;
    let is =
        |path: &str| field == path || field.strip_prefix(path).is_some_and(|r| r.starts_with('.'));
    let of_gradio = [
        "target.api_name",
        "target.gradio_mode",
        "workload.inputs",
        "workload.system_input",
        "workload.user_input",
        "mixed_traffic",
    ];
    let not_of_gradio = [
        "target.model",
        "target.stream",
        "workload.max_tokens",
        "workload.output_tokens",
        "workload.ignore_eos",
        "workload.extra_body",
    ];
    if is("target.template") && protocol != Protocol::Http {
        return Some(format!(
            "“{field}” is of any HTTP endpoint, and the target speaks {}: choose the protocol http, or vary another field",
            protocol.id()
        ));
    }
    let knows = !matches!(protocol, Protocol::Auto | Protocol::Gradio);
    if knows && of_gradio.iter().any(|path| is(path)) {
        return Some(format!(
            "“{field}” is of Gradio apps, and the target speaks {}: choose the protocol gradio, or vary another field",
            protocol.id()
        ));
    }
    if protocol == Protocol::Gradio && not_of_gradio.iter().any(|path| is(path)) {
        return Some(format!(
            "“{field}” is not sent to a Gradio app: vary one of its inputs, as in workload.inputs.NAME"
        ));
    }
    let is_replay = !plan.stages.is_empty()
        && plan
            .stages
            .iter()
            .all(|s| matches!(s.load, Load::Replay { .. }));
    let beside_a_trace = [
        "workload.users",
        "workload.prompts_file",
        "workload.dataset",
        "workload.input_tokens",
        "workload.output_tokens",
        "workload.turns",
        "workload.think_secs",
    ];
    if is_replay && beside_a_trace.iter().any(|path| is(path)) {
        return Some(format!(
            "“{field}” has no effect on a replay, which asks what its trace says: vary the trace or its time scale"
        ));
    }
    let needs_turns = is("workload.think_secs") && plan.workload.turns <= 1;
    let varies_turns = plan.vary.iter().any(|v| v.field == "workload.turns");
    (needs_turns && !varies_turns).then(|| {
        format!(
            "“{field}” is a pause between turns, and there is one turn: set workload.turns, too"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_request_looks_at_is_told() {
        let mut plan = Plan::simple("http://h");
        plan.target.protocol = Protocol::OpenAiChat;
        for field in [
            "target.template.body",
            "workload.inputs.name",
            "target.api_name",
            "workload.think_secs",
        ] {
            let why = without_use(&plan, field);
            assert!(why.is_some_and(|why| why.contains(field)), "{field}");
        }
        for field in ["target.model", "workload.extra_body.temperature", "seed"] {
            assert_eq!(without_use(&plan, field), None);
        }
        plan.workload.turns = 4;
        assert_eq!(without_use(&plan, "workload.think_secs"), None);
        plan.target.protocol = Protocol::Gradio;
        assert!(without_use(&plan, "workload.max_tokens").is_some());
        assert_eq!(without_use(&plan, "workload.inputs.name"), None);
        plan.target.protocol = Protocol::Auto;
        assert_eq!(without_use(&plan, "workload.inputs.name"), None);
        assert!(without_use(&plan, "target.template.body").is_some());
    }
}
