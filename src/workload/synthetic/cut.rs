//! Cuts prose to an exact number of tokens, and counts again what comes out.

use super::prose::Prose;
use crate::workload::tokenizer::Tokenizer;

/// Cut points that are tried on each side of the one asked: decoding and encoding again may join or split a token there.
const N_TRIES: usize = 6;
/// What may fill up the tokens that are missing: a word, or a mark where even a short word is too long.
const FILL: [&str; 12] = [
    " so", " it", " is", " as", " we", " go", " on", " now", ".", "!", "?", ";",
];

/// A text and how many tokens it really has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Cut {
    pub(super) text: String,
    pub(super) n_tokens: usize,
}

/// A tokenizer with something to cut.
#[derive(Debug)]
pub(super) struct Cutter<'a> {
    pub(super) prose: &'a Prose,
    pub(super) tokenizer: &'a Tokenizer,
}

impl Cutter<'_> {
    /// `head` and then prose of that seed, of exactly `n` tokens where that can be had, else of the nearest number found.
    pub(super) fn cut(&self, head: &str, n: usize, seed: u64) -> Result<Cut, String> {
        let tokens = self.enough(head, n + N_TRIES, seed)?;
        let mut best = Cut {
            text: String::new(),
            n_tokens: 0,
        };
        let beside = (0..=N_TRIES).flat_map(|by| [n.checked_sub(by), n.checked_add(by)]);
        for at in beside.flatten() {
            let Some(tokens) = tokens.get(..at) else {
                continue;
            };
            let text = self.tokenizer.decode(tokens)?.trim().to_owned();
            let n_tokens = self.tokenizer.count(&text)?;
            if n_tokens.abs_diff(n) < best.n_tokens.abs_diff(n) {
                best = Cut { text, n_tokens };
            }
            if best.n_tokens == n {
                return Ok(best);
            }
        }
        self.filled(best, n)
    }

    /// Adds short words and marks while they bring it nearer.
    fn filled(&self, mut best: Cut, n: usize) -> Result<Cut, String> {
        for more in FILL.iter().cycle().take(2 * N_TRIES * FILL.len()) {
            if best.n_tokens >= n {
                break;
            }
            let text = format!("{}{more}", best.text);
            let n_tokens = self.tokenizer.count(&text)?;
            if n_tokens > best.n_tokens && n_tokens <= n {
                best = Cut { text, n_tokens };
            }
        }
        Ok(best)
    }

    /// At least that many tokens of `head` and what follows.
    fn enough(&self, head: &str, n: usize, seed: u64) -> Result<Vec<u32>, String> {
        let mut text = head.to_owned();
        let mut stream = self.prose.stream(seed);
        // Characters a token: a first guess that is right for most vocabularies, then doubled.
        let mut wanted = head.len() + n.saturating_mul(5) + 64;
        loop {
            while text.len() < wanted {
                let Some(sentence) = stream.next() else {
                    break;
                };
                if !text.is_empty() && !text.ends_with(' ') {
                    text.push(' ');
                }
                text.push_str(sentence);
            }
            let tokens = self.tokenizer.encode(&text)?;
            // A vocabulary that gives a token for hundreds of characters is broken, and its prompts are as they are.
            if tokens.len() >= n || wanted > n.saturating_mul(640) + 4096 {
                return Ok(tokens);
            }
            wanted = wanted.saturating_mul(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::tokenizer::tests::small_file;

    #[track_caller]
    fn check(tokenizer: &Tokenizer) {
        let prose = Prose::new();
        let cutter = Cutter {
            prose: &prose,
            tokenizer,
        };
        for n in [1, 2, 3, 7, 16, 100, 333, 1024] {
            for seed in 0..8 {
                let cut = cutter.cut("", n, seed).unwrap();
                assert_eq!(cut.n_tokens, n, "{}", cut.text);
                assert_eq!(tokenizer.count(&cut.text).unwrap(), n);
                assert_eq!(cut.text.trim(), cut.text);
            }
        }
        let head = "About seven grey stones. ";
        let cut = cutter.cut(head, 64, 1).unwrap();
        assert!(cut.text.starts_with(head) && cut.n_tokens == 64);
        assert_eq!(cutter.cut(head, 64, 1).unwrap(), cut);
        assert_ne!(cutter.cut(head, 64, 2).unwrap(), cut);
    }

    #[test]
    fn o200k_prompts_have_exactly_the_tokens_asked() {
        check(&Tokenizer::O200k);
    }

    #[test]
    fn prompts_by_a_file_have_exactly_the_tokens_asked() {
        let folder = tempfile::tempdir().unwrap();
        check(&Tokenizer::from_file(&small_file(folder.path()), "small").unwrap());
    }

    #[test]
    fn a_long_prompt_is_exact_too() {
        let prose = Prose::new();
        let cutter = Cutter {
            prose: &prose,
            tokenizer: &Tokenizer::O200k,
        };
        let cut = cutter.cut("", 32_768, 5).unwrap();
        assert_eq!(cut.n_tokens, 32_768);
    }

    #[test]
    fn one_text_is_the_beginning_of_the_longer_one_of_its_seed() {
        let prose = Prose::new();
        let cutter = Cutter {
            prose: &prose,
            tokenizer: &Tokenizer::O200k,
        };
        let (short, long) = (
            cutter.cut("", 50, 9).unwrap(),
            cutter.cut("", 500, 9).unwrap(),
        );
        assert!(long.text.starts_with(&short.text));
    }
}
