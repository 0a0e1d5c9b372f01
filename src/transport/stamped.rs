//! The socket of a measured connection: says of each read when its last byte arrived, by the kernel's own stamp where
//! there is one (Linux: `SO_TIMESTAMPNS`, socket(7)), and of each request when its bytes went out.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::clock::Clock;

/// When bytes arrived, and with which socket read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mark {
    /// Arrival of the read's last byte, as an offset from the run's epoch.
    pub at_ns: u64,
    /// Grows by one with every socket read of the connection.
    pub read_no: u64,
    /// From the arrival to our reading of it; 0 with a user stamp, which cannot tell.
    pub late_ns: u64,
    /// The kernel took the stamp; else we did, right after the read.
    pub kernel: bool,
}

/// What a connection's socket saw, shared by the socket (deep inside hyper) and the connection's owner. One thread
/// writes; the atomics are for `Send`, not for racing.
#[derive(Debug, Default)]
pub(super) struct Marks {
    last_at_ns: AtomicU64,
    last_late_ns: AtomicU64,
    last_kernel: AtomicBool,
    read_no: AtomicU64,
    /// 0: none since [`Marks::start_request`]. Stored plus one, so that the epoch itself can be a mark.
    first_read: AtomicU64,
    first_write: AtomicU64,
    last_write: AtomicU64,
    closed: AtomicU64,
    /// 0 until it is first opened: every read goes through.
    gate: AtomicU8,
    refused: AtomicBool,
    forced: AtomicBool,
}

/// The next read goes through and shuts the gate.
const GATE_OPEN: u8 = 1;
/// A read is put off until the gate is opened again.
const GATE_SHUT: u8 = 2;

impl Marks {
    /// Forgets the marks of the request before.
    pub(super) fn start_request(&self) {
        self.first_read.store(0, Ordering::Relaxed);
        self.first_write.store(0, Ordering::Relaxed);
        self.last_write.store(0, Ordering::Relaxed);
    }

    pub(super) fn last_read(&self) -> Mark {
        Mark {
            at_ns: self.last_at_ns.load(Ordering::Relaxed),
            read_no: self.read_no.load(Ordering::Relaxed),
            late_ns: self.last_late_ns.load(Ordering::Relaxed),
            kernel: self.last_kernel.load(Ordering::Relaxed),
        }
    }

    /// Arrival of the first plain byte since the request was started.
    pub(super) fn first_read_ns(&self) -> Option<u64> {
        self.first_read.load(Ordering::Relaxed).checked_sub(1)
    }

    /// When the first byte of the request began to be written.
    pub(super) fn first_write_ns(&self) -> Option<u64> {
        self.first_write.load(Ordering::Relaxed).checked_sub(1)
    }

    /// When the last write so far had returned.
    pub(super) fn last_write_ns(&self) -> Option<u64> {
        self.last_write.load(Ordering::Relaxed).checked_sub(1)
    }

    /// When the peer's end of the connection was seen.
    pub(super) fn closed_ns(&self) -> Option<u64> {
        self.closed.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Lets one read through; [`Marks::was_refused`] then tells whether a second was wanted.
    pub(super) fn open_gate(&self) {
        self.refused.store(false, Ordering::Relaxed);
        self.gate.store(GATE_OPEN, Ordering::Relaxed);
    }

    pub(super) fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// The next read asks the socket itself, not the reactor's last word on it.
    pub(super) fn force_read(&self) {
        self.forced.store(true, Ordering::Relaxed);
    }

    /// Plain bytes were handed on (after TLS, where there is TLS).
    pub(super) fn note_plain_bytes(&self) {
        if self.first_read.load(Ordering::Relaxed) == 0 {
            let at = self.last_at_ns.load(Ordering::Relaxed);
            self.first_read.store(at + 1, Ordering::Relaxed);
        }
    }

    fn note_read(&self, clock: &Clock, kernel_unix_ns: Option<i64>) {
        let now = clock.now_ns();
        let at = kernel_unix_ns.map_or(now, |unix_ns| {
            let floor = self.last_at_ns.load(Ordering::Relaxed);
            clock.mark_from_unix(unix_ns, now, floor)
        });
        self.last_at_ns.store(at, Ordering::Relaxed);
        self.last_late_ns
            .store(now.saturating_sub(at), Ordering::Relaxed);
        self.last_kernel
            .store(kernel_unix_ns.is_some(), Ordering::Relaxed);
        self.read_no.fetch_add(1, Ordering::Relaxed);
    }
}

/// A TCP socket that keeps [`Marks`].
#[derive(Debug)]
pub(super) struct Stamped {
    tcp: TcpStream,
    clock: Clock,
    marks: Arc<Marks>,
}

impl Stamped {
    /// Turns the kernel's stamps on where there are any.
    pub(super) fn new(tcp: TcpStream, clock: Clock, marks: Arc<Marks>) -> Self {
        #[cfg(target_os = "linux")]
        {
            use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};
            // Without them the reads' own stamps serve, and every mark says so.
            setsockopt(&tcp, ReceiveTimestampns, &true).ok();
        }
        // No stamp of this connection can be older than the connection.
        marks.last_at_ns.store(clock.now_ns(), Ordering::Relaxed);
        Self { tcp, clock, marks }
    }

    pub(super) fn marks(&self) -> &Arc<Marks> {
        &self.marks
    }

