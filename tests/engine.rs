//! The engine end to end: a whole run over loopback against a small server that does exactly what its script says.

mod loads;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use inferometer::domain::{
    ClosedMode, ConnectionKind, Connections, Ended, Environment, Failure, FailureKind, Health,
    LiveSnapshot, Mark, Outcome, Phase, Plan, Prompt, RequestRecord, RunHead, RunState, SCHEMA,
    ServerFacts, Stage, StageBorder, Stamps, TierLength,
};
use inferometer::engine::{
    self, Driver, Job, Live, Outlets, Performed, RunEnd, RunHandle, RunRequest, Setup, Sink,
};
use inferometer::protocol::openai::{Api, Config, OpenAi};
use inferometer::protocol::{Adapter, Exchange, HttpCall, Reply, SharedAdapter, Stamp};
use inferometer::transport::{Clock, Connector, Route};
use inferometer::workload::PromptSource;
use tokio::sync::watch;

/// What the server does with one request.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// A first token after that many ms, then tokens that many ms apart.
    Stream {
        first_ms: u64,
        gap_ms: u64,
        n: usize,
    },
    /// As `Stream` without a gap, and the connection is closed a moment later, without a word.
    ThenClose,
    /// As `ThenClose`, after the client had time to send again.
    CloseLate,
    /// Reads the request and closes.
    Hangup,
    /// Never says a thing.
    Silence,
    /// Two tokens, then nothing.
    Stall,
    /// Two tokens, then a comment every 20 ms.
    Heartbeats,
    Status(u16),
}

struct Server {
    address: SocketAddr,
    n_requests: Arc<AtomicUsize>,
    paths: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        TcpStream::connect(self.address).ok();
    }
}

/// `script` says what becomes of the request with that number.
fn serve(script: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server {
        address: listener.local_addr().unwrap(),
        n_requests: Arc::default(),
        paths: Arc::default(),
        over: Arc::default(),
    };
    let (n, paths, over) = (
        Arc::clone(&server.n_requests),
        Arc::clone(&server.paths),
        Arc::clone(&server.over),
    );
    let script = Arc::new(script);
    let accept = move || {
        for stream in listener.incoming() {
            if over.load(Relaxed) {
                return;
            }
            let (n, paths, script) = (Arc::clone(&n), Arc::clone(&paths), Arc::clone(&script));
            let stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            let talk = move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while let Some(path) = read_request(&mut reader) {
                    paths.lock().unwrap().push(path);
                    let answer = script(n.fetch_add(1, Relaxed));
                    if respond(&stream, answer).is_none() {
                        return;
                    }
                }
            };
            std::thread::Builder::new().spawn(talk).unwrap();
        }
    };
    std::thread::Builder::new().spawn(accept).unwrap();
    server
}

/// The path of the next request, its body read; `None` at the end.
fn read_request(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|n| *n > 0)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    first.split(' ').nth(1).map(str::to_owned)
}

