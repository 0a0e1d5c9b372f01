//! One stage's numbers.

use std::collections::{BTreeMap, HashSet};

use crate::stats;

use super::super::{
    Distribution, Goal, GoalTally, Interval, Intervals, Load, METRICS, MetricId, N_DISTRIBUTED,
    OutcomeKind, Phase, Point, RequestRecord, Stage, StageBorder, StageEnd, StageFacts,
    StageSummary, Taken, TokenSource, Trend,
};
use super::Detail;
use super::gaps::Gaps;
use super::pace::Pace;
use super::series::tokens_by_time;
use super::turns::Turns;

/// Values that are sorted when someone looks: the sorted part stays, so a look at a growing run costs a merge.
#[derive(Clone, Debug, Default)]
pub(super) struct Sorted {
    values: Vec<f64>,
    is_sorted: bool,
}

impl Sorted {
    pub(super) fn push(&mut self, value: f64) {
        self.values.push(value);
        self.is_sorted = false;
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn sorted(&mut self) -> &[f64] {
        if !self.is_sorted {
            // Stable: it finds the sorted run at the front.
            self.values.sort_by(f64::total_cmp);
            self.is_sorted = true;
        }
        &self.values
    }
}

/// Requests that tell how long one takes in a server that is not full yet.
const FIRST_OF_ALL: usize = 20;

#[derive(Clone, Debug)]
pub(super) struct StageData {
    label: String,
    is_open: bool,
    users: u32,
    ok: u64,
    failed: u64,
    cancelled: u64,
    cut_off: u64,
    dropped: u64,
    goals: GoalTally,
    pace: Pace,
    /// First Measure start and last Measure end, of requests that ended well or failed.
    window: Option<(u64, u64)>,
    /// Tokens by their own time: those inside the window, and those after it and within the stage's planned time, which
    /// count where it had all of that.
    tokens: f64,
    late_tokens: f64,
    has_tokens: bool,
    worst_source: Option<TokenSource>,
    /// Tokens and content events of the requests whose tokens the server or a tokenizer counted.
    counted_tokens: u64,
    counted_events: u64,
    values: [Sorted; N_DISTRIBUTED],
    pub(super) gaps: Gaps,
    turns: Turns,
    /// Sum of the time that requests were in flight inside the window.
    residence_ns: u128,
    /// Of those that ended within the stage's time, which rates count: the ones that ended well, and all.
    ok_in_time: u64,
    ended_in_time: u64,
    /// Of an open stage that ends by time, and whether it had all of it. A closed loop's users are busy from the first start
    /// to the last end; an open loop may have nothing to do at the end of its time, which is time all the same.
    planned_secs: Option<f64>,
    is_full: bool,
    seen_users: HashSet<u32>,
    /// Of the bootstrap: the same stage of a file gives the same interval.
    seed: u64,
    ranks: Ranks,
    summary: Option<(Detail, StageSummary)>,
}

impl StageData {
    pub(super) fn new(stage: &Stage, label: String, goals: &[Goal]) -> Self {
        Self {
            label,
            is_open: stage.load.is_open(),
            users: stage.load.max_in_flight(),
            ok: 0,
            failed: 0,
            cancelled: 0,
            cut_off: 0,
            dropped: 0,
            goals: GoalTally::new(goals),
            pace: Pace::default(),
            window: None,
            tokens: 0.0,
            late_tokens: 0.0,
            has_tokens: false,
            worst_source: None,
            counted_tokens: 0,
            counted_events: 0,
            values: Default::default(),
            gaps: Gaps::default(),
            turns: Turns::default(),
            residence_ns: 0,
            ok_in_time: 0,
            ended_in_time: 0,
            planned_secs: match stage.end {
                // A trace may be over before its stage is.
                StageEnd::DurationSecs(secs) if matches!(stage.load, Load::Open { .. }) => {
                    Some(secs)
                }
                _ => None,
            },
            is_full: false,
            seen_users: HashSet::new(),
            seed: u64::from(stage.load.max_in_flight()),
            ranks: Ranks::default(),
            summary: None,
        }
    }

    pub(super) fn rename(&mut self, label: String) {
        if self.label != label {
            self.label = label;
            self.summary = None;
        }
    }

    /// The stage's border as it is known by now.
    pub(super) fn bordered(&mut self, border: &StageBorder) {
        // An open loop of which nothing more was due has had its time, though its stage is over a little before.
        let is_full = border.end_ns.is_some() && border.stopped.is_none();
        if is_full != self.is_full {
            self.is_full = is_full;
            self.summary = None;
        }
    }

