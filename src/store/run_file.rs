//! Opens a run file: every line checked, figures worked out again from the records, a torn end forgiven.

use std::path::Path;
use std::sync::Arc;

use super::line::{EndLine, EndState, Line};
use super::open_error::{OpenError, looks_like};
use super::run_lines::{RawLine, RunLines};
use crate::domain::{
    Accumulator, Detail, Health, MAX_STAGES, MAX_STAGES_AS_RUN, Mark, RequestRecord, RunData,
    RunFacts, RunHead, RunState, SCHEMA, StageBorder, StageIdx, Summary,
};

/// What is looked at to say what a foreign file is.
const PREFIX_BYTES: usize = 1024 * 1024;
/// No mark of a run is later than this: ten years.
const MAX_NS: u64 = 10 * 365 * 86_400 * 1_000_000_000;
/// No request has more tokens than this.
const MAX_REQUEST_TOKENS: u64 = 1_000_000_000_000;

/// Opens a run file, plain or `.zst`. One without its `end` line opens as an interrupted run.
///
/// # Errors
/// What the file is instead, or which line cannot be used. A last line that was torn is no error.
pub fn open_run(path: &Path) -> Result<RunData, OpenError> {
    let mut lines = RunLines::open(path)?;
    let head = read_head(&mut lines)?;
    let mut run = Reading {
        accumulator: Accumulator::new(&head.plan),
        head,
        borders: Vec::new(),
        marks: Vec::new(),
        health: Health::default(),
        end: None,
        n_records: 0,
    };
    while let Some(line) = lines.next()? {
        let is_whole = line.is_whole;
        if let Err(message) = run.line(&line) {
            if !is_whole && run.end.is_none() {
                break;
            }
            return Err(OpenError::Line {
                path: lines.path,
                line: lines.number,
                message,
            });
        }
    }
    Ok(run.finish(path, lines.file_bytes))
}

/// The first line; leaves the reader at the second.
pub(super) fn read_head(lines: &mut RunLines) -> Result<RunHead, OpenError> {
    let path = lines.path.clone();
    let Some(first) = lines.next()? else {
        return Err(OpenError::Empty { path });
    };
    let beginning = match head_of(first.bytes) {
        Ok(head) => return Ok(head),
        Err(NoHead::Newer(found)) => return Err(OpenError::Newer { path, found }),
        Err(NoHead::Broken(message)) => return Err(OpenError::Head { path, message }),
        Err(NoHead::Foreign) => first.bytes.get(..PREFIX_BYTES).unwrap_or(first.bytes),
    };
    let mut prefix = beginning.to_vec();
    if first.is_whole {
        prefix.push(b'\n');
        prefix.extend(lines.prefix(PREFIX_BYTES as u64));
    }
    Err(OpenError::Foreign {
        path,
        line: 1,
        looks_like: looks_like(&prefix),
    })
}

enum NoHead {
    Foreign,
    Newer(u64),
    Broken(String),
}

fn head_of(line: &[u8]) -> Result<RunHead, NoHead> {
    /// What every version of the head has.
    #[derive(serde::Deserialize)]
    struct AnyHead {
        #[serde(rename = "type")]
        kind: Option<String>,
        schema: Option<u64>,
    }
    let any: AnyHead = match serde_json::from_slice(line) {
        Ok(any) => any,
        Err(e) if line.starts_with(b"{\"type\":\"run\"") => {
            return Err(NoHead::Broken(e.to_string()));
        }
        Err(_) => return Err(NoHead::Foreign),
    };
    match (any.kind.as_deref(), any.schema) {
        (Some("run") | None, Some(found)) if found > u64::from(SCHEMA) => {
            return Err(NoHead::Newer(found));
        }
        (Some("run"), _) => {}
        _ => return Err(NoHead::Foreign),
    }
    let head: RunHead = serde_json::from_slice(line).map_err(|e| NoHead::Broken(e.to_string()))?;
    let n_stages = head.plan.stages.len();
    if n_stages == 0 || n_stages > MAX_STAGES {
        let message = format!("{n_stages} stages, it must be 1 to {MAX_STAGES}");
        return Err(NoHead::Broken(message));
    }
    Ok(head)
}

