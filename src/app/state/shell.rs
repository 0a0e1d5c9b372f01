//! What the frame around the views says of the state.

use std::sync::Arc;

use super::{AppState, Fetch, host_of};
use crate::app::actions::{Action, View};
use crate::app::form::{Section, grouped};
use crate::app::measure::EmptyModel;
use crate::app::shell::{ChipHealth, RunButton, ShellModel, Status, TargetChip, bytes};
use crate::domain::RunData;

impl AppState {
    /// Top bar, rail and status bar in words.
    pub fn shell(&self) -> ShellModel {
        ShellModel {
            view: self.view,
            target: self.target_chip(),
            run: self.run_button(),
            status: self.status(),
        }
    }

    /// What the Measure view says before anything was measured.
    pub fn empty(&self) -> EmptyModel {
        let url = self.form.target.url.trim();
        let is_demo = self.demo.as_ref().is_some_and(|(demo, _)| demo == url);
        let built_in = matches!(self.plan_home, super::PlanHome::BuiltIn(_));
        let first = if is_demo || built_in && !self.is_unsaved() {
            return EmptyModel {
                reason: self.start_block(),
                open_key: Action::Open.key_hint(),
                ..EmptyModel::default()
            };
        } else if url.is_empty() {
            "Type a URL or a Space at the left, or paste a curl command.".to_owned()
        } else {
            format!("The plan on the left points at {}.", address_of(url))
        };
        EmptyModel {
            lines: [
                first,
                "Send one request to see what comes back, or press Start.".to_owned(),
            ],
            start: "Start run".to_owned(),
            reason: self.start_block(),
            open_key: Action::Open.key_hint(),
            ..EmptyModel::default()
        }
    }

    fn target_chip(&self) -> TargetChip {
        let url = self.form.target.url.trim();
        if url.is_empty() {
            return TargetChip::default();
        }
        let is_demo = self.demo.as_ref().is_some_and(|(demo, _)| demo == url);
        let info = self.target_info();
        let name = match info.map(|i| i.facts.name.as_str()) {
            _ if is_demo => "Demo server".to_owned(),
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => self
                .form
                .target
                .protocol
                .label()
                .replace("Detect", "Target"),
        };
        TargetChip {
            health: self.chip_health(),
            name,
            address: address_of(url),
        }
    }

    fn chip_health(&self) -> ChipHealth {
        match &self.test {
            Fetch::Ready(report) if !report.ok => return ChipHealth::Bad,
            Fetch::Ready(_) => return ChipHealth::Good,
            Fetch::Failed { .. } => return ChipHealth::Bad,
            Fetch::Idle | Fetch::Pending { .. } => {}
        }
        match &self.info {
            Fetch::Failed { .. } => ChipHealth::Bad,
            _ if self.target_info().is_some() => ChipHealth::Good,
            _ => ChipHealth::Unknown,
        }
    }

    fn run_button(&self) -> RunButton {
        if let Some(running) = &self.running {
            return RunButton::Stop {
                again: running.stops > 0,
            };
        }
        RunButton::Start {
            primary: self.view == View::Measure,
            key: Action::Start.key_hint(),
            reason: self.start_block(),
        }
    }

    fn status(&self) -> Status {
        match self.view {
            View::Runs => return self.library_status(),
            View::Compare => return self.compare_status(),
            View::Measure => {}
        }
        if let Some(live) = &self.live {
            return self.status_of_live(live);
        }
        let n_issues = self.n_blocking();
        if n_issues > 0 {
            return self.issues_status();
        }
        if self.starting {
            return headline("Starting", String::new());
        }
        match self.run_shown() {
            Some(run) => Status::of_run(run),
            None => self.ready_status(),
        }
    }

    fn status_of_live(&self, live: &Arc<RunData>) -> Status {
        let mut status = Status::of_run(live);
        if let Some(v) = live.head.variation.as_ref().filter(|_| live.is_live()) {
            let place = format!("Run {} of {}", v.index + 1, v.of);
            status.headline = format!("{place}: {}", lower_first(&status.headline));
        }
        if let Some(left) = self.left_for_all(live) {
            status.left = [std::mem::take(&mut status.left), left]
                .into_iter()
                .filter(|words| !words.is_empty())
                .collect::<Vec<_>>()
                .join(", ");
        }
        status
    }

