//! Sweeps, searches, conversations and traffic beside: a file opened again says the same as the run did.

use std::num::{NonZeroU32, NonZeroU64};

use inferometer::domain::*;
use inferometer::store::*;
use serde_json::Value;

use super::{folder, head, lines, no_news, record};

const MS: u64 = 1_000_000;
const SEC: u64 = 1_000 * MS;

fn stage(load: Load) -> Stage {
    Stage {
        load,
        // As many as `Live::run` sends.
        end: StageEnd::Requests(NonZeroU64::new(100).unwrap()),
    }
}

/// A list of one tier, a sweep of five steps, and a search.
fn plan() -> Plan {
    let n = |n| NonZeroU32::new(n).unwrap();
    let mut plan = super::plan();
    plan.cold.requests = 0;
    plan.goals = vec!["ttft.p90:100ms".parse().unwrap()];
    plan.stages = vec![
        stage(Load::closed(n(1))),
        stage(Load::Sweep {
            over: Over::Rate,
            steps: n(5),
            max_users: n(16),
            arrival: ArrivalProcess::Constant,
        }),
        stage(Load::Search {
            over: Over::Rate,
            from: 5.0,
            max: 100.0,
            arrival: ArrivalProcess::Constant,
        }),
    ];
    plan
}

/// What the run does, both into its accumulator and its journal.
struct Live {
    acc: Accumulator,
    journal: Journal,
    /// In the order of ending, as the recorder keeps them.
    borders: Vec<StageBorder>,
    seq: u64,
}

impl Live {
    /// A stage at `rate` before a server that answers 25 requests a second.
    fn run(&mut self, made: Option<(MadeBy, u16)>, rate: f64) {
        let idx = StageIdx::from_index(self.borders.len());
        let start_ns = self.borders.len() as u64 * 60 * SEC;
        let border = StageBorder {
            stage: idx,
            start_ns,
            end_ns: None,
            stopped: None,
            made: made.map(|(why, of)| Made {
                why,
                of: StageIdx(of),
                stage: stage(Load::open(rate)),
            }),
        };
        self.border(&border);
        let mut free_ns = start_ns;
        for i in 0..100_u32 {
            let due_ns = start_ns + ns(f64::from(i) / rate);
            let begin_ns = due_ns.max(free_ns);
            free_ns = begin_ns + SEC / 25;
            let request = RequestRecord {
                stage: idx,
                due_ns: Some(due_ns),
                from_due: true,
                dispatched_ns: due_ns,
                sent_ns: Some(due_ns),
                first_byte_ns: Some(begin_ns + 10 * MS),
                first_token_ns: Some(begin_ns + 20 * MS),
                first_answer_ns: Some(begin_ns + 20 * MS),
                last_token_ns: Some(begin_ns + 30 * MS),
                finish_ns: Some(begin_ns + 30 * MS),
                end_ns: free_ns,
                turn: Some(i % 3),
                conversation: Some(u64::from(i / 3)),
                tokens_in: Some(u64::from(10 + i % 3 * 50)),
                cached_tokens: Some(u64::from(i % 3 * 40)),
                ..record(self.seq, idx.0, Phase::Measure)
            };
            self.seq += 1;
            self.acc.push(&request);
            self.journal.request(request);
        }
        let beside = BesideRecord {
            kind: BesideKind::Upload,
            stage: idx,
            visitor: 0,
            start_ns,
            end_ns: start_ns + 7 * MS,
            bytes: 100,
            error: made.is_none().then(|| "refused".to_owned()),
        };
        self.acc.beside(&beside);
        self.journal.beside(beside);
        let ended = StageBorder {
            end_ns: Some(free_ns),
            ..border
        };
        self.border(&ended);
        self.borders.push(ended);
    }

    fn border(&mut self, border: &StageBorder) {
        self.acc.border(border);
        self.journal.border(border.clone());
    }
}

#[test]
fn a_file_says_of_sweep_search_and_turns_what_the_run_did() {
    let folder = folder();
    let path = folder.path().join("a.run.jsonl");
    let head = RunHead {
        plan: plan(),
        ..head()
    };
    let mut live = Live {
        acc: Accumulator::new(&head.plan),
        journal: Journal::create(&path, &head, Default::default(), no_news).unwrap(),
        borders: Vec::new(),
        seq: 0,
    };
    live.run(None, 1.0);
    live.run(Some((MadeBy::Throughput, 1)), 1000.0);
    for step in 1..=5 {
        live.run(Some((MadeBy::Step, 1)), 6.0 * f64::from(step));
    }
    for rate in [5.0, 10.0, 20.0, 40.0, 30.0, 22.0] {
        live.run(Some((MadeBy::Probe, 2)), rate);
    }
    live.borders.rotate_left(4);
    let facts = RunFacts::default();
    let summary = live.acc.summary(Detail::Full, &live.borders, &facts);
    live.journal
        .finish(EndLine {
            ended: "2026-11-21T15:32:17.5+01:00".to_owned(),
            state: EndState::Finished,
            summary: summary.clone(),
            facts,
        })
        .unwrap();

    let opened = open_run(&path).unwrap();
    assert_eq!(*opened.summary, summary);
    assert_eq!(opened.plan().stages.len(), 13);
    assert_eq!(opened.head.plan.stages.len(), 3);
    let sweep = opened.summary.sweep.as_ref().unwrap();
    assert!((sweep.max_request_rate.unwrap() / 25.0 - 1.0).abs() < 0.05);
    let search = opened.summary.search.as_ref().unwrap();
    assert_eq!((search.found, search.missed_at), (Some(22.0), Some(30.0)));
    assert_eq!(search.probes.len(), 6);
    let knee = opened.summary.knee.as_ref().unwrap();
    assert!((knee.level / 25.0 - 1.0).abs() < 0.1, "{knee:?}");
    let turns = &opened.summary.stages[0].turns;
    assert_eq!((turns.len(), turns[2].tokens_in), (3, Some(110.0)));
    let beside = &opened.summary.beside[0];
    assert_eq!((beside.n, beside.failed, beside.p50), (13, 1, Some(7.0)));
    every_line_fits_the_schema(&path);
}

fn every_line_fits_the_schema(path: &std::path::Path) {
    let schema: Value = serde_json::from_str(schema(SchemaKind::Run)).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for line in lines(path) {
        let line: Value = serde_json::from_str(&line).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&line)
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}\n{line}");
    }
}

fn ns(secs: f64) -> u64 {
    u64::try_from(
        std::time::Duration::try_from_secs_f64(secs)
            .unwrap()
            .as_nanos(),
    )
    .unwrap()
}
