//! Files of the Hugging Face Hub: from the cache that its other tools share, else fetched into it.
//!
//! The cache's layout is hf-hub's; fetching is our own, since what a mirror answers decides neither where a file is
//! written nor how large it may be, and since this program has one HTTP client for what it does not measure.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::{Cache, Repo, RepoType};
use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::transport::{Answer, Control, Options};

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
/// The largest file that is fetched.
const MAX_BYTES: u64 = 2 << 30;
const MAX_REDIRECTS: usize = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const TOTAL_TIMEOUT: Duration = Duration::from_hours(1);
const COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");
/// What stands in a path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A file of a repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum HubFile {
    Dataset {
        repo: String,
        file: String,
    },
    /// A model's `tokenizer.json`.
    Tokenizer {
        repo: String,
    },
}

/// Where the Hub and its cache are.
#[derive(Debug)]
pub(super) struct Hub {
    endpoint: String,
    /// `None` where there is no home folder to hold one.
    cache: Option<PathBuf>,
    is_offline: bool,
    token: Option<SecretString>,
}

impl HubFile {
    fn repo(&self) -> Repo {
        match self {
            Self::Dataset { repo, .. } => Repo::new(repo.clone(), RepoType::Dataset),
            Self::Tokenizer { repo } => Repo::new(repo.clone(), RepoType::Model),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Dataset { file, .. } => file,
            Self::Tokenizer { .. } => "tokenizer.json",
        }
    }

    /// Below the endpoint.
    fn route(&self) -> String {
        let (kind, repo) = match self {
            Self::Dataset { repo, .. } => ("datasets/", repo),
            Self::Tokenizer { repo } => ("", repo),
        };
        let file = utf8_percent_encode(self.name(), PLAIN);
        format!("{kind}{repo}/resolve/main/{file}")
    }
}

impl Hub {
    /// By `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME`, `HF_HUB_OFFLINE` and `HF_TOKEN`, as the Hub's own tools read them.
    pub(super) fn from_env() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let home = || {
            let home = directories::BaseDirs::new()?.home_dir().to_owned();
            Some(home.join(".cache").join("huggingface"))
        };
        let hf_home = set("HF_HOME").map(PathBuf::from).or_else(home);
        let cache = set("HF_HUB_CACHE").map(PathBuf::from);
        let cache = cache.or_else(|| Some(hf_home.as_ref()?.join("hub")));
        let is_on =
            |text: String| ["1", "true", "yes", "on"].contains(&text.to_ascii_lowercase().as_str());
        let token_file = || std::fs::read_to_string(hf_home.as_ref()?.join("token")).ok();
        let token = set("HF_TOKEN").or_else(token_file);
        let token = token.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
        Self {
            endpoint: set("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
            cache,
            is_offline: set("HF_HUB_OFFLINE").is_some_and(is_on),
            token: token.map(SecretString::from),
        }
    }

    /// The file as it lies in the cache.
    pub(super) fn cached(&self, file: &HubFile) -> Option<PathBuf> {
        let cache = Cache::new(self.cache.clone()?);
        cache.repo(file.repo()).get(file.name())
    }

    /// Sees to it that the cache holds the file.
    ///
    /// # Errors
    /// In words: what was asked, what came, and what can be done.
    pub(super) async fn fetch(&self, file: &HubFile) -> Result<PathBuf, String> {
        if let Some(path) = self.cached(file) {
            return Ok(path);
        }
        let Some(cache) = &self.cache else {
            return Err("has no cache to be put into: set HF_HOME to a folder".to_owned());
        };
        let instead = format!(
            "name a local file instead, set HF_ENDPOINT to a mirror that can be reached, or put it into the cache “{}”",
            cache.display()
        );
        if self.is_offline {
            return Err(format!(
                "is not in the cache, and HF_HUB_OFFLINE forbids to fetch it: {instead}"
            ));
        }
        let base = format!("{}/", self.endpoint.trim_end_matches('/'));
        let url = Url::parse(&base).and_then(|base| base.join(&file.route()));
        let url =
            url.map_err(|e| format!("HF_ENDPOINT is no address ({e}): “{}”", self.endpoint))?;
        let fetched = self.download(&url, file, cache).await;
        fetched.map_err(|why| format!("cannot be fetched from {url} ({why}): {instead}"))
    }

