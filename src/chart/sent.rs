//! An open loop over time: requests asked for by the plan, requests let go, and those that were dropped.

use std::collections::BTreeMap;

use crate::domain::{Load, MetricId, OutcomeKind, Point, Ramp, RunData, Stage, StageBorder};

/// Points of a ramp's line.
const RAMP_POINTS: u32 = 24;
/// Newest requests whose length says how far back some may still be in flight.
const NEWEST: usize = 200;

/// Whether any stage plans its sends.
pub(super) fn has_open(run: &RunData) -> bool {
    run.plan().stages.iter().any(|s| s.load.is_open())
}

/// When a request of an open loop really left, in seconds.
fn sent_secs(point: &Point) -> Option<f64> {
    let late = point.value(MetricId::Slip)? + point.value(MetricId::LimitWait).unwrap_or(0.0);
    Some(point.start_ns as f64 / 1e9 + late / 1e3)
}

/// The rate that the plan asks for, one line for each stage; of a replay what its trace asks, counted by planned time.
pub(super) fn asked(run: &RunData, end_secs: f64, slot_secs: f64) -> Vec<Vec<[f64; 2]>> {
    let of = |border: &StageBorder| {
        let stage = run.plan().stage(border.stage)?;
        let from = border.start_ns as f64 / 1e9;
        let to = sends_until(border, stage, end_secs);
        match &stage.load {
            Load::Open { rate, ramp, .. } => {
                let planned = stage.secs().unwrap_or(to - from);
                Some(plan_line(*rate, *ramp, (from, to), planned))
            }
            Load::Replay { .. } => {
                let due = run.points.iter().filter(|p| p.stage == border.stage);
                let due = due.map(|p| p.start_ns as f64 / 1e9);
                Some(rate_line(due, slot_secs, (from, to)))
            }
            _ => None,
        }
    };
    run.borders.iter().filter_map(of).collect()
}

/// In seconds: a stage that ends by time only waits for its last answers after that.
fn sends_until(border: &StageBorder, stage: &Stage, end_secs: f64) -> f64 {
    let end = border.end_ns.map_or(end_secs, |ns| ns as f64 / 1e9);
    let planned = stage.secs().filter(|_| stage.load.is_open());
    let planned = planned.map(|secs| border.start_ns as f64 / 1e9 + secs);
    planned.map_or(end, |planned| planned.min(end))
}

fn plan_line(rate: f64, ramp: Option<Ramp>, (from, to): (f64, f64), planned: f64) -> Vec<[f64; 2]> {
    let Some(ramp) = ramp else {
        return vec![[from, rate], [to, rate]];
    };
    let step = (to - from) / f64::from(RAMP_POINTS);
    (0..=RAMP_POINTS)
        .map(|i| {
            let at = step * f64::from(i);
            [from + at, ramp.at((at / planned.max(1e-9)).min(1.0))]
        })
        .collect()
}

/// Requests that were let go, per second, one line for each stage. While a run goes it ends where requests may still be in
/// flight: those are not known yet.
pub(super) fn sent(run: &RunData, end_secs: f64, slot_secs: f64) -> Vec<Vec<[f64; 2]>> {
    let known_until = if run.is_live() {
        known_until_secs(run)
    } else {
        f64::INFINITY
    };
    let of = |border: &StageBorder| {
        let stage = run.plan().stage(border.stage)?;
        let is_open = stage.load.is_open();
        let from = border.start_ns as f64 / 1e9;
        let to = sends_until(border, stage, end_secs);
        let of_stage = run.points.iter().filter(|p| p.stage == border.stage);
        let went = of_stage.filter(|p| p.outcome != OutcomeKind::Dropped);
        let line = rate_line(
            went.filter_map(sent_secs),
            slot_secs,
            (from, to.min(known_until)),
        );
        is_open.then_some(line)
    };
    run.borders.iter().filter_map(of).collect()
}

/// Up to where every request that was sent has ended, as far as the newest ones tell.
fn known_until_secs(run: &RunData) -> f64 {
    let n = run.points.len();
    let newest = run.points.iter().skip(n.saturating_sub(NEWEST));
    let (mut end, mut longest) = (0, 0);
    for point in newest {
        end = end.max(point.end_ns);
        longest = longest.max(point.end_ns.saturating_sub(point.start_ns));
    }
    end.saturating_sub(longest) as f64 / 1e9
}

/// Counts of moments in slots of a stage's time, as a rate; the last slot is as long as what is left.
fn rate_line(
    moments: impl Iterator<Item = f64>,
    slot_secs: f64,
    (from, to): (f64, f64),
) -> Vec<[f64; 2]> {
    if to <= from || slot_secs <= 0.0 {
        return Vec::new();
    }
    // Whole slots of equal length, so that none looks like a fall.
    let n_slots = ((to - from) / slot_secs).floor().max(1.0);
    let slot = (to - from) / n_slots;
    let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
    for moment in moments.filter(|m| (from..=to).contains(m)) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within the stage's slots"
        )]
        let i = ((moment - from) / slot).floor().min(n_slots - 1.0) as u64;
        *counts.entry(i).or_default() += 1;
    }
    let mut points = Vec::new();
    let mut i = 0;
    while (i as f64) < n_slots {
        let n = counts.get(&i).copied().unwrap_or(0);
        points.push([from + (i as f64 + 0.5) * slot, f64::from(n) / slot]);
        i += 1;
    }
    points
}

/// When requests were due that were not sent, one of those that are less than `apart_secs` from each other.
pub(super) fn dropped(run: &RunData, apart_secs: f64) -> Vec<f64> {
    let dropped = run
        .points
        .iter()
        .filter(|p| p.outcome == OutcomeKind::Dropped);
    let mut due: Vec<f64> = dropped.map(|p| p.start_ns as f64 / 1e9).collect();
    due.sort_by(f64::total_cmp);
    let mut last = f64::NEG_INFINITY;
    due.retain(|t| {
        let is_apart = *t >= last + apart_secs;
        if is_apart {
            last = *t;
        }
        is_apart
    });
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_counted_in_equal_slots_and_keeps_its_sum() {
        let moments = (0..40).map(|i| f64::from(i) * 0.25);
        let line = rate_line(moments, 0.9, (0.0, 10.0));
        let slot = 10.0 / 11.0;
        assert_eq!(line.len(), 11);
        let sum: f64 = line.iter().map(|p| p[1] * slot).sum();
        assert!((sum - 40.0).abs() < 1e-9, "{sum}");
        assert!(rate_line([1.0].into_iter(), 0.5, (3.0, 3.0)).is_empty());
    }

    #[test]
    fn a_ramp_is_asked_along_its_curve_and_stays_at_its_end() {
        let ramp: Ramp = "linear:0..20".parse().unwrap();
        let line = plan_line(20.0, Some(ramp), (5.0, 25.0), 10.0);
        assert_eq!(line.first(), Some(&[5.0, 0.0]));
        assert!(line.iter().any(|p| (p[1] - 10.0).abs() < 1.0));
        assert_eq!(line.last(), Some(&[25.0, 20.0]));
        assert_eq!(
            plan_line(8.0, None, (0.0, 2.0), 2.0),
            [[0.0, 8.0], [2.0, 8.0]]
        );
    }
}
