//! What is wrong with a workload: its prompts, lengths and inputs.

use super::super::{Issue, LengthSpec, MAX_TURNS, Plan, Protocol, Slot, Workload};
use super::{Found, MAX_PROMPT_BYTES, MAX_TOKENS, Zero, input_file};

impl Workload {
    /// The issues of what is sent alone, for a test request.
    pub fn check(&self) -> Vec<Issue> {
        let mut found = Found(Vec::new());
        self.check_into(&mut found);
        found.0
    }

    pub(super) fn check_into(&self, found: &mut Found) {
        if self.system.len() > MAX_PROMPT_BYTES {
            found.add("workload.system", too_long(self.system.len()));
        }
        for (i, prompt) in self.users.iter().enumerate() {
            if prompt.trim().is_empty() {
                let message = "is empty: write a prompt, or leave the line out";
                found.add(format!("workload.users.{i}"), message);
            } else if prompt.len() > MAX_PROMPT_BYTES {
                found.add(format!("workload.users.{i}"), too_long(prompt.len()));
            }
        }
        if self
            .prompts_file
            .as_ref()
            .is_some_and(|p| p.as_os_str().is_empty())
        {
            found.add(
                "workload.prompts_file",
                "is empty: name a text file with one prompt a line, or leave the field out",
            );
        }
        self.check_sources(found);
        if let Some(n) = self.max_tokens {
            found.count("workload.max_tokens", n, 1, MAX_TOKENS);
        }
        if let Some(message) = extra_body_issue(&self.extra_body) {
            found.add("workload.extra_body", message);
        }
        for (name, value) in &self.inputs {
            if name.trim().is_empty() {
                found.add("workload.inputs", "an input has no name");
            }
            if input_file(value).is_some_and(|path| path.trim().is_empty()) {
                let message = "names no file: write { file = \"picture.png\" }";
                found.add(format!("workload.inputs.{name}"), message);
            }
        }
    }
}

impl Plan {
    /// What was said before has a place in a template's request.
    pub(super) fn check_turns_are_sent(&self, found: &mut Found) {
        let turns = self.workload.turns;
        let has_place = match &self.target.template {
            Some(template) if self.target.protocol == Protocol::Http => {
                template.has_slot(Slot::Messages)
            }
            _ => true,
        };
        if turns > 1 && !has_place {
            let message = format!(
                "“{turns}” would send each turn without what was said before: write the slot {{{{messages}}}} into target.template.body, or leave it at 1"
            );
            found.add("workload.turns", message);
        }
    }
}

impl Workload {
    /// Prompts come from one place, and lengths fit together.
    fn check_sources(&self, found: &mut Found) {
        let sources = [
            ("workload.users", !self.users.is_empty()),
            ("workload.prompts_file", self.prompts_file.is_some()),
            ("workload.dataset", self.dataset.is_some()),
        ];
        let named: Vec<&str> = sources.iter().filter(|s| s.1).map(|s| s.0).collect();
        if let [first, second, ..] = named.as_slice()
            && *second == "workload.dataset"
        {
            let message = format!("goes without {first}: prompts come from one of them");
            found.add("workload.dataset", message);
        }
        found.count("workload.turns", self.turns, 1, MAX_TURNS);
        found.secs("workload.think_secs", self.think_secs, Zero::Allowed);
        if self.max_tokens.is_some() && self.output_tokens.is_some() {
            let message = "goes without workload.max_tokens: it draws that number for each request";
            found.add("workload.output_tokens", message);
        }
        if let Some(LengthSpec::Normal { mean, sd, .. }) = self.input_tokens
            && sd > mean.saturating_mul(100)
        {
            let message = format!("a deviation of “{sd}” around {mean} is too wide");
            found.add("workload.input_tokens", message);
        }
    }
}

fn extra_body_issue(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return None;
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(_)) => None,
        Ok(other) => Some(format!(
            "is JSON but {}: write an object, as in {{\"temperature\": 0}}",
            json_kind(&other)
        )),
        Err(e) => Some(format!(
            "is not JSON: {e}; write an object, as in {{\"temperature\": 0}}"
        )),
    }
}

fn json_kind(value: &serde_json::Value) -> &'static str {
    use serde_json::Value;
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn too_long(bytes: usize) -> String {
    format!("is {bytes} bytes long; at most {MAX_PROMPT_BYTES}")
}
