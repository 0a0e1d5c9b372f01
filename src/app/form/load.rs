//! The load as text: six kinds of load that a person can name, and stages that none of them says, kept as they are.

mod read;
mod write;

use crate::domain::{ClosedMode, Curve, Over, Stage, WhenFull};

/// How the load is given.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LoadKind {
    /// One user, N requests.
    #[default]
    Iterations,
    Users,
    /// Requests per second, whatever becomes of those before.
    Rate,
    Replay,
    Sweep,
    Search,
    /// Stages that no other kind can say; kept as the plan had them.
    Kept,
}

impl LoadKind {
    /// What can be chosen: the kinds that know users first, then those that the run unfolds or reads.
    pub const ALL: [Self; 6] = [
        Self::Iterations,
        Self::Users,
        Self::Rate,
        Self::Replay,
        Self::Sweep,
        Self::Search,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Self::Iterations => "Iterations",
            Self::Users => "Users",
            Self::Rate => "Rate",
            Self::Replay => "Replay",
            Self::Sweep => "Sweep",
            Self::Search => "Search",
            Self::Kept => "As in the file",
        }
    }
}

/// How long each stage of users is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LengthKind {
    #[default]
    Requests,
    PerUser,
    Duration,
}

impl LengthKind {
    pub const ALL: [Self; 3] = [Self::Requests, Self::PerUser, Self::Duration];

    pub fn label(self) -> &'static str {
        match self {
            Self::Requests => "Its requests",
            Self::PerUser => "Requests per user",
            Self::Duration => "A time",
        }
    }
}

/// How long each stage of a load without users of its own is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum EndKind {
    #[default]
    Duration,
    Requests,
    /// A replay's.
    WholeTrace,
}

impl EndKind {
    pub fn label(self) -> &'static str {
        match self {
            Self::Duration => "A time",
            Self::Requests => "Its requests",
            Self::WholeTrace => "All of it",
        }
    }
}

/// How gaps are drawn.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ArrivalKind {
    Constant,
    #[default]
    Poisson,
    Gamma,
}

impl ArrivalKind {
    pub const ALL: [Self; 3] = [Self::Poisson, Self::Constant, Self::Gamma];

    pub fn label(self) -> &'static str {
        match self {
            Self::Constant => "Evenly spaced",
            Self::Poisson => "Poisson",
            Self::Gamma => "Gamma",
        }
    }
}

/// How a load grows over its stage, up to the stage's level.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RampForm {
    pub curve: Option<Curve>,
    pub from: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LoadForm {
    pub kind: LoadKind,
    pub iterations: String,
    pub users: String,
    pub length: LengthKind,
    pub requests: String,
    pub per_user: String,
    pub duration: String,
    pub mode: ClosedMode,
    pub users_ramp: RampForm,
    pub rates: String,
    pub arrival: ArrivalKind,
    /// Of gamma gaps.
    pub shape: String,
    pub rate_ramp: RampForm,
    pub max_in_flight: String,
    pub when_full: WhenFull,
    /// Of a rate, a sweep's step and a search's probe.
    pub ends: EndKind,
    pub trace: String,
    pub time_scale: String,
    pub trace_ends: EndKind,
    pub over: Over,
    pub steps: String,
    pub max_users: String,
    pub from: String,
    pub max: String,
    pub kept: Vec<Stage>,
}

impl Default for LoadForm {
    fn default() -> Self {
        Self {
            kind: LoadKind::Iterations,
            iterations: "10".to_owned(),
            users: "1, 10, 100".to_owned(),
            length: LengthKind::Requests,
            requests: "40".to_owned(),
            per_user: "10".to_owned(),
            duration: "10s".to_owned(),
            mode: ClosedMode::Steady,
            users_ramp: RampForm::default(),
            rates: "5, 10, 20".to_owned(),
            arrival: ArrivalKind::Poisson,
            shape: "0.5".to_owned(),
            rate_ramp: RampForm::default(),
            max_in_flight: String::new(),
            when_full: WhenFull::Queue,
            ends: EndKind::Duration,
            trace: String::new(),
            time_scale: "1".to_owned(),
            trace_ends: EndKind::WholeTrace,
            over: Over::Rate,
            steps: "8".to_owned(),
            max_users: "128".to_owned(),
            from: "1".to_owned(),
            max: "100".to_owned(),
            kept: Vec::new(),
        }
    }
}
