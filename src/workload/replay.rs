//! A trace made ready to be asked: texts where it kept them, prose of the same length where it did not.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{Prompt, PromptSharing};

use super::mixed;
use super::synthetic::{Pool, Recipe, Row, block_prompts};
use super::tokenizer::Tokenizer;
use super::trace::{BLOCK_TOKENS, Trace, TraceRow};

/// Tokens that are made at most for one trace.
const MAX_TOKENS: u64 = 256_000_000;

/// A trace with its prompts.
#[derive(Debug)]
pub(super) struct Replay {
    rows: Vec<TraceRow>,
    system: Option<Arc<str>>,
    made: BTreeMap<usize, Row>,
    pool: Pool,
}

impl Replay {
    /// # Errors
    /// In words, when the tokenizer fails or the trace asks for more text than can be held.
    pub(super) fn make(
        trace: Trace,
        system: Option<Arc<str>>,
        tokenizer: &Tokenizer,
        seed: u64,
    ) -> Result<Self, String> {
        let is_made = |row: &&TraceRow| row.text.is_none();
        let tokens = |row: &TraceRow| u64::from(row.tokens_in.unwrap_or(1));
        let total: u64 = trace.rows.iter().filter(is_made).map(tokens).sum();
        if total > MAX_TOKENS {
            return Err(format!(
                "its prompts have {total} tokens in all, and at most {MAX_TOKENS} are made: replay fewer requests"
            ));
        }
        let (mut plain, mut blocks) = (Vec::new(), Vec::new());
        for (i, row) in trace.rows.iter().enumerate().filter(|(_, r)| is_made(r)) {
            if row.blocks.is_empty() {
                plain.push(i);
            } else {
                blocks.push(i);
            }
        }
        let length = |i: &usize| trace.rows.get(*i).and_then(|r| r.tokens_in).unwrap_or(1);
        let lengths: Vec<u32> = plain.iter().map(length).collect();
        let mut pool = Pool::make(&Recipe {
            lengths: &lengths,
            sharing: PromptSharing::Unique,
            tokenizer,
            seed,
        })?;
        let mut made: BTreeMap<usize, Row> = plain
            .into_iter()
            .zip(std::mem::take(&mut pool.rows))
            .collect();
        let prompts: Vec<(u32, &[u64])> = blocks
            .iter()
            .filter_map(|i| Some((length(i), &*trace.rows.get(*i)?.blocks)))
            .collect();
        let rows = block_prompts(&prompts, BLOCK_TOKENS, tokenizer, seed)?;
        made.extend(blocks.into_iter().zip(rows));
        Ok(Self {
            rows: trace.rows,
            system,
            made,
            pool,
        })
    }

    pub(super) fn rows(&self) -> &[TraceRow] {
        &self.rows
    }

    /// `run` tells one run of the trace from the next, where its texts are made.
    pub(super) fn prompt(&self, i: usize, run: u64) -> Option<Prompt> {
        let row = self.rows.get(i)?;
        let made = self.made.get(&i);
        let user = match (&row.text, made) {
            (Some(text), _) => Arc::clone(text),
            // Rows that share blocks share the marker.
            (None, Some(made)) if !row.blocks.is_empty() => self.pool.text(made, run),
            (None, Some(made)) => self.pool.text(made, mixed(run, i as u64)),
            (None, None) => Arc::from(""),
        };
        Some(Prompt {
            system: self.system.clone(),
            user,
            input_tokens: row.tokens_in,
            output_tokens: row.tokens_out,
            ..Prompt::default()
        })
    }

    /// Prompts that could not be brought to their length.
    pub(super) fn n_inexact(&self) -> usize {
        self.made.values().filter(|row| !row.is_exact()).count()
    }
}
