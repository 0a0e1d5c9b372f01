//! The fields that may be varied, by words: those that people vary first, what suits the plan alone, the best match first.

use std::cmp::Reverse;

use crate::chart::format;
use crate::domain::{Load, Plan, without_use};
use crate::session::plan_fields;

/// A field as the list shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct FieldChoice {
    pub(super) path: String,
    pub(super) title: String,
    pub(super) doc: &'static str,
}

/// What is varied most, in the words of the form.
const FIRST: [(&str, &str); 12] = [
    ("target.model", "Model"),
    ("stages.0.load.users", "Users"),
    ("stages.0.load.rate", "Requests per second"),
    ("workload.input_tokens", "Input tokens"),
    ("workload.max_tokens", "Most tokens of an answer"),
    ("workload.output_tokens", "Output tokens, drawn"),
    ("workload.extra_body.temperature", "Temperature"),
    ("workload.turns", "Turns"),
    ("workload.sharing", "Shared beginnings"),
    ("workload.dataset", "Dataset"),
    ("target.url", "URL"),
    ("target.protocol", "Protocol"),
];

/// What hardly anybody looks for.
const LAST: [&str; 4] = ["seed", "pause_secs", "grace_secs", "goals"];

/// All fields that tell something of that plan.
pub(super) fn choices(plan: &Plan) -> Vec<FieldChoice> {
    let mut all: Vec<FieldChoice> = plan_fields()
        .into_iter()
        .filter(|field| {
            without_use(plan, &field.path).is_none() && has_stage_field(plan, &field.path)
        })
        .map(|field| FieldChoice {
            title: title_of(&field.path),
            path: field.path,
            doc: field.doc,
        })
        .collect();
    let place = |path: &str| {
        let first = FIRST.iter().position(|(known, _)| *known == path);
        let is_last = LAST.contains(&path);
        (is_last, first.unwrap_or(FIRST.len()))
    };
    all.sort_by_key(|choice| place(&choice.path));
    all
}

/// Each kind of load has fields of its own.
fn has_stage_field(plan: &Plan, path: &str) -> bool {
    let (Some(stage), Some(field)) = (plan.stages.first(), path.strip_prefix("stages.0.load."))
    else {
        return true;
    };
    let of_kind: &[&str] = match stage.load {
        Load::Closed { .. } => &["users", "mode", "ramp"],
        Load::Open { .. } => &["rate", "arrival", "ramp", "max_in_flight", "when_full"],
        Load::Replay { .. } => &["replay", "time_scale", "max_in_flight", "when_full"],
        Load::Sweep { .. } => &["over", "steps", "max_users", "arrival"],
        Load::Search { .. } => &["over", "from", "max", "arrival"],
    };
    of_kind.contains(&field)
}

fn title_of(path: &str) -> String {
    if let Some((_, title)) = FIRST.iter().find(|(known, _)| *known == path) {
        return (*title).to_owned();
    }
    let last = path.rsplit('.').next().unwrap_or(path);
    format::capital(&last.replace('_', " "))
}

/// Those that a query names, the best first: each of its words begins a word of the title, of the path or of the meaning.
pub(super) fn found<'a>(query: &str, choices: &'a [FieldChoice]) -> Vec<&'a FieldChoice> {
    let query = query.trim().to_lowercase();
    if let Some(exact) = choices.iter().find(|c| c.path == query) {
        return vec![exact];
    }
    let words = words_of(&query);
    let mut ranked: Vec<(Rank, &FieldChoice)> = choices
        .iter()
        .filter_map(|choice| Some((rank(&words, choice)?, choice)))
        .collect();
    // Stable: of equals the order of the list stands.
    ranked.sort_by_key(|(rank, _)| Reverse(*rank));
    ranked.into_iter().map(|(_, choice)| choice).collect()
}

/// How well a field is meant.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Rank {
    Meaning,
    Path,
    Name,
    WholeName,
}

fn rank(words: &[String], choice: &FieldChoice) -> Option<Rank> {
    let last = choice.path.rsplit('.').next().unwrap_or_default();
    let (title, name) = (words_of(&choice.title.to_lowercase()), words_of(last));
    let path = words_of(&choice.path);
    let begins = |of: &[String], word: &String| of.iter().any(|w| w.starts_with(word.as_str()));
    let all = |of: &[&[String]]| words.iter().all(|w| of.iter().any(|of| begins(of, w)));
    if words == title || words == name {
        Some(Rank::WholeName)
    } else if all(&[&title, &name]) {
        Some(Rank::Name)
    } else if all(&[&title, &path]) {
        Some(Rank::Path)
    } else if all(&[&title, &path, &words_of(&choice.doc.to_lowercase())]) {
        Some(Rank::Meaning)
    } else {
        None
    }
}

fn words_of(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Protocol;

    fn plan() -> Plan {
        let mut plan = Plan::simple("http://h");
        plan.target.protocol = Protocol::OpenAiChat;
        plan
    }

    #[test]
    fn what_people_vary_comes_first_and_what_does_not_apply_not_at_all() {
        let all = choices(&plan());
        let first: Vec<&str> = all.iter().take(4).map(|c| c.title.as_str()).collect();
        assert_eq!(
            first,
            ["Model", "Users", "Input tokens", "Most tokens of an answer"]
        );
        let has = |path: &str| all.iter().any(|c| c.path.starts_with(path));
        assert!(has("workload.extra_body.temperature") && has("seed"));
        assert!(!has("target.template") && !has("workload.inputs") && !has("stages.0.load.rate"));
        assert!(all.iter().all(|c| !c.doc.is_empty()));
    }

    #[test]
    fn a_name_comes_before_a_word_and_half_a_word_is_none() {
        let all = choices(&plan());
        let of = |query: &str| -> Vec<&str> {
            found(query, &all).iter().map(|c| c.path.as_str()).collect()
        };
        assert_eq!(of("users")[0], "stages.0.load.users");
        assert_eq!(of("temp")[0], "workload.extra_body.temperature");
        assert_eq!(of("max_tok")[0], "workload.max_tokens");
        assert_eq!(of("workload.users"), ["workload.users"]);
        assert_eq!(of("load.users"), ["stages.0.load.users"]);
        assert!(!of("load users").contains(&"workload.users"));
        assert_eq!(of("seed")[0], "seed");
        assert_eq!(
            of(""),
            all.iter().map(|c| c.path.as_str()).collect::<Vec<_>>()
        );
    }
}