/// `None` when the connection is to be closed.
fn respond(mut stream: &TcpStream, answer: Answer) -> Option<()> {
    let pause = |ms| std::thread::sleep(Duration::from_millis(ms));
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut write = |text: &str| stream.write_all(text.as_bytes()).ok();
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let token = chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ab\"}}]}\n\n");
    let last = chunk(
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    );
    match answer {
        Answer::Stream {
            first_ms,
            gap_ms,
            n,
        } => {
            pause(first_ms);
            write(head)?;
            for i in 0..n {
                if i > 0 {
                    pause(gap_ms);
                }
                write(&token)?;
            }
            write(&last)?;
            write("0\r\n\r\n")
        }
        Answer::ThenClose => {
            write(&format!("{head}{token}{last}0\r\n\r\n"))?;
            None
        }
        Answer::CloseLate => {
            write(&format!("{head}{token}{last}0\r\n\r\n"))?;
            pause(40);
            None
        }
        Answer::Hangup => None,
        Answer::Silence => {
            pause(2_000);
            None
        }
        Answer::Stall => {
            write(&format!("{head}{token}{token}"))?;
            pause(2_000);
            None
        }
        Answer::Heartbeats => {
            write(&format!("{head}{token}{token}"))?;
            loop {
                pause(20);
                write(&chunk(": ping\n\n"))?;
            }
        }
        Answer::Status(status) => {
            let body = "{\"error\":{\"message\":\"no key\"}}";
            let length = body.len();
            write(&format!(
                "HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            ))
        }
    }
}

#[derive(Default)]
struct Kept {
    requests: Vec<RequestRecord>,
    borders: Vec<StageBorder>,
    marks: Vec<Mark>,
    n_samples: usize,
}

struct MemorySink(Arc<Mutex<Kept>>);

impl Sink for MemorySink {
    fn request(&mut self, record: &RequestRecord) {
        self.0.lock().unwrap().requests.push(record.clone());
    }
    fn border(&mut self, border: &StageBorder) {
        self.0.lock().unwrap().borders.push(border.clone());
    }
    fn mark(&mut self, mark: &Mark) {
        self.0.lock().unwrap().marks.push(mark.clone());
    }
    fn sample(&mut self, _at_ns: u64, _health: &Health) {
        self.0.lock().unwrap().n_samples += 1;
    }
    fn lost(&self) -> u64 {
        0
    }
}

struct Started {
    handle: RunHandle,
    kept: Arc<Mutex<Kept>>,
    snapshots: watch::Receiver<LiveSnapshot>,
    wakes: Arc<AtomicUsize>,
}

fn plan(address: SocketAddr, users: &str, length: TierLength<'_>) -> Plan {
    let mut plan = Plan::simple(&format!("http://{address}"));
    plan.stages = Stage::closed_tiers(users, ClosedMode::Steady, length).unwrap();
    plan
}

fn openai() -> SharedAdapter {
    Arc::new(OpenAi::new(Config {
        api: Api::Chat,
        path_and_query: "/v1/chat/completions".to_owned(),
        headers: HeaderMap::new(),
        model: Some("m".to_owned()),
        stream: true,
        max_tokens: None,
        ignore_eos: false,
        extra: serde_json::Map::new(),
        facts: ServerFacts::default(),
    }))
}

fn head(plan: Plan, clock: &Clock) -> Arc<RunHead> {
    Arc::new(RunHead {
        schema: SCHEMA,
        id: "test".to_owned(),
        tool: "inferometer".to_owned(),
        started: String::new(),
        started_unix_ns: clock.epoch_unix_ns(),
        label: String::new(),
        tags: Vec::new(),
        notes: String::new(),
        plan,
        environment: Environment {
            cores: 2,
            ..Environment::default()
        },
        server: ServerFacts::default(),
        variation: None,
        workload: Default::default(),
    })
}

type Watched = (
    Outlets,
    Arc<Mutex<Kept>>,
    watch::Receiver<LiveSnapshot>,
    Arc<AtomicUsize>,
);

fn outlets() -> Watched {
    let kept = Arc::new(Mutex::new(Kept::default()));
    let (sender, snapshots) = watch::channel(None);
    let wakes = Arc::new(AtomicUsize::new(0));
    let waken = Arc::clone(&wakes);
    let outlets = Outlets {
        sink: Box::new(MemorySink(Arc::clone(&kept))),
        snapshots: sender,
        wake: Arc::new(move || {
            waken.fetch_add(1, Relaxed);
        }),
    };
    (outlets, kept, snapshots, wakes)
}

fn start(plan: Plan, adapter: SharedAdapter) -> Started {
    let url = url::Url::parse(&plan.target.url).unwrap();
    let connect = Duration::try_from_secs_f64(plan.target.timeouts.connect_secs).unwrap();
    let connector = Connector::new(Route::from_url(&url, connect).unwrap()).unwrap();
    let prompts = PromptSource::load(&plan.workload, plan.seed).unwrap();
    let clock = Clock::new();
    let (outlets, kept, snapshots, wakes) = outlets();
    let request = RunRequest {
        head: head(plan, &clock),
        clock,
        adapter,
        connector,
        prompts,
        file: None,
    };
    Started {
        handle: engine::start(request, outlets).unwrap(),
        kept,
        snapshots,
        wakes,
    }
}

/// A whole run, and its records in the order of sending.
fn run(plan: Plan, adapter: SharedAdapter) -> (RunEnd, Vec<RequestRecord>) {
    let started = start(plan, adapter);
    let end = started.handle.join().unwrap();
    let mut records = std::mem::take(&mut started.kept.lock().unwrap().requests);
    records.sort_by_key(|r| r.seq);
    (end, records)
}

fn failure(record: &RequestRecord) -> &Failure {
    record
        .outcome
        .failure()
        .unwrap_or_else(|| panic!("{record:?}"))
}

fn kind_of(record: &RequestRecord) -> ConnectionKind {
    record.connection.as_ref().unwrap().kind
}

#[test]
fn a_whole_run_over_loopback() {
    let server = serve(|_| Answer::Stream {
        first_ms: 40,
        gap_ms: 10,
        n: 5,
    });
    let mut plan = plan(server.address, "1, 4", TierLength::RequestsPerUser("5"));
    plan.cold.requests = 1;
    plan.warmup = inferometer::domain::Warmup::parse("2").unwrap();
    let mut started = start(plan, openai());
    let end = started.handle.join().unwrap();
    let kept = started.kept.lock().unwrap();

    assert_eq!(kept.requests.len(), 1 + 2 + 5 + 20);
    assert_eq!(server.n_requests.load(Relaxed), 28, "not one request more");
    assert_eq!(end.stopped, None);
    assert_eq!(end.run.state, RunState::Finished);
    assert_eq!(end.run.points.len(), 28);
    let stages = &end.run.summary.stages;
    assert_eq!((stages[0].ok, stages[1].ok), (5, 20));
    assert_eq!(end.run.summary.cold.requests.len(), 1);
    assert_eq!(end.run.gaps[1].len(), 80, "four gaps of each request");
    assert_eq!(kept.borders.len(), 4);
    assert!(kept.n_samples >= 1);
    assert!(started.snapshots.borrow_and_update().is_some());
    assert!(started.wakes.load(Relaxed) >= 2);

    for record in &kept.requests {
        assert_eq!(record.outcome, Outcome::Ok, "{record:?}");
        assert_eq!(record.ended, Some(Ended::OkDone));
        assert_eq!((record.n_chunks(), record.http_status), (5, Some(200)));
        let marks = [
            Some(record.dispatched_ns),
            record.sent_ns,
            record.first_byte_ns,
            record.first_token_ns,
            record.last_token_ns,
            record.finish_ns,
            Some(record.end_ns),
        ];
        assert!(marks.iter().all(Option::is_some), "{record:?}");
        assert!(marks.is_sorted(), "{marks:?}");
        // The server sleeps 40 ms before its first token and 40 ms in all between the others.
        let ttft = record.first_token_ns.unwrap() - record.sent_ns.unwrap();
        assert!(ttft >= 40_000_000, "{ttft}");
        assert!(record.chunk_ns.iter().sum::<u64>() >= 38_000_000);
        assert_eq!(record.prompt.as_ref().unwrap().hash.len(), 16);
        assert_eq!(record.answer.as_ref().unwrap().chars, 10);
        #[cfg(target_os = "linux")]
        assert_eq!(record.stamps, Stamps::Kernel);
        assert_eq!(
            record.client_late_ns.is_some(),
            record.stamps == Stamps::Kernel
        );
        let expected = match record.phase {
            Phase::Cold => ConnectionKind::New,
            _ => ConnectionKind::Reused,
        };
        assert_eq!(kind_of(record), expected);
        assert_eq!(record.connect_ns.is_some(), expected == ConnectionKind::New);
    }
    // Little's law holds between the engine's own count and the records.
    for (i, users) in [(0, 1.0), (1, 4.0)] {
        let mean = end.facts.in_flight[i].mean;
        assert!(
            // A request leaves the flight when it is read, which on a busy machine is after its last byte came.
            mean > users * 0.8 && mean <= users * 1.05,
            "{mean} of {users}"
        );
        assert_eq!(end.facts.in_flight[i].held, None);
    }
}

#[test]
fn a_new_connection_for_every_request() {
    let server = serve(|_| Answer::Stream {
        first_ms: 1,
        gap_ms: 0,
        n: 2,
    });
    let mut plan = plan(server.address, "2", TierLength::Requests("6"));
    plan.target.connections = Connections::New;
    let (end, records) = run(plan, openai());
    assert_eq!(end.run.summary.stages[0].ok, 6);
    for record in &records {
        assert_eq!(kind_of(record), ConnectionKind::New);
        let connect_ns = record.connect_ns.unwrap();
        assert!(record.dispatched_ns <= connect_ns && connect_ns <= record.sent_ns.unwrap());
    }
}

#[test]
fn a_kept_connection_that_was_closed_is_made_again() {
    let server = serve(|_| Answer::ThenClose);
    let mut plan = plan(server.address, "1, 1", TierLength::Requests("1"));
    plan.pause_secs = 0.2;
    plan.cold.requests = 2;
    plan.cold.how = inferometer::domain::ColdHow::Nothing;
    let (end, records) = run(plan, openai());
    assert_eq!(
        end.run.summary.stages[0].ok, 1,
        "{:?}",
        end.run.summary.errors
    );
    let kinds: Vec<_> = records
        .iter()
        .filter(|r| r.outcome.is_ok())
        .map(kind_of)
        .collect();
    assert_eq!(kinds[0], ConnectionKind::New);
    // Either the end was seen before a byte was written, or the request found out: then it failed as stale.
    match &records[1].outcome {
        Outcome::Ok => assert_eq!(kind_of(&records[1]), ConnectionKind::Reconnected),
        _ => assert_eq!(failure(&records[1]).kind, FailureKind::StaleConnection),
    }
    // Between stages there was time to see it, and it was opened before the stage: told, but no part of the request.
    assert_eq!(kind_of(&records[3]), ConnectionKind::Reconnected);
    assert_eq!(records[3].connect_ns, None);
}

#[test]
fn a_server_that_closes_after_each_answer_costs_one_request() {
    let server = serve(|_| Answer::CloseLate);
    let (_, records) = run(
        plan(server.address, "1", TierLength::Requests("8")),
        openai(),
    );
    assert_eq!(failure(&records[1]).kind, FailureKind::StaleConnection);
    let after: Vec<_> = records[3..].iter().map(kind_of).collect();
    assert!(records[2..].iter().all(|r| r.outcome.is_ok()));
    assert_eq!(after, [ConnectionKind::Reconnected; 5], "it was learnt");
}

#[test]
fn a_connection_closed_after_writing_is_stale_and_not_sent_again() {
    let server = serve(|n| match n {
        1 => Answer::Hangup,
        _ => Answer::Stream {
            first_ms: 1,
            gap_ms: 1,
            n: 2,
        },
    });
    let (_, records) = run(
        plan(server.address, "1", TierLength::Requests("3")),
        openai(),
    );
    assert_eq!(failure(&records[1]).kind, FailureKind::StaleConnection);
    assert!(records[1].sent_ns.is_some());
    assert_eq!(kind_of(&records[2]), ConnectionKind::New);
    assert_eq!(server.n_requests.load(Relaxed), 3, "nothing was sent twice");
}

#[test]
fn each_time_limit_fails_as_itself() {
    let check = |answer: Answer, kind: FailureKind, word: &str, n_tokens: usize| {
        let server = serve(move |_| answer);
        let mut plan = plan(server.address, "1", TierLength::Requests("1"));
        let timeouts = &mut plan.target.timeouts;
        timeouts.first_byte_secs = 0.3;
        timeouts.idle_secs = 0.2;
        timeouts.token_stall_secs = 0.4;
        timeouts.total_secs = if word == "total" { 0.25 } else { 30.0 };
        if word == "total" {
            timeouts.idle_secs = 10.0;
            timeouts.token_stall_secs = 10.0;
        }
        let (end, records) = run(plan, openai());
        let failure = failure(&records[0]);
        assert_eq!(failure.kind, kind, "{failure:?}");
        assert!(failure.message.contains(word), "{failure:?}");
        assert_eq!(records[0].n_chunks(), n_tokens, "partial times are kept");
        assert!(!end.run.summary.verdict.valid);
    };
    check(
        Answer::Silence,
        FailureKind::TimeoutFirstByte,
        "first-byte",
        0,
    );
    check(Answer::Stall, FailureKind::TimeoutIdle, "idle", 2);
    check(
        Answer::Heartbeats,
        FailureKind::TimeoutIdle,
        "token-stall",
        2,
    );
    check(Answer::Stall, FailureKind::TimeoutTotal, "total", 2);
}

#[test]
fn nobody_listens() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (end, records) = run(plan(closed, "2", TierLength::Requests("1000")), openai());
    assert!((10..=11).contains(&records.len()), "{}", records.len());
    assert!(
        records
            .iter()
            .all(|r| failure(r).kind == FailureKind::Connect)
    );
    let why = end.run.borders[0].stopped.as_deref().unwrap();
    assert!(why.contains("all failed alike"), "{why}");
    assert!(!end.run.summary.verdict.valid);
    assert_eq!(end.run.state, RunState::Finished);
}

