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
}
