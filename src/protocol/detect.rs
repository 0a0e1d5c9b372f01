//! What stands behind a pasted text: an address of any shape, a Space's name, a curl command. The address itself says it
//! where it can; else the server is asked, and never to generate.

use secrecy::SecretString;
use url::Url;

use super::headers::{control_options, is_secret_header};
use super::target_url::target_url;
use super::{
    Described, PrepareError, SharedAdapter, any_http, curl, gradio, mask, no_ignore_eos, ollama,
    openai, tgi,
};
use crate::domain::{Failure, FailureKind, Issue, Protocol, Target, TargetInfo, Workload};
use crate::transport::{Control, TransportErrorKind};

/// The address that a text names, and the command around it, if there is one. Asks nothing.
///
/// # Errors
/// What keeps the text from naming an address.
pub fn address_in(text: &str) -> Result<(Option<curl::CurlCommand>, Url), Issue> {
    let command = curl::parse_curl(text);
    if command.is_none() && curl::is_curl(text) {
        let message = "The curl command names no address; paste all of it";
        return Err(Issue::new("target.url", message));
    }
    let url = target_url(command.as_ref().map_or(text, |c| &c.url))?;
    Ok((command, url))
}

/// Finds out what a text means and fills a form with it.
///
/// `target` says how to reach it (headers, proxy, certificates) and, where it is not [`Protocol::Auto`], which wire to
/// expect. Its key and secret headers go along only when the text names the target's own origin.
pub async fn detect(
    text: &str,
    target: &Target,
    key: Option<&SecretString>,
) -> Result<TargetInfo, PrepareError> {
    let (command, url) = address_in(text).map_err(|issue| PrepareError::Refused(vec![issue]))?;
    let mut reached = target.clone();
    let mut key = key.cloned();
    if target_url(&target.url).map(|own| own.origin()) != Ok(url.origin()) {
        key = None;
        reached.headers.retain(|name, _| {
            !http::HeaderName::try_from(name).is_ok_and(|n| is_secret_header(&n))
        });
    }
    if let Some(command) = &command {
        reached.insecure |= command.pasted.insecure;
        reached
            .headers
            .extend(command.pasted.headers.iter().cloned());
        key = command.pasted.key.clone().map(SecretString::from).or(key);
    }
    let control = connect(&reached, key.as_ref())?;
    let secrets = mask::secrets_of(&reached, key.as_ref());
    let found = detect_at(&url, target.protocol, &control).await;
    let found = found.map_err(|error| mask::error_masked(error, &secrets))?;
    let mut info = mask::info_masked(found, &secrets);
    if let Some(command) = command {
        info.notes.extend(command.notes);
        info.pasted = Some(command.pasted);
    }
    Ok(info)
}

/// Makes the adapter for a plan's target, finding out the protocol first where the plan leaves it open.
pub async fn prepare(
    target: &Target,
    workload: &Workload,
    key: Option<&SecretString>,
) -> Result<(SharedAdapter, TargetInfo), PrepareError> {
    let secrets = mask::secrets_of(target, key);
    match prepare_unmasked(target, workload, key).await {
        Ok((adapter, info)) => Ok((adapter, mask::info_masked(info, &secrets))),
        Err(error) => Err(mask::error_masked(error, &secrets)),
    }
}

