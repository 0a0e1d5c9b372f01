//! What the measured client does when servers and networks misbehave. A fault server of our own plays each fault.

mod h2;
mod proxies;
mod script;
mod stamps;
mod tls;

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Request;
use inferometer::transport::{Clock, Connector, Route, TransportErrorKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

use script::{
    SHORT, STREAM_END, STREAM_HEAD, Step, chunk, event, gate, get, post, read_all, serve, text,
    write,
};

fn route(url: &str, connect_timeout: Duration) -> Route {
    Route::from_url(&Url::parse(url).unwrap(), connect_timeout).unwrap()
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_refused_port_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let connector = Connector::new(route(&url, LONG)).unwrap();
    let error = connector.connect(&Clock::new()).await.unwrap_err();
    assert_eq!(error.kind, TransportErrorKind::Connect, "{error}");
    assert!(error.message.contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn an_unknown_name_is_a_dns_failure() {
    let connector = Connector::new(route("http://x.invalid/", LONG)).unwrap();
    let error = connector.connect(&Clock::new()).await.unwrap_err();
    assert_eq!(error.kind, TransportErrorKind::Dns, "{error}");
    assert!(error.message.contains("“x.invalid”"), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_host_that_drops_our_packets_times_out() {
    use tokio::net::{TcpSocket, TcpStream};

    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // A full backlog: further SYNs are dropped, as by a firewall.
    let mut waiting = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        waiting.push(stream.unwrap());
    }
    let url = format!("http://{address}/");
    let connector = Connector::new(route(&url, Duration::from_millis(100))).unwrap();
    let error = connector.connect(&Clock::new()).await.unwrap_err();
    assert_eq!(error.kind, TransportErrorKind::TimeoutConnect, "{error}");
}

#[tokio::test]
async fn every_address_of_a_name_is_tried() {
    let server = serve(vec![vec![Step::Request, write(SHORT)]]).await;
    // Where localhost is ::1 as well, nobody listens there.
    let url = format!("http://localhost:{}/", server.address.port());
    let connector = Connector::new(route(&url, LONG)).unwrap();
    let mut connection = connector.connect(&server.clock).await.unwrap();
    assert_eq!(connection.times().address, server.address);
    assert!(connection.times().dns_ns.is_some());
    assert!(connection.times().tls_ns.is_none());
    connection.send(get(), &server.clock).await.unwrap();
    let host = format!("host: localhost:{}", server.address.port());
    assert!(server.requests()[0].contains(&host));
}

#[tokio::test]
async fn a_listener_that_never_accepts_gives_no_first_byte() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let clock = Clock::new();
    let connector = Connector::new(route(&url, LONG)).unwrap();
    let mut connection = connector.connect(&clock).await.unwrap();
    let sent =
        tokio::time::timeout(Duration::from_millis(50), connection.send(post(), &clock)).await;
    assert!(sent.is_err(), "the engine's timeout is what ends it");
    let marks = connection.request_marks();
    assert!(marks.sent_ns.is_some() && marks.written_ns >= marks.sent_ns);
    assert_eq!(marks.first_byte_ns, None);
    assert!(!connection.is_open(), "a request is still out on it");
}

#[tokio::test]
async fn a_request_carries_what_it_must_and_nothing_is_followed() {
    let elsewhere = serve(vec![vec![Step::Hold]]).await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: {}v1\r\ncontent-length: 0\r\n\r\n",
        elsewhere.url()
    );
    let server = serve(vec![vec![
        Step::Request,
        write(redirect),
        Step::Request,
        write(SHORT),
    ]])
    .await;
    let mut connection = server.connect().await;
    let head = connection.send(post(), &server.clock).await.unwrap();
    assert_eq!(head.status, 302);
    assert_eq!(connection.chunk().await, Ok(None));
    assert!(connection.is_open());
    let empty = Request::post("/empty").body(Bytes::new()).unwrap();
    connection.send(empty, &server.clock).await.unwrap();
    assert_eq!(connection.n_sent(), 2);
    assert_eq!(elsewhere.log.lock().unwrap().n_connections, 0);
    let requests = server.requests();
    assert!(requests[0].starts_with("POST /v1/stream HTTP/1.1\r\n"));
    for line in [
        format!("host: {}\r\n", server.address),
        "accept-encoding: identity\r\n".to_owned(),
        "content-length: 15\r\n".to_owned(),
    ] {
        assert!(requests[0].contains(&line), "{line}");
    }
    assert!(requests[1].contains("content-length: 0\r\n"));
}

#[tokio::test]
async fn a_reset_after_some_events_keeps_them() {
    let (go, when) = gate();
    let script = vec![
        Step::Request,
        write(STREAM_HEAD),
        write(chunk(event(0))),
        write(chunk(event(1))),
        when,
        Step::Reset,
    ];
    let server = serve(vec![script]).await;
    let mut connection = server.connect().await;
    connection.send(post(), &server.clock).await.unwrap();
    let mut seen = String::new();
    while seen.len() < 2 * event(0).len() {
        seen += &text(&[connection.chunk().await.unwrap().unwrap()]);
    }
    go.add_permits(1);
    let error = connection.chunk().await.unwrap_err();
    assert_eq!(error.kind, TransportErrorKind::Reset, "{error}");
    assert_eq!(seen, [event(0), event(1)].concat());
    assert!(!connection.is_open());
    assert_eq!(connection.chunk().await, Ok(None), "told once");
}

#[tokio::test]
async fn a_body_cut_short_is_truncated() {
    let cut_chunk = &chunk(event(1))[..6];
    for (head, rest) in [
        (STREAM_HEAD, chunk(event(0))),
        (STREAM_HEAD, [&chunk(event(0)), cut_chunk].concat()),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n",
            event(0).into_bytes(),
        ),
    ] {
        let server = serve(vec![vec![Step::Request, write(head), write(rest)]]).await;
        let mut connection = server.connect().await;
        connection.send(post(), &server.clock).await.unwrap();
        let (chunks, ended) = read_all(&mut connection).await;
        let error = ended.unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Truncated, "{error}");
        assert!(text(&chunks).starts_with(&event(0)));
    }
}

