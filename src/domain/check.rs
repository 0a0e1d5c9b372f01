//! What is wrong with a plan: every issue at once, each at its field.

use serde::{Deserialize, Serialize};

use super::{
    ColdHow, KeyRef, LengthSpec, Load, MAX_GOALS, MAX_RATE, MAX_REQUESTS, MAX_STAGES, MAX_TURNS,
    MAX_USERS, MAX_VARIATIONS, MixedTraffic, Over, Plan, Ramp, SCHEMA, Stage, StageEnd, Target,
    Timeouts, Warmup, Workload, variants,
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
            let message = "there are none, and a search looks for the load that meets them: add one, as in ttft.p95:500ms";
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

impl Stage {
    fn check_into(&self, i: usize, found: &mut Found) {
        self.load.check_into(&format!("stages.{i}.load"), found);
        let too_many = self.n_requests().is_some_and(|n| n > MAX_REQUESTS);
        match self.end {
            StageEnd::Requests(n) if too_many => {
                let message = format!("“{n}” is above {MAX_REQUESTS}");
                found.add(format!("stages.{i}.requests"), message);
            }
            StageEnd::RequestsPerUser(n) => self.check_per_user(i, n.get(), too_many, found),
            StageEnd::DurationSecs(secs) => {
                found.secs(format!("stages.{i}.duration_secs"), secs, Zero::Refused);
            }
            StageEnd::WholeTrace(is_whole) => {
                if !is_whole || !matches!(self.load, Load::Replay { .. }) {
                    let message = "goes with a replay only, and is always true: give requests or duration_secs";
                    found.add(format!("stages.{i}.whole_trace"), message);
                }
            }
            StageEnd::Requests(_) => {}
        }
        self.check_ramp_has_time(i, found);
    }

    fn check_per_user(&self, i: usize, n: u32, too_many: bool, found: &mut Found) {
        let field = format!("stages.{i}.requests_per_user");
        if !matches!(self.load.over(), Some(Over::Users)) {
            let message = "goes with users only: give requests in all, or duration_secs";
            found.add(field, message);
        } else if too_many {
            let users = self.load.max_in_flight();
            let message = format!("“{n}” for each of {users} users is above {MAX_REQUESTS}");
            found.add(field, message);
        }
    }

    fn check_ramp_has_time(&self, i: usize, found: &mut Found) {
        let Load::Closed { ramp: Some(_), .. } = self.load else {
            return;
        };
        if !matches!(self.end, StageEnd::DurationSecs(_)) {
            let message = "needs a stage with duration_secs, over which it grows";
            found.add(format!("stages.{i}.load.ramp"), message);
        }
    }
}

impl Load {
    fn check_into(&self, field: &str, found: &mut Found) {
        let users = |name: &str, n: u32, found: &mut Found| {
            if u64::from(n) > MAX_USERS {
                found.add(
                    format!("{field}.{name}"),
                    format!("“{n}” is above {MAX_USERS}"),
                );
            }
        };
        let limit = |n: &Option<std::num::NonZeroU32>, found: &mut Found| {
            if let Some(n) = n {
                users("max_in_flight", n.get(), found);
            }
        };
        match self {
            Self::Closed { users: n, ramp, .. } => {
                users("users", n.get(), found);
                check_ramp(field, ramp.as_ref(), f64::from(n.get()), "users", found);
            }
            Self::Open {
                rate,
                ramp,
                max_in_flight,
                ..
            } => {
                check_rate(&format!("{field}.rate"), *rate, found);
                check_ramp(field, ramp.as_ref(), *rate, "rate", found);
                limit(max_in_flight, found);
            }
            Self::Replay {
                replay,
                time_scale,
                max_in_flight,
                ..
            } => {
                if replay.as_os_str().is_empty() {
                    let message = "is empty: name a trace (CSV or JSONL) or a run file";
                    found.add(format!("{field}.replay"), message);
                }
                if !(*time_scale > 0.0 && *time_scale <= 1e6) {
                    let message = format!("“{time_scale}” must be above 0 and at most 1000000");
                    found.add(format!("{field}.time_scale"), message);
                }
                limit(max_in_flight, found);
            }
            Self::Sweep {
                steps, max_users, ..
            } => {
                users("max_users", max_users.get(), found);
                if steps.get() as usize >= MAX_STAGES {
                    let message = format!("“{steps}” must be at most {}", MAX_STAGES - 1);
                    found.add(format!("{field}.steps"), message);
                }
            }
            Self::Search {
                over, from, max, ..
            } => {
                let most = match over {
                    Over::Rate => MAX_RATE,
                    Over::Users => MAX_USERS as f64,
                };
                let least = match over {
                    Over::Rate => f64::MIN_POSITIVE,
                    Over::Users => 1.0,
                };
                if !(*from >= least && *max >= *from && *max <= most) {
                    let message = format!(
                        "from “{from}” to “{max}” is no range of {}: it must go up, and not above {most}",
                        over.unit()
                    );
                    found.add(format!("{field}.max"), message);
                }
            }
        }
    }
}

fn check_rate(field: &str, rate: f64, found: &mut Found) {
    if !(rate > 0.0 && rate <= MAX_RATE) {
        let message =
            format!("“{rate}” must be above 0 and at most {MAX_RATE} requests per second");
        found.add(field, message);
    }
}

fn check_ramp(field: &str, ramp: Option<&Ramp>, level: f64, name: &str, found: &mut Found) {
    if let Some(ramp) = ramp
        && (ramp.to - level).abs() > level * 1e-9
    {
        let message = format!(
            "“{ramp}” ends at {} but {name} is {level}: make them the same",
            ramp.to
        );
        found.add(format!("{field}.ramp"), message);
    }
}

impl MixedTraffic {
    fn check_into(&self, found: &mut Found) {
        for (field, n) in [
            ("mixed_traffic.page_loads", self.page_loads),
            ("mixed_traffic.uploads", self.uploads),
            ("mixed_traffic.downloads", self.downloads),
        ] {
            found.count(field, n, 0, MAX_VISITORS);
        }
        if self.page_loads + self.uploads + self.downloads == 0 {
            let message =
                "has no visitors: give page_loads, uploads or downloads, or leave the table out";
            found.add("mixed_traffic", message);
        }
        found.count(
            "mixed_traffic.file_bytes",
            self.file_bytes,
            1,
            MAX_BESIDE_BYTES,
        );
        found.count("mixed_traffic.pause_ms", self.pause_ms, 0, 3_600_000);
    }
}

/// The most visitors of a kind beside the measured requests, and the largest file that one uploads.
pub const MAX_VISITORS: u32 = 1_000;
pub const MAX_BESIDE_BYTES: u32 = 100_000_000;

impl Target {
    /// The issues of the target alone, for a test request.
    pub fn check(&self) -> Vec<Issue> {
        let mut found = Found(Vec::new());
        self.check_into(&mut found);
        found.0
    }

    fn check_into(&self, found: &mut Found) {
        if let Some(message) = url_issue(&self.url) {
            found.add("target.url", message);
        }
        for (field, text) in [
            ("target.model", &self.model),
            ("target.api_name", &self.api_name),
        ] {
            if text.as_deref().is_some_and(|t| t.trim().is_empty()) {
                found.add(field, "is empty: name one, or leave the field out");
            }
        }
        for (name, value) in &self.headers {
            if let Some(message) = header_issue(name, value) {
                found.add(format!("target.headers.{name}"), message);
            }
        }
        if let KeyRef::Env { name } = &self.key
            && let Some(message) = env_name_issue(name)
        {
            found.add("target.key.name", message);
        }
        if self
            .ca_file
            .as_ref()
            .is_some_and(|p| p.as_os_str().is_empty())
        {
            found.add(
                "target.ca_file",
                "is empty: name a PEM file, or leave the field out",
            );
        }
        if let Some(proxy) = &self.proxy
            && let Some(message) = proxy_issue(proxy)
        {
            found.add("target.proxy", message);
        }
        self.timeouts.check_into(found);
    }
}

impl Timeouts {
    fn check_into(&self, found: &mut Found) {
        for (field, secs) in [
            ("target.timeouts.connect_secs", self.connect_secs),
            ("target.timeouts.first_byte_secs", self.first_byte_secs),
            ("target.timeouts.idle_secs", self.idle_secs),
            ("target.timeouts.token_stall_secs", self.token_stall_secs),
            ("target.timeouts.total_secs", self.total_secs),
        ] {
            found.secs(field, secs, Zero::Refused);
        }
    }
}

impl Workload {
    /// The issues of what is sent alone, for a test request.
    pub fn check(&self) -> Vec<Issue> {
        let mut found = Found(Vec::new());
        self.check_into(&mut found);
        found.0
    }

    fn check_into(&self, found: &mut Found) {
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

fn too_long(bytes: usize) -> String {
    format!("is {bytes} bytes long; at most {MAX_PROMPT_BYTES}")
}

fn url_issue(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return Some(
            "is empty: paste the server's address, as in http://127.0.0.1:8000/v1, or the owner/name of a Space"
                .to_owned(),
        );
    }
    if is_space_name(text) {
        return None;
    }
    // `localhost:8000` is an address to everybody; which scheme it means is for the protocol layer to say.
    let has_scheme = text.contains("://");
    let parsed = if has_scheme {
        url::Url::parse(text)
    } else {
        url::Url::parse(&format!("http://{text}"))
    };
    let url = match parsed {
        Ok(url) => url,
        Err(e) => {
            return Some(format!(
                "“{text}” is neither an address ({e}) nor the owner/name of a Space: write http://host:port"
            ));
        }
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Some(format!(
            "“{}” is not spoken: use http or https",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some(
            "holds a user name or password, which a plan never holds: remove it and name the key with target.key"
                .to_owned(),
        );
    }
    let secret = url.query_pairs().find(|(name, _)| is_secret_name(name));
    secret.map(|(name, _)| {
        format!(
            "“{name}” looks like a secret, which a plan never holds: remove it and name the key with target.key"
        )
    })
}

/// `owner/name`: one slash, and only what the Hub allows in names.
fn is_space_name(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let is_host = |owner: &str| owner == "localhost" || owner.contains('.');
    text.split_once('/')
        .is_some_and(|(owner, name)| is_part(owner) && is_part(name) && !is_host(owner))
}

/// Headers that the transport writes by itself.
const OWN_HEADERS: [&str; 5] = [
    "connection",
    "content-length",
    "host",
    "te",
    "transfer-encoding",
];

fn header_issue(name: &str, value: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Some(format!(
            "“{name}” is not a header name: letters, digits and hyphens"
        ));
    }
    if is_secret_name(&lower) || looks_like_secret(value) {
        return Some(
            "looks like a secret, which a plan never holds: remove it and name the key with target.key, as in key = { source = \"env\", name = \"HF_TOKEN\" }"
                .to_owned(),
        );
    }
    if OWN_HEADERS.contains(&lower.as_str()) {
        return Some(format!(
            "“{name}” is set by the connection itself: remove it"
        ));
    }
    if http::HeaderValue::from_str(value).is_err() {
        return Some("holds a line break or control character: write it in one line".to_owned());
    }
    None
}

/// A header or query parameter whose value is a secret, by its name.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    const WHOLE: [&str; 10] = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "key",
        "auth",
        "sig",
        "signature",
        "token",
        "password",
    ];
    const ENDS: [&str; 6] = [
        "api-key",
        "apikey",
        "-token",
        "-secret",
        "-password",
        "-auth-key",
    ];
    WHOLE.contains(&name.as_str()) || name == "secret" || ENDS.iter().any(|end| name.ends_with(end))
}

/// A value that can only be a key: known prefixes with a long tail, or a bearer.
pub fn looks_like_secret(value: &str) -> bool {
    const PREFIXES: [&str; 8] = [
        "hf_", "sk-", "gsk_", "nvapi-", "ghp_", "glpat-", "AIza", "xoxb-",
    ];
    let value = value.trim();
    let bare = value
        .strip_prefix("Bearer ")
        .or_else(|| value.strip_prefix("bearer "));
    bare.is_some_and(|b| b.trim().len() >= 4)
        || (value.len() >= 16 && PREFIXES.iter().any(|p| value.starts_with(p)))
}

fn env_name_issue(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some(
            "is empty: name the environment variable that holds the key, as in HF_TOKEN".to_owned(),
        );
    }
    if looks_like_secret(name) {
        return Some(
            "looks like the key itself: put the key into an environment variable and write that variable's name here"
                .to_owned(),
        );
    }
    if name.contains(['=', '\0', '$', ' ']) {
        return Some(format!(
            "“{name}” is not the name of an environment variable: write it bare, as in HF_TOKEN"
        ));
    }
    None
}

fn proxy_issue(proxy: &str) -> Option<String> {
    let fix = "write http://host:port";
    match url::Url::parse(proxy.trim()) {
        Ok(url) if url.scheme() != "http" => Some(format!("“{proxy}” is not an http proxy: {fix}")),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => Some(format!(
            "holds a user name or password, which a plan never holds: {fix}"
        )),
        Ok(url) if url.host_str().is_none_or(str::is_empty) => {
            Some(format!("“{proxy}” names no host: {fix}"))
        }
        Ok(_) => None,
        Err(e) => Some(format!("“{proxy}” is not an address ({e}): {fix}")),
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

#[cfg(test)]
mod tests {
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
