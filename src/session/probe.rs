//! Questions to a target outside any run: what stands there, and what one request shows.

use std::time::Duration;

use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::keys::Keys;
use super::message::Event;
use super::{prompts, target};
use crate::domain::{
    Failure, FailureKind, Issue, Phase, Prompt, Target, TargetInfo, TestReport, WaterfallPart,
    Workload,
};
use crate::protocol::explain::{self, Meaning, Tested};
use crate::protocol::test_request::{self, MAX_BODY_BYTES};
use crate::protocol::{self, Exchange, HttpCall, PrepareError, Reply, SharedAdapter, Stamp, mask};
use crate::transport::{
    Clock, ConnectTimes, Connection, Connector, ResponseHead, TransportError, TransportErrorKind,
};
use crate::workload::{Carries, Needs};

/// A test waits no longer than this, whatever the plan's limits say: a person looks on.
const TEST_MAX_SECS: f64 = 120.0;

pub(super) async fn detect(text: String, target: Target, keys: &Keys) -> Event {
    // A key that cannot be had is no reason not to look: the server says whether it needs one.
    let key = keys.of(&target).await.ok().flatten();
    match protocol::detect(&text, &target, key.as_ref()).await {
        Ok(info) => Event::Detected {
            text,
            info: Box::new(info),
        },
        Err(error) => Event::DetectFailed {
            text,
            message: error.to_string(),
        },
    }
}

/// Sends one request and shows everything.
pub(super) async fn test(target: &Target, workload: &Workload, keys: &Keys) -> Event {
    let mut sight = Sight {
        sent_at: jiff::Zoned::now().strftime("%H:%M:%S").to_string(),
        ..Sight::default()
    };
    let key = match keys.of(target).await {
        Ok(key) => key,
        Err(issue) => {
            let meaning = Meaning {
                headline: "The key is not there".to_owned(),
                lines: vec![issue.message.clone()],
                issues: vec![issue],
                ..Meaning::default()
            };
            return Event::Tested(Box::new(sight.report(meaning, &[], None)));
        }
    };
    let secrets: Vec<&str> = key.iter().map(|key| key.expose_secret()).collect();
    let clock = Clock::new();
    let prepared = protocol::prepare(target, workload, key.as_ref()).await;
    let (info, meaning) = match prepared {
        Ok((adapter, info)) => {
            let meaning =
                one_request(&mut sight, target, workload, key.as_ref(), adapter, &info).await;
            (Some(info), meaning)
        }
        Err(PrepareError::Unreachable(failure)) => {
            sight.status = failure.status;
            sight.failed = Some((part_of(failure.kind), clock.now_ns()));
            sight.curl = test_request::bare_curl_line(target).unwrap_or_default();
            let tested = Tested {
                target,
                workload,
                has_key: key.is_some(),
                info: None,
            };
            (None, explain::explain_failure(tested, &failure, None))
        }
        Err(PrepareError::Refused(issues)) => {
            let meaning = Meaning {
                headline: "The form and the server do not fit".to_owned(),
                lines: issues.iter().map(|issue| issue.message.clone()).collect(),
                issues,
                ..Meaning::default()
            };
            (None, meaning)
        }
    };
    Event::Tested(Box::new(sight.report(meaning, &secrets, info)))
}

async fn first_prompt(
    target: &Target,
    workload: &Workload,
    key: Option<&SecretString>,
    adapter: &SharedAdapter,
    info: &TargetInfo,
) -> Result<Prompt, Vec<Issue>> {
    let needs = Needs {
        carries: Carries::of(target),
        ..Needs::of_workload(workload, 1)
    };
    let needs = prompts::gather(needs).await?;
    let (prompts, _notes) = prompts::make(needs, target, key, adapter, info).await?;
    Ok(prompts.prompt(0, Phase::Cold))
}

