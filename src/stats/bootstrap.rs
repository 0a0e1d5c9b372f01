//! BCa bootstrap (Efron 1987; Efron & Tibshirani, chapter 14), seeded: the same data and seed give the same interval on
//! every machine. Replicates are drawn row by row from one SplitMix64 stream.
//!
//! Not for extreme quantiles: where n (1 − q) is below about 20 it is too narrow; use `quantile_interval` there.

use super::CONFIDENCE;
use super::quantile::type7;
use super::rng::SplitMix64;
use super::special::{normal_cdf, normal_quantile};

/// Replicates drawn for every interval.
pub const BOOTSTRAP_ROUNDS: usize = 2000;

/// An estimate with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// Interval of any statistic of one sample; `None` below two values.
pub fn bca(
    data: &[f64],
    statistic: impl Fn(&[f64]) -> f64,
    n_rounds: usize,
    seed: u64,
) -> Option<Estimate> {
    if data.len() < 2 {
        return None;
    }
    let value = statistic(data);
    let replicates = replicates(data, &statistic, n_rounds, seed);
    let left_out = leave_one_out(data, &statistic);
    interval(value, replicates, acceleration(&[&left_out]))
}

/// Interval of a mean; the jackknife has a closed form.
pub fn bca_mean(data: &[f64], n_rounds: usize, seed: u64) -> Option<Estimate> {
    if data.len() < 2 {
        return None;
    }
    let n = data.len() as f64;
    let sum: f64 = data.iter().sum();
    let mean = |d: &[f64]| d.iter().sum::<f64>() / d.len() as f64;
    let replicates = replicates(data, &mean, n_rounds, seed);
    let left_out: Vec<f64> = data.iter().map(|v| (sum - v) / (n - 1.0)).collect();
    interval(sum / n, replicates, acceleration(&[&left_out]))
}

/// Interval of a statistic of two independent samples, as a difference or a ratio of medians; `None` where one
/// has fewer than two values.
pub fn bca_two(
    a: &[f64],
    b: &[f64],
    statistic: impl Fn(&[f64], &[f64]) -> f64,
    n_rounds: usize,
    seeds: (u64, u64),
) -> Option<Estimate> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let value = statistic(a, b);
    let replicates = replicates_two(a, b, &statistic, n_rounds, seeds);
    let left_a = leave_one_out(a, |d| statistic(d, b));
    let left_b = leave_one_out(b, |d| statistic(a, d));
    interval(value, replicates, acceleration(&[&left_a, &left_b]))
}

fn replicates_two(
    a: &[f64],
    b: &[f64],
    statistic: &impl Fn(&[f64], &[f64]) -> f64,
    n_rounds: usize,
    seeds: (u64, u64),
) -> Vec<f64> {
    let (mut rng_a, mut rng_b) = (SplitMix64::new(seeds.0), SplitMix64::new(seeds.1));
    let (mut from_a, mut from_b) = (vec![0.0; a.len()], vec![0.0; b.len()]);
    let draw = |_| {
        resample(a, &mut from_a, &mut rng_a);
        resample(b, &mut from_b, &mut rng_b);
        statistic(&from_a, &from_b)
    };
    (0..n_rounds).map(draw).collect()
}

fn resample(data: &[f64], into: &mut [f64], rng: &mut SplitMix64) {
    for slot in into {
        *slot = data.get(rng.index(data.len())).copied().unwrap_or(f64::NAN);
    }
}

fn replicates(
    data: &[f64],
    statistic: &impl Fn(&[f64]) -> f64,
    n_rounds: usize,
    seed: u64,
) -> Vec<f64> {
    let mut rng = SplitMix64::new(seed);
    let mut sample = vec![0.0; data.len()];
    let draw = |_| {
        resample(data, &mut sample, &mut rng);
        statistic(&sample)
    };
    (0..n_rounds).map(draw).collect()
}

fn leave_one_out(data: &[f64], statistic: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let mut rest: Vec<f64> = data.get(1..).unwrap_or_default().to_vec();
    let mut out = Vec::with_capacity(data.len());
    for i in 0..data.len() {
        out.push(statistic(&rest));
        if let (Some(slot), Some(value)) = (rest.get_mut(i), data.get(i)) {
            *slot = *value;
        }
    }
    out
}

/// From the jackknife of each sample; 0 where nothing varies.
fn acceleration(samples: &[&[f64]]) -> f64 {
    let (mut cubes, mut squares) = (0.0, 0.0);
    for jackknife in samples {
        let n = jackknife.len() as f64;
        let mean = jackknife.iter().sum::<f64>() / n;
        let influence = |v: &f64| (n - 1.0) * (mean - v) / n;
        cubes += jackknife.iter().map(|v| influence(v).powi(3)).sum::<f64>();
        squares += jackknife.iter().map(|v| influence(v).powi(2)).sum::<f64>();
    }
    let a = cubes / (6.0 * squares.powf(1.5));
    if a.is_finite() { a } else { 0.0 }
}

