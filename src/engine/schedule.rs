//! When an open load lets requests go, and when the users of a ramp begin: pure, seeded, made before the clock starts.
//!
//! Every time is an offset from the stage's start on an absolute grid: one late request moves no other.

use crate::domain::{ArrivalProcess, Curve, Ramp};
use crate::stats::SplitMix64;

/// A level of load over a stage: requests per second, or users.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Level {
    Flat(f64),
    /// From one level to another in equal steps.
    Linear {
        from: f64,
        to: f64,
    },
    /// By equal factors; both levels are above 0.
    Exponential {
        from: f64,
        to: f64,
    },
}

/// How long a schedule is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Extent {
    Count(u64),
    Ns(u64),
}

const NS: f64 = 1e9;

impl Level {
    /// That level, or the ramp that leads to it.
    pub(super) fn of(level: f64, ramp: Option<Ramp>) -> Self {
        match ramp {
            None => Self::Flat(level),
            Some(Ramp { curve, from, to }) => match curve {
                Curve::Linear => Self::Linear { from, to },
                Curve::Exponential => Self::Exponential { from, to },
            },
        }
    }

    /// The highest level of the stage.
    pub(super) fn max(self) -> f64 {
        self.at(0.0).max(self.at(1.0))
    }

    /// The level at a share (0 to 1) of the stage.
    pub(super) fn at(self, share: f64) -> f64 {
        match self {
            Self::Flat(level) => level,
            Self::Linear { from, to } => from + (to - from) * share,
            Self::Exponential { from, to } => from * (to / from).powf(share),
        }
    }

    /// The share of the stage at which the level is `level`; not finite where it never is.
    fn share_of(self, level: f64) -> f64 {
        match self {
            Self::Flat(_) => f64::NAN,
            Self::Linear { from, to } => (level - from) / (to - from),
            Self::Exponential { from, to } => (level / from).ln() / (to / from).ln(),
        }
    }

    /// The mean level over the stage.
    fn mean(self) -> f64 {
        match self.plain() {
            Self::Flat(level) => level,
            Self::Linear { from, to } => f64::midpoint(from, to),
            Self::Exponential { from, to } => (to - from) / (to / from).ln(),
        }
    }

    /// A ramp between equal ends is flat.
    fn plain(self) -> Self {
        match self {
            #[expect(clippy::float_cmp, reason = "nearly equal ends divide well")]
            Self::Linear { from, to } | Self::Exponential { from, to } if from == to => {
                Self::Flat(from)
            }
            other => other,
        }
    }

    /// The inverse of the level's integral over a stage of `secs`: when, in seconds, `count` arrivals are due. Beyond
    /// the stage's end, or not finite, where there are not that many.
    fn secs_of(self, count: f64, secs: f64) -> f64 {
        if count <= 0.0 {
            return 0.0;
        }
        match self.plain() {
            Self::Flat(rate) => count / rate,
            Self::Linear { from, to } => {
                // a·t + (b − a)·t² / 2T = count, by the root that loses no digits when b is near a.
                let root = from * from + 2.0 * (to - from) * count / secs;
                2.0 * count / (from + root.sqrt())
            }
            Self::Exponential { from, to } => {
                let growth = (to / from).ln();
                (count * growth / (from * secs)).ln_1p() * secs / growth
            }
        }
    }
}

impl Level {
    /// The share of the stage's time at which that share of its arrivals has been let go.
    pub(super) fn time_share(self, share: f64) -> f64 {
        let at = self.secs_of(share * self.mean(), 1.0);
        if at.is_finite() {
            at.clamp(0.0, 1.0)
        } else {
            share
        }
    }

    /// As [`Level::secs_of`]; beyond its end the stage goes on at its last level, or at its mean where that is nothing.
    fn secs_of_any(self, count: f64, secs: f64) -> f64 {
        let beyond = count - self.mean() * secs;
        if beyond <= 0.0 {
            return self.secs_of(count, secs);
        }
        let last = self.at(1.0);
        let rate = if last > 0.0 { last } else { self.mean() };
        secs + beyond / rate
    }
}

