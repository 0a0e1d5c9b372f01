//! Where a run stands, in words: a stage of a list, a step of a sweep, a probe of a search, a run of a varied plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::chart::format;
use crate::domain::{Load, Made, MadeBy, RunData, StageIdx, Variation};

/// Place and level of a stage: `Stage 2 of 3` and `10 users`, `Step 3 of 8` and `42 req/s`, `Probe 4` and `16 users`.
pub fn stage_words(run: &RunData, stage: StageIdx) -> (String, String) {
    let plan = run.plan();
    let level = plan
        .stage(stage)
        .map(|s| s.load.label())
        .unwrap_or_default();
    let made = |idx: StageIdx| {
        let mut of_stage = run.borders.iter().filter(|b| b.stage == idx);
        of_stage.find_map(|b| b.made.as_ref())
    };
    let Some(this) = made(stage) else {
        let n = run.head.plan.stages.len();
        let nth = asked_index(run, stage) + 1;
        return (format!("Stage {nth} of {n}"), level);
    };
    // Those of the same sweep or search so far.
    let same = run.borders.iter().filter(|b| b.stage <= stage);
    let same = same.filter_map(|b| b.made.as_ref());
    let nth = same
        .filter(|m| m.of == this.of && m.why == this.why)
        .count();
    let asked = run.head.plan.stage(this.of).map(|s| &s.load);
    let place = match this.why {
        MadeBy::Throughput => "Finding the most".to_owned(),
        MadeBy::Step => match asked {
            Some(Load::Sweep { steps, .. }) => format!("Step {nth} of {steps}"),
            _ => format!("Step {nth}"),
        },
        MadeBy::Probe => format!("Probe {nth}"),
        MadeBy::Changed | MadeBy::Resumed => {
            let n = run.head.plan.stages.len();
            format!("Stage {} of {n}", this.of.index() + 1)
        }
    };
    (place, level)
}

/// Which stage of the plan as asked a stage is that was not made on the way: those made before it do not count.
fn asked_index(run: &RunData, stage: StageIdx) -> usize {
    let before = run.borders.iter().filter(|b| b.stage < stage);
    let made: BTreeMap<StageIdx, &Made> = before
        .filter_map(|b| Some((b.stage, b.made.as_ref()?)))
        .collect();
    let unfolded = made.values().filter(|m| {
        let asked = run.head.plan.stage(m.of);
        asked.is_some_and(|s| s.load.unfolds())
    });
    let unfolded: BTreeSet<StageIdx> = unfolded.map(|m| m.of).collect();
    (stage.index() + unfolded.len()).saturating_sub(made.len())
}

/// `Run 2 of 6: max_tokens 64`, where the run is one of a varied plan.
pub fn variation_words(run: &RunData) -> Option<String> {
    run.head.variation.as_ref().map(words_of)
}

pub(crate) fn words_of(variation: &Variation) -> String {
    let values = values_of(variation);
    let place = format!("Run {} of {}", variation.index + 1, variation.of);
    if values.is_empty() {
        place
    } else {
        format!("{place}: {values}")
    }
}

/// `max_tokens 64, model b`.
pub(crate) fn values_of(variation: &Variation) -> String {
    let short = |field: &str| field.rsplit('.').next().unwrap_or(field).to_owned();
    let values = variation.values.iter();
    let values: Vec<String> = values
        .map(|(field, value)| format!("{} {value}", short(field)))
        .collect();
    values.join(", ")
}

/// `1 to 64 users`, `4 to 24 req/s`, `sweep over rates, 9 stages`.
pub fn load_words(run: &RunData) -> String {
    let asked = &run.head.plan.stages;
    let n = run.plan().stages.len();
    if let [only] = asked.as_slice()
        && only.load.unfolds()
    {
        let stages = if n == 1 { "stage" } else { "stages" };
        return format!("{}, {n} {stages}", only.load.label());
    }
    let stages = &run.plan().stages;
    let over = stages.first().and_then(|s| s.load.over());
    if stages.iter().any(|s| s.load.over() != over) {
        return format!("{n} stages of different kinds");
    }
    let by_level = |a: &&crate::domain::Stage, b: &&crate::domain::Stage| {
        a.load.level().total_cmp(&b.load.level())
    };
    let ends = (
        stages.iter().min_by(by_level),
        stages.iter().max_by(by_level),
    );
    match ends {
        (Some(low), Some(high)) if low.load.level() < high.load.level() => {
            format!(
                "{} to {}",
                format::number(low.load.level()),
                high.load.label()
            )
        }
        (_, Some(high)) => high.load.label(),
        _ => String::new(),
    }
}
