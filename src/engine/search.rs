//! The search for the largest load that meets the goals: doubling until they are missed, then halving what is between.
//! Pure: it names a level, is told what came of it, and names the next.

use crate::stats::wilson;

use super::sweep::rounded;

/// The search is over when what is between the largest load that met the goals and the smallest that did not is less
/// than this share of it, or one user.
pub(super) const SEARCH_TOLERANCE: f64 = 0.1;
/// Probes at most, after guidellm: a doubling from 1 to 1,024 and a halving to 10 % take 14.
pub(super) const SEARCH_MAX_PROBES: u32 = 15;

/// Whether a probe met its goals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// All of them beyond chance.
    Met,
    /// At least one is missed beyond chance.
    Missed,
    /// A goal's Wilson interval holds the share asked: which side it is on is a guess by the share seen.
    Unresolved { seen: bool },
}

impl Verdict {
    /// Of each goal: how many met it, of how many, and the share asked. A probe in which nothing could be counted is
    /// missed: whatever the server did, it was not what was asked for.
    pub(super) fn of(goals: impl IntoIterator<Item = (u64, u64, f64)>) -> Self {
        let (mut is_met, mut is_missed, mut seen) = (true, false, true);
        for (good, n, share) in goals {
            let Some([low, high]) = wilson(good, n) else {
                return Self::Missed;
            };
            is_met &= low >= share;
            is_missed |= high < share;
            seen &= good as f64 >= share * n as f64;
        }
        match (is_met, is_missed) {
            (_, true) => Self::Missed,
            (true, false) => Self::Met,
            (false, false) => Self::Unresolved { seen },
        }
    }

    /// The way the search goes on.
    pub(super) fn is_met(self) -> bool {
        matches!(self, Self::Met | Self::Unresolved { seen: true })
    }
}

/// A search of which not even this share of the first load meets the goals is over: what is missed there is no matter of
/// load.
const SEARCH_FLOOR: f64 = 1.0 / 64.0;

/// A search under way.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// Levels are whole users; otherwise rates.
    over_users: bool,
    from: f64,
    max: f64,
    /// The largest level that met the goals, and the smallest that missed them.
    met: Option<f64>,
    missed: Option<f64>,
    n_probes: u32,
}

impl Search {
    pub(super) fn new(over_users: bool, from: f64, max: f64) -> Self {
        let floor = if over_users { 1.0 } else { f64::MIN_POSITIVE };
        Self {
            over_users,
            from: from.max(floor).min(max),
            max,
            met: None,
            missed: None,
            n_probes: 0,
        }
    }

    /// The level to probe next; `None` when the search is over.
    pub(super) fn next(&self) -> Option<f64> {
        if self.n_probes >= SEARCH_MAX_PROBES {
            return None;
        }
        let round = |level: f64| {
            if self.over_users {
                level
            } else {
                rounded(level)
            }
        };
        match (self.met, self.missed) {
            (None, None) => Some(round(self.from).min(self.max)),
            (None, Some(missed)) if missed <= self.from * SEARCH_FLOOR => None,
            (Some(met), None) if met >= self.max => None,
            // The largest load is tried as it was named, in however many digits.
            (Some(met), None) if met * 2.0 * (1.0 + SEARCH_TOLERANCE) >= self.max => Some(self.max),
            (Some(met), None) => Some(round(met * 2.0).min(self.max)),
            (met, Some(missed)) => self.between(met.unwrap_or(0.0), missed).map(round),
        }
    }

    /// The middle of what is left; `None` when it is narrow enough.
    fn between(&self, met: f64, missed: f64) -> Option<f64> {
        if self.over_users {
            let middle = f64::midpoint(met, missed).floor();
            return (middle > met && middle < missed && !is_near(met, missed)).then_some(middle);
        }
        let middle = rounded(f64::midpoint(met, missed));
        (middle > met && middle < missed && !is_near(met, missed)).then_some(middle)
    }

    /// What came of the level that [`Search::next`] named.
    pub(super) fn tell(&mut self, level: f64, verdict: Verdict) {
        self.n_probes += 1;
        if verdict.is_met() {
            self.met = Some(self.met.map_or(level, |met| met.max(level)));
        } else {
            self.missed = Some(self.missed.map_or(level, |missed| missed.min(level)));
        }
    }

    /// Probes that are likely still to come: for the progress, a guess.
    pub(super) fn n_left(&self) -> u32 {
        let left = match (self.met, self.missed) {
            (_, None) => {
                let at = self.met.unwrap_or(self.from);
                // Doublings to the maximum, of which on the mean half are needed, and the halvings after that.
                1.0 + ((self.max / at).log2() / 2.0).max(0.0) + HALVINGS
            }
            (met, Some(missed)) => {
                let met = met.unwrap_or(0.0);
                let narrow =
                    (met * SEARCH_TOLERANCE).max(if self.over_users { 1.0 } else { missed / 16.0 });
                ((missed - met) / narrow).log2().max(0.0)
            }
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most the probes that are left"
        )]
        let left = left
            .ceil()
            .min(f64::from(SEARCH_MAX_PROBES - self.n_probes)) as u32;
        left
    }
}

