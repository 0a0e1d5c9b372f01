//! A stand-in on loopback that answers preparation's calls with captured descriptions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use inferometer::domain::{Target, TargetInfo, Workload};
use inferometer::protocol::{PrepareError, SharedAdapter, gradio};
use inferometer::transport::control::{Control, Options};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What a path answers: status, further header lines, body.
pub(crate) type Pages = BTreeMap<&'static str, (u16, &'static str, String)>;

pub(crate) struct App {
    pub(crate) url: String,
    /// Request heads, in order.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

pub(crate) fn fixture(server: &str, name: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    std::fs::read_to_string(format!("{root}/tests/data/transcripts/{server}/{name}")).unwrap()
}

/// The app of `servers/gradio_app.py` under one version.
pub(crate) fn pages(server: &str) -> Pages {
    let prefix = if server == "gradio4" {
        ""
    } else {
        "/gradio_api"
    };
    let info: &'static str = if prefix.is_empty() {
        "/info"
    } else {
        "/gradio_api/info"
    };
    let upload = if prefix.is_empty() {
        "/upload"
    } else {
        "/gradio_api/upload"
    };
    let cookie = "set-cookie: affinity=7; Path=/\r\n";
    BTreeMap::from([
        ("/config", (200, cookie, fixture(server, "config.json"))),
        (info, (200, "", fixture(server, "info.json"))),
        (upload, (200, "", "[\"/srv/tiny.png\"]".to_owned())),
    ])
}

impl App {
    pub(crate) async fn start(pages: Pages) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let pages = Arc::new(pages);
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&pages), Arc::clone(&log)));
            }
        });
        Self { url, seen }
    }

    pub(crate) async fn prepare(
        &self,
        target: Target,
        workload: &Workload,
    ) -> Result<(SharedAdapter, TargetInfo), PrepareError> {
        let key = SecretString::from("hf_canary");
        gradio::prepare(&target, workload, Some(&key), &control()).await
    }

    /// The adapter for an endpoint, which must be there.
    pub(crate) async fn adapter(&self, target: Target, workload: &Workload) -> SharedAdapter {
        self.prepare(target, workload).await.unwrap().0
    }

    pub(crate) fn target(&self, api_name: &str) -> Target {
        let mut target = Target::at(&self.url);
        target.api_name = (!api_name.is_empty()).then(|| api_name.to_owned());
        target
    }
}

pub(crate) fn control() -> Control {
    Control::new(&Options {
        headers: HeaderMap::new(),
        ca_file: None,
        insecure: false,
        proxy: None,
        connect_timeout: Duration::from_secs(5),
        total_timeout: Duration::from_secs(10),
    })
    .unwrap()
}

async fn answer(
    mut stream: tokio::net::TcpStream,
    pages: Arc<Pages>,
    log: Arc<Mutex<Vec<String>>>,
) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let (head, length, chunked, at) = loop {
        let n = stream.read(&mut buffer).await.unwrap_or(0);
        if n == 0 {
            return;
        }
        request.extend_from_slice(&buffer[..n]);
        if let Some(at) = request.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..at]).to_lowercase();
            let length = head
                .lines()
                .find_map(|l| l.strip_prefix("content-length: "))
                .map_or(0, |n| n.parse::<usize>().unwrap());
            let chunked = head.contains("transfer-encoding: chunked");
            break (head, length, chunked, at + 4);
        }
    };
    let is_whole = |request: &[u8]| {
        if chunked {
            request.ends_with(b"0\r\n\r\n")
        } else {
            request.len() >= at + length
        }
    };
    while !is_whole(&request) {
        let n = stream.read(&mut buffer).await.unwrap_or(0);
        if n == 0 {
            return;
        }
        request.extend_from_slice(&buffer[..n]);
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    log.lock().unwrap().push(head);
    let missing = (404, "", "{\"detail\":\"Not Found\"}".to_owned());
    let (status, extra, body) = pages.get(path.as_str()).unwrap_or(&missing);
    let answer = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\n{extra}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.ok();
}
