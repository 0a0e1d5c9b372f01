//! How far a stage met its goals: counts, shares, and whether they tell.

use serde::{Deserialize, Serialize};

use super::super::{MetricId, OutcomeKind, Phase, RequestRecord, Taken};
use super::Goal;
use crate::stats;

/// How far one goal was met.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct GoalResult {
    pub goal: Goal,
    /// Values that count: of requests that ended well or missed everything by failing; gaps for a goal of gaps.
    pub n: u64,
    /// Values within the limit.
    pub n_within: u64,
    /// `n_within / n`.
    pub attainment: Option<f64>,
    /// 95 % Wilson interval of the attainment.
    pub ci95: Option<[f64; 2]>,
    pub verdict: GoalVerdict,
}

/// Whether a goal holds, as far as n can tell.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalVerdict {
    Met,
    Missed,
    /// The interval holds both: more requests would tell.
    #[default]
    Unresolved,
}

impl GoalVerdict {
    /// `met`, `missed`, `unresolved`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Unresolved => "unresolved",
        }
    }
}

/// Counts how many requests meet a plan's goals. All that were sent in Measure count, those that ended in the grace time
/// after it (Drain) too: without them an overloaded stage would be judged by its fastest answers. Failed and dropped
/// requests miss every goal; one that was cut off misses those whose limit it had passed by then. A request that has no
/// value for a goal, or was cancelled, counts on neither side.
#[derive(Clone, Debug, Default)]
pub struct GoalTally {
    goals: Vec<Goal>,
    counts: Vec<Count>,
    /// Requests that meet all goals, and requests that could be told.
    good: Count,
    /// Of those that meet all goals, the ones that ended in Measure.
    n_good: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    within: u64,
    n: u64,
    /// Of a goal of gaps: requests that had gaps, and requests that missed it without one.
    n_requests: u64,
    n_lost: u64,
}

impl GoalTally {
    pub fn new(goals: &[Goal]) -> Self {
        Self {
            goals: goals.to_vec(),
            counts: vec![Count::default(); goals.len()],
            good: Count::default(),
            n_good: 0,
        }
    }

    pub fn push(&mut self, record: &RequestRecord) {
        if self.goals.is_empty() || !matches!(record.phase, Phase::Measure | Phase::Drain) {
            return;
        }
        match record.outcome.kind() {
            OutcomeKind::Ok => self.push_ok(record),
            OutcomeKind::Failed | OutcomeKind::Dropped => self.push_lost(),
            OutcomeKind::CutOff => self.push_cut_off(record),
            OutcomeKind::Cancelled => {}
        }
    }

    fn push_ok(&mut self, record: &RequestRecord) {
        let (mut is_good, mut is_told) = (true, false);
        for (i, goal) in self.goals.iter().enumerate() {
            let met = goal.is_met_by(record);
            if let Some(count) = self.counts.get_mut(i) {
                let (within, n) = match goal.metric.metric().taken {
                    Taken::PerGap => goal.gaps_within(record),
                    _ => (u64::from(met == Some(true)), u64::from(met.is_some())),
                };
                count.within += within;
                count.n += n;
                count.n_requests += u64::from(n > 0);
            }
            // A request's own limit is the one that nearly all have to keep.
            if let Some(met) = met.filter(|_| self.is_strictest_share(goal)) {
                is_told = true;
                is_good &= met;
            }
        }
        if is_told {
            self.good.within += u64::from(is_good);
            self.good.n += 1;
            self.n_good += u64::from(is_good && record.phase == Phase::Measure);
        }
    }

    /// What a request that was given up had missed by then is missed, however long it would have taken.
    fn push_cut_off(&mut self, record: &RequestRecord) {
        let mut has_missed = false;
        for (i, goal) in self.goals.iter().enumerate() {
            let Some(met) = goal.is_met_by_cut_off(record) else {
                continue;
            };
            if let Some(count) = self.counts.get_mut(i) {
                count.within += u64::from(met);
                count.n += 1;
            }
            has_missed |= !met && self.is_strictest_share(goal);
        }
        self.good.n += u64::from(has_missed);
    }

    /// Of several goals for one metric, the one with the largest share speaks for a single request.
    fn is_strictest_share(&self, goal: &Goal) -> bool {
        let of_metric = self.goals.iter().filter(|g| g.metric == goal.metric);
        of_metric.map(|g| g.share).fold(0.0, f64::max) <= goal.share
    }

