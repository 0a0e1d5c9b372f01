//! HTTP/2 (RFC 9113) from hand-written frames: streams, stamps, GOAWAY and refused streams.

use inferometer::transport::{Connector, HttpVersion, TransportErrorKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use inferometer::transport::{Clock, Connection};

use super::script::{event, get, post, read_all, text};
use super::{LONG, route};

const PREFACE: usize = 24;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` of the static table (RFC 7541, appendix A).
const STATUS_200: &[u8] = &[0x88];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// What the server writes, one write a message, after it saw the request's headers.
async fn serve_h2(mut replies: mpsc::Receiver<Vec<u8>>) -> (Connector, Clock) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        tcp.read_exact(&mut [0; PREFACE]).await.unwrap();
        tcp.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        while read_frame(&mut tcp).await != Some(HEADERS) {}
        while let Some(reply) = replies.recv().await {
            tcp.write_all(&reply).await.unwrap();
        }
    });
    let mut route = route(&url, LONG);
    route.http = HttpVersion::Http2;
    (Connector::new(route).unwrap(), Clock::new())
}

async fn read_frame(tcp: &mut TcpStream) -> Option<u8> {
    let mut head = [0; 9];
    tcp.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    tcp.read_exact(&mut vec![0; length]).await.ok()?;
    Some(head[3])
}

async fn start() -> (mpsc::Sender<Vec<u8>>, Connection, Clock) {
    let (reply, replies) = mpsc::channel(16);
    let (connector, clock) = serve_h2(replies).await;
    let connection = connector.connect(&clock).await.unwrap();
    (reply, connection, clock)
}

#[tokio::test]
async fn a_stream_comes_with_the_stamps_of_its_reads() {
    let (reply, mut connection, clock) = start().await;
    let head = frame(HEADERS, END_HEADERS, 1, STATUS_200);
    let both = [
        head,
        frame(DATA, 0, 1, event(0).as_bytes()),
        frame(DATA, 0, 1, event(1).as_bytes()),
    ];
    reply.send(both.concat()).await.unwrap();
    let head = connection.send(post(), &clock).await.unwrap();
    assert_eq!((head.status, head.version), (200, http::Version::HTTP_2));
    assert!(head.sent_ns <= head.head_ns);
    for n in 0..2 {
        let chunk = connection.chunk().await.unwrap().unwrap();
        assert_eq!(text(std::slice::from_ref(&chunk)), event(n));
        assert_eq!((chunk.at_ns, chunk.read_no), (head.head_ns, head.read_no));
    }
    let last = frame(DATA, END_STREAM, 1, event(2).as_bytes());
    reply.send(last).await.unwrap();
    let chunk = connection.chunk().await.unwrap().unwrap();
    assert!(chunk.read_no > head.read_no && chunk.at_ns > head.head_ns);
    assert_eq!(connection.chunk().await, Ok(None));
    assert!(connection.is_open());
    drop(reply);
    while connection.is_open() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_refused_stream_is_not_sent_again() {
    let (reply, mut connection, clock) = start().await;
    let refused = 7_u32.to_be_bytes();
    reply.send(frame(RST_STREAM, 0, 1, &refused)).await.unwrap();
    let error = connection.send(get(), &clock).await.unwrap_err();
    assert_eq!(error.kind, TransportErrorKind::Reset, "{error}");
    assert!(error.message.contains("refused"), "{error}");
}

#[tokio::test]
async fn goaway_lets_the_stream_end_and_closes_the_connection() {
    let (reply, mut connection, clock) = start().await;
    let last_stream = [1_u32.to_be_bytes(), 0_u32.to_be_bytes()].concat();
    reply
        .send(
            [
                frame(HEADERS, END_HEADERS, 1, STATUS_200),
                frame(GOAWAY, 0, 0, &last_stream),
                frame(DATA, END_STREAM, 1, event(0).as_bytes()),
            ]
            .concat(),
        )
        .await
        .unwrap();
    connection.send(get(), &clock).await.unwrap();
    let (chunks, ended) = read_all(&mut connection).await;
    assert_eq!((text(&chunks), ended), (event(0), Ok(())));
    while connection.is_open() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_lost_in_a_stream_is_told() {
    let (reply, mut connection, clock) = start().await;
    let head = frame(HEADERS, END_HEADERS, 1, STATUS_200);
    let data = frame(DATA, 0, 1, event(0).as_bytes());
    reply.send([head, data].concat()).await.unwrap();
    drop(reply);
    connection.send(get(), &clock).await.unwrap();
    let (chunks, ended) = read_all(&mut connection).await;
    assert_eq!(text(&chunks), event(0));
    let kind = ended.unwrap_err().kind;
    assert!(
        matches!(
            kind,
            TransportErrorKind::Truncated | TransportErrorKind::Reset
        ),
        "{kind:?}"
    );
}

#[tokio::test]
async fn garbage_is_a_protocol_failure() {
    let (reply, mut connection, clock) = start().await;
    let bad = frame(HEADERS, END_HEADERS, 1, &[0xff; 40]);
    reply.send(bad).await.unwrap();
    let error = connection.send(get(), &clock).await.unwrap_err();
    assert_eq!(error.kind, TransportErrorKind::Protocol, "{error}");
}
