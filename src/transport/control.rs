//! The reqwest client for everything that is not measured: detection, `/config`, `/info`, models, uploads.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::cookie::{CookieStore as _, Jar};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Proxy, RequestBuilder, redirect};
use tokio::time::Instant;
use url::Url;

use super::error::message_from_chain;
use super::tls::lazy_client_config;
use super::{TransportError, TransportErrorKind, USER_AGENT};

/// Bytes of an answer that are kept; the rest is not read.
pub const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// How to reach a target.
#[derive(Clone)]
pub struct Options {
    /// Sent with every call; secrets among them are marked sensitive by the caller.
    pub headers: HeaderMap,
    /// PEM file with authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Accept any certificate.
    pub insecure: bool,
    /// The environment's proxies are never used.
    pub proxy: Option<Url>,
    pub connect_timeout: Duration,
    /// The whole call.
    pub total_timeout: Duration,
}

/// A client with its own cookies. Clones share both.
///
/// It follows no redirect (one becomes an [`Answer`] with its status), retries nothing and asks for no compression.
#[derive(Clone)]
pub struct Control {
    client: Client,
    jar: Arc<Jar>,
}

/// What a server answered, whatever the status.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// At most [`MAX_ANSWER_BYTES`].
    pub body: Bytes,
    /// The body was longer than what is kept.
    pub is_cut: bool,
    /// From the call to the body's end.
    pub took: Duration,
}

/// What was read and not kept.
#[derive(Clone, Debug)]
pub struct Drained {
    pub status: u16,
    /// Of the body.
    pub n_bytes: u64,
    /// At most [`MAX_BEGINNING_BYTES`] of it: an error says there what it is.
    pub beginning: Bytes,
}

/// Bytes that are kept of an answer that is only read through.
pub const MAX_BEGINNING_BYTES: usize = 4096;

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    /// Fails when the CA file, the proxy or the system's TLS cannot be used.
    pub fn new(options: &Options) -> Result<Self, TransportError> {
        let jar = Arc::new(Jar::default());
        let tls = lazy_client_config(
            options.ca_file.as_deref(),
            options.insecure,
            &[b"h2", b"http/1.1"],
        )?;
        let mut headers = options.headers.clone();
        headers
            .entry(header::ACCEPT_ENCODING)
            .or_insert(HeaderValue::from_static("identity"));
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .cookie_provider(Arc::clone(&jar))
            .default_headers(headers)
            .user_agent(USER_AGENT)
            .connect_timeout(options.connect_timeout)
            .timeout(options.total_timeout)
            .tcp_nodelay(true);
        if let Some(url) = &options.proxy {
            let proxy = Proxy::all(url.clone())
                .map_err(|error| client_error("The proxy's address cannot be used", error))?;
            builder = builder.proxy(proxy);
        }
        let client = builder
            .build()
            .map_err(|error| client_error("The HTTP client cannot be set up", error))?;
        Ok(Self { client, jar })
    }

    pub async fn get(&self, url: &Url) -> Result<Answer, TransportError> {
        answer(self.client.get(url.clone())).await
    }

    /// `get` with headers of its own, which win over the options'.
    pub async fn get_with(&self, url: &Url, headers: HeaderMap) -> Result<Answer, TransportError> {
        answer(self.client.get(url.clone()).headers(headers)).await
    }

    /// Writes the body of a 2xx answer to `file`, at most `max` bytes of it; of other answers it keeps none.
    pub async fn save(
        &self,
        url: &Url,
        headers: HeaderMap,
        file: &mut (impl std::io::Write + Send),
        max: u64,
    ) -> Result<Answer, TransportError> {
        let started = Instant::now();
        let request = self.client.get(url.clone()).headers(headers);
        let mut response = request.send().await.map_err(error_from_reqwest)?;
        let (mut left, mut is_cut) = (max, false);
        while response.status().is_success() {
            let Some(chunk) = response.chunk().await.map_err(error_from_reqwest)? else {
                break;
            };
            is_cut = chunk.len() as u64 > left;
            if is_cut {
                break;
            }
            left -= chunk.len() as u64;
            file.write_all(&chunk).map_err(|error| {
                TransportError::new(
                    TransportErrorKind::Client,
                    format!("The file cannot be written: {error}"),
                )
            })?;
        }
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: Bytes::new(),
            is_cut,
            took: started.elapsed(),
        })
    }

    /// `body` is JSON already.
    pub async fn post_json(&self, url: &Url, body: Vec<u8>) -> Result<Answer, TransportError> {
        let request = self
            .client
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        answer(request).await
    }

    /// As a browser sends a form (`application/x-www-form-urlencoded`).
    pub async fn post_form(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
    ) -> Result<Answer, TransportError> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self
            .client
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        answer(request).await
    }

    /// Sends one file as the part `field` of a multipart form.
    pub async fn upload(
        &self,
        url: &Url,
        field: &str,
        file: &Path,
    ) -> Result<Answer, TransportError> {
        let unreadable = |error: std::io::Error| {
            TransportError::new(
                TransportErrorKind::Client,
                format!("The file cannot be read ({error}): {}", file.display()),
            )
        };
        let mime = mime_guess::from_path(file).first_or_octet_stream();
        let part = Part::file(file)
            .await
            .map_err(unreadable)?
            .mime_str(mime.as_ref())
            .map_err(|error| client_error("The file's type cannot be sent", error))?;
        let form = Form::new().part(field.to_owned(), part);
        answer(self.client.post(url.clone()).multipart(form)).await
    }

    /// As [`Control::upload`], of bytes that are in memory already, under a name of their own.
    pub async fn upload_bytes(
        &self,
        url: &Url,
        field: &str,
        name: &str,
        bytes: Bytes,
    ) -> Result<Answer, TransportError> {
        let length = bytes.len() as u64;
        let part = Part::stream_with_length(bytes, length)
            .file_name(name.to_owned())
            .mime_str("application/octet-stream")
            .map_err(|error| client_error("The file's type cannot be sent", error))?;
        let form = Form::new().part(field.to_owned(), part);
        answer(self.client.post(url.clone()).multipart(form)).await
    }

    /// Reads an answer to its end and keeps none of it, so it may be of any length.
    pub async fn drain(&self, url: &Url) -> Result<Drained, TransportError> {
        let request = self.client.get(url.clone());
        let mut response = request.send().await.map_err(error_from_reqwest)?;
        let status = response.status().as_u16();
        let mut n_bytes = 0;
        let mut beginning = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(error_from_reqwest)? {
            n_bytes += chunk.len() as u64;
            let room = MAX_BEGINNING_BYTES - beginning.len();
            beginning.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        }
        Ok(Drained {
            status,
            n_bytes,
            beginning: beginning.freeze(),
        })
    }

    /// The cookies that calls to `url` carry, for a measured call to carry as well.
    pub fn cookie_header(&self, url: &Url) -> Option<HeaderValue> {
        self.jar.cookies(url).map(|mut value| {
            value.set_sensitive(true);
            value
        })
    }
}