    async fn download(&self, url: &Url, file: &HubFile, cache: &Path) -> Result<PathBuf, String> {
        let control = Control::new(&Options {
            headers: HeaderMap::new(),
            ca_file: None,
            insecure: false,
            proxy: None,
            connect_timeout: CONNECT_TIMEOUT,
            total_timeout: TOTAL_TIMEOUT,
        });
        let control = control.map_err(|e| e.message)?;
        let repo = Cache::new(cache.to_owned()).repo(file.repo());
        // `pointer_path` is the folder of one commit; the temporary file lies on the same disk.
        let snapshots = repo.pointer_path("");
        let cannot = |e: std::io::Error| format!("the cache cannot be written: {e}");
        std::fs::create_dir_all(&snapshots).map_err(cannot)?;
        let mut part = tempfile::NamedTempFile::new_in(&snapshots).map_err(cannot)?;
        let (mut at, mut commit) = (url.clone(), None);
        let answer = 'reached: {
            for _ in 0..=MAX_REDIRECTS {
                let headers = self.headers_for(&at);
                let answer = control
                    .save(&at, headers, part.as_file_mut(), MAX_BYTES)
                    .await
                    .map_err(|e| e.message)?;
                let named = answer.header(&COMMIT).filter(|c| is_commit(c));
                commit = commit.or_else(|| named.map(str::to_owned));
                if !(300..400).contains(&answer.status) {
                    break 'reached answer;
                }
                let to = answer.header(&LOCATION).unwrap_or_default();
                at = at
                    .join(to)
                    .map_err(|_no_url| format!("it redirects to “{to}”"))?;
            }
            return Err("it redirects without end".to_owned());
        };
        fail_unless_whole(&answer)?;
        part.flush().map_err(cannot)?;
        let commit = commit.unwrap_or_else(|| "main".to_owned());
        let path = repo.pointer_path(&commit).join(file.name());
        let folder = path.parent().unwrap_or(&snapshots);
        std::fs::create_dir_all(folder).map_err(cannot)?;
        part.persist(&path).map_err(|e| cannot(e.error))?;
        repo.create_ref(&commit).map_err(cannot)?;
        Ok(path)
    }

    /// The token goes to the endpoint only, and never in the clear over a network.
    fn headers_for(&self, url: &Url) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let own = Url::parse(&self.endpoint).is_ok_and(|own| own.origin() == url.origin());
        let is_private = url.scheme() == "https"
            || matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if let Some(token) = self.token.as_ref().filter(|_| own && is_private)
            && let Ok(mut value) =
                HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
        {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        headers
    }
}

