//! Every metric, defined once. Table columns, axes, tooltips, CSV headers and comparisons all read [`METRICS`].

use serde::{Deserialize, Serialize};

use super::RequestRecord;

/// Names a metric; its position in [`METRICS`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricId {
    QueueSubmit,
    QueueWait,
    Ttft,
    Ttfa,
    Streaming,
    E2e,
    Service,
    Tpot,
    Itl,
    DecodeRate,
    Slip,
    LimitWait,
    Connect,
    ClientLate,
    RequestRate,
    OutputTokenRate,
    ErrorRate,
    SentRate,
    Goodput,
    Attainment,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    Ms,
    TokensPerSec,
    RequestsPerSec,
    Share,
}

impl Unit {
    pub fn label(self) -> &'static str {
        match self {
            Self::Ms => "ms",
            Self::TokensPerSec => "tok/s",
            Self::RequestsPerSec => "req/s",
            Self::Share => "share",
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Better {
    Lower,
    Higher,
}

/// How a metric is taken. Values are in the metric's unit.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::enum_variant_names,
    reason = "that is how a metric is taken, in measurement.md's words"
)]
pub enum Taken {
    PerRequest(fn(&RequestRecord) -> Option<f64>),
    /// Pooled over all gaps of a stage; never an average of averages.
    PerGap,
    /// A rate or share of the whole stage.
    PerStage,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub id: MetricId,
    /// As in files, flags and CSV headers.
    pub key: &'static str,
    /// In full, sentence case.
    pub label: &'static str,
    /// For tight places.
    pub short: &'static str,
    pub unit: Unit,
    pub better: Better,
    /// The formula in words, for the tooltip.
    pub formula: &'static str,
    pub taken: Taken,
}

impl MetricId {
    pub fn metric(self) -> &'static Metric {
        &METRICS[self as usize]
    }

    pub fn key(self) -> &'static str {
        self.metric().key
    }

    pub fn from_key(key: &str) -> Option<Self> {
        METRICS.iter().find(|m| m.key == key).map(|m| m.id)
    }

    /// Metrics that have a distribution: per request and per gap.
    pub fn distributed() -> impl Iterator<Item = Self> {
        METRICS
            .iter()
            .filter(|m| !matches!(m.taken, Taken::PerStage))
            .map(|m| m.id)
    }
}

/// Number of per-request and per-gap metrics; they come first in [`METRICS`].
pub const N_DISTRIBUTED: usize = 14;

const fn metric(
    id: MetricId,
    key: &'static str,
    label: &'static str,
    short: &'static str,
    formula: &'static str,
    taken: Taken,
) -> Metric {
    Metric {
        id,
        key,
        label,
        short,
        unit: Unit::Ms,
        better: Better::Lower,
        formula,
        taken,
    }
}

