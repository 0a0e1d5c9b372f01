//! Files that come from outside: dropped, opened by argument, or chosen; each goes where it belongs.

use std::path::{Path, PathBuf};

use super::{AppState, BannerKind, OpenFor};
use crate::app::actions::View;
use crate::app::dialogs::Dialog;
use crate::app::form::{LoadKind, PromptSource, Section, TokenizerKind};
use crate::session::Command;

/// What a person says that a file is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UseAs {
    Dataset,
    Trace,
    Run,
}

impl AppState {
    /// Opens files by what they are: runs, several of them to compare; a plan; a prompt file.
    pub fn open_paths(&mut self, paths: Vec<PathBuf>) {
        let mut runs = Vec::new();
        for path in paths {
            match FileKind::of(&path) {
                FileKind::Run => runs.push(path),
                FileKind::Plan => self.open_plan(path),
                FileKind::Prompts => self.take_prompt_file(&path),
                FileKind::Tokenizer => self.take_tokenizer(&path),
                FileKind::Template => self.open_template(path),
                FileKind::Unclear => self.take_unclear_file(path),
                FileKind::Other => self.take_other_file(&path),
            }
        }
        match runs.len() {
            0 => {}
            1 => self.open(OpenFor::Show, runs),
            2 => {
                self.compare.waits_for_a = true;
                self.open(OpenFor::Compare, runs);
            }
            _ => {
                self.several.clone_from(&runs);
                self.open(OpenFor::Several, runs);
            }
        }
    }

    fn open_plan(&mut self, path: PathBuf) {
        if self.is_locked() {
            self.banner(
                BannerKind::Failed,
                format!("“{}” was not opened: a run is under way", path.display()),
            );
        } else {
            self.command(Command::OpenPlan(path));
        }
    }

    pub(super) fn take_prompt_file(&mut self, path: &Path) {
        if !self.is_locked() {
            self.form.prompts.source = PromptSource::File;
            self.form.prompts.file = path.display().to_string();
            self.open_sections.insert(Section::Prompts);
            self.view = View::Measure;
        }
    }

    /// A file of no kind of ours: the first Gradio input that takes a file and has none.
    fn take_other_file(&mut self, path: &Path) {
        let field = self.first_open_file_input();
        if let (Some(field), false) = (field, self.is_locked()) {
            let text = path.display().to_string();
            self.form.set_input(&field.name, &field.kind, text);
            self.open_sections.insert(Section::Target);
            self.view = View::Measure;
            return;
        }
        self.banner(
            BannerKind::Failed,
            format!(
                "“{}” is neither a run (.run.jsonl) nor a plan (.plan.toml) nor prompts (.txt)",
                path.display()
            ),
        );
    }

    fn open_template(&mut self, path: PathBuf) {
        if !self.is_locked() {
            self.command(Command::OpenTemplate(path));
        }
    }

    pub(super) fn take_tokenizer(&mut self, path: &Path) {
        if !self.is_locked() {
            let prompts = &mut self.form.prompts;
            prompts.tokenizer = TokenizerKind::File;
            prompts.tokenizer_file = path.display().to_string();
            self.open_sections.insert(Section::Prompts);
            self.view = View::Measure;
        }
    }

    /// JSON, lines of it, or a table: the open field that waits for one takes it, else the person is asked.
    fn take_unclear_file(&mut self, path: PathBuf) {
        let (load, prompts) = (&self.form.load, &self.form.prompts);
        if self.first_open_file_input().is_some() {
            self.take_other_file(&path);
        } else if load.kind == LoadKind::Replay && load.trace.trim().is_empty() {
            self.use_file(path, UseAs::Trace);
        } else if prompts.source == PromptSource::Dataset && prompts.dataset.trim().is_empty() {
            self.use_file(path, UseAs::Dataset);
        } else {
            self.dialog = Some(Dialog::UseFile { path });
        }
    }

    /// Puts a file where it belongs.
    pub fn use_file(&mut self, path: PathBuf, use_as: UseAs) {
        self.dialog = None;
        if use_as == UseAs::Run {
            self.open(OpenFor::Show, vec![path]);
            return;
        }
        if self.is_locked() {
            return;
        }
        self.view = View::Measure;
        match use_as {
            UseAs::Dataset => {
                self.form.prompts.source = PromptSource::Dataset;
                self.form.prompts.dataset = path.display().to_string();
                self.open_sections.insert(Section::Prompts);
            }
            UseAs::Trace | UseAs::Run => {
                self.form.load.kind = LoadKind::Replay;
                self.form.load.trace = path.display().to_string();
                self.open_sections.insert(Section::Load);
            }
        }
    }
}

/// The file's name ends in one of these, in whatever case.
pub(super) fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase());
    name.is_some_and(|name| endings.iter().any(|ending| name.ends_with(ending)))
}

/// What a file is, by its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum FileKind {
    Run,
    Plan,
    Prompts,
    Tokenizer,
    Template,
    /// A dataset, a trace, or a run by another name.
    Unclear,
    Other,
}

impl FileKind {
    fn of(path: &Path) -> Self {
        if has_ending(path, &[".run.jsonl", ".jsonl.zst"]) {
            Self::Run
        } else if has_ending(path, &["tokenizer.json"]) {
            Self::Tokenizer
        } else if has_ending(path, &[".template.toml"]) {
            Self::Template
        } else if has_ending(path, &[".json", ".jsonl", ".csv"]) {
            Self::Unclear
        } else if has_ending(path, &[".toml"]) {
            Self::Plan
        } else if has_ending(path, &[".txt"]) {
            Self::Prompts
        } else {
            Self::Other
        }
    }
}
