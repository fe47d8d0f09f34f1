//! A policy that nobody would want: each task goes to another worker each time.
//!
//! A task that is made ready by the worker with processor *n* is put into the queue of processor *n* + 1, and nobody else may
//! take it. So a task that yields goes on, on another thread, always; and so does one that is woken by a task that ran where
//! it ran. What a scheduler must not get wrong when tasks move, it gets wrong here at once, and not once in a million turns.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use step03::{Policy, Processor, TaskRef, Why};

/// The policy.
pub(crate) struct Elsewhere {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    queues: Vec<VecDeque<TaskRef>>,
    asleep: usize,
    nudges: usize,
    closed: bool,
}

impl Elsewhere {
    pub(crate) fn new(processors: usize) -> Self {
        let queues = (0..processors).map(|_| VecDeque::new()).collect();
        Elsewhere {
            state: Mutex::new(State {
                queues,
                ..State::default()
            }),
            wake: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Policy for Elsewhere {
    type Local = ();

    fn local(&self, _index: usize) {}

    // ANCHOR: elsewhere
    fn ready(&self, task: TaskRef, from: Option<&Processor<Self>>, _why: Why) {
        let mut state = self.lock();
        let count = state.queues.len();
        let next = from.map_or(0, |processor| (processor.index() + 1) % count);
        state.queues[next].push_back(task);
        drop(state);
        self.wake.notify_all();
    }

    fn try_next(&self, on: &Processor<Self>) -> Option<TaskRef> {
        self.lock().queues[on.index()].pop_front()
    }
    // ANCHOR_END: elsewhere

    fn idle(&self, on: &Processor<Self>, until: Option<Instant>) {
        let mut state = self.lock();
        state.asleep += 1;
        while state.queues[on.index()].is_empty() && !state.closed && state.nudges == 0 {
            state = match until {
                None => self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let rest = until.saturating_duration_since(Instant::now());
                    if rest.is_zero() {
                        break;
                    }
                    let woken = self.wake.wait_timeout(state, rest);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.nudges = state.nudges.saturating_sub(1);
        state.asleep -= 1;
    }

    fn wake_one(&self) {
        self.lock().nudges += 1;
        self.wake.notify_all();
    }

    fn wake_all(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    fn open(&self) {
        let mut state = self.lock();
        (state.closed, state.nudges) = (false, 0);
    }

    fn asleep(&self) -> usize {
        self.lock().asleep
    }
}
