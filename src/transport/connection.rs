//! One measured connection: a request at a time, each thing that comes back with the stamp of the read that completed it.
//!
//! No redirect, no resend, no pool, no timeouts (the engine's), no second task. hyper 1's connection API speaks HTTP.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::Either;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version, header};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{http1, http2};

use super::clock::Clock;
use super::connect::{AddressForm, ConnectTimes};
use super::decode::{Decoder, content_encoding};
use super::drive::Driver;
use super::stamped::{Mark, Marks};
use super::{TransportError, TransportErrorKind, USER_AGENT};

/// Steps that a look at an idle connection may take: a TLS ticket or two, an HTTP/2 setting, then the end.
const MAX_LOOK_STEPS: u32 = 8;

/// A connection to one target. Dropping it closes it, also in the middle of an answer.
pub struct Connection {
    sender: Sender,
    driver: Driver,
    marks: Arc<Marks>,
    times: ConnectTimes,
    form: AddressForm,
    state: State,
    n_sent: u64,
}

pub(super) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

enum State {
    Idle,
    /// A request is out, its head is not in.
    Waiting,
    Reading {
        body: Incoming,
        /// Not boxed: it is touched at every event, and a cache line of its own is 2 % of what an event costs.
        decoder: Decoder,
    },
    /// Not to be used again.
    Over,
}

/// The head of an answer, and the marks of the request that it answers. Every `…_ns` is an offset from the run's epoch.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    pub status: u16,
    pub headers: HeaderMap,
    pub version: Version,
    /// Set when the body came compressed though identity was asked for; it is decoded where we can (gzip, deflate, br).
    pub content_encoding: Option<String>,
    /// The request's first byte began to be written.
    pub sent_ns: u64,
    /// All of the request that was written when the head came had been written.
    pub written_ns: u64,
    /// Arrival of the answer's first byte (HTTP/2: of the read that completed the head).
    pub first_byte_ns: u64,
    /// Arrival of the read that completed the head.
    pub head_ns: u64,
    /// That read.
    pub read_no: u64,
    pub late_ns: u64,
    pub kernel: bool,
}

/// A piece of the body, decoded; empty when its bytes completed nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chunk {
    pub bytes: Bytes,
    /// Arrival of the read that completed it.
    pub at_ns: u64,
    /// Pieces with the same number came in the same socket read.
    pub read_no: u64,
    /// From the arrival to our reading of it; 0 with a user stamp, which cannot tell.
    pub late_ns: u64,
    /// The kernel took the stamp.
    pub kernel: bool,
}

/// How far the current request came, for one that failed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RequestMarks {
    /// `None`: not a byte was written, so another connection may be tried.
    pub sent_ns: Option<u64>,
    pub written_ns: Option<u64>,
    pub first_byte_ns: Option<u64>,
}

impl Connection {
    pub(super) fn new(
        sender: Sender,
        driver: Driver,
        marks: Arc<Marks>,
        times: ConnectTimes,
        form: AddressForm,
    ) -> Self {
        Self {
            sender,
            driver,
            marks,
            times,
            form,
            state: State::Idle,
            n_sent: 0,
        }
    }

    /// How it was opened.
    pub fn times(&self) -> &ConnectTimes {
        &self.times
    }

    /// Requests sent so far: 0 is a fresh connection.
    pub fn n_sent(&self) -> u64 {
        self.n_sent
    }

    /// Free for a request, and not closed by the server as far as the socket itself knows now. False in the middle of an
    /// answer: such a connection can only be dropped.
    pub fn is_open(&mut self) -> bool {
        if !matches!(self.state, State::Idle) {
            return false;
        }
        self.marks.force_read();
        self.look();
        !self.is_over()
    }

    /// The last socket read.
    pub fn last_read(&self) -> Mark {
        self.marks.last_read()
    }

    /// How far the request came that is on its way or failed.
    pub fn request_marks(&self) -> RequestMarks {
        RequestMarks {
            sent_ns: self.marks.first_write_ns(),
            written_ns: self.marks.last_write_ns(),
            first_byte_ns: self.marks.first_read_ns(),
        }
    }

