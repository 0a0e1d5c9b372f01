//! Prompts made to length: prose cut to an exact number of tokens, all different, all the same, or the same at the
//! beginning.
//!
//! A pool of them is made before the run. In a run that is longer than its pool, rows come again; where prompts are to be
//! unique each carries words of its own in front of all that another request had, and these words are chosen so that they
//! never change the number of tokens.

mod blocks;
mod cut;
mod marker;
mod prose;

use std::sync::Arc;

use crate::domain::PromptSharing;
use crate::stats::SplitMix64;

use super::tokenizer::Tokenizer;
use cut::{Cut, Cutter};
use marker::Markers;
use prose::Prose;

pub(super) use blocks::block_prompts;

/// Tokens that are made before a run, unless the fewest rows have more.
const MAX_TOKENS: u64 = 2_000_000;
const MAX_TOKENS_BY_SERVER: u64 = 50_000;
const MIN_ROWS: usize = 16;
const MAX_ROWS: usize = 4096;
/// Tokens that the fewest rows may have in all.
const MAX_TOKENS_OF_FEWEST: u64 = 32_000_000;
/// Threads that make rows; the run has not begun yet.
const MAX_THREADS: usize = 4;
/// Rows whose marker is changed and counted again, and how often.
const N_CHECKED: usize = 8;

/// What a pool is made of.
#[derive(Debug)]
pub(super) struct Recipe<'a> {
    /// Tokens of each row, one a row.
    pub(super) lengths: &'a [u32],
    pub(super) sharing: PromptSharing,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) seed: u64,
}

/// As many lengths as a pool has rows, of a run that asks at most `n_max` prompts.
pub(super) fn pool_lengths(
    lengths: impl Iterator<Item = u32>,
    n_max: Option<u64>,
    tokenizer: &Tokenizer,
) -> Vec<u32> {
    let max_tokens = if tokenizer.is_local() {
        MAX_TOKENS
    } else {
        MAX_TOKENS_BY_SERVER
    };
    let most = n_max.map_or(MAX_ROWS, |n| usize::try_from(n).unwrap_or(MAX_ROWS));
    let mut total = 0_u64;
    let fits = |(i, n): &(usize, u32)| {
        total += u64::from(*n);
        *i == 0 || total <= max_tokens || (*i < MIN_ROWS && total <= MAX_TOKENS_OF_FEWEST)
    };
    let lengths = lengths.take(most.clamp(1, MAX_ROWS)).enumerate();
    lengths.take_while(fits).map(|(_, n)| n).collect()
}

/// One prompt of a pool.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Row {
    before: String,
    n_words: usize,
    after: String,
    pub(super) asked: u32,
    pub(super) n_tokens: usize,
}

impl Row {
    /// It has the tokens that were asked.
    pub(super) fn is_exact(&self) -> bool {
        usize::try_from(self.asked).is_ok_and(|n| n == self.n_tokens)
    }
}

/// All synthetic prompts of a run.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) rows: Vec<Row>,
    markers: Option<Markers>,
    /// Rows that could not be brought to the length asked.
    pub(super) n_inexact: usize,
    /// Changing the marker changed the number of tokens of one of the rows that were tried.
    pub(super) is_varying: bool,
}

impl Pool {
    /// # Errors
    /// In words, when the tokenizer fails.
    pub(super) fn make(recipe: &Recipe<'_>) -> Result<Self, String> {
        let prose = Prose::new();
        let is_marked = matches!(
            recipe.sharing,
            PromptSharing::Unique | PromptSharing::Shared(_)
        );
        let markers = if is_marked {
            Markers::find(&prose, recipe.tokenizer)?
        } else {
            None
        };
        let maker = Maker {
            recipe,
            cutter: Cutter {
                prose: &prose,
                tokenizer: recipe.tokenizer,
            },
            markers: markers.as_ref(),
        };
        let rows = maker.rows()?;
        let mut pool = Self {
            n_inexact: rows.iter().filter(|row| !row.is_exact()).count(),
            rows,
            markers,
            is_varying: false,
        };
        pool.is_varying = pool.varies(recipe.tokenizer)?;
        Ok(pool)
    }

    /// The text of a row; `bits` tell one use of it from the next.
    pub(super) fn text(&self, row: &Row, bits: u64) -> Arc<str> {
        match &self.markers {
            Some(markers) if row.n_words > 0 => {
                let marker = markers.text(bits, row.n_words);
                Arc::from([&row.before, &*marker, &row.after].concat())
            }
            _ => Arc::from(&*row.before),
        }
    }

    /// Every prompt has words of its own.
    pub(super) fn is_unique(&self) -> bool {
        self.markers.is_some() && self.rows.iter().all(|row| row.n_words > 0)
    }

