//! Drives hyper's connection inside the task that waits for its answer, with at most one socket read a step, so that
//! each thing hyper hands out belongs to a known read; and without a second task, so that an event costs one wake-up.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};

use super::stamped::Marks;
use super::wire::Wire;

/// Steps without a yield; a peer that sends much without a word for us must not starve the other users.
const MAX_STEPS: u32 = 64;

/// A connection's hyper half.
pub(super) enum Engine {
    Http1(Box<http1::Connection<Wire, Full<Bytes>>>),
    Http2 {
        connection: Box<http2::Connection<Wire, Full<Bytes>, Tasks>>,
        tasks: Tasks,
    },
}

/// Polls an [`Engine`] step by step.
pub(super) struct Driver {
    engine: Engine,
    marks: Arc<Marks>,
    nudge: Arc<Nudge>,
    waker: Waker,
    has_ended: bool,
    /// Why it ended, if hyper had nobody to tell it.
    end: Option<hyper::Error>,
}

impl Driver {
    pub(super) fn new(engine: Engine, marks: Arc<Marks>) -> Self {
        let nudge = Arc::new(Nudge::default());
        Self {
            engine,
            marks,
            waker: Waker::from(Arc::clone(&nudge)),
            nudge,
            has_ended: false,
            end: None,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The reason of the end that nobody was told.
    pub(super) fn take_end(&mut self) -> Option<hyper::Error> {
        self.end.take()
    }

    /// Steps until `take` has what it waits for. `None`: the connection is over and `take` will never have it.
    pub(super) fn poll_until<T>(
        &mut self,
        cx: &Context<'_>,
        take: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        self.nudge.task.register(cx.waker());
        // Lent for the call instead of cloned: two atomic counts less for each event.
        let waker = std::mem::replace(&mut self.waker, Waker::noop().clone());
        let polled = self.poll_steps(&mut Context::from_waker(&waker), take);
        self.waker = waker;
        polled.unwrap_or_else(|| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// `None`: there is more to do, but others should have their turn.
    fn poll_steps<T>(
        &mut self,
        inner: &mut Context<'_>,
        mut take: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<Poll<Option<T>>> {
        for _ in 0..MAX_STEPS {
            self.nudge.driving.store(true, Ordering::SeqCst);
            // What is already there is taken first: a step may read, and would move the marks past it.
            let mut polled = take(inner).map(Some);
            if polled.is_pending() {
                self.step(inner);
                polled = take(inner).map(Some);
            }
            self.nudge.driving.store(false, Ordering::SeqCst);
            if polled.is_ready() {
                return Some(polled);
            }
            if self.has_ended {
                return Some(Poll::Ready(None));
            }
            if !self.nudge.was_woken() && !self.marks.was_refused() {
                return Some(Poll::Pending);
            }
            if !tokio::task::coop::has_budget_remaining() {
                break;
            }
        }
        None
    }

    /// One step from outside of any waiting, for a look at the connection's state.
    pub(super) fn step_now(&mut self) {
        let waker = self.waker.clone();
        self.nudge.driving.store(true, Ordering::SeqCst);
        self.step(&mut Context::from_waker(&waker));
        self.nudge.driving.store(false, Ordering::SeqCst);
    }

    /// Whether the last step left more to do at once.
    pub(super) fn wants_step(&self) -> bool {
        !self.has_ended && (self.nudge.woken.load(Ordering::SeqCst) || self.marks.was_refused())
    }

    fn step(&mut self, inner: &mut Context<'_>) {
        if self.has_ended {
            return;
        }
        self.nudge.woken.store(false, Ordering::SeqCst);
        self.marks.open_gate();
        let polled = match &mut self.engine {
            Engine::Http1(connection) => Pin::new(connection.as_mut()).poll(inner),
            Engine::Http2 { connection, tasks } => {
                tasks.poll_all(inner);
                let polled = Pin::new(connection.as_mut()).poll(inner);
                // It may have handed out a new task, or frames for one to write.
                tasks.poll_all(inner);
                polled
            }
        };
        if let Poll::Ready(result) = polled {
            self.has_ended = true;
            self.end = result.err();
        }
    }
}

/// The waker that hyper sees. While we drive, a wake is only noted: hyper's two halves wake each other at every chunk,
/// and each such wake would cost the task an empty round through the scheduler.
#[derive(Default)]
struct Nudge {
    driving: AtomicBool,
    woken: AtomicBool,
    task: AtomicWaker,
}

impl Nudge {
    fn was_woken(&self) -> bool {
        self.woken.load(Ordering::SeqCst)
    }
}

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if !self.driving.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// hyper's background tasks of one HTTP/2 connection, polled by its driver instead of being spawned.
#[derive(Clone, Default)]
pub(super) struct Tasks {
    tasks: Arc<Mutex<Vec<Task>>>,
}

impl Tasks {
    fn poll_all(&self, cx: &mut Context<'_>) {
        // A task may hand out another while it is polled: the lock is not held meanwhile.
        let mut polled = std::mem::take(&mut *self.lock());
        polled.retain_mut(|task| task.as_mut().poll(cx).is_pending());
        let mut tasks = self.lock();
        polled.append(&mut tasks);
        *tasks = polled;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.lock().push(Box::pin(future));
    }
}
