//! What hyper reads and writes: the stamped socket itself, or TLS over it.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::ReadBufCursor;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::stamped::{Marks, Stamped};

/// The most that one socket read takes.
const SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    // hyper's own buffer is uninitialised memory, which safe code cannot hand to the kernel; one copy is cheaper than
    // zeroing it, and one buffer for all connections of a thread keeps thousands of idle ones small.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice());
}

pub(super) enum Wire {
    Plain(Stamped),
    Tls(Box<TlsStream<Stamped>>),
}

impl Wire {
    pub(super) fn marks(&self) -> &Arc<Marks> {
        match self {
            Self::Plain(stamped) => stamped.marks(),
            Self::Tls(tls) => tls.get_ref().0.marks(),
        }
    }

    fn poll_into(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stamped) => stamped.poll_receive(cx, room),
            Self::Tls(tls) => {
                let mut buffer = ReadBuf::new(room);
                ready!(Pin::new(tls.as_mut()).poll_read(cx, &mut buffer))?;
                Poll::Ready(Ok(buffer.filled().len()))
            }
        }
    }
}

impl hyper::rt::Read for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        SCRATCH.with_borrow_mut(|scratch| {
            let room = cursor.remaining().min(scratch.len());
            let Some(room) = scratch.get_mut(..room) else {
                return Poll::Ready(Ok(()));
            };
            let n = ready!(this.poll_into(cx, room))?;
            if n > 0 {
                this.marks().note_plain_bytes();
            }
            cursor.put_slice(room.get(..n).unwrap_or_default());
            Poll::Ready(Ok(()))
        })
    }
}

impl hyper::rt::Write for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stamped) => Pin::new(stamped).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stamped) => Pin::new(stamped).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stamped) => Pin::new(stamped).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}