async fn one_request(
    sight: &mut Sight,
    target: &Target,
    workload: &Workload,
    key: Option<&SecretString>,
    adapter: SharedAdapter,
    info: &TargetInfo,
) -> Meaning {
    let failed = |issues: Vec<Issue>| Meaning {
        headline: "The request could not be made".to_owned(),
        lines: issues.iter().map(|issue| issue.message.clone()).collect(),
        issues,
        ..Meaning::default()
    };
    let prompt = match first_prompt(target, workload, key, &adapter, info).await {
        Ok(prompt) => prompt,
        Err(issues) => return failed(issues),
    };
    let info = &info;
    let connector = match target::connector(target, info) {
        Ok(connector) => connector,
        Err(issue) => return failed(vec![issue]),
    };
    let mut exchange = adapter.exchange(&prompt, 0, 0);
    let clock = Clock::new();
    let limit = Duration::try_from_secs_f64(target.timeouts.total_secs.min(TEST_MAX_SECS))
        .unwrap_or(Duration::from_mins(1));
    let driven =
        tokio::time::timeout(limit, drive(sight, &connector, &clock, exchange.as_mut())).await;
    let ended = match driven {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(protocol::headers::failure_from_transport(&error)),
        Err(_elapsed) => Err(Failure::new(
            FailureKind::TimeoutTotal,
            format!("no whole answer within {} s", limit.as_secs_f64()),
        )),
    };
    let now = Stamp {
        at_ns: clock.now_ns(),
        read_no: u64::MAX,
    };
    if let Err(failure) = &ended {
        exchange.end(Err(failure.clone()), now);
    }
    sight.total_ns = now.at_ns;
    if let Err(failure) = ended.as_ref().map_err(|failure| failure.kind)
        && sight.head.is_none()
    {
        let before = sight.connect.as_ref().map_or(0, ConnectTimes::sum_ns);
        sight.failed = Some((part_of(failure), now.at_ns.saturating_sub(before)));
    }
    let reply = exchange.reply();
    sight.note_reply(&reply);
    if let Ok(origin) = Url::parse(&info.url) {
        sight.curl = test_request::curl_line(target, &origin, &sight.calls);
    }
    let tested = Tested {
        target,
        workload,
        has_key: key.is_some(),
        info: Some(info),
    };
    match (&reply.result, &ended) {
        (None | Some(Ok(_)), Err(failure)) => explain::explain_failure(tested, failure, None),
        _ => explain::explain(tested, &reply),
    }
}

