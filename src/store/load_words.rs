//! A plan's load in the few words of a list's row.

use std::fmt::Write as _;

use crate::domain::{Load, Over, Plan, Stage, StageEnd, Variation};

/// `1, 10, 100`, `5, 10 req/s`, `1 user, 20`, `sweep to 128 users`, `search for req/s`; after it what the run is a variation
/// of: `1 user, 20; max_tokens=16`.
pub(super) fn load_words(plan: &Plan, variation: Option<&Variation>) -> String {
    let mut words = stages(&plan.stages);
    for (field, value) in variation.iter().flat_map(|v| &v.values) {
        let name = field.rsplit('.').find(|part| part.parse::<u32>().is_err());
        write!(words, "; {}={value}", name.unwrap_or(field)).ok();
    }
    words
}

fn stages(stages: &[Stage]) -> String {
    if let [stage] = stages {
        return one(stage);
    }
    let levels = |is: fn(&Load) -> bool| {
        let levels = stages.iter().filter(|s| is(&s.load));
        levels
            .map(|s| s.load.level().to_string())
            .collect::<Vec<_>>()
    };
    let users = levels(|load| matches!(load, Load::Closed { .. }));
    let rates = levels(|load| matches!(load, Load::Open { .. }));
    if users.len() == stages.len() {
        users.join(", ")
    } else if rates.len() == stages.len() {
        format!("{} req/s", rates.join(", "))
    } else {
        let labels: Vec<String> = stages.iter().map(|s| load(&s.load)).collect();
        labels.join(", ")
    }
}

fn one(stage: &Stage) -> String {
    let words = load(&stage.load);
    if stage.load.unfolds() {
        return words;
    }
    match stage.end {
        StageEnd::Requests(n) => format!("{words}, {n}"),
        StageEnd::RequestsPerUser(n) => format!("{words}, {n} each"),
        StageEnd::DurationSecs(secs) => format!("{words}, {secs} s"),
        StageEnd::WholeTrace(_) => words,
    }
}

fn load(load: &Load) -> String {
    match load {
        Load::Sweep {
            over: Over::Users,
            max_users,
            ..
        } => format!("sweep to {max_users} users"),
        Load::Sweep { steps, .. } => format!("sweep of {steps} rates"),
        Load::Search { over, .. } => format!("search for {}", over.unit()),
        Load::Closed { .. } | Load::Open { .. } | Load::Replay { .. } => load.label(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::set_field;
    use super::*;

    #[track_caller]
    fn words(stages: &str) -> String {
        let plan = set_field(&Plan::simple("http://h"), "stages", stages);
        load_words(&plan.unwrap_or_else(|i| panic!("{i:?}")), None)
    }

    #[test]
    fn each_load_has_its_words() {
        let closed =
            |n| format!("{{ load = {{ kind = \"closed\", users = {n} }}, requests = 20 }}");
        let open =
            |r| format!("{{ load = {{ kind = \"open\", rate = {r} }}, duration_secs = 5.5 }}");
        assert_eq!(words(&format!("[{}]", closed(1))), "1 user, 20");
        assert_eq!(words(&format!("[{}, {}]", closed(1), closed(10))), "1, 10");
        assert_eq!(words(&format!("[{}]", open("2.5"))), "2.5 req/s, 5.5 s");
        assert_eq!(
            words(&format!("[{}, {}]", open("5"), open("12.5"))),
            "5, 12.5 req/s"
        );
        assert_eq!(
            words(&format!("[{}, {}]", closed(3), open("5"))),
            "3 users, 5 req/s"
        );
        for (load, expected) in [
            (
                "kind = \"sweep\", steps = 10, max_users = 128",
                "sweep of 10 rates",
            ),
            (
                "kind = \"sweep\", over = \"users\", steps = 5, max_users = 64",
                "sweep to 64 users",
            ),
        ] {
            let stage = format!("[{{ load = {{ {load} }}, duration_secs = 5 }}]");
            assert_eq!(words(&stage), expected);
        }
    }

    #[test]
    fn a_variation_says_its_values() {
        let plan = Plan::simple("http://h");
        let values = [("workload.max_tokens", "16"), ("stages.0.requests", "10")];
        let variation = Variation {
            group: String::new(),
            index: 0,
            of: 2,
            values: values.map(|(f, v)| (f.to_owned(), v.to_owned())).into(),
        };
        assert_eq!(
            load_words(&plan, Some(&variation)),
            "1 user, 10; requests=10; max_tokens=16"
        );
    }
}
