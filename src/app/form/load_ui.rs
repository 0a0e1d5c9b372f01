//! Load: which kind, its fields, what they will do, and the staircase that shows it.

use egui::Ui;

use super::forecast::preview;
use super::goals::preset_words;
use super::panel::{Ask, Draw};
use super::parts::{
    Errors, choice_field, error_below, error_of, note, number, pair, path_field, worded,
};
use super::staircase::staircase_ui;
use super::{ArrivalKind, EndKind, GoalRow, LengthKind, LoadForm, LoadKind, RampForm};
use crate::app::dialogs::BrowseFor;
use crate::app::widgets::{self, Field, Switch};
use crate::domain::{ClosedMode, Curve, GOAL_PRESETS, Over, WhenFull, short_probe};

pub(super) fn load_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    let load = &mut draw.form.load;
    if load.kind == LoadKind::Kept {
        kept_ui(ui, load);
    } else {
        let kinds = LoadKind::ALL.map(|kind| (kind, kind.label()));
        Switch::new("Kind of load", &mut load.kind, &kinds)
            .full_width()
            .rows(2)
            .show(ui)
            .on_hover_text(kind_words(load.kind));
    }
    match load.kind {
        LoadKind::Iterations => {
            Field::new("Iterations", &mut load.iterations)
                .error(errors.at("iterations"))
                .show(ui)
                .on_hover_text("One user sends that many requests, one after another");
        }
        LoadKind::Users => users_ui(ui, load, errors),
        LoadKind::Rate => rate_ui(ui, load, errors),
        LoadKind::Replay => replay_ui(ui, draw),
        LoadKind::Sweep => sweep_ui(ui, load, errors),
        LoadKind::Search => search_ui(ui, draw),
        LoadKind::Kept => {}
    }
    let stages = draw.form.stages();
    let words = preview(&stages);
    if !words.is_empty() && draw.form.load.kind != LoadKind::Kept {
        note(ui, &words);
    }
    let progress = draw.state.live.as_ref().map(|run| &run.state);
    staircase_ui(ui, &stages, progress);
}

/// What a kind of load is for.
fn kind_words(kind: LoadKind) -> &'static str {
    match kind {
        LoadKind::Iterations => "One user, one request after another",
        LoadKind::Users => "So many users at once, each of which waits for its answer",
        LoadKind::Rate => {
            "So many requests a second, whatever becomes of those before; latencies count from the planned time"
        }
        LoadKind::Replay => "Requests leave when those of a recorded trace did, with its lengths",
        LoadKind::Sweep => "Finds the most that the server does, then climbs to it step by step",
        LoadKind::Search => "Finds the largest load that meets the goals",
        LoadKind::Kept => "",
    }
}

fn users_ui(ui: &mut Ui, load: &mut LoadForm, errors: &Errors) {
    let error = errors.at("users").or_else(|| errors.at("stages"));
    Field::new("Users per stage", &mut load.users)
        .hint("1, 10, 100")
        .error(error)
        .show(ui);
    let (label, text, field, hint) = match load.length {
        LengthKind::Requests => (
            "Requests per stage",
            &mut load.requests,
            "requests",
            "one number, or one for each",
        ),
        LengthKind::PerUser => (
            "Requests per user",
            &mut load.per_user,
            "requests_per_user",
            "one number, or one for each",
        ),
        LengthKind::Duration => (
            "Time per stage",
            &mut load.duration,
            "duration_secs",
            "10s, 1.5m or 200ms",
        ),
    };
    Field::new(label, text)
        .hint(hint)
        .error(errors.at(field))
        .show(ui);
    let modes = [
        (ClosedMode::Steady, "Steady".to_owned()),
        (ClosedMode::Burst, "Burst".to_owned()),
        (ClosedMode::Wave, "Wave".to_owned()),
    ];
    let (length, mode) = (&mut load.length, &mut load.mode);
    let lengths = worded(LengthKind::ALL, LengthKind::label);
    pair(
        ui,
        |ui| {
            choice_field(ui, "A stage ends after", length, &lengths);
        },
        |ui| {
            choice_field(ui, "Users go on", mode, &modes).on_hover_text(
                "Steady: each at once. Burst: all of a round together. Wave: as burst, with 0 to 500 ms before each",
            );
        },
    );
    ramp_ui(ui, "Users grow", &mut load.users_ramp, "users", errors);
}

