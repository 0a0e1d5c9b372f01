//! Mean, standard deviation, slope, and the intervals of a mean.

use super::CONFIDENCE;
use super::bootstrap::{BOOTSTRAP_ROUNDS, bca_mean};
use super::special::t_quantile;

/// Count, mean, spread and ends of values that are not kept (Welford 1962).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    n: u64,
    mean: f64,
    squares: f64,
    ends: Option<(f64, f64)>,
}

impl Moments {
    pub fn push(&mut self, value: f64) {
        self.n += 1;
        let delta = value - self.mean;
        self.mean += delta / self.n as f64;
        self.squares += delta * (value - self.mean);
        self.ends = Some(
            self.ends
                .map_or((value, value), |(a, b)| (a.min(value), b.max(value))),
        );
    }

    pub fn n(&self) -> u64 {
        self.n
    }

    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean)
    }

    /// With n − 1; none below two values.
    pub fn sd(&self) -> Option<f64> {
        (self.n > 1).then(|| (self.squares.max(0.0) / (self.n - 1) as f64).sqrt())
    }

    pub fn min(&self) -> Option<f64> {
        self.ends.map(|(a, _)| a)
    }

    pub fn max(&self) -> Option<f64> {
        self.ends.map(|(_, b)| b)
    }
}

pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// With n − 1; none below two values.
pub fn sd(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// 95 % interval of a mean by Student's t: right for many values, whatever their distribution.
pub fn mean_interval_t(n: u64, mean: f64, sd: f64) -> [Option<f64>; 2] {
    if n < 2 {
        return [None, None];
    }
    let half = t_quantile(0.5 + CONFIDENCE / 2.0, (n - 1) as f64) * sd / (n as f64).sqrt();
    [Some(mean - half), Some(mean + half)]
}

/// Above this many values the bootstrap says nothing that t does not, and costs seconds.
const BOOTSTRAP_MAX_N: usize = 5000;

/// 95 % interval of a mean: BCa bootstrap, or Student's t above 5,000 values; no ends below two.
pub fn mean_interval_bca_or_t(values: &[f64], seed: u64) -> [Option<f64>; 2] {
    if values.len() > BOOTSTRAP_MAX_N
        && let (Some(mean), Some(sd)) = (mean(values), sd(values))
    {
        return mean_interval_t(values.len() as u64, mean, sd);
    }
    // Nothing varies: spare the bootstrap.
    if let [first, rest @ ..] = values
        && !rest.is_empty()
        && rest.iter().all(|v| v.to_bits() == first.to_bits())
    {
        return [Some(*first); 2];
    }
    match bca_mean(values, BOOTSTRAP_ROUNDS, seed) {
        Some(e) => [Some(e.low), Some(e.high)],
        None => [None, None],
    }
}

/// Least-squares slope of y over x, with Student's t of it being 0; none below 4 points or where x does not vary.
pub fn slope_t(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let n = points.len() as f64;
    if points.len() < 4 {
        return None;
    }
    let (mx, my) = points
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (mut sxx, mut sxy, mut syy) = (0.0, 0.0, 0.0);
    for (x, y) in points {
        sxx += (x - mx).powi(2);
        sxy += (x - mx) * (y - my);
        syy += (y - my).powi(2);
    }
    if sxx <= 1e-20 * n * mx * mx {
        return None;
    }
    let slope = sxy / sxx;
    let left = (syy - slope * sxy).max(0.0);
    let se = (left / (n - 2.0) / sxx).sqrt();
    let t = if se > 0.0 {
        slope / se
    } else if slope == 0.0 {
        0.0
    } else {
        slope.signum() * f64::INFINITY
    };
    Some((slope, t))
}

/// As [`slope_t`], of values in the order of x that resemble their neighbours, as those of a queue do: t is smaller by what
/// the residuals' own correlation (lag 1) says that they tell less.
pub fn slope_t_serial(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let (slope, t) = slope_t(points)?;
    let n = points.len() as f64;
    let (mx, my) = points
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let left = points.iter().map(|(x, y)| y - my - slope * (x - mx));
    let left: Vec<f64> = left.collect();
    let squares: f64 = left.iter().map(|r| r * r).sum();
    let pairs = left.iter().zip(left.iter().skip(1));
    let neighbours: f64 = pairs.map(|(a, b)| a * b).sum();
    let correlation = if squares > 0.0 {
        (neighbours / squares).clamp(0.0, 0.99)
    } else {
        0.0
    };
    Some((
        slope,
        t * ((1.0 - correlation) / (1.0 + correlation)).sqrt(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::vectors::near;

    #[test]
    fn moments_agree_with_two_passes() {
        let values = [212.0849, 252.0842, 388.3186, 190.4412, 1e-3, 7.0];
        let mut moments = Moments::default();
        assert_eq!((moments.mean(), moments.sd()), (None, None));
        for v in values {
            moments.push(v);
        }
        near(moments.mean().unwrap(), mean(&values).unwrap(), 1e-12);
        near(moments.sd().unwrap(), sd(&values).unwrap(), 1e-12);
        assert_eq!(moments.min(), Some(1e-3));
        assert_eq!(moments.max(), Some(388.3186));
        assert_eq!(moments.n(), 6);
        assert_eq!(sd(&[1.0]), None);
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn t_interval_of_a_mean() {
        // 1..=10: mean 5.5, sd 3.0276503540974917, t(0.975, 9) = 2.262157162798205.
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        let [low, high] = mean_interval_t(10, 5.5, sd(&values).unwrap());
        near(
            high.unwrap() - 5.5,
            2.262_157_162_798_205 * 3.027_650_354_097_491_7 / 10f64.sqrt(),
            1e-9,
        );
        near(5.5 - low.unwrap(), high.unwrap() - 5.5, 1e-9);
        assert_eq!(mean_interval_t(1, 5.5, 0.0), [None, None]);
    }

    #[test]
    fn many_values_go_by_t_and_few_by_bootstrap() {
        let many: Vec<f64> = (0..6000).map(|i| f64::from(i % 10)).collect();
        let by_t = mean_interval_t(6000, mean(&many).unwrap(), sd(&many).unwrap());
        assert_eq!(mean_interval_bca_or_t(&many, 1), by_t);
        let few = &many[..50];
        let by_t = mean_interval_t(50, mean(few).unwrap(), sd(few).unwrap());
        let got = mean_interval_bca_or_t(few, 1);
        assert_ne!(got, by_t);
        near(got[0].unwrap(), by_t[0].unwrap(), 0.05);
        assert_eq!(mean_interval_bca_or_t(&[1.0], 1), [None, None]);
        assert_eq!(mean_interval_bca_or_t(&[2.0; 9], 1), [Some(2.0); 2]);
    }

    #[test]
    fn slope_of_a_line_and_of_noise() {
        let line: Vec<(f64, f64)> = (0..10)
            .map(|i| (f64::from(i), 3.0 * f64::from(i) - 1.0))
            .collect();
        let (slope, t) = slope_t(&line).unwrap();
        near(slope, 3.0, 1e-12);
        assert!(t > 1e6);
        let flat: Vec<(f64, f64)> = (0..10).map(|i| (f64::from(i), f64::from(i % 2))).collect();
        assert!(slope_t(&flat).unwrap().1.abs() < 1.0);
        assert_eq!(slope_t(&[(1.0, 1.0); 9]), None);
        assert_eq!(slope_t(&line[..3]), None);
    }

    #[test]
    fn neighbours_that_resemble_each_other_tell_less() {
        let mut rng = crate::stats::SplitMix64::new(5);
        let line = |noise: &mut dyn FnMut() -> f64| -> Vec<(f64, f64)> {
            (0..100_u32)
                .map(|i| (f64::from(i), 0.01 * f64::from(i) + noise()))
                .collect()
        };
        let free = line(&mut || rng.unit());
        let mut level = 0.0;
        let mut rng = crate::stats::SplitMix64::new(5);
        let walk = line(&mut || {
            level = 0.95 * level + rng.unit() - 0.5;
            level
        });
        let ratio = |points: &[(f64, f64)]| {
            let (plain, serial) = (slope_t(points).unwrap(), slope_t_serial(points).unwrap());
            near(serial.0, plain.0, 1e-12);
            serial.1 / plain.1
        };
        assert!((0.8..=1.0).contains(&ratio(&free)), "{}", ratio(&free));
        assert!(ratio(&walk) < 0.5, "{}", ratio(&walk));
        assert_eq!(slope_t_serial(&free[..3]), None);
    }
}
