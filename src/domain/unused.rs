//! What a plan says and nothing of a run looks at, told at its start.

use super::{GradioMode, Load, Plan, Protocol, Stage};

/// A sentence for the fields that have no effect on this run; `protocol` is what the target was found to speak. What a wire
/// has no place for is its own to tell.
pub fn without_effect(plan: &Plan, protocol: Protocol) -> Vec<String> {
    let mut notes = Vec::new();
    let is_replay = |s: &Stage| matches!(s.load, Load::Replay { .. });
    if !plan.stages.is_empty() && plan.stages.iter().all(is_replay) {
        notes.extend(beside_a_trace(plan));
    }
    if !matches!(protocol, Protocol::Gradio | Protocol::Auto) {
        notes.extend(of_gradio(plan).map(|fields| {
            format!(
                "{fields} of Gradio apps alone, and the target speaks {}: nothing of it is sent",
                protocol.id()
            )
        }));
    }
    notes
}

/// A trace says what is asked and how long it is.
fn beside_a_trace(plan: &Plan) -> Vec<String> {
    let workload = &plan.workload;
    let idle = [
        ("workload.users", !workload.users.is_empty()),
        ("workload.prompts_file", workload.prompts_file.is_some()),
        ("workload.dataset", workload.dataset.is_some()),
        ("workload.input_tokens", workload.input_tokens.is_some()),
        ("workload.output_tokens", workload.output_tokens.is_some()),
        ("workload.turns", workload.turns > 1),
    ];
    let mut notes = Vec::new();
    notes.extend(named(&idle).map(|fields| {
        format!("{fields} without effect: a replay asks what its trace says, one request after the other")
    }));
    if workload.max_tokens.is_some() {
        notes.push(
            "`workload.max_tokens` is sent only with requests whose output tokens the trace does not say"
                .to_owned(),
        );
    }
    notes
}

fn of_gradio(plan: &Plan) -> Option<String> {
    let (target, workload) = (&plan.target, &plan.workload);
    named(&[
        ("target.api_name", target.api_name.is_some()),
        (
            "target.gradio_mode",
            target.gradio_mode != GradioMode::default(),
        ),
        ("workload.inputs", !workload.inputs.is_empty()),
        ("workload.system_input", workload.system_input.is_some()),
        ("workload.user_input", workload.user_input.is_some()),
    ])
}

/// ``` `a` is ```, ``` `a` and `b` are ```; `None` where no field is set.
fn named(fields: &[(&str, bool)]) -> Option<String> {
    let set = fields.iter().filter(|(_, is_set)| *is_set);
    let names: Vec<String> = set.map(|(name, _)| format!("`{name}`")).collect();
    match names.split_last()? {
        (one, []) => Some(format!("{one} is")),
        (last, rest) => Some(format!("{} and {last} are", rest.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{StageEnd, WhenFull};
    use super::*;

    #[test]
    fn a_replay_looks_at_its_trace_alone() {
        let mut plan = Plan::simple("http://h");
        plan.workload.max_tokens = Some(8);
        plan.workload.turns = 2;
        plan.workload.users = vec!["a".to_owned()];
        assert_eq!(without_effect(&plan, Protocol::OpenAiChat), [""; 0]);
        plan.stages[0] = Stage {
            load: Load::Replay {
                replay: "t.csv".into(),
                time_scale: 1.0,
                max_in_flight: None,
                when_full: WhenFull::Queue,
            },
            end: StageEnd::WholeTrace(true),
        };
        let notes = without_effect(&plan, Protocol::OpenAiChat);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(
            notes[0].starts_with("`workload.users` and `workload.turns` are without effect"),
            "{notes:?}"
        );
        assert!(notes[1].starts_with("`workload.max_tokens`"), "{notes:?}");
    }

    #[test]
    fn gradio_s_own_fields_are_told_where_another_wire_is_spoken() {
        let mut plan = Plan::simple("http://h");
        plan.target.api_name = Some("/chat".to_owned());
        plan.target.gradio_mode = GradioMode::Call;
        assert_eq!(without_effect(&plan, Protocol::Gradio), [""; 0]);
        assert_eq!(
            without_effect(&plan, Protocol::Tgi),
            [
                "`target.api_name` and `target.gradio_mode` are of Gradio apps alone, and the target speaks tgi: nothing of it is sent"
            ]
        );
    }
}