    /// When the server's end was seen, if it was.
    pub fn closed_ns(&self) -> Option<u64> {
        self.marks.closed_ns()
    }

    /// Writes the request and waits for the answer's head. The address may be a path alone; `host`, `content-length`,
    /// `accept-encoding: identity` and `user-agent` are added where they are not set. Dropping the future gives the
    /// connection up.
    pub async fn send(
        &mut self,
        mut request: Request<Bytes>,
        clock: &Clock,
    ) -> Result<ResponseHead, TransportError> {
        if !matches!(self.state, State::Idle) {
            return Err(TransportError::new(
                TransportErrorKind::Client,
                "The connection is still busy with another answer",
            ));
        }
        self.form.fill_in(&mut request)?;
        self.state = State::Waiting;
        self.marks.start_request();
        let answered = self.exchange(request.map(Full::new)).await;
        let response = match answered {
            Ok(response) => response,
            Err(error) => return Err(self.no_head(error)),
        };
        let read = self.marks.last_read();
        Ok(self.take_head(response, read, clock))
    }

    /// The next piece of the answer's body; `None` at its clean end. Cancel-safe: a dropped future loses nothing.
    pub async fn chunk(&mut self) -> Result<Option<Chunk>, TransportError> {
        let State::Reading { body, decoder } = &mut self.state else {
            return Ok(None);
        };
        let driver = &mut self.driver;
        loop {
            let frame =
                poll_fn(|cx| driver.poll_until(cx, |inner| Pin::new(&mut *body).poll_frame(inner)))
                    .await;
            match frame {
                Some(Some(Ok(frame))) => {
                    // Trailers carry nothing for us.
                    let Ok(bytes) = frame.into_data() else {
                        continue;
                    };
                    let read = self.marks.last_read();
                    return match decoder.decode(bytes) {
                        Ok(bytes) => Ok(Some(Chunk::new(bytes, read))),
                        Err(error) => {
                            self.state = State::Over;
                            Err(undecodable(&error))
                        }
                    };
                }
                Some(None) => {
                    let finished = decoder.finish();
                    self.settle();
                    return match finished {
                        Ok(()) => Ok(None),
                        Err(error) => Err(undecodable(&error)),
                    };
                }
                Some(Some(Err(error))) => {
                    self.state = State::Over;
                    return Err(cut_short(Some(&error)));
                }
                None => {
                    self.state = State::Over;
                    let error = self.driver.take_end();
                    return Err(cut_short(error.as_ref()));
                }
            }
        }
    }

    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Option<hyper::Error>> {
        let Self { sender, driver, .. } = self;
        poll_fn(|cx| driver.poll_until(cx, |inner| sender.poll_ready(inner)))
            .await
            .ok_or(None)??;
        self.n_sent += 1;
        let mut response = pin!(match sender {
            Sender::Http1(sender) => Either::Left(sender.send_request(request)),
            Sender::Http2(sender) => Either::Right(sender.send_request(request)),
        });
        poll_fn(|cx| driver.poll_until(cx, |inner| response.as_mut().poll(inner)))
            .await
            .ok_or(None)?
            .map_err(Some)
    }

    fn take_head(
        &mut self,
        response: Response<Incoming>,
        read: Mark,
        clock: &Clock,
    ) -> ResponseHead {
        let is_http2 = matches!(self.sender, Sender::Http2(_));
        let (parts, body) = response.into_parts();
        let content_encoding = content_encoding(&parts.headers);
        let marks = self.request_marks();
        let sent_ns = marks.sent_ns.unwrap_or_else(|| clock.now_ns());
        if body.is_end_stream() {
            self.settle();
        } else {
            let decoder = Decoder::for_encoding(content_encoding.as_deref());
            self.state = State::Reading { body, decoder };
        }
        ResponseHead {
            status: parts.status.as_u16(),
            headers: parts.headers,
            version: parts.version,
            content_encoding,
            sent_ns,
            written_ns: marks.written_ns.unwrap_or(sent_ns),
            // HTTP/2 frames of the connection itself are no answer.
            first_byte_ns: marks
                .first_byte_ns
                .filter(|_| !is_http2)
                .unwrap_or(read.at_ns),
            head_ns: read.at_ns,
            read_no: read.read_no,
            late_ns: read.late_ns,
            kernel: read.kernel,
        }
    }

