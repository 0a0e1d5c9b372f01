//! What is doubtful about a run: each with what was found, what likely caused it and what to try.

use crate::stats;

use super::super::{Caution, CautionId, MetricId, Protocol, ServerFacts, StageIdx};
use super::{
    BUFFERING_MIN_GAPS, Facts, GRADIO_WITHOUT_POLLING, Ledger, MAX_CLIENT_LATE_P99_MS,
    MAX_SHORT_GAP_SHARE, MAX_SLIP_P99_MS, MAX_SLIP_SHARE_OF_TTFT, MAX_TICK_MS,
    MAX_TOKENS_PER_CHUNK, NEEDED_QUANTILE, SLEPT_TICK_MS, Trend, loads, sent,
};

/// The gravest first: the window shows the first and counts the rest.
pub(super) fn all(facts: &Facts<'_>, ledger: &mut Ledger) {
    saturated(facts, ledger);
    loads::failed(facts, ledger);
    loads::cut_off(facts, ledger);
    loads::idle_users(facts, ledger);
    loads::dropped(facts, ledger);
    ledger.doubt(stopped_early(facts));
    late_sends(facts, ledger);
    loads::unresolved(facts, ledger);
    ledger.doubt(changed(facts));
    ledger.doubt(journal(facts));
    loads::visitors(facts, ledger);
    ledger.doubt(buffering(facts));
    ledger.doubt(tokens_per_chunk(facts));
    ledger.doubt(few_samples(facts));
    ledger.doubt(retry_after(facts));
    sent::all(facts, ledger);
    ledger.doubt(reconnected(facts));
    ledger.doubt(no_done(facts));
    ledger.doubt(no_usage(facts));
    ledger.doubt(ends_refused(facts));
    ledger.doubt(compressed(facts));
    ledger.doubt(insecure(facts));
    if facts.run.server.protocol == Protocol::Gradio {
        ledger.doubt(gradio_polling(facts));
    }
    if facts.run.health.tick_max_ms.is_some() {
        ledger.doubt(late_tick(facts));
    }
    if client_late_ms(facts).is_some() {
        ledger.doubt(client_late(facts));
    }
}

pub(super) fn caution(
    id: CautionId,
    stage: Option<usize>,
    finding: String,
    cause: &str,
    advice: impl Into<String>,
) -> Caution {
    Caution {
        id,
        stage: stage.map(StageIdx::from_index),
        finding,
        cause: cause.to_owned(),
        advice: advice.into(),
    }
}

/// Where the plan has a time for each request (burst and wave).
///
/// A doubt and no fault: in a closed loop every latency counts from the instant the request really left, so no figure
/// holds the lateness. What is off is the load: the server met the users of a round spread over that time instead of at
/// once (one thread needs some 50 µs a request, so a burst of 200 slips 10 ms on an idle machine). A machine that is too
/// busy all the time is caught by the ticker and by the CPU's share. In an open loop latencies count from the planned time, and
/// measurement.md's rule (invalid above the same limit) is for those loads.
fn late_sends(facts: &Facts<'_>, ledger: &mut Ledger) {
    let mut has_due = false;
    let mut found = None;
    for (i, stage) in facts.stages.iter().enumerate() {
        let planned = facts.plan.stage(StageIdx::from_index(i));
        let slip = stage.metric(MetricId::Slip).and_then(|d| d.p99);
        // That of an open load is a reason, and said as such.
        let Some(slip) = slip.filter(|_| planned.is_none_or(|s| !s.load.is_open())) else {
            continue;
        };
        has_due = true;
        let ttft = stage.metric(MetricId::Ttft).and_then(|d| d.p50);
        let most = MAX_SLIP_P99_MS.max(ttft.unwrap_or(0.0) * MAX_SLIP_SHARE_OF_TTFT);
        if slip > most && found.is_none() {
            found = Some((i, slip, most));
        }
    }
    if has_due {
        ledger.doubt(found.map(|(i, slip, most)| {
            caution(
                CautionId::LateSends,
                Some(i),
                format!(
                    "Requests of “{}” left {slip:.1} ms late at p99 (at most {most:.1} ms)",
                    facts.label(i)
                ),
                "This machine needed that long to send a round, so the server met its requests spread over that time; latencies count from when each one left and stay right",
                "Close other programs, ask for fewer users, or read the round as that wide",
            )
        }));
    }
}

