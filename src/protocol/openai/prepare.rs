//! Before a run: where the routes are, which model is asked, which server it is. Asks `/models` and, for a server known by
//! name, its version; never anything that generates.

use std::sync::Arc;

use http::HeaderMap;
use http::header::LOCATION;
use secrecy::SecretString;
use serde::de::IgnoredAny;
use url::Url;

use super::address::Address;
use super::body::parse_extra;
use super::server::{Kind, Model, models_in};
use super::{Api, Config, OpenAi};
use crate::domain::{
    Failure, FailureKind, Issue, Protocol, ServerFacts, Target, TargetInfo, Workload,
};
use crate::protocol::headers::{failure_from_transport, target_headers};
use crate::protocol::target_url::target_url;
use crate::protocol::{PrepareError, SharedAdapter, said};
use crate::transport::{Answer, Control};

/// Makes the adapter for a target whose protocol is known.
///
/// Not being able to list models is no error as long as the plan names one, be it that the server cannot be reached: then
/// there is nothing left to ask, and what the requests meet is for the run to record.
pub async fn prepare(
    target: &Target,
    workload: &Workload,
    protocol: Protocol,
    key: Option<&SecretString>,
    control: &Control,
) -> Result<(SharedAdapter, TargetInfo), PrepareError> {
    let url = target_url(&target.url).map_err(|issue| PrepareError::Refused(vec![issue]))?;
    let address = Address::of(&url);
    let api = Api::of(protocol).or(address.api).unwrap_or(Api::Chat);
    let headers = target_headers(target, key).map_err(PrepareError::Refused)?;
    let extra =
        parse_extra(&workload.extra_body).map_err(|issue| PrepareError::Refused(vec![issue]))?;
    let listing = Listing::ask(&address, control).await;
    let named = target
        .model
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty());
    listing.fail_if_redirected()?;
    if named.is_none() && !extra.contains_key("model") {
        listing.fail_unless_reached()?;
    }
    let model = match named {
        Some(name) => Some(name.to_owned()),
        None if extra.contains_key("model") => None,
        None => listing.first_model(key.is_some())?,
    };
    let mut info = listing.to_info(&address, api, control).await;
    if let Some(name) = named.filter(|name| !listing.may_have(name)) {
        info.notes.push(format!(
            "“{name}” is not among the {} models that the server lists",
            info.models.len()
        ));
    }
    info.facts.model = model
        .clone()
        .or_else(|| Some(extra.get("model")?.as_str()?.to_owned()));
    let adapter = OpenAi::new(Config {
        api,
        path_and_query: address.path_and_query(listing.base(&address), api.route()),
        headers,
        model,
        stream: target.stream,
        max_tokens: workload.max_tokens,
        extra,
        facts: info.facts.clone(),
    });
    Ok((Arc::new(adapter), info))
}

/// What an address looks like as an OpenAI-compatible server.
#[derive(Clone, Debug)]
pub struct Described {
    pub info: TargetInfo,
    /// The server showed that it is one; else only the address may say so.
    pub is_sure: bool,
}

/// Asks for the models and, where that does not settle it, whether the route exists.
pub async fn describe(
    url: &Url,
    protocol: Protocol,
    control: &Control,
) -> Result<Described, PrepareError> {
    let address = Address::of(url);
    let api = Api::of(protocol).or(address.api).unwrap_or(Api::Chat);
    let listing = Listing::ask(&address, control).await;
    listing.fail_if_redirected()?;
    listing.fail_unless_reached()?;
    listing.fail_while_loading()?;
    let mut info = listing.to_info(&address, api, control).await;
    let mut is_sure = listing.is_openai();
    if !is_sure {
        let base = listing.base(&address);
        let route = format!("{base}{}", api.route());
        // A GET generates nothing; a server that has the route says that it wants a POST.
        if let Ok(answer) = control.get(&address.url(base, api.route())).await {
            is_sure = answer.status == 405;
            info.evidence
                .push(format!("GET {route} answered {}", answer.status));
        }
    }
    Ok(Described { info, is_sure })
}

