//! Whether a stage under way asks more than the server gives: the number in flight and the time to first token both
//! rise, so that what is measured depends on how long one measures. Pure.
//!
//! Means of one slot each are looked at, not requests: neighbours in a queue wait alike, and would pass for proof. What
//! is left of that is taken off the t of the slope by the residuals' own correlation.

use crate::domain::{SATURATED, TREND_MIN_REQUESTS, TREND_MIN_RISE, TREND_MIN_T};
use crate::stats::slope_t;

/// How often it is looked at, and how long a slot is at first.
pub(super) const LOOK_NS: u64 = 1_000_000_000;
/// Slots with both figures that it takes.
const MIN_SLOTS: usize = 12;
/// Slots at most; then each two become one.
const MAX_SLOTS: usize = 240;
/// It must be seen so often in a row: a queue that comes and goes rises for a while, too.
const IN_A_ROW: u32 = 3;
/// A stage fills up while its first requests are under way; so many of their mean times are left out.
const FILL_UP_TIMES: u64 = 2;

/// Watches one stage.
#[derive(Clone, Debug)]
pub(super) struct Saturation {
    began_ns: u64,
    slot_ns: u64,
    slots: Vec<Slot>,
    n_first: u64,
    first_sum_ns: u64,
    seen_in_a_row: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    in_flight: Sum,
    ttft_ns: Sum,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    n: f64,
    sum: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        self.n += 1.0;
        self.sum += value;
    }

    fn mean(self) -> Option<f64> {
        (self.n > 0.0).then(|| self.sum / self.n)
    }
}

impl Saturation {
    pub(super) fn new(began_ns: u64) -> Self {
        Self {
            began_ns,
            slot_ns: LOOK_NS,
            slots: Vec::new(),
            n_first: 0,
            first_sum_ns: 0,
            seen_in_a_row: 0,
        }
    }

    /// A request was sent, the `in_flight`th that is under way.
    pub(super) fn sent(&mut self, at_ns: u64, in_flight: u32) {
        let in_flight = f64::from(in_flight);
        if let Some(slot) = self.slot(at_ns) {
            slot.in_flight.add(in_flight);
        }
    }

    /// A request ended well.
    pub(super) fn ended(&mut self, start_ns: u64, first_token_ns: Option<u64>, end_ns: u64) {
        if self.n_first < TREND_MIN_REQUESTS {
            self.n_first += 1;
            self.first_sum_ns += end_ns.saturating_sub(start_ns);
        }
        // Answers in one piece have no first token; their end tells the same.
        let ttft_ns = first_token_ns.unwrap_or(end_ns).saturating_sub(start_ns);
        if let Some(slot) = self.slot(start_ns) {
            slot.ttft_ns.add(ttft_ns as f64);
        }
    }

    fn slot(&mut self, at_ns: u64) -> Option<&mut Slot> {
        let at = loop {
            let at = at_ns.saturating_sub(self.began_ns) / self.slot_ns;
            match usize::try_from(at) {
                Ok(at) if at < MAX_SLOTS => break at,
                _ => self.double(),
            }
        };
        if at >= self.slots.len() {
            self.slots.resize(at + 1, Slot::default());
        }
        self.slots.get_mut(at)
    }

    fn double(&mut self) {
        self.slot_ns *= 2;
        let both = |a: Sum, b: Sum| Sum {
            n: a.n + b.n,
            sum: a.sum + b.sum,
        };
        let merge = |pair: &[Slot]| {
            pair.iter().copied().reduce(|a, b| Slot {
                in_flight: both(a.in_flight, b.in_flight),
                ttft_ns: both(a.ttft_ns, b.ttft_ns),
            })
        };
        self.slots = self.slots.chunks(2).filter_map(merge).collect();
    }

    /// To be asked every [`LOOK_NS`]: what to say when the stage is saturated.
    pub(super) fn look(&mut self) -> Option<String> {
        let Some((in_flight, ttft)) = self.rises() else {
            self.seen_in_a_row = 0;
            return None;
        };
        self.seen_in_a_row += 1;
        (self.seen_in_a_row >= IN_A_ROW).then(|| {
            format!(
                "{SATURATED}: requests in flight and TTFT both kept rising (by {:.0} % and {:.0} % of their mean)",
                in_flight * 100.0,
                ttft * 100.0
            )
        })
    }

    /// The rises over the stage as shares of the mean, where both are beyond chance.
    fn rises(&self) -> Option<(f64, f64)> {
        if self.n_first < TREND_MIN_REQUESTS {
            return None;
        }
        let filled_ns = FILL_UP_TIMES * self.first_sum_ns / self.n_first;
        let n_left_out = usize::try_from(filled_ns.div_ceil(self.slot_ns)).ok()?;
        // The last slot is not over.
        let n_whole = self.slots.len().saturating_sub(1);
        let whole = self.slots.iter().take(n_whole).enumerate().skip(n_left_out);
        let (mut in_flight, mut ttft) = (Vec::new(), Vec::new());
        for (i, slot) in whole {
            if let (Some(n), Some(ns)) = (slot.in_flight.mean(), slot.ttft_ns.mean()) {
                in_flight.push((i as f64, n));
                ttft.push((i as f64, ns));
            }
        }
        if in_flight.len() < MIN_SLOTS {
            return None;
        }
        rise(&in_flight).zip(rise(&ttft))
    }
}

