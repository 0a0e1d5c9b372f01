//! The left panel: the plan as fields. [`Form`] is what is typed; the other files draw it.

mod forecast;
mod from_plan;
mod goals;
mod goals_ui;
mod issues;
mod length;
mod load;
mod load_ui;
mod model;
mod panel;
mod parts;
mod profiles;
mod prompts;
mod prompts_ui;
mod rest_ui;
mod staircase;
mod summary;
mod target_ui;
mod template;
mod template_ui;
mod to_plan;
mod traffic;
mod traffic_ui;
mod vary;
mod vary_fields;
mod vary_ui;

pub use forecast::Forecast;
pub(crate) use from_plan::grouped;
pub use goals::GoalRow;
pub use length::{LengthForm, LengthShape};
pub use load::{ArrivalKind, EndKind, LengthKind, LoadForm, LoadKind, RampForm};
pub use model::{AdvancedForm, ColdForm, Form, InputEntry, KeySource, LimitsForm, TargetForm};
pub use panel::form_ui;
pub use prompts::{OutputKind, PromptSource, PromptsForm, SharingKind, TokenizerKind};
pub(crate) use summary::most_load;
pub use template::TemplateForm;
pub(crate) use to_plan::extra_body_issue;
pub use traffic::TrafficForm;
pub use vary::VaryRow;

use super::state::AppState;
use crate::domain::{GradioEndpoint, InputField, InputKind};

/// The foldable parts of the form.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Section {
    Target,
    Prompts,
    Load,
    /// Limits and goals.
    Limits,
    Cold,
    Vary,
    Traffic,
    Advanced,
}

impl Section {
    pub const ALL: [Self; 8] = [
        Self::Target,
        Self::Prompts,
        Self::Load,
        Self::Limits,
        Self::Cold,
        Self::Vary,
        Self::Traffic,
        Self::Advanced,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Target => "Target",
            Self::Prompts => "Prompts",
            Self::Load => "Load",
            Self::Limits => "Limits and goals",
            Self::Cold => "Cold and warm-up",
            Self::Vary => "Vary",
            Self::Traffic => "Mixed traffic",
            Self::Advanced => "Advanced",
        }
    }

    /// The section that shows that plan field; `None` for a field of no section.
    pub fn of(field: &str) -> Option<Self> {
        let (first, rest) = field.split_once(['.', '[']).unwrap_or((field, ""));
        Some(match first {
            "target" => match rest.split('.').next().unwrap_or_default() {
                "headers" | "http" | "connections" | "ca_file" | "insecure" | "proxy"
                | "timeouts" => Self::Advanced,
                _ => Self::Target,
            },
            "workload" => match rest.split('.').next().unwrap_or_default() {
                "inputs" | "system_input" | "user_input" => Self::Target,
                _ => Self::Prompts,
            },
            "stages" | "mode" => Self::Load,
            load if issues::LOAD_FIELDS.contains(&load) => Self::Load,
            "cold" | "warmup" => Self::Cold,
            "limits" | "goals" => Self::Limits,
            "vary" | "vary_mode" => Self::Vary,
            "mixed_traffic" => Self::Traffic,
            "seed" | "pause_secs" | "grace_secs" | "keep_text" | "label" | "tags" => Self::Advanced,
            _ => return None,
        })
    }
}

impl Form {
    /// Sets one Gradio input from its text.
    pub fn set_input(&mut self, name: &str, kind: &InputKind, text: String) {
        self.target
            .inputs
            .insert(name.to_owned(), InputEntry::typed(kind, text));
    }
}

impl AppState {
    /// The Gradio endpoint that the form names, as the app described it.
    pub fn endpoint(&self) -> Option<&GradioEndpoint> {
        let info = self.target_info()?;
        let name = self.form.target.api_name.trim();
        let named = info.endpoints.iter().find(|e| e.api_name == name);
        named.or_else(|| info.endpoints.first().filter(|_| name.is_empty()))
    }

    pub(crate) fn first_open_file_input(&self) -> Option<InputField> {
        let inputs = &self.endpoint()?.inputs;
        let is_open = |i: &&InputField| {
            matches!(i.kind, InputKind::File { .. })
                && !self.form.target.inputs.contains_key(&i.name)
        };
        inputs.iter().find(is_open).cloned()
    }
}
