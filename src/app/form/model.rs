//! Every plan field as the text a person types. Pure: no widget, no clock, no secret.

use std::collections::BTreeMap;

use super::goals::GoalRow;
use super::load::LoadForm;
use super::prompts::PromptsForm;
use super::template::TemplateForm;
use super::traffic::TrafficForm;
use super::vary::VaryRow;
use crate::domain::{
    ColdHow, Connections, GradioMode, HttpVersion, InputKind, Plan, Protocol, Stage, TargetInfo,
    VaryMode,
};

/// The form: one value for each plan field, valid or not. Two equal forms make the same plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    pub label: String,
    pub tags: String,
    /// The preset that it began as; only a word.
    pub profile: String,
    pub target: TargetForm,
    pub prompts: PromptsForm,
    pub load: LoadForm,
    pub cold: ColdForm,
    pub goals: Vec<GoalRow>,
    pub limits: LimitsForm,
    pub vary: Vec<VaryRow>,
    pub vary_mode: VaryMode,
    pub traffic: TrafficForm,
    pub advanced: AdvancedForm,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TargetForm {
    pub url: String,
    pub protocol: Protocol,
    pub model: String,
    pub api_name: String,
    pub gradio_mode: GradioMode,
    pub stream: bool,
    pub key: KeySource,
    pub key_env: String,
    /// Gradio inputs that are set, by parameter name.
    pub inputs: BTreeMap<String, InputEntry>,
    pub system_input: String,
    pub user_input: String,
    /// Of [`Protocol::Http`].
    pub template: TemplateForm,
}

/// Where the key comes from; the key itself is never part of the form.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeySource {
    #[default]
    None,
    Env,
    Keyring,
    Session,
}

impl KeySource {
    pub const ALL: [Self; 4] = [Self::None, Self::Env, Self::Keyring, Self::Session];

    pub fn label(self) -> &'static str {
        match self {
            Self::None => "No key",
            Self::Env => "From the environment",
            Self::Keyring => "From the keyring",
            Self::Session => "This session only",
        }
    }
}

/// What was typed for one Gradio input, and the value that is sent for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InputEntry {
    pub text: String,
    /// `None` when the text is not such a value.
    pub value: Option<serde_json::Value>,
}

impl InputEntry {
    /// The entry of a value from a plan.
    pub fn of(value: &serde_json::Value) -> Self {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Object(map) if map.len() == 1 => map
                .get("file")
                .and_then(|path| path.as_str())
                .map_or_else(|| value.to_string(), str::to_owned),
            other => other.to_string(),
        };
        Self {
            text,
            value: Some(value.clone()),
        }
    }

    /// The entry of a text typed into an input of that kind.
    pub fn typed(kind: &InputKind, text: String) -> Self {
        let trimmed = text.trim();
        let value = match kind {
            InputKind::Text => Some(serde_json::Value::String(text.clone())),
            InputKind::File { .. } => (!trimmed.is_empty()).then(|| Self::file_value(trimmed)),
            InputKind::Number | InputKind::Slider { .. } => {
                serde_json::from_str::<serde_json::Number>(trimmed)
                    .ok()
                    .map(serde_json::Value::Number)
            }
            InputKind::Checkbox | InputKind::Dropdown { .. } | InputKind::Json => {
                serde_json::from_str(trimmed).ok()
            }
        };
        Self { text, value }
    }

    fn file_value(path: &str) -> serde_json::Value {
        serde_json::json!({ "file": path })
    }
}

