//! Which stages of two runs belong together: those of the same load, wherever they stand in their plans.

use super::super::{Load, Over, StageIdx};
use super::{Side, StagePair, effects};

/// Two rates are near each other up to this share: a sweep's steps depend on the maximum that it found, and a search's
/// probes on their outcomes.
const NEAR: f64 = 0.05;

/// How alike two loads are, best first.
const LIKENESSES: [fn(&Load, &Load) -> bool; 3] = [is_same, is_same_level, is_near];

/// Each stage of A with a stage of B, the most alike first and each only once; then what is left over on either side.
pub(super) fn pairs(a: Side<'_>, b: Side<'_>) -> (Vec<StagePair>, Vec<String>) {
    let (of_a, of_b) = (&a.summary.stages, &b.summary.stages);
    let mut partner: Vec<Option<usize>> = vec![None; of_a.len()];
    let mut is_taken = vec![false; of_b.len()];
    for is_alike in LIKENESSES {
        for (i, partner) in partner.iter_mut().enumerate() {
            if partner.is_some() {
                continue;
            }
            let found = nearest(a, i, b, &is_taken, is_alike);
            if let Some(taken) = found.and_then(|k| is_taken.get_mut(k)) {
                *taken = true;
            }
            *partner = found;
        }
    }
    let same_goals = a.asked.goals == b.asked.goals;
    let (mut pairs, mut unmatched) = (Vec::new(), Vec::new());
    for ((i, stage), partner) in of_a.iter().enumerate().zip(partner) {
        let Some((k, other)) = partner.and_then(|k| Some((k, of_b.get(k)?))) else {
            unmatched.push(format!("A: {}", stage.label));
            continue;
        };
        pairs.push(StagePair {
            label: label(&stage.label, &other.label),
            a: StageIdx::from_index(i),
            b: StageIdx::from_index(k),
            effects: effects(stage, other, same_goals),
        });
    }
    let left = of_b.iter().zip(&is_taken).filter(|(_, taken)| !**taken);
    unmatched.extend(left.map(|(stage, _)| format!("B: {}", stage.label)));
    (pairs, unmatched)
}

/// The first free stage of B that is alike and nearest in level.
fn nearest(
    a: Side<'_>,
    i: usize,
    b: Side<'_>,
    is_taken: &[bool],
    is_alike: fn(&Load, &Load) -> bool,
) -> Option<usize> {
    let load = &a.plan.stage(StageIdx::from_index(i))?.load;
    let apart = |other: &Load| (other.level() - load.level()).abs();
    let stages = b.plan.stages.iter().zip(is_taken).enumerate();
    let free = stages.filter(|(_, (stage, taken))| !**taken && is_alike(load, &stage.load));
    let nearest = free.min_by(|(_, (x, _)), (_, (y, _))| apart(&x.load).total_cmp(&apart(&y.load)));
    nearest.map(|(k, _)| k)
}

/// The same in everything: arrivals, rounds, limits.
fn is_same(a: &Load, b: &Load) -> bool {
    a == b
}

fn is_same_level(a: &Load, b: &Load) -> bool {
    match (a.over(), b.over()) {
        (Some(x), Some(y)) => x == y && a.level().total_cmp(&b.level()).is_eq(),
        // A replay has no level: it is its trace.
        (None, None) => a.label() == b.label(),
        _ => false,
    }
}

/// Rates only: users are whole, and one more of a few is another load.
fn is_near(a: &Load, b: &Load) -> bool {
    let both_rates = a.over() == Some(Over::Rate) && b.over() == Some(Over::Rate);
    both_rates && (a.level() - b.level()).abs() <= NEAR * a.level()
}

fn label(a: &str, b: &str) -> String {
    if a == b {
        return a.to_owned();
    }
    let other = b.strip_suffix(" req/s").unwrap_or(b);
    format!("{a} (B: {other})")
}
