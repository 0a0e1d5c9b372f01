//! The pure parts of *Test connection*: the equal curl command, what a result means and what to try, and masking.

use std::fmt::Write as _;

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, HeaderName, HeaderValue, SET_COOKIE, USER_AGENT,
};
use http::{HeaderMap, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::detect::advice;
use super::{HttpCall, Reply, said, shell};
use crate::domain::{
    Ended, Failure, FailureKind, HttpVersion, Issue, KeyRef, Target, TargetInfo, Workload,
};

/// Of a body that is shown.
pub const MAX_BODY_BYTES: usize = 64 << 10;

/// A secret shorter than this is not looked for: masking it would eat the text.
const MIN_SECRET_BYTES: usize = 4;

const MASK: &str = "[REDACTED]";

/// The curl command that is equal to an exchange's calls, one after the other. Secrets are shell variables.
pub fn curl_line(target: &Target, origin: &Url, calls: &[HttpCall]) -> String {
    let commands: Vec<String> = calls
        .iter()
        .map(|call| curl_command(target, origin, call))
        .collect();
    commands.join("\n\n")
}

fn curl_command(target: &Target, origin: &Url, call: &HttpCall) -> String {
    let mut url = origin.as_str().trim_end_matches('/').to_owned();
    url.push_str(&query_masked(&call.path_and_query));
    let mut words = vec!["curl -N".to_owned()];
    if target.http == HttpVersion::Http2 {
        words.push("--http2".to_owned());
    }
    if target.insecure {
        words.push("--insecure".to_owned());
    }
    if let Some(file) = &target.ca_file {
        words.push(format!(
            "--cacert {}",
            shell::quote(&file.to_string_lossy())
        ));
    }
    if let Some(proxy) = &target.proxy {
        words.push(format!("--proxy {}", shell::quote(proxy)));
    }
    let mut line = format!(
        "{} -X {} {}",
        words.join(" "),
        call.method,
        shell::quote(&url)
    );
    for (name, value) in &call.headers {
        if *name != USER_AGENT && *name != ACCEPT_ENCODING {
            // Writing to a String cannot fail.
            write!(line, " \\\n  -H {}", header_word(target, name, value)).ok();
        }
    }
    if !call.body.is_empty() {
        let body = String::from_utf8_lossy(&call.body);
        write!(line, " \\\n  --data-raw {}", shell::quote(&body)).ok();
    }
    line
}

fn header_word(target: &Target, name: &HeaderName, value: &HeaderValue) -> String {
    if !value.is_sensitive() {
        let value = String::from_utf8_lossy(value.as_bytes());
        return shell::quote(&format!("{name}: {value}"));
    }
    let is_bearer = value.as_bytes().starts_with(b"Bearer ");
    if *name == AUTHORIZATION && is_bearer {
        return format!("\"{name}: Bearer ${}\"", key_variable(&target.key));
    }
    let variable = name.as_str().to_ascii_uppercase().replace('-', "_");
    format!("\"{name}: ${variable}\"")
}

/// The variable that stands for the key in a command.
fn key_variable(key: &KeyRef) -> &str {
    match key {
        KeyRef::Env { name } if !name.is_empty() => name,
        _ => "API_KEY",
    }
}

/// Values of query fields that are likely secrets are replaced.
fn query_masked(path_and_query: &str) -> String {
    let Some((path, query)) = path_and_query.split_once('?') else {
        return path_and_query.to_owned();
    };
    let fields: Vec<String> = query
        .split('&')
        .map(|field| match field.split_once('=') {
            Some((name, _)) if is_secret_field(name) => format!("{name}={MASK}"),
            _ => field.to_owned(),
        })
        .collect();
    format!("{path}?{}", fields.join("&"))
}

fn is_secret_field(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["key", "token", "secret", "password", "sig", "sign"]
        .iter()
        .any(|word| name.ends_with(word))
}

/// Takes every literal form of the secrets out of a text that a server sent.
pub fn mask(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|s| s.len() >= MIN_SECRET_BYTES) {
        let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let escaped = serde_json::Value::from(*secret).to_string();
        let escaped = escaped.trim_matches('"');
        for form in [*secret, &encoded, escaped] {
            if text.contains(form) {
                text = text.replace(form, MASK);
            }
        }
    }
    text
}