    fn ready_status(&self) -> Status {
        let demo = self
            .demo
            .as_ref()
            .map(|(url, _)| format!("Demo server is listening on {}", address_of(url)));
        let url = self.form.target.url.trim();
        let is_unknown = matches!(self.info, Fetch::Failed { .. }) && self.info_for == url;
        let mut status = if is_unknown {
            headline("Target not found", address_of(url))
        } else {
            headline("Ready", demo.unwrap_or_default())
        };
        if let Some(folder) = &self.library.folder {
            status.file_verb = format!("Runs are saved in {}", tilde(folder));
        }
        status
    }

    fn issues_status(&self) -> Status {
        let mut names: Vec<String> = Vec::new();
        for issue in self.issues() {
            let name = field_name(&issue.field);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let n = self.n_blocking();
        let things = if n == 1 { "thing" } else { "things" };
        let words = format!("{n} {things} to fix: {}", names.join(", "));
        let mut status = headline("Cannot start", words);
        if self.is_unsaved() {
            "Plan not saved yet".clone_into(&mut status.file_verb);
        }
        status
    }

    fn library_status(&self) -> Status {
        let n = self.library.entries().len();
        let runs = if n == 1 { "run" } else { "runs" };
        let selected = match self.library.n_ticked() {
            0 => String::new(),
            n => format!("{n} selected"),
        };
        let mut status = headline(&format!("{} {runs}", grouped(n as u64)), selected);
        if let Some(folder) = &self.library.folder {
            status.file_verb = format!("{}, {}", tilde(folder), bytes(self.library.bytes()));
        }
        status
    }

    fn compare_status(&self) -> Status {
        use crate::app::compare::CompareMode;
        if self.compare.mode == CompareMode::Parameter {
            let n = self.compare.parameter.n_runs(&self.library);
            return headline("By parameter", format!("{n} runs of a varied plan"));
        }
        match (self.compare.mode, &self.compare.a, &self.compare.b) {
            (CompareMode::Versus, Some(_), Some(_)) => headline(
                "Comparing two runs",
                "within these two runs only".to_owned(),
            ),
            (CompareMode::ColdWarm, Some(_), _) => {
                headline("Cold against warm", "of one run".to_owned())
            }
            _ => headline("Nothing to compare yet", String::new()),
        }
    }
}

fn lower_first(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().into_iter().flat_map(char::to_lowercase);
    first.chain(chars).collect()
}

fn headline(words: &str, counts: String) -> Status {
    Status {
        headline: words.to_owned(),
        counts,
        ..Status::default()
    }
}

/// Host and port of a URL, or the text itself.
pub(crate) fn address_of(text: &str) -> String {
    let text = text.trim();
    if let Ok(url) = url::Url::parse(text)
        && let Some(host) = url.host_str()
    {
        return match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
    }
    // A Space's name says more than the host behind it.
    match host_of(text).as_str() {
        "" | "huggingface.co" => text.chars().take(40).collect(),
        host => host.to_owned(),
    }
}

/// A folder under the person's home, written with `~`.
pub(crate) fn tilde(path: &std::path::Path) -> String {
    let home = std::env::home_dir();
    match home
        .as_deref()
        .and_then(|home| path.strip_prefix(home).ok())
    {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

/// A sentence of the terminal's: fields in backticks become the words of their labels.
pub(super) fn in_plain_words(sentence: &str) -> String {
    let parts = sentence.split('`').enumerate();
    let words = parts.map(|(i, part)| match i % 2 {
        1 => format!("“{}”", field_name(part)),
        _ => part.to_owned(),
    });
    words.collect()
}

/// The words for a plan field, as its label says it.
pub(crate) fn field_name(field: &str) -> String {
    let known = match field {
        "target.url" => "URL",
        "target.key" => "key",
        "users" => "users per stage",
        "requests" => "requests per stage",
        "requests_per_user" => "requests per user",
        "duration_secs" => "time per stage",
        "limits.max_secs" => "stop after",
        "limits.max_errors" => "errors at most",
        "limits.max_error_percent" => "errors above",
        "workload.users" => "user prompts",
        "workload.extra_body" => "extra JSON",
        "workload.ignore_eos" => "Answer up to the limit",
        "warmup" => "warm-up",
        "rate" => "requests per second",
        "max_in_flight" => "in flight at most",
        "replay" => "trace",
        "time_scale" => "times as fast",
        _ if field.starts_with("goals") => "goals",
        _ if field.starts_with("vary") => "varied fields",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let last = field.rsplit('.').next().unwrap_or(field);
    let word = last.trim_end_matches("_secs").replace('_', " ");
    match Section::of(field) {
        Some(_) => word,
        None => field.to_owned(),
    }
}
