//! Reads the captured conversations of `tests/data/transcripts`: every read of the response with its time, and the HTTP
//! framing taken off, so that an exchange can be fed as a driver would.

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};
use inferometer::domain::{Failure, FailureKind};
use inferometer::protocol::{Exchange, Reply, Stamp};

pub(super) struct Transcript {
    /// The request's JSON body.
    pub request: String,
    pub status: u16,
    pub headers: HeaderMap,
    /// Body bytes of each read that brought some, with the read's stamp.
    pub reads: Vec<(Stamp, Vec<u8>)>,
    pub end: Stamp,
    pub is_complete: bool,
    /// Head and body as they came, for a server that replays them.
    pub raw: Vec<u8>,
}

impl Transcript {
    pub(super) fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts");
        let text = std::fs::read_to_string(path.join(name).with_extension("txt")).unwrap();
        let (request, response) = text.split_once("<<< response\n").unwrap();
        let (mut reads, mut rest) = (Vec::new(), response);
        let end = loop {
            let (head, after) = rest.split_once('\n').unwrap();
            let inner = head.strip_prefix("[+").unwrap();
            let (secs, what) = inner.split_once(' ').unwrap();
            let at_ns = super::ns_from_secs(secs.parse().unwrap());
            let stamp = Stamp {
                at_ns,
                read_no: reads.len() as u64,
            };
            let Some(n) = what.strip_prefix("recv ") else {
                break (stamp, what.contains("END: complete"));
            };
            let n: usize = n.trim_end_matches(']').parse().unwrap();
            let (bytes, after) = take_bytes(after, n);
            reads.push((stamp, bytes));
            rest = after.strip_prefix('\n').unwrap();
        };
        Self::from_reads(request, &reads, end)
    }

    fn from_reads(request: &str, reads: &[(Stamp, Vec<u8>)], end: (Stamp, bool)) -> Self {
        let raw: Vec<u8> = reads.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let n_head = raw.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8(raw[..n_head].to_vec()).unwrap();
        let mut headers = HeaderMap::new();
        for line in head.lines().skip(1).filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap();
            headers.append(
                HeaderName::try_from(name).unwrap(),
                HeaderValue::try_from(value.trim()).unwrap(),
            );
        }
        let is_chunked = headers
            .get("transfer-encoding")
            .is_some_and(|v| v == "chunked");
        let mut dechunker = Dechunker::default();
        let mut left = n_head;
        let mut bodies = Vec::new();
        for (stamp, bytes) in reads {
            let skip = left.min(bytes.len());
            left -= skip;
            let body = &bytes[skip..];
            let body = if is_chunked {
                dechunker.take(body)
            } else {
                body.to_vec()
            };
            if !body.is_empty() {
                bodies.push((*stamp, body));
            }
        }
        Self {
            request: request.rsplit("␍\n").next().unwrap().trim().to_owned(),
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            headers,
            reads: bodies,
            end: end.0,
            is_complete: end.1,
            raw,
        }
    }

    pub(super) fn body(&self) -> Vec<u8> {
        self.reads.iter().flat_map(|(_, b)| b.clone()).collect()
    }

    /// Plays the response into an exchange, each read cut into pieces of at most `piece` bytes.
    pub(super) fn play(&self, mut exchange: Box<dyn Exchange>, piece: usize) -> Reply {
        assert!(exchange.next_call(0).is_some());
        exchange.head(self.status, &self.headers, Stamp::default());
        for (stamp, bytes) in &self.reads {
            for part in bytes.chunks(piece) {
                exchange.data(part, *stamp);
            }
        }
        let result = if self.is_complete {
            Ok(())
        } else {
            Err(Failure::new(FailureKind::Reset, "cut"))
        };
        exchange.end(result, self.end);
        assert!(exchange.next_call(0).is_none());
        exchange.reply()
    }
}

/// `␍` stands for a CR; everything else is as it came.
fn take_bytes(text: &str, n: usize) -> (Vec<u8>, &str) {
    let mut bytes = Vec::with_capacity(n);
    for (at, c) in text.char_indices() {
        if bytes.len() == n {
            return (bytes, &text[at..]);
        }
        if c == '␍' {
            bytes.push(b'\r');
        } else {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    assert_eq!(bytes.len(), n, "the transcript is cut");
    (bytes, "")
}

/// Chunked transfer coding, without trailers.
#[derive(Default)]
struct Dechunker {
    size_line: Vec<u8>,
    left: usize,
    /// The CRLF after a chunk's data.
    crlf_left: usize,
}

impl Dechunker {
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for &byte in bytes {
            if self.left > 0 {
                body.push(byte);
                self.left -= 1;
                self.crlf_left = if self.left == 0 { 2 } else { 0 };
            } else if self.crlf_left > 0 {
                self.crlf_left -= 1;
            } else {
                self.size_line.push(byte);
                if self.size_line.ends_with(b"\r\n") {
                    let line = String::from_utf8(std::mem::take(&mut self.size_line)).unwrap();
                    self.left = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
                }
            }
        }
        body
    }
}
