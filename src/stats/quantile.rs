//! Percentiles: nearest rank (inverted CDF, as HdrHistogram), and the distribution-free interval from order statistics
//! (Hahn & Meeker, "Statistical Intervals", chapter 5).

use super::CONFIDENCE;
use super::special::binomial_cdf;

/// The q-quantile of a sorted slice by nearest rank: the smallest value with at least a share q at or below it.
pub fn nearest_rank(sorted: &[f64], q: f64) -> Option<f64> {
    let rank = rank_of(sorted.len() as u64, q)?;
    sorted.get(usize::try_from(rank).ok()? - 1).copied()
}

/// 1-based rank ⌈q n⌉, at least 1.
pub(super) fn rank_of(n: u64, q: f64) -> Option<u64> {
    if n == 0 || !(0.0..=1.0).contains(&q) {
        return None;
    }
    // 0.95 × 20 must be 19, not 19.000000000000004 → 20.
    let exact = q * n as f64;
    let rank = (exact - exact * 1e-12).ceil().max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "1 ≤ rank ≤ n"
    )]
    let rank = rank as u64;
    Some(rank.min(n))
}

/// Median of a sorted slice: the middle, or the mean of the two.
pub fn median(sorted: &[f64]) -> Option<f64> {
    type7(sorted, 0.5)
}

/// The q-quantile of a sorted slice with linear interpolation (Hyndman & Fan type 7): inside the bootstrap only.
pub fn type7(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let h = q.clamp(0.0, 1.0) * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 ≤ h ≤ last"
    )]
    let low = h.floor() as usize;
    let a = *sorted.get(low)?;
    let b = *sorted.get((low + 1).min(last))?;
    Some(a + (b - a) * (h - low as f64))
}

/// 1-based ranks of the two-sided interval of the q-quantile; `None` where n does not support an end.
///
/// With K ~ Bin(n, q): low = max{l: F(l − 1) ≤ α/2}, high = min{u: 1 − F(u − 1) ≤ α/2}.
pub fn quantile_ranks(n: u64, q: f64, confidence: f64) -> (Option<u64>, Option<u64>) {
    let half = (1.0 - confidence) / 2.0;
    if n == 0 {
        return (None, None);
    }
    // Number of ranks l in 1..=n with F(l − 1) ≤ α/2: they come first.
    let n_low = partition(n, |l| binomial_cdf(l - 1, n, q) <= half);
    let n_below_high = partition(n, |u| 1.0 - binomial_cdf(u - 1, n, q) > half);
    (
        (n_low >= 1).then_some(n_low),
        (n_below_high < n).then_some(n_below_high + 1),
    )
}

/// How many of 1..=n fulfil a condition that holds up to some number and then no more.
fn partition(n: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if holds(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

/// The 95 % interval of the q-quantile of a sorted slice.
pub fn quantile_interval(sorted: &[f64], q: f64) -> [Option<f64>; 2] {
    let (low, high) = quantile_ranks(sorted.len() as u64, q, CONFIDENCE);
    let value = |rank: Option<u64>| {
        let position = usize::try_from(rank?).ok()?.checked_sub(1)?;
        sorted.get(position).copied()
    };
    [value(low), value(high)]
}

/// The least n at which the q-quantile's 95 % interval has an upper end: p50 6, p90 36, p95 72, p99 368.
pub fn least_n(q: f64) -> u64 {
    let half = (1.0 - CONFIDENCE) / 2.0;
    if !(q > 0.0 && q < 1.0) {
        return 1;
    }
    let n = (half.ln() / q.ln() - 1e-9).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and below 2^53 for any q a person names"
    )]
    let n = n.max(1.0) as u64;
    n
}

