//! A length in tokens, as text.

use super::issues::Issues;
use crate::domain::LengthSpec;

/// How a length is drawn.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LengthShape {
    #[default]
    Fixed,
    Normal,
    Uniform,
}

/// A length in tokens, by its numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LengthForm {
    pub shape: LengthShape,
    pub fixed: String,
    pub mean: String,
    pub sd: String,
    pub min: String,
    pub max: String,
}

impl Default for LengthForm {
    fn default() -> Self {
        Self {
            shape: LengthShape::Fixed,
            fixed: "200".to_owned(),
            mean: "200".to_owned(),
            sd: "10".to_owned(),
            min: "180".to_owned(),
            max: "220".to_owned(),
        }
    }
}

impl LengthForm {
    pub fn of(length: LengthSpec) -> Self {
        let mut form = Self::default();
        match length {
            LengthSpec::Fixed(n) => form.fixed = n.to_string(),
            LengthSpec::Normal { mean, sd, min, max } => {
                form.shape = LengthShape::Normal;
                (form.mean, form.sd) = (mean.to_string(), sd.to_string());
                (form.min, form.max) = (min.to_string(), max.to_string());
            }
            LengthSpec::Uniform { min, max } => {
                form.shape = LengthShape::Uniform;
                (form.min, form.max) = (min.to_string(), max.to_string());
            }
        }
        form
    }

    /// As the plan and the flag write it.
    pub fn text(&self) -> String {
        let [fixed, mean, sd, min, max] =
            [&self.fixed, &self.mean, &self.sd, &self.min, &self.max].map(|t| ungrouped(t));
        match self.shape {
            LengthShape::Fixed => fixed,
            LengthShape::Normal => format!("normal:{mean},{sd},{min},{max}"),
            LengthShape::Uniform => format!("uniform:{min}..{max}"),
        }
    }

    /// A length in the plan's own words that was typed or pasted where one number belongs: taken apart.
    pub fn take_text_form(&mut self) {
        if self.shape == LengthShape::Fixed
            && self.fixed.contains(':')
            && let Ok(length) = self.fixed.parse()
        {
            *self = Self::of(length);
        }
    }

    pub(super) fn read(&self, field: &str, issues: &mut Issues) -> Option<LengthSpec> {
        let parts: &[(&str, &String)] = match self.shape {
            LengthShape::Fixed => &[("The length", &self.fixed)],
            LengthShape::Normal => &[
                ("The mean", &self.mean),
                ("The deviation", &self.sd),
                ("The least", &self.min),
                ("The most", &self.max),
            ],
            LengthShape::Uniform => &[("The least", &self.min), ("The most", &self.max)],
        };
        for (name, text) in parts {
            if ungrouped(text).parse::<u32>().is_err() {
                let message = match text.trim() {
                    "" => format!("{name} is empty: a whole number of tokens, as in 200"),
                    text => {
                        format!("{name} “{text}” is not a whole number of tokens, as in 200")
                    }
                };
                let part = name.trim_start_matches("The ");
                issues.add(format!("{field}.{part}"), message);
                return None;
            }
        }
        let wrong = |message: String| match self.shape {
            LengthShape::Fixed => message,
            LengthShape::Normal => format!(
                "“{}” is no spread of lengths: the least, the mean and the most must rise, from 1 token on",
                self.text()
            ),
            LengthShape::Uniform => format!(
                "“{} to {}” is no range of lengths: it must rise, from 1 token on",
                self.min.trim(),
                self.max.trim()
            ),
        };
        issues.read(field, self.text().parse().map_err(wrong))
    }
}

fn ungrouped(text: &str) -> String {
    let is_gap = |c: &char| !matches!(c, ' ' | '_' | '\u{202f}' | '\u{a0}');
    text.trim().chars().filter(is_gap).collect()
}
