//! The fields of a plan's stages and of each kind of load.

use super::plan_fields::{Bound, Field, Kind, MAX_U32, Rule, SECS_ABOVE_0, may, must, of, whole};
use crate::domain::{ArrivalProcess, MAX_RATE, MAX_REQUESTS, MAX_USERS, Ramp};

pub(super) const STAGE: &[Field] = &[
    must(
        "load",
        Kind::Inline(LOAD, Rule::Load),
        "How requests are let go",
    ),
    may("requests", whole(1, MAX_REQUESTS), "Requests in all"),
    may(
        "requests_per_user",
        whole(1, MAX_U32),
        "Requests of each user",
    ),
    may(
        "duration_secs",
        SECS_ABOVE_0,
        "No new request after that many seconds",
    ),
    may(
        "whole_trace",
        Kind::Bool,
        "A replay's last request; always true",
    ),
];

/// A stage has exactly one of these.
pub(super) const STAGE_ENDS: &[&str] = &[
    "requests",
    "requests_per_user",
    "duration_secs",
    "whole_trace",
];

const LOAD: &[Field] = &[
    must(
        "kind",
        Kind::Choice(&["closed", "open", "replay", "sweep", "search"]),
        "Users that wait for their answers, planned times, a recorded trace, a climb to the most, or the most that meets the goals",
    ),
    may("users", whole(1, MAX_USERS), "closed: users at once"),
    may(
        "mode",
        Kind::Choice(&["steady", "burst", "wave"]),
        "closed: each user goes on at once, or all of a round together, or with 0–500 ms between",
    ),
    may("rate", RATE, "open: requests per second"),
    may(
        "over",
        Kind::Choice(&["rate", "users"]),
        "sweep, search: what changes",
    ),
    may(
        "steps",
        whole(1, 63),
        "sweep: stages after the one that finds the most",
    ),
    may(
        "max_users",
        whole(1, MAX_USERS),
        "sweep: users that find the most the server does",
    ),
    may("from", RATE, "search: the first load"),
    may("max", RATE, "search: no load above this"),
    may(
        "arrival",
        Kind::Form(of::<ArrivalProcess>),
        "open, sweep, search: constant, poisson or gamma:SHAPE",
    ),
    may(
        "ramp",
        Kind::Form(of::<Ramp>),
        "closed, open: linear:FROM..TO or exponential:FROM..TO over the stage; TO is its level",
    ),
    may(
        "replay",
        Kind::Path,
        "replay: a trace (CSV, JSONL) or a run file",
    ),
    may(
        "time_scale",
        Kind::Number {
            from: Bound::Above(0.0),
            most: 1e6,
        },
        "replay: 2 replays twice as fast",
    ),
    may(
        "max_in_flight",
        whole(1, MAX_USERS),
        "open, replay: requests in flight at once at most",
    ),
    may(
        "when_full",
        Kind::Choice(&["queue", "drop"]),
        "open, replay: wait for the limit, or do not send",
    ),
];

const RATE: Kind = Kind::Number {
    from: Bound::Above(0.0),
    most: MAX_RATE,
};

/// The fields of each kind of load: those that it must have, and those that it may.
pub(super) const LOADS: &[(&str, &[&str], &[&str])] = &[
    ("closed", &["users"], &["mode", "ramp"]),
    (
        "open",
        &["rate"],
        &["arrival", "ramp", "max_in_flight", "when_full"],
    ),
    (
        "replay",
        &["replay"],
        &["time_scale", "max_in_flight", "when_full"],
    ),
    ("sweep", &["steps", "max_users"], &["over", "arrival"]),
    ("search", &["from", "max"], &["over", "arrival"]),
];
