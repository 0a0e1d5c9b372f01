//! What the test request told, for as long as the form still says what was tested.

use super::{AppState, Fetch, MeasureShows};
use crate::app::form::TargetForm;
use crate::domain::Protocol;

impl AppState {
    /// A test is on its way with the form's target.
    pub(super) fn test_sent(&mut self) {
        self.test.ask();
        self.tested = Some(self.form.target.clone());
        self.drops_test = false;
    }

    /// Another target than the one tested: what was told says nothing of it.
    pub(super) fn forget_stale_test(&mut self) {
        let Some(tested) = &self.tested else {
            return;
        };
        if tells_of(tested, &self.form.target) {
            return;
        }
        // The answer to the old question is still to come.
        self.drops_test = self.test.is_pending();
        self.test = Fetch::Idle;
        self.tested = None;
        if self.measure_shows == MeasureShows::Test {
            self.measure_shows = MeasureShows::Run;
        }
        self.refresh_forecast();
    }
}

/// Whether a test of one target still holds for the other. What detection fills in of its own is no other target.
fn tells_of(tested: &TargetForm, now: &TargetForm) -> bool {
    let found = TargetForm {
        protocol: filled(
            tested.protocol == Protocol::Auto,
            tested.protocol,
            now.protocol,
        ),
        model: filled(
            tested.model.trim().is_empty(),
            tested.model.clone(),
            now.model.clone(),
        ),
        api_name: filled(
            tested.api_name.trim().is_empty(),
            tested.api_name.clone(),
            now.api_name.clone(),
        ),
        ..tested.clone()
    };
    found.url.trim() == now.url.trim()
        && TargetForm {
            url: now.url.clone(),
            ..found
        } == *now
}

fn filled<T>(is_open: bool, was: T, now: T) -> T {
    if is_open { now } else { was }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::form::Form;

    #[test]
    fn a_test_holds_for_what_detection_fills_in_and_for_nothing_else() {
        let tested = Form::simple("http://h/v1").target;
        let mut now = tested.clone();
        now.protocol = Protocol::OpenAiChat;
        now.model = "found".to_owned();
        assert!(tells_of(&tested, &now));
        let mut other = now.clone();
        other.protocol = Protocol::Tgi;
        assert!(!tells_of(&now, &other));
        other = now.clone();
        other.url = "http://h2/v1".to_owned();
        assert!(!tells_of(&now, &other));
        other = now.clone();
        other.stream = !now.stream;
        assert!(!tells_of(&now, &other));
    }
}
