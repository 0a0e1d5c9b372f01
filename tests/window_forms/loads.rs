//! Each kind of load is typed and reaches the plan, is told in a line beforehand, and says what is wrong at its field.

use egui_kittest::kittest::Queryable as _;
use inferometer::app::form::{GoalRow, LoadKind};
use inferometer::domain::{
    ArrivalProcess, Curve, GOAL_PRESETS, Load, Over, Plan, Ramp, Stage, StageEnd, WhenFull,
};
use inferometer::session::Command;

use super::Bench;

/// The form with that kind of load chosen.
fn bench(kind: &str) -> Bench {
    let mut bench = Bench::open();
    bench.click(kind);
    bench.run();
    bench
}

fn loads(plan: &Plan) -> Vec<Load> {
    plan.stages.iter().map(|s| s.load.clone()).collect()
}

#[test]
fn rates_reach_the_plan_with_all_that_belongs_to_them() {
    let mut bench = bench("Rate");
    bench.type_into("Requests per second", "5, 20.5");
    bench.choose("Arrivals", "Gamma");
    bench.type_into("Shape of the gaps", "0.25");
    bench.type_into("Time per stage", "20s");
    bench.type_into("In flight at most", "100");
    bench.choose("When that is full", "Drop");
    bench.choose("The rate grows", "In a line");
    bench.type_into("From", "1");
    let plan = bench.plan();
    let [_, second] = plan.stages.as_slice() else {
        panic!("{:?}", plan.stages);
    };
    assert_eq!(second.end, StageEnd::DurationSecs(20.0));
    let expected = Load::Open {
        rate: 20.5,
        arrival: ArrivalProcess::Gamma(0.25),
        ramp: Some(Ramp {
            curve: Curve::Linear,
            from: 1.0,
            to: 20.5,
        }),
        max_in_flight: std::num::NonZeroU32::new(100),
        when_full: WhenFull::Drop,
    };
    assert_eq!(second.load, expected);
    assert!(
        bench.says("2 stages of 5 to 20.5 req/s, each growing from 1: about 275 requests in 0:40")
    );
    assert!(bench.says("About 275 requests"), "at the foot");
    bench.choose("A stage ends after", "Its requests");
    bench.type_into("Requests per stage", "30, 60");
    assert_eq!(bench.plan().stages[1].n_requests(), Some(60));
}

#[test]
fn users_may_grow_over_a_timed_stage() {
    let mut bench = bench("Users");
    bench.type_into("Users per stage", "8");
    bench.choose("Users grow", "By a factor");
    bench.type_into("From", "1");
    assert!(
        bench.says("needs a stage with duration_secs, over which it grows"),
        "requests have no time"
    );
    bench.choose("A stage ends after", "A time");
    let plan = bench.plan();
    let Load::Closed { ramp, .. } = plan.stages[0].load else {
        panic!("{:?}", plan.stages);
    };
    assert_eq!(ramp.unwrap().to_string(), "exponential:1..8");
    assert!(bench.says("8 users, growing from 1, for 10 s"));
}

#[test]
fn a_trace_is_replayed_whole_or_in_part() {
    let mut bench = bench("Replay");
    assert!(bench.says("Choose a trace"));
    assert!(bench.is_disabled("Start"));
    bench.type_into("Trace", "/tmp/azure.csv");
    bench.type_into("Times as fast", "2");
    let plan = bench.plan();
    assert_eq!(plan.stages[0].end, StageEnd::WholeTrace(true));
    let Load::Replay {
        replay, time_scale, ..
    } = &plan.stages[0].load
    else {
        panic!("{:?}", plan.stages);
    };
    assert!(replay.ends_with("azure.csv") && (*time_scale - 2.0).abs() < 1e-9);
    assert!(bench.says("Each request of the trace, 2 times as fast"));
    bench.choose("It ends after", "Its requests");
    bench.type_into("Requests of the trace", "500");
    assert_eq!(bench.plan().stages[0].n_requests(), Some(500));
    bench.choose("It ends after", "A time");
    bench.type_into("Time of the trace", "1m");
    assert_eq!(bench.plan().stages[0].end, StageEnd::DurationSecs(60.0));
}

#[test]
fn growing_begins_with_one_and_what_is_wrong_is_said_with_its_name() {
    let mut bench = bench("Rate");
    bench.choose("The rate grows", "In a line");
    assert!(!bench.is_disabled("Start"), "choosing it is no error");
    let Load::Open { ramp, .. } = bench.plan().stages[0].load else {
        panic!("a rate is open")
    };
    assert_eq!(ramp.unwrap().to_string(), "linear:1..5");
    bench.click("Sweep");
    bench.type_into("Most users", "1oo");
    assert!(bench.says("Most users: “1oo” is not a whole number from 1 on. Did you mean 100?"));
    bench.type_into("Most users", "100");
    bench.type_into("Steps", "0");
    assert!(bench.says("Steps: “0” is not a whole number from 1 on"));
}

