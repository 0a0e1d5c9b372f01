//! A plan as text: the form that a plan file, a preset or a past run fills.

use super::load::LoadForm;
use super::model::{AdvancedForm, ColdForm, Form, InputEntry, KeySource, LimitsForm, TargetForm};
use super::prompts::PromptsForm;
use super::template::TemplateForm;
use super::traffic::TrafficForm;
use super::{goals, vary};
use crate::domain::{Cold, KeyRef, Limits, Plan, Target, Warmup, Workload};

impl Form {
    /// The form that says this plan; `to_plan` gives the plan back.
    pub fn from_plan(plan: &Plan) -> Self {
        Self {
            label: plan.label.clone(),
            tags: plan.tags.join(", "),
            profile: plan.profile.clone(),
            target: TargetForm::from_parts(&plan.target, &plan.workload),
            prompts: PromptsForm::from_workload(&plan.workload),
            load: LoadForm::from_stages(&plan.stages),
            cold: ColdForm::from_parts(&plan.cold, plan.warmup),
            goals: goals::rows_of(&plan.goals),
            vary: vary::rows_of(&plan.vary),
            vary_mode: plan.vary_mode,
            traffic: TrafficForm::of(plan.mixed_traffic),
            limits: LimitsForm::from_limits(&plan.limits),
            advanced: AdvancedForm::from_plan(plan),
        }
    }
}

impl TargetForm {
    fn from_parts(target: &Target, workload: &Workload) -> Self {
        let (key, key_env) = match &target.key {
            KeyRef::None => (KeySource::None, String::new()),
            KeyRef::Env { name } => (KeySource::Env, name.clone()),
            KeyRef::Keyring => (KeySource::Keyring, String::new()),
            KeyRef::Session => (KeySource::Session, String::new()),
        };
        let inputs = workload.inputs.iter();
        Self {
            url: target.url.clone(),
            protocol: target.protocol,
            model: target.model.clone().unwrap_or_default(),
            api_name: target.api_name.clone().unwrap_or_default(),
            gradio_mode: target.gradio_mode,
            stream: target.stream,
            key,
            key_env,
            inputs: inputs
                .map(|(name, value)| (name.clone(), InputEntry::of(value)))
                .collect(),
            system_input: workload.system_input.clone().unwrap_or_default(),
            user_input: workload.user_input.clone().unwrap_or_default(),
            template: TemplateForm::of(target.template.as_ref()),
        }
    }
}

/// `1 480` with a thin space that does not break.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + 8);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

impl ColdForm {
    fn from_parts(cold: &Cold, warmup: Warmup) -> Self {
        Self {
            requests: cold.requests.to_string(),
            how: cold.how,
            silence: cold.silence_secs.to_string(),
            cycles: cold.cycles.to_string(),
            warmup: match warmup {
                Warmup::None => String::new(),
                Warmup::Requests(n) => n.to_string(),
                Warmup::Secs(secs) => format!("{secs}s"),
            },
        }
    }
}

impl LimitsForm {
    fn from_limits(limits: &Limits) -> Self {
        let text = |n: Option<f64>| n.map(|n| n.to_string()).unwrap_or_default();
        Self {
            max_errors: limits.max_errors.map(|n| n.to_string()).unwrap_or_default(),
            max_error_percent: text(limits.max_error_percent),
            max_secs: text(limits.max_secs),
            stop_when_saturated: limits.stop_when_saturated,
        }
    }
}

impl AdvancedForm {
    fn from_plan(plan: &Plan) -> Self {
        let target = &plan.target;
        let timeouts = &target.timeouts;
        let headers = target.headers.iter();
        Self {
            seed: plan.seed.to_string(),
            pause: plan.pause_secs.to_string(),
            grace: plan.grace_secs.to_string(),
            connect: timeouts.connect_secs.to_string(),
            first_byte: timeouts.first_byte_secs.to_string(),
            idle: timeouts.idle_secs.to_string(),
            token_stall: timeouts.token_stall_secs.to_string(),
            total: timeouts.total_secs.to_string(),
            headers: headers
                .map(|(name, value)| format!("{name}: {value}"))
                .collect::<Vec<_>>()
                .join("\n"),
            http: target.http,
            connections: target.connections,
            ca_file: path_text(target.ca_file.as_deref()),
            insecure: target.insecure,
            proxy: target.proxy.clone().unwrap_or_default(),
            keep_text: plan.keep_text,
        }
    }
}

fn path_text(path: Option<&std::path::Path>) -> String {
    path.map(|p| p.display().to_string()).unwrap_or_default()
}
