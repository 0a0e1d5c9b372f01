//! A histogram with a fixed relative error, after HdrHistogram (Gil Tene): three significant digits, counts that merge
//! exactly. For values of which there are too many to keep.

/// 2 × 10³ rounded up to a power of two: every bucket tells three digits apart.
const SUB_BUCKETS: u64 = 2048;
const HALF: u64 = SUB_BUCKETS / 2;
const HALF_BITS: u32 = HALF.trailing_zeros();

/// Counts of whole numbers from 0 on, three significant digits each.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Histogram {
    counts: Vec<u64>,
    n: u64,
    ends: Option<(u64, u64)>,
}

impl Histogram {
    pub fn record(&mut self, value: u64) {
        let index = index_of(value);
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1;
        }
        self.n += 1;
        self.ends = Some(
            self.ends
                .map_or((value, value), |(a, b)| (a.min(value), b.max(value))),
        );
    }

    /// Adds another's counts: exact, in any order.
    pub fn merge(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.n += other.n;
        self.ends = match (self.ends, other.ends) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
    }

    pub fn n(&self) -> u64 {
        self.n
    }

    /// The value of that 1-based rank: the highest that cannot be told apart from it.
    pub fn value_at_rank(&self, rank: u64) -> Option<u64> {
        if rank == 0 || rank > self.n {
            return None;
        }
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(lowest_at(index) + width_at(index) - 1);
            }
        }
        None
    }

    /// The q-quantile by nearest rank.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        self.value_at_rank(super::quantile::rank_of(self.n, q)?)
    }

    /// The mean of the buckets' middles.
    pub fn mean(&self) -> Option<f64> {
        if self.n == 0 {
            return None;
        }
        let middle = |i: usize| (lowest_at(i) + width_at(i) / 2) as f64;
        let sum: f64 = self
            .counts
            .iter()
            .enumerate()
            .map(|(i, count)| *count as f64 * middle(i))
            .sum();
        Some(sum / self.n as f64)
    }

    /// The smallest and largest value recorded, exact.
    pub fn ends(&self) -> Option<(u64, u64)> {
        self.ends
    }

    /// About `most` values spread evenly over the ranks, sorted: what a chart draws of very many.
    pub fn sample(&self, most: u64) -> Vec<u64> {
        let step = self.n.div_ceil(most.max(1)).max(1);
        let mut out = Vec::new();
        let mut next = step.div_ceil(2);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            while next <= seen {
                out.push(lowest_at(index) + width_at(index) / 2);
                next += step;
            }
        }
        out
    }
}

/// Buckets double in width every [`HALF`] places, from the second [`HALF`] on.
fn index_of(value: u64) -> usize {
    let bits = (value | (SUB_BUCKETS - 1)).ilog2();
    let bucket = bits - HALF_BITS;
    let within = value >> bucket;
    // `within` is below SUB_BUCKETS, and at least HALF for every bucket but the first.
    usize::try_from(u64::from(bucket) * HALF + within).unwrap_or(usize::MAX)
}

fn bucket_at(index: usize) -> (u32, u64) {
    let index = index as u64;
    if index < SUB_BUCKETS {
        return (0, index);
    }
    let bucket = index / HALF - 1;
    (
        u32::try_from(bucket).unwrap_or(u32::MAX),
        index - bucket * HALF,
    )
}

fn lowest_at(index: usize) -> u64 {
    let (bucket, within) = bucket_at(index);
    within.checked_shl(bucket).unwrap_or(u64::MAX)
}

fn width_at(index: usize) -> u64 {
    1u64.checked_shl(bucket_at(index).0).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::rng::SplitMix64;
    use crate::stats::vectors::{load, near};

    #[track_caller]
    fn check(histogram: &Histogram, expected: &serde_json::Value) {
        assert_eq!(histogram.n(), expected["total"].as_u64().unwrap());
        near(
            histogram.mean().unwrap(),
            expected["mean"].as_f64().unwrap(),
            1e-12,
        );
        for (percent, value) in expected["pct"].as_object().unwrap() {
            let q = percent.parse::<f64>().unwrap() / 100.0;
            if q > 0.0 {
                assert_eq!(histogram.quantile(q), value.as_u64(), "p{percent}");
            }
        }
    }

    #[test]
    fn agrees_with_hdrhistogram() {
        let v = load("hdrhistogram");
        let mut rng = SplitMix64::new(5);
        let (mut a, mut b) = (Histogram::default(), Histogram::default());
        for i in 0..1000 {
            let value = 1000 + rng.below(50_000);
            if i < 5 {
                assert_eq!(Some(value), v["a_first5"][i].as_u64());
            }
            a.record(value);
        }
        for _ in 0..500 {
            b.record(200_000 + rng.below(2_000_000));
        }
        check(&a, &v["a"]);
        check(&b, &v["b"]);
        let mut merged = a.clone();
        merged.merge(&b);
        check(&merged, &v["merged"]);
        let mut other = b;
        other.merge(&a);
        assert_eq!(merged, other);
    }

    #[test]
    fn highest_equivalent_values() {
        for pair in load("hdrhistogram")["recorded_max_highest_equivalent"]
            .as_array()
            .unwrap()
        {
            let (value, highest) = (pair[0].as_u64().unwrap(), pair[1].as_u64());
            let mut one = Histogram::default();
            one.record(value);
            assert_eq!(one.quantile(1.0), highest, "{value}");
            assert_eq!(one.ends(), Some((value, value)));
        }
    }

    #[test]
    fn ends_of_the_range_are_held() {
        let mut h = Histogram::default();
        assert_eq!((h.quantile(0.5), h.mean(), h.ends()), (None, None, None));
        h.record(0);
        h.record(u64::MAX / 4);
        assert_eq!(h.quantile(0.5), Some(0));
        assert!(h.quantile(1.0).unwrap() >= u64::MAX / 4);
    }

    #[test]
    fn a_sample_keeps_the_shape() {
        let mut h = Histogram::default();
        for i in 0..100_000u64 {
            h.record(i);
        }
        let sample = h.sample(1000);
        assert!((990..=1000).contains(&sample.len()));
        let middle = sample[sample.len() / 2] as f64;
        near(middle, 50_000.0, 0.01);
        assert_eq!(Histogram::default().sample(10), Vec::<u64>::new());
    }
}
