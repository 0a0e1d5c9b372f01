//! The limit: one epoll loop, blocking nothing, parsing nothing, one clock read per socket read.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Reads `n_streams` streams of the server at `address`, `n_requests` after each other on each.
pub(super) fn read(address: &str, n_streams: u32, n_requests: u32) {
    let body = r#"{"model":"demo-small","stream":true,"stream_options":{"include_usage":true},"max_tokens":128,"messages":[{"role":"user","content":"hello there, how are you today?"}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
    let mut streams: Vec<(TcpStream, u32)> = (0..n_streams)
        .map(|i| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_nonblocking(true).unwrap();
            epoll
                .add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, u64::from(i)))
                .unwrap();
            (stream, n_requests)
        })
        .collect();
    for (stream, left) in &mut streams {
        stream.write_all(request.as_bytes()).unwrap();
        *left -= 1;
    }
    let mut open = n_streams;
    let (mut ready, mut buffer) = (vec![EpollEvent::empty(); 512], vec![0; 64 * 1024]);
    let mut stamps = 0_u128;
    while open > 0 {
        let n = epoll.wait(&mut ready, EpollTimeout::NONE).unwrap();
        for event in &ready[..n] {
            let (stream, left) = &mut streams[usize::try_from(event.data()).unwrap()];
            match stream.read(&mut buffer) {
                Ok(0) => panic!("the server closed a stream"),
                Ok(n) => {
                    // The stamp that any reader must take; used, so that it is not left out.
                    stamps += tokio::time::Instant::now().elapsed().as_nanos();
                    if !buffer[..n].ends_with(b"\r\n0\r\n\r\n") {
                        continue;
                    }
                    if *left == 0 {
                        open -= 1;
                        epoll.delete(&*stream).unwrap();
                    } else {
                        *left -= 1;
                        stream.write_all(request.as_bytes()).unwrap();
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => panic!("{e}"),
            }
        }
    }
    assert!(stamps < u128::MAX);
}
