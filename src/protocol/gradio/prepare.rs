//! Before a run: reads `/config` and `/info`, holds the plan against them and uploads its files. Nothing here makes the
//! app compute.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::Gradio;
use super::address::{Address, resolve};
use super::config::AppConfig;
use super::exchange::{Job, message_in};
use super::info::{Endpoint, endpoint, endpoints};
use super::inputs::{Filled, fill};
use super::template::Uploads;
use super::visits::{Place, Visits};
use crate::domain::{
    Failure, FailureKind, GradioMode, Issue, Protocol, ServerFacts, Target, TargetInfo, Workload,
};
use crate::protocol::headers::{failure_from_transport, target_headers};
use crate::protocol::target_url::target_url;
use crate::protocol::{PrepareError, SharedAdapter};
use crate::transport::control::{Answer, Control};

/// What may stand unescaped in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// Hosts of Hugging Face Spaces, whose gate answers for apps that do not run.
const SPACE_HOSTS: &str = ".hf.space";
const SPACE_HINT: &str = "; the Space may be asleep, being built, paused or broken: see its page, and try again in a minute, since a call wakes a sleeping one";

/// Directories above a pasted page that are tried for `/config`.
const MAX_ANCESTORS: usize = 4;

/// Reads what the app at `url` says of itself. Any address of the app will do: a page or one of its routes.
pub async fn describe(url: &Url, control: &Control) -> Result<TargetInfo, PrepareError> {
    let address = resolve(url);
    let app = App::load(&address, url, control).await?;
    let mut info = app.to_info();
    if let Some(chosen) = app.choose(address.api_name.as_deref()).ok().flatten() {
        info.facts.api_name = Some(chosen.public.api_name.clone());
        info.facts.route = app.route(&chosen, GradioMode::Queue);
    }
    Ok(info)
}

/// Makes the adapter for a plan, with its files uploaded and the app's cookies kept.
pub async fn prepare(
    target: &Target,
    workload: &Workload,
    key: Option<&SecretString>,
    control: &Control,
) -> Result<(SharedAdapter, TargetInfo), PrepareError> {
    let url = target_url(&target.url).map_err(|issue| PrepareError::Refused(vec![issue]))?;
    let address = resolve(&url);
    let headers = target_headers(target, key).map_err(PrepareError::Refused)?;
    let app = App::load(&address, &url, control).await?;
    let mut info = app.to_info();
    let (endpoint, filled) = app.plan(target, workload, &address)?;
    if target.api_name.as_deref().is_none_or(str::is_empty) && address.api_name.is_none() {
        let name = &endpoint.public.api_name;
        let note = format!("No endpoint is named in the plan: “{name}” was chosen");
        info.notes.push(note);
    }
    info.notes.extend(filled.notes.iter().cloned());
    info.notes.extend(without_effect(target, workload));
    let uploads = app.upload(&filled, control, &mut info.notes).await?;
    info.facts.api_name = Some(endpoint.public.api_name.clone());
    info.facts.route = app.route(&endpoint, target.gradio_mode);
    let headers = with_cookies(headers, control.cookie_header(&app.base));
    let place = Place {
        base: &app.base,
        root: app.root(),
        has_info: app.has_info,
    };
    let visits =
        Visits::new(&place, target, key, headers.clone()).map_err(PrepareError::Refused)?;
    let job = Job {
        root: app.root(),
        api_name: encoded(&endpoint),
        fn_index: endpoint.public.fn_index,
        headers,
        data: filled.template(&uploads),
        uploads: OnceLock::new(),
        sends_edits: app.config.sends_edits(),
        can_cancel: app.config.version.major >= 5,
        loses_messages: app.config.version.major < 6,
        outputs: endpoint.outputs.into(),
    };
    let uploader = Uploader {
        control: control.clone(),
        url: app.url("/upload"),
    };
    let adapter = Gradio::new(
        job,
        target.gradio_mode,
        info.facts.clone(),
        uploader,
        visits,
    );
    Ok((std::sync::Arc::new(adapter), info))
}