struct Reading {
    head: RunHead,
    accumulator: Accumulator,
    borders: Vec<StageBorder>,
    marks: Vec<Mark>,
    health: Health,
    end: Option<EndLine>,
    n_records: u64,
}

impl Reading {
    fn line(&mut self, line: &RawLine<'_>) -> Result<(), String> {
        if line.bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let parsed = Line::parse(line.bytes).map_err(|e| e.to_string())?;
        if self.end.is_some() {
            return Err("it comes after the “end” line".to_owned());
        }
        match parsed {
            Some(Line::Run(_)) => {
                return Err("a second “run” line: two runs in one file".to_owned());
            }
            Some(Line::Request(record)) => {
                self.check_record(&record)?;
                self.accumulator.push(&record);
                self.n_records += 1;
            }
            Some(Line::Stage(border)) => self.border(*border)?,
            Some(Line::Sample(sample)) => self.sample(&sample.health),
            Some(Line::Mark(mark)) => self.mark(mark)?,
            Some(Line::Beside(beside)) => self.accumulator.beside(&beside),
            Some(Line::End(end)) => self.end = Some(*end),
            // Of a later version that adds kinds of lines.
            None => {}
        }
        Ok(())
    }

    fn check_stage(&self, stage: StageIdx) -> Result<(), String> {
        let n = self.accumulator.plan().stages.len();
        if stage.index() < n {
            return Ok(());
        }
        Err(format!("stage {} of a plan with {n}", stage.0))
    }

    /// A made stage comes right after those before it, and a run has no more than [`MAX_STAGES_AS_RUN`] stages.
    fn check_border(&self, border: &StageBorder) -> Result<(), String> {
        let n = self.accumulator.plan().stages.len();
        if border.made.is_some() && border.stage.index() <= n && n < MAX_STAGES_AS_RUN {
            return Ok(());
        }
        self.check_stage(border.stage)
    }

    /// What no run of ours could have written, so that nothing after this has to fear it.
    fn check_record(&self, record: &RequestRecord) -> Result<(), String> {
        self.check_stage(record.stage)?;
        if record.end_ns < record.dispatched_ns {
            return Err(format!(
                "the request ends at {} ns, before it starts at {} ns",
                record.end_ns, record.dispatched_ns
            ));
        }
        let gradio = record.gradio.as_ref();
        let connection = record.connection.as_ref();
        let marks = [
            Some(record.end_ns),
            record.due_ns,
            record.sent_ns,
            record.connect_ns,
            record.first_byte_ns,
            record.first_token_ns,
            record.first_answer_ns,
            record.last_token_ns,
            record.finish_ns,
            record.client_late_ns,
            gradio.and_then(|g| g.submit_ns),
            gradio.and_then(|g| g.queue_wait_ns),
            gradio.and_then(|g| g.process_starts_ns),
            connection.and_then(|c| c.dns_ns),
            connection.and_then(|c| c.tcp_ns),
            connection.and_then(|c| c.tls_ns),
        ];
        if let Some(mark) = marks.into_iter().flatten().find(|ns| *ns > MAX_NS) {
            return Err(format!("a time of {mark} ns is beyond ten years"));
        }
        let gaps = record.chunk_ns.iter();
        let sum = gaps.fold(0_u64, |sum, gap| sum.saturating_add(*gap));
        if sum > MAX_NS {
            return Err("its gaps are beyond ten years".to_owned());
        }
        let tokens = [record.tokens_in, record.tokens_out];
        match tokens
            .into_iter()
            .flatten()
            .find(|n| *n > MAX_REQUEST_TOKENS)
        {
            Some(n) => Err(format!("{n} tokens are more than a request can have")),
            None => Ok(()),
        }
    }

