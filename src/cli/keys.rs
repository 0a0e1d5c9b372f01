//! Keys that steer a run while it goes, where standard input is a terminal: p pauses and goes on, + and - change the load, m
//! marks the moment. Ctrl-C stops, as ever.

use std::sync::mpsc::{Receiver, sync_channel};

use super::print;
use crate::domain::{Load, Progress, RunData, RunState};
use crate::session::Command;

/// What one press changes: a tenth, and at least one user.
const STEP: f64 = 0.1;
/// Presses that may wait.
const PRESSES_MAX: usize = 64;

/// The terminal as it listens to single keys; put back when it is dropped.
pub(super) struct Keys {
    pressed: Receiver<u8>,
    n_marks: u32,
    _terminal: terminal::Raw,
}

impl Keys {
    /// None where nobody sits at standard input.
    pub(super) fn listen() -> Option<Self> {
        let raw = terminal::Raw::enter()?;
        let (press, pressed) = sync_channel(PRESSES_MAX);
        let read = move || {
            let mut bytes = std::io::Read::bytes(std::io::stdin());
            while let Some(Ok(byte)) = bytes.next() {
                // More than anybody means.
                press.try_send(byte).ok();
            }
        };
        let reader = std::thread::Builder::new().name("keys".to_owned());
        reader.spawn(read).ok()?;
        print::err("keys: p pause or go on, + and - change the load, m mark this moment");
        Some(Self {
            pressed,
            n_marks: 0,
            _terminal: raw,
        })
    }

    /// What the keys pressed since the last look ask of the run.
    pub(super) fn commands(&mut self, run: &RunData) -> Vec<Command> {
        let mut commands = Vec::new();
        while let Ok(key) = self.pressed.try_recv() {
            commands.extend(command(key, run, &mut self.n_marks));
        }
        commands
    }
}

fn command(key: u8, run: &RunData, n_marks: &mut u32) -> Option<Command> {
    match key {
        b'p' | b'P' | b' ' => match run.state {
            RunState::Running(_) => Some(Command::Pause),
            RunState::Paused(_) => Some(Command::Resume),
            _ => None,
        },
        b'+' | b'=' => Some(Command::SetLevel(level(run, 1.0)?)),
        b'-' | b'_' => Some(Command::SetLevel(level(run, -1.0)?)),
        b'm' | b'M' => {
            *n_marks += 1;
            Some(Command::Mark(format!("mark {n_marks}")))
        }
        _ => None,
    }
}

/// The running stage's level, one step up or down.
fn level(run: &RunData, sign: f64) -> Option<f64> {
    let (RunState::Running(Progress { stage, .. }) | RunState::Paused(Progress { stage, .. })) =
        &run.state
    else {
        return None;
    };
    match run.plan().stage(*stage)?.load {
        Load::Closed { users, .. } => {
            let users = f64::from(users.get());
            Some((users + sign * (users * STEP).round().max(1.0)).max(1.0))
        }
        Load::Open { rate, .. } => Some(rate * (1.0 + sign * STEP)),
        _ => None,
    }
}

#[cfg(unix)]
mod terminal {
    use std::io::{IsTerminal as _, stdin};

    use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
    use nix::unistd::{getpgrp, tcgetpgrp};

    /// Single keys without echo.
    pub(super) struct Raw {
        before: Termios,
    }

    impl Raw {
        /// None where standard input is no terminal, or is another program's just now: changing it would stop this one.
        pub(super) fn enter() -> Option<Self> {
            let stdin = stdin();
            if !stdin.is_terminal() || tcgetpgrp(&stdin) != Ok(getpgrp()) {
                return None;
            }
            let before = tcgetattr(&stdin).ok()?;
            let mut raw = before.clone();
            raw.local_flags
                .remove(LocalFlags::ICANON | LocalFlags::ECHO);
            tcsetattr(&stdin, SetArg::TCSANOW, &raw).ok()?;
            Some(Self { before })
        }
    }

    impl Drop for Raw {
        fn drop(&mut self) {
            tcsetattr(stdin(), SetArg::TCSANOW, &self.before).ok();
        }
    }
}

#[cfg(not(unix))]
mod terminal {
    /// Keys are read on Unix only.
    pub(super) struct Raw;

    impl Raw {
        pub(super) fn enter() -> Option<Self> {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{Accumulator, Detail, Health, Plan, RunFacts, ServerFacts, StageIdx};

    /// A run whose one stage has that load.
    fn run(load: Load, state: RunState) -> RunData {
        let mut plan = Plan::simple("http://127.0.0.1:8000/v1");
        plan.stages[0].load = load;
        let mut accumulator = Accumulator::new(&plan);
        RunData {
            head: Arc::new(crate::domain::RunHead {
                schema: 1,
                id: String::new(),
                tool: String::new(),
                started: String::new(),
                started_unix_ns: 0,
                label: String::new(),
                tags: Vec::new(),
                notes: String::new(),
                plan: plan.clone(),
                environment: crate::domain::Environment::default(),
                server: ServerFacts::default(),
                variation: None,
                workload: crate::domain::WorkloadFacts::default(),
            }),
            as_run: Arc::new(plan),
            state,
            borders: Vec::new(),
            marks: Vec::new(),
            points: accumulator.points().clone(),
            gaps: Vec::new(),
            series: Arc::new(accumulator.series()),
            summary: Arc::new(accumulator.summary(Detail::Live, &[], &RunFacts::default())),
            health: Health::default(),
            file: None,
            file_bytes: 0,
            revision: 0,
        }
    }

    fn running() -> RunState {
        RunState::Running(Progress {
            stage: StageIdx(0),
            ..Progress::default()
        })
    }

    #[track_caller]
    fn said(key: u8, run: &RunData) -> String {
        format!("{:?}", command(key, run, &mut 0))
    }

    #[test]
    fn keys_ask_what_the_run_can_do() {
        let users = |n| Load::closed(std::num::NonZeroU32::new(n).unwrap());
        let of_users = run(users(4), running());
        assert_eq!(said(b'p', &of_users), "Some(Pause)");
        assert_eq!(said(b'+', &of_users), "Some(SetLevel(5.0))");
        assert_eq!(said(b'-', &run(users(1), running())), "Some(SetLevel(1.0))");
        assert_eq!(
            said(b'-', &run(users(100), running())),
            "Some(SetLevel(90.0))"
        );
        assert_eq!(said(b'm', &of_users), "Some(Mark(\"mark 1\"))");
        assert_eq!(said(b'x', &of_users), "None");
        let open = run(Load::open(20.0), RunState::Paused(Progress::default()));
        assert_eq!(said(b'p', &open), "Some(Resume)");
        assert_eq!(said(b'+', &open), "Some(SetLevel(22.0))");
        let over = run(users(4), RunState::Finished);
        assert_eq!(
            (said(b'p', &over), said(b'+', &over)),
            ("None".to_owned(), "None".to_owned())
        );
    }
}
