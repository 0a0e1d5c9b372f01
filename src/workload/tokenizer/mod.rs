//! Text to tokens and back: by the embedded vocabulary, by a `tokenizer.json`, or by the server's own `/tokenize`.

mod server;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::workload::bounded;

pub use server::{ServerTokenizer, TokenizeRoute};

/// A `tokenizer.json` larger than this is none.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// The name of the embedded vocabulary.
const EMBEDDED: &str = "o200k_base";

/// Turns text into tokens and back. Special tokens that a chat template or a model adds are not counted.
pub enum Tokenizer {
    /// OpenAI's `o200k_base`, embedded in the program.
    O200k,
    /// Hugging Face's `tokenizer.json`, and what it is called.
    File(Box<tokenizers::Tokenizer>, String),
    /// The server's own; every call is a request to it, so it serves before a run and never during one.
    Server(Box<ServerTokenizer>),
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokenizer").field(&self.name()).finish()
    }
}

impl Tokenizer {
    /// Reads a `tokenizer.json`; `name` is what the run file will call it.
    ///
    /// # Errors
    /// In words, when the file cannot be read or is no tokenizer.
    pub fn from_file(path: &Path, name: &str) -> Result<Self, String> {
        let bytes = bounded::read(path, MAX_FILE_BYTES)?;
        // The reader of such files was not written for hostile ones.
        let read = catch_unwind(AssertUnwindSafe(|| {
            let tokenizer = tokenizers::Tokenizer::from_bytes(&bytes)?;
            tokenizer.encode_fast("A first word.", false)?;
            Ok::<_, tokenizers::Error>(tokenizer)
        }));
        let shown = path.display();
        match read {
            Ok(Ok(tokenizer)) => Ok(Self::File(Box::new(tokenizer), name.to_owned())),
            Ok(Err(error)) => Err(format!("is no tokenizer.json ({error}): “{shown}”")),
            Err(_panic) => Err(format!("is no tokenizer.json that can be read: “{shown}”")),
        }
    }

    /// What the run file calls it.
    pub fn name(&self) -> String {
        match self {
            Self::O200k => EMBEDDED.to_owned(),
            Self::File(_, name) => name.clone(),
            Self::Server(server) => server.name(),
        }
    }

    /// It needs nothing outside this program, so that answers can be counted while a run goes on.
    pub fn is_local(&self) -> bool {
        !matches!(self, Self::Server(_))
    }

    /// # Errors
    /// In words; only a server or a broken file gives one.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        match self {
            Self::O200k => Ok(tiktoken_rs::o200k_base_singleton().encode_ordinary(text)),
            Self::File(tokenizer, name) => {
                let encoded = tokenizer.encode_fast(text, false);
                let encoded =
                    encoded.map_err(|e| format!("“{name}” cannot encode a text ({e})"))?;
                Ok(encoded.get_ids().to_vec())
            }
            Self::Server(server) => server.encode(text),
        }
    }

    /// What the tokens spell; bytes that are no UTF-8 by themselves are replaced.
    ///
    /// # Errors
    /// In words; only a server or a broken file gives one.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        match self {
            Self::O200k => {
                let bytes = tiktoken_rs::o200k_base_singleton().decode_bytes(tokens);
                let bytes = bytes.map_err(|e| format!("{EMBEDDED} cannot decode ({e})"))?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Self::File(tokenizer, name) => tokenizer
                .decode(tokens, true)
                .map_err(|e| format!("“{name}” cannot decode ({e})")),
            Self::Server(server) => server.decode(tokens),
        }
    }

    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn count(&self, text: &str) -> Result<usize, String> {
        match self {
            Self::O200k => Ok(tiktoken_rs::o200k_base_singleton().count_ordinary(text)),
            Self::File(..) | Self::Server(_) => Ok(self.encode(text)?.len()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A byte-level BPE made by hand: the 256 bytes, and merges for a few English pairs.
    pub(in crate::workload) fn small_file(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("tokenizer.json");
        let text = include_str!("../../../tests/data/tokenizers/small.json");
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn the_embedded_vocabulary_gives_known_tokens() {
        // As `tiktoken.get_encoding("o200k_base").encode("hello world")` gives.
        assert_eq!(
            Tokenizer::O200k.encode("hello world").unwrap(),
            [24912, 2375]
        );
        assert_eq!(
            Tokenizer::O200k.decode(&[24912, 2375]).unwrap(),
            "hello world"
        );
        assert_eq!(Tokenizer::O200k.count("hello world").unwrap(), 2);
        assert_eq!(Tokenizer::O200k.count("").unwrap(), 0);
        // A special token's spelling is ordinary text.
        assert!(Tokenizer::O200k.count("<|endoftext|>").unwrap() > 1);
        assert!(Tokenizer::O200k.decode(&[u32::MAX]).is_err());
    }

    #[test]
    fn a_file_gives_its_own_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = Tokenizer::from_file(&small_file(folder.path()), "small").unwrap();
        assert_eq!(tokenizer.name(), "small");
        // " the" is merged from " t" and "he"; "x" and "z" stay bytes.
        assert_eq!(tokenizer.count("x the").unwrap(), 2);
        assert_eq!(tokenizer.count("xz").unwrap(), 2);
        let text = "Bread begins with patience; café, 你好.";
        let tokens = tokenizer.encode(text).unwrap();
        assert_eq!(tokenizer.decode(&tokens).unwrap(), text);
    }

    #[test]
    fn what_is_no_tokenizer_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        for bytes in [
            &b""[..],
            b"{}",
            b"[1,2]",
            b"\xff\xfe",
            b"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4294967295},\"merges\":[\"b c\"]}}",
        ] {
            std::fs::write(&path, bytes).unwrap();
            let message = Tokenizer::from_file(&path, "x").unwrap_err();
            assert!(message.contains("tokenizer.json"), "{message}");
        }
        assert!(Tokenizer::from_file(&folder.path().join("none"), "x").is_err());
        for entry in std::fs::read_dir("tests/data/hostile").unwrap() {
            let path = entry.unwrap().path();
            assert!(
                Tokenizer::from_file(&path, "x").is_err(),
                "{}",
                path.display()
            );
        }
    }
}
