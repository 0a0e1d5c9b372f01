//! Files that somebody gave us, read with a limit.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The whole of a regular file of at most `max` bytes.
///
/// # Errors
/// In words, naming the file.
pub(super) fn read(path: &Path, max: u64) -> Result<Vec<u8>, String> {
    let name = path.display();
    let cannot = |e: std::io::Error| format!("cannot be read ({e}): “{name}”");
    let file = File::open(path).map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    if !meta.is_file() {
        return Err(format!("is not a file: “{name}”"));
    }
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > max {
        return Err(format!("is larger than {max} bytes: “{name}”"));
    }
    Ok(bytes)
}

/// The bytes as text, without a byte-order mark.
///
/// # Errors
/// In words, with the line of the first byte that is not UTF-8.
pub(super) fn text<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        format!("line {line} is not UTF-8 text: “{}”", path.display())
    })?;
    Ok(text.trim_start_matches('\u{feff}'))
}
