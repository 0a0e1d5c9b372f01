//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014): everything random
//! in a run comes from it, so that a seed repeats a run on every machine.

use super::special::normal_quantile;

/// A seeded stream of pseudo-random numbers; not for secrets.
#[derive(Clone, Debug)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1), with 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in 0..n; 0 for n = 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A position in a slice of that length; 0 for an empty one.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// Gap to the next arrival of a Poisson process, in seconds.
    pub fn exp(&mut self, rate_per_sec: f64) -> f64 {
        -(1.0 - self.unit()).ln() / rate_per_sec
    }

    /// Standard normal, by the inverse of its distribution: one draw of the stream for each value.
    pub fn normal(&mut self) -> f64 {
        // The middle of one of 2^53 cells: never 0 nor 1, whose quantiles are infinite.
        let cell = (self.next_u64() >> 11) as f64 + 0.5;
        normal_quantile(cell * (1.0 / (1u64 << 53) as f64))
    }

    /// Gamma of that shape (above 0) and a mean of 1: Marsaglia and Tsang, "A simple method for generating gamma
    /// variables", TOMS 26 (2000). Its coefficient of variation is 1/√shape.
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            // Their section 6: a gamma of one shape more, times a power of a uniform.
            let boost = (1.0 - self.unit()).powf(1.0 / shape);
            return self.gamma_from_1(shape + 1.0) * boost / shape;
        }
        self.gamma_from_1(shape) / shape
    }

    /// Gamma of that shape (at least 1) and scale 1.
    fn gamma_from_1(&mut self, shape: f64) -> f64 {
        let third_less = shape - 1.0 / 3.0;
        let spread = 1.0 / (9.0 * third_less).sqrt();
        // More than 95 % of all tries are taken, so the limit is never met; it bounds what a shape that is no number does.
        for _ in 0..MAX_TRIES {
            let x = self.normal();
            let cube = (1.0 + spread * x).powi(3);
            let u = 1.0 - self.unit();
            if cube > 0.0 && u.ln() < 0.5 * x * x + third_less * (1.0 - cube + cube.ln()) {
                return third_less * cube;
            }
        }
        third_less
    }
}

const MAX_TRIES: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::vectors::{floats, load, near};
    use crate::stats::{erf, ln_gamma, mean, normal_cdf, sd};

    #[test]
    fn known_stream() {
        let v = load("prng_splitmix64");
        let mut rng = SplitMix64::new(0);
        for expected in v["seed0_u64"].as_array().unwrap() {
            assert_eq!(rng.next_u64().to_string(), expected.as_str().unwrap());
        }
        let mut rng = SplitMix64::new(42);
        for expected in floats(&v["seed42_unit"]) {
            assert_eq!(rng.unit().to_bits(), expected.to_bits());
        }
        let mut rng = SplitMix64::new(42);
        for expected in v["seed42_below10"].as_array().unwrap() {
            assert_eq!(rng.below(10), expected.as_u64().unwrap());
        }
        let mut rng = SplitMix64::new(v["exp_interarrival"]["seed"].as_u64().unwrap());
        for expected in floats(&v["exp_interarrival"]["first8_s"]) {
            near(rng.exp(5.0), expected, 1e-12);
        }
        assert_eq!(rng.below(0), 0);
    }

    /// The largest distance of the values' distribution from `cdf` (Kolmogorov and Smirnov).
    fn distance(mut values: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let of = |(i, x): (usize, &f64)| {
            let p = cdf(*x);
            (p - i as f64 / n).max((i + 1) as f64 / n - p)
        };
        values.iter().enumerate().map(of).fold(0.0, f64::max)
    }

    /// P(shape, x), by its series (Abramowitz and Stegun 6.5.29).
    fn gamma_cdf(shape: f64, x: f64) -> f64 {
        let (mut term, mut sum) = (1.0 / shape, 1.0 / shape);
        for n in 1..10_000 {
            term *= x / (shape + f64::from(n));
            sum += term;
            if term < sum * 1e-16 {
                break;
            }
        }
        sum * (shape * x.ln() - x - ln_gamma(shape)).exp()
    }

    #[test]
    fn the_tests_own_gamma_distribution_is_right() {
        for x in [0.1, 1.0, 5.0] {
            near(gamma_cdf(1.0, x), -(-x).exp_m1(), 1e-12);
            near(gamma_cdf(0.5, x), erf(x.sqrt()), 1e-12);
        }
    }

    #[test]
    fn ten_thousand_draws_follow_their_distributions() {
        const N: usize = 10_000;
        // The critical distance at 0.1 % for many values (Massey 1951); seven are tested.
        let critical = 1.949 / (N as f64).sqrt();
        let mut rng = SplitMix64::new(2026);
        let gaps: Vec<f64> = (0..N).map(|_| rng.exp(5.0)).collect();
        let d = distance(gaps, |x| -(-5.0 * x).exp_m1());
        assert!(d < critical, "exponential: {d}");
        let normals: Vec<f64> = (0..N).map(|_| rng.normal()).collect();
        let d = distance(normals, normal_cdf);
        assert!(d < critical, "normal: {d}");
        for shape in [0.25, 0.5, 1.0, 2.0, 16.0] {
            let mut rng = SplitMix64::new(7);
            let draws: Vec<f64> = (0..N).map(|_| rng.gamma(shape)).collect();
            let (mean, sd) = (mean(&draws).unwrap(), sd(&draws).unwrap());
            // Four standard errors of a mean of 1.
            assert!((mean - 1.0).abs() < 4.0 / (shape * N as f64).sqrt());
            near(sd / mean, 1.0 / shape.sqrt(), 0.08);
            let d = distance(draws, |x| gamma_cdf(shape, x * shape));
            assert!(d < critical, "gamma {shape}: {d}");
        }
        // A wrong shape is told apart: the test can fail.
        let mut rng = SplitMix64::new(7);
        let wrong: Vec<f64> = (0..N).map(|_| rng.gamma(1.2)).collect();
        assert!(distance(wrong, |x| gamma_cdf(1.0, x)) > critical);
    }
}