/// What asking for the models showed.
struct Listing {
    /// The answers under each base, in turn.
    answers: Vec<(String, Asked)>,
}

enum Asked {
    Listed(Vec<Model>, HeaderMap),
    /// Something answered, but not with a list.
    Answered(Answer),
    Unreachable(Failure),
}

impl Listing {
    async fn ask(address: &Address, control: &Control) -> Self {
        let mut answers = Vec::new();
        for base in &address.bases {
            let asked = match control.get(&address.url(base, "/models")).await {
                Err(error) => Asked::Unreachable(failure_from_transport(&error)),
                Ok(answer) => match models_in(&answer.body) {
                    Some(models) if answer.is_success() => Asked::Listed(models, answer.headers),
                    _ => Asked::Answered(answer),
                },
            };
            let is_last = !asked.is_elsewhere();
            answers.push((base.clone(), asked));
            if is_last {
                break;
            }
        }
        Self { answers }
    }

    /// The base whose answer says most.
    fn best(&self) -> Option<&(String, Asked)> {
        let told = self.answers.iter().find(|(_, asked)| !asked.is_elsewhere());
        told.or_else(|| self.answers.first())
    }

    fn base<'a>(&'a self, address: &'a Address) -> &'a str {
        self.best()
            .map_or_else(|| address.default_base(), |(base, _)| base)
    }

    fn models(&self) -> &[Model] {
        match self.best() {
            Some((_, Asked::Listed(models, _))) => models,
            _ => &[],
        }
    }

    /// An OpenAI-compatible server answered: a list, or a gate before one that speaks JSON.
    fn is_openai(&self) -> bool {
        match self.best() {
            Some((_, Asked::Listed(..))) => true,
            Some((_, Asked::Answered(answer))) => {
                let is_json = serde_json::from_slice::<IgnoredAny>(&answer.body).is_ok();
                matches!(answer.status, 401 | 403) && is_json
            }
            Some((_, Asked::Unreachable(_))) | None => false,
        }
    }