impl Answer {
    /// 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

async fn answer(request: RequestBuilder) -> Result<Answer, TransportError> {
    let started = Instant::now();
    let mut response = request.send().await.map_err(error_from_reqwest)?;
    let mut body = BytesMut::new();
    let mut is_cut = false;
    while let Some(chunk) = response.chunk().await.map_err(error_from_reqwest)? {
        let room = MAX_ANSWER_BYTES - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if chunk.len() > room {
            is_cut = true;
            break;
        }
    }
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: body.freeze(),
        is_cut,
        took: started.elapsed(),
    })
}

fn client_error(what: &str, error: reqwest::Error) -> TransportError {
    TransportError::new(
        TransportErrorKind::Client,
        message_from_chain(what, &error.without_url()),
    )
}

fn error_from_reqwest(error: reqwest::Error) -> TransportError {
    let host = error
        .url()
        .and_then(Url::host_str)
        .unwrap_or("the server")
        .to_owned();
    let is_https = error.url().is_some_and(|url| url.scheme() == "https");
    // A URL may hold a secret in its query.
    let error = error.without_url();
    if error.is_timeout() {
        return if error.is_connect() {
            TransportError::new(
                TransportErrorKind::TimeoutConnect,
                format!("Connecting took too long: “{host}”"),
            )
        } else {
            TransportError::new(
                TransportErrorKind::TimeoutTotal,
                format!("The call took too long: “{host}”"),
            )
        };
    }
    let (what, otherwise) = if error.is_dns() {
        return TransportError::new(
            TransportErrorKind::Dns,
            message_from_chain(&format!("The name “{host}” was not found"), &error),
        );
    } else if error.is_connect() {
        ("No connection", TransportErrorKind::Connect)
    } else if error.is_builder() {
        ("The call cannot be made", TransportErrorKind::Client)
    } else {
        ("The call failed", TransportErrorKind::Protocol)
    };
    let mut found = TransportError::from_chain(&format!("{what} to “{host}”"), &error, otherwise);
    if error.is_connect()
        && matches!(
            found.kind,
            TransportErrorKind::Reset | TransportErrorKind::Truncated
        )
    {
        // TCP stood, the handshake was cut.
        found.kind = if is_https {
            TransportErrorKind::Tls
        } else {
            TransportErrorKind::Connect
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn options() -> Options {
        Options {
            headers: HeaderMap::new(),
            ca_file: None,
            insecure: false,
            proxy: None,
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(10),
        }
    }

    /// Answers each connection with the next script and hands back the requests' texts.
    async fn serve(answers: Vec<Vec<u8>>) -> (Url, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let task = tokio::spawn(async move {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = vec![0; 65536];
                let mut n = 0;
                // A TLS handshake (first byte 22) is taken for a request as well.
                while !ends(&buffer[..n]) && buffer[0] != 22 {
                    n += stream.read(&mut buffer[n..]).await.unwrap();
                }
                requests.push(String::from_utf8_lossy(&buffer[..n]).into_owned());
                stream.write_all(&answer).await.unwrap();
            }
            requests
        });
        (url, task)
    }

    /// The request is whole: head, and the body its length or last boundary tells of.
    fn ends(request: &[u8]) -> bool {
        let text = String::from_utf8_lossy(request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return false;
        };
        let lower = head.to_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |n| n.trim().parse::<usize>().unwrap());
        if lower.contains("transfer-encoding: chunked") {
            body.ends_with("0\r\n\r\n")
        } else {
            body.len() >= length
        }
    }

    fn ok(body: &str, extra: &str) -> Vec<u8> {
        format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\n{extra}content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    #[tokio::test]
    async fn cookies_are_kept_and_shown() {
        let (url, task) = serve(vec![ok("a", "set-cookie: s=1; Path=/\r\n"), ok("b", "")]).await;
        let control = Control::new(&options()).unwrap();
        assert_eq!(control.get(&url).await.unwrap().text(), "a");
        assert_eq!(
            control.cookie_header(&url).unwrap().to_str().unwrap(),
            "s=1"
        );
        control
            .post_form(&url, &[("username", "a b"), ("p", "&")])
            .await
            .unwrap();
        let requests = task.await.unwrap();
        assert!(requests[0].contains("accept-encoding: identity"));
        assert!(requests[1].contains("cookie: s=1"));
        assert!(requests[1].ends_with("username=a+b&p=%26"));
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer() {
        let (url, _task) = serve(vec![
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
                .to_vec(),
        ])
        .await;
        let answer = Control::new(&options()).unwrap().get(&url).await.unwrap();
        assert_eq!(answer.status, 302);
        assert_eq!(
            answer.header(&header::LOCATION),
            Some("http://127.0.0.1:1/")
        );
    }

    #[tokio::test]
    async fn a_file_goes_up_as_one_part() {
        let (url, task) = serve(vec![ok("[\"/tmp/x\"]", "")]).await;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cat.png");
        std::fs::write(&file, "bytes of a cat").unwrap();
        let control = Control::new(&options()).unwrap();
        assert!(
            control
                .upload(&url, "files", &file)
                .await
                .unwrap()
                .is_success()
        );
        let request = task.await.unwrap().remove(0);
        assert!(request.contains("name=\"files\"; filename=\"cat.png\""));
        assert!(request.contains("image/png"));
        assert!(request.contains("bytes of a cat"));
        let missing = control.upload(&url, "files", Path::new("/no/such")).await;
        assert_eq!(missing.unwrap_err().kind, TransportErrorKind::Client);
    }

    #[tokio::test]
    async fn bytes_go_up_under_a_name_and_come_down_without_being_kept() {
        let long = "x".repeat(3 * MAX_BEGINNING_BYTES);
        let (url, task) = serve(vec![ok("[\"/tmp/x\"]", ""), ok(&long, "")]).await;
        let control = Control::new(&options()).unwrap();
        let bytes = Bytes::from_static(b"some bytes");
        let answer = control.upload_bytes(&url, "files", "visitor-1.bin", bytes);
        assert_eq!(answer.await.unwrap().text(), "[\"/tmp/x\"]");
        let drained = control.drain(&url).await.unwrap();
        assert_eq!((drained.status, drained.n_bytes), (200, long.len() as u64));
        assert_eq!(drained.beginning.len(), MAX_BEGINNING_BYTES);
        let request = task.await.unwrap().remove(0);
        assert!(request.contains("name=\"files\"; filename=\"visitor-1.bin\""));
        assert!(request.contains("some bytes"));
        assert!(!request.contains("transfer-encoding"), "{request}");
    }

    #[tokio::test]
    async fn failures_have_their_class() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = format!("http://{}/?key=canary", listener.local_addr().unwrap());
        drop(listener);
        let control = Control::new(&options()).unwrap();
        let error = control
            .get(&Url::parse(&closed).unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Connect, "{error}");
        assert!(!error.message.contains("canary"), "{error}");
        let (url, _task) = serve(vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]).await;
        let https = Url::parse(&url.as_str().replace("http", "https")).unwrap();
        let error = control.get(&https).await.unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Tls, "{error}");
        let (url, _task) = serve(vec![b"garbage\r\n\r\n".to_vec()]).await;
        let error = control.get(&url).await.unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Protocol, "{error}");
        let (url, _task) = serve(vec![
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec(),
        ])
        .await;
        let error = control.get(&url).await.unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Truncated, "{error}");
    }
}
