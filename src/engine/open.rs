//! The open executor: requests leave at planned times, whatever becomes of those before.
//!
//! The whole schedule exists before the clock starts. A pacer lets each request go; a sender that is idle takes it, or a
//! new one where none is and the in-flight limit has room; else it waits, or is dropped, as the plan says. Late is sent
//! late: nothing is skipped. Latencies count from the planned time, so that what a request waited for, here or there, is in
//! them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::domain::{Outcome, StageIdx, WhenFull};

use super::crew::{Back, Crew, Event, Left, Vigil};
use super::desk::{Talk, Topic, User};
use super::driver::Driver;
use super::pacer::Pacer;
use super::running::{GiveUp, Running, When};

/// How a part's requests are let go.
#[derive(Clone, Debug)]
pub(super) struct Open {
    /// Offsets from the part's start, in order.
    pub(super) due_ns: Arc<[u64]>,
    /// The first of them is that row of the trace that this stage of the plan as asked replays.
    pub(super) first_row: Option<(StageIdx, usize)>,
    /// In flight at once at most.
    pub(super) limit: usize,
    pub(super) when_full: WhenFull,
    /// Ends with the last that is let go, without waiting for what is in flight: a warm-up, after which Measure goes on.
    pub(super) is_prelude: bool,
    /// The person's wishes are heard.
    pub(super) hears: bool,
}

/// What waits beside the schedule: requests for a sender, and turns for their time. A stage's parts share it.
#[derive(Default)]
pub(super) struct Lobby {
    waiting: Mutex<VecDeque<Waiting>>,
    turns: Mutex<BinaryHeap<Reverse<NextTurn>>>,
    has_turn: Notify,
    /// The part under way.
    part: Mutex<Option<Arc<Running>>>,
}

/// A request that was let go.
struct Waiting {
    when: When,
    topic: Topic,
    running: Arc<Running>,
}

/// A conversation's next turn, by its time.
#[derive(Debug, PartialEq)]
struct NextTurn {
    due_ns: u64,
    talk: Talk,
}

impl NextTurn {
    fn key(&self) -> (u64, u64) {
        (self.due_ns, self.talk.id)
    }
}

impl Eq for NextTurn {}

