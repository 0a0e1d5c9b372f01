//! One line for each closed section, and for the load of a plan.

use super::{Form, LengthForm, LengthShape, OutputKind, PromptSource, Section, grouped};
use crate::domain::{Load, Over, Plan};

impl Form {
    /// One line that says what a closed section holds.
    pub fn summary(&self, section: Section) -> String {
        match section {
            Section::Target => crate::app::state::address_of(&self.target.url),
            Section::Prompts => self.prompts_summary(),
            Section::Load => self.load_summary(),
            Section::Cold => self.cold_summary(),
            Section::Limits => self.limits_summary(),
            Section::Vary => self.vary_summary(),
            Section::Traffic => self.traffic_summary(),
            Section::Advanced => {
                let stream = if self.target.stream {
                    "stream on"
                } else {
                    "stream off"
                };
                format!("seed {}, {stream}", self.advanced.seed.trim())
            }
        }
    }

    fn prompts_summary(&self) -> String {
        let prompts = &self.prompts;
        let mut words = vec![match prompts.source {
            PromptSource::BuiltIn => "built in".to_owned(),
            PromptSource::File => format!("from {}", file_name(&prompts.file)),
            PromptSource::Dataset => format!("from {}", file_name(&prompts.dataset)),
            PromptSource::Synthetic => format!("made, {} in", length_words(&prompts.input)),
            PromptSource::Lines | PromptSource::Blocks => match prompts.user_list().len() {
                1 => "1 prompt".to_owned(),
                n => format!("{n} prompts"),
            },
        }];
        let max = prompts.max_tokens.trim();
        match prompts.output {
            OutputKind::Drawn => {
                words.push(format!("{} out", length_words(&prompts.output_length)));
            }
            OutputKind::Limit if !max.is_empty() => words.push(format!("at most {max} out")),
            OutputKind::Limit => {}
        }
        let turns = prompts.turns.trim();
        if !matches!(turns, "" | "1") {
            words.push(format!("{turns} turns"));
        }
        words.join(", ")
    }

    fn load_summary(&self) -> String {
        let stages = self.stages();
        match stages.as_slice() {
            [] => "not readable yet".to_owned(),
            [one] => one.load.label(),
            [first, .., last] => {
                format!(
                    "{} stages, {} to {}",
                    stages.len(),
                    first.load.level(),
                    last.load.label()
                )
            }
        }
    }

    fn vary_summary(&self) -> String {
        match self.vary.as_slice() {
            [] => "nothing".to_owned(),
            [one] => {
                let name = one.field.trim().rsplit('.').next().unwrap_or_default();
                format!("{name}: {}", one.values.trim())
            }
            several => format!("{} fields", several.len()),
        }
    }

    fn traffic_summary(&self) -> String {
        if !self.traffic.on {
            return "none".to_owned();
        }
        let t = &self.traffic;
        let visitors = [&t.page_loads, &t.uploads, &t.downloads]
            .into_iter()
            .filter_map(|n| n.trim().parse::<u32>().ok());
        match visitors.fold(0, u32::saturating_add) {
            1 => "1 visitor".to_owned(),
            n => format!("{n} visitors"),
        }
    }

    fn cold_summary(&self) -> String {
        let cold = match self.cold.requests.trim() {
            "" | "0" => "no cold request".to_owned(),
            n => format!("{n} cold"),
        };
        match self.cold.warmup.trim() {
            "" | "0" => cold,
            text => format!("{cold}, warm-up {text}"),
        }
    }

    fn limits_summary(&self) -> String {
        let limits = &self.limits;
        let mut words: Vec<String> = match self.goals.as_slice() {
            [] => Vec::new(),
            [one] => vec![
                one.read()
                    .map_or_else(|_| "1 goal".to_owned(), |g| g.label()),
            ],
            several => vec![format!("{} goals", several.len())],
        };
        for (text, before, after) in [
            (&limits.max_secs, "stop at ", " s"),
            (&limits.max_errors, "", " errors"),
            (&limits.max_error_percent, "", " % errors"),
        ] {
            let text = text.trim();
            if !text.is_empty() {
                words.push(format!("{before}{text}{after}"));
            }
        }
        if limits.stop_when_saturated {
            words.push("until saturated".to_owned());
        }
        if words.is_empty() {
            "none".to_owned()
        } else {
            words.join(", ")
        }
    }
}

fn file_name(path: &str) -> String {
    let name = std::path::Path::new(path.trim()).file_name();
    name.map_or_else(|| "a file".to_owned(), |n| n.to_string_lossy().into_owned())
}

/// `200`, `about 200`, `100 to 300`.
fn length_words(length: &LengthForm) -> String {
    match length.shape {
        LengthShape::Fixed => length.fixed.trim().to_owned(),
        LengthShape::Normal => format!("about {}", length.mean.trim()),
        LengthShape::Uniform => format!("{} to {}", length.min.trim(), length.max.trim()),
    }
}

/// The most load that a plan asks for: `up to 100 users`, `up to 20 req/s`.
pub(crate) fn most_load(plan: &Plan) -> String {
    let mut users = 0;
    let mut rate: f64 = 0.0;
    let mut is_replay = false;
    for stage in &plan.stages {
        match &stage.load {
            Load::Closed { users: n, .. } | Load::Sweep { max_users: n, .. } => {
                users = users.max(n.get());
            }
            Load::Open { rate: r, .. } => rate = rate.max(*r),
            Load::Search {
                over: Over::Rate,
                max,
                ..
            } => rate = rate.max(*max),
            Load::Search { .. } => users = users.max(stage.load.max_in_flight()),
            Load::Replay { .. } => is_replay = true,
        }
    }
    let users = match users {
        0 => None,
        1 => Some("1 user".to_owned()),
        n => Some(format!("up to {} users", grouped(u64::from(n)))),
    };
    let rate = (rate > 0.0).then(|| format!("up to {} req/s", short(rate)));
    let replay = is_replay.then(|| "as the trace has them".to_owned());
    let words: Vec<String> = [users, rate, replay].into_iter().flatten().collect();
    words.join(", ")
}

fn short(rate: f64) -> String {
    crate::chart::format::number(rate)
}