/// A body as it is shown, and whether it was cut.
pub fn shown_body(body: &[u8], secrets: &[&str]) -> (String, bool) {
    // A little more than is shown, so that a secret at the border is still seen whole.
    let more = body.get(..MAX_BODY_BYTES + 4096).unwrap_or(body);
    let mut text = mask(&String::from_utf8_lossy(more), secrets);
    let is_cut = text.len() > MAX_BODY_BYTES || more.len() < body.len();
    if text.len() > MAX_BODY_BYTES {
        let mut at = MAX_BODY_BYTES;
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.truncate(at);
    }
    (text, is_cut)
}

/// An answer's headers as they are shown.
pub fn shown_headers(headers: &HeaderMap, secrets: &[&str]) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = if *name == SET_COOKIE || value.is_sensitive() {
                MASK.to_owned()
            } else {
                mask(&String::from_utf8_lossy(value.as_bytes()), secrets)
            };
            (name.as_str().to_owned(), value)
        })
        .collect()
}

/// `401 Unauthorized`.
pub fn status_text(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok();
    match known.and_then(|status| status.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

/// What was tested.
#[derive(Clone, Copy, Debug)]
pub struct Tested<'a> {
    pub target: &'a Target,
    pub workload: &'a Workload,
    pub has_key: bool,
    /// What preparation found, if it got so far.
    pub info: Option<&'a TargetInfo>,
}

/// What a test's result means, for the head of a report.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Meaning {
    pub ok: bool,
    pub headline: String,
    /// What still works and what was found.
    pub lines: Vec<String>,
    pub what_to_try: Option<String>,
    pub issues: Vec<Issue>,
}

/// Explains a finished exchange.
pub fn explain(tested: Tested<'_>, reply: &Reply) -> Meaning {
    match &reply.result {
        Some(Ok(ended)) => explain_success(tested, *ended, reply),
        Some(Err(failure)) => explain_failure(tested, failure, reply.retry_after_secs),
        None => Meaning {
            headline: "The test was ended before an answer came".to_owned(),
            ..Meaning::default()
        },
    }
}

fn explain_success(tested: Tested<'_>, ended: Ended, reply: &Reply) -> Meaning {
    let mut lines = Vec::new();
    if let (Some(n), Some(source)) = (reply.tokens_out, reply.token_source) {
        lines.push(format!("{n} output tokens ({})", source.badge()));
    }
    let is_text_stream = tested.target.stream && !reply.answer.is_empty();
    if is_text_stream && reply.first_token_ns.is_none() {
        lines.push("The answer came in one piece, so there is no time to first token".to_owned());
    }
    if ended == Ended::OkNoDone {
        lines.push(
            "The stream ended without a done marker, which this server may never send".to_owned(),
        );
    }
    lines.extend(
        tested
            .info
            .iter()
            .flat_map(|info| info.notes.iter().cloned()),
    );
    Meaning {
        ok: true,
        headline: "The server answered".to_owned(),
        lines,
        ..Meaning::default()
    }
}

/// Explains a failure, be it of the request or of the preparation before it.
pub fn explain_failure(
    tested: Tested<'_>,
    failure: &Failure,
    retry_after_secs: Option<f64>,
) -> Meaning {
    let cause = match (failure.kind, failure.status) {
        (FailureKind::HttpStatus, Some(status)) => {
            of_status(tested, status, &failure.message, retry_after_secs)
        }
        _ => of_kind(tested, failure),
    };
    let mut lines: Vec<String> = tested
        .info
        .and_then(|info| info.evidence.last().cloned())
        .into_iter()
        .collect();
    if !failure.message.is_empty() {
        let who = if failure.status.is_some() {
            "The server said"
        } else {
            "Found"
        };
        lines.push(format!("{who}: {}", failure.message));
    }
    let issues = cause.field.map(|field| {
        Issue::new(
            field,
            format!("{}; {}", cause.headline, lower_first(&cause.to_try)),
        )
    });
    Meaning {
        ok: false,
        headline: cause.headline,
        lines,
        what_to_try: Some(cause.to_try),
        issues: issues.into_iter().collect(),
    }
}