fn rate_ui(ui: &mut Ui, load: &mut LoadForm, errors: &Errors) {
    let error = errors.at("rate").or_else(|| errors.at("stages"));
    Field::new("Requests per second", &mut load.rates)
        .hint("5, 10, 20")
        .unit("req/s")
        .error(error)
        .show(ui)
        .on_hover_text("One stage for each rate");
    let ends = [EndKind::Duration, EndKind::Requests];
    end_ui(
        ui,
        load,
        &ends,
        ["Time per stage", "Requests per stage"],
        errors,
    );
    arrival_ui(ui, load, &ends, errors);
    limit_ui(ui, load, errors);
    ramp_ui(ui, "The rate grows", &mut load.rate_ramp, "req/s", errors);
}

/// How long a stage of requests per second is.
fn end_ui(
    ui: &mut Ui,
    load: &mut LoadForm,
    ends: &[EndKind],
    [time, requests]: [&str; 2],
    errors: &Errors,
) {
    let chosen = match load.kind {
        LoadKind::Replay => load.trace_ends,
        _ if ends.contains(&load.ends) => load.ends,
        _ => EndKind::Duration,
    };
    match chosen {
        EndKind::WholeTrace => {}
        EndKind::Duration => {
            Field::new(time, &mut load.duration)
                .hint("10s, 1.5m or 200ms")
                .error(errors.at("duration_secs"))
                .show(ui);
        }
        EndKind::Requests => {
            Field::new(requests, &mut load.requests)
                .hint("one number, or one for each")
                .error(errors.at("requests"))
                .show(ui);
        }
    }
}

fn arrival_ui(ui: &mut Ui, load: &mut LoadForm, ends: &[EndKind], errors: &Errors) {
    let arrivals = worded(ArrivalKind::ALL, ArrivalKind::label);
    let options: Vec<(EndKind, String)> = ends.iter().map(|e| (*e, e.label().to_owned())).collect();
    let (arrival, end) = (&mut load.arrival, &mut load.ends);
    pair(
        ui,
        |ui| {
            choice_field(ui, "Arrivals", arrival, &arrivals).on_hover_text(
                "Poisson: as of very many independent people. Evenly spaced: every gap the same. Gamma: burstier or more even, by its shape",
            );
        },
        |ui| {
            choice_field(ui, "A stage ends after", end, &options);
        },
    );
    if load.arrival == ArrivalKind::Gamma {
        let error = errors.at("arrival");
        number(ui, "Shape of the gaps", &mut load.shape, "", error).on_hover_text(
            "Below 1 burstier than Poisson, above 1 more even; 1 is Poisson. Their variation is 1/√shape",
        );
    }
}

/// What happens when the server does not keep up.
fn limit_ui(ui: &mut Ui, load: &mut LoadForm, errors: &Errors) {
    let (limit, when_full) = (&mut load.max_in_flight, &mut load.when_full);
    let ways = [
        (WhenFull::Queue, "Wait".to_owned()),
        (WhenFull::Drop, "Drop".to_owned()),
    ];
    pair(
        ui,
        |ui| {
            Field::new("In flight at most", limit)
                .hint("no limit")
                .wrong(errors.has("max_in_flight"))
                .show(ui)
                .on_hover_text("Requests that wait for their answer at the same time");
        },
        |ui| {
            choice_field(ui, "When that is full", when_full, &ways).on_hover_text(
                "Waiting counts: latencies begin at the planned time. What is dropped is not sent, and counted as dropped",
            );
        },
    );
    error_of(ui, errors, "max_in_flight", "In flight at most");
}

fn ramp_ui(ui: &mut Ui, label: &str, ramp: &mut RampForm, unit: &str, errors: &Errors) {
    let curves = [
        (None, "Not at all".to_owned()),
        (Some(Curve::Linear), "In a line".to_owned()),
        (Some(Curve::Exponential), "By a factor".to_owned()),
    ];
    let tip = "From there up to the stage's level, over the stage's time";
    if ramp.curve.is_none() {
        choice_field(ui, label, &mut ramp.curve, &curves).on_hover_text(tip);
        // What grows begins with one, until the person says where.
        if ramp.curve.is_some() && ramp.from.trim().is_empty() {
            "1".clone_into(&mut ramp.from);
        }
        return;
    }
    let RampForm { curve, from } = ramp;
    pair(
        ui,
        |ui| {
            choice_field(ui, label, curve, &curves).on_hover_text(tip);
        },
        |ui| {
            let field = Field::new("From", from).hint("1").unit(unit);
            field.wrong(errors.has("ramp")).show(ui);
        },
    );
    error_of(ui, errors, "ramp", "From");
}