async fn prepare_unmasked(
    target: &Target,
    workload: &Workload,
    key: Option<&SecretString>,
) -> Result<(SharedAdapter, TargetInfo), PrepareError> {
    let url = target_url(&target.url).map_err(|issue| PrepareError::Refused(vec![issue]))?;
    let control = connect(target, key)?;
    let protocol = match target.protocol {
        Protocol::Auto => detect_at(&url, Protocol::Auto, &control).await?.protocol,
        chosen => chosen,
    };
    let mut target = target.clone();
    target.url = url.into();
    let prepared = match protocol {
        Protocol::Gradio => gradio::prepare(&target, workload, key, &control).await,
        Protocol::Tgi => tgi::prepare(&target, workload, key, &control).await,
        Protocol::Ollama => ollama::prepare(&target, workload, key, &control).await,
        Protocol::Http => any_http::prepare(&target, workload, key),
        Protocol::Auto
        | Protocol::OpenAiChat
        | Protocol::OpenAiCompletions
        | Protocol::OpenAiResponses => {
            openai::prepare(&target, workload, protocol, key, &control).await
        }
    };
    let mut prepared = prepared.map_err(|error| with_advice(error, &target.url));
    if let Ok((_, info)) = &mut prepared
        && workload.ignore_eos
        && !info.protocol.is_openai()
    {
        info.notes.push(no_ignore_eos(&info.facts.name));
    }
    prepared
}

/// The client for all that is not measured.
pub fn connect(target: &Target, key: Option<&SecretString>) -> Result<Control, PrepareError> {
    let options = control_options(target, key).map_err(PrepareError::Refused)?;
    Control::new(&options).map_err(|error| {
        let field = match (&target.ca_file, error.kind) {
            (Some(_), TransportErrorKind::Tls | TransportErrorKind::Client) => "target.ca_file",
            _ => "target.url",
        };
        PrepareError::refused(field, error.message)
    })
}

