//! Reads and makes the prompts of a run.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::domain::{ImageData, Issue, LengthSpec, Prompt, PromptSharing, Protocol, WorkloadFacts};
use crate::stats::SplitMix64;

use super::super::dataset::{self, Dataset};
use super::super::needs::Needs;
use super::super::replay::Replay;
use super::super::row::Row;
use super::super::synthetic::{Pool, Recipe, pool_lengths};
use super::super::tokenizer::Tokenizer;
use super::super::{bounded, built_in, mixed, trace};
use super::{Ask, Asks, Made};

/// Keeps the stream of prompts' lengths apart.
const OF_INPUT: u64 = 0x696e_7075_7400_0001;
/// A synthetic prompt longer than this is no prompt; it would be above the largest text too.
const MAX_PROMPT_TOKENS: u32 = 3_000_000;
/// The largest picture of a chat, and all of them.
const MAX_IMAGE_BYTES: u64 = 32 << 20;
const MAX_IMAGES_BYTES: usize = 1 << 30;
/// What a chat is asked of a picture that comes without a text.
const OF_PICTURE: &str = "Describe this picture.";

pub(super) fn make(mut needs: Needs) -> Result<Made, Issue> {
    let tokenizer = needs.tokenizer()?;
    let mut maker = Maker {
        facts: WorkloadFacts {
            tokenizer: tokenizer.as_ref().map(|t| t.name()),
            notes: std::mem::take(&mut needs.notes),
            ..WorkloadFacts::default()
        },
        tokenizer,
        needs: &needs,
    };
    if needs.workload.turns > 1 && needs.protocol == Protocol::Gradio {
        maker.facts.notes.push(
            "A Gradio app keeps its own history: turns are sent one after another, without what was said before."
                .to_owned(),
        );
    }
    let asks = maker.asks()?;
    maker.tell_what_is_not_sent(&asks);
    let replays = maker.replays()?;
    let has_talks = match &asks {
        Asks::Rows(rows) => rows.iter().any(|ask| ask.turns.len() > 1),
        Asks::Synthetic(..) => false,
    };
    let facts = maker.facts;
    let workload = &needs.workload;
    Ok(Made {
        asks,
        order: workload.order,
        nonce: workload.nonce,
        seed: needs.seed,
        turns: workload.turns,
        has_talks,
        outputs: workload.output_tokens,
        replays: replays.into_iter().collect(),
        tokenizer: maker.tokenizer.filter(|_| workload.tokenizer.is_some()),
        facts,
    })
}

struct Maker<'a> {
    needs: &'a Needs,
    tokenizer: Option<Arc<Tokenizer>>,
    facts: WorkloadFacts,
}