/// When each request is due, in ns from the stage's start, in order. Constant arrivals begin at 0; random ones one gap
/// later. A ramp spans the whole stage, also one that ends by its count. At most `n_max`.
pub(super) fn arrivals(
    rate: Level,
    gaps: ArrivalProcess,
    extent: Extent,
    seed: u64,
    n_max: u64,
) -> Vec<u64> {
    let (secs, n_max) = match extent {
        Extent::Ns(ns) => (ns as f64 / NS, n_max),
        Extent::Count(n) => (n as f64 / rate.mean(), n.min(n_max)),
    };
    let until_ns = match extent {
        Extent::Ns(ns) => ns,
        Extent::Count(_) => u64::MAX,
    };
    let expected = (rate.mean() * secs).clamp(0.0, 1e6);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "only a first guess, within a million"
    )]
    let mut due = Vec::with_capacity(expected as usize);
    if rate.mean().is_nan() || rate.mean() <= 0.0 {
        return due;
    }
    let mut rng = SplitMix64::new(seed);
    // Of a process with one arrival a second; the ramp's integral stretches its time.
    let mut unit = 0.0;
    for i in 0..n_max {
        match gaps {
            ArrivalProcess::Constant => unit = i as f64,
            ArrivalProcess::Poisson => unit += rng.exp(1.0),
            ArrivalProcess::Gamma(shape) => unit += rng.gamma(shape),
        }
        let at_secs = match extent {
            Extent::Ns(_) => rate.secs_of(unit, secs),
            Extent::Count(_) => rate.secs_of_any(unit, secs),
        };
        let Some(at_ns) = ns(at_secs).filter(|ns| *ns < until_ns) else {
            break;
        };
        due.push(at_ns);
    }
    due
}

/// When each user of a ramp sends: from the first time on, and until the second where the ramp goes down. User `i` is
/// there while the level, rounded to whole users, is above `i`.
pub(super) fn shifts(users: Level, n_users: u32, over_ns: u64) -> Vec<(u64, Option<u64>)> {
    let (users, span) = (users.plain(), over_ns as f64);
    let shift = |i: u32| {
        let needed = f64::from(i) + 0.5;
        let (first, last) = (users.at(0.0), users.at(1.0));
        let cross_ns = ns(users.share_of(needed) * span / NS).unwrap_or(over_ns);
        match (first >= needed, last >= needed) {
            (true, true) => (0, None),
            (false, true) => (cross_ns, None),
            (true, false) => (0, Some(cross_ns)),
            (false, false) => (over_ns, Some(over_ns)),
        }
    };
    (0..n_users).map(shift).collect()
}

/// The first stage's arrivals are those of the plan's seed itself, so that they can be checked by hand; the others' have
/// nothing in common with them.
pub(super) fn seed_of(seed: u64, stage: u16) -> u64 {
    match stage {
        0 => seed,
        _ => SplitMix64::new(SplitMix64::new(seed).next_u64() ^ u64::from(stage)).next_u64(),
    }
}