    /// 503, as llama.cpp answers on every route until its model is there.
    fn fail_while_loading(&self) -> Result<(), PrepareError> {
        match self.best() {
            Some((_, Asked::Answered(answer))) if answer.status == 503 => {
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

    /// A list that does not hold the name rules it out; no list rules out nothing.
    fn may_have(&self, name: &str) -> bool {
        let models = self.models();
        models.is_empty() || models.iter().any(|model| model.id == name)
    }

    fn kind(&self) -> Option<Kind> {
        match &self.best()?.1 {
            Asked::Listed(models, headers) => Kind::guess(headers, models),
            Asked::Answered(answer) => Kind::guess(&answer.headers, &[]),
            Asked::Unreachable(_) => None,
        }
    }

    /// The server is elsewhere.
    fn fail_if_redirected(&self) -> Result<(), PrepareError> {
        match self.best() {
            Some((_, Asked::Answered(answer))) if (300..400).contains(&answer.status) => {
                let to = answer.header(&LOCATION).unwrap_or("another address");
                Err(PrepareError::refused(
                    "target.url",
                    format!("The server redirects to “{to}”; use that address"),
                ))
            }
            _ => Ok(()),
        }
    }

    /// A server that cannot be reached at all; a slow or refused list is not that.
    fn fail_unless_reached(&self) -> Result<(), PrepareError> {
        match self.best() {
            Some((_, Asked::Unreachable(failure))) if failure.kind.is_unreachable() => {
                Err(PrepareError::Unreachable(failure.clone()))
            }
            _ => Ok(()),
        }
    }

    /// The first of the list; none where the server does not care; else what the person can do.
    fn first_model(&self, has_key: bool) -> Result<Option<String>, PrepareError> {
        if let Some(model) = self.models().first() {
            return Ok(Some(model.id.clone()));
        }
        if self.kind().is_some_and(Kind::ignores_model) {
            return Ok(None);
        }
        Err(match self.best() {
            Some((_, Asked::Unreachable(failure))) => PrepareError::Unreachable(failure.clone()),
            Some((_, Asked::Answered(answer))) => {
                self.fail_while_loading()?;
                match answer.status {
                    401 | 403 => PrepareError::Refused(vec![key_issue(answer, has_key)]),
                    status => no_model(&format!("it answered {status}")),
                }
            }
            _ => no_model("its list is empty"),
        })
    }

    async fn to_info(&self, address: &Address, api: Api, control: &Control) -> TargetInfo {
        let base = self.base(address);
        let kind = self.kind();
        let version = match kind {
            Some(kind) => kind.version(&address.origin, control).await,
            None => None,
        };
        let name = match (kind, &version) {
            (Some(kind), Some(version)) => format!("{} {version}", kind.name()),
            (Some(kind), None) => kind.name().to_owned(),
            (None, _) => String::new(),
        };
        let mut info = TargetInfo {
            url: address
                .url(base, "")
                .as_str()
                .trim_end_matches('/')
                .to_owned(),
            protocol: api.protocol(),
            models: self.models().iter().map(|m| m.id.clone()).collect(),
            ..TargetInfo::default()
        };
        info.facts = ServerFacts {
            protocol: api.protocol(),
            name,
            version,
            model: self.models().first().map(|m| m.id.clone()),
            api_name: None,
            route: route_without_secrets(address, &format!("{base}{}", api.route())),
        };
        self.tell(&mut info);
        info
    }

    /// Evidence and notes.
    fn tell(&self, info: &mut TargetInfo) {
        let Some((base, asked)) = self.best() else {
            return;
        };
        let route = format!("GET {base}/models");
        match asked {
            Asked::Listed(models, _) if models.is_empty() => {
                info.evidence
                    .push(format!("{route} answered 200 with an empty list"));
                info.notes
                    .push("The server lists no models; type the model's name".to_owned());
            }
            Asked::Listed(models, _) => {
                let s = if models.len() == 1 { "" } else { "s" };
                info.evidence.push(format!(
                    "{route} answered 200 with {} model{s}",
                    models.len()
                ));
            }
            Asked::Answered(answer) => {
                let message = said::message_in_body(&answer.body);
                let status = answer.status;
                info.evidence.push(format!("{route} answered {status}"));
                info.notes
                    .push(format!("Models cannot be listed: {status} “{message}”"));
            }
            Asked::Unreachable(failure) => {
                info.notes
                    .push(format!("Models cannot be listed: {}", failure.message));
            }
        }
    }
}

impl Asked {
    /// Nothing of this API is under that base: not found, a web page, or any answer that is no refusal.
    fn is_elsewhere(&self) -> bool {
        match self {
            Self::Listed(..) | Self::Unreachable(_) => false,
            Self::Answered(answer) => {
                matches!(answer.status, 404 | 405)
                    || said::is_html(&answer.text())
                    || answer.is_success()
                    || (300..400).contains(&answer.status)
            }
        }
    }
}

fn no_model(why: &str) -> PrepareError {
    PrepareError::refused(
        "target.model",
        format!("The server lists no models ({why}); type the model's name"),
    )
}

/// What to do about a refused key, for a form's key field.
fn key_issue(answer: &Answer, has_key: bool) -> Issue {
    let status = answer.status;
    let message = said::message_in_body(&answer.body);
    let text = if has_key {
        format!(
            "The server refuses the key ({status} “{message}”); check it, or type the model's name to go on"
        )
    } else {
        format!("The server asks for a key ({status} “{message}”); give one")
    };
    Issue::new("target.key", text)
}

/// The route as it is shown and stored: values of a query are left out, for one may be a key.
fn route_without_secrets(address: &Address, path: &str) -> String {
    let Some(query) = &address.query else {
        return path.to_owned();
    };
    let names: Vec<String> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, _)| format!("{name}=…"))
        .collect();
    format!("{path}?{}", names.join("&"))
}
