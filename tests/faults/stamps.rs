//! Which read each thing belongs to, and when its bytes arrived.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use inferometer::transport::{Clock, Connector, Route};
use url::Url;

use super::script::{
    STREAM_END, STREAM_HEAD, Step, chunk, event, gate, get, post, read_all, serve, text, write,
};

/// Far above what two looks at a clock can differ by, far below the block that must not show.
const SLACK_NS: u64 = 1_000_000;

#[tokio::test]
async fn events_of_one_read_share_a_stamp_and_others_do_not() {
    let (go, when) = gate();
    let together = [chunk(event(0)), chunk(event(1)), chunk(event(2))].concat();
    let script = vec![
        Step::Request,
        write([STREAM_HEAD.as_bytes(), &together].concat()),
        when.clone(),
        write(chunk(event(3))),
        when,
        write(STREAM_END),
    ];
    let server = serve(vec![script]).await;
    let mut connection = server.connect().await;
    let head = connection.send(post(), &server.clock).await.unwrap();
    let mut chunks = Vec::new();
    for n in 0..3 {
        let chunk = connection.chunk().await.unwrap().unwrap();
        assert_eq!(text(std::slice::from_ref(&chunk)), event(n));
        assert_eq!((chunk.at_ns, chunk.read_no), (head.head_ns, head.read_no));
        chunks.push(chunk);
    }
    assert_eq!(head.first_byte_ns, head.head_ns);
    assert_eq!(connection.last_read().read_no, head.read_no, "one read");
    go.add_permits(1);
    let later = connection.chunk().await.unwrap().unwrap();
    assert_eq!(later.read_no, head.read_no + 1);
    assert!(later.at_ns > head.head_ns);
    go.add_permits(1);
    assert_eq!(connection.chunk().await, Ok(None));
    assert_eq!(connection.last_read().read_no, head.read_no + 2);
}

#[tokio::test]
async fn the_head_keeps_its_own_stamp_when_the_first_event_is_there_already() {
    // The head fills hyper's first read (8 KiB) to the last byte: the event is in the next one, though both are there
    // when the client wakes.
    let bare = STREAM_HEAD.replace("\r\n\r\n", "\r\nx-padding: \r\n\r\n");
    let padding = format!("x-padding: {}", "x".repeat(8192 - bare.len()));
    let head = bare.replace("x-padding: ", &padding);
    let behind = chunk("y".repeat(30_000));
    let script = vec![
        Step::Request,
        write([head.as_bytes(), &behind].concat()),
        write(STREAM_END),
    ];
    let server = serve(vec![script]).await;
    let mut connection = server.connect().await;
    let head = connection.send(get(), &server.clock).await.unwrap();
    assert_eq!((head.read_no, connection.last_read().read_no), (1, 1));
    let (chunks, ended) = read_all(&mut connection).await;
    assert_eq!(ended, Ok(()));
    assert_eq!(text(&chunks).len(), 30_000);
    assert!(chunks.is_sorted_by_key(|c| (c.read_no, c.at_ns)));
    assert_eq!(chunks[0].read_no, 2);
}

#[tokio::test]
async fn a_slow_head_has_a_first_byte_of_its_own() {
    let (go, when) = gate();
    let mut script = vec![Step::Request];
    for byte in STREAM_HEAD.as_bytes() {
        script.extend([write([*byte]), when.clone()]);
    }
    script.push(write(STREAM_END));
    let server = serve(vec![script]).await;
    let mut connection = server.connect().await;
    // Each byte leaves only when the one before was read.
    let feed = async {
        for _ in STREAM_HEAD.bytes() {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            go.add_permits(1);
        }
        std::future::pending::<()>().await;
    };
    let post = post();
    let head = tokio::select! {
        head = connection.send(post, &server.clock) => head.unwrap(),
        () = feed => unreachable!(),
    };
    assert!(head.sent_ns <= head.written_ns);
    assert!(head.written_ns <= head.first_byte_ns + SLACK_NS);
    assert!(head.first_byte_ns < head.head_ns);
    assert!(head.read_no > 2);
}

#[tokio::test]
async fn an_event_split_over_reads_has_the_stamp_of_the_read_that_completed_it() {
    let (go, when) = gate();
    let framed = chunk(event(7));
    let (early, late) = framed.split_at(6);
    let script = vec![
        Step::Request,
        write(STREAM_HEAD),
        write(early),
        when,
        write(late),
        write(STREAM_END),
    ];
    let server = serve(vec![script]).await;
    let mut connection = server.connect().await;
    connection.send(post(), &server.clock).await.unwrap();
    let first = connection.chunk().await.unwrap().unwrap();
    assert!(event(7).as_bytes().starts_with(&first.bytes));
    go.add_permits(1);
    let second = connection.chunk().await.unwrap().unwrap();
    assert_eq!(text(&[first.clone(), second.clone()]), event(7));
    assert!(second.read_no > first.read_no && second.at_ns > first.at_ns);
}

