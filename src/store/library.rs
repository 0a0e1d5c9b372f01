//! The library of run files: what their first and last lines say, and the changes a person may make to one.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::memmem;

use super::atomic;
use super::file_lock::is_being_written;
use super::line::{EndLine, Line};
use super::load_words::load_words;
use super::open_error::OpenError;
use super::run_file::read_head;
use super::run_lines::{MAX_LINE_BYTES, RunLines, ZSTD_MAGIC};
use crate::domain::{RunEntry, RunHead, ServerFacts};

/// Most files of a folder that are listed.
const MAX_ENTRIES: usize = 10_000;
/// How much of a file's end is looked at first for its last line; then four times as much, and so on.
const FIRST_TAIL: u64 = 64 * 1024;
/// Places that look like the beginning of a frame which are tried.
const MAX_FRAMES_TRIED: usize = 64;
/// zstd's default: good, and faster than the disk.
const LEVEL: i32 = 3;

const PLAIN: &str = ".run.jsonl";
const PACKED: &str = ".run.jsonl.zst";
const END_START: &[u8] = b"{\"type\":\"end\"";

/// A run file could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("the run is still being written, wait until it ends: “{}”", path.display())]
    BeingWritten { path: PathBuf },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the file cannot be written ({source}): “{}”", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Whether a name is one of a run file.
pub fn is_run_name(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy());
    name.is_some_and(|n| n.ends_with(PLAIN) || n.ends_with(PACKED))
}

/// The run files of a folder, newest first; those that cannot be read come with their error.
///
/// # Errors
/// When the folder cannot be read.
pub fn list_runs(folder: &Path) -> io::Result<Vec<RunEntry>> {
    let mut entries: Vec<RunEntry> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_run_name(path))
        .take(MAX_ENTRIES)
        .map(|path| read_entry(&path))
        .collect();
    entries.sort_by(|a, b| {
        let newest_first = b.started_unix_ns.cmp(&a.started_unix_ns);
        newest_first.then_with(|| a.path.cmp(&b.path))
    });
    Ok(entries)
}

/// What the first and last lines of a run file say.
pub fn read_entry(path: &Path) -> RunEntry {
    let mut entry = RunEntry {
        path: path.to_owned(),
        bytes: path.metadata().map_or(0, |m| m.len()),
        started: String::new(),
        started_unix_ns: 0,
        label: String::new(),
        tags: Vec::new(),
        notes: String::new(),
        target: String::new(),
        server: ServerFacts::default(),
        load: String::new(),
        summary: None,
        duration_secs: None,
        variation: None,
        error: None,
    };
    let head = RunLines::open(path).and_then(|mut lines| read_head(&mut lines));
    let head = match head {
        Ok(head) => head,
        Err(e) => {
            entry.error = Some(e.to_string());
            return entry;
        }
    };
    if let Some(end) = read_end(path) {
        entry.duration_secs = duration_secs(&head.started, &end.ended);
        entry.summary = Some(Arc::new(end.summary));
    }
    entry.started = head.started;
    entry.started_unix_ns = head.started_unix_ns;
    entry.label = head.label;
    entry.tags = head.tags;
    entry.notes = head.notes;
    entry.load = load_words(&head.plan, head.variation.as_ref());
    entry.target = head.plan.target.url;
    entry.server = head.server;
    entry.variation = head.variation;
    entry
}

fn duration_secs(started: &str, ended: &str) -> Option<f64> {
    let started: jiff::Timestamp = started.parse().ok()?;
    let ended: jiff::Timestamp = ended.parse().ok()?;
    let secs = ended.duration_since(started).as_secs_f64();
    (secs >= 0.0).then_some(secs)
}

/// The `end` line, if the file has one.
fn read_end(path: &Path) -> Option<EndLine> {
    let mut file = File::open(path).ok()?;
    let mut magic = [0; 4];
    file.read_exact(&mut magic).ok()?;
    if magic == ZSTD_MAGIC {
        return packed_end(&mut file).or_else(|| end_by_scan(path));
    }
    end_of(&last_line(&mut file).ok()??)
}

