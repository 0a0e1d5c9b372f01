//! What happened on the axis of time: stages as zones, pauses, changes of the load, and the person's marks.

use crate::domain::{MadeBy, RunData, RunState, StageBorder};

use super::{Colour, LabelSide, Mark, Rule, Shape};

/// Words of a mark that stand in the plot; the rest is in the table.
const MARK_CHARS: usize = 28;

pub(super) fn zones(run: &RunData, end_secs: f64, is_named: bool) -> Vec<Mark> {
    let n = u16::try_from(run.plan().stages.len()).unwrap_or(u16::MAX);
    let span = |from: f64, to: f64, label: Option<String>| Shape::Span {
        from,
        to,
        label: label.filter(|_| is_named).unwrap_or_default(),
    };
    let names = run.plan().stage_names();
    let zone = |border: &StageBorder| {
        let label = names.get(border.stage.index()).cloned();
        let from = border.start_ns as f64 / 1e9;
        let to = border.end_ns.map_or(end_secs, |ns| ns as f64 / 1e9);
        let colour = Colour::Stage {
            i: border.stage.0,
            n,
        };
        Mark::new(colour, span(from, to, label))
    };
    let mut zones: Vec<Mark> = run.borders.iter().map(zone).collect();
    for (from, to) in pauses(run, end_secs) {
        let label = Some("paused".to_owned());
        zones.push(Mark::new(Colour::Muted, span(from, to, label)));
    }
    zones
}

/// From the end of what was paused to where it went on, or to the end of the chart while it has not.
fn pauses(run: &RunData, end_secs: f64) -> Vec<(f64, f64)> {
    let mut pauses = Vec::new();
    let mut before: Option<&StageBorder> = None;
    for border in &run.borders {
        let is_resumed = border
            .made
            .as_ref()
            .is_some_and(|m| m.why == MadeBy::Resumed);
        if is_resumed && let Some(from) = before.and_then(|b| b.end_ns) {
            pauses.push((from as f64 / 1e9, border.start_ns as f64 / 1e9));
        }
        before = Some(border);
    }
    if matches!(run.state, RunState::Paused(_))
        && let Some(from) = before.and_then(|b| b.end_ns)
    {
        pauses.push((from as f64 / 1e9, end_secs));
    }
    pauses.retain(|(from, to)| to > from);
    pauses
}

/// What happened on the axis of time, in full and in short: changes of the load by the person, and marks.
pub(super) fn events(run: &RunData) -> Vec<(f64, String, String)> {
    let change = |border: &StageBorder| {
        let made = border.made.as_ref()?;
        let (words, short) = match made.why {
            // What it was changed to stands above the zone that begins there.
            MadeBy::Changed => (format!("changed to {}", made.stage.load.label()), "changed"),
            MadeBy::Resumed => ("resumed".to_owned(), "resumed"),
            MadeBy::Throughput | MadeBy::Step | MadeBy::Probe => return None,
        };
        Some((border.start_ns as f64 / 1e9, words, short.to_owned()))
    };
    let mut events: Vec<_> = run.borders.iter().filter_map(change).collect();
    let marks = run.marks.iter();
    events.extend(marks.map(|m| (m.at_ns as f64 / 1e9, m.text.clone(), cut(&m.text))));
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    events
}

pub(super) fn moments(run: &RunData, is_named: bool) -> Vec<Mark> {
    let mark = |(at, words): (f64, String)| {
        let label = if is_named { words } else { String::new() };
        let shape = Shape::VLine {
            at,
            label,
            side: LabelSide::Right,
            style: Rule::Dashed,
        };
        Mark::new(Colour::Secondary, shape)
    };
    let events = events(run).into_iter();
    events.map(|(at, _, short)| mark((at, short))).collect()
}

fn cut(words: &str) -> String {
    let mut kept: String = words.chars().take(MARK_CHARS).collect();
    if kept.len() < words.len() {
        kept.push('…');
    }
    kept
}
