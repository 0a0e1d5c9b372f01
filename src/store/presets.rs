//! The plans that come with the program: `resources/plans/*.plan.toml`.

use super::plan_file::check_text;
use crate::domain::Plan;

/// A plan to start from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Preset {
    /// As in `inferometer plan new tiers`.
    pub id: &'static str,
    /// As in the window's menu.
    pub title: &'static str,
    /// The file as it is, with its comments. Its address is an example (of `demo`: filled in when the demo server is up).
    pub text: &'static str,
}

impl Preset {
    /// The plan; `None` only if the file were broken, which a test rules out.
    pub fn plan(&self) -> Option<Plan> {
        check_text(self.text).plan
    }

    /// The first sentence of its comment.
    pub fn about(&self) -> String {
        let comment: Vec<&str> = self
            .text
            .lines()
            .map_while(|line| line.strip_prefix('#'))
            .map(str::trim)
            .collect();
        let comment = comment.join(" ");
        match comment.split_once(". ") {
            Some((first, _)) => first.to_owned(),
            None => comment.trim_end_matches('.').to_owned(),
        }
    }
}

/// A preset by its id, which is its file's name too.
macro_rules! preset {
    ($id:literal, $title:literal) => {
        Preset {
            id: $id,
            title: $title,
            text: include_str!(concat!("../../resources/plans/", $id, ".plan.toml")),
        }
    };
}

const PRESETS: &[Preset] = &[
    preset!("demo", "Demo"),
    preset!("iterations", "Iterations"),
    preset!("tiers", "Tiers 1, 10, 100"),
    preset!("burst", "Burst tiers"),
    preset!("space", "Space check"),
    preset!("long-streams", "Long streams"),
    preset!("duration", "Duration tiers"),
    preset!("single-request", "Single request"),
    preset!("constant-rate", "Constant rate"),
    preset!("sweep", "Sweep"),
    preset!("search", "Search for the goals' load"),
    preset!("chat", "Chat, multi-turn"),
    preset!("code-generation", "Code generation"),
    preset!("classification", "Classification"),
    preset!("fixed-length", "Fixed length"),
    preset!("long-context-rag", "Long-context RAG"),
    preset!("space-check", "Space check with goals"),
    preset!("gradio-tiers", "Gradio tiers 1, 10, 100"),
];

/// The plans that come with the program, in the order of a menu.
pub fn presets() -> &'static [Preset] {
    PRESETS
}

/// The preset with that id.
pub fn preset(id: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|p| p.id == id)
}