    /// Whether a request of that phase is among the stage's: in an open loop each one that was due in it, whenever it ended,
    /// or the slow ones of an overloaded server would be missing. A closed loop's last ones were not asked for any more.
    pub(super) fn measures(&self, phase: Phase) -> bool {
        phase == Phase::Measure || self.is_open && phase == Phase::Drain
    }

    pub(super) fn push(&mut self, record: &RequestRecord) {
        let is_measure = record.phase == Phase::Measure;
        if !is_measure && record.phase != Phase::Drain {
            return;
        }
        let is_measured = self.measures(record.phase);
        self.summary = None;
        self.seen_users.insert(record.user);
        match record.outcome.kind() {
            OutcomeKind::Ok if is_measured => self.ok += 1,
            OutcomeKind::Failed if is_measured => self.failed += 1,
            OutcomeKind::Cancelled => self.cancelled += 1,
            OutcomeKind::CutOff => self.cut_off += 1,
            OutcomeKind::Dropped => self.dropped += 1,
            _ => {}
        }
        self.goals.push(record);
        self.pace.push(record);
        let has_ended = matches!(record.outcome.kind(), OutcomeKind::Ok | OutcomeKind::Failed);
        if is_measure && has_ended {
            self.ended_in_time += 1;
            self.ok_in_time += u64::from(record.outcome.is_ok());
            let (start, end) = (record.start_ns(), record.end_ns);
            let (from, to) = self.window.unwrap_or((start, end));
            self.window = Some((from.min(start), to.max(end)));
        }
        if let Some((from, to)) = self.window {
            // In flight since it was dispatched: one that waits for the in-flight limit is not there yet.
            let (start, end) = (record.dispatched_ns.max(from), record.end_ns.min(to));
            self.residence_ns += u128::from(end.saturating_sub(start));
        }
        self.push_tokens(record);
        if is_measured && record.outcome.is_ok() {
            self.push_values(record);
        }
    }

    /// Tokens count by their own time, whoever they belong to: a Drain request, a failed one and one that was cut off
    /// gave their tokens of the window too. Records come in the order of ending, so the window of Measure stands when the
    /// first Drain request comes.
    fn push_tokens(&mut self, record: &RequestRecord) {
        let Some((from, to)) = self.window else {
            return;
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a plan's seconds, in ns"
        )]
        let planned = self.planned_secs.map(|secs| (secs * 1e9) as u64);
        let planned_to = planned.map_or(to, |ns| from.saturating_add(ns));
        for (at_ns, tokens) in tokens_by_time(record) {
            if (from..=to).contains(&at_ns) {
                self.tokens += tokens;
                self.has_tokens = true;
            } else if at_ns > to && at_ns <= planned_to {
                self.late_tokens += tokens;
            }
        }
        self.has_tokens |= record.tokens_out.is_some();
    }

    fn push_values(&mut self, record: &RequestRecord) {
        for (values, metric) in self.values.iter_mut().zip(&METRICS) {
            if let Taken::PerRequest(of) = metric.taken
                && let Some(value) = of(record).filter(|v| v.is_finite())
            {
                values.push(value);
            }
        }
        self.gaps.push(&record.chunk_ns);
        self.turns.push(record);
        if let Some(source) = record.token_source {
            let worst = self.worst_source.map_or(source, |w| w.max(source));
            self.worst_source = Some(worst);
            if let (TokenSource::Usage | TokenSource::Tokenizer, Some(n)) =
                (source, record.tokens_out)
                && record.n_chunks() > 0
            {
                self.counted_tokens += n;
                self.counted_events += record.n_chunks() as u64;
            }
        }
    }

    pub(super) fn sorted(&mut self, id: MetricId) -> &[f64] {
        self.values
            .get_mut(id as usize)
            .map(Sorted::sorted)
            .unwrap_or_default()
    }

    pub(super) fn summary(&mut self, detail: Detail) -> &StageSummary {
        let known = self
            .summary
            .take()
            .filter(|(d, _)| *d == detail || *d == Detail::Full);
        let fresh = match known {
            Some(known) => known,
            None => (detail, self.summarize(detail)),
        };
        &self.summary.insert(fresh).1
    }

