//! The real driver: one user's exchanges over one measured connection.
//!
//! **What is marked.** `sent_ns` is that of a request's first call (Gradio's POST), `first_byte_ns` that of its last call,
//! the one that streams; `client_late_ns` is the largest over all reads. Nothing is sent twice: only a kept connection that
//! is found closed before a byte was written is made again, and the record says so.
//!
//! **Servers that close after each answer without a word** (llama.cpp after a stream, though it says keep-alive): a request
//! that is written before the close is seen would fail as `stale_connection`, by no fault of the server's model. Once one
//! connection was closed right after its first answer, none is used for a second request in that run; each is made again
//! and recorded as `reconnected`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::timeout;

use crate::domain::{
    ConnectionFacts, ConnectionKind, Connections, Failure, FailureKind, Outcome, RequestRecord,
    Stamps, Target,
};
use crate::protocol::headers::failure_from_transport;
use crate::protocol::{Exchange, HttpCall, SharedAdapter, Stamp};
use crate::transport::{
    Chunk, Clock, Connection, Connector, ResponseHead, TransportError, TransportErrorKind,
};

use super::arrivals::ns_from_secs;
use super::driver::{Driver, Hints, Job, Performed};
use super::live::Live;
use super::watchdog::{Limits, Watchdog};

/// How long a body is still read after the exchange knows its outcome, so that the connection can be kept.
const DONE_WAIT_NS: u64 = 250_000_000;
/// How long telling the server to stop may take: it is best effort, and the person waits.
const CANCEL_MAX: Duration = Duration::from_secs(2);

/// A connection that was closed so soon after its first answer was not closed for being idle.
const SOON_NS: u64 = 500_000_000;

/// What all users of a target share.
pub(super) struct Wires {
    adapter: SharedAdapter,
    connector: Connector,
    clock: Clock,
    limits: Limits,
    connect_ns: u64,
    keep: bool,
    /// The server was seen to close a connection right after its first answer.
    closes: AtomicBool,
}

impl Wires {
    pub(super) fn new(
        target: &Target,
        adapter: SharedAdapter,
        connector: Connector,
        clock: Clock,
    ) -> Self {
        Self {
            adapter,
            connector,
            clock,
            limits: Limits::from(&target.timeouts),
            connect_ns: ns_from_secs(target.timeouts.connect_secs),
            keep: target.connections == Connections::Keep,
            closes: AtomicBool::new(false),
        }
    }

    async fn open(&self) -> Result<Connection, Failure> {
        // The connector has the same limit; this one names it.
        let limit = Duration::from_nanos(self.connect_ns);
        match timeout(limit, self.connector.connect(&self.clock)).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(failure_from_transport(&error)),
            Err(_elapsed) => Err(Failure::new(
                FailureKind::TimeoutConnect,
                format!(
                    "No connection within {} s (connect timeout)",
                    limit.as_secs_f64()
                ),
            )),
        }
    }
}

/// One user's wire.
pub(super) struct WireDriver {
    wires: Arc<Wires>,
    connection: Option<Connection>,
    /// The kept connection was found closed before a stage and made again; told by the next request.
    is_made_again: bool,
    /// The request under way, for [`Driver::give_up`].
    current: Option<Current>,
}

/// A request under way, and what the wire showed of it.
struct Current {
    exchange: Box<dyn Exchange>,
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    sent_ns: Option<u64>,
    connect_ns: Option<u64>,
    first_byte_ns: Option<u64>,
    last_read: Stamp,
    late_ns: u64,
    n_reads: u64,
    n_kernel: u64,
    n_tokens: u64,
    connection: Option<ConnectionFacts>,
    status: Option<u16>,
    content_encoding: Option<String>,
    /// The rest of a body was not waited for.
    is_cut: bool,
}

impl WireDriver {
    pub(super) fn new(wires: Arc<Wires>) -> Self {
        Self {
            wires,
            connection: None,
            is_made_again: false,
            current: None,
        }
    }

