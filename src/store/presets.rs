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

const PRESETS: &[Preset] = &[
    Preset {
        id: "demo",
        title: "Demo",
        text: include_str!("../../resources/plans/demo.plan.toml"),
    },
    Preset {
        id: "iterations",
        title: "Iterations",
        text: include_str!("../../resources/plans/iterations.plan.toml"),
    },
    Preset {
        id: "tiers",
        title: "Tiers 1, 10, 100",
        text: include_str!("../../resources/plans/tiers.plan.toml"),
    },
    Preset {
        id: "burst",
        title: "Burst tiers",
        text: include_str!("../../resources/plans/burst.plan.toml"),
    },
    Preset {
        id: "space",
        title: "Space check",
        text: include_str!("../../resources/plans/space.plan.toml"),
    },
    Preset {
        id: "long-streams",
        title: "Long streams",
        text: include_str!("../../resources/plans/long-streams.plan.toml"),
    },
    Preset {
        id: "duration",
        title: "Duration tiers",
        text: include_str!("../../resources/plans/duration.plan.toml"),
    },
];

/// The plans that come with the program, in the order of a menu.
pub fn presets() -> &'static [Preset] {
    PRESETS
}

/// The preset with that id.
pub fn preset(id: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|p| p.id == id)
}
