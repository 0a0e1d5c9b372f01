//! What is sent, as text.

use std::path::PathBuf;

use super::issues::{Issues, filled};
use super::length::LengthForm;
use super::model::{BLOCK_BORDER, TargetForm};
use crate::domain::{PromptOrder, PromptSharing, TokenizerRef, Workload, parse_duration_secs};

/// Where user prompts come from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PromptSource {
    #[default]
    BuiltIn,
    /// One per line.
    Lines,
    /// Prompts of several lines, with a line of `BLOCK_BORDER` between.
    Blocks,
    File,
    /// A file, a folder or a dataset on the Hub.
    Dataset,
    /// Made to a length.
    Synthetic,
}

impl PromptSource {
    pub const ALL: [Self; 6] = [
        Self::BuiltIn,
        Self::Lines,
        Self::Blocks,
        Self::File,
        Self::Dataset,
        Self::Synthetic,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Self::BuiltIn => "Built in",
            Self::Lines => "One per line",
            Self::Blocks => "Several lines each",
            Self::File => "From a file",
            Self::Dataset => "From a dataset",
            Self::Synthetic => "Made to a length",
        }
    }
}

/// How `max_tokens` is given.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OutputKind {
    /// One number for all, or none.
    #[default]
    Limit,
    /// Drawn for each request.
    Drawn,
}

/// What synthetic prompts have in common.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SharingKind {
    #[default]
    Unique,
    Fixed,
    Shared,
}

impl SharingKind {
    pub const ALL: [Self; 3] = [Self::Unique, Self::Shared, Self::Fixed];

    pub fn label(self) -> &'static str {
        match self {
            Self::Unique => "Nothing",
            Self::Shared => "Their beginning",
            Self::Fixed => "All of it",
        }
    }
}

/// Who counts tokens on our side.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TokenizerKind {
    #[default]
    None,
    O200k,
    Server,
    Hub,
    File,
}

impl TokenizerKind {
    pub const ALL: [Self; 5] = [Self::None, Self::O200k, Self::Server, Self::Hub, Self::File];

    pub fn label(self) -> &'static str {
        match self {
            Self::None => "o200k, where needed",
            Self::O200k => "o200k, always",
            Self::Server => "The server's /tokenize",
            Self::Hub => "A model on the Hub",
            Self::File => "A tokenizer.json",
        }
    }
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PromptsForm {
    pub system: String,
    pub source: PromptSource,
    pub users: String,
    pub file: String,
    pub dataset: String,
    /// Given prompts are cut to `input`.
    pub cut: bool,
    pub input: LengthForm,
    pub sharing: SharingKind,
    /// Of each prompt, in percent.
    pub share: String,
    pub tokenizer: TokenizerKind,
    pub tokenizer_name: String,
    pub tokenizer_file: String,
    pub turns: String,
    pub think: String,
    pub order: PromptOrder,
    pub nonce: bool,
    pub output: OutputKind,
    pub max_tokens: String,
    pub output_length: LengthForm,
    pub ignore_eos: bool,
    pub extra_body: String,
}

// From a plan.

impl PromptsForm {
    pub(super) fn from_workload(workload: &Workload) -> Self {
        let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
        let mut prompts = Self {
            system: workload.system.clone(),
            order: workload.order,
            nonce: workload.nonce,
            max_tokens: number(workload.max_tokens),
            extra_body: workload.extra_body.clone(),
            turns: workload.turns.to_string(),
            think: workload.think_secs.to_string(),
            ignore_eos: workload.ignore_eos,
            share: "50".to_owned(),
            ..Self::default()
        };
        prompts.set_users(&workload.users);
        if let Some(file) = &workload.prompts_file {
            prompts.source = PromptSource::File;
            prompts.file = file.display().to_string();
        }
        if let Some(dataset) = &workload.dataset {
            prompts.source = PromptSource::Dataset;
            prompts.dataset = dataset.to_string();
        }
        if let Some(length) = workload.input_tokens {
            prompts.input = LengthForm::of(length);
            prompts.cut = prompts.source != PromptSource::BuiltIn;
            if !prompts.cut {
                prompts.source = PromptSource::Synthetic;
            }
        }
        if let Some(length) = workload.output_tokens {
            prompts.output = OutputKind::Drawn;
            prompts.output_length = LengthForm::of(length);
        }
        prompts.set_sharing(workload.sharing);
        prompts.set_tokenizer(workload.tokenizer.as_ref());
        prompts
    }

