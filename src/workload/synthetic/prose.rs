//! The corpus: plain prose about many subjects, written for this program, in seeded order.

use std::collections::BTreeSet;

use crate::stats::SplitMix64;

const CORPUS: &str = include_str!("../../../resources/corpus/prose.txt");

/// The corpus as sentences.
#[derive(Clone, Debug)]
pub(super) struct Prose {
    sentences: Vec<&'static str>,
}

impl Prose {
    pub(super) fn new() -> Self {
        let sentences = CORPUS.lines().flat_map(|p| p.split_inclusive(['.', '?']));
        let sentences = sentences.map(str::trim).filter(|s| !s.is_empty());
        Self {
            sentences: sentences.collect(),
        }
    }

    /// Sentences without end: each comes once before any comes again, in an order of that seed.
    pub(super) fn stream(&self, seed: u64) -> impl Iterator<Item = &'static str> + '_ {
        let mut rng = SplitMix64::new(seed);
        let mut order: Vec<&'static str> = self.sentences.clone();
        let mut left = 0;
        std::iter::from_fn(move || {
            if left == 0 {
                left = order.len();
            }
            // Fisher and Yates, one step a call.
            let chosen = rng.index(left);
            left = left.checked_sub(1)?;
            order.swap(chosen, left);
            order.get(left).copied()
        })
    }

    /// Short lower-case words, each once, in the order of the text.
    pub(super) fn words(&self) -> Vec<&'static str> {
        let mut seen = BTreeSet::new();
        let words = self.sentences.iter().flat_map(|s| s.split(' '));
        let plain =
            |w: &&str| (4..=7).contains(&w.len()) && w.bytes().all(|b| b.is_ascii_lowercase());
        words.filter(plain).filter(|w| seen.insert(*w)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_is_plain_and_long() {
        let prose = Prose::new();
        assert!(CORPUS.is_ascii());
        assert!(CORPUS.split_whitespace().count() > 7_000);
        assert!(prose.sentences.len() > 400);
        assert!(prose.sentences.iter().all(|s| s.len() < 400));
        assert!(prose.words().len() > 500);
    }

    #[test]
    fn every_sentence_comes_before_any_comes_again() {
        let prose = Prose::new();
        let n = prose.sentences.len();
        let some: Vec<&str> = prose.stream(3).take(2 * n).collect();
        let distinct: BTreeSet<&str> = prose.sentences.iter().copied().collect();
        for half in some.chunks(n) {
            assert_eq!(half.iter().copied().collect::<BTreeSet<_>>(), distinct);
        }
        assert_ne!(some[..n], some[n..]);
        assert_eq!(prose.stream(3).take(9).collect::<Vec<_>>(), some[..9]);
        assert_ne!(prose.stream(4).take(9).collect::<Vec<_>>(), some[..9]);
    }
}