#[test]
fn a_refused_key_stops_after_ten() {
    let server = serve(|_| Answer::Status(401));
    let (end, records) = run(
        plan(server.address, "1", TierLength::Requests("100")),
        openai(),
    );
    assert_eq!(records.len(), 10);
    assert_eq!(failure(&records[0]).status, Some(401));
    assert!(
        end.run.borders[0]
            .stopped
            .as_deref()
            .unwrap()
            .contains("401")
    );
}

#[test]
fn stop_ends_well_and_abort_at_once() {
    let server = serve(|_| Answer::Stream {
        first_ms: 5,
        gap_ms: 20,
        n: 20,
    });
    let stopped = start(
        plan(server.address, "3", TierLength::Requests("1000")),
        openai(),
    );
    std::thread::sleep(Duration::from_millis(150));
    stopped.handle.stop();
    let end = stopped.handle.join().unwrap();
    assert!(end.is_interrupted());
    assert_eq!(end.run.state, RunState::Finished);
    let requests = &stopped.kept.lock().unwrap().requests;
    assert!(requests.len() >= 3 && requests.iter().all(|r| r.outcome.is_ok()));

    let aborted = start(
        plan(server.address, "3", TierLength::Requests("1000")),
        openai(),
    );
    std::thread::sleep(Duration::from_millis(150));
    aborted.handle.abort();
    let end = aborted.handle.join().unwrap();
    assert_eq!(end.run.state, RunState::Interrupted);
    let requests = &aborted.kept.lock().unwrap().requests;
    let cancelled: Vec<_> = requests
        .iter()
        .filter(|r| r.outcome == Outcome::Cancelled)
        .collect();
    assert_eq!(cancelled.len(), 3);
    assert!(
        cancelled.iter().all(|r| r.n_chunks() > 0),
        "partial token times are kept"
    );
}

