//! A run's prompts: fetched, read and made before its clock starts, with the prepared target at hand.

use secrecy::SecretString;
use url::Url;

use crate::domain::{Issue, Target, TargetInfo};
use crate::protocol::{self, PrepareError, SharedAdapter};
use crate::workload::{Needs, PromptSource, TokenizeRoute};

/// Makes the prompts and gives the target what files they name. What the person should know joins the target's notes.
///
/// # Errors
/// What is wrong, at the plan's field.
pub(super) async fn make(
    mut needs: Needs,
    target: &Target,
    key: Option<&SecretString>,
    adapter: &SharedAdapter,
    info: &mut TargetInfo,
) -> Result<PromptSource, Vec<Issue>> {
    let one = |issue| vec![issue];
    needs.protocol = info.protocol;
    if needs.wants_server() {
        needs.tokenize = tokenize_route(target, key, info);
    }
    let made = tokio::task::spawn_blocking(move || PromptSource::make(needs)).await;
    let prompts = made.map_err(|error| {
        let message = format!("the prompts could not be read: {error}");
        one(Issue::new("workload", message))
    })?;
    let prompts = prompts.map_err(one)?;
    let brought = adapter.bring(prompts.payloads()).await;
    info.notes.extend(prompts.facts().notes.iter().cloned());
    info.notes.extend(brought.map_err(issues_of)?);
    Ok(prompts)
}

/// Where the prepared server may be asked for tokens: its own address, over a client like the one that prepared it.
fn tokenize_route(
    target: &Target,
    key: Option<&SecretString>,
    info: &TargetInfo,
) -> Option<TokenizeRoute> {
    Some(TokenizeRoute {
        control: protocol::connect(target, key).ok()?,
        base: Url::parse(&info.url).ok()?,
        model: info.facts.model.clone(),
    })
}

/// What keeps a target from being prepared, as issues.
pub(super) fn issues_of(error: PrepareError) -> Vec<Issue> {
    match error {
        PrepareError::Refused(issues) => issues,
        PrepareError::Unreachable(failure) => {
            vec![Issue::new("target.unreachable", failure.message)]
        }
    }
}
