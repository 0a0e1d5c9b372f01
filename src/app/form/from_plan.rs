//! A plan as text: the form that a plan file, a preset or a past run fills.

use super::model::{
    AdvancedForm, BLOCK_BORDER, ColdForm, Form, InputEntry, KeySource, LengthKind, LimitsForm,
    LoadForm, LoadKind, PromptSource, PromptsForm, TargetForm,
};
use crate::domain::{
    ClosedMode, Cold, KeyRef, Limits, Load, Plan, Stage, StageEnd, Target, Warmup, Workload,
};

impl Form {
    /// The form that says this plan; `to_plan` gives the plan back.
    pub fn from_plan(plan: &Plan) -> Self {
        Self {
            label: plan.label.clone(),
            tags: plan.tags.join(", "),
            target: TargetForm::from_parts(&plan.target, &plan.workload),
            prompts: PromptsForm::from_workload(&plan.workload),
            load: LoadForm::from_stages(&plan.stages),
            cold: ColdForm::from_parts(&plan.cold, plan.warmup),
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
            template: target.template.clone(),
        }
    }
}

impl PromptsForm {
    fn from_workload(workload: &Workload) -> Self {
        let mut prompts = Self {
            system: workload.system.clone(),
            order: workload.order,
            nonce: workload.nonce,
            max_tokens: workload
                .max_tokens
                .map(|n| n.to_string())
                .unwrap_or_default(),
            extra_body: workload.extra_body.clone(),
            ..Self::default()
        };
        prompts.set_users(&workload.users);
        if let Some(file) = &workload.prompts_file {
            prompts.source = PromptSource::File;
            prompts.file = file.display().to_string();
        }
        prompts
    }

    /// The text that says these prompts: one per line, or blocks when one of them has several lines.
    pub fn set_users(&mut self, users: &[String]) {
        let several_lines = users
            .iter()
            .any(|u| u.contains(['\n', '\r']) || u.trim().is_empty());
        (self.source, self.users) = if users.is_empty() {
            (PromptSource::BuiltIn, String::new())
        } else if several_lines {
            let border = format!("\n{BLOCK_BORDER}\n");
            (PromptSource::Blocks, users.join(&border))
        } else {
            (PromptSource::Lines, users.join("\n"))
        };
    }
}

impl LoadForm {
    pub(crate) fn from_stages(stages: &[Stage]) -> Self {
        let mut form = Self {
            kind: LoadKind::Iterations,
            iterations: "10".to_owned(),
            users: "1, 10, 100".to_owned(),
            length: LengthKind::Requests,
            requests: "40".to_owned(),
            per_user: "10".to_owned(),
            duration: "10s".to_owned(),
            mode: ClosedMode::Steady,
            kept: Vec::new(),
        };
        if let [stage] = stages
            && let Load::Closed {
                users,
                mode,
                ramp: None,
            } = stage.load
            && let StageEnd::Requests(n) = stage.end
            && users.get() == 1
            && mode == ClosedMode::Steady
        {
            form.iterations = grouped(n.get());
            return form;
        }
        if form.read_tiers(stages).is_none() {
            form.kind = LoadKind::Kept;
            form.kept = stages.to_vec();
        }
        form
    }

    /// Reads stages as one list of users with one kind of length; `None` when they are not such a list.
    fn read_tiers(&mut self, stages: &[Stage]) -> Option<()> {
        let first = stages.first()?;
        let plain = |s: &Stage| match s.load {
            Load::Closed {
                users,
                mode,
                ramp: None,
            } => Some((users, mode)),
            _ => None,
        };
        let (_, mode) = plain(first)?;
        let loads: Vec<_> = stages.iter().map(plain).collect::<Option<_>>()?;
        if loads.iter().any(|(_, other)| *other != mode) {
            return None;
        }
        match first.end {
            StageEnd::Requests(_) => {
                let of = |s: &Stage| match s.end {
                    StageEnd::Requests(n) => Some(n.get()),
                    _ => None,
                };
                self.requests = list(&stages.iter().map(of).collect::<Option<Vec<_>>>()?);
                self.length = LengthKind::Requests;
            }
            StageEnd::RequestsPerUser(_) => {
                let of = |s: &Stage| match s.end {
                    StageEnd::RequestsPerUser(n) => Some(u64::from(n.get())),
                    _ => None,
                };
                self.per_user = list(&stages.iter().map(of).collect::<Option<Vec<_>>>()?);
                self.length = LengthKind::PerUser;
            }
            StageEnd::DurationSecs(secs) => {
                if stages.iter().any(|s| s.end != first.end) {
                    return None;
                }
                self.duration = format!("{secs}s");
                self.length = LengthKind::Duration;
            }
            StageEnd::WholeTrace(_) => return None,
        }
        let users = loads.iter().map(|(n, _)| grouped(u64::from(n.get())));
        self.users = users.collect::<Vec<_>>().join(", ");
        self.mode = mode;
        self.kind = LoadKind::Users;
        Some(())
    }
}

/// One number for all when all are the same, else one for each.
fn list(values: &[u64]) -> String {
    match values {
        [first, rest @ ..] if rest.iter().all(|v| v == first) => grouped(*first),
        _ => {
            let words: Vec<String> = values.iter().map(|v| grouped(*v)).collect();
            words.join(", ")
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