fn replay_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    let load = &mut draw.form.load;
    let error = errors.at("replay").or_else(|| errors.at("stages"));
    if path_field(
        ui,
        "Trace",
        &mut load.trace,
        "CSV, JSONL or a run file",
        error,
    ) {
        draw.asks.push(Ask::Browse(BrowseFor::Trace));
    }
    let ends = [EndKind::WholeTrace, EndKind::Requests, EndKind::Duration];
    let options: Vec<(EndKind, String)> = ends.iter().map(|e| (*e, e.label().to_owned())).collect();
    let (scale, end) = (&mut load.time_scale, &mut load.trace_ends);
    pair(
        ui,
        |ui| {
            choice_field(ui, "It ends after", end, &options);
        },
        |ui| {
            Field::new("Times as fast", scale)
                .hint("1")
                .unit("×")
                .wrong(errors.has("time_scale"))
                .show(ui)
                .on_hover_text("The trace's times are divided by this: 2 replays twice as fast");
        },
    );
    error_of(ui, errors, "time_scale", "Times as fast");
    end_ui(
        ui,
        load,
        &ends,
        ["Time of the trace", "Requests of the trace"],
        errors,
    );
    error_below(ui, errors.at("whole_trace"));
    limit_ui(ui, load, errors);
}

/// What climbs: requests per second or users.
fn over_ui(ui: &mut Ui, name: &str, over: &mut Over) {
    let options = [(Over::Rate, "Rates"), (Over::Users, "Users")];
    Switch::new(name, over, &options).full_width().show(ui);
}

fn sweep_ui(ui: &mut Ui, load: &mut LoadForm, errors: &Errors) {
    over_ui(ui, "Sweep over", &mut load.over);
    let (users, steps) = (&mut load.max_users, &mut load.steps);
    let users_tip = match load.over {
        Over::Rate => "So many at once find the most that the server does, before the rates",
        Over::Users => "Where the last step ends",
    };
    pair(
        ui,
        |ui| {
            Field::new("Most users", users)
                .hint("128")
                .wrong(errors.has("max_users"))
                .show(ui)
                .on_hover_text(users_tip);
        },
        |ui| {
            let field = Field::new("Steps", steps).hint("8");
            field.wrong(errors.has("steps")).show(ui);
        },
    );
    error_of(ui, errors, "max_users", "Most users");
    error_of(ui, errors, "steps", "Steps");
    each_ui(ui, load, ["Time per step", "Requests per step"], errors);
}

fn search_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let errors = draw.errors;
    let load = &mut draw.form.load;
    over_ui(ui, "Search over", &mut load.over);
    let unit = load.over.unit();
    let (from, max) = (&mut load.from, &mut load.max);
    pair(
        ui,
        |ui| {
            Field::new("First load", from)
                .unit(unit)
                .wrong(errors.has("from"))
                .show(ui)
                .on_hover_text("Doubled while the goals are met");
        },
        |ui| {
            Field::new("Up to", max)
                .unit(unit)
                .wrong(errors.has("max"))
                .show(ui)
                .on_hover_text("No load above this is tried");
        },
    );
    error_of(ui, errors, "from", "First load");
    error_of(ui, errors, "max", "Up to");
    each_ui(ui, load, ["Time per probe", "Requests per probe"], errors);
    if draw.form.goals.is_empty() {
        goals_wanted_ui(ui, draw);
    }
    if let Some(words) = draw.state.plan().and_then(short_probe) {
        note(ui, &words);
    }
}

/// Arrivals and length of what a sweep or a search becomes.
fn each_ui(ui: &mut Ui, load: &mut LoadForm, labels: [&str; 2], errors: &Errors) {
    let ends = [EndKind::Duration, EndKind::Requests];
    end_ui(ui, load, &ends, labels, errors);
    if load.over == Over::Rate {
        arrival_ui(ui, load, &ends, errors);
        return;
    }
    let options: Vec<(EndKind, String)> = ends.iter().map(|e| (*e, e.label().to_owned())).collect();
    choice_field(ui, "A stage ends after", &mut load.ends, &options);
}

/// A search without goals: one click adds those that people ask for most.
fn goals_wanted_ui(ui: &mut Ui, draw: &mut Draw<'_>) {
    let error = draw.errors.exactly("goals");
    error_below(
        ui,
        error.map(|_| "A search looks for the load that meets the goals, and there are none"),
    );
    let [preset, ..] = &GOAL_PRESETS;
    let words = format!("Add the goals of “{}”", preset.label);
    let tip = format!("{}\n{}", preset_words(preset), preset.source);
    if widgets::link(ui, &words).on_hover_text(tip).clicked() {
        draw.form.goals = preset.goals().iter().map(GoalRow::of).collect();
    }
}

fn kept_ui(ui: &mut Ui, load: &mut LoadForm) {
    let words = format!(
        "{} stages of different kinds, as the plan file has them",
        load.kept.len()
    );
    note(ui, &words);
    if widgets::link(ui, "Replace them by a list of users").clicked() {
        load.kind = LoadKind::Users;
    }
}