    fn summarize(&mut self, detail: Detail) -> StageSummary {
        let mut metrics = BTreeMap::new();
        let seed = self.seed;
        let mut ranks = self.ranks;
        for (values, metric) in self.values.iter_mut().zip(&METRICS) {
            let of_metric = match metric.taken {
                Taken::PerGap => self.gaps.distribution(seed, &mut ranks, detail),
                _ => distribution(metric.id, values.sorted(), seed, &mut ranks, detail),
            };
            metrics.insert(metric.id, of_metric);
        }
        self.ranks = ranks;
        let full_secs = self.planned_secs.filter(|_| self.is_full);
        let seen = self.window.map(|(from, to)| (to - from) as f64 / 1e9);
        let secs = seen.map(|seen| full_secs.unwrap_or(seen));
        let secs = secs.filter(|secs| *secs > 0.0);
        let late_tokens = full_secs.map_or(0.0, |_| self.late_tokens);
        let tokens = self.tokens + late_tokens;
        let share = |n: u64, of: u64| (of > 0).then(|| n as f64 / of as f64);
        let n_ended = self.ok + self.failed;
        StageSummary {
            label: self.label.clone(),
            users: self.n_users(),
            ok: self.ok,
            failed: self.failed,
            cancelled: self.cancelled,
            cut_off: self.cut_off,
            dropped: self.dropped,
            duration_s: secs,
            request_rate: secs.map(|s| self.ok_in_time as f64 / s),
            output_token_rate: secs.filter(|_| self.has_tokens).map(|s| tokens / s),
            error_rate: share(self.failed, n_ended),
            error_rate_ci95: stats::wilson(self.failed, n_ended),
            sent_rate: self.pace.sent_rate(full_secs),
            goals: self.goals.results(),
            attainment: self.goals.attainment(),
            goodput: secs
                .filter(|_| self.goals.attainment().is_some())
                .map(|s| self.goals.n_good() as f64 / s),
            turns: self.turns.summaries(),
            token_source: self.worst_source,
            tokens_per_chunk: share(self.counted_tokens, self.counted_events),
            metrics,
        }
    }

    /// The users of the plan; where it names none, those that were seen: an idle one is sent again before a new one is made.
    fn n_users(&self) -> u32 {
        if self.is_open {
            u32::try_from(self.seen_users.len()).unwrap_or(u32::MAX)
        } else {
            self.users
        }
    }

    /// Requests at the stage's start that fill the server up: each user's first, or in an open loop those of twice the
    /// time that the first of all took.
    fn filling(&self, points: &[&Point]) -> usize {
        if !self.is_open {
            return self.users as usize;
        }
        let mut by_end: Vec<&&Point> = points.iter().collect();
        by_end.sort_by_key(|p| p.end_ns);
        let first = by_end.iter().take(FIRST_OF_ALL);
        let took = |p: &&&Point| p.end_ns.saturating_sub(p.start_ns);
        let mean_ns = first.clone().map(took).sum::<u64>() / (first.len() as u64).max(1);
        let began_ns = points.iter().map(|p| p.start_ns).min().unwrap_or(0);
        let filled_ns = began_ns.saturating_add(2 * mean_ns);
        points.iter().filter(|p| p.start_ns < filled_ns).count()
    }

    /// `points`: this stage's Measure requests.
    pub(super) fn facts(&self, points: &[&Point]) -> StageFacts {
        StageFacts {
            n: self.ended_in_time,
            n_users: u32::try_from(self.seen_users.len()).unwrap_or(u32::MAX),
            window_secs: self.window.map_or(0.0, |(a, b)| (b - a) as f64 / 1e9),
            residence_secs: self.residence_ns as f64 / 1e9,
            trend: trend(points, self.filling(points)),
            due_rate: self
                .pace
                .due_rate(self.planned_secs.filter(|_| self.is_full)),
        }
    }
}

/// Ranks of the intervals of p50, p90, p95 and p99 for one n: nearly all metrics of a stage share theirs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ranks {
    n: u64,
    of: [(Option<u64>, Option<u64>); 4],
}

const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

impl Ranks {
    fn for_n(&mut self, n: u64) -> [(Option<u64>, Option<u64>); 4] {
        if self.n != n {
            let of = QUANTILES.map(|q| stats::quantile_ranks(n, q, stats::CONFIDENCE));
            *self = Self { n, of };
        }
        self.of
    }

