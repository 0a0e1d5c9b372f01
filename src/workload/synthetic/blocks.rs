//! Prompts whose beginnings are shared block by block, as the traces of Mooncake name them.

use std::collections::{BTreeMap, BTreeSet};

use super::cut::Cutter;
use super::marker::Markers;
use super::prose::Prose;
use super::{Row, map_in_threads, n_threads};
use crate::workload::mixed;
use crate::workload::tokenizer::Tokenizer;

/// For each length and its blocks' names a prompt: the same name at the same place is the same text of `block_tokens`.
/// All carry one marker, so that two runs of a trace do not share what one run does.
///
/// # Errors
/// In words, when the tokenizer fails.
pub(in crate::workload) fn block_prompts(
    prompts: &[(u32, &[u64])],
    block_tokens: u32,
    tokenizer: &Tokenizer,
    seed: u64,
) -> Result<Vec<Row>, String> {
    if prompts.is_empty() {
        return Ok(Vec::new());
    }
    let prose = Prose::new();
    let maker = Maker {
        markers: Markers::find(&prose, tokenizer)?,
        cutter: Cutter {
            prose: &prose,
            tokenizer,
        },
        block_tokens: usize::try_from(block_tokens).unwrap_or(usize::MAX),
        seed,
    };
    // Whether it is a prompt's first block, and its name.
    let names: BTreeSet<(bool, u64)> = prompts
        .iter()
        .flat_map(|(_, names)| names.iter().enumerate().map(|(i, name)| (i == 0, *name)))
        .collect();
    let names: Vec<(bool, u64)> = names.into_iter().collect();
    let texts = map_in_threads(&names, n_threads(tokenizer), |(is_first, name)| {
        maker.block(*is_first, *name)
    })?;
    let texts: BTreeMap<(bool, u64), String> = names.into_iter().zip(texts).collect();
    map_in_threads(prompts, n_threads(tokenizer), |(asked, names)| {
        maker.prompt(*asked, names, &texts)
    })
}

struct Maker<'a> {
    markers: Option<Markers>,
    cutter: Cutter<'a>,
    block_tokens: usize,
    seed: u64,
}

const LEAD: &str = "About ";

impl Maker<'_> {
    fn n_words(&self) -> usize {
        let markers = self.markers.as_ref();
        markers.map_or(0, |markers| markers.n_words(self.block_tokens))
    }

    /// The marker that stands in the made text until a run puts in its own.
    fn marker(&self) -> String {
        let markers = self.markers.as_ref();
        markers.map_or_else(String::new, |m| m.text(self.seed, self.n_words()))
    }

    fn block(&self, is_first: bool, name: u64) -> Result<String, String> {
        let head = if is_first {
            format!("{LEAD}{}. ", self.marker())
        } else {
            String::new()
        };
        let cut = self
            .cutter
            .cut(&head, self.block_tokens, mixed(self.seed, name))?;
        Ok(cut.text)
    }

    fn prompt(
        &self,
        asked: u32,
        names: &[u64],
        texts: &BTreeMap<(bool, u64), String>,
    ) -> Result<Row, String> {
        let n = usize::try_from(asked).unwrap_or(usize::MAX);
        let named = names.iter().enumerate();
        let blocks = named.filter_map(|(i, name)| texts.get(&(i == 0, *name)));
        let mut head = blocks.map(String::as_str).collect::<Vec<&str>>().join(" ");
        head.push(' ');
        let last = names.last().copied().unwrap_or(0);
        let cut = self.cutter.cut(&head, n, mixed(self.seed ^ 1, last))?;
        let marker = self.marker();
        let after = cut.text.strip_prefix(LEAD);
        let after = after.and_then(|rest| rest.strip_prefix(&*marker));
        let after = after.filter(|_| !marker.is_empty());
        Ok(match after {
            Some(after) => Row {
                before: LEAD.to_owned(),
                n_words: self.n_words(),
                after: after.to_owned(),
                asked,
                n_tokens: cut.n_tokens,
            },
            None => super::plain(cut, asked),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_names_are_the_same_beginning() {
        let prompts: [(u32, &[u64]); 4] = [
            (1300, &[7, 8, 9]),
            (1100, &[7, 8, 10]),
            (700, &[7, 11]),
            (600, &[12, 13]),
        ];
        let rows = block_prompts(&prompts, 512, &Tokenizer::O200k, 3).unwrap();
        let text = |i: usize| format!("{}{}{}", rows[i].before, "x", rows[i].after);
        let tokens = |i: usize| Tokenizer::O200k.encode(&text(i)).unwrap();
        let n_common = |a: usize, b: usize| {
            let (a, b) = (tokens(a), tokens(b));
            a.iter().zip(&b).take_while(|(x, y)| x == y).count()
        };
        for (row, (asked, _)) in rows.iter().zip(&prompts) {
            assert_eq!(row.n_tokens, *asked as usize);
            assert!(row.n_words == 8);
        }
        // The marker's eight words are one here.
        assert!(n_common(0, 1) >= 2 * 512 - 8, "{}", n_common(0, 1));
        assert!(
            (512 - 8..600).contains(&n_common(0, 2)),
            "{}",
            n_common(0, 2)
        );
        assert!(n_common(0, 3) < 20);
    }
}