fn end_of(line: &[u8]) -> Option<EndLine> {
    match Line::parse(line).ok()?? {
        Line::End(end) => Some(*end),
        _ => None,
    }
}

/// The last whole line of a plain file.
fn last_line(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let n_bytes = file.seek(SeekFrom::End(0))?;
    let mut tail_bytes = FIRST_TAIL;
    loop {
        let tail = read_tail(file, n_bytes, tail_bytes)?;
        let Some(lines) = tail.strip_suffix(b"\n") else {
            return Ok(None);
        };
        match memchr::memrchr(b'\n', lines) {
            Some(at) => return Ok(lines.get(at + 1..).map(<[u8]>::to_vec)),
            None if tail_bytes >= n_bytes || tail_bytes > MAX_LINE_BYTES as u64 => return Ok(None),
            None => tail_bytes *= 4,
        }
    }
}

fn read_tail(file: &mut File, n_bytes: u64, most: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(n_bytes.saturating_sub(most)))?;
    let mut tail = Vec::new();
    file.take(most).read_to_end(&mut tail)?;
    Ok(tail)
}

/// The `end` line out of the last frame of a packed file, found from behind by the frames' magic number.
fn packed_end(file: &mut File) -> Option<EndLine> {
    let n_bytes = file.seek(SeekFrom::End(0)).ok()?;
    let mut tail_bytes = FIRST_TAIL;
    while tail_bytes <= MAX_LINE_BYTES as u64 {
        let tail = read_tail(file, n_bytes, tail_bytes).ok()?;
        for at in memmem::rfind_iter(&tail, &ZSTD_MAGIC).take(MAX_FRAMES_TRIED) {
            let frame = tail.get(at..).unwrap_or_default();
            if let Some(line) = unpack_frame(frame)
                && line.starts_with(END_START)
            {
                return end_of(line.strip_suffix(b"\n").unwrap_or(&line));
            }
        }
        if tail_bytes >= n_bytes {
            break;
        }
        tail_bytes *= 4;
    }
    None
}

fn unpack_frame(frame: &[u8]) -> Option<Vec<u8>> {
    let decoder = zstd::Decoder::with_buffer(frame).ok()?.single_frame();
    let mut line = Vec::new();
    let most = MAX_LINE_BYTES as u64 + 1;
    decoder.take(most).read_to_end(&mut line).ok()?;
    (line.len() <= MAX_LINE_BYTES).then_some(line)
}

/// The `end` line of a file that another program packed.
fn end_by_scan(path: &Path) -> Option<EndLine> {
    let mut lines = RunLines::open(path).ok()?;
    let mut end = None;
    while let Ok(Some(line)) = lines.next() {
        if line.bytes.starts_with(END_START) {
            end = end_of(line.bytes);
        }
    }
    end
}

/// Packs a finished run file beside itself and takes the plain one away; the new path.
///
/// # Errors
/// When it is still being written, is no run file, or the disk does not take it.
pub fn compress(path: &Path) -> Result<PathBuf, ChangeError> {
    let mut packed = path.as_os_str().to_owned();
    packed.push(".zst");
    let packed = PathBuf::from(packed);
    save_run(path, &packed)?;
    std::fs::remove_file(path).map_err(|source| ChangeError::Write {
        path: path.to_owned(),
        source,
    })?;
    Ok(packed)
}

/// Copies a run file; packed where the new name ends in `.zst`, else plain. Replaces what stands there.
///
/// # Errors
/// When it is still being written, is no run file, or the disk does not take it.
pub fn save_run(from: &Path, to: &Path) -> Result<(), ChangeError> {
    if is_being_written(from) {
        let path = from.to_owned();
        return Err(ChangeError::BeingWritten { path });
    }
    rewrite(from, to, None)
}