fn interval(value: f64, mut replicates: Vec<f64>, acceleration: f64) -> Option<Estimate> {
    if !value.is_finite() || replicates.iter().any(|r| !r.is_finite()) {
        return None;
    }
    replicates.sort_by(f64::total_cmp);
    let n = replicates.len() as f64;
    let below = replicates.partition_point(|r| *r < value) as f64;
    let at_or_below = replicates.partition_point(|r| *r <= value) as f64;
    // Kept off 0 and 1: a statistic that all replicates miss on one side would have no interval at all.
    let share = ((below + 0.5 * (at_or_below - below)) / n).clamp(0.5 / n, 1.0 - 0.5 / n);
    let z0 = normal_quantile(share);
    let end = |p: f64| {
        let z = z0 + normal_quantile(p);
        let alpha = normal_cdf(z0 + z / (1.0 - acceleration * z));
        type7(&replicates, alpha)
    };
    let half = (1.0 - CONFIDENCE) / 2.0;
    Some(Estimate {
        value,
        low: end(half)?,
        high: end(1.0 - half)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::vectors::{floats, load, near};

    fn sorted_quantile(data: &[f64], q: f64) -> f64 {
        let mut sorted = data.to_vec();
        sorted.sort_by(f64::total_cmp);
        type7(&sorted, q).unwrap()
    }

    fn mean_of(data: &[f64]) -> f64 {
        data.iter().sum::<f64>() / data.len() as f64
    }

    #[test]
    fn known_intervals() {
        let v = load("bootstrap");
        for case in v["cases"].as_array().unwrap() {
            let data = floats(&v["data"][case["data"].as_str().unwrap()]);
            let rounds = usize::try_from(case["R"].as_u64().unwrap()).unwrap();
            let seed = case["seed"].as_u64().unwrap();
            let statistic: fn(&[f64]) -> f64 = match case["stat"].as_str().unwrap() {
                "mean" => mean_of,
                "median_type7" => |d| sorted_quantile(d, 0.5),
                "p90_type7" => |d| sorted_quantile(d, 0.9),
                other => panic!("unknown statistic {other}"),
            };
            let first = replicates(&data, &statistic, 3, seed);
            for (got, expected) in first.iter().zip(floats(&case["first3_replicates"])) {
                near(*got, expected, 1e-12);
            }
            let got = bca(&data, statistic, rounds, seed).unwrap();
            let expected = floats(&case["bca"]["ci95"]);
            near(got.value, case["estimate"].as_f64().unwrap(), 1e-12);
            near(got.low, expected[0], 1e-9);
            near(got.high, expected[1], 1e-9);
            if case["stat"] == "mean" {
                let fast = bca_mean(&data, rounds, seed).unwrap();
                near(fast.low, got.low, 1e-9);
                near(fast.high, got.high, 1e-9);
            }
        }
    }

    #[test]
    fn two_samples() {
        let v = load("bootstrap");
        let (a, b) = (floats(&v["data"]["A60"]), floats(&v["data"]["B60"]));
        for case in v["two_sample_quantile_diff"].as_array().unwrap() {
            let q = case["q"].as_f64().unwrap();
            let seeds = (
                case["seedA"].as_u64().unwrap(),
                case["seedB"].as_u64().unwrap(),
            );
            let difference = |a: &[f64], b: &[f64]| sorted_quantile(b, q) - sorted_quantile(a, q);
            let mut drawn = replicates_two(&a, &b, &difference, 2000, seeds);
            drawn.sort_by(f64::total_cmp);
            let plain = floats(&case["percentile95"]);
            near(type7(&drawn, 0.025).unwrap(), plain[0], 1e-9);
            near(type7(&drawn, 0.975).unwrap(), plain[1], 1e-9);
            let got = bca_two(&a, &b, difference, 2000, seeds).unwrap();
            near(got.value, case["diff_B_minus_A"].as_f64().unwrap(), 1e-12);
            if q < 0.6 {
                // BCa shifts and stretches the plain interval, and does not leave it far behind.
                let width = plain[1] - plain[0];
                assert!((got.low - plain[0]).abs() < 0.25 * width, "{got:?}");
                assert!((got.high - plain[1]).abs() < 0.25 * width, "{got:?}");
            }
            let ratio = |a: &[f64], b: &[f64]| sorted_quantile(b, q) / sorted_quantile(a, q);
            let got = bca_two(&a, &b, ratio, 2000, seeds).unwrap();
            near(got.value, case["ratio_B_over_A"].as_f64().unwrap(), 1e-12);
            assert!(got.low < got.value && got.value < got.high);
        }
    }

    #[test]
    fn few_or_equal_values() {
        assert_eq!(bca_mean(&[3.0], 100, 1), None);
        let same = bca_mean(&[3.0, 3.0, 3.0], 100, 1).unwrap();
        assert_eq!((same.low, same.high), (3.0, 3.0));
        assert_eq!(bca(&[1.0, f64::INFINITY], mean_of, 100, 1), None);
        assert_eq!(
            bca_two(&[1.0], &[1.0, 2.0], |a, b| a[0] - b[0], 10, (1, 2)),
            None
        );
    }
}