struct Cause {
    headline: String,
    to_try: String,
    field: Option<&'static str>,
}

impl Cause {
    fn at(field: &'static str, headline: impl Into<String>, to_try: impl Into<String>) -> Self {
        Self {
            headline: headline.into(),
            to_try: to_try.into(),
            field: Some(field),
        }
    }

    fn of_server(headline: impl Into<String>, to_try: impl Into<String>) -> Self {
        Self {
            headline: headline.into(),
            to_try: to_try.into(),
            field: None,
        }
    }
}

fn of_status(
    tested: Tested<'_>,
    status: u16,
    message: &str,
    retry_after_secs: Option<f64>,
) -> Cause {
    let said = message.to_ascii_lowercase();
    match status {
        300..=399 => Cause::at(
            "target.url",
            "The address redirects",
            "Use the address that it names",
        ),
        401 if tested.has_key => Cause::at(
            "target.key",
            "The server refused the key",
            "Check that the key is for this server, is whole and has not expired",
        ),
        401 => Cause::at("target.key", "The server asks for a key", "Give a key"),
        403 => Cause::at(
            "target.key",
            "The server does not allow this",
            "Use a key that may use this model, or ask who runs the server",
        ),
        400 | 404 | 422 if said.contains("model") && !said.contains("context length") => {
            unknown_model(tested)
        }
        404 | 405 => Cause::at(
            "target.url",
            "The server has no such route",
            "Check the path: most servers answer under /v1",
        ),
        400 | 413 | 422 if is_too_long(&said) => Cause::at(
            "workload.users",
            "The prompt is too long for the model",
            "Shorten the prompt or raise the server's context length",
        ),
        400 | 422 => not_understood(tested, &said),
        429 => Cause::of_server("The server asks to slow down", wait_text(retry_after_secs)),
        503 if said.contains("loading") => Cause::of_server(
            "The server is still loading its model",
            "Wait until it is loaded and try again",
        ),
        503 if said.contains("queue") || said.contains("full") => {
            Cause::of_server("The server's queue is full", wait_text(retry_after_secs))
        }
        503 => Cause::of_server("The server is not ready", wait_text(retry_after_secs)),
        502 | 504 => Cause::of_server(
            "A proxy before the server got no answer from it",
            "Check that the server behind the proxy runs, and the proxy's timeouts",
        ),
        500..=599 => Cause::of_server(
            "The server failed",
            "Look into the server's log; a request without the extra body may tell more",
        ),
        _ => Cause::of_server(
            format!("The server answered {}", status_text(status)),
            "See its message below",
        ),
    }
}

fn unknown_model(tested: Tested<'_>) -> Cause {
    let asked = tested
        .info
        .and_then(|info| info.facts.model.as_deref())
        .or(tested.target.model.as_deref());
    let headline = match asked {
        Some(model) => format!("The server does not serve the model “{model}”"),
        None => "The server wants a model's name".to_owned(),
    };
    let models = tested.info.map_or(&[][..], |info| &info.models);
    let to_try = match models {
        [] => "Type the name under which the server was started".to_owned(),
        models => {
            let names: Vec<String> = models.iter().take(5).map(|m| format!("“{m}”")).collect();
            format!("Choose one that it lists: {}", names.join(", "))
        }
    };
    Cause::at("target.model", headline, to_try)
}

fn is_too_long(said: &str) -> bool {
    ["context", "too long", "maximum length", "too large"]
        .iter()
        .any(|words| said.contains(words))
}

fn not_understood(tested: Tested<'_>, said: &str) -> Cause {
    let extra: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&tested.workload.extra_body).unwrap_or_default();
    let headline = "The server did not accept the request";
    if let Some(name) = extra
        .keys()
        .find(|name| said.contains(&name.to_ascii_lowercase()))
    {
        let to_try = format!("Remove “{name}” from the extra body, or correct it");
        return Cause::at("workload.extra_body", headline, to_try);
    }
    if said.contains("max_tokens") {
        return Cause::at(
            "workload.max_tokens",
            headline,
            "Lower the output limit, or leave it empty",
        );
    }
    if said.contains("stream_options") {
        let to_try = "Nothing: a run leaves stream_options out once the server has refused them";
        return Cause::of_server(headline, to_try);
    }
    Cause::of_server(headline, "Check the server's message against the form")
}