impl PartialOrd for NextTurn {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NextTurn {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Lobby {
    fn waiting(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turns(&self) -> std::sync::MutexGuard<'_, BinaryHeap<Reverse<NextTurn>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a conversation that goes on.
    fn go_on(&self, talk: Talk) {
        let due_ns = talk.due_ns.unwrap_or(0);
        self.turns().push(Reverse(NextTurn { due_ns, talk }));
        self.has_turn.notify_one();
    }

    fn next_turn_ns(&self) -> Option<u64> {
        self.turns().peek().map(|turn| turn.0.due_ns)
    }

    fn pop_turn(&self, now_ns: u64) -> Option<NextTurn> {
        let mut turns = self.turns();
        let is_due = turns.peek().is_some_and(|turn| turn.0.due_ns <= now_ns);
        is_due.then(|| turns.pop()).flatten().map(|turn| turn.0)
    }

    /// The next that waits for a sender, unless nothing is waited for any more.
    fn pop_waiting(&self) -> Option<Waiting> {
        let mut waiting = self.waiting();
        let first = waiting.front()?;
        let control = &first.running.desk.control;
        let is_given_up = first.running.give_up.borrow().is_some();
        if is_given_up || control.is_stopping() || control.is_paused() && self.may_pause() {
            return None;
        }
        waiting.pop_front()
    }

    /// A part that has nothing more to let go is not paused any more: it ends.
    fn may_pause(&self) -> bool {
        let part = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        part.as_ref().is_none_or(|running| !running.is_spent())
    }

    /// The person's pause is no wait of the server's: what waited then is due so much later.
    pub(super) fn was_paused(&self, ns: u64) {
        for one in self.waiting().iter_mut() {
            one.when.due_ns = one.when.due_ns.map(|due| due.saturating_add(ns));
            one.when.released_ns = one.when.released_ns.map(|at| at.saturating_add(ns));
        }
    }

    /// Records those that nobody waits for any more.
    pub(super) fn send_home(&self, outcome: &Outcome) {
        let waiting = std::mem::take(&mut *self.waiting());
        for one in waiting {
            one.running.skip(one.when, &one.topic, outcome.clone());
        }
        self.turns().clear();
    }

    /// Turns whose time came while nothing was sent are due now.
    fn begin(&self, running: &Arc<Running>) {
        let now_ns = running.began_ns;
        let mut part = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        *part = Some(Arc::clone(running));
        drop(part);
        let mut turns = self.turns();
        let moved = turns.drain().map(|Reverse(turn)| {
            Reverse(NextTurn {
                due_ns: turn.due_ns.max(now_ns),
                ..turn
            })
        });
        let moved: BinaryHeap<_> = moved.collect();
        *turns = moved;
    }
}

/// Sends one part; those that are still out for an earlier part join in when they come back.
pub(super) async fn send_part<D: Driver>(
    crew: &mut Crew<D>,
    running: &Arc<Running>,
    open: &Open,
    lobby: &Arc<Lobby>,
) -> Left {
    let desk = &running.desk;
    lobby.begin(running);
    let mut pacer = Pacer::new(&desk.clock, desk.pacing);
    let mut vigil = Vigil::new(running, open.hears);
    let mut sender = Sender {
        crew,
        running,
        open,
        lobby,
        next: 0,
        is_closed: false,
        saturated: None,
    };
    sender.serve_waiting();
    let left = loop {
        let due_ns = sender.next_due_ns().or_else(|| sender.rest_of_prelude_ns());
        if due_ns.is_none() && open.is_prelude {
            break Left::Done;
        }
        let has_turn = lobby.has_turn.notified();
        let is_over = due_ns.is_none();
        tokio::select! {
            biased;
            event = vigil.next(&mut sender.crew.out), if !sender.crew.out.is_empty() || is_over => {
                if let Some(left) = sender.take(event, &mut vigil) {
                    break left;
                }
            }
            () = has_turn => {}
            () = desk.control.reached(super::control::Order::Stop), if !is_over => {
                sender.is_closed = true;
                lobby.send_home(&Outcome::Cancelled);
            }
            () = desk.control.asked(), if open.hears && !is_over => {
                running.halt();
                break Left::Asked;
            }
            () = pacer.until(due_ns.unwrap_or(0)), if !is_over => sender.release(),
        }
    };
    if left != Left::Asked && !open.is_prelude {
        lobby.send_home(&Outcome::Cancelled);
    }
    running.tell_in_flight(None, false);
    left
}

struct Sender<'a, D: Driver> {
    crew: &'a mut Crew<D>,
    running: &'a Arc<Running>,
    open: &'a Open,
    lobby: &'a Arc<Lobby>,
    /// The schedule's next.
    next: usize,
    /// No more is let go.
    is_closed: bool,
    saturated: Option<String>,
}

impl<D: Driver> Sender<'_, D> {
    /// When the next request is let go; `None` when there is no more.
    fn next_due_ns(&mut self) -> Option<u64> {
        if self.is_closed || self.running.desk.control.is_stopping() {
            return None;
        }
        let planned = self.planned_ns(self.next);
        let turn = self.lobby.next_turn_ns();
        let due_ns = planned.into_iter().chain(turn).min()?;
        if self.running.gate.is_open_at(due_ns) {
            return Some(due_ns);
        }
        self.is_closed = true;
        None
    }

    /// A warm-up by time lasts until its end, also after its last request was let go.
    fn rest_of_prelude_ns(&self) -> Option<u64> {
        let is_on = self.open.is_prelude && !self.running.desk.control.is_stopping();
        let until_ns = self.running.gate.until_ns().filter(|_| is_on)?;
        (until_ns > self.running.desk.clock.now_ns()).then_some(until_ns)
    }

