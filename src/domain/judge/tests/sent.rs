//! Prompts that come again, lengths that are not those asked.

use super::*;
use crate::domain::PromptSharing;

/// Requests whose prompts are a few, over and over.
fn repeated(n: u64) -> Case {
    let mut case = clean();
    for r in &mut case.records {
        r.prompt = Some(TextFacts {
            chars: 5,
            hash: format!("{:016x}", r.seq % n),
            text: None,
        });
    }
    case
}

#[test]
fn who_asks_for_the_same_prompt_is_told_what_it_means() {
    let mut case = repeated(1);
    case.plan.workload.input_tokens = Some("200".parse().unwrap());
    case.plan.workload.sharing = PromptSharing::Fixed;
    let caution = cautioned(&case, CautionId::RepeatedPrompts, "as the plan asks");
    assert!(!caution.advice.contains("marker"), "{}", caution.advice);
    case.plan.workload.nonce = true;
    cautioned(&case, CautionId::RepeatedPrompts, "as the plan asks");
    case.plan.workload.nonce = false;
    case.plan.workload.sharing = PromptSharing::Unique;
    let caution = cautioned(
        &case,
        CautionId::RepeatedPrompts,
        "shared 1 different prompt",
    );
    assert!(caution.advice.contains("marker"), "{}", caution.advice);
}

#[test]
fn a_dataset_that_is_too_small_is_named() {
    let mut case = repeated(7);
    case.plan.workload.dataset = Some("a.jsonl".parse().unwrap());
    let caution = cautioned(&case, CautionId::RepeatedPrompts, "prompts of the dataset");
    assert!(caution.advice.contains("more rows"), "{}", caution.advice);
}

#[test]
fn conversations_are_held_against_each_other_by_their_first_turns() {
    let mut case = repeated(7);
    case.plan.workload.turns = 4;
    for r in &mut case.records {
        r.turn = Some(u32::try_from(r.seq % 4).unwrap());
    }
    cautioned(
        &case,
        CautionId::RepeatedPrompts,
        "100 conversations began with 7 different prompts",
    );
    // Later turns say “go on” each time, and that is no repetition.
    for r in case.records.iter_mut().filter(|r| r.turn == Some(0)) {
        r.prompt.as_mut().unwrap().hash = format!("{:016x}", 1000 + r.seq);
    }
    assert_eq!(case.judge().1, []);
}

#[test]
fn the_prefix_cache_is_told_by_what_the_plan_sends() {
    let mut case = clean();
    case.run.cached_tokens = 20_000;
    for r in &mut case.records {
        r.tokens_in = Some(100);
        r.cached_tokens = Some(50);
    }
    let plain = cautioned(
        &case,
        CautionId::PrefixCache,
        "20000 prompt tokens from its cache, 50 % of those of the measured requests",
    );
    assert!(plain.advice.contains("unique marker"), "{}", plain.advice);
    let mut of_turns = case;
    of_turns.plan.workload.turns = 3;
    let turns = cautioned(&of_turns, CautionId::PrefixCache, "50 %");
    assert!(turns.advice.contains("turn with turn"), "{}", turns.advice);
    let mut shared = of_turns;
    shared.plan.workload.turns = 1;
    shared.plan.workload.input_tokens = Some("100".parse().unwrap());
    shared.plan.workload.sharing = PromptSharing::Shared(0.5);
    let shared = cautioned(&shared, CautionId::PrefixCache, "50 %");
    assert!(shared.cause.contains("in common"), "{}", shared.cause);
}

#[test]
fn prompts_of_another_length_than_asked() {
    let mut case = clean();
    for r in &mut case.records {
        r.tokens_in_asked = Some(200);
        r.tokens_in = Some(209);
    }
    assert_eq!(case.judge().1, [], "4.5 %");
    for r in &mut case.records {
        r.tokens_in = Some(231);
    }
    cautioned(
        &case,
        CautionId::InputLength,
        "231 tokens on average where 200 were asked (+16 %)",
    );
    // Later turns carry the history.
    for r in &mut case.records {
        r.turn = Some(1);
    }
    assert_eq!(case.judge().1, []);
}

#[test]
fn answers_of_another_length_than_asked() {
    let mut case = clean();
    case.plan.workload.ignore_eos = true;
    for r in &mut case.records {
        r.tokens_out_asked = Some(11);
    }
    assert_eq!(case.judge().1, [], "each has eleven");
    for r in &mut case.records {
        r.tokens_out_asked = Some(44);
    }
    cautioned(
        &case,
        CautionId::OutputLength,
        "11 tokens on average where 44 were asked (-75 %)",
    );
    // Where the model may stop, it may stop.
    case.plan.workload.ignore_eos = false;
    assert_eq!(case.judge().1, []);
}

#[test]
fn answers_that_end_at_the_limit() {
    let mut case = clean();
    case.plan.workload.max_tokens = Some(12);
    assert_eq!(case.judge().1, [], "each has eleven");
    case.plan.workload.max_tokens = Some(11);
    cautioned(
        &case,
        CautionId::CutAnswers,
        "400 of 400 answers ended at max_tokens (11): 100 %",
    );
    for meant in [true, false] {
        let mut case = clean();
        case.plan.workload.max_tokens = Some(11);
        case.plan.workload.ignore_eos = meant;
        case.plan.workload.output_tokens = (!meant).then(|| "11".parse().unwrap());
        assert_eq!(case.judge().1, [], "{meant}");
    }
    // Chunks are no tokens: what is counted from them tells nothing.
    for r in &mut case.records {
        r.token_source = Some(crate::domain::TokenSource::Chunks);
    }
    assert_eq!(case.judge().1, []);
}