/// A wire with something to tell the server when a request is given up.
struct Cancelling;

struct CancellingExchange {
    is_sent: bool,
}

fn call(path: &str) -> HttpCall {
    HttpCall {
        method: Method::POST,
        path_and_query: path.to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
    }
}

impl Adapter for Cancelling {
    fn exchange(&self, _prompt: &Prompt, _user: u32, _seq: u64) -> Box<dyn Exchange> {
        Box::new(CancellingExchange { is_sent: false })
    }
    fn facts(&self) -> &ServerFacts {
        unreachable!("the head has them")
    }
}

impl Exchange for CancellingExchange {
    fn next_call(&mut self, _now_ns: u64) -> Option<HttpCall> {
        (!std::mem::replace(&mut self.is_sent, true)).then(|| call("/join"))
    }
    fn head(&mut self, _status: u16, _headers: &HeaderMap, _stamp: Stamp) {}
    fn data(&mut self, _bytes: &[u8], _stamp: Stamp) {}
    fn end(&mut self, _result: Result<(), Failure>, _stamp: Stamp) {}
    fn n_tokens_seen(&self) -> u64 {
        0
    }
    fn cancel_call(&self) -> Option<HttpCall> {
        Some(call("/cancel"))
    }
    fn reply(self: Box<Self>) -> Reply {
        Reply::default()
    }
}

