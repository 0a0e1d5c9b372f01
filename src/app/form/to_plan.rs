//! Text as a plan: every issue at once, each at its field.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::issues::{Issues, Zero, filled, shortened, words};
use super::model::{Form, KeySource, LimitsForm, TargetForm};
use super::{goals, vary};
use crate::domain::{
    Cold, ColdHow, Issue, KeyRef, Limits, Plan, Protocol, Target, Timeouts, Warmup, Workload,
    parse_duration_secs,
};

impl Form {
    /// The plan that this form says.
    ///
    /// # Errors
    /// Everything that is wrong, each at its field.
    pub fn to_plan(&self) -> Result<Plan, Vec<Issue>> {
        let mut issues = Issues::default();
        let workload = self.prompts.to_workload(&self.target, &mut issues);
        let target = self.to_target(&mut issues);
        let stages = self.load.stages().unwrap_or_else(|found| {
            issues.0.extend(found);
            Vec::new()
        });
        let warmup = Warmup::parse(&self.cold.warmup).unwrap_or_else(|message| {
            issues.add("warmup", format!("{message}, or a number of requests"));
            Warmup::None
        });
        let advanced = &self.advanced;
        let plan = Plan {
            schema: crate::domain::SCHEMA,
            label: self.label.trim().to_owned(),
            tags: words(&self.tags),
            seed: issues.number("seed", &advanced.seed, "a whole number, as in 1"),
            pause_secs: issues.secs("pause_secs", &advanced.pause, Zero::Allowed),
            grace_secs: issues.secs("grace_secs", &advanced.grace, Zero::Allowed),
            keep_text: advanced.keep_text,
            target,
            workload,
            cold: self.cold(&mut issues),
            warmup,
            limits: self.limits.to_limits(&mut issues),
            stages,
            profile: self.profile.trim().to_owned(),
            goals: goals::goals_of(&self.goals, &mut issues),
            vary: vary::vary_of(&self.vary, &mut issues),
            vary_mode: self.vary_mode,
            mixed_traffic: self.traffic.read(&mut issues),
        };
        issues.add_checked(plan.check());
        if issues.0.is_empty() {
            issues.0.extend(vary::check_values(&plan));
        }
        issues.0.is_empty().then_some(plan).ok_or(issues.0)
    }

    /// The target alone: what detection and a test request need. What cannot be read stands at its default.
    pub fn target_alone(&self) -> Target {
        self.to_target(&mut Issues::default())
    }

    /// What stands in the way of sending one request.
    pub fn issues_of_one_request(&self) -> Vec<Issue> {
        self.one_request().err().unwrap_or_default()
    }

    /// The target and workload of one request.
    ///
    /// # Errors
    /// Everything that is wrong with these two.
    pub fn one_request(&self) -> Result<(Target, Workload), Vec<Issue>> {
        let mut issues = Issues::default();
        let workload = self.prompts.to_workload(&self.target, &mut issues);
        let target = self.to_target(&mut issues);
        issues.add_checked(target.check());
        issues.add_checked(workload.check());
        issues
            .0
            .is_empty()
            .then_some((target, workload))
            .ok_or(issues.0)
    }

    fn to_target(&self, issues: &mut Issues) -> Target {
        let advanced = &self.advanced;
        let form = &self.target;
        if form.url.trim().is_empty() {
            issues.add(
                "target.url",
                "Enter a URL or a Space as owner/name, or paste a curl command",
            );
        }
        Target {
            url: form.url.trim().to_owned(),
            protocol: form.protocol,
            model: filled(&form.model),
            api_name: filled(&form.api_name),
            gradio_mode: form.gradio_mode,
            stream: form.stream,
            headers: headers(&advanced.headers, issues),
            key: form.key_ref(issues),
            http: advanced.http,
            connections: advanced.connections,
            ca_file: filled(&advanced.ca_file).map(PathBuf::from),
            insecure: advanced.insecure,
            proxy: filled(&advanced.proxy),
            timeouts: self.timeouts(issues),
            template: (form.protocol == Protocol::Http || form.template.is_set)
                .then(|| form.template.to_template()),
        }
    }

    fn timeouts(&self, issues: &mut Issues) -> Timeouts {
        let a = &self.advanced;
        let mut secs = |field: &str, text: &str| {
            issues.secs(&format!("target.timeouts.{field}"), text, Zero::Refused)
        };
        Timeouts {
            connect_secs: secs("connect_secs", &a.connect),
            first_byte_secs: secs("first_byte_secs", &a.first_byte),
            idle_secs: secs("idle_secs", &a.idle),
            token_stall_secs: secs("token_stall_secs", &a.token_stall),
            total_secs: secs("total_secs", &a.total),
        }
    }

