//! What is wrong with a plan: every issue at once, each at its field.

mod load;
mod target;
mod workload;

use serde::{Deserialize, Serialize};

pub use load::{MAX_BESIDE_BYTES, MAX_VISITORS};
pub use target::{is_secret_name, looks_like_secret};

use super::{
    ColdHow, Load, MAX_GOALS, MAX_STAGES, MAX_VARIATIONS, Plan, SCHEMA, Stage, Warmup, variants,
};

/// One thing to fix before a plan can run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Issue {
    /// The plan's field as `--set` names it: `target.url`, `stages`, `users`.
    pub field: String,
    /// What is wrong, with the value in quotes, and the repair. No full stop.
    pub message: String,
}

impl Issue {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// The longest time that a plan may name, in seconds: a year, as in [`super::parse_duration_secs`].
pub const MAX_SECS: f64 = 31_536_000.0;
/// The most cold requests in a cycle, and the most cycles.
pub const MAX_COLD: u32 = 1_000;
/// The most tokens that a request may ask for.
pub const MAX_TOKENS: u32 = 100_000_000;
/// The largest seed: TOML's largest integer.
pub const MAX_SEED: u64 = i64::MAX.unsigned_abs();
/// The longest prompt, in bytes.
pub const MAX_PROMPT_BYTES: usize = 16 * 1024 * 1024;

impl Plan {
    /// Everything that keeps this plan from running; empty when it can. Looks at no file and no network.
    pub fn check(&self) -> Vec<Issue> {
        let mut found = Found(Vec::new());
        if self.schema != SCHEMA {
            let message = format!(
                "“{}” is not known: this program reads plans of schema {SCHEMA}",
                self.schema
            );
            found.add("schema", message);
        }
        if self.seed > MAX_SEED {
            found.add(
                "seed",
                format!(
                    "“{}” is above {MAX_SEED}, TOML's largest integer",
                    self.seed
                ),
            );
        }
        found.secs("pause_secs", self.pause_secs, Zero::Allowed);
        found.secs("grace_secs", self.grace_secs, Zero::Allowed);
        self.target.check_into(&mut found);
        self.workload.check_into(&mut found);
        self.check_turns_are_sent(&mut found);
        self.check_cold_and_warmup(&mut found);
        self.check_limits(&mut found);
        self.check_goals_and_vary(&mut found);
        if let Some(traffic) = &self.mixed_traffic {
            traffic.check_into(&mut found);
        }
        self.check_stages(&mut found);
        found.0
    }

    fn check_cold_and_warmup(&self, found: &mut Found) {
        let cold = &self.cold;
        found.count("cold.requests", cold.requests, 0, MAX_COLD);
        found.count("cold.cycles", cold.cycles, 1, MAX_COLD);
        found.secs("cold.silence_secs", cold.silence_secs, Zero::Allowed);
        if cold.requests > 0 && cold.how == ColdHow::Silence && cold.silence_secs == 0.0 {
            let message = "is 0 while cold.how is “silence”: say how long, as in 300.0";
            found.add("cold.silence_secs", message);
        }
        if let Warmup::Secs(secs) = self.warmup {
            found.secs("warmup.secs", secs, Zero::Refused);
        }
    }

    fn check_limits(&self, found: &mut Found) {
        let limits = &self.limits;
        if limits.max_errors == Some(0) {
            found.add("limits.max_errors", "“0” must be at least 1");
        }
        if let Some(percent) = limits.max_error_percent
            && !(percent > 0.0 && percent <= 100.0)
        {
            let message = format!("“{percent}” must be above 0 and at most 100");
            found.add("limits.max_error_percent", message);
        }
        if let Some(secs) = limits.max_secs {
            found.secs("limits.max_secs", secs, Zero::Refused);
        }
    }

