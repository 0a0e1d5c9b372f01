//! Files that are replaced whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;

/// Writes beside the file, waits for the disk, and puts the new one in its place. After an error the old one stands.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".inferometer-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As any new file: what the umask leaves. The crate's own default is for the owner alone.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut temporary = builder.tempfile_in(folder)?;
    write(temporary.as_file_mut())?;
    keep_permissions(path, temporary.as_file());
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|e| e.error)?;
    sync_folder(folder);
    Ok(())
}

/// Those of the file that is replaced, where there is one.
fn keep_permissions(path: &Path, file: &File) {
    if let Ok(old) = path.metadata() {
        // A file system without permissions is no reason to fail.
        file.set_permissions(old.permissions()).ok();
    }
}

/// Makes the new name outlast a power loss, where the system knows how.
fn sync_folder(folder: &Path) {
    if cfg!(unix)
        && let Ok(folder) = File::open(folder)
    {
        folder.sync_all().ok();
    }
}