/// All metrics, in the order of [`MetricId`].
pub const METRICS: [Metric; 20] = [
    metric(
        MetricId::QueueSubmit,
        "queue_submit",
        "Queue submit",
        "Submit",
        "Gradio: round trip of the POST that submits the job",
        Taken::PerRequest(queue_submit),
    ),
    metric(
        MetricId::QueueWait,
        "queue_wait",
        "Queue wait",
        "Queue",
        "Gradio: process_starts − POST sent",
        Taken::PerRequest(queue_wait),
    ),
    metric(
        MetricId::Ttft,
        "ttft",
        "Time to first token",
        "TTFT",
        "first non-empty content, reasoning or tool-call delta − start (closed loop: the request's task ran)",
        Taken::PerRequest(ttft),
    ),
    metric(
        MetricId::Ttfa,
        "ttfa",
        "Time to first answer",
        "TTFA",
        "first content that is not reasoning − start",
        Taken::PerRequest(ttfa),
    ),
    metric(
        MetricId::Streaming,
        "streaming",
        "Streaming",
        "Stream",
        "last token − first token",
        Taken::PerRequest(streaming),
    ),
    metric(
        MetricId::E2e,
        "e2e",
        "Total time",
        "E2E",
        "finish − start (finish: finish reason, done marker or completed event, else the body's end)",
        Taken::PerRequest(e2e),
    ),
    metric(
        MetricId::Service,
        "service",
        "Service time",
        "Service",
        "finish − sent",
        Taken::PerRequest(service),
    ),
    metric(
        MetricId::Tpot,
        "tpot",
        "Time per output token",
        "TPOT",
        "(last token − first token) / (n − 1), n output tokens, none below 2",
        Taken::PerRequest(tpot),
    ),
    metric(
        MetricId::Itl,
        "itl",
        "Chunk gap",
        "Gap",
        "gap between two content events, pooled over all requests; a chunk may carry several tokens",
        Taken::PerGap,
    ),
    Metric {
        id: MetricId::DecodeRate,
        key: "decode_rate",
        label: "Decode rate",
        short: "Decode",
        unit: Unit::TokensPerSec,
        better: Better::Higher,
        formula: "(n − 1) / (last token − first token), of each request",
        taken: Taken::PerRequest(decode_rate),
    },
    metric(
        MetricId::Slip,
        "slip",
        "Slip",
        "Slip",
        "dispatched − due: how late our own send was (open loop: released − due, without the wait for the in-flight limit)",
        Taken::PerRequest(slip),
    ),
    metric(
        MetricId::LimitWait,
        "limit_wait",
        "Wait for the in-flight limit",
        "Limit",
        "dispatched − released: open loop, waiting for one of the allowed requests in flight to end",
        Taken::PerRequest(limit_wait),
    ),
    metric(
        MetricId::Connect,
        "connect",
        "Connect",
        "Connect",
        "name lookup + TCP + TLS, where a connection was made",
        Taken::PerRequest(connect),
    ),
    metric(
        MetricId::ClientLate,
        "client_late",
        "Client late",
        "Late",
        "our read − the kernel's receive stamp, the largest of a request",
        Taken::PerRequest(client_late),
    ),
    Metric {
        id: MetricId::RequestRate,
        key: "request_rate",
        label: "Requests per second",
        short: "req/s",
        unit: Unit::RequestsPerSec,
        better: Better::Higher,
        formula: "successful Measure requests / (last Measure end − first Measure start)",
        taken: Taken::PerStage,
    },
    Metric {
        id: MetricId::OutputTokenRate,
        key: "output_token_rate",
        label: "Output tokens per second",
        short: "tok/s",
        unit: Unit::TokensPerSec,
        better: Better::Higher,
        formula: "output tokens by their own time / (last Measure end − first Measure start)",
        taken: Taken::PerStage,
    },
    Metric {
        id: MetricId::ErrorRate,
        key: "error_rate",
        label: "Error rate",
        short: "Errors",
        unit: Unit::Share,
        better: Better::Lower,
        formula: "failed / (ok + failed) Measure requests",
        taken: Taken::PerStage,
    },
    Metric {
        id: MetricId::SentRate,
        key: "sent_rate",
        label: "Sent per second",
        short: "sent/s",
        unit: Unit::RequestsPerSec,
        better: Better::Higher,
        formula: "Measure requests let go / (last planned send − first planned send), open loop; to hold against the rate asked",
        taken: Taken::PerStage,
    },
    Metric {
        id: MetricId::Goodput,
        key: "goodput",
        label: "Goodput",
        short: "Goodput",
        unit: Unit::RequestsPerSec,
        better: Better::Higher,
        formula: "Measure requests that meet every goal / (last Measure end − first Measure start)",
        taken: Taken::PerStage,
    },
    Metric {
        id: MetricId::Attainment,
        key: "attainment",
        label: "Goals met",
        short: "Met",
        unit: Unit::Share,
        better: Better::Higher,
        formula: "requests of the stage that meet every goal / those that could be told: ok, failed and dropped ones, and those that were cut off after a limit",
        taken: Taken::PerStage,
    },
];

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn ms_between(from: u64, to: Option<u64>) -> Option<f64> {
    to?.checked_sub(from).map(ms)
}

fn queue_submit(r: &RequestRecord) -> Option<f64> {
    r.gradio.as_ref()?.submit_ns.map(ms)
}

fn queue_wait(r: &RequestRecord) -> Option<f64> {
    r.gradio.as_ref()?.queue_wait_ns.map(ms)
}

fn ttft(r: &RequestRecord) -> Option<f64> {
    ms_between(r.start_ns(), r.first_token_ns)
}

fn ttfa(r: &RequestRecord) -> Option<f64> {
    ms_between(r.start_ns(), r.first_answer_ns)
}

fn streaming(r: &RequestRecord) -> Option<f64> {
    ms_between(r.first_token_ns?, r.last_token_ns)
}

fn e2e(r: &RequestRecord) -> Option<f64> {
    ms_between(r.start_ns(), Some(r.finish_ns.unwrap_or(r.end_ns)))
}

fn service(r: &RequestRecord) -> Option<f64> {
    ms_between(r.sent_ns?, Some(r.finish_ns.unwrap_or(r.end_ns)))
}

/// Tokens after the first, and the time they took in ms; `None` below two tokens or where no time passed.
fn decode(r: &RequestRecord) -> Option<(f64, f64)> {
    let n = r.tokens_out.filter(|n| *n >= 2)?;
    let took = streaming(r).filter(|t| *t > 0.0)?;
    Some(((n - 1) as f64, took))
}

fn tpot(r: &RequestRecord) -> Option<f64> {
    decode(r).map(|(n, took)| took / n)
}

fn decode_rate(r: &RequestRecord) -> Option<f64> {
    decode(r).map(|(n, took)| n / took * 1e3)
}

fn slip(r: &RequestRecord) -> Option<f64> {
    ms_between(r.due_ns?, Some(r.released_ns.unwrap_or(r.dispatched_ns)))
}

fn limit_wait(r: &RequestRecord) -> Option<f64> {
    ms_between(r.released_ns?, Some(r.dispatched_ns))
}

fn connect(r: &RequestRecord) -> Option<f64> {
    let c = r.connection.as_ref()?;
    if c.kind == super::ConnectionKind::Reused {
        return None;
    }
    Some(ms(c.dns_ns.unwrap_or(0)
        + c.tcp_ns?
        + c.tls_ns.unwrap_or(0)))
}

fn client_late(r: &RequestRecord) -> Option<f64> {
    r.client_late_ns.map(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_stands_at_its_own_place() {
        for (i, metric) in METRICS.iter().enumerate() {
            assert_eq!(metric.id as usize, i, "{}", metric.key);
            assert_eq!(MetricId::from_key(metric.key), Some(metric.id));
        }
        assert_eq!(MetricId::distributed().count(), N_DISTRIBUTED);
    }
}
