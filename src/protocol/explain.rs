//! What a test's result means: a headline, what was found, what to try, and the fields at fault.

use super::Reply;
use super::detect::advice;
use super::test_request::status_text;
use crate::domain::{Ended, Failure, FailureKind, Issue, Protocol, Target, TargetInfo, Workload};

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
            check_path(tested.target.protocol),
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
        // 424 is what TGI answers when a generation failed.
        424 | 500..=599 => Cause::of_server(
            "The server failed",
            "Look into the server's log; a request without the extra body may tell more",
        ),
        _ => Cause::of_server(
            format!("The server answered {}", status_text(status)),
            "See its message below",
        ),
    }
}

fn check_path(protocol: Protocol) -> String {
    let where_to = match protocol {
        Protocol::Tgi => "TGI answers under /generate_stream and /generate",
        Protocol::Ollama => "Ollama answers under /api/chat and /api/generate",
        Protocol::Http => "the template's path and method say what is asked",
        _ => "most servers answer under /v1",
    };
    format!("Check the path: {where_to}")
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
        FailureKind::ErrorBadJson | FailureKind::ErrorEmpty | FailureKind::ErrorTruncated
            if tested.target.protocol == Protocol::Http && failure.status == Some(200) =>
        {
            Cause::at(
                "target.template",
                "The answer is not what the template says",
                "Hold the template's framing and pointers against the answer below",
            )
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
            &status(424, "Request failed during generation"),
            "The server failed",
            None,
        );
        check(
            &status(404, "model 'm' not found"),
            "The server does not serve the model “m”",
            Some("target.model"),
        );
        check(
            &kind(FailureKind::TimeoutFirstByte),
            "No answer came in time",
            Some("target.timeouts.first_byte_secs"),
        );
    }
}