#[test]
fn a_sweep_is_told_beforehand() {
    let mut bench = bench("Sweep");
    bench.type_into("Most users", "64");
    bench.type_into("Steps", "4");
    bench.type_into("Time per step", "30s");
    let words =
        "1 stage of 64 users, then 4 rates up to 120 % of its maximum, 30 s each, about 2:30";
    assert!(bench.shows(words));
    assert!(
        bench.says("about 2:30, 5 stages, up to 64 users"),
        "at the foot"
    );
    assert!(bench.says("Stages: most, 30 %, 60 %, 90 %, 120 %"));
    let sweep = |plan: &Plan| match plan.stages[..] {
        [
            Stage {
                load:
                    Load::Sweep {
                        over,
                        steps,
                        max_users,
                        ..
                    },
                ..
            },
        ] => (over, steps.get(), max_users.get()),
        _ => panic!("{:?}", plan.stages),
    };
    assert_eq!(sweep(&bench.plan()), (Over::Rate, 4, 64));
    bench.0.get_all_by_label("Users").last().unwrap().click();
    bench.run();
    assert_eq!(sweep(&bench.plan()), (Over::Users, 4, 64));
    assert!(bench.says("Stages: 1, 4, 16, 64"));
    assert!(!bench.shows("Arrivals"), "users have none");
}

#[test]
fn a_search_asks_for_goals_and_one_click_adds_them() {
    let mut bench = bench("Search");
    bench.state().form.goals.clear();
    bench.run();
    assert!(bench.says("A search looks for the load that meets the goals, and there are none"));
    assert!(bench.is_disabled("Start"));
    bench.click("Add the goals of “Interactive chat”");
    assert!(!bench.says("there are none"));
    bench.type_into("First load", "2");
    bench.type_into("Up to", "64");
    bench.type_into("Time per probe", "15s");
    let plan = bench.plan();
    assert_eq!(plan.goals, GOAL_PRESETS[0].goals());
    assert!(matches!(
        loads(&plan)[..],
        [Load::Search { over: Over::Rate, from, max, .. }] if from < 2.1 && max > 63.9
    ));
    assert!(bench.says("Doubles from 2 req/s while the goals are met"));
    assert!(bench.says("Until it is found"));
    // Told before the run: 30 requests at 2 req/s show nothing of a goal for 95 %.
    assert!(bench.says("The first probe has 30 requests, and fewer than 73 cannot tell whether"));
    bench.type_into("First load", "8");
    assert!(!bench.says("cannot tell whether"));
    bench.type_into("Up to", "1");
    assert!(bench.says("is no range of req/s"));
}

/// Kind of load, field, text, and words of the sentence that then stands below it.
const ISSUES: [(&str, &str, &str, &str); 10] = [
    ("Rate", "Requests per second", "5, x", "“x” is no rate"),
    ("Rate", "Time per stage", "soon", "“soon” is not a duration"),
    (
        "Rate",
        "In flight at most",
        "0",
        "“0” is not a whole number from 1 on",
    ),
    ("Replay", "Trace", "", "Choose a trace"),
    ("Replay", "Times as fast", "0", "must be above 0"),
    ("Sweep", "Steps", "70", "must be at most 63"),
    ("Sweep", "Most users", "99999", "is above 20000"),
    ("Sweep", "Time per step", "0", "must be more than 0 s"),
    ("Search", "First load", "x", "“x” is not a number"),
    ("Search", "Up to", "200000", "is no range of req/s"),
];

#[test]
fn each_issue_stands_at_its_field() {
    for (kind, label, text, words) in ISSUES {
        let mut bench = bench(kind);
        bench.state().form.goals = vec![GoalRow::default()];
        if kind == "Replay" && label != "Trace" {
            bench.type_into("Trace", "/tmp/a.csv");
        }
        bench.type_into(label, text);
        assert!(
            bench.says(words),
            "“{text}” in “{label}” did not say “{words}”"
        );
        assert!(bench.shows("Fix 1 thing to start"), "{kind}, {label}");
        let field = bench.0.get_by_label(label).rect();
        let sentence = bench.0.get_by_label_contains(words).rect();
        let below = sentence.top() - field.bottom();
        assert!(
            (0.0..40.0).contains(&below),
            "{kind}, {label}: {below} below"
        );
    }
}

#[test]
fn stages_of_different_kinds_are_kept_and_say_what_is_wrong_with_them() {
    let mut bench = Bench::open();
    let mut plan = bench.plan();
    plan.stages.push(Stage {
        load: Load::open(5.0),
        end: StageEnd::DurationSecs(10.0),
    });
    bench
        .state()
        .load_plan(&plan, inferometer::app::state::PlanHome::Nowhere);
    bench.run();
    assert_eq!(bench.state().form.load.kind, LoadKind::Kept);
    assert!(bench.says("4 stages of different kinds, as the plan file has them"));
    assert_eq!(bench.plan(), plan);
    plan.stages[3].end = StageEnd::DurationSecs(0.0);
    bench
        .state()
        .load_plan(&plan, inferometer::app::state::PlanHome::Nowhere);
    bench.run();
    assert!(bench.says("“0” must be more than 0"));
}

#[test]
fn a_long_open_load_to_another_machine_is_asked_about() {
    let mut bench = bench("Rate");
    bench.type_into("URL", "https://api.example.com/v1");
    bench.type_into("Requests per second", "50");
    bench.type_into("Time per stage", "1m");
    bench.commands();
    bench.click("Start");
    assert!(bench.shows("Send to api.example.com?"));
    assert!(bench.says("About 3\u{202f}000 requests, up to 50 req/s, about 1:00."));
    bench.click("Do not start");
    bench.type_into("Time per stage", "10s");
    bench.click("Start");
    let sent = bench.commands();
    assert!(sent.iter().any(|c| matches!(c, Command::Start { .. })));
}