    fn varies(&self, tokenizer: &Tokenizer) -> Result<bool, String> {
        let mut rng = SplitMix64::new(1);
        for row in self.rows.iter().filter(|r| r.n_words > 0).take(N_CHECKED) {
            for _ in 0..N_CHECKED {
                let text = self.text(row, rng.next_u64());
                if tokenizer.count(&text)? != row.n_tokens {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

struct Maker<'a> {
    recipe: &'a Recipe<'a>,
    cutter: Cutter<'a>,
    markers: Option<&'a Markers>,
}

impl Maker<'_> {
    fn rows(&self) -> Result<Vec<Row>, String> {
        let numbered: Vec<(u64, u32)> = (0..).zip(self.recipe.lengths.iter().copied()).collect();
        let n_threads = n_threads(self.recipe.tokenizer);
        map_in_threads(&numbered, n_threads, |(i, n)| self.row(*i, *n))
    }

    fn row(&self, i: u64, asked: u32) -> Result<Row, String> {
        let n = usize::try_from(asked).unwrap_or(usize::MAX);
        let common = self.common(n)?;
        let room = n.saturating_sub(common.n_tokens);
        let n_words = self.markers.map_or(0, |markers| markers.n_words(room));
        let mut head = common.text;
        if !head.is_empty() {
            head.push(' ');
        }
        let own = match self.recipe.sharing {
            PromptSharing::Fixed => 1,
            PromptSharing::Unique | PromptSharing::Shared(_) => i + 1,
        };
        let own_seed = super::mixed(self.recipe.seed, own);
        let Some(markers) = self.markers.filter(|_| n_words > 0) else {
            return Ok(plain(self.cutter.cut(&head, n, own_seed)?, asked));
        };
        head.push_str("About ");
        let at = head.len();
        let marker = markers.text(own_seed, n_words);
        head.push_str(&marker);
        head.push_str(". ");
        let cut = self.cutter.cut(&head, n, own_seed)?;
        let whole = cut
            .text
            .get(at..)
            .and_then(|rest| rest.strip_prefix(&*marker));
        Ok(match (cut.text.get(..at), whole) {
            (Some(before), Some(after)) => Row {
                before: before.to_owned(),
                n_words,
                after: after.to_owned(),
                asked,
                n_tokens: cut.n_tokens,
            },
            _ => plain(cut, asked),
        })
    }

    /// What the row has in common with all others.
    fn common(&self, n: usize) -> Result<Cut, String> {
        let none = Cut {
            text: String::new(),
            n_tokens: 0,
        };
        let PromptSharing::Shared(share) = self.recipe.sharing else {
            return Ok(none);
        };
        match share_of(n, share) {
            0 => Ok(none),
            n => self.cutter.cut("", n, super::mixed(self.recipe.seed, 0)),
        }
    }
}

/// Threads that may ask the tokenizer at once: a server is not put under load before its measurement.
fn n_threads(tokenizer: &Tokenizer) -> usize {
    if !tokenizer.is_local() {
        return 1;
    }
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    n_cores.min(MAX_THREADS)
}

/// `make` of each item, in the order of the items.
fn map_in_threads<T: Sync, R: Send>(
    items: &[T],
    n_threads: usize,
    make: impl Fn(&T) -> Result<R, String> + Sync,
) -> Result<Vec<R>, String> {
    let share = items.len().div_ceil(n_threads.max(1)).max(1);
    let make_part = |part: &[T]| part.iter().map(&make).collect::<Result<Vec<R>, String>>();
    if items.len() <= share {
        return make_part(items);
    }
    let parts: Vec<Result<Vec<R>, String>> = std::thread::scope(|scope| {
        let start = |part| {
            let builder = std::thread::Builder::new().name("prompts".to_owned());
            builder.spawn_scoped(scope, move || make_part(part))
        };
        let threads: Vec<_> = items.chunks(share).map(start).collect();
        let joined = threads.into_iter().map(|thread| match thread {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|_panic| Err("the tokenizer broke off".to_owned())),
            Err(error) => Err(format!("a thread cannot be started ({error})")),
        });
        joined.collect()
    });
    let parts: Result<Vec<Vec<R>>, String> = parts.into_iter().collect();
    Ok(parts?.into_iter().flatten().collect())
}

/// That share of `n`, rounded down.
fn share_of(n: usize, share: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share lies between 0 and 1, so what comes out is not more than n"
    )]
    let of = (n as f64 * share.clamp(0.0, 1.0)) as usize;
    of.min(n)
}