    fn planned_ns(&self, at: usize) -> Option<u64> {
        let offset = self.open.due_ns.get(at)?;
        Some(self.running.began_ns.saturating_add(*offset))
    }

    /// Lets go all that is due.
    fn release(&mut self) {
        let now_ns = self.running.desk.clock.now_ns();
        while let Some(due_ns) = self.next_due_ns().filter(|ns| *ns <= now_ns) {
            if !self.running.gate.pass(0, due_ns) {
                self.is_closed = true;
                return;
            }
            let is_planned = self.planned_ns(self.next) == Some(due_ns);
            let topic = if is_planned {
                self.next += 1;
                self.planned_topic(self.next - 1)
            } else {
                match self.lobby.pop_turn(now_ns) {
                    Some(turn) => Topic::Talk(turn.talk),
                    None => return,
                }
            };
            let when = When {
                due_ns: Some(due_ns),
                released_ns: Some(self.running.desk.clock.now_ns()),
                from_due: true,
            };
            self.let_go(when, topic);
        }
    }

    fn planned_topic(&self, at: usize) -> Topic {
        match self.open.first_row {
            Some((asked, first)) => Topic::Row(asked, first + at),
            None => self.running.new_topic(),
        }
    }

    fn let_go(&mut self, when: When, topic: Topic) {
        let waiting = Waiting {
            when,
            topic,
            running: Arc::clone(self.running),
        };
        if self.crew.out.len() < self.open.limit {
            self.send_out(waiting);
        } else if self.open.when_full == WhenFull::Drop {
            self.running
                .skip(waiting.when, &waiting.topic, Outcome::Dropped);
        } else {
            self.lobby.waiting().push_back(waiting);
        }
    }

    fn serve_waiting(&mut self) {
        while self.crew.out.len() < self.open.limit
            && let Some(waiting) = self.lobby.pop_waiting()
        {
            self.send_out(waiting);
        }
    }

    fn send_out(&mut self, waiting: Waiting) {
        // The one that came back last: its connection is the least likely to have been closed meanwhile.
        let user = match self.crew.idle.pop() {
            Some(user) => user,
            None => self.crew.hire(),
        };
        let lobby = Arc::clone(self.lobby);
        self.crew.out.spawn(serve(user, waiting, lobby));
    }

    /// Why the part is over, if it is.
    fn take(&mut self, event: Event<D>, vigil: &mut Vigil<'_>) -> Option<Left> {
        match event {
            Event::Alone => {
                // Nothing is due, nobody is out, and so nobody waits.
                let saturated = self.saturated.take();
                return Some(saturated.map_or(Left::Done, Left::Saturated));
            }
            Event::Back(back) => {
                if self.crew.len() < self.open.limit {
                    self.crew.idle.push(back.user);
                } else {
                    self.crew.dismiss(back.user);
                }
                self.serve_waiting();
            }
            Event::Asked => {
                self.running.halt();
                return Some(Left::Asked);
            }
            Event::Saturated(why) => {
                self.running.halt();
                self.is_closed = true;
                self.saturated = Some(why);
                vigil.is_halted();
                self.lobby.turns().clear();
            }
            Event::GaveUp => {
                self.is_closed = true;
                let why = *self.running.give_up.borrow();
                self.lobby
                    .send_home(&why.unwrap_or(GiveUp::Cancelled).outcome());
            }
        }
        None
    }
}

/// A sender: one request, and then those that wait for their turn.
async fn serve<D: Driver>(mut user: User<D>, first: Waiting, lobby: Arc<Lobby>) -> Back<D> {
    let mut of = Arc::clone(&first.running);
    let mut next = Some(first);
    while let Some(Waiting {
        when,
        topic,
        running,
    }) = next
    {
        let mut give_up = running.give_up.subscribe();
        let talk = running.send(&mut user, when, topic, &mut give_up).await;
        if let Some(talk) = talk {
            lobby.go_on(talk);
        }
        of = running;
        next = lobby.pop_waiting();
    }
    Back { user, of }
}
