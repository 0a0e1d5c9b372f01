//! Other lengths for stages that stand already.

use super::super::{Issue, Over};
use super::parse::stage_ends;
use super::{Stage, TierLength};

impl Stage {
    /// Gives stages another length each, as [`Stage::closed_tiers`] and [`Stage::open_rates`] read it.
    ///
    /// # Errors
    /// One [`Issue`] for each value that cannot be used (fields `requests`, `requests_per_user`, `duration_secs`); the stages
    /// are then as they were.
    pub fn give_lengths(stages: &mut [Self], length: TierLength<'_>) -> Result<(), Vec<Issue>> {
        let mut issues = Vec::new();
        let has_users = |s: &Self| s.load.over() == Some(Over::Users);
        if matches!(length, TierLength::RequestsPerUser(_)) && !stages.iter().all(has_users) {
            let message = "goes with users only: give requests in all, or a duration";
            issues.push(Issue::new("requests_per_user", message));
            return Err(issues);
        }
        let ends = stage_ends(length, stages.len(), &mut issues);
        if !issues.is_empty() {
            return Err(issues);
        }
        for (stage, end) in stages.iter_mut().zip(ends) {
            stage.end = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Load, StageEnd};
    use super::*;

    #[test]
    fn lengths_are_given_to_all_or_to_none() {
        let stage = |rate| Stage {
            load: Load::open(rate),
            end: StageEnd::DurationSecs(1.0),
        };
        let mut stages = [stage(1.0), stage(2.0)];
        Stage::give_lengths(&mut stages, TierLength::Duration("2m")).unwrap();
        assert_eq!(stages[1].end, StageEnd::DurationSecs(120.0));
        let before = stages.clone();
        for (length, field) in [
            (TierLength::RequestsPerUser("5"), "requests_per_user"),
            (TierLength::Requests("5,6,7"), "requests"),
            (TierLength::Requests("0"), "requests"),
            (TierLength::Duration("0s"), "duration_secs"),
        ] {
            let issues = Stage::give_lengths(&mut stages, length).unwrap_err();
            assert_eq!(issues[0].field, field);
            assert_eq!(stages, before);
        }
    }
}