fn wait_text(retry_after_secs: Option<f64>) -> String {
    match retry_after_secs {
        Some(secs) => format!("Wait {secs:.0} s, as it asks, and use fewer users"),
        None => "Wait a little, and use fewer users".to_owned(),
    }
}

fn of_kind(tested: Tested<'_>, failure: &Failure) -> Cause {
    let is_https = tested.target.url.starts_with("https:");
    let kind = failure.kind;
    let to_try = upper_first(advice(kind, is_https));
    let said = &failure.message;
    match kind {
        FailureKind::Connect => Cause::at("target.url", "Nothing listens at this address", to_try),
        FailureKind::Dns => Cause::at("target.url", "The name was not found", to_try),
        FailureKind::Tls => Cause::at("target.url", "No secure connection was made", to_try),
        FailureKind::TimeoutConnect => Cause::at("target.url", "Connecting took too long", to_try),
        FailureKind::TimeoutFirstByte => Cause::at(
            "target.timeouts.first_byte_secs",
            "No answer came in time",
            "Raise the first-byte timeout, or look whether the server is still loading or queueing",
        ),
        FailureKind::TimeoutIdle => Cause::at(
            "target.timeouts.idle_secs",
            "The stream fell silent",
            "Look into the server's log, or raise the idle timeout",
        ),
        FailureKind::TimeoutTotal => Cause::at(
            "target.timeouts.total_secs",
            "The answer took too long",
            "Ask for fewer tokens, or raise the total timeout",
        ),
        FailureKind::Protocol => Cause::at("target.url", "The answer is not valid HTTP", to_try),
        FailureKind::ErrorBadJson if said.contains("a web page") => Cause::at(
            "target.url",
            "A web page answered, not an API",
            "Use the API's address, not the one of its page in a browser",
        ),
        FailureKind::ErrorBadJson => Cause::at(
            "target.protocol",
            "The answer is not what this protocol sends",
            "Check the path and the protocol",
        ),
        FailureKind::ErrorBody | FailureKind::ErrorInStream => Cause::of_server(
            "The server reported an error",
            "See its message below, and its log",
        ),
        FailureKind::ErrorEmpty => Cause::of_server(
            "The server answered with nothing",
            "Check the model and the prompt; an output limit of 0 gives this",
        ),
        FailureKind::ErrorTruncated => Cause::of_server(
            "The answer was cut short",
            "Look into the server's log, and at the timeouts of any proxy between",
        ),
        FailureKind::Reset | FailureKind::StaleConnection => {
            Cause::of_server("The server closed the connection", to_try)
        }
        FailureKind::Client => Cause::of_server("This machine is at a limit", to_try),
        FailureKind::HttpStatus => Cause::of_server("The server refused", "See its message below"),
    }
}

fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

