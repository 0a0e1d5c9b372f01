//! The levels of a sweep: first the most that the server gives, then steps up to and beyond it. Pure.

use crate::domain::SWEEP_TOP;

/// The rates of a sweep over a maximum of `max` requests per second: `i · 1.2 · max / n`, i = 1..n, rounded to three
/// digits, as a person would write them. Empty where nothing could be measured.
pub(super) fn rates(max: f64, n: u32) -> Vec<f64> {
    if !max.is_finite() || max <= 0.0 {
        return Vec::new();
    }
    let top = SWEEP_TOP * max;
    (1..=n)
        .map(|i| rounded(f64::from(i) * top / f64::from(n)))
        .collect()
}

/// Users from 1 to `max` by equal factors in at most `n` steps; fewer where whole users leave no room.
pub(super) fn users(max: u32, n: u32) -> Vec<u32> {
    let max = max.max(1);
    let step = |i: u32| match n {
        0 | 1 => max,
        _ => {
            let share = f64::from(i) / f64::from(n - 1);
            let level = f64::from(max).powf(share).round().max(1.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 1 and max"
            )]
            let level = level as u32;
            level.min(max)
        }
    };
    let mut levels: Vec<u32> = (0..n.max(1)).map(step).collect();
    levels.dedup();
    levels
}

/// To three significant digits: a rate of 7.3333/s is 7.33/s.
pub(super) fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_go_to_120_percent_of_the_maximum() {
        assert_eq!(rates(100.0, 4), [30.0, 60.0, 90.0, 120.0]);
        assert_eq!(rates(55.0, 3), [22.0, 44.0, 66.0]);
        assert_eq!(rates(1.0, 7).first(), Some(&0.171), "1.2/7 = 0.171428…");
        assert_eq!(rates(12_345.6, 2), [7_410.0, 14_800.0]);
        assert!(rates(0.0, 4).is_empty() && rates(f64::NAN, 4).is_empty());
    }

    #[test]
    fn users_go_by_equal_factors() {
        assert_eq!(users(64, 7), [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(users(100, 3), [1, 10, 100]);
        assert_eq!(users(4, 10), [1, 2, 3, 4]);
        assert_eq!(users(50, 1), [50]);
        assert_eq!(users(1, 5), [1]);
    }
}
