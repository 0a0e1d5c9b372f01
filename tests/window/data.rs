//! Runs that look like runs: a server that slows down under load, a cold start, a warm-up, a few failures.

use std::sync::Arc;

use inferometer::domain::{
    Accumulator, Caution, CautionId, ClosedMode, Cold, Detail, Ended, Environment, Failure,
    FailureKind, Health, Outcome, Phase, Plan, Progress, RequestRecord, RunData, RunFacts, RunHead,
    RunState, ServerFacts, ServerTimes, Stage, StageBorder, StageIdx, Stamps, Target, TierLength,
    TokenSource, Warmup,
};

pub(super) const MS: f64 = 1e6;

/// A seeded source of noise (SplitMix64).
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// exp(σ · normal).
    fn log_normal(&mut self, sigma: f64) -> f64 {
        let (u, v) = (self.unit().max(1e-12), self.unit());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        (sigma * normal).exp()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive and small"
)]
pub(super) fn ns(ms: f64) -> u64 {
    (ms * MS) as u64
}

pub(super) fn plan(label: &str, users: &str, requests: &str) -> Plan {
    let stages =
        Stage::closed_tiers(users, ClosedMode::Steady, TierLength::Requests(requests)).unwrap();
    Plan {
        label: label.to_owned(),
        stages,
        target: Target {
            model: Some("llama-3.1-8b".to_owned()),
            ..Target::at("http://10.0.4.21:8000/v1")
        },
        cold: Cold {
            requests: 1,
            ..Cold::default()
        },
        warmup: Warmup::Requests(8.try_into().unwrap()),
        seed: 42,
        ..Plan::simple("http://10.0.4.21:8000/v1")
    }
}

/// Median TTFT and time per token in ms at that many users: flat, then a knee.
pub(super) fn service(users: f64) -> (f64, f64) {
    let over = (users / 40.0).max(1.0);
    (
        150.0 * (1.0 + users / 55.0) * over.powf(4.2),
        5.6 * (1.0 + users / 60.0) * over.powf(0.9),
    )
}

pub(super) fn record(
    (stage, phase, seq, user): (usize, Phase, u64, u32),
    start_ms: f64,
    (ttft, tpot): (f64, f64),
    noise: &mut Noise,
) -> RequestRecord {
    let n_tokens = 240
        + (noise.unit() * 30.0)
            .floor()
            .max(0.0)
            .to_string()
            .parse::<u64>()
            .unwrap();
    let start = ns(start_ms);
    let ttft = ttft * noise.log_normal(0.42);
    let first = start + ns(ttft);
    let chunk_ns: Vec<u64> = (1..n_tokens)
        .map(|_| ns(tpot * (0.7 + 0.6 * noise.unit())))
        .collect();
    let last = first + chunk_ns.iter().sum::<u64>();
    RequestRecord {
        stage: StageIdx::from_index(stage),
        phase,
        seq,
        user,
        due_ns: None,
        dispatched_ns: start,
        sent_ns: Some(start + 40_000),
        connect_ns: None,
        first_byte_ns: Some(first - 1000),
        first_token_ns: Some(first),
        first_answer_ns: Some(first),
        last_token_ns: Some(last),
        finish_ns: Some(last + 100_000),
        end_ns: last + 200_000,
        chunk_ns,
        chunk_tokens: None,
        chunk_shared: None,
        stamps: Stamps::Kernel,
        client_late_ns: Some(90_000),
        tokens_in: Some(512),
        tokens_out: Some(n_tokens),
        token_source: Some(TokenSource::Usage),
        outcome: Outcome::Ok,
        ended: Some(Ended::OkDone),
        http_status: Some(200),
        connection: None,
        gradio: None,
        server_times: ServerTimes::default(),
        prompt: None,
        answer: None,
        released_ns: None,
        from_due: false,
        conversation: None,
        turn: None,
        cached_tokens: None,
        tokens_in_asked: None,
        tokens_out_asked: None,
    }
}

fn fail(record: &mut RequestRecord, kind: FailureKind, status: Option<u16>, message: &str) {
    record.outcome = Outcome::Failed(Failure {
        kind,
        status,
        message: message.to_owned(),
    });
    record.ended = None;
    record.finish_ns = None;
}

