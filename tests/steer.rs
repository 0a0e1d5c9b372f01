//! A run steered while it goes, through the session: pause, go on, more users, a mark; the file holds it all.

use std::sync::Arc;
use std::time::Duration;

use inferometer::domain::{ClosedMode, MadeBy, Plan, RunData, RunState, Stage, TierLength};
use inferometer::session::{Command, Event, Session};
use inferometer::store::open_run;

use crate::cli::{quick, serve};

/// Looks at the run until it is as wanted; half a minute at most.
#[track_caller]
fn wait_for(session: &mut Session, what: &str, is: impl Fn(&RunData) -> bool) {
    for _ in 0..3000 {
        if let Some(Some(run)) = session.changed_snapshot()
            && is(&run)
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("never {what}");
}

fn is_sending(run: &RunData, stage: usize) -> bool {
    matches!(&run.state, RunState::Running(p) if p.stage.index() == stage && p.phase.is_some())
}

#[test]
fn what_a_person_does_while_it_runs_is_in_the_file() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(quick());
    let file = home.path().join("steer.run.jsonl");
    let mut session = Session::start(|| {}).unwrap();
    let mut plan = Plan::simple(&server.openai_url());
    plan.stages =
        Stage::closed_tiers("2", ClosedMode::Steady, TierLength::Duration("60s")).unwrap();
    session.send(Command::Start {
        plan: Arc::new(plan.clone()),
        out: Some(file.clone()),
    });
    wait_for(&mut session, "sending", |run| {
        is_sending(run, 0) && run.points.len() > 5
    });
    session.send(Command::Mark(
        "cache cleared, key sk-canary-7f3a91c2e5d84b60".to_owned(),
    ));
    session.send(Command::SetLevel(5.0));
    wait_for(&mut session, "with five users", |run| is_sending(run, 1));
    session.send(Command::Pause);
    wait_for(&mut session, "paused", |run| {
        matches!(run.state, RunState::Paused(_))
    });
    session.send(Command::Resume);
    wait_for(&mut session, "going on", |run| is_sending(run, 2));
    session.send(Command::Stop);
    let mut ended = None;
    for _ in 0..3000 {
        match session.try_event() {
            Some(Event::RunEnded { run }) => {
                ended = Some(run);
                break;
            }
            Some(Event::Failed { message }) => panic!("{message}"),
            Some(Event::Refused { issues }) => panic!("{issues:?}"),
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    let (run, opened) = (ended.unwrap(), open_run(&file).unwrap());
    for run in [&*run, &opened] {
        assert_eq!(run.head.plan, plan, "as asked");
        let users: Vec<f64> = run.plan().stages.iter().map(|s| s.load.level()).collect();
        assert_eq!(users, [2.0, 5.0, 5.0], "as run");
        let why: Vec<_> = run
            .borders
            .iter()
            .map(|b| b.made.as_ref().map(|m| m.why))
            .collect();
        assert_eq!(why, [None, Some(MadeBy::Changed), Some(MadeBy::Resumed)]);
        assert_eq!(run.summary.stages.len(), 3);
        assert!(run.summary.stages.iter().take(2).all(|s| s.ok > 0));
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"type\":\"mark\"") && text.contains("cache cleared"));
    assert!(!text.contains("sk-canary"), "a mark holds no key in a file");
    assert!(
        opened
            .marks
            .iter()
            .any(|m| m.text.starts_with("cache cleared"))
    );
}