/// Changes what a person may change of a run: label, tags and notes of its first line. All else stays as it is.
///
/// # Errors
/// When it is still being written, is no run file, or the disk does not take it.
pub fn annotate(
    path: &Path,
    label: Option<&str>,
    tags: Option<&[String]>,
    notes: Option<&str>,
) -> Result<(), ChangeError> {
    if is_being_written(path) {
        let path = path.to_owned();
        return Err(ChangeError::BeingWritten { path });
    }
    let mut head = read_head(&mut RunLines::open(path)?)?;
    if let Some(label) = label {
        label.clone_into(&mut head.label);
    }
    if let Some(tags) = tags {
        tags.clone_into(&mut head.tags);
    }
    if let Some(notes) = notes {
        notes.clone_into(&mut head.notes);
    }
    rewrite(path, path, Some(head))
}

fn rewrite(from: &Path, to: &Path, head: Option<RunHead>) -> Result<(), ChangeError> {
    let cannot = |source| ChangeError::Write {
        path: to.to_owned(),
        source,
    };
    let mut lines = RunLines::open(from)?;
    read_head(&mut lines)?;
    let is_packed = to
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("zst"));
    let mut failed = None;
    let written = atomic::replace(to, |file| {
        let mut out = RunWriter::new(BufWriter::new(file), is_packed)?;
        // The first line as it stands, unless it changes.
        if let Some(head) = head {
            let mut first = Vec::new();
            Line::Run(Box::new(head)).write_to(&mut first)?;
            out.write(&first)?;
        } else {
            lines = RunLines::open(from).map_err(|e| keep(e, &mut failed))?;
        }
        copy_lines(&mut lines, &mut out, &mut failed)?;
        out.finish()
    });
    match (failed, written) {
        (Some(e), _) => Err(e.into()),
        (None, Err(source)) => Err(cannot(source)),
        (None, Ok(())) => Ok(()),
    }
}

/// Keeps our error and stops the writing with one of the system's.
fn keep(e: OpenError, failed: &mut Option<OpenError>) -> io::Error {
    *failed = Some(e);
    io::Error::other("the old file cannot be read")
}

fn copy_lines(
    lines: &mut RunLines,
    out: &mut RunWriter<BufWriter<&mut File>>,
    failed: &mut Option<OpenError>,
) -> io::Result<()> {
    loop {
        match lines.next() {
            Ok(None) => return Ok(()),
            Err(e) => return Err(keep(e, failed)),
            Ok(Some(line)) => {
                if line.bytes.starts_with(END_START) {
                    out.next_frame()?;
                }
                out.write(line.bytes)?;
                if line.is_whole {
                    out.write(b"\n")?;
                }
            }
        }
    }
}

/// Writes a run file, plain or as frames.
enum RunWriter<W: Write> {
    Plain(W),
    /// `None` only after an error.
    Packed(Option<zstd::Encoder<'static, W>>),
}

impl<W: Write> RunWriter<W> {
    fn new(out: W, is_packed: bool) -> io::Result<Self> {
        if is_packed {
            Ok(Self::Packed(Some(encoder(out)?)))
        } else {
            Ok(Self::Plain(out))
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Packed(Some(out)) => out.write_all(bytes),
            Self::Packed(None) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// What follows can be unpacked without what came before.
    fn next_frame(&mut self) -> io::Result<()> {
        if let Self::Packed(slot) = self
            && let Some(frame) = slot.take()
        {
            *slot = Some(encoder(frame.finish()?)?);
        }
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut out) => out.flush(),
            Self::Packed(Some(out)) => out.finish()?.flush(),
            Self::Packed(None) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

fn encoder<W: Write>(out: W) -> io::Result<zstd::Encoder<'static, W>> {
    let mut encoder = zstd::Encoder::new(out, LEVEL)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}
