//! Where prompts and tokenizers come from: files and the Hub's names.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::text_form::serde_as_text;

/// Prompts from outside the plan: the path of a file or a folder, or `hf:OWNER/NAME/FILE`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DatasetRef {
    Path(PathBuf),
    /// A file of a dataset on the Hugging Face Hub.
    Hub {
        repo: String,
        file: String,
    },
}

impl FromStr for DatasetRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = text.trim();
        if word.is_empty() {
            return Err("“” names no dataset: write a path, or hf:OWNER/NAME/FILE".to_owned());
        }
        let Some(name) = word.strip_prefix("hf:") else {
            return Ok(Self::Path(PathBuf::from(word)));
        };
        let parts: Vec<&str> = name.splitn(3, '/').collect();
        match parts.as_slice() {
            [owner, repo, file] if is_name(owner) && is_name(repo) && is_relative(file) => {
                Ok(Self::Hub {
                    repo: format!("{owner}/{repo}"),
                    file: (*file).to_owned(),
                })
            }
            _ => Err(format!(
                "“{text}” names no dataset's file: write hf:OWNER/NAME/FILE, as in hf:owner/dataset/train.jsonl"
            )),
        }
    }
}

impl fmt::Display for DatasetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Hub { repo, file } => write!(f, "hf:{repo}/{file}"),
        }
    }
}

/// Who counts tokens on our side: `o200k`, `server`, `hf:OWNER/NAME`, or the path of a `tokenizer.json`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum TokenizerRef {
    /// The embedded one of OpenAI's newer models.
    #[default]
    O200k,
    /// The server's own `/tokenize`.
    Server,
    /// The `tokenizer.json` of a model on the Hugging Face Hub.
    Hub(String),
    Path(PathBuf),
}

impl FromStr for TokenizerRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = text.trim();
        match word {
            "" => Err("“” names no tokenizer: write o200k, server, hf:OWNER/NAME or the path of a tokenizer.json".to_owned()),
            "o200k" => Ok(Self::O200k),
            "server" => Ok(Self::Server),
            _ => match word.strip_prefix("hf:") {
                None => Ok(Self::Path(PathBuf::from(word))),
                Some(name) => match name.split_once('/') {
                    Some((owner, repo)) if is_name(owner) && is_name(repo) => {
                        Ok(Self::Hub(name.to_owned()))
                    }
                    _ => Err(format!(
                        "“{text}” names no tokenizer: write hf:OWNER/NAME, as in hf:owner/model"
                    )),
                },
            },
        }
    }
}

impl fmt::Display for TokenizerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::O200k => f.write_str("o200k"),
            Self::Server => f.write_str("server"),
            Self::Hub(name) => write!(f, "hf:{name}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

serde_as_text!(DatasetRef, TokenizerRef);

impl DatasetRef {
    /// The path, where it is one.
    pub fn path_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Path(path) => Some(path),
            Self::Hub { .. } => None,
        }
    }
}

impl TokenizerRef {
    /// The path, where it is one.
    pub fn path_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }
}

/// What the Hub allows in names.
fn is_name(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphanumeric())
        && part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// A path below the repository that leads nowhere else.
fn is_relative(file: &str) -> bool {
    !file.is_empty()
        && !file.contains('\\')
        && Path::new(file)
            .components()
            .all(|c| matches!(c, std::path::Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_go_round() {
        for text in ["a/b.jsonl", "hf:owner/name/data/train.csv"] {
            assert_eq!(text.parse::<DatasetRef>().unwrap().to_string(), text);
        }
        for text in ["o200k", "server", "hf:owner/name", "t/tokenizer.json"] {
            assert_eq!(text.parse::<TokenizerRef>().unwrap().to_string(), text);
        }
        for text in ["", "hf:owner/name", "hf:a/b/../c", "hf:a/b//etc", "hf:/b/c"] {
            text.parse::<DatasetRef>().unwrap_err();
        }
        for text in ["", "hf:owner", "hf:a/b/c", "hf:../b"] {
            text.parse::<TokenizerRef>().unwrap_err();
        }
    }
}