    /// Makes the exchange's calls one by one.
    async fn exchange(&mut self, job: &Job, live: &Live) -> Result<(), Failure> {
        let Self {
            wires,
            connection,
            is_made_again,
            current,
        } = self;
        let Some(current) = current.as_mut() else {
            return Ok(());
        };
        let mut dog = Watchdog::new(wires.limits, &wires.clock, job.dispatched_ns);
        while let Some(call) = current.exchange.next_call(wires.clock.now_ns()) {
            let mut caller = Caller {
                wires,
                connection,
                is_made_again: std::mem::take(is_made_again),
                exchange: &mut *current.exchange,
                seen: &mut current.seen,
                dog: &mut dog,
                live,
            };
            let result = caller.call(&call).await;
            let stamp = match &result {
                Ok(()) => current.seen.last_read,
                Err(_) => Stamp {
                    at_ns: wires.clock.now_ns(),
                    ..current.seen.last_read
                },
            };
            if result.is_err() {
                *connection = None;
            }
            current.exchange.end(result.clone(), stamp);
            result?;
        }
        Ok(())
    }

    /// Turns what is known into a record. `outcome` is given where it is not the exchange's to say.
    fn performed(
        &mut self,
        job: &Job,
        end_ns: u64,
        failed: Option<Failure>,
        outcome: Option<Outcome>,
    ) -> Performed {
        let Some(Current { exchange, seen }) = self.current.take() else {
            let outcome = outcome.unwrap_or_else(|| Outcome::Failed(no_result()));
            return job.record(outcome, end_ns).into();
        };
        let reply = exchange.reply();
        let (said, ended) = match reply.result {
            Some(Ok(ended)) => (Outcome::Ok, Some(ended)),
            Some(Err(failure)) => (Outcome::Failed(failure), None),
            None => (Outcome::Failed(failed.unwrap_or_else(no_result)), None),
        };
        let (outcome, ended) = match outcome {
            Some(given) => (given, None),
            None => (said, ended),
        };
        let all_kernel = seen.n_reads > 0 && seen.n_kernel == seen.n_reads;
        let record = RequestRecord {
            sent_ns: seen.sent_ns,
            connect_ns: seen.connect_ns,
            first_byte_ns: seen.first_byte_ns,
            first_token_ns: reply.first_token_ns,
            first_answer_ns: reply.first_answer_ns,
            last_token_ns: reply.last_token_ns,
            finish_ns: reply.finish_ns,
            chunk_ns: reply.chunk_ns,
            chunk_tokens: reply.chunk_tokens,
            chunk_shared: reply.chunk_shared,
            stamps: if all_kernel {
                Stamps::Kernel
            } else {
                Stamps::User
            },
            client_late_ns: all_kernel.then_some(seen.late_ns),
            tokens_in: reply.tokens_in,
            tokens_out: reply.tokens_out,
            token_source: reply.token_source,
            cached_tokens: reply.cached_tokens,
            ended,
            http_status: reply.http_status.or(seen.status),
            connection: seen.connection,
            gradio: reply.gradio,
            server_times: reply.server_times,
            ..job.record(outcome, end_ns)
        };
        Performed {
            record,
            answer: reply.answer,
            hints: Hints {
                cached_tokens: reply.cached_tokens,
                retry_after_secs: reply.retry_after_secs,
                content_encoding: reply.content_encoding.or(seen.content_encoding),
            },
        }
    }
}

impl Driver for WireDriver {
    async fn connect(&mut self) -> Result<(), Failure> {
        if self.connection.as_mut().is_some_and(Connection::is_open) {
            return Ok(());
        }
        self.is_made_again |= self.connection.take().is_some();
        self.connection = Some(self.wires.open().await?);
        Ok(())
    }

    async fn perform(&mut self, job: &Job, live: &Live) -> Performed {
        if !self.wires.keep {
            self.connection = None;
        }
        self.current = Some(Current {
            exchange: self.wires.adapter.exchange(&job.prompt, job.user, job.seq),
            seen: Seen::default(),
        });
        let failed = self.exchange(job, live).await.err();
        if !self.wires.keep {
            self.connection = None;
        }
        let ended = self.current.as_ref().map(|c| &c.seen);
        let ended = ended.filter(|seen| failed.is_none() && !seen.is_cut && seen.n_reads > 0);
        let end_ns = ended.map_or_else(|| self.wires.clock.now_ns(), |seen| seen.last_read.at_ns);
        self.performed(job, end_ns, failed, None)
    }

