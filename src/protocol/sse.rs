//! Server-sent events from bytes, after the HTML standard 9.2.5–9.2.6
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>).
//!
//! The parser never waits for more than it needs: an event is told as soon as its blank line's first byte is here, and an
//! event that lies in one slice is borrowed from it.

use std::borrow::Cow;

/// Longest line, and longest data of one event. A server that sends more is broken or hostile.
pub const MAX_LINE_BYTES: usize = 8 << 20;

const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// One dispatched event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SseEvent<'a> {
    /// `message` where the stream names none.
    pub event: &'a str,
    /// Data lines joined by LF. Borrowed when it came in one slice and is valid UTF-8.
    pub data: Cow<'a, str>,
    /// The last id of the stream, which persists from event to event.
    pub id: &'a str,
}

/// A line or an event that is longer than [`MAX_LINE_BYTES`]. The parser takes nothing more after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an event stream's line is longer than {limit_bytes} bytes")]
pub struct SseTooLong {
    pub limit_bytes: usize,
}

/// A parser for one stream; see [`feed`](Self::feed).
#[derive(Debug)]
pub struct SseParser {
    limit_bytes: usize,
    /// Bytes of the BOM seen at the very start; [`BOM_DONE`] once that question is settled.
    bom_matched: usize,
    /// The last byte was a CR, so that one LF after it belongs to the same line end.
    skip_lf: bool,
    /// An unfinished line from earlier slices.
    line: Vec<u8>,
    /// Data of the event under way, as far as it is not borrowed from the slice at hand.
    data: Vec<u8>,
    has_data: bool,
    event: String,
    id: String,
    retry_ms: Option<u64>,
    n_comments: u64,
    is_broken: bool,
}

const BOM_DONE: usize = usize::MAX;

impl Default for SseParser {
    fn default() -> Self {
        Self::new()
    }
}

impl SseParser {
    pub fn new() -> Self {
        Self::with_limit(MAX_LINE_BYTES)
    }

