//! What a question to a server before a run showed: what was hoped for, another answer, or nothing.

use http::HeaderMap;
use http::header::LOCATION;
use secrecy::SecretString;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use url::Url;

use super::body::parse_extra;
use super::headers::{failure_from_transport, target_headers};
use super::target_url::target_url;
use super::{PrepareError, said};
use crate::domain::{
    Failure, FailureKind, Issue, Protocol, ServerFacts, Target, TargetInfo, Workload,
};
use crate::transport::{Answer, Control};

/// What an address looks like as a server of one kind.
#[derive(Clone, Debug)]
pub struct Described {
    pub info: TargetInfo,
    /// The server showed that it is one; else only the address may say so.
    pub is_sure: bool,
    /// The wire of its own that this server speaks beside the one that was asked for.
    pub native: Option<Protocol>,
}

/// One question's end.
pub(super) enum Asked<T> {
    Told(T, HeaderMap),
    /// Something answered, but not with what was asked for.
    Answered(Answer),
    Unreachable(Failure),
}

impl<T> Asked<T> {
    /// A GET whose good answer `read` understands.
    pub(super) async fn get(
        url: &Url,
        control: &Control,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Self {
        match control.get(url).await {
            Err(error) => Self::Unreachable(failure_from_transport(&error)),
            Ok(answer) if !answer.is_success() => Self::Answered(answer),
            Ok(answer) => match read(&answer.body) {
                Some(told) => Self::Told(told, answer.headers),
                None => Self::Answered(answer),
            },
        }
    }

    pub(super) fn told(&self) -> Option<&T> {
        match self {
            Self::Told(told, _) => Some(told),
            Self::Answered(_) | Self::Unreachable(_) => None,
        }
    }

    /// What was asked for is not there: not found, a web page, or any answer that is no refusal.
    pub(super) fn is_elsewhere(&self) -> bool {
        match self {
            Self::Told(..) | Self::Unreachable(_) => false,
            Self::Answered(answer) => {
                matches!(answer.status, 404 | 405)
                    || said::is_html(&answer.text())
                    || answer.is_success()
                    || (300..400).contains(&answer.status)
            }
        }
    }

    /// A gate that speaks JSON asks for a key.
    pub(super) fn is_gate(&self) -> bool {
        match self {
            Self::Answered(answer) => {
                let is_json = serde_json::from_slice::<IgnoredAny>(&answer.body).is_ok();
                matches!(answer.status, 401 | 403) && is_json
            }
            Self::Told(..) | Self::Unreachable(_) => false,
        }
    }

    /// 503, as llama.cpp answers on every route until its model is there.
    pub(super) fn fail_while_loading(&self) -> Result<(), PrepareError> {
        match self {
            Self::Answered(answer) if answer.status == 503 => {
                let said = said::message_in_body(&answer.body);
                let message = format!(
                    "The server is not ready (503 “{said}”); wait until its model is loaded and try again"
                );
                Err(PrepareError::Unreachable(Failure::with_status(
                    FailureKind::HttpStatus,
                    503,
                    message,
                )))
            }
            _ => Ok(()),
        }
    }

    /// The server is elsewhere.
    pub(super) fn fail_if_redirected(&self) -> Result<(), PrepareError> {
        match self {
            Self::Answered(answer) if (300..400).contains(&answer.status) => {
                let to = answer.header(&LOCATION).unwrap_or("another address");
                Err(PrepareError::refused(
                    "target.url",
                    format!("The server redirects to “{to}”; use that address"),
                ))
            }
            _ => Ok(()),
        }
    }

    /// A server that cannot be reached at all; a slow or refused answer is not that.
    pub(super) fn fail_unless_reached(&self) -> Result<(), PrepareError> {
        match self {
            Self::Unreachable(failure) if failure.kind.is_unreachable() => {
                Err(PrepareError::Unreachable(failure.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Adds why `what` is not known, and that the route was asked.
    pub(super) fn tell_why_not(&self, route: &str, what: &str, info: &mut TargetInfo) {
        match self {
            Self::Told(..) => {}
            Self::Answered(answer) => {
                let message = said::message_in_body(&answer.body);
                let status = answer.status;
                info.evidence.push(format!("GET {route} answered {status}"));
                info.notes.push(format!("{what}: {status} “{message}”"));
            }
            Self::Unreachable(failure) => info.notes.push(format!("{what}: {}", failure.message)),
        }
    }
}

/// Of a target and workload what each wire reads before it asks anything.
pub(super) struct Given {
    pub url: Url,
    /// Key and custom headers.
    pub headers: HeaderMap,
    /// Merged over each body.
    pub extra: Map<String, Value>,
}

impl Given {
    /// # Errors
    /// What is no address, no header or no JSON object.
    pub(super) fn read(
        target: &Target,
        workload: &Workload,
        key: Option<&SecretString>,
    ) -> Result<Self, PrepareError> {
        let refuse = |issue| PrepareError::Refused(vec![issue]);
        Ok(Self {
            url: target_url(&target.url).map_err(refuse)?,
            headers: target_headers(target, key).map_err(PrepareError::Refused)?,
            extra: parse_extra(&workload.extra_body).map_err(refuse)?,
        })
    }

    /// The model that the plan merges over the body.
    pub(super) fn own_model(&self) -> Option<String> {
        Some(self.extra.get("model")?.as_str()?.to_owned())
    }
}

/// The model that the plan names.
pub(super) fn named_model(target: &Target) -> Option<&str> {
    let name = target.model.as_deref().map(str::trim);
    name.filter(|name| !name.is_empty())
}

/// What to do about a refused key, for a form's key field.
pub(super) fn key_issue(answer: &Answer, has_key: bool, or: &str) -> Issue {
    let status = answer.status;
    let message = said::message_in_body(&answer.body);
    let text = if has_key {
        format!("The server refuses the key ({status} “{message}”); check it{or}")
    } else {
        format!("The server asks for a key ({status} “{message}”); give one")
    };
    Issue::new("target.key", text)
}

/// `TGI 3.3.6`; empty for a server of no known kind.
pub(super) fn name_with_version(name: &str, version: Option<&str>) -> String {
    match version {
        Some(version) if !name.is_empty() => format!("{name} {version}"),
        _ => name.to_owned(),
    }
}

/// A server of a known kind with its version.
pub(super) fn facts_of(
    protocol: Protocol,
    name: &str,
    version: Option<String>,
    route: String,
) -> ServerFacts {
    ServerFacts {
        protocol,
        name: name_with_version(name, version.as_deref()),
        version,
        model: None,
        api_name: None,
        route,
    }
}
