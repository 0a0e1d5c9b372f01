//! The gaps of a stage: every one while there are few, a histogram of three significant digits from then on.

use crate::stats::{self, Histogram, Moments};

use super::super::{Distribution, MetricId};
use super::Detail;
use super::stage::{Ranks, Sorted, distribution};

/// Gaps kept as they are, for each stage: 4 MB.
const EXACT_GAPS: usize = 500_000;

#[derive(Clone, Debug)]
pub(super) enum Gaps {
    Exact(Sorted),
    Folded {
        histogram: Histogram,
        moments: Moments,
    },
}

impl Default for Gaps {
    fn default() -> Self {
        Self::Exact(Sorted::default())
    }
}

impl Gaps {
    pub(super) fn push(&mut self, gaps_ns: &[u64]) {
        if let Self::Exact(exact) = self
            && exact.len() + gaps_ns.len() > EXACT_GAPS
        {
            *self = folded(exact.sorted());
        }
        match self {
            Self::Exact(exact) => {
                for ns in gaps_ns {
                    exact.push(*ns as f64 / 1e6);
                }
            }
            Self::Folded { histogram, moments } => {
                for ns in gaps_ns {
                    histogram.record(*ns);
                    moments.push(*ns as f64 / 1e6);
                }
            }
        }
    }

    pub(super) fn distribution(
        &mut self,
        seed: u64,
        ranks: &mut Ranks,
        detail: Detail,
    ) -> Distribution {
        match self {
            Self::Exact(exact) => distribution(MetricId::Itl, exact.sorted(), seed, ranks, detail),
            Self::Folded { histogram, moments } => of_histogram(histogram, moments, ranks),
        }
    }

    /// Sorted, in ms: all, or an even sample.
    pub(super) fn sample(&mut self, most: usize) -> Vec<f32> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a chart needs seven digits"
        )]
        let narrow = |ms: f64| ms as f32;
        match self {
            Self::Exact(exact) => {
                let all = exact.sorted();
                let step = all.len().div_ceil(most.max(1)).max(1);
                all.iter()
                    .skip((step - 1) / 2)
                    .step_by(step)
                    .map(|v| narrow(*v))
                    .collect()
            }
            Self::Folded { histogram, .. } => {
                let sample = histogram.sample(most as u64);
                sample.iter().map(|ns| narrow(*ns as f64 / 1e6)).collect()
            }
        }
    }
}

fn folded(exact: &[f64]) -> Gaps {
    let (mut histogram, mut moments) = (Histogram::default(), Moments::default());
    for ms in exact {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it was a u64 of ns"
        )]
        let ns = (ms * 1e6).round() as u64;
        histogram.record(ns);
        moments.push(*ms);
    }
    Gaps::Folded { histogram, moments }
}

fn of_histogram(histogram: &Histogram, moments: &Moments, ranks: &mut Ranks) -> Distribution {
    let n = histogram.n();
    let ms = |ns: Option<u64>| ns.map(|ns| ns as f64 / 1e6);
    let avg = match (moments.mean(), moments.sd()) {
        (Some(mean), Some(sd)) => stats::mean_interval_t(n, mean, sd),
        _ => [None, None],
    };
    Distribution {
        n,
        avg: moments.mean(),
        min: moments.min(),
        max: moments.max(),
        sd: moments.sd(),
        p50: ms(histogram.quantile(0.5)),
        p90: ms(histogram.quantile(0.9)),
        p95: ms(histogram.quantile(0.95)),
        p99: ms(histogram.quantile(0.99)),
        ci95: ranks.intervals(n, avg, |rank| ms(histogram.value_at_rank(rank))),
        ..Distribution::empty(MetricId::Itl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_keeps_three_digits() {
        let mut gaps = Gaps::default();
        // 1 to 100 ms in µs steps, in a scrambled order.
        let values: Vec<u64> = (0..99_000u64)
            .map(|i| 1_000_000 + (i * 7919 % 99_000) * 1000)
            .collect();
        for _ in 0..5 {
            gaps.push(&values);
        }
        let exact = gaps.distribution(1, &mut Ranks::default(), Detail::Live);
        assert!(matches!(gaps, Gaps::Exact(_)));
        gaps.push(&values);
        assert!(matches!(gaps, Gaps::Folded { .. }));
        let folded = gaps.distribution(1, &mut Ranks::default(), Detail::Full);
        assert_eq!(folded.n, 594_000);
        for (a, b) in [
            (exact.p50, folded.p50),
            (exact.p99, folded.p99),
            (exact.avg, folded.avg),
            (exact.sd, folded.sd),
        ] {
            let (a, b) = (a.unwrap(), b.unwrap());
            assert!((a - b).abs() < 1e-3 * a, "{a} {b}");
        }
        assert_eq!((folded.min, folded.max), (exact.min, exact.max));
        assert!(folded.ci95.p99[0] <= folded.p99 && folded.p99 <= folded.ci95.p99[1]);
        let sample = gaps.sample(1000);
        assert!((900..=1000).contains(&sample.len()));
        assert!(sample.is_sorted());
    }
}
