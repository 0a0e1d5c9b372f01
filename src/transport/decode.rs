//! Bodies that come compressed though identity was asked for: decoded as they arrive, so that a stream stays a stream.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{GzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

/// The most that one chunk may unpack to.
const MAX_UNPACKED_BYTES: usize = 64 * 1024 * 1024;
const BROTLI_BUFFER_BYTES: usize = 4096;

/// A streaming decoder for one body.
pub(super) enum Decoder {
    Identity,
    Gzip(Box<GzDecoder<Capped>>),
    Deflate(Box<ZlibDecoder<Capped>>),
    Brotli(Box<DecompressorWriter<Capped>>),
}

/// The body's `content-encoding`, if it has one that changes it.
pub(super) fn content_encoding(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_ENCODING)?;
    let text = String::from_utf8_lossy(value.as_bytes())
        .trim()
        .to_ascii_lowercase();
    (!text.is_empty() && text != "identity").then_some(text)
}

impl Decoder {
    /// An encoding that is not known is passed on as it is.
    pub(super) fn for_encoding(encoding: Option<&str>) -> Self {
        match encoding {
            Some("gzip" | "x-gzip") => Self::Gzip(Box::new(GzDecoder::new(Capped::default()))),
            Some("deflate") => Self::Deflate(Box::new(ZlibDecoder::new(Capped::default()))),
            Some("br") => Self::Brotli(Box::new(DecompressorWriter::new(
                Capped::default(),
                BROTLI_BUFFER_BYTES,
            ))),
            _ => Self::Identity,
        }
    }

    /// All that these bytes complete.
    pub(super) fn decode(&mut self, bytes: Bytes) -> io::Result<Bytes> {
        fn through<W: Write>(
            decoder: &mut W,
            bytes: &[u8],
            output: impl FnOnce(&mut W) -> &mut Capped,
        ) -> io::Result<Bytes> {
            decoder.write_all(bytes)?;
            decoder.flush()?;
            Ok(Bytes::from(std::mem::take(&mut output(decoder).0)))
        }
        match self {
            Self::Identity => Ok(bytes),
            Self::Gzip(decoder) => through(decoder, &bytes, |d| d.get_mut()),
            Self::Deflate(decoder) => through(decoder, &bytes, |d| d.get_mut()),
            Self::Brotli(decoder) => through(decoder, &bytes, |d| d.get_mut()),
        }
    }

    /// The body ended: fails if the compressed stream did not.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Identity => Ok(()),
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Deflate(decoder) => decoder.try_finish(),
            Self::Brotli(decoder) => decoder.close(),
        }
    }
}

/// Takes what a decoder puts out, up to a limit.
#[derive(Default)]
pub(super) struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_UNPACKED_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the compressed body unpacks to too much",
            ));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &str = "data: hello\n\n";

    #[track_caller]
    fn check(encoding: &str, pieces: &[Vec<u8>]) {
        let mut decoder = Decoder::for_encoding(Some(encoding));
        for piece in pieces {
            let decoded = decoder.decode(Bytes::copy_from_slice(piece)).unwrap();
            assert_eq!(decoded, TEXT, "an event comes out when its bytes came in");
        }
    }

    #[test]
    fn each_flushed_event_comes_out_at_once() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        let (mut gzips, mut zlibs) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            gzip.write_all(TEXT.as_bytes()).unwrap();
            gzip.flush().unwrap();
            gzips.push(std::mem::take(gzip.get_mut()));
            zlib.write_all(TEXT.as_bytes()).unwrap();
            zlib.flush().unwrap();
            zlibs.push(std::mem::take(zlib.get_mut()));
        }
        check("gzip", &gzips);
        check("deflate", &zlibs);
        check("br", &[brotli(0), brotli(1), brotli(2)]);
    }

    /// The event as an uncompressed meta-block (RFC 7932, 9.2); the first has the stream's header before it.
    fn brotli(nth: usize) -> Vec<u8> {
        let n_header_bits = u32::from(nth == 0);
        let length = u32::try_from(TEXT.len() - 1).unwrap();
        // ISLAST 0, MNIBBLES 00, MLEN - 1 in 16 bits, ISUNCOMPRESSED 1.
        let bits = (length << 3 | 1 << 19) << n_header_bits;
        let mut bytes = bits.to_le_bytes()[..3].to_vec();
        bytes.extend_from_slice(TEXT.as_bytes());
        bytes
    }

    #[test]
    fn every_cut_gives_the_same_text() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(TEXT.repeat(40).as_bytes()).unwrap();
        let whole = gzip.finish().unwrap();
        for cut in 0..=whole.len() {
            let mut decoder = Decoder::for_encoding(Some("gzip"));
            let (a, b) = whole.split_at(cut);
            let mut text = decoder.decode(Bytes::copy_from_slice(a)).unwrap().to_vec();
            text.extend(decoder.decode(Bytes::copy_from_slice(b)).unwrap());
            decoder.finish().unwrap();
            assert_eq!(text, TEXT.repeat(40).as_bytes());
        }
    }

    #[test]
    fn a_cut_or_broken_stream_is_an_error() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(TEXT.as_bytes()).unwrap();
        let whole = gzip.finish().unwrap();
        let mut decoder = Decoder::for_encoding(Some("gzip"));
        decoder
            .decode(Bytes::copy_from_slice(&whole[..20]))
            .unwrap();
        assert!(decoder.finish().is_err());
        for encoding in ["gzip", "deflate", "br"] {
            let mut decoder = Decoder::for_encoding(Some(encoding));
            let garbage = Bytes::from_static(b"this is no compressed stream at all");
            let failed = decoder.decode(garbage).is_err() || decoder.finish().is_err();
            assert!(failed, "{encoding}");
        }
    }

    #[test]
    fn a_bomb_is_stopped() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&vec![0; MAX_UNPACKED_BYTES + 1]).unwrap();
        let bomb = gzip.finish().unwrap();
        let mut decoder = Decoder::for_encoding(Some("gzip"));
        assert!(decoder.decode(Bytes::from(bomb)).is_err());
    }

    #[test]
    fn identity_is_no_encoding() {
        let mut headers = HeaderMap::new();
        assert_eq!(content_encoding(&headers), None);
        headers.insert(header::CONTENT_ENCODING, "Identity".parse().unwrap());
        assert_eq!(content_encoding(&headers), None);
        headers.insert(header::CONTENT_ENCODING, "GZIP".parse().unwrap());
        assert_eq!(content_encoding(&headers).as_deref(), Some("gzip"));
    }
}