#[tokio::test]
async fn every_stamp_lies_within_the_servers_write_and_after_the_one_before() {
    const N: usize = 50;
    let (go, when) = gate();
    let mut script = vec![Step::Request, write(STREAM_HEAD)];
    for n in 0..N {
        script.extend([when.clone(), write(chunk(event(n)))]);
    }
    script.push(write(STREAM_END));
    let server = serve(vec![script]).await;
    let mut connection = server.connect().await;
    let head = connection.send(post(), &server.clock).await.unwrap();
    let mut previous = head.head_ns;
    for n in 0..N {
        go.add_permits(1);
        let chunk = connection.chunk().await.unwrap().unwrap();
        assert_eq!(text(std::slice::from_ref(&chunk)), event(n));
        assert!(chunk.at_ns > previous);
        previous = chunk.at_ns;
        let (before, after) = server.log.lock().unwrap().writes[n + 1];
        if cfg!(target_os = "linux") {
            assert!(chunk.kernel && head.kernel);
            assert!(chunk.at_ns + SLACK_NS >= before, "{before} {chunk:?}");
            assert!(chunk.at_ns <= after + SLACK_NS, "{after} {chunk:?}");
        }
    }
}

/// hyper's halves wake each other at every chunk; the task must not be scheduled for that.
#[tokio::test]
async fn an_event_costs_one_wake_up() {
    const N: usize = 100;
    let (go, when) = gate();
    let mut script = vec![Step::Request, write(STREAM_HEAD)];
    for n in 0..N {
        script.extend([when.clone(), write(chunk(event(n)))]);
    }
    script.push(write(STREAM_END));
    let server = serve(vec![script]).await;
    let mut connection = server.connect().await;
    connection.send(post(), &server.clock).await.unwrap();
    let mut reading = Box::pin(async move {
        for _ in 0..N {
            go.add_permits(1);
            connection.chunk().await.unwrap().unwrap();
        }
    });
    let counted = async move {
        let mut n_polls = 0;
        std::future::poll_fn(|cx| {
            n_polls += 1;
            reading.as_mut().poll(cx)
        })
        .await;
        n_polls
    };
    // A task of its own, so that only its own wake-ups count.
    let n_polls = tokio::spawn(counted).await.unwrap();
    assert!((N..=N + N / 10).contains(&n_polls), "{n_polls}");
}

/// The kernel's stamp says when the bytes came, also while our own thread does something else.
#[cfg(target_os = "linux")]
#[test]
fn a_blocked_reader_shows_in_the_lateness_and_not_in_the_stamp() {
    const BLOCK: Duration = Duration::from_millis(50);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let clock = Clock::new();
    let server_clock = clock.clone();
    let (go, when) = mpsc::sync_channel::<()>(1);
    let (wrote, written) = mpsc::sync_channel(1);
    let server = thread::Builder::new()
        .spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(STREAM_HEAD.as_bytes()).unwrap();
            when.recv().unwrap();
            let before = server_clock.now_ns();
            stream.write_all(&chunk(event(0))).unwrap();
            wrote.send((before, server_clock.now_ns())).unwrap();
            when.recv().unwrap();
        })
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (chunk, before, after) = runtime.block_on(async {
        let url = Url::parse(&format!("http://{address}/")).unwrap();
        let route = Route::from_url(&url, Duration::from_secs(30)).unwrap();
        let connector = Connector::new(route).unwrap();
        let mut connection = connector.connect(&clock).await.unwrap();
        connection.send(get(), &clock).await.unwrap();
        go.send(()).unwrap();
        let (before, after) = written.recv().unwrap();
        thread::sleep(BLOCK);
        let chunk = connection.chunk().await.unwrap().unwrap();
        (chunk, before, after)
    });
    go.send(()).unwrap();
    server.join().unwrap();
    let block_ns = u64::try_from(BLOCK.as_nanos()).unwrap();
    assert!(chunk.kernel);
    assert!(chunk.at_ns + SLACK_NS >= before, "{before} {chunk:?}");
    assert!(chunk.at_ns <= after + SLACK_NS, "{after} {chunk:?}");
    assert!(chunk.late_ns + SLACK_NS >= block_ns, "{chunk:?}");
}