    /// The intervals, of values found by their rank.
    pub(super) fn intervals(
        &mut self,
        n: u64,
        avg: Interval,
        at: impl Fn(u64) -> Option<f64>,
    ) -> Intervals {
        let [p50, p90, p95, p99] = self
            .for_n(n)
            .map(|(low, high)| [low.and_then(&at), high.and_then(&at)]);
        Intervals {
            avg,
            p50,
            p90,
            p95,
            p99,
        }
    }
}

/// The distribution of sorted values.
pub(super) fn distribution(
    id: MetricId,
    sorted: &[f64],
    seed: u64,
    ranks: &mut Ranks,
    detail: Detail,
) -> Distribution {
    if sorted.is_empty() {
        return Distribution::empty(id);
    }
    let at = |q: f64| stats::nearest_rank(sorted, q);
    let n = sorted.len() as u64;
    let avg = match detail {
        Detail::Live => [None, None],
        Detail::Full => stats::mean_interval_bca_or_t(sorted, seed),
    };
    let of_rank = |rank: u64| {
        let position = usize::try_from(rank).ok()?.checked_sub(1)?;
        sorted.get(position).copied()
    };
    Distribution {
        n,
        avg: stats::mean(sorted),
        min: sorted.first().copied(),
        max: sorted.last().copied(),
        sd: stats::sd(sorted),
        p50: at(0.5),
        p90: at(0.9),
        p95: at(0.95),
        p99: at(0.99),
        ci95: ranks.intervals(n, avg, of_rank),
        ..Distribution::empty(id)
    }
}

/// How in-flight and TTFT go through a stage, its first requests left out: they fill the server up.
fn trend(points: &[&Point], n_filling: usize) -> Option<Trend> {
    let mut by_start: Vec<&Point> = points.to_vec();
    by_start.sort_by_key(|p| p.start_ns);
    let mut ends: Vec<u64> = by_start.iter().map(|p| p.end_ns).collect();
    ends.sort_unstable();
    let mut n_ended = 0;
    let (mut in_flight, mut ttft) = (Vec::new(), Vec::new());
    for (i, point) in by_start.iter().enumerate() {
        while ends.get(n_ended).is_some_and(|end| *end <= point.start_ns) {
            n_ended += 1;
        }
        if i < n_filling {
            continue;
        }
        let at_secs = point.start_ns as f64 / 1e9;
        in_flight.push((at_secs, (i + 1).saturating_sub(n_ended) as f64));
        if point.outcome == OutcomeKind::Ok
            && let Some(ms) = point.value(MetricId::Ttft)
        {
            ttft.push((at_secs, ms));
        }
    }
    let span = by_start
        .last()?
        .start_ns
        .saturating_sub(by_start.first()?.start_ns);
    let secs = span as f64 / 1e9;
    let rise = |points: &[(f64, f64)]| {
        let slots = slot_means(points);
        let (slope, t) =
            stats::slope_t_serial(&slots).filter(|_| slots.len() >= MIN_TREND_SLOTS)?;
        let mean = points.iter().map(|p| p.1).sum::<f64>() / points.len() as f64;
        (mean > 0.0).then(|| (slope * secs / mean, t))
    };
    let ((in_flight_rise, in_flight_t), (ttft_rise, ttft_t)) = (rise(&in_flight)?, rise(&ttft)?);
    Some(Trend {
        n: ttft.len() as u64,
        in_flight_rise,
        in_flight_t,
        ttft_rise,
        ttft_t,
    })
}

/// Slots of equal time that a stage's trend is looked at in, and how many of them it takes. Requests that wait in one queue
/// wait alike: each by itself they would pass for proof.
const TREND_SLOTS: usize = 40;
const MIN_TREND_SLOTS: usize = 12;

/// Means of the slots that have points; `points` by their x.
fn slot_means(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let (Some((from, _)), Some((to, _))) = (points.first(), points.last()) else {
        return Vec::new();
    };
    let width = ((to - from) / TREND_SLOTS as f64).max(f64::MIN_POSITIVE);
    let mut sums = [(0.0, 0.0, 0.0); TREND_SLOTS];
    for (x, y) in points {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and TREND_SLOTS"
        )]
        let slot = ((x - from) / width) as usize;
        if let Some((n, sum_x, sum_y)) = sums.get_mut(slot.min(TREND_SLOTS - 1)) {
            *n += 1.0;
            *sum_x += x;
            *sum_y += y;
        }
    }
    let filled = sums.iter().filter(|(n, ..)| *n > 0.0);
    filled.map(|(n, x, y)| (x / n, y / n)).collect()
}