    async fn give_up(&mut self, job: &Job, outcome: Outcome) -> Performed {
        let end_ns = self.wires.clock.now_ns();
        // Closing the stream tells most servers already.
        self.connection = None;
        let cancel = self.current.as_ref().and_then(|c| c.exchange.cancel_call());
        let performed = self.performed(job, end_ns, None, Some(outcome));
        if let Some(call) = cancel {
            let wires = &*self.wires;
            let tell = async {
                let mut connection = wires.open().await.ok()?;
                connection.send(call.to_request()?, &wires.clock).await.ok()
            };
            // Best effort: the server may be gone, and the request is over either way.
            timeout(CANCEL_MAX, tell).await.ok();
        }
        performed
    }

    fn close(&mut self) {
        self.connection = None;
        self.current = None;
    }
}

/// Makes one call of an exchange.
struct Caller<'a> {
    wires: &'a Wires,
    connection: &'a mut Option<Connection>,
    is_made_again: bool,
    exchange: &'a mut dyn Exchange,
    seen: &'a mut Seen,
    dog: &'a mut Watchdog,
    live: &'a Live,
}

impl Caller<'_> {
    async fn call(&mut self, call: &HttpCall) -> Result<(), Failure> {
        let mut kind = self.reach(None).await?;
        let is_second = self.is_soon_after_first_answer();
        self.dog.called(self.wires.clock.now_ns());
        let head = loop {
            match self.send(call).await? {
                Ok(head) => break head,
                // Not a byte was written, so this is no second sending.
                Err(error)
                    if kind == ConnectionKind::Reused
                        && error.kind == TransportErrorKind::StaleConnection
                        && self.is_unwritten() =>
                {
                    if is_second {
                        self.wires.closes.store(true, Relaxed);
                    }
                    *self.connection = None;
                    kind = self.reach(Some(ConnectionKind::Reconnected)).await?;
                }
                Err(error) => {
                    if is_second && error.kind == TransportErrorKind::StaleConnection {
                        self.wires.closes.store(true, Relaxed);
                    }
                    self.mark_sent();
                    return Err(failure_from_transport(&error));
                }
            }
        };
        self.take_head(&head);
        self.read_body().await
    }

    /// Sees to it that there is an open connection, and notes which.
    async fn reach(&mut self, known: Option<ConnectionKind>) -> Result<ConnectionKind, Failure> {
        let is_open = self.connection.as_mut().map(Connection::is_open);
        if is_open == Some(false) && self.is_soon_after_first_answer() {
            self.wires.closes.store(true, Relaxed);
        }
        let has_served = self.connection.as_ref().is_some_and(|c| c.n_sent() > 0);
        let kind = match is_open {
            Some(true) if has_served && self.wires.closes.load(Relaxed) => {
                ConnectionKind::Reconnected
            }
            Some(true) => ConnectionKind::Reused,
            Some(false) => ConnectionKind::Reconnected,
            None => known.unwrap_or(ConnectionKind::New),
        };
        if kind != ConnectionKind::Reused {
            *self.connection = None;
            let opened = tokio::select! {
                biased;
                opened = self.wires.open() => opened?,
                bitten = self.dog.bite() => return Err(bitten.unwrap_or_else(no_result)),
            };
            let done_ns = opened.times().done_ns;
            self.seen.connect_ns.get_or_insert(done_ns);
            *self.connection = Some(opened);
        }
        // A request's second call says nothing new, unless it could not use the connection of the first.
        let is_news = self
            .seen
            .connection
            .as_ref()
            .is_none_or(|facts| facts.kind == ConnectionKind::Reused);
        if is_news && let Some(connection) = self.connection.as_ref() {
            let told = match kind {
                ConnectionKind::Reused if self.is_made_again => ConnectionKind::Reconnected,
                kind => kind,
            };
            self.seen.connection = Some(facts_of(connection, told));
        }
        Ok(kind)
    }

    /// Sends, within the limits; the outer error is a limit's.
    async fn send(
        &mut self,
        call: &HttpCall,
    ) -> Result<Result<ResponseHead, TransportError>, Failure> {
        let request = call.to_request().ok_or_else(|| {
            Failure::new(
                FailureKind::Client,
                format!("The path “{}” cannot be requested", call.path_and_query),
            )
        })?;
        let Some(connection) = self.connection.as_mut() else {
            return Err(no_result());
        };
        let limited = tokio::select! {
            biased;
            answered = connection.send(request, &self.wires.clock) => Ok(answered),
            bitten = self.dog.bite() => Err(bitten.unwrap_or_else(no_result)),
        };
        if limited.is_err() {
            self.mark_sent();
        }
        limited
    }

    /// The connection has given one answer, just now.
    fn is_soon_after_first_answer(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| {
            let idle_ns = self
                .wires
                .clock
                .now_ns()
                .saturating_sub(connection.last_read().at_ns);
            connection.n_sent() == 1 && idle_ns < SOON_NS
        })
    }

    fn is_unwritten(&self) -> bool {
        let marks = self.connection.as_ref().map(Connection::request_marks);
        marks.is_some_and(|marks| marks.sent_ns.is_none())
    }

    /// Keeps the marks of a call that got no head.
    fn mark_sent(&mut self) {
        if let Some(marks) = self.connection.as_ref().map(Connection::request_marks) {
            self.seen.sent_ns = self.seen.sent_ns.or(marks.sent_ns);
            self.seen.first_byte_ns = marks.first_byte_ns.or(self.seen.first_byte_ns);
        }
    }

    fn take_head(&mut self, head: &ResponseHead) {
        let seen = &mut *self.seen;
        seen.sent_ns.get_or_insert(head.sent_ns);
        seen.first_byte_ns = Some(head.first_byte_ns);
        seen.status = Some(head.status);
        if let Some(encoding) = &head.content_encoding {
            seen.content_encoding = Some(encoding.clone());
        }
        let stamp = Stamp {
            at_ns: head.head_ns,
            read_no: head.read_no,
        };
        seen.read(stamp, head.late_ns, head.kernel);
        self.exchange.head(head.status, &head.headers, stamp);
    }

    async fn read_body(&mut self) -> Result<(), Failure> {
        loop {
            let Some(connection) = self.connection.as_mut() else {
                return Err(no_result());
            };
            let chunk = tokio::select! {
                biased;
                chunk = connection.chunk() => chunk,
                bitten = self.dog.bite() => return self.drop_rest(bitten),
            };
            match chunk {
                Ok(Some(chunk)) => self.take_chunk(&chunk),
                Ok(None) => return Ok(()),
                Err(error) => {
                    // What was known to be over cannot be broken any more.
                    let failure = (!self.dog.is_done()).then(|| failure_from_transport(&error));
                    return self.drop_rest(failure);
                }
            }
            if !self.dog.is_done() && self.exchange.is_done() {
                self.dog.done(self.wires.clock.now_ns() + DONE_WAIT_NS);
            }
        }
    }

    fn drop_rest(&mut self, failure: Option<Failure>) -> Result<(), Failure> {
        *self.connection = None;
        self.seen.is_cut = true;
        failure.map_or(Ok(()), Err)
    }

    fn take_chunk(&mut self, chunk: &Chunk) {
        let stamp = Stamp {
            at_ns: chunk.at_ns,
            read_no: chunk.read_no,
        };
        self.seen.read(stamp, chunk.late_ns, chunk.kernel);
        self.dog.byte(chunk.at_ns);
        if chunk.bytes.is_empty() {
            return;
        }
        self.exchange.data(&chunk.bytes, stamp);
        let n_tokens = self.exchange.n_tokens_seen();
        if n_tokens > self.seen.n_tokens {
            self.live.add_tokens(n_tokens - self.seen.n_tokens);
            self.seen.n_tokens = n_tokens;
            self.dog.token(chunk.at_ns);
        }
    }
}

impl Seen {
    fn read(&mut self, stamp: Stamp, late_ns: u64, is_kernel: bool) {
        self.last_read = stamp;
        self.late_ns = self.late_ns.max(late_ns);
        self.n_reads += 1;
        self.n_kernel += u64::from(is_kernel);
    }
}

fn facts_of(connection: &Connection, kind: ConnectionKind) -> ConnectionFacts {
    let times = connection.times();
    // What a kept connection cost is not this request's.
    let is_made = kind != ConnectionKind::Reused;
    ConnectionFacts {
        kind,
        dns_ns: times.dns_ns.filter(|_| is_made),
        tcp_ns: is_made.then_some(times.tcp_ns),
        tls_ns: times.tls_ns.filter(|_| is_made),
        address: Some(times.address.to_string()),
    }
}

/// The exchange is over and cannot say how: a fault of ours, told as what it looks like.
fn no_result() -> Failure {
    Failure::new(
        FailureKind::ErrorTruncated,
        "The exchange ended without a result",
    )
}