#[tokio::test]
async fn a_body_without_a_length_ends_with_the_connection() {
    let script = vec![
        Step::Request,
        write("HTTP/1.0 200 OK\r\n\r\n"),
        write(event(0)),
    ];
    let server = serve(vec![script]).await;
    let mut connection = server.connect().await;
    connection.send(get(), &server.clock).await.unwrap();
    let (chunks, ended) = read_all(&mut connection).await;
    assert_eq!(ended, Ok(()));
    assert_eq!(text(&chunks), event(0));
    assert!(!connection.is_open());
}

#[tokio::test]
async fn a_kept_connection_closed_while_idle_is_found_before_a_byte_is_written() {
    let (go, when) = gate();
    let server = serve(vec![vec![Step::Request, write(SHORT), when]]).await;
    let mut connection = server.connect().await;
    assert!(connection.is_open());
    connection.send(get(), &server.clock).await.unwrap();
    assert_eq!(read_all(&mut connection).await.1, Ok(()));
    assert!(connection.is_open());
    go.add_permits(1);
    // As long as it takes the server's task to close.
    while connection.is_open() {
        tokio::task::yield_now().await;
    }
    assert!(connection.closed_ns().is_some());
    assert!(!connection.is_open());
}

/// Also when the reactor has not run since: it is the socket that is asked.
#[tokio::test]
async fn a_close_is_found_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (go, when) = std::sync::mpsc::sync_channel::<()>(1);
    let (close, closed) = std::sync::mpsc::sync_channel(1);
    let server = std::thread::Builder::new()
        .spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            assert!(std::io::Read::read(&mut tcp, &mut [0; 4096]).unwrap() > 0);
            tcp.write_all(SHORT.as_bytes()).unwrap();
            when.recv().unwrap();
            drop(tcp);
            close.send(()).unwrap();
        })
        .unwrap();
    let clock = Clock::new();
    let connector = Connector::new(route(&url, LONG)).unwrap();
    let mut connection = connector.connect(&clock).await.unwrap();
    connection.send(get(), &clock).await.unwrap();
    assert_eq!(read_all(&mut connection).await.1, Ok(()));
    assert!(connection.is_open());
    go.send(()).unwrap();
    closed.recv().unwrap();
    assert!(!connection.is_open());
    server.join().unwrap();
}