    fn check_goals_and_vary(&self, found: &mut Found) {
        if self.goals.len() > MAX_GOALS {
            let message = format!("{} goals; at most {MAX_GOALS}", self.goals.len());
            found.add("goals", message);
        }
        let searches = |s: &&Stage| matches!(s.load, Load::Search { .. });
        if self.goals.is_empty() && self.stages.iter().any(|s| searches(&s)) {
            let message = "there are no goals, and a search looks for the load that meets them: add one, as in ttft.p95:500ms";
            found.add("goals", message);
        }
        for (i, vary) in self.vary.iter().enumerate() {
            if self.vary.iter().take(i).any(|v| v.field == vary.field) {
                let message = format!(
                    "“{}” is varied twice: put all its values into one",
                    vary.field
                );
                found.add(format!("vary.{i}"), message);
            }
            if matches!(
                vary.field.split('.').next(),
                Some("vary" | "vary_mode" | "schema")
            ) {
                let message = format!("“{}” cannot be varied", vary.field);
                found.add(format!("vary.{i}"), message);
            }
            let mut values = vary.values.iter().enumerate();
            let again = values.find(|(j, value)| vary.values.iter().take(*j).any(|v| v == *value));
            if let Some((_, value)) = again {
                let message = format!(
                    "“{value}” stands twice among the values of {}: give each once",
                    vary.field
                );
                found.add(format!("vary.{i}"), message);
            }
        }
        if variants(&self.vary, self.vary_mode).len() > MAX_VARIATIONS {
            let message =
                format!("makes more than {MAX_VARIATIONS} runs: vary less, or one at a time");
            found.add("vary", message);
        }
    }

    fn check_stages(&self, found: &mut Found) {
        if self.stages.is_empty() {
            found.add("stages", "there are none: a plan needs at least one stage");
        }
        if self.stages.len() > MAX_STAGES {
            let message = format!("{} stages; at most {MAX_STAGES}", self.stages.len());
            found.add("stages", message);
        }
        for (i, stage) in self.stages.iter().enumerate() {
            stage.check_into(i, found);
        }
    }
}

/// The path of an input that is a file to upload, `{"file": "path"}`; `None` for every other value.
pub fn input_file(value: &serde_json::Value) -> Option<&str> {
    let fields = value.as_object().filter(|o| o.len() == 1)?;
    fields.get("file")?.as_str()
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Zero {
    Allowed,
    Refused,
}

struct Found(Vec<Issue>);

impl Found {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Issue::new(field, message));
    }

    fn secs(&mut self, field: impl Into<String>, secs: f64, zero: Zero) {
        let good = secs.is_finite()
            && secs <= MAX_SECS
            && (secs > 0.0 || (zero == Zero::Allowed && secs == 0.0));
        if !good {
            let least = match zero {
                Zero::Allowed => "at least 0",
                Zero::Refused => "more than 0",
            };
            let message = format!("“{secs}” must be {least} and at most {MAX_SECS} seconds");
            self.add(field, message);
        }
    }

    fn count(&mut self, field: &str, n: u32, least: u32, most: u32) {
        if n < least || n > most {
            self.add(field, format!("“{n}” must be {least} to {most}"));
        }
    }
}

#[cfg(test)]
mod tests {

    use super::super::{KeyRef, Protocol, StageEnd, Target, Template};
    use super::*;

    fn fields(plan: &Plan) -> Vec<String> {
        plan.check().into_iter().map(|i| i.field).collect()
    }

    #[test]
    fn the_simplest_plan_is_good() {
        assert_eq!(Plan::simple("http://127.0.0.1:8000/v1").check(), vec![]);
    }

    #[track_caller]
    fn check_url(url: &str, good: bool) {
        let issues = Target::at(url).check();
        assert_eq!(issues.is_empty(), good, "{url}: {issues:?}");
    }

    #[test]
    fn addresses() {
        check_url("https://owner-name.hf.space/gradio_api/call/predict", true);
        check_url("owner/name", true);
        check_url("Owner-1/my.app_2", true);
        check_url("http://[::1]:8000", true);
        check_url("", false);
        check_url("localhost:8000", true);
        check_url("localhost/v1", true);
        check_url("127.0.0.1/v1", true);
        check_url("u:p@host/v1", false);
        check_url("host:8000/v1?api_key=x", false);
        check_url("host:80000", false);
        check_url("ftp://host/x", false);
        check_url("http://", false);
        check_url("http://u:p@host/v1", false);
        check_url("http://host/v1?api_key=x", false);
        check_url("http://host/v1?max_tokens=5", true);
        check_url("not an address", false);
    }

