//! How any HTTP endpoint is asked, as text.

use crate::domain::{Framing, Template, TemplateMethod};

/// The template's fields; what may be missing in a plan is empty here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TemplateForm {
    /// The plan has a template, whatever its protocol.
    pub is_set: bool,
    pub method: TemplateMethod,
    pub path: String,
    pub content_type: String,
    pub body: String,
    pub key_header: String,
    pub framing: Framing,
    pub token: String,
    pub reasoning: String,
    pub done: String,
    pub error: String,
    pub tokens_in: String,
    pub tokens_out: String,
}

impl Default for TemplateForm {
    fn default() -> Self {
        Self::of(None)
    }
}

impl TemplateForm {
    /// Of no template: what one begins with.
    pub fn of(template: Option<&Template>) -> Self {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let standard = Template::default();
        let t = template.unwrap_or(&standard);
        Self {
            is_set: template.is_some(),
            method: t.method,
            path: t.path.clone(),
            content_type: t.content_type.clone(),
            body: t.body.clone(),
            key_header: text(&t.key_header),
            framing: t.framing,
            token: t.token.clone(),
            reasoning: text(&t.reasoning),
            done: text(&t.done),
            error: text(&t.error),
            tokens_in: text(&t.tokens_in),
            tokens_out: text(&t.tokens_out),
        }
    }

    pub fn to_template(&self) -> Template {
        let part = |text: &String| (!text.trim().is_empty()).then(|| text.clone());
        Template {
            method: self.method,
            path: self.path.clone(),
            content_type: self.content_type.clone(),
            body: self.body.clone(),
            key_header: part(&self.key_header),
            framing: self.framing,
            token: self.token.clone(),
            reasoning: part(&self.reasoning),
            done: part(&self.done),
            error: part(&self.error),
            tokens_in: part(&self.tokens_in),
            tokens_out: part(&self.tokens_out),
        }
    }
}

/// A template to start from.
pub(super) struct Example {
    pub(super) title: &'static str,
    /// What it is good for.
    pub(super) words: &'static str,
    make: fn() -> Template,
}

impl Example {
    pub(super) fn template(&self) -> Template {
        (self.make)()
    }
}

/// What the form offers to begin with: one for each way in which an answer comes.
pub(super) const EXAMPLES: [Example; 3] = [
    Example {
        title: "Chat, as events",
        words: "An OpenAI-compatible stream of server-sent events that ends with [DONE]",
        make: chat_events,
    },
    Example {
        title: "Text, as lines",
        words: "One JSON value a line; the last one says that it is done",
        make: json_lines,
    },
    Example {
        title: "One answer",
        words: "The prompt in the address, the whole answer at once as plain text",
        make: one_answer,
    },
];

fn chat_events() -> Template {
    Template {
        path: "/v1/chat/completions".to_owned(),
        body: "{\n  \"model\": {{model}},\n  \"messages\": {{messages}},\n  \"max_tokens\": {{max_tokens}},\n  \"stream\": true,\n  \"stream_options\": {\"include_usage\": true}\n}".to_owned(),
        framing: Framing::Sse,
        token: "/choices/0/delta/content".to_owned(),
        reasoning: Some("/choices/0/delta/reasoning_content".to_owned()),
        done: Some("[DONE]".to_owned()),
        error: Some("/error".to_owned()),
        tokens_in: Some("/usage/prompt_tokens".to_owned()),
        tokens_out: Some("/usage/completion_tokens".to_owned()),
        ..Template::default()
    }
}

fn json_lines() -> Template {
    Template {
        path: "/api/generate".to_owned(),
        body: "{\n  \"model\": \"{{model}}\",\n  \"prompt\": \"{{prompt}}\",\n  \"options\": {\"num_predict\": {{max_tokens}}}\n}".to_owned(),
        framing: Framing::Ndjson,
        token: "/response".to_owned(),
        done: Some("/done".to_owned()),
        error: Some("/error".to_owned()),
        tokens_in: Some("/prompt_eval_count".to_owned()),
        tokens_out: Some("/eval_count".to_owned()),
        ..Template::default()
    }
}

fn one_answer() -> Template {
    Template {
        method: TemplateMethod::Get,
        path: "/echo?text={{prompt}}".to_owned(),
        framing: Framing::OneShot,
        ..Template::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_can_be_used_and_comes_back_from_the_form() {
        for example in &EXAMPLES {
            let template = example.template();
            assert_eq!(template.check(), vec![], "{}", example.title);
            let form = TemplateForm::of(Some(&template));
            assert_eq!(form.to_template(), template, "{}", example.title);
        }
    }
}