#[tokio::test]
async fn a_close_after_writing_is_stale_on_a_kept_connection_only() {
    let kept = vec![Step::Request, write(SHORT), Step::Request];
    let reset = vec![Step::Request, write(SHORT), Step::Request, Step::Reset];
    let fresh = vec![Step::Request];
    let server = serve(vec![kept, reset, fresh]).await;
    for _ in 0..2 {
        let mut connection = server.connect().await;
        connection.send(post(), &server.clock).await.unwrap();
        assert_eq!(read_all(&mut connection).await.1, Ok(()));
        assert!(connection.is_open());
        let error = connection.send(post(), &server.clock).await.unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::StaleConnection, "{error}");
        assert!(connection.request_marks().sent_ns.is_some());
    }
    let mut connection = server.connect().await;
    let error = connection.send(post(), &server.clock).await.unwrap_err();
    assert_eq!(error.kind, TransportErrorKind::Truncated, "{error}");
}

#[tokio::test]
async fn a_server_that_says_close_is_believed() {
    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    let server = serve(vec![vec![Step::Request, write(answer), Step::Hold]]).await;
    let mut connection = server.connect().await;
    connection.send(get(), &server.clock).await.unwrap();
    assert_eq!(read_all(&mut connection).await.1, Ok(()));
    assert!(!connection.is_open());
}

#[tokio::test]
async fn garbage_is_a_protocol_failure() {
    let huge_line = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
    let many_lines = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(200));
    let heads: &[&[u8]] = &[
        b"\x00\x01\x02\x03\r\n\r\n",
        b"<html>HTTP/0.9 says hello</html>\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        huge_line.as_bytes(),
        many_lines.as_bytes(),
    ];
    for head in heads {
        let server = serve(vec![vec![Step::Request, write(head), Step::Hold]]).await;
        let mut connection = server.connect().await;
        let shown = String::from_utf8_lossy(&head[..head.len().min(60)]);
        let error = connection.send(post(), &server.clock).await.unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Protocol, "{shown}: {error}");
        assert!(!connection.is_open());
    }
}

#[tokio::test]
async fn bad_chunking_is_a_protocol_failure() {
    for bad in [
        "zz\r\nabc\r\n",
        "-1\r\n",
        "ffffffffffffffffff\r\n",
        "3\r\nabcXX",
        "\u{1F600}\r\n",
    ] {
        let script = vec![
            Step::Request,
            write(STREAM_HEAD),
            write(chunk(event(0))),
            write(bad),
            Step::Hold,
        ];
        let server = serve(vec![script]).await;
        let mut connection = server.connect().await;
        connection.send(post(), &server.clock).await.unwrap();
        let (chunks, ended) = read_all(&mut connection).await;
        let error = ended.unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Protocol, "{bad:?}: {error}");
        assert!(text(&chunks).starts_with(&event(0)));
    }
}

#[tokio::test]
async fn no_damage_to_an_answer_makes_us_panic_or_hang() {
    let whole = [
        STREAM_HEAD.as_bytes(),
        &chunk(event(0)),
        &chunk(event(1)),
        STREAM_END.as_bytes(),
    ]
    .concat();
    let mut scripts = Vec::new();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] = bytes[at].wrapping_add(128 + u8::try_from(at % 100).unwrap());
        scripts.push(vec![Step::Request, write(bytes)]);
        scripts.push(vec![Step::Request, write(&whole[..at])]);
    }
    let server = serve(scripts.clone()).await;
    for _ in scripts {
        let mut connection = server.connect().await;
        if connection.send(get(), &server.clock).await.is_ok() {
            read_all(&mut connection).await.1.ok();
        }
    }
}