    fn push_lost(&mut self) {
        for (count, goal) in self.counts.iter_mut().zip(&self.goals) {
            if is_of_gaps(goal) {
                count.n_lost += 1;
            } else {
                count.n += 1;
            }
        }
        self.good.n += 1;
    }

    pub fn results(&self) -> Vec<GoalResult> {
        let pairs = self.goals.iter().zip(&self.counts);
        pairs
            .map(|(goal, count)| count.with_lost().result(*goal))
            .collect()
    }

    /// Share of requests that meet every goal; `None` before there is one.
    pub fn attainment(&self) -> Option<f64> {
        self.good.share()
    }

    /// Requests that meet every goal and ended in Measure: what goodput counts.
    pub fn n_good(&self) -> u64 {
        self.n_good
    }

    /// All goals together: missed when one is, met when all are, else unresolved.
    pub fn verdict(&self) -> GoalVerdict {
        overall(&self.results())
    }
}

/// Missed when one goal is, met when there are goals and all are met, else unresolved.
pub fn overall(results: &[GoalResult]) -> GoalVerdict {
    let is = |verdict| move |r: &GoalResult| r.verdict == verdict;
    if results.iter().any(is(GoalVerdict::Missed)) {
        GoalVerdict::Missed
    } else if !results.is_empty() && results.iter().all(is(GoalVerdict::Met)) {
        GoalVerdict::Met
    } else {
        GoalVerdict::Unresolved
    }
}

impl Goal {
    /// Of a request that was given up, as far as it can be told: its token came, or it had waited longer than the limit.
    fn is_met_by_cut_off(&self, record: &RequestRecord) -> Option<bool> {
        let mark = match self.metric {
            MetricId::Ttft => record.first_token_ns,
            MetricId::Ttfa => record.first_answer_ns,
            MetricId::E2e => None,
            _ => return None,
        };
        let until_ns = mark.unwrap_or(record.end_ns);
        let met = self.allows(until_ns.saturating_sub(record.start_ns()) as f64 / 1e6);
        (mark.is_some() || !met).then_some(met)
    }
}

fn is_of_gaps(goal: &Goal) -> bool {
    matches!(goal.metric.metric().taken, Taken::PerGap)
}

impl Count {
    /// A request that gave no gap misses a goal of gaps by as many as the others have on the mean.
    fn with_lost(self) -> Self {
        let each = self.n.checked_div(self.n_requests).unwrap_or(1).max(1);
        Self {
            n: self.n.saturating_add(self.n_lost.saturating_mul(each)),
            n_lost: 0,
            ..self
        }
    }

    fn share(self) -> Option<f64> {
        (self.n > 0).then(|| self.within as f64 / self.n as f64)
    }