    fn set_sharing(&mut self, sharing: PromptSharing) {
        self.sharing = match sharing {
            PromptSharing::Unique => SharingKind::Unique,
            PromptSharing::Fixed => SharingKind::Fixed,
            PromptSharing::Shared(share) => {
                self.share = percent_of(share);
                SharingKind::Shared
            }
        };
    }

    pub(crate) fn set_tokenizer(&mut self, tokenizer: Option<&TokenizerRef>) {
        self.tokenizer = match tokenizer {
            None => TokenizerKind::None,
            Some(TokenizerRef::O200k) => TokenizerKind::O200k,
            Some(TokenizerRef::Server) => TokenizerKind::Server,
            Some(TokenizerRef::Hub(name)) => {
                self.tokenizer_name.clone_from(name);
                TokenizerKind::Hub
            }
            Some(TokenizerRef::Path(path)) => {
                self.tokenizer_file = path.display().to_string();
                TokenizerKind::File
            }
        };
    }

    /// The text that says these prompts: one per line, or blocks when one of them has several lines.
    pub fn set_users(&mut self, users: &[String]) {
        let several_lines = users
            .iter()
            .any(|u| u.contains(['\n', '\r']) || u.trim().is_empty());
        (self.source, self.users) = if users.is_empty() {
            (PromptSource::BuiltIn, String::new())
        } else if several_lines {
            let border = format!("\n{BLOCK_BORDER}\n");
            (PromptSource::Blocks, users.join(&border))
        } else {
            (PromptSource::Lines, users.join("\n"))
        };
    }
}

/// 50 for 0.5, by moving the point: the same share comes back.
fn percent_of(share: f64) -> String {
    let text = share.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let part = format!("{part:0<2}");
    let (moved, rest) = part.split_at(2);
    let digits = format!("{whole}{moved}");
    let digits = digits.trim_start_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    if rest.is_empty() {
        digits.to_owned()
    } else {
        format!("{digits}.{rest}")
    }
}

/// 0.5 for 50.
fn share_of(percent: &str) -> Option<f64> {
    let is_plain = percent.chars().all(|c| c.is_ascii_digit() || c == '.');
    let share = format!("{percent}e-2").parse().ok()?;
    (is_plain && share > 0.0 && share < 1.0).then_some(share)
}

// To a plan.

impl PromptsForm {
    /// The workload, without what the target's own fields say.
    pub(super) fn to_workload(&self, target: &TargetForm, issues: &mut Issues) -> Workload {
        let extra_body = self.extra_body.trim();
        if let Some(message) = super::extra_body_issue(extra_body) {
            issues.add("workload.extra_body", message);
        }
        let users = self.user_list();
        let typed = matches!(self.source, PromptSource::Lines | PromptSource::Blocks);
        if typed && users.is_empty() {
            issues.add(
                "workload.users",
                "Write at least one prompt, or choose the built-in ones",
            );
        }
        let is = |source| self.source == source;
        let drawn = self.output == OutputKind::Drawn;
        Workload {
            system: self.system.clone(),
            users,
            prompts_file: is(PromptSource::File)
                .then(|| self.prompts_file(issues))
                .flatten(),
            dataset: is(PromptSource::Dataset)
                .then(|| self.dataset(issues))
                .flatten(),
            input_tokens: self
                .has_input_length()
                .then(|| self.input.read("workload.input_tokens", issues))
                .flatten(),
            sharing: self.sharing(issues),
            tokenizer: self.tokenizer(issues),
            turns: issues.number("workload.turns", &self.turns, "a whole number, as in 1"),
            think_secs: self.think_secs(issues),
            order: self.order,
            nonce: self.nonce,
            max_tokens: if drawn {
                None
            } else {
                issues.optional(
                    "workload.max_tokens",
                    &self.max_tokens,
                    "a whole number, or empty to leave it to the server",
                )
            },
            output_tokens: drawn
                .then(|| self.output_length.read("workload.output_tokens", issues))
                .flatten(),
            ignore_eos: self.ignore_eos,
            extra_body: extra_body.to_owned(),
            inputs: target.input_values(issues),
            system_input: filled(&target.system_input),
            user_input: filled(&target.user_input),
        }
    }