/// Makes the exchange's calls over one connection, and looks at all that passes.
async fn drive(
    sight: &mut Sight,
    connector: &Connector,
    clock: &Clock,
    exchange: &mut (dyn Exchange + 'static),
) -> Result<(), TransportError> {
    let mut kept: Option<Connection> = None;
    while let Some(call) = exchange.next_call(clock.now_ns()) {
        let request = call.to_request().ok_or_else(|| {
            TransportError::new(
                TransportErrorKind::Protocol,
                format!("“{}” is no route", call.path_and_query),
            )
        })?;
        sight.calls.push(call);
        let still_open = kept
            .take()
            .and_then(|mut open| open.is_open().then_some(open));
        let mut connection = if let Some(open) = still_open {
            open
        } else {
            let made = connector.connect(clock).await?;
            sight.connect.get_or_insert_with(|| *made.times());
            made
        };
        let head = connection.send(request, clock).await?;
        let stamp = Stamp {
            at_ns: head.head_ns,
            read_no: head.read_no,
        };
        sight.begin(&head);
        exchange.head(head.status, &head.headers, stamp);
        let mut last = stamp;
        while let Some(chunk) = connection.chunk().await? {
            last = Stamp {
                at_ns: chunk.at_ns,
                read_no: chunk.read_no,
            };
            sight.take(&chunk.bytes, last);
            exchange.data(&chunk.bytes, last);
            if exchange.is_done() {
                break;
            }
        }
        exchange.end(Ok(()), last);
        kept = Some(connection);
    }
    Ok(())
}

/// What the test saw, of its last call.
#[derive(Default)]
struct Sight {
    sent_at: String,
    connect: Option<ConnectTimes>,
    calls: Vec<HttpCall>,
    head: Option<ResponseHead>,
    status: Option<u16>,
    headers: HeaderMap,
    body: Vec<u8>,
    body_cut: bool,
    first_sent_ns: Option<u64>,
    submit: Option<(u64, u64)>,
    process_starts_ns: Option<u64>,
    first_token_ns: Option<u64>,
    last_ns: u64,
    total_ns: u64,
    curl: String,
    /// The part in which it failed before an answer began, and how long that took.
    failed: Option<(&'static str, u64)>,
}

/// The part of a request's time in which such a failure comes, before there is an answer.
fn part_of(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Dns => "DNS",
        FailureKind::Connect | FailureKind::TimeoutConnect | FailureKind::Client => "TCP",
        FailureKind::Tls => "TLS",
        _ => "Wait",
    }
}

impl Sight {
    fn begin(&mut self, head: &ResponseHead) {
        if let Some(first) = self.head.take() {
            self.submit = Some((first.sent_ns, self.last_ns));
        }
        self.first_sent_ns.get_or_insert(head.sent_ns);
        self.status = Some(head.status);
        self.headers.clone_from(&head.headers);
        self.body.clear();
        self.body_cut = false;
        self.last_ns = head.head_ns;
        self.head = Some(head.clone());
    }

    fn take(&mut self, bytes: &[u8], stamp: Stamp) {
        let room = MAX_BODY_BYTES.saturating_sub(self.body.len());
        self.body
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.body_cut |= bytes.len() > room;
        self.last_ns = stamp.at_ns;
    }

    fn note_reply(&mut self, reply: &Reply) {
        self.first_token_ns = reply.first_token_ns;
        self.process_starts_ns = reply.gradio.as_ref().and_then(|g| g.process_starts_ns);
        self.total_ns = self.last_ns.max(reply.finish_ns.unwrap_or(0));
    }

    /// Where the time went, in order; parts that there were not are left out.
    fn waterfall(&self) -> Vec<WaterfallPart> {
        let mut parts = Vec::new();
        let mut part = |name: &str, ns: u64| {
            parts.push(WaterfallPart {
                name: name.to_owned(),
                ms: ns as f64 / 1e6,
            });
        };
        if let Some(times) = &self.connect {
            if let Some(ns) = times.dns_ns {
                part("DNS", ns);
            }
            part("TCP", times.tcp_ns);
            if let Some(ns) = times.tls_ns {
                part("TLS", ns);
            }
        }
        let Some(head) = &self.head else {
            if let Some((name, ns)) = self.failed {
                part(name, ns);
            }
            return parts;
        };
        let mut from = head.sent_ns;
        if let Some((sent, ended)) = self.submit {
            part("Submit", ended.saturating_sub(sent));
            from = ended;
        } else {
            part("Send", head.written_ns.saturating_sub(head.sent_ns));
            from = from.max(head.written_ns);
        }
        if let Some(starts) = self.process_starts_ns {
            part("Queue", starts.saturating_sub(from));
            from = from.max(starts);
        }
        let wait_ends = self.first_token_ns.unwrap_or(head.first_byte_ns).max(from);
        part("Wait", wait_ends - from);
        part("Read", self.last_ns.saturating_sub(wait_ends));
        parts
    }

    fn report(self, meaning: Meaning, secrets: &[&str], info: Option<TargetInfo>) -> TestReport {
        let waterfall = self.waterfall();
        let (body, cut) = test_request::shown_body(&self.body, secrets);
        let http = match self.head.as_ref().map(|head| head.version) {
            Some(http::Version::HTTP_2) => "HTTP/2",
            _ => "HTTP/1.1",
        };
        let ttft_ns = self
            .first_token_ns
            .zip(self.first_sent_ns)
            .map(|(token, sent)| token.saturating_sub(sent));
        let masked = |text: &String| mask::mask(text, secrets);
        TestReport {
            sent_at: self.sent_at,
            ok: meaning.ok,
            headline: masked(&meaning.headline),
            lines: meaning.lines.iter().map(masked).collect(),
            what_to_try: meaning.what_to_try,
            status: self.status.map(test_request::status_text),
            http: http.to_owned(),
            headers: test_request::shown_headers(&self.headers, secrets),
            body,
            body_cut: cut || self.body_cut,
            total_ms: waterfall.iter().map(|part| part.ms).sum(),
            waterfall,
            ttft_ms: ttft_ns.map(|ns| ns as f64 / 1e6),
            curl: masked(&self.curl),
            issues: meaning
                .issues
                .into_iter()
                .map(|issue| crate::domain::Issue {
                    message: masked(&issue.message),
                    ..issue
                })
                .collect(),
            info,
        }
    }
}
