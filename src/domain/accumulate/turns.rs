//! Conversations turn by turn: what grows with the history, and what the server's prefix cache saves of it.

use std::collections::BTreeMap;

use crate::stats;

use super::super::{MAX_TURNS, MetricId, RequestRecord, Taken, TurnSummary};
use super::stage::Sorted;

#[derive(Clone, Debug, Default)]
pub(super) struct Turns(BTreeMap<u32, OfTurn>);

#[derive(Clone, Debug, Default)]
struct OfTurn {
    n: u64,
    ttft: Sorted,
    e2e: Sorted,
    tokens_in: Mean,
    cached: Mean,
    /// Prompt tokens of the requests whose cached ones are known too, and these.
    both: (u64, u64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    n: u64,
    sum: u64,
}

impl Mean {
    fn push(&mut self, value: Option<u64>) {
        if let Some(value) = value {
            self.n += 1;
            self.sum = self.sum.saturating_add(value);
        }
    }

    fn value(self) -> Option<f64> {
        (self.n > 0).then(|| self.sum as f64 / self.n as f64)
    }
}

impl Turns {
    /// Takes a Measure request that ended well.
    pub(super) fn push(&mut self, record: &RequestRecord) {
        // No plan has more turns; a foreign file may claim any.
        let Some(turn) = record.turn.filter(|turn| *turn < MAX_TURNS) else {
            return;
        };
        let of = self.0.entry(turn).or_default();
        of.n += 1;
        of.tokens_in.push(record.tokens_in);
        of.cached.push(record.cached_tokens);
        if let (Some(all), Some(cached)) = (record.tokens_in, record.cached_tokens) {
            of.both.0 = of.both.0.saturating_add(all);
            of.both.1 = of.both.1.saturating_add(cached.min(all));
        }
        for (values, id) in [(&mut of.ttft, MetricId::Ttft), (&mut of.e2e, MetricId::E2e)] {
            if let Taken::PerRequest(value_of) = id.metric().taken
                && let Some(ms) = value_of(record).filter(|ms| ms.is_finite())
            {
                values.push(ms);
            }
        }
    }

    /// One for each turn that was seen, the first first.
    pub(super) fn summaries(&mut self) -> Vec<TurnSummary> {
        let summary = |(turn, of): (&u32, &mut OfTurn)| {
            let (all, cached) = of.both;
            TurnSummary {
                turn: *turn,
                n: of.n,
                ttft_p50: stats::nearest_rank(of.ttft.sorted(), 0.5),
                ttft_p95: stats::nearest_rank(of.ttft.sorted(), 0.95),
                e2e_p50: stats::nearest_rank(of.e2e.sorted(), 0.5),
                tokens_in: of.tokens_in.value(),
                cached_tokens: of.cached.value(),
                cached_share: (all > 0).then(|| cached as f64 / all as f64),
            }
        };
        self.0.iter_mut().map(summary).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::streamed;
    use super::*;

    fn turn(turn: u32, ttft_ms: f64, tokens_in: u64, cached: Option<u64>) -> RequestRecord {
        RequestRecord {
            turn: Some(turn),
            tokens_in: Some(tokens_in),
            cached_tokens: cached,
            ..streamed(0, 0.0, ttft_ms, &[10.0])
        }
    }

    #[test]
    fn what_the_cache_saves_is_told_turn_by_turn() {
        let mut turns = Turns::default();
        for (ttft, cached) in [(50.0, Some(0)), (70.0, Some(0)), (60.0, None)] {
            turns.push(&turn(0, ttft, 100, cached));
        }
        turns.push(&turn(1, 20.0, 300, Some(270)));
        turns.push(&turn(1, 40.0, 100, Some(30)));
        let got = turns.summaries();
        assert_eq!(
            got[0],
            TurnSummary {
                turn: 0,
                n: 3,
                ttft_p50: Some(60.0),
                ttft_p95: Some(70.0),
                e2e_p50: Some(70.0),
                tokens_in: Some(100.0),
                cached_tokens: Some(0.0),
                cached_share: Some(0.0),
            }
        );
        assert_eq!((got[1].turn, got[1].n), (1, 2));
        assert_eq!(
            (got[1].tokens_in, got[1].cached_tokens, got[1].cached_share),
            (Some(200.0), Some(150.0), Some(0.75))
        );
    }

    #[test]
    fn what_is_not_said_stays_unknown_and_nonsense_is_kept_out() {
        let mut turns = Turns::default();
        turns.push(&streamed(0, 0.0, 50.0, &[]));
        assert!(turns.summaries().is_empty(), "no conversation");
        turns.push(&turn(MAX_TURNS, 50.0, 1, None));
        assert!(turns.summaries().is_empty());
        turns.push(&turn(3, 50.0, 10, None));
        turns.push(&turn(4, 50.0, 10, Some(u64::MAX)));
        let got = turns.summaries();
        assert_eq!((got[0].cached_tokens, got[0].cached_share), (None, None));
        assert_eq!(got[1].cached_share, Some(1.0));
    }
}
