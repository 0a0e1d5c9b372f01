//! Wilson's interval of a share (JASA 22, 1927): it stays inside 0 to 1, and says something of 0 failures too.

use super::CONFIDENCE;
use super::special::normal_quantile;

/// 95 % interval of `x` of `n`; `None` for n = 0.
pub fn wilson(x: u64, n: u64) -> Option<[f64; 2]> {
    if n == 0 {
        return None;
    }
    let z = normal_quantile(0.5 + CONFIDENCE / 2.0);
    let (count, x) = (n as f64, x.min(n));
    let p = x as f64 / count;
    let spread = z * z / count;
    let middle = (p + spread / 2.0) / (1.0 + spread);
    let half = z / (1.0 + spread) * (p * (1.0 - p) / count + spread / (4.0 * count)).sqrt();
    let low = if x == 0 { 0.0 } else { middle - half };
    let high = if x == n { 1.0 } else { middle + half };
    Some([low, high])
}

/// The least n at which n of n tell by [`wilson`] that a share is reached: 73 for 95 %, 381 for 99 %.
pub fn wilson_least_n(share: f64) -> u64 {
    if !(share > 0.0 && share < 1.0) {
        return 1;
    }
    let z = normal_quantile(0.5 + CONFIDENCE / 2.0);
    let n = (z * z * share / (1.0 - share) - 1e-9).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and below 2^53 for any share a person names"
    )]
    let n = n.max(1.0) as u64;
    n
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::vectors::{floats, load, near};

    #[test]
    fn known_answers() {
        for case in load("proportion_ci")["cases"].as_array().unwrap() {
            let (x, n) = (case["x"].as_u64().unwrap(), case["n"].as_u64().unwrap());
            let expected = floats(&case["wilson"]);
            let got = wilson(x, n).unwrap();
            near(got[0], expected[0], 1e-11);
            near(got[1], expected[1], 1e-11);
        }
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn the_least_n_is_where_all_within_tell() {
        for (share, n) in [(0.5, 4), (0.9, 35), (0.95, 73), (0.99, 381)] {
            assert_eq!(wilson_least_n(share), n);
            assert!(wilson(n, n).unwrap()[0] >= share);
            assert!(wilson(n - 1, n - 1).unwrap()[0] < share);
        }
        assert_eq!(wilson_least_n(1.0), 1);
    }
}