fn saturated(facts: &Facts<'_>, ledger: &mut Ledger) {
    let trends = facts.records.stages.iter().map(|s| s.trend);
    let known: Vec<(usize, Trend)> = trends
        .enumerate()
        .filter_map(|(i, trend)| Some((i, trend?)))
        .collect();
    if known.is_empty() {
        return;
    }
    let found = known.iter().find(|(_, t)| t.is_rising()).map(|(i, t)| {
        let before = i.checked_sub(1).map(|b| facts.label(b).to_owned());
        let planned = facts.plan.stage(StageIdx::from_index(*i));
        let less = if planned.is_some_and(|stage| stage.load.is_open()) {
            "a lower rate"
        } else {
            "fewer users"
        };
        let advice = match before {
            Some(label) => format!("End at {label}, or look only at how the numbers grow"),
            None => format!("Ask for {less}, or look only at how the numbers grow"),
        };
        let finding = format!(
            "{} is past saturation: TTFT rose by {:.0} % and in flight by {:.0} % through the stage",
            facts.label(*i),
            t.ttft_rise * 100.0,
            t.in_flight_rise * 100.0
        );
        caution(
            CautionId::Saturated,
            Some(*i),
            finding,
            "In flight and TTFT both rise through the stage, so its numbers depend on how long you ran",
            advice,
        )
    });
    ledger.doubt(found);
}

/// What a person ended is no fault: paused or changed, it went on as the next stage; stopped, the run says so itself.
fn stopped_early(facts: &Facts<'_>) -> Option<Caution> {
    let mut ended = facts.borders.iter().filter(|b| b.stopped.is_some());
    let border = ended.find(|b| !b.is_ended_by_hand())?;
    let i = border.stage.index();
    let why = border.stopped.as_deref().unwrap_or_default();
    Some(caution(
        CautionId::StoppedEarly,
        Some(i),
        format!("“{}” ended before its plan did", facts.label(i)),
        why,
        "Find out why, then raise the limit or ask for less",
    ))
}

fn changed(facts: &Facts<'_>) -> Option<Caution> {
    let what = facts.run.changed.first()?;
    Some(caution(
        CautionId::Changed,
        None,
        format!("Something changed during the run: {what}"),
        "The server was updated or restarted, so stages were not measured under the same conditions",
        "Run again while nothing changes",
    ))
}

fn journal(facts: &Facts<'_>) -> Option<Caution> {
    let run = facts.run;
    if run.journal_lost == 0 && run.journal_error.is_none() {
        return None;
    }
    let finding = match (&run.journal_error, run.journal_lost) {
        (Some(error), 0) => format!("The run file could not be written to the end: {error}"),
        (Some(error), n) => format!("{n} lines are missing in the run file: {error}"),
        (None, n) => format!("{n} lines are missing in the run file"),
    };
    Some(caution(
        CautionId::Journal,
        None,
        finding,
        "The disk was full or too slow; the numbers shown are whole, those of the file are not",
        "Free some space or save to another disk, then run again",
    ))
}

fn buffering(facts: &Facts<'_>) -> Option<Caution> {
    let (n, short) = (facts.records.n_gaps, facts.records.n_short_gaps);
    let share = short as f64 / n.max(1) as f64;
    if n < BUFFERING_MIN_GAPS || share <= MAX_SHORT_GAP_SHARE {
        return None;
    }
    let is_late = client_late_ms(facts).is_some_and(|late| late > MAX_CLIENT_LATE_P99_MS);
    let (cause, advice) = if is_late {
        (
            "This program read late, and chunks that waited for it were read together, so gaps say little about the model",
            "Close other programs, or ask for fewer users",
        )
    } else {
        (
            "Something on the way (a proxy, the server's writer) collects chunks and sends them together, so gaps say little about the model; only a very small model makes a chunk in less",
            "Turn off response buffering in the proxy, or measure without it",
        )
    };
    Some(caution(
        CautionId::Buffering,
        None,
        format!(
            "{:.0} % of the gaps between chunks are under 1 ms",
            share * 100.0
        ),
        cause,
        advice,
    ))
}