/// Parts of a plan that this wire has no place for.
fn without_effect(target: &Target, workload: &Workload) -> Vec<String> {
    let mut notes = Vec::new();
    if !target.stream {
        notes.push(
            "`target.stream` has no effect: a Gradio app decides itself whether it streams"
                .to_owned(),
        );
    }
    if workload.max_tokens.is_some() {
        notes.push(
            "`workload.max_tokens` is not sent: set the app's own input for it in workload.inputs"
                .to_owned(),
        );
    }
    if !workload.extra_body.trim().is_empty() {
        notes.push(
            "`workload.extra_body` is not sent: Gradio takes only its app's inputs".to_owned(),
        );
    }
    notes
}

/// The app's cookies join those that the person gave.
fn with_cookies(mut headers: HeaderMap, cookies: Option<HeaderValue>) -> HeaderMap {
    let Some(cookies) = cookies else {
        return headers;
    };
    let joined = match headers.get(header::COOKIE) {
        Some(own) => {
            let bytes = [own.as_bytes(), b"; ", cookies.as_bytes()].concat();
            HeaderValue::from_bytes(&bytes).unwrap_or(cookies)
        }
        None => cookies,
    };
    let mut joined = joined;
    joined.set_sensitive(true);
    headers.insert(header::COOKIE, joined);
    headers
}

fn encoded(endpoint: &Endpoint) -> String {
    let name = endpoint.public.api_name.trim_start_matches('/');
    utf8_percent_encode(name, SEGMENT).to_string()
}

struct App {
    base: Url,
    config: AppConfig,
    endpoints: Vec<Endpoint>,
    /// `/info` answered.
    has_info: bool,
    evidence: Vec<String>,
    notes: Vec<String>,
}

impl App {
    async fn load(address: &Address, url: &Url, control: &Control) -> Result<Self, PrepareError> {
        let (base, config) = find_config(address, url, control).await?;
        let mut app = Self {
            evidence: vec![format!(
                "GET {}config answered with Gradio {} and the protocol {}",
                base.path(),
                config.version_text,
                config.protocol
            )],
            notes: Vec::new(),
            endpoints: Vec::new(),
            has_info: false,
            base,
            config,
        };
        if !app.config.is_supported() {
            let message = format!(
                "Gradio {} speaks the older protocol “{}”; 4.44 and later can be measured",
                app.config.version_text, app.config.protocol
            );
            return Err(PrepareError::refused("target.url", message));
        }
        let told = app.read_info(control).await?;
        app.has_info = told.is_some();
        app.endpoints = endpoints(&app.config, told.as_ref());
        if app.config.version.polls() {
            app.notes.push(format!(
                "Gradio {} looks for news every 50 ms, so times within a stream have a grain of 50 ms; 6.11 and later have none",
                app.config.version_text
            ));
        }
        Ok(app)
    }

    /// `/info`; `None` with a note when it is broken, as some 4.x apps' is.
    async fn read_info(&mut self, control: &Control) -> Result<Option<Value>, PrepareError> {
        let answer = control.get(&self.url("/info")).await;
        let answer = answer.map_err(|e| PrepareError::Unreachable(failure_from_transport(&e)))?;
        let told: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let told = told.filter(|t| answer.is_success() && t.get("named_endpoints").is_some());
        if told.is_none() {
            self.notes.push(format!(
                "GET /info answered {}, so the inputs are read from /config and have no names of their own",
                answer.status
            ));
        }
        Ok(told)
    }

    /// Path of the app with Gradio's prefix, without a slash at the end.
    fn root(&self) -> String {
        format!(
            "{}{}",
            self.base.path().trim_end_matches('/'),
            self.config.prefix
        )
    }

    fn url(&self, route: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{route}", self.root()));
        url
    }

    fn route(&self, endpoint: &Endpoint, mode: GradioMode) -> String {
        match mode {
            GradioMode::Queue => format!("{}/queue/join", self.root()),
            GradioMode::Call => format!("{}/call/{}", self.root(), encoded(endpoint)),
        }
    }

    fn to_info(&self) -> TargetInfo {
        let base = self.base.as_str();
        let mut evidence = self.evidence.clone();
        if !self.config.title.is_empty() {
            evidence.push(format!("The app calls itself “{}”", self.config.title));
        }
        if let Some(space) = &self.config.space_id {
            evidence.push(format!("It is the Space “{space}”"));
        }
        TargetInfo {
            url: base.strip_suffix('/').unwrap_or(base).to_owned(),
            protocol: Protocol::Gradio,
            facts: ServerFacts {
                protocol: Protocol::Gradio,
                name: format!("gradio {}", self.config.version_text),
                version: Some(self.config.version_text.clone()),
                model: None,
                api_name: None,
                route: self.root(),
            },
            endpoints: self.endpoints.iter().map(|e| e.public.clone()).collect(),
            evidence,
            notes: self.notes.clone(),
            ..TargetInfo::default()
        }
    }

