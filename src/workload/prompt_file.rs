//! A text file with one prompt a line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use crate::domain::{Issue, MAX_PROMPT_BYTES};

/// The largest prompts file, and the most prompts in it.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
const MAX_PROMPTS: usize = 1_000_000;

const FIELD: &str = "workload.prompts_file";

/// Every line that is not blank; a byte-order mark and CRLF are taken off.
///
/// # Errors
/// When the file cannot be read, is not UTF-8 text, holds no prompt or passes a limit.
pub(super) fn read(path: &Path) -> Result<Vec<Arc<str>>, Issue> {
    let name = path.display();
    let issue = |message: String| Issue::new(FIELD, message);
    let cannot = |e: std::io::Error| issue(format!("cannot be read ({e}): “{name}”"));
    let file = File::open(path).map_err(cannot)?;
    if !file.metadata().map_err(cannot)?.is_file() {
        return Err(issue(format!("is not a file: “{name}”")));
    }
    let mut reader = BufReader::new(file.take(MAX_FILE_BYTES + 1));
    let mut prompts = Vec::new();
    let mut line = Vec::new();
    let mut n_bytes = 0_u64;
    for number in 1_u64.. {
        line.clear();
        let n = reader.read_until(b'\n', &mut line).map_err(cannot)?;
        if n == 0 {
            break;
        }
        n_bytes += n as u64;
        if n_bytes > MAX_FILE_BYTES {
            return Err(issue(format!(
                "is larger than {MAX_FILE_BYTES} bytes: “{name}”"
            )));
        }
        let text = std::str::from_utf8(&line)
            .map_err(|_not_text| issue(format!("line {number} is not UTF-8 text: “{name}”")))?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.len() > MAX_PROMPT_BYTES {
            return Err(issue(format!(
                "line {number} is longer than {MAX_PROMPT_BYTES} bytes: “{name}”"
            )));
        }
        if text.is_empty() {
            continue;
        }
        if prompts.len() == MAX_PROMPTS {
            return Err(issue(format!(
                "has more than {MAX_PROMPTS} prompts: “{name}”"
            )));
        }
        prompts.push(Arc::from(text));
    }
    if prompts.is_empty() {
        return Err(issue(format!(
            "holds no prompt, write one a line: “{name}”"
        )));
    }
    Ok(prompts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<Vec<Arc<str>>, Issue> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prompts.txt");
        std::fs::write(&path, bytes).unwrap();
        read(&path)
    }

    #[test]
    fn one_prompt_a_line() {
        let prompts = read_bytes("\u{feff}one\r\n\r\n  two 你好 \n\n\nthree".as_bytes()).unwrap();
        let prompts: Vec<&str> = prompts.iter().map(|p| &**p).collect();
        assert_eq!(prompts, ["one", "two 你好", "three"]);
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        for (bytes, words) in [
            (&b""[..], "holds no prompt"),
            (b" \n\r\n", "holds no prompt"),
            (b"fine\n\xff\xfe", "line 2 is not UTF-8"),
        ] {
            let issue = read_bytes(bytes).unwrap_err();
            assert_eq!(issue.field, FIELD);
            assert!(issue.message.contains(words), "{issue:?}");
        }
        let missing = read(Path::new("/no/such/file")).unwrap_err();
        assert!(missing.message.contains("“/no/such/file”"));
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
    }
}
