//! The limit: one epoll loop, blocking nothing, parsing nothing but for the first token, one clock read per socket read.
//! Prints its median TTFT in ms.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::time::Instant;

struct Stream {
    tcp: TcpStream,
    left: u32,
    sent: Instant,
    has_token: bool,
}

impl Stream {
    fn send(&mut self, request: &str) {
        self.left -= 1;
        self.has_token = false;
        self.sent = Instant::now();
        self.tcp.write_all(request.as_bytes()).unwrap();
    }
}

/// Reads `n_streams` streams of the server at `address`, `n_requests` after each other on each.
pub(super) fn read(address: &str, n_streams: u32, n_requests: u32) {
    let body = r#"{"model":"demo-small","stream":true,"stream_options":{"include_usage":true},"max_tokens":128,"messages":[{"role":"user","content":"hello there, how are you today?"}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
    let mut streams: Vec<Stream> = (0..n_streams)
        .map(|i| {
            let tcp = TcpStream::connect(address).unwrap();
            tcp.set_nodelay(true).unwrap();
            tcp.set_nonblocking(true).unwrap();
            // Edge-triggered: the kernel does not look again at a socket that was just emptied.
            let wanted = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
            epoll
                .add(&tcp, EpollEvent::new(wanted, u64::from(i)))
                .unwrap();
            Stream {
                tcp,
                left: n_requests,
                sent: Instant::now(),
                has_token: false,
            }
        })
        .collect();
    for stream in &mut streams {
        stream.send(&request);
    }
    let mut open = n_streams;
    let (mut ready, mut buffer) = (vec![EpollEvent::empty(); 512], vec![0; 64 * 1024]);
    let mut ttft = Vec::with_capacity(streams.len() * n_requests as usize);
    while open > 0 {
        let n = epoll.wait(&mut ready, EpollTimeout::NONE).unwrap();
        for event in &ready[..n] {
            let stream = &mut streams[usize::try_from(event.data()).unwrap()];
            match stream.tcp.read(&mut buffer) {
                Ok(0) => panic!("the server closed a stream"),
                Ok(n) => {
                    // The stamp that any reader must take.
                    let now = std::hint::black_box(Instant::now());
                    let bytes = &buffer[..n];
                    if !stream.has_token && memchr::memmem::find(bytes, FIRST).is_some() {
                        stream.has_token = true;
                        ttft.push(now - stream.sent);
                    }
                    if !bytes.ends_with(b"0\r\n\r\n") {
                        continue;
                    }
                    if stream.left > 0 {
                        stream.send(&request);
                    } else {
                        open -= 1;
                        epoll.delete(&stream.tcp).unwrap();
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => panic!("{e}"),
            }
        }
    }
    ttft.sort_unstable();
    let median = ttft.get(ttft.len() / 2).map(Duration::as_secs_f64);
    println!("{}", median.unwrap() * 1e3);
}

/// In the event of the demo server's first token.
const FIRST: &[u8] = b"\"content\":\"light";