    /// The named endpoint, else one that chats, else the first; `Ok(None)` when the app has none.
    fn choose(&self, wanted: Option<&str>) -> Result<Option<Endpoint>, Issue> {
        let Some(wanted) = wanted
            .map(|w| w.trim().trim_start_matches('/'))
            .filter(|w| !w.is_empty())
        else {
            let chats = |e: &&Endpoint| {
                let named = matches!(e.public.api_name.as_str(), "/chat" | "/predict");
                named && e.public.generator && e.public.user_input.is_some()
            };
            let found = self
                .endpoints
                .iter()
                .find(chats)
                .or_else(|| self.endpoints.first());
            return Ok(found.cloned());
        };
        let listed = self
            .endpoints
            .iter()
            .find(|e| e.public.api_name.trim_start_matches('/') == wanted);
        if let Some(found) = listed {
            return Ok(Some(found.clone()));
        }
        // An undocumented endpoint is not listed, but can be asked.
        if let Some(hidden) = self.config.dependency(wanted) {
            return Ok(Some(endpoint(&self.config, hidden, None)));
        }
        let names: Vec<&str> = self
            .endpoints
            .iter()
            .map(|e| e.public.api_name.as_str())
            .collect();
        let names = if names.is_empty() {
            "it has none that is public".to_owned()
        } else {
            format!("it has {}", names.join(", "))
        };
        Err(Issue::new(
            "target.api_name",
            format!("The app has no endpoint “/{wanted}”; {names}"),
        ))
    }

    /// The endpoint and its inputs, or every issue.
    fn plan(
        &self,
        target: &Target,
        workload: &Workload,
        address: &Address,
    ) -> Result<(Endpoint, Filled), PrepareError> {
        let wanted = target.api_name.as_deref().filter(|n| !n.is_empty());
        let chosen = self
            .choose(wanted.or(address.api_name.as_deref()))
            .map_err(|issue| PrepareError::Refused(vec![issue]))?;
        let Some(chosen) = chosen else {
            let message = "The app has no public endpoint; name one in target.api_name";
            return Err(PrepareError::refused("target.api_name", message));
        };
        let filled = fill(&chosen, workload).map_err(PrepareError::Refused)?;
        Ok((chosen, filled))
    }

    /// Uploads each file once and says how long it took.
    async fn upload(
        &self,
        filled: &Filled,
        control: &Control,
        notes: &mut Vec<String>,
    ) -> Result<Uploads, PrepareError> {
        let uploader = Uploader {
            control: control.clone(),
            url: self.url("/upload"),
        };
        let mut uploads = Uploads::new();
        for (file, input) in &filled.files {
            let field = format!("workload.inputs.{input}");
            let (data, took) = uploader.upload(file, &field).await?;
            notes.push(format!(
                "“{}” was uploaded once before the run, in {:.1} ms; no request's time holds it",
                file_name(file),
                took.as_secs_f64() * 1e3
            ));
            uploads.insert(file.clone(), data);
        }
        Ok(uploads)
    }
}

/// Takes files to the app.
#[derive(Clone, Debug)]
pub(super) struct Uploader {
    control: Control,
    url: Url,
}