    /// After an answer's clean end: back to idle, or over when either side said `close`.
    fn settle(&mut self) {
        self.state = State::Idle;
        self.look();
        if self.is_over() {
            self.state = State::Over;
        }
    }

    /// Lets hyper see what the socket has, without waiting.
    fn look(&mut self) {
        for _ in 0..MAX_LOOK_STEPS {
            self.driver.step_now();
            if !self.driver.wants_step() {
                break;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.driver.has_ended() || self.sender.is_closed()
    }

    fn no_head(&mut self, error: Option<hyper::Error>) -> TransportError {
        self.state = State::Over;
        let error = error.or_else(|| self.driver.take_end());
        let failure = match &error {
            Some(error) => {
                TransportError::from_chain("No answer came", error, TransportErrorKind::Protocol)
            }
            None => TransportError::new(
                TransportErrorKind::Truncated,
                "The server closed the connection before it answered",
            ),
        };
        let is_kept = self.n_sent > 1 || self.marks.first_write_ns().is_none();
        let is_lost = matches!(
            failure.kind,
            TransportErrorKind::Reset | TransportErrorKind::Truncated
        );
        if is_lost && is_kept && self.marks.first_read_ns().is_none() {
            return TransportError::new(
                TransportErrorKind::StaleConnection,
                format!("The server had closed the kept connection: {failure}"),
            );
        }
        failure
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("times", &self.times)
            .field("n_sent", &self.n_sent)
            .finish_non_exhaustive()
    }
}

impl Chunk {
    fn new(bytes: Bytes, read: Mark) -> Self {
        Self {
            bytes,
            at_ns: read.at_ns,
            read_no: read.read_no,
            late_ns: read.late_ns,
            kernel: read.kernel,
        }
    }
}

impl Sender {
    fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), hyper::Error>> {
        match self {
            Self::Http1(sender) => sender.poll_ready(cx),
            Self::Http2(sender) => sender.poll_ready(cx),
        }
    }
}

impl AddressForm {
    /// What every request of the connection carries besides its own.
    fn fill_in(&self, request: &mut Request<Bytes>) -> Result<(), TransportError> {
        let has_body = !request.body().is_empty();
        let expects_body = matches!(
            *request.method(),
            Method::POST | Method::PUT | Method::PATCH
        );
        let headers = request.headers_mut();
        if let Some(host) = &self.host {
            headers.entry(header::HOST).or_insert_with(|| host.clone());
        } else {
            headers.remove(header::HOST);
        }
        if let Some(authorization) = &self.proxy_authorization {
            headers.insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        for (name, value) in [
            (header::ACCEPT_ENCODING, "identity"),
            (header::USER_AGENT, USER_AGENT),
        ] {
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        }
        if expects_body && !has_body {
            // hyper leaves it out, and some servers then wait for a body.
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let is_http2 = self.host.is_none();
        if is_http2 {
            *request.version_mut() = Version::HTTP_2;
        }
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let address = match &self.prefix {
            Some(prefix) => format!("{prefix}{path}"),
            None if request.uri().scheme().is_some() => path.to_owned(),
            None => return Ok(()),
        };
        *request.uri_mut() = address.parse::<Uri>().map_err(|error| {
            TransportError::new(
                TransportErrorKind::Client,
                format!("The path cannot be requested ({error})"),
            )
        })?;
        Ok(())
    }
}

fn cut_short(error: Option<&hyper::Error>) -> TransportError {
    match error {
        Some(error) => {
            TransportError::from_chain("The answer broke off", error, TransportErrorKind::Protocol)
        }
        None => TransportError::new(
            TransportErrorKind::Truncated,
            "The server closed the connection in the middle of its answer",
        ),
    }
}

fn undecodable(error: &std::io::Error) -> TransportError {
    let kind = match error.kind() {
        std::io::ErrorKind::UnexpectedEof => TransportErrorKind::Truncated,
        _ => TransportErrorKind::Protocol,
    };
    TransportError::new(
        kind,
        format!("The compressed answer cannot be unpacked: {error}"),
    )
}