/// The interval of the ratio b / a of two independent positive estimates, recovered from the interval of each on the log
/// scale (MOVER: Donner & Zou, Statistical Methods in Medical Research 21, 2012). An end that one of the two
/// intervals lacks is missing here too.
pub fn ratio_interval(
    a: f64,
    a_interval: [Option<f64>; 2],
    b: f64,
    b_interval: [Option<f64>; 2],
) -> [Option<f64>; 2] {
    if !(a > 0.0 && b > 0.0) {
        return [None, None];
    }
    let log_ratio = (b / a).ln();
    let distance = |from: f64, to: Option<f64>| to.filter(|v| *v > 0.0).map(|v| (v / from).ln());
    let low = distance(b, b_interval[0])
        .zip(distance(a, a_interval[1]))
        .map(|(db, da)| (log_ratio - db.hypot(da)).exp());
    let high = distance(b, b_interval[1])
        .zip(distance(a, a_interval[0]))
        .map(|(db, da)| (log_ratio + db.hypot(da)).exp());
    [low, high]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::vectors::{floats, load, near};

    #[test]
    fn nearest_rank_is_the_inverted_cdf() {
        let v = load("quantiles");
        let mut n_checked = 0;
        for case in v["cases"].as_array().unwrap() {
            let mut data = floats(&v["data"][case["data"].as_str().unwrap()]);
            data.sort_by(f64::total_cmp);
            let q = case["q"].as_f64().unwrap();
            let got = nearest_rank(&data, q).unwrap();
            near(got, case["nearest_rank_ceil"].as_f64().unwrap(), 0.0);
            near(
                type7(&data, q).unwrap(),
                case["linear_type7"].as_f64().unwrap(),
                1e-12,
            );
            n_checked += 1;
        }
        assert!(n_checked > 20);
        assert_eq!(nearest_rank(&[], 0.5), None);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        for p in 1..=100 {
            assert_eq!(
                nearest_rank(&hundred, f64::from(p) / 100.0),
                Some(f64::from(p))
            );
        }
    }

    #[test]
    fn interval_ranks() {
        let v = load("quantile_ci_order_stat");
        for case in v["cases"].as_array().unwrap() {
            let n = case["n"].as_u64().unwrap();
            let q = case["q"].as_f64().unwrap();
            let ranks = quantile_ranks(n, q, case["conf"].as_f64().unwrap());
            let expected = (case["lo_rank"].as_u64(), case["hi_rank"].as_u64());
            assert_eq!(ranks, expected, "{case}");
        }
        let mut a60 = floats(&load("quantiles")["data"]["A60"]);
        a60.sort_by(f64::total_cmp);
        for case in v["applied"].as_array().unwrap() {
            let got = quantile_interval(&a60, case["q"].as_f64().unwrap());
            assert_eq!(got, [case["lo"].as_f64(), case["hi"].as_f64()]);
        }
    }

    #[test]
    fn least_n_is_where_the_upper_end_appears() {
        for (q, n) in [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)] {
            assert_eq!(least_n(q), n);
            assert_eq!(quantile_ranks(n - 1, q, 0.95).1, None);
            assert!(quantile_ranks(n, q, 0.95).1.is_some());
        }
        for case in load("quantile_ci_order_stat")["min_n"].as_array().unwrap() {
            if case["conf"].as_f64() == Some(0.95) {
                let expected = case["min_n_two_sided_equal_tail_upper"].as_u64().unwrap();
                assert_eq!(least_n(case["q"].as_f64().unwrap()), expected);
            }
        }
    }

    #[test]
    fn ratio_holds_its_estimate_and_lacks_what_its_parts_lack() {
        let got = ratio_interval(100.0, [Some(90.0), Some(112.0)], 200.0, [Some(180.0), None]);
        assert_eq!(got[1], None);
        let low = got[0].unwrap();
        near(
            low,
            2.0 / ((200f64 / 180.0).ln().hypot((112f64 / 100.0).ln())).exp(),
            1e-12,
        );
        // Nothing is known of the other: the interval is the one's own.
        let own = ratio_interval(100.0, [Some(100.0); 2], 200.0, [Some(180.0), Some(220.0)]);
        near(own[0].unwrap(), 1.8, 1e-12);
        near(own[1].unwrap(), 2.2, 1e-12);
        assert_eq!(ratio_interval(0.0, [None; 2], 1.0, [None; 2]), [None, None]);
    }
}
