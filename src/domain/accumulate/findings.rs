//! What several stages tell together: where their curve bends, the most that a sweep saw, the load that a search found.
//! Read off the stages' figures and borders alone, so that a file says the same as the run did.

use super::super::{
    ERRORS_HIGH, GoalResult, GoalVerdict, Knee, Load, MadeBy, Over, Plan, Probe, SATURATED,
    SearchFinding, Stage, StageBorder, StageIdx, StageSummary, SweepFinding, overall,
};
use crate::domain::StageFacts;
use crate::stats;

/// A run as far as it has come.
#[derive(Clone, Copy)]
pub(super) struct Stages<'a> {
    /// As the plan asked for them.
    pub(super) asked: &'a [Stage],
    /// As they were run.
    pub(super) plan: &'a Plan,
    pub(super) summaries: &'a [StageSummary],
    pub(super) borders: &'a [StageBorder],
    /// Of each stage; none while the run goes.
    pub(super) facts: &'a [StageFacts],
}

impl<'a> Stages<'a> {
    fn summary(&self, stage: StageIdx) -> Option<&'a StageSummary> {
        self.summaries.get(stage.index())
    }

    fn level(&self, stage: StageIdx) -> Option<f64> {
        Some(self.plan.stage(stage)?.load.level())
    }

    /// A stage that still runs has not settled; one of a foreign file without borders has ended.
    fn has_ended(&self, stage: StageIdx) -> bool {
        let border = self.borders.iter().find(|b| b.stage == stage);
        border.is_none_or(|b| b.end_ns.is_some())
    }

    /// The bend of throughput over the load, over whatever more of the run's stages are loads of.
    pub(super) fn knee(&self) -> Option<Knee> {
        let curve = |over: Over| {
            let mut points = self.curve(over);
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            points
        };
        let (by_users, by_rate) = (curve(Over::Users), curve(Over::Rate));
        let (over, points) = if by_users.len() > by_rate.len() {
            (Over::Users, by_users)
        } else {
            (Over::Rate, by_rate)
        };
        let knee = stats::knee(&points)?;
        Some(Knee {
            over,
            level: knee.x,
            request_rate: knee.y,
            slope_before: knee.before,
            slope_after: knee.after,
            improvement: knee.improvement,
            n: u32::try_from(points.len()).unwrap_or(u32::MAX),
        })
    }

    /// Level and successful requests per second of each stage that stayed at one level.
    fn curve(&self, over: Over) -> Vec<(f64, f64)> {
        let pairs = self.plan.stages.iter().zip(self.summaries).enumerate();
        pairs
            .filter(|(i, (stage, _))| {
                let is_steady = match &stage.load {
                    Load::Closed { ramp, .. } | Load::Open { ramp, .. } => ramp.is_none(),
                    _ => false,
                };
                is_steady
                    && stage.load.over() == Some(over)
                    && self.has_ended(StageIdx::from_index(*i))
            })
            .filter_map(|(_, (stage, summary))| Some((stage.load.level(), summary.request_rate?)))
            .collect()
    }

    /// Of the last sweep that has begun.
    pub(super) fn sweep(&self) -> Option<SweepFinding> {
        let (asked, parts) = self.unfolded(|load| matches!(load, Load::Sweep { .. }))?;
        let Load::Sweep { over, steps, .. } = asked.load else {
            return None;
        };
        let rate = |b: &&StageBorder| self.summary(b.stage)?.request_rate;
        let best = parts
            .iter()
            .copied()
            .filter(|b| rate(b).is_some_and(|r| r > 0.0))
            .max_by(|a, b| rate(a).unwrap_or(0.0).total_cmp(&rate(b).unwrap_or(0.0)));
        let tokens = parts
            .iter()
            .filter_map(|b| self.summary(b.stage)?.output_token_rate);
        Some(SweepFinding {
            over,
            best: best.map(|b| b.stage),
            max_request_rate: best.as_ref().and_then(rate),
            sustained: self.sustained(&parts, best.as_ref().and_then(rate)),
            max_output_token_rate: tokens.max_by(f64::total_cmp),
            stopped: self.sweep_stopped(&parts, steps.get()),
        })
    }

    fn sustained(&self, parts: &[&StageBorder], most: Option<f64>) -> Option<StageIdx> {
        let is_step = |b: &&&StageBorder| {
            let made = b.made.as_ref();
            made.is_some_and(|m| m.why == MadeBy::Step && m.stage.load.is_open())
        };
        let steps = parts.iter().filter(is_step);
        let mut steps: Vec<_> = steps
            .filter_map(|b| Some((self.level(b.stage)?, *b)))
            .collect();
        steps.sort_by(|a, b| a.0.total_cmp(&b.0));
        let keeps_up = |(level, border): &&(f64, &StageBorder)| {
            let stage = border.stage.index();
            let facts = self.facts.get(stage);
            let is_rising = facts.and_then(|f| f.trend).is_some_and(|t| t.is_rising());
            let is_cut = border.stopped.as_deref();
            let is_cut = is_cut.is_some_and(|why| why.starts_with(SATURATED));
            let summary = self.summaries.get(stage);
            let few_errors = summary.is_some_and(|s| s.error_rate.unwrap_or(1.0) <= ERRORS_HIGH);
            !is_rising && !is_cut && few_errors && most.is_some_and(|most| *level <= most)
        };
        let kept = steps.iter().take_while(keeps_up).last();
        kept.map(|(_, border)| border.stage)
    }

    fn sweep_stopped(&self, parts: &[&StageBorder], steps: u32) -> Option<String> {
        let is_step = |b: &&&StageBorder| b.made.as_ref().is_some_and(|m| m.why == MadeBy::Step);
        let n_steps = parts.iter().filter(is_step).count();
        // A part that ended early and was followed by another was paused or changed, and the climb went on.
        if let Some(why) = parts.last().and_then(|b| b.stopped.as_deref()) {
            return Some(format!("after {n_steps} of at most {steps} steps: {why}"));
        }
        let is_fruitless = |b: &&StageBorder| {
            let made = b.made.as_ref();
            b.end_ns.is_some()
                && made.is_some_and(|m| m.why == MadeBy::Throughput)
                && self.summary(b.stage).is_some_and(|s| s.ok == 0)
        };
        (n_steps == 0 && parts.iter().copied().any(|b| is_fruitless(&b))).then(|| {
            "no request of the first stage ended well, so there was no maximum to step up to"
                .to_owned()
        })
    }

    /// Of the last search that has begun.
    pub(super) fn search(&self) -> Option<SearchFinding> {
        let (asked, parts) = self.unfolded(|load| matches!(load, Load::Search { .. }))?;
        let over = asked.load.over()?;
        let ended = parts.iter().filter(|b| b.end_ns.is_some());
        let probes: Vec<Probe> = ended.filter_map(|b| self.probe(b)).collect();
        let levels = |verdict| {
            let of = probes.iter().filter(move |p| p.verdict == verdict);
            of.map(|p| p.level)
        };
        let missed_at = levels(GoalVerdict::Missed).min_by(f64::total_cmp);
        // A server that keeps up with a load keeps up with less: what was met above a missed level was luck.
        let below = |level: &f64| missed_at.is_none_or(|missed| *level < missed);
        let found = levels(GoalVerdict::Met)
            .filter(below)
            .max_by(f64::total_cmp);
        Some(SearchFinding {
            over,
            found,
            missed_at,
            binding: self.binding(&probes, missed_at),
            probes,
        })
    }

    fn probe(&self, border: &StageBorder) -> Option<Probe> {
        let (stage, summary) = (border.stage, self.summary(border.stage)?);
        // What its first requests say is not what it would have come to.
        let is_saturated = border
            .stopped
            .as_deref()
            .is_some_and(|why| why.starts_with(SATURATED));
        Some(Probe {
            stage,
            level: self.level(stage)?,
            attainment: summary.attainment,
            verdict: if is_saturated {
                GoalVerdict::Missed
            } else {
                verdict(summary)
            },
        })
    }

    /// The goal that takes up most of the misses it allows, at the least load that missed, else at the largest tried.
    fn binding(&self, probes: &[Probe], missed_at: Option<f64>) -> Option<super::super::Goal> {
        let at = missed_at.or_else(|| probes.iter().map(|p| p.level).max_by(f64::total_cmp))?;
        let is_there = |p: &&Probe| p.level.total_cmp(&at).is_eq();
        let is_missed = |p: &&Probe| is_there(p) && p.verdict == GoalVerdict::Missed;
        let probe = probes.iter().find(is_missed);
        let probe = probe.or_else(|| probes.iter().rfind(is_there))?;
        let goals = self.summary(probe.stage)?.goals.iter();
        let used = |r: &GoalResult| (1.0 - r.attainment.unwrap_or(1.0)) / (1.0 - r.goal.share);
        goals
            .filter(|r| r.attainment.is_some())
            .max_by(|a, b| used(a).total_cmp(&used(b)))
            .map(|r| r.goal)
    }

    /// The last stage asked for that unfolds so and has begun, and its parts in the order of running.
    fn unfolded(&self, is_it: impl Fn(&Load) -> bool) -> Option<(&'a Stage, Vec<&'a StageBorder>)> {
        let of = |b: &StageBorder| b.made.as_ref().map(|m| m.of);
        let asked = self.asked.iter().enumerate().rev();
        asked
            .filter(|(_, stage)| is_it(&stage.load))
            .find_map(|(i, stage)| {
                let idx = StageIdx::from_index(i);
                let parts = self.borders.iter().filter(|b| of(b) == Some(idx));
                let mut parts: Vec<&StageBorder> = parts.collect();
                parts.sort_by_key(|b| (b.start_ns, b.stage));
                (!parts.is_empty()).then_some((stage, parts))
            })
    }
}