impl Maker<'_> {
    fn asks(&mut self) -> Result<Asks, Issue> {
        let workload = &self.needs.workload;
        let system = (!workload.system.is_empty()).then(|| Arc::from(&*workload.system));
        let (field, dataset) = if let Some(path) = &workload.prompts_file {
            let field = "workload.prompts_file";
            (field, self.read(field, path, dataset::read_text)?)
        } else if let Some(path) = self.needs.dataset_path()? {
            let field = "workload.dataset";
            (field, self.read(field, &path, dataset::read)?)
        } else if !workload.users.is_empty() {
            let rows = workload.users.iter().map(|text| Row::of(text)).collect();
            let dataset = Dataset {
                rows,
                ..Dataset::default()
            };
            ("workload.users", dataset)
        } else if let Some(length) = workload.input_tokens {
            let pool = self.synthetic(length)?;
            return Ok(Asks::Synthetic(system, pool));
        } else {
            let rows = built_in().map(Row::of).collect();
            let dataset = Dataset {
                rows,
                ..Dataset::default()
            };
            ("workload.users", dataset)
        };
        let mut rows = dataset.rows;
        if let Some(length) = workload.input_tokens {
            self.shorten(&mut rows, length)?;
        }
        let mut ready = Vec::with_capacity(rows.len());
        let mut image_bytes = 0_usize;
        for row in rows {
            ready.push(self.ready(field, row, system.as_ref(), &mut image_bytes)?);
        }
        Ok(Asks::Rows(ready))
    }

    /// What rows bring of their own and a template has no slot for.
    fn tell_what_is_not_sent(&mut self, asks: &Asks) {
        let Asks::Rows(rows) = asks else { return };
        let (carries, workload) = (self.needs.carries, &self.needs.workload);
        let has_system = |ask: &Ask| ask.first.system.is_some();
        if !carries.system && workload.system.is_empty() && rows.iter().any(has_system) {
            self.facts.notes.push(
                "The dataset's system prompts are not sent: the template has no slot for them; write {{system}} into its body."
                    .to_owned(),
            );
        }
        let has_length = |ask: &Ask| ask.first.output_tokens.is_some();
        if !carries.max_tokens && rows.iter().any(has_length) {
            self.facts.notes.push(
                "The dataset's lengths of answers are not sent: the template has no slot for them; write {{max_tokens}} into its body."
                    .to_owned(),
            );
        }
    }

    fn read(
        &mut self,
        field: &str,
        path: &Path,
        read: fn(&Path) -> Result<Dataset, String>,
    ) -> Result<Dataset, Issue> {
        let dataset = read(path).map_err(|why| Issue::new(field, why))?;
        let named = self.needs.workload.dataset.as_ref();
        let name = named.map_or_else(|| path.display().to_string(), ToString::to_string);
        self.facts.dataset = Some(name);
        self.facts.dataset_hash = Some(dataset.hash.clone());
        self.facts.n_rows = Some(dataset.rows.len() as u64);
        if dataset.n_empty > 0 && field == "workload.dataset" {
            let n = dataset.n_empty;
            self.facts.notes.push(format!(
                "{n} row{} of the dataset with nothing to ask {} passed over.",
                plural(n),
                if n == 1 { "was" } else { "were" }
            ));
        }
        Ok(dataset)
    }

    fn synthetic(&mut self, length: LengthSpec) -> Result<Pool, Issue> {
        let issue = |why: String| Issue::new("workload.input_tokens", why);
        if length.most() > MAX_PROMPT_TOKENS {
            let most = length.most();
            return Err(issue(format!(
                "“{most}” is too long for a synthetic prompt; at most {MAX_PROMPT_TOKENS} are made"
            )));
        }
        let Some(tokenizer) = &self.tokenizer else {
            return Err(issue("needs a tokenizer".to_owned()));
        };
        let sharing = self.needs.workload.sharing;
        let is_one = sharing == PromptSharing::Fixed && length.least() == length.most();
        let mut rng = SplitMix64::new(mixed(self.needs.seed, OF_INPUT));
        let drawn = std::iter::from_fn(|| Some(length.draw(&mut rng)));
        let n_max = if is_one { Some(1) } else { self.needs.n_max };
        let lengths = pool_lengths(drawn, n_max, tokenizer);
        let recipe = Recipe {
            lengths: &lengths,
            sharing,
            tokenizer,
            seed: self.needs.seed,
        };
        let pool = Pool::make(&recipe).map_err(issue)?;
        self.tell_of_pool(&pool, sharing);
        Ok(pool)
    }

    fn tell_of_pool(&mut self, pool: &Pool, sharing: PromptSharing) {
        let n = pool.rows.len();
        self.facts.n_rows = Some(n as u64);
        let notes = &mut self.facts.notes;
        if pool.n_inexact > 0 {
            let far = pool.rows.iter();
            let far = far.map(|row| {
                row.n_tokens
                    .abs_diff(usize::try_from(row.asked).unwrap_or(0))
            });
            let far = far.max().unwrap_or(0);
            notes.push(format!(
                "{} of {n} synthetic prompts could not be made to the exact length; they are at most {far} tokens off.",
                pool.n_inexact
            ));
        }
        if pool.is_varying {
            notes.push(
                "The markers of synthetic prompts change their length by a few tokens with this tokenizer."
                    .to_owned(),
            );
        }
        if sharing == PromptSharing::Unique && !pool.is_unique() {
            notes.push(format!(
                "Some synthetic prompts are too short for a marker of their own: after {n} prompts the same texts come again."
            ));
        }
        if self.needs.workload.nonce && sharing != PromptSharing::Unique {
            notes.push(format!(
                "No marker is put before synthetic prompts: workload.sharing = {sharing} says how they differ."
            ));
        }
    }

    /// Cuts prompts that are longer than the length drawn for them.
    fn shorten(&self, rows: &mut [Row], length: LengthSpec) -> Result<(), Issue> {
        let Some(tokenizer) = &self.tokenizer else {
            return Ok(());
        };
        let issue = |why: String| Issue::new("workload.input_tokens", why);
        let mut rng = SplitMix64::new(mixed(self.needs.seed, OF_INPUT));
        for row in rows.iter_mut().filter(|row| !row.turns.is_empty()) {
            let n = length.draw(&mut rng);
            for (i, text) in row.turns.iter_mut().enumerate() {
                let cut = shortened(text, n, tokenizer).map_err(issue)?;
                if let Some(cut) = cut {
                    *text = cut;
                    if i == 0 {
                        row.input_tokens = Some(n);
                    }
                }
            }
        }
        Ok(())
    }

    fn ready(
        &self,
        field: &str,
        row: Row,
        system: Option<&Arc<str>>,
        image_bytes: &mut usize,
    ) -> Result<Ask, Issue> {
        let issue = |why: String| Issue::new(field, why);
        let protocol = self.needs.protocol;
        let is_gradio = matches!(protocol, Protocol::Gradio | Protocol::Auto);
        if row.payload.is_some() && !is_gradio {
            return Err(issue(format!(
                "holds lists of Gradio inputs, and the target speaks {}",
                protocol.id()
            )));
        }
        let mut payload = row.payload;
        let mut images = row.images;
        if let Some(file) = &row.file {
            if is_gradio {
                payload = Some(Arc::new(file_payload(file)));
            } else {
                let image = image_of(file).map_err(issue)?;
                *image_bytes += image.base64.len();
                if *image_bytes > MAX_IMAGES_BYTES {
                    return Err(issue(format!(
                        "holds more than {MAX_IMAGES_BYTES} bytes of pictures"
                    )));
                }
                images.push(image);
            }
        }
        if !images.is_empty() && !takes_pictures(protocol) {
            return Err(issue(format!(
                "holds pictures, which {} does not take",
                protocol.id()
            )));
        }
        let lost = [
            ("pictures", !images.is_empty()),
            ("conversations", !row.history.is_empty()),
        ];
        if let Some((what, _)) = lost.iter().find(|l| l.1 && !self.needs.carries.messages) {
            return Err(issue(format!(
                "holds {what}, which the template has no slot for: write {{{{messages}}}} into target.template.body"
            )));
        }
        let mut turns = row.turns;
        if turns.is_empty() && !images.is_empty() {
            turns.push(Arc::from(OF_PICTURE));
        }
        let workload = &self.needs.workload;
        let says_length = workload.max_tokens.is_some() || workload.output_tokens.is_some();
        let first = Prompt {
            system: row.system.or_else(|| system.cloned()),
            history: row.history.into(),
            user: turns.first().cloned().unwrap_or_else(|| Arc::from("")),
            images: images.into(),
            output_tokens: row.output_tokens.filter(|_| !says_length),
            input_tokens: row.input_tokens,
            payload,
        };
        Ok(Ask { first, turns })
    }

    fn replays(&mut self) -> Result<Vec<(usize, Replay)>, Issue> {
        let needs = self.needs;
        let system = &needs.workload.system;
        let system: Option<Arc<str>> = (!system.is_empty()).then(|| Arc::from(&**system));
        let mut replays = Vec::new();
        for wanted in &needs.traces {
            let i = wanted.stage.index();
            let issue = |why: String| Issue::new(format!("stages.{i}.load.replay"), why);
            let Some(tokenizer) = &self.tokenizer else {
                return Err(issue("needs a tokenizer".to_owned()));
            };
            let mut trace = trace::read(&wanted.path).map_err(issue)?;
            let (kind, hash, n_all) = (trace.kind, trace.hash.clone(), trace.rows.len());
            let n_unsorted = trace.n_unsorted;
            wanted.limit(&mut trace.rows);
            let n = trace.rows.len();
            if !needs.carries.max_tokens && trace.rows.iter().any(|row| row.tokens_out.is_some()) {
                self.facts.notes.push(
                    "The trace's lengths of answers are not sent: the template has no slot for them; write {{max_tokens}} into its body."
                        .to_owned(),
                );
            }
            let seed = mixed(needs.seed, wanted.stage.index() as u64);
            let replay = Replay::make(trace, system.clone(), tokenizer, seed).map_err(issue)?;
            self.facts.notes.push(format!(
                "Stage {} replays {n} of {n_all} request{} of the {kind} trace “{}” (SHA-256 {hash}).",
                i + 1,
                plural(n_all as u64),
                wanted.path.display()
            ));
            if n_unsorted > 0 {
                self.facts.notes.push(format!(
                    "{n_unsorted} rows of that trace were out of order and were sorted by time."
                ));
            }
            if replay.n_inexact() > 0 {
                let n_inexact = replay.n_inexact();
                self.facts.notes.push(format!(
                    "{n_inexact} of its prompts could not be made to the exact length."
                ));
            }
            replays.push((i, replay));
        }
        Ok(replays)
    }
}

