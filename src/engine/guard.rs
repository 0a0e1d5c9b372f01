//! When failures end a run early: the plan's limits, and faults that would only repeat.

use crate::domain::{
    ERROR_SHARE_MIN_REQUESTS, FailureKind, KeyRef, Limits, Outcome, OutcomeKind, RequestRecord,
    StageIdx,
};

/// So many first requests of a run that all fail alike end it, and so do as many refusals of the key.
pub const ALIKE_MAX: u64 = 10;

/// Watches how requests end. Counts failures of all phases.
#[derive(Debug)]
pub(super) struct Guard {
    limits: Limits,
    /// Where the key came from, for a person.
    key: Option<String>,
    n_ended: u64,
    n_failed: u64,
    stage: StageIdx,
    stage_ended: u64,
    stage_failed: u64,
    /// The failure that every request so far shares; `None` as soon as one ended otherwise.
    alike: Option<(FailureKind, Option<u16>)>,
    /// The refusal of the key that was seen last, and how often in a row.
    refused: Option<(u16, u64)>,
}

impl Guard {
    pub(super) fn new(limits: Limits, key: &KeyRef) -> Self {
        Self {
            limits,
            key: key.said(),
            n_ended: 0,
            n_failed: 0,
            stage: StageIdx::default(),
            stage_ended: 0,
            stage_failed: 0,
            alike: None,
            refused: None,
        }
    }

    /// Why the run should stop now, if it should.
    pub(super) fn ended(&mut self, record: &RequestRecord) -> Option<String> {
        if !matches!(record.outcome.kind(), OutcomeKind::Ok | OutcomeKind::Failed) {
            return None;
        }
        if record.stage != self.stage {
            self.stage = record.stage;
            (self.stage_ended, self.stage_failed) = (0, 0);
        }
        self.n_ended += 1;
        self.stage_ended += 1;
        let Outcome::Failed(failure) = &record.outcome else {
            self.alike = None;
            self.refused = None;
            return self.share();
        };
        self.n_failed += 1;
        self.stage_failed += 1;

        let class = (failure.kind, failure.status);
        if self.n_ended == 1 {
            self.alike = Some(class);
        } else if self.alike != Some(class) {
            self.alike = None;
        }
        let said = || short(&failure.message);
        match failure.status {
            Some(status @ (401 | 403)) => {
                let n = match self.refused {
                    Some((last, n)) if last == status => n + 1,
                    _ => 1,
                };
                self.refused = Some((status, n));
                if n >= ALIKE_MAX {
                    return Some(match &self.key {
                        Some(key) => format!(
                            "The server refused {key} {n} times (status {status}): {}",
                            said()
                        ),
                        None => format!(
                            "The server refused {n} requests without a key (status {status}): {}",
                            said()
                        ),
                    });
                }
            }
            _ => self.refused = None,
        }
        if self.alike.is_some() && self.n_ended == ALIKE_MAX {
            return Some(format!(
                "The first {ALIKE_MAX} requests that ended all failed alike ({}): {}",
                failure.kind.label(),
                said()
            ));
        }
        if let Some(max) = self.limits.max_errors
            && self.n_failed >= max
        {
            return Some(format!(
                "{} failed requests reached the limit of {max}",
                self.n_failed
            ));
        }
        self.share()
    }

    fn share(&self) -> Option<String> {
        let max = self.limits.max_error_percent?;
        if self.stage_ended < ERROR_SHARE_MIN_REQUESTS {
            return None;
        }
        let percent = self.stage_failed as f64 / self.stage_ended as f64 * 100.0;
        (percent > max).then(|| {
            format!(
                "{} of {} requests of the stage failed, above the limit of {max} %",
                self.stage_failed, self.stage_ended
            )
        })
    }
}

/// The first line of a message, at most 200 characters of it.
fn short(message: &str) -> String {
    message
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Failure, Phase, Prompt};
    use crate::engine::Job;

    fn record(outcome: Outcome) -> RequestRecord {
        let job = Job {
            stage: StageIdx(0),
            phase: Phase::Measure,
            seq: 0,
            user: 0,
            due_ns: None,
            released_ns: None,
            from_due: false,
            dispatched_ns: 0,
            conversation: None,
            prompt: Prompt {
                system: None,
                user: "hi".into(),
                ..Prompt::default()
            },
        };
        job.record(outcome, 1)
    }

    fn failed(kind: FailureKind, status: Option<u16>) -> RequestRecord {
        record(Outcome::Failed(Failure {
            kind,
            status,
            message: "no\nmore".to_owned(),
        }))
    }

    /// After how many of these the guard spoke, and what it said.
    fn stops(
        limits: Limits,
        records: impl IntoIterator<Item = RequestRecord>,
    ) -> Option<(u64, String)> {
        let key = KeyRef::Env {
            name: "MY_KEY".to_owned(),
        };
        let mut guard = Guard::new(limits, &key);
        (1..)
            .zip(records)
            .find_map(|(n, r)| guard.ended(&r).map(|why| (n, why)))
    }

    fn of_one_kind() -> impl Iterator<Item = RequestRecord> {
        std::iter::repeat_with(|| failed(FailureKind::Connect, None)).take(50)
    }

    #[test]
    fn ten_first_failures_alike_stop_a_run() {
        let (n, why) = stops(Limits::default(), of_one_kind()).unwrap();
        assert_eq!(n, 10);
        assert!(
            why.contains("No connection") && why.ends_with(": no"),
            "{why}"
        );
        let one_ok = std::iter::once(record(Outcome::Ok)).chain(of_one_kind());
        assert_eq!(stops(Limits::default(), one_ok), None);
        let mixed = (0..50).map(|i| failed(FailureKind::HttpStatus, Some(500 + i % 2)));
        assert_eq!(stops(Limits::default(), mixed), None);
    }

    #[test]
    fn ten_refusals_of_the_key_stop_a_run_that_began_well() {
        let began_well = std::iter::repeat_with(|| record(Outcome::Ok)).take(3);
        let refused =
            std::iter::repeat_with(|| failed(FailureKind::HttpStatus, Some(401))).take(20);
        let (n, why) = stops(Limits::default(), began_well.chain(refused)).unwrap();
        assert_eq!(n, 13);
        assert!(why.contains("401") && why.contains("“MY_KEY”"), "{why}");
    }

    #[test]
    fn the_plans_limits_hold() {
        let limits = Limits {
            max_errors: Some(3),
            ..Limits::default()
        };
        assert_eq!(stops(limits, of_one_kind()).unwrap().0, 3);
        let every_fifth = || {
            (0..100).map(|i| {
                if i % 5 == 0 {
                    failed(FailureKind::Reset, None)
                } else {
                    record(Outcome::Ok)
                }
            })
        };
        let above = |percent| Limits {
            max_error_percent: Some(percent),
            ..Limits::default()
        };
        // 4 of 20 are 20 %: not above it; the 21st makes 5 of 21.
        assert_eq!(stops(above(20.0), every_fifth()).unwrap().0, 21);
        assert_eq!(stops(above(10.0), every_fifth()).unwrap().0, 20);
        assert_eq!(stops(above(50.0), every_fifth()), None);
    }

    #[test]
    fn what_was_cut_off_is_no_failure() {
        let cut = std::iter::repeat_with(|| record(Outcome::CutOff)).take(50);
        let limits = Limits {
            max_errors: Some(1),
            ..Limits::default()
        };
        assert_eq!(stops(limits, cut), None);
    }
}
