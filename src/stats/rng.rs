//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014): everything random
//! in a run comes from it, so that a seed repeats a run on every machine.

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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::vectors::{floats, load, near};

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
}
