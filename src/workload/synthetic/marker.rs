//! What makes a synthetic prompt differ from every other without changing how many tokens it has: words that a tokenizer
//! takes alike.

use std::collections::BTreeMap;

use super::prose::Prose;
use crate::workload::tokenizer::Tokenizer;

/// Words of a whole marker; each stands for five bits, which makes 2^40 markers.
pub(super) const N_WORDS: usize = 8;
const BITS: u32 = 5;
const N_CHOICES: usize = 1 << BITS;
/// Words that are looked at, so that a server is not asked without end.
const MAX_TRIED: usize = 320;

/// Words that all take the same number of tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Markers {
    /// As many as there are choices.
    words: Vec<&'static str>,
    /// Of each word.
    tokens: usize,
}

impl Markers {
    /// `None` when the tokenizer has too few words of a kind.
    pub(super) fn find(prose: &Prose, tokenizer: &Tokenizer) -> Result<Option<Self>, String> {
        let bare = tokenizer.count("About the harbour. The")?;
        let mut by_tokens: BTreeMap<usize, Vec<&'static str>> = BTreeMap::new();
        for word in prose.words().into_iter().take(MAX_TRIED) {
            let with = tokenizer.count(&format!("About {word} the harbour. The"))?;
            let class = by_tokens.entry(with.saturating_sub(bare)).or_default();
            class.push(word);
            if class.len() == N_CHOICES {
                let tokens = with.saturating_sub(bare);
                let words = std::mem::take(class);
                return Ok((tokens > 0).then_some(Self { words, tokens }));
            }
        }
        Ok(None)
    }

    /// How many words a prompt of that many tokens has room for beside a few of its own.
    pub(super) fn n_words(&self, prompt_tokens: usize) -> usize {
        (prompt_tokens.saturating_sub(4) / self.tokens).min(N_WORDS)
    }

    /// The marker of those bits; the lowest come first.
    pub(super) fn text(&self, bits: u64, n_words: usize) -> String {
        let mut text = String::new();
        let mut bits = bits;
        for i in 0..n_words.min(N_WORDS) {
            let at = usize::try_from(bits % N_CHOICES as u64).unwrap_or(0);
            bits >>= BITS;
            if i > 0 {
                text.push(' ');
            }
            text.push_str(self.words.get(at).copied().unwrap_or_default());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_differ_and_count_alike() {
        let markers = Markers::find(&Prose::new(), &Tokenizer::O200k);
        let markers = markers.unwrap().unwrap();
        assert_eq!(markers.tokens, 1);
        let mut seen = std::collections::BTreeSet::new();
        for bits in 0..500_u64 {
            let text = markers.text(bits.wrapping_mul(0x9E37_79B9_7F4A_7C15), N_WORDS);
            let whole = format!("About {text}. The sea.");
            assert_eq!(Tokenizer::O200k.count(&whole).unwrap(), 13, "{whole}");
            assert!(seen.insert(text));
        }
        assert_eq!(
            (markers.n_words(200), markers.n_words(6), markers.n_words(3)),
            (8, 2, 0)
        );
        assert_eq!(markers.text(1, 0), "");
    }
}