    #[test]
    fn headers_that_look_like_secrets_point_at_the_key() {
        for (name, value) in [
            ("Authorization", "x"),
            ("x-api-key", "x"),
            ("Cookie", "a=b"),
            ("X-Thing", "Bearer abcdef"),
            ("X-Thing", "hf_abcdefghijklmnop"),
        ] {
            let mut target = Target::at("http://h");
            target.headers.insert(name.to_owned(), value.to_owned());
            let issues = target.check();
            assert_eq!(issues.len(), 1, "{name}");
            assert!(issues[0].message.contains("target.key"), "{issues:?}");
            assert!(!issues[0].message.contains(value) || value == "x");
        }
        let mut target = Target::at("http://h");
        target
            .headers
            .insert("X-Trace".to_owned(), "abc".to_owned());
        assert_eq!(target.check(), vec![]);
    }

    #[test]
    fn every_issue_is_told_at_once() {
        let mut plan = Plan::simple("");
        plan.schema = 2;
        plan.seed = u64::MAX;
        plan.pause_secs = f64::NAN;
        plan.grace_secs = -1.0;
        plan.target.proxy = Some("socks5://h:1".to_owned());
        plan.target.key = KeyRef::Env {
            name: String::new(),
        };
        plan.target.timeouts.idle_secs = 0.0;
        plan.target.headers.insert("a b".to_owned(), String::new());
        plan.workload.users = vec![" ".to_owned()];
        plan.workload.extra_body = "[1]".to_owned();
        plan.workload.max_tokens = Some(0);
        plan.cold.requests = 1;
        plan.cold.how = ColdHow::Silence;
        plan.cold.cycles = 0;
        plan.warmup = Warmup::Secs(0.0);
        plan.limits.max_errors = Some(0);
        plan.limits.max_error_percent = Some(101.0);
        plan.stages[0].end = StageEnd::DurationSecs(f64::INFINITY);
        assert_eq!(
            fields(&plan),
            [
                "schema",
                "seed",
                "pause_secs",
                "grace_secs",
                "target.url",
                "target.headers.a b",
                "target.key.name",
                "target.proxy",
                "target.timeouts.idle_secs",
                "workload.users.0",
                "workload.max_tokens",
                "workload.extra_body",
                "cold.cycles",
                "cold.silence_secs",
                "warmup.secs",
                "limits.max_errors",
                "limits.max_error_percent",
                "stages.0.duration_secs",
            ]
        );
        plan.stages.clear();
        assert!(fields(&plan).contains(&"stages".to_owned()));
    }

    #[test]
    fn only_the_protocol_http_needs_a_template() {
        let mut target = Target::at("http://h");
        let fields = |target: &Target| -> Vec<String> {
            target.check().into_iter().map(|i| i.field).collect()
        };
        target.template = Some(Template {
            path: "/{{model}}?q={{prompt}}".to_owned(),
            ..Template::default()
        });
        assert_eq!(target.check(), vec![], "not looked at");
        target.protocol = Protocol::Http;
        assert_eq!(fields(&target), ["target.model"]);
        target.template = None;
        assert_eq!(fields(&target), ["target.template"]);
    }

    #[test]
    fn turns_need_a_slot_for_what_was_said_before() {
        let mut plan = Plan::simple("http://h");
        plan.target.protocol = Protocol::Http;
        plan.workload.turns = 2;
        let mut template = Template {
            body: "{\"q\": {{prompt}}}".to_owned(),
            ..Template::default()
        };
        plan.target.template = Some(template.clone());
        let issues = plan.check();
        assert_eq!(fields(&plan), ["workload.turns"]);
        let message = &issues[0].message;
        assert!(
            message.contains("“2”") && message.contains("{{messages}}"),
            "{message}"
        );
        template.body = "{\"q\": {{messages}}}".to_owned();
        plan.target.template = Some(template);
        assert_eq!(plan.check(), vec![]);
    }

    #[test]
    fn a_key_in_the_place_of_its_name_is_not_repeated() {
        let mut target = Target::at("http://h");
        let key = "hf_abcdefghijklmnopqrstuvwxyz";
        target.key = KeyRef::Env {
            name: key.to_owned(),
        };
        let issues = target.check();
        assert_eq!(issues[0].field, "target.key.name");
        assert!(!issues[0].message.contains(key));
    }
}
