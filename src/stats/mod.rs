//! Numbers in, numbers out. Knows no type of ours.
//!
//! Known answers (made with scipy, spot-checked with R) stand in `tests/data/vectors/`.

mod bootstrap;
mod histogram;
mod moments;
mod proportion;
mod quantile;
mod rng;
mod special;
mod two_lines;

pub use bootstrap::{BOOTSTRAP_ROUNDS, Estimate, bca, bca_mean, bca_two};
pub use histogram::Histogram;
pub use moments::{
    Moments, mean, mean_interval_bca_or_t, mean_interval_t, sd, slope_t, slope_t_serial,
};
pub use proportion::{wilson, wilson_least_n};
pub use quantile::{
    least_n, median, nearest_rank, quantile_interval, quantile_ranks, ratio_interval, type7,
};
pub use rng::SplitMix64;
pub use special::{
    beta_inc, binomial_cdf, erf, ln_gamma, normal_cdf, normal_quantile, t_cdf, t_quantile,
};
pub use two_lines::{
    KNEE_MAX_TAIL_SLOPE, KNEE_MIN_IMPROVEMENT, KNEE_MIN_POINTS, KNEE_MIN_SHARE_OF_PEAK, TwoLines,
    knee, two_line_fit,
};

/// The confidence of every interval here.
pub const CONFIDENCE: f64 = 0.95;

#[cfg(test)]
mod vectors {
    //! Reading the known answers.

    pub(super) fn load(name: &str) -> serde_json::Value {
        let path = format!(
            "{}/tests/data/vectors/{name}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(path).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub(super) fn floats(value: &serde_json::Value) -> Vec<f64> {
        let list = value.as_array().unwrap();
        list.iter().map(|v| v.as_f64().unwrap()).collect()
    }

    #[track_caller]
    pub(super) fn near(got: f64, expected: f64, relative: f64) {
        let tolerance = relative * expected.abs().max(1e-300);
        assert!(
            (got - expected).abs() <= tolerance,
            "got {got:e}, expected {expected:e}, relative error {:e}",
            (got - expected).abs() / expected.abs()
        );
    }
}