    /// A parser with another cap on lines and events.
    pub fn with_limit(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            bom_matched: 0,
            skip_lf: false,
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            event: String::new(),
            id: String::new(),
            retry_ms: None,
            n_comments: 0,
            is_broken: false,
        }
    }

    /// Takes the next slice of the body, cut anywhere, and tells every event that it completes.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        on_event: &mut dyn FnMut(SseEvent<'_>),
    ) -> Result<(), SseTooLong> {
        let mut borrowed = None;
        let result = self.feed_lines(bytes, &mut borrowed, on_event);
        if let Some(value) = borrowed {
            self.data.extend_from_slice(value);
        }
        self.is_broken |= result.is_err();
        result
    }

    /// The stream ended. An unfinished event is discarded, as the standard asks; tells whether there was one.
    pub fn finish(&mut self) -> bool {
        let was_unfinished = !self.line.is_empty() || self.has_data;
        self.line.clear();
        self.reset_event();
        was_unfinished
    }

    /// The last valid `retry` field.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// Comment lines so far. They are bytes for an idle timeout, but no events.
    pub fn n_comments(&self) -> u64 {
        self.n_comments
    }

    fn feed_lines<'a>(
        &mut self,
        bytes: &'a [u8],
        borrowed: &mut Option<&'a [u8]>,
        on_event: &mut dyn FnMut(SseEvent<'_>),
    ) -> Result<(), SseTooLong> {
        if self.is_broken {
            return Err(self.too_long());
        }
        let mut rest = self.without_bom(bytes);
        loop {
            if self.skip_lf {
                match rest.first() {
                    None => return Ok(()),
                    Some(b'\n') => rest = rest.get(1..).unwrap_or_default(),
                    Some(_) => {}
                }
                self.skip_lf = false;
            }
            let Some(at) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.check_length(self.line.len() + rest.len())?;
                self.line.extend_from_slice(rest);
                return Ok(());
            };
            let (line, tail) = rest.split_at(at);
            self.skip_lf = tail.first() == Some(&b'\r');
            rest = tail.get(1..).unwrap_or_default();
            self.check_length(self.line.len() + line.len())?;
            if self.line.is_empty() {
                self.take_line(line, Some(borrowed), on_event)?;
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                if let Some(value) = borrowed.take() {
                    self.data.extend_from_slice(value);
                }
                let result = self.take_line(&whole, None, on_event);
                whole.clear();
                self.line = whole;
                result?;
            }
        }
    }

    /// Strips one BOM at the start of the stream, though it may come a byte at a time.
    fn without_bom<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while let (Some(&want), Some((&first, after))) =
            (BOM.get(self.bom_matched), rest.split_first())
        {
            if first == want {
                self.bom_matched += 1;
                rest = after;
            } else {
                // Not a BOM after all: what was held back is text.
                self.line
                    .extend_from_slice(BOM.get(..self.bom_matched).unwrap_or_default());
                self.bom_matched = BOM_DONE;
            }
        }
        rest
    }

    /// `borrowed` is given when the line lies in the slice at hand, whose bytes outlive the call.
    fn take_line<'a>(
        &mut self,
        line: &'a [u8],
        borrowed: Option<&mut Option<&'a [u8]>>,
        on_event: &mut dyn FnMut(SseEvent<'_>),
    ) -> Result<(), SseTooLong> {
        if line.is_empty() {
            let own = borrowed.and_then(Option::take);
            self.dispatch(own, on_event);
            return Ok(());
        }
        let (name, value) = match memchr::memchr(b':', line) {
            Some(at) => {
                let (name, tail) = line.split_at(at);
                let value = tail.get(1..).unwrap_or_default();
                (name, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &[][..]),
        };
        match name {
            b"data" => return self.take_data(value, borrowed),
            b"event" => {
                self.event.clear();
                self.event.push_str(&String::from_utf8_lossy(value));
            }
            b"id" if !value.contains(&0) => {
                self.id.clear();
                self.id.push_str(&String::from_utf8_lossy(value));
            }
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                let ms = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
                self.retry_ms = ms.or(self.retry_ms);
            }
            b"" => self.n_comments += 1,
            _ => {}
        }
        Ok(())
    }

    fn take_data<'a>(
        &mut self,
        value: &'a [u8],
        borrowed: Option<&mut Option<&'a [u8]>>,
    ) -> Result<(), SseTooLong> {
        match borrowed {
            Some(slot) if !self.has_data => *slot = Some(value),
            slot => {
                if let Some(first) = slot.and_then(Option::take) {
                    self.data.extend_from_slice(first);
                }
                self.check_length(self.data.len() + value.len() + 1)?;
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
        }
        self.has_data = true;
        Ok(())
    }

    fn dispatch(&mut self, own: Option<&[u8]>, on_event: &mut dyn FnMut(SseEvent<'_>)) {
        if self.has_data {
            on_event(SseEvent {
                event: if self.event.is_empty() {
                    "message"
                } else {
                    &self.event
                },
                data: text_of(own.unwrap_or(&self.data)),
                id: &self.id,
            });
        }
        self.reset_event();
    }

    fn reset_event(&mut self) {
        self.data.clear();
        self.has_data = false;
        self.event.clear();
    }

    fn check_length(&self, n_bytes: usize) -> Result<(), SseTooLong> {
        if n_bytes > self.limit_bytes {
            return Err(self.too_long());
        }
        Ok(())
    }

    fn too_long(&self) -> SseTooLong {
        SseTooLong {
            limit_bytes: self.limit_bytes,
        }
    }
}

/// What is not UTF-8 is replaced. Nearly all is, and the check alone is several times as fast as the lossy conversion,
/// which goes byte by byte.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::SseParser;

    fn events(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let mut parser = SseParser::new();
        let mut events = Vec::new();
        for chunk in chunks {
            parser
                .feed(chunk, &mut |e| {
                    events.push((e.event.to_owned(), e.data.into_owned()));
                })
                .unwrap();
        }
        events
    }

    #[test]
    fn an_event_in_one_slice_is_borrowed_from_it() {
        let mut parser = SseParser::new();
        let bytes = "data: {\"a\":1}\n\ndata: ü\r\n\r\n".as_bytes();
        let range = bytes.as_ptr_range();
        let mut n_events = 0;
        parser
            .feed(bytes, &mut |event| {
                n_events += 1;
                assert!(matches!(event.data, Cow::Borrowed(_)));
                assert!(range.contains(&event.data.as_ptr()));
            })
            .unwrap();
        assert_eq!(n_events, 2);
    }

    #[test]
    fn a_carriage_return_at_the_end_of_a_slice_dispatches_at_once() {
        let mut parser = SseParser::new();
        let mut n_events = 0;
        parser.feed(b"data: a\r\r", &mut |_| n_events += 1).unwrap();
        assert_eq!(n_events, 1);
        parser
            .feed(b"\ndata: b\n\n", &mut |e| assert_eq!(e.data, "b"))
            .unwrap();
    }

    #[test]
    fn data_lines_join_over_slices() {
        let got = events(&[b"event: x\ndata: a\nda", b"ta: b\n", b"data: c\n", b"\n"]);
        assert_eq!(got, [("x".to_owned(), "a\nb\nc".to_owned())]);
    }

    #[test]
    fn a_broken_bom_is_text() {
        assert_eq!(events(&[b"\xEF", b"\xBBdata: a\n\n"]), []);
        assert_eq!(
            events(&[b"\xEF", b"\xBB\xBF", b"data: a\n\n"]),
            [("message".to_owned(), "a".to_owned())]
        );
    }

    #[test]
    fn too_long_a_line_or_event_ends_the_parser() {
        let mut parser = SseParser::with_limit(16);
        assert!(parser.feed(b"data: 0123456", &mut |_| ()).is_ok());
        assert!(parser.feed(b"789abcdef", &mut |_| ()).is_err());
        assert!(parser.feed(b"\n\n", &mut |_| panic!("no event")).is_err());

        let mut parser = SseParser::with_limit(16);
        let many = b"data: 012345\ndata: 012345\ndata: 012345\n\n";
        assert!(parser.feed(many, &mut |_| panic!("no event")).is_err());
    }
}