    /// Reads once into `buffer`; 0 is the peer's end.
    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.marks.gate.load(Ordering::Relaxed) == GATE_SHUT {
            self.marks.refused.store(true, Ordering::Relaxed);
            return Poll::Pending;
        }
        let received = if self.marks.forced.swap(false, Ordering::Relaxed) {
            match receive(&self.tcp, buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_receive_when_ready(cx, buffer))
                }
                other => other,
            }
        } else {
            ready!(self.poll_receive_when_ready(cx, buffer))
        };
        Poll::Ready(self.note(received))
    }

    fn poll_receive_when_ready(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Received>> {
        loop {
            ready!(self.tcp.poll_read_ready(cx))?;
            let mut short = None;
            let result = self.tcp.try_io(Interest::READABLE, || {
                let received = receive(&self.tcp, buffer)?;
                if IS_EDGE_TRIGGERED && received.n > 0 && received.n < buffer.len() {
                    // A short read emptied the socket: forget its readiness now, without asking once more. As tokio's
                    // own poll_read does.
                    short = Some(received);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(received)
            });
            match (short, result) {
                (Some(received), _) => return Poll::Ready(Ok(received)),
                (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                (None, result) => return Poll::Ready(result),
            }
        }
    }

    fn note(&self, received: io::Result<Received>) -> io::Result<usize> {
        let open = self.marks.gate.load(Ordering::Relaxed) == GATE_OPEN;
        if open {
            self.marks.gate.store(GATE_SHUT, Ordering::Relaxed);
        }
        match received {
            Ok(Received { n, unix_ns }) if n > 0 => {
                self.marks.note_read(&self.clock, unix_ns);
                Ok(n)
            }
            ended => {
                let now = self.clock.now_ns();
                self.marks.closed.store(now + 1, Ordering::Relaxed);
                ended.map(|received| received.n)
            }
        }
    }
}

/// The reactor tells of a socket's readiness once, when it changes.
const IS_EDGE_TRIGGERED: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "freebsd"
));

/// Makes the kernel stamp packets from now on, and returns when it does. Linux does so only while some socket asks for
/// it, and begins a moment after the first one asks: without this, the first answers of a run would go unstamped.
/// Where it cannot be done, reads are stamped by us, and every mark says so.
#[cfg(target_os = "linux")]
pub(super) fn keep_stamps_on() {
    use std::net::TcpStream;
    use std::sync::OnceLock;

    static KEPT: OnceLock<Option<(TcpStream, TcpStream)>> = OnceLock::new();
    KEPT.get_or_init(|| stamped_pair().ok());
}

#[cfg(not(target_os = "linux"))]
pub(super) fn keep_stamps_on() {}

/// A loopback connection that asks for stamps and has got one.
#[cfg(target_os = "linux")]
fn stamped_pair() -> io::Result<(std::net::TcpStream, std::net::TcpStream)> {
    use std::io::Write as _;
    use std::time::Duration;

    use nix::sys::socket::{MsgFlags, setsockopt, sockopt::ReceiveTimestampns};

    /// The kernel's worker needs far less than a millisecond, unless the machine is busy.
    const MAX_TRIES: u32 = 50;

    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut writer = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (reader, _) = listener.accept()?;
    reader.set_read_timeout(Some(Duration::from_millis(100)))?;
    setsockopt(&reader, ReceiveTimestampns, &true)?;
    for _ in 0..MAX_TRIES {
        writer.write_all(b"?")?;
        if receive_with(&reader, &mut [0; 8], MsgFlags::empty())?
            .unix_ns
            .is_some()
        {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok((writer, reader))
}

struct Received {
    n: usize,
    /// The kernel's stamp of the last byte, ns since 1970.
    unix_ns: Option<i64>,
}

#[cfg(target_os = "linux")]
fn receive(tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<Received> {
    receive_with(tcp, buffer, nix::sys::socket::MsgFlags::MSG_DONTWAIT)
}

#[cfg(target_os = "linux")]
fn receive_with(
    tcp: &impl std::os::fd::AsRawFd,
    buffer: &mut [u8],
    flags: nix::sys::socket::MsgFlags,
) -> io::Result<Received> {
    use std::io::IoSliceMut;

    use nix::sys::socket::{ControlMessageOwned, recvmsg};

    /// Room for one `timespec` message (32 bytes), aligned as the kernel writes it.
    #[repr(align(8))]
    struct Control([u8; 64]);

    let mut control = Control([0; 64]);
    let mut slices = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(tcp.as_raw_fd(), &mut slices, Some(&mut control.0), flags)?;
    let unix_ns = message.cmsgs().ok().and_then(|mut messages| {
        messages.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(time) => Some(
                time.tv_sec()
                    .saturating_mul(1_000_000_000)
                    .saturating_add(time.tv_nsec()),
            ),
            _ => None,
        })
    });
    Ok(Received {
        n: message.bytes,
        unix_ns,
    })
}

#[cfg(not(target_os = "linux"))]
fn receive(tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<Received> {
    Ok(Received {
        n: tcp.try_read(buffer)?,
        unix_ns: None,
    })
}

impl AsyncRead for Stamped {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = ready!(self.poll_receive(cx, buf.initialize_unfilled()))?;
        buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let before = self.clock.now_ns();
        let n = ready!(Pin::new(&mut self.tcp).poll_write(cx, buf))?;
        if self.marks.first_write.load(Ordering::Relaxed) == 0 {
            self.marks.first_write.store(before + 1, Ordering::Relaxed);
        }
        let after = self.clock.now_ns();
        self.marks.last_write.store(after + 1, Ordering::Relaxed);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
