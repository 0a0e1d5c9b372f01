//! Newline-delimited JSON from bytes (<https://github.com/ndjson/ndjson-spec>): one value a line, LF or CRLF between, empty
//! lines passed over. Only LF ends a line: U+2028 and its like are text.
//!
//! As with [`sse`](super::sse), a line is told as soon as its end is here, and one that lies in one slice is borrowed from
//! it.

use std::borrow::Cow;

use super::sse::MAX_LINE_BYTES;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A line that is longer than the splitter's limit. The splitter takes nothing more after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a line of the answer is longer than {limit_bytes} bytes")]
pub struct LineTooLong {
    pub limit_bytes: usize,
}

/// Cuts one stream into lines; see [`feed`](Self::feed).
#[derive(Debug)]
pub struct LineSplitter {
    limit_bytes: usize,
    /// An unfinished line from earlier slices.
    line: Vec<u8>,
    /// No line was ended yet, so a BOM may stand before this one.
    is_first: bool,
    is_broken: bool,
}

impl Default for LineSplitter {
    fn default() -> Self {
        Self::new()
    }
}

impl LineSplitter {
    pub fn new() -> Self {
        Self::with_limit(MAX_LINE_BYTES)
    }

    /// A splitter with another cap on lines.
    pub fn with_limit(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            line: Vec::new(),
            is_first: true,
            is_broken: false,
        }
    }

    /// Takes the next slice of the body, cut anywhere, and tells every line that it completes and that is not blank.
    ///
    /// # Errors
    /// A line that is too long.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        on_line: &mut dyn FnMut(Cow<'_, str>),
    ) -> Result<(), LineTooLong> {
        let mut rest = bytes;
        while !self.is_broken {
            let end = memchr::memchr(b'\n', rest);
            let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
            if self.line.len() + part.len() > self.limit_bytes {
                self.is_broken = true;
                self.line = Vec::new();
                break;
            }
            if end.is_none() {
                self.line.extend_from_slice(part);
                return Ok(());
            }
            rest = after.get(1..).unwrap_or_default();
            if self.line.is_empty() {
                self.tell(part, on_line);
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(part);
                self.tell(&whole, on_line);
                whole.clear();
                self.line = whole;
            }
        }
        Err(LineTooLong {
            limit_bytes: self.limit_bytes,
        })
    }

    /// The stream ended: a last line needs no LF.
    pub fn finish(&mut self, on_line: &mut dyn FnMut(Cow<'_, str>)) {
        let line = std::mem::take(&mut self.line);
        self.tell(&line, on_line);
    }

    fn tell(&mut self, line: &[u8], on_line: &mut dyn FnMut(Cow<'_, str>)) {
        let line = if std::mem::take(&mut self.is_first) {
            line.strip_prefix(BOM).unwrap_or(line)
        } else {
            line
        };
        let line = line.trim_ascii();
        if !line.is_empty() {
            on_line(String::from_utf8_lossy(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::new();
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter
                .feed(chunk, &mut |line| lines.push(line.into_owned()))
                .unwrap();
        }
        splitter.finish(&mut |line| lines.push(line.into_owned()));
        lines
    }

    #[test]
    fn a_line_in_one_slice_is_borrowed_from_it() {
        let bytes = "{\"a\":1}\r\n\n  \n{\"ü\":2}\n{".as_bytes();
        let range = bytes.as_ptr_range();
        let mut n_lines = 0;
        LineSplitter::new()
            .feed(bytes, &mut |line| {
                n_lines += 1;
                assert!(matches!(line, Cow::Borrowed(_)));
                assert!(range.contains(&line.as_ptr()));
            })
            .unwrap();
        assert_eq!(n_lines, 2, "the third has not ended");
    }

    #[test]
    fn only_a_first_bom_and_only_line_feeds_are_no_text() {
        assert_eq!(
            lines(&[b"\xEF\xBB", b"\xBFa\n\xEF\xBB\xBFb"]),
            ["a", "\u{feff}b"]
        );
        assert_eq!(
            lines(&["a\u{2028}b\u{85}c\rd\n".as_bytes()]),
            ["a\u{2028}b\u{85}c\rd"]
        );
        assert_eq!(lines(&[b"a\xFF\xE2\n"]), ["a\u{fffd}\u{fffd}"]);
    }

    #[test]
    fn too_long_a_line_ends_the_splitter() {
        let mut splitter = LineSplitter::with_limit(8);
        let mut n_lines = 0;
        splitter
            .feed(b"12345678\n1234", &mut |_| n_lines += 1)
            .unwrap();
        assert!(splitter.feed(b"56789", &mut |_| n_lines += 1).is_err());
        assert!(splitter.feed(b"\n1\n", &mut |_| n_lines += 1).is_err());
        splitter.finish(&mut |_| n_lines += 1);
        assert_eq!(n_lines, 1);
    }

    proptest! {
        #[test]
        fn where_it_is_cut_does_not_matter(bytes in prop::collection::vec(prop_oneof![
            Just(b'\n'), Just(b'\r'), Just(b' '), Just(0xEF), Just(0xBB), Just(0xBF), any::<u8>(),
        ], 0..60)) {
            let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(lines(&pieces), lines(&[&bytes]));
        }
    }
}
