//! What other visitors of an app do with their browsers: load its page, upload a file, download one. None of it makes the
//! app compute, and none of it is a measured request.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use secrecy::SecretString;
use url::Url;

use super::exchange::message_in;
use crate::domain::{Issue, Target};
use crate::protocol::headers::control_options;
use crate::protocol::mask;
use crate::transport::control::{Control, Options};

/// Where an app's visitors go, and how they reach it.
#[derive(Clone)]
pub struct Visits {
    options: Options,
    /// The page first, then what it asks for.
    page: Vec<Url>,
    upload: Url,
    /// Without the file's path.
    file: Url,
}

impl fmt::Debug for Visits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visits")
            .field("page", &self.page)
            .finish_non_exhaustive()
    }
}

/// The parts of an app's addresses.
pub(super) struct Place<'a> {
    /// Ends with `/`.
    pub(super) base: &'a Url,
    /// Path of the app with Gradio's prefix, without a slash at the end.
    pub(super) root: String,
    /// `/info` answered when it was asked before the run.
    pub(super) has_info: bool,
}

impl Visits {
    /// `headers` are those of the measured requests, the app's cookies among them.
    ///
    /// # Errors
    /// Those of the target's own fields.
    pub(super) fn new(
        place: &Place<'_>,
        target: &Target,
        key: Option<&SecretString>,
        headers: HeaderMap,
    ) -> Result<Self, Vec<Issue>> {
        let mut options = control_options(target, key)?;
        options.headers = headers;
        // A large file on a busy server may take as long as a measured request.
        let total = Duration::try_from_secs_f64(target.timeouts.total_secs);
        options.total_timeout = total.unwrap_or(options.total_timeout);
        let at = |path: &str| {
            let mut url = place.base.clone();
            url.set_path(path);
            url
        };
        let base = place.base.path();
        let mut page = vec![at(base), at(&format!("{base}config"))];
        if place.has_info {
            page.push(at(&format!("{}/info", place.root)));
        }
        page.push(at(&format!("{base}theme.css")));
        Ok(Self {
            options,
            page,
            upload: at(&format!("{}/upload", place.root)),
            file: at(&format!("{}/file=", place.root)),
        })
    }

    /// A visitor with connections and cookies of its own; to be made on the runtime that it will use.
    ///
    /// # Errors
    /// When the client cannot be set up, in words.
    pub fn arrive(&self) -> Result<Visitor, String> {
        let control = Control::new(&self.options).map_err(|error| error.message)?;
        Ok(Visitor {
            control,
            visits: self.clone(),
        })
    }
}

/// One visitor. Errors are in words, without the target's secrets.
#[derive(Debug)]
pub struct Visitor {
    control: Control,
    visits: Visits,
}

impl Visitor {
    /// Loads the page and what it asks for, one after another; the bytes of all of it.
    ///
    /// # Errors
    /// At the first part that does not come.
    pub async fn load_page(&self) -> Result<u64, String> {
        let mut n_bytes = 0;
        for url in &self.visits.page {
            n_bytes += self.get(url).await?;
        }
        Ok(n_bytes)
    }

    /// Uploads a file; the path that the app gave it.
    ///
    /// # Errors
    /// When the app does not take it.
    pub async fn upload(&self, name: &str, bytes: Bytes) -> Result<String, String> {
        let url = &self.visits.upload;
        let answer = self.control.upload_bytes(url, "files", name, bytes).await;
        let answer = answer.map_err(|error| self.masked(&error.message))?;
        let paths: Option<Vec<String>> = serde_json::from_slice(&answer.body).ok();
        let path = paths.and_then(|p| p.into_iter().next());
        path.filter(|_| answer.is_success())
            .ok_or_else(|| self.refused("POST", url, answer.status, &answer.body))
    }

    /// Downloads a file that was uploaded; its bytes.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn download(&self, path: &str) -> Result<u64, String> {
        let mut url = self.visits.file.clone();
        url.set_path(&format!("{}{path}", self.visits.file.path()));
        self.get(&url).await
    }

    async fn get(&self, url: &Url) -> Result<u64, String> {
        let drained = self.control.drain(url).await;
        let drained = drained.map_err(|error| self.masked(&error.message))?;
        if (200..300).contains(&drained.status) {
            return Ok(drained.n_bytes);
        }
        Err(self.refused("GET", url, drained.status, &drained.beginning))
    }

    fn refused(&self, method: &str, url: &Url, status: u16, body: &[u8]) -> String {
        let said = message_in(body);
        self.masked(&format!(
            "{method} {} answered {status}: {said}",
            url.path()
        ))
    }

    fn masked(&self, text: &str) -> String {
        mask::mask_all(text, &mask::secrets_in(&self.visits.options.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visits(url: &str, root: &str, has_info: bool) -> Visits {
        let base = Url::parse(url).unwrap();
        let place = Place {
            base: &base,
            root: root.to_owned(),
            has_info,
        };
        Visits::new(&place, &Target::at(url), None, HeaderMap::new()).unwrap()
    }

    #[test]
    fn a_page_is_what_a_browser_asks_for() {
        let paths = |v: &Visits| -> Vec<String> {
            v.page.iter().map(|url| url.path().to_owned()).collect()
        };
        let root = visits("http://h/", "/gradio_api", true);
        assert_eq!(
            paths(&root),
            ["/", "/config", "/gradio_api/info", "/theme.css"]
        );
        let below = visits("http://h/app/", "/app", false);
        assert_eq!(paths(&below), ["/app/", "/app/config", "/app/theme.css"]);
        assert_eq!(below.upload.path(), "/app/upload");
        assert_eq!(below.file.path(), "/app/file=");
    }

    #[test]
    fn what_a_server_says_shows_no_secret() {
        let base = Url::parse("http://h/").unwrap();
        let place = Place {
            base: &base,
            root: String::new(),
            has_info: true,
        };
        let mut headers = HeaderMap::new();
        let mut value = http::HeaderValue::from_static("Bearer hf_canary");
        value.set_sensitive(true);
        headers.insert(http::header::AUTHORIZATION, value);
        let visits = Visits::new(&place, &Target::at("http://h/"), None, headers).unwrap();
        assert!(!format!("{visits:?}").contains("canary"));
        let visitor = visits.arrive().unwrap();
        let words = visitor.refused("GET", &base, 401, b"{\"detail\":\"no hf_canary\"}");
        assert_eq!(words, "GET / answered 401: no [REDACTED]");
    }
}