/// The rise over the points as a share of their mean, where it is beyond chance and matters.
fn rise(points: &[(f64, f64)]) -> Option<f64> {
    let (slope, t) = slope_t(points)?;
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (mx, my) = (mean(|p| p.0), mean(|p| p.1));
    let left: Vec<f64> = points
        .iter()
        .map(|(x, y)| y - my - slope * (x - mx))
        .collect();
    let squares: f64 = left.iter().map(|r| r * r).sum();
    let neighbours: f64 = left
        .iter()
        .zip(left.iter().skip(1))
        .map(|(a, b)| a * b)
        .sum();
    let correlation = if squares > 0.0 {
        (neighbours / squares).clamp(0.0, 0.99)
    } else {
        0.0
    };
    let t = t * ((1.0 - correlation) / (1.0 + correlation)).sqrt();
    let span = points.last()?.0 - points.first()?.0;
    let rise = slope * span / my;
    (t >= TREND_MIN_T && rise >= TREND_MIN_RISE).then_some(rise)
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the times of these tests are small and above 0"
)]
mod tests {
    use super::*;
    use crate::stats::SplitMix64;

    const S: f64 = 1e9;

    /// When, in seconds, the watch speaks over a queue before one server: Poisson arrivals, exponential service.
    fn queue(rate: f64, capacity: f64, secs: u64, seed: u64) -> Option<u64> {
        let mut rng = SplitMix64::new(seed);
        let mut watch = Saturation::new(0);
        let (mut at, mut free) = (0.0_f64, 0.0_f64);
        let mut ends: Vec<(f64, f64, f64)> = Vec::new();
        let ns = |secs: f64| (secs * S) as u64;
        for second in 1..=secs {
            while at < second as f64 {
                at += rng.exp(rate);
                let start = at.max(free);
                free = start + rng.exp(capacity);
                let in_flight = 1 + ends.iter().filter(|e| e.2 > at).count();
                watch.sent(ns(at), u32::try_from(in_flight).unwrap());
                ends.push((at, start + 0.2 * (free - start), free));
            }
            let now = second as f64;
            for (start, first, end) in ends.extract_if(.., |e| e.2 <= now) {
                watch.ended(ns(start), Some(ns(first)), ns(end));
            }
            if watch.look().is_some() {
                return Some(second);
            }
        }
        None
    }

    #[test]
    fn the_least_time_that_is_told_is_the_one_that_it_takes() {
        let slots = MIN_SLOTS + IN_A_ROW as usize;
        let secs = slots as f64 * LOOK_NS as f64 / S;
        assert!(
            (secs - crate::domain::SATURATION_MIN_SECS).abs() < 1e-9,
            "{secs}"
        );
    }

    #[test]
    fn an_overloaded_queue_is_found_soon() {
        for seed in 0..6 {
            for factor in [1.3, 2.0, 5.0] {
                let at = queue(20.0 * factor, 20.0, 120, seed)
                    .unwrap_or_else(|| panic!("seed {seed}: ×{factor}"));
                assert!(
                    (14..100).contains(&at),
                    "seed {seed}: ×{factor} after {at} s"
                );
            }
        }
    }

    #[test]
    fn a_queue_that_comes_and_goes_is_left_alone() {
        let false_alarms = |load: f64| {
            let n = (0..20).filter(|seed| queue(20.0 * load, 20.0, 120, *seed).is_some());
            n.count()
        };
        let (half, most) = (false_alarms(0.5), false_alarms(0.8));
        assert!(half <= 1 && most <= 2, "{half} {most}");
    }

    #[test]
    fn a_stage_that_fills_up_is_not_saturated() {
        // 10/s with answers of 5 s: 50 in flight after 5 s, and no more.
        let mut watch = Saturation::new(0);
        for second in 0..60_u64 {
            for i in 0..10 {
                let at = second * 1_000_000_000 + i * 100_000_000;
                let in_flight = (second * 10 + i + 1).min(50);
                watch.sent(at, u32::try_from(in_flight).unwrap());
                if second >= 5 {
                    // A server that batches is a little slower with more at once.
                    let start = at - 5_000_000_000;
                    let load = ((second - 5) * 10 + i + 1).min(50);
                    watch.ended(start, Some(start + 100_000_000 + load * 10_000_000), at);
                }
            }
            assert_eq!(watch.look(), None, "after {second} s");
        }
    }

    #[test]
    fn hours_take_no_more_room_than_minutes() {
        let mut watch = Saturation::new(0);
        for i in 0..100_000_u64 {
            watch.sent(i * 1_000_000_000, 3);
            watch.ended(i * 1_000_000_000, None, i * 1_000_000_000 + 5);
        }
        assert!(watch.slots.len() <= MAX_SLOTS);
        assert_eq!(watch.look(), None);
    }
}