fn plain(cut: Cut, asked: u32) -> Row {
    Row {
        before: cut.text,
        n_words: 0,
        after: String::new(),
        asked,
        n_tokens: cut.n_tokens,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::workload::tokenizer::tests::small_file;

    fn pool(tokenizer: &Tokenizer, sharing: PromptSharing, lengths: &[u32]) -> Pool {
        Pool::make(&Recipe {
            lengths,
            sharing,
            tokenizer,
            seed: 11,
        })
        .unwrap()
    }

    #[track_caller]
    fn unique_and_exact(tokenizer: &Tokenizer) {
        let lengths: Vec<u32> = (30..60).collect();
        let pool = pool(tokenizer, PromptSharing::Unique, &lengths);
        assert!(pool.is_unique() && !pool.is_varying);
        assert_eq!(pool.n_inexact, 0);
        let mut seen = BTreeSet::new();
        for (row, asked) in pool.rows.iter().zip(&lengths) {
            for bits in [1, u64::MAX, 0x1234_5678_9ABC] {
                let text = pool.text(row, bits);
                assert_eq!(tokenizer.count(&text).unwrap(), *asked as usize, "{text}");
                // They part within the first words, so that no block of a prefix cache is met again.
                let first = text.split(' ').take(9).collect::<Vec<_>>().join(" ");
                assert!(seen.insert((bits, text)), "{first}");
            }
        }
        let beginnings: BTreeSet<String> = (0..500_u64)
            .map(|i| pool.text(&pool.rows[0], super::super::mixed(7, i))[..40].to_owned())
            .collect();
        assert_eq!(beginnings.len(), 500);
    }

    #[test]
    fn unique_prompts_have_exactly_the_tokens_asked_whatever_their_marker() {
        unique_and_exact(&Tokenizer::O200k);
        let folder = tempfile::tempdir().unwrap();
        unique_and_exact(&Tokenizer::from_file(&small_file(folder.path()), "small").unwrap());
    }

    #[test]
    fn a_share_of_each_prompt_is_common() {
        let lengths = [100, 200, 150];
        let pool = pool(&Tokenizer::O200k, PromptSharing::Shared(0.5), &lengths);
        let texts: Vec<Arc<str>> = pool.rows.iter().map(|r| pool.text(r, 5)).collect();
        for (text, n) in texts.iter().zip(lengths) {
            let tokens = Tokenizer::O200k.encode(text).unwrap();
            assert_eq!(tokens.len(), n as usize);
            let longest = Tokenizer::O200k.encode(&texts[1]).unwrap();
            let n_common = tokens
                .iter()
                .zip(&longest)
                .take_while(|(a, b)| a == b)
                .count();
            // Of the longest all are its own.
            assert!(n == 200 || n_common == n as usize / 2, "{n}: {n_common}");
        }
    }

    #[test]
    fn fixed_prompts_are_one_text_as_far_as_they_go() {
        let fixed = pool(&Tokenizer::O200k, PromptSharing::Fixed, &[64, 200, 64]);
        let texts: Vec<Arc<str>> = fixed.rows.iter().map(|r| fixed.text(r, 1)).collect();
        assert_eq!(texts[0], texts[2]);
        assert!(texts[1].starts_with(&*texts[0]));
        assert_eq!(fixed.text(&fixed.rows[0], 2), texts[0]);
        assert!(!fixed.is_unique());
    }

    #[test]
    fn the_same_seed_makes_the_same_prompts() {
        let lengths = [64; 9];
        let one = pool(&Tokenizer::O200k, PromptSharing::Unique, &lengths);
        let again = pool(&Tokenizer::O200k, PromptSharing::Unique, &lengths);
        assert_eq!(again.rows, one.rows);
        let other = Pool::make(&Recipe {
            lengths: &lengths,
            sharing: PromptSharing::Unique,
            tokenizer: &Tokenizer::O200k,
            seed: 12,
        });
        assert_ne!(other.unwrap().rows, one.rows);
    }

    #[test]
    fn short_prompts_have_what_room_there_is() {
        let lengths: Vec<u32> = (1..16).collect();
        let pool = pool(&Tokenizer::O200k, PromptSharing::Unique, &lengths);
        assert_eq!(pool.n_inexact, 0);
        assert!(!pool.is_unique());
        for row in &pool.rows {
            let n = Tokenizer::O200k.count(&pool.text(row, 77)).unwrap();
            assert_eq!(n, row.asked as usize);
        }
    }

    #[test]
    fn a_pool_is_as_large_as_its_tokens_allow() {
        let of = |n: u32, max| pool_lengths(std::iter::repeat(n), max, &Tokenizer::O200k).len();
        assert_eq!(of(10, None), MAX_ROWS);
        assert_eq!(of(1_000, None), 2_000);
        assert_eq!(of(1_000_000, None), MIN_ROWS);
        assert_eq!(of(10_000_000, None), 3);
        assert_eq!(of(100_000_000, None), 1);
        assert_eq!(of(10, Some(3)), 3);
        assert_eq!(of(10, Some(0)), 1);
    }
}