/// Whole nanoseconds; `None` for what is no time.
fn ns(secs: f64) -> Option<u64> {
    let ns = (secs * NS).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be in range"
    )]
    (0.0..1.8e19).contains(&ns).then_some(ns as u64)
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the times of these tests are small and above 0"
)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;
    const MANY: u64 = 1_000_000;

    fn vectors(name: &str) -> serde_json::Value {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/vectors");
        let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn for_ns(rate: Level, gaps: ArrivalProcess, ns: u64) -> Vec<u64> {
        arrivals(rate, gaps, Extent::Ns(ns), 7, MANY)
    }

    #[test]
    fn a_poisson_schedule_is_that_of_its_seed() {
        let v = vectors("poisson_schedule");
        let (rate, seed) = (v["rate"].as_f64().unwrap(), v["seed"].as_u64().unwrap());
        let secs = v["duration_s"].as_u64().unwrap();
        let due = arrivals(
            Level::Flat(rate),
            ArrivalProcess::Poisson,
            Extent::Ns(secs * S),
            seed,
            MANY,
        );
        assert_eq!(due.len() as u64, v["n"].as_u64().unwrap());
        let exact = |secs: &serde_json::Value| (secs.as_f64().unwrap() * 1e9).round() as u64;
        let first: Vec<u64> = v["first5"].as_array().unwrap().iter().map(exact).collect();
        assert_eq!(due[..5], first);
        assert_eq!(due.last(), Some(&exact(&v["last"])));
        // Its own figures: gaps' variation and how much the counts of whole seconds scatter.
        let gaps: Vec<f64> = [0]
            .iter()
            .chain(&due)
            .zip(&due)
            .map(|(a, b)| (b - a) as f64)
            .collect();
        let cv = crate::stats::sd(&gaps).unwrap() / crate::stats::mean(&gaps).unwrap();
        assert!((cv - v["gap_cv"].as_f64().unwrap()).abs() < 2e-3, "{cv}");
        let counts: Vec<f64> = (0..secs)
            .map(|s| due.iter().filter(|t| **t / S == s).count() as f64)
            .collect();
        let sd = crate::stats::sd(&counts).unwrap();
        let dispersion = sd * sd / crate::stats::mean(&counts).unwrap();
        assert!(
            (dispersion - v["index_of_dispersion_1s"].as_f64().unwrap()).abs() < 1e-9,
            "{dispersion}"
        );
    }

    #[test]
    fn constant_arrivals_stand_on_an_absolute_grid() {
        assert_eq!(
            for_ns(Level::Flat(4.0), ArrivalProcess::Constant, S),
            [0, S / 4, S / 2, 3 * S / 4]
        );
        // A third of a second has no end in ns: the millionth is still where it should be.
        let due = arrivals(
            Level::Flat(3.0),
            ArrivalProcess::Constant,
            Extent::Count(MANY),
            1,
            MANY,
        );
        assert_eq!(due.len() as u64, MANY);
        assert_eq!((due[1], due[2], due[3]), (333_333_333, 666_666_667, S));
        assert_eq!(due[999_999], 333_333 * S);
        let stripe = vectors("poisson_schedule")["stripe_constant"].clone();
        let whole = for_ns(Level::Flat(10.0), ArrivalProcess::Constant, 2 * S);
        for part in stripe.as_array().unwrap() {
            let worker = part["worker"].as_u64().unwrap() as usize;
            for (i, secs) in part["times_s_first4"]
                .as_array()
                .unwrap()
                .iter()
                .enumerate()
            {
                let expected = (secs.as_f64().unwrap() * 1e9).round() as u64;
                assert_eq!(whole[worker + 3 * i], expected);
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_nanoseconds_and_another_does_not() {
        for gaps in [ArrivalProcess::Poisson, ArrivalProcess::Gamma(0.5)] {
            let of = |seed| arrivals(Level::Flat(50.0), gaps, Extent::Count(500), seed, MANY);
            assert_eq!(of(3), of(3));
            assert_ne!(of(3), of(4));
            assert!(of(3).is_sorted());
        }
        assert_eq!(seed_of(9, 0), 9);
        assert_ne!(seed_of(9, 1), seed_of(9, 2));
        assert_ne!(seed_of(9, 1), seed_of(10, 1));
    }

    #[test]
    fn gamma_keeps_the_rate_and_sets_the_burstiness() {
        for shape in [0.25, 4.0] {
            let due = arrivals(
                Level::Flat(100.0),
                ArrivalProcess::Gamma(shape),
                Extent::Count(20_000),
                5,
                MANY,
            );
            let secs = due[due.len() - 1] as f64 / 1e9;
            let se = 1.0 / (shape * 20_000.0_f64).sqrt();
            assert!((secs / 200.0 - 1.0).abs() < 4.0 * se, "{secs}");
            let gaps: Vec<f64> = due.windows(2).map(|w| (w[1] - w[0]) as f64).collect();
            let cv = crate::stats::sd(&gaps).unwrap() / crate::stats::mean(&gaps).unwrap();
            assert!((cv * shape.sqrt() - 1.0).abs() < 0.06, "{cv}");
        }
    }

    #[test]
    fn a_linear_ramp_is_the_inverse_of_its_integral() {
        // From 0 to 10/s over 10 s: n(t) = t²/2, so arrival i is due at √(2i).
        let due = for_ns(
            Level::Linear {
                from: 0.0,
                to: 10.0,
            },
            ArrivalProcess::Constant,
            10 * S,
        );
        assert_eq!(due.len(), 50);
        for (i, at) in due.iter().enumerate() {
            assert_eq!(*at, ((2.0 * i as f64).sqrt() * 1e9).round() as u64);
        }
        // Downwards: what is left of the area.
        let due = for_ns(
            Level::Linear {
                from: 10.0,
                to: 0.0,
            },
            ArrivalProcess::Constant,
            10 * S,
        );
        assert_eq!(due.len(), 50);
        assert_eq!(due[0], 0);
        assert_eq!(due[18], 2 * S, "10·2 − 2²/2 = 18");
        // By count: 2·60 / (10 + 50) = 2 s.
        let ramp = Level::Linear {
            from: 10.0,
            to: 50.0,
        };
        let due = arrivals(ramp, ArrivalProcess::Constant, Extent::Count(60), 1, MANY);
        assert_eq!((due.len(), due[20]), (60, S), "10·1 + 40·1²/4 = 20");
        assert!(due[59] < 2 * S);
    }

    #[test]
    fn a_falling_ramp_sends_as_many_as_were_asked() {
        for (from, to) in [(50.0, 1.0), (50.0, 0.0)] {
            let ramp = Level::Linear { from, to };
            for seed in 0..20 {
                let due = arrivals(
                    ramp,
                    ArrivalProcess::Poisson,
                    Extent::Count(1_000),
                    seed,
                    MANY,
                );
                assert_eq!(due.len(), 1_000, "{from} to {to}, seed {seed}");
                assert!(due.is_sorted());
            }
        }
    }

    #[test]
    fn an_exponential_ramp_doubles_in_equal_times() {
        // From 1 to 8/s over 3 s: n(t) = (2^t − 1)/ln 2.
        let ramp = Level::Exponential { from: 1.0, to: 8.0 };
        let due = for_ns(ramp, ArrivalProcess::Constant, 3 * S);
        assert_eq!(due.len(), 11, "7/ln 2 = 10.1");
        for (i, at) in due.iter().enumerate() {
            let exact = (i as f64 * 2.0_f64.ln()).ln_1p() / 2.0_f64.ln() * 1e9;
            assert!((*at as f64 - exact).abs() <= 1.0);
        }
        // Equal ends are no ramp.
        let flat = Level::Exponential { from: 5.0, to: 5.0 };
        assert_eq!(
            for_ns(flat, ArrivalProcess::Constant, S),
            for_ns(Level::Flat(5.0), ArrivalProcess::Constant, S)
        );
        // A ramp that hardly rises comes to the flat one, to the nanosecond.
        let nearly = Level::Linear {
            from: 5.0,
            to: 5.000_000_000_001,
        };
        assert_eq!(
            for_ns(nearly, ArrivalProcess::Constant, S),
            for_ns(Level::Flat(5.0), ArrivalProcess::Constant, S)
        );
    }

    #[test]
    fn a_poisson_ramp_is_a_poisson_process_in_its_own_time() {
        // From 0 to 200/s over 100 s are 10,000 arrivals, of which a quarter come in the first half.
        let ramp = Level::Linear {
            from: 0.0,
            to: 200.0,
        };
        let due = for_ns(ramp, ArrivalProcess::Poisson, 100 * S);
        assert!((due.len() as f64 - 10_000.0).abs() < 400.0, "{}", due.len());
        let early = due.iter().filter(|t| **t < 50 * S).count() as f64;
        assert!((early / due.len() as f64 - 0.25).abs() < 0.02);
        // Put back through the integral its gaps are the unit process of the same seed.
        let mut rng = SplitMix64::new(7);
        let mut unit = 0.0;
        for at in &due[..100] {
            unit += rng.exp(1.0);
            let t = *at as f64 / 1e9;
            assert!((t * t - unit).abs() < 1e-6, "n(t) = t²");
        }
    }

    #[test]
    fn a_schedule_is_bounded_whatever_is_asked() {
        assert_eq!(
            arrivals(
                Level::Flat(1e9),
                ArrivalProcess::Constant,
                Extent::Ns(S),
                1,
                10
            )
            .len(),
            10
        );
        assert!(
            arrivals(
                Level::Flat(0.0),
                ArrivalProcess::Poisson,
                Extent::Ns(S),
                1,
                10
            )
            .is_empty()
        );
        assert!(
            arrivals(
                Level::Flat(f64::NAN),
                ArrivalProcess::Constant,
                Extent::Count(5),
                1,
                10
            )
            .is_empty()
        );
        assert!(
            for_ns(
                Level::Linear { from: 0.0, to: 0.0 },
                ArrivalProcess::Constant,
                S
            )
            .is_empty()
        );
    }

    #[test]
    fn users_come_and_go_by_the_curve() {
        let up = shifts(Level::Linear { from: 0.0, to: 4.0 }, 4, 8 * S);
        assert_eq!(up, [(S, None), (3 * S, None), (5 * S, None), (7 * S, None)]);
        let from_one = shifts(Level::Linear { from: 1.0, to: 3.0 }, 3, 4 * S);
        assert_eq!(from_one, [(0, None), (S, None), (3 * S, None)]);
        let down = shifts(Level::Linear { from: 3.0, to: 1.0 }, 3, 4 * S);
        assert_eq!(down, [(0, None), (0, Some(3 * S)), (0, Some(S))]);
        let doubling = shifts(
            Level::Exponential {
                from: 1.0,
                to: 16.0,
            },
            16,
            4 * S,
        );
        assert_eq!(doubling[0], (0, None));
        // Users stand at 4.5 after log2 4.5 of four doublings.
        let at = (4.5_f64.log2() / 4.0 * 4e9).round() as u64;
        assert_eq!(doubling[4], (at, None));
        assert_eq!(shifts(Level::Flat(2.0), 2, S), [(0, None), (0, None)]);
    }
}
