//! Before a run: which model it is, and how long its prompts may be. Asks `/info`; never anything that generates.

use std::sync::Arc;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{Config, ROUTES, Tgi};
use crate::domain::{Protocol, Target, TargetInfo, Workload};
use crate::protocol::asked::{Asked, Described, Given, facts_of, key_issue, named_model};
use crate::protocol::openai::Address;
use crate::protocol::{PrepareError, SharedAdapter};
use crate::transport::Control;

/// `/info` as far as it is of use.
#[derive(Deserialize)]
struct Info {
    model_id: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default, alias = "max_input_length")]
    max_input_tokens: Option<u64>,
    #[serde(default)]
    max_total_tokens: Option<u64>,
}

/// Makes the adapter. A server that cannot be asked is no error as long as the plan names a model.
pub async fn prepare(
    target: &Target,
    workload: &Workload,
    key: Option<&SecretString>,
    control: &Control,
) -> Result<(SharedAdapter, TargetInfo), PrepareError> {
    let given = Given::read(target, workload, key)?;
    let (address, _) = address_of(&given.url);
    let asked = ask(&address, control).await;
    asked.fail_if_redirected()?;
    let named = named_model(target);
    if named.is_none() {
        asked.fail_unless_reached()?;
        asked.fail_while_loading()?;
        if let Asked::Answered(answer) = &asked
            && asked.is_gate()
        {
            let issue = key_issue(answer, key.is_some(), ", or name the model to go on");
            return Err(PrepareError::Refused(vec![issue]));
        }
    }
    let mut info = to_info(&asked, &address, target.stream);
    if let Some(served) = asked.told().map(|info| info.model_id.as_str())
        && let Some(named) = named.filter(|named| *named != served)
    {
        info.notes.push(format!(
            "The server has one model, “{served}”, and serves it though the plan names “{named}”"
        ));
    }
    let named = named.map(str::to_owned);
    info.facts.model = info.facts.model.take().or(named);
    let adapter = Tgi::new(Config {
        path_and_query: address.path_and_query(address.default_base(), route(target.stream)),
        headers: given.headers,
        stream: target.stream,
        max_tokens: workload.max_tokens,
        extra: given.extra,
        facts: info.facts.clone(),
    });
    Ok((Arc::new(adapter), info))
}

/// Asks whether it is one.
pub async fn describe(url: &Url, control: &Control) -> Result<Described, PrepareError> {
    let (address, route) = address_of(url);
    let asked = ask(&address, control).await;
    asked.fail_if_redirected()?;
    asked.fail_unless_reached()?;
    asked.fail_while_loading()?;
    Ok(Described {
        info: to_info(&asked, &address, route != Some(ROUTES[1])),
        is_sure: asked.told().is_some(),
        native: None,
    })
}

/// Also of its page for people and of `/info`, `/health` and `/metrics`.
fn address_of(url: &Url) -> (Address, Option<&'static str>) {
    let [stream, whole] = ROUTES;
    Address::below(
        url,
        &[stream, whole, "/info", "/health", "/metrics", "/docs"],
    )
}

fn route(stream: bool) -> &'static str {
    let [streamed, whole] = ROUTES;
    if stream { streamed } else { whole }
}

async fn ask(address: &Address, control: &Control) -> Asked<Info> {
    let url = address.url(address.default_base(), "/info");
    Asked::get(&url, control, |body| serde_json::from_slice(body).ok()).await
}

fn to_info(asked: &Asked<Info>, address: &Address, stream: bool) -> TargetInfo {
    let base = address.default_base();
    let told = asked.told();
    let version = told.and_then(|info| info.version.clone());
    let shown = address.shown(&format!("{base}{}", route(stream)));
    let url = address.url(base, "");
    let mut info = TargetInfo {
        url: url.as_str().trim_end_matches('/').to_owned(),
        protocol: Protocol::Tgi,
        facts: facts_of(Protocol::Tgi, "TGI", version, shown),
        ..TargetInfo::default()
    };
    let asked_route = format!("{base}/info");
    asked.tell_why_not(
        &asked_route,
        "The server does not say what it serves",
        &mut info,
    );
    if let Some(told) = told {
        info.facts.model = Some(told.model_id.clone());
        info.models = vec![told.model_id.clone()];
        info.evidence.push(format!(
            "GET {asked_route} answered 200 with the model “{}”",
            told.model_id
        ));
        if let (Some(input), Some(total)) = (told.max_input_tokens, told.max_total_tokens) {
            info.notes.push(format!(
                "The server takes prompts of at most {input} tokens, {total} with the answer"
            ));
        }
    }
    info
}
