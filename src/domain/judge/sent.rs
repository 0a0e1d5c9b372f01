//! Doubts about what was sent and what came back for it: prompts that a server knew already, and lengths that are not
//! those of the plan.

use super::super::{Caution, CautionId, PromptSharing};
use super::cautions::caution;
use super::{Facts, Ledger, Lengths, MAX_CUT_SHARE, MAX_LENGTH_SHARE};

pub(super) fn all(facts: &Facts<'_>, ledger: &mut Ledger) {
    ledger.doubt(repeated_prompts(facts));
    ledger.doubt(prefix_cache(facts));
    if facts.records.input.n > 0 {
        ledger.doubt(input_length(facts));
    }
    if facts.records.output.n > 0 {
        ledger.doubt(output_length(facts));
        ledger.doubt(cut_answers(facts));
    }
}

/// Prompts are made by length rather than taken from the plan or a dataset.
fn is_synthetic(facts: &Facts<'_>) -> bool {
    let workload = &facts.plan.workload;
    workload.input_tokens.is_some() && workload.dataset.is_none()
}

fn repeated_prompts(facts: &Facts<'_>) -> Option<Caution> {
    let workload = &facts.plan.workload;
    let (n, distinct) = (facts.records.n_prompts, facts.records.n_distinct_prompts);
    // Synthetic prompts have markers of their own, or none.
    if (workload.nonce && !is_synthetic(facts)) || distinct >= n {
        return None;
    }
    let prompts = if distinct == 1 { "prompt" } else { "prompts" };
    let is_fixed = is_synthetic(facts) && workload.sharing == PromptSharing::Fixed;
    let finding = if is_fixed {
        format!("{n} requests sent the same prompt, as the plan asks (sharing fixed)")
    } else if workload.turns > 1 {
        format!("{n} conversations began with {distinct} different {prompts}")
    } else if workload.dataset.is_some() {
        format!("{n} requests shared {distinct} different {prompts} of the dataset")
    } else {
        format!("{n} requests shared {distinct} different {prompts}")
    };
    let advice = if is_fixed {
        "Read time to first token as that of a prompt that the server knows, or set sharing to unique"
    } else if workload.dataset.is_some() {
        "Take a dataset with more rows, or switch on the unique marker before each prompt"
    } else {
        "Switch on the unique marker before each prompt, or give more prompts"
    };
    Some(caution(
        CautionId::RepeatedPrompts,
        None,
        finding,
        "A server with a prefix cache answers a prompt that it knows faster than a new one",
        advice,
    ))
}

fn prefix_cache(facts: &Facts<'_>) -> Option<Caution> {
    let n = facts.run.cached_tokens;
    if n == 0 {
        return None;
    }
    let workload = &facts.plan.workload;
    let (cached, of) = (facts.records.cached_tokens, facts.records.cached_of);
    let share = if of > 0 && cached > 0 {
        let percent = cached as f64 / of as f64 * 100.0;
        format!(", {percent:.0} % of those of the measured requests")
    } else {
        String::new()
    };
    let is_shared = is_synthetic(facts) && workload.sharing != PromptSharing::Unique;
    let (cause, advice) = if workload.turns > 1 {
        (
            "Every turn sends the conversation so far again, and the cache saves most of that: so it is for people who chat, but later turns are no new prompts",
            "Compare turn with turn, and runs of the same number of turns",
        )
    } else if is_shared {
        (
            "The plan's prompts have text in common (sharing), and what is in the cache is not computed again",
            "Read time to first token as that of prompts with this much in common, or set sharing to unique",
        )
    } else {
        (
            "What is in the cache is not computed again, so time to first token is better than for new prompts",
            "Switch on the unique marker before each prompt, or say that the cache is meant to be warm",
        )
    };
    Some(caution(
        CautionId::PrefixCache,
        None,
        format!("The server took {n} prompt tokens from its cache{share}"),
        cause,
        advice,
    ))
}

/// How far the mean is from the one asked, as a share, where that is too far.
fn off(lengths: Lengths) -> Option<(f64, f64, f64)> {
    let (asked, got) = lengths.means()?;
    let share = got / asked - 1.0;
    (asked > 0.0 && share.abs() > MAX_LENGTH_SHARE).then_some((asked, got, share))
}

fn input_length(facts: &Facts<'_>) -> Option<Caution> {
    let (asked, got, share) = off(facts.records.input)?;
    Some(caution(
        CautionId::InputLength,
        None,
        format!(
            "Prompts had {got:.0} tokens on average where {asked:.0} were asked ({:+.0} %)",
            share * 100.0
        ),
        "The server counts its chat template and the system prompt too, and with another tokenizer than the one that made the prompts it counts other tokens",
        "Make prompts with the server's tokenizer (tokenizer server, or the model's own), or read lengths as the server counts them",
    ))
}

fn output_length(facts: &Facts<'_>) -> Option<Caution> {
    if !facts.plan.workload.ignore_eos {
        return None;
    }
    let (asked, got, share) = off(facts.records.output)?;
    Some(caution(
        CautionId::OutputLength,
        None,
        format!(
            "Answers had {got:.0} tokens on average where {asked:.0} were asked ({:+.0} %), though ignore_eos is set",
            share * 100.0
        ),
        "The server does not take ignore_eos, or another limit, such as the context's length, ended the answers",
        "Look at the notes of the run's start and at one answer's finish reason, or take lengths that the model reaches by itself",
    ))
}

/// A limit of `max_tokens` that is meant to be a length (`output_tokens`, `ignore_eos`) is none of this.
fn cut_answers(facts: &Facts<'_>) -> Option<Caution> {
    let workload = &facts.plan.workload;
    if workload.ignore_eos || workload.output_tokens.is_some() {
        return None;
    }
    let (n, n_cut) = (facts.records.output.n, facts.records.n_at_limit);
    let share = n_cut as f64 / n.max(1) as f64;
    let limit = workload.max_tokens?;
    (share > MAX_CUT_SHARE).then(|| {
        caution(
            CautionId::CutAnswers,
            None,
            format!(
                "{n_cut} of {n} answers ended at max_tokens ({limit}): {:.0} %",
                share * 100.0
            ),
            "They were cut off by the plan's limit, so total times tell of that limit and not of whole answers; times of tokens stay right",
            "Raise max_tokens, or set ignore_eos where answers of just this length are meant",
        )
    })
}
