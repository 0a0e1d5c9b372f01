//! What stands behind a pasted text: an address of any shape, a Space's name, a curl command. The address itself says it
//! where it can; else the server is asked, and never to generate.

use secrecy::SecretString;
use url::Url;

use super::headers::{control_options, is_secret_header};
use super::target_url::target_url;
use super::{PrepareError, SharedAdapter, curl, gradio, mask, openai};
use crate::domain::{Failure, FailureKind, Issue, Protocol, Target, TargetInfo, Workload};
use crate::transport::{Control, TransportErrorKind};

/// Finds out what a text means and fills a form with it.
///
/// `target` says how to reach it (headers, proxy, certificates) and, where it is not [`Protocol::Auto`], which wire to
/// expect. Its key and secret headers go along only when the text names the target's own origin.
pub async fn detect(
    text: &str,
    target: &Target,
    key: Option<&SecretString>,
) -> Result<TargetInfo, PrepareError> {
    let command = curl::parse_curl(text);
    if command.is_none() && curl::is_curl(text) {
        return Err(PrepareError::refused(
            "target.url",
            "The curl command names no address; paste all of it",
        ));
    }
    let url = target_url(command.as_ref().map_or(text, |c| &c.url))
        .map_err(|issue| PrepareError::Refused(vec![issue]))?;
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
        Protocol::Tgi | Protocol::Ollama | Protocol::Http | Protocol::OpenAiResponses => {
            Err(not_spoken(protocol))
        }
        _ => openai::prepare(&target, workload, protocol, key, &control).await,
    };
    prepared.map_err(|error| with_advice(error, &target.url))
}

fn not_spoken(protocol: Protocol) -> PrepareError {
    let message = format!("“{}” is not spoken; choose another protocol", protocol.id());
    PrepareError::refused("target.protocol", message)
}

/// The client for all that is not measured.
fn connect(target: &Target, key: Option<&SecretString>) -> Result<Control, PrepareError> {
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
    let found = match (protocol, what_path_says(url)) {
        (Protocol::Auto, Some((Says::Gradio, evidence))) => gradio_first(url, control)
            .await
            .map(|i| with_evidence(i, evidence)),
        (Protocol::Auto, Some((Says::OpenAiRoute, evidence))) => {
            let found = openai::describe(url, protocol, control).await;
            found.map(|found| with_evidence(found.info, evidence))
        }
        (Protocol::Auto, Some((Says::OpenAiBase, evidence))) => openai_first(url, control)
            .await
            .map(|i| with_evidence(i, evidence)),
        (Protocol::Auto, None) => gradio_first(url, control).await,
        (Protocol::Gradio, _) => gradio::describe(url, control).await,
        (Protocol::OpenAiChat | Protocol::OpenAiCompletions, _) => {
            let found = openai::describe(url, protocol, control).await;
            found.map(|found| found.info)
        }
        (Protocol::Tgi | Protocol::Ollama | Protocol::Http | Protocol::OpenAiResponses, _) => {
            Err(not_spoken(protocol))
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
    for route in ["/chat/completions", "/completions"] {
        if let (evidence, true) = ends_in(route) {
            return Some((Says::OpenAiRoute, evidence));
        }
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
    match openai::describe(url, Protocol::Auto, control).await {
        Ok(found) if found.is_sure => Ok(found.info),
        Ok(found) => Err(neither(url, &no_gradio, &found.info)),
        Err(error) => Err(error),
    }
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
        "Neither a Gradio app nor an OpenAI-compatible server was found at “{url}” ({no_gradio}; {asked}); check the path, or choose the protocol by hand"
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