    fn cold(&self, issues: &mut Issues) -> Cold {
        let form = &self.cold;
        let whole = "a whole number, as in 1";
        let silence_secs = match form.how {
            ColdHow::Silence => issues.secs("cold.silence_secs", &form.silence, Zero::Refused),
            _ => parse_duration_secs(&form.silence).unwrap_or(0.0),
        };
        let cycles: u32 = issues.number("cold.cycles", &form.cycles, whole);
        if cycles == 0 && form.cycles.trim() == "0" {
            issues.add(
                "cold.cycles",
                "“0” must be at least 1; 0 cold requests send none",
            );
        }
        Cold {
            requests: issues.number("cold.requests", &form.requests, whole),
            how: form.how,
            silence_secs,
            cycles,
        }
    }
}

impl TargetForm {
    fn key_ref(&self, issues: &mut Issues) -> KeyRef {
        match self.key {
            KeySource::None => KeyRef::None,
            KeySource::Keyring => KeyRef::Keyring,
            KeySource::Session => KeyRef::Session,
            KeySource::Env => {
                let name = self.key_env.trim().trim_start_matches('$');
                let usable = |c: char| c.is_ascii_alphanumeric() || c == '_';
                if name.is_empty() {
                    issues.add(
                        "target.key",
                        "Name the environment variable that holds the key",
                    );
                } else if !name.chars().all(usable) {
                    // Not quoted: it may be the key itself, typed into the wrong field.
                    issues.add(
                        "target.key",
                        "Not a variable's name: letters, digits and _ only. A key itself belongs under “This session only”",
                    );
                }
                KeyRef::Env {
                    name: name.to_owned(),
                }
            }
        }
    }

    pub(super) fn input_values(&self, issues: &mut Issues) -> BTreeMap<String, serde_json::Value> {
        let mut values = BTreeMap::new();
        for (name, entry) in &self.inputs {
            match &entry.value {
                Some(value) => {
                    values.insert(name.clone(), value.clone());
                }
                None => issues.add(
                    format!("workload.inputs.{name}"),
                    format!(
                        "“{}” is not a value of this input. Correct it, or set it back to the app's own",
                        shortened(&entry.text)
                    ),
                ),
            }
        }
        values
    }
}

impl LimitsForm {
    fn to_limits(&self, issues: &mut Issues) -> Limits {
        let max_secs = match self.max_secs.trim() {
            "" => None,
            text => match parse_duration_secs(text) {
                Ok(secs) if secs >= 1.0 => Some(secs),
                Ok(_) => {
                    issues.add(
                        "limits.max_secs",
                        format!("“{text}” must be at least 1 s, or empty for no limit"),
                    );
                    None
                }
                Err(message) => {
                    issues.add("limits.max_secs", message);
                    None
                }
            },
        };
        let max_error_percent: Option<f64> = issues.optional(
            "limits.max_error_percent",
            &self.max_error_percent,
            "a share of 0 to 100, or empty for no limit",
        );
        if let Some(percent) = max_error_percent
            && !(0.0..=100.0).contains(&percent)
        {
            issues.add(
                "limits.max_error_percent",
                format!(
                    "“{}” must be 0 to 100, or empty for no limit",
                    self.max_error_percent.trim()
                ),
            );
        }
        Limits {
            max_errors: issues.optional(
                "limits.max_errors",
                &self.max_errors,
                "a whole number, or empty for no limit",
            ),
            max_error_percent,
            max_secs,
            stop_when_saturated: self.stop_when_saturated,
        }
    }
}

/// What is wrong with the extra JSON, if anything; the form shows it while it is typed.
pub(crate) fn extra_body_issue(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return None;
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(_)) => None,
        Ok(_) => Some("Must be a JSON object, as in {\"temperature\": 0}".to_owned()),
        Err(err) => Some(format!(
            "Not JSON: line {}, column {}. It must be an object, as in {{\"temperature\": 0}}",
            err.line(),
            err.column()
        )),
    }
}

fn headers(text: &str, issues: &mut Issues) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        match line.split_once(':') {
            Some((name, value)) if is_header_name(name.trim()) => {
                map.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            // The line is not quoted in full: its value may be a secret.
            Some((name, _)) => issues.add(
                "target.headers",
                format!("“{}” cannot be a header's name", shortened(name.trim())),
            ),
            None => issues.add(
                "target.headers",
                "A line has no colon: write Name: value, one per line",
            ),
        }
    }
    map
}

/// A token of RFC 9110, section 5.6.2.
fn is_header_name(name: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty() && name.chars().all(token)
}