impl Uploader {
    /// The file as requests name it from now on, and how long it took.
    async fn upload(&self, file: &Path, field: &str) -> Result<(Value, Duration), PrepareError> {
        let answer = self.control.upload(&self.url, "files", file).await;
        let answer = answer.map_err(|e| PrepareError::Unreachable(failure_from_transport(&e)))?;
        let name = file_name(file);
        let paths: Option<Vec<String>> = serde_json::from_slice(&answer.body).ok();
        let path = paths.and_then(|p| p.into_iter().next());
        let Some(path) = path.filter(|_| answer.is_success()) else {
            let message = format!(
                "The app did not take the file “{name}” ({}): {}",
                answer.status,
                message_in(&answer.body)
            );
            return Err(PrepareError::refused(field, message));
        };
        let data = json!({"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}});
        Ok((data, answer.took))
    }

    /// Uploads what a dataset's payloads name, each file once.
    pub(super) async fn upload_all(
        &self,
        files: BTreeSet<PathBuf>,
    ) -> Result<(Uploads, Vec<String>), PrepareError> {
        let (mut uploads, mut took) = (Uploads::new(), Duration::ZERO);
        for file in files {
            let (data, this) = self.upload(&file, "workload.dataset").await?;
            took += this;
            uploads.insert(file, data);
        }
        let mut notes = Vec::new();
        if !uploads.is_empty() {
            notes.push(format!(
                "{} files of the dataset were uploaded once before the run, in {:.1} ms; no request's time holds them",
                uploads.len(),
                took.as_secs_f64() * 1e3
            ));
        }
        Ok((uploads, notes))
    }
}

fn file_name(file: &Path) -> String {
    file.file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// `/config` at the address's base, at the address itself, or in a directory above it: a page of a multipage app.
async fn find_config(
    address: &Address,
    url: &Url,
    control: &Control,
) -> Result<(Url, AppConfig), PrepareError> {
    let mut first = None;
    for base in candidates(address, url) {
        let mut at = base.clone();
        at.set_path(&format!("{}config", base.path()));
        let answer = control.get(&at).await;
        let answer = answer.map_err(|e| PrepareError::Unreachable(failure_from_transport(&e)))?;
        let config: Option<Value> = serde_json::from_slice(&answer.body).ok();
        if answer.is_success()
            && let Some(config) = config.as_ref().and_then(AppConfig::parse)
        {
            return Ok((base, config));
        }
        if matches!(answer.status, 401 | 403) {
            return Err(refused_entry(&answer, config.is_some()));
        }
        first.get_or_insert((at, answer));
    }
    let Some((at, answer)) = first else {
        return Err(PrepareError::refused(
            "target.url",
            "The address has no host",
        ));
    };
    Err(no_config(&at, &answer))
}

fn candidates(address: &Address, url: &Url) -> Vec<Url> {
    let mut list = vec![address.base.clone()];
    let mut push = |path: String| {
        let mut base = address.base.clone();
        base.set_path(&path);
        if !list.contains(&base) {
            list.push(base);
        }
    };
    push(format!("{}/", url.path().trim_end_matches('/')));
    let mut path = address.base.path().trim_end_matches('/');
    for _ in 0..MAX_ANCESTORS {
        let Some((above, _)) = path.rsplit_once('/') else {
            break;
        };
        push(format!("{above}/"));
        path = above;
    }
    list
}

/// 401 in JSON comes from the app, any other from the gate before a private Space.
fn refused_entry(answer: &Answer, is_json: bool) -> PrepareError {
    if is_json {
        let message = format!(
            "The app asks for a login ({}: {}); log in with a browser and put its session cookie as “cookie” into target.headers",
            answer.status,
            message_in(&answer.body)
        );
        return PrepareError::refused("target.headers", message);
    }
    let message = format!(
        "The server refused entry ({}): a private Space needs a Hugging Face token with read access as the key",
        answer.status
    );
    PrepareError::refused("target.key", message)
}

fn no_config(at: &Url, answer: &Answer) -> PrepareError {
    let status = answer.status;
    if let Some(to) = answer
        .header(&header::LOCATION)
        .filter(|_| (300..400).contains(&status))
    {
        let message = format!(
            "GET {} answered {status} with a redirect to “{to}”, which is not followed; if that is the app, use its address",
            at.path()
        );
        return PrepareError::refused("target.url", message);
    }
    let host = at.host_str().unwrap_or_default();
    let is_space = host.ends_with(SPACE_HOSTS);
    let hint = if is_space { SPACE_HINT } else { "" };
    if status >= 500 || status == 429 {
        let said = message_in(&answer.body);
        let message = format!("GET {} answered {status}: {said}{hint}", at.path());
        return PrepareError::Unreachable(Failure::with_status(
            FailureKind::HttpStatus,
            status,
            message,
        ));
    }
    let message = format!(
        "GET {} answered {status}, and not with a Gradio app's configuration; is “{host}” the app's address?{hint}",
        at.path()
    );
    PrepareError::refused("target.url", message)
}