    /// The prompts typed; empty for every other source.
    pub fn user_list(&self) -> Vec<String> {
        match self.source {
            PromptSource::Lines => {
                let lines = self.users.lines().filter(|l| !l.trim().is_empty());
                lines.map(str::to_owned).collect()
            }
            PromptSource::Blocks if !self.users.trim().is_empty() => {
                let border = format!("\n{BLOCK_BORDER}\n");
                self.users
                    .split(border.as_str())
                    .map(str::to_owned)
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// Prompts are made, or cut, to a length.
    pub fn has_input_length(&self) -> bool {
        match self.source {
            PromptSource::Synthetic => true,
            PromptSource::BuiltIn => false,
            _ => self.cut,
        }
    }

    fn prompts_file(&self, issues: &mut Issues) -> Option<PathBuf> {
        let file = filled(&self.file);
        if file.is_none() {
            issues.add(
                "workload.prompts_file",
                "Choose a text file with one prompt a line",
            );
        }
        file.map(PathBuf::from)
    }

    fn dataset(&self, issues: &mut Issues) -> Option<crate::domain::DatasetRef> {
        if self.dataset.trim().is_empty() {
            issues.add(
                "workload.dataset",
                "Choose a file or a folder, or name one on the Hub as hf:OWNER/NAME/FILE",
            );
            return None;
        }
        issues.read("workload.dataset", self.dataset.parse())
    }

    fn sharing(&self, issues: &mut Issues) -> PromptSharing {
        match self.sharing {
            SharingKind::Unique => PromptSharing::Unique,
            SharingKind::Fixed => PromptSharing::Fixed,
            SharingKind::Shared => {
                let text = self.share.trim();
                match share_of(text) {
                    Some(share) => return PromptSharing::Shared(share),
                    // Hidden with any other source, and without effect.
                    _ if self.source != PromptSource::Synthetic => {}
                    _ => issues.add(
                        "workload.sharing",
                        format!("“{text}” is no share: write a number between 0 and 100, as in 50"),
                    ),
                }
                PromptSharing::Unique
            }
        }
    }

    fn tokenizer(&self, issues: &mut Issues) -> Option<TokenizerRef> {
        const FIELD: &str = "workload.tokenizer";
        match self.tokenizer {
            TokenizerKind::None => None,
            TokenizerKind::O200k => Some(TokenizerRef::O200k),
            TokenizerKind::Server => Some(TokenizerRef::Server),
            TokenizerKind::Hub => {
                let name = self.tokenizer_name.trim();
                if name.is_empty() {
                    issues.add(FIELD, "Name a model on the Hub, as in owner/model");
                    return None;
                }
                let name = name.strip_prefix("hf:").unwrap_or(name);
                issues.read(FIELD, format!("hf:{name}").parse())
            }
            TokenizerKind::File => {
                let file = filled(&self.tokenizer_file);
                if file.is_none() {
                    issues.add(FIELD, "Choose a tokenizer.json");
                }
                file.map(|f| TokenizerRef::Path(f.into()))
            }
        }
    }

    fn think_secs(&self, issues: &mut Issues) -> f64 {
        match parse_duration_secs(&self.think) {
            Ok(secs) => secs,
            Err(_) if self.think.trim().is_empty() => 0.0,
            Err(message) => {
                issues.add("workload.think_secs", message);
                0.0
            }
        }
    }
}
