//! What a run's requests ask: fetched, read and made before the clock starts.

use secrecy::SecretString;
use url::Url;

use crate::domain::{DatasetRef, Issue, Target, TargetInfo, TokenizerRef};
use crate::protocol::{self, PrepareError, SharedAdapter};
use crate::workload::{Needs, PromptSource, TokenizeRoute};

/// Gathers what prompts are made of, before the target is asked: what a file or the Hub does not have is told
/// although the target may not answer either.
///
/// # Errors
/// What cannot be had, at its field.
pub(super) async fn gather(mut needs: Needs) -> Result<Needs, Vec<Issue>> {
    let missing = missing_files(&needs);
    if !missing.is_empty() {
        return Err(missing);
    }
    needs.fetch().await.map_err(|issue| vec![issue])?;
    Ok(needs)
}

/// Files that the plan names and that are not there.
fn missing_files(needs: &Needs) -> Vec<Issue> {
    let traces = needs.traces.iter();
    let traces = traces.map(|t| (format!("stages.{}.load.replay", t.stage.index()), &t.path));
    let (workload, mut tokenizer) = (&needs.workload, needs.workload.tokenizer.clone());
    let mut dataset = workload.dataset.clone();
    let named = [
        ("workload.prompts_file", workload.prompts_file.as_ref()),
        (
            "workload.dataset",
            dataset.as_mut().and_then(DatasetRef::path_mut).map(|p| &*p),
        ),
        (
            "workload.tokenizer",
            tokenizer
                .as_mut()
                .and_then(TokenizerRef::path_mut)
                .map(|p| &*p),
        ),
    ];
    let named = named
        .into_iter()
        .filter_map(|(field, path)| Some((field.to_owned(), path?)));
    let named = named.chain(traces);
    named
        .filter(|(_, path)| !path.exists())
        .map(|(field, path)| {
            let message = format!("there is no such file: “{}”", path.display());
            Issue::new(field, message)
        })
        .collect()
}

/// Makes the prompts, and lets the adapter take what they bring beside their text. Gives notes, too.
///
/// # Errors
/// What cannot be read, made or taken, at its field.
pub(super) async fn make(
    mut needs: Needs,
    target: &Target,
    key: Option<&SecretString>,
    adapter: &SharedAdapter,
    info: &TargetInfo,
) -> Result<(PromptSource, Vec<String>), Vec<Issue>> {
    needs.protocol = info.facts.protocol;
    if needs.wants_server() {
        needs.tokenize = route(target, key, info)?;
    }
    let made = tokio::task::spawn_blocking(move || PromptSource::make(needs)).await;
    let made = made.map_err(|e| {
        let message = format!("the prompts could not be read: {e}");
        vec![Issue::new("workload", message)]
    })?;
    let prompts = made.map_err(|issue| vec![issue])?;
    let mut notes = prompts.facts().notes.clone();
    let payloads = prompts.payloads();
    if !payloads.is_empty() {
        notes.extend(adapter.bring(payloads).await.map_err(issues_of)?);
    }
    Ok((prompts, notes))
}

/// Where the server counts tokens; `None` where its address is no URL.
fn route(
    target: &Target,
    key: Option<&SecretString>,
    info: &TargetInfo,
) -> Result<Option<TokenizeRoute>, Vec<Issue>> {
    let control = protocol::connect(target, key).map_err(issues_of)?;
    Ok(Url::parse(&info.url).ok().map(|base| TokenizeRoute {
        control,
        base,
        model: info.facts.model.clone(),
    }))
}

/// The issues of what could not be prepared; a target that does not answer has a field of its own.
pub(super) fn issues_of(error: PrepareError) -> Vec<Issue> {
    match error {
        PrepareError::Refused(issues) => issues,
        PrepareError::Unreachable(failure) => {
            vec![Issue::new("target.unreachable", failure.message)]
        }
    }
}
