//! The lines of a run file, packed or not, one at a time and never more than a limit of anything.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::open_error::OpenError;

/// The longest line: a request with millions of gaps is far below.
pub(super) const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;
/// A packed file may unpack to this, and above it to [`MAX_RATIO`] times its size. Run files pack to about a tenth.
const FREE_BYTES: u64 = 64 * 1024 * 1024;
const MAX_RATIO: u64 = 250;
/// zstd's own default limit of memory for a window: 128 MiB.
const MAX_WINDOW_LOG: u32 = 27;

pub(super) const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BUFFER: usize = 256 * 1024;

pub(super) struct RunLines {
    pub(super) path: PathBuf,
    reader: Box<dyn BufRead>,
    /// Of the line that was read last, from 1.
    pub(super) number: u64,
    line: Vec<u8>,
    pub(super) file_bytes: u64,
}

/// A line without its break.
pub(super) struct RawLine<'l> {
    pub(super) bytes: &'l [u8],
    /// It ended with a line break; without one it may be torn.
    pub(super) is_whole: bool,
}

impl RunLines {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let cannot = |source| OpenError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(cannot)?;
        let about = file.metadata().map_err(cannot)?;
        if !about.is_file() {
            return Err(cannot(io::Error::other("it is not a file")));
        }
        let file_bytes = about.len();
        let mut magic = Vec::new();
        (&mut file)
            .take(4)
            .read_to_end(&mut magic)
            .map_err(cannot)?;
        file.seek(SeekFrom::Start(0)).map_err(cannot)?;
        if magic.starts_with(&GZIP_MAGIC) {
            let path = path.to_owned();
            return Err(OpenError::Gzip { path });
        }
        let reader: Box<dyn BufRead> = if magic == ZSTD_MAGIC {
            Box::new(BufReader::with_capacity(
                BUFFER,
                Unpacked::new(file).map_err(cannot)?,
            ))
        } else {
            Box::new(BufReader::with_capacity(BUFFER, file))
        };
        Ok(Self {
            path: path.to_owned(),
            reader,
            number: 0,
            line: Vec::new(),
            file_bytes,
        })
    }

    /// The next line; `None` at the end. What is cut off in a packed file counts as the end.
    pub(super) fn next(&mut self) -> Result<Option<RawLine<'_>>, OpenError> {
        self.line.clear();
        self.number += 1;
        let most = MAX_LINE_BYTES as u64 + 1;
        let read = self
            .reader
            .by_ref()
            .take(most)
            .read_until(b'\n', &mut self.line);
        match read {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(source) => return Err(self.failed(source)),
        }
        if self.line.len() > MAX_LINE_BYTES {
            return Err(OpenError::LineTooLong {
                path: self.path.clone(),
                line: self.number,
            });
        }
        if self.line.is_empty() {
            return Ok(None);
        }
        let whole = self.line.strip_suffix(b"\n");
        let is_whole = whole.is_some();
        let bytes = whole.unwrap_or(&self.line);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let bytes = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if self.number == 1 => rest,
            _ => bytes,
        };
        Ok(Some(RawLine { bytes, is_whole }))
    }

    /// More of the file, to see what it may be.
    pub(super) fn prefix(&mut self, most: u64) -> Vec<u8> {
        let mut prefix = Vec::new();
        // A file that cannot be read further shows what could be read.
        self.reader
            .by_ref()
            .take(most)
            .read_to_end(&mut prefix)
            .ok();
        prefix
    }

    fn failed(&self, source: io::Error) -> OpenError {
        let (path, line) = (self.path.clone(), self.number);
        let is_too_dense = source.get_ref().is_some_and(|e| e.is::<TooDense>());
        if is_too_dense {
            return OpenError::TooDense { path, line };
        }
        match source.raw_os_error() {
            Some(_) => OpenError::Read { path, source },
            None => OpenError::Damaged {
                path,
                line,
                message: source.to_string(),
            },
        }
    }
}

/// Unpacks zstd, but never to much more than a run can be.
struct Unpacked {
    decoder: zstd::Decoder<'static, BufReader<Counted>>,
    n_in: Arc<AtomicU64>,
    n_out: u64,
}

impl Unpacked {
    fn new(file: File) -> io::Result<Self> {
        let n_in = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            file,
            n: Arc::clone(&n_in),
        };
        let mut decoder = zstd::Decoder::new(counted)?;
        decoder.window_log_max(MAX_WINDOW_LOG)?;
        Ok(Self {
            decoder,
            n_in,
            n_out: 0,
        })
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.decoder.read(buffer)?;
        self.n_out += n as u64;
        let most = FREE_BYTES + MAX_RATIO * self.n_in.load(Ordering::Relaxed);
        if self.n_out > most {
            return Err(io::Error::other(TooDense));
        }
        Ok(n)
    }
}

struct Counted {
    file: File,
    n: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.n.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("unpacks to too much")]
struct TooDense;