/// Every request that the plan sends, with the borders of its stages.
pub(crate) fn simulate(plan: &Plan, seed: u64) -> (Vec<RequestRecord>, Vec<StageBorder>) {
    let mut noise = Noise::new(seed);
    let mut records = Vec::new();
    let mut borders = Vec::new();
    let mut seq = 0;
    let mut now = 0.0;
    if plan.cold.requests > 0 {
        let mut cold = record(
            (0, Phase::Cold, seq, 0),
            now,
            (6800.0, 6.0),
            &mut Noise::new(3),
        );
        let shift = ns(6800.0) + cold.dispatched_ns - cold.first_token_ns.unwrap();
        cold.first_token_ns = cold.first_token_ns.map(|t| t + shift);
        cold.last_token_ns = cold.last_token_ns.map(|t| t + shift);
        cold.finish_ns = cold.finish_ns.map(|t| t + shift);
        cold.end_ns += shift;
        now = cold.end_ns as f64 / MS;
        records.push(cold);
        seq += 1;
    }
    for (i, stage) in plan.stages.iter().enumerate() {
        let users = stage.load.max_in_flight();
        let service = service(f64::from(users));
        let mut free: Vec<f64> = vec![now; users as usize];
        let warmup = if i == 0 { 8 } else { u64::from(users).min(6) };
        let mut began = None;
        let mut ended = now;
        for k in 0..warmup + stage.n_requests().unwrap_or(50) {
            let (user, start) = free
                .iter()
                .copied()
                .enumerate()
                .min_by(|a, b| a.1.total_cmp(&b.1))
                .unwrap();
            let phase = if k < warmup {
                Phase::Warmup
            } else {
                Phase::Measure
            };
            let mut one = record(
                (i, phase, seq, u32::try_from(user).unwrap()),
                start,
                service,
                &mut noise,
            );
            if phase == Phase::Measure {
                began.get_or_insert(start);
            }
            let is_bad = users >= 10 && noise.unit() < if users >= 64 { 0.012 } else { 0.003 };
            if is_bad && phase == Phase::Measure {
                if noise.unit() < 0.6 {
                    let message = "{\"error\":{\"message\":\"The engine is overloaded, please retry\",\"type\":\"overloaded\"}}";
                    fail(&mut one, FailureKind::HttpStatus, Some(503), message);
                } else {
                    fail(
                        &mut one,
                        FailureKind::Reset,
                        None,
                        "connection reset by peer after 41 chunks",
                    );
                }
            }
            free[user] = one.end_ns as f64 / MS;
            ended = f64::max(ended, free[user]);
            records.push(one);
            seq += 1;
        }
        now = ended;
        borders.push(StageBorder {
            stage: StageIdx::from_index(i),
            start_ns: ns(began.unwrap_or(now)),
            end_ns: Some(ns(ended)),
            stopped: None,
            made: None,
        });
    }
    records.sort_by_key(|r| r.end_ns);
    (records, borders)
}

fn head(plan: Plan) -> RunHead {
    RunHead {
        schema: 1,
        id: format!("test {}", plan.label),
        tool: "inferometer 0.1.0".to_owned(),
        started: "2026-11-21T14:18:00+01:00".to_owned(),
        started_unix_ns: 0,
        label: plan.label.clone(),
        tags: Vec::new(),
        notes: String::new(),
        plan,
        environment: Environment::default(),
        server: ServerFacts::default(),
        variation: None,
        workload: Default::default(),
    }
}

