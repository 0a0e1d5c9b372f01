//! What requests ask: prompts from the plan, from a file or built in, in turn or drawn with the plan's seed.
//!
//! **Architecture invariant:** after [`PromptSource::load`] everything is pure: the same seed, position and phase give the
//! same prompt, whenever and by whichever user it is asked.

mod prompt_file;

use std::sync::Arc;

use crate::domain::{Issue, Phase, Prompt, PromptOrder, Workload};
use crate::stats::SplitMix64;

/// Prompts that are sent when a plan names none: short, varied, in several scripts.
const BUILT_IN: &str = include_str!("../../resources/prompts/builtin.txt");

/// All prompts of a run; made once before the clock starts, cheap to clone.
#[derive(Clone, Debug)]
pub struct PromptSource {
    system: Option<Arc<str>>,
    users: Arc<[Arc<str>]>,
    order: PromptOrder,
    nonce: bool,
    seed: u64,
    salt: u64,
}

impl PromptSource {
    /// Reads the prompts file where the workload names one.
    ///
    /// # Errors
    /// What is wrong with the file, at `workload.prompts_file`.
    pub fn load(workload: &Workload, seed: u64) -> Result<Self, Issue> {
        let users: Vec<Arc<str>> = match &workload.prompts_file {
            Some(path) => prompt_file::read(path)?,
            None if workload.users.is_empty() => built_in().map(Arc::from).collect(),
            None => workload.users.iter().map(|t| Arc::from(&**t)).collect(),
        };
        let system = &workload.system;
        Ok(Self {
            system: (!system.is_empty()).then(|| Arc::from(&**system)),
            users: users.into(),
            order: workload.order,
            nonce: workload.nonce,
            seed,
            salt: 0,
        })
    }

    /// The same prompts with other nonces. A run gives a value of its own (its start on the wall clock), since the nonces of
    /// the last run of the same plan may still be in the server's prefix cache.
    pub fn salted(self, salt: u64) -> Self {
        Self { salt, ..self }
    }

    /// How many different user prompts there are, nonces aside.
    pub fn n_prompts(&self) -> usize {
        self.users.len()
    }

    /// Whether no two requests of a run send the same text.
    pub fn is_unique(&self) -> bool {
        self.nonce
    }

    /// What the request at this position of the run asks.
    pub fn prompt(&self, seq: u64, phase: Phase) -> Prompt {
        let text = self.users.get(self.index(seq));
        let text = text.cloned().unwrap_or_else(|| Arc::from(""));
        let user = if self.nonce {
            Arc::from(format!("[{}] {text}", self.marker(seq, phase)))
        } else {
            text
        };
        Prompt {
            system: self.system.clone(),
            user,
            ..Prompt::default()
        }
    }

    fn index(&self, seq: u64) -> usize {
        let n = self.users.len().max(1) as u64;
        let at = match self.order {
            PromptOrder::InTurn => seq % n,
            PromptOrder::Random => SplitMix64::new(mixed(self.seed, seq)).below(n),
        };
        usize::try_from(at).unwrap_or(0)
    }

    /// Sixteen hex digits: different for every position, and for the phases apart.
    fn marker(&self, seq: u64, phase: Phase) -> String {
        let of_phase = match phase {
            Phase::Cold => 1,
            Phase::Warmup => 2,
            // A request that drains was sent in Measure, with that prompt.
            Phase::Measure | Phase::Drain => 3,
        };
        // Positions stay below 2^56, so this never meets itself within a run, and `mixed` is a bijection of it.
        let position = (seq << 2) | of_phase;
        format!("{:016x}", mixed(mixed(self.seed, self.salt), position))
    }
}

/// A value of its own for each `position`, far from its neighbours'.
fn mixed(seed: u64, position: u64) -> u64 {
    SplitMix64::new(seed ^ SplitMix64::new(position).next_u64()).next_u64()
}

/// The built-in user prompts.
pub fn built_in() -> impl Iterator<Item = &'static str> {
    BUILT_IN.lines().filter(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn source(change: impl FnOnce(&mut Workload)) -> PromptSource {
        let mut workload = Workload {
            users: vec!["a".into(), "b".into(), "c".into()],
            ..Workload::default()
        };
        change(&mut workload);
        PromptSource::load(&workload, 7).unwrap()
    }

    fn users(source: &PromptSource, n: u64, phase: Phase) -> Vec<String> {
        (0..n)
            .map(|seq| source.prompt(seq, phase).user.to_string())
            .collect()
    }

    #[test]
    fn in_turn_goes_round() {
        let source = source(|w| w.system = "be brief".into());
        assert_eq!(users(&source, 7, Phase::Measure).concat(), "abcabca");
        let system = source.prompt(5, Phase::Cold).system;
        assert_eq!(system.as_deref(), Some("be brief"));
        assert_eq!(source.n_prompts(), 3);
    }

    #[test]
    fn random_repeats_itself_by_seed_only_and_is_even() {
        let random = |seed| {
            let workload = Workload {
                users: vec!["a".into(), "b".into(), "c".into()],
                order: PromptOrder::Random,
                ..Workload::default()
            };
            let source = PromptSource::load(&workload, seed).unwrap();
            users(&source, 3000, Phase::Measure)
        };
        assert_eq!(random(1), random(1));
        assert_ne!(random(1), random(2));
        for word in ["a", "b", "c"] {
            let n = random(1).iter().filter(|u| *u == word).count();
            assert!((900..1100).contains(&n), "{word}: {n}");
        }
    }

    #[test]
    fn a_nonce_makes_every_prompt_of_every_phase_different() {
        let source = source(|w| {
            w.nonce = true;
            w.users = vec!["same".into()];
        });
        let mut seen = BTreeSet::new();
        for phase in [Phase::Cold, Phase::Warmup, Phase::Measure] {
            for text in users(&source, 2000, phase) {
                assert!(text.ends_with("] same") && text.len() == 23, "{text}");
                assert!(seen.insert(text));
            }
        }
        let again = users(&source.clone(), 5, Phase::Cold);
        assert_eq!(again, users(&source, 5, Phase::Cold));
        let next_run = users(&source.salted(9), 2000, Phase::Measure);
        assert!(next_run.iter().all(|text| !seen.contains(text)));
    }

    #[test]
    fn no_prompts_means_the_built_in_ones() {
        let source = source(|w| w.users.clear());
        assert_eq!(source.n_prompts(), 12);
        assert_eq!(source.prompt(0, Phase::Measure).system, None);
        let all: String = users(&source, 12, Phase::Measure).concat();
        assert!(all.contains('请') && all.contains('ك'));
    }
}