    /// A stage is told when it begins and again when it has ended: the later line counts.
    fn border(&mut self, border: StageBorder) -> Result<(), String> {
        self.check_border(&border)?;
        if border.start_ns > MAX_NS || border.end_ns.is_some_and(|ns| ns > MAX_NS) {
            return Err("a stage's border is beyond ten years".to_owned());
        }
        self.accumulator.border(&border);
        match self.borders.iter_mut().find(|b| b.stage == border.stage) {
            Some(known) => *known = border,
            None => self.borders.push(border),
        }
        Ok(())
    }

    fn mark(&mut self, mark: Mark) -> Result<(), String> {
        if mark.at_ns > MAX_NS {
            return Err("a mark is beyond ten years".to_owned());
        }
        self.marks.push(mark);
        Ok(())
    }

    /// The newest of what is sampled, the largest of what only grows.
    fn sample(&mut self, sample: &Health) {
        let largest = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        let before = std::mem::replace(&mut self.health, sample.clone());
        let now = &mut self.health;
        now.cpu_max_percent_of_cores = largest(
            before.cpu_max_percent_of_cores,
            now.cpu_max_percent_of_cores,
        );
        now.slip_p99_ms = now.slip_p99_ms.or(before.slip_p99_ms);
        now.client_late_p99_ms = now.client_late_p99_ms.or(before.client_late_p99_ms);
        now.tick_p99_ms = now.tick_p99_ms.or(before.tick_p99_ms);
        now.tick_max_ms = largest(before.tick_max_ms, now.tick_max_ms);
        now.open_files = now.open_files.max(before.open_files);
        now.max_files = now.max_files.or(before.max_files);
        now.memory_bytes = now.memory_bytes.max(before.memory_bytes);
    }

    fn finish(mut self, path: &Path, file_bytes: u64) -> RunData {
        let is_finished = matches!(&self.end, Some(end) if end.state == EndState::Finished);
        let facts = match &self.end {
            Some(end) => end.facts.clone(),
            None => RunFacts {
                health: self.health.clone(),
                interrupted: true,
                server: self.head.server.clone(),
                ..RunFacts::default()
            },
        };
        let computed = self
            .accumulator
            .summary(Detail::Full, &self.borders, &facts);
        let summary = match self.end.take() {
            Some(end) => agreed(computed, end.summary, facts.journal_lost),
            None => computed,
        };
        let n_stages = self.accumulator.plan().stages.len();
        let gaps = (0..n_stages)
            .map(|i| self.accumulator.gaps(StageIdx::from_index(i)))
            .collect();
        RunData {
            state: if is_finished {
                RunState::Finished
            } else {
                RunState::Interrupted
            },
            points: self.accumulator.points().clone(),
            gaps,
            series: Arc::new(self.accumulator.series()),
            summary: Arc::new(summary),
            health: facts.health,
            as_run: Arc::new(self.accumulator.plan().clone()),
            head: Arc::new(self.head),
            marks: self.marks,
            borders: self.borders,
            file: Some(path.to_owned()),
            file_bytes,
            revision: 1,
        }
    }
}

/// The figures of the records, unless the journal lost some: then those of the `end` line, which counted them all. Where
/// the two differ for no such reason the file was changed, and the verdict says so.
fn agreed(mut computed: Summary, told: Summary, journal_lost: u64) -> Summary {
    let counts = |s: &Summary| -> Vec<[u64; 4]> {
        let of = |s: &crate::domain::StageSummary| [s.ok, s.failed, s.cancelled, s.cut_off];
        s.stages.iter().map(of).collect()
    };
    if told.stages.len() == computed.stages.len() && journal_lost > 0 {
        return told;
    }
    if counts(&computed) != counts(&told) {
        let n = |s: &Summary| s.stages.iter().map(|s| s.n_ended()).sum::<u64>();
        computed.verdict.valid = false;
        computed.verdict.reasons.push(format!(
            "The file holds {} measured requests but its end counts {}: it was changed after the run; measure again",
            n(&computed),
            n(&told)
        ));
    }
    computed
}