/// All goals of a probe together. One at which nothing ended in time did not meet them, though no request was counted.
fn verdict(summary: &StageSummary) -> GoalVerdict {
    if summary.ok == 0 && summary.failed == 0 && summary.cut_off > 0 {
        return GoalVerdict::Missed;
    }
    overall(&summary.goals)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::super::fixture::{MS, bare, failed, streamed};
    use super::super::super::{
        Accumulator, ArrivalProcess, Detail, FailureKind, Goal, Made, Outcome, Phase, RunFacts,
        StageEnd, Summary,
    };
    use super::*;

    const SEC: u64 = 1_000 * MS;

    /// A run that unfolds: stages come one after another, each with what the server made of it.
    struct Unfolding {
        acc: Accumulator,
        borders: Vec<StageBorder>,
    }

    impl Unfolding {
        fn new(load: Load, goals: &[&str]) -> Self {
            let mut plan = Plan::simple("http://127.0.0.1:1");
            plan.goals = goals.iter().map(|g| g.parse().unwrap()).collect();
            plan.stages = vec![Stage {
                load,
                end: StageEnd::DurationSecs(10.0),
            }];
            Self {
                acc: Accumulator::new(&plan),
                borders: Vec::new(),
            }
        }

        /// A made stage of `n` requests that are sent evenly over 10 s and answered after as many ms as `ttft` says.
        fn stage(
            &mut self,
            why: MadeBy,
            load: Load,
            n: u64,
            ttft: impl Fn(u64) -> f64,
        ) -> &mut Self {
            let idx = StageIdx::from_index(self.borders.len());
            let start_ns = self.borders.len() as u64 * 100 * SEC;
            let stage = Stage {
                load,
                end: StageEnd::DurationSecs(10.0),
            };
            let made = Some(Made {
                why,
                of: StageIdx(0),
                stage,
            });
            let border = StageBorder {
                stage: idx,
                start_ns,
                end_ns: None,
                stopped: None,
                made,
            };
            self.acc.border(&border);
            for i in 0..n {
                let at_ms = start_ns as f64 / 1e6 + i as f64 * 10_000.0 / n as f64;
                let mut record = streamed(i, at_ms, ttft(i), &[]);
                record.stage = idx;
                self.acc.push(&record);
            }
            self.borders.push(StageBorder {
                end_ns: Some(start_ns + 12 * SEC),
                ..border
            });
            self
        }

        fn rate(&mut self, why: MadeBy, rate: f64, n: u64, ttft: impl Fn(u64) -> f64) -> &mut Self {
            self.stage(why, Load::open(rate), n, ttft)
        }

        fn summary(&mut self) -> Summary {
            self.acc
                .summary(Detail::Full, &self.borders, &RunFacts::default())
        }
    }

    fn users(n: u32) -> Load {
        Load::closed(NonZeroU32::new(n).unwrap())
    }

    fn sweep(steps: u32) -> Load {
        Load::Sweep {
            over: Over::Rate,
            steps: NonZeroU32::new(steps).unwrap(),
            max_users: NonZeroU32::new(64).unwrap(),
            arrival: ArrivalProcess::Poisson,
        }
    }

    fn search() -> Load {
        Load::Search {
            over: Over::Rate,
            from: 10.0,
            max: 1000.0,
            arrival: ArrivalProcess::Poisson,
        }
    }

    #[test]
    fn a_sweep_tells_the_most_and_where_the_curve_bends() {
        let mut run = Unfolding::new(sweep(8), &[]);
        assert_eq!(run.summary().sweep, None, "it has not begun");
        run.stage(MadeBy::Throughput, users(64), 800, |_| 50.0);
        // A server that answers 80 requests a second: above it, a queue makes the window longer.
        for step in 1..=8_u32 {
            let rate = f64::from(step) * 12.0;
            let n = u64::from(step) * 120;
            let slower = (rate / 80.0 - 1.0).max(0.0) * 10_000.0;
            run.rate(MadeBy::Step, rate, n, |i| {
                10.0 + slower * (i + 1) as f64 / n as f64
            });
        }
        let summary = run.summary();
        let found = summary.sweep.clone().unwrap();
        assert_eq!(found.over, Over::Rate);
        let max = found.max_request_rate.unwrap();
        assert!((max / 80.0 - 1.0).abs() < 0.05, "{max}");
        let best = found.best.unwrap();
        assert_eq!(summary.stages[best.index()].request_rate, Some(max));
        assert!(found.max_output_token_rate.unwrap() > 75.0);
        assert_eq!(found.stopped, None);
        let kept = found.sustained.unwrap();
        assert_eq!(summary.stages[kept.index()].label, "72 req/s");
        assert_eq!(summary.spoken_of(), Some(kept));
        let said = found.sentence(&summary.stages, run.acc.plan()).unwrap();
        let begins = "keeps up with 72 req/s; the most is 8";
        assert!(said.starts_with(begins), "{said}");
        let knee = summary.knee.unwrap();
        assert_eq!((knee.over, knee.n), (Over::Rate, 8));
        assert!((knee.level / 80.0 - 1.0).abs() < 0.05, "{knee:?}");
        assert!(knee.slope_after < 0.1 * knee.slope_before);
    }

    #[test]
    fn a_sweep_that_ended_early_says_why() {
        let mut run = Unfolding::new(sweep(8), &[]);
        run.stage(MadeBy::Throughput, users(64), 100, |_| 50.0);
        run.rate(MadeBy::Step, 5.0, 50, |_| 10.0);
        run.borders[1].stopped = Some("Saturated".to_owned());
        let found = run.summary().sweep.unwrap();
        assert_eq!(
            found.stopped.as_deref(),
            Some("after 1 of at most 8 steps: Saturated")
        );
        // The person paused, and it went on.
        run.borders[1].stopped = Some("Paused by hand".to_owned());
        run.rate(MadeBy::Resumed, 5.0, 50, |_| 10.0);
        assert_eq!(run.summary().sweep.unwrap().stopped, None);
        let mut run = Unfolding::new(sweep(8), &[]);
        run.stage(MadeBy::Throughput, users(64), 0, |_| 0.0);
        let found = run.summary().sweep.unwrap();
        assert_eq!((found.best, found.max_request_rate), (None, None));
        assert!(
            found
                .stopped
                .unwrap()
                .starts_with("no request of the first")
        );
    }

    /// TTFT by a hard capacity: within the goal below it, far out above it.
    fn answered(rate: f64, capacity: f64) -> f64 {
        if rate <= capacity { 100.0 } else { 2_000.0 }
    }

    #[test]
    fn a_search_finds_the_largest_load_that_meets_the_goals() {
        let goals = ["ttft.p95:500ms", "e2e.p50:10s"];
        let mut run = Unfolding::new(search(), &goals);
        for rate in [10.0, 20.0, 40.0, 30.0, 25.0, 23.0] {
            run.rate(MadeBy::Probe, rate, 200, |_| answered(rate, 24.0));
        }
        let found = run.summary().search.unwrap();
        assert_eq!((found.found, found.missed_at), (Some(23.0), Some(25.0)));
        assert_eq!(
            found.binding,
            Some("ttft.p95:500ms".parse::<Goal>().unwrap())
        );
        let verdicts: Vec<_> = found.probes.iter().map(|p| (p.level, p.verdict)).collect();
        use GoalVerdict::{Met, Missed};
        assert_eq!(
            verdicts,
            [
                (10.0, Met),
                (20.0, Met),
                (40.0, Missed),
                (30.0, Missed),
                (25.0, Missed),
                (23.0, Met)
            ]
        );
        assert_eq!(found.probes[5].attainment, Some(1.0));
    }

    #[test]
    fn what_was_met_above_a_missed_load_was_luck() {
        let mut run = Unfolding::new(search(), &["ttft.p95:500ms"]);
        for (rate, ttft) in [(10.0, 100.0), (20.0, 900.0), (40.0, 100.0)] {
            run.rate(MadeBy::Probe, rate, 200, |_| ttft);
        }
        let found = run.summary().search.unwrap();
        assert_eq!((found.found, found.missed_at), (Some(10.0), Some(20.0)));
    }

    #[test]
    fn what_too_few_requests_tell_is_neither_met_nor_missed() {
        let mut run = Unfolding::new(search(), &["ttft.p95:500ms"]);
        run.rate(MadeBy::Probe, 10.0, 20, |_| 100.0);
        let found = run.summary().search.unwrap();
        assert_eq!((found.found, found.missed_at), (None, None));
        assert_eq!(found.probes[0].verdict, GoalVerdict::Unresolved);
        assert_eq!(found.binding, Some("ttft.p95:500ms".parse().unwrap()));
        // The probe that still runs is none yet.
        run.rate(MadeBy::Probe, 20.0, 200, |_| 900.0);
        run.borders[1].end_ns = None;
        assert_eq!(run.summary().search.unwrap().probes.len(), 1);
    }

    #[test]
    fn the_largest_load_that_does_not_tell_is_named_where_it_is_between() {
        let mut run = Unfolding::new(search(), &["ttft.p95:500ms"]);
        run.rate(MadeBy::Probe, 5.0, 20, |_| 100.0);
        assert_eq!(run.summary().search.unwrap().unsure(), Some(5.0));
        run.rate(MadeBy::Probe, 10.0, 200, |_| 100.0);
        assert_eq!(run.summary().search.unwrap().unsure(), None);
        for (rate, n, ttft) in [(20.0, 20, 100.0), (40.0, 200, 900.0), (30.0, 20, 100.0)] {
            run.rate(MadeBy::Probe, rate, n, move |_| ttft);
        }
        let found = run.summary().search.unwrap();
        assert_eq!((found.found, found.missed_at), (Some(10.0), Some(40.0)));
        assert_eq!(found.unsure(), Some(30.0));
    }

    #[test]
    fn an_open_stage_has_as_many_users_as_were_busy_and_not_as_many_as_it_might_have() {
        let mut run = Unfolding::new(search(), &["ttft.p95:500ms"]);
        run.rate(MadeBy::Probe, 5.0, 20, |_| 100.0);
        assert_eq!(run.summary().stages[0].users, 1);
    }

    #[test]
    fn a_probe_that_was_stopped_as_saturated_has_missed_whatever_its_first_requests_say() {
        let mut run = Unfolding::new(search(), &["ttft.p95:500ms"]);
        for rate in [10.0, 20.0] {
            run.rate(MadeBy::Probe, rate, 200, |_| 100.0);
        }
        assert_eq!(run.summary().search.unwrap().found, Some(20.0));
        run.borders[1].stopped = Some(format!("{SATURATED}: both rise"));
        let found = run.summary().search.unwrap();
        assert_eq!((found.found, found.missed_at), (Some(10.0), Some(20.0)));
    }

    #[test]
    fn a_probe_of_which_nothing_ended_in_time_has_missed() {
        let mut run = Unfolding::new(search(), &["ttft.p95:500ms"]);
        run.rate(MadeBy::Probe, 10.0, 0, |_| 0.0);
        let mut cut = bare(0, 0, SEC);
        cut.outcome = Outcome::CutOff;
        cut.phase = Phase::Drain;
        run.acc.push(&cut);
        let found = run.summary().search.unwrap();
        assert_eq!((found.found, found.missed_at), (None, Some(10.0)));
        // So has one of which everything failed, by its goals.
        run.rate(MadeBy::Probe, 5.0, 0, |_| 0.0);
        for i in 0..50 {
            let mut lost = failed(bare(i, 0, SEC), FailureKind::Connect, "refused");
            lost.stage = StageIdx(1);
            run.acc.push(&lost);
        }
        assert_eq!(run.summary().search.unwrap().missed_at, Some(5.0));
    }

    #[test]
    fn a_list_of_tiers_has_a_knee_and_no_sweep() {
        let tiers = "1, 2, 4, 8, 16, 32";
        let plan = super::super::super::fixture::plan(tiers, "100");
        let mut acc = Accumulator::new(&plan);
        for (i, stage) in plan.stages.iter().enumerate() {
            // 10 requests a second for each user, up to 80.
            let rate = (stage.load.level() * 10.0).min(80.0);
            for seq in 0..200_u32 {
                let at_ms = f64::from(seq) * 1000.0 / rate;
                let mut r = streamed(u64::from(seq), at_ms, 1.0, &[]);
                r.stage = StageIdx::from_index(i);
                acc.push(&r);
            }
        }
        let summary = acc.summary(Detail::Live, &[], &RunFacts::default());
        assert_eq!((summary.sweep, summary.search), (None, None));
        let knee = summary.knee.unwrap();
        assert_eq!((knee.over, knee.n), (Over::Users, 6));
        assert!((knee.level / 8.0 - 1.0).abs() < 0.05, "{knee:?}");
        assert!((knee.request_rate / 80.0 - 1.0).abs() < 0.05, "{knee:?}");
        // While its last stages run, what they amount to so far bends nothing.
        let running: Vec<_> = (4..6)
            .map(|i| StageBorder {
                stage: StageIdx(i),
                start_ns: 0,
                end_ns: None,
                stopped: None,
                made: None,
            })
            .collect();
        let live = acc.summary(Detail::Live, &running, &RunFacts::default());
        assert_eq!(live.knee, None);
    }
}