fn tokens_per_chunk(facts: &Facts<'_>) -> Option<Caution> {
    let of =
        |s: &super::super::StageSummary| s.tokens_per_chunk.filter(|t| *t > MAX_TOKENS_PER_CHUNK);
    let (i, mean) = facts
        .stages
        .iter()
        .enumerate()
        .find_map(|(i, s)| Some((i, of(s)?)))?;
    Some(caution(
        CautionId::TokensPerChunk,
        Some(i),
        format!("A chunk carries {mean:.1} tokens on average"),
        "The server sends several tokens at once, so a gap between chunks is not one token's time",
        "Compare time per output token (TPOT), which counts tokens, and read gaps as chunk gaps",
    ))
}

fn few_samples(facts: &Facts<'_>) -> Option<Caution> {
    let least = stats::least_n(NEEDED_QUANTILE);
    // Where none ended well there is no percentile to doubt.
    let is_few = |s: &super::super::StageSummary| s.ok > 0 && s.ok < least;
    // A stage that still runs is not short of requests yet.
    let has_ended = |i: usize| {
        let border = facts.borders.iter().find(|b| b.stage.index() == i);
        border.is_none_or(|b| b.end_ns.is_some())
    };
    let few: Vec<usize> = (0..facts.stages.len())
        .filter(|i| has_ended(*i) && facts.stages.get(*i).is_some_and(is_few))
        .collect();
    let first = *few.first()?;
    let n = facts.stages.get(first).map_or(0, |s| s.ok);
    let (finding, stage) = if few.len() == 1 {
        let requests = if n == 1 { "request" } else { "requests" };
        let text = format!(
            "“{}” has {n} {requests} that ended well",
            facts.label(first)
        );
        (text, Some(first))
    } else {
        let text = format!(
            "{} stages have fewer than {least} requests that ended well",
            few.len()
        );
        (text, None)
    };
    Some(caution(
        CautionId::FewSamples,
        stage,
        finding,
        "A high percentile of few requests is little more than the largest of them",
        format!(
            "Ask for at least {least} requests a stage for p95, {} for p99",
            stats::least_n(0.99)
        ),
    ))
}

fn retry_after(facts: &Facts<'_>) -> Option<Caution> {
    let n = facts.run.n_retry_after;
    if n == 0 {
        return None;
    }
    let wait = facts.run.retry_after_secs;
    let wait = wait.map_or_else(String::new, |s| format!(", up to {s:.0} s"));
    Some(caution(
        CautionId::RetryAfter,
        None,
        format!("The server asked {n} times to wait{wait}"),
        "A rate limit or a full queue: the server refused work, and nothing is sent again in a measured request",
        "Ask for fewer users, or raise the limit at the server",
    ))
}

fn reconnected(facts: &Facts<'_>) -> Option<Caution> {
    let n = facts.records.n_reconnected;
    (n > 0).then(|| {
        caution(
            CautionId::Reconnected,
            None,
            format!("{n} kept connections had to be made again"),
            "The server closes connections, after each answer or when they are idle; where that was seen only as a request was to be sent, making a new one is part of its times",
            "Raise the server's keep-alive time, or measure with a new connection for every request",
        )
    })
}

fn no_done(facts: &Facts<'_>) -> Option<Caution> {
    let n = facts.records.n_no_done;
    (n > 0).then(|| {
        caution(
            CautionId::NoDone,
            None,
            format!("{n} streams ended without a done marker"),
            "The server or a proxy closes the stream after the finish reason; the answers are taken as whole",
            "Look at one answer with Test connection to see whether it is complete",
        )
    })
}

