//! Before a run: which models there are, and which version it is. Asks `/api/tags` and `/api/version`; never anything that
//! generates or loads a model.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::{Api, Config, Ollama};
use crate::domain::{Issue, Protocol, Target, TargetInfo, Workload};
use crate::protocol::asked::{Asked, Described, Given, facts_of, key_issue, named_model};
use crate::protocol::openai::Address;
use crate::protocol::{PrepareError, SharedAdapter};
use crate::transport::Control;

const TAGS: &str = "/api/tags";
const VERSION: &str = "/api/version";

/// Makes the adapter. A server that cannot be asked is no error as long as the plan names a model.
pub async fn prepare(
    target: &Target,
    workload: &Workload,
    key: Option<&SecretString>,
    control: &Control,
) -> Result<(SharedAdapter, TargetInfo), PrepareError> {
    let given = Given::read(target, workload, key)?;
    let (address, api) = address_of(&given.url);
    let tags = ask_tags(&address, control).await;
    tags.fail_if_redirected()?;
    let has_own = given.extra.contains_key("model");
    let named = named_model(target);
    let model = match named {
        Some(name) => Some(name.to_owned()),
        None if has_own => None,
        None => Some(first_model(&tags, key.is_some())?),
    };
    let version = ask_version(&address, control).await;
    let mut info = to_info(&tags, &version, &address, api);
    if let Some(name) = named.filter(|name| !may_have(&info.models, name)) {
        info.notes.push(format!(
            "“{name}” is not among the {} models that the server has; it answers 404 until it is pulled",
            info.models.len()
        ));
    }
    info.facts.model = model.clone().or_else(|| given.own_model());
    let adapter = Ollama::new(Config {
        api,
        path_and_query: address.path_and_query(address.default_base(), api.route()),
        headers: given.headers,
        model,
        stream: target.stream,
        max_tokens: workload.max_tokens,
        extra: given.extra,
        facts: info.facts.clone(),
    });
    Ok((Arc::new(adapter), info))
}

/// Asks whether it is one.
pub async fn describe(url: &Url, control: &Control) -> Result<Described, PrepareError> {
    let (address, api) = address_of(url);
    let version = ask_version(&address, control).await;
    version.fail_if_redirected()?;
    version.fail_unless_reached()?;
    version.fail_while_loading()?;
    let tags = ask_tags(&address, control).await;
    Ok(Described {
        info: to_info(&tags, &version, &address, api),
        is_sure: version.told().is_some(),
        native: None,
    })
}

/// The base, and the route: chat, unless the address ends in the other.
fn address_of(url: &Url) -> (Address, Api) {
    let [chat, generate] = Api::ALL.map(Api::route);
    let (address, route) = Address::below(url, &[chat, generate, TAGS, VERSION, "/api/ps", "/api"]);
    let api = Api::ALL.into_iter().find(|api| Some(api.route()) == route);
    (address, api.unwrap_or(Api::Chat))
}

async fn ask_tags(address: &Address, control: &Control) -> Asked<Vec<String>> {
    let url = address.url(address.default_base(), TAGS);
    Asked::get(&url, control, models_in).await
}

async fn ask_version(address: &Address, control: &Control) -> Asked<String> {
    let url = address.url(address.default_base(), VERSION);
    let read = |body: &[u8]| {
        let value: Value = serde_json::from_slice(body).ok()?;
        let version = value.get("version")?.as_str()?.trim();
        (!version.is_empty() && version.len() <= 64).then(|| version.to_owned())
    };
    Asked::get(&url, control, read).await
}

/// `{"models":[{"name":…}]}`.
fn models_in(body: &[u8]) -> Option<Vec<String>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let models = value.get("models")?.as_array()?;
    let name = |model: &Value| Some(model.get("name")?.as_str()?.to_owned());
    Some(models.iter().filter_map(name).collect())
}

/// A name without a tag means `:latest`; no list rules out nothing.
fn may_have(models: &[String], name: &str) -> bool {
    let is_it = |model: &String| model == name || model.strip_suffix(":latest") == Some(name);
    models.is_empty() || models.iter().any(is_it)
}

fn first_model(tags: &Asked<Vec<String>>, has_key: bool) -> Result<String, PrepareError> {
    if let Some(first) = tags.told().and_then(|models| models.first()) {
        return Ok(first.clone());
    }
    tags.fail_unless_reached()?;
    tags.fail_while_loading()?;
    let issue = match tags {
        Asked::Answered(answer) if tags.is_gate() => {
            key_issue(answer, has_key, ", or type the model's name to go on")
        }
        Asked::Answered(answer) => no_model(&format!("{TAGS} answered {}", answer.status)),
        Asked::Told(..) => no_model("none is pulled yet"),
        Asked::Unreachable(failure) => return Err(PrepareError::Unreachable(failure.clone())),
    };
    Err(PrepareError::Refused(vec![issue]))
}

fn no_model(why: &str) -> Issue {
    Issue::new(
        "target.model",
        format!("The server lists no models ({why}); type the model's name"),
    )
}

fn to_info(
    tags: &Asked<Vec<String>>,
    version: &Asked<String>,
    address: &Address,
    api: Api,
) -> TargetInfo {
    let base = address.default_base();
    let shown = address.shown(&format!("{base}{}", api.route()));
    let told = version.told().cloned();
    // The form keeps the route that was asked for, since it says which of the two is measured.
    let below = if api == Api::Generate {
        api.route()
    } else {
        ""
    };
    let url = address.url(base, below);
    let mut info = TargetInfo {
        url: url.as_str().trim_end_matches('/').to_owned(),
        protocol: Protocol::Ollama,
        facts: facts_of(Protocol::Ollama, "Ollama", told, shown),
        ..TargetInfo::default()
    };
    let version_route = format!("{base}{VERSION}");
    if let Some(version) = version.told() {
        info.evidence
            .push(format!("GET {version_route} answered 200 with “{version}”"));
    }
    version.tell_why_not(&version_route, "The version is not known", &mut info);
    let tags_route = format!("{base}{TAGS}");
    if let Some(models) = tags.told() {
        let n = models.len();
        let s = if n == 1 { "" } else { "s" };
        info.evidence
            .push(format!("GET {tags_route} answered 200 with {n} model{s}"));
        info.facts.model = models.first().cloned();
        info.models.clone_from(models);
        if n == 0 {
            info.notes
                .push("The server has no models yet; pull one, or type its name".to_owned());
        }
    }
    tags.tell_why_not(&tags_route, "Models cannot be listed", &mut info);
    info
}