/// What stands at an address, over a client of the caller's.
pub async fn detect_at(
    url: &Url,
    protocol: Protocol,
    control: &Control,
) -> Result<TargetInfo, PrepareError> {
    let found = match protocol {
        Protocol::Auto => match what_path_says(url) {
            Some((says, evidence)) => by_path(says, url, control)
                .await
                .map(|info| with_evidence(info, evidence)),
            None => gradio_first(url, control).await,
        },
        Protocol::Gradio => gradio::describe(url, control).await,
        Protocol::Tgi => tgi::describe(url, control).await.map(|found| found.info),
        Protocol::Ollama => ollama::describe(url, control).await.map(|found| found.info),
        Protocol::Http => any_http::describe(url, control).await,
        Protocol::OpenAiChat | Protocol::OpenAiCompletions | Protocol::OpenAiResponses => {
            let found = openai::describe(url, protocol, control).await;
            found.map(|found| found.info)
        }
    };
    found.map_err(|error| with_advice(error, url.as_str()))
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Says {
    Gradio,
    /// A full route.
    OpenAiRoute,
    /// `/v1`: likely, no more.
    OpenAiBase,
    /// A route that only TGI has.
    TgiRoute,
    /// A route that others have too.
    Tgi,
    Ollama,
}

/// Asks first what the address looks like.
async fn by_path(says: Says, url: &Url, control: &Control) -> Result<TargetInfo, PrepareError> {
    match says {
        Says::Gradio => gradio_first(url, control).await,
        Says::OpenAiRoute => {
            let found = openai::describe(url, Protocol::Auto, control).await;
            found.map(|found| found.info)
        }
        Says::OpenAiBase => openai_first(url, control).await,
        Says::TgiRoute => tgi::describe(url, control).await.map(|found| found.info),
        Says::Tgi => match tgi::describe(url, control).await? {
            found if found.is_sure => Ok(found.info),
            _ => gradio_first(url, control).await,
        },
        Says::Ollama => match ollama::describe(url, control).await? {
            found if found.is_sure => Ok(found.info),
            _ => gradio_first(url, control).await,
        },
    }
}

/// What the address tells by itself, and the sentence for it.
fn what_path_says(url: &Url) -> Option<(Says, String)> {
    let path = url.path().trim_end_matches('/');
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let ends_in = |route: &str| {
        (
            format!("The address ends in {route}"),
            path.ends_with(route),
        )
    };
    for route in ["/chat/completions", "/completions", "/responses"] {
        if let (evidence, true) = ends_in(route) {
            return Some((Says::OpenAiRoute, evidence));
        }
    }
    if let (evidence, true) = ends_in("/generate_stream") {
        return Some((Says::TgiRoute, evidence));
    }
    if segments.contains(&"gradio_api") {
        return Some((Says::Gradio, "The address holds /gradio_api".to_owned()));
    }
    for route in ["/queue/join", "/queue/data", "/config"] {
        if let (evidence, true) = ends_in(route) {
            return Some((Says::Gradio, evidence));
        }
    }
    if let [.., "call", name] = segments.as_slice() {
        return Some((Says::Gradio, format!("The address ends in /call/{name}")));
    }
    for route in ["/api/chat", "/api/generate", "/api/tags", "/api/version"] {
        if let (evidence, true) = ends_in(route) {
            return Some((Says::Ollama, evidence));
        }
    }
    for route in ["/generate", "/info"] {
        if let (evidence, true) = ends_in(route) {
            return Some((Says::Tgi, evidence));
        }
    }
    if url
        .host_str()
        .is_some_and(|host| host.ends_with(".hf.space"))
        && segments.is_empty()
    {
        return Some((Says::Gradio, "The address is a Space".to_owned()));
    }
    for route in ["/v1", "/v1/models"] {
        if let (evidence, true) = ends_in(route) {
            return Some((Says::OpenAiBase, evidence));
        }
    }
    if url.port() == Some(ollama::PORT) {
        let evidence = format!("{} is Ollama's port", ollama::PORT);
        return Some((Says::Ollama, evidence));
    }
    None
}

async fn gradio_first(url: &Url, control: &Control) -> Result<TargetInfo, PrepareError> {
    let no_gradio = match gradio::describe(url, control).await {
        Ok(info) => return Ok(info),
        Err(PrepareError::Unreachable(failure)) if failure.kind.is_unreachable() => {
            return Err(PrepareError::Unreachable(failure));
        }
        Err(error) => error,
    };
    let found = openai::describe(url, Protocol::Auto, control).await?;
    let native = match found.native {
        Some(native) => native_at(native, url, control).await,
        None if !found.is_sure => any_native(url, control).await,
        None => None,
    };
    match native {
        Some(native) if native.is_sure => Ok(native.info),
        _ if found.is_sure => Ok(found.info),
        _ => Err(neither(url, &no_gradio, &found.info)),
    }
}

/// A server that speaks OpenAI's wire beside its own, found at an address that names neither: its own, which its
/// documentation begins with.
async fn native_at(native: Protocol, url: &Url, control: &Control) -> Option<Described> {
    let found = match native {
        Protocol::Ollama => ollama::describe(url, control).await,
        _ => tgi::describe(url, control).await,
    };
    let mut found = found.ok()?;
    let note =
        "The server speaks OpenAI's wire too: choose that protocol, or write /v1 after the address";
    found.info.notes.push(note.to_owned());
    Some(found)
}

/// A server that speaks only a wire of its own.
async fn any_native(url: &Url, control: &Control) -> Option<Described> {
    let found = tgi::describe(url, control).await;
    if let Ok(found) = found
        && found.is_sure
    {
        return Some(found);
    }
    ollama::describe(url, control).await.ok()
}

async fn openai_first(url: &Url, control: &Control) -> Result<TargetInfo, PrepareError> {
    let found = openai::describe(url, Protocol::Auto, control).await?;
    if found.is_sure {
        return Ok(found.info);
    }
    match gradio::describe(url, control).await {
        Ok(info) => Ok(info),
        Err(no_gradio) => Err(neither(url, &no_gradio, &found.info)),
    }
}

/// Something answers, but neither protocol was recognised. A gate before a Space or an app is the better explanation.
fn neither(url: &Url, no_gradio: &PrepareError, openai: &TargetInfo) -> PrepareError {
    if let PrepareError::Refused(issues) = no_gradio
        && issues
            .iter()
            .any(|i| matches!(i.field.as_str(), "target.key" | "target.headers"))
    {
        return no_gradio.clone();
    }
    let asked = openai.evidence.join("; ");
    let message = format!(
        "Neither a Gradio app nor an OpenAI-compatible, TGI or Ollama server was found at “{url}” ({no_gradio}; {asked}); check the path, or choose the protocol by hand"
    );
    PrepareError::Refused(vec![Issue::new("target.url", message)])
}

fn with_evidence(mut info: TargetInfo, evidence: String) -> TargetInfo {
    info.evidence.insert(0, evidence);
    info
}

/// Says of a server that cannot be reached what to try.
fn with_advice(error: PrepareError, url: &str) -> PrepareError {
    let PrepareError::Unreachable(failure) = error else {
        return error;
    };
    if failure.status.is_some() || failure.message.starts_with("Nothing at") {
        return PrepareError::Unreachable(failure);
    }
    let shown = url.split(['?', '#']).next().unwrap_or_default();
    let advice = advice(failure.kind, shown.starts_with("https:"));
    PrepareError::Unreachable(Failure {
        message: format!(
            "Nothing at “{shown}” answered: {}; {advice}",
            failure.message
        ),
        ..failure
    })
}

/// What to try when a server cannot be reached.
pub(super) fn advice(kind: FailureKind, is_https: bool) -> &'static str {
    match kind {
        FailureKind::Connect => "check that the server runs and that the port is right",
        FailureKind::Dns => "check the name's spelling and this machine's network",
        FailureKind::Tls if is_https => {
            "if the server speaks plain HTTP, write http://; if its certificate is your own, name the CA file"
        }
        FailureKind::TimeoutConnect => "check the address, the network and any firewall between",
        FailureKind::Protocol | FailureKind::ErrorTruncated | FailureKind::Reset if !is_https => {
            "if the server speaks TLS, write https://"
        }
        FailureKind::Client => "close other programs or raise this machine's limits",
        _ => "check that the server is not overloaded and try again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<Says>) {
        let says = what_path_says(&Url::parse(url).unwrap());
        assert_eq!(says.map(|(says, _)| says), expected, "{url}");
    }

    #[test]
    fn an_address_says_what_it_can() {
        check("http://h/v1/chat/completions", Some(Says::OpenAiRoute));
        check("http://h/v1/completions/", Some(Says::OpenAiRoute));
        check("http://h/v1", Some(Says::OpenAiBase));
        check("http://h/v1/responses", Some(Says::OpenAiRoute));
        check("http://h/generate_stream", Some(Says::TgiRoute));
        check("http://h/generate", Some(Says::Tgi));
        check("http://h/api/generate", Some(Says::Ollama));
        check("http://h/sub/api/chat", Some(Says::Ollama));
        check("http://h:11434", Some(Says::Ollama));
        check("http://h:11434/v1", Some(Says::OpenAiBase));
        check("http://h/gradio_api/call/predict", Some(Says::Gradio));
        check("http://h/gradio_api/queue/join", Some(Says::Gradio));
        check("http://h/call/chat", Some(Says::Gradio));
        check("http://h/sub/queue/join", Some(Says::Gradio));
        check("https://owner-name.hf.space/", Some(Says::Gradio));
        check("https://owner-name.hf.space/v1", Some(Says::OpenAiBase));
        check("http://h:8000/", None);
        check("http://h/some/app", None);
    }

    #[test]
    fn advice_is_given_once_and_no_query_is_shown() {
        let error = PrepareError::Unreachable(Failure::new(FailureKind::Connect, "refused"));
        let once = with_advice(error, "http://h:1/?key=canary");
        let twice = with_advice(once.clone(), "http://h:1/");
        assert_eq!(once.to_string(), twice.to_string());
        assert_eq!(
            once.to_string(),
            "Nothing at “http://h:1/” answered: refused; check that the server runs and that the port is right"
        );
    }
}
