//! Faults met by the whole program: the binary against a server that misbehaves, judged by exit code, JSON and run file.

mod ends;
mod keys;
mod machine;
mod server;
mod terminal;
mod wire;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::cli::{assert_measured, code, inferometer, lines_of, text};

/// A run of the binary in a home of its own.
struct Seen {
    output: Output,
    code: i32,
    stdout: String,
    stderr: String,
    /// The summary; null where none was printed.
    summary: Value,
    /// The run file's lines.
    lines: Vec<Value>,
}

impl Seen {
    fn of(file: &Path, output: Output) -> Self {
        let stdout = text(&output.stdout);
        Self {
            code: code(&output),
            summary: serde_json::from_str(&stdout).unwrap_or_default(),
            stdout,
            stderr: text(&output.stderr),
            lines: if file.exists() {
                lines_of(file)
            } else {
                Vec::new()
            },
            output,
        }
    }

    fn stage(&self) -> &Value {
        &self.summary["stages"][0]
    }

    /// In the order of sending.
    fn requests(&self) -> Vec<&Value> {
        let mut requests: Vec<&Value> = self
            .lines
            .iter()
            .filter(|l| l["type"] == "request")
            .collect();
        requests.sort_by_key(|l| l["seq"].as_u64());
        requests
    }

    fn has_caution(&self, id: &str) -> bool {
        self.caution(id).is_some()
    }

    fn caution(&self, id: &str) -> Option<&Value> {
        let cautions = self.summary["cautions"].as_array().into_iter().flatten();
        cautions.into_iter().find(|c| c["id"] == id)
    }

    fn reasons(&self) -> String {
        self.summary["verdict"]["reasons"].to_string()
    }

    /// As [`crate::cli::assert_measured`].
    #[track_caller]
    fn assert_fine(&self) {
        assert_measured(&self.output);
    }

    #[track_caller]
    fn assert_code(&self, code: i32) {
        assert_eq!(self.code, code, "{}\n{}", self.stderr, self.stdout);
    }
}

/// What a person sees on both ends.
fn both(output: &Output) -> String {
    [text(&output.stdout), text(&output.stderr)].concat()
}

fn flags(url: &str, file: &Path, more: &[&str]) -> Vec<String> {
    let fixed = [
        "run",
        "--url",
        url,
        "--protocol",
        "openai-chat",
        "--model",
        "m",
        "--json",
        "-o",
    ];
    let file = file.display().to_string();
    let all = [&fixed[..], &[file.as_str()], more].concat();
    all.into_iter().map(str::to_owned).collect()
}

/// The command, its home and its run file.
fn prepared(url: &str, more: &[&str]) -> (Command, tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("x.run.jsonl");
    let flags = flags(url, &file, more);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    (inferometer(home.path(), &flags), home, file)
}

/// Measures with one user, unless told otherwise.
fn measure(url: &str, more: &[&str]) -> Seen {
    measure_with(url, more, |_| {})
}

fn measure_with(url: &str, more: &[&str], set: impl FnOnce(&mut Command)) -> Seen {
    let (mut command, home, file) = prepared(url, more);
    set(&mut command);
    let output = command.output().unwrap();
    let seen = Seen::of(&file, output);
    drop(home);
    seen
}