/// The line between two prompts of blocks.
pub(super) const BLOCK_BORDER: &str = "---";

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ColdForm {
    pub requests: String,
    pub how: ColdHow,
    pub silence: String,
    pub cycles: String,
    pub warmup: String,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LimitsForm {
    pub max_errors: String,
    pub max_error_percent: String,
    pub max_secs: String,
    pub stop_when_saturated: bool,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AdvancedForm {
    pub seed: String,
    pub pause: String,
    pub grace: String,
    pub connect: String,
    pub first_byte: String,
    pub idle: String,
    pub token_stall: String,
    pub total: String,
    /// `Name: value`, one per line.
    pub headers: String,
    pub http: HttpVersion,
    pub connections: Connections,
    pub ca_file: String,
    pub insecure: bool,
    pub proxy: String,
    pub keep_text: bool,
}

impl Form {
    /// The simplest form against `url`, with the cold request that a form starts with.
    pub fn simple(url: &str) -> Self {
        let mut plan = Plan::simple(url);
        plan.cold.requests = 1;
        Self::from_plan(&plan)
    }

    /// What stands in the head: the label, or words for its absence.
    pub fn title(&self) -> &str {
        match self.label.trim() {
            "" => "Untitled plan",
            label => label,
        }
    }

    /// The stages as far as they can be read, for the staircase.
    pub fn stages(&self) -> Vec<Stage> {
        self.load.stages().unwrap_or_default()
    }

    /// Takes over what detection found behind the text that was typed.
    pub fn take_detected(&mut self, info: &TargetInfo) {
        let target = &mut self.target;
        target.url.clone_from(&info.url);
        if info.protocol != Protocol::Auto {
            target.protocol = info.protocol;
        }
        if let Some(model) = &info.facts.model
            && (target.model.is_empty()
                || !info.models.is_empty() && !info.models.contains(&target.model))
        {
            target.model.clone_from(model);
        }
        if let Some(api_name) = &info.facts.api_name {
            target.api_name.clone_from(api_name);
        }
        if !info.endpoints.is_empty()
            && !info.endpoints.iter().any(|e| e.api_name == target.api_name)
            && let Some(first) = info.endpoints.first()
        {
            target.api_name.clone_from(&first.api_name);
        }
        if let Some(endpoint) = info
            .endpoints
            .iter()
            .find(|e| e.api_name == target.api_name)
        {
            target
                .inputs
                .retain(|name, _| endpoint.inputs.iter().any(|i| i.name == *name));
        }
        if let Some(pasted) = &info.pasted {
            self.take_pasted(pasted, info);
        }
    }

    fn take_pasted(&mut self, pasted: &crate::domain::Pasted, info: &TargetInfo) {
        for (name, value) in &pasted.headers {
            let line = format!("{name}: {value}");
            let headers = &mut self.advanced.headers;
            if !headers.lines().any(|l| l == line) {
                if !headers.is_empty() && !headers.ends_with('\n') {
                    headers.push('\n');
                }
                headers.push_str(&line);
            }
        }
        if let Some(name) = &pasted.key_env {
            self.target.key = KeySource::Env;
            name.trim_start_matches('$')
                .clone_into(&mut self.target.key_env);
        } else if pasted.key.is_some() {
            self.target.key = KeySource::Session;
        }
        if let Some(model) = &pasted.model {
            self.target.model.clone_from(model);
        }
        if let Some(system) = &pasted.system {
            self.prompts.system.clone_from(system);
        }
        if let Some(user) = &pasted.user {
            self.prompts.set_users(std::slice::from_ref(user));
        }
        if let Some(n) = pasted.max_tokens {
            self.prompts.max_tokens = n.to_string();
        }
        if let Some(stream) = pasted.stream {
            self.target.stream = stream;
        }
        if let Some(body) = &pasted.extra_body {
            self.prompts.extra_body.clone_from(body);
        }
        if pasted.insecure {
            self.advanced.insecure = true;
        }
        let endpoint = info
            .endpoints
            .iter()
            .find(|e| e.api_name == self.target.api_name);
        if let (Some(data), Some(endpoint)) = (&pasted.gradio_data, endpoint) {
            for (field, value) in endpoint.inputs.iter().zip(data) {
                self.target
                    .inputs
                    .insert(field.name.clone(), InputEntry::of(value));
            }
        }
    }
}
