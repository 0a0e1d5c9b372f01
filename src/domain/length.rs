//! How long prompts and answers are, and how much prompts have in common.

use std::fmt;
use std::str::FromStr;

use super::MAX_TOKENS;
use super::text_form::{number, range, serde_as_text, wholes};
use crate::stats::{SplitMix64, normal_quantile};

/// A length in tokens, drawn for each request with the plan's seed: `200`, `normal:MEAN,SD,MIN,MAX` or `uniform:A..B`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LengthSpec {
    Fixed(u32),
    /// Rounded and kept within `min..=max`.
    Normal {
        mean: u32,
        sd: u32,
        min: u32,
        max: u32,
    },
    /// Both ends included.
    Uniform {
        min: u32,
        max: u32,
    },
}

impl LengthSpec {
    pub fn least(self) -> u32 {
        match self {
            Self::Fixed(n) => n,
            Self::Normal { min, .. } | Self::Uniform { min, .. } => min,
        }
    }

    pub fn most(self) -> u32 {
        match self {
            Self::Fixed(n) => n,
            Self::Normal { max, .. } | Self::Uniform { max, .. } => max,
        }
    }

    /// One length; the next value of the stream is its only input.
    pub fn draw(self, rng: &mut SplitMix64) -> u32 {
        match self {
            Self::Fixed(n) => n,
            Self::Uniform { min, max } => {
                let width = u64::from(max.saturating_sub(min)) + 1;
                min + u32::try_from(rng.below(width)).unwrap_or(0)
            }
            Self::Normal { mean, sd, min, max } => {
                // The inverse of the distribution; never that of 0, which is infinite.
                let z = normal_quantile(rng.unit().max(f64::EPSILON));
                let value = f64::from(mean) + f64::from(sd) * z;
                let within = value.round().clamp(f64::from(min), f64::from(max.max(min)));
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it was clamped between two u32"
                )]
                let length = within as u32;
                length
            }
        }
    }

    /// What it is on average, for estimates.
    pub fn mean(self) -> f64 {
        match self {
            Self::Fixed(n) => f64::from(n),
            Self::Normal { mean, .. } => f64::from(mean),
            Self::Uniform { min, max } => f64::midpoint(f64::from(min), f64::from(max)),
        }
    }
}

impl FromStr for LengthSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = text.trim();
        let parsed = if let Some(numbers) = word.strip_prefix("normal:") {
            wholes(numbers).map(|[mean, sd, min, max]| Self::Normal { mean, sd, min, max })
        } else if let Some(ends) = word.strip_prefix("uniform:") {
            range(ends).and_then(|(min, max)| {
                let (min, max) = (min.parse().ok()?, max.parse().ok()?);
                Some(Self::Uniform { min, max })
            })
        } else {
            word.parse().ok().map(Self::Fixed)
        };
        let is_good = |l: &Self| {
            let (least, most) = (l.least(), l.most());
            let is_within = match l {
                Self::Normal { mean, .. } => (least..=most).contains(mean),
                _ => true,
            };
            least >= 1 && least <= most && most <= MAX_TOKENS && is_within
        };
        parsed.filter(is_good).ok_or_else(|| {
            format!(
                "“{text}” is no length in tokens: write 200, normal:MEAN,SD,MIN,MAX (as in normal:200,10,180,220) or uniform:100..300, from 1 to {MAX_TOKENS}"
            )
        })
    }
}

impl fmt::Display for LengthSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(n) => write!(f, "{n}"),
            Self::Normal { mean, sd, min, max } => write!(f, "normal:{mean},{sd},{min},{max}"),
            Self::Uniform { min, max } => write!(f, "uniform:{min}..{max}"),
        }
    }
}

/// How much synthetic prompts have in common, which is what a prefix cache lives on: `unique`, `fixed` or
/// `shared:SHARE`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum PromptSharing {
    /// Each differs from its first token on.
    #[default]
    Unique,
    /// All are the same text, as far as their lengths go.
    Fixed,
    /// That share of each prompt, from its start, is common to all; the rest differs.
    Shared(f64),
}

impl FromStr for PromptSharing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = text.trim();
        match word {
            "unique" => return Ok(Self::Unique),
            "fixed" => return Ok(Self::Fixed),
            _ => {}
        }
        match word.strip_prefix("shared:").and_then(number) {
            Some(share) if share > 0.0 && share < 1.0 => Ok(Self::Shared(share)),
            _ => Err(format!(
                "“{text}” says not how prompts share text: write unique, fixed or shared:SHARE with a share between 0 and 1, as in shared:0.5"
            )),
        }
    }
}

impl fmt::Display for PromptSharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unique => f.write_str("unique"),
            Self::Fixed => f.write_str("fixed"),
            Self::Shared(share) => write!(f, "shared:{share}"),
        }
    }
}

serde_as_text!(LengthSpec, PromptSharing);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_go_round() {
        for text in ["200", "normal:200,10,180,220", "uniform:100..300"] {
            let length: LengthSpec = text.parse().unwrap();
            assert_eq!(length.to_string(), text);
        }
        for text in [
            "",
            "0",
            "-1",
            "normal:1,2",
            "normal:5,1,10,20",
            "uniform:9..3",
            "uniform:0..3",
            "1.5",
        ] {
            let error = text.parse::<LengthSpec>().unwrap_err();
            assert!(error.contains(&format!("“{text}”")), "{error}");
        }
    }

    #[test]
    fn lengths_are_drawn_as_they_say() {
        let drawn = |text: &str, seed| {
            let length: LengthSpec = text.parse().unwrap();
            let mut rng = SplitMix64::new(seed);
            (0..20_000)
                .map(|_| length.draw(&mut rng))
                .collect::<Vec<u32>>()
        };
        assert_eq!(drawn("7", 1)[..3], [7, 7, 7]);
        let uniform = drawn("uniform:3..5", 1);
        for n in 3..=5 {
            let count = uniform.iter().filter(|v| **v == n).count();
            assert!((6_300..7_000).contains(&count), "{n}: {count}");
        }
        let normal = drawn("normal:200,10,1,400", 1);
        let mean = normal.iter().map(|n| f64::from(*n)).sum::<f64>() / 20_000.0;
        let squares = normal.iter().map(|n| (f64::from(*n) - mean).powi(2));
        let sd = (squares.sum::<f64>() / 20_000.0).sqrt();
        // Within four standard errors.
        assert!(
            (mean - 200.0).abs() < 4.0 * 10.0 / 20_000_f64.sqrt(),
            "{mean}"
        );
        assert!(
            (sd - 10.0).abs() < 4.0 * 10.0 / 40_000_f64.sqrt() + 0.01,
            "{sd}"
        );
        let clamped = drawn("normal:200,100,180,220", 1);
        assert!(clamped.iter().all(|n| (180..=220).contains(n)));
        assert!(clamped.contains(&180) && clamped.contains(&220));
        assert_eq!(drawn("normal:200,10,1,400", 1), normal);
        assert_ne!(drawn("normal:200,10,1,400", 2), normal);
    }

    #[test]
    fn sharings_go_round() {
        for text in ["unique", "fixed", "shared:0.5"] {
            let sharing: PromptSharing = text.parse().unwrap();
            assert_eq!(sharing.to_string(), text);
        }
        for text in ["", "shared", "shared:0", "shared:1", "shared:x"] {
            text.parse::<PromptSharing>().unwrap_err();
        }
    }
}