/// The run as it stands after those records.
pub(crate) fn run_of(
    plan: &Plan,
    records: &[RequestRecord],
    borders: Vec<StageBorder>,
    state: RunState,
) -> RunData {
    let live = !matches!(state, RunState::Finished | RunState::Interrupted);
    let detail = if live { Detail::Live } else { Detail::Full };
    let mut accumulator = Accumulator::new(plan);
    for border in &borders {
        accumulator.border(border);
    }
    for record in records {
        accumulator.push(record);
    }
    let health = Health {
        cpu_percent: Some(3.0),
        slip_p99_ms: Some(0.2),
        ..Health::default()
    };
    let facts = RunFacts {
        health: health.clone(),
        ..RunFacts::default()
    };
    let mut summary = accumulator.summary(detail, &borders, &facts);
    summary.verdict.n_checks = 10;
    summary.verdict.n_passed = 10;
    let gaps = (0..accumulator.plan().stages.len())
        .map(|i| accumulator.gaps(StageIdx::from_index(i)))
        .collect();
    RunData {
        head: Arc::new(head(plan.clone())),
        state,
        borders,
        points: accumulator.points().clone(),
        gaps,
        series: Arc::new(accumulator.series()),
        summary: Arc::new(summary),
        health,
        file: Some("/home/me/Inferometer/2026-11-21-1432-llama-3.1-8b.run.jsonl".into()),
        file_bytes: 412_000,
        revision: records.len() as u64,
        as_run: Arc::new(accumulator.plan().clone()),
        marks: Vec::new(),
    }
}

/// Stage 2 of 3 under way: 1, 10, 100 users.
pub(crate) fn live() -> RunData {
    let plan = plan("llama tiers", "1, 10, 100", "80, 400, 1000");
    let (records, mut borders) = simulate(&plan, 11);
    let stage_two =
        borders[1].start_ns + (borders[1].end_ns.unwrap() - borders[1].start_ns) * 46 / 100;
    let records: Vec<_> = records
        .into_iter()
        .filter(|r| r.end_ns <= stage_two)
        .collect();
    borders.truncate(2);
    borders[1].end_ns = None;
    let is_second = |r: &&RequestRecord| r.stage.0 == 1 && r.phase == Phase::Measure;
    let done = records.iter().filter(is_second).count() as u64;
    let progress = Progress {
        stage: StageIdx(1),
        phase: Some(Phase::Measure),
        done,
        of: Some(400),
        share: 0.46,
        left_secs: Some(94.0),
        in_flight: 10,
    };
    run_of(&plan, &records, borders, RunState::Running(progress))
}

/// Five stages, the last past the knee.
pub(crate) fn finished() -> RunData {
    let plan = plan("llama sweep", "1, 4, 16, 32, 64", "80, 160, 400, 500, 360");
    let (records, borders) = simulate(&plan, 5);
    let mut run = run_of(&plan, &records, borders, RunState::Finished);
    let mut summary = (*run.summary).clone();
    summary.cautions = vec![
        Caution {
            id: CautionId::Saturated,
            stage: Some(StageIdx(4)),
            finding: "64 users is past saturation".to_owned(),
            cause: "In flight and TTFT both rise through the stage, so its numbers depend on how long you ran.".to_owned(),
            advice: "End the sweep at 32 users, or send at a rate below 15 requests/s.".to_owned(),
        },
        Caution {
            id: CautionId::TokensPerChunk,
            stage: None,
            finding: "Chunks carry 1.4 tokens".to_owned(),
            cause: "More tokens than content events: a gap is not a token's time.".to_owned(),
            advice: "Read TPOT instead of the gaps.".to_owned(),
        },
    ];
    summary.verdict.n_passed = 9;
    run.summary = Arc::new(summary);
    run
}

/// 100 users for that share of their stage.
pub(crate) fn hundred_users(share: f64) -> RunData {
    let plan = plan("hundred users", "100", "400");
    let (records, mut borders) = simulate(&plan, 23);
    let begun = borders[0].start_ns;
    let took = (borders[0].end_ns.unwrap() - begun) as f64;
    let until = begun + ns(took * (0.05 + 0.9 * share) / MS);
    let records: Vec<_> = records.into_iter().filter(|r| r.end_ns <= until).collect();
    borders[0].end_ns = None;
    let progress = Progress {
        phase: Some(Phase::Measure),
        done: records.len() as u64,
        of: Some(400),
        share,
        left_secs: Some((1.0 - share) * took / 1e9),
        in_flight: 100,
        ..Progress::default()
    };
    let mut run = run_of(&plan, &records, borders, RunState::Running(progress));
    run.revision = 1 + ns(share) / 1_000;
    run
}

/// Ten requests of one user: few enough to be drawn as bars.
pub(crate) fn few() -> RunData {
    let plan = plan("ten requests", "1", "24");
    let (records, borders) = simulate(&plan, 2);
    run_of(&plan, &records, borders, RunState::Finished)
}