/// A name that is no path: what a mirror says becomes a folder's name.
fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn fail_unless_whole(answer: &Answer) -> Result<(), String> {
    match answer.status {
        200..=299 if answer.is_cut => Err(format!("it is larger than {MAX_BYTES} bytes")),
        200..=299 => Ok(()),
        401 | 403 => Err(format!(
            "the answer is {}: it is private or gated, so set HF_TOKEN to a token that may read it, or there is no such file",
            answer.status
        )),
        404 => {
            Err("the answer is 404: there is no such file, check owner, name and path".to_owned())
        }
        status => Err(format!("the answer is {status}")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each connection with the next text and hands back what was asked.
    async fn serve(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                asked.push(String::from_utf8(request).unwrap());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (endpoint, task)
    }

    fn answer(status: &str, headers: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn hub(endpoint: &str, cache: &Path) -> Hub {
        Hub {
            endpoint: endpoint.to_owned(),
            cache: Some(cache.to_owned()),
            is_offline: false,
            token: Some(SecretString::from("hf_canary")),
        }
    }

    fn dataset() -> HubFile {
        HubFile::Dataset {
            repo: "owner/name".to_owned(),
            file: "data/a b.jsonl".to_owned(),
        }
    }

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    #[tokio::test]
    async fn a_file_is_fetched_once_and_lies_where_the_hub_s_tools_look() {
        let folder = tempfile::tempdir().unwrap();
        let (other, others_task) = serve(vec![answer("200 OK", "", "{\"prompt\":\"x\"}\n")]).await;
        let moved = format!("x-repo-commit: {SHA}\r\nlocation: {other}/blob?sig=1\r\n");
        let (endpoint, task) = serve(vec![answer("302 Found", &moved, "moved")]).await;
        let hub = hub(&endpoint, folder.path());
        assert_eq!(hub.cached(&dataset()), None);
        let path = hub.fetch(&dataset()).await.unwrap();
        let expected = format!("datasets--owner--name/snapshots/{SHA}/data/a b.jsonl");
        assert_eq!(path, folder.path().join(expected));
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "{\"prompt\":\"x\"}\n"
        );
        let reference = folder.path().join("datasets--owner--name/refs/main");
        assert_eq!(std::fs::read_to_string(reference).unwrap(), SHA);
        let asked = task.await.unwrap();
        assert!(asked[0].starts_with("GET /datasets/owner/name/resolve/main/data/a%20b.jsonl "));
        assert!(asked[0].contains("authorization: Bearer hf_canary"));
        // Another origin is not told the token.
        assert!(!others_task.await.unwrap()[0].contains("hf_canary"));
        // The server is gone; the cache answers, offline too.
        let offline = Hub {
            is_offline: true,
            ..hub
        };
        assert_eq!(offline.fetch(&dataset()).await.unwrap(), path);
    }

    #[track_caller]
    fn tells(result: &Result<PathBuf, String>, words: &[&str]) {
        let message = result.as_ref().unwrap_err();
        for word in words {
            assert!(message.contains(word), "{message}");
        }
        assert!(!message.contains("canary"), "{message}");
    }

    #[tokio::test]
    async fn what_cannot_be_fetched_says_what_was_asked_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = HubFile::Tokenizer {
            repo: "owner/model".to_owned(),
        };
        let (endpoint, _task) = serve(vec![
            answer("404 Not Found", "", "Entry not found"),
            answer("403 Forbidden", "", "gated"),
            answer("200 OK", "", "").replace("content-length: 0", "content-length: 9"),
        ])
        .await;
        let hub = hub(&endpoint, folder.path());
        let url = format!("{endpoint}/owner/model/resolve/main/tokenizer.json");
        tells(
            &hub.fetch(&tokenizer).await,
            &["404", &url, "HF_ENDPOINT", "local file"],
        );
        tells(&hub.fetch(&tokenizer).await, &["403", "HF_TOKEN"]);
        tells(&hub.fetch(&tokenizer).await, &["cannot be fetched"]);
        // Nothing is left behind that would be taken for the file.
        assert_eq!(hub.cached(&tokenizer), None);
        let closed = super::tests::hub("http://127.0.0.1:1", folder.path());
        tells(&closed.fetch(&tokenizer).await, &["127.0.0.1", "mirror"]);
        let offline = Hub {
            is_offline: true,
            ..closed
        };
        tells(&offline.fetch(&tokenizer).await, &["HF_HUB_OFFLINE"]);
    }

    #[tokio::test]
    async fn a_mirror_does_not_choose_where_a_file_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let headers = "x-repo-commit: ../../../evil\r\netag: \"../../evil\"\r\n";
        let (endpoint, _task) = serve(vec![answer("200 OK", headers, "x")]).await;
        let path = hub(&endpoint, folder.path())
            .fetch(&dataset())
            .await
            .unwrap();
        let expected = "datasets--owner--name/snapshots/main/data/a b.jsonl";
        assert_eq!(path, folder.path().join(expected));
    }
}