/// What a failed test's body says, for a report whose exchange kept none.
pub fn message_of(body: &[u8], secrets: &[&str]) -> String {
    mask(&said::message_in_body(body), secrets)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Method;

    use super::*;

    fn call() -> HttpCall {
        let mut headers = HeaderMap::new();
        let mut key = HeaderValue::from_static("Bearer sk-canary");
        key.set_sensitive(true);
        headers.insert(AUTHORIZATION, key.clone());
        headers.insert("x-api-key", key);
        headers.insert(USER_AGENT, HeaderValue::from_static("u"));
        headers.insert("accept", HeaderValue::from_static("text/event-stream"));
        HttpCall {
            method: Method::POST,
            path_and_query: "/v1/chat/completions?api_key=canary&v=1".to_owned(),
            headers,
            body: Bytes::from_static(b"{\"a\":\"it's\"}"),
        }
    }

    #[test]
    fn the_curl_line_holds_no_secret() {
        let mut target = Target::at("http://h");
        target.key = KeyRef::Env {
            name: "OPENAI_API_KEY".to_owned(),
        };
        let origin = Url::parse("http://h:8000/").unwrap();
        let line = curl_line(&target, &origin, &[call()]);
        assert_eq!(
            line,
            r#"curl -N -X POST 'http://h:8000/v1/chat/completions?api_key=[REDACTED]&v=1' \
  -H "authorization: Bearer $OPENAI_API_KEY" \
  -H "x-api-key: $X_API_KEY" \
  -H 'accept: text/event-stream' \
  --data-raw '{"a":"it'\''s"}'"#
        );
        let command = crate::protocol::curl::parse_curl(&line).unwrap();
        assert_eq!(command.pasted.key_env.as_deref(), Some("OPENAI_API_KEY"));
    }

    #[test]
    fn a_key_that_the_server_echoes_is_masked_in_every_form() {
        let key = "sk-a/b\"c";
        let text = r#"a sk-a/b"c b sk-a/b\"c c sk%2Da%2Fb%22c"#;
        assert_eq!(mask(text, &[key]), "a [REDACTED] b [REDACTED] c [REDACTED]");
        assert_eq!(mask("abc", &["b"]), "abc", "too short to be a secret");
        let body = [vec![b'x'; MAX_BODY_BYTES - 3], b"sk-canary".to_vec()].concat();
        let (shown, is_cut) = shown_body(&body, &["sk-canary"]);
        assert!(is_cut && !shown.contains("sk-"));
    }

    #[track_caller]
    fn check(failure: &Failure, headline: &str, field: Option<&str>) {
        let mut target = Target::at("http://h");
        target.model = Some("m".to_owned());
        let workload = Workload {
            extra_body: r#"{"ignore_eos": true}"#.to_owned(),
            ..Workload::default()
        };
        let info = TargetInfo {
            models: vec!["a".to_owned()],
            evidence: vec!["GET /v1/models answered 200 with 1 model".to_owned()],
            ..TargetInfo::default()
        };
        let tested = Tested {
            target: &target,
            workload: &workload,
            has_key: true,
            info: Some(&info),
        };
        let meaning = explain_failure(tested, failure, Some(30.0));
        assert_eq!(meaning.headline, headline);
        let found = meaning.issues.first().map(|issue| issue.field.as_str());
        assert_eq!(found, field, "{headline}");
        assert!(meaning.what_to_try.is_some_and(|text| !text.ends_with('.')));
    }

    #[test]
    fn every_failure_says_what_it_is_and_where() {
        let status =
            |status, message: &str| Failure::with_status(FailureKind::HttpStatus, status, message);
        let kind = |kind| Failure::new(kind, "x");
        check(
            &status(401, "Unauthorized"),
            "The server refused the key",
            Some("target.key"),
        );
        check(
            &status(403, ""),
            "The server does not allow this",
            Some("target.key"),
        );
        check(
            &status(404, "The model `m` does not exist."),
            "The server does not serve the model “m”",
            Some("target.model"),
        );
        check(
            &status(404, "Not Found"),
            "The server has no such route",
            Some("target.url"),
        );
        check(
            &status(400, "This model's maximum context length is 1024 tokens"),
            "The prompt is too long for the model",
            Some("workload.users"),
        );
        check(
            &status(422, "Unexpected fields in the request: {'ignore_eos'}"),
            "The server did not accept the request",
            Some("workload.extra_body"),
        );
        check(&status(429, ""), "The server asks to slow down", None);
        check(
            &status(503, "Loading model"),
            "The server is still loading its model",
            None,
        );
        check(
            &status(503, "Queue is full"),
            "The server's queue is full",
            None,
        );
        check(
            &status(302, ""),
            "The address redirects",
            Some("target.url"),
        );
        check(
            &kind(FailureKind::Connect),
            "Nothing listens at this address",
            Some("target.url"),
        );
        check(
            &kind(FailureKind::Dns),
            "The name was not found",
            Some("target.url"),
        );
        check(
            &kind(FailureKind::Tls),
            "No secure connection was made",
            Some("target.url"),
        );
        check(
            &Failure::new(FailureKind::ErrorBadJson, "The answer is a web page, “x”"),
            "A web page answered, not an API",
            Some("target.url"),
        );
        check(
            &kind(FailureKind::TimeoutFirstByte),
            "No answer came in time",
            Some("target.timeouts.first_byte_secs"),
        );
    }
}