    fn result(self, goal: Goal) -> GoalResult {
        let ci95 = stats::wilson(self.within, self.n);
        let verdict = match ci95 {
            Some([low, _]) if low >= goal.share => GoalVerdict::Met,
            Some([_, high]) if high < goal.share => GoalVerdict::Missed,
            _ => GoalVerdict::Unresolved,
        };
        GoalResult {
            goal,
            n: self.n,
            n_within: self.within,
            attainment: self.share(),
            ci95,
            verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{bare, failed, streamed};
    use super::super::super::{FailureKind, Outcome};
    use super::*;

    fn goal(text: &str) -> Goal {
        text.parse().unwrap()
    }

    #[test]
    fn failed_requests_miss_and_unknown_values_count_on_neither_side() {
        let mut tally = GoalTally::new(&[goal("ttft.p50:100ms"), goal("tpot.p50:10ms")]);
        tally.push(&streamed(0, 0.0, 50.0, &[5.0, 5.0]));
        tally.push(&streamed(1, 0.0, 150.0, &[5.0, 5.0]));
        // One token: no TPOT.
        tally.push(&streamed(2, 0.0, 50.0, &[]));
        tally.push(&failed(bare(3, 0, 1), FailureKind::Reset, "gone"));
        let results = tally.results();
        assert_eq!((results[0].n_within, results[0].n), (2, 4));
        assert_eq!((results[1].n_within, results[1].n), (2, 3));
        assert_eq!((tally.n_good(), tally.attainment()), (2, Some(0.5)));
    }

    #[test]
    fn gaps_are_pooled_for_the_goal_and_counted_by_request_for_goodput() {
        let mut tally = GoalTally::new(&[goal("itl.p50:10ms")]);
        tally.push(&streamed(0, 0.0, 50.0, &[5.0, 5.0, 50.0]));
        tally.push(&streamed(1, 0.0, 50.0, &[50.0, 50.0, 50.0]));
        let result = &tally.results()[0];
        assert_eq!((result.n_within, result.n), (2, 6));
        assert_eq!(tally.attainment(), Some(0.5));
        // One that failed weighs as much as one that answered.
        tally.push(&failed(bare(2, 0, 1), FailureKind::Reset, "gone"));
        let result = &tally.results()[0];
        assert_eq!((result.n_within, result.n), (2, 9));
        let mut lost = GoalTally::new(&[goal("itl.p50:10ms")]);
        lost.push(&failed(bare(0, 0, 1), FailureKind::Reset, "gone"));
        assert_eq!((lost.results()[0].n_within, lost.results()[0].n), (0, 1));
    }

    #[test]
    fn a_verdict_waits_for_enough_requests() {
        let mut tally = GoalTally::new(&[goal("ttft.p90:100ms")]);
        assert_eq!(tally.verdict(), GoalVerdict::Unresolved);
        for seq in 0..10 {
            tally.push(&streamed(seq, 0.0, 50.0, &[]));
        }
        // 10 of 10: Wilson's lower end is 0.72.
        assert_eq!(tally.verdict(), GoalVerdict::Unresolved);
        for seq in 10..60 {
            tally.push(&streamed(seq, 0.0, 50.0, &[]));
        }
        assert_eq!(tally.verdict(), GoalVerdict::Met);
        let mut tally = GoalTally::new(&[goal("ttft.p90:100ms")]);
        (0..10).for_each(|seq| tally.push(&streamed(seq, 0.0, 150.0, &[])));
        assert_eq!(tally.verdict(), GoalVerdict::Missed);
    }

    #[test]
    fn a_median_goal_does_not_make_single_requests_bad() {
        let goals = [goal("e2e.p50:100ms"), goal("e2e.p95:300ms")];
        let mut tally = GoalTally::new(&goals);
        tally.push(&streamed(0, 0.0, 200.0, &[]));
        assert_eq!(tally.attainment(), Some(1.0));
        tally.push(&streamed(1, 0.0, 400.0, &[]));
        assert_eq!(tally.attainment(), Some(0.5));
    }

    #[test]
    fn what_ended_after_the_stage_counts_and_what_was_cut_off_where_it_can_be_told() {
        let goals = ["ttft.p50:100ms", "e2e.p50:400ms", "tpot.p50:10ms"];
        let mut tally = GoalTally::new(&goals.map(goal));
        let mut late = streamed(0, 0.0, 150.0, &[5.0]);
        late.phase = Phase::Drain;
        tally.push(&late);
        let mut good = streamed(1, 0.0, 50.0, &[5.0]);
        good.phase = Phase::Drain;
        tally.push(&good);
        let n = |tally: &GoalTally| tally.results().iter().map(|r| r.n).collect::<Vec<_>>();
        assert_eq!(n(&tally), [2, 2, 2]);
        assert_eq!(tally.attainment(), Some(0.5));
        assert_eq!(
            tally.n_good(),
            0,
            "it ended outside of the window of goodput"
        );
        // Given up after 300 ms without a token: too late for the one, not yet for the other.
        let mut cut = bare(2, 0, 300_000_000);
        cut.outcome = Outcome::CutOff;
        tally.push(&cut);
        assert_eq!(n(&tally), [3, 2, 2]);
        assert_eq!(tally.attainment(), Some(1.0 / 3.0));
        // Given up after 90 ms: nothing can be told. Cancelled by the person: nor there.
        cut.end_ns = 90_000_000;
        tally.push(&cut);
        cut.end_ns = 900_000_000;
        cut.outcome = Outcome::Cancelled;
        tally.push(&cut);
        assert_eq!(n(&tally), [3, 2, 2]);
        // Given up with its first token in time, and its end too late.
        cut.outcome = Outcome::CutOff;
        cut.first_token_ns = Some(50_000_000);
        tally.push(&cut);
        assert_eq!((n(&tally), tally.results()[0].n_within), (vec![4, 3, 2], 2));
        let mut cold = streamed(9, 0.0, 1.0, &[]);
        cold.phase = Phase::Cold;
        tally.push(&cold);
        assert_eq!(n(&tally), [4, 3, 2]);
    }
}
