//! The closed executor: a fixed number of users, each with one request in flight at most.
//!
//! Everything runs on one current-thread runtime, so that a request's path takes no lock that anyone waits for.

use std::sync::Arc;

use crate::domain::ClosedMode;

use super::arrivals::wave_jitter_ms;
use super::crew::{Back, Crew, Event, Left, Vigil};
use super::desk::{Topic, User};
use super::driver::Driver;
use super::running::{Running, When};

/// From when on a user sends, and until when, from the part's start.
pub(super) type Shift = (u64, Option<u64>);

/// How a part's users send.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub(super) n_users: u32,
    pub(super) mode: ClosedMode,
    /// Of each user of a ramp; empty where all send from the start.
    pub(super) shifts: Vec<Shift>,
    /// The person's wishes are heard.
    pub(super) hears: bool,
}

/// Sends one part with the crew's users; those that are still out for an earlier part join in when they come back.
pub(super) async fn send_part<D: Driver>(
    crew: &mut Crew<D>,
    running: &Arc<Running>,
    closed: &Closed,
) -> Left {
    let is_steady = closed.mode == ClosedMode::Steady;
    let left = if is_steady {
        steady(crew, running, closed).await
    } else {
        rounds(crew, running, closed).await
    };
    crew.idle.sort_unstable_by_key(|user| user.id);
    let holds_all = is_steady && closed.shifts.is_empty();
    running.tell_in_flight(Some(closed.n_users), holds_all);
    left
}

async fn steady<D: Driver>(crew: &mut Crew<D>, running: &Arc<Running>, closed: &Closed) -> Left {
    let shift = |id: u32| closed.shifts.get(id as usize).copied().unwrap_or((0, None));
    for user in crew.idle.drain(..) {
        let shift = shift(user.id);
        crew.out.spawn(go_on(user, shift, Arc::clone(running)));
    }
    let mut done = Vec::new();
    let mut vigil = Vigil::new(running, closed.hears);
    let left = loop {
        match vigil.next(&mut crew.out).await {
            Event::Alone => break Left::Done,
            Event::Back(back) if Arc::ptr_eq(&back.of, running) => done.push(back.user),
            // It comes from before a change: there may be too many by now.
            Event::Back(back) if crew.len() + done.len() + 1 > closed.n_users as usize => {
                crew.dismiss(back.user);
            }
            Event::Back(back) => {
                let shift = shift(back.user.id);
                crew.out.spawn(go_on(back.user, shift, Arc::clone(running)));
            }
            Event::Asked => {
                running.halt();
                break Left::Asked;
            }
            Event::Saturated(_) | Event::GaveUp => {}
        }
    };
    crew.idle.append(&mut done);
    left
}

/// A steady user: the next request as soon as the last one has ended, or has been thought about.
async fn go_on<D: Driver>(mut user: User<D>, shift: Shift, running: Arc<Running>) -> Back<D> {
    let mut give_up = running.give_up.subscribe();
    let until_ns = shift.1.map(|ns| running.began_ns.saturating_add(ns));
    running
        .sleep_until(running.began_ns.saturating_add(shift.0))
        .await;
    let mut sent = 0;
    loop {
        // One that was due before this stage began had to wait for it.
        let due_ns = user.talk.as_ref().and_then(|talk| talk.due_ns);
        let due_ns = due_ns.map(|ns| ns.max(running.began_ns));
        if let Some(due_ns) = due_ns {
            running.sleep_until(due_ns).await;
        }
        let now_ns = running.desk.clock.now_ns();
        if until_ns.is_some_and(|ns| now_ns >= ns) || !running.may_send(sent) {
            break;
        }
        let when = When {
            due_ns,
            ..When::default()
        };
        take_turn(&mut user, when, &running, &mut give_up).await;
        sent += 1;
        // A request that never had to wait must not keep the other users from their turn.
        tokio::task::coop::consume_budget().await;
    }
    Back { user, of: running }
}

/// The user's next request: of its conversation, where it is in one.
async fn take_turn<D: Driver>(
    user: &mut User<D>,
    when: When,
    running: &Running,
    give_up: &mut tokio::sync::watch::Receiver<Option<super::running::GiveUp>>,
) {
    let topic = match user.talk.take() {
        Some(talk) => Topic::Talk(talk),
        None => running.new_topic(),
    };
    user.talk = running.send(user, when, topic, give_up).await;
}

/// Burst and wave: round after round. A change takes effect when a round is over.
async fn rounds<D: Driver>(crew: &mut Crew<D>, running: &Arc<Running>, closed: &Closed) -> Left {
    let desk = &running.desk;
    crew.gather(&desk.control).await;
    crew.seat(closed.n_users as usize);
    let mut vigil = Vigil::new(running, false);
    for round in 0.. {
        let release_ns = desk.clock.now_ns();
        let n = running.gate.round(crew.idle.len(), round, release_ns);
        if n == 0 || desk.control.is_stopping() {
            break;
        }
        if closed.hears && desk.control.is_asked() {
            running.halt();
            return Left::Asked;
        }
        let mut resting = crew.idle.split_off(n);
        for user in crew.idle.drain(..) {
            let due_ns = release_ns + jitter_ns(running, closed.mode, round, user.id);
            let running = Arc::clone(running);
            crew.out.spawn(in_round(user, round, due_ns, running));
        }
        loop {
            match vigil.next(&mut crew.out).await {
                Event::Alone => break,
                Event::Back(back) => crew.idle.push(back.user),
                Event::Asked | Event::Saturated(_) | Event::GaveUp => {}
            }
        }
        crew.idle.append(&mut resting);
        crew.idle.sort_unstable_by_key(|user| user.id);
    }
    Left::Done
}

/// One user's request of a burst's or wave's round.
async fn in_round<D: Driver>(
    mut user: User<D>,
    round: u64,
    due_ns: u64,
    running: Arc<Running>,
) -> Back<D> {
    let mut give_up = running.give_up.subscribe();
    let desk = &running.desk;
    if due_ns > desk.clock.now_ns() {
        desk.control
            .sleep_until(desk.clock.instant_from_ns(due_ns))
            .await;
    }
    if running.may_send(round) {
        let when = When {
            due_ns: Some(due_ns),
            ..When::default()
        };
        take_turn(&mut user, when, &running, &mut give_up).await;
    }
    Back { user, of: running }
}

fn jitter_ns(running: &Running, mode: ClosedMode, round: u64, user: u32) -> u64 {
    match mode {
        ClosedMode::Wave => {
            wave_jitter_ms(running.desk.seed, running.part.stage.0, round, user) * 1_000_000
        }
        ClosedMode::Steady | ClosedMode::Burst => 0,
    }
}