fn is_near(met: f64, missed: f64) -> bool {
    met > 0.0 && missed - met <= SEARCH_TOLERANCE * met
}

/// From a factor of two to 10 %.
const HALVINGS: f64 = 4.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// Probes and what was found where every level up to `capacity` meets the goals.
    fn run(over_users: bool, from: f64, max: f64, capacity: f64) -> (Vec<f64>, Option<f64>) {
        let mut search = Search::new(over_users, from, max);
        let mut probes = Vec::new();
        while let Some(level) = search.next() {
            assert!(!probes.contains(&level), "{level} is probed twice");
            assert!(search.n_left() >= 1 || probes.len() > 10, "{probes:?}");
            probes.push(level);
            let verdict = if level <= capacity {
                Verdict::Met
            } else {
                Verdict::Missed
            };
            search.tell(level, verdict);
        }
        (probes, search.met)
    }

    #[test]
    fn rates_are_doubled_and_then_halved_to_ten_percent() {
        let (probes, found) = run(false, 1.0, 1000.0, 23.0);
        assert_eq!(probes, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 24.0, 20.0, 22.0]);
        assert_eq!(found, Some(22.0));
        for capacity in [0.37, 3.3, 57.0, 400.0] {
            let (probes, found) = run(false, 1.0, 1000.0, capacity);
            let found = found.unwrap();
            assert!(
                found <= capacity && found * 1.1 >= capacity,
                "{capacity}: {probes:?}"
            );
        }
    }

    #[test]
    fn users_are_whole_and_found_to_one() {
        let (probes, found) = run(true, 1.0, 1024.0, 11.0);
        assert_eq!(probes, [1.0, 2.0, 4.0, 8.0, 16.0, 12.0, 10.0, 11.0]);
        assert_eq!(found, Some(11.0));
        let (probes, found) = run(true, 1.0, 1024.0, 301.0);
        let found = found.unwrap();
        assert!(found <= 301.0 && found * 1.1 >= 301.0, "{probes:?}");
        assert!(probes.iter().all(|p| p.fract() == 0.0));
    }

    #[test]
    fn a_search_ends_at_its_maximum_at_its_floor_and_at_its_last_probe() {
        assert_eq!(
            run(true, 4.0, 50.0, 1e9),
            (vec![4.0, 8.0, 16.0, 32.0, 50.0], Some(50.0))
        );
        assert_eq!(run(true, 8.0, 50.0, 0.0), (vec![8.0, 4.0, 2.0, 1.0], None));
        let (probes, found) = run(false, 8.0, 50.0, 0.0);
        assert_eq!((probes.len(), found), (7, None), "{probes:?}");
        assert_eq!(probes.last(), Some(&0.125));
        let (probes, found) = run(false, 1.0, 1e9, 1e12);
        assert_eq!((probes.len(), found), (15, Some(16_300.0)), "{probes:?}");
        assert_eq!(run(false, 100.0, 50.0, 1e9).0, [50.0]);
        // A maximum of four digits is tried once, as it was named.
        for max in [1024.0, 1037.0] {
            let (probes, found) = run(false, 256.0, max, 1e9);
            assert_eq!((probes, found), (vec![256.0, 512.0, max], Some(max)));
        }
    }

    #[test]
    fn verdicts_follow_wilsons_interval() {
        // 95 % of 100: 100 good have [0.963, 1], 97 have [0.915, 0.990], 90 have [0.826, 0.945].
        assert_eq!(Verdict::of([(100, 100, 0.95)]), Verdict::Met);
        assert_eq!(
            Verdict::of([(97, 100, 0.95)]),
            Verdict::Unresolved { seen: true }
        );
        assert_eq!(
            Verdict::of([(94, 100, 0.95)]),
            Verdict::Unresolved { seen: false }
        );
        assert_eq!(Verdict::of([(90, 100, 0.95)]), Verdict::Missed);
        // Few requests tell nothing even when all are good, and one missed goal is enough.
        assert_eq!(
            Verdict::of([(20, 20, 0.95)]),
            Verdict::Unresolved { seen: true }
        );
        assert_eq!(
            Verdict::of([(100, 100, 0.95), (90, 100, 0.95)]),
            Verdict::Missed
        );
        assert_eq!(
            Verdict::of([(100, 100, 0.95), (97, 100, 0.95)]),
            Verdict::Unresolved { seen: true }
        );
        assert_eq!(Verdict::of([(0, 0, 0.95)]), Verdict::Missed);
        assert!(Verdict::Unresolved { seen: true }.is_met() && !Verdict::Missed.is_met());
    }
}
