//! Goals as rows of text.

use super::issues::{Issues, filled};
use crate::domain::{Better, GOAL_PRESETS, Goal, GoalPreset, MetricId, Unit};

/// One goal as it is typed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GoalRow {
    pub metric: MetricId,
    /// 95 for p95; empty for the share that a goal has when none is named.
    pub percent: String,
    /// In the metric's unit, or with one of its own.
    pub limit: String,
}

impl Default for GoalRow {
    fn default() -> Self {
        Self {
            metric: MetricId::Ttft,
            percent: "95".to_owned(),
            limit: "500".to_owned(),
        }
    }
}

impl GoalRow {
    pub fn of(goal: &Goal) -> Self {
        // The text form has the numbers as a person writes them.
        let text = goal.to_string();
        let (name, limit) = text.split_once(':').unwrap_or_default();
        let percent = name.split_once(".p").map_or("", |(_, percent)| percent);
        Self {
            metric: goal.metric,
            percent: percent.to_owned(),
            limit: limit.trim_end_matches("ms").to_owned(),
        }
    }

    /// The goal that it says.
    ///
    /// # Errors
    /// What is wrong with the share or the limit, as a sentence.
    pub fn read(&self) -> Result<Goal, String> {
        let percent = filled(&self.percent).map(|p| p.trim_start_matches('p').to_owned());
        if let Some(text) = &percent
            && !text.parse().is_ok_and(|p: f64| p > 0.0 && p < 100.0)
        {
            return Err(format!(
                "“{text}” is no share: write a number between 0 and 100, as in 95"
            ));
        }
        let limit = self.limit.trim();
        let at = percent.map(|p| format!(".p{p}")).unwrap_or_default();
        let text = format!("{}{at}:{limit}", self.metric.key());
        text.parse()
            .map_err(|_of_the_whole: String| match self.unit() {
                Unit::Ms => {
                    format!("“{limit}” is no limit: write milliseconds, as in 500, or 1.5s")
                }
                unit => format!(
                    "“{limit}” is no limit: write a number of {} above 0",
                    unit.label()
                ),
            })
    }

    pub fn unit(&self) -> Unit {
        self.metric.metric().unit
    }

    /// In words: `p95 TTFT ≤ 500 ms`, or which side of the limit is good.
    pub fn said(&self) -> String {
        let side = match self.metric.metric().better {
            Better::Lower => "At most that",
            Better::Higher => "At least that",
        };
        self.read().map_or_else(|_| side.to_owned(), |g| g.label())
    }
}

/// The rows of these goals.
pub(super) fn rows_of(goals: &[Goal]) -> Vec<GoalRow> {
    goals.iter().map(GoalRow::of).collect()
}

/// The goals of these rows; what is wrong stands at `goals.N`.
pub(super) fn goals_of(rows: &[GoalRow], issues: &mut Issues) -> Vec<Goal> {
    let read = |(i, row): (usize, &GoalRow)| issues.read(&format!("goals.{i}"), row.read());
    rows.iter().enumerate().filter_map(read).collect()
}

/// A preset's goals in words, for its line in the menu.
pub(super) fn preset_words(preset: &GoalPreset) -> String {
    let labels: Vec<String> = preset.goals().iter().map(Goal::label).collect();
    labels.join(", ")
}

/// The preset that these rows say, if they say one.
pub(super) fn preset_said(rows: &[GoalRow]) -> Option<&'static GoalPreset> {
    let goals: Vec<Goal> = rows.iter().filter_map(|r| r.read().ok()).collect();
    let all_read = goals.len() == rows.len();
    GOAL_PRESETS.iter().find(|p| all_read && p.goals() == goals)
}