#[test]
fn an_aborted_request_tells_the_server() {
    let server = serve(|n| match n {
        0 | 1 => Answer::Heartbeats,
        _ => Answer::Status(200),
    });
    let started = start(
        plan(server.address, "2", TierLength::Requests("10")),
        Arc::new(Cancelling),
    );
    std::thread::sleep(Duration::from_millis(150));
    started.handle.abort();
    let end = started.handle.join().unwrap();
    assert_eq!(end.run.summary.stages[0].cancelled, 2);
    let paths = server.paths.lock().unwrap();
    assert_eq!(*paths, ["/join", "/join", "/cancel", "/cancel"]);
}

/// A wire whose last word comes before the body's end.
struct Curt;

struct CurtExchange {
    is_sent: bool,
    is_done: bool,
}

impl Adapter for Curt {
    fn exchange(&self, _prompt: &Prompt, _user: u32, _seq: u64) -> Box<dyn Exchange> {
        Box::new(CurtExchange {
            is_sent: false,
            is_done: false,
        })
    }
    fn facts(&self) -> &ServerFacts {
        unreachable!("the head has them")
    }
}

impl Exchange for CurtExchange {
    fn next_call(&mut self, _now_ns: u64) -> Option<HttpCall> {
        (!std::mem::replace(&mut self.is_sent, true)).then(|| call("/x"))
    }
    fn head(&mut self, _status: u16, _headers: &HeaderMap, _stamp: Stamp) {}
    fn data(&mut self, _bytes: &[u8], _stamp: Stamp) {
        self.is_done = true;
    }
    fn end(&mut self, result: Result<(), Failure>, _stamp: Stamp) {
        assert_eq!(result, Ok(()));
    }
    fn n_tokens_seen(&self) -> u64 {
        0
    }
    fn is_done(&self) -> bool {
        self.is_done
    }
    fn cancel_call(&self) -> Option<HttpCall> {
        None
    }
    fn reply(self: Box<Self>) -> Reply {
        Reply {
            result: Some(Ok(Ended::OkDone)),
            ..Reply::default()
        }
    }
}