fn no_usage(facts: &Facts<'_>) -> Option<Caution> {
    facts.run.usage_refused.then(|| {
        caution(
            CautionId::NoUsage,
            None,
            "The server does not count tokens in a stream".to_owned(),
            "It refused stream_options, so token figures are counted from chunks",
            "Read token figures as chunks, or update the server",
        )
    })
}

fn ends_refused(facts: &Facts<'_>) -> Option<Caution> {
    facts.run.ends_refused.then(|| {
        caution(
            CautionId::EndsRefused,
            None,
            "The server does not take ignore_eos, so answers end where the model ends them".to_owned(),
            "It refused the field in the first requests, and the later ones went without it",
            "Read output lengths as the model's own, and run again without ignore_eos so that no request fails for it",
        )
    })
}

fn compressed(facts: &Facts<'_>) -> Option<Caution> {
    let n = facts.run.n_compressed;
    let how = facts
        .run
        .content_encoding
        .as_deref()
        .unwrap_or("compressed");
    (n > 0).then(|| {
        caution(
            CautionId::Compressed,
            None,
            format!("{n} answers came compressed ({how}) though plain was asked"),
            "A compressing proxy collects bytes before it sends them, which moves token times",
            "Switch off compression for event streams in the proxy",
        )
    })
}

fn insecure(facts: &Facts<'_>) -> Option<Caution> {
    facts.plan.target.insecure.then(|| {
        caution(
            CautionId::Insecure,
            None,
            "Certificates were not checked".to_owned(),
            "The plan says insecure: whoever answered may not be the server that was meant",
            "Give the authority's certificate as CA file instead",
        )
    })
}

fn gradio_polling(facts: &Facts<'_>) -> Option<Caution> {
    let (major, minor) = gradio_version(&facts.run.server)?;
    ((major, minor) < GRADIO_WITHOUT_POLLING).then(|| {
        caution(
            CautionId::GradioPolling,
            None,
            format!("Gradio {major}.{minor} sends events every 50 ms only"),
            "Before 6.11 the server looks for new events in a 50 ms poll, so times are up to 50 ms late and gaps are multiples of it",
            "Update Gradio to 6.11 or later, or read times below 100 ms with that in mind",
        )
    })
}

/// From the version, or from a name as `gradio 5.50.0`.
fn gradio_version(server: &ServerFacts) -> Option<(u64, u64)> {
    let text = server.version.as_deref().unwrap_or(&server.name);
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut parts = text.get(start..)?.split('.');
    let number = |part: Option<&str>| {
        let part = part?;
        let end = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        part.get(..end)?.parse().ok()
    };
    Some((number(parts.next())?, number(parts.next())?))
}

fn late_tick(facts: &Facts<'_>) -> Option<Caution> {
    let late = facts.run.health.tick_max_ms?;
    // Above this the machine slept, and the run is invalid by that.
    (late > MAX_TICK_MS && late <= SLEPT_TICK_MS).then(|| {
        caution(
            CautionId::LateTick,
            None,
            format!("This program was once held up for {late:.0} ms"),
            "Another program took the processor, so a few sends may be late",
            "Close other programs, or measure from a quieter machine",
        )
    })
}

fn client_late_ms(facts: &Facts<'_>) -> Option<f64> {
    let by_records = facts.records.client_late_p99_ms;
    by_records.or(facts.run.health.client_late_p99_ms)
}

fn client_late(facts: &Facts<'_>) -> Option<Caution> {
    let late = client_late_ms(facts)?;
    (late > MAX_CLIENT_LATE_P99_MS).then(|| {
        caution(
            CautionId::ClientLate,
            None,
            format!("This program read answers {late:.1} ms late at p99"),
            "This machine was busy; a time is the kernel's stamp of a read's last byte, so chunks that waited to be read together all seem to come with the last of them, and a send after an answer is as late",
            "Close other programs, or ask for fewer users",
        )
    })
}
