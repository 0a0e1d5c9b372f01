//! Before a run: the template's texts are read and the address is put together. Nothing is asked, since whatever the
//! endpoint answers to may generate.

use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{AnyHttp, Config};
use crate::domain::{
    Encoding, Framing, Issue, Protocol, ServerFacts, Slot, SlotText, Target, TargetInfo, Template,
    Workload,
};
use crate::protocol::asked::{Asked, named_model};
use crate::protocol::body::parse_extra;
use crate::protocol::headers::target_headers;
use crate::protocol::openai::Address;
use crate::protocol::target_url::target_url;
use crate::protocol::{PrepareError, SharedAdapter};
use crate::transport::Control;

/// Makes the adapter from the target's template.
pub fn prepare(
    target: &Target,
    workload: &Workload,
    key: Option<&SecretString>,
) -> Result<(SharedAdapter, TargetInfo), PrepareError> {
    let refuse = |issue| PrepareError::Refused(vec![issue]);
    let url = target_url(&target.url).map_err(refuse)?;
    let issues = target.check();
    if !issues.is_empty() {
        return Err(PrepareError::Refused(issues));
    }
    let Some(template) = target.template.clone() else {
        let message = "The endpoint has no template, which says how it is asked";
        return Err(PrepareError::refused("target.template", message));
    };
    let extra = parse_extra(&workload.extra_body).map_err(refuse)?;
    if !extra.is_empty() && !has_json_object(&template) {
        let message = "The template's body is no JSON object, so nothing can be merged over it; write it into the body";
        return Err(PrepareError::refused("workload.extra_body", message));
    }
    let at = |field: &'static str| move |message| PrepareError::refused(field, message);
    let path = path_of(&url, &template).map_err(at("target.template.path"))?;
    let body = template.body_slots().map_err(at("target.template.body"))?;
    let mut info = info_of(&url);
    let model = named_model(target).map(str::to_owned);
    let (address, _) = Address::below(&url, &[]);
    let route = template.path.split('?').next().unwrap_or_default();
    info.facts.route = address.shown(if route.is_empty() { url.path() } else { route });
    info.facts.model.clone_from(&model);
    info.notes = without_slot(target, workload, &template);
    let adapter = AnyHttp::new(Config {
        headers: headers_of(target, &template, key)?,
        path,
        body,
        model,
        max_tokens: workload.max_tokens,
        extra,
        facts: info.facts.clone(),
        template,
    });
    Ok((Arc::new(adapter), info))
}

/// Parts of a plan that the template has no slot for.
fn without_slot(target: &Target, workload: &Workload, template: &Template) -> Vec<String> {
    let has = |slots: &[Slot]| slots.iter().any(|slot| template.has_slot(*slot));
    let has_system = has(&[Slot::System, Slot::Messages]);
    let has_length = has(&[Slot::MaxTokens]);
    let lost = [
        (!workload.system.is_empty() && !has_system).then_some(("workload.system", Slot::System)),
        (workload.max_tokens.is_some() && !has_length)
            .then_some(("workload.max_tokens", Slot::MaxTokens)),
        (workload.output_tokens.is_some() && !has_length)
            .then_some(("workload.output_tokens", Slot::MaxTokens)),
        (named_model(target).is_some() && !has(&[Slot::Model]))
            .then_some(("target.model", Slot::Model)),
    ];
    let note = |(field, slot): (&str, Slot)| {
        let slot = slot.name();
        format!(
            "`{field}` is not sent: the template has no slot for it; write {{{{{slot}}}}} into its body or path"
        )
    };
    let mut notes: Vec<String> = lost.into_iter().flatten().map(note).collect();
    if !template.asks_prompt() {
        notes.push(
            "Every request is the same: the template has no slot for the prompt; write {{prompt}} or {{messages}} into its body or path"
                .to_owned(),
        );
    }
    if workload.ignore_eos {
        notes.push(
            "`workload.ignore_eos` is not sent: write what your server takes for it into the template's body"
                .to_owned(),
        );
    }
    notes
}

/// Whether something answers at the origin; what, only a request would show.
pub async fn describe(url: &Url, control: &Control) -> Result<TargetInfo, PrepareError> {
    let (address, _) = Address::below(url, &[]);
    let asked: Asked<()> = Asked::get(&address.origin, control, |_| None).await;
    asked.fail_unless_reached()?;
    let mut info = info_of(url);
    if let Asked::Answered(answer) = &asked {
        info.evidence
            .push(format!("GET / answered {}", answer.status));
    }
    Ok(info)
}

fn info_of(url: &Url) -> TargetInfo {
    TargetInfo {
        url: url.as_str().trim_end_matches('/').to_owned(),
        protocol: Protocol::Http,
        facts: ServerFacts {
            protocol: Protocol::Http,
            ..ServerFacts::default()
        },
        ..TargetInfo::default()
    }
}

fn has_json_object(template: &Template) -> bool {
    template.encoding() == Encoding::Json && template.body.trim_start().starts_with('{')
}

/// The template's path in front of what the request line takes: rooted, and below the target's own where it is relative.
fn path_of(url: &Url, template: &Template) -> Result<SlotText, String> {
    let own = template.path.trim();
    let text = if own.is_empty() {
        match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        }
    } else if own.starts_with('/') {
        own.to_owned()
    } else {
        format!("{}/{own}", url.path().trim_end_matches('/'))
    };
    SlotText::parse(&text, Encoding::Percent)
}

/// The person's headers win; the key goes where the template says.
fn headers_of(
    target: &Target,
    template: &Template,
    key: Option<&SecretString>,
) -> Result<http::HeaderMap, PrepareError> {
    let mut headers = target_headers(target, key).map_err(PrepareError::Refused)?;
    let issue = |field: &str, message: &str| {
        PrepareError::Refused(vec![Issue::new(field, message.to_owned())])
    };
    if let (Some(name), Some(key)) = (&template.key_header, key) {
        let name = HeaderName::try_from(name.trim())
            .map_err(|_unfit| issue("target.template.key_header", "is not a header's name"))?;
        let mut value = HeaderValue::try_from(key.expose_secret().trim()).map_err(|_unfit| {
            issue(
                "target.key",
                "The key holds characters that no header can carry",
            )
        })?;
        value.set_sensitive(true);
        headers.remove(AUTHORIZATION);
        headers.insert(name, value);
    }
    let accept = match template.framing {
        Framing::Sse => "text/event-stream",
        Framing::Ndjson => "application/x-ndjson, application/json",
        Framing::OneShot => "*/*",
    };
    headers
        .entry(ACCEPT)
        .or_insert(HeaderValue::from_static(accept));
    if !template.body.is_empty() {
        let kind = HeaderValue::try_from(template.content_type.trim())
            .map_err(|_unfit| issue("target.template.content_type", "is not a media type"))?;
        headers.entry(CONTENT_TYPE).or_insert(kind);
    }
    Ok(headers)
}
