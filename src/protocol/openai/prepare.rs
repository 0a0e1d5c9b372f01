//! Before a run: where the routes are, which model is asked, which server it is. Asks `/models` and, for a server known by
//! name, its version; never anything that generates.

use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use super::address::Address;
use super::server::{Kind, Model, models_in};
use super::{Api, Config, OpenAi};
use crate::domain::{Protocol, Target, TargetInfo, Workload};
use crate::protocol::asked::{Asked, Described, Given, facts_of, key_issue, named_model};
use crate::protocol::{PrepareError, SharedAdapter, no_ignore_eos};
use crate::transport::Control;

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
    let given = Given::read(target, workload, key)?;
    let address = Address::of(&given.url);
    let api = Api::of(protocol).or(address.api).unwrap_or(Api::Chat);
    let listing = Listing::ask(&address, control).await;
    let named = named_model(target);
    listing.fail_if_redirected()?;
    let has_own = given.extra.contains_key("model");
    if named.is_none() && !has_own {
        listing.fail_unless_reached()?;
    }
    let model = match named {
        Some(name) => Some(name.to_owned()),
        None if has_own => None,
        None => listing.first_model(key.is_some())?,
    };
    let mut info = listing.to_info(&address, api, control).await;
    if let Some(name) = named.filter(|name| !listing.may_have(name)) {
        info.notes.push(format!(
            "“{name}” is not among the {} models that the server lists",
            info.models.len()
        ));
    }
    info.facts.model = model.clone().or_else(|| given.own_model());
    // Of a server that is not known by name only a request can show it.
    let refuses_no_end =
        api == Api::Responses || listing.kind().is_some_and(|kind| !kind.takes_ignore_eos());
    if workload.ignore_eos && refuses_no_end {
        info.notes.push(no_ignore_eos(&info.facts.name));
    }
    let adapter = OpenAi::new(Config {
        api,
        path_and_query: address.path_and_query(listing.base(&address), api.route()),
        headers: given.headers,
        model,
        stream: target.stream,
        max_tokens: workload.max_tokens,
        ignore_eos: workload.ignore_eos && !refuses_no_end,
        extra: given.extra,
        facts: info.facts.clone(),
    });
    Ok((Arc::new(adapter), info))
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
    let is_bare = address.bases.len() > 1;
    let native = listing.kind().and_then(Kind::native);
    Ok(Described {
        info,
        is_sure,
        native: native.filter(|_| is_bare),
    })
}

/// What asking for the models showed.
struct Listing {
    /// The answers under each base, in turn.
    answers: Vec<(String, Asked<Vec<Model>>)>,
}

impl Listing {
    async fn ask(address: &Address, control: &Control) -> Self {
        let mut answers = Vec::new();
        for base in &address.bases {
            let asked = Asked::get(&address.url(base, "/models"), control, models_in).await;
            let is_last = !asked.is_elsewhere();
            answers.push((base.clone(), asked));
            if is_last {
                break;
            }
        }
        Self { answers }
    }

    /// The base whose answer says most.
    fn best(&self) -> Option<&(String, Asked<Vec<Model>>)> {
        let told = self.answers.iter().find(|(_, asked)| !asked.is_elsewhere());
        told.or_else(|| self.answers.first())
    }

    fn base<'a>(&'a self, address: &'a Address) -> &'a str {
        self.best()
            .map_or_else(|| address.default_base(), |(base, _)| base)
    }

    fn asked(&self) -> Option<&Asked<Vec<Model>>> {
        self.best().map(|(_, asked)| asked)
    }

    fn models(&self) -> &[Model] {
        let told = self.asked().and_then(Asked::told);
        told.map_or(&[], Vec::as_slice)
    }

    /// An OpenAI-compatible server answered: a list, or a gate before one that speaks JSON.
    fn is_openai(&self) -> bool {
        let is_one = |asked: &Asked<_>| asked.told().is_some() || asked.is_gate();
        self.asked().is_some_and(is_one)
    }

    fn fail_while_loading(&self) -> Result<(), PrepareError> {
        self.asked().map_or(Ok(()), Asked::fail_while_loading)
    }

    fn fail_if_redirected(&self) -> Result<(), PrepareError> {
        self.asked().map_or(Ok(()), Asked::fail_if_redirected)
    }

    fn fail_unless_reached(&self) -> Result<(), PrepareError> {
        self.asked().map_or(Ok(()), Asked::fail_unless_reached)
    }

    /// A list that does not hold the name rules it out; no list rules out nothing.
    fn may_have(&self, name: &str) -> bool {
        let models = self.models();
        models.is_empty() || models.iter().any(|model| model.id == name)
    }

    fn kind(&self) -> Option<Kind> {
        match &self.best()?.1 {
            Asked::Told(models, headers) => Kind::guess(headers, models),
            Asked::Answered(answer) => Kind::guess(&answer.headers, &[]),
            Asked::Unreachable(_) => None,
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
                    401 | 403 => PrepareError::Refused(vec![key_issue(
                        answer,
                        has_key,
                        ", or type the model's name to go on",
                    )]),
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
        let route = address.shown(&format!("{base}{}", api.route()));
        info.facts = facts_of(api.protocol(), kind.map_or("", Kind::name), version, route);
        info.facts.model = self.models().first().map(|m| m.id.clone());
        self.tell(&mut info);
        info
    }

    /// Evidence and notes.
    fn tell(&self, info: &mut TargetInfo) {
        let Some((base, asked)) = self.best() else {
            return;
        };
        let route = format!("{base}/models");
        match asked.told().map(Vec::len) {
            Some(0) => {
                info.evidence
                    .push(format!("GET {route} answered 200 with an empty list"));
                info.notes
                    .push("The server lists no models; type the model's name".to_owned());
            }
            Some(n) => {
                let s = if n == 1 { "" } else { "s" };
                info.evidence
                    .push(format!("GET {route} answered 200 with {n} model{s}"));
            }
            None => asked.tell_why_not(&route, "Models cannot be listed", info),
        }
    }
}

fn no_model(why: &str) -> PrepareError {
    PrepareError::refused(
        "target.model",
        format!("The server lists no models ({why}); type the model's name"),
    )
}