#[tokio::test]
async fn a_stream_compressed_all_the_same_is_decoded_as_it_comes_and_flagged() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let head = STREAM_HEAD.replace("\r\n\r\n", "\r\ncontent-encoding: gzip\r\n\r\n");
    let mut script = vec![Step::Request, write(head)];
    let mut gates = Vec::new();
    for n in 0..3 {
        gzip.write_all(event(n).as_bytes()).unwrap();
        gzip.flush().unwrap();
        script.push(write(chunk(std::mem::take(gzip.get_mut()))));
        let (go, when) = gate();
        gates.push(go);
        script.push(when);
    }
    script.push(write(chunk(gzip.finish().unwrap())));
    script.push(write(STREAM_END));
    let server = serve(vec![script]).await;
    let mut connection = server.connect().await;
    let head = connection.send(post(), &server.clock).await.unwrap();
    assert_eq!(head.content_encoding.as_deref(), Some("gzip"));
    for (n, go) in gates.iter().enumerate() {
        let mut seen = String::new();
        while seen != event(n) {
            seen += &text(&[connection.chunk().await.unwrap().unwrap()]);
        }
        go.add_permits(1);
    }
    let (rest, ended) = read_all(&mut connection).await;
    assert_eq!((text(&rest).as_str(), ended), ("", Ok(())));
}

#[tokio::test]
async fn a_half_read_answer_ends_when_the_connection_is_dropped() {
    let script = vec![
        Step::Request,
        write(STREAM_HEAD),
        write(chunk(event(0))),
        Step::Hold,
    ];
    let server = serve(vec![script]).await;
    let mut connection = server.connect().await;
    connection.send(post(), &server.clock).await.unwrap();
    connection.chunk().await.unwrap().unwrap();
    assert!(!connection.is_open());
    let again = connection.send(post(), &server.clock).await.unwrap_err();
    assert_eq!(again.kind, TransportErrorKind::Client);
    drop(connection);
    while server.log.lock().unwrap().n_held == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_body_larger_than_the_sockets_buffers_is_written_whole() {
    const N: usize = 8 * 1024 * 1024;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        wait.await.unwrap();
        let mut n_body = 0;
        let mut buffer = vec![0; 1 << 16];
        while n_body < N {
            let n = tcp.read(&mut buffer).await.unwrap();
            n_body += memchr::memchr_iter(7, &buffer[..n]).count();
        }
        tcp.write_all(SHORT.as_bytes()).await.unwrap();
        tcp
    });
    let clock = Clock::new();
    let connector = Connector::new(route(&url, LONG)).unwrap();
    let mut connection = connector.connect(&clock).await.unwrap();
    let request = Request::post("/").body(Bytes::from(vec![7; N])).unwrap();
    let mut sending = Box::pin(connection.send(request, &clock));
    let early = tokio::time::timeout(Duration::from_millis(20), &mut sending).await;
    assert!(early.is_err(), "nobody reads yet");
    go.send(()).unwrap();
    let head = sending.await.unwrap();
    assert!(head.sent_ns < head.written_ns && head.written_ns <= head.head_ns);
    assert_eq!(read_all(&mut connection).await.1, Ok(()));
    assert!(connection.is_open());
    drop(server.await.unwrap());
}

#[tokio::test]
async fn a_dropped_wait_for_a_chunk_loses_nothing() {
    let (go, when) = gate();
    let script = vec![
        Step::Request,
        write(STREAM_HEAD),
        when,
        write(chunk(event(0))),
        write(STREAM_END),
    ];
    let server = serve(vec![script]).await;
    let mut connection = server.connect().await;
    connection.send(post(), &server.clock).await.unwrap();
    for _ in 0..3 {
        let short = tokio::time::timeout(Duration::from_millis(1), connection.chunk()).await;
        assert!(short.is_err());
    }
    go.add_permits(1);
    let (chunks, ended) = read_all(&mut connection).await;
    assert_eq!((text(&chunks), ended), (event(0), Ok(())));
}
