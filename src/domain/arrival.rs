//! How the requests of an open load are spread over time, and how a load grows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text_form::{number, range, serde_as_text};

/// How the gaps between two arrivals are drawn: `constant`, `poisson` or `gamma:SHAPE`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ArrivalProcess {
    /// Every gap is 1/rate.
    Constant,
    /// Exponential gaps, as of very many independent people.
    #[default]
    Poisson,
    /// Gamma gaps with this shape: below 1 burstier than Poisson, above 1 more even. Their coefficient of variation is
    /// 1/√shape.
    Gamma(f64),
}

/// The least and the largest shape of gamma gaps.
pub const GAMMA_SHAPES: (f64, f64) = (0.01, 1e6);

impl FromStr for ArrivalProcess {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = text.trim().to_ascii_lowercase();
        match word.as_str() {
            "constant" => return Ok(Self::Constant),
            "poisson" => return Ok(Self::Poisson),
            _ => {}
        }
        let shape = word.strip_prefix("gamma:").and_then(number);
        match shape {
            Some(shape) if (GAMMA_SHAPES.0..=GAMMA_SHAPES.1).contains(&shape) => {
                Ok(Self::Gamma(shape))
            }
            _ => Err(format!(
                "“{text}” is no arrival process: write constant, poisson or gamma:SHAPE with a shape of {} to {}, as in gamma:0.5",
                GAMMA_SHAPES.0, GAMMA_SHAPES.1
            )),
        }
    }
}

impl fmt::Display for ArrivalProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Poisson => f.write_str("poisson"),
            Self::Gamma(shape) => write!(f, "gamma:{shape}"),
        }
    }
}

/// How a rate, or the number of users, grows over a stage: `linear:FROM..TO` or `exponential:FROM..TO`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    pub curve: Curve,
    /// At the start of the stage; a linear one may start at 0.
    pub from: f64,
    /// At its end: the stage's level.
    pub to: f64,
}

/// The shape of a [`Ramp`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Curve {
    Linear,
    Exponential,
}

impl Ramp {
    /// The level at `share` (0 to 1) of the stage's time.
    pub fn at(&self, share: f64) -> f64 {
        match self.curve {
            Curve::Linear => self.from + (self.to - self.from) * share,
            Curve::Exponential => self.from * (self.to / self.from).powf(share),
        }
    }
}

impl FromStr for Ramp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.trim().split_once(':').and_then(|(curve, levels)| {
            let curve = match curve.trim() {
                "linear" => Curve::Linear,
                "exponential" => Curve::Exponential,
                _ => return None,
            };
            let (from, to) = range(levels)?;
            Some(Self {
                curve,
                from: number(from)?,
                to: number(to)?,
            })
        });
        let Some(ramp) = parsed else {
            return Err(format!(
                "“{text}” is no ramp: write linear:FROM..TO or exponential:FROM..TO, as in linear:1..50"
            ));
        };
        let is_exponential = ramp.curve == Curve::Exponential;
        if ramp.to <= 0.0 || ramp.from < 0.0 || (is_exponential && ramp.from == 0.0) {
            return Err(format!(
                "“{text}” must go between levels above 0 (a linear one may start at 0)"
            ));
        }
        Ok(ramp)
    }
}

impl fmt::Display for Ramp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let curve = match self.curve {
            Curve::Linear => "linear",
            Curve::Exponential => "exponential",
        };
        write!(f, "{curve}:{}..{}", self.from, self.to)
    }
}

serde_as_text!(ArrivalProcess, Ramp);

/// What becomes of an arrival when as many requests are in flight as the plan allows.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// It waits for its turn; its latency counts from its planned time all the same.
    #[default]
    Queue,
    /// It is not sent, and counted as dropped.
    Drop,
}

/// What a sweep or a search changes from stage to stage.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// Requests per second (open loop).
    #[default]
    Rate,
    /// Users at once (closed loop).
    Users,
}

impl Over {
    /// The unit of its level: `req/s` or `users`.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Rate => "req/s",
            Self::Users => "users",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same<T: FromStr<Err = String> + fmt::Display>(text: &str) {
        assert_eq!(
            text.parse::<T>().map(|v| v.to_string()).as_deref(),
            Ok(text)
        );
    }

    #[test]
    fn texts_go_round() {
        for text in ["constant", "poisson", "gamma:0.5", "gamma:4"] {
            same::<ArrivalProcess>(text);
        }
        for text in ["linear:0..50", "linear:50..1", "exponential:0.5..100"] {
            same::<Ramp>(text);
        }
        for text in ["", "gamma", "gamma:0", "gamma:nan", "gamma:inf", "uniform"] {
            let error = text.parse::<ArrivalProcess>().unwrap_err();
            assert!(error.contains(&format!("“{text}”")), "{error}");
        }
        for text in [
            "",
            "linear",
            "linear:1",
            "linear:-1..4",
            "exponential:0..4",
            "linear:4..0",
        ] {
            text.parse::<Ramp>().unwrap_err();
        }
    }

    #[test]
    fn ramps_reach_their_ends() {
        let linear: Ramp = "linear:10..20".parse().unwrap();
        assert_eq!(
            (linear.at(0.0), linear.at(0.5), linear.at(1.0)),
            (10.0, 15.0, 20.0)
        );
        let exponential: Ramp = "exponential:1..100".parse().unwrap();
        assert!((exponential.at(0.5) - 10.0).abs() < 1e-12);
    }
}