fn plural(n: u64) -> &'static str {
    if n == 1 { "" } else { "s" }
}

fn takes_pictures(protocol: Protocol) -> bool {
    !matches!(protocol, Protocol::Gradio | Protocol::OpenAiCompletions)
}

/// The text cut to at most `n` tokens; `None` when it has no more.
fn shortened(text: &str, n: u32, tokenizer: &Tokenizer) -> Result<Option<Arc<str>>, String> {
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    let tokens = tokenizer.encode(text)?;
    if tokens.len() <= n {
        return Ok(None);
    }
    // Decoded and encoded again a text may have a token more: a few cut points are tried.
    for at in (1..=n).rev().take(8) {
        let cut = tokenizer.decode(tokens.get(..at).unwrap_or_default())?;
        let cut = cut.trim_end_matches(char::REPLACEMENT_CHARACTER);
        if tokenizer.count(cut)? <= n {
            return Ok(Some(Arc::from(cut)));
        }
    }
    let cut = tokenizer.decode(tokens.get(..n).unwrap_or_default())?;
    Ok(Some(Arc::from(cut)))
}

/// A file for the first input that takes one: what has no name belongs there.
fn file_payload(file: &Path) -> Value {
    let text = file.to_string_lossy();
    if text.contains("://") {
        json!({ "": text })
    } else {
        json!({ "": { "file": text } })
    }
}

fn image_of(file: &Path) -> Result<ImageData, String> {
    let name = file.display();
    if file.to_string_lossy().contains("://") {
        return Err(format!(
            "names a picture on the network, which is not fetched: “{name}”"
        ));
    }
    let mime = mime_guess::from_path(file).first_or_octet_stream();
    if mime.type_() != "image" {
        return Err(format!(
            "holds a file that is no picture, and a chat takes pictures only: “{name}”"
        ));
    }
    let bytes = bounded::read(file, MAX_IMAGE_BYTES)?;
    Ok(ImageData {
        mime: Arc::from(mime.essence_str()),
        base64: Arc::from(STANDARD.encode(bytes)),
    })
}
