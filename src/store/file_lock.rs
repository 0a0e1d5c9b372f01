//! Run files that are being written: made so that two runs never share one, and known to every other process.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes the file, which must not be there yet unless it is a device or pipe, and marks it as being written until it is
/// closed, by whatever end.
pub(super) fn create_locked(path: &Path) -> io::Result<File> {
    let is_special = path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir());
    let mut options = OpenOptions::new();
    options.write(true).create_new(!is_special);
    share_with_readers_only(&mut options);
    let file = options.open(path)?;
    if !is_special && !cfg!(windows) {
        // A file system without locks is no reason not to measure.
        file.try_lock().ok();
    }
    Ok(file)
}

/// On Windows a mandatory lock would keep readers out; not sharing writes says the same.
#[cfg(windows)]
fn share_with_readers_only(options: &mut OpenOptions) {
    use std::os::windows::fs::OpenOptionsExt as _;
    const FILE_SHARE_READ: u32 = 1;
    options.share_mode(FILE_SHARE_READ);
}

#[cfg(not(windows))]
fn share_with_readers_only(_options: &mut OpenOptions) {}

/// Whether a journal, of this process or another, still writes to the file.
pub(super) fn is_being_written(path: &Path) -> bool {
    if cfg!(windows) {
        return OpenOptions::new().append(true).open(path).is_err();
    }
    let Ok(file) = File::open(path) else {
        return false;
    };
    matches!(
        file.try_lock_shared(),
        Err(std::fs::TryLockError::WouldBlock)
    )
}

/// Waits for the lock of a file that holds nothing else, and lets it go when dropped.
pub(super) fn lock_exclusive(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.lock()?;
    Ok(file)
}