#[test]
fn a_known_outcome_does_not_wait_for_the_end_of_the_body() {
    let server = serve(|n| match n {
        0 => Answer::Stall,
        _ => Answer::Stream {
            first_ms: 1,
            gap_ms: 1,
            n: 3,
        },
    });
    let plan = plan(server.address, "1", TierLength::Requests("3"));
    let (end, records) = run(plan, Arc::new(Curt));
    assert_eq!(
        end.run.summary.stages[0].ok, 3,
        "{:?}",
        end.run.summary.errors
    );
    let took_ns = |r: &RequestRecord| r.end_ns - r.first_byte_ns.unwrap();
    // The server falls silent for two seconds; only a part of that is waited for, and the connection is given up.
    assert!(
        (200_000_000..1_800_000_000).contains(&took_ns(&records[0])),
        "{}",
        took_ns(&records[0])
    );
    let kinds: Vec<_> = records.iter().map(kind_of).collect();
    assert_eq!(
        kinds,
        [
            ConnectionKind::Reused,
            ConnectionKind::New,
            ConnectionKind::Reused
        ]
    );
}

/// Blocks the measuring thread in the middle of each request.
struct Blocking(Clock);

impl Driver for Blocking {
    async fn connect(&mut self) -> Result<(), Failure> {
        Ok(())
    }
    async fn perform(&mut self, job: &Job, _live: &Live) -> Performed {
        tokio::time::sleep(Duration::from_millis(5)).await;
        std::thread::sleep(Duration::from_millis(30));
        job.record(Outcome::Ok, self.0.now_ns()).into()
    }
    async fn give_up(&mut self, job: &Job, outcome: Outcome) -> Performed {
        job.record(outcome, self.0.now_ns()).into()
    }
    fn close(&mut self) {}
}

#[test]
fn a_blocked_measuring_thread_makes_the_run_invalid() {
    let plan = plan(
        SocketAddr::from(([127, 0, 0, 1], 1)),
        "1",
        TierLength::Requests("30"),
    );
    let clock = Clock::new();
    let setup = Setup {
        prompts: PromptSource::load(&plan.workload, plan.seed).unwrap(),
        head: head(plan, &clock),
        clock: clock.clone(),
        adapter: None,
        file: None,
    };
    let (outlets, kept, _, _) = outlets();
    let handle = engine::start_with(setup, move |_| Blocking(clock.clone()), outlets).unwrap();
    let end = handle.join().unwrap();
    assert_eq!(kept.lock().unwrap().requests.len(), 30);
    let verdict = &end.run.summary.verdict;
    let says_so = |r: &String| r.contains("ticker");
    assert!(
        !verdict.valid && verdict.reasons.iter().any(says_so),
        "{verdict:?}"
    );
    assert!(end.run.health.tick_p99_ms.unwrap() > 5.0);
}

#[test]
fn a_load_beyond_the_descriptors_is_refused_before_it_starts() {
    let mut plan = Plan::simple("http://127.0.0.1:1");
    let Some(limit) = inferometer::transport::limits::raise_descriptor_limit() else {
        return;
    };
    let Ok(users) = u32::try_from(limit) else {
        return;
    };
    plan.stages[0].load = inferometer::domain::Load::Closed {
        users: users.try_into().unwrap(),
        mode: ClosedMode::Steady,
        ramp: None,
    };
    let issues = engine::preflight(&plan).unwrap_err();
    assert_eq!(issues[0].field, "stages");
    assert!(
        issues[0].message.contains("ulimit"),
        "{}",
        issues[0].message
    );
    plan.stages[0].load = Stage::closed_tiers("1", ClosedMode::Steady, TierLength::Requests("1"))
        .unwrap()[0]
        .load
        .clone();
    assert_eq!(engine::preflight(&plan), Ok(()));
}
