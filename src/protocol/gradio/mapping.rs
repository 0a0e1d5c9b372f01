//! Which inputs of an endpoint take the system and the user prompt, guessed from their names and labels.

use super::info::Rule;
use crate::domain::InputField;

/// Names in the order of trust.
const USER: [&str; 14] = [
    "message",
    "prompt",
    "user_prompt",
    "user_message",
    "user",
    "user_input",
    "question",
    "query",
    "text",
    "input_text",
    "text_input",
    "input",
    "inputs",
    "content",
];
const SYSTEM: [&str; 8] = [
    "system_prompt",
    "system_message",
    "system",
    "system_instruction",
    "sys_prompt",
    "instructions",
    "instruction",
    "persona",
];

/// The suggested inputs for the system and the user prompt.
pub(super) fn suggest(fields: &[InputField], rules: &[Rule]) -> (Option<String>, Option<String>) {
    let texts: Vec<&InputField> = fields
        .iter()
        .zip(rules)
        .filter(|(_, rule)| rule.takes_prompt)
        .map(|(field, _)| field)
        .collect();
    // A multimodal box takes files too: it is never where a system prompt goes.
    let plain: Vec<&InputField> = fields
        .iter()
        .zip(rules)
        .filter(|(_, rule)| rule.takes_prompt && !rule.multimodal)
        .map(|(field, _)| field)
        .collect();
    let system = named(&plain, &SYSTEM).or_else(|| holding(&plain, "system"));
    let is_other = |f: &&&InputField| system.is_none_or(|s| s.name != f.name);
    let others: Vec<&InputField> = texts.iter().filter(is_other).copied().collect();
    let user = named(&others, &USER)
        .or_else(|| USER.iter().find_map(|word| holding(&others, word)))
        .or_else(|| others.iter().find(|f| !is_negative(f)).copied());
    let name = |f: Option<&InputField>| f.map(|f| f.name.clone());
    match (system, user) {
        // The only text of the app is what a person asks, however it is called.
        (Some(only), None) => (None, name(Some(only))),
        _ => (name(system), name(user)),
    }
}

fn named<'a>(fields: &[&'a InputField], words: &[&str]) -> Option<&'a InputField> {
    let find = |text: fn(&InputField) -> &str| {
        words
            .iter()
            .find_map(|word| fields.iter().find(|f| normal(text(f)) == *word).copied())
    };
    find(|f| &f.name).or_else(|| find(|f| &f.label))
}

/// The word is one of the name's or label's words.
fn holding<'a>(fields: &[&'a InputField], word: &str) -> Option<&'a InputField> {
    let holds = |text: &str| normal(text).split('_').any(|part| part == word);
    fields
        .iter()
        .find(|f| !is_negative(f) && (holds(&f.name) || holds(&f.label)))
        .copied()
}

/// `negative_prompt` of image generators.
fn is_negative(field: &InputField) -> bool {
    normal(&field.name).contains("negative") || normal(&field.label).contains("negative")
}

fn normal(text: &str) -> String {
    let word = |c: char| {
        if c.is_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    text.trim().chars().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InputKind;

    #[track_caller]
    fn check(inputs: &[(&str, &str)], system: Option<&str>, user: Option<&str>) {
        let field = |(name, label): &(&str, &str)| InputField {
            name: (*name).to_owned(),
            label: (*label).to_owned(),
            kind: InputKind::Text,
            default: None,
            has_default: false,
        };
        let fields: Vec<InputField> = inputs.iter().map(field).collect();
        let rule = Rule {
            takes_prompt: true,
            ..Rule::default()
        };
        let rules = vec![rule; fields.len()];
        let found = suggest(&fields, &rules);
        assert_eq!((found.0.as_deref(), found.1.as_deref()), (system, user));
    }

    #[test]
    fn prompts_go_where_their_names_say() {
        check(
            &[("message", ""), ("system_prompt", "System prompt")],
            Some("system_prompt"),
            Some("message"),
        );
        check(
            &[("system", "Text"), ("user", "Text2")],
            Some("system"),
            Some("user"),
        );
        check(
            &[("negative_prompt", "Negative prompt"), ("prompt", "Prompt")],
            None,
            Some("prompt"),
        );
        check(
            &[("negative", "Negative prompt"), ("param_1", "Your prompt")],
            None,
            Some("param_1"),
        );
        check(
            &[("param_0", "System message"), ("param_1", "Question")],
            Some("param_0"),
            Some("param_1"),
        );
        check(&[("instruction", "Instruction")], None, Some("instruction"));
        check(
            &[("instruction", ""), ("input", "")],
            Some("instruction"),
            Some("input"),
        );
        check(&[("a", "Code"), ("b", "Name")], None, Some("a"));
        check(&[], None, None);
    }
}
