//! TLS fails closed, each time with its reason; a named authority and `insecure` open it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use inferometer::transport::{
    Clock, Connection, Connector, Route, TransportError, TransportErrorKind,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::script::{
    Log, STREAM_END, STREAM_HEAD, Step, chunk, event, gate, get, play_step, post, read_all, text,
    write,
};

struct TlsServer {
    port: u16,
    /// A directory with the authority as `ca.pem`.
    dir: tempfile::TempDir,
    clock: Clock,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server whose certificate is for `name`, changed by `change`, signed by a fresh authority.
async fn serve_tls(
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
    script: Vec<Step>,
) -> TlsServer {
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut params);
    let certificate = params.signed_by(&key, &authority).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let clock = Clock::new();
    let server_clock = clock.clone();
    tokio::spawn(async move {
        let log = Mutex::new(Log::default());
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(tcp).await else {
                continue;
            };
            for step in script.clone() {
                play_step(&mut stream, step, &log, &server_clock).await;
            }
        }
    });
    TlsServer { port, dir, clock }
}

impl TlsServer {
    fn ca_file(&self) -> std::path::PathBuf {
        self.dir.path().join("ca.pem")
    }

    async fn connect(
        &self,
        ca_file: Option<&Path>,
        insecure: bool,
    ) -> Result<Connection, TransportError> {
        let mut route = route(self.port);
        route.ca_file = ca_file.map(Path::to_owned);
        route.insecure = insecure;
        Connector::new(route)?.connect(&self.clock).await
    }
}

fn route(port: u16) -> Route {
    let url = Url::parse(&format!("https://localhost:{port}/")).unwrap();
    Route::from_url(&url, std::time::Duration::from_secs(30)).unwrap()
}

#[track_caller]
fn is_tls(result: Result<Connection, TransportError>, reason: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind, TransportErrorKind::Tls, "{error}");
    assert!(error.message.contains(reason), "{reason}: {error}");
}

#[tokio::test]
async fn an_unknown_authority_is_refused_unless_named_or_insecure() {
    let script = vec![
        Step::Request,
        write(
            [
                STREAM_HEAD.as_bytes(),
                &chunk(event(0)),
                STREAM_END.as_bytes(),
            ]
            .concat(),
        ),
        Step::Hold,
    ];
    let server = serve_tls("localhost", |_| (), script).await;
    is_tls(server.connect(None, false).await, "UnknownIssuer");
    for (ca_file, insecure) in [(Some(server.ca_file()), false), (None, true)] {
        let mut connection = server.connect(ca_file.as_deref(), insecure).await.unwrap();
        assert!(connection.times().tls_ns.is_some());
        assert!(connection.is_open());
        let head = connection.send(get(), &server.clock).await.unwrap();
        assert_eq!(head.status, 200);
        assert_eq!(head.kernel, cfg!(target_os = "linux"));
        let (chunks, ended) = read_all(&mut connection).await;
        assert_eq!((text(&chunks), ended), (event(0), Ok(())));
        assert!(connection.is_open());
    }
}

#[tokio::test]
async fn wrong_certificates_are_refused_with_the_reason() {
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    };
    let server = serve_tls("localhost", expired, Vec::new()).await;
    is_tls(
        server.connect(Some(&server.ca_file()), false).await,
        "expired",
    );
    let server = serve_tls("elsewhere.test", |_| (), Vec::new()).await;
    is_tls(
        server.connect(Some(&server.ca_file()), false).await,
        "not valid for name",
    );
    let other = serve_tls("localhost", |_| (), Vec::new()).await;
    is_tls(
        server.connect(Some(&other.ca_file()), false).await,
        "failed",
    );
}

#[tokio::test]
async fn a_cut_handshake_and_plain_http_are_tls_failures() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for answer in [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
            let (mut tcp, _) = listener.accept().await.unwrap();
            assert!(tcp.read(&mut [0; 4096]).await.unwrap() > 0);
            tokio::io::AsyncWriteExt::write_all(&mut tcp, answer)
                .await
                .unwrap();
        }
    });
    let connector = Connector::new(route(port)).unwrap();
    is_tls(connector.connect(&Clock::new()).await, "eof");
    is_tls(connector.connect(&Clock::new()).await, "localhost");
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_used_is_told_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "no certificate here").unwrap();
    for file in [dir.path().join("missing.pem"), empty] {
        let mut route = route(1);
        route.ca_file = Some(file);
        let error = Connector::new(route).err().unwrap();
        assert_eq!(error.kind, TransportErrorKind::Tls, "{error}");
        assert!(error.message.contains(".pem"), "{error}");
    }
}

#[tokio::test]
async fn a_record_has_the_stamp_of_the_read_that_completed_it() {
    let (go, when) = gate();
    let script = vec![
        Step::Request,
        write(STREAM_HEAD),
        when.clone(),
        // Several TLS records of several segments.
        write(chunk("y".repeat(40_000))),
        when,
        write(chunk(event(1))),
        write(STREAM_END),
        Step::Hold,
    ];
    let server = serve_tls("localhost", |_| (), script).await;
    let mut connection = server
        .connect(Some(&server.ca_file()), false)
        .await
        .unwrap();
    let head = connection.send(post(), &server.clock).await.unwrap();
    assert!(
        head.first_byte_ns >= head.sent_ns,
        "a session ticket is no answer"
    );
    go.add_permits(1);
    let mut n = 0;
    let mut last = (head.read_no, head.head_ns);
    while n < 40_000 {
        let chunk = connection.chunk().await.unwrap().unwrap();
        n += chunk.bytes.len();
        assert!((chunk.read_no, chunk.at_ns) >= last);
        last = (chunk.read_no, chunk.at_ns);
    }
    go.add_permits(1);
    let event = connection.chunk().await.unwrap().unwrap();
    assert!(event.read_no > last.0 && event.at_ns > last.1);
    assert_eq!(read_all(&mut connection).await.1, Ok(()));
    assert!(connection.is_open(), "idle TLS connections stay usable");
}
