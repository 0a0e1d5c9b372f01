//! A folder of pictures, sounds or films: each file is one request's input.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{Dataset, hex};
use crate::workload::row::Row;

/// The most files, and the most bytes in all of them.
const MAX_FILES: usize = 10_000;
const MAX_BYTES: u64 = 4 << 30;

/// Files by name; hidden ones and those of other kinds are passed over, and folders inside are not looked into.
///
/// The hash is over names, sizes and content.
pub(super) fn read(folder: &Path) -> Result<Dataset, String> {
    let name = folder.display();
    let cannot = |e: std::io::Error| format!("cannot be read ({e}): “{name}”");
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.is_file() && is_media(&path) {
            if files.len() == MAX_FILES {
                return Err(format!("holds more than {MAX_FILES} files: “{name}”"));
            }
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(format!("holds no image, audio or video: “{name}”"));
    }
    let mut hash = Sha256::new();
    let mut left = MAX_BYTES;
    for file in &files {
        left = hash_file(file, &mut hash, left)?;
    }
    let row = |file: PathBuf| Row {
        file: Some(file),
        ..Row::default()
    };
    Ok(Dataset {
        rows: files.into_iter().map(row).collect(),
        hash: hex(&hash.finalize()),
        n_empty: 0,
    })
}

fn is_media(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or(".");
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    !name.starts_with('.') && matches!(mime.type_().as_str(), "image" | "audio" | "video")
}

/// Gives how many bytes may still come.
fn hash_file(path: &Path, hash: &mut Sha256, left: u64) -> Result<u64, String> {
    let name = path.display();
    let cannot = |e: std::io::Error| format!("cannot be read ({e}): “{name}”");
    let mut file = File::open(path).map_err(cannot)?;
    let size = file.metadata().map_err(cannot)?.len();
    let left = left
        .checked_sub(size)
        .ok_or_else(|| format!("takes the folder above {MAX_BYTES} bytes: “{name}”"))?;
    hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
    hash.update([0]);
    hash.update(size.to_be_bytes());
    let mut buffer = vec![0; 1 << 16];
    let mut n_read = 0_u64;
    loop {
        let n = file.read(&mut buffer).map_err(cannot)?;
        n_read += n as u64;
        if n == 0 || n_read > size {
            return Ok(left);
        }
        hash.update(buffer.get(..n).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_picture_is_a_row() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| std::fs::write(folder.path().join(name), name).unwrap();
        for name in ["b.png", "a.jpg", ".hidden.png", "notes.txt", "c.wav"] {
            write(name);
        }
        let dataset = read(folder.path()).unwrap();
        let names: Vec<&str> = dataset
            .rows
            .iter()
            .map(|r| {
                r.file
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
            })
            .collect();
        assert_eq!(names, ["a.jpg", "b.png", "c.wav"]);
        write("d.mp4");
        assert_ne!(read(folder.path()).unwrap().hash, dataset.hash);
        let empty = tempfile::tempdir().unwrap();
        assert!(read(empty.path()).unwrap_err().contains("holds no image"));
    }
}
